/* SPDX-License-Identifier: MIT */
/* Products of a block: sums over k held in registers, weights streamed in the order they are used.
 * The order of each sum is that of gruc_sum_ranges, whatever the block. */
#include "codegen/cpu/companion.h"
#include "codegen/cpu/weights.h"

enum {
    MAX_SUMS = 96,
    MOST_UNROLL = 4,
    ROUND_PRODUCTS = 12, /* of a round of the loop, when one step has fewer */
};

/* Where the operands of a few consecutive k are: constant offsets from here lead to each. */
struct place {
    LLVMValueRef v_weights, v_ahead; /* of this block and the next; NULL: it need not be known */
    LLVMValueRef v_left[CPU_MAX_ROWS];
};

struct sums {
    struct cpu_emitter *e;
    const struct cpu_block *block;
    const struct gruc_product *product;
    const struct cpu_packed *packed;
    unsigned first_gate, gates;          /* of the product's */
    int is_by_pairs, has_dots;           /* of k; by an instruction */
    LLVMValueRef v_sum[MAX_SUMS];        /* [range][row][vector][gate] */
    unsigned first_range, n_ranges;      /* accumulated at once */
    struct place at;                     /* of k = 0 */
    LLVMValueRef v_ahead;                /* bytes from a block's weights to the next's; or NULL */
};

static LLVMValueRef *sum_at(struct sums *s, unsigned range, unsigned row, unsigned vector,
                            unsigned gate)
{
    unsigned index = (range * s->block->n_rows + row) * s->block->n_vectors + vector;
    return &s->v_sum[index * s->gates + gate];
}

static unsigned sum_count(const struct sums *s)
{
    return s->n_ranges * s->block->n_rows * s->block->n_vectors * s->gates;
}

static LLVMValueRef multiply_add(struct sums *s, LLVMValueRef x, LLVMValueRef w, LLVMValueRef sum)
{
    struct cpu_emitter *e = s->e;
    LLVMTypeRef type = l_vector(e->t_float, s->block->lanes);
    LLVMValueRef operands[3] = {x, w, sum};
    if (e->target->has_fma)
        return l_intrinsic(e, "llvm.fma", type, operands, 3);
    return LLVMBuildFAdd(e->builder, LLVMBuildFMul(e->builder, x, w, ""), sum, "");
}

/* sum + x1 w1 + x0 w0, rounded after each: by one instruction, which takes the upper numbers first
 * and would make zeros of denormal ones, of which there are none. */
static LLVMValueRef multiply_pairs(struct sums *s, LLVMValueRef x, LLVMValueRef w,
                                   LLVMValueRef sum)
{
    LLVMValueRef operands[3] = {sum, x, w};
    const char *name = cpu_dot_instruction(CPU_DOT_BF16, s->block->lanes);
    return l_instruction(s->e, name, operands, 3);
}

/* Bytes that the numbers of a row take at each step. */
static uint64_t left_bytes(const struct sums *s)
{
    return s->has_dots ? 4 : (uint64_t)4 * s->packed->group;
}

static LLVMValueRef load_number(struct sums *s, const struct place *at, unsigned row,
                                uint64_t offset)
{
    struct cpu_emitter *e = s->e;
    LLVMValueRef v_at = l_offset(e, at->v_left[row], l_i64(e, offset));
    LLVMValueRef v = l_load(e, s->has_dots ? e->t_i32 : e->t_float, v_at, 4);
    return l_splat(e, v, s->block->lanes);
}

static LLVMValueRef load_weights(struct sums *s, const struct place *at,
                                 const struct cpu_weights_place *place)
{
    LLVMValueRef w = cpu_load_weights(s->e, s->packed, at->v_weights, place);
    if (at->v_ahead != NULL)
        cpu_fetch_weights(s->e, s->packed, at->v_ahead, place);
    return w;
}

/* Whether registers have no room for a number of each row besides the sums, but for the weights. */
static int goes_by_rows(const struct sums *s)
{
    return s->n_ranges * s->block->n_rows * (s->gates * s->block->n_vectors + 1) >=
           s->e->target->registers;
}

/* Adds the products of step k, counted from place, to one range: those of its numbers i, or of both
 * at once. */
static void add_products(struct sums *s, unsigned range, const struct place *at, uint32_t k,
                         unsigned i)
{
    uint64_t offset = k * left_bytes(s) + (uint64_t)i * 4;
    unsigned n_rows = s->block->n_rows, n_weights = s->gates * s->block->n_vectors;
    int by_rows = goes_by_rows(s);
    LLVMValueRef v_x[CPU_MAX_ROWS] = {NULL}, v_w[MAX_SUMS] = {NULL};
    for (unsigned row = 0; row < n_rows && !by_rows; row++)
        v_x[row] = load_number(s, at, row, offset);
    for (unsigned n = 0; n < n_rows * n_weights; n++) {
        unsigned row = by_rows ? n / n_weights : n % n_rows;
        unsigned weight = by_rows ? n % n_weights : n / n_rows;
        unsigned gate = weight / s->block->n_vectors, vector = weight % s->block->n_vectors;
        if (v_x[row] == NULL)
            v_x[row] = load_number(s, at, row, offset);
        struct cpu_weights_place place = {vector, s->first_gate + gate, k, i, 0};
        if (v_w[weight] == NULL)
            v_w[weight] = load_weights(s, at, &place);
        LLVMValueRef *sum = sum_at(s, range, row, vector, gate);
        *sum = s->has_dots ? multiply_pairs(s, v_x[row], v_w[weight], *sum)
                           : multiply_add(s, v_x[row], v_w[weight], *sum);
    }
}

/* Number i of those of a step in the order of the sum: of pairs the second first, as the
 * instruction for both does. */
static unsigned number_at(const struct sums *s, unsigned i)
{
    return s->is_by_pairs ? s->packed->group - 1 - i : i;
}

/* Both numbers of step k for a single row, whose weights are used once: each is loaded once too. */
static void add_both(struct sums *s, unsigned range, const struct place *at, uint32_t k)
{
    LLVMValueRef v_x[2];
    for (unsigned i = 0; i < 2; i++)
        v_x[i] = load_number(s, at, 0, k * left_bytes(s) + (uint64_t)i * 4);
    for (unsigned n = 0; n < s->gates * s->block->n_vectors; n++) {
        unsigned gate = n / s->block->n_vectors, vector = n % s->block->n_vectors;
        LLVMValueRef *sum = sum_at(s, range, 0, vector, gate);
        for (unsigned order = 0; order < 2; order++) {
            struct cpu_weights_place place = {vector, s->first_gate + gate, k,
                                              number_at(s, order), 1};
            *sum = multiply_add(s, v_x[place.i], load_weights(s, at, &place), *sum);
        }
    }
}

/* Step k. The last step may have one number only where it is not by pairs. */
static void add_group(struct sums *s, unsigned range, const struct place *at, uint32_t k)
{
    unsigned group = s->has_dots ? 1 : s->packed->group;
    if (group == 2 && s->block->n_rows == 1 && (s->is_by_pairs || k * 2 + 1 < s->product->depth)) {
        add_both(s, range, at, k);
        return;
    }
    for (unsigned i = 0; i < group; i++)
        if (s->is_by_pairs || k * group + i < s->product->depth)
            add_products(s, range, at, k, s->has_dots ? 0 : number_at(s, i));
}

/* Step i of every range that is accumulated at once and has that many. */
static void add_step(struct sums *s, const struct place *at, uint32_t i)
{
    for (unsigned range = 0; range < s->n_ranges; range++) {
        uint32_t begin = cpu_weights_range_begin(s->packed, s->first_range + range);
        uint32_t end = cpu_weights_range_begin(s->packed, s->first_range + range + 1);
        if (i < end - begin)
            add_group(s, range, at, begin + i);
    }
}

/* A loop over steps [v_first, v_limit), unroll of them a round, of one product or of two side by
 * side. Its variables are what addresses are made of, so that nothing is left to simplify: two
 * products have rows of the same form. */
struct k_loop {
    struct cpu_emitter *e;
    struct sums *parts[2];
    unsigned n_parts, unroll;
    LLVMValueRef v_first, v_limit;
    LLVMValueRef v_end; /* of v_index, which counts bytes of a row */
    LLVMValueRef v_index, v_weights[2], v_sums[2][MAX_SUMS];
    LLVMValueRef v_fetched; /* NULL: nothing is asked for at the beginning of a round */
    LLVMBasicBlockRef b_loop;
};

static void begin_rounds(struct k_loop *loop, LLVMBasicBlockRef b_before, LLVMValueRef v_first,
                         LLVMValueRef *v_weights, LLVMValueRef v_fetched)
{
    struct cpu_emitter *e = loop->e;
    loop->v_index = LLVMBuildPhi(e->builder, e->t_i64, "");
    LLVMAddIncoming(loop->v_index, &v_first, &b_before, 1);
    if (v_fetched != NULL) {
        loop->v_fetched = LLVMBuildPhi(e->builder, e->t_ptr, "");
        LLVMAddIncoming(loop->v_fetched, &v_fetched, &b_before, 1);
    }
    for (unsigned part = 0; part < loop->n_parts; part++) {
        struct sums *s = loop->parts[part];
        LLVMTypeRef type = l_vector(e->t_float, s->block->lanes);
        loop->v_weights[part] = LLVMBuildPhi(e->builder, e->t_ptr, "");
        LLVMAddIncoming(loop->v_weights[part], &v_weights[part], &b_before, 1);
        for (unsigned i = 0; i < sum_count(s); i++) {
            loop->v_sums[part][i] = LLVMBuildPhi(e->builder, type, "");
            LLVMAddIncoming(loop->v_sums[part][i], &s->v_sum[i], &b_before, 1);
            s->v_sum[i] = loop->v_sums[part][i];
        }
    }
}

static void add_rounds(struct k_loop *loop)
{
    struct cpu_emitter *e = loop->e;
    struct place now[2];
    if (loop->v_fetched != NULL)
        l_prefetch(e, loop->v_fetched);
    for (unsigned part = 0; part < loop->n_parts; part++) {
        struct sums *s = loop->parts[part];
        now[part].v_weights = loop->v_weights[part];
        now[part].v_ahead =
            s->v_ahead == NULL ? NULL : l_offset(e, now[part].v_weights, s->v_ahead);
        for (unsigned row = 0; row < s->block->n_rows; row++)
            now[part].v_left[row] = l_offset(e, s->at.v_left[row], loop->v_index);
    }
    for (unsigned u = 0; u < loop->unroll; u++)
        for (unsigned part = 0; part < loop->n_parts; part++)
            add_step(loop->parts[part], &now[part], u);
}

static void end_rounds(struct k_loop *loop)
{
    struct cpu_emitter *e = loop->e;
    LLVMValueRef v_step = l_i64(e, loop->unroll * left_bytes(loop->parts[0]));
    LLVMValueRef v_next = l_next(e, LLVMBuildNUWAdd(e->builder, loop->v_index, v_step, ""));
    LLVMAddIncoming(loop->v_index, &v_next, &loop->b_loop, 1);
    if (loop->v_fetched != NULL) {
        LLVMValueRef v_each = loop->parts[0]->block->slice->v_each;
        LLVMValueRef v_fetched = l_next(e, l_offset(e, loop->v_fetched, v_each));
        LLVMAddIncoming(loop->v_fetched, &v_fetched, &loop->b_loop, 1);
    }
    for (unsigned part = 0; part < loop->n_parts; part++) {
        struct sums *s = loop->parts[part];
        uint64_t bytes = loop->unroll * cpu_weights_step_bytes(s->packed);
        LLVMValueRef v_weights = l_next(e, l_offset(e, loop->v_weights[part], l_i64(e, bytes)));
        LLVMAddIncoming(loop->v_weights[part], &v_weights, &loop->b_loop, 1);
        for (unsigned i = 0; i < sum_count(s); i++)
            LLVMAddIncoming(loop->v_sums[part][i], &s->v_sum[i], &loop->b_loop, 1);
    }
    LLVMBasicBlockRef b_after = l_block(e, "after");
    LLVMValueRef v_more = LLVMBuildICmp(e->builder, LLVMIntULT, v_next, loop->v_end, "");
    LLVMBuildCondBr(e->builder, v_more, loop->b_loop, b_after);
    LLVMPositionBuilderAtEnd(e->builder, b_after);
}

static void add_loop(struct k_loop *loop)
{
    struct cpu_emitter *e = loop->e;
    LLVMValueRef v_weights[2];
    for (unsigned part = 0; part < loop->n_parts; part++) {
        const struct sums *s = loop->parts[part];
        LLVMValueRef v_bytes =
            l_mul(e, loop->v_first, l_i64(e, cpu_weights_step_bytes(s->packed)));
        v_weights[part] = l_offset(e, s->at.v_weights, v_bytes);
    }
    const struct sums *s = loop->parts[0];
    LLVMValueRef v_bytes = l_i64(e, left_bytes(s)), v_fetched = NULL;
    LLVMValueRef v_first = l_mul(e, loop->v_first, v_bytes);
    loop->v_end = l_mul(e, loop->v_limit, v_bytes);
    if (s->block->slice != NULL)
        v_fetched = l_offset(e, s->at.v_weights, s->block->slice->v_ahead);
    LLVMBasicBlockRef b_before = LLVMGetInsertBlock(e->builder);
    loop->b_loop = l_block(e, "k");
    LLVMBuildBr(e->builder, loop->b_loop);
    LLVMPositionBuilderAtEnd(e->builder, loop->b_loop);
    begin_rounds(loop, b_before, v_first, v_weights, v_fetched);
    add_rounds(loop);
    end_rounds(loop);
}

/* Steps of one round of the loop: enough sums that the round's overhead is hidden, no more, for
 * what is emitted has to be compiled. */
static unsigned steps_of_round(unsigned sums)
{
    unsigned unroll = MOST_UNROLL;
    while (unroll > 1 && unroll * sums > ROUND_PRODUCTS)
        unroll /= 2;
    return unroll;
}

/* Up to how many terms a sum is no loop. Where steps follow each other, LLVM keeps the sums of one
 * row, or many, in the order in which they are written only if a loop holds them together; in a
 * single step it is better without, since the state then stays in registers. */
static uint32_t straight_depth(const struct sums *s)
{
    if (s->e->one_step)
        return 8;
    return s->block->n_rows == 1 || sum_count(s) > s->e->target->registers / 2 ? 2 : 4;
}

static void accumulate_slice(struct sums *s)
{
    const struct cpu_slice *slice = s->block->slice;
    struct k_loop loop = {.e = s->e, .parts = {s}, .n_parts = 1, .unroll = 1,
                          .v_first = slice->v_first, .v_limit = slice->v_limit};
    add_loop(&loop);
}

/* The steps from first on. */
static void accumulate(struct sums *s, uint32_t first)
{
    if (s->block->slice != NULL) {
        accumulate_slice(s);
        return;
    }
    uint32_t shortest = UINT32_MAX, longest = 0;
    for (unsigned range = 0; range < s->n_ranges; range++) {
        uint32_t length = cpu_weights_range_begin(s->packed, s->first_range + range + 1) -
                          cpu_weights_range_begin(s->packed, s->first_range + range);
        shortest = length < shortest ? length : shortest;
        longest = length > longest ? length : longest;
    }
    if (!s->is_by_pairs && s->product->depth % s->packed->group != 0)
        shortest--;
    unsigned unroll = steps_of_round(sum_count(s));
    uint32_t done = first;
    if (shortest > first + straight_depth(s))
        done = first + (shortest - first) / unroll * unroll;
    if (done > first) {
        struct k_loop loop = {.e = s->e, .parts = {s}, .n_parts = 1, .unroll = unroll,
                              .v_first = l_i64(s->e, first), .v_limit = l_i64(s->e, done)};
        add_loop(&loop);
    }
    for (uint32_t i = done; i < longest; i++)
        add_step(s, &s->at, i);
}

static LLVMValueRef *slot_of(const struct sums *s, unsigned row, unsigned vector, unsigned gate)
{
    gruc_ref value = s->e->ir->ops[s->product->ops[s->first_gate + gate]].results[0];
    size_t index = ((size_t)s->e->local[value] * s->block->n_rows + row) * s->block->n_vectors +
                   vector;
    return &s->block->values[index];
}

/* Of a slice: the sum, or what it starts from. */
static LLVMValueRef resume(const struct sums *s, LLVMValueRef v_start, LLVMValueRef v_sum)
{
    return LLVMBuildSelect(s->e->builder, s->block->slice->v_begins, v_start, v_sum, "");
}

/* Sums start from the bias in the first range, from zero in the others. Pairs all start from zero,
 * so that no sum of theirs is denormal. */
static void start(struct sums *s)
{
    struct cpu_emitter *e = s->e;
    unsigned lanes = s->block->lanes;
    LLVMValueRef v_zero = LLVMConstNull(l_vector(e->t_float, lanes));
    for (unsigned range = 0; range < s->n_ranges; range++)
        for (unsigned row = 0; row < s->block->n_rows; row++)
            for (unsigned vector = 0; vector < s->block->n_vectors; vector++)
                for (unsigned gate = 0; gate < s->gates; gate++) {
                    LLVMValueRef v_unit =
                        l_add(e, s->block->v_unit, l_i64(e, (uint64_t)vector * lanes));
                    LLVMValueRef *sum = sum_at(s, range, row, vector, gate);
                    *sum = s->first_range + range == 0 && !s->is_by_pairs
                               ? cpu_load_bias(e, s->packed, s->first_gate + gate, v_unit)
                               : v_zero;
                    if (s->block->slice != NULL)
                        *sum = resume(s, *sum, *slot_of(s, row, vector, gate));
                }
}

/* The first range's sum, with the bias where it did not start from it. */
static LLVMValueRef first_sum(struct sums *s, LLVMValueRef sum, unsigned gate, unsigned vector)
{
    struct cpu_emitter *e = s->e;
    gate += s->first_gate;
    if (!s->is_by_pairs || s->packed->bias[gate] == SIZE_MAX)
        return sum;
    LLVMValueRef v_unit =
        l_add(e, s->block->v_unit, l_i64(e, (uint64_t)vector * s->block->lanes));
    LLVMValueRef v = LLVMBuildFAdd(e->builder, sum, cpu_load_bias(e, s->packed, gate, v_unit), "");
    const struct cpu_slice *slice = s->block->slice;
    return slice == NULL ? v : LLVMBuildSelect(e->builder, slice->v_ends, v, sum, "");
}

/* Adds the sums of the ranges just accumulated to the matmul operations' values. */
static void join(struct sums *s)
{
    struct cpu_emitter *e = s->e;
    for (unsigned range = 0; range < s->n_ranges; range++)
        for (unsigned row = 0; row < s->block->n_rows; row++)
            for (unsigned vector = 0; vector < s->block->n_vectors; vector++)
                for (unsigned gate = 0; gate < s->gates; gate++) {
                    LLVMValueRef *slot = slot_of(s, row, vector, gate);
                    LLVMValueRef sum = *sum_at(s, range, row, vector, gate);
                    *slot = s->first_range + range == 0
                                ? first_sum(s, sum, gate, vector)
                                : LLVMBuildFAdd(e->builder, *slot, sum, "");
                }
}

static int prepare(struct cpu_emitter *e, struct cpu_block *block, size_t product,
                   const struct cpu_packed *packed, struct sums *out)
{
    *out = (struct sums){.e = e, .block = block, .product = packed->product, .packed = packed,
                         .gates = (unsigned)packed->product->n_ops,
                         .is_by_pairs = packed->product->weights == GRUC_WEIGHTS_BF16_DOT,
                         .has_dots = cpu_weights_are_dots(e, packed)};
    const struct cpu_edge *edge = &block->stage->edges[product];
    out->at.v_weights = cpu_weights_address(e, packed, block->v_unit);
    for (unsigned row = 0; row < block->n_rows; row++)
        out->at.v_left[row] =
            l_offset(e, edge->v_base, l_mul(e, block->v_rows[row], edge->v_stride));
    if (block->n_rows > 1) /* of one row, the weights come as fast as they can anyway */
        out->v_ahead =
            cpu_weights_ahead(e, packed, block->n_vectors, block->stage->v_turned);
    return block->n_rows * block->n_vectors * out->gates <= MAX_SUMS;
}

void cpu_emit_gates(struct cpu_emitter *e, struct cpu_block *block, size_t product,
                    const struct cpu_packed *packed, unsigned first_gate, unsigned gates)
{
    struct sums s;
    if (!prepare(e, block, product, packed, &s)) {
        e->failed = 1;
        return;
    }
    s.first_gate = first_gate;
    s.gates = gates;
    unsigned ranges = cpu_weights_ranges(packed);
    unsigned each = block->n_rows * block->n_vectors * s.gates;
    /* All ranges at once are independent chains for one row; else one after the other. */
    int at_once = ranges * each <= e->target->registers - 4;
    for (unsigned first = 0; first < ranges; first += s.n_ranges) {
        s.first_range = first;
        s.n_ranges = at_once ? ranges : 1;
        start(&s);
        accumulate(&s, 0);
        join(&s);
    }
}

void cpu_emit_product(struct cpu_emitter *e, struct cpu_block *block, size_t product,
                      const struct cpu_packed *packed)
{
    cpu_emit_gates(e, block, product, packed, 0, (unsigned)packed->product->n_ops);
}

/* ---- blocks of a companion ---- */

static void prepare_beside(struct cpu_emitter *e, const struct cpu_companion *companion,
                           const struct cpu_companion_block *beside, struct sums *out)
{
    const struct cpu_packed *packed = companion->stage.packed;
    *out = (struct sums){.e = e, .block = &beside->block, .product = packed->product,
                         .packed = packed, .gates = 1, .n_ranges = 1};
    out->at.v_weights = beside->v_weights;
    for (unsigned row = 0; row < beside->block.n_rows; row++) {
        out->at.v_left[row] = beside->v_left[row];
        out->v_sum[row] = beside->v_bias;
    }
}

void cpu_emit_companion(struct cpu_emitter *e, const struct cpu_companion *companion)
{
    struct cpu_companion_block beside;
    struct sums s;
    cpu_companion_begin(e, companion, &beside);
    prepare_beside(e, companion, &beside, &s);
    accumulate(&s, 0);
    cpu_companion_end(e, companion, &beside, s.v_sum);
}

/* One loop over as many k as both products have, then what is left of each. */
static void accumulate_both(struct sums *s, struct sums *beside)
{
    uint32_t a = s->product->depth, b = beside->product->depth, both = a < b ? a : b;
    unsigned unroll = steps_of_round(sum_count(s) + sum_count(beside));
    uint32_t done = both / unroll * unroll;
    struct k_loop loop = {.e = s->e, .parts = {s, beside}, .n_parts = 2, .unroll = unroll,
                          .v_first = l_i64(s->e, 0), .v_limit = l_i64(s->e, done)};
    add_loop(&loop);
    accumulate(beside, done);
    accumulate(s, done);
}

void cpu_emit_product_beside(struct cpu_emitter *e, struct cpu_block *block, size_t product,
                             const struct cpu_packed *packed,
                             const struct cpu_companion *companion)
{
    struct sums with, without, other;
    if (!prepare(e, block, product, packed, &with)) {
        e->failed = 1;
        return;
    }
    with.n_ranges = 1;
    start(&with);
    without = with;
    LLVMBasicBlockRef b_with = l_block(e, "beside"), b_without = l_block(e, "alone"),
                      b_after = l_block(e, "summed");
    LLVMBuildCondBr(e->builder, cpu_companion_waits(e, companion), b_with, b_without);
    LLVMPositionBuilderAtEnd(e->builder, b_with);
    struct cpu_companion_block beside;
    cpu_companion_begin(e, companion, &beside);
    prepare_beside(e, companion, &beside, &other);
    accumulate_both(&with, &other);
    cpu_companion_end(e, companion, &beside, other.v_sum);
    b_with = LLVMGetInsertBlock(e->builder);
    LLVMBuildBr(e->builder, b_after);
    LLVMPositionBuilderAtEnd(e->builder, b_without);
    accumulate(&without, 0);
    b_without = LLVMGetInsertBlock(e->builder);
    LLVMBuildBr(e->builder, b_after);
    LLVMPositionBuilderAtEnd(e->builder, b_after);
    for (unsigned i = 0; i < sum_count(&with); i++) {
        LLVMValueRef v = LLVMBuildPhi(e->builder, l_vector(e->t_float, block->lanes), "");
        LLVMAddIncoming(v, &with.v_sum[i], &b_with, 1);
        LLVMAddIncoming(v, &without.v_sum[i], &b_without, 1);
        with.v_sum[i] = v;
    }
    join(&with);
}

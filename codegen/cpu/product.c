/* SPDX-License-Identifier: MIT */
/* Products of a block: sums over k held in registers, weights streamed in the order they are used.
 * The order of each sum is that of gruc_sum_ranges, whatever the block. */
#include "codegen/cpu/weights.h"

enum {
    MAX_SUMS = 96,
    MOST_UNROLL = 4,
    ROUND_PRODUCTS = 24, /* of a round of the loop, when one step has fewer */
};

struct sums {
    struct cpu_emitter *e;
    struct cpu_block *block;
    const struct gruc_product *product;
    const struct cpu_packed *packed;
    LLVMValueRef v_sum[MAX_SUMS];        /* [range][row][vector][gate] */
    unsigned first_range, n_ranges;      /* accumulated at once */
};

static LLVMValueRef *sum_at(struct sums *s, unsigned range, unsigned row, unsigned vector,
                            unsigned gate)
{
    unsigned index = (range * s->block->n_rows + row) * s->block->n_vectors + vector;
    return &s->v_sum[index * (unsigned)s->product->n_ops + gate];
}

static unsigned sum_count(const struct sums *s)
{
    return s->n_ranges * s->block->n_rows * s->block->n_vectors * (unsigned)s->product->n_ops;
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

/* Where the operands of a few consecutive k are: constant offsets from here lead to each. */
struct place {
    LLVMValueRef v_weights;
    LLVMValueRef v_left[CPU_MAX_ROWS];
};

/* Adds the products at k, counted from place, of one range. */
static void add_products(struct sums *s, unsigned range, const struct place *at, uint32_t k)
{
    struct cpu_emitter *e = s->e;
    unsigned lanes = s->block->lanes, gates = (unsigned)s->product->n_ops;
    LLVMValueRef v_x[CPU_MAX_ROWS];
    for (unsigned row = 0; row < s->block->n_rows; row++) {
        LLVMValueRef address = l_offset(e, at->v_left[row], l_i64(e, (uint64_t)k * 4));
        v_x[row] = l_splat(e, l_load(e, e->t_float, address, 4), lanes);
    }
    for (unsigned gate = 0; gate < gates; gate++)
        for (unsigned vector = 0; vector < s->block->n_vectors; vector++) {
            LLVMValueRef w = cpu_load_weights(e, s->packed, at->v_weights, vector, gate, k);
            for (unsigned row = 0; row < s->block->n_rows; row++) {
                LLVMValueRef *sum = sum_at(s, range, row, vector, gate);
                *sum = multiply_add(s, v_x[row], w, *sum);
            }
        }
}

/* Step i of every range that is accumulated at once and has that many. */
static void add_step(struct sums *s, const struct place *at, uint32_t i)
{
    uint32_t depth = s->product->depth;
    for (unsigned range = 0; range < s->n_ranges; range++) {
        uint32_t begin = gruc_sum_range_begin(depth, s->first_range + range);
        uint32_t end = gruc_sum_range_begin(depth, s->first_range + range + 1);
        if (i < end - begin)
            add_products(s, range, at, begin + i);
    }
}

/* Steps 0 to looped as a loop of unroll steps; its variables are what addresses are made of, so
 * that nothing is left to simplify. */
static void add_loop(struct sums *s, const struct place *at, uint32_t looped, unsigned unroll)
{
    struct cpu_emitter *e = s->e;
    unsigned count = sum_count(s), lanes = s->block->lanes;
    uint64_t step_bytes = unroll * cpu_weights_step_bytes(s->packed);
    LLVMValueRef v_sums[MAX_SUMS], v_zero = l_i64(e, 0), v_weights = at->v_weights;
    LLVMBasicBlockRef b_before = LLVMGetInsertBlock(e->builder), b_loop = l_block(e, "k");
    LLVMBuildBr(e->builder, b_loop);
    LLVMPositionBuilderAtEnd(e->builder, b_loop);
    struct place now;
    LLVMValueRef v_index = LLVMBuildPhi(e->builder, e->t_i64, "");
    LLVMAddIncoming(v_index, &v_zero, &b_before, 1);
    now.v_weights = LLVMBuildPhi(e->builder, e->t_ptr, "");
    LLVMAddIncoming(now.v_weights, &v_weights, &b_before, 1);
    for (unsigned i = 0; i < count; i++) {
        v_sums[i] = LLVMBuildPhi(e->builder, l_vector(e->t_float, lanes), "");
        LLVMAddIncoming(v_sums[i], &s->v_sum[i], &b_before, 1);
        s->v_sum[i] = v_sums[i];
    }
    for (unsigned row = 0; row < s->block->n_rows; row++)
        now.v_left[row] = l_offset(e, at->v_left[row], v_index);
    for (unsigned u = 0; u < unroll; u++)
        add_step(s, &now, u);
    LLVMValueRef v_next =
        l_next(e, LLVMBuildNUWAdd(e->builder, v_index, l_i64(e, (uint64_t)unroll * 4), ""));
    LLVMValueRef v_next_weights = l_next(e, l_offset(e, now.v_weights, l_i64(e, step_bytes)));
    LLVMAddIncoming(v_index, &v_next, &b_loop, 1);
    LLVMAddIncoming(now.v_weights, &v_next_weights, &b_loop, 1);
    for (unsigned i = 0; i < count; i++)
        LLVMAddIncoming(v_sums[i], &s->v_sum[i], &b_loop, 1);
    LLVMBasicBlockRef b_after = l_block(e, "after");
    LLVMValueRef v_more = LLVMBuildICmp(e->builder, LLVMIntULT, v_next,
                                        l_i64(e, (uint64_t)looped * 4), "");
    LLVMBuildCondBr(e->builder, v_more, b_loop, b_after);
    LLVMPositionBuilderAtEnd(e->builder, b_after);
}

/* Steps of one round of the loop: enough sums that the round's overhead is hidden, no more, for
 * what is emitted has to be compiled. */
static unsigned steps_of_round(const struct sums *s)
{
    unsigned unroll = MOST_UNROLL;
    while (unroll > 1 && unroll * sum_count(s) > ROUND_PRODUCTS)
        unroll /= 2;
    return unroll;
}

/* Up to how many terms a sum is no loop. Where steps follow each other, LLVM keeps the sums of one
 * row in the order in which they are written only if a loop holds them together; in a single step
 * it is better without, since the state then stays in registers. */
static uint32_t straight_depth(const struct sums *s)
{
    return s->e->one_step ? 8 : s->block->n_rows == 1 ? 2 : 4;
}

static void accumulate(struct sums *s, const struct place *at)
{
    uint32_t depth = s->product->depth, shortest = UINT32_MAX, longest = 0;
    for (unsigned range = 0; range < s->n_ranges; range++) {
        uint32_t length = gruc_sum_range_begin(depth, s->first_range + range + 1) -
                          gruc_sum_range_begin(depth, s->first_range + range);
        shortest = length < shortest ? length : shortest;
        longest = length > longest ? length : longest;
    }
    unsigned unroll = steps_of_round(s);
    uint32_t looped = shortest <= straight_depth(s) ? 0 : shortest / unroll * unroll;
    if (looped > 0)
        add_loop(s, at, looped, unroll);
    for (uint32_t i = looped; i < longest; i++)
        add_step(s, at, i);
}

/* Sums start from the bias in the first range, from zero in the others. */
static void start(struct sums *s)
{
    struct cpu_emitter *e = s->e;
    unsigned lanes = s->block->lanes;
    LLVMValueRef v_zero = LLVMConstNull(l_vector(e->t_float, lanes));
    for (unsigned range = 0; range < s->n_ranges; range++)
        for (unsigned row = 0; row < s->block->n_rows; row++)
            for (unsigned vector = 0; vector < s->block->n_vectors; vector++)
                for (unsigned gate = 0; gate < s->product->n_ops; gate++) {
                    LLVMValueRef v_unit =
                        l_add(e, s->block->v_unit, l_i64(e, (uint64_t)vector * lanes));
                    *sum_at(s, range, row, vector, gate) =
                        s->first_range + range == 0 ? cpu_load_bias(e, s->packed, gate, v_unit)
                                                    : v_zero;
                }
}

/* Adds the sums of the ranges just accumulated to the matmul operations' values. */
static void join(struct sums *s)
{
    struct cpu_emitter *e = s->e;
    for (unsigned range = 0; range < s->n_ranges; range++)
        for (unsigned row = 0; row < s->block->n_rows; row++)
            for (unsigned vector = 0; vector < s->block->n_vectors; vector++)
                for (unsigned gate = 0; gate < s->product->n_ops; gate++) {
                    gruc_ref value = e->ir->ops[s->product->ops[gate]].results[0];
                    size_t index = ((size_t)e->local[value] * s->block->n_rows + row) *
                                       s->block->n_vectors + vector;
                    LLVMValueRef *slot = &s->block->values[index];
                    LLVMValueRef sum = *sum_at(s, range, row, vector, gate);
                    *slot = s->first_range + range == 0
                                ? sum
                                : LLVMBuildFAdd(e->builder, *slot, sum, "");
                }
}

void cpu_emit_product(struct cpu_emitter *e, struct cpu_block *block, size_t product,
                      const struct cpu_packed *packed)
{
    struct sums s = {.e = e, .block = block, .product = packed->product, .packed = packed};
    const struct cpu_edge *edge = &block->stage->edges[product];
    unsigned ranges = gruc_sum_ranges(s.product->depth), gates = (unsigned)s.product->n_ops;
    struct place at = {.v_weights = cpu_weights_address(e, packed, block->v_unit)};
    for (unsigned row = 0; row < block->n_rows; row++)
        at.v_left[row] =
            l_offset(e, edge->v_base, l_mul(e, block->v_rows[row], edge->v_stride));
    unsigned each = block->n_rows * block->n_vectors * gates;
    if (each > MAX_SUMS) {
        e->failed = 1;
        return;
    }
    /* All ranges at once are independent chains for one row; else one after the other. */
    int at_once = ranges * each <= e->target->registers - 4;
    for (unsigned first = 0; first < ranges; first += s.n_ranges) {
        s.first_range = first;
        s.n_ranges = at_once ? ranges : 1;
        start(&s);
        accumulate(&s, &at);
        join(&s);
    }
}

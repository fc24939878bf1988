/* SPDX-License-Identifier: MIT */
/* A sweep stage: for each block of units, for each block of rows, the products and what follows.
 * Units are the outer loop, so that a block's weights are read from the nearest cache for all rows
 * but the first. How many rows and vectors a block has is decided here from the registers. */
#include "codegen/cpu/companion.h"
#include "codegen/cpu/quantized.h"

#include <stdlib.h>
#include <string.h>

/* Of a block beside one of a companion; together they keep the multipliers busy. */
enum { HOST_SUMS = 6 };

struct sweep {
    struct cpu_emitter *e;
    struct cpu_stage *s;
    unsigned lanes;
    const struct cpu_packed *packed;
    size_t host; /* the product beside which a companion's blocks are computed; n_products: none */
    int is_hosting; /* now */
    LLVMValueRef *values;
    size_t n_values;
};

/* ---- blocking ---- */

/* Sums of a unit: of the product that has most. */
static unsigned gates_of(const struct cpu_emitter *e, const struct gruc_stage *stage)
{
    unsigned gates = 0;
    for (size_t i = 0; i < stage->n_products; i++) {
        const struct gruc_product *product = &stage->products[i];
        unsigned n = (unsigned)product->n_ops;
        if (gruc_narrow_is_integer(product->weights))
            n *= cpu_quantized_planes(e->target, product->weights);
        gates = n > gates ? n : gates;
    }
    return gates;
}

static unsigned ranges_of(const struct sweep *w)
{
    unsigned ranges = 1;
    for (size_t i = 0; i < w->s->stage->n_products; i++) {
        unsigned r = cpu_weights_ranges(&w->packed[i]);
        ranges = r > ranges ? r : ranges;
    }
    return ranges;
}

static int has_weights(const struct sweep *w, enum gruc_weights weights)
{
    int has = 0;
    for (size_t i = 0; i < w->s->stage->n_products; i++)
        has |= w->s->stage->products[i].weights == weights;
    return has;
}

/* Whether weights become float32 in operations of their own. */
static int has_widening(const struct sweep *w)
{
    int has = 0;
    for (size_t i = 0; i < w->s->stage->n_products; i++)
        has |= cpu_weights_are_widened(w->e, &w->packed[i]);
    return has;
}

/* Of the weights of so many units. */
static uint64_t weight_bytes(const struct gruc_stage *stage, unsigned units)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < stage->n_products; i++)
        bytes += (uint64_t)stage->products[i].depth * stage->products[i].n_ops * units *
                 gruc_narrow_bytes(stage->products[i].weights);
    return bytes;
}

/* Whether blocks of one vector would let the nearest cache keep a whole block's weights until the
 * next step, which begins where this one ends, and still have sums enough to keep busy. */
static int one_vector_stays(const struct sweep *w, unsigned gates)
{
    uint64_t bytes = weight_bytes(w->s->stage, w->lanes);
    return gates >= 3 && bytes <= CPU_FIRST_BYTES && 2 * bytes > CPU_FIRST_BYTES;
}

/* Whether blocks of one row compute those of a companion too. */
static int hosts(const struct sweep *w)
{
    return w->s->beside != NULL && w->host < w->s->stage->n_products;
}

/* 0: not said. NAME_step has code of its own, of which measured calls say nothing. */
static unsigned wanted_vectors(const struct sweep *w, unsigned rows)
{
    const struct gruc_blocking *blocking = &w->e->target->blocking;
    unsigned wanted = rows > 1 ? blocking->vectors : w->e->one_step ? 0 : blocking->row_vectors;
    return wanted <= CPU_MAX_VECTORS ? wanted : 0;
}

/* Vectors of a block of some rows: as many sums as keep the multipliers busy (each waits four
 * cycles for the one before it, or six where it is by pairs), few enough to stay in registers. */
static unsigned vectors_of_block(const struct sweep *w, unsigned rows)
{
    unsigned ranges = ranges_of(w), gates = gates_of(w->e, w->s->stage);
    unsigned vectors = (w->s->stage->width + w->lanes - 1) / w->lanes;
    if (gates == 0)
        return vectors < 2 ? 1 : 2;
    unsigned room = w->e->target->registers - 4, best = 1;
    if (rows == 1 && hosts(w)) {
        unsigned few = HOST_SUMS / gates;
        return few < 1 ? 1 : few > CPU_MAX_VECTORS ? CPU_MAX_VECTORS : few;
    }
    if (rows == 1 && !has_widening(w) && one_vector_stays(w, gates))
        return 1;
    unsigned each = rows * gates * (rows == 1 ? ranges : 1); /* sums of a vector */
    unsigned wanted = wanted_vectors(w, rows);
    if (wanted > 0 && wanted <= vectors && each * wanted <= room)
        return wanted;
    /* More sums only make longer code and, of one row, fewer blocks to walk to and fro; but they
     * fill the time that halves take to become float32. */
    int has_integers = has_weights(w, GRUC_WEIGHTS_INT8) || has_weights(w, GRUC_WEIGHTS_INT8_BYTES);
    unsigned most = rows > 1 || has_integers ? 12 : 4 + 4 * w->e->target->fma_rate;
    if (rows > 1 && has_weights(w, GRUC_WEIGHTS_F16))
        most = 24;
    double best_cost = 1e30, latency = w->e->target->dot == CPU_DOT_BF16 ? 6.0 : 4.0;
    for (unsigned q = 1; q <= CPU_MAX_VECTORS && q <= vectors; q++) {
        if (q > 1 && (each * q > room || rows * gates * q > most))
            break;
        double cost = 0;
        for (unsigned left = vectors; left > 0; left -= left < q ? left : q) {
            unsigned now = left < q ? left : q;
            double busy = (double)(each * now) / w->e->target->fma_rate;
            cost += (busy > latency ? busy : latency) + 0.5 * rows;
        }
        if (cost < best_cost - 1e-9) {
            best_cost = cost;
            best = q;
        }
    }
    return best;
}

/* Whether a block may go row by row through each k, so that registers hold a weight of each gate
 * and not a number of each row. Of narrow weights there would be more than one of a gate. */
static int goes_by_rows(const struct cpu_emitter *e, const struct gruc_stage *stage)
{
    for (size_t i = 0; i < stage->n_products; i++)
        if (stage->products[i].weights != GRUC_WEIGHTS_F32)
            return 0;
    return stage->n_ops == gates_of(e, stage) || cpu_epilogue_waits(e, stage);
}

static unsigned rows_of_block(const struct cpu_emitter *e, const struct gruc_stage *stage)
{
    unsigned gates = gates_of(e, stage), wanted = e->target->blocking.rows;
    if (gates == 0)
        return 1;
    if (wanted == 0 || wanted > CPU_MAX_ROWS || (wanted & (wanted - 1)) != 0)
        wanted = CPU_BLOCK_ROWS;
    /* Besides the sums there are in registers a number of each row and a weight, or a weight of
     * each gate and a number. */
    unsigned registers = e->target->registers;
    int by_rows = goes_by_rows(e, stage);
    for (unsigned rows = wanted; rows > 1; rows /= 2) {
        unsigned others = by_rows && gates < rows ? gates : rows;
        if (rows * gates <= registers - 4 && rows * gates + others < registers)
            return rows;
    }
    return 1;
}

/* Rows of the larger part of a block, 0: there is none. It is worth its code where weights come
 * from far, or where it is little, as the operations after it are a loop over vectors. */
static unsigned larger_part(const struct cpu_emitter *e, const struct gruc_stage *stage)
{
    unsigned count = rows_of_block(e, stage);
    int is_far = !cpu_is_near(weight_bytes(stage, stage->width));
    int is_little = e->target->registers < 32 && goes_by_rows(e, stage) &&
                    cpu_epilogue_waits(e, stage);
    return count > 2 && (is_far || is_little) ? count - count / 4 : 0;
}

unsigned cpu_sweep_left_by(const struct cpu_emitter *e, const struct gruc_stage *stage)
{
    return larger_part(e, stage) > 0 ? rows_of_block(e, stage) : 2;
}

/* ---- emission ---- */

/* Rows from v_first to v_limit. */
struct rows {
    LLVMValueRef v_first, v_limit;
    unsigned count; /* of a block */
    unsigned few;   /* so many or fewer that are left at the end are part of one; 0: none are */
    unsigned more;  /* the same of a larger part; 0: there is none */
};

/* A block of units: its vectors, the valid lanes of the last, and of how many vectors the sums of a
 * whole block of rows are in registers: all, or one of two. A part of the rows has as many as there
 * is room for, so that fewer rows have sums enough to keep the multipliers busy. */
struct units {
    LLVMValueRef v_unit;
    unsigned vectors, tail, at_once;
};

static void emit_products(struct sweep *w, struct cpu_block *block)
{
    memset(w->values, 0, w->n_values * block->n_rows * block->n_vectors * sizeof *w->values);
    for (size_t i = 0; i < w->s->stage->n_products; i++) {
        if (gruc_narrow_is_integer(w->packed[i].product->weights))
            cpu_emit_quantized_product(w->e, block, i, &w->packed[i]);
        else if (w->is_hosting && i == w->host)
            cpu_emit_product_beside(w->e, block, i, &w->packed[i], w->s->companion);
        else
            cpu_emit_product(w->e, block, i, &w->packed[i]);
    }
}

/* The first rows of a block, so many of its vectors at once from v_first to v_limit. */
static void emit_part(struct sweep *w, const struct cpu_block *block,
                      const struct cpu_epilogue *epilogue, unsigned rows, unsigned vectors,
                      LLVMValueRef v_first, LLVMValueRef v_limit)
{
    struct cpu_emitter *e = w->e;
    struct cpu_block part = *block;
    part.n_rows = rows;
    part.n_vectors = vectors;
    struct l_loop loop = l_loop_begin(e, v_first, v_limit, l_i64(e, vectors));
    part.v_unit = l_add(e, block->v_unit, l_mul(e, loop.v_index, l_i64(e, block->lanes)));
    emit_products(w, &part);
    cpu_epilogue_take(e, epilogue, &part, loop.v_index);
    l_loop_end(e, &loop);
}

/* Vectors that a part of some rows has at once. */
static unsigned vectors_of_part(const struct sweep *w, const struct units *units, unsigned rows)
{
    unsigned sums = rows * gates_of(w->e, w->s->stage) * units->vectors;
    return sums <= w->e->target->registers - 4 ? units->vectors : units->at_once;
}

/* What is computed of a block depends on how many rows are left; the last one is done again where
 * these are fewer, which costs less than rows one by one. All rows have the vectors from v_first to
 * v_limit, parts have all. */
static void emit_parts(struct sweep *w, const struct rows *rows, const struct units *units,
                       const struct cpu_block *block, const struct cpu_epilogue *epilogue,
                       LLVMValueRef v_left, LLVMValueRef v_first, LLVMValueRef v_limit)
{
    struct cpu_emitter *e = w->e;
    LLVMBasicBlockRef b_done = l_block(e, "summed");
    LLVMValueRef v_none = l_i64(e, 0), v_all = l_i64(e, units->vectors);
    for (unsigned part = rows->few; part != 0; part = part == rows->few ? rows->more : 0) {
        LLVMBasicBlockRef b_part = l_block(e, "part"), b_more = l_block(e, "more");
        LLVMValueRef v_more =
            LLVMBuildICmp(e->builder, LLVMIntULT, l_i64(e, part), v_left, "");
        LLVMBuildCondBr(e->builder, v_more, b_more, b_part);
        LLVMPositionBuilderAtEnd(e->builder, b_part);
        emit_part(w, block, epilogue, part, vectors_of_part(w, units, part), v_none, v_all);
        LLVMBuildBr(e->builder, b_done);
        LLVMPositionBuilderAtEnd(e->builder, b_more);
    }
    emit_part(w, block, epilogue, rows->count, units->at_once, v_first, v_limit);
    LLVMBuildBr(e->builder, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_done);
}

/* The rows at v_index and after it; of whole blocks the vectors from v_first to v_limit. */
static void emit_block(struct sweep *w, const struct rows *rows, const struct units *units,
                       LLVMValueRef v_index, LLVMValueRef v_first, LLVMValueRef v_limit)
{
    struct cpu_emitter *e = w->e;
    struct cpu_block block = {.stage = w->s, .n_rows = rows->count, .n_vectors = units->vectors,
                              .lanes = w->lanes, .tail = units->tail, .v_unit = units->v_unit,
                              .values = w->values};
    LLVMValueRef v_last = LLVMBuildSub(e->builder, rows->v_limit, l_i64(e, 1), "");
    for (unsigned row = 0; row < rows->count; row++) {
        LLVMValueRef v_at = l_add(e, v_index, l_i64(e, row));
        block.v_rows[row] = cpu_stage_row(e, w->s, row > 0 ? l_smaller(e, v_last, v_at) : v_at);
    }
    LLVMValueRef v_count = l_i64(e, rows->count);
    struct cpu_epilogue epilogue =
        cpu_epilogue_begin(e, &block, rows->few > 0 ? rows->few : rows->count, units->at_once);
    if (rows->few > 0) {
        LLVMValueRef v_left = LLVMBuildSub(e->builder, rows->v_limit, v_index, "");
        v_count = l_smaller(e, v_left, v_count);
        emit_parts(w, rows, units, &block, &epilogue, v_left, v_first, v_limit);
    } else {
        emit_part(w, &block, &epilogue, rows->count, units->at_once, v_first, v_limit);
    }
    cpu_epilogue_end(e, &epilogue, &block, v_count, v_first, v_limit);
}

/* Whole blocks of rows take one vector in a first turn and one in a second, so that the weights of
 * a turn stay in the nearest cache for all of them; then come the rows that are left, with both. */
static void emit_turns(struct sweep *w, const struct rows *rows, const struct units *units)
{
    struct cpu_emitter *e = w->e;
    LLVMValueRef v_none = l_i64(e, 0), v_one = l_i64(e, 1), v_count = l_i64(e, rows->count);
    LLVMValueRef v_all = LLVMBuildSub(e->builder, rows->v_limit, rows->v_first, "");
    LLVMValueRef v_whole = LLVMBuildUDiv(e->builder, v_all, v_count, "");
    LLVMValueRef v_rest = LLVMBuildURem(e->builder, v_all, v_count, "");
    LLVMValueRef v_both = l_mul(e, v_whole, l_i64(e, 2));
    LLVMValueRef v_limit =
        LLVMBuildSelect(e->builder, LLVMBuildIsNotNull(e->builder, v_rest, ""),
                        l_add(e, v_both, v_one), v_both, "");
    struct l_loop loop = l_loop_begin(e, v_none, v_limit, v_one);
    LLVMValueRef v_is_rest = LLVMBuildICmp(e->builder, LLVMIntEQ, loop.v_index, v_both, "");
    LLVMValueRef v_is_first = LLVMBuildICmp(e->builder, LLVMIntULT, loop.v_index, v_whole, "");
    LLVMValueRef v_block = LLVMBuildSub(e->builder, loop.v_index, v_whole, ""); /* second turn */
    v_block = LLVMBuildSelect(e->builder, v_is_first, loop.v_index, v_block, "");
    LLVMValueRef v_has_first = LLVMBuildOr(e->builder, v_is_first, v_is_rest, "");
    LLVMValueRef v_vector = LLVMBuildSelect(e->builder, v_has_first, v_none, v_one, "");
    LLVMValueRef v_end =
        LLVMBuildSelect(e->builder, v_is_first, v_one, l_i64(e, units->vectors), "");
    LLVMValueRef v_row = l_add(e, rows->v_first, l_mul(e, v_block, v_count));
    emit_block(w, rows, units, v_row, v_vector, v_end);
    l_loop_end(e, &loop);
}

/* All of them for one block of units. */
static void emit_rows(struct sweep *w, const struct rows *rows, const struct units *units)
{
    struct cpu_emitter *e = w->e;
    if (units->at_once < units->vectors) {
        emit_turns(w, rows, units);
        return;
    }
    struct l_loop loop = l_loop_begin(e, rows->v_first, rows->v_limit, l_i64(e, rows->count));
    emit_block(w, rows, units, loop.v_index, l_i64(e, 0), l_i64(e, units->vectors));
    l_loop_end(e, &loop);
}

/* The same, or no row where v_any is false. */
static struct rows rows_if(struct cpu_emitter *e, const struct rows *rows, LLVMValueRef v_any)
{
    struct rows some = *rows;
    some.v_limit = LLVMBuildSelect(e->builder, v_any, rows->v_limit, rows->v_first, "");
    return some;
}

/* Without products, row after row: nothing is read by more than one of them, and a row lies in one
 * piece where the next may be far. */
static void emit_pointwise(struct sweep *w)
{
    struct cpu_emitter *e = w->e;
    unsigned width = w->s->stage->width, vectors = vectors_of_block(w, 1);
    unsigned each = vectors * w->lanes, whole = width / each, rest = width - whole * each;
    LLVMValueRef v_begin, v_end, v_whole = l_i64(e, whole);
    cpu_stage_share(e, w->s, l_i64(e, whole + (rest > 0)), &v_begin, &v_end);
    LLVMValueRef v_has_rest = LLVMBuildICmp(e->builder, LLVMIntULT, v_whole, v_end, "");
    LLVMValueRef v_last = LLVMBuildSelect(e->builder, v_has_rest, v_whole, v_end, "");
    const struct rows one = {.v_first = l_i64(e, 0), .v_limit = w->s->v_rows, .count = 1};
    struct l_loop rows = l_loop_begin(e, one.v_first, one.v_limit, l_i64(e, 1));
    struct l_loop loop = l_loop_begin(e, v_begin, v_last, l_i64(e, 1));
    struct units units = {l_mul(e, loop.v_index, l_i64(e, each)), vectors, w->lanes, vectors};
    emit_block(w, &one, &units, rows.v_index, l_i64(e, 0), l_i64(e, vectors));
    l_loop_end(e, &loop);
    if (rest > 0) {
        unsigned left = (rest + w->lanes - 1) / w->lanes;
        units = (struct units){l_i64(e, (uint64_t)whole * each), left,
                               rest - (left - 1) * w->lanes, left};
        LLVMValueRef v_times = LLVMBuildZExt(e->builder, v_has_rest, e->t_i64, "");
        struct l_loop once = l_loop_begin(e, l_i64(e, 0), v_times, l_i64(e, 1));
        emit_block(w, &one, &units, rows.v_index, l_i64(e, 0), l_i64(e, left));
        l_loop_end(e, &once);
    }
    l_loop_end(e, &rows);
}

/* Blocks of units for some rows: two turns of vectors where a part of the rows would have too few
 * sums otherwise. */
static struct units units_for(const struct sweep *w, const struct rows *rows)
{
    unsigned vectors = vectors_of_block(w, rows->count);
    unsigned all = (w->s->stage->width + w->lanes - 1) / w->lanes;
    unsigned sums = rows->few * gates_of(w->e, w->s->stage);
    int has_turns = vectors == 1 && all > 1 && rows->few > 1 && sums < 4 * w->e->target->fma_rate &&
                    goes_by_rows(w->e, w->s->stage) && cpu_epilogue_waits(w->e, w->s->stage);
    return (struct units){.vectors = has_turns ? 2 : vectors, .tail = w->lanes,
                          .at_once = vectors};
}

/* This share of the units for some rows. The block at the end that is not whole counts as one, and
 * is the last. */
static void emit_units(struct sweep *w, const struct rows *rows)
{
    struct cpu_emitter *e = w->e;
    struct units units = units_for(w, rows);
    unsigned width = w->s->stage->width, each = units.vectors * w->lanes;
    unsigned whole = width / each, rest = width - whole * each;
    LLVMValueRef v_begin, v_end, v_whole = l_i64(e, whole);
    cpu_stage_share(e, w->s, l_i64(e, whole + (rest > 0)), &v_begin, &v_end);
    LLVMValueRef v_has_rest = LLVMBuildICmp(e->builder, LLVMIntULT, v_whole, v_end, "");
    LLVMValueRef v_last = LLVMBuildSelect(e->builder, v_has_rest, v_whole, v_end, "");
    w->is_hosting = rows->count == 1 && hosts(w);
    if (whole == 1) {
        LLVMValueRef v_mine = LLVMBuildICmp(e->builder, LLVMIntULT, v_begin, v_last, "");
        struct rows mine = rows_if(e, rows, v_mine);
        units.v_unit = l_i64(e, 0);
        emit_rows(w, &mine, &units);
    } else if (whole > 1) {
        struct l_loop loop = l_loop_begin(e, v_begin, v_last, l_i64(e, 1));
        LLVMValueRef v_sum = LLVMBuildSub(e->builder, l_add(e, v_begin, v_last), l_i64(e, 1), "");
        LLVMValueRef v_from_end = LLVMBuildSub(e->builder, v_sum, loop.v_index, "");
        LLVMValueRef v_block =
            LLVMBuildSelect(e->builder, w->s->v_turned, v_from_end, loop.v_index, "");
        units.v_unit = l_mul(e, v_block, l_i64(e, each));
        emit_rows(w, rows, &units);
        l_loop_end(e, &loop);
    }
    w->is_hosting = 0;
    if (rest > 0) {
        unsigned vectors = (rest + w->lanes - 1) / w->lanes;
        struct rows mine = rows_if(e, rows, v_has_rest);
        if (vectors > units.at_once) { /* one is not whole, so they cannot take turns */
            mine.count /= 2;
            mine.few = mine.more = 0;
        }
        units = (struct units){l_i64(e, (uint64_t)whole * each), vectors,
                               rest - (vectors - 1) * w->lanes, vectors};
        emit_rows(w, &mine, &units);
    }
}

static uint32_t rounded_up(uint32_t width, unsigned lanes)
{
    return (width + lanes - 1) / lanes * lanes;
}

/* The narrowest vector that holds the units, at most the target's; half of that where one of those
 * takes all multipliers and a few units past whole ones would leave most of the last empty. */
static unsigned lanes_for(const struct cpu_emitter *e, uint32_t width)
{
    unsigned lanes = 1;
    while (lanes < width && lanes < e->target->lanes)
        lanes *= 2;
    int is_small = width > lanes && width < 3 * lanes && e->target->fma_rate == 1;
    return is_small && rounded_up(width, lanes / 2) < rounded_up(width, lanes) ? lanes / 2 : lanes;
}

/* Blocks of rows, and code of its own for a single row that is left: not under a mask, where the
 * number of rows changes from step to step, unless that is the only one; nor outside of steps where
 * weights come too slowly for a row that is done twice to cost time. */
static void emit_all_rows(struct sweep *w)
{
    struct cpu_emitter *e = w->e;
    LLVMValueRef v_all = w->s->v_rows, v_none = l_i64(e, 0), v_one = l_i64(e, 1), v_many = v_none;
    uint64_t bytes = weight_bytes(w->s->stage, w->s->stage->width);
    unsigned count = rows_of_block(e, w->s->stage);
    if (count > 1 && !e->one_step && !w->s->is_step && bytes > CPU_FIRST_BYTES) {
        emit_units(w, &(struct rows){v_none, v_all, count, count / 2, 0});
        return;
    }
    unsigned more = larger_part(e, w->s->stage);
    if (count > 1 && w->s->has_many) {
        emit_units(w, &(struct rows){v_none, v_all, count, count / 2, more});
        return;
    }
    if (count > 1 && !e->one_step && !l_is_number(v_all, 1)) {
        LLVMValueRef v_rest = LLVMBuildAnd(e->builder, v_all, l_i64(e, count - 1), "");
        LLVMValueRef v_alone = LLVMBuildICmp(e->builder, LLVMIntEQ,
                                             w->s->is_listed ? v_all : v_rest, v_one, "");
        v_many = LLVMBuildSub(e->builder, v_all, LLVMBuildZExt(e->builder, v_alone, e->t_i64, ""),
                              "");
        unsigned few = w->s->is_listed || count > 2 ? count / 2 : 0;
        emit_units(w, &(struct rows){v_none, v_many, count, few, more});
    }
    emit_units(w, &(struct rows){v_many, v_all, 1, 0, 0});
}

void cpu_pack_sweep(struct cpu_emitter *e, struct cpu_stage *s)
{
    s->lanes = lanes_for(e, s->stage->width);
    s->packed = GRUC_NEW_ARRAY(e->arena, struct cpu_packed, s->stage->n_products);
    if (s->packed == NULL) {
        e->failed = 1;
        return;
    }
    for (size_t i = 0; i < s->stage->n_products; i++)
        cpu_pack_product(e, s, &s->stage->products[i], &s->packed[i]);
    cpu_pack_operands(e, s);
}

static struct sweep sweep_of(struct cpu_emitter *e, struct cpu_stage *s)
{
    return (struct sweep){.e = e, .s = s, .lanes = s->lanes, .packed = s->packed,
                          .host = cpu_companion_host(s->stage)};
}

unsigned cpu_sweep_units(struct cpu_emitter *e, struct cpu_stage *s)
{
    struct sweep w = sweep_of(e, s);
    return vectors_of_block(&w, 1) * w.lanes;
}

unsigned cpu_sweep_hosts(struct cpu_emitter *e, struct cpu_stage *s)
{
    struct sweep w = sweep_of(e, s);
    return hosts(&w) ? s->stage->width / (vectors_of_block(&w, 1) * w.lanes) : 0;
}

void cpu_emit_sweep(struct cpu_emitter *e, struct cpu_stage *s)
{
    struct sweep w = sweep_of(e, s);
    for (size_t i = 0; i < s->stage->n_ops; i++)
        e->local[e->ir->ops[s->stage->ops[i]].results[0]] = (uint32_t)w.n_values++;
    for (size_t i = 0; i < s->n_loads; i++)
        e->local[s->edges[s->n_products + i].value] = (uint32_t)w.n_values++;
    w.values = calloc(w.n_values * CPU_MAX_ROWS * CPU_MAX_VECTORS + 1, sizeof *w.values);
    if (w.values == NULL) {
        e->failed = 1;
        return;
    }
    if (s->stage->n_products == 0)
        emit_pointwise(&w);
    else
        emit_all_rows(&w);
    for (size_t i = 0; i < s->stage->n_ops; i++)
        e->local[e->ir->ops[s->stage->ops[i]].results[0]] = GRUC_NONE;
    for (size_t i = 0; i < s->n_loads; i++)
        e->local[s->edges[s->n_products + i].value] = GRUC_NONE;
    free(w.values);
}

/* SPDX-License-Identifier: MIT */
/* A sweep stage: for each block of units, for each block of rows, the products and what follows.
 * Units are the outer loop, so that a block's weights are read from the nearest cache for all rows
 * but the first. How many rows and vectors a block has is decided here from the registers. */
#include "codegen/cpu/companion.h"
#include "codegen/cpu/quantized.h"

#include <stdlib.h>
#include <string.h>

/* Of a block beside one of a companion; together they keep the multipliers busy. */
enum { HOST_SUMS = 6, SLICED_ROWS = 32, FETCH_BYTES = 16 };

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
    for (size_t i = 0; i < w->s->stage->n_products; i++) {
        if (gruc_narrow_is_integer(w->packed[i].product->weights))
            cpu_emit_quantized_product(w->e, block, i, &w->packed[i]);
        else if (w->is_hosting && i == w->host)
            cpu_emit_product_beside(w->e, block, i, &w->packed[i], w->s->companion);
        else
            cpu_emit_product(w->e, block, i, &w->packed[i]);
    }
}

/* Of a block of units: which block of rows, and what of it. Whole blocks have the vectors from
 * v_vector to v_end, and of their sums a slice. */
struct part {
    LLVMValueRef v_row, v_vector, v_end;
    const struct cpu_slice *slice; /* NULL: all */
    LLVMValueRef v_block;          /* its number among those whose sums wait */
};

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
    memset(w->values, 0, w->n_values * rows * vectors * sizeof *w->values);
    if (part.slice != NULL)
        cpu_epilogue_resume(e, epilogue, &part, loop.v_index);
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
 * these are fewer, which costs less than rows one by one. Parts of the rows have all vectors. */
static void emit_parts(struct sweep *w, const struct rows *rows, const struct units *units,
                       const struct part *now, const struct cpu_block *block,
                       const struct cpu_epilogue *epilogue, LLVMValueRef v_left)
{
    struct cpu_emitter *e = w->e;
    LLVMBasicBlockRef b_done = l_block(e, "summed");
    LLVMValueRef v_none = l_i64(e, 0), v_all = l_i64(e, units->vectors);
    struct cpu_block whole = *block;
    whole.slice = now->slice;
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
    emit_part(w, &whole, epilogue, rows->count, units->at_once, now->v_vector, now->v_end);
    LLVMBuildBr(e->builder, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_done);
}

static void emit_block(struct sweep *w, const struct rows *rows, const struct units *units,
                       const struct part *now)
{
    struct cpu_emitter *e = w->e;
    struct cpu_block block = {.stage = w->s, .n_rows = rows->count, .n_vectors = units->vectors,
                              .lanes = w->lanes, .tail = units->tail, .v_unit = units->v_unit,
                              .values = w->values};
    LLVMValueRef v_last = LLVMBuildSub(e->builder, rows->v_limit, l_i64(e, 1), "");
    for (unsigned row = 0; row < rows->count; row++) {
        LLVMValueRef v_at = l_add(e, now->v_row, l_i64(e, row));
        block.v_rows[row] = cpu_stage_row(e, w->s, row > 0 ? l_smaller(e, v_last, v_at) : v_at);
    }
    unsigned blocks = now->slice == NULL ? 1 : SLICED_ROWS / rows->count;
    struct cpu_epilogue epilogue =
        cpu_epilogue_begin(e, &block, rows->few > 0 ? rows->few : rows->count, units->at_once,
                           blocks, now->v_block);
    LLVMValueRef v_left = LLVMBuildSub(e->builder, rows->v_limit, now->v_row, "");
    LLVMValueRef v_count = l_i64(e, rows->count);
    if (rows->few > 0)
        v_count = l_smaller(e, v_left, v_count);
    if (now->slice != NULL)
        v_count = LLVMBuildSelect(e->builder, now->slice->v_ends, v_count, l_i64(e, 0), "");
    emit_parts(w, rows, units, now, &block, &epilogue, v_left);
    cpu_epilogue_end(e, &epilogue, &block, v_count, now->v_vector, now->v_end);
}
/* Slices of a block's sums, 1: they are none, and the steps of each but the last. */
struct slices {
    unsigned count;
    uint32_t steps;
};

static struct slices slices_for(const struct sweep *w, const struct rows *rows,
                                const struct units *units)
{
    const struct cpu_packed *packed = &w->packed[0];
    if (rows->count == 1 || w->s->stage->n_products > 1)
        return (struct slices){.count = 1};
    uint32_t steps = cpu_weights_steps(packed);
    unsigned count = cpu_weights_slices(packed, units->at_once);
    uint32_t each = (steps + count - 1) / count;
    return (struct slices){.count = (steps + each - 1) / each, .steps = each};
}

/* Whole blocks of rows take some of the vectors in each of as many turns as there are, and in them
 * slice after slice of the sums; then come the rows that are left, with all vectors and steps. */
struct walk {
    struct rows rows;
    const struct units *units;
    struct slices slices;
    LLVMValueRef v_whole, v_rest;         /* blocks, and whether a row is left */
    LLVMValueRef v_turn, v_slice, v_last; /* where it is; whether that is the last of all */
};

/* What whole blocks of rows ask for, each a part: the next slice, or what the next turn or block of
 * units begins with. */
static void plan_fetch(struct sweep *w, const struct walk *walk, LLVMValueRef v_block,
                       struct cpu_slice *out)
{
    struct cpu_emitter *e = w->e;
    const struct cpu_packed *packed = &w->packed[0];
    const struct units *units = walk->units;
    uint64_t step = cpu_weights_step_bytes(packed), vector = cpu_weights_vector_bytes(packed);
    uint64_t stream = packed->by_gate ? cpu_weights_gate_bytes(packed) : vector;
    LLVMValueRef v_turn_bytes = l_i64(e, units->at_once * vector);
    LLVMValueRef v_back = l_i64(e, 0 - (2 * units->vectors - units->at_once) * vector);
    LLVMValueRef v_is_back = LLVMBuildAnd(e->builder, walk->v_last, w->s->v_turned, "");
    LLVMValueRef v_then = LLVMBuildSelect(e->builder, v_is_back, v_back, v_turn_bytes, "");
    LLVMValueRef v_next = l_mul(e, out->v_limit, l_i64(e, step));
    v_next = LLVMBuildSelect(e->builder, out->v_ends, v_then, v_next, "");
    /* Blocks take pieces of the streams in turn, small ones where there are blocks enough. */
    uint64_t pieces = step / FETCH_BYTES;
    LLVMValueRef v_enough = l_i64(e, pieces * units->at_once * vector / stream);
    LLVMValueRef v_are_enough =
        LLVMBuildICmp(e->builder, LLVMIntUGE, walk->v_whole, v_enough, "");
    LLVMValueRef v_pieces =
        LLVMBuildSelect(e->builder, v_are_enough, l_i64(e, pieces), l_i64(e, 1), "");
    out->v_each =
        LLVMBuildSelect(e->builder, v_are_enough, l_i64(e, FETCH_BYTES), l_i64(e, step), "");
    LLVMValueRef v_stream = LLVMBuildUDiv(e->builder, v_block, v_pieces, "");
    LLVMValueRef v_piece = LLVMBuildURem(e->builder, v_block, v_pieces, "");
    v_piece = l_mul(e, l_mul(e, v_piece, l_i64(e, walk->slices.steps)), out->v_each);
    out->v_ahead = l_add(e, l_add(e, v_next, v_piece), l_mul(e, v_stream, l_i64(e, stream)));
}

static void emit_walk_block(struct sweep *w, const struct walk *walk, LLVMValueRef v_block)
{
    struct cpu_emitter *e = w->e;
    const struct units *units = walk->units;
    LLVMValueRef v_none = l_i64(e, 0), v_all = l_i64(e, units->vectors);
    LLVMValueRef v_at_once = l_i64(e, units->at_once);
    LLVMValueRef v_is_rest = LLVMBuildICmp(e->builder, LLVMIntEQ, v_block, walk->v_whole, "");
    LLVMValueRef v_vector = l_mul(e, walk->v_turn, v_at_once);
    struct part now = {.v_block = v_none};
    now.v_row = l_add(e, walk->rows.v_first, l_mul(e, v_block, l_i64(e, walk->rows.count)));
    now.v_vector = LLVMBuildSelect(e->builder, v_is_rest, v_none, v_vector, "");
    now.v_end =
        LLVMBuildSelect(e->builder, v_is_rest, v_all, l_add(e, v_vector, v_at_once), "");
    struct cpu_slice slice;
    if (walk->slices.count > 1) {
        LLVMValueRef v_each = l_i64(e, walk->slices.steps);
        LLVMValueRef v_steps = l_i64(e, cpu_weights_steps(&w->packed[0]));
        LLVMValueRef v_last = l_i64(e, walk->slices.count - 1);
        LLVMValueRef v_first = l_mul(e, walk->v_slice, v_each);
        LLVMValueRef v_limit = l_smaller(e, l_add(e, v_first, v_each), v_steps);
        slice.v_first = LLVMBuildSelect(e->builder, v_is_rest, v_none, v_first, "");
        slice.v_limit = LLVMBuildSelect(e->builder, v_is_rest, v_steps, v_limit, "");
        slice.v_begins = LLVMBuildIsNull(e->builder, slice.v_first, "");
        slice.v_ends = LLVMBuildICmp(e->builder, LLVMIntEQ, walk->v_slice, v_last, "");
        plan_fetch(w, walk, v_block, &slice);
        now.slice = &slice;
        now.v_block = LLVMBuildSelect(e->builder, v_is_rest, v_none, v_block, "");
    }
    emit_block(w, &walk->rows, units, &now);
}

static void emit_walk(struct sweep *w, const struct rows *rows, const struct units *units,
                      struct slices slices)
{
    struct cpu_emitter *e = w->e;
    struct walk walk = {.rows = *rows, .units = units, .slices = slices};
    unsigned n_turns = units->vectors / units->at_once;
    LLVMValueRef v_none = l_i64(e, 0), v_one = l_i64(e, 1), v_count = l_i64(e, rows->count);
    LLVMValueRef v_all = LLVMBuildSub(e->builder, rows->v_limit, rows->v_first, "");
    walk.v_whole = LLVMBuildUDiv(e->builder, v_all, v_count, "");
    walk.v_rest = LLVMBuildURem(e->builder, v_all, v_count, "");
    walk.v_rest = LLVMBuildIsNotNull(e->builder, walk.v_rest, "");
    struct l_loop turns = l_loop_begin(e, v_none, l_i64(e, n_turns), v_one);
    struct l_loop each = l_loop_begin(e, v_none, l_i64(e, slices.count), v_one);
    LLVMValueRef v_is_last = LLVMBuildICmp(e->builder, LLVMIntEQ, turns.v_index,
                                           l_i64(e, n_turns - 1), "");
    LLVMValueRef v_is_done = LLVMBuildICmp(e->builder, LLVMIntEQ, each.v_index,
                                           l_i64(e, slices.count - 1), "");
    walk.v_turn = turns.v_index;
    walk.v_slice = each.v_index;
    walk.v_last = LLVMBuildAnd(e->builder, v_is_last, v_is_done, "");
    LLVMValueRef v_also = LLVMBuildAnd(e->builder, walk.v_last, walk.v_rest, "");
    LLVMValueRef v_limit =
        l_add(e, walk.v_whole, LLVMBuildZExt(e->builder, v_also, e->t_i64, ""));
    struct l_loop blocks = l_loop_begin(e, v_none, v_limit, v_one);
    emit_walk_block(w, &walk, blocks.v_index);
    l_loop_end(e, &blocks);
    l_loop_end(e, &each);
    l_loop_end(e, &turns);
}

/* All of them for one block of units. */
static void emit_rows(struct sweep *w, const struct rows *rows, const struct units *units)
{
    struct cpu_emitter *e = w->e;
    struct slices slices = slices_for(w, rows, units);
    if (slices.count > 1) { /* as many rows as have room for their sums */
        struct rows some = *rows;
        LLVMValueRef v_most = l_i64(e, SLICED_ROWS);
        struct l_loop loop = l_loop_begin(e, rows->v_first, rows->v_limit, v_most);
        some.v_first = loop.v_index;
        some.v_limit = l_smaller(e, l_add(e, loop.v_index, v_most), rows->v_limit);
        emit_walk(w, &some, units, slices);
        l_loop_end(e, &loop);
    } else if (units->at_once < units->vectors) {
        emit_walk(w, rows, units, slices);
    } else {
        struct l_loop loop =
            l_loop_begin(e, rows->v_first, rows->v_limit, l_i64(e, rows->count));
        struct part now = {.v_row = loop.v_index, .v_vector = l_i64(e, 0),
                           .v_end = l_i64(e, units->vectors), .v_block = l_i64(e, 0)};
        emit_block(w, rows, units, &now);
        l_loop_end(e, &loop);
    }
}

/* The same, or no row where v_any is false. */
static struct rows rows_if(struct cpu_emitter *e, const struct rows *rows, LLVMValueRef v_any)
{
    struct rows some = *rows;
    some.v_limit = LLVMBuildSelect(e->builder, v_any, rows->v_limit, rows->v_first, "");
    return some;
}

static void emit_pointwise_block(struct sweep *w, const struct rows *rows,
                                 const struct units *units, LLVMValueRef v_row)
{
    struct part now = {.v_row = v_row, .v_vector = l_i64(w->e, 0),
                       .v_end = l_i64(w->e, units->vectors), .v_block = l_i64(w->e, 0)};
    emit_block(w, rows, units, &now);
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
    emit_pointwise_block(w, &one, &units, rows.v_index);
    l_loop_end(e, &loop);
    if (rest > 0) {
        unsigned left = (rest + w->lanes - 1) / w->lanes;
        units = (struct units){l_i64(e, (uint64_t)whole * each), left,
                               rest - (left - 1) * w->lanes, left};
        LLVMValueRef v_times = LLVMBuildZExt(e->builder, v_has_rest, e->t_i64, "");
        struct l_loop once = l_loop_begin(e, l_i64(e, 0), v_times, l_i64(e, 1));
        emit_pointwise_block(w, &one, &units, rows.v_index);
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

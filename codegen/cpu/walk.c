/* SPDX-License-Identifier: MIT */
/* A block of units for all rows: the order in which blocks of rows take its vectors and the steps
 * of their sums, and what follows these. */
#include "codegen/cpu/blocking.h"
#include "codegen/cpu/companion.h"
#include "codegen/cpu/quantized.h"

#include <string.h>

/* Rows whose sums may wait; bytes that a step asks for, less than a line so that requests come
 * evenly. */
enum { SLICED_ROWS = 32, FETCH_BYTES = 16 };

/* Values of a block's products. */
static unsigned count_values(const struct cpu_body *w, const struct cpu_block *block)
{
    unsigned values = 0;
    for (size_t i = 0; i < w->s->stage->n_products; i++)
        values += block->n_rows * block->n_vectors * (unsigned)w->s->stage->products[i].n_ops;
    return values;
}

/* Whether the product waits for the step before, or for a stage of this one. */
static int is_late(const struct cpu_body *w, size_t product)
{
    const struct gruc_product *p = &w->s->stage->products[product];
    enum gruc_storage storage = w->e->schedule->buffers[p->view.buffer].storage;
    return storage == GRUC_STORE_CARRY || storage == GRUC_STORE_ROW;
}

/* Of a single row, products that wait come last: the processor takes those before them while the
 * operations of the step before are under way. Not where values wait in memory; and several rows
 * fill each other's time, for which the given order has been better. */
static void order_products(const struct cpu_body *w, const struct cpu_block *block,
                           int is_crowded, size_t *order)
{
    int is_ordered = block->n_rows == 1 && !is_crowded;
    size_t count = 0;
    for (int late = 0; late < 2; late++)
        for (size_t i = 0; i < w->s->stage->n_products; i++)
            if ((is_late(w, i) && is_ordered) == late)
                order[count++] = i;
}

/* Whether the first gate's sums, those of the reset gate, are ended before the others of a product
 * that waits: what waits for them has the longest way to the end of the step. It is worth a loop of
 * their own where the near cache holds the weights of steps that are one chain; calls of a single
 * step lose as often as they gain. */
static int has_gate_ahead(const struct cpu_body *w, const struct cpu_block *block, int is_crowded,
                          size_t product)
{
    const struct gruc_stage *stage = w->s->stage;
    return block->n_rows == 1 && !is_crowded && !w->e->one_step && !w->is_hosting &&
           stage->n_products == 2 && is_late(w, product) && stage->products[product].n_ops > 2 &&
           stage->products[product].weights == GRUC_WEIGHTS_F32 &&
           cpu_blocking_weight_bytes(stage, stage->width) <= CPU_FIRST_BYTES;
}

static void emit_product(struct cpu_body *w, struct cpu_block *block, size_t product)
{
    const struct cpu_packed *packed = &w->packed[product];
    if (gruc_narrow_is_integer(packed->product->weights))
        cpu_emit_quantized_product(w->e, block, product, packed);
    else if (w->is_hosting && product == w->host)
        cpu_emit_product_beside(w->e, block, product, packed, w->s->companion);
    else
        cpu_emit_product(w->e, block, product, packed);
}

static void emit_gate_ahead(struct cpu_body *w, struct cpu_block *block, size_t product)
{
    const struct cpu_packed *packed = &w->packed[product];
    cpu_emit_gates(w->e, block, product, packed, 0, 1);
    cpu_emit_ready(w->e, block);
    cpu_emit_gates(w->e, block, product, packed, 1, (unsigned)packed->product->n_ops - 1);
}

/* Where registers have no room for the values of all, those of the last stay in them: LLVM would
 * rather keep the others there, and add to sums in memory. */
static void emit_products(struct cpu_body *w, struct cpu_block *block)
{
    size_t count = w->s->stage->n_products, order[CPU_MAX_EDGES];
    unsigned values = count_values(w, block);
    int is_crowded = count > 1 && values > w->e->target->registers - 4;
    uint64_t stored = 0, loaded = 0;
    LLVMValueRef v_aside =
        is_crowded ? l_allocate(w->e, (size_t)values * block->lanes * 4, "aside") : NULL;
    order_products(w, block, is_crowded, order);
    for (size_t i = 0; i < count; i++) {
        if (has_gate_ahead(w, block, is_crowded, order[i]))
            emit_gate_ahead(w, block, order[i]);
        else
            emit_product(w, block, order[i]);
        if (is_crowded && i + 1 < count)
            stored += cpu_put_aside(w->e, block, &w->s->stage->products[order[i]],
                                    l_offset(w->e, v_aside, l_i64(w->e, stored)), 1);
    }
    for (size_t i = 0; is_crowded && i + 1 < count; i++)
        loaded += cpu_put_aside(w->e, block, &w->s->stage->products[order[i]],
                                l_offset(w->e, v_aside, l_i64(w->e, loaded)), 0);
}

/* Of a block of units: which block of rows, and what of it. Whole blocks have the vectors from
 * v_vector to v_end, and of their sums a slice. */
struct part {
    LLVMValueRef v_row, v_vector, v_end;
    const struct cpu_slice *slice; /* NULL: all */
    LLVMValueRef v_block;          /* its number among those whose sums wait */
};

/* The first rows of a block, so many of its vectors at once from v_first to v_limit. */
static void emit_part(struct cpu_body *w, const struct cpu_block *block,
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

/* What is computed of a block depends on how many rows are left; the last one is done again where
 * these are fewer, which costs less than rows one by one. Parts of the rows have all vectors. */
static void emit_parts(struct cpu_body *w, const struct cpu_body_rows *rows,
                       const struct cpu_body_units *units, const struct part *now,
                       const struct cpu_block *block, const struct cpu_epilogue *epilogue,
                       LLVMValueRef v_left)
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
        unsigned vectors = cpu_blocking_part_vectors(w, units, part);
        emit_part(w, block, epilogue, part, vectors, v_none, v_all);
        LLVMBuildBr(e->builder, b_done);
        LLVMPositionBuilderAtEnd(e->builder, b_more);
    }
    emit_part(w, &whole, epilogue, rows->count, units->at_once, now->v_vector, now->v_end);
    LLVMBuildBr(e->builder, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_done);
}

/* A block of rows, or a part of what it has to do. */
static void emit_now(struct cpu_body *w, const struct cpu_body_rows *rows,
                     const struct cpu_body_units *units, const struct part *now)
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

void cpu_emit_block(struct cpu_body *w, const struct cpu_body_rows *rows,
                    const struct cpu_body_units *units, LLVMValueRef v_row)
{
    struct part now = {.v_row = v_row, .v_vector = l_i64(w->e, 0),
                       .v_end = l_i64(w->e, units->vectors), .v_block = l_i64(w->e, 0)};
    emit_now(w, rows, units, &now);
}

/* Where whole blocks of rows would leave a single one, the last of them is a larger part instead,
 * which leaves enough for a smaller part, so that no row is done twice. Answers where that begins;
 * v_limit where there is none. */
static LLVMValueRef last_part(struct cpu_emitter *e, const struct cpu_body_rows *rows)
{
    LLVMValueRef v_one = l_i64(e, 1);
    if (rows->few + rows->more != rows->count + 1)
        return rows->v_limit;
    LLVMValueRef v_all = LLVMBuildSub(e->builder, rows->v_limit, rows->v_first, "");
    LLVMValueRef v_rest = LLVMBuildAnd(e->builder, v_all, l_i64(e, rows->count - 1), "");
    LLVMValueRef v_is_one = LLVMBuildICmp(e->builder, LLVMIntEQ, v_rest, v_one, "");
    LLVMValueRef v_has_more = LLVMBuildICmp(e->builder, LLVMIntULT, v_one, v_all, "");
    LLVMValueRef v_leaves = LLVMBuildAnd(e->builder, v_is_one, v_has_more, "");
    LLVMValueRef v_part = LLVMBuildSub(e->builder, rows->v_limit, l_i64(e, rows->few), "");
    return LLVMBuildSelect(e->builder, v_leaves, v_part, rows->v_limit, "");
}

/* The first row of the block that would be at v_row; v_last: where the last part begins. The limit
 * of rows becomes the block's. */
static LLVMValueRef first_row(struct cpu_emitter *e, struct cpu_body_rows *rows,
                              LLVMValueRef v_last, LLVMValueRef v_row)
{
    if (v_last == rows->v_limit)
        return v_row;
    v_row = l_smaller(e, v_row, v_last);
    LLVMValueRef v_before = LLVMBuildICmp(e->builder, LLVMIntULT, v_row, v_last, "");
    rows->v_limit = LLVMBuildSelect(e->builder, v_before, v_last, rows->v_limit, "");
    return v_row;
}

/* Whole blocks of rows take some of the vectors in each of as many turns as there are, and in them
 * slice after slice of the sums; then come the rows that are left, with all vectors and steps. */
struct walk {
    struct cpu_body_rows rows;
    const struct cpu_body_units *units;
    struct cpu_body_slices slices;
    LLVMValueRef v_part;          /* where the last part of its rows begins */
    LLVMValueRef v_whole, v_rest; /* blocks, and those of the rows that are left */
    LLVMValueRef v_turn, v_slice; /* where it is */
    LLVMValueRef v_ends, v_last;  /* whether the slice is the last, and the turn too */
};

/* What whole blocks of rows ask for, each a part: the next slice, or what the next turn or block of
 * units begins with. */
static void plan_fetch(struct cpu_body *w, const struct walk *walk, LLVMValueRef v_block,
                       struct cpu_slice *out)
{
    struct cpu_emitter *e = w->e;
    const struct cpu_packed *packed = &w->packed[0];
    const struct cpu_body_units *units = walk->units;
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

static void emit_walk_block(struct cpu_body *w, const struct walk *walk, LLVMValueRef v_block)
{
    struct cpu_emitter *e = w->e;
    const struct cpu_body_units *units = walk->units;
    LLVMValueRef v_none = l_i64(e, 0), v_all = l_i64(e, units->vectors);
    LLVMValueRef v_at_once = l_i64(e, units->at_once);
    LLVMValueRef v_is_rest = LLVMBuildICmp(e->builder, LLVMIntULE, walk->v_whole, v_block, "");
    LLVMValueRef v_vector = l_mul(e, walk->v_turn, v_at_once);
    struct part now = {.v_block = v_none};
    struct cpu_body_rows rows = walk->rows;
    now.v_row = l_add(e, rows.v_first, l_mul(e, v_block, l_i64(e, rows.count)));
    now.v_row = first_row(e, &rows, walk->v_part, now.v_row);
    now.v_vector = LLVMBuildSelect(e->builder, v_is_rest, v_none, v_vector, "");
    now.v_end =
        LLVMBuildSelect(e->builder, v_is_rest, v_all, l_add(e, v_vector, v_at_once), "");
    struct cpu_slice slice;
    if (walk->slices.count > 1) {
        LLVMValueRef v_each = l_i64(e, walk->slices.steps);
        LLVMValueRef v_steps = l_i64(e, cpu_weights_steps(&w->packed[0]));
        LLVMValueRef v_first = l_mul(e, walk->v_slice, v_each);
        LLVMValueRef v_limit = l_smaller(e, l_add(e, v_first, v_each), v_steps);
        slice.v_first = LLVMBuildSelect(e->builder, v_is_rest, v_none, v_first, "");
        slice.v_limit = LLVMBuildSelect(e->builder, v_is_rest, v_steps, v_limit, "");
        slice.v_begins = LLVMBuildIsNull(e->builder, slice.v_first, "");
        slice.v_ends = walk->v_ends;
        plan_fetch(w, walk, v_block, &slice);
        now.slice = &slice;
        now.v_block = LLVMBuildSelect(e->builder, v_is_rest, v_none, v_block, "");
    }
    emit_now(w, &rows, units, &now);
}

static void emit_walk(struct cpu_body *w, const struct cpu_body_rows *rows,
                      const struct cpu_body_units *units, struct cpu_body_slices slices)
{
    struct cpu_emitter *e = w->e;
    struct walk walk = {.rows = *rows, .units = units, .slices = slices};
    unsigned n_turns = units->vectors / units->at_once;
    LLVMValueRef v_none = l_i64(e, 0), v_one = l_i64(e, 1), v_count = l_i64(e, rows->count);
    LLVMValueRef v_up = l_i64(e, rows->count - 1);
    walk.v_part = last_part(e, rows);
    LLVMValueRef v_all = LLVMBuildSub(e->builder, rows->v_limit, rows->v_first, "");
    LLVMValueRef v_before = LLVMBuildSub(e->builder, walk.v_part, rows->v_first, "");
    LLVMValueRef v_blocks = LLVMBuildUDiv(e->builder, l_add(e, v_all, v_up), v_count, "");
    walk.v_whole = LLVMBuildUDiv(e->builder, v_before, v_count, "");
    walk.v_rest = LLVMBuildSub(e->builder, v_blocks, walk.v_whole, "");
    struct l_loop turns = l_loop_begin(e, v_none, l_i64(e, n_turns), v_one);
    struct l_loop each = l_loop_begin(e, v_none, l_i64(e, slices.count), v_one);
    LLVMValueRef v_is_last = LLVMBuildICmp(e->builder, LLVMIntEQ, turns.v_index,
                                           l_i64(e, n_turns - 1), "");
    walk.v_turn = turns.v_index;
    walk.v_slice = each.v_index;
    walk.v_ends = LLVMBuildICmp(e->builder, LLVMIntEQ, each.v_index,
                                l_i64(e, slices.count - 1), "");
    walk.v_last = LLVMBuildAnd(e->builder, v_is_last, walk.v_ends, "");
    LLVMValueRef v_also = LLVMBuildSelect(e->builder, walk.v_last, walk.v_rest, v_none, "");
    LLVMValueRef v_limit = l_add(e, walk.v_whole, v_also);
    struct l_loop blocks = l_loop_begin(e, v_none, v_limit, v_one);
    emit_walk_block(w, &walk, blocks.v_index);
    l_loop_end(e, &blocks);
    l_loop_end(e, &each);
    l_loop_end(e, &turns);
}

void cpu_emit_rows(struct cpu_body *w, const struct cpu_body_rows *rows,
                   const struct cpu_body_units *units)
{
    struct cpu_emitter *e = w->e;
    struct cpu_body_slices slices = cpu_blocking_slices(w, rows, units);
    if (slices.count > 1) { /* as many rows as have room for their sums */
        struct cpu_body_rows some = *rows;
        LLVMValueRef v_most = l_i64(e, SLICED_ROWS);
        struct l_loop loop = l_loop_begin(e, rows->v_first, rows->v_limit, v_most);
        some.v_first = loop.v_index;
        some.v_limit = l_smaller(e, l_add(e, loop.v_index, v_most), rows->v_limit);
        emit_walk(w, &some, units, slices);
        l_loop_end(e, &loop);
    } else if (units->at_once < units->vectors) {
        emit_walk(w, rows, units, slices);
    } else {
        struct cpu_body_rows now = *rows;
        LLVMValueRef v_part = last_part(e, rows);
        struct l_loop loop =
            l_loop_begin(e, rows->v_first, rows->v_limit, l_i64(e, rows->count));
        LLVMValueRef v_row = first_row(e, &now, v_part, loop.v_index);
        cpu_emit_block(w, &now, units, v_row);
        l_loop_end(e, &loop);
    }
}

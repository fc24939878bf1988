/* SPDX-License-Identifier: MIT */
/* A sweep stage: for each block of units, for each block of rows, the products and what follows.
 * Units are the outer loop, so that a block's weights are read from the nearest cache for all rows
 * but the first. */
#include "codegen/cpu/blocking.h"
#include "codegen/cpu/companion.h"

#include <stdlib.h>

/* The same, or no row where v_any is false. */
static struct cpu_body_rows rows_if(struct cpu_emitter *e, const struct cpu_body_rows *rows,
                                    LLVMValueRef v_any)
{
    struct cpu_body_rows some = *rows;
    some.v_limit = LLVMBuildSelect(e->builder, v_any, rows->v_limit, rows->v_first, "");
    return some;
}

/* Into how many parts threads that share a single row may cut a block: into its two vectors, where
 * the blocks are odd in number and one of two threads would have one more. */
static unsigned parts_of(const struct cpu_body *w, unsigned rows, unsigned vectors)
{
    unsigned each = vectors * w->lanes, width = w->s->stage->width;
    int is_odd = width % each == 0 && width / each % 2 == 1 && width > each;
    return rows == 1 && w->e->info->unit_threads > 1 && vectors == 2 && is_odd ? 2 : 1;
}

/* This thread's units of some rows: blocks from v_begin to v_last in parts, then, if v_has_rest, so
 * many from v_rest_unit on: the block at the end that is not whole, or the part of a block that
 * another thread has the rest of. */
struct share {
    unsigned each, parts, rest; /* units of a block, its parts; units after the blocks, 0: none */
    LLVMValueRef v_begin, v_last, v_has_rest, v_rest_unit;
};

static struct share share_units(struct cpu_body *w, const struct cpu_body_rows *rows,
                                const struct cpu_body_units *units)
{
    struct cpu_emitter *e = w->e;
    unsigned width = w->s->stage->width, each = units->vectors * w->lanes, whole = width / each;
    struct share s = {.each = each, .parts = parts_of(w, rows->count, units->vectors),
                      .rest = width - whole * each};
    LLVMValueRef v_end, v_whole = l_i64(e, (uint64_t)whole * s.parts);
    cpu_stage_share(e, w->s, l_i64(e, (uint64_t)whole * s.parts + (s.rest > 0)), &s.v_begin,
                    &v_end);
    s.v_has_rest = LLVMBuildICmp(e->builder, LLVMIntULT, v_whole, v_end, "");
    s.v_last = LLVMBuildSelect(e->builder, s.v_has_rest, v_whole, v_end, "");
    s.v_rest_unit = l_i64(e, (uint64_t)whole * each);
    if (s.parts == 1)
        return s;
    LLVMValueRef v_all = LLVMBuildSub(e->builder, s.v_last, s.v_begin, "");
    LLVMValueRef v_odd = LLVMBuildAnd(e->builder, v_all, l_i64(e, 1), "");
    s.rest = w->lanes;
    s.v_has_rest = LLVMBuildIsNotNull(e->builder, v_odd, "");
    s.v_last = LLVMBuildSub(e->builder, s.v_last, v_odd, "");
    s.v_rest_unit = l_mul(e, s.v_last, l_i64(e, w->lanes));
    return s;
}

/* The vectors of what is left after whole blocks. */
static struct cpu_body_units rest_units(const struct cpu_body *w, const struct share *share)
{
    unsigned vectors = (share->rest + w->lanes - 1) / w->lanes;
    return (struct cpu_body_units){share->v_rest_unit, vectors,
                                   share->rest - (vectors - 1) * w->lanes, vectors};
}

/* Without products, row after row: nothing is read by more than one of them, and a row lies in one
 * piece where the next may be far. */
static void emit_pointwise(struct cpu_body *w)
{
    struct cpu_emitter *e = w->e;
    unsigned vectors = cpu_blocking_vectors(w, 1);
    vectors /= parts_of(w, 1, vectors);
    struct cpu_body_units units = {NULL, vectors, w->lanes, vectors};
    const struct cpu_body_rows one = {.v_first = l_i64(e, 0), .v_limit = w->s->v_rows, .count = 1};
    struct share share = share_units(w, &one, &units);
    struct l_loop rows = l_loop_begin(e, one.v_first, one.v_limit, l_i64(e, 1));
    struct l_loop loop = l_loop_begin(e, share.v_begin, share.v_last, l_i64(e, 1));
    units.v_unit = l_mul(e, loop.v_index, l_i64(e, share.each));
    cpu_emit_block(w, &one, &units, rows.v_index);
    l_loop_end(e, &loop);
    if (share.rest > 0) {
        units = rest_units(w, &share);
        LLVMValueRef v_times = LLVMBuildZExt(e->builder, share.v_has_rest, e->t_i64, "");
        struct l_loop once = l_loop_begin(e, l_i64(e, 0), v_times, l_i64(e, 1));
        cpu_emit_block(w, &one, &units, rows.v_index);
        l_loop_end(e, &once);
    }
    l_loop_end(e, &rows);
}

/* Blocks of units in the order in which the step walks them; a single one without a loop. */
static void emit_whole_units(struct cpu_body *w, const struct cpu_body_rows *rows,
                             const struct share *share, struct cpu_body_units units)
{
    struct cpu_emitter *e = w->e;
    unsigned whole = w->s->stage->width / share->each;
    if (whole == 0)
        return;
    if (whole == 1) {
        LLVMValueRef v_mine =
            LLVMBuildICmp(e->builder, LLVMIntULT, share->v_begin, share->v_last, "");
        struct cpu_body_rows mine = rows_if(e, rows, v_mine);
        units.v_unit = l_i64(e, 0);
        cpu_emit_rows(w, &mine, &units);
        return;
    }
    LLVMValueRef v_parts = l_i64(e, share->parts);
    struct l_loop loop = l_loop_begin(e, share->v_begin, share->v_last, v_parts);
    LLVMValueRef v_sum =
        LLVMBuildSub(e->builder, l_add(e, share->v_begin, share->v_last), v_parts, "");
    LLVMValueRef v_from_end = LLVMBuildSub(e->builder, v_sum, loop.v_index, "");
    LLVMValueRef v_block =
        LLVMBuildSelect(e->builder, w->s->v_turned, v_from_end, loop.v_index, "");
    units.v_unit = l_mul(e, v_block, l_i64(e, share->each / share->parts));
    cpu_emit_rows(w, rows, &units);
    l_loop_end(e, &loop);
}

static void emit_units(struct cpu_body *w, const struct cpu_body_rows *rows)
{
    struct cpu_body_units units = cpu_blocking_units(w, rows);
    struct share share = share_units(w, rows, &units);
    w->is_hosting = rows->count == 1 && cpu_blocking_hosts(w);
    emit_whole_units(w, rows, &share, units);
    w->is_hosting = 0;
    if (share.rest == 0)
        return;
    struct cpu_body_rows mine = rows_if(w->e, rows, share.v_has_rest);
    struct cpu_body_units left = rest_units(w, &share);
    if (left.vectors > units.at_once) { /* one is not whole, so they cannot take turns */
        mine.count /= 2;
        mine.few = mine.more = 0;
    }
    cpu_emit_rows(w, &mine, &left);
}

/* Blocks of rows, and code of its own for a row that is left: not outside of steps, nor where
 * weights come from far, as to read them once more takes longer than to do a row twice. */
static void emit_all_rows(struct cpu_body *w)
{
    struct cpu_emitter *e = w->e;
    LLVMValueRef v_all = w->s->v_rows, v_none = l_i64(e, 0), v_one = l_i64(e, 1), v_many = v_none;
    uint64_t bytes = cpu_blocking_weight_bytes(w->s->stage, w->s->stage->width);
    unsigned count = cpu_blocking_rows(e, w->s->stage);
    struct cpu_body_rows blocks = {v_none, v_all, count, count / 2,
                                   cpu_blocking_larger_part(e, w->s)};
    int is_outside = !e->one_step && !w->s->is_step && bytes > CPU_FIRST_BYTES;
    if (is_outside)
        blocks.more = 0;
    if (count > 1 && (is_outside || w->s->has_many)) {
        emit_units(w, &blocks);
        return;
    }
    if (count > 1 && !e->one_step && !l_is_number(v_all, 1)) {
        LLVMValueRef v_is_one = LLVMBuildICmp(e->builder, LLVMIntEQ, v_all, v_one, "");
        int is_far = !cpu_is_near(bytes);
        LLVMValueRef v_alone = is_far ? LLVMBuildZExt(e->builder, v_is_one, e->t_i64, "")
                                      : LLVMBuildAnd(e->builder, v_all, v_one, "");
        blocks.v_limit = v_many = LLVMBuildSub(e->builder, v_all, v_alone, "");
        blocks.few = is_far || count > 2 ? count / 2 : 0;
        emit_units(w, &blocks);
    }
    emit_units(w, &(struct cpu_body_rows){v_many, v_all, 1, 0, 0});
}

void cpu_pack_sweep(struct cpu_emitter *e, struct cpu_stage *s)
{
    s->lanes = cpu_blocking_lanes(e, s->stage->width);
    s->packed = GRUC_NEW_ARRAY(e->arena, struct cpu_packed, s->stage->n_products);
    if (s->packed == NULL) {
        e->failed = 1;
        return;
    }
    for (size_t i = 0; i < s->stage->n_products; i++)
        cpu_pack_product(e, s, &s->stage->products[i], &s->packed[i]);
    cpu_pack_operands(e, s);
}

static struct cpu_body body_of(struct cpu_emitter *e, struct cpu_stage *s)
{
    return (struct cpu_body){.e = e, .s = s, .lanes = s->lanes, .packed = s->packed,
                          .host = cpu_companion_host(s->stage)};
}

unsigned cpu_sweep_units(struct cpu_emitter *e, struct cpu_stage *s)
{
    struct cpu_body w = body_of(e, s);
    unsigned vectors = cpu_blocking_vectors(&w, 1);
    return vectors / parts_of(&w, 1, vectors) * w.lanes;
}

unsigned cpu_sweep_hosts(struct cpu_emitter *e, struct cpu_stage *s)
{
    struct cpu_body w = body_of(e, s);
    return cpu_blocking_hosts(&w) ? s->stage->width / (cpu_blocking_vectors(&w, 1) * w.lanes) : 0;
}

void cpu_emit_sweep(struct cpu_emitter *e, struct cpu_stage *s)
{
    struct cpu_body w = body_of(e, s);
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

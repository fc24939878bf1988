/* SPDX-License-Identifier: MIT */
/* Sweeps in tiles of steps: all stages of a tile before the next, or some tiles apart. */
#include "codegen/cpu/run.h"

static int only_tiles(const struct cpu_emitter *e, const struct cpu_stage *s)
{
    for (size_t i = 0; i < s->n_edges; i++)
        if (e->schedule->buffers[s->edges[i].view->buffer].storage != GRUC_STORE_TILE)
            return 0;
    return 1;
}

/* All steps of a tile as one list of v_rows rows. */
static void emit_long_list(struct cpu_run *r, const struct cpu_stage *s, struct cpu_position at,
                           LLVMValueRef v_count, LLVMValueRef v_rows)
{
    if (s->is_listed) {
        v_rows = cpu_list_tile(r, &s->stage->mask_view, at, v_count, r->v_tile_list);
        at.v_list = r->v_tile_list;
    }
    cpu_call_stage(r, s, &at, v_rows);
}

static void emit_each_step(struct cpu_run *r, const struct cpu_stage *s, struct cpu_position at,
                           LLVMValueRef v_count)
{
    struct l_loop loop = l_loop_begin(r->e, l_i64(r->e, 0), v_count, l_i64(r->e, 1));
    LLVMValueRef v_rows = r->v_rows;
    at.way = CPU_STEP;
    at.v_local = loop.v_index;
    if (s->is_listed) {
        v_rows = cpu_list_step(r, &s->stage->mask_view, &at);
        at.v_list = r->v_tile_list;
    }
    cpu_call_stage(r, s, &at, v_rows);
    l_loop_end(r->e, &loop);
}

/* A stage over all steps of a tile. Tiles are walked as one long list of rows; other arrays can be
 * when the group is a single row, else step by step. */
static void emit_tile_stage(struct cpu_run *r, const struct cpu_stage *s, struct cpu_position at,
                            LLVMValueRef v_count)
{
    struct cpu_emitter *e = r->e;
    int is_tiles = only_tiles(e, s);
    at.way = is_tiles ? CPU_TILE : CPU_TILE_OF_ONE;
    if (is_tiles || e->one_step) {
        emit_long_list(r, s, at, v_count, l_mul(e, v_count, r->v_rows));
        return;
    }
    LLVMBasicBlockRef b_one = l_block(e, "one"), b_many = l_block(e, "many"),
                      b_done = l_block(e, "done");
    LLVMValueRef v_is_one =
        LLVMBuildICmp(e->builder, LLVMIntEQ, r->v_rows, l_i64(e, 1), "");
    LLVMBuildCondBr(e->builder, v_is_one, b_one, b_many);
    LLVMPositionBuilderAtEnd(e->builder, b_one);
    emit_long_list(r, s, at, v_count, v_count);
    LLVMBuildBr(e->builder, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_many);
    emit_each_step(r, s, at, v_count);
    LLVMBuildBr(e->builder, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_done);
}

size_t cpu_emit_tile_stages(struct cpu_run *r, const struct cpu_sweep *w, size_t i,
                            struct cpu_position at, LLVMValueRef v_count)
{
    if (w->group->stages[i].kind == GRUC_STAGE_SCAN) {
        size_t together = cpu_scans_together(r->e->ir, w->group, i);
        cpu_emit_scans(r, &w->scans[i], together, at, v_count);
        return together;
    }
    if (!at.is_alone && w->group->stages[i].owner != GRUC_NONE) {
        at.is_alone = 1;
        at.owner = w->group->stages[i].owner;
    }
    LLVMBasicBlockRef b_others = at.is_alone ? cpu_share_begin(r, at.owner) : NULL;
    emit_tile_stage(r, &w->stages[i], at, v_count);
    cpu_share_end(r, b_others);
    if (!at.is_alone)
        cpu_emit_barrier(r);
    return 1;
}

static LLVMValueRef steps_of_tile(struct cpu_run *r, const struct cpu_position *at,
                                  LLVMValueRef v_most)
{
    struct cpu_emitter *e = r->e;
    LLVMValueRef v_left = LLVMBuildSub(e->builder, at->v_total, at->v_tile_first, "");
    return l_smaller(e, v_left, v_most);
}

/* Tile after tile: all stages of one before the next. */
static void emit_tiles(struct cpu_run *r, const struct cpu_sweep *w, struct cpu_position at,
                       LLVMValueRef v_tile)
{
    struct l_loop loop = l_loop_begin(r->e, l_i64(r->e, 0), at.v_total, v_tile);
    at.v_tile_first = loop.v_index;
    LLVMValueRef v_count = steps_of_tile(r, &at, v_tile);
    for (size_t i = 0; i < w->group->n_stages;)
        i += cpu_emit_tile_stages(r, w, i, at, v_count);
    l_loop_end(r->e, &loop);
}

/* Moves at, a turn, to the tile that is v_lag behind; answers whether there is one. */
static LLVMValueRef move_behind(struct cpu_run *r, struct cpu_position *at, LLVMValueRef v_lag,
                                LLVMValueRef v_tile)
{
    struct cpu_emitter *e = r->e;
    at->v_tile = LLVMBuildSub(e->builder, at->v_tile, v_lag, "");
    at->v_tile_first = l_mul(e, at->v_tile, v_tile);
    LLVMValueRef v_begun = LLVMBuildICmp(e->builder, LLVMIntSGE, at->v_tile, l_i64(e, 0), "");
    LLVMValueRef v_open =
        LLVMBuildICmp(e->builder, LLVMIntSLT, at->v_tile_first, at->v_total, "");
    return LLVMBuildAnd(e->builder, v_begun, v_open, "");
}

/* The stages from first on that have its lag, if they have begun and are not done yet. */
static size_t emit_lag(struct cpu_run *r, const struct cpu_sweep *w, size_t first,
                       struct cpu_position at, LLVMValueRef v_tile)
{
    struct cpu_emitter *e = r->e;
    LLVMBasicBlockRef b_now = l_block(e, "now"), b_next = l_block(e, "next");
    unsigned lag = w->group->stages[first].lag;
    at.owner = lag;
    LLVMBuildCondBr(e->builder, move_behind(r, &at, l_i64(e, lag), v_tile), b_now, b_next);
    LLVMPositionBuilderAtEnd(e->builder, b_now);
    LLVMValueRef v_count = steps_of_tile(r, &at, v_tile);
    size_t i = first;
    while (i < w->group->n_stages && w->group->stages[i].lag == lag)
        i += cpu_emit_tile_stages(r, w, i, at, v_count);
    LLVMBuildBr(e->builder, b_next);
    LLVMPositionBuilderAtEnd(e->builder, b_next);
    return i;
}

unsigned cpu_most_lag(const struct gruc_group *group)
{
    unsigned most = 0;
    for (size_t i = 0; i < group->n_stages; i++)
        most = group->stages[i].lag > most ? group->stages[i].lag : most;
    return most;
}

/* A wavefront: in each turn every stage takes the tile that is its lag behind, and those of one lag
 * are one thread's. */
static void emit_wavefront(struct cpu_run *r, const struct cpu_sweep *w, struct cpu_position at,
                           LLVMValueRef v_tile)
{
    struct cpu_emitter *e = r->e;
    unsigned most = cpu_most_lag(w->group);
    LLVMValueRef v_last = LLVMBuildSub(e->builder, at.v_total, l_i64(e, 1), "");
    LLVMValueRef v_turns = l_add(e, LLVMBuildUDiv(e->builder, v_last, v_tile, ""),
                                 l_i64(e, most + 1));
    struct l_loop loop = l_loop_begin(e, l_i64(e, 0), v_turns, l_i64(e, 1));
    at.v_tile = loop.v_index;
    at.is_alone = 1;
    for (size_t i = 0; i < w->group->n_stages;)
        i = emit_lag(r, w, i, at, v_tile);
    cpu_emit_barrier(r);
    l_loop_end(e, &loop);
}

void cpu_emit_tiles(struct cpu_run *r, const struct cpu_sweep *w)
{
    struct cpu_position at = {.v_total = cpu_steps_value(r, w->group->steps)};
    LLVMValueRef v_tile = LLVMBuildUDiv(r->e->builder, r->v_tile_rows, r->v_rows, "");
    if (w->group->is_wavefront)
        emit_wavefront(r, w, at, v_tile);
    else if (cpu_most_lag(w->group) > 0)
        cpu_emit_trails(r, w, at, v_tile);
    else
        emit_tiles(r, w, at, v_tile);
}

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

/* Stage i of the group, with the scans that go with it; answers how many stages that were. */
static size_t emit_tile_stages(struct cpu_run *r, const struct cpu_sweep *w, size_t i,
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
    LLVMValueRef v_short = LLVMBuildICmp(e->builder, LLVMIntULT, v_left, v_most, "");
    return LLVMBuildSelect(e->builder, v_short, v_left, v_most, "");
}

/* Tile after tile: all stages of one before the next. */
static void emit_tiles(struct cpu_run *r, const struct cpu_sweep *w, struct cpu_position at,
                       LLVMValueRef v_tile)
{
    struct l_loop loop = l_loop_begin(r->e, l_i64(r->e, 0), at.v_total, v_tile);
    at.v_tile_first = loop.v_index;
    LLVMValueRef v_count = steps_of_tile(r, &at, v_tile);
    for (size_t i = 0; i < w->group->n_stages;)
        i += emit_tile_stages(r, w, i, at, v_count);
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
        i += emit_tile_stages(r, w, i, at, v_count);
    LLVMBuildBr(e->builder, b_next);
    LLVMPositionBuilderAtEnd(e->builder, b_next);
    return i;
}

static unsigned most_lag(const struct gruc_group *group)
{
    unsigned most = 0;
    for (size_t i = 0; i < group->n_stages; i++)
        most = group->stages[i].lag > most ? group->stages[i].lag : most;
    return most;
}

/* ---- scans that trail their companions ---- */

/* The steps of a tile, and 1 where scans trail as planned: where the group is one row, a tile has
 * room for a block of the companion, and each thread's weights are still far. Larger groups use
 * their weights for all rows anyway. */
struct trail {
    LLVMValueRef v_tile, v_lagging, v_is_lagging;
};

static struct trail plan_trail(struct cpu_run *r, const struct gruc_group *group,
                               LLVMValueRef v_tile)
{
    struct cpu_emitter *e = r->e;
    struct trail t;
    LLVMValueRef v_rows = l_i64(e, CPU_COMPANION_ROWS);
    LLVMValueRef v_single = LLVMBuildICmp(e->builder, LLVMIntEQ, r->v_rows, l_i64(e, 1), "");
    LLVMValueRef v_enough = LLVMBuildICmp(e->builder, LLVMIntNE, r->v_apart, l_i64(e, 0), "");
    t.v_is_lagging = LLVMBuildAnd(e->builder, v_single, v_enough, "");
    LLVMValueRef v_shares = l_i64(e, cpu_companion_shares(e, group));
    LLVMValueRef v_far = LLVMBuildICmp(e->builder, LLVMIntULE, r->v_shares, v_shares, "");
    t.v_is_lagging = LLVMBuildAnd(e->builder, t.v_is_lagging, v_far, "");
    t.v_lagging = LLVMBuildZExt(e->builder, t.v_is_lagging, e->t_i64, "");
    LLVMValueRef v_most = l_i64(e, cpu_trail_steps(e));
    LLVMValueRef v_long = LLVMBuildICmp(e->builder, LLVMIntULT, v_most, v_tile, "");
    LLVMValueRef v_blocks = l_mul(e, LLVMBuildUDiv(e->builder, v_tile, v_rows, ""), v_rows);
    t.v_tile = LLVMBuildSelect(e->builder, v_long, v_most, v_blocks, "");
    t.v_tile = LLVMBuildSelect(e->builder, t.v_is_lagging, t.v_tile, v_tile, "");
    return t;
}

static LLVMValueRef lag_of(struct cpu_run *r, const struct trail *t, const struct gruc_stage *stage)
{
    return l_mul(r->e, t->v_lagging, l_i64(r->e, stage->lag));
}

/* The companion of a scan whose tile is there now if v_now: beside its steps, else here. */
static void emit_companion(struct cpu_run *r, const struct cpu_sweep *w,
                           const struct cpu_scan *scan,
                           struct cpu_position at, const struct trail *t, LLVMValueRef v_now)
{
    struct cpu_emitter *e = r->e;
    size_t number = scan->stage->companion;
    LLVMBasicBlockRef b_here = l_block(e, "here"), b_beside = l_block(e, "beside"),
                      b_count = l_block(e, "count"), b_none = l_block(e, "none"),
                      b_done = l_block(e, "counted");
    LLVMValueRef v_open = move_behind(r, &at, lag_of(r, t, &w->group->stages[number]), t->v_tile);
    LLVMValueRef v_count = steps_of_tile(r, &at, t->v_tile), v_zero = l_i64(e, 0);
    LLVMValueRef v_beside = LLVMBuildAnd(e->builder, v_open, v_now, "");
    v_beside = LLVMBuildAnd(e->builder, v_beside, t->v_is_lagging, "");
    LLVMBuildCondBr(e->builder, v_beside, b_count, b_beside);
    LLVMPositionBuilderAtEnd(e->builder, b_beside);
    LLVMBuildCondBr(e->builder, v_open, b_here, b_none);
    LLVMPositionBuilderAtEnd(e->builder, b_here);
    emit_tile_stages(r, w, number, at, v_count);
    LLVMBuildBr(e->builder, b_none);
    LLVMPositionBuilderAtEnd(e->builder, b_none);
    LLVMBuildBr(e->builder, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_count);
    at.way = CPU_TILE;
    LLVMValueRef v_rows = v_count;
    if (w->stages[number].is_listed)
        v_rows = cpu_list_tile(r, &w->group->stages[number].mask_view, at, v_count,
                               scan->beside->v_list);
    LLVMBasicBlockRef b_counted = LLVMGetInsertBlock(e->builder);
    LLVMBuildBr(e->builder, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_done);
    scan->beside->v_rows = LLVMBuildPhi(e->builder, e->t_i64, "rows");
    LLVMAddIncoming(scan->beside->v_rows, &v_rows, &b_counted, 1);
    LLVMAddIncoming(scan->beside->v_rows, &v_zero, &b_none, 1);
    scan->beside->at = at;
}

/* Stage i, or the scans from there on that go side by side, which have one lag; answers how many
 * stages that were. */
static size_t emit_trailing(struct cpu_run *r, const struct cpu_sweep *w, size_t i,
                            struct cpu_position at, const struct trail *t)
{
    struct cpu_emitter *e = r->e;
    const struct gruc_stage *stage = &w->group->stages[i];
    if (stage->kind != GRUC_STAGE_SCAN && w->stages[i].is_companion)
        return 1;
    LLVMBasicBlockRef b_now = l_block(e, "now"), b_next = l_block(e, "next");
    struct cpu_position own = at;
    LLVMValueRef v_now = move_behind(r, &own, lag_of(r, t, stage), t->v_tile);
    size_t together =
        stage->kind == GRUC_STAGE_SCAN ? cpu_scans_together(e->ir, w->group, i) : 1;
    for (size_t k = i; k < i + together; k++)
        if (w->group->stages[k].companion != GRUC_NONE)
            emit_companion(r, w, &w->scans[k], at, t, v_now);
    LLVMBuildCondBr(e->builder, v_now, b_now, b_next);
    LLVMPositionBuilderAtEnd(e->builder, b_now);
    emit_tile_stages(r, w, i, own, steps_of_tile(r, &own, t->v_tile));
    LLVMBuildBr(e->builder, b_next);
    LLVMPositionBuilderAtEnd(e->builder, b_next);
    return together;
}

/* In each turn every stage takes the tile that is its lag behind. */
static void emit_trails(struct cpu_run *r, const struct cpu_sweep *w, struct cpu_position at,
                        LLVMValueRef v_tile)
{
    struct cpu_emitter *e = r->e;
    struct trail t = plan_trail(r, w->group, v_tile);
    LLVMValueRef v_last = LLVMBuildSub(e->builder, at.v_total, l_i64(e, 1), "");
    LLVMValueRef v_turns = LLVMBuildUDiv(e->builder, v_last, t.v_tile, "");
    v_turns = l_add(e, v_turns, l_mul(e, t.v_lagging, l_i64(e, most_lag(w->group))));
    struct l_loop loop =
        l_loop_begin(e, l_i64(e, 0), l_add(e, v_turns, l_i64(e, 1)), l_i64(e, 1));
    at.v_tile = loop.v_index;
    for (size_t i = 0; i < w->group->n_stages;)
        i += emit_trailing(r, w, i, at, &t);
    l_loop_end(e, &loop);
}

/* A wavefront: in each turn every stage takes the tile that is its lag behind, and those of one lag
 * are one thread's. */
static void emit_wavefront(struct cpu_run *r, const struct cpu_sweep *w, struct cpu_position at,
                           LLVMValueRef v_tile)
{
    struct cpu_emitter *e = r->e;
    unsigned most = most_lag(w->group);
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
    else if (most_lag(w->group) > 0)
        emit_trails(r, w, at, v_tile);
    else
        emit_tiles(r, w, at, v_tile);
}

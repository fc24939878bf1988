/* SPDX-License-Identifier: MIT */
/* Sweeps in which scans trail their companions: in each turn every stage takes the tile that is its
 * lag behind, and a companion's is computed beside the steps of its scan. */
#include "codegen/cpu/run.h"

struct trail {
    const struct gruc_view *mask; /* of a companion, known for all steps; NULL: none is */
    LLVMValueRef v_steps;         /* of a tile, masked ones not counted where mask tells */
    LLVMValueRef v_most;          /* that it has room for */
    LLVMValueRef v_is_lagging, v_lagging; /* 1: as planned, 0: no stage lags */
    LLVMValueRef v_bounds;        /* the tile that is n behind has the steps from n + 1 to n */
};

/* Masks that stages of the sweep make are known for its present tile only. */
static const struct gruc_view *find_mask(const struct cpu_run *r, const struct cpu_sweep *w)
{
    for (size_t i = 0; i < w->group->n_stages; i++) {
        uint32_t companion = w->group->stages[i].companion;
        if (companion == GRUC_NONE || !w->stages[companion].is_listed)
            continue;
        const struct gruc_view *view = &w->group->stages[companion].mask_view;
        if (r->e->schedule->buffers[view->buffer].storage == GRUC_STORE_INPUT)
            return view;
    }
    return NULL;
}

static LLVMValueRef bound_at(struct cpu_run *r, const struct trail *t, LLVMValueRef v_number)
{
    return l_offset(r->e, t->v_bounds, l_mul(r->e, v_number, l_i64(r->e, 8)));
}

/* Scans trail where the group is one row, the sequence long enough, a tile has room for a block of
 * the companion, and each thread's weights are still far. Larger groups use their weights for all
 * rows anyway. */
static struct trail plan_trail(struct cpu_run *r, const struct cpu_sweep *w, LLVMValueRef v_total,
                               LLVMValueRef v_room)
{
    struct cpu_emitter *e = r->e;
    struct trail t = {.mask = find_mask(r, w)};
    LLVMValueRef v_rows = l_i64(e, CPU_COMPANION_ROWS);
    LLVMValueRef v_single = LLVMBuildICmp(e->builder, LLVMIntEQ, r->v_rows, l_i64(e, 1), "");
    LLVMValueRef v_enough = LLVMBuildICmp(e->builder, LLVMIntNE, r->v_apart, l_i64(e, 0), "");
    t.v_is_lagging = LLVMBuildAnd(e->builder, v_single, v_enough, "");
    LLVMValueRef v_shares = l_i64(e, cpu_companion_shares(e, w->group));
    LLVMValueRef v_far = LLVMBuildICmp(e->builder, LLVMIntULE, r->v_shares, v_shares, "");
    t.v_is_lagging = LLVMBuildAnd(e->builder, t.v_is_lagging, v_far, "");
    LLVMValueRef v_least = l_i64(e, cpu_trail_least_steps(e));
    LLVMValueRef v_pays = LLVMBuildICmp(e->builder, LLVMIntULE, v_least, v_total, "");
    t.v_is_lagging = LLVMBuildAnd(e->builder, t.v_is_lagging, v_pays, "");
    t.v_lagging = LLVMBuildZExt(e->builder, t.v_is_lagging, e->t_i64, "");
    LLVMValueRef v_steps = l_i64(e, cpu_trail_steps(e));
    LLVMValueRef v_long = LLVMBuildICmp(e->builder, LLVMIntULT, v_steps, v_room, "");
    LLVMValueRef v_blocks = l_mul(e, LLVMBuildUDiv(e->builder, v_room, v_rows, ""), v_rows);
    v_steps = LLVMBuildSelect(e->builder, v_long, v_steps, v_blocks, "");
    t.v_steps = LLVMBuildSelect(e->builder, t.v_is_lagging, v_steps, v_room, "");
    t.v_most = t.mask == NULL ? t.v_steps : v_room;
    unsigned bounds = cpu_most_lag(w->group) + 2;
    t.v_bounds = LLVMBuildAlloca(e->builder, LLVMArrayType(e->t_i64, bounds), "bounds");
    for (unsigned i = 0; i < bounds; i++)
        l_store(e, l_i64(e, 0), bound_at(r, &t, l_i64(e, i)), 8);
    return t;
}

/* The step before which a tile ends that has v_steps valid ones or ends at v_limit: companions then
 * have whole blocks of rows. */
static LLVMValueRef cut_tile(struct cpu_run *r, const struct trail *t, struct cpu_position at,
                             LLVMValueRef v_limit)
{
    struct cpu_emitter *e = r->e;
    LLVMBasicBlockRef b_before = LLVMGetInsertBlock(e->builder), b_head = l_block(e, "cut"),
                      b_step = l_block(e, "step"), b_done = l_block(e, "ended");
    LLVMValueRef v_base, v_stride, v_zero = l_i64(e, 0);
    LLVMValueRef v_begin =
        LLVMBuildSelect(e->builder, t->v_is_lagging, at.v_tile_first, v_limit, "");
    LLVMBuildBr(e->builder, b_head);
    LLVMPositionBuilderAtEnd(e->builder, b_head);
    LLVMValueRef v_step = LLVMBuildPhi(e->builder, e->t_i64, "");
    LLVMValueRef v_valid = LLVMBuildPhi(e->builder, e->t_i64, "");
    LLVMValueRef v_open = LLVMBuildICmp(e->builder, LLVMIntULT, v_step, v_limit, "");
    LLVMValueRef v_few = LLVMBuildICmp(e->builder, LLVMIntULT, v_valid, t->v_steps, "");
    LLVMBuildCondBr(e->builder, LLVMBuildAnd(e->builder, v_open, v_few, ""), b_step, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_step);
    at.way = CPU_STEP;
    at.v_local = LLVMBuildSub(e->builder, v_step, at.v_tile_first, "");
    cpu_locate(r, t->mask, &at, &v_base, &v_stride);
    LLVMValueRef v_is_valid = LLVMBuildIsNotNull(e->builder, l_load(e, e->t_i8, v_base, 1), "");
    LLVMValueRef v_more = l_add(e, v_valid, LLVMBuildZExt(e->builder, v_is_valid, e->t_i64, ""));
    LLVMValueRef v_next = l_add(e, v_step, l_i64(e, 1));
    LLVMBuildBr(e->builder, b_head);
    LLVMAddIncoming(v_step, (LLVMValueRef[]){v_begin, v_next},
                    (LLVMBasicBlockRef[]){b_before, b_step}, 2);
    LLVMAddIncoming(v_valid, (LLVMValueRef[]){v_zero, v_more},
                    (LLVMBasicBlockRef[]){b_before, b_step}, 2);
    LLVMPositionBuilderAtEnd(e->builder, b_done);
    return v_step;
}

/* Moves all bounds by a tile. */
static void begin_turn(struct cpu_run *r, const struct trail *t, unsigned most,
                       struct cpu_position at)
{
    struct cpu_emitter *e = r->e;
    for (unsigned i = most + 1; i > 0; i--)
        l_store(e, l_load(e, e->t_i64, bound_at(r, t, l_i64(e, i - 1)), 8),
                bound_at(r, t, l_i64(e, i)), 8);
    at.v_tile_first = l_load(e, e->t_i64, bound_at(r, t, l_i64(e, 1)), 8);
    LLVMValueRef v_end = l_add(e, at.v_tile_first, t->v_most);
    v_end = l_smaller(e, at.v_total, v_end);
    if (t->mask != NULL)
        v_end = cut_tile(r, t, at, v_end);
    l_store(e, v_end, bound_at(r, t, l_i64(e, 0)), 8);
}

static LLVMValueRef lag_of(struct cpu_run *r, const struct trail *t, unsigned lag)
{
    return l_mul(r->e, t->v_lagging, l_i64(r->e, lag));
}

/* Moves at, a turn, to the tile that is a stage's lag behind; answers how many steps it has: 0
 * where there is none. */
static LLVMValueRef move_behind(struct cpu_run *r, const struct trail *t, unsigned lag,
                                struct cpu_position *at)
{
    struct cpu_emitter *e = r->e;
    LLVMValueRef v_lag = lag_of(r, t, lag);
    LLVMValueRef v_first = bound_at(r, t, l_add(e, v_lag, l_i64(e, 1)));
    at->v_tile = LLVMBuildSub(e->builder, at->v_tile, v_lag, "");
    at->v_tile_first = l_load(e, e->t_i64, v_first, 8);
    LLVMValueRef v_end = l_load(e, e->t_i64, bound_at(r, t, v_lag), 8);
    return LLVMBuildSub(e->builder, v_end, at->v_tile_first, "");
}

/* The companion of a scan, which has steps to do now if v_now: beside these, or the first tile's by
 * itself. Where nothing lags, it is a stage as others. */
static void emit_companion(struct cpu_run *r, const struct cpu_sweep *w,
                           const struct cpu_scan *scan,
                           struct cpu_position at, const struct trail *t, LLVMValueRef v_now)
{
    struct cpu_emitter *e = r->e;
    size_t number = scan->stage->companion;
    LLVMBasicBlockRef b_here = l_block(e, "here"), b_beside = l_block(e, "beside"),
                      b_count = l_block(e, "count"), b_none = l_block(e, "none"),
                      b_done = l_block(e, "counted"), b_first = l_block(e, "first"),
                      b_ready = l_block(e, "ready");
    LLVMValueRef v_count = move_behind(r, t, w->group->stages[number].lag, &at);
    LLVMValueRef v_open = LLVMBuildIsNotNull(e->builder, v_count, ""), v_zero = l_i64(e, 0);
    LLVMValueRef v_beside = LLVMBuildAnd(e->builder, v_open, t->v_is_lagging, "");
    LLVMBuildCondBr(e->builder, v_beside, b_count, b_beside);
    LLVMPositionBuilderAtEnd(e->builder, b_beside);
    LLVMBuildCondBr(e->builder, v_open, b_here, b_none);
    LLVMPositionBuilderAtEnd(e->builder, b_here);
    cpu_emit_tile_stages(r, w, number, at, v_count);
    LLVMBuildBr(e->builder, b_none);
    LLVMPositionBuilderAtEnd(e->builder, b_none);
    LLVMBuildBr(e->builder, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_count);
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
    LLVMValueRef v_first = LLVMBuildAnd(e->builder, v_beside, LLVMBuildNot(e->builder, v_now, ""),
                                        "");
    LLVMBuildCondBr(e->builder, v_first, b_first, b_ready);
    LLVMPositionBuilderAtEnd(e->builder, b_first);
    LLVMValueRef v_begin = cpu_profile_begin(r);
    cpu_beside_begin(r, scan->beside, 0);
    cpu_beside_rest(r, scan->beside);
    cpu_profile_end(r, scan->beside->stage->stage, v_begin, scan->beside->v_rows);
    cpu_emit_barrier(r);
    LLVMBuildBr(e->builder, b_ready);
    LLVMPositionBuilderAtEnd(e->builder, b_ready);
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
    LLVMValueRef v_count = move_behind(r, t, stage->lag, &own);
    LLVMValueRef v_now = LLVMBuildIsNotNull(e->builder, v_count, "");
    if (stage->kind != GRUC_STAGE_SCAN &&
        gruc_schedule_copied(e->schedule, w->group, i) != NULL) {
        LLVMValueRef v_copies = cpu_companion_copies(e, &w->stages[i], v_count);
        v_copies = LLVMBuildOr(e->builder, v_copies, LLVMBuildNot(e->builder, t->v_is_lagging, ""),
                               "");
        v_now = LLVMBuildAnd(e->builder, v_now, v_copies, "");
    }
    size_t together =
        stage->kind == GRUC_STAGE_SCAN ? cpu_scans_together(e->ir, w->group, i) : 1;
    for (size_t k = i; k < i + together; k++)
        if (w->group->stages[k].companion != GRUC_NONE)
            emit_companion(r, w, &w->scans[k], at, t, v_now);
    LLVMBuildCondBr(e->builder, v_now, b_now, b_next);
    LLVMPositionBuilderAtEnd(e->builder, b_now);
    cpu_emit_tile_stages(r, w, i, own, v_count);
    LLVMBuildBr(e->builder, b_next);
    LLVMPositionBuilderAtEnd(e->builder, b_next);
    return together;
}

/* Turns until the stages that are most behind have done the last tile. */
void cpu_emit_trails(struct cpu_run *r, const struct cpu_sweep *w, struct cpu_position at,
                     LLVMValueRef v_tile)
{
    struct cpu_emitter *e = r->e;
    unsigned most = cpu_most_lag(w->group);
    struct trail t = plan_trail(r, w, at.v_total, v_tile);
    LLVMBasicBlockRef b_before = LLVMGetInsertBlock(e->builder), b_turn = l_block(e, "turn"),
                      b_done = l_block(e, "trailed");
    LLVMValueRef v_first = l_i64(e, 0);
    LLVMBuildBr(e->builder, b_turn);
    LLVMPositionBuilderAtEnd(e->builder, b_turn);
    at.v_tile = LLVMBuildPhi(e->builder, e->t_i64, "tile");
    begin_turn(r, &t, most, at);
    for (size_t i = 0; i < w->group->n_stages;)
        i += emit_trailing(r, w, i, at, &t);
    LLVMValueRef v_end = l_load(e, e->t_i64, bound_at(r, &t, lag_of(r, &t, most)), 8);
    LLVMValueRef v_next = l_add(e, at.v_tile, l_i64(e, 1));
    LLVMBasicBlockRef b_last = LLVMGetInsertBlock(e->builder);
    LLVMValueRef v_more = LLVMBuildICmp(e->builder, LLVMIntULT, v_end, at.v_total, "");
    LLVMBuildCondBr(e->builder, v_more, b_turn, b_done);
    LLVMAddIncoming(at.v_tile, (LLVMValueRef[]){v_first, v_next},
                    (LLVMBasicBlockRef[]){b_before, b_last}, 2);
    LLVMPositionBuilderAtEnd(e->builder, b_done);
}

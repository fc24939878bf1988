/* SPDX-License-Identifier: MIT */
/* The function that computes a group of rows: the schedule's groups in order, sweeps in tiles of
 * steps. */
#include "codegen/cpu/run.h"

/* Steps of a tile of scans that trail: short, as the first tile's product is computed by itself, and
 * a multiple of the rows of a companion's block. */
enum { TRAIL_STEPS = 24 };

static size_t initial_bit(const struct cpu_emitter *e, gruc_ref wanted)
{
    const struct gruc_region *body = &e->ir->regions[0];
    size_t bit = 0;
    for (size_t i = 0; i < body->n_ops && body->ops[i] != wanted; i++)
        bit += e->ir->ops[body->ops[i]].code == GRUC_OP_INITIAL_STATE;
    return bit;
}

static void emit_once(struct cpu_run *r, const struct gruc_stage *stage)
{
    struct cpu_position once = {.way = CPU_ONCE};
    if (stage->kind == GRUC_STAGE_INITIAL || stage->kind == GRUC_STAGE_FINAL) {
        LLVMBasicBlockRef b_others = cpu_share_begin(r, 0);
        LLVMValueRef v_begin = cpu_profile_begin(r);
        if (stage->kind == GRUC_STAGE_INITIAL)
            cpu_emit_initial(r, stage, initial_bit(r->e, stage->ops[0]));
        else
            cpu_emit_final(r, stage);
        cpu_profile_end(r, stage, v_begin, r->v_rows);
        cpu_share_end(r, b_others);
    } else {
        struct cpu_stage s;
        cpu_emit_stage(r->e, stage, 0, NULL, &s);
        if (!r->e->failed)
            cpu_call_stage(r, &s, &once, r->v_rows);
    }
    cpu_emit_barrier(r);
}

/* ---- sweeps ---- */

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

/* The functions of a sweep: of each stage, or of a scan's steps. */
struct sweep {
    const struct gruc_group *group;
    struct cpu_stage *stages; /* unused for scans */
    struct cpu_scan *scans;   /* unused for others */
};

static int emit_steps(struct cpu_run *r, const struct gruc_group *steps, unsigned flags,
                      const struct cpu_stage *companion, struct cpu_stage **out)
{
    *out = GRUC_NEW_ARRAY(r->e->arena, struct cpu_stage, steps->n_stages);
    for (size_t i = 0; *out != NULL && i < steps->n_stages && !r->e->failed; i++)
        cpu_emit_stage(r->e, &steps->stages[i], flags, companion, &(*out)[i]);
    return *out != NULL && !r->e->failed;
}

static int emit_scan_functions(struct cpu_run *r, const struct gruc_stage *stage,
                               const struct cpu_stage *companion, struct cpu_scan *out)
{
    struct cpu_emitter *e = r->e;
    int unrolled = (int)gruc_op_integer(&e->ir->ops[stage->ops[0]], GRUC_ATTRIBUTE_UNROLL, 0);
    unsigned flags = unrolled ? 0 : CPU_STAGE_INLINE;
    *out = (struct cpu_scan){.stage = stage};
    if (companion != NULL && !cpu_beside_emit(r, companion, &out->beside))
        return 0;
    if (stage->masked == NULL)
        return emit_steps(r, stage->body, flags, companion, &out->steps);
    out->v_turn = LLVMBuildAlloca(e->builder, e->t_i64, "turn");
    l_store(e, l_i64(e, 0), out->v_turn, 8);
    flags |= CPU_STAGE_LISTED;
    return emit_steps(r, stage->body, flags, companion, &out->steps) &&
           emit_steps(r, stage->masked, flags, NULL, &out->masked);
}

static int is_companion(const struct gruc_group *group, size_t number)
{
    for (size_t i = 0; i < group->n_stages; i++)
        if (group->stages[i].companion == number)
            return 1;
    return 0;
}

static int emit_functions(struct cpu_run *r, const struct gruc_group *group, struct sweep *out)
{
    struct cpu_emitter *e = r->e;
    out->group = group;
    out->stages = GRUC_NEW_ARRAY(e->arena, struct cpu_stage, group->n_stages);
    out->scans = GRUC_NEW_ARRAY(e->arena, struct cpu_scan, group->n_stages);
    if (out->stages == NULL || out->scans == NULL)
        return 0;
    for (size_t i = 0; i < group->n_stages && !e->failed; i++) {
        const struct gruc_stage *stage = &group->stages[i];
        if (stage->kind != GRUC_STAGE_SCAN) {
            unsigned flags = stage->valid_only != GRUC_NONE ? CPU_STAGE_LISTED : 0;
            flags |= is_companion(group, i) ? CPU_STAGE_COMPANION : 0;
            cpu_emit_stage(e, stage, flags, NULL, &out->stages[i]);
            continue;
        }
        const struct cpu_stage *companion =
            stage->companion == GRUC_NONE ? NULL : &out->stages[stage->companion];
        if (!emit_scan_functions(r, stage, companion, &out->scans[i]))
            return 0;
    }
    return !e->failed;
}

/* unroll: true with a known number of steps: the steps one after the other, tile by tile. */
static void emit_unrolled(struct cpu_run *r, const struct sweep *w)
{
    struct cpu_emitter *e = r->e;
    struct cpu_position at = {.way = CPU_STEP, .v_total = l_i64(e, w->group->steps.factor)};
    for (uint32_t step = 0; step < w->group->steps.factor; step++) {
        at.v_tile_first = l_i64(e, step);
        at.v_local = l_i64(e, 0);
        for (size_t i = 0; i < w->group->n_stages; i++) {
            if (w->group->stages[i].kind != GRUC_STAGE_SCAN) {
                LLVMValueRef v_rows = r->v_rows;
                if (w->stages[i].is_listed) {
                    v_rows = cpu_list_tile(r, &w->stages[i].stage->mask_view, at, l_i64(e, 1),
                                           r->v_tile_list);
                    at.v_list = r->v_tile_list;
                }
                cpu_call_stage(r, &w->stages[i], &at, v_rows);
                at.v_list = NULL;
            } else {
                cpu_emit_step(r, &w->scans[i], &at);
                cpu_swap_carries(r, &w->scans[i], NULL);
            }
            cpu_emit_barrier(r);
        }
    }
}

static int is_unrolled(const struct cpu_emitter *e, const struct gruc_group *group)
{
    for (size_t i = 0; i < group->n_stages; i++)
        if (group->stages[i].kind == GRUC_STAGE_SCAN && group->steps.symbol < 0 &&
            gruc_op_integer(&e->ir->ops[group->stages[i].ops[0]], GRUC_ATTRIBUTE_UNROLL, 0))
            return 1;
    return 0;
}

/* Stage i of the group, with the scans that go with it; answers how many stages that were. */
static size_t emit_tile_stages(struct cpu_run *r, const struct sweep *w, size_t i,
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
static void emit_tiles(struct cpu_run *r, const struct sweep *w, struct cpu_position at,
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
static size_t emit_lag(struct cpu_run *r, const struct sweep *w, size_t first,
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

/* The steps of a tile, and 1 where scans trail as planned: where the group is one row, a tile has room
 * for a block of the companion, and each thread's weights are still far. Larger groups use their
 * weights for all rows anyway. */
struct trail {
    LLVMValueRef v_tile, v_lagging, v_is_lagging;
};

static struct trail plan_trail(struct cpu_run *r, const struct gruc_group *group,
                               LLVMValueRef v_tile)
{
    struct cpu_emitter *e = r->e;
    struct trail t;
    LLVMValueRef v_rows = l_i64(e, cpu_companion_rows(e));
    LLVMValueRef v_single = LLVMBuildICmp(e->builder, LLVMIntEQ, r->v_rows, l_i64(e, 1), "");
    LLVMValueRef v_enough =
        LLVMBuildICmp(e->builder, LLVMIntULE, v_rows, v_tile, "");
    t.v_is_lagging = LLVMBuildAnd(e->builder, v_single, v_enough, "");
    LLVMValueRef v_shares = l_i64(e, cpu_companion_shares(e, group));
    LLVMValueRef v_far = LLVMBuildICmp(e->builder, LLVMIntULE, r->v_shares, v_shares, "");
    t.v_is_lagging = LLVMBuildAnd(e->builder, t.v_is_lagging, v_far, "");
    t.v_lagging = LLVMBuildZExt(e->builder, t.v_is_lagging, e->t_i64, "");
    LLVMValueRef v_most = l_i64(e, TRAIL_STEPS);
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

/* The companion of a scan whose tile of this turn is there if v_now: beside its steps, else here. */
static void emit_companion(struct cpu_run *r, const struct sweep *w, const struct cpu_scan *scan,
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
static size_t emit_trailing(struct cpu_run *r, const struct sweep *w, size_t i,
                            struct cpu_position at, const struct trail *t)
{
    struct cpu_emitter *e = r->e;
    const struct gruc_stage *stage = &w->group->stages[i];
    if (is_companion(w->group, i))
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
static void emit_trails(struct cpu_run *r, const struct sweep *w, struct cpu_position at,
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
static void emit_wavefront(struct cpu_run *r, const struct sweep *w, struct cpu_position at,
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

static void begin_scans(struct cpu_run *r, const struct gruc_group *group)
{
    int in_place = 1;
    for (size_t i = 0; i < group->n_stages; i++)
        if (group->stages[i].kind == GRUC_STAGE_SCAN)
            in_place &= cpu_scan_begins_in_place(r->e, &group->stages[i]);
    if (in_place)
        return;
    LLVMBasicBlockRef b_others = cpu_share_begin(r, 0);
    for (size_t i = 0; i < group->n_stages; i++)
        if (group->stages[i].kind == GRUC_STAGE_SCAN)
            cpu_begin_scan(r, &group->stages[i]);
    cpu_share_end(r, b_others);
    cpu_emit_barrier(r);
}

static void emit_sweep(struct cpu_run *r, const struct gruc_group *group)
{
    struct cpu_emitter *e = r->e;
    struct sweep w;
    if (!emit_functions(r, group, &w)) {
        e->failed = 1;
        return;
    }
    begin_scans(r, group);
    if (is_unrolled(e, group)) {
        emit_unrolled(r, &w);
        r->has_steps = 1;
        return;
    }
    struct cpu_position at = {.v_total = cpu_steps_value(r, group->steps)};
    LLVMValueRef v_tile = LLVMBuildUDiv(e->builder, r->v_tile_rows, r->v_rows, "");
    if (group->is_wavefront)
        emit_wavefront(r, &w, at, v_tile);
    else if (most_lag(group) > 0)
        emit_trails(r, &w, at, v_tile);
    else
        emit_tiles(r, &w, at, v_tile);
}

static int any_masked(const struct gruc_schedule *schedule)
{
    for (size_t g = 0; g < schedule->n_groups; g++)
        for (size_t i = 0; i < schedule->groups[g].n_stages; i++)
            if (schedule->groups[g].stages[i].masked != NULL)
                return 1;
    return 0;
}

LLVMValueRef cpu_reserve_tile_list(struct cpu_run *r)
{
    LLVMTypeRef type = LLVMArrayType(r->e->t_i64, (unsigned)r->e->info->tile_rows);
    return LLVMBuildAlloca(r->e->builder, type, "tile");
}

/* Room for the lists, in the function's first block. */
static void reserve_lists(struct cpu_run *r)
{
    struct cpu_emitter *e = r->e;
    LLVMTypeRef rows = LLVMArrayType(e->t_i64, (unsigned)e->info->row_group);
    r->v_valid_count = LLVMBuildAlloca(e->builder, e->t_i64, "valid_count");
    r->v_masked_count = LLVMBuildAlloca(e->builder, e->t_i64, "masked_count");
    r->v_valid_list = LLVMBuildAlloca(e->builder, rows, "valid");
    r->v_masked_list = LLVMBuildAlloca(e->builder, rows, "masked");
    r->v_tile_list = cpu_reserve_tile_list(r);
}

/* Which of the threads that compute the same rows this is; one alone where that never pays. */
static void load_share(struct cpu_run *r)
{
    struct cpu_emitter *e = r->e;
    r->v_share = l_i64(e, 0);
    r->v_shares = l_i64(e, 1);
    if (e->info->unit_threads <= 1)
        return;
    LLVMValueRef v_one = r->v_shares;
    r->v_share = cpu_load_slot(e, r->v_args, CPU_SLOT_share, e->t_i64);
    r->v_shares = cpu_load_slot(e, r->v_args, CPU_SLOT_shares, e->t_i64);
    LLVMValueRef v_none = LLVMBuildICmp(e->builder, LLVMIntEQ, r->v_shares, l_i64(e, 0), "");
    r->v_shares = LLVMBuildSelect(e->builder, v_none, v_one, r->v_shares, "");
}

LLVMValueRef cpu_emit_group(struct cpu_emitter *e, LLVMTypeRef *out_type)
{
    LLVMTypeRef parameters[] = {e->t_ptr, e->t_ptr, e->t_i64, e->t_i64, e->t_i64, e->t_i64};
    struct l_function f = l_function_begin(e, "run_group", parameters, 6);
    struct cpu_run r = {
        .e = e, .v_args = LLVMGetParam(f.function, 1), .v_first = LLVMGetParam(f.function, 2),
        .v_rows = LLVMGetParam(f.function, 3), .v_tile_rows = LLVMGetParam(f.function, 4),
        .v_given = LLVMGetParam(f.function, 5),
        .v_base = GRUC_NEW_ARRAY(e->arena, LLVMValueRef, e->schedule->n_buffers),
        .v_current = GRUC_NEW_ARRAY(e->arena, LLVMValueRef, e->schedule->n_buffers),
        .v_next = GRUC_NEW_ARRAY(e->arena, LLVMValueRef, e->schedule->n_buffers)};
    if (r.v_base == NULL || r.v_current == NULL || r.v_next == NULL) {
        e->failed = 1;
    } else {
        cpu_load_call(&r);
        cpu_load_turned(&r);
        load_share(&r);
        LLVMValueRef v_begin = cpu_profile_begin_group(&r);
        if (any_masked(e->schedule))
            reserve_lists(&r);
        cpu_place_buffers(&r, cpu_load_slot(e, r.v_args, CPU_SLOT_workspace, e->t_ptr));
        for (size_t g = 0; g < e->schedule->n_groups && !e->failed; g++) {
            const struct gruc_group *group = &e->schedule->groups[g];
            if (group->is_sweep) {
                emit_sweep(&r, group);
                continue;
            }
            for (size_t i = 0; i < group->n_stages && !e->failed; i++)
                emit_once(&r, &group->stages[i]);
        }
        LLVMBasicBlockRef b_others = cpu_share_begin(&r, 0);
        cpu_emit_started(&r);
        cpu_share_end(&r, b_others);
        cpu_emit_barrier(&r);
        cpu_profile_end_group(&r, v_begin);
    }
    *out_type = f.type;
    l_function_end(e, &f);
    if (e->one_step) {
        l_attribute(e, f.function, "alwaysinline");
    } else if (!r.has_steps && !any_masked(e->schedule)) {
        /* All loops that count are in functions that it calls: this compiles faster as it stands. */
        l_attribute(e, f.function, "optnone");
        l_attribute(e, f.function, "noinline");
    }
    return f.function;
}

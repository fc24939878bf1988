/* SPDX-License-Identifier: MIT */
/* The function that computes a group of rows: the schedule's groups in order. */
#include "codegen/cpu/run.h"

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

static int emit_steps(struct cpu_run *r, const struct gruc_group *steps, unsigned flags,
                      const struct cpu_stage *companion, struct cpu_stage **out)
{
    *out = GRUC_NEW_ARRAY(r->e->arena, struct cpu_stage, steps->n_stages);
    for (size_t i = 0; *out != NULL && i < steps->n_stages && !r->e->failed; i++)
        cpu_emit_stage(r->e, &steps->stages[i], flags, companion, &(*out)[i]);
    return *out != NULL && !r->e->failed;
}

/* Stages of a step are emitted where they are called; of one that is emitted again and again,
 * whoever in the group is unrolled, they are functions. */
static int emit_scan_functions(struct cpu_run *r, const struct gruc_group *group,
                               const struct gruc_stage *stage, const struct cpu_stage *companion,
                               struct cpu_scan *out)
{
    struct cpu_emitter *e = r->e;
    unsigned flags = CPU_STAGE_STEP | (cpu_is_unrolled(e, group) ? 0 : CPU_STAGE_INSIDE);
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

static int emit_functions(struct cpu_run *r, const struct gruc_group *group, struct cpu_sweep *out)
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
            int is_companion = gruc_schedule_is_companion(group, i);
            flags |= is_companion ? CPU_STAGE_COMPANION : 0;
            cpu_emit_stage(e, stage, flags, NULL, &out->stages[i]);
            if (is_companion)
                out->stages[i].source = cpu_companion_source(e, group, i);
            continue;
        }
        const struct cpu_stage *companion =
            stage->companion == GRUC_NONE ? NULL : &out->stages[stage->companion];
        if (!emit_scan_functions(r, group, stage, companion, &out->scans[i]))
            return 0;
    }
    return !e->failed;
}

/* unroll: true with a known number of steps: the steps one after the other, tile by tile. */
static void emit_unrolled(struct cpu_run *r, const struct cpu_sweep *w)
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

int cpu_is_unrolled(const struct cpu_emitter *e, const struct gruc_group *group)
{
    for (size_t i = 0; i < group->n_stages; i++)
        if (group->stages[i].kind == GRUC_STAGE_SCAN && group->steps.symbol < 0 &&
            gruc_op_integer(&e->ir->ops[group->stages[i].ops[0]], GRUC_ATTRIBUTE_UNROLL, 0))
            return 1;
    return 0;
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
    struct cpu_sweep w;
    if (!emit_functions(r, group, &w)) {
        e->failed = 1;
        return;
    }
    begin_scans(r, group);
    if (cpu_is_unrolled(e, group)) {
        emit_unrolled(r, &w);
        r->has_steps = 1;
        return;
    }
    cpu_emit_tiles(r, &w);
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
    LLVMTypeRef parameters[] = {e->t_ptr, e->t_ptr, e->t_i64, e->t_i64,
                                e->t_i64, e->t_i64, e->t_i64};
    struct l_function f = l_function_begin(e, "run_group", parameters, 7);
    struct cpu_run r = {
        .e = e, .v_args = LLVMGetParam(f.function, 1), .v_first = LLVMGetParam(f.function, 2),
        .v_rows = LLVMGetParam(f.function, 3), .v_tile_rows = LLVMGetParam(f.function, 4),
        .v_given = LLVMGetParam(f.function, 5), .v_apart = LLVMGetParam(f.function, 6),
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
        e->has_shared |= cpu_any_shared(e);
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
        /* All loops that count are in functions it calls: this compiles faster as it stands. */
        l_attribute(e, f.function, "optnone");
        l_attribute(e, f.function, "noinline");
    }
    return f.function;
}

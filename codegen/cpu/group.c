/* SPDX-License-Identifier: MIT */
/* The function that computes a group of rows: the schedule's groups in order, sweeps in tiles of
 * steps. */
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
    if (stage->kind == GRUC_STAGE_INITIAL) {
        cpu_emit_initial(r, stage, initial_bit(r->e, stage->ops[0]));
    } else if (stage->kind == GRUC_STAGE_FINAL) {
        cpu_emit_final(r, stage);
    } else {
        struct cpu_stage s;
        cpu_emit_stage(r->e, stage, 0, &s);
        if (!r->e->failed)
            cpu_call_stage(r, &s, &once, r->v_rows);
    }
}

/* ---- scans ---- */

/* Brings the first carried values to where the first step reads them. */
static void begin_scan(struct cpu_run *r, const struct gruc_stage *scan)
{
    struct cpu_emitter *e = r->e;
    const struct gruc_op *op = &e->ir->ops[scan->ops[0]];
    size_t scanned = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_SCANNED, 0);
    struct cpu_position once = {.way = CPU_ONCE};
    for (size_t i = 0; i < scan->n_carries; i++) {
        const struct gruc_op *maker = gruc_ir_def(e->ir, op->operands[scanned + i]);
        int is_constant = maker->code == GRUC_OP_CONSTANT;
        if (!is_constant && scan->first[i].buffer == GRUC_NONE)
            continue;
        uint32_t width = e->schedule->buffers[scan->carries[i].buffer].width;
        LLVMValueRef v_to, v_to_stride, v_from = NULL, v_from_stride;
        cpu_locate(r, &scan->carries[i], &once, &v_to, &v_to_stride);
        struct l_loop loop = l_loop_begin(e, l_i64(e, 0), r->v_rows, l_i64(e, 1));
        if (!is_constant) {
            cpu_locate(r, &scan->first[i], &once, &v_from, &v_from_stride);
            v_from = l_offset(e, v_from, l_mul(e, loop.v_index, v_from_stride));
        }
        double fill = is_constant ? gruc_op_number(maker, GRUC_ATTRIBUTE_VALUE, 0.0) : 0.0;
        cpu_emit_copy(e, l_offset(e, v_to, l_mul(e, loop.v_index, v_to_stride)), v_from, fill,
                      width);
        l_loop_end(e, &loop);
    }
}

static void emit_step(struct cpu_run *r, const struct gruc_stage *scan,
                      const struct cpu_stage *steps, const struct cpu_position *at)
{
    struct cpu_emitter *e = r->e;
    for (size_t i = 0; i < scan->body->n_stages; i++)
        cpu_call_stage(r, &steps[i], at, r->v_rows);
    for (size_t i = 0; i < scan->n_carries; i++) {
        uint32_t buffer = scan->carries[i].buffer;
        LLVMValueRef v_current = l_load(e, e->t_ptr, r->v_current[buffer], 8);
        LLVMValueRef v_next = l_load(e, e->t_ptr, r->v_next[buffer], 8);
        l_store(e, v_next, r->v_current[buffer], 8);
        l_store(e, v_current, r->v_next[buffer], 8);
    }
}

static void emit_scan_tile(struct cpu_run *r, const struct gruc_stage *scan,
                           const struct cpu_stage *steps, struct cpu_position at,
                           LLVMValueRef v_count)
{
    struct l_loop loop = l_loop_begin(r->e, l_i64(r->e, 0), v_count, l_i64(r->e, 1));
    at.way = CPU_STEP;
    at.v_local = loop.v_index;
    emit_step(r, scan, steps, &at);
    l_loop_end(r->e, &loop);
}

/* ---- sweeps ---- */

static int only_tiles(const struct cpu_emitter *e, const struct cpu_stage *s)
{
    for (size_t i = 0; i < s->n_edges; i++)
        if (e->schedule->buffers[s->edges[i].view->buffer].storage != GRUC_STORE_TILE)
            return 0;
    return 1;
}

/* A stage over all steps of a tile. Tiles are walked as one long list of rows; other arrays can be
 * when the group is a single row, else step by step. */
static void emit_tile_stage(struct cpu_run *r, const struct cpu_stage *s, struct cpu_position at,
                            LLVMValueRef v_count)
{
    struct cpu_emitter *e = r->e;
    if (only_tiles(e, s)) {
        at.way = CPU_TILE;
        cpu_call_stage(r, s, &at, l_mul(e, v_count, r->v_rows));
        return;
    }
    LLVMBasicBlockRef b_one = l_block(e, "one"), b_many = l_block(e, "many"),
                      b_done = l_block(e, "done");
    LLVMValueRef v_is_one =
        LLVMBuildICmp(e->builder, LLVMIntEQ, r->v_rows, l_i64(e, 1), "");
    LLVMBuildCondBr(e->builder, v_is_one, b_one, b_many);
    LLVMPositionBuilderAtEnd(e->builder, b_one);
    at.way = CPU_TILE_OF_ONE;
    cpu_call_stage(r, s, &at, v_count);
    LLVMBuildBr(e->builder, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_many);
    struct l_loop loop = l_loop_begin(e, l_i64(e, 0), v_count, l_i64(e, 1));
    at.way = CPU_STEP;
    at.v_local = loop.v_index;
    cpu_call_stage(r, s, &at, r->v_rows);
    l_loop_end(e, &loop);
    LLVMBuildBr(e->builder, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_done);
}

struct sweep_stages {
    struct cpu_stage *own;    /* by stage; unused for scans */
    struct cpu_stage **steps; /* by stage, of scans: the stages of a step */
};

static int emit_functions(struct cpu_run *r, const struct gruc_group *group,
                          struct sweep_stages *out)
{
    struct cpu_emitter *e = r->e;
    out->own = GRUC_NEW_ARRAY(e->arena, struct cpu_stage, group->n_stages);
    out->steps = GRUC_NEW_ARRAY(e->arena, struct cpu_stage *, group->n_stages);
    if (out->own == NULL || out->steps == NULL)
        return 0;
    for (size_t i = 0; i < group->n_stages && !e->failed; i++) {
        const struct gruc_stage *stage = &group->stages[i];
        if (stage->kind != GRUC_STAGE_SCAN) {
            cpu_emit_stage(e, stage, 0, &out->own[i]);
            continue;
        }
        out->steps[i] = GRUC_NEW_ARRAY(e->arena, struct cpu_stage, stage->body->n_stages);
        if (out->steps[i] == NULL)
            return 0;
        int unrolled = (int)gruc_op_integer(&e->ir->ops[stage->ops[0]], GRUC_ATTRIBUTE_UNROLL, 0);
        for (size_t k = 0; k < stage->body->n_stages && !e->failed; k++)
            cpu_emit_stage(e, &stage->body->stages[k], !unrolled, &out->steps[i][k]);
    }
    return !e->failed;
}

/* unroll: true with a known number of steps: the steps one after the other, tile by tile. */
static void emit_unrolled(struct cpu_run *r, const struct gruc_group *group,
                          const struct sweep_stages *stages)
{
    struct cpu_emitter *e = r->e;
    struct cpu_position at = {.way = CPU_STEP, .v_total = l_i64(e, group->steps.factor)};
    for (uint32_t step = 0; step < group->steps.factor; step++) {
        at.v_tile_first = l_i64(e, step);
        at.v_local = l_i64(e, 0);
        for (size_t i = 0; i < group->n_stages; i++) {
            if (group->stages[i].kind == GRUC_STAGE_SCAN)
                emit_step(r, &group->stages[i], stages->steps[i], &at);
            else
                cpu_call_stage(r, &stages->own[i], &at, r->v_rows);
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

static void emit_sweep(struct cpu_run *r, const struct gruc_group *group)
{
    struct cpu_emitter *e = r->e;
    struct sweep_stages stages;
    if (!emit_functions(r, group, &stages)) {
        e->failed = 1;
        return;
    }
    for (size_t i = 0; i < group->n_stages; i++)
        if (group->stages[i].kind == GRUC_STAGE_SCAN)
            begin_scan(r, &group->stages[i]);
    if (is_unrolled(e, group)) {
        emit_unrolled(r, group, &stages);
        return;
    }
    struct cpu_position at = {.v_total = cpu_steps_value(r, group->steps)};
    LLVMValueRef v_tile = LLVMBuildUDiv(e->builder, r->v_tile_rows, r->v_rows, "");
    struct l_loop loop = l_loop_begin(e, l_i64(e, 0), at.v_total, v_tile);
    at.v_tile_first = loop.v_index;
    LLVMValueRef v_left = LLVMBuildSub(e->builder, at.v_total, loop.v_index, "");
    LLVMValueRef v_short = LLVMBuildICmp(e->builder, LLVMIntULT, v_left, v_tile, "");
    LLVMValueRef v_count = LLVMBuildSelect(e->builder, v_short, v_left, v_tile, "");
    for (size_t i = 0; i < group->n_stages; i++) {
        if (group->stages[i].kind == GRUC_STAGE_SCAN)
            emit_scan_tile(r, &group->stages[i], stages.steps[i], at, v_count);
        else
            emit_tile_stage(r, &stages.own[i], at, v_count);
    }
    l_loop_end(e, &loop);
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
        r.v_batch = cpu_load_slot(e, r.v_args, CPU_SLOT_batch, e->t_i64);
        r.v_flags = cpu_load_slot(e, r.v_args, CPU_SLOT_flags, e->t_i64);
        r.v_state = cpu_load_slot(e, r.v_args, CPU_SLOT_state, e->t_ptr);
        for (unsigned i = 0; i < e->ir->n_symbols; i++)
            r.v_steps[i] = cpu_load_slot(e, r.v_args, CPU_SLOT_STEPS + i, e->t_i64);
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
        cpu_emit_started(&r);
    }
    *out_type = f.type;
    l_function_end(e, &f);
    return f.function;
}

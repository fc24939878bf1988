/* SPDX-License-Identifier: MIT */
/* run_batch: checks its arguments, then computes its rows group by group. */
#include "codegen/cpu/run.h"

#include <string.h>

static void return_if(struct cpu_emitter *e, LLVMValueRef v_condition, enum gruc_status status)
{
    if (LLVMIsAConstantInt(v_condition) && LLVMConstIntGetZExtValue(v_condition) == 0)
        return;
    LLVMBasicBlockRef b_return = l_block(e, "return"), b_go_on = l_block(e, "");
    LLVMBuildCondBr(e->builder, v_condition, b_return, b_go_on);
    LLVMPositionBuilderAtEnd(e->builder, b_return);
    LLVMBuildRet(e->builder, LLVMConstInt(e->t_i32, status, 0));
    LLVMPositionBuilderAtEnd(e->builder, b_go_on);
}

static LLVMValueRef differs(struct cpu_emitter *e, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildICmp(e->builder, LLVMIntNE, a, b, "");
}

static LLVMValueRef below(struct cpu_emitter *e, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildICmp(e->builder, LLVMIntULT, a, b, "");
}

static LLVMValueRef flag_set(struct cpu_run *r, uint64_t flag)
{
    struct cpu_emitter *e = r->e;
    return differs(e, LLVMBuildAnd(e->builder, r->v_flags, l_i64(e, flag), ""), l_i64(e, 0));
}

static int is_stateful(const struct gruc_ir *ir)
{
    for (size_t i = 0; i < ir->regions[0].n_ops; i++) {
        const struct gruc_op *op = &ir->ops[ir->regions[0].ops[i]];
        if (op->code == GRUC_OP_FINAL_STATE &&
            gruc_op_integer(op, GRUC_ATTRIBUTE_RULE, 0) != GRUC_STATE_CARRY)
            return 1;
    }
    return 0;
}

static void check_arguments(struct cpu_run *r)
{
    struct cpu_emitter *e = r->e;
    LLVMValueRef v_abi = cpu_load_slot(e, r->v_args, CPU_SLOT_abi, e->t_i64);
    return_if(e, differs(e, v_abi, l_i64(e, GRUC_ABI_VERSION)), GRUC_ERROR_ABI);
    if (e->info->batch != 0)
        return_if(e, differs(e, r->v_batch, l_i64(e, e->info->batch)), GRUC_ERROR_BATCH);
    return_if(e, below(e, r->v_batch, r->v_first), GRUC_ERROR_ARGUMENT);
    LLVMValueRef v_left = LLVMBuildSub(e->builder, r->v_batch, r->v_first, "");
    return_if(e, below(e, v_left, r->v_rows), GRUC_ERROR_ARGUMENT);
    LLVMValueRef v_shares = cpu_load_slot(e, r->v_args, CPU_SLOT_shares, e->t_i64);
    LLVMValueRef v_arrive = cpu_load_slot(e, r->v_args, CPU_SLOT_arrive, e->t_ptr);
    LLVMValueRef v_wait = cpu_load_slot(e, r->v_args, CPU_SLOT_wait, e->t_ptr);
    LLVMValueRef v_several = below(e, l_i64(e, 1), v_shares);
    LLVMValueRef v_share = cpu_load_slot(e, r->v_args, CPU_SLOT_share, e->t_i64);
    LLVMValueRef v_wrong = LLVMBuildOr(e->builder, LLVMBuildIsNull(e->builder, v_arrive, ""),
                                       LLVMBuildIsNull(e->builder, v_wait, ""), "");
    if (e->info->unit_threads <= 1)
        v_wrong = LLVMConstInt(e->t_i1, 1, 0);
    v_wrong = LLVMBuildOr(e->builder, v_wrong,
                            LLVMBuildNot(e->builder, below(e, v_share, v_shares), ""), "");
    return_if(e, LLVMBuildAnd(e->builder, v_several, v_wrong, ""), GRUC_ERROR_ARGUMENT);
    if (e->info->flags & GRUC_MODULE_COUPLED)
        return_if(e, differs(e, r->v_rows, r->v_batch), GRUC_ERROR_ARGUMENT);
    for (uint32_t i = 0; i < e->info->n_steps; i++) {
        LLVMValueRef v_wanted = l_i64(e, e->info->steps[i]);
        v_wrong = e->info->steps[i] != 0
                                   ? differs(e, r->v_steps[i], v_wanted)
                                   : LLVMBuildICmp(e->builder, LLVMIntEQ, r->v_steps[i],
                                                   l_i64(e, 0), "");
        return_if(e, v_wrong, GRUC_ERROR_STEPS);
    }
    if (e->info->state_bytes != 0) {
        LLVMValueRef v_missing = LLVMBuildIsNull(e->builder, r->v_state, "");
        if (!is_stateful(e->ir))
            v_missing = LLVMBuildAnd(e->builder, v_missing, flag_set(r, GRUC_ARGS_CARRY), "");
        return_if(e, v_missing, GRUC_ERROR_ARGUMENT);
    }
}

/* A missing array is an error unless there is nothing to read or write. */
static void check_arrays(struct cpu_run *r)
{
    struct cpu_emitter *e = r->e;
    LLVMValueRef v_missing = LLVMConstInt(e->t_i1, 0, 0);
    uint32_t first = CPU_SLOT_STEPS + e->info->n_steps;
    uint32_t count = e->info->n_inputs + e->info->n_outputs;
    for (uint32_t i = 0; i < count; i++) {
        LLVMValueRef v_array = cpu_load_slot(e, r->v_args, first + i, e->t_ptr);
        v_missing = LLVMBuildOr(e->builder, v_missing,
                                LLVMBuildIsNull(e->builder, v_array, ""), "");
    }
    return_if(e, v_missing, GRUC_ERROR_ARGUMENT);
}

/* Rows that are computed together, of the last group fewer: groups are of nearly equal size, whole
 * blocks, none above row_group. */
static LLVMValueRef most_rows(struct cpu_run *r)
{
    struct cpu_emitter *e = r->e;
    LLVMValueRef v_most = l_i64(e, e->info->row_group), v_one = l_i64(e, 1);
    LLVMValueRef v_last = LLVMBuildSub(e->builder, r->v_rows, v_one, "");
    LLVMValueRef v_groups = l_add(e, LLVMBuildUDiv(e->builder, v_last, v_most, ""), v_one);
    LLVMValueRef v_each = l_add(e, LLVMBuildUDiv(e->builder, v_last, v_groups, ""),
                                l_i64(e, CPU_BLOCK_ROWS));
    v_each = LLVMBuildAnd(e->builder, v_each, l_i64(e, ~(uint64_t)(CPU_BLOCK_ROWS - 1)), "");
    return l_smaller(e, v_each, r->v_rows);
}

/* As many tile rows as the workspace holds besides the rest; fewer than a group's rows: error.
 * Where several tiles of a buffer leave too few, r keeps one. */
static LLVMValueRef tile_rows(struct cpu_run *r, LLVMValueRef v_group_rows)
{
    struct cpu_emitter *e = r->e;
    r->v_apart = l_i64(e, 1);
    if (e->one_step)
        return l_i64(e, 1);
    LLVMValueRef v_row = l_i64(e, e->info->workspace_row);
    for (uint32_t i = 0; i < e->info->n_steps; i++) {
        LLVMValueRef v_each = l_i64(e, e->info->workspace_row_step[i]);
        v_row = l_add(e, v_row, l_mul(e, r->v_steps[i], v_each));
    }
    LLVMValueRef v_rest = l_add(e, l_i64(e, e->info->workspace_fixed),
                                l_mul(e, v_row, v_group_rows));
    LLVMValueRef v_bytes = cpu_load_slot(e, r->v_args, CPU_SLOT_workspace_bytes, e->t_i64);
    return_if(e, below(e, v_bytes, v_rest), GRUC_ERROR_WORKSPACE);
    LLVMValueRef v_most = l_i64(e, e->info->tile_rows);
    if (e->info->workspace_tile == 0)
        return v_most;
    LLVMValueRef v_room = LLVMBuildSub(e->builder, v_bytes, v_rest, "");
    LLVMValueRef v_rows =
        LLVMBuildUDiv(e->builder, v_room, l_i64(e, e->info->workspace_tile), "");
    uint64_t least = cpu_least_tile(e->schedule);
    if (least < e->info->workspace_tile) {
        LLVMValueRef v_more = LLVMBuildUDiv(e->builder, v_room, l_i64(e, least), "");
        LLVMValueRef v_few = below(e, v_rows, l_i64(e, cpu_trail_rows(e)));
        v_rows = LLVMBuildSelect(e->builder, v_few, v_more, v_rows, "");
        r->v_apart = LLVMBuildSelect(e->builder, v_few, l_i64(e, 0), l_i64(e, 1), "");
    }
    return_if(e, below(e, v_rows, v_group_rows), GRUC_ERROR_WORKSPACE);
    return l_smaller(e, v_most, v_rows);
}

/* NAME_step's calls are alike but for the addresses. */
static void load_step(struct cpu_run *r)
{
    struct cpu_emitter *e = r->e;
    r->v_first = l_i64(e, 0);
    r->v_batch = r->v_rows = r->v_tile_rows = l_i64(e, 1);
    r->v_flags = l_i64(e, GRUC_ARGS_CARRY);
    for (unsigned i = 0; i < e->ir->n_symbols; i++)
        r->v_steps[i] = l_i64(e, e->info->steps[i] != 0 ? e->info->steps[i] : 1);
}

void cpu_load_call(struct cpu_run *r)
{
    struct cpu_emitter *e = r->e;
    r->v_state = cpu_load_slot(e, r->v_args, CPU_SLOT_state, e->t_ptr);
    if (e->one_step) {
        load_step(r);
        return;
    }
    r->v_batch = cpu_load_slot(e, r->v_args, CPU_SLOT_batch, e->t_i64);
    r->v_flags = cpu_load_slot(e, r->v_args, CPU_SLOT_flags, e->t_i64);
    for (unsigned i = 0; i < e->ir->n_symbols; i++)
        r->v_steps[i] = cpu_load_slot(e, r->v_args, CPU_SLOT_STEPS + i, e->t_i64);
}

/* Whether each id is looked at before a call begins. */
static int reads_ids(const struct gruc_schedule *schedule)
{
    for (size_t g = 0; g < schedule->n_groups; g++)
        for (size_t i = 0; i < schedule->groups[g].n_stages; i++)
            if (schedule->groups[g].stages[i].kind == GRUC_STAGE_EMBED)
                return 1;
    return 0;
}

LLVMValueRef cpu_emit_run(struct cpu_emitter *e, const char *name)
{
    LLVMTypeRef group_type;
    LLVMValueRef group = cpu_emit_group(e, &group_type);
    LLVMValueRef run = LLVMAddFunction(e->module, name,
                                       LLVMFunctionType(e->t_i32, &e->t_ptr, 1, 0));
    LLVMAddAttributeAtIndex(run, LLVMAttributeFunctionIndex,
                            LLVMCreateStringAttribute(e->context, "no-builtins", 11, "", 0));
    if (!e->one_step && !reads_ids(e->schedule)) {
        /* It runs once a call and has no loop to speak of: code as it stands compiles faster. */
        l_attribute(e, run, "optnone");
        l_attribute(e, run, "noinline");
    }
    e->function = run;
    LLVMPositionBuilderAtEnd(e->builder, l_block(e, "entry"));
    struct cpu_run r = {.e = e, .v_args = LLVMGetParam(run, 0)};
    r.v_first = cpu_load_slot(e, r.v_args, CPU_SLOT_first_row, e->t_i64);
    r.v_rows = cpu_load_slot(e, r.v_args, CPU_SLOT_row_count, e->t_i64);
    cpu_load_call(&r);
    check_arguments(&r);
    LLVMValueRef v_is_empty =
        LLVMBuildICmp(e->builder, LLVMIntEQ, r.v_rows, l_i64(e, 0), "");
    return_if(e, v_is_empty, GRUC_OK);
    check_arrays(&r);
    LLVMBasicBlockRef b_bad = l_block(e, "bad_id"), b_after = l_block(e, "valid");
    cpu_emit_validate(&r, b_bad);
    LLVMBuildBr(e->builder, b_after);
    LLVMPositionBuilderAtEnd(e->builder, b_bad);
    LLVMBuildRet(e->builder, LLVMConstInt(e->t_i32, GRUC_ERROR_ID, 0));
    LLVMPositionBuilderAtEnd(e->builder, b_after);
    return_if(e, flag_set(&r, GRUC_ARGS_VALIDATE), GRUC_OK);
    LLVMValueRef v_most = most_rows(&r), v_tile_rows = tile_rows(&r, v_most);
    LLVMValueRef v_given = cpu_emit_given_bits(&r);
    struct l_loop loop = l_loop_begin(e, l_i64(e, 0), r.v_rows, v_most);
    LLVMValueRef v_left = LLVMBuildSub(e->builder, r.v_rows, loop.v_index, "");
    LLVMValueRef arguments[] = {e->v_blob, r.v_args, l_add(e, r.v_first, loop.v_index),
                                l_smaller(e, v_left, v_most), v_tile_rows, v_given, r.v_apart};
    LLVMBuildCall2(e->builder, group_type, group, arguments, 7, "");
    l_loop_end(e, &loop);
    LLVMBuildRet(e->builder, LLVMConstInt(e->t_i32, GRUC_OK, 0));
    return run;
}

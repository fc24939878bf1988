/* SPDX-License-Identifier: MIT */
/* The functions of a module's C header around run_batch. */
#include "codegen/cpu/run.h"

#include <stdio.h>
#include <string.h>

#include "codegen/entry_points.h"

enum { NAME_BYTES = GRUC_ABI_NAME_BYTES + 32, ENTRY_PARAMETERS = 256, TILE_STACK = 48 * 1024 };

struct entry {
    struct cpu_emitter *e;
    LLVMValueRef v_run;
    const struct cpu_variant *step;
    LLVMTypeRef run_type;
};

static LLVMValueRef begin_entry(struct entry *n, const char *suffix, LLVMTypeRef result,
                                LLVMTypeRef *parameters, unsigned count)
{
    struct cpu_emitter *e = n->e;
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%s_%s", e->ir->name, suffix);
    LLVMValueRef f = LLVMAddFunction(e->module, name,
                                     LLVMFunctionType(result, parameters, count, 0));
    LLVMAddAttributeAtIndex(f, LLVMAttributeFunctionIndex,
                            LLVMCreateStringAttribute(e->context, "no-builtins", 11, "", 0));
    e->function = f;
    LLVMPositionBuilderAtEnd(e->builder, l_block(e, "entry"));
    return f;
}

static LLVMValueRef constant_bytes(struct cpu_emitter *e, const char *name, const void *bytes,
                                   size_t length)
{
    LLVMValueRef v_bytes = l_bytes(e->context, bytes, length);
    LLVMValueRef global = LLVMAddGlobal(e->module, LLVMTypeOf(v_bytes), name);
    LLVMSetInitializer(global, v_bytes);
    LLVMSetGlobalConstant(global, 1);
    LLVMSetLinkage(global, LLVMInternalLinkage);
    LLVMSetAlignment(global, 8);
    return global;
}

static void emit_address_of(struct entry *n, const char *suffix, LLVMValueRef v_global)
{
    begin_entry(n, suffix, n->e->t_ptr, NULL, 0);
    LLVMBuildRet(n->e->builder, v_global);
}

static void emit_reset(struct entry *n)
{
    struct cpu_emitter *e = n->e;
    LLVMValueRef f = begin_entry(n, "reset", e->t_void, &e->t_ptr, 1);
    uint64_t words = e->info->state_bytes / 8;
    struct l_loop loop = l_loop_begin(e, l_i64(e, 0), l_i64(e, words), l_i64(e, 1));
    LLVMValueRef v_at = l_mul(e, loop.v_index, l_i64(e, 8));
    l_store(e, l_i64(e, 0), l_offset(e, LLVMGetParam(f, 0), v_at), 8);
    l_loop_end(e, &loop);
    LLVMBuildRetVoid(e->builder);
}

/* Bytes of workspace for one row on the stack. */
static uint64_t stack_bytes(const struct cpu_emitter *e, const struct gruc_module_info *info,
                            int is_step)
{
    uint64_t bytes = info->workspace_fixed + info->workspace_row;
    for (uint32_t i = 0; i < info->n_steps; i++)
        bytes += info->workspace_row_step[i] * (info->steps[i] != 0 ? info->steps[i] : 1);
    uint64_t rows = 1, tile = info->workspace_tile;
    if (!is_step && tile != 0 && bytes < TILE_STACK) {
        if ((TILE_STACK - bytes) / tile < cpu_trail_rows(e))
            tile = cpu_least_tile(e->schedule);
        rows = (TILE_STACK - bytes) / tile;
    }
    rows = rows < 1 ? 1 : rows > info->tile_rows ? info->tile_rows : rows;
    return bytes + rows * tile;
}

static void set_slot(struct cpu_emitter *e, LLVMValueRef v_args, unsigned slot, LLVMValueRef v)
{
    l_store(e, v, l_offset(e, v_args, l_i64(e, (uint64_t)slot * 8)), 8);
}

/* NAME_step(state, inputs, outputs) and NAME_run(state, inputs, dynamic steps, outputs): one row,
 * continuing from state. */
static void emit_one_row(struct entry *n, int is_step)
{
    struct cpu_emitter *e = n->e;
    const struct gruc_module_info *info = is_step ? n->step->info : e->info;
    LLVMTypeRef parameters[ENTRY_PARAMETERS];
    unsigned count = 0;
    if (info->n_inputs + info->n_outputs + info->n_steps + 1 > ENTRY_PARAMETERS) {
        e->failed = 1;
        return;
    }
    parameters[count++] = e->t_ptr;
    for (uint32_t i = 0; i < info->n_inputs; i++)
        parameters[count++] = e->t_ptr;
    for (uint32_t i = 0; !is_step && i < info->n_steps; i++)
        if (info->steps[i] == 0)
            parameters[count++] = e->t_i64;
    for (uint32_t i = 0; i < info->n_outputs; i++)
        parameters[count++] = e->t_ptr;
    LLVMValueRef f = begin_entry(n, is_step ? "step" : "run", e->t_i32, parameters, count);
    unsigned slots = CPU_SLOT_STEPS + info->n_steps + info->n_inputs + info->n_outputs;
    LLVMValueRef v_args = LLVMBuildAlloca(e->builder, LLVMArrayType(e->t_i64, slots), "args");
    uint64_t bytes = stack_bytes(e, info, is_step);
    LLVMValueRef v_work = LLVMBuildAlloca(
        e->builder, LLVMArrayType(e->t_i8, (unsigned)(bytes == 0 ? 1 : bytes)), "workspace");
    LLVMSetAlignment(v_work, GRUC_ABI_ALIGNMENT);
    set_slot(e, v_args, CPU_SLOT_abi, l_i64(e, GRUC_ABI_VERSION));
    set_slot(e, v_args, CPU_SLOT_flags, l_i64(e, GRUC_ARGS_CARRY));
    set_slot(e, v_args, CPU_SLOT_batch, l_i64(e, 1));
    set_slot(e, v_args, CPU_SLOT_first_row, l_i64(e, 0));
    set_slot(e, v_args, CPU_SLOT_row_count, l_i64(e, 1));
    set_slot(e, v_args, CPU_SLOT_state, LLVMGetParam(f, 0));
    set_slot(e, v_args, CPU_SLOT_workspace, v_work);
    set_slot(e, v_args, CPU_SLOT_workspace_bytes, l_i64(e, bytes));
    set_slot(e, v_args, CPU_SLOT_share, l_i64(e, 0));
    set_slot(e, v_args, CPU_SLOT_shares, l_i64(e, 1));
    unsigned parameter = 1, slot = CPU_SLOT_STEPS + info->n_steps;
    for (uint32_t i = 0; i < info->n_inputs; i++)
        set_slot(e, v_args, slot++, LLVMGetParam(f, parameter++));
    for (uint32_t i = 0; i < info->n_steps; i++) {
        LLVMValueRef v = l_i64(e, info->steps[i] != 0 ? info->steps[i] : 1);
        if (!is_step && info->steps[i] == 0)
            v = LLVMGetParam(f, parameter++);
        set_slot(e, v_args, CPU_SLOT_STEPS + i, v);
    }
    for (uint32_t i = 0; i < info->n_outputs; i++)
        set_slot(e, v_args, slot++, LLVMGetParam(f, parameter++));
    LLVMValueRef v = LLVMBuildCall2(e->builder, n->run_type, n->v_run, &v_args, 1, "");
    LLVMBuildRet(e->builder, v);
}

/* A run_batch of its own for NAME_step, which it becomes part of. */
static void emit_step(struct entry *n)
{
    struct cpu_emitter *e = n->e;
    struct cpu_variant whole = {e->ir, e->schedule, e->info};
    LLVMValueRef v_run = n->v_run;
    cpu_select_variant(e, n->step);
    e->one_step = 1;
    n->v_run = cpu_emit_run(e, "run_step");
    e->one_step = 0;
    cpu_select_variant(e, &whole);
    LLVMSetLinkage(n->v_run, LLVMInternalLinkage);
    l_attribute(e, n->v_run, "alwaysinline");
    emit_one_row(n, 1);
    n->v_run = v_run;
}

void cpu_emit_entries(struct cpu_emitter *e, LLVMValueRef v_run, const struct cpu_variant *step,
                      const char *extra, int with_entry)
{
    struct entry n = {.e = e, .v_run = v_run, .step = step,
                      .run_type = LLVMFunctionType(e->t_i32, &e->t_ptr, 1, 0)};
    LLVMValueRef v_info = constant_bytes(e, "module", e->info, e->info->bytes);
    LLVMValueRef v_text = constant_bytes(e, "text", extra, strlen(extra) + 1);
    emit_address_of(&n, "describe", v_info);
    emit_address_of(&n, "info", v_text);
    if (e->info->state_bytes > 0)
        emit_reset(&n);
    if (gruc_entry_refuses_run(e->info) == NULL)
        emit_one_row(&n, 0);
    if (gruc_entry_refuses_step(e->info) == NULL)
        emit_step(&n);
    if (!with_entry)
        return;
    LLVMTypeRef describe_type = LLVMFunctionType(e->t_ptr, NULL, 0, 0);
    LLVMValueRef describe = LLVMAddFunction(e->module, GRUC_ENTRY_DESCRIBE, describe_type);
    e->function = describe;
    LLVMPositionBuilderAtEnd(e->builder, l_block(e, "entry"));
    LLVMBuildRet(e->builder, v_info);
    LLVMValueRef run = LLVMAddFunction(e->module, GRUC_ENTRY_RUN, n.run_type);
    e->function = run;
    LLVMPositionBuilderAtEnd(e->builder, l_block(e, "entry"));
    LLVMValueRef v_args = LLVMGetParam(run, 0);
    LLVMBuildRet(e->builder, LLVMBuildCall2(e->builder, n.run_type, v_run, &v_args, 1, ""));
}

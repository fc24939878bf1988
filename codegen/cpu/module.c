/* SPDX-License-Identifier: MIT */
#include "codegen/cpu/module.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "codegen/cpu/companion.h"
#include "codegen/module_info.h"
#include "codegen/trace.h"

double cpu_clock(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

void cpu_trace_time(const struct gruc_trace *trace, const char *phase, double start)
{
    if (trace != NULL && trace->time_pass != NULL)
        trace->time_pass(trace->time_context, phase, cpu_clock() - start);
}

static void open_module(struct cpu_emitter *e)
{
    e->context = LLVMContextCreate();
    e->module = LLVMModuleCreateWithNameInContext(e->ir->name, e->context);
    e->builder = LLVMCreateBuilderInContext(e->context);
    LLVMSetTarget(e->module, e->target->triple);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(e->target->machine);
    LLVMSetModuleDataLayout(e->module, layout);
    LLVMDisposeTargetData(layout);
    if (e->target->abi != NULL) {
        LLVMMetadataRef abi =
            LLVMMDStringInContext2(e->context, e->target->abi, strlen(e->target->abi));
        LLVMAddModuleFlag(e->module, LLVMModuleFlagBehaviorError, "target-abi", 10, abi);
    }
    e->t_float = LLVMFloatTypeInContext(e->context);
    e->t_i1 = LLVMInt1TypeInContext(e->context);
    e->t_i8 = LLVMInt8TypeInContext(e->context);
    e->t_i32 = LLVMInt32TypeInContext(e->context);
    e->t_i64 = LLVMInt64TypeInContext(e->context);
    e->t_ptr = LLVMPointerTypeInContext(e->context, 0);
    e->t_void = LLVMVoidTypeInContext(e->context);
}

/* The weights are known only after emission; until then a global of no size stands for them. The
 * constant is a copy, which takes the place of the packed ones. */
static void place_weights(struct cpu_emitter *e)
{
    LLVMValueRef bytes =
        l_bytes(e->context, (const char *)e->blob.bytes, e->blob.size == 0 ? 0 : e->blob.size);
    LLVMValueRef global = LLVMAddGlobal(e->module, LLVMTypeOf(bytes), "weights");
    LLVMSetInitializer(global, bytes);
    LLVMSetGlobalConstant(global, 1);
    LLVMSetLinkage(global, LLVMInternalLinkage);
    LLVMSetAlignment(global, 64);
    LLVMReplaceAllUsesWith(e->v_blob, global);
    LLVMDeleteGlobal(e->v_blob);
    e->v_blob = global;
    cpu_blob_finish(&e->blob);
}

void cpu_select_variant(struct cpu_emitter *e, const struct cpu_variant *variant)
{
    e->ir = variant->ir;
    e->schedule = variant->schedule;
    e->info = variant->info;
}

static enum gruc_status emit(struct cpu_module *m, const struct cpu_variant *step,
                             enum cpu_weights weights, const char *extra, int with_entry,
                             struct gruc_diag *diag)
{
    struct cpu_emitter *e = &m->emitter;
    size_t n_values = e->ir->n_values;
    if (step->ir != NULL && step->ir->n_values > n_values)
        n_values = step->ir->n_values;
    e->local = GRUC_NEW_ARRAY(e->arena, uint32_t, n_values);
    if (e->local == NULL)
        return GRUC_ERROR_MEMORY;
    for (size_t i = 0; i < n_values; i++)
        e->local[i] = GRUC_NONE;
    open_module(e);
    e->v_blob = LLVMAddGlobal(e->module, e->t_i8, CPU_WEIGHTS_SYMBOL);
    LLVMSetGlobalConstant(e->v_blob, 1);
    char name[GRUC_ABI_NAME_BYTES + 16];
    snprintf(name, sizeof name, "%s_run_batch", e->ir->name);
    LLVMValueRef v_run = cpu_emit_run(e, extra == NULL ? CPU_RUN_SYMBOL : name);
    if (extra != NULL && !e->failed)
        cpu_emit_entries(e, v_run, step, extra, with_entry);
    if (e->blob.failed)
        return GRUC_ERROR_MEMORY;
    if (e->unreadable != NULL)
        return gruc_tensor_unreadable(e->unreadable, diag);
    if (e->failed)
        return GRUC_ERROR_INTERNAL;
    if (weights == CPU_WEIGHTS_INSIDE)
        place_weights(e);
    return GRUC_OK;
}

/* Checks what was emitted; only where nothing is optimized, which tests do with every model, since
 * it takes as long as emitting. */
static enum gruc_status check(const struct cpu_emitter *e, struct gruc_diag *diag)
{
    char *message = NULL;
    enum gruc_status status = GRUC_OK;
    if (LLVMVerifyModule(e->module, LLVMReturnStatusAction, &message)) {
        gruc_diag_error(diag, GRUC_E_INTERNAL, (struct gruc_mark){0}, "emitted code: %s", message);
        status = GRUC_ERROR_INTERNAL;
    }
    LLVMDisposeMessage(message);
    return status;
}

/* What emission leaves to do: make equal functions one, inline the steps, promote the few
 * variables, merge what is computed twice. Blocks are already scheduled, so nothing is vectorized,
 * unrolled or moved; the code generator itself moves out of loops what has room in registers. */
#define PASSES "always-inline,globaldce,function(sroa,early-cse)"
static enum gruc_status optimize(struct cpu_module *m, struct gruc_diag *diag)
{
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    const char *passes = m->emitter.has_shared ? "mergefunc," PASSES : PASSES;
    LLVMErrorRef error =
        LLVMRunPasses(m->emitter.module, passes, m->target.machine, options);
    LLVMDisposePassBuilderOptions(options);
    if (error == NULL)
        return GRUC_OK;
    char *text = LLVMGetErrorMessage(error);
    gruc_diag_error(diag, GRUC_E_INTERNAL, (struct gruc_mark){0}, "LLVM: %s", text);
    LLVMDisposeErrorMessage(text);
    return GRUC_ERROR_INTERNAL;
}

static enum gruc_status plan(struct cpu_emitter *e, struct cpu_variant *variant,
                             struct gruc_diag *diag)
{
    size_t bytes;
    GRUC_TRY(gruc_schedule_build(variant->ir, diag, &variant->schedule));
    GRUC_TRY(gruc_module_info_build(variant->ir, variant->ir->arena, &variant->info, &bytes));
    cpu_select_variant(e, variant);
    return GRUC_OK;
}

/* What NAME_step runs: one thread, one step, so every product stays in it. */
static enum gruc_status plan_step(struct cpu_emitter *e, const struct gruc_pass_options *passes,
                                  struct cpu_variant *step, struct gruc_diag *diag)
{
    struct gruc_pass_options options = *passes;
    options.one_step = 1;
    GRUC_TRY(gruc_passes_run(step->ir, GRUC_PASS_COUNT - 1, &options, NULL, NULL, diag));
    GRUC_TRY(plan(e, step, diag));
    step->info->unit_threads = 1;
    cpu_plan_workspace(step->schedule, &e->target->blocking, step->info);
    return GRUC_OK;
}

enum gruc_status cpu_module_plan(struct cpu_module *m, struct gruc_ir *ir,
                                 const struct gruc_target *target, const struct gruc_trace *trace,
                                 struct gruc_diag *diag, struct cpu_variant *step)
{
    *m = (struct cpu_module){0};
    double start = cpu_clock();
    GRUC_TRY(cpu_target_open(target, diag, &m->target));
    cpu_trace_time(trace, "target", start);
    struct gruc_pass_options options = {.accuracy = target->accuracy,
                                        .has_fma = m->target.has_fma,
                                        .weights = target->weights};
    struct cpu_variant whole = {.ir = ir};
    if (step != NULL)
        GRUC_TRY(gruc_ir_clone(ir, ir->arena, &step->ir));
    GRUC_TRY(gruc_trace_passes(ir, GRUC_PASS_COUNT - 1, &options, trace, diag));
    start = cpu_clock();
    struct cpu_emitter *e = &m->emitter;
    e->arena = ir->arena;
    e->target = &m->target;
    e->profile = target->profile;
    if (step != NULL)
        GRUC_TRY(plan_step(e, &options, step, diag));
    GRUC_TRY(plan(e, &whole, diag));
    cpu_plan_threads(e, whole.info);
    cpu_plan_companions(e);
    cpu_plan_workspace(e->schedule, &m->target.blocking, whole.info);
    m->info = whole.info;
    cpu_trace_time(trace, "schedule", start);
    return GRUC_OK;
}

enum gruc_status cpu_module_build(struct cpu_module *m, struct gruc_ir *ir,
                                  const struct gruc_target *target, enum cpu_weights weights,
                                  const char *extra, int with_entry,
                                  const struct gruc_trace *trace, struct gruc_diag *diag)
{
    struct cpu_variant step = {0};
    GRUC_TRY(cpu_module_plan(m, ir, target, trace, diag, extra != NULL ? &step : NULL));
    double start = cpu_clock();
    GRUC_TRY(emit(m, &step, weights, extra, with_entry, diag));
    if (target->optimization == 0)
        GRUC_TRY(check(&m->emitter, diag));
    cpu_trace_time(trace, "emit", start);
    start = cpu_clock();
    if (target->optimization > 0)
        GRUC_TRY(optimize(m, diag));
    cpu_trace_time(trace, "optimize", start);
    return GRUC_OK;
}

void cpu_module_finish(struct cpu_module *m)
{
    if (m->emitter.builder != NULL)
        LLVMDisposeBuilder(m->emitter.builder);
    if (m->emitter.module != NULL)
        LLVMDisposeModule(m->emitter.module);
    if (m->emitter.context != NULL)
        LLVMContextDispose(m->emitter.context);
    cpu_blob_finish(&m->emitter.blob);
    cpu_windows_finish(&m->emitter);
    cpu_target_finish(&m->target);
    *m = (struct cpu_module){0};
}

enum gruc_status cpu_module_generate(struct cpu_module *m, LLVMCodeGenFileType type,
                                     const struct gruc_trace *trace, struct gruc_diag *diag,
                                     LLVMMemoryBufferRef *out)
{
    double start = cpu_clock();
    char *error = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(m->target.machine, m->emitter.module, type, &error,
                                            out)) {
        gruc_diag_error(diag, GRUC_E_INTERNAL, (struct gruc_mark){0}, "LLVM: %s", error);
        LLVMDisposeMessage(error);
        return GRUC_ERROR_INTERNAL;
    }
    cpu_trace_time(trace, "generate", start);
    return GRUC_OK;
}

/* SPDX-License-Identifier: MIT */
/* The cpu back end: any model, through LLVM. */
#include "codegen/cpu/module.h"

static const char *refuses(const struct gruc_ir *ir, const struct gruc_target *target)
{
    (void)ir;
    (void)target;
    return NULL;
}

static enum gruc_status emit_llvm_ir(const struct cpu_module *m, struct gruc_strbuf *out)
{
    char *text = LLVMPrintModuleToString(m->emitter.module);
    gruc_strbuf_text(out, text);
    LLVMDisposeMessage(text);
    return out->failed ? GRUC_ERROR_MEMORY : GRUC_OK;
}

/* Finishes m before the code is copied: both hold the weights, which may be large. */
static enum gruc_status emit_code(struct cpu_module *m, LLVMCodeGenFileType type,
                                  const struct gruc_trace *trace, struct gruc_diag *diag,
                                  struct gruc_strbuf *out)
{
    LLVMMemoryBufferRef bytes;
    GRUC_TRY(cpu_module_generate(m, type, trace, diag, &bytes));
    cpu_module_finish(m);
    gruc_strbuf_append(out, LLVMGetBufferStart(bytes), LLVMGetBufferSize(bytes));
    LLVMDisposeMemoryBuffer(bytes);
    return out->failed ? GRUC_ERROR_MEMORY : GRUC_OK;
}

static enum gruc_status emit(struct gruc_ir *ir, const struct gruc_target *target,
                             enum gruc_artifact artifact, const char *extra,
                             const struct gruc_trace *trace, struct gruc_diag *diag,
                             struct gruc_strbuf *out)
{
    struct cpu_module m;
    enum gruc_status status =
        cpu_module_build(&m, ir, target, CPU_WEIGHTS_INSIDE, extra,
                         artifact == GRUC_ARTIFACT_ENTRY, trace, diag);
    if (status == GRUC_OK && artifact == GRUC_ARTIFACT_LLVM_IR)
        status = emit_llvm_ir(&m, out);
    else if (status == GRUC_OK)
        status = emit_code(&m, artifact == GRUC_ARTIFACT_ASM ? LLVMAssemblyFile : LLVMObjectFile,
                           trace, diag, out);
    cpu_module_finish(&m);
    return status;
}

static enum gruc_status describe(struct gruc_ir *ir, const struct gruc_target *target,
                                 struct gruc_diag *diag, struct gruc_strbuf *out)
{
    struct cpu_module m;
    enum gruc_status status = cpu_module_plan(&m, ir, target, NULL, diag, NULL);
    if (status == GRUC_OK) {
        gruc_schedule_describe(m.emitter.schedule, out);
        cpu_describe_threads(&m.emitter, out);
        status = out->failed ? GRUC_ERROR_MEMORY : GRUC_OK;
    }
    cpu_module_finish(&m);
    return status;
}

static enum gruc_status plan(struct gruc_ir *ir, const struct gruc_target *target,
                             struct gruc_diag *diag, struct gruc_plan *out)
{
    struct cpu_module m;
    struct gruc_strbuf threads;
    gruc_strbuf_init(&threads);
    enum gruc_status status = cpu_module_plan(&m, ir, target, NULL, diag, NULL);
    if (status == GRUC_OK) {
        cpu_describe_threads(&m.emitter, &threads);
        *out = (struct gruc_plan){
            .schedule = m.emitter.schedule, .info = m.info,
            .threads = gruc_arena_text(ir->arena, threads.length > 0 ? threads.text : "",
                                       threads.length)};
        status = threads.failed || out->threads == NULL ? GRUC_ERROR_MEMORY : GRUC_OK;
    }
    gruc_strbuf_finish(&threads);
    cpu_module_finish(&m);
    return status;
}

const struct gruc_backend gruc_backend_cpu = {
    .name = "cpu",
    .help = "machine code through LLVM, for this CPU or another",
    .refuses = refuses,
    .jit = cpu_jit,
    .emit = emit,
    .describe = describe,
    .plan = plan,
    .facts = cpu_facts,
    .targets = cpu_targets,
    .resolve = cpu_resolve,
};

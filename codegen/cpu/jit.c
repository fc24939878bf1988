/* SPDX-License-Identifier: MIT */
/* Code for this process: objects as would be written to a file, loaded. The packed weights
 * stay outside it, so they are never copied through LLVM. */
#include "codegen/cpu/module.h"

#include <stdlib.h>
#include <string.h>

#include "ir/base/digest.h"

struct jit {
    LLVMOrcLLJITRef lljit;
    struct cpu_blob weights;
    struct gruc_module_info *info;
    int (*run)(const struct gruc_args *args);
    uint64_t digest;
};

static int run_jit(void *context, const struct gruc_args *args)
{
    return ((struct jit *)context)->run(args);
}

static void release_jit(void *context)
{
    struct jit *jit = context;
    if (jit == NULL)
        return;
    if (jit->lljit != NULL)
        LLVMConsumeError(LLVMOrcDisposeLLJIT(jit->lljit));
    cpu_blob_finish(&jit->weights);
    free(jit->info);
    free(jit);
}

static enum gruc_status report(struct gruc_diag *diag, LLVMErrorRef error)
{
    char *text = LLVMGetErrorMessage(error);
    gruc_diag_error(diag, GRUC_E_INTERNAL, (struct gruc_mark){0}, "LLVM: %s", text);
    LLVMDisposeErrorMessage(text);
    return GRUC_ERROR_INTERNAL;
}

static LLVMErrorRef define_weights(struct jit *jit)
{
    LLVMOrcCSymbolMapPair pair = {
        .Name = LLVMOrcLLJITMangleAndIntern(jit->lljit, CPU_WEIGHTS_SYMBOL),
        .Sym = {.Address = (LLVMOrcExecutorAddress)(uintptr_t)jit->weights.bytes,
                .Flags = {.GenericFlags = LLVMJITSymbolGenericFlagsExported}}};
    return LLVMOrcJITDylibDefine(LLVMOrcLLJITGetMainJITDylib(jit->lljit),
                                 LLVMOrcAbsoluteSymbols(&pair, 1));
}

/* Takes the objects over, on failure too. */
static enum gruc_status load(struct jit *jit, struct cpu_objects *objects, struct gruc_diag *diag)
{
    LLVMErrorRef error = LLVMOrcCreateLLJIT(&jit->lljit, NULL);
    if (error == NULL)
        error = define_weights(jit);
    while (error == NULL && objects->count > 0)
        error = LLVMOrcLLJITAddObjectFile(jit->lljit, LLVMOrcLLJITGetMainJITDylib(jit->lljit),
                                          objects->objects[--objects->count]);
    cpu_objects_finish(objects);
    LLVMOrcExecutorAddress address = 0;
    if (error == NULL)
        error = LLVMOrcLLJITLookup(jit->lljit, &address, CPU_RUN_SYMBOL);
    if (error != NULL)
        return report(diag, error);
    uintptr_t function = (uintptr_t)address;
    memcpy(&jit->run, &function, sizeof jit->run);
    return GRUC_OK;
}

static enum gruc_status build(struct jit *jit, struct cpu_module *m, struct cpu_crew *crew,
                              const struct gruc_trace *trace, struct gruc_diag *diag)
{
    jit->weights = m->emitter.blob; /* handed over, not copied: they may be large */
    m->emitter.blob = (struct cpu_blob){0};
    jit->info = malloc(m->info->bytes);
    if (jit->info == NULL)
        return GRUC_ERROR_MEMORY;
    memcpy(jit->info, m->info, m->info->bytes);
    struct cpu_objects objects;
    GRUC_TRY(cpu_module_generate_objects(m, crew, trace, diag, &objects));
    jit->digest = gruc_digest_start;
    for (size_t i = 0; i < objects.count; i++)
        jit->digest =
            gruc_digest_bytes(jit->digest, LLVMGetBufferStart(objects.objects[i]),
                              LLVMGetBufferSize(objects.objects[i]));
    double start = cpu_clock();
    GRUC_TRY(load(jit, &objects, diag));
    cpu_trace_time(trace, "load", start);
    return GRUC_OK;
}

enum gruc_status cpu_jit(struct gruc_ir *ir, const struct gruc_target *target,
                         const struct gruc_trace *trace, struct gruc_diag *diag,
                         struct gruc_jit_code *out)
{
    struct cpu_module m;
    struct jit *jit = calloc(1, sizeof *jit);
    if (jit == NULL)
        return GRUC_ERROR_MEMORY;
    struct cpu_crew *crew = cpu_crew_begin();
    enum gruc_status status =
        cpu_module_build(&m, ir, target, CPU_WEIGHTS_OUTSIDE, NULL, 0, trace, diag);
    if (status == GRUC_OK)
        status = build(jit, &m, crew, trace, diag);
    cpu_crew_end(crew);
    cpu_module_finish(&m);
    if (status != GRUC_OK) {
        release_jit(jit);
        return status;
    }
    *out = (struct gruc_jit_code){
        .info = jit->info, .run = run_jit, .release = release_jit, .context = jit,
        .digest = jit->digest};
    return GRUC_OK;
}

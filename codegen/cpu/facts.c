/* SPDX-License-Identifier: MIT */
/* What others ask of the code: its description and stack use for a header, its target by name. */
#include "codegen/cpu/module.h"

#include <stdlib.h>
#include <string.h>

/* Return address, and what aligning the frame to 64 bytes may cost; not in LLVM's figure. */
enum { FRAME_EXTRA = 80 };

/* LLVM says "stack frame size (N) exceeds limit (0) in function 'NAME'". */
static void add_frame(LLVMDiagnosticInfoRef diagnostic, void *context)
{
    uint64_t *bytes = context;
    char *text = LLVMGetDiagInfoDescription(diagnostic);
    const char *number = strstr(text, "stack frame size (");
    if (number != NULL)
        *bytes += strtoull(strchr(number, '(') + 1, NULL, 10);
    LLVMDisposeMessage(text);
}

/* Asks LLVM to tell each function's frame; answers how many functions there are. */
static uint64_t watch_frames(LLVMContextRef context, LLVMModuleRef module)
{
    uint64_t count = 0;
    LLVMAttributeRef attribute = LLVMCreateStringAttribute(context, "warn-stack-size", 15, "0", 1);
    LLVMValueRef f = LLVMGetFirstFunction(module);
    for (; f != NULL; f = LLVMGetNextFunction(f)) {
        if (LLVMIsDeclaration(f))
            continue;
        LLVMAddAttributeAtIndex(f, LLVMAttributeFunctionIndex, attribute);
        count++;
    }
    return count;
}

enum gruc_status cpu_facts(struct gruc_ir *ir, const struct gruc_target *target,
                           struct gruc_diag *diag, struct gruc_facts *out)
{
    struct cpu_module m;
    uint64_t frames = 0;
    enum gruc_status status =
        cpu_module_build(&m, ir, target, CPU_WEIGHTS_INSIDE, "", 0, NULL, diag);
    if (status == GRUC_OK) {
        LLVMMemoryBufferRef bytes;
        uint64_t count = watch_frames(m.emitter.context, m.emitter.module);
        LLVMContextSetDiagnosticHandler(m.emitter.context, add_frame, &frames);
        status = cpu_module_generate(&m, LLVMObjectFile, NULL, diag, &bytes);
        if (status == GRUC_OK)
            LLVMDisposeMemoryBuffer(bytes);
        /* No function calls itself, so no call is deeper than all frames together. */
        *out = (struct gruc_facts){.info = m.info, .stack_bytes = frames + count * FRAME_EXTRA};
    }
    cpu_module_finish(&m);
    return status;
}

enum gruc_status cpu_targets(struct gruc_strbuf *out)
{
    static const char *const emitted[] = {"x86-64", "aarch64", "riscv64"};
    cpu_initialize_llvm(0);
    char *triple = LLVMGetDefaultTargetTriple(), *cpu = LLVMGetHostCPUName();
    gruc_strbuf_format(out, "%s, cpu %s\n", triple, cpu);
    LLVMDisposeMessage(triple);
    LLVMDisposeMessage(cpu);
    for (size_t i = 0; i < sizeof emitted / sizeof emitted[0]; i++) {
        LLVMTargetRef target = LLVMGetTargetFromName(emitted[i]);
        if (target != NULL && LLVMTargetHasTargetMachine(target))
            gruc_strbuf_format(out, "%s: %s\n", emitted[i], LLVMGetTargetDescription(target));
    }
    return out->failed ? GRUC_ERROR_MEMORY : GRUC_OK;
}

enum gruc_status cpu_resolve(const struct gruc_target *target, struct gruc_arena *arena,
                             struct gruc_diag *diag, struct gruc_resolved *out)
{
    struct cpu_target opened;
    enum gruc_status status = cpu_target_open(target, diag, &opened);
    if (status == GRUC_OK) {
        out->triple = gruc_arena_text(arena, opened.triple, strlen(opened.triple));
        out->cpu = gruc_arena_text(arena, opened.cpu, strlen(opened.cpu));
        out->features = gruc_arena_text(arena, opened.features, strlen(opened.features));
        if (out->triple == NULL || out->cpu == NULL || out->features == NULL)
            status = GRUC_ERROR_MEMORY;
    }
    cpu_target_finish(&opened);
    return status;
}

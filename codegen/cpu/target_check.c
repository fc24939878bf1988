/* SPDX-License-Identifier: MIT */
/* Whether LLVM knows a processor and its features. LLVM's C API does not tell: a wrong name makes
 * it print, or end the process. So a child process tries, and what it says is the answer. */
#include "codegen/cpu/target.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_BYTES = 256, CHILD_SECONDS = 20 };

/* Written last by a child that lived to the end. */
static const char done[] = "\n#done";

/* Names that every LLVM of their target has. */
static int is_usual(const char *cpu)
{
    static const char *const usual[] = {"",          "generic",   "generic-rv64", "x86-64",
                                        "x86-64-v2", "x86-64-v3", "x86-64-v4"};
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        if (strcmp(cpu, usual[i]) == 0)
            return 1;
    return 0;
}

static void end_child(const char *reason)
{
    ssize_t written = write(STDERR_FILENO, reason, strlen(reason));
    _exit(written < 0);
}

/* In the child: compiles an empty function; complaints go to answers. */
static void try_target(LLVMTargetRef target, const struct cpu_target *wanted, int answers)
{
    alarm(CHILD_SECONDS);
    dup2(answers, STDERR_FILENO);
    LLVMResetFatalErrorHandler();
    LLVMInstallFatalErrorHandler(end_child);
    LLVMTargetMachineRef machine =
        LLVMCreateTargetMachine(target, wanted->triple, wanted->cpu, wanted->features,
                                LLVMCodeGenLevelNone, LLVMRelocPIC, LLVMCodeModelDefault);
    LLVMContextRef context = LLVMContextCreate();
    LLVMModuleRef module = LLVMModuleCreateWithNameInContext("check", context);
    LLVMSetTarget(module, wanted->triple);
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(context), NULL, 0, 0);
    LLVMBuilderRef builder = LLVMCreateBuilderInContext(context);
    LLVMPositionBuilderAtEnd(builder, LLVMAppendBasicBlockInContext(
                                          context, LLVMAddFunction(module, "check", type), ""));
    LLVMBuildRetVoid(builder);
    LLVMMemoryBufferRef bytes;
    char *error = NULL;
    if (machine == NULL ||
        LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMObjectFile, &error, &bytes))
        end_child(error != NULL ? error : "no code generator");
    ssize_t written = write(answers, done, sizeof done - 1);
    _exit(written < 0);
}

static void read_answer(int file, char *out)
{
    size_t length = 0;
    for (;;) {
        char rest[ANSWER_BYTES];
        ssize_t count = read(file, rest, sizeof rest);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        size_t room = ANSWER_BYTES - 1 - length;
        size_t taken = (size_t)count < room ? (size_t)count : room;
        memcpy(out + length, rest, taken);
        length += taken;
    }
    out[length] = '\0';
}

enum gruc_status cpu_target_check(LLVMTargetRef target, const struct cpu_target *wanted,
                                  struct gruc_diag *diag)
{
    int ends[2];
    char answer[ANSWER_BYTES];
    if (is_usual(wanted->cpu) && wanted->features[0] == '\0')
        return GRUC_OK;
    if (pipe(ends) != 0)
        return GRUC_ERROR_MEMORY;
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        try_target(target, wanted, ends[1]);
    }
    close(ends[1]);
    if (child > 0)
        read_answer(ends[0], answer);
    close(ends[0]);
    if (child < 0)
        return GRUC_ERROR_MEMORY;
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (strcmp(answer, done) == 0)
        return GRUC_OK;
    size_t length = strcspn(answer, "\n(");
    while (length > 0 && answer[length - 1] == ' ')
        length--;
    answer[length] = '\0';
    return gruc_diag_error(diag, GRUC_E_TARGET, (struct gruc_mark){0},
                           "processor '%s' with features '%s' is not known for '%s': %s",
                           wanted->cpu, wanted->features, wanted->triple, answer);
}

/* SPDX-License-Identifier: MIT */
/* Whether LLVM knows a processor and its features, and can emit code for them. LLVM's C API does
 * not tell: a wrong name makes it print, and features that do not go together end the process. So
 * a child process tries, and what it says is the answer. */
#include "codegen/cpu/target.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_BYTES = 256, CHILD_SECONDS = 20 };

/* Written by a child when LLVM knows the processor, and last when it lived to the end. */
static const char known[] = "\n#known", done[] = "\n#done";

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

struct sample {
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef builder;
    LLVMValueRef v_memory;
};

static void begin_sample(struct sample *s, const char *triple)
{
    s->context = LLVMContextCreate();
    s->module = LLVMModuleCreateWithNameInContext("check", s->context);
    LLVMSetTarget(s->module, triple);
    LLVMTypeRef pointer = LLVMPointerTypeInContext(s->context, 0);
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(s->context), &pointer, 1, 0);
    LLVMValueRef function = LLVMAddFunction(s->module, "check", type);
    s->v_memory = LLVMGetParam(function, 0);
    s->builder = LLVMCreateBuilderInContext(s->context);
    LLVMPositionBuilderAtEnd(s->builder, LLVMAppendBasicBlockInContext(s->context, function, ""));
}

/* Ends the child when there is no code for the sample. */
static void emit_sample(const struct sample *s, LLVMTargetMachineRef machine)
{
    LLVMMemoryBufferRef bytes;
    char *error = NULL;
    LLVMBuildRetVoid(s->builder);
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, s->module, LLVMObjectFile, &error, &bytes))
        end_child(error != NULL ? error : "no code generator");
}

static LLVMValueRef load(const struct sample *s, LLVMTypeRef type)
{
    LLVMValueRef v = LLVMBuildLoad2(s->builder, type, s->v_memory, "");
    LLVMSetVolatile(v, 1); /* another value each time */
    return v;
}

static void store(const struct sample *s, LLVMValueRef v)
{
    LLVMSetVolatile(LLVMBuildStore(s->builder, v, s->v_memory), 1);
}

/* Of an intrinsic, by numbers from memory; without an overload type it is a target's own. */
static void call(const struct sample *s, const char *name, LLVMTypeRef overload)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name)), overloads = overload != NULL;
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(s->module, id, &overload, overloads);
    LLVMTypeRef type = LLVMIntrinsicGetType(s->context, id, &overload, overloads), parameters[3];
    LLVMValueRef arguments[3];
    unsigned count = LLVMCountParamTypes(type);
    LLVMGetParamTypes(type, parameters);
    for (unsigned i = 0; i < count; i++)
        arguments[i] = load(s, parameters[i]);
    store(s, LLVMBuildCall2(s->builder, type, function, arguments, count, ""));
}

/* What follows is in a block of its own, where values come in registers from the one before: LLVM
 * looks at one block at a time. */
static void begin_block(const struct sample *s)
{
    LLVMValueRef function = LLVMGetBasicBlockParent(LLVMGetInsertBlock(s->builder));
    LLVMBasicBlockRef b_some = LLVMAppendBasicBlockInContext(s->context, function, "");
    LLVMBasicBlockRef b_all = LLVMAppendBasicBlockInContext(s->context, function, "");
    LLVMValueRef v_has_more = load(s, LLVMInt1TypeInContext(s->context));
    LLVMBuildCondBr(s->builder, v_has_more, b_some, b_all);
    LLVMPositionBuilderAtEnd(s->builder, b_some);
    store(s, v_has_more);
    LLVMBuildBr(s->builder, b_all);
    LLVMPositionBuilderAtEnd(s->builder, b_all);
}

/* What generated code does with vectors of so many numbers. */
static void add_operations(const struct sample *s, const struct cpu_target *target, unsigned lanes)
{
    LLVMContextRef context = s->context;
    LLVMTypeRef numbers = LLVMVectorType(LLVMFloatTypeInContext(context), lanes);
    LLVMTypeRef integers = LLVMVectorType(LLVMInt32TypeInContext(context), lanes);
    LLVMTypeRef pairs = LLVMVectorType(LLVMInt16TypeInContext(context), lanes);
    LLVMTypeRef bytes = LLVMVectorType(LLVMInt8TypeInContext(context), lanes);
    LLVMTypeRef halves = LLVMVectorType(LLVMHalfTypeInContext(context), lanes);
    LLVMValueRef x = load(s, numbers), y = load(s, numbers);
    LLVMValueRef v_less = LLVMBuildFCmp(s->builder, LLVMRealOLT, x, y, "");
    x = LLVMBuildSelect(s->builder, v_less, x, y, "");
    store(s, LLVMBuildFDiv(s->builder, LLVMBuildFMul(s->builder, x, y, ""), y, ""));
    LLVMValueRef v = LLVMBuildFPToSI(s->builder, x, integers, "");
    store(s, LLVMBuildTrunc(s->builder, v, bytes, ""));
    store(s, LLVMBuildTrunc(s->builder, LLVMBuildLShr(s->builder, v, v, ""), pairs, ""));
    v = LLVMBuildMul(s->builder, v, v, "");
    begin_block(s);
    store(s, LLVMBuildSIToFP(s->builder, v, numbers, ""));
    store(s, LLVMBuildFPExt(s->builder, load(s, halves), numbers, ""));
    store(s, LLVMBuildSExt(s->builder, load(s, bytes), pairs, ""));
    call(s, "llvm.smax", integers);
    if (target->has_fma)
        call(s, "llvm.fma", numbers);
    const char *dot = lanes <= target->lanes ? cpu_dot_instruction(target->dot, lanes) : NULL;
    if (dot != NULL)
        call(s, dot, NULL);
}

/* In the child: compiles an empty function, then one with what generated code is made of;
 * complaints go to answers. */
static void try_target(LLVMTargetRef target, struct cpu_target *wanted, enum gruc_weights weights,
                       int answers)
{
    struct sample s;
    struct gruc_diag diag = {0}; /* silent */
    alarm(CHILD_SECONDS);
    dup2(answers, STDERR_FILENO);
    LLVMResetFatalErrorHandler();
    LLVMInstallFatalErrorHandler(end_child);
    wanted->machine =
        LLVMCreateTargetMachine(target, wanted->triple, wanted->cpu, wanted->features,
                                LLVMCodeGenLevelLess, LLVMRelocPIC, LLVMCodeModelDefault);
    if (wanted->machine == NULL)
        end_child("no code generator");
    begin_sample(&s, wanted->triple);
    emit_sample(&s, wanted->machine);
    ssize_t written = write(answers, known, sizeof known - 1);
    if (written < 0 || cpu_target_describe(wanted, weights, &diag) != GRUC_OK)
        end_child("no code generator");
    begin_sample(&s, wanted->triple);
    for (unsigned lanes = 4; lanes <= 16; lanes *= 2)
        add_operations(&s, wanted, lanes);
    emit_sample(&s, wanted->machine);
    written = write(answers, done, sizeof done - 1);
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

/* The first line of what LLVM said, without what only its authors can read. */
static const char *trim(char *words)
{
    size_t length = strcspn(words, "\n(");
    while (length > 0 && words[length - 1] == ' ')
        length--;
    words[length] = '\0';
    return length > 0 ? words : "LLVM ended without a word";
}

static enum gruc_status judge(const struct cpu_target *wanted, char *answer,
                              struct gruc_diag *diag)
{
    size_t prefix = strncmp(answer, known, sizeof known - 1) == 0 ? sizeof known - 1 : 0;
    if (prefix > 0 && strcmp(answer + prefix, done) == 0)
        return GRUC_OK;
    return gruc_diag_error(diag, GRUC_E_TARGET, (struct gruc_mark){0},
                           "%sprocessor '%s' with features '%s' %s '%s': %s",
                           prefix > 0 ? "LLVM cannot emit code for " : "", wanted->cpu,
                           wanted->features, prefix > 0 ? "on" : "is not known for",
                           wanted->triple, trim(answer + prefix));
}

enum gruc_status cpu_target_check(LLVMTargetRef target, const struct cpu_target *wanted,
                                  enum gruc_weights weights, struct gruc_diag *diag)
{
    int ends[2];
    char answer[ANSWER_BYTES];
    if (is_usual(wanted->cpu) && wanted->features[0] == '\0')
        return GRUC_OK;
    if (pipe(ends) != 0)
        return GRUC_ERROR_MEMORY;
    pid_t child = fork();
    if (child == 0) {
        struct cpu_target own = *wanted;
        close(ends[0]);
        try_target(target, &own, weights, ends[1]);
    }
    close(ends[1]);
    if (child > 0)
        read_answer(ends[0], answer);
    close(ends[0]);
    if (child < 0)
        return GRUC_ERROR_MEMORY;
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    return judge(wanted, answer, diag);
}

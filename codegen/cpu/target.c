/* SPDX-License-Identifier: MIT */
#include "codegen/cpu/target.h"

#include <pthread.h>
#include <string.h>

#include "ir/base/strbuf.h"

static void initialize_native(void)
{
    LLVMInitializeNativeTarget();
    LLVMInitializeNativeAsmPrinter();
    LLVMInitializeNativeAsmParser();
}

static void initialize_all(void)
{
    LLVMInitializeAllTargetInfos();
    LLVMInitializeAllTargets();
    LLVMInitializeAllTargetMCs();
    LLVMInitializeAllAsmPrinters();
    LLVMInitializeAllAsmParsers();
}

void cpu_initialize_llvm(int only_native)
{
    static pthread_once_t native = PTHREAD_ONCE_INIT, all = PTHREAD_ONCE_INIT;
    if (only_native)
        pthread_once(&native, initialize_native);
    else
        pthread_once(&all, initialize_all);
}

/* Rounding to bf16, one instruction where the dot product of bf16 numbers is one as well. */
static void add_rounding_probe(LLVMContextRef context, LLVMModuleRef module,
                               LLVMBuilderRef builder, unsigned count)
{
    LLVMTypeRef wide = LLVMVectorType(LLVMFloatTypeInContext(context), count);
    LLVMTypeRef narrow = LLVMVectorType(LLVMBFloatTypeInContext(context), count);
    LLVMTypeRef bits = LLVMVectorType(LLVMInt16TypeInContext(context), count);
    LLVMValueRef function =
        LLVMAddFunction(module, "round", LLVMFunctionType(bits, &wide, 1, 0));
    LLVMPositionBuilderAtEnd(builder, LLVMAppendBasicBlockInContext(context, function, ""));
    LLVMValueRef v = LLVMBuildFPTrunc(builder, LLVMGetParam(function, 0), narrow, "");
    LLVMBuildRet(builder, LLVMBuildBitCast(builder, v, bits, ""));
}

/* The sum of products of signed 8-bit integers with others, from which LLVM makes a dot product. */
static void add_dot_probe(LLVMContextRef context, LLVMModuleRef module, LLVMBuilderRef builder,
                          unsigned count, int is_signed)
{
    LLVMTypeRef number = LLVMInt32TypeInContext(context);
    LLVMTypeRef bytes = LLVMVectorType(LLVMInt8TypeInContext(context), count);
    LLVMTypeRef wide = LLVMVectorType(number, count), parameters[2] = {bytes, bytes};
    LLVMValueRef function =
        LLVMAddFunction(module, "dot", LLVMFunctionType(number, parameters, 2, 0));
    LLVMPositionBuilderAtEnd(builder, LLVMAppendBasicBlockInContext(context, function, ""));
    LLVMValueRef a = LLVMGetParam(function, 0), b = LLVMGetParam(function, 1);
    a = is_signed ? LLVMBuildSExt(builder, a, wide, "") : LLVMBuildZExt(builder, a, wide, "");
    LLVMValueRef product = LLVMBuildMul(builder, a, LLVMBuildSExt(builder, b, wide, ""), "");
    unsigned id = LLVMLookupIntrinsicID("llvm.vector.reduce.add", 22);
    LLVMValueRef add = LLVMGetIntrinsicDeclaration(module, id, &wide, 1);
    LLVMTypeRef type = LLVMIntrinsicGetType(context, id, &wide, 1);
    LLVMBuildRet(builder, LLVMBuildCall2(builder, type, add, &product, 1, ""));
}

static void add_half_probe(LLVMContextRef context, LLVMModuleRef module, LLVMBuilderRef builder)
{
    LLVMTypeRef half = LLVMVectorType(LLVMHalfTypeInContext(context), 4);
    LLVMTypeRef wide = LLVMVectorType(LLVMFloatTypeInContext(context), 4);
    LLVMValueRef function = LLVMAddFunction(module, "half", LLVMFunctionType(wide, &half, 1, 0));
    LLVMPositionBuilderAtEnd(builder, LLVMAppendBasicBlockInContext(context, function, ""));
    LLVMBuildRet(builder, LLVMBuildFPExt(builder, LLVMGetParam(function, 0), wide, ""));
}

/* A fused multiply-add and rounding. */
static void add_float_probe(LLVMContextRef context, LLVMModuleRef module, LLVMBuilderRef builder)
{
    LLVMTypeRef vector = LLVMVectorType(LLVMFloatTypeInContext(context), 16);
    LLVMTypeRef parameters[3] = {vector, vector, vector};
    LLVMValueRef function =
        LLVMAddFunction(module, "probe", LLVMFunctionType(vector, parameters, 3, 0));
    LLVMPositionBuilderAtEnd(builder, LLVMAppendBasicBlockInContext(context, function, ""));
    unsigned id = LLVMLookupIntrinsicID("llvm.fma", 8);
    LLVMValueRef fma = LLVMGetIntrinsicDeclaration(module, id, &vector, 1);
    LLVMValueRef arguments[3] = {LLVMGetParam(function, 0), LLVMGetParam(function, 1),
                                 LLVMGetParam(function, 2)};
    LLVMTypeRef type = LLVMIntrinsicGetType(context, id, &vector, 1);
    LLVMValueRef sum = LLVMBuildCall2(builder, type, fma, arguments, 3, "");
    unsigned round_id = LLVMLookupIntrinsicID("llvm.roundeven", 14);
    LLVMValueRef round = LLVMGetIntrinsicDeclaration(module, round_id, &vector, 1);
    LLVMTypeRef round_type = LLVMIntrinsicGetType(context, round_id, &vector, 1);
    LLVMBuildRet(builder, LLVMBuildCall2(builder, round_type, round, &sum, 1, ""));
}

/* LLVM's C API does not tell which features a CPU name implies, so functions of few operations are
 * compiled and their assembly looked at. The pattern of a dot product is found by optimizing only,
 * the others are compiled fastest without. */
static LLVMMemoryBufferRef compile_probe(const struct cpu_target *target,
                                         enum gruc_weights weights)
{
    int is_x86 = strncmp(target->triple, "x86_64", 6) == 0, with_dot = weights == GRUC_WEIGHTS_INT8;
    LLVMTargetMachineRef machine = cpu_target_machine(target, with_dot ? 3 : 0);
    if (machine == NULL)
        return NULL;
    LLVMContextRef context = LLVMContextCreate();
    LLVMModuleRef module = LLVMModuleCreateWithNameInContext("probe", context);
    LLVMSetTarget(module, target->triple);
    LLVMBuilderRef builder = LLVMCreateBuilderInContext(context);
    add_float_probe(context, module, builder);
    add_half_probe(context, module, builder);
    if (with_dot) {
        add_dot_probe(context, module, builder, 16, !is_x86);
        add_dot_probe(context, module, builder, 64, !is_x86);
    }
    if (is_x86 && weights == GRUC_WEIGHTS_BF16) {
        add_rounding_probe(context, module, builder, 8);
        add_rounding_probe(context, module, builder, 16);
    }
    LLVMMemoryBufferRef text = NULL;
    char *error = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMAssemblyFile, &error, &text)) {
        LLVMDisposeMessage(error);
        text = NULL;
    }
    LLVMDisposeBuilder(builder);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    LLVMDisposeTargetMachine(machine);
    return text;
}

/* Whether a line has both an instruction and a kind of register. */
static int uses(const char *assembly, const char *instruction, const char *prefix)
{
    for (const char *at = assembly; (at = strstr(at, instruction)) != NULL; at++) {
        const char *found = strstr(at, prefix), *end = strchr(at, '\n');
        if (found != NULL && end != NULL && found < end)
            return 1;
    }
    return 0;
}

const char *cpu_dot_instruction(enum cpu_dot dot, unsigned lanes)
{
    static const struct {
        enum cpu_dot dot;
        unsigned lanes;
        const char *name;
    } instructions[] = {
        {CPU_DOT_PAIRS, 4, "llvm.x86.sse2.pmadd.wd"},
        {CPU_DOT_PAIRS, 8, "llvm.x86.avx2.pmadd.wd"},
        {CPU_DOT_PAIRS, 16, "llvm.x86.avx512.pmaddw.d.512"},
        {CPU_DOT_UNSIGNED, 4, "llvm.x86.avx512.vpdpbusd.128"},
        {CPU_DOT_UNSIGNED, 8, "llvm.x86.avx512.vpdpbusd.256"},
        {CPU_DOT_UNSIGNED, 16, "llvm.x86.avx512.vpdpbusd.512"},
        {CPU_DOT_BF16, 4, "llvm.x86.avx512bf16.dpbf16ps.128"},
        {CPU_DOT_BF16, 8, "llvm.x86.avx512bf16.dpbf16ps.256"},
        {CPU_DOT_BF16, 16, "llvm.x86.avx512bf16.dpbf16ps.512"},
    };
    for (size_t i = 0; i < sizeof instructions / sizeof instructions[0]; i++)
        if (instructions[i].dot == dot && instructions[i].lanes == lanes)
            return instructions[i].name;
    return NULL;
}

/* The instruction for products of 8-bit integers. */
static enum cpu_dot integer_dot(const char *assembly, int has_zmm, int has_ymm)
{
    int has_widest = has_zmm ? uses(assembly, "vpdpbusd", "%zmm") : has_ymm;
    if (has_widest && uses(assembly, "vpdpbusd", "%xmm"))
        return CPU_DOT_UNSIGNED;
    const char *widest = has_zmm ? "%zmm" : has_ymm ? "%ymm" : "%xmm";
    return uses(assembly, "pmaddwd", widest) ? CPU_DOT_PAIRS : CPU_DOT_NONE;
}

static void describe_x86(struct cpu_target *target, const char *assembly,
                         enum gruc_weights weights)
{
    int has_zmm = strstr(assembly, "%zmm") != NULL, has_ymm = strstr(assembly, "%ymm") != NULL;
    target->lanes = has_zmm ? 16 : has_ymm ? 8 : 4;
    target->registers = has_zmm ? 32 : 16;
    target->fma_rate = has_zmm ? 1 : 2;
    target->has_fma = strstr(assembly, "vfmadd") != NULL;
    target->has_round = strstr(assembly, "round") != NULL && strstr(assembly, "roundeven") == NULL;
    if (has_zmm)
        target->has_round = 1; /* vrndscaleps */
    target->has_half = strstr(assembly, "vcvtph2ps") != NULL;
    if (weights == GRUC_WEIGHTS_INT8)
        target->dot = integer_dot(assembly, has_zmm, has_ymm);
    if (weights == GRUC_WEIGHTS_BF16 && uses(assembly, "vcvtneps2bf16", "%ymm") &&
        uses(assembly, "vcvtneps2bf16", "%zmm"))
        target->dot = CPU_DOT_BF16;
}

/* What multiplies narrow numbers is found out only where they are wanted, as it takes a
 * millisecond. */
enum gruc_status cpu_target_describe(struct cpu_target *target,
                                     enum gruc_weights weights, struct gruc_diag *diag)
{
    const char *triple = target->triple;
    int is_x86 = strncmp(triple, "x86_64", 6) == 0;
    target->lanes = 4;
    target->registers = 32;
    target->fma_rate = 2;
    target->has_fma = target->has_round = 1;
    if (strncmp(triple, "riscv64", 7) == 0) {
        target->abi = "lp64d";
        return GRUC_OK;
    }
    LLVMMemoryBufferRef assembly = compile_probe(target, weights);
    if (assembly == NULL)
        return gruc_diag_error(diag, GRUC_E_TARGET, (struct gruc_mark){0},
                               "LLVM cannot emit code for '%s'", triple);
    if (is_x86) {
        describe_x86(target, LLVMGetBufferStart(assembly), weights);
    } else {
        target->has_half = 1;
        if (uses(LLVMGetBufferStart(assembly), "sdot", "v"))
            target->dot = CPU_DOT_SIGNED;
    }
    LLVMDisposeMemoryBuffer(assembly);
    return GRUC_OK;
}

/* What LLVM's default level adds to the one below, scheduling once more after registers are given,
 * gains nothing here and takes a seventh of the compile time: blocks come in a good order. */
static LLVMCodeGenOptLevel level_of(int optimization)
{
    static const LLVMCodeGenOptLevel levels[] = {LLVMCodeGenLevelNone, LLVMCodeGenLevelLess,
                                                 LLVMCodeGenLevelLess, LLVMCodeGenLevelDefault};
    return levels[optimization < 0 ? 0 : optimization > 3 ? 3 : optimization];
}

LLVMTargetMachineRef cpu_target_machine(const struct cpu_target *target, int optimization)
{
    LLVMTargetRef llvm_target;
    char *error = NULL;
    if (LLVMGetTargetFromTriple(target->triple, &llvm_target, &error)) {
        LLVMDisposeMessage(error);
        return NULL;
    }
    return LLVMCreateTargetMachine(llvm_target, target->triple, target->cpu, target->features,
                                   level_of(optimization), LLVMRelocPIC,
                                   LLVMCodeModelDefault);
}

static int is_supported(const char *triple)
{
    return strncmp(triple, "x86_64", 6) == 0 || strncmp(triple, "aarch64", 7) == 0 ||
           strncmp(triple, "riscv64", 7) == 0;
}

static int is_native(const struct gruc_target *wanted)
{
    return wanted->cpu != NULL ? strcmp(wanted->cpu, "native") == 0 : wanted->triple == NULL;
}

/* Those that are wanted, after riscv64's baseline for Linux, as LLVM's generic CPU has no floating
 * point. To be disposed of; NULL without memory. */
static char *make_features(const char *triple, const char *wanted)
{
    const char *base = strncmp(triple, "riscv64", 7) == 0 ? "+m,+a,+f,+d,+c" : "";
    struct gruc_strbuf text;
    gruc_strbuf_init(&text);
    gruc_strbuf_format(&text, "%s%s%s", base, base[0] != 0 && wanted[0] != 0 ? "," : "", wanted);
    char *features = text.failed ? NULL : LLVMCreateMessage(text.length > 0 ? text.text : "");
    gruc_strbuf_finish(&text);
    return features;
}

enum gruc_status cpu_target_open(const struct gruc_target *wanted, struct gruc_diag *diag,
                                 struct cpu_target *out)
{
    cpu_initialize_llvm(wanted->triple == NULL);
    *out = (struct cpu_target){.blocking = wanted->blocking,
                               .optimization = wanted->optimization};
    char *host = LLVMGetDefaultTargetTriple();
    out->triple = wanted->triple != NULL ? LLVMNormalizeTargetTriple(wanted->triple)
                                         : LLVMCreateMessage(host);
    int is_host = strncmp(out->triple, host, strcspn(host, "-") + 1) == 0;
    LLVMDisposeMessage(host);
    if (is_native(wanted) && is_host) {
        out->cpu = LLVMGetHostCPUName();
        out->features = wanted->features != NULL ? make_features(out->triple, wanted->features)
                                                 : LLVMGetHostCPUFeatures();
    } else {
        int named = wanted->cpu != NULL && strcmp(wanted->cpu, "native") != 0;
        out->cpu = LLVMCreateMessage(named ? wanted->cpu : "generic");
        if (!named && strncmp(out->triple, "x86_64", 6) == 0) {
            LLVMDisposeMessage(out->cpu);
            out->cpu = LLVMCreateMessage("x86-64");
        }
        if (!named && strncmp(out->triple, "riscv64", 7) == 0) {
            LLVMDisposeMessage(out->cpu);
            out->cpu = LLVMCreateMessage("generic-rv64");
        }
        out->features =
            make_features(out->triple, wanted->features != NULL ? wanted->features : "");
    }
    if (out->features == NULL)
        return GRUC_ERROR_MEMORY;
    LLVMTargetRef target;
    char *error = NULL;
    if (LLVMGetTargetFromTriple(out->triple, &target, &error)) {
        enum gruc_status status = gruc_diag_error(diag, GRUC_E_TARGET, (struct gruc_mark){0},
                                                  "unknown target '%s': %s", out->triple, error);
        LLVMDisposeMessage(error);
        return status;
    }
    if (!is_supported(out->triple))
        return gruc_diag_error(diag, GRUC_E_TARGET, (struct gruc_mark){0},
                               "target '%s' is none of x86_64, aarch64 and riscv64", out->triple);
    if (wanted->features != NULL || (wanted->cpu != NULL && strcmp(wanted->cpu, "native") != 0))
        GRUC_TRY(cpu_target_check(target, out, wanted->weights, diag));
    out->machine = cpu_target_machine(out, wanted->optimization);
    if (out->machine == NULL)
        return gruc_diag_error(diag, GRUC_E_TARGET, (struct gruc_mark){0},
                               "LLVM cannot emit code for '%s'", out->triple);
    return cpu_target_describe(out, wanted->weights, diag);
}

void cpu_target_finish(struct cpu_target *target)
{
    if (target->machine != NULL)
        LLVMDisposeTargetMachine(target->machine);
    if (target->triple != NULL)
        LLVMDisposeMessage(target->triple);
    if (target->cpu != NULL)
        LLVMDisposeMessage(target->cpu);
    if (target->features != NULL)
        LLVMDisposeMessage(target->features);
    *target = (struct cpu_target){0};
}

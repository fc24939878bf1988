/* SPDX-License-Identifier: MIT */
/* One pointwise operation on vectors, each an exact IEEE operation, so every target gives the same
 * bits. What a target lacks is made of what it has. */
#include "codegen/cpu/block.h"

static LLVMValueRef splat_number(struct cpu_emitter *e, double value, unsigned lanes)
{
    return l_splat(e, LLVMConstReal(e->t_float, value), lanes);
}

static LLVMValueRef splat_integer(struct cpu_emitter *e, uint64_t value, unsigned lanes)
{
    return l_splat(e, LLVMConstInt(e->t_i32, value, 0), lanes);
}

static LLVMValueRef as_bits(struct cpu_emitter *e, LLVMValueRef x, unsigned lanes)
{
    return LLVMBuildBitCast(e->builder, x, l_vector(e->t_i32, lanes), "");
}

static LLVMValueRef as_floats(struct cpu_emitter *e, LLVMValueRef bits, unsigned lanes)
{
    return LLVMBuildBitCast(e->builder, bits, l_vector(e->t_float, lanes), "");
}

/* Without FMA: the product is exact in double, the sum is rounded to double, then to float. */
static LLVMValueRef fma_by_double(struct cpu_emitter *e, LLVMValueRef *operands, unsigned lanes)
{
    LLVMTypeRef wide = l_vector(LLVMDoubleTypeInContext(e->context), lanes);
    LLVMValueRef v[3];
    for (unsigned i = 0; i < 3; i++)
        v[i] = LLVMBuildFPExt(e->builder, operands[i], wide, "");
    LLVMValueRef product = LLVMBuildFMul(e->builder, v[0], v[1], "");
    LLVMValueRef sum = LLVMBuildFAdd(e->builder, product, v[2], "");
    return LLVMBuildFPTrunc(e->builder, sum, l_vector(e->t_float, lanes), "");
}

/* Without a rounding instruction: adding 2^23 leaves no fraction bits; larger numbers have none. */
static LLVMValueRef round_by_adding(struct cpu_emitter *e, LLVMValueRef x, unsigned lanes)
{
    LLVMTypeRef type = l_vector(e->t_float, lanes);
    LLVMValueRef large = splat_number(e, 8388608.0, lanes);
    LLVMValueRef magnitude = l_intrinsic(e, "llvm.fabs", type, &x, 1);
    LLVMValueRef sum = LLVMBuildFAdd(e->builder, magnitude, large, "");
    LLVMValueRef pair[2] = {LLVMBuildFSub(e->builder, sum, large, ""), x};
    LLVMValueRef rounded = l_intrinsic(e, "llvm.copysign", type, pair, 2);
    LLVMValueRef is_small = LLVMBuildFCmp(e->builder, LLVMRealOLT, magnitude, large, "");
    return LLVMBuildSelect(e->builder, is_small, rounded, x, "");
}

/* n + 1.5 2^23 has n in its low bits, which are added to the exponent. */
static LLVMValueRef ldexp_of_sum(struct cpu_emitter *e, LLVMValueRef *v, unsigned lanes)
{
    LLVMValueRef shift = splat_integer(e, 23, lanes);
    LLVMValueRef n = LLVMBuildShl(e->builder, as_bits(e, v[1], lanes), shift, "");
    return as_floats(e, LLVMBuildAdd(e->builder, n, as_bits(e, v[0], lanes), ""), lanes);
}

static LLVMValueRef exponent(struct cpu_emitter *e, LLVMValueRef x, unsigned lanes)
{
    LLVMValueRef bits = LLVMBuildLShr(e->builder, as_bits(e, x, lanes),
                                      splat_integer(e, 23, lanes), "");
    bits = LLVMBuildAnd(e->builder, bits, splat_integer(e, 255, lanes), "");
    bits = LLVMBuildSub(e->builder, bits, splat_integer(e, 127, lanes), "");
    return LLVMBuildSIToFP(e->builder, bits, l_vector(e->t_float, lanes), "");
}

static LLVMValueRef mantissa(struct cpu_emitter *e, LLVMValueRef x, unsigned lanes)
{
    LLVMValueRef bits = LLVMBuildAnd(e->builder, as_bits(e, x, lanes),
                                     splat_integer(e, 0x7fffff, lanes), "");
    bits = LLVMBuildOr(e->builder, bits, splat_integer(e, 0x3f800000, lanes), "");
    return as_floats(e, bits, lanes);
}

static LLVMValueRef smaller_or_larger(struct cpu_emitter *e, LLVMRealPredicate predicate,
                                      LLVMValueRef *v)
{
    LLVMValueRef first = LLVMBuildFCmp(e->builder, predicate, v[0], v[1], "");
    return LLVMBuildSelect(e->builder, first, v[0], v[1], "");
}

static LLVMTypeRef element_type(LLVMValueRef v)
{
    LLVMTypeRef type = LLVMTypeOf(v);
    return LLVMGetTypeKind(type) == LLVMVectorTypeKind ? LLVMGetElementType(type) : type;
}

/* Towards zero; saturates, and NaN gives 0. */
static LLVMValueRef to_integer(struct cpu_emitter *e, LLVMValueRef x, unsigned lanes)
{
    LLVMTypeRef overload[2] = {l_vector(e->t_i32, lanes), l_vector(e->t_float, lanes)};
    unsigned id = LLVMLookupIntrinsicID("llvm.fptosi.sat", 15);
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->module, id, overload, 2);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->context, id, overload, 2);
    return LLVMBuildCall2(e->builder, type, function, &x, 1, "");
}

static LLVMValueRef cast(struct cpu_emitter *e, enum gruc_opcode code, LLVMValueRef x,
                         unsigned lanes)
{
    LLVMTypeRef from = element_type(x), floats = l_vector(e->t_float, lanes);
    if (code == GRUC_OP_TO_FLOAT && from == e->t_i1)
        return LLVMBuildUIToFP(e->builder, x, floats, "");
    if (code == GRUC_OP_TO_FLOAT && from == e->t_i32)
        return LLVMBuildSIToFP(e->builder, x, floats, "");
    if (code == GRUC_OP_TO_INT && from == e->t_float)
        return to_integer(e, x, lanes);
    if (code == GRUC_OP_TO_BOOL && from == e->t_float)
        return LLVMBuildFCmp(e->builder, LLVMRealUNE, x, LLVMConstNull(floats), "");
    if (code == GRUC_OP_TO_BOOL && from == e->t_i32)
        return LLVMBuildICmp(e->builder, LLVMIntNE, x,
                             LLVMConstNull(l_vector(e->t_i32, lanes)), "");
    return x;
}

LLVMValueRef cpu_emit_pointwise(struct cpu_emitter *e, enum gruc_opcode code, LLVMValueRef *v,
                                unsigned lanes)
{
    LLVMBuilderRef b = e->builder;
    LLVMTypeRef type = l_vector(e->t_float, lanes);
    switch (code) {
    case GRUC_OP_ADD: return LLVMBuildFAdd(b, v[0], v[1], "");
    case GRUC_OP_SUB: return LLVMBuildFSub(b, v[0], v[1], "");
    case GRUC_OP_MUL: return LLVMBuildFMul(b, v[0], v[1], "");
    case GRUC_OP_DIV: return LLVMBuildFDiv(b, v[0], v[1], "");
    case GRUC_OP_NEG: return LLVMBuildFNeg(b, v[0], "");
    case GRUC_OP_ABS: return l_intrinsic(e, "llvm.fabs", type, v, 1);
    case GRUC_OP_SQRT: return l_intrinsic(e, "llvm.sqrt", type, v, 1);
    case GRUC_OP_FMA:
        return e->target->has_fma ? l_intrinsic(e, "llvm.fma", type, v, 3)
                                  : fma_by_double(e, v, lanes);
    case GRUC_OP_MIN: return smaller_or_larger(e, LLVMRealOLT, v);
    case GRUC_OP_MAX: return smaller_or_larger(e, LLVMRealOGT, v);
    case GRUC_OP_ROUND:
        return e->target->has_round ? l_intrinsic(e, "llvm.roundeven", type, v, 1)
                                    : round_by_adding(e, v[0], lanes);
    case GRUC_OP_COPYSIGN: return l_intrinsic(e, "llvm.copysign", type, v, 2);
    case GRUC_OP_LDEXP: return ldexp_of_sum(e, v, lanes);
    case GRUC_OP_EXPONENT: return exponent(e, v[0], lanes);
    case GRUC_OP_MANTISSA: return mantissa(e, v[0], lanes);
    case GRUC_OP_LT: return LLVMBuildFCmp(b, LLVMRealOLT, v[0], v[1], "");
    case GRUC_OP_LE: return LLVMBuildFCmp(b, LLVMRealOLE, v[0], v[1], "");
    case GRUC_OP_EQ: return LLVMBuildFCmp(b, LLVMRealOEQ, v[0], v[1], "");
    case GRUC_OP_AND: return LLVMBuildAnd(b, v[0], v[1], "");
    case GRUC_OP_OR: return LLVMBuildOr(b, v[0], v[1], "");
    case GRUC_OP_NOT: return LLVMBuildNot(b, v[0], "");
    case GRUC_OP_SELECT: return LLVMBuildSelect(b, v[0], v[1], v[2], "");
    case GRUC_OP_COPY: return v[0];
    case GRUC_OP_TO_FLOAT:
    case GRUC_OP_TO_INT:
    case GRUC_OP_TO_BOOL: return cast(e, code, v[0], lanes);
    default:
        e->failed = 1;
        return v[0];
    }
}

/* SPDX-License-Identifier: MIT */
/* Rows in the form that narrow weights multiply.
 * For 8-bit weights, integers: the number nearest to L x / m, ties to even, where m is the largest
 * absolute value of the row, at least 2^-100, and L that of its integers. A row with an infinity
 * or a NaN gets a NaN for its scale, so all that is computed from it is NaN.
 * For bf16, numbers of that type (gruc_bf16_dot_from_float), in 16 bits where an instruction
 * multiplies those, else as float32. */
#include "codegen/cpu/quantized.h"

#include <string.h>

enum { LANES = 16, SIGN = INT32_MAX, LEAST_BITS = 27 << 23, STRAIGHT = 16 * LANES };

struct quantization {
    struct cpu_emitter *e;
    const struct cpu_edge *from;
    LLVMValueRef v_from;       /* the row */
    enum gruc_weights weights; /* that it is for */
    LLVMTypeRef integers, numbers;
};

/* Sixteen numbers from unit on, zero past the end of the row. */
static LLVMValueRef load_units(struct quantization *q, LLVMValueRef v_unit, unsigned valid)
{
    struct cpu_emitter *e = q->e;
    LLVMValueRef v_at = l_offset(e, q->v_from, l_mul(e, v_unit, l_i64(e, 4)));
    if (valid == LANES)
        return l_load(e, q->numbers, v_at, 4);
    LLVMValueRef v = LLVMConstNull(q->numbers);
    for (unsigned i = 0; i < valid; i++) {
        LLVMValueRef v_one = l_load(e, e->t_float, l_offset(e, v_at, l_i64(e, i * 4)), 4);
        v = LLVMBuildInsertElement(e->builder, v, v_one, LLVMConstInt(e->t_i32, i, 0), "");
    }
    return v;
}

static unsigned valid_at(const struct quantization *q, unsigned unit)
{
    return q->from->width - unit < LANES ? q->from->width - unit : LANES;
}

static LLVMValueRef join_larger(struct quantization *q, LLVMValueRef v_largest,
                                LLVMValueRef v_numbers)
{
    struct cpu_emitter *e = q->e;
    LLVMValueRef v_sign = l_splat(e, LLVMConstInt(e->t_i32, SIGN, 0), LANES);
    LLVMValueRef v = LLVMBuildBitCast(e->builder, v_numbers, q->integers, "");
    LLVMValueRef operands[2] = {v_largest, LLVMBuildAnd(e->builder, v, v_sign, "")};
    return l_intrinsic(e, "llvm.smax", q->integers, operands, 2);
}

/* Lane 0 gets the largest of sixteen. */
static LLVMValueRef fold(struct quantization *q, LLVMValueRef v)
{
    LLVMBuilderRef builder = q->e->builder;
    for (unsigned half = LANES / 2; half >= 1; half /= 2) {
        LLVMValueRef order[LANES];
        for (unsigned i = 0; i < LANES; i++)
            order[i] = LLVMConstInt(q->e->t_i32, i < half ? i + half : i, 0);
        LLVMValueRef operands[2] = {
            v, LLVMBuildShuffleVector(builder, v, LLVMGetPoison(q->integers),
                                      LLVMConstVector(order, LANES), "")};
        v = l_intrinsic(q->e, "llvm.smax", q->integers, operands, 2);
    }
    return v;
}

/* Of the absolute values, and at least: their order as integers is that of the numbers, infinity
 * and NaN last. */
static LLVMValueRef largest(struct quantization *q)
{
    struct cpu_emitter *e = q->e;
    unsigned width = q->from->width, whole = width / LANES * LANES, looped = 0;
    LLVMValueRef v_largest = l_splat(e, LLVMConstInt(e->t_i32, LEAST_BITS, 0), LANES);
    if (whole > STRAIGHT) {
        looped = whole;
        LLVMBasicBlockRef b_before = LLVMGetInsertBlock(e->builder), b_loop = l_block(e, "units");
        LLVMBuildBr(e->builder, b_loop);
        LLVMPositionBuilderAtEnd(e->builder, b_loop);
        LLVMValueRef v_unit = LLVMBuildPhi(e->builder, e->t_i64, ""), v_zero = l_i64(e, 0);
        LLVMValueRef v_phi = LLVMBuildPhi(e->builder, q->integers, "");
        LLVMAddIncoming(v_unit, &v_zero, &b_before, 1);
        LLVMAddIncoming(v_phi, &v_largest, &b_before, 1);
        v_largest = join_larger(q, v_phi, load_units(q, v_unit, LANES));
        LLVMValueRef v_next = l_add(e, v_unit, l_i64(e, LANES));
        LLVMAddIncoming(v_unit, &v_next, &b_loop, 1);
        LLVMAddIncoming(v_phi, &v_largest, &b_loop, 1);
        LLVMBasicBlockRef b_after = l_block(e, "after");
        LLVMValueRef v_more = LLVMBuildICmp(e->builder, LLVMIntULT, v_next, l_i64(e, whole), "");
        LLVMBuildCondBr(e->builder, v_more, b_loop, b_after);
        LLVMPositionBuilderAtEnd(e->builder, b_after);
    }
    for (unsigned unit = looped; unit < width; unit += LANES)
        v_largest = join_larger(q, v_largest, load_units(q, l_i64(e, unit), valid_at(q, unit)));
    LLVMValueRef v = LLVMBuildBitCast(e->builder, fold(q, v_largest), q->numbers, "");
    return LLVMBuildExtractElement(e->builder, v, LLVMConstInt(e->t_i32, 0, 0), "");
}

/* The row's numbers times v_factor, rounded: adding 1.5 * 2^23 leaves the integer in the lower
 * bits. For dot products of bytes a q of more than 8 bits becomes 256 a + b with a and b from -128
 * to 127: those are the bytes of q + 0x8080 less 128 each. */
static void store_units(struct quantization *q, LLVMValueRef v_to, LLVMValueRef v_unit,
                        unsigned valid, LLVMValueRef v_factor)
{
    struct cpu_emitter *e = q->e;
    LLVMTypeRef bytes = l_vector(e->t_i8, LANES);
    LLVMTypeRef pairs = l_vector(LLVMInt16TypeInContext(e->context), LANES);
    int by_bytes = cpu_quantized_group(e->target) == 4;
    uint32_t offset = by_bytes ? cpu_quantized_offset(q->weights) : 0;
    LLVMValueRef v_round = LLVMConstReal(e->t_float, 0x1.8p23 + offset);
    LLVMValueRef v = LLVMBuildFMul(e->builder, load_units(q, v_unit, valid), v_factor, "");
    v = LLVMBuildFAdd(e->builder, v, l_splat(e, v_round, LANES), "");
    v = LLVMBuildBitCast(e->builder, v, q->integers, "");
    if (!by_bytes) {
        v = LLVMBuildTrunc(e->builder, v, pairs, "");
        l_store(e, v, l_offset(e, v_to, l_mul(e, v_unit, l_i64(e, 2))), 2);
        return;
    }
    if (e->target->dot == CPU_DOT_SIGNED) {
        LLVMValueRef v_flip = l_splat(e, LLVMConstInt(e->t_i32, offset, 0), LANES);
        v = LLVMBuildXor(e->builder, v, v_flip, "");
    }
    LLVMValueRef v_at = l_offset(e, v_to, v_unit);
    l_store(e, LLVMBuildTrunc(e->builder, v, bytes, ""), v_at, 1);
    if (cpu_quantized_planes(e->target, q->weights) == 1)
        return;
    LLVMValueRef v_8 = l_splat(e, LLVMConstInt(e->t_i32, 8, 0), LANES);
    LLVMValueRef v_upper = LLVMBuildLShr(e->builder, v, v_8, "");
    v_at = l_offset(e, v_at, l_i64(e, cpu_quantized_plane(q->from->width)));
    l_store(e, LLVMBuildTrunc(e->builder, v_upper, bytes, ""), v_at, 1);
}

static void quantize_row(struct quantization *q, LLVMValueRef v_to)
{
    struct cpu_emitter *e = q->e;
    unsigned width = q->from->width, whole = width / LANES * LANES, looped = 0;
    LLVMValueRef v_largest = largest(q);
    LLVMValueRef v_integer = LLVMConstReal(e->t_float, gruc_quantized_largest(q->weights, width));
    LLVMValueRef v_factor =
        l_splat(e, LLVMBuildFDiv(e->builder, v_integer, v_largest, ""), LANES);
    if (whole > STRAIGHT) {
        looped = whole;
        struct l_loop loop = l_loop_begin(e, l_i64(e, 0), l_i64(e, whole), l_i64(e, LANES));
        store_units(q, v_to, loop.v_index, LANES, v_factor);
        l_loop_end(e, &loop);
    }
    for (unsigned unit = looped; unit < width; unit += LANES)
        store_units(q, v_to, l_i64(e, unit), valid_at(q, unit), v_factor);
    /* Infinity less itself is NaN. */
    LLVMValueRef v_scale = LLVMBuildFDiv(e->builder, v_largest, v_integer, "");
    LLVMValueRef v_fault = LLVMBuildFSub(e->builder, v_largest, v_largest, "");
    v_scale = LLVMBuildFAdd(e->builder, v_scale, v_fault, "");
    uint64_t scale_at = (gruc_quantized_width(GRUC_WEIGHTS_INT8, width) - 1) * sizeof(float);
    l_store(e, v_scale, l_offset(e, v_to, l_i64(e, scale_at)), 4);
}

/* Zero for what is too small; to nearest, ties to even, by adding half of the last place that
 * stays; a NaN, which could become infinite so, is one of upper bits only. */
static LLVMValueRef round_units(struct quantization *q, LLVMValueRef v)
{
    struct cpu_emitter *e = q->e;
    LLVMBuilderRef builder = e->builder;
    LLVMValueRef v_least = l_splat(e, LLVMConstReal(e->t_float, GRUC_BF16_DOT_LEAST), LANES);
    LLVMValueRef v_half = l_splat(e, LLVMConstInt(e->t_i32, 0x7fff, 0), LANES);
    LLVMValueRef v_16 = l_splat(e, LLVMConstInt(e->t_i32, 16, 0), LANES);
    LLVMValueRef v_1 = l_splat(e, LLVMConstInt(e->t_i32, 1, 0), LANES);
    LLVMValueRef v_nan = l_splat(e, LLVMConstInt(e->t_i32, 0x7fc00000, 0), LANES);
    LLVMValueRef v_size = l_intrinsic(e, "llvm.fabs", q->numbers, &v, 1);
    LLVMValueRef v_is_small = LLVMBuildFCmp(builder, LLVMRealOLT, v_size, v_least, "");
    LLVMValueRef v_is_nan = LLVMBuildFCmp(builder, LLVMRealUNO, v, v, "");
    v = LLVMBuildBitCast(builder, v, q->integers, "");
    LLVMValueRef v_odd = LLVMBuildAnd(builder, LLVMBuildLShr(builder, v, v_16, ""), v_1, "");
    v = LLVMBuildAdd(builder, LLVMBuildAdd(builder, v, v_half, ""), v_odd, "");
    v = LLVMBuildSelect(builder, v_is_nan, v_nan, v, "");
    return LLVMBuildSelect(builder, v_is_small, LLVMConstNull(q->integers), v, "");
}

static void store_rounded(struct quantization *q, LLVMValueRef v_to, LLVMValueRef v_unit,
                          unsigned valid)
{
    struct cpu_emitter *e = q->e;
    LLVMValueRef v = round_units(q, load_units(q, v_unit, valid));
    if (e->target->dot == CPU_DOT_BF16) {
        LLVMTypeRef pairs = l_vector(LLVMInt16TypeInContext(e->context), LANES);
        LLVMValueRef v_16 = l_splat(e, LLVMConstInt(e->t_i32, 16, 0), LANES);
        v = LLVMBuildTrunc(e->builder, LLVMBuildLShr(e->builder, v, v_16, ""), pairs, "");
        l_store(e, v, l_offset(e, v_to, l_mul(e, v_unit, l_i64(e, 2))), 2);
        return;
    }
    LLVMValueRef v_upper = l_splat(e, LLVMConstInt(e->t_i32, 0xffff0000, 0), LANES);
    v = LLVMBuildAnd(e->builder, v, v_upper, "");
    l_store(e, v, l_offset(e, v_to, l_mul(e, v_unit, l_i64(e, 4))), 4);
}

static void round_row(struct quantization *q, LLVMValueRef v_to)
{
    struct cpu_emitter *e = q->e;
    unsigned width = q->from->width, whole = width / LANES * LANES, looped = 0;
    if (whole > STRAIGHT) {
        looped = whole;
        struct l_loop loop = l_loop_begin(e, l_i64(e, 0), l_i64(e, whole), l_i64(e, LANES));
        store_rounded(q, v_to, loop.v_index, LANES);
        l_loop_end(e, &loop);
    }
    for (unsigned unit = looped; unit < width; unit += LANES)
        store_rounded(q, v_to, l_i64(e, unit), valid_at(q, unit));
}

void cpu_emit_quantize(struct cpu_emitter *e, struct cpu_stage *s)
{
    enum gruc_weights weights = gruc_op_weights(&e->ir->ops[s->stage->ops[0]]);
    struct quantization q = {.e = e, .from = &s->edges[0], .weights = weights,
                             .integers = l_vector(e->t_i32, LANES),
                             .numbers = l_vector(e->t_float, LANES)};
    for (size_t i = 1; i < s->n_edges; i++)
        e->failed |= s->edges[i].exact; /* rows are stored by whole vectors */
    struct l_loop loop = cpu_stage_rows_begin(e, s);
    LLVMValueRef v_row = cpu_stage_row(e, s, loop.v_index);
    q.v_from = l_offset(e, q.from->v_base, l_mul(e, v_row, q.from->v_stride));
    for (size_t i = 1; i < s->n_edges; i++)
        (gruc_narrow_is_integer(weights) ? quantize_row : round_row)(
            &q, l_offset(e, s->edges[i].v_base, l_mul(e, v_row, s->edges[i].v_stride)));
    l_loop_end(e, &loop);
}

/* SPDX-License-Identifier: MIT */
/* How weights of products lie in memory, and how blocks load them. */
#include "codegen/cpu/quantized.h"
#include "ir/sum.h"

#include <string.h>

/* FAR_BYTES: of weights, from which they come from the third cache in every step. */
enum { FAR_BYTES = 1 << 20, LINE_BYTES = 64, PACKED_AT_ONCE = 16 };

/* How many k a step of a sum has. Pairs must not be divided by its ranges. */
static unsigned group_of(const struct gruc_product *product)
{
    int is_whole = gruc_sum_ranges(product->depth) == 1;
    return product->weights == GRUC_WEIGHTS_BF16_DOT ||
                   (product->weights == GRUC_WEIGHTS_BF16 && is_whole)
               ? 2
               : 1;
}

/* Bytes of one gate's weights at one step, for a vector of units. */
static uint64_t gate_bytes(const struct cpu_packed *packed)
{
    return (uint64_t)packed->group * packed->lanes * gruc_narrow_bytes(packed->product->weights);
}

uint32_t cpu_weights_steps(const struct cpu_packed *packed)
{
    return packed->product->depth / packed->group + (packed->product->depth % packed->group != 0);
}

/* Those of products by pairs are of pairs, others are as in float32. */
unsigned cpu_weights_ranges(const struct cpu_packed *packed)
{
    int is_by_pairs = packed->product->weights == GRUC_WEIGHTS_BF16_DOT;
    return gruc_sum_ranges(is_by_pairs ? cpu_weights_steps(packed) : packed->product->depth);
}

uint32_t cpu_weights_range_begin(const struct cpu_packed *packed, unsigned range)
{
    uint32_t steps = cpu_weights_steps(packed);
    if (cpu_weights_ranges(packed) == 1)
        return range == 0 ? 0 : steps;
    return gruc_sum_range_begin(steps, range);
}

uint64_t cpu_weights_vector_bytes(const struct cpu_packed *packed)
{
    return gate_bytes(packed) * packed->product->n_ops * cpu_weights_steps(packed);
}

/* Numbers that are stride numbers of their type apart. */
static void pack_lanes(enum gruc_weights weights, const float *from, size_t count, size_t stride,
                       unsigned char *out)
{
    if (weights == GRUC_WEIGHTS_F32 && stride == 1) {
        memcpy(out, from, count * sizeof(float));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint16_t number;
        if (weights == GRUC_WEIGHTS_F32) {
            memcpy(out + i * stride * sizeof(float), &from[i], sizeof(float));
            continue;
        }
        number = weights == GRUC_WEIGHTS_F16    ? gruc_half_from_float(from[i])
                 : weights == GRUC_WEIGHTS_BF16 ? gruc_bf16_from_float(from[i])
                                                : gruc_bf16_dot_from_float(from[i]);
        memcpy(out + i * stride * sizeof number, &number, sizeof number);
    }
}

/* The weights at k of begin to end, of which rows holds the first of each gate, to the piece at
 * to. */
static void pack_part(const struct cpu_packed *packed, const float *const *rows,
                      const size_t *columns, size_t begin, size_t end, unsigned char *to)
{
    const struct gruc_product *product = packed->product;
    size_t width = packed->width, lanes = packed->lanes, group = packed->group;
    size_t number = gruc_narrow_bytes(product->weights), step = cpu_weights_step_bytes(packed);
    size_t gate_step = cpu_weights_gate_bytes(packed);
    for (size_t first = 0, v = 0; first < width; first += lanes, v++) {
        size_t count = width - first < lanes ? width - first : lanes;
        unsigned char *out = to + packed->late + v * cpu_weights_vector_bytes(packed);
        for (size_t k = begin; k < end; k++)
            for (size_t gate = 0; gate < product->n_ops; gate++)
                pack_lanes(product->weights, rows[gate] + (k - begin) * columns[gate] + first,
                           count, group,
                           out + k / group * step + gate * gate_step + k % group * number);
    }
}

/* [vector of units][step][gate][lane][k], the order in which blocks read it; gates come before
 * steps where there are blocks of one gate. A few k at a time, so that each piece read or written
 * is some cache lines long. */
static void pack_weights(struct cpu_emitter *e, const struct cpu_packed *packed)
{
    const struct gruc_product *product = packed->product;
    size_t depth = product->depth, columns[CPU_MAX_GATES], bytes;
    size_t vectors = ((size_t)packed->width + packed->lanes - 1) / packed->lanes;
    const float *rows[CPU_MAX_GATES];
    if (__builtin_mul_overflow(vectors, cpu_weights_vector_bytes(packed), &bytes)) {
        e->failed = 1;
        return;
    }
    size_t offset = cpu_blob_reserve(&e->blob, bytes + packed->late);
    if (e->blob.failed)
        return;
    for (size_t k = 0, end; k < depth; k = end) {
        end = depth - k < PACKED_AT_ONCE ? depth : k + PACKED_AT_ONCE;
        for (size_t gate = 0; gate < product->n_ops; gate++) {
            gruc_ref param = e->ir->ops[product->ops[gate]].operands[1];
            columns[gate] = cpu_weight_tensor(e->ir, param)->columns;
            rows[gate] = cpu_weight_rows(e, param, k, end - k);
            if (rows[gate] == NULL)
                return;
        }
        pack_part(packed, rows, columns, k, end, e->blob.bytes + offset);
    }
}

/* After the weights in the piece that starts at first; equal biases, such as zeros, are one. */
static void pack_biases(struct cpu_emitter *e, size_t first, struct cpu_packed *packed)
{
    size_t bytes = packed->width * sizeof(float);
    for (size_t gate = 0; gate < packed->product->n_ops; gate++) {
        const struct gruc_op *op = &e->ir->ops[packed->product->ops[gate]];
        packed->bias[gate] = SIZE_MAX;
        if (op->n_operands < 3)
            continue;
        const float *bias = cpu_weight_rows(e, op->operands[2], 0, 1);
        if (bias == NULL)
            return;
        for (size_t i = 0; i < gate && packed->bias[gate] == SIZE_MAX; i++)
            if (packed->bias[i] != SIZE_MAX &&
                memcmp(e->blob.bytes + first + packed->bias[i], bias, bytes) == 0)
                packed->bias[gate] = packed->bias[i];
        if (packed->bias[gate] != SIZE_MAX)
            continue;
        size_t offset = cpu_blob_reserve(&e->blob, bytes + CPU_VECTOR_PAD * sizeof(float));
        if (e->blob.failed)
            return;
        memcpy(e->blob.bytes + offset, bias, bytes);
        packed->bias[gate] = offset - first;
    }
}

void cpu_pack_product(struct cpu_emitter *e, struct cpu_stage *s,
                      const struct gruc_product *product, struct cpu_packed *out)
{
    *out = (struct cpu_packed){.product = product, .by_gate = s->is_companion,
                               .width = s->stage->width, .lanes = s->lanes,
                               .group = group_of(product)};
    if (out->group == 2 && !cpu_weights_are_dots(e, out) && e->target->registers < 32)
        out->late = LINE_BYTES;
    if (product->n_ops > CPU_MAX_GATES) {
        e->failed = 1;
        return;
    }
    size_t first = cpu_blob_reserve(&e->blob, 0);
    if (gruc_narrow_is_integer(product->weights))
        cpu_pack_quantized(e, out);
    else
        pack_weights(e, out);
    pack_biases(e, first, out);
    if (e->blob.failed || e->failed)
        return;
    out->piece = cpu_stage_piece(e, s, cpu_blob_settle(&e->blob, first), GRUC_NONE);
}

LLVMValueRef cpu_weights_address(struct cpu_emitter *e, const struct cpu_packed *packed,
                                 LLVMValueRef v_unit)
{
    uint64_t unit_bytes = cpu_weights_vector_bytes(packed) / packed->lanes;
    LLVMValueRef v_offset = l_mul(e, v_unit, l_i64(e, unit_bytes));
    return l_offset(e, e->v_weights, l_add(e, packed->v_piece, v_offset));
}

/* A bf16 number is the upper half of its float32. Where registers are few, pairs lie a line late: a
 * load two bytes before them has the first number in the upper half of each lane, and nothing has
 * to be kept for the other one. */
static LLVMValueRef load_bf16(struct cpu_emitter *e, const struct cpu_packed *packed,
                              LLVMValueRef v_at, unsigned i, int has_both)
{
    unsigned lanes = packed->lanes;
    LLVMTypeRef integer = l_vector(e->t_i32, lanes), number = l_vector(e->t_float, lanes);
    LLVMTypeRef bits = l_vector(LLVMInt16TypeInContext(e->context), lanes);
    LLVMValueRef v_shift = l_splat(e, LLVMConstInt(e->t_i32, 16, 0), lanes);
    LLVMValueRef v_upper = l_splat(e, LLVMConstInt(e->t_i32, 0xffff0000, 0), lanes), v;
    if (packed->group == 1) {
        v = LLVMBuildZExt(e->builder, l_load(e, bits, v_at, 2), integer, "");
        v = LLVMBuildShl(e->builder, v, v_shift, "");
    } else {
        int is_before = i == 0 && packed->late > 0 && !has_both;
        LLVMValueRef v_bytes = l_i64(e, is_before ? packed->late - 2 : packed->late);
        v = l_load(e, integer, l_offset(e, v_at, v_bytes), 2);
        v = i == 0 && !is_before ? LLVMBuildShl(e->builder, v, v_shift, "")
                                 : LLVMBuildAnd(e->builder, v, v_upper, "");
    }
    return LLVMBuildBitCast(e->builder, v, number, "");
}

/* Without an instruction for it: the bits at their place, times 2^112 for the other bias of the
 * exponent, which is exact for denormal numbers too. All are finite (gruc_tensor_fits). */
static LLVMValueRef widen_half(struct cpu_emitter *e, LLVMValueRef v_halves, unsigned lanes)
{
    LLVMTypeRef integer = l_vector(e->t_i32, lanes), number = l_vector(e->t_float, lanes);
    LLVMValueRef v_bits = LLVMBuildZExt(e->builder, v_halves, integer, "");
    LLVMValueRef v_size = l_splat(e, LLVMConstInt(e->t_i32, 0x7fff, 0), lanes);
    LLVMValueRef v_sign = l_splat(e, LLVMConstInt(e->t_i32, 0x8000, 0), lanes);
    LLVMValueRef v_13 = l_splat(e, LLVMConstInt(e->t_i32, 13, 0), lanes);
    LLVMValueRef v_16 = l_splat(e, LLVMConstInt(e->t_i32, 16, 0), lanes);
    LLVMValueRef v = LLVMBuildAnd(e->builder, v_bits, v_size, "");
    v = LLVMBuildBitCast(e->builder, LLVMBuildShl(e->builder, v, v_13, ""), number, "");
    v = LLVMBuildFMul(e->builder, v, l_splat(e, LLVMConstReal(e->t_float, 0x1p112), lanes), "");
    v = LLVMBuildBitCast(e->builder, v, integer, "");
    v_sign = LLVMBuildShl(e->builder, LLVMBuildAnd(e->builder, v_bits, v_sign, ""), v_16, "");
    return LLVMBuildBitCast(e->builder, LLVMBuildOr(e->builder, v, v_sign, ""), number, "");
}

uint64_t cpu_weights_step_bytes(const struct cpu_packed *packed)
{
    return gate_bytes(packed) * (packed->by_gate ? 1 : packed->product->n_ops);
}

uint64_t cpu_weights_gate_bytes(const struct cpu_packed *packed)
{
    return gate_bytes(packed) * (packed->by_gate ? cpu_weights_steps(packed) : 1);
}

int cpu_weights_are_dots(const struct cpu_emitter *e, const struct cpu_packed *packed)
{
    return packed->product->weights == GRUC_WEIGHTS_BF16_DOT && e->target->dot == CPU_DOT_BF16;
}

int cpu_weights_are_widened(const struct cpu_emitter *e, const struct cpu_packed *packed)
{
    enum gruc_weights weights = packed->product->weights;
    return weights != GRUC_WEIGHTS_F32 && !gruc_narrow_is_integer(weights) &&
           !cpu_weights_are_dots(e, packed);
}

static LLVMValueRef weights_at(struct cpu_emitter *e, const struct cpu_packed *packed,
                               LLVMValueRef v_weights, const struct cpu_weights_place *place)
{
    uint64_t offset = place->vector * cpu_weights_vector_bytes(packed) +
                      place->gate * cpu_weights_gate_bytes(packed) +
                      place->step * cpu_weights_step_bytes(packed);
    return l_offset(e, v_weights, l_i64(e, offset));
}

void cpu_fetch_weights(struct cpu_emitter *e, const struct cpu_packed *packed,
                       LLVMValueRef v_weights, const struct cpu_weights_place *place)
{
    l_prefetch(e, weights_at(e, packed, v_weights, place));
}

static int is_far(const struct cpu_packed *packed)
{
    uint64_t vectors = (packed->width + packed->lanes - 1) / packed->lanes;
    return vectors * cpu_weights_vector_bytes(packed) >= FAR_BYTES;
}

/* With vectors shorter than lines there is no time to ask for each beside the loads. */
static int has_lines(const struct cpu_packed *packed)
{
    return packed->lanes * sizeof(float) >= LINE_BYTES;
}

LLVMValueRef cpu_weights_ahead(struct cpu_emitter *e, const struct cpu_packed *packed,
                               unsigned vectors, LLVMValueRef v_turned)
{
    uint64_t block = vectors * cpu_weights_vector_bytes(packed);
    if (!is_far(packed) || !has_lines(packed))
        return NULL;
    return LLVMBuildSelect(e->builder, v_turned, l_i64(e, 0 - block), l_i64(e, block), "");
}

unsigned cpu_weights_slices(const struct cpu_packed *packed, unsigned vectors)
{
    enum gruc_weights weights = packed->product->weights;
    uint64_t bytes = vectors * cpu_weights_vector_bytes(packed);
    int is_whole = weights == GRUC_WEIGHTS_BF16_DOT ||
                   packed->product->depth % packed->group == 0; /* the last step */
    if (!is_far(packed) || has_lines(packed) || !is_whole || gruc_narrow_is_integer(weights) ||
        cpu_weights_ranges(packed) > 1)
        return 1;
    return (unsigned)((bytes + CPU_FIRST_BYTES - 1) / CPU_FIRST_BYTES);
}

LLVMValueRef cpu_load_weights(struct cpu_emitter *e, const struct cpu_packed *packed,
                              LLVMValueRef v_weights, const struct cpu_weights_place *place)
{
    enum gruc_weights weights = packed->product->weights;
    unsigned lanes = packed->lanes;
    LLVMValueRef v_at = weights_at(e, packed, v_weights, place);
    LLVMTypeRef number = l_vector(e->t_float, lanes);
    if (weights == GRUC_WEIGHTS_F32)
        return l_load(e, number, v_at, 4);
    if (cpu_weights_are_dots(e, packed))
        return l_load(e, l_vector(e->t_i32, lanes), v_at, 4);
    if (weights == GRUC_WEIGHTS_BF16 || weights == GRUC_WEIGHTS_BF16_DOT)
        return load_bf16(e, packed, v_at, place->i, place->has_both);
    LLVMTypeRef half = LLVMHalfTypeInContext(e->context), bits = LLVMInt16TypeInContext(e->context);
    if (e->target->has_half)
        return LLVMBuildFPExt(e->builder, l_load(e, l_vector(half, lanes), v_at, 2), number, "");
    return widen_half(e, l_load(e, l_vector(bits, lanes), v_at, 2), lanes);
}

LLVMValueRef cpu_load_bias(struct cpu_emitter *e, const struct cpu_packed *packed, unsigned gate,
                           LLVMValueRef v_unit)
{
    LLVMTypeRef type = l_vector(e->t_float, packed->lanes);
    if (packed->bias[gate] == SIZE_MAX)
        return LLVMConstNull(type);
    LLVMValueRef v_bias = l_add(e, packed->v_piece,
                                l_i64(e, packed->bias[gate]));
    LLVMValueRef v_offset = l_add(e, v_bias, l_mul(e, v_unit, l_i64(e, 4)));
    return l_load(e, type, l_offset(e, e->v_weights, v_offset), 4);
}

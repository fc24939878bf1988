/* SPDX-License-Identifier: MIT */
#include "ir/narrow.h"

#include <math.h>
#include <string.h>

static const char *const names[GRUC_WEIGHTS_COUNT] = {
    "auto", "f32", "bf16", "f16", "int8", "int8_bytes", "bf16_dot"};

const char *gruc_narrow_name(enum gruc_weights weights)
{
    return names[weights];
}

enum gruc_weights gruc_narrow_find(const char *name)
{
    unsigned i = 0;
    while (i < GRUC_WEIGHTS_COUNT && strcmp(names[i], name) != 0)
        i++;
    return (enum gruc_weights)i;
}

enum gruc_weights gruc_op_weights(const struct gruc_op *op)
{
    const char *text = gruc_op_text(op, GRUC_ATTRIBUTE_WEIGHTS);
    return text == NULL ? GRUC_WEIGHTS_F32 : gruc_narrow_find(text);
}

int64_t gruc_matmul_tensor(const struct gruc_ir *ir, const struct gruc_op *op)
{
    return gruc_op_integer(gruc_ir_def(ir, op->operands[1]), GRUC_ATTRIBUTE_TENSOR, 0);
}

int gruc_narrow_is_integer(enum gruc_weights weights)
{
    return weights == GRUC_WEIGHTS_INT8 || weights == GRUC_WEIGHTS_INT8_BYTES;
}

uint32_t gruc_narrow_bytes(enum gruc_weights weights)
{
    return weights == GRUC_WEIGHTS_F32 ? 4 : gruc_narrow_is_integer(weights) ? 1 : 2;
}

int gruc_narrow_quantizes(enum gruc_weights weights)
{
    return gruc_narrow_is_integer(weights) || weights == GRUC_WEIGHTS_BF16_DOT;
}

uint32_t gruc_quantized_width(enum gruc_weights weights, uint32_t width)
{
    uint32_t sixteens = width / 16 + (width % 16 != 0);
    return gruc_narrow_is_integer(weights) ? sixteens * 8 + 1 : sixteens * 16;
}

int32_t gruc_quantized_largest(enum gruc_weights weights, uint32_t width)
{
    if (weights == GRUC_WEIGHTS_INT8_BYTES)
        return GRUC_INT8_LARGEST;
    int32_t largest = INT32_MAX / GRUC_INT8_LARGEST / (int32_t)width;
    return largest < 0x7f7f ? largest : 0x7f7f;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

enum { EXPONENT = 0x7f800000 };

uint16_t gruc_bf16_from_float(float x)
{
    uint32_t bits = bits_of(x);
    if ((bits & INT32_MAX) > EXPONENT) /* a payload that is lost must not leave infinity */
        return (uint16_t)(bits >> 16 | ((bits & 0x7f0000) == 0 ? 0x40 : 0));
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

uint16_t gruc_bf16_dot_from_float(float x)
{
    return fabsf(x) < GRUC_BF16_DOT_LEAST ? 0 : gruc_bf16_from_float(x);
}

float gruc_float_from_bf16(uint16_t x)
{
    return float_of((uint32_t)x << 16);
}

/* Below 2^-14 a half is a multiple of 2^-24. */
static uint32_t half_denormal(uint32_t bits)
{
    uint32_t exponent = bits >> 23, number = (bits & 0x7fffff) | 0x800000, shift = 126 - exponent;
    if (shift > 24)
        return 0;
    return (number + (1u << (shift - 1)) - 1 + (number >> shift & 1)) >> shift;
}

uint16_t gruc_half_from_float(float x)
{
    uint32_t bits = bits_of(x), sign = bits >> 16 & 0x8000, half;
    bits &= INT32_MAX;
    if (bits > EXPONENT)
        half = 0x7e00 | (bits >> 13 & 0x3ff);
    else if (bits >= 0x47800000) /* 65536 */
        half = 0x7c00;
    else if (bits < 0x38800000) /* 2^-14 */
        half = half_denormal(bits);
    else
        half = ((bits + 0xfff + (bits >> 13 & 1)) >> 13) - 0x1c000;
    return (uint16_t)(sign | half);
}

float gruc_float_from_half(uint16_t x)
{
    uint32_t sign = (x & 0x8000u) << 16, bits = (x & 0x7fffu) << 13;
    if (bits >= 0x7c00u << 13)
        return float_of(sign | bits | EXPONENT);
    return float_of(sign | bits_of(float_of(bits) * 0x1p112f));
}

float gruc_narrow_round(enum gruc_weights weights, float x)
{
    if (weights == GRUC_WEIGHTS_BF16)
        return gruc_float_from_bf16(gruc_bf16_from_float(x));
    if (weights == GRUC_WEIGHTS_F16)
        return gruc_float_from_half(gruc_half_from_float(x));
    return x;
}

/* Halves that are not finite would need a case of their own in the code that widens them. */
static int number_fits(enum gruc_weights weights, float x, int exact)
{
    float rounded = gruc_narrow_round(weights, x);
    if (gruc_narrow_is_integer(weights))
        return isfinite(x) && !exact;
    if (weights == GRUC_WEIGHTS_F16 && !isfinite(rounded))
        return 0;
    return exact ? bits_of(rounded) == bits_of(x) : !isfinite(x) || isfinite(rounded);
}

int gruc_tensor_fits(const struct gruc_tensor *tensor, enum gruc_weights weights, int exact)
{
    enum { PIECE = 4096 };
    float room[PIECE];
    size_t count = (size_t)tensor->rows * tensor->columns;
    if (weights == GRUC_WEIGHTS_AUTO || weights == GRUC_WEIGHTS_F32)
        return weights == GRUC_WEIGHTS_F32;
    for (size_t first = 0; first < count; first += PIECE) {
        size_t part = count - first < PIECE ? count - first : PIECE;
        const float *data = gruc_tensor_numbers(tensor, first, part, room);
        for (size_t i = 0; i < part; i++)
            if (data == NULL || !number_fits(weights, data[i], exact))
                return 0;
    }
    return 1;
}

static enum gruc_status round_tensor(struct gruc_ir *ir, int64_t number, enum gruc_weights weights,
                                     unsigned char *rounded)
{
    struct gruc_tensor *tensor = &ir->tensors[number];
    size_t count = (size_t)tensor->rows * tensor->columns;
    if (rounded[number] || !gruc_tensor_fits(tensor, weights, 0))
        return GRUC_OK;
    float *data = GRUC_NEW_ARRAY(ir->arena, float, count);
    if (data == NULL)
        return GRUC_ERROR_MEMORY;
    for (size_t i = 0; i < count; i++)
        data[i] = gruc_narrow_round(weights, tensor->data[i]);
    tensor->data = data;
    rounded[number] = 1;
    return GRUC_OK;
}

enum gruc_status gruc_ir_round_weights(struct gruc_ir *ir, enum gruc_weights weights)
{
    if (weights != GRUC_WEIGHTS_F16)
        return GRUC_OK;
    unsigned char *rounded = GRUC_NEW_ARRAY(ir->arena, unsigned char, ir->n_tensors);
    if (rounded == NULL)
        return GRUC_ERROR_MEMORY;
    for (size_t i = 0; i < ir->n_grus; i++) {
        GRUC_TRY(round_tensor(ir, ir->grus[i].kernel, weights, rounded));
        GRUC_TRY(round_tensor(ir, ir->grus[i].recurrent_kernel, weights, rounded));
    }
    for (size_t i = 0; i < ir->regions[0].n_ops; i++) {
        const struct gruc_op *op = &ir->ops[ir->regions[0].ops[i]];
        if (op->code == GRUC_OP_MATMUL)
            GRUC_TRY(round_tensor(ir, gruc_matmul_tensor(ir, op), weights, rounded));
    }
    return GRUC_OK;
}

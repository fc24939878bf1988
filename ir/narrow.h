/* SPDX-License-Identifier: MIT */
#ifndef GRUC_IR_NARROW_H
#define GRUC_IR_NARROW_H

/* Weights of products in fewer bits than float32 has. */

#include "ir/ir.h"

/* How the weights of a product are stored, the attribute weights of matmul; AUTO only as a wish:
 * the narrowest floating-point type that holds them exactly. */
enum gruc_weights {
    GRUC_WEIGHTS_AUTO,
    GRUC_WEIGHTS_F32,
    GRUC_WEIGHTS_BF16,
    GRUC_WEIGHTS_F16,
    GRUC_WEIGHTS_INT8,       /* times a scale for each column; by rows of 16-bit integers */
    GRUC_WEIGHTS_INT8_BYTES, /* by rows of 8-bit integers; wished for as INT8 */
    GRUC_WEIGHTS_BF16_DOT,   /* by rows of bf16 numbers, in pairs; wished for as BF16 */
    GRUC_WEIGHTS_COUNT
};
const char *gruc_narrow_name(enum gruc_weights weights);
/* GRUC_WEIGHTS_COUNT when there is none of this name. */
enum gruc_weights gruc_narrow_find(const char *name);
/* Of a matmul; F32 without the attribute. */
enum gruc_weights gruc_op_weights(const struct gruc_op *op);
/* The tensor that a matmul multiplies by. */
int64_t gruc_matmul_tensor(const struct gruc_ir *ir, const struct gruc_op *op);
/* INT8 or INT8_BYTES. */
int gruc_narrow_is_integer(enum gruc_weights weights);
/* Bytes of one weight. */
uint32_t gruc_narrow_bytes(enum gruc_weights weights);

/* To nearest, ties to even; NaN stays NaN. */
uint16_t gruc_bf16_from_float(float x);
float gruc_float_from_bf16(uint16_t x);
uint16_t gruc_half_from_float(float x);
float gruc_float_from_half(uint16_t x);

/* What a weight is worth once stored as BF16 or F16; itself in the other types. */
float gruc_narrow_round(enum gruc_weights weights, float x);

/* What a product multiplies by these weights: rows of another form than float32, by `quantize`. */
int gruc_narrow_quantizes(enum gruc_weights weights);
/* Of BF16_DOT: as BF16, but 0 for numbers below the least, so that no sum of products is ever
 * denormal: those are multiples of 2^-126. */
uint16_t gruc_bf16_dot_from_float(float x);
#define GRUC_BF16_DOT_LEAST 0x1p-56f

/* 32-bit integers of a quantized row of width numbers, a multiple of sixteen of them in whichever
 * form the target multiplies: of INT8 and INT8_BYTES up to two bytes each, and last the float32
 * scale; of BF16_DOT up to four bytes each. */
uint32_t gruc_quantized_width(enum gruc_weights weights, uint32_t width);
/* The largest absolute value of its integers. Of INT8: as many bits as a sum of width products with
 * 8-bit weights leaves room for in 32, and two signed bytes can hold. */
int32_t gruc_quantized_largest(enum gruc_weights weights, uint32_t width);
enum { GRUC_INT8_LARGEST = 127 };

/* Whether a tensor can be stored so: with the same values when exact, else without making infinite
 * what is not. BF16 holds infinities and NaN, F16 and INT8 are refused for them. AUTO: no. */
int gruc_tensor_fits(const struct gruc_tensor *tensor, enum gruc_weights weights, int exact);

/* Replaces what products multiply by, GRU kernels included, by its rounded copy in ir's arena where
 * the type can hold it and only weights are rounded: the model that code with F16 computes. Before
 * any pass. */
enum gruc_status gruc_ir_round_weights(struct gruc_ir *ir, enum gruc_weights weights);

#endif

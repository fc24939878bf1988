/* SPDX-License-Identifier: MIT */
#ifndef GRUC_IR_PASSES_TABLE_PRODUCT_H
#define GRUC_IR_PASSES_TABLE_PRODUCT_H

#include "ir/ir.h"

/* left (rows x depth) . weight (depth x width) + bias (width numbers, NULL: none). */
struct gruc_table_product {
    const float *left, *weight, *bias;
    uint32_t rows, depth, width;
    uint32_t left_stride, weight_stride; /* numbers from row to row */
    int has_fma; /* of the target: else products are rounded before they are added */
};

/* Computes it in float32 with the sums of gruc_sum_ranges, the bits that generated code gives.
 * out: rows x width. Scratch memory comes from arena. */
enum gruc_status gruc_table_product(const struct gruc_table_product *product,
                                    struct gruc_arena *arena, float *out);

#endif

/* SPDX-License-Identifier: MIT */
/* Products at compile time. A block of columns is packed first, as generated code has its weights,
 * so that the loops run over whole vectors. */
#include "ir/passes/table_product.h"
#include "ir/sum.h"

#include <math.h>
#include <string.h>

enum { LANES = 16 };

struct block {
    const struct gruc_table_product *product;
    const float *weight; /* [k][lane], zeros beyond the width */
    float bias[LANES];
    uint32_t column, columns;
};

typedef void (*block_function)(const struct block *block, float *out);

static inline __attribute__((always_inline)) void sum_rows(const struct block *block, int has_fma,
                                                           float *out)
{
    const struct gruc_table_product *p = block->product;
    unsigned ranges = gruc_sum_ranges(p->depth);
    for (uint32_t row = 0; row < p->rows; row++) {
        const float *x = p->left + (size_t)row * p->left_stride;
        float total[LANES], sum[LANES];
        memcpy(sum, block->bias, sizeof sum);
        for (unsigned range = 0; range < ranges; range++) {
            uint32_t end = gruc_sum_range_begin(p->depth, range + 1);
            for (uint32_t k = gruc_sum_range_begin(p->depth, range); k < end; k++) {
                const float *w = block->weight + (size_t)k * LANES;
                for (unsigned i = 0; i < LANES; i++)
                    sum[i] = has_fma ? fmaf(x[k], w[i], sum[i]) : x[k] * w[i] + sum[i];
            }
            for (unsigned i = 0; i < LANES; i++)
                total[i] = range == 0 ? sum[i] : total[i] + sum[i];
            memset(sum, 0, sizeof sum);
        }
        memcpy(out + (size_t)row * p->width + block->column, total,
               block->columns * sizeof *total);
    }
}

static void sum_rounded(const struct block *block, float *out)
{
    sum_rows(block, 0, out);
}

static void sum_fused(const struct block *block, float *out)
{
    sum_rows(block, 1, out);
}

/* Without the instruction fmaf is a call, which takes some ten times as long. */
#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void sum_fused_avx2(const struct block *block,
                                                               float *out)
{
    sum_rows(block, 1, out);
}

static block_function fused_function(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? sum_fused_avx2
                                                                           : sum_fused;
}
#else
static block_function fused_function(void)
{
    return sum_fused;
}
#endif

enum gruc_status gruc_table_product(const struct gruc_table_product *product,
                                    struct gruc_arena *arena, float *out)
{
    struct block block = {.product = product};
    block_function sum = product->has_fma ? fused_function() : sum_rounded;
    float *packed = GRUC_NEW_ARRAY(arena, float, (size_t)product->depth * LANES);
    if (packed == NULL)
        return GRUC_ERROR_MEMORY;
    block.weight = packed;
    for (; block.column < product->width; block.column += LANES) {
        uint32_t left = product->width - block.column;
        block.columns = left < LANES ? left : LANES;
        memset(packed, 0, (size_t)product->depth * LANES * sizeof *packed);
        memset(block.bias, 0, sizeof block.bias);
        for (uint32_t k = 0; k < product->depth; k++)
            memcpy(packed + (size_t)k * LANES,
                   product->weight + (size_t)k * product->weight_stride + block.column,
                   block.columns * sizeof *packed);
        if (product->bias != NULL)
            memcpy(block.bias, product->bias + block.column, block.columns * sizeof *block.bias);
        sum(&block, out);
    }
    return GRUC_OK;
}

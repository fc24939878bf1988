/* SPDX-License-Identifier: MIT */
#ifndef GRT_MEMORY_H
#define GRT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include <gruc/abi.h>

/* bytes rounded up, aligned to GRUC_ABI_ALIGNMENT, not zeroed; NULL when there is no memory. Freed
 * by free. */
void *grt_memory_take(uint64_t bytes);

/* *out = a * b; 0 when that overflows. */
static inline int grt_memory_multiply(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline size_t grt_dtype_bytes(uint32_t dtype)
{
    return dtype == GRUC_BOOL ? 1 : 4;
}

#endif

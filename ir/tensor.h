/* SPDX-License-Identifier: MIT */
#ifndef GRUC_IR_TENSOR_H
#define GRUC_IR_TENSOR_H

#include <stddef.h>
#include <stdint.h>

/* Reads count of a tensor's numbers, from number first on; 0 when that is impossible. May be called
 * by several threads at once. */
struct gruc_tensor_source {
    int (*read)(const void *context, uint64_t first, size_t count, float *out);
    const void *context;
};

#endif

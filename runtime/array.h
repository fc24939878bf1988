/* SPDX-License-Identifier: MIT */
#ifndef GRT_ARRAY_H
#define GRT_ARRAY_H

#include <gruc/npy.h>

/* Bytes of one element. */
size_t grt_array_item_bytes(enum gruc_npy_type type);

/* The exact value of a half-precision number. */
float grt_float_from_half(uint16_t half);

/* The type of the tensor arrays of dtype. */
enum gruc_npy_type grt_array_type(uint32_t dtype);

#endif

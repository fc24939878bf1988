/* SPDX-License-Identifier: MIT */
#include "runtime/array.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/memory.h"

size_t grt_array_item_bytes(enum gruc_npy_type type)
{
    switch (type) {
    case GRUC_NPY_FLOAT64:
    case GRUC_NPY_INT64:
        return 8;
    case GRUC_NPY_FLOAT32:
    case GRUC_NPY_INT32:
        return 4;
    case GRUC_NPY_FLOAT16:
        return 2;
    case GRUC_NPY_BOOL:
    case GRUC_NPY_UINT8:
    case GRUC_NPY_INT8:
        break;
    }
    return 1;
}

enum gruc_npy_type grt_array_type(uint32_t dtype)
{
    return dtype == GRUC_INT32 ? GRUC_NPY_INT32
           : dtype == GRUC_BOOL ? GRUC_NPY_BOOL
                                : GRUC_NPY_FLOAT32;
}

float grt_float_from_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = (half >> 10) & 31u, fraction = half & 0x3ffu;
    float value;
    if (exponent == 0) { /* fraction * 2^-24, exact */
        value = (float)fraction * 0x1p-24f;
        return sign != 0 ? -value : value;
    }
    uint32_t bits = exponent == 31 ? sign | 0x7f800000u | fraction << 13
                                   : sign | (exponent + 112u) << 23 | fraction << 13;
    memcpy(&value, &bits, sizeof value);
    return value;
}

enum gruc_status gruc_array_create(enum gruc_npy_type type, uint32_t rank, const int64_t *dims,
                                   struct gruc_array *out)
{
    *out = (struct gruc_array){.type = type, .rank = rank};
    if (rank > GRUC_ABI_MAX_RANK)
        return GRUC_ERROR_SHAPE;
    /* Axes of no length do not hide an overflow of the others. */
    uint64_t count = 1, extent = 1, bytes = 0;
    for (uint32_t i = 0; i < rank; i++) {
        if (dims[i] < 0 || !grt_memory_multiply(extent, dims[i] == 0 ? 1 : (uint64_t)dims[i],
                                                &extent))
            return GRUC_ERROR_SHAPE;
        count *= (uint64_t)dims[i];
        out->dims[i] = dims[i];
    }
    if (!grt_memory_multiply(extent, grt_array_item_bytes(type), &bytes) || bytes > SIZE_MAX / 4)
        return GRUC_ERROR_SHAPE;
    out->count = (size_t)count;
    out->bytes = (size_t)count * grt_array_item_bytes(type);
    out->data = grt_memory_take(out->bytes);
    if (out->data == NULL)
        return GRUC_ERROR_MEMORY;
    memset(out->data, 0, out->bytes);
    return GRUC_OK;
}

void gruc_array_finish(struct gruc_array *array)
{
    free(array->data);
    *array = (struct gruc_array){0};
}

/* Element i as a double and, for integers, exactly as an int64 too. */
static double read_number(const struct gruc_array *array, size_t i, int64_t *integer)
{
    *integer = 0;
    switch (array->type) {
    case GRUC_NPY_FLOAT32:
        return ((const float *)array->data)[i];
    case GRUC_NPY_FLOAT64:
        return ((const double *)array->data)[i];
    case GRUC_NPY_FLOAT16:
        return grt_float_from_half(((const uint16_t *)array->data)[i]);
    case GRUC_NPY_INT32:
        *integer = ((const int32_t *)array->data)[i];
        break;
    case GRUC_NPY_INT64:
        *integer = ((const int64_t *)array->data)[i];
        break;
    case GRUC_NPY_INT8:
        *integer = ((const int8_t *)array->data)[i];
        break;
    case GRUC_NPY_BOOL:
    case GRUC_NPY_UINT8:
        *integer = ((const uint8_t *)array->data)[i];
        break;
    }
    return (double)*integer;
}

static int is_float(enum gruc_npy_type type)
{
    return type == GRUC_NPY_FLOAT32 || type == GRUC_NPY_FLOAT64 || type == GRUC_NPY_FLOAT16;
}

/* Towards zero, as Keras casts ids; 0 when out of range or not a number. */
static int to_int32(double number, int64_t integer, int from_float, int32_t *out)
{
    if (from_float) {
        if (!(number > -2147483649.0 && number < 2147483648.0))
            return 0;
        *out = (int32_t)number;
        return 1;
    }
    if (integer < INT32_MIN || integer > INT32_MAX)
        return 0;
    *out = (int32_t)integer;
    return 1;
}

enum gruc_status gruc_array_convert(const struct gruc_array *array, enum gruc_dtype dtype,
                                    struct gruc_array *out)
{
    enum gruc_status status =
        gruc_array_create(grt_array_type(dtype), array->rank, array->dims, out);
    if (status != GRUC_OK)
        return status;
    if (array->type == out->type) {
        memcpy(out->data, array->data, out->bytes);
        return GRUC_OK;
    }
    int from_float = is_float(array->type);
    for (size_t i = 0; i < array->count; i++) {
        int64_t integer;
        double number = read_number(array, i, &integer);
        if (dtype == GRUC_FLOAT32) /* an int64 is rounded once, not by way of a double */
            ((float *)out->data)[i] = from_float ? (float)number : (float)integer;
        else if (dtype == GRUC_BOOL)
            ((uint8_t *)out->data)[i] = from_float ? number != 0 : integer != 0;
        else if (!to_int32(number, integer, from_float, &((int32_t *)out->data)[i])) {
            gruc_array_finish(out);
            return GRUC_ERROR_SHAPE;
        }
    }
    return GRUC_OK;
}

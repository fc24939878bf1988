/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/calls.h"

int test_axis_find(const struct gruc_tensor_info *info, int64_t dim)
{
    for (uint32_t i = 0; i < info->rank; i++)
        if (info->dims[i] == dim)
            return (int)i;
    return -1;
}

/* Bytes of everything inside one index of an axis, and the product of the axes before it. */
static void split(const struct gruc_array *array, unsigned axis, size_t *before, size_t *inside)
{
    size_t elements = 1;
    *before = 1;
    for (unsigned i = 0; i < array->rank; i++)
        *(i < axis ? before : &elements) *= i == axis ? 1 : (size_t)array->dims[i];
    size_t element_bytes = 1;
    switch (array->type) {
    case GRUC_NPY_FLOAT32:
    case GRUC_NPY_INT32:
        element_bytes = 4;
        break;
    case GRUC_NPY_FLOAT64:
    case GRUC_NPY_INT64:
        element_bytes = 8;
        break;
    case GRUC_NPY_FLOAT16:
        element_bytes = 2;
        break;
    case GRUC_NPY_BOOL:
    case GRUC_NPY_UINT8:
    case GRUC_NPY_INT8:
        break;
    }
    *inside = elements * element_bytes;
}

int test_array_take(const struct gruc_array *array, unsigned axis, int64_t begin, int64_t count,
                    struct gruc_array *out)
{
    int64_t dims[GRUC_ABI_MAX_RANK];
    memcpy(dims, array->dims, sizeof dims);
    int64_t length = dims[axis];
    dims[axis] = count;
    if (gruc_array_create(array->type, array->rank, dims, out) != GRUC_OK)
        return 0;
    size_t before, inside;
    split(array, axis, &before, &inside);
    for (size_t i = 0; i < before; i++)
        for (int64_t k = 0; k < count; k++)
            memcpy((char *)out->data + (i * (size_t)count + (size_t)k) * inside,
                   (const char *)array->data +
                       (i * (size_t)length + (size_t)((begin + k) % length)) * inside,
                   inside);
    return 1;
}

int test_array_append(struct gruc_array *array, unsigned axis, const struct gruc_array *more)
{
    int64_t dims[GRUC_ABI_MAX_RANK];
    memcpy(dims, array->dims, sizeof dims);
    dims[axis] += more->dims[axis];
    struct gruc_array joined;
    if (gruc_array_create(array->type, array->rank, dims, &joined) != GRUC_OK)
        return 0;
    size_t before, inside;
    split(array, axis, &before, &inside);
    size_t first = (size_t)array->dims[axis] * inside, second = (size_t)more->dims[axis] * inside;
    for (size_t i = 0; i < before; i++) {
        char *to = (char *)joined.data + i * (first + second);
        memcpy(to, (const char *)array->data + i * first, first);
        memcpy(to + first, (const char *)more->data + i * second, second);
    }
    gruc_array_finish(array);
    *array = joined;
    return 1;
}

double test_array_number(const struct gruc_array *array, size_t i)
{
    switch (array->type) {
    case GRUC_NPY_FLOAT32:
        return (double)((const float *)array->data)[i];
    case GRUC_NPY_FLOAT64:
        return ((const double *)array->data)[i];
    case GRUC_NPY_INT32:
        return (double)((const int32_t *)array->data)[i];
    case GRUC_NPY_INT64:
        return (double)((const int64_t *)array->data)[i];
    case GRUC_NPY_BOOL:
    case GRUC_NPY_UINT8:
        return (double)((const uint8_t *)array->data)[i];
    case GRUC_NPY_INT8:
        return (double)((const int8_t *)array->data)[i];
    case GRUC_NPY_FLOAT16:
        break;
    }
    return (double)NAN;
}

int test_array_same(const struct gruc_array *a, const struct gruc_array *b, size_t *where)
{
    *where = 0;
    if (a->type != b->type || a->rank != b->rank || a->count != b->count ||
        memcmp(a->dims, b->dims, a->rank * sizeof a->dims[0]) != 0)
        return 0;
    if (a->type != GRUC_NPY_FLOAT32)
        return memcmp(a->data, b->data, a->bytes) == 0;
    const float *x = a->data, *y = b->data;
    for (size_t i = 0; i < a->count; i++) {
        *where = i;
        if (memcmp(&x[i], &y[i], sizeof x[i]) != 0 && !(isnan(x[i]) && isnan(y[i])))
            return 0;
    }
    return 1;
}

int test_outputs_same(const struct test_call *a, const struct test_call *b, char *text,
                      size_t text_bytes)
{
    for (size_t i = 0; i < a->n_outputs; i++) {
        const struct gruc_array *x = &a->outputs[i].array, *y = &b->outputs[i].array;
        size_t where = 0;
        if (i < b->n_outputs && test_array_same(x, y, &where))
            continue;
        int inside = i < b->n_outputs && where < x->count && where < y->count;
        double first = inside ? test_array_number(x, where) : 0;
        double second = inside ? test_array_number(y, where) : 0;
        snprintf(text, text_bytes, "output %s [%zu]: %.9g and %.9g", a->outputs[i].name, where,
                 first, second);
        return 0;
    }
    return a->n_outputs == b->n_outputs;
}

/* SPDX-License-Identifier: MIT */
#include "driver/compare.h"

#include <math.h>
#include <string.h>

#include "runtime/array.h"

static double value_at(const struct gruc_array *array, size_t index)
{
    switch (array->type) {
    case GRUC_NPY_FLOAT32:
        return ((const float *)array->data)[index];
    case GRUC_NPY_FLOAT64:
        return ((const double *)array->data)[index];
    case GRUC_NPY_INT32:
        return ((const int32_t *)array->data)[index];
    case GRUC_NPY_INT64:
        return (double)((const int64_t *)array->data)[index];
    case GRUC_NPY_INT8:
        return ((const int8_t *)array->data)[index];
    case GRUC_NPY_BOOL:
    case GRUC_NPY_UINT8:
        return ((const uint8_t *)array->data)[index];
    case GRUC_NPY_FLOAT16:
        return grt_float_from_half(((const uint16_t *)array->data)[index]);
    }
    return NAN;
}

int gruc_array_same_dims(const struct gruc_array *a, const struct gruc_array *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, a->rank * sizeof a->dims[0]) == 0;
}

static double distance(double got, double wanted)
{
    if (got == wanted || (isnan(got) && isnan(wanted)))
        return 0;
    double difference = fabs(got - wanted);
    return isnan(difference) ? INFINITY : difference;
}

void gruc_array_compare(const struct gruc_array *got, const struct gruc_array *wanted,
                        struct gruc_difference *out)
{
    double squares = 0;
    *out = (struct gruc_difference){0};
    for (size_t i = 0; i < wanted->count; i++) {
        double a = value_at(got, i), b = value_at(wanted, i);
        double difference = distance(a, b);
        squares += difference * difference;
        if (i == 0 || difference > out->worst) {
            out->worst = difference;
            out->index = i;
            out->got = a;
            out->wanted = b;
        }
        if (isfinite(b) && fabs(b) > out->magnitude)
            out->magnitude = fabs(b);
    }
    if (wanted->count > 0)
        out->rms = sqrt(squares / (double)wanted->count);
}

void gruc_array_place(const struct gruc_array *array, size_t index,
                      int64_t place[GRUC_ABI_MAX_RANK])
{
    for (uint32_t axis = array->rank; axis-- > 0;) {
        size_t length = (size_t)array->dims[axis];
        place[axis] = (int64_t)(index % length);
        index /= length;
    }
}

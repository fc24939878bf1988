/* SPDX-License-Identifier: MIT */
#ifndef GRUC_DRIVER_COMPARE_H
#define GRUC_DRIVER_COMPARE_H

#include <gruc/npy.h>

struct gruc_difference {
    double worst; /* largest absolute difference; infinite where only one is NaN or infinite */
    size_t index; /* of it */
    double got, wanted;
    double rms;   /* root of the mean square difference */
    double magnitude; /* largest finite absolute value of the wanted array */
};

/* Nonzero when both have the same dims. */
int gruc_array_same_dims(const struct gruc_array *a, const struct gruc_array *b);
/* Element by element, equal dims; NaN equals NaN. */
void gruc_array_compare(const struct gruc_array *got, const struct gruc_array *wanted,
                        struct gruc_difference *out);
/* The index of an element along each axis. */
void gruc_array_place(const struct gruc_array *array, size_t index,
                      int64_t place[GRUC_ABI_MAX_RANK]);

#endif

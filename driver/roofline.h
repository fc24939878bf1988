/* SPDX-License-Identifier: MIT */
#ifndef GRUC_DRIVER_ROOFLINE_H
#define GRUC_DRIVER_ROOFLINE_H

/* What this core can do at most, one thread, best of many short trials: multiply in registers, and
 * read the same bytes over and over from each level of memory. */

#include <stddef.h>

enum { GRUC_ROOFLINE_LEVELS = 6 };

struct gruc_roof {
    const char *name;
    size_t bytes;     /* of the cache or part of a cache; 0: main memory */
    double gigabytes; /* read a second; 0: not measured */
};

struct gruc_roofline {
    double gigaflops;                              /* a second; multiply-adds count two */
    struct gruc_roof levels[GRUC_ROOFLINE_LEVELS]; /* nearest first */
};

/* Takes at most most_bytes of memory, at least some MiB, and leaves out what that cannot tell.
 * 0 when there is no memory. */
int gruc_roofline_measure(size_t most_bytes, struct gruc_roofline *out);
/* Multiplies in registers, so many turns of some ten operations each; answers in seconds. */
double gruc_roofline_multiply(size_t turns);

#endif

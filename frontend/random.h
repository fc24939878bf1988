/* SPDX-License-Identifier: MIT */
#ifndef GRUC_FRONTEND_RANDOM_H
#define GRUC_FRONTEND_RANDOM_H

#include <stdint.h>

/* A stream of random numbers that is the same on every platform: integer arithmetic and single
 * IEEE operations only, no function of the C library whose last bit may differ. */
struct gruc_random {
    uint64_t state;
};

/* Streams of different names are independent. */
struct gruc_random gruc_random_stream(uint64_t seed, const char *name);
uint64_t gruc_random_bits(struct gruc_random *random);
/* In (0, 1), never an end. */
double gruc_random_unit(struct gruc_random *random);
/* Mean 0, deviation 1. */
double gruc_random_normal(struct gruc_random *random);
/* The same, cut at two deviations (whose deviation then is 0.8796...). */
double gruc_random_truncated(struct gruc_random *random);

#endif

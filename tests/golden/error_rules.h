/* SPDX-License-Identifier: MIT */
#ifndef GRUC_TESTS_GOLDEN_ERROR_RULES_H
#define GRUC_TESTS_GOLDEN_ERROR_RULES_H

#include "ir/expr.h"

/* A number v in double precision and a bound e on |v - v'|, where v' is what float32 code has in
 * its place. A truth value is 0 or 1; e = 1 says that v' may be the other one. */
struct cell {
    double v, e;
};

/* One rounding to float32 of a number of this size. */
double error_of_rounding(double size);

struct cell error_constant(double value);
struct cell error_basic(enum gruc_basic op, const struct cell *args);
struct cell error_prim(enum gruc_prim prim, struct cell x);

/* bias NULL: none. The k numbers of w lie stride apart. */
struct cell error_dot(const struct cell *x, const struct cell *w, uint32_t k, uint32_t stride,
                      const struct cell *bias);
struct cell error_sum(const struct cell *x, uint32_t width);
struct cell error_max(const struct cell *x, uint32_t width);
struct cell error_sparsemax_threshold(const struct cell *x, uint32_t width);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_TESTS_GOLDEN_ERROR_BOUND_H
#define GRUC_TESTS_GOLDEN_ERROR_BOUND_H

/* A bound on the forward error of a model's float32 outputs, computed for the numbers at hand. */

#include "tests/support/calls.h"

struct test_bound;

/* Of the model in text (as gruc_model_parse takes it). NULL when it does not compile. */
struct test_bound *test_bound_create(const char *path, const char *text, size_t length,
                                     const struct gruc_options *options);
void test_bound_destroy(struct test_bound *bound);

/* Evaluates one call; stateful layers continue from the call before. values and errors get one
 * float64 array an output, in the model's order: the value in double precision, and how far from
 * it the float32 result can be. 0 when memory ran out or an input is missing. */
int test_bound_run(struct test_bound *bound, const struct test_call *call,
                   struct test_call *values, struct test_call *errors);

#endif

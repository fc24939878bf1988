/* SPDX-License-Identifier: MIT */
#ifndef GRUC_TESTS_FAKE_MODULE_H
#define GRUC_TESTS_FAKE_MODULE_H

#include <gruc/runtime.h>

/* A module written by hand as generated code would be: a running sum over time.
 *
 * inputs   x (batch, steps, 2) float32, m (batch, steps) bool: steps with m false add nothing
 * outputs  y (batch, steps, 2) the sums so far, last (batch, 2) the final ones
 * state    sum (batch, 2)
 *
 * A value FAKE_BAD_VALUE in x is refused with GRUC_ERROR_ID, as an embedding refuses an id. */
#define FAKE_BAD_VALUE 999.0f

enum { FAKE_X, FAKE_M, FAKE_Y, FAKE_LAST, FAKE_SUM, FAKE_TENSORS };

struct fake_description {
    struct gruc_module_info info;
    struct gruc_tensor_info tensors[FAKE_TENSORS];
};

/* Fills in the description, for tests that change it. */
void fake_describe(struct fake_description *out);

/* The context of a hosted run. */
struct fake_host {
    int time_major;    /* x, m and y are (steps, batch, ...) */
    unsigned calls;    /* that computed */
    unsigned releases; /* of the module */
    uint64_t most_rows; /* of one call */
};
int fake_run_hosted(void *context, const struct gruc_args *args);
void fake_release_host(void *context);

/* The two entry points. */
const struct gruc_module_info *fake_describe_module(void);
int fake_run_module(const struct gruc_args *args);

#endif

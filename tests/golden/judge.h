/* SPDX-License-Identifier: MIT */
#ifndef GRUC_TESTS_GOLDEN_JUDGE_H
#define GRUC_TESTS_GOLDEN_JUDGE_H

/* Whether numbers are near enough: within 2e-6, or within the error bound computed for them. */

#include "tests/golden/error_bound.h"

#define TEST_TOLERANCE 2e-6
/* An error bound above this share of max(1, |value|) tells little. */
#define TEST_BOUND_WIDE 0.05

struct test_score {
    double worst;        /* largest error within TEST_TOLERANCE of numbers up to 2 */
    double worst_share;  /* of its error bound that an error took, among the others */
    unsigned long values, bounded; /* compared; of them judged by their bound */
    unsigned long undecided;       /* the bound is so wide that it tells little */
};

struct test_judge {
    const char *path, *text;
    size_t length;
    const struct gruc_options *options;
    const struct test_calls *calls;
    struct test_call *errors; /* of each call, made when first needed */
};

/* Borrows everything. */
void test_judge_init(struct test_judge *judge, const char *path, const char *text, size_t length,
                     const struct gruc_options *options, const struct test_calls *calls);
void test_judge_finish(struct test_judge *judge);

/* Compares the outputs of a call with expected ones, by name. 0 and words on a fault. */
int test_judge_call(struct test_judge *judge, size_t call, const struct test_call *out,
                    const struct test_call *expected, struct test_score *score, char *text,
                    size_t text_bytes);

void test_score_add(struct test_score *total, const struct test_score *score);

#endif

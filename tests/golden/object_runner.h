/* SPDX-License-Identifier: MIT */
#ifndef GRUC_TESTS_GOLDEN_OBJECT_RUNNER_H
#define GRUC_TESTS_GOLDEN_OBJECT_RUNNER_H

#include <gruc/abi.h>

struct object_case {
    const char *name;
    gruc_describe_function describe;
    gruc_run_function run;
};

/* A generated table, ended by an entry without a name. */
extern const struct object_case object_cases[];

#endif

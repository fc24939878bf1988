/* SPDX-License-Identifier: MIT */
#ifndef GRUC_TESTS_GOLDEN_CASE_H
#define GRUC_TESTS_GOLDEN_CASE_H

/* A golden case (NAME.yaml, NAME.npz, NAME.io.npz) and the ways to run it. */

#include "tests/support/calls.h"

enum { TEST_PATH_BYTES = 512, TEST_TEXT_BYTES = 600 };

struct test_case {
    char name[TEST_NAME_BYTES];
    char path[TEST_PATH_BYTES]; /* of the YAML */
    char *text;
    size_t length;
    struct test_calls calls;
    int stateful;
};

/* The cases of a folder whose names contain part (NULL: all), sorted. Names are the caller's. */
size_t test_cases_find(const char *folder, const char *part, char ***names);
/* Prints "not ok" and returns 0 when a file is missing or broken. */
int test_case_open(const char *folder, const char *name, struct test_case *out);
void test_case_close(struct test_case *item);

/* Options with a listener that keeps the first error in text. The environment variable
 * GRUC_TEST_WEIGHTS says the type of weights. */
struct test_listener {
    char text[TEST_TEXT_BYTES];
};
void test_options(struct gruc_options *options, struct test_listener *listener);

/* Compiles the text of a case for this process, NULL with words in listener. The handle is closed
 * again: the module outlives it. */
struct grt_module *test_jit(const char *path, const char *text, size_t length,
                            const struct gruc_options *options);

/* A file of this kind made from a case. */
int test_emit(const struct test_case *item, const struct gruc_options *options,
              enum gruc_emit emit, const char *path);

/* Runs a standalone program on the inputs of a call, with files in folder. Words in text on a
 * failure. */
int test_exe_run(const char *program, const char *folder, const struct test_call *call,
                 const struct gruc_module_info *info, struct test_call *out, char *text);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_TESTS_UNIT_SUITES_H
#define GRUC_TESTS_UNIT_SUITES_H

#include <CUnit/CUnit.h>

/* One table of tests a source file, ended by CU_TEST_INFO_NULL.
 * GRUC_UNIT_SUITE(name): gruc_NAME_tests in test_NAME.c. */
#define GRUC_UNIT_SUITES(X)                                                                        \
    X(base)                                                                                        \
    X(act)                                                                                         \
    X(ir)                                                                                          \
    X(ref)                                                                                         \
    X(runtime)                                                                                     \
    X(pool)                                                                                        \
    X(norms)                                                                                       \
    X(tables)                                                                                      \
    X(npy)                                                                                         \
    X(narrow)                                                                                      \
    X(profile)                                                                                     \
    X(tensors)                                                                                     \
    X(weights)

#define GRUC_UNIT_DECLARE(name) extern CU_TestInfo gruc_##name##_tests[];
GRUC_UNIT_SUITES(GRUC_UNIT_DECLARE)
#undef GRUC_UNIT_DECLARE

#endif

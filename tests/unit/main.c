/* SPDX-License-Identifier: MIT */
/* The unit tests: one suite a source file, one line a test. */

#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>
#include <CUnit/TestRun.h>

#include "tests/unit/suites.h"

static void report_test(const CU_pTest test, const CU_pSuite suite, const CU_pFailureRecord failure)
{
    if (failure == NULL) {
        printf("ok unit %s: %s\n", suite->pName, test->pName);
        return;
    }
    printf("not ok unit %s: %s:", suite->pName, test->pName);
    for (CU_pFailureRecord record = failure; record != NULL; record = record->pNext)
        printf(" [%s:%u: %s]", record->strFileName, record->uiLineNumber, record->strCondition);
    printf("\n");
}

/* With an argument: only the suites of that name. */
int main(int argc, char **argv)
{
#define GRUC_UNIT_ROW(name) {#name, NULL, NULL, NULL, NULL, gruc_##name##_tests},
    CU_SuiteInfo all[] = {GRUC_UNIT_SUITES(GRUC_UNIT_ROW) CU_SUITE_INFO_NULL};
#undef GRUC_UNIT_ROW
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 70;
    for (CU_SuiteInfo *suite = all; suite->pName != NULL; suite++) {
        CU_SuiteInfo one[] = {*suite, CU_SUITE_INFO_NULL};
        if (argc > 1 && strcmp(argv[1], suite->pName) != 0)
            continue;
        if (CU_register_suites(one) != CUE_SUCCESS) {
            printf("not ok unit %s: %s\n", suite->pName, CU_get_error_msg());
            return 70;
        }
    }
    CU_set_test_complete_handler(report_test);
    setvbuf(stdout, NULL, _IOLBF, 0);
    CU_run_all_tests();
    unsigned failed = CU_get_number_of_tests_failed() + CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed != 0;
}

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_TESTS_SUPPORT_POOL_H
#define GRUC_TESTS_SUPPORT_POOL_H

/* Runs items in child processes, so that a crash or a hang of one is a failure of that one only. */

#include <stddef.h>

typedef void (*test_item_function)(void *context, size_t index);

/* Calls item for each index below count in jobs processes. A process that dies or takes longer than
 * seconds over one item gives a line "not ok NOTE: ..." and is replaced. Returns the deaths. */
unsigned test_pool_run(unsigned jobs, size_t count, unsigned seconds, test_item_function item,
                       void *context);

/* What the item is doing, for that line. */
void test_pool_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Zeroed memory that all processes of a pool share; NULL when there is none. */
void *test_pool_share(size_t bytes);

#endif

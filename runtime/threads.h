/* SPDX-License-Identifier: MIT */
#ifndef GRT_THREADS_H
#define GRT_THREADS_H

#include <gruc/status.h>

/* A few threads that wait for work together with their caller. */
struct grt_pool;

typedef void (*grt_share_function)(void *context, unsigned share);

/* How many processors the caller may run on: more threads than that would only take turns. */
unsigned grt_pool_processors(void);

/* workers: threads beside the caller's. GRUC_ERROR_MEMORY when they cannot be had. */
GRUC_MUST_USE enum gruc_status grt_pool_create(unsigned workers, struct grt_pool **out);
void grt_pool_destroy(struct grt_pool *pool); /* NULL is fine */

/* Calls function for shares 0 to workers, each in its own thread, share 0 in the caller's, and
 * returns when all are done. */
void grt_pool_run(struct grt_pool *pool, grt_share_function function, void *context);

#endif

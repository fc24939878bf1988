/* SPDX-License-Identifier: MIT */
#ifndef GRT_BARRIER_H
#define GRT_BARRIER_H

#include <pthread.h>
#include <stdatomic.h>

#include <gruc/status.h>

/* Where threads that compute the same rows wait for each other, many times a call: by looking for
 * some microseconds, then asleep, since another process may hold a core for milliseconds. Each
 * thread counts its arrivals in a cache line of its own and reads the others', which takes one
 * transfer between cores where a common counter takes three. */
struct grt_barrier;

/* threads: most that will meet. */
GRUC_MUST_USE enum gruc_status grt_barrier_create(unsigned threads, struct grt_barrier **out);
void grt_barrier_destroy(struct grt_barrier *barrier); /* NULL is fine */

/* Before a call, when nobody waits: how many threads meet. */
void grt_barrier_set(struct grt_barrier *barrier, unsigned threads);

/* What thread index gives the two below. */
void *grt_barrier_place(struct grt_barrier *barrier, unsigned index);

/* What this thread wrote may be read by the others. */
void grt_barrier_arrive(void *place);
/* Returns when all have arrived as often as this one; what they wrote before is then seen by it. */
void grt_barrier_wait(void *place);

/* Turns of looking before sleeping: longer than waking another thread takes, or each of two would
 * fall asleep while the other wakes up. */
enum { GRT_SPIN_TURNS = 8000 };

/* A turn of looking; shared with threads.c. */
static inline void grt_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif

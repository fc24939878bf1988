/* SPDX-License-Identifier: MIT */
#ifndef GRT_BARRIER_H
#define GRT_BARRIER_H

#include <pthread.h>
#include <stdatomic.h>

#include <gruc/status.h>

/* Where threads that compute the same rows wait for each other, many times a call: by looking for
 * some microseconds, then asleep, since another process may hold a core for milliseconds. */
struct grt_barrier {
    unsigned threads;
    atomic_uint arrived, generation, sleepers;
    atomic_uint sleeps; /* how often one slept since it was set */
    pthread_mutex_t mutex;
    pthread_cond_t moved;
};

void grt_barrier_init(struct grt_barrier *barrier);
void grt_barrier_finish(struct grt_barrier *barrier);

/* Before a call, when nobody waits: how many threads meet. */
void grt_barrier_set(struct grt_barrier *barrier, unsigned threads);

/* Returns when all of them have called it; context is the barrier. */
void grt_barrier_wait(void *context);

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

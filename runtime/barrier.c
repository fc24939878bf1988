/* SPDX-License-Identifier: MIT */
#include "runtime/barrier.h"

enum { SPIN_TURNS = 2000 };

void grt_barrier_init(struct grt_barrier *barrier)
{
    pthread_mutex_init(&barrier->mutex, NULL);
    pthread_cond_init(&barrier->moved, NULL);
    atomic_init(&barrier->generation, 0);
    atomic_init(&barrier->sleepers, 0);
    grt_barrier_set(barrier, 1);
}

void grt_barrier_finish(struct grt_barrier *barrier)
{
    pthread_cond_destroy(&barrier->moved);
    pthread_mutex_destroy(&barrier->mutex);
}

void grt_barrier_set(struct grt_barrier *barrier, unsigned threads)
{
    barrier->threads = threads;
    atomic_store_explicit(&barrier->arrived, 0, memory_order_relaxed);
    atomic_store_explicit(&barrier->sleeps, 0, memory_order_relaxed);
}

/* A sleeper counts itself before it looks a last time, the last thread to arrive looks for sleepers
 * after it has moved the generation on: one of them sees the other. */
static void sleep_until_moved(struct grt_barrier *barrier, unsigned generation)
{
    atomic_fetch_add_explicit(&barrier->sleeps, 1, memory_order_relaxed);
    pthread_mutex_lock(&barrier->mutex);
    atomic_fetch_add(&barrier->sleepers, 1);
    while (atomic_load(&barrier->generation) == generation)
        pthread_cond_wait(&barrier->moved, &barrier->mutex);
    atomic_fetch_sub(&barrier->sleepers, 1);
    pthread_mutex_unlock(&barrier->mutex);
}

void grt_barrier_wait(void *context)
{
    struct grt_barrier *barrier = context;
    unsigned generation = atomic_load_explicit(&barrier->generation, memory_order_acquire);
    if (atomic_fetch_add_explicit(&barrier->arrived, 1, memory_order_acq_rel) + 1 ==
        barrier->threads) {
        atomic_store_explicit(&barrier->arrived, 0, memory_order_relaxed);
        atomic_store(&barrier->generation, generation + 1);
        if (atomic_load(&barrier->sleepers) > 0) {
            pthread_mutex_lock(&barrier->mutex);
            pthread_cond_broadcast(&barrier->moved);
            pthread_mutex_unlock(&barrier->mutex);
        }
        return;
    }
    for (int turn = 0; turn < SPIN_TURNS; turn++) {
        if (atomic_load_explicit(&barrier->generation, memory_order_acquire) != generation)
            return;
        grt_pause();
    }
    sleep_until_moved(barrier, generation);
}

/* SPDX-License-Identifier: MIT */
#include "runtime/barrier.h"

#include <stdlib.h>
#include <time.h>

enum { CLOSE_TURNS = 256, LINE_BYTES = 64, NAP_NANOSECONDS = 200000 };

struct place {
    _Alignas(2 * LINE_BYTES) atomic_uint arrivals; /* lines are fetched in pairs */
    unsigned index;
    struct grt_barrier *barrier;
};

struct grt_barrier {
    unsigned threads, most;
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    _Alignas(2 * LINE_BYTES) atomic_uint sleepers; /* changes only when one sleeps */
    struct place places[];
};

enum gruc_status grt_barrier_create(unsigned threads, struct grt_barrier **out)
{
    size_t bytes = sizeof **out + threads * sizeof(struct place);
    struct grt_barrier *barrier =
        aligned_alloc(2 * LINE_BYTES, (bytes + 2 * LINE_BYTES - 1) / (2 * LINE_BYTES) *
                                          (2 * LINE_BYTES));
    *out = barrier;
    if (barrier == NULL)
        return GRUC_ERROR_MEMORY;
    barrier->most = threads;
    pthread_mutex_init(&barrier->mutex, NULL);
    pthread_cond_init(&barrier->moved, NULL);
    atomic_init(&barrier->sleepers, 0);
    for (unsigned i = 0; i < threads; i++) {
        barrier->places[i].barrier = barrier;
        barrier->places[i].index = i;
    }
    grt_barrier_set(barrier, 1);
    return GRUC_OK;
}

void grt_barrier_destroy(struct grt_barrier *barrier)
{
    if (barrier == NULL)
        return;
    pthread_cond_destroy(&barrier->moved);
    pthread_mutex_destroy(&barrier->mutex);
    free(barrier);
}

void grt_barrier_set(struct grt_barrier *barrier, unsigned threads)
{
    barrier->threads = threads;
    for (unsigned i = 0; i < barrier->most; i++)
        atomic_init(&barrier->places[i].arrivals, 0);
}

void *grt_barrier_place(struct grt_barrier *barrier, unsigned index)
{
    return &barrier->places[index];
}

static int has_arrived(const struct place *other, unsigned arrivals)
{
    return (int)(atomic_load_explicit(&other->arrivals, memory_order_acquire) - arrivals) >= 0;
}

/* Whoever arrives does not wait until its count is seen before it looks for sleepers, so it may
 * miss one that is just falling asleep: naps are short. */
static void sleep_for(struct grt_barrier *barrier, const struct place *other, unsigned arrivals)
{
    pthread_mutex_lock(&barrier->mutex);
    atomic_fetch_add(&barrier->sleepers, 1);
    while (!has_arrived(other, arrivals)) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += NAP_NANOSECONDS;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&barrier->moved, &barrier->mutex, &until);
    }
    atomic_fetch_sub(&barrier->sleepers, 1);
    pthread_mutex_unlock(&barrier->mutex);
}

static void wait_for(struct grt_barrier *barrier, const struct place *other, unsigned arrivals)
{
    for (int turn = 0; turn < CLOSE_TURNS; turn++)
        if (has_arrived(other, arrivals))
            return;
    for (int turn = 0; turn < GRT_SPIN_TURNS; turn++) {
        if (has_arrived(other, arrivals))
            return;
        grt_pause();
    }
    sleep_for(barrier, other, arrivals);
}

void grt_barrier_arrive(void *context)
{
    struct place *own = context;
    struct grt_barrier *barrier = own->barrier;
    unsigned arrivals = atomic_load_explicit(&own->arrivals, memory_order_relaxed) + 1;
    atomic_store_explicit(&own->arrivals, arrivals, memory_order_release);
    if (atomic_load_explicit(&barrier->sleepers, memory_order_relaxed) > 0) {
        pthread_mutex_lock(&barrier->mutex);
        pthread_cond_broadcast(&barrier->moved);
        pthread_mutex_unlock(&barrier->mutex);
    }
}

void grt_barrier_wait(void *context)
{
    const struct place *own = context;
    struct grt_barrier *barrier = own->barrier;
    unsigned arrivals = atomic_load_explicit(&own->arrivals, memory_order_relaxed);
    for (unsigned i = 0; i < barrier->threads; i++)
        if (i != own->index)
            wait_for(barrier, &barrier->places[i], arrivals);
}

/* SPDX-License-Identifier: MIT */
#include "runtime/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "runtime/barrier.h"

struct worker {
    struct grt_pool *pool;
    pthread_t thread;
    unsigned share;
};

struct grt_pool {
    pthread_mutex_t mutex;
    pthread_cond_t wake, done;
    atomic_uint round;   /* grows by one for each piece of work */
    atomic_uint pending; /* workers that have not finished this round */
    int stop;            /* written before the last round begins */
    unsigned sleepers;   /* workers that wait asleep; of the mutex */
    cpu_set_t processors; /* that workers may run on: their creator's; empty: not known */
    grt_share_function function;
    void *context;
    unsigned n_workers;
    struct worker workers[];
};

static int has_moved(atomic_uint *value, unsigned expected, int equal)
{
    return (atomic_load_explicit(value, memory_order_acquire) == expected) == equal;
}

/* Looks for a while whether *value (does not) equal expected. */
static int watch(atomic_uint *value, unsigned expected, int equal)
{
    for (int turn = 0; turn < GRT_SPIN_TURNS; turn++) {
        if (has_moved(value, expected, equal))
            return 1;
        grt_pause();
    }
    return 0;
}

/* A worker waits for a round that it has not seen. Once awake it may run anywhere again. */
static void wait_for_round(struct grt_pool *pool, unsigned seen)
{
    if (watch(&pool->round, seen, 0))
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->sleepers++;
    while (!has_moved(&pool->round, seen, 0))
        pthread_cond_wait(&pool->wake, &pool->mutex);
    pool->sleepers--;
    pthread_mutex_unlock(&pool->mutex);
    if (CPU_COUNT(&pool->processors) > 1)
        pthread_setaffinity_np(pthread_self(), sizeof pool->processors, &pool->processors);
}

static void wait_for_workers(struct grt_pool *pool)
{
    if (watch(&pool->pending, 0, 1))
        return;
    pthread_mutex_lock(&pool->mutex);
    while (!has_moved(&pool->pending, 0, 1))
        pthread_cond_wait(&pool->done, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

/* Keeps workers that are woken off the caller's processor. A guest's kernel takes processors that
 * its host has put to rest for busy ones and wakes threads where their waker runs; since both would
 * be busy waiting for each other, they take turns of milliseconds there. */
static void steer(struct grt_pool *pool)
{
    cpu_set_t others = pool->processors;
    int own = sched_getcpu();
    if (own >= 0)
        CPU_CLR(own, &others);
    if (CPU_COUNT(&others) == 0)
        return;
    for (unsigned i = 0; i < pool->n_workers; i++)
        pthread_setaffinity_np(pool->workers[i].thread, sizeof others, &others);
}

/* The mutex is held so that no waiter is between its last look and its sleep. */
static void begin_round(struct grt_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    if (pool->sleepers > 0)
        steer(pool);
    atomic_fetch_add_explicit(&pool->round, 1, memory_order_release);
    pthread_mutex_unlock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct grt_pool *pool = worker->pool;
    for (unsigned seen = 0;; seen++) {
        wait_for_round(pool, seen);
        if (pool->stop)
            return NULL;
        pool->function(pool->context, worker->share);
        if (atomic_fetch_sub_explicit(&pool->pending, 1, memory_order_acq_rel) == 1) {
            pthread_mutex_lock(&pool->mutex);
            pthread_cond_signal(&pool->done);
            pthread_mutex_unlock(&pool->mutex);
        }
    }
}

unsigned grt_pool_processors(void)
{
    cpu_set_t processors;
    if (pthread_getaffinity_np(pthread_self(), sizeof processors, &processors) != 0)
        return CPU_SETSIZE; /* more than the set has room for */
    return (unsigned)CPU_COUNT(&processors);
}

enum gruc_status grt_pool_create(unsigned workers, struct grt_pool **out)
{
    *out = NULL;
    struct grt_pool *pool = calloc(1, sizeof *pool + workers * sizeof(struct worker));
    if (pool == NULL)
        return GRUC_ERROR_MEMORY;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    atomic_init(&pool->round, 0);
    atomic_init(&pool->pending, 0);
    if (pthread_getaffinity_np(pthread_self(), sizeof pool->processors, &pool->processors) != 0)
        CPU_ZERO(&pool->processors);
    for (unsigned i = 0; i < workers; i++) {
        struct worker *worker = &pool->workers[i];
        worker->pool = pool;
        worker->share = i + 1;
        if (pthread_create(&worker->thread, NULL, work, worker) != 0) {
            grt_pool_destroy(pool);
            return GRUC_ERROR_MEMORY;
        }
        pool->n_workers++;
    }
    steer(pool); /* they begin where they are created, too */
    *out = pool;
    return GRUC_OK;
}

void grt_pool_destroy(struct grt_pool *pool)
{
    if (pool == NULL)
        return;
    pool->stop = 1;
    begin_round(pool);
    for (unsigned i = 0; i < pool->n_workers; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

void grt_pool_run(struct grt_pool *pool, grt_share_function function, void *context)
{
    pool->function = function;
    pool->context = context;
    atomic_store_explicit(&pool->pending, pool->n_workers, memory_order_relaxed);
    begin_round(pool);
    function(context, 0);
    wait_for_workers(pool);
}

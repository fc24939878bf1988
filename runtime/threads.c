/* SPDX-License-Identifier: MIT */
#include "runtime/threads.h"

#include <pthread.h>
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
    grt_share_function function;
    void *context;
    unsigned n_workers;
    struct worker workers[];
};

/* Waits until *value (does not) equal expected. */
static void wait_value(struct grt_pool *pool, pthread_cond_t *condition, atomic_uint *value,
                       unsigned expected, int equal)
{
    for (int turn = 0; turn < GRT_SPIN_TURNS; turn++) {
        if ((atomic_load_explicit(value, memory_order_acquire) == expected) == equal)
            return;
        grt_pause();
    }
    pthread_mutex_lock(&pool->mutex);
    while ((atomic_load_explicit(value, memory_order_acquire) == expected) != equal)
        pthread_cond_wait(condition, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

/* The mutex is held so that no waiter is between its last look and its sleep. */
static void begin_round(struct grt_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add_explicit(&pool->round, 1, memory_order_release);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct grt_pool *pool = worker->pool;
    for (unsigned seen = 0;; seen++) {
        wait_value(pool, &pool->wake, &pool->round, seen, 0);
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
    wait_value(pool, &pool->done, &pool->pending, 0, 1);
}

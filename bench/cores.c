/* SPDX-License-Identifier: MIT */
/* What two processors are together, for each line of standard input: "ok CORES NS", how many times
 * as much two threads multiply in a second as one, and how long a number takes from one to the
 * other and back. A virtual machine's processors may for seconds be the two threads of one core,
 * and no program is faster on both of them then. "error" where there are not two. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "driver/roofline.h"

enum { TURNS = 40000, TRIPS = 4000 };

struct pair {
    _Alignas(128) atomic_uint turn;
    _Alignas(128) atomic_uint ready;
    int processors[2];
    double alone, both[2], exchange; /* seconds */
};

struct member {
    struct pair *pair;
    unsigned number;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Both have come to the phase. */
static void meet(struct pair *pair, unsigned phase)
{
    atomic_fetch_add(&pair->ready, 1);
    while (atomic_load(&pair->ready) < 2 * phase)
        continue;
}

static void *run(void *argument)
{
    const struct member *me = argument;
    struct pair *pair = me->pair;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(pair->processors[me->number], &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    meet(pair, 1);
    double begin = now();
    for (unsigned i = 0; i < TRIPS; i++) {
        while (atomic_load_explicit(&pair->turn, memory_order_acquire) != 2 * i + me->number)
            continue;
        atomic_store_explicit(&pair->turn, 2 * i + me->number + 1, memory_order_release);
    }
    double exchange = (now() - begin) / TRIPS;
    meet(pair, 2);
    pair->both[me->number] = gruc_roofline_multiply(TURNS);
    meet(pair, 3);
    if (me->number == 1)
        return NULL;
    pair->exchange = exchange;
    pair->alone = gruc_roofline_multiply(TURNS);
    return NULL;
}

static int measure(struct pair *pair)
{
    struct member members[2] = {{pair, 0}, {pair, 1}};
    pthread_t other;
    atomic_store(&pair->turn, 0);
    atomic_store(&pair->ready, 0);
    if (pthread_create(&other, NULL, run, &members[1]) != 0)
        return 0;
    run(&members[0]);
    pthread_join(other, NULL);
    return 1;
}

/* The first two that this process may use. */
static int find_processors(int *out)
{
    cpu_set_t set;
    int count = 0;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 0;
    for (int i = 0; i < CPU_SETSIZE && count < 2; i++)
        if (CPU_ISSET(i, &set))
            out[count++] = i;
    return count == 2;
}

int main(void)
{
    struct pair pair = {0};
    char line[64];
    int has_two = find_processors(pair.processors);
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (has_two && measure(&pair))
            printf("ok %.3f %.1f\n", pair.alone / pair.both[0] + pair.alone / pair.both[1],
                   1e9 * pair.exchange);
        else
            puts("error");
        fflush(stdout);
    }
    return 0;
}

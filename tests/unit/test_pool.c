/* SPDX-License-Identifier: MIT */
/* The runtime's threads: where they run, and whether calls go with them. */
#include <sched.h>
#include <time.h>

#include "runtime/threads.h"
#include "runtime/trial.h"
#include "tests/unit/suites.h"

/* How many of count calls go with threads, which cost so much each way. */
static unsigned calls_with_threads(struct grt_trial *trial, double alone, double with,
                                   unsigned count)
{
    unsigned calls = 0;
    for (unsigned i = 0; i < count; i++) {
        int way = grt_trial_way(trial);
        calls += way != 0;
        grt_trial_note(trial, way, way ? with : alone, 1);
    }
    return calls;
}

static void test_trial(void)
{
    struct grt_trial trial = {0};
    unsigned first = calls_with_threads(&trial, 1.0, 2.0, 16 + 32 + 64);
    unsigned tried = calls_with_threads(&trial, 1.0, 2.0, 128);
    CU_ASSERT(first > 2 * tried); /* several times, so that a start is no misfortune */
    CU_ASSERT(tried > 0 && tried < 8);
    CU_ASSERT(calls_with_threads(&trial, 2.0, 1.0, 128) > 120); /* what was known is forgotten */
    CU_ASSERT(calls_with_threads(&trial, 2.0, 1.0, 128) < 128); /* and the other way still tried */
    CU_ASSERT(calls_with_threads(&trial, 2.0, 1.0, 16 + 32 + 64) > 100);
    while (trial.call != 0)
        (void)calls_with_threads(&trial, 2.0, 1.0, 1);
    (void)calls_with_threads(&trial, 1.0, 2.0, 6); /* a misfortune is soon put right */
    CU_ASSERT(calls_with_threads(&trial, 2.0, 1.0, 128) > 100);
    while (trial.call != 0)
        (void)calls_with_threads(&trial, 2.0, 1.0, 1);
    CU_ASSERT(calls_with_threads(&trial, 1.0, 2.0, 128) <= 4 * tried);
    (void)calls_with_threads(&trial, 1.0, 2.0, 1000);
    while (trial.call != 0)
        (void)calls_with_threads(&trial, 1.0, 2.0, 1);
    CU_ASSERT_EQUAL(calls_with_threads(&trial, 1.0, 2.0, 128), tried);
}

/* Nanoseconds that count calls take where one in every of those with threads is held up by another
 * process (0: none is); answers also how many went with threads. */
static double calls_held_up(struct grt_trial *trial, unsigned every, unsigned count,
                            unsigned *with)
{
    const double alone = 1e6, faster = 0.6e6, held_up = 15e6;
    double sum = 0;
    *with = 0;
    for (unsigned i = 0; i < count; i++) {
        int way = grt_trial_way(trial);
        *with += way != 0;
        double time = !way ? alone : every != 0 && *with % every == 0 ? held_up : faster;
        grt_trial_note(trial, way, time, 1000);
        sum += time;
    }
    return sum / alone / count;
}

/* Threads of which most calls are faster and some far slower are given up, and tried again. */
static void test_trial_beside_others(void)
{
    struct grt_trial trial = {0};
    unsigned with;
    CU_ASSERT(calls_held_up(&trial, 4, 10000, &with) < 1.2);
    CU_ASSERT(with > 10 && with < 1000);
    (void)calls_held_up(&trial, 0, 1000, &with);
    CU_ASSERT(calls_held_up(&trial, 0, 1000, &with) < 0.65);
    CU_ASSERT(calls_held_up(&trial, 100, 1000, &with) < 0.8); /* seldom: worth it all the same */
    CU_ASSERT(with > 900);
}

/* A process that was stopped in a call, or its whole machine, soon has its threads back. */
static void test_trial_after_a_stop(void)
{
    const double call = 40e6, hour = 3.6e12;
    struct grt_trial trial = {0};
    unsigned calls = 0;
    while (calls_with_threads(&trial, call, call / 2, 1) == 0 || trial.call < 10)
        continue;
    grt_trial_note(&trial, 1, hour, 1);
    CU_ASSERT(grt_trial_way(&trial) == 0);
    while (calls < 100000 && grt_trial_way(&trial) == 0) {
        grt_trial_note(&trial, 0, call, 1);
        calls++;
    }
    CU_ASSERT(calls * call < 10e9);
}

static void note_processor(void *context, unsigned share)
{
    ((int *)context)[share] = sched_getcpu();
}

/* How many processors each thread may run on. */
static void note_freedom(void *context, unsigned share)
{
    ((int *)context)[share] = (int)grt_pool_processors();
}

static void pin_caller(void)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    CU_ASSERT_FATAL(sched_setaffinity(0, sizeof one, &one) == 0);
}

static void test_processors(void)
{
    cpu_set_t allowed;
    CU_ASSERT_FATAL(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
    CU_ASSERT_EQUAL(grt_pool_processors(), (unsigned)CPU_COUNT(&allowed));
    pin_caller();
    CU_ASSERT_EQUAL(grt_pool_processors(), 1);
    CU_ASSERT(sched_setaffinity(0, sizeof allowed, &allowed) == 0);
}

/* Workers wake where their caller does not run, and may run anywhere afterwards. */
static void test_pool_wakes_elsewhere(void)
{
    cpu_set_t allowed, left;
    struct grt_pool *pool;
    CU_ASSERT_FATAL(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
    if (CPU_COUNT(&allowed) < 2) {
        puts("skip unit, threads that wake: one processor");
        return;
    }
    CU_ASSERT_FATAL(grt_pool_create(1, &pool) == GRUC_OK);
    unsigned rounds = 20, together = 0;
    for (unsigned i = 0; i < rounds; i++) {
        int before = sched_getcpu(), processors[2];
        grt_pool_run(pool, note_processor, processors);
        together += processors[1] == before && processors[0] == before;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    CU_ASSERT(together <= 4); /* another process may move them */
    pin_caller();
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL); /* until the worker sleeps */
    int counts[2] = {0, 0};
    grt_pool_run(pool, note_freedom, counts);
    CU_ASSERT_EQUAL(counts[0], 1);
    CU_ASSERT_EQUAL(counts[1], CPU_COUNT(&allowed)); /* only the caller is pinned */
    CU_ASSERT(sched_setaffinity(0, sizeof allowed, &allowed) == 0);
    grt_pool_destroy(pool);
    CU_ASSERT(sched_getaffinity(0, sizeof left, &left) == 0 && CPU_EQUAL(&left, &allowed));
}

CU_TestInfo gruc_pool_tests[] = {
    {"as many as processors", test_processors},
    {"workers wake elsewhere", test_pool_wakes_elsewhere},
    {"only while they pay", test_trial},
    {"not while others hold them up", test_trial_beside_others},
    {"again after a stop", test_trial_after_a_stop},
    CU_TEST_INFO_NULL,
};

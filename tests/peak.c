/* SPDX-License-Identifier: MIT */
/* peak FILE WIDTH COMMAND...: writes zeros (1, 200, WIDTH) to FILE, runs COMMAND and prints its
 * peak resident memory in kB, how much of the time it had a processor, in percent, and whether the
 * cores had it for themselves before and after (1 or 0). Answers its exit status. */

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gruc/npy.h>

static double milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static double of_timeval(struct timeval time)
{
    return (double)time.tv_sec * 1e3 + (double)time.tv_usec / 1e3;
}

/* A processor may be one of two threads of a core. While the other one is busy, maybe with another
 * machine's work, a core that adds four numbers a cycle has half of that for each. All processors
 * are looked at together, since two of them may be the threads of one core. */
#ifdef __x86_64__
enum { ROUNDS = 20000, SAMPLES = 16 };
#define LEAST_ADDITIONS 3.2 /* a cycle: any core of these has ports for four */

/* Time of 16 ROUNDS additions that wait for each other, or of as many in four chains. */
static double additions(int in_chains)
{
    unsigned long a = 1, b = 1, c = 1, d = 1;
    double begin = milliseconds();
    for (int i = 0; i < ROUNDS; i++)
        if (in_chains)
            __asm__ volatile("add $1, %0\n add $1, %1\n add $1, %2\n add $1, %3\n"
                             "add $1, %0\n add $1, %1\n add $1, %2\n add $1, %3\n"
                             "add $1, %0\n add $1, %1\n add $1, %2\n add $1, %3\n"
                             "add $1, %0\n add $1, %1\n add $1, %2\n add $1, %3"
                             : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
        else
            __asm__ volatile("add $1, %0\n add $1, %0\n add $1, %0\n add $1, %0\n"
                             "add $1, %0\n add $1, %0\n add $1, %0\n add $1, %0\n"
                             "add $1, %0\n add $1, %0\n add $1, %0\n add $1, %0\n"
                             "add $1, %0\n add $1, %0\n add $1, %0\n add $1, %0"
                             : "+r"(a));
    return milliseconds() - begin;
}

struct watch {
    pthread_t thread;
    cpu_set_t processor;
    int good; /* samples in which the core was its own */
};

static void *watch_processor(void *argument)
{
    struct watch *watch = argument;
    sched_setaffinity(0, sizeof watch->processor, &watch->processor);
    for (int i = 0; i < SAMPLES; i++)
        watch->good += additions(0) / additions(1) >= LEAST_ADDITIONS;
    return NULL;
}

/* Whether all processors that may be used, of the first 16, have their cores for themselves in most
 * samples. */
static int cores_are_own(void)
{
    struct watch watches[16] = {0};
    int n_watches = 0, own = 1;
    cpu_set_t all;
    if (sched_getaffinity(0, sizeof all, &all) != 0)
        return 1;
    for (int cpu = 0; cpu < CPU_SETSIZE && n_watches < 16; cpu++) {
        struct watch *watch = &watches[n_watches];
        if (!CPU_ISSET(cpu, &all))
            continue;
        CPU_ZERO(&watch->processor);
        CPU_SET(cpu, &watch->processor);
        n_watches += pthread_create(&watch->thread, NULL, watch_processor, watch) == 0;
    }
    for (int i = 0; i < n_watches; i++) {
        pthread_join(watches[i].thread, NULL);
        own = own && 2 * watches[i].good > SAMPLES;
    }
    return own;
}
#else
static int cores_are_own(void)
{
    return 1;
}
#endif

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    const int64_t dims[3] = {1, 200, strtol(argv[2], NULL, 10)};
    struct gruc_array zeros;
    const char *error;
    if (gruc_array_create(GRUC_NPY_FLOAT32, 3, dims, &zeros) != GRUC_OK ||
        gruc_npy_write(argv[1], &zeros, &error) != GRUC_OK)
        return 70;
    gruc_array_finish(&zeros);
    int is_own = cores_are_own();
    double begin = milliseconds();
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[3], argv + 3);
        _exit(127);
    }
    int status = 0;
    struct rusage usage;
    if (child < 0 || wait4(child, &status, 0, &usage) != child)
        return 70;
    double busy = of_timeval(usage.ru_utime) + of_timeval(usage.ru_stime);
    double share = 100 * busy / (milliseconds() - begin);
    printf("peak %ld\nshare %.0f\nown %d\n", usage.ru_maxrss, share, is_own && cores_are_own());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 70;
}

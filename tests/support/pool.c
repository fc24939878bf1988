/* SPDX-License-Identifier: MIT */
#include "tests/support/pool.h"

#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_JOBS = 64, NOTE_BYTES = 200 };

struct pool {
    atomic_size_t next;
    char notes[MAX_JOBS][NOTE_BYTES];
};

static char *own_note; /* of this process; test programs may have a global */

void test_pool_note(const char *format, ...)
{
    if (own_note == NULL)
        return;
    va_list list;
    va_start(list, format);
    vsnprintf(own_note, NOTE_BYTES, format, list);
    va_end(list);
}

void *test_pool_share(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static void work(struct pool *pool, unsigned slot, size_t count, unsigned seconds,
                 test_item_function item, void *context)
{
    own_note = pool->notes[slot];
    size_t index;
    while ((index = atomic_fetch_add(&pool->next, 1)) < count) {
        test_pool_note("item %zu", index);
        alarm(seconds);
        item(context, index);
        alarm(0);
    }
    fflush(stdout);
}

static pid_t start(struct pool *pool, unsigned slot, size_t count, unsigned seconds,
                   test_item_function item, void *context)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* nothing goes on when the run is stopped */
        work(pool, slot, count, seconds, item, context);
        exit(0); /* runs the leak checks of a sanitizer */
    }
    return child;
}

static void report(const char *note, int status)
{
    if (WIFSIGNALED(status))
        printf("not ok %s: killed by signal %d (%s)\n", note, WTERMSIG(status),
               strsignal(WTERMSIG(status)));
    else
        printf("not ok %s: the process left with status %d\n", note, WEXITSTATUS(status));
}

unsigned test_pool_run(unsigned jobs, size_t count, unsigned seconds, test_item_function item,
                       void *context)
{
    pid_t children[MAX_JOBS];
    unsigned deaths = 0, running = 0;
    struct pool *pool = test_pool_share(sizeof *pool);
    if (pool == NULL)
        return 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    jobs = jobs == 0 ? 1 : jobs > MAX_JOBS ? MAX_JOBS : jobs;
    for (unsigned i = 0; i < jobs; i++) {
        children[i] = start(pool, i, count, seconds, item, context);
        running += children[i] > 0;
    }
    while (running > 0) {
        int status;
        pid_t done = wait(&status);
        if (done < 0)
            break;
        unsigned slot = 0;
        while (slot < jobs && children[slot] != done)
            slot++;
        if (slot == jobs)
            continue;
        running--;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            continue;
        report(pool->notes[slot], status);
        deaths++;
        children[slot] = start(pool, slot, count, seconds, item, context);
        running += children[slot] > 0;
    }
    munmap(pool, sizeof *pool);
    return deaths;
}

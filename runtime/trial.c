/* SPDX-License-Identifier: MIT */
#include "runtime/trial.h"

#include <time.h>

/* Several calls each, as the first one with threads has to wake them. Periods are short at first
 * and after a trial that newly speaks against threads: what else a process and its machine do
 * misleads some. */
enum { CALLS_WITH = 4, CALLS_ALONE = 2, CALLS = CALLS_WITH + CALLS_ALONE };
enum { FIRST_PERIOD = 16, PERIOD = 128, LONGEST_PERIOD = 1 << 16 };
/* Calls that the mean of those alone is of, about. */
enum { RECENT_CALLS = 64 };
/* Nanoseconds that threads may lose, a few slices of a scheduler, and a few calls besides; how many
 * times as long as what they have lost calls are alone then; and the most of it that counts, since
 * a process that was stopped for an hour has not been kept waiting by another. */
enum { DEBT = 20000000, DEBT_CALLS = 4, REST = 16, MOST_LOST = 500000000 };

int grt_trial_way(const struct grt_trial *trial)
{
    if (trial->call < CALLS_WITH)
        return 1;
    return trial->call >= CALLS && trial->way;
}

static void note_time(struct grt_trial *trial, int way, double nanoseconds, double work)
{
    double cost = nanoseconds / work;
    int is_first = trial->call == (way ? 0 : CALLS_WITH);
    if (trial->call < CALLS && (is_first || cost < trial->least[way]))
        trial->least[way] = cost;
    if (!way)
        trial->alone += trial->alone > 0 ? (cost - trial->alone) / RECENT_CALLS : cost;
    else if (is_first)
        trial->saved = 0;
    else if (trial->alone > 0)
        trial->saved += trial->alone * work - nanoseconds;
}

/* Where another process has a processor too, most calls are as fast as without it, and some wait
 * for a thread as long as that one runs: the least tell nothing of these, the sum does. */
static void stop_losing(struct grt_trial *trial, double work)
{
    double alone = trial->alone * work;
    if (trial->saved >= -(DEBT + DEBT_CALLS * alone))
        return;
    double lost = trial->saved < -MOST_LOST ? MOST_LOST : -trial->saved;
    double calls = trial->call + REST * lost / alone;
    if (calls > trial->period)
        trial->period = calls < LONGEST_PERIOD ? (unsigned)calls : LONGEST_PERIOD;
    trial->way = 0;
    trial->saved = 0;
}

void grt_trial_note(struct grt_trial *trial, int way, double nanoseconds, double work)
{
    note_time(trial, way, nanoseconds, work);
    if (trial->period == 0)
        trial->period = FIRST_PERIOD;
    if (++trial->call == CALLS) {
        int faster = trial->least[1] < trial->least[0];
        if (trial->way && !faster)
            trial->period = FIRST_PERIOD;
        trial->way = faster;
    }
    if (trial->call >= CALLS)
        stop_losing(trial, work);
    if (trial->call < trial->period)
        return;
    trial->call = 0;
    trial->period = trial->period < PERIOD ? 2 * trial->period : PERIOD;
}

double grt_trial_clock(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

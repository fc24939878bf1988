/* SPDX-License-Identifier: MIT */
#include "runtime/trial.h"

#include <time.h>

/* Several calls each, as the first one with threads has to wake them. Periods are short at first
 * and after a trial that newly speaks against threads: what else a process and its machine do
 * misleads some. */
enum { CALLS_WITH = 4, CALLS_ALONE = 2, FIRST_PERIOD = 16, PERIOD = 128 };

int grt_trial_way(const struct grt_trial *trial)
{
    if (trial->call < CALLS_WITH)
        return 1;
    return trial->call >= CALLS_WITH + CALLS_ALONE && trial->way;
}

void grt_trial_note(struct grt_trial *trial, int way, double cost)
{
    int is_first = trial->call == (way ? 0 : CALLS_WITH);
    if (trial->call < CALLS_WITH + CALLS_ALONE && (is_first || cost < trial->least[way]))
        trial->least[way] = cost;
    if (trial->period == 0)
        trial->period = FIRST_PERIOD;
    if (++trial->call == CALLS_WITH + CALLS_ALONE) {
        int faster = trial->least[1] < trial->least[0];
        if (trial->way && !faster)
            trial->period = FIRST_PERIOD;
        trial->way = faster;
    }
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

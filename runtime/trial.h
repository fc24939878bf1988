/* SPDX-License-Identifier: MIT */
#ifndef GRT_TRIAL_H
#define GRT_TRIAL_H

/* Whether threads pay, found out by doing: what two cores take to exchange a line differs tenfold
 * between machines, and from one second to the next where a machine is shared. A few calls with
 * threads, a few without, then the faster way for the rest of a period, or until threads have taken
 * longer in all than one would have. Results are the same. */
struct grt_trial {
    unsigned call;   /* of the period */
    unsigned period; /* in calls; 0: none has begun */
    int way;         /* of the calls after a trial */
    double least[2]; /* nanoseconds for a unit of work, by way: alone, with threads */
    double alone;    /* the same, mean of late calls without threads; 0: there was none */
    double saved;    /* nanoseconds, by the period's calls with threads */
};

/* The way of the next call; nonzero: with threads. */
int grt_trial_way(const struct grt_trial *trial);

/* After it, with what it took, and how many units of work it was. */
void grt_trial_note(struct grt_trial *trial, int way, double nanoseconds, double work);

/* Nanoseconds of a clock that only goes forward. */
double grt_trial_clock(void);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GRT_SESSION_H
#define GRT_SESSION_H

#include "runtime/barrier.h"
#include "runtime/module.h"
#include "runtime/threads.h"
#include "runtime/trial.h"

enum { GRT_ERROR_BYTES = 256 };

struct grt_binding {
    const void *data;
    size_t bytes; /* room of an output */
    int bound;
    int64_t dims[GRUC_ABI_MAX_RANK]; /* of an input */
};

/* The part of the work that one thread computes. */
struct grt_share {
    struct gruc_args *args; /* head and tail in one allocation */
    void *workspace;
    uint64_t workspace_bytes;
    int status; /* of its last call */
};

struct grt_session {
    const struct grt_module *module;
    const struct gruc_module_info *info;
    int carry, eager;
    struct grt_binding *inputs, *outputs;
    uint64_t batch;                      /* of what is bound */
    uint64_t steps[GRUC_ABI_MAX_STEPS];
    struct grt_share *shares;
    unsigned n_shares; /* one a thread */
    unsigned used;     /* shares of the current call */
    int by_units;      /* they compute the same rows */
    struct grt_pool *pool; /* NULL: one thread */
    struct grt_barrier *barrier; /* of threads that compute the same rows */
    int on_trial;      /* whether that pays is being found out */
    struct grt_trial trial;
    unsigned char *state;
    uint64_t state_rows, state_room;
    int state_live; /* holds what a later call continues from */
    char error[GRT_ERROR_BYTES];
};

/* Sets the session's error text; returns status. */
enum gruc_status grt_session_fail(struct grt_session *session, enum gruc_status status,
                                  const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Finds batch and steps from the bound inputs and checks that all agree. */
GRUC_MUST_USE enum gruc_status grt_session_resolve(struct grt_session *session);

/* State memory for this batch; rows that have no state yet are zero. */
GRUC_MUST_USE enum gruc_status grt_session_take_state(struct grt_session *session, uint64_t batch);

#endif

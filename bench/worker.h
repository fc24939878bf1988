/* SPDX-License-Identifier: MIT */
#ifndef GRUC_BENCH_WORKER_H
#define GRUC_BENCH_WORKER_H

/* A worker is a program that holds one model and times it when told to (worker.c); what differs
 * from peer to peer is subject_open. */

#include <stddef.h>
#include <stdint.h>

#define SUBJECT_ALIGNMENT 64u

/* One model on one input, all memory taken beforehand. Arrays are (batch, steps, numbers), or
 * (steps, batch, numbers) for a peer that wants them so: the file of the input decides. */
struct subject {
    size_t steps, batch, width, units, outputs, threads;
    int reset_after;
    int streaming;       /* one step a call of the peer, the state carried */
    const char *library; /* of the peer or, for gruc, the model */
    const char *model;   /* of the peers that read a file */
    float *input, *output;
    uint8_t *mask;                           /* (batch, steps), or NULL */
    int32_t *lengths;                        /* (batch), or NULL */
    float *kernel, *recurrent_kernel, *bias; /* in Keras's layout, or NULL */
    int (*call)(struct subject *subject);    /* all steps; 0: done */
    void (*release)(void *context);
    void *context;
};

/* Fills call, release and context from the other members. 0: done; otherwise the reason is on
 * standard error and subject_close may be called all the same. */
int subject_open(struct subject *subject);

void *subject_take(size_t bytes); /* zeroed and aligned, NULL: no memory */
/* Finds a symbol of a library; 0: done. out points to a function pointer. */
int subject_find(const char *library, void *handle, const char *symbol, size_t bytes, void *out);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_BENCH_SUBJECT_H
#define GRUC_BENCH_SUBJECT_H

/* Something whose calls are timed: one model on one sequence, all memory taken beforehand. */

#include <stddef.h>
#include <stdint.h>

#define SUBJECT_ALIGNMENT 64u

struct subject_sizes {
    size_t steps, width, units;
};

struct subject {
    const char *name;
    struct subject_sizes sizes;
    float *input;  /* (steps, width), shared by all subjects */
    float *output; /* (steps, units), of this one */
    uint8_t *mask; /* one a step, or NULL */
    int (*call)(struct subject *subject); /* 0: done */
    void (*release)(void *context);
    void *context;
};

/* Both open a library and fill call, release and context from the other members. 0: done;
 * otherwise the reason is on standard error. */
int subject_open_gruc(struct subject *subject, const char *library);
int subject_open_ort(struct subject *subject, const char *library, const char *model);

void *subject_take(size_t bytes); /* zeroed and aligned, NULL: no memory */
/* Finds a symbol of a library; 0: done. out points to a function pointer. */
int subject_find(const char *library, void *handle, const char *symbol, size_t bytes, void *out);

#endif

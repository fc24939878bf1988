/* SPDX-License-Identifier: MIT */
#ifndef GRUC_DRIVER_TUNE_H
#define GRUC_DRIVER_TUNE_H

/* --tune: which blocks the generated code works in, measured on this machine. */

#include "driver/cli.h"
#include "driver/compile.h"
#include "driver/tune_cache.h"
#include "ir/base/strbuf.h"

/* With --tune: looks the model up in the cache, measures it when it is not there yet, and has every
 * later compilation of handle use the choice. Says what went wrong, which is an error only where
 * the cpu back end does not take the model. */
enum gruc_status gruc_tune_model(const struct gruc_cli *cli, const struct gruc_options *options,
                                 struct gruc_model_handle *handle);
/* Only looks it up; *found is 0 when nothing is kept. */
enum gruc_status gruc_tune_find(const struct gruc_cli *cli, const struct gruc_options *options,
                                struct gruc_model_handle *handle, struct gruc_tune_entry *out,
                                int *found);
/* "1 row by 3 vectors, tiles of 64 rows", or that it is the estimate. */
void gruc_tune_describe(const struct gruc_blocking *blocking, struct gruc_strbuf *out);

/* ---- tune_measure.c ---- */
struct gruc_tune_sizes {
    uint64_t batch, steps, threads;
    uint64_t steps_of_key; /* that steps stand for */
};

struct gruc_tune_result {
    struct gruc_tune_entry entry;
    unsigned compared; /* other choices than the estimate */
    int is_cut;        /* the time was over before all were compared */
};

/* Compares choices for about two seconds, the first of them for five where compiling or a call
 * takes long. compilation's own blocking is not looked at. */
enum gruc_status gruc_tune_measure(const struct gruc_compilation *compilation,
                                   const struct gruc_cli *cli, struct gruc_model_handle *handle,
                                   const struct gruc_tune_sizes *sizes,
                                   struct gruc_tune_result *out);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_DRIVER_INSPECT_H
#define GRUC_DRIVER_INSPECT_H

/* What the back ends say of a model. */

#include "codegen/backend.h"
#include "driver/compile.h"
#include "driver/tune_cache.h"

enum { GRUC_INSPECTION_MAX = 8 };

struct gruc_verdict {
    const struct gruc_backend *backend;
    const char *refusal;         /* NULL: takes the model; lives with the inspection */
    struct gruc_strbuf schedule; /* empty: has none */
};

struct gruc_inspection {
    struct gruc_arena arenas[GRUC_INSPECTION_MAX]; /* IR of each back end */
    struct gruc_verdict verdicts[GRUC_INSPECTION_MAX];
    size_t count;
    int with_tuning, has_tuning; /* asked for, and something is kept */
    struct gruc_tune_entry tuning;
};

enum gruc_status gruc_inspection_make(const struct gruc_options *options,
                                      struct gruc_model_handle *handle,
                                      struct gruc_inspection *out);
/* One line on standard output: the model and the verdicts. */
enum gruc_status gruc_inspection_print_json(const struct gruc_model *model,
                                            const struct gruc_inspection *inspection);
void gruc_inspection_finish(struct gruc_inspection *inspection);

#endif

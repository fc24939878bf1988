/* SPDX-License-Identifier: MIT */
#ifndef GRUC_FRONTEND_FRONTEND_H
#define GRUC_FRONTEND_FRONTEND_H

/* From the text of a model to IR, in three steps. Each reports all errors it finds to diag and then
 * answers GRUC_ERROR_INPUT; GRUC_ERROR_MEMORY means that the arena is exhausted. Nothing needs
 * freeing but the arenas, also after a failure. */

#include "frontend/model.h"
#include "ir/ir.h"

/* Reads the short form. The model lives in arena; path and text are borrowed by it and by diag,
 * whose source is set to text. path names the model in messages and finds the weights beside it.
 * options may be NULL. *out is NULL on failure. */
enum gruc_status gruc_frontend_parse(struct gruc_arena *arena, const char *path, const char *text,
                                     size_t length, const struct gruc_model_options *options,
                                     struct gruc_diag *diag, struct gruc_model **out);

/* Resolves references, propagates shapes, masks and layouts by the lineage's rules, sorts the
 * layers, lists the parameters. A model is checked once. */
enum gruc_status gruc_frontend_check(struct gruc_model *model, struct gruc_diag *diag);

/* Makes IR of a checked model in arena, which may be another one than the model's. The IR borrows
 * names and the parameters' data and sources from the model. */
enum gruc_status gruc_frontend_lower(const struct gruc_model *model, struct gruc_arena *arena,
                                     struct gruc_diag *diag, struct gruc_ir **out);

#endif

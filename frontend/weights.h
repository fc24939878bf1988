/* SPDX-License-Identifier: MIT */
#ifndef GRUC_FRONTEND_WEIGHTS_H
#define GRUC_FRONTEND_WEIGHTS_H

/* Fills the parameters of a checked model. */

#include "frontend/model.h"

/* From a safetensors or .npz file: path, or when that is NULL the file that the model names. A file
 * that the model names must be a regular file in the model's directory or below it, for a model may
 * come from anyone; path is the user's own word and may be any regular file. Every fault is
 * reported to diag: GRUC_ERROR_INPUT. Data live in the model's arena; tensors of a megabyte or more
 * that the file holds as F32 or, in safetensors, BF16 stay there, and it stays open until
 * gruc_weights_close. */
enum gruc_status gruc_weights_load(struct gruc_model *model, const char *path,
                                   struct gruc_diag *diag);
void gruc_weights_close(struct gruc_model *model);

/* From the layers' initialisers. The numbers depend on seed, the parameter's name, shape and
 * initialiser only, and are the same on every platform. */
enum gruc_status gruc_weights_initialize(struct gruc_model *model, uint64_t seed,
                                         struct gruc_diag *diag);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_DRIVER_MODEL_TEXT_H
#define GRUC_DRIVER_MODEL_TEXT_H

/* Parts of a checked model in words, for `inspect` and --emit=dot. */

#include "frontend/model.h"
#include "ir/base/strbuf.h"

/* float32, int32, bool */
const char *gruc_dtype_text(enum gruc_dtype dtype);
/* (B, T, 40): Keras's axes, T or T0, T1 for unknown steps. */
void gruc_edge_shape_text(const struct gruc_model *model, const struct gruc_edge *edge,
                          struct gruc_strbuf *out);
/* Where a mask comes from: "m", "x != 0", "ids != 0". */
void gruc_mask_text(const struct gruc_mask *mask, struct gruc_strbuf *out);
/* Numbers in the weights of a layer, NULL: of all layers. */
uint64_t gruc_model_weight_count(const struct gruc_model *model, const struct gruc_layer *layer);
/* The i-th edge that a layer reads and what as ("" for its input), NULL after the last. */
const struct gruc_edge *gruc_layer_operand(const struct gruc_layer *layer, unsigned index,
                                           const char **role);

#endif

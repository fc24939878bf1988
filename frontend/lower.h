/* SPDX-License-Identifier: MIT */
#ifndef GRUC_FRONTEND_LOWER_H
#define GRUC_FRONTEND_LOWER_H

/* What the files that make IR of a model share. Tensors of the model are numbers in their plain
 * form: the last axis is the width, those before it fold into steps; a rank of one is a width, or
 * steps where its length is unknown. Ids and masks are wanted as steps of width 1 instead. */

#include "frontend/layers.h"
#include "ir/build.h"

struct gruc_lowering {
    const struct gruc_model *model;
    struct gruc_ir *ir;
    struct gruc_builder builder;
    gruc_ref *plain;   /* by number of the edge; GRUC_NONE: not made yet */
    gruc_ref *folded;  /* the same with every axis folded into steps */
    gruc_ref *masks;   /* by number of the mask */
    gruc_ref *tensors; /* by number of the parameter */
};

struct gruc_type gruc_lower_plain_type(const struct gruc_edge *edge);
struct gruc_type gruc_lower_folded_type(const struct gruc_edge *edge);
gruc_ref gruc_lower_plain(struct gruc_lowering *lowering, const struct gruc_edge *edge);
gruc_ref gruc_lower_folded(struct gruc_lowering *lowering, const struct gruc_edge *edge);
/* A bool of width 1 with the steps that it masks. */
gruc_ref gruc_lower_mask(struct gruc_lowering *lowering, const struct gruc_mask *mask);
gruc_ref gruc_lower_activation(struct gruc_lowering *lowering, gruc_ref x,
                               const struct gruc_activation *activation);

/* lower_recurrent.c: GRU and Bidirectional; sets the values of the layer's results. */
enum gruc_status gruc_lower_recurrent(struct gruc_lowering *lowering,
                                      const struct gruc_layer *layer);

/* lower_softmax.c: softmax of a sequence along its steps. */
gruc_ref gruc_lower_softmax_over_steps(struct gruc_lowering *lowering, gruc_ref x);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_IR_PASSES_ACT_BUILDER_H
#define GRUC_IR_PASSES_ACT_BUILDER_H

#include "ir/expr.h"
#include "ir/build.h"

/* An expression builder that adds operations through builder, which must outlive it. */
struct gruc_expr_builder gruc_act_builder(struct gruc_builder *builder,
                                          enum gruc_accuracy accuracy, int keep_prims);

static inline enum gruc_opcode gruc_opcode_of_basic(enum gruc_basic basic)
{
    return (enum gruc_opcode)(GRUC_OP_FIRST_PRIM + (unsigned)basic);
}

static inline enum gruc_opcode gruc_opcode_of_prim(enum gruc_prim prim)
{
    return (enum gruc_opcode)(GRUC_OP_FIRST_PRIM + (unsigned)GRUC_BASIC_COUNT + (unsigned)prim);
}

#endif

/* SPDX-License-Identifier: MIT */
/* An act operation becomes the formula of its row in act.def; those that couple the units of a row
 * become reductions and what stands between them. */
#include "ir/act.h"
#include "ir/passes/act_builder.h"
#include "ir/passes/passes.h"
#include "ir/passes/rewrite.h"

/* x minus the row's largest value: keeps exp in range and sparsemax's sums small. */
static gruc_ref shift_by_maximum(struct gruc_builder *builder, gruc_ref x)
{
    gruc_ref largest = gruc_build_unary(builder, GRUC_OP_REDUCE_MAX, x);
    return gruc_build_binary(builder, GRUC_OP_SUB, x, largest);
}

static gruc_ref softmax(struct gruc_builder *builder, gruc_ref x)
{
    gruc_ref e = gruc_build_unary(builder, GRUC_OP_EXP, shift_by_maximum(builder, x));
    return gruc_build_binary(builder, GRUC_OP_DIV, e,
                             gruc_build_unary(builder, GRUC_OP_REDUCE_SUM, e));
}

static gruc_ref log_softmax(struct gruc_builder *builder, gruc_ref x)
{
    gruc_ref shifted = shift_by_maximum(builder, x);
    gruc_ref e = gruc_build_unary(builder, GRUC_OP_EXP, shifted);
    gruc_ref sum = gruc_build_unary(builder, GRUC_OP_REDUCE_SUM, e);
    return gruc_build_binary(builder, GRUC_OP_SUB, shifted,
                             gruc_build_unary(builder, GRUC_OP_LOG, sum));
}

static gruc_ref sparsemax(struct gruc_builder *builder, gruc_ref x)
{
    gruc_ref shifted = shift_by_maximum(builder, x);
    gruc_ref threshold = gruc_build_unary(builder, GRUC_OP_SPARSEMAX_THRESHOLD, shifted);
    /* Zero first: max answers its second operand when either is NaN. */
    return gruc_build_binary(builder, GRUC_OP_MAX, gruc_build_constant(builder, 0.0),
                             gruc_build_binary(builder, GRUC_OP_SUB, shifted, threshold));
}

static const struct {
    enum gruc_act_id act;
    gruc_ref (*build)(struct gruc_builder *builder, gruc_ref x);
} rowwise[] = {
    {GRUC_ACT_SOFTMAX, softmax},
    {GRUC_ACT_LOG_SOFTMAX, log_softmax},
    {GRUC_ACT_SPARSEMAX, sparsemax},
};

static int expand(struct gruc_rewrite *rewrite, const struct gruc_op *op)
{
    const struct gruc_act *act = gruc_ir_act_find(gruc_op_text(op, GRUC_ATTRIBUTE_ACT));
    gruc_ref x = op->operands[0], out = GRUC_NONE;
    if (act->kind == GRUC_ACT_ROWWISE) {
        for (size_t i = 0; i < sizeof rowwise / sizeof *rowwise; i++)
            if (rowwise[i].act == act->id)
                out = rowwise[i].build(&rewrite->builder, x);
    } else {
        double parameters[GRUC_ACT_PARAMETERS + 1];
        static const enum gruc_attribute_name names[] = {
            GRUC_ATTRIBUTE_ALPHA, GRUC_ATTRIBUTE_BETA, GRUC_ATTRIBUTE_GAMMA};
        for (size_t i = 0; i < act->parameter_count; i++)
            parameters[i] = gruc_op_number(op, names[i], act->parameters[i].initial);
        struct gruc_expr_builder builder =
            gruc_act_builder(&rewrite->builder, GRUC_ACCURACY_ACCURATE, 1);
        if (!gruc_act_build(act, parameters, &builder, x, &out))
            return 0;
    }
    gruc_rewrite_replace(rewrite, op->results[0], out);
    return out != GRUC_NONE;
}

static enum gruc_status expand_region(struct gruc_ir *ir, gruc_ref region)
{
    struct gruc_rewrite rewrite;
    GRUC_TRY(gruc_rewrite_begin(ir, region, &rewrite));
    for (size_t i = 0; i < rewrite.n_old; i++) {
        struct gruc_op op = *gruc_rewrite_op(&rewrite, i);
        if (op.code != GRUC_OP_ACT)
            gruc_rewrite_keep(&rewrite, i);
        else if (!expand(&rewrite, &op))
            return ir->failed ? GRUC_ERROR_MEMORY : GRUC_ERROR_INTERNAL;
    }
    gruc_rewrite_finish(&rewrite);
    return ir->failed ? GRUC_ERROR_MEMORY : GRUC_OK;
}

enum gruc_status gruc_pass_expand_acts(struct gruc_ir *ir, const struct gruc_pass_options *options,
                                       struct gruc_diag *diag)
{
    (void)options;
    (void)diag;
    for (size_t region = 0; region < ir->n_regions; region++)
        GRUC_TRY(expand_region(ir, (gruc_ref)region));
    return GRUC_OK;
}

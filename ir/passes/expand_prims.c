/* SPDX-License-Identifier: MIT */
/* exp, tanh and the other primitives become basic operations by their expansion in prims.def. */
#include "ir/passes/act_builder.h"
#include "ir/passes/passes.h"
#include "ir/passes/rewrite.h"

static int is_prim(enum gruc_opcode code)
{
    unsigned first = (unsigned)gruc_opcode_of_prim((enum gruc_prim)0);
    return (unsigned)code >= first && (unsigned)code < first + (unsigned)GRUC_PRIM_COUNT;
}

static enum gruc_status expand_region(struct gruc_ir *ir, gruc_ref region,
                                      enum gruc_accuracy accuracy)
{
    struct gruc_rewrite rewrite;
    GRUC_TRY(gruc_rewrite_begin(ir, region, &rewrite));
    struct gruc_expr_builder builder = gruc_act_builder(&rewrite.builder, accuracy, 0);
    for (size_t i = 0; i < rewrite.n_old; i++) {
        struct gruc_op op = *gruc_rewrite_op(&rewrite, i);
        if (!is_prim(op.code)) {
            gruc_rewrite_keep(&rewrite, i);
            continue;
        }
        enum gruc_prim prim =
            (enum gruc_prim)((unsigned)op.code - (unsigned)gruc_opcode_of_prim((enum gruc_prim)0));
        gruc_ref out;
        if (!gruc_prim_build(prim, &builder, op.operands[0], &out))
            return ir->failed ? GRUC_ERROR_MEMORY : GRUC_ERROR_INTERNAL;
        gruc_rewrite_replace(&rewrite, op.results[0], out);
    }
    gruc_rewrite_finish(&rewrite);
    return ir->failed ? GRUC_ERROR_MEMORY : GRUC_OK;
}

enum gruc_status gruc_pass_expand_prims(struct gruc_ir *ir, const struct gruc_pass_options *options,
                                        struct gruc_diag *diag)
{
    (void)diag;
    for (size_t region = 0; region < ir->n_regions; region++)
        GRUC_TRY(expand_region(ir, (gruc_ref)region, options->accuracy));
    return GRUC_OK;
}

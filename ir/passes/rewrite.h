/* SPDX-License-Identifier: MIT */
#ifndef GRUC_IR_PASSES_REWRITE_H
#define GRUC_IR_PASSES_REWRITE_H

#include "ir/build.h"

/* Rebuilds a region's list of operations front to back: the pass looks at each old operation, and
 * either keeps it or builds others in its place and says which value replaces which. Operands,
 * yields and outputs follow the replacements. */
struct gruc_rewrite {
    struct gruc_builder builder; /* appends to the region being rebuilt */
    gruc_ref *old_ops;
    size_t n_old;
    gruc_ref *replacement; /* by old value; itself unless replaced */
    size_t n_replacement;
};

enum gruc_status gruc_rewrite_begin(struct gruc_ir *ir, gruc_ref region,
                                    struct gruc_rewrite *rewrite);
/* The next old operation, its operands already replaced; the builder takes its mark. */
struct gruc_op *gruc_rewrite_op(struct gruc_rewrite *rewrite, size_t i);
void gruc_rewrite_keep(struct gruc_rewrite *rewrite, size_t i);
void gruc_rewrite_replace(struct gruc_rewrite *rewrite, gruc_ref old, gruc_ref fresh);
void gruc_rewrite_finish(struct gruc_rewrite *rewrite);

#endif

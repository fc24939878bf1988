/* SPDX-License-Identifier: MIT */
#ifndef GRUC_IR_PASSES_H
#define GRUC_IR_PASSES_H

#include "ir/expr.h"
#include "ir/narrow.h"

struct gruc_pass_options {
    enum gruc_accuracy accuracy; /* of the expansions of primitives */
    int has_fma; /* of the target: products computed here are rounded as it rounds them */
    enum gruc_weights weights;   /* that products are to have */
    int one_step;                /* a call computes one step: no product is hoisted */
};

#define GRUC_PASS(name, text, help)                                                                \
    enum gruc_status gruc_pass_##name(struct gruc_ir *ir, const struct gruc_pass_options *options, \
                                      struct gruc_diag *diag);
#include "ir/passes/passes.def"
#undef GRUC_PASS

enum gruc_pass_id {
#define GRUC_PASS(name, text, help) GRUC_PASS_##name,
#include "ir/passes/passes.def"
#undef GRUC_PASS
    GRUC_PASS_COUNT
};

const char *gruc_pass_name(enum gruc_pass_id pass);
const char *gruc_pass_help(enum gruc_pass_id pass);

/* Called after each pass that ran, milliseconds it took; may be NULL. */
typedef void (*gruc_pass_observer)(void *context, enum gruc_pass_id pass, double milliseconds,
                                   const struct gruc_ir *ir);

/* Brings the tensors to memory if some pass computes with their numbers: where there is a
 * normalisation or a look-up. Before any pass. */
enum gruc_status gruc_passes_read_tensors(struct gruc_ir *ir, struct gruc_diag *diag);

/* Runs all passes up to and including last, verifying after each. */
enum gruc_status gruc_passes_run(struct gruc_ir *ir, enum gruc_pass_id last,
                                 const struct gruc_pass_options *options,
                                 gruc_pass_observer observer, void *context,
                                 struct gruc_diag *diag);

#endif

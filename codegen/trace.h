/* SPDX-License-Identifier: MIT */
#ifndef GRUC_CODEGEN_TRACE_H
#define GRUC_CODEGEN_TRACE_H

#include "codegen/backend.h"
#include "ir/passes/passes.h"

/* Tells trace the IR after a pass, or a phase, where it asked for that. */
enum gruc_status gruc_trace_dump(const struct gruc_trace *trace, const char *pass,
                                 const struct gruc_ir *ir);
/* Runs the passes up to last on ir and tells trace (NULL: nobody) of each: its time, and its IR
 * when a dump after it was asked for. */
enum gruc_status gruc_trace_passes(struct gruc_ir *ir, enum gruc_pass_id last,
                                   const struct gruc_pass_options *options,
                                   const struct gruc_trace *trace, struct gruc_diag *diag);

#endif

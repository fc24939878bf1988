/* SPDX-License-Identifier: MIT */
#include "codegen/backend.h"

static const char reason[] = "this build has no CUDA back end";

static const char *refuses(const struct gruc_ir *ir, const struct gruc_target *target)
{
    (void)ir;
    (void)target;
    return reason;
}

static enum gruc_status jit(struct gruc_ir *ir, const struct gruc_target *target,
                            const struct gruc_trace *trace, struct gruc_diag *diag,
                            struct gruc_jit_code *out)
{
    (void)ir;
    (void)target;
    (void)trace;
    *out = (struct gruc_jit_code){0};
    gruc_diag_error(diag, GRUC_E_NO_BACKEND, (struct gruc_mark){0}, "%s", reason);
    return GRUC_ERROR_UNSUPPORTED;
}

const struct gruc_backend gruc_backend_cuda = {
    .name = "cuda",
    .help = "CUDA; not in this build",
    .refuses = refuses,
    .jit = jit,
};

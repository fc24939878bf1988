/* SPDX-License-Identifier: MIT */
#ifndef GRUC_DRIVER_COMPILE_H
#define GRUC_DRIVER_COMPILE_H

/* The pipeline behind libgruc's API: what its phases share. */

#include <gruc/compiler.h>

#include "codegen/backend.h"
#include "frontend/model.h"
#include "ir/base/strbuf.h"

/* A checked model with its weights. */
struct gruc_model_handle {
    struct gruc_arena arena;
    struct gruc_model *model;
    const char *text; /* of the model file, in arena, NUL-terminated */
    size_t length;
    struct gruc_blocking blocking; /* that --tune chose */
    double milliseconds; /* that parse, check and weights took */
};

/* One call of the API: its options, filled in, and who listens. */
struct gruc_compilation {
    struct gruc_options options;
    struct gruc_diag diag;
    struct gruc_trace trace;
    struct gruc_target target;
    double begin; /* of the call, by gruc_clock_milliseconds */
};

/* options may be NULL, or of an older, shorter version of the structure. */
void gruc_compilation_init(struct gruc_compilation *compilation,
                           const struct gruc_options *options);
/* Messages are about this model from here on. */
void gruc_compilation_set_model(struct gruc_compilation *compilation,
                                const struct gruc_model_handle *handle);

/* Fills a fresh handle. text NULL: reads the file. */
enum gruc_status gruc_compile_model(struct gruc_compilation *compilation, const char *path,
                                    const char *text, size_t length,
                                    struct gruc_model_handle *handle);
/* Verified IR of the model in a fresh arena of the caller. */
enum gruc_status gruc_compile_lower(struct gruc_compilation *compilation,
                                    struct gruc_model_handle *handle, struct gruc_arena *arena,
                                    struct gruc_ir **out);
/* The back end that options name, or the first one that takes the model; one that makes files when
 * for_files. Refusals are diagnostics and GRUC_ERROR_UNSUPPORTED. */
enum gruc_status gruc_compile_choose(struct gruc_compilation *compilation, const struct gruc_ir *ir,
                                     int for_files, const struct gruc_backend **out);
enum gruc_status gruc_compile_jit(struct gruc_compilation *compilation,
                                  struct gruc_model_handle *handle, struct grt_module **out);
/* The same with the weights rounded to the type of the options first where only weights are: for
 * back ends that store float32 only, the numbers that narrowed code computes. */
enum gruc_status gruc_compile_jit_rounded(struct gruc_compilation *compilation,
                                          struct gruc_model_handle *handle,
                                          struct grt_module **out);
enum gruc_status gruc_compile_artifact(struct gruc_compilation *compilation,
                                       struct gruc_model_handle *handle,
                                       enum gruc_artifact artifact, struct gruc_strbuf *out);

double gruc_clock_milliseconds(void); /* monotonic */

#endif

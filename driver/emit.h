/* SPDX-License-Identifier: MIT */
#ifndef GRUC_DRIVER_EMIT_H
#define GRUC_DRIVER_EMIT_H

/* What libgruc writes: one kind of file a row of the table in emit.c. */

#include "driver/compile.h"

struct gruc_emit_kind {
    const char *name;      /* as in --emit */
    const char *extension; /* "" for programs */
    int executable;
    enum gruc_status (*write)(struct gruc_compilation *compilation,
                              struct gruc_model_handle *handle, struct gruc_strbuf *out);
};
const struct gruc_emit_kind *gruc_emit_describe(enum gruc_emit emit);

struct gruc_emit_file {
    enum gruc_emit emit;
    const char *path;
};
/* Writes all or none of the files. */
enum gruc_status gruc_emit_files(struct gruc_compilation *compilation,
                                 struct gruc_model_handle *handle,
                                 const struct gruc_emit_file *files, size_t count);

/* emit_header.c, emit_dot.c, info.c */
enum gruc_status gruc_emit_header(struct gruc_compilation *compilation,
                                  struct gruc_model_handle *handle, struct gruc_strbuf *out);
enum gruc_status gruc_emit_dot(struct gruc_compilation *compilation,
                               struct gruc_model_handle *handle, struct gruc_strbuf *out);
/* The JSON text of NAME_info: shapes, types, target, digests of model and weights. target names its
 * triple and processor. */
enum gruc_status gruc_info_json(const struct gruc_model_handle *handle, const struct gruc_ir *ir,
                                const struct gruc_target *target, struct gruc_strbuf *out);

#endif

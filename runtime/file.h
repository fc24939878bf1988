/* SPDX-License-Identifier: MIT */
#ifndef GRT_FILE_H
#define GRT_FILE_H

#include <stddef.h>

#include <gruc/status.h>

/* Reads a whole file, "-" is standard input; more than limit bytes are an error. *out is freed by
 * free. On failure *error points to static words. */
GRUC_MUST_USE enum gruc_status grt_file_read(const char *path, size_t limit, unsigned char **out,
                                             size_t *length, const char **error);

/* A file that is written beside its place and gets its name when it is complete. Devices and pipes
 * and "-", standard output, are written directly. */
struct grt_file {
    int descriptor;
    const char *path;
    char *temporary; /* NULL: written directly */
};
GRUC_MUST_USE enum gruc_status grt_file_begin(const char *path, struct grt_file *out,
                                              const char **error);
GRUC_MUST_USE enum gruc_status grt_file_write(struct grt_file *file, const void *bytes,
                                              size_t length, const char **error);
/* Renames when status is GRUC_OK, else removes; returns status or what went wrong now. */
GRUC_MUST_USE enum gruc_status grt_file_end(struct grt_file *file, enum gruc_status status,
                                            const char **error);

#endif

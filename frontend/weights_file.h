/* SPDX-License-Identifier: MIT */
#ifndef GRUC_FRONTEND_WEIGHTS_FILE_H
#define GRUC_FRONTEND_WEIGHTS_FILE_H

/* What the readers of weights files share. A file is opened once and never by name again. */

#include <gruc/npy.h>

#include "frontend/model.h"

/* A tensor of a file; where it lies is its reader's business. */
struct gruc_weights_entry {
    const char *name;
    const char *type;  /* as spelled in the file; of safetensors only */
    uint32_t rank;
    int64_t dims[GRUC_ABI_MAX_RANK];
    uint64_t begin, end; /* bytes of a safetensors file */
    uint64_t member;     /* of an archive */
};

struct gruc_weights_file {
    int descriptor;
    uint64_t bytes;
    const char *path;      /* for messages */
    struct gruc_mark mark; /* where the model names it */
    struct gruc_diag *diag;
    struct gruc_arena *arena; /* of the entries */
    struct gruc_weights_entry *entries;
    size_t n_entries;
    void *archive; /* of npz.c */
    int is_kept;   /* sources of parameters read it later */
};

/* A kind of file. begin lists the entries; load checks an entry's shape and type and gives the
 * parameter its data, in arena; end is called after a failed begin, too. */
struct gruc_weights_reader {
    enum gruc_status (*begin)(struct gruc_weights_file *file);
    enum gruc_status (*load)(struct gruc_weights_file *file,
                             const struct gruc_weights_entry *entry,
                             struct gruc_parameter *parameter, struct gruc_arena *arena);
    void (*end)(struct gruc_weights_file *file);
};

extern const struct gruc_weights_reader gruc_safetensors_reader;
extern const struct gruc_weights_reader gruc_npz_reader;

/* weights_open.c: a descriptor of a regular file and its size. base: the model whose directory the
 * path must not leave, NULL: anywhere. *error: static words. */
enum gruc_status gruc_weights_open(const char *base, const char *path, int *descriptor,
                                   uint64_t *bytes, const char **error);

/* Reads just these bytes; 0 when that is impossible. */
int gruc_weights_read(const struct gruc_weights_file *file, uint64_t offset, void *bytes,
                      size_t count);

/* weights_keep.c: numbers that lie in an open file, F32 or BF16 in a row. A read function of
 * gruc_tensor_source whose context is one. */
struct gruc_weights_piece {
    int descriptor;
    uint64_t begin;
    int is_bfloat16;
};
int gruc_weights_read_piece(const void *piece, uint64_t first, size_t count, float *out);
/* So many numbers are better left in the file. */
enum { GRUC_WEIGHTS_LARGE = 1 << 18 };
/* Gives the parameter a source instead of data; the file is to stay open. */
enum gruc_status gruc_weights_keep(struct gruc_weights_file *file,
                                   const struct gruc_weights_piece *piece,
                                   struct gruc_parameter *parameter, struct gruc_arena *arena);

/* Reports a damaged file: "PATH: words". */
enum gruc_status gruc_weights_damaged(const struct gruc_weights_file *file, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Reports when the tensor's shape is not the parameter's. */
enum gruc_status gruc_weights_check_shape(const struct gruc_weights_file *file,
                                          const struct gruc_parameter *parameter, uint32_t rank,
                                          const int64_t *dims);
/* Reports a type that is not for weights. */
enum gruc_status gruc_weights_bad_type(const struct gruc_weights_file *file,
                                       const struct gruc_parameter *parameter, const char *type);
/* Turns floating-point numbers of any width into the parameter's data, which it allocates in
 * arena. */
enum gruc_status gruc_weights_store(const struct gruc_array *array,
                                    struct gruc_parameter *parameter, struct gruc_arena *arena);

/* A name from a file in room, fit for a message: no control characters, not too long. */
enum { GRUC_WEIGHTS_NAME_ROOM = 96 };
const char *gruc_weights_name(const char *name, char room[GRUC_WEIGHTS_NAME_ROOM]);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_CODEGEN_CPU_BLOB_H
#define GRUC_CODEGEN_CPU_BLOB_H

#include <stddef.h>

/* Packed weights, appended to as stages are emitted; every piece starts on 64 bytes. The bytes are
 * a mapping of capacity bytes. */
enum { CPU_BLOB_ALIGNMENT = 64 };
struct cpu_blob {
    unsigned char *bytes;
    size_t size, capacity;
    struct cpu_piece *pieces; /* that are settled */
    size_t n_pieces, pieces_capacity;
    int failed;
};

/* Appends size zero bytes and answers their offset. */
size_t cpu_blob_reserve(struct cpu_blob *blob, size_t size);
/* The last reserved piece, at offset, is filled in: an earlier one of the same bytes takes its
 * place if there is one. Answers where to find it. */
size_t cpu_blob_settle(struct cpu_blob *blob, size_t offset);
void cpu_blob_finish(struct cpu_blob *blob);

#endif

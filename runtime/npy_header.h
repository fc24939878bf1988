/* SPDX-License-Identifier: MIT */
#ifndef GRT_NPY_HEADER_H
#define GRT_NPY_HEADER_H

#include <gruc/npy.h>

struct grt_npy_header {
    enum gruc_npy_type type;
    int fortran_order;
    uint32_t rank;
    int64_t dims[GRUC_ABI_MAX_RANK];
    size_t bytes; /* where the data begins */
};

enum { GRT_NPY_HEADER_ROOM = 512 };

/* Reads magic, version and the dictionary. NULL, or static words on what is wrong. */
const char *grt_npy_header_parse(const unsigned char *bytes, size_t length,
                                 struct grt_npy_header *out);

/* Writes a version 1 header of a row-major array; returns its length. */
size_t grt_npy_header_write(const struct gruc_array *array, char room[GRT_NPY_HEADER_ROOM]);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_NPY_H
#define GRUC_NPY_H

/* NumPy's .npy arrays, read and written without running or trusting anything in them: the header is
 * parsed by a strict grammar, object types are refused, sizes are checked before memory is taken.
 * Part of libgruc_rt. */

#include <gruc/abi.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Element types a file may have; values are turned into one of enum gruc_dtype or double. */
enum gruc_npy_type {
    GRUC_NPY_FLOAT32, GRUC_NPY_INT32, GRUC_NPY_BOOL, GRUC_NPY_FLOAT64, GRUC_NPY_INT64,
    GRUC_NPY_UINT8, GRUC_NPY_INT8, GRUC_NPY_FLOAT16
};

struct gruc_array {
    enum gruc_npy_type type;
    uint32_t rank;
    int64_t dims[GRUC_ABI_MAX_RANK];
    size_t count; /* elements */
    size_t bytes;
    void *data;   /* row-major (C order), little-endian, aligned to 64; the array's own */
};

/* Parses a whole file in memory. On failure *error points to static words. */
GRUC_API GRUC_MUST_USE enum gruc_status gruc_npy_parse(const void *bytes, size_t length,
                                                       struct gruc_array *out, const char **error);
/* Reads a file, "-" is standard input; at most limit bytes (0: 4 GiB). */
GRUC_API GRUC_MUST_USE enum gruc_status gruc_npy_read(const char *path, size_t limit,
                                                      struct gruc_array *out, const char **error);
/* Writes beside its place and renames; "-" is standard output. */
GRUC_API GRUC_MUST_USE enum gruc_status gruc_npy_write(const char *path,
                                                       const struct gruc_array *array,
                                                       const char **error);
/* Fresh storage for these dims, zeroed. */
GRUC_API GRUC_MUST_USE enum gruc_status gruc_array_create(enum gruc_npy_type type, uint32_t rank,
                                                          const int64_t *dims,
                                                          struct gruc_array *out);
/* A copy in the type that a tensor wants: exact, or rounded to nearest from float64; float to int
 * or bool to float are conversions Keras makes too; GRUC_ERROR_SHAPE when a value does not fit. */
GRUC_API GRUC_MUST_USE enum gruc_status gruc_array_convert(const struct gruc_array *array,
                                                           enum gruc_dtype dtype,
                                                           struct gruc_array *out);
GRUC_API void gruc_array_finish(struct gruc_array *array);

#ifdef __cplusplus
}
#endif
#endif

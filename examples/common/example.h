/* SPDX-License-Identifier: MIT */
#ifndef EXAMPLE_H
#define EXAMPLE_H

/* What the example programs share: .npy files in and out by libgruc_rt. Whatever fails prints a
 * message and ends the program with 1, as suits an example. */

#include <gruc/npy.h>
#include <gruc/runtime.h>

/* Ends the program with 2 unless there are count arguments, the program's name included. */
void need_arguments(int argc, char **argv, int count, const char *usage);

/* Ends the program unless status is GRUC_OK; what says what was tried. */
void require(enum gruc_status status, const char *what);

/* The file folder/name (folder NULL: name) as numbers of that type; gruc_array_finish frees it. */
struct gruc_array array_read(const char *folder, const char *name, enum gruc_dtype dtype);

/* Zeros of that shape. */
struct gruc_array array_zeros(uint32_t rank, const int64_t *dims);

void array_write(const char *path, const struct gruc_array *array);

#endif

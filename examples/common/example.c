/* SPDX-License-Identifier: MIT */
#include "example.h"

#include <stdio.h>
#include <stdlib.h>

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

void need_arguments(int argc, char **argv, int count, const char *usage)
{
    if (argc == count)
        return;
    fprintf(stderr, "usage: %s %s\n", argv[0], usage);
    exit(2);
}

void require(enum gruc_status status, const char *what)
{
    if (status != GRUC_OK)
        stop(what, gruc_status_text(status));
}

struct gruc_array array_read(const char *folder, const char *name, enum gruc_dtype dtype)
{
    struct gruc_array stored, array;
    const char *why;
    char path[1024];
    snprintf(path, sizeof path, "%s%s%s", folder != NULL ? folder : "", folder != NULL ? "/" : "",
             name);
    if (gruc_npy_read(path, 0, &stored, &why) != GRUC_OK)
        stop(path, why);
    require(gruc_array_convert(&stored, dtype, &array), path); /* files may have another type */
    gruc_array_finish(&stored);
    return array;
}

struct gruc_array array_zeros(uint32_t rank, const int64_t *dims)
{
    struct gruc_array array;
    require(gruc_array_create(GRUC_NPY_FLOAT32, rank, dims, &array), "array");
    return array;
}

void array_write(const char *path, const struct gruc_array *array)
{
    const char *why;
    if (gruc_npy_write(path, array, &why) != GRUC_OK)
        stop(path, why);
}

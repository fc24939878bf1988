/* SPDX-License-Identifier: MIT */
#include <gruc/npy.h>

#include <stdlib.h>
#include <string.h>

#include "runtime/array.h"
#include "runtime/file.h"
#include "runtime/npy_header.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "arrays lie in memory as in files: little-endian"
#endif

/* Column-major bytes of a file to row-major ones: walks the target in order, the source index by
 * the strides of the reversed axes. */
static void transpose(const unsigned char *bytes, const struct gruc_array *array)
{
    size_t item = grt_array_item_bytes(array->type);
    size_t strides[GRUC_ABI_MAX_RANK], index[GRUC_ABI_MAX_RANK] = {0};
    size_t stride = item;
    for (uint32_t i = 0; i < array->rank; i++) {
        strides[i] = stride;
        stride *= (size_t)array->dims[i];
    }
    unsigned char *target = array->data;
    size_t source = 0;
    for (size_t n = 0; n < array->count; n++, target += item) {
        memcpy(target, bytes + source, item);
        for (uint32_t i = array->rank; i-- > 0;) {
            source += strides[i];
            if (++index[i] < (size_t)array->dims[i])
                break;
            source -= strides[i] * index[i];
            index[i] = 0;
        }
    }
}

enum gruc_status gruc_npy_parse(const void *bytes, size_t length, struct gruc_array *out,
                                const char **error)
{
    struct grt_npy_header header;
    *out = (struct gruc_array){0};
    *error = grt_npy_header_parse(bytes, length, &header);
    if (*error != NULL)
        return GRUC_ERROR_INPUT;
    /* Sizes before memory: the file must hold just what the header promises. */
    size_t wanted = grt_array_item_bytes(header.type);
    for (uint32_t i = 0; i < header.rank; i++)
        if (__builtin_mul_overflow(wanted, (size_t)header.dims[i], &wanted)) {
            *error = "the shape is too large";
            return GRUC_ERROR_INPUT;
        }
    if (length - header.bytes != wanted) {
        *error = length - header.bytes < wanted ? "the file is truncated"
                                                : "the file is longer than its array";
        return GRUC_ERROR_INPUT;
    }
    enum gruc_status status = gruc_array_create(header.type, header.rank, header.dims, out);
    if (status != GRUC_OK) {
        *error = status == GRUC_ERROR_MEMORY ? "out of memory" : "the shape is too large";
        return status == GRUC_ERROR_MEMORY ? status : GRUC_ERROR_INPUT;
    }
    const unsigned char *data = (const unsigned char *)bytes + header.bytes;
    if (header.fortran_order && header.rank > 1)
        transpose(data, out);
    else if (out->bytes > 0)
        memcpy(out->data, data, out->bytes);
    if (out->type == GRUC_NPY_BOOL)
        for (size_t i = 0; i < out->count; i++)
            ((unsigned char *)out->data)[i] = ((unsigned char *)out->data)[i] != 0;
    return GRUC_OK;
}

enum gruc_status gruc_npy_read(const char *path, size_t limit, struct gruc_array *out,
                               const char **error)
{
    unsigned char *bytes;
    size_t length;
    *out = (struct gruc_array){0};
    enum gruc_status status =
        grt_file_read(path, limit == 0 ? (size_t)4 << 30 : limit, &bytes, &length, error);
    if (status != GRUC_OK)
        return status;
    status = gruc_npy_parse(bytes, length, out, error);
    free(bytes);
    return status;
}

enum gruc_status gruc_npy_write(const char *path, const struct gruc_array *array,
                                const char **error)
{
    char header[GRT_NPY_HEADER_ROOM];
    struct grt_file file;
    size_t length = grt_npy_header_write(array, header);
    enum gruc_status status = grt_file_begin(path, &file, error);
    if (status != GRUC_OK)
        return status;
    status = grt_file_write(&file, header, length, error);
    if (status == GRUC_OK)
        status = grt_file_write(&file, array->data, array->bytes, error);
    return grt_file_end(&file, status, error);
}

/* SPDX-License-Identifier: MIT */
/* safetensors: eight bytes with the length of a JSON object, the object, the numbers. The object
 * gives for each tensor its dtype, shape and range of bytes; the ranges must cover the rest of the
 * file without holes or overlaps. */
#include "frontend/weights_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ir/base/status.h"

enum { PREFIX = 8, MAX_HEADER = 1 << 20 };

static const struct {
    const char *name;
    uint64_t bytes; /* of a number */
} types[] = {{"F32", 4},  {"F16", 2}, {"BF16", 2}, {"F64", 8}, {"I64", 8},     {"U64", 8},
             {"I32", 4},  {"U32", 4}, {"I16", 2},  {"U16", 2}, {"I8", 1},      {"U8", 1},
             {"BOOL", 1}, {"C64", 8}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};

/* 0: unknown. */
static uint64_t type_bytes(const char *type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(type, types[i].name) == 0)
            return types[i].bytes;
    return 0;
}

/* A list of numbers that are not negative; their count, or -1. */
static int read_numbers(const json_t *list, size_t most, int64_t *out)
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > most)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const json_t *number = json_array_get(list, i);
        if (!json_is_integer(number) || json_integer_value(number) < 0)
            return -1;
        out[i] = json_integer_value(number);
    }
    return (int)count;
}

static enum gruc_status read_entry(struct gruc_weights_file *file, uint64_t data_bytes,
                                   const char *name, const json_t *object,
                                   struct gruc_weights_entry *out)
{
    char shown[GRUC_WEIGHTS_NAME_ROOM];
    int64_t range[2];
    gruc_weights_name(name, shown);
    const char *type = json_string_value(json_object_get(object, "dtype"));
    if (!json_is_object(object) || json_object_size(object) != 3 || type == NULL)
        return gruc_weights_damaged(file, "tensor '%s' is not dtype, shape and data_offsets",
                                    shown);
    int rank = read_numbers(json_object_get(object, "shape"), GRUC_ABI_MAX_RANK, out->dims);
    if (rank < 0)
        return gruc_weights_damaged(file, "the shape of tensor '%s' is no list of at most eight "
                                          "lengths", shown);
    if (read_numbers(json_object_get(object, "data_offsets"), 2, range) != 2 ||
        range[0] > range[1] || (uint64_t)range[1] > data_bytes)
        return gruc_weights_damaged(file, "tensor '%s' lies outside the file", shown);
    uint64_t bytes = type_bytes(type);
    if (bytes == 0) {
        char shown_type[GRUC_WEIGHTS_NAME_ROOM];
        return gruc_weights_damaged(file, "tensor '%s' has the unknown dtype '%s'", shown,
                                    gruc_weights_name(type, shown_type));
    }
    for (int i = 0; i < rank; i++)
        if (__builtin_mul_overflow(bytes, (uint64_t)out->dims[i], &bytes))
            return gruc_weights_damaged(file, "the shape of tensor '%s' is too large", shown);
    if (bytes != (uint64_t)(range[1] - range[0]))
        return gruc_weights_damaged(file, "tensor '%s' has %" PRId64 " bytes where its shape "
                                          "and dtype need %" PRIu64, shown, range[1] - range[0],
                                    bytes);
    out->name = gruc_arena_text(file->arena, name, strlen(name));
    out->type = gruc_arena_text(file->arena, type, strlen(type));
    out->rank = (uint32_t)rank;
    out->begin = (uint64_t)range[0];
    out->end = (uint64_t)range[1];
    return out->name == NULL || out->type == NULL ? GRUC_ERROR_MEMORY : GRUC_OK;
}

static int compare_begin(const void *a, const void *b)
{
    const struct gruc_weights_entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

/* Sorts the entries; their ranges must follow one another from 0 to the end. */
static enum gruc_status check_ranges(struct gruc_weights_file *file, uint64_t data_bytes)
{
    char name[GRUC_WEIGHTS_NAME_ROOM];
    uint64_t end = 0;
    qsort(file->entries, file->n_entries, sizeof *file->entries, compare_begin);
    for (size_t i = 0; i < file->n_entries; i++) {
        const struct gruc_weights_entry *entry = &file->entries[i];
        if (entry->begin != end)
            return gruc_weights_damaged(file, entry->begin < end
                                                  ? "tensor '%s' overlaps the one before it"
                                                  : "there is a hole before tensor '%s'",
                                        gruc_weights_name(entry->name, name));
        end = entry->end;
    }
    if (end != data_bytes)
        return gruc_weights_damaged(file, "%" PRIu64 " bytes after the last tensor",
                                    data_bytes - end);
    return GRUC_OK;
}

static enum gruc_status read_entries(struct gruc_weights_file *file, json_t *header,
                                     uint64_t data_bytes)
{
    const char *name;
    json_t *object;
    file->entries =
        GRUC_NEW_ARRAY(file->arena, struct gruc_weights_entry, json_object_size(header));
    if (file->entries == NULL)
        return GRUC_ERROR_MEMORY;
    json_object_foreach(header, name, object) {
        if (strcmp(name, "__metadata__") == 0) {
            if (!json_is_object(object))
                return gruc_weights_damaged(file, "__metadata__ is no object");
            continue;
        }
        GRUC_TRY(read_entry(file, data_bytes, name, object, &file->entries[file->n_entries]));
        file->n_entries++;
    }
    return check_ranges(file, data_bytes);
}

static uint64_t header_bytes(const unsigned char prefix[PREFIX])
{
    uint64_t bytes = 0;
    for (int i = PREFIX; i-- > 0;)
        bytes = bytes << 8 | prefix[i];
    return bytes;
}

static enum gruc_status begin_safetensors(struct gruc_weights_file *file)
{
    unsigned char prefix[PREFIX];
    if (file->bytes < PREFIX || !gruc_weights_read(file, 0, prefix, PREFIX))
        return gruc_weights_damaged(file, "the file is truncated");
    uint64_t length = header_bytes(prefix);
    if (length > MAX_HEADER)
        return gruc_weights_damaged(file, "not a safetensors or .npz file, or its header is "
                                          "larger than 1 MiB");
    if (length > file->bytes - PREFIX)
        return gruc_weights_damaged(file, "the file is truncated");
    char *text = GRUC_NEW_ARRAY(file->arena, char, length);
    if (text == NULL)
        return GRUC_ERROR_MEMORY;
    if (!gruc_weights_read(file, PREFIX, text, length))
        return gruc_weights_damaged(file, "the file cannot be read");
    json_error_t error;
    json_t *header = length == 0 || text[0] != '{'
                         ? NULL
                         : json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (header == NULL && length > 0 && text[0] == '{' &&
        json_error_code(&error) == json_error_out_of_memory)
        return GRUC_ERROR_MEMORY;
    if (header == NULL)
        return gruc_weights_damaged(file, length == 0 || text[0] != '{'
                                              ? "not a safetensors or .npz file"
                                          : json_error_code(&error) == json_error_duplicate_key
                                              ? "the header names a tensor twice"
                                              : "the header is not JSON");
    enum gruc_status status = read_entries(file, header, file->bytes - PREFIX - length);
    for (size_t i = 0; i < file->n_entries; i++) {
        file->entries[i].begin += PREFIX + length;
        file->entries[i].end += PREFIX + length;
    }
    json_decref(header);
    return status;
}

/* F32 and BF16. */
static enum gruc_status take_piece(struct gruc_weights_file *file,
                                   const struct gruc_weights_entry *entry, int is_bfloat16,
                                   struct gruc_parameter *parameter, struct gruc_arena *arena)
{
    const struct gruc_weights_piece piece = {file->descriptor, entry->begin, is_bfloat16};
    size_t count = (size_t)(entry->end - entry->begin) / (is_bfloat16 ? 2 : sizeof(float));
    if (count >= GRUC_WEIGHTS_LARGE)
        return gruc_weights_keep(file, &piece, parameter, arena);
    float *data = GRUC_NEW_ARRAY(arena, float, count);
    if (data == NULL)
        return GRUC_ERROR_MEMORY;
    if (!gruc_weights_read_piece(&piece, 0, count, data))
        return gruc_weights_damaged(file, "the file cannot be read");
    parameter->data = data;
    return GRUC_OK;
}

/* Reads numbers of another float type whole, then converts them. */
static enum gruc_status read_converted(struct gruc_weights_file *file,
                                       const struct gruc_weights_entry *entry,
                                       enum gruc_npy_type type, struct gruc_parameter *parameter,
                                       struct gruc_arena *arena)
{
    struct gruc_array array;
    GRUC_TRY(gruc_array_create(type, entry->rank, entry->dims, &array));
    enum gruc_status status =
        gruc_weights_read(file, entry->begin, array.data, array.bytes)
            ? gruc_weights_store(&array, parameter, arena)
            : gruc_weights_damaged(file, "the file cannot be read");
    gruc_array_finish(&array);
    return status;
}

static enum gruc_status load_safetensors(struct gruc_weights_file *file,
                                         const struct gruc_weights_entry *entry,
                                         struct gruc_parameter *parameter,
                                         struct gruc_arena *arena)
{
    GRUC_TRY(gruc_weights_check_shape(file, parameter, entry->rank, entry->dims));
    if (strcmp(entry->type, "F64") == 0)
        return read_converted(file, entry, GRUC_NPY_FLOAT64, parameter, arena);
    if (strcmp(entry->type, "F16") == 0)
        return read_converted(file, entry, GRUC_NPY_FLOAT16, parameter, arena);
    int narrow = strcmp(entry->type, "BF16") == 0;
    if (!narrow && strcmp(entry->type, "F32") != 0)
        return gruc_weights_bad_type(file, parameter, entry->type);
    return take_piece(file, entry, narrow, parameter, arena);
}

static void end_safetensors(struct gruc_weights_file *file)
{
    (void)file;
}

const struct gruc_weights_reader gruc_safetensors_reader = {begin_safetensors, load_safetensors,
                                                            end_safetensors};

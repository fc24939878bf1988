/* SPDX-License-Identifier: MIT */
/* .npz: a zip archive of .npy files. A member is read into memory of the size that the parameter
 * can need, whatever the archive promises; nothing is unpacked to disk. */
#include "frontend/weights_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zip.h>

#include "ir/base/status.h"

/* A member may be larger than its tensor by the header, and small ones always are read, so that a
 * wrong shape can be told. */
enum { MAX_MEMBERS = 1 << 16, HEADER_ROOM = 1 << 17, SMALL_MEMBER = 1 << 24, WIDEST = 8 };

static enum gruc_status open_archive(struct gruc_weights_file *file)
{
    int error = 0;
    int copy = dup(file->descriptor);
    if (copy < 0)
        return GRUC_ERROR_MEMORY;
    lseek(copy, 0, SEEK_SET);
    file->archive = zip_fdopen(copy, ZIP_CHECKCONS, &error);
    if (file->archive != NULL)
        return GRUC_OK; /* the archive has taken copy over */
    close(copy);
    return error == ZIP_ER_MEMORY ? GRUC_ERROR_MEMORY
                                  : gruc_weights_damaged(file, "the archive is damaged");
}

/* The names of all .npy members without their ending; others are no tensors. */
static enum gruc_status begin_npz(struct gruc_weights_file *file)
{
    GRUC_TRY(open_archive(file));
    zip_int64_t count = zip_get_num_entries(file->archive, 0);
    if (count < 0 || count > MAX_MEMBERS)
        return gruc_weights_damaged(file, "the archive has too many members");
    file->entries = GRUC_NEW_ARRAY(file->arena, struct gruc_weights_entry, (size_t)count);
    if (file->entries == NULL)
        return GRUC_ERROR_MEMORY;
    for (zip_uint64_t i = 0; i < (zip_uint64_t)count; i++) {
        const char *name = zip_get_name(file->archive, i, ZIP_FL_ENC_RAW);
        size_t length = name == NULL ? 0 : strlen(name);
        if (length <= 4 || strcmp(name + length - 4, ".npy") != 0)
            continue;
        struct gruc_weights_entry *entry = &file->entries[file->n_entries++];
        entry->member = i;
        entry->name = gruc_arena_text(file->arena, name, length - 4);
        if (entry->name == NULL)
            return GRUC_ERROR_MEMORY;
    }
    return GRUC_OK;
}

/* Unpacks just size bytes and sees that no more come. */
static int unpack(struct gruc_weights_file *file, zip_uint64_t member, unsigned char *bytes,
                  uint64_t size)
{
    unsigned char beyond;
    zip_file_t *stream = zip_fopen_index(file->archive, member, 0);
    if (stream == NULL)
        return 0;
    uint64_t done = 0;
    zip_int64_t got = 1;
    while (done < size && (got = zip_fread(stream, bytes + done, size - done)) > 0)
        done += (uint64_t)got;
    int good = done == size && zip_fread(stream, &beyond, 1) == 0;
    return zip_fclose(stream) == 0 && good; /* closing checks the CRC */
}

static enum gruc_status read_member(struct gruc_weights_file *file,
                                    const struct gruc_weights_entry *entry,
                                    const struct gruc_parameter *parameter,
                                    struct gruc_array *out)
{
    zip_stat_t about;
    uint64_t most = (uint64_t)parameter->rows * parameter->columns * WIDEST + HEADER_ROOM;
    if (zip_stat_index(file->archive, entry->member, 0, &about) != 0 ||
        !(about.valid & ZIP_STAT_SIZE))
        return gruc_weights_damaged(file, "member '%s' is damaged", parameter->name);
    if (about.size > most && about.size > SMALL_MEMBER)
        return gruc_diag_error(file->diag, GRUC_E_WEIGHTS_SHAPE, parameter->mark,
                               "%s: tensor '%s' has %" PRIu64 " bytes, far more than a shape of "
                               "%" PRIu32 " x %" PRIu32 " needs", file->path, parameter->name,
                               (uint64_t)about.size, parameter->rows, parameter->columns);
    unsigned char *bytes = malloc(about.size == 0 ? 1 : (size_t)about.size);
    if (bytes == NULL)
        return GRUC_ERROR_MEMORY;
    const char *error = NULL;
    enum gruc_status status = GRUC_ERROR_INPUT;
    if (!unpack(file, entry->member, bytes, about.size))
        gruc_weights_damaged(file, "member '%s' is damaged", parameter->name);
    else if ((status = gruc_npy_parse(bytes, (size_t)about.size, out, &error)) == GRUC_ERROR_INPUT)
        gruc_weights_damaged(file, "member '%s': %s", parameter->name, error);
    free(bytes);
    return status;
}

static const char *type_name(enum gruc_npy_type type)
{
    switch (type) {
    case GRUC_NPY_FLOAT32:
        return "float32";
    case GRUC_NPY_INT32:
        return "int32";
    case GRUC_NPY_BOOL:
        return "bool";
    case GRUC_NPY_FLOAT64:
        return "float64";
    case GRUC_NPY_INT64:
        return "int64";
    case GRUC_NPY_UINT8:
        return "uint8";
    case GRUC_NPY_INT8:
        return "int8";
    case GRUC_NPY_FLOAT16:
        break;
    }
    return "float16";
}

/* Where a member that is stored as it is ends, 0 when it is none or that cannot be told: walks the
 * records, which lie in the order of the archive's list. */
static uint64_t end_of_stored(struct gruc_weights_file *file, zip_uint64_t member)
{
    enum { RECORD = 30, LENGTH_FOLLOWS = 8 };
    unsigned char record[RECORD];
    uint64_t at = 0;
    for (zip_uint64_t i = 0; i <= member; i++) {
        zip_stat_t about;
        if (zip_stat_index(file->archive, i, 0, &about) != 0 ||
            !(about.valid & ZIP_STAT_COMP_SIZE) || about.comp_size > file->bytes ||
            at > file->bytes || !gruc_weights_read(file, at, record, RECORD) ||
            memcmp(record, "PK\x03\x04", 4) != 0)
            return 0;
        at += RECORD + (record[26] | (uint64_t)record[27] << 8) +
              (record[28] | (uint64_t)record[29] << 8) + about.comp_size;
        if (i == member)
            return (about.valid & ZIP_STAT_COMP_METHOD) && about.comp_method == ZIP_CM_STORE ? at
                                                                                             : 0;
        if (record[6] & LENGTH_FOLLOWS)
            return 0;
    }
    return 0;
}

static int is_in_file(const struct gruc_weights_file *file, uint64_t begin, const void *bytes,
                      size_t count)
{
    unsigned char room[1 << 14];
    for (size_t done = 0, part; done < count; done += part) {
        part = count - done < sizeof room ? count - done : sizeof room;
        if (!gruc_weights_read(file, begin + done, room, part) ||
            memcmp(room, (const unsigned char *)bytes + done, part) != 0)
            return 0;
    }
    return 1;
}

/* Large numbers that the file holds just like memory are left there. */
static enum gruc_status keep_or_store(struct gruc_weights_file *file,
                                      const struct gruc_weights_entry *entry,
                                      const struct gruc_array *array,
                                      struct gruc_parameter *parameter, struct gruc_arena *arena)
{
    uint64_t end = array->type == GRUC_NPY_FLOAT32 && array->count >= GRUC_WEIGHTS_LARGE
                       ? end_of_stored(file, entry->member)
                       : 0;
    const struct gruc_weights_piece piece = {file->descriptor, end - array->bytes, 0};
    if (end >= array->bytes && is_in_file(file, piece.begin, array->data, array->bytes))
        return gruc_weights_keep(file, &piece, parameter, arena);
    return gruc_weights_store(array, parameter, arena);
}

static enum gruc_status load_npz(struct gruc_weights_file *file,
                                 const struct gruc_weights_entry *entry,
                                 struct gruc_parameter *parameter, struct gruc_arena *arena)
{
    struct gruc_array array;
    GRUC_TRY(read_member(file, entry, parameter, &array));
    enum gruc_status status =
        gruc_weights_check_shape(file, parameter, array.rank, array.dims);
    if (status == GRUC_OK)
        status = array.type == GRUC_NPY_FLOAT32 || array.type == GRUC_NPY_FLOAT64 ||
                         array.type == GRUC_NPY_FLOAT16
                     ? keep_or_store(file, entry, &array, parameter, arena)
                     : gruc_weights_bad_type(file, parameter, type_name(array.type));
    gruc_array_finish(&array);
    return status;
}

static void end_npz(struct gruc_weights_file *file)
{
    if (file->archive != NULL)
        zip_discard(file->archive);
}

const struct gruc_weights_reader gruc_npz_reader = {begin_npz, load_npz, end_npz};

/* SPDX-License-Identifier: MIT */
#include "frontend/weights.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "frontend/names.h"
#include "frontend/weights_file.h"
#include "ir/base/status.h"

enum { WORDS_ROOM = 160, LISTED = 5, CANDIDATES = 200 };

/* ---- messages ---- */

const char *gruc_weights_name(const char *name, char room[GRUC_WEIGHTS_NAME_ROOM])
{
    size_t length = 0;
    for (; name[length] != '\0' && length < GRUC_WEIGHTS_NAME_ROOM - 4; length++) {
        unsigned char c = (unsigned char)name[length];
        room[length] = c < 0x20 || c >= 0x7f ? '?' : (char)c;
    }
    strcpy(room + length, name[length] == '\0' ? "" : "...");
    return room;
}

enum gruc_status gruc_weights_damaged(const struct gruc_weights_file *file, const char *format, ...)
{
    char words[WORDS_ROOM + GRUC_WEIGHTS_NAME_ROOM];
    va_list list;
    va_start(list, format);
    vsnprintf(words, sizeof words, format, list);
    va_end(list);
    return gruc_diag_error(file->diag, GRUC_E_WEIGHTS_FORMAT, file->mark, "%s: %s", file->path,
                           words);
}

/* "(2, 9)" */
static const char *shape_words(uint32_t rank, const int64_t *dims, char room[WORDS_ROOM])
{
    size_t length = (size_t)snprintf(room, WORDS_ROOM, "(");
    for (uint32_t i = 0; i < rank && length < WORDS_ROOM - 24; i++)
        length += (size_t)snprintf(room + length, WORDS_ROOM - length, i == 0 ? "%" PRId64
                                                                              : ", %" PRId64,
                                   dims[i]);
    snprintf(room + length, WORDS_ROOM - length, rank == 1 ? ",)" : ")");
    return room;
}

static const char *wanted_words(const struct gruc_parameter *parameter, char room[WORDS_ROOM])
{
    int64_t dims[2] = {parameter->dims[0], parameter->dims[1]};
    return shape_words(parameter->rank, dims, room);
}

/* (3H) in place of (2,3H), or the other way round: the two biases of a GRU. */
static int is_other_bias(const struct gruc_parameter *parameter, uint32_t rank,
                         const int64_t *dims)
{
    const char *last = strrchr(parameter->name, '/');
    if (last == NULL || strcmp(last, "/bias") != 0)
        return 0;
    return parameter->rank == 2 ? rank == 1 && dims[0] == parameter->dims[1]
                                : rank == 2 && dims[0] == 2 && dims[1] == parameter->dims[0];
}

enum gruc_status gruc_weights_check_shape(const struct gruc_weights_file *file,
                                          const struct gruc_parameter *parameter, uint32_t rank,
                                          const int64_t *dims)
{
    char found[WORDS_ROOM], wanted[WORDS_ROOM];
    int same = rank == parameter->rank;
    for (uint32_t i = 0; same && i < rank; i++)
        same = dims[i] == (int64_t)parameter->dims[i];
    if (same)
        return GRUC_OK;
    shape_words(rank, dims, found);
    wanted_words(parameter, wanted);
    gruc_diag_error(file->diag, GRUC_E_WEIGHTS_SHAPE, parameter->mark,
                    "%s: tensor '%s' has shape %s, expected %s", file->path, parameter->name,
                    found, wanted);
    if (is_other_bias(parameter, rank, dims))
        gruc_diag_note(file->diag, parameter->mark,
                       "that is the bias of reset_after: %s; is reset_after wrong?",
                       rank == 2 ? "true" : "false");
    return GRUC_ERROR_INPUT;
}

enum gruc_status gruc_weights_bad_type(const struct gruc_weights_file *file,
                                       const struct gruc_parameter *parameter, const char *type)
{
    return gruc_diag_error(file->diag, GRUC_E_WEIGHTS_TYPE, parameter->mark,
                           "%s: tensor '%s' has type %s; weights are floating-point numbers",
                           file->path, parameter->name, type);
}

/* ---- data ---- */

enum gruc_status gruc_weights_store(const struct gruc_array *array,
                                    struct gruc_parameter *parameter, struct gruc_arena *arena)
{
    struct gruc_array converted;
    float *data = GRUC_NEW_ARRAY(arena, float, array->count);
    if (data == NULL)
        return GRUC_ERROR_MEMORY;
    if (array->type == GRUC_NPY_FLOAT32) {
        memcpy(data, array->data, array->bytes);
    } else {
        GRUC_TRY(gruc_array_convert(array, GRUC_FLOAT32, &converted));
        memcpy(data, converted.data, converted.bytes);
        gruc_array_finish(&converted);
    }
    parameter->data = data;
    return GRUC_OK;
}

static void report_missing(const struct gruc_weights_file *file,
                           const struct gruc_parameter *parameter)
{
    struct gruc_suggestion suggestion;
    char name[GRUC_WEIGHTS_NAME_ROOM], wanted[WORDS_ROOM];
    gruc_suggest_begin(&suggestion, parameter->name);
    for (size_t i = 0; i < file->n_entries && i < CANDIDATES; i++)
        gruc_suggest_offer(&suggestion, file->entries[i].name);
    const char *hint = suggestion.best == NULL ? "" : "; did you mean '";
    gruc_diag_error(file->diag, GRUC_E_WEIGHTS_MISSING, parameter->mark,
                    "%s: no tensor '%s' of shape %s%s%s%s", file->path, parameter->name,
                    wanted_words(parameter, wanted), hint,
                    suggestion.best == NULL ? "" : gruc_weights_name(suggestion.best, name),
                    suggestion.best == NULL ? "" : "'?");
}

/* One warning for all tensors that no layer wants. */
static void report_unused(const struct gruc_weights_file *file, const struct gruc_names *wanted)
{
    char names[LISTED * (GRUC_WEIGHTS_NAME_ROOM + 4)], name[GRUC_WEIGHTS_NAME_ROOM];
    size_t unused = 0, length = 0;
    for (size_t i = 0; i < file->n_entries; i++) {
        if (gruc_names_get(wanted, file->entries[i].name) != NULL || unused++ >= LISTED)
            continue;
        length += (size_t)snprintf(names + length, sizeof names - length, "%s'%s'",
                                   length == 0 ? "" : ", ",
                                   gruc_weights_name(file->entries[i].name, name));
    }
    if (unused > LISTED)
        gruc_diag_warning(file->diag, GRUC_E_WEIGHTS_UNUSED, file->mark,
                          "%s: no layer uses the tensors %s and %zu more", file->path, names,
                          unused - LISTED);
    else if (unused > 0)
        gruc_diag_warning(file->diag, GRUC_E_WEIGHTS_UNUSED, file->mark,
                          "%s: no layer uses the tensor%s %s", file->path,
                          unused == 1 ? "" : "s", names);
}

static enum gruc_status fill_parameters(struct gruc_model *model, struct gruc_weights_file *file,
                                        const struct gruc_weights_reader *reader)
{
    struct gruc_names by_name = {.arena = file->arena}, wanted = {.arena = file->arena};
    unsigned errors = file->diag->errors;
    for (size_t i = 0; i < file->n_entries; i++) {
        char name[GRUC_WEIGHTS_NAME_ROOM];
        struct gruc_weights_entry *entry = &file->entries[i];
        if (gruc_names_get(&by_name, entry->name) != NULL)
            return gruc_weights_damaged(file, "two tensors are named '%s'",
                                        gruc_weights_name(entry->name, name));
        if (!gruc_names_put(&by_name, entry->name, entry))
            return GRUC_ERROR_MEMORY;
    }
    for (size_t i = 0; i < model->n_parameters; i++) {
        struct gruc_parameter *parameter = model->parameters[i];
        const struct gruc_weights_entry *entry = gruc_names_get(&by_name, parameter->name);
        if (!gruc_names_put(&wanted, parameter->name, parameter))
            return GRUC_ERROR_MEMORY;
        if (entry == NULL) {
            report_missing(file, parameter);
            if (file->diag->errors > GRUC_DIAG_MAX_ERRORS)
                return GRUC_ERROR_INPUT;
            continue;
        }
        enum gruc_status status = reader->load(file, entry, parameter, model->arena);
        if (status != GRUC_OK && status != GRUC_ERROR_INPUT)
            return status;
    }
    report_unused(file, &wanted);
    return file->diag->errors > errors ? GRUC_ERROR_INPUT : GRUC_OK;
}

/* ---- files ---- */

/* By content: an archive begins with one of its records, anything else must be safetensors. */
static enum gruc_status read_file(struct gruc_model *model, struct gruc_weights_file *file)
{
    unsigned char magic[4];
    if (file->bytes < sizeof magic || !gruc_weights_read(file, 0, magic, sizeof magic))
        return gruc_weights_damaged(file, "the file is truncated");
    int archive = memcmp(magic, "PK\x03\x04", 4) == 0 || memcmp(magic, "PK\x05\x06", 4) == 0;
    const struct gruc_weights_reader *reader =
        archive ? &gruc_npz_reader : &gruc_safetensors_reader;
    enum gruc_status status = reader->begin(file);
    if (status == GRUC_OK)
        status = fill_parameters(model, file, reader);
    reader->end(file);
    return status;
}

enum gruc_status gruc_weights_load(struct gruc_model *model, const char *path,
                                   struct gruc_diag *diag)
{
    struct gruc_arena arena;
    struct gruc_weights_file file = {.descriptor = -1, .diag = diag, .arena = &arena};
    const char *base = NULL, *error = NULL;
    file.path = path;
    if (path == NULL) {
        file.path = model->weights.name;
        file.mark = model->weights.mark;
        base = model->path;
    }
    if (gruc_weights_open(base, file.path, &file.descriptor, &file.bytes, &error) != GRUC_OK)
        return gruc_diag_error(diag, GRUC_E_WEIGHTS_FILE, file.mark, "%s: %s", file.path, error);
    gruc_arena_init(&arena);
    enum gruc_status status = read_file(model, &file);
    gruc_arena_finish(&arena);
    if (status == GRUC_OK && file.is_kept) {
        model->has_weights_file = 1;
        model->weights_descriptor = file.descriptor;
    } else {
        close(file.descriptor);
    }
    return status;
}

void gruc_weights_close(struct gruc_model *model)
{
    if (model->has_weights_file)
        close(model->weights_descriptor);
    model->has_weights_file = 0;
}

/* SPDX-License-Identifier: MIT */
#include "runtime/feed.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/array.h"
#include "runtime/memory.h"
#include "runtime/module.h"
#include "runtime/words.h"

struct feed {
    const struct gruc_module_info *info;
    struct grt_session *session;
    const struct gruc_array *inputs;
    struct gruc_array *outputs;
    struct gruc_array *pieces; /* of inputs, then of outputs: what one call sees of a cut array */
    uint64_t steps;            /* of the cut inputs */
    uint64_t chunk;            /* 0: nothing is cut */
    int cut[GRUC_ABI_MAX_STEPS]; /* symbols whose sequences are cut */
    char *error;
};

static enum gruc_status fail(char *error, enum gruc_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum gruc_status fail(char *error, enum gruc_status status, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    grt_words_vformat(error, GRT_FEED_ERROR_BYTES, format, list);
    va_end(list);
    return status;
}

static enum gruc_status fail_session(const struct feed *feed, enum gruc_status status)
{
    return fail(feed->error, status, "%s", grt_session_error(feed->session));
}

/* The axis along which an array is cut or joined, -1: it is taken whole. */
static int cut_axis(const struct feed *feed, const struct gruc_tensor_info *tensor)
{
    int axis = feed->chunk == 0 ? -1 : grt_tensor_step_axis(tensor);
    return axis >= 0 && feed->cut[grt_dim_symbol(tensor->dims[axis])] ? axis : -1;
}

static enum gruc_status plan_cuts(struct feed *feed)
{
    const char *first = NULL;
    for (uint32_t i = 0; feed->chunk != 0 && i < feed->info->n_inputs; i++) {
        const struct gruc_tensor_info *tensor = grt_module_input(feed->info, i);
        int axis = grt_tensor_step_axis(tensor);
        if (axis < 0 || feed->inputs[i].rank != tensor->rank)
            continue;
        uint64_t steps = (uint64_t)feed->inputs[i].dims[axis];
        if (first != NULL && steps != feed->steps)
            return fail(feed->error, GRUC_ERROR_STEPS, "input '%s': %llu steps, but input '%s' "
                        "has %llu; chunks need equal numbers", tensor->name,
                        (unsigned long long)steps, first, (unsigned long long)feed->steps);
        first = tensor->name;
        feed->steps = steps;
        feed->cut[grt_dim_symbol(tensor->dims[axis])] = 1;
    }
    if (first == NULL || feed->chunk >= feed->steps)
        feed->chunk = 0; /* one call does it */
    return GRUC_OK;
}

/* Copies count steps between a whole array, from step first on, and a piece from its step 0 on. */
static void copy_steps(const struct gruc_array *whole, const struct gruc_array *piece, int axis,
                       uint64_t first, uint64_t count, int into_piece)
{
    size_t outer = 1, inner = grt_array_item_bytes(whole->type);
    for (int i = 0; i < axis; i++)
        outer *= (size_t)whole->dims[i];
    for (uint32_t i = (uint32_t)axis + 1; i < whole->rank; i++)
        inner *= (size_t)whole->dims[i];
    for (size_t i = 0; i < outer; i++) {
        unsigned char *a = whole->data, *b = piece->data;
        a += (i * (size_t)whole->dims[axis] + first) * inner;
        b += i * count * inner;
        if (into_piece)
            memcpy(b, a, count * inner);
        else
            memcpy(a, b, count * inner);
    }
}

/* Binds what a call over count steps from step first on reads. */
static enum gruc_status bind_inputs(struct feed *feed, uint64_t first, uint64_t count)
{
    for (uint32_t i = 0; i < feed->info->n_inputs; i++) {
        const struct gruc_tensor_info *tensor = grt_module_input(feed->info, i);
        const struct gruc_array *array = &feed->inputs[i];
        int axis = cut_axis(feed, tensor);
        int64_t dims[GRUC_ABI_MAX_RANK];
        memcpy(dims, array->dims, sizeof dims);
        const void *data = array->data;
        if (axis >= 0 && array->rank == tensor->rank) {
            dims[axis] = (int64_t)count;
            copy_steps(array, &feed->pieces[i], axis, first, count, 1);
            data = feed->pieces[i].data;
        }
        enum gruc_status status = grt_session_bind_input(
            feed->session, i, data, (enum gruc_dtype)tensor->dtype, array->rank, dims);
        if (status != GRUC_OK)
            return fail_session(feed, status);
    }
    return GRUC_OK;
}

/* Room for one call's part of every cut input, as long as the longest call. */
static enum gruc_status create_input_pieces(struct feed *feed)
{
    for (uint32_t i = 0; i < feed->info->n_inputs; i++) {
        const struct gruc_tensor_info *tensor = grt_module_input(feed->info, i);
        int axis = cut_axis(feed, tensor);
        if (axis < 0 || feed->inputs[i].rank != tensor->rank)
            continue;
        int64_t dims[GRUC_ABI_MAX_RANK];
        memcpy(dims, feed->inputs[i].dims, sizeof dims);
        dims[axis] = (int64_t)feed->chunk;
        enum gruc_status status = gruc_array_create(feed->inputs[i].type, feed->inputs[i].rank,
                                                    dims, &feed->pieces[i]);
        if (status != GRUC_OK)
            return fail(feed->error, status, "%s", gruc_status_text(status));
    }
    return GRUC_OK;
}

/* After the first call's inputs are bound: storage for all outputs and one call's part of them. */
static enum gruc_status create_outputs(struct feed *feed)
{
    for (uint32_t i = 0; i < feed->info->n_outputs; i++) {
        const struct gruc_tensor_info *tensor = grt_module_output(feed->info, i);
        enum gruc_npy_type type = grt_array_type(tensor->dtype);
        int64_t dims[GRUC_ABI_MAX_RANK];
        enum gruc_status status = grt_session_output_dims(feed->session, i, dims);
        if (status != GRUC_OK)
            return fail_session(feed, status);
        int axis = cut_axis(feed, tensor);
        if (axis >= 0) {
            status = gruc_array_create(type, tensor->rank, dims,
                                       &feed->pieces[feed->info->n_inputs + i]);
            dims[axis] = (int64_t)feed->steps;
        }
        if (status == GRUC_OK)
            status = gruc_array_create(type, tensor->rank, dims, &feed->outputs[i]);
        if (status != GRUC_OK)
            return fail(feed->error, status, "%s", gruc_status_text(status));
    }
    return GRUC_OK;
}

static enum gruc_status bind_outputs(struct feed *feed)
{
    for (uint32_t i = 0; i < feed->info->n_outputs; i++) {
        int axis = cut_axis(feed, grt_module_output(feed->info, i));
        struct gruc_array *target =
            axis >= 0 ? &feed->pieces[feed->info->n_inputs + i] : &feed->outputs[i];
        enum gruc_status status =
            grt_session_bind_output(feed->session, i, target->data, target->bytes);
        if (status != GRUC_OK)
            return fail_session(feed, status);
    }
    return GRUC_OK;
}

static enum gruc_status run_calls(struct feed *feed)
{
    uint64_t first = 0;
    do {
        uint64_t left = feed->steps - first;
        uint64_t count = feed->chunk == 0 || left < feed->chunk ? left : feed->chunk;
        enum gruc_status status = bind_inputs(feed, first, count);
        if (status == GRUC_OK && first == 0)
            status = create_outputs(feed);
        if (status == GRUC_OK)
            status = bind_outputs(feed);
        if (status != GRUC_OK)
            return status;
        status = grt_session_run(feed->session);
        if (status != GRUC_OK)
            return fail_session(feed, status);
        for (uint32_t i = 0; i < feed->info->n_outputs; i++) {
            int axis = cut_axis(feed, grt_module_output(feed->info, i));
            if (axis >= 0)
                copy_steps(&feed->outputs[i], &feed->pieces[feed->info->n_inputs + i], axis,
                           first, count, 0);
        }
        first += count;
    } while (first < feed->steps);
    return GRUC_OK;
}

enum gruc_status grt_feed(const struct grt_module *module, const struct gruc_array *inputs,
                          const struct grt_feed_options *options, struct gruc_array *outputs,
                          char *error)
{
    const struct gruc_module_info *info = grt_module_info(module);
    struct grt_session_options session_options = {sizeof session_options, options->threads,
                                                  options->chunk != 0, options->eager};
    struct feed feed = {.info = info, .inputs = inputs, .outputs = outputs,
                        .chunk = options->chunk, .error = error};
    size_t n_pieces = (size_t)info->n_inputs + info->n_outputs;
    memset(outputs, 0, info->n_outputs * sizeof *outputs);
    error[0] = '\0';
    enum gruc_status status = plan_cuts(&feed);
    if (status != GRUC_OK)
        return status;
    feed.pieces = calloc(n_pieces, sizeof *feed.pieces);
    status = feed.pieces == NULL
                 ? GRUC_ERROR_MEMORY
                 : grt_session_create(module, &session_options, &feed.session);
    if (status != GRUC_OK)
        fail(error, status, "%s", gruc_status_text(status));
    if (status == GRUC_OK)
        status = create_input_pieces(&feed);
    if (status == GRUC_OK)
        status = run_calls(&feed);
    for (size_t i = 0; feed.pieces != NULL && i < n_pieces; i++)
        gruc_array_finish(&feed.pieces[i]);
    for (uint32_t i = 0; status != GRUC_OK && i < info->n_outputs; i++)
        gruc_array_finish(&outputs[i]);
    free(feed.pieces);
    grt_session_destroy(feed.session);
    return status;
}

static enum gruc_status find_tensor(const struct gruc_tensor_info *tensors, uint32_t count,
                                    const char *kind, const char *name, size_t length,
                                    uint32_t *index, char *error)
{
    for (*index = 0; *index < count; (*index)++)
        if (strlen(tensors[*index].name) == length &&
            memcmp(tensors[*index].name, name, length) == 0)
            return GRUC_OK;
    return fail(error, GRUC_ERROR_ARGUMENT, "the model has no %s '%.*s'; its first is '%s'", kind,
                length < 100 ? (int)length : 100, name, tensors[0].name);
}

enum gruc_status grt_feed_argument(const struct gruc_tensor_info *tensors, uint32_t count,
                                   const char *kind, const char *argument, unsigned char *taken,
                                   uint32_t *index, const char **path, char *error)
{
    size_t length = strcspn(argument, "=/");
    *path = argument;
    if (argument[length] == '=') {
        enum gruc_status status =
            find_tensor(tensors, count, kind, argument, length, index, error);
        if (status != GRUC_OK)
            return status;
        *path = argument + length + 1;
    } else {
        for (*index = 0; *index < count && taken[*index]; (*index)++)
            continue;
        if (*index == count)
            return fail(error, GRUC_ERROR_ARGUMENT, "the model has just %u %s%s", (unsigned)count,
                        kind, count == 1 ? "" : "s");
    }
    if (taken[*index])
        return fail(error, GRUC_ERROR_ARGUMENT, "%s '%s' is given twice", kind,
                    tensors[*index].name);
    taken[*index] = 1;
    return GRUC_OK;
}

enum gruc_status grt_feed_read(const struct gruc_tensor_info *tensor, const char *path,
                               struct gruc_array *out, char *error)
{
    struct gruc_array array;
    const char *words = NULL;
    *out = (struct gruc_array){0};
    enum gruc_status status = gruc_npy_read(path, 0, &array, &words);
    if (status != GRUC_OK)
        return fail(error, status, "%s: %s", path, words);
    if (grt_array_type(tensor->dtype) == array.type) {
        *out = array;
        return GRUC_OK;
    }
    status = gruc_array_convert(&array, (enum gruc_dtype)tensor->dtype, out);
    gruc_array_finish(&array);
    if (status != GRUC_OK)
        return fail(error, status, "%s: %s", path,
                    status == GRUC_ERROR_SHAPE ? "a number does not fit the type of the input"
                                               : gruc_status_text(status));
    return GRUC_OK;
}

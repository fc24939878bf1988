/* SPDX-License-Identifier: MIT */
#include "runtime/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/file.h"
#include "runtime/module.h"
#include "runtime/words.h"

enum { PIECE_BYTES = 1 << 16 };

struct stream {
    const struct grt_module *module;
    const struct gruc_tensor_info *input, *output;
    int axis;        /* of unknown steps in the input, -1: none */
    size_t item;     /* bytes of one step, or of one row when there are no steps */
    struct grt_session *session;
    struct gruc_array piece; /* what one call answers */
    char *error;
};

static enum gruc_status fail(const struct stream *stream, enum gruc_status status,
                             const char *words)
{
    grt_words_format(stream->error, GRT_FEED_ERROR_BYTES, "%s", words);
    return status;
}

static enum gruc_status open_stream(struct stream *stream)
{
    const struct gruc_module_info *info = grt_module_info(stream->module);
    stream->input = grt_module_input(info, 0);
    stream->output = grt_module_output(info, 0);
    if (info->n_inputs != 1 || info->n_outputs != 1 || stream->input->dtype != GRUC_FLOAT32 ||
        stream->output->dtype != GRUC_FLOAT32)
        return fail(stream, GRUC_ERROR_ARGUMENT,
                    "raw data need a model with one float32 input and output: use --input and "
                    "--output");
    stream->axis = grt_tensor_step_axis(stream->input);
    stream->item = sizeof(float);
    for (uint32_t i = 0; i < stream->input->rank; i++) {
        int64_t dim = stream->input->dims[i];
        if (dim > 0) /* a module's sizes are bounded, so this cannot overflow */
            stream->item *= (size_t)dim;
        else if (dim != GRUC_DIM_BATCH && (int)i != stream->axis)
            return fail(stream, GRUC_ERROR_ARGUMENT,
                        "raw data cannot tell several unknown lengths: use --input");
    }
    if (stream->axis >= 0 && info->batch > 1)
        return fail(stream, GRUC_ERROR_ARGUMENT,
                    "raw data are one row, but the model has a larger static batch: use --input");
    return GRUC_OK;
}

/* The dims of an input of count steps (or rows). */
static void fill_dims(const struct stream *stream, uint64_t count, int64_t *dims)
{
    for (uint32_t i = 0; i < stream->input->rank; i++)
        dims[i] = (int)i == stream->axis                     ? (int64_t)count
                  : stream->input->dims[i] != GRUC_DIM_BATCH ? stream->input->dims[i]
                  : stream->axis >= 0                        ? 1
                                                             : (int64_t)count;
}

static enum gruc_status write_out(const struct stream *stream, const void *data, size_t bytes)
{
    struct grt_file file;
    const char *words = NULL;
    enum gruc_status status = grt_file_begin("-", &file, &words);
    if (status == GRUC_OK)
        status = grt_file_write(&file, data, bytes, &words);
    return status == GRUC_OK ? GRUC_OK : fail(stream, status, words);
}

/* Reads all, then runs. */
static enum gruc_status run_whole(const struct stream *stream,
                                  const struct grt_feed_options *options)
{
    unsigned char *bytes;
    size_t length;
    const char *words;
    struct gruc_array input, output;
    enum gruc_status status = grt_file_read("-", SIZE_MAX / 4, &bytes, &length, &words);
    if (status != GRUC_OK)
        return fail(stream, status, words);
    int64_t dims[GRUC_ABI_MAX_RANK];
    fill_dims(stream, length / stream->item, dims);
    if (length % stream->item != 0)
        status = fail(stream, GRUC_ERROR_INPUT, "standard input ends inside a step");
    else if ((status = gruc_array_create(GRUC_NPY_FLOAT32, stream->input->rank, dims, &input)) !=
             GRUC_OK)
        fail(stream, status, gruc_status_text(status));
    else {
        memcpy(input.data, bytes, length);
        status = grt_feed(stream->module, &input, options, &output, stream->error);
        if (status == GRUC_OK)
            status = write_out(stream, output.data, output.bytes);
        gruc_array_finish(&output);
        gruc_array_finish(&input);
    }
    free(bytes);
    return status;
}

/* One call over count steps. The answer stays in the piece, which grows with the first calls. */
static enum gruc_status run_steps(struct stream *stream, const void *data, uint64_t count)
{
    int64_t dims[GRUC_ABI_MAX_RANK];
    size_t wanted = sizeof(float);
    fill_dims(stream, count, dims);
    enum gruc_status status = grt_session_bind_input(stream->session, 0, data, GRUC_FLOAT32,
                                                     stream->input->rank, dims);
    if (status == GRUC_OK)
        status = grt_session_output_dims(stream->session, 0, dims);
    for (uint32_t i = 0; status == GRUC_OK && i < stream->output->rank; i++)
        wanted *= (size_t)dims[i];
    if (status == GRUC_OK && (wanted > stream->piece.bytes || stream->piece.data == NULL)) {
        gruc_array_finish(&stream->piece);
        status = gruc_array_create(GRUC_NPY_FLOAT32, stream->output->rank, dims, &stream->piece);
        if (status != GRUC_OK)
            return fail(stream, status, gruc_status_text(status));
    }
    if (status == GRUC_OK)
        status = grt_session_bind_output(stream->session, 0, stream->piece.data, wanted);
    if (status == GRUC_OK)
        status = grt_session_run(stream->session);
    if (status != GRUC_OK)
        return fail(stream, status, grt_session_error(stream->session));
    /* A last output is written once, at the end. */
    return grt_tensor_step_axis(stream->output) < 0
               ? GRUC_OK
               : write_out(stream, stream->piece.data, wanted);
}

/* Runs on the whole steps among the bytes that have arrived until no more come. */
static enum gruc_status pump(struct stream *stream, unsigned char *bytes, size_t room)
{
    size_t filled = 0;
    uint64_t steps = 0;
    for (;;) {
        ssize_t got = read(STDIN_FILENO, bytes + filled, room - filled);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(stream, GRUC_ERROR_IO, "standard input cannot be read");
        if (got == 0)
            break;
        filled += (size_t)got;
        size_t count = filled / stream->item;
        if (count == 0)
            continue;
        enum gruc_status status = run_steps(stream, bytes, count);
        if (status != GRUC_OK)
            return status;
        steps += count;
        filled -= count * stream->item;
        memmove(bytes, bytes + count * stream->item, filled);
    }
    if (filled > 0)
        return fail(stream, GRUC_ERROR_INPUT, "standard input ends inside a step");
    if (steps == 0)
        return fail(stream, GRUC_ERROR_STEPS, "standard input has no steps");
    return grt_tensor_step_axis(stream->output) >= 0
               ? GRUC_OK
               : write_out(stream, stream->piece.data, stream->piece.bytes);
}

static enum gruc_status run_streaming(struct stream *stream,
                                      const struct grt_feed_options *options)
{
    struct grt_session_options session_options = {sizeof session_options, options->threads, 1,
                                                  options->eager};
    uint64_t steps = options->chunk != 0 ? options->chunk : PIECE_BYTES / stream->item;
    size_t room = 0;
    if (__builtin_mul_overflow(steps == 0 ? 1 : steps, stream->item, &room))
        return fail(stream, GRUC_ERROR_ARGUMENT, "the chunk is too large");
    unsigned char *bytes = malloc(room);
    enum gruc_status status =
        bytes == NULL ? GRUC_ERROR_MEMORY
                      : grt_session_create(stream->module, &session_options, &stream->session);
    status = status == GRUC_OK ? pump(stream, bytes, room)
                               : fail(stream, status, gruc_status_text(status));
    grt_session_destroy(stream->session);
    gruc_array_finish(&stream->piece);
    free(bytes);
    return status;
}

enum gruc_status grt_stream_run(const struct grt_module *module,
                                const struct grt_feed_options *options, char *error)
{
    struct stream stream = {.module = module, .error = error};
    const struct gruc_module_info *info = grt_module_info(module);
    enum gruc_status status = open_stream(&stream);
    if (status != GRUC_OK)
        return status;
    int streaming = stream.axis >= 0 && (info->flags & GRUC_MODULE_STREAMING) &&
                    info->steps[grt_dim_symbol(stream.input->dims[stream.axis])] == 0;
    return streaming ? run_streaming(&stream, options) : run_whole(&stream, options);
}

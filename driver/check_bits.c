/* SPDX-License-Identifier: MIT */
#include "driver/check_bits.h"

#include <stdlib.h>
#include <string.h>

#include "driver/random_inputs.h"
#include "runtime/feed.h"

enum { ROWS = 33, STEPS = 20 };

struct bits {
    const struct grt_module *module;
    const struct gruc_module_info *info;
    uint64_t rows;
    struct gruc_array *inputs, *whole, *parts;
};

const char *gruc_check_bits_name(enum gruc_check_bits check)
{
    static const char *const names[] = {
        [GRUC_CHECK_ROWS_ALONE] = "rows alone",
        [GRUC_CHECK_CHUNKS_1] = "chunks of 1",
        [GRUC_CHECK_CHUNKS_7] = "chunks of 7",
        [GRUC_CHECK_THREADS] = "2 threads",
    };
    return names[check];
}

static int applies(const struct gruc_module_info *info, enum gruc_check_bits check)
{
    switch (check) {
    case GRUC_CHECK_ROWS_ALONE:
        return info->batch == 0 && !(info->flags & GRUC_MODULE_COUPLED);
    case GRUC_CHECK_CHUNKS_1:
    case GRUC_CHECK_CHUNKS_7:
        return (info->flags & GRUC_MODULE_STREAMING) && info->n_steps == 1;
    default:
        return info->unit_threads > 1 ||
               (!(info->flags & GRUC_MODULE_COUPLED) && info->batch != 1);
    }
}

/* Row row of an array whose batch axis is where tensor says; the copy is to be finished. */
static enum gruc_status take_row(const struct gruc_array *array,
                                 const struct gruc_tensor_info *tensor, uint64_t row,
                                 struct gruc_array *out)
{
    uint32_t axis = 0;
    int64_t dims[GRUC_ABI_MAX_RANK];
    size_t outer = 1;
    while (tensor->dims[axis] != GRUC_DIM_BATCH)
        outer *= (size_t)array->dims[axis++];
    memcpy(dims, array->dims, sizeof dims);
    dims[axis] = 1;
    GRUC_TRY(gruc_array_create(array->type, array->rank, dims, out));
    size_t bytes = out->bytes / outer;
    for (size_t i = 0; i < outer; i++)
        memcpy((char *)out->data + i * bytes,
               (const char *)array->data + (i * (size_t)array->dims[axis] + row) * bytes, bytes);
    return GRUC_OK;
}

static enum gruc_status feed(const struct bits *bits, const struct gruc_array *inputs,
                             uint64_t chunk, unsigned threads, struct gruc_array *outputs)
{
    char error[GRT_FEED_ERROR_BYTES];
    struct grt_feed_options options = {.chunk = chunk, .threads = threads,
                                       .eager = 1};
    return grt_feed(bits->module, inputs, &options, outputs, error);
}

static int same(const struct gruc_array *a, const struct gruc_array *b)
{
    return a->bytes == b->bytes && memcmp(a->data, b->data, a->bytes) == 0;
}

static enum gruc_status compare_row(const struct bits *bits, uint64_t row,
                                    struct gruc_array *inputs, enum gruc_check_result *out)
{
    const struct gruc_tensor_info *tensors = gruc_module_tensors(bits->info);
    for (uint32_t i = 0; i < bits->info->n_inputs; i++)
        GRUC_TRY(take_row(&bits->inputs[i], &tensors[i], row, &inputs[i]));
    GRUC_TRY(feed(bits, inputs, 0, 1, bits->parts));
    for (uint32_t i = 0; i < bits->info->n_outputs; i++) {
        struct gruc_array wanted;
        GRUC_TRY(take_row(&bits->whole[i], &tensors[bits->info->n_inputs + i], row, &wanted));
        if (!same(&wanted, &bits->parts[i]))
            *out = GRUC_CHECK_DIFFER;
        gruc_array_finish(&wanted);
    }
    return GRUC_OK;
}

static enum gruc_status compare_rows(const struct bits *bits, enum gruc_check_result *out)
{
    struct gruc_array *inputs = calloc((size_t)bits->info->n_inputs + 1, sizeof *inputs);
    enum gruc_status status = inputs == NULL ? GRUC_ERROR_MEMORY : GRUC_OK;
    for (uint64_t row = 0; row < bits->rows && status == GRUC_OK; row++) {
        status = compare_row(bits, row, inputs, out);
        gruc_arrays_finish(inputs, bits->info->n_inputs);
        gruc_arrays_finish(bits->parts, bits->info->n_outputs);
    }
    free(inputs);
    return status;
}

static enum gruc_status compare_parts(const struct bits *bits, enum gruc_check_bits check,
                                      enum gruc_check_result *out)
{
    uint64_t chunk = check == GRUC_CHECK_CHUNKS_1 ? 1 : check == GRUC_CHECK_CHUNKS_7 ? 7 : 0;
    GRUC_TRY(feed(bits, bits->inputs, chunk, check == GRUC_CHECK_THREADS ? 2 : 1, bits->parts));
    for (uint32_t i = 0; i < bits->info->n_outputs; i++) {
        if (!same(&bits->whole[i], &bits->parts[i]))
            *out = GRUC_CHECK_DIFFER;
    }
    return GRUC_OK;
}

static enum gruc_status compare(struct bits *bits, const struct gruc_model *model,
                                enum gruc_check_bits check, uint64_t seed,
                                enum gruc_check_result *out)
{
    struct gruc_random_inputs inputs = {.batch = bits->rows, .steps = STEPS, .seed = seed};
    if (bits->info->n_steps > 0 && bits->info->steps[0] != 0)
        inputs.steps = bits->info->steps[0];
    if (bits->inputs == NULL || bits->whole == NULL || bits->parts == NULL)
        return GRUC_ERROR_MEMORY;
    GRUC_TRY(gruc_random_inputs_make(model, bits->info, &inputs, bits->inputs));
    GRUC_TRY(feed(bits, bits->inputs, 0, 1, bits->whole));
    return check == GRUC_CHECK_ROWS_ALONE ? compare_rows(bits, out)
                                          : compare_parts(bits, check, out);
}

enum gruc_status gruc_check_bits(const struct gruc_model *model, const struct grt_module *module,
                                 enum gruc_check_bits check, uint64_t seed,
                                 enum gruc_check_result *out)
{
    const struct gruc_module_info *info = grt_module_info(module);
    *out = GRUC_CHECK_SKIP;
    if (!applies(info, check))
        return GRUC_OK;
    *out = GRUC_CHECK_SAME;
    struct bits bits = {
        .module = module,
        .info = info,
        .rows = info->batch != 0 ? info->batch : ROWS,
        .inputs = calloc((size_t)info->n_inputs + 1, sizeof *bits.inputs),
        .whole = calloc((size_t)info->n_outputs + 1, sizeof *bits.whole),
        .parts = calloc((size_t)info->n_outputs + 1, sizeof *bits.parts),
    };
    enum gruc_status status = compare(&bits, model, check, seed, out);
    gruc_arrays_finish(bits.inputs, info->n_inputs);
    gruc_arrays_finish(bits.whole, info->n_outputs);
    gruc_arrays_finish(bits.parts, info->n_outputs);
    free(bits.inputs);
    free(bits.whole);
    free(bits.parts);
    return status;
}

/* SPDX-License-Identifier: MIT */
#include "driver/random_inputs.h"

#include <string.h>

#include "frontend/layers.h"

/* splitmix64 */
uint64_t gruc_random_next(struct gruc_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t below(struct gruc_random *random, uint64_t limit)
{
    return gruc_random_next(random) % limit;
}

/* Ids of an input lie below the fewest rows of the tables that it looks up. */
static uint32_t id_limit(const struct gruc_model *model, const char *input)
{
    uint32_t limit = INT32_MAX;
    for (size_t i = 0; i < model->n_layers; i++) {
        const struct gruc_layer *layer = model->layers[i];
        uint32_t count = INT32_MAX;
        if (layer->input == NULL || strcmp(layer->input->name, input) != 0)
            continue;
        if (layer->kind == GRUC_LAYER_EMBEDDING)
            count = layer->parameters[0]->rows;
        else if (layer->kind == GRUC_LAYER_CATEGORY_ENCODING)
            count = (uint32_t)gruc_layer_integer(layer,
                                                 GRUC_ARGUMENT_CATEGORY_ENCODING_num_tokens);
        limit = count < limit ? count : limit;
    }
    return limit == INT32_MAX ? 100 : limit;
}

static void fill_floats(struct gruc_random *random, struct gruc_array *array)
{
    float *values = array->data;
    for (size_t i = 0; i < array->count; i++)
        values[i] = (float)((double)(gruc_random_next(random) >> 40) / (1 << 23) - 1.0);
}

static void fill_ids(struct gruc_random *random, uint32_t limit, struct gruc_array *array)
{
    int32_t *values = array->data;
    for (size_t i = 0; i < array->count; i++)
        values[i] = (int32_t)below(random, limit);
}

/* Which axis of the tensor is the batch, which the steps; -1: none. */
static int find_axis(const struct gruc_tensor_info *tensor, int steps)
{
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (steps ? tensor->dims[i] <= GRUC_DIM_STEPS(0) : tensor->dims[i] == GRUC_DIM_BATCH)
            return (int)i;
    }
    return -1;
}

/* Right-padded: each row has a length of its own, at least one step. */
static void fill_lengths(struct gruc_random *random, const struct gruc_tensor_info *tensor,
                         struct gruc_array *array)
{
    uint8_t *values = array->data;
    int batch_axis = find_axis(tensor, 0), step_axis = find_axis(tensor, 1);
    if (step_axis < 0) /* a known number of steps: the axis beside the batch */
        step_axis = tensor->rank > 1 ? 1 - (batch_axis == 1) : 0;
    size_t steps = (size_t)array->dims[step_axis], rows = array->count / (steps > 0 ? steps : 1);
    for (size_t row = 0; row < rows && steps > 0; row++) {
        size_t length = 1 + (size_t)below(random, steps);
        for (size_t t = 0; t < steps; t++)
            values[step_axis > batch_axis ? row * steps + t : t * rows + row] = t < length;
    }
}

static void fill_mask(struct gruc_random *random, enum gruc_masks masks,
                      const struct gruc_tensor_info *tensor, struct gruc_array *array)
{
    uint8_t *values = array->data;
    if (masks == GRUC_MASKS_LENGTHS) {
        fill_lengths(random, tensor, array);
        return;
    }
    for (size_t i = 0; i < array->count; i++)
        values[i] = masks == GRUC_MASKS_FULL || below(random, 4) != 0;
}

static const enum gruc_npy_type types[] = {
    [GRUC_FLOAT32] = GRUC_NPY_FLOAT32,
    [GRUC_INT32] = GRUC_NPY_INT32,
    [GRUC_BOOL] = GRUC_NPY_BOOL,
};

static enum gruc_status make_one(const struct gruc_model *model,
                                 const struct gruc_tensor_info *tensor,
                                 const struct gruc_random_inputs *options,
                                 struct gruc_random *random, struct gruc_array *out)
{
    int64_t dims[GRUC_ABI_MAX_RANK];
    for (uint32_t i = 0; i < tensor->rank; i++)
        dims[i] = tensor->dims[i] == GRUC_DIM_BATCH ? (int64_t)options->batch
                  : tensor->dims[i] < 0             ? (int64_t)options->steps
                                                    : tensor->dims[i];
    enum gruc_status status = gruc_array_create(types[tensor->dtype], tensor->rank, dims, out);
    if (status != GRUC_OK)
        return status;
    if (tensor->dtype == GRUC_FLOAT32)
        fill_floats(random, out);
    else if (tensor->dtype == GRUC_INT32)
        fill_ids(random, id_limit(model, tensor->name), out);
    else
        fill_mask(random, options->masks, tensor, out);
    return GRUC_OK;
}

enum gruc_status gruc_random_inputs_make(const struct gruc_model *model,
                                         const struct gruc_module_info *info,
                                         const struct gruc_random_inputs *options,
                                         struct gruc_array *arrays)
{
    struct gruc_random random = {options->seed};
    memset(arrays, 0, info->n_inputs * sizeof *arrays);
    for (uint32_t i = 0; i < info->n_inputs; i++) {
        enum gruc_status status =
            make_one(model, gruc_module_tensors(info) + i, options, &random, &arrays[i]);
        if (status != GRUC_OK)
            return status;
    }
    return GRUC_OK;
}

enum gruc_status gruc_arrays_bind(struct grt_session *session, const struct gruc_module_info *info,
                                  struct gruc_array *arrays)
{
    const struct gruc_tensor_info *tensors = gruc_module_tensors(info);
    for (uint32_t i = 0; i < info->n_inputs; i++)
        GRUC_TRY(grt_session_bind_input(session, i, arrays[i].data,
                                        (enum gruc_dtype)tensors[i].dtype, arrays[i].rank,
                                        arrays[i].dims));
    for (uint32_t i = 0; i < info->n_outputs; i++) {
        const struct gruc_tensor_info *tensor = &tensors[info->n_inputs + i];
        struct gruc_array *array = &arrays[info->n_inputs + i];
        int64_t dims[GRUC_ABI_MAX_RANK];
        GRUC_TRY(grt_session_output_dims(session, i, dims));
        if (array->data == NULL)
            GRUC_TRY(gruc_array_create(types[tensor->dtype], tensor->rank, dims, array));
        GRUC_TRY(grt_session_bind_output(session, i, array->data, array->bytes));
    }
    return GRUC_OK;
}

void gruc_arrays_finish(struct gruc_array *arrays, size_t count)
{
    for (size_t i = 0; arrays != NULL && i < count; i++)
        gruc_array_finish(&arrays[i]);
}

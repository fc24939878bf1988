/* SPDX-License-Identifier: MIT */
#include "runtime/session.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/memory.h"

static const char *const dtype_names[] = {"float32", "int32", "bool"};

/* Memory that holds the array must be reachable and its numbers aligned. */
static int data_fits(const void *data, uint32_t dtype, int empty)
{
    return empty || (data != NULL && (uintptr_t)data % grt_dtype_bytes(dtype) == 0);
}

static enum gruc_status check_dims(struct grt_session *session,
                                   const struct gruc_tensor_info *tensor, const int64_t *dims,
                                   uint64_t *elements)
{
    *elements = 1;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        int64_t wanted = tensor->dims[i];
        if (dims[i] < 0)
            return grt_session_fail(session, GRUC_ERROR_SHAPE, "input '%s': axis %" PRIu32
                                    " is negative", tensor->name, i);
        if (wanted > 0 && dims[i] != wanted)
            return grt_session_fail(session, GRUC_ERROR_SHAPE, "input '%s': axis %" PRIu32
                                    " is %" PRId64 ", expected %" PRId64,
                                    tensor->name, i, dims[i], wanted);
        if (wanted == GRUC_DIM_BATCH && session->info->batch != 0 &&
            (uint64_t)dims[i] != session->info->batch)
            return grt_session_fail(session, GRUC_ERROR_BATCH, "input '%s': batch %" PRId64
                                    ", but the model has a static batch of %" PRIu64,
                                    tensor->name, dims[i], session->info->batch);
        if (!grt_memory_multiply(*elements, (uint64_t)dims[i], elements) ||
            *elements > SIZE_MAX / 8)
            return grt_session_fail(session, GRUC_ERROR_SHAPE, "input '%s' is too large",
                                    tensor->name);
    }
    return GRUC_OK;
}

enum gruc_status grt_session_bind_input(struct grt_session *session, uint32_t index,
                                        const void *data, enum gruc_dtype dtype, uint32_t rank,
                                        const int64_t *dims)
{
    if (index >= session->info->n_inputs)
        return grt_session_fail(session, GRUC_ERROR_ARGUMENT, "the model has no input %" PRIu32,
                                index);
    const struct gruc_tensor_info *tensor = grt_module_input(session->info, index);
    struct grt_binding *binding = &session->inputs[index];
    binding->bound = 0;
    if ((uint32_t)dtype != tensor->dtype)
        return grt_session_fail(session, GRUC_ERROR_SHAPE, "input '%s' is %s, expected %s",
                                tensor->name,
                                (unsigned)dtype > GRUC_BOOL ? "of no known type"
                                                            : dtype_names[dtype],
                                dtype_names[tensor->dtype]);
    if (rank != tensor->rank)
        return grt_session_fail(session, GRUC_ERROR_SHAPE, "input '%s' has %" PRIu32
                                " axes, expected %" PRIu32 ", the batch included",
                                tensor->name, rank, tensor->rank);
    if (dims == NULL)
        return grt_session_fail(session, GRUC_ERROR_ARGUMENT, "input '%s': no dims",
                                tensor->name);
    uint64_t elements;
    enum gruc_status status = check_dims(session, tensor, dims, &elements);
    if (status != GRUC_OK)
        return status;
    if (!data_fits(data, tensor->dtype, elements == 0))
        return grt_session_fail(session, GRUC_ERROR_ARGUMENT,
                                "input '%s': the array is missing or not aligned", tensor->name);
    memcpy(binding->dims, dims, rank * sizeof *dims);
    binding->data = data;
    binding->bound = 1;
    return GRUC_OK;
}

enum gruc_status grt_session_bind_output(struct grt_session *session, uint32_t index, void *data,
                                         size_t bytes)
{
    if (index >= session->info->n_outputs)
        return grt_session_fail(session, GRUC_ERROR_ARGUMENT, "the model has no output %" PRIu32,
                                index);
    const struct gruc_tensor_info *tensor = grt_module_output(session->info, index);
    struct grt_binding *binding = &session->outputs[index];
    binding->bound = 0;
    if (!data_fits(data, tensor->dtype, bytes == 0))
        return grt_session_fail(session, GRUC_ERROR_ARGUMENT,
                                "output '%s': the array is missing or not aligned", tensor->name);
    binding->data = data;
    binding->bytes = bytes;
    binding->bound = 1;
    return GRUC_OK;
}

/* One axis of input index against what earlier inputs said. owners: which input set a symbol. */
static enum gruc_status resolve_axis(struct grt_session *session, uint32_t index, uint32_t axis,
                                     int *batch_owner, int *owners)
{
    const struct gruc_module_info *info = session->info;
    const struct gruc_tensor_info *tensor = grt_module_input(info, index);
    uint64_t size = (uint64_t)session->inputs[index].dims[axis];
    if (tensor->dims[axis] == GRUC_DIM_BATCH) {
        if (*batch_owner >= 0 && size != session->batch)
            return grt_session_fail(session, GRUC_ERROR_BATCH, "input '%s': batch %" PRIu64
                                    ", but input '%s' has %" PRIu64, tensor->name, size,
                                    grt_module_input(info, (uint32_t)*batch_owner)->name,
                                    session->batch);
        *batch_owner = (int)index;
        session->batch = size;
        return GRUC_OK;
    }
    int symbol = grt_dim_symbol(tensor->dims[axis]);
    if (symbol < 0)
        return GRUC_OK;
    if (size == 0)
        return grt_session_fail(session, GRUC_ERROR_STEPS, "input '%s' has no steps",
                                tensor->name);
    if (info->steps[symbol] != 0 && size != info->steps[symbol])
        return grt_session_fail(session, GRUC_ERROR_STEPS, "input '%s': %" PRIu64
                                " steps, but the model was compiled for %" PRIu64,
                                tensor->name, size, info->steps[symbol]);
    if (owners[symbol] >= 0 && size != session->steps[symbol])
        return grt_session_fail(session, GRUC_ERROR_STEPS, "input '%s': %" PRIu64
                                " steps, but input '%s' has %" PRIu64, tensor->name, size,
                                grt_module_input(info, (uint32_t)owners[symbol])->name,
                                session->steps[symbol]);
    owners[symbol] = (int)index;
    session->steps[symbol] = size;
    return GRUC_OK;
}

enum gruc_status grt_session_resolve(struct grt_session *session)
{
    const struct gruc_module_info *info = session->info;
    int batch_owner = -1;
    int owners[GRUC_ABI_MAX_STEPS];
    session->batch = info->batch != 0 ? info->batch : 1;
    for (uint32_t s = 0; s < info->n_steps; s++) {
        owners[s] = -1;
        session->steps[s] = info->steps[s];
    }
    for (uint32_t i = 0; i < info->n_inputs; i++) {
        const struct gruc_tensor_info *tensor = grt_module_input(info, i);
        if (!session->inputs[i].bound)
            return grt_session_fail(session, GRUC_ERROR_ARGUMENT, "input '%s' is not bound",
                                    tensor->name);
        for (uint32_t axis = 0; axis < tensor->rank; axis++) {
            enum gruc_status status = resolve_axis(session, i, axis, &batch_owner, owners);
            if (status != GRUC_OK)
                return status;
        }
    }
    return GRUC_OK;
}

enum gruc_status grt_session_output_dims(struct grt_session *session, uint32_t index,
                                         int64_t *dims)
{
    const struct gruc_module_info *info = session->info;
    if (index >= info->n_outputs)
        return grt_session_fail(session, GRUC_ERROR_ARGUMENT, "the model has no output %" PRIu32,
                                index);
    enum gruc_status status = grt_session_resolve(session);
    if (status != GRUC_OK)
        return status;
    const struct gruc_tensor_info *tensor = grt_module_output(info, index);
    for (uint32_t i = 0; i < tensor->rank; i++) {
        int64_t dim = tensor->dims[i];
        int symbol = grt_dim_symbol(dim);
        dims[i] = dim == GRUC_DIM_BATCH ? (int64_t)session->batch
                  : symbol >= 0         ? (int64_t)session->steps[symbol]
                                        : dim;
    }
    return GRUC_OK;
}

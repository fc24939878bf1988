/* SPDX-License-Identifier: MIT */
#include "codegen/ref/ref.h"

/* Where the numbers of a value stand in the caller's array. */
struct layout {
    size_t batch, steps, width;
    size_t inner; /* of a time-major array: positions of steps within one entry of its first axis */
    int time_major;
};

static struct layout find_layout(const struct ref_call *call, const struct gruc_port *port)
{
    const struct gruc_type *type = &call->program->ir->values[port->value].type;
    struct layout layout = {.batch = (size_t)call->args->batch,
                            .steps = ref_steps(call, type),
                            .width = type->width,
                            .inner = 1,
                            .time_major = port->time_major};
    if (port->time_major) {
        int64_t outer = port->info.dims[0];
        uint64_t length = outer >= 0 ? (uint64_t)outer : call->steps[GRUC_DIM_STEPS(0) - outer];
        layout.inner = layout.steps / (size_t)length;
    }
    return layout;
}

/* Index of the first of width numbers. */
static size_t position(const struct layout *layout, size_t row, size_t step)
{
    if (!layout->time_major)
        return (row * layout->steps + step) * layout->width;
    size_t outer = step / layout->inner, inner = step % layout->inner;
    return ((outer * layout->batch + row) * layout->inner + inner) * layout->width;
}

static const void *pointer(const struct ref_call *call, size_t index)
{
    return (const void *)(uintptr_t)call->steps[call->program->info->n_steps + index];
}

static void read_numbers(enum gruc_dtype dtype, const void *array, size_t at, size_t count,
                         double *out)
{
    const float *floats = array;
    const int32_t *integers = array;
    const uint8_t *truths = array;
    for (size_t i = 0; i < count; i++) {
        if (dtype == GRUC_FLOAT32)
            out[i] = floats[at + i];
        else if (dtype == GRUC_INT32)
            out[i] = integers[at + i];
        else
            out[i] = truths[at + i] != 0;
    }
}

void ref_read_input(struct ref_call *call, uint32_t input)
{
    const struct gruc_port *port = &call->program->ir->inputs[input];
    enum gruc_dtype dtype = call->program->ir->values[port->value].type.dtype;
    struct layout layout = find_layout(call, port);
    double *out = call->data[port->value];
    for (size_t row = 0; row < call->rows; row++)
        for (size_t step = 0; step < layout.steps; step++, out += layout.width)
            read_numbers(dtype, pointer(call, input), position(&layout, call->first + row, step),
                         layout.width, out);
}

void ref_write_output(struct ref_call *call, uint32_t output)
{
    const struct gruc_port *port = &call->program->ir->outputs[output];
    struct layout layout = find_layout(call, port);
    const double *values = call->data[port->value];
    float *array =
        (float *)(uintptr_t)
            call->steps[call->program->info->n_steps + call->program->info->n_inputs + output];
    for (size_t row = 0; row < call->rows; row++)
        for (size_t step = 0; step < layout.steps; step++, values += layout.width) {
            float *out = array + position(&layout, call->first + row, step);
            for (size_t i = 0; i < layout.width; i++)
                out[i] = (float)values[i];
        }
}

/* SPDX-License-Identifier: MIT */
#include "driver/model_text.h"

#include <inttypes.h>
#include <string.h>

const char *gruc_dtype_text(enum gruc_dtype dtype)
{
    static const char *const texts[] = {
        [GRUC_FLOAT32] = "float32",
        [GRUC_INT32] = "int32",
        [GRUC_BOOL] = "bool",
    };
    return texts[dtype];
}

static int is_time_major(const struct gruc_edge *edge)
{
    while (edge->layout != NULL && edge->layout != edge)
        edge = edge->layout;
    return edge->time_major;
}

static void append_dim(const struct gruc_model *model, const struct gruc_dim *dim,
                       struct gruc_strbuf *out)
{
    uint64_t size = dim->symbol >= 0 ? model->symbols[dim->symbol].steps : dim->size;
    if (size != 0)
        gruc_strbuf_format(out, "%" PRIu64, size);
    else if (model->n_symbols > 1)
        gruc_strbuf_format(out, "T%d", (int)dim->symbol);
    else
        gruc_strbuf_text(out, "T");
}

void gruc_edge_shape_text(const struct gruc_model *model, const struct gruc_edge *edge,
                          struct gruc_strbuf *out)
{
    uint32_t first = is_time_major(edge) && edge->rank > 0 ? 1 : 0;
    gruc_strbuf_text(out, "(");
    if (first == 1) {
        append_dim(model, &edge->dims[0], out);
        gruc_strbuf_text(out, ", ");
    }
    if (model->batch != 0)
        gruc_strbuf_format(out, "%" PRIu64, model->batch);
    else
        gruc_strbuf_text(out, "B");
    for (uint32_t i = first; i < edge->rank; i++) {
        gruc_strbuf_text(out, ", ");
        append_dim(model, &edge->dims[i], out);
    }
    gruc_strbuf_text(out, edge->rank == 0 ? ",)" : ")");
}

void gruc_mask_text(const struct gruc_mask *mask, struct gruc_strbuf *out)
{
    gruc_strbuf_text(out, mask->edge->name);
    if (mask->source == GRUC_MASK_NOT)
        gruc_strbuf_format(out, " != %g", mask->value);
    else if (mask->source == GRUC_MASK_NONZERO)
        gruc_strbuf_text(out, " != 0");
}

static uint64_t parameter_size(const struct gruc_parameter *parameter)
{
    return parameter == NULL ? 0 : (uint64_t)parameter->rows * parameter->columns;
}

static uint64_t layer_weight_count(const struct gruc_layer *layer)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < 2; i++) {
        const struct gruc_recurrence *recurrence = &layer->recurrences[i];
        count += parameter_size(layer->parameters[i]) + parameter_size(recurrence->kernel) +
                 parameter_size(recurrence->recurrent_kernel) + parameter_size(recurrence->bias);
    }
    return count;
}

uint64_t gruc_model_weight_count(const struct gruc_model *model, const struct gruc_layer *layer)
{
    if (layer != NULL)
        return layer_weight_count(layer);
    uint64_t count = 0;
    for (size_t i = 0; i < model->n_parameters; i++)
        count += parameter_size(model->parameters[i]);
    return count;
}

const struct gruc_edge *gruc_layer_operand(const struct gruc_layer *layer, unsigned index,
                                           const char **role)
{
    const struct {
        const struct gruc_edge *edge;
        const char *role;
    } operands[] = {
        {layer->input, ""},
        {layer->recurrences[0].initial_state, "initial_state"},
        {layer->recurrences[1].initial_state, "initial_state"},
        {layer->mask != NULL && layer->mask->edge != layer->input ? layer->mask->edge : NULL,
         "mask"},
    };
    for (size_t i = 0; i < sizeof operands / sizeof operands[0]; i++) {
        if (operands[i].edge == NULL)
            continue;
        if (index-- == 0) {
            *role = operands[i].role;
            return operands[i].edge;
        }
    }
    return NULL;
}

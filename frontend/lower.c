/* SPDX-License-Identifier: MIT */
#include "frontend/lower.h"

#include <math.h>
#include <stdio.h>

#include "frontend/frontend.h"
#include "ir/act.h"

/* ---- types ---- */
/* Folds the first count axes into steps. */
static struct gruc_type fold(const struct gruc_edge *edge, uint32_t count)
{
    struct gruc_type type = {.dtype = edge->dtype, .axes = GRUC_AXIS_ROWS, .rows = 1, .width = 1};
    type.steps = (struct gruc_steps){.symbol = -1, .factor = 1};
    for (uint32_t i = 0; i < count; i++) {
        type.axes |= GRUC_AXIS_STEPS;
        if (edge->dims[i].symbol >= 0)
            type.steps.symbol = edge->dims[i].symbol;
        else
            type.steps.factor *= (uint32_t)edge->dims[i].size;
    }
    return type;
}

struct gruc_type gruc_lower_folded_type(const struct gruc_edge *edge)
{
    return fold(edge, edge->rank);
}

struct gruc_type gruc_lower_plain_type(const struct gruc_edge *edge)
{
    if (edge->rank == 0 || edge->dims[edge->rank - 1].symbol >= 0)
        return fold(edge, edge->rank);
    struct gruc_type type = fold(edge, edge->rank - 1);
    type.width = (uint32_t)edge->dims[edge->rank - 1].size;
    return type;
}

static int same_type(const struct gruc_type *a, const struct gruc_type *b)
{
    return a->axes == b->axes && a->width == b->width && a->steps.symbol == b->steps.symbol &&
           a->steps.factor == b->steps.factor;
}

/* ---- values ---- */
/* The value in one form, made of the other where it is missing. */
static gruc_ref in_form(struct gruc_lowering *lowering, gruc_ref *wanted, gruc_ref other,
                        struct gruc_type type)
{
    if (*wanted == GRUC_NONE)
        *wanted = same_type(&lowering->ir->values[other].type, &type)
                      ? other
                      : gruc_build_reshape(&lowering->builder, other, type);
    return *wanted;
}

gruc_ref gruc_lower_plain(struct gruc_lowering *lowering, const struct gruc_edge *edge)
{
    return in_form(lowering, &lowering->plain[edge->index], lowering->folded[edge->index],
                   gruc_lower_plain_type(edge));
}

gruc_ref gruc_lower_folded(struct gruc_lowering *lowering, const struct gruc_edge *edge)
{
    return in_form(lowering, &lowering->folded[edge->index], lowering->plain[edge->index],
                   gruc_lower_folded_type(edge));
}

static gruc_ref as_bool(struct gruc_lowering *lowering, const struct gruc_edge *edge)
{
    gruc_ref value = gruc_lower_folded(lowering, edge);
    return edge->dtype == GRUC_BOOL ? value
                                    : gruc_build_unary(&lowering->builder, GRUC_OP_TO_BOOL, value);
}

/* Some feature differs from the value; NaN does. */
static gruc_ref differs(struct gruc_lowering *lowering, const struct gruc_mask *mask)
{
    struct gruc_builder *builder = &lowering->builder;
    gruc_ref value = gruc_build_constant(builder, (float)mask->value);
    gruc_ref equal = gruc_build_binary(builder, GRUC_OP_EQ,
                                       gruc_lower_plain(lowering, mask->edge), value);
    return gruc_build_unary(builder, GRUC_OP_REDUCE_ANY,
                            gruc_build_unary(builder, GRUC_OP_NOT, equal));
}

gruc_ref gruc_lower_mask(struct gruc_lowering *lowering, const struct gruc_mask *mask)
{
    gruc_ref *made = &lowering->masks[mask->index];
    if (*made == GRUC_NONE)
        *made = mask->source == GRUC_MASK_NOT ? differs(lowering, mask)
                                              : as_bool(lowering, mask->edge);
    return *made;
}

gruc_ref gruc_lower_activation(struct gruc_lowering *lowering, gruc_ref x,
                               const struct gruc_activation *activation)
{
    if (activation->act->id == GRUC_ACT_LINEAR)
        return x;
    return gruc_build_act(&lowering->builder, x, gruc_ir_act_name(activation->act),
                          activation->parameters);
}

/* ---- layers ---- */
static gruc_ref param(struct gruc_lowering *lowering, const struct gruc_parameter *parameter)
{
    return gruc_build_param(&lowering->builder, lowering->tensors[parameter->index], 0,
                            parameter->rows, 0, parameter->columns);
}

static gruc_ref lower_masking(struct gruc_lowering *lowering, const struct gruc_layer *layer)
{
    struct gruc_builder *builder = &lowering->builder;
    gruc_ref x = gruc_lower_plain(lowering, layer->input);
    gruc_ref mask = gruc_lower_mask(lowering, layer->mask);
    if (lowering->model->lineage == GRUC_KERAS3)
        return gruc_build_select(builder, mask, x, gruc_build_constant(builder, 0.0));
    return gruc_build_binary(builder, GRUC_OP_MUL, x,
                             gruc_build_unary(builder, GRUC_OP_TO_FLOAT, mask));
}

/* Whether a layer takes ids with every axis folded into steps. One that encodes an axis of length
 * 1 has them so in their plain form. */
static int reads_folded(const struct gruc_layer *layer)
{
    return layer->kind == GRUC_LAYER_EMBEDDING ||
           (layer->kind == GRUC_LAYER_CATEGORY_ENCODING &&
            layer->results[0]->rank > layer->input->rank);
}

static gruc_ref lower_ids(struct gruc_lowering *lowering, const struct gruc_layer *layer)
{
    struct gruc_builder *builder = &lowering->builder;
    gruc_ref ids = reads_folded(layer) ? gruc_lower_folded(lowering, layer->input)
                                       : gruc_lower_plain(lowering, layer->input);
    if (layer->input->dtype == GRUC_BOOL)
        ids = gruc_build_unary(builder, GRUC_OP_TO_FLOAT, ids);
    if (layer->input->dtype != GRUC_INT32)
        ids = gruc_build_unary(builder, GRUC_OP_TO_INT, ids);
    return ids;
}

static gruc_ref lower_embedding(struct gruc_lowering *lowering, const struct gruc_layer *layer)
{
    struct gruc_attribute wrap = {GRUC_ATTRIBUTE_WRAP,
                                  {.integer = lowering->model->lineage == GRUC_KERAS3}};
    gruc_ref operands[2] = {lower_ids(lowering, layer), param(lowering, layer->parameters[0])};
    return gruc_build_value(&lowering->builder, GRUC_OP_EMBED, operands, 2, &wrap, 1);
}

static gruc_ref lower_category_encoding(struct gruc_lowering *lowering,
                                        const struct gruc_layer *layer)
{
    struct gruc_attribute width = {
        GRUC_ATTRIBUTE_WIDTH,
        {.integer = gruc_layer_integer(layer, GRUC_ARGUMENT_CATEGORY_ENCODING_num_tokens)}};
    gruc_ref ids = lower_ids(lowering, layer);
    return gruc_build_value(&lowering->builder, GRUC_OP_ONE_HOT, &ids, 1, &width, 1);
}

static gruc_ref lower_batch_normalization(struct gruc_lowering *lowering,
                                          const struct gruc_layer *layer)
{
    struct gruc_builder *builder = &lowering->builder;
    struct gruc_attribute epsilon = {
        GRUC_ATTRIBUTE_EPSILON,
        {.number = gruc_layer_number(layer, GRUC_ARGUMENT_BATCH_NORMALIZATION_epsilon)}};
    gruc_ref operands[5] = {gruc_lower_plain(lowering, layer->input)};
    for (size_t i = 0; i < 4; i++)
        operands[i + 1] = layer->parameters[i] == NULL
                              ? gruc_build_constant(builder, i == 2 ? 1.0 : 0.0)
                              : param(lowering, layer->parameters[i]);
    return gruc_build_value(builder, GRUC_OP_BATCH_NORM, operands, 5, &epsilon, 1);
}

static gruc_ref lower_dense(struct gruc_lowering *lowering, const struct gruc_layer *layer)
{
    struct gruc_builder *builder = &lowering->builder;
    gruc_ref x = gruc_lower_plain(lowering, layer->input);
    if (layer->input->dtype != GRUC_FLOAT32)
        x = gruc_build_unary(builder, GRUC_OP_TO_FLOAT, x);
    gruc_ref bias = GRUC_NONE;
    if (layer->parameters[1] != NULL)
        bias = param(lowering, layer->parameters[1]);
    gruc_ref sum = gruc_build_matmul(builder, x, param(lowering, layer->parameters[0]), bias);
    return gruc_lower_activation(
        lowering, sum,
        &gruc_layer_argument(layer, GRUC_ARGUMENT_DENSE_activation)->value.activation);
}

/* The layers that are one activation each. */
static gruc_ref lower_function(struct gruc_lowering *lowering, const struct gruc_layer *layer)
{
    struct gruc_activation function = {0};
    gruc_ref x = gruc_lower_plain(lowering, layer->input);
    const struct gruc_argument *limit;
    switch (layer->kind) {
    case GRUC_LAYER_RELU:
        limit = gruc_layer_argument(layer, GRUC_ARGUMENT_RELU_max_value);
        function.act = gruc_act_get(GRUC_ACT_RELU);
        function.parameters[gruc_act_parameter_find(function.act, "negative_slope")] =
            gruc_layer_number(layer, GRUC_ARGUMENT_RELU_negative_slope);
        function.parameters[gruc_act_parameter_find(function.act, "max_value")] =
            limit->null ? (double)INFINITY : limit->value.number;
        function.parameters[gruc_act_parameter_find(function.act, "threshold")] =
            gruc_layer_number(layer, GRUC_ARGUMENT_RELU_threshold);
        break;
    case GRUC_LAYER_LEAKY_RELU:
        function.act = gruc_act_get(GRUC_ACT_LEAKY_RELU);
        function.parameters[0] = gruc_layer_number(
            layer, lowering->model->lineage == GRUC_KERAS3
                       ? GRUC_ARGUMENT_LEAKY_RELU_negative_slope
                       : GRUC_ARGUMENT_LEAKY_RELU_alpha);
        break;
    case GRUC_LAYER_ELU:
        function.act = gruc_act_get(GRUC_ACT_ELU);
        function.parameters[0] = gruc_layer_number(layer, GRUC_ARGUMENT_ELU_alpha);
        break;
    case GRUC_LAYER_SOFTMAX:
        if (gruc_layer_softmax_over_steps(layer))
            return gruc_lower_softmax_over_steps(lowering, x);
        function.act = gruc_act_get(GRUC_ACT_SOFTMAX);
        break;
    default:
        function =
            gruc_layer_argument(layer, GRUC_ARGUMENT_ACTIVATION_activation)->value.activation;
        break;
    }
    return gruc_lower_activation(lowering, x, &function);
}

static gruc_ref lower_reshape(struct gruc_lowering *lowering, const struct gruc_layer *layer)
{
    struct gruc_type type = gruc_lower_plain_type(layer->results[0]);
    gruc_ref x = gruc_lower_plain(lowering, layer->input);
    return same_type(&lowering->ir->values[x].type, &type)
               ? x
               : gruc_build_reshape(&lowering->builder, x, type);
}

static enum gruc_status lower_layer(struct gruc_lowering *lowering, const struct gruc_layer *layer)
{
    gruc_ref *out = &lowering->plain[layer->results[0]->index];
    switch (layer->kind) {
    case GRUC_LAYER_GRU:
    case GRUC_LAYER_BIDIRECTIONAL:
        return gruc_lower_recurrent(lowering, layer);
    case GRUC_LAYER_MASKING:
        *out = lower_masking(lowering, layer);
        return GRUC_OK;
    case GRUC_LAYER_EMBEDDING:
        *out = lower_embedding(lowering, layer);
        return GRUC_OK;
    case GRUC_LAYER_DENSE:
        *out = lower_dense(lowering, layer);
        return GRUC_OK;
    case GRUC_LAYER_BATCH_NORMALIZATION:
        *out = lower_batch_normalization(lowering, layer);
        return GRUC_OK;
    case GRUC_LAYER_CATEGORY_ENCODING:
        *out = lower_category_encoding(lowering, layer);
        return GRUC_OK;
    case GRUC_LAYER_ACTIVATION:
    case GRUC_LAYER_RELU:
    case GRUC_LAYER_LEAKY_RELU:
    case GRUC_LAYER_ELU:
    case GRUC_LAYER_SOFTMAX:
        *out = lower_function(lowering, layer);
        return GRUC_OK;
    case GRUC_LAYER_DROPOUT:
    case GRUC_LAYER_SPATIAL_DROPOUT_1D:
    case GRUC_LAYER_GAUSSIAN_NOISE:
        *out = gruc_lower_plain(lowering, layer->input);
        return GRUC_OK;
    case GRUC_LAYER_FLATTEN:
    case GRUC_LAYER_RESHAPE:
        *out = lower_reshape(lowering, layer);
        return GRUC_OK;
    case GRUC_LAYER_COUNT:
        break;
    }
    return GRUC_ERROR_INTERNAL;
}

/* ---- ports ---- */
static void add_port(struct gruc_lowering *lowering, int is_output, const struct gruc_edge *edge,
                     gruc_ref value)
{
    struct gruc_port port = {.name = edge->name, .value = value, .mark = edge->mark};
    port.time_major = edge->time_major;
    snprintf(port.info.name, sizeof port.info.name, "%s", edge->name);
    port.info.dtype = (uint32_t)edge->dtype;
    port.info.rank = edge->rank + 1;
    port.info.dims[0] = GRUC_DIM_BATCH;
    for (uint32_t i = 0; i < edge->rank; i++)
        port.info.dims[i + 1] = edge->dims[i].symbol >= 0 ? GRUC_DIM_STEPS(edge->dims[i].symbol)
                                                          : (int64_t)edge->dims[i].size;
    if (edge->time_major && edge->rank > 0) {
        port.info.dims[0] = port.info.dims[1];
        port.info.dims[1] = GRUC_DIM_BATCH;
    }
    gruc_ir_add_port(lowering->ir, is_output, &port);
}

/* Marks in use which inputs are read in their plain form (1) and in the folded one (2). */
static void find_uses(const struct gruc_model *model, unsigned char *use)
{
    for (size_t i = 0; i < model->n_layers; i++) {
        const struct gruc_layer *layer = model->layers[i];
        use[layer->input->index] |= reads_folded(layer) ? 2 : 1;
        if (layer->mask_edge != NULL)
            use[layer->mask_edge->index] |= 2;
        for (size_t j = 0; j < 2; j++)
            if (layer->recurrences[j].initial_state != NULL)
                use[layer->recurrences[j].initial_state->index] |= 1;
    }
}

static enum gruc_status lower_inputs(struct gruc_lowering *lowering)
{
    const struct gruc_model *model = lowering->model;
    unsigned char *use = GRUC_NEW_ARRAY(lowering->ir->arena, unsigned char, model->n_edges);
    if (use == NULL)
        return GRUC_ERROR_MEMORY;
    find_uses(model, use);
    for (size_t i = 0; i < model->n_inputs; i++) {
        const struct gruc_edge *edge = model->inputs[i];
        int folded = (use[edge->index] & 2) != 0; /* so that ids are the input itself */
        lowering->builder.mark = edge->mark;
        gruc_ref value = gruc_build_input(
            &lowering->builder, (uint32_t)i,
            folded ? gruc_lower_folded_type(edge) : gruc_lower_plain_type(edge));
        *(folded ? &lowering->folded[edge->index] : &lowering->plain[edge->index]) = value;
        add_port(lowering, 0, edge, value);
    }
    return GRUC_OK;
}

static enum gruc_status begin(struct gruc_lowering *lowering)
{
    const struct gruc_model *model = lowering->model;
    struct gruc_ir *ir = lowering->ir;
    lowering->plain = GRUC_NEW_ARRAY(ir->arena, gruc_ref, model->n_edges);
    lowering->folded = GRUC_NEW_ARRAY(ir->arena, gruc_ref, model->n_edges);
    lowering->masks = GRUC_NEW_ARRAY(ir->arena, gruc_ref, model->n_masks);
    lowering->tensors = GRUC_NEW_ARRAY(ir->arena, gruc_ref, model->n_parameters);
    if (lowering->plain == NULL || lowering->folded == NULL || lowering->masks == NULL ||
        lowering->tensors == NULL)
        return GRUC_ERROR_MEMORY;
    for (size_t i = 0; i < model->n_edges; i++)
        lowering->plain[i] = lowering->folded[i] = GRUC_NONE;
    for (size_t i = 0; i < model->n_masks; i++)
        lowering->masks[i] = GRUC_NONE;
    for (size_t i = 0; i < model->n_parameters; i++) {
        const struct gruc_parameter *parameter = model->parameters[i];
        lowering->tensors[i] = gruc_ir_add_tensor(ir, parameter->name, parameter->rows,
                                                  parameter->columns, parameter->data);
        if (lowering->tensors[i] == GRUC_NONE)
            return GRUC_ERROR_MEMORY;
        ir->tensors[lowering->tensors[i]].source = parameter->source;
        ir->tensors[lowering->tensors[i]].mark = parameter->mark;
    }
    ir->batch = model->batch;
    ir->n_symbols = model->n_symbols;
    for (size_t i = 0; i < model->n_symbols; i++)
        ir->symbols[i].name = model->symbols[i].name;
    return GRUC_OK;
}

enum gruc_status gruc_frontend_lower(const struct gruc_model *model, struct gruc_arena *arena,
                                     struct gruc_diag *diag, struct gruc_ir **out)
{
    struct gruc_lowering lowering = {.model = model};
    *out = NULL;
    GRUC_TRY(gruc_ir_create(arena, model->name, &lowering.ir));
    lowering.builder.ir = lowering.ir;
    GRUC_TRY(begin(&lowering));
    GRUC_TRY(lower_inputs(&lowering));
    for (size_t i = 0; i < model->n_layers; i++) {
        lowering.builder.mark = model->layers[i]->mark;
        enum gruc_status status = lower_layer(&lowering, model->layers[i]);
        if (status == GRUC_ERROR_INTERNAL)
            gruc_diag_error(diag, GRUC_E_INTERNAL, model->layers[i]->mark,
                            "a layer that cannot be lowered");
        if (status != GRUC_OK)
            return status;
    }
    for (size_t i = 0; i < model->n_outputs; i++) {
        lowering.builder.mark = model->outputs[i]->mark;
        add_port(&lowering, 1, model->outputs[i], gruc_lower_plain(&lowering, model->outputs[i]));
    }
    *out = lowering.ir;
    return lowering.ir->failed ? GRUC_ERROR_MEMORY : GRUC_OK;
}

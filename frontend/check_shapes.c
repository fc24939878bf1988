/* SPDX-License-Identifier: MIT */
/* Shapes, types, masks and weights of the layers that are not recurrent. */
#include <stdio.h>
#include <string.h>

#include "frontend/check.h"
#include "ir/act.h"

enum { SHAPE_TEXT = 120 };

const char *gruc_check_shape_text(struct gruc_checker *checker, const struct gruc_edge *edge,
                                  char *room, size_t size)
{
    size_t used = (size_t)snprintf(room, size, "(B");
    for (uint32_t i = 0; i < edge->rank && used < size; i++) {
        struct gruc_dim dim = gruc_check_dim(checker, edge->dims[i]);
        if (dim.symbol >= 0)
            used += (size_t)snprintf(room + used, size - used, ",T");
        else
            used += (size_t)snprintf(room + used, size - used, ",%llu",
                                     (unsigned long long)dim.size);
    }
    if (used < size)
        snprintf(room + used, size - used, edge->rank == 0 ? ",)" : ")");
    return room;
}

void gruc_check_set_shape(struct gruc_checker *checker, struct gruc_layer *layer, unsigned result,
                          uint32_t rank, const struct gruc_dim *dims)
{
    struct gruc_edge *edge = layer->results[result];
    uint64_t product = 1;
    edge->rank = rank;
    for (uint32_t i = 0; i < rank; i++) {
        edge->dims[i] = dims[i];
        if (dims[i].symbol < 0 && product <= INT32_MAX)
            product *= dims[i].size;
    }
    edge->known = product <= INT32_MAX;
    if (!edge->known)
        gruc_diag_error(checker->diag, GRUC_E_NOT_YET, layer->mark,
                        "a row of '%s' has 2^31 numbers or more, which is not supported yet",
                        edge->name);
}

enum gruc_status gruc_check_add_mask(struct gruc_checker *checker, enum gruc_mask_source source,
                                     struct gruc_edge *edge, double value, struct gruc_mark mark,
                                     struct gruc_mask **out)
{
    struct gruc_mask *mask = GRUC_NEW(checker->arena, struct gruc_mask);
    if (mask == NULL)
        return GRUC_ERROR_MEMORY;
    *mask = (struct gruc_mask){source, edge, value, (uint32_t)checker->model->n_masks++, mark};
    *out = mask;
    return GRUC_OK;
}

enum gruc_status gruc_check_add_parameter(struct gruc_checker *checker,
                                          const struct gruc_layer *layer, const char *owner,
                                          const char *part, uint64_t rows, uint64_t columns,
                                          const struct gruc_weight_arguments *arguments,
                                          struct gruc_parameter **out)
{
    struct gruc_model *model = checker->model;
    struct gruc_parameter *parameter = GRUC_NEW(checker->arena, struct gruc_parameter);
    if (parameter == NULL || !gruc_arena_grow(checker->arena, (void **)&model->parameters,
                                              model->n_parameters, &model->parameters_capacity,
                                              sizeof(struct gruc_parameter *)))
        return GRUC_ERROR_MEMORY;
    parameter->name = gruc_arena_format(checker->arena, "%s/%s", owner, part);
    if (parameter->name == NULL)
        return GRUC_ERROR_MEMORY;
    parameter->mark = layer->mark;
    *out = parameter;
    uint64_t height = rows == 0 ? 1 : rows;
    if (columns > INT32_MAX || height > INT32_MAX / columns) {
        gruc_diag_error(checker->diag, GRUC_E_NOT_YET, layer->mark,
                        "the weight '%s' has 2^31 numbers or more, which is not supported yet",
                        parameter->name);
        return GRUC_OK;
    }
    parameter->rank = rows == 0 ? 1 : 2;
    parameter->dims[0] = (uint32_t)(rows == 0 ? columns : rows);
    parameter->dims[1] = rows == 0 ? 0 : (uint32_t)columns;
    parameter->rows = (uint32_t)height;
    parameter->columns = (uint32_t)columns;
    parameter->initializer = gruc_layer_argument(layer, arguments->initializer)->value.initializer;
    if (arguments->regularizer != GRUC_ARGUMENT_COUNT)
        parameter->regularizer =
            gruc_layer_argument(layer, arguments->regularizer)->value.regularizer;
    if (arguments->constraint != GRUC_ARGUMENT_COUNT)
        parameter->constraint =
            gruc_layer_argument(layer, arguments->constraint)->value.constraint;
    parameter->index = (uint32_t)model->n_parameters;
    model->parameters[model->n_parameters++] = parameter;
    return GRUC_OK;
}

/* ---- what layers demand of their input; 0 after a report ---- */
static int want_rank(struct gruc_checker *checker, const struct gruc_layer *layer, uint32_t least,
                     uint32_t most)
{
    char room[SHAPE_TEXT];
    const struct gruc_edge *input = layer->input;
    if (input->rank >= least && input->rank <= most)
        return 1;
    gruc_diag_error(checker->diag, GRUC_E_RANK, layer->mark, "%s wants %s %u axes, not %u",
                    gruc_layer_row(layer->kind)->name, input->rank < least ? "at least" : "at most",
                    (input->rank < least ? least : most) + 1, input->rank + 1);
    gruc_diag_note(checker->diag, input->mark, "'%s' has the shape %s", input->name,
                   gruc_check_shape_text(checker, input, room, sizeof room));
    return 0;
}

static int want_float(struct gruc_checker *checker, const struct gruc_layer *layer)
{
    if (layer->input->dtype == GRUC_FLOAT32)
        return 1;
    gruc_diag_error(checker->diag, GRUC_E_DTYPE, layer->mark,
                    "%s computes with float32, and '%s' is %s", gruc_layer_row(layer->kind)->name,
                    layer->input->name,
                    layer->input->dtype == GRUC_INT32 ? "int32" : "bool");
    gruc_diag_note(checker->diag, layer->input->mark, "'%s' comes from here", layer->input->name);
    return 0;
}

/* The length of the last axis, 0 after a report. */
static uint64_t want_width(struct gruc_checker *checker, const struct gruc_layer *layer)
{
    const struct gruc_edge *input = layer->input;
    if (!want_rank(checker, layer, 1, GRUC_MODEL_MAX_RANK))
        return 0;
    struct gruc_dim last = gruc_check_dim(checker, input->dims[input->rank - 1]);
    if (last.symbol < 0)
        return last.size;
    gruc_diag_error(checker->diag, GRUC_E_UNKNOWN_WIDTH, layer->mark,
                    "%s works on the last axis, and that of '%s' is ~",
                    gruc_layer_row(layer->kind)->name, input->name);
    gruc_diag_note(checker->diag, input->mark, "'%s' comes from here", input->name);
    return 0;
}

/* ---- layers ---- */
/* A result like the input, mask and layout included. */
static void pass_on(struct gruc_checker *checker, struct gruc_layer *layer)
{
    layer->results[0]->dtype = layer->input->dtype;
    layer->results[0]->mask = layer->input->mask;
    gruc_check_set_shape(checker, layer, 0, layer->input->rank, layer->input->dims);
    gruc_check_same_layout(checker, layer->input, layer->results[0], layer->mark);
}

static enum gruc_status check_dense(struct gruc_checker *checker, struct gruc_layer *layer)
{
    static const struct gruc_weight_arguments kernel = {GRUC_ARGUMENT_DENSE_kernel_initializer,
                                                        GRUC_ARGUMENT_DENSE_kernel_regularizer,
                                                        GRUC_ARGUMENT_DENSE_kernel_constraint};
    static const struct gruc_weight_arguments bias = {GRUC_ARGUMENT_DENSE_bias_initializer,
                                                      GRUC_ARGUMENT_DENSE_bias_regularizer,
                                                      GRUC_ARGUMENT_DENSE_bias_constraint};
    uint64_t width = want_width(checker, layer);
    uint64_t units = (uint64_t)gruc_layer_integer(layer, GRUC_ARGUMENT_DENSE_units);
    gruc_check_sparsemax(checker, layer);
    if (width == 0)
        return GRUC_OK;
    struct gruc_dim dims[GRUC_MODEL_MAX_RANK];
    memcpy(dims, layer->input->dims, sizeof dims);
    dims[layer->input->rank - 1].size = units;
    dims[layer->input->rank - 1].symbol = -1;
    layer->results[0]->dtype = GRUC_FLOAT32;
    layer->results[0]->mask = layer->input->mask;
    gruc_check_set_shape(checker, layer, 0, layer->input->rank, dims);
    gruc_check_same_layout(checker, layer->input, layer->results[0], layer->mark);
    GRUC_TRY(gruc_check_add_parameter(checker, layer, layer->name, "kernel", width, units, &kernel,
                                      &layer->parameters[0]));
    if (!gruc_layer_integer(layer, GRUC_ARGUMENT_DENSE_use_bias))
        return GRUC_OK;
    return gruc_check_add_parameter(checker, layer, layer->name, "bias", 0, units, &bias,
                                    &layer->parameters[1]);
}

static enum gruc_status report_computed_ids(struct gruc_checker *checker,
                                            const struct gruc_layer *layer)
{
    const struct gruc_edge *ids = layer->input;
    gruc_diag_error(checker->diag, GRUC_E_EMBEDDING_INPUT, layer->mark,
                    "%s reads ids from an input of the model, and '%s' is computed",
                    gruc_layer_row(layer->kind)->name, ids->name);
    gruc_diag_note(checker->diag, ids->mark, "'%s' comes from here", ids->name);
    return GRUC_OK;
}

static enum gruc_status check_embedding(struct gruc_checker *checker, struct gruc_layer *layer)
{
    static const struct gruc_weight_arguments table = {
        GRUC_ARGUMENT_EMBEDDING_embeddings_initializer,
        GRUC_ARGUMENT_EMBEDDING_embeddings_regularizer,
        GRUC_ARGUMENT_EMBEDDING_embeddings_constraint};
    struct gruc_edge *ids = layer->input;
    uint64_t count = (uint64_t)gruc_layer_integer(layer, GRUC_ARGUMENT_EMBEDDING_input_dim);
    uint64_t width = (uint64_t)gruc_layer_integer(layer, GRUC_ARGUMENT_EMBEDDING_output_dim);
    if (ids->layer != NULL)
        return report_computed_ids(checker, layer);
    if (!want_rank(checker, layer, 0, GRUC_MODEL_MAX_RANK - 1))
        return GRUC_OK;
    struct gruc_dim dims[GRUC_MODEL_MAX_RANK];
    memcpy(dims, ids->dims, sizeof dims);
    dims[ids->rank] = (struct gruc_dim){-1, width};
    gruc_check_set_shape(checker, layer, 0, ids->rank + 1, dims);
    gruc_check_same_layout(checker, ids, layer->results[0], layer->mark);
    if (gruc_layer_integer(layer, GRUC_ARGUMENT_EMBEDDING_mask_zero))
        GRUC_TRY(gruc_check_add_mask(checker, GRUC_MASK_NONZERO, ids, 0, layer->mark,
                                     &layer->results[0]->mask));
    return gruc_check_add_parameter(checker, layer, layer->name, "embeddings", count, width, &table,
                                    &layer->parameters[0]);
}

/* Ids of one axis of length 1 are encoded on that axis, others get a new one. */
static void check_category_encoding(struct gruc_checker *checker, struct gruc_layer *layer)
{
    const struct gruc_argument *mode =
        gruc_layer_argument(layer, GRUC_ARGUMENT_CATEGORY_ENCODING_output_mode);
    const struct gruc_argument *sparse =
        gruc_layer_argument(layer, GRUC_ARGUMENT_CATEGORY_ENCODING_sparse);
    struct gruc_edge *ids = layer->input;
    if (mode->value.integer != 1)
        gruc_diag_error(checker->diag, GRUC_E_NOT_YET, mode->mark,
                        "CategoryEncoding other than with output_mode: one_hot is not supported "
                        "yet");
    if (sparse->value.integer)
        gruc_diag_error(checker->diag, GRUC_E_NOT_YET, sparse->mark,
                        "sparse tensors are not supported yet");
    if (ids->layer != NULL) {
        report_computed_ids(checker, layer);
        return;
    }
    uint32_t rank = ids->rank;
    if (rank > 0 && ids->dims[rank - 1].symbol < 0 && ids->dims[rank - 1].size == 1)
        rank--;
    int keras3 = checker->model->lineage == GRUC_KERAS3;
    if (rank > 0 && !keras3) {
        char room[SHAPE_TEXT];
        gruc_diag_error(checker->diag, GRUC_E_RANK, layer->mark,
                        "CategoryEncoding of keras %d takes one id a row: (B,) or (B,1)",
                        (int)checker->model->lineage);
        gruc_diag_note(checker->diag, ids->mark, "'%s' has the shape %s", ids->name,
                       gruc_check_shape_text(checker, ids, room, sizeof room));
        return;
    }
    if (rank == ids->rank && !want_rank(checker, layer, 0, GRUC_MODEL_MAX_RANK - 1))
        return;
    struct gruc_dim dims[GRUC_MODEL_MAX_RANK];
    memcpy(dims, ids->dims, sizeof dims);
    int64_t count = gruc_layer_integer(layer, GRUC_ARGUMENT_CATEGORY_ENCODING_num_tokens);
    dims[rank] = (struct gruc_dim){-1, (uint64_t)count};
    gruc_check_set_shape(checker, layer, 0, rank + 1, dims);
    gruc_check_same_layout(checker, ids, layer->results[0], layer->mark);
}

static enum gruc_status check_masking(struct gruc_checker *checker, struct gruc_layer *layer)
{
    double value = gruc_layer_number(layer, GRUC_ARGUMENT_MASKING_mask_value);
    if (!want_float(checker, layer) || want_width(checker, layer) == 0)
        return GRUC_OK;
    pass_on(checker, layer);
    GRUC_TRY(gruc_check_add_mask(checker, GRUC_MASK_NOT, layer->input, value, layer->mark,
                                 &layer->mask));
    layer->results[0]->mask = layer->mask;
    return GRUC_OK;
}

static void check_activation(struct gruc_checker *checker, struct gruc_layer *layer)
{
    const struct gruc_activation *activation =
        &gruc_layer_argument(layer, GRUC_ARGUMENT_ACTIVATION_activation)->value.activation;
    gruc_check_sparsemax(checker, layer);
    if (activation->act->kind == GRUC_ACT_ROWWISE && want_width(checker, layer) == 0)
        return;
    if (want_float(checker, layer))
        pass_on(checker, layer);
}

static void check_softmax(struct gruc_checker *checker, struct gruc_layer *layer)
{
    const struct gruc_argument *axis = gruc_layer_argument(layer, GRUC_ARGUMENT_SOFTMAX_axis);
    const struct gruc_mask *mask = layer->input->mask;
    if (!want_float(checker, layer) || want_width(checker, layer) == 0)
        return;
    if (gruc_layer_softmax_over_steps(layer))
        gruc_check_layout(checker, layer->input, 0, layer->mark);
    else if (axis->value.integer != -1 && axis->value.integer != layer->input->rank)
        gruc_diag_error(checker->diag, GRUC_E_NOT_YET, axis->mark,
                        "softmax is over the last axis or the steps; another axis is not "
                        "supported yet");
    if (mask != NULL) {
        gruc_diag_error(checker->diag, GRUC_E_SOFTMAX_MASK, layer->mark,
                        "a mask over steps reaches this Softmax, which cannot use it");
        gruc_diag_note(checker->diag, mask->mark, "the mask comes from here");
        gruc_diag_note(checker->diag, (struct gruc_mark){0},
                       "'Activation: {activation: softmax}' passes a mask on");
    }
    pass_on(checker, layer);
}

static void refuse_training(struct gruc_checker *checker, const struct gruc_layer *layer,
                            enum gruc_argument_id training)
{
    const struct gruc_argument *argument = gruc_layer_argument(layer, training);
    if (argument->value.integer)
        gruc_diag_error(checker->diag, GRUC_E_NOT_YET, argument->mark,
                        "training behaviour of %s is not supported yet",
                        gruc_layer_row(layer->kind)->name);
}

#define NORMALIZATION(argument) GRUC_ARGUMENT_BATCH_NORMALIZATION_##argument

static enum gruc_status check_batch_normalization(struct gruc_checker *checker,
                                                  struct gruc_layer *layer)
{
    static const struct {
        const char *name;
        struct gruc_weight_arguments arguments;
        enum gruc_argument_id wanted; /* a boolean; GRUC_ARGUMENT_COUNT: always */
    } rows[] = {
        {"moving_mean",
         {NORMALIZATION(moving_mean_initializer), GRUC_ARGUMENT_COUNT, GRUC_ARGUMENT_COUNT},
         GRUC_ARGUMENT_COUNT},
        {"moving_variance",
         {NORMALIZATION(moving_variance_initializer), GRUC_ARGUMENT_COUNT, GRUC_ARGUMENT_COUNT},
         GRUC_ARGUMENT_COUNT},
        {"gamma",
         {NORMALIZATION(gamma_initializer), NORMALIZATION(gamma_regularizer),
          NORMALIZATION(gamma_constraint)},
         NORMALIZATION(scale)},
        {"beta",
         {NORMALIZATION(beta_initializer), NORMALIZATION(beta_regularizer),
          NORMALIZATION(beta_constraint)},
         NORMALIZATION(center)},
    };
    const struct gruc_argument *axis = gruc_layer_argument(layer, NORMALIZATION(axis));
    refuse_training(checker, layer, NORMALIZATION(training));
    if (!want_float(checker, layer))
        return GRUC_OK;
    uint64_t width = want_width(checker, layer);
    if (width == 0)
        return GRUC_OK;
    if (axis->value.integer != -1 && axis->value.integer != layer->input->rank)
        gruc_diag_error(checker->diag, GRUC_E_NOT_YET, axis->mark,
                        "BatchNormalization is over the last axis; another axis is not supported "
                        "yet");
    pass_on(checker, layer);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].wanted == GRUC_ARGUMENT_COUNT || gruc_layer_integer(layer, rows[i].wanted))
            GRUC_TRY(gruc_check_add_parameter(checker, layer, layer->name, rows[i].name, 0, width,
                                              &rows[i].arguments, &layer->parameters[i]));
    return GRUC_OK;
}

static void check_dropping(struct gruc_checker *checker, struct gruc_layer *layer,
                           enum gruc_argument_id training)
{
    refuse_training(checker, layer, training);
    if (layer->kind == GRUC_LAYER_SPATIAL_DROPOUT_1D && !want_rank(checker, layer, 2, 2))
        return;
    if (want_float(checker, layer))
        pass_on(checker, layer);
}

/* The numbers in a row; *unknown: whether the first axis, left out of the product, is unknown. */
static uint64_t row_size(struct gruc_checker *checker, const struct gruc_edge *edge, int *unknown)
{
    uint64_t product = 1;
    *unknown = 0;
    for (uint32_t i = 0; i < edge->rank; i++) {
        struct gruc_dim dim = gruc_check_dim(checker, edge->dims[i]);
        if (dim.symbol >= 0)
            *unknown = 1;
        else
            product *= dim.size;
    }
    return product;
}

static void check_flatten(struct gruc_checker *checker, struct gruc_layer *layer)
{
    const struct gruc_argument *format =
        gruc_layer_argument(layer, GRUC_ARGUMENT_FLATTEN_data_format);
    int unknown;
    struct gruc_dim dim = {-1, row_size(checker, layer->input, &unknown)};
    if (!format->null && format->value.integer == 1 && layer->input->rank > 1)
        gruc_diag_error(checker->diag, GRUC_E_NOT_YET, format->mark,
                        "data_format: channels_first is not supported yet");
    if (unknown) {
        gruc_diag_error(checker->diag, GRUC_E_UNKNOWN_WIDTH, layer->mark,
                        "Flatten needs known lengths, and the first axis of '%s' is ~",
                        layer->input->name);
        gruc_diag_note(checker->diag, layer->input->mark, "'%s' comes from here",
                       layer->input->name);
        return;
    }
    gruc_check_layout(checker, layer->input, 0, layer->mark);
    gruc_check_layout(checker, layer->results[0], 0, layer->mark);
    layer->results[0]->dtype = layer->input->dtype;
    gruc_check_set_shape(checker, layer, 0, 1, &dim);
}

/* Fills in the -1 of a target; 0 when the numbers do not fit. */
static int fit_target(struct gruc_checker *checker, const struct gruc_layer *layer,
                      const struct gruc_argument *target, struct gruc_dim *dims)
{
    int unknown;
    uint64_t have = row_size(checker, layer->input, &unknown), want = 1;
    size_t open = target->value.integers.count;
    for (size_t i = 0; i < target->value.integers.count; i++) {
        int64_t item = target->value.integers.items[i];
        dims[i] = (struct gruc_dim){-1, (uint64_t)item};
        if (item == -1)
            open = i;
        else if (__builtin_mul_overflow(want, (uint64_t)item, &want))
            return 0;
    }
    if (unknown) {
        dims[0] = gruc_check_dim(checker, layer->input->dims[0]);
        return open == 0 && want == have && target->value.integers.count > 0;
    }
    if (open == target->value.integers.count)
        return want == have;
    dims[open].size = have / want;
    return have % want == 0;
}

static void check_reshape(struct gruc_checker *checker, struct gruc_layer *layer)
{
    char room[SHAPE_TEXT];
    const struct gruc_argument *target =
        gruc_layer_argument(layer, GRUC_ARGUMENT_RESHAPE_target_shape);
    struct gruc_dim dims[GRUC_MODEL_MAX_RANK] = {{-1, 1}};
    if (!fit_target(checker, layer, target, dims)) {
        gruc_diag_error(checker->diag, GRUC_E_RESHAPE, target->mark,
                        "the numbers of '%s' do not fit this shape", layer->input->name);
        gruc_diag_note(checker->diag, layer->input->mark, "its shape is %s",
                       gruc_check_shape_text(checker, layer->input, room, sizeof room));
        int unknown;
        row_size(checker, layer->input, &unknown);
        if (unknown)
            gruc_diag_note(checker->diag, (struct gruc_mark){0},
                           "an unknown number of steps must stay the first axis, given as -1");
        return;
    }
    gruc_check_layout(checker, layer->input, 0, layer->mark);
    gruc_check_layout(checker, layer->results[0], 0, layer->mark);
    layer->results[0]->dtype = layer->input->dtype;
    gruc_check_set_shape(checker, layer, 0, (uint32_t)target->value.integers.count, dims);
}

enum gruc_status gruc_check_layer(struct gruc_checker *checker, struct gruc_layer *layer)
{
    switch (layer->kind) {
    case GRUC_LAYER_GRU:
    case GRUC_LAYER_BIDIRECTIONAL:
        return gruc_check_recurrent(checker, layer);
    case GRUC_LAYER_MASKING:
        return check_masking(checker, layer);
    case GRUC_LAYER_EMBEDDING:
        return check_embedding(checker, layer);
    case GRUC_LAYER_DENSE:
        return check_dense(checker, layer);
    case GRUC_LAYER_BATCH_NORMALIZATION:
        return check_batch_normalization(checker, layer);
    case GRUC_LAYER_CATEGORY_ENCODING:
        check_category_encoding(checker, layer);
        return GRUC_OK;
    case GRUC_LAYER_ACTIVATION:
        check_activation(checker, layer);
        return GRUC_OK;
    case GRUC_LAYER_RELU:
    case GRUC_LAYER_LEAKY_RELU:
    case GRUC_LAYER_ELU:
        if (want_float(checker, layer))
            pass_on(checker, layer);
        return GRUC_OK;
    case GRUC_LAYER_SOFTMAX:
        check_softmax(checker, layer);
        return GRUC_OK;
    case GRUC_LAYER_DROPOUT:
        check_dropping(checker, layer, GRUC_ARGUMENT_DROPOUT_training);
        return GRUC_OK;
    case GRUC_LAYER_SPATIAL_DROPOUT_1D:
        check_dropping(checker, layer, GRUC_ARGUMENT_SPATIAL_DROPOUT_1D_training);
        return GRUC_OK;
    case GRUC_LAYER_GAUSSIAN_NOISE:
        check_dropping(checker, layer, GRUC_ARGUMENT_GAUSSIAN_NOISE_training);
        return GRUC_OK;
    case GRUC_LAYER_FLATTEN:
        check_flatten(checker, layer);
        return GRUC_OK;
    case GRUC_LAYER_RESHAPE:
        check_reshape(checker, layer);
        return GRUC_OK;
    case GRUC_LAYER_COUNT:
        break;
    }
    return GRUC_ERROR_INTERNAL;
}

/* SPDX-License-Identifier: MIT */
/* GRU and Bidirectional: shapes, masks, states, and the rules of their options. */
#include <string.h>

#include "frontend/check.h"
#include "ir/act.h"

enum { SHAPE_TEXT = 120 };

static int flag(const struct gruc_layer *gru, enum gruc_argument_id id)
{
    return gruc_layer_integer(gru, id) != 0;
}

/* ---- rules of one GRU's options ---- */
static const struct gruc_act *act_of(const struct gruc_layer *gru, enum gruc_argument_id id)
{
    return gruc_layer_argument(gru, id)->value.activation.act;
}

const char *gruc_layer_cudnn_refusal(const struct gruc_layer *gru)
{
    if (act_of(gru, GRUC_ARGUMENT_GRU_activation)->id != GRUC_ACT_TANH)
        return "activation is not tanh";
    if (act_of(gru, GRUC_ARGUMENT_GRU_recurrent_activation)->id != GRUC_ACT_SIGMOID)
        return "recurrent_activation is not sigmoid";
    if (gruc_layer_number(gru, GRUC_ARGUMENT_GRU_recurrent_dropout) > 0)
        return "recurrent_dropout is not 0";
    if (flag(gru, GRUC_ARGUMENT_GRU_unroll))
        return "unroll is true";
    if (!flag(gru, GRUC_ARGUMENT_GRU_use_bias))
        return "use_bias is false";
    if (!flag(gru, GRUC_ARGUMENT_GRU_reset_after))
        return "reset_after is false";
    return NULL;
}

static void check_cudnn(struct gruc_checker *checker, const struct gruc_layer *gru)
{
    enum { USE_CUDNN_TRUE = 1 };
    const struct gruc_argument *use = gruc_layer_argument(gru, GRUC_ARGUMENT_GRU_use_cudnn);
    const char *refusal = gruc_layer_cudnn_refusal(gru);
    if (use->given && use->value.integer == USE_CUDNN_TRUE && refusal != NULL)
        gruc_diag_error(checker->diag, GRUC_E_CUDNN_OPTIONS, use->mark,
                        "cuDNN cannot compute this layer: %s", refusal);
}

static void check_sparsemax(struct gruc_checker *checker, const struct gruc_layer *layer,
                            enum gruc_argument_id id)
{
    const struct gruc_argument *argument = gruc_layer_argument(layer, id);
    if (argument->value.activation.act->id == GRUC_ACT_SPARSEMAX)
        gruc_diag_warning(checker->diag, GRUC_E_KERAS_SPARSEMAX, argument->mark,
                          "sparsemax of Keras 3.15 differs from the function, which gruc computes");
}

void gruc_check_sparsemax(struct gruc_checker *checker, const struct gruc_layer *layer)
{
    switch (layer->kind) {
    case GRUC_LAYER_GRU:
        check_sparsemax(checker, layer, GRUC_ARGUMENT_GRU_activation);
        check_sparsemax(checker, layer, GRUC_ARGUMENT_GRU_recurrent_activation);
        break;
    case GRUC_LAYER_DENSE:
        check_sparsemax(checker, layer, GRUC_ARGUMENT_DENSE_activation);
        break;
    case GRUC_LAYER_ACTIVATION:
        check_sparsemax(checker, layer, GRUC_ARGUMENT_ACTIVATION_activation);
        break;
    default:
        break;
    }
}

/* training belongs to the call of the outer layer. */
static void check_options(struct gruc_checker *checker, const struct gruc_layer *gru,
                          const struct gruc_argument *training)
{
    const struct gruc_argument *stateful = gruc_layer_argument(gru, GRUC_ARGUMENT_GRU_stateful);
    int drops = gruc_layer_number(gru, GRUC_ARGUMENT_GRU_dropout) > 0 ||
                gruc_layer_number(gru, GRUC_ARGUMENT_GRU_recurrent_dropout) > 0;
    if (training->value.integer && drops)
        gruc_diag_error(checker->diag, GRUC_E_NOT_YET, training->mark,
                        "training behaviour of a GRU with dropout is not supported yet");
    if (stateful->value.integer && checker->model->batch == 0)
        gruc_diag_error(checker->diag, GRUC_E_STATEFUL_BATCH, stateful->mark,
                        "a stateful layer needs a static batch: add 'batch: N' to the model");
    check_cudnn(checker, gru);
    gruc_check_sparsemax(checker, gru);
}

/* ---- the two children of a Bidirectional ---- */
static void set_direction(struct gruc_checker *checker, struct gruc_layer *layer,
                          const struct gruc_argument *custom)
{
    const struct gruc_layer *forward = layer->recurrences[0].layer;
    const struct gruc_argument *backwards =
        gruc_layer_argument(forward, GRUC_ARGUMENT_GRU_go_backwards);
    layer->recurrences[0].go_backwards = backwards->value.integer != 0;
    if (custom->value.layer == NULL) {
        layer->recurrences[1].go_backwards = !layer->recurrences[0].go_backwards;
        if (checker->model->lineage == GRUC_KERAS3 && backwards->value.integer)
            gruc_diag_error(checker->diag, GRUC_E_WRAPPED_DIRECTION, backwards->mark,
                            "Bidirectional of keras: 3 cannot wrap a layer with go_backwards");
        return;
    }
    const struct gruc_argument *other =
        gruc_layer_argument(custom->value.layer, GRUC_ARGUMENT_GRU_go_backwards);
    layer->recurrences[1].go_backwards = other->value.integer != 0;
    if (layer->recurrences[0].go_backwards == layer->recurrences[1].go_backwards) {
        gruc_diag_error(checker->diag, GRUC_E_SAME_DIRECTION, other->mark,
                        "layer and backward_layer read in the same direction");
        gruc_diag_note(checker->diag, backwards->mark, "both have go_backwards: %s",
                       other->value.integer ? "true" : "false");
    }
}

static void want_equal(struct gruc_checker *checker, const struct gruc_layer *layer,
                       enum gruc_argument_id id)
{
    const struct gruc_argument *a = gruc_layer_argument(layer->recurrences[0].layer, id);
    const struct gruc_argument *b = gruc_layer_argument(layer->recurrences[1].layer, id);
    if (a->value.integer == b->value.integer)
        return;
    gruc_diag_error(checker->diag, GRUC_E_CHILDREN_DIFFER, b->mark,
                    "layer and backward_layer differ in %s", gruc_argument_row(id)->name);
    int boolean = gruc_argument_row(id)->type == GRUC_TYPE_BOOLEAN;
    if (boolean)
        gruc_diag_note(checker->diag, a->mark, "it is %s for layer, %s for backward_layer",
                       a->value.integer ? "true" : "false", b->value.integer ? "true" : "false");
    else
        gruc_diag_note(checker->diag, a->mark, "it is %lld for layer, %lld for backward_layer",
                       (long long)a->value.integer, (long long)b->value.integer);
}

static int merges_side_by_side(const struct gruc_layer *layer)
{
    const struct gruc_argument *mode =
        gruc_layer_argument(layer, GRUC_ARGUMENT_BIDIRECTIONAL_merge_mode);
    return mode->null || mode->value.integer == GRUC_MERGE_CONCAT;
}

static enum gruc_status set_children(struct gruc_checker *checker, struct gruc_layer *layer)
{
    static const char *const names[] = {"forward", "backward"};
    const struct gruc_argument *custom =
        gruc_layer_argument(layer, GRUC_ARGUMENT_BIDIRECTIONAL_backward_layer);
    struct gruc_layer *forward =
        gruc_layer_argument(layer, GRUC_ARGUMENT_BIDIRECTIONAL_layer)->value.layer;
    layer->recurrences[0].layer = forward;
    layer->recurrences[1].layer = custom->value.layer == NULL ? forward : custom->value.layer;
    for (int i = 0; i < 2; i++) {
        struct gruc_recurrence *recurrence = &layer->recurrences[i];
        recurrence->name = gruc_arena_format(checker->arena, "%s/%s", layer->name, names[i]);
        if (recurrence->name == NULL)
            return GRUC_ERROR_MEMORY;
        /* Keras overwrites what the author said. */
        recurrence->zero_output_for_mask =
            flag(recurrence->layer, GRUC_ARGUMENT_GRU_return_sequences);
    }
    set_direction(checker, layer, custom);
    if (custom->value.layer == NULL)
        return GRUC_OK;
    want_equal(checker, layer, GRUC_ARGUMENT_GRU_stateful);
    want_equal(checker, layer, GRUC_ARGUMENT_GRU_return_sequences);
    want_equal(checker, layer, GRUC_ARGUMENT_GRU_return_state);
    if (checker->model->lineage != GRUC_KERAS3)
        want_equal(checker, layer, GRUC_ARGUMENT_GRU_time_major);
    if (!merges_side_by_side(layer))
        want_equal(checker, layer, GRUC_ARGUMENT_GRU_units);
    return GRUC_OK;
}

/* ---- inputs ---- */
/* x must be (B,T,D) float32; 0 after a report. */
static int check_input(struct gruc_checker *checker, const struct gruc_layer *layer)
{
    char room[SHAPE_TEXT];
    const struct gruc_edge *x = layer->input;
    const char *name = gruc_layer_row(layer->kind)->name;
    if (x->dtype != GRUC_FLOAT32) {
        gruc_diag_error(checker->diag, GRUC_E_DTYPE, layer->mark,
                        "%s computes with float32, and '%s' is %s", name, x->name,
                        x->dtype == GRUC_INT32 ? "int32" : "bool");
        gruc_diag_note(checker->diag, x->mark, "'%s' comes from here", x->name);
        return 0;
    }
    if (x->rank == 2)
        return 1;
    gruc_diag_error(checker->diag, GRUC_E_RANK, layer->mark, "%s reads a sequence (B,T,D)", name);
    gruc_diag_note(checker->diag, x->mark, "'%s' has the shape %s", x->name,
                   gruc_check_shape_text(checker, x, room, sizeof room));
    const struct gruc_layer *maker = x->layer;
    int last_only = maker != NULL && x->rank == 1 && x->result == 0 &&
                    (maker->kind == GRUC_LAYER_GRU || maker->kind == GRUC_LAYER_BIDIRECTIONAL);
    if (last_only)
        gruc_diag_note(checker->diag, (struct gruc_mark){0},
                       "return_sequences: true would make it a sequence");
    return 0;
}

/* An explicit mask is (B,T) or (B,T,1) of any type. */
static void check_mask(struct gruc_checker *checker, const struct gruc_layer *layer,
                       const struct gruc_argument *argument)
{
    char room[SHAPE_TEXT];
    const struct gruc_edge *mask = layer->mask_edge, *x = layer->input;
    struct gruc_dim last = {-1, 0};
    if (mask->rank == 2)
        last = gruc_check_dim(checker, mask->dims[1]);
    if (mask->rank != 1 && !(mask->rank == 2 && last.symbol < 0 && last.size == 1)) {
        gruc_diag_error(checker->diag, GRUC_E_MASK_RANK, argument->mark,
                        "a mask is (B,T) or (B,T,1), not %s",
                        gruc_check_shape_text(checker, mask, room, sizeof room));
        gruc_diag_note(checker->diag, mask->mark, "'%s' comes from here", mask->name);
        return;
    }
    if (gruc_check_same_length(checker, mask->dims[0], x->dims[0]))
        return;
    gruc_diag_error(checker->diag, GRUC_E_STEPS, argument->mark,
                    "the mask has another number of steps than the sequence");
    gruc_diag_note(checker->diag, mask->mark, "expected %llu steps, found %llu",
                   (unsigned long long)gruc_check_dim(checker, x->dims[0]).size,
                   (unsigned long long)gruc_check_dim(checker, mask->dims[0]).size);
}

static void check_state(struct gruc_checker *checker, const struct gruc_edge *state,
                        const struct gruc_reference *reference, int64_t units)
{
    char room[SHAPE_TEXT];
    struct gruc_dim width = {-1, 0};
    if (state->rank == 1)
        width = gruc_check_dim(checker, state->dims[0]);
    if (state->dtype != GRUC_FLOAT32)
        gruc_diag_error(checker->diag, GRUC_E_DTYPE, reference->mark,
                        "an initial state is float32, and '%s' is not", state->name);
    else if (state->rank != 1)
        gruc_diag_error(checker->diag, GRUC_E_RANK, reference->mark,
                        "an initial state is (B,units), and '%s' is %s", state->name,
                        gruc_check_shape_text(checker, state, room, sizeof room));
    else if (width.symbol >= 0 || width.size != (uint64_t)units)
        gruc_diag_error(checker->diag, GRUC_E_SHAPE, reference->mark,
                        "the initial state has another width than the layer");
    else
        return;
    gruc_diag_note(checker->diag, state->mark, "expected (B,%lld), found %s", (long long)units,
                   gruc_check_shape_text(checker, state, room, sizeof room));
}

/* Finds the mask that the layer applies and the one that goes on with its sequence. */
static enum gruc_status choose_mask(struct gruc_checker *checker, struct gruc_layer *layer,
                                    const struct gruc_argument *argument, struct gruc_mask **onward)
{
    *onward = layer->input->mask;
    layer->mask = *onward;
    if (layer->mask_edge == NULL) {
        /* Keras 3 forgets a propagated mask beside an initial state, for this layer only. */
        if (checker->model->lineage == GRUC_KERAS3 && layer->recurrences[0].initial_state != NULL)
            layer->mask = NULL;
        return GRUC_OK;
    }
    check_mask(checker, layer, argument);
    GRUC_TRY(gruc_check_add_mask(checker, GRUC_MASK_TENSOR, layer->mask_edge, 0, argument->mark,
                                 onward));
    layer->mask = *onward;
    return GRUC_OK;
}

/* ---- results ---- */
static enum gruc_status add_parameters(struct gruc_checker *checker, uint64_t width,
                                       struct gruc_recurrence *recurrence)
{
    static const struct gruc_weight_arguments kernel = {GRUC_ARGUMENT_GRU_kernel_initializer,
                                                        GRUC_ARGUMENT_GRU_kernel_regularizer,
                                                        GRUC_ARGUMENT_GRU_kernel_constraint};
    static const struct gruc_weight_arguments recurrent = {GRUC_ARGUMENT_GRU_recurrent_initializer,
                                                           GRUC_ARGUMENT_GRU_recurrent_regularizer,
                                                           GRUC_ARGUMENT_GRU_recurrent_constraint};
    static const struct gruc_weight_arguments bias = {GRUC_ARGUMENT_GRU_bias_initializer,
                                                      GRUC_ARGUMENT_GRU_bias_regularizer,
                                                      GRUC_ARGUMENT_GRU_bias_constraint};
    const struct gruc_layer *gru = recurrence->layer;
    uint64_t units = (uint64_t)gruc_layer_integer(gru, GRUC_ARGUMENT_GRU_units);
    GRUC_TRY(gruc_check_add_parameter(checker, gru, recurrence->name, "kernel", width, 3 * units,
                                      &kernel, &recurrence->kernel));
    GRUC_TRY(gruc_check_add_parameter(checker, gru, recurrence->name, "recurrent_kernel", units,
                                      3 * units, &recurrent, &recurrence->recurrent_kernel));
    if (!flag(gru, GRUC_ARGUMENT_GRU_use_bias))
        return GRUC_OK;
    uint64_t rows = flag(gru, GRUC_ARGUMENT_GRU_reset_after) ? 2 : 0;
    return gruc_check_add_parameter(checker, gru, recurrence->name, "bias", rows, 3 * units, &bias,
                                    &recurrence->bias);
}

static void set_results(struct gruc_checker *checker, struct gruc_layer *layer, size_t children,
                        struct gruc_mask *onward, int time_major)
{
    uint64_t units[2] = {0, 0};
    for (size_t i = 0; i < children; i++)
        units[i] = (uint64_t)gruc_layer_integer(layer->recurrences[i].layer,
                                                GRUC_ARGUMENT_GRU_units);
    int sequences = flag(layer->recurrences[0].layer, GRUC_ARGUMENT_GRU_return_sequences);
    size_t outputs = layer->n_results - layer->n_states;
    int side_by_side = children == 2 && outputs == 1 && merges_side_by_side(layer);
    for (size_t i = 0; i < layer->n_results; i++) {
        int state = i >= outputs;
        struct gruc_dim width = {-1, units[state ? i - outputs : i]};
        struct gruc_dim dims[2] = {layer->input->dims[0], width};
        if (!state && side_by_side)
            dims[1].size = units[0] + units[1];
        int sequence = sequences && !state;
        gruc_check_set_shape(checker, layer, (unsigned)i, sequence ? 2 : 1,
                             sequence ? dims : &dims[1]);
        gruc_check_layout(checker, layer->results[i], sequence && time_major, layer->mark);
        layer->results[i]->mask = sequence ? onward : NULL;
    }
}

/* Where Keras, unrolled, zeroes outputs by the mask of the wrong order. */
static void warn_unroll(struct gruc_checker *checker, const struct gruc_layer *layer,
                        const struct gruc_recurrence *recurrence)
{
    const struct gruc_argument *unroll =
        gruc_layer_argument(recurrence->layer, GRUC_ARGUMENT_GRU_unroll);
    if (layer->mask != NULL && unroll->value.integer && recurrence->zero_output_for_mask &&
        recurrence->go_backwards &&
        flag(recurrence->layer, GRUC_ARGUMENT_GRU_return_sequences))
        gruc_diag_warning(checker->diag, GRUC_E_KERAS_UNROLL, unroll->mark,
                          "Keras, unrolled, zeroes the wrong steps of '%s'; gruc computes the rule",
                          recurrence->name);
}

static enum gruc_status check_children(struct gruc_checker *checker, struct gruc_layer *layer,
                                       size_t children, const struct gruc_argument *mask,
                                       const struct gruc_argument *states)
{
    const struct gruc_layer *first = layer->recurrences[0].layer;
    int time_major = checker->model->lineage != GRUC_KERAS3 &&
                     flag(first, GRUC_ARGUMENT_GRU_time_major);
    struct gruc_mask *onward;
    if (!check_input(checker, layer))
        return GRUC_OK;
    gruc_check_layout(checker, layer->input, time_major, layer->mark);
    if (layer->mask_edge != NULL)
        gruc_check_layout(checker, layer->mask_edge, time_major, mask->mark);
    GRUC_TRY(choose_mask(checker, layer, mask, &onward));
    for (size_t i = 0; i < children; i++) {
        struct gruc_recurrence *recurrence = &layer->recurrences[i];
        uint64_t width = gruc_check_dim(checker, layer->input->dims[1]).size;
        GRUC_TRY(add_parameters(checker, width, recurrence));
        warn_unroll(checker, layer, recurrence);
        if (recurrence->initial_state == NULL)
            continue;
        check_state(checker, recurrence->initial_state, &states->value.references.items[i],
                    gruc_layer_integer(recurrence->layer, GRUC_ARGUMENT_GRU_units));
        gruc_check_layout(checker, recurrence->initial_state, 0, states->mark);
    }
    set_results(checker, layer, children, onward, time_major);
    return GRUC_OK;
}

enum gruc_status gruc_check_recurrent(struct gruc_checker *checker, struct gruc_layer *layer)
{
    if (layer->kind == GRUC_LAYER_GRU) {
        layer->recurrences[0].layer = layer;
        layer->recurrences[0].name = layer->name;
        layer->recurrences[0].go_backwards = flag(layer, GRUC_ARGUMENT_GRU_go_backwards);
        layer->recurrences[0].zero_output_for_mask =
            flag(layer, GRUC_ARGUMENT_GRU_zero_output_for_mask);
        check_options(checker, layer, gruc_layer_argument(layer, GRUC_ARGUMENT_GRU_training));
        return check_children(checker, layer, 1,
                              gruc_layer_argument(layer, GRUC_ARGUMENT_GRU_mask),
                              gruc_layer_argument(layer, GRUC_ARGUMENT_GRU_initial_state));
    }
    const struct gruc_argument *training =
        gruc_layer_argument(layer, GRUC_ARGUMENT_BIDIRECTIONAL_training);
    GRUC_TRY(set_children(checker, layer));
    check_options(checker, layer->recurrences[0].layer, training);
    if (layer->recurrences[1].layer != layer->recurrences[0].layer)
        check_options(checker, layer->recurrences[1].layer, training);
    return check_children(checker, layer, 2,
                          gruc_layer_argument(layer, GRUC_ARGUMENT_BIDIRECTIONAL_mask),
                          gruc_layer_argument(layer, GRUC_ARGUMENT_BIDIRECTIONAL_initial_state));
}

void gruc_check_unroll(struct gruc_checker *checker, const struct gruc_layer *layer)
{
    if (checker->model->lineage == GRUC_KERAS3)
        return; /* it takes the steps of each call; a loop gives the same numbers */
    for (size_t i = 0; i < 2 && layer->recurrences[i].layer != NULL; i++) {
        const struct gruc_layer *gru = layer->recurrences[i].layer;
        const struct gruc_argument *unroll = gruc_layer_argument(gru, GRUC_ARGUMENT_GRU_unroll);
        if (!unroll->value.integer || !layer->input->known || layer->input->rank != 2 ||
            layer->input->dims[0].symbol < 0 || (i == 1 && gru == layer->recurrences[0].layer))
            continue;
        gruc_diag_error(checker->diag, GRUC_E_UNROLL_STEPS, unroll->mark,
                        "unroll needs a known number of steps, and that of '%s' is ~",
                        layer->input->name);
        gruc_diag_note(checker->diag, layer->input->mark,
                       "declare its steps, or compile with --steps=N");
    }
}

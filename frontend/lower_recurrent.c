/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "frontend/lower.h"
#include "ir/act.h"

static int flag(const struct gruc_layer *gru, enum gruc_argument_id id)
{
    return gruc_layer_integer(gru, id) != 0;
}

static enum gruc_state_rule rule_of(const struct gruc_lowering *lowering,
                                    const struct gruc_recurrence *recurrence)
{
    if (!flag(recurrence->layer, GRUC_ARGUMENT_GRU_stateful))
        return GRUC_STATE_CARRY;
    if (recurrence->initial_state == NULL)
        return GRUC_STATE_STATEFUL;
    return lowering->model->lineage == GRUC_KERAS3 ? GRUC_STATE_STATEFUL_GIVEN
                                                   : GRUC_STATE_STATEFUL_FIRST;
}

static void set_activations(const struct gruc_layer *layer, struct gruc_gru *gru)
{
    const struct gruc_activation *activation =
        &gruc_layer_argument(layer, GRUC_ARGUMENT_GRU_activation)->value.activation;
    const struct gruc_activation *recurrent =
        &gruc_layer_argument(layer, GRUC_ARGUMENT_GRU_recurrent_activation)->value.activation;
    gru->activation = gruc_ir_act_name(activation->act);
    gru->recurrent_activation = gruc_ir_act_name(recurrent->act);
    memcpy(gru->activation_parameters, activation->parameters, sizeof activation->parameters);
    memcpy(gru->recurrent_parameters, recurrent->parameters, sizeof recurrent->parameters);
}

/* The name of a slot: as a user would refer to the state, "b.forward". */
static enum gruc_status add_slots(struct gruc_lowering *lowering,
                                  const struct gruc_recurrence *recurrence, struct gruc_gru *gru)
{
    struct gruc_arena *arena = lowering->ir->arena;
    char *name = gruc_arena_text(arena, recurrence->name, strlen(recurrence->name));
    if (name == NULL)
        return GRUC_ERROR_MEMORY;
    char *slash = strchr(name, '/');
    if (slash != NULL)
        *slash = '.';
    gru->slot = gruc_ir_add_slot(lowering->ir, name, gru->units);
    gru->output_slot = GRUC_NONE;
    if (!gru->has_mask || !gru->has_initial_state || gru->rule != GRUC_STATE_CARRY ||
        gru->zero_output_for_mask)
        return GRUC_OK;
    const char *output = gruc_arena_format(arena, "%s.output", name);
    if (output == NULL)
        return GRUC_ERROR_MEMORY;
    gru->output_slot = gruc_ir_add_slot(lowering->ir, output, gru->units);
    return GRUC_OK;
}

/* Adds one gru operation; out are its results: sequence, last output, state. */
static enum gruc_status lower_recurrence(struct gruc_lowering *lowering,
                                         const struct gruc_layer *layer,
                                         const struct gruc_recurrence *recurrence,
                                         gruc_ref out[3])
{
    const struct gruc_layer *options = recurrence->layer;
    struct gruc_gru gru = {
        .name = recurrence->name,
        .units = (uint32_t)gruc_layer_integer(options, GRUC_ARGUMENT_GRU_units),
        .kernel = lowering->tensors[recurrence->kernel->index],
        .recurrent_kernel = lowering->tensors[recurrence->recurrent_kernel->index],
        .bias = recurrence->bias == NULL ? GRUC_NONE : lowering->tensors[recurrence->bias->index],
        .reset_after = flag(options, GRUC_ARGUMENT_GRU_reset_after),
        .use_bias = recurrence->bias != NULL,
        .return_sequences = flag(options, GRUC_ARGUMENT_GRU_return_sequences),
        .go_backwards = recurrence->go_backwards,
        .unroll = flag(options, GRUC_ARGUMENT_GRU_unroll) && layer->input->dims[0].symbol < 0,
        .zero_output_for_mask = recurrence->zero_output_for_mask,
        .has_mask = layer->mask != NULL,
        .has_initial_state = recurrence->initial_state != NULL,
        .rule = rule_of(lowering, recurrence),
        .cudnn_refusal = gruc_layer_cudnn_refusal(options),
    };
    gruc_ref operands[3] = {gruc_lower_plain(lowering, layer->input)};
    size_t count = 1;
    if (gru.has_mask)
        operands[count++] = gruc_lower_mask(lowering, layer->mask);
    if (gru.has_initial_state)
        operands[count++] = gruc_lower_plain(lowering, recurrence->initial_state);
    set_activations(options, &gru);
    GRUC_TRY(add_slots(lowering, recurrence, &gru));
    struct gruc_attribute number = {GRUC_ATTRIBUTE_GRU,
                                    {.integer = gruc_ir_add_gru(lowering->ir, &gru)}};
    gruc_ref op = gruc_build_op(&lowering->builder, GRUC_OP_GRU, operands, count, &number, 1,
                                GRUC_NONE);
    if (lowering->ir->failed)
        return GRUC_ERROR_MEMORY;
    memcpy(out, lowering->ir->ops[op].results, 3 * sizeof *out);
    return GRUC_OK;
}

static gruc_ref merge(struct gruc_lowering *lowering, const struct gruc_layer *layer,
                      gruc_ref forward, gruc_ref backward)
{
    struct gruc_builder *builder = &lowering->builder;
    gruc_ref both[2] = {forward, backward};
    switch (gruc_layer_integer(layer, GRUC_ARGUMENT_BIDIRECTIONAL_merge_mode)) {
    case GRUC_MERGE_SUM:
        return gruc_build_binary(builder, GRUC_OP_ADD, forward, backward);
    case GRUC_MERGE_MUL:
        return gruc_build_binary(builder, GRUC_OP_MUL, forward, backward);
    case GRUC_MERGE_AVE:
        return gruc_build_binary(builder, GRUC_OP_MUL,
                                 gruc_build_binary(builder, GRUC_OP_ADD, forward, backward),
                                 gruc_build_constant(builder, 0.5));
    default:
        return gruc_build_concat(builder, both, 2);
    }
}

enum gruc_status gruc_lower_recurrent(struct gruc_lowering *lowering,
                                      const struct gruc_layer *layer)
{
    gruc_ref made[2][3], values[4];
    size_t count = 0, children = layer->kind == GRUC_LAYER_BIDIRECTIONAL ? 2 : 1;
    int sequences = flag(layer->recurrences[0].layer, GRUC_ARGUMENT_GRU_return_sequences);
    for (size_t i = 0; i < children; i++)
        GRUC_TRY(lower_recurrence(lowering, layer, &layer->recurrences[i], made[i]));
    gruc_ref first = made[0][sequences ? 0 : 1];
    if (children == 1) {
        values[count++] = first;
    } else {
        gruc_ref second = made[1][sequences ? 0 : 1];
        if (sequences)
            second = gruc_build_unary(&lowering->builder, GRUC_OP_REVERSE, second);
        if (layer->n_results - layer->n_states == 1) {
            values[count++] = merge(lowering, layer, first, second);
        } else {
            values[count++] = first;
            values[count++] = second;
        }
    }
    for (size_t i = 0; i < layer->n_states; i++)
        values[count++] = made[i][2];
    for (size_t i = 0; i < count; i++)
        lowering->plain[layer->results[i]->index] = values[i];
    return GRUC_OK;
}

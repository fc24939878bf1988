/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "codegen/module_info.h"
#include "codegen/ref/ref.h"

static float *slot_of(const struct ref_program *program, unsigned char *state, size_t row,
                      size_t slot)
{
    return (float *)(void *)(state + row * program->info->state_bytes +
                             gruc_module_info_state(program->info, slot)->offset);
}

static uint32_t *started(const struct ref_program *program, unsigned char *state, size_t row)
{
    return (uint32_t *)(void *)(state + row * program->info->state_bytes +
                                GRUC_STATE_STARTED_OFFSET);
}

/* Over the whole batch, not the share of this call: a given state is for all rows or for none. */
void ref_find_used_slots(struct ref_call *call)
{
    const struct gruc_ir *ir = call->program->ir;
    for (size_t slot = 0; slot < ir->n_slots && call->args->state != NULL; slot++)
        for (size_t row = 0; row < call->args->batch && !call->slot_used[slot]; row++) {
            const float *values = slot_of(call->program, call->args->state, row, slot);
            for (uint32_t i = 0; i < ir->slots[slot].width; i++)
                call->slot_used[slot] |= values[i] != 0.0f;
        }
}

static int continues(const struct ref_call *call, const struct gruc_op *op, size_t row)
{
    int has_given = op->n_operands > 0;
    switch ((enum gruc_state_rule)gruc_op_integer(op, GRUC_ATTRIBUTE_RULE, 0)) {
    case GRUC_STATE_CARRY:
        return call->args->flags & GRUC_ARGS_CARRY &&
               *started(call->program, call->args->state, row) != 0;
    case GRUC_STATE_STATEFUL_FIRST:
        return !has_given || call->slot_used[gruc_op_integer(op, GRUC_ATTRIBUTE_SLOT, 0)];
    case GRUC_STATE_STATEFUL_GIVEN:
        return !has_given;
    case GRUC_STATE_STATEFUL:
        break;
    }
    return 1;
}

void ref_evaluate_initial_state(struct ref_call *call, const struct gruc_op *op)
{
    size_t slot = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_SLOT, 0);
    size_t width = call->program->ir->slots[slot].width;
    double *out = call->data[op->results[0]];
    for (size_t row = 0; row < call->rows; row++, out += width) {
        if (continues(call, op, call->first + row)) {
            const float *stored =
                slot_of(call->program, call->args->state, call->first + row, slot);
            for (size_t i = 0; i < width; i++)
                out[i] = stored[i];
        } else if (op->n_operands > 0) {
            struct ref_view given = ref_view(call, op->operands[0]);
            for (size_t i = 0; i < width; i++)
                out[i] = ref_view_at(&given, row, 0, i);
        } else {
            memset(out, 0, width * sizeof *out);
        }
    }
}

void ref_evaluate_final_state(struct ref_call *call, const struct gruc_op *op)
{
    if (gruc_op_integer(op, GRUC_ATTRIBUTE_RULE, 0) == GRUC_STATE_CARRY &&
        !(call->args->flags & GRUC_ARGS_CARRY))
        return;
    size_t slot = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_SLOT, 0);
    size_t width = call->program->ir->slots[slot].width;
    const double *values = call->data[op->operands[0]];
    size_t skipped = call->first - (size_t)call->args->first_row;
    for (size_t row = 0; row < call->rows; row++, values += width) {
        float *out = slot_of(call->program, call->state, skipped + row, slot);
        for (size_t i = 0; i < width; i++)
            out[i] = (float)values[i];
        if (call->args->flags & GRUC_ARGS_CARRY)
            *started(call->program, call->state, skipped + row) = 1;
    }
}

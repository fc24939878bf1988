/* SPDX-License-Identifier: MIT */
#include "codegen/module_info.h"

#include <string.h>

static void copy_name(char out[GRUC_ABI_NAME_BYTES], const char *name)
{
    size_t length = strlen(name);
    if (length >= GRUC_ABI_NAME_BYTES)
        length = GRUC_ABI_NAME_BYTES - 1;
    memcpy(out, name, length);
}

/* Whether an operation of region 0 that starts or stores a state is one whose stored state must be
 * seen for the whole batch before any row may start. */
static int is_coupled(const struct gruc_ir *ir, const struct gruc_op *op)
{
    if (op->code == GRUC_OP_GRU) {
        const struct gruc_gru *gru = &ir->grus[gruc_op_integer(op, GRUC_ATTRIBUTE_GRU, 0)];
        return gru->rule == GRUC_STATE_STATEFUL_FIRST && gru->has_initial_state;
    }
    return op->code == GRUC_OP_INITIAL_STATE && op->n_operands > 0 &&
           gruc_op_integer(op, GRUC_ATTRIBUTE_RULE, 0) == GRUC_STATE_STATEFUL_FIRST;
}

static int is_backward(const struct gruc_ir *ir, const struct gruc_op *op)
{
    return op->code == GRUC_OP_REVERSE ||
           (op->code == GRUC_OP_GRU &&
            ir->grus[gruc_op_integer(op, GRUC_ATTRIBUTE_GRU, 0)].go_backwards);
}

/* Whether a state that starts like this continues where the last call left it. */
static int rule_streams(int64_t rule, int has_given)
{
    return !has_given || rule == GRUC_STATE_CARRY;
}

static int reads(const struct gruc_ir *ir, const struct gruc_region *region, gruc_ref value)
{
    for (size_t i = 0; i < region->n_ops; i++) {
        const struct gruc_op *op = &ir->ops[region->ops[i]];
        for (uint32_t k = 0; k < op->n_operands; k++)
            if (op->operands[k] == value)
                return 1;
    }
    for (size_t i = 0; i < region->n_yields; i++)
        if (region->yields[i] == value)
            return 1;
    return 0;
}

/* Every value that a step gets from the one before must come from a state slot in the first. */
static int scan_streams(const struct gruc_ir *ir, const struct gruc_op *op)
{
    const struct gruc_region *region = &ir->regions[op->region];
    size_t scanned = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_SCANNED, 0);
    size_t carried = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_CARRIED, 0);
    for (size_t i = scanned; i < scanned + carried; i++) {
        const struct gruc_op *start = gruc_ir_def(ir, op->operands[i]);
        if ((start == NULL || start->code != GRUC_OP_INITIAL_STATE) &&
            reads(ir, region, region->arguments[i]))
            return 0;
    }
    return 1;
}

static int op_streams(const struct gruc_ir *ir, const struct gruc_op *op)
{
    switch (op->code) {
    case GRUC_OP_GRU: {
        const struct gruc_gru *gru = &ir->grus[gruc_op_integer(op, GRUC_ATTRIBUTE_GRU, 0)];
        int restarts_output = gru->has_mask && !gru->zero_output_for_mask &&
                              gru->output_slot == GRUC_NONE && gru->rule != GRUC_STATE_CARRY;
        return !restarts_output && rule_streams(gru->rule, gru->has_initial_state);
    }
    case GRUC_OP_INITIAL_STATE:
        return rule_streams(gruc_op_integer(op, GRUC_ATTRIBUTE_RULE, 0), op->n_operands > 0);
    case GRUC_OP_SCAN:
        return scan_streams(ir, op);
    case GRUC_OP_RESHAPE:
        return !((ir->values[op->operands[0]].type.axes | ir->values[op->results[0]].type.axes) &
                 GRUC_AXIS_STEPS);
    default:
        return 1;
    }
}

static int has_plain_steps(const struct gruc_ir *ir, const struct gruc_op *op)
{
    for (uint32_t i = 0; i < op->n_results; i++) {
        const struct gruc_type *type = &ir->values[op->results[i]].type;
        if (type->axes & GRUC_AXIS_STEPS && (type->steps.symbol < 0 || type->steps.factor != 1))
            return 0;
    }
    return 1;
}

static uint32_t module_flags(const struct gruc_ir *ir)
{
    uint32_t flags = ir->n_symbols > 0 ? GRUC_MODULE_STREAMING : 0;
    for (size_t i = 0; i < ir->n_symbols; i++)
        if (ir->symbols[i].steps != 0)
            flags &= ~GRUC_MODULE_STREAMING;
    const struct gruc_region *body = &ir->regions[0];
    for (size_t i = 0; i < body->n_ops; i++) {
        const struct gruc_op *op = &ir->ops[body->ops[i]];
        if (is_coupled(ir, op))
            flags |= GRUC_MODULE_COUPLED;
        if (is_backward(ir, op))
            flags |= GRUC_MODULE_BACKWARD;
        if (!op_streams(ir, op) || !has_plain_steps(ir, op))
            flags &= ~GRUC_MODULE_STREAMING;
    }
    return flags & GRUC_MODULE_BACKWARD ? flags & ~GRUC_MODULE_STREAMING : flags;
}

static uint64_t align(uint64_t bytes, uint64_t alignment)
{
    return (bytes + alignment - 1) / alignment * alignment;
}

/* Lays out a row's state structure; widths are 32 bits and slots are in memory, so no overflow. */
static uint64_t fill_states(const struct gruc_ir *ir, struct gruc_tensor_info *states)
{
    uint64_t offset = GRUC_STATE_SLOT_ALIGNMENT;
    for (size_t i = 0; i < ir->n_slots; i++) {
        copy_name(states[i].name, ir->slots[i].name);
        states[i].dtype = GRUC_FLOAT32;
        states[i].rank = 2;
        states[i].dims[0] = GRUC_DIM_BATCH;
        states[i].dims[1] = ir->slots[i].width;
        states[i].offset = offset;
        offset =
            align(offset + (uint64_t)ir->slots[i].width * sizeof(float), GRUC_STATE_SLOT_ALIGNMENT);
    }
    return ir->n_slots == 0 ? 0 : align(offset, GRUC_ABI_ALIGNMENT);
}

enum gruc_status gruc_module_info_build(const struct gruc_ir *ir, struct gruc_arena *arena,
                                        struct gruc_module_info **out, size_t *bytes)
{
    size_t n_tensors = ir->n_inputs + ir->n_outputs + ir->n_slots;
    size_t size;
    *out = NULL;
    if (__builtin_mul_overflow(n_tensors, sizeof(struct gruc_tensor_info), &size) ||
        size > UINT32_MAX - sizeof(struct gruc_module_info))
        return GRUC_ERROR_MEMORY;
    size += sizeof(struct gruc_module_info);
    struct gruc_module_info *info = gruc_arena_alloc(arena, 1, size);
    if (info == NULL)
        return GRUC_ERROR_MEMORY;
    info->magic = GRUC_ABI_MAGIC;
    info->abi = GRUC_ABI_VERSION;
    info->bytes = (uint32_t)size;
    info->flags = module_flags(ir);
    info->n_steps = (uint32_t)ir->n_symbols;
    info->n_inputs = (uint32_t)ir->n_inputs;
    info->n_outputs = (uint32_t)ir->n_outputs;
    info->n_states = (uint32_t)ir->n_slots;
    info->batch = ir->batch;
    for (size_t i = 0; i < ir->n_symbols; i++)
        info->steps[i] = ir->symbols[i].steps;
    copy_name(info->name, ir->name);
    struct gruc_tensor_info *tensors = (struct gruc_tensor_info *)(void *)(info + 1);
    for (size_t i = 0; i < ir->n_inputs; i++)
        *tensors++ = ir->inputs[i].info;
    for (size_t i = 0; i < ir->n_outputs; i++)
        *tensors++ = ir->outputs[i].info;
    info->state_bytes = fill_states(ir, tensors);
    *out = info;
    *bytes = size;
    return GRUC_OK;
}

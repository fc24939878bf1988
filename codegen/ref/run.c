/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "codegen/ref/ref.h"

/* Rows are computed together in groups of about this many numbers. */
enum { GROUP_NUMBERS = 1 << 23 };

static enum gruc_status check_arguments(const struct ref_program *program,
                                        const struct gruc_args *args)
{
    const struct gruc_module_info *info = program->info;
    const uint64_t *tail = (const uint64_t *)(const void *)(args + 1);
    if (args->abi != GRUC_ABI_VERSION)
        return GRUC_ERROR_ABI;
    if (info->batch != 0 && args->batch != info->batch)
        return GRUC_ERROR_BATCH;
    if (args->first_row > args->batch || args->row_count > args->batch - args->first_row)
        return GRUC_ERROR_ARGUMENT;
    for (uint32_t i = 0; i < info->n_steps; i++)
        if (tail[i] == 0 || (info->steps[i] != 0 && tail[i] != info->steps[i]))
            return GRUC_ERROR_STEPS;
    if (args->row_count == 0)
        return GRUC_OK;
    int needs_state = program->has_state_rule || (args->flags & GRUC_ARGS_CARRY);
    if (args->state == NULL && info->state_bytes != 0 && needs_state)
        return GRUC_ERROR_ARGUMENT;
    uint32_t n_arrays = info->n_inputs;
    if (!(args->flags & GRUC_ARGS_VALIDATE))
        n_arrays += info->n_outputs;
    for (uint32_t i = 0; i < n_arrays; i++)
        if (tail[info->n_steps + i] == 0)
            return GRUC_ERROR_ARGUMENT;
    return GRUC_OK;
}

/* Sizes of what a call keeps: numbers for each row, and numbers whatever the rows. */
struct sizes {
    size_t row, fixed;
    int overflow;
};

static void add_value(const struct ref_call *call, gruc_ref value, struct sizes *sizes)
{
    const struct gruc_type *type = &call->program->ir->values[value].type;
    size_t size, *sum = type->axes & GRUC_AXIS_ROWS ? &sizes->row : &sizes->fixed;
    if (call->program->constants[value] != NULL)
        return;
    uint64_t length = 1;
    if (type->axes & GRUC_AXIS_STEPS && type->steps.symbol >= 0)
        length = call->steps[type->steps.symbol];
    if (type->axes & GRUC_AXIS_STEPS)
        sizes->overflow |= __builtin_mul_overflow(length, type->steps.factor, &length);
    sizes->overflow |= __builtin_mul_overflow(length, type->width, &size);
    sizes->overflow |= __builtin_mul_overflow(size, type->rows, &size);
    sizes->overflow |= __builtin_add_overflow(*sum, size, sum);
}

static void place_value(struct ref_call *call, gruc_ref value, size_t *used)
{
    const struct gruc_type *type = &call->program->ir->values[value].type;
    call->data[value] = call->program->constants[value];
    if (call->data[value] != NULL)
        return;
    call->data[value] = call->memory + *used;
    *used += ref_rows(call, type) * ref_steps(call, type) * type->width;
}

/* Visits all values that the model's operations make; adds them up in sizes, or gives them a place
 * in memory when sizes is NULL. */
static void visit_values(struct ref_call *call, struct sizes *sizes, size_t *used)
{
    const struct gruc_ir *ir = call->program->ir;
    for (size_t r = 0; r < ir->n_regions; r++) {
        const struct gruc_region *region = &ir->regions[r];
        for (size_t i = 0; i < region->n_arguments; i++)
            sizes != NULL ? add_value(call, region->arguments[i], sizes)
                          : place_value(call, region->arguments[i], used);
        for (size_t i = 0; i < region->n_ops; i++) {
            const struct gruc_op *op = &ir->ops[region->ops[i]];
            for (uint32_t k = 0; k < op->n_results; k++)
                sizes != NULL ? add_value(call, op->results[k], sizes)
                              : place_value(call, op->results[k], used);
        }
    }
}

static enum gruc_status take_memory(struct ref_call *call)
{
    const struct gruc_ir *ir = call->program->ir;
    size_t row_count = (size_t)call->args->row_count, count, state_bytes;
    struct sizes sizes = {0};
    visit_values(call, &sizes, NULL);
    call->memory_rows = sizes.row == 0 ? row_count : GROUP_NUMBERS / sizes.row;
    if (call->memory_rows == 0)
        call->memory_rows = 1;
    if (call->memory_rows > row_count)
        call->memory_rows = row_count;
    if (sizes.overflow || __builtin_mul_overflow(call->memory_rows, sizes.row, &count) ||
        __builtin_add_overflow(count, sizes.fixed, &count) || count > SIZE_MAX / 16 ||
        __builtin_mul_overflow(row_count, call->program->info->state_bytes, &state_bytes))
        return GRUC_ERROR_MEMORY;
    call->data = calloc(ir->n_values, sizeof *call->data);
    call->memory = malloc(count * sizeof *call->memory + 1);
    call->slot_used = calloc(ir->n_slots + 1, 1);
    call->state = malloc(state_bytes + 1);
    if (call->data == NULL || call->memory == NULL || call->slot_used == NULL ||
        call->state == NULL)
        return GRUC_ERROR_MEMORY;
    if (call->args->state != NULL && state_bytes > 0)
        memcpy(call->state,
               (const unsigned char *)call->args->state +
                   call->args->first_row * call->program->info->state_bytes,
               state_bytes);
    return GRUC_OK;
}

static void begin_group(struct ref_call *call, size_t skipped)
{
    size_t left = (size_t)call->args->row_count - skipped, used = 0;
    call->first = (size_t)call->args->first_row + skipped;
    call->rows = left < call->memory_rows ? left : call->memory_rows;
    visit_values(call, NULL, &used);
}

static enum gruc_status validate_group(struct ref_call *call)
{
    const struct gruc_ir *ir = call->program->ir;
    for (size_t i = 0; i < ir->regions[0].n_ops; i++) {
        gruc_ref number = ir->regions[0].ops[i];
        if (gruc_opcode_reads_ids(ir->ops[number].code))
            GRUC_TRY(ref_check_ids(call, &ir->ops[number]));
        if (call->program->feeds_ids[number])
            GRUC_TRY(ref_evaluate_op(call, &ir->ops[number]));
    }
    return GRUC_OK;
}

static enum gruc_status compute_group(struct ref_call *call)
{
    GRUC_TRY(ref_evaluate_region(call, 0));
    for (uint32_t i = 0; i < call->program->info->n_outputs; i++)
        ref_write_output(call, i);
    return GRUC_OK;
}

static enum gruc_status run(struct ref_call *call)
{
    const struct gruc_args *args = call->args;
    GRUC_TRY(take_memory(call));
    for (size_t done = 0; call->program->has_embed && done < args->row_count; done += call->rows) {
        begin_group(call, done);
        GRUC_TRY(validate_group(call));
    }
    if (args->flags & GRUC_ARGS_VALIDATE)
        return GRUC_OK;
    ref_find_used_slots(call);
    for (size_t done = 0; done < args->row_count; done += call->rows) {
        begin_group(call, done);
        GRUC_TRY(compute_group(call));
    }
    uint64_t row_bytes = call->program->info->state_bytes;
    if (args->state != NULL && row_bytes > 0)
        memcpy((unsigned char *)args->state + args->first_row * row_bytes, call->state,
               args->row_count * row_bytes);
    return GRUC_OK;
}

int ref_run(void *context, const struct gruc_args *args)
{
    const struct ref_program *program = context;
    enum gruc_status status = check_arguments(program, args);
    if (status != GRUC_OK || args->row_count == 0)
        return status;
    struct ref_call call = {
        .program = program, .args = args, .steps = (const uint64_t *)(const void *)(args + 1)};
    status = run(&call);
    free(call.data);
    free(call.memory);
    free(call.slot_used);
    free(call.state);
    return status;
}

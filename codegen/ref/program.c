/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "codegen/module_info.h"
#include "codegen/ref/ref.h"
#include "codegen/trace.h"

static void release(void *context)
{
    struct ref_program *program = context;
    if (program == NULL)
        return;
    gruc_arena_finish(&program->arena);
    free(program);
}

static double *expand_param(struct ref_program *program, const struct gruc_op *op)
{
    const struct gruc_ir *ir = program->ir;
    const struct gruc_type *type = &ir->values[op->results[0]].type;
    const struct gruc_tensor *tensor = &ir->tensors[gruc_op_integer(op, GRUC_ATTRIBUTE_TENSOR, 0)];
    size_t row = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_ROW, 0);
    size_t column = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_COLUMN, 0);
    double *out = GRUC_NEW_ARRAY(&program->arena, double, (size_t)type->rows * type->width);
    for (size_t i = 0; out != NULL && i < type->rows; i++)
        for (size_t k = 0; k < type->width; k++)
            out[i * type->width + k] = tensor->data[(row + i) * tensor->columns + column + k];
    return out;
}

static double *expand_constant(struct ref_program *program, const struct gruc_op *op)
{
    double *out = GRUC_NEW(&program->arena, double);
    if (out != NULL)
        *out = gruc_op_number(op, GRUC_ATTRIBUTE_VALUE, 0.0);
    return out;
}

/* Copies weights and constants, after which the caller's tensors are no longer needed. */
static enum gruc_status prepare_constants(struct ref_program *program)
{
    const struct gruc_ir *ir = program->ir;
    program->constants = GRUC_NEW_ARRAY(&program->arena, double *, ir->n_values);
    if (program->constants == NULL)
        return GRUC_ERROR_MEMORY;
    for (size_t r = 0; r < ir->n_regions; r++)
        for (size_t i = 0; i < ir->regions[r].n_ops; i++) {
            const struct gruc_op *op = &ir->ops[ir->regions[r].ops[i]];
            if (op->code != GRUC_OP_PARAM && op->code != GRUC_OP_CONSTANT)
                continue;
            double *data = op->code == GRUC_OP_PARAM ? expand_param(program, op)
                                                     : expand_constant(program, op);
            if (data == NULL)
                return GRUC_ERROR_MEMORY;
            program->constants[op->results[0]] = data;
        }
    return GRUC_OK;
}

static void find_state_rule(struct ref_program *program)
{
    const struct gruc_ir *ir = program->ir;
    for (size_t i = 0; i < ir->regions[0].n_ops; i++) {
        const struct gruc_op *op = &ir->ops[ir->regions[0].ops[i]];
        if ((op->code == GRUC_OP_INITIAL_STATE || op->code == GRUC_OP_FINAL_STATE) &&
            gruc_op_integer(op, GRUC_ATTRIBUTE_RULE, 0) != GRUC_STATE_CARRY)
            program->has_state_rule = 1;
    }
}

/* Marks, from the last operation to the first, what the ids of embed operations depend on. */
static enum gruc_status find_feeders(struct ref_program *program)
{
    const struct gruc_ir *ir = program->ir;
    unsigned char *needed = GRUC_NEW_ARRAY(&program->arena, unsigned char, ir->n_values);
    program->feeds_ids = GRUC_NEW_ARRAY(&program->arena, unsigned char, ir->n_ops);
    if (needed == NULL || program->feeds_ids == NULL)
        return GRUC_ERROR_MEMORY;
    for (size_t i = ir->regions[0].n_ops; i-- > 0;) {
        gruc_ref number = ir->regions[0].ops[i];
        const struct gruc_op *op = &ir->ops[number];
        for (uint32_t k = 0; k < op->n_results; k++)
            program->feeds_ids[number] |= needed[op->results[k]];
        for (uint32_t k = 0; k < op->n_operands; k++)
            needed[op->operands[k]] |= program->feeds_ids[number];
        if (gruc_opcode_reads_ids(op->code)) {
            needed[op->operands[0]] = 1;
            program->has_embed = 1;
        }
    }
    return GRUC_OK;
}

static enum gruc_status build(struct ref_program *program, struct gruc_ir *ir,
                              const struct gruc_trace *trace, struct gruc_diag *diag)
{
    static const struct gruc_pass_options options = {.accuracy = GRUC_ACCURACY_ACCURATE};
    size_t bytes;
    GRUC_TRY(gruc_ir_read_tensors(ir, diag));
    GRUC_TRY(gruc_ir_clone(ir, &program->arena, &program->ir));
    GRUC_TRY(gruc_trace_passes(program->ir, GRUC_PASS_expand_gru, &options, trace, diag));
    GRUC_TRY(gruc_module_info_build(program->ir, &program->arena, &program->info, &bytes));
    program->info->row_group = 1;
    GRUC_TRY(prepare_constants(program));
    find_state_rule(program);
    return find_feeders(program);
}

static enum gruc_status jit(struct gruc_ir *ir, const struct gruc_target *target,
                            const struct gruc_trace *trace, struct gruc_diag *diag,
                            struct gruc_jit_code *out)
{
    (void)target;
    *out = (struct gruc_jit_code){0};
    struct ref_program *program = calloc(1, sizeof *program);
    if (program == NULL)
        return GRUC_ERROR_MEMORY;
    gruc_arena_init(&program->arena);
    enum gruc_status status = build(program, ir, trace, diag);
    if (status != GRUC_OK) {
        release(program);
        return status;
    }
    *out = (struct gruc_jit_code){
        .info = program->info, .run = ref_run, .release = release, .context = program};
    return GRUC_OK;
}

static const char *refuses(const struct gruc_ir *ir, const struct gruc_target *target)
{
    (void)ir;
    (void)target;
    return NULL;
}

const struct gruc_backend gruc_backend_ref = {
    .name = "ref",
    .help = "evaluates the IR in double precision; slow, what the others are compared with",
    .refuses = refuses,
    .jit = jit,
};

/* SPDX-License-Identifier: MIT */
#include "ir/build.h"

#include <string.h>

#include "ir/act.h"
#include "ir/opcode.h"
#include "ir/shape.h"

/* Memory may run out at any operation, but builders must answer something that can be used. So
 * value 0 is the constant result of operation 0, which stands in no region and has as many
 * references to that result as any operation may have results. */
enum { MOST_RESULTS = 4096 };

#define GROW(ir, items)                                                                            \
    gruc_arena_grow((ir)->arena, (void **)&(ir)->items, (ir)->n_##items, &(ir)->items##_capacity,  \
                    sizeof *(ir)->items)

static const struct gruc_type scalar = {GRUC_FLOAT32, 0, {-1, 1}, 1, 1};

enum gruc_status gruc_ir_create(struct gruc_arena *arena, const char *name, struct gruc_ir **out)
{
    *out = NULL;
    struct gruc_ir *ir = GRUC_NEW(arena, struct gruc_ir);
    if (ir == NULL)
        return GRUC_ERROR_MEMORY;
    ir->arena = arena;
    ir->name = gruc_arena_text(arena, name, strlen(name));
    gruc_ref *results = GRUC_NEW_ARRAY(arena, gruc_ref, MOST_RESULTS);
    struct gruc_attribute *attribute = GRUC_NEW(arena, struct gruc_attribute);
    if (ir->name == NULL || results == NULL || attribute == NULL || !GROW(ir, values) ||
        !GROW(ir, ops) || !GROW(ir, regions) || !GROW(ir, tensors) || !GROW(ir, grus) ||
        !GROW(ir, slots))
        return GRUC_ERROR_MEMORY;
    attribute->name = GRUC_ATTRIBUTE_VALUE;
    ir->ops[0] = (struct gruc_op){.code = GRUC_OP_CONSTANT,
                                  .n_results = 1,
                                  .n_attributes = 1,
                                  .results = results,
                                  .attributes = attribute,
                                  .region = GRUC_NONE};
    ir->values[0] = (struct gruc_value){.type = scalar};
    ir->n_ops = ir->n_values = ir->n_regions = 1;
    *out = ir;
    return GRUC_OK;
}

static gruc_ref fail(struct gruc_ir *ir)
{
    ir->failed = 1;
    return 0;
}

gruc_ref gruc_ir_add_region(struct gruc_ir *ir)
{
    if (!GROW(ir, regions))
        return fail(ir);
    ir->regions[ir->n_regions] = (struct gruc_region){0};
    return (gruc_ref)ir->n_regions++;
}

static gruc_ref add_value(struct gruc_ir *ir, struct gruc_type type, gruc_ref op, uint32_t index)
{
    if (!GROW(ir, values))
        return fail(ir);
    ir->values[ir->n_values] = (struct gruc_value){.type = type, .op = op, .index = index};
    return (gruc_ref)ir->n_values++;
}

gruc_ref gruc_ir_add_argument(struct gruc_ir *ir, gruc_ref region, struct gruc_type type)
{
    size_t count = ir->regions[region].n_arguments;
    gruc_ref *arguments = GRUC_NEW_ARRAY(ir->arena, gruc_ref, count + 1);
    if (arguments == NULL)
        return fail(ir);
    gruc_ref value = add_value(ir, type, GRUC_NONE, (uint32_t)count);
    if (count > 0)
        memcpy(arguments, ir->regions[region].arguments, count * sizeof *arguments);
    arguments[count] = value;
    ir->regions[region].arguments = arguments;
    ir->regions[region].n_arguments = count + 1;
    return value;
}

void *gruc_ir_copy(struct gruc_ir *ir, const void *items, size_t count, size_t size)
{
    void *result = gruc_arena_alloc(ir->arena, count, size);
    if (result == NULL)
        ir->failed = 1;
    else if (count > 0)
        memcpy(result, items, count * size);
    return result;
}

const char *gruc_ir_copy_text(struct gruc_ir *ir, const char *text)
{
    return text == NULL ? NULL : gruc_ir_copy(ir, text, strlen(text) + 1, 1);
}

void gruc_ir_set_yields(struct gruc_ir *ir, gruc_ref region, const gruc_ref *values, size_t count)
{
    gruc_ref *yields = gruc_ir_copy(ir, values, count, sizeof *values);
    ir->regions[region].yields = yields;
    ir->regions[region].n_yields = yields == NULL ? 0 : count;
}

gruc_ref gruc_ir_add_tensor(struct gruc_ir *ir, const char *name, uint32_t rows, uint32_t columns,
                            const float *data)
{
    const char *copied = gruc_ir_copy_text(ir, name);
    if (copied == NULL || !GROW(ir, tensors))
        return fail(ir);
    ir->tensors[ir->n_tensors] =
        (struct gruc_tensor){.name = copied, .rows = rows, .columns = columns, .data = data};
    return (gruc_ref)ir->n_tensors++;
}

gruc_ref gruc_ir_add_slot(struct gruc_ir *ir, const char *name, uint32_t width)
{
    const char *copied = gruc_ir_copy_text(ir, name);
    if (copied == NULL || !GROW(ir, slots))
        return fail(ir);
    ir->slots[ir->n_slots] = (struct gruc_slot){.name = copied, .width = width};
    return (gruc_ref)ir->n_slots++;
}

gruc_ref gruc_ir_add_gru(struct gruc_ir *ir, const struct gruc_gru *gru)
{
    struct gruc_gru copied = *gru;
    copied.name = gruc_ir_copy_text(ir, gru->name);
    copied.activation = gruc_ir_copy_text(ir, gru->activation);
    copied.recurrent_activation = gruc_ir_copy_text(ir, gru->recurrent_activation);
    copied.cudnn_refusal = gruc_ir_copy_text(ir, gru->cudnn_refusal);
    if (!GROW(ir, grus))
        return fail(ir);
    ir->grus[ir->n_grus] = copied;
    return (gruc_ref)ir->n_grus++;
}

void gruc_ir_add_port(struct gruc_ir *ir, int is_output, const struct gruc_port *port)
{
    struct gruc_port copied = *port;
    copied.name = gruc_ir_copy_text(ir, port->name);
    if (copied.name == NULL || !(is_output ? GROW(ir, outputs) : GROW(ir, inputs)))
        fail(ir);
    else if (is_output)
        ir->outputs[ir->n_outputs++] = copied;
    else
        ir->inputs[ir->n_inputs++] = copied;
}

static int fits(const struct gruc_op *op)
{
    const struct gruc_opcode_info *info = gruc_opcode_describe(op->code);
    return op->n_operands >= (uint32_t)info->least &&
           (info->most < 0 || op->n_operands <= (uint32_t)info->most);
}

/* Makes the results; op is not yet in ir, where it will be number. */
static int add_results(struct gruc_ir *ir, struct gruc_op *op, gruc_ref number,
                       const struct gruc_type *types)
{
    op->n_results = gruc_shape_results(ir, op);
    op->results = GRUC_NEW_ARRAY(ir->arena, gruc_ref, op->n_results);
    if (op->results == NULL || op->n_results > MOST_RESULTS)
        return 0;
    for (uint32_t i = 0; i < op->n_results; i++) {
        struct gruc_type type = types == NULL ? scalar : types[i];
        if (types == NULL && fits(op))
            gruc_shape_infer(ir, op, i, &type);
        op->results[i] = add_value(ir, type, number, i);
    }
    return !ir->failed;
}

gruc_ref gruc_build_op_like(struct gruc_builder *builder, const struct gruc_op *like,
                            const struct gruc_type *types)
{
    struct gruc_ir *ir = builder->ir;
    gruc_ref number = (gruc_ref)ir->n_ops;
    struct gruc_op op = *like;
    op.operands = gruc_ir_copy(ir, like->operands, like->n_operands, sizeof *like->operands);
    op.attributes =
        gruc_ir_copy(ir, like->attributes, like->n_attributes, sizeof *like->attributes);
    op.mark = builder->mark;
    if (ir->failed)
        return 0;
    for (uint32_t i = 0; i < op.n_attributes; i++)
        if (gruc_attribute_kind(op.attributes[i].name) == GRUC_KIND_TEXT)
            op.attributes[i].value.text = gruc_ir_copy_text(ir, op.attributes[i].value.text);
    struct gruc_region *region = &ir->regions[builder->region];
    if (ir->failed || !add_results(ir, &op, number, types) || !GROW(ir, ops) ||
        !gruc_arena_grow(ir->arena, (void **)&region->ops, region->n_ops, &region->ops_capacity,
                         sizeof *region->ops))
        return fail(ir);
    ir->ops[ir->n_ops++] = op;
    region->ops[region->n_ops++] = number;
    return number;
}

gruc_ref gruc_build_op(struct gruc_builder *builder, enum gruc_opcode code,
                       const gruc_ref *operands, size_t n_operands,
                       const struct gruc_attribute *attributes, size_t n_attributes,
                       gruc_ref region)
{
    /* The copy in the arena is what the IR keeps; these are only read. */
    struct gruc_op like = {.code = code,
                           .n_operands = (uint32_t)n_operands,
                           .n_attributes = (uint32_t)n_attributes,
                           .operands = (gruc_ref *)operands,
                           .attributes = (struct gruc_attribute *)attributes,
                           .region = region};
    return gruc_build_op_like(builder, &like, NULL);
}

gruc_ref gruc_build_value(struct gruc_builder *builder, enum gruc_opcode code,
                          const gruc_ref *operands, size_t n_operands,
                          const struct gruc_attribute *attributes, size_t n_attributes)
{
    gruc_ref op =
        gruc_build_op(builder, code, operands, n_operands, attributes, n_attributes, GRUC_NONE);
    return builder->ir->ops[op].results[0];
}

static gruc_ref build_typed(struct gruc_builder *builder, enum gruc_opcode code,
                            const gruc_ref *operand, struct gruc_attribute *attributes,
                            uint32_t n_attributes, const struct gruc_type *type)
{
    struct gruc_op like = {.code = code,
                           .n_operands = operand != NULL,
                           .n_attributes = n_attributes,
                           .operands = (gruc_ref *)operand,
                           .attributes = attributes,
                           .region = GRUC_NONE};
    gruc_ref op = gruc_build_op_like(builder, &like, type);
    return builder->ir->ops[op].results[0];
}

gruc_ref gruc_build_input(struct gruc_builder *builder, uint32_t index, struct gruc_type type)
{
    struct gruc_attribute attribute = {GRUC_ATTRIBUTE_INDEX, {.integer = index}};
    return build_typed(builder, GRUC_OP_INPUT, NULL, &attribute, 1, &type);
}

gruc_ref gruc_build_param(struct gruc_builder *builder, gruc_ref tensor, uint32_t row,
                          uint32_t rows, uint32_t column, uint32_t width)
{
    struct gruc_attribute attributes[] = {{GRUC_ATTRIBUTE_TENSOR, {.integer = tensor}},
                                          {GRUC_ATTRIBUTE_ROW, {.integer = row}},
                                          {GRUC_ATTRIBUTE_COLUMN, {.integer = column}}};
    struct gruc_type type = scalar;
    type.rows = rows;
    type.width = width;
    return build_typed(builder, GRUC_OP_PARAM, NULL, attributes, 3, &type);
}

gruc_ref gruc_build_constant(struct gruc_builder *builder, double value)
{
    struct gruc_attribute attribute = {GRUC_ATTRIBUTE_VALUE, {.number = value}};
    return build_typed(builder, GRUC_OP_CONSTANT, NULL, &attribute, 1, &scalar);
}

gruc_ref gruc_build_unary(struct gruc_builder *builder, enum gruc_opcode code, gruc_ref x)
{
    return gruc_build_value(builder, code, &x, 1, NULL, 0);
}

gruc_ref gruc_build_binary(struct gruc_builder *builder, enum gruc_opcode code, gruc_ref a,
                           gruc_ref b)
{
    const gruc_ref operands[] = {a, b};
    return gruc_build_value(builder, code, operands, 2, NULL, 0);
}

gruc_ref gruc_build_select(struct gruc_builder *builder, gruc_ref condition, gruc_ref yes,
                           gruc_ref no)
{
    const gruc_ref operands[] = {condition, yes, no};
    return gruc_build_value(builder, GRUC_OP_SELECT, operands, 3, NULL, 0);
}

gruc_ref gruc_build_matmul(struct gruc_builder *builder, gruc_ref x, gruc_ref weight, gruc_ref bias)
{
    const gruc_ref operands[] = {x, weight, bias};
    return gruc_build_value(builder, GRUC_OP_MATMUL, operands, bias == GRUC_NONE ? 2 : 3, NULL, 0);
}

gruc_ref gruc_build_act(struct gruc_builder *builder, gruc_ref x, const char *act,
                        const double parameters[3])
{
    static const enum gruc_attribute_name names[] = {GRUC_ATTRIBUTE_ALPHA, GRUC_ATTRIBUTE_BETA,
                                                     GRUC_ATTRIBUTE_GAMMA};
    struct gruc_attribute attributes[4] = {{GRUC_ATTRIBUTE_ACT, {.text = act}}};
    const struct gruc_act *row = gruc_ir_act_find(act);
    size_t count = row == NULL ? 0 : row->parameter_count;
    for (size_t i = 0; i < count; i++) {
        attributes[1 + i].name = names[i];
        attributes[1 + i].value.number =
            parameters == NULL ? row->parameters[i].initial : parameters[i];
    }
    return gruc_build_value(builder, GRUC_OP_ACT, &x, 1, attributes, 1 + count);
}

gruc_ref gruc_build_concat(struct gruc_builder *builder, const gruc_ref *values, size_t count)
{
    return gruc_build_value(builder, GRUC_OP_CONCAT, values, count, NULL, 0);
}

gruc_ref gruc_build_reshape(struct gruc_builder *builder, gruc_ref x, struct gruc_type type)
{
    return build_typed(builder, GRUC_OP_RESHAPE, &x, NULL, 0, &type);
}

/* SPDX-License-Identifier: MIT */
#include "ir/build.h"
#include "ir/opcode.h"

#define COPY_LIST(ir, items)                                                                       \
    ((ir)->items = gruc_ir_copy((ir), (ir)->items, (ir)->n_##items, sizeof *(ir)->items),          \
     (ir)->items##_capacity = (ir)->n_##items)

static void copy_op(struct gruc_ir *ir, struct gruc_op *op)
{
    op->operands = gruc_ir_copy(ir, op->operands, op->n_operands, sizeof *op->operands);
    op->results = gruc_ir_copy(ir, op->results, op->n_results, sizeof *op->results);
    op->attributes = gruc_ir_copy(ir, op->attributes, op->n_attributes, sizeof *op->attributes);
    for (uint32_t i = 0; i < op->n_attributes && !ir->failed; i++) {
        struct gruc_attribute *attribute = &op->attributes[i];
        if (gruc_attribute_kind(attribute->name) == GRUC_KIND_TEXT)
            attribute->value.text = gruc_ir_copy_text(ir, attribute->value.text);
    }
}

static void copy_region(struct gruc_ir *ir, struct gruc_region *region)
{
    region->arguments = gruc_ir_copy(ir, region->arguments, region->n_arguments, sizeof(gruc_ref));
    region->ops = gruc_ir_copy(ir, region->ops, region->n_ops, sizeof(gruc_ref));
    region->ops_capacity = region->n_ops;
    region->yields = gruc_ir_copy(ir, region->yields, region->n_yields, sizeof(gruc_ref));
}

static void copy_names(struct gruc_ir *ir)
{
    for (size_t i = 0; i < ir->n_values; i++)
        ir->values[i].name = gruc_ir_copy_text(ir, ir->values[i].name);
    for (size_t i = 0; i < ir->n_tensors; i++)
        ir->tensors[i].name = gruc_ir_copy_text(ir, ir->tensors[i].name);
    for (size_t i = 0; i < ir->n_slots; i++)
        ir->slots[i].name = gruc_ir_copy_text(ir, ir->slots[i].name);
    for (size_t i = 0; i < ir->n_inputs; i++)
        ir->inputs[i].name = gruc_ir_copy_text(ir, ir->inputs[i].name);
    for (size_t i = 0; i < ir->n_outputs; i++)
        ir->outputs[i].name = gruc_ir_copy_text(ir, ir->outputs[i].name);
    for (size_t i = 0; i < ir->n_symbols; i++)
        ir->symbols[i].name = gruc_ir_copy_text(ir, ir->symbols[i].name);
    for (size_t i = 0; i < ir->n_grus; i++) {
        struct gruc_gru *gru = &ir->grus[i];
        gru->name = gruc_ir_copy_text(ir, gru->name);
        gru->activation = gruc_ir_copy_text(ir, gru->activation);
        gru->recurrent_activation = gruc_ir_copy_text(ir, gru->recurrent_activation);
        gru->cudnn_refusal = gruc_ir_copy_text(ir, gru->cudnn_refusal);
    }
}

enum gruc_status gruc_ir_clone(const struct gruc_ir *ir, struct gruc_arena *arena,
                               struct gruc_ir **out)
{
    *out = NULL;
    struct gruc_ir *clone = GRUC_NEW(arena, struct gruc_ir);
    if (clone == NULL || ir->failed)
        return GRUC_ERROR_MEMORY;
    *clone = *ir;
    clone->arena = arena;
    clone->name = gruc_ir_copy_text(clone, ir->name);
    COPY_LIST(clone, values);
    COPY_LIST(clone, ops);
    COPY_LIST(clone, regions);
    COPY_LIST(clone, tensors);
    COPY_LIST(clone, grus);
    COPY_LIST(clone, slots);
    COPY_LIST(clone, inputs);
    COPY_LIST(clone, outputs);
    if (!clone->failed)
        copy_names(clone);
    for (size_t i = 0; i < clone->n_ops && !clone->failed; i++)
        copy_op(clone, &clone->ops[i]);
    for (size_t i = 0; i < clone->n_regions && !clone->failed; i++)
        copy_region(clone, &clone->regions[i]);
    if (clone->failed)
        return GRUC_ERROR_MEMORY;
    *out = clone;
    return GRUC_OK;
}

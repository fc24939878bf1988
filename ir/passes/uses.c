/* SPDX-License-Identifier: MIT */
#include "ir/passes/uses.h"

static void count(uint32_t *uses, const gruc_ref *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        uses[values[i]]++;
}

static void count_scan(const struct gruc_ir *ir, const struct gruc_op *scan, uint32_t *uses)
{
    const struct gruc_region *region = &ir->regions[scan->region];
    size_t scanned = (size_t)gruc_op_integer(scan, GRUC_ATTRIBUTE_SCANNED, 0);
    size_t carried = (size_t)gruc_op_integer(scan, GRUC_ATTRIBUTE_CARRIED, 0);
    for (size_t i = 0; i < region->n_ops; i++) /* scans do not nest */
        count(uses, ir->ops[region->ops[i]].operands, ir->ops[region->ops[i]].n_operands);
    count(uses, region->yields, region->n_yields);
    for (size_t i = 0; i < region->n_arguments; i++)
        if (uses[region->arguments[i]] > 0 || (i >= scanned && i < scanned + carried))
            uses[scan->operands[i]]++;
}

uint32_t *gruc_count_uses(const struct gruc_ir *ir)
{
    uint32_t *uses = GRUC_NEW_ARRAY(ir->arena, uint32_t, ir->n_values);
    const struct gruc_region *body = &ir->regions[0];
    if (uses == NULL)
        return NULL;
    for (size_t i = 0; i < body->n_ops; i++) {
        const struct gruc_op *op = &ir->ops[body->ops[i]];
        if (op->code == GRUC_OP_SCAN)
            count_scan(ir, op, uses);
        else
            count(uses, op->operands, op->n_operands);
    }
    for (size_t i = 0; i < ir->n_outputs; i++)
        uses[ir->outputs[i].value]++;
    return uses;
}

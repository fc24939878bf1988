/* SPDX-License-Identifier: MIT */
/* Removes operations, and the sequences and arguments of scans, that no output or stored state
 * depends on. Walks backwards once, so uses are seen before definitions. */
#include "ir/passes/passes.h"

#include <string.h>

static void mark_used(unsigned char *used, const gruc_ref *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        used[values[i]] = 1;
}

static int has_used_result(const struct gruc_op *op, const unsigned char *used)
{
    for (size_t i = 0; i < op->n_results; i++)
        if (used[op->results[i]])
            return 1;
    return op->code == GRUC_OP_FINAL_STATE || op->code == GRUC_OP_INPUT; /* callers pass it */
}

/* Takes element i out of an array of count references. */
static void take_out(gruc_ref *items, size_t count, size_t i)
{
    memmove(items + i, items + i + 1, (count - i - 1) * sizeof *items);
}

static void drop_unused_sequences(struct gruc_ir *ir, struct gruc_op *scan,
                                  const unsigned char *used)
{
    struct gruc_region *region = &ir->regions[scan->region];
    size_t carried = (size_t)gruc_op_integer(scan, GRUC_ATTRIBUTE_CARRIED, 0);
    for (size_t i = scan->n_results; i > carried; i--) {
        if (used[scan->results[i - 1]])
            continue;
        take_out(region->yields, region->n_yields--, i - 1);
        take_out(scan->results, scan->n_results--, i - 1);
    }
    for (size_t i = 0; i < scan->n_results; i++)
        ir->values[scan->results[i]].index = (uint32_t)i;
}

static void drop_unused_arguments(struct gruc_ir *ir, struct gruc_op *scan,
                                  const unsigned char *used)
{
    struct gruc_region *region = &ir->regions[scan->region];
    int64_t scanned = gruc_op_integer(scan, GRUC_ATTRIBUTE_SCANNED, 0);
    int64_t carried = gruc_op_integer(scan, GRUC_ATTRIBUTE_CARRIED, 0);
    for (size_t i = region->n_arguments; i > 0; i--) {
        size_t at = i - 1;
        int is_carried = (int64_t)at >= scanned && (int64_t)at < scanned + carried;
        if (used[region->arguments[at]] || is_carried)
            continue;
        if ((int64_t)at < scanned)
            scanned--;
        take_out(region->arguments, region->n_arguments--, at);
        take_out(scan->operands, scan->n_operands--, at);
    }
    for (size_t i = 0; i < scan->n_attributes; i++)
        if (scan->attributes[i].name == GRUC_ATTRIBUTE_SCANNED)
            scan->attributes[i].value.integer = scanned;
    for (size_t i = 0; i < region->n_arguments; i++)
        ir->values[region->arguments[i]].index = (uint32_t)i;
}

static void clean_region(struct gruc_ir *ir, gruc_ref region_ref, unsigned char *used)
{
    struct gruc_region *region = &ir->regions[region_ref];
    mark_used(used, region->yields, region->n_yields);
    size_t kept = region->n_ops;
    for (size_t i = region->n_ops; i > 0; i--) {
        struct gruc_op *op = &ir->ops[region->ops[i - 1]];
        if (!has_used_result(op, used))
            continue;
        if (op->code == GRUC_OP_SCAN) {
            drop_unused_sequences(ir, op, used);
            clean_region(ir, op->region, used);
            drop_unused_arguments(ir, op, used);
        }
        mark_used(used, op->operands, op->n_operands);
        region->ops[--kept] = region->ops[i - 1];
    }
    memmove(region->ops, region->ops + kept, (region->n_ops - kept) * sizeof *region->ops);
    region->n_ops -= kept;
}

enum gruc_status gruc_pass_remove_dead(struct gruc_ir *ir, const struct gruc_pass_options *options,
                                       struct gruc_diag *diag)
{
    (void)options;
    (void)diag;
    unsigned char *used = GRUC_NEW_ARRAY(ir->arena, unsigned char, ir->n_values);
    if (used == NULL)
        return GRUC_ERROR_MEMORY;
    for (size_t i = 0; i < ir->n_outputs; i++)
        used[ir->outputs[i].value] = 1;
    clean_region(ir, 0, used);
    return GRUC_OK;
}

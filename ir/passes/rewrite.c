/* SPDX-License-Identifier: MIT */
#include "ir/passes/rewrite.h"

enum gruc_status gruc_rewrite_begin(struct gruc_ir *ir, gruc_ref region,
                                    struct gruc_rewrite *rewrite)
{
    struct gruc_region *list = &ir->regions[region];
    *rewrite = (struct gruc_rewrite){.builder = {.ir = ir, .region = region}};
    rewrite->old_ops = list->ops;
    rewrite->n_old = list->n_ops;
    rewrite->n_replacement = ir->n_values;
    rewrite->replacement = GRUC_NEW_ARRAY(ir->arena, gruc_ref, ir->n_values);
    if (rewrite->replacement == NULL)
        return GRUC_ERROR_MEMORY;
    for (size_t i = 0; i < ir->n_values; i++)
        rewrite->replacement[i] = (gruc_ref)i;
    list->ops = NULL;
    list->n_ops = list->ops_capacity = 0;
    return GRUC_OK;
}

static void replace_all(const struct gruc_rewrite *rewrite, gruc_ref *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (values[i] < rewrite->n_replacement)
            values[i] = rewrite->replacement[values[i]];
}

struct gruc_op *gruc_rewrite_op(struct gruc_rewrite *rewrite, size_t i)
{
    struct gruc_op *op = &rewrite->builder.ir->ops[rewrite->old_ops[i]];
    replace_all(rewrite, op->operands, op->n_operands);
    rewrite->builder.mark = op->mark;
    return op;
}

void gruc_rewrite_keep(struct gruc_rewrite *rewrite, size_t i)
{
    struct gruc_ir *ir = rewrite->builder.ir;
    struct gruc_region *region = &ir->regions[rewrite->builder.region];
    if (!gruc_arena_grow(ir->arena, (void **)&region->ops, region->n_ops, &region->ops_capacity,
                         sizeof *region->ops)) {
        ir->failed = 1;
        return;
    }
    region->ops[region->n_ops++] = rewrite->old_ops[i];
}

void gruc_rewrite_replace(struct gruc_rewrite *rewrite, gruc_ref old, gruc_ref fresh)
{
    rewrite->replacement[old] = fresh;
}

void gruc_rewrite_finish(struct gruc_rewrite *rewrite)
{
    struct gruc_ir *ir = rewrite->builder.ir;
    struct gruc_region *region = &ir->regions[rewrite->builder.region];
    replace_all(rewrite, region->yields, region->n_yields);
    if (rewrite->builder.region == 0)
        for (size_t i = 0; i < ir->n_outputs; i++)
            replace_all(rewrite, &ir->outputs[i].value, 1);
}

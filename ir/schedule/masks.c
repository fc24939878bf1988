/* SPDX-License-Identifier: MIT */
/* Masks. Where a step's mask is false, most scans only repeat what is already there: every value
 * they yield is a carried one or a constant. Such a scan gets a second list of stages, for masked
 * steps, which copies and multiplies nothing. A stage whose results are read by steps with a true
 * mask only, a product or the copy of an input to its tile, is computed for those. */
#include "ir/build.h"
#include "ir/schedule/scheduler.h"

/* What value is when mask is false: an argument of the region or a constant; else GRUC_NONE. */
static gruc_ref when_masked(const struct gruc_ir *ir, gruc_ref value, gruc_ref mask)
{
    for (;;) {
        const struct gruc_op *op = gruc_ir_def(ir, value);
        if (op == NULL || op->code == GRUC_OP_CONSTANT)
            return value;
        if (op->code == GRUC_OP_COPY)
            value = op->operands[0];
        else if (op->code == GRUC_OP_SELECT && op->operands[0] == mask)
            value = op->operands[2];
        else
            return GRUC_NONE;
    }
}

static int all_known_when_masked(const struct gruc_ir *ir, const struct gruc_region *region,
                                 gruc_ref mask)
{
    for (size_t i = 0; i < region->n_yields; i++)
        if (when_masked(ir, region->yields[i], mask) == GRUC_NONE)
            return 0;
    return 1;
}

/* The index of the scanned operand that masks the scan; GRUC_NONE when none does. */
static gruc_ref find_mask(const struct gruc_ir *ir, const struct gruc_op *scan)
{
    const struct gruc_region *region = &ir->regions[scan->region];
    size_t scanned = (size_t)gruc_op_integer(scan, GRUC_ATTRIBUTE_SCANNED, 0);
    for (size_t i = 0; i < scanned; i++) {
        const struct gruc_type *type = &ir->values[region->arguments[i]].type;
        if (type->dtype == GRUC_BOOL && type->width == 1 &&
            all_known_when_masked(ir, region, region->arguments[i]))
            return (gruc_ref)i;
    }
    return GRUC_NONE;
}

/* The region of a masked step: a copy for each value the scan yields. */
static enum gruc_status add_masked_region(struct gruc_ir *ir, gruc_ref scanned_region,
                                          gruc_ref mask, gruc_ref *out)
{
    *out = gruc_ir_add_region(ir);
    if (ir->failed)
        return GRUC_ERROR_MEMORY;
    struct gruc_builder builder = {.ir = ir, .region = *out};
    size_t count = ir->regions[scanned_region].n_yields;
    gruc_ref *yields = GRUC_NEW_ARRAY(ir->arena, gruc_ref, count);
    if (yields == NULL)
        return GRUC_ERROR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        gruc_ref value = ir->regions[scanned_region].yields[i];
        yields[i] = GRUC_NONE;
        for (size_t k = 0; k < i; k++)
            if (ir->regions[scanned_region].yields[k] == value)
                yields[i] = yields[k];
        if (yields[i] == GRUC_NONE)
            yields[i] = gruc_build_unary(&builder, GRUC_OP_COPY, when_masked(ir, value, mask));
        if (ir->failed)
            return GRUC_ERROR_MEMORY;
        ir->values[yields[i]].type = ir->values[value].type; /* a constant is narrower */
    }
    gruc_ir_set_yields(ir, *out, yields, count);
    return ir->failed ? GRUC_ERROR_MEMORY : GRUC_OK;
}

static enum gruc_status split_scan(struct gruc_scheduler *s, struct gruc_stage *stage)
{
    struct gruc_ir *ir = s->ir;
    const struct gruc_op *scan = &ir->ops[stage->ops[0]];
    gruc_ref index = find_mask(ir, scan), scanned = scan->region;
    if (index == GRUC_NONE)
        return GRUC_OK;
    stage->mask = scan->operands[index];
    stage->masked = GRUC_NEW(ir->arena, struct gruc_group);
    if (stage->masked == NULL)
        return GRUC_ERROR_MEMORY;
    GRUC_TRY(add_masked_region(ir, scanned, ir->regions[scanned].arguments[index],
                               &stage->masked_region));
    gruc_scheduler_cover(s);
    const struct gruc_region *region = &ir->regions[stage->masked_region];
    return gruc_schedule_stages(s, stage->masked, region->ops, region->n_ops);
}

/* ---- stages for valid steps only ---- */

static int region_reads(const struct gruc_ir *ir, gruc_ref region, gruc_ref value)
{
    for (size_t i = 0; i < ir->regions[region].n_ops; i++) {
        const struct gruc_op *op = &ir->ops[ir->regions[region].ops[i]];
        for (size_t k = 0; k < op->n_operands; k++)
            if (op->operands[k] == value)
                return 1;
    }
    return 0;
}

static const struct gruc_stage *stage_of(const struct gruc_group *group, gruc_ref op)
{
    for (size_t i = 0; i < group->n_stages; i++)
        for (size_t k = 0; k < group->stages[i].n_ops; k++)
            if (group->stages[i].ops[k] == op)
                return &group->stages[i];
    return NULL;
}

/* The mask under which the operation reads value, GRUC_NONE when it reads it at every step. */
static gruc_ref reading_mask(const struct gruc_ir *ir, const struct gruc_group *group,
                             const struct gruc_stage *maker, gruc_ref op_ref, gruc_ref value)
{
    const struct gruc_op *op = &ir->ops[op_ref];
    const struct gruc_stage *reader = stage_of(group, op_ref);
    if (reader == NULL)
        return GRUC_NONE;
    if (op->code != GRUC_OP_SCAN)
        return reader == maker ? GRUC_NONE : reader->valid_only;
    size_t scanned = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_SCANNED, 0);
    for (size_t i = 0; i < op->n_operands; i++)
        if (op->operands[i] == value &&
            (i >= scanned || reader->mask == GRUC_NONE ||
             region_reads(ir, reader->masked_region, ir->regions[op->region].arguments[i])))
            return GRUC_NONE;
    return reader->mask;
}

/* Whether all outside its stage reads value under one mask, *mask unless that is none yet. */
static int is_read_under(const struct gruc_ir *ir, const struct gruc_group *group,
                         const struct gruc_stage *maker, gruc_ref value, gruc_ref *mask)
{
    for (size_t i = 0; i < ir->n_outputs; i++)
        if (ir->outputs[i].value == value)
            return 0;
    for (size_t i = 0; i < ir->regions[0].n_ops; i++) {
        gruc_ref op_ref = ir->regions[0].ops[i];
        const struct gruc_op *op = &ir->ops[op_ref];
        for (size_t k = 0; k < op->n_operands; k++) {
            if (op->operands[k] != value || stage_of(group, op_ref) == maker)
                continue;
            gruc_ref now = reading_mask(ir, group, maker, op_ref, value);
            if (now == GRUC_NONE || (*mask != GRUC_NONE && now != *mask))
                return 0;
            *mask = now;
        }
    }
    return 1;
}

/* A mask is known before a stage when no stage from it on makes it. */
static int is_known_before(const struct gruc_ir *ir, const struct gruc_group *group, size_t index,
                           gruc_ref mask)
{
    for (size_t i = index; i < group->n_stages; i++)
        for (size_t k = 0; k < group->stages[i].n_ops; k++) {
            const struct gruc_op *op = &ir->ops[group->stages[i].ops[k]];
            for (size_t n = 0; n < op->n_results; n++)
                if (op->results[n] == mask)
                    return 0;
        }
    return 1;
}

/* Whether a row of the stage is worth more than looking up which rows are valid. */
static int is_worth_a_list(const struct gruc_stage *stage)
{
    enum { LEAST_WIDTH = 16 };
    int has_rows = stage->kind == GRUC_STAGE_SWEEP || stage->kind == GRUC_STAGE_EMBED ||
                   stage->kind == GRUC_STAGE_QUANTIZE;
    return stage->n_products > 0 || (has_rows && stage->width >= LEAST_WIDTH);
}

static void limit_stage(const struct gruc_ir *ir, const struct gruc_group *group, size_t index)
{
    struct gruc_stage *stage = &group->stages[index];
    if (!is_worth_a_list(stage))
        return;
    gruc_ref mask = GRUC_NONE;
    for (size_t i = 0; i < stage->n_ops; i++) {
        const struct gruc_op *op = &ir->ops[stage->ops[i]];
        for (size_t k = 0; k < op->n_results; k++)
            if (!is_read_under(ir, group, stage, op->results[k], &mask))
                return;
    }
    if (mask != GRUC_NONE && is_known_before(ir, group, index, mask))
        stage->valid_only = mask;
}

enum gruc_status gruc_schedule_masks(struct gruc_scheduler *s)
{
    struct gruc_schedule *schedule = s->schedule;
    for (size_t g = 0; g < schedule->n_groups; g++) {
        struct gruc_group *group = &schedule->groups[g];
        for (size_t i = 0; i < group->n_stages; i++)
            if (group->stages[i].kind == GRUC_STAGE_SCAN)
                GRUC_TRY(split_scan(s, &group->stages[i]));
        for (size_t i = group->n_stages; group->is_sweep && i > 0; i--)
            limit_stage(s->ir, group, i - 1);
    }
    return GRUC_OK;
}

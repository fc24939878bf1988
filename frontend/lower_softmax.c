/* SPDX-License-Identifier: MIT */
/* Softmax along the steps: one scan for the largest value, one for exponentials and their sum. */
#include <math.h>

#include "frontend/lower.h"

/* A region whose arguments are count of these: the step of x, a carried value, a value of all
 * steps. */
static struct gruc_builder begin_scan(struct gruc_lowering *lowering, struct gruc_type step,
                                      int count, gruc_ref *arguments)
{
    struct gruc_ir *ir = lowering->ir;
    struct gruc_builder inner = {ir, gruc_ir_add_region(ir), lowering->builder.mark};
    for (int i = 0; i < count; i++)
        arguments[i] = gruc_ir_add_argument(ir, inner.region, step);
    return inner;
}

/* The scan's results: the last carried value, then a sequence if a second value is yielded. */
static void end_scan(struct gruc_lowering *lowering, const struct gruc_builder *inner,
                     const gruc_ref *operands, size_t n_operands, const gruc_ref *yields,
                     size_t n_yields, gruc_ref *out)
{
    struct gruc_attribute attributes[] = {
        {GRUC_ATTRIBUTE_SCANNED, {.integer = 1}},
        {GRUC_ATTRIBUTE_CARRIED, {.integer = 1}},
        {GRUC_ATTRIBUTE_UNROLL, {.integer = 0}},
    };
    gruc_ir_set_yields(lowering->ir, inner->region, yields, n_yields);
    gruc_ref op = gruc_build_op(&lowering->builder, GRUC_OP_SCAN, operands, n_operands, attributes,
                                3, inner->region);
    for (size_t i = 0; i < n_yields; i++) /* without memory there may be no results */
        out[i] = lowering->ir->failed ? operands[0] : lowering->ir->ops[op].results[i];
}

gruc_ref gruc_lower_softmax_over_steps(struct gruc_lowering *lowering, gruc_ref x)
{
    struct gruc_builder *outer = &lowering->builder;
    struct gruc_type step = lowering->ir->values[x].type;
    step.axes &= ~(unsigned)GRUC_AXIS_STEPS;
    step.steps = (struct gruc_steps){.symbol = -1, .factor = 1};

    gruc_ref arguments[3], operands[3] = {x, gruc_build_constant(outer, -(double)INFINITY)};
    struct gruc_builder inner = begin_scan(lowering, step, 2, arguments);
    gruc_ref larger = gruc_build_binary(&inner, GRUC_OP_MAX, arguments[1], arguments[0]);
    end_scan(lowering, &inner, operands, 2, &larger, 1, &operands[2]);

    operands[1] = gruc_build_constant(outer, 0.0);
    inner = begin_scan(lowering, step, 3, arguments);
    gruc_ref shifted = gruc_build_binary(&inner, GRUC_OP_SUB, arguments[0], arguments[2]);
    gruc_ref e = gruc_build_unary(&inner, GRUC_OP_EXP, shifted);
    gruc_ref yields[2] = {gruc_build_binary(&inner, GRUC_OP_ADD, arguments[1], e), e};
    gruc_ref made[2];
    end_scan(lowering, &inner, operands, 3, yields, 2, made);
    return gruc_build_binary(outer, GRUC_OP_DIV, made[1], made[0]);
}

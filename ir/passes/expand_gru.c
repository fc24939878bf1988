/* SPDX-License-Identifier: MIT */
/* A gru operation becomes a scan: its region is one step of the layer by Keras's equations,
 *
 *     z = f(x Wz + bz + h Uz + cz)          r = f(x Wr + br + h Ur + cr)
 *     n = g(x Wh + bh + r (h Uh + ch))      or, reset before, g(x Wh + bh + (r h) Uh)
 *     h' = z h + (1 - z) n
 *
 * with masks as Keras's generic loop has them: a masked step keeps the state and repeats the
 * previous output, which starts at zero whatever the state starts at. */
#include "ir/passes/passes.h"
#include "ir/passes/rewrite.h"

enum { GATE_Z, GATE_R, GATE_H };

struct expansion {
    struct gruc_builder outer;
    struct gruc_builder step; /* in the scan's region */
    const struct gruc_gru *gru;
    gruc_ref x, mask, h, output; /* arguments of the region; GRUC_NONE when absent */
    uint32_t input_width;
};

/* Whether the previous output is carried besides the state. Without a mask, or when both start at
 * zero, the state serves. */
static int carries_output(const struct gruc_gru *gru)
{
    if (!gru->has_mask)
        return 0;
    if (gru->zero_output_for_mask)
        return !gru->return_sequences; /* only the last output is asked for */
    return gru->has_initial_state || gru->rule != GRUC_STATE_CARRY;
}

static gruc_ref product(struct expansion *e, gruc_ref left, gruc_ref tensor, uint32_t rows,
                        unsigned gate, uint32_t bias_row, int has_bias)
{
    uint32_t units = e->gru->units;
    gruc_ref bias = GRUC_NONE;
    if (has_bias)
        bias = gruc_build_param(&e->step, e->gru->bias, bias_row, 1, gate * units, units);
    gruc_ref weight = gruc_build_param(&e->step, tensor, 0, rows, gate * units, units);
    return gruc_build_matmul(&e->step, left, weight, bias);
}

static gruc_ref input_product(struct expansion *e, unsigned gate)
{
    return product(e, e->x, e->gru->kernel, e->input_width, gate, 0, e->gru->use_bias);
}

static gruc_ref recurrent_product(struct expansion *e, gruc_ref left, unsigned gate)
{
    int has_bias = e->gru->use_bias && e->gru->reset_after;
    return product(e, left, e->gru->recurrent_kernel, e->gru->units, gate, 1, has_bias);
}

static gruc_ref gate(struct expansion *e, unsigned which)
{
    gruc_ref sum = gruc_build_binary(&e->step, GRUC_OP_ADD, input_product(e, which),
                                     recurrent_product(e, e->h, which));
    return gruc_build_act(&e->step, sum, e->gru->recurrent_activation,
                          e->gru->recurrent_parameters);
}

static gruc_ref candidate(struct expansion *e, gruc_ref r)
{
    gruc_ref x = input_product(e, GATE_H);
    gruc_ref sum;
    if (e->gru->reset_after) {
        gruc_ref operands[3] = {r, recurrent_product(e, e->h, GATE_H), x};
        sum = gruc_build_value(&e->step, GRUC_OP_FMA, operands, 3, NULL, 0);
    } else {
        gruc_ref reset = gruc_build_binary(&e->step, GRUC_OP_MUL, r, e->h);
        sum = gruc_build_binary(&e->step, GRUC_OP_ADD, x, recurrent_product(e, reset, GATE_H));
    }
    return gruc_build_act(&e->step, sum, e->gru->activation, e->gru->activation_parameters);
}

/* h' = z h + (1 - z) n: exactly h when z is 1, and one operation after n, the end of the chain. z
 * is built last: the processor takes the oldest operation that is ready, and n waits for many. */
static gruc_ref next_state(struct expansion *e)
{
    gruc_ref n = candidate(e, gate(e, GATE_R));
    gruc_ref z = gate(e, GATE_Z);
    gruc_ref one = gruc_build_constant(&e->step, 1.0);
    gruc_ref kept = gruc_build_binary(&e->step, GRUC_OP_MUL, z, e->h);
    gruc_ref operands[3] = {gruc_build_binary(&e->step, GRUC_OP_SUB, one, z), n, kept};
    return gruc_build_value(&e->step, GRUC_OP_FMA, operands, 3, NULL, 0);
}

/* Builds the region's end: yields are the next state, the next output if carried, the output. */
static void finish_step(struct expansion *e)
{
    gruc_ref h = next_state(e);
    gruc_ref state = h, output = h;
    if (e->mask != GRUC_NONE) {
        state = gruc_build_select(&e->step, e->mask, h, e->h);
        output = state;
        if (e->gru->zero_output_for_mask)
            output = gruc_build_select(&e->step, e->mask, h, gruc_build_constant(&e->step, 0.0));
        else if (e->output != GRUC_NONE)
            output = gruc_build_select(&e->step, e->mask, h, e->output);
    }
    gruc_ref yields[3];
    size_t count = 0;
    yields[count++] = state;
    if (e->output != GRUC_NONE)
        yields[count++] = output;
    yields[count++] = output;
    gruc_ir_set_yields(e->step.ir, e->step.region, yields, count);
}

static gruc_ref initial_state(struct expansion *e, const gruc_ref *given)
{
    struct gruc_attribute attributes[] = {
        {GRUC_ATTRIBUTE_SLOT, {.integer = e->gru->slot}},
        {GRUC_ATTRIBUTE_RULE, {.integer = e->gru->rule}},
    };
    return gruc_build_value(&e->outer, GRUC_OP_INITIAL_STATE, given, given == NULL ? 0 : 1,
                            attributes, 2);
}

/* The previous output starts at zero, but where a stream fed in chunks left it. */
static gruc_ref initial_output(struct expansion *e)
{
    if (e->gru->output_slot == GRUC_NONE)
        return gruc_build_constant(&e->outer, 0.0);
    struct gruc_attribute attributes[] = {
        {GRUC_ATTRIBUTE_SLOT, {.integer = e->gru->output_slot}},
        {GRUC_ATTRIBUTE_RULE, {.integer = GRUC_STATE_CARRY}},
    };
    return gruc_build_value(&e->outer, GRUC_OP_INITIAL_STATE, NULL, 0, attributes, 2);
}

static void store_state(struct expansion *e, gruc_ref value, gruc_ref slot, int rule)
{
    struct gruc_attribute attributes[] = {
        {GRUC_ATTRIBUTE_SLOT, {.integer = slot}},
        {GRUC_ATTRIBUTE_RULE, {.integer = rule}},
    };
    gruc_build_op(&e->outer, GRUC_OP_FINAL_STATE, &value, 1, attributes, 2, GRUC_NONE);
}

static struct gruc_type step_type(const struct gruc_ir *ir, gruc_ref sequence)
{
    struct gruc_type type = ir->values[sequence].type;
    type.axes &= ~(unsigned)GRUC_AXIS_STEPS;
    type.steps = (struct gruc_steps){.symbol = -1, .factor = 1};
    return type;
}

static void expand(struct gruc_rewrite *rewrite, const struct gruc_op *op)
{
    struct gruc_ir *ir = rewrite->builder.ir;
    const struct gruc_gru *gru = &ir->grus[gruc_op_integer(op, GRUC_ATTRIBUTE_GRU, 0)];
    gruc_ref results[3] = {op->results[0], op->results[1], op->results[2]};
    gruc_ref x = op->operands[0];
    gruc_ref mask = gru->has_mask ? op->operands[1] : GRUC_NONE;
    gruc_ref given = gru->has_initial_state ? op->operands[gru->has_mask ? 2 : 1] : GRUC_NONE;
    struct expansion e = {.outer = rewrite->builder, .gru = gru, .mask = GRUC_NONE,
                          .output = GRUC_NONE};
    if (gru->go_backwards) {
        x = gruc_build_unary(&e.outer, GRUC_OP_REVERSE, x);
        if (mask != GRUC_NONE)
            mask = gruc_build_unary(&e.outer, GRUC_OP_REVERSE, mask);
    }
    e.step = (struct gruc_builder){ir, gruc_ir_add_region(ir), op->mark};
    gruc_ref operands[4];
    size_t n = 0, scanned = mask == GRUC_NONE ? 1 : 2;
    operands[n++] = x;
    e.input_width = ir->values[x].type.width;
    e.x = gruc_ir_add_argument(ir, e.step.region, step_type(ir, x));
    if (mask != GRUC_NONE) {
        operands[n++] = mask;
        e.mask = gruc_ir_add_argument(ir, e.step.region, step_type(ir, mask));
    }
    operands[n] = initial_state(&e, given == GRUC_NONE ? NULL : &given);
    struct gruc_type state_type = ir->values[operands[n++]].type;
    e.h = gruc_ir_add_argument(ir, e.step.region, state_type);
    if (carries_output(gru)) {
        operands[n++] = initial_output(&e);
        e.output = gruc_ir_add_argument(ir, e.step.region, state_type);
    }
    finish_step(&e);
    struct gruc_attribute attributes[] = {
        {GRUC_ATTRIBUTE_SCANNED, {.integer = (int64_t)scanned}},
        {GRUC_ATTRIBUTE_CARRIED, {.integer = (int64_t)(n - scanned)}},
        {GRUC_ATTRIBUTE_UNROLL, {.integer = gru->unroll}},
    };
    gruc_ref scan = gruc_build_op(&e.outer, GRUC_OP_SCAN, operands, n, attributes, 3,
                                  e.step.region);
    const gruc_ref *made = ir->ops[scan].results;
    size_t carried = n - scanned;
    gruc_rewrite_replace(rewrite, results[0], made[carried]);
    gruc_rewrite_replace(rewrite, results[1], made[carried - 1]);
    gruc_rewrite_replace(rewrite, results[2], made[0]);
    gruc_ref last_state = made[0], last_output = made[carried - 1];
    store_state(&e, last_state, gru->slot, gru->rule);
    if (gru->output_slot != GRUC_NONE && carried == 2)
        store_state(&e, last_output, gru->output_slot, GRUC_STATE_CARRY);
}

enum gruc_status gruc_pass_expand_gru(struct gruc_ir *ir, const struct gruc_pass_options *options,
                                      struct gruc_diag *diag)
{
    (void)options;
    (void)diag;
    struct gruc_rewrite rewrite;
    GRUC_TRY(gruc_rewrite_begin(ir, 0, &rewrite));
    for (size_t i = 0; i < rewrite.n_old; i++) {
        struct gruc_op *op = gruc_rewrite_op(&rewrite, i);
        if (op->code == GRUC_OP_GRU) {
            struct gruc_op copy = *op; /* building moves the array of operations */
            expand(&rewrite, &copy);
        } else {
            gruc_rewrite_keep(&rewrite, i);
        }
    }
    gruc_rewrite_finish(&rewrite);
    return ir->failed ? GRUC_ERROR_MEMORY : GRUC_OK;
}

/* SPDX-License-Identifier: MIT */
/* Phases. Operations over the same steps that feed each other directly share a phase and run in one
 * sweep over tiles of steps. Reading a sequence from its end, under another shape, or a scan's last
 * value needs all of it first: a later phase. In each phase the operations on rows come first. */
#include "ir/passes/rewrite.h"
#include "ir/schedule/scheduler.h"

struct phasing {
    struct gruc_scheduler *s;
    struct gruc_rewrite rewrite;
    struct copy { gruc_ref of, copy; int phase; } *copies;
    size_t n_copies, copies_capacity;
};

static const struct gruc_op *def(const struct phasing *p, gruc_ref value)
{
    return gruc_ir_def(p->s->ir, value);
}

/* An input, maybe under another shape or from its end: readable at any time. */
static int is_input_view(const struct phasing *p, gruc_ref value)
{
    const struct gruc_op *op = def(p, value);
    while (op->code == GRUC_OP_REVERSE || op->code == GRUC_OP_RESHAPE)
        op = def(p, op->operands[0]);
    return op->code == GRUC_OP_INPUT;
}

static int is_weight(const struct phasing *p, gruc_ref value)
{
    enum gruc_opcode code = def(p, value)->code;
    return code == GRUC_OP_PARAM || code == GRUC_OP_CONSTANT;
}

static struct gruc_placement *place(struct phasing *p, gruc_ref value)
{
    return &p->s->places[value];
}

static int max(int a, int b)
{
    return a > b ? a : b;
}

/* The phase in which an operation over steps (or on rows) may read value. */
static int ready(struct phasing *p, gruc_ref value, const struct gruc_type *reader)
{
    if (is_weight(p, value) || is_input_view(p, value))
        return 0;
    const struct gruc_type *type = &p->s->ir->values[value].type;
    int phase = place(p, value)->phase;
    if (!(type->axes & GRUC_AXIS_STEPS))
        return phase;
    int same = (reader->axes & GRUC_AXIS_STEPS) && gruc_same_steps(type->steps, reader->steps);
    return same || place(p, value)->tile_phase == GRUC_NO_PHASE ? phase : phase + 1;
}

/* A copy of value made in phase; one serves all readers of that phase. */
static gruc_ref copy_of(struct phasing *p, gruc_ref value, int phase)
{
    for (size_t i = 0; i < p->n_copies; i++)
        if (p->copies[i].of == value && p->copies[i].phase == phase)
            return p->copies[i].copy;
    gruc_ref copy = gruc_build_unary(&p->rewrite.builder, GRUC_OP_COPY, value);
    gruc_scheduler_cover(p->s);
    if (p->s->failed || p->s->ir->failed)
        return value;
    place(p, copy)->phase = phase;
    place(p, copy)->tile_phase = gruc_is_sequence(p->s->ir, value) ? phase : GRUC_NO_PHASE;
    if (gruc_arena_grow(p->s->ir->arena, (void **)&p->copies, p->n_copies, &p->copies_capacity,
                        sizeof *p->copies))
        p->copies[p->n_copies++] = (struct copy){value, copy, phase};
    else
        p->s->failed = 1;
    return copy;
}

/* Whether a stage can store straight to where value is wanted. */
static int has_own_stage(struct phasing *p, gruc_ref value)
{
    const struct gruc_op *op = def(p, value);
    if (op->code == GRUC_OP_SCAN)
        return gruc_is_sequence(p->s->ir, value);
    return !gruc_is_virtual(op->code) && op->code != GRUC_OP_INITIAL_STATE;
}

/* Value as an operand of a concatenation or an output: something that a stage stores. */
static gruc_ref storable(struct phasing *p, gruc_ref value)
{
    const struct gruc_op *op = def(p, value);
    if (has_own_stage(p, value) || op->code == GRUC_OP_CONCAT)
        return value;
    int through = op->code == GRUC_OP_REVERSE || op->code == GRUC_OP_RESHAPE;
    if (through && has_own_stage(p, op->operands[0]) &&
        gruc_is_sequence(p->s->ir, op->operands[0]) == gruc_is_sequence(p->s->ir, value))
        return value;
    return copy_of(p, value, ready(p, value, &p->s->ir->values[value].type));
}

static void visit_view(struct phasing *p, struct gruc_op *op)
{
    gruc_ref x = op->operands[0];
    const struct gruc_op *inner = def(p, x);
    if (inner->code == GRUC_OP_REVERSE || inner->code == GRUC_OP_RESHAPE) {
        x = copy_of(p, x, ready(p, x, &p->s->ir->values[x].type));
        op = &p->s->ir->ops[p->s->ir->values[op->results[0]].op];
        op->operands[0] = x;
    }
    struct gruc_placement *result = place(p, op->results[0]);
    result->tile_phase = GRUC_NO_PHASE;
    if (is_input_view(p, x))
        result->phase = 0;
    else
        result->phase = place(p, x)->phase +
                        (gruc_is_sequence(p->s->ir, x) && place(p, x)->tile_phase >= 0);
}

static void visit_concat(struct phasing *p, gruc_ref op_ref)
{
    struct gruc_ir *ir = p->s->ir;
    for (size_t i = 0; i < ir->ops[op_ref].n_operands; i++) {
        gruc_ref value = storable(p, ir->ops[op_ref].operands[i]);
        ir->ops[op_ref].operands[i] = value;
    }
    const struct gruc_op *op = &ir->ops[op_ref];
    int tile_phase = place(p, op->operands[0])->tile_phase, phase = 0;
    for (size_t i = 0; i < op->n_operands; i++) {
        struct gruc_placement *operand = place(p, op->operands[i]);
        if (operand->tile_phase != tile_phase)
            tile_phase = GRUC_NO_PHASE;
        phase = max(phase, operand->phase + (operand->tile_phase >= 0));
    }
    struct gruc_placement *result = place(p, op->results[0]);
    result->tile_phase = tile_phase;
    result->phase = tile_phase >= 0 ? tile_phase : phase;
}

/* The steps an operation runs over: its result's, or its scanned operands'. */
static struct gruc_type domain(const struct gruc_ir *ir, const struct gruc_op *op)
{
    gruc_ref value = op->code == GRUC_OP_SCAN || op->n_results == 0 ? op->operands[0]
                                                                    : op->results[0];
    return ir->values[value].type;
}

static int reads_in_place(enum gruc_opcode code)
{
    return code == GRUC_OP_COPY || gruc_opcode_reads_ids(code) || code == GRUC_OP_SCAN ||
           code == GRUC_OP_TO_INT || code == GRUC_OP_QUANTIZE;
}

static void visit_operation(struct phasing *p, gruc_ref op_ref)
{
    struct gruc_ir *ir = p->s->ir;
    struct gruc_type type = domain(ir, &ir->ops[op_ref]);
    int phase = 0;
    for (size_t i = 0; i < ir->ops[op_ref].n_operands; i++)
        phase = max(phase, ready(p, ir->ops[op_ref].operands[i], &type));
    int sweeps = (type.axes & GRUC_AXIS_STEPS) != 0;
    for (size_t i = 0; i < ir->ops[op_ref].n_operands; i++) {
        gruc_ref value = ir->ops[op_ref].operands[i];
        if (!sweeps || !gruc_is_sequence(ir, value) || reads_in_place(ir->ops[op_ref].code) ||
            place(p, value)->tile_phase == phase)
            continue;
        gruc_ref copy = copy_of(p, value, phase);
        ir->ops[op_ref].operands[i] = copy;
    }
    const struct gruc_op *op = &ir->ops[op_ref];
    for (size_t i = 0; i < op->n_results; i++) {
        struct gruc_placement *result = place(p, op->results[i]);
        int sequence = gruc_is_sequence(ir, op->results[i]);
        result->phase = op->code == GRUC_OP_SCAN && !sequence ? phase + 1 : phase;
        result->tile_phase = sequence ? phase : GRUC_NO_PHASE;
    }
}

static void visit(struct phasing *p, size_t i)
{
    struct gruc_op *op = gruc_rewrite_op(&p->rewrite, i);
    switch (op->code) {
    case GRUC_OP_INPUT:
    case GRUC_OP_PARAM:
    case GRUC_OP_CONSTANT:
        place(p, op->results[0])->tile_phase = GRUC_NO_PHASE;
        break;
    case GRUC_OP_REVERSE:
    case GRUC_OP_RESHAPE:
        visit_view(p, op);
        break;
    case GRUC_OP_CONCAT:
        visit_concat(p, p->rewrite.old_ops[i]);
        break;
    default:
        visit_operation(p, p->rewrite.old_ops[i]);
        break;
    }
    gruc_rewrite_keep(&p->rewrite, i);
}

enum gruc_status gruc_schedule_phases(struct gruc_scheduler *s)
{
    struct phasing p = {.s = s};
    GRUC_TRY(gruc_rewrite_begin(s->ir, 0, &p.rewrite));
    for (size_t i = 0; i < p.rewrite.n_old && !s->failed && !s->ir->failed; i++)
        visit(&p, i);
    gruc_rewrite_finish(&p.rewrite);
    for (size_t i = 0; i < s->ir->n_outputs && !s->failed && !s->ir->failed; i++)
        s->ir->outputs[i].value = storable(&p, s->ir->outputs[i].value);
    return s->failed || s->ir->failed ? GRUC_ERROR_MEMORY : GRUC_OK;
}

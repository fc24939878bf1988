/* SPDX-License-Identifier: MIT */
#include "ir/schedule/schedule.h"

#include <inttypes.h>

#include "ir/base/strbuf.h"
#include "ir/build.h"
#include "ir/schedule/scheduler.h"

void gruc_scheduler_cover(struct gruc_scheduler *s)
{
    while (s->n_places < s->ir->n_values && !s->failed) {
        if (!gruc_arena_grow(s->ir->arena, (void **)&s->places, s->n_places,
                             &s->places_capacity, sizeof *s->places)) {
            s->failed = 1;
            return;
        }
        s->places[s->n_places++] = (struct gruc_placement){
            .tile_phase = GRUC_NO_PHASE, .stage = GRUC_NONE,
            .tile = GRUC_NONE, .sequence = GRUC_NONE, .row = GRUC_NONE};
    }
}

/* A yield must be something that a stage of the region stores, and each its own operation. */
static enum gruc_status copy_bare_yields(struct gruc_scheduler *s)
{
    struct gruc_ir *ir = s->ir;
    for (size_t r = 1; r < ir->n_regions; r++) {
        for (size_t i = 0; i < ir->regions[r].n_yields; i++) {
            gruc_ref value = ir->regions[r].yields[i];
            const struct gruc_op *op = gruc_ir_def(ir, value);
            if (op != NULL && !gruc_is_virtual(op->code))
                continue;
            struct gruc_builder builder = {.ir = ir, .region = (gruc_ref)r};
            gruc_ref copy = gruc_build_unary(&builder, GRUC_OP_COPY, value);
            ir->regions[r].yields[i] = copy;
        }
    }
    return ir->failed ? GRUC_ERROR_MEMORY : GRUC_OK;
}

/* The table look-up truncates float ids itself, so that it reads the caller's array. */
static void peel_ids(struct gruc_ir *ir)
{
    for (size_t i = 0; i < ir->n_ops; i++) {
        struct gruc_op *op = &ir->ops[i];
        if (!gruc_opcode_reads_ids(op->code))
            continue;
        const struct gruc_op *ids = gruc_ir_def(ir, op->operands[0]);
        if (ids != NULL && ids->code == GRUC_OP_TO_INT)
            op->operands[0] = ids->operands[0];
    }
}

/* The steps an operation of the body runs over; none for one on rows. */
static int domain_of(const struct gruc_ir *ir, const struct gruc_op *op, struct gruc_steps *steps)
{
    gruc_ref value = op->code == GRUC_OP_SCAN || op->n_results == 0 ? op->operands[0]
                                                                    : op->results[0];
    *steps = ir->values[value].type.steps;
    return gruc_is_sequence(ir, value);
}

/* A scan's last values are ready a phase after it runs. */
static unsigned phase_of(const struct gruc_scheduler *s, const struct gruc_op *op)
{
    if (op->n_results == 0)
        return (unsigned)s->places[op->operands[0]].phase;
    unsigned phase = (unsigned)s->places[op->results[0]].phase;
    return op->code == GRUC_OP_SCAN && !gruc_is_sequence(s->ir, op->results[0]) ? phase - 1
                                                                                : phase;
}

static struct gruc_group *add_group(struct gruc_scheduler *s, int is_sweep,
                                    struct gruc_steps steps, unsigned phase)
{
    struct gruc_schedule *schedule = s->schedule;
    if (!gruc_arena_grow(s->ir->arena, (void **)&schedule->groups, schedule->n_groups,
                         &schedule->groups_capacity, sizeof *schedule->groups)) {
        s->failed = 1;
        return NULL;
    }
    struct gruc_group *group = &schedule->groups[schedule->n_groups++];
    *group = (struct gruc_group){.is_sweep = is_sweep, .steps = steps, .phase = phase};
    return group;
}

/* Finds the groups in order: by phase, rows before sweeps, sweeps by first appearance. */
static void add_groups(struct gruc_scheduler *s, unsigned phase, int is_sweep)
{
    const struct gruc_region *body = &s->ir->regions[0];
    size_t first = s->schedule->n_groups;
    for (size_t i = 0; i < body->n_ops && !s->failed; i++) {
        const struct gruc_op *op = &s->ir->ops[body->ops[i]];
        struct gruc_steps steps;
        if (gruc_is_virtual(op->code) || phase_of(s, op) != phase ||
            domain_of(s->ir, op, &steps) != is_sweep)
            continue;
        int known = 0;
        for (size_t g = first; g < s->schedule->n_groups; g++)
            if (!is_sweep || gruc_same_steps(s->schedule->groups[g].steps, steps))
                known = 1;
        if (!known)
            add_group(s, is_sweep, steps, phase);
    }
}

static enum gruc_status fill_group(struct gruc_scheduler *s, struct gruc_group *group)
{
    const struct gruc_region *body = &s->ir->regions[0];
    gruc_ref *ops = GRUC_NEW_ARRAY(s->ir->arena, gruc_ref, body->n_ops);
    if (ops == NULL)
        return GRUC_ERROR_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < body->n_ops; i++) {
        const struct gruc_op *op = &s->ir->ops[body->ops[i]];
        struct gruc_steps steps;
        if (gruc_is_virtual(op->code) || phase_of(s, op) != group->phase ||
            domain_of(s->ir, op, &steps) != group->is_sweep ||
            (group->is_sweep && !gruc_same_steps(steps, group->steps)))
            continue;
        ops[count++] = body->ops[i];
    }
    GRUC_TRY(gruc_schedule_stages(s, group, ops, count));
    for (size_t i = 0; i < group->n_stages; i++) {
        struct gruc_stage *stage = &group->stages[i];
        if (stage->kind != GRUC_STAGE_SCAN)
            continue;
        const struct gruc_region *region =
            &s->ir->regions[s->ir->ops[stage->ops[0]].region];
        stage->body = GRUC_NEW(s->ir->arena, struct gruc_group);
        gruc_ref *inner = GRUC_NEW_ARRAY(s->ir->arena, gruc_ref, region->n_ops);
        if (stage->body == NULL || inner == NULL)
            return GRUC_ERROR_MEMORY;
        size_t kept = 0;
        for (size_t k = 0; k < region->n_ops; k++)
            if (!gruc_is_virtual(s->ir->ops[region->ops[k]].code))
                inner[kept++] = region->ops[k];
        GRUC_TRY(gruc_schedule_stages(s, stage->body, inner, kept));
    }
    return GRUC_OK;
}

enum gruc_status gruc_schedule_build(struct gruc_ir *ir, struct gruc_diag *diag,
                                     struct gruc_schedule **out)
{
    (void)diag;
    struct gruc_scheduler s = {.ir = ir, .schedule = GRUC_NEW(ir->arena, struct gruc_schedule)};
    if (s.schedule == NULL)
        return GRUC_ERROR_MEMORY;
    s.schedule->ir = ir;
    peel_ids(ir);
    GRUC_TRY(copy_bare_yields(&s));
    gruc_scheduler_cover(&s);
    if (s.failed)
        return GRUC_ERROR_MEMORY;
    GRUC_TRY(gruc_schedule_phases(&s));
    gruc_scheduler_cover(&s);
    unsigned phases = 0;
    for (size_t i = 0; i < s.n_places; i++)
        if (s.places[i].phase >= (int)phases)
            phases = (unsigned)s.places[i].phase + 1;
    for (unsigned phase = 0; phase < phases; phase++) {
        add_groups(&s, phase, 0);
        add_groups(&s, phase, 1);
    }
    for (size_t g = 0; g < s.schedule->n_groups && !s.failed; g++)
        GRUC_TRY(fill_group(&s, &s.schedule->groups[g]));
    GRUC_TRY(gruc_schedule_masks(&s));
    GRUC_TRY(gruc_schedule_places(&s));
    GRUC_TRY(gruc_schedule_merge(&s));
    *out = s.schedule;
    return GRUC_OK;
}

static void describe_product(const struct gruc_stage *stage, const struct gruc_product *product,
                             struct gruc_strbuf *out)
{
    uint64_t weights = (uint64_t)product->depth * stage->width * product->n_ops;
    gruc_strbuf_format(out, "%zu product%s over %u (%s, %" PRIu64 " bytes), ", product->n_ops,
                       product->n_ops == 1 ? "" : "s", (unsigned)product->depth,
                       gruc_narrow_name(product->weights),
                       weights * gruc_narrow_bytes(product->weights));
}

static void describe_stage(const struct gruc_schedule *schedule, const struct gruc_stage *stage,
                           unsigned indent, struct gruc_strbuf *out)
{
    static const char *const kinds[] = {"stage",   "reduce", "embed", "quantize",
                                        "initial", "final",  "scan"};
    gruc_strbuf_format(out, "%*s%s: %u units, ", (int)indent, "", kinds[stage->kind],
                       (unsigned)stage->width);
    for (size_t i = 0; i < stage->n_products; i++)
        describe_product(stage, &stage->products[i], out);
    gruc_strbuf_format(out, "%zu operation%s, %zu loads, %zu stores%s\n", stage->n_ops,
                       stage->n_ops == 1 ? "" : "s", stage->n_loads, stage->n_stores,
                       stage->valid_only != GRUC_NONE ? ", valid steps only" : "");
    if (stage->body != NULL && stage->body->n_stages == 0)
        gruc_strbuf_format(out, "%*stogether with the scan above\n", (int)indent + 2, "");
    if (stage->body != NULL)
        for (size_t i = 0; i < stage->body->n_stages; i++)
            describe_stage(schedule, &stage->body->stages[i], indent + 2, out);
    if (stage->companion != GRUC_NONE)
        gruc_strbuf_format(out, "%*sof a single row, with the products of the next tile's input\n",
                           (int)indent + 2, "");
    if (stage->masked != NULL)
        gruc_strbuf_format(out, "%*smasked steps copy what they repeat\n", (int)indent + 2, "");
}

void gruc_schedule_describe(const struct gruc_schedule *schedule, struct gruc_strbuf *out)
{
    for (size_t g = 0; g < schedule->n_groups; g++) {
        const struct gruc_group *group = &schedule->groups[g];
        if (group->is_sweep && group->steps.symbol >= 0)
            gruc_strbuf_format(out, "sweep over steps of %s\n",
                               schedule->ir->symbols[group->steps.symbol].name);
        else if (group->is_sweep)
            gruc_strbuf_format(out, "sweep over %u steps\n", (unsigned)group->steps.factor);
        else
            gruc_strbuf_text(out, "once a call\n");
        for (size_t i = 0; i < group->n_stages; i++)
            describe_stage(schedule, &group->stages[i], 2, out);
    }
}

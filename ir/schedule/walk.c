/* SPDX-License-Identifier: MIT */
#include "ir/schedule/walk.h"

/* Looks for the stage of a number or for a stage itself. */
struct search {
    size_t wanted; /* SIZE_MAX: stage */
    const struct gruc_stage *stage;
    size_t number; /* of place */
    struct gruc_schedule_place place;
};

static int search_stage(struct search *s, const struct gruc_schedule_place *place)
{
    s->place = *place;
    if (s->wanted == s->number || s->stage == place->stage)
        return 1;
    s->number++;
    return 0;
}

static int search_steps(struct search *s, struct gruc_schedule_place place, int is_masked)
{
    const struct gruc_group *steps = is_masked ? place.scan->masked : place.scan->body;
    place.is_masked = is_masked;
    for (size_t i = 0; steps != NULL && i < steps->n_stages; i++) {
        place.stage = &steps->stages[i];
        if (search_stage(s, &place))
            return 1;
    }
    return 0;
}

/* Answers whether it was found. */
static int search(const struct gruc_schedule *schedule, struct search *s)
{
    for (size_t g = 0; g < schedule->n_groups; g++) {
        const struct gruc_group *group = &schedule->groups[g];
        for (size_t i = 0; i < group->n_stages; i++) {
            const struct gruc_stage *stage = &group->stages[i];
            struct gruc_schedule_place place = {.group = group, .stage = stage};
            if (stage->kind != GRUC_STAGE_SCAN) {
                if (search_stage(s, &place))
                    return 1;
                continue;
            }
            place.scan = stage;
            if (search_steps(s, place, 0) || search_steps(s, place, 1))
                return 1;
        }
    }
    return 0;
}

int gruc_schedule_find(const struct gruc_schedule *schedule, size_t number,
                       struct gruc_schedule_place *out)
{
    struct search s = {.wanted = number};
    int found = search(schedule, &s);
    *out = s.place;
    return found;
}

size_t gruc_schedule_number(const struct gruc_schedule *schedule, const struct gruc_stage *stage)
{
    struct search s = {.wanted = SIZE_MAX, .stage = stage};
    search(schedule, &s);
    return s.number;
}

size_t gruc_schedule_count(const struct gruc_schedule *schedule)
{
    return gruc_schedule_number(schedule, NULL);
}

/* ---- work ---- */

/* Floating-point operations on one number; those on truth values and copies count none. */
static unsigned pointwise_flops(enum gruc_opcode code)
{
    switch (code) {
    case GRUC_OP_FMA:
        return 2;
    case GRUC_OP_AND:
    case GRUC_OP_OR:
    case GRUC_OP_NOT:
    case GRUC_OP_SELECT:
        return 0;
    default:
        return code >= GRUC_OP_FIRST_PRIM;
    }
}

static uint64_t op_flops(const struct gruc_ir *ir, const struct gruc_op *op)
{
    switch (op->code) {
    case GRUC_OP_QUANTIZE: /* the largest, the scale, the rounding */
        return (uint64_t)3 * ir->values[op->operands[0]].type.width;
    case GRUC_OP_REDUCE_MAX:
    case GRUC_OP_REDUCE_SUM:
    case GRUC_OP_SPARSEMAX_THRESHOLD:
        return ir->values[op->operands[0]].type.width;
    default:
        return op->n_results == 0
                   ? 0
                   : (uint64_t)pointwise_flops(op->code) * ir->values[op->results[0]].type.width;
    }
}

static uint64_t edge_bytes(const struct gruc_schedule *schedule, gruc_ref value,
                           const struct gruc_view *view)
{
    if (view->buffer == GRUC_NONE)
        return 0;
    uint64_t bytes = schedule->buffers[view->buffer].dtype == GRUC_BOOL ? 1 : 4;
    return bytes * schedule->ir->values[value].type.width;
}

/* A row of each table that an embedding reads. */
static uint64_t table_bytes(const struct gruc_ir *ir, const struct gruc_op *op)
{
    return op->code == GRUC_OP_EMBED ? (uint64_t)4 * ir->values[op->results[0]].type.width : 0;
}

void gruc_schedule_work(const struct gruc_schedule *schedule, const struct gruc_stage *stage,
                        struct gruc_stage_work *out)
{
    const struct gruc_ir *ir = schedule->ir;
    *out = (struct gruc_stage_work){0};
    for (size_t i = 0; i < stage->n_products; i++) {
        const struct gruc_product *product = &stage->products[i];
        uint64_t weights = (uint64_t)product->depth * stage->width * product->n_ops;
        out->row_flops += 2 * weights;
        out->weight_bytes += weights * gruc_narrow_bytes(product->weights);
        for (size_t k = 0; k < product->n_ops; k++)
            if (ir->ops[product->ops[k]].n_operands > 2)
                out->weight_bytes += (uint64_t)4 * stage->width;
        out->row_bytes += edge_bytes(schedule, product->left, &product->view);
    }
    for (size_t i = 0; i < stage->n_ops; i++) {
        out->row_flops += op_flops(ir, &ir->ops[stage->ops[i]]);
        out->row_bytes += table_bytes(ir, &ir->ops[stage->ops[i]]);
    }
    for (size_t i = 0; i < stage->n_loads; i++)
        out->row_bytes += edge_bytes(schedule, stage->loads[i].value, &stage->loads[i].view);
    for (size_t i = 0; i < stage->n_stores; i++)
        out->row_bytes += edge_bytes(schedule, stage->stores[i].value, &stage->stores[i].view);
}

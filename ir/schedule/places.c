/* SPDX-License-Identifier: MIT */
/* Places. What a later stage reads needs a buffer: a tile when it is read in the same sweep, a
 * whole sequence when another sweep reads it, a row otherwise. Concatenations cost nothing: their
 * operands are stored side by side. */
#include "ir/schedule/scheduler.h"

static const struct gruc_view nowhere = {.buffer = GRUC_NONE};

static uint32_t add_buffer(struct gruc_scheduler *s, struct gruc_buffer buffer)
{
    struct gruc_schedule *schedule = s->schedule;
    if (!gruc_arena_grow(s->ir->arena, (void **)&schedule->buffers, schedule->n_buffers,
                         &schedule->buffers_capacity, sizeof *schedule->buffers)) {
        s->failed = 1;
        return 0;
    }
    schedule->buffers[schedule->n_buffers] = buffer;
    return (uint32_t)schedule->n_buffers++;
}

/* Rows are padded to whole vectors, but single numbers stand side by side. */
static uint32_t padded(uint32_t width)
{
    return width == 1 ? 1 : (width + 15) / 16 * 16;
}

static uint32_t value_buffer(struct gruc_scheduler *s, gruc_ref value, enum gruc_storage storage)
{
    const struct gruc_type *type = &s->ir->values[value].type;
    return add_buffer(s, (struct gruc_buffer){
        .storage = storage, .dtype = type->dtype, .width = type->width,
        .stride = padded(type->width), .steps = type->steps, .tiles = 1});
}

static struct gruc_view view_of(const struct gruc_scheduler *s, uint32_t buffer, gruc_ref value)
{
    return (struct gruc_view){.buffer = buffer, .step = s->ir->values[value].type.width,
                              .stepped = gruc_is_sequence(s->ir, value)};
}

/* What is stored to view when value is computed: down to the operations that make it. */
static void add_target(struct gruc_scheduler *s, gruc_ref value, struct gruc_view view)
{
    const struct gruc_op *op = gruc_ir_def(s->ir, value);
    if (op != NULL && op->code == GRUC_OP_CONCAT) {
        for (size_t i = 0; i < op->n_operands; i++) {
            add_target(s, op->operands[i], view);
            view.column += s->ir->values[op->operands[i]].type.width;
        }
        return;
    }
    if (op != NULL && (op->code == GRUC_OP_REVERSE || op->code == GRUC_OP_RESHAPE)) {
        if (op->code == GRUC_OP_REVERSE)
            view.reversed = !view.reversed;
        else
            view.step = s->ir->values[op->operands[0]].type.width;
        add_target(s, op->operands[0], view);
        return;
    }
    struct gruc_placement *place = &s->places[value];
    view.stepped = view.stepped || gruc_is_sequence(s->ir, value);
    if (gruc_arena_grow(s->ir->arena, (void **)&place->targets, place->n_targets,
                        &place->targets_capacity, sizeof *place->targets))
        place->targets[place->n_targets++] = (struct gruc_stage_edge){value, view};
    else
        s->failed = 1;
}

static struct gruc_view stored(struct gruc_scheduler *s, gruc_ref value, uint32_t *buffer,
                               enum gruc_storage storage)
{
    if (*buffer == GRUC_NONE) {
        *buffer = value_buffer(s, value, storage);
        add_target(s, value, view_of(s, *buffer, value));
    }
    return view_of(s, *buffer, value);
}

/* Where a stage of group finds value; makes a place for it when there is none yet. */
static struct gruc_view find(struct gruc_scheduler *s, gruc_ref value,
                             const struct gruc_group *group)
{
    const struct gruc_op *op = gruc_ir_def(s->ir, value);
    struct gruc_placement *place = &s->places[value];
    if (op != NULL && (op->code == GRUC_OP_REVERSE || op->code == GRUC_OP_RESHAPE)) {
        struct gruc_view view = find(s, op->operands[0], NULL);
        if (op->code == GRUC_OP_REVERSE)
            view.reversed = !view.reversed;
        else
            view.step = s->ir->values[value].type.width;
        view.stepped = gruc_is_sequence(s->ir, value);
        return view;
    }
    if (op == NULL || place->row != GRUC_NONE)
        return place->row == GRUC_NONE ? nowhere : view_of(s, place->row, value);
    if (!gruc_is_sequence(s->ir, value))
        return stored(s, value, &place->row, GRUC_STORE_ROW);
    if (group != NULL && group->is_sweep && place->tile_phase == (int)group->phase)
        return stored(s, value, &place->tile, GRUC_STORE_TILE);
    return stored(s, value, &place->sequence, GRUC_STORE_SEQUENCE);
}

static void add_load(struct gruc_scheduler *s, struct gruc_stage *stage, gruc_ref value,
                     const struct gruc_group *group)
{
    const struct gruc_op *op = gruc_ir_def(s->ir, value);
    if (op != NULL && (op->code == GRUC_OP_PARAM || op->code == GRUC_OP_CONSTANT))
        return;
    for (size_t i = 0; i < stage->n_loads; i++)
        if (stage->loads[i].value == value)
            return;
    struct gruc_view view = find(s, value, group);
    if (gruc_arena_grow(s->ir->arena, (void **)&stage->loads, stage->n_loads,
                        &stage->loads_capacity, sizeof *stage->loads))
        stage->loads[stage->n_loads++] = (struct gruc_stage_edge){value, view};
    else
        s->failed = 1;
}

static void load_operands(struct gruc_scheduler *s, struct gruc_group *group, uint32_t index)
{
    struct gruc_stage *stage = &group->stages[index];
    for (size_t i = 0; i < stage->n_ops; i++) {
        const struct gruc_op *op = &s->ir->ops[stage->ops[i]];
        for (size_t k = 0; k < op->n_operands; k++) {
            const struct gruc_placement *place = &s->places[op->operands[k]];
            int here = place->group == group && place->stage == index;
            if (!here && !(op->code == GRUC_OP_MATMUL && k == 0))
                add_load(s, stage, op->operands[k], group);
        }
    }
    for (size_t i = 0; i < stage->n_products; i++)
        stage->products[i].view = find(s, stage->products[i].left, group);
}

/* Where what a scan yields is stored, by a valid step and by a masked one. */
static void add_yield_target(struct gruc_scheduler *s, const struct gruc_stage *scan, size_t index,
                             struct gruc_view view)
{
    const struct gruc_region *region = &s->ir->regions[s->ir->ops[scan->ops[0]].region];
    add_target(s, region->yields[index], view);
    if (scan->masked != NULL)
        add_target(s, s->ir->regions[scan->masked_region].yields[index], view);
}

/* A region's arguments stand where the scan's operands do; carried values in their two copies. */
static void place_scan(struct gruc_scheduler *s, struct gruc_group *group,
                       struct gruc_stage *stage)
{
    struct gruc_ir *ir = s->ir;
    const struct gruc_op *op = &ir->ops[stage->ops[0]];
    const struct gruc_region *region = &ir->regions[op->region];
    size_t scanned = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_SCANNED, 0);
    stage->n_carries = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_CARRIED, 0);
    stage->carries = GRUC_NEW_ARRAY(ir->arena, struct gruc_view, stage->n_carries);
    stage->first = GRUC_NEW_ARRAY(ir->arena, struct gruc_view, stage->n_carries);
    if (stage->carries == NULL || stage->first == NULL) {
        s->failed = 1;
        return;
    }
    for (size_t i = 0; i < stage->n_carries; i++) {
        gruc_ref argument = region->arguments[scanned + i], first = op->operands[scanned + i];
        uint32_t buffer = value_buffer(s, argument, GRUC_STORE_CARRY);
        stage->carries[i] = view_of(s, buffer, argument);
        s->places[argument].row = buffer;
        s->places[op->results[i]].row = buffer;
        const struct gruc_op *maker = gruc_ir_def(ir, first);
        stage->first[i] = nowhere;
        if (maker->code == GRUC_OP_INITIAL_STATE && s->places[first].row == GRUC_NONE) {
            s->places[first].row = buffer;
            add_target(s, first, stage->carries[i]);
        } else if (maker->code != GRUC_OP_CONSTANT) {
            stage->first[i] = find(s, first, group);
        }
        struct gruc_view next = stage->carries[i];
        next.next = 1;
        add_yield_target(s, stage, i, next);
    }
    for (size_t i = 0; i < region->n_arguments; i++)
        if (i < scanned || i >= scanned + stage->n_carries)
            add_load(s, stage, op->operands[i], group);
    for (size_t i = 0; i < stage->n_loads; i++)
        if (stage->loads[i].value == stage->mask)
            stage->mask_view = stage->loads[i].view;
}

/* Region arguments that are not carried are found through the scan's loads. */
static void bind_arguments(struct gruc_scheduler *s, const struct gruc_stage *scan,
                           struct gruc_stage *stage)
{
    const struct gruc_op *op = &s->ir->ops[scan->ops[0]];
    const struct gruc_region *region = &s->ir->regions[op->region];
    for (size_t a = 0; a < region->n_arguments; a++) {
        struct gruc_view view = nowhere;
        for (size_t i = 0; i < scan->n_loads; i++)
            if (scan->loads[i].value == op->operands[a])
                view = scan->loads[i].view;
        for (size_t i = 0; i < stage->n_loads; i++)
            if (stage->loads[i].value == region->arguments[a] &&
                stage->loads[i].view.buffer == GRUC_NONE)
                stage->loads[i].view = view;
        for (size_t i = 0; i < stage->n_products; i++)
            if (stage->products[i].left == region->arguments[a] &&
                stage->products[i].view.buffer == GRUC_NONE)
                stage->products[i].view = view;
    }
}

static void place_steps(struct gruc_scheduler *s, const struct gruc_stage *scan,
                        struct gruc_group *steps)
{
    for (size_t i = 0; i < steps->n_stages && !s->failed; i++) {
        load_operands(s, steps, (uint32_t)i);
        bind_arguments(s, scan, &steps->stages[i]);
    }
}

static void gather_stores(struct gruc_scheduler *s, struct gruc_stage *stage)
{
    for (size_t i = 0; i < stage->n_ops; i++) {
        const struct gruc_op *op = &s->ir->ops[stage->ops[i]];
        for (size_t k = 0; op->code != GRUC_OP_SCAN && k < op->n_results; k++) {
            const struct gruc_placement *place = &s->places[op->results[k]];
            for (size_t t = 0; t < place->n_targets; t++) {
                if (!gruc_arena_grow(s->ir->arena, (void **)&stage->stores, stage->n_stores,
                                     &stage->stores_capacity, sizeof *stage->stores)) {
                    s->failed = 1;
                    return;
                }
                stage->stores[stage->n_stores++] = place->targets[t];
            }
        }
    }
}

/* The sequences a scan makes are stored by the stages of its region. */
static void hand_down_targets(struct gruc_scheduler *s, const struct gruc_stage *scan)
{
    const struct gruc_op *op = &s->ir->ops[scan->ops[0]];
    for (size_t i = scan->n_carries; i < op->n_results; i++) {
        const struct gruc_placement *place = &s->places[op->results[i]];
        for (size_t t = 0; t < place->n_targets; t++)
            add_yield_target(s, scan, i, place->targets[t].view);
    }
}

static void place_ports(struct gruc_scheduler *s)
{
    struct gruc_ir *ir = s->ir;
    for (size_t i = 0; i < ir->n_inputs; i++) {
        gruc_ref value = ir->inputs[i].value;
        uint32_t buffer = value_buffer(s, value, GRUC_STORE_INPUT);
        if (s->failed)
            return;
        s->schedule->buffers[buffer].port = (uint32_t)i;
        s->places[value].row = s->places[value].sequence = buffer;
    }
    for (size_t i = 0; i < ir->n_outputs; i++) {
        gruc_ref value = ir->outputs[i].value;
        uint32_t buffer = value_buffer(s, value, GRUC_STORE_OUTPUT);
        if (s->failed)
            return;
        s->schedule->buffers[buffer].port = (uint32_t)i;
        add_target(s, value, view_of(s, buffer, value));
    }
}

enum gruc_status gruc_schedule_places(struct gruc_scheduler *s)
{
    struct gruc_schedule *schedule = s->schedule;
    place_ports(s);
    for (size_t g = 0; g < schedule->n_groups && !s->failed; g++)
        for (size_t i = 0; i < schedule->groups[g].n_stages && !s->failed; i++)
            if (schedule->groups[g].stages[i].kind == GRUC_STAGE_SCAN)
                place_scan(s, &schedule->groups[g], &schedule->groups[g].stages[i]);
    for (size_t g = 0; g < schedule->n_groups && !s->failed; g++)
        for (size_t i = 0; i < schedule->groups[g].n_stages && !s->failed; i++) {
            struct gruc_stage *stage = &schedule->groups[g].stages[i];
            if (stage->kind != GRUC_STAGE_SCAN) {
                load_operands(s, &schedule->groups[g], (uint32_t)i);
                if (stage->valid_only != GRUC_NONE)
                    stage->mask_view = find(s, stage->valid_only, &schedule->groups[g]);
                continue;
            }
            place_steps(s, stage, stage->body);
            if (stage->masked != NULL)
                place_steps(s, stage, stage->masked);
        }
    for (size_t g = 0; g < schedule->n_groups && !s->failed; g++)
        for (size_t i = 0; i < schedule->groups[g].n_stages && !s->failed; i++) {
            struct gruc_stage *stage = &schedule->groups[g].stages[i];
            if (stage->kind == GRUC_STAGE_SCAN) {
                hand_down_targets(s, stage);
                for (size_t k = 0; k < stage->body->n_stages && !s->failed; k++)
                    gather_stores(s, &stage->body->stages[k]);
                for (size_t k = 0; stage->masked != NULL && k < stage->masked->n_stages; k++)
                    gather_stores(s, &stage->masked->stages[k]);
            } else {
                gather_stores(s, stage);
            }
        }
    return s->failed ? GRUC_ERROR_MEMORY : GRUC_OK;
}

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_IR_SCHEDULE_SCHEDULER_H
#define GRUC_IR_SCHEDULE_SCHEDULER_H

/* Private to ir/schedule: what is known of each value while a schedule is built. */

#include "ir/schedule/schedule.h"

enum { GRUC_NO_PHASE = -1 };

struct gruc_placement {
    int phase;      /* group of groups it is ready in */
    int tile_phase; /* phase in which it passes through a tile; GRUC_NO_PHASE: it does not */
    uint32_t stage; /* index in its group, GRUC_NONE before */
    struct gruc_group *group;
    uint32_t tile, sequence, row; /* buffers that hold it, GRUC_NONE: none */
    struct gruc_stage_edge *targets;    /* where it is stored */
    size_t n_targets, targets_capacity;
};

struct gruc_scheduler {
    struct gruc_ir *ir;
    struct gruc_schedule *schedule;
    struct gruc_placement *places; /* by value */
    size_t n_places, places_capacity;
    int failed;
};

/* Room for the values made since the last call. */
void gruc_scheduler_cover(struct gruc_scheduler *s);

/* phases.c: inserts copies so that every operation finds its operands where it can read them, and
 * gives every value of the body its phase. */
enum gruc_status gruc_schedule_phases(struct gruc_scheduler *s);

/* stages.c: the operations of one group (same phase and steps, or a region) become its stages. */
enum gruc_status gruc_schedule_stages(struct gruc_scheduler *s, struct gruc_group *group,
                                      const gruc_ref *ops, size_t count);

/* masks.c: stages for masked steps, and which others need valid steps only. */
enum gruc_status gruc_schedule_masks(struct gruc_scheduler *s);

/* places.c: buffers for what crosses stages; the loads and stores of every stage. */
enum gruc_status gruc_schedule_places(struct gruc_scheduler *s);

/* merge.c: one stage for the steps of small scans that go side by side. */
enum gruc_status gruc_schedule_merge(struct gruc_scheduler *s);

static inline int gruc_same_steps(struct gruc_steps a, struct gruc_steps b)
{
    return a.symbol == b.symbol && a.factor == b.factor;
}

static inline int gruc_is_sequence(const struct gruc_ir *ir, gruc_ref value)
{
    return (ir->values[value].type.axes & GRUC_AXIS_STEPS) != 0;
}

/* Operations that name or regroup values and compute nothing. */
static inline int gruc_is_virtual(enum gruc_opcode code)
{
    return code == GRUC_OP_INPUT || code == GRUC_OP_PARAM || code == GRUC_OP_CONSTANT ||
           code == GRUC_OP_REVERSE || code == GRUC_OP_RESHAPE || code == GRUC_OP_CONCAT;
}

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_IR_SCHEDULE_WALK_H
#define GRUC_IR_SCHEDULE_WALK_H

/* The stages of a schedule by number, and what each of them has to do. Numbers count the stages of
 * each group in order, of a scan those of its body, then those of its masked steps; scans
 * themselves have none. */

#include "ir/schedule/schedule.h"

struct gruc_schedule_place {
    const struct gruc_group *group;
    const struct gruc_stage *scan; /* that the stage is part of; NULL: of none */
    const struct gruc_stage *stage;
    int is_masked; /* runs in place of the body where the scan's mask is false */
};

size_t gruc_schedule_count(const struct gruc_schedule *schedule);
/* 0 when there is no stage of this number. */
int gruc_schedule_find(const struct gruc_schedule *schedule, size_t number,
                       struct gruc_schedule_place *out);
/* The count when the stage has none. */
size_t gruc_schedule_number(const struct gruc_schedule *schedule, const struct gruc_stage *stage);

struct gruc_stage_work {
    uint64_t weight_bytes; /* read by every call, however many rows: products' weights, biases */
    uint64_t row_flops;    /* of each row; a multiply-add counts two */
    uint64_t row_bytes;    /* that a row loads and stores */
};
void gruc_schedule_work(const struct gruc_schedule *schedule, const struct gruc_stage *stage,
                        struct gruc_stage_work *out);

#endif

/* SPDX-License-Identifier: MIT */
/* Which rows of a call are computed together: groups of whole blocks. One that is left by them is a
 * group by itself where it has companions then: faster than after the blocks. */
#include "codegen/cpu/run.h"

LLVMValueRef cpu_batch_most(struct cpu_run *r)
{
    struct cpu_emitter *e = r->e;
    LLVMValueRef v_most = l_i64(e, e->info->row_group), v_one = l_i64(e, 1);
    LLVMValueRef v_last = LLVMBuildSub(e->builder, r->v_rows, v_one, "");
    LLVMValueRef v_groups = l_add(e, LLVMBuildUDiv(e->builder, v_last, v_most, ""), v_one);
    LLVMValueRef v_each = l_add(e, LLVMBuildUDiv(e->builder, v_last, v_groups, ""),
                                l_i64(e, CPU_BLOCK_ROWS));
    v_each = LLVMBuildAnd(e->builder, v_each, l_i64(e, ~(uint64_t)(CPU_BLOCK_ROWS - 1)), "");
    return l_smaller(e, v_each, r->v_rows);
}

/* Whether a row that is left had better be alone in this scan. Valid rows of a masked step fill
 * blocks of their own; without FMA no row waits for its weights. */
static int pays_alone(const struct cpu_emitter *e, const struct gruc_stage *scan)
{
    return e->target->has_fma && scan->companion != GRUC_NONE && scan->masked == NULL;
}

/* By how many rows a step goes. */
static unsigned left_by_of(const struct cpu_emitter *e, const struct gruc_stage *scan)
{
    unsigned most = 0;
    for (size_t i = 0; i < scan->body->n_stages; i++) {
        unsigned left_by = cpu_sweep_left_by(e, &scan->body->stages[i]);
        most = left_by > most ? left_by : most;
    }
    return most;
}

/* The same of all scans, of which sequences have to be long enough too; NULL: no. left_by: by how
 * many rows they go. */
static LLVMValueRef emit_pays_alone(struct cpu_run *r, unsigned *left_by)
{
    struct cpu_emitter *e = r->e;
    LLVMValueRef v_pays = NULL;
    *left_by = 0;
    for (size_t g = 0; g < e->schedule->n_groups; g++) {
        const struct gruc_group *group = &e->schedule->groups[g];
        for (size_t i = 0; i < group->n_stages; i++) {
            if (group->stages[i].kind != GRUC_STAGE_SCAN)
                continue;
            if (!pays_alone(e, &group->stages[i]))
                return NULL;
            unsigned rows = left_by_of(e, &group->stages[i]);
            *left_by = rows > *left_by ? rows : *left_by;
            LLVMValueRef v_least = l_i64(e, cpu_trail_least_steps(e));
            LLVMValueRef v_long = LLVMBuildICmp(e->builder, LLVMIntULE, v_least,
                                                cpu_steps_value(r, group->steps), "");
            v_pays = v_pays == NULL ? v_long : LLVMBuildAnd(e->builder, v_pays, v_long, "");
        }
    }
    return v_pays;
}

LLVMValueRef cpu_batch_next(struct cpu_run *r, LLVMValueRef v_left, LLVMValueRef v_most)
{
    struct cpu_emitter *e = r->e;
    LLVMValueRef v_now = l_smaller(e, v_left, v_most), v_one = l_i64(e, 1);
    unsigned left_by;
    LLVMValueRef v_pays = e->one_step ? NULL : emit_pays_alone(r, &left_by);
    if (v_pays == NULL)
        return v_now;
    LLVMValueRef v_rest = LLVMBuildAnd(e->builder, v_now, l_i64(e, left_by - 1), "");
    LLVMValueRef v_is_one = LLVMBuildICmp(e->builder, LLVMIntEQ, v_rest, v_one, "");
    LLVMValueRef v_is_left = LLVMBuildICmp(e->builder, LLVMIntULT, v_one, v_now, "");
    LLVMValueRef v_leaves = LLVMBuildAnd(e->builder, v_is_one, v_is_left, "");
    v_leaves = LLVMBuildAnd(e->builder, v_leaves, v_pays, "");
    return LLVMBuildSub(e->builder, v_now, LLVMBuildZExt(e->builder, v_leaves, e->t_i64, ""), "");
}

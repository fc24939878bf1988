/* SPDX-License-Identifier: MIT */
/* Which rows of a call are computed together: groups of whole blocks, and rows one by one that fill
 * none. A row by itself has companions, which makes it faster than the same row after the blocks of
 * a group. */
#include "codegen/cpu/run.h"

LLVMValueRef cpu_smaller(struct cpu_emitter *e, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef v_is_a = LLVMBuildICmp(e->builder, LLVMIntULT, a, b, "");
    return LLVMBuildSelect(e->builder, v_is_a, a, b, "");
}

LLVMValueRef cpu_batch_most(struct cpu_run *r)
{
    struct cpu_emitter *e = r->e;
    LLVMValueRef v_most = l_i64(e, e->info->row_group), v_one = l_i64(e, 1);
    LLVMValueRef v_last = LLVMBuildSub(e->builder, r->v_rows, v_one, "");
    LLVMValueRef v_groups = l_add(e, LLVMBuildUDiv(e->builder, v_last, v_most, ""), v_one);
    LLVMValueRef v_each = l_add(e, LLVMBuildUDiv(e->builder, v_last, v_groups, ""),
                                l_i64(e, CPU_BLOCK_ROWS));
    v_each = LLVMBuildAnd(e->builder, v_each, l_i64(e, ~(uint64_t)(CPU_BLOCK_ROWS - 1)), "");
    return cpu_smaller(e, v_each, r->v_rows);
}

/* How many rows after whole blocks had better be alone. Valid rows of a masked step fill blocks of
 * their own; two rows share weights that are far, or a block where registers are few; without FMA
 * no row waits for its weights. */
static unsigned alone_in_group(const struct cpu_emitter *e, const struct gruc_group *group)
{
    unsigned most = e->target->has_fma ? CPU_BLOCK_ROWS : 0;
    for (size_t i = 0; i < group->n_stages; i++) {
        const struct gruc_stage *stage = &group->stages[i];
        if (stage->kind != GRUC_STAGE_SCAN)
            continue;
        int has_pairs = e->target->registers >= 32 &&
                        cpu_companion_host_bytes(stage) < 4 * CPU_SECOND_BYTES;
        unsigned rows = stage->companion == GRUC_NONE || stage->masked != NULL ? 0
                        : has_pairs ? 2 : 1;
        most = rows < most ? rows : most;
    }
    return most;
}

/* The same of all groups; v_pays: whether sequences are long enough. 0: none. */
static unsigned rows_alone(struct cpu_run *r, LLVMValueRef *v_pays)
{
    struct cpu_emitter *e = r->e;
    unsigned most = CPU_BLOCK_ROWS;
    *v_pays = LLVMConstInt(e->t_i1, 1, 0);
    for (size_t g = 0; g < e->schedule->n_groups; g++) {
        const struct gruc_group *group = &e->schedule->groups[g];
        unsigned rows = alone_in_group(e, group);
        most = rows < most ? rows : most;
        if (rows == 0 || rows == CPU_BLOCK_ROWS)
            continue;
        LLVMValueRef v_least = l_i64(e, cpu_trail_least_steps(e));
        LLVMValueRef v_long = LLVMBuildICmp(e->builder, LLVMIntULE, v_least,
                                            cpu_steps_value(r, group->steps), "");
        *v_pays = LLVMBuildAnd(e->builder, *v_pays, v_long, "");
    }
    return most == CPU_BLOCK_ROWS ? 0 : most;
}

LLVMValueRef cpu_batch_next(struct cpu_run *r, LLVMValueRef v_left, LLVMValueRef v_most)
{
    struct cpu_emitter *e = r->e;
    LLVMValueRef v_now = cpu_smaller(e, v_left, v_most), v_one = l_i64(e, 1), v_pays;
    unsigned alone = e->one_step ? 0 : rows_alone(r, &v_pays);
    if (alone == 0)
        return v_now;
    LLVMValueRef v_rest = LLVMBuildAnd(e->builder, v_now, l_i64(e, CPU_BLOCK_ROWS - 1), "");
    LLVMValueRef v_few = LLVMBuildICmp(e->builder, LLVMIntULE, v_rest, l_i64(e, alone), "");
    LLVMValueRef v_whole = LLVMBuildSub(e->builder, v_now, v_rest, "");
    LLVMValueRef v_none = LLVMBuildIsNull(e->builder, v_whole, "");
    v_whole = LLVMBuildSelect(e->builder, v_none, v_one, v_whole, "");
    v_few = LLVMBuildAnd(e->builder, v_few, v_pays, "");
    return LLVMBuildSelect(e->builder, v_few, v_whole, v_now, "");
}

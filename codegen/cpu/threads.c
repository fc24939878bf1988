/* SPDX-License-Identifier: MIT */
/* Threads that share the units of the same rows: every one runs the same groups on the same
 * workspace, computes its part of each stage and waits for the others before the next. */
#include "codegen/cpu/run.h"

#include <inttypes.h>

#include "ir/base/strbuf.h"

/* Cycles: what a wait for the others costs with what the caches exchange at it, and the least
 * latency of a step. Bytes a cycle: what a core reads from its first and from its second cache. */
enum {
    BARRIER_CYCLES = 300,
    STEP_LATENCY = 120,
    FIRST_CACHE = 24 * 1024,
    FAR_BYTES_PER_CYCLE = 32
};

static uint64_t weight_bytes(const struct gruc_stage *stage)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < stage->n_products; i++)
        bytes += (uint64_t)stage->products[i].depth * stage->products[i].n_ops * stage->width * 4;
    return bytes;
}

/* Cycles of one step of one row: its weights are read once. */
static uint64_t step_cycles(const struct cpu_emitter *e, const struct gruc_stage *scan)
{
    uint64_t bytes = 0, rate = (uint64_t)e->target->lanes * 4 * e->target->fma_rate;
    for (size_t i = 0; i < scan->body->n_stages; i++)
        bytes += weight_bytes(&scan->body->stages[i]);
    if (bytes > FIRST_CACHE && rate > FAR_BYTES_PER_CYCLE)
        rate = FAR_BYTES_PER_CYCLE;
    return bytes / rate;
}

/* The most threads that still shorten a step, each with a wait a stage. */
static unsigned useful_threads(const struct cpu_emitter *e, const struct gruc_stage *scan)
{
    uint64_t cycles = step_cycles(e, scan), waits = scan->body->n_stages * BARRIER_CYCLES;
    unsigned blocks = scan->width / (2 * e->target->lanes), threads = 1;
    while (threads < blocks &&
           cycles / threads - cycles / (threads + 1) > (threads == 1 ? waits : waits / 8))
        threads++;
    return threads;
}

/* Scans whose stages became part of this one's follow it. */
static size_t end_of_merged(const struct gruc_group *group, size_t scan)
{
    size_t end = scan + 1;
    while (end < group->n_stages && group->stages[end].kind == GRUC_STAGE_SCAN &&
           group->stages[end].body->n_stages == 0)
        end++;
    return end;
}

size_t cpu_scans_together(const struct gruc_ir *ir, const struct gruc_group *group, size_t first)
{
    size_t end = first, next;
    for (; end < group->n_stages && group->stages[end].kind == GRUC_STAGE_SCAN; end = next) {
        next = end_of_merged(group, end);
        for (size_t i = first; i < end; i++)
            for (size_t k = end; k < next; k++)
                if (!gruc_schedule_independent(ir, &group->stages[i], &group->stages[k]))
                    return end - first;
    }
    return end - first;
}

/* Scans that have steps of their own. */
static unsigned busy_scans(const struct gruc_group *group, size_t first, size_t together)
{
    unsigned busy = 0;
    for (size_t i = first; i < first + together; i++)
        busy += group->stages[i].body->n_stages > 0;
    return busy;
}

/* Scans side by side are a thread's each, with all that only they read: what crosses between
 * threads crosses between caches. */
static void own_scans(const struct cpu_emitter *e, struct gruc_group *group)
{
    for (size_t i = 0; i < group->n_stages; i++) {
        if (group->stages[i].kind != GRUC_STAGE_SCAN)
            continue;
        size_t end = i + cpu_scans_together(e->ir, group, i);
        uint32_t owner = 0;
        int several = busy_scans(group, i, end - i) > 1;
        for (size_t k = i; k < end; k++) {
            owner += k > i && group->stages[k].body->n_stages > 0;
            group->stages[k].owner = several ? owner : GRUC_NONE;
        }
        i = end - 1;
    }
    gruc_schedule_own(e->schedule, group);
}

/* Staggers scans that feed each other where their steps are too short to be shared. */
static void plan_group(const struct cpu_emitter *e, struct gruc_group *group)
{
    unsigned most = 1, scans = 0, unrolled = 0;
    for (size_t i = 0; i < group->n_stages; i++) {
        const struct gruc_stage *stage = &group->stages[i];
        if (stage->kind != GRUC_STAGE_SCAN) {
            group->step_cycles += group->is_sweep ? weight_bytes(stage) / 64 : 0;
            continue;
        }
        group->step_cycles += step_cycles(e, stage) + STEP_LATENCY;
        unrolled |= gruc_op_integer(&e->ir->ops[stage->ops[0]], GRUC_ATTRIBUTE_UNROLL, 0) != 0;
        scans++;
        unsigned threads = busy_scans(group, i, cpu_scans_together(e->ir, group, i));
        if (threads == 1)
            threads = useful_threads(e, stage);
        most = threads > most ? threads : most;
    }
    own_scans(e, group);
    group->threads = most > 1 || scans < 2 || unrolled
                         ? most
                         : gruc_schedule_stagger(e->schedule, group) + 1;
}

void cpu_plan_threads(const struct cpu_emitter *e, struct gruc_module_info *info)
{
    info->unit_threads = 1;
    for (size_t g = 0; g < e->schedule->n_groups; g++) {
        struct gruc_group *group = &e->schedule->groups[g];
        plan_group(e, group);
        info->step_cycles += group->step_cycles;
        if (group->threads > info->unit_threads)
            info->unit_threads = group->threads;
    }
}

void cpu_describe_threads(const struct cpu_emitter *e, struct gruc_strbuf *out)
{
    for (size_t g = 0; g < e->schedule->n_groups; g++) {
        const struct gruc_group *group = &e->schedule->groups[g];
        int together = 0;
        for (size_t i = 0; i < group->n_stages; i++) {
            if (group->stages[i].kind == GRUC_STAGE_SCAN)
                together |= busy_scans(group, i, cpu_scans_together(e->ir, group, i)) > 1;
        }
        if (group->is_sweep)
            gruc_strbuf_format(out, "sweep %zu: about %" PRIu64 " cycles a step and row; %s", g,
                               group->step_cycles,
                               group->threads == 1 ? "too short for several threads\n" : "");
        if (group->threads > 1)
            gruc_strbuf_format(out, "up to %u threads a row, %s each\n", group->threads,
                               group->is_wavefront ? "a layer, a tile apart,"
                               : together          ? "a scan"
                                                   : "a part of the units");
    }
}

static void call_slot(struct cpu_run *r, LLVMValueRef v_args, enum cpu_slot slot)
{
    struct cpu_emitter *e = r->e;
    LLVMValueRef v_function = cpu_load_slot(e, v_args, slot, e->t_ptr);
    LLVMValueRef v_context = cpu_load_slot(e, v_args, CPU_SLOT_barrier_context, e->t_ptr);
    LLVMTypeRef type = LLVMFunctionType(e->t_void, &e->t_ptr, 1, 0);
    LLVMBuildCall2(e->builder, type, v_function, &v_context, 1, "");
}

/* A function of its own, as there are many calls: (weights, arguments, threads). */
static void emit_barrier_function(struct cpu_run *r)
{
    struct cpu_emitter *e = r->e;
    LLVMTypeRef parameters[3] = {e->t_ptr, e->t_ptr, e->t_i64};
    struct l_function f = l_function_begin(e, "wait_for_others", parameters, 3);
    LLVMBasicBlockRef b_wait = l_block(e, "wait"), b_done = l_block(e, "done");
    LLVMValueRef v_args = LLVMGetParam(f.function, 1);
    LLVMValueRef v_others =
        LLVMBuildICmp(e->builder, LLVMIntULT, l_i64(e, 1), LLVMGetParam(f.function, 2), "");
    LLVMBuildCondBr(e->builder, v_others, b_wait, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_wait);
    call_slot(r, v_args, CPU_SLOT_arrive);
    call_slot(r, v_args, CPU_SLOT_wait);
    LLVMBuildBr(e->builder, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_done);
    r->barrier = f.function;
    r->barrier_type = f.type;
    l_function_end(e, &f);
}

void cpu_emit_barrier(struct cpu_run *r)
{
    struct cpu_emitter *e = r->e;
    if (e->info->unit_threads <= 1)
        return;
    if (r->barrier == NULL)
        emit_barrier_function(r);
    LLVMValueRef arguments[3] = {e->v_weights, r->v_args, r->v_shares};
    LLVMBuildCall2(e->builder, r->barrier_type, r->barrier, arguments, 3, "");
}

/* What is emitted up to end_others runs if there are others. */
static LLVMBasicBlockRef begin_others(struct cpu_run *r)
{
    struct cpu_emitter *e = r->e;
    LLVMBasicBlockRef b_others = l_block(e, "others"), b_done = l_block(e, "done");
    LLVMValueRef v_others = LLVMBuildICmp(e->builder, LLVMIntULT, l_i64(e, 1), r->v_shares, "");
    LLVMBuildCondBr(e->builder, v_others, b_others, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_others);
    return b_done;
}

static void end_others(struct cpu_run *r, LLVMBasicBlockRef b_done)
{
    LLVMBuildBr(r->e->builder, b_done);
    LLVMPositionBuilderAtEnd(r->e->builder, b_done);
}

void cpu_emit_arrive(struct cpu_run *r, const struct cpu_beside *beside)
{
    LLVMBasicBlockRef b_done = begin_others(r);
    call_slot(r, r->v_args, CPU_SLOT_arrive);
    if (beside != NULL)
        cpu_beside_next(r, beside);
    end_others(r, b_done);
}

void cpu_emit_wait(struct cpu_run *r)
{
    LLVMBasicBlockRef b_done = begin_others(r);
    call_slot(r, r->v_args, CPU_SLOT_wait);
    end_others(r, b_done);
}

LLVMBasicBlockRef cpu_share_begin(struct cpu_run *r, unsigned index)
{
    struct cpu_emitter *e = r->e;
    if (e->info->unit_threads <= 1)
        return NULL;
    LLVMBasicBlockRef b_mine = l_block(e, "mine"), b_others = l_block(e, "others");
    LLVMValueRef v_owner = LLVMBuildURem(e->builder, l_i64(e, index), r->v_shares, "");
    LLVMValueRef v_mine = LLVMBuildICmp(e->builder, LLVMIntEQ, v_owner, r->v_share, "");
    LLVMBuildCondBr(e->builder, v_mine, b_mine, b_others);
    LLVMPositionBuilderAtEnd(e->builder, b_mine);
    return b_others;
}

void cpu_share_end(struct cpu_run *r, LLVMBasicBlockRef b_others)
{
    if (b_others == NULL)
        return;
    LLVMBuildBr(r->e->builder, b_others);
    LLVMPositionBuilderAtEnd(r->e->builder, b_others);
}

/* SPDX-License-Identifier: MIT */
/* Scans: the steps of a tile, one after the other. */
#include "codegen/cpu/run.h"

int cpu_scan_begins_in_place(const struct cpu_emitter *e, const struct gruc_stage *scan)
{
    const struct gruc_op *op = &e->ir->ops[scan->ops[0]];
    size_t scanned = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_SCANNED, 0);
    for (size_t i = 0; i < scan->n_carries; i++)
        if (scan->first[i].buffer != GRUC_NONE ||
            gruc_ir_def(e->ir, op->operands[scanned + i])->code == GRUC_OP_CONSTANT)
            return 0;
    return 1;
}

/* Brings the first carried values to where the first step reads them. */
void cpu_begin_scan(struct cpu_run *r, const struct gruc_stage *scan)
{
    struct cpu_emitter *e = r->e;
    const struct gruc_op *op = &e->ir->ops[scan->ops[0]];
    size_t scanned = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_SCANNED, 0);
    struct cpu_position once = {.way = CPU_ONCE};
    for (size_t i = 0; i < scan->n_carries; i++) {
        const struct gruc_op *maker = gruc_ir_def(e->ir, op->operands[scanned + i]);
        int is_constant = maker->code == GRUC_OP_CONSTANT;
        if (!is_constant && scan->first[i].buffer == GRUC_NONE)
            continue;
        uint32_t width = e->schedule->buffers[scan->carries[i].buffer].width;
        LLVMValueRef v_to, v_to_stride, v_from = NULL, v_from_stride;
        cpu_locate(r, &scan->carries[i], &once, &v_to, &v_to_stride);
        struct l_loop loop = l_loop_begin(e, l_i64(e, 0), r->v_rows, l_i64(e, 1));
        if (!is_constant) {
            cpu_locate(r, &scan->first[i], &once, &v_from, &v_from_stride);
            v_from = l_offset(e, v_from, l_mul(e, loop.v_index, v_from_stride));
        }
        double fill = is_constant ? gruc_op_number(maker, GRUC_ATTRIBUTE_VALUE, 0.0) : 0.0;
        cpu_emit_copy(e, l_offset(e, v_to, l_mul(e, loop.v_index, v_to_stride)), v_from, fill,
                      width);
        l_loop_end(e, &loop);
    }
}

/* ---- lists of rows ---- */

static LLVMValueRef count(struct cpu_run *r, LLVMValueRef v_counter)
{
    return l_load(r->e, r->e->t_i64, v_counter, 8);
}

/* Appends v_number to the list if v_bit is 1; else writes past its end, never past the rows. */
static void append(struct cpu_run *r, LLVMValueRef v_list, LLVMValueRef v_counter,
                   LLVMValueRef v_number, LLVMValueRef v_bit)
{
    struct cpu_emitter *e = r->e;
    LLVMValueRef v_at = count(r, v_counter);
    l_store(e, v_number, l_offset(e, v_list, l_mul(e, v_at, l_i64(e, 8))), 8);
    l_store(e, l_add(e, v_at, v_bit), v_counter, 8);
}

/* Puts the numbers v_first + row of all rows on the list of the valid ones or that of the others
 * (NULL: none is kept). */
static void list_rows(struct cpu_run *r, const struct gruc_view *mask,
                      const struct cpu_position *at, LLVMValueRef v_first, LLVMValueRef v_valid,
                      LLVMValueRef v_masked)
{
    struct cpu_emitter *e = r->e;
    LLVMValueRef v_base, v_stride;
    cpu_locate(r, mask, at, &v_base, &v_stride);
    struct l_loop loop = l_loop_begin(e, l_i64(e, 0), r->v_rows, l_i64(e, 1));
    LLVMValueRef v_byte =
        l_load(e, e->t_i8, l_offset(e, v_base, l_mul(e, loop.v_index, v_stride)), 1);
    LLVMValueRef v_is_valid =
        LLVMBuildICmp(e->builder, LLVMIntNE, v_byte, LLVMConstInt(e->t_i8, 0, 0), "");
    LLVMValueRef v_bit = LLVMBuildZExt(e->builder, v_is_valid, e->t_i64, "");
    LLVMValueRef v_number = l_add(e, v_first, loop.v_index);
    append(r, v_valid, r->v_valid_count, v_number, v_bit);
    if (v_masked != NULL)
        append(r, v_masked, r->v_masked_count, v_number,
               LLVMBuildXor(e->builder, v_bit, l_i64(e, 1), ""));
    l_loop_end(e, &loop);
}

LLVMValueRef cpu_list_tile(struct cpu_run *r, const struct gruc_view *mask,
                           struct cpu_position at, LLVMValueRef v_steps, LLVMValueRef v_list)
{
    struct cpu_emitter *e = r->e;
    l_store(e, l_i64(e, 0), r->v_valid_count, 8);
    struct l_loop loop = l_loop_begin(e, l_i64(e, 0), v_steps, l_i64(e, 1));
    at.way = CPU_STEP;
    at.v_local = loop.v_index;
    list_rows(r, mask, &at, l_mul(e, loop.v_index, r->v_rows), v_list, NULL);
    l_loop_end(e, &loop);
    return count(r, r->v_valid_count);
}

LLVMValueRef cpu_list_step(struct cpu_run *r, const struct gruc_view *mask,
                           const struct cpu_position *at)
{
    l_store(r->e, l_i64(r->e, 0), r->v_valid_count, 8);
    list_rows(r, mask, at, l_i64(r->e, 0), r->v_tile_list, NULL);
    return count(r, r->v_valid_count);
}

/* ---- steps ---- */

/* Between two stages all threads meet; before the first, those that share a row wait for what the
 * others stored in the step before. */
static void call_stages(struct cpu_run *r, const struct cpu_scan *scan, struct cpu_stage *stages,
                        size_t n_stages, const struct cpu_position *at, LLVMValueRef v_rows)
{
    const struct cpu_exchange *x = scan->exchange;
    for (size_t i = 0; i < n_stages; i++) {
        if (i > 0 && !at->is_alone)
            cpu_emit_barrier(r);
        if (i == 0 && x != NULL) {
            cpu_emit_wait(r);
            cpu_exchange_collect(r, x);
        }
        cpu_call_stage(r, &stages[i], at, v_rows);
        if (x != NULL)
            cpu_exchange_publish(r, x, &stages[i]);
    }
}

/* A step of the rows whose mask is true and, copying, of the others. */
static void emit_masked_step(struct cpu_run *r, const struct cpu_scan *scan,
                             struct cpu_position at)
{
    struct cpu_emitter *e = r->e;
    l_store(e, l_i64(e, 0), r->v_valid_count, 8);
    l_store(e, l_i64(e, 0), r->v_masked_count, 8);
    list_rows(r, &scan->stage->mask_view, &at, l_i64(e, 0), r->v_valid_list, r->v_masked_list);
    LLVMValueRef v_valid = count(r, r->v_valid_count), v_masked = count(r, r->v_masked_count);
    LLVMBasicBlockRef b_valid = l_block(e, "valid"), b_others = l_block(e, "others"),
                      b_masked = l_block(e, "masked"), b_done = l_block(e, "stepped");
    LLVMValueRef v_some = LLVMBuildICmp(e->builder, LLVMIntNE, v_valid, l_i64(e, 0), "");
    LLVMBuildCondBr(e->builder, v_some, b_valid, b_others);
    LLVMPositionBuilderAtEnd(e->builder, b_valid);
    LLVMValueRef v_turn = count(r, scan->v_turn);
    at.v_turned = LLVMBuildTrunc(e->builder, v_turn, e->t_i1, "turned");
    l_store(e, l_add(e, v_turn, l_i64(e, 1)), scan->v_turn, 8);
    at.v_list = r->v_valid_list;
    call_stages(r, scan, scan->steps, scan->stage->body->n_stages, &at,
                l_is_number(r->v_rows, 1) ? r->v_rows : v_valid);
    LLVMBuildBr(e->builder, b_others);
    LLVMPositionBuilderAtEnd(e->builder, b_others);
    v_some = LLVMBuildICmp(e->builder, LLVMIntNE, v_masked, l_i64(e, 0), "");
    LLVMBuildCondBr(e->builder, v_some, b_masked, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_masked);
    at.v_list = r->v_masked_list;
    at.v_turned = NULL;
    call_stages(r, scan, scan->masked, scan->stage->masked->n_stages, &at,
                l_is_number(r->v_rows, 1) ? r->v_rows : v_masked);
    LLVMBuildBr(e->builder, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_done);
}

void cpu_emit_step(struct cpu_run *r, const struct cpu_scan *scan, const struct cpu_position *at)
{
    if (scan->masked != NULL)
        emit_masked_step(r, scan, *at);
    else
        call_stages(r, scan, scan->steps, scan->stage->body->n_stages, at, r->v_rows);
}

void cpu_swap_carries(struct cpu_run *r, const struct cpu_scan *scan, LLVMValueRef v_is_odd)
{
    struct cpu_emitter *e = r->e;
    for (size_t i = 0; i < scan->stage->n_carries; i++) {
        uint32_t buffer = scan->stage->carries[i].buffer;
        LLVMValueRef v_current = l_load(e, e->t_ptr, r->v_current[buffer], 8);
        LLVMValueRef v_next = l_load(e, e->t_ptr, r->v_next[buffer], 8);
        LLVMValueRef v_read = v_next, v_written = v_current;
        if (v_is_odd != NULL) {
            v_read = LLVMBuildSelect(e->builder, v_is_odd, v_next, v_current, "");
            v_written = LLVMBuildSelect(e->builder, v_is_odd, v_current, v_next, "");
        }
        l_store(e, v_read, r->v_current[buffer], 8);
        l_store(e, v_written, r->v_next[buffer], 8);
    }
}

void cpu_emit_steps(struct cpu_run *r, const struct cpu_scan *scan,
                    const struct cpu_scan *all_scans, size_t n_scans, struct cpu_position at,
                    LLVMValueRef v_steps)
{
    struct cpu_scan shared = *scan;
    if (!at.is_alone && r->e->info->unit_threads > 1) {
        shared.exchange = cpu_exchange_begin(r, scan, all_scans, n_scans);
        scan = &shared;
    }
    struct l_loop loop = l_loop_begin(r->e, l_i64(r->e, 0), v_steps, l_i64(r->e, 1));
    at.way = CPU_STEP;
    at.v_local = loop.v_index;
    int is_divided = at.is_alone && at.owner != GRUC_NONE;
    LLVMBasicBlockRef b_others = is_divided ? cpu_share_begin(r, at.owner) : NULL;
    at.beside = scan->beside;
    struct cpu_beside beside;
    int fills = scan->beside != NULL && !at.is_alone && r->e->info->unit_threads > 1 &&
                cpu_beside_fills(scan->beside->stage->stage);
    if (fills) {
        LLVMValueRef v_left = LLVMBuildSub(r->e->builder, v_steps, loop.v_index, "");
        beside = cpu_beside_of_step(r, scan->beside, v_left);
        at.beside = &beside;
    }
    if (scan->exchange != NULL)
        cpu_exchange_enter(r, scan->exchange);
    cpu_emit_step(r, scan, &at);
    if (scan->exchange != NULL)
        cpu_exchange_leave(r, scan->exchange);
    cpu_share_end(r, b_others);
    for (size_t i = 0; i < n_scans; i++)
        cpu_swap_carries(r, &all_scans[i], NULL);
    if (scan->exchange != NULL)
        cpu_emit_arrive(r, fills ? scan->beside : NULL);
    l_loop_end(r->e, &loop);
    if (scan->exchange != NULL)
        cpu_emit_wait(r);
}

/* The threads met after the last step, and again only where a companion's blocks can have been left
 * then: each knows that of all. */
static void meet_after_rest(struct cpu_run *r, const struct cpu_scan *scan, LLVMValueRef v_steps)
{
    struct cpu_emitter *e = r->e;
    LLVMValueRef v_hosts = l_i64(e, 0);
    if (e->info->unit_threads <= 1)
        return;
    for (size_t i = 0; scan->masked == NULL && i < scan->stage->body->n_stages; i++) {
        LLVMValueRef v_all = l_i64(e, cpu_sweep_hosts(e, &scan->steps[i]));
        v_hosts = l_add(e, v_hosts, LLVMBuildUDiv(e->builder, v_all, r->v_shares, ""));
    }
    LLVMBasicBlockRef b_again = l_block(e, "again"), b_done = l_block(e, "done");
    LLVMBuildCondBr(e->builder, cpu_beside_is_done(r, scan->beside, v_steps, v_hosts), b_done,
                    b_again);
    LLVMPositionBuilderAtEnd(e->builder, b_again);
    cpu_emit_barrier(r);
    LLVMBuildBr(e->builder, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_done);
}

/* The steps as a function of its own, which is told where things are; as two functions where a
 * single row has a companion, which several have not. */
static void call_functions(struct cpu_run *r, const struct cpu_scan *scans, size_t n_scans,
                           struct cpu_position at, LLVMValueRef v_steps)
{
    struct cpu_emitter *e = r->e;
    if (scans[0].beside == NULL) {
        cpu_call_steps(r, scans, n_scans, at, v_steps);
        return;
    }
    struct cpu_run other = *r;
    LLVMBasicBlockRef b_single = l_block(e, "single"), b_several = l_block(e, "several"),
                      b_done = l_block(e, "stepped");
    LLVMValueRef v_single = LLVMBuildICmp(e->builder, LLVMIntEQ, r->v_rows, l_i64(e, 1), "");
    LLVMBuildCondBr(e->builder, v_single, b_single, b_several);
    LLVMPositionBuilderAtEnd(e->builder, b_single);
    other.v_rows = l_i64(e, 1);
    cpu_call_steps(&other, scans, n_scans, at, v_steps);
    LLVMBuildBr(e->builder, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_several);
    other.v_rows = r->v_rows;
    other.has_many = 1;
    cpu_call_steps(&other, scans, n_scans, at, v_steps);
    LLVMBuildBr(e->builder, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_done);
    r->barrier = other.barrier;
    r->barrier_type = other.barrier_type;
}

static void call_steps(struct cpu_run *r, const struct cpu_scan *scans, size_t n_scans,
                       struct cpu_position at, LLVMValueRef v_steps)
{
    LLVMBasicBlockRef b_others = at.is_alone ? cpu_share_begin(r, at.owner) : NULL;
    call_functions(r, scans, n_scans, at, v_steps);
    if (scans[0].beside != NULL)
        cpu_beside_rest(r, scans[0].beside);
    cpu_share_end(r, b_others);
    LLVMValueRef v_is_odd = LLVMBuildTrunc(r->e->builder, v_steps, r->e->t_i1, "odd");
    for (size_t i = 0; i < n_scans; i++)
        cpu_swap_carries(r, &scans[i], v_is_odd);
    if (scans[0].beside != NULL && !at.is_alone)
        meet_after_rest(r, &scans[0], v_steps);
}

/* The steps of one scan, and of those whose stages are part of its own. All threads swap the
 * carries, so that each knows where the last ones are. */
static void emit_scan(struct cpu_run *r, const struct cpu_scan *scans, size_t n_scans,
                      struct cpu_position at, LLVMValueRef v_steps)
{
    if (scans[0].beside != NULL)
        cpu_beside_begin(r, scans[0].beside, at.is_alone);
    int is_long = !r->e->one_step && cpu_is_long(r->e, scans[0].stage);
    if (scans[0].beside != NULL || cpu_is_shared(r->e, scans[0].stage) || is_long) {
        call_steps(r, scans, n_scans, at, v_steps);
        return;
    }
    cpu_emit_steps(r, &scans[0], scans, n_scans, at, v_steps);
    r->has_steps = 1;
}

/* Several scans are divided among the threads, which then meet once a tile; the units of a single
 * one are, and the threads meet at every stage. */
void cpu_emit_scans(struct cpu_run *r, const struct cpu_scan *scans, size_t n_scans,
                    struct cpu_position at, LLVMValueRef v_steps)
{
    int is_owned = at.is_alone;
    for (size_t i = 0, end; i < n_scans; i = end) {
        for (end = i + 1; end < n_scans && scans[end].stage->body->n_stages == 0;)
            end++;
        at.is_alone = is_owned || end - i < n_scans;
        emit_scan(r, &scans[i], end - i, at, v_steps);
        at.owner++;
    }
    if (at.is_alone && !is_owned)
        cpu_emit_barrier(r);
}

/* SPDX-License-Identifier: MIT */
/* Stored states: where a layer starts from and what it leaves behind. */
#include "codegen/cpu/run.h"

#include "codegen/module_info.h"

void cpu_emit_copy(struct cpu_emitter *e, LLVMValueRef v_to, LLVMValueRef v_from, double fill,
                   uint32_t width)
{
    unsigned lanes = e->target->lanes;
    LLVMValueRef v_fill = LLVMConstReal(e->t_float, fill);
    uint32_t whole = width / lanes * lanes;
    if (whole > 0) {
        struct l_loop loop = l_loop_begin(e, l_i64(e, 0), l_i64(e, whole), l_i64(e, lanes));
        LLVMValueRef v_at = l_mul(e, loop.v_index, l_i64(e, 4));
        LLVMValueRef v = v_from == NULL ? l_splat(e, v_fill, lanes)
                                        : l_load(e, l_vector(e->t_float, lanes),
                                                 l_offset(e, v_from, v_at), 4);
        l_store(e, v, l_offset(e, v_to, v_at), 4);
        l_loop_end(e, &loop);
    }
    for (uint32_t i = whole; i < width; i += lanes) {
        while (lanes > width - i)
            lanes /= 2;
        LLVMValueRef v_at = l_i64(e, (uint64_t)i * 4);
        LLVMValueRef v = v_from == NULL ? l_splat(e, v_fill, lanes)
                                        : l_load(e, l_vector(e->t_float, lanes),
                                                 l_offset(e, v_from, v_at), 4);
        l_store(e, v, l_offset(e, v_to, v_at), 4);
    }
}

static LLVMValueRef state_row(struct cpu_run *r, LLVMValueRef v_row)
{
    struct cpu_emitter *e = r->e;
    LLVMValueRef v_absolute = l_add(e, r->v_first, v_row);
    return l_offset(e, r->v_state, l_mul(e, v_absolute, l_i64(e, e->info->state_bytes)));
}

static LLVMValueRef slot_address(struct cpu_run *r, const struct gruc_op *op, LLVMValueRef v_row)
{
    size_t slot = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_SLOT, 0);
    uint64_t offset = gruc_module_info_state(r->e->info, slot)->offset;
    return l_offset(r->e, state_row(r, v_row), l_i64(r->e, offset));
}

static LLVMValueRef has_flag(struct cpu_run *r, uint64_t flag)
{
    struct cpu_emitter *e = r->e;
    LLVMValueRef v_bit = LLVMBuildAnd(e->builder, r->v_flags, l_i64(e, flag), "");
    return LLVMBuildICmp(e->builder, LLVMIntNE, v_bit, l_i64(e, 0), "");
}

/* Branches to b_slot when the row continues from its slot, else to b_other. */
static void branch_on_source(struct cpu_run *r, const struct gruc_op *op, size_t bit,
                             LLVMValueRef v_row, LLVMBasicBlockRef b_slot,
                             LLVMBasicBlockRef b_other)
{
    struct cpu_emitter *e = r->e;
    int64_t rule = gruc_op_integer(op, GRUC_ATTRIBUTE_RULE, 0);
    if (op->n_operands == 0 && rule != GRUC_STATE_CARRY) {
        LLVMBuildBr(e->builder, b_slot);
        return;
    }
    if (rule == GRUC_STATE_STATEFUL_GIVEN || rule == GRUC_STATE_STATEFUL) {
        LLVMBuildBr(e->builder, rule == GRUC_STATE_STATEFUL ? b_slot : b_other);
        return;
    }
    if (rule == GRUC_STATE_STATEFUL_FIRST) {
        LLVMValueRef v_bit = LLVMBuildAnd(e->builder, r->v_given,
                                          l_i64(e, (uint64_t)1 << bit), "");
        LLVMValueRef v_given = LLVMBuildICmp(e->builder, LLVMIntNE, v_bit, l_i64(e, 0), "");
        LLVMBuildCondBr(e->builder, v_given, b_other, b_slot);
        return;
    }
    LLVMBasicBlockRef b_carry = l_block(e, "carry");
    LLVMBuildCondBr(e->builder, has_flag(r, GRUC_ARGS_CARRY), b_carry, b_other);
    LLVMPositionBuilderAtEnd(e->builder, b_carry);
    LLVMValueRef v_started = l_load(e, e->t_i32, state_row(r, v_row), 4);
    LLVMValueRef v_is_started =
        LLVMBuildICmp(e->builder, LLVMIntNE, v_started, LLVMConstInt(e->t_i32, 0, 0), "");
    LLVMBuildCondBr(e->builder, v_is_started, b_slot, b_other);
}

void cpu_emit_initial(struct cpu_run *r, const struct gruc_stage *stage, size_t bit)
{
    struct cpu_emitter *e = r->e;
    const struct gruc_op *op = &e->ir->ops[stage->ops[0]];
    struct cpu_position once = {.way = CPU_ONCE};
    struct l_loop loop = l_loop_begin(e, l_i64(e, 0), r->v_rows, l_i64(e, 1));
    LLVMBasicBlockRef b_slot = l_block(e, "slot"), b_other = l_block(e, "other"),
                      b_done = l_block(e, "done");
    branch_on_source(r, op, bit, loop.v_index, b_slot, b_other);
    for (unsigned from_slot = 0; from_slot < 2; from_slot++) {
        LLVMPositionBuilderAtEnd(e->builder, from_slot ? b_slot : b_other);
        LLVMValueRef v_from = NULL, v_base, v_stride;
        if (from_slot) {
            v_from = slot_address(r, op, loop.v_index);
        } else if (stage->n_loads > 0) {
            cpu_locate(r, &stage->loads[0].view, &once, &v_base, &v_stride);
            v_from = l_offset(e, v_base, l_mul(e, loop.v_index, v_stride));
        }
        for (size_t i = 0; i < stage->n_stores; i++) {
            cpu_locate(r, &stage->stores[i].view, &once, &v_base, &v_stride);
            LLVMValueRef v_to = l_offset(e, v_base, l_mul(e, loop.v_index, v_stride));
            cpu_emit_copy(e, v_to, v_from, 0.0, stage->width);
        }
        LLVMBuildBr(e->builder, b_done);
    }
    LLVMPositionBuilderAtEnd(e->builder, b_done);
    l_loop_end(e, &loop);
}

void cpu_emit_final(struct cpu_run *r, const struct gruc_stage *stage)
{
    struct cpu_emitter *e = r->e;
    const struct gruc_op *op = &e->ir->ops[stage->ops[0]];
    struct cpu_position once = {.way = CPU_ONCE};
    LLVMBasicBlockRef b_store = l_block(e, "store"), b_done = l_block(e, "stored");
    if (gruc_op_integer(op, GRUC_ATTRIBUTE_RULE, 0) == GRUC_STATE_CARRY)
        LLVMBuildCondBr(e->builder, has_flag(r, GRUC_ARGS_CARRY), b_store, b_done);
    else
        LLVMBuildBr(e->builder, b_store);
    LLVMPositionBuilderAtEnd(e->builder, b_store);
    struct l_loop loop = l_loop_begin(e, l_i64(e, 0), r->v_rows, l_i64(e, 1));
    LLVMValueRef v_base, v_stride;
    cpu_locate(r, &stage->loads[0].view, &once, &v_base, &v_stride);
    cpu_emit_copy(e, slot_address(r, op, loop.v_index),
                  l_offset(e, v_base, l_mul(e, loop.v_index, v_stride)), 0.0, stage->width);
    l_loop_end(e, &loop);
    LLVMBuildBr(e->builder, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_done);
}

/* Marks the rows as started, last of all, so that every layer of this call saw the same mark: 1
 * after an odd number of steps, 2 after an even one. */
void cpu_emit_started(struct cpu_run *r)
{
    struct cpu_emitter *e = r->e;
    if (e->info->state_bytes == 0)
        return;
    LLVMBasicBlockRef b_mark = l_block(e, "mark"), b_done = l_block(e, "marked");
    LLVMBuildCondBr(e->builder, has_flag(r, GRUC_ARGS_CARRY), b_mark, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_mark);
    LLVMValueRef v_steps = LLVMConstInt(e->t_i32, 1, 0);
    if (e->ir->n_symbols > 0)
        v_steps = LLVMBuildTrunc(e->builder, r->v_steps[0], e->t_i32, "");
    struct l_loop loop = l_loop_begin(e, l_i64(e, 0), r->v_rows, l_i64(e, 1));
    LLVMValueRef v_row = state_row(r, loop.v_index);
    LLVMValueRef v_sum = LLVMBuildAdd(e->builder, l_load(e, e->t_i32, v_row, 4), v_steps, "");
    LLVMValueRef v_is_odd = LLVMBuildTrunc(e->builder, v_sum, e->t_i1, "");
    l_store(e, LLVMBuildSelect(e->builder, v_is_odd, LLVMConstInt(e->t_i32, 1, 0),
                               LLVMConstInt(e->t_i32, 2, 0), ""), v_row, 4);
    l_loop_end(e, &loop);
    LLVMBuildBr(e->builder, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_done);
}

void cpu_load_turned(struct cpu_run *r)
{
    struct cpu_emitter *e = r->e;
    if (!e->one_step)
        return;
    r->v_turned = LLVMConstInt(e->t_i1, 0, 0);
    if (e->info->state_bytes != 0)
        r->v_turned = LLVMBuildTrunc(e->builder, l_load(e, e->t_i32, state_row(r, l_i64(e, 0)), 4),
                                     e->t_i1, "turned");
}

/* Whether a slot is zero in every row of the batch, as a bit. */
static LLVMValueRef is_all_zero(struct cpu_run *r, const struct gruc_op *op)
{
    struct cpu_emitter *e = r->e;
    uint32_t width = e->ir->values[op->results[0]].type.width;
    LLVMValueRef v_any = LLVMBuildAlloca(e->builder, e->t_i64, "any");
    l_store(e, l_i64(e, 0), v_any, 8);
    struct l_loop rows = l_loop_begin(e, l_i64(e, 0), r->v_batch, l_i64(e, 1));
    struct l_loop units = l_loop_begin(e, l_i64(e, 0), l_i64(e, width), l_i64(e, 1));
    LLVMValueRef v_at = l_offset(e, slot_address(r, op, rows.v_index),
                                 l_mul(e, units.v_index, l_i64(e, 4)));
    LLVMValueRef v_number = l_load(e, e->t_float, v_at, 4);
    LLVMValueRef v_set = LLVMBuildFCmp(e->builder, LLVMRealUNE, v_number,
                                       LLVMConstReal(e->t_float, 0.0), "");
    LLVMValueRef v_bit = LLVMBuildZExt(e->builder, v_set, e->t_i64, "");
    LLVMValueRef v_old = l_load(e, e->t_i64, v_any, 8);
    l_store(e, LLVMBuildOr(e->builder, v_old, v_bit, ""), v_any, 8);
    l_loop_end(e, &units);
    l_loop_end(e, &rows);
    return LLVMBuildXor(e->builder, l_load(e, e->t_i64, v_any, 8), l_i64(e, 1), "");
}

LLVMValueRef cpu_emit_given_bits(struct cpu_run *r)
{
    struct cpu_emitter *e = r->e;
    const struct gruc_region *body = &e->ir->regions[0];
    LLVMValueRef v_bits = l_i64(e, 0);
    size_t bit = 0;
    for (size_t i = 0; i < body->n_ops; i++) {
        const struct gruc_op *op = &e->ir->ops[body->ops[i]];
        if (op->code != GRUC_OP_INITIAL_STATE)
            continue;
        int first = gruc_op_integer(op, GRUC_ATTRIBUTE_RULE, 0) == GRUC_STATE_STATEFUL_FIRST;
        if (first && op->n_operands > 0 && bit < 64) {
            LLVMValueRef v_bit = LLVMBuildShl(e->builder, is_all_zero(r, op), l_i64(e, bit), "");
            v_bits = LLVMBuildOr(e->builder, v_bits, v_bit, "");
        } else if (first && op->n_operands > 0) {
            e->failed = 1;
        }
        bit++;
    }
    return v_bits;
}

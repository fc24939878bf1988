/* SPDX-License-Identifier: MIT */
/* Every id of the call's rows is checked against its table before anything is computed. */
#include "codegen/cpu/run.h"

/* Ids truncate towards zero, so -0.5 is 0; NaN fails both comparisons. */
static LLVMValueRef is_valid_float(struct cpu_emitter *e, LLVMValueRef v_id, double least,
                                   double limit)
{
    LLVMValueRef v_above = LLVMBuildFCmp(e->builder, LLVMRealOGT, v_id,
                                         LLVMConstReal(e->t_float, least - 1.0), "");
    LLVMValueRef v_below = LLVMBuildFCmp(e->builder, LLVMRealOLT, v_id,
                                         LLVMConstReal(e->t_float, limit), "");
    return LLVMBuildAnd(e->builder, v_above, v_below, "");
}

static LLVMValueRef is_valid_integer(struct cpu_emitter *e, LLVMValueRef v_id, int64_t least,
                                     int64_t limit)
{
    LLVMValueRef v_wide = LLVMBuildSExt(e->builder, v_id, e->t_i64, "");
    LLVMValueRef v_above = LLVMBuildICmp(e->builder, LLVMIntSGE, v_wide,
                                         LLVMConstInt(e->t_i64, (uint64_t)least, 1), "");
    LLVMValueRef v_below = LLVMBuildICmp(e->builder, LLVMIntSLT, v_wide,
                                         LLVMConstInt(e->t_i64, (uint64_t)limit, 1), "");
    return LLVMBuildAnd(e->builder, v_above, v_below, "");
}

static void validate(struct cpu_run *r, const struct gruc_buffer *buffer, LLVMValueRef v_base,
                     int64_t least, int64_t limit, LLVMBasicBlockRef b_bad)
{
    struct cpu_emitter *e = r->e;
    LLVMValueRef v_row, v_step;
    cpu_port_strides(r, buffer, buffer->width, &v_row, &v_step);
    int is_sequence =
        (e->ir->values[e->ir->inputs[buffer->port].value].type.axes & GRUC_AXIS_STEPS) != 0;
    LLVMValueRef v_total = is_sequence ? cpu_steps_value(r, buffer->steps) : l_i64(e, 1);
    LLVMValueRef v_limit = l_add(e, r->v_first, r->v_rows);
    struct l_loop rows = l_loop_begin(e, r->v_first, v_limit, l_i64(e, 1));
    struct l_loop steps = l_loop_begin(e, l_i64(e, 0), v_total, l_i64(e, 1));
    struct l_loop units = l_loop_begin(e, l_i64(e, 0), l_i64(e, buffer->width), l_i64(e, 1));
    LLVMValueRef v_offset = l_add(e, l_mul(e, rows.v_index, v_row),
                                  l_mul(e, steps.v_index, v_step));
    unsigned bytes = cpu_dtype_bytes(buffer->dtype);
    v_offset = l_add(e, v_offset, l_mul(e, units.v_index, l_i64(e, bytes)));
    LLVMValueRef v_id = l_load(e, cpu_memory_type(e, buffer->dtype),
                               l_offset(e, v_base, v_offset), bytes);
    LLVMValueRef v_valid = buffer->dtype == GRUC_FLOAT32
                               ? is_valid_float(e, v_id, (double)least, (double)limit)
                               : is_valid_integer(e, v_id, least, limit);
    LLVMBasicBlockRef b_good = l_block(e, "good");
    LLVMBuildCondBr(e->builder, v_valid, b_good, b_bad);
    LLVMPositionBuilderAtEnd(e->builder, b_good);
    l_loop_end(e, &units);
    l_loop_end(e, &steps);
    l_loop_end(e, &rows);
}

void cpu_emit_validate(struct cpu_run *r, LLVMBasicBlockRef b_bad)
{
    struct cpu_emitter *e = r->e;
    for (size_t g = 0; g < e->schedule->n_groups; g++)
        for (size_t i = 0; i < e->schedule->groups[g].n_stages; i++) {
            const struct gruc_stage *stage = &e->schedule->groups[g].stages[i];
            if (stage->kind != GRUC_STAGE_EMBED)
                continue;
            const struct gruc_op *op = &e->ir->ops[stage->ops[0]];
            const struct gruc_buffer *buffer =
                &e->schedule->buffers[stage->loads[0].view.buffer];
            if (buffer->storage != GRUC_STORE_INPUT) {
                e->failed = 1; /* the front end lets a table be fed by an input only */
                return;
            }
            unsigned slot = CPU_SLOT_STEPS + (unsigned)e->ir->n_symbols + buffer->port;
            LLVMValueRef v_base = cpu_load_slot(e, r->v_args, slot, e->t_ptr);
            int64_t limit = gruc_op_id_count(e->ir, op);
            int64_t least = gruc_op_integer(op, GRUC_ATTRIBUTE_WRAP, 0) ? -limit : 0;
            validate(r, buffer, v_base, least, limit, b_bad);
        }
}

/* SPDX-License-Identifier: MIT */
/* Rows of a table by id. Ids were validated at the start of the call. */
#include "codegen/cpu/emitter.h"

#include <string.h>

static size_t pack_table(struct cpu_emitter *e, const struct gruc_op *param, uint32_t rows,
                         uint32_t width, uint32_t stride)
{
    const struct gruc_tensor *tensor =
        &e->ir->tensors[gruc_op_integer(param, GRUC_ATTRIBUTE_TENSOR, 0)];
    size_t bytes;
    if (__builtin_mul_overflow((size_t)rows, (size_t)stride * sizeof(float), &bytes)) {
        e->failed = 1;
        return 0;
    }
    size_t offset = cpu_blob_reserve(&e->blob, bytes);
    for (size_t row = 0; row < rows && !e->blob.failed; row++)
        memcpy(e->blob.bytes + offset + row * stride * sizeof(float),
               tensor->data + row * tensor->columns, width * sizeof(float));
    return offset;
}

void cpu_emit_embed(struct cpu_emitter *e, struct cpu_stage *s)
{
    const struct gruc_op *op = &e->ir->ops[s->stage->ops[0]];
    const struct gruc_type *table = &e->ir->values[op->operands[1]].type;
    uint32_t width = table->width, rows = table->rows;
    uint32_t stride = (width + CPU_VECTOR_PAD - 1) / CPU_VECTOR_PAD * CPU_VECTOR_PAD;
    size_t offset = pack_table(e, gruc_ir_def(e->ir, op->operands[1]), rows, width, stride);
    struct l_loop loop = cpu_stage_rows_begin(e, s);
    LLVMValueRef v_row = cpu_stage_row(e, s, loop.v_index);
    LLVMValueRef at = l_offset(e, s->edges[0].v_base, l_mul(e, v_row, s->edges[0].v_stride));
    LLVMValueRef id = l_load(e, cpu_memory_type(e, s->edges[0].dtype), at,
                             cpu_dtype_bytes(s->edges[0].dtype));
    if (s->edges[0].dtype == GRUC_FLOAT32)
        id = LLVMBuildFPToSI(e->builder, id, e->t_i32, "");
    LLVMValueRef wrapped = LLVMBuildAdd(e->builder, id, LLVMConstInt(e->t_i32, rows, 0), "");
    LLVMValueRef negative = LLVMBuildICmp(e->builder, LLVMIntSLT, id, LLVMConstInt(e->t_i32, 0, 0),
                                          "");
    id = LLVMBuildSelect(e->builder, negative, wrapped, id, "");
    LLVMValueRef v_entry = l_mul(e, LLVMBuildZExt(e->builder, id, e->t_i64, ""),
                                 l_i64(e, (uint64_t)stride * sizeof(float)));
    LLVMValueRef v_source = l_offset(e, e->v_weights, l_add(e, l_i64(e, offset), v_entry));
    unsigned lanes = e->target->lanes;
    for (uint32_t unit = 0; unit < width; unit += lanes) {
        unsigned count = width - unit < lanes ? width - unit : lanes;
        LLVMValueRef v_unit = l_i64(e, (uint64_t)unit * sizeof(float));
        for (size_t i = 1; i < s->n_edges; i++) {
            LLVMValueRef to = l_offset(e, s->edges[i].v_base,
                                       l_mul(e, v_row, s->edges[i].v_stride));
            if (count == lanes) {
                LLVMValueRef v = l_load(e, l_vector(e->t_float, lanes),
                                        l_offset(e, v_source, v_unit), 4);
                l_store(e, v, l_offset(e, to, v_unit), 4);
                continue;
            }
            for (unsigned k = 0; k < count; k++) {
                LLVMValueRef v_one = l_i64(e, (uint64_t)(unit + k) * sizeof(float));
                LLVMValueRef v = l_load(e, e->t_float, l_offset(e, v_source, v_one), 4);
                l_store(e, v, l_offset(e, to, v_one), 4);
            }
        }
    }
    l_loop_end(e, &loop);
}

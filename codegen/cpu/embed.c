/* SPDX-License-Identifier: MIT */
/* Rows of tables by id. Tables that are read by the same ids lie side by side, so an id is one row
 * of all of them; a one_hot has none. Ids were validated at the start of the call. */
#include "codegen/cpu/emitter.h"

#include <string.h>

enum { STRAIGHT_VECTORS = 16 };

static uint32_t padded_width(const struct cpu_emitter *e, const struct gruc_op *op)
{
    uint32_t width = e->ir->values[op->operands[1]].type.width;
    return (width + CPU_VECTOR_PAD - 1) / CPU_VECTOR_PAD * CPU_VECTOR_PAD;
}

static void pack_table(struct cpu_emitter *e, const struct gruc_op *op, size_t offset,
                       size_t row_bytes)
{
    const struct gruc_type *type = &e->ir->values[op->operands[1]].type;
    for (size_t k = 0; k < type->rows; k++) {
        const float *row = cpu_weight_rows(e, op->operands[1], k, 1);
        if (e->blob.failed || row == NULL)
            return;
        memcpy(e->blob.bytes + offset + k * row_bytes, row, type->width * sizeof(float));
    }
}

static size_t row_bytes(const struct cpu_emitter *e, const struct gruc_stage *stage)
{
    size_t bytes = 0;
    for (size_t i = 0; i < stage->n_ops; i++)
        bytes += (size_t)padded_width(e, &e->ir->ops[stage->ops[i]]) * sizeof(float);
    return bytes;
}

/* All tables of the stage are its only piece. */
void cpu_pack_embed(struct cpu_emitter *e, struct cpu_stage *s)
{
    const struct gruc_op *first = &e->ir->ops[s->stage->ops[0]];
    if (first->code != GRUC_OP_EMBED)
        return;
    size_t bytes, column = 0, row = row_bytes(e, s->stage);
    if (__builtin_mul_overflow((size_t)e->ir->values[first->operands[1]].type.rows, row, &bytes)) {
        e->failed = 1;
        return;
    }
    size_t offset = cpu_blob_reserve(&e->blob, bytes);
    for (size_t i = 0; i < s->stage->n_ops; i++) {
        const struct gruc_op *op = &e->ir->ops[s->stage->ops[i]];
        pack_table(e, op, offset + column, row);
        column += (size_t)padded_width(e, op) * sizeof(float);
    }
    cpu_stage_piece(e, s, cpu_blob_settle(&e->blob, offset), GRUC_NONE);
}

/* The id of row v_index, counted from the start of the table. */
static LLVMValueRef load_id(struct cpu_emitter *e, const struct cpu_stage *s, LLVMValueRef v_index)
{
    uint32_t count = gruc_op_id_count(e->ir, &e->ir->ops[s->stage->ops[0]]);
    const struct cpu_edge *ids = &s->edges[0];
    LLVMValueRef v_id = l_load(e, cpu_memory_type(e, ids->dtype),
                               l_offset(e, ids->v_base, l_mul(e, v_index, ids->v_stride)),
                               cpu_dtype_bytes(ids->dtype));
    if (ids->dtype == GRUC_FLOAT32)
        v_id = LLVMBuildFPToSI(e->builder, v_id, e->t_i32, "");
    LLVMValueRef v_wrapped = LLVMBuildAdd(e->builder, v_id, LLVMConstInt(e->t_i32, count, 0), "");
    LLVMValueRef v_negative =
        LLVMBuildICmp(e->builder, LLVMIntSLT, v_id, LLVMConstInt(e->t_i32, 0, 0), "");
    v_id = LLVMBuildSelect(e->builder, v_negative, v_wrapped, v_id, "");
    return LLVMBuildZExt(e->builder, v_id, e->t_i64, "");
}

static void copy_vector(struct cpu_emitter *e, LLVMTypeRef type, LLVMValueRef v_from,
                        LLVMValueRef v_to, LLVMValueRef v_offset)
{
    LLVMValueRef v = l_load(e, type, l_offset(e, v_from, v_offset), 4);
    l_store(e, v, l_offset(e, v_to, v_offset), 4);
}

/* Copies width numbers; rows of tables, and places that are not exact, have room for vectors. */
static void copy_row(struct cpu_emitter *e, const struct cpu_edge *to, LLVMValueRef v_from,
                     LLVMValueRef v_to)
{
    unsigned lanes = e->target->lanes;
    LLVMTypeRef type = l_vector(e->t_float, lanes);
    uint64_t vector_bytes = (uint64_t)lanes * sizeof(float);
    int is_exact = to->exact || to->width == 1; /* single numbers stand side by side */
    uint32_t vectors = is_exact ? to->width / lanes : (to->width + lanes - 1) / lanes;
    if (vectors > STRAIGHT_VECTORS) {
        struct l_loop loop = l_loop_begin(e, l_i64(e, 0), l_i64(e, vectors * vector_bytes),
                                          l_i64(e, vector_bytes));
        copy_vector(e, type, v_from, v_to, loop.v_index);
        l_loop_end(e, &loop);
    } else {
        for (uint32_t i = 0; i < vectors; i++)
            copy_vector(e, type, v_from, v_to, l_i64(e, i * vector_bytes));
    }
    for (uint32_t unit = vectors * lanes; unit < to->width; unit++)
        copy_vector(e, e->t_float, v_from, v_to, l_i64(e, (uint64_t)unit * sizeof(float)));
}

static LLVMValueRef row_of(struct cpu_emitter *e, const struct cpu_edge *edge, LLVMValueRef v_row)
{
    return l_offset(e, edge->v_base, l_mul(e, v_row, edge->v_stride));
}

static void look_up(struct cpu_emitter *e, struct cpu_stage *s)
{
    size_t column = 0;
    struct l_loop loop = cpu_stage_rows_begin(e, s);
    LLVMValueRef v_row = cpu_stage_row(e, s, loop.v_index);
    LLVMValueRef v_entry = l_mul(e, load_id(e, s, v_row), l_i64(e, row_bytes(e, s->stage)));
    for (size_t i = 0; i < s->stage->n_ops; i++) {
        const struct gruc_op *op = &e->ir->ops[s->stage->ops[i]];
        LLVMValueRef v_table = l_add(e, s->v_pieces[0], l_i64(e, column));
        LLVMValueRef v_from = l_offset(e, e->v_weights, l_add(e, v_table, v_entry));
        for (size_t k = 1; k < s->n_edges; k++)
            if (s->edges[k].value == op->results[0])
                copy_row(e, &s->edges[k], v_from, row_of(e, &s->edges[k], v_row));
        column += (size_t)padded_width(e, op) * sizeof(float);
    }
    l_loop_end(e, &loop);
}

static void mark_ids(struct cpu_emitter *e, struct cpu_stage *s)
{
    struct l_loop loop = cpu_stage_rows_begin(e, s);
    LLVMValueRef v_row = cpu_stage_row(e, s, loop.v_index);
    LLVMValueRef v_id = l_mul(e, load_id(e, s, v_row), l_i64(e, sizeof(float)));
    for (size_t k = 1; k < s->n_edges; k++) {
        LLVMValueRef v_to = row_of(e, &s->edges[k], v_row);
        uint64_t bytes = (uint64_t)s->edges[k].width * sizeof(float);
        struct l_loop units = l_loop_begin(e, l_i64(e, 0), l_i64(e, bytes),
                                           l_i64(e, sizeof(float)));
        l_store(e, LLVMConstReal(e->t_float, 0.0), l_offset(e, v_to, units.v_index), 4);
        l_loop_end(e, &units);
        l_store(e, LLVMConstReal(e->t_float, 1.0), l_offset(e, v_to, v_id), 4);
    }
    l_loop_end(e, &loop);
}

void cpu_emit_embed(struct cpu_emitter *e, struct cpu_stage *s)
{
    if (e->ir->ops[s->stage->ops[0]].code == GRUC_OP_EMBED)
        look_up(e, s);
    else
        mark_ids(e, s);
}

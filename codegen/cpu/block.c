/* SPDX-License-Identifier: MIT */
/* A block of rows and units: loads, the pointwise operations of a stage, stores. */
#include "codegen/cpu/block.h"
#include "codegen/cpu/weights.h"

#include <string.h>

LLVMValueRef cpu_edge_address(struct cpu_emitter *e, const struct cpu_block *block,
                              const struct cpu_edge *edge, unsigned row, unsigned vector)
{
    LLVMValueRef address =
        l_offset(e, edge->v_base, l_mul(e, block->v_rows[row], edge->v_stride));
    if (edge->width == 1)
        return address;
    LLVMValueRef v_unit = l_add(e, block->v_unit, l_i64(e, (uint64_t)vector * block->lanes));
    return l_offset(e, address, l_mul(e, v_unit, l_i64(e, cpu_dtype_bytes(edge->dtype))));
}

static unsigned valid_lanes(const struct cpu_block *block, unsigned vector)
{
    return vector + 1 == block->n_vectors ? block->tail : block->lanes;
}

static LLVMValueRef load_edge(struct cpu_emitter *e, const struct cpu_block *block,
                              const struct cpu_edge *edge, unsigned row, unsigned vector)
{
    LLVMTypeRef element = cpu_memory_type(e, edge->dtype);
    unsigned lanes = edge->width == 1 ? 1 : block->lanes, bytes = cpu_dtype_bytes(edge->dtype);
    LLVMValueRef address = cpu_edge_address(e, block, edge, row, vector), v;
    unsigned valid = edge->width == 1 ? 1 : valid_lanes(block, vector);
    LLVMTypeRef type = l_vector(element, lanes);
    if (edge->exact && valid < lanes) {
        LLVMTypeRef mask_type = LLVMVectorType(e->t_i1, lanes);
        LLVMTypeRef parameters[4] = {e->t_ptr, e->t_i32, mask_type, type};
        LLVMValueRef arguments[4] = {address, LLVMConstInt(e->t_i32, bytes, 0),
                                     l_constant_mask(e, lanes, valid), LLVMConstNull(type)};
        unsigned id = LLVMLookupIntrinsicID("llvm.masked.load", 16);
        LLVMTypeRef overload[2] = {type, e->t_ptr};
        LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->module, id, overload, 2);
        v = LLVMBuildCall2(e->builder, LLVMFunctionType(type, parameters, 4, 0), function,
                           arguments, 4, "");
    } else {
        v = l_load(e, type, address, bytes);
    }
    if (edge->dtype == GRUC_BOOL)
        v = LLVMBuildICmp(e->builder, LLVMIntNE, v, LLVMConstNull(type), "");
    return edge->width == 1 ? l_splat(e, v, block->lanes) : v;
}

static void store_edge(struct cpu_emitter *e, const struct cpu_block *block,
                       const struct cpu_edge *edge, unsigned row, unsigned vector, LLVMValueRef v)
{
    LLVMTypeRef type = l_vector(cpu_memory_type(e, edge->dtype), block->lanes);
    unsigned bytes = cpu_dtype_bytes(edge->dtype), valid = valid_lanes(block, vector);
    if (edge->dtype == GRUC_BOOL)
        v = LLVMBuildZExt(e->builder, v, type, "");
    LLVMValueRef address = cpu_edge_address(e, block, edge, row, vector);
    if (edge->exact && valid < block->lanes) {
        LLVMTypeRef mask_type = LLVMVectorType(e->t_i1, block->lanes);
        LLVMTypeRef parameters[4] = {type, e->t_ptr, e->t_i32, mask_type};
        LLVMValueRef arguments[4] = {v, address, LLVMConstInt(e->t_i32, bytes, 0),
                                     l_constant_mask(e, block->lanes, valid)};
        unsigned id = LLVMLookupIntrinsicID("llvm.masked.store", 17);
        LLVMTypeRef overload[2] = {type, e->t_ptr};
        LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->module, id, overload, 2);
        LLVMBuildCall2(e->builder, LLVMFunctionType(e->t_void, parameters, 4, 0), function,
                       arguments, 4, "");
    } else {
        l_store(e, v, address, bytes);
    }
}

static LLVMValueRef *value_slot(const struct cpu_emitter *e, struct cpu_block *block,
                                gruc_ref value, unsigned row, unsigned vector)
{
    size_t index = ((size_t)e->local[value] * block->n_rows + row) * block->n_vectors + vector;
    return &block->values[index];
}

static size_t find_piece(const struct cpu_stage *s, gruc_ref param)
{
    size_t piece = 0;
    while (piece < s->n_pieces && s->pieces[piece].param != param)
        piece++;
    return piece;
}

/* A weight used in a pointwise operation: numbers, one a unit. */
static void pack_operand(struct cpu_emitter *e, struct cpu_stage *s, gruc_ref value)
{
    const struct gruc_op *op = gruc_ir_def(e->ir, value);
    if (op == NULL || op->code != GRUC_OP_PARAM || find_piece(s, value) < s->n_pieces)
        return;
    size_t width = e->ir->values[value].type.width;
    size_t offset = cpu_blob_reserve(&e->blob, (width + CPU_VECTOR_PAD) * sizeof(float));
    const float *row = cpu_weight_rows(e, value, 0, 1);
    if (e->blob.failed || row == NULL)
        return;
    memcpy(e->blob.bytes + offset, row, width * sizeof(float));
    cpu_stage_piece(e, s, cpu_blob_settle(&e->blob, offset), value);
}

void cpu_pack_operands(struct cpu_emitter *e, struct cpu_stage *s)
{
    for (size_t i = 0; i < s->stage->n_ops; i++) {
        const struct gruc_op *op = &e->ir->ops[s->stage->ops[i]];
        for (size_t k = 0; k < op->n_operands && op->code != GRUC_OP_MATMUL; k++)
            pack_operand(e, s, op->operands[k]);
    }
    for (size_t i = 0; i < s->stage->n_stores; i++)
        pack_operand(e, s, s->stage->stores[i].value);
}

static LLVMValueRef load_weight(struct cpu_emitter *e, const struct cpu_block *block,
                                const struct gruc_op *op, unsigned vector)
{
    const struct gruc_type *type = &e->ir->values[op->results[0]].type;
    size_t piece = find_piece(block->stage, op->results[0]);
    LLVMValueRef address = l_offset(e, e->v_weights, block->stage->v_pieces[piece]);
    if (type->width == 1)
        return l_splat(e, l_load(e, e->t_float, address, 4), block->lanes);
    LLVMValueRef v_unit = l_add(e, block->v_unit, l_i64(e, (uint64_t)vector * block->lanes));
    address = l_offset(e, address, l_mul(e, v_unit, l_i64(e, 4)));
    return l_load(e, l_vector(e->t_float, block->lanes), address, 4);
}

static LLVMValueRef operand(struct cpu_emitter *e, struct cpu_block *block, gruc_ref value,
                            unsigned row, unsigned vector)
{
    const struct gruc_op *op = gruc_ir_def(e->ir, value);
    if (op != NULL && op->code == GRUC_OP_CONSTANT)
        return l_splat(e, LLVMConstReal(e->t_float, gruc_op_number(op, GRUC_ATTRIBUTE_VALUE, 0)),
                       block->lanes);
    if (op != NULL && op->code == GRUC_OP_PARAM)
        return load_weight(e, block, op, vector);
    if (e->local[value] == GRUC_NONE) {
        e->failed = 1;
        return LLVMGetUndef(l_vector(e->t_float, block->lanes));
    }
    LLVMValueRef *slot = value_slot(e, block, value, row, vector);
    const struct cpu_stage *s = block->stage;
    for (size_t i = 0; *slot == NULL && i < s->n_loads; i++)
        if (s->edges[s->n_products + i].value == value)
            *slot = load_edge(e, block, &s->edges[s->n_products + i], row, vector);
    if (*slot == NULL) {
        e->failed = 1;
        *slot = LLVMGetUndef(l_vector(e->t_float, block->lanes));
    }
    return *slot;
}

static void emit_op(struct cpu_emitter *e, struct cpu_block *block, const struct gruc_op *op,
                    unsigned row, unsigned vector)
{
    LLVMValueRef operands[3];
    LLVMValueRef *slot = value_slot(e, block, op->results[0], row, vector);
    if (op->code == GRUC_OP_MATMUL || *slot != NULL) /* emitted as soon as it was ready */
        return;
    if (op->n_operands > 3) {
        e->failed = 1;
        return;
    }
    for (unsigned i = 0; i < op->n_operands; i++)
        operands[i] = operand(e, block, op->operands[i], row, vector);
    *slot = cpu_emit_pointwise(e, op->code, operands, block->lanes);
}

/* Whether it is there, or is loaded where it is used. */
static int is_there(const struct cpu_emitter *e, struct cpu_block *block, gruc_ref value)
{
    const struct cpu_stage *s = block->stage;
    const struct gruc_op *op = gruc_ir_def(e->ir, value);
    if (op != NULL && (op->code == GRUC_OP_CONSTANT || op->code == GRUC_OP_PARAM))
        return 1;
    for (size_t i = 0; i < s->n_loads; i++)
        if (s->edges[s->n_products + i].value == value)
            return 1;
    return e->local[value] != GRUC_NONE && *value_slot(e, block, value, 0, 0) != NULL;
}

void cpu_emit_ready(struct cpu_emitter *e, struct cpu_block *block)
{
    const struct gruc_stage *stage = block->stage->stage;
    for (size_t i = 0; i < stage->n_ops; i++) {
        const struct gruc_op *op = &e->ir->ops[stage->ops[i]];
        int is_ready = 1;
        for (size_t k = 0; k < op->n_operands && op->code != GRUC_OP_MATMUL; k++)
            is_ready &= is_there(e, block, op->operands[k]);
        for (unsigned vector = 0; is_ready && vector < block->n_vectors; vector++)
            emit_op(e, block, op, 0, vector);
    }
}

/* Several vectors go through the operations side by side, so that their chains overlap. */
static void emit_chains(struct cpu_emitter *e, struct cpu_block *block, unsigned first,
                        unsigned count)
{
    const struct cpu_stage *s = block->stage;
    for (size_t i = 0; i < s->stage->n_ops; i++)
        for (unsigned k = first; k < first + count; k++)
            emit_op(e, block, &e->ir->ops[s->stage->ops[i]], k / block->n_vectors,
                    k % block->n_vectors);
    for (size_t i = s->n_products + s->n_loads; i < s->n_edges; i++)
        for (unsigned k = first; k < first + count; k++) {
            unsigned row = k / block->n_vectors, vector = k % block->n_vectors;
            LLVMValueRef v = operand(e, block, s->edges[i].value, row, vector);
            store_edge(e, block, &s->edges[i], row, vector, v);
        }
}

/* ---- rows by loop: sums of many rows wait in memory, so that the operations on them are emitted
 * for a few rows only, which is most of what has to be compiled ---- */

enum { LOOP_OPS = 8, LONG_SUMS = 256, LONGER_SUMS = 384 };

static size_t count_sums(const struct cpu_emitter *e, const struct gruc_stage *stage)
{
    size_t sums = 0;
    for (size_t i = 0; i < stage->n_ops; i++)
        sums += e->ir->ops[stage->ops[i]].code == GRUC_OP_MATMUL;
    return sums;
}

/* Stores the sums of rows at v_memory, or loads them from there: [row][vector][sum]. After its own
 * rows a block stores those of the last again. */
static void move_sums(struct cpu_emitter *e, struct cpu_block *block, unsigned rows,
                      uint64_t row_bytes, LLVMValueRef v_memory, int is_store)
{
    const struct gruc_stage *stage = block->stage->stage;
    LLVMTypeRef type = l_vector(e->t_float, block->lanes);
    unsigned bytes = block->lanes * 4;
    for (unsigned at = 0; at < rows; at++) {
        unsigned row = at < block->n_rows ? at : block->n_rows - 1;
        uint64_t offset = at * row_bytes;
        for (unsigned vector = 0; vector < block->n_vectors; vector++)
            for (size_t i = 0; i < stage->n_ops; i++) {
                const struct gruc_op *op = &e->ir->ops[stage->ops[i]];
                if (op->code != GRUC_OP_MATMUL)
                    continue;
                LLVMValueRef address = l_offset(e, v_memory, l_i64(e, offset));
                LLVMValueRef *slot = value_slot(e, block, op->results[0], row, vector);
                if (is_store)
                    l_store(e, *slot, address, bytes);
                else
                    *slot = l_load(e, type, address, bytes);
                offset += bytes;
            }
    }
}

uint64_t cpu_put_aside(struct cpu_emitter *e, struct cpu_block *block,
                       const struct gruc_product *product, LLVMValueRef v_memory, int is_store)
{
    LLVMTypeRef type = l_vector(e->t_float, block->lanes);
    uint64_t offset = 0;
    for (size_t op = 0; op < product->n_ops; op++)
        for (unsigned row = 0; row < block->n_rows; row++)
            for (unsigned vector = 0; vector < block->n_vectors; vector++) {
                gruc_ref value = e->ir->ops[product->ops[op]].results[0];
                LLVMValueRef *slot = value_slot(e, block, value, row, vector);
                LLVMValueRef v_at = l_offset(e, v_memory, l_i64(e, offset));
                if (!is_store) {
                    *slot = l_load(e, type, v_at, block->lanes * 4);
                } else {
                    LLVMValueRef store = LLVMBuildStore(e->builder, *slot, v_at);
                    LLVMSetAlignment(store, block->lanes * 4);
                    LLVMSetVolatile(store, 1);
                }
                offset += (uint64_t)block->lanes * 4;
            }
    return offset;
}

static uint64_t products_of_unit(const struct gruc_stage *stage)
{
    uint64_t products = 0;
    for (size_t i = 0; i < stage->n_products; i++)
        products += (uint64_t)stage->products[i].depth * stage->products[i].n_ops;
    return products;
}

/* How many chains of operations run side by side. A loop's rounds overlap too, though less well;
 * after long sums that is no loss, and after longer ones one at a time is less to compile. */
static unsigned chains_together(const struct cpu_emitter *e, const struct cpu_block *block)
{
    uint64_t products = products_of_unit(block->stage->stage);
    if (block->n_rows > 1 && products >= LONGER_SUMS)
        return 1;
    return e->target->registers >= 32 && products < LONG_SUMS ? 4 : 2;
}

static int has_long_epilogue(const struct cpu_emitter *e, const struct gruc_stage *stage)
{
    return stage->n_ops - count_sums(e, stage) > LOOP_OPS;
}

int cpu_epilogue_waits(const struct cpu_emitter *e, const struct gruc_stage *stage)
{
    return has_long_epilogue(e, stage) && products_of_unit(stage) >= LONGER_SUMS;
}

static uint64_t sum_bytes(const struct cpu_emitter *e, const struct cpu_block *block)
{
    return (uint64_t)count_sums(e, block->stage->stage) * block->lanes * 4;
}

struct cpu_epilogue cpu_epilogue_begin(struct cpu_emitter *e, const struct cpu_block *block,
                                       unsigned least, unsigned vectors, unsigned blocks,
                                       LLVMValueRef v_block)
{
    unsigned together = chains_together(e, block);
    unsigned rows = together < vectors ? 1 : together / vectors;
    int is_all = rows >= block->n_rows && vectors == block->n_vectors;
    int has_rounds = has_long_epilogue(e, block->stage->stage) && !is_all && rows <= least &&
                     block->n_rows % rows == 0;
    if (!has_rounds && blocks == 1)
        return (struct cpu_epilogue){0};
    struct cpu_epilogue out = {.rows = has_rounds ? rows : 1, .vectors = vectors,
                               .row_bytes = sum_bytes(e, block) * block->n_vectors};
    uint64_t bytes = out.row_bytes * block->n_rows;
    out.v_sums = l_offset(e, l_allocate(e, bytes * blocks, "sums"),
                          l_mul(e, v_block, l_i64(e, bytes)));
    out.v_numbers = l_allocate(e, 8 * (size_t)block->n_rows, "rows");
    for (unsigned row = 0; row < block->n_rows; row++)
        l_store(e, block->v_rows[row], l_offset(e, out.v_numbers, l_i64(e, 8 * (uint64_t)row)), 8);
    return out;
}

static LLVMValueRef sums_from(struct cpu_emitter *e, const struct cpu_epilogue *epilogue,
                              const struct cpu_block *part, LLVMValueRef v_vector)
{
    return l_offset(e, epilogue->v_sums, l_mul(e, v_vector, l_i64(e, sum_bytes(e, part))));
}

void cpu_epilogue_resume(struct cpu_emitter *e, const struct cpu_epilogue *epilogue,
                         struct cpu_block *part, LLVMValueRef v_vector)
{
    LLVMValueRef v_memory = sums_from(e, epilogue, part, v_vector);
    move_sums(e, part, part->n_rows, epilogue->row_bytes, v_memory, 0);
}

void cpu_epilogue_take(struct cpu_emitter *e, const struct cpu_epilogue *epilogue,
                       struct cpu_block *part, LLVMValueRef v_vector)
{
    if (epilogue->rows > 0) {
        unsigned rows = (part->n_rows + epilogue->rows - 1) / epilogue->rows * epilogue->rows;
        LLVMValueRef v_memory = sums_from(e, epilogue, part, v_vector);
        move_sums(e, part, rows, epilogue->row_bytes, v_memory, 1);
        return;
    }
    unsigned total = part->n_rows * part->n_vectors;
    unsigned together = chains_together(e, part);
    for (unsigned first = 0; first < total; first += together)
        emit_chains(e, part, first, total - first < together ? total - first : together);
}

/* The operations of a round: some whole rows or one vector of a row. */
static void emit_round(struct cpu_emitter *e, const struct cpu_epilogue *epilogue,
                       const struct cpu_block *block, LLVMValueRef v_first, LLVMValueRef v_vector)
{
    struct cpu_block part = *block;
    part.n_rows = epilogue->rows;
    part.n_vectors = epilogue->vectors;
    part.v_unit = l_add(e, block->v_unit, l_mul(e, v_vector, l_i64(e, block->lanes)));
    for (unsigned row = 0; row < part.n_rows; row++) {
        LLVMValueRef v_row = l_add(e, v_first, l_i64(e, row));
        LLVMValueRef v_number = l_offset(e, epilogue->v_numbers, l_mul(e, v_row, l_i64(e, 8)));
        part.v_rows[row] = l_load(e, e->t_i64, v_number, 8);
    }
    size_t locals = block->stage->stage->n_ops + block->stage->n_loads;
    memset(part.values, 0, locals * part.n_rows * part.n_vectors * sizeof *part.values);
    LLVMValueRef v_bytes = l_add(e, l_mul(e, v_first, l_i64(e, epilogue->row_bytes)),
                                 l_mul(e, v_vector, l_i64(e, sum_bytes(e, block))));
    move_sums(e, &part, part.n_rows, epilogue->row_bytes, l_offset(e, epilogue->v_sums, v_bytes),
              0);
    emit_chains(e, &part, 0, part.n_rows * part.n_vectors);
}

void cpu_epilogue_end(struct cpu_emitter *e, const struct cpu_epilogue *epilogue,
                      const struct cpu_block *block, LLVMValueRef v_rows, LLVMValueRef v_first,
                      LLVMValueRef v_limit)
{
    if (epilogue->rows == 0)
        return;
    struct l_loop rows = l_loop_begin(e, l_i64(e, 0), v_rows, l_i64(e, epilogue->rows));
    struct l_loop vectors = l_loop_begin(e, v_first, v_limit, l_i64(e, epilogue->vectors));
    emit_round(e, epilogue, block, rows.v_index, vectors.v_index);
    l_loop_end(e, &vectors);
    l_loop_end(e, &rows);
}

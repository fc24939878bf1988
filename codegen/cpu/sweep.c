/* SPDX-License-Identifier: MIT */
/* A sweep stage: for each block of units, for each block of rows, the products and what follows.
 * Units are the outer loop, so that a block's weights are read from the nearest cache for all rows
 * but the first. How many rows and vectors a block has is decided here from the registers. */
#include "codegen/cpu/emitter.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_PRODUCTS = 8, MAX_GATES = 16 };

struct sweep {
    struct cpu_emitter *e;
    struct cpu_stage *s;
    unsigned lanes;
    size_t weights[MAX_PRODUCTS];
    size_t bias[MAX_PRODUCTS][MAX_GATES];
    LLVMValueRef *values;
    size_t n_values;
};

/* ---- packing ---- */

static const float *weight_row(const struct gruc_ir *ir, gruc_ref param, size_t k)
{
    const struct gruc_op *op = gruc_ir_def(ir, param);
    const struct gruc_tensor *tensor =
        &ir->tensors[gruc_op_integer(op, GRUC_ATTRIBUTE_TENSOR, 0)];
    size_t row = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_ROW, 0) + k;
    return tensor->data + row * tensor->columns +
           (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_COLUMN, 0);
}

/* [vector of units][k][gate][lane], the order in which blocks read it. */
static void pack_product(struct sweep *w, size_t index)
{
    struct cpu_emitter *e = w->e;
    const struct gruc_product *product = &w->s->stage->products[index];
    size_t width = w->s->stage->width, lanes = w->lanes, gates = product->n_ops;
    size_t vectors = (width + lanes - 1) / lanes, bytes;
    if (__builtin_mul_overflow(vectors * lanes * gates * 4, product->depth, &bytes)) {
        e->failed = 1;
        return;
    }
    w->weights[index] = cpu_blob_reserve(&e->blob, bytes);
    if (e->blob.failed)
        return;
    float *out = (float *)(void *)(e->blob.bytes + w->weights[index]);
    for (size_t first = 0; first < width; first += lanes) {
        size_t count = width - first < lanes ? width - first : lanes;
        for (size_t k = 0; k < product->depth; k++)
            for (size_t gate = 0; gate < gates; gate++, out += lanes) {
                gruc_ref param = e->ir->ops[product->ops[gate]].operands[1];
                memcpy(out, weight_row(e->ir, param, k) + first, count * sizeof(float));
            }
    }
}

static void pack_biases(struct sweep *w, size_t index)
{
    struct cpu_emitter *e = w->e;
    const struct gruc_product *product = &w->s->stage->products[index];
    size_t width = w->s->stage->width;
    for (size_t gate = 0; gate < product->n_ops; gate++) {
        const struct gruc_op *op = &e->ir->ops[product->ops[gate]];
        w->bias[index][gate] = SIZE_MAX;
        if (op->n_operands < 3)
            continue;
        size_t offset = cpu_blob_reserve(&e->blob, (width + CPU_VECTOR_PAD) * sizeof(float));
        if (e->blob.failed)
            return;
        memcpy(e->blob.bytes + offset, weight_row(e->ir, op->operands[2], 0),
               width * sizeof(float));
        w->bias[index][gate] = offset;
    }
}

/* ---- blocking ---- */

static unsigned gates_of(const struct sweep *w, unsigned *ranges)
{
    unsigned gates = 0;
    *ranges = 1;
    for (size_t i = 0; i < w->s->stage->n_products; i++) {
        const struct gruc_product *product = &w->s->stage->products[i];
        unsigned n = (unsigned)product->n_ops;
        gates = n > gates ? n : gates;
        unsigned r = gruc_sum_ranges(product->depth);
        *ranges = r > *ranges ? r : *ranges;
    }
    return gates;
}

/* Vectors of a block of some rows: as many sums as keep the multipliers busy (each waits four
 * cycles for the one before it), few enough to stay in registers. */
static unsigned vectors_of_block(const struct sweep *w, unsigned rows)
{
    unsigned ranges, gates = gates_of(w, &ranges);
    unsigned vectors = (w->s->stage->width + w->lanes - 1) / w->lanes;
    if (gates == 0)
        return vectors < 2 ? 1 : 2;
    unsigned room = w->e->target->registers - 4, best = 1;
    /* More sums of a row only make longer code and fewer blocks to walk to and fro. */
    unsigned most = rows == 1 ? 4 + 4 * w->e->target->fma_rate : room;
    double best_cost = 1e30;
    for (unsigned q = 1; q <= CPU_MAX_VECTORS && q <= vectors; q++) {
        unsigned sums = rows * gates * q * (rows == 1 ? ranges : 1);
        if (q > 1 && (sums > room || rows * gates * q > most))
            break;
        double cost = 0;
        for (unsigned left = vectors; left > 0; left -= left < q ? left : q) {
            unsigned now = left < q ? left : q;
            double busy = (double)(rows * gates * now * (rows == 1 ? ranges : 1)) /
                          w->e->target->fma_rate;
            cost += (busy > 4.0 ? busy : 4.0) + 0.5 * rows;
        }
        if (cost < best_cost - 1e-9) {
            best_cost = cost;
            best = q;
        }
    }
    return best;
}

static unsigned rows_of_block(const struct sweep *w)
{
    unsigned ranges, gates = gates_of(w, &ranges);
    if (gates == 0)
        return 1;
    for (unsigned rows = 4; rows > 1; rows /= 2)
        if (rows * gates <= w->e->target->registers - 4)
            return rows;
    return 1;
}

/* ---- emission ---- */

static void emit_block(struct sweep *w, LLVMValueRef v_row, unsigned rows, LLVMValueRef v_unit,
                       unsigned vectors, unsigned tail)
{
    struct cpu_block block = {.stage = w->s, .n_rows = rows, .n_vectors = vectors,
                              .lanes = w->lanes, .tail = tail, .v_row = v_row, .v_unit = v_unit,
                              .values = w->values};
    memset(w->values, 0, w->n_values * rows * vectors * sizeof *w->values);
    for (size_t i = 0; i < w->s->stage->n_products; i++)
        cpu_emit_product(w->e, &block, i, w->weights[i], w->bias[i]);
    cpu_emit_epilogue(w->e, &block);
}

/* Rows [first, limit) in blocks of rows, for one block of units. */
static void emit_rows(struct sweep *w, LLVMValueRef v_first, LLVMValueRef v_limit, unsigned rows,
                      LLVMValueRef v_unit, unsigned vectors, unsigned tail)
{
    struct l_loop loop = l_loop_begin(w->e, v_first, v_limit, l_i64(w->e, rows));
    emit_block(w, loop.v_index, rows, v_unit, vectors, tail);
    l_loop_end(w->e, &loop);
}

/* All units for rows [first, limit), whose number is a multiple of rows. */
static void emit_units(struct sweep *w, LLVMValueRef v_first, LLVMValueRef v_limit, unsigned rows)
{
    struct cpu_emitter *e = w->e;
    unsigned width = w->s->stage->width, per_block = vectors_of_block(w, rows);
    unsigned units = per_block * w->lanes, whole = width / units * units;
    if (whole == units) {
        emit_rows(w, v_first, v_limit, rows, l_i64(e, 0), per_block, w->lanes);
    } else if (whole > 0) {
        struct l_loop loop =
            l_loop_begin(e, l_i64(e, 0), l_i64(e, whole), l_i64(e, units));
        LLVMValueRef v_from_end =
            LLVMBuildSub(e->builder, l_i64(e, whole - units), loop.v_index, "");
        LLVMValueRef v_unit =
            LLVMBuildSelect(e->builder, w->s->v_turned, v_from_end, loop.v_index, "");
        emit_rows(w, v_first, v_limit, rows, v_unit, per_block, w->lanes);
        l_loop_end(e, &loop);
    }
    if (whole < width) {
        unsigned left = width - whole, vectors = (left + w->lanes - 1) / w->lanes;
        unsigned tail = left - (vectors - 1) * w->lanes;
        emit_rows(w, v_first, v_limit, rows, l_i64(e, whole), vectors, tail);
    }
}

/* The narrowest vector that holds the units, at most the target's. */
static unsigned lanes_for(const struct cpu_emitter *e, uint32_t width)
{
    unsigned lanes = 1;
    while (lanes < width && lanes < e->target->lanes)
        lanes *= 2;
    return lanes;
}

void cpu_emit_sweep(struct cpu_emitter *e, struct cpu_stage *s, LLVMValueRef v_rows)
{
    struct sweep w = {.e = e, .s = s, .lanes = lanes_for(e, s->stage->width)};
    if (s->stage->n_products > MAX_PRODUCTS) {
        e->failed = 1;
        return;
    }
    for (size_t i = 0; i < s->stage->n_products; i++) {
        if (s->stage->products[i].n_ops > MAX_GATES) {
            e->failed = 1;
            return;
        }
        pack_product(&w, i);
        pack_biases(&w, i);
    }
    for (size_t i = 0; i < s->stage->n_ops; i++)
        e->local[e->ir->ops[s->stage->ops[i]].results[0]] = (uint32_t)w.n_values++;
    for (size_t i = 0; i < s->n_loads; i++)
        e->local[s->edges[s->n_products + i].value] = (uint32_t)w.n_values++;
    w.values = calloc(w.n_values * CPU_MAX_ROWS * CPU_MAX_VECTORS + 1, sizeof *w.values);
    if (w.values == NULL || e->blob.failed) {
        e->failed = 1;
        free(w.values);
        return;
    }
    unsigned rows = rows_of_block(&w);
    LLVMValueRef v_many = l_i64(e, 0);
    if (rows > 1) {
        LLVMValueRef v_mask = l_i64(e, ~(uint64_t)(rows - 1));
        v_many = LLVMBuildAnd(e->builder, v_rows, v_mask, "");
        emit_units(&w, l_i64(e, 0), v_many, rows);
    }
    emit_units(&w, v_many, v_rows, 1);
    for (size_t i = 0; i < s->stage->n_ops; i++)
        e->local[e->ir->ops[s->stage->ops[i]].results[0]] = GRUC_NONE;
    for (size_t i = 0; i < s->n_loads; i++)
        e->local[s->edges[s->n_products + i].value] = GRUC_NONE;
    free(w.values);
}

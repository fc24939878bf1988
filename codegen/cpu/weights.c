/* SPDX-License-Identifier: MIT */
/* How weights of products lie in memory, and how blocks load them. */
#include "codegen/cpu/weights.h"

#include <string.h>

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
static void pack_weights(struct cpu_emitter *e, struct cpu_packed *packed)
{
    const struct gruc_product *product = packed->product;
    size_t width = packed->width, lanes = packed->lanes, gates = product->n_ops;
    size_t vectors = (width + lanes - 1) / lanes, bytes;
    if (__builtin_mul_overflow(vectors * lanes * gates * 4, product->depth, &bytes)) {
        e->failed = 1;
        return;
    }
    packed->weights = cpu_blob_reserve(&e->blob, bytes);
    if (e->blob.failed)
        return;
    float *out = (float *)(void *)(e->blob.bytes + packed->weights);
    for (size_t first = 0; first < width; first += lanes) {
        size_t count = width - first < lanes ? width - first : lanes;
        for (size_t k = 0; k < product->depth; k++)
            for (size_t gate = 0; gate < gates; gate++, out += lanes) {
                gruc_ref param = e->ir->ops[product->ops[gate]].operands[1];
                memcpy(out, weight_row(e->ir, param, k) + first, count * sizeof(float));
            }
    }
}

static void pack_biases(struct cpu_emitter *e, struct cpu_packed *packed)
{
    for (size_t gate = 0; gate < packed->product->n_ops; gate++) {
        const struct gruc_op *op = &e->ir->ops[packed->product->ops[gate]];
        packed->bias[gate] = SIZE_MAX;
        if (op->n_operands < 3)
            continue;
        size_t bytes = packed->width * sizeof(float);
        size_t offset = cpu_blob_reserve(&e->blob, bytes + CPU_VECTOR_PAD * sizeof(float));
        if (e->blob.failed)
            return;
        memcpy(e->blob.bytes + offset, weight_row(e->ir, op->operands[2], 0), bytes);
        packed->bias[gate] = offset;
    }
}

void cpu_pack_product(struct cpu_emitter *e, const struct gruc_product *product, uint32_t width,
                      unsigned lanes, struct cpu_packed *out)
{
    *out = (struct cpu_packed){.product = product, .width = width, .lanes = lanes};
    if (product->n_ops > CPU_MAX_GATES) {
        e->failed = 1;
        return;
    }
    pack_weights(e, out);
    pack_biases(e, out);
}

LLVMValueRef cpu_weights_address(struct cpu_emitter *e, const struct cpu_packed *packed,
                                 LLVMValueRef v_unit)
{
    uint64_t unit_bytes = (uint64_t)packed->product->depth * packed->product->n_ops * 4;
    LLVMValueRef v_offset = l_mul(e, v_unit, l_i64(e, unit_bytes));
    return l_offset(e, e->v_weights, l_add(e, l_i64(e, packed->weights), v_offset));
}

LLVMValueRef cpu_load_weights(struct cpu_emitter *e, const struct cpu_packed *packed,
                              LLVMValueRef v_weights, unsigned vector, unsigned gate,
                              LLVMValueRef v_index, uint32_t k)
{
    uint64_t vector_bytes = (uint64_t)packed->lanes * 4;
    uint64_t row_bytes = packed->product->n_ops * vector_bytes;
    uint64_t fixed = (vector * (uint64_t)packed->product->depth + k) * row_bytes +
                     gate * vector_bytes;
    LLVMValueRef v_offset = l_add(e, l_mul(e, v_index, l_i64(e, row_bytes)), l_i64(e, fixed));
    return l_load(e, l_vector(e->t_float, packed->lanes), l_offset(e, v_weights, v_offset), 4);
}

LLVMValueRef cpu_load_bias(struct cpu_emitter *e, const struct cpu_packed *packed, unsigned gate,
                           LLVMValueRef v_unit)
{
    LLVMTypeRef type = l_vector(e->t_float, packed->lanes);
    if (packed->bias[gate] == SIZE_MAX)
        return LLVMConstNull(type);
    LLVMValueRef v_offset = l_add(e, l_i64(e, packed->bias[gate]), l_mul(e, v_unit, l_i64(e, 4)));
    return l_load(e, type, l_offset(e, e->v_weights, v_offset), 4);
}

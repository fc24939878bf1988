/* SPDX-License-Identifier: MIT */
/* Weights of a product are stored in the type that was asked for where it can hold them; by itself
 * gruc takes a narrower type only where every weight has the same value in it and where it gains: bf16
 * when float32 would fill half of a first-level cache, f16, which costs more to widen, when it would
 * leave the second level. */
#include "ir/build.h"
#include "ir/passes/passes.h"

#include <string.h>

enum { LEAST_BF16_BYTES = 16 * 1024, LEAST_F16_BYTES = 1024 * 1024 };

static enum gruc_weights choose(const struct gruc_tensor *tensor, enum gruc_weights wanted)
{
    uint64_t bytes = (uint64_t)tensor->rows * tensor->columns * sizeof(float);
    if (wanted != GRUC_WEIGHTS_AUTO)
        return gruc_tensor_fits(tensor, wanted, 0) ? wanted : GRUC_WEIGHTS_F32;
    if (bytes >= LEAST_BF16_BYTES && gruc_tensor_fits(tensor, GRUC_WEIGHTS_BF16, 1))
        return GRUC_WEIGHTS_BF16;
    if (bytes >= LEAST_F16_BYTES && gruc_tensor_fits(tensor, GRUC_WEIGHTS_F16, 1))
        return GRUC_WEIGHTS_F16;
    return GRUC_WEIGHTS_F32;
}

enum gruc_status gruc_pass_narrow_products(struct gruc_ir *ir,
                                           const struct gruc_pass_options *options,
                                           struct gruc_diag *diag)
{
    (void)diag;
    enum gruc_weights *chosen = GRUC_NEW_ARRAY(ir->arena, enum gruc_weights, ir->n_tensors);
    if (chosen == NULL)
        return GRUC_ERROR_MEMORY;
    for (size_t i = 0; i < ir->n_ops; i++) {
        struct gruc_op *op = &ir->ops[i];
        if (op->code != GRUC_OP_MATMUL)
            continue;
        int64_t number = gruc_matmul_tensor(ir, op);
        if (chosen[number] == GRUC_WEIGHTS_AUTO) /* not yet */
            chosen[number] = choose(&ir->tensors[number], options->weights);
        if (chosen[number] == GRUC_WEIGHTS_F32)
            continue;
        op->attributes = GRUC_NEW(ir->arena, struct gruc_attribute);
        if (op->attributes == NULL)
            return GRUC_ERROR_MEMORY;
        op->n_attributes = 1;
        *op->attributes = (struct gruc_attribute){
            GRUC_ATTRIBUTE_WEIGHTS, {.text = gruc_narrow_name(chosen[number])}};
    }
    return GRUC_OK;
}

/* SPDX-License-Identifier: MIT */
/* Weights of a product are stored in the type that was asked for where it can hold them; by
 * itself gruc takes a narrower type only where every weight has the same value in it and where it
 * gains: bf16 when float32 would leave the first-level cache, f16, which costs more to widen,
 * when it would leave the second. A product by 8-bit weights, or by bf16 weights that
 * were asked for, multiplies a quantized row: of 8-bit integers where a step itself computes it,
 * as the numbers of a state are of a like size, else of 16. */
#include "ir/passes/passes.h"
#include "ir/passes/rewrite.h"

enum { LEAST_BF16_BYTES = 64 * 1024, LEAST_F16_BYTES = 1024 * 1024 };

/* Quantizing a row costs more than a short product gains; a sum of so many products fits 32 bits.
 * */
enum { LEAST_DEPTH = 24, MOST_INT8_DEPTH = 1 << 17, LEAST_WIDTH = 4 };

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

struct narrowing {
    struct gruc_ir *ir;
    enum gruc_weights wanted;
    enum gruc_weights *chosen; /* by tensor; AUTO: not yet */
};

/* Whether a step of the scan (NULL: what is around all of them) computes it, or the step before: it
 * does not come in with the step. */
static int is_of_step(const struct gruc_ir *ir, const struct gruc_op *scan, gruc_ref value)
{
    if (scan == NULL)
        return 0;
    size_t scanned = (size_t)gruc_op_integer(scan, GRUC_ATTRIBUTE_SCANNED, 0);
    for (size_t i = 0; i < scanned; i++)
        if (ir->regions[scan->region].arguments[i] == value)
            return 0;
    return 1;
}

static enum gruc_weights choose_for(struct narrowing *n, const struct gruc_op *scan,
                                    const struct gruc_op *op)
{
    int64_t number = gruc_matmul_tensor(n->ir, op);
    const struct gruc_type *matrix = &n->ir->values[op->operands[1]].type;
    if (n->chosen[number] == GRUC_WEIGHTS_AUTO)
        n->chosen[number] = choose(&n->ir->tensors[number], n->wanted);
    int is_small = matrix->rows < LEAST_DEPTH || matrix->width < LEAST_WIDTH;
    if (n->chosen[number] == GRUC_WEIGHTS_INT8 && (is_small || matrix->rows > MOST_INT8_DEPTH))
        return GRUC_WEIGHTS_F32;
    if (n->chosen[number] == GRUC_WEIGHTS_INT8 && is_of_step(n->ir, scan, op->operands[0]))
        return GRUC_WEIGHTS_INT8_BYTES;
    if (n->chosen[number] == GRUC_WEIGHTS_BF16 && n->wanted == GRUC_WEIGHTS_BF16 && !is_small)
        return GRUC_WEIGHTS_BF16_DOT;
    return n->chosen[number];
}

/* x quantized, once for all products by it. */
static gruc_ref quantized(struct gruc_rewrite *rewrite, gruc_ref x, enum gruc_weights weights,
                          const struct gruc_attribute *attribute)
{
    const struct gruc_ir *ir = rewrite->builder.ir;
    const struct gruc_region *region = &ir->regions[rewrite->builder.region];
    for (size_t i = 0; i < region->n_ops; i++) {
        const struct gruc_op *op = &ir->ops[region->ops[i]];
        if (op->code == GRUC_OP_QUANTIZE && op->operands[0] == x &&
            gruc_op_weights(op) == weights)
            return op->results[0];
    }
    return gruc_build_value(&rewrite->builder, GRUC_OP_QUANTIZE, &x, 1, attribute, 1);
}

static void narrow(struct gruc_rewrite *rewrite, const struct gruc_op *op,
                   enum gruc_weights weights)
{
    struct gruc_attribute attribute = {GRUC_ATTRIBUTE_WEIGHTS,
                                       {.text = gruc_narrow_name(weights)}};
    gruc_ref operands[3] = {op->operands[0], op->operands[1]};
    if (op->n_operands > 2)
        operands[2] = op->operands[2];
    if (gruc_narrow_quantizes(weights))
        operands[0] = quantized(rewrite, operands[0], weights, &attribute);
    gruc_ref product = gruc_build_value(&rewrite->builder, GRUC_OP_MATMUL, operands,
                                        op->n_operands, &attribute, 1);
    gruc_rewrite_replace(rewrite, op->results[0], product);
}

/* The body of a scan, or with NULL what is around all of them. */
static enum gruc_status narrow_region(struct narrowing *n, const struct gruc_op *scan)
{
    struct gruc_rewrite rewrite;
    GRUC_TRY(gruc_rewrite_begin(n->ir, scan != NULL ? scan->region : 0, &rewrite));
    for (size_t i = 0; i < rewrite.n_old; i++) {
        struct gruc_op op = *gruc_rewrite_op(&rewrite, i); /* building moves operations */
        enum gruc_weights weights = op.code == GRUC_OP_MATMUL ? choose_for(n, scan, &op)
                                                              : GRUC_WEIGHTS_F32;
        if (op.code == GRUC_OP_SCAN)
            GRUC_TRY(narrow_region(n, &op));
        if (weights == GRUC_WEIGHTS_F32)
            gruc_rewrite_keep(&rewrite, i);
        else
            narrow(&rewrite, &op, weights);
    }
    gruc_rewrite_finish(&rewrite);
    return n->ir->failed ? GRUC_ERROR_MEMORY : GRUC_OK;
}

enum gruc_status gruc_pass_narrow_products(struct gruc_ir *ir,
                                           const struct gruc_pass_options *options,
                                           struct gruc_diag *diag)
{
    (void)diag;
    struct narrowing n = {ir, options->weights,
                          GRUC_NEW_ARRAY(ir->arena, enum gruc_weights, ir->n_tensors)};
    if (n.chosen == NULL)
        return GRUC_ERROR_MEMORY;
    return narrow_region(&n, NULL);
}

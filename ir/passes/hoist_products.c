/* SPDX-License-Identifier: MIT */
/* A product of a scanned input with a weight depends on no carried value, so it leaves the scan and
 * runs over all steps at once, which reads the weights once a tile of steps instead of once a
 * step. The scan then reads its result as one more sequence. A small product stays: its weights are
 * in the nearest cache anyway, and a step waits so long for its own chain of operations that the
 * product of the next input is free in its shadow. */
#include "ir/passes/passes.h"
#include "ir/passes/rewrite.h"

#include <string.h>

/* Up to KEPT_DEPTH numbers on the left and KEPT_WIDTH units a product stays. */
enum { MAX_PRODUCTS = 64, KEPT_DEPTH = 32, KEPT_WIDTH = 32 };

struct hoisting {
    struct gruc_builder outer;
    gruc_ref sequences[MAX_PRODUCTS]; /* new scanned operands */
    gruc_ref arguments[MAX_PRODUCTS]; /* and their region arguments */
    size_t count;
};

static gruc_ref clone_param(struct gruc_builder *outer, gruc_ref value)
{
    const struct gruc_op *op = gruc_ir_def(outer->ir, value);
    const struct gruc_type *type = &outer->ir->values[value].type;
    return gruc_build_param(outer, (gruc_ref)gruc_op_integer(op, GRUC_ATTRIBUTE_TENSOR, 0),
                            (uint32_t)gruc_op_integer(op, GRUC_ATTRIBUTE_ROW, 0), type->rows,
                            (uint32_t)gruc_op_integer(op, GRUC_ATTRIBUTE_COLUMN, 0), type->width);
}

/* Whether op is a product of the region's scanned argument; *index says which. */
static int is_hoistable(const struct gruc_ir *ir, const struct gruc_op *op, gruc_ref region,
                        size_t scanned, size_t *index)
{
    if (op->code != GRUC_OP_MATMUL)
        return 0;
    for (size_t i = 0; i < scanned; i++) {
        if (op->operands[0] == ir->regions[region].arguments[i]) {
            *index = i;
            return 1;
        }
    }
    return 0;
}

/* Whether a later pass makes less of a product of this sequence: a table's rows, a one_hot, or what
 * a Dense made of them, is one row of a table; a batch_norm goes into its weights. Only hoisted
 * products get that. */
static int folds(const struct gruc_ir *ir, gruc_ref value)
{
    const struct gruc_op *op = gruc_ir_def(ir, value);
    while (op != NULL && op->code == GRUC_OP_REVERSE)
        op = gruc_ir_def(ir, op->operands[0]);
    if (op != NULL && op->code == GRUC_OP_BATCH_NORM)
        return 1;
    while (op != NULL && (op->code == GRUC_OP_REVERSE || op->code == GRUC_OP_MATMUL ||
                          op->code == GRUC_OP_BATCH_NORM))
        op = gruc_ir_def(ir, op->operands[0]);
    return op != NULL && gruc_opcode_reads_ids(op->code);
}

static int pays(const struct gruc_ir *ir, const struct gruc_op *op, gruc_ref sequence,
                const struct gruc_pass_options *options)
{
    if (folds(ir, sequence))
        return 1;
    return !options->one_step && (ir->values[op->operands[0]].type.width > KEPT_DEPTH ||
                                  ir->values[op->results[0]].type.width > KEPT_WIDTH);
}

static void hoist(struct hoisting *h, struct gruc_rewrite *inner, const struct gruc_op *op,
                  gruc_ref sequence)
{
    gruc_ref bias = op->n_operands > 2 ? clone_param(&h->outer, op->operands[2]) : GRUC_NONE;
    gruc_ref weight = clone_param(&h->outer, op->operands[1]);
    struct gruc_ir *ir = h->outer.ir;
    h->sequences[h->count] = gruc_build_matmul(&h->outer, sequence, weight, bias);
    struct gruc_type type = ir->values[op->results[0]].type;
    h->arguments[h->count] = gruc_ir_add_argument(ir, inner->builder.region, type);
    gruc_rewrite_replace(inner, op->results[0], h->arguments[h->count]);
    h->count++;
}

/* Region arguments stand in operand order: the new sequences go before the carried values. */
static int reorder(struct gruc_ir *ir, struct gruc_op *scan, const struct hoisting *h,
                   size_t scanned)
{
    struct gruc_region *region = &ir->regions[scan->region];
    size_t rest = scan->n_operands - scanned, total = scan->n_operands + h->count;
    gruc_ref *operands = GRUC_NEW_ARRAY(ir->arena, gruc_ref, total);
    gruc_ref *arguments = GRUC_NEW_ARRAY(ir->arena, gruc_ref, total);
    if (operands == NULL || arguments == NULL)
        return 0;
    memcpy(operands, scan->operands, scanned * sizeof *operands);
    memcpy(operands + scanned, h->sequences, h->count * sizeof *operands);
    memcpy(operands + scanned + h->count, scan->operands + scanned, rest * sizeof *operands);
    memcpy(arguments, region->arguments, scanned * sizeof *arguments);
    memcpy(arguments + scanned, h->arguments, h->count * sizeof *arguments);
    memcpy(arguments + scanned + h->count, region->arguments + scanned, rest * sizeof *arguments);
    scan->operands = operands;
    scan->n_operands = (uint32_t)total;
    region->arguments = arguments;
    region->n_arguments = total;
    for (size_t i = 0; i < total; i++)
        ir->values[arguments[i]].index = (uint32_t)i;
    for (size_t i = 0; i < scan->n_attributes; i++)
        if (scan->attributes[i].name == GRUC_ATTRIBUTE_SCANNED)
            scan->attributes[i].value.integer = (int64_t)(scanned + h->count);
    return 1;
}

static enum gruc_status hoist_from_scan(struct gruc_rewrite *rewrite, gruc_ref scan_ref,
                                        const struct gruc_pass_options *options)
{
    struct gruc_ir *ir = rewrite->builder.ir;
    struct gruc_op scan = ir->ops[scan_ref];
    size_t scanned = (size_t)gruc_op_integer(&scan, GRUC_ATTRIBUTE_SCANNED, 0);
    struct hoisting h = {.outer = rewrite->builder};
    struct gruc_rewrite inner;
    GRUC_TRY(gruc_rewrite_begin(ir, scan.region, &inner));
    for (size_t i = 0; i < inner.n_old; i++) {
        struct gruc_op op = *gruc_rewrite_op(&inner, i);
        size_t index;
        if (h.count < MAX_PRODUCTS && is_hoistable(ir, &op, scan.region, scanned, &index) &&
            pays(ir, &op, scan.operands[index], options))
            hoist(&h, &inner, &op, scan.operands[index]);
        else
            gruc_rewrite_keep(&inner, i);
    }
    gruc_rewrite_finish(&inner);
    if (ir->failed || !reorder(ir, &ir->ops[scan_ref], &h, scanned))
        return GRUC_ERROR_MEMORY;
    return GRUC_OK;
}

enum gruc_status gruc_pass_hoist_products(struct gruc_ir *ir,
                                          const struct gruc_pass_options *options,
                                          struct gruc_diag *diag)
{
    (void)diag;
    struct gruc_rewrite rewrite;
    GRUC_TRY(gruc_rewrite_begin(ir, 0, &rewrite));
    for (size_t i = 0; i < rewrite.n_old; i++) {
        if (gruc_rewrite_op(&rewrite, i)->code == GRUC_OP_SCAN)
            GRUC_TRY(hoist_from_scan(&rewrite, rewrite.old_ops[i], options));
        gruc_rewrite_keep(&rewrite, i);
    }
    gruc_rewrite_finish(&rewrite);
    return ir->failed ? GRUC_ERROR_MEMORY : GRUC_OK;
}

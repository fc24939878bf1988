/* SPDX-License-Identifier: MIT */
/* A batch_norm is x s + (beta - mean s) with s = gamma / sqrt(variance + epsilon). It goes into the
 * weights of the product that makes x, where nothing else reads that, or of the products that read
 * it, where nothing else does; else a few pointwise operations are left. New weights are computed
 * in double and rounded once. */
#include "ir/passes/passes.h"
#include "ir/passes/rewrite.h"
#include "ir/passes/uses.h"

#include <math.h>
#include <stdlib.h>

/* x s and mean s cancel in a product that has both; up to a mean of so many deviations that costs
 * no more than two bits. */
enum { MOST_DEVIATIONS = 4 };

enum way {
    WAY_NONE,   /* not a batch_norm */
    WAY_BEFORE, /* into the product that makes x */
    WAY_AFTER,  /* into the products that read it */
    WAY_ALONE,
    WAY_LATER,  /* a product is taken in this round */
};

struct folding {
    struct gruc_rewrite rewrite;
    const uint32_t *uses;
    unsigned char *way;   /* by operation */
    gruc_ref *norm;       /* by operation: the batch_norm on the left of a product, 0: none */
    unsigned char *taken; /* by operation: a product that gets new weights */
    size_t later;
};

/* s, mean and beta of a feature. */
struct feature {
    double scale, mean, beta, deviation;
};

static double weight_at(const struct gruc_ir *ir, gruc_ref value, uint32_t row, uint32_t column)
{
    const struct gruc_op *op = gruc_ir_def(ir, value);
    if (op->code == GRUC_OP_CONSTANT)
        return gruc_op_number(op, GRUC_ATTRIBUTE_VALUE, 0.0);
    const struct gruc_tensor *tensor =
        &ir->tensors[gruc_op_integer(op, GRUC_ATTRIBUTE_TENSOR, 0)];
    size_t at = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_ROW, 0) + row;
    if (ir->values[value].type.width == 1)
        column = 0;
    return (double)tensor->data[at * tensor->columns +
                                (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_COLUMN, 0) + column];
}

static struct feature feature_at(const struct gruc_ir *ir, const struct gruc_op *norm, uint32_t i)
{
    struct feature f = {.mean = weight_at(ir, norm->operands[1], 0, i),
                        .beta = weight_at(ir, norm->operands[4], 0, i)};
    f.deviation = sqrt(weight_at(ir, norm->operands[2], 0, i) +
                       gruc_op_number(norm, GRUC_ATTRIBUTE_EPSILON, 0.0));
    f.scale = weight_at(ir, norm->operands[3], 0, i) / f.deviation;
    return f;
}

static int is_weight(const struct gruc_ir *ir, gruc_ref value)
{
    const struct gruc_op *op = gruc_ir_def(ir, value);
    return op != NULL && (op->code == GRUC_OP_PARAM || op->code == GRUC_OP_CONSTANT);
}

/* A product with weights known now. */
static int is_product(const struct gruc_ir *ir, const struct gruc_op *op)
{
    return op != NULL && op->code == GRUC_OP_MATMUL && is_weight(ir, op->operands[1]) &&
           (op->n_operands < 3 || is_weight(ir, op->operands[2]));
}

static uint32_t width_of(const struct gruc_ir *ir, gruc_ref value)
{
    return ir->values[value].type.width;
}

/* ---- new weights ---- */
static gruc_ref add_weights(struct folding *f, const char *name, const char *what, uint32_t rows,
                            uint32_t width, const double *numbers)
{
    struct gruc_ir *ir = f->rewrite.builder.ir;
    const char *text = gruc_arena_format(ir->arena, "%s %s", name, what);
    float *data = GRUC_NEW_ARRAY(ir->arena, float, (size_t)rows * width);
    if (text == NULL || data == NULL || numbers == NULL) {
        ir->failed = 1;
        return 0;
    }
    for (size_t i = 0; i < (size_t)rows * width; i++)
        data[i] = (float)numbers[i];
    gruc_ref tensor = gruc_ir_add_tensor(ir, text, rows, width, data);
    return gruc_build_param(&f->rewrite.builder, tensor, 0, rows, 0, width);
}

static const char *name_of(const struct gruc_ir *ir, gruc_ref param)
{
    const struct gruc_op *op = gruc_ir_def(ir, param);
    return op->code == GRUC_OP_PARAM
               ? ir->tensors[gruc_op_integer(op, GRUC_ATTRIBUTE_TENSOR, 0)].name
               : "constant";
}

static struct feature *features_of(struct gruc_ir *ir, const struct gruc_op *norm)
{
    uint32_t width = width_of(ir, norm->results[0]);
    struct feature *features = GRUC_NEW_ARRAY(ir->arena, struct feature, width);
    for (uint32_t i = 0; features != NULL && i < width; i++)
        features[i] = feature_at(ir, norm, i);
    ir->failed |= features == NULL;
    return features;
}

/* Scales the rows of the weights and adds what each shifts. */
static void scale_rows(const struct feature *features, uint32_t rows, uint32_t width,
                       double *weight, double *bias)
{
    for (uint32_t k = 0; k < rows; k++) {
        double shift = features[k].beta - features[k].mean * features[k].scale;
        for (uint32_t j = 0; j < width; j++, weight++) {
            bias[j] += shift * *weight;
            *weight *= features[k].scale;
        }
    }
}

static void scale_columns(const struct feature *features, uint32_t rows, uint32_t width,
                          double *weight, double *bias)
{
    for (uint32_t k = 0; k < rows; k++)
        for (uint32_t j = 0; j < width; j++, weight++)
            *weight *= features[j].scale;
    for (uint32_t j = 0; j < width; j++)
        bias[j] = (bias[j] - features[j].mean) * features[j].scale + features[j].beta;
}

/* left . W' + b' with the weights of product and the norm that stands before or after it. */
static gruc_ref build_product(struct folding *f, const struct gruc_op *product,
                              const struct gruc_op *norm, int norm_is_before, gruc_ref left)
{
    struct gruc_ir *ir = f->rewrite.builder.ir;
    uint32_t rows = width_of(ir, product->operands[0]), width = width_of(ir, product->results[0]);
    const struct feature *features = features_of(ir, norm);
    double *weight = malloc((size_t)rows * width * sizeof *weight);
    double *bias = malloc(width * sizeof *bias);
    gruc_ref out = 0;
    if (weight == NULL || bias == NULL || features == NULL) {
        ir->failed = 1;
        goto done;
    }
    for (uint32_t k = 0; k < rows; k++)
        for (uint32_t j = 0; j < width; j++)
            weight[(size_t)k * width + j] = weight_at(ir, product->operands[1], k, j);
    for (uint32_t j = 0; j < width; j++)
        bias[j] = product->n_operands > 2 ? weight_at(ir, product->operands[2], 0, j) : 0.0;
    (norm_is_before ? scale_rows : scale_columns)(features, rows, width, weight, bias);
    const char *name = name_of(ir, product->operands[1]);
    gruc_ref w = add_weights(f, name, "normalized", rows, width, weight);
    gruc_ref b = add_weights(f, name, "shifted", 1, width, bias);
    if (!ir->failed)
        out = gruc_build_matmul(&f->rewrite.builder, left, w, b);
done:
    free(weight);
    free(bias);
    return out;
}

/* (x - mean) s + beta */
static gruc_ref build_alone(struct folding *f, const struct gruc_op *norm)
{
    struct gruc_builder *builder = &f->rewrite.builder;
    struct gruc_ir *ir = builder->ir;
    uint32_t width = width_of(ir, norm->results[0]);
    double *scale = GRUC_NEW_ARRAY(ir->arena, double, width);
    for (uint32_t i = 0; scale != NULL && i < width; i++)
        scale[i] = feature_at(ir, norm, i).scale;
    gruc_ref operands[3] = {gruc_build_binary(builder, GRUC_OP_SUB, norm->operands[0],
                                              norm->operands[1])};
    operands[1] = add_weights(f, name_of(ir, norm->operands[2]), "scale", 1, width, scale);
    operands[2] = norm->operands[4];
    if (gruc_ir_def(ir, norm->operands[4])->code == GRUC_OP_CONSTANT) /* no beta */
        return gruc_build_binary(builder, GRUC_OP_MUL, operands[0], operands[1]);
    return gruc_build_value(builder, GRUC_OP_FMA, operands, 3, NULL, 0);
}

/* ---- decisions ---- */
/* The batch_norm behind value, maybe read from its end; 0: none. */
static gruc_ref norm_behind(const struct gruc_ir *ir, gruc_ref value)
{
    const struct gruc_op *op = gruc_ir_def(ir, value);
    while (op != NULL && op->code == GRUC_OP_REVERSE)
        op = gruc_ir_def(ir, op->operands[0]);
    return op != NULL && op->code == GRUC_OP_BATCH_NORM ? (gruc_ref)(op - ir->ops) : 0;
}

static int is_tame(const struct gruc_ir *ir, const struct gruc_op *norm)
{
    for (uint32_t i = 0; i < width_of(ir, norm->results[0]); i++) {
        struct feature f = feature_at(ir, norm, i);
        if (!isfinite(f.scale) || !(fabs(f.mean) <= MOST_DEVIATIONS * f.deviation))
            return 0;
    }
    return 1;
}

/* Whether products alone read norm, so many that all uses are accounted for. */
static int has_only_products(const struct folding *f, const struct gruc_ir *ir, gruc_ref norm)
{
    const struct gruc_region *body = &ir->regions[0];
    uint64_t readers = f->uses[ir->ops[norm].results[0]], products = 0;
    for (size_t i = 0; i < body->n_ops; i++) {
        const struct gruc_op *op = &ir->ops[body->ops[i]];
        if (op->code == GRUC_OP_REVERSE && norm_behind(ir, op->results[0]) == norm)
            readers += f->uses[op->results[0]] - 1;
        products += f->norm[body->ops[i]] == norm;
    }
    return products > 0 && products == readers;
}

static int is_taken(const struct folding *f, const struct gruc_region *body, gruc_ref norm)
{
    for (size_t i = 0; i < body->n_ops; i++)
        if (f->norm[body->ops[i]] == norm && f->taken[body->ops[i]])
            return 1;
    return 0;
}

static void decide(struct folding *f, const struct gruc_ir *ir)
{
    const struct gruc_region *body = &ir->regions[0];
    for (size_t i = 0; i < body->n_ops; i++) {
        const struct gruc_op *op = &ir->ops[body->ops[i]];
        if (is_product(ir, op))
            f->norm[body->ops[i]] = norm_behind(ir, op->operands[0]);
        if (op->code != GRUC_OP_BATCH_NORM)
            continue;
        const struct gruc_op *maker = gruc_ir_def(ir, op->operands[0]);
        f->way[body->ops[i]] = WAY_ALONE;
        if (is_product(ir, maker) && f->uses[op->operands[0]] == 1) {
            f->way[body->ops[i]] = WAY_BEFORE;
            f->taken[maker - ir->ops] = 1;
        }
    }
    for (size_t i = 0; i < body->n_ops; i++) {
        gruc_ref op = body->ops[i];
        if (f->way[op] != WAY_ALONE || !has_only_products(f, ir, op) || !is_tame(ir, &ir->ops[op]))
            continue;
        f->way[op] = is_taken(f, body, op) ? WAY_LATER : WAY_AFTER;
        f->later += f->way[op] == WAY_LATER;
    }
}

/* ---- rewriting ---- */
static void rewrite_norm(struct folding *f, const struct gruc_op *norm, enum way way)
{
    struct gruc_ir *ir = f->rewrite.builder.ir;
    gruc_ref out = norm->operands[0]; /* what the products that take the norm in read instead */
    if (way == WAY_BEFORE) {
        struct gruc_op maker = *gruc_ir_def(ir, norm->operands[0]);
        out = build_product(f, &maker, norm, 0, maker.operands[0]);
    } else if (way == WAY_ALONE) {
        out = build_alone(f, norm);
    }
    gruc_rewrite_replace(&f->rewrite, norm->results[0], out);
}

static enum gruc_status fold_round(struct gruc_ir *ir, size_t *later)
{
    struct folding f = {.uses = gruc_count_uses(ir)};
    size_t n_ops = ir->n_ops;
    f.way = GRUC_NEW_ARRAY(ir->arena, unsigned char, n_ops);
    f.norm = GRUC_NEW_ARRAY(ir->arena, gruc_ref, n_ops);
    f.taken = GRUC_NEW_ARRAY(ir->arena, unsigned char, n_ops);
    if (f.uses == NULL || f.way == NULL || f.norm == NULL || f.taken == NULL)
        return GRUC_ERROR_MEMORY;
    decide(&f, ir);
    GRUC_TRY(gruc_rewrite_begin(ir, 0, &f.rewrite));
    for (size_t i = 0; i < f.rewrite.n_old && !ir->failed; i++) {
        gruc_ref number = f.rewrite.old_ops[i];
        struct gruc_op op = *gruc_rewrite_op(&f.rewrite, i);
        struct gruc_op norm = ir->ops[f.norm[number]];
        if (f.way[number] != WAY_NONE && f.way[number] != WAY_LATER)
            rewrite_norm(&f, &op, (enum way)f.way[number]);
        else if (f.norm[number] != 0 && f.way[f.norm[number]] == WAY_AFTER)
            gruc_rewrite_replace(&f.rewrite, op.results[0],
                                 build_product(&f, &op, &norm, 1, op.operands[0]));
        else
            gruc_rewrite_keep(&f.rewrite, i);
    }
    gruc_rewrite_finish(&f.rewrite);
    *later = f.later;
    return ir->failed ? GRUC_ERROR_MEMORY : GRUC_OK;
}

static int has_norms(const struct gruc_ir *ir)
{
    const struct gruc_region *body = &ir->regions[0];
    for (size_t i = 0; i < body->n_ops; i++)
        if (ir->ops[body->ops[i]].code == GRUC_OP_BATCH_NORM)
            return 1;
    return 0;
}

enum gruc_status gruc_pass_fold_norms(struct gruc_ir *ir, const struct gruc_pass_options *options,
                                      struct gruc_diag *diag)
{
    (void)options;
    (void)diag;
    size_t later = has_norms(ir);
    while (later > 0)
        GRUC_TRY(fold_round(ir, &later));
    return GRUC_OK;
}

/* SPDX-License-Identifier: MIT */
/* A product of an embedding's rows is one of as many values as there are ids, so it becomes a
 * look-up in a table made here: embed(ids, E) . W + b is embed(ids, E . W + b), bit by bit. That of
 * a one_hot is a row of W, and b: its zeros add nothing to finite weights. */
#include "ir/passes/passes.h"
#include "ir/passes/rewrite.h"
#include "ir/passes/table_product.h"
#include "ir/passes/uses.h"

#include <math.h>

/* A table of this size stays in the caches that one core can count on, and its rows are read in
 * less time than the product takes. A larger one must be no larger than the weights it replaces:
 * fewer bytes to read at each step, and a file that does not grow. */
enum { TABLE_BYTES = 4 << 20 };

/* Multiply-adds spent on the tables of one embedding: some tens of milliseconds. */
#define MOST_WORK ((uint64_t)1 << 29)

struct folding {
    struct gruc_rewrite rewrite;
    const struct gruc_pass_options *options;
    const uint32_t *uses;
    unsigned char *folded; /* by operation: one that reads ids, whose products become tables */
    size_t n_ops;          /* those before this round */
    gruc_ref *reversed;    /* by value: the reverse of ids, 0: not made yet */
    size_t changes;
};

/* What is looked up on the left of a product, maybe read from its end. */
struct source {
    gruc_ref embed;
    int reversed;
};

static int find_source(const struct gruc_ir *ir, gruc_ref value, struct source *out)
{
    const struct gruc_op *op = gruc_ir_def(ir, value);
    *out = (struct source){0};
    while (op != NULL && op->code == GRUC_OP_REVERSE) {
        out->reversed = !out->reversed;
        op = gruc_ir_def(ir, op->operands[0]);
    }
    if (op == NULL || !gruc_opcode_reads_ids(op->code))
        return 0;
    out->embed = (gruc_ref)(op - ir->ops);
    return 1;
}

static const struct gruc_op *param_of(const struct gruc_ir *ir, gruc_ref value)
{
    const struct gruc_op *op = gruc_ir_def(ir, value);
    return op != NULL && op->code == GRUC_OP_PARAM ? op : NULL;
}

/* A product of looked up rows whose weights are known now. */
static int is_foldable(const struct gruc_ir *ir, const struct gruc_op *op, struct source *out)
{
    return op->code == GRUC_OP_MATMUL && find_source(ir, op->operands[0], out) &&
           (ir->ops[out->embed].code == GRUC_OP_ONE_HOT ||
            param_of(ir, ir->ops[out->embed].operands[1]) != NULL) &&
           param_of(ir, op->operands[1]) != NULL &&
           (op->n_operands < 3 || param_of(ir, op->operands[2]) != NULL);
}

static const float *data_of(const struct gruc_ir *ir, const struct gruc_op *param,
                            uint32_t *stride)
{
    const struct gruc_tensor *tensor =
        &ir->tensors[gruc_op_integer(param, GRUC_ATTRIBUTE_TENSOR, 0)];
    size_t row = (size_t)gruc_op_integer(param, GRUC_ATTRIBUTE_ROW, 0);
    *stride = tensor->columns;
    return tensor->data + row * tensor->columns +
           (size_t)gruc_op_integer(param, GRUC_ATTRIBUTE_COLUMN, 0);
}

static int is_finite(const struct gruc_ir *ir, gruc_ref value)
{
    const struct gruc_type *type = &ir->values[value].type;
    uint32_t stride;
    const float *data = data_of(ir, param_of(ir, value), &stride);
    for (size_t row = 0; row < type->rows; row++)
        for (size_t i = 0; i < type->width; i++)
            if (!isfinite(data[row * stride + i]))
                return 0;
    return 1;
}

static uint64_t numbers_of(const struct gruc_ir *ir, gruc_ref value)
{
    const struct gruc_type *type = &ir->values[value].type;
    return (uint64_t)type->rows * type->width;
}

/* All products of an embedding are folded, or none: the weights of the others would stay. */
static int is_worth_it(const struct gruc_ir *ir, const uint32_t *uses, gruc_ref embed)
{
    const struct gruc_region *body = &ir->regions[0];
    const struct gruc_op *lookup = &ir->ops[embed];
    int has_table = lookup->code == GRUC_OP_EMBED;
    uint64_t rows = gruc_op_id_count(ir, lookup), width = 0, replaced = 0;
    uint64_t depth = has_table ? ir->values[lookup->operands[1]].type.width : 1;
    uint64_t readers = uses[lookup->results[0]], products = 0;
    for (size_t i = 0; i < body->n_ops; i++) {
        const struct gruc_op *op = &ir->ops[body->ops[i]];
        struct source source;
        if (op->code == GRUC_OP_REVERSE && find_source(ir, op->results[0], &source) &&
            source.embed == embed)
            readers += uses[op->results[0]] - 1;
        if (!is_foldable(ir, op, &source) || source.embed != embed)
            continue;
        if (!has_table && !is_finite(ir, op->operands[1]))
            return 0;
        products++;
        width += ir->values[op->results[0]].type.width;
        replaced += numbers_of(ir, op->operands[1]);
    }
    if (has_table && products == readers)
        replaced += numbers_of(ir, lookup->operands[1]);
    return products > 0 && rows * width * depth <= MOST_WORK &&
           (rows * width * sizeof(float) <= TABLE_BYTES || rows * width <= replaced);
}

static const char *tensor_name(const struct gruc_ir *ir, const struct gruc_op *param)
{
    return ir->tensors[gruc_op_integer(param, GRUC_ATTRIBUTE_TENSOR, 0)].name;
}

static const char *name_of(struct gruc_ir *ir, const struct gruc_op *lookup,
                           const struct gruc_op *weight)
{
    const char *left = "one_hot";
    if (lookup->code == GRUC_OP_EMBED)
        left = tensor_name(ir, param_of(ir, lookup->operands[1]));
    return gruc_arena_format(ir->arena, "%s . %s[%u]", left, tensor_name(ir, weight),
                             (unsigned)gruc_op_integer(weight, GRUC_ATTRIBUTE_COLUMN, 0));
}

/* Rows of the weights, each with the bias. */
static void add_bias(const struct gruc_table_product *product, float *out)
{
    for (size_t row = 0; row < product->rows; row++)
        for (size_t i = 0; i < product->width; i++)
            out[row * product->width + i] = (product->bias == NULL ? 0.0f : product->bias[i]) +
                                            product->weight[row * product->weight_stride + i];
}

/* The table of a product's rows as a parameter of the body; 0 without memory. */
static gruc_ref make_table(struct folding *f, const struct gruc_op *lookup,
                           const struct gruc_op *matmul)
{
    struct gruc_ir *ir = f->rewrite.builder.ir;
    const struct gruc_op *weight = param_of(ir, matmul->operands[1]);
    struct gruc_table_product product = {
        .rows = gruc_op_id_count(ir, lookup),
        .depth = ir->values[lookup->results[0]].type.width,
        .width = ir->values[matmul->results[0]].type.width,
        .has_fma = f->options->has_fma,
    };
    uint32_t unused;
    product.weight = data_of(ir, weight, &product.weight_stride);
    if (matmul->n_operands > 2)
        product.bias = data_of(ir, param_of(ir, matmul->operands[2]), &unused);
    const char *name = name_of(ir, lookup, weight);
    float *data = GRUC_NEW_ARRAY(ir->arena, float, (size_t)product.rows * product.width);
    enum gruc_status status = name == NULL || data == NULL ? GRUC_ERROR_MEMORY : GRUC_OK;
    if (status == GRUC_OK && lookup->code == GRUC_OP_ONE_HOT) {
        add_bias(&product, data);
    } else if (status == GRUC_OK) {
        product.left = data_of(ir, param_of(ir, lookup->operands[1]), &product.left_stride);
        status = gruc_table_product(&product, ir->arena, data);
    }
    if (status != GRUC_OK) {
        ir->failed = 1;
        return 0;
    }
    gruc_ref tensor = gruc_ir_add_tensor(ir, name, product.rows, product.width, data);
    return gruc_build_param(&f->rewrite.builder, tensor, 0, product.rows, 0, product.width);
}

static void fold(struct folding *f, const struct gruc_op *matmul, const struct source *source)
{
    struct gruc_builder *builder = &f->rewrite.builder;
    struct gruc_op embed = builder->ir->ops[source->embed];
    gruc_ref ids = embed.operands[0];
    if (source->reversed) {
        if (f->reversed[ids] == 0)
            f->reversed[ids] = gruc_build_unary(builder, GRUC_OP_REVERSE, ids);
        ids = f->reversed[ids];
    }
    gruc_ref operands[2] = {ids, make_table(f, &embed, matmul)};
    int is_one_hot = embed.code == GRUC_OP_ONE_HOT; /* whose ids do not wrap */
    gruc_ref rows = gruc_build_value(builder, GRUC_OP_EMBED, operands, 2, embed.attributes,
                                     is_one_hot ? 0 : embed.n_attributes);
    gruc_rewrite_replace(&f->rewrite, matmul->results[0], rows);
    f->changes++;
}

/* Folds the products of the embeddings there are; those of the tables it makes are the next
 * round's, so a Dense before a GRU becomes part of the table too. */
static enum gruc_status fold_round(struct gruc_ir *ir, const struct gruc_pass_options *options,
                                   size_t *changes)
{
    const struct gruc_region *body = &ir->regions[0];
    struct folding f = {.options = options, .n_ops = ir->n_ops};
    f.uses = gruc_count_uses(ir);
    f.folded = GRUC_NEW_ARRAY(ir->arena, unsigned char, ir->n_ops);
    f.reversed = GRUC_NEW_ARRAY(ir->arena, gruc_ref, ir->n_values);
    if (f.uses == NULL || f.folded == NULL || f.reversed == NULL)
        return GRUC_ERROR_MEMORY;
    for (size_t i = 0; i < body->n_ops; i++)
        if (gruc_opcode_reads_ids(ir->ops[body->ops[i]].code))
            f.folded[body->ops[i]] = (unsigned char)is_worth_it(ir, f.uses, body->ops[i]);
    GRUC_TRY(gruc_rewrite_begin(ir, 0, &f.rewrite));
    for (size_t i = 0; i < f.rewrite.n_old && !ir->failed; i++) {
        struct gruc_op op = *gruc_rewrite_op(&f.rewrite, i);
        struct source source;
        if (is_foldable(ir, &op, &source) && source.embed < f.n_ops && f.folded[source.embed])
            fold(&f, &op, &source);
        else
            gruc_rewrite_keep(&f.rewrite, i);
    }
    gruc_rewrite_finish(&f.rewrite);
    *changes = f.changes;
    return ir->failed ? GRUC_ERROR_MEMORY : GRUC_OK;
}

enum gruc_status gruc_pass_fold_tables(struct gruc_ir *ir, const struct gruc_pass_options *options,
                                       struct gruc_diag *diag)
{
    (void)diag;
    size_t changes;
    do
        GRUC_TRY(fold_round(ir, options, &changes));
    while (changes > 0);
    return GRUC_OK;
}

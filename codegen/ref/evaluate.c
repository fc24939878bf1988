/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/ref/ref.h"
#include "ir/act.h"

size_t ref_rows(const struct ref_call *call, const struct gruc_type *type)
{
    return type->axes & GRUC_AXIS_ROWS ? call->rows : type->rows;
}

size_t ref_steps(const struct ref_call *call, const struct gruc_type *type)
{
    if (!(type->axes & GRUC_AXIS_STEPS))
        return 1;
    uint64_t length = type->steps.symbol < 0 ? 1 : call->steps[type->steps.symbol];
    return (size_t)(length * type->steps.factor);
}

static const struct gruc_type *type_of(const struct ref_call *call, gruc_ref value)
{
    return &call->program->ir->values[value].type;
}

struct ref_view ref_view(const struct ref_call *call, gruc_ref value)
{
    const struct gruc_type *type = type_of(call, value);
    struct ref_view view = {.data = call->data[value], .column = type->width > 1};
    if (type->axes & GRUC_AXIS_STEPS)
        view.step = type->width;
    if (type->axes & GRUC_AXIS_ROWS || type->rows > 1)
        view.row = ref_steps(call, type) * type->width;
    return view;
}

/* Runs over the numbers of a value in memory order. */
struct cursor {
    size_t rows, steps, width;
};

static struct cursor cursor_of(const struct ref_call *call, gruc_ref value)
{
    const struct gruc_type *type = type_of(call, value);
    return (struct cursor){ref_rows(call, type), ref_steps(call, type), type->width};
}

#define FOR_EACH_VECTOR(cursor, row, step)                                                         \
    for (size_t row = 0; row < (cursor).rows; row++)                                               \
        for (size_t step = 0; step < (cursor).steps; step++)

/* float32 to int32: towards zero, at the limits beyond the range, NaN to 0. */
static double truncate(double x)
{
    if (isnan(x))
        return 0.0;
    return fmin(fmax(trunc(x), INT32_MIN), INT32_MAX);
}

static double pointwise(enum gruc_opcode code, const double args[3])
{
    switch (code) {
    case GRUC_OP_TO_FLOAT:
        return args[0];
    case GRUC_OP_TO_INT:
        return truncate(args[0]);
    case GRUC_OP_TO_BOOL:
        return args[0] != 0.0;
    default:
        break;
    }
    unsigned prim = (unsigned)code - GRUC_OP_FIRST_PRIM;
    if (prim < GRUC_BASIC_COUNT)
        return gruc_basic_reference((enum gruc_basic)prim, args);
    return gruc_prim_reference((enum gruc_prim)(prim - GRUC_BASIC_COUNT), args[0]);
}

static void evaluate_pointwise(struct ref_call *call, const struct gruc_op *op)
{
    struct ref_view views[3];
    for (uint32_t i = 0; i < op->n_operands; i++)
        views[i] = ref_view(call, op->operands[i]);
    struct cursor cursor = cursor_of(call, op->results[0]);
    double *out = call->data[op->results[0]];
    FOR_EACH_VECTOR(cursor, row, step)
    for (size_t i = 0; i < cursor.width; i++) {
        double args[3] = {0};
        for (uint32_t k = 0; k < op->n_operands; k++)
            args[k] = ref_view_at(&views[k], row, step, i);
        *out++ = pointwise(op->code, args);
    }
}

static void evaluate_matmul(struct ref_call *call, const struct gruc_op *op)
{
    const struct gruc_type *weight_type = type_of(call, op->operands[1]);
    const double *x = call->data[op->operands[0]];
    const double *weight = call->data[op->operands[1]];
    const double *bias = op->n_operands > 2 ? call->data[op->operands[2]] : NULL;
    size_t depth = weight_type->rows, width = weight_type->width;
    struct cursor cursor = cursor_of(call, op->results[0]);
    double *out = call->data[op->results[0]];
    FOR_EACH_VECTOR(cursor, row, step)
    {
        for (size_t i = 0; i < width; i++)
            out[i] = bias == NULL ? 0.0 : bias[i];
        for (size_t k = 0; k < depth; k++)
            for (size_t i = 0; i < width; i++)
                out[i] += x[k] * weight[k * width + i];
        x += depth;
        out += width;
    }
}

/* Id of a row of table, counted from the end when negative ids wrap; -1 when there is none. */
static int64_t find_id(const struct gruc_op *embed, double id, uint32_t rows)
{
    if (id < 0.0 && gruc_op_integer(embed, GRUC_ATTRIBUTE_WRAP, 0))
        id += rows;
    return id >= 0.0 && id < rows ? (int64_t)id : -1;
}

enum gruc_status ref_check_ids(const struct ref_call *call, const struct gruc_op *embed)
{
    uint32_t rows = gruc_op_id_count(call->program->ir, embed);
    struct cursor cursor = cursor_of(call, embed->operands[0]);
    const double *ids = call->data[embed->operands[0]];
    for (size_t i = 0; i < cursor.rows * cursor.steps; i++)
        if (find_id(embed, ids[i], rows) < 0)
            return GRUC_ERROR_ID;
    return GRUC_OK;
}

static enum gruc_status evaluate_embed(struct ref_call *call, const struct gruc_op *op)
{
    const struct gruc_type *table_type = type_of(call, op->operands[1]);
    const double *table = call->data[op->operands[1]], *ids = call->data[op->operands[0]];
    double *out = call->data[op->results[0]];
    GRUC_TRY(ref_check_ids(call, op));
    struct cursor cursor = cursor_of(call, op->operands[0]);
    size_t width = table_type->width;
    for (size_t i = 0; i < cursor.rows * cursor.steps; i++, out += width) {
        size_t row = (size_t)find_id(op, ids[i], table_type->rows);
        memcpy(out, table + row * width, width * sizeof *out);
    }
    return GRUC_OK;
}

static enum gruc_status evaluate_one_hot(struct ref_call *call, const struct gruc_op *op)
{
    const double *ids = call->data[op->operands[0]];
    double *out = call->data[op->results[0]];
    GRUC_TRY(ref_check_ids(call, op));
    struct cursor cursor = cursor_of(call, op->results[0]);
    memset(out, 0, cursor.rows * cursor.steps * cursor.width * sizeof *out);
    for (size_t i = 0; i < cursor.rows * cursor.steps; i++)
        out[i * cursor.width + (size_t)find_id(op, ids[i], (uint32_t)cursor.width)] = 1.0;
    return GRUC_OK;
}

static void evaluate_batch_norm(struct ref_call *call, const struct gruc_op *op)
{
    double epsilon = gruc_op_number(op, GRUC_ATTRIBUTE_EPSILON, 0.0);
    struct ref_view views[5];
    for (uint32_t i = 0; i < 5; i++)
        views[i] = ref_view(call, op->operands[i]);
    struct cursor cursor = cursor_of(call, op->results[0]);
    double *out = call->data[op->results[0]];
    FOR_EACH_VECTOR(cursor, row, step)
    for (size_t i = 0; i < cursor.width; i++) {
        double x = ref_view_at(&views[0], row, step, i), mean = ref_view_at(&views[1], 0, 0, i);
        double variance = ref_view_at(&views[2], 0, 0, i);
        double gamma = ref_view_at(&views[3], 0, 0, i), beta = ref_view_at(&views[4], 0, 0, i);
        *out++ = (x - mean) / sqrt(variance + epsilon) * gamma + beta;
    }
}

/* scratch: room for width numbers. */
static void activate_row(enum gruc_act_id act, const double *x, size_t width, double *scratch,
                         double *out)
{
    if (act == GRUC_ACT_SOFTMAX) {
        ref_softmax(x, width, out);
    } else if (act == GRUC_ACT_LOG_SOFTMAX) {
        ref_log_softmax(x, width, out);
    } else {
        double threshold = ref_sparsemax_threshold(x, width, scratch);
        for (size_t i = 0; i < width; i++)
            out[i] = x[i] <= threshold ? 0.0 : x[i] - threshold; /* NaN stays */
    }
}

static enum gruc_status evaluate_act(struct ref_call *call, const struct gruc_op *op)
{
    static const enum gruc_attribute_name names[] = {GRUC_ATTRIBUTE_ALPHA, GRUC_ATTRIBUTE_BETA,
                                                     GRUC_ATTRIBUTE_GAMMA};
    const struct gruc_act *act = gruc_ir_act_find(gruc_op_text(op, GRUC_ATTRIBUTE_ACT));
    struct cursor cursor = cursor_of(call, op->results[0]);
    const double *x = call->data[op->operands[0]];
    double *out = call->data[op->results[0]];
    if (act->kind == GRUC_ACT_ELEMENTWISE) {
        double parameters[GRUC_ACT_PARAMETERS + 1];
        for (size_t i = 0; i < act->parameter_count; i++)
            parameters[i] = gruc_op_number(op, names[i], act->parameters[i].initial);
        for (size_t i = 0; i < cursor.rows * cursor.steps * cursor.width; i++)
            out[i] = gruc_act_reference(act, parameters, x[i]);
        return GRUC_OK;
    }
    double *scratch = malloc(cursor.width * sizeof *scratch);
    if (scratch == NULL)
        return GRUC_ERROR_MEMORY;
    for (size_t i = 0; i < cursor.rows * cursor.steps; i++)
        activate_row(act->id, x + i * cursor.width, cursor.width, scratch, out + i * cursor.width);
    free(scratch);
    return GRUC_OK;
}

static double reduce(enum gruc_opcode code, const double *x, size_t width, double *scratch)
{
    if (code == GRUC_OP_SPARSEMAX_THRESHOLD)
        return ref_sparsemax_threshold(x, width, scratch);
    double result = x[0];
    for (size_t i = 1; i < width; i++) {
        if (code == GRUC_OP_REDUCE_SUM)
            result += x[i];
        else if (x[i] > result || isnan(x[i])) /* of truth values the largest is their or */
            result = x[i];
    }
    return result;
}

static enum gruc_status evaluate_reduction(struct ref_call *call, const struct gruc_op *op)
{
    struct cursor cursor = cursor_of(call, op->operands[0]);
    const double *x = call->data[op->operands[0]];
    double *out = call->data[op->results[0]];
    double *scratch = malloc(cursor.width * sizeof *scratch);
    if (scratch == NULL)
        return GRUC_ERROR_MEMORY;
    for (size_t i = 0; i < cursor.rows * cursor.steps; i++)
        out[i] = reduce(op->code, x + i * cursor.width, cursor.width, scratch);
    free(scratch);
    return GRUC_OK;
}

static void evaluate_reverse(struct ref_call *call, const struct gruc_op *op)
{
    struct cursor cursor = cursor_of(call, op->results[0]);
    struct ref_view x = ref_view(call, op->operands[0]);
    double *out = call->data[op->results[0]];
    FOR_EACH_VECTOR(cursor, row, step)
    for (size_t i = 0; i < cursor.width; i++)
        *out++ = ref_view_at(&x, row, cursor.steps - 1 - step, i);
}

static void evaluate_concat(struct ref_call *call, const struct gruc_op *op)
{
    struct cursor cursor = cursor_of(call, op->results[0]);
    double *out = call->data[op->results[0]];
    FOR_EACH_VECTOR(cursor, row, step)
    for (uint32_t k = 0; k < op->n_operands; k++) {
        struct ref_view x = ref_view(call, op->operands[k]);
        for (size_t i = 0; i < type_of(call, op->operands[k])->width; i++)
            *out++ = ref_view_at(&x, row, step, i);
    }
}

static void evaluate_reshape(struct ref_call *call, const struct gruc_op *op)
{
    struct cursor cursor = cursor_of(call, op->results[0]);
    memcpy(call->data[op->results[0]], call->data[op->operands[0]],
           cursor.rows * cursor.steps * cursor.width * sizeof(double));
}

/* Fills value, which has rows but no steps, from one step of another. */
static void copy_step(struct ref_call *call, gruc_ref from, size_t step, gruc_ref to)
{
    struct cursor cursor = cursor_of(call, to);
    struct ref_view view = ref_view(call, from);
    double *out = call->data[to];
    for (size_t row = 0; row < cursor.rows; row++)
        for (size_t i = 0; i < cursor.width; i++)
            *out++ = ref_view_at(&view, row, step, i);
}

/* The opposite: one step of a sequence from a value without steps. */
static void store_step(struct ref_call *call, gruc_ref from, size_t step, gruc_ref to)
{
    struct cursor cursor = cursor_of(call, to);
    struct ref_view view = ref_view(call, from);
    for (size_t row = 0; row < cursor.rows; row++)
        for (size_t i = 0; i < cursor.width; i++)
            call->data[to][(row * cursor.steps + step) * cursor.width + i] =
                ref_view_at(&view, row, 0, i);
}

static enum gruc_status evaluate_scan(struct ref_call *call, const struct gruc_op *op)
{
    const struct gruc_region *region = &call->program->ir->regions[op->region];
    size_t scanned = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_SCANNED, 0);
    size_t carried = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_CARRIED, 0);
    for (size_t i = scanned; i < region->n_arguments; i++)
        copy_step(call, op->operands[i], 0, region->arguments[i]);
    size_t steps = ref_steps(call, type_of(call, op->operands[0]));
    for (size_t step = 0; step < steps; step++) {
        for (size_t i = 0; i < scanned; i++)
            copy_step(call, op->operands[i], step, region->arguments[i]);
        GRUC_TRY(ref_evaluate_region(call, op->region));
        for (size_t i = carried; i < region->n_yields; i++)
            store_step(call, region->yields[i], step, op->results[i]);
        /* A yield may be another carried argument: copy all before any argument changes. */
        for (size_t i = 0; i < carried; i++)
            copy_step(call, region->yields[i], 0, op->results[i]);
        for (size_t i = 0; i < carried; i++)
            copy_step(call, op->results[i], 0, region->arguments[scanned + i]);
    }
    return GRUC_OK;
}

enum gruc_status ref_evaluate_op(struct ref_call *call, const struct gruc_op *op)
{
    if (gruc_opcode_is_pointwise(op->code)) {
        evaluate_pointwise(call, op);
        return GRUC_OK;
    }
    switch (op->code) {
    case GRUC_OP_INPUT:
        ref_read_input(call, (uint32_t)gruc_op_integer(op, GRUC_ATTRIBUTE_INDEX, 0));
        return GRUC_OK;
    case GRUC_OP_PARAM:
    case GRUC_OP_CONSTANT: /* of the program */
        return GRUC_OK;
    case GRUC_OP_MATMUL:
        evaluate_matmul(call, op);
        return GRUC_OK;
    case GRUC_OP_EMBED:
        return evaluate_embed(call, op);
    case GRUC_OP_ONE_HOT:
        return evaluate_one_hot(call, op);
    case GRUC_OP_BATCH_NORM:
        evaluate_batch_norm(call, op);
        return GRUC_OK;
    case GRUC_OP_ACT:
        return evaluate_act(call, op);
    case GRUC_OP_REDUCE_MAX:
    case GRUC_OP_REDUCE_SUM:
    case GRUC_OP_REDUCE_ANY:
    case GRUC_OP_SPARSEMAX_THRESHOLD:
        return evaluate_reduction(call, op);
    case GRUC_OP_REVERSE:
        evaluate_reverse(call, op);
        return GRUC_OK;
    case GRUC_OP_CONCAT:
        evaluate_concat(call, op);
        return GRUC_OK;
    case GRUC_OP_RESHAPE:
        evaluate_reshape(call, op);
        return GRUC_OK;
    case GRUC_OP_INITIAL_STATE:
        ref_evaluate_initial_state(call, op);
        return GRUC_OK;
    case GRUC_OP_FINAL_STATE:
        ref_evaluate_final_state(call, op);
        return GRUC_OK;
    case GRUC_OP_SCAN:
        return evaluate_scan(call, op);
    default:
        return GRUC_ERROR_INTERNAL;
    }
}

enum gruc_status ref_evaluate_region(struct ref_call *call, gruc_ref region)
{
    const struct gruc_ir *ir = call->program->ir;
    for (size_t i = 0; i < ir->regions[region].n_ops; i++)
        GRUC_TRY(ref_evaluate_op(call, &ir->ops[ir->regions[region].ops[i]]));
    return GRUC_OK;
}

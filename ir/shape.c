/* SPDX-License-Identifier: MIT */
#include "ir/shape.h"

#include "ir/expr.h"
#include "ir/narrow.h"

static const struct gruc_type scalar = {GRUC_FLOAT32, 0, {-1, 1}, 1, 1};

static const struct gruc_type *type_of(const struct gruc_ir *ir, const struct gruc_op *op,
                                       uint32_t operand)
{
    return &ir->values[op->operands[operand]].type;
}

/* With static symbols replaced by their number. */
static void normalize(const struct gruc_ir *ir, struct gruc_steps steps, int32_t *symbol,
                      uint64_t *factor)
{
    *symbol = steps.symbol;
    *factor = steps.factor;
    if (steps.symbol < 0 || (size_t)steps.symbol >= ir->n_symbols)
        return;
    uint64_t number = ir->symbols[steps.symbol].steps;
    if (number != 0) {
        *symbol = -1;
        *factor = __builtin_mul_overflow(number, steps.factor, factor) ? UINT64_MAX : *factor;
    }
}

/* Numbers of one row: the value of *symbol (-1: none) times *count. Answers 0 on overflow. */
static int row_size(const struct gruc_ir *ir, const struct gruc_type *type, int32_t *symbol,
                    uint64_t *count)
{
    *symbol = -1;
    *count = 1;
    if (type->axes & GRUC_AXIS_STEPS)
        normalize(ir, type->steps, symbol, count);
    return !__builtin_mul_overflow(*count, (uint64_t)type->rows, count) &&
           !__builtin_mul_overflow(*count, (uint64_t)type->width, count);
}

int gruc_shape_same_steps(const struct gruc_ir *ir, struct gruc_steps a, struct gruc_steps b)
{
    int32_t symbol_a, symbol_b;
    uint64_t factor_a, factor_b;
    normalize(ir, a, &symbol_a, &factor_a);
    normalize(ir, b, &symbol_b, &factor_b);
    return symbol_a == symbol_b && factor_a == factor_b;
}

int gruc_shape_same_type(const struct gruc_ir *ir, const struct gruc_type *a,
                         const struct gruc_type *b)
{
    return a->dtype == b->dtype && a->axes == b->axes && a->rows == b->rows &&
           a->width == b->width &&
           (!(a->axes & GRUC_AXIS_STEPS) || gruc_shape_same_steps(ir, a->steps, b->steps));
}

/* Adds the outer axes of one operand to those of the result. */
static const char *join_axes(const struct gruc_ir *ir, const struct gruc_type *operand,
                             struct gruc_type *type)
{
    if (operand->axes & GRUC_AXIS_STEPS) {
        if (!(type->axes & GRUC_AXIS_STEPS))
            type->steps = operand->steps;
        else if (!gruc_shape_same_steps(ir, type->steps, operand->steps))
            return "its operands differ in steps";
    }
    type->axes |= operand->axes;
    if (type->rows == 1)
        type->rows = operand->rows;
    else if (operand->rows != 1 && operand->rows != type->rows)
        return "its operands differ in rows";
    if (type->rows != 1 && type->axes != 0)
        return "it joins a matrix of weights with values of rows";
    return NULL;
}

static const char *broadcast(const struct gruc_ir *ir, const struct gruc_op *op,
                             struct gruc_type *type)
{
    for (uint32_t i = 0; i < op->n_operands; i++) {
        const struct gruc_type *operand = type_of(ir, op, i);
        const char *fault = join_axes(ir, operand, type);
        if (fault != NULL)
            return fault;
        if (type->width == 1)
            type->width = operand->width;
        else if (operand->width != 1 && operand->width != type->width)
            return "its operands differ in width";
    }
    return NULL;
}

static const char *infer_basic(const struct gruc_ir *ir, const struct gruc_op *op,
                               struct gruc_type *type)
{
    const struct gruc_basic_info *info =
        gruc_basic_describe((enum gruc_basic)(op->code - GRUC_OP_FIRST_PRIM));
    const char *fault = broadcast(ir, op, type);
    type->dtype = info->result == GRUC_EXPR_BOOL ? GRUC_BOOL : GRUC_FLOAT32;
    enum gruc_dtype wanted = info->operands == GRUC_EXPR_BOOL ? GRUC_BOOL : GRUC_FLOAT32;
    if (info->operands == GRUC_EXPR_CHOICE) {
        if (type_of(ir, op, 0)->dtype != GRUC_BOOL)
            return "its condition is not bool";
        wanted = type->dtype = type_of(ir, op, 1)->dtype;
    }
    for (uint32_t i = info->operands == GRUC_EXPR_CHOICE; i < op->n_operands; i++)
        if (type_of(ir, op, i)->dtype != wanted)
            return wanted == GRUC_BOOL ? "an operand is not bool" : "its operands differ in type";
    return fault;
}

static const char *infer_matmul(const struct gruc_ir *ir, const struct gruc_op *op,
                                struct gruc_type *type)
{
    const struct gruc_type *x = type_of(ir, op, 0), *weight = type_of(ir, op, 1);
    *type = *x;
    type->width = weight->width;
    enum gruc_weights weights = gruc_op_weights(op);
    int quantized = gruc_narrow_quantizes(weights);
    type->dtype = GRUC_FLOAT32;
    if (x->dtype != (quantized ? GRUC_INT32 : GRUC_FLOAT32) || weight->dtype != GRUC_FLOAT32)
        return quantized ? "its operand is not quantized" : "an operand is not float32";
    if (weight->axes != 0)
        return "its second operand is not a matrix";
    if (x->width != (quantized ? gruc_quantized_width(weights, weight->rows) : weight->rows))
        return "the width of x differs from the rows of the matrix";
    if (op->n_operands < 3)
        return NULL;
    const struct gruc_type *bias = type_of(ir, op, 2);
    if (bias->dtype != GRUC_FLOAT32 || bias->axes != 0 || bias->rows != 1 ||
        bias->width != weight->width)
        return "its bias is not one row of the matrix's width";
    return NULL;
}

static const char *infer_embed(const struct gruc_ir *ir, const struct gruc_op *op,
                               struct gruc_type *type)
{
    const struct gruc_type *ids = type_of(ir, op, 0), *table = type_of(ir, op, 1);
    *type = *ids;
    type->dtype = GRUC_FLOAT32;
    type->width = table->width;
    if (ids->dtype != GRUC_INT32 || ids->width != 1)
        return "its ids are not int32 of width 1";
    if (table->dtype != GRUC_FLOAT32 || table->axes != 0)
        return "its table is not a matrix";
    return NULL;
}

static const char *infer_one_hot(const struct gruc_ir *ir, const struct gruc_op *op,
                                 struct gruc_type *type)
{
    const struct gruc_type *ids = type_of(ir, op, 0);
    int64_t width = gruc_op_integer(op, GRUC_ATTRIBUTE_WIDTH, 0);
    *type = *ids;
    type->dtype = GRUC_FLOAT32;
    if (ids->dtype != GRUC_INT32 || ids->width != 1)
        return "its ids are not int32 of width 1";
    if (width < 1 || width > INT32_MAX)
        return "its width is out of range";
    type->width = (uint32_t)width;
    return NULL;
}

static const char *infer_batch_norm(const struct gruc_ir *ir, const struct gruc_op *op,
                                    struct gruc_type *type)
{
    *type = *type_of(ir, op, 0);
    if (type->dtype != GRUC_FLOAT32 || type->axes == 0)
        return "x is not a float32 value of rows";
    for (uint32_t i = 1; i < op->n_operands; i++) {
        const struct gruc_type *weight = type_of(ir, op, i);
        if (weight->dtype != GRUC_FLOAT32 || weight->axes != 0 || weight->rows != 1 ||
            (weight->width != 1 && weight->width != type->width))
            return "an operand is not one row of the width of x";
    }
    return NULL;
}

static const char *infer_reduction(const struct gruc_ir *ir, const struct gruc_op *op,
                                   struct gruc_type *type)
{
    enum gruc_dtype wanted = op->code == GRUC_OP_REDUCE_ANY ? GRUC_BOOL : GRUC_FLOAT32;
    *type = *type_of(ir, op, 0);
    type->width = 1;
    if (type->dtype == wanted)
        return NULL;
    type->dtype = wanted;
    return wanted == GRUC_BOOL ? "its operand is not bool" : "its operand is not float32";
}

static const char *infer_quantize(const struct gruc_ir *ir, const struct gruc_op *op,
                                  struct gruc_type *type)
{
    *type = *type_of(ir, op, 0);
    enum gruc_dtype from = type->dtype;
    type->dtype = GRUC_INT32;
    type->width = gruc_quantized_width(gruc_op_weights(op), type->width);
    return from == GRUC_FLOAT32 ? NULL : "its operand is not float32";
}

static const char *infer_cast(const struct gruc_ir *ir, const struct gruc_op *op,
                              struct gruc_type *type)
{
    *type = *type_of(ir, op, 0);
    enum gruc_dtype from = type->dtype;
    switch (op->code) {
    case GRUC_OP_TO_FLOAT:
        type->dtype = GRUC_FLOAT32;
        break;
    case GRUC_OP_TO_INT:
        type->dtype = GRUC_INT32;
        return from == GRUC_FLOAT32 ? NULL : "its operand is not float32";
    default:
        type->dtype = GRUC_BOOL;
        break;
    }
    return from == type->dtype ? "its operand has that type already" : NULL;
}

static const char *infer_concat(const struct gruc_ir *ir, const struct gruc_op *op,
                                struct gruc_type *type)
{
    *type = scalar;
    type->dtype = type_of(ir, op, 0)->dtype;
    type->width = 0;
    for (uint32_t i = 0; i < op->n_operands; i++) {
        const struct gruc_type *operand = type_of(ir, op, i);
        const char *fault = join_axes(ir, operand, type);
        if (fault == NULL && operand->dtype != type->dtype)
            fault = "its operands differ in type";
        if (fault == NULL && __builtin_add_overflow(type->width, operand->width, &type->width))
            fault = "its width overflows";
        if (fault != NULL) {
            type->width = 1;
            return fault;
        }
    }
    return NULL;
}

static const char *infer_reshape(const struct gruc_ir *ir, const struct gruc_op *op,
                                 struct gruc_type *type)
{
    const struct gruc_type *from = type_of(ir, op, 0);
    type->dtype = from->dtype;
    if ((from->axes ^ type->axes) & GRUC_AXIS_ROWS)
        return "it adds or drops the batch";
    int32_t symbol_from, symbol_to;
    uint64_t count_from, count_to;
    if (!row_size(ir, from, &symbol_from, &count_from) ||
        !row_size(ir, type, &symbol_to, &count_to))
        return "its size overflows";
    return symbol_from == symbol_to && count_from == count_to ? NULL
                                                              : "it changes the size of a row";
}

static const char *infer_param(const struct gruc_ir *ir, const struct gruc_op *op,
                               struct gruc_type *type)
{
    type->dtype = GRUC_FLOAT32;
    type->axes = 0;
    type->steps = scalar.steps;
    int64_t number = gruc_op_integer(op, GRUC_ATTRIBUTE_TENSOR, -1);
    int64_t row = gruc_op_integer(op, GRUC_ATTRIBUTE_ROW, -1);
    int64_t column = gruc_op_integer(op, GRUC_ATTRIBUTE_COLUMN, -1);
    if (number < 0 || (uint64_t)number >= ir->n_tensors)
        return "there is no such tensor";
    const struct gruc_tensor *tensor = &ir->tensors[number];
    if (row < 0 || row > tensor->rows || type->rows > tensor->rows - row || column < 0 ||
        column > tensor->columns || type->width > tensor->columns - column)
        return "it reaches beyond its tensor";
    return NULL;
}

static const char *infer_initial_state(const struct gruc_ir *ir, const struct gruc_op *op,
                                       struct gruc_type *type)
{
    int64_t slot = gruc_op_integer(op, GRUC_ATTRIBUTE_SLOT, -1);
    *type = scalar;
    type->axes = GRUC_AXIS_ROWS;
    if (slot < 0 || (uint64_t)slot >= ir->n_slots)
        return "there is no such slot";
    type->width = ir->slots[slot].width;
    if (op->n_operands == 0)
        return NULL;
    const struct gruc_type *given = type_of(ir, op, 0);
    if (given->dtype != GRUC_FLOAT32 || given->axes & GRUC_AXIS_STEPS || given->rows != 1 ||
        (given->width != 1 && given->width != type->width))
        return "the given state does not fit the slot";
    return NULL;
}

static const char *infer_gru(const struct gruc_ir *ir, const struct gruc_op *op, uint32_t index,
                             struct gruc_type *type)
{
    const unsigned sequence = GRUC_AXIS_ROWS | GRUC_AXIS_STEPS;
    int64_t number = gruc_op_integer(op, GRUC_ATTRIBUTE_GRU, -1);
    *type = scalar;
    type->axes = GRUC_AXIS_ROWS;
    if (number < 0 || (uint64_t)number >= ir->n_grus)
        return "there is no such gru";
    const struct gruc_gru *gru = &ir->grus[number];
    type->width = gru->units;
    if (op->n_operands != 1u + (gru->has_mask != 0) + (gru->has_initial_state != 0))
        return "its operands do not agree with has_mask and has_initial_state";
    const struct gruc_type *x = type_of(ir, op, 0);
    if (index == 0) {
        type->axes = sequence;
        type->steps = x->steps;
    }
    if (x->dtype != GRUC_FLOAT32 || x->axes != sequence)
        return "x is not a float32 sequence";
    if (gru->has_mask) {
        const struct gruc_type *mask = type_of(ir, op, 1);
        if (mask->dtype != GRUC_BOOL || mask->axes != sequence || mask->width != 1 ||
            !gruc_shape_same_steps(ir, mask->steps, x->steps))
            return "its mask is not a bool sequence of width 1 with the steps of x";
    }
    if (!gru->has_initial_state)
        return NULL;
    const struct gruc_type *state = type_of(ir, op, op->n_operands - 1);
    if (state->dtype != GRUC_FLOAT32 || state->axes & GRUC_AXIS_STEPS || state->rows != 1 ||
        (state->width != 1 && state->width != gru->units))
        return "its initial state is not a float32 value of rows and units";
    return NULL;
}

static const char *infer_scan(const struct gruc_ir *ir, const struct gruc_op *op, uint32_t index,
                              struct gruc_type *type)
{
    int64_t scanned = gruc_op_integer(op, GRUC_ATTRIBUTE_SCANNED, -1);
    int64_t carried = gruc_op_integer(op, GRUC_ATTRIBUTE_CARRIED, -1);
    *type = scalar;
    type->axes = GRUC_AXIS_ROWS;
    if (scanned < 1 || carried < 0 || scanned + carried > op->n_operands)
        return "its attributes scanned and carried do not fit its operands";
    if (op->region >= ir->n_regions || index >= ir->regions[op->region].n_yields)
        return "its region does not yield this result";
    *type = ir->values[ir->regions[op->region].yields[index]].type;
    if (index >= carried) {
        type->axes |= GRUC_AXIS_STEPS;
        type->steps = type_of(ir, op, 0)->steps;
    }
    return NULL;
}

static const char *infer_structural(const struct gruc_ir *ir, const struct gruc_op *op,
                                    uint32_t index, struct gruc_type *type)
{
    switch (op->code) {
    case GRUC_OP_PARAM:
        return infer_param(ir, op, type);
    case GRUC_OP_EMBED:
        return infer_embed(ir, op, type);
    case GRUC_OP_ONE_HOT:
        return infer_one_hot(ir, op, type);
    case GRUC_OP_BATCH_NORM:
        return infer_batch_norm(ir, op, type);
    case GRUC_OP_RESHAPE:
        return infer_reshape(ir, op, type);
    case GRUC_OP_CONCAT:
        return infer_concat(ir, op, type);
    case GRUC_OP_GRU:
        return infer_gru(ir, op, index, type);
    case GRUC_OP_INITIAL_STATE:
        return infer_initial_state(ir, op, type);
    case GRUC_OP_SCAN:
        return infer_scan(ir, op, index, type);
    case GRUC_OP_COPY:
        *type = *type_of(ir, op, 0);
        return NULL;
    case GRUC_OP_REVERSE:
        *type = *type_of(ir, op, 0);
        return type->axes & GRUC_AXIS_STEPS ? NULL : "its operand has no steps";
    default: /* constant, and operations without results */
        *type = scalar;
        return NULL;
    }
}

const char *gruc_shape_infer(const struct gruc_ir *ir, const struct gruc_op *op, uint32_t index,
                             struct gruc_type *type)
{
    switch (op->code) {
    case GRUC_OP_INPUT:
        return type->axes & GRUC_AXIS_ROWS ? NULL : "an input has rows";
    case GRUC_OP_MATMUL:
        return infer_matmul(ir, op, type);
    case GRUC_OP_QUANTIZE:
        return infer_quantize(ir, op, type);
    case GRUC_OP_REDUCE_MAX:
    case GRUC_OP_REDUCE_SUM:
    case GRUC_OP_REDUCE_ANY:
    case GRUC_OP_SPARSEMAX_THRESHOLD:
        return infer_reduction(ir, op, type);
    case GRUC_OP_TO_FLOAT:
    case GRUC_OP_TO_INT:
    case GRUC_OP_TO_BOOL:
        return infer_cast(ir, op, type);
    default:
        break;
    }
    if (op->code >= GRUC_OP_FIRST_PRIM && op->code - GRUC_OP_FIRST_PRIM < GRUC_BASIC_COUNT) {
        *type = scalar;
        return infer_basic(ir, op, type);
    }
    if (op->code >= GRUC_OP_FIRST_PRIM || op->code == GRUC_OP_ACT) {
        *type = *type_of(ir, op, 0);
        enum gruc_dtype from = type->dtype;
        type->dtype = GRUC_FLOAT32;
        return from == GRUC_FLOAT32 ? NULL : "its operand is not float32";
    }
    return infer_structural(ir, op, index, type);
}

uint32_t gruc_shape_results(const struct gruc_ir *ir, const struct gruc_op *op)
{
    switch (op->code) {
    case GRUC_OP_FINAL_STATE:
        return 0;
    case GRUC_OP_GRU:
        return 3;
    case GRUC_OP_SCAN:
        return op->region < ir->n_regions ? (uint32_t)ir->regions[op->region].n_yields : 0;
    default:
        return 1;
    }
}

const char *gruc_shape_port(const struct gruc_ir *ir, const struct gruc_port *port)
{
    const struct gruc_type *type = &ir->values[port->value].type;
    const struct gruc_tensor_info *info = &port->info;
    unsigned batch = port->time_major != 0;
    if (port->name == NULL || info->rank <= batch || info->rank > GRUC_ABI_MAX_RANK)
        return "a port has no name or an impossible rank";
    if (!(type->axes & GRUC_AXIS_ROWS) || (port->time_major && !(type->axes & GRUC_AXIS_STEPS)))
        return "a port's value lacks the batch or the steps that its array has";
    if (info->dtype != (uint32_t)type->dtype)
        return "a port and its value differ in type";
    if (info->dims[batch] != GRUC_DIM_BATCH &&
        (ir->batch == 0 || info->dims[batch] != (int64_t)ir->batch))
        return "a port's batch is not where it should be";
    int32_t symbol = -1, value_symbol;
    uint64_t count = 1, value_count;
    for (unsigned i = 0; i < info->rank; i++) {
        if (i == batch)
            continue;
        int64_t length = info->dims[i];
        if (length < 0) {
            struct gruc_steps steps = {(int32_t)(GRUC_DIM_STEPS(0) - length), 1};
            if (steps.symbol < 0 || (size_t)steps.symbol >= ir->n_symbols || symbol >= 0)
                return "a port has two unknown axes, or an unknown step symbol";
            uint64_t number;
            normalize(ir, steps, &symbol, &number);
            length = (int64_t)number;
        }
        if (__builtin_mul_overflow(count, (uint64_t)length, &count))
            return "a port's size overflows";
    }
    if (!row_size(ir, type, &value_symbol, &value_count) || symbol != value_symbol ||
        count != value_count)
        return "a port and its value differ in size";
    return NULL;
}

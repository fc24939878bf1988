/* SPDX-License-Identifier: MIT */
/* Evaluates a model's IR with a bound on the error beside each number (error_rules.c). It reads the
 * IR as it is once layers and activations are primitives, so it knows nothing of how a back end
 * computes but the order of sums, which is part of a model's meaning. */
#include "tests/golden/error_bound.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "driver/compile.h"
#include "ir/passes/passes.h"
#include "tests/golden/error_rules.h"

/* Of a number made by passes: each of two rounds rounds once, and the error counts from both the
 * number itself and the one it stands for. */
enum { ROUNDINGS = 4 };

struct test_bound {
    struct gruc_model_handle *handle;
    struct gruc_arena arena; /* of the IR */
    struct gruc_ir *ir;
    size_t n_given; /* tensors of the model; passes made the others and rounded their numbers */
    struct cell **cells; /* of each value, in frame */
    struct cell **stored; /* of each slot, from the last call; NULL: zero */
    struct gruc_arena frame; /* of one call */
    uint64_t rows;
    uint64_t steps[GRUC_ABI_MAX_STEPS];
    const struct test_call *call;
    int failed;
};

static uint64_t steps_of(const struct test_bound *b, const struct gruc_type *type)
{
    if (!(type->axes & GRUC_AXIS_STEPS))
        return 1;
    uint64_t symbol = type->steps.symbol < 0 ? 1 : b->steps[type->steps.symbol];
    return symbol * type->steps.factor;
}

/* How many lines of width numbers a value has: rows x steps, or the rows of a weight. */
static uint64_t lines_of(const struct test_bound *b, const struct gruc_type *type)
{
    return (type->axes & GRUC_AXIS_ROWS ? b->rows : 1) * steps_of(b, type) * type->rows;
}

static struct cell *fresh(struct test_bound *b, gruc_ref value)
{
    const struct gruc_type *type = &b->ir->values[value].type;
    if (b->cells[value] == NULL)
        b->cells[value] = gruc_arena_alloc(&b->frame, lines_of(b, type) * type->width + 1,
                                           sizeof(struct cell));
    b->failed |= b->cells[value] == NULL;
    return b->cells[value];
}

/* The line of an operand that stands beside (row, step) of a result. */
static const struct cell *line_at(const struct test_bound *b, gruc_ref value, uint64_t row,
                                  uint64_t step)
{
    const struct gruc_type *type = &b->ir->values[value].type;
    uint64_t line = type->axes & GRUC_AXIS_ROWS ? row : 0;
    line = line * steps_of(b, type) + (type->axes & GRUC_AXIS_STEPS ? step : 0);
    return b->cells[value] + line * type->width;
}

static void read_input(struct test_bound *b, const struct gruc_op *op)
{
    const struct gruc_ir *ir = b->ir;
    const struct gruc_port *port = &ir->inputs[gruc_op_integer(op, GRUC_ATTRIBUTE_INDEX, 0)];
    const struct test_port *given =
        test_port_find(b->call->inputs, b->call->n_inputs, port->name);
    struct cell *out = fresh(b, op->results[0]);
    if (given == NULL || out == NULL) {
        b->failed = 1;
        return;
    }
    const struct gruc_type *type = &ir->values[op->results[0]].type;
    uint64_t steps = steps_of(b, type), inner = type->width;
    uint64_t outer = port->time_major ? (uint64_t)given->array.dims[0] : 1;
    uint64_t middle = steps / (outer == 0 ? 1 : outer);
    for (uint64_t row = 0; row < b->rows; row++)
        for (uint64_t step = 0; step < steps; step++)
            for (uint64_t i = 0; i < inner; i++) {
                uint64_t at = (row * steps + step) * inner + i;
                if (port->time_major)
                    at = ((step / middle * b->rows + row) * middle + step % middle) * inner + i;
                double v = test_array_number(&given->array, at);
                if (type->dtype == GRUC_FLOAT32)
                    v = (double)(float)v;
                *out++ = (struct cell){type->dtype == GRUC_BOOL ? v != 0 : v, 0};
            }
}

static void read_param(struct test_bound *b, const struct gruc_op *op)
{
    const struct gruc_type *type = &b->ir->values[op->results[0]].type;
    size_t number = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_TENSOR, 0);
    const struct gruc_tensor *tensor = &b->ir->tensors[number];
    uint64_t row = (uint64_t)gruc_op_integer(op, GRUC_ATTRIBUTE_ROW, 0);
    uint64_t column = (uint64_t)gruc_op_integer(op, GRUC_ATTRIBUTE_COLUMN, 0);
    struct cell *out = fresh(b, op->results[0]);
    for (uint64_t i = 0; out != NULL && i < type->rows; i++)
        for (uint64_t k = 0; k < type->width; k++, out++) {
            out->v = (double)tensor->data[(row + i) * tensor->columns + column + k];
            if (number >= b->n_given)
                out->e = ROUNDINGS * error_of_rounding(out->v);
        }
}

static void one_hot(struct test_bound *b, const struct gruc_op *op)
{
    const struct cell *ids = b->cells[op->operands[0]];
    uint64_t lines = lines_of(b, &b->ir->values[op->operands[0]].type);
    uint32_t width = b->ir->values[op->results[0]].type.width;
    struct cell *out = fresh(b, op->results[0]);
    for (uint64_t line = 0; out != NULL && line < lines; line++)
        for (uint32_t i = 0; i < width; i++)
            *out++ = (struct cell){ids[line].v == i, 0};
}

/* The numbers of an operand beside a line of a result of this type. */
static const struct cell *beside(const struct test_bound *b, const struct gruc_type *type,
                                 gruc_ref operand, uint64_t line)
{
    const struct gruc_type *from = &b->ir->values[operand].type;
    if (type->axes == 0)
        return b->cells[operand] + (from->rows == 1 ? 0 : line) * from->width;
    uint64_t steps = steps_of(b, type);
    return line_at(b, operand, line / steps, line % steps);
}

static void pointwise(struct test_bound *b, const struct gruc_op *op)
{
    const struct gruc_type *type = &b->ir->values[op->results[0]].type;
    struct cell *out = fresh(b, op->results[0]);
    unsigned code = op->code - GRUC_OP_FIRST_PRIM;
    for (uint64_t line = 0; out != NULL && line < lines_of(b, type); line++)
        for (uint64_t i = 0; i < type->width; i++) {
            struct cell args[3] = {{0, 0}};
            for (uint32_t k = 0; k < op->n_operands; k++) {
                uint32_t width = b->ir->values[op->operands[k]].type.width;
                args[k] = beside(b, type, op->operands[k], line)[width == 1 ? 0 : i];
            }
            *out++ = code < GRUC_BASIC_COUNT
                         ? error_basic((enum gruc_basic)code, args)
                         : error_prim((enum gruc_prim)(code - GRUC_BASIC_COUNT), args[0]);
        }
}

static void matmul(struct test_bound *b, const struct gruc_op *op)
{
    const struct gruc_type *x_type = &b->ir->values[op->operands[0]].type;
    uint32_t k = x_type->width, width = b->ir->values[op->results[0]].type.width;
    const struct cell *x = b->cells[op->operands[0]], *w = b->cells[op->operands[1]];
    const struct cell *bias = op->n_operands > 2 ? b->cells[op->operands[2]] : NULL;
    struct cell *out = fresh(b, op->results[0]);
    for (uint64_t line = 0; out != NULL && line < lines_of(b, x_type); line++)
        for (uint32_t i = 0; i < width; i++)
            *out++ = error_dot(x + line * k, w + i, k, width, bias == NULL ? NULL : bias + i);
}

static struct cell cast(enum gruc_opcode code, struct cell x)
{
    if (code == GRUC_OP_TO_BOOL)
        return (struct cell){x.v != 0, x.e > 0 && fabs(x.v) <= x.e};
    if (code == GRUC_OP_TO_INT)
        return (struct cell){trunc(x.v), fmax(fabs(trunc(x.v + x.e) - trunc(x.v)),
                                              fabs(trunc(x.v - x.e) - trunc(x.v)))};
    return x;
}

static struct cell reduce(enum gruc_opcode code, const struct cell *x, uint32_t width)
{
    struct cell any = {0, 0};
    switch (code) {
    case GRUC_OP_REDUCE_MAX:
        return error_max(x, width);
    case GRUC_OP_REDUCE_SUM:
        return error_sum(x, width);
    case GRUC_OP_SPARSEMAX_THRESHOLD:
        return error_sparsemax_threshold(x, width);
    default:
        for (uint32_t i = 0; i < width; i++) {
            struct cell pair[2] = {any, x[i]};
            any = error_basic(GRUC_BASIC_OR, pair);
        }
        return any;
    }
}

/* One operand, line by line: casts, reductions, look-ups, copies. */
static void by_line(struct test_bound *b, const struct gruc_op *op)
{
    gruc_ref operand = op->operands[0];
    const struct gruc_type *from = &b->ir->values[operand].type;
    uint64_t lines = lines_of(b, from), steps = steps_of(b, from);
    struct cell *out = fresh(b, op->results[0]);
    for (uint64_t line = 0; out != NULL && line < lines; line++) {
        const struct cell *x = b->cells[operand] + line * from->width;
        uint32_t width = b->ir->values[op->results[0]].type.width;
        if (op->code == GRUC_OP_EMBED) {
            const struct gruc_type *table = &b->ir->values[op->operands[1]].type;
            double id = x->v < 0 ? x->v + table->rows : x->v;
            x = b->cells[op->operands[1]] + (uint64_t)id * width;
        } else if (op->code == GRUC_OP_REVERSE) {
            uint64_t step = line % steps;
            x = b->cells[operand] + (line - step + (steps - 1 - step)) * width;
        }
        if (op->code == GRUC_OP_REDUCE_MAX || op->code == GRUC_OP_REDUCE_SUM ||
            op->code == GRUC_OP_REDUCE_ANY || op->code == GRUC_OP_SPARSEMAX_THRESHOLD)
            *out++ = reduce(op->code, x, from->width);
        else
            for (uint32_t i = 0; i < width; i++)
                *out++ = cast(op->code, x[i]);
    }
}

static void concat(struct test_bound *b, const struct gruc_op *op)
{
    const struct gruc_type *type = &b->ir->values[op->results[0]].type;
    struct cell *out = fresh(b, op->results[0]);
    for (uint64_t line = 0; out != NULL && line < lines_of(b, type); line++)
        for (uint32_t k = 0; k < op->n_operands; k++) {
            uint32_t width = b->ir->values[op->operands[k]].type.width;
            memcpy(out, beside(b, type, op->operands[k], line), width * sizeof *out);
            out += width;
        }
}

static void initial_state(struct test_bound *b, const struct gruc_op *op)
{
    int64_t slot = gruc_op_integer(op, GRUC_ATTRIBUTE_SLOT, 0);
    int64_t rule = gruc_op_integer(op, GRUC_ATTRIBUTE_RULE, GRUC_STATE_CARRY);
    uint32_t width = b->ir->slots[slot].width;
    const struct cell *stored = rule == GRUC_STATE_CARRY ? NULL : b->stored[slot];
    int all_zero = 1;
    for (uint64_t i = 0; stored != NULL && i < b->rows * width; i++)
        all_zero &= stored[i].v == 0;
    int given = op->n_operands > 0 &&
                (rule == GRUC_STATE_CARRY || rule == GRUC_STATE_STATEFUL_GIVEN || all_zero);
    struct cell *out = fresh(b, op->results[0]);
    for (uint64_t row = 0; out != NULL && row < b->rows; row++)
        for (uint32_t i = 0; i < width; i++) {
            struct cell x = stored == NULL ? (struct cell){0, 0} : stored[row * width + i];
            if (given) {
                const struct cell *line = line_at(b, op->operands[0], row, 0);
                x = line[b->ir->values[op->operands[0]].type.width == 1 ? 0 : i];
            }
            *out++ = x;
        }
}

static void final_state(struct test_bound *b, const struct gruc_op *op)
{
    int64_t slot = gruc_op_integer(op, GRUC_ATTRIBUTE_SLOT, 0);
    if (gruc_op_integer(op, GRUC_ATTRIBUTE_RULE, GRUC_STATE_CARRY) == GRUC_STATE_CARRY)
        return;
    size_t bytes = b->rows * b->ir->slots[slot].width * sizeof(struct cell);
    struct cell *copy = malloc(bytes + 1);
    if (copy == NULL) {
        b->failed = 1;
        return;
    }
    memcpy(copy, b->cells[op->operands[0]], bytes);
    free(b->stored[slot]);
    b->stored[slot] = copy;
}

static void run_region(struct test_bound *b, gruc_ref region);

/* Copies one line of each row between a sequence and the value of one step. */
static void copy_step(struct test_bound *b, gruc_ref sequence, gruc_ref single, uint64_t step,
                      int into_sequence)
{
    uint32_t width = b->ir->values[single].type.width;
    uint64_t steps = steps_of(b, &b->ir->values[sequence].type);
    struct cell *whole = fresh(b, sequence), *part = fresh(b, single);
    for (uint64_t row = 0; !b->failed && row < b->rows; row++) {
        struct cell *there = whole + (row * steps + step) * width;
        const struct cell *here = line_at(b, single, row, 0);
        if (into_sequence)
            memcpy(there, here, width * sizeof *there);
        else
            memcpy(part + row * width, there, width * sizeof *there);
    }
}

/* Spreads a value over the rows and width that another value of the same meaning has. */
static void spread_value(struct test_bound *b, gruc_ref from, gruc_ref to)
{
    struct cell *out = fresh(b, to);
    const struct gruc_type *type = &b->ir->values[to].type;
    uint32_t from_width = b->ir->values[from].type.width;
    if (type->axes == 0 || b->failed) {
        b->cells[to] = b->cells[from];
        return;
    }
    for (uint64_t row = 0; row < b->rows; row++)
        for (uint32_t i = 0; i < type->width; i++)
            out[row * type->width + i] = line_at(b, from, row, 0)[from_width == 1 ? 0 : i];
}

static void scan(struct test_bound *b, const struct gruc_op *op)
{
    const struct gruc_region *region = &b->ir->regions[op->region];
    size_t scanned = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_SCANNED, 0);
    size_t carried = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_CARRIED, 0);
    uint64_t steps = steps_of(b, &b->ir->values[op->operands[0]].type);
    for (size_t i = scanned; i < op->n_operands; i++)
        spread_value(b, op->operands[i], region->arguments[i]);
    for (uint64_t step = 0; step < steps && !b->failed; step++) {
        for (size_t i = 0; i < scanned; i++)
            copy_step(b, op->operands[i], region->arguments[i], step, 0);
        run_region(b, op->region);
        for (size_t i = carried; i < op->n_results && !b->failed; i++)
            copy_step(b, op->results[i], region->yields[i], step, 1);
        /* All yields are read before any carried value changes: results hold them between. */
        for (size_t i = 0; i < carried && !b->failed; i++)
            spread_value(b, region->yields[i], op->results[i]);
        for (size_t i = 0; i < carried && !b->failed; i++)
            spread_value(b, op->results[i], region->arguments[scanned + i]);
    }
}

static void run_op(struct test_bound *b, const struct gruc_op *op)
{
    struct cell *out;
    switch (op->code) {
    case GRUC_OP_INPUT:
        read_input(b, op);
        return;
    case GRUC_OP_PARAM:
        if (b->cells[op->results[0]] == NULL)
            read_param(b, op);
        return;
    case GRUC_OP_CONSTANT:
        out = fresh(b, op->results[0]);
        if (out != NULL)
            *out = error_constant(gruc_op_number(op, GRUC_ATTRIBUTE_VALUE, 0));
        return;
    case GRUC_OP_MATMUL:
        matmul(b, op);
        return;
    case GRUC_OP_ONE_HOT:
        one_hot(b, op);
        return;
    case GRUC_OP_CONCAT:
        concat(b, op);
        return;
    case GRUC_OP_RESHAPE:
        b->cells[op->results[0]] = b->cells[op->operands[0]];
        return;
    case GRUC_OP_INITIAL_STATE:
        initial_state(b, op);
        return;
    case GRUC_OP_FINAL_STATE:
        final_state(b, op);
        return;
    case GRUC_OP_SCAN:
        scan(b, op);
        return;
    default:
        (op->code >= GRUC_OP_FIRST_PRIM ? pointwise : by_line)(b, op);
        return;
    }
}

static void run_region(struct test_bound *b, gruc_ref region)
{
    for (size_t i = 0; i < b->ir->regions[region].n_ops && !b->failed; i++)
        run_op(b, &b->ir->ops[b->ir->regions[region].ops[i]]);
}

/* Rows and steps as the arrays of the call have them. */
static int measure(struct test_bound *b)
{
    for (size_t i = 0; i < GRUC_ABI_MAX_STEPS; i++)
        b->steps[i] = i < b->ir->n_symbols ? b->ir->symbols[i].steps : 0;
    for (size_t i = 0; i < b->ir->n_inputs; i++) {
        const struct gruc_tensor_info *info = &b->ir->inputs[i].info;
        const struct test_port *given =
            test_port_find(b->call->inputs, b->call->n_inputs, b->ir->inputs[i].name);
        if (given == NULL)
            return 0;
        int batch_axis = b->ir->inputs[i].time_major ? 1 : 0;
        b->rows = (uint64_t)given->array.dims[batch_axis];
        for (uint32_t k = 0; k < info->rank; k++)
            if (info->dims[k] <= GRUC_DIM_STEPS(0))
                b->steps[GRUC_DIM_STEPS(0) - info->dims[k]] = (uint64_t)given->array.dims[k];
    }
    return 1;
}

static int write_output(struct test_bound *b, const struct gruc_port *port, struct test_port *value,
                        struct test_port *error)
{
    int64_t dims[GRUC_ABI_MAX_RANK];
    for (uint32_t i = 0; i < port->info.rank; i++) {
        int64_t dim = port->info.dims[i];
        dims[i] = dim == GRUC_DIM_BATCH        ? (int64_t)b->rows
                  : dim <= GRUC_DIM_STEPS(0) ? (int64_t)b->steps[GRUC_DIM_STEPS(0) - dim]
                                               : dim;
    }
    snprintf(value->name, sizeof value->name, "%s", port->name);
    snprintf(error->name, sizeof error->name, "%s", port->name);
    if (gruc_array_create(GRUC_NPY_FLOAT64, port->info.rank, dims, &value->array) != GRUC_OK)
        return 0;
    if (gruc_array_create(GRUC_NPY_FLOAT64, port->info.rank, dims, &error->array) != GRUC_OK) {
        gruc_array_finish(&value->array);
        return 0;
    }
    const struct gruc_type *type = &b->ir->values[port->value].type;
    uint64_t steps = steps_of(b, type), width = type->width;
    uint64_t outer = port->time_major && dims[0] > 0 ? (uint64_t)dims[0] : 1;
    uint64_t middle = steps / outer == 0 ? 1 : steps / outer;
    for (uint64_t i = 0; i < value->array.count; i++) {
        uint64_t row = i / width / steps, step = i / width % steps;
        if (port->time_major) {
            row = i / width / middle % b->rows;
            step = i / width / middle / b->rows * middle + i / width % middle;
        }
        struct cell cell = line_at(b, port->value, row, step)[i % width];
        ((double *)value->array.data)[i] = cell.v;
        ((double *)error->array.data)[i] = cell.e;
    }
    return 1;
}

int test_bound_run(struct test_bound *b, const struct test_call *call, struct test_call *values,
                   struct test_call *errors)
{
    values->n_inputs = values->n_outputs = errors->n_inputs = errors->n_outputs = 0;
    b->call = call;
    b->failed = 0;
    memset(b->cells, 0, b->ir->n_values * sizeof(struct cell *));
    gruc_arena_init(&b->frame);
    if (!measure(b))
        return 0;
    run_region(b, 0);
    for (size_t i = 0; i < b->ir->n_outputs && i < TEST_MAX_PORTS && !b->failed; i++) {
        b->failed = !write_output(b, &b->ir->outputs[i], &values->outputs[i], &errors->outputs[i]);
        values->n_outputs = errors->n_outputs += !b->failed;
    }
    gruc_arena_finish(&b->frame);
    if (b->failed) {
        test_call_finish(values);
        test_call_finish(errors);
    }
    return !b->failed;
}

void test_bound_destroy(struct test_bound *bound)
{
    if (bound == NULL)
        return;
    for (size_t i = 0; bound->stored != NULL && i < bound->ir->n_slots; i++)
        free(bound->stored[i]);
    free(bound->stored);
    free(bound->cells);
    gruc_arena_finish(&bound->arena);
    gruc_model_destroy(bound->handle);
    free(bound);
}

struct test_bound *test_bound_create(const char *path, const char *text, size_t length,
                                     const struct gruc_options *options)
{
    struct test_bound *b = calloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    gruc_arena_init(&b->arena);
    struct gruc_compilation compilation;
    gruc_compilation_init(&compilation, options);
    struct gruc_pass_options pass_options = {.accuracy = GRUC_ACCURACY_ACCURATE};
    if (gruc_model_parse(path, text, length, options, &b->handle) == GRUC_OK &&
        gruc_compile_lower(&compilation, b->handle, &b->arena, &b->ir) == GRUC_OK &&
        (b->n_given = b->ir->n_tensors, 1) &&
        gruc_passes_run(b->ir, GRUC_PASS_expand_acts, &pass_options, NULL, NULL,
                        &compilation.diag) == GRUC_OK) {
        b->cells = calloc(b->ir->n_values + 1, sizeof(struct cell *));
        b->stored = calloc(b->ir->n_slots + 1, sizeof(struct cell *));
        if (b->cells != NULL && b->stored != NULL)
            return b;
    }
    test_bound_destroy(b);
    return NULL;
}

/* SPDX-License-Identifier: MIT */
#include "tests/unit/ir_fixture.h"

#include <stdlib.h>
#include <string.h>

#include <CUnit/CUnit.h>

static void keep_message(void *context, const struct gruc_message *message)
{
    struct fixture *fixture = context;
    snprintf(fixture->message, sizeof fixture->message, "%s", message->text);
    fixture->line = message->mark.line;
}

void fixture_begin(struct fixture *fixture)
{
    *fixture = (struct fixture){0};
    gruc_arena_init(&fixture->arena);
    fixture->diag.function = keep_message;
    fixture->diag.context = fixture;
    CU_ASSERT_EQUAL_FATAL(gruc_ir_create(&fixture->arena, "m", &fixture->ir), GRUC_OK);
    fixture->builder.ir = fixture->ir;
    fixture->ir->symbols[fixture->ir->n_symbols++] = (struct gruc_symbol){"x", 0};
}

void fixture_end(struct fixture *fixture)
{
    gruc_arena_finish(&fixture->arena);
}

struct gruc_type fixture_sequence(enum gruc_dtype dtype, uint32_t width)
{
    return (struct gruc_type){dtype, GRUC_AXIS_ROWS | GRUC_AXIS_STEPS, {0, 1}, 1, width};
}

struct gruc_type fixture_state(enum gruc_dtype dtype, uint32_t width)
{
    return (struct gruc_type){dtype, GRUC_AXIS_ROWS, {-1, 1}, 1, width};
}

static struct gruc_port make_port(const struct fixture *fixture, const char *name, gruc_ref value,
                                  int time_major)
{
    const struct gruc_type *type = &fixture->ir->values[value].type;
    struct gruc_port port = {.name = name, .value = value, .time_major = time_major};
    int64_t *dims = port.info.dims;
    snprintf(port.info.name, sizeof port.info.name, "%s", name);
    port.info.dtype = type->dtype;
    dims[port.info.rank++] = GRUC_DIM_BATCH;
    if (type->axes & GRUC_AXIS_STEPS)
        dims[port.info.rank++] =
            type->steps.symbol >= 0 ? GRUC_DIM_STEPS(type->steps.symbol) : type->steps.factor;
    if (time_major) {
        dims[0] = dims[1];
        dims[1] = GRUC_DIM_BATCH;
    }
    dims[port.info.rank++] = type->width;
    return port;
}

gruc_ref fixture_input(struct fixture *fixture, const char *name, struct gruc_type type,
                       int time_major)
{
    gruc_ref value = gruc_build_input(&fixture->builder, (uint32_t)fixture->ir->n_inputs, type);
    struct gruc_port port = make_port(fixture, name, value, time_major);
    gruc_ir_add_port(fixture->ir, 0, &port);
    return value;
}

void fixture_output(struct fixture *fixture, const char *name, gruc_ref value, int time_major)
{
    struct gruc_port port = make_port(fixture, name, value, time_major);
    gruc_ir_add_port(fixture->ir, 1, &port);
}

gruc_ref fixture_tensor(struct fixture *fixture, const char *name, uint32_t rows, uint32_t columns,
                        float value)
{
    float *data = GRUC_NEW_ARRAY(&fixture->arena, float, (size_t)rows *columns);
    for (size_t i = 0; data != NULL && i < (size_t)rows * columns; i++)
        data[i] = value;
    return gruc_ir_add_tensor(fixture->ir, name, rows, columns, data);
}

struct gruc_gru fixture_gru_defaults(uint32_t units)
{
    return (struct gruc_gru){.name = "g",
                             .units = units,
                             .activation = "tanh",
                             .recurrent_activation = "sigmoid",
                             .bias = GRUC_NONE,
                             .reset_after = 1,
                             .use_bias = 1,
                             .output_slot = GRUC_NONE};
}

gruc_ref fixture_gru(struct fixture *fixture, struct gruc_gru gru, gruc_ref x, gruc_ref mask,
                     gruc_ref state)
{
    uint32_t gates = 3 * gru.units;
    gru.kernel = fixture_tensor(fixture, "kernel", fixture->ir->values[x].type.width, gates, 0.01f);
    gru.recurrent_kernel = fixture_tensor(fixture, "recurrent_kernel", gru.units, gates, 0.02f);
    if (gru.use_bias)
        gru.bias = fixture_tensor(fixture, "bias", gru.reset_after ? 2 : 1, gates, 0.03f);
    gru.slot = gruc_ir_add_slot(fixture->ir, "g", gru.units);
    gru.has_mask = mask != GRUC_NONE;
    gru.has_initial_state = state != GRUC_NONE;
    if (gru.has_mask && gru.has_initial_state && gru.rule == GRUC_STATE_CARRY)
        gru.output_slot = gruc_ir_add_slot(fixture->ir, "g.output", gru.units);
    gruc_ref operands[3];
    size_t count = 0;
    operands[count++] = x;
    if (gru.has_mask)
        operands[count++] = mask;
    if (gru.has_initial_state)
        operands[count++] = state;
    struct gruc_attribute attribute = {GRUC_ATTRIBUTE_GRU, {.integer = 0}};
    attribute.value.integer = gruc_ir_add_gru(fixture->ir, &gru);
    return gruc_build_op(&fixture->builder, GRUC_OP_GRU, operands, count, &attribute, 1, GRUC_NONE);
}

gruc_ref fixture_small_model(struct fixture *fixture)
{
    gruc_ref x = fixture_input(fixture, "x", fixture_sequence(GRUC_FLOAT32, 4), 0);
    gruc_ref op = fixture_gru(fixture, fixture_gru_defaults(3), x, GRUC_NONE, GRUC_NONE);
    fixture_output(fixture, "y", fixture->ir->ops[op].results[0], 0);
    fixture_output(fixture, "h", fixture->ir->ops[op].results[2], 0);
    return op;
}

char *fixture_print(const struct gruc_ir *ir)
{
    char *text = NULL;
    size_t length;
    FILE *file = open_memstream(&text, &length);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(gruc_ir_print(ir, file), GRUC_OK);
    CU_ASSERT_EQUAL(fclose(file), 0);
    return text;
}

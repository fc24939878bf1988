/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/backend.h"
#include "codegen/module_info.h"
#include "ir/passes/passes.h"
#include "tests/unit/ir_fixture.h"
#include "tests/unit/suites.h"

enum { MOST_ARRAYS = 6, MOST_NUMBERS = 256 };

/* A call in the making: all sizes are small and fixed. */
struct call {
    struct gruc_jit_code code;
    struct gruc_args *args;
    float outputs[MOST_ARRAYS][MOST_NUMBERS];
    unsigned char *state;
};

static const float counting[] = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
    24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47,
    48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71};

static uint64_t *tail(struct call *call)
{
    return (uint64_t *)(void *)(call->args + 1);
}

static void set_input(struct call *call, uint32_t index, const void *array)
{
    tail(call)[call->code.info->n_steps + index] = (uint64_t)(uintptr_t)array;
}

/* Compiles f's module for ref and prepares a call over all of batch rows with state. */
static void begin_call(struct fixture *f, struct call *call, uint64_t batch, uint64_t steps)
{
    *call = (struct call){0};
    CU_ASSERT_EQUAL_FATAL(gruc_ir_verify(f->ir, "test", &f->diag), GRUC_OK);
    CU_ASSERT_EQUAL_FATAL(gruc_backend_ref.jit(f->ir, NULL, NULL, &f->diag, &call->code), GRUC_OK);
    const struct gruc_module_info *info = call->code.info;
    call->args = calloc(1, sizeof *call->args + 8 * (info->n_steps + 2 * MOST_ARRAYS));
    call->state = calloc(batch + 1, info->state_bytes + 1);
    call->args->abi = GRUC_ABI_VERSION;
    call->args->batch = call->args->row_count = batch;
    call->args->state = info->state_bytes > 0 ? call->state : NULL;
    for (uint32_t i = 0; i < info->n_steps; i++)
        tail(call)[i] = steps;
    for (uint32_t i = 0; i < info->n_outputs; i++)
        tail(call)[info->n_steps + info->n_inputs + i] = (uint64_t)(uintptr_t)call->outputs[i];
}

static int run(struct call *call)
{
    return call->code.run(call->code.context, call->args);
}

static void end_call(struct fixture *f, struct call *call)
{
    call->code.release(call->code.context);
    free(call->args);
    free(call->state);
    fixture_end(f);
}

static void check_near(const float *got, const float *expected, size_t count, double tolerance)
{
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT(fabs((double)got[i] - (double)expected[i]) <= tolerance);
        if (!(fabs((double)got[i] - (double)expected[i]) <= tolerance))
            printf("number %zu: %.9g, expected %.9g\n", i, got[i], expected[i]);
    }
}

/* ---- numbers that Keras gives: x counts up from 0, kernel 0.01, recurrent 0.02, bias 0.03 ---- */
struct golden {
    uint32_t batch, steps, width, units;
    int reset_before, no_bias, backwards, sequence;
    const char *recurrent_activation;
    const char *mask;   /* one character a step, rows in order */
    const float *state; /* batch x units */
    float expected[8];  /* one a row or step (all units equal), or one a unit with a state */
};

static const struct golden goldens[] = {
    {.batch = 3, .steps = 6, .width = 4, .units = 3, .expected = {.5217289f, .6371659f, .3938496f}},
    {.batch = 3,
     .steps = 6,
     .width = 4,
     .units = 3,
     .backwards = 1,
     .expected = {.2440626f, .611516f, .3928808f}},
    {.batch = 3,
     .steps = 6,
     .width = 4,
     .units = 3,
     .reset_before = 1,
     .expected = {.5144776f, .6426879f, .402083f}},
    {.batch = 3,
     .steps = 6,
     .width = 4,
     .units = 3,
     .no_bias = 1,
     .expected = {.4998846f, .6470119f, .4103359f}},
    {.batch = 3,
     .steps = 6,
     .width = 4,
     .units = 3,
     .reset_before = 1,
     .recurrent_activation = "HARD_SIGMOID_KERAS2",
     .expected = {.5341484f, .669332f, .1783321f}},
    {.batch = 3,
     .steps = 6,
     .width = 4,
     .units = 3,
     .reset_before = 1,
     .recurrent_activation = "HARD_SIGMOID_KERAS3",
     .expected = {.5502859f, .7475013f, .4476412f}},
    {.batch = 2,
     .steps = 4,
     .width = 3,
     .units = 2,
     .state = (const float[]){0, 1, 2, 3},
     .expected = {.237741f, .3350846f, .8365991f, 1.0227708f}},
    {.batch = 2,
     .steps = 4,
     .width = 3,
     .units = 2,
     .state = (const float[]){0, 1, 2, 3},
     .backwards = 1,
     .expected = {.1348606f, .2326122f, .7825731f, .9691353f}},
    {.batch = 2,
     .steps = 4,
     .width = 3,
     .units = 2,
     .mask = "11011001",
     .sequence = 1,
     .expected = {.0360669f, .0949758f, .0949758f, .1939376f, .1605141f, .1605141f, .1605141f,
                  .3081856f}},
    {.batch = 2,
     .steps = 4,
     .width = 3,
     .units = 2,
     .mask = "11011001",
     .backwards = 1,
     .expected = {.1166919f, .2838098f}},
    {.batch = 1,
     .steps = 4,
     .width = 3,
     .units = 2,
     .mask = "1100",
     .sequence = 1,
     .expected = {.0360669f, .0949758f, .0949758f, .0949758f}},
    {.batch = 1,
     .steps = 4,
     .width = 3,
     .units = 2,
     .mask = "1100",
     .sequence = 1,
     .backwards = 1,
     .expected = {0, 0, .0750171f, .0760167f}},
};

static void check_golden(const struct golden *golden)
{
    struct fixture f;
    struct call call;
    uint8_t mask[MOST_NUMBERS];
    fixture_begin(&f);
    struct gruc_gru gru = fixture_gru_defaults(golden->units);
    gru.reset_after = !golden->reset_before;
    gru.use_bias = !golden->no_bias;
    gru.go_backwards = golden->backwards;
    if (golden->recurrent_activation != NULL)
        gru.recurrent_activation = golden->recurrent_activation;
    gruc_ref x = fixture_input(&f, "x", fixture_sequence(GRUC_FLOAT32, golden->width), 0);
    gruc_ref m = GRUC_NONE, state = GRUC_NONE;
    if (golden->mask != NULL)
        m = fixture_input(&f, "m", fixture_sequence(GRUC_BOOL, 1), 0);
    if (golden->state != NULL)
        state = fixture_input(&f, "s", fixture_state(GRUC_FLOAT32, golden->units), 0);
    gruc_ref op = fixture_gru(&f, gru, x, m, state);
    fixture_output(&f, "y", f.ir->ops[op].results[golden->sequence ? 0 : 1], 0);
    begin_call(&f, &call, golden->batch, golden->steps);
    set_input(&call, 0, counting);
    for (size_t i = 0; golden->mask != NULL && golden->mask[i] != '\0'; i++)
        mask[i] = golden->mask[i] == '1' ? 7 : 0;
    if (golden->mask != NULL)
        set_input(&call, 1, mask);
    if (golden->state != NULL)
        set_input(&call, 1, golden->state);
    CU_ASSERT_EQUAL(run(&call), GRUC_OK);
    size_t vectors = golden->batch * (golden->sequence ? golden->steps : 1);
    float expected[MOST_NUMBERS];
    for (size_t i = 0; i < vectors * golden->units; i++)
        expected[i] = golden->expected[golden->state != NULL ? i : i / golden->units];
    check_near(call.outputs[0], expected, vectors * golden->units, 1.5e-6);
    end_call(&f, &call);
}

static void test_golden(void)
{
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++)
        check_golden(&goldens[i]);
}

/* Bidirectional with merge_mode sum: two layers, the backward one flipped. */
static void test_bidirectional(void)
{
    static const float expected[] = {.2093787f, .3446299f, .4029053f,
                                     .5982965f, .6734641f, .6479671f};
    struct fixture f;
    struct call call;
    fixture_begin(&f);
    struct gruc_gru gru = fixture_gru_defaults(2);
    gruc_ref x = fixture_input(&f, "x", fixture_sequence(GRUC_FLOAT32, 4), 0);
    gruc_ref forward = fixture_gru(&f, gru, x, GRUC_NONE, GRUC_NONE);
    gru.go_backwards = 1;
    gruc_ref backward = fixture_gru(&f, gru, x, GRUC_NONE, GRUC_NONE);
    gruc_ref flipped =
        gruc_build_unary(&f.builder, GRUC_OP_REVERSE, f.ir->ops[backward].results[0]);
    fixture_output(
        &f, "y", gruc_build_binary(&f.builder, GRUC_OP_ADD, f.ir->ops[forward].results[0], flipped),
        0);
    begin_call(&f, &call, 2, 3);
    CU_ASSERT(call.code.info->flags & GRUC_MODULE_BACKWARD);
    CU_ASSERT(!(call.code.info->flags & GRUC_MODULE_STREAMING));
    set_input(&call, 0, counting);
    CU_ASSERT_EQUAL(run(&call), GRUC_OK);
    for (size_t i = 0; i < 6; i++)
        check_near(call.outputs[0] + 2 * i, (const float[]){expected[i], expected[i]}, 2, 1.5e-6);
    end_call(&f, &call);
}

static void test_stateful(void)
{
    static const float expected[] = {.2954239f, .5885018f};
    struct fixture f;
    struct call call;
    fixture_begin(&f);
    f.ir->batch = 2;
    struct gruc_gru gru = fixture_gru_defaults(4);
    gru.rule = GRUC_STATE_STATEFUL;
    gruc_ref x = fixture_input(&f, "x", fixture_sequence(GRUC_FLOAT32, 4), 0);
    gruc_ref op = fixture_gru(&f, gru, x, GRUC_NONE, GRUC_NONE);
    fixture_output(&f, "y", f.ir->ops[op].results[1], 0);
    begin_call(&f, &call, 2, 3);
    CU_ASSERT_EQUAL(call.code.info->flags, GRUC_MODULE_STREAMING);
    CU_ASSERT_EQUAL(call.code.info->state_bytes, 64);
    set_input(&call, 0, counting);
    CU_ASSERT_EQUAL(run(&call), GRUC_OK);
    CU_ASSERT_EQUAL(run(&call), GRUC_OK);
    for (size_t row = 0; row < 2; row++)
        for (size_t i = 0; i < 4; i++)
            check_near(&call.outputs[0][4 * row + i], &expected[row], 1, 1.5e-6);
    call.args->batch = call.args->row_count = 1;
    CU_ASSERT_EQUAL(run(&call), GRUC_ERROR_BATCH);
    call.args->batch = call.args->row_count = 2;
    call.args->state = NULL;
    CU_ASSERT_EQUAL(run(&call), GRUC_ERROR_ARGUMENT);
    end_call(&f, &call);
}

/* ---- calls ---- */
static void test_statuses(void)
{
    struct fixture f;
    struct call call;
    fixture_begin(&f);
    fixture_small_model(&f);
    begin_call(&f, &call, 3, 6);
    CU_ASSERT_EQUAL(run(&call), GRUC_ERROR_ARGUMENT);
    set_input(&call, 0, counting);
    CU_ASSERT_EQUAL(run(&call), GRUC_OK);
    tail(&call)[0] = 0;
    CU_ASSERT_EQUAL(run(&call), GRUC_ERROR_STEPS);
    tail(&call)[0] = 6;
    call.args->first_row = 1;
    CU_ASSERT_EQUAL(run(&call), GRUC_ERROR_ARGUMENT);
    call.args->first_row = 4;
    call.args->row_count = 0;
    CU_ASSERT_EQUAL(run(&call), GRUC_ERROR_ARGUMENT);
    call.args->batch = call.args->first_row = 0;
    CU_ASSERT_EQUAL(run(&call), GRUC_OK);
    call.args->abi++;
    CU_ASSERT_EQUAL(run(&call), GRUC_ERROR_ABI);
    end_call(&f, &call);

    fixture_begin(&f);
    f.ir->symbols[0].steps = 6;
    fixture_small_model(&f);
    begin_call(&f, &call, 3, 5);
    set_input(&call, 0, counting);
    CU_ASSERT_EQUAL(run(&call), GRUC_ERROR_STEPS);
    CU_ASSERT_EQUAL(call.code.info->flags & GRUC_MODULE_STREAMING, 0);
    end_call(&f, &call);
}

/* Row shares one after another, and a call that only validates. */
static void test_shares(void)
{
    struct fixture f;
    struct call call;
    float whole[MOST_NUMBERS];
    fixture_begin(&f);
    fixture_small_model(&f);
    begin_call(&f, &call, 3, 6);
    set_input(&call, 0, counting);
    CU_ASSERT_EQUAL(run(&call), GRUC_OK);
    memcpy(whole, call.outputs[0], sizeof whole);
    memset(call.outputs[0], 0, sizeof whole);
    call.args->flags = GRUC_ARGS_VALIDATE;
    CU_ASSERT_EQUAL(run(&call), GRUC_OK);
    CU_ASSERT(call.outputs[0][0] == 0.0f && call.outputs[0][53] == 0.0f);
    call.args->flags = 0;
    call.args->first_row = 1;
    call.args->row_count = 2;
    CU_ASSERT_EQUAL(run(&call), GRUC_OK);
    CU_ASSERT_EQUAL(call.outputs[0][17], 0.0f);
    CU_ASSERT_NOT_EQUAL(call.outputs[0][18], 0.0f);
    call.args->first_row = 0;
    call.args->row_count = 1;
    CU_ASSERT_EQUAL(run(&call), GRUC_OK);
    CU_ASSERT_EQUAL(memcmp(whole, call.outputs[0], 54 * sizeof *whole), 0);
    end_call(&f, &call);
}

/* A sequence fed in two calls under CARRY gives what one call gives, masks and states included. */
static void test_carry(void)
{
    static const uint8_t mask[] = {0, 1, 0, 1, 1, 0};
    static const float given[] = {0.5f, -0.25f};
    struct fixture f;
    struct call call;
    float whole[12];
    fixture_begin(&f);
    gruc_ref x = fixture_input(&f, "x", fixture_sequence(GRUC_FLOAT32, 4), 0);
    gruc_ref m = fixture_input(&f, "m", fixture_sequence(GRUC_BOOL, 1), 0);
    gruc_ref state = fixture_input(&f, "s", fixture_state(GRUC_FLOAT32, 2), 0);
    gruc_ref op = fixture_gru(&f, fixture_gru_defaults(2), x, m, state);
    fixture_output(&f, "y", f.ir->ops[op].results[0], 0);
    begin_call(&f, &call, 1, 6);
    CU_ASSERT(call.code.info->flags & GRUC_MODULE_STREAMING);
    CU_ASSERT_EQUAL(call.code.info->n_states, 2);
    CU_ASSERT_EQUAL(gruc_module_info_state(call.code.info, 1)->offset, 32);
    set_input(&call, 0, counting);
    set_input(&call, 1, mask);
    set_input(&call, 2, given);
    CU_ASSERT_EQUAL(run(&call), GRUC_OK);
    memcpy(whole, call.outputs[0], sizeof whole);
    CU_ASSERT(whole[0] == 0.0f && whole[1] == 0.0f && whole[2] != 0.0f);
    for (size_t i = 0; i < call.code.info->state_bytes; i++)
        CU_ASSERT_EQUAL(call.state[i], 0);
    call.args->flags = GRUC_ARGS_CARRY;
    for (size_t step = 0; step < 6; step += 3) {
        tail(&call)[0] = 3;
        set_input(&call, 0, counting + 4 * step);
        set_input(&call, 1, mask + step);
        CU_ASSERT_EQUAL(run(&call), GRUC_OK);
        check_near(call.outputs[0], whole + 2 * step, 6, 1e-7);
    }
    CU_ASSERT_EQUAL(call.state[0], 1);
    end_call(&f, &call);
}

static float stateful_first_number(struct call *call)
{
    CU_ASSERT_EQUAL(run(call), GRUC_OK);
    return call->outputs[0][0];
}

/* Who wins, the stored state or the given one: z is near one half, so about half of a given 9 is
 * left after one step, a quarter after two, and nothing near it comes from a zero state. */
static void check_given_rule(enum gruc_state_rule rule, int stored_wins)
{
    static const float zero[] = {0, 0}, nine[] = {9, 9};
    struct fixture f;
    struct call call;
    fixture_begin(&f);
    f.ir->batch = 2;
    struct gruc_gru gru = fixture_gru_defaults(1);
    gru.rule = rule;
    gruc_ref x = fixture_input(&f, "x", fixture_sequence(GRUC_FLOAT32, 1), 0);
    gruc_ref state = fixture_input(&f, "s", fixture_state(GRUC_FLOAT32, 1), 0);
    gruc_ref op = fixture_gru(&f, gru, x, GRUC_NONE, state);
    fixture_output(&f, "y", f.ir->ops[op].results[1], 0);
    begin_call(&f, &call, 2, 1);
    CU_ASSERT_EQUAL((call.code.info->flags & GRUC_MODULE_COUPLED) != 0,
                    rule == GRUC_STATE_STATEFUL_FIRST);
    set_input(&call, 0, zero);
    set_input(&call, 1, nine);
    float first = stateful_first_number(&call);
    CU_ASSERT(first > 4.0f); /* it started from the given state */
    float second = stateful_first_number(&call);
    CU_ASSERT_EQUAL(second != first, stored_wins);
    /* Row 1 still has a state: under STATEFUL_FIRST row 0 starts from its own zero. */
    size_t offset = (size_t)gruc_module_info_state(call.code.info, 0)->offset;
    memset(call.state + offset, 0, sizeof(float));
    float third = stateful_first_number(&call);
    CU_ASSERT_EQUAL(third < 1.0f, stored_wins);
    memset(call.state, 0, 2 * call.code.info->state_bytes);
    CU_ASSERT_EQUAL(stateful_first_number(&call), first);
    end_call(&f, &call);
}

static void test_given_states(void)
{
    check_given_rule(GRUC_STATE_STATEFUL_FIRST, 1);
    check_given_rule(GRUC_STATE_STATEFUL_GIVEN, 0);
}

static void test_time_major(void)
{
    struct fixture f;
    struct call call;
    float x[24], expected[18];
    fixture_begin(&f);
    fixture_small_model(&f);
    begin_call(&f, &call, 2, 3);
    set_input(&call, 0, counting);
    CU_ASSERT_EQUAL(run(&call), GRUC_OK);
    for (size_t row = 0; row < 2; row++)
        for (size_t step = 0; step < 3; step++) {
            memcpy(x + 4 * (2 * step + row), counting + 4 * (3 * row + step), 4 * sizeof *x);
            memcpy(expected + 3 * (2 * step + row), call.outputs[0] + 3 * (3 * row + step),
                   3 * sizeof *x);
        }
    end_call(&f, &call);

    fixture_begin(&f);
    gruc_ref input = fixture_input(&f, "x", fixture_sequence(GRUC_FLOAT32, 4), 1);
    gruc_ref op = fixture_gru(&f, fixture_gru_defaults(3), input, GRUC_NONE, GRUC_NONE);
    fixture_output(&f, "y", f.ir->ops[op].results[0], 1);
    begin_call(&f, &call, 2, 3);
    set_input(&call, 0, x);
    CU_ASSERT_EQUAL(run(&call), GRUC_OK);
    CU_ASSERT_EQUAL(memcmp(call.outputs[0], expected, sizeof expected), 0);
    end_call(&f, &call);
}

/* Ids are checked before any state is stored; negative ones count from the end when asked. */
static void test_ids(void)
{
    for (int wrap = 0; wrap < 2; wrap++) {
        struct fixture f;
        struct call call;
        fixture_begin(&f);
        gruc_ref ids = fixture_input(&f, "ids", fixture_sequence(GRUC_INT32, 1), 0);
        float *table = GRUC_NEW_ARRAY(&f.arena, float, 6);
        memcpy(table, counting, 6 * sizeof *table);
        gruc_ref tensor = gruc_ir_add_tensor(f.ir, "table", 3, 2, table);
        struct gruc_attribute attribute = {GRUC_ATTRIBUTE_WRAP, {.integer = wrap}};
        gruc_ref operands[] = {ids, gruc_build_param(&f.builder, tensor, 0, 3, 0, 2)};
        gruc_ref y = gruc_build_value(&f.builder, GRUC_OP_EMBED, operands, 2, &attribute, 1);
        fixture_output(&f, "y", y, 0);
        begin_call(&f, &call, 1, 3);
        set_input(&call, 0, (const int32_t[]){2, 0, 1});
        CU_ASSERT_EQUAL(run(&call), GRUC_OK);
        check_near(call.outputs[0], (const float[]){4, 5, 0, 1, 2, 3}, 6, 0);
        set_input(&call, 0, (const int32_t[]){-1, -3, 0});
        CU_ASSERT_EQUAL(run(&call), wrap ? GRUC_OK : GRUC_ERROR_ID);
        if (wrap)
            check_near(call.outputs[0], (const float[]){4, 5, 0, 1, 0, 1}, 6, 0);
        call.args->flags = GRUC_ARGS_VALIDATE;
        set_input(&call, 0, (const int32_t[]){0, 1, 3});
        CU_ASSERT_EQUAL(run(&call), GRUC_ERROR_ID);
        set_input(&call, 0, (const int32_t[]){0, -4, 2});
        CU_ASSERT_EQUAL(run(&call), GRUC_ERROR_ID);
        end_call(&f, &call);
    }
}

/* NaN in a masked step is not seen; in a used one it stays in its row. */
static void test_nan(void)
{
    float x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, clean[8];
    uint8_t mask[8] = {1, 0, 1, 1, 1, 1, 1, 1};
    struct fixture f;
    struct call call;
    fixture_begin(&f);
    gruc_ref input = fixture_input(&f, "x", fixture_sequence(GRUC_FLOAT32, 1), 0);
    gruc_ref m = fixture_input(&f, "m", fixture_sequence(GRUC_BOOL, 1), 0);
    gruc_ref op = fixture_gru(&f, fixture_gru_defaults(1), input, m, GRUC_NONE);
    fixture_output(&f, "y", f.ir->ops[op].results[0], 0);
    begin_call(&f, &call, 2, 4);
    set_input(&call, 0, x);
    set_input(&call, 1, mask);
    CU_ASSERT_EQUAL(run(&call), GRUC_OK);
    memcpy(clean, call.outputs[0], sizeof clean);
    x[1] = NAN;
    CU_ASSERT_EQUAL(run(&call), GRUC_OK);
    CU_ASSERT_EQUAL(memcmp(clean, call.outputs[0], sizeof clean), 0);
    x[2] = NAN;
    CU_ASSERT_EQUAL(run(&call), GRUC_OK);
    CU_ASSERT_EQUAL(memcmp(clean, call.outputs[0], 2 * sizeof *clean), 0);
    CU_ASSERT(isnan(call.outputs[0][2]) && isnan(call.outputs[0][3]));
    CU_ASSERT_EQUAL(memcmp(clean + 4, call.outputs[0] + 4, 4 * sizeof *clean), 0);
    end_call(&f, &call);
}

/* Functions of a row, whole and in the parts that passes make of them. */
static void test_rows(void)
{
    static const float x[] = {1, 2, 0.5f, 1.5f};
    static const double e[] = {0.36787944117144233, 1.0, 0.22313016014842982, 0.60653065971263342};
    double sum = e[0] + e[1] + e[2] + e[3];
    struct fixture f;
    struct call call;
    fixture_begin(&f);
    gruc_ref input = fixture_input(&f, "x", fixture_state(GRUC_FLOAT32, 4), 0);
    fixture_output(&f, "softmax", gruc_build_act(&f.builder, input, "softmax", NULL), 0);
    fixture_output(&f, "log", gruc_build_act(&f.builder, input, "log_softmax", NULL), 0);
    fixture_output(&f, "sparse", gruc_build_act(&f.builder, input, "sparsemax", NULL), 0);
    fixture_output(&f, "max", gruc_build_unary(&f.builder, GRUC_OP_REDUCE_MAX, input), 0);
    fixture_output(&f, "sum", gruc_build_unary(&f.builder, GRUC_OP_REDUCE_SUM, input), 0);
    fixture_output(&f, "tau", gruc_build_unary(&f.builder, GRUC_OP_SPARSEMAX_THRESHOLD, input), 0);
    begin_call(&f, &call, 1, 1);
    set_input(&call, 0, x);
    CU_ASSERT_EQUAL(run(&call), GRUC_OK);
    for (size_t i = 0; i < 4; i++) {
        check_near(&call.outputs[0][i], (const float[]){(float)(e[i] / sum)}, 1, 1e-7);
        check_near(&call.outputs[1][i], (const float[]){(float)log(e[i] / sum)}, 1, 1e-6);
    }
    check_near(call.outputs[2], (const float[]){0, 0.75f, 0, 0.25f}, 4, 0);
    check_near(call.outputs[3], (const float[]){2}, 1, 0);
    check_near(call.outputs[4], (const float[]){5}, 1, 0);
    check_near(call.outputs[5], (const float[]){1.25f}, 1, 0);
    end_call(&f, &call);
}

/* Casts, selections, broadcasts, joins and folds on two steps of two numbers. */
static void test_operations(void)
{
    static const float x[] = {-1.5f, 2.75f, 0, 3e9f};
    struct fixture f;
    struct call call;
    fixture_begin(&f);
    struct gruc_builder *b = &f.builder;
    gruc_ref input = fixture_input(&f, "x", fixture_sequence(GRUC_FLOAT32, 2), 0);
    gruc_ref integer = gruc_build_unary(b, GRUC_OP_TO_INT, input);
    fixture_output(&f, "int", gruc_build_unary(b, GRUC_OP_TO_FLOAT, integer), 0);
    gruc_ref truth = gruc_build_unary(b, GRUC_OP_TO_BOOL, input);
    gruc_ref any = gruc_build_unary(b, GRUC_OP_REDUCE_ANY, truth);
    gruc_ref none = gruc_build_unary(b, GRUC_OP_NOT, truth);
    fixture_output(&f, "select", gruc_build_select(b, none, gruc_build_constant(b, 7.0), input), 0);
    gruc_ref flag = gruc_build_unary(b, GRUC_OP_TO_FLOAT, any);
    fixture_output(&f, "concat", gruc_build_concat(b, (gruc_ref[]){flag, input}, 2), 0);
    fixture_output(&f, "reverse", gruc_build_unary(b, GRUC_OP_REVERSE, input), 0);
    struct gruc_type folded = fixture_sequence(GRUC_FLOAT32, 1);
    folded.steps.factor = 2;
    gruc_ref reshaped = gruc_build_reshape(b, input, folded);
    gruc_ref joined = gruc_build_binary(b, GRUC_OP_MAX, reshaped, gruc_build_constant(b, 0.0));
    struct gruc_type back = fixture_sequence(GRUC_FLOAT32, 2);
    fixture_output(&f, "max", gruc_build_reshape(b, joined, back), 0);
    begin_call(&f, &call, 1, 2);
    set_input(&call, 0, x);
    CU_ASSERT_EQUAL(run(&call), GRUC_OK);
    check_near(call.outputs[0], (const float[]){-1, 2, 0, 2147483647.0f}, 4, 0);
    check_near(call.outputs[1], (const float[]){-1.5f, 2.75f, 7, 3e9f}, 4, 0);
    check_near(call.outputs[2], (const float[]){1, -1.5f, 2.75f, 1, 0, 3e9f}, 6, 0);
    check_near(call.outputs[3], (const float[]){0, 3e9f, -1.5f, 2.75f}, 4, 0);
    check_near(call.outputs[4], (const float[]){0, 2.75f, 0, 3e9f}, 4, 0);
    end_call(&f, &call);
}

/* The interpreter gives the same whichever passes have run before it. */
static void test_after_passes(void)
{
    struct fixture f;
    struct call call;
    float plain[MOST_NUMBERS];
    struct gruc_pass_options options = {.accuracy = GRUC_ACCURACY_ACCURATE};
    for (int pass = -1; pass < (int)GRUC_PASS_COUNT; pass++) {
        fixture_begin(&f);
        fixture_small_model(&f);
        if (pass >= 0)
            CU_ASSERT_EQUAL(
                gruc_passes_run(f.ir, (enum gruc_pass_id)pass, &options, NULL, NULL, &f.diag),
                GRUC_OK);
        begin_call(&f, &call, 3, 6);
        set_input(&call, 0, counting);
        CU_ASSERT_EQUAL(run(&call), GRUC_OK);
        if (pass < 0)
            memcpy(plain, call.outputs[0], sizeof plain);
        check_near(call.outputs[0], plain, 54, 1e-6);
        end_call(&f, &call);
    }
}

/* The example of doc/ir.md, and the same with a sum that starts anew in every call. */
static const char sum_text[] =
    "module \"sum\" batch 0\n"
    "symbol \"x\" steps 0\n"
    "slot \"total\" 4\n"
    "body {\n"
    "  %0: f32[rows, s0, 4] = input {index=0}\n"
    "  %1: f32[rows, 4] = initial_state {slot=0 rule=0}\n"
    "  %2: f32[rows, 4], %3: f32[rows, s0, 4] = scan(%0, %1) {scanned=1 carried=1} "
    "region(%4: f32[rows, 4], %5: f32[rows, 4]) {\n"
    "    %6: f32[rows, 4] = add(%4, %5)\n"
    "    yield %6, %6\n"
    "  }\n"
    "  final_state(%2) {slot=0 rule=0}\n"
    "}\n"
    "input \"x\" %0 [batch, s0, 4]\n"
    "output \"y\" %3 [batch, s0, 4]\n";

static const char restarting_text[] =
    "module \"sum\" batch 0 symbol \"x\" steps 0 body {"
    "%0: f32[rows, s0, 4] = input {index=0} %1: f32[1, 1] = constant {value=0}"
    "%2: f32[rows, 4], %3: f32[rows, s0, 4] = scan(%0, %1) {scanned=1 carried=1} "
    "region(%4: f32[rows, 4], %5: f32[rows, 4]) {%6: f32[rows, 4] = add(%4, %5) yield %6, %6}"
    "} input \"x\" %0 [batch, s0, 4] output \"y\" %3 [batch, s0, 4]";

static void test_text(void)
{
    for (int restarts = 0; restarts < 2; restarts++) {
        const char *text = restarts ? restarting_text : sum_text;
        struct fixture f;
        struct call call;
        fixture_begin(&f);
        CU_ASSERT_EQUAL_FATAL(gruc_ir_parse(&f.arena, text, strlen(text), &f.diag, &f.ir), GRUC_OK);
        if (!restarts) {
            char *printed = fixture_print(f.ir);
            CU_ASSERT_STRING_EQUAL(printed, text);
            free(printed);
        }
        begin_call(&f, &call, 2, 2);
        CU_ASSERT_EQUAL(call.code.info->flags, restarts ? 0 : GRUC_MODULE_STREAMING);
        set_input(&call, 0, counting);
        call.args->flags = GRUC_ARGS_CARRY;
        CU_ASSERT_EQUAL(run(&call), GRUC_OK);
        check_near(call.outputs[0] + 4, (const float[]){4, 6, 8, 10, 8, 9, 10, 11}, 8, 0);
        CU_ASSERT_EQUAL(run(&call), GRUC_OK);
        CU_ASSERT_EQUAL(call.outputs[0][4], restarts ? 4.0f : 8.0f);
        end_call(&f, &call);
    }
}

static void test_registry(void)
{
    CU_ASSERT_PTR_EQUAL(gruc_backend_find("ref"), &gruc_backend_ref);
    CU_ASSERT_PTR_NULL(gruc_backend_find("none"));
    struct fixture f;
    struct gruc_jit_code code;
    fixture_begin(&f);
    fixture_small_model(&f);
    CU_ASSERT_PTR_NULL(gruc_backend_ref.refuses(f.ir, NULL));
    static const char *const absent[] = {"cuda", "cudnn"};
    for (size_t i = 0; i < 2; i++) {
        const struct gruc_backend *backend = gruc_backend_find(absent[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(backend);
        CU_ASSERT_PTR_NOT_NULL(backend->refuses(f.ir, NULL));
        CU_ASSERT_EQUAL(backend->jit(f.ir, NULL, NULL, &f.diag, &code), GRUC_ERROR_UNSUPPORTED);
    }
    fixture_end(&f);
}

CU_TestInfo gruc_ref_tests[] = {
    {"gru gives Keras's numbers", test_golden},
    {"bidirectional sum gives Keras's numbers", test_bidirectional},
    {"stateful gives Keras's numbers", test_stateful},
    {"statuses of calls", test_statuses},
    {"shares of rows, and validation alone", test_shares},
    {"two carried calls equal one", test_carry},
    {"stored state or given state", test_given_states},
    {"time-major arrays", test_time_major},
    {"embedding ids", test_ids},
    {"NaN in masked and used steps", test_nan},
    {"functions of a row", test_rows},
    {"other operations", test_operations},
    {"the same after every pass", test_after_passes},
    {"modules written as text", test_text},
    {"back ends", test_registry},
    CU_TEST_INFO_NULL,
};

/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "ir/act.h"
#include "tests/unit/suites.h"

static const unsigned lineages[] = {GRUC_ACT_KERAS1, GRUC_ACT_KERAS2, GRUC_ACT_KERAS3};

static double value(const char *name, unsigned lineage, double x)
{
    const struct gruc_act *act = gruc_act_find(name, lineage);
    CU_ASSERT_PTR_NOT_NULL_FATAL(act);
    return gruc_act_reference(act, NULL, x);
}

static void every_listed_name_is_found_in_its_lineage(void)
{
    for (size_t i = 0; i < 3; i++) {
        size_t count = 0;
        for (const char *name; (name = gruc_act_name(count, lineages[i])) != NULL; count++) {
            const struct gruc_act *act = gruc_act_find(name, lineages[i]);
            CU_ASSERT_PTR_NOT_NULL_FATAL(act);
            CU_ASSERT_PTR_EQUAL(gruc_act_get(act->id), act);
        }
        CU_ASSERT_TRUE(count >= 15);
    }
    CU_ASSERT_PTR_NULL(gruc_act_find("no_such", GRUC_ACT_KERAS2));
    CU_ASSERT_PTR_NULL(gruc_act_find("squareplus", GRUC_ACT_KERAS2));
}

static void references_have_known_values(void)
{
    CU_ASSERT_DOUBLE_EQUAL(value("tanh", GRUC_ACT_KERAS2, 1), 0.7615941559557649, 1e-15);
    CU_ASSERT_DOUBLE_EQUAL(value("sigmoid", GRUC_ACT_KERAS2, 0), 0.5, 0);
    CU_ASSERT_DOUBLE_EQUAL(value("hard_sigmoid", GRUC_ACT_KERAS1, 1), 0.7, 1e-15);
    CU_ASSERT_DOUBLE_EQUAL(value("hard_sigmoid", GRUC_ACT_KERAS2, 1), 0.7, 1e-15);
    CU_ASSERT_DOUBLE_EQUAL(value("hard_sigmoid", GRUC_ACT_KERAS3, 1), 2.0 / 3, 1e-15);
    CU_ASSERT_DOUBLE_EQUAL(value("elu", GRUC_ACT_KERAS2, -1), expm1(-1), 1e-15);
    CU_ASSERT_DOUBLE_EQUAL(value("softplus", GRUC_ACT_KERAS2, 0), log(2), 1e-15);
    CU_ASSERT_DOUBLE_EQUAL(value("gelu", GRUC_ACT_KERAS2, 1), 0.8413447460685429, 1e-15);
    CU_ASSERT_DOUBLE_EQUAL(value("silu", GRUC_ACT_KERAS2, 2), 1.7615941559557649, 1e-15);
    CU_ASSERT_DOUBLE_EQUAL(value("relu", GRUC_ACT_KERAS2, -3), 0, 0);
    CU_ASSERT_DOUBLE_EQUAL(value("squareplus", GRUC_ACT_KERAS3, 0), 1, 1e-15);
}

static void limits_and_nan_pass_through(void)
{
    for (int id = 0; id < GRUC_ACT_COUNT; id++) {
        const struct gruc_act *act = gruc_act_get((enum gruc_act_id)id);
        if (act->kind == GRUC_ACT_ROWWISE)
            continue;
        CU_ASSERT_TRUE(isnan(gruc_act_reference(act, NULL, (double)NAN)));
        CU_ASSERT_FALSE(isnan(gruc_act_reference(act, NULL, (double)INFINITY)));
        CU_ASSERT_FALSE(isnan(gruc_act_reference(act, NULL, -(double)INFINITY)));
    }
}

static void bounds_are_within_what_is_promised(void)
{
    for (int id = 0; id < GRUC_ACT_COUNT; id++) {
        const struct gruc_act *act = gruc_act_get((enum gruc_act_id)id);
        CU_ASSERT_TRUE(act->bound.ulp <= 2);
        CU_ASSERT_TRUE(act->bound.absolute <= 2e-7);
    }
    static const char *const tight[] = {"tanh", "sigmoid", "exponential", "relu", "hard_sigmoid"};
    for (size_t i = 0; i < sizeof tight / sizeof tight[0]; i++)
        CU_ASSERT_EQUAL(gruc_act_find(tight[i], GRUC_ACT_KERAS2)->bound.absolute, 0);
}

static void parameters_change_the_value(void)
{
    const struct gruc_act *relu = gruc_act_find("relu", GRUC_ACT_KERAS3);
    CU_ASSERT_PTR_NOT_NULL_FATAL(relu);
    CU_ASSERT_EQUAL(relu->parameter_count, 3);
    double parameters[3] = {0};
    parameters[gruc_act_parameter_find(relu, "negative_slope")] = 0.25;
    parameters[gruc_act_parameter_find(relu, "max_value")] = 6;
    parameters[gruc_act_parameter_find(relu, "threshold")] = 1;
    CU_ASSERT_EQUAL(gruc_act_reference(relu, parameters, 9), 6);
    CU_ASSERT_EQUAL(gruc_act_reference(relu, parameters, 2), 2);
    CU_ASSERT_EQUAL(gruc_act_parameter_find(relu, "nothing"), relu->parameter_count);
}

/* A builder whose values are the float32 numbers themselves. */
struct machine {
    float values[2048];
    uint32_t count;
};

static uint32_t machine_constant(void *context, float x)
{
    struct machine *machine = context;
    machine->values[machine->count] = x;
    return machine->count++;
}

static uint32_t machine_basic(void *context, enum gruc_basic op, const uint32_t *args)
{
    struct machine *machine = context;
    float values[3] = {0};
    for (unsigned i = 0; i < gruc_basic_describe(op)->arity; i++)
        values[i] = machine->values[args[i]];
    return machine_constant(machine, gruc_basic_evaluate(op, values));
}

static void expansions_are_within_their_bound_at_some_points(void)
{
    static const float points[] = {-100, -20, -5, -1, -0.3f, -1e-3f, 0, 1e-4f, 0.4f, 1, 3.3f, 30};
    for (int id = 0; id < GRUC_ACT_COUNT; id++) {
        const struct gruc_act *act = gruc_act_get((enum gruc_act_id)id);
        if (act->kind == GRUC_ACT_ROWWISE)
            continue;
        for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
            struct machine machine = {.count = 0};
            struct gruc_expr_builder builder = {&machine, GRUC_ACCURACY_ACCURATE,
                                                machine_constant, machine_basic, NULL};
            uint32_t x = machine_constant(&machine, points[i]), out = 0;
            CU_ASSERT_TRUE_FATAL(gruc_act_build(act, NULL, &builder, x, &out));
            double truth = gruc_act_reference(act, NULL, (double)points[i]);
            double error = fabs((double)machine.values[out] - truth);
            float rounded = fabsf((float)truth);
            double ulp = (double)(nextafterf(rounded, INFINITY) - rounded);
            CU_ASSERT_TRUE(error <= act->bound.absolute || error <= (act->bound.ulp + 0.5) * ulp);
        }
    }
}

static void malformed_formulas_are_refused_with_a_place(void)
{
    static const char *const bad[] = {"", "x +", "(x", "x)", "sin(x)", "max(x)", "1.0.0", "x $ y",
                                      "let a = x", "x ? 1", "x < 1"};
    struct gruc_expr expr;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct gruc_expr_error error = {0, NULL};
        CU_ASSERT_FALSE(gruc_expr_parse(bad[i], &expr, &error));
        CU_ASSERT_PTR_NOT_NULL(error.message);
        CU_ASSERT_TRUE(error.position <= strlen(bad[i]));
    }
    struct gruc_expr_error error;
    CU_ASSERT_TRUE(gruc_expr_parse("let a = x * x; a + a", &expr, &error));
    char deep[1000];
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    CU_ASSERT_FALSE(gruc_expr_parse(deep, &expr, &error));
}

CU_TestInfo gruc_act_tests[] = {
    {"listed names are found in their lineage", every_listed_name_is_found_in_its_lineage},
    {"references have known values", references_have_known_values},
    {"limits and NaN pass through", limits_and_nan_pass_through},
    {"bounds are within what is promised", bounds_are_within_what_is_promised},
    {"parameters change the value", parameters_change_the_value},
    {"expansions keep their bounds", expansions_are_within_their_bound_at_some_points},
    {"malformed formulas are refused", malformed_formulas_are_refused_with_a_place},
    CU_TEST_INFO_NULL};

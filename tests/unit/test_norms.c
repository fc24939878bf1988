/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "ir/passes/passes.h"
#include "tests/unit/ir_fixture.h"
#include "tests/unit/suites.h"

struct normalized {
    struct fixture f;
    gruc_ref x;
};

static void begin(struct normalized *m)
{
    fixture_begin(&m->f);
    m->x = fixture_input(&m->f, "x", fixture_sequence(GRUC_FLOAT32, 4), 0);
}

static gruc_ref weights(struct normalized *m, const char *name, uint32_t rows, uint32_t width,
                        float value)
{
    gruc_ref tensor = fixture_tensor(&m->f, name, rows, width, value);
    return gruc_build_param(&m->f.builder, tensor, 0, rows, 0, width);
}

/* With variance 3, epsilon 1, gamma 3 and beta 0.5: x 1.5 + (0.5 - mean 1.5). */
static gruc_ref normalize(struct normalized *m, gruc_ref x, float mean)
{
    uint32_t width = m->f.ir->values[x].type.width;
    struct gruc_attribute epsilon = {GRUC_ATTRIBUTE_EPSILON, {.number = 1.0}};
    gruc_ref operands[5] = {x, weights(m, "mean", 1, width, mean),
                            weights(m, "variance", 1, width, 3.0f),
                            weights(m, "gamma", 1, width, 3.0f),
                            weights(m, "beta", 1, width, 0.5f)};
    return gruc_build_value(&m->f.builder, GRUC_OP_BATCH_NORM, operands, 5, &epsilon, 1);
}

static gruc_ref multiply(struct normalized *m, gruc_ref left, uint32_t width)
{
    uint32_t depth = m->f.ir->values[left].type.width;
    gruc_ref weight = weights(m, "w", depth, width, 0.25f);
    return gruc_build_matmul(&m->f.builder, left, weight, weights(m, "b", 1, width, 2.0f));
}

/* Runs all passes; how many operations of this name are in the body then. */
static unsigned count_after(struct normalized *m, const char *name)
{
    struct gruc_pass_options options = {.accuracy = GRUC_ACCURACY_ACCURATE, .has_fma = 1};
    CU_ASSERT_EQUAL_FATAL(
        gruc_passes_run(m->f.ir, GRUC_PASS_COUNT - 1, &options, NULL, NULL, &m->f.diag), GRUC_OK);
    unsigned count = 0;
    const struct gruc_region *body = &m->f.ir->regions[0];
    for (size_t i = 0; i < body->n_ops; i++)
        count += strcmp(gruc_opcode_name(m->f.ir->ops[body->ops[i]].code), name) == 0;
    return count;
}

/* The first number of operand i of the product that makes output number o. */
static float first_of(const struct normalized *m, size_t o, uint32_t i)
{
    const struct gruc_op *product = gruc_ir_def(m->f.ir, m->f.ir->outputs[o].value);
    CU_ASSERT_EQUAL_FATAL(product->code, GRUC_OP_MATMUL);
    const struct gruc_op *param = gruc_ir_def(m->f.ir, product->operands[i]);
    return m->f.ir->tensors[gruc_op_integer(param, GRUC_ATTRIBUTE_TENSOR, 0)].data[0];
}

static void test_before(void)
{
    struct normalized m;
    begin(&m);
    gruc_ref n = normalize(&m, m.x, 1.0f);
    fixture_output(&m.f, "y", multiply(&m, n, 3), 0);
    fixture_output(&m.f, "z", multiply(&m, gruc_build_unary(&m.f.builder, GRUC_OP_REVERSE, n), 5),
                   0);
    CU_ASSERT_EQUAL(count_after(&m, "sub") + count_after(&m, "fma"), 0);
    for (size_t o = 0; o < 2; o++) {
        CU_ASSERT_EQUAL(first_of(&m, o, 1), 0.375f); /* 0.25 x 1.5 */
        CU_ASSERT_EQUAL(first_of(&m, o, 2), 1.0f);   /* 2 + 4 x (0.5 - 1.5) x 0.25 */
    }
    const struct gruc_op *turned = gruc_ir_def(m.f.ir, m.f.ir->outputs[1].value);
    CU_ASSERT_EQUAL(gruc_ir_def(m.f.ir, turned->operands[0])->operands[0], m.x);
    fixture_end(&m.f);
}

static void test_after(void)
{
    struct normalized m;
    begin(&m);
    fixture_output(&m.f, "y", normalize(&m, multiply(&m, m.x, 3), 40.0f), 0);
    CU_ASSERT_EQUAL(count_after(&m, "matmul"), 1);
    CU_ASSERT_EQUAL(first_of(&m, 0, 1), 0.375f);
    CU_ASSERT_EQUAL(first_of(&m, 0, 2), -56.5f); /* (2 - 40) x 1.5 + 0.5 */
    fixture_end(&m.f);
}

/* One before and one after the same product: in two rounds. */
static void test_both(void)
{
    struct normalized m;
    begin(&m);
    fixture_output(&m.f, "y", normalize(&m, multiply(&m, normalize(&m, m.x, 1.0f), 3), 0.0f), 0);
    CU_ASSERT_EQUAL(count_after(&m, "matmul"), 1);
    CU_ASSERT_EQUAL(count_after(&m, "fma"), 0);
    CU_ASSERT_EQUAL(first_of(&m, 0, 1), 0.5625f);
    CU_ASSERT_EQUAL(first_of(&m, 0, 2), 2.0f); /* 1 x 1.5 + 0.5 */
    fixture_end(&m.f);
}

static void test_gru(void)
{
    struct normalized m;
    begin(&m);
    gruc_ref n = normalize(&m, m.x, 1.0f);
    gruc_ref gru = fixture_gru(&m.f, fixture_gru_defaults(3), n, GRUC_NONE, GRUC_NONE);
    fixture_output(&m.f, "y", m.f.ir->ops[gru].results[0], 0);
    CU_ASSERT_EQUAL(count_after(&m, "fma"), 0);
    CU_ASSERT_EQUAL(count_after(&m, "matmul"), 3);
    fixture_end(&m.f);
}

/* What keeps it out of a product: another reader, a far mean, no deviation at all. */
static void test_alone(void)
{
    for (int i = 0; i < 4; i++) {
        struct normalized m;
        begin(&m);
        gruc_ref n = normalize(&m, m.x, i == 1 ? 8.125f : i == 2 ? -8.0f : 1.0f);
        fixture_output(&m.f, "y", multiply(&m, n, 3), 0);
        if (i == 0)
            fixture_output(&m.f, "n", n, 0);
        if (i == 3)
            *(float *)(uintptr_t)m.f.ir->tensors[1].data = -1.0f;
        CU_ASSERT_EQUAL(count_after(&m, "fma"), i == 2 ? 0 : 1); /* -8: four deviations */
        CU_ASSERT_EQUAL(count_after(&m, "batch_norm"), 0);
        fixture_end(&m.f);
    }
}

static void test_shapes(void)
{
    struct normalized m;
    begin(&m);
    gruc_ref n = normalize(&m, m.x, 1.0f);
    m.f.ir->ops[m.f.ir->values[n].op].operands[2] = weights(&m, "w", 1, 3, 0.0f);
    fixture_output(&m.f, "y", n, 0);
    CU_ASSERT_EQUAL(gruc_ir_verify(m.f.ir, "test", &m.f.diag), GRUC_ERROR_INTERNAL);
    fixture_end(&m.f);
}

static void test_memory(void)
{
    struct gruc_pass_options options = {.accuracy = GRUC_ACCURACY_ACCURATE, .has_fma = 1};
    unsigned failures = 0;
    for (size_t room = 0; room < 4096; room += 64) {
        struct normalized m;
        begin(&m);
        fixture_output(&m.f, "y", multiply(&m, normalize(&m, m.x, 1.0f), 30), 0);
        m.f.arena.limit = m.f.arena.total + room;
        enum gruc_status status = gruc_pass_fold_norms(m.f.ir, &options, &m.f.diag);
        CU_ASSERT(status == GRUC_OK || status == GRUC_ERROR_MEMORY);
        failures += status == GRUC_ERROR_MEMORY;
        fixture_end(&m.f);
    }
    CU_ASSERT(failures > 10);
}

CU_TestInfo gruc_norms_tests[] = {
    {"into the products that read it", test_before},
    {"into the product before it", test_after},
    {"one before and one after a product", test_both},
    {"into the input products of a gru", test_gru},
    {"by itself", test_alone},
    {"shapes", test_shapes},
    {"without memory", test_memory},
    CU_TEST_INFO_NULL,
};

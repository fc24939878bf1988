/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "ir/passes/passes.h"
#include "ir/passes/table_product.h"
#include "ir/sum.h"
#include "tests/unit/ir_fixture.h"
#include "tests/unit/suites.h"

/* Numbers whose products and sums all round. */
static void fill(float *data, size_t count, unsigned seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        data[i] = (float)(seed >> 8) / 16777216.0f - 0.5f;
    }
}

static float product_at(const struct gruc_table_product *p, uint32_t row, uint32_t column)
{
    float total = 0;
    for (unsigned range = 0; range < gruc_sum_ranges(p->depth); range++) {
        float sum = range == 0 && p->bias != NULL ? p->bias[column] : 0;
        for (uint32_t k = gruc_sum_range_begin(p->depth, range);
             k < gruc_sum_range_begin(p->depth, range + 1); k++) {
            float x = p->left[(size_t)row * p->left_stride + k];
            float w = p->weight[(size_t)k * p->weight_stride + column];
            sum = p->has_fma ? fmaf(x, w, sum) : x * w + sum;
        }
        total = range == 0 ? sum : total + sum;
    }
    return total;
}

/* The order of sums is that of gruc_sum_ranges, with one rounding a term or two. */
static void test_product(void)
{
    static float left[5 * 70], weight[70 * 50], bias[50], out[5 * 50];
    fill(left, sizeof left / sizeof *left, 1);
    fill(weight, sizeof weight / sizeof *weight, 2);
    fill(bias, sizeof bias / sizeof *bias, 3);
    unsigned differences = 0;
    for (uint32_t depth = 1; depth <= 64; depth++)
        for (unsigned variant = 0; variant < 4; variant++) {
            struct gruc_arena arena;
            struct gruc_table_product p = {
                .left = left, .weight = weight, .bias = variant & 1 ? bias : NULL, .rows = 5,
                .depth = depth, .width = 1 + depth % 49, .left_stride = 70, .weight_stride = 50,
                .has_fma = variant > 1};
            gruc_arena_init(&arena);
            CU_ASSERT_EQUAL_FATAL(gruc_table_product(&p, &arena, out), GRUC_OK);
            for (uint32_t row = 0; row < p.rows; row++)
                for (uint32_t i = 0; i < p.width; i++) {
                    float wanted = product_at(&p, row, i);
                    CU_ASSERT_EQUAL(memcmp(&out[row * p.width + i], &wanted, sizeof wanted), 0);
                    p.has_fma = !p.has_fma;
                    differences += wanted != product_at(&p, row, i);
                    p.has_fma = !p.has_fma;
                }
            gruc_arena_finish(&arena);
        }
    CU_ASSERT(differences > 1000); /* or the test could not tell the two roundings apart */
}

struct looked_up {
    struct fixture f;
    gruc_ref ids, rows; /* the embedding's */
};

static void begin(struct looked_up *m, uint32_t count, uint32_t width)
{
    fixture_begin(&m->f);
    m->ids = fixture_input(&m->f, "ids", fixture_sequence(GRUC_INT32, 1), 0);
    gruc_ref tensor = fixture_tensor(&m->f, "e", count, width, 0.25f);
    gruc_ref operands[2] = {m->ids, gruc_build_param(&m->f.builder, tensor, 0, count, 0, width)};
    m->rows = gruc_build_value(&m->f.builder, GRUC_OP_EMBED, operands, 2, NULL, 0);
}

static gruc_ref multiply(struct looked_up *m, gruc_ref left, uint32_t width)
{
    uint32_t depth = m->f.ir->values[left].type.width;
    gruc_ref tensor = fixture_tensor(&m->f, "w", depth, width, 0.5f);
    return gruc_build_matmul(&m->f.builder, left,
                             gruc_build_param(&m->f.builder, tensor, 0, depth, 0, width),
                             GRUC_NONE);
}

/* The operations of this name in the body after all passes. */
static unsigned count_after(struct looked_up *m, const char *name)
{
    struct gruc_pass_options options = {.accuracy = GRUC_ACCURACY_ACCURATE, .has_fma = 1};
    enum gruc_status status =
        gruc_passes_run(m->f.ir, GRUC_PASS_COUNT - 1, &options, NULL, NULL, &m->f.diag);
    CU_ASSERT_EQUAL_FATAL(status, GRUC_OK);
    unsigned count = 0;
    const struct gruc_region *body = &m->f.ir->regions[0];
    for (size_t i = 0; i < body->n_ops; i++)
        count += strcmp(gruc_opcode_name(m->f.ir->ops[body->ops[i]].code), name) == 0;
    return count;
}

static void test_product_folds(void)
{
    struct looked_up m;
    begin(&m, 7, 4);
    fixture_output(&m.f, "y", multiply(&m, m.rows, 3), 0);
    CU_ASSERT_EQUAL(count_after(&m, "matmul"), 0);
    const struct gruc_op *embed = gruc_ir_def(m.f.ir, m.f.ir->outputs[0].value);
    CU_ASSERT_EQUAL_FATAL(embed->code, GRUC_OP_EMBED);
    const struct gruc_op *table = gruc_ir_def(m.f.ir, embed->operands[1]);
    const struct gruc_tensor *tensor =
        &m.f.ir->tensors[gruc_op_integer(table, GRUC_ATTRIBUTE_TENSOR, 0)];
    CU_ASSERT_STRING_EQUAL(tensor->name, "e . w[0]");
    CU_ASSERT_EQUAL(tensor->rows, 7);
    CU_ASSERT_EQUAL(tensor->columns, 3);
    CU_ASSERT_EQUAL(tensor->data[20], 0.5f); /* 4 x 0.25 x 0.5 */
    fixture_end(&m.f);
}

/* A product of a product, and one read from its end: the ids are turned round instead. */
static void test_chains_fold(void)
{
    struct looked_up m;
    begin(&m, 7, 4);
    gruc_ref hidden = multiply(&m, m.rows, 5);
    fixture_output(&m.f, "y", multiply(&m, hidden, 3), 0);
    fixture_output(&m.f, "z",
                   multiply(&m, gruc_build_unary(&m.f.builder, GRUC_OP_REVERSE, hidden), 3), 0);
    CU_ASSERT_EQUAL(count_after(&m, "matmul"), 0);
    CU_ASSERT_EQUAL(count_after(&m, "embed"), 2);
    const struct gruc_op *turned = gruc_ir_def(m.f.ir, m.f.ir->outputs[1].value);
    CU_ASSERT_EQUAL(gruc_ir_def(m.f.ir, turned->operands[0])->code, GRUC_OP_REVERSE);
    fixture_end(&m.f);
}

/* The input products of a layer leave no embedding behind, though the scan still named it. */
static void test_gru_folds(void)
{
    struct looked_up m;
    begin(&m, 7, 4);
    gruc_ref gru = fixture_gru(&m.f, fixture_gru_defaults(3), m.rows, GRUC_NONE, GRUC_NONE);
    fixture_output(&m.f, "y", m.f.ir->ops[gru].results[0], 0);
    CU_ASSERT_EQUAL(count_after(&m, "matmul"), 0);
    CU_ASSERT_EQUAL(count_after(&m, "embed"), 3); /* a table a gate */
    fixture_end(&m.f);
}

/* What the table would cost decides, and whether the embedding is wanted for itself. */
static void test_budget(void)
{
    static const struct {
        uint32_t count, depth, width;
        int read, folds;
    } rows[] = {
        {1024, 8, 1024, 0, 1},  /* 4 MiB */
        {1025, 8, 1024, 0, 0},  /* more, and more than the weights */
        {1025, 8, 1024, 1, 0},
        {2048, 1024, 520, 0, 0}, /* less than the weights, but 2^30 multiply-adds */
        {5000, 300, 250, 0, 1}, /* 5 MB in place of 6.3 MB */
        {5000, 300, 250, 1, 0}, /* the embedding stays: 5 MB in place of 0.3 MB */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct looked_up m;
        begin(&m, rows[i].count, rows[i].depth);
        fixture_output(&m.f, "y", multiply(&m, m.rows, rows[i].width), 0);
        if (rows[i].read)
            fixture_output(&m.f, "e", m.rows, 0);
        CU_ASSERT_EQUAL(count_after(&m, "matmul"), rows[i].folds ? 0 : 1);
        fixture_end(&m.f);
    }
}

/* A one_hot is never stored: not its vectors, and no table larger than the weights. */
static void test_one_hot_folds(void)
{
    static const float not_finite[] = {0, (float)INFINITY, -(float)INFINITY, (float)NAN};
    for (size_t i = 0; i < sizeof not_finite / sizeof *not_finite; i++) {
        struct looked_up m;
        struct gruc_attribute width = {GRUC_ATTRIBUTE_WIDTH, {.integer = 5000}};
        begin(&m, 7, 4);
        gruc_ref rows = gruc_build_value(&m.f.builder, GRUC_OP_ONE_HOT, &m.ids, 1, &width, 1);
        gruc_ref weight = fixture_tensor(&m.f, "w", 5000, 300, 0.5f);
        float *data = (float *)(uintptr_t)m.f.ir->tensors[weight].data;
        gruc_ref bias = fixture_tensor(&m.f, "b", 1, 300, 0.25f);
        if (not_finite[i] != 0)
            data[777] = not_finite[i];
        gruc_ref y = gruc_build_matmul(
            &m.f.builder, rows, gruc_build_param(&m.f.builder, weight, 0, 5000, 0, 300),
            gruc_build_param(&m.f.builder, bias, 0, 1, 0, 300));
        fixture_output(&m.f, "y", y, 0);
        CU_ASSERT_EQUAL(count_after(&m, "matmul"), not_finite[i] != 0);
        const struct gruc_tensor *last = &m.f.ir->tensors[m.f.ir->n_tensors - 1];
        CU_ASSERT_EQUAL(last->data[0], not_finite[i] != 0 ? 0.25f : 0.75f); /* the bias, a table */
        fixture_end(&m.f);
    }
}

static void test_memory(void)
{
    struct looked_up m;
    begin(&m, 700, 4);
    fixture_output(&m.f, "y", multiply(&m, m.rows, 30), 0);
    struct gruc_pass_options options = {.accuracy = GRUC_ACCURACY_ACCURATE, .has_fma = 1};
    m.f.arena.limit = m.f.arena.total + 4000;
    CU_ASSERT_EQUAL(gruc_pass_fold_tables(m.f.ir, &options, &m.f.diag), GRUC_ERROR_MEMORY);
    fixture_end(&m.f);
}

CU_TestInfo gruc_tables_tests[] = {
    {"products have the bits of generated code", test_product},
    {"a product becomes a table", test_product_folds},
    {"chains and reversed sequences", test_chains_fold},
    {"the input products of a gru", test_gru_folds},
    {"the budget", test_budget},
    {"a product of a one_hot", test_one_hot_folds},
    {"without memory", test_memory},
    CU_TEST_INFO_NULL,
};

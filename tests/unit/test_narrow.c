/* SPDX-License-Identifier: MIT */
/* Weights in fewer bits: rounding, what a type can hold, which products take it. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/narrow.h"
#include "ir/passes/passes.h"
#include "tests/unit/ir_fixture.h"
#include "tests/unit/suites.h"

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

typedef uint16_t (*narrow_function)(float x);
typedef float (*widen_function)(uint16_t x);

/* Every number of the type is its own nearest, NaN stays NaN; between neighbours the nearer one,
 * from the middle the even one. last: the largest finite number. */
static unsigned rounding_faults(narrow_function narrow, widen_function widen, uint16_t last)
{
    unsigned faults = 0;
    for (uint32_t i = 0; i <= UINT16_MAX; i++) {
        float x = widen((uint16_t)i);
        faults += isnan(x) ? !isnan(widen(narrow(x))) : narrow(x) != i;
    }
    for (uint16_t i = 0; i < last; i++) {
        float below = widen(i), above = widen((uint16_t)(i + 1));
        float middle = (float)(((double)below + (double)above) / 2);
        uint16_t even = i % 2 == 0 ? i : (uint16_t)(i + 1);
        for (int negative = 0; negative < 2; negative++) {
            uint16_t sign = negative ? 0x8000 : 0;
            float s = negative ? -1.0f : 1.0f;
            faults += narrow(s * nextafterf(middle, below)) != (i | sign);
            faults += narrow(s * middle) != (even | sign);
            faults += narrow(s * nextafterf(middle, above)) != ((i + 1) | sign);
        }
    }
    return faults;
}

static void test_bf16(void)
{
    CU_ASSERT_EQUAL(rounding_faults(gruc_bf16_from_float, gruc_float_from_bf16, 0x7f7f), 0);
    CU_ASSERT_EQUAL(gruc_bf16_from_float(INFINITY), 0x7f80);
    CU_ASSERT_EQUAL(gruc_bf16_dot_from_float(-INFINITY), 0xff80);
    CU_ASSERT(isnan(gruc_float_from_bf16(gruc_bf16_dot_from_float(NAN))));
    CU_ASSERT_EQUAL(gruc_bf16_dot_from_float(-1.005f), 0xbf81);
    CU_ASSERT_EQUAL(gruc_bf16_dot_from_float(0x1p-56f), 0x2380);
    CU_ASSERT_EQUAL(gruc_bf16_dot_from_float(-0x1.fffffep-57f), 0);
    CU_ASSERT_EQUAL(gruc_bf16_from_float(-FLT_MAX), 0xff80);
    CU_ASSERT_EQUAL(gruc_bf16_from_float(float_of(0x7f7f7fff)), 0x7f7f);
    CU_ASSERT_EQUAL(gruc_bf16_from_float(FLT_TRUE_MIN), 0);
    CU_ASSERT_EQUAL(gruc_bf16_from_float(-0.0f), 0x8000);
    /* A payload in the lower bits only, or in the upper ones. */
    CU_ASSERT(isnan(gruc_float_from_bf16(gruc_bf16_from_float(float_of(0x7f800001)))));
    CU_ASSERT_EQUAL(gruc_bf16_from_float(float_of(0xffc10000)), 0xffc1);
}

static void test_half(void)
{
    CU_ASSERT_EQUAL(rounding_faults(gruc_half_from_float, gruc_float_from_half, 0x7bff), 0);
    CU_ASSERT_EQUAL(gruc_half_from_float(INFINITY), 0x7c00);
    CU_ASSERT_EQUAL(gruc_half_from_float(nextafterf(65520.0f, 0.0f)), 0x7bff);
    CU_ASSERT_EQUAL(gruc_half_from_float(-65520.0f), 0xfc00);
    CU_ASSERT_EQUAL(gruc_half_from_float(FLT_MAX), 0x7c00);
    CU_ASSERT_EQUAL(gruc_half_from_float(0x1p-25f), 0);
    CU_ASSERT_EQUAL(gruc_half_from_float(nextafterf(0x1p-25f, 1.0f)), 1);
    CU_ASSERT(isnan(gruc_float_from_half(gruc_half_from_float(float_of(0x7f800001)))));
    CU_ASSERT_EQUAL(bits_of(gruc_float_from_half(0x0001)), bits_of(0x1p-24f));
    CU_ASSERT_EQUAL(bits_of(gruc_float_from_half(0xfc00)), bits_of(-INFINITY));
}

static int fits(float x, enum gruc_weights weights, int exact)
{
    float data[2] = {1.0f, x};
    struct gruc_tensor tensor = {.name = "w", .rows = 1, .columns = 2, .data = data};
    return gruc_tensor_fits(&tensor, weights, exact);
}

static void test_fits(void)
{
    static const float values[] = {0.0f, -0.0f, INFINITY, NAN, 0.1f, 3e38f, 1e5f, 0x1p-24f};
    static const int bf16[][2] = {{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 0}, {1, 0}, {1, 0}, {1, 1}};
    static const int half[][2] = {{1, 1}, {1, 1}, {0, 0}, {0, 0}, {1, 0}, {0, 0}, {0, 0}, {1, 1}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        for (int exact = 0; exact < 2; exact++) {
            CU_ASSERT_EQUAL(fits(values[i], GRUC_WEIGHTS_BF16, exact), bf16[i][exact]);
            CU_ASSERT_EQUAL(fits(values[i], GRUC_WEIGHTS_F16, exact), half[i][exact]);
            CU_ASSERT(fits(values[i], GRUC_WEIGHTS_F32, exact));
            CU_ASSERT(!fits(values[i], GRUC_WEIGHTS_AUTO, exact));
        }
    CU_ASSERT(!fits(FLT_MAX, GRUC_WEIGHTS_BF16, 0)); /* would become infinite */
}

/* The type that a product by a square matrix of this number gets. */
static enum gruc_weights chosen(float number, uint32_t units, enum gruc_weights wanted)
{
    struct fixture f;
    fixture_begin(&f);
    gruc_ref x = fixture_input(&f, "x", fixture_sequence(GRUC_FLOAT32, units), 0);
    gruc_ref tensor = fixture_tensor(&f, "w", units, units, number);
    gruc_ref param = gruc_build_param(&f.builder, tensor, 0, units, 0, units);
    gruc_ref y = gruc_build_matmul(&f.builder, x, param, GRUC_NONE);
    struct gruc_pass_options options = {.weights = wanted};
    fixture_output(&f, "y", y, 0);
    CU_ASSERT_EQUAL(gruc_pass_narrow_products(f.ir, &options, &f.diag), GRUC_OK);
    enum gruc_weights weights = gruc_op_weights(gruc_ir_def(f.ir, f.ir->outputs[0].value));
    fixture_end(&f);
    return weights;
}

static void test_choice(void)
{
    const float third = 1.0f / 3, half_only = 1.0f + 0x1p-10f;
    CU_ASSERT_EQUAL(chosen(0.5f, 128, GRUC_WEIGHTS_AUTO), GRUC_WEIGHTS_BF16);
    CU_ASSERT_EQUAL(chosen(0.5f, 127, GRUC_WEIGHTS_AUTO), GRUC_WEIGHTS_F32);
    CU_ASSERT_EQUAL(chosen(half_only, 512, GRUC_WEIGHTS_AUTO), GRUC_WEIGHTS_F16);
    CU_ASSERT_EQUAL(chosen(half_only, 511, GRUC_WEIGHTS_AUTO), GRUC_WEIGHTS_F32);
    CU_ASSERT_EQUAL(chosen(third, 512, GRUC_WEIGHTS_AUTO), GRUC_WEIGHTS_F32);
    CU_ASSERT_EQUAL(chosen(0.5f, 64, GRUC_WEIGHTS_F32), GRUC_WEIGHTS_F32);
    CU_ASSERT_EQUAL(chosen(third, 23, GRUC_WEIGHTS_BF16), GRUC_WEIGHTS_BF16);
    CU_ASSERT_EQUAL(chosen(third, 24, GRUC_WEIGHTS_BF16), GRUC_WEIGHTS_BF16_DOT);
    CU_ASSERT_EQUAL(chosen(third, 4, GRUC_WEIGHTS_F16), GRUC_WEIGHTS_F16);
    CU_ASSERT_EQUAL(chosen(1e6f, 4, GRUC_WEIGHTS_F16), GRUC_WEIGHTS_F32);
    CU_ASSERT_EQUAL(chosen(third, 24, GRUC_WEIGHTS_INT8), GRUC_WEIGHTS_INT8);
    CU_ASSERT_EQUAL(chosen(third, 23, GRUC_WEIGHTS_INT8), GRUC_WEIGHTS_F32);
    CU_ASSERT_EQUAL(chosen(INFINITY, 24, GRUC_WEIGHTS_INT8), GRUC_WEIGHTS_F32);
}

static unsigned count_text(const char *text, const char *part)
{
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        count++;
    return count;
}

/* Products by the same values share a quantized row; the text form keeps it all. */
static void check_quantized(enum gruc_weights wanted, const char *attribute)
{
    struct fixture f;
    fixture_begin(&f);
    gruc_ref x = fixture_input(&f, "x", fixture_sequence(GRUC_FLOAT32, 40), 0);
    gruc_ref tensor = fixture_tensor(&f, "w", 40, 40, 0.3f);
    gruc_ref w = gruc_build_param(&f.builder, tensor, 0, 40, 0, 40);
    gruc_ref first = gruc_build_matmul(&f.builder, x, w, GRUC_NONE);
    gruc_ref second = gruc_build_matmul(&f.builder, x, w, GRUC_NONE);
    gruc_ref third = gruc_build_matmul(&f.builder, first, w, GRUC_NONE);
    fixture_output(&f, "y", gruc_build_binary(&f.builder, GRUC_OP_ADD, second, third), 0);
    struct gruc_pass_options options = {.weights = wanted};
    CU_ASSERT_EQUAL(gruc_pass_narrow_products(f.ir, &options, &f.diag), GRUC_OK);
    CU_ASSERT_EQUAL(gruc_ir_verify(f.ir, "narrow_products", &f.diag), GRUC_OK);
    char *text = fixture_print(f.ir);
    CU_ASSERT_EQUAL(count_text(text, "= quantize("), 2);
    CU_ASSERT_EQUAL(count_text(text, attribute), 5);
    struct gruc_ir *parsed = NULL;
    CU_ASSERT_EQUAL(gruc_ir_parse(&f.arena, text, strlen(text), &f.diag, &parsed), GRUC_OK);
    char *again = parsed == NULL ? NULL : fixture_print(parsed);
    CU_ASSERT(again != NULL && strcmp(text, again) == 0);
    free(again);
    free(text);
    fixture_end(&f);
}

static void test_quantized(void)
{
    check_quantized(GRUC_WEIGHTS_INT8, "{weights=\"int8\"}");
    check_quantized(GRUC_WEIGHTS_BF16, "{weights=\"bf16_dot\"}");
}

/* 8-bit integers for rows that a step computes, 16 for what comes in, in a scan or before it. */
static void test_step_rows(void)
{
    for (int hoisted = 0; hoisted < 2; hoisted++)
        for (int reset_after = 0; reset_after < 2; reset_after++) {
            struct fixture f;
            struct gruc_gru gru = fixture_gru_defaults(40);
            struct gruc_pass_options options = {.weights = GRUC_WEIGHTS_INT8};
            gru.reset_after = reset_after;
            fixture_begin(&f);
            gruc_ref x = fixture_input(&f, "x", fixture_sequence(GRUC_FLOAT32, 40), 0);
            gruc_ref op = fixture_gru(&f, gru, x, GRUC_NONE, GRUC_NONE);
            fixture_output(&f, "y", f.ir->ops[op].results[0], 0);
            CU_ASSERT_EQUAL(gruc_pass_expand_gru(f.ir, &options, &f.diag), GRUC_OK);
            if (hoisted)
                CU_ASSERT_EQUAL(gruc_pass_hoist_products(f.ir, &options, &f.diag), GRUC_OK);
            CU_ASSERT_EQUAL(gruc_pass_narrow_products(f.ir, &options, &f.diag), GRUC_OK);
            CU_ASSERT_EQUAL(gruc_ir_verify(f.ir, "narrow_products", &f.diag), GRUC_OK);
            char *text = fixture_print(f.ir);
            CU_ASSERT_EQUAL(count_text(text, "{weights=\"int8\"}"), 1 + 3);
            CU_ASSERT_EQUAL(count_text(text, "{weights=\"int8_bytes\"}"),
                            reset_after ? 1 + 3 : 2 + 3);
            free(text);
            fixture_end(&f);
        }
}

static void test_quantized_rows(void)
{
    static const uint32_t widths[] = {1, 16, 17, 64, 519, 1024, 131072};
    static const uint32_t integers[] = {9, 9, 17, 33, 265, 513, 65537};
    static const uint32_t floats[] = {16, 16, 32, 64, 528, 1024, 131072};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        int64_t largest = gruc_quantized_largest(GRUC_WEIGHTS_INT8, widths[i]);
        CU_ASSERT_EQUAL(gruc_quantized_width(GRUC_WEIGHTS_INT8, widths[i]), integers[i]);
        CU_ASSERT_EQUAL(gruc_quantized_width(GRUC_WEIGHTS_BF16_DOT, widths[i]), floats[i]);
        CU_ASSERT(largest >= 127 && largest <= 0x7f7f);
        CU_ASSERT(largest * GRUC_INT8_LARGEST * widths[i] <= INT32_MAX);
        CU_ASSERT_EQUAL(gruc_quantized_largest(GRUC_WEIGHTS_INT8_BYTES, widths[i]), 127);
        CU_ASSERT_EQUAL(gruc_quantized_width(GRUC_WEIGHTS_INT8_BYTES, widths[i]), integers[i]);
    }
}

CU_TestInfo gruc_narrow_tests[] = {
    {"bf16", test_bf16},
    {"half", test_half},
    {"fits", test_fits},
    {"choice", test_choice},
    {"quantized", test_quantized},
    {"step rows", test_step_rows},
    {"quantized rows", test_quantized_rows},
    CU_TEST_INFO_NULL,
};

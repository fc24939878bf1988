/* SPDX-License-Identifier: MIT */
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/act.h"
#include "ir/passes/passes.h"
#include "ir/sum.h"
#include "tests/unit/ir_fixture.h"
#include "tests/unit/suites.h"

static const struct gruc_type *type_of(const struct fixture *fixture, gruc_ref value)
{
    return &fixture->ir->values[value].type;
}

static void test_sum_ranges(void)
{
    static const struct {
        uint32_t k;
        unsigned ranges;
        uint32_t second;
    } rows[] = {{1, 1, 1},   {2, 2, 1},   {3, 2, 2},    {31, 2, 16},
                {32, 2, 16}, {33, 1, 33}, {512, 1, 512}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CU_ASSERT_EQUAL(gruc_sum_ranges(rows[i].k), rows[i].ranges);
        CU_ASSERT_EQUAL(gruc_sum_range_begin(rows[i].k, 0), 0);
        CU_ASSERT_EQUAL(gruc_sum_range_begin(rows[i].k, 1), rows[i].second);
        CU_ASSERT_EQUAL(gruc_sum_range_begin(rows[i].k, rows[i].ranges), rows[i].k);
    }
}

static void test_names(void)
{
    for (unsigned code = 0; code < GRUC_OP_COUNT; code++) {
        const char *name = gruc_opcode_name((enum gruc_opcode)code);
        CU_ASSERT_EQUAL(gruc_opcode_find(name, strlen(name)), code);
    }
    CU_ASSERT_EQUAL(gruc_opcode_find("matmu", 5), GRUC_OP_COUNT);
    for (unsigned id = 0; id < GRUC_ACT_COUNT; id++) {
        const struct gruc_act *act = gruc_act_get((enum gruc_act_id)id);
        CU_ASSERT_PTR_EQUAL(gruc_ir_act_find(gruc_ir_act_name(act)), act);
    }
    CU_ASSERT_PTR_EQUAL(gruc_ir_act_find("tanh"), gruc_act_get(GRUC_ACT_TANH));
    CU_ASSERT_PTR_NULL(gruc_ir_act_find("hard_sigmoid"));
    CU_ASSERT(gruc_opcode_is_pointwise(GRUC_OP_FMA) && gruc_opcode_is_pointwise(GRUC_OP_TANH));
    CU_ASSERT(!gruc_opcode_is_pointwise(GRUC_OP_ACT) && !gruc_opcode_is_pointwise(GRUC_OP_MATMUL));
}

static void test_shapes(void)
{
    struct fixture f;
    fixture_begin(&f);
    gruc_ref x = fixture_input(&f, "x", fixture_sequence(GRUC_FLOAT32, 4), 0);
    gruc_ref state = fixture_input(&f, "s", fixture_state(GRUC_FLOAT32, 5), 0);
    gruc_ref tensor = fixture_tensor(&f, "w", 4, 5, 1.0f);
    gruc_ref product =
        gruc_build_matmul(&f.builder, x, gruc_build_param(&f.builder, tensor, 0, 4, 0, 5),
                          gruc_build_param(&f.builder, tensor, 3, 1, 0, 5));
    CU_ASSERT_EQUAL(type_of(&f, product)->width, 5);
    CU_ASSERT_EQUAL(type_of(&f, product)->axes, GRUC_AXIS_ROWS | GRUC_AXIS_STEPS);
    gruc_ref sum = gruc_build_binary(&f.builder, GRUC_OP_ADD, state, product);
    CU_ASSERT_EQUAL(type_of(&f, sum)->axes, GRUC_AXIS_ROWS | GRUC_AXIS_STEPS);
    gruc_ref narrow = gruc_build_unary(&f.builder, GRUC_OP_REDUCE_SUM, sum);
    CU_ASSERT_EQUAL(type_of(&f, narrow)->width, 1);
    gruc_ref less = gruc_build_binary(&f.builder, GRUC_OP_LT, narrow, state);
    CU_ASSERT_EQUAL(type_of(&f, less)->dtype, GRUC_BOOL);
    CU_ASSERT_EQUAL(type_of(&f, less)->width, 5);
    gruc_ref joined = gruc_build_concat(&f.builder, (gruc_ref[]){sum, x, narrow}, 3);
    CU_ASSERT_EQUAL(type_of(&f, joined)->width, 10);
    struct gruc_type folded = fixture_sequence(GRUC_FLOAT32, 5);
    folded.steps.factor = 2;
    gruc_ref reshaped = gruc_build_reshape(&f.builder, joined, folded);
    CU_ASSERT_EQUAL(type_of(&f, reshaped)->steps.factor, 2);
    fixture_output(&f, "y", gruc_build_select(&f.builder, less, sum, state), 0);
    CU_ASSERT_EQUAL(gruc_ir_verify(f.ir, "test", &f.diag), GRUC_OK);
    fixture_end(&f);
}

static void test_gru_shapes(void)
{
    struct fixture f;
    fixture_begin(&f);
    const struct gruc_op *op = &f.ir->ops[fixture_small_model(&f)];
    CU_ASSERT_EQUAL(op->n_results, 3);
    CU_ASSERT_EQUAL(type_of(&f, op->results[0])->axes, GRUC_AXIS_ROWS | GRUC_AXIS_STEPS);
    CU_ASSERT_EQUAL(type_of(&f, op->results[1])->axes, GRUC_AXIS_ROWS);
    CU_ASSERT_EQUAL(type_of(&f, op->results[2])->width, 3);
    CU_ASSERT_EQUAL(gruc_ir_verify(f.ir, "test", &f.diag), GRUC_OK);
    struct gruc_pass_options options = {.accuracy = GRUC_ACCURACY_ACCURATE};
    CU_ASSERT_EQUAL(gruc_pass_expand_gru(f.ir, &options, &f.diag), GRUC_OK);
    CU_ASSERT_EQUAL(gruc_ir_verify(f.ir, "expand_gru", &f.diag), GRUC_OK);
    fixture_end(&f);
}

/* ---- each fault of verify: the small model, one thing of it broken ---- */
static struct gruc_op *gru_op(struct fixture *f)
{
    return &f->ir->ops[f->ir->regions[0].ops[1]];
}

static gruc_ref build(struct fixture *f, enum gruc_opcode code, gruc_ref a, gruc_ref b)
{
    return gruc_build_binary(&f->builder, code, a, b);
}

static void add_integer(struct fixture *f, enum gruc_opcode code, const gruc_ref *operand,
                        enum gruc_attribute_name name, int64_t value)
{
    struct gruc_attribute attributes[] = {{name, {.integer = value}},
                                          {GRUC_ATTRIBUTE_RULE, {.integer = 0}}};
    gruc_build_op(&f->builder, code, operand, operand != NULL, attributes,
                  name == GRUC_ATTRIBUTE_SLOT ? 2 : 1, GRUC_NONE);
}

static void break_operand_range(struct fixture *f)
{
    gru_op(f)->operands[0] = 10000;
}
static void break_order(struct fixture *f)
{
    gru_op(f)->operands[0] = gru_op(f)->results[0];
}
static void break_operand_count(struct fixture *f)
{
    gru_op(f)->n_operands = 0;
}
static void break_result_count(struct fixture *f)
{
    gru_op(f)->n_results = 2;
}
static void break_result_owner(struct fixture *f)
{
    f->ir->values[gru_op(f)->results[1]].op = 1;
}
static void break_type(struct fixture *f)
{
    f->ir->values[gru_op(f)->results[0]].type.width = 7;
}
static void break_axes(struct fixture *f)
{
    f->ir->values[gru_op(f)->results[0]].type.axes = GRUC_AXIS_STEPS;
}
static void break_symbol(struct fixture *f)
{
    f->ir->values[gru_op(f)->results[0]].type.steps.symbol = 3;
}
static void break_code(struct fixture *f)
{
    gru_op(f)->code = GRUC_OP_COUNT;
}
static void break_attribute(struct fixture *f)
{
    gru_op(f)->n_attributes = 0;
}
static void break_attribute_name(struct fixture *f)
{
    gru_op(f)->attributes[0].name = GRUC_ATTRIBUTE_WRAP;
}
static void break_gru_number(struct fixture *f)
{
    gru_op(f)->attributes[0].value.integer = 9;
}
static void break_twice(struct fixture *f)
{
    f->ir->regions[0].ops[1] = f->ir->regions[0].ops[0];
}
static void break_region(struct fixture *f)
{
    gru_op(f)->region = 0;
}
static void break_kernel(struct fixture *f)
{
    f->ir->tensors[0].columns = 8;
}
static void break_recurrent(struct fixture *f)
{
    f->ir->grus[0].recurrent_kernel = 0;
}
static void break_bias(struct fixture *f)
{
    f->ir->grus[0].bias = GRUC_NONE;
}
static void break_activation(struct fixture *f)
{
    f->ir->grus[0].activation = "tan";
}
static void break_slot(struct fixture *f)
{
    f->ir->slots[0].width = 4;
}
static void break_data(struct fixture *f)
{
    f->ir->tensors[1].data = NULL;
}
static void break_mask(struct fixture *f)
{
    f->ir->grus[0].has_mask = 1;
}
static void break_port_value(struct fixture *f)
{
    f->ir->outputs[0].value = 0;
}
static void break_port_type(struct fixture *f)
{
    f->ir->outputs[0].info.dtype = GRUC_BOOL;
}
static void break_port_size(struct fixture *f)
{
    f->ir->outputs[1].info.dims[1] = 4;
}
static void break_port_batch(struct fixture *f)
{
    f->ir->inputs[0].time_major = 1;
}
static void break_input_index(struct fixture *f)
{
    f->ir->ops[f->ir->regions[0].ops[0]].attributes[0].value.integer = 1;
}
static void break_second_input(struct fixture *f)
{
    gruc_build_input(&f->builder, 0, fixture_sequence(GRUC_FLOAT32, 4));
}
static void break_unread_input(struct fixture *f)
{
    gruc_ir_add_port(f->ir, 0, &f->ir->inputs[0]);
}
static void break_widths(struct fixture *f)
{
    build(f, GRUC_OP_ADD, gru_op(f)->operands[0], gru_op(f)->results[0]);
}
static void break_dtype(struct fixture *f)
{
    build(f, GRUC_OP_AND, gru_op(f)->operands[0], gru_op(f)->operands[0]);
}
static void break_matmul(struct fixture *f)
{
    gruc_build_matmul(&f->builder, gru_op(f)->results[0],
                      gruc_build_param(&f->builder, 0, 0, 4, 0, 2), GRUC_NONE);
}
static void break_param(struct fixture *f)
{
    gruc_build_param(&f->builder, 0, 2, 3, 0, 1);
}
static void break_reshape(struct fixture *f)
{
    gruc_build_reshape(&f->builder, gru_op(f)->results[0], fixture_sequence(GRUC_FLOAT32, 4));
}
static void break_act(struct fixture *f)
{
    gruc_build_act(&f->builder, gru_op(f)->results[0], "tan", NULL);
}
static void break_cast(struct fixture *f)
{
    gruc_build_unary(&f->builder, GRUC_OP_TO_FLOAT, gru_op(f)->results[0]);
}
static void break_reverse(struct fixture *f)
{
    gruc_build_unary(&f->builder, GRUC_OP_REVERSE, gru_op(f)->results[1]);
}
static void break_embed(struct fixture *f)
{
    build(f, GRUC_OP_EMBED, gru_op(f)->results[0], gruc_build_param(&f->builder, 0, 0, 4, 0, 9));
}
static void break_final_width(struct fixture *f)
{
    add_integer(f, GRUC_OP_FINAL_STATE, &gru_op(f)->results[0], GRUC_ATTRIBUTE_SLOT, 0);
}
static void break_final_twice(struct fixture *f)
{
    gruc_ref state = gru_op(f)->results[2];
    add_integer(f, GRUC_OP_FINAL_STATE, &state, GRUC_ATTRIBUTE_SLOT, 0);
    add_integer(f, GRUC_OP_FINAL_STATE, &state, GRUC_ATTRIBUTE_SLOT, 0);
}
static void break_initial_slot(struct fixture *f)
{
    add_integer(f, GRUC_OP_INITIAL_STATE, NULL, GRUC_ATTRIBUTE_SLOT, 5);
}

/* ---- the same of scans: a running sum over the steps of x ---- */
struct scan_parts {
    gruc_ref region, step, sum;
};

static struct scan_parts begin_scan(struct fixture *f)
{
    struct scan_parts parts = {.region = gruc_ir_add_region(f->ir)};
    parts.step = gruc_ir_add_argument(f->ir, parts.region, fixture_state(GRUC_FLOAT32, 4));
    parts.sum = gruc_ir_add_argument(f->ir, parts.region, fixture_state(GRUC_FLOAT32, 4));
    return parts;
}

static void end_scan(struct fixture *f, const struct scan_parts *parts, gruc_ref yield,
                     gruc_ref first, int64_t scanned)
{
    const gruc_ref yields[] = {yield, parts->sum};
    const gruc_ref operands[] = {gru_op(f)->operands[0], first};
    struct gruc_attribute attributes[] = {{GRUC_ATTRIBUTE_SCANNED, {.integer = scanned}},
                                          {GRUC_ATTRIBUTE_CARRIED, {.integer = 1}}};
    gruc_ir_set_yields(f->ir, parts->region, yields, 2);
    gruc_build_op(&f->builder, GRUC_OP_SCAN, operands, 2, attributes, 2, parts->region);
}

static gruc_ref scan_sum(struct fixture *f, const struct scan_parts *parts, gruc_ref a, gruc_ref b)
{
    struct gruc_builder builder = {f->ir, parts->region, {0}};
    return gruc_build_binary(&builder, GRUC_OP_ADD, a, b);
}

static void make_scan(struct fixture *f)
{
    struct scan_parts parts = begin_scan(f);
    end_scan(f, &parts, scan_sum(f, &parts, parts.step, parts.sum),
             gruc_build_constant(&f->builder, 0.0), 1);
}
static void break_scan_scope(struct fixture *f)
{
    struct scan_parts parts = begin_scan(f);
    end_scan(f, &parts, scan_sum(f, &parts, parts.step, gru_op(f)->operands[0]),
             gruc_build_constant(&f->builder, 0.0), 1);
}
static void break_scan_yield(struct fixture *f)
{
    struct scan_parts parts = begin_scan(f);
    end_scan(f, &parts, gru_op(f)->operands[0], gruc_build_constant(&f->builder, 0.0), 1);
}
static void break_scan_yield_type(struct fixture *f)
{
    struct scan_parts parts = begin_scan(f);
    struct gruc_builder builder = {f->ir, parts.region, {0}};
    end_scan(f, &parts, gruc_build_unary(&builder, GRUC_OP_REDUCE_SUM, parts.sum),
             gruc_build_constant(&f->builder, 0.0), 1);
}
static void break_scan_counts(struct fixture *f)
{
    struct scan_parts parts = begin_scan(f);
    end_scan(f, &parts, parts.sum, gruc_build_constant(&f->builder, 0.0), 2);
}
static void break_scan_operand(struct fixture *f)
{
    struct scan_parts parts = begin_scan(f);
    end_scan(f, &parts, parts.sum, gru_op(f)->results[1], 1);
}
static void break_scan_shared(struct fixture *f)
{
    struct scan_parts parts = begin_scan(f);
    gruc_ref zero = gruc_build_constant(&f->builder, 0.0);
    end_scan(f, &parts, parts.sum, zero, 1);
    end_scan(f, &parts, parts.sum, zero, 1);
}
static void break_scan_missing(struct fixture *f)
{
    make_scan(f);
    f->ir->ops[f->ir->n_ops - 1].region = GRUC_NONE;
}
static void break_scan_state(struct fixture *f)
{
    struct scan_parts parts = begin_scan(f);
    struct fixture inner = *f;
    inner.builder.region = parts.region;
    add_integer(&inner, GRUC_OP_FINAL_STATE, &parts.sum, GRUC_ATTRIBUTE_SLOT, 0);
    end_scan(f, &parts, parts.sum, gruc_build_constant(&f->builder, 0.0), 1);
}

static void test_verify_faults(void)
{
    static const struct {
        void (*damage)(struct fixture *f);
        const char *words; /* of the message */
    } rows[] = {
        {break_operand_range, "(gru): an operand is not a value of the module"},
        {break_order, "(gru): an operand is not defined before its use"},
        {break_operand_count, "(gru): it has the wrong number of operands"},
        {break_result_count, "(gru): it has the wrong number of results"},
        {break_result_owner, "a result does not name the operation that makes it"},
        {break_type, "a result has another type than its operands give"},
        {break_axes, "a value has steps without rows"},
        {break_symbol, "a value has an unknown step symbol"},
        {break_code, "an operation has an unknown code"},
        {break_attribute, "it lacks an attribute"},
        {break_attribute_name, "it lacks an attribute"},
        {break_gru_number, "there is no such gru"},
        {break_twice, "it stands in two places"},
        {break_region, "it has a region"},
        {break_kernel, "kernel has the wrong shape"},
        {break_recurrent, "recurrent kernel has the wrong shape"},
        {break_bias, "bias has the wrong shape"},
        {break_activation, "unknown activation"},
        {break_slot, "slot has the wrong width"},
        {break_data, "a tensor has no data"},
        {break_mask, "do not agree with has_mask"},
        {break_port_value, "a port's value is not one of the body"},
        {break_port_type, "a port and its value differ in type"},
        {break_port_size, "a port and its value differ in size"},
        {break_port_batch, "a port's batch is not where it should be"},
        {break_input_index, "(input): there is no such input"},
        {break_second_input, "(input): another operation reads the same input"},
        {break_unread_input, "an input has no operation that reads it"},
        {break_widths, "(add): its operands differ in width"},
        {break_dtype, "(and): an operand is not bool"},
        {break_matmul, "(matmul): the width of x differs from the rows of the matrix"},
        {break_param, "(param): it reaches beyond its tensor"},
        {break_reshape, "(reshape): it changes the size of a row"},
        {break_act, "(act): there is no such activation"},
        {break_cast, "(to_float): its operand has that type already"},
        {break_reverse, "(reverse): its operand has no steps"},
        {break_embed, "(embed): its ids are not int32 of width 1"},
        {break_final_width, "(final_state): its operand does not fit the slot"},
        {break_final_twice, "another operation stores the same slot"},
        {break_initial_slot, "(initial_state): there is no such slot"},
        {break_scan_scope, "(add): an operand belongs to another region"},
        {break_scan_yield, "(scan): its region yields a value from elsewhere"},
        {break_scan_yield_type, "(scan): the region yields another type than it carries"},
        {break_scan_counts, "(scan): "},
        {break_scan_operand, "an operand has another type than the region's argument"},
        {break_scan_shared, "(scan): its region belongs to another scan"},
        {break_scan_missing, "(scan): it has no region"},
        {break_scan_state, "(final_state): it stands in the region of a scan"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        fixture_begin(&f);
        fixture_small_model(&f);
        CU_ASSERT_EQUAL(gruc_ir_verify(f.ir, "pass", &f.diag), GRUC_OK);
        rows[i].damage(&f);
        CU_ASSERT_EQUAL(gruc_ir_verify(f.ir, "pass", &f.diag), GRUC_ERROR_INTERNAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(f.message, "IR after pass"));
        CU_ASSERT_PTR_NOT_NULL(strstr(f.message, rows[i].words));
        if (strstr(f.message, rows[i].words) == NULL)
            printf("fault %zu: got '%s', expected '%s'\n", i, f.message, rows[i].words);
        fixture_end(&f);
    }
}

/* ---- text ---- */
static void check_round_trip(struct fixture *f, const struct gruc_ir *ir)
{
    char *first = fixture_print(ir);
    struct gruc_ir *parsed = NULL;
    f->message[0] = '\0';
    CU_ASSERT_EQUAL(gruc_ir_parse(&f->arena, first, strlen(first), &f->diag, &parsed), GRUC_OK);
    CU_ASSERT_STRING_EQUAL(f->message, "");
    if (parsed != NULL) {
        char *second = fixture_print(parsed);
        CU_ASSERT_STRING_EQUAL(first, second);
        free(second);
    }
    free(first);
}

static void make_rich_model(struct fixture *f)
{
    f->ir->symbols[f->ir->n_symbols++] = (struct gruc_symbol){"side", 6};
    f->ir->batch = 2;
    gruc_ref x = fixture_input(f, "x \"quoted\" \\ \n", fixture_sequence(GRUC_FLOAT32, 4), 1);
    gruc_ref mask = fixture_input(f, "mask", fixture_sequence(GRUC_BOOL, 1), 0);
    gruc_ref state = fixture_input(f, "state", fixture_state(GRUC_FLOAT32, 3), 0);
    gruc_ref ids = fixture_input(f, "ids", fixture_state(GRUC_INT32, 1), 0);
    struct gruc_type side_type = fixture_sequence(GRUC_FLOAT32, 2);
    side_type.steps = (struct gruc_steps){1, 1};
    gruc_ref side = fixture_input(f, "side", side_type, 0);
    struct gruc_gru gru = fixture_gru_defaults(3);
    gru.recurrent_activation = "HARD_SIGMOID_KERAS2";
    gru.activation = "relu";
    gru.activation_parameters[0] = 0.1;
    gru.activation_parameters[1] = INFINITY;
    gru.cudnn_refusal = "its activation is not tanh";
    gruc_ref op = fixture_gru(f, gru, x, mask, state);
    f->ir->values[f->ir->ops[op].results[0]].name = "g";
    fixture_output(f, "y", f->ir->ops[op].results[0], 1);
    gruc_ref table = fixture_tensor(f, "table", 5, 3, 0.5f);
    struct gruc_attribute wrap = {GRUC_ATTRIBUTE_WRAP, {.integer = 1}};
    gruc_ref operands[] = {ids, gruc_build_param(&f->builder, table, 0, 5, 0, 3)};
    gruc_ref row = gruc_build_value(&f->builder, GRUC_OP_EMBED, operands, 2, &wrap, 1);
    gruc_ref act = gruc_build_act(&f->builder, row, "relu", (const double[]){0.1, 6.5, -1e-300});
    gruc_ref scaled = build(f, GRUC_OP_MUL, act, gruc_build_constant(&f->builder, 0.2));
    fixture_output(f, "z", scaled, 0);
    struct gruc_type flat = fixture_state(GRUC_FLOAT32, 12);
    fixture_output(f, "flat", gruc_build_reshape(&f->builder, side, flat), 0);
}

static void test_round_trip(void)
{
    struct fixture f;
    struct gruc_pass_options options = {.accuracy = GRUC_ACCURACY_ACCURATE};
    for (int model = 0; model < 3; model++) {
        fixture_begin(&f);
        if (model == 0) {
            make_rich_model(&f);
        } else {
            fixture_small_model(&f);
            if (model == 2)
                make_scan(&f);
        }
        check_round_trip(&f, f.ir);
        for (unsigned pass = 0; pass < GRUC_PASS_COUNT; pass++) {
            CU_ASSERT_EQUAL(
                gruc_passes_run(f.ir, (enum gruc_pass_id)pass, &options, NULL, NULL, &f.diag),
                GRUC_OK);
            check_round_trip(&f, f.ir);
        }
        fixture_end(&f);
    }
}

static void test_clone(void)
{
    struct fixture f;
    struct gruc_pass_options options = {.accuracy = GRUC_ACCURACY_ACCURATE};
    struct gruc_ir *clone;
    struct gruc_arena arena;
    gruc_arena_init(&arena);
    fixture_begin(&f);
    make_rich_model(&f);
    char *before = fixture_print(f.ir);
    CU_ASSERT_EQUAL_FATAL(gruc_ir_clone(f.ir, &arena, &clone), GRUC_OK);
    CU_ASSERT_EQUAL(gruc_pass_expand_gru(clone, &options, &f.diag), GRUC_OK);
    char *after = fixture_print(f.ir);
    CU_ASSERT_STRING_EQUAL(before, after);
    free(after);
    fixture_end(&f); /* the clone must not need it, but for the tensors' data */
    char *expanded = fixture_print(clone);
    CU_ASSERT_PTR_NOT_NULL(strstr(expanded, "scan("));
    free(expanded);
    free(before);
    gruc_arena_finish(&arena);
}

static const char small_text[] = "module \"m\" batch 0\n"
                                 "symbol \"x\" steps 0\n"
                                 "body {\n"
                                 "  %0: f32[rows, s0, 2] = input {index=0}\n"
                                 "  %1: f32[rows, s0, 2] = neg(%0)\n"
                                 "}\n"
                                 "input \"x\" %0 [batch, s0, 2]\n"
                                 "output \"y\" %1 [batch, s0, 2]\n";

/* Replaces the first `from` of the text by `to`; the caller frees the result. */
static char *edit(const char *from, const char *to)
{
    const char *at = strstr(small_text, from);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    size_t size = sizeof small_text + strlen(to);
    char *text = malloc(size);
    snprintf(text, size, "%.*s%s%s", (int)(at - small_text), small_text, to, at + strlen(from));
    return text;
}

static void test_parse_faults(void)
{
    static const struct {
        const char *from, *to, *words;
        unsigned line;
    } rows[] = {
        {"module", "modul", "expected module", 1},
        {"\"m\"", "\"m", "closing quote", 1},
        {"\"m\"", "\"\\q\"", "escapes", 1},
        {"batch 0", "batch -1", "integer in range", 1},
        {"neg(%0)", "negate(%0)", "an operation", 5},
        {"neg(%0)", "neg(%1)", "a value defined before", 5},
        {"neg(%0)", "neg(%7)", "a value defined before", 5},
        {"neg(%0)", "neg(%0", "')'", 6},
        {"%1: ", "%2: ", "numbered in order", 5},
        {"{index=0}", "{number=0}", "an attribute", 4},
        {"{index=0}", "{index=99999999999999999999}", "integer in range", 4},
        {"f32[rows, s0, 2] = input", "f32[rows, s3, 2] = input", "step symbol of the module", 4},
        {"f32[rows, s0, 2] = input", "f16[rows, s0, 2] = input", "f32, i32 or bool", 4},
        {"f32[rows, s0, 2] = input", "f32[rows, s0] = input", "a width after the steps", 4},
        {"f32[rows, s0, 2] = neg", "f32[rows, s0, 3] = neg", "another type", 5},
        {"  %1: f32[rows, s0, 2] = neg", "  neg", "as many results", 5},
        {"[batch, s0, 2]\noutput", "[batch, s0, 3]\noutput", "differ in size", 0},
        {"[batch, s0, 2]\noutput", "[]\noutput", "integer in range", 7},
        {"output", "outputs", "the end", 8},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        struct gruc_ir *ir;
        fixture_begin(&f);
        char *text = edit(rows[i].from, rows[i].to);
        CU_ASSERT_EQUAL(gruc_ir_parse(&f.arena, text, strlen(text), &f.diag, &ir),
                        GRUC_ERROR_INPUT);
        CU_ASSERT_PTR_NULL(ir);
        int same = strstr(f.message, rows[i].words) != NULL && f.line == rows[i].line;
        CU_ASSERT(same);
        if (!same)
            printf("text %zu: line %u '%s', expected line %u '%s'\n", i, f.line, f.message,
                   rows[i].line, rows[i].words);
        free(text);
        fixture_end(&f);
    }
}

/* Every beginning of a good text, and every byte of it replaced, must not be more than an error. */
static void test_parse_damage(void)
{
    struct fixture f;
    struct gruc_ir *ir;
    size_t length = sizeof small_text - 1;
    char text[sizeof small_text];
    for (size_t i = 0; i < 2 * length; i++) {
        fixture_begin(&f);
        memcpy(text, small_text, sizeof text);
        size_t used = i < length ? i : length;
        if (i >= length)
            text[i - length] = '%';
        enum gruc_status status = gruc_ir_parse(&f.arena, text, used, &f.diag, &ir);
        CU_ASSERT(status == GRUC_OK || (status == GRUC_ERROR_INPUT && f.diag.errors > 0));
        fixture_end(&f);
    }
    fixture_begin(&f);
    CU_ASSERT_EQUAL(gruc_ir_parse(&f.arena, small_text, length, &f.diag, &ir), GRUC_OK);
    fixture_end(&f);
}

/* However little memory there is, building goes on and verify says so. */
static void test_memory(void)
{
    unsigned failures = 0;
    struct fixture f;
    fixture_begin(&f);
    size_t start = f.arena.total;
    make_rich_model(&f);
    size_t needed = f.arena.total;
    fixture_end(&f);
    for (size_t limit = start; limit < needed; limit += 64) {
        fixture_begin(&f);
        f.arena.limit = limit;
        make_rich_model(&f);
        enum gruc_status status = gruc_ir_verify(f.ir, "test", &f.diag);
        CU_ASSERT(status == GRUC_ERROR_MEMORY || status == GRUC_ERROR_INTERNAL);
        failures += status == GRUC_ERROR_MEMORY;
        fixture_end(&f);
    }
    CU_ASSERT(failures > 10);
}

CU_TestInfo gruc_ir_tests[] = {
    {"ranges of sums", test_sum_ranges},
    {"names of operations and activations", test_names},
    {"shapes of operations", test_shapes},
    {"shapes of gru, before and after expansion", test_gru_shapes},
    {"verify finds each fault", test_verify_faults},
    {"print and parse round trip after each pass", test_round_trip},
    {"clone", test_clone},
    {"parse locates faults", test_parse_faults},
    {"parse survives damaged text", test_parse_damage},
    {"building without memory", test_memory},
    CU_TEST_INFO_NULL,
};

/* SPDX-License-Identifier: MIT */
#include <locale.h>
#include <string.h>

#include "ir/build.h"
#include "ir/lexer.h"
#include "ir/opcode.h"
#include "ir/shape.h"
#include "ir/text.h"

/* Larger tensors in a text are a mistake or an attack: their data is only zeros. */
enum { MOST_TENSOR_BYTES = 1 << 28, MOST_LIST = 4096 };

struct parser {
    struct gruc_lexer lexer;
    struct gruc_ir *ir;
    gruc_ref *values; /* by number in the text; GRUC_NONE until the operation is complete */
    size_t n_values, values_capacity;
};

/* One list of values being read. */
struct list {
    gruc_ref *items;
    size_t count, capacity;
};

/* Results and arguments being defined. */
struct definitions {
    struct definition {
        const char *name;
        struct gruc_type type;
    } * items;
    size_t count, capacity;
    size_t first; /* number of the first */
};

#define GROW(parser, items, count, capacity)                                                       \
    gruc_arena_grow((parser)->lexer.arena, (void **)&(items), (count), &(capacity), sizeof *(items))

static enum gruc_status parse_steps(struct parser *parser, struct gruc_steps *out)
{
    *out = (struct gruc_steps){-1, 1};
    if (parser->lexer.token != GRUC_TOKEN_WORD)
        return gruc_lexer_unsigned(&parser->lexer, &out->factor);
    uint32_t symbol;
    GRUC_TRY(gruc_lexer_symbol(&parser->lexer, &symbol));
    if (symbol >= parser->ir->n_symbols)
        return gruc_lexer_fail(&parser->lexer, "a step symbol of the module");
    out->symbol = (int32_t)symbol;
    if (!gruc_lexer_is_mark(&parser->lexer, '*'))
        return GRUC_OK;
    GRUC_TRY(gruc_lexer_next(&parser->lexer));
    return gruc_lexer_unsigned(&parser->lexer, &out->factor);
}

static enum gruc_status parse_dtype(struct parser *parser, enum gruc_dtype *out)
{
    for (unsigned i = 0; i < 3; i++) {
        if (gruc_lexer_is_word(&parser->lexer, gruc_dtype_names[i])) {
            *out = (enum gruc_dtype)i;
            return gruc_lexer_next(&parser->lexer);
        }
    }
    return gruc_lexer_fail(&parser->lexer, "f32, i32 or bool");
}

static enum gruc_status parse_type(struct parser *parser, struct gruc_type *out)
{
    struct gruc_lexer *lexer = &parser->lexer;
    struct gruc_steps steps;
    *out = (struct gruc_type){.steps = {-1, 1}, .rows = 1};
    GRUC_TRY(parse_dtype(parser, &out->dtype));
    GRUC_TRY(gruc_lexer_mark(lexer, '['));
    if (!gruc_lexer_is_word(lexer, "rows")) {
        GRUC_TRY(gruc_lexer_unsigned(lexer, &out->rows));
    } else {
        GRUC_TRY(gruc_lexer_next(lexer));
        out->axes = GRUC_AXIS_ROWS;
    }
    GRUC_TRY(gruc_lexer_mark(lexer, ','));
    GRUC_TRY(parse_steps(parser, &steps));
    if (gruc_lexer_is_mark(lexer, ',')) {
        GRUC_TRY(gruc_lexer_next(lexer));
        out->axes |= GRUC_AXIS_STEPS;
        out->steps = steps;
        GRUC_TRY(gruc_lexer_unsigned(lexer, &out->width));
    } else if (steps.symbol >= 0) {
        return gruc_lexer_fail(lexer, "a width after the steps");
    } else {
        out->width = steps.factor;
    }
    return gruc_lexer_mark(lexer, ']');
}

/* %n "name": type, where n is the next free number. */
static enum gruc_status parse_definition(struct parser *parser, struct definitions *out)
{
    struct gruc_lexer *lexer = &parser->lexer;
    struct definition definition = {0};
    if (out->count == 0)
        out->first = parser->n_values;
    if (!GROW(parser, parser->values, parser->n_values, parser->values_capacity) ||
        !GROW(parser, out->items, out->count, out->capacity))
        return GRUC_ERROR_MEMORY;
    uint32_t number;
    if (lexer->token != GRUC_TOKEN_VALUE || out->count >= MOST_LIST)
        return gruc_lexer_fail(lexer, "a value like %0");
    struct gruc_lexer before = *lexer;
    GRUC_TRY(gruc_lexer_value(lexer, &number));
    if (number != parser->n_values)
        return gruc_lexer_fail(&before, "values numbered in order");
    if (lexer->token == GRUC_TOKEN_TEXT)
        GRUC_TRY(gruc_lexer_text(lexer, &definition.name));
    GRUC_TRY(gruc_lexer_mark(lexer, ':'));
    GRUC_TRY(parse_type(parser, &definition.type));
    parser->values[parser->n_values++] = GRUC_NONE;
    out->items[out->count++] = definition;
    return GRUC_OK;
}

static enum gruc_status parse_definitions(struct parser *parser, struct definitions *out)
{
    GRUC_TRY(parse_definition(parser, out));
    while (gruc_lexer_is_mark(&parser->lexer, ',')) {
        GRUC_TRY(gruc_lexer_next(&parser->lexer));
        GRUC_TRY(parse_definition(parser, out));
    }
    return GRUC_OK;
}

static enum gruc_status parse_use(struct parser *parser, gruc_ref *out)
{
    struct gruc_lexer before = parser->lexer;
    uint32_t number;
    GRUC_TRY(gruc_lexer_value(&parser->lexer, &number));
    if (number >= parser->n_values || parser->values[number] == GRUC_NONE)
        return gruc_lexer_fail(&before, "a value defined before");
    *out = parser->values[number];
    return GRUC_OK;
}

static enum gruc_status parse_uses(struct parser *parser, struct list *out)
{
    for (;;) {
        if (!GROW(parser, out->items, out->count, out->capacity))
            return GRUC_ERROR_MEMORY;
        GRUC_TRY(parse_use(parser, &out->items[out->count++]));
        if (!gruc_lexer_is_mark(&parser->lexer, ','))
            return GRUC_OK;
        GRUC_TRY(gruc_lexer_next(&parser->lexer));
    }
}

static enum gruc_status parse_attribute(struct parser *parser, struct gruc_op *op)
{
    struct gruc_lexer *lexer = &parser->lexer;
    unsigned name = 0;
    while (name < GRUC_ATTRIBUTE_COUNT &&
           !gruc_lexer_is_word(lexer, gruc_attribute_text((enum gruc_attribute_name)name)))
        name++;
    if (name == GRUC_ATTRIBUTE_COUNT || op->n_attributes == GRUC_ATTRIBUTE_COUNT)
        return gruc_lexer_fail(lexer, "an attribute");
    struct gruc_attribute *attribute = &op->attributes[op->n_attributes++];
    attribute->name = (enum gruc_attribute_name)name;
    GRUC_TRY(gruc_lexer_next(lexer));
    GRUC_TRY(gruc_lexer_mark(lexer, '='));
    switch (gruc_attribute_kind(attribute->name)) {
    case GRUC_KIND_INTEGER:
        return gruc_lexer_integer(lexer, INT64_MIN, INT64_MAX, &attribute->value.integer);
    case GRUC_KIND_NUMBER:
        return gruc_lexer_number(lexer, &attribute->value.number);
    case GRUC_KIND_TEXT:
        break;
    }
    return gruc_lexer_text(lexer, &attribute->value.text);
}

static void name_values(struct parser *parser, const struct definitions *definitions,
                        const gruc_ref *values)
{
    for (size_t i = 0; i < definitions->count; i++) {
        parser->values[definitions->first + i] = values[i];
        parser->ir->values[values[i]].name = definitions->items[i].name;
    }
}

static enum gruc_status parse_op(struct parser *parser, gruc_ref region);

/* region(arguments) { operations yield values } */
static enum gruc_status parse_region(struct parser *parser, gruc_ref outer, gruc_ref *out)
{
    struct gruc_lexer *lexer = &parser->lexer;
    struct definitions arguments = {0};
    struct list yields = {0};
    if (outer != 0)
        return gruc_lexer_fail(lexer, "no region within a region");
    gruc_ref region = gruc_ir_add_region(parser->ir);
    GRUC_TRY(gruc_lexer_next(lexer));
    GRUC_TRY(gruc_lexer_mark(lexer, '('));
    GRUC_TRY(parse_definitions(parser, &arguments));
    for (size_t i = 0; i < arguments.count; i++)
        gruc_ir_add_argument(parser->ir, region, arguments.items[i].type);
    if (parser->ir->failed)
        return GRUC_ERROR_MEMORY;
    name_values(parser, &arguments, parser->ir->regions[region].arguments);
    GRUC_TRY(gruc_lexer_mark(lexer, ')'));
    GRUC_TRY(gruc_lexer_mark(lexer, '{'));
    while (!gruc_lexer_is_word(lexer, "yield"))
        GRUC_TRY(parse_op(parser, region));
    GRUC_TRY(gruc_lexer_next(lexer));
    GRUC_TRY(parse_uses(parser, &yields));
    gruc_ir_set_yields(parser->ir, region, yields.items, yields.count);
    *out = region;
    return gruc_lexer_mark(lexer, '}');
}

/* code(operands) {attributes} region */
static enum gruc_status parse_op_body(struct parser *parser, gruc_ref region, struct gruc_op *op)
{
    struct gruc_lexer *lexer = &parser->lexer;
    op->code = lexer->token == GRUC_TOKEN_WORD
                   ? gruc_opcode_find(lexer->start, (size_t)(lexer->at - lexer->start))
                   : GRUC_OP_COUNT;
    if (op->code == GRUC_OP_COUNT)
        return gruc_lexer_fail(lexer, "an operation");
    GRUC_TRY(gruc_lexer_next(lexer));
    if (gruc_lexer_is_mark(lexer, '(')) {
        struct list operands = {0};
        GRUC_TRY(gruc_lexer_next(lexer));
        GRUC_TRY(parse_uses(parser, &operands));
        op->operands = operands.items;
        op->n_operands = (uint32_t)operands.count;
        GRUC_TRY(gruc_lexer_mark(lexer, ')'));
    }
    if (gruc_lexer_is_mark(lexer, '{')) {
        op->attributes = GRUC_NEW_ARRAY(lexer->arena, struct gruc_attribute, GRUC_ATTRIBUTE_COUNT);
        if (op->attributes == NULL)
            return GRUC_ERROR_MEMORY;
        GRUC_TRY(gruc_lexer_next(lexer));
        while (!gruc_lexer_is_mark(lexer, '}'))
            GRUC_TRY(parse_attribute(parser, op));
        GRUC_TRY(gruc_lexer_next(lexer));
    }
    return gruc_lexer_is_word(lexer, "region") ? parse_region(parser, region, &op->region)
                                               : GRUC_OK;
}

static enum gruc_status parse_op(struct parser *parser, gruc_ref region)
{
    struct gruc_lexer *lexer = &parser->lexer, before = *lexer;
    struct definitions results = {0};
    struct gruc_op op = {.region = GRUC_NONE};
    if (lexer->token == GRUC_TOKEN_VALUE) {
        GRUC_TRY(parse_definitions(parser, &results));
        GRUC_TRY(gruc_lexer_mark(lexer, '='));
    }
    GRUC_TRY(parse_op_body(parser, region, &op));
    if (results.count != gruc_shape_results(parser->ir, &op))
        return gruc_lexer_fail(&before, "as many results as the operation has");
    struct gruc_type *types = GRUC_NEW_ARRAY(lexer->arena, struct gruc_type, results.count);
    if (types == NULL)
        return GRUC_ERROR_MEMORY;
    for (size_t i = 0; i < results.count; i++)
        types[i] = results.items[i].type;
    struct gruc_builder builder = {parser->ir, region, {before.line, 1, 0}};
    gruc_ref made = gruc_build_op_like(&builder, &op, types);
    if (parser->ir->failed)
        return GRUC_ERROR_MEMORY;
    name_values(parser, &results, parser->ir->ops[made].results);
    return GRUC_OK;
}

static enum gruc_status parse_symbol(struct parser *parser)
{
    struct gruc_symbol *symbol = &parser->ir->symbols[parser->ir->n_symbols];
    int64_t steps;
    if (parser->ir->n_symbols == GRUC_ABI_MAX_STEPS)
        return gruc_lexer_fail(&parser->lexer, "fewer step symbols");
    GRUC_TRY(gruc_lexer_text(&parser->lexer, &symbol->name));
    GRUC_TRY(gruc_lexer_word(&parser->lexer, "steps"));
    GRUC_TRY(gruc_lexer_integer(&parser->lexer, 0, INT64_MAX, &steps));
    symbol->steps = (uint64_t)steps;
    parser->ir->n_symbols++;
    return GRUC_OK;
}

static enum gruc_status parse_tensor(struct parser *parser)
{
    const char *name;
    uint32_t rows, columns;
    GRUC_TRY(gruc_lexer_text(&parser->lexer, &name));
    GRUC_TRY(gruc_lexer_unsigned(&parser->lexer, &rows));
    GRUC_TRY(gruc_lexer_unsigned(&parser->lexer, &columns));
    if ((uint64_t)rows * columns > MOST_TENSOR_BYTES / sizeof(float))
        return gruc_lexer_fail(&parser->lexer, "a smaller tensor before this");
    float *data = GRUC_NEW_ARRAY(parser->lexer.arena, float, (size_t)rows *columns);
    if (data == NULL)
        return GRUC_ERROR_MEMORY;
    gruc_ir_add_tensor(parser->ir, name, rows, columns, data);
    return GRUC_OK;
}

static enum gruc_status parse_slot(struct parser *parser)
{
    const char *name;
    uint32_t width;
    GRUC_TRY(gruc_lexer_text(&parser->lexer, &name));
    GRUC_TRY(gruc_lexer_unsigned(&parser->lexer, &width));
    gruc_ir_add_slot(parser->ir, name, width);
    return GRUC_OK;
}

static enum gruc_status parse_numbers(struct parser *parser, double out[3])
{
    for (int i = 0; i < 3; i++) {
        GRUC_TRY(gruc_lexer_mark(&parser->lexer, i == 0 ? '(' : ','));
        GRUC_TRY(gruc_lexer_number(&parser->lexer, &out[i]));
    }
    return gruc_lexer_mark(&parser->lexer, ')');
}

static enum gruc_status parse_field(struct parser *parser, const struct gruc_field *field,
                                    struct gruc_gru *gru)
{
    struct gruc_lexer *lexer = &parser->lexer;
    void *at = (unsigned char *)gru + field->offset;
    uint32_t number = GRUC_NONE;
    const char *text = NULL;
    double numbers[3];
    GRUC_TRY(gruc_lexer_word(lexer, field->name));
    GRUC_TRY(gruc_lexer_mark(lexer, '='));
    int none = gruc_lexer_is_word(lexer, "none");
    switch (field->kind) {
    case GRUC_FIELD_REF:
    case GRUC_FIELD_INTEGER:
    case GRUC_FIELD_UNSIGNED:
        if (field->kind != GRUC_FIELD_REF || !none)
            GRUC_TRY(gruc_lexer_unsigned(lexer, &number));
        memcpy(at, &number, sizeof number);
        break;
    case GRUC_FIELD_TEXT:
        if (!none)
            GRUC_TRY(gruc_lexer_text(lexer, &text));
        memcpy(at, &text, sizeof text);
        break;
    case GRUC_FIELD_NUMBERS:
        GRUC_TRY(parse_numbers(parser, numbers));
        memcpy(at, numbers, sizeof numbers);
        return GRUC_OK;
    }
    int may_be_none = field->kind == GRUC_FIELD_REF || field->kind == GRUC_FIELD_TEXT;
    return none && may_be_none ? gruc_lexer_next(lexer) : GRUC_OK;
}

static enum gruc_status parse_gru(struct parser *parser)
{
    struct gruc_gru gru = {0};
    GRUC_TRY(gruc_lexer_text(&parser->lexer, &gru.name));
    GRUC_TRY(gruc_lexer_mark(&parser->lexer, '{'));
    for (const struct gruc_field *field = gruc_gru_fields; field->name != NULL; field++)
        GRUC_TRY(parse_field(parser, field, &gru));
    gruc_ir_add_gru(parser->ir, &gru);
    return gruc_lexer_mark(&parser->lexer, '}');
}

static enum gruc_status parse_dims(struct parser *parser, struct gruc_tensor_info *info)
{
    struct gruc_lexer *lexer = &parser->lexer;
    do {
        GRUC_TRY(gruc_lexer_next(lexer));
        if (info->rank == GRUC_ABI_MAX_RANK)
            return gruc_lexer_fail(lexer, "fewer axes");
        int64_t *length = &info->dims[info->rank++];
        uint32_t symbol;
        if (gruc_lexer_is_word(lexer, "batch")) {
            *length = GRUC_DIM_BATCH;
            GRUC_TRY(gruc_lexer_next(lexer));
        } else if (lexer->token == GRUC_TOKEN_WORD) {
            GRUC_TRY(gruc_lexer_symbol(lexer, &symbol));
            *length = GRUC_DIM_STEPS(symbol);
        } else {
            GRUC_TRY(gruc_lexer_integer(lexer, 0, INT64_MAX, length));
        }
    } while (gruc_lexer_is_mark(lexer, ','));
    return gruc_lexer_mark(lexer, ']');
}

static enum gruc_status parse_port(struct parser *parser, int is_output)
{
    struct gruc_lexer *lexer = &parser->lexer;
    struct gruc_port port = {0};
    GRUC_TRY(gruc_lexer_text(lexer, &port.name));
    GRUC_TRY(parse_use(parser, &port.value));
    if (!gruc_lexer_is_mark(lexer, '['))
        return gruc_lexer_fail(lexer, "'['");
    GRUC_TRY(parse_dims(parser, &port.info));
    if (gruc_lexer_is_word(lexer, "time_major")) {
        port.time_major = 1;
        GRUC_TRY(gruc_lexer_next(lexer));
    }
    port.info.dtype = parser->ir->values[port.value].type.dtype;
    size_t length = strlen(port.name);
    memcpy(port.info.name, port.name,
           length < GRUC_ABI_NAME_BYTES ? length : GRUC_ABI_NAME_BYTES - 1);
    gruc_ir_add_port(parser->ir, is_output, &port);
    return GRUC_OK;
}

static enum gruc_status parse_tables(struct parser *parser)
{
    struct gruc_lexer *lexer = &parser->lexer;
    static const struct {
        const char *word;
        enum gruc_status (*parse)(struct parser *parser);
    } tables[] = {{"symbol", parse_symbol},
                  {"tensor", parse_tensor},
                  {"slot", parse_slot},
                  {"gru", parse_gru}};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        while (gruc_lexer_is_word(lexer, tables[i].word)) {
            GRUC_TRY(gruc_lexer_next(lexer));
            GRUC_TRY(tables[i].parse(parser));
        }
    }
    return GRUC_OK;
}

static enum gruc_status parse_module(struct parser *parser, struct gruc_arena *arena)
{
    struct gruc_lexer *lexer = &parser->lexer;
    const char *name;
    int64_t batch;
    GRUC_TRY(gruc_lexer_word(lexer, "module"));
    GRUC_TRY(gruc_lexer_text(lexer, &name));
    GRUC_TRY(gruc_ir_create(arena, name, &parser->ir));
    GRUC_TRY(gruc_lexer_word(lexer, "batch"));
    GRUC_TRY(gruc_lexer_integer(lexer, 0, INT64_MAX, &batch));
    parser->ir->batch = (uint64_t)batch;
    GRUC_TRY(parse_tables(parser));
    GRUC_TRY(gruc_lexer_word(lexer, "body"));
    GRUC_TRY(gruc_lexer_mark(lexer, '{'));
    while (!gruc_lexer_is_mark(lexer, '}'))
        GRUC_TRY(parse_op(parser, 0));
    GRUC_TRY(gruc_lexer_next(lexer));
    static const char *const words[] = {"input", "output"};
    for (int i = 0; i < 2; i++) {
        while (gruc_lexer_is_word(lexer, words[i])) {
            GRUC_TRY(gruc_lexer_next(lexer));
            GRUC_TRY(parse_port(parser, i));
        }
    }
    if (lexer->token != GRUC_TOKEN_END)
        return gruc_lexer_fail(lexer, "an input, an output or the end");
    enum gruc_status status = gruc_ir_verify(parser->ir, "parse", lexer->diag);
    return status == GRUC_ERROR_INTERNAL ? GRUC_ERROR_INPUT : status;
}

enum gruc_status gruc_ir_parse(struct gruc_arena *arena, const char *text, size_t length,
                               struct gruc_diag *diag, struct gruc_ir **out)
{
    *out = NULL;
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0)
        return GRUC_ERROR_MEMORY;
    locale_t before = uselocale(plain); /* a decimal point, whatever the program's locale */
    struct parser parser = {0};
    enum gruc_status status = gruc_lexer_begin(&parser.lexer, arena, text, length, diag);
    if (status == GRUC_OK)
        status = parse_module(&parser, arena);
    uselocale(before);
    freelocale(plain);
    if (status == GRUC_OK)
        *out = parser.ir;
    return status;
}

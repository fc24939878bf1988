/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "ir/base/strbuf.h"
#include "ir/opcode.h"
#include "ir/text.h"

const struct gruc_field gruc_gru_fields[] = {
#define FIELD(name, kind) {#name, GRUC_FIELD_##kind, offsetof(struct gruc_gru, name)},
    GRUC_GRU_FIELDS(FIELD)
#undef FIELD
        {NULL, GRUC_FIELD_INTEGER, 0},
};

const char *const gruc_dtype_names[3] = {"f32", "i32", "bool"};

struct printer {
    const struct gruc_ir *ir;
    FILE *file;
    uint32_t *numbers; /* by value: as written */
    uint32_t count;
};

static void print_text(struct printer *printer, const char *text)
{
    fputc('"', printer->file);
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            fprintf(printer->file, "\\%c", *c);
        else if (*c < ' ' || *c == 0x7f)
            fprintf(printer->file, "\\x%02x", *c);
        else
            fputc(*c, printer->file);
    }
    fputc('"', printer->file);
}

/* With as few digits as give the same number back. */
static void print_number(struct printer *printer, double number)
{
    char text[32];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    fputs(number != number ? "nan" : text, printer->file);
}

static void print_steps(struct printer *printer, struct gruc_steps steps)
{
    if (steps.symbol < 0)
        fprintf(printer->file, "%" PRIu32, steps.factor);
    else if (steps.factor == 1)
        fprintf(printer->file, "s%" PRId32, steps.symbol);
    else
        fprintf(printer->file, "s%" PRId32 "*%" PRIu32, steps.symbol, steps.factor);
}

static void print_type(struct printer *printer, const struct gruc_type *type)
{
    fprintf(printer->file, "%s[", gruc_dtype_names[type->dtype]);
    if (type->axes & GRUC_AXIS_ROWS)
        fputs("rows, ", printer->file);
    else
        fprintf(printer->file, "%" PRIu32 ", ", type->rows);
    if (type->axes & GRUC_AXIS_STEPS) {
        print_steps(printer, type->steps);
        fputs(", ", printer->file);
    }
    fprintf(printer->file, "%" PRIu32 "]", type->width);
}

/* A value where it is defined: its number, name and type. */
static void print_definition(struct printer *printer, gruc_ref value)
{
    const struct gruc_value *defined = &printer->ir->values[value];
    printer->numbers[value] = printer->count;
    fprintf(printer->file, "%%%" PRIu32, printer->count++);
    if (defined->name != NULL) {
        fputc(' ', printer->file);
        print_text(printer, defined->name);
    }
    fputs(": ", printer->file);
    print_type(printer, &defined->type);
}

static void print_definitions(struct printer *printer, const gruc_ref *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fputs(i == 0 ? "" : ", ", printer->file);
        print_definition(printer, values[i]);
    }
}

static void print_uses(struct printer *printer, const gruc_ref *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fprintf(printer->file, "%s%%%" PRIu32, i == 0 ? "" : ", ", printer->numbers[values[i]]);
}

static void print_attributes(struct printer *printer, const struct gruc_op *op)
{
    if (op->n_attributes == 0)
        return;
    fputs(" {", printer->file);
    for (uint32_t i = 0; i < op->n_attributes; i++) {
        const struct gruc_attribute *attribute = &op->attributes[i];
        fprintf(printer->file, "%s%s=", i == 0 ? "" : " ", gruc_attribute_text(attribute->name));
        switch (gruc_attribute_kind(attribute->name)) {
        case GRUC_KIND_INTEGER:
            fprintf(printer->file, "%" PRId64, attribute->value.integer);
            break;
        case GRUC_KIND_NUMBER:
            print_number(printer, attribute->value.number);
            break;
        case GRUC_KIND_TEXT:
            print_text(printer, attribute->value.text);
            break;
        }
    }
    fputc('}', printer->file);
}

static void print_ops(struct printer *printer, gruc_ref region, int indent);

static void print_op(struct printer *printer, const struct gruc_op *op, int indent)
{
    fprintf(printer->file, "%*s", indent, "");
    print_definitions(printer, op->results, op->n_results);
    fprintf(printer->file, "%s%s", op->n_results == 0 ? "" : " = ", gruc_opcode_name(op->code));
    if (op->n_operands > 0) {
        fputc('(', printer->file);
        print_uses(printer, op->operands, op->n_operands);
        fputc(')', printer->file);
    }
    print_attributes(printer, op);
    if (op->region != GRUC_NONE) {
        const struct gruc_region *region = &printer->ir->regions[op->region];
        fputs(" region(", printer->file);
        print_definitions(printer, region->arguments, region->n_arguments);
        fputs(") {\n", printer->file);
        print_ops(printer, op->region, indent + 2);
        fprintf(printer->file, "%*syield ", indent + 2, "");
        print_uses(printer, region->yields, region->n_yields);
        fprintf(printer->file, "\n%*s}", indent, "");
    }
    fputc('\n', printer->file);
}

static void print_ops(struct printer *printer, gruc_ref region, int indent)
{
    const struct gruc_region *list = &printer->ir->regions[region];
    for (size_t i = 0; i < list->n_ops; i++)
        print_op(printer, &printer->ir->ops[list->ops[i]], indent);
}

static void print_field(struct printer *printer, const struct gruc_gru *gru,
                        const struct gruc_field *field)
{
    const void *at = (const unsigned char *)gru + field->offset;
    uint32_t number;
    const char *text;
    double numbers[3];
    fprintf(printer->file, "%s=", field->name);
    switch (field->kind) {
    case GRUC_FIELD_INTEGER:
    case GRUC_FIELD_UNSIGNED:
    case GRUC_FIELD_REF:
        memcpy(&number, at, sizeof number);
        if (field->kind == GRUC_FIELD_REF && number == GRUC_NONE)
            fputs("none", printer->file);
        else
            fprintf(printer->file, "%" PRIu32, number);
        break;
    case GRUC_FIELD_TEXT:
        memcpy(&text, at, sizeof text);
        if (text == NULL)
            fputs("none", printer->file);
        else
            print_text(printer, text);
        break;
    case GRUC_FIELD_NUMBERS:
        memcpy(numbers, at, sizeof numbers);
        for (int i = 0; i < 3; i++) {
            fputs(i == 0 ? "(" : ", ", printer->file);
            print_number(printer, numbers[i]);
        }
        fputc(')', printer->file);
        break;
    }
}

static void print_tables(struct printer *printer)
{
    const struct gruc_ir *ir = printer->ir;
    fputs("module ", printer->file);
    print_text(printer, ir->name);
    fprintf(printer->file, " batch %" PRIu64 "\n", ir->batch);
    for (size_t i = 0; i < ir->n_symbols; i++) {
        fputs("symbol ", printer->file);
        print_text(printer, ir->symbols[i].name == NULL ? "" : ir->symbols[i].name);
        fprintf(printer->file, " steps %" PRIu64 "\n", ir->symbols[i].steps);
    }
    for (size_t i = 0; i < ir->n_tensors; i++) {
        fputs("tensor ", printer->file);
        print_text(printer, ir->tensors[i].name);
        fprintf(printer->file, " %" PRIu32 " %" PRIu32 "\n", ir->tensors[i].rows,
                ir->tensors[i].columns);
    }
    for (size_t i = 0; i < ir->n_slots; i++) {
        fputs("slot ", printer->file);
        print_text(printer, ir->slots[i].name);
        fprintf(printer->file, " %" PRIu32 "\n", ir->slots[i].width);
    }
    for (size_t i = 0; i < ir->n_grus; i++) {
        fputs("gru ", printer->file);
        print_text(printer, ir->grus[i].name);
        for (const struct gruc_field *field = gruc_gru_fields; field->name != NULL; field++) {
            fputs(field == gruc_gru_fields ? " {" : " ", printer->file);
            print_field(printer, &ir->grus[i], field);
        }
        fputs("}\n", printer->file);
    }
}

static void print_port(struct printer *printer, const char *word, const struct gruc_port *port)
{
    fprintf(printer->file, "%s ", word);
    print_text(printer, port->name);
    fprintf(printer->file, " %%%" PRIu32 " [", printer->numbers[port->value]);
    for (uint32_t i = 0; i < port->info.rank; i++) {
        int64_t length = port->info.dims[i];
        fputs(i == 0 ? "" : ", ", printer->file);
        if (length >= 0)
            fprintf(printer->file, "%" PRId64, length);
        else if (length == GRUC_DIM_BATCH)
            fputs("batch", printer->file);
        else
            fprintf(printer->file, "s%" PRId64, GRUC_DIM_STEPS(0) - length);
    }
    fprintf(printer->file, "]%s\n", port->time_major ? " time_major" : "");
}

static void print_module(struct printer *printer)
{
    const struct gruc_ir *ir = printer->ir;
    print_tables(printer);
    fputs("body {\n", printer->file);
    print_ops(printer, 0, 2);
    fputs("}\n", printer->file);
    for (size_t i = 0; i < ir->n_inputs; i++)
        print_port(printer, "input", &ir->inputs[i]);
    for (size_t i = 0; i < ir->n_outputs; i++)
        print_port(printer, "output", &ir->outputs[i]);
}

enum gruc_status gruc_ir_print(const struct gruc_ir *ir, FILE *file)
{
    struct printer printer = {.ir = ir, .file = file};
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    printer.numbers = calloc(ir->n_values, sizeof *printer.numbers);
    enum gruc_status status = GRUC_ERROR_MEMORY;
    if (plain != (locale_t)0 && printer.numbers != NULL) {
        locale_t before = uselocale(plain); /* a decimal point, whatever the program's locale */
        print_module(&printer);
        uselocale(before);
        status = ferror(file) ? GRUC_ERROR_IO : GRUC_OK;
    }
    free(printer.numbers);
    if (plain != (locale_t)0)
        freelocale(plain);
    return status;
}

enum gruc_status gruc_ir_print_text(const struct gruc_ir *ir, struct gruc_strbuf *out)
{
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    if (file == NULL)
        return GRUC_ERROR_MEMORY;
    enum gruc_status status = gruc_ir_print(ir, file);
    if ((fclose(file) != 0 || text == NULL) && status == GRUC_OK)
        status = GRUC_ERROR_MEMORY;
    if (status == GRUC_OK)
        gruc_strbuf_append(out, text, length);
    free(text);
    return status == GRUC_OK && out->failed ? GRUC_ERROR_MEMORY : status;
}

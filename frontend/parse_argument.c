/* SPDX-License-Identifier: MIT */
/* The value of one argument by the type and range of its row. */
#include <stdlib.h>
#include <string.h>

#include "frontend/parse.h"

enum { NAME_BYTES = 40, ROOM = 80 };

static void report_type(struct gruc_parser *parser, enum gruc_layer_kind kind,
                        const struct gruc_argument_row *row, const struct gruc_yaml *node)
{
    char room[ROOM];
    gruc_diag_error(parser->diag, GRUC_E_ARGUMENT_TYPE, node->mark,
                    "'%s' of %s must be %s, not %s", row->name, gruc_layer_row(kind)->name,
                    gruc_argument_type_text(row->type),
                    gruc_yaml_describe(node, room, sizeof room));
}

/* "low..high", either end may be missing. */
static int in_range(const char *range, double value)
{
    const char *dots = strstr(range, "..");
    if (dots == NULL)
        return 1;
    if (dots != range && !(value >= strtod(range, NULL)))
        return 0;
    return dots[2] == '\0' || value <= strtod(dots + 2, NULL);
}

static void check_range(struct gruc_parser *parser, enum gruc_layer_kind kind,
                        const struct gruc_argument_row *row, const struct gruc_yaml *node,
                        double value)
{
    if (in_range(row->range, value))
        return;
    const char *dots = strstr(row->range, "..");
    const char *layer = gruc_layer_row(kind)->name;
    if (dots[2] == '\0')
        gruc_diag_error(parser->diag, GRUC_E_ARGUMENT_RANGE, node->mark,
                        "'%s' of %s must be at least %.*s, not %s", row->name, layer,
                        (int)(dots - row->range), row->range, node->text);
    else
        gruc_diag_error(parser->diag, GRUC_E_ARGUMENT_RANGE, node->mark,
                        "'%s' of %s must lie between %.*s and %s, not %s", row->name, layer,
                        (int)(dots - row->range), row->range, dots + 2, node->text);
}

static void parse_integer(struct gruc_parser *parser, enum gruc_layer_kind kind,
                          const struct gruc_argument_row *row, const struct gruc_yaml *node,
                          struct gruc_argument *out)
{
    if (gruc_yaml_integer(node, &out->value.integer))
        check_range(parser, kind, row, node, (double)out->value.integer);
    else
        report_type(parser, kind, row, node);
}

/* Keras 2 saves the axis of a BatchNormalization as a list. */
static void parse_axis(struct gruc_parser *parser, enum gruc_layer_kind kind,
                       const struct gruc_argument_row *row, const struct gruc_yaml *node,
                       struct gruc_argument *out)
{
    int is_list = node->kind == GRUC_YAML_SEQUENCE && node->count == 1 &&
                  gruc_parser_lineage(parser) != 1u << GRUC_KERAS3;
    if (!gruc_yaml_integer(is_list ? node->items[0] : node, &out->value.integer))
        report_type(parser, kind, row, node);
}

static void parse_number(struct gruc_parser *parser, enum gruc_layer_kind kind,
                         const struct gruc_argument_row *row, const struct gruc_yaml *node,
                         struct gruc_argument *out)
{
    if (row->type == GRUC_TYPE_NUMBER_OR_NULL && out->null)
        return;
    if (gruc_yaml_number(node, &out->value.number))
        check_range(parser, kind, row, node, out->value.number);
    else
        report_type(parser, kind, row, node);
}

static void parse_choice(struct gruc_parser *parser, enum gruc_layer_kind kind,
                         const struct gruc_argument_row *row, const struct gruc_yaml *node,
                         struct gruc_argument *out)
{
    struct gruc_suggestion hint;
    const char *text = out->null ? "~" : node->kind == GRUC_YAML_SCALAR ? node->text : "";
    char word[NAME_BYTES], best[NAME_BYTES] = "";
    gruc_suggest_begin(&hint, text);
    unsigned distance = hint.distance;
    int64_t index = 0;
    for (const char *at = row->range; *at != '\0'; index++) {
        size_t length = strcspn(at, "|");
        memcpy(word, at, length);
        word[length] = '\0';
        if (strcmp(word, text) == 0) {
            out->value.integer = index;
            return;
        }
        gruc_suggest_offer(&hint, word);
        if (hint.distance < distance) {
            distance = hint.distance;
            memcpy(best, word, length + 1);
        }
        at += length + (at[length] == '|');
    }
    char room[ROOM];
    gruc_diag_error(parser->diag, GRUC_E_ARGUMENT_RANGE, node->mark,
                    "'%s' of %s cannot be %s%s%s%s", row->name, gruc_layer_row(kind)->name,
                    gruc_yaml_describe(node, room, sizeof room),
                    best[0] == '\0' ? "" : "; did you mean '", best, best[0] == '\0' ? "" : "'?");
    gruc_diag_note(parser->diag, (struct gruc_mark){0}, "it is one of %s", row->range);
}

static enum gruc_status parse_shape(struct gruc_parser *parser, enum gruc_layer_kind kind,
                                    const struct gruc_argument_row *row,
                                    const struct gruc_yaml *node, struct gruc_argument *out)
{
    out->value.integers.count = 0;
    if (node->kind != GRUC_YAML_SEQUENCE) {
        report_type(parser, kind, row, node);
        return GRUC_OK;
    }
    int64_t *items = GRUC_NEW_ARRAY(parser->arena, int64_t, node->count);
    if (items == NULL)
        return GRUC_ERROR_MEMORY;
    int unknown = 0;
    for (size_t i = 0; i < node->count; i++) {
        char room[ROOM];
        const struct gruc_yaml *item = node->items[i];
        if (!gruc_yaml_integer(item, &items[i]))
            gruc_diag_error(parser->diag, GRUC_E_ARGUMENT_TYPE, item->mark,
                            "an axis of '%s' must be an integer, not %s", row->name,
                            gruc_yaml_describe(item, room, sizeof room));
        else if (items[i] < -1 || items[i] == 0 || items[i] > INT32_MAX)
            gruc_diag_error(parser->diag, GRUC_E_ARGUMENT_RANGE, item->mark,
                            "an axis of '%s' must be at least 1, or -1, not %s", row->name,
                            item->text);
        else if (items[i] == -1 && unknown++ > 0)
            gruc_diag_error(parser->diag, GRUC_E_ARGUMENT_RANGE, item->mark,
                            "only one axis of '%s' may be -1", row->name);
    }
    if (node->count > GRUC_MODEL_MAX_RANK)
        gruc_diag_error(parser->diag, GRUC_E_ARGUMENT_RANGE, node->mark,
                        "'%s' has %zu axes; at most %d are possible", row->name, node->count,
                        GRUC_MODEL_MAX_RANK);
    out->value.integers.items = items;
    out->value.integers.count = node->count;
    return GRUC_OK;
}

int gruc_parse_check_name(struct gruc_parser *parser, const struct gruc_yaml *node, int for_layer)
{
    static const char *const keywords =
        " alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl"
        " const constexpr const_cast continue decltype default delete do double dynamic_cast else"
        " enum explicit export extern false float for friend goto if inline int long mutable"
        " namespace new noexcept not not_eq nullptr operator or or_eq private protected public"
        " register reinterpret_cast restrict return short signed sizeof static static_assert"
        " static_cast struct switch template this thread_local throw true try typedef typeid"
        " typename union unsigned using virtual void volatile wchar_t while xor xor_eq ";
    char room[ROOM];
    if (node->kind != GRUC_YAML_SCALAR || gruc_yaml_is_null(node)) {
        gruc_diag_error(parser->diag, GRUC_E_BAD_NAME, node->mark, "a name must be a word, not %s",
                        gruc_yaml_describe(node, room, sizeof room));
        return 0;
    }
    const char *text = node->text;
    size_t length = strlen(text);
    size_t good = strspn(text, for_layer ? "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                           "0123456789_-"
                                         : "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                           "0123456789_");
    const char *why = NULL;
    if (length == 0 || length > NAME_BYTES)
        why = "it must have 1 to 40 characters";
    else if (good < length)
        why = for_layer ? "it may have letters, digits, '_' and '-' only"
                        : "it may have letters, digits and '_' only";
    else if (strchr("0123456789-", text[0]) != NULL)
        why = "it must begin with a letter or '_'";
    if (why == NULL) {
        char padded[NAME_BYTES + 3] = " ";
        memcpy(padded + 1, text, length);
        memcpy(padded + 1 + length, " ", 2);
        if (strstr(keywords, padded) != NULL)
            why = "it is a keyword of C or C++, and names become parts of C declarations";
    }
    if (why != NULL)
        gruc_diag_error(parser->diag, GRUC_E_BAD_NAME, node->mark,
                        "'%.60s' cannot be a name: %s", text, why);
    return why == NULL;
}

enum gruc_status gruc_parse_references(struct gruc_parser *parser, const struct gruc_yaml *node,
                                       struct gruc_reference_list *out)
{
    size_t count = node->kind == GRUC_YAML_SEQUENCE ? node->count : 1;
    out->count = 0;
    out->items = GRUC_NEW_ARRAY(parser->arena, struct gruc_reference, count);
    if (out->items == NULL)
        return GRUC_ERROR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct gruc_yaml *item = node->kind == GRUC_YAML_SEQUENCE ? node->items[i] : node;
        char room[ROOM];
        if (item->kind != GRUC_YAML_SCALAR || gruc_yaml_is_null(item))
            gruc_diag_error(parser->diag, GRUC_E_ARGUMENT_TYPE, item->mark,
                            "the name of a tensor is wanted, not %s",
                            gruc_yaml_describe(item, room, sizeof room));
        else
            out->items[out->count++] = (struct gruc_reference){item->text, item->mark};
    }
    return GRUC_OK;
}

static enum gruc_status parse_names(struct gruc_parser *parser, enum gruc_layer_kind kind,
                                    const struct gruc_argument_row *row,
                                    const struct gruc_yaml *node, struct gruc_argument *out)
{
    out->value.references = (struct gruc_reference_list){NULL, 0};
    if (out->null)
        return GRUC_OK;
    if (node->kind == GRUC_YAML_MAPPING ||
        (row->type == GRUC_TYPE_NAME && node->kind != GRUC_YAML_SCALAR)) {
        report_type(parser, kind, row, node);
        return GRUC_OK;
    }
    return gruc_parse_references(parser, node, &out->value.references);
}

enum gruc_status gruc_parse_argument(struct gruc_parser *parser, enum gruc_layer_kind kind,
                                     const struct gruc_argument_row *row,
                                     const struct gruc_yaml *node, struct gruc_argument *out)
{
    int boolean = 0;
    out->null = gruc_yaml_is_null(node);
    switch (row->type) {
    case GRUC_TYPE_INTEGER:
        parse_integer(parser, kind, row, node, out);
        return GRUC_OK;
    case GRUC_TYPE_NUMBER:
    case GRUC_TYPE_NUMBER_OR_NULL:
        parse_number(parser, kind, row, node, out);
        return GRUC_OK;
    case GRUC_TYPE_BOOLEAN:
        if (!gruc_yaml_boolean(node, &boolean))
            report_type(parser, kind, row, node);
        out->value.integer = boolean;
        return GRUC_OK;
    case GRUC_TYPE_AXIS:
        parse_axis(parser, kind, row, node, out);
        return GRUC_OK;
    case GRUC_TYPE_CHOICE:
        parse_choice(parser, kind, row, node, out);
        return GRUC_OK;
    case GRUC_TYPE_ACTIVATION:
        gruc_parse_activation(parser, node, &out->value.activation);
        return GRUC_OK;
    case GRUC_TYPE_INITIALIZER:
        return gruc_parse_initializer(parser, node, &out->value.initializer);
    case GRUC_TYPE_REGULARIZER:
        return out->null ? GRUC_OK
                         : gruc_parse_regularizer(parser, node, &out->value.regularizer);
    case GRUC_TYPE_CONSTRAINT:
        return out->null ? GRUC_OK : gruc_parse_constraint(parser, node, &out->value.constraint);
    case GRUC_TYPE_LAYER:
        if (!out->null)
            return gruc_parse_layer(parser, node, 1, &out->value.layer);
        if (row->initial == NULL)
            report_type(parser, kind, row, node);
        return GRUC_OK;
    case GRUC_TYPE_SHAPE:
        return parse_shape(parser, kind, row, node, out);
    case GRUC_TYPE_LAYER_NAME:
        if (!out->null && gruc_parse_check_name(parser, node, 1))
            out->value.text = node->text;
        return GRUC_OK;
    case GRUC_TYPE_NAME:
    case GRUC_TYPE_NAMES:
        return parse_names(parser, kind, row, node, out);
    case GRUC_TYPE_IGNORED:
        return GRUC_OK;
    }
    return GRUC_OK;
}

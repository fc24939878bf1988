/* SPDX-License-Identifier: MIT */
/* One layer: its class, its arguments as written, and defaults for the others. */
#include <string.h>

#include "frontend/parse.h"

enum { DEFAULT_BYTES = 40 };

static int is_in_lineage(const struct gruc_parser *parser, const struct gruc_argument_row *row)
{
    return (row->lineages & gruc_parser_lineage(parser)) != 0;
}

static void report_unknown_layer(struct gruc_parser *parser, const struct gruc_yaml *node)
{
    struct gruc_suggestion hint;
    gruc_suggest_begin(&hint, node->text);
    for (unsigned i = 0; i < GRUC_LAYER_COUNT; i++)
        gruc_suggest_offer(&hint, gruc_layer_row((enum gruc_layer_kind)i)->name);
    if (hint.best != NULL)
        gruc_diag_error(parser->diag, GRUC_E_UNKNOWN_LAYER, node->mark,
                        "unknown layer '%s'; did you mean '%s'?", node->text, hint.best);
    else
        gruc_diag_error(parser->diag, GRUC_E_UNKNOWN_LAYER, node->mark, "unknown layer '%s'",
                        node->text);
}

static void report_unknown_argument(struct gruc_parser *parser, enum gruc_layer_kind kind,
                                    const struct gruc_yaml *key)
{
    const char *layer = gruc_layer_row(kind)->name;
    struct gruc_suggestion hint;
    gruc_suggest_begin(&hint, key->text);
    size_t count = gruc_layer_argument_count(kind);
    for (size_t i = 0; i < count; i++) {
        const struct gruc_argument_row *row = gruc_argument_row(gruc_layer_argument_id(kind, i));
        if (is_in_lineage(parser, row))
            gruc_suggest_offer(&hint, row->name);
    }
    if (hint.best != NULL)
        gruc_diag_error(parser->diag, GRUC_E_UNKNOWN_ARGUMENT, key->mark,
                        "unknown argument '%s' of %s; did you mean '%s'?", key->text, layer,
                        hint.best);
    else
        gruc_diag_error(parser->diag, GRUC_E_UNKNOWN_ARGUMENT, key->mark,
                        "unknown argument '%s' of %s", key->text, layer);
}

static void report_lineage(struct gruc_parser *parser, enum gruc_layer_kind kind,
                           const struct gruc_argument_row *row, const struct gruc_yaml *key)
{
    const char *where = row->lineages & 1u << GRUC_KERAS3 ? "3" : "1 and 2";
    gruc_diag_error(parser->diag, GRUC_E_ARGUMENT_LINEAGE, key->mark,
                    "argument '%s' of %s is not in keras: %d, only in %s", row->name,
                    gruc_layer_row(kind)->name, (int)parser->model->lineage, where);
}

static int is_call_argument(const char *name)
{
    return strcmp(name, "inputs") == 0 || strcmp(name, "mask") == 0 ||
           strcmp(name, "initial_state") == 0 || strcmp(name, "training") == 0;
}

/* Finds the row of a key; GRUC_ARGUMENT_COUNT after a report. */
static size_t find_argument(struct gruc_parser *parser, enum gruc_layer_kind kind, int wrapped,
                            const struct gruc_yaml *key)
{
    size_t count = gruc_layer_argument_count(kind), index = 0;
    while (index < count &&
           strcmp(gruc_argument_row(gruc_layer_argument_id(kind, index))->name, key->text) != 0)
        index++;
    if (index == count) {
        report_unknown_argument(parser, kind, key);
        return GRUC_ARGUMENT_COUNT;
    }
    const struct gruc_argument_row *row = gruc_argument_row(gruc_layer_argument_id(kind, index));
    if (!is_in_lineage(parser, row)) {
        report_lineage(parser, kind, row, key);
        return GRUC_ARGUMENT_COUNT;
    }
    if (wrapped && is_call_argument(key->text)) {
        gruc_diag_error(parser->diag, GRUC_E_WRAPPED_ARGUMENT, key->mark,
                        "'%s' stands at the wrapper, not at the layer inside it", key->text);
        return GRUC_ARGUMENT_COUNT;
    }
    return index;
}

/* The default of this lineage: the text itself, or its part between bars. */
static void choose_default(const struct gruc_parser *parser, const char *texts,
                           char room[DEFAULT_BYTES])
{
    if (strchr(texts, '|') != NULL)
        for (int i = GRUC_KERAS1; i < (int)parser->model->lineage; i++)
            texts = strchr(texts, '|') + 1;
    size_t length = strcspn(texts, "|");
    memcpy(room, texts, length);
    room[length] = '\0';
}

static enum gruc_status fill_defaults(struct gruc_parser *parser, struct gruc_layer *layer)
{
    char room[DEFAULT_BYTES];
    size_t count = gruc_layer_argument_count(layer->kind);
    for (size_t i = 0; i < count; i++) {
        struct gruc_argument *argument = &layer->arguments[i];
        const struct gruc_argument_row *row =
            gruc_argument_row(gruc_layer_argument_id(layer->kind, i));
        if (argument->given || !is_in_lineage(parser, row))
            continue;
        argument->mark = argument->key_mark = layer->mark;
        if (row->initial == NULL) {
            gruc_diag_error(parser->diag, GRUC_E_MISSING_ARGUMENT, layer->mark,
                            "%s needs the argument '%s'", gruc_layer_row(layer->kind)->name,
                            row->name);
            continue;
        }
        choose_default(parser, row->initial, room);
        struct gruc_yaml node = {
            .kind = GRUC_YAML_SCALAR, .plain = 1, .text = room, .mark = layer->mark};
        GRUC_TRY(gruc_parse_argument(parser, layer->kind, row, &node, argument));
    }
    return GRUC_OK;
}

static enum gruc_status parse_arguments(struct gruc_parser *parser, const struct gruc_yaml *node,
                                        int wrapped, struct gruc_layer *layer)
{
    for (size_t i = 0; node != NULL && i < node->count; i++) {
        const struct gruc_yaml *key = node->items[i], *value = node->values[i];
        size_t index = find_argument(parser, layer->kind, wrapped, key);
        if (index == GRUC_ARGUMENT_COUNT)
            continue;
        struct gruc_argument *argument = &layer->arguments[index];
        argument->given = 1;
        argument->mark = value->mark;
        argument->key_mark = key->mark;
        const struct gruc_argument_row *row =
            gruc_argument_row(gruc_layer_argument_id(layer->kind, index));
        GRUC_TRY(gruc_parse_argument(parser, layer->kind, row, value, argument));
    }
    return fill_defaults(parser, layer);
}

/* Splits {Class: {arguments}} or Class. 0 after a report. */
static int split_layer(struct gruc_parser *parser, const struct gruc_yaml *node,
                       const struct gruc_yaml **name, const struct gruc_yaml **arguments)
{
    char room[80];
    *arguments = NULL;
    *name = node;
    if (node->kind == GRUC_YAML_SCALAR && !gruc_yaml_is_null(node))
        return 1;
    if (node->kind != GRUC_YAML_MAPPING || node->count == 0) {
        gruc_diag_error(parser->diag, GRUC_E_STRUCTURE, node->mark,
                        "a layer is wanted, such as {GRU: {units: 4}}, not %s",
                        gruc_yaml_describe(node, room, sizeof room));
        return 0;
    }
    *name = node->items[0];
    if (node->count > 1) {
        gruc_diag_error(parser->diag, GRUC_E_STRUCTURE, node->items[1]->mark,
                        "a layer has one class, but '%s' follows '%s'", node->items[1]->text,
                        (*name)->text);
        gruc_diag_note(parser->diag, node->items[1]->mark,
                       "begin each layer with a dash and indent its arguments below its class");
        return 0;
    }
    if (gruc_yaml_is_null(node->values[0]))
        return 1;
    *arguments = node->values[0];
    if ((*arguments)->kind == GRUC_YAML_MAPPING)
        return 1;
    gruc_diag_error(parser->diag, GRUC_E_STRUCTURE, (*arguments)->mark,
                    "the arguments of %s must be a mapping, not %s", (*name)->text,
                    gruc_yaml_describe(*arguments, room, sizeof room));
    return 0;
}

enum gruc_status gruc_parse_layer(struct gruc_parser *parser, const struct gruc_yaml *node,
                                  int wrapped, struct gruc_layer **out)
{
    const struct gruc_yaml *name, *arguments;
    enum gruc_layer_kind kind;
    if (!split_layer(parser, node, &name, &arguments))
        return GRUC_OK;
    if (!gruc_layer_find(name->text, &kind)) {
        report_unknown_layer(parser, name);
        return GRUC_OK;
    }
    if (wrapped && kind != GRUC_LAYER_GRU) {
        gruc_diag_error(parser->diag, GRUC_E_NOT_WRAPPABLE, name->mark,
                        "Bidirectional cannot wrap %s, only GRU", name->text);
        return GRUC_OK;
    }
    struct gruc_layer *layer = GRUC_NEW(parser->arena, struct gruc_layer);
    if (layer == NULL)
        return GRUC_ERROR_MEMORY;
    layer->kind = kind;
    layer->mark = name->mark;
    layer->arguments =
        GRUC_NEW_ARRAY(parser->arena, struct gruc_argument, gruc_layer_argument_count(kind));
    if (layer->arguments == NULL)
        return GRUC_ERROR_MEMORY;
    GRUC_TRY(parse_arguments(parser, arguments, wrapped, layer));
    *out = layer;
    return GRUC_OK;
}

/* SPDX-License-Identifier: MIT */
/* The top level of the short form. */
#include <string.h>

#include "frontend/frontend.h"
#include "frontend/parse.h"

enum { ROOM = 80, MODEL_NAME_BYTES = 56, PREFIX_BYTES = 6 };

static void report_unknown_key(struct gruc_parser *parser, const struct gruc_yaml *key,
                               const char *what, const char *const *known)
{
    struct gruc_suggestion hint;
    gruc_suggest_begin(&hint, key->text);
    for (; *known != NULL; known++)
        gruc_suggest_offer(&hint, *known);
    if (hint.best != NULL)
        gruc_diag_error(parser->diag, GRUC_E_UNKNOWN_KEY, key->mark,
                        "unknown key '%s' of %s; did you mean '%s'?", key->text, what, hint.best);
    else
        gruc_diag_error(parser->diag, GRUC_E_UNKNOWN_KEY, key->mark, "unknown key '%s' of %s",
                        key->text, what);
}

static void check_keys(struct gruc_parser *parser, const struct gruc_yaml *mapping,
                       const char *what, const char *const *known)
{
    for (size_t i = 0; i < mapping->count; i++) {
        size_t j = 0;
        while (known[j] != NULL && strcmp(known[j], mapping->items[i]->text) != 0)
            j++;
        if (known[j] == NULL)
            report_unknown_key(parser, mapping->items[i], what, known);
    }
}

static void parse_lineage(struct gruc_parser *parser, const struct gruc_yaml *node)
{
    int64_t number = GRUC_KERAS2;
    char room[ROOM];
    if (node != NULL && (!gruc_yaml_integer(node, &number) || number < 1 || number > 3)) {
        gruc_diag_error(parser->diag, GRUC_E_LINEAGE, node->mark,
                        "'keras' must be 1, 2 or 3, not %s",
                        gruc_yaml_describe(node, room, sizeof room));
        number = GRUC_KERAS2;
    }
    parser->model->lineage = (enum gruc_lineage)number;
}

/* The file's name without folders and ending, made an identifier. */
static enum gruc_status default_name(struct gruc_parser *parser, const char *path)
{
    const char *base = strrchr(path, '/');
    base = base == NULL ? path : base + 1;
    const char *dot = strchr(base, '.');
    size_t length = dot == NULL || dot == base ? strlen(base) : (size_t)(dot - base);
    if (length > MODEL_NAME_BYTES - PREFIX_BYTES)
        length = MODEL_NAME_BYTES - PREFIX_BYTES;
    struct gruc_arena *arena = parser->arena;
    int digit = length > 0 && base[0] >= '0' && base[0] <= '9';
    char *name = length == 0 ? gruc_arena_text(arena, "model", 5)
                             : gruc_arena_format(arena, "%s%.*s", digit ? "model_" : "",
                                                 (int)length, base);
    if (name == NULL)
        return GRUC_ERROR_MEMORY;
    parser->model->name = name;
    for (; *name != '\0'; name++) {
        int letter = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z');
        if (!letter && !(*name >= '0' && *name <= '9'))
            *name = '_';
    }
    return GRUC_OK;
}

static void parse_batch(struct gruc_parser *parser, const struct gruc_yaml *node)
{
    struct gruc_model *model = parser->model;
    int64_t batch = 0;
    char room[ROOM];
    if (node != NULL && !gruc_yaml_is_null(node)) {
        model->batch_mark = node->mark;
        if (!gruc_yaml_integer(node, &batch) || batch < 1 || batch > INT32_MAX)
            gruc_diag_error(parser->diag, GRUC_E_BAD_BATCH, node->mark,
                            "'batch' must be an integer from 1 on, or ~, not %s",
                            gruc_yaml_describe(node, room, sizeof room));
    }
    model->batch = model->options.batch != 0 ? model->options.batch : (uint64_t)batch;
}

/* ---- inputs ---- */
static void parse_axis(struct gruc_parser *parser, const struct gruc_yaml *node, size_t index,
                       struct gruc_dim *out)
{
    int64_t size;
    char room[ROOM];
    *out = (struct gruc_dim){-1, 1};
    if (gruc_yaml_is_null(node) && index == 0) {
        out->symbol = parser->model->options.steps == 0 ? 0 : -1;
        out->size = parser->model->options.steps;
    } else if (gruc_yaml_is_null(node)) {
        gruc_diag_error(parser->diag, GRUC_E_BAD_SHAPE, node->mark,
                        "only the first axis of a shape may be ~");
    } else if (!gruc_yaml_integer(node, &size) || size < 1 || size > INT32_MAX) {
        gruc_diag_error(parser->diag, GRUC_E_BAD_SHAPE, node->mark,
                        "the length of an axis must be an integer from 1 on, not %s",
                        gruc_yaml_describe(node, room, sizeof room));
    } else {
        out->size = (uint64_t)size;
    }
}

static void parse_shape(struct gruc_parser *parser, const struct gruc_yaml *node,
                        struct gruc_edge *edge)
{
    char room[ROOM];
    if (node->kind != GRUC_YAML_SEQUENCE) {
        gruc_diag_error(parser->diag, GRUC_E_BAD_SHAPE, node->mark,
                        "the shape of an input must be a list such as [~, 4], not %s",
                        gruc_yaml_describe(node, room, sizeof room));
        return;
    }
    if (node->count > GRUC_MODEL_MAX_RANK) {
        gruc_diag_error(parser->diag, GRUC_E_BAD_SHAPE, node->mark,
                        "a shape of %zu axes; at most %d are possible", node->count,
                        GRUC_MODEL_MAX_RANK);
        return;
    }
    uint64_t product = 1;
    edge->rank = (uint32_t)node->count;
    for (size_t i = 0; i < node->count; i++) {
        parse_axis(parser, node->items[i], i, &edge->dims[i]);
        if (edge->dims[i].symbol < 0)
            product *= edge->dims[i].size;
        if (product > INT32_MAX) {
            gruc_diag_error(parser->diag, GRUC_E_BAD_SHAPE, node->mark,
                            "a row of this shape has 2^31 numbers or more");
            return;
        }
    }
}

static void parse_dtype(struct gruc_parser *parser, const struct gruc_yaml *node,
                        struct gruc_edge *edge)
{
    static const char *const names[] = {"float32", "int32", "bool"};
    char room[ROOM];
    for (int i = 0; i < 3; i++) {
        if (node->kind == GRUC_YAML_SCALAR && strcmp(node->text, names[i]) == 0) {
            edge->dtype = (enum gruc_dtype)i;
            return;
        }
    }
    gruc_diag_error(parser->diag, GRUC_E_BAD_DTYPE, node->mark,
                    "'dtype' must be float32, int32 or bool, not %s",
                    gruc_yaml_describe(node, room, sizeof room));
}

static void parse_input_value(struct gruc_parser *parser, const struct gruc_yaml *value,
                              struct gruc_edge *edge)
{
    static const char *const known[] = {"shape", "dtype", NULL};
    const struct gruc_yaml *shape = value;
    if (value->kind == GRUC_YAML_MAPPING) {
        check_keys(parser, value, "an input", known);
        shape = gruc_yaml_get(value, "shape");
        const struct gruc_yaml *dtype = gruc_yaml_get(value, "dtype");
        if (dtype != NULL)
            parse_dtype(parser, dtype, edge);
        if (shape == NULL) {
            gruc_diag_error(parser->diag, GRUC_E_MISSING_KEY, edge->mark,
                            "the input '%s' needs a shape", edge->name);
            return;
        }
    }
    parse_shape(parser, shape, edge);
}

static enum gruc_status parse_inputs(struct gruc_parser *parser, const struct gruc_yaml *root)
{
    struct gruc_model *model = parser->model;
    const struct gruc_yaml *node = gruc_yaml_get(root, "inputs");
    if (node == NULL || gruc_yaml_is_null(node)) {
        gruc_diag_error(parser->diag, GRUC_E_MISSING_KEY, root->mark, "the model has no inputs");
        return GRUC_OK;
    }
    if (node->kind != GRUC_YAML_MAPPING || node->count == 0) {
        gruc_diag_error(parser->diag, GRUC_E_STRUCTURE, node->mark,
                        "'inputs' must be a mapping of names to shapes, such as {x: [~, 4]}");
        return GRUC_OK;
    }
    for (size_t i = 0; i < node->count; i++) {
        struct gruc_edge *edge = GRUC_NEW(parser->arena, struct gruc_edge);
        if (edge == NULL || !gruc_arena_grow(parser->arena, (void **)&model->inputs,
                                             model->n_inputs, &model->inputs_capacity,
                                             sizeof(struct gruc_edge *)))
            return GRUC_ERROR_MEMORY;
        gruc_parse_check_name(parser, node->items[i], 0);
        edge->name = node->items[i]->text;
        edge->mark = node->items[i]->mark;
        edge->result = (unsigned)model->n_inputs;
        model->inputs[model->n_inputs++] = edge;
        parse_input_value(parser, node->values[i], edge);
    }
    return GRUC_OK;
}

static enum gruc_status parse_layers(struct gruc_parser *parser, const struct gruc_yaml *root)
{
    struct gruc_model *model = parser->model;
    const struct gruc_yaml *node = gruc_yaml_get(root, "layers");
    char room[ROOM];
    if (node == NULL || gruc_yaml_is_null(node)) {
        gruc_diag_error(parser->diag, GRUC_E_MISSING_KEY, root->mark, "the model has no layers");
        return GRUC_OK;
    }
    if (node->kind != GRUC_YAML_SEQUENCE || node->count == 0) {
        gruc_diag_error(parser->diag, GRUC_E_STRUCTURE, node->mark,
                        "'layers' must be a list of layers, not %s",
                        node->kind == GRUC_YAML_SEQUENCE
                            ? "an empty one"
                            : gruc_yaml_describe(node, room, sizeof room));
        return GRUC_OK;
    }
    for (size_t i = 0; i < node->count; i++) {
        struct gruc_layer *layer = NULL;
        GRUC_TRY(gruc_parse_layer(parser, node->items[i], 0, &layer));
        if (layer == NULL)
            continue;
        if (!gruc_arena_grow(parser->arena, (void **)&model->layers, model->n_layers,
                             &model->layers_capacity, sizeof(struct gruc_layer *)))
            return GRUC_ERROR_MEMORY;
        layer->previous = model->n_layers == 0 ? NULL : model->layers[model->n_layers - 1];
        model->layers[model->n_layers++] = layer;
    }
    return GRUC_OK;
}

static enum gruc_status parse_ends(struct gruc_parser *parser, const struct gruc_yaml *root)
{
    struct gruc_model *model = parser->model;
    const struct gruc_yaml *outputs = gruc_yaml_get(root, "outputs");
    const struct gruc_yaml *weights = gruc_yaml_get(root, "weights");
    char room[ROOM];
    if (weights != NULL && !gruc_yaml_is_null(weights)) {
        if (weights->kind == GRUC_YAML_SCALAR && weights->text[0] != '\0')
            model->weights = (struct gruc_reference){weights->text, weights->mark};
        else
            gruc_diag_error(parser->diag, GRUC_E_STRUCTURE, weights->mark,
                            "'weights' must be the path of a file, not %s",
                            gruc_yaml_describe(weights, room, sizeof room));
    }
    if (outputs == NULL || gruc_yaml_is_null(outputs))
        return GRUC_OK;
    if (outputs->kind == GRUC_YAML_MAPPING ||
        (outputs->kind == GRUC_YAML_SEQUENCE && outputs->count == 0)) {
        gruc_diag_error(parser->diag, GRUC_E_STRUCTURE, outputs->mark,
                        "'outputs' must be a list of names such as [d], not %s",
                        outputs->count == 0 ? "an empty one" : "a mapping");
        return GRUC_OK;
    }
    struct gruc_reference_list list;
    GRUC_TRY(gruc_parse_references(parser, outputs, &list));
    model->output_names = list.items;
    model->n_output_names = list.count;
    return GRUC_OK;
}

static enum gruc_status parse_model(struct gruc_parser *parser, const struct gruc_yaml *root,
                                    const char *path)
{
    static const char *const known[] = {"model",  "keras",   "batch",   "inputs",
                                        "layers", "outputs", "weights", NULL};
    char room[ROOM];
    if (root->kind != GRUC_YAML_MAPPING)
        return gruc_diag_error(parser->diag, GRUC_E_STRUCTURE, root->mark,
                               "a model must be a mapping with inputs and layers, not %s",
                               gruc_yaml_describe(root, room, sizeof room));
    check_keys(parser, root, "the model", known);
    parse_lineage(parser, gruc_yaml_get(root, "keras"));
    const struct gruc_yaml *name = gruc_yaml_get(root, "model");
    GRUC_TRY(default_name(parser, path));
    if (name != NULL && gruc_parse_check_name(parser, name, 0))
        parser->model->name = name->text;
    parse_batch(parser, gruc_yaml_get(root, "batch"));
    GRUC_TRY(parse_inputs(parser, root));
    GRUC_TRY(parse_layers(parser, root));
    return parse_ends(parser, root);
}

enum gruc_status gruc_frontend_parse(struct gruc_arena *arena, const char *path, const char *text,
                                     size_t length, const struct gruc_model_options *options,
                                     struct gruc_diag *diag, struct gruc_model **out)
{
    struct gruc_yaml *root;
    unsigned errors = diag->errors;
    *out = NULL;
    diag->file = path;
    diag->source = text;
    diag->source_length = length;
    struct gruc_parser parser = {arena, diag, GRUC_NEW(arena, struct gruc_model)};
    if (parser.model == NULL)
        return GRUC_ERROR_MEMORY;
    parser.model->arena = arena;
    parser.model->path = path;
    if (options != NULL)
        parser.model->options = *options;
    GRUC_TRY(gruc_yaml_parse(arena, text, length, diag, &root));
    GRUC_TRY(parse_model(&parser, root, path));
    if (diag->errors > errors)
        return GRUC_ERROR_INPUT;
    *out = parser.model;
    return GRUC_OK;
}

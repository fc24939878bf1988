/* SPDX-License-Identifier: MIT */
/* Activations: names of the lineage, names of layer classes (TensorFlow 2 only), or mappings of
 * class_name and config. */
#include <string.h>

#include "frontend/parse.h"
#include "ir/act.h"

/* A layer class that may stand as an activation, and the settings its config has. */
struct class_row {
    const char *name;
    enum gruc_act_id act;
    const char *settings[4][3]; /* name in Keras 2, name in Keras 3, parameter of the activation */
    double initial;             /* of the first setting */
};

static const struct class_row classes[] = {
    {"LeakyReLU", GRUC_ACT_LEAKY_RELU, {{"alpha", "negative_slope", "negative_slope"}}, 0.3},
    {"ReLU", GRUC_ACT_RELU,
     {{"negative_slope", "negative_slope", "negative_slope"},
      {"max_value", "max_value", "max_value"},
      {"threshold", "threshold", "threshold"}}, 0},
    {"ELU", GRUC_ACT_ELU, {{"alpha", "alpha", "alpha"}}, 1},
    {"Softmax", GRUC_ACT_SOFTMAX, {{NULL, NULL, NULL}}, 0},
    {"ThresholdedReLU", GRUC_ACT_RELU, {{"theta", NULL, "threshold"}}, 1},
};

static void use_row(const struct gruc_act *act, struct gruc_activation *out)
{
    *out = (struct gruc_activation){.act = act};
    for (size_t i = 0; i < act->parameter_count; i++)
        out->parameters[i] = act->parameters[i].initial;
}

static const struct class_row *find_class(const struct gruc_parser *parser, const char *name)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (strcmp(classes[i].name, name) == 0 &&
            (parser->model->lineage != GRUC_KERAS3 || strcmp(name, "ThresholdedReLU") != 0))
            return &classes[i];
    return NULL;
}

static void use_class(struct gruc_parser *parser, const struct gruc_parsed_object *object,
                      const struct class_row *row, struct gruc_activation *out)
{
    struct gruc_setting settings[8] = {{.name = "name"}, {.name = "dtype"}, {.name = "trainable"},
                                       {.name = "axis"}};
    size_t count = row->act == GRUC_ACT_SOFTMAX ? 4 : 3;
    struct gruc_activation made;
    use_row(gruc_act_get(row->act), &made);
    int keras3 = parser->model->lineage == GRUC_KERAS3;
    for (size_t i = 0; i < 4 && row->settings[i][0] != NULL; i++) {
        size_t which = gruc_act_parameter_find(made.act, row->settings[i][2]);
        if (i == 0)
            made.parameters[which] = row->initial;
        settings[count].name = row->settings[i][keras3];
        settings[count++].number = &made.parameters[which];
    }
    const struct gruc_yaml *config = object->config;
    const struct gruc_yaml *limit = NULL, *axis = NULL;
    if (config != NULL && config->kind == GRUC_YAML_MAPPING) {
        limit = gruc_yaml_get(config, "max_value");
        axis = gruc_yaml_get(config, "axis");
    }
    for (size_t i = 0; i < count; i++) /* ~ is no limit */
        if (limit != NULL && gruc_yaml_is_null(limit) && strcmp(settings[i].name, "max_value") == 0)
            settings[i].number = NULL;
    int64_t number;
    if (axis != NULL && row->act == GRUC_ACT_SOFTMAX &&
        !(gruc_yaml_integer(axis, &number) && number == -1))
        gruc_diag_error(parser->diag, GRUC_E_NOT_YET, axis->mark,
                        "softmax over another axis than -1 is not supported yet");
    gruc_parse_settings(parser, object, settings, count);
    *out = made;
}

static void report_unknown(struct gruc_parser *parser, const struct gruc_parsed_object *object,
                           unsigned lineage)
{
    unsigned elsewhere = GRUC_ACT_KERAS1 | GRUC_ACT_KERAS2 | GRUC_ACT_KERAS3;
    if (gruc_act_find(object->name, elsewhere) != NULL) {
        gruc_diag_error(parser->diag, GRUC_E_UNKNOWN_ACTIVATION, object->mark,
                        "activation '%s' is not in keras: %d", object->name,
                        (int)parser->model->lineage);
        return;
    }
    struct gruc_suggestion hint;
    gruc_suggest_begin(&hint, object->name);
    const char *name;
    for (size_t i = 0; (name = gruc_act_name(i, lineage)) != NULL; i++)
        gruc_suggest_offer(&hint, name);
    if (hint.best != NULL)
        gruc_diag_error(parser->diag, GRUC_E_UNKNOWN_ACTIVATION, object->mark,
                        "unknown activation '%s'; did you mean '%s'?", object->name, hint.best);
    else
        gruc_diag_error(parser->diag, GRUC_E_UNKNOWN_ACTIVATION, object->mark,
                        "unknown activation '%s'", object->name);
}

static void refuse_code(struct gruc_parser *parser, const struct gruc_parsed_object *object)
{
    gruc_diag_error(parser->diag, GRUC_E_BAD_OBJECT, object->mark,
                    "an activation that is code cannot be compiled: %s", object->name);
}

void gruc_parse_activation(struct gruc_parser *parser, const struct gruc_yaml *node,
                           struct gruc_activation *out)
{
    unsigned lineage = 1u << (parser->model->lineage - 1);
    struct gruc_parsed_object object;
    if (gruc_yaml_is_null(node)) {
        use_row(gruc_act_get(GRUC_ACT_LINEAR), out);
        return;
    }
    if (!gruc_parse_object(parser, node, "an activation", &object))
        return;
    if (object.is_mapping && strcmp(object.name, "function") == 0) {
        if (object.config == NULL || object.config->kind != GRUC_YAML_SCALAR) {
            refuse_code(parser, &object);
            return;
        }
        object.name = object.config->text;
        object.mark = object.config->mark;
        object.config = NULL;
        object.is_mapping = 0;
    }
    if (strstr(object.name, "lambda") != NULL) {
        refuse_code(parser, &object);
        return;
    }
    const struct class_row *row = find_class(parser, object.name);
    const struct gruc_act *act = gruc_act_find(object.name, lineage);
    if (row != NULL && (object.is_mapping || parser->model->lineage != GRUC_KERAS3))
        use_class(parser, &object, row, out);
    else if (strcmp(object.name, "PReLU") == 0)
        gruc_diag_error(parser->diag, GRUC_E_NOT_YET, object.mark,
                        "PReLU, which has weights, is not supported yet");
    else if (act != NULL && object.config == NULL)
        use_row(act, out);
    else if (act != NULL)
        gruc_diag_error(parser->diag, GRUC_E_BAD_OBJECT, object.config->mark,
                        "activation '%s' by its name takes no config", object.name);
    else
        report_unknown(parser, &object, lineage);
}

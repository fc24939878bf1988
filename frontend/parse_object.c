/* SPDX-License-Identifier: MIT */
/* Initializers, regularizers and constraints: names, or mappings of class_name and config as Keras
 * writes them. */
#include <ctype.h>
#include <string.h>

#include "frontend/parse.h"

enum {
    ALL = 1 << GRUC_KERAS1 | 1 << GRUC_KERAS2 | 1 << GRUC_KERAS3,
    TF = 1 << GRUC_KERAS1 | 1 << GRUC_KERAS2,
    KERAS3 = 1 << GRUC_KERAS3
};

struct name_row {
    const char *name;
    unsigned lineages;
    unsigned which;
};

int gruc_parse_object(struct gruc_parser *parser, const struct gruc_yaml *node, const char *what,
                      struct gruc_parsed_object *out)
{
    static const char *const ignored[] = {"module", "registered_name", "build_config",
                                          "shared_object_id"};
    char room[80];
    *out = (struct gruc_parsed_object){node->text, NULL, node->mark, 0};
    if (node->kind == GRUC_YAML_SCALAR)
        return 1;
    const struct gruc_yaml *name =
        node->kind == GRUC_YAML_MAPPING ? gruc_yaml_get(node, "class_name") : NULL;
    if (name == NULL || name->kind != GRUC_YAML_SCALAR) {
        gruc_diag_error(parser->diag, GRUC_E_ARGUMENT_TYPE, node->mark,
                        "%s must be a name or a mapping with class_name, not %s", what,
                        name == NULL ? gruc_yaml_describe(node, room, sizeof room)
                                     : "one whose class_name is no word");
        return 0;
    }
    *out = (struct gruc_parsed_object){name->text, gruc_yaml_get(node, "config"), name->mark, 1};
    for (size_t i = 0; i < node->count; i++) {
        const char *key = node->items[i]->text;
        int known = strcmp(key, "class_name") == 0 || strcmp(key, "config") == 0;
        for (size_t j = 0; !known && j < sizeof ignored / sizeof ignored[0]; j++)
            known = strcmp(key, ignored[j]) == 0;
        if (!known) {
            gruc_diag_error(parser->diag, GRUC_E_BAD_OBJECT, node->items[i]->mark,
                            "unknown key '%s' of %s; there are class_name and config", key, what);
            return 0;
        }
    }
    if (out->config != NULL && gruc_yaml_is_null(out->config))
        out->config = NULL;
    return 1;
}

static void parse_setting(struct gruc_parser *parser, const struct gruc_parsed_object *object,
                          const struct gruc_setting *setting, const struct gruc_yaml *value)
{
    char room[80];
    if (setting->number != NULL && !gruc_yaml_number(value, setting->number)) {
        gruc_diag_error(parser->diag, GRUC_E_BAD_OBJECT, value->mark,
                        "'%s' of %s must be a number, not %s", setting->name, object->name,
                        gruc_yaml_describe(value, room, sizeof room));
        return;
    }
    if (setting->words == NULL)
        return;
    for (int i = 0; setting->words[i] != NULL; i++) {
        if (value->kind == GRUC_YAML_SCALAR && strcmp(value->text, setting->words[i]) == 0) {
            *setting->word = i;
            return;
        }
    }
    gruc_diag_error(parser->diag, GRUC_E_BAD_OBJECT, value->mark, "'%s' of %s cannot be %s",
                    setting->name, object->name, gruc_yaml_describe(value, room, sizeof room));
    for (int i = 0; setting->words[i] != NULL; i++)
        gruc_diag_note(parser->diag, (struct gruc_mark){0}, "it may be %s", setting->words[i]);
}

void gruc_parse_settings(struct gruc_parser *parser, const struct gruc_parsed_object *object,
                         const struct gruc_setting *settings, size_t count)
{
    const struct gruc_yaml *config = object->config;
    if (config == NULL)
        return;
    if (config->kind != GRUC_YAML_MAPPING) {
        gruc_diag_error(parser->diag, GRUC_E_BAD_OBJECT, config->mark,
                        "the config of %s must be a mapping", object->name);
        return;
    }
    for (size_t i = 0; i < config->count; i++) {
        const struct gruc_yaml *key = config->items[i];
        struct gruc_suggestion hint;
        gruc_suggest_begin(&hint, key->text);
        size_t found = 0;
        while (found < count && strcmp(settings[found].name, key->text) != 0)
            gruc_suggest_offer(&hint, settings[found++].name);
        if (found < count)
            parse_setting(parser, object, &settings[found], config->values[i]);
        else if (hint.best != NULL)
            gruc_diag_error(parser->diag, GRUC_E_BAD_OBJECT, key->mark,
                            "unknown setting '%s' of %s; did you mean '%s'?", key->text,
                            object->name, hint.best);
        else
            gruc_diag_error(parser->diag, GRUC_E_BAD_OBJECT, key->mark,
                            "unknown setting '%s' of %s", key->text, object->name);
    }
}

/* The row of a name in this lineage, NULL after a report with the nearest name. */
static const struct name_row *find_name(struct gruc_parser *parser,
                                        const struct gruc_parsed_object *object,
                                        const struct name_row *rows, size_t count,
                                        enum gruc_error_code code, const char *what)
{
    unsigned lineage = gruc_parser_lineage(parser);
    struct gruc_suggestion hint;
    gruc_suggest_begin(&hint, object->name);
    const struct name_row *elsewhere = NULL;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].name, object->name) == 0) {
            if (rows[i].lineages & lineage || (object->is_mapping && rows[i].lineages & TF))
                return &rows[i];
            elsewhere = &rows[i];
        }
        if (rows[i].lineages & lineage)
            gruc_suggest_offer(&hint, rows[i].name);
    }
    if (elsewhere != NULL)
        gruc_diag_error(parser->diag, code, object->mark, "%s '%s' is not in keras: %d", what,
                        object->name, (int)parser->model->lineage);
    else if (hint.best != NULL)
        gruc_diag_error(parser->diag, code, object->mark, "unknown %s '%s'; did you mean '%s'?",
                        what, object->name, hint.best);
    else
        gruc_diag_error(parser->diag, code, object->mark, "unknown %s '%s'", what, object->name);
    return NULL;
}

/* ---- initializers ---- */
enum initializer_name {
    ZEROS, ONES, CONSTANT, NORMAL, TRUNCATED, UNIFORM, VARIANCE, ORTHOGONAL, IDENTITY,
    GLOROT_UNIFORM, GLOROT_NORMAL, HE_UNIFORM, HE_NORMAL, LECUN_UNIFORM, LECUN_NORMAL
};

static const struct name_row initializer_names[] = {
    {"Zeros", ALL, ZEROS}, {"zeros", ALL, ZEROS}, {"zero", ALL, ZEROS},
    {"Ones", ALL, ONES}, {"ones", ALL, ONES}, {"one", ALL, ONES},
    {"Constant", ALL, CONSTANT}, {"constant", TF, CONSTANT},
    {"RandomNormal", ALL, NORMAL}, {"random_normal", ALL, NORMAL}, {"normal", ALL, NORMAL},
    {"TruncatedNormal", ALL, TRUNCATED}, {"truncated_normal", ALL, TRUNCATED},
    {"RandomUniform", ALL, UNIFORM}, {"random_uniform", ALL, UNIFORM}, {"uniform", ALL, UNIFORM},
    {"VarianceScaling", ALL, VARIANCE}, {"variance_scaling", ALL, VARIANCE},
    {"Orthogonal", ALL, ORTHOGONAL}, {"orthogonal", ALL, ORTHOGONAL},
    {"OrthogonalInitializer", KERAS3, ORTHOGONAL},
    {"Identity", ALL, IDENTITY}, {"identity", ALL, IDENTITY},
    {"IdentityInitializer", KERAS3, IDENTITY},
    {"GlorotUniform", ALL, GLOROT_UNIFORM}, {"glorot_uniform", ALL, GLOROT_UNIFORM},
    {"GlorotNormal", ALL, GLOROT_NORMAL}, {"glorot_normal", ALL, GLOROT_NORMAL},
    {"HeUniform", ALL, HE_UNIFORM}, {"he_uniform", ALL, HE_UNIFORM},
    {"HeNormal", ALL, HE_NORMAL}, {"he_normal", ALL, HE_NORMAL},
    {"LecunUniform", ALL, LECUN_UNIFORM}, {"lecun_uniform", ALL, LECUN_UNIFORM},
    {"LecunNormal", ALL, LECUN_NORMAL}, {"lecun_normal", ALL, LECUN_NORMAL},
};

/* Keras's defaults; by enum initializer_name. */
static const struct gruc_initializer initializers[] = {
    [ZEROS] = {.kind = GRUC_INIT_ZEROS},
    [ONES] = {.kind = GRUC_INIT_ONES},
    [CONSTANT] = {.kind = GRUC_INIT_CONSTANT},
    [NORMAL] = {.kind = GRUC_INIT_RANDOM_NORMAL, .stddev = 0.05},
    [TRUNCATED] = {.kind = GRUC_INIT_TRUNCATED_NORMAL, .stddev = 0.05},
    [UNIFORM] = {.kind = GRUC_INIT_RANDOM_UNIFORM, .minval = -0.05, .maxval = 0.05},
    [VARIANCE] = {.kind = GRUC_INIT_VARIANCE_SCALING, .scale = 1},
    [ORTHOGONAL] = {.kind = GRUC_INIT_ORTHOGONAL, .gain = 1},
    [IDENTITY] = {.kind = GRUC_INIT_IDENTITY, .gain = 1},
#define SCALING(number, fan, shape)                                                                \
    {.kind = GRUC_INIT_VARIANCE_SCALING, .scale = number, .mode = GRUC_FAN_##fan,                  \
     .distribution = GRUC_DISTRIBUTION_##shape}
    [GLOROT_UNIFORM] = SCALING(1, AVERAGE, UNIFORM),
    [GLOROT_NORMAL] = SCALING(1, AVERAGE, TRUNCATED_NORMAL),
    [HE_UNIFORM] = SCALING(2, IN, UNIFORM),
    [HE_NORMAL] = SCALING(2, IN, TRUNCATED_NORMAL),
    [LECUN_UNIFORM] = SCALING(1, IN, UNIFORM),
    [LECUN_NORMAL] = SCALING(1, IN, TRUNCATED_NORMAL),
#undef SCALING
};

static void parse_seed(struct gruc_parser *parser, const struct gruc_parsed_object *object,
                       struct gruc_initializer *initializer)
{
    int64_t seed;
    const struct gruc_yaml *node = NULL;
    if (object->config != NULL && object->config->kind == GRUC_YAML_MAPPING)
        node = gruc_yaml_get(object->config, "seed");
    if (node == NULL || gruc_yaml_is_null(node) || node->kind == GRUC_YAML_MAPPING)
        return; /* a mapping is a seed generator of Keras 3, whose stream is not portable */
    if (gruc_yaml_integer(node, &seed)) {
        initializer->has_seed = 1;
        initializer->seed = (uint64_t)seed;
    } else {
        gruc_diag_error(parser->diag, GRUC_E_BAD_OBJECT, node->mark,
                        "'seed' of %s must be an integer or ~", object->name);
    }
}

static void parse_initializer_config(struct gruc_parser *parser,
                                     const struct gruc_parsed_object *object, unsigned which,
                                     struct gruc_initializer *made)
{
    static const char *const modes[] = {"fan_in", "fan_out", "fan_avg", NULL};
    static const char *const distributions[] = {"truncated_normal", "untruncated_normal",
                                                "uniform", "normal", NULL};
    int mode = (int)made->mode, distribution = (int)made->distribution;
    struct gruc_setting settings[9] = {{.name = "dtype"}};
    size_t count = 1;
#define NUMBER(member) settings[count++] = (struct gruc_setting){#member, &made->member, NULL, NULL}
    if (which == CONSTANT)
        NUMBER(value);
    if (which == NORMAL || which == TRUNCATED) {
        NUMBER(mean);
        NUMBER(stddev);
    }
    if (which == UNIFORM) {
        NUMBER(minval);
        NUMBER(maxval);
    }
    if (which == ORTHOGONAL || which == IDENTITY)
        NUMBER(gain);
    if (which == VARIANCE) {
        NUMBER(scale);
        settings[count++] = (struct gruc_setting){"mode", NULL, modes, &mode};
        settings[count++] =
            (struct gruc_setting){"distribution", NULL, distributions, &distribution};
    }
#undef NUMBER
    if (which != ZEROS && which != ONES && which != CONSTANT && which != IDENTITY)
        settings[count++] = (struct gruc_setting){.name = "seed"};
    if (parser->model->lineage == GRUC_KERAS3) {
        settings[count++] = (struct gruc_setting){.name = "input_axes"};
        settings[count++] = (struct gruc_setting){.name = "output_axes"};
    }
    gruc_parse_settings(parser, object, settings, count);
    made->mode = (enum gruc_fan_mode)mode;
    made->distribution = distribution == 3 ? GRUC_DISTRIBUTION_TRUNCATED_NORMAL
                                           : (enum gruc_distribution)distribution;
    if (which == VARIANCE && !(made->scale > 0))
        gruc_diag_error(parser->diag, GRUC_E_BAD_OBJECT, object->mark,
                        "'scale' of %s must be above 0", object->name);
    parse_seed(parser, object, made);
}

enum gruc_status gruc_parse_initializer(struct gruc_parser *parser, const struct gruc_yaml *node,
                                        const struct gruc_initializer **out)
{
    struct gruc_parsed_object object;
    if (!gruc_parse_object(parser, node, "an initializer", &object))
        return GRUC_OK;
    size_t length = strlen(object.name);
    if (parser->model->lineage != GRUC_KERAS3 && length > 2 &&
        isupper((unsigned char)object.name[0]) && strcmp(object.name + length - 2, "V2") == 0) {
        object.name = gruc_arena_text(parser->arena, object.name, length - 2);
        if (object.name == NULL)
            return GRUC_ERROR_MEMORY;
    }
    const struct name_row *row = find_name(
        parser, &object, initializer_names, sizeof initializer_names / sizeof initializer_names[0],
        GRUC_E_UNKNOWN_INITIALIZER, "initializer");
    if (row == NULL)
        return GRUC_OK;
    struct gruc_initializer *made = GRUC_NEW(parser->arena, struct gruc_initializer);
    if (made == NULL)
        return GRUC_ERROR_MEMORY;
    *made = initializers[row->which];
    made->mark = object.mark;
    parse_initializer_config(parser, &object, row->which, made);
    *out = made;
    return GRUC_OK;
}

/* ---- regularizers ---- */
enum regularizer_name { L1, L2, L1L2_NONE, L1L2_BOTH, ORTHOGONAL_REGULARIZER };

static const struct name_row regularizer_names[] = {
    {"l1", ALL, L1}, {"L1", ALL, L1}, {"l2", ALL, L2}, {"L2", ALL, L2},
    {"L1L2", ALL, L1L2_NONE}, {"l1_l2", TF, L1L2_BOTH},
    {"OrthogonalRegularizer", ALL, ORTHOGONAL_REGULARIZER},
    {"orthogonal_regularizer", ALL, ORTHOGONAL_REGULARIZER},
};

enum gruc_status gruc_parse_regularizer(struct gruc_parser *parser, const struct gruc_yaml *node,
                                        const struct gruc_regularizer **out)
{
    static const char *const modes[] = {"rows", "columns", NULL};
    struct gruc_parsed_object object;
    if (!gruc_parse_object(parser, node, "a regularizer", &object))
        return GRUC_OK;
    const struct name_row *row = find_name(
        parser, &object, regularizer_names, sizeof regularizer_names / sizeof regularizer_names[0],
        GRUC_E_UNKNOWN_REGULARIZER, "regularizer");
    if (row == NULL)
        return GRUC_OK;
    struct gruc_regularizer *made = GRUC_NEW(parser->arena, struct gruc_regularizer);
    if (made == NULL)
        return GRUC_ERROR_MEMORY;
    made->l1 = row->which == L1 || row->which == L1L2_BOTH ? 0.01 : 0;
    made->l2 = row->which == L2 || row->which == L1L2_BOTH ? 0.01 : 0;
    struct gruc_setting settings[2];
    size_t count = 0;
    if (row->which == ORTHOGONAL_REGULARIZER) {
        made->kind = GRUC_REGULARIZER_ORTHOGONAL;
        made->factor = 0.01;
        settings[count++] = (struct gruc_setting){"factor", &made->factor, NULL, NULL};
        settings[count++] = (struct gruc_setting){"mode", NULL, modes, &made->columns};
    } else if (row->which != L2) {
        settings[count++] = (struct gruc_setting){"l1", &made->l1, NULL, NULL};
    }
    if (row->which != L1 && row->which != ORTHOGONAL_REGULARIZER)
        settings[count++] = (struct gruc_setting){"l2", &made->l2, NULL, NULL};
    gruc_parse_settings(parser, &object, settings, count);
    *out = made;
    return GRUC_OK;
}

/* ---- constraints ---- */
static const struct name_row constraint_names[] = {
    {"MaxNorm", ALL, GRUC_CONSTRAINT_MAX_NORM}, {"max_norm", ALL, GRUC_CONSTRAINT_MAX_NORM},
    {"MinMaxNorm", ALL, GRUC_CONSTRAINT_MIN_MAX_NORM},
    {"min_max_norm", ALL, GRUC_CONSTRAINT_MIN_MAX_NORM},
    {"UnitNorm", ALL, GRUC_CONSTRAINT_UNIT_NORM}, {"unit_norm", ALL, GRUC_CONSTRAINT_UNIT_NORM},
    {"NonNeg", ALL, GRUC_CONSTRAINT_NON_NEGATIVE}, {"non_neg", ALL, GRUC_CONSTRAINT_NON_NEGATIVE},
    {"nonneg", TF, GRUC_CONSTRAINT_NON_NEGATIVE},
};

enum gruc_status gruc_parse_constraint(struct gruc_parser *parser, const struct gruc_yaml *node,
                                       const struct gruc_constraint **out)
{
    struct gruc_parsed_object object;
    if (!gruc_parse_object(parser, node, "a constraint", &object))
        return GRUC_OK;
    const struct name_row *row = find_name(
        parser, &object, constraint_names, sizeof constraint_names / sizeof constraint_names[0],
        GRUC_E_UNKNOWN_CONSTRAINT, "constraint");
    if (row == NULL)
        return GRUC_OK;
    struct gruc_constraint *made = GRUC_NEW(parser->arena, struct gruc_constraint);
    if (made == NULL)
        return GRUC_ERROR_MEMORY;
    made->kind = (enum gruc_constraint_kind)row->which;
    made->max_value = made->kind == GRUC_CONSTRAINT_MAX_NORM ? 2 : 1;
    made->rate = 1;
    double axis = 0;
    struct gruc_setting settings[4];
    size_t count = 0;
    if (made->kind != GRUC_CONSTRAINT_NON_NEGATIVE)
        settings[count++] = (struct gruc_setting){"axis", &axis, NULL, NULL};
    if (made->kind == GRUC_CONSTRAINT_MAX_NORM || made->kind == GRUC_CONSTRAINT_MIN_MAX_NORM)
        settings[count++] = (struct gruc_setting){"max_value", &made->max_value, NULL, NULL};
    if (made->kind == GRUC_CONSTRAINT_MIN_MAX_NORM) {
        settings[count++] = (struct gruc_setting){"min_value", &made->min_value, NULL, NULL};
        settings[count++] = (struct gruc_setting){"rate", &made->rate, NULL, NULL};
    }
    gruc_parse_settings(parser, &object, settings, count);
    if (axis >= -2 && axis <= 1 && axis == (double)(int)axis)
        made->axis = (int64_t)axis;
    else
        gruc_diag_error(parser->diag, GRUC_E_BAD_OBJECT, object.mark,
                        "'axis' of %s must be an axis of the weight: 0 or 1", object.name);
    *out = made;
    return GRUC_OK;
}

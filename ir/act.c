/* SPDX-License-Identifier: MIT */
#include "act.h"

#include <math.h>
#include <string.h>

/* Names that formulas use beside libm's. */
static inline double min(double a, double b)
{
    return a < b ? a : b;
}

static inline double max(double a, double b)
{
    return a > b ? a : b;
}

#define GRUC_PRIM(ID, name, low, high, ulp, absolute, reference, accurate, fast, doc) \
    static double name(double x)                                         \
    {                                                                    \
        return reference;                                                \
    }
#include "prims.def"

/* The formulas as C: each parameter is a local of its own name. */
#define GRUC_ACT_PARAMETER(name, initial) const double name = *parameter++;
#define GRUC_ACT(ID, name, lineages, parameters, formula, ulp, absolute, doc) \
    static double reference_##ID(const double *parameter, double x)           \
    {                                                                         \
        (void)parameter;                                                      \
        parameters return formula;                                            \
    }
#include "act.def"
#undef GRUC_ACT_PARAMETER

#define GRUC_ACT_PARAMETER(name, initial) {#name, initial},
#define COUNT(...) (sizeof((const struct gruc_act_parameter[]){__VA_ARGS__}) \
                    / sizeof(struct gruc_act_parameter) - 1)
static const struct gruc_act table[] = {
#define GRUC_ACT(ID, name, lineages, parameters, formula, ulp, absolute, doc)     \
    {GRUC_ACT_##ID, GRUC_ACT_ELEMENTWISE, name, lineages,                         \
     COUNT(parameters{NULL, 0}), {parameters{NULL, 0}}, #formula, {ulp, absolute}, doc},
#define GRUC_ACT_ROW(ID, name, lineages, doc) \
    {GRUC_ACT_##ID, GRUC_ACT_ROWWISE, name, lineages, 0, {{NULL, 0}}, NULL, {0, 0}, doc},
#include "act.def"
};
#undef COUNT
#undef GRUC_ACT_PARAMETER

static double (*const references[])(const double *parameter, double x) = {
#define GRUC_ACT(ID, name, lineages, parameters, formula, ulp, absolute, doc) reference_##ID,
#define GRUC_ACT_ROW(ID, name, lineages, doc) NULL,
#include "act.def"
};

struct act_name {
    const char *name;
    enum gruc_act_id id;
    unsigned lineages;
};

static const struct act_name names[] = {
#define GRUC_ACT(ID, name, lineages, parameters, formula, ulp, absolute, doc) \
    {name, GRUC_ACT_##ID, lineages},
#define GRUC_ACT_ROW(ID, name, lineages, doc) {name, GRUC_ACT_##ID, lineages},
#define GRUC_ACT_ALIAS(ID, name, lineages) {name, GRUC_ACT_##ID, lineages},
#include "act.def"
};

static const size_t name_count = sizeof names / sizeof names[0];

const struct gruc_act *gruc_act_get(enum gruc_act_id id)
{
    return (unsigned)id < GRUC_ACT_COUNT ? &table[id] : NULL;
}

const struct gruc_act *gruc_act_find(const char *name, unsigned lineage)
{
    for (size_t i = 0; i < name_count; i++) {
        if ((names[i].lineages & lineage) != 0 && strcmp(names[i].name, name) == 0) {
            return &table[names[i].id];
        }
    }
    return NULL;
}

const char *gruc_act_name(size_t index, unsigned lineage)
{
    for (size_t i = 0; i < name_count; i++) {
        if ((names[i].lineages & lineage) != 0 && index-- == 0) {
            return names[i].name;
        }
    }
    return NULL;
}

size_t gruc_act_parameter_find(const struct gruc_act *act, const char *name)
{
    size_t i = 0;
    while (i < act->parameter_count && strcmp(act->parameters[i].name, name) != 0) {
        i++;
    }
    return i;
}

/* The given parameters, or the defaults when there are none. */
static void parameters_resolve(const struct gruc_act *act, const double *parameters,
                               double out[GRUC_ACT_PARAMETERS])
{
    for (size_t i = 0; i < act->parameter_count; i++) {
        out[i] = parameters != NULL ? parameters[i] : act->parameters[i].initial;
    }
}

double gruc_act_reference(const struct gruc_act *act, const double *parameters, double x)
{
    double values[GRUC_ACT_PARAMETERS];
    parameters_resolve(act, parameters, values);
    return act->kind == GRUC_ACT_ELEMENTWISE ? references[act->id](values, x) : (double)NAN;
}

bool gruc_act_build(const struct gruc_act *act, const double *parameters,
                    const struct gruc_expr_builder *builder, uint32_t x, uint32_t *out)
{
    struct gruc_expr expr;
    struct gruc_expr_error error;
    if (act->kind != GRUC_ACT_ELEMENTWISE || !gruc_expr_parse(act->formula, &expr, &error)) {
        return false;
    }
    double values[GRUC_ACT_PARAMETERS];
    parameters_resolve(act, parameters, values);
    struct gruc_expr_binding bindings[GRUC_ACT_PARAMETERS + 1] = {{.name = "x", .value = x}};
    for (size_t i = 0; i < act->parameter_count; i++) {
        bindings[i + 1] = (struct gruc_expr_binding){
            .name = act->parameters[i].name, .is_constant = true, .constant = values[i]};
    }
    return gruc_expr_build(&expr, builder, bindings, act->parameter_count + 1, out);
}

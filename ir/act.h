/* SPDX-License-Identifier: MIT */
#ifndef GRUC_IR_ACT_H
#define GRUC_IR_ACT_H

/* The activation table: every function that may stand as a layer's activation, from act.def. */

#include "expr.h"

enum gruc_act_id {
#define GRUC_ACT(ID, name, lineages, parameters, formula, ulp, absolute, doc) GRUC_ACT_##ID,
#define GRUC_ACT_ROW(ID, name, lineages, doc) GRUC_ACT_##ID,
#include "act.def"
    GRUC_ACT_COUNT
};

/* Lineages a name belongs to, a mask. */
enum {
    GRUC_ACT_KERAS1 = 1,
    GRUC_ACT_KERAS2 = 2,
    GRUC_ACT_KERAS3 = 4
};

enum gruc_act_kind {
    GRUC_ACT_ELEMENTWISE, /* has a formula of x and the parameters */
    GRUC_ACT_ROWWISE      /* couples the units of a row: softmax and its kin; no formula */
};

enum { GRUC_ACT_PARAMETERS = 3 };

struct gruc_act_parameter {
    const char *name; /* Keras 3's spelling */
    double initial;   /* the default; INFINITY where Keras says none */
};

struct gruc_act {
    enum gruc_act_id id;
    enum gruc_act_kind kind;
    const char *name;
    unsigned lineages; /* 0: not reachable by bare name, only through gruc_act_get */
    size_t parameter_count;
    struct gruc_act_parameter parameters[GRUC_ACT_PARAMETERS + 1];
    const char *formula;     /* NULL when rowwise */
    struct gruc_bound bound; /* accurate tier, default parameters, all inputs */
    const char *doc;
};

const struct gruc_act *gruc_act_get(enum gruc_act_id id);

/* The activation that `name` means in a lineage (one GRUC_ACT_KERAS* bit); NULL: there is none. */
const struct gruc_act *gruc_act_find(const char *name, unsigned lineage);

/* All names of a lineage, aliases included: index 0, 1, ... until NULL. */
const char *gruc_act_name(size_t index, unsigned lineage);

/* Index of a parameter by name; parameter_count when there is none. */
size_t gruc_act_parameter_find(const struct gruc_act *act, const char *name);

/* The double-precision value of an elementwise activation; parameters NULL: the defaults. */
double gruc_act_reference(const struct gruc_act *act, const double *parameters, double x);

/* Build an elementwise activation of value x; parameters NULL: the defaults. */
bool gruc_act_build(const struct gruc_act *act, const double *parameters,
                    const struct gruc_expr_builder *builder, uint32_t x, uint32_t *out);

#endif

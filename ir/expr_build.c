/* SPDX-License-Identifier: MIT */
#include "expr.h"

#include <math.h>
#include <string.h>

/* A node as built so far. A constant gets an id only when an operation uses it. */
struct built {
    bool known;
    bool is_constant;
    float constant;
    uint32_t id;
};

struct build {
    const struct gruc_expr *expr;
    const struct gruc_expr_builder *builder;
    const struct gruc_expr_binding *bindings;
    size_t binding_count;
    struct built values[GRUC_EXPR_NODES];
};

static struct built make_constant(float value)
{
    return (struct built){.known = true, .is_constant = true, .constant = value,
                          .id = GRUC_EXPR_INVALID};
}

static struct built make_value(uint32_t id)
{
    return (struct built){.known = id != GRUC_EXPR_INVALID, .id = id};
}

static bool is_exactly(const struct built *value, float constant)
{
    return value->is_constant && value->constant == constant
           && !signbit(value->constant) == !signbit(constant);
}

static bool materialise(const struct gruc_expr_builder *builder, struct built *value)
{
    if (value->id == GRUC_EXPR_INVALID) {
        value->id = builder->constant(builder->context, value->constant);
    }
    return value->id != GRUC_EXPR_INVALID;
}

/* The operand that an operation is sure to return bit for bit, -1 when there is none. */
static int find_identity(enum gruc_basic op, const struct built *a, const struct built *b)
{
    switch (op) {
    case GRUC_BASIC_MUL:
        return is_exactly(b, 1.0F) ? 0 : is_exactly(a, 1.0F) ? 1 : -1;
    case GRUC_BASIC_DIV:
        return is_exactly(b, 1.0F) ? 0 : -1;
    case GRUC_BASIC_SUB:
        return is_exactly(b, 0.0F) ? 0 : -1;
    case GRUC_BASIC_MIN:
        return is_exactly(a, INFINITY) ? 1 : -1;
    case GRUC_BASIC_MAX:
        return is_exactly(a, -INFINITY) ? 1 : -1;
    case GRUC_BASIC_AND:
        return is_exactly(a, 1.0F) || is_exactly(b, 0.0F)   ? 1
               : is_exactly(b, 1.0F) || is_exactly(a, 0.0F) ? 0
                                                            : -1;
    case GRUC_BASIC_OR:
        return is_exactly(a, 0.0F) || is_exactly(b, 1.0F)   ? 1
               : is_exactly(b, 0.0F) || is_exactly(a, 1.0F) ? 0
                                                            : -1;
    default:
        return -1;
    }
}

static bool build_node(struct build *build, unsigned index);

static bool build_basic(struct build *build, const struct gruc_expr_node *node, struct built *out)
{
    const struct gruc_expr_builder *builder = build->builder;
    enum gruc_basic op = (enum gruc_basic)node->index;
    struct built *args[3] = {NULL, NULL, NULL};
    float constants[3] = {0, 0, 0};
    uint32_t ids[3] = {GRUC_EXPR_INVALID, GRUC_EXPR_INVALID, GRUC_EXPR_INVALID};
    bool all_constant = true;
    for (unsigned i = 0; i < node->arg_count; i++) {
        args[i] = &build->values[node->args[i]];
        if (!build_node(build, node->args[i])) {
            return false;
        }
        if (op == GRUC_BASIC_SELECT && i == 0 && args[0]->is_constant) {
            unsigned chosen = node->args[args[0]->constant != 0 ? 1 : 2];
            bool done = build_node(build, chosen);
            *out = build->values[chosen];
            return done;
        }
        all_constant = all_constant && args[i]->is_constant;
        constants[i] = args[i]->constant;
    }
    if (all_constant) {
        *out = make_constant(gruc_basic_evaluate(op, constants));
        return true;
    }
    int identity = find_identity(op, args[0], args[1]);
    if (identity >= 0) {
        *out = *args[identity];
        return true;
    }
    for (unsigned i = 0; i < node->arg_count; i++) {
        if (!materialise(builder, args[i])) {
            return false;
        }
        ids[i] = args[i]->id;
    }
    *out = make_value(builder->basic(builder->context, op, ids));
    return out->known;
}

static bool expand(enum gruc_prim prim, const struct gruc_expr_builder *builder,
                   const struct gruc_expr_binding *x, struct built *out);

static bool build_prim(struct build *build, const struct gruc_expr_node *node, struct built *out)
{
    const struct gruc_expr_builder *builder = build->builder;
    enum gruc_prim prim = (enum gruc_prim)node->index;
    struct built *x = &build->values[node->args[0]];
    if (!build_node(build, node->args[0])) {
        return false;
    }
    if (builder->prim != NULL) {
        if (!materialise(builder, x)) {
            return false;
        }
        *out = make_value(builder->prim(builder->context, prim, x->id));
        return out->known;
    }
    return expand(prim, builder,
                  &(struct gruc_expr_binding){.name = "x", .is_constant = x->is_constant,
                                              .constant = (double)x->constant, .value = x->id},
                  out);
}

static bool build_variable(struct build *build, const char *name, struct built *out)
{
    for (size_t i = 0; i < build->binding_count; i++) {
        const struct gruc_expr_binding *binding = &build->bindings[i];
        if (strcmp(binding->name, name) == 0) {
            *out = binding->is_constant ? make_constant((float)binding->constant)
                                        : make_value(binding->value);
            return out->known;
        }
    }
    return false;
}

/* Recursion is bounded by GRUC_EXPR_NODES: operands come before their users. */
static bool build_node(struct build *build, unsigned index)
{
    const struct gruc_expr_node *node = &build->expr->nodes[index];
    struct built *out = &build->values[index];
    if (out->known) {
        return true;
    }
    switch ((enum gruc_expr_kind)node->kind) {
    case GRUC_EXPR_CONSTANT:
        *out = make_constant((float)node->constant);
        return true;
    case GRUC_EXPR_VARIABLE:
        return build_variable(build, build->expr->names[node->index], out);
    case GRUC_EXPR_BASIC:
        return build_basic(build, node, out);
    case GRUC_EXPR_PRIM:
        return build_prim(build, node, out);
    }
    return false;
}

static bool build_root(const struct gruc_expr *expr, const struct gruc_expr_builder *builder,
                       const struct gruc_expr_binding *bindings, size_t binding_count,
                       struct built *out)
{
    struct build build = {.expr = expr, .builder = builder, .bindings = bindings,
                          .binding_count = binding_count};
    bool done = build_node(&build, expr->root);
    *out = build.values[expr->root];
    return done;
}

static bool expand(enum gruc_prim prim, const struct gruc_expr_builder *builder,
                   const struct gruc_expr_binding *x, struct built *out)
{
    const struct gruc_prim_info *info = gruc_prim_describe(prim);
    bool accurate = builder->accuracy == GRUC_ACCURACY_ACCURATE || info->fast == NULL;
    struct gruc_expr expr;
    struct gruc_expr_error error;
    return gruc_expr_parse(accurate ? info->accurate : info->fast, &expr, &error)
           && build_root(&expr, builder, x, 1, out);
}

bool gruc_expr_build(const struct gruc_expr *expr, const struct gruc_expr_builder *builder,
                     const struct gruc_expr_binding *bindings, size_t binding_count,
                     uint32_t *out)
{
    struct built root;
    if (!build_root(expr, builder, bindings, binding_count, &root)
        || !materialise(builder, &root)) {
        return false;
    }
    *out = root.id;
    return true;
}

bool gruc_prim_build(enum gruc_prim prim, const struct gruc_expr_builder *builder, uint32_t x,
                     uint32_t *out)
{
    struct gruc_expr_builder expanding = *builder;
    struct built root;
    expanding.prim = NULL;
    if (!expand(prim, &expanding, &(struct gruc_expr_binding){.name = "x", .value = x}, &root)
        || !materialise(&expanding, &root)) {
        return false;
    }
    *out = root.id;
    return true;
}

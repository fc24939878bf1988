/* SPDX-License-Identifier: MIT */
#include "expr.h"

#include <math.h>
#include <string.h>
#include <tgmath.h>

#define F32 GRUC_EXPR_F32
#define BOOL GRUC_EXPR_BOOL
#define CHOICE GRUC_EXPR_CHOICE

static const struct gruc_basic_info basics[] = {
#define GRUC_BASIC(ID, name, arity, operands, result, reference) {#name, arity, operands, result},
#include "prims.def"
};

#undef F32
#undef BOOL
#undef CHOICE

static const struct gruc_prim_info prims[] = {
#define GRUC_PRIM_LIBM(ID, name, low, high, ulp, absolute, accurate, fast, doc) \
    {#name, low, high, {ulp, absolute}, accurate, fast, doc},
#define GRUC_PRIM(ID, name, low, high, ulp, absolute, reference, accurate, fast, doc) \
    {#name, low, high, {ulp, absolute}, accurate, fast, doc},
#include "prims.def"
};

const struct gruc_basic_info *gruc_basic_describe(enum gruc_basic op)
{
    return &basics[op];
}

const struct gruc_prim_info *gruc_prim_describe(enum gruc_prim prim)
{
    return &prims[prim];
}

static bool name_equals(const char *name, const char *text, size_t length)
{
    return strncmp(name, text, length) == 0 && name[length] == '\0';
}

bool gruc_basic_find(const char *name, size_t length, enum gruc_basic *out)
{
    for (int i = 0; i < GRUC_BASIC_COUNT; i++) {
        if (name_equals(basics[i].name, name, length)) {
            *out = (enum gruc_basic)i;
            return true;
        }
    }
    return false;
}

bool gruc_prim_find(const char *name, size_t length, enum gruc_prim *out)
{
    for (int i = 0; i < GRUC_PRIM_COUNT; i++) {
        if (name_equals(prims[i].name, name, length)) {
            *out = (enum gruc_prim)i;
            return true;
        }
    }
    return false;
}

double gruc_basic_reference(enum gruc_basic op, const double args[3])
{
    const double a = args[0], b = args[1], c = args[2];
    switch (op) {
#define GRUC_BASIC(ID, name, arity, operands, result, reference) \
    case GRUC_BASIC_##ID:                                        \
        return reference;
#include "prims.def"
    case GRUC_BASIC_COUNT:
        break;
    }
    return (double)NAN;
}

float gruc_basic_evaluate(enum gruc_basic op, const float args[3])
{
    const float a = args[0], b = args[1], c = args[2];
    switch (op) {
#define GRUC_BASIC(ID, name, arity, operands, result, reference) \
    case GRUC_BASIC_##ID:                                        \
        return reference;
#include "prims.def"
    case GRUC_BASIC_COUNT:
        break;
    }
    return NAN;
}

double gruc_prim_reference(enum gruc_prim prim, double x)
{
    switch (prim) {
#define GRUC_PRIM_LIBM(ID, name, low, high, ulp, absolute, accurate, fast, doc) \
    case GRUC_PRIM_##ID:                                             \
        return name(x);
#define GRUC_PRIM(ID, name, low, high, ulp, absolute, reference, accurate, fast, doc) \
    case GRUC_PRIM_##ID:                                                   \
        return reference;
#include "prims.def"
    case GRUC_PRIM_COUNT:
        break;
    }
    return (double)NAN;
}

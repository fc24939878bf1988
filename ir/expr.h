/* SPDX-License-Identifier: MIT */
#ifndef GRUC_IR_EXPR_H
#define GRUC_IR_EXPR_H

/* Formulas as text: parsed into a small immutable DAG, built into any IR through callbacks.
 *
 * The language has C's operators and precedence, calls, `let name = value; ... result`, decimal
 * and hexadecimal numbers, and INFINITY. Every operation is an IEEE float32 operation rounded to
 * nearest; nothing is contracted or reassociated. Operations and primitives are rows of prims.def.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gruc_basic {
#define GRUC_BASIC(ID, name, arity, operands, result, reference) GRUC_BASIC_##ID,
#include "prims.def"
    GRUC_BASIC_COUNT
};

enum gruc_prim {
#define GRUC_PRIM_LIBM(ID, name, low, high, ulp, absolute, accurate, fast, doc) GRUC_PRIM_##ID,
#define GRUC_PRIM(ID, name, low, high, ulp, absolute, reference, accurate, fast, doc) \
    GRUC_PRIM_##ID,
#include "prims.def"
    GRUC_PRIM_COUNT
};

/* Which expansion of a primitive is built: within 2 ulp or 2e-7; within 3.5e-7 for tanh and
 * sigmoid; within 1e-4, which today is the fast one. */
enum gruc_accuracy {
    GRUC_ACCURACY_ACCURATE,
    GRUC_ACCURACY_FAST,
    GRUC_ACCURACY_APPROX
};

/* What a value is: a float32 number or the outcome of a comparison. GRUC_EXPR_CHOICE describes the
 * operands of `select`: one truth value, then two numbers. */
enum gruc_expr_type { GRUC_EXPR_F32, GRUC_EXPR_BOOL, GRUC_EXPR_CHOICE };

struct gruc_basic_info {
    const char *name; /* as called in text; operators have a name too: add, lt, select, ... */
    unsigned arity;
    enum gruc_expr_type operands;
    enum gruc_expr_type result;
};

/* Largest error of a function's float32 value against the double reference. A value is within
 * the bound when it is within `ulp` units in the last place, or within `absolute`, or both. */
struct gruc_bound {
    double ulp;
    double absolute;
};

/* A primitive: a unary function with a libm reference and expansions in basic operations. */
struct gruc_prim_info {
    const char *name;
    double low, high;        /* its domain; a NaN gives a NaN */
    struct gruc_bound bound; /* of the accurate expansion */
    const char *accurate;
    const char *fast; /* NULL: the accurate one serves */
    const char *doc;
};

const struct gruc_basic_info *gruc_basic_describe(enum gruc_basic op);
const struct gruc_prim_info *gruc_prim_describe(enum gruc_prim prim);

/* Find by name (length bytes, not terminated); false when there is none. */
bool gruc_basic_find(const char *name, size_t length, enum gruc_basic *out);
bool gruc_prim_find(const char *name, size_t length, enum gruc_prim *out);

/* Double-precision references. Truth values are 0 and 1; unused operands are ignored. */
double gruc_basic_reference(enum gruc_basic op, const double args[3]);
double gruc_prim_reference(enum gruc_prim prim, double x);

/* The exact float32 result of one operation: what every back end must give, bit for bit. */
float gruc_basic_evaluate(enum gruc_basic op, const float args[3]);

enum {
    GRUC_EXPR_NODES = 160,
    GRUC_EXPR_NAMES = 8,
    GRUC_EXPR_NAME_SIZE = 24,
    GRUC_EXPR_LETS = 32,
    GRUC_EXPR_DEPTH = 64
};

enum gruc_expr_kind {
    GRUC_EXPR_CONSTANT,
    GRUC_EXPR_VARIABLE,
    GRUC_EXPR_BASIC,
    GRUC_EXPR_PRIM
};

struct gruc_expr_node {
    uint8_t kind; /* enum gruc_expr_kind */
    uint8_t index; /* variable, basic operation or primitive */
    uint8_t type; /* enum gruc_expr_type */
    uint8_t arg_count;
    uint16_t args[3]; /* earlier nodes */
    double constant;
};

/* A parsed text: equal subexpressions are one node, operands precede their users. */
struct gruc_expr {
    struct gruc_expr_node nodes[GRUC_EXPR_NODES];
    char names[GRUC_EXPR_NAMES][GRUC_EXPR_NAME_SIZE]; /* free variables in order of appearance */
    uint16_t node_count;
    uint16_t name_count;
    uint16_t root;
};

struct gruc_expr_error {
    size_t position; /* byte offset into the text */
    const char *message; /* static text */
};

/* Parse text into *out (about 4 KB, the caller's); false and *error on malformed text. The result
 * of a text is a number. Thread-safe, allocates nothing, never recurses past GRUC_EXPR_DEPTH. */
bool gruc_expr_parse(const char *text, struct gruc_expr *out, struct gruc_expr_error *error);

#define GRUC_EXPR_INVALID UINT32_MAX

/* What a free variable stands for while building: a value of the IR, or a constant that folds. */
struct gruc_expr_binding {
    const char *name;
    bool is_constant;
    double constant;
    uint32_t value;
};

/* Makes IR values. Each callback returns the id of a value, GRUC_EXPR_INVALID to give up. */
struct gruc_expr_builder {
    void *context;
    enum gruc_accuracy accuracy;
    uint32_t (*constant)(void *context, float value);
    uint32_t (*basic)(void *context, enum gruc_basic op, const uint32_t *args);
    /* Keeps a primitive as one IR operation; NULL: it is expanded into basic operations. */
    uint32_t (*prim)(void *context, enum gruc_prim prim, uint32_t x);
};

/* Build the IR of a parsed text. Operations on constants alone are folded with float32 rounding,
 * a `select` with a constant condition builds only the chosen side, and nothing unused is built.
 * False when a variable is not bound or a callback gave up. */
bool gruc_expr_build(const struct gruc_expr *expr, const struct gruc_expr_builder *builder,
                     const struct gruc_expr_binding *bindings, size_t binding_count,
                     uint32_t *out);

/* Build the primitive of one operand, expanded at the builder's accuracy (builder->prim unused). */
bool gruc_prim_build(enum gruc_prim prim, const struct gruc_expr_builder *builder, uint32_t x,
                     uint32_t *out);

#endif

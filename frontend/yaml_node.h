/* SPDX-License-Identifier: MIT */
#ifndef GRUC_FRONTEND_YAML_NODE_H
#define GRUC_FRONTEND_YAML_NODE_H

/* A YAML text as a tree of nodes with their places. */

#include <stdint.h>

#include "ir/base/arena.h"
#include "ir/base/diag.h"

enum gruc_yaml_kind { GRUC_YAML_SCALAR, GRUC_YAML_SEQUENCE, GRUC_YAML_MAPPING };

struct gruc_yaml {
    enum gruc_yaml_kind kind;
    int plain;             /* a scalar without quotes: may be null, a boolean or a number */
    const char *text;      /* of a scalar, NUL-terminated; no NUL inside */
    struct gruc_mark mark; /* of a block list or mapping: its first character */
    struct gruc_yaml **items; /* of a mapping: keys, which are scalars */
    struct gruc_yaml **values; /* of a mapping */
    size_t count;
};

enum {
    GRUC_YAML_MAX_BYTES = 1 << 20,
    GRUC_YAML_MAX_DEPTH = 64,
    GRUC_YAML_MAX_EVENTS = 100000
};

/* Reads the one document of a text. Anchors, aliases, tags, merge keys, duplicate keys and what
 * exceeds the limits are errors; *out is NULL when there was one. The tree lives in the arena and
 * does not refer to text. */
enum gruc_status gruc_yaml_parse(struct gruc_arena *arena, const char *text, size_t length,
                                 struct gruc_diag *diag, struct gruc_yaml **out);

/* The value of a key of a mapping, NULL when it is absent. */
struct gruc_yaml *gruc_yaml_get(const struct gruc_yaml *mapping, const char *key);

/* Types of a plain scalar by the core schema of YAML 1.2; 0 when it is not of that type. An integer
 * out of range is none; every integer is a number too. */
int gruc_yaml_is_null(const struct gruc_yaml *node);
int gruc_yaml_boolean(const struct gruc_yaml *node, int *out);
int gruc_yaml_integer(const struct gruc_yaml *node, int64_t *out);
int gruc_yaml_number(const struct gruc_yaml *node, double *out);

/* "a list", "the text 'abc'", "the number 1.5": for messages, cut to room. Returns room. */
const char *gruc_yaml_describe(const struct gruc_yaml *node, char *room, size_t size);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_FRONTEND_NAMES_H
#define GRUC_FRONTEND_NAMES_H

/* A table from names to pointers, in an arena. */

#include <stddef.h>

#include "ir/base/arena.h"

struct gruc_names {
    struct gruc_arena *arena;
    struct gruc_names_entry *entries;
    size_t count, capacity;
};

/* Adds a name, or gives an existing one another value; the text is borrowed. 0: no memory. */
int gruc_names_put(struct gruc_names *names, const char *name, void *value);
/* NULL when the name is not there. */
void *gruc_names_get(const struct gruc_names *names, const char *name);

#endif

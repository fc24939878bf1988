/* SPDX-License-Identifier: MIT */
#include "frontend/names.h"

#include <stdint.h>
#include <string.h>

struct gruc_names_entry {
    const char *name; /* NULL: free */
    void *value;
};

/* FNV-1a. */
static size_t hash_of(const char *name)
{
    uint64_t hash = 14695981039346656037u;
    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 1099511628211u;
    return (size_t)(hash ^ hash >> 32);
}

/* The entry of a name, or the free one where it would go; there is always a free one. */
static struct gruc_names_entry *locate(const struct gruc_names *names, const char *name)
{
    size_t at = hash_of(name) & (names->capacity - 1);
    while (names->entries[at].name != NULL && strcmp(names->entries[at].name, name) != 0)
        at = (at + 1) & (names->capacity - 1);
    return &names->entries[at];
}

static int enlarge(struct gruc_names *names)
{
    struct gruc_names larger = *names;
    larger.capacity = names->capacity == 0 ? 64 : names->capacity * 2;
    larger.entries = GRUC_NEW_ARRAY(names->arena, struct gruc_names_entry, larger.capacity);
    if (larger.entries == NULL)
        return 0;
    for (size_t i = 0; i < names->capacity; i++)
        if (names->entries[i].name != NULL)
            *locate(&larger, names->entries[i].name) = names->entries[i];
    *names = larger;
    return 1;
}

int gruc_names_put(struct gruc_names *names, const char *name, void *value)
{
    if (2 * (names->count + 1) > names->capacity && !enlarge(names))
        return 0;
    struct gruc_names_entry *entry = locate(names, name);
    names->count += entry->name == NULL;
    *entry = (struct gruc_names_entry){name, value};
    return 1;
}

void *gruc_names_get(const struct gruc_names *names, const char *name)
{
    return names->capacity == 0 ? NULL : locate(names, name)->value;
}

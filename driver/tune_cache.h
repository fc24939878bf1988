/* SPDX-License-Identifier: MIT */
#ifndef GRUC_DRIVER_TUNE_CACHE_H
#define GRUC_DRIVER_TUNE_CACHE_H

/* The file in which --tune keeps what it measured: $XDG_CACHE_HOME/gruc/tune.json or
 * ~/.cache/gruc/tune.json. Whatever is wrong with it only means that nothing is known. */

#include "codegen/backend.h"

struct gruc_tune_entry {
    struct gruc_blocking blocking;
    double gain; /* percent by which it is faster than without it; 0: there is nothing better */
};

enum { GRUC_TUNE_KEY_BYTES = 320, GRUC_TUNE_PROBLEM_BYTES = 256 };

struct gruc_tune_cache {
    char *path;        /* NULL: there is no place for it */
    void *entries;     /* a list of jansson's */
    int is_usable;     /* may be replaced */
    char problem[GRUC_TUNE_PROBLEM_BYTES]; /* why it was ignored or not written, or empty */
};

void gruc_tune_cache_open(struct gruc_tune_cache *cache);
/* Whether there is an entry of that key. */
int gruc_tune_cache_find(const struct gruc_tune_cache *cache, const char *key,
                         struct gruc_tune_entry *out);
/* Adds or replaces the entry of a key and writes the file. 0, with the problem told: it is not. */
int gruc_tune_cache_store(struct gruc_tune_cache *cache, const char *key,
                          const struct gruc_tune_entry *entry);
void gruc_tune_cache_close(struct gruc_tune_cache *cache);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_BASE_ARENA_H
#define GRUC_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

/* Memory that lives as long as one compilation and is freed as a whole. Not shared by threads. */
struct gruc_arena {
    struct gruc_arena_block *block;
    size_t total; /* bytes handed out */
    size_t limit; /* 0: none */
};

void gruc_arena_init(struct gruc_arena *arena);
void gruc_arena_finish(struct gruc_arena *arena);

/* Zeroed, aligned to 16 bytes (64 from 4096 bytes on); NULL when memory or the limit is exhausted
 * or count * size overflows. */
void *gruc_arena_alloc(struct gruc_arena *arena, size_t count, size_t size);

/* A NUL-terminated copy of length bytes of text, NULL as above. */
char *gruc_arena_text(struct gruc_arena *arena, const char *text, size_t length);

/* printf into the arena, NULL as above. */
char *gruc_arena_format(struct gruc_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define GRUC_NEW(arena, type) ((type *)gruc_arena_alloc((arena), 1, sizeof(type)))
#define GRUC_NEW_ARRAY(arena, type, count) \
    ((type *)gruc_arena_alloc((arena), (count), sizeof(type)))

/* Makes room for one more element of a growing array in an arena: *items holds count elements with
 * room for *capacity. Old storage stays in the arena. Returns 0 when memory is exhausted. */
int gruc_arena_grow(struct gruc_arena *arena, void **items, size_t count, size_t *capacity,
                    size_t size);

#endif

/* SPDX-License-Identifier: MIT */
#include "ir/base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 64 * 1024, BLOCK_ALIGN = 64, LARGE = 4096 };

struct gruc_arena_block {
    struct gruc_arena_block *next;
    size_t used;
    size_t size;
    void *base; /* what malloc returned */
    unsigned char *bytes;
};

void gruc_arena_init(struct gruc_arena *arena)
{
    *arena = (struct gruc_arena){0};
}

void gruc_arena_finish(struct gruc_arena *arena)
{
    struct gruc_arena_block *block = arena->block;
    while (block != NULL) {
        struct gruc_arena_block *next = block->next;
        free(block->base);
        free(block);
        block = next;
    }
    arena->block = NULL;
    arena->total = 0;
}

static struct gruc_arena_block *add_block(struct gruc_arena *arena, size_t size)
{
    struct gruc_arena_block *block = malloc(sizeof *block);
    if (block == NULL)
        return NULL;
    block->base = calloc(1, size + BLOCK_ALIGN);
    if (block->base == NULL) {
        free(block);
        return NULL;
    }
    uintptr_t address = (uintptr_t)block->base;
    block->bytes = (unsigned char *)block->base + (BLOCK_ALIGN - address % BLOCK_ALIGN);
    block->used = 0;
    block->size = size;
    block->next = arena->block;
    arena->block = block;
    return block;
}

void *gruc_arena_alloc(struct gruc_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    size_t align = bytes >= LARGE ? BLOCK_ALIGN : 16;
    if (bytes == 0)
        bytes = 1;
    if (arena->limit != 0 && (bytes > arena->limit || arena->total > arena->limit - bytes))
        return NULL;
    struct gruc_arena_block *block = arena->block;
    size_t start = block == NULL ? 0 : (block->used + align - 1) / align * align;
    if (block == NULL || start > block->size || block->size - start < bytes) {
        block = add_block(arena, bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES);
        if (block == NULL)
            return NULL;
        start = 0;
    }
    block->used = start + bytes;
    arena->total += bytes;
    return block->bytes + start;
}

char *gruc_arena_text(struct gruc_arena *arena, const char *text, size_t length)
{
    char *copy = length == SIZE_MAX ? NULL : gruc_arena_alloc(arena, length + 1, 1);
    if (copy != NULL && length > 0)
        memcpy(copy, text, length);
    return copy;
}

char *gruc_arena_format(struct gruc_arena *arena, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    va_list again;
    va_copy(again, list);
    int length = vsnprintf(NULL, 0, format, list);
    va_end(list);
    char *text = length < 0 ? NULL : gruc_arena_alloc(arena, (size_t)length + 1, 1);
    if (text != NULL)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

int gruc_arena_grow(struct gruc_arena *arena, void **items, size_t count, size_t *capacity,
                    size_t size)
{
    if (count < *capacity)
        return 1;
    size_t wanted = *capacity == 0 ? 8 : *capacity * 2;
    void *larger = gruc_arena_alloc(arena, wanted, size);
    if (larger == NULL)
        return 0;
    if (count > 0)
        memcpy(larger, *items, count * size);
    *items = larger;
    *capacity = wanted;
    return 1;
}

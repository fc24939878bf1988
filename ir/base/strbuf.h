/* SPDX-License-Identifier: MIT */
#ifndef GRUC_BASE_STRBUF_H
#define GRUC_BASE_STRBUF_H

#include <stddef.h>

/* Text that grows on the heap. Once memory runs out it stays failed and ignores further text, so
 * callers check once, at the end. */
struct gruc_strbuf {
    char *text; /* NUL-terminated, NULL while empty */
    size_t length;
    size_t capacity;
    int failed;
};

void gruc_strbuf_init(struct gruc_strbuf *buffer);
void gruc_strbuf_finish(struct gruc_strbuf *buffer);
void gruc_strbuf_append(struct gruc_strbuf *buffer, const void *bytes, size_t length);
void gruc_strbuf_text(struct gruc_strbuf *buffer, const char *text);
void gruc_strbuf_format(struct gruc_strbuf *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends text as a JSON string with its quotes. */
void gruc_strbuf_json(struct gruc_strbuf *buffer, const char *text);

#endif

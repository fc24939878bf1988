/* SPDX-License-Identifier: MIT */
#include "ir/base/strbuf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gruc_strbuf_init(struct gruc_strbuf *buffer)
{
    *buffer = (struct gruc_strbuf){0};
}

void gruc_strbuf_finish(struct gruc_strbuf *buffer)
{
    free(buffer->text);
    gruc_strbuf_init(buffer);
}

static int reserve(struct gruc_strbuf *buffer, size_t more)
{
    if (buffer->failed || more > SIZE_MAX / 4 - buffer->length) {
        buffer->failed = 1;
        return 0;
    }
    size_t wanted = buffer->length + more + 1;
    if (wanted <= buffer->capacity)
        return 1;
    size_t capacity = buffer->capacity == 0 ? 256 : buffer->capacity;
    while (capacity < wanted)
        capacity *= 2;
    char *text = realloc(buffer->text, capacity);
    if (text == NULL) {
        buffer->failed = 1;
        return 0;
    }
    buffer->text = text;
    buffer->capacity = capacity;
    return 1;
}

void gruc_strbuf_append(struct gruc_strbuf *buffer, const void *bytes, size_t length)
{
    if (!reserve(buffer, length))
        return;
    if (length > 0)
        memcpy(buffer->text + buffer->length, bytes, length);
    buffer->length += length;
    buffer->text[buffer->length] = '\0';
}

void gruc_strbuf_text(struct gruc_strbuf *buffer, const char *text)
{
    gruc_strbuf_append(buffer, text, strlen(text));
}

void gruc_strbuf_format(struct gruc_strbuf *buffer, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    va_list again;
    va_copy(again, list);
    int length = vsnprintf(NULL, 0, format, list);
    va_end(list);
    if (length < 0)
        buffer->failed = 1;
    else if (reserve(buffer, (size_t)length)) {
        vsnprintf(buffer->text + buffer->length, (size_t)length + 1, format, again);
        buffer->length += (size_t)length;
    }
    va_end(again);
}

void gruc_strbuf_json(struct gruc_strbuf *buffer, const char *text)
{
    gruc_strbuf_text(buffer, "\"");
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            gruc_strbuf_format(buffer, "\\%c", c);
        else if (c < 0x20)
            gruc_strbuf_format(buffer, "\\u%04x", c);
        else
            gruc_strbuf_append(buffer, text, 1);
    }
    gruc_strbuf_text(buffer, "\"");
}

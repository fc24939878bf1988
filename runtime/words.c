/* SPDX-License-Identifier: MIT */
#include "runtime/words.h"

#include <stdint.h>
#include <string.h>

_Static_assert(sizeof(long) == 8 && sizeof(size_t) == 8, "l and z mean 64 bits");

enum { DIGITS = 20 };

struct writer {
    char *room;
    size_t size, length;
};

static void put(struct writer *writer, const char *text, size_t length)
{
    size_t left = writer->size - 1 - writer->length;
    if (length > left)
        length = left;
    memcpy(writer->room + writer->length, text, length);
    writer->length += length;
}

static void put_number(struct writer *writer, uint64_t magnitude, int negative)
{
    char digits[DIGITS];
    size_t at = DIGITS;
    do
        digits[--at] = (char)('0' + magnitude % 10);
    while ((magnitude /= 10) > 0);
    if (negative)
        put(writer, "-", 1);
    put(writer, digits + at, DIGITS - at);
}

static void put_text(struct writer *writer, const char *text, int most)
{
    put(writer, text, most < 0 ? strlen(text) : strnlen(text, (size_t)most));
}

size_t grt_words_vformat(char *room, size_t size, const char *format, va_list list)
{
    struct writer writer = {room, size, 0};
    while (*format != '\0') {
        size_t plain = strcspn(format, "%");
        put(&writer, format, plain);
        format += plain;
        if (*format == '\0')
            break;
        int most = -1, wide = 0;
        if (strncmp(++format, ".*", 2) == 0) {
            most = va_arg(list, int);
            format += 2;
        }
        for (; *format == 'l' || *format == 'z'; format++)
            wide = 1;
        if (*format == 's')
            put_text(&writer, va_arg(list, const char *), most);
        else if (*format == 'u')
            put_number(&writer, wide ? va_arg(list, uint64_t) : va_arg(list, unsigned), 0);
        else {
            int64_t value = wide ? va_arg(list, int64_t) : va_arg(list, int);
            put_number(&writer, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0);
        }
        format++;
    }
    room[writer.length] = '\0';
    return writer.length;
}

size_t grt_words_format(char *room, size_t size, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    size_t length = grt_words_vformat(room, size, format, list);
    va_end(list);
    return length;
}

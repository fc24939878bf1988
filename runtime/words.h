/* SPDX-License-Identifier: MIT */
#ifndef GRT_WORDS_H
#define GRT_WORDS_H

#include <stdarg.h>
#include <stddef.h>

/* The part of snprintf that messages need: %s, %.*s, and %d and %u with l, ll or z. The C library's
 * own would add a tenth to the size of a standalone program, most of it for floating point. The
 * text is cut to fit; the length of what is in room is returned. */
size_t grt_words_format(char *room, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
size_t grt_words_vformat(char *room, size_t size, const char *format, va_list list)
    __attribute__((format(printf, 3, 0)));

#endif

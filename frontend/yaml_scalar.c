/* SPDX-License-Identifier: MIT */
/* What plain scalars mean by the core schema of YAML 1.2, and access to mappings. */
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/yaml_node.h"

struct gruc_yaml *gruc_yaml_get(const struct gruc_yaml *mapping, const char *key)
{
    for (size_t i = 0; i < mapping->count; i++)
        if (strcmp(mapping->items[i]->text, key) == 0)
            return mapping->values[i];
    return NULL;
}

static int is_one_of(const struct gruc_yaml *node, const char *const *words)
{
    if (node->kind != GRUC_YAML_SCALAR || !node->plain)
        return 0;
    for (; *words != NULL; words++)
        if (strcmp(node->text, *words) == 0)
            return 1;
    return 0;
}

int gruc_yaml_is_null(const struct gruc_yaml *node)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL", NULL};
    return is_one_of(node, words);
}

int gruc_yaml_boolean(const struct gruc_yaml *node, int *out)
{
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};
    *out = is_one_of(node, yes);
    return *out || is_one_of(node, no);
}

static size_t count_digits(const char *text)
{
    size_t count = 0;
    while (text[count] >= '0' && text[count] <= '9')
        count++;
    return count;
}

static int is_decimal_integer(const char *text)
{
    text += *text == '+' || *text == '-';
    size_t digits = count_digits(text);
    return digits > 0 && text[digits] == '\0';
}

int gruc_yaml_integer(const struct gruc_yaml *node, int64_t *out)
{
    if (node->kind != GRUC_YAML_SCALAR || !node->plain)
        return 0;
    const char *text = node->text;
    int base = 10;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'o')) {
        base = text[1] == 'x' ? 16 : 8;
        text += 2;
        if (!isxdigit((unsigned char)text[0]))
            return 0;
    } else if (!is_decimal_integer(text)) {
        return 0;
    }
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, base);
    if (errno != 0 || *end != '\0')
        return 0;
    *out = value;
    return 1;
}

static int is_decimal_number(const char *text)
{
    text += *text == '+' || *text == '-';
    size_t before = count_digits(text), after = 0;
    text += before;
    if (*text == '.') {
        after = count_digits(++text);
        text += after;
    }
    if (before + after == 0)
        return 0;
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '+' || *text == '-';
        size_t digits = count_digits(text);
        if (digits == 0)
            return 0;
        text += digits;
    }
    return *text == '\0';
}

/* strtod reads the decimal point of the process's locale, so it is given that one. */
static int convert_number(const char *text, double *out)
{
    char room[128], *end;
    const char *point = localeconv()->decimal_point;
    const char *dot = strchr(text, '.');
    if (dot != NULL && strcmp(point, ".") != 0) {
        int length = snprintf(room, sizeof room, "%.*s%s%s", (int)(dot - text), text, point,
                              dot + 1);
        if (length < 0 || (size_t)length >= sizeof room)
            return 0;
        text = room;
    }
    *out = strtod(text, &end);
    return *end == '\0';
}

int gruc_yaml_number(const struct gruc_yaml *node, double *out)
{
    static const char *const infinite[] = {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", NULL};
    static const char *const negative[] = {"-.inf", "-.Inf", "-.INF", NULL};
    static const char *const nan[] = {".nan", ".NaN", ".NAN", NULL};
    int64_t integer;
    if (gruc_yaml_integer(node, &integer)) {
        *out = (double)integer;
        return 1;
    }
    if (is_one_of(node, infinite))
        *out = HUGE_VAL;
    else if (is_one_of(node, negative))
        *out = -HUGE_VAL;
    else if (is_one_of(node, nan))
        *out = NAN;
    else
        return node->kind == GRUC_YAML_SCALAR && node->plain && is_decimal_number(node->text) &&
               convert_number(node->text, out);
    return 1;
}

const char *gruc_yaml_describe(const struct gruc_yaml *node, char *room, size_t size)
{
    double number;
    int boolean;
    if (node->kind == GRUC_YAML_SEQUENCE)
        snprintf(room, size, "a list");
    else if (node->kind == GRUC_YAML_MAPPING)
        snprintf(room, size, "a mapping");
    else if (gruc_yaml_is_null(node))
        snprintf(room, size, "~");
    else if (gruc_yaml_boolean(node, &boolean))
        snprintf(room, size, "%s", boolean ? "true" : "false");
    else if (gruc_yaml_number(node, &number))
        snprintf(room, size, "the number %.40s", node->text);
    else
        snprintf(room, size, "the text '%.40s'", node->text);
    return room;
}

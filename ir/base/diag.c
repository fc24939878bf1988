/* SPDX-License-Identifier: MIT */
#include "ir/base/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 1024, LINE_BYTES = 1024 };

/* Copies the line into room, shortened when it is longer; NULL when there is none or the mark lies
 * beyond what fits. */
static const char *find_line(const struct gruc_diag *diag, struct gruc_mark mark,
                             char room[LINE_BYTES])
{
    if (diag->source == NULL || mark.line == 0 || mark.column >= LINE_BYTES / 4)
        return NULL;
    const char *at = diag->source, *end = diag->source + diag->source_length;
    for (unsigned line = 1; line < mark.line; line++) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (at == NULL)
            return NULL;
        at++;
    }
    size_t length = 0;
    size_t left = (size_t)(end - at);
    while (length < left && at[length] != '\n' && at[length] != '\r' && length < LINE_BYTES - 1)
        length++;
    while (length < left && length > 0 && ((unsigned char)at[length] & 0xC0) == 0x80)
        length--; /* not in the middle of a character */
    memcpy(room, at, length);
    room[length] = '\0';
    return room;
}

static void send(struct gruc_diag *diag, enum gruc_severity severity, enum gruc_error_code code,
                 struct gruc_mark mark, const char *format, va_list list)
{
    if (diag->function == NULL || diag->errors > GRUC_DIAG_MAX_ERRORS)
        return;
    char text[TEXT_BYTES], line[LINE_BYTES];
    if (vsnprintf(text, sizeof text, format, list) < 0)
        text[0] = '\0';
    struct gruc_message message = {severity, code, diag->file, mark, text, NULL};
    message.source_line = find_line(diag, mark, line);
    diag->function(diag->context, &message);
}

enum gruc_status gruc_diag_error(struct gruc_diag *diag, enum gruc_error_code code,
                                 struct gruc_mark mark, const char *format, ...)
{
    va_list list;
    diag->errors++;
    va_start(list, format);
    send(diag, GRUC_ERROR, code, mark, format, list);
    va_end(list);
    return GRUC_ERROR_INPUT;
}

void gruc_diag_warning(struct gruc_diag *diag, enum gruc_error_code code, struct gruc_mark mark,
                       const char *format, ...)
{
    va_list list;
    diag->warnings++;
    va_start(list, format);
    send(diag, GRUC_WARNING, code, mark, format, list);
    va_end(list);
}

void gruc_diag_note(struct gruc_diag *diag, struct gruc_mark mark, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    send(diag, GRUC_NOTE, GRUC_E_NONE, mark, format, list);
    va_end(list);
}

struct error_row {
    const char *name;
    const char *title;
    const char *explanation;
};

/* Numbers have three digits and are printed with a leading zero. */
static const struct error_row rows[] = {
    {"", "", ""},
#define GRUC_ERROR_ROW(code, name, title, explanation) {"E0" #code, title, explanation},
#include "ir/base/errors.def"
#undef GRUC_ERROR_ROW
};

const char *gruc_error_name(enum gruc_error_code code)
{
    return (unsigned)code < GRUC_E_COUNT ? rows[code].name : "";
}

const char *gruc_error_title(enum gruc_error_code code)
{
    return (unsigned)code < GRUC_E_COUNT ? rows[code].title : "";
}

const char *gruc_error_explanation(enum gruc_error_code code)
{
    return (unsigned)code < GRUC_E_COUNT ? rows[code].explanation : "";
}

enum gruc_error_code gruc_error_find(const char *name)
{
    for (int code = GRUC_E_NONE + 1; code < GRUC_E_COUNT; code++)
        if (strcmp(rows[code].name, name) == 0)
            return (enum gruc_error_code)code;
    return GRUC_E_NONE;
}

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_BASE_DIAG_H
#define GRUC_BASE_DIAG_H

#include <stddef.h>

#include "ir/base/arena.h"
#include "ir/base/status.h"

/* Where something stands in a source text; lines and columns count from 1, 0 means unknown. length
 * is the number of characters under the caret. */
struct gruc_mark {
    unsigned line;
    unsigned column;
    unsigned length;
};

enum gruc_severity { GRUC_NOTE, GRUC_WARNING, GRUC_ERROR };

/* Error codes: one row of errors.def each. */
enum gruc_error_code {
    GRUC_E_NONE,
#define GRUC_ERROR_ROW(code, name, title, explanation) GRUC_E_##name,
#include "ir/base/errors.def"
#undef GRUC_ERROR_ROW
    GRUC_E_COUNT
};

struct gruc_message {
    enum gruc_severity severity;
    enum gruc_error_code code; /* GRUC_E_NONE for notes */
    const char *file;          /* NULL: no file */
    struct gruc_mark mark;
    const char *text;
    const char *source_line;   /* the line mark points into, NULL when unknown */
};

typedef void (*gruc_message_function)(void *context, const struct gruc_message *message);

/* The diagnostics of one compilation: hands each message to the callback at once and counts. After
 * GRUC_DIAG_MAX_ERRORS errors further ones are dropped. */
#define GRUC_DIAG_MAX_ERRORS 20

struct gruc_diag {
    gruc_message_function function; /* may be NULL */
    void *context;
    const char *file;   /* of marks without a file of their own */
    const char *source; /* its text, for source lines; NULL when not at hand */
    size_t source_length;
    unsigned errors;
    unsigned warnings;
};

/* Reports; always returns GRUC_ERROR_INPUT so that callers can return it. */
enum gruc_status gruc_diag_error(struct gruc_diag *diag, enum gruc_error_code code,
                                 struct gruc_mark mark, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void gruc_diag_warning(struct gruc_diag *diag, enum gruc_error_code code, struct gruc_mark mark,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));
/* A note belongs to the error or warning before it and is dropped with it. */
void gruc_diag_note(struct gruc_diag *diag, struct gruc_mark mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "E0123" for a code, its short title, its explanation for `gruc explain`. */
const char *gruc_error_name(enum gruc_error_code code);
const char *gruc_error_title(enum gruc_error_code code);
const char *gruc_error_explanation(enum gruc_error_code code);
/* GRUC_E_NONE when name is no code. */
enum gruc_error_code gruc_error_find(const char *name);

/* The candidate nearest to word by edit distance, NULL when none is near enough to suggest. */
struct gruc_suggestion {
    const char *word;
    const char *best;
    unsigned distance;
};
void gruc_suggest_begin(struct gruc_suggestion *suggestion, const char *word);
void gruc_suggest_offer(struct gruc_suggestion *suggestion, const char *candidate);

#endif

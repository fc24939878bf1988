/* SPDX-License-Identifier: MIT */
#ifndef GRUC_IR_LEXER_H
#define GRUC_IR_LEXER_H

#include "ir/ir.h"

enum gruc_token {
    GRUC_TOKEN_END,
    GRUC_TOKEN_WORD,   /* letters, digits and _, a letter or _ first */
    GRUC_TOKEN_NUMBER, /* digits first, or a sign */
    GRUC_TOKEN_TEXT,   /* in quotes */
    GRUC_TOKEN_VALUE,  /* % and a number */
    GRUC_TOKEN_MARK,   /* one other character */
};

struct gruc_lexer {
    struct gruc_arena *arena;
    struct gruc_diag *diag;
    const char *at, *end, *line_start;
    unsigned line;
    enum gruc_token token; /* the one to be read next, start to at */
    const char *start;
};

enum gruc_status gruc_lexer_begin(struct gruc_lexer *lexer, struct gruc_arena *arena,
                                  const char *text, size_t length, struct gruc_diag *diag);
enum gruc_status gruc_lexer_next(struct gruc_lexer *lexer);
/* Reports at the current token; GRUC_ERROR_INPUT. */
enum gruc_status gruc_lexer_fail(struct gruc_lexer *lexer, const char *expected);

int gruc_lexer_is_mark(const struct gruc_lexer *lexer, char mark);
int gruc_lexer_is_word(const struct gruc_lexer *lexer, const char *word);

/* Each takes one token of the kind it names, or fails. */
enum gruc_status gruc_lexer_mark(struct gruc_lexer *lexer, char mark);
enum gruc_status gruc_lexer_word(struct gruc_lexer *lexer, const char *word);
enum gruc_status gruc_lexer_text(struct gruc_lexer *lexer, const char **out);
enum gruc_status gruc_lexer_integer(struct gruc_lexer *lexer, int64_t least, int64_t most,
                                    int64_t *out);
enum gruc_status gruc_lexer_unsigned(struct gruc_lexer *lexer, uint32_t *out);
enum gruc_status gruc_lexer_number(struct gruc_lexer *lexer, double *out);
/* %n: the number. */
enum gruc_status gruc_lexer_value(struct gruc_lexer *lexer, uint32_t *out);
/* s0, s1, ...: the number of the symbol. */
enum gruc_status gruc_lexer_symbol(struct gruc_lexer *lexer, uint32_t *out);

#endif

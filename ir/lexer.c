/* SPDX-License-Identifier: MIT */
#include "ir/lexer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_BYTES = 48 };

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int is_word(char c)
{
    return is_letter(c) || is_digit(c);
}

enum gruc_status gruc_lexer_fail(struct gruc_lexer *lexer, const char *expected)
{
    struct gruc_mark mark = {lexer->line, (unsigned)(lexer->start - lexer->line_start) + 1,
                             (unsigned)(lexer->at - lexer->start)};
    return gruc_diag_error(lexer->diag, GRUC_E_IR_SYNTAX, mark, "IR text: expected %s", expected);
}

static void skip_blanks(struct gruc_lexer *lexer)
{
    while (lexer->at < lexer->end && strchr(" \t\r\n", *lexer->at) != NULL && *lexer->at != '\0') {
        if (*lexer->at == '\n') {
            lexer->line++;
            lexer->line_start = lexer->at + 1;
        }
        lexer->at++;
    }
}

/* Moves past the characters of a kind. */
static void skip(struct gruc_lexer *lexer, int (*kind)(char))
{
    while (lexer->at < lexer->end && kind(*lexer->at))
        lexer->at++;
}

static int continues_number(char c)
{
    return is_word(c) || c == '.';
}

static void skip_number(struct gruc_lexer *lexer)
{
    char last = *lexer->at++;
    while (lexer->at < lexer->end &&
           (continues_number(*lexer->at) ||
            ((last == 'e' || last == 'E') && strchr("+-", *lexer->at) != NULL)))
        last = *lexer->at++;
}

static enum gruc_status skip_text(struct gruc_lexer *lexer)
{
    for (lexer->at++; lexer->at < lexer->end && *lexer->at != '"' && *lexer->at != '\n';
         lexer->at++)
        if (*lexer->at == '\\' && lexer->at + 1 < lexer->end && lexer->at[1] != '\n')
            lexer->at++;
    if (lexer->at >= lexer->end || *lexer->at != '"')
        return gruc_lexer_fail(lexer, "a closing quote on the same line");
    lexer->at++;
    return GRUC_OK;
}

enum gruc_status gruc_lexer_next(struct gruc_lexer *lexer)
{
    skip_blanks(lexer);
    lexer->start = lexer->at;
    lexer->token = GRUC_TOKEN_END;
    if (lexer->at >= lexer->end)
        return GRUC_OK;
    char c = *lexer->at;
    if (is_letter(c)) {
        lexer->token = GRUC_TOKEN_WORD;
        skip(lexer, is_word);
    } else if (is_digit(c) || c == '-' || c == '+') {
        lexer->token = GRUC_TOKEN_NUMBER;
        skip_number(lexer);
    } else if (c == '"') {
        lexer->token = GRUC_TOKEN_TEXT;
        return skip_text(lexer);
    } else {
        lexer->token = c == '%' ? GRUC_TOKEN_VALUE : GRUC_TOKEN_MARK;
        lexer->at++;
        if (c == '%')
            skip(lexer, is_digit);
    }
    return GRUC_OK;
}

enum gruc_status gruc_lexer_begin(struct gruc_lexer *lexer, struct gruc_arena *arena,
                                  const char *text, size_t length, struct gruc_diag *diag)
{
    *lexer = (struct gruc_lexer){.arena = arena,
                                 .diag = diag,
                                 .at = text,
                                 .end = text + length,
                                 .line_start = text,
                                 .line = 1};
    return gruc_lexer_next(lexer);
}

int gruc_lexer_is_mark(const struct gruc_lexer *lexer, char mark)
{
    return lexer->token == GRUC_TOKEN_MARK && *lexer->start == mark;
}

int gruc_lexer_is_word(const struct gruc_lexer *lexer, const char *word)
{
    size_t length = (size_t)(lexer->at - lexer->start);
    return lexer->token == GRUC_TOKEN_WORD && strlen(word) == length &&
           memcmp(word, lexer->start, length) == 0;
}

enum gruc_status gruc_lexer_mark(struct gruc_lexer *lexer, char mark)
{
    const char expected[] = {'\'', mark, '\'', '\0'};
    return gruc_lexer_is_mark(lexer, mark) ? gruc_lexer_next(lexer)
                                           : gruc_lexer_fail(lexer, expected);
}

enum gruc_status gruc_lexer_word(struct gruc_lexer *lexer, const char *word)
{
    return gruc_lexer_is_word(lexer, word) ? gruc_lexer_next(lexer) : gruc_lexer_fail(lexer, word);
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The character an escape at *at stands for, past which *at is moved; 0: there is no such. */
static char unescape(const char **at, const char *end)
{
    char c = *(*at)++;
    if (c == '"' || c == '\\')
        return c;
    if (c != 'x' || end - *at < 2 || hex_digit((*at)[0]) < 0 || hex_digit((*at)[1]) < 0)
        return '\0';
    int code = 16 * hex_digit((*at)[0]) + hex_digit((*at)[1]);
    *at += 2;
    return (char)code;
}

enum gruc_status gruc_lexer_text(struct gruc_lexer *lexer, const char **out)
{
    if (lexer->token != GRUC_TOKEN_TEXT)
        return gruc_lexer_fail(lexer, "a text in quotes");
    const char *end = lexer->at - 1;
    char *text = gruc_arena_alloc(lexer->arena, (size_t)(end - lexer->start) + 1, 1);
    if (text == NULL)
        return GRUC_ERROR_MEMORY;
    size_t length = 0;
    for (const char *at = lexer->start + 1; at < end;) {
        char c = *at++;
        if (c == '\\')
            c = unescape(&at, end);
        if (c == '\0')
            return gruc_lexer_fail(lexer, "no zero byte and only the escapes \\\", \\\\ and \\xHH");
        text[length++] = c;
    }
    *out = text;
    return gruc_lexer_next(lexer);
}

/* Copies the token, without its first skipped characters, so that it ends with NUL. */
static int copy_token(const struct gruc_lexer *lexer, size_t skipped, char out[NUMBER_BYTES])
{
    size_t length = (size_t)(lexer->at - lexer->start) - skipped;
    if (length == 0 || length >= NUMBER_BYTES)
        return 0;
    memcpy(out, lexer->start + skipped, length);
    out[length] = '\0';
    return 1;
}

static int read_integer(const char *text, int64_t least, int64_t most, int64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoimax(text, &end, 10);
    return *end == '\0' && errno == 0 && *out >= least && *out <= most;
}

enum gruc_status gruc_lexer_integer(struct gruc_lexer *lexer, int64_t least, int64_t most,
                                    int64_t *out)
{
    char text[NUMBER_BYTES];
    if (lexer->token != GRUC_TOKEN_NUMBER || !copy_token(lexer, 0, text) ||
        !read_integer(text, least, most, out))
        return gruc_lexer_fail(lexer, "an integer in range");
    return gruc_lexer_next(lexer);
}

enum gruc_status gruc_lexer_unsigned(struct gruc_lexer *lexer, uint32_t *out)
{
    int64_t number = 0;
    GRUC_TRY(gruc_lexer_integer(lexer, 0, UINT32_MAX, &number));
    *out = (uint32_t)number;
    return GRUC_OK;
}

enum gruc_status gruc_lexer_number(struct gruc_lexer *lexer, double *out)
{
    char text[NUMBER_BYTES], *end = text;
    int is_number = lexer->token == GRUC_TOKEN_NUMBER || gruc_lexer_is_word(lexer, "inf") ||
                    gruc_lexer_is_word(lexer, "nan");
    if (is_number && copy_token(lexer, 0, text))
        *out = strtod(text, &end);
    if (end == text || *end != '\0')
        return gruc_lexer_fail(lexer, "a number");
    return gruc_lexer_next(lexer);
}

static enum gruc_status prefixed(struct gruc_lexer *lexer, int fits, const char *expected,
                                 uint32_t *out)
{
    char text[NUMBER_BYTES];
    int64_t number;
    if (!fits || !copy_token(lexer, 1, text) || !is_digit(text[0]) ||
        !read_integer(text, 0, UINT32_MAX - 1, &number))
        return gruc_lexer_fail(lexer, expected);
    *out = (uint32_t)number;
    return gruc_lexer_next(lexer);
}

enum gruc_status gruc_lexer_value(struct gruc_lexer *lexer, uint32_t *out)
{
    return prefixed(lexer, lexer->token == GRUC_TOKEN_VALUE, "a value like %0", out);
}

enum gruc_status gruc_lexer_symbol(struct gruc_lexer *lexer, uint32_t *out)
{
    int fits = lexer->token == GRUC_TOKEN_WORD && *lexer->start == 's';
    return prefixed(lexer, fits, "a step symbol like s0", out);
}

/* SPDX-License-Identifier: MIT */
/* The header of a .npy file: magic, version, length and a dictionary in Python's notation, of which
 * just this grammar is accepted, its keys in any order, each once:
 *
 *   header := '{' [ entry { ',' entry } [','] ] '}' ' '* '\n'
 *   entry  := text ':' ( text | 'True' | 'False' | shape )
 *   shape  := '(' [ number { ',' number } [','] ] ')'      one number needs its comma
 *   text   := a run of other characters in single or double quotes
 */
#include "runtime/npy_header.h"

#include <string.h>

#include "runtime/words.h"

enum { MAX_DICTIONARY = 1 << 16, PREFIX = 10, WIDE_PREFIX = 12 };
enum { HAS_DESCR = 1, HAS_ORDER = 2, HAS_SHAPE = 4 };

static const struct {
    const char *descr;
    enum gruc_npy_type type;
} types[] = {
    {"<f4", GRUC_NPY_FLOAT32}, {"<i4", GRUC_NPY_INT32}, {"|b1", GRUC_NPY_BOOL},
    {"<f8", GRUC_NPY_FLOAT64}, {"<i8", GRUC_NPY_INT64}, {"|u1", GRUC_NPY_UINT8},
    {"|i1", GRUC_NPY_INT8},    {"<f2", GRUC_NPY_FLOAT16},
};

struct cursor {
    const char *at, *end;
};

static void skip_spaces(struct cursor *cursor)
{
    while (cursor->at < cursor->end && *cursor->at == ' ')
        cursor->at++;
}

static int take(struct cursor *cursor, char wanted)
{
    skip_spaces(cursor);
    if (cursor->at == cursor->end || *cursor->at != wanted)
        return 0;
    cursor->at++;
    return 1;
}

static int take_word(struct cursor *cursor, const char *word)
{
    size_t length = strlen(word);
    skip_spaces(cursor);
    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, word, length) != 0)
        return 0;
    cursor->at += length;
    return 1;
}

/* A quoted text into room, cut never: a longer one is no text of ours. */
static int take_text(struct cursor *cursor, char *room, size_t size)
{
    char quote = take(cursor, '\'') ? '\'' : take(cursor, '"') ? '"' : '\0';
    size_t length = 0;
    if (quote == '\0')
        return 0;
    while (cursor->at < cursor->end && *cursor->at != quote) {
        if (length + 1 == size || *cursor->at == '\\' || *cursor->at == '\n')
            return 0;
        room[length++] = *cursor->at++;
    }
    room[length] = '\0';
    return take(cursor, quote);
}

static int take_number(struct cursor *cursor, int64_t *out)
{
    skip_spaces(cursor);
    const char *begin = cursor->at;
    int64_t value = 0;
    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9') {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, *cursor->at - '0', &value))
            return 0;
        cursor->at++;
    }
    *out = value;
    return cursor->at > begin && (*begin != '0' || cursor->at == begin + 1);
}

static const char *take_shape(struct cursor *cursor, struct grt_npy_header *header)
{
    int comma = 1;
    if (!take(cursor, '('))
        return "the shape is no tuple";
    header->rank = 0;
    while (!take(cursor, ')')) {
        if (!comma)
            return "the shape is no tuple of numbers";
        if (header->rank == GRUC_ABI_MAX_RANK)
            return "more than eight axes";
        if (!take_number(cursor, &header->dims[header->rank]))
            return "a length in the shape is no number";
        header->rank++;
        comma = take(cursor, ',');
    }
    return header->rank == 1 && !comma ? "the shape is no tuple" : NULL;
}

static const char *take_descr(struct cursor *cursor, struct grt_npy_header *header)
{
    char descr[16];
    if (!take_text(cursor, descr, sizeof descr))
        return "the element type is no plain type";
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(descr, types[i].descr) == 0) {
            header->type = types[i].type;
            return NULL;
        }
    if (strchr(descr, 'O') != NULL)
        return "arrays of Python objects are not read";
    if (descr[0] == '>')
        return "big-endian numbers are not read";
    return "this element type is not read";
}

static const char *take_order(struct cursor *cursor, struct grt_npy_header *header)
{
    header->fortran_order = take_word(cursor, "True");
    if (!header->fortran_order && !take_word(cursor, "False"))
        return "fortran_order is neither True nor False";
    return NULL;
}

static const char *take_entry(struct cursor *cursor, struct grt_npy_header *header,
                              unsigned *seen)
{
    char key[16];
    unsigned bit;
    if (!take_text(cursor, key, sizeof key) || !take(cursor, ':'))
        return "the header is no dictionary";
    if (strcmp(key, "descr") == 0)
        bit = HAS_DESCR;
    else if (strcmp(key, "fortran_order") == 0)
        bit = HAS_ORDER;
    else if (strcmp(key, "shape") == 0)
        bit = HAS_SHAPE;
    else
        return "the header has an unknown key";
    if (*seen & bit)
        return "the header has a key twice";
    *seen |= bit;
    return bit == HAS_DESCR   ? take_descr(cursor, header)
           : bit == HAS_ORDER ? take_order(cursor, header)
                              : take_shape(cursor, header);
}

static const char *take_dictionary(struct cursor *cursor, struct grt_npy_header *header)
{
    unsigned seen = 0;
    int comma = 1;
    if (!take(cursor, '{'))
        return "the header is no dictionary";
    while (!take(cursor, '}')) {
        const char *error =
            comma ? take_entry(cursor, header, &seen) : "the header is no dictionary";
        if (error != NULL)
            return error;
        comma = take(cursor, ',');
    }
    if (seen != (HAS_DESCR | HAS_ORDER | HAS_SHAPE))
        return "the header lacks descr, fortran_order or shape";
    skip_spaces(cursor);
    if (cursor->end - cursor->at != 1 || *cursor->at != '\n')
        return "the header does not end with a line end";
    return NULL;
}

const char *grt_npy_header_parse(const unsigned char *bytes, size_t length,
                                 struct grt_npy_header *out)
{
    *out = (struct grt_npy_header){0};
    if (length < PREFIX || memcmp(bytes, "\x93NUMPY", 6) != 0)
        return "not a .npy file";
    if (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0)
        return "unknown version of the .npy format";
    size_t prefix = bytes[6] == 1 ? PREFIX : WIDE_PREFIX;
    if (length < prefix)
        return "the file is truncated";
    size_t dictionary = bytes[8] | (size_t)bytes[9] << 8;
    if (bytes[6] != 1)
        dictionary |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (dictionary > MAX_DICTIONARY)
        return "the header is too long";
    if (length - prefix < dictionary)
        return "the file is truncated";
    out->bytes = prefix + dictionary;
    struct cursor cursor = {(const char *)bytes + prefix, (const char *)bytes + out->bytes};
    return take_dictionary(&cursor, out);
}

size_t grt_npy_header_write(const struct gruc_array *array, char room[GRT_NPY_HEADER_ROOM])
{
    const char *descr = "";
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == array->type)
            descr = types[i].descr;
    size_t length = PREFIX;
    length += grt_words_format(room + length, GRT_NPY_HEADER_ROOM - length,
                               "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (uint32_t i = 0; i < array->rank; i++) /* at most eight times twenty digits */
        length += grt_words_format(room + length, GRT_NPY_HEADER_ROOM - length, "%s%lld%s",
                                   i > 0 ? " " : "", (long long)array->dims[i],
                                   i + 1 < array->rank || i == 0 ? "," : "");
    length += grt_words_format(room + length, GRT_NPY_HEADER_ROOM - length, "), }");
    while (length % 64 != 63)
        room[length++] = ' ';
    room[length++] = '\n';
    memcpy(room, "\x93NUMPY\x01", 8);
    room[8] = (char)((length - PREFIX) & 255);
    room[9] = (char)((length - PREFIX) >> 8);
    return length;
}

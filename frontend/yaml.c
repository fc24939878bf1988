/* SPDX-License-Identifier: MIT */
#include "frontend/yaml_node.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct reader {
    struct gruc_arena *arena;
    struct gruc_diag *diag;
    yaml_parser_t parser;
    yaml_event_t event;
    size_t events;
    unsigned errors_before;
};

static struct gruc_mark event_mark(const yaml_event_t *event)
{
    const yaml_mark_t *start = &event->start_mark, *end = &event->end_mark;
    struct gruc_mark mark = {(unsigned)start->line + 1, (unsigned)start->column + 1, 1};
    if (end->line == start->line && end->column > start->column)
        mark.length = (unsigned)(end->column - start->column);
    return mark;
}

static enum gruc_status syntax_error(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    if (parser->error == YAML_MEMORY_ERROR)
        return GRUC_ERROR_MEMORY;
    struct gruc_mark mark = {(unsigned)parser->problem_mark.line + 1,
                             (unsigned)parser->problem_mark.column + 1, 1};
    const char *problem = parser->problem == NULL ? "not YAML" : parser->problem;
    gruc_diag_error(reader->diag, GRUC_E_YAML_SYNTAX, mark, "%s", problem);
    if (parser->context != NULL) {
        struct gruc_mark context = {(unsigned)parser->context_mark.line + 1,
                                    (unsigned)parser->context_mark.column + 1, 1};
        gruc_diag_note(reader->diag, context, "%s that begins here", parser->context);
    }
    return GRUC_ERROR_INPUT;
}

/* Reads the next event; the one before is freed. */
static enum gruc_status next_event(struct reader *reader)
{
    yaml_event_delete(&reader->event);
    if (!yaml_parser_parse(&reader->parser, &reader->event)) {
        memset(&reader->event, 0, sizeof reader->event);
        return syntax_error(reader);
    }
    if (++reader->events > GRUC_YAML_MAX_EVENTS)
        return gruc_diag_error(reader->diag, GRUC_E_YAML_LIMIT, event_mark(&reader->event),
                               "more than %d YAML events", GRUC_YAML_MAX_EVENTS);
    return GRUC_OK;
}

static void refuse_anchor(struct reader *reader, const yaml_char_t *anchor)
{
    if (anchor != NULL)
        gruc_diag_error(reader->diag, GRUC_E_YAML_ANCHOR, event_mark(&reader->event),
                        "anchors are not allowed: '&%s'", (const char *)anchor);
}

static void refuse_tag(struct reader *reader, const yaml_char_t *tag)
{
    if (tag != NULL)
        gruc_diag_error(reader->diag, GRUC_E_YAML_TAG, event_mark(&reader->event),
                        "tags are not allowed: '%s'", (const char *)tag);
}

static enum gruc_status read_scalar(struct reader *reader, struct gruc_yaml *node)
{
    const yaml_event_t *event = &reader->event;
    refuse_anchor(reader, event->data.scalar.anchor);
    refuse_tag(reader, event->data.scalar.tag);
    node->kind = GRUC_YAML_SCALAR;
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    if (memchr(text, '\0', length) != NULL)
        return gruc_diag_error(reader->diag, GRUC_E_YAML_ENCODING, node->mark,
                               "text with a NUL character");
    node->text = gruc_arena_text(reader->arena, text, length);
    return node->text == NULL ? GRUC_ERROR_MEMORY : GRUC_OK;
}

static enum gruc_status read_node(struct reader *reader, unsigned depth, struct gruc_yaml **out);

static enum gruc_status grow(struct reader *reader, struct gruc_yaml ***items, size_t count,
                             size_t *capacity)
{
    return gruc_arena_grow(reader->arena, (void **)items, count, capacity, sizeof **items)
               ? GRUC_OK
               : GRUC_ERROR_MEMORY;
}

static enum gruc_status read_sequence(struct reader *reader, unsigned depth,
                                      struct gruc_yaml *node)
{
    size_t capacity = 0;
    refuse_anchor(reader, reader->event.data.sequence_start.anchor);
    refuse_tag(reader, reader->event.data.sequence_start.tag);
    node->kind = GRUC_YAML_SEQUENCE;
    GRUC_TRY(next_event(reader));
    while (reader->event.type != YAML_SEQUENCE_END_EVENT) {
        GRUC_TRY(grow(reader, &node->items, node->count, &capacity));
        GRUC_TRY(read_node(reader, depth, &node->items[node->count++]));
        GRUC_TRY(next_event(reader));
    }
    return GRUC_OK;
}

static int compare_keys(const void *left, const void *right)
{
    const struct gruc_yaml *a = *(struct gruc_yaml *const *)left;
    const struct gruc_yaml *b = *(struct gruc_yaml *const *)right;
    int order = strcmp(a->text, b->text);
    if (order != 0)
        return order;
    if (a->mark.line != b->mark.line)
        return a->mark.line < b->mark.line ? -1 : 1;
    return a->mark.column < b->mark.column ? -1 : a->mark.column > b->mark.column;
}

static enum gruc_status refuse_duplicates(struct reader *reader, const struct gruc_yaml *node)
{
    if (node->count < 2)
        return GRUC_OK;
    struct gruc_yaml **keys = GRUC_NEW_ARRAY(reader->arena, struct gruc_yaml *, node->count);
    if (keys == NULL)
        return GRUC_ERROR_MEMORY;
    memcpy(keys, node->items, node->count * sizeof(struct gruc_yaml *));
    qsort(keys, node->count, sizeof(struct gruc_yaml *), compare_keys);
    for (size_t i = 1; i < node->count; i++) {
        if (strcmp(keys[i - 1]->text, keys[i]->text) != 0)
            continue;
        gruc_diag_error(reader->diag, GRUC_E_YAML_DUPLICATE_KEY, keys[i]->mark,
                        "key '%s' stands twice in this mapping", keys[i]->text);
        gruc_diag_note(reader->diag, keys[i - 1]->mark, "it is here before");
    }
    return GRUC_OK;
}

static enum gruc_status read_key(struct reader *reader, unsigned depth, struct gruc_yaml **out)
{
    GRUC_TRY(read_node(reader, depth, out));
    const struct gruc_yaml *key = *out;
    if (key->kind != GRUC_YAML_SCALAR)
        return gruc_diag_error(reader->diag, GRUC_E_YAML_KEY, key->mark,
                               "the key of a mapping must be a word");
    if (key->plain && strcmp(key->text, "<<") == 0)
        gruc_diag_error(reader->diag, GRUC_E_YAML_MERGE_KEY, key->mark,
                        "merge keys are not allowed");
    return GRUC_OK;
}

static enum gruc_status read_mapping(struct reader *reader, unsigned depth,
                                     struct gruc_yaml *node)
{
    size_t key_capacity = 0, value_capacity = 0;
    refuse_anchor(reader, reader->event.data.mapping_start.anchor);
    refuse_tag(reader, reader->event.data.mapping_start.tag);
    node->kind = GRUC_YAML_MAPPING;
    GRUC_TRY(next_event(reader));
    while (reader->event.type != YAML_MAPPING_END_EVENT) {
        GRUC_TRY(grow(reader, &node->items, node->count, &key_capacity));
        GRUC_TRY(grow(reader, &node->values, node->count, &value_capacity));
        GRUC_TRY(read_key(reader, depth, &node->items[node->count]));
        GRUC_TRY(next_event(reader));
        GRUC_TRY(read_node(reader, depth, &node->values[node->count]));
        node->count++;
        GRUC_TRY(next_event(reader));
    }
    return refuse_duplicates(reader, node);
}

/* Reads the node that the current event begins; its last event is current afterwards. */
static enum gruc_status read_node(struct reader *reader, unsigned depth, struct gruc_yaml **out)
{
    struct gruc_yaml *node = GRUC_NEW(reader->arena, struct gruc_yaml);
    if (node == NULL)
        return GRUC_ERROR_MEMORY;
    node->mark = event_mark(&reader->event);
    *out = node;
    if (depth >= GRUC_YAML_MAX_DEPTH)
        return gruc_diag_error(reader->diag, GRUC_E_YAML_LIMIT, node->mark,
                               "nested deeper than %d levels", GRUC_YAML_MAX_DEPTH);
    switch (reader->event.type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(reader, node);
    case YAML_SEQUENCE_START_EVENT:
        return read_sequence(reader, depth + 1, node);
    case YAML_MAPPING_START_EVENT:
        return read_mapping(reader, depth + 1, node);
    case YAML_ALIAS_EVENT:
        return gruc_diag_error(reader->diag, GRUC_E_YAML_ANCHOR, node->mark,
                               "aliases are not allowed: '*%s'",
                               (const char *)reader->event.data.alias.anchor);
    default:
        return gruc_diag_error(reader->diag, GRUC_E_INTERNAL, node->mark,
                               "libyaml gave an event that begins no node");
    }
}

static enum gruc_status read_stream(struct reader *reader, struct gruc_yaml **out)
{
    struct gruc_mark begin = {1, 1, 1};
    GRUC_TRY(next_event(reader)); /* of the stream's begin */
    GRUC_TRY(next_event(reader));
    if (reader->event.type != YAML_DOCUMENT_START_EVENT)
        return gruc_diag_error(reader->diag, GRUC_E_YAML_EMPTY, begin, "the file is empty");
    GRUC_TRY(next_event(reader));
    GRUC_TRY(read_node(reader, 0, out));
    GRUC_TRY(next_event(reader)); /* the document's end */
    GRUC_TRY(next_event(reader));
    if (reader->event.type == YAML_DOCUMENT_START_EVENT)
        return gruc_diag_error(reader->diag, GRUC_E_YAML_SECOND_DOCUMENT,
                               event_mark(&reader->event), "a file holds one document");
    return GRUC_OK;
}

/* Length of the character at text, 0 when the bytes are no UTF-8 or a control character. */
static size_t character_length(const unsigned char *text, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char c = text[0];
    if (c < 0x80)
        return (c >= 0x20 && c != 0x7F) || c == '\t' || c == '\n' || c == '\r';
    size_t length = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
    if (c < 0xC2 || c > 0xF4 || left < length)
        return 0;
    uint32_t code = c & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3Fu);
    }
    if (code < least[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return 0;
    return length;
}

static enum gruc_status check_text(const char *text, size_t length, struct gruc_diag *diag)
{
    struct gruc_mark mark = {1, 1, 1};
    if (length > GRUC_YAML_MAX_BYTES)
        return gruc_diag_error(diag, GRUC_E_YAML_LIMIT, mark, "the file has more than %d bytes",
                               GRUC_YAML_MAX_BYTES);
    for (size_t i = 0; i < length; mark.column++) {
        const unsigned char *at = (const unsigned char *)text + i;
        size_t step = character_length(at, length - i);
        if (step == 0) {
            diag->source = NULL; /* a line of such data would only hurt a terminal */
            return gruc_diag_error(diag, GRUC_E_YAML_ENCODING, mark,
                                   "byte 0x%02x at offset %zu is not part of UTF-8 text", at[0],
                                   i);
        }
        if (*at == '\n') {
            mark.line++;
            mark.column = 0;
        }
        i += step;
    }
    return GRUC_OK;
}

enum gruc_status gruc_yaml_parse(struct gruc_arena *arena, const char *text, size_t length,
                                 struct gruc_diag *diag, struct gruc_yaml **out)
{
    struct reader reader = {.arena = arena, .diag = diag, .errors_before = diag->errors};
    *out = NULL;
    GRUC_TRY(check_text(text, length, diag));
    if (!yaml_parser_initialize(&reader.parser))
        return GRUC_ERROR_MEMORY;
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, length);
    enum gruc_status status = read_stream(&reader, out);
    yaml_event_delete(&reader.event);
    yaml_parser_delete(&reader.parser);
    if (status == GRUC_OK && diag->errors > reader.errors_before)
        status = GRUC_ERROR_INPUT;
    if (status != GRUC_OK)
        *out = NULL;
    return status;
}

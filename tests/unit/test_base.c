/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <string.h>

#include "ir/base/arena.h"
#include "ir/base/diag.h"
#include "ir/base/strbuf.h"
#include "tests/unit/suites.h"

static void arena_memory_is_zeroed_aligned_and_apart(void)
{
    struct gruc_arena arena;
    gruc_arena_init(&arena);
    unsigned char *before = NULL;
    size_t before_size = 0;
    for (size_t size = 1; size < 300000; size = size * 3 + 1) {
        unsigned char *bytes = gruc_arena_alloc(&arena, size, 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
        CU_ASSERT_EQUAL((uintptr_t)bytes % (size >= 4096 ? 64 : 16), 0);
        size_t set = 0;
        for (size_t i = 0; i < size; i++)
            set += bytes[i] != 0;
        CU_ASSERT_EQUAL(set, 0);
        memset(bytes, 0xff, size);
        for (size_t i = 0; i < before_size; i++)
            set += before[i] != 0xff;
        CU_ASSERT_EQUAL(set, 0);
        before = bytes;
        before_size = size;
    }
    gruc_arena_finish(&arena);
    CU_ASSERT_PTR_NULL(arena.block);
}

static void arena_refuses_overflow_and_keeps_its_limit(void)
{
    struct gruc_arena arena;
    gruc_arena_init(&arena);
    CU_ASSERT_PTR_NULL(gruc_arena_alloc(&arena, SIZE_MAX, 2));
    CU_ASSERT_PTR_NULL(gruc_arena_alloc(&arena, SIZE_MAX / 8, 9));
    CU_ASSERT_PTR_NULL(gruc_arena_alloc(&arena, 1, SIZE_MAX));
    CU_ASSERT_PTR_NULL(gruc_arena_text(&arena, "", SIZE_MAX));
    arena.limit = 1000;
    CU_ASSERT_PTR_NOT_NULL(gruc_arena_alloc(&arena, 600, 1));
    CU_ASSERT_PTR_NULL(gruc_arena_alloc(&arena, 401, 1));
    CU_ASSERT_PTR_NOT_NULL(gruc_arena_alloc(&arena, 400, 1));
    CU_ASSERT_PTR_NULL(gruc_arena_alloc(&arena, 1, 1));
    gruc_arena_finish(&arena);
}

static void arena_copies_and_formats_text(void)
{
    struct gruc_arena arena;
    gruc_arena_init(&arena);
    CU_ASSERT_STRING_EQUAL(gruc_arena_text(&arena, "kernel/x", 6), "kernel");
    CU_ASSERT_STRING_EQUAL(gruc_arena_text(&arena, NULL, 0), "");
    CU_ASSERT_STRING_EQUAL(gruc_arena_format(&arena, "%s_%d", "gru", 12), "gru_12");
    gruc_arena_finish(&arena);
}

static void arena_arrays_keep_their_items_while_growing(void)
{
    struct gruc_arena arena;
    gruc_arena_init(&arena);
    uint32_t *items = NULL;
    size_t capacity = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        void *storage = items;
        CU_ASSERT_TRUE_FATAL(gruc_arena_grow(&arena, &storage, i, &capacity, sizeof *items));
        items = storage;
        items[i] = i * i;
    }
    size_t wrong = 0;
    for (uint32_t i = 0; i < 1000; i++)
        wrong += items[i] != i * i;
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_TRUE(capacity >= 1000 && capacity < 4000);
    gruc_arena_finish(&arena);
}

static void strbuf_grows_and_stays_terminated(void)
{
    struct gruc_strbuf buffer;
    gruc_strbuf_init(&buffer);
    CU_ASSERT_PTR_NULL(buffer.text);
    for (int i = 0; i < 1000; i++)
        gruc_strbuf_format(&buffer, "%d,", i);
    CU_ASSERT_EQUAL(buffer.failed, 0);
    CU_ASSERT_EQUAL(buffer.length, strlen(buffer.text));
    CU_ASSERT_EQUAL(buffer.length, 10 * 2 + 90 * 3 + 900 * 4);
    CU_ASSERT_EQUAL(strncmp(buffer.text, "0,1,2,", 6), 0);
    CU_ASSERT_STRING_EQUAL(buffer.text + buffer.length - 8, "998,999,");
    gruc_strbuf_append(&buffer, "a\0b", 3);
    CU_ASSERT_EQUAL(memcmp(buffer.text + buffer.length - 3, "a\0b", 4), 0);
    gruc_strbuf_finish(&buffer);
    CU_ASSERT_PTR_NULL(buffer.text);
}

static void strbuf_quotes_json(void)
{
    struct gruc_strbuf buffer;
    gruc_strbuf_init(&buffer);
    gruc_strbuf_json(&buffer, "a\"b\\c\n\x01\xc3\xa9");
    CU_ASSERT_STRING_EQUAL(buffer.text, "\"a\\\"b\\\\c\\u000a\\u0001\xc3\xa9\"");
    gruc_strbuf_finish(&buffer);
}

static void strbuf_fails_once_and_for_all(void)
{
    struct gruc_strbuf buffer;
    gruc_strbuf_init(&buffer);
    gruc_strbuf_text(&buffer, "kept");
    gruc_strbuf_append(&buffer, "", SIZE_MAX / 2);
    CU_ASSERT_TRUE(buffer.failed);
    gruc_strbuf_text(&buffer, "ignored");
    CU_ASSERT_STRING_EQUAL(buffer.text, "kept");
    gruc_strbuf_finish(&buffer);
}

struct seen {
    unsigned count;
    struct gruc_message last;
    char text[200];
    char source_line[200];
};

static void see(void *context, const struct gruc_message *message)
{
    struct seen *seen = context;
    seen->count++;
    seen->last = *message;
    strncpy(seen->text, message->text, sizeof seen->text - 1);
    if (message->source_line != NULL)
        strncpy(seen->source_line, message->source_line, sizeof seen->source_line - 1);
}

static void diag_hands_on_place_text_and_source_line(void)
{
    static const char source[] = "keras: 2\nlayers:\n  - GRU: {unitz: 3}\n";
    struct seen seen = {0};
    struct gruc_diag diag = {.function = see, .context = &seen, .file = "m.yaml",
                             .source = source, .source_length = sizeof source - 1};
    struct gruc_mark mark = {3, 11, 5};
    enum gruc_status status = gruc_diag_error(&diag, (enum gruc_error_code)1, mark, "no %s", "z");
    CU_ASSERT_EQUAL(status, GRUC_ERROR_INPUT);
    CU_ASSERT_EQUAL(seen.count, 1);
    CU_ASSERT_EQUAL(diag.errors, 1);
    CU_ASSERT_STRING_EQUAL(seen.text, "no z");
    CU_ASSERT_STRING_EQUAL(seen.last.file, "m.yaml");
    CU_ASSERT_EQUAL(seen.last.severity, GRUC_ERROR);
    CU_ASSERT_EQUAL(seen.last.mark.line, 3);
    CU_ASSERT_EQUAL(seen.last.mark.column, 11);
    CU_ASSERT_STRING_EQUAL(seen.source_line, "  - GRU: {unitz: 3}");
}

static void diag_stops_reporting_after_twenty_errors(void)
{
    struct seen seen = {0};
    struct gruc_diag diag = {.function = see, .context = &seen};
    struct gruc_mark mark = {0};
    for (int i = 0; i < 50; i++)
        (void)gruc_diag_error(&diag, (enum gruc_error_code)1, mark, "error %d", i);
    CU_ASSERT_EQUAL(seen.count, GRUC_DIAG_MAX_ERRORS);
    gruc_diag_note(&diag, mark, "belongs to a dropped error");
    CU_ASSERT_EQUAL(seen.count, GRUC_DIAG_MAX_ERRORS);
    CU_ASSERT_TRUE(diag.errors >= GRUC_DIAG_MAX_ERRORS);
}

static void diag_works_without_a_listener(void)
{
    struct gruc_diag diag = {0};
    struct gruc_mark mark = {0};
    gruc_diag_warning(&diag, GRUC_E_NONE, mark, "w");
    CU_ASSERT_EQUAL(diag.warnings, 1);
    CU_ASSERT_EQUAL(gruc_diag_error(&diag, (enum gruc_error_code)1, mark, "e"), GRUC_ERROR_INPUT);
}

static void every_code_has_name_title_and_explanation(void)
{
    for (int code = 1; code < GRUC_E_COUNT; code++) {
        const char *name = gruc_error_name((enum gruc_error_code)code);
        CU_ASSERT_PTR_NOT_NULL_FATAL(name);
        CU_ASSERT_EQUAL(strlen(name), 5);
        CU_ASSERT_EQUAL(name[0], 'E');
        CU_ASSERT_EQUAL((int)gruc_error_find(name), code);
        CU_ASSERT_TRUE(strlen(gruc_error_title((enum gruc_error_code)code)) > 0);
        CU_ASSERT_TRUE(strlen(gruc_error_explanation((enum gruc_error_code)code)) > 20);
    }
    CU_ASSERT_EQUAL(gruc_error_find("E9999"), GRUC_E_NONE);
    CU_ASSERT_EQUAL(gruc_error_find(""), GRUC_E_NONE);
}

static const char *suggest(const char *word)
{
    static const char *const names[] = {"units", "unroll", "use_bias", "activation", NULL};
    struct gruc_suggestion suggestion;
    gruc_suggest_begin(&suggestion, word);
    for (size_t i = 0; names[i] != NULL; i++)
        gruc_suggest_offer(&suggestion, names[i]);
    return suggestion.best;
}

static void suggestions_are_near_or_absent(void)
{
    CU_ASSERT_STRING_EQUAL(suggest("unitz"), "units");
    CU_ASSERT_STRING_EQUAL(suggest("unrol"), "unroll");
    CU_ASSERT_STRING_EQUAL(suggest("use_bais"), "use_bias");
    CU_ASSERT_STRING_EQUAL(suggest("activaton"), "activation");
    CU_ASSERT_PTR_NULL(suggest("kernel_size"));
    CU_ASSERT_PTR_NULL(suggest(""));
}

CU_TestInfo gruc_base_tests[] = {
    {"arena memory is zeroed, aligned and apart", arena_memory_is_zeroed_aligned_and_apart},
    {"arena refuses overflow and keeps its limit", arena_refuses_overflow_and_keeps_its_limit},
    {"arena copies and formats text", arena_copies_and_formats_text},
    {"arena arrays keep items while growing", arena_arrays_keep_their_items_while_growing},
    {"strbuf grows and stays terminated", strbuf_grows_and_stays_terminated},
    {"strbuf quotes JSON", strbuf_quotes_json},
    {"strbuf fails once and for all", strbuf_fails_once_and_for_all},
    {"diag hands on place, text, source line", diag_hands_on_place_text_and_source_line},
    {"diag stops after twenty errors", diag_stops_reporting_after_twenty_errors},
    {"diag works without a listener", diag_works_without_a_listener},
    {"every code has name, title, explanation", every_code_has_name_title_and_explanation},
    {"suggestions are near or absent", suggestions_are_near_or_absent},
    CU_TEST_INFO_NULL};

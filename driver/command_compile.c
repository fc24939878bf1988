/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "driver/cli.h"
#include "driver/emit.h"
#include "driver/tune.h"

struct wanted {
    enum gruc_emit kinds[GRUC_EMIT_COUNT];
    struct gruc_emit_file files[GRUC_EMIT_COUNT];
    size_t count;
};

static int is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

/* Kinds that other builds of gruc may write. */
static int is_elsewhere(const char *text, size_t length)
{
    return is_word(text, length, "cuda") || is_word(text, length, "ptx") ||
           is_word(text, length, "cubin");
}

static enum gruc_emit find_kind(const char *text, size_t length)
{
    unsigned kind = 0;
    while (kind < GRUC_EMIT_COUNT && !is_word(text, length, gruc_emit_describe(kind)->name))
        kind++;
    return (enum gruc_emit)kind;
}

/* Parses "header,static"; GRUC_EXIT_DONE or why not. */
static int parse_kinds(const char *list, struct wanted *out)
{
    for (const char *at = list; at != NULL; at = *at == ',' ? at + 1 : NULL) {
        size_t length = strcspn(at, ",");
        enum gruc_emit kind = find_kind(at, length);
        if (is_elsewhere(at, length)) {
            gruc_cli_usage("--emit=%.*s needs the cuda back end, which is not in this build",
                           (int)length, at);
            return GRUC_EXIT_MISSING;
        }
        if (kind == GRUC_EMIT_COUNT)
            return gruc_cli_usage("--emit has no '%.*s'; see `gruc help compile`", (int)length, at);
        for (size_t i = 0; i < out->count; i++) {
            if (out->kinds[i] == kind)
                return gruc_cli_usage("--emit has '%.*s' twice", (int)length, at);
        }
        out->kinds[out->count++] = kind;
        at += length;
    }
    return GRUC_EXIT_DONE;
}

static const char *extension_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash != NULL ? slash : path, '.');
    return dot != NULL && dot != path && dot[-1] != '/' ? dot : "";
}

/* Without --emit the extension of the output decides; a name without one is a program. */
static int guess_kind(const char *path, struct wanted *out)
{
    const char *extension = extension_of(path);
    for (unsigned kind = 0; kind < GRUC_EMIT_COUNT; kind++) {
        if (strcmp(gruc_emit_describe(kind)->extension, extension) != 0)
            continue;
        out->kinds[out->count++] = (enum gruc_emit)kind;
        return GRUC_EXIT_DONE;
    }
    return gruc_cli_usage("'%s' does not tell what to write; use --emit", path);
}

/* A file for each kind: -o itself for one, else -o with the kind's extension. */
static enum gruc_status name_files(const char *path, struct wanted *wanted,
                                   struct gruc_arena *arena)
{
    size_t stem = strlen(path) - strlen(extension_of(path));
    for (size_t i = 0; i < wanted->count; i++) {
        const char *name = wanted->count == 1
                               ? path
                               : gruc_arena_format(arena, "%.*s%s", (int)stem, path,
                                                   gruc_emit_describe(wanted->kinds[i])->extension);
        if (name == NULL)
            return GRUC_ERROR_MEMORY;
        wanted->files[i] = (struct gruc_emit_file){wanted->kinds[i], name};
    }
    return GRUC_OK;
}

static enum gruc_status print_kind(struct gruc_compilation *compilation,
                                   struct gruc_model_handle *handle, enum gruc_emit kind)
{
    struct gruc_strbuf bytes;
    gruc_strbuf_init(&bytes);
    enum gruc_status status = gruc_emit_describe(kind)->write(compilation, handle, &bytes);
    if (status == GRUC_OK)
        fwrite(bytes.text, 1, bytes.length, stdout);
    gruc_strbuf_finish(&bytes);
    return status;
}

static int is_machine_code(enum gruc_emit kind)
{
    return kind == GRUC_EMIT_OBJ || kind == GRUC_EMIT_STATIC || kind == GRUC_EMIT_SHARED ||
           kind == GRUC_EMIT_EXE;
}

/* Code for the processor of this machine may not run on an older one: say so once. */
static enum gruc_status note_processor(struct gruc_compilation *compilation,
                                       const struct wanted *wanted)
{
    const struct gruc_backend *cpu = gruc_backend_find("cpu");
    const struct gruc_target *target = &compilation->target;
    int code = 0;
    for (size_t i = 0; i < wanted->count; i++)
        code |= is_machine_code(wanted->kinds[i]);
    if (!code || cpu == NULL || target->triple != NULL || target->cpu != NULL)
        return GRUC_OK;
    struct gruc_arena arena;
    struct gruc_resolved resolved = {0};
    gruc_arena_init(&arena);
    enum gruc_status status = cpu->resolve(target, &arena, &compilation->diag, &resolved);
    if (status == GRUC_OK)
        gruc_diag_note(&compilation->diag, (struct gruc_mark){0},
                       "code for the processor of this machine, %s; --cpu=NAME for another",
                       resolved.cpu);
    gruc_arena_finish(&arena);
    return status;
}

static enum gruc_status write_all(const struct gruc_options *options,
                                  struct gruc_model_handle *handle, const char *path,
                                  struct wanted *wanted)
{
    struct gruc_compilation compilation;
    struct gruc_arena arena;
    gruc_compilation_init(&compilation, options);
    gruc_compilation_set_model(&compilation, handle);
    GRUC_TRY(note_processor(&compilation, wanted));
    if (strcmp(path, "-") == 0)
        return print_kind(&compilation, handle, wanted->kinds[0]);
    gruc_arena_init(&arena);
    enum gruc_status status = name_files(path, wanted, &arena);
    if (status == GRUC_OK)
        status = gruc_emit_files(&compilation, handle, wanted->files, wanted->count);
    gruc_arena_finish(&arena);
    return status;
}

int gruc_command_compile(const struct gruc_cli *cli)
{
    struct wanted wanted = {.count = 0};
    if (cli->outputs.count != 1)
        return gruc_cli_usage("compile needs one -o FILE");
    const char *path = cli->outputs.items[0];
    int usage = cli->emit != NULL ? parse_kinds(cli->emit, &wanted) : guess_kind(path, &wanted);
    if (usage != GRUC_EXIT_DONE)
        return usage;
    if (strcmp(path, "-") == 0 && wanted.count != 1)
        return gruc_cli_usage("standard output takes one kind of --emit");
    struct gruc_options options;
    struct gruc_model_handle *handle = NULL;
    gruc_cli_options(cli, &options);
    enum gruc_status status = gruc_model_open(cli->operand, &options, &handle);
    if (status == GRUC_OK)
        status = gruc_tune_model(cli, &options, handle);
    if (status == GRUC_OK)
        status = write_all(&options, handle, path, &wanted);
    gruc_model_destroy(handle);
    return gruc_cli_exit(cli, status);
}

/* SPDX-License-Identifier: MIT */
#include "driver/tune.h"

#include <inttypes.h>
#include <string.h>

#include "ir/base/digest.h"

enum {
    USUAL_STEPS = 100,
    LEAST_STEPS = 32,
    USUAL_ROWS = 1024, /* of all steps: calls short enough to compare many choices */
    MOST_ROWS_CLASS = 32,
    MOST_STEPS_CLASS = 128
};

/* A lookup and what it is about. */
struct lookup {
    struct gruc_compilation compilation;
    struct gruc_tune_sizes sizes;
    struct gruc_tune_cache cache;
    char key[GRUC_TUNE_KEY_BYTES];
};

static void choose_sizes(const struct gruc_cli *cli, const struct gruc_model_handle *handle,
                         struct gruc_tune_sizes *out)
{
    uint64_t batch = handle->model->batch;
    out->batch = batch != 0 ? batch : cli->batch != 0 ? cli->batch : 1;
    uint64_t usual = USUAL_ROWS / out->batch;
    usual = usual < LEAST_STEPS ? LEAST_STEPS : usual > USUAL_STEPS ? USUAL_STEPS : usual;
    out->steps = cli->steps != 0 ? cli->steps : usual;
    out->steps_of_key = cli->steps != 0 ? cli->steps : USUAL_STEPS;
    out->threads = cli->threads != 0 ? cli->threads : 1;
}

/* The next power of two: sizes in between want the same blocks. */
static uint64_t class_of(uint64_t size, uint64_t most)
{
    uint64_t class = 1;
    while (class < size && class < most)
        class *= 2;
    return class;
}

/* Of shapes and options of all layers and of the types of the stored weights, of no number in them
 * and not of the batch, which has its class. */
static enum gruc_status digest_structure(struct lookup *lookup, struct gruc_model_handle *handle,
                                         const struct gruc_backend *backend,
                                         struct gruc_arena *arena, uint64_t *out)
{
    struct gruc_ir *ir = NULL;
    struct gruc_strbuf text;
    GRUC_TRY(gruc_compile_lower(&lookup->compilation, handle, arena, &ir));
    gruc_strbuf_init(&text);
    uint64_t batch = ir->batch;
    ir->batch = 0;
    enum gruc_status status = gruc_ir_print_text(ir, &text);
    ir->batch = batch;
    if (status == GRUC_OK)
        status = backend->describe(ir, &lookup->compilation.target, &lookup->compilation.diag,
                                   &text);
    if (status == GRUC_OK)
        *out = gruc_digest_bytes(gruc_digest_start, text.text, text.length);
    gruc_strbuf_finish(&text);
    return status;
}

static enum gruc_status make_key(struct lookup *lookup, struct gruc_model_handle *handle,
                                 const struct gruc_backend *backend, struct gruc_arena *arena)
{
    static const char *const accuracies[] = {[GRUC_ACCURACY_ACCURATE] = "accurate",
                                             [GRUC_ACCURACY_FAST] = "fast",
                                             [GRUC_ACCURACY_APPROX] = "approx"};
    const struct gruc_target *target = &lookup->compilation.target;
    const struct gruc_tune_sizes *sizes = &lookup->sizes;
    struct gruc_resolved resolved;
    uint64_t structure = 0;
    GRUC_TRY(backend->resolve(target, arena, &lookup->compilation.diag, &resolved));
    GRUC_TRY(digest_structure(lookup, handle, backend, arena, &structure));
    uint64_t features =
        gruc_digest_bytes(gruc_digest_start, resolved.features, strlen(resolved.features));
    snprintf(lookup->key, sizeof lookup->key,
             "gruc %s, %.64s %.64s %016" PRIx64 ", model %016" PRIx64 ", rows %" PRIu64
             ", steps %" PRIu64 ", threads %" PRIu64 ", %s, weights %d, O%d",
             gruc_version(), resolved.triple, resolved.cpu, features, structure,
             class_of(sizes->batch, MOST_ROWS_CLASS),
             class_of(sizes->steps_of_key, MOST_STEPS_CLASS),
             sizes->threads, accuracies[target->accuracy], (int)target->weights,
             target->optimization);
    return GRUC_OK;
}

/* Who makes the code: --tune is for the cpu back end only. */
static enum gruc_status check_backend(const struct gruc_cli *cli, struct lookup *lookup,
                                      struct gruc_model_handle *handle, struct gruc_arena *arena)
{
    const struct gruc_backend *chosen = NULL;
    struct gruc_ir *ir = NULL;
    if (cli->command == GRUC_COMMAND_CHECK || cli->command == GRUC_COMMAND_INSPECT)
        lookup->compilation.options.backend = "cpu"; /* they go through all of them */
    GRUC_TRY(gruc_compile_lower(&lookup->compilation, handle, arena, &ir));
    GRUC_TRY(gruc_compile_choose(&lookup->compilation, ir, cli->command == GRUC_COMMAND_COMPILE,
                                 &chosen));
    if (strcmp(chosen->name, "cpu") == 0)
        return GRUC_OK;
    gruc_cli_error(cli, "--tune is for the cpu back end, but '%s' takes the model; add "
                        "--backend=cpu", chosen->name);
    return GRUC_ERROR_UNSUPPORTED;
}

/* Finishes lookup in any case by close_lookup. */
static enum gruc_status open_lookup(const struct gruc_cli *cli, const struct gruc_options *options,
                                    struct gruc_model_handle *handle, struct lookup *lookup)
{
    struct gruc_arena arena;
    *lookup = (struct lookup){0};
    gruc_compilation_init(&lookup->compilation, options);
    gruc_compilation_set_model(&lookup->compilation, handle);
    lookup->compilation.trace = (struct gruc_trace){0};
    choose_sizes(cli, handle, &lookup->sizes);
    gruc_arena_init(&arena);
    enum gruc_status status = check_backend(cli, lookup, handle, &arena);
    if (status == GRUC_OK)
        status = make_key(lookup, handle, gruc_backend_find("cpu"), &arena);
    gruc_arena_finish(&arena);
    if (status != GRUC_OK)
        return status;
    gruc_tune_cache_open(&lookup->cache);
    if (lookup->cache.problem[0] != 0)
        gruc_cli_note(cli, "the cache of --tune%s%s is ignored: %s",
                      lookup->cache.path != NULL ? ", " : "",
                      lookup->cache.path != NULL ? lookup->cache.path : "",
                      lookup->cache.problem);
    return GRUC_OK;
}

enum gruc_status gruc_tune_find(const struct gruc_cli *cli, const struct gruc_options *options,
                                struct gruc_model_handle *handle, struct gruc_tune_entry *out,
                                int *found)
{
    struct lookup lookup;
    *found = 0;
    enum gruc_status status = open_lookup(cli, options, handle, &lookup);
    if (status == GRUC_OK)
        *found = gruc_tune_cache_find(&lookup.cache, lookup.key, out);
    gruc_tune_cache_close(&lookup.cache);
    return status;
}

static void report(const struct gruc_cli *cli, const struct gruc_tune_result *result)
{
    struct gruc_strbuf text;
    gruc_strbuf_init(&text);
    gruc_tune_describe(&result->entry.blocking, &text);
    if (result->entry.gain > 0)
        gruc_cli_note(cli, "tuned: %s, %.1f %% faster than the estimated blocks",
                      text.text != NULL ? text.text : "", result->entry.gain);
    else if (result->compared == 0)
        gruc_cli_note(cli, "tuned: there is no other choice than the estimated blocks");
    else
        gruc_cli_note(cli, "tuned: none of %u other choices is faster than the estimated blocks",
                      result->compared);
    gruc_strbuf_finish(&text);
}

/* A failure of a measurement is told by the compilation that follows it, if it fails too. */
static void measure(const struct gruc_cli *cli, struct gruc_model_handle *handle,
                    struct lookup *lookup, struct gruc_tune_entry *out)
{
    struct gruc_tune_result result;
    if (gruc_tune_measure(&lookup->compilation, cli, handle, &lookup->sizes, &result) != GRUC_OK)
        return;
    if (result.is_cut && result.compared == 0) {
        gruc_cli_note(cli, "five seconds are too short for --tune; fewer --steps may help");
        return;
    }
    *out = result.entry;
    report(cli, &result);
    if (!gruc_tune_cache_store(&lookup->cache, lookup->key, out) && lookup->cache.is_usable)
        gruc_cli_note(cli, "the choice is not kept: %s: %s", lookup->cache.path,
                      lookup->cache.problem);
}

enum gruc_status gruc_tune_model(const struct gruc_cli *cli, const struct gruc_options *options,
                                 struct gruc_model_handle *handle)
{
    struct lookup lookup;
    struct gruc_tune_entry entry = {0};
    if (!cli->tune)
        return GRUC_OK;
    enum gruc_status status = open_lookup(cli, options, handle, &lookup);
    if (status == GRUC_OK && !gruc_tune_cache_find(&lookup.cache, lookup.key, &entry))
        measure(cli, handle, &lookup, &entry);
    if (status == GRUC_OK)
        handle->blocking = entry.blocking;
    gruc_tune_cache_close(&lookup.cache);
    return status;
}

void gruc_tune_describe(const struct gruc_blocking *blocking, struct gruc_strbuf *out)
{
    size_t start = out->length;
    if (blocking->row_vectors != 0)
        gruc_strbuf_format(out, "1 row by %u vectors", blocking->row_vectors);
    if (blocking->rows != 0)
        gruc_strbuf_format(out, "%s%u rows by %u vectors", out->length > start ? ", " : "",
                           blocking->rows, blocking->vectors);
    if (blocking->tile_rows != 0)
        gruc_strbuf_format(out, "%stiles of %u rows", out->length > start ? ", " : "",
                           blocking->tile_rows);
    if (out->length == start)
        gruc_strbuf_text(out, "the estimated blocks");
}

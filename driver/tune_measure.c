/* SPDX-License-Identifier: MIT */
/* One choice after the other is compiled and compared with the best so far, in samples taken in
 * turn, whose minima say what the machine can do whoever else uses it. */
#include "driver/tune.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/random_inputs.h"

enum { CANDIDATES = 14, ROUNDS = 16, FINAL_ROUNDS = 60, LEAST_ROUNDS = 4 };
static const double sample_milliseconds = 1.0;
static const double duel_milliseconds = 80.0; /* for ROUNDS, unless they are few */
static const double search_milliseconds = 1500.0;
static const double first_milliseconds = 5000.0; /* where compiling or a call takes long */
static const double final_milliseconds = 500.0;  /* for FINAL_ROUNDS */
static const double hopeless = 1.06; /* times the best's time: measured no further */
static const double clearly = 0.995;  /* times the best's time: takes its place */
static const double least_gain = 2.0; /* percent; less may be chance */

/* Fields that are 0 stay as they are in the best so far. A choice that the target has no room for
 * gives the code of another one, which is seen by its digest. */
static const struct gruc_blocking candidates[CANDIDATES] = {
    {.row_vectors = 1}, {.row_vectors = 2}, {.row_vectors = 3}, {.row_vectors = 4},
    {.row_vectors = 6},
    {.rows = 8, .vectors = 1}, {.rows = 4, .vectors = 1}, {.rows = 4, .vectors = 2},
    {.rows = 2, .vectors = 2}, {.rows = 2, .vectors = 3}, {.rows = 2, .vectors = 4},
    {.tile_rows = 32}, {.tile_rows = 64}, {.tile_rows = 256},
};

/* A compiled choice. */
struct side {
    struct gruc_blocking blocking;
    struct grt_module *module;
    struct grt_session *session;
    uint64_t digest;
    double least; /* milliseconds of a call */
};

struct tuning {
    struct gruc_compilation compilation; /* silent */
    const struct gruc_cli *cli;
    struct gruc_model_handle *handle;
    const struct gruc_tune_sizes *sizes;
    const struct gruc_backend *backend;
    struct gruc_array *arrays; /* inputs, then outputs; of all sides */
    size_t n_arrays;
    unsigned calls; /* of a sample */
    double begin;
    struct gruc_tune_result *result;
    uint64_t seen[CANDIDATES + 1];
    size_t n_seen;
};

static void finish_side(struct side *side)
{
    grt_session_destroy(side->session);
    grt_module_destroy(side->module);
    *side = (struct side){0};
}

static enum gruc_status compile_side(struct tuning *tuning, struct side *side)
{
    struct gruc_arena arena;
    struct gruc_ir *ir = NULL;
    struct gruc_jit_code code = {0};
    tuning->compilation.target.blocking = side->blocking;
    gruc_arena_init(&arena);
    enum gruc_status status =
        gruc_compile_lower(&tuning->compilation, tuning->handle, &arena, &ir);
    if (status == GRUC_OK)
        status = tuning->backend->jit(ir, &tuning->compilation.target, &tuning->compilation.trace,
                                      &tuning->compilation.diag, &code);
    gruc_arena_finish(&arena);
    if (status != GRUC_OK)
        return status;
    side->digest = code.digest;
    return grt_module_create_hosted(code.info, code.run, code.context, code.release,
                                    &side->module);
}

static enum gruc_status make_arrays(struct tuning *tuning, const struct gruc_module_info *info)
{
    const struct gruc_tune_sizes *sizes = tuning->sizes;
    struct gruc_random_inputs inputs = {.batch = sizes->batch, .steps = sizes->steps,
                                        .masks = (enum gruc_masks)tuning->cli->masks,
                                        .seed = tuning->cli->seed};
    if (info->n_steps > 0 && info->steps[0] != 0)
        inputs.steps = info->steps[0];
    tuning->n_arrays = (size_t)info->n_inputs + info->n_outputs;
    tuning->arrays = calloc(tuning->n_arrays, sizeof *tuning->arrays);
    if (tuning->arrays == NULL)
        return GRUC_ERROR_MEMORY;
    return gruc_random_inputs_make(tuning->handle->model, info, &inputs, tuning->arrays);
}

/* Ready to run, and run once. */
static enum gruc_status prepare_side(struct tuning *tuning, struct side *side)
{
    const struct gruc_module_info *info = grt_module_info(side->module);
    struct grt_session_options options = {.size = sizeof options,
                                          .threads = (unsigned)tuning->sizes->threads};
    if (tuning->arrays == NULL)
        GRUC_TRY(make_arrays(tuning, info));
    GRUC_TRY(grt_session_create(side->module, &options, &side->session));
    GRUC_TRY(gruc_arrays_bind(side->session, info, tuning->arrays));
    return grt_session_run(side->session);
}

static enum gruc_status sample(const struct tuning *tuning, struct side *side)
{
    double begin = gruc_clock_milliseconds();
    for (unsigned i = 0; i < tuning->calls; i++)
        GRUC_TRY(grt_session_run(side->session));
    double took = (gruc_clock_milliseconds() - begin) / tuning->calls;
    side->least = took < side->least ? took : side->least;
    return GRUC_OK;
}

/* How many calls a sample has. */
static enum gruc_status calibrate(struct tuning *tuning, struct side *side)
{
    tuning->calls = 1;
    for (;;) {
        side->least = 1e30;
        GRUC_TRY(sample(tuning, side));
        if (side->least * tuning->calls >= sample_milliseconds || tuning->calls >= 1u << 16)
            return GRUC_OK;
        tuning->calls *= 2;
    }
}

static double elapsed(const struct tuning *tuning)
{
    return gruc_clock_milliseconds() - tuning->begin;
}

/* Until when choices are looked for: longer for the first, without which nothing is known. */
static double search_limit(const struct tuning *tuning)
{
    return tuning->result->compared == 0 ? first_milliseconds : search_milliseconds;
}

/* Minima of samples taken in turn. *fair is 0 when the time was over before there were enough. */
static enum gruc_status duel(struct tuning *tuning, struct side *a, struct side *b, int is_final,
                             int *fair)
{
    unsigned rounds = 0, most = is_final ? FINAL_ROUNDS : ROUNDS;
    double begin = elapsed(tuning);
    double limit = is_final ? begin + final_milliseconds : search_limit(tuning);
    a->least = b->least = 1e30;
    while (rounds < most && elapsed(tuning) < limit) {
        GRUC_TRY(sample(tuning, rounds % 2 == 0 ? a : b));
        GRUC_TRY(sample(tuning, rounds % 2 == 0 ? b : a));
        rounds++;
        if (rounds >= LEAST_ROUNDS && !is_final &&
            (b->least > hopeless * a->least || elapsed(tuning) - begin > duel_milliseconds))
            break;
    }
    *fair = rounds >= LEAST_ROUNDS;
    return GRUC_OK;
}

static void apply(const struct gruc_blocking *change, struct gruc_blocking *out)
{
    if (change->row_vectors != 0)
        out->row_vectors = change->row_vectors;
    if (change->rows != 0)
        out->rows = change->rows;
    if (change->vectors != 0)
        out->vectors = change->vectors;
    if (change->tile_rows != 0)
        out->tile_rows = change->tile_rows;
}

/* Whether calls of this size run code that the choice is about. */
static int concerns(const struct tuning *tuning, const struct gruc_module_info *info,
                    const struct gruc_blocking *change)
{
    if (change->row_vectors != 0)
        return tuning->sizes->batch == 1;
    if (change->rows != 0)
        return tuning->sizes->batch > 1 || info->workspace_tile > 0;
    return info->workspace_tile > 0;
}

/* New code that no other choice gave; tells so in *is_new. */
static enum gruc_status compile_new(struct tuning *tuning, struct side *side, int *is_new)
{
    GRUC_TRY(compile_side(tuning, side));
    *is_new = 1;
    for (size_t i = 0; i < tuning->n_seen; i++)
        *is_new &= tuning->seen[i] != side->digest;
    if (!*is_new)
        return GRUC_OK;
    tuning->seen[tuning->n_seen++] = side->digest;
    return prepare_side(tuning, side);
}

/* One candidate against the best so far, which it replaces when it is faster. */
static enum gruc_status try_one(struct tuning *tuning, const struct gruc_blocking *change,
                                struct side *usual, struct side *best)
{
    struct side *champion = best->module != NULL ? best : usual;
    struct side side = {.blocking = champion->blocking};
    int is_new = 0, fair = 0;
    apply(change, &side.blocking);
    enum gruc_status status = compile_new(tuning, &side, &is_new);
    if (status == GRUC_OK && is_new)
        status = duel(tuning, champion, &side, 0, &fair);
    if (status == GRUC_OK && fair) {
        tuning->result->compared++;
        if (side.least < clearly * champion->least) {
            finish_side(best);
            *best = side;
            return GRUC_OK;
        }
    }
    finish_side(&side);
    return status;
}

static enum gruc_status search(struct tuning *tuning, struct side *usual, struct side *best)
{
    for (size_t i = 0; i < CANDIDATES && elapsed(tuning) < search_limit(tuning); i++) {
        char text[64];
        snprintf(text, sizeof text, "tuning: choice %zu of %d", i + 1, (int)CANDIDATES);
        gruc_cli_progress(text);
        if (concerns(tuning, grt_module_info(usual->module), &candidates[i]))
            GRUC_TRY(try_one(tuning, &candidates[i], usual, best));
    }
    tuning->result->is_cut = elapsed(tuning) >= search_limit(tuning);
    return GRUC_OK;
}

static enum gruc_status measure(struct tuning *tuning, struct side *usual, struct side *best)
{
    int is_new, fair;
    GRUC_TRY(compile_new(tuning, usual, &is_new));
    GRUC_TRY(calibrate(tuning, usual));
    GRUC_TRY(search(tuning, usual, best));
    if (best->module == NULL)
        return GRUC_OK;
    GRUC_TRY(duel(tuning, usual, best, 1, &fair));
    double gain = fair ? 100 * (usual->least / best->least - 1) : 0;
    if (gain > least_gain)
        tuning->result->entry = (struct gruc_tune_entry){best->blocking, gain};
    return GRUC_OK;
}

enum gruc_status gruc_tune_measure(const struct gruc_compilation *compilation,
                                   const struct gruc_cli *cli, struct gruc_model_handle *handle,
                                   const struct gruc_tune_sizes *sizes,
                                   struct gruc_tune_result *out)
{
    struct side usual = {0}, best = {0};
    struct tuning tuning = {.compilation = *compilation, .cli = cli, .handle = handle,
                            .sizes = sizes, .backend = gruc_backend_find("cpu"),
                            .begin = gruc_clock_milliseconds(), .result = out};
    tuning.compilation.trace = (struct gruc_trace){0};
    tuning.compilation.diag.function = NULL;
    *out = (struct gruc_tune_result){0};
    enum gruc_status status = measure(&tuning, &usual, &best);
    gruc_cli_progress("");
    finish_side(&usual);
    finish_side(&best);
    gruc_arrays_finish(tuning.arrays, tuning.n_arrays);
    free(tuning.arrays);
    return status;
}

/* SPDX-License-Identifier: MIT */
#include "driver/compile.h"

#include <string.h>
#include <time.h>

#include "codegen/trace.h"
#include "driver/emit.h"
#include "driver/file.h"
#include "frontend/frontend.h"
#include "frontend/weights.h"
#include "ir/passes/passes.h"

/* One more than the front end takes, so that it refuses what is longer. */
enum { MODEL_BYTES = (1 << 20) + 1 };

double gruc_clock_milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void report_time(const struct gruc_compilation *compilation, const char *phase,
                        double milliseconds)
{
    if (compilation->trace.time_pass != NULL)
        compilation->trace.time_pass(compilation->trace.time_context, phase, milliseconds);
}

/* Runs one phase, reports its time, returns from the pipeline when it failed. */
#define PHASE(compilation, name, call)                                                             \
    do {                                                                                           \
        double begin_of_phase = gruc_clock_milliseconds();                                         \
        enum gruc_status status_of_phase = (call);                                                 \
        report_time(compilation, name, gruc_clock_milliseconds() - begin_of_phase);                \
        if (status_of_phase != GRUC_OK)                                                            \
            return status_of_phase;                                                                \
    } while (0)

static enum gruc_status read_model(struct gruc_compilation *compilation, const char *path,
                                   const char *text, size_t length,
                                   struct gruc_model_handle *handle)
{
    char *copy = NULL;
    if (text != NULL) {
        copy = gruc_arena_text(&handle->arena, text, length);
        handle->length = length;
    } else {
        GRUC_TRY(gruc_file_read(&handle->arena, path, MODEL_BYTES, &compilation->diag, &copy,
                                &handle->length));
    }
    if (copy == NULL)
        return GRUC_ERROR_MEMORY;
    handle->text = copy;
    compilation->diag.source = copy;
    compilation->diag.source_length = handle->length;
    return GRUC_OK;
}

static enum gruc_status fill_weights(struct gruc_compilation *compilation, struct gruc_model *model)
{
    const struct gruc_options *options = &compilation->options;
    if (options->weights != NULL || model->weights.name != NULL)
        return gruc_weights_load(model, options->weights, &compilation->diag);
    if (model->n_parameters > 0)
        gruc_diag_note(&compilation->diag, (struct gruc_mark){0},
                       "no weights file: the initialisers fill the weights from seed %llu",
                       (unsigned long long)options->seed);
    return gruc_weights_initialize(model, options->seed, &compilation->diag);
}

enum gruc_status gruc_compile_model(struct gruc_compilation *compilation, const char *path,
                                    const char *text, size_t length,
                                    struct gruc_model_handle *handle)
{
    struct gruc_model_options options = {.batch = compilation->options.batch,
                                         .steps = compilation->options.steps};
    struct gruc_diag *diag = &compilation->diag;
    diag->file = gruc_arena_text(&handle->arena, path, strlen(path));
    if (diag->file == NULL)
        return GRUC_ERROR_MEMORY;
    PHASE(compilation, "read", read_model(compilation, path, text, length, handle));
    PHASE(compilation, "parse",
          gruc_frontend_parse(&handle->arena, diag->file, handle->text, handle->length, &options,
                              diag, &handle->model));
    PHASE(compilation, "check", gruc_frontend_check(handle->model, diag));
    PHASE(compilation, "weights", fill_weights(compilation, handle->model));
    handle->milliseconds = gruc_clock_milliseconds() - compilation->begin;
    return GRUC_OK;
}

enum gruc_status gruc_compile_lower(struct gruc_compilation *compilation,
                                    struct gruc_model_handle *handle, struct gruc_arena *arena,
                                    struct gruc_ir **out)
{
    PHASE(compilation, "lower", gruc_frontend_lower(handle->model, arena, &compilation->diag, out));
    PHASE(compilation, "verify", gruc_ir_verify(*out, "lower", &compilation->diag));
    GRUC_TRY(gruc_passes_read_tensors(*out, &compilation->diag));
    return gruc_trace_dump(&compilation->trace, "lower", *out);
}

/* NULL when the back end can do it. */
static const char *refusal(const struct gruc_compilation *compilation,
                           const struct gruc_backend *backend, const struct gruc_ir *ir,
                           int for_files)
{
    const char *why = backend->refuses(ir, &compilation->target);
    return why == NULL && for_files && backend->emit == NULL ? "it makes no files" : why;
}

static enum gruc_status choose_named(struct gruc_compilation *compilation, const struct gruc_ir *ir,
                                     int for_files, const struct gruc_backend **out)
{
    const char *name = compilation->options.backend;
    const struct gruc_backend *backend = gruc_backend_find(name);
    const char *why = backend == NULL ? "there is none of that name"
                                      : refusal(compilation, backend, ir, for_files);
    *out = backend;
    if (why == NULL)
        return GRUC_OK;
    gruc_diag_error(&compilation->diag, GRUC_E_NO_BACKEND, (struct gruc_mark){0},
                    "back end '%s' is not available: %s", name, why);
    return GRUC_ERROR_UNSUPPORTED;
}

enum gruc_status gruc_compile_choose(struct gruc_compilation *compilation, const struct gruc_ir *ir,
                                     int for_files, const struct gruc_backend **out)
{
    const char *name = compilation->options.backend;
    if (name != NULL && strcmp(name, "auto") != 0)
        return choose_named(compilation, ir, for_files, out);
    const struct gruc_backend *const *backends = gruc_backends();
    for (size_t i = 0; backends[i] != NULL; i++) {
        *out = backends[i];
        if (refusal(compilation, backends[i], ir, for_files) == NULL)
            return GRUC_OK;
    }
    gruc_diag_error(&compilation->diag, GRUC_E_NO_BACKEND, (struct gruc_mark){0},
                    "no back end of this build takes the model");
    for (size_t i = 0; backends[i] != NULL; i++)
        gruc_diag_note(&compilation->diag, (struct gruc_mark){0}, "%s: %s", backends[i]->name,
                       refusal(compilation, backends[i], ir, for_files));
    return GRUC_ERROR_UNSUPPORTED;
}

static void report_total(const struct gruc_compilation *compilation,
                         const struct gruc_model_handle *handle)
{
    report_time(compilation, "total",
                handle->milliseconds + gruc_clock_milliseconds() - compilation->begin);
}

/* rounded: of what type the weights have the values, whoever compiles. */
static enum gruc_status compile_jit(struct gruc_compilation *compilation,
                                    struct gruc_model_handle *handle, enum gruc_weights rounded,
                                    struct grt_module **out)
{
    struct gruc_arena arena;
    struct gruc_ir *ir = NULL;
    const struct gruc_backend *backend = NULL;
    struct gruc_jit_code code = {0};
    gruc_arena_init(&arena);
    enum gruc_status status = gruc_compile_lower(compilation, handle, &arena, &ir);
    if (status == GRUC_OK && rounded != GRUC_WEIGHTS_F32)
        status = gruc_ir_read_tensors(ir, &compilation->diag);
    if (status == GRUC_OK)
        status = gruc_ir_round_weights(ir, rounded);
    if (status == GRUC_OK)
        status = gruc_compile_choose(compilation, ir, 0, &backend);
    if (status == GRUC_OK)
        status =
            backend->jit(ir, &compilation->target, &compilation->trace, &compilation->diag, &code);
    gruc_arena_finish(&arena);
    if (status != GRUC_OK)
        return status;
    report_total(compilation, handle);
    return grt_module_create_hosted(code.info, code.run, code.context, code.release, out);
}

enum gruc_status gruc_compile_jit(struct gruc_compilation *compilation,
                                  struct gruc_model_handle *handle, struct grt_module **out)
{
    return compile_jit(compilation, handle, GRUC_WEIGHTS_F32, out);
}

enum gruc_status gruc_compile_jit_rounded(struct gruc_compilation *compilation,
                                          struct gruc_model_handle *handle,
                                          struct grt_module **out)
{
    return compile_jit(compilation, handle, compilation->target.weights, out);
}

enum gruc_status gruc_compile_artifact(struct gruc_compilation *compilation,
                                       struct gruc_model_handle *handle,
                                       enum gruc_artifact artifact, struct gruc_strbuf *out)
{
    struct gruc_arena arena;
    struct gruc_ir *ir = NULL;
    const struct gruc_backend *backend = NULL;
    struct gruc_strbuf info;
    gruc_arena_init(&arena);
    gruc_strbuf_init(&info);
    enum gruc_status status = gruc_compile_lower(compilation, handle, &arena, &ir);
    if (status == GRUC_OK)
        status = gruc_compile_choose(compilation, ir, 1, &backend);
    struct gruc_target target = compilation->target;
    struct gruc_resolved resolved = {0};
    if (status == GRUC_OK)
        status = backend->resolve(&compilation->target, &arena, &compilation->diag, &resolved);
    target.triple = resolved.triple;
    target.cpu = resolved.cpu;
    if (status == GRUC_OK)
        status = gruc_info_json(handle, ir, &target, &info);
    if (status == GRUC_OK)
        status = backend->emit(ir, &compilation->target, artifact, info.text, &compilation->trace,
                               &compilation->diag, out);
    if (status == GRUC_OK)
        report_total(compilation, handle);
    gruc_strbuf_finish(&info);
    gruc_arena_finish(&arena);
    return status;
}

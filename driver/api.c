/* SPDX-License-Identifier: MIT */
/* The functions of <gruc/compiler.h>. */
#include <stdlib.h>
#include <string.h>

#include "driver/compile.h"
#include "driver/emit.h"
#include "frontend/weights.h"

const char *gruc_version(void)
{
    return GRUC_VERSION;
}

void gruc_options_init(struct gruc_options *options)
{
    *options = (struct gruc_options){.size = sizeof *options, .optimization = 2};
}

/* Turns a message of the inside into one of the API. */
static void forward_message(void *context, const struct gruc_message *message)
{
    static const enum gruc_diagnostic_level levels[] = {
        [GRUC_NOTE] = GRUC_LEVEL_NOTE,
        [GRUC_WARNING] = GRUC_LEVEL_WARNING,
        [GRUC_ERROR] = GRUC_LEVEL_ERROR,
    };
    const struct gruc_compilation *compilation = context;
    struct gruc_diagnostic diagnostic = {
        .size = sizeof diagnostic,
        .level = levels[message->severity],
        .code = message->code == GRUC_E_NONE ? "" : gruc_error_name(message->code),
        .file = message->file,
        .line = message->mark.line,
        .column = message->mark.column,
        .length = message->mark.length,
        .text = message->text,
        .source_line = message->source_line,
    };
    compilation->options.diagnostic(compilation->options.diagnostic_context, &diagnostic);
}

void gruc_compilation_init(struct gruc_compilation *compilation, const struct gruc_options *options)
{
    *compilation = (struct gruc_compilation){.begin = gruc_clock_milliseconds()};
    struct gruc_options *own = &compilation->options;
    gruc_options_init(own);
    if (options != NULL) {
        memcpy(own, options, options->size < sizeof *own ? options->size : sizeof *own);
        own->size = sizeof *own;
    }
    if (own->diagnostic != NULL)
        compilation->diag = (struct gruc_diag){.function = forward_message, .context = compilation};
    compilation->trace = (struct gruc_trace){
        .dump_after = own->dump_after,
        .dump = own->dump,
        .dump_context = own->dump_context,
        .time_pass = own->time_pass,
        .time_context = own->time_context,
    };
    static const enum gruc_accuracy accuracies[] = {
        [GRUC_TIER_ACCURATE] = GRUC_ACCURACY_ACCURATE,
        [GRUC_TIER_FAST] = GRUC_ACCURACY_FAST,
        [GRUC_TIER_APPROX] = GRUC_ACCURACY_APPROX,
    };
    static const enum gruc_weights weights[] = {
        [GRUC_WEIGHTS_TYPE_AUTO] = GRUC_WEIGHTS_AUTO,
        [GRUC_WEIGHTS_TYPE_F32] = GRUC_WEIGHTS_F32,
        [GRUC_WEIGHTS_TYPE_BF16] = GRUC_WEIGHTS_BF16,
        [GRUC_WEIGHTS_TYPE_F16] = GRUC_WEIGHTS_F16,
        [GRUC_WEIGHTS_TYPE_INT8] = GRUC_WEIGHTS_INT8,
    };
    compilation->target = (struct gruc_target){
        .triple = own->target,
        .cpu = own->cpu,
        .features = own->features,
        .optimization = own->optimization,
        .accuracy = accuracies[own->accuracy <= GRUC_TIER_APPROX ? own->accuracy : 0],
        .weights = weights[own->weights_type <= GRUC_WEIGHTS_TYPE_INT8 ? own->weights_type : 0],
    };
}

void gruc_compilation_set_model(struct gruc_compilation *compilation,
                                const struct gruc_model_handle *handle)
{
    compilation->diag.file = handle->model->path;
    compilation->diag.source = handle->text;
    compilation->diag.source_length = handle->length;
    compilation->target.blocking = handle->blocking;
}

/* Options that came from a caller, checked before anything is done. */
static enum gruc_status check_options(const struct gruc_options *options)
{
    int fine = options->optimization >= 0 && options->optimization <= 3 &&
               options->accuracy <= GRUC_TIER_APPROX &&
               options->weights_type <= GRUC_WEIGHTS_TYPE_INT8;
    return fine ? GRUC_OK : GRUC_ERROR_ARGUMENT;
}

static enum gruc_status open_model(const char *path, const char *text, size_t length,
                                   const struct gruc_options *options,
                                   struct gruc_model_handle **out)
{
    *out = NULL;
    struct gruc_compilation compilation;
    gruc_compilation_init(&compilation, options);
    GRUC_TRY(check_options(&compilation.options));
    struct gruc_model_handle *handle = calloc(1, sizeof *handle);
    if (handle == NULL)
        return GRUC_ERROR_MEMORY;
    gruc_arena_init(&handle->arena);
    enum gruc_status status = gruc_compile_model(&compilation, path, text, length, handle);
    if (status == GRUC_OK)
        *out = handle;
    else
        gruc_model_destroy(handle);
    return status;
}

enum gruc_status gruc_model_open(const char *path, const struct gruc_options *options,
                                 struct gruc_model_handle **out)
{
    return open_model(path, NULL, 0, options, out);
}

enum gruc_status gruc_model_parse(const char *path, const char *text, size_t length,
                                  const struct gruc_options *options,
                                  struct gruc_model_handle **out)
{
    return open_model(path, text, length, options, out);
}

void gruc_model_destroy(struct gruc_model_handle *model)
{
    if (model == NULL)
        return;
    if (model->model != NULL)
        gruc_weights_close(model->model);
    gruc_arena_finish(&model->arena);
    free(model);
}

enum gruc_status gruc_model_jit(struct gruc_model_handle *model, const struct gruc_options *options,
                                struct grt_module **out)
{
    *out = NULL;
    struct gruc_compilation compilation;
    gruc_compilation_init(&compilation, options);
    gruc_compilation_set_model(&compilation, model);
    GRUC_TRY(check_options(&compilation.options));
    return gruc_compile_jit(&compilation, model, out);
}

enum gruc_status gruc_model_emit(struct gruc_model_handle *model,
                                 const struct gruc_options *options, enum gruc_emit emit,
                                 const char *path)
{
    struct gruc_compilation compilation;
    gruc_compilation_init(&compilation, options);
    gruc_compilation_set_model(&compilation, model);
    GRUC_TRY(check_options(&compilation.options));
    if ((unsigned)emit >= GRUC_EMIT_COUNT)
        return GRUC_ERROR_ARGUMENT;
    return gruc_emit_files(&compilation, model, &(struct gruc_emit_file){emit, path}, 1);
}

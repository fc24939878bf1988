/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/backend.h"
#include "driver/check_bits.h"
#include "driver/check_types.h"
#include "driver/cli.h"
#include "driver/compare.h"
#include "driver/compile.h"
#include "driver/random_inputs.h"
#include "driver/tune.h"
#include "ir/base/strbuf.h"
#include "runtime/feed.h"

/* For outputs of order one; larger outputs may be off by as much of their largest number. */
static const double tolerance = 2e-6;

static const uint64_t batches[] = {1, 2, 3, 5, 33};
static const uint64_t step_counts[] = {1, 2, 7, 20};
enum {
    BATCHES = sizeof batches / sizeof batches[0],
    STEP_COUNTS = sizeof step_counts / sizeof step_counts[0]
};

struct check {
    const struct gruc_cli *cli;
    struct gruc_model_handle *handle;
    struct gruc_options options;
    struct grt_module *reference;
    const struct gruc_module_info *info;
    struct gruc_array *inputs, *wanted, *got;
    double *worst; /* an output, relative to its magnitude where that is above one */
    struct gruc_strbuf report;
    int mismatch;
};

static const struct gruc_tensor_info *output_info(const struct check *check, uint32_t index)
{
    return gruc_module_tensors(check->info) + check->info->n_inputs + index;
}

static enum gruc_status feed(struct check *check, const struct grt_module *module,
                             struct gruc_array *outputs)
{
    char error[GRT_FEED_ERROR_BYTES];
    struct grt_feed_options options = {.threads = 1};
    enum gruc_status status = grt_feed(module, check->inputs, &options, outputs, error);
    if (status != GRUC_OK)
        gruc_cli_error(check->cli, "%s", error);
    return status;
}

static void note_differences(struct check *check)
{
    for (uint32_t i = 0; i < check->info->n_outputs; i++) {
        struct gruc_difference difference;
        gruc_array_compare(&check->got[i], &check->wanted[i], &difference);
        double scaled = difference.worst / fmax(1.0, difference.magnitude);
        check->worst[i] = fmax(check->worst[i], scaled);
    }
}

/* The reference and another module on the same random inputs. */
static enum gruc_status compare_once(struct check *check, const struct grt_module *module,
                                     const struct gruc_random_inputs *inputs)
{
    size_t n_outputs = check->info->n_outputs;
    enum gruc_status status =
        gruc_random_inputs_make(check->handle->model, check->info, inputs, check->inputs);
    if (status == GRUC_OK)
        status = feed(check, check->reference, check->wanted);
    if (status == GRUC_OK)
        status = feed(check, module, check->got);
    if (status == GRUC_OK)
        note_differences(check);
    gruc_arrays_finish(check->inputs, check->info->n_inputs);
    gruc_arrays_finish(check->wanted, n_outputs);
    gruc_arrays_finish(check->got, n_outputs);
    return status;
}

static enum gruc_status compare_all(struct check *check, const struct grt_module *module)
{
    const struct gruc_module_info *info = check->info;
    int any_steps = info->n_steps > 0 && info->steps[0] == 0;
    uint64_t seed = check->cli->seed;
    for (size_t b = 0; b < (info->batch != 0 ? 1 : BATCHES); b++) {
        for (size_t t = 0; t < (any_steps ? STEP_COUNTS : 1); t++) {
            for (unsigned masks = GRUC_MASKS_RANDOM; masks <= GRUC_MASKS_LENGTHS; masks++) {
                struct gruc_random_inputs inputs = {
                    .batch = info->batch != 0 ? info->batch : batches[b],
                    .steps = any_steps ? step_counts[t] : info->steps[0],
                    .masks = (enum gruc_masks)masks,
                    .seed = ++seed};
                GRUC_TRY(compare_once(check, module, &inputs));
            }
        }
    }
    return GRUC_OK;
}

static void append_json_number(struct gruc_strbuf *out, double value)
{
    if (isfinite(value))
        gruc_strbuf_format(out, "%.9g", value);
    else
        gruc_strbuf_text(out, "null");
}

static void report_outputs(struct check *check, const char *backend)
{
    for (uint32_t i = 0; i < check->info->n_outputs; i++) {
        const char *name = output_info(check, i)->name;
        int fits = check->worst[i] <= tolerance;
        check->mismatch |= !fits;
        if (!check->cli->json)
            printf("%-8s %-24s worst error %.3g  %s\n", backend, name, check->worst[i],
                   fits ? "ok" : "MISMATCH");
        gruc_strbuf_format(&check->report,
                           "%s{\"backend\":\"%s\",\"output\":", check->report.length > 0 ? "," : "",
                           backend);
        gruc_strbuf_json(&check->report, name);
        gruc_strbuf_text(&check->report, ",\"worst\":");
        append_json_number(&check->report, check->worst[i]);
        gruc_strbuf_format(&check->report, ",\"ok\":%s}", fits ? "true" : "false");
    }
}

static enum gruc_status report_bits(struct check *check, const char *backend,
                                    const struct grt_module *module)
{
    for (unsigned i = 0; i < GRUC_CHECK_BITS_COUNT; i++) {
        enum gruc_check_result result;
        GRUC_TRY(gruc_check_bits(check->handle->model, module, i, check->cli->seed, &result));
        static const char *const words[] = {
            [GRUC_CHECK_SAME] = "ok", [GRUC_CHECK_DIFFER] = "MISMATCH", [GRUC_CHECK_SKIP] = "n/a"};
        const char *name = gruc_check_bits_name(i);
        check->mismatch |= result == GRUC_CHECK_DIFFER;
        if (!check->cli->json)
            printf("%-8s same bits %-14s %s\n", backend, name, words[result]);
        gruc_strbuf_format(&check->report, "%s{\"backend\":\"%s\",\"bits\":\"%s\",\"ok\":%s}",
                           check->report.length > 0 ? "," : "", backend, name,
                           result == GRUC_CHECK_SKIP   ? "null"
                           : result == GRUC_CHECK_SAME ? "true"
                                                       : "false");
    }
    return GRUC_OK;
}

static enum gruc_status check_backend(struct check *check, const char *name)
{
    struct grt_module *module = NULL;
    check->options.backend = name;
    GRUC_TRY(gruc_model_jit(check->handle, &check->options, &module));
    memset(check->worst, 0, check->info->n_outputs * sizeof *check->worst);
    enum gruc_status status = GRUC_OK;
    enum gruc_weights_type type = check->options.weights_type;
    if (type != GRUC_WEIGHTS_TYPE_INT8 && type != GRUC_WEIGHTS_TYPE_BF16) {
        status = compare_all(check, module);
        if (status == GRUC_OK)
            report_outputs(check, name);
    } else if (!check->cli->json) {
        printf("%-8s not compared with ref: %s has an error of its own, see below\n", name,
               type == GRUC_WEIGHTS_TYPE_INT8 ? "int8" : "bf16");
    }
    if (status == GRUC_OK)
        status = report_bits(check, name, module);
    grt_module_destroy(module);
    return status;
}

/* Whether a back end takes the model here; the IR is lowered only to ask. */
static enum gruc_status ask(struct check *check, const struct gruc_backend *backend, char *why,
                            size_t room, int *takes)
{
    struct gruc_compilation compilation;
    struct gruc_arena arena;
    struct gruc_ir *ir = NULL;
    gruc_compilation_init(&compilation, &check->options);
    gruc_compilation_set_model(&compilation, check->handle);
    gruc_arena_init(&arena);
    enum gruc_status status = gruc_compile_lower(&compilation, check->handle, &arena, &ir);
    if (status == GRUC_OK) {
        const char *refusal = backend->refuses(ir, &compilation.target);
        *takes = refusal == NULL;
        snprintf(why, room, "%s", refusal != NULL ? refusal : "");
    }
    gruc_arena_finish(&arena);
    return status;
}

static enum gruc_status check_backends(struct check *check)
{
    const struct gruc_backend *const *backends = gruc_backends();
    for (size_t i = 0; backends[i] != NULL; i++) {
        char why[256] = "";
        int takes = 0;
        if (strcmp(backends[i]->name, "ref") == 0)
            continue;
        GRUC_TRY(ask(check, backends[i], why, sizeof why, &takes));
        if (takes)
            GRUC_TRY(check_backend(check, backends[i]->name));
        else if (!check->cli->json)
            printf("%-8s skipped: %s\n", backends[i]->name, why);
    }
    return GRUC_OK;
}

static enum gruc_status prepare(struct check *check)
{
    struct gruc_compilation compilation;
    check->options.backend = "ref";
    gruc_compilation_init(&compilation, &check->options);
    gruc_compilation_set_model(&compilation, check->handle);
    GRUC_TRY(gruc_compile_jit_rounded(&compilation, check->handle, &check->reference));
    check->info = grt_module_info(check->reference);
    size_t inputs = check->info->n_inputs, outputs = check->info->n_outputs;
    check->inputs = calloc(inputs + 1, sizeof *check->inputs);
    check->wanted = calloc(outputs + 1, sizeof *check->wanted);
    check->got = calloc(outputs + 1, sizeof *check->got);
    check->worst = calloc(outputs + 1, sizeof *check->worst);
    return check->inputs == NULL || check->wanted == NULL || check->got == NULL ||
                   check->worst == NULL
               ? GRUC_ERROR_MEMORY
               : GRUC_OK;
}

int gruc_command_check(const struct gruc_cli *cli)
{
    struct check check = {.cli = cli};
    gruc_cli_options(cli, &check.options);
    gruc_strbuf_init(&check.report);
    enum gruc_status status = gruc_model_open(cli->operand, &check.options, &check.handle);
    if (status == GRUC_OK)
        status = gruc_tune_model(cli, &check.options, check.handle);
    if (status == GRUC_OK)
        status = prepare(&check);
    if (status == GRUC_OK)
        status = check_backends(&check);
    if (status == GRUC_OK)
        status = gruc_check_types(cli, check.handle, &check.report);
    if (status == GRUC_OK && cli->json)
        printf("{\"tolerance\":%g,\"results\":[%s],\"ok\":%s}\n", tolerance,
               check.report.text != NULL ? check.report.text : "",
               check.mismatch ? "false" : "true");
    free(check.inputs);
    free(check.wanted);
    free(check.got);
    free(check.worst);
    gruc_strbuf_finish(&check.report);
    grt_module_destroy(check.reference);
    gruc_model_destroy(check.handle);
    return status == GRUC_OK && check.mismatch ? GRUC_EXIT_MISMATCH : gruc_cli_exit(cli, status);
}

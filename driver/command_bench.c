/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "driver/cli.h"
#include "driver/compile.h"
#include "driver/random_inputs.h"
#include "driver/tune.h"

enum {
    SAMPLES_MOST = 100000,
    SAMPLES_LEAST = 5,
    USUAL_STEPS = 200,
};
static const double sample_milliseconds = 0.05; /* at least; short calls are repeated */

struct bench {
    const struct gruc_cli *cli;
    const struct gruc_model_handle *handle;
    struct grt_module *module;
    const struct gruc_module_info *info;
    struct grt_session *session;
    struct gruc_array *arrays; /* inputs, then outputs */
    uint64_t batch, steps, threads;
    double compile_milliseconds;
    double *samples; /* milliseconds of a call */
    size_t n_samples;
};

/* A static number of the model wins. */
static void choose_sizes(struct bench *bench)
{
    const struct gruc_cli *cli = bench->cli;
    bench->batch = bench->info->batch != 0 ? bench->info->batch : cli->batch != 0 ? cli->batch : 1;
    bench->steps = cli->steps != 0 ? cli->steps : USUAL_STEPS;
    bench->threads = cli->threads != 0 ? cli->threads : 1;
    if (bench->info->n_steps > 0 && bench->info->steps[0] != 0)
        bench->steps = bench->info->steps[0];
}

/* How many steps a call computes: of models without unknown lengths their longest known one. */
static uint64_t steps_of_call(const struct bench *bench)
{
    uint64_t known = 0;
    for (uint32_t i = 0; i < bench->info->n_inputs; i++) {
        const struct gruc_array *array = &bench->arrays[i];
        const struct gruc_tensor_info *tensor = gruc_module_tensors(bench->info) + i;
        for (uint32_t k = 0; k < tensor->rank; k++) {
            if (tensor->dims[k] <= GRUC_DIM_STEPS(0)) /* of ids and masks the last axis too */
                return bench->steps;
            int is_width = k + 1 == tensor->rank;
            if (!is_width && tensor->dims[k] != GRUC_DIM_BATCH && (uint64_t)array->dims[k] > known)
                known = (uint64_t)array->dims[k];
        }
    }
    return known != 0 ? known : 1;
}

static enum gruc_status prepare(struct bench *bench)
{
    struct gruc_random_inputs inputs = {.batch = bench->batch,
                                        .steps = bench->steps,
                                        .masks = (enum gruc_masks)bench->cli->masks,
                                        .seed = bench->cli->seed};
    struct grt_session_options options = {.size = sizeof options,
                                          .threads = (unsigned)bench->threads};
    size_t count = (size_t)bench->info->n_inputs + bench->info->n_outputs;
    bench->arrays = calloc(count, sizeof *bench->arrays);
    bench->samples = malloc(SAMPLES_MOST * sizeof *bench->samples);
    if (bench->arrays == NULL || bench->samples == NULL)
        return GRUC_ERROR_MEMORY;
    GRUC_TRY(gruc_random_inputs_make(bench->handle->model, bench->info, &inputs, bench->arrays));
    GRUC_TRY(grt_session_create(bench->module, &options, &bench->session));
    return gruc_arrays_bind(bench->session, bench->info, bench->arrays);
}

/* Milliseconds of so many calls. */
static enum gruc_status time_calls(struct bench *bench, unsigned calls, double *out)
{
    double begin = gruc_clock_milliseconds();
    for (unsigned i = 0; i < calls; i++)
        GRUC_TRY(grt_session_run(bench->session));
    *out = gruc_clock_milliseconds() - begin;
    return GRUC_OK;
}

static enum gruc_status measure(struct bench *bench)
{
    double seconds = bench->cli->seconds >= 0 ? bench->cli->seconds : 1.0;
    double took = 0;
    unsigned calls = 1;
    GRUC_TRY(time_calls(bench, 1, &took)); /* takes memory, wakes caches */
    GRUC_TRY(time_calls(bench, 1, &took));
    while (took < sample_milliseconds && calls < 1u << 20) {
        calls *= 2;
        GRUC_TRY(time_calls(bench, calls, &took));
    }
    double end = gruc_clock_milliseconds() + seconds * 1e3;
    while (bench->n_samples < SAMPLES_MOST &&
           (bench->n_samples < SAMPLES_LEAST || gruc_clock_milliseconds() < end)) {
        GRUC_TRY(time_calls(bench, calls, &took));
        bench->samples[bench->n_samples++] = took / calls;
    }
    return GRUC_OK;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_report(const struct bench *bench)
{
    uint64_t symbol_steps[GRUC_ABI_MAX_STEPS];
    for (size_t i = 0; i < GRUC_ABI_MAX_STEPS; i++)
        symbol_steps[i] = bench->steps;
    qsort(bench->samples, bench->n_samples, sizeof *bench->samples, by_value);
    uint64_t steps = steps_of_call(bench);
    double scale = 1e6 / (double)steps;
    double median = bench->samples[bench->n_samples / 2] * scale;
    double least = bench->samples[0] * scale;
    uint64_t workspace = gruc_workspace_bytes(bench->info, bench->batch, symbol_steps);
    if (bench->cli->json) {
        printf("{\"model\":\"%s\",\"batch\":%" PRIu64 ",\"steps\":%" PRIu64 ",\"threads\":%" PRIu64
               ",\"ns_per_step\":%.3f,\"ns_per_step_min\":%.3f,\"samples\":%zu"
               ",\"compile_ms\":%.3f,\"state_bytes\":%" PRIu64 ",\"workspace_bytes\":%" PRIu64
               "}\n",
               bench->info->name, bench->batch, steps, bench->threads, median, least,
               bench->n_samples, bench->compile_milliseconds, bench->info->state_bytes, workspace);
        return;
    }
    printf("model            %s\n", bench->info->name);
    printf("batch            %" PRIu64 "\nsteps            %" PRIu64 "\nthreads          %" PRIu64
           "\n",
           bench->batch, steps, bench->threads);
    printf("ns per step      %.1f (median of %zu), %.1f (least)\n", median, bench->n_samples,
           least);
    printf("compile          %.1f ms\n", bench->compile_milliseconds);
    printf("state            %" PRIu64 " bytes a row\nworkspace        %" PRIu64 " bytes\n",
           bench->info->state_bytes, workspace);
}

static enum gruc_status compile_and_run(struct bench *bench, const struct gruc_options *options,
                                        struct gruc_model_handle *handle)
{
    double begin = gruc_clock_milliseconds();
    GRUC_TRY(gruc_model_jit(handle, options, &bench->module));
    bench->compile_milliseconds = handle->milliseconds + gruc_clock_milliseconds() - begin;
    bench->handle = handle;
    bench->info = grt_module_info(bench->module);
    choose_sizes(bench);
    enum gruc_status status = prepare(bench);
    if (status == GRUC_OK)
        status = measure(bench);
    if (status == GRUC_OK)
        print_report(bench);
    else
        gruc_cli_error(bench->cli, "%s",
                       bench->session != NULL ? grt_session_error(bench->session)
                                              : gruc_status_text(status));
    return status;
}

/* Sizes of the command line are those of the calls: the code stays free to take others, except
 * where the model fixes its batch. */
static enum gruc_status open_model(const struct gruc_cli *cli, struct gruc_options *options,
                                   struct gruc_model_handle **out)
{
    options->batch = 0;
    options->steps = 0;
    GRUC_TRY(gruc_model_open(cli->operand, options, out));
    if ((*out)->model->batch == 0 || cli->batch == 0 || cli->batch == (*out)->model->batch)
        return GRUC_OK;
    gruc_model_destroy(*out);
    options->batch = cli->batch;
    return gruc_model_open(cli->operand, options, out);
}

int gruc_command_bench(const struct gruc_cli *cli)
{
    struct bench bench = {.cli = cli};
    struct gruc_options options;
    struct gruc_model_handle *handle = NULL;
    gruc_cli_options(cli, &options);
    enum gruc_status status = open_model(cli, &options, &handle);
    if (status == GRUC_OK)
        status = gruc_tune_model(cli, &options, handle);
    if (status == GRUC_OK)
        status = compile_and_run(&bench, &options, handle);
    if (bench.info != NULL)
        gruc_arrays_finish(bench.arrays, (size_t)bench.info->n_inputs + bench.info->n_outputs);
    free(bench.arrays);
    free(bench.samples);
    grt_session_destroy(bench.session);
    grt_module_destroy(bench.module);
    gruc_model_destroy(handle);
    return gruc_cli_exit(cli, status);
}

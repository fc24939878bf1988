/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>

#include "driver/measure.h"
#include "driver/tune.h"

enum { SAMPLES_MOST = 100000, SAMPLES_LEAST = 5 };

struct bench {
    const struct gruc_cli *cli;
    struct grt_module *module;
    struct gruc_measurement measurement;
    unsigned threads;
    double compile_milliseconds;
    double *samples; /* milliseconds of a call */
    size_t n_samples;
};

static enum gruc_status measure(struct bench *bench)
{
    double seconds = bench->cli->seconds >= 0 ? bench->cli->seconds : 1.0;
    bench->samples = malloc(SAMPLES_MOST * sizeof *bench->samples);
    if (bench->samples == NULL)
        return GRUC_ERROR_MEMORY;
    double end = gruc_clock_milliseconds() + seconds * 1e3;
    while (bench->n_samples < SAMPLES_MOST &&
           (bench->n_samples < SAMPLES_LEAST || gruc_clock_milliseconds() < end)) {
        GRUC_TRY(gruc_measurement_sample(&bench->measurement, &bench->samples[bench->n_samples]));
        bench->n_samples++;
    }
    return GRUC_OK;
}

static void print_report(const struct bench *bench)
{
    const struct gruc_measurement *m = &bench->measurement;
    uint64_t steps = gruc_measurement_steps(m), workspace = gruc_measurement_workspace(m);
    double scale = 1e6 / (double)steps;
    double median = gruc_median(bench->samples, bench->n_samples) * scale;
    double least = bench->samples[0] * scale;
    if (bench->cli->json) {
        printf("{\"model\":\"%s\",\"batch\":%" PRIu64 ",\"steps\":%" PRIu64 ",\"threads\":%u"
               ",\"ns_per_step\":%.3f,\"ns_per_step_min\":%.3f,\"samples\":%zu"
               ",\"compile_ms\":%.3f,\"state_bytes\":%" PRIu64 ",\"workspace_bytes\":%" PRIu64
               "}\n",
               m->info->name, m->batch, steps, bench->threads, median, least, bench->n_samples,
               bench->compile_milliseconds, m->info->state_bytes, workspace);
        return;
    }
    printf("model            %s\n", m->info->name);
    printf("batch            %" PRIu64 "\nsteps            %" PRIu64 "\nthreads          %u\n",
           m->batch, steps, bench->threads);
    printf("ns per step      %.1f (median of %zu), %.1f (least)\n", median, bench->n_samples,
           least);
    printf("compile          %.1f ms\n", bench->compile_milliseconds);
    printf("state            %" PRIu64 " bytes a row\nworkspace        %" PRIu64 " bytes\n",
           m->info->state_bytes, workspace);
}

static enum gruc_status compile_and_run(struct bench *bench, const struct gruc_options *options,
                                        struct gruc_model_handle *handle)
{
    double begin = gruc_clock_milliseconds();
    GRUC_TRY(gruc_model_jit(handle, options, &bench->module));
    bench->compile_milliseconds = handle->milliseconds + gruc_clock_milliseconds() - begin;
    bench->threads = bench->cli->threads != 0 ? (unsigned)bench->cli->threads : 1;
    enum gruc_status status = gruc_measurement_begin(&bench->measurement, bench->cli, handle->model,
                                                     bench->module, bench->threads);
    if (status == GRUC_OK)
        status = measure(bench);
    if (status == GRUC_OK)
        print_report(bench);
    else
        gruc_cli_error(bench->cli, "%s", gruc_measurement_error(&bench->measurement, status));
    return status;
}

int gruc_command_bench(const struct gruc_cli *cli)
{
    struct bench bench = {.cli = cli};
    struct gruc_options options;
    struct gruc_model_handle *handle = NULL;
    gruc_cli_options(cli, &options);
    enum gruc_status status = gruc_measurement_open(cli, &options, &handle);
    if (status == GRUC_OK)
        status = gruc_tune_model(cli, &options, handle);
    if (status == GRUC_OK)
        status = compile_and_run(&bench, &options, handle);
    free(bench.samples);
    gruc_measurement_finish(&bench.measurement);
    grt_module_destroy(bench.module);
    gruc_model_destroy(handle);
    return gruc_cli_exit(cli, status);
}

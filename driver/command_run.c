/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "driver/cli.h"
#include "driver/compare.h"
#include "driver/random_inputs.h"
#include "driver/tune.h"
#include "ir/base/strbuf.h"
#include "runtime/feed.h"

/* --max-abs when it is not given: float32 against a float64 reference, outputs of order one. */
static const double usual_tolerance = 2e-6;

struct run {
    const struct gruc_cli *cli;
    const struct gruc_module_info *info;
    struct grt_module *module;
    struct gruc_array *inputs, *outputs;
    const char **input_paths, **output_paths, **expect_paths; /* NULL: not given */
    struct gruc_strbuf report;                                /* of expectations, JSON */
    int mismatch;
    char error[GRT_FEED_ERROR_BYTES];
};

static const struct gruc_tensor_info *output_info(const struct run *run, uint32_t index)
{
    return gruc_module_tensors(run->info) + run->info->n_inputs + index;
}

static int assign_paths(struct run *run, const struct gruc_tensor_info *tensors, uint32_t count,
                        const char *kind, const struct gruc_cli_list *list, const char **paths)
{
    unsigned char *taken = calloc((size_t)count + 1, 1);
    enum gruc_status status = taken == NULL ? GRUC_ERROR_MEMORY : GRUC_OK;
    for (size_t i = 0; i < list->count && status == GRUC_OK; i++) {
        uint32_t index = 0;
        const char *path = NULL;
        status = grt_feed_argument(tensors, count, kind, list->items[i], taken, &index, &path,
                                   run->error);
        if (status == GRUC_OK)
            paths[index] = path;
    }
    free(taken);
    if (status != GRUC_OK)
        gruc_cli_usage("%s", run->error);
    return status == GRUC_OK;
}

static int assign_all(struct run *run)
{
    const struct gruc_cli *cli = run->cli;
    const struct gruc_module_info *info = run->info;
    const struct gruc_tensor_info *inputs = gruc_module_tensors(info);
    const struct gruc_tensor_info *outputs = inputs + info->n_inputs;
    if (!assign_paths(run, inputs, info->n_inputs, "input", &cli->inputs, run->input_paths) ||
        !assign_paths(run, outputs, info->n_outputs, "output", &cli->outputs, run->output_paths) ||
        !assign_paths(run, outputs, info->n_outputs, "output", &cli->expects, run->expect_paths))
        return 0;
    for (uint32_t i = 0; i < info->n_inputs; i++) {
        if (run->input_paths[i] == NULL) {
            gruc_cli_usage("input '%s' is missing: --input %s=FILE.npy", inputs[i].name,
                           inputs[i].name);
            return 0;
        }
    }
    unsigned streams = 0;
    for (uint32_t i = 0; i < info->n_outputs; i++)
        streams += run->output_paths[i] != NULL && strcmp(run->output_paths[i], "-") == 0;
    if (streams + (cli->json != 0) > 1) {
        gruc_cli_usage("standard output takes one thing only");
        return 0;
    }
    return 1;
}

static enum gruc_status read_inputs(struct run *run)
{
    for (uint32_t i = 0; i < run->info->n_inputs; i++) {
        enum gruc_status status = grt_feed_read(gruc_module_tensors(run->info) + i,
                                                run->input_paths[i], &run->inputs[i], run->error);
        if (status != GRUC_OK) {
            gruc_cli_error(run->cli, "%s", run->error);
            return status;
        }
    }
    return GRUC_OK;
}

static void report_expectation(struct run *run, uint32_t index, double tolerance,
                               const struct gruc_difference *difference)
{
    const char *name = output_info(run, index)->name;
    int64_t place[GRUC_ABI_MAX_RANK];
    struct gruc_strbuf text;
    gruc_strbuf_init(&text);
    if (run->outputs[index].count > 0) {
        gruc_array_place(&run->outputs[index], difference->index, place);
        for (uint32_t i = 0; i < run->outputs[index].rank; i++)
            gruc_strbuf_format(&text, "%s%" PRId64, i > 0 ? "," : "", place[i]);
    }
    int fits = difference->worst <= tolerance;
    run->mismatch |= !fits;
    fprintf(stderr, "%s: worst error %.3g at [%s], got %.9g, wanted %.9g: %s %.3g\n", name,
            difference->worst, text.text != NULL ? text.text : "", difference->got,
            difference->wanted, fits ? "within" : "more than", tolerance);
    gruc_strbuf_format(&run->report, "%s{\"output\":", run->report.length > 0 ? "," : "");
    gruc_strbuf_json(&run->report, name);
    gruc_strbuf_text(&run->report, ",\"max_abs\":");
    if (isfinite(difference->worst))
        gruc_strbuf_format(&run->report, "%.9g", difference->worst);
    else
        gruc_strbuf_text(&run->report, "null");
    gruc_strbuf_format(&run->report, ",\"index\":[%s],\"within\":%s}",
                       text.text != NULL ? text.text : "", fits ? "true" : "false");
    gruc_strbuf_finish(&text);
}

static enum gruc_status check_expectation(struct run *run, uint32_t index)
{
    struct gruc_array wanted = {0};
    const char *path = run->expect_paths[index], *words = NULL;
    enum gruc_status status = gruc_npy_read(path, 0, &wanted, &words);
    if (status != GRUC_OK) {
        gruc_cli_error(run->cli, "%s: %s", path, words);
        return status;
    }
    double tolerance = run->cli->max_abs >= 0 ? run->cli->max_abs : usual_tolerance;
    struct gruc_difference difference;
    if (gruc_array_same_dims(&run->outputs[index], &wanted)) {
        gruc_array_compare(&run->outputs[index], &wanted, &difference);
        report_expectation(run, index, tolerance, &difference);
    } else {
        gruc_cli_error(run->cli, "%s: its shape is not that of output '%s'", path,
                       output_info(run, index)->name);
        status = GRUC_ERROR_SHAPE;
    }
    gruc_array_finish(&wanted);
    return status;
}

static enum gruc_status use_outputs(struct run *run)
{
    for (uint32_t i = 0; i < run->info->n_outputs; i++) {
        const char *words = NULL, *path = run->output_paths[i];
        enum gruc_status status = GRUC_OK;
        if (path != NULL)
            status = gruc_npy_write(path, &run->outputs[i], &words);
        if (status != GRUC_OK) {
            gruc_cli_error(run->cli, "%s: %s", path, words);
            return status;
        }
        if (run->expect_paths[i] != NULL)
            GRUC_TRY(check_expectation(run, i));
    }
    return GRUC_OK;
}

static void print_json(const struct run *run)
{
    struct gruc_strbuf text;
    gruc_strbuf_init(&text);
    gruc_strbuf_text(&text, "{\"model\":");
    gruc_strbuf_json(&text, run->info->name);
    gruc_strbuf_text(&text, ",\"outputs\":[");
    for (uint32_t i = 0; i < run->info->n_outputs; i++) {
        gruc_strbuf_text(&text, i > 0 ? ",{\"name\":" : "{\"name\":");
        gruc_strbuf_json(&text, output_info(run, i)->name);
        gruc_strbuf_text(&text, ",\"shape\":[");
        for (uint32_t k = 0; k < run->outputs[i].rank; k++)
            gruc_strbuf_format(&text, "%s%" PRId64, k > 0 ? "," : "", run->outputs[i].dims[k]);
        gruc_strbuf_text(&text, "]}");
    }
    gruc_strbuf_format(&text, "],\"expect\":[%s]}",
                       run->report.text != NULL ? run->report.text : "");
    if (!text.failed)
        printf("%s\n", text.text);
    gruc_strbuf_finish(&text);
}

static int run_module(struct run *run)
{
    const struct gruc_cli *cli = run->cli;
    if (!assign_all(run))
        return GRUC_EXIT_USAGE;
    if (cli->chunk != 0 && (run->info->flags & GRUC_MODULE_BACKWARD))
        gruc_cli_warning(cli, "a layer reads the sequence from its end: with --chunk it reads each "
                              "chunk so for itself");
    enum gruc_status status = read_inputs(run);
    if (status != GRUC_OK)
        return gruc_cli_exit(cli, status);
    struct grt_feed_options options = {.chunk = cli->chunk, .threads = (unsigned)cli->threads};
    status = grt_feed(run->module, run->inputs, &options, run->outputs, run->error);
    if (status != GRUC_OK) {
        gruc_cli_error(cli, "%s", run->error);
        return gruc_cli_exit(cli, status);
    }
    status = use_outputs(run);
    if (status == GRUC_OK && cli->json)
        print_json(run);
    return status == GRUC_OK && run->mismatch ? GRUC_EXIT_MISMATCH : gruc_cli_exit(cli, status);
}

static int allocate(struct run *run)
{
    size_t inputs = run->info->n_inputs, outputs = run->info->n_outputs;
    run->inputs = calloc(inputs + 1, sizeof *run->inputs);
    run->outputs = calloc(outputs + 1, sizeof *run->outputs);
    run->input_paths = calloc(inputs + 1, sizeof *run->input_paths);
    run->output_paths = calloc(outputs + 1, sizeof *run->output_paths);
    run->expect_paths = calloc(outputs + 1, sizeof *run->expect_paths);
    return run->inputs != NULL && run->outputs != NULL && run->input_paths != NULL &&
           run->output_paths != NULL && run->expect_paths != NULL;
}

static void release(struct run *run)
{
    gruc_arrays_finish(run->inputs, run->info->n_inputs);
    gruc_arrays_finish(run->outputs, run->info->n_outputs);
    free(run->inputs);
    free(run->outputs);
    free(run->input_paths);
    free(run->output_paths);
    free(run->expect_paths);
    gruc_strbuf_finish(&run->report);
}

int gruc_command_run(const struct gruc_cli *cli)
{
    if (cli->outputs.count + cli->expects.count == 0)
        return gruc_cli_usage("run has nothing to do without --output or --expect");
    struct run run = {.cli = cli};
    struct gruc_options options;
    struct gruc_model_handle *handle = NULL;
    gruc_cli_options(cli, &options);
    enum gruc_status status = gruc_model_open(cli->operand, &options, &handle);
    if (status == GRUC_OK)
        status = gruc_tune_model(cli, &options, handle);
    if (status == GRUC_OK)
        status = gruc_model_jit(handle, &options, &run.module);
    gruc_model_destroy(handle);
    if (status != GRUC_OK)
        return gruc_cli_exit(cli, status);
    run.info = grt_module_info(run.module);
    gruc_strbuf_init(&run.report);
    int exit_status = allocate(&run) ? run_module(&run) : gruc_cli_exit(cli, GRUC_ERROR_MEMORY);
    release(&run);
    grt_module_destroy(run.module);
    return exit_status;
}

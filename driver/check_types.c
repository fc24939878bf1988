/* SPDX-License-Identifier: MIT */
#include "driver/check_types.h"

#include <math.h>
#include <stdlib.h>

#include "driver/compare.h"
#include "driver/random_inputs.h"
#include "runtime/feed.h"

enum { ROWS = 5, STEPS = 50 };

struct measurement {
    const struct gruc_cli *cli;
    struct gruc_model_handle *handle;
    struct gruc_options options;
    const struct gruc_module_info *info;
    struct gruc_array *inputs, *wanted, *got;
    struct gruc_strbuf *report;
    char error[GRT_FEED_ERROR_BYTES];
};

static enum gruc_status read_inputs(struct measurement *m)
{
    const struct gruc_tensor_info *tensors = gruc_module_tensors(m->info);
    const struct gruc_cli_list *files = &m->cli->calibrate;
    unsigned char *taken = calloc((size_t)m->info->n_inputs + 1, 1);
    enum gruc_status status = taken == NULL ? GRUC_ERROR_MEMORY : GRUC_OK;
    for (size_t i = 0; i < files->count && status == GRUC_OK; i++) {
        uint32_t index = 0;
        const char *path = NULL;
        status = grt_feed_argument(tensors, m->info->n_inputs, "input", files->items[i], taken,
                                   &index, &path, m->error);
        if (status == GRUC_OK)
            status = grt_feed_read(&tensors[index], path, &m->inputs[index], m->error);
    }
    for (uint32_t i = 0; i < m->info->n_inputs && status == GRUC_OK; i++)
        if (!taken[i]) {
            snprintf(m->error, sizeof m->error, "input '%s' is missing: --calibrate %s=FILE.npy",
                     tensors[i].name, tensors[i].name);
            status = GRUC_ERROR_ARGUMENT;
        }
    if (status != GRUC_OK && taken != NULL)
        gruc_cli_error(m->cli, "%s", m->error);
    free(taken);
    return status;
}

static enum gruc_status make_inputs(struct measurement *m)
{
    struct gruc_random_inputs wish = {.batch = m->info->batch != 0 ? m->info->batch : ROWS,
                                      .steps = STEPS,
                                      .seed = m->cli->seed};
    if (m->info->n_steps > 0 && m->info->steps[0] != 0)
        wish.steps = m->info->steps[0];
    if (m->cli->calibrate.count > 0)
        return read_inputs(m);
    return gruc_random_inputs_make(m->handle->model, m->info, &wish, m->inputs);
}

static enum gruc_status feed(struct measurement *m, const struct grt_module *module,
                             struct gruc_array *outputs)
{
    struct grt_feed_options options = {.threads = 1};
    enum gruc_status status = grt_feed(module, m->inputs, &options, outputs, m->error);
    if (status != GRUC_OK)
        gruc_cli_error(m->cli, "%s", m->error);
    return status;
}

static void append_number(struct gruc_strbuf *out, const char *key, double value)
{
    if (isfinite(value))
        gruc_strbuf_format(out, ",\"%s\":%.9g", key, value);
    else
        gruc_strbuf_format(out, ",\"%s\":null", key);
}

static void report(struct measurement *m, const char *type)
{
    for (uint32_t i = 0; i < m->info->n_outputs; i++) {
        const char *name = gruc_module_tensors(m->info)[m->info->n_inputs + i].name;
        struct gruc_difference difference;
        gruc_array_compare(&m->got[i], &m->wanted[i], &difference);
        if (!m->cli->json)
            printf("%-8s %-24s %-4s weights: max abs %.3g, rms %.3g\n", "cpu", name, type,
                   difference.worst, difference.rms);
        gruc_strbuf_format(m->report, "%s{\"backend\":\"cpu\",\"weights\":\"%s\",\"output\":",
                           m->report->length > 0 ? "," : "", type);
        gruc_strbuf_json(m->report, name);
        append_number(m->report, "max_abs", difference.worst);
        append_number(m->report, "rms", difference.rms);
        gruc_strbuf_text(m->report, "}");
    }
}

static enum gruc_status measure_type(struct measurement *m, enum gruc_weights_type type)
{
    static const char *const names[] = {"auto", "f32", "bf16", "f16", "int8"};
    struct grt_module *module = NULL;
    m->options.backend = "cpu";
    m->options.weights_type = type;
    GRUC_TRY(gruc_model_jit(m->handle, &m->options, &module));
    enum gruc_status status = feed(m, module, m->got);
    if (status == GRUC_OK)
        report(m, names[type]);
    gruc_arrays_finish(m->got, m->info->n_outputs);
    grt_module_destroy(module);
    return status;
}

static enum gruc_status measure(struct measurement *m, const struct grt_module *truth)
{
    enum gruc_weights_type given = m->options.weights_type;
    if (m->inputs == NULL || m->wanted == NULL || m->got == NULL)
        return GRUC_ERROR_MEMORY;
    GRUC_TRY(make_inputs(m));
    GRUC_TRY(feed(m, truth, m->wanted));
    if (given > GRUC_WEIGHTS_TYPE_F32)
        return measure_type(m, given);
    for (unsigned type = GRUC_WEIGHTS_TYPE_F32; type <= GRUC_WEIGHTS_TYPE_INT8; type++)
        GRUC_TRY(measure_type(m, type));
    return GRUC_OK;
}

enum gruc_status gruc_check_types(const struct gruc_cli *cli, struct gruc_model_handle *handle,
                                  struct gruc_strbuf *report)
{
    struct measurement m = {.cli = cli, .handle = handle, .report = report};
    struct grt_module *truth = NULL;
    gruc_cli_options(cli, &m.options);
    if ((m.options.weights_type <= GRUC_WEIGHTS_TYPE_F32 && cli->calibrate.count == 0) ||
        gruc_backend_find("cpu") == NULL)
        return GRUC_OK;
    m.options.backend = "ref";
    GRUC_TRY(gruc_model_jit(handle, &m.options, &truth));
    m.info = grt_module_info(truth);
    m.inputs = calloc((size_t)m.info->n_inputs + 1, sizeof *m.inputs);
    m.wanted = calloc((size_t)m.info->n_outputs + 1, sizeof *m.wanted);
    m.got = calloc((size_t)m.info->n_outputs + 1, sizeof *m.got);
    enum gruc_status status = measure(&m, truth);
    gruc_arrays_finish(m.inputs, m.info->n_inputs);
    gruc_arrays_finish(m.wanted, m.info->n_outputs);
    free(m.inputs);
    free(m.wanted);
    free(m.got);
    grt_module_destroy(truth);
    return status;
}

/* SPDX-License-Identifier: MIT */
#include "driver/measure.h"

#include <stdlib.h>

#include "driver/random_inputs.h"

enum { USUAL_STEPS = 200 };
static const double sample_milliseconds = 0.05; /* at least; short calls are repeated */

/* A static number of the model wins. */
static void choose_sizes(struct gruc_measurement *m, const struct gruc_cli *cli)
{
    m->batch = m->info->batch != 0 ? m->info->batch : cli->batch != 0 ? cli->batch : 1;
    m->steps = cli->steps != 0 ? cli->steps : USUAL_STEPS;
    if (m->info->n_steps > 0 && m->info->steps[0] != 0)
        m->steps = m->info->steps[0];
}

uint64_t gruc_measurement_steps(const struct gruc_measurement *m)
{
    uint64_t known = 0;
    for (uint32_t i = 0; i < m->info->n_inputs; i++) {
        const struct gruc_array *array = &m->arrays[i];
        const struct gruc_tensor_info *tensor = gruc_module_tensors(m->info) + i;
        for (uint32_t k = 0; k < tensor->rank; k++) {
            if (tensor->dims[k] <= GRUC_DIM_STEPS(0)) /* of ids and masks the last axis too */
                return m->steps;
            int is_width = k + 1 == tensor->rank;
            if (!is_width && tensor->dims[k] != GRUC_DIM_BATCH && (uint64_t)array->dims[k] > known)
                known = (uint64_t)array->dims[k];
        }
    }
    return known != 0 ? known : 1;
}

uint64_t gruc_measurement_workspace(const struct gruc_measurement *m)
{
    uint64_t steps[GRUC_ABI_MAX_STEPS];
    for (size_t i = 0; i < GRUC_ABI_MAX_STEPS; i++)
        steps[i] = m->steps;
    return gruc_workspace_bytes(m->info, m->batch, steps);
}

/* Takes memory, wakes caches, finds how many calls a sample needs. */
static enum gruc_status warm_up(struct gruc_measurement *m)
{
    double took;
    m->calls = 1;
    GRUC_TRY(gruc_measurement_sample(m, &took));
    GRUC_TRY(gruc_measurement_sample(m, &took));
    while (took * m->calls < sample_milliseconds && m->calls < 1u << 20) {
        m->calls *= 2;
        GRUC_TRY(gruc_measurement_sample(m, &took));
    }
    return GRUC_OK;
}

enum gruc_status gruc_measurement_begin(struct gruc_measurement *m, const struct gruc_cli *cli,
                                        const struct gruc_model *model,
                                        const struct grt_module *module, unsigned threads)
{
    *m = (struct gruc_measurement){.info = grt_module_info(module)};
    choose_sizes(m, cli);
    struct gruc_random_inputs inputs = {.batch = m->batch,
                                        .steps = m->steps,
                                        .masks = (enum gruc_masks)cli->masks,
                                        .seed = cli->seed};
    struct grt_session_options options = {.size = sizeof options, .threads = threads};
    m->arrays = calloc((size_t)m->info->n_inputs + m->info->n_outputs, sizeof *m->arrays);
    if (m->arrays == NULL)
        return GRUC_ERROR_MEMORY;
    GRUC_TRY(gruc_random_inputs_make(model, m->info, &inputs, m->arrays));
    GRUC_TRY(grt_session_create(module, &options, &m->session));
    GRUC_TRY(gruc_arrays_bind(m->session, m->info, m->arrays));
    return warm_up(m);
}

enum gruc_status gruc_measurement_sample(struct gruc_measurement *m, double *out)
{
    double begin = gruc_clock_milliseconds();
    for (unsigned i = 0; i < m->calls; i++)
        GRUC_TRY(grt_session_run(m->session));
    *out = (gruc_clock_milliseconds() - begin) / m->calls;
    return GRUC_OK;
}

const char *gruc_measurement_error(const struct gruc_measurement *m, enum gruc_status status)
{
    return m->session != NULL ? grt_session_error(m->session) : gruc_status_text(status);
}

void gruc_measurement_finish(struct gruc_measurement *m)
{
    if (m->info == NULL)
        return;
    if (m->arrays != NULL)
        gruc_arrays_finish(m->arrays, (size_t)m->info->n_inputs + m->info->n_outputs);
    free(m->arrays);
    grt_session_destroy(m->session);
    *m = (struct gruc_measurement){0};
}

enum gruc_status gruc_measurement_open(const struct gruc_cli *cli, struct gruc_options *options,
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

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double gruc_median(double *samples, size_t count)
{
    qsort(samples, count, sizeof *samples, by_value);
    return samples[count / 2];
}

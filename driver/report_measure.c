/* SPDX-License-Identifier: MIT */
/* What `report` measures: the machine, whole calls, and calls of code that times its stages. All
 * are sampled in turn, so that what else the machine does meets all of them alike. */
#include <stdlib.h>
#include <string.h>

#include "codegen/profile.h"
#include "driver/report.h"
#include "driver/tune.h"

enum {
    SAMPLES_LEAST = 5,
    SAMPLES_MOST = 100000,
    ROOFLINE_BYTES = 256 << 20,
};

struct run {
    struct grt_module *module;
    struct gruc_measurement measurement;
    double least;
};

struct measuring {
    struct gruc_report *report;
    struct gruc_compilation compilation;
    struct run asked, alone, profiled; /* alone is unused when one thread was asked for */
    double *samples;                   /* of asked */
    uint64_t *profile, *best_profile;  /* of any sample, of the fastest one */
    size_t n_profile;
    struct {
        double took, begin, clock; /* milliseconds, when its last call began by either clock */
    } fastest[2];                  /* profiled sample of the first half and of the second */
    double tick;                   /* milliseconds */
};

/* ---- compiling ---- */

static enum gruc_status plan(struct measuring *m)
{
    struct gruc_report *report = m->report;
    struct gruc_ir *ir = NULL;
    const struct gruc_backend *backend;
    struct gruc_target *target = &m->compilation.target;
    struct gruc_plan made = {0};
    GRUC_TRY(gruc_compile_lower(&m->compilation, report->handle, &report->arena, &ir));
    GRUC_TRY(gruc_compile_choose(&m->compilation, ir, 0, &backend));
    if (backend->plan == NULL)
        return GRUC_OK;
    GRUC_TRY(backend->resolve(target, &report->arena, &m->compilation.diag, &report->resolved));
    GRUC_TRY(backend->plan(ir, target, &m->compilation.diag, &made));
    report->schedule = made.schedule;
    report->sharing = made.threads;
    report->n_stages = gruc_schedule_count(made.schedule);
    m->n_profile = gruc_profile_length(report->n_stages);
    m->profile = calloc(m->n_profile, sizeof *m->profile);
    m->best_profile = calloc(m->n_profile, sizeof *m->best_profile);
    return m->profile == NULL || m->best_profile == NULL ? GRUC_ERROR_MEMORY : GRUC_OK;
}

static enum gruc_status compile(struct measuring *m)
{
    struct gruc_report *report = m->report;
    double begin = gruc_clock_milliseconds();
    GRUC_TRY(gruc_compile_jit(&m->compilation, report->handle, &m->asked.module));
    report->compile_milliseconds = report->handle->milliseconds + gruc_clock_milliseconds() - begin;
    GRUC_TRY(plan(m));
    if (m->profile == NULL)
        return GRUC_OK;
    m->compilation.target.profile = m->profile;
    return gruc_compile_jit(&m->compilation, report->handle, &m->profiled.module);
}

/* ---- running ---- */

static enum gruc_status begin(struct measuring *m, struct run *run, const struct grt_module *module,
                              unsigned threads)
{
    struct gruc_report *report = m->report;
    enum gruc_status status = gruc_measurement_begin(&run->measurement, report->cli,
                                                     report->handle->model, module, threads);
    if (status != GRUC_OK)
        gruc_cli_error(report->cli, "%s", gruc_measurement_error(&run->measurement, status));
    return status;
}

static enum gruc_status sample(struct run *run, double *out)
{
    GRUC_TRY(gruc_measurement_sample(&run->measurement, out));
    if (run->least == 0 || *out < run->least)
        run->least = *out;
    return GRUC_OK;
}

/* Fast samples were not interrupted, so both clocks were read at nearly the same time. */
static enum gruc_status sample_profiled(struct measuring *m, int half)
{
    double took, before = m->profiled.least;
    memset(m->profile, 0, m->n_profile * sizeof *m->profile);
    GRUC_TRY(sample(&m->profiled, &took));
    double begin = gruc_clock_milliseconds() - took;
    if (m->profiled.least != before)
        memcpy(m->best_profile, m->profile, m->n_profile * sizeof *m->profile);
    if (m->fastest[half].took == 0 || took < m->fastest[half].took) {
        m->fastest[half].took = took;
        m->fastest[half].begin = begin;
        m->fastest[half].clock = (double)m->profile[gruc_profile_clock(m->report->n_stages)];
    }
    return GRUC_OK;
}

/* How long a tick of the generated code's clock is; 0 when it has none. */
static double find_tick(const struct measuring *m)
{
    double ticks = m->fastest[1].clock - m->fastest[0].clock;
    return ticks > 0 ? (m->fastest[1].begin - m->fastest[0].begin) / ticks : 0;
}

static enum gruc_status sample_all(struct measuring *m)
{
    struct gruc_report *report = m->report;
    double seconds = report->cli->seconds >= 0 ? report->cli->seconds : 1.0, took;
    double middle = gruc_clock_milliseconds() + seconds * 5e2, end = middle + seconds * 5e2;
    while (report->n_samples < SAMPLES_MOST &&
           (report->n_samples < SAMPLES_LEAST || gruc_clock_milliseconds() < end)) {
        GRUC_TRY(sample(&m->asked, &m->samples[report->n_samples++]));
        if (m->alone.measurement.session != NULL)
            GRUC_TRY(sample(&m->alone, &took));
        int is_late = gruc_clock_milliseconds() > middle || report->n_samples > SAMPLES_MOST / 2;
        if (m->profile != NULL)
            GRUC_TRY(sample_profiled(m, report->n_samples > 1 && is_late));
    }
    m->tick = find_tick(m);
    return GRUC_OK;
}

static enum gruc_status run_all(struct measuring *m)
{
    struct gruc_report *report = m->report;
    m->samples = malloc(SAMPLES_MOST * sizeof *m->samples);
    if (m->samples == NULL)
        return GRUC_ERROR_MEMORY;
    GRUC_TRY(begin(m, &m->asked, m->asked.module, report->threads));
    if (report->threads > 1)
        GRUC_TRY(begin(m, &m->alone, m->asked.module, 1));
    if (m->profile != NULL)
        GRUC_TRY(begin(m, &m->profiled, m->profiled.module, 1));
    return sample_all(m);
}

static enum gruc_status fill_report(struct measuring *m)
{
    struct gruc_report *report = m->report;
    const struct gruc_measurement *asked = &m->asked.measurement;
    struct gruc_module_info *info = gruc_arena_alloc(&report->arena, 1, asked->info->bytes);
    if (info == NULL)
        return GRUC_ERROR_MEMORY;
    memcpy(info, asked->info, asked->info->bytes); /* the module goes */
    report->info = info;
    report->batch = asked->batch;
    report->steps = gruc_measurement_steps(asked);
    report->workspace_bytes = gruc_measurement_workspace(asked);
    report->median = gruc_median(m->samples, report->n_samples);
    report->least = m->asked.least;
    report->least_alone = report->threads > 1 ? m->alone.least : m->asked.least;
    struct gruc_profile profile = {.numbers = m->best_profile,
                                   .tick = m->tick,
                                   .calls = m->profiled.measurement.calls,
                                   .least = m->profiled.least};
    return m->tick == 0 ? GRUC_OK : gruc_report_fill_stages(report, &profile);
}

static enum gruc_status measure(struct measuring *m, const struct gruc_options *options)
{
    struct gruc_report *report = m->report;
    gruc_compilation_init(&m->compilation, options);
    gruc_compilation_set_model(&m->compilation, report->handle);
    GRUC_TRY(compile(m));
    if (!gruc_roofline_measure(ROOFLINE_BYTES, &report->roofline))
        return GRUC_ERROR_MEMORY;
    GRUC_TRY(run_all(m));
    return fill_report(m);
}

enum gruc_status gruc_report_make(const struct gruc_cli *cli, struct gruc_report *out)
{
    struct gruc_options options;
    struct measuring m = {.report = out};
    *out =
        (struct gruc_report){.cli = cli, .threads = cli->threads != 0 ? (unsigned)cli->threads : 1};
    gruc_arena_init(&out->arena);
    gruc_cli_options(cli, &options);
    enum gruc_status status = gruc_measurement_open(cli, &options, &out->handle);
    if (status == GRUC_OK)
        status = gruc_tune_model(cli, &options, out->handle);
    if (status == GRUC_OK)
        status = measure(&m, &options);
    gruc_measurement_finish(&m.asked.measurement);
    gruc_measurement_finish(&m.alone.measurement);
    gruc_measurement_finish(&m.profiled.measurement);
    grt_module_destroy(m.asked.module);
    grt_module_destroy(m.profiled.module);
    free(m.samples);
    free(m.profile);
    free(m.best_profile);
    return status;
}

void gruc_report_finish(struct gruc_report *report)
{
    gruc_arena_finish(&report->arena);
    gruc_model_destroy(report->handle);
}

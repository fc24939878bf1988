/* SPDX-License-Identifier: MIT */
/* From what profiled code added up to the stages of the report. */
#include <string.h>

#include "codegen/profile.h"
#include "driver/report.h"

enum { LAYERS_BYTES = 64 }; /* of names, from where on no more are added */

static int is_part_of(const struct gruc_layer *layer, struct gruc_mark mark)
{
    const struct gruc_mark *own = &layer->mark;
    for (size_t i = 0; i < 2; i++) {
        const struct gruc_layer *child = layer->recurrences[i].layer;
        if (child != NULL && child->mark.line == mark.line && child->mark.column == mark.column)
            return 1;
    }
    return own->line == mark.line && own->column == mark.column;
}

static int computes_for(const struct gruc_ir *ir, const struct gruc_stage *stage,
                        const struct gruc_layer *layer)
{
    for (size_t i = 0; i < stage->n_ops; i++)
        if (is_part_of(layer, ir->ops[stage->ops[i]].mark))
            return 1;
    return 0;
}

/* The layers whose operations a stage holds, in the model's order; masked steps are their scan's.
 */
static const char *name_layers(struct gruc_report *report, const struct gruc_schedule_place *place)
{
    const struct gruc_stage *stage = place->is_masked ? place->scan : place->stage;
    const struct gruc_model *model = report->handle->model;
    struct gruc_strbuf names;
    gruc_strbuf_init(&names);
    for (size_t i = 0; i < model->n_layers && names.length < LAYERS_BYTES; i++) {
        if (computes_for(report->schedule->ir, stage, model->layers[i]))
            gruc_strbuf_format(&names, "%s%s", names.length > 0 ? ", " : "",
                               model->layers[i]->name);
    }
    const char *text = names.failed ? NULL : names.text == NULL ? "" : names.text;
    if (text != NULL)
        text = gruc_arena_text(&report->arena, text, strlen(text));
    gruc_strbuf_finish(&names);
    return text;
}

/* Bytes of weights that are read in turn with the stage's own. */
static uint64_t working_set(const struct gruc_schedule *schedule,
                            const struct gruc_schedule_place *place)
{
    const struct gruc_group *group = place->scan != NULL ? place->scan->body : place->group;
    struct gruc_stage_work work;
    uint64_t bytes = 0;
    for (size_t i = 0; i < group->n_stages; i++) {
        gruc_schedule_work(schedule, &group->stages[i], &work);
        bytes += work.weight_bytes;
    }
    return bytes;
}

static const struct gruc_roof *choose_roof(const struct gruc_roofline *roofline, uint64_t bytes)
{
    for (size_t i = 0; i < GRUC_ROOFLINE_LEVELS; i++) {
        const struct gruc_roof *roof = &roofline->levels[i];
        if ((roof->bytes == 0 || bytes <= roof->bytes) && roof->gigabytes > 0)
            return roof;
    }
    return NULL;
}

static double field(const struct gruc_profile *profile, size_t number, unsigned which)
{
    return (double)profile->numbers[number * GRUC_PROFILE_FIELDS + which] / profile->calls;
}

static enum gruc_status fill_stage(struct gruc_report *report, const struct gruc_profile *profile,
                                   size_t number, double clock_ticks)
{
    struct gruc_report_stage *stage = &report->stages[number];
    struct gruc_stage_work work;
    gruc_schedule_find(report->schedule, number, &stage->place);
    gruc_schedule_work(report->schedule, stage->place.stage, &work);
    stage->layers = name_layers(report, &stage->place);
    stage->calls = field(profile, number, GRUC_PROFILE_CALLS);
    stage->rows = field(profile, number, GRUC_PROFILE_ROWS);
    double ticks = field(profile, number, GRUC_PROFILE_TICKS) - stage->calls * clock_ticks;
    stage->milliseconds = ticks > 0 ? ticks * profile->tick : 0;
    stage->flops = stage->rows * (double)work.row_flops;
    stage->bytes = stage->rows * (double)work.row_bytes + stage->calls * (double)work.weight_bytes;
    stage->roof = choose_roof(&report->roofline, working_set(report->schedule, &stage->place));
    return stage->layers == NULL ? GRUC_ERROR_MEMORY : GRUC_OK;
}

/* Ticks that the readings of the clock add to a call of a stage: those of a pair with nothing
 * between, but no more than all readings made the whole slower, for operations go on beside them.
 */
static double reading_ticks(const struct gruc_report *report, const struct gruc_profile *profile)
{
    size_t empty = gruc_profile_empty(report->n_stages);
    double pair =
        field(profile, empty, GRUC_PROFILE_TICKS) / field(profile, empty, GRUC_PROFILE_CALLS);
    double calls = 0;
    for (size_t i = 0; i < report->n_stages; i++)
        calls += field(profile, i, GRUC_PROFILE_CALLS);
    double slower = (profile->least - report->least_alone) / profile->tick;
    double each = slower > 0 && calls > 0 ? slower / calls : 0;
    return each < pair ? each : pair;
}

enum gruc_status gruc_report_fill_stages(struct gruc_report *report,
                                         const struct gruc_profile *profile)
{
    size_t group = gruc_profile_group(report->n_stages);
    double clock_ticks = reading_ticks(report, profile);
    report->stages = GRUC_NEW_ARRAY(&report->arena, struct gruc_report_stage, report->n_stages);
    if (report->stages == NULL)
        return GRUC_ERROR_MEMORY;
    for (size_t i = 0; i < report->n_stages; i++)
        GRUC_TRY(fill_stage(report, profile, i, clock_ticks));
    report->group = field(profile, group, GRUC_PROFILE_TICKS) * profile->tick;
    report->clock_nanoseconds = clock_ticks * profile->tick * 1e6;
    report->least_profiled = profile->least;
    return GRUC_OK;
}

double gruc_report_intensity(const struct gruc_report_stage *stage)
{
    return stage->bytes > 0 ? stage->flops / stage->bytes : 0;
}

double gruc_report_rate(const struct gruc_report_stage *stage)
{
    return stage->milliseconds > 0 ? stage->flops / (stage->milliseconds * 1e6) : 0;
}

double gruc_report_limit(const struct gruc_report *report, const struct gruc_report_stage *stage)
{
    double peak = report->roofline.gigaflops;
    if (stage->roof == NULL)
        return peak;
    double limit = stage->roof->gigabytes * gruc_report_intensity(stage);
    return limit < peak ? limit : peak;
}

const char *gruc_report_kind(const struct gruc_stage *stage)
{
    static const char *const kinds[] = {
        [GRUC_STAGE_SWEEP] = "pointwise", [GRUC_STAGE_REDUCE] = "reduce",
        [GRUC_STAGE_EMBED] = "embed",     [GRUC_STAGE_QUANTIZE] = "quantize",
        [GRUC_STAGE_INITIAL] = "initial", [GRUC_STAGE_FINAL] = "final",
        [GRUC_STAGE_SCAN] = "scan",
    };
    return stage->n_products > 0 ? "product" : kinds[stage->kind];
}

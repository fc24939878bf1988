/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "driver/model_text.h"
#include "driver/report.h"

static void append_roofline(const struct gruc_roofline *roofline, struct gruc_strbuf *out)
{
    gruc_strbuf_format(out, ",\"gigaflops\":%.3f,\"memories\":[", roofline->gigaflops);
    const char *separator = "";
    for (size_t i = 0; i < GRUC_ROOFLINE_LEVELS; i++) {
        const struct gruc_roof *roof = &roofline->levels[i];
        if (roof->gigabytes == 0)
            continue;
        gruc_strbuf_format(out, "%s{\"name\":\"%s\",\"bytes\":%zu,\"gigabytes\":%.3f}", separator,
                           roof->name, roof->bytes, roof->gigabytes);
        separator = ",";
    }
    gruc_strbuf_text(out, "]");
}

static void append_stage(const struct gruc_report *report, size_t number, struct gruc_strbuf *out)
{
    const struct gruc_report_stage *stage = &report->stages[number];
    gruc_strbuf_format(
        out, "%s{\"number\":%zu,\"kind\":\"%s\",\"masked\":%s,\"layers\":", number > 0 ? "," : "",
        number, gruc_report_kind(stage->place.stage), stage->place.is_masked ? "true" : "false");
    gruc_strbuf_json(out, stage->layers);
    gruc_strbuf_format(out,
                       ",\"units\":%u,\"calls\":%.0f,\"rows\":%.0f,\"flops\":%.0f,\"bytes\":%.0f"
                       ",\"ns_per_step\":%.3f,\"gigaflops\":%.4f,\"roof\":",
                       (unsigned)stage->place.stage->width, stage->calls, stage->rows, stage->flops,
                       stage->bytes, stage->milliseconds * 1e6 / (double)report->steps,
                       gruc_report_rate(stage));
    gruc_strbuf_json(out, stage->roof != NULL ? stage->roof->name : "");
    gruc_strbuf_format(out, ",\"roof_gigaflops\":%.4f}", gruc_report_limit(report, stage));
}

static void append_stages(const struct gruc_report *report, struct gruc_strbuf *out)
{
    double step = 1e6 / (double)report->steps;
    if (report->stages == NULL) {
        gruc_strbuf_text(out, ",\"profile\":null,\"stages\":null");
        return;
    }
    gruc_strbuf_format(out,
                       ",\"profile\":{\"ns_per_step_min\":%.3f,\"ns_per_step_in_code\":%.3f"
                       ",\"clock_ns\":%.3f},\"stages\":[",
                       report->least_profiled * step, report->group * step,
                       report->clock_nanoseconds);
    for (size_t i = 0; i < report->n_stages; i++)
        append_stage(report, i, out);
    gruc_strbuf_text(out, "]");
}

void gruc_report_json(const struct gruc_report *report, struct gruc_strbuf *out)
{
    const struct gruc_model *model = report->handle->model;
    double step = 1e6 / (double)report->steps;
    gruc_strbuf_text(out, "{\"model\":");
    gruc_strbuf_json(out, model->name);
    gruc_strbuf_format(
        out,
        ",\"batch\":%" PRIu64 ",\"steps\":%" PRIu64 ",\"threads\":%u"
        ",\"ns_per_step\":%.3f,\"ns_per_step_min\":%.3f"
        ",\"ns_per_step_min_one_thread\":%.3f,\"samples\":%zu,\"compile_ms\":%.3f"
        ",\"weights\":%" PRIu64 ",\"state_bytes\":%" PRIu64 ",\"workspace_bytes\":%" PRIu64
        ",\"unit_threads\":%" PRIu64 ",\"step_cycles\":%" PRIu64,
        report->batch, report->steps, report->threads, report->median * step, report->least * step,
        report->least_alone * step, report->n_samples, report->compile_milliseconds,
        gruc_model_weight_count(model, NULL), report->info->state_bytes, report->workspace_bytes,
        report->info->unit_threads, report->info->step_cycles);
    append_roofline(&report->roofline, out);
    append_stages(report, out);
    gruc_strbuf_text(out, "}\n");
}

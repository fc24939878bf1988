/* SPDX-License-Identifier: MIT */
/* The page that `report` writes. It is HTML that an XML parser takes as well. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "driver/model_text.h"
#include "driver/report.h"
#include "frontend/layers.h"

static const char style[] =
    ":root{color-scheme:light dark;--page:#f9f9f7;--ink:#0b0b0b;--second:#52514e;--muted:#6b6a65;"
    "--line:#e1e0d9;--axis:#a8a79f;--accent:#2a78d6}\n"
    "@media (prefers-color-scheme:dark){:root{--page:#141413;--ink:#fff;--second:#c3c2b7;"
    "--muted:#a3a29b;--line:#31312f;--axis:#6b6a65;--accent:#3987e5}}\n"
    "body{margin:0 auto;max-width:68rem;padding:1.5rem;background:var(--page);color:var(--ink);"
    "font:15px/1.45 system-ui,sans-serif}\n"
    "h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .6rem}\n"
    "p{margin:.5rem 0;max-width:46rem;color:var(--second)}\n"
    ".lines{white-space:pre-line}\n"
    ".wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;font-size:.87rem}\n"
    "th,td{padding:.22rem .7rem .22rem 0;text-align:left;vertical-align:top}\n"
    "th{color:var(--muted);font-weight:500}\n"
    "tr{border-bottom:1px solid var(--line)}\n"
    ".n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n"
    "th.group{padding-top:.8rem;color:var(--ink);font-weight:600}\n"
    ".bar{display:block;height:.6rem;margin-top:.3rem;min-width:1px;border-radius:0 3px 3px 0;"
    "background:var(--accent)}\n"
    ".share{width:7rem}\n"
    "dl{display:flex;flex-wrap:wrap;gap:.4rem 2.2rem;margin:1rem 0}\n"
    "dt{color:var(--muted);font-size:.82rem}\n"
    "dd{margin:0;font-size:1.25rem;font-variant-numeric:tabular-nums}\n"
    "svg text{font:12px system-ui,sans-serif;fill:var(--second);"
    "font-variant-numeric:tabular-nums}\n"
    "svg .grid{stroke:var(--line)}svg .roof{stroke:var(--axis);stroke-width:2;fill:none}\n"
    "svg .leader{stroke:var(--axis)}\n"
    "svg .dot{fill:var(--accent);fill-opacity:.8;stroke:var(--page);stroke-width:2}\n"
    "svg .name{fill:var(--ink)}\n";

void gruc_report_escape(struct gruc_strbuf *out, const char *text)
{
    for (; *text != 0; text++) {
        unsigned char c = (unsigned char)*text;
        if (strchr("<>&\"'", c) != NULL)
            gruc_strbuf_format(out, "&#%u;", c);
        else if (c >= 0x20 || c == '\t' || c == '\n')
            gruc_strbuf_append(out, text, 1);
        else /* nothing that XML could name */
            gruc_strbuf_text(out, "?");
    }
}

void gruc_report_number(struct gruc_strbuf *out, double value)
{
    double size = fabs(value);
    int digits = size >= 100 || size == 0 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
    gruc_strbuf_format(out, "%.*f", digits, value);
}

void gruc_report_cell(struct gruc_strbuf *out, double value)
{
    gruc_strbuf_text(out, "<td class=\"n\">");
    gruc_report_number(out, value);
    gruc_strbuf_text(out, "</td>");
}

/* ---- figures ---- */

static void figure(struct gruc_strbuf *out, const char *title, double value, const char *unit)
{
    gruc_strbuf_format(out, "<div><dt>%s</dt><dd>", title);
    gruc_report_number(out, value);
    gruc_strbuf_format(out, " %s</dd></div>\n", unit);
}

static void count(struct gruc_strbuf *out, const char *title, uint64_t value, const char *unit)
{
    gruc_strbuf_format(out, "<div><dt>%s</dt><dd>%" PRIu64 "%s</dd></div>\n", title, value, unit);
}

static void write_figures(const struct gruc_report *report, struct gruc_strbuf *out)
{
    double step = 1e6 / (double)report->steps;
    gruc_strbuf_text(out, "<dl>\n");
    figure(out, "a step, median", report->median * step, "ns");
    figure(out, "a step, least", report->least * step, "ns");
    if (report->threads > 1)
        figure(out, "a step, least, one thread", report->least_alone * step, "ns");
    count(out, "rows of a call", report->batch, "");
    count(out, "steps of a call", report->steps, "");
    count(out, "threads", report->threads, "");
    figure(out, "from YAML to code", report->compile_milliseconds, "ms");
    count(out, "weights", gruc_model_weight_count(report->handle->model, NULL), "");
    count(out, "state of a row", report->info->state_bytes, " bytes");
    count(out, "workspace", report->workspace_bytes, " bytes");
    gruc_strbuf_format(out,
                       "</dl>\n<p>Random inputs, %zu samples. A step is one of all rows.</p>\n",
                       report->n_samples);
}

/* ---- the model ---- */

static void write_edges(const struct gruc_model *model, struct gruc_edge *const *edges,
                        size_t n_edges, struct gruc_strbuf *out)
{
    struct gruc_strbuf text;
    gruc_strbuf_init(&text);
    for (size_t i = 0; i < n_edges; i++) {
        gruc_strbuf_format(&text, "%s%s %s ", i > 0 ? "; " : "", edges[i]->name,
                           gruc_dtype_text(edges[i]->dtype));
        gruc_edge_shape_text(model, edges[i], &text);
    }
    gruc_strbuf_text(out, "<td>");
    gruc_report_escape(out, text.text != NULL ? text.text : "");
    gruc_strbuf_text(out, "</td>");
    out->failed |= text.failed;
    gruc_strbuf_finish(&text);
}

static void write_layer(const struct gruc_model *model, const struct gruc_layer *layer,
                        struct gruc_strbuf *out)
{
    struct gruc_strbuf reads;
    const char *role = "";
    const struct gruc_edge *edge;
    gruc_strbuf_init(&reads);
    for (unsigned i = 0; (edge = gruc_layer_operand(layer, i, &role)) != NULL; i++)
        if (strcmp(role, "mask") != 0) /* told below */
            gruc_strbuf_format(&reads, "%s%s%s%s", i > 0 ? ", " : "", role, role[0] != 0 ? " " : "",
                               edge->name);
    if (layer->mask != NULL) {
        gruc_strbuf_text(&reads, ", mask ");
        gruc_mask_text(layer->mask, &reads);
    }
    gruc_strbuf_text(out, "<tr><td>");
    gruc_report_escape(out, layer->name);
    gruc_strbuf_format(out, "</td><td>%s</td><td>", gruc_layer_row(layer->kind)->name);
    gruc_report_escape(out, reads.text != NULL ? reads.text : "");
    gruc_strbuf_text(out, "</td>");
    write_edges(model, layer->results, layer->n_results, out);
    gruc_strbuf_format(out, "<td class=\"n\">%" PRIu64 "</td></tr>\n",
                       gruc_model_weight_count(model, layer));
    out->failed |= reads.failed;
    gruc_strbuf_finish(&reads);
}

static void write_model(const struct gruc_report *report, struct gruc_strbuf *out)
{
    const struct gruc_model *model = report->handle->model;
    gruc_strbuf_format(out,
                       "<h2>Model</h2>\n<p>In the rules of Keras %d. B is the batch, T the "
                       "number of steps.</p>\n<div class=\"wide\"><table>\n"
                       "<tr><th>layer</th><th>class</th><th>reads</th><th>gives</th>"
                       "<th class=\"n\">weights</th></tr>\n<tr><td>inputs</td><td></td><td></td>",
                       (int)model->lineage);
    write_edges(model, model->inputs, model->n_inputs, out);
    gruc_strbuf_text(out, "<td></td></tr>\n");
    for (size_t i = 0; i < model->n_layers; i++)
        write_layer(model, model->layers[i], out);
    gruc_strbuf_text(out, "<tr><td>outputs</td><td></td><td></td>");
    write_edges(model, model->outputs, model->n_outputs, out);
    gruc_strbuf_text(out, "<td></td></tr>\n</table></div>\n");
}

/* ---- time by stage ---- */

static void write_stage(const struct gruc_report *report, size_t number, struct gruc_strbuf *out)
{
    const struct gruc_report_stage *stage = &report->stages[number];
    double ns = stage->milliseconds * 1e6, rate = gruc_report_rate(stage);
    double share = report->group > 0 ? 100 * stage->milliseconds / report->group : 0;
    gruc_strbuf_format(out, "<tr><td class=\"n\">%zu</td><td>", number);
    gruc_report_escape(out, stage->layers);
    gruc_strbuf_format(out, "</td><td>%s%s</td>", gruc_report_kind(stage->place.stage),
                       stage->place.is_masked ? ", masked steps" : "");
    gruc_report_cell(out, stage->calls);
    gruc_report_cell(out, stage->calls > 0 ? stage->rows / stage->calls : 0);
    gruc_report_cell(out, stage->calls > 0 ? ns / stage->calls : 0);
    gruc_report_cell(out, ns / (double)report->steps);
    gruc_strbuf_format(out,
                       "<td class=\"n\">%.1f</td><td class=\"share\"><span class=\"bar\" "
                       "style=\"width:%.1f%%\"></span></td>",
                       share, share < 100 ? share : 100);
    gruc_report_cell(out, rate);
    gruc_report_cell(out, ns > 0 ? stage->bytes / ns : 0);
    gruc_report_cell(out, gruc_report_intensity(stage));
    if (rate > 0 && stage->roof != NULL)
        gruc_strbuf_format(out, "<td>%s</td><td class=\"n\">%.0f</td></tr>\n", stage->roof->name,
                           100 * rate / gruc_report_limit(report, stage));
    else
        gruc_strbuf_text(out, "<td></td><td></td></tr>\n");
}

static void write_rest(const struct gruc_report *report, const char *title, double milliseconds,
                       struct gruc_strbuf *out)
{
    gruc_strbuf_format(out, "<tr><td></td><td colspan=\"5\">%s</td>", title);
    gruc_report_cell(out, milliseconds * 1e6 / (double)report->steps);
    gruc_strbuf_text(out, "<td colspan=\"7\"></td></tr>\n");
}

static void write_times(const struct gruc_report *report, struct gruc_strbuf *out)
{
    gruc_strbuf_text(out, "<h2>Time by stage</h2>\n");
    if (report->stages == NULL) {
        gruc_strbuf_text(out, "<p>Not available: this back end makes no code that can read a "
                              "steady clock here.</p>\n");
        return;
    }
    double stages = 0;
    gruc_strbuf_text(out, "<div class=\"wide\"><table>\n<tr><th class=\"n\">no.</th><th>layers</th>"
                          "<th>kind</th><th class=\"n\">calls</th><th class=\"n\">rows a call</th>"
                          "<th class=\"n\">ns a call</th><th class=\"n\">ns a step</th>"
                          "<th class=\"n\">%</th><th></th><th class=\"n\">GFLOP/s</th>"
                          "<th class=\"n\">GB/s</th><th class=\"n\">flop/byte</th><th>roof</th>"
                          "<th class=\"n\">% of it</th></tr>\n");
    for (size_t i = 0; i < report->n_stages; i++) {
        write_stage(report, i, out);
        stages += report->stages[i].milliseconds;
    }
    write_rest(report, "between stages, with the readings of the clock", report->group - stages,
               out);
    write_rest(report, "around the generated code", report->least_profiled - report->group, out);
    write_rest(report, "all of it, one thread", report->least_profiled, out);
    write_rest(report, "without reading the clock, one thread", report->least_alone, out);
    gruc_strbuf_text(out, "</table></div>\n<p>One thread, the fastest sample. Reading the clock "
                          "adds ");
    gruc_report_number(out, report->clock_nanoseconds);
    gruc_strbuf_format(
        out,
        " ns to a call of a stage, which is taken off; with all readings a call of the "
        "module takes %.3f times as long as without. A core begins operations before "
        "earlier ones end, so the times of short stages blur. A stage exceeds its roof where "
        "part of its weights is in a nearer cache, where it adds beside multiplying, "
        "or multiplies integers.</p>\n",
        report->least_profiled / report->least_alone);
}

void gruc_report_page(const struct gruc_report *report, struct gruc_strbuf *out)
{
    const struct gruc_model *model = report->handle->model;
    gruc_strbuf_text(out, "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" "
                          "lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<meta "
                          "name=\"viewport\" content=\"width=device-width\"/>\n<title>");
    gruc_report_escape(out, model->name);
    gruc_strbuf_format(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<h1>", style);
    gruc_report_escape(out, model->name);
    gruc_strbuf_text(out, "</h1>\n<p>");
    gruc_report_escape(out, model->path);
    gruc_strbuf_format(out, ", gruc %s", GRUC_VERSION);
    if (report->resolved.triple != NULL) {
        gruc_strbuf_text(out, ", code for ");
        gruc_report_escape(out, report->resolved.triple);
        gruc_strbuf_text(out, ", ");
        gruc_report_escape(out, report->resolved.cpu);
    }
    gruc_strbuf_text(out, "</p>\n");
    write_figures(report, out);
    write_model(report, out);
    write_times(report, out);
    gruc_report_chart(report, out);
    gruc_report_schedule(report, out);
    gruc_strbuf_text(out, "</body>\n</html>\n");
}

/* SPDX-License-Identifier: MIT */
/* The schedule: groups, stages, what passes between them, and who shares the work. */
#include <inttypes.h>

#include "driver/report.h"

static void write_product(const struct gruc_stage *stage, const struct gruc_product *product,
                          struct gruc_strbuf *out)
{
    uint64_t weights = (uint64_t)product->depth * stage->width * product->n_ops;
    gruc_strbuf_format(out, "%zu of %u by %u, %s, %" PRIu64 " bytes", product->n_ops,
                       (unsigned)product->depth, (unsigned)stage->width,
                       gruc_narrow_name(product->weights),
                       weights * gruc_narrow_bytes(product->weights));
}

/* Numbers of buffers, each once. */
static void write_views(const struct gruc_stage_edge *edges, size_t n_edges,
                        const struct gruc_product *products, size_t n_products,
                        struct gruc_strbuf *out)
{
    const char *separator = "";
    for (size_t i = 0; i < n_products + n_edges; i++) {
        uint32_t buffer =
            i < n_products ? products[i].view.buffer : edges[i - n_products].view.buffer;
        int known = buffer == GRUC_NONE;
        for (size_t k = 0; k < i && !known; k++)
            known = buffer ==
                    (k < n_products ? products[k].view.buffer : edges[k - n_products].view.buffer);
        if (known)
            continue;
        gruc_strbuf_format(out, "%sb%u", separator, (unsigned)buffer);
        separator = " ";
    }
}

static void write_stage(const struct gruc_report *report, const struct gruc_stage *stage,
                        int is_masked, struct gruc_strbuf *out)
{
    struct gruc_stage_work work;
    gruc_schedule_work(report->schedule, stage, &work);
    gruc_strbuf_format(
        out, "<tr><td class=\"n\">%zu</td><td>%s%s%s</td><td class=\"n\">%u</td><td>",
        gruc_schedule_number(report->schedule, stage), gruc_report_kind(stage),
        is_masked ? ", masked steps" : "",
        stage->valid_only != GRUC_NONE ? ", valid steps only" : "", (unsigned)stage->width);
    for (size_t i = 0; i < stage->n_products; i++) {
        gruc_strbuf_text(out, i > 0 ? "; " : "");
        write_product(stage, &stage->products[i], out);
    }
    gruc_strbuf_format(out,
                       "</td><td class=\"n\">%zu</td><td class=\"n\">%" PRIu64
                       "</td><td class=\"n\">%" PRIu64 "</td><td>",
                       stage->n_ops, work.row_flops, work.row_bytes);
    write_views(stage->loads, stage->n_loads, stage->products, stage->n_products, out);
    gruc_strbuf_text(out, "</td><td>");
    write_views(stage->stores, stage->n_stores, NULL, 0, out);
    gruc_strbuf_text(out, "</td></tr>\n");
}

static void write_scan(const struct gruc_report *report, const struct gruc_stage *scan,
                       struct gruc_strbuf *out)
{
    gruc_strbuf_format(out, "<tr><td></td><td colspan=\"8\">scan of %u units, %zu carried: ",
                       (unsigned)scan->width, scan->n_carries);
    for (size_t i = 0; i < scan->n_carries; i++)
        gruc_strbuf_format(out, "%sb%u", i > 0 ? " " : "", (unsigned)scan->carries[i].buffer);
    gruc_strbuf_text(out, scan->body->n_stages == 0 ? "; its steps are part of the scan before"
                          : scan->companion == GRUC_NONE
                              ? "; each step:"
                              : "; each step, in whose time, of a single row, are also the "
                                "products of the next tile&#8217;s input:");
    gruc_strbuf_text(out, "</td></tr>\n");
    for (size_t i = 0; i < scan->body->n_stages; i++)
        write_stage(report, &scan->body->stages[i], 0, out);
    for (size_t i = 0; scan->masked != NULL && i < scan->masked->n_stages; i++)
        write_stage(report, &scan->masked->stages[i], 1, out);
}

static void write_group(const struct gruc_report *report, const struct gruc_group *group,
                        struct gruc_strbuf *out)
{
    gruc_strbuf_text(out, "<tr><th class=\"group\" colspan=\"9\">");
    if (!group->is_sweep) {
        gruc_strbuf_text(out, "once a call");
    } else if (group->steps.symbol < 0) {
        gruc_strbuf_format(out, "over %u steps", (unsigned)group->steps.factor);
    } else {
        gruc_strbuf_text(out, "over the steps of ");
        gruc_report_escape(out, report->schedule->ir->symbols[group->steps.symbol].name);
    }
    gruc_strbuf_text(out, "</th></tr>\n");
    for (size_t i = 0; i < group->n_stages; i++) {
        if (group->stages[i].kind == GRUC_STAGE_SCAN)
            write_scan(report, &group->stages[i], out);
        else
            write_stage(report, &group->stages[i], 0, out);
    }
}

static void write_buffer(const struct gruc_schedule *schedule, size_t number,
                         struct gruc_strbuf *out)
{
    static const char *const places[] = {
        [GRUC_STORE_INPUT] = "input ",         [GRUC_STORE_OUTPUT] = "output ",
        [GRUC_STORE_TILE] = "a tile of steps", [GRUC_STORE_SEQUENCE] = "all steps",
        [GRUC_STORE_ROW] = "one a row",        [GRUC_STORE_CARRY] = "two a row, in turn",
    };
    static const char *const types[] = {
        [GRUC_FLOAT32] = "float32", [GRUC_INT32] = "int32", [GRUC_BOOL] = "bool"};
    const struct gruc_buffer *buffer = &schedule->buffers[number];
    gruc_strbuf_format(out, "<tr><td>b%zu</td><td>%s", number, places[buffer->storage]);
    if (buffer->storage == GRUC_STORE_INPUT)
        gruc_report_escape(out, schedule->ir->inputs[buffer->port].name);
    else if (buffer->storage == GRUC_STORE_OUTPUT)
        gruc_report_escape(out, schedule->ir->outputs[buffer->port].name);
    gruc_strbuf_format(out, "</td><td>%s</td><td class=\"n\">%u</td></tr>\n", types[buffer->dtype],
                       (unsigned)buffer->width);
}

static void write_buffers(const struct gruc_report *report, struct gruc_strbuf *out)
{
    const struct gruc_module_info *info = report->info;
    gruc_strbuf_text(out,
                     "<h2>Buffers</h2>\n<div class=\"wide\"><table>\n<tr><th></th><th>holds</th>"
                     "<th>type</th><th class=\"n\">numbers</th></tr>\n");
    for (size_t i = 0; i < report->schedule->n_buffers; i++)
        write_buffer(report->schedule, i, out);
    gruc_strbuf_format(out,
                       "</table></div>\n<p>The workspace has %" PRIu64 " bytes, %" PRIu64
                       " for each of up to %" PRIu64
                       " rows that are computed together, and %" PRIu64 " for each of the %" PRIu64
                       " rows of a tile, of all steps in it",
                       info->workspace_fixed, info->workspace_row, info->row_group,
                       info->workspace_tile, info->tile_rows);
    for (uint32_t i = 0; i < info->n_steps; i++)
        if (info->workspace_row_step[i] != 0)
            gruc_strbuf_format(out, "; %" PRIu64 " bytes a row and step",
                               info->workspace_row_step[i]);
    gruc_strbuf_format(out, ": %" PRIu64 " bytes for this call.</p>\n", report->workspace_bytes);
}

static void write_threads(const struct gruc_report *report, struct gruc_strbuf *out)
{
    const struct gruc_module_info *info = report->info;
    gruc_strbuf_text(out, "<h2>Threads</h2>\n<p class=\"lines\">");
    gruc_report_escape(out, report->sharing);
    gruc_strbuf_format(out,
                       "</p>\n<p>Cycles are estimates. Up to %" PRIu64 " threads compute the same "
                       "rows where they have few; ",
                       info->unit_threads);
    gruc_strbuf_text(out, info->flags & GRUC_MODULE_COUPLED
                              ? "the rows of a batch depend on each other and stay together."
                              : "the rows of a larger batch are divided among them.");
    gruc_strbuf_text(out, " Calls with little work wake fewer threads than they may.</p>\n");
}

void gruc_report_schedule(const struct gruc_report *report, struct gruc_strbuf *out)
{
    gruc_strbuf_text(out, "<h2>Schedule</h2>\n");
    if (report->schedule == NULL) {
        gruc_strbuf_text(out, "<p>This back end computes one operation after the other.</p>\n");
        return;
    }
    gruc_strbuf_text(out, "<div class=\"wide\"><table>\n<tr><th class=\"n\">no.</th><th>kind</th>"
                          "<th class=\"n\">units</th><th>products</th><th class=\"n\">IR ops</th>"
                          "<th class=\"n\">flop a row</th><th class=\"n\">bytes a row</th>"
                          "<th>reads</th><th>writes</th></tr>\n");
    for (size_t g = 0; g < report->schedule->n_groups; g++)
        write_group(report, &report->schedule->groups[g], out);
    gruc_strbuf_text(out, "</table></div>\n");
    write_buffers(report, out);
    write_threads(report, out);
}

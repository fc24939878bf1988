/* SPDX-License-Identifier: MIT */
/* The roofline: how fast stages compute against how much they compute for each byte, both axes
 * logarithmic, under what the core and its memories allow. */
#include <math.h>
#include <string.h>

#include "driver/report.h"

enum {
    WIDTH = 860,
    HEIGHT = 460,
    LEFT = 56,
    RIGHT = 20,
    TOP = 16,
    BOTTOM = 46,
    LINE = 14,       /* of text */
    PEAK_NAME = 180, /* room for that of the highest roof */
    ROOF_NAME = 95,  /* for that of another */
};
static const double letter_width = 6.4;

struct box {
    double left, top, right, bottom;
};

struct chart {
    const struct gruc_report *report;
    struct gruc_strbuf *out;
    double x_first, x_last, y_first, y_last; /* powers of ten */
    struct box *taken;                       /* by labels and dots */
    size_t n_taken;
};

static double x_of(const struct chart *chart, double intensity)
{
    double part = (log10(intensity) - chart->x_first) / (chart->x_last - chart->x_first);
    return LEFT + part * (WIDTH - LEFT - RIGHT);
}

static double y_of(const struct chart *chart, double rate)
{
    double part = (log10(rate) - chart->y_first) / (chart->y_last - chart->y_first);
    return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM);
}

static int is_plotted(const struct gruc_report_stage *stage)
{
    return gruc_report_rate(stage) > 0 && gruc_report_intensity(stage) > 0;
}

/* Makes room for value, and some beyond it. */
static void widen(double value, double *first, double *last)
{
    static const double room = 0.35;
    double power = log10(value);
    if (power - room < *first)
        *first = power - room;
    if (power + room > *last)
        *last = power + room;
}

static void choose_axes(struct chart *chart)
{
    const struct gruc_report *report = chart->report;
    chart->x_first = chart->y_last = -1;
    chart->x_last = chart->y_first = 1;
    widen(report->roofline.gigaflops, &chart->y_first, &chart->y_last);
    for (size_t i = 0; i < GRUC_ROOFLINE_LEVELS; i++)
        if (report->roofline.levels[i].gigabytes > 0)
            widen(report->roofline.gigaflops / report->roofline.levels[i].gigabytes,
                  &chart->x_first, &chart->x_last);
    for (size_t i = 0; report->stages != NULL && i < report->n_stages; i++) {
        if (!is_plotted(&report->stages[i]))
            continue;
        widen(gruc_report_intensity(&report->stages[i]), &chart->x_first, &chart->x_last);
        widen(gruc_report_rate(&report->stages[i]), &chart->y_first, &chart->y_last);
    }
}

static void write_axes(struct chart *chart)
{
    struct gruc_strbuf *out = chart->out;
    for (int power = (int)ceil(chart->x_first); power <= chart->x_last; power++) {
        double x = x_of(chart, pow(10, power));
        gruc_strbuf_format(out,
                           "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>"
                           "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n",
                           x, TOP, x, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 17, pow(10, power));
    }
    for (int power = (int)ceil(chart->y_first); power <= chart->y_last; power++) {
        double y = y_of(chart, pow(10, power));
        gruc_strbuf_format(out,
                           "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>"
                           "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
                           LEFT, y, WIDTH - RIGHT, y, LEFT - 8, y + 4, pow(10, power));
    }
    gruc_strbuf_format(out,
                       "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">operations a byte (flop/byte)"
                       "</text>\n<text x=\"%d\" y=\"%d\">GFLOP/s</text>\n",
                       WIDTH - RIGHT, HEIGHT - 8, LEFT + 6, TOP + 10);
}

/* A line of one slope up to where multiplying takes over, its name along it, beside that of the
 * line before, as lines may be close. */
static void write_roof(struct chart *chart, size_t level)
{
    const struct gruc_roof *roof = &chart->report->roofline.levels[level];
    double peak = chart->report->roofline.gigaflops;
    double least_x = pow(10, chart->x_first), least_y = pow(10, chart->y_first);
    double from = least_y / roof->gigabytes > least_x ? least_y / roof->gigabytes : least_x;
    double ridge = peak / roof->gigabytes;
    double x1 = x_of(chart, from), y1 = y_of(chart, from * roof->gigabytes);
    double x2 = x_of(chart, ridge), y2 = y_of(chart, peak);
    double angle = atan2(y2 - y1, x2 - x1) * 180 / acos(-1);
    gruc_strbuf_format(chart->out,
                       "<line class=\"roof\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" "
                       "y2=\"%.1f\"/>\n<text transform=\"translate(%.1f %.1f) "
                       "rotate(%.1f)\" x=\"%d\" y=\"%d\">%s, %.0f GB/s</text>\n",
                       x1, y1, x2, y2, x1, y1, angle, 14 + (int)level % 2 * ROOF_NAME, -5,
                       roof->name, roof->gigabytes);
}

static void write_peak(struct chart *chart)
{
    const struct gruc_roofline *roofline = &chart->report->roofline;
    double fastest = 0;
    for (size_t i = 0; i < GRUC_ROOFLINE_LEVELS; i++)
        fastest = roofline->levels[i].gigabytes > fastest ? roofline->levels[i].gigabytes : fastest;
    double y = y_of(chart, roofline->gigaflops);
    chart->taken[chart->n_taken++] =
        (struct box){WIDTH - RIGHT - 4 - PEAK_NAME, y - 6 - LINE, WIDTH - RIGHT, y - 2};
    double x = x_of(chart, fastest > 0 ? roofline->gigaflops / fastest : pow(10, chart->x_first));
    gruc_strbuf_format(chart->out,
                       "<line class=\"roof\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%d\" "
                       "y2=\"%.1f\"/>\n<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">"
                       "multiply-adds, %.0f GFLOP/s</text>\n",
                       x, y, WIDTH - RIGHT, y, WIDTH - RIGHT - 4, y - 6, roofline->gigaflops);
}

/* ---- dots ---- */

/* The area grows with the part of the time. */
static double radius_of(const struct gruc_report *report, const struct gruc_report_stage *stage)
{
    double part = report->group > 0 ? stage->milliseconds / report->group : 0;
    return 3.5 + 9 * sqrt(part < 1 ? part : 1);
}

static int is_free(const struct chart *chart, const struct box *box)
{
    if (box->left < LEFT || box->right > WIDTH - RIGHT || box->top < TOP ||
        box->bottom > HEIGHT - BOTTOM)
        return 0;
    for (size_t i = 0; i < chart->n_taken; i++) {
        const struct box *other = &chart->taken[i];
        if (box->left < other->right && other->left < box->right && box->top < other->bottom &&
            other->top < box->bottom)
            return 0;
    }
    return 1;
}

/* The first free place from the dot outwards; beside the dot when there is none. */
static struct box place_label(const struct chart *chart, double x, double y, double away,
                              double width)
{
    struct box box;
    for (int ring = 0; ring < 12; ring++) {
        for (int side = 0; side < 4; side++) {
            double left = side & 1 ? x - away - width : x + away;
            double top = y - LINE / 2 + (side & 2 ? ring : -ring) * (LINE - 1.0);
            box = (struct box){left, top, left + width, top + LINE};
            if (is_free(chart, &box))
                return box;
        }
    }
    return (struct box){x + away, y - LINE / 2, x + away + width, y + LINE / 2};
}

static void write_label(struct chart *chart, size_t number)
{
    const struct gruc_report_stage *stage = &chart->report->stages[number];
    struct gruc_strbuf text;
    gruc_strbuf_init(&text);
    gruc_strbuf_format(&text, "%zu %s", number, stage->layers);
    double x = x_of(chart, gruc_report_intensity(stage)), y = y_of(chart, gruc_report_rate(stage));
    struct box box = place_label(chart, x, y, radius_of(chart->report, stage) + 3,
                                 letter_width * (double)text.length);
    chart->taken[chart->n_taken++] = box;
    double near = box.left > x ? box.left - 2 : box.right + 2, middle = box.top + LINE / 2;
    if (fabs(middle - y) > LINE)
        gruc_strbuf_format(chart->out,
                           "<line class=\"leader\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" "
                           "y2=\"%.1f\"/>\n",
                           x, y, near, middle);
    gruc_strbuf_format(chart->out, "<text class=\"name\" x=\"%.1f\" y=\"%.1f\">", box.left,
                       box.bottom - 3);
    gruc_report_escape(chart->out, text.text != NULL ? text.text : "");
    gruc_strbuf_text(chart->out, "</text>\n");
    chart->out->failed |= text.failed;
    gruc_strbuf_finish(&text);
}

static void write_dot(const struct chart *chart, size_t number)
{
    const struct gruc_report_stage *stage = &chart->report->stages[number];
    gruc_strbuf_format(chart->out,
                       "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"><title>"
                       "%zu ",
                       x_of(chart, gruc_report_intensity(stage)),
                       y_of(chart, gruc_report_rate(stage)), radius_of(chart->report, stage),
                       number);
    gruc_report_escape(chart->out, stage->layers);
    gruc_strbuf_format(chart->out, ": %.2f flop/byte, %.1f GFLOP/s</title></circle>\n",
                       gruc_report_intensity(stage), gruc_report_rate(stage));
}

static void write_dots(struct chart *chart)
{
    const struct gruc_report *report = chart->report;
    if (report->stages == NULL)
        return;
    for (size_t i = 0; i < report->n_stages; i++) {
        if (!is_plotted(&report->stages[i]))
            continue;
        double x = x_of(chart, gruc_report_intensity(&report->stages[i]));
        double y = y_of(chart, gruc_report_rate(&report->stages[i]));
        double r = radius_of(report, &report->stages[i]);
        chart->taken[chart->n_taken++] = (struct box){x - r, y - r, x + r, y + r};
    }
    for (size_t i = 0; i < report->n_stages; i++)
        if (is_plotted(&report->stages[i]))
            write_label(chart, i);
    for (size_t i = 0; i < report->n_stages; i++)
        if (is_plotted(&report->stages[i]))
            write_dot(chart, i);
}

static void write_roofs(const struct gruc_roofline *roofline, struct gruc_strbuf *out)
{
    gruc_strbuf_text(out,
                     "<div class=\"wide\"><table>\n<tr><th>memory</th><th class=\"n\">bytes</th>"
                     "<th class=\"n\">read, GB/s</th></tr>\n");
    for (size_t i = 0; i < GRUC_ROOFLINE_LEVELS; i++) {
        const struct gruc_roof *roof = &roofline->levels[i];
        if (roof->gigabytes == 0)
            continue;
        gruc_strbuf_format(out, "<tr><td>%s</td><td class=\"n\">", roof->name);
        if (roof->bytes > 0)
            gruc_strbuf_format(out, "%zu", roof->bytes);
        gruc_strbuf_format(out, "</td><td class=\"n\">%.1f</td></tr>\n", roof->gigabytes);
    }
    gruc_strbuf_text(out, "</table></div>\n");
}

void gruc_report_chart(const struct gruc_report *report, struct gruc_strbuf *out)
{
    struct gruc_arena arena;
    struct chart chart = {.report = report, .out = out};
    gruc_arena_init(&arena);
    chart.taken = GRUC_NEW_ARRAY(&arena, struct box, 2 * report->n_stages + 1);
    if (chart.taken == NULL) {
        out->failed = 1;
        return;
    }
    choose_axes(&chart);
    gruc_strbuf_text(out, "<h2>Roofline</h2>\n<p>The lines are what one thread of this machine "
                          "reached just now. ");
    if (report->stages != NULL)
        gruc_strbuf_text(out, "A dot is a stage: how many operations it does for each byte that it "
                              "reads or writes, and how many in a second; the larger, the more "
                              "time it takes. A step that waits for its "
                              "own chain of operations stays below the lines.");
    gruc_strbuf_format(out,
                       "</p>\n<div class=\"wide\"><svg xmlns=\"http://www.w3.org/2000/svg\" "
                       "role=\"img\" aria-label=\"roofline\" width=\"%d\" height=\"%d\" "
                       "viewBox=\"0 0 %d %d\">\n",
                       WIDTH, HEIGHT, WIDTH, HEIGHT);
    write_axes(&chart);
    for (size_t i = 0; i < GRUC_ROOFLINE_LEVELS; i++)
        if (report->roofline.levels[i].gigabytes > 0)
            write_roof(&chart, i);
    write_peak(&chart);
    write_dots(&chart);
    gruc_strbuf_text(out, "</svg></div>\n");
    write_roofs(&report->roofline, out);
    gruc_arena_finish(&arena);
}

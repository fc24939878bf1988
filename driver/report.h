/* SPDX-License-Identifier: MIT */
#ifndef GRUC_DRIVER_REPORT_H
#define GRUC_DRIVER_REPORT_H

/* What `gruc report` found out, and how it is told. */

#include "codegen/backend.h"
#include "driver/measure.h"
#include "driver/roofline.h"
#include "ir/schedule/walk.h"

/* A stage of the schedule in one call of the module, by one thread. */
struct gruc_report_stage {
    struct gruc_schedule_place place;
    const char *layers;  /* names of those it computes a part of */
    double milliseconds; /* without what reading the clock takes */
    double calls, rows;
    double flops, bytes;
    const struct gruc_roof *roof; /* where its weights fit; NULL: unknown */
};

/* Milliseconds are those of a call. */
struct gruc_report {
    const struct gruc_cli *cli;
    struct gruc_model_handle *handle;
    struct gruc_arena arena;
    struct gruc_resolved resolved;
    const struct gruc_module_info *info;
    const struct gruc_schedule *schedule; /* NULL: the back end has none */
    const char *sharing;                  /* how threads share its work */
    struct gruc_roofline roofline;
    uint64_t batch, steps, workspace_bytes;
    unsigned threads;
    double compile_milliseconds;
    double median, least; /* as asked for */
    double least_alone;   /* one thread */
    size_t n_samples;
    struct gruc_report_stage *stages; /* by number; NULL: no times */
    size_t n_stages;
    double least_profiled, group; /* one thread with the clock read, and its part in the code */
    double clock_nanoseconds;     /* that its readings add to a call of a stage */
};

/* report_measure.c. Failures are told. Finish in any case. */
enum gruc_status gruc_report_make(const struct gruc_cli *cli, struct gruc_report *out);
void gruc_report_finish(struct gruc_report *report);

/* ---- report_stages.c ---- */
/* What the fastest sample of profiled code added up, see codegen/profile.h. */
struct gruc_profile {
    const uint64_t *numbers;
    unsigned calls; /* of the module in the sample */
    double least;   /* milliseconds of one */
    double tick;    /* milliseconds of the code's clock */
};
enum gruc_status gruc_report_fill_stages(struct gruc_report *report,
                                         const struct gruc_profile *profile);
/* Floating-point operations of a byte; those in a nanosecond; the most that the roof allows. */
double gruc_report_intensity(const struct gruc_report_stage *stage);
double gruc_report_rate(const struct gruc_report_stage *stage);
double gruc_report_limit(const struct gruc_report *report, const struct gruc_report_stage *stage);
/* "reduce", "embed", ... */
const char *gruc_report_kind(const struct gruc_stage *stage);

/* One JSON object on a line. */
void gruc_report_json(const struct gruc_report *report, struct gruc_strbuf *out);
/* An HTML page that is well-formed XML and needs nothing else. */
void gruc_report_page(const struct gruc_report *report, struct gruc_strbuf *out);

/* ---- parts of the page: report_schedule.c, report_chart.c ---- */
void gruc_report_schedule(const struct gruc_report *report, struct gruc_strbuf *out);
void gruc_report_chart(const struct gruc_report *report, struct gruc_strbuf *out);
/* Text of others, safe in elements and attributes. */
void gruc_report_escape(struct gruc_strbuf *out, const char *text);
/* Three significant digits at least, never an exponent. */
void gruc_report_number(struct gruc_strbuf *out, double value);
/* A table cell with that in it. */
void gruc_report_cell(struct gruc_strbuf *out, double value);

#endif

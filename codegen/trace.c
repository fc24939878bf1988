/* SPDX-License-Identifier: MIT */
#include "codegen/trace.h"

#include <string.h>

#include "ir/base/strbuf.h"

struct observer {
    const struct gruc_trace *trace;
    enum gruc_status status;
};

enum gruc_status gruc_trace_dump(const struct gruc_trace *trace, const char *pass,
                                 const struct gruc_ir *ir)
{
    if (trace->dump == NULL || trace->dump_after == NULL ||
        (strcmp(trace->dump_after, "all") != 0 && strcmp(trace->dump_after, pass) != 0))
        return GRUC_OK;
    struct gruc_strbuf text;
    gruc_strbuf_init(&text);
    enum gruc_status status = gruc_ir_print_text(ir, &text);
    if (status == GRUC_OK)
        trace->dump(trace->dump_context, pass, text.text);
    gruc_strbuf_finish(&text);
    return status;
}

static void observe(void *context, enum gruc_pass_id pass, double milliseconds,
                    const struct gruc_ir *ir)
{
    struct observer *observer = context;
    const struct gruc_trace *trace = observer->trace;
    const char *name = gruc_pass_name(pass);
    if (trace->time_pass != NULL)
        trace->time_pass(trace->time_context, name, milliseconds);
    if (observer->status == GRUC_OK)
        observer->status = gruc_trace_dump(trace, name, ir);
}

enum gruc_status gruc_trace_passes(struct gruc_ir *ir, enum gruc_pass_id last,
                                   const struct gruc_pass_options *options,
                                   const struct gruc_trace *trace, struct gruc_diag *diag)
{
    struct observer observer = {trace, GRUC_OK};
    GRUC_TRY(gruc_passes_run(ir, last, options, trace == NULL ? NULL : observe, &observer, diag));
    return observer.status;
}

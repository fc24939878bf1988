/* SPDX-License-Identifier: MIT */
#include "ir/passes/passes.h"

#include <time.h>

typedef enum gruc_status (*pass_function)(struct gruc_ir *ir,
                                          const struct gruc_pass_options *options,
                                          struct gruc_diag *diag);

static const struct {
    const char *name, *help;
    pass_function run;
} table[GRUC_PASS_COUNT] = {
#define GRUC_PASS(name, text, help) {text, help, gruc_pass_##name},
#include "ir/passes/passes.def"
#undef GRUC_PASS
};

const char *gruc_pass_name(enum gruc_pass_id pass)
{
    return table[pass].name;
}

const char *gruc_pass_help(enum gruc_pass_id pass)
{
    return table[pass].help;
}

enum gruc_status gruc_passes_read_tensors(struct gruc_ir *ir, struct gruc_diag *diag)
{
    for (size_t i = 0; i < ir->regions[0].n_ops; i++) {
        enum gruc_opcode code = ir->ops[ir->regions[0].ops[i]].code;
        if (code == GRUC_OP_BATCH_NORM || gruc_opcode_reads_ids(code))
            return gruc_ir_read_tensors(ir, diag);
    }
    return GRUC_OK;
}

static double now_milliseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

enum gruc_status gruc_passes_run(struct gruc_ir *ir, enum gruc_pass_id last,
                                 const struct gruc_pass_options *options,
                                 gruc_pass_observer observer, void *context,
                                 struct gruc_diag *diag)
{
    for (unsigned i = 0; i <= (unsigned)last; i++) {
        double start = now_milliseconds();
        GRUC_TRY(table[i].run(ir, options, diag));
        GRUC_TRY(gruc_ir_verify(ir, table[i].name, diag));
        if (observer != NULL)
            observer(context, (enum gruc_pass_id)i, now_milliseconds() - start, ir);
    }
    return GRUC_OK;
}

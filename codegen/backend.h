/* SPDX-License-Identifier: MIT */
#ifndef GRUC_CODEGEN_BACKEND_H
#define GRUC_CODEGEN_BACKEND_H

/* What a back end is. It takes verified IR on which the passes it asks for have run, and makes
 * code: bytes for files, or a run function in this process. */

#include <gruc/abi.h>

#include "ir/base/strbuf.h"
#include "ir/expr.h"
#include "ir/ir.h"
#include "ir/narrow.h"
#include "ir/schedule/schedule.h"

/* How a back end cuts its loops, which changes no bit of a result. 0: as it estimates; what the
 * target has no room for is as if it were 0. */
struct gruc_blocking {
    unsigned row_vectors; /* vectors of units of a block of one row */
    unsigned rows;        /* of a block of several rows, a power of two */
    unsigned vectors;     /* vectors of units of such a block */
    unsigned tile_rows;   /* rows of a tile of steps */
};

struct gruc_target {
    const char *triple;   /* NULL: this machine */
    const char *cpu;      /* NULL or "native" */
    const char *features; /* NULL: none */
    int optimization;     /* 0 to 3 */
    enum gruc_accuracy accuracy;
    enum gruc_weights weights; /* type that products are to store them in */
    struct gruc_blocking blocking;
    uint64_t *profile; /* of jit only: where the code adds up times, see profile.h; NULL: none */
};

enum gruc_artifact {
    GRUC_ARTIFACT_OBJECT,  /* with the named C entry points */
    GRUC_ARTIFACT_ENTRY,   /* the same plus GRUC_ENTRY_DESCRIBE and GRUC_ENTRY_RUN */
    GRUC_ARTIFACT_ASM,
    GRUC_ARTIFACT_LLVM_IR,
    GRUC_ARTIFACT_COUNT
};

/* Code in this process; it needs neither the IR nor its arena any more. info and context live until
 * release(context). */
struct gruc_jit_code {
    const struct gruc_module_info *info;
    int (*run)(void *context, const struct gruc_args *args);
    void (*release)(void *context);
    void *context;
    uint64_t digest; /* of the code without its weights; 0: unknown */
};

/* Observers of a compilation; any may be NULL. */
struct gruc_trace {
    const char *dump_after; /* pass name or "all" */
    void (*dump)(void *context, const char *pass, const char *text);
    void *dump_context;
    void (*time_pass)(void *context, const char *phase, double milliseconds);
    void *time_context;
};

/* What code will be made from. */
struct gruc_plan {
    const struct gruc_schedule *schedule; /* all in ir's arena */
    const struct gruc_module_info *info;
    const char *threads; /* how they share the work, a line each */
};

/* What a C header says of the code that emit makes for the same IR and target. */
struct gruc_facts {
    const struct gruc_module_info *info; /* in ir's arena */
    uint64_t stack_bytes; /* bound on what any function of the module puts on the stack */
};

struct gruc_resolved {
    const char *triple, *cpu, *features;
};

struct gruc_backend {
    const char *name;
    const char *help;
    /* NULL when it can take the model on this machine, else why not (static, or in ir's arena). */
    const char *(*refuses)(const struct gruc_ir *ir, const struct gruc_target *target);
    enum gruc_status (*jit)(struct gruc_ir *ir, const struct gruc_target *target,
                            const struct gruc_trace *trace, struct gruc_diag *diag,
                            struct gruc_jit_code *out);
    /* NULL: makes no files. extra: the JSON text of NAME_info. */
    enum gruc_status (*emit)(struct gruc_ir *ir, const struct gruc_target *target,
                             enum gruc_artifact artifact, const char *extra,
                             const struct gruc_trace *trace, struct gruc_diag *diag,
                             struct gruc_strbuf *out);
    /* The schedule in words for `inspect`, NULL: has none. */
    enum gruc_status (*describe)(struct gruc_ir *ir, const struct gruc_target *target,
                                 struct gruc_diag *diag, struct gruc_strbuf *out);
    /* The same for programs, NULL: has none. */
    enum gruc_status (*plan)(struct gruc_ir *ir, const struct gruc_target *target,
                             struct gruc_diag *diag, struct gruc_plan *out);
    /* NULL: makes no files. */
    enum gruc_status (*facts)(struct gruc_ir *ir, const struct gruc_target *target,
                              struct gruc_diag *diag, struct gruc_facts *out);
    /* What it makes code for, one a line, this machine first; NULL: this machine only. */
    enum gruc_status (*targets)(struct gruc_strbuf *out);
    /* The triple, processor and its features that code for target is for, in arena; NULL: makes no
     * files. */
    enum gruc_status (*resolve)(const struct gruc_target *target, struct gruc_arena *arena,
                                struct gruc_diag *diag, struct gruc_resolved *out);
};

extern const struct gruc_backend gruc_backend_cpu; /* only in builds with LLVM */
extern const struct gruc_backend gruc_backend_cuda;
extern const struct gruc_backend gruc_backend_cudnn;
extern const struct gruc_backend gruc_backend_ref;

/* All back ends of this build in the order `auto` tries them; NULL-ended. */
const struct gruc_backend *const *gruc_backends(void);
const struct gruc_backend *gruc_backend_find(const char *name);

#endif

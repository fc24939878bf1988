/* SPDX-License-Identifier: MIT */
#ifndef GRUC_CODEGEN_CPU_MODULE_H
#define GRUC_CODEGEN_CPU_MODULE_H

/* Private to codegen/cpu: one compilation, from IR to a file's bytes. */

#include "codegen/cpu/emitter.h"

struct cpu_module {
    struct cpu_target target;
    struct cpu_emitter emitter;
    struct gruc_module_info *info; /* in ir's arena */
};

enum cpu_weights { CPU_WEIGHTS_INSIDE, CPU_WEIGHTS_OUTSIDE };

/* Opens the target, runs passes, schedules and fills info, and step for what NAME_step runs (NULL:
 * not wanted). Finish in any case. */
enum gruc_status cpu_module_plan(struct cpu_module *m, struct gruc_ir *ir,
                                 const struct gruc_target *target, const struct gruc_trace *trace,
                                 struct gruc_diag *diag, struct cpu_variant *step);
/* Plans, emits and optimizes. With CPU_WEIGHTS_OUTSIDE the packed weights stay in
 * emitter.blob and the code refers to a symbol for them. extra NULL: no C entries. Finish in any
 * case. */
enum gruc_status cpu_module_build(struct cpu_module *m, struct gruc_ir *ir,
                                  const struct gruc_target *target, enum cpu_weights weights,
                                  const char *extra, int with_entry,
                                  const struct gruc_trace *trace, struct gruc_diag *diag);
void cpu_module_finish(struct cpu_module *m);

/* Machine code or assembly; the caller disposes of *out. */
enum gruc_status cpu_module_generate(struct cpu_module *m, LLVMCodeGenFileType type,
                                     const struct gruc_trace *trace, struct gruc_diag *diag,
                                     LLVMMemoryBufferRef *out);

/* Threads that wait for machine code to be generated, one for each other processor: begun early,
 * as a new thread may wait for a processor for milliseconds. NULL: there are none. */
struct cpu_crew;
struct cpu_crew *cpu_crew_begin(void);
void cpu_crew_end(struct cpu_crew *crew); /* NULL is fine */

/* The same with a crew's help, once: an object of each part, which name each other's functions.
 * Finish in any case. */
enum { CPU_MOST_OBJECTS = 8 };
struct cpu_objects {
    LLVMMemoryBufferRef objects[CPU_MOST_OBJECTS];
    size_t count;
};
enum gruc_status cpu_module_generate_objects(struct cpu_module *m, struct cpu_crew *crew,
                                             const struct gruc_trace *trace,
                                             struct gruc_diag *diag, struct cpu_objects *out);
void cpu_objects_finish(struct cpu_objects *objects);

/* Milliseconds of a monotonic clock; tells trace how long phase took since start. */
double cpu_clock(void);
void cpu_trace_time(const struct gruc_trace *trace, const char *phase, double start);

#define CPU_WEIGHTS_SYMBOL "gruc_weights"
#define CPU_RUN_SYMBOL "gruc_run"

enum gruc_status cpu_jit(struct gruc_ir *ir, const struct gruc_target *target,
                         const struct gruc_trace *trace, struct gruc_diag *diag,
                         struct gruc_jit_code *out);
enum gruc_status cpu_facts(struct gruc_ir *ir, const struct gruc_target *target,
                           struct gruc_diag *diag, struct gruc_facts *out);
enum gruc_status cpu_targets(struct gruc_strbuf *out);
enum gruc_status cpu_resolve(const struct gruc_target *target, struct gruc_arena *arena,
                             struct gruc_diag *diag, struct gruc_resolved *out);

#endif

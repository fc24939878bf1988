/* SPDX-License-Identifier: MIT */
#ifndef GRUC_CODEGEN_CPU_EMITTER_H
#define GRUC_CODEGEN_CPU_EMITTER_H

/* Private to codegen/cpu. v_ names LLVM values, b_ blocks, t_ types. */

#include "codegen/cpu/blob.h"
#include "codegen/cpu/build.h"
#include "codegen/cpu/target.h"
#include "ir/schedule/schedule.h"

/* What can be counted on of the caches, the third of which many share. */
enum { CPU_FIRST_BYTES = 28 << 10, CPU_SECOND_BYTES = 384 << 10, CPU_THIRD_BYTES = 8 << 20 };

/* Whether one row after another reads so many bytes of a step's weights from a near cache. */
static inline int cpu_is_near(uint64_t bytes)
{
    return bytes < CPU_SECOND_BYTES;
}

/* Rows of a block where registers have room for them and no measurement says otherwise. */
enum { CPU_BLOCK_ROWS = 4 };

enum { CPU_MAX_EDGES = 64, CPU_MAX_PIECES = 256, CPU_VECTOR_PAD = 16 };

/* Some rows of a tensor that is in its file only, for the weights that begin at one of its rows. */
enum { CPU_WINDOWS = 16 };
struct cpu_window {
    const struct gruc_tensor *tensor; /* NULL: none yet */
    size_t begin;                     /* row of the tensor */
    size_t first, count, capacity;    /* rows held, and numbers that there is room for */
    float *rows;
};

struct cpu_emitter {
    struct gruc_ir *ir;
    struct gruc_schedule *schedule;
    struct gruc_module_info *info;
    const struct cpu_target *target;
    struct gruc_arena *arena;
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef builder;
    LLVMTypeRef t_float, t_i1, t_i8, t_i32, t_i64, t_ptr, t_void;
    LLVMValueRef function;  /* being emitted */
    LLVMValueRef v_weights; /* address of the packed weights in it */
    LLVMValueRef v_blob;    /* the global */
    struct cpu_blob blob;
    struct cpu_window windows[CPU_WINDOWS];
    unsigned next_window;   /* to be used for another tensor */
    const struct gruc_tensor *unreadable; /* why it failed; NULL: for another reason */
    uint32_t *local;        /* by value: index among the values of the stage being emitted */
    unsigned n_stages, n_scans; /* for names */
    int has_shared;         /* functions that may be equal */
    int one_step;           /* emitting what NAME_step runs: one row, one step, in one function */
    uint64_t *profile;      /* where the code adds up times; NULL: it does not */
    int failed;
};

/* A module after its passes. NAME_step has one of its own, in which no product leaves the step. */
struct cpu_variant {
    struct gruc_ir *ir;
    struct gruc_schedule *schedule;
    struct gruc_module_info *info;
};

/* rows.c: count rows, from row k on, of the weights that a param operation names: the first number;
 * rows follow each other at the columns of the tensor. They stay while other rows of the same
 * weights and of CPU_WINDOWS others are not asked for. NULL, and the emitter has failed, when they
 * cannot be had. */
const struct gruc_tensor *cpu_weight_tensor(const struct gruc_ir *ir, gruc_ref param);
const float *cpu_weight_rows(struct cpu_emitter *e, gruc_ref param, size_t k, size_t count);
void cpu_windows_finish(struct cpu_emitter *e);

/* What is emitted from now on. */
void cpu_select_variant(struct cpu_emitter *e, const struct cpu_variant *variant);

/* ---- a stage, which has a function or is emitted where it is called. Its arguments are (weights,
 * rows, turned, the offset of each piece of the weights it reads, base of each edge: products' left
 * operands, loads, stores; then what not all have: list, share and shares, row stride in bytes of
 * the edges whose place does not tell it), so that equal stages have equal functions. Turned walks
 * the units from the last block to the first: every other step does, so that it begins with the
 * weights the step before it ended with, which are still in the cache. A listed stage computes the
 * rows whose numbers (64 bits each) the list holds, others rows 0 to rows. Of several shares, each
 * in a thread of its own, a call computes one: a part of the units, or of the rows where units are
 * not blocked. ---- */
enum cpu_stage_parameter {
    CPU_STAGE_WEIGHTS, CPU_STAGE_ROWS, CPU_STAGE_TURNED, CPU_STAGE_PIECES,
    CPU_STAGE_PARAMETERS = CPU_STAGE_PIECES + CPU_MAX_PIECES + 2 * CPU_MAX_EDGES + 43 /* at most */
};

struct cpu_edge {
    gruc_ref value;
    const struct gruc_view *view;
    LLVMValueRef v_base, v_stride;
    enum gruc_dtype dtype;
    uint32_t width;
    int exact;      /* nothing past width may be written or read */
    int has_stride; /* v_stride is a parameter */
};

struct cpu_stage_piece {
    size_t offset; /* in the packed weights */
    gruc_ref param; /* that pointwise operations read there; GRUC_NONE: others do */
};

struct cpu_packed;
struct cpu_companion;
struct cpu_stage {
    const struct gruc_stage *stage;
    LLVMValueRef function; /* NULL: it is emitted where it is called */
    LLVMTypeRef type;
    int is_listed, is_companion, is_step; /* of a scan */
    int is_inside; /* emitted where it is called */
    int has_many;  /* rows, where it is called */
    const LLVMValueRef *v_pieces; /* offsets of the pieces */
    LLVMValueRef v_rows, v_turned, v_list, v_share, v_shares;
    struct cpu_edge edges[CPU_MAX_EDGES];
    size_t n_edges, n_products, n_loads;
    struct cpu_stage_piece pieces[CPU_MAX_PIECES];
    size_t n_pieces;
    struct cpu_packed *packed; /* of a sweep: the weights of each product */
    unsigned lanes;            /* of a sweep: units in a vector */
    const struct cpu_stage *beside;        /* of which it computes blocks too; NULL: none */
    const struct cpu_companion *companion; /* the same, bound to its operands */
    const struct gruc_view *source; /* of a companion beside a scan: the array it reads where its
                                       rows need not be copied to a tile; NULL: none */
};

/* Fills out and emits the stage's function if it gets one. A stage of a scan that has a companion
 * has the parameters after its own that a block of the companion needs. */
enum { CPU_STAGE_INSIDE = 1, CPU_STAGE_LISTED = 2, CPU_STAGE_COMPANION = 4, CPU_STAGE_STEP = 8 };
void cpu_emit_stage(struct cpu_emitter *e, const struct gruc_stage *stage, unsigned flags,
                    const struct cpu_stage *companion, struct cpu_stage *out);
/* Emits here a stage that has no function, given what would be its arguments. */
void cpu_emit_stage_here(struct cpu_emitter *e, const struct cpu_stage *stage,
                         const LLVMValueRef *arguments);
/* Whether a stage gets a function, or a scan one for its steps, because others are likely to have
 * the same. Not where a call would cost something. */
int cpu_is_shared(const struct cpu_emitter *e, const struct gruc_stage *stage);
int cpu_any_shared(const struct cpu_emitter *e);
/* Whether a step takes so long that a call of it costs nothing. */
int cpu_is_long(const struct cpu_emitter *e, const struct gruc_stage *stage);
/* The number of the row at place v_index of the rows this call computes. */
LLVMValueRef cpu_stage_row(struct cpu_emitter *e, const struct cpu_stage *s, LLVMValueRef v_index);
/* A share of count things: v_first to v_limit. */
void cpu_share_of(struct cpu_emitter *e, LLVMValueRef v_share, LLVMValueRef v_shares,
                  LLVMValueRef v_count, LLVMValueRef *v_first, LLVMValueRef *v_limit);
/* The call's. */
void cpu_stage_share(struct cpu_emitter *e, const struct cpu_stage *s, LLVMValueRef v_count,
                     LLVMValueRef *v_first, LLVMValueRef *v_limit);
/* A loop over this share of the rows; its row is cpu_stage_row of the index. */
struct l_loop cpu_stage_rows_begin(struct cpu_emitter *e, const struct cpu_stage *s);
/* The stage reads what is at an offset of the packed weights; answers the piece's number. */
size_t cpu_stage_piece(struct cpu_emitter *e, struct cpu_stage *s, size_t offset, gruc_ref param);
/* All that the bodies read of the weights, packed before they are emitted. */
void cpu_pack_sweep(struct cpu_emitter *e, struct cpu_stage *s);
void cpu_pack_operands(struct cpu_emitter *e, struct cpu_stage *s);
void cpu_pack_embed(struct cpu_emitter *e, struct cpu_stage *s);
/* The bodies. */
void cpu_emit_sweep(struct cpu_emitter *e, struct cpu_stage *s);
/* Blocks of a companion that a sweep of one row can compute beside its own. */
unsigned cpu_sweep_hosts(struct cpu_emitter *e, struct cpu_stage *s);
/* Units of a block of one row, of which threads take whole ones. */
unsigned cpu_sweep_units(struct cpu_emitter *e, struct cpu_stage *s);
void cpu_emit_reduce(struct cpu_emitter *e, struct cpu_stage *s);
void cpu_emit_embed(struct cpu_emitter *e, struct cpu_stage *s);
void cpu_emit_quantize(struct cpu_emitter *e, struct cpu_stage *s);

/* ---- the whole module ---- */
/* Whether the group goes step by step: one unrolled scan makes all of it do so. */
int cpu_is_unrolled(const struct cpu_emitter *e, const struct gruc_group *group);
/* Emits run_batch over the schedule; answers the function. */
LLVMValueRef cpu_emit_run(struct cpu_emitter *e, const char *name);
/* NAME_describe, NAME_info, NAME_reset, NAME_step, NAME_run, and the entry names when asked. */
void cpu_emit_entries(struct cpu_emitter *e, LLVMValueRef v_run, const struct cpu_variant *step,
                      const char *extra, int with_entry);
/* Lines are fetched in pairs: between buffers that different threads write, one stays unused. */
enum { CPU_BUFFER_GAP = 64 };
/* Memory of a call; fills the workspace fields of info. */
void cpu_plan_workspace(const struct gruc_schedule *schedule, const struct gruc_blocking *blocking,
                        struct gruc_module_info *info);
/* Bytes of a tile's row where a call has no room for scans to trail, so that of every buffer one
 * tile is enough. */
uint64_t cpu_least_tile(const struct gruc_schedule *schedule);
/* How many threads may share the work of a row; fills unit_threads and step_cycles of info and of
 * the groups. */
void cpu_plan_threads(const struct cpu_emitter *e, struct gruc_module_info *info);
/* What was planned, in words. */
struct gruc_strbuf;
void cpu_describe_threads(const struct cpu_emitter *e, struct gruc_strbuf *out);
/* How many stages from the scan at first on are scans that need nothing of each other: they go
 * through the steps side by side, and threads divide them. */
size_t cpu_scans_together(const struct gruc_ir *ir, const struct gruc_group *group, size_t first);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_CODEGEN_CPU_RUN_H
#define GRUC_CODEGEN_CPU_RUN_H

/* Private to codegen/cpu: the function that computes a group of rows. */

#include "codegen/cpu/companion.h"

/* What a function was told of a view, or of a piece of a stage's weights. */
struct cpu_place {
    const void *what;
    LLVMValueRef v_base;           /* in the first step, or the offset */
    LLVMValueRef v_step, v_stride; /* bytes to the next step, NULL: none, and row */
};

struct cpu_run {
    struct cpu_emitter *e;
    const struct cpu_place *places; /* of the steps of a scan as a function: all that are not */
    size_t n_places;                /* v_current's */
    LLVMValueRef v_args, v_first, v_rows, v_tile_rows, v_given, v_apart; /* parameters */
    LLVMValueRef v_batch, v_flags, v_state;
    LLVMValueRef v_turned; /* of a single step: whether it walks the units backwards; else NULL */
    LLVMValueRef v_steps[GRUC_ABI_MAX_STEPS];
    LLVMValueRef *v_base;              /* by buffer: first row of the group */
    LLVMValueRef *v_current, *v_next;  /* by CARRY buffer: where its two addresses are kept */
    LLVMValueRef v_share, v_shares;    /* which thread this is of how many */
    LLVMValueRef barrier;              /* the function that waits for them; NULL: not emitted yet */
    LLVMTypeRef barrier_type;
    int has_steps;                     /* of a scan in the function */
    int has_many;                      /* rows in the function, whatever the call */
    LLVMValueRef v_tile_list, v_valid_list, v_masked_list; /* room for lists of rows */
    LLVMValueRef v_valid_count, v_masked_count;            /* and for how many are on them */
};

/* Slot of the argument block. */
LLVMValueRef cpu_load_slot(struct cpu_emitter *e, LLVMValueRef v_args, unsigned slot,
                           LLVMTypeRef type);
/* Numbers of the head's slots by name. */
enum cpu_slot {
#define GRUC_ABI_ARGUMENT(type, name, text) CPU_SLOT_##name,
#include <gruc/abi.def>
#undef GRUC_ABI_ARGUMENT
    CPU_SLOT_STEPS
};
/* Fills what a call's argument block says of its rows, steps and state. */
void cpu_load_call(struct cpu_run *r);
LLVMValueRef cpu_steps_value(struct cpu_run *r, struct gruc_steps steps);
/* Bytes from row to row and from step to step of an input or output array. */
void cpu_port_strides(struct cpu_run *r, const struct gruc_buffer *buffer, uint32_t step,
                      LLVMValueRef *v_row, LLVMValueRef *v_step);

/* state.c */
void cpu_emit_initial(struct cpu_run *r, const struct gruc_stage *stage, size_t bit);
void cpu_emit_final(struct cpu_run *r, const struct gruc_stage *stage);
void cpu_emit_started(struct cpu_run *r);
/* Sets v_turned of a single step: every other call walks the units backwards. */
void cpu_load_turned(struct cpu_run *r);
/* Bit i of the result: the i-th initial_state operation takes its given state
 * (GRUC_STATE_*_FIRST). */
LLVMValueRef cpu_emit_given_bits(struct cpu_run *r);
/* Copies width numbers; v_from NULL: the number fill. */
void cpu_emit_copy(struct cpu_emitter *e, LLVMValueRef v_to, LLVMValueRef v_from, double fill,
                   uint32_t width);

/* view.c */
enum cpu_way { CPU_ONCE, CPU_STEP, CPU_TILE, CPU_TILE_OF_ONE };
struct cpu_position {
    enum cpu_way way;
    LLVMValueRef v_tile_first; /* first step of the tile */
    LLVMValueRef v_local;      /* step within the tile, of CPU_STEP */
    LLVMValueRef v_total;      /* steps of the sweep */
    LLVMValueRef v_tile;       /* number of the tile; NULL: 0 */
    LLVMValueRef v_list;       /* rows of a listed stage */
    LLVMValueRef v_turned;     /* NULL: by the step */
    const struct cpu_beside *beside; /* what a scan's stages compute beside their own; or NULL */
    int is_alone;              /* one thread, owner modulo their number, does all of the stage */
    unsigned owner;
};
/* Where a view's first row is and the bytes to the next. CPU_TILE walks steps and rows of a tile as
 * one, CPU_TILE_OF_ONE the steps of a group of one row. */
void cpu_locate(struct cpu_run *r, const struct gruc_view *view, const struct cpu_position *at,
                LLVMValueRef *v_base, LLVMValueRef *v_stride);
/* Bytes from a view's place in a step to that in the next; NULL: all steps have one. */
LLVMValueRef cpu_step_bytes(struct cpu_run *r, const struct gruc_view *view);
void cpu_call_stage(struct cpu_run *r, const struct cpu_stage *s, const struct cpu_position *at,
                    LLVMValueRef v_rows);
/* Addresses of all buffers of a group, carved out of the workspace. */
void cpu_place_buffers(struct cpu_run *r, LLVMValueRef v_workspace);

/* companion.c: a companion's blocks beside a scan's steps. */
struct cpu_beside {
    const struct cpu_stage *stage;
    LLVMValueRef v_next;          /* where the number of the next block is kept */
    LLVMValueRef v_list;          /* room for its rows' list, of a listed one */
    struct cpu_position at;       /* where the companion is */
    LLVMValueRef v_rows;          /* its rows there */
    LLVMValueRef v_arguments[CPU_BESIDE_MOST];
    LLVMValueRef rest;            /* function that computes those due */
    LLVMTypeRef rest_type;
};
/* Emits what a scan with this companion needs; answers whether that went well. */
int cpu_beside_emit(struct cpu_run *r, const struct cpu_stage *stage, struct cpu_beside **out);
/* Before the steps of a tile, at and v_rows being set. */
void cpu_beside_begin(struct cpu_run *r, struct cpu_beside *beside, int is_alone);
/* Whether threads had better compute a block while they wait for each other than beside a step. */
int cpu_beside_fills(const struct gruc_stage *companion);
/* Of such a one, in a step with so many to come, itself included: what its stages may compute. */
struct cpu_beside cpu_beside_of_step(struct cpu_run *r, const struct cpu_beside *beside,
                                     LLVMValueRef v_left);
/* The next block, if there is one. */
void cpu_beside_next(struct cpu_run *r, const struct cpu_beside *beside);
/* After the steps: the blocks that are left. */
void cpu_beside_rest(struct cpu_run *r, const struct cpu_beside *beside);
/* Whether none was left to any thread when it arrived at the end of the last of v_steps steps, in
 * each of which it could compute v_hosts blocks at least. */
LLVMValueRef cpu_beside_is_done(struct cpu_run *r, const struct cpu_beside *beside,
                                LLVMValueRef v_steps, LLVMValueRef v_hosts);
/* Appends a stage's arguments for it; answers how many. */
unsigned cpu_beside_arguments(const struct cpu_beside *beside, LLVMValueRef *out);

/* scan.c */
struct cpu_scan {
    const struct gruc_stage *stage;
    struct cpu_beside *beside;        /* of its companion; NULL: none */
    struct cpu_stage *steps, *masked; /* functions of the body's stages; masked NULL: no mask */
    struct cpu_exchange *exchange;    /* between threads that share its rows; NULL: none do */
    LLVMValueRef v_turn;              /* counts the steps that multiplied */
};
/* Whether all carried values already stand where the first step reads them. */
int cpu_scan_begins_in_place(const struct cpu_emitter *e, const struct gruc_stage *scan);
void cpu_begin_scan(struct cpu_run *r, const struct gruc_stage *scan);
void cpu_emit_step(struct cpu_run *r, const struct cpu_scan *scan, const struct cpu_position *at);
/* After a step, or if v_is_odd is true an odd number of them: the copy of each carried value that
 * was written last is read from now on. NULL: true. */
void cpu_swap_carries(struct cpu_run *r, const struct cpu_scan *scan, LLVMValueRef v_is_odd);
/* The steps of a scan, whose stages also compute those of all_scans, and its call as a function of
 * its own. */
void cpu_emit_steps(struct cpu_run *r, const struct cpu_scan *scan,
                    const struct cpu_scan *all_scans, size_t n_scans, struct cpu_position at,
                    LLVMValueRef v_steps);
void cpu_call_steps(struct cpu_run *r, const struct cpu_scan *scans, size_t n_scans,
                    struct cpu_position at, LLVMValueRef v_steps);
/* The steps of a tile of scans that need nothing of each other. */
void cpu_emit_scans(struct cpu_run *r, const struct cpu_scan *scans, size_t n_scans,
                    struct cpu_position at, LLVMValueRef v_steps);
/* Lists the rows of a tile where mask is true; answers how many. */
LLVMValueRef cpu_list_tile(struct cpu_run *r, const struct gruc_view *mask,
                           struct cpu_position at, LLVMValueRef v_steps, LLVMValueRef v_list);
/* Room for such a list. */
LLVMValueRef cpu_reserve_tile_list(struct cpu_run *r);
/* Those of a step in v_tile_list. */
LLVMValueRef cpu_list_step(struct cpu_run *r, const struct gruc_view *mask,
                           const struct cpu_position *at);

/* tiles.c: a sweep's functions, of each stage or of a scan's steps, over tiles of its steps. */
struct cpu_sweep {
    const struct gruc_group *group;
    struct cpu_stage *stages; /* unused for scans */
    struct cpu_scan *scans;   /* unused for others */
};
void cpu_emit_tiles(struct cpu_run *r, const struct cpu_sweep *w);
/* Stage i over a tile of v_count steps, with the scans that go with it; answers how many stages
 * that were. */
size_t cpu_emit_tile_stages(struct cpu_run *r, const struct cpu_sweep *w, size_t i,
                            struct cpu_position at, LLVMValueRef v_count);
unsigned cpu_most_lag(const struct gruc_group *group);

/* trail.c: the same where scans trail their companions; v_tile: steps that a tile has room for. */
void cpu_emit_trails(struct cpu_run *r, const struct cpu_sweep *w, struct cpu_position at,
                     LLVMValueRef v_tile);

/* exchange.c: carried values of scans that have the stages of one, whose rows threads share. */
struct cpu_exchange;
/* Before the steps; NULL: there is no memory for it, and the emitter has failed. */
struct cpu_exchange *cpu_exchange_begin(struct cpu_run *r, const struct cpu_scan *scan,
                                        const struct cpu_scan *all_scans, size_t n_scans);
/* From enter to leave, a step, v_current and v_next lead to the thread's own copies. */
void cpu_exchange_enter(struct cpu_run *r, const struct cpu_exchange *x);
/* After the threads have met: takes what the others stored in the step before. */
void cpu_exchange_collect(struct cpu_run *r, const struct cpu_exchange *x);
/* After a stage, for the others: what it stored. */
void cpu_exchange_publish(struct cpu_run *r, const struct cpu_exchange *x,
                          struct cpu_stage *stage);
void cpu_exchange_leave(struct cpu_run *r, const struct cpu_exchange *x);

/* threads.c: nothing is emitted for a module whose rows are never shared. */
/* Waits for the other threads that compute the same rows. */
void cpu_emit_barrier(struct cpu_run *r);
/* Its halves, in a module whose rows may be shared. The others are told that this thread has come,
 * and the next block of a companion (not NULL) is computed while they see it; they are waited for,
 * which does nothing the second time. */
void cpu_emit_arrive(struct cpu_run *r, const struct cpu_beside *beside);
void cpu_emit_wait(struct cpu_run *r);
/* What is emitted up to cpu_share_end runs in thread index mod their number only. */
LLVMBasicBlockRef cpu_share_begin(struct cpu_run *r, unsigned index);
void cpu_share_end(struct cpu_run *r, LLVMBasicBlockRef b_others);

/* profile.c: nothing is emitted unless times are asked for. A reading of the clock, to be handed to
 * the end of what it began: a stage's, or that of the group of rows. */
LLVMValueRef cpu_profile_begin(struct cpu_run *r);
void cpu_profile_end(struct cpu_run *r, const struct gruc_stage *stage, LLVMValueRef v_begin,
                     LLVMValueRef v_rows);
LLVMValueRef cpu_profile_begin_group(struct cpu_run *r);
void cpu_profile_end_group(struct cpu_run *r, LLVMValueRef v_begin);

/* validate.c: ids; leaves the builder where they are all right. */
void cpu_emit_validate(struct cpu_run *r, LLVMBasicBlockRef b_bad);

/* group.c: the function over a group of rows. */
LLVMValueRef cpu_emit_group(struct cpu_emitter *e, LLVMTypeRef *out_type);

#endif

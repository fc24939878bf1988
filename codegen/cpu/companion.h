/* SPDX-License-Identifier: MIT */
#ifndef GRUC_CODEGEN_CPU_COMPANION_H
#define GRUC_CODEGEN_CPU_COMPANION_H

/* Private to codegen/cpu: products of a scan's input that are computed beside its steps. */

#include "codegen/cpu/block.h"

/* Where blocks of a companion are computed: its stage, bound to what is there. */
struct cpu_companion {
    struct cpu_stage stage;
    LLVMValueRef v_next, v_limit; /* where the next block's number is kept; the first not due */
};
/* Rows of a companion's block: with the sums of the block beside it they keep the multipliers busy,
 * and have room in 16 registers. */
enum { CPU_COMPANION_ROWS = 8 };
enum cpu_beside_parameter {
    CPU_BESIDE_NEXT, CPU_BESIDE_LIMIT, CPU_BESIDE_ROWS, CPU_BESIDE_LIST, CPU_BESIDE_WEIGHTS,
    CPU_BESIDE_STRIDE, CPU_BESIDE_EDGES, CPU_BESIDE_MOST = CPU_BESIDE_EDGES + 17
};
struct cpu_companion_block {
    struct cpu_block block; /* a row's number may be NULL: it follows the one before */
    LLVMValueRef v_left[CPU_MAX_ROWS], v_weights, v_bias, v_gate;
};

/* Gives scans the companions that pay. */
void cpu_plan_companions(const struct cpu_emitter *e);
/* The source of a companion (cpu_stage). */
const struct gruc_view *cpu_companion_source(const struct cpu_emitter *e,
                                             const struct gruc_group *group, size_t number);
/* Whether so many steps of it are copied to a tile all the same: blocks are whole and would read
 * past the last row, where rows are not on a list. */
LLVMValueRef cpu_companion_copies(struct cpu_emitter *e, const struct cpu_stage *stage,
                                  LLVMValueRef v_count);
/* How many threads may share the steps of the group's scans for companions still to pay. */
uint64_t cpu_companion_shares(const struct cpu_emitter *e, const struct gruc_group *group);
/* Rows of tiles from which trailing pays. Steps of a tile then, whole blocks of a companion: few,
 * as the first tile's products are computed by themselves. */
unsigned cpu_trail_rows(const struct cpu_emitter *e);
unsigned cpu_trail_steps(const struct cpu_emitter *e);
/* Steps of a sequence from which trailing pays. */
uint64_t cpu_trail_least_steps(const struct cpu_emitter *e);
/* Number of the stage's product whose loop computes a companion too; n_products: none can. */
size_t cpu_companion_host(const struct gruc_stage *stage);
/* Types of the parameters that stand for a companion; answers how many. */
unsigned cpu_companion_parameters(struct cpu_emitter *e, const struct cpu_stage *stage,
                                  LLVMTypeRef *types);
/* The stage, with values for those parameters. */
const struct cpu_companion *cpu_companion_bind(struct cpu_emitter *e, const LLVMValueRef *values,
                                               const struct cpu_stage *stage);
/* Whether a block is due. */
LLVMValueRef cpu_companion_waits(struct cpu_emitter *e, const struct cpu_companion *companion);
/* The next block's operands; its sums, which are stored. */
void cpu_companion_begin(struct cpu_emitter *e, const struct cpu_companion *companion,
                         struct cpu_companion_block *out);
void cpu_companion_end(struct cpu_emitter *e, const struct cpu_companion *companion,
                       const struct cpu_companion_block *block, const LLVMValueRef *v_sums);
/* The next block by itself: product.c */
void cpu_emit_companion(struct cpu_emitter *e, const struct cpu_companion *companion);

#endif

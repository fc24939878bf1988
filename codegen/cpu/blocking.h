/* SPDX-License-Identifier: MIT */
#ifndef GRUC_CODEGEN_CPU_BLOCKING_H
#define GRUC_CODEGEN_CPU_BLOCKING_H

/* Private to codegen/cpu: a sweep stage while it is emitted, and how large its blocks are. */

#include "codegen/cpu/block.h"
#include "codegen/cpu/weights.h"

struct cpu_body {
    struct cpu_emitter *e;
    struct cpu_stage *s;
    unsigned lanes;
    const struct cpu_packed *packed;
    size_t host; /* the product beside which a companion's blocks are computed; n_products: none */
    int is_hosting; /* now */
    LLVMValueRef *values;
    size_t n_values;
};

/* Rows from v_first to v_limit. */
struct cpu_body_rows {
    LLVMValueRef v_first, v_limit;
    unsigned count; /* of a block */
    unsigned few;   /* so many or fewer that are left at the end are part of one; 0: none are */
    unsigned more;  /* the same of a larger part; 0: there is none */
};

/* A block of units: its vectors, the valid lanes of the last, and of how many vectors the sums of a
 * whole block of rows are in registers: all, or one of two. A part of the rows has as many as there
 * is room for, so that fewer rows have sums enough to keep the multipliers busy. */
struct cpu_body_units {
    LLVMValueRef v_unit;
    unsigned vectors, tail, at_once;
};

/* Slices of a block's sums, 1: they are none, and the steps of each but the last. */
struct cpu_body_slices {
    unsigned count;
    uint32_t steps;
};

/* blocking.c: decided from the target's registers. */
/* The narrowest vector that holds the units, at most the target's; half of that where one of those
 * takes all multipliers and a few units past whole ones would leave most of the last empty. */
unsigned cpu_blocking_lanes(const struct cpu_emitter *e, uint32_t width);
/* Rows of a block. */
unsigned cpu_blocking_rows(const struct cpu_emitter *e, const struct gruc_stage *stage);
/* Rows of the larger part of a block, 0: there is none. It is worth its code where weights come
 * from far, or where there is no code for a single row. */
unsigned cpu_blocking_larger_part(const struct cpu_emitter *e, const struct cpu_stage *s);
/* Of the weights of so many units. */
uint64_t cpu_blocking_weight_bytes(const struct gruc_stage *stage, unsigned units);
/* Whether blocks of one row compute those of a companion too. */
int cpu_blocking_hosts(const struct cpu_body *w);
/* Vectors of a block of some rows: as many sums as keep the multipliers busy (each waits four
 * cycles for the one before it, or six where it is by pairs), few enough to stay in registers. */
unsigned cpu_blocking_vectors(const struct cpu_body *w, unsigned rows);
/* Blocks of units for some rows: two turns of vectors where a part of the rows would have too few
 * sums otherwise. */
struct cpu_body_units cpu_blocking_units(const struct cpu_body *w,
                                         const struct cpu_body_rows *rows);
/* Vectors that a part of some rows has at once. */
unsigned cpu_blocking_part_vectors(const struct cpu_body *w, const struct cpu_body_units *units,
                                   unsigned rows);
struct cpu_body_slices cpu_blocking_slices(const struct cpu_body *w,
                                           const struct cpu_body_rows *rows,
                                           const struct cpu_body_units *units);

/* walk.c */
/* All rows of one block of units. */
void cpu_emit_rows(struct cpu_body *w, const struct cpu_body_rows *rows,
                   const struct cpu_body_units *units);
/* The block of rows that starts at v_row. */
void cpu_emit_block(struct cpu_body *w, const struct cpu_body_rows *rows,
                    const struct cpu_body_units *units, LLVMValueRef v_row);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_CODEGEN_CPU_BLOCK_H
#define GRUC_CODEGEN_CPU_BLOCK_H

/* Private to codegen/cpu: a block of rows and units, whose sums are in registers. */

#include "codegen/cpu/emitter.h"

enum { CPU_MAX_ROWS = 8, CPU_MAX_VECTORS = 8 };

/* Some steps of a block's sums, where all rows take those before others: so weights that come from
 * far are read once for all of them, and meanwhile those of the next slice are asked for. */
struct cpu_slice {
    LLVMValueRef v_first, v_limit; /* steps */
    LLVMValueRef v_begins, v_ends; /* whether sums do; else they go on from the block's values */
    LLVMValueRef v_ahead, v_each;  /* bytes to what is asked for, and by which a step advances it */
};

struct cpu_block {
    struct cpu_stage *stage;
    unsigned n_rows, n_vectors, lanes;
    unsigned tail;       /* valid lanes of the last vector, lanes when all */
    LLVMValueRef v_rows[CPU_MAX_ROWS]; /* numbers of the rows */
    LLVMValueRef v_unit; /* first unit */
    LLVMValueRef *values; /* [local value][row][vector] */
    const struct cpu_slice *slice; /* NULL: all steps at once */
};

/* Start of unit v_unit of vector j in row r of an edge. */
LLVMValueRef cpu_edge_address(struct cpu_emitter *e, const struct cpu_block *block,
                              const struct cpu_edge *edge, unsigned row, unsigned vector);
/* The product's sums as values of its matmul operations. */
void cpu_emit_product(struct cpu_emitter *e, struct cpu_block *block, size_t product,
                      const struct cpu_packed *packed);
/* The same of some of its gates, from the first on. */
void cpu_emit_gates(struct cpu_emitter *e, struct cpu_block *block, size_t product,
                    const struct cpu_packed *packed, unsigned first_gate, unsigned gates);
/* Of a single row, the pointwise operations whose operands are there. */
void cpu_emit_ready(struct cpu_emitter *e, struct cpu_block *block);
/* The same as a product, and the next block of a companion if one is due. */
void cpu_emit_product_beside(struct cpu_emitter *e, struct cpu_block *block, size_t product,
                             const struct cpu_packed *packed,
                             const struct cpu_companion *companion);
/* Stores a product's values at v_memory, where LLVM leaves them, or takes them from there; answers
 * their bytes. */
uint64_t cpu_put_aside(struct cpu_emitter *e, struct cpu_block *block,
                       const struct gruc_product *product, LLVMValueRef v_memory, int is_store);
/* Pointwise operations and stores of the stage, after the sums of a block or of its first rows: by
 * a loop over rows whose sums wait in memory, or at once. */
struct cpu_epilogue {
    unsigned rows, vectors; /* that a round takes; 0: there is no loop */
    uint64_t row_bytes;     /* of the sums of a row */
    LLVMValueRef v_sums, v_numbers;
};
/* Whether sums of several rows wait in memory wherever a round may take a single vector of them. */
int cpu_epilogue_waits(const struct cpu_emitter *e, const struct gruc_stage *stage);
/* least: rows of the smallest part of the block that is computed. vectors: of a round. blocks: so
 * many have sums that wait at the same time, this one being number v_block; 1: they need not. */
struct cpu_epilogue cpu_epilogue_begin(struct cpu_emitter *e, const struct cpu_block *block,
                                       unsigned least, unsigned vectors, unsigned blocks,
                                       LLVMValueRef v_block);
/* The sums that wait as values of a part of the block from vector v_vector on. */
void cpu_epilogue_resume(struct cpu_emitter *e, const struct cpu_epilogue *epilogue,
                         struct cpu_block *part, LLVMValueRef v_vector);
/* After the sums; once for each part where it depends on the call which one is computed. v_vector:
 * the first of the block's vectors that the part has, all of them where there is no loop. */
void cpu_epilogue_take(struct cpu_emitter *e, const struct cpu_epilogue *epilogue,
                       struct cpu_block *part, LLVMValueRef v_vector);
/* Of the first v_rows rows, after any part, and of the vectors from v_first to v_limit, whole
 * rounds. */
void cpu_epilogue_end(struct cpu_emitter *e, const struct cpu_epilogue *epilogue,
                      const struct cpu_block *block, LLVMValueRef v_rows, LLVMValueRef v_first,
                      LLVMValueRef v_limit);
/* One pointwise operation on vectors (or scalars with lanes 1). */
LLVMValueRef cpu_emit_pointwise(struct cpu_emitter *e, enum gruc_opcode code,
                                LLVMValueRef *operands, unsigned lanes);

#endif

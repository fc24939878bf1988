/* SPDX-License-Identifier: MIT */
#ifndef GRUC_CODEGEN_CPU_WEIGHTS_H
#define GRUC_CODEGEN_CPU_WEIGHTS_H

/* Private to codegen/cpu: the weights of a product, packed in the order blocks read them. */

#include "codegen/cpu/emitter.h"

enum { CPU_MAX_GATES = 16 };

struct cpu_packed {
    const struct gruc_product *product;
    uint32_t width;               /* units */
    unsigned lanes;               /* units in a vector */
    int by_gate;                  /* all k of a gate before the next gate */
    unsigned group;               /* k that lie side by side in a lane: a step of a sum */
    unsigned late;                /* bytes between where the weights are said to be and are */
    size_t piece;                 /* of the stage: the weights, and in it from their start on, */
    LLVMValueRef v_piece;         /* its offset where the stage is emitted */
    size_t scale[CPU_MAX_GATES];  /* of int8: a number a unit, and what its sum starts from */
    size_t start[CPU_MAX_GATES];
    size_t bias[CPU_MAX_GATES];   /* of each matmul operation; SIZE_MAX: none */
};

/* Appends the weights and biases of a product of the stage to the packed weights. */
void cpu_pack_product(struct cpu_emitter *e, struct cpu_stage *s,
                      const struct gruc_product *product, struct cpu_packed *out);
/* Where the weights of unit v_unit begin, which starts a vector. */
LLVMValueRef cpu_weights_address(struct cpu_emitter *e, const struct cpu_packed *packed,
                                 LLVMValueRef v_unit);
/* Groups of k: a sum's steps. */
uint32_t cpu_weights_steps(const struct cpu_packed *packed);
/* The ranges that a sum is split into, and the step that each begins with. */
unsigned cpu_weights_ranges(const struct cpu_packed *packed);
uint32_t cpu_weights_range_begin(const struct cpu_packed *packed, unsigned range);
/* From there to the weights of the next step, and of the next gate. */
uint64_t cpu_weights_step_bytes(const struct cpu_packed *packed);
uint64_t cpu_weights_gate_bytes(const struct cpu_packed *packed);
/* Of all gates and steps of a vector of units. */
uint64_t cpu_weights_vector_bytes(const struct cpu_packed *packed);
/* Whether an instruction multiplies both numbers of a step. */
int cpu_weights_are_dots(const struct cpu_emitter *e, const struct cpu_packed *packed);
/* Whether they are stored in a type that is made float32 before the product. */
int cpu_weights_are_widened(const struct cpu_emitter *e, const struct cpu_packed *packed);
/* Weights a few steps and vectors of units after an address: number i of the step, or both as they
 * lie side by side in 32-bit lanes for the instruction. */
struct cpu_weights_place {
    unsigned vector, gate;
    uint32_t step;
    unsigned i;
    int has_both; /* the step's other number is loaded with it */
};
LLVMValueRef cpu_load_weights(struct cpu_emitter *e, const struct cpu_packed *packed,
                              LLVMValueRef v_weights, const struct cpu_weights_place *place);
/* Asks for them. */
void cpu_fetch_weights(struct cpu_emitter *e, const struct cpu_packed *packed,
                       LLVMValueRef v_weights, const struct cpu_weights_place *place);
/* From the weights of a block of so many vectors to those of the block that is computed after it,
 * in bytes; NULL where they need not be asked for. */
LLVMValueRef cpu_weights_ahead(struct cpu_emitter *e, const struct cpu_packed *packed,
                               unsigned vectors, LLVMValueRef v_turned);
/* In how many slices the sums of blocks of so many vectors had better be computed: 1 where
 * weights need not be asked for, or are asked for as above, or sums cannot wait. */
unsigned cpu_weights_slices(const struct cpu_packed *packed, unsigned vectors);
/* Of the vector that starts at v_unit; zero when there is none. */
LLVMValueRef cpu_load_bias(struct cpu_emitter *e, const struct cpu_packed *packed, unsigned gate,
                           LLVMValueRef v_unit);

#endif

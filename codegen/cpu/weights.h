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
    unsigned panel;               /* vectors, of int8 numbers k, that lie side by side in a lane */
    LLVMValueRef v_piece;         /* of a companion: the offset that its host was told */
    size_t piece;                 /* of the stage: the weights, and in it from their start on, */
    size_t scale[CPU_MAX_GATES];  /* of int8: a number a unit, and what its sum starts from */
    size_t start[CPU_MAX_GATES];
    size_t bias[CPU_MAX_GATES];   /* of each matmul operation; SIZE_MAX: none */
};

/* A block that does not have all vectors has a multiple of so many. */
unsigned cpu_weights_panel(const struct gruc_product *product, uint32_t width, unsigned lanes);
/* Appends the weights and biases of a product of the stage to the packed weights. */
void cpu_pack_product(struct cpu_emitter *e, struct cpu_stage *s,
                      const struct gruc_product *product, struct cpu_packed *out);
/* Where the weights of unit v_unit begin, which starts a panel. */
LLVMValueRef cpu_weights_address(struct cpu_emitter *e, const struct cpu_packed *packed,
                                 LLVMValueRef v_unit);
/* From there to the weights of the next k, and of the next gate. */
uint64_t cpu_weights_step_bytes(const struct cpu_packed *packed);
uint64_t cpu_weights_gate_bytes(const struct cpu_packed *packed);
/* The weights of a gate k steps after v_weights, for a vector of units that many after those that
 * begin at v_weights. */
LLVMValueRef cpu_load_weights(struct cpu_emitter *e, const struct cpu_packed *packed,
                              LLVMValueRef v_weights, unsigned vector, unsigned gate, uint32_t k);
/* Of the vector that starts at v_unit; zero when there is none. */
LLVMValueRef cpu_load_bias(struct cpu_emitter *e, const struct cpu_packed *packed, unsigned gate,
                           LLVMValueRef v_unit);

#endif

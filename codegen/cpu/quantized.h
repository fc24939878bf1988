/* SPDX-License-Identifier: MIT */
#ifndef GRUC_CODEGEN_CPU_QUANTIZED_H
#define GRUC_CODEGEN_CPU_QUANTIZED_H

/* Private to codegen/cpu: products by 8-bit weights. A row is quantized by its largest number, to 8
 * bits or as many as keep the sums in 32, a column of weights by its own, to -127..127. The sums
 * are exact, so every target has the same. Where an instruction multiplies bytes, a row of more
 * than 8 bits is two planes of bytes: the lower ones and the upper ones. */

#include "codegen/cpu/block.h"
#include "codegen/cpu/weights.h"

/* How many k share a 32-bit lane: as many as the dot product of the target takes. */
unsigned cpu_quantized_group(const struct cpu_target *target);
/* Planes of a row, whose sums are kept apart; bytes from one to the next. */
unsigned cpu_quantized_planes(const struct cpu_target *target, enum gruc_weights weights);
uint64_t cpu_quantized_plane(uint32_t depth);
/* What makes the bytes of all planes unsigned, added to a number. */
uint32_t cpu_quantized_offset(enum gruc_weights weights);

/* Appends 8-bit weights and what comes with them; fills in group, scale and start. */
void cpu_pack_quantized(struct cpu_emitter *e, struct cpu_packed *packed);
/* The product's sums as values of its matmul operations. */
void cpu_emit_quantized_product(struct cpu_emitter *e, struct cpu_block *block, size_t product,
                                const struct cpu_packed *packed);

#endif

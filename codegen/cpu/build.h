/* SPDX-License-Identifier: MIT */
#ifndef GRUC_CODEGEN_CPU_BUILD_H
#define GRUC_CODEGEN_CPU_BUILD_H

/* Private to codegen/cpu: small builders of LLVM IR. */

#include "codegen/cpu/target.h"
#include "ir/ir.h"

struct cpu_emitter;

/* The operation of two values just built, or an equal one of those last built in this block: not
 * all functions are optimized, and what is not there takes no time. The functions below do that. */
LLVMValueRef l_once(LLVMValueRef v);
LLVMValueRef l_i64(struct cpu_emitter *e, uint64_t value);
/* Whether v is that constant. */
int l_is_number(LLVMValueRef v, uint64_t value);
LLVMValueRef l_add(struct cpu_emitter *e, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef l_mul(struct cpu_emitter *e, LLVMValueRef a, LLVMValueRef b);
/* base + offset bytes */
LLVMValueRef l_offset(struct cpu_emitter *e, LLVMValueRef v_base, LLVMValueRef v_bytes);
LLVMValueRef l_load(struct cpu_emitter *e, LLVMTypeRef type, LLVMValueRef v_pointer,
                    unsigned align);
void l_store(struct cpu_emitter *e, LLVMValueRef value, LLVMValueRef v_pointer, unsigned align);
LLVMValueRef l_splat(struct cpu_emitter *e, LLVMValueRef v_scalar, unsigned lanes);
/* The line at v_pointer is read later: it is brought to the second cache. */
void l_prefetch(struct cpu_emitter *e, LLVMValueRef v_pointer);
/* Of unsigned integers. */
LLVMValueRef l_smaller(struct cpu_emitter *e, LLVMValueRef a, LLVMValueRef b);
LLVMTypeRef l_vector(LLVMTypeRef element, unsigned lanes);
LLVMValueRef l_intrinsic(struct cpu_emitter *e, const char *name, LLVMTypeRef overload,
                         LLVMValueRef *arguments, unsigned count);
/* One of a target's own, without overloads; arguments of other vector types are taken by their
 * bits. */
LLVMValueRef l_instruction(struct cpu_emitter *e, const char *name, LLVMValueRef *arguments,
                           unsigned count);
LLVMBasicBlockRef l_block(struct cpu_emitter *e, const char *name);
/* Aligned room for so many bytes as long as the function runs. */
LLVMValueRef l_allocate(struct cpu_emitter *e, size_t bytes, const char *name);
/* From begin to end, what is emitted is computed once, when the function begins: the place to be
 * handed to end. */
LLVMBasicBlockRef l_entry_begin(struct cpu_emitter *e);
void l_entry_end(struct cpu_emitter *e, LLVMBasicBlockRef b_now);
LLVMValueRef l_constant_mask(struct cpu_emitter *e, unsigned lanes, unsigned valid);
unsigned cpu_dtype_bytes(enum gruc_dtype dtype);
LLVMTypeRef cpu_memory_type(struct cpu_emitter *e, enum gruc_dtype dtype);

/* for (index = first; index < limit; index += step): begin leaves the builder in the body, end
 * closes it and leaves the builder after. Runs zero times when first >= limit. A loop of constants
 * that runs once is only its body. */
struct l_loop {
    LLVMBasicBlockRef b_head, b_body, b_after;
    LLVMValueRef v_index, v_step;
};
struct l_loop l_loop_begin(struct cpu_emitter *e, LLVMValueRef v_first, LLVMValueRef v_limit,
                           LLVMValueRef v_step);
void l_loop_end(struct cpu_emitter *e, const struct l_loop *loop);
/* What a loop's variable becomes in the next round, the sum v_next being marked as one that never
 * wraps: frozen, so that loop strength reduction, a quarter of the compile time, does not know the
 * variable and leaves the addresses made of it as they are. */
LLVMValueRef l_next(struct cpu_emitter *e, LLVMValueRef v_next);

/* Gives a function an attribute without a value. */
void l_attribute(struct cpu_emitter *e, LLVMValueRef function, const char *name);

/* An internal function; its first parameter is the packed weights. Saves the builder's place. */
struct l_function {
    LLVMValueRef function, outer_function, outer_weights;
    LLVMBasicBlockRef b_outer;
    LLVMTypeRef type;
};
struct l_function l_function_begin(struct cpu_emitter *e, const char *name, LLVMTypeRef *parameters,
                                   unsigned count);
void l_function_end(struct cpu_emitter *e, struct l_function *f);

#endif

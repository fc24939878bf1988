/* SPDX-License-Identifier: MIT */
#ifndef GRUC_CODEGEN_CPU_TARGET_H
#define GRUC_CODEGEN_CPU_TARGET_H

#include "codegen/backend.h"
#include "codegen/cpu/llvm.h"

enum cpu_dot {
    CPU_DOT_NONE,     /* 32-bit multiplications */
    CPU_DOT_PAIRS,    /* pmaddwd: two products of 16-bit integers a lane */
    CPU_DOT_UNSIGNED, /* vpdpbusd: four, of unsigned with signed 8-bit integers */
    CPU_DOT_SIGNED,   /* sdot: four, of signed ones */
    CPU_DOT_BF16,     /* vdpbf16ps: two products of bf16 numbers a lane */
};

/* What the emitter knows of the machine it emits for. */
struct cpu_target {
    LLVMTargetMachineRef machine;
    char *triple, *cpu, *features; /* LLVM's own strings, freed by cpu_target_finish */
    unsigned lanes;       /* float32 numbers in a vector register */
    unsigned registers;   /* vector registers */
    unsigned fma_rate;    /* vector FMAs started a cycle, at most */
    int has_fma;          /* else products are rounded before the sum */
    int has_round;        /* rounding to nearest is one instruction */
    int has_half;         /* half precision becomes float32 in one instruction */
    enum cpu_dot dot;     /* the instruction for the weights that are wanted */
    int optimization;     /* 0 to 3 */
    const char *abi;      /* module flag target-abi, NULL: none */
    struct gruc_blocking blocking; /* wanted */
};

/* Opens the target; a diagnostic says which part of it LLVM does not know. */
enum gruc_status cpu_target_open(const struct gruc_target *wanted, struct gruc_diag *diag,
                                 struct cpu_target *out);
void cpu_target_finish(struct cpu_target *target);
/* Such as machine is, for code of that optimization, 0 to 3; the caller disposes of it. NULL: LLVM
 * has none. */
LLVMTargetMachineRef cpu_target_machine(const struct cpu_target *target, int optimization);

/* Fills in what the emitter knows, for the weights that are wanted. */
enum gruc_status cpu_target_describe(struct cpu_target *target,
                                     enum gruc_weights weights, struct gruc_diag *diag);
/* Reports when LLVM does not know wanted's cpu or features for its triple, or cannot emit code for
 * them: target_check.c. */
enum gruc_status cpu_target_check(LLVMTargetRef target, const struct cpu_target *wanted,
                                  enum gruc_weights weights, struct gruc_diag *diag);
/* LLVM's name of the instruction for vectors of so many sums, NULL without one; sdot, which has
 * overloads, is not among them. */
const char *cpu_dot_instruction(enum cpu_dot dot, unsigned lanes);

/* Registers this machine's target, or every one this LLVM was built with, which takes more memory;
 * safe to call often. */
void cpu_initialize_llvm(int only_native);

#endif

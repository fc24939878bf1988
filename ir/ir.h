/* SPDX-License-Identifier: MIT */
#ifndef GRUC_IR_H
#define GRUC_IR_H

/* The IR: typed values made by operations, all in one arena, referred to by 32-bit numbers.
 *
 * A value holds, for each row of the batch, an array of steps times width numbers. axes tells
 * which of the two outer axes it has: a weight has neither, a state has rows only, a sequence has
 * rows and steps. Keras's other axes are folded into steps (all middle axes) and width (the last
 * one). A scan owns a region: inside it sequences appear one step at a time, without steps. */

#include <stdint.h>
#include <stdio.h>

#include <gruc/abi.h>

#include "ir/base/arena.h"
#include "ir/base/diag.h"
#include "ir/tensor.h"

struct gruc_strbuf;

typedef uint32_t gruc_ref; /* of a value, an operation or a region; GRUC_NONE: none */
#define GRUC_NONE UINT32_MAX

enum gruc_opcode {
#define GRUC_OP(name, text, least, most, results, doc) GRUC_OP_##name,
#include "ir/ops.def"
#undef GRUC_OP
    GRUC_OP_FIRST_PRIM, /* primitives follow in the order of prims.def: basic ones, then others */
    GRUC_OP_BEFORE_PRIMS = GRUC_OP_FIRST_PRIM - 1,
#define GRUC_BASIC(ID, ...) GRUC_OP_##ID,
#define GRUC_PRIM_LIBM(ID, ...) GRUC_OP_##ID,
#define GRUC_PRIM(ID, ...) GRUC_OP_##ID,
#include "ir/prims.def"
    GRUC_OP_COUNT
};

enum { GRUC_AXIS_ROWS = 1, GRUC_AXIS_STEPS = 2 };

/* The length of a steps axis: the value of a step symbol times factor, or factor alone. */
struct gruc_steps {
    int32_t symbol; /* -1: none */
    uint32_t factor;
};

struct gruc_type {
    enum gruc_dtype dtype;
    unsigned axes;
    struct gruc_steps steps; /* meaningful with GRUC_AXIS_STEPS */
    uint32_t rows;           /* of a weight; 1 otherwise */
    uint32_t width;
};

/* Attributes an operation may carry. GRUC_ATTRIBUTE(NAME, "name", kind) */
#define GRUC_ATTRIBUTE_LIST(X)                                                                     \
    X(INDEX, "index", INTEGER)                                                                     \
    X(TENSOR, "tensor", INTEGER)                                                                   \
    X(ROW, "row", INTEGER)                                                                         \
    X(COLUMN, "column", INTEGER)                                                                   \
    X(VALUE, "value", NUMBER)                                                                      \
    X(WRAP, "wrap", INTEGER)                                                                       \
    X(ACT, "act", TEXT)                                                                            \
    X(ALPHA, "alpha", NUMBER)                                                                      \
    X(BETA, "beta", NUMBER)                                                                        \
    X(GAMMA, "gamma", NUMBER)                                                                      \
    X(SLOT, "slot", INTEGER)                                                                       \
    X(RULE, "rule", INTEGER)                                                                       \
    X(SCANNED, "scanned", INTEGER)                                                                 \
    X(CARRIED, "carried", INTEGER)                                                                 \
    X(UNROLL, "unroll", INTEGER)                                                                   \
    X(GRU, "gru", INTEGER)                                                                         \
    X(WEIGHTS, "weights", TEXT)                                                                    \
    X(WIDTH, "width", INTEGER)                                                                     \
    X(EPSILON, "epsilon", NUMBER)

enum gruc_attribute_name {
#define GRUC_ATTRIBUTE_ENUM(name, text, kind) GRUC_ATTRIBUTE_##name,
    GRUC_ATTRIBUTE_LIST(GRUC_ATTRIBUTE_ENUM)
#undef GRUC_ATTRIBUTE_ENUM
    GRUC_ATTRIBUTE_COUNT
};

enum gruc_attribute_kind { GRUC_KIND_INTEGER, GRUC_KIND_NUMBER, GRUC_KIND_TEXT };

struct gruc_attribute {
    enum gruc_attribute_name name;
    union {
        int64_t integer;
        double number;
        const char *text;
    } value;
};

/* How a layer's stored state is used; the attribute rule of initial_state and final_state. */
enum gruc_state_rule {
    GRUC_STATE_CARRY,          /* not stateful: stored only under GRUC_ARGS_CARRY */
    GRUC_STATE_STATEFUL,       /* stored after every call and used by the next */
    GRUC_STATE_STATEFUL_FIRST, /* as above, but a given state is used while the stored is all zero
                                  over the whole batch (TF2, v1) */
    GRUC_STATE_STATEFUL_GIVEN, /* as above, but a given state is used every time (Keras 3) */
};

struct gruc_op {
    enum gruc_opcode code;
    uint32_t n_operands, n_results, n_attributes;
    gruc_ref *operands;
    gruc_ref *results;
    struct gruc_attribute *attributes;
    gruc_ref region; /* of a scan */
    struct gruc_mark mark;
};

struct gruc_value {
    struct gruc_type type;
    gruc_ref op;         /* that makes it; GRUC_NONE for an argument of a region */
    uint32_t index;      /* among the results of op, or the arguments of the region */
    const char *name;    /* for people; may be NULL */
};

/* A list of operations in order. The body of a model is region 0. A scan's region has as arguments
 * the scanned sequences' steps, the carried values and the values of all steps, in operand order;
 * it yields the next carried values, then the sequences' steps. */
struct gruc_region {
    gruc_ref *arguments;
    size_t n_arguments;
    gruc_ref *ops;
    size_t n_ops, ops_capacity;
    gruc_ref *yields;
    size_t n_yields;
};

/* A weight tensor, row-major float32; rows is 1 for a vector. A large one may stay in its file. */
struct gruc_tensor {
    const char *name;
    uint32_t rows, columns;
    const float *data;                /* NULL: where source reads them */
    struct gruc_tensor_source source;
    struct gruc_mark mark;
};

/* All that a gru op says, Keras's meaning; numbers index the module's tensors (GRUC_NONE: none). */
struct gruc_gru {
    const char *name;
    uint32_t units;
    const char *activation;            /* text of gruc_ir_act_name */
    const char *recurrent_activation;
    double activation_parameters[3], recurrent_parameters[3];
    gruc_ref kernel, recurrent_kernel, bias;
    int reset_after, use_bias;
    int return_sequences, go_backwards, unroll, zero_output_for_mask;
    int has_mask, has_initial_state;
    enum gruc_state_rule rule;
    gruc_ref slot;          /* its hidden state */
    gruc_ref output_slot;   /* the previous output under a mask; GRUC_NONE: it equals the state */
    const char *cudnn_refusal; /* why cuDNN cannot take it, NULL when it can */
};

struct gruc_port {
    const char *name;
    gruc_ref value;  /* an input op's result, or the value to write */
    struct gruc_tensor_info info; /* as the caller sees it */
    int time_major;
    struct gruc_mark mark;
};

struct gruc_slot {
    const char *name;
    uint32_t width;
};

struct gruc_symbol {
    const char *name;
    uint64_t steps; /* static number, 0: known at run time */
};

struct gruc_ir {
    struct gruc_arena *arena;
    const char *name;
    uint64_t batch; /* static, 0: any */
    struct gruc_value *values;
    size_t n_values, values_capacity;
    struct gruc_op *ops;
    size_t n_ops, ops_capacity;
    struct gruc_region *regions;
    size_t n_regions, regions_capacity;
    struct gruc_tensor *tensors;
    size_t n_tensors, tensors_capacity;
    struct gruc_gru *grus;
    size_t n_grus, grus_capacity;
    struct gruc_slot *slots;
    size_t n_slots, slots_capacity;
    struct gruc_port *inputs, *outputs;
    size_t n_inputs, inputs_capacity, n_outputs, outputs_capacity;
    struct gruc_symbol symbols[GRUC_ABI_MAX_STEPS];
    size_t n_symbols;
    int failed; /* memory ran out while building; checked once, by gruc_ir_verify */
};

/* ---- reading ---- */
static inline const struct gruc_op *gruc_ir_def(const struct gruc_ir *ir, gruc_ref value)
{
    gruc_ref op = ir->values[value].op;
    return op == GRUC_NONE ? NULL : &ir->ops[op];
}
int64_t gruc_op_integer(const struct gruc_op *op, enum gruc_attribute_name name, int64_t absent);
double gruc_op_number(const struct gruc_op *op, enum gruc_attribute_name name, double absent);
const char *gruc_op_text(const struct gruc_op *op, enum gruc_attribute_name name);
/* The number of ids that an embed or one_hot operation takes. */
uint32_t gruc_op_id_count(const struct gruc_ir *ir, const struct gruc_op *op);
/* Whether an operation looks something up by ids, which are checked before a call begins. */
static inline int gruc_opcode_reads_ids(enum gruc_opcode code)
{
    return code == GRUC_OP_EMBED || code == GRUC_OP_ONE_HOT;
}
const char *gruc_opcode_name(enum gruc_opcode code);
/* GRUC_OP_COUNT when there is none of this name (length bytes). */
enum gruc_opcode gruc_opcode_find(const char *name, size_t length);
/* An elementwise operation: a primitive, a cast or a selection; not act, matmul, reductions. */
int gruc_opcode_is_pointwise(enum gruc_opcode code);

/* Activations in IR text, in the attribute act and in struct gruc_gru: the row's name where only
 * one row has it, else its ID in act.def (HARD_SIGMOID_KERAS2). find answers NULL for others. */
struct gruc_act;
const char *gruc_ir_act_name(const struct gruc_act *act);
const struct gruc_act *gruc_ir_act_find(const char *text);

/* The tensor's count numbers from number first on: in memory, or read into room, which has space
 * for them. NULL when they cannot be read. */
const float *gruc_tensor_numbers(const struct gruc_tensor *tensor, uint64_t first, size_t count,
                                 float *room);
/* Reports that to diag. */
enum gruc_status gruc_tensor_unreadable(const struct gruc_tensor *tensor, struct gruc_diag *diag);
/* Brings the numbers of all tensors to memory, in the module's arena. */
enum gruc_status gruc_ir_read_tensors(struct gruc_ir *ir, struct gruc_diag *diag);

/* ---- whole-module services ---- */
/* A copy that shares the tensors' data and sources with ir and nothing else. */
enum gruc_status gruc_ir_clone(const struct gruc_ir *ir, struct gruc_arena *arena,
                               struct gruc_ir **out);

/* Checks every rule of the IR; a violation is a defect of gruc: GRUC_ERROR_INTERNAL with a message
 * naming the operation and the pass (after). GRUC_ERROR_MEMORY when building ran out of memory. */
enum gruc_status gruc_ir_verify(const struct gruc_ir *ir, const char *after,
                                struct gruc_diag *diag);
/* Text form; gruc_ir_parse reads what print wrote (weights by name and shape only, zero-filled). */
enum gruc_status gruc_ir_print(const struct gruc_ir *ir, FILE *file);
enum gruc_status gruc_ir_print_text(const struct gruc_ir *ir, struct gruc_strbuf *out);
enum gruc_status gruc_ir_parse(struct gruc_arena *arena, const char *text, size_t length,
                               struct gruc_diag *diag, struct gruc_ir **out);

#endif

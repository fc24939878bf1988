/* SPDX-License-Identifier: MIT */
#ifndef GRUC_IR_TEXT_H
#define GRUC_IR_TEXT_H

/* What print.c and parse.c share of the IR's text form; its grammar is in doc/ir.md. */

#include <stddef.h>

#include "ir/ir.h"

enum gruc_field_kind {
    GRUC_FIELD_INTEGER,  /* int, or an enum */
    GRUC_FIELD_UNSIGNED, /* uint32_t */
    GRUC_FIELD_REF,      /* gruc_ref; none is written as a word */
    GRUC_FIELD_TEXT,     /* const char *; NULL is written as none */
    GRUC_FIELD_NUMBERS,  /* three doubles */
};

/* Fields of struct gruc_gru in the order they are written. */
#define GRUC_GRU_FIELDS(X)                                                                         \
    X(units, UNSIGNED)                                                                             \
    X(activation, TEXT)                                                                            \
    X(activation_parameters, NUMBERS)                                                              \
    X(recurrent_activation, TEXT)                                                                  \
    X(recurrent_parameters, NUMBERS)                                                               \
    X(kernel, REF)                                                                                 \
    X(recurrent_kernel, REF)                                                                       \
    X(bias, REF)                                                                                   \
    X(reset_after, INTEGER)                                                                        \
    X(use_bias, INTEGER)                                                                           \
    X(return_sequences, INTEGER)                                                                   \
    X(go_backwards, INTEGER)                                                                       \
    X(unroll, INTEGER)                                                                             \
    X(zero_output_for_mask, INTEGER)                                                               \
    X(has_mask, INTEGER)                                                                           \
    X(has_initial_state, INTEGER)                                                                  \
    X(rule, INTEGER)                                                                               \
    X(slot, REF)                                                                                   \
    X(output_slot, REF)                                                                            \
    X(cudnn_refusal, TEXT)

struct gruc_field {
    const char *name;
    enum gruc_field_kind kind;
    size_t offset;
};
/* Ended by a row without name. */
extern const struct gruc_field gruc_gru_fields[];

extern const char *const gruc_dtype_names[3];

#endif

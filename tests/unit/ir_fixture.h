/* SPDX-License-Identifier: MIT */
#ifndef GRUC_TESTS_UNIT_IR_FIXTURE_H
#define GRUC_TESTS_UNIT_IR_FIXTURE_H

#include "ir/build.h"

/* A module under construction and the last message about it. */
struct fixture {
    struct gruc_arena arena;
    struct gruc_diag diag;
    struct gruc_ir *ir;
    struct gruc_builder builder; /* of the body */
    char message[512];
    unsigned line; /* of the last message */
};

/* Module "m" with the dynamic step symbol 0 and no ports. */
void fixture_begin(struct fixture *fixture);
void fixture_end(struct fixture *fixture);

struct gruc_type fixture_sequence(enum gruc_dtype dtype, uint32_t width);
struct gruc_type fixture_state(enum gruc_dtype dtype, uint32_t width);

/* The next input; its array is (B,T,width), (B,width), or (T,B,width) when time_major. */
gruc_ref fixture_input(struct fixture *fixture, const char *name, struct gruc_type type,
                       int time_major);
void fixture_output(struct fixture *fixture, const char *name, gruc_ref value, int time_major);

/* A tensor all of whose numbers are value. */
gruc_ref fixture_tensor(struct fixture *fixture, const char *name, uint32_t rows, uint32_t columns,
                        float value);

/* Keras 2 defaults: sigmoid, tanh, reset_after, a bias. */
struct gruc_gru fixture_gru_defaults(uint32_t units);

/* A gru operation with kernel 0.01, recurrent_kernel 0.02 and biases 0.03; slots and has_mask,
 * has_initial_state are filled in. mask, state: GRUC_NONE for none. Returns the operation. */
gruc_ref fixture_gru(struct fixture *fixture, struct gruc_gru gru, gruc_ref x, gruc_ref mask,
                     gruc_ref state);

/* x (B,T,4) -> gru of 3 units -> outputs "y" (sequence) and "h" (state); returns the operation. */
gruc_ref fixture_small_model(struct fixture *fixture);

/* Text of the module; the caller frees it. */
char *fixture_print(const struct gruc_ir *ir);

#endif

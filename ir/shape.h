/* SPDX-License-Identifier: MIT */
#ifndef GRUC_IR_SHAPE_H
#define GRUC_IR_SHAPE_H

#include "ir/ir.h"

/* The type of result number `index` of op, from its operands and attributes. For input, param and
 * reshape *type comes in as the given type. Answers NULL, or which rule the operands break; *type
 * then holds some valid type. The operands must be values of ir. */
const char *gruc_shape_infer(const struct gruc_ir *ir, const struct gruc_op *op, uint32_t index,
                             struct gruc_type *type);

/* Number of results op must have; 0 too when its attributes are out of range. */
uint32_t gruc_shape_results(const struct gruc_ir *ir, const struct gruc_op *op);

/* Whether both have the same length in every call. */
int gruc_shape_same_steps(const struct gruc_ir *ir, struct gruc_steps a, struct gruc_steps b);
int gruc_shape_same_type(const struct gruc_ir *ir, const struct gruc_type *a,
                         const struct gruc_type *b);

/* NULL, or why a port's dims and flags do not describe its value. */
const char *gruc_shape_port(const struct gruc_ir *ir, const struct gruc_port *port);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_IR_BUILD_H
#define GRUC_IR_BUILD_H

#include "ir/ir.h"

/* Builders of IR. They never fail visibly: out of memory sets ir->failed and answers a valid
 * reference of the right kind. Shapes are inferred (ir/shape.c). */
enum gruc_status gruc_ir_create(struct gruc_arena *arena, const char *name, struct gruc_ir **out);
gruc_ref gruc_ir_add_region(struct gruc_ir *ir);
gruc_ref gruc_ir_add_argument(struct gruc_ir *ir, gruc_ref region, struct gruc_type type);
void gruc_ir_set_yields(struct gruc_ir *ir, gruc_ref region, const gruc_ref *values, size_t count);
gruc_ref gruc_ir_add_tensor(struct gruc_ir *ir, const char *name, uint32_t rows, uint32_t columns,
                            const float *data);
gruc_ref gruc_ir_add_slot(struct gruc_ir *ir, const char *name, uint32_t width);
gruc_ref gruc_ir_add_gru(struct gruc_ir *ir, const struct gruc_gru *gru);
void gruc_ir_add_port(struct gruc_ir *ir, int is_output, const struct gruc_port *port);

/* Copies in the module's arena; NULL, and building has failed, when memory is exhausted. A text
 * that is NULL stays so. */
void *gruc_ir_copy(struct gruc_ir *ir, const void *items, size_t count, size_t size);
const char *gruc_ir_copy_text(struct gruc_ir *ir, const char *text);

/* Where new operations go: at the end of region, with mark as their source. */
struct gruc_builder {
    struct gruc_ir *ir;
    gruc_ref region;
    struct gruc_mark mark;
};

/* Adds an operation with any attributes; results get inferred types, GRU's and SCAN's included.
 * Returns the operation. */
gruc_ref gruc_build_op(struct gruc_builder *builder, enum gruc_opcode code,
                       const gruc_ref *operands, size_t n_operands,
                       const struct gruc_attribute *attributes, size_t n_attributes,
                       gruc_ref region);
/* The same as a copy of like (its results are not read), with given result types: for operations
 * whose types do not follow from their operands (input, param, reshape). types NULL: inferred. */
gruc_ref gruc_build_op_like(struct gruc_builder *builder, const struct gruc_op *like,
                            const struct gruc_type *types);
/* gruc_build_op for the usual operation with one result, which is returned. */
gruc_ref gruc_build_value(struct gruc_builder *builder, enum gruc_opcode code,
                          const gruc_ref *operands, size_t n_operands,
                          const struct gruc_attribute *attributes, size_t n_attributes);
gruc_ref gruc_build_input(struct gruc_builder *builder, uint32_t index, struct gruc_type type);
/* rows x width of a tensor, from row and column on. */
gruc_ref gruc_build_param(struct gruc_builder *builder, gruc_ref tensor, uint32_t row,
                          uint32_t rows, uint32_t column, uint32_t width);
gruc_ref gruc_build_constant(struct gruc_builder *builder, double value);
gruc_ref gruc_build_unary(struct gruc_builder *builder, enum gruc_opcode code, gruc_ref x);
gruc_ref gruc_build_binary(struct gruc_builder *builder, enum gruc_opcode code, gruc_ref a,
                           gruc_ref b);
gruc_ref gruc_build_select(struct gruc_builder *builder, gruc_ref condition, gruc_ref yes,
                           gruc_ref no);
/* bias GRUC_NONE: none. */
gruc_ref gruc_build_matmul(struct gruc_builder *builder, gruc_ref x, gruc_ref weight,
                           gruc_ref bias);
gruc_ref gruc_build_act(struct gruc_builder *builder, gruc_ref x, const char *act,
                        const double parameters[3]);
gruc_ref gruc_build_concat(struct gruc_builder *builder, const gruc_ref *values, size_t count);
gruc_ref gruc_build_reshape(struct gruc_builder *builder, gruc_ref x, struct gruc_type type);

#endif

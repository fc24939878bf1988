/* SPDX-License-Identifier: MIT */
#include "ir/passes/act_builder.h"

static uint32_t add_constant(void *context, float value)
{
    return gruc_build_constant(context, (double)value);
}

static uint32_t add_basic(void *context, enum gruc_basic basic, const uint32_t *args)
{
    unsigned arity = gruc_basic_describe(basic)->arity;
    return gruc_build_value(context, gruc_opcode_of_basic(basic), args, arity, NULL, 0);
}

static uint32_t add_prim(void *context, enum gruc_prim prim, uint32_t x)
{
    return gruc_build_unary(context, gruc_opcode_of_prim(prim), x);
}

struct gruc_expr_builder gruc_act_builder(struct gruc_builder *builder,
                                          enum gruc_accuracy accuracy, int keep_prims)
{
    return (struct gruc_expr_builder){
        .context = builder,
        .accuracy = accuracy,
        .constant = add_constant,
        .basic = add_basic,
        .prim = keep_prims ? add_prim : NULL,
    };
}

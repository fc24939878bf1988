/* SPDX-License-Identifier: MIT */
#ifndef GRUC_IR_OPCODE_H
#define GRUC_IR_OPCODE_H

#include "ir/ir.h"

struct gruc_opcode_info {
    const char *name;
    int least, most; /* operands; most -1: any number */
};
/* code must be below GRUC_OP_COUNT. */
const struct gruc_opcode_info *gruc_opcode_describe(enum gruc_opcode code);

const char *gruc_attribute_text(enum gruc_attribute_name name);
enum gruc_attribute_kind gruc_attribute_kind(enum gruc_attribute_name name);

#endif

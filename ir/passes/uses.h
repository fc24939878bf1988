/* SPDX-License-Identifier: MIT */
#ifndef GRUC_IR_PASSES_USES_H
#define GRUC_IR_PASSES_USES_H

#include "ir/ir.h"

/* How often each value is read by operations, yields and outputs, by value, in ir's arena. A scan
 * reads an operand only when its region reads the argument. NULL: out of memory. */
uint32_t *gruc_count_uses(const struct gruc_ir *ir);

#endif

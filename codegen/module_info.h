/* SPDX-License-Identifier: MIT */
#ifndef GRUC_CODEGEN_MODULE_INFO_H
#define GRUC_CODEGEN_MODULE_INFO_H

#include <gruc/abi.h>

#include "ir/ir.h"

/* A row's state structure: at its start a uint32 that is not 0 once a call with GRUC_ARGS_CARRY has
 * stored into it, then each slot as float32 at the offset its state's info gives. */
enum { GRUC_STATE_STARTED_OFFSET = 0, GRUC_STATE_SLOT_ALIGNMENT = 16 };

/* The description of a module, tensors behind it, in arena: all but row_group and the workspace,
 * which are left 0 for the back end. ir is verified, before or after expand_gru. GRUC_ERROR_MEMORY
 * when the arena is exhausted or a size overflows. */
enum gruc_status gruc_module_info_build(const struct gruc_ir *ir, struct gruc_arena *arena,
                                        struct gruc_module_info **out, size_t *bytes);

/* The tensors behind info: inputs, outputs, then states in the order of ir's slots. */
static inline const struct gruc_tensor_info *
gruc_module_info_state(const struct gruc_module_info *info, size_t slot)
{
    return gruc_module_tensors(info) + info->n_inputs + info->n_outputs + slot;
}

#endif

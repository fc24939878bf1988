/* SPDX-License-Identifier: MIT */
#ifndef GRUC_CODEGEN_ENTRY_POINTS_H
#define GRUC_CODEGEN_ENTRY_POINTS_H

/* Which of the functions for one row, NAME_step and NAME_run, a module has. Their parameters are
 * the state, the inputs in order, (of run) the number of steps of each step symbol that is not
 * static, the outputs in order. Both keep the workspace of one row on the stack, so it must not
 * grow with the steps. */

#include <gruc/abi.h>

/* More workspace than this is not put on a stack. */
#define GRUC_ENTRY_STACK_BYTES 65536u

/* Least workspace of one row, a symbol that is not static counting one step. */
static inline uint64_t gruc_entry_workspace_bytes(const struct gruc_module_info *info)
{
    uint64_t bytes = info->workspace_fixed + info->workspace_row + info->workspace_tile;
    for (uint32_t i = 0; i < info->n_steps; i++)
        bytes += info->workspace_row_step[i] * (info->steps[i] != 0 ? info->steps[i] : 1);
    return bytes;
}

/* NULL when the module has NAME_run, else the reason why not, static text. */
static inline const char *gruc_entry_refuses_run(const struct gruc_module_info *info)
{
    if (info->batch > 1)
        return "the model has a static batch of more than one row";
    for (uint32_t i = 0; i < info->n_steps; i++)
        if (info->steps[i] == 0 && info->workspace_row_step[i] != 0)
            return "its scratch memory grows with the number of steps";
    if (gruc_entry_workspace_bytes(info) > GRUC_ENTRY_STACK_BYTES)
        return "its scratch memory is too large for a stack";
    return NULL;
}

/* The same of NAME_step. */
static inline const char *gruc_entry_refuses_step(const struct gruc_module_info *info)
{
    if (info->batch > 1)
        return "the model has a static batch of more than one row";
    if (info->flags & GRUC_MODULE_BACKWARD)
        return "a layer reads the sequence from its end";
    if (info->n_steps != 1 || info->steps[0] != 0)
        return "the model does not have exactly one unknown number of steps";
    if (!(info->flags & GRUC_MODULE_STREAMING))
        return "one step a call does not equal one call over all steps";
    if (gruc_entry_workspace_bytes(info) > GRUC_ENTRY_STACK_BYTES)
        return "its scratch memory is too large for a stack";
    return NULL;
}

#endif

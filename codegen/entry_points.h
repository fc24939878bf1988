/* SPDX-License-Identifier: MIT */
#ifndef GRUC_CODEGEN_ENTRY_POINTS_H
#define GRUC_CODEGEN_ENTRY_POINTS_H

/* Which of the functions for one row, NAME_step and NAME_run, a module has. Their parameters are
 * the state, the inputs in order, (of run) the number of steps of each step symbol, the outputs in
 * order. Both keep the workspace of one row on the stack, so it must not grow with the steps. */

#include <gruc/abi.h>

/* More workspace than this is not put on a stack. */
#define GRUC_ENTRY_STACK_BYTES 65536u

/* NULL when the module has NAME_run, else the reason why not, static text. */
static inline const char *gruc_entry_refuses_run(const struct gruc_module_info *info)
{
    if (info->batch > 1)
        return "the model has a static batch of more than one row";
    for (uint32_t i = 0; i < info->n_steps; i++)
        if (info->workspace_row_step[i] != 0)
            return "the scratch memory grows with the number of steps";
    if (info->workspace_fixed + info->workspace_row + info->workspace_tile >
        GRUC_ENTRY_STACK_BYTES)
        return "the scratch memory is too large for a stack";
    return NULL;
}

/* The same of NAME_step. */
static inline const char *gruc_entry_refuses_step(const struct gruc_module_info *info)
{
    if (info->batch > 1)
        return "the model has a static batch of more than one row";
    if (info->flags & GRUC_MODULE_BACKWARD)
        return "a layer reads the sequence from its end";
    if (!(info->flags & GRUC_MODULE_STREAMING))
        return "one step a call does not equal one call over all steps";
    if (info->n_steps != 1 || info->steps[0] != 0)
        return "the model does not have exactly one unknown number of steps";
    if (info->workspace_fixed + info->workspace_row + info->workspace_row_step[0] +
            info->workspace_tile >
        GRUC_ENTRY_STACK_BYTES)
        return "the scratch memory is too large for a stack";
    return NULL;
}

#endif

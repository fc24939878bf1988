/* SPDX-License-Identifier: MIT */
#ifndef GRUC_DRIVER_HEADER_NAMES_H
#define GRUC_DRIVER_HEADER_NAMES_H

/* The C names of a module's tensors in its header. */

#include <gruc/abi.h>

#include "ir/base/arena.h"

struct gruc_header_names {
    const char *module;   /* wake */
    const char *upper;    /* WAKE */
    const char **tensors; /* inputs, outputs, states in the order of the description */
    const char **tensors_upper;
    const char *steps[GRUC_ABI_MAX_STEPS]; /* parameters: "steps", or "x_steps", "h_steps" */
};

/* Characters that C does not take become '_'; words that are taken get a number. */
enum gruc_status gruc_header_names_make(const struct gruc_module_info *info,
                                        struct gruc_arena *arena, struct gruc_header_names *out);

/* Numbers of one step (or of one row, for a tensor without steps) of a tensor. */
uint64_t gruc_header_count(const struct gruc_tensor_info *tensor);
/* The step symbol of a tensor, -1: none. */
int gruc_header_symbol(const struct gruc_tensor_info *tensor);

#endif

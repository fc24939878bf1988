/* SPDX-License-Identifier: MIT */
#ifndef GRT_MODULE_H
#define GRT_MODULE_H

#include <gruc/runtime.h>

struct grt_module {
    const struct gruc_module_info *info;
    gruc_run_function run;   /* one of run and hosted is set */
    grt_run_function hosted;
    void *context;           /* of hosted */
    grt_release_function release;
    void *owner;
};

static inline const struct gruc_tensor_info *grt_module_input(const struct gruc_module_info *info,
                                                              uint32_t index)
{
    return gruc_module_tensors(info) + index;
}

static inline const struct gruc_tensor_info *grt_module_output(const struct gruc_module_info *info,
                                                               uint32_t index)
{
    return gruc_module_tensors(info) + info->n_inputs + index;
}

static inline const struct gruc_tensor_info *grt_module_state(const struct gruc_module_info *info,
                                                              uint32_t index)
{
    return gruc_module_tensors(info) + info->n_inputs + info->n_outputs + index;
}

/* The axis along which an array is a sequence of unknown length: the first one beside the batch
 * when that is a step symbol; -1: none. */
int grt_tensor_step_axis(const struct gruc_tensor_info *tensor);

/* The step symbol of a dimension, -1: it is none. */
static inline int grt_dim_symbol(int64_t dim)
{
    return dim <= GRUC_DIM_STEPS(0) ? (int)(-2 - dim) : -1;
}

/* Nonzero when every field of info makes sense. */
int grt_module_valid(const struct gruc_module_info *info);

#endif

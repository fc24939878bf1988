/* SPDX-License-Identifier: MIT */
#ifndef GRUC_ABI_H
#define GRUC_ABI_H

/* What generated code and its callers agree on. A module is a read-only description (struct
 * gruc_module_info followed by its tensors) and one function over an argument block (abi.def).
 * All fields are little-endian and free of pointers, so the description is plain constant data. */

#include <stddef.h>
#include <stdint.h>

#include <gruc/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GRUC_ABI_VERSION 3u
#define GRUC_ABI_MAGIC 0x43555247u /* "GRUC" */
#define GRUC_ABI_NAME_BYTES 64
#define GRUC_ABI_MAX_RANK 8
#define GRUC_ABI_MAX_STEPS 8      /* step symbols of one model */
#define GRUC_ABI_ALIGNMENT 64     /* of state and workspace, bytes */
#define GRUC_ABI_HEAD_SLOTS 13    /* slots that abi.def declares */

/* Flags of an argument block. */
#define GRUC_ARGS_CARRY 1u        /* every recurrent layer continues from state and stores to it */
#define GRUC_ARGS_VALIDATE 2u     /* check the arguments and input ids only; compute nothing */

/* Flags of a module. */
#define GRUC_MODULE_STREAMING 1u  /* one step a call equals one call over all steps */
#define GRUC_MODULE_COUPLED 2u    /* rows of a batch are not independent: run them in one share */
#define GRUC_MODULE_BACKWARD 4u   /* some layer reads the sequence from its end */

enum gruc_dtype { GRUC_FLOAT32 = 0, GRUC_INT32 = 1, GRUC_BOOL = 2 };

/* Dimensions that are known only when the model runs. */
#define GRUC_DIM_BATCH (-1)
#define GRUC_DIM_STEPS(symbol) (-2 - (int64_t)(symbol))

typedef void gruc_barrier_function(void *context);

/* The head of an argument block; the tail follows it in the same allocation. */
struct gruc_args {
#define GRUC_ABI_ARGUMENT(type, name, text) type name;
#include <gruc/abi.def>
#undef GRUC_ABI_ARGUMENT
};

struct gruc_tensor_info {
    char name[GRUC_ABI_NAME_BYTES]; /* NUL-terminated */
    uint32_t dtype;                 /* enum gruc_dtype */
    uint32_t rank;
    int64_t dims[GRUC_ABI_MAX_RANK]; /* as the array lies in memory; < 0: GRUC_DIM_* */
    uint64_t offset;                /* of a state: bytes from the start of a row's structure */
};

/* Followed in memory by inputs, outputs and states as struct gruc_tensor_info. */
struct gruc_module_info {
    uint32_t magic;
    uint32_t abi;
    uint32_t bytes;      /* of this structure and the tensors after it */
    uint32_t flags;      /* GRUC_MODULE_* */
    uint32_t n_steps;    /* step symbols */
    uint32_t n_inputs;
    uint32_t n_outputs;
    uint32_t n_states;
    uint64_t batch;      /* static batch, 0: any */
    uint64_t state_bytes; /* of one row; a multiple of GRUC_ABI_ALIGNMENT, 0: no state */
    uint64_t row_group;  /* most rows computed together; workspace grows up to this many rows */
    uint64_t workspace_fixed; /* bytes of workspace whatever the rows and steps */
    uint64_t workspace_row;   /* and for each row of a group */
    uint64_t workspace_tile;  /* and for each row of a tile, which is a few steps of the group */
    uint64_t tile_rows;       /* that run fastest; a call works with any number from the rows of
                                 the group on, and takes as many as the workspace holds */
    uint64_t workspace_row_step[GRUC_ABI_MAX_STEPS];
    uint64_t steps[GRUC_ABI_MAX_STEPS]; /* static number of steps, 0: any */
    uint64_t unit_threads; /* most threads that may compute the same rows together, 1: none */
    uint64_t step_cycles;  /* about how long a step of a row takes one thread, for judging whether
                              waking others pays */
    char name[GRUC_ABI_NAME_BYTES];
};

/* The two functions of a module. describe returns constant data; run returns enum gruc_status and
 * leaves state untouched unless it returns GRUC_OK. Both are safe in any thread; calls that share
 * outputs, state or workspace must not overlap. */
typedef const struct gruc_module_info *(*gruc_describe_function)(void);
typedef int (*gruc_run_function)(const struct gruc_args *args);

/* Names under which a shared library or a standalone program offers its one module. */
#define GRUC_ENTRY_DESCRIBE "gruc_module_describe"
#define GRUC_ENTRY_RUN "gruc_module_run_batch"

static inline const struct gruc_tensor_info *
gruc_module_tensors(const struct gruc_module_info *info)
{
    return (const struct gruc_tensor_info *)(const void *)(info + 1);
}

/* Bytes of workspace a call needs that computes row_count rows; steps: one number a step symbol. */
static inline uint64_t gruc_workspace_bytes(const struct gruc_module_info *info,
                                            uint64_t row_count, const uint64_t *steps)
{
    uint64_t rows = row_count < info->row_group ? row_count : info->row_group;
    uint64_t bytes = info->workspace_row;
    for (uint32_t i = 0; i < info->n_steps; i++)
        bytes += info->workspace_row_step[i] * steps[i];
    return info->workspace_fixed + rows * bytes + info->tile_rows * info->workspace_tile;
}

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: MIT */
#include "tests/unit/fake_module.h"

#include <string.h>

enum { ROW_GROUP = 4, STATE_BYTES = 64, SUM_OFFSET = 16, STEP_BYTES = 8, ROW_BYTES = 24 };

#define FAKE_DESCRIPTION                                                                           \
    {.info = {.magic = GRUC_ABI_MAGIC, .abi = GRUC_ABI_VERSION,                                    \
              .bytes = sizeof(struct fake_description), .flags = GRUC_MODULE_STREAMING,            \
              .n_steps = 1, .n_inputs = 2, .n_outputs = 2, .n_states = 1,                          \
              .state_bytes = STATE_BYTES, .row_group = ROW_GROUP, .workspace_fixed = 16,           \
              .workspace_row = ROW_BYTES, .workspace_row_step = {STEP_BYTES}, .name = "fake"},     \
     .tensors = {                                                                                  \
         {"x", GRUC_FLOAT32, 3, {GRUC_DIM_BATCH, GRUC_DIM_STEPS(0), 2}, 0},                        \
         {"m", GRUC_BOOL, 2, {GRUC_DIM_BATCH, GRUC_DIM_STEPS(0)}, 0},                              \
         {"y", GRUC_FLOAT32, 3, {GRUC_DIM_BATCH, GRUC_DIM_STEPS(0), 2}, 0},                        \
         {"last", GRUC_FLOAT32, 2, {GRUC_DIM_BATCH, 2}, 0},                                        \
         {"sum", GRUC_FLOAT32, 2, {GRUC_DIM_BATCH, 2}, SUM_OFFSET},                                \
     }}

static const struct fake_description description = FAKE_DESCRIPTION;

void fake_describe(struct fake_description *out)
{
    *out = description;
}

const struct gruc_module_info *fake_describe_module(void)
{
    return &description.info;
}

struct call {
    const struct gruc_args *args;
    uint64_t steps;
    const float *x;
    const uint8_t *m;
    float *y, *last;
    uint64_t row_stride, step_stride; /* of steps, in x, m and y */
};

static struct call read_call(const struct gruc_args *args, int time_major)
{
    uint64_t tail[5];
    memcpy(tail, args + 1, sizeof tail);
    struct call call = {.args = args, .steps = tail[0]};
    call.x = (const float *)(uintptr_t)tail[1];
    call.m = (const uint8_t *)(uintptr_t)tail[2];
    call.y = (float *)(uintptr_t)tail[3];
    call.last = (float *)(uintptr_t)tail[4];
    call.row_stride = time_major ? 1 : call.steps;
    call.step_stride = time_major ? args->batch : 1;
    return call;
}

static int validate(const struct call *call)
{
    const struct gruc_args *args = call->args;
    uint64_t rows = args->row_count < ROW_GROUP ? args->row_count : ROW_GROUP;
    if (args->abi != GRUC_ABI_VERSION)
        return GRUC_ERROR_ABI;
    if (call->steps == 0)
        return GRUC_ERROR_STEPS;
    if (args->first_row + args->row_count > args->batch)
        return GRUC_ERROR_ARGUMENT;
    if ((uintptr_t)args->workspace % GRUC_ABI_ALIGNMENT != 0 || args->workspace == NULL ||
        args->workspace_bytes < 16 + rows * (ROW_BYTES + STEP_BYTES * call->steps))
        return GRUC_ERROR_WORKSPACE;
    for (uint64_t b = args->first_row; b < args->first_row + args->row_count; b++)
        for (uint64_t t = 0; t < call->steps; t++)
            if (call->x[2 * (b * call->row_stride + t * call->step_stride)] == FAKE_BAD_VALUE)
                return GRUC_ERROR_ID;
    return GRUC_OK;
}

static void compute_row(const struct call *call, uint64_t b)
{
    unsigned char *row = (unsigned char *)call->args->state + b * STATE_BYTES;
    float sum[2] = {0, 0};
    uint32_t started;
    memcpy(&started, row, sizeof started);
    if ((call->args->flags & GRUC_ARGS_CARRY) && started)
        memcpy(sum, row + SUM_OFFSET, sizeof sum);
    for (uint64_t t = 0; t < call->steps; t++) {
        uint64_t at = b * call->row_stride + t * call->step_stride;
        for (int i = 0; i < 2; i++) {
            if (call->m[at])
                sum[i] += call->x[2 * at + (uint64_t)i];
            call->y[2 * at + (uint64_t)i] = sum[i];
        }
    }
    memcpy(call->last + 2 * b, sum, sizeof sum);
    if (call->args->flags & GRUC_ARGS_CARRY) {
        started = 1;
        memcpy(row, &started, sizeof started);
        memcpy(row + SUM_OFFSET, sum, sizeof sum);
    }
}

static int run(const struct gruc_args *args, int time_major)
{
    struct call call = read_call(args, time_major);
    int status = validate(&call);
    if (status != GRUC_OK || (args->flags & GRUC_ARGS_VALIDATE))
        return status;
    memset(args->workspace, 0x5a, args->workspace_bytes);
    for (uint64_t b = args->first_row; b < args->first_row + args->row_count; b++)
        compute_row(&call, b);
    return GRUC_OK;
}

int fake_run_module(const struct gruc_args *args)
{
    return run(args, 0);
}

int fake_run_hosted(void *context, const struct gruc_args *args)
{
    struct fake_host *host = context;
    if (!(args->flags & GRUC_ARGS_VALIDATE)) {
        __atomic_add_fetch(&host->calls, 1, __ATOMIC_RELAXED);
        if (args->row_count > __atomic_load_n(&host->most_rows, __ATOMIC_RELAXED))
            __atomic_store_n(&host->most_rows, args->row_count, __ATOMIC_RELAXED);
    }
    return run(args, host->time_major);
}

void fake_release_host(void *context)
{
    ((struct fake_host *)context)->releases++;
}

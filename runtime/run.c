/* SPDX-License-Identifier: MIT */
#include "runtime/session.h"

#include <inttypes.h>
#include <stdlib.h>

#include "runtime/memory.h"

/* gruc_workspace_bytes with checked sums and products; 0 on overflow. */
static int workspace_size(const struct gruc_module_info *info, uint64_t rows,
                          const uint64_t *steps, uint64_t *out)
{
    uint64_t row = info->workspace_row;
    uint64_t part;
    for (uint32_t i = 0; i < info->n_steps; i++)
        if (!grt_memory_multiply(info->workspace_row_step[i], steps[i], &part) ||
            __builtin_add_overflow(row, part, &row))
            return 0;
    if (rows > info->row_group)
        rows = info->row_group;
    uint64_t tile;
    return grt_memory_multiply(rows, row, &part) &&
           grt_memory_multiply(info->tile_rows, info->workspace_tile, &tile) &&
           !__builtin_add_overflow(info->workspace_fixed, part, out) &&
           !__builtin_add_overflow(*out, tile, out);
}

static enum gruc_status take_workspace(struct grt_session *session, struct grt_share *share)
{
    uint64_t bytes;
    if (!workspace_size(session->info, share->args->row_count, session->steps, &bytes))
        return grt_session_fail(session, GRUC_ERROR_MEMORY, "the workspace is too large");
    if (bytes > share->workspace_bytes || share->workspace == NULL) {
        free(share->workspace);
        share->workspace_bytes = 0;
        share->workspace = grt_memory_take(bytes);
        if (share->workspace == NULL)
            return grt_session_fail(session, GRUC_ERROR_MEMORY, "no memory for a workspace of %"
                                    PRIu64 " bytes", bytes);
        share->workspace_bytes = bytes;
    }
    share->args->workspace = share->workspace;
    share->args->workspace_bytes = share->workspace_bytes;
    return GRUC_OK;
}

static void fill_tail(const struct grt_session *session, struct gruc_args *args)
{
    const struct gruc_module_info *info = session->info;
    uint64_t *slot = (uint64_t *)(void *)(args + 1);
    for (uint32_t i = 0; i < info->n_steps; i++)
        *slot++ = session->steps[i];
    for (uint32_t i = 0; i < info->n_inputs; i++)
        *slot++ = (uint64_t)(uintptr_t)session->inputs[i].data;
    for (uint32_t i = 0; i < info->n_outputs; i++)
        *slot++ = (uint64_t)(uintptr_t)session->outputs[i].data;
}

/* Below this much work for each, waking threads costs more than they save. */
enum { LEAST_SHARE_CYCLES = 20000 };

/* The most steps of any sequence of this call. */
static uint64_t most_steps(const struct grt_session *session)
{
    uint64_t steps = 1;
    for (uint32_t i = 0; i < session->info->n_steps; i++)
        if (session->steps[i] > steps)
            steps = session->steps[i];
    return steps;
}

/* How many threads the work of this call is worth; all there are when nothing is known of it. */
static unsigned worthwhile_threads(const struct grt_session *session)
{
    uint64_t steps = most_steps(session), cycles;
    if (session->eager || session->info->step_cycles == 0 ||
        !grt_memory_multiply(session->info->step_cycles, steps, &cycles) ||
        !grt_memory_multiply(cycles, session->batch, &cycles) ||
        cycles / LEAST_SHARE_CYCLES >= session->n_shares)
        return session->n_shares;
    return cycles < LEAST_SHARE_CYCLES ? 1 : (unsigned)(cycles / LEAST_SHARE_CYCLES);
}

/* Whether threads compute the same rows, parts of the units each: where a thread would have fewer
 * rows than are computed together, and as long as that proves faster. */
static int shares_units(struct grt_session *session, unsigned threads)
{
    int can = threads >= 2 && session->info->unit_threads >= 2 &&
              (session->batch < 4 * (uint64_t)threads ||
               (session->info->flags & GRUC_MODULE_COUPLED));
    session->on_trial = can && !session->eager;
    return session->on_trial ? grt_trial_way(&session->trial) : can;
}

/* Divides the work into shares, by rows or by units, and fills their argument blocks. */
static enum gruc_status prepare_shares(struct grt_session *session)
{
    unsigned threads = worthwhile_threads(session);
    uint64_t rows = session->batch, most = rows, first = 0;
    int by_units = shares_units(session, threads);
    if (by_units)
        most = session->info->unit_threads;
    else if (session->info->flags & GRUC_MODULE_COUPLED)
        most = 1;
    session->used = most < threads ? (unsigned)most : threads;
    session->by_units = by_units;
    grt_barrier_set(session->barrier, session->used);
    uint64_t least = rows / session->used, surplus = rows % session->used;
    for (unsigned i = 0; i < session->used; i++) {
        struct grt_share *share = &session->shares[i];
        share->args->flags = session->carry ? GRUC_ARGS_CARRY : 0;
        share->args->batch = rows;
        share->args->first_row = first;
        share->args->row_count = by_units ? rows : least + (i < surplus);
        share->args->state = session->state;
        share->args->share = by_units ? i : 0;
        share->args->shares = by_units ? session->used : 1;
        share->args->arrive = grt_barrier_arrive;
        share->args->wait = grt_barrier_wait;
        share->args->barrier_context = grt_barrier_place(session->barrier, i);
        first += by_units ? 0 : share->args->row_count;
        fill_tail(session, share->args);
        enum gruc_status status = take_workspace(session, &session->shares[by_units ? 0 : i]);
        if (status != GRUC_OK)
            return status;
        share->args->workspace = session->shares[by_units ? 0 : i].args->workspace;
        share->args->workspace_bytes = session->shares[by_units ? 0 : i].args->workspace_bytes;
    }
    return GRUC_OK;
}

static enum gruc_status check_outputs(struct grt_session *session)
{
    for (uint32_t i = 0; i < session->info->n_outputs; i++) {
        const struct gruc_tensor_info *tensor = grt_module_output(session->info, i);
        int64_t dims[GRUC_ABI_MAX_RANK];
        enum gruc_status status = grt_session_output_dims(session, i, dims);
        if (status != GRUC_OK)
            return status;
        if (!session->outputs[i].bound)
            return grt_session_fail(session, GRUC_ERROR_ARGUMENT, "output '%s' is not bound",
                                    tensor->name);
        uint64_t bytes = grt_dtype_bytes(tensor->dtype);
        for (uint32_t axis = 0; axis < tensor->rank; axis++)
            if (!grt_memory_multiply(bytes, (uint64_t)dims[axis], &bytes))
                return grt_session_fail(session, GRUC_ERROR_SHAPE, "output '%s' is too large",
                                        tensor->name);
        if (bytes > session->outputs[i].bytes)
            return grt_session_fail(session, GRUC_ERROR_SHAPE, "output '%s' needs %" PRIu64
                                    " bytes, but has room for %zu", tensor->name, bytes,
                                    session->outputs[i].bytes);
    }
    return GRUC_OK;
}

static void run_share(void *context, unsigned index)
{
    struct grt_session *session = context;
    if (index >= session->used)
        return;
    struct grt_share *share = &session->shares[index];
    const struct grt_module *module = session->module;
    share->status = module->run != NULL ? module->run(share->args)
                                        : module->hosted(module->context, share->args);
}

static enum gruc_status worst_status(struct grt_session *session)
{
    for (unsigned i = 0; i < session->used; i++) {
        int status = session->shares[i].status;
        if (status == GRUC_OK)
            continue;
        if (status < 0 || status > GRUC_ERROR_ABI)
            status = GRUC_ERROR_INTERNAL;
        return grt_session_fail(session, (enum gruc_status)status, "%s",
                                gruc_status_text((enum gruc_status)status));
    }
    return GRUC_OK;
}

/* With several shares all of them are validated before any begins, so that none stores its state
 * while another refuses its input. */
static enum gruc_status run_shares(struct grt_session *session)
{
    if (session->used == 1) {
        run_share(session, 0);
        return worst_status(session);
    }
    for (unsigned i = 0; i < session->used; i++) {
        session->shares[i].args->flags |= GRUC_ARGS_VALIDATE;
        run_share(session, i);
        session->shares[i].args->flags &= ~(uint64_t)GRUC_ARGS_VALIDATE;
    }
    enum gruc_status status = worst_status(session);
    if (status != GRUC_OK)
        return status;
    grt_pool_run(session->pool, run_share, session);
    return worst_status(session);
}

enum gruc_status grt_session_run(struct grt_session *session)
{
    enum gruc_status status = grt_session_resolve(session);
    if (status == GRUC_OK)
        status = check_outputs(session);
    if (status == GRUC_OK && session->batch > 0) {
        status = grt_session_take_state(session, session->batch);
        if (status == GRUC_OK)
            status = prepare_shares(session);
        double begin = session->on_trial ? grt_trial_clock() : 0;
        if (status == GRUC_OK)
            status = run_shares(session);
        if (status == GRUC_OK && session->on_trial)
            grt_trial_note(&session->trial, session->by_units,
                           grt_trial_clock() - begin,
                           (double)most_steps(session) * (double)session->batch);
        if (status == GRUC_OK && session->carry && session->state != NULL)
            session->state_live = 1;
    }
    if (status == GRUC_OK)
        session->error[0] = '\0';
    return status;
}

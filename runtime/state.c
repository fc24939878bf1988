/* SPDX-License-Identifier: MIT */
/* The state of a session: one structure a row, its first word telling whether a call has stored to
 * it, the states at the offsets of their infos. */
#include "runtime/session.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/memory.h"

enum gruc_status grt_session_take_state(struct grt_session *session, uint64_t batch)
{
    uint64_t row = session->info->state_bytes;
    if (row == 0 || (session->state != NULL && session->state_rows == batch))
        return GRUC_OK;
    if (session->state_live)
        return grt_session_fail(session, GRUC_ERROR_BATCH, "batch %" PRIu64
                                ", but the kept state has %" PRIu64 " rows: reset it first",
                                batch, session->state_rows);
    uint64_t bytes;
    if (!grt_memory_multiply(row, batch, &bytes))
        return grt_session_fail(session, GRUC_ERROR_MEMORY, "the state is too large");
    if (session->state == NULL || batch > session->state_room) {
        void *larger = grt_memory_take(bytes);
        if (larger == NULL)
            return grt_session_fail(session, GRUC_ERROR_MEMORY, "no memory for the state");
        free(session->state);
        session->state = larger;
        session->state_room = batch;
    }
    session->state_rows = batch;
    memset(session->state, 0, bytes);
    return GRUC_OK;
}

void grt_session_reset(struct grt_session *session)
{
    if (session->state != NULL)
        memset(session->state, 0, session->info->state_bytes * session->state_rows);
    session->state_live = 0;
}

enum gruc_status grt_session_set_state(struct grt_session *session, uint32_t index,
                                       const float *values, uint32_t rank, const int64_t *dims)
{
    const struct gruc_module_info *info = session->info;
    if (index >= info->n_states)
        return grt_session_fail(session, GRUC_ERROR_ARGUMENT, "the model has no state %" PRIu32,
                                index);
    const struct gruc_tensor_info *state = grt_module_state(info, index);
    /* Stateful layers need a static batch, so without one nothing would ever read the values. */
    if (!session->carry && info->batch == 0)
        return grt_session_fail(session, GRUC_ERROR_ARGUMENT,
                                "state '%s': this session keeps no state between calls",
                                state->name);
    if (rank != 2 || dims == NULL || dims[0] < 1 || dims[1] != state->dims[1])
        return grt_session_fail(session, GRUC_ERROR_SHAPE,
                                "state '%s' wants (batch, %" PRId64 ")", state->name,
                                state->dims[1]);
    if (info->batch != 0 && (uint64_t)dims[0] != info->batch)
        return grt_session_fail(session, GRUC_ERROR_SHAPE, "state '%s' wants (%" PRIu64
                                ", %" PRId64 "), not %" PRId64 " rows", state->name, info->batch,
                                state->dims[1], dims[0]);
    if (session->state_live && (uint64_t)dims[0] != session->state_rows)
        return grt_session_fail(session, GRUC_ERROR_SHAPE, "state '%s': %" PRId64
                                " rows, but the kept state has %" PRIu64 ": reset it first",
                                state->name, dims[0], session->state_rows);
    if (values == NULL)
        return grt_session_fail(session, GRUC_ERROR_ARGUMENT, "state '%s': no values",
                                state->name);
    enum gruc_status status = grt_session_take_state(session, (uint64_t)dims[0]);
    if (status != GRUC_OK)
        return status;
    const uint32_t started = 1;
    size_t width = (size_t)state->dims[1];
    for (uint64_t b = 0; b < session->state_rows; b++) {
        unsigned char *row = session->state + b * info->state_bytes;
        memcpy(row, &started, sizeof started);
        memcpy(row + state->offset, values + b * width, width * sizeof *values);
    }
    session->state_live = 1;
    return GRUC_OK;
}

enum gruc_status grt_session_get_state(const struct grt_session *session, uint32_t index,
                                       float *values, size_t count)
{
    const struct gruc_module_info *info = session->info;
    if (index >= info->n_states || session->state == NULL)
        return GRUC_ERROR_ARGUMENT;
    const struct gruc_tensor_info *state = grt_module_state(info, index);
    size_t width = (size_t)state->dims[1];
    if (values == NULL || count != width * session->state_rows)
        return GRUC_ERROR_SHAPE;
    for (uint64_t b = 0; b < session->state_rows; b++)
        memcpy(values + b * width, session->state + b * info->state_bytes + state->offset,
               width * sizeof *values);
    return GRUC_OK;
}

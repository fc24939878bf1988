/* SPDX-License-Identifier: MIT */
#include "runtime/session.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/memory.h"
#include "runtime/threads.h"
#include "runtime/words.h"

enum { MAX_THREADS = 1024 };

enum gruc_status grt_session_fail(struct grt_session *session, enum gruc_status status,
                                  const char *format, ...)
{
    va_list list;
    va_start(list, format);
    grt_words_vformat(session->error, sizeof session->error, format, list);
    va_end(list);
    return status;
}

const char *grt_session_error(const struct grt_session *session)
{
    return session->error;
}

static struct gruc_args *create_args(const struct gruc_module_info *info)
{
    size_t tail = (size_t)info->n_steps + info->n_inputs + info->n_outputs;
    struct gruc_args *args = calloc(1, sizeof *args + 8 * tail);
    if (args != NULL)
        args->abi = GRUC_ABI_VERSION;
    return args;
}

static enum gruc_status allocate(struct grt_session *session)
{
    const struct gruc_module_info *info = session->info;
    session->inputs = calloc(info->n_inputs, sizeof *session->inputs);
    session->outputs = calloc(info->n_outputs, sizeof *session->outputs);
    session->shares = calloc(session->n_shares, sizeof *session->shares);
    if (session->inputs == NULL || session->outputs == NULL || session->shares == NULL)
        return GRUC_ERROR_MEMORY;
    for (unsigned i = 0; i < session->n_shares; i++)
        if ((session->shares[i].args = create_args(info)) == NULL)
            return GRUC_ERROR_MEMORY;
    if (info->batch != 0) {
        enum gruc_status status = grt_session_take_state(session, info->batch);
        if (status != GRUC_OK)
            return status;
    }
    enum gruc_status status = grt_barrier_create(session->n_shares, &session->barrier);
    if (status == GRUC_OK && session->n_shares > 1)
        status = grt_pool_create(session->n_shares - 1, &session->pool);
    return status;
}

enum gruc_status grt_session_create(const struct grt_module *module,
                                    const struct grt_session_options *options,
                                    struct grt_session **out)
{
    *out = NULL;
    struct grt_session_options known = {.threads = 1};
    if (module == NULL || (options != NULL && options->size < sizeof options->size))
        return GRUC_ERROR_ARGUMENT;
    if (options != NULL) /* an older caller's structure may be shorter, a newer one's longer */
        memcpy(&known, options, options->size < sizeof known ? options->size : sizeof known);
    if (known.threads > MAX_THREADS)
        return GRUC_ERROR_ARGUMENT;
    struct grt_session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return GRUC_ERROR_MEMORY;
    session->module = module;
    session->info = module->info;
    session->carry = known.carry != 0;
    session->eager = known.eager != 0;
    session->n_shares = known.threads == 0 ? 1 : known.threads;
    unsigned processors = grt_pool_processors();
    if (!session->eager && session->n_shares > processors)
        session->n_shares = processors;
    enum gruc_status status = allocate(session);
    if (status != GRUC_OK) {
        grt_session_destroy(session);
        return status;
    }
    *out = session;
    return GRUC_OK;
}

void grt_session_destroy(struct grt_session *session)
{
    if (session == NULL)
        return;
    grt_pool_destroy(session->pool);
    grt_barrier_destroy(session->barrier);
    for (unsigned i = 0; session->shares != NULL && i < session->n_shares; i++) {
        free(session->shares[i].args);
        free(session->shares[i].workspace);
    }
    free(session->shares);
    free(session->inputs);
    free(session->outputs);
    free(session->state);
    free(session);
}

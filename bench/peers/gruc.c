/* SPDX-License-Identifier: MIT */
/* gruc itself: a shared library that `gruc compile` wrote, run by a session of libgruc_rt, or step
 * by step through the function that its header declares. */
#include "../worker.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include <gruc/runtime.h>

struct gruc {
    struct grt_module *module;
    struct grt_session *session;
    void *library; /* of a streaming subject */
    void *state;
    void (*step)(void *state, const float *x, float *y);
};

static void release(void *context)
{
    struct gruc *gruc = context;
    grt_session_destroy(gruc->session);
    grt_module_destroy(gruc->module);
    free(gruc->state);
    if (gruc->library != NULL)
        dlclose(gruc->library);
    free(gruc);
}

static int succeeded(const struct gruc *gruc, enum gruc_status status)
{
    if (status != GRUC_OK)
        fprintf(stderr, "gruc: %s: %s\n", gruc_status_text(status),
                gruc->session != NULL ? grt_session_error(gruc->session) : "");
    return status == GRUC_OK;
}

static int call_session(struct subject *subject)
{
    struct gruc *gruc = subject->context;
    return !succeeded(gruc, grt_session_run(gruc->session));
}

static int call_steps(struct subject *subject)
{
    const struct gruc *gruc = subject->context;
    const float *x = subject->input;
    float *y = subject->output;
    for (size_t t = 0; t < subject->steps; t++, x += subject->width, y += subject->outputs)
        gruc->step(gruc->state, x, y);
    return 0;
}

/* The models have the inputs x and, when masked, m after it, and one output. */
static int open_session(struct gruc *gruc, const struct subject *subject)
{
    const struct grt_session_options options = {.size = sizeof options,
                                                .threads = (unsigned)subject->threads};
    const int64_t batch = (int64_t)subject->batch, steps = (int64_t)subject->steps;
    const int64_t x_dims[] = {batch, steps, (int64_t)subject->width};
    const int64_t m_dims[] = {batch, steps};
    const size_t bytes = subject->batch * subject->steps * subject->outputs * sizeof(float);
    if (!succeeded(gruc, grt_session_create(gruc->module, &options, &gruc->session)) ||
        !succeeded(gruc, grt_session_bind_input(gruc->session, 0, subject->input, GRUC_FLOAT32, 3,
                                                x_dims)))
        return 1;
    if (subject->mask != NULL &&
        !succeeded(gruc,
                   grt_session_bind_input(gruc->session, 1, subject->mask, GRUC_BOOL, 2, m_dims)))
        return 1;
    return !succeeded(gruc, grt_session_bind_output(gruc->session, 0, subject->output, bytes));
}

static int open_step(struct gruc *gruc, const struct subject *subject)
{
    gruc->library = dlopen(subject->library, RTLD_NOW | RTLD_LOCAL);
    if (subject_find(subject->library, gruc->library, "bench_step", sizeof gruc->step,
                     &gruc->step) != 0)
        return 1;
    gruc->state = subject_take(grt_module_info(gruc->module)->state_bytes);
    return gruc->state == NULL;
}

int subject_open(struct subject *subject)
{
    struct gruc *gruc = calloc(1, sizeof *gruc);
    if (gruc == NULL)
        return 1;
    subject->context = gruc;
    subject->release = release;
    subject->call = subject->streaming ? call_steps : call_session;
    if (!succeeded(gruc, grt_module_open(subject->library, &gruc->module)))
        return 1;
    return subject->streaming ? open_step(gruc, subject) : open_session(gruc, subject);
}

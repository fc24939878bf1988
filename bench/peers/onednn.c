/* SPDX-License-Identifier: MIT */
/* oneDNN, versions 2 and 3, whose C APIs differ in how a primitive and a memory are described. */
#include "../worker.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARGUMENTS = 7, SEQUENCE_RANK = 3, STATE_RANK = 4, WEIGHTS_RANK = 5, MEMORIES = 16 };

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t description;
typedef const_dnnl_memory_desc_t description_view;
#define VIEW(description) (description)
#else
typedef dnnl_memory_desc_t description;
typedef const dnnl_memory_desc_t *description_view;
#define VIEW(description) (&(description))
#endif

struct onednn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_desc_t plan;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t arguments[ARGUMENTS];
    dnnl_memory_t input, output;
    dnnl_memory_t states[2];          /* one is read, the other written, by turns when streaming */
    dnnl_memory_t memories[MEMORIES]; /* all of them, to release */
    size_t memory_count;
};

/* The arrays' descriptions, first as given, then as the primitive wants them. */
struct shapes {
    description input, output, state, kernel, recurrent_kernel, bias;
    description any_kernel, any_recurrent_kernel;
};

static int succeeded(dnnl_status_t status)
{
    if (status != dnnl_success)
        fprintf(stderr, "oneDNN: status %d\n", (int)status);
    return status == dnnl_success;
}

static void release(void *context)
{
    struct onednn *onednn = context;
    dnnl_primitive_destroy(onednn->primitive);
    for (size_t i = 0; i < onednn->memory_count; i++)
        dnnl_memory_destroy(onednn->memories[i]);
    dnnl_primitive_desc_destroy(onednn->plan);
    if (onednn->stream != NULL)
        dnnl_stream_destroy(onednn->stream);
    if (onednn->engine != NULL)
        dnnl_engine_destroy(onednn->engine);
    free(onednn);
}

static int describe(int rank, const dnnl_dims_t dims, dnnl_format_tag_t tag, description *out)
{
#if DNNL_VERSION_MAJOR >= 3
    return succeeded(dnnl_memory_desc_create_with_tag(out, rank, dims, dnnl_f32, tag));
#else
    return succeeded(dnnl_memory_desc_init_by_tag(out, rank, dims, dnnl_f32, tag));
#endif
}

static int describe_all(const struct subject *subject, struct shapes *out)
{
    const dnnl_dim_t steps = subject->streaming ? 1 : (dnnl_dim_t)subject->steps;
    const dnnl_dim_t batch = (dnnl_dim_t)subject->batch, units = (dnnl_dim_t)subject->units;
    const dnnl_dim_t width = (dnnl_dim_t)subject->width;
    const dnnl_dims_t x = {steps, batch, width}, y = {steps, batch, units};
    const dnnl_dims_t state = {1, 1, batch, units};
    const dnnl_dims_t kernel = {1, 1, width, 3, units}, recurrent = {1, 1, units, 3, units};
    const dnnl_dims_t bias = {1, 1, subject->reset_after ? 4 : 3, units};
    return describe(SEQUENCE_RANK, x, dnnl_tnc, &out->input) &&
           describe(SEQUENCE_RANK, y, dnnl_tnc, &out->output) &&
           describe(STATE_RANK, state, dnnl_ldnc, &out->state) &&
           describe(WEIGHTS_RANK, kernel, dnnl_ldigo, &out->kernel) &&
           describe(WEIGHTS_RANK, recurrent, dnnl_ldigo, &out->recurrent_kernel) &&
           describe(STATE_RANK, bias, dnnl_ldgo, &out->bias) &&
           describe(WEIGHTS_RANK, kernel, dnnl_format_tag_any, &out->any_kernel) &&
           describe(WEIGHTS_RANK, recurrent, dnnl_format_tag_any, &out->any_recurrent_kernel);
}

static int make_plan(struct onednn *onednn, const struct subject *subject, struct shapes *s)
{
#if DNNL_VERSION_MAJOR >= 3
    dnnl_status_t (*create)(dnnl_primitive_desc_t *, dnnl_engine_t, dnnl_prop_kind_t,
                            dnnl_rnn_direction_t, description_view, description_view,
                            description_view, description_view, description_view, description_view,
                            description_view, unsigned, const_dnnl_primitive_attr_t) =
        subject->reset_after ? dnnl_lbr_gru_forward_primitive_desc_create
                             : dnnl_gru_forward_primitive_desc_create;
    return succeeded(create(&onednn->plan, onednn->engine, dnnl_forward_inference,
                            dnnl_unidirectional_left2right, s->input, s->state, s->any_kernel,
                            s->any_recurrent_kernel, s->bias, s->output, s->state, 0, NULL));
#else
    dnnl_rnn_desc_t rnn;
    dnnl_status_t (*init)(dnnl_rnn_desc_t *, dnnl_prop_kind_t, dnnl_rnn_direction_t,
                          description_view, description_view, description_view, description_view,
                          description_view, description_view, description_view, unsigned) =
        subject->reset_after ? dnnl_lbr_gru_forward_desc_init : dnnl_gru_forward_desc_init;
    return succeeded(init(&rnn, dnnl_forward_inference, dnnl_unidirectional_left2right, &s->input,
                          &s->state, &s->any_kernel, &s->any_recurrent_kernel, &s->bias, &s->output,
                          &s->state, 0)) &&
           succeeded(dnnl_primitive_desc_create(&onednn->plan, &rnn, NULL, onednn->engine, NULL));
#endif
}

static int make_memory(struct onednn *onednn, description_view view, void *data, dnnl_memory_t *out)
{
    if (!succeeded(dnnl_memory_create(out, view, onednn->engine, data)))
        return 0;
    onednn->memories[onednn->memory_count++] = *out;
    return 1;
}

/* A copy of an array as the primitive wants it. */
static int reorder(struct onednn *onednn, description_view given, void *data, int index,
                   dnnl_memory_t *out)
{
    dnnl_memory_t plain;
    dnnl_primitive_desc_t plan = NULL;
    dnnl_primitive_t primitive = NULL;
    description_view wanted =
        dnnl_primitive_desc_query_md(onednn->plan, dnnl_query_weights_md, index);
    int done = make_memory(onednn, given, data, &plain) &&
               make_memory(onednn, wanted, DNNL_MEMORY_ALLOCATE, out) &&
               succeeded(dnnl_reorder_primitive_desc_create(&plan, given, onednn->engine, wanted,
                                                            onednn->engine, NULL)) &&
               succeeded(dnnl_primitive_create(&primitive, plan));
    if (done) {
        const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, plain}, {DNNL_ARG_TO, *out}};
        done = succeeded(dnnl_primitive_execute(primitive, onednn->stream, 2, arguments)) &&
               succeeded(dnnl_stream_wait(onednn->stream));
    }
    dnnl_primitive_destroy(primitive);
    dnnl_primitive_desc_destroy(plan);
    return done;
}

/* z, r, candidate of the input, candidate of the state: the first two are sums. */
static float *join_bias(const struct subject *subject)
{
    const size_t units = subject->units, gates = subject->reset_after ? 4 : 3;
    const float *given = subject->bias;
    float *bias = subject_take(gates * units * sizeof *bias);
    if (bias == NULL)
        return NULL;
    memcpy(bias, given, 3 * units * sizeof *bias);
    if (subject->reset_after) {
        for (size_t u = 0; u < 2 * units; u++)
            bias[u] += given[3 * units + u];
        memcpy(bias + 3 * units, given + 5 * units, units * sizeof *bias);
    }
    return bias;
}

static int fill_arguments(struct onednn *onednn, const struct subject *subject,
                          const struct shapes *s)
{
    dnnl_memory_t kernel, recurrent_kernel, bias;
    float *joined = join_bias(subject);
    int done = joined != NULL &&
               make_memory(onednn, VIEW(s->input), subject->input, &onednn->input) &&
               make_memory(onednn, VIEW(s->output), subject->output, &onednn->output) &&
               make_memory(onednn, VIEW(s->state), DNNL_MEMORY_ALLOCATE, &onednn->states[0]) &&
               make_memory(onednn, VIEW(s->state), DNNL_MEMORY_ALLOCATE, &onednn->states[1]) &&
               reorder(onednn, VIEW(s->kernel), subject->kernel, 0, &kernel) &&
               reorder(onednn, VIEW(s->recurrent_kernel), subject->recurrent_kernel, 1,
                       &recurrent_kernel) &&
               reorder(onednn, VIEW(s->bias), joined, 2, &bias);
    free(joined);
    if (!done)
        return 0;
    for (int i = 0; i < 2; i++) {
        void *data;
        if (!succeeded(dnnl_memory_get_data_handle(onednn->states[i], &data)))
            return 0;
        memset(data, 0, subject->batch * subject->units * sizeof(float));
    }
    const dnnl_exec_arg_t arguments[ARGUMENTS] = {{DNNL_ARG_SRC_LAYER, onednn->input},
                                                  {DNNL_ARG_SRC_ITER, onednn->states[0]},
                                                  {DNNL_ARG_WEIGHTS_LAYER, kernel},
                                                  {DNNL_ARG_WEIGHTS_ITER, recurrent_kernel},
                                                  {DNNL_ARG_BIAS, bias},
                                                  {DNNL_ARG_DST_LAYER, onednn->output},
                                                  {DNNL_ARG_DST_ITER, onednn->states[1]}};
    memcpy(onednn->arguments, arguments, sizeof arguments);
    return 1;
}

static int run(struct onednn *onednn)
{
    return succeeded(dnnl_primitive_execute(onednn->primitive, onednn->stream, ARGUMENTS,
                                            onednn->arguments)) &&
           succeeded(dnnl_stream_wait(onednn->stream));
}

static int call_sequence(struct subject *subject)
{
    return !run(subject->context);
}

static int call_steps(struct subject *subject)
{
    struct onednn *onednn = subject->context;
    for (size_t t = 0; t < subject->steps; t++) {
        onednn->arguments[1].memory = onednn->states[t & 1];
        onednn->arguments[6].memory = onednn->states[(t + 1) & 1];
        if (!succeeded(
                dnnl_memory_set_data_handle(onednn->input, subject->input + t * subject->width)) ||
            !succeeded(dnnl_memory_set_data_handle(onednn->output,
                                                   subject->output + t * subject->units)) ||
            !run(onednn))
            return 1;
    }
    return 0;
}

static void forget(struct shapes *shapes)
{
#if DNNL_VERSION_MAJOR >= 3
    description *const all[] = {&shapes->input,
                                &shapes->output,
                                &shapes->state,
                                &shapes->kernel,
                                &shapes->recurrent_kernel,
                                &shapes->bias,
                                &shapes->any_kernel,
                                &shapes->any_recurrent_kernel};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        dnnl_memory_desc_destroy(*all[i]);
#else
    (void)shapes;
#endif
}

int subject_open(struct subject *subject)
{
    struct shapes shapes;
    memset(&shapes, 0, sizeof shapes);
    struct onednn *onednn = calloc(1, sizeof *onednn);
    if (onednn == NULL)
        return 1;
    subject->context = onednn;
    subject->release = release;
    subject->call = subject->streaming ? call_steps : call_sequence;
    int done =
        succeeded(dnnl_engine_create(&onednn->engine, dnnl_cpu, 0)) &&
        succeeded(dnnl_stream_create(&onednn->stream, onednn->engine, dnnl_stream_default_flags)) &&
        describe_all(subject, &shapes) && make_plan(onednn, subject, &shapes) &&
        succeeded(dnnl_primitive_create(&onednn->primitive, onednn->plan)) &&
        fill_arguments(onednn, subject, &shapes);
    forget(&shapes);
    return !done;
}

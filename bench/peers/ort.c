/* SPDX-License-Identifier: MIT */
/* ONNX Runtime through its C API. */
#include "../worker.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ORT_API_VERSION_USED = 14,
    ORT_LOG_ERROR = 3,
    ORT_SEQUENTIAL = 0,
    ORT_ENABLE_ALL = 99,
    ORT_FLOAT = 1,
    ORT_INT32 = 6,
    ORT_DEVICE_ALLOCATOR = 0,
    ORT_MEMORY_DEFAULT = 0,
    ORT_RANK = 3,
    ORT_OUTPUT_RANK = 4,
};

struct ort_functions {
#define ORT_FUNCTION(place, name, result, parameters) result(*name) parameters;
#include "ort.def"
#undef ORT_FUNCTION
};

typedef void (*ort_slot)(void);

struct ort_base {
    const ort_slot *(*get_table)(uint32_t version);
    const char *(*get_version)(void);
};

struct ort {
    struct ort_functions api;
    void *library;
    void *env, *options, *session, *memory_info, *input, *output;
    void *extra[2]; /* the lengths, or two states that are read and written in turn */
    float *step_input, *states[2];
    int turn;
};

static void read_table(const ort_slot *table, struct ort_functions *out)
{
#define ORT_FUNCTION(place, name, result, parameters)                                              \
    memcpy(&out->name, &table[place], sizeof out->name);
#include "ort.def"
#undef ORT_FUNCTION
}

static int succeeded(const struct ort *ort, const void *status)
{
    if (status != NULL)
        fprintf(stderr, "ONNX Runtime: %s\n", ort->api.get_error_message(status));
    return status == NULL;
}

static void release(void *context)
{
    struct ort *ort = context;
    void *const values[] = {ort->input, ort->output, ort->extra[0], ort->extra[1]};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (values[i] != NULL)
            ort->api.release_value(values[i]);
    if (ort->memory_info != NULL)
        ort->api.release_memory_info(ort->memory_info);
    if (ort->session != NULL)
        ort->api.release_session(ort->session);
    if (ort->options != NULL)
        ort->api.release_session_options(ort->options);
    if (ort->env != NULL)
        ort->api.release_env(ort->env);
    if (ort->library != NULL)
        dlclose(ort->library);
    free(ort->step_input);
    free(ort->states[0]);
    free(ort->states[1]);
    free(ort);
}

static int run(struct ort *ort, size_t n_inputs, void **outputs)
{
    static const char *const input_names[] = {"x", "extra"};
    static const char *const output_names[] = {"y"};
    const void *inputs[] = {ort->input, ort->extra[ort->turn]};
    return succeeded(ort, ort->api.run(ort->session, NULL, input_names, inputs, n_inputs,
                                       output_names, 1, outputs));
}

static int call_sequence(struct subject *subject)
{
    struct ort *ort = subject->context;
    return !run(ort, subject->lengths != NULL ? 2 : 1, &ort->output);
}

/* The model's input and output lie where the tensors say, so a step is copied in and out; the state
 * of a step is the output of the one before, by taking turns. */
static int call_steps(struct subject *subject)
{
    struct ort *ort = subject->context;
    const size_t width = subject->width, units = subject->units;
    for (size_t t = 0; t < subject->steps; t++) {
        memcpy(ort->step_input, subject->input + t * width, width * sizeof(float));
        if (!run(ort, 2, &ort->extra[1 - ort->turn]))
            return 1;
        ort->turn = 1 - ort->turn;
        memcpy(subject->output + t * units, ort->states[ort->turn], units * sizeof(float));
    }
    return 0;
}

static int open_library(struct ort *ort, const char *library)
{
    const struct ort_base *(*get_base)(void);
    ort->library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (subject_find(library, ort->library, "OrtGetApiBase", sizeof get_base, &get_base) != 0)
        return 1;
    const ort_slot *table = get_base()->get_table(ORT_API_VERSION_USED);
    if (table == NULL) {
        fprintf(stderr, "%s: no version %d of the C API\n", library, ORT_API_VERSION_USED);
        return 1;
    }
    read_table(table, &ort->api);
    return 0;
}

/* In the order of the graph, every optimisation. */
static int open_session(struct ort *ort, const struct subject *subject)
{
    const int threads = (int)subject->threads;
    const struct ort_functions *api = &ort->api;
    return !(
        succeeded(ort, api->create_env(ORT_LOG_ERROR, "bench", &ort->env)) &&
        succeeded(ort, api->create_session_options(&ort->options)) &&
        succeeded(ort, api->set_intra_op_threads(ort->options, threads)) &&
        succeeded(ort, api->set_inter_op_threads(ort->options, 1)) &&
        succeeded(ort, api->set_execution_mode(ort->options, ORT_SEQUENTIAL)) &&
        succeeded(ort, api->set_graph_optimization_level(ort->options, ORT_ENABLE_ALL)) &&
        succeeded(ort, api->create_session(ort->env, subject->model, ort->options, &ort->session)));
}

static int make_tensor(struct ort *ort, void *data, int type, const int64_t *dims, size_t rank,
                       void **out)
{
    size_t bytes = 4; /* of an element of either type */
    for (size_t i = 0; i < rank; i++)
        bytes *= (size_t)dims[i];
    return succeeded(ort, ort->api.create_tensor_with_data(ort->memory_info, data, bytes, dims,
                                                           rank, type, out));
}

/* The tensors are the caller's arrays, so a call copies nothing. */
static int make_tensors(struct ort *ort, const struct subject *subject)
{
    const int64_t steps = (int64_t)subject->steps, batch = (int64_t)subject->batch;
    const int64_t in_dims[ORT_RANK] = {steps, batch, (int64_t)subject->width};
    const int64_t out_dims[ORT_OUTPUT_RANK] = {steps, (int64_t)(subject->outputs / subject->units),
                                               batch, (int64_t)subject->units};
    return make_tensor(ort, subject->input, ORT_FLOAT, in_dims, ORT_RANK, &ort->input) &&
           make_tensor(ort, subject->output, ORT_FLOAT, out_dims, ORT_OUTPUT_RANK, &ort->output) &&
           (subject->lengths == NULL ||
            make_tensor(ort, subject->lengths, ORT_INT32, &batch, 1, &ort->extra[0]));
}

static int make_step_tensors(struct ort *ort, const struct subject *subject)
{
    const int64_t in_dims[ORT_RANK] = {1, 1, (int64_t)subject->width};
    const int64_t state_dims[ORT_RANK] = {1, 1, (int64_t)subject->units};
    ort->step_input = subject_take(subject->width * sizeof(float));
    for (int i = 0; i < 2; i++) {
        ort->states[i] = subject_take(subject->units * sizeof(float));
        if (ort->states[i] == NULL ||
            !make_tensor(ort, ort->states[i], ORT_FLOAT, state_dims, ORT_RANK, &ort->extra[i]))
            return 0;
    }
    return ort->step_input != NULL &&
           make_tensor(ort, ort->step_input, ORT_FLOAT, in_dims, ORT_RANK, &ort->input);
}

int subject_open(struct subject *subject)
{
    struct ort *ort = calloc(1, sizeof *ort);
    if (ort == NULL)
        return 1;
    subject->context = ort;
    subject->release = release;
    subject->call = subject->streaming ? call_steps : call_sequence;
    if (open_library(ort, subject->library) != 0 || open_session(ort, subject) != 0 ||
        !succeeded(ort, ort->api.create_cpu_memory_info(ORT_DEVICE_ALLOCATOR, ORT_MEMORY_DEFAULT,
                                                        &ort->memory_info)))
        return 1;
    return subject->streaming ? !make_step_tensors(ort, subject) : !make_tensors(ort, subject);
}

/* SPDX-License-Identifier: MIT */
#include "subject.h"

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
    if (ort->output != NULL)
        ort->api.release_value(ort->output);
    if (ort->input != NULL)
        ort->api.release_value(ort->input);
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
    free(ort);
}

static int call(struct subject *subject)
{
    static const char *const input_names[] = {"x"};
    static const char *const output_names[] = {"y"};
    struct ort *ort = subject->context;
    const void *inputs[] = {ort->input};
    return !succeeded(ort, ort->api.run(ort->session, NULL, input_names, inputs, 1, output_names,
                                        1, &ort->output));
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

/* One thread, in the order of the graph, every optimisation. */
static int open_session(struct ort *ort, const char *model)
{
    const struct ort_functions *api = &ort->api;
    return !(succeeded(ort, api->create_env(ORT_LOG_ERROR, "bench", &ort->env)) &&
             succeeded(ort, api->create_session_options(&ort->options)) &&
             succeeded(ort, api->set_intra_op_threads(ort->options, 1)) &&
             succeeded(ort, api->set_inter_op_threads(ort->options, 1)) &&
             succeeded(ort, api->set_execution_mode(ort->options, ORT_SEQUENTIAL)) &&
             succeeded(ort, api->set_graph_optimization_level(ort->options, ORT_ENABLE_ALL)) &&
             succeeded(ort, api->create_session(ort->env, model, ort->options, &ort->session)));
}

/* The tensors are the caller's arrays, so a call copies nothing. */
static int make_tensors(struct ort *ort, const struct subject *subject)
{
    const struct ort_functions *api = &ort->api;
    const struct subject_sizes *sizes = &subject->sizes;
    const int64_t steps = (int64_t)sizes->steps;
    const int64_t in_dims[ORT_RANK] = {steps, 1, (int64_t)sizes->width};
    const int64_t out_dims[ORT_OUTPUT_RANK] = {steps, 1, 1, (int64_t)sizes->units};
    const size_t in_bytes = sizes->steps * sizes->width * sizeof(float);
    const size_t out_bytes = sizes->steps * sizes->units * sizeof(float);
    return !(succeeded(ort, api->create_cpu_memory_info(ORT_DEVICE_ALLOCATOR, ORT_MEMORY_DEFAULT,
                                                        &ort->memory_info)) &&
             succeeded(ort, api->create_tensor_with_data(ort->memory_info, subject->input, in_bytes,
                                                         in_dims, ORT_RANK, ORT_FLOAT,
                                                         &ort->input)) &&
             succeeded(ort, api->create_tensor_with_data(ort->memory_info, subject->output,
                                                         out_bytes, out_dims, ORT_OUTPUT_RANK,
                                                         ORT_FLOAT, &ort->output)));
}

int subject_open_ort(struct subject *subject, const char *library, const char *model)
{
    struct ort *ort = calloc(1, sizeof *ort);
    if (ort == NULL) {
        fprintf(stderr, "out of memory\n");
        return 1;
    }
    subject->context = ort;
    subject->release = release;
    subject->call = call;
    return open_library(ort, library) != 0 || open_session(ort, model) != 0 ||
           make_tensors(ort, subject) != 0;
}

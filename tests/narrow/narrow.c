/* SPDX-License-Identifier: MIT */
/* Narrow weights: code with bf16 and f16 computes, bit for bit, what float32 code computes with the
 * rounded weights, on every kind of target and for every kind of layer. */
#include <stdio.h>
#include <string.h>

#include <gruc/compiler.h>

#include "driver/compile.h"
#include "driver/random_inputs.h"
#include "runtime/feed.h"

enum { BATCH = 5, STEPS = 6, MOST_ARRAYS = 8 };

static const struct {
    const char *name, *text;
} models[] = {
    {"after_1", "{inputs: {x: [~, 3]}, layers: [{GRU: {units: 1}}]}"},
    {"after_16", "{inputs: {x: [~, 5]}, layers: [{GRU: {units: 16, return_sequences: true}}]}"},
    {"after_33", "{inputs: {x: [~, 33]}, layers: [{GRU: {units: 33, return_state: true}}]}"},
    {"before_40", "{inputs: {x: [~, 7]}, layers: [{GRU: {units: 40, reset_after: false}}]}"},
    {"after_100", "{inputs: {x: [~, 64]}, layers: [{GRU: {units: 100, return_sequences: true}}]}"},
    {"before_129", "{inputs: {x: [~, 65]}, layers: [{GRU: {units: 129, reset_after: false}}]}"},
    {"mask", "{inputs: {x: [~, 70], m: {shape: [~], dtype: bool}}, layers: [{GRU: {inputs: x, "
             "mask: m, units: 70, return_sequences: true}}]}"},
    {"state", "{inputs: {x: [~, 64], h: [64]}, layers: [{GRU: {inputs: x, initial_state: h, "
              "units: 64, activation: relu, go_backwards: true}}]}"},
    {"bidirectional", "{inputs: {x: [~, 48]}, layers: [{Bidirectional: {merge_mode: ave, layer: "
                      "{GRU: {units: 66, return_sequences: true}}}}, {Dense: {units: 80}}]}"},
    {"stack", "{inputs: {x: [4, 80]}, layers: [{GRU: {units: 64, return_sequences: true, unroll: "
              "true}}, {GRU: {units: 65, use_bias: false}}, {Dense: {units: 3, activation: "
              "softmax}}]}"},
};
enum { MODELS = sizeof models / sizeof models[0] };

static const char *const processors[] = {
    NULL,
#if defined(__x86_64__)
    "x86-64-v3", "x86-64-v4", "x86-64",
#endif
};
enum { PROCESSORS = sizeof processors / sizeof processors[0] };

static int can_run(const char *processor)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (processor != NULL && strcmp(processor, "x86-64-v4") == 0)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
    if (processor != NULL && strcmp(processor, "x86-64-v3") == 0)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return processor == NULL || strcmp(processor, "x86-64") == 0;
}

static int is_kernel(const char *name)
{
    size_t length = strlen(name);
    return length > 6 && strcmp(name + length - 6, "kernel") == 0;
}

static void round_parameters(struct gruc_model *model, enum gruc_weights weights)
{
    for (size_t i = 0; i < model->n_parameters; i++) {
        struct gruc_parameter *parameter = model->parameters[i];
        size_t count = (size_t)parameter->rows * parameter->columns;
        for (size_t k = 0; is_kernel(parameter->name) && k < count; k++)
            parameter->data[k] = gruc_narrow_round(weights, parameter->data[k]);
    }
}

/* One way to compute a model: the type its code stores, the type its weights were rounded to before
 * they were given. */
struct way {
    const char *processor;
    enum gruc_weights_type stored;
    enum gruc_weights rounded;
};

struct outputs {
    struct gruc_array arrays[MOST_ARRAYS];
    size_t count;
};

static enum gruc_status feed(const struct gruc_model *model, const struct grt_module *module,
                             struct outputs *out)
{
    const struct gruc_module_info *info = grt_module_info(module);
    struct gruc_array inputs[MOST_ARRAYS] = {{0}};
    struct gruc_random_inputs wish = {.batch = BATCH, .steps = STEPS, .seed = 7};
    struct grt_feed_options options = {.threads = 1};
    char error[GRT_FEED_ERROR_BYTES];
    enum gruc_status status = gruc_random_inputs_make(model, info, &wish, inputs);
    if (status == GRUC_OK)
        status = grt_feed(module, inputs, &options, out->arrays, error);
    out->count = status == GRUC_OK ? info->n_outputs : 0;
    gruc_arrays_finish(inputs, info->n_inputs);
    return status;
}

static enum gruc_status compute(size_t index, const struct way *way, struct outputs *out)
{
    struct gruc_options options;
    struct gruc_model_handle *handle = NULL;
    struct grt_module *module = NULL;
    gruc_options_init(&options);
    options.backend = "cpu";
    options.cpu = way->processor;
    options.weights_type = way->stored;
    options.seed = 3;
    *out = (struct outputs){.count = 0};
    enum gruc_status status = gruc_model_parse("model.yaml", models[index].text,
                                               strlen(models[index].text), &options, &handle);
    if (status == GRUC_OK)
        round_parameters(handle->model, way->rounded);
    if (status == GRUC_OK)
        status = gruc_model_jit(handle, &options, &module);
    if (status == GRUC_OK)
        status = feed(handle->model, module, out);
    grt_module_destroy(module);
    gruc_model_destroy(handle);
    return status;
}

static int same(const struct outputs *a, const struct outputs *b)
{
    int equal = a->count == b->count && a->count > 0;
    for (size_t i = 0; equal && i < a->count; i++)
        equal = a->arrays[i].bytes == b->arrays[i].bytes &&
                memcmp(a->arrays[i].data, b->arrays[i].data, a->arrays[i].bytes) == 0;
    return equal;
}

static int compare(size_t index, const char *what, const struct way *a, const struct way *b,
                   int wanted)
{
    struct outputs by_a, by_b;
    enum gruc_status first = compute(index, a, &by_a), second = compute(index, b, &by_b);
    const char *processor = a->processor == NULL ? "native" : a->processor;
    int good = first == GRUC_OK && second == GRUC_OK && same(&by_a, &by_b) == wanted;
    printf("%s narrow %s %s %s", good ? "ok" : "not ok", models[index].name, processor, what);
    if (!good)
        printf(": %s", first != GRUC_OK || second != GRUC_OK ? "it does not run"
                       : wanted                              ? "other bits"
                                                             : "the same bits");
    printf("\n");
    gruc_arrays_finish(by_a.arrays, by_a.count);
    gruc_arrays_finish(by_b.arrays, by_b.count);
    return good;
}

static int check(size_t index, const char *processor)
{
    static const struct {
        const char *name, *automatic;
        enum gruc_weights_type stored;
        enum gruc_weights rounded;
    } types[] = {{"bf16", "auto for bf16", GRUC_WEIGHTS_TYPE_BF16, GRUC_WEIGHTS_BF16},
                 {"f16", "auto for f16", GRUC_WEIGHTS_TYPE_F16, GRUC_WEIGHTS_F16}};
    int good = 1;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct way narrow = {processor, types[i].stored, GRUC_WEIGHTS_F32};
        struct way wide = {processor, GRUC_WEIGHTS_TYPE_F32, types[i].rounded};
        struct way automatic = {processor, GRUC_WEIGHTS_TYPE_AUTO, types[i].rounded};
        struct way exact = {processor, GRUC_WEIGHTS_TYPE_F32, GRUC_WEIGHTS_F32};
        good &= compare(index, types[i].name, &narrow, &wide, 1);
        good &= compare(index, types[i].automatic, &automatic, &wide, 1);
        good &= compare(index, "is not f32", &narrow, &exact, 0);
    }
    return good;
}

int main(void)
{
    int good = 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t p = 0; p < PROCESSORS; p++) {
        if (!can_run(processors[p])) {
            printf("skip narrow %s: this processor cannot run it\n", processors[p]);
            continue;
        }
        for (size_t i = 0; i < MODELS; i++)
            good &= check(i, processors[p]);
    }
    return !good;
}

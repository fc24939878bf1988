/* SPDX-License-Identifier: MIT */
/* Narrow weights: code with f16, and by itself with bf16, computes, bit for bit, what float32 code
 * computes with the rounded weights, on every kind of target and for every kind of layer; code with
 * int8 and with bf16 that was asked for stays near the truth and has the same bits on every target
 * with FMA; products by bf16 numbers are those of float32 code with both factors rounded. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <gruc/compiler.h>

#include "driver/compile.h"
#include "driver/random_inputs.h"
#include "runtime/feed.h"

enum { BATCH = 5, STEPS = 6, MOST_ARRAYS = 8 };

/* The worst errors that outputs may have; int8's is zero where no product is large enough for it.
 * bf16 leaves each factor an error of up to 2^-9. n products of numbers up to 1 by weights of about
 * 1 / sqrt(n) then have one of about 2^-9 together, and twice to four times that is the worst of
 * some hundred; through the gates of a GRU comes a quarter to a half of it. */
static const struct {
    double bf16_error, int8_error;
    const char *name, *text;
} models[] = {
    {4e-3, 0, "after_1",
     "{inputs: {x: [~, 3]}, layers: [{GRU: {units: 1}}]}"},
    {4e-3, 0, "after_16",
     "{inputs: {x: [~, 5]}, layers: [{GRU: {units: 16, return_sequences: true}}]}"},
    {4e-3, 8e-3, "after_33",
     "{inputs: {x: [~, 33]}, layers: [{GRU: {units: 33, return_state: true}}]}"},
    {4e-3, 8e-3, "before_40",
     "{inputs: {x: [~, 7]}, layers: [{GRU: {units: 40, reset_after: false}}]}"},
    {4e-3, 8e-3, "after_100",
     "{inputs: {x: [~, 64]}, layers: [{GRU: {units: 100, return_sequences: true}}]}"},
    {4e-3, 8e-3, "before_129",
     "{inputs: {x: [~, 65]}, layers: [{GRU: {units: 129, reset_after: false}}]}"},
    {4e-3, 8e-3, "mask",
     "{inputs: {x: [~, 70], m: {shape: [~], dtype: bool}}, layers: [{GRU: {inputs: x, "
     "mask: m, units: 70, return_sequences: true}}]}"},
    {8e-3, 8e-2, "state",
     "{inputs: {x: [~, 64], h: [64]}, layers: [{GRU: {inputs: x, initial_state: h, units: "
     "64, activation: relu, go_backwards: true}}]}"},
    {4e-3, 8e-3, "bidirectional",
     "{inputs: {x: [~, 48]}, layers: [{Bidirectional: {merge_mode: ave, layer: {GRU: "
     "{units: 66, return_sequences: true}}}}, {Dense: {units: 80}}]}"},
    {4e-3, 8e-3, "stack",
     "{inputs: {x: [4, 80]}, layers: [{GRU: {units: 64, return_sequences: true, unroll: "
     "true}}, {GRU: {units: 65, use_bias: false}}, {Dense: {units: 3, activation: "
     "softmax}}]}"},
    {8e-3, 1.2e-2, "product",
     "{inputs: {x: [~, 67]}, layers: [{Dense: {units: 37, use_bias: true}}]}"},
};
enum { MODELS = sizeof models / sizeof models[0], PRODUCT = MODELS - 1 };

static const char *const processors[] = {
    NULL,
#if defined(__x86_64__)
    "x86-64-v3", "x86-64-v4", "sandybridge", "x86-64",
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
    if (processor != NULL && strcmp(processor, "sandybridge") == 0)
        return __builtin_cpu_supports("avx");
#endif
    return processor == NULL || strcmp(processor, "x86-64") == 0;
}

/* Without it the bits are others. */
static int has_fma(const char *processor)
{
    return processor == NULL || strncmp(processor, "x86-64-v", 8) == 0;
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

/* One way to compute a model: the type its code stores, the type its weights and its inputs were
 * rounded to before they were given. */
struct way {
    const char *backend, *processor;
    enum gruc_weights_type stored;
    enum gruc_weights rounded, inputs;
};

struct outputs {
    struct gruc_array arrays[MOST_ARRAYS];
    size_t count;
};

/* Some numbers of inputs are made tiny, which bf16 rows have as zeros. */
static void round_input(struct gruc_array *array, enum gruc_weights weights)
{
    float *numbers = array->data;
    for (size_t i = 0; array->type == GRUC_NPY_FLOAT32 && i < array->count; i++) {
        if (i % 11 == 5)
            numbers[i] *= i % 2 == 0 ? 0x1p-60f : 0x1p-140f;
        if (weights == GRUC_WEIGHTS_BF16)
            numbers[i] = gruc_float_from_bf16(gruc_bf16_dot_from_float(numbers[i]));
    }
}

static enum gruc_status feed(const struct gruc_model *model, const struct grt_module *module,
                             enum gruc_weights rounded, struct outputs *out)
{
    const struct gruc_module_info *info = grt_module_info(module);
    struct gruc_array inputs[MOST_ARRAYS] = {{0}};
    struct gruc_random_inputs wish = {.batch = BATCH, .steps = STEPS, .seed = 7};
    struct grt_feed_options options = {.threads = 1};
    char error[GRT_FEED_ERROR_BYTES];
    enum gruc_status status = gruc_random_inputs_make(model, info, &wish, inputs);
    for (uint32_t i = 0; status == GRUC_OK && i < info->n_inputs; i++)
        round_input(&inputs[i], rounded);
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
    options.backend = way->backend;
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
        status = feed(handle->model, module, way->inputs, out);
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

static int report(size_t index, const char *processor, const char *what, const char *fault)
{
    printf("%s narrow %s %s %s%s%s\n", fault == NULL ? "ok" : "not ok", models[index].name,
           processor == NULL ? "native" : processor, what, fault == NULL ? "" : ": ",
           fault == NULL ? "" : fault);
    return fault == NULL;
}

/* Rounded weights: stored, given to float32 code, given to code that may store them as it likes. */
static int check_rounded(size_t index, const char *processor, const char *what,
                         enum gruc_weights_type stored, enum gruc_weights rounded,
                         const struct outputs *exact)
{
    struct way ways[3] = {{"cpu", processor, stored, GRUC_WEIGHTS_F32, GRUC_WEIGHTS_F32},
                          {"cpu", processor, GRUC_WEIGHTS_TYPE_F32, rounded, GRUC_WEIGHTS_F32},
                          {"cpu", processor, GRUC_WEIGHTS_TYPE_AUTO, rounded, GRUC_WEIGHTS_F32}};
    struct outputs outs[3];
    const char *fault = NULL;
    for (int i = 0; i < 3; i++)
        if (compute(index, &ways[i], &outs[i]) != GRUC_OK)
            fault = "it does not run";
    if (fault == NULL && stored != GRUC_WEIGHTS_TYPE_AUTO && !same(&outs[0], &outs[1]))
        fault = "other bits than those of rounded weights";
    if (fault == NULL && !same(&outs[2], &outs[1]))
        fault = "auto changes bits";
    if (fault == NULL && same(&outs[1], exact))
        fault = "nothing is rounded";
    for (int i = 0; i < 3; i++)
        gruc_arrays_finish(outs[i].arrays, outs[i].count);
    return report(index, processor, what, fault);
}

static double worst_error(const struct outputs *a, const struct outputs *b)
{
    double worst = a->count == b->count && a->count > 0 ? 0 : INFINITY;
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        const float *x = a->arrays[i].data, *y = b->arrays[i].data;
        for (size_t k = 0; k < a->arrays[i].count; k++)
            worst = fmax(worst, fabs((double)x[k] - (double)y[k]));
    }
    return worst;
}

/* int8, or bf16 that is asked for. first: what the first processor with FMA computed. */
static int check_error(size_t index, const char *processor, const char *what,
                       enum gruc_weights_type stored, double most, const struct outputs *exact,
                       struct outputs *first)
{
    struct way way = {"cpu", processor, stored, GRUC_WEIGHTS_F32, GRUC_WEIGHTS_F32};
    struct outputs out;
    const char *fault = compute(index, &way, &out) == GRUC_OK ? NULL : "it does not run";
    int keeps_bits = has_fma(processor), taken = 0;
    if (fault == NULL && !(worst_error(&out, exact) <= most))
        fault = "the error is larger than it should be";
    if (fault == NULL && most > 0 && same(&out, exact))
        fault = "nothing is quantized";
    if (fault == NULL && first->count > 0 && keeps_bits && !same(&out, first))
        fault = "other bits than on another processor";
    if (fault == NULL && first->count == 0 && keeps_bits) {
        *first = out;
        taken = 1;
    }
    if (!taken)
        gruc_arrays_finish(out.arrays, out.count);
    return report(index, processor, what, fault);
}

/* A product of rows as they are given: that of float32 code with both factors rounded, but for the
 * order of the sum. */
static int check_product(const char *processor)
{
    struct way ways[2] = {
        {"cpu", processor, GRUC_WEIGHTS_TYPE_BF16, GRUC_WEIGHTS_F32, GRUC_WEIGHTS_F32},
        {"cpu", processor, GRUC_WEIGHTS_TYPE_F32, GRUC_WEIGHTS_BF16, GRUC_WEIGHTS_BF16}};
    struct outputs outs[2];
    const char *fault = NULL;
    for (int i = 0; i < 2; i++)
        if (compute(PRODUCT, &ways[i], &outs[i]) != GRUC_OK)
            fault = "it does not run";
    if (fault == NULL && !(worst_error(&outs[0], &outs[1]) <= 1e-6))
        fault = "it is not that of rounded numbers";
    for (int i = 0; i < 2; i++)
        gruc_arrays_finish(outs[i].arrays, outs[i].count);
    return report(PRODUCT, processor, "bf16 rows", fault);
}

/* By types whose bits are those of no float32 code. */
struct firsts {
    struct outputs bf16, int8;
};

static int check(size_t index, const char *processor, struct firsts *firsts)
{
    struct way way = {"cpu", processor, GRUC_WEIGHTS_TYPE_F32, GRUC_WEIGHTS_F32,
                      GRUC_WEIGHTS_F32};
    struct outputs exact;
    if (compute(index, &way, &exact) != GRUC_OK)
        return report(index, processor, "f32", "it does not run");
    int good = check_rounded(index, processor, "auto", GRUC_WEIGHTS_TYPE_AUTO, GRUC_WEIGHTS_BF16,
                             &exact);
    good &= check_rounded(index, processor, "f16", GRUC_WEIGHTS_TYPE_F16, GRUC_WEIGHTS_F16,
                          &exact);
    good &= check_error(index, processor, "bf16", GRUC_WEIGHTS_TYPE_BF16, models[index].bf16_error,
                        &exact, &firsts->bf16);
    good &= check_error(index, processor, "int8", GRUC_WEIGHTS_TYPE_INT8, models[index].int8_error,
                        &exact, &firsts->int8);
    gruc_arrays_finish(exact.arrays, exact.count);
    return good;
}

int main(void)
{
    int good = 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t p = 1; p < PROCESSORS; p++)
        if (!can_run(processors[p]))
            printf("skip narrow %s: this processor cannot run it\n", processors[p]);
    for (size_t i = 0; i < MODELS; i++) {
        struct firsts firsts = {.bf16.count = 0};
        for (size_t p = 0; p < PROCESSORS; p++)
            if (can_run(processors[p]))
                good &= check(i, processors[p], &firsts);
        gruc_arrays_finish(firsts.bf16.arrays, firsts.bf16.count);
        gruc_arrays_finish(firsts.int8.arrays, firsts.int8.count);
    }
    for (size_t p = 0; p < PROCESSORS; p++)
        if (can_run(processors[p]))
            good &= check_product(processors[p]);
    return !good;
}

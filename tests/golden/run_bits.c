/* SPDX-License-Identifier: MIT */
/* Every golden case: the same bits by whatever way the numbers are computed. All ways are compared
 * with one call in this process for AVX2 and FMA (where this processor is an x86-64). */

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/golden/case.h"
#include "tests/support/pool.h"

enum { LARGE_BATCH = 33, MOST_UNROLLED = 20 };

struct run {
    const char *folder, *scratch;
    char **names;
    size_t count;
    unsigned long *failures; /* shared: one a case */
};

/* One case with what all comparisons share. */
struct subject {
    const struct test_case *item;
    const char *folder;
    struct test_listener listener;
    struct gruc_options options; /* of the base */
    struct grt_module *module;
    struct test_call *outs; /* of each call in one session */
    unsigned long failures;
};

static const char *base_cpu(void)
{
#if defined(__x86_64__)
    return "x86-64-v3";
#else
    return NULL;
#endif
}

static void report(struct subject *s, const char *what, const char *fault)
{
    if (fault == NULL) {
        printf("ok bits %s %s\n", s->item->name, what);
        return;
    }
    printf("not ok bits %s %s: %s\n", s->item->name, what, fault);
    s->failures++;
}

/* All calls by a module, each output bit for bit. */
static const char *compare_module(struct subject *s, const struct grt_module *module,
                                  const struct test_way *way, char *text)
{
    size_t count = s->item->calls.count;
    const char *error = text;
    if (module == NULL)
        return s->listener.text;
    struct test_call *outs = calloc(count, sizeof *outs);
    if (outs == NULL)
        return "out of memory";
    if (test_run_all(module, way, s->item->calls.items, count, outs, &error) != GRUC_OK) {
        snprintf(text, TEST_TEXT_BYTES, "run: %s", error);
        free(outs);
        return text;
    }
    error = NULL;
    for (size_t i = 0; i < count; i++) {
        if (error == NULL && !test_outputs_same(&s->outs[i], &outs[i], text, TEST_TEXT_BYTES))
            error = text;
        test_call_finish(&outs[i]);
    }
    free(outs);
    return error;
}

static void compare_options(struct subject *s, const char *what, const struct gruc_options *options)
{
    char text[TEST_TEXT_BYTES];
    struct test_way way = {1, 0};
    struct grt_module *module =
        test_jit(s->item->path, s->item->text, s->item->length, options);
    report(s, what, compare_module(s, module, &way, text));
    grt_module_destroy(module);
}

static void compare_compilations(struct subject *s)
{
    struct gruc_options options = s->options;
    options.optimization = 0;
    compare_options(s, "O0", &options);
    options.optimization = 2;
    options.cpu = NULL;
    compare_options(s, "native", &options);
#if defined(__x86_64__)
    __builtin_cpu_init();
    options.cpu = "x86-64-v4";
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl"))
        compare_options(s, "avx512", &options);
    else
        printf("skip bits %s avx512: this processor has no AVX-512\n", s->item->name);
#endif
}

static void compare_threads(struct subject *s)
{
    char text[TEST_TEXT_BYTES];
    struct test_way way = {2, 0};
    report(s, "threads", compare_module(s, s->module, &way, text));
}

static void compare_shared(struct subject *s)
{
    char file[TEST_PATH_BYTES], text[TEST_TEXT_BYTES];
    snprintf(file, sizeof file, "%s/%s.so", s->folder, s->item->name);
    struct grt_module *module = NULL;
    struct test_way way = {1, 0};
    if (test_emit(s->item, &s->options, GRUC_EMIT_SHARED, file) &&
        grt_module_open(file, &module) != GRUC_OK)
        snprintf(s->listener.text, TEST_TEXT_BYTES, "the library cannot be opened");
    report(s, "shared", compare_module(s, module, &way, text));
    grt_module_destroy(module);
    unlink(file);
}

static void compare_exe(struct subject *s)
{
    char file[TEST_PATH_BYTES], text[TEST_TEXT_BYTES];
    snprintf(file, sizeof file, "%s/%s", s->folder, s->item->name);
    size_t count = s->item->stateful ? 1 : s->item->calls.count;
    const char *fault = test_emit(s->item, &s->options, GRUC_EMIT_EXE, file) ? NULL
                                                                              : s->listener.text;
    for (size_t i = 0; fault == NULL && i < count; i++) {
        struct test_call out = {0};
        if (!test_exe_run(file, s->folder, &s->item->calls.items[i], grt_module_info(s->module),
                          &out, text) ||
            !test_outputs_same(&s->outs[i], &out, text, sizeof text))
            fault = text;
        test_call_finish(&out);
    }
    report(s, "exe", fault);
    unlink(file);
}

/* Part of the arrays of a call along the axis that has this dim; the others whole. */
static int take(const struct gruc_tensor_info *tensors, const struct test_port *ports, size_t count,
                int64_t dim, int64_t begin, int64_t length, struct test_port *out, size_t *n_out)
{
    for (size_t i = 0; i < count; i++) {
        const struct gruc_tensor_info *info = NULL;
        for (size_t k = 0; k < count && info == NULL; k++)
            if (strcmp(tensors[k].name, ports[i].name) == 0)
                info = &tensors[k];
        if (info == NULL)
            return 0;
        int axis = test_axis_find(info, dim);
        memcpy(out[i].name, ports[i].name, sizeof out[i].name);
        if (!test_array_take(&ports[i].array, axis < 0 ? 0 : (unsigned)axis, axis < 0 ? 0 : begin,
                             axis < 0 ? ports[i].array.dims[0] : length, &out[i].array))
            return 0;
        *n_out = i + 1;
    }
    return 1;
}

/* Rows begin to begin + count (modulo the batch) of a call, run alone, against the same rows of
 * the whole. */
static const char *compare_rows(struct subject *s, struct grt_module *module, size_t call,
                                int64_t begin, int64_t count, char *text)
{
    const struct gruc_module_info *info = grt_module_info(module);
    const struct gruc_tensor_info *tensors = gruc_module_tensors(info);
    const struct test_call *whole = &s->item->calls.items[call];
    struct test_call part = {0}, wanted = {0}, out = {0};
    struct test_way way = {1, 0};
    const char *fault = NULL, *error = NULL;
    if (!take(tensors, whole->inputs, whole->n_inputs, GRUC_DIM_BATCH, begin, count, part.inputs,
              &part.n_inputs) ||
        !take(tensors + info->n_inputs, s->outs[call].outputs, s->outs[call].n_outputs,
              GRUC_DIM_BATCH, begin, count, wanted.outputs, &wanted.n_outputs))
        fault = "the arrays cannot be cut";
    else if (test_run_all(module, &way, &part, 1, &out, &error) != GRUC_OK)
        fault = error;
    else if (!test_outputs_same(&wanted, &out, text, TEST_TEXT_BYTES))
        fault = text;
    test_call_finish(&part);
    test_call_finish(&wanted);
    test_call_finish(&out);
    return fault;
}

static int64_t rows_of(const struct subject *s, size_t call)
{
    const struct gruc_module_info *info = grt_module_info(s->module);
    const struct gruc_tensor_info *tensor = gruc_module_tensors(info);
    const struct test_call *inputs = &s->item->calls.items[call];
    const struct test_port *port = test_port_find(inputs->inputs, inputs->n_inputs, tensor->name);
    int axis = test_axis_find(tensor, GRUC_DIM_BATCH);
    return port == NULL || axis < 0 ? 0 : port->array.dims[axis];
}

/* A module for another batch: a model with a static one is compiled again. */
static struct grt_module *module_for(struct subject *s, uint64_t batch)
{
    if (grt_module_info(s->module)->batch == 0)
        return s->module;
    struct gruc_options options = s->options;
    options.batch = batch;
    return test_jit(s->item->path, s->item->text, s->item->length, &options);
}

static void compare_batches(struct subject *s)
{
    char text[TEST_TEXT_BYTES];
    const char *fault = NULL;
    size_t calls = s->item->stateful ? 1 : s->item->calls.count;
    if (rows_of(s, 0) < 1)
        return;
    struct grt_module *one = module_for(s, 1), *many = module_for(s, LARGE_BATCH);
    if (one == NULL || many == NULL)
        fault = s->listener.text;
    for (size_t call = 0; fault == NULL && call < calls; call++) {
        for (int64_t row = 0; fault == NULL && row < rows_of(s, call); row++)
            fault = compare_rows(s, one, call, row, 1, text);
        if (fault == NULL)
            fault = compare_rows(s, many, call, 0, LARGE_BATCH, text);
    }
    report(s, "batch", fault);
    if (one != s->module)
        grt_module_destroy(one);
    if (many != s->module)
        grt_module_destroy(many);
}

/* The one number of unknown steps that all inputs of a call share, 0 when there is none. */
static int64_t steps_of(const struct subject *s, const struct test_call *call)
{
    const struct gruc_module_info *info = grt_module_info(s->module);
    const struct gruc_tensor_info *tensors = gruc_module_tensors(info);
    int64_t steps = 0;
    if (info->n_steps != 1)
        return 0;
    for (uint32_t i = 0; i < info->n_inputs; i++) {
        int axis = test_axis_find(&tensors[i], GRUC_DIM_STEPS(0));
        const struct test_port *port =
            test_port_find(call->inputs, call->n_inputs, tensors[i].name);
        if (axis >= 0 && port != NULL)
            steps = port->array.dims[axis];
    }
    return steps;
}

/* Appends the outputs of a piece: sequences along their steps, others replace what was there. */
static int join(const struct gruc_tensor_info *outputs, struct test_call *all,
                struct test_call *piece)
{
    if (all->n_outputs == 0) {
        *all = *piece;
        return 1;
    }
    for (size_t i = 0; i < all->n_outputs; i++) {
        int axis = test_axis_find(&outputs[i], GRUC_DIM_STEPS(0));
        if (axis < 0) {
            struct gruc_array last = piece->outputs[i].array;
            piece->outputs[i].array = all->outputs[i].array;
            all->outputs[i].array = last;
        } else if (!test_array_append(&all->outputs[i].array, (unsigned)axis,
                                      &piece->outputs[i].array)) {
            return 0;
        }
    }
    test_call_finish(piece);
    return 1;
}

static const char *run_chunks(struct subject *s, struct grt_session *session,
                              const struct test_call *whole, int64_t chunk, struct test_call *all,
                              char *text)
{
    const struct gruc_module_info *info = grt_module_info(s->module);
    const struct gruc_tensor_info *tensors = gruc_module_tensors(info);
    int64_t steps = steps_of(s, whole);
    for (int64_t begin = 0; begin < steps; begin += chunk) {
        int64_t length = steps - begin < chunk ? steps - begin : chunk;
        struct test_call part = {0}, out = {0};
        const char *error = "the arrays cannot be cut";
        int good = take(tensors, whole->inputs, whole->n_inputs, GRUC_DIM_STEPS(0), begin, length,
                        part.inputs, &part.n_inputs) &&
                   test_run(session, s->module, &part, &out, &error) == GRUC_OK &&
                   join(tensors + info->n_inputs, all, &out);
        test_call_finish(&part);
        if (!good) {
            snprintf(text, TEST_TEXT_BYTES, "steps from %lld: %s", (long long)begin,
                     error == NULL ? "out of memory" : error);
            return text;
        }
    }
    return NULL;
}

static const char *compare_chunks(struct subject *s, size_t call, int64_t chunk, char *text)
{
    struct grt_session_options options = {sizeof options, 1, 1, 0};
    struct grt_session *session = NULL;
    struct test_call all = {0};
    if (grt_session_create(s->module, &options, &session) != GRUC_OK)
        return "no session";
    const char *fault = run_chunks(s, session, &s->item->calls.items[call], chunk, &all, text);
    if (fault == NULL && !test_outputs_same(&s->outs[call], &all, text, TEST_TEXT_BYTES))
        fault = text;
    test_call_finish(&all);
    grt_session_destroy(session);
    return fault;
}

static void compare_streaming(struct subject *s)
{
    char text[TEST_TEXT_BYTES], what[32];
    const struct gruc_module_info *info = grt_module_info(s->module);
    size_t calls = s->item->stateful ? 1 : s->item->calls.count;
    if (!(info->flags & GRUC_MODULE_STREAMING) || info->n_steps != 1 || info->steps[0] != 0)
        return;
    for (size_t call = 0; call < calls; call++) {
        int64_t steps = steps_of(s, &s->item->calls.items[call]);
        const int64_t chunks[] = {1, 7, steps};
        for (int i = 0; i < 3; i++) {
            if ((i < 2 && chunks[i] >= steps) || steps == 0 || rows_of(s, call) < 1)
                continue;
            snprintf(what, sizeof what, "chunks of %s",
                     i == 0 ? "1" : i == 1 ? "7" : "all");
            report(s, what, compare_chunks(s, call, chunks[i], text));
        }
    }
}

/* The text with "unroll: true" the other way round in every GRU. NULL when memory runs out. */
static char *toggle_unroll(const char *text)
{
    static const char on[] = "unroll: true", off[] = "unroll: false", gru[] = "GRU: {";
    int unrolled = strstr(text, on) != NULL;
    const char *find = unrolled ? on : gru;
    char *out = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&out, &size);
    if (stream == NULL)
        return NULL;
    for (const char *next; (next = strstr(text, find)) != NULL; text = next + strlen(find)) {
        fwrite(text, 1, (size_t)(next - text), stream);
        fprintf(stream, "%s", unrolled ? off : "GRU: {unroll: true, ");
    }
    fprintf(stream, "%s", text);
    fclose(stream);
    return out;
}

static void compare_unrolled(struct subject *s)
{
    const struct gruc_module_info *info = grt_module_info(s->module);
    char message[TEST_TEXT_BYTES];
    if (strstr(s->item->text, "GRU: {") == NULL || info->n_steps != 1)
        return;
    struct gruc_options options = s->options;
    int64_t steps = info->steps[0] != 0 ? (int64_t)info->steps[0]
                                        : steps_of(s, &s->item->calls.items[0]);
    for (size_t i = 1; i < s->item->calls.count && info->steps[0] == 0; i++)
        if (steps_of(s, &s->item->calls.items[i]) != steps)
            return;
    if (steps < 1 || steps > MOST_UNROLLED)
        return;
    options.steps = info->steps[0] == 0 ? (uint64_t)steps : 0;
    char *text = toggle_unroll(s->item->text);
    if (text == NULL)
        return;
    struct test_way way = {1, 0};
    struct grt_module *module = test_jit(s->item->path, text, strlen(text), &options);
    report(s, "unroll", compare_module(s, module, &way, message));
    grt_module_destroy(module);
    free(text);
}

static void compare_all(struct subject *s)
{
    static const struct {
        const char *name;
        void (*compare)(struct subject *s);
    } ways[] = {{"compilations", compare_compilations}, {"threads", compare_threads},
                {"shared", compare_shared}, {"exe", compare_exe}, {"batches", compare_batches},
                {"streaming", compare_streaming}, {"unroll", compare_unrolled}};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        test_pool_note("bits %s %s", s->item->name, ways[i].name);
        s->listener.text[0] = '\0';
        ways[i].compare(s);
    }
}

static void check_case(void *context, size_t index)
{
    struct run *run = context;
    struct test_case item;
    char folder[TEST_PATH_BYTES];
    test_pool_note("bits %s", run->names[index]);
    run->failures[index] = 1;
    if (!test_case_open(run->folder, run->names[index], &item))
        return;
    snprintf(folder, sizeof folder, "%s/bits-%d", run->scratch, (int)getpid());
    mkdir(folder, 0700);
    struct subject s = {.item = &item, .folder = folder};
    test_options(&s.options, &s.listener);
    s.options.backend = "cpu";
    s.options.cpu = base_cpu();
    s.module = test_jit(item.path, item.text, item.length, &s.options);
    s.outs = calloc(item.calls.count, sizeof *s.outs);
    struct test_way way = {1, 0};
    const char *error = s.listener.text;
    size_t count = item.calls.count;
    if (s.module != NULL && s.outs != NULL &&
        test_run_all(s.module, &way, item.calls.items, count, s.outs, &error) == GRUC_OK) {
        compare_all(&s);
        for (size_t i = 0; i < count; i++)
            test_call_finish(&s.outs[i]);
    } else {
        report(&s, "base", error);
    }
    free(s.outs);
    grt_module_destroy(s.module);
    run->failures[index] = s.failures;
    test_case_close(&item);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"jobs", required_argument, NULL, 'j'},
                                            {"only", required_argument, NULL, 'o'},
                                            {NULL, 0, NULL, 0}};
    const char *part = NULL;
    unsigned jobs = 1;
    for (int option; (option = getopt_long(argc, argv, "j:o:", options, NULL)) != -1;) {
        if (option == 'j')
            jobs = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'o')
            part = optarg;
        else
            return 2;
    }
    if (argc - optind != 2) {
        fprintf(stderr, "usage: run_bits [--jobs N] [--only PART] CASES SCRATCH\n");
        return 2;
    }
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
        printf("skip bits: this processor has no AVX2 with FMA\n");
        return 0;
    }
#endif
    struct run run = {.folder = argv[optind], .scratch = argv[optind + 1]};
    run.count = test_cases_find(run.folder, part, &run.names);
    run.failures = test_pool_share((run.count + 1) * sizeof *run.failures);
    if (run.failures == NULL)
        return 70;
    unsigned long failed = test_pool_run(jobs, run.count, 120, check_case, &run);
    for (size_t i = 0; i < run.count; i++) {
        failed += run.failures[i];
        free(run.names[i]);
    }
    free(run.names);
    return failed != 0 || run.count == 0;
}

/* SPDX-License-Identifier: MIT */
/* Each scenario runs again and again, each time with another call of the C library failing: once,
 * or that one and all after it. Whatever fails, the answer is a status or the right result; nothing
 * crashes, leaks memory or files, or leaves part of an output. */

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/compile.h"
#include "ir/passes/passes.h"
#include "tests/faults/inject.h"
#include "tests/golden/case.h"
#include "tests/support/pool.h"

static const char model_text[] =
    "model: swept\n"
    "keras: 3\n"
    "inputs:\n"
    "  x: [~, 3]\n"
    "  m: {shape: [~], dtype: bool}\n"
    "layers:\n"
    "  - Masking: {name: k, inputs: x, mask_value: 2}\n"
    "  - GRU: {name: g, mask: m, units: 4, return_sequences: true, activation: softmax}\n"
    "  - Bidirectional: {name: b, merge_mode: sum, layer: {GRU: {units: 3, return_state: true}}}\n"
    "  - Dense: {name: d, units: 2, activation: gelu}\n"
    "outputs: [g, b.forward_state, d]\n";

static const char broken_text[] =
    "keras: 2\n"
    "inputs:\n"
    "  x: [~, 3]\n"
    "layers:\n"
    "  - GRU: {name: g, inputs: y, unitz: 4}\n"
    "  - Dense: {units: -1, activation: tanhh}\n";

/* A scenario answers with a status and, when that is GRUC_OK, a number made of its results. */
typedef enum gruc_status (*scenario_function)(const char *folder, uint64_t *result);

static uint64_t hash(uint64_t seed, const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        seed = (seed ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
    return seed;
}

static void count_messages(void *context, const struct gruc_diagnostic *diagnostic)
{
    *(uint64_t *)context += diagnostic->level == GRUC_LEVEL_ERROR;
}

static enum gruc_status open_model(const char *path, const char *text, const char *weights,
                                   uint64_t *errors, struct gruc_model_handle **out)
{
    struct gruc_options options;
    gruc_options_init(&options);
    options.weights = weights;
    options.diagnostic = count_messages;
    options.diagnostic_context = errors;
    options.backend = "ref";
    return text == NULL ? gruc_model_open(path, &options, out)
                        : gruc_model_parse(path, text, strlen(text), &options, out);
}

static enum gruc_status parse(const char *folder, uint64_t *result)
{
    (void)folder;
    uint64_t errors = 0;
    struct gruc_model_handle *model = NULL;
    enum gruc_status status = open_model("m.yaml", model_text, NULL, &errors, &model);
    gruc_model_destroy(model);
    *result = errors;
    return status;
}

/* A model with errors is never taken for a good one. */
static enum gruc_status parse_broken(const char *folder, uint64_t *result)
{
    (void)folder;
    struct gruc_model_handle *model = NULL;
    uint64_t errors = 0;
    enum gruc_status status = open_model("m.yaml", broken_text, NULL, &errors, &model);
    gruc_model_destroy(model);
    *result = 0;
    return status == GRUC_OK ? GRUC_ERROR_INTERNAL : GRUC_OK;
}

static enum gruc_status lower(const char *folder, uint64_t *result)
{
    (void)folder;
    uint64_t errors = 0;
    struct gruc_model_handle *model = NULL;
    struct gruc_compilation compilation;
    struct gruc_pass_options options = {.accuracy = GRUC_ACCURACY_ACCURATE};
    struct gruc_arena arena;
    struct gruc_ir *ir = NULL;
    gruc_arena_init(&arena);
    gruc_compilation_init(&compilation, NULL);
    enum gruc_status status = open_model("m.yaml", model_text, NULL, &errors, &model);
    if (status == GRUC_OK)
        status = gruc_compile_lower(&compilation, model, &arena, &ir);
    if (status == GRUC_OK)
        status = gruc_passes_run(ir, GRUC_PASS_remove_dead, &options, NULL, NULL,
                                 &compilation.diag);
    if (status == GRUC_OK)
        *result = ir->n_ops;
    gruc_arena_finish(&arena);
    gruc_model_destroy(model);
    return status;
}

/* Text of the IR, read back. */
static enum gruc_status print_and_parse(const char *folder, uint64_t *result)
{
    (void)folder;
    uint64_t errors = 0;
    struct gruc_model_handle *model = NULL;
    struct gruc_compilation compilation;
    struct gruc_arena arena;
    struct gruc_ir *ir = NULL, *again = NULL;
    char *text = NULL;
    size_t length = 0;
    gruc_arena_init(&arena);
    gruc_compilation_init(&compilation, NULL);
    enum gruc_status status = open_model("m.yaml", model_text, NULL, &errors, &model);
    if (status == GRUC_OK)
        status = gruc_compile_lower(&compilation, model, &arena, &ir);
    FILE *file = status == GRUC_OK ? open_memstream(&text, &length) : NULL;
    if (status == GRUC_OK) {
        status = file == NULL ? GRUC_ERROR_MEMORY : gruc_ir_print(ir, file);
        if (file != NULL && fclose(file) != 0 && status == GRUC_OK)
            status = GRUC_ERROR_MEMORY;
    }
    if (status == GRUC_OK)
        status = gruc_ir_parse(&arena, text, length, &compilation.diag, &again);
    if (status == GRUC_OK)
        *result = hash(again->n_ops, text, length);
    free(text);
    gruc_arena_finish(&arena);
    gruc_model_destroy(model);
    return status;
}

static enum gruc_status run_session(const struct grt_module *module, uint64_t *result)
{
    struct grt_session_options options = {sizeof options, 2, 1, 1};
    struct grt_session *session = NULL;
    static const int64_t x_dims[3] = {3, 5, 3}, m_dims[2] = {3, 5};
    float x[45], g[60], state[9], d[6], stored[12];
    uint8_t m[15];
    for (int i = 0; i < 45; i++)
        x[i] = (float)(i % 7) / 4 - 1;
    for (int i = 0; i < 15; i++)
        m[i] = i % 4 != 1;
    enum gruc_status status = grt_session_create(module, &options, &session);
    if (status == GRUC_OK)
        status = grt_session_bind_input(session, 0, x, GRUC_FLOAT32, 3, x_dims);
    if (status == GRUC_OK)
        status = grt_session_bind_input(session, 1, m, GRUC_BOOL, 2, m_dims);
    if (status == GRUC_OK)
        status = grt_session_bind_output(session, 0, g, sizeof g);
    if (status == GRUC_OK)
        status = grt_session_bind_output(session, 1, state, sizeof state);
    if (status == GRUC_OK)
        status = grt_session_bind_output(session, 2, d, sizeof d);
    for (int i = 0; i < 2 && status == GRUC_OK; i++)
        status = grt_session_run(session);
    int index = grt_module_state_index(module, "g");
    if (status == GRUC_OK)
        status = grt_session_get_state(session, index < 0 ? 0 : (uint32_t)index, stored, 12);
    if (status == GRUC_OK)
        *result = hash(hash(hash(1, g, sizeof g), state, sizeof state), d, sizeof d);
    if (session != NULL)
        grt_session_reset(session);
    grt_session_destroy(session);
    return status;
}

static enum gruc_status jit_and_run(const char *folder, uint64_t *result)
{
    (void)folder;
    uint64_t errors = 0;
    struct gruc_model_handle *model = NULL;
    struct grt_module *module = NULL;
    struct gruc_options options;
    gruc_options_init(&options);
    options.backend = "ref";
    enum gruc_status status = open_model("m.yaml", model_text, NULL, &errors, &model);
    if (status == GRUC_OK)
        status = gruc_model_jit(model, &options, &module);
    gruc_model_destroy(model); /* a module outlives its model */
    if (status == GRUC_OK)
        status = run_session(module, result);
    grt_module_destroy(module);
    return status;
}

/* A golden case whose weights lie in an archive. */
static enum gruc_status load_npz(const char *folder, uint64_t *result)
{
    char path[TEST_PATH_BYTES];
    snprintf(path, sizeof path, "%s/k2_gru_return_state.yaml", folder);
    struct gruc_model_handle *model = NULL;
    *result = 0;
    uint64_t errors = 0;
    enum gruc_status status = open_model(path, NULL, NULL, &errors, &model);
    gruc_model_destroy(model);
    return status;
}

static const char safetensors_model[] = "inputs:\n  x: [~, 1]\nlayers:\n"
                                        "  - GRU: {name: g, units: 1, reset_after: false}\n"
                                        "weights: weights.safetensors\n";

static enum gruc_status load_safetensors(const char *folder, uint64_t *result)
{
    char path[TEST_PATH_BYTES];
    snprintf(path, sizeof path, "%s/m.yaml", folder);
    struct gruc_model_handle *model = NULL;
    *result = 0;
    uint64_t errors = 0;
    enum gruc_status status = open_model(path, safetensors_model, NULL, &errors, &model);
    gruc_model_destroy(model);
    return status;
}

static enum gruc_status arrays(const char *folder, uint64_t *result)
{
    char path[TEST_PATH_BYTES];
    const char *error = NULL;
    static const int64_t dims[2] = {50, 40};
    struct gruc_array made, read, converted;
    snprintf(path, sizeof path, "%s/out.npy", folder);
    if (gruc_array_create(GRUC_NPY_FLOAT64, 2, dims, &made) != GRUC_OK)
        return GRUC_ERROR_MEMORY;
    for (size_t i = 0; i < made.count; i++)
        ((double *)made.data)[i] = (double)i / 3;
    enum gruc_status status = gruc_npy_write(path, &made, &error);
    gruc_array_finish(&made);
    if (status != GRUC_OK)
        return status;
    status = gruc_npy_read(path, 0, &read, &error);
    if (status != GRUC_OK)
        return status;
    status = gruc_array_convert(&read, GRUC_FLOAT32, &converted);
    gruc_array_finish(&read);
    if (status != GRUC_OK)
        return status;
    *result = hash(2, converted.data, converted.bytes);
    gruc_array_finish(&converted);
    return GRUC_OK;
}

static enum gruc_status emit(const char *folder, uint64_t *result)
{
    char path[TEST_PATH_BYTES];
    struct gruc_model_handle *model = NULL;
    uint64_t errors = 0;
    static const enum gruc_emit kinds[] = {GRUC_EMIT_IR, GRUC_EMIT_DOT};
    enum gruc_status status = open_model("m.yaml", model_text, NULL, &errors, &model);
    *result = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && status == GRUC_OK; i++) {
        snprintf(path, sizeof path, "%s/out.%zu", folder, i);
        status = gruc_model_emit(model, NULL, kinds[i], path);
        size_t length = 0;
        fault_pause(1);
        char *bytes = status == GRUC_OK ? test_file_read(path, &length) : NULL;
        if (bytes != NULL)
            *result = hash(*result, bytes, length);
        free(bytes);
        fault_pause(0);
    }
    gruc_model_destroy(model);
    return status;
}

static const struct {
    const char *name;
    scenario_function run;
    int loses_memory; /* libzip 1.7 does when it gets none; and libc keeps a time zone */
} scenarios[] = {{"parse", parse, 0}, {"parse a broken model", parse_broken, 0},
                 {"lower", lower, 0}, {"print and parse IR", print_and_parse, 0},
                 {"jit and run", jit_and_run, 0}, {"load npz", load_npz, 1},
                 {"load safetensors", load_safetensors, 0}, {"arrays", arrays, 0},
                 {"emit", emit, 0}};
static const char *const kind_names[FAULT_KINDS] = {"memory", "open", "read", "write"};
enum { SCENARIOS = sizeof scenarios / sizeof scenarios[0], VARIANTS = FAULT_KINDS * 2 };

struct run {
    const char *scratch;
    const char *only; /* name of a scenario, NULL: all */
    unsigned *failures; /* shared: one an item */
};

static unsigned count_descriptors(void)
{
    unsigned count = 0;
    for (int i = 0; i < 256; i++)
        count += fcntl(i, F_GETFD) != -1;
    return count;
}

/* Files in a folder named out*: whole outputs, or parts that should not be there. */
static unsigned count_outputs(const char *folder, int remove_them)
{
    unsigned count = 0;
    DIR *directory = opendir(folder);
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        if (strncmp(entry->d_name, "out", 3) != 0 && entry->d_name[0] != '.')
            continue;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char path[2 * TEST_PATH_BYTES];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        count++;
        if (remove_them)
            unlink(path);
    }
    if (directory != NULL)
        closedir(directory);
    return count;
}

struct expectation {
    uint64_t result;
    unsigned outputs;
};

/* One run with a fault; 1 when the fault was reached, words in text when something is wrong. */
static int run_once(unsigned scenario, enum fault_kind kind, unsigned long nth, int sticky,
                    const char *folder, const struct expectation *wanted, char *text)
{
    uint64_t result = 0;
    count_outputs(folder, 1);
    unsigned descriptors = count_descriptors();
    long blocks = fault_live_blocks();
    fault_arm(kind, nth, sticky);
    enum gruc_status status = scenarios[scenario].run(folder, &result);
    unsigned long calls = fault_disarm();
    long leaked = fault_live_blocks() - blocks;
    unsigned outputs = count_outputs(folder, 0);
    text[0] = '\0';
    if (status == GRUC_OK && result != wanted->result)
        snprintf(text, TEST_TEXT_BYTES, "call %lu: a wrong result without an error", nth);
    else if (status == GRUC_ERROR_INTERNAL)
        snprintf(text, TEST_TEXT_BYTES, "call %lu: %s", nth, gruc_status_text(status));
    else if (leaked != 0 && !(scenarios[scenario].loses_memory && kind == FAULT_MEMORY))
        snprintf(text, TEST_TEXT_BYTES, "call %lu: %ld blocks leak", nth, leaked);
    else if (count_descriptors() != descriptors)
        snprintf(text, TEST_TEXT_BYTES, "call %lu: a file stays open", nth);
    else if (status == GRUC_OK ? outputs != wanted->outputs : outputs > wanted->outputs)
        snprintf(text, TEST_TEXT_BYTES, "call %lu: %u files instead of %u", nth, outputs,
                 wanted->outputs);
    return calls >= nth;
}

static void prepare(const char *folder)
{
    static const char header[] = "{\"g/kernel\":{\"dtype\":\"F32\",\"shape\":[1,3],"
                                 "\"data_offsets\":[0,12]},\"g/recurrent_kernel\":{\"dtype\":"
                                 "\"F32\",\"shape\":[1,3],\"data_offsets\":[12,24]},\"g/bias\":"
                                 "{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[24,36]}}";
    static const char *const files[] = {"k2_gru_return_state.yaml", "k2_gru_return_state.npz"};
    unsigned char bytes[sizeof header + 8 + 36] = {0};
    char from[TEST_PATH_BYTES], to[TEST_PATH_BYTES];
    uint64_t length = sizeof header - 1;
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, length);
    snprintf(to, sizeof to, "%s/weights.safetensors", folder);
    test_file_write(to, bytes, 8 + length + 36);
    for (size_t i = 0; i < 2; i++) {
        size_t size = 0;
        snprintf(from, sizeof from, "%s/%s", GRUC_TEST_CASES, files[i]);
        snprintf(to, sizeof to, "%s/%s", folder, files[i]);
        char *content = test_file_read(from, &size);
        if (content != NULL)
            test_file_write(to, content, size);
        free(content);
    }
}

static void sweep(void *context, size_t index)
{
    struct run *run = context;
    unsigned scenario = (unsigned)(index / VARIANTS);
    enum fault_kind kind = (enum fault_kind)(index % VARIANTS / 2);
    int sticky = index % 2;
    const char *how = sticky ? "from one on" : "once";
    if (run->only != NULL && strcmp(run->only, scenarios[scenario].name) != 0)
        return;
    char folder[TEST_PATH_BYTES], text[TEST_TEXT_BYTES];
    snprintf(folder, sizeof folder, "%s/%zu", run->scratch, index);
    mkdir(folder, 0700);
    prepare(folder);
    struct expectation wanted = {0, 0};
    enum gruc_status status = scenarios[scenario].run(folder, &wanted.result);
    wanted.outputs = count_outputs(folder, 0);
    if (status != GRUC_OK) {
        printf("not ok faults %s: without a fault: %s\n", scenarios[scenario].name,
               gruc_status_text(status));
        run->failures[index] = 1;
        return;
    }
    unsigned long nth = 1, wrong = 0;
    for (; nth < 1000000; nth++) {
        test_pool_note("faults %s, %s %s, call %lu", scenarios[scenario].name, kind_names[kind],
                       how, nth);
        int reached = run_once(scenario, kind, nth, sticky, folder, &wanted, text);
        if (text[0] != '\0' && wrong++ < 3)
            printf("not ok faults %s, %s %s: %s\n", scenarios[scenario].name, kind_names[kind],
                   how, text);
        if (!reached)
            break;
    }
    run->failures[index] = wrong != 0;
    if (wrong == 0 && nth > 1)
        printf("ok faults %s, %s %s: %lu calls\n", scenarios[scenario].name, kind_names[kind], how,
               nth - 1);
}

/* faults [JOBS [SCENARIO]] */
int main(int argc, char **argv)
{
    char scratch[] = "/tmp/gruc-faults-XXXXXX";
    unsigned jobs = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 2;
    struct run run = {mkdtemp(scratch), argc > 2 ? argv[2] : NULL,
                      test_pool_share(SCENARIOS * VARIANTS * sizeof(unsigned))};
    if (run.scratch == NULL || run.failures == NULL)
        return 70;
    unsigned failed = test_pool_run(jobs, SCENARIOS * VARIANTS, 300, sweep, &run);
    for (size_t i = 0; i < SCENARIOS * VARIANTS; i++)
        failed += run.failures[i];
    char command[100];
    snprintf(command, sizeof command, "rm -rf '%s'", scratch);
    return system(command) != 0 || failed != 0;
}

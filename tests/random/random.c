/* SPDX-License-Identifier: MIT */
/* Random models: the cpu back end against ref, within 2e-6 or the computed error bound. */

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/golden/case.h"
#include "tests/golden/judge.h"
#include "tests/random/model.h"
#include "tests/support/pool.h"

enum outcome { OUTCOME_SAME, OUTCOME_DIFFERENT, OUTCOME_INVALID };

struct totals {
    struct test_score score;
    unsigned long same, failed;
};

struct run {
    uint64_t seed;
    int quiet;
    struct totals *totals; /* shared: one a model */
};

static char *text_of(const struct random_model *model, size_t *length)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, length);
    if (file == NULL)
        return NULL;
    random_model_write(model, file);
    return fclose(file) == 0 ? text : NULL;
}

static void fill(struct gruc_array *array, int int_limit, uint64_t *state)
{
    for (size_t i = 0; i < array->count; i++) {
        double u = random_unit(state);
        if (array->type == GRUC_NPY_INT32)
            ((int32_t *)array->data)[i] = (int32_t)(u * int_limit);
        else if (array->type == GRUC_NPY_BOOL)
            ((uint8_t *)array->data)[i] = u < 0.7;
        else
            ((float *)array->data)[i] = (float)(4 * u - 2);
    }
}

static struct gruc_array *input(struct test_call *call, const char *name)
{
    for (size_t i = 0; i < call->n_inputs; i++)
        if (strcmp(call->inputs[i].name, name) == 0)
            return &call->inputs[i].array;
    return NULL;
}

/* Whether every layer that reads the input does so under the mask m. */
static int masked_input(const struct random_model *model)
{
    for (unsigned i = 0; i < model->count; i++) {
        const struct random_layer *layer = &model->layers[i];
        int recurrent = layer->kind == RANDOM_GRU || layer->kind == RANDOM_BIDIRECTIONAL;
        if (layer->source < 0 && !(recurrent && (layer->flags & RANDOM_MASK)))
            return 0;
    }
    return 1;
}

/* Whole steps of 0.5, the value that Masking layers look for, and NaN where nobody may look. */
static void set_steps(const struct random_model *model, struct test_call *call, uint64_t *state)
{
    struct gruc_array *x = input(call, "x"), *mask = input(call, "m");
    for (size_t line = 0; x != NULL && line < x->count / model->width; line++) {
        int hidden = mask != NULL && masked_input(model) && !((uint8_t *)mask->data)[line];
        if (random_below(state, 4) != 0 && !hidden)
            continue;
        for (size_t i = 0; i < model->width; i++)
            ((float *)x->data)[line * model->width + i] = hidden ? NAN : 0.5f;
    }
}

static int make_call(const struct random_model *model, const struct gruc_module_info *info,
                     uint64_t *state, struct test_call *out)
{
    const struct gruc_tensor_info *tensors = gruc_module_tensors(info);
    for (uint32_t i = 0; i < info->n_inputs; i++) {
        int64_t dims[GRUC_ABI_MAX_RANK];
        for (uint32_t k = 0; k < tensors[i].rank; k++)
            dims[k] = tensors[i].dims[k] == GRUC_DIM_BATCH ? (int64_t)model->batch
                      : tensors[i].dims[k] < 0             ? (int64_t)model->steps
                                                           : tensors[i].dims[k];
        enum gruc_npy_type type = tensors[i].dtype == GRUC_INT32  ? GRUC_NPY_INT32
                                  : tensors[i].dtype == GRUC_BOOL ? GRUC_NPY_BOOL
                                                                  : GRUC_NPY_FLOAT32;
        if (gruc_array_create(type, tensors[i].rank, dims, &out->inputs[i].array) != GRUC_OK)
            return 0;
        snprintf(out->inputs[i].name, TEST_NAME_BYTES, "%s", tensors[i].name);
        out->n_inputs = i + 1;
        fill(&out->inputs[i].array, RANDOM_IDS, state);
    }
    set_steps(model, out, state);
    return 1;
}

struct trial {
    struct gruc_options options;
    struct test_listener listener;
    char *text;
    size_t length;
    struct test_calls calls;
    struct grt_module *ref, *cpu;
};

static enum outcome compare(struct trial *trial, struct test_score *score, char *message)
{
    size_t count = trial->calls.count;
    struct test_call *wanted = calloc(count, sizeof *wanted), *out = calloc(count, sizeof *out);
    struct test_way way = {1, 0};
    const char *error = "out of memory";
    enum outcome outcome = OUTCOME_DIFFERENT;
    struct test_judge judge;
    test_judge_init(&judge, "random.yaml", trial->text, trial->length, &trial->options,
                    &trial->calls);
    if (wanted == NULL || out == NULL ||
        test_run_all(trial->ref, &way, trial->calls.items, count, wanted, &error) != GRUC_OK) {
        snprintf(message, TEST_TEXT_BYTES, "ref: %s", error);
    } else {
        if (test_run_all(trial->cpu, &way, trial->calls.items, count, out, &error) != GRUC_OK)
            snprintf(message, TEST_TEXT_BYTES, "cpu: %s", error);
        else
            outcome = OUTCOME_SAME;
        for (size_t i = 0; i < count; i++) {
            if (outcome == OUTCOME_SAME && !test_judge_call(&judge, i, &out[i], &wanted[i], score,
                                                            message, TEST_TEXT_BYTES))
                outcome = OUTCOME_DIFFERENT;
            test_call_finish(&out[i]);
            test_call_finish(&wanted[i]);
        }
    }
    test_judge_finish(&judge);
    free(wanted);
    free(out);
    return outcome;
}

static enum outcome check(const struct random_model *model, struct test_score *score,
                          char *message)
{
    struct trial trial = {0};
    enum outcome outcome = OUTCOME_INVALID;
    uint64_t state = model->seed ^ 0x5851f42d4c957f2du;
    trial.text = text_of(model, &trial.length);
    test_options(&trial.options, &trial.listener);
    trial.options.seed = model->seed;
    trial.options.backend = "ref";
    if (trial.text != NULL)
        trial.ref = test_jit("random.yaml", trial.text, trial.length, &trial.options);
    snprintf(message, TEST_TEXT_BYTES, "ref: %s", trial.listener.text);
    if (trial.ref != NULL) {
        trial.options.backend = "cpu";
        trial.cpu = test_jit("random.yaml", trial.text, trial.length, &trial.options);
        snprintf(message, TEST_TEXT_BYTES, "cpu: %s", trial.listener.text);
        outcome = OUTCOME_DIFFERENT;
    }
    trial.calls.items = calloc(model->calls, sizeof *trial.calls.items);
    if (trial.cpu != NULL && trial.calls.items != NULL) {
        int made = 1;
        for (unsigned i = 0; made && i < model->calls; i++) {
            trial.calls.count = i + 1;
            made = make_call(model, grt_module_info(trial.ref), &state, &trial.calls.items[i]);
        }
        if (made)
            outcome = compare(&trial, score, message);
    }
    test_calls_finish(&trial.calls);
    grt_module_destroy(trial.ref);
    grt_module_destroy(trial.cpu);
    free(trial.text);
    return outcome;
}

/* In a process of its own: a crash counts as a difference. */
static enum outcome check_apart(const struct random_model *model)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        char message[TEST_TEXT_BYTES];
        struct test_score score = {0};
        alarm(60);
        _exit((int)check(model, &score, message));
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child)
        return OUTCOME_INVALID;
    return WIFEXITED(status) ? (enum outcome)WEXITSTATUS(status) : OUTCOME_DIFFERENT;
}

static void shrink(struct random_model *model)
{
    struct random_model simpler;
    for (unsigned variant = 0; random_model_simplify(model, &variant, &simpler);)
        if (random_model_valid(&simpler) && check_apart(&simpler) == OUTCOME_DIFFERENT) {
            *model = simpler;
            variant = 0;
        }
}

static void report(const struct random_model *model, const char *message)
{
    alarm(0); /* shrinking takes as long as it takes; each trial has its own limit */
    printf("not ok random %llu: %s\n", (unsigned long long)model->seed, message);
    struct random_model small = *model;
    if (check_apart(&small) == OUTCOME_DIFFERENT)
        shrink(&small);
    size_t length = 0;
    char *text = text_of(&small, &length);
    printf("  again: random --seed %llu --count 1; shrunken (batch %u, steps %u, calls %u):\n",
           (unsigned long long)model->seed, small.batch, small.steps, small.calls);
    for (char *line = text, *end; line != NULL && *line != '\0'; line = end + 1) {
        end = strchr(line, '\n');
        *end = '\0';
        printf("    %s\n", line);
    }
    free(text);
}

static void check_model(void *context, size_t index)
{
    struct run *run = context;
    struct totals *totals = &run->totals[index];
    struct random_model model;
    char message[TEST_TEXT_BYTES] = "";
    random_model_make(run->seed + index, &model);
    test_pool_note("random %llu", (unsigned long long)model.seed);
    enum outcome outcome = check(&model, &totals->score, message);
    totals->same = outcome == OUTCOME_SAME;
    totals->failed = outcome != OUTCOME_SAME;
    if (outcome != OUTCOME_SAME)
        report(&model, message);
    else if (!run->quiet)
        printf("ok random %llu\n", (unsigned long long)model.seed);
}

/* A single model: shown, and shrunken even when it crashes. */
static int check_single(uint64_t seed)
{
    struct random_model model;
    random_model_make(seed, &model);
    random_model_write(&model, stdout);
    if (check_apart(&model) != OUTCOME_SAME) {
        report(&model, "differs or crashes");
        return 1;
    }
    printf("ok random %llu\n", (unsigned long long)seed);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"jobs", required_argument, NULL, 'j'},
                                            {"count", required_argument, NULL, 'n'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {NULL, 0, NULL, 0}};
    unsigned jobs = 1;
    size_t count = 2000;
    struct run run = {.seed = 1};
    for (int option; (option = getopt_long(argc, argv, "j:n:s:q", options, NULL)) != -1;) {
        if (option == 'j')
            jobs = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'n')
            count = strtoul(optarg, NULL, 10);
        else if (option == 's')
            run.seed = strtoull(optarg, NULL, 10);
        else if (option == 'q')
            run.quiet = 1;
        else
            return 2;
    }
    if (count == 1)
        return check_single(run.seed);
    run.totals = test_pool_share((count + 1) * sizeof *run.totals);
    if (run.totals == NULL)
        return 70;
    unsigned long failed = test_pool_run(jobs, count, 60, check_model, &run);
    struct totals sum = {0};
    for (size_t i = 0; i < count; i++) {
        test_score_add(&sum.score, &run.totals[i].score);
        sum.same += run.totals[i].same;
        failed += run.totals[i].failed;
    }
    printf("# %lu models of seeds %llu to %llu, %lu mismatches; %lu values: worst error %.2g; "
           "%lu by their error bound, at most %.0f%% of it; %lu with a bound too wide to decide\n",
           sum.same, (unsigned long long)run.seed, (unsigned long long)(run.seed + count - 1),
           failed, sum.score.values, sum.score.worst, sum.score.bounded,
           sum.score.worst_share * 100, sum.score.undecided);
    return failed != 0;
}

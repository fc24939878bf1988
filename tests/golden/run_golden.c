/* SPDX-License-Identifier: MIT */
/* Every golden case on every path, against the numbers that Keras gave in double precision. */

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/golden/case.h"
#include "tests/golden/judge.h"
#include "tests/support/pool.h"

enum way { WAY_JIT, WAY_SHARED, WAY_EXE };

struct path {
    const char *name;
    enum way way;
    const char *backend;
    int optimization;
    const char *cpu;
};

static const struct path paths[] = {
    {"ref", WAY_JIT, "ref", 2, NULL},
#ifdef GRUC_HAVE_LLVM
    {"cpu-O0", WAY_JIT, "cpu", 0, NULL},
    {"cpu", WAY_JIT, "cpu", 2, NULL},
    {"cpu-sse2", WAY_JIT, "cpu", 2, "x86-64"},
    {"cpu-avx2", WAY_JIT, "cpu", 2, "x86-64-v3"},
    {"cpu-avx512", WAY_JIT, "cpu", 2, "x86-64-v4"},
    {"shared", WAY_SHARED, "cpu", 2, NULL},
    {"exe", WAY_EXE, "cpu", 2, NULL},
#endif
};
enum { PATHS = sizeof paths / sizeof paths[0], MAX_JOBS = 64 };

struct totals {
    struct test_score scores[PATHS];
    unsigned long passed[PATHS], failed[PATHS], skipped[PATHS];
};

struct run {
    const char *folder, *scratch;
    char **names;
    size_t count;
    const char *only_path;
    struct totals *totals; /* shared: one a case */
};

/* NULL: this machine can run code of the path. */
static const char *refusal(const struct path *path)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (path->cpu != NULL && strcmp(path->cpu, "x86-64-v3") == 0 &&
        !(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")))
        return "this processor has no AVX2 with FMA";
    if (path->cpu != NULL && strcmp(path->cpu, "x86-64-v4") == 0 &&
        !(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")))
        return "this processor has no AVX-512";
    return NULL;
#else
    return path->cpu != NULL ? "this processor is no x86-64" : NULL;
#endif
}

/* Outputs of all calls of a case by a module of this process. */
static int run_module(const struct test_case *item, struct grt_module *module,
                      struct test_call *outs, size_t *count, char *text)
{
    struct test_way way = {1, 0};
    const char *error = NULL;
    *count = item->calls.count;
    if (module == NULL)
        return 0;
    if (test_run_all(module, &way, item->calls.items, *count, outs, &error) == GRUC_OK)
        return 1;
    snprintf(text, TEST_TEXT_BYTES, "run: %s", error);
    *count = 0;
    return 0;
}

static int run_shared(const struct test_case *item, const struct gruc_options *options,
                      const char *folder, struct test_call *outs, size_t *count, char *text)
{
    char file[TEST_PATH_BYTES];
    snprintf(file, sizeof file, "%s/%s.so", folder, item->name);
    struct grt_module *module = NULL;
    if (!test_emit(item, options, GRUC_EMIT_SHARED, file))
        return 0;
    enum gruc_status status = grt_module_open(file, &module);
    snprintf(text, TEST_TEXT_BYTES, "open: %s", gruc_status_text(status));
    int done = run_module(item, module, outs, count, text);
    grt_module_destroy(module);
    unlink(file);
    return done;
}

/* A program starts afresh each time, so of a stateful case it runs the first call only. */
static int run_exe(const struct test_case *item, const struct gruc_options *options,
                   const char *folder, struct test_call *outs, size_t *count, char *text)
{
    char file[TEST_PATH_BYTES];
    snprintf(file, sizeof file, "%s/%s", folder, item->name);
    struct gruc_options plain = *options;
    plain.backend = "ref"; /* serves to know the outputs only */
    struct grt_module *module = test_jit(item->path, item->text, item->length, &plain);
    int done = module != NULL && test_emit(item, options, GRUC_EMIT_EXE, file);
    size_t calls = item->stateful ? 1 : item->calls.count;
    *count = 0;
    while (done && *count < calls) {
        done = test_exe_run(file, folder, &item->calls.items[*count], grt_module_info(module),
                            &outs[*count], text);
        *count += (size_t)done;
    }
    grt_module_destroy(module);
    unlink(file);
    return done;
}

static int run_path(const struct test_case *item, const struct path *path, const char *folder,
                    struct test_call *outs, size_t *count, struct test_listener *listener)
{
    struct gruc_options options;
    test_options(&options, listener);
    options.backend = path->backend;
    options.optimization = path->optimization;
    options.cpu = path->cpu;
    *count = 0;
    if (path->way == WAY_SHARED)
        return run_shared(item, &options, folder, outs, count, listener->text);
    if (path->way == WAY_EXE)
        return run_exe(item, &options, folder, outs, count, listener->text);
    struct grt_module *module = test_jit(item->path, item->text, item->length, &options);
    int done = run_module(item, module, outs, count, listener->text);
    grt_module_destroy(module);
    return done;
}

static void check_path(struct run *run, const struct test_case *item, struct test_judge *judge,
                       unsigned index, const char *folder, struct totals *totals)
{
    const struct path *path = &paths[index];
    test_pool_note("golden %s %s", item->name, path->name);
    if (run->only_path != NULL && strcmp(run->only_path, path->name) != 0)
        return;
    if (refusal(path) != NULL) {
        printf("skip golden %s %s: %s\n", item->name, path->name, refusal(path));
        totals->skipped[index] = 1;
        return;
    }
    struct test_listener listener;
    struct test_call *outs = calloc(item->calls.count, sizeof *outs);
    size_t count = 0;
    int good = outs != NULL && run_path(item, path, folder, outs, &count, &listener);
    for (size_t i = 0; i < count; i++) {
        good = good && test_judge_call(judge, i, &outs[i], &item->calls.items[i],
                                       &totals->scores[index], listener.text, TEST_TEXT_BYTES);
        test_call_finish(&outs[i]);
    }
    free(outs);
    if (good)
        printf("ok golden %s %s\n", item->name, path->name);
    else
        printf("not ok golden %s %s: %s\n", item->name, path->name, listener.text);
    totals->passed[index] = good != 0;
    totals->failed[index] = !good;
}

static void check_case(void *context, size_t index)
{
    struct run *run = context;
    struct test_case item;
    char folder[TEST_PATH_BYTES];
    test_pool_note("golden %s", run->names[index]);
    if (!test_case_open(run->folder, run->names[index], &item)) {
        run->totals[index].failed[0] = 1;
        return;
    }
    snprintf(folder, sizeof folder, "%s/golden-%d", run->scratch, (int)getpid());
    mkdir(folder, 0700);
    struct test_listener listener;
    struct gruc_options options;
    test_options(&options, &listener);
    struct test_judge judge;
    test_judge_init(&judge, item.path, item.text, item.length, &options, &item.calls);
    for (unsigned i = 0; i < PATHS; i++)
        check_path(run, &item, &judge, i, folder, &run->totals[index]);
    test_judge_finish(&judge);
    test_case_close(&item);
}

static void print_totals(const struct run *run)
{
    for (unsigned i = 0; i < PATHS; i++) {
        struct totals sum = {0};
        for (size_t k = 0; k < run->count; k++) {
            test_score_add(&sum.scores[i], &run->totals[k].scores[i]);
            sum.passed[i] += run->totals[k].passed[i];
        }
        if (sum.passed[i] > 0)
            printf("# %-10s %lu cases, %lu values: worst error %.2g; %lu by their error bound, "
                   "at most %.0f%% of it, %lu undecided\n", paths[i].name, sum.passed[i],
                   sum.scores[i].values, sum.scores[i].worst, sum.scores[i].bounded,
                   sum.scores[i].worst_share * 100, sum.scores[i].undecided);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"jobs", required_argument, NULL, 'j'}, {"only", required_argument, NULL, 'o'},
        {"path", required_argument, NULL, 'p'}, {NULL, 0, NULL, 0}};
    const char *part = NULL;
    unsigned jobs = 1;
    struct run run = {0};
    for (int option; (option = getopt_long(argc, argv, "j:o:p:", options, NULL)) != -1;) {
        if (option == 'j')
            jobs = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'o')
            part = optarg;
        else if (option == 'p')
            run.only_path = optarg;
        else
            return 2;
    }
    if (argc - optind != 2) {
        fprintf(stderr, "usage: run_golden [--jobs N] [--only PART] [--path NAME] CASES SCRATCH\n");
        return 2;
    }
    run.folder = argv[optind];
    run.scratch = argv[optind + 1];
    run.count = test_cases_find(run.folder, part, &run.names);
    run.totals = test_pool_share((run.count + 1) * sizeof *run.totals);
    if (run.totals == NULL)
        return 70;
    unsigned deaths = test_pool_run(jobs, run.count, 120, check_case, &run);
    print_totals(&run);
    unsigned long failed = deaths;
    for (size_t k = 0; k < run.count; k++) {
        for (unsigned i = 0; i < PATHS; i++)
            failed += run.totals[k].failed[i];
        free(run.names[k]);
    }
    free(run.names);
    return failed != 0 || run.count == 0;
}

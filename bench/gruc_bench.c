/* SPDX-License-Identifier: MIT */
/* Times models against each other in one process, in interleaved rounds. compare.py starts it:
 *   gruc_bench STEPS WIDTH UNITS ROUNDS MILLISECONDS wall|thread INPUT OUTPUTS SUBJECT...
 * INPUT: raw float32; OUTPUTS: a folder that receives NAME.f32 of each subject;
 * SUBJECT: four words: "ort NAME LIBRARY MODEL" or "gruc NAME LIBRARY MASK", where MASK is a file
 * with one byte a step or "-". Prints "sample NAME NANOSECONDS-A-STEP", one line each. */
#include "subject.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    FIXED_WORDS = 9, /* of the command line, the program's name included */
    SUBJECT_WORDS = 4,
    CALLS_MOST = 1 << 24,
};

struct bench {
    struct subject *subjects;
    size_t *calls; /* of a sample of each subject */
    size_t count;
    size_t rounds;
    double sample_seconds;
    clockid_t clock;
    struct subject_sizes sizes;
    float *input;
    const char *outputs;
};

void *subject_take(size_t bytes)
{
    size_t units = bytes / SUBJECT_ALIGNMENT + 1;
    void *memory = aligned_alloc(SUBJECT_ALIGNMENT, units * SUBJECT_ALIGNMENT);
    if (memory != NULL)
        memset(memory, 0, units * SUBJECT_ALIGNMENT);
    return memory;
}

int subject_find(const char *library, void *handle, const char *symbol, size_t bytes, void *out)
{
    void *address = handle != NULL ? dlsym(handle, symbol) : NULL;
    if (address == NULL) {
        const char *reason = dlerror();
        fprintf(stderr, "%s: %s\n", library, reason != NULL ? reason : symbol);
        return 1;
    }
    /* ISO C has no conversion between object and function pointers. */
    memcpy(out, &address, bytes);
    return 0;
}

static int read_file(const char *path, size_t bytes, void *out)
{
    FILE *file = fopen(path, "rb");
    int complete = file != NULL && fread(out, 1, bytes, file) == bytes;
    if (file != NULL)
        fclose(file);
    if (!complete)
        fprintf(stderr, "%s: cannot read %zu bytes\n", path, bytes);
    return !complete;
}

static int write_output(const struct bench *bench, const struct subject *subject)
{
    char path[4096];
    size_t count = bench->sizes.steps * bench->sizes.units;
    if (snprintf(path, sizeof path, "%s/%s.f32", bench->outputs, subject->name) >= (int)sizeof path)
        return 1;
    FILE *file = fopen(path, "wb");
    int complete = file != NULL && fwrite(subject->output, sizeof(float), count, file) == count;
    if (file != NULL && fclose(file) != 0)
        complete = 0;
    if (!complete)
        fprintf(stderr, "%s: cannot write\n", path);
    return !complete;
}

static double now(const struct bench *bench)
{
    struct timespec time;
    clock_gettime(bench->clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Seconds of so many calls, negative on failure. */
static double time_calls(const struct bench *bench, struct subject *subject, size_t calls)
{
    double begin = now(bench);
    for (size_t i = 0; i < calls; i++)
        if (subject->call(subject) != 0)
            return -1;
    return now(bench) - begin;
}

/* Doubles the calls until they last a quarter of a sample, which also warms everything up. */
static int choose_calls(const struct bench *bench, struct subject *subject, size_t *out)
{
    size_t calls = 1;
    double seconds = time_calls(bench, subject, calls);
    while (seconds >= 0 && seconds < bench->sample_seconds / 4 && calls < CALLS_MOST) {
        calls *= 2;
        seconds = time_calls(bench, subject, calls);
    }
    if (seconds < 0)
        return 1;
    double wanted = (double)calls * bench->sample_seconds / seconds;
    *out = wanted < 1 ? 1 : wanted > CALLS_MOST ? (size_t)CALLS_MOST : (size_t)(wanted + 0.5);
    return 0;
}

/* Each round takes one sample of each subject and begins with another one. A call before each
 * sample, not counted, brings the subject's weights back into the cache. */
static int run_rounds(const struct bench *bench)
{
    for (size_t i = 0; i < bench->count; i++)
        if (choose_calls(bench, &bench->subjects[i], &bench->calls[i]) != 0)
            return 1;
    for (size_t round = 0; round < bench->rounds; round++) {
        for (size_t i = 0; i < bench->count; i++) {
            size_t index = (round + i) % bench->count;
            struct subject *subject = &bench->subjects[index];
            if (subject->call(subject) != 0)
                return 1;
            double seconds = time_calls(bench, subject, bench->calls[index]);
            if (seconds < 0)
                return 1;
            double steps = (double)bench->calls[index] * (double)bench->sizes.steps;
            printf("sample %s %.3f\n", subject->name, 1e9 * seconds / steps);
        }
    }
    return 0;
}

static int open_subject(const struct bench *bench, char **words, struct subject *out)
{
    const struct subject_sizes *sizes = &bench->sizes;
    *out = (struct subject){.name = words[1], .sizes = *sizes, .input = bench->input};
    out->output = subject_take(sizes->steps * sizes->units * sizeof *out->output);
    if (out->output == NULL)
        return 1;
    if (strcmp(words[0], "ort") == 0)
        return subject_open_ort(out, words[2], words[3]);
    if (strcmp(words[3], "-") != 0) {
        out->mask = subject_take(sizes->steps);
        if (out->mask == NULL || read_file(words[3], sizes->steps, out->mask) != 0)
            return 1;
    }
    return subject_open_gruc(out, words[2]);
}

static int read_numbers(char **words, struct bench *out)
{
    size_t *const numbers[] = {&out->sizes.steps, &out->sizes.width, &out->sizes.units,
                               &out->rounds};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        *numbers[i] = (size_t)strtoull(words[1 + i], NULL, 10);
    out->sample_seconds = strtod(words[5], NULL) / 1000;
    out->clock = strcmp(words[6], "thread") == 0 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
    out->outputs = words[8];
    size_t count = out->sizes.steps * out->sizes.width;
    out->input = subject_take(count * sizeof *out->input);
    return out->input == NULL || read_file(words[7], count * sizeof *out->input, out->input) != 0;
}

static int run_all(struct bench *bench, char **words)
{
    bench->subjects = calloc(bench->count, sizeof *bench->subjects);
    bench->calls = calloc(bench->count, sizeof *bench->calls);
    if (bench->subjects == NULL || bench->calls == NULL || read_numbers(words, bench) != 0)
        return 1;
    for (size_t i = 0; i < bench->count; i++) {
        struct subject *subject = &bench->subjects[i];
        if (open_subject(bench, words + FIXED_WORDS + i * SUBJECT_WORDS, subject) != 0 ||
            subject->call(subject) != 0 || write_output(bench, subject) != 0)
            return 1;
    }
    return bench->rounds > 0 ? run_rounds(bench) : 0;
}

int main(int argc, char **argv)
{
    if (argc <= FIXED_WORDS || (argc - FIXED_WORDS) % SUBJECT_WORDS != 0) {
        fprintf(stderr, "usage: gruc_bench STEPS WIDTH UNITS ROUNDS MILLISECONDS wall|thread "
                        "INPUT OUTPUTS {ort NAME LIBRARY MODEL | gruc NAME LIBRARY MASK}...\n");
        return 2;
    }
    struct bench bench = {.count = (size_t)(argc - FIXED_WORDS) / SUBJECT_WORDS};
    int failed = run_all(&bench, argv);
    for (size_t i = 0; bench.subjects != NULL && i < bench.count; i++) {
        struct subject *subject = &bench.subjects[i];
        if (subject->release != NULL)
            subject->release(subject->context);
        free(subject->output);
        free(subject->mask);
    }
    free(bench.subjects);
    free(bench.calls);
    free(bench.input);
    return failed;
}

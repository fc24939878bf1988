/* SPDX-License-Identifier: MIT */
/* Obeys commands on standard input, words separated by tabs, and answers each with one line:
 *   open KEY=VALUE...            "ok MILLISECONDS KIBIBYTES": time to open the model and to make
 *                                the first call, resident memory after it; writes the outputs
 *   sample MILLISECONDS CLOCK    "ns NUMBER" of a call, the mean of as many as last so long
 *   close                        "ok"
 * or with "error"; the reason is on standard error. CLOCK: wall, or cpu for the processor time of
 * all threads. */
#include "worker.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WORDS_MOST = 64, LINE_MOST = 16384, CALLS_MOST = 1 << 24 };

struct words {
    char line[LINE_MOST];
    char *word[WORDS_MOST];
    size_t count;
};

struct worker {
    struct words opened; /* the subject refers to its words */
    struct subject subject;
    size_t calls; /* of a sample; 0: not known yet */
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

static void read_words(struct words *out)
{
    out->line[strcspn(out->line, "\n")] = 0;
    out->count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(out->line, "\t", &rest); word != NULL && out->count < WORDS_MOST;
         word = strtok_r(NULL, "\t", &rest))
        out->word[out->count++] = word;
}

/* Value of a key, "" when it is not given. */
static const char *get_text(const struct words *words, const char *key)
{
    size_t length = strlen(key);
    for (size_t i = 1; i < words->count; i++)
        if (strncmp(words->word[i], key, length) == 0 && words->word[i][length] == '=')
            return words->word[i] + length + 1;
    return "";
}

static size_t get_number(const struct words *words, const char *key)
{
    return (size_t)strtoull(get_text(words, key), NULL, 10);
}

/* Reads a whole file if the key is given. */
static int read_array(const struct words *words, const char *key, void *out)
{
    const char *path = get_text(words, key);
    void *data = NULL;
    if (path[0] == 0)
        return 0;
    FILE *file = fopen(path, "rb");
    int complete = 0;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0) {
        size_t bytes = (size_t)ftell(file);
        rewind(file);
        data = subject_take(bytes);
        complete = data != NULL && fread(data, 1, bytes, file) == bytes;
    }
    if (file != NULL)
        fclose(file);
    if (!complete)
        fprintf(stderr, "%s: cannot read\n", path);
    memcpy(out, &data, sizeof data);
    return !complete;
}

static int write_output(const char *path, const struct subject *subject)
{
    size_t count = subject->batch * subject->steps * subject->outputs;
    FILE *file = fopen(path, "wb");
    int complete = file != NULL && fwrite(subject->output, sizeof(float), count, file) == count;
    if (file != NULL && fclose(file) != 0)
        complete = 0;
    if (!complete)
        fprintf(stderr, "%s: cannot write\n", path);
    return !complete;
}

static double now(int cpu)
{
    struct timespec time;
    clock_gettime(cpu ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static size_t resident_kibibytes(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL) {
        if (fscanf(file, "%*s %llu", &pages) != 1)
            pages = 0;
        fclose(file);
    }
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

static void close_subject(struct worker *worker)
{
    struct subject *subject = &worker->subject;
    if (subject->release != NULL)
        subject->release(subject->context);
    free(subject->input);
    free(subject->output);
    free(subject->mask);
    free(subject->lengths);
    free(subject->kernel);
    free(subject->recurrent_kernel);
    free(subject->bias);
    *subject = (struct subject){0};
    worker->calls = 0;
}

static int fill_subject(const struct words *words, struct subject *out)
{
    *out = (struct subject){.steps = get_number(words, "steps"),
                            .batch = get_number(words, "batch"),
                            .width = get_number(words, "width"),
                            .units = get_number(words, "units"),
                            .outputs = get_number(words, "outputs"),
                            .threads = get_number(words, "threads"),
                            .reset_after = get_number(words, "reset_after") != 0,
                            .streaming = get_number(words, "streaming") != 0,
                            .library = get_text(words, "library"),
                            .model = get_text(words, "model")};
    out->output = subject_take(out->batch * out->steps * out->outputs * sizeof(float));
    return out->output == NULL || read_array(words, "input", &out->input) != 0 ||
           read_array(words, "mask", &out->mask) != 0 ||
           read_array(words, "lengths", &out->lengths) != 0 ||
           read_array(words, "kernel", &out->kernel) != 0 ||
           read_array(words, "recurrent_kernel", &out->recurrent_kernel) != 0 ||
           read_array(words, "bias", &out->bias) != 0;
}

static int run_open(struct worker *worker)
{
    struct subject *subject = &worker->subject;
    const char *output = get_text(&worker->opened, "output");
    if (fill_subject(&worker->opened, subject) != 0)
        return 1;
    double begin = now(0);
    if (subject_open(subject) != 0 || subject->call(subject) != 0)
        return 1;
    double seconds = now(0) - begin;
    if (write_output(output, subject) != 0)
        return 1;
    printf("ok %.3f %zu\n", 1e3 * seconds, resident_kibibytes());
    return 0;
}

/* Seconds of so many calls, negative on failure. */
static double time_calls(struct subject *subject, size_t calls, int cpu)
{
    double begin = now(cpu);
    for (size_t i = 0; i < calls; i++)
        if (subject->call(subject) != 0)
            return -1;
    return now(cpu) - begin;
}

/* Doubles the calls until they last a quarter of a sample, which also warms everything up. */
static int choose_calls(struct worker *worker, double wanted_seconds)
{
    size_t calls = 1;
    double seconds = time_calls(&worker->subject, calls, 0);
    while (seconds >= 0 && seconds < wanted_seconds / 4 && calls < CALLS_MOST) {
        calls *= 2;
        seconds = time_calls(&worker->subject, calls, 0);
    }
    double wanted = (double)calls * wanted_seconds / seconds;
    worker->calls = wanted < 1 ? 1 : wanted > CALLS_MOST ? (size_t)CALLS_MOST : (size_t)wanted;
    return seconds < 0;
}

/* A call that is not counted brings the weights back into the cache, unless the sample is one long
 * call, which is warm for nearly all of its time. */
static int run_sample(struct worker *worker, const struct words *words)
{
    if (worker->subject.call == NULL || words->count != 3)
        return 1;
    int cpu = strcmp(words->word[2], "cpu") == 0;
    if (worker->calls == 0 && choose_calls(worker, strtod(words->word[1], NULL) / 1e3) != 0)
        return 1;
    if (worker->calls > 1 && worker->subject.call(&worker->subject) != 0)
        return 1;
    double seconds = time_calls(&worker->subject, worker->calls, cpu);
    if (seconds >= 0)
        printf("ns %.3f\n", 1e9 * seconds / (double)worker->calls);
    return seconds < 0;
}

static int obey(struct worker *worker, struct words *words)
{
    read_words(words);
    const char *command = words->count > 0 ? words->word[0] : "";
    if (strcmp(command, "sample") == 0)
        return run_sample(worker, words);
    if (strcmp(command, "close") == 0) {
        close_subject(worker);
        puts("ok");
        return 0;
    }
    fprintf(stderr, "no command '%s'\n", command);
    return 1;
}

int main(void)
{
    struct worker *worker = calloc(1, sizeof *worker);
    struct words *words = calloc(1, sizeof *words);
    while (worker != NULL && words != NULL && fgets(words->line, LINE_MOST, stdin) != NULL) {
        int failed;
        if (strncmp(words->line, "open\t", 5) == 0) {
            close_subject(worker);
            memcpy(worker->opened.line, words->line, LINE_MOST);
            read_words(&worker->opened);
            failed = run_open(worker);
        } else {
            failed = obey(worker, words);
        }
        if (failed)
            puts("error");
        fflush(stdout);
    }
    if (worker != NULL)
        close_subject(worker);
    free(worker);
    free(words);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* To be compiled with optimization and -ffp-contract=fast: the multiply-adds are written as two
 * operations. */
#define _DEFAULT_SOURCE /* madvise */
#include "driver/roofline.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum {
    CHAINS = 12,       /* independent, to hide the latency of an FMA or a load */
    FMA_TURNS = 20000, /* of a trial */
    TRIALS = 40,
    TRIAL_BYTES = 1 << 23, /* that a trial reads at least */
    CACHES_MOST = 8,       /* that Linux lists */
    PAGE_BYTES = 1 << 21,  /* a large one */
    ROUNDS = 8,            /* of all chains, before the next piece is read */
};

#define EACH_CHAIN(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define DECLARE_FLOAT(i) vector a##i = {(float)(i)};
#define MULTIPLY_ADD(i) a##i = a##i * m + c;
#define ADD_FLOAT(i) sum += a##i;
#define DECLARE_BITS(i) bits b##i = {0};
#define READ(i) b##i ^= p[i];
#define JOIN_BITS(i) all ^= b##i;

/* The same two loops for each vector width, compiled for the extension that has it. */
#define KERNELS(name, attributes, bytes)                                                           \
    attributes static float fma_##name(size_t turns, float factor)                                 \
    {                                                                                              \
        typedef float vector __attribute__((vector_size(bytes)));                                  \
        const vector m = factor - (vector){0}, c = factor + (vector){0};                           \
        EACH_CHAIN(DECLARE_FLOAT)                                                                  \
        for (size_t i = 0; i < turns; i++) {                                                       \
            EACH_CHAIN(MULTIPLY_ADD)                                                               \
        }                                                                                          \
        vector sum = {0};                                                                          \
        EACH_CHAIN(ADD_FLOAT)                                                                      \
        return sum[0];                                                                             \
    }                                                                                              \
    attributes static uint64_t read_##name(const void *memory, size_t size, int turned)            \
    {                                                                                              \
        typedef uint64_t bits __attribute__((vector_size(bytes), may_alias));                      \
        EACH_CHAIN(DECLARE_BITS)                                                                   \
        size_t pieces = size / sizeof(bits) / (CHAINS * ROUNDS);                                   \
        for (size_t i = 0; i < pieces; i++) {                                                      \
            const bits *p = (const bits *)memory +                                                 \
                            (turned ? pieces - 1 - i : i) * (CHAINS * ROUNDS);                     \
            for (int round = 0; round < ROUNDS; round++, p += CHAINS) {                            \
                EACH_CHAIN(READ)                                                                   \
            }                                                                                      \
        }                                                                                          \
        bits all = {0};                                                                            \
        EACH_CHAIN(JOIN_BITS)                                                                      \
        return all[0] ^ all[1];                                                                    \
    }

struct kernels {
    size_t bytes; /* of a vector */
    float (*fma)(size_t turns, float factor);
    uint64_t (*read)(const void *memory, size_t size, int turned); /* all or nearly all of it */
};

KERNELS(base, , 16)
#ifdef __x86_64__
KERNELS(avx2, __attribute__((target("avx2,fma"))), 32)
KERNELS(avx512, __attribute__((target("avx512f,avx2,fma"))), 64)
#endif

static struct kernels choose_kernels(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f"))
        return (struct kernels){64, fma_avx512, read_avx512};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return (struct kernels){32, fma_avx2, read_avx2};
#endif
    return (struct kernels){16, fma_base, read_base};
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double time_fma(const struct kernels *kernels, size_t turns)
{
    volatile float factor = 0.5f, result;
    double begin = now();
    result = kernels->fma(turns, factor);
    (void)result;
    return now() - begin;
}

static double measure_fma(const struct kernels *kernels)
{
    double best = 0;
    for (int trial = 0; trial < TRIALS; trial++) {
        double seconds = time_fma(kernels, FMA_TURNS);
        double flops = 2.0 * FMA_TURNS * CHAINS * (double)(kernels->bytes / sizeof(float));
        if (flops / seconds > best)
            best = flops / seconds;
    }
    return best / 1e9;
}

/* Every other trial goes to and fro, so that each turn begins with what is still in a nearer
 * cache. */
static double measure_read(const struct kernels *kernels, const void *memory, size_t size)
{
    double best = 0;
    volatile uint64_t result = kernels->read(memory, size, 1);
    size_t turns = size < TRIAL_BYTES ? TRIAL_BYTES / size : 2;
    int trials = size < TRIAL_BYTES ? TRIALS : TRIALS / 2;
    for (int trial = 0; trial < trials; trial++) {
        double begin = now();
        for (size_t i = 0; i < turns; i++)
            result = kernels->read(memory, size, trial & (int)i & 1);
        double seconds = now() - begin;
        if ((double)turns * (double)size / seconds > best)
            best = (double)turns * (double)size / seconds;
    }
    (void)result;
    return best / 1e9;
}

static int read_fact(const char *path, const char *format, void *out)
{
    FILE *file = fopen(path, "r");
    int found = file != NULL && fscanf(file, format, out) == 1;
    if (file != NULL)
        fclose(file);
    return found;
}

/* Bytes of the cache that holds data at a level, as Linux tells them. */
static size_t cache_size(size_t level, size_t otherwise)
{
    for (int index = 0; index < CACHES_MOST; index++) {
        char path[128], type;
        size_t found_level, kibibytes;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/level", index);
        if (read_fact(path, "%zu", &found_level) && found_level == level) {
            snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/type", index);
            if (read_fact(path, "%c", &type) && type != 'I') {
                snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size",
                         index);
                if (read_fact(path, "%zu", &kibibytes) && kibibytes > 0)
                    return kibibytes << 10;
            }
        }
    }
    return otherwise;
}

/* A cache that other cores use as well holds less of it the more there is: its parts are levels of
 * their own. */
static const struct {
    const char *name;
    size_t cache, usual_bytes, part;
} places[GRUC_ROOFLINE_LEVELS] = {
    {"L1", 1, (size_t)32 << 10, 1}, {"L2", 2, (size_t)512 << 10, 1},
    {"L3/4", 3, (size_t)16 << 20, 4}, {"L3/2", 3, (size_t)16 << 20, 2},
    {"L3", 3, (size_t)16 << 20, 1}, {"DRAM", 0, 0, 1},
};

/* In large pages where the system has them, so that looking up addresses takes no time. */
static void *take_memory(size_t bytes)
{
    void *memory = aligned_alloc(PAGE_BYTES, bytes / PAGE_BYTES * PAGE_BYTES);
    if (memory == NULL)
        return NULL;
#ifdef MADV_HUGEPAGE
    (void)madvise(memory, bytes / PAGE_BYTES * PAGE_BYTES, MADV_HUGEPAGE); /* a wish */
#endif
    memset(memory, 1, bytes / PAGE_BYTES * PAGE_BYTES);
    return memory;
}

int gruc_roofline_measure(size_t most_bytes, struct gruc_roofline *out)
{
    const struct kernels kernels = choose_kernels();
    *out = (struct gruc_roofline){0};
    for (int i = 0; i < GRUC_ROOFLINE_LEVELS; i++)
        if (places[i].cache != 0)
            out->levels[i].bytes =
                cache_size(places[i].cache, places[i].usual_bytes) / places[i].part;
    size_t last = out->levels[GRUC_ROOFLINE_LEVELS - 2].bytes;
    size_t most = 4 * last < most_bytes ? 4 * last : most_bytes;
    unsigned char *memory = take_memory(most);
    if (memory == NULL)
        return 0;
    out->gigaflops = measure_fma(&kernels);
    for (int i = 0; i < GRUC_ROOFLINE_LEVELS; i++) {
        struct gruc_roof *roof = &out->levels[i];
        roof->name = places[i].name;
        /* Well inside its level and well beyond the one before. */
        size_t size = roof->bytes == 0 ? most : roof->bytes / 4 * 3;
        if (roof->bytes == 0 ? size >= 2 * last : size <= most)
            roof->gigabytes = measure_read(&kernels, memory, size);
    }
    free(memory);
    return 1;
}

double gruc_roofline_multiply(size_t turns)
{
    const struct kernels kernels = choose_kernels();
    return time_fma(&kernels, turns);
}

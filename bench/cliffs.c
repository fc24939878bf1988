/* SPDX-License-Identifier: MIT */
/* Looks for cliffs: sizes that are more than 1.5 times as slow as one unit, or row, less and more
 * suggest, by linear interpolation over the multiply-adds. A fixed latency is part
 * of both neighbours' times and so no cliff. Suspects are measured again, neighbours included; each
 * time is the least of all its samples.
 *   cliffs [--quick] [--list]    --list: print every time */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gruc/compiler.h>

enum {
    STEPS = 12,
    UNITS_MOST = 300,
    BATCH_MOST = 40,
    GRID_MOST = 300,
    SAMPLES = 5,
    SAMPLES_AGAIN = 25,
};
static const double limit = 1.5;
static const double sample_seconds = 3e-4;

struct grid {
    size_t units_count, batch_count;
    unsigned units[GRID_MOST], batch[GRID_MOST];
};

/* One form of the model over the grid. */
struct plane {
    const struct grid *grid;
    int reset_after, masked;
    struct grt_module *modules[GRID_MOST]; /* one each number of units */
    double times[GRID_MOST][GRID_MOST];    /* seconds a step, units by batch */
};

struct arrays {
    float *x, *y;
    uint8_t *mask;
};

/* What a place of the grid is compared with. */
struct verdict {
    double factor; /* its time to what the neighbours suggest, 0: at the rim */
    const char *axis;
    unsigned below, above;
};

/* Middles of three numbers each: the edges of vectors, and some that are none. */
static const unsigned quick_units[] = {2,  5,  8,  9,   12,  16,  17,  24,  25,  31, 32,
                                       33, 48, 49, 64,  65,  80,  96,  97,  113, 128, 129,
                                       160, 192, 193, 224, 256, 257, 272, 273, 288, 289};
static const unsigned quick_batch[] = {2, 4, 5, 8, 16, 17, 32, 33};

/* The numbers up to most that are next to a middle; all when there are none. */
static size_t fill(const unsigned *middles, size_t n_middles, unsigned most, unsigned *out)
{
    size_t count = 0;
    for (unsigned number = 1; number <= most; number++) {
        int near = n_middles == 0;
        for (size_t i = 0; i < n_middles; i++)
            near |= number + 1 >= middles[i] && number <= middles[i] + 1;
        if (near)
            out[count++] = number;
    }
    return count;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void print_diagnostic(void *context, const struct gruc_diagnostic *diagnostic)
{
    (void)context;
    if (diagnostic->level == GRUC_LEVEL_ERROR)
        fprintf(stderr, "cliffs: %s\n", diagnostic->text);
}

static int compile_module(unsigned units, int reset_after, int masked, struct grt_module **out)
{
    char text[512];
    struct gruc_options options;
    struct gruc_model_handle *model = NULL;
    gruc_options_init(&options);
    options.diagnostic = print_diagnostic;
    snprintf(text, sizeof text,
             "inputs:\n  x: [~, %u]\n%slayers:\n"
             "  - GRU: {inputs: x,%s units: %u, reset_after: %s, return_sequences: true}\n",
             units, masked ? "  m: {shape: [~], dtype: bool}\n" : "", masked ? " mask: m," : "",
             units, reset_after ? "true" : "false");
    enum gruc_status status = gruc_model_parse("cliffs", text, strlen(text), &options, &model);
    if (status == GRUC_OK)
        status = gruc_model_jit(model, &options, out);
    gruc_model_destroy(model);
    return status != GRUC_OK;
}

static int bind(struct grt_session *session, const struct arrays *arrays, unsigned units,
                unsigned batch, int masked)
{
    const int64_t x_dims[] = {batch, STEPS, units}, m_dims[] = {batch, STEPS};
    const size_t bytes = (size_t)batch * STEPS * units * sizeof(float);
    return grt_session_bind_input(session, 0, arrays->x, GRUC_FLOAT32, 3, x_dims) != GRUC_OK ||
           (masked &&
            grt_session_bind_input(session, 1, arrays->mask, GRUC_BOOL, 2, m_dims) != GRUC_OK) ||
           grt_session_bind_output(session, 0, arrays->y, bytes) != GRUC_OK;
}

/* The least seconds of a call over some samples, negative on failure. */
static double time_session(struct grt_session *session, size_t samples)
{
    double least = -1, begin = now();
    if (grt_session_run(session) != GRUC_OK)
        return -1;
    size_t calls = 1 + (size_t)(sample_seconds / (now() - begin));
    for (size_t i = 0; i < samples; i++) {
        begin = now();
        for (size_t k = 0; k < calls; k++)
            if (grt_session_run(session) != GRUC_OK)
                return -1;
        double seconds = (now() - begin) / (double)calls;
        if (least < 0 || seconds < least)
            least = seconds;
    }
    return least;
}

/* Lowers the time of a place if it was faster this time. */
static int measure(struct plane *plane, const struct arrays *arrays, size_t u, size_t b,
                   size_t samples)
{
    struct grt_session *session = NULL;
    double seconds = -1;
    if (grt_session_create(plane->modules[u], NULL, &session) == GRUC_OK &&
        bind(session, arrays, plane->grid->units[u], plane->grid->batch[b], plane->masked) == 0)
        seconds = time_session(session, samples) / STEPS;
    if (seconds <= 0)
        fprintf(stderr, "cliffs: units %u, batch %u: %s\n", plane->grid->units[u],
                plane->grid->batch[b], session != NULL ? grt_session_error(session) : "no session");
    else if (plane->times[u][b] == 0 || seconds < plane->times[u][b])
        plane->times[u][b] = seconds;
    grt_session_destroy(session);
    return seconds <= 0;
}

/* Multiply-adds but for a constant: as many inputs as units. */
static double work(unsigned units, unsigned batch)
{
    return (double)units * units * batch;
}

static double interpolate(double low, double low_time, double high, double high_time, double at)
{
    return low_time + (high_time - low_time) * (at - low) / (high - low);
}

static int has_neighbours(const unsigned *numbers, size_t count, size_t i)
{
    return i > 0 && i + 1 < count && numbers[i - 1] + 1 == numbers[i] &&
           numbers[i] + 1 == numbers[i + 1];
}

/* The worse of the two axes. */
static struct verdict judge(const struct plane *plane, size_t u, size_t b)
{
    const struct grid *grid = plane->grid;
    const unsigned *units = grid->units, *batch = grid->batch;
    const double at = work(units[u], batch[b]), time = plane->times[u][b];
    struct verdict worst = {0};
    if (has_neighbours(units, grid->units_count, u)) {
        double expected = interpolate(work(units[u - 1], batch[b]), plane->times[u - 1][b],
                                      work(units[u + 1], batch[b]), plane->times[u + 1][b], at);
        worst = (struct verdict){time / expected, "units", units[u - 1], units[u + 1]};
    }
    if (has_neighbours(batch, grid->batch_count, b)) {
        double expected = interpolate(work(units[u], batch[b - 1]), plane->times[u][b - 1],
                                      work(units[u], batch[b + 1]), plane->times[u][b + 1], at);
        if (time / expected > worst.factor)
            worst = (struct verdict){time / expected, "batch", batch[b - 1], batch[b + 1]};
    }
    return worst;
}

/* A place and the four around it. */
static int measure_again(struct plane *plane, const struct arrays *arrays, size_t u, size_t b)
{
    const struct grid *grid = plane->grid;
    int failed = measure(plane, arrays, u, b, SAMPLES_AGAIN);
    if (has_neighbours(grid->units, grid->units_count, u))
        failed |= measure(plane, arrays, u - 1, b, SAMPLES_AGAIN) |
                  measure(plane, arrays, u + 1, b, SAMPLES_AGAIN);
    if (has_neighbours(grid->batch, grid->batch_count, b))
        failed |= measure(plane, arrays, u, b - 1, SAMPLES_AGAIN) |
                  measure(plane, arrays, u, b + 1, SAMPLES_AGAIN);
    return failed;
}

static int measure_all(struct plane *plane, const struct arrays *arrays)
{
    const struct grid *grid = plane->grid;
    for (size_t u = 0; u < grid->units_count; u++) {
        if (compile_module(grid->units[u], plane->reset_after, plane->masked, &plane->modules[u]) !=
            0)
            return 1;
        for (size_t b = 0; b < grid->batch_count; b++)
            if (measure(plane, arrays, u, b, SAMPLES) != 0)
                return 1;
    }
    for (size_t u = 0; u < grid->units_count; u++)
        for (size_t b = 0; b < grid->batch_count; b++)
            if (judge(plane, u, b).factor > limit && measure_again(plane, arrays, u, b) != 0)
                return 1;
    return 0;
}

/* Prints what there is to tell and counts the cliffs. */
static size_t print_plane(const struct plane *plane, int list)
{
    const struct grid *grid = plane->grid;
    struct verdict worst = {0};
    size_t cliffs = 0;
    printf("reset_after %s, %s\n", plane->reset_after ? "true" : "false",
           plane->masked ? "a mask of all steps" : "no mask");
    for (size_t u = 0; u < grid->units_count; u++) {
        for (size_t b = 0; b < grid->batch_count; b++) {
            struct verdict verdict = judge(plane, u, b);
            if (verdict.factor > worst.factor)
                worst = verdict;
            cliffs += verdict.factor > limit;
            if (!list && verdict.factor <= limit)
                continue;
            printf("  units %3u, batch %2u: %10.3f us a step", grid->units[u], grid->batch[b],
                   1e6 * plane->times[u][b]);
            if (verdict.factor > 0)
                printf(", %.2f times what %s %u and %u suggest", verdict.factor, verdict.axis,
                       verdict.below, verdict.above);
            puts(verdict.factor > limit ? "  CLIFF" : "");
        }
    }
    printf("  %zu cliffs in %zu cases, the worst %.2f\n", cliffs,
           grid->units_count * grid->batch_count, worst.factor);
    fflush(stdout);
    return cliffs;
}

static int scan(const struct grid *grid, const struct arrays *arrays, int list)
{
    size_t cliffs = 0;
    int failed = 0;
    for (int form = 0; form < 4 && !failed; form++) {
        struct plane *plane = calloc(1, sizeof *plane);
        if (plane == NULL)
            return 1;
        plane->grid = grid;
        plane->reset_after = form < 2;
        plane->masked = form % 2;
        failed = measure_all(plane, arrays);
        if (!failed)
            cliffs += print_plane(plane, list);
        for (size_t u = 0; u < grid->units_count; u++)
            grt_module_destroy(plane->modules[u]);
        free(plane);
    }
    if (!failed)
        printf("%zu cliffs of more than %.1f times\n", cliffs, limit);
    return failed;
}

int main(int argc, char **argv)
{
    struct grid grid = {0};
    int quick = 0, list = 0;
    for (int i = 1; i < argc; i++) {
        quick |= strcmp(argv[i], "--quick") == 0;
        list |= strcmp(argv[i], "--list") == 0;
        if (strcmp(argv[i], "--quick") != 0 && strcmp(argv[i], "--list") != 0) {
            fprintf(stderr, "usage: cliffs [--quick] [--list]\n");
            return 2;
        }
    }
    const size_t n_units = quick ? sizeof quick_units / sizeof *quick_units : 0;
    const size_t n_batch = quick ? sizeof quick_batch / sizeof *quick_batch : 0;
    grid.units_count = fill(quick_units, n_units, UNITS_MOST, grid.units);
    grid.batch_count = fill(quick_batch, n_batch, BATCH_MOST, grid.batch);
    const size_t rows = (size_t)BATCH_MOST * STEPS;
    struct arrays arrays = {calloc(rows * UNITS_MOST, sizeof(float)),
                            calloc(rows * UNITS_MOST, sizeof(float)), malloc(rows)};
    int failed = arrays.x == NULL || arrays.y == NULL || arrays.mask == NULL;
    if (!failed) {
        for (size_t i = 0; i < rows * UNITS_MOST; i++)
            arrays.x[i] = (float)(i % 17) / 8 - 1;
        memset(arrays.mask, 1, rows);
        failed = scan(&grid, &arrays, list);
    }
    free(arrays.x);
    free(arrays.y);
    free(arrays.mask);
    return failed;
}

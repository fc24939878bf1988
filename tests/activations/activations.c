/* SPDX-License-Identifier: MIT */
/* Each elementwise activation, as a model compiled through the public API, against the double
 * reference of its row in act.def over all float32 numbers, or every so many of them. */

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/act.h"
#include "tests/golden/case.h"
#include "tests/support/pool.h"

enum { WIDTH = 64, ROWS = 512, BLOCK = WIDTH * ROWS, MAX_ACTS = 128, SLICES = 16 };

struct subject {
    const struct gruc_act *act;
    const char *name;
    unsigned keras;
};

struct worst {
    double ulp, absolute; /* largest, each by itself */
    double excess;        /* by how much the bound was missed; > 0 fails */
    float at;             /* of excess, else of ulp */
    uint64_t count, failures;
    char fault[TEST_TEXT_BYTES];
};

struct run {
    struct subject subjects[MAX_ACTS];
    size_t count;
    uint32_t stride;
    const char *cpu, *backend;
    enum gruc_tier tier;
    struct worst *worst; /* shared: one an item */
};

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Distance between neighbouring float32 numbers at a value. */
static double spacing(double value)
{
    int exponent;
    frexp(value, &exponent);
    return ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

/* What the tier allows at this value. */
static double allowed(const struct run *run, const struct gruc_act *act, double truth)
{
    if (run->tier == GRUC_TIER_FAST)
        return fmax(3.5e-7 * fmax(1, fabs(truth)), 2 * spacing(truth));
    if (run->tier == GRUC_TIER_APPROX)
        return 2e-4 * fmax(1, fabs(truth));
    return fmax(act->bound.ulp * spacing(truth), act->bound.absolute);
}

static void judge(const struct run *run, const struct gruc_act *act, float x, float got,
                  struct worst *worst)
{
    double truth = gruc_act_reference(act, NULL, (double)x);
    float rounded = (float)truth;
    worst->count++;
    if (got == rounded || (isnan(truth) && isnan(got)))
        return;
    double error = fabs((double)got - truth), limit = allowed(run, act, truth);
    if (isnan(got) || isnan(truth))
        error = (double)INFINITY;
    /* Past the largest number, that number's neighbourhood counts. */
    if (isinf(rounded) && got * rounded > 0 && !isinf(got))
        error = fmax(0, 0x1p128 - fabs((double)got));
    double ulp = error / spacing(truth);
    if (ulp > worst->ulp && worst->excess <= 0)
        worst->at = x;
    worst->ulp = fmax(worst->ulp, ulp);
    worst->absolute = fmax(worst->absolute, error);
    if (error <= limit)
        return;
    worst->failures++;
    if (error - limit > worst->excess) {
        worst->excess = error - limit;
        worst->at = x;
    }
}

static struct grt_module *compile(const struct run *run, const struct subject *subject,
                                  struct worst *worst)
{
    char text[300];
    int length = snprintf(text, sizeof text,
                          "model: activation\nkeras: %u\ninputs:\n  x: [%d]\nlayers:\n"
                          "  - Activation: {name: a, inputs: x, activation: %s}\n",
                          subject->keras, WIDTH, subject->name);
    struct test_listener listener;
    struct gruc_options options;
    test_options(&options, &listener);
    options.backend = run->backend;
    options.cpu = run->cpu;
    options.accuracy = run->tier;
    struct grt_module *module = test_jit("activation.yaml", text, (size_t)length, &options);
    if (module == NULL)
        snprintf(worst->fault, sizeof worst->fault, "%s", listener.text);
    return module;
}

static void sweep(const struct run *run, const struct subject *subject, struct grt_session *session,
                  uint64_t begin, uint64_t end, struct worst *worst)
{
    static float x[BLOCK], y[BLOCK];
    const int64_t dims[2] = {ROWS, WIDTH};
    if (grt_session_bind_input(session, 0, x, GRUC_FLOAT32, 2, dims) != GRUC_OK ||
        grt_session_bind_output(session, 0, y, sizeof y) != GRUC_OK) {
        snprintf(worst->fault, sizeof worst->fault, "%s", grt_session_error(session));
        return;
    }
    for (uint64_t bits = begin; bits < end;) {
        uint32_t filled = 0;
        for (; filled < BLOCK && bits < end; filled++, bits += run->stride)
            x[filled] = float_of((uint32_t)bits);
        for (uint32_t i = filled; i < BLOCK; i++)
            x[i] = 0;
        if (grt_session_run(session) != GRUC_OK) {
            snprintf(worst->fault, sizeof worst->fault, "%s", grt_session_error(session));
            return;
        }
        for (uint32_t i = 0; i < filled; i++)
            judge(run, subject->act, x[i], y[i], worst);
    }
}

static void check_slice(void *context, size_t index)
{
    struct run *run = context;
    const struct subject *subject = &run->subjects[index / SLICES];
    struct worst *worst = &run->worst[index];
    uint64_t slice = index % SLICES, points = ((uint64_t)1 << 32) / run->stride + 1;
    uint64_t begin = points * slice / SLICES * run->stride;
    uint64_t end = points * (slice + 1) / SLICES * run->stride;
    test_pool_note("activations keras %u %s", subject->keras, subject->name);
    struct grt_module *module = compile(run, subject, worst);
    struct grt_session *session = NULL;
    if (module == NULL)
        return;
    if (grt_session_create(module, NULL, &session) == GRUC_OK)
        sweep(run, subject, session, begin, end > (uint64_t)1 << 32 ? (uint64_t)1 << 32 : end,
              worst);
    grt_session_destroy(session);
    grt_module_destroy(module);
}

static int report(const struct run *run, size_t index)
{
    const struct subject *subject = &run->subjects[index];
    struct worst sum = {0};
    for (size_t i = index * SLICES; i < (index + 1) * SLICES; i++) {
        const struct worst *part = &run->worst[i];
        if (part->excess > sum.excess || (sum.excess <= 0 && part->ulp > sum.ulp))
            sum.at = part->at;
        sum.ulp = fmax(sum.ulp, part->ulp);
        sum.absolute = fmax(sum.absolute, part->absolute);
        sum.excess = fmax(sum.excess, part->excess);
        sum.count += part->count;
        sum.failures += part->failures;
        if (part->fault[0] != '\0')
            memcpy(sum.fault, part->fault, sizeof sum.fault);
    }
    int good = sum.failures == 0 && sum.fault[0] == '\0' && sum.count > 0;
    printf("%sok activations keras %u %s:", good ? "" : "not ", subject->keras, subject->name);
    if (sum.fault[0] != '\0')
        printf(" %s\n", sum.fault);
    else
        printf(" %.3f ulp, %.2g absolute (at %a; allowed %g or %g), %llu inputs, %llu outside\n",
               sum.ulp, sum.absolute, (double)sum.at, subject->act->bound.ulp,
               subject->act->bound.absolute, (unsigned long long)sum.count,
               (unsigned long long)sum.failures);
    return good;
}

/* Every function once, under the first lineage and name that mean it. */
static void find_subjects(struct run *run, const char *only)
{
    for (unsigned keras = 1; keras <= 3; keras++) {
        unsigned lineage = 1u << (keras - 1);
        const char *name;
        for (size_t i = 0; (name = gruc_act_name(i, lineage)) != NULL; i++) {
            const struct gruc_act *act = gruc_act_find(name, lineage);
            int known = act->kind == GRUC_ACT_ROWWISE || (only != NULL && strcmp(only, name) != 0);
            for (size_t k = 0; k < run->count; k++)
                known |= run->subjects[k].act == act;
            if (!known && run->count < MAX_ACTS)
                run->subjects[run->count++] = (struct subject){act, name, keras};
        }
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"jobs", required_argument, NULL, 'j'}, {"all", no_argument, NULL, 'a'},
        {"stride", required_argument, NULL, 's'}, {"only", required_argument, NULL, 'o'},
        {"cpu", required_argument, NULL, 'c'}, {"tier", required_argument, NULL, 't'},
        {NULL, 0, NULL, 0}};
    struct run run = {.stride = 257, .backend = "cpu"};
    const char *only = NULL;
    unsigned jobs = 1;
    for (int option; (option = getopt_long(argc, argv, "j:as:o:c:t:", options, NULL)) != -1;) {
        if (option == 'j')
            jobs = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'a')
            run.stride = 1;
        else if (option == 's')
            run.stride = (uint32_t)strtoul(optarg, NULL, 10) | 1;
        else if (option == 'o')
            only = optarg;
        else if (option == 'c')
            run.cpu = optarg;
        else if (option == 't')
            run.tier = strcmp(optarg, "fast") == 0     ? GRUC_TIER_FAST
                       : strcmp(optarg, "approx") == 0 ? GRUC_TIER_APPROX
                                                       : GRUC_TIER_ACCURATE;
        else
            return 2;
    }
    find_subjects(&run, only);
    run.worst = test_pool_share((run.count * SLICES + 1) * sizeof *run.worst);
    if (run.worst == NULL || run.count == 0)
        return 70;
    unsigned deaths = test_pool_run(jobs, run.count * SLICES, 600, check_slice, &run);
    for (size_t i = 0; i < run.count; i++)
        deaths += !report(&run, i);
    return deaths != 0;
}

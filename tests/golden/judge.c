/* SPDX-License-Identifier: MIT */
#include "tests/golden/judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void test_judge_init(struct test_judge *judge, const char *path, const char *text, size_t length,
                     const struct gruc_options *options, const struct test_calls *calls)
{
    *judge = (struct test_judge){path, text, length, options, calls, NULL};
}

void test_judge_finish(struct test_judge *judge)
{
    for (size_t i = 0; judge->errors != NULL && i < judge->calls->count; i++)
        test_call_finish(&judge->errors[i]);
    free(judge->errors);
    judge->errors = NULL;
}

/* Bounds for all calls in order, for what a stateful model has stored counts. */
static const struct test_call *errors_of(struct test_judge *judge, size_t call)
{
    if (judge->errors == NULL) {
        judge->errors = calloc(judge->calls->count, sizeof *judge->errors);
        struct test_bound *bound =
            test_bound_create(judge->path, judge->text, judge->length, judge->options);
        for (size_t i = 0; judge->errors != NULL && bound != NULL && i < judge->calls->count; i++) {
            struct test_call values = {0};
            if (test_bound_run(bound, &judge->calls->items[i], &values, &judge->errors[i]))
                test_call_finish(&values);
        }
        test_bound_destroy(bound);
    }
    return judge->errors == NULL ? NULL : &judge->errors[call];
}

/* 1: as near as asked for, 0: not, -1: the bound decides. */
static int judge_plainly(double x, double wanted, struct test_score *score)
{
    if (isnan(wanted))
        return isnan(x) ? 1 : -1;
    if (x == wanted)
        return 1;
    double error = fabs(x - wanted);
    if (!(error <= TEST_TOLERANCE))
        return -1;
    if (fabs(wanted) <= 2)
        score->worst = fmax(score->worst, error);
    return 1;
}

static int judge_by_bound(struct test_judge *judge, size_t call, const char *name, size_t i,
                          double x, const struct gruc_array *wanted, double *bound,
                          struct test_score *score)
{
    const struct test_call *errors = errors_of(judge, call);
    const struct test_port *port =
        errors == NULL ? NULL : test_port_find(errors->outputs, errors->n_outputs, name);
    double y = test_array_number(wanted, i), error = fabs(x - y);
    *bound = port == NULL ? 0 : test_array_number(&port->array, i);
    if (wanted->type == GRUC_NPY_FLOAT32 && !isnan(y))
        *bound += fabs(y) * 0x1p-24; /* the wanted number was rounded too */
    score->bounded++;
    int unlimited = !(*bound < (double)INFINITY);
    if (unlimited || *bound > TEST_BOUND_WIDE * fmax(1, fabs(y)))
        score->undecided++;
    else if (error <= *bound)
        score->worst_share = fmax(score->worst_share, error / *bound);
    /* Beyond the range of float32 there is no bound, and the number may be infinite or, as the
     * difference of two such, NaN. */
    return error <= *bound || unlimited;
}

static int judge_port(struct test_judge *judge, size_t call, const struct test_port *out,
                      const struct gruc_array *wanted, struct test_score *score, char *text,
                      size_t text_bytes)
{
    const struct gruc_array *array = &out->array;
    if (array->rank != wanted->rank ||
        memcmp(array->dims, wanted->dims, array->rank * sizeof array->dims[0]) != 0) {
        snprintf(text, text_bytes, "output %s has another shape", out->name);
        return 0;
    }
    for (size_t i = 0; i < array->count; i++) {
        double x = test_array_number(array, i), y = test_array_number(wanted, i), bound = 0;
        int near = judge_plainly(x, y, score);
        score->values++;
        if (near < 0)
            near = judge_by_bound(judge, call, out->name, i, x, wanted, &bound, score);
        if (!near) {
            snprintf(text, text_bytes, "output %s [%zu]: %.9g, wanted %.9g, error %.3g, bound %.3g",
                     out->name, i, x, y, fabs(x - y), fmax(bound, TEST_TOLERANCE));
            return 0;
        }
    }
    return 1;
}

int test_judge_call(struct test_judge *judge, size_t call, const struct test_call *out,
                    const struct test_call *expected, struct test_score *score, char *text,
                    size_t text_bytes)
{
    for (size_t i = 0; i < expected->n_outputs; i++) {
        const struct test_port *wanted = &expected->outputs[i];
        const struct test_port *port = test_port_find(out->outputs, out->n_outputs, wanted->name);
        if (port == NULL) {
            snprintf(text, text_bytes, "output %s is missing", wanted->name);
            return 0;
        }
        if (!judge_port(judge, call, port, &wanted->array, score, text, text_bytes))
            return 0;
    }
    if (expected->n_outputs == out->n_outputs && out->n_outputs > 0)
        return 1;
    snprintf(text, text_bytes, "%zu outputs, wanted %zu", out->n_outputs, expected->n_outputs);
    return 0;
}

void test_score_add(struct test_score *total, const struct test_score *score)
{
    total->worst = fmax(total->worst, score->worst);
    total->worst_share = fmax(total->worst_share, score->worst_share);
    total->values += score->values;
    total->bounded += score->bounded;
    total->undecided += score->undecided;
}

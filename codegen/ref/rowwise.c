/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/ref/ref.h"

static double largest(const double *x, size_t width)
{
    double result = x[0];
    for (size_t i = 1; i < width; i++)
        result = x[i] > result || isnan(x[i]) ? x[i] : result;
    return result;
}

void ref_softmax(const double *x, size_t width, double *out)
{
    double top = largest(x, width), sum = 0.0;
    for (size_t i = 0; i < width; i++)
        sum += exp(x[i] - top);
    for (size_t i = 0; i < width; i++)
        out[i] = exp(x[i] - top) / sum;
}

void ref_log_softmax(const double *x, size_t width, double *out)
{
    double top = largest(x, width), sum = 0.0;
    for (size_t i = 0; i < width; i++)
        sum += exp(x[i] - top);
    for (size_t i = 0; i < width; i++)
        out[i] = x[i] - top - log(sum);
}

static int descending(const void *left, const void *right)
{
    double a, b;
    memcpy(&a, left, sizeof a);
    memcpy(&b, right, sizeof b);
    return (a < b) - (a > b);
}

/* tau = (sum of the k largest - 1) / k, where k is the most values that stay above tau. */
double ref_sparsemax_threshold(const double *x, size_t width, double *sorted)
{
    for (size_t i = 0; i < width; i++)
        if (isnan(x[i]))
            return x[i];
    memcpy(sorted, x, width * sizeof *x);
    qsort(sorted, width, sizeof *sorted, descending);
    double sum = 0.0, threshold = sorted[0] - 1.0;
    for (size_t k = 1; k <= width; k++) {
        sum += sorted[k - 1];
        if (1.0 + (double)k * sorted[k - 1] > sum)
            threshold = (sum - 1.0) / (double)k;
    }
    return threshold;
}

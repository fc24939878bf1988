/* SPDX-License-Identifier: MIT */
/* Keras's initialisers. They see the fused shape of a weight: the fans of a GRU's kernel (D,3H) are
 * D and 3H. Keras's random streams cannot be had; these have the same distributions. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "frontend/random.h"
#include "frontend/weights.h"
#include "ir/base/status.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF /* gcc's -std=c11 implies it */
#endif

/* The deviation of a normal distribution cut at two deviations. */
#define TRUNCATED_DEVIATION 0.87962566103423978

enum {
    LANES = 8, /* of a sum over many numbers; part of what the numbers are */
    MOST_DRAWN = 1 << 27, /* numbers of a model: what a text may ask for in memory */
};

struct filler {
    const struct gruc_initializer *initializer;
    struct gruc_random random;
    float *data;
    size_t rows, columns;
    size_t fan_in, fan_out; /* both the length of a vector */
};

static void fill_value(const struct filler *filler, double value)
{
    for (size_t i = 0; i < filler->rows * filler->columns; i++)
        filler->data[i] = (float)value;
}

static void fill_uniform(struct filler *filler, double low, double high)
{
    for (size_t i = 0; i < filler->rows * filler->columns; i++)
        filler->data[i] = (float)(low + (high - low) * gruc_random_unit(&filler->random));
}

static void fill_normal(struct filler *filler, double mean, double deviation)
{
    for (size_t i = 0; i < filler->rows * filler->columns; i++)
        filler->data[i] = (float)(mean + deviation * gruc_random_normal(&filler->random));
}

static void fill_truncated(struct filler *filler, double mean, double deviation)
{
    for (size_t i = 0; i < filler->rows * filler->columns; i++)
        filler->data[i] = (float)(mean + deviation * gruc_random_truncated(&filler->random));
}

static void fill_variance_scaling(struct filler *filler)
{
    const struct gruc_initializer *initializer = filler->initializer;
    double n = initializer->mode == GRUC_FAN_IN    ? (double)filler->fan_in
               : initializer->mode == GRUC_FAN_OUT ? (double)filler->fan_out
                                                   : ((double)filler->fan_in +
                                                      (double)filler->fan_out) / 2;
    double variance = initializer->scale / (n < 1 ? 1 : n);
    double bound = sqrt(3 * variance);
    switch (initializer->distribution) {
    case GRUC_DISTRIBUTION_UNIFORM:
        fill_uniform(filler, -bound, bound);
        break;
    case GRUC_DISTRIBUTION_UNTRUNCATED_NORMAL:
        fill_normal(filler, 0, sqrt(variance));
        break;
    case GRUC_DISTRIBUTION_TRUNCATED_NORMAL:
        fill_truncated(filler, 0, sqrt(variance) / TRUNCATED_DEVIATION);
        break;
    }
}

static double dot(const double *a, const double *b, size_t count)
{
    double sums[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            sums[lane] += a[i + lane] * b[i + lane];
    for (; i < count; i++)
        sum += a[i] * b[i];
    for (size_t lane = 0; lane < LANES; lane++)
        sum += sums[lane];
    return sum;
}

static void subtract(double *restrict vector, const double *restrict other, double share,
                     size_t count)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            vector[i + lane] -= share * other[i + lane];
    for (; i < count; i++)
        vector[i] -= share * other[i];
}

/* Makes the count vectors orthonormal, each against those before it (modified Gram-Schmidt): the Q
 * of a QR decomposition whose R has a positive diagonal. */
static void make_orthonormal(double *vectors, size_t count, size_t length)
{
    for (size_t i = 0; i < count; i++) {
        double *vector = vectors + i * length;
        for (size_t j = 0; j < i; j++) {
            const double *other = vectors + j * length;
            subtract(vector, other, dot(vector, other, length), length);
        }
        double norm = sqrt(dot(vector, vector, length));
        for (size_t k = 0; norm > 0 && k < length; k++)
            vector[k] /= norm;
    }
}

/* The rows are orthonormal, or the columns when there are more rows than columns. */
static enum gruc_status fill_orthogonal(struct filler *filler)
{
    size_t rows = filler->rows, columns = filler->columns;
    size_t count = rows < columns ? rows : columns, length = rows < columns ? columns : rows;
    if (count > SIZE_MAX / sizeof(double) / length)
        return GRUC_ERROR_MEMORY;
    double *vectors = malloc(count * length * sizeof *vectors);
    if (vectors == NULL)
        return GRUC_ERROR_MEMORY;
    for (size_t i = 0; i < count * length; i++)
        vectors[i] = gruc_random_normal(&filler->random);
    make_orthonormal(vectors, count, length);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            filler->data[i * columns + j] =
                (float)(filler->initializer->gain *
                        vectors[rows < columns ? i * length + j : j * length + i]);
    free(vectors);
    return GRUC_OK;
}

static void fill_identity(const struct filler *filler)
{
    for (size_t i = 0; i < filler->rows; i++)
        for (size_t j = 0; j < filler->columns; j++)
            filler->data[i * filler->columns + j] =
                i == j ? (float)filler->initializer->gain : 0.0f;
}

static enum gruc_status fill(struct filler *filler)
{
    const struct gruc_initializer *initializer = filler->initializer;
    switch (initializer->kind) {
    case GRUC_INIT_ZEROS:
        fill_value(filler, 0);
        break;
    case GRUC_INIT_ONES:
        fill_value(filler, 1);
        break;
    case GRUC_INIT_CONSTANT:
        fill_value(filler, initializer->value);
        break;
    case GRUC_INIT_RANDOM_NORMAL:
        fill_normal(filler, initializer->mean, initializer->stddev);
        break;
    case GRUC_INIT_TRUNCATED_NORMAL:
        fill_truncated(filler, initializer->mean, initializer->stddev);
        break;
    case GRUC_INIT_RANDOM_UNIFORM:
        fill_uniform(filler, initializer->minval, initializer->maxval);
        break;
    case GRUC_INIT_VARIANCE_SCALING:
        fill_variance_scaling(filler);
        break;
    case GRUC_INIT_ORTHOGONAL:
        return fill_orthogonal(filler);
    case GRUC_INIT_IDENTITY:
        fill_identity(filler);
        break;
    }
    return GRUC_OK;
}

static int wants_matrix(const struct gruc_initializer *initializer)
{
    return initializer->kind == GRUC_INIT_ORTHOGONAL || initializer->kind == GRUC_INIT_IDENTITY;
}

static enum gruc_status initialize(struct gruc_model *model, struct gruc_parameter *parameter,
                                   uint64_t seed, struct gruc_diag *diag)
{
    const struct gruc_initializer *initializer = parameter->initializer;
    if (parameter->rank < 2 && wants_matrix(initializer))
        return gruc_diag_error(diag, GRUC_E_BAD_OBJECT, initializer->mark,
                               "this initializer fills matrices only, and '%s' has one axis",
                               parameter->name);
    struct filler filler = {.initializer = initializer, .rows = parameter->rows,
                            .columns = parameter->columns, .fan_in = parameter->dims[0],
                            .fan_out = parameter->dims[parameter->rank - 1]};
    filler.random = gruc_random_stream(initializer->has_seed ? initializer->seed : seed,
                                       parameter->name);
    filler.data = GRUC_NEW_ARRAY(model->arena, float, filler.rows * filler.columns);
    if (filler.data == NULL)
        return GRUC_ERROR_MEMORY;
    GRUC_TRY(fill(&filler));
    parameter->data = filler.data;
    return GRUC_OK;
}

enum gruc_status gruc_weights_initialize(struct gruc_model *model, uint64_t seed,
                                         struct gruc_diag *diag)
{
    unsigned errors = diag->errors;
    uint64_t left = MOST_DRAWN;
    for (size_t i = 0; i < model->n_parameters; i++) {
        struct gruc_parameter *parameter = model->parameters[i];
        uint64_t count = (uint64_t)parameter->rows * parameter->columns;
        if (count > left)
            return gruc_diag_error(diag, GRUC_E_WEIGHTS_SEED, parameter->mark,
                                   "no weights file, and '%s' of %" PRIu32 " by %" PRIu32
                                   " numbers is too large to be drawn from the seed",
                                   parameter->name, parameter->rows, parameter->columns);
        left -= count;
        enum gruc_status status = initialize(model, parameter, seed, diag);
        if (status != GRUC_OK && status != GRUC_ERROR_INPUT)
            return status;
    }
    return diag->errors > errors ? GRUC_ERROR_INPUT : GRUC_OK;
}

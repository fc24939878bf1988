/* SPDX-License-Identifier: MIT */
#ifndef GRUC_TESTS_RANDOM_MODEL_H
#define GRUC_TESTS_RANDOM_MODEL_H

/* Random models: a small description that is made from a seed, written as YAML, and shrunken. */

#include <stdint.h>
#include <stdio.h>

enum { RANDOM_LAYERS = 6, RANDOM_IDS = 7 };

enum random_kind {
    RANDOM_GRU, RANDOM_BIDIRECTIONAL, RANDOM_DENSE, RANDOM_ACTIVATION, RANDOM_MASKING,
    RANDOM_RELU, RANDOM_LEAKY_RELU, RANDOM_ELU, RANDOM_SOFTMAX, RANDOM_DROPOUT,
    RANDOM_SPATIAL_DROPOUT, RANDOM_GAUSSIAN_NOISE, RANDOM_FLATTEN, RANDOM_RESHAPE,
    RANDOM_BATCH_NORMALIZATION,
    RANDOM_KINDS
};

/* Switches of a layer; each may be turned off by itself. */
enum {
    RANDOM_SEQUENCES = 1, RANDOM_STATE = 2, RANDOM_BACKWARDS = 4, RANDOM_STATEFUL = 8,
    RANDOM_UNROLL = 16, RANDOM_ZERO_OUTPUT = 32, RANDOM_NO_BIAS = 64, RANDOM_MASK = 128,
    RANDOM_GIVEN_STATE = 256, RANDOM_DROPS = 512, RANDOM_OUTPUT = 1024,
    RANDOM_FLAGS = 11
};

struct random_layer {
    enum random_kind kind;
    int source;     /* an earlier layer, -1: the model's input */
    unsigned flags;
    unsigned units;
    int reset_after;           /* -1: the default */
    int activation, recurrent; /* index of a name in the lineage, -1: the default */
    unsigned merge;            /* of Bidirectional: concat, sum, mul, ave, ~ */
    int parameter;             /* of the kinds with a number, in tenths */
};

struct random_model {
    uint64_t seed;
    int keras;
    int time_major, static_steps, embedding, mask_zero;
    int one_hot; /* the embedding is a CategoryEncoding */
    int large;   /* layers and sequences, so that products are computed ahead of their steps */
    unsigned width; /* of the input */
    unsigned batch, steps, calls;
    unsigned count;
    struct random_layer layers[RANDOM_LAYERS];
};

/* splitmix64 */
uint64_t random_next(uint64_t *state);
unsigned random_below(uint64_t *state, unsigned limit);
double random_unit(uint64_t *state); /* in [0, 1) */

void random_model_make(uint64_t seed, struct random_model *out);
/* Whether the description is a model that Keras takes. */
int random_model_valid(const struct random_model *model);
void random_model_write(const struct random_model *model, FILE *file);

/* The next simpler variant after the one with number *variant (begin with 0): 0 when there is no
 * further one. Variants need not be valid. */
int random_model_simplify(const struct random_model *model, unsigned *variant,
                          struct random_model *out);

#endif

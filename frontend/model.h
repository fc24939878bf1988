/* SPDX-License-Identifier: MIT */
#ifndef GRUC_FRONTEND_MODEL_H
#define GRUC_FRONTEND_MODEL_H

/* A model as its author described it: layers with Keras's arguments, a source mark on everything.
 * gruc_frontend_parse makes the layers and their arguments, gruc_frontend_check adds edges, shapes,
 * masks and parameters, a weights reader or the initialisers fill the parameters' data. All of it
 * lives in one arena. */

#include <stddef.h>
#include <stdint.h>

#include <gruc/abi.h>

#include "ir/base/arena.h"
#include "ir/base/diag.h"
#include "ir/tensor.h"

/* Whose defaults and corner rules a model follows; also bits (1 << lineage) in layers.def. */
enum gruc_lineage { GRUC_KERAS1 = 1, GRUC_KERAS2 = 2, GRUC_KERAS3 = 3 };

enum { GRUC_MODEL_MAX_RANK = GRUC_ABI_MAX_RANK - 1 }; /* of a tensor without its batch axis */

/* ---- what fills, penalises and constrains a weight ---- */
enum gruc_initializer_kind {
    GRUC_INIT_ZEROS,
    GRUC_INIT_ONES,
    GRUC_INIT_CONSTANT,         /* value */
    GRUC_INIT_RANDOM_NORMAL,    /* mean, stddev */
    GRUC_INIT_TRUNCATED_NORMAL, /* mean, stddev; cut at two stddev, without correction */
    GRUC_INIT_RANDOM_UNIFORM,   /* minval, maxval */
    GRUC_INIT_VARIANCE_SCALING, /* scale, mode, distribution: glorot, he and lecun are this */
    GRUC_INIT_ORTHOGONAL,       /* gain */
    GRUC_INIT_IDENTITY,         /* gain */
};

enum gruc_fan_mode { GRUC_FAN_IN, GRUC_FAN_OUT, GRUC_FAN_AVERAGE };

enum gruc_distribution {
    GRUC_DISTRIBUTION_TRUNCATED_NORMAL, /* deviation corrected for the cut */
    GRUC_DISTRIBUTION_UNTRUNCATED_NORMAL,
    GRUC_DISTRIBUTION_UNIFORM,
};

struct gruc_initializer {
    enum gruc_initializer_kind kind;
    double value, mean, stddev, minval, maxval, scale, gain;
    enum gruc_fan_mode mode;
    enum gruc_distribution distribution;
    int has_seed; /* the author gave one */
    uint64_t seed;
    struct gruc_mark mark;
};

enum gruc_regularizer_kind {
    GRUC_REGULARIZER_L1L2,       /* l1 sum|w| + l2 sum w^2 */
    GRUC_REGULARIZER_ORTHOGONAL, /* factor, over rows or columns */
};

struct gruc_regularizer {
    enum gruc_regularizer_kind kind;
    double l1, l2, factor;
    int columns; /* of the orthogonal one: 0 rows, 1 columns */
};

enum gruc_constraint_kind {
    GRUC_CONSTRAINT_MAX_NORM,     /* max_value */
    GRUC_CONSTRAINT_MIN_MAX_NORM, /* min_value, max_value, rate */
    GRUC_CONSTRAINT_UNIT_NORM,
    GRUC_CONSTRAINT_NON_NEGATIVE,
};

struct gruc_constraint {
    enum gruc_constraint_kind kind;
    double min_value, max_value, rate;
    int64_t axis;
};

/* A weight tensor: float32, row-major. dims are Keras's; rows and columns fold them to a matrix
 * (a vector is one row). */
struct gruc_parameter {
    const char *name; /* "g/kernel", as in weights files */
    uint32_t rank;    /* 1 or 2 */
    uint32_t dims[2];
    uint32_t rows, columns;
    const struct gruc_initializer *initializer;
    const struct gruc_regularizer *regularizer; /* NULL: none */
    const struct gruc_constraint *constraint;   /* NULL: none */
    float *data; /* rows * columns numbers, NULL until filled */
    struct gruc_tensor_source source; /* of a large one that is filled and stays in its file */
    uint32_t index; /* among the model's parameters */
    struct gruc_mark mark; /* the layer's */
};

/* ---- layers and their arguments: rows of layers.def ---- */
enum gruc_layer_kind {
#define GRUC_LAYER(ID, name, base, doc) GRUC_LAYER_##ID,
#include "frontend/layers.def"
    GRUC_LAYER_COUNT
};

enum gruc_argument_id {
#define GRUC_ARGUMENT(LAYER, argument, TYPE, range, lineages, initial, doc)                        \
    GRUC_ARGUMENT_##LAYER##_##argument,
#include "frontend/layers.def"
    GRUC_ARGUMENT_COUNT
};

struct gruc_activation {
    const struct gruc_act *act; /* a row of act.def; NULL: linear */
    double parameters[3];
};

struct gruc_reference {
    const char *name;
    struct gruc_mark mark;
};

struct gruc_reference_list {
    struct gruc_reference *items;
    size_t count;
};

struct gruc_layer;

/* An argument as parsed or by default; which member holds it follows from its row's type. */
struct gruc_argument {
    int given; /* written by the author */
    int null;  /* is ~ */
    struct gruc_mark mark;     /* of the value; of the layer when not given */
    struct gruc_mark key_mark; /* of its key */
    union {
        int64_t integer; /* integers, booleans, indexes of choices */
        double number;
        const char *text;
        struct gruc_activation activation;
        const struct gruc_initializer *initializer;
        const struct gruc_regularizer *regularizer; /* NULL: none */
        const struct gruc_constraint *constraint;   /* NULL: none */
        struct gruc_reference_list references;
        struct gruc_layer *layer;
        struct {
            int64_t *items;
            size_t count;
        } integers; /* a shape */
    } value;
};

/* ---- edges: tensors between layers ---- */
/* A length: the value of a step symbol (symbol >= 0), or a static number. */
struct gruc_dim {
    int32_t symbol;
    uint64_t size;
};

enum gruc_mask_source {
    GRUC_MASK_TENSOR,  /* an edge given as `mask`: nonzero means use the step */
    GRUC_MASK_NOT,     /* Masking: some feature of the edge differs from value */
    GRUC_MASK_NONZERO, /* Embedding: id is not zero */
};

struct gruc_mask {
    enum gruc_mask_source source;
    struct gruc_edge *edge;
    double value;
    uint32_t index; /* a number of its own in the model */
    struct gruc_mark mark;
};

struct gruc_edge {
    const char *name; /* "x", "g", "g.state", "b.forward" */
    struct gruc_layer *layer; /* that makes it, NULL: a model input */
    unsigned result;          /* which of the layer's results, or which input */
    enum gruc_dtype dtype;
    uint32_t rank; /* without the batch axis */
    struct gruc_dim dims[GRUC_MODEL_MAX_RANK];
    struct gruc_mask *mask; /* that travels with it, NULL: none */
    int time_major;         /* the array is (steps, batch, ...) */
    struct gruc_edge *layout; /* the edge whose time_major counts for this one; NULL: its own */
    struct gruc_mark layout_mark; /* of what decided it; line 0: nothing yet */
    int known;              /* its shape was inferred without error */
    uint32_t index;         /* a number of its own in the model */
    struct gruc_mark mark;
};

/* A recurrent layer as it will run: a GRU, or one child of a Bidirectional. */
struct gruc_recurrence {
    const struct gruc_layer *layer; /* the GRU whose arguments count */
    const char *name;   /* "g", "b/forward" */
    int go_backwards, zero_output_for_mask;
    struct gruc_parameter *kernel, *recurrent_kernel, *bias; /* bias NULL: none */
    struct gruc_edge *initial_state; /* NULL: zero */
};

struct gruc_layer {
    enum gruc_layer_kind kind;
    const char *name;
    struct gruc_mark mark; /* of its class name */
    struct gruc_argument *arguments; /* rows of its kind, then those of every layer */
    struct gruc_layer *previous;     /* in the file, NULL for the first */
    /* by check: */
    struct gruc_edge *input;
    struct gruc_edge *mask_edge;     /* the argument `mask`, NULL: none */
    struct gruc_edge *results[4]; /* main one first (of Bidirectional forward, backward), states */
    size_t n_results, n_states;   /* the last n_states results are states */
    struct gruc_mask *mask;       /* that it applies, NULL: none */
    struct gruc_recurrence recurrences[2]; /* GRU: one; Bidirectional: forward, backward */
    struct gruc_parameter *parameters[4];  /* Dense: kernel, bias; Embedding: embeddings;
                                              BatchNormalization: moving mean and variance, gamma,
                                              beta; NULL: it has none */
    int visit;                    /* of the sort: 0 new, 1 entered, 2 done */
    size_t next_dependency;       /* of the sort */
};

struct gruc_model_options {
    uint64_t batch; /* overrides the static batch, 0: as the model says */
    uint64_t steps; /* number of steps for every ~, 0: any */
};

struct gruc_model {
    struct gruc_arena *arena;
    struct gruc_model_options options;
    const char *path;   /* of the model file, for messages and to find the weights beside it */
    const char *name;   /* a C identifier */
    enum gruc_lineage lineage;
    uint64_t batch;     /* static batch, 0: any */
    struct gruc_mark batch_mark;
    struct gruc_reference weights; /* path relative to the model file; name NULL: none */
    struct gruc_edge **inputs;
    size_t n_inputs, inputs_capacity;
    struct gruc_layer **layers; /* in the file's order; after check in an order that can run */
    size_t n_layers, layers_capacity;
    struct gruc_reference *output_names; /* as written; none: the last layer's results */
    size_t n_output_names;
    /* by check: */
    struct gruc_edge **outputs;
    size_t n_outputs, outputs_capacity;
    int has_weights_file;   /* that sources read, open until gruc_weights_close */
    int weights_descriptor;
    struct gruc_parameter **parameters; /* in the layers' order */
    size_t n_parameters, parameters_capacity;
    struct {
        const char *name;
        uint64_t steps; /* 0: known at run time */
    } symbols[GRUC_ABI_MAX_STEPS];
    size_t n_symbols;
    size_t n_edges, n_masks;
};

#endif

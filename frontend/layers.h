/* SPDX-License-Identifier: MIT */
#ifndef GRUC_FRONTEND_LAYERS_H
#define GRUC_FRONTEND_LAYERS_H

/* layers.def as tables, and access to a layer's arguments. */

#include "frontend/model.h"

/* GRUC_ARGUMENT_TYPE(ID, "what the value must be", member of struct gruc_argument that holds it) */
#define GRUC_ARGUMENT_TYPES(X)                                                                     \
    X(INTEGER, "an integer")                                                                       \
    X(NUMBER, "a number")                                                                          \
    X(NUMBER_OR_NULL, "a number or ~")                                                             \
    X(BOOLEAN, "true or false")                                                                    \
    X(AXIS, "an integer")                                                                          \
    X(CHOICE, "one of these words")                                                                \
    X(ACTIVATION, "an activation")                                                                 \
    X(INITIALIZER, "an initializer")                                                               \
    X(REGULARIZER, "a regularizer or ~")                                                           \
    X(CONSTRAINT, "a constraint or ~")                                                             \
    X(LAYER, "a layer such as {GRU: {units: 4}}")                                                  \
    X(SHAPE, "a list of integers")                                                                 \
    X(LAYER_NAME, "a name")                                                                        \
    X(NAME, "the name of a tensor")                                                                \
    X(NAMES, "the name of a tensor or a list of names")                                            \
    X(IGNORED, "anything")

enum gruc_argument_type {
#define GRUC_ARGUMENT_TYPE(ID, text) GRUC_TYPE_##ID,
    GRUC_ARGUMENT_TYPES(GRUC_ARGUMENT_TYPE)
#undef GRUC_ARGUMENT_TYPE
};

enum { GRUC_LAYER_ANY = GRUC_LAYER_COUNT };

/* The words of Bidirectional's merge_mode, in the order of its row. */
enum gruc_merge_mode { GRUC_MERGE_CONCAT, GRUC_MERGE_SUM, GRUC_MERGE_MUL, GRUC_MERGE_AVE };

struct gruc_layer_row {
    const char *name;
    const char *base; /* default layer name */
    const char *doc;
};

struct gruc_argument_row {
    unsigned layer; /* enum gruc_layer_kind, or GRUC_LAYER_ANY */
    const char *name;
    enum gruc_argument_type type;
    const char *range;
    unsigned lineages; /* bits 1 << enum gruc_lineage */
    const char *initial; /* NULL: must be given */
    const char *doc;
};

const struct gruc_layer_row *gruc_layer_row(enum gruc_layer_kind kind);
/* By class name; 0 when there is none. */
int gruc_layer_find(const char *name, enum gruc_layer_kind *out);

const struct gruc_argument_row *gruc_argument_row(enum gruc_argument_id id);
const char *gruc_argument_type_text(enum gruc_argument_type type);
/* The arguments of a layer kind, its own and those of every layer: their number, and the i-th. */
size_t gruc_layer_argument_count(enum gruc_layer_kind kind);
enum gruc_argument_id gruc_layer_argument_id(enum gruc_layer_kind kind, size_t index);

/* A layer's argument; id must be of its kind or of every layer. */
struct gruc_argument *gruc_layer_argument(const struct gruc_layer *layer,
                                          enum gruc_argument_id id);
int64_t gruc_layer_integer(const struct gruc_layer *layer, enum gruc_argument_id id);
double gruc_layer_number(const struct gruc_layer *layer, enum gruc_argument_id id);

/* Whether a Softmax goes over the steps of a sequence (B,T,F), not over its last axis. */
int gruc_layer_softmax_over_steps(const struct gruc_layer *layer);

/* Why cuDNN cannot compute a GRU with these options, NULL when it can. */
const char *gruc_layer_cudnn_refusal(const struct gruc_layer *gru);

#endif

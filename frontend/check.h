/* SPDX-License-Identifier: MIT */
#ifndef GRUC_FRONTEND_CHECK_H
#define GRUC_FRONTEND_CHECK_H

/* What the files that check a model share. Functions report errors and go on: they answer other
 * than GRUC_OK only when memory ran out. */

#include "frontend/layers.h"
#include "frontend/names.h"

struct gruc_checker {
    struct gruc_model *model;
    struct gruc_arena *arena;
    struct gruc_diag *diag;
    struct gruc_names edges;  /* of every tensor that can be named */
    struct gruc_names layers;
    int32_t *symbol_parent;   /* step symbols as sets; a root is its own parent */
    uint64_t *symbol_size;    /* of a root: its known number, 0: unknown */
    int32_t *symbol_number;   /* of a root, in the end: its number in the model */
    size_t n_symbols;
    int no_memory;            /* it ran out where that could not be answered */
};

/* ---- check_references.c ---- */
/* Gives names to layers without, makes the edges of their results, finds what each layer reads. */
enum gruc_status gruc_check_name_layers(struct gruc_checker *checker);
enum gruc_status gruc_check_resolve(struct gruc_checker *checker);
/* The edge of a name; NULL after a report. */
struct gruc_edge *gruc_check_find_edge(struct gruc_checker *checker,
                                       const struct gruc_reference *reference);
/* Puts the layers into an order that can run. */
enum gruc_status gruc_check_sort(struct gruc_checker *checker);

/* ---- check_unite.c: lengths and layouts that must be equal ---- */
enum gruc_status gruc_check_begin_symbols(struct gruc_checker *checker);
struct gruc_dim gruc_check_dim(struct gruc_checker *checker, struct gruc_dim dim);
/* 0 when they are known to differ. */
int gruc_check_same_length(struct gruc_checker *checker, struct gruc_dim a, struct gruc_dim b);
/* Numbers the symbols that are left, and writes final lengths and layouts into an edge. */
enum gruc_status gruc_check_number_symbols(struct gruc_checker *checker);
void gruc_check_finish_edge(struct gruc_checker *checker, struct gruc_edge *edge);
/* edge is time-major, or not, because of what stands at mark. */
void gruc_check_layout(struct gruc_checker *checker, struct gruc_edge *edge, int time_major,
                       struct gruc_mark mark);
void gruc_check_same_layout(struct gruc_checker *checker, struct gruc_edge *a, struct gruc_edge *b,
                            struct gruc_mark mark);

/* ---- check_shapes.c, check_recurrent.c: one layer, its inputs being known ---- */
enum gruc_status gruc_check_layer(struct gruc_checker *checker, struct gruc_layer *layer);
enum gruc_status gruc_check_recurrent(struct gruc_checker *checker, struct gruc_layer *layer);
/* Warns of an activation that Keras gets wrong. */
void gruc_check_sparsemax(struct gruc_checker *checker, const struct gruc_layer *layer);
/* After symbols are numbered: what needs final lengths. */
void gruc_check_unroll(struct gruc_checker *checker, const struct gruc_layer *layer);

/* Sets shape and type of a result and marks it known; reports when it is too large. */
void gruc_check_set_shape(struct gruc_checker *checker, struct gruc_layer *layer, unsigned result,
                          uint32_t rank, const struct gruc_dim *dims);
enum gruc_status gruc_check_add_mask(struct gruc_checker *checker, enum gruc_mask_source source,
                                     struct gruc_edge *edge, double value, struct gruc_mark mark,
                                     struct gruc_mask **out);

/* The arguments that say how a weight is filled, penalised and bounded; of the last two
 * GRUC_ARGUMENT_COUNT says that there is none. */
struct gruc_weight_arguments {
    enum gruc_argument_id initializer, regularizer, constraint;
};
/* Makes the parameter owner/part of columns, or of rows x columns; rows 0: a vector. */
enum gruc_status gruc_check_add_parameter(struct gruc_checker *checker,
                                          const struct gruc_layer *layer, const char *owner,
                                          const char *part, uint64_t rows, uint64_t columns,
                                          const struct gruc_weight_arguments *arguments,
                                          struct gruc_parameter **out);
/* "(B,T,4)" for messages; returns room. */
const char *gruc_check_shape_text(struct gruc_checker *checker, const struct gruc_edge *edge,
                                  char *room, size_t size);

#endif

/* SPDX-License-Identifier: MIT */
#include "frontend/layers.h"

#include <string.h>

static const struct gruc_layer_row layer_rows[] = {
#define GRUC_LAYER(ID, name, base, doc) {name, base, doc},
#include "frontend/layers.def"
};

static const struct gruc_argument_row argument_rows[] = {
#define GRUC_ARGUMENT(LAYER, argument, TYPE, range, lineages, initial, doc)                        \
    {GRUC_LAYER_##LAYER, #argument, GRUC_TYPE_##TYPE, range, lineages, initial, doc},
#include "frontend/layers.def"
};

static const char *const type_texts[] = {
#define GRUC_ARGUMENT_TYPE(ID, text) text,
    GRUC_ARGUMENT_TYPES(GRUC_ARGUMENT_TYPE)
#undef GRUC_ARGUMENT_TYPE
};

const struct gruc_layer_row *gruc_layer_row(enum gruc_layer_kind kind)
{
    return &layer_rows[kind];
}

int gruc_layer_find(const char *name, enum gruc_layer_kind *out)
{
    for (unsigned i = 0; i < GRUC_LAYER_COUNT; i++) {
        if (strcmp(layer_rows[i].name, name) == 0) {
            *out = (enum gruc_layer_kind)i;
            return 1;
        }
    }
    return 0;
}

const struct gruc_argument_row *gruc_argument_row(enum gruc_argument_id id)
{
    return &argument_rows[id];
}

const char *gruc_argument_type_text(enum gruc_argument_type type)
{
    return type_texts[type];
}

/* Where the rows of a layer begin; those of one layer stand together, those of every layer last. */
static unsigned first_row(unsigned layer)
{
    unsigned row = 0;
    while (row < GRUC_ARGUMENT_COUNT && argument_rows[row].layer != layer)
        row++;
    return row;
}

static unsigned count_rows(unsigned layer)
{
    unsigned first = first_row(layer), row = first;
    while (row < GRUC_ARGUMENT_COUNT && argument_rows[row].layer == layer)
        row++;
    return row - first;
}

size_t gruc_layer_argument_count(enum gruc_layer_kind kind)
{
    return count_rows(kind) + count_rows(GRUC_LAYER_ANY);
}

enum gruc_argument_id gruc_layer_argument_id(enum gruc_layer_kind kind, size_t index)
{
    unsigned own = count_rows(kind);
    if (index < own)
        return (enum gruc_argument_id)(first_row(kind) + index);
    return (enum gruc_argument_id)(first_row(GRUC_LAYER_ANY) + index - own);
}

struct gruc_argument *gruc_layer_argument(const struct gruc_layer *layer,
                                          enum gruc_argument_id id)
{
    if (argument_rows[id].layer != GRUC_LAYER_ANY)
        return &layer->arguments[id - first_row(layer->kind)];
    return &layer->arguments[count_rows(layer->kind) + id - first_row(GRUC_LAYER_ANY)];
}

int64_t gruc_layer_integer(const struct gruc_layer *layer, enum gruc_argument_id id)
{
    return gruc_layer_argument(layer, id)->value.integer;
}

int gruc_layer_softmax_over_steps(const struct gruc_layer *layer)
{
    int64_t axis = gruc_layer_integer(layer, GRUC_ARGUMENT_SOFTMAX_axis);
    return layer->input->rank == 2 && (axis == 1 || axis == -2);
}

double gruc_layer_number(const struct gruc_layer *layer, enum gruc_argument_id id)
{
    return gruc_layer_argument(layer, id)->value.number;
}

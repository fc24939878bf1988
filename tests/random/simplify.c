/* SPDX-License-Identifier: MIT */
/* Simpler variants of a random model, for finding the smallest one that still fails. */

#include "tests/random/model.h"

enum { WHOLE_VARIANTS = 9, LAYER_VARIANTS = 8 + RANDOM_FLAGS };

static void remove_layer(struct random_model *model, unsigned index)
{
    int source = model->layers[index].source;
    model->count--;
    for (unsigned i = index; i < model->count; i++)
        model->layers[i] = model->layers[i + 1];
    for (unsigned i = index; i < model->count; i++) {
        int *from = &model->layers[i].source;
        if (*from == (int)index)
            *from = source;
        else if (*from > (int)index)
            --*from;
    }
}

/* 0 when the variant changes nothing. */
static int simplify_whole(struct random_model *model, unsigned variant)
{
    struct random_model before = *model;
    switch (variant) {
    case 0:
        model->batch = 1;
        break;
    case 1:
        model->steps = 1;
        break;
    case 2:
        model->steps = (model->steps + 1) / 2;
        break;
    case 3:
        model->width = (model->width + 1) / 2;
        break;
    case 4:
        model->calls = 1;
        break;
    case 5:
        model->embedding = 0;
        break;
    case 6:
        model->time_major = 0;
        break;
    case 7:
        model->static_steps = 0;
        break;
    default:
        model->batch = (model->batch + 1) / 2;
        break;
    }
    return before.batch != model->batch || before.steps != model->steps ||
           before.width != model->width || before.calls != model->calls ||
           before.embedding != model->embedding || before.time_major != model->time_major ||
           before.static_steps != model->static_steps;
}

static int simplify_layer(struct random_model *model, unsigned index, unsigned variant)
{
    struct random_layer *layer = &model->layers[index], before = *layer;
    if (variant == 0) {
        if (model->count == 1)
            return 0;
        remove_layer(model, index);
        return 1;
    }
    switch (variant) {
    case 1:
        layer->units = 1;
        break;
    case 2:
        layer->units = (layer->units + 1) / 2;
        break;
    case 3:
        layer->activation = -1;
        break;
    case 4:
        layer->recurrent = -1;
        break;
    case 5:
        layer->reset_after = -1;
        break;
    case 6:
        layer->source = -1;
        break;
    case 7:
        layer->merge = 1;
        break;
    default:
        layer->flags &= ~(1u << (variant - 8));
        break;
    }
    return before.units != layer->units || before.activation != layer->activation ||
           before.recurrent != layer->recurrent || before.reset_after != layer->reset_after ||
           before.source != layer->source || before.flags != layer->flags ||
           before.merge != layer->merge;
}

int random_model_simplify(const struct random_model *model, unsigned *variant,
                          struct random_model *out)
{
    unsigned layer_variants = model->count * LAYER_VARIANTS;
    while (*variant < layer_variants + WHOLE_VARIANTS) {
        unsigned number = (*variant)++;
        *out = *model;
        int changed = number < layer_variants
                          ? simplify_layer(out, number / LAYER_VARIANTS, number % LAYER_VARIANTS)
                          : simplify_whole(out, number - layer_variants);
        if (changed)
            return 1;
    }
    return 0;
}

/* SPDX-License-Identifier: MIT */
#include "tests/random/model.h"

#include "ir/act.h"

/* What a layer gives: a sequence or a vector, and whether a mask travels with it. */
struct flow {
    int sequence, masked;
    unsigned width;
};

uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

unsigned random_below(uint64_t *state, unsigned limit)
{
    return (unsigned)(random_next(state) % limit);
}

double random_unit(uint64_t *state)
{
    return (double)(random_next(state) >> 11) * 0x1p-53;
}

static int is_recurrent(const struct random_layer *layer)
{
    return layer->kind == RANDOM_GRU || layer->kind == RANDOM_BIDIRECTIONAL;
}

static int split_outputs(const struct random_layer *layer)
{
    return layer->kind == RANDOM_BIDIRECTIONAL && layer->merge == 4;
}

static struct flow input_flow(const struct random_model *model)
{
    if (model->embedding && model->one_hot)
        return (struct flow){1, 0, RANDOM_IDS};
    return (struct flow){1, model->embedding && model->mask_zero, model->width};
}

static int recurrent_valid(const struct random_model *model, const struct random_layer *layer,
                           const struct flow *from)
{
    unsigned flags = layer->flags;
    if (!from->sequence || ((flags & RANDOM_UNROLL) && !model->static_steps))
        return 0;
    if (layer->kind == RANDOM_BIDIRECTIONAL &&
        ((flags & RANDOM_BACKWARDS) ||
         (model->keras == 3 && (flags & RANDOM_STATEFUL) && (flags & RANDOM_STATE))))
        return 0;
    return 1;
}

static int layer_valid(const struct random_model *model, const struct random_layer *layer,
                       const struct flow *from, struct flow *out)
{
    *out = *from;
    switch (layer->kind) {
    case RANDOM_GRU:
    case RANDOM_BIDIRECTIONAL:
        out->masked = (from->masked || (layer->flags & RANDOM_MASK)) &&
                      (layer->flags & RANDOM_SEQUENCES);
        out->sequence = (layer->flags & RANDOM_SEQUENCES) != 0;
        out->width = layer->units;
        if (layer->kind == RANDOM_BIDIRECTIONAL && layer->merge == 0)
            out->width *= 2;
        return recurrent_valid(model, layer, from);
    case RANDOM_DENSE:
        out->width = layer->units;
        return 1;
    case RANDOM_MASKING:
        out->masked = 1;
        return from->sequence && !model->time_major;
    case RANDOM_SOFTMAX:
        return !(from->sequence && from->masked);
    case RANDOM_SPATIAL_DROPOUT:
        return from->sequence && !model->time_major;
    case RANDOM_FLATTEN:
    case RANDOM_RESHAPE:
        out->sequence = out->masked = 0;
        out->width = from->sequence ? from->width * model->steps : from->width;
        return !model->time_major && (!from->sequence || model->static_steps);
    default:
        return 1;
    }
}

static int flows(const struct random_model *model, struct flow *out)
{
    for (unsigned i = 0; i < model->count; i++) {
        const struct random_layer *layer = &model->layers[i];
        if (layer->source >= (int)i)
            return 0;
        struct flow from = layer->source < 0 ? input_flow(model) : out[layer->source];
        if ((layer->source >= 0 && split_outputs(&model->layers[layer->source])) ||
            !layer_valid(model, layer, &from, &out[i]))
            return 0;
    }
    return 1;
}

int random_model_valid(const struct random_model *model)
{
    struct flow out[RANDOM_LAYERS];
    if (model->time_major && (model->keras == 3 || model->embedding))
        return 0;
    if (model->embedding && model->one_hot && model->keras != 3)
        return 0;
    if (model->embedding && model->one_hot && model->static_steps && model->steps == 1)
        return 0; /* one id a row is no sequence */
    if (model->time_major) {
        /* Something must say that the arrays are time-major: each path begins with a GRU. */
        for (unsigned i = 0; i < model->count; i++)
            if (model->layers[i].source < 0 && !is_recurrent(&model->layers[i]))
                return 0;
    }
    return model->count > 0 && flows(model, out);
}

static int activation(uint64_t *state, int keras)
{
    unsigned lineage = 1u << (keras - 1), count = 0;
    while (gruc_act_name(count, lineage) != NULL)
        count++;
    return random_below(state, 2) ? -1 : (int)random_below(state, count);
}

static unsigned chance(uint64_t *state, unsigned one_in, unsigned flag)
{
    return random_below(state, one_in) == 0 ? flag : 0;
}

static unsigned draw_flags(uint64_t *state)
{
    return chance(state, 4, RANDOM_STATE) | chance(state, 5, RANDOM_BACKWARDS) |
           chance(state, 8, RANDOM_STATEFUL) | chance(state, 4, RANDOM_UNROLL) |
           chance(state, 4, RANDOM_ZERO_OUTPUT) | chance(state, 6, RANDOM_NO_BIAS) |
           chance(state, 4, RANDOM_MASK) | chance(state, 5, RANDOM_GIVEN_STATE) |
           chance(state, 8, RANDOM_DROPS) | chance(state, 4, RANDOM_OUTPUT) |
           (random_below(state, 3) ? RANDOM_SEQUENCES : 0);
}

static void draw_layer(uint64_t *state, const struct random_model *model, unsigned index,
                       struct random_layer *out)
{
    static const unsigned sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33};
    static const unsigned large_sizes[] = {32, 49, 64, 66, 100, 130, 141, 153};
    static const enum random_kind usual[] = {RANDOM_GRU, RANDOM_GRU, RANDOM_GRU,
                                             RANDOM_BIDIRECTIONAL, RANDOM_DENSE};
    out->kind = random_below(state, 3) ? usual[random_below(state, 5)]
                                       : (enum random_kind)random_below(state, RANDOM_KINDS);
    out->source = random_below(state, 6) ? (int)index - 1 : (int)random_below(state, index + 1) - 1;
    out->flags = draw_flags(state);
    out->units = model->large ? large_sizes[random_below(state, 8)]
                              : sizes[random_below(state, random_below(state, 4) ? 8 : 13)];
    out->reset_after = (int)random_below(state, 3) - 1;
    out->activation = activation(state, model->keras);
    out->recurrent = activation(state, model->keras);
    out->merge = random_below(state, 5);
    out->parameter = 1 + (int)random_below(state, 20);
}

void random_model_make(uint64_t seed, struct random_model *out)
{
    uint64_t state = seed * 0x2545f4914f6cdd1du + 1;
    *out = (struct random_model){.seed = seed};
    out->keras = 1 + (int)random_below(&state, 3);
    out->time_major = random_below(&state, 8) == 0;
    out->static_steps = random_below(&state, 3) == 0;
    out->embedding = random_below(&state, 8) == 0;
    out->mask_zero = random_below(&state, 2) == 0;
    out->one_hot = out->keras == 3 && random_below(&state, 2) == 0;
    out->width = 1 + random_below(&state, 9);
    out->batch = random_below(&state, 12) ? 1 + random_below(&state, 5) : 33;
    out->large = random_below(&state, 12) == 0;
    out->steps = 1 + random_below(&state, out->large ? 70 : 12);
    if (out->static_steps && out->steps == 1)
        out->one_hot = 0;
    out->calls = 1 + random_below(&state, 3);
    unsigned wanted = 1 + random_below(&state, RANDOM_LAYERS);
    for (unsigned tries = 0; out->count < wanted && tries < 200; tries++) {
        draw_layer(&state, out, out->count, &out->layers[out->count]);
        out->count++;
        if (!random_model_valid(out))
            out->count--;
    }
    if (out->count == 0) {
        out->time_major = 0;
        out->layers[0] = (struct random_layer){.kind = RANDOM_GRU, .source = -1, .units = 3,
                                               .reset_after = -1, .activation = -1,
                                               .recurrent = -1};
        out->count = 1;
    }
}

static void write_activation(const struct random_model *model, const char *key, int index,
                             FILE *file)
{
    if (index >= 0)
        fprintf(file, ", %s: %s", key,
                gruc_act_name((size_t)index, 1u << (model->keras - 1)));
}

static void write_source(const struct random_model *model, const struct random_layer *layer,
                         FILE *file)
{
    if (layer->source >= 0)
        fprintf(file, ", inputs: l%d", layer->source);
    else
        fprintf(file, ", inputs: %s", model->embedding ? "e" : "x");
}

static void write_gru(const struct random_model *model, const struct random_layer *layer,
                      FILE *file)
{
    static const struct {
        unsigned flag;
        const char *text;
    } switches[] = {{RANDOM_SEQUENCES, "return_sequences: true"},
                    {RANDOM_STATE, "return_state: true"},
                    {RANDOM_BACKWARDS, "go_backwards: true"},
                    {RANDOM_STATEFUL, "stateful: true"},
                    {RANDOM_UNROLL, "unroll: true"},
                    {RANDOM_ZERO_OUTPUT, "zero_output_for_mask: true"},
                    {RANDOM_NO_BIAS, "use_bias: false"},
                    {RANDOM_DROPS, "dropout: 0.25, recurrent_dropout: 0.5"}};
    fprintf(file, "units: %u", layer->units);
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++)
        if (layer->flags & switches[i].flag)
            fprintf(file, ", %s", switches[i].text);
    if (layer->reset_after >= 0)
        fprintf(file, ", reset_after: %s", layer->reset_after ? "true" : "false");
    if (model->time_major)
        fprintf(file, ", time_major: true");
    write_activation(model, "activation", layer->activation, file);
    write_activation(model, "recurrent_activation", layer->recurrent, file);
    fprintf(file, ", bias_initializer: {class_name: RandomUniform, config: {minval: -0.5, "
                  "maxval: 0.5}}");
}

static void write_recurrent(const struct random_model *model, unsigned index, FILE *file)
{
    const struct random_layer *layer = &model->layers[index];
    static const char *const merges[] = {"concat", "sum", "mul", "ave", "~"};
    int both = layer->kind == RANDOM_BIDIRECTIONAL;
    write_source(model, layer, file);
    if (layer->flags & RANDOM_MASK)
        fprintf(file, ", mask: m");
    if (layer->flags & RANDOM_GIVEN_STATE) {
        if (both)
            fprintf(file, ", initial_state: [h%u, b%u]", index, index);
        else
            fprintf(file, ", initial_state: h%u", index);
    }
    fprintf(file, both ? ", merge_mode: %s, layer: {GRU: {" : ", ", merges[layer->merge]);
    write_gru(model, layer, file);
    fprintf(file, both ? "}}}\n" : "}\n");
}

static void write_normalization(const struct random_layer *layer, FILE *file)
{
    double number = layer->parameter / 10.0;
    fprintf(file, ", epsilon: %g, scale: %s, center: %s", number / 100,
            layer->flags & RANDOM_ZERO_OUTPUT ? "false" : "true",
            layer->flags & RANDOM_NO_BIAS ? "false" : "true");
    fprintf(file, ", gamma_initializer: {class_name: RandomUniform, config: {minval: -%g, "
                  "maxval: 1}}, beta_initializer: {class_name: RandomUniform, config: {minval: -1, "
                  "maxval: 1}}", number);
    /* A mean of up to eight deviations, on both sides of what is folded into a product. */
    fprintf(file, ", moving_mean_initializer: {class_name: RandomUniform, config: {minval: -%g, "
                  "maxval: %g}}, moving_variance_initializer: {class_name: RandomUniform, config: "
                  "{minval: 0.25, maxval: 2}}", number, number);
}

static void write_other(const struct random_model *model, const struct random_layer *layer,
                        unsigned width, FILE *file)
{
    double number = layer->parameter / 10.0;
    int keras3 = model->keras == 3;
    write_source(model, layer, file);
    switch (layer->kind) {
    case RANDOM_DENSE:
        fprintf(file, ", units: %u", layer->units);
        write_activation(model, "activation", layer->activation, file);
        if (layer->flags & RANDOM_NO_BIAS)
            fprintf(file, ", use_bias: false");
        else
            fprintf(file, ", bias_initializer: {class_name: RandomUniform, config: {minval: -1, "
                          "maxval: 1}}");
        break;
    case RANDOM_ACTIVATION:
        if (layer->activation < 0)
            fprintf(file, ", activation: tanh");
        write_activation(model, "activation", layer->activation, file);
        break;
    case RANDOM_MASKING:
        fprintf(file, ", mask_value: 0.5");
        break;
    case RANDOM_RELU:
        fprintf(file, ", max_value: %g, negative_slope: 0.25, threshold: %g", number + 0.5,
                number / 4);
        break;
    case RANDOM_LEAKY_RELU:
        fprintf(file, ", %s: %g", keras3 ? "negative_slope" : "alpha", number);
        break;
    case RANDOM_ELU:
        fprintf(file, ", alpha: %g", number);
        break;
    case RANDOM_DROPOUT:
    case RANDOM_SPATIAL_DROPOUT:
        fprintf(file, ", rate: 0.5");
        break;
    case RANDOM_GAUSSIAN_NOISE:
        fprintf(file, ", stddev: %g", number);
        break;
    case RANDOM_RESHAPE:
        fprintf(file, ", target_shape: [%u]", width);
        break;
    case RANDOM_BATCH_NORMALIZATION:
        write_normalization(layer, file);
        break;
    default:
        break;
    }
    fprintf(file, "}\n");
}

static void write_inputs(const struct random_model *model, FILE *file)
{
    char steps[16] = "~";
    if (model->static_steps)
        snprintf(steps, sizeof steps, "%u", model->steps);
    int mask = 0;
    fprintf(file, "inputs:\n");
    if (model->embedding)
        fprintf(file, "  ids: {shape: [%s], dtype: int32}\n", steps);
    else
        fprintf(file, "  x: [%s, %u]\n", steps, model->width);
    for (unsigned i = 0; i < model->count; i++) {
        const struct random_layer *layer = &model->layers[i];
        if (!is_recurrent(layer))
            continue;
        mask |= (layer->flags & RANDOM_MASK) != 0;
        if (layer->flags & RANDOM_GIVEN_STATE)
            fprintf(file, "  h%u: [%u]\n", i, layer->units);
        if ((layer->flags & RANDOM_GIVEN_STATE) && layer->kind == RANDOM_BIDIRECTIONAL)
            fprintf(file, "  b%u: [%u]\n", i, layer->units);
    }
    if (mask)
        fprintf(file, "  m: {shape: [%s], dtype: bool}\n", steps);
}

static void write_outputs(const struct random_model *model, FILE *file)
{
    const char *comma = "";
    fprintf(file, "outputs: [");
    for (unsigned i = 0; i < model->count; i++) {
        const struct random_layer *layer = &model->layers[i];
        if (!(layer->flags & RANDOM_OUTPUT) && i + 1 < model->count)
            continue;
        if (split_outputs(layer))
            fprintf(file, "%sl%u.forward, l%u.backward", comma, i, i);
        else
            fprintf(file, "%sl%u", comma, i);
        comma = ", ";
        if (!is_recurrent(layer) || !(layer->flags & RANDOM_STATE))
            continue;
        if (layer->kind == RANDOM_GRU)
            fprintf(file, ", l%u.state", i);
        else
            fprintf(file, ", l%u.backward_state, l%u.forward_state", i, i);
    }
    fprintf(file, "]\n");
}

void random_model_write(const struct random_model *model, FILE *file)
{
    static const char *const names[RANDOM_KINDS] = {
        "GRU", "Bidirectional", "Dense", "Activation", "Masking", "ReLU", "LeakyReLU", "ELU",
        "Softmax", "Dropout", "SpatialDropout1D", "GaussianNoise", "Flatten", "Reshape",
        "BatchNormalization"};
    struct flow out[RANDOM_LAYERS];
    unsigned stateful = 0;
    if (!flows(model, out))
        return;
    for (unsigned i = 0; i < model->count; i++)
        stateful |= is_recurrent(&model->layers[i]) ? model->layers[i].flags & RANDOM_STATEFUL : 0;
    fprintf(file, "model: random\nkeras: %d\n", model->keras);
    if (stateful)
        fprintf(file, "batch: %u\n", model->batch);
    write_inputs(model, file);
    fprintf(file, "layers:\n");
    if (model->embedding && model->one_hot)
        fprintf(file, "  - CategoryEncoding: {name: e, inputs: ids, num_tokens: %d, "
                      "output_mode: one_hot}\n", RANDOM_IDS);
    else if (model->embedding)
        fprintf(file, "  - Embedding: {name: e, inputs: ids, input_dim: %d, output_dim: %u, "
                      "mask_zero: %s, embeddings_initializer: {class_name: RandomUniform, "
                      "config: {minval: -1, maxval: 1}}}\n", RANDOM_IDS, model->width,
                model->mask_zero ? "true" : "false");
    for (unsigned i = 0; i < model->count; i++) {
        fprintf(file, "  - %s: {name: l%u", names[model->layers[i].kind], i);
        if (is_recurrent(&model->layers[i]))
            write_recurrent(model, i, file);
        else
            write_other(model, &model->layers[i], out[i].width, file);
    }
    write_outputs(model, file);
}

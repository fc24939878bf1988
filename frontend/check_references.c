/* SPDX-License-Identifier: MIT */
/* Names of layers and tensors, what each layer reads, and the order in which layers run. */
#include <string.h>

#include "frontend/check.h"

static const struct gruc_layer *child_of(const struct gruc_layer *layer)
{
    return gruc_layer_argument(layer, GRUC_ARGUMENT_BIDIRECTIONAL_layer)->value.layer;
}

/* ---- names ---- */
/* Names that give the same C identifier count as equal. */
static const char *identifier_of(struct gruc_checker *checker, const char *name)
{
    if (strchr(name, '-') == NULL)
        return name;
    char *copy = gruc_arena_text(checker->arena, name, strlen(name));
    for (char *at = copy; at != NULL && *at != '\0'; at++)
        if (*at == '-')
            *at = '_';
    return copy;
}

/* value is what first had the name: its mark is the first thing in it. */
static enum gruc_status take_name(struct gruc_checker *checker, struct gruc_names *taken,
                                  const char *name, struct gruc_mark *mark)
{
    const char *identifier = identifier_of(checker, name);
    if (identifier == NULL)
        return GRUC_ERROR_MEMORY;
    const struct gruc_mark *before = gruc_names_get(taken, identifier);
    if (before != NULL) {
        gruc_diag_error(checker->diag, GRUC_E_DUPLICATE_NAME, *mark, "the name '%s' is taken",
                        name);
        gruc_diag_note(checker->diag, *before, "it is taken here");
        return GRUC_OK;
    }
    return gruc_names_put(taken, identifier, mark) ? GRUC_OK : GRUC_ERROR_MEMORY;
}

/* Keras's default: gru, gru_1, ... counted by class, past names that are taken. */
static enum gruc_status default_name(struct gruc_checker *checker, struct gruc_names *taken,
                                     unsigned *counts, struct gruc_layer *layer)
{
    const char *base = gruc_layer_row(layer->kind)->base;
    do {
        unsigned number = counts[layer->kind]++;
        layer->name = number == 0 ? base
                                  : gruc_arena_format(checker->arena, "%s_%u", base, number);
        if (layer->name == NULL)
            return GRUC_ERROR_MEMORY;
    } while (gruc_names_get(taken, layer->name) != NULL);
    return GRUC_OK;
}

static enum gruc_status name_layer(struct gruc_checker *checker, struct gruc_names *taken,
                                   unsigned *counts, struct gruc_layer *layer)
{
    struct gruc_argument *name = gruc_layer_argument(layer, GRUC_ARGUMENT_ANY_name);
    layer->name = name->value.text;
    if (layer->name == NULL)
        GRUC_TRY(default_name(checker, taken, counts, layer));
    return take_name(checker, taken, layer->name, &name->mark);
}

/* A wrapped layer is made first and takes a default name too, though nobody sees it. */
static enum gruc_status name_child(struct gruc_checker *checker, struct gruc_names *taken,
                                   unsigned *counts, struct gruc_layer *child)
{
    if (child == NULL)
        return GRUC_OK;
    child->name = gruc_layer_argument(child, GRUC_ARGUMENT_ANY_name)->value.text;
    return child->name == NULL ? default_name(checker, taken, counts, child) : GRUC_OK;
}

static enum gruc_status add_result(struct gruc_checker *checker, struct gruc_layer *layer,
                                   const char *suffix)
{
    struct gruc_edge *edge = GRUC_NEW(checker->arena, struct gruc_edge);
    if (edge == NULL)
        return GRUC_ERROR_MEMORY;
    edge->name = gruc_arena_format(checker->arena, "%s%s", layer->name, suffix);
    edge->layer = layer;
    edge->result = (unsigned)layer->n_results;
    edge->mark = layer->mark;
    edge->index = (uint32_t)checker->model->n_edges++;
    layer->results[layer->n_results++] = edge;
    if (edge->name == NULL || !gruc_names_put(&checker->edges, edge->name, edge))
        return GRUC_ERROR_MEMORY;
    return GRUC_OK;
}

static enum gruc_status add_results(struct gruc_checker *checker, struct gruc_layer *layer)
{
    if (layer->kind == GRUC_LAYER_BIDIRECTIONAL) {
        int apart = gruc_layer_argument(layer, GRUC_ARGUMENT_BIDIRECTIONAL_merge_mode)->null;
        GRUC_TRY(add_result(checker, layer, apart ? ".forward" : ""));
        if (apart)
            GRUC_TRY(add_result(checker, layer, ".backward"));
        if (!gruc_layer_integer(child_of(layer), GRUC_ARGUMENT_GRU_return_state))
            return GRUC_OK;
        layer->n_states = 2;
        GRUC_TRY(add_result(checker, layer, ".forward_state"));
        return add_result(checker, layer, ".backward_state");
    }
    GRUC_TRY(add_result(checker, layer, ""));
    if (layer->kind == GRUC_LAYER_GRU &&
        gruc_layer_integer(layer, GRUC_ARGUMENT_GRU_return_state)) {
        layer->n_states = 1;
        return add_result(checker, layer, ".state");
    }
    return GRUC_OK;
}

enum gruc_status gruc_check_name_layers(struct gruc_checker *checker)
{
    struct gruc_model *model = checker->model;
    struct gruc_names taken = {.arena = checker->arena};
    unsigned counts[GRUC_LAYER_COUNT] = {0};
    for (size_t i = 0; i < model->n_inputs; i++) {
        struct gruc_edge *edge = model->inputs[i];
        edge->index = (uint32_t)model->n_edges++;
        GRUC_TRY(take_name(checker, &taken, edge->name, &edge->mark));
        if (!gruc_names_put(&checker->edges, edge->name, edge))
            return GRUC_ERROR_MEMORY;
    }
    for (size_t i = 0; i < model->n_layers; i++) {
        struct gruc_layer *layer = model->layers[i];
        if (layer->kind == GRUC_LAYER_BIDIRECTIONAL) {
            struct gruc_argument *backward =
                gruc_layer_argument(layer, GRUC_ARGUMENT_BIDIRECTIONAL_backward_layer);
            GRUC_TRY(name_child(checker, &taken, counts,
                                gruc_layer_argument(layer, GRUC_ARGUMENT_BIDIRECTIONAL_layer)
                                    ->value.layer));
            GRUC_TRY(name_child(checker, &taken, counts, backward->value.layer));
        }
        GRUC_TRY(name_layer(checker, &taken, counts, layer));
        if (!gruc_names_put(&checker->layers, layer->name, layer))
            return GRUC_ERROR_MEMORY;
        GRUC_TRY(add_results(checker, layer));
    }
    return GRUC_OK;
}

/* ---- references ---- */
static void note_results(struct gruc_checker *checker, const struct gruc_layer *layer)
{
    for (size_t i = 0; i < layer->n_results; i++)
        gruc_diag_note(checker->diag, layer->mark, "%s gives '%s'",
                       gruc_layer_row(layer->kind)->name, layer->results[i]->name);
}

static void suggest_edges(struct gruc_suggestion *hint, const struct gruc_model *model)
{
    for (size_t i = 0; i < model->n_inputs; i++)
        gruc_suggest_offer(hint, model->inputs[i]->name);
    for (size_t i = 0; i < model->n_layers; i++)
        for (size_t j = 0; j < model->layers[i]->n_results; j++)
            gruc_suggest_offer(hint, model->layers[i]->results[j]->name);
}

static enum gruc_status report_missing(struct gruc_checker *checker,
                                       const struct gruc_reference *reference)
{
    const char *dot = strchr(reference->name, '.');
    size_t length = dot == NULL ? strlen(reference->name) : (size_t)(dot - reference->name);
    char *base = gruc_arena_text(checker->arena, reference->name, length);
    if (base == NULL)
        return GRUC_ERROR_MEMORY;
    const struct gruc_layer *layer = gruc_names_get(&checker->layers, base);
    if (layer != NULL) {
        gruc_diag_error(checker->diag, GRUC_E_NO_SUCH_RESULT, reference->mark,
                        "layer '%s' has no result '%s'", base, reference->name);
        note_results(checker, layer);
        return GRUC_OK;
    }
    struct gruc_suggestion hint;
    gruc_suggest_begin(&hint, reference->name);
    if (checker->diag->errors <= GRUC_DIAG_MAX_ERRORS)
        suggest_edges(&hint, checker->model);
    if (hint.best != NULL)
        gruc_diag_error(checker->diag, GRUC_E_UNDEFINED_REFERENCE, reference->mark,
                        "no input or layer is called '%s'; did you mean '%s'?", reference->name,
                        hint.best);
    else
        gruc_diag_error(checker->diag, GRUC_E_UNDEFINED_REFERENCE, reference->mark,
                        "no input or layer is called '%s'", reference->name);
    return GRUC_OK;
}

struct gruc_edge *gruc_check_find_edge(struct gruc_checker *checker,
                                       const struct gruc_reference *reference)
{
    struct gruc_edge *edge = gruc_names_get(&checker->edges, reference->name);
    if (edge == NULL && report_missing(checker, reference) != GRUC_OK)
        checker->no_memory = 1;
    return edge;
}

static void resolve_input(struct gruc_checker *checker, struct gruc_layer *layer)
{
    const struct gruc_argument *inputs = gruc_layer_argument(layer, GRUC_ARGUMENT_ANY_inputs);
    const struct gruc_reference_list *list = &inputs->value.references;
    const char *class_name = gruc_layer_row(layer->kind)->name;
    if (inputs->given && !inputs->null) {
        if (list->count != 1)
            gruc_diag_error(checker->diag, GRUC_E_INPUT_COUNT, inputs->mark,
                            "%s reads one tensor, not %zu", class_name, list->count);
        else
            layer->input = gruc_check_find_edge(checker, &list->items[0]);
        return;
    }
    if (layer->previous == NULL) {
        layer->input = checker->model->inputs[0];
        return;
    }
    const struct gruc_layer *previous = layer->previous;
    if (previous->n_results - previous->n_states == 1) {
        layer->input = previous->results[0];
        return;
    }
    gruc_diag_error(checker->diag, GRUC_E_INPUT_COUNT, layer->mark,
                    "%s reads one tensor, but the layer before gives two", class_name);
    note_results(checker, previous);
}

static void resolve_mask(struct gruc_checker *checker, struct gruc_layer *layer,
                         enum gruc_argument_id id)
{
    const struct gruc_argument *mask = gruc_layer_argument(layer, id);
    if (mask->value.references.count == 1)
        layer->mask_edge = gruc_check_find_edge(checker, &mask->value.references.items[0]);
}

static void resolve_states(struct gruc_checker *checker, struct gruc_layer *layer,
                           enum gruc_argument_id id, size_t wanted)
{
    const struct gruc_argument *states = gruc_layer_argument(layer, id);
    const struct gruc_reference_list *list = &states->value.references;
    if (!states->given || states->null)
        return;
    if (list->count != wanted) {
        gruc_diag_error(checker->diag, GRUC_E_STATE_COUNT, states->mark,
                        "%s takes %s, not %zu", gruc_layer_row(layer->kind)->name,
                        wanted == 1 ? "one initial state" : "two initial states", list->count);
        return;
    }
    for (size_t i = 0; i < wanted; i++)
        layer->recurrences[i].initial_state = gruc_check_find_edge(checker, &list->items[i]);
}

enum gruc_status gruc_check_resolve(struct gruc_checker *checker)
{
    for (size_t i = 0; i < checker->model->n_layers; i++) {
        struct gruc_layer *layer = checker->model->layers[i];
        resolve_input(checker, layer);
        if (layer->kind == GRUC_LAYER_GRU) {
            resolve_mask(checker, layer, GRUC_ARGUMENT_GRU_mask);
            resolve_states(checker, layer, GRUC_ARGUMENT_GRU_initial_state, 1);
        } else if (layer->kind == GRUC_LAYER_BIDIRECTIONAL) {
            resolve_mask(checker, layer, GRUC_ARGUMENT_BIDIRECTIONAL_mask);
            resolve_states(checker, layer, GRUC_ARGUMENT_BIDIRECTIONAL_initial_state, 2);
        }
    }
    return GRUC_OK;
}

/* ---- order ---- */
enum { DEPENDENCIES = 4, CYCLE_NOTES = 8 };

static struct gruc_layer *dependency(const struct gruc_layer *layer, size_t index)
{
    const struct gruc_edge *edges[DEPENDENCIES] = {layer->input, layer->mask_edge,
                                                   layer->recurrences[0].initial_state,
                                                   layer->recurrences[1].initial_state};
    return edges[index] == NULL ? NULL : edges[index]->layer;
}

/* layer is on the stack. */
static void report_cycle(struct gruc_checker *checker, struct gruc_layer *const *stack,
                         size_t depth, const struct gruc_layer *layer)
{
    size_t first = depth;
    while (first > 0 && stack[first - 1] != layer)
        first--;
    gruc_diag_error(checker->diag, GRUC_E_CYCLE, layer->mark, "layer '%s' depends on itself",
                    layer->name);
    size_t notes = 0;
    for (size_t i = first - 1; i < depth && notes < CYCLE_NOTES; i++, notes++)
        gruc_diag_note(checker->diag, stack[i]->mark, "'%s' needs '%s'", stack[i]->name,
                       i + 1 < depth ? stack[i + 1]->name : layer->name);
}

/* Depth first with a stack of our own, for models may be deep. */
static void visit_layers(struct gruc_checker *checker, struct gruc_layer *first,
                         struct gruc_layer **stack, struct gruc_layer **order, size_t *count)
{
    size_t depth = 0;
    stack[depth++] = first;
    first->visit = 1;
    while (depth > 0) {
        struct gruc_layer *layer = stack[depth - 1];
        if (layer->next_dependency == DEPENDENCIES) {
            layer->visit = 2;
            order[(*count)++] = layer;
            depth--;
            continue;
        }
        struct gruc_layer *needed = dependency(layer, layer->next_dependency++);
        if (needed == NULL || needed->visit == 2)
            continue;
        if (needed->visit == 1) {
            report_cycle(checker, stack, depth, needed);
            continue;
        }
        needed->visit = 1;
        stack[depth++] = needed;
    }
}

enum gruc_status gruc_check_sort(struct gruc_checker *checker)
{
    struct gruc_model *model = checker->model;
    size_t count = 0;
    struct gruc_layer **stack = GRUC_NEW_ARRAY(checker->arena, struct gruc_layer *,
                                               model->n_layers);
    struct gruc_layer **order = GRUC_NEW_ARRAY(checker->arena, struct gruc_layer *,
                                               model->n_layers);
    if (stack == NULL || order == NULL)
        return GRUC_ERROR_MEMORY;
    for (size_t i = 0; i < model->n_layers; i++)
        if (model->layers[i]->visit == 0)
            visit_layers(checker, model->layers[i], stack, order, &count);
    model->layers = order;
    model->layers_capacity = model->n_layers;
    return GRUC_OK;
}

/* SPDX-License-Identifier: MIT */
#include "frontend/check.h"

#include "frontend/frontend.h"

static enum gruc_status add_output(struct gruc_checker *checker, struct gruc_edge *edge)
{
    struct gruc_model *model = checker->model;
    if (!gruc_arena_grow(checker->arena, (void **)&model->outputs, model->n_outputs,
                         &model->outputs_capacity, sizeof(struct gruc_edge *)))
        return GRUC_ERROR_MEMORY;
    model->outputs[model->n_outputs++] = edge;
    return GRUC_OK;
}

/* The named outputs, or all results of the last layer in the file. */
static enum gruc_status find_outputs(struct gruc_checker *checker, const struct gruc_layer *last)
{
    const struct gruc_model *model = checker->model;
    struct gruc_names seen = {.arena = checker->arena};
    if (model->n_output_names == 0)
        for (size_t i = 0; i < last->n_results; i++)
            GRUC_TRY(add_output(checker, last->results[i]));
    for (size_t i = 0; i < model->n_output_names; i++) {
        struct gruc_reference *name = &model->output_names[i];
        const struct gruc_reference *before = gruc_names_get(&seen, name->name);
        if (before != NULL) {
            gruc_diag_error(checker->diag, GRUC_E_DUPLICATE_OUTPUT, name->mark,
                            "the output '%s' stands twice", name->name);
            gruc_diag_note(checker->diag, before->mark, "it is here before");
            continue;
        }
        if (!gruc_names_put(&seen, name->name, name))
            return GRUC_ERROR_MEMORY;
        struct gruc_edge *edge = gruc_check_find_edge(checker, name);
        if (edge != NULL)
            GRUC_TRY(add_output(checker, edge));
    }
    return GRUC_OK;
}

/* Whether shapes are known of all that a layer reads; if not, an error was reported before. */
static int is_ready(const struct gruc_layer *layer)
{
    const struct gruc_edge *edges[] = {layer->input, layer->mask_edge,
                                       layer->recurrences[0].initial_state,
                                       layer->recurrences[1].initial_state};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++)
        if (edges[i] != NULL && !edges[i]->known)
            return 0;
    return 1;
}

/* Writes what was found out about lengths and layouts into all edges. */
static enum gruc_status finish(struct gruc_checker *checker)
{
    struct gruc_model *model = checker->model;
    GRUC_TRY(gruc_check_number_symbols(checker));
    for (size_t i = 0; i < model->n_inputs; i++)
        gruc_check_finish_edge(checker, model->inputs[i]);
    for (size_t i = 0; i < model->n_layers; i++)
        for (size_t j = 0; j < model->layers[i]->n_results; j++)
            gruc_check_finish_edge(checker, model->layers[i]->results[j]);
    for (size_t i = 0; i < model->n_layers; i++)
        gruc_check_unroll(checker, model->layers[i]);
    return GRUC_OK;
}

enum gruc_status gruc_frontend_check(struct gruc_model *model, struct gruc_diag *diag)
{
    struct gruc_checker checker = {.model = model, .arena = model->arena, .diag = diag};
    unsigned errors = diag->errors;
    const struct gruc_layer *last = model->layers[model->n_layers - 1];
    checker.edges.arena = checker.layers.arena = model->arena;
    GRUC_TRY(gruc_check_name_layers(&checker));
    GRUC_TRY(gruc_check_resolve(&checker));
    GRUC_TRY(find_outputs(&checker, last));
    GRUC_TRY(gruc_check_sort(&checker));
    if (checker.no_memory)
        return GRUC_ERROR_MEMORY;
    if (diag->errors > errors)
        return GRUC_ERROR_INPUT;
    GRUC_TRY(gruc_check_begin_symbols(&checker));
    for (size_t i = 0; i < model->n_layers; i++)
        if (is_ready(model->layers[i]))
            GRUC_TRY(gruc_check_layer(&checker, model->layers[i]));
    GRUC_TRY(finish(&checker));
    return diag->errors > errors ? GRUC_ERROR_INPUT : GRUC_OK;
}

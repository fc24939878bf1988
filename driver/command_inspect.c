/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "codegen/backend.h"
#include "driver/cli.h"
#include "driver/compile.h"
#include "driver/inspect.h"
#include "driver/model_text.h"
#include "driver/tune.h"
#include "frontend/layers.h"

/* Texts of one tensor or layer, printed in columns. */
static void print_text(const char *format, struct gruc_strbuf *text)
{
    printf(format, text->text != NULL ? text->text : "");
    gruc_strbuf_finish(text);
}

static void print_shape(const struct gruc_model *model, const struct gruc_edge *edge)
{
    struct gruc_strbuf text;
    gruc_strbuf_init(&text);
    gruc_strbuf_format(&text, "%s ", gruc_dtype_text(edge->dtype));
    gruc_edge_shape_text(model, edge, &text);
    print_text("%s", &text);
}

static void print_mask(const struct gruc_mask *mask)
{
    struct gruc_strbuf text;
    gruc_strbuf_init(&text);
    gruc_mask_text(mask, &text);
    print_text("  mask: %s", &text);
}

static void print_layer(const struct gruc_model *model, const struct gruc_layer *layer)
{
    const char *role = "", *separator = " <- ";
    const struct gruc_edge *edge;
    printf("  %s %s", layer->name, gruc_layer_row(layer->kind)->name);
    for (unsigned i = 0; (edge = gruc_layer_operand(layer, i, &role)) != NULL; i++) {
        printf("%s%s%s%s", separator, role, role[0] != 0 ? " " : "", edge->name);
        separator = ", ";
    }
    if (layer->mask != NULL)
        print_mask(layer->mask);
    printf("\n");
    for (size_t i = 0; i < layer->n_results; i++) {
        printf("    %s ", layer->results[i]->name);
        print_shape(model, layer->results[i]);
        if (layer->results[i]->mask != NULL)
            print_mask(layer->results[i]->mask);
        printf("\n");
    }
}

static void print_parameters(const struct gruc_model *model)
{
    printf("weights: %" PRIu64 " numbers in %zu tensors\n", gruc_model_weight_count(model, NULL),
           model->n_parameters);
    for (size_t i = 0; i < model->n_parameters; i++) {
        const struct gruc_parameter *parameter = model->parameters[i];
        printf("  %s (%" PRIu32, parameter->name, parameter->dims[0]);
        if (parameter->rank > 1)
            printf(", %" PRIu32, parameter->dims[1]);
        printf(")\n");
    }
}

static void print_edges(const struct gruc_model *model, const char *title,
                        struct gruc_edge *const *edges, size_t count)
{
    printf("%s:\n", title);
    for (size_t i = 0; i < count; i++) {
        printf("  %s ", edges[i]->name);
        print_shape(model, edges[i]);
        printf("\n");
    }
}

static void print_model(const struct gruc_model *model)
{
    printf("model %s, keras %d", model->name, (int)model->lineage);
    if (model->batch != 0)
        printf(", batch %" PRIu64, model->batch);
    printf("\n");
    print_edges(model, "inputs", model->inputs, model->n_inputs);
    printf("layers:\n");
    for (size_t i = 0; i < model->n_layers; i++)
        print_layer(model, model->layers[i]);
    print_edges(model, "outputs", model->outputs, model->n_outputs);
    print_parameters(model);
}

static void print_backends(const struct gruc_inspection *inspection)
{
    printf("back ends:\n");
    for (size_t i = 0; i < inspection->count; i++) {
        const struct gruc_verdict *verdict = &inspection->verdicts[i];
        printf("  %-8s %s%s\n", verdict->backend->name,
               verdict->refusal == NULL ? "takes the model" : "no: ",
               verdict->refusal == NULL ? "" : verdict->refusal);
    }
    for (size_t i = 0; i < inspection->count; i++) {
        const struct gruc_verdict *verdict = &inspection->verdicts[i];
        if (verdict->schedule.length > 0)
            printf("schedule of %s:\n%s", verdict->backend->name, verdict->schedule.text);
    }
}

static void print_tuning(const struct gruc_inspection *inspection)
{
    struct gruc_strbuf text;
    gruc_strbuf_init(&text);
    gruc_tune_describe(&inspection->tuning.blocking, &text);
    if (!inspection->has_tuning)
        printf("tuning: nothing is kept; `gruc bench --tune` measures\n");
    else if (inspection->tuning.gain > 0)
        printf("tuning: %s, %.1f %% faster than the estimated blocks\n",
               text.text != NULL ? text.text : "", inspection->tuning.gain);
    else
        printf("tuning: nothing is faster than the estimated blocks\n");
    gruc_strbuf_finish(&text);
}

int gruc_command_inspect(const struct gruc_cli *cli)
{
    struct gruc_options options;
    struct gruc_model_handle *handle = NULL;
    struct gruc_inspection inspection = {.count = 0, .with_tuning = cli->tune};
    gruc_cli_options(cli, &options);
    enum gruc_status status = gruc_model_open(cli->operand, &options, &handle);
    if (status == GRUC_OK)
        status = gruc_inspection_make(&options, handle, &inspection);
    if (status == GRUC_OK && cli->tune)
        status = gruc_tune_find(cli, &options, handle, &inspection.tuning,
                                &inspection.has_tuning);
    if (status == GRUC_OK && cli->json) {
        status = gruc_inspection_print_json(handle->model, &inspection);
    } else if (status == GRUC_OK) {
        print_model(handle->model);
        print_backends(&inspection);
        if (cli->tune)
            print_tuning(&inspection);
    }
    gruc_inspection_finish(&inspection);
    gruc_model_destroy(handle);
    return gruc_cli_exit(cli, status);
}

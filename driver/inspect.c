/* SPDX-License-Identifier: MIT */
#include "driver/inspect.h"

#include <inttypes.h>

#include "driver/model_text.h"
#include "frontend/layers.h"

/* Back ends change the IR they are given, so each gets its own. */
static enum gruc_status ask(struct gruc_compilation *compilation, struct gruc_model_handle *handle,
                            struct gruc_arena *arena, struct gruc_verdict *verdict)
{
    struct gruc_ir *ir = NULL;
    GRUC_TRY(gruc_compile_lower(compilation, handle, arena, &ir));
    verdict->refusal = verdict->backend->refuses(ir, &compilation->target);
    if (verdict->refusal != NULL || verdict->backend->describe == NULL)
        return GRUC_OK;
    return verdict->backend->describe(ir, &compilation->target, &compilation->diag,
                                      &verdict->schedule);
}

enum gruc_status gruc_inspection_make(const struct gruc_options *options,
                                      struct gruc_model_handle *handle, struct gruc_inspection *out)
{
    struct gruc_compilation compilation;
    const struct gruc_backend *const *backends = gruc_backends();
    gruc_compilation_init(&compilation, options);
    gruc_compilation_set_model(&compilation, handle);
    out->count = 0;
    while (out->count < GRUC_INSPECTION_MAX && backends[out->count] != NULL) {
        size_t i = out->count++;
        gruc_arena_init(&out->arenas[i]);
        gruc_strbuf_init(&out->verdicts[i].schedule);
        out->verdicts[i].backend = backends[i];
        GRUC_TRY(ask(&compilation, handle, &out->arenas[i], &out->verdicts[i]));
    }
    return GRUC_OK;
}

void gruc_inspection_finish(struct gruc_inspection *inspection)
{
    for (size_t i = 0; i < inspection->count; i++) {
        gruc_strbuf_finish(&inspection->verdicts[i].schedule);
        gruc_arena_finish(&inspection->arenas[i]);
    }
    inspection->count = 0;
}

static void append_edge(const struct gruc_model *model, const struct gruc_edge *edge,
                        const char *separator, struct gruc_strbuf *out)
{
    struct gruc_strbuf shape, mask;
    gruc_strbuf_init(&shape);
    gruc_strbuf_init(&mask);
    gruc_edge_shape_text(model, edge, &shape);
    gruc_strbuf_format(out, "%s{\"name\":", separator);
    gruc_strbuf_json(out, edge->name);
    gruc_strbuf_format(out, ",\"dtype\":\"%s\",\"shape\":", gruc_dtype_text(edge->dtype));
    gruc_strbuf_json(out, shape.text != NULL ? shape.text : "");
    if (edge->mask != NULL) {
        gruc_mask_text(edge->mask, &mask);
        gruc_strbuf_text(out, ",\"mask\":");
        gruc_strbuf_json(out, mask.text != NULL ? mask.text : "");
    }
    gruc_strbuf_text(out, "}");
    gruc_strbuf_finish(&shape);
    gruc_strbuf_finish(&mask);
}

static void append_edges(const struct gruc_model *model, const char *key,
                         struct gruc_edge *const *edges, size_t count, struct gruc_strbuf *out)
{
    gruc_strbuf_format(out, ",\"%s\":[", key);
    for (size_t i = 0; i < count; i++)
        append_edge(model, edges[i], i > 0 ? "," : "", out);
    gruc_strbuf_text(out, "]");
}

static void append_layer(const struct gruc_model *model, const struct gruc_layer *layer,
                         struct gruc_strbuf *out)
{
    const char *role = "";
    const struct gruc_edge *edge;
    gruc_strbuf_text(out, "{\"name\":");
    gruc_strbuf_json(out, layer->name);
    gruc_strbuf_format(out, ",\"class\":\"%s\",\"weights\":%" PRIu64 ",\"reads\":[",
                       gruc_layer_row(layer->kind)->name, gruc_model_weight_count(model, layer));
    for (unsigned i = 0; (edge = gruc_layer_operand(layer, i, &role)) != NULL; i++) {
        gruc_strbuf_text(out, i > 0 ? "," : "");
        gruc_strbuf_json(out, edge->name);
    }
    gruc_strbuf_text(out, "]");
    append_edges(model, "results", layer->results, layer->n_results, out);
    gruc_strbuf_text(out, "}");
}

static void append_parameters(const struct gruc_model *model, struct gruc_strbuf *out)
{
    gruc_strbuf_text(out, ",\"parameters\":[");
    for (size_t i = 0; i < model->n_parameters; i++) {
        const struct gruc_parameter *parameter = model->parameters[i];
        gruc_strbuf_text(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        gruc_strbuf_json(out, parameter->name);
        gruc_strbuf_format(out, ",\"shape\":[%" PRIu32, parameter->dims[0]);
        if (parameter->rank > 1)
            gruc_strbuf_format(out, ",%" PRIu32, parameter->dims[1]);
        gruc_strbuf_text(out, "]}");
    }
    gruc_strbuf_text(out, "]");
}

static void append_verdicts(const struct gruc_inspection *inspection, struct gruc_strbuf *out)
{
    gruc_strbuf_text(out, ",\"backends\":[");
    for (size_t i = 0; i < inspection->count; i++) {
        const struct gruc_verdict *verdict = &inspection->verdicts[i];
        gruc_strbuf_format(out, "%s{\"name\":\"%s\",\"refusal\":", i > 0 ? "," : "",
                           verdict->backend->name);
        if (verdict->refusal != NULL)
            gruc_strbuf_json(out, verdict->refusal);
        else
            gruc_strbuf_text(out, "null");
        gruc_strbuf_text(out, ",\"schedule\":");
        gruc_strbuf_json(out, verdict->schedule.text != NULL ? verdict->schedule.text : "");
        gruc_strbuf_text(out, "}");
    }
    gruc_strbuf_text(out, "]");
}

static void append_tuning(const struct gruc_inspection *inspection, struct gruc_strbuf *out)
{
    const struct gruc_blocking *blocking = &inspection->tuning.blocking;
    if (!inspection->with_tuning)
        return;
    if (!inspection->has_tuning) {
        gruc_strbuf_text(out, ",\"tuning\":null");
        return;
    }
    gruc_strbuf_format(out, ",\"tuning\":{\"row_vectors\":%u,\"rows\":%u,\"vectors\":%u,"
                            "\"tile_rows\":%u,\"gain_percent\":%.1f}",
                       blocking->row_vectors, blocking->rows, blocking->vectors,
                       blocking->tile_rows, inspection->tuning.gain);
}

enum gruc_status gruc_inspection_print_json(const struct gruc_model *model,
                                            const struct gruc_inspection *inspection)
{
    struct gruc_strbuf text;
    gruc_strbuf_init(&text);
    gruc_strbuf_text(&text, "{\"name\":");
    gruc_strbuf_json(&text, model->name);
    gruc_strbuf_format(&text, ",\"keras\":%d,\"batch\":%" PRIu64 ",\"weights\":%" PRIu64,
                       (int)model->lineage, model->batch, gruc_model_weight_count(model, NULL));
    append_edges(model, "inputs", model->inputs, model->n_inputs, &text);
    gruc_strbuf_text(&text, ",\"layers\":[");
    for (size_t i = 0; i < model->n_layers; i++) {
        gruc_strbuf_text(&text, i > 0 ? "," : "");
        append_layer(model, model->layers[i], &text);
    }
    gruc_strbuf_text(&text, "]");
    append_edges(model, "outputs", model->outputs, model->n_outputs, &text);
    append_parameters(model, &text);
    append_verdicts(inspection, &text);
    append_tuning(inspection, &text);
    gruc_strbuf_text(&text, "}");
    enum gruc_status status = text.failed ? GRUC_ERROR_MEMORY : GRUC_OK;
    if (status == GRUC_OK)
        printf("%s\n", text.text);
    gruc_strbuf_finish(&text);
    return status;
}

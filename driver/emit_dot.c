/* SPDX-License-Identifier: MIT */
/* The model's layers as a graph for Graphviz. */
#include <inttypes.h>

#include "driver/emit.h"
#include "driver/model_text.h"
#include "frontend/layers.h"

static void append_node_of(const struct gruc_edge *edge, struct gruc_strbuf *out)
{
    gruc_strbuf_format(out, "\"%s %s\"", edge->layer == NULL ? "input" : "layer",
                       edge->layer == NULL ? edge->name : edge->layer->name);
}

static void append_edge(const struct gruc_model *model, const struct gruc_edge *edge,
                        const char *target_kind, const char *target, const char *role,
                        struct gruc_strbuf *out)
{
    gruc_strbuf_text(out, "  ");
    append_node_of(edge, out);
    gruc_strbuf_format(out, " -> \"%s %s\" [label=\"%s%s", target_kind, target, role,
                       role[0] != 0 ? "\\n" : "");
    gruc_edge_shape_text(model, edge, out);
    gruc_strbuf_format(out, "\"%s];\n", role[0] != 0 ? ", style=dashed" : "");
}

static void append_input(const struct gruc_model *model, const struct gruc_edge *edge,
                         struct gruc_strbuf *out)
{
    gruc_strbuf_format(out, "  \"input %s\" [shape=ellipse, label=\"%s\\n%s ", edge->name,
                       edge->name, gruc_dtype_text(edge->dtype));
    gruc_edge_shape_text(model, edge, out);
    gruc_strbuf_text(out, "\"];\n");
}

static void append_layer(const struct gruc_model *model, const struct gruc_layer *layer,
                         struct gruc_strbuf *out)
{
    uint64_t weights = gruc_model_weight_count(model, layer);
    gruc_strbuf_format(out, "  \"layer %s\" [label=\"%s\\n%s", layer->name, layer->name,
                       gruc_layer_row(layer->kind)->name);
    if (weights > 0)
        gruc_strbuf_format(out, "\\n%" PRIu64 " weights", weights);
    gruc_strbuf_text(out, "\"];\n");
    const char *role = "";
    const struct gruc_edge *edge;
    for (unsigned i = 0; (edge = gruc_layer_operand(layer, i, &role)) != NULL; i++)
        append_edge(model, edge, "layer", layer->name, role, out);
}

enum gruc_status gruc_emit_dot(struct gruc_compilation *compilation,
                               struct gruc_model_handle *handle, struct gruc_strbuf *out)
{
    (void)compilation;
    const struct gruc_model *model = handle->model;
    gruc_strbuf_format(out, "digraph \"%s\" {\n  node [shape=box];\n", model->name);
    for (size_t i = 0; i < model->n_inputs; i++)
        append_input(model, model->inputs[i], out);
    for (size_t i = 0; i < model->n_layers; i++)
        append_layer(model, model->layers[i], out);
    for (size_t i = 0; i < model->n_outputs; i++) {
        const char *name = model->outputs[i]->name;
        gruc_strbuf_format(out, "  \"output %s\" [shape=ellipse, label=\"%s\"];\n", name, name);
        append_edge(model, model->outputs[i], "output", name, "", out);
    }
    gruc_strbuf_text(out, "}\n");
    return out->failed ? GRUC_ERROR_MEMORY : GRUC_OK;
}

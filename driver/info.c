/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "driver/emit.h"
#include "ir/base/digest.h"

static uint64_t digest_numbers(uint64_t digest, const struct gruc_tensor *tensor)
{
    enum { PIECE = 4096 };
    float room[PIECE];
    uint64_t count = (uint64_t)tensor->rows * tensor->columns;
    for (uint64_t first = 0; first < count; first += PIECE) {
        size_t part = count - first < PIECE ? (size_t)(count - first) : PIECE;
        const float *numbers = gruc_tensor_numbers(tensor, first, part, room);
        if (numbers == NULL) /* packing the tensor fails, too */
            return digest;
        digest = gruc_digest_bytes(digest, numbers, part * sizeof(float));
    }
    return digest;
}

static uint64_t digest_weights(const struct gruc_model *model)
{
    uint64_t digest = gruc_digest_start;
    for (size_t i = 0; i < model->n_parameters; i++) {
        const struct gruc_parameter *parameter = model->parameters[i];
        const struct gruc_tensor tensor = {
            .rows = parameter->rows, .columns = parameter->columns, .data = parameter->data,
            .source = parameter->source};
        digest = gruc_digest_bytes(digest, parameter->name, strlen(parameter->name) + 1);
        digest = gruc_digest_bytes(digest, parameter->dims, sizeof parameter->dims);
        digest = digest_numbers(digest, &tensor);
    }
    return digest;
}

static void append_dim(struct gruc_strbuf *out, const struct gruc_ir *ir, int64_t dim)
{
    if (dim == GRUC_DIM_BATCH) {
        gruc_strbuf_text(out, "\"batch\"");
    } else if (dim <= GRUC_DIM_STEPS(0)) {
        const char *name = ir->symbols[-2 - dim].name;
        gruc_strbuf_json(out, name != NULL ? name : "steps");
    } else {
        gruc_strbuf_format(out, "%" PRId64, dim);
    }
}

static void append_ports(struct gruc_strbuf *out, const struct gruc_ir *ir, const char *key,
                         const struct gruc_port *ports, size_t count)
{
    static const char *const dtypes[] = {
        [GRUC_FLOAT32] = "float32",
        [GRUC_INT32] = "int32",
        [GRUC_BOOL] = "bool",
    };
    gruc_strbuf_format(out, ",\"%s\":[", key);
    for (size_t i = 0; i < count; i++) {
        const struct gruc_tensor_info *info = &ports[i].info;
        gruc_strbuf_text(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        gruc_strbuf_json(out, ports[i].name);
        gruc_strbuf_format(out, ",\"dtype\":\"%s\",\"shape\":[", dtypes[info->dtype]);
        for (uint32_t k = 0; k < info->rank; k++) {
            gruc_strbuf_text(out, k > 0 ? "," : "");
            append_dim(out, ir, info->dims[k]);
        }
        gruc_strbuf_text(out, "]}");
    }
    gruc_strbuf_text(out, "]");
}

static void append_states(struct gruc_strbuf *out, const struct gruc_ir *ir)
{
    gruc_strbuf_text(out, ",\"states\":[");
    for (size_t i = 0; i < ir->n_slots; i++) {
        gruc_strbuf_text(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        gruc_strbuf_json(out, ir->slots[i].name);
        gruc_strbuf_format(out, ",\"width\":%" PRIu32 "}", ir->slots[i].width);
    }
    gruc_strbuf_text(out, "]");
}

static void append_target(struct gruc_strbuf *out, const struct gruc_target *target)
{
    static const char *const accuracies[] = {
        [GRUC_ACCURACY_ACCURATE] = "accurate",
        [GRUC_ACCURACY_FAST] = "fast",
        [GRUC_ACCURACY_APPROX] = "approx",
    };
    gruc_strbuf_text(out, ",\"target\":{\"triple\":");
    gruc_strbuf_json(out, target->triple);
    gruc_strbuf_text(out, ",\"cpu\":");
    gruc_strbuf_json(out, target->cpu);
    gruc_strbuf_text(out, ",\"features\":");
    gruc_strbuf_json(out, target->features != NULL ? target->features : "");
    gruc_strbuf_format(out, ",\"optimization\":%d,\"accuracy\":\"%s\"}", target->optimization,
                       accuracies[target->accuracy]);
}

enum gruc_status gruc_info_json(const struct gruc_model_handle *handle, const struct gruc_ir *ir,
                                const struct gruc_target *target, struct gruc_strbuf *out)
{
    const struct gruc_model *model = handle->model;
    gruc_strbuf_text(out, "{\"name\":");
    gruc_strbuf_json(out, ir->name);
    gruc_strbuf_format(out, ",\"gruc\":\"%s\",\"abi\":%u,\"keras\":%d,\"batch\":%" PRIu64,
                       gruc_version(), GRUC_ABI_VERSION, (int)model->lineage, ir->batch);
    append_ports(out, ir, "inputs", ir->inputs, ir->n_inputs);
    append_ports(out, ir, "outputs", ir->outputs, ir->n_outputs);
    append_states(out, ir);
    append_target(out, target);
    gruc_strbuf_format(
        out, ",\"model_fnv1a\":\"%016" PRIx64 "\",\"weights_fnv1a\":\"%016" PRIx64 "\"}",
        gruc_digest_bytes(gruc_digest_start, handle->text, handle->length), digest_weights(model));
    return out->failed ? GRUC_ERROR_MEMORY : GRUC_OK;
}

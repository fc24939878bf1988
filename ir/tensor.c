/* SPDX-License-Identifier: MIT */
#include "ir/ir.h"

const float *gruc_tensor_numbers(const struct gruc_tensor *tensor, uint64_t first, size_t count,
                                 float *room)
{
    if (tensor->data != NULL)
        return tensor->data + first;
    return tensor->source.read(tensor->source.context, first, count, room) ? room : NULL;
}

enum gruc_status gruc_tensor_unreadable(const struct gruc_tensor *tensor, struct gruc_diag *diag)
{
    return gruc_diag_error(diag, GRUC_E_WEIGHTS_FILE, tensor->mark,
                           "tensor '%s' cannot be read from its file any more", tensor->name);
}

enum gruc_status gruc_ir_read_tensors(struct gruc_ir *ir, struct gruc_diag *diag)
{
    for (size_t i = 0; i < ir->n_tensors; i++) {
        struct gruc_tensor *tensor = &ir->tensors[i];
        size_t count = (size_t)tensor->rows * tensor->columns;
        if (tensor->data != NULL)
            continue;
        float *data = GRUC_NEW_ARRAY(ir->arena, float, count);
        if (data == NULL)
            return GRUC_ERROR_MEMORY;
        if (gruc_tensor_numbers(tensor, 0, count, data) == NULL)
            return gruc_tensor_unreadable(tensor, diag);
        tensor->data = data;
    }
    return GRUC_OK;
}

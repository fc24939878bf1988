/* SPDX-License-Identifier: MIT */
/* Rows of weights while they are packed. A large tensor is never in memory as a whole beside its
 * packed form: a few rows at a time come from its file. */
#include "codegen/cpu/emitter.h"

#include <stdlib.h>

enum { WINDOW_BYTES = 1 << 18 };

const struct gruc_tensor *cpu_weight_tensor(const struct gruc_ir *ir, gruc_ref param)
{
    return &ir->tensors[gruc_op_integer(gruc_ir_def(ir, param), GRUC_ATTRIBUTE_TENSOR, 0)];
}

static struct cpu_window *window_of(struct cpu_emitter *e, const struct gruc_tensor *tensor,
                                    size_t begin)
{
    for (unsigned i = 0; i < CPU_WINDOWS; i++)
        if (e->windows[i].tensor == tensor && e->windows[i].begin == begin)
            return &e->windows[i];
    struct cpu_window *window = &e->windows[e->next_window++ % CPU_WINDOWS];
    window->tensor = tensor;
    window->begin = begin;
    window->count = 0;
    return window;
}

/* Moves the window to count rows from row on, and more where they are short. */
static int fill(struct cpu_emitter *e, struct cpu_window *window, size_t row, size_t count)
{
    const struct gruc_tensor *tensor = window->tensor;
    size_t several = WINDOW_BYTES / sizeof(float) / tensor->columns;
    if (count < several)
        count = tensor->rows - row < several ? tensor->rows - row : several;
    size_t numbers = count * tensor->columns;
    window->count = 0;
    if (numbers > window->capacity) {
        float *rows = realloc(window->rows, numbers * sizeof *rows);
        if (rows == NULL) {
            e->blob.failed = 1;
            return 0;
        }
        window->rows = rows;
        window->capacity = numbers;
    }
    if (gruc_tensor_numbers(tensor, (uint64_t)row * tensor->columns, numbers, window->rows) ==
        NULL) {
        e->unreadable = tensor;
        e->failed = 1;
        return 0;
    }
    window->first = row;
    window->count = count;
    return 1;
}

const float *cpu_weight_rows(struct cpu_emitter *e, gruc_ref param, size_t k, size_t count)
{
    const struct gruc_op *op = gruc_ir_def(e->ir, param);
    const struct gruc_tensor *tensor = cpu_weight_tensor(e->ir, param);
    size_t begin = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_ROW, 0), row = begin + k;
    size_t column = (size_t)gruc_op_integer(op, GRUC_ATTRIBUTE_COLUMN, 0);
    if (tensor->data != NULL)
        return tensor->data + row * tensor->columns + column;
    struct cpu_window *window = window_of(e, tensor, begin);
    int is_held = row >= window->first && row + count <= window->first + window->count;
    if (!is_held && !fill(e, window, row, count))
        return NULL;
    return window->rows + (row - window->first) * tensor->columns + column;
}

void cpu_windows_finish(struct cpu_emitter *e)
{
    for (unsigned i = 0; i < CPU_WINDOWS; i++)
        free(e->windows[i].rows);
}

/* SPDX-License-Identifier: MIT */
/* Step symbols and memory layouts are sets that grow together (union-find) as layers show which
 * tensors go in step. */
#include "frontend/check.h"

/* The edge whose layout counts. */
static struct gruc_edge *find_layout(struct gruc_edge *edge)
{
    while (edge->layout != NULL) {
        if (edge->layout->layout != NULL)
            edge->layout = edge->layout->layout;
        edge = edge->layout;
    }
    return edge;
}

/* ---- step symbols ---- */
enum gruc_status gruc_check_begin_symbols(struct gruc_checker *checker)
{
    const struct gruc_model *model = checker->model;
    checker->symbol_parent = GRUC_NEW_ARRAY(checker->arena, int32_t, model->n_inputs);
    checker->symbol_size = GRUC_NEW_ARRAY(checker->arena, uint64_t, model->n_inputs);
    checker->symbol_number = GRUC_NEW_ARRAY(checker->arena, int32_t, model->n_inputs);
    if (checker->symbol_parent == NULL || checker->symbol_size == NULL ||
        checker->symbol_number == NULL)
        return GRUC_ERROR_MEMORY;
    for (size_t i = 0; i < model->n_inputs; i++) {
        struct gruc_edge *edge = model->inputs[i];
        edge->known = 1;
        if (edge->rank == 0 || edge->dims[0].symbol < 0)
            continue;
        int32_t symbol = (int32_t)checker->n_symbols++;
        edge->dims[0].symbol = symbol;
        checker->symbol_parent[symbol] = symbol;
    }
    return GRUC_OK;
}

static int32_t find_symbol(struct gruc_checker *checker, int32_t symbol)
{
    int32_t *parent = checker->symbol_parent;
    while (parent[symbol] != symbol) {
        parent[symbol] = parent[parent[symbol]];
        symbol = parent[symbol];
    }
    return symbol;
}

struct gruc_dim gruc_check_dim(struct gruc_checker *checker, struct gruc_dim dim)
{
    if (dim.symbol < 0)
        return dim;
    int32_t root = find_symbol(checker, dim.symbol);
    uint64_t size = checker->symbol_size[root];
    return size != 0 ? (struct gruc_dim){-1, size} : (struct gruc_dim){root, 1};
}

int gruc_check_same_length(struct gruc_checker *checker, struct gruc_dim a, struct gruc_dim b)
{
    a = gruc_check_dim(checker, a);
    b = gruc_check_dim(checker, b);
    if (a.symbol < 0 && b.symbol < 0)
        return a.size == b.size;
    if (a.symbol >= 0 && b.symbol >= 0)
        checker->symbol_parent[a.symbol > b.symbol ? a.symbol : b.symbol] =
            a.symbol > b.symbol ? b.symbol : a.symbol;
    else if (a.symbol >= 0)
        checker->symbol_size[a.symbol] = b.size;
    else
        checker->symbol_size[b.symbol] = a.size;
    return 1;
}

enum gruc_status gruc_check_number_symbols(struct gruc_checker *checker)
{
    struct gruc_model *model = checker->model;
    for (size_t i = 0; i < model->n_inputs; i++) {
        struct gruc_edge *edge = model->inputs[i];
        if (edge->rank == 0 || edge->dims[0].symbol < 0)
            continue;
        int32_t symbol = edge->dims[0].symbol;
        if (find_symbol(checker, symbol) != symbol || checker->symbol_size[symbol] != 0)
            continue;
        if (model->n_symbols == GRUC_ABI_MAX_STEPS) {
            gruc_diag_error(checker->diag, GRUC_E_STEP_SYMBOLS, edge->mark,
                            "the steps of '%s' are the ninth unknown length; at most %d are "
                            "possible",
                            edge->name, GRUC_ABI_MAX_STEPS);
            return GRUC_OK;
        }
        const char *name = gruc_arena_format(checker->arena, "T_%s", edge->name);
        if (name == NULL)
            return GRUC_ERROR_MEMORY;
        model->symbols[model->n_symbols].name = name;
        checker->symbol_number[symbol] = (int32_t)model->n_symbols++;
    }
    return GRUC_OK;
}

void gruc_check_finish_edge(struct gruc_checker *checker, struct gruc_edge *edge)
{
    for (uint32_t i = 0; i < edge->rank; i++) {
        struct gruc_dim dim = gruc_check_dim(checker, edge->dims[i]);
        if (dim.symbol >= 0)
            dim.symbol = checker->symbol_number[dim.symbol];
        edge->dims[i] = dim;
    }
    edge->time_major = find_layout(edge)->time_major;
}

/* ---- layouts ---- */
static void report_layout(struct gruc_checker *checker, const struct gruc_edge *edge,
                          const struct gruc_edge *root, struct gruc_mark mark)
{
    gruc_diag_error(checker->diag, GRUC_E_TIME_MAJOR, mark,
                    "'%s' is %s already, and this layer wants it %s", edge->name,
                    root->time_major ? "time-major" : "batch-major",
                    root->time_major ? "batch-major" : "time-major");
    gruc_diag_note(checker->diag, root->layout_mark, "it is %s because of this",
                   root->time_major ? "time-major" : "batch-major");
}

void gruc_check_layout(struct gruc_checker *checker, struct gruc_edge *edge, int time_major,
                       struct gruc_mark mark)
{
    struct gruc_edge *root = find_layout(edge);
    if (root->layout_mark.line == 0) {
        root->time_major = time_major;
        root->layout_mark = mark;
    } else if (root->time_major != time_major) {
        report_layout(checker, edge, root, mark);
    }
}

void gruc_check_same_layout(struct gruc_checker *checker, struct gruc_edge *a, struct gruc_edge *b,
                            struct gruc_mark mark)
{
    struct gruc_edge *root_a = find_layout(a), *root_b = find_layout(b);
    if (root_a == root_b)
        return;
    if (root_a->layout_mark.line != 0 && root_b->layout_mark.line != 0 &&
        root_a->time_major != root_b->time_major) {
        report_layout(checker, a, root_a, mark);
        return;
    }
    if (root_a->layout_mark.line != 0)
        root_b->layout = root_a;
    else
        root_a->layout = root_b;
}

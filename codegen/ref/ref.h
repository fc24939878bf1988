/* SPDX-License-Identifier: MIT */
#ifndef GRUC_CODEGEN_REF_H
#define GRUC_CODEGEN_REF_H

/* The reference back end: it walks the IR and computes every value in double precision. It is the
 * oracle for the others, so it is written to be read, not to be fast; each call takes its memory
 * from the heap. */

#include "codegen/backend.h"

/* A module at run time; immutable, shared by calls in any number of threads. */
struct ref_program {
    struct gruc_arena arena;
    struct gruc_ir *ir;
    struct gruc_module_info *info;
    double **constants;       /* by value: of param and constant operations, else NULL */
    unsigned char *feeds_ids; /* by operation of the body: an embed's ids depend on it */
    int has_embed;
    int has_state_rule; /* some layer stores its state in every call */
};

/* One call, and within it the rows first to first + rows, which are computed together. */
struct ref_call {
    const struct ref_program *program;
    const struct gruc_args *args;
    const uint64_t *steps; /* by symbol */
    size_t first, rows;
    double **data;            /* by value: rows (where it has them) x steps x width numbers */
    double *memory;           /* behind data */
    size_t memory_rows;       /* most rows it has room for */
    unsigned char *state;     /* the state structures to be, of the call's rows */
    unsigned char *slot_used; /* by slot: whether any row of the batch has a number but zero */
};

/* ---- evaluate.c ---- */
size_t ref_rows(const struct ref_call *call, const struct gruc_type *type);
size_t ref_steps(const struct ref_call *call, const struct gruc_type *type);
enum gruc_status ref_evaluate_op(struct ref_call *call, const struct gruc_op *op);
enum gruc_status ref_evaluate_region(struct ref_call *call, gruc_ref region);
/* GRUC_ERROR_ID when a row's id lies outside the table of an embed operation. */
enum gruc_status ref_check_ids(const struct ref_call *call, const struct gruc_op *embed);

/* ---- state.c ---- */
void ref_find_used_slots(struct ref_call *call);
void ref_evaluate_initial_state(struct ref_call *call, const struct gruc_op *op);
void ref_evaluate_final_state(struct ref_call *call, const struct gruc_op *op);

/* ---- port.c: between the caller's arrays and values ---- */
void ref_read_input(struct ref_call *call, uint32_t input);
void ref_write_output(struct ref_call *call, uint32_t output);

/* ---- rowwise.c: functions that couple the numbers of a row ---- */
void ref_softmax(const double *x, size_t width, double *out);
void ref_log_softmax(const double *x, size_t width, double *out);
/* sorted: scratch for width numbers. */
double ref_sparsemax_threshold(const double *x, size_t width, double *sorted);

/* ---- run.c ---- */
int ref_run(void *context, const struct gruc_args *args);

/* ---- view: how an operand is read as if it had the shape of the result ---- */
struct ref_view {
    const double *data;
    size_t row, step, column; /* strides; 0 along axes it is repeated over */
};
struct ref_view ref_view(const struct ref_call *call, gruc_ref value);
static inline double ref_view_at(const struct ref_view *view, size_t row, size_t step,
                                 size_t column)
{
    return view->data[row * view->row + step * view->step + column * view->column];
}

#endif

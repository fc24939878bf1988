/* SPDX-License-Identifier: MIT */
#ifndef GRUC_IR_SCHEDULE_H
#define GRUC_IR_SCHEDULE_H

/* The schedule: what a code generator walks. The body of the IR is cut into groups that run one
 * after the other: row groups (once a call) and sweeps (over tiles of steps). A group holds stages
 * and scans; a scan holds the stages of one step. Values that outlive their stage have a place in
 * a buffer; a view says how to find a value there. */

#include "ir/narrow.h"

enum gruc_storage {
    GRUC_STORE_INPUT,    /* the caller's array */
    GRUC_STORE_OUTPUT,
    GRUC_STORE_TILE,     /* a tile of steps: row (step * rows + row) */
    GRUC_STORE_SEQUENCE, /* all steps of a group's rows: row, then step, without padding */
    GRUC_STORE_ROW,      /* one per row */
    GRUC_STORE_CARRY,    /* one per row, twice: read and written in turn, a step each */
};

struct gruc_buffer {
    enum gruc_storage storage;
    enum gruc_dtype dtype;
    uint32_t width;
    uint32_t stride; /* numbers from row to row of TILE, ROW and CARRY */
    uint32_t port;   /* of INPUT and OUTPUT */
    uint32_t tiles;  /* of TILE: how many are kept at once; tile n is at n modulo tiles */
    struct gruc_steps steps;
};

struct gruc_view {
    uint32_t buffer; /* GRUC_NONE: none */
    uint32_t column; /* first number within a step */
    uint32_t step;   /* numbers from step to step */
    int stepped;     /* each step has its own place */
    int reversed;    /* steps from the end */
    int next;        /* of a CARRY: the copy being written */
};

/* A value that a stage loads or stores. */
struct gruc_stage_edge {
    gruc_ref value;
    struct gruc_view view;
};

/* All matmul operations of a stage with one left operand and one type of weights; they are computed
 * together. */
struct gruc_product {
    gruc_ref left;
    enum gruc_weights weights;
    struct gruc_view view;
    uint32_t depth; /* length of the contracted axis */
    gruc_ref *ops;
    size_t n_ops, ops_capacity;
};

enum gruc_stage_kind {
    GRUC_STAGE_SWEEP,   /* products, maybe none, and the pointwise operations after them */
    GRUC_STAGE_REDUCE,  /* one reduction over units */
    GRUC_STAGE_EMBED,   /* rows of tables by id, or a one_hot */
    GRUC_STAGE_QUANTIZE, /* rows in the form that narrow weights multiply */
    GRUC_STAGE_INITIAL, /* a layer's state from memory, a given value or zero */
    GRUC_STAGE_FINAL,   /* a layer's state to memory */
    GRUC_STAGE_SCAN,
};

struct gruc_stage {
    enum gruc_stage_kind kind;
    uint32_t width;
    unsigned lag; /* tiles it runs behind the first stages of its group */
    uint32_t owner; /* number of the thread that does all of it; GRUC_NONE: each does a part */
    uint32_t companion; /* of a scan: number in the group of the sweep whose blocks are computed
                           beside its steps, a tile ahead of them; GRUC_NONE */
    gruc_ref *ops; /* operation numbers in order */
    size_t n_ops, ops_capacity;
    struct gruc_product *products;
    size_t n_products, products_capacity;
    struct gruc_stage_edge *loads;
    size_t n_loads, loads_capacity;
    struct gruc_stage_edge *stores;
    size_t n_stores, stores_capacity;
    struct gruc_group *body;        /* of a scan: its stages */
    struct gruc_view *carries;      /* of a scan: a CARRY buffer for each carried value */
    struct gruc_view *first;        /* where its first value stands; NONE: already there, or zero */
    size_t n_carries;
    /* Of a scan: where the mask is false, the stages of masked run instead of those of body. */
    gruc_ref mask;                  /* the sequence outside the scan; GRUC_NONE: there is none */
    gruc_ref masked_region;
    struct gruc_group *masked;
    gruc_ref valid_only;            /* of a sweep: the mask where its results are read; GRUC_NONE:
                                       everywhere */
    struct gruc_view mask_view;     /* of mask or valid_only */
};

struct gruc_group {
    int is_sweep;
    int is_wavefront;     /* stages of one lag are one thread's */
    unsigned threads;     /* that the work of a row is worth, by the back end's plan */
    uint64_t step_cycles; /* about, of a row */
    struct gruc_steps steps;
    unsigned phase;
    struct gruc_stage *stages; /* in order */
    size_t n_stages, stages_capacity;
};

struct gruc_schedule {
    struct gruc_ir *ir;
    struct gruc_buffer *buffers;
    size_t n_buffers, buffers_capacity;
    struct gruc_group *groups;
    size_t n_groups, groups_capacity;
};

/* Schedules IR that all passes have run on; inserts copy operations into it. In ir's arena. */
enum gruc_status gruc_schedule_build(struct gruc_ir *ir, struct gruc_diag *diag,
                                     struct gruc_schedule **out);

/* Lets each scan of the group run a tile behind those it reads, which makes them independent within
 * a tile, and gives tiles the room that takes; answers the last stage's lag. */
unsigned gruc_schedule_stagger(struct gruc_schedule *schedule, struct gruc_group *group);

/* Number of the largest sweep that a scan of the group can have as companion: products of one left
 * operand and nothing else, which only the scan reads, from tiles. GRUC_NONE when there is none. */
uint32_t gruc_schedule_companion(const struct gruc_schedule *schedule,
                                 const struct gruc_group *group, size_t scan);

int gruc_schedule_is_companion(const struct gruc_group *group, size_t number);

/* The array, an input or what an earlier phase made, that a stage only copies to a tile, for
 * companions and nothing else to read; NULL: it does more. */
const struct gruc_view *gruc_schedule_copied(const struct gruc_schedule *schedule,
                                             const struct gruc_group *group, size_t number);

/* Lets each scan of the group that has a companion run a tile behind it, with what comes after. */
void gruc_schedule_trail(const struct gruc_schedule *schedule, struct gruc_group *group);

/* Gives tiles the room that the lags of the group take. */
void gruc_schedule_keep_tiles(const struct gruc_schedule *schedule,
                              const struct gruc_group *group);

/* Gives stages whose results only one owner's stages read to that owner. */
void gruc_schedule_own(const struct gruc_schedule *schedule, struct gruc_group *group);

/* Whether scan b reads nothing that scan a makes. */
int gruc_schedule_independent(const struct gruc_ir *ir, const struct gruc_stage *a,
                              const struct gruc_stage *b);

/* In words, a line a stage, for people. */
struct gruc_strbuf;
void gruc_schedule_describe(const struct gruc_schedule *schedule, struct gruc_strbuf *out);

#endif

/* SPDX-License-Identifier: MIT */
/* Stages. Within a group each operation gets a level: one more than what it must wait for. A
 * product waits for its left operand, a reduction for all of its row; a pointwise operation waits
 * for neither, it joins the stage that makes its operands. Operations of one level that are
 * connected by use, or multiply the same left operand, are one stage. */
#include "ir/schedule/scheduler.h"

struct staging {
    struct gruc_scheduler *s;
    const gruc_ref *ops;
    size_t count;
    uint32_t *parent; /* union-find over positions in ops */
    uint32_t *position; /* by value: position + 1 of its operation, 0: not of this group */
    unsigned *level;
};

static const struct gruc_op *at(const struct staging *g, size_t i)
{
    return &g->s->ir->ops[g->ops[i]];
}

static int joins(enum gruc_opcode code)
{
    return code == GRUC_OP_MATMUL || code == GRUC_OP_COPY || gruc_opcode_is_pointwise(code);
}

static uint32_t width_of(const struct staging *g, size_t i)
{
    const struct gruc_op *op = at(g, i);
    gruc_ref value = op->n_results > 0 ? op->results[0] : op->operands[0];
    return g->s->ir->values[value].type.width;
}

static uint32_t root(struct staging *g, uint32_t i)
{
    while (g->parent[i] != i)
        i = g->parent[i] = g->parent[g->parent[i]];
    return i;
}

static void unite(struct staging *g, uint32_t a, uint32_t b)
{
    a = root(g, a);
    b = root(g, b);
    if (a < b)
        g->parent[b] = a;
    else
        g->parent[a] = b;
}

/* The level operation i has because it reads value; direct: not through a concatenation. */
static unsigned level_after(struct staging *g, size_t i, gruc_ref value, int direct)
{
    const struct gruc_op *producer = gruc_ir_def(g->s->ir, value);
    if (producer == NULL)
        return 0;
    if (producer->code == GRUC_OP_CONCAT) {
        unsigned level = 0;
        for (size_t k = 0; k < producer->n_operands; k++) {
            unsigned after = level_after(g, i, producer->operands[k], 0);
            level = after > level ? after : level;
        }
        return level;
    }
    if (g->position[value] == 0)
        return 0;
    size_t made = g->position[value] - 1;
    int same_stage = direct && joins(producer->code) && at(g, i)->code != GRUC_OP_MATMUL &&
                     joins(at(g, i)->code) && width_of(g, i) == width_of(g, made);
    return g->level[made] + (same_stage ? 0 : 1);
}

static void assign_levels(struct staging *g)
{
    for (size_t i = 0; i < g->count; i++) {
        const struct gruc_op *op = at(g, i);
        for (size_t k = 0; k < op->n_operands; k++) {
            unsigned level = level_after(g, i, op->operands[k], 1);
            g->level[i] = level > g->level[i] ? level : g->level[i];
        }
        for (size_t k = 0; k < op->n_results; k++)
            g->position[op->results[k]] = (uint32_t)i + 1;
    }
}

/* Products of one left operand share a sweep; tables of as many rows read by the same ids share
 * the look-up. */
static int shares_operand(const struct staging *g, size_t a, size_t b)
{
    const struct gruc_op *x = at(g, a), *y = at(g, b);
    if (x->code != y->code || x->operands[0] != y->operands[0])
        return 0;
    if (x->code == GRUC_OP_MATMUL)
        return width_of(g, a) == width_of(g, b);
    const struct gruc_value *values = g->s->ir->values;
    return x->code == GRUC_OP_EMBED &&
           values[x->operands[1]].type.rows == values[y->operands[1]].type.rows &&
           gruc_op_integer(x, GRUC_ATTRIBUTE_WRAP, 0) == gruc_op_integer(y, GRUC_ATTRIBUTE_WRAP, 0);
}

static void connect(struct staging *g)
{
    for (size_t i = 0; i < g->count; i++) {
        const struct gruc_op *op = at(g, i);
        for (size_t k = 0; joins(op->code) && k < op->n_operands; k++) {
            uint32_t made = g->position[op->operands[k]];
            if (made != 0 && joins(at(g, made - 1)->code) && g->level[made - 1] == g->level[i])
                unite(g, made - 1, (uint32_t)i);
        }
        int shares = op->code == GRUC_OP_MATMUL || op->code == GRUC_OP_EMBED;
        for (size_t j = 0; shares && j < i; j++)
            if (g->level[j] == g->level[i] && shares_operand(g, j, i))
                unite(g, (uint32_t)j, (uint32_t)i);
    }
}

static enum gruc_stage_kind kind_of(enum gruc_opcode code)
{
    switch (code) {
    case GRUC_OP_REDUCE_MAX:
    case GRUC_OP_REDUCE_SUM:
    case GRUC_OP_REDUCE_ANY:
    case GRUC_OP_SPARSEMAX_THRESHOLD:
        return GRUC_STAGE_REDUCE;
    case GRUC_OP_QUANTIZE:
        return GRUC_STAGE_QUANTIZE;
    case GRUC_OP_EMBED:
    case GRUC_OP_ONE_HOT:
        return GRUC_STAGE_EMBED;
    case GRUC_OP_INITIAL_STATE:
        return GRUC_STAGE_INITIAL;
    case GRUC_OP_FINAL_STATE:
        return GRUC_STAGE_FINAL;
    case GRUC_OP_SCAN:
        return GRUC_STAGE_SCAN;
    default:
        return GRUC_STAGE_SWEEP;
    }
}

static struct gruc_stage *add_stage(struct staging *g, struct gruc_group *group, size_t i)
{
    if (!gruc_arena_grow(g->s->ir->arena, (void **)&group->stages, group->n_stages,
                         &group->stages_capacity, sizeof *group->stages)) {
        g->s->failed = 1;
        return NULL;
    }
    struct gruc_stage *stage = &group->stages[group->n_stages++];
    *stage = (struct gruc_stage){
        .kind = kind_of(at(g, i)->code), .width = width_of(g, i), .mask = GRUC_NONE,
        .valid_only = GRUC_NONE, .owner = GRUC_NONE,
        .companion = GRUC_NONE};
    return stage;
}

static void add_product(struct staging *g, struct gruc_stage *stage, gruc_ref op_ref)
{
    struct gruc_arena *arena = g->s->ir->arena;
    const struct gruc_op *op = &g->s->ir->ops[op_ref];
    struct gruc_product *product = NULL;
    enum gruc_weights weights = gruc_op_weights(op);
    for (size_t i = 0; i < stage->n_products; i++)
        if (stage->products[i].left == op->operands[0] && stage->products[i].weights == weights)
            product = &stage->products[i];
    if (product == NULL) {
        if (!gruc_arena_grow(arena, (void **)&stage->products, stage->n_products,
                             &stage->products_capacity, sizeof *stage->products)) {
            g->s->failed = 1;
            return;
        }
        product = &stage->products[stage->n_products++];
        *product = (struct gruc_product){
            .left = op->operands[0],
            .weights = weights,
            .depth = g->s->ir->values[op->operands[1]].type.rows,
        };
    }
    if (gruc_arena_grow(arena, (void **)&product->ops, product->n_ops, &product->ops_capacity,
                        sizeof *product->ops))
        product->ops[product->n_ops++] = op_ref;
    else
        g->s->failed = 1;
}

static void add_op(struct staging *g, struct gruc_group *group, uint32_t stage_index, size_t i)
{
    struct gruc_stage *stage = &group->stages[stage_index];
    if (!gruc_arena_grow(g->s->ir->arena, (void **)&stage->ops, stage->n_ops,
                         &stage->ops_capacity, sizeof *stage->ops)) {
        g->s->failed = 1;
        return;
    }
    stage->ops[stage->n_ops++] = g->ops[i];
    if (at(g, i)->code == GRUC_OP_MATMUL)
        add_product(g, stage, g->ops[i]);
    for (size_t k = 0; k < at(g, i)->n_results; k++) {
        struct gruc_placement *place = &g->s->places[at(g, i)->results[k]];
        place->group = group;
        place->stage = stage_index;
    }
}

/* Stages in order of level; members of a stage keep their order. */
static void collect(struct staging *g, struct gruc_group *group)
{
    unsigned highest = 0;
    for (size_t i = 0; i < g->count; i++)
        highest = g->level[i] > highest ? g->level[i] : highest;
    for (unsigned level = 0; level <= highest; level++) {
        for (size_t i = 0; i < g->count && !g->s->failed; i++) {
            if (g->level[i] != level || root(g, (uint32_t)i) != i)
                continue;
            if (add_stage(g, group, i) == NULL)
                return;
            for (size_t j = i; j < g->count; j++)
                if (root(g, (uint32_t)j) == i)
                    add_op(g, group, (uint32_t)group->n_stages - 1, j);
        }
    }
}

enum gruc_status gruc_schedule_stages(struct gruc_scheduler *s, struct gruc_group *group,
                                      const gruc_ref *ops, size_t count)
{
    struct gruc_arena *arena = s->ir->arena;
    struct staging g = {
        .s = s, .ops = ops, .count = count,
        .parent = GRUC_NEW_ARRAY(arena, uint32_t, count),
        .position = GRUC_NEW_ARRAY(arena, uint32_t, s->ir->n_values),
        .level = GRUC_NEW_ARRAY(arena, unsigned, count),
    };
    if (g.parent == NULL || g.position == NULL || g.level == NULL)
        return GRUC_ERROR_MEMORY;
    for (size_t i = 0; i < count; i++)
        g.parent[i] = (uint32_t)i;
    assign_levels(&g);
    connect(&g);
    collect(&g, group);
    return s->failed ? GRUC_ERROR_MEMORY : GRUC_OK;
}

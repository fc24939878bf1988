/* SPDX-License-Identifier: MIT */
/* Small scans side by side, as the two directions of a Bidirectional layer: a step of each is one
 * long chain of dependent operations that leaves most of the machine idle. Their stages become one,
 * operations taken in turn, so that the chains overlap. */
#include "ir/schedule/scheduler.h"

#include <string.h>

/* Wider steps keep the machine busy by themselves. */
enum { WIDEST = 32 };

int gruc_schedule_independent(const struct gruc_ir *ir, const struct gruc_stage *a,
                              const struct gruc_stage *b)
{
    const struct gruc_op *reader = &ir->ops[b->ops[0]], *maker = &ir->ops[a->ops[0]];
    for (size_t i = 0; i < reader->n_operands; i++)
        for (size_t k = 0; k < maker->n_results; k++)
            if (reader->operands[i] == maker->results[k])
                return 0;
    return 1;
}

static int can_merge(const struct gruc_stage *a, const struct gruc_stage *b)
{
    if (a->kind != GRUC_STAGE_SCAN || b->kind != GRUC_STAGE_SCAN || a->masked != NULL ||
        b->masked != NULL || a->body->n_stages != b->body->n_stages)
        return 0;
    for (size_t i = 0; i < a->body->n_stages; i++) {
        const struct gruc_stage *x = &a->body->stages[i], *y = &b->body->stages[i];
        if (x->kind != GRUC_STAGE_SWEEP || y->kind != GRUC_STAGE_SWEEP || x->width != y->width ||
            x->width > WIDEST || x->n_ops != y->n_ops)
            return 0;
    }
    return 1;
}

/* Puts the items of b behind those of a. */
static int append(struct gruc_arena *arena, void **a, size_t *n, size_t *capacity, const void *b,
                  size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        if (!gruc_arena_grow(arena, a, *n, capacity, size))
            return 0;
        memcpy((char *)*a + *n * size, (const char *)b + i * size, size);
        ++*n;
    }
    return 1;
}

static int merge_stage(struct gruc_arena *arena, struct gruc_stage *a, const struct gruc_stage *b)
{
    gruc_ref *ops = GRUC_NEW_ARRAY(arena, gruc_ref, a->n_ops + b->n_ops);
    if (ops == NULL)
        return 0;
    for (size_t i = 0; i < a->n_ops; i++) {
        ops[2 * i] = a->ops[i];
        ops[2 * i + 1] = b->ops[i];
    }
    a->ops = ops;
    a->n_ops += b->n_ops;
    return append(arena, (void **)&a->products, &a->n_products, &a->products_capacity, b->products,
                  b->n_products, sizeof *b->products) &&
           append(arena, (void **)&a->loads, &a->n_loads, &a->loads_capacity, b->loads, b->n_loads,
                  sizeof *b->loads) &&
           append(arena, (void **)&a->stores, &a->n_stores, &a->stores_capacity, b->stores,
                  b->n_stores, sizeof *b->stores);
}

enum gruc_status gruc_schedule_merge(struct gruc_scheduler *s)
{
    struct gruc_schedule *schedule = s->schedule;
    for (size_t g = 0; g < schedule->n_groups; g++) {
        struct gruc_group *group = &schedule->groups[g];
        for (size_t i = 0; i + 1 < group->n_stages; i++) {
            struct gruc_stage *a = &group->stages[i], *b = &group->stages[i + 1];
            if (!can_merge(a, b) || !gruc_schedule_independent(s->ir, a, b))
                continue;
            for (size_t k = 0; k < a->body->n_stages; k++)
                if (!merge_stage(s->ir->arena, &a->body->stages[k], &b->body->stages[k]))
                    return GRUC_ERROR_MEMORY;
            b->body->n_stages = 0;
            i++;
        }
    }
    return GRUC_OK;
}

/* SPDX-License-Identifier: MIT */
/* Which stages look alike. Those that turn out to have equal functions get one (module.c), so that
 * what has to be compiled does not grow with the number of equal layers. */
#include "codegen/cpu/emitter.h"

/* A call with its arguments takes some tens of cycles. */
enum { LONG_CYCLES = 3000 };

static int same_products(const struct gruc_stage *a, const struct gruc_stage *b)
{
    int same = a->n_products == b->n_products;
    for (size_t i = 0; same && i < a->n_products; i++)
        same = a->products[i].depth == b->products[i].depth &&
               a->products[i].n_ops == b->products[i].n_ops &&
               a->products[i].weights == b->products[i].weights;
    return same;
}

static int alike(const struct gruc_ir *ir, const struct gruc_stage *a, const struct gruc_stage *b);

static int groups_alike(const struct gruc_ir *ir, const struct gruc_group *a,
                        const struct gruc_group *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    int same = a->n_stages == b->n_stages;
    for (size_t i = 0; same && i < a->n_stages; i++)
        same = alike(ir, &a->stages[i], &b->stages[i]);
    return same;
}

static int alike(const struct gruc_ir *ir, const struct gruc_stage *a, const struct gruc_stage *b)
{
    int same = a->kind == b->kind && a->width == b->width && a->n_ops == b->n_ops &&
               a->n_loads == b->n_loads && a->n_stores == b->n_stores && same_products(a, b) &&
               groups_alike(ir, a->body, b->body) && groups_alike(ir, a->masked, b->masked);
    for (size_t i = 0; same && i < a->n_ops; i++)
        same = ir->ops[a->ops[i]].code == ir->ops[b->ops[i]].code;
    return same;
}

static uint64_t products_of(const struct gruc_stage *stage)
{
    uint64_t count = 0;
    for (size_t i = 0; i < stage->n_products; i++)
        count += (uint64_t)stage->products[i].depth * stage->products[i].n_ops * stage->width;
    for (size_t i = 0; stage->body != NULL && i < stage->body->n_stages; i++)
        count += products_of(&stage->body->stages[i]);
    return count;
}

int cpu_is_long(const struct cpu_emitter *e, const struct gruc_stage *stage)
{
    uint64_t rate = (uint64_t)e->target->lanes * e->target->fma_rate;
    return products_of(stage) >= LONG_CYCLES * rate;
}

int cpu_is_shared(const struct cpu_emitter *e, const struct gruc_stage *stage)
{
    const struct gruc_schedule *schedule = e->schedule;
    /* A single step that is short had better have its state in registers. */
    if (e->one_step && !cpu_is_long(e, stage))
        return 0;
    for (size_t g = 0; g < schedule->n_groups; g++)
        for (size_t i = 0; i < schedule->groups[g].n_stages; i++) {
            const struct gruc_stage *other = &schedule->groups[g].stages[i];
            if (other != stage && alike(e->ir, stage, other))
                return 1;
        }
    return 0;
}

int cpu_any_shared(const struct cpu_emitter *e)
{
    for (size_t g = 0; g < e->schedule->n_groups; g++)
        for (size_t i = 0; i < e->schedule->groups[g].n_stages; i++)
            if (cpu_is_shared(e, &e->schedule->groups[g].stages[i]))
                return 1;
    return 0;
}

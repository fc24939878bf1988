/* SPDX-License-Identifier: MIT */
/* What threads that share a row exchange after a step: each writes its units of a carried value
 * to where all find it, and takes those of the others from there. It reads a copy of its own, where
 * its own units are at once: a line that another core fetches is lost for a while to its writer. */
#include "codegen/cpu/run.h"

/* Steps of more units gain a hundredth, and what a JIT compiles takes a fiftieth longer. */
enum { MOST_UNITS = 96, LINE_BYTES = 64 };

/* Each v_ is where an address is kept: of what all find, and of the thread's own copies in this
 * step and the next two. */
struct carry {
    uint32_t buffer, width;
    unsigned units, lanes; /* of the blocks that are stored, 0: some differ; of their vectors */
    LLVMValueRef v_current, v_next;
    LLVMValueRef v_own_current, v_own_next, v_own_later;
};

struct cpu_exchange {
    struct carry *carries;
    size_t n_carries;
};

/* ---- which carried values ---- */

static int reads_next(const struct gruc_view *view, uint32_t buffer)
{
    return view->buffer == buffer && view->next;
}

/* Whether the stages store whole blocks of the value and read it only as it was before the step. */
static int suits(struct cpu_emitter *e, struct cpu_stage *stages, const struct gruc_group *group,
                 struct carry *carry)
{
    for (size_t i = 0; i < group->n_stages; i++) {
        const struct gruc_stage *stage = &group->stages[i];
        for (size_t k = 0; k < stage->n_products; k++)
            if (reads_next(&stage->products[k].view, carry->buffer))
                return 0;
        for (size_t k = 0; k < stage->n_loads; k++)
            if (reads_next(&stage->loads[k].view, carry->buffer))
                return 0;
        for (size_t k = 0; k < stage->n_stores; k++) {
            if (stage->stores[k].view.buffer != carry->buffer)
                continue;
            if (stage->kind != GRUC_STAGE_SWEEP || stage->width != carry->width)
                return 0;
            unsigned units = cpu_sweep_units(e, &stages[i]);
            carry->units = carry->lanes == 0 || carry->units == units ? units : 0;
            carry->lanes = stages[i].lanes;
        }
    }
    return 1;
}

static int plan_carry(struct cpu_run *r, const struct cpu_scan *scan, uint32_t number,
                      struct carry *carry)
{
    const struct gruc_buffer *buffer = &r->e->schedule->buffers[number];
    *carry = (struct carry){.buffer = number, .width = buffer->width,
                            .v_current = r->v_current[number], .v_next = r->v_next[number]};
    if (r->has_many || buffer->width > MOST_UNITS || buffer->dtype != GRUC_FLOAT32 ||
        !suits(r->e, scan->steps, scan->stage->body, carry))
        return 0;
    if (scan->masked != NULL && !suits(r->e, scan->masked, scan->stage->masked, carry))
        return 0;
    return carry->lanes > 0;
}

/* ---- emission ---- */

static LLVMValueRef address(struct cpu_run *r, LLVMValueRef v_kept)
{
    return l_load(r->e, r->e->t_ptr, v_kept, 8);
}

static LLVMValueRef whole_vectors(struct cpu_emitter *e, const struct carry *carry)
{
    return l_i64(e, (carry->width + carry->lanes - 1) / carry->lanes * carry->lanes);
}

/* The units that this thread stores in blocks of so many; none where that is 0. */
static void own_units(struct cpu_run *r, const struct carry *carry, unsigned units,
                      LLVMValueRef *v_first, LLVMValueRef *v_limit)
{
    struct cpu_emitter *e = r->e;
    LLVMValueRef v_most = whole_vectors(e, carry);
    *v_first = *v_limit = l_i64(e, 0);
    if (units == 0)
        return;
    LLVMValueRef v_units = l_i64(e, units);
    LLVMValueRef v_blocks = l_i64(e, (carry->width + units - 1) / units);
    cpu_share_of(e, r->v_share, r->v_shares, v_blocks, v_first, v_limit);
    *v_first = l_mul(e, *v_first, v_units);
    *v_limit = l_mul(e, *v_limit, v_units);
    *v_limit = l_smaller(e, *v_limit, v_most);
}

static void copy_vector(struct cpu_run *r, const struct carry *carry, LLVMValueRef v_unit,
                        LLVMValueRef v_from, LLVMValueRef v_to)
{
    struct cpu_emitter *e = r->e;
    unsigned align = carry->lanes * 4;
    LLVMTypeRef type = l_vector(e->t_float, carry->lanes);
    LLVMValueRef v_at = l_mul(e, v_unit, l_i64(e, 4));
    l_store(e, l_load(e, type, l_offset(e, v_from, v_at), align), l_offset(e, v_to, v_at), align);
}

static LLVMValueRef keep_address(struct cpu_run *r, LLVMValueRef v_address)
{
    LLVMValueRef v_kept = l_allocate(r->e, 8, "own");
    l_store(r->e, v_address, v_kept, 8);
    return v_kept;
}

/* The first step reads even a thread's own units where all find them. Where there are no own
 * copies, their addresses are those of the others. */
static void begin_carry(struct cpu_run *r, struct carry *carry, LLVMValueRef v_has_own)
{
    struct cpu_emitter *e = r->e;
    uint64_t bytes = ((uint64_t)carry->width * 4 + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    LLVMValueRef v_room = l_allocate(e, 2 * bytes, "copies");
    LLVMValueRef v_current = address(r, carry->v_current), v_next = address(r, carry->v_next);
    carry->v_own_current = keep_address(r, v_current);
    carry->v_own_next =
        keep_address(r, LLVMBuildSelect(e->builder, v_has_own, v_room, v_next, ""));
    carry->v_own_later = keep_address(
        r, LLVMBuildSelect(e->builder, v_has_own, l_offset(e, v_room, l_i64(e, bytes)), v_current,
                           ""));
}

struct cpu_exchange *cpu_exchange_begin(struct cpu_run *r, const struct cpu_scan *scan,
                                        const struct cpu_scan *all_scans, size_t n_scans)
{
    struct cpu_emitter *e = r->e;
    struct cpu_exchange *x = GRUC_NEW(e->arena, struct cpu_exchange);
    size_t most = 0;
    for (size_t i = 0; i < n_scans; i++)
        most += all_scans[i].stage->n_carries;
    struct carry *carries = GRUC_NEW_ARRAY(e->arena, struct carry, most + 1);
    if (x == NULL || carries == NULL) {
        e->failed = 1;
        return NULL;
    }
    *x = (struct cpu_exchange){.carries = carries};
    for (size_t i = 0; i < n_scans; i++)
        for (size_t k = 0; k < all_scans[i].stage->n_carries; k++)
            x->n_carries += plan_carry(r, scan, all_scans[i].stage->carries[k].buffer,
                                       &carries[x->n_carries]);
    LLVMValueRef v_are_many =
        LLVMBuildICmp(e->builder, LLVMIntULT, l_i64(e, 1), r->v_shares, "");
    LLVMValueRef v_is_one = LLVMBuildICmp(e->builder, LLVMIntEQ, r->v_rows, l_i64(e, 1), "");
    LLVMValueRef v_has_own = LLVMBuildAnd(e->builder, v_are_many, v_is_one, "");
    for (size_t i = 0; i < x->n_carries; i++)
        begin_carry(r, &carries[i], v_has_own);
    return x;
}

void cpu_exchange_enter(struct cpu_run *r, const struct cpu_exchange *x)
{
    for (size_t i = 0; i < x->n_carries; i++) {
        const struct carry *carry = &x->carries[i];
        r->v_current[carry->buffer] = carry->v_own_current;
        r->v_next[carry->buffer] = carry->v_own_next;
    }
}

/* A loop over the units of the others; none if there is only one copy. */
void cpu_exchange_collect(struct cpu_run *r, const struct cpu_exchange *x)
{
    struct cpu_emitter *e = r->e;
    for (size_t i = 0; i < x->n_carries; i++) {
        const struct carry *carry = &x->carries[i];
        LLVMValueRef v_first, v_limit, v_from = address(r, carry->v_current);
        LLVMValueRef v_to = address(r, carry->v_own_current);
        own_units(r, carry, carry->units, &v_first, &v_limit);
        LLVMValueRef v_own = LLVMBuildSub(e->builder, v_limit, v_first, "");
        LLVMValueRef v_others = LLVMBuildSub(e->builder, whole_vectors(e, carry), v_own, "");
        LLVMValueRef v_is_same = LLVMBuildICmp(e->builder, LLVMIntEQ, v_from, v_to, "");
        v_others = LLVMBuildSelect(e->builder, v_is_same, l_i64(e, 0), v_others, "");
        struct l_loop loop = l_loop_begin(e, l_i64(e, 0), v_others, l_i64(e, carry->lanes));
        LLVMValueRef v_is_before = LLVMBuildICmp(e->builder, LLVMIntULT, loop.v_index, v_first, "");
        LLVMValueRef v_past = LLVMBuildSelect(e->builder, v_is_before, l_i64(e, 0), v_own, "");
        copy_vector(r, carry, l_add(e, loop.v_index, v_past), v_from, v_to);
        l_loop_end(e, &loop);
    }
}

static void publish_carry(struct cpu_run *r, const struct carry *carry, struct cpu_stage *stage)
{
    struct cpu_emitter *e = r->e;
    LLVMValueRef v_first, v_limit, v_from = address(r, carry->v_own_next);
    LLVMValueRef v_to = address(r, carry->v_next);
    own_units(r, carry, cpu_sweep_units(e, stage), &v_first, &v_limit);
    LLVMValueRef v_is_same = LLVMBuildICmp(e->builder, LLVMIntEQ, v_from, v_to, "");
    v_limit = LLVMBuildSelect(e->builder, v_is_same, v_first, v_limit, "");
    struct l_loop loop = l_loop_begin(e, v_first, v_limit, l_i64(e, carry->lanes));
    copy_vector(r, carry, loop.v_index, v_from, v_to);
    l_loop_end(e, &loop);
}

void cpu_exchange_publish(struct cpu_run *r, const struct cpu_exchange *x, struct cpu_stage *stage)
{
    for (size_t i = 0; i < x->n_carries; i++)
        for (size_t k = 0; k < stage->stage->n_stores; k++)
            if (stage->stage->stores[k].view.buffer == x->carries[i].buffer)
                publish_carry(r, &x->carries[i], stage);
}

void cpu_exchange_leave(struct cpu_run *r, const struct cpu_exchange *x)
{
    for (size_t i = 0; i < x->n_carries; i++) {
        const struct carry *carry = &x->carries[i];
        LLVMValueRef v_next = address(r, carry->v_own_next);
        LLVMValueRef v_later = address(r, carry->v_own_later);
        l_store(r->e, v_next, carry->v_own_current, 8);
        l_store(r->e, v_later, carry->v_own_next, 8);
        l_store(r->e, v_next, carry->v_own_later, 8);
        r->v_current[carry->buffer] = carry->v_current;
        r->v_next[carry->buffer] = carry->v_next;
    }
}

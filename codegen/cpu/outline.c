/* SPDX-License-Identifier: MIT */
/* The steps of a tile of a scan as a function that knows nothing of the layer: where its values and
 * weights are it is told. So equal layers have equal functions, which become one (module.c). */
#include <stdio.h>

#include "codegen/cpu/run.h"

/* A value of the caller, and where the function's own name for it is kept. */
struct passed {
    LLVMValueRef v_outer, *inner;
};

struct outline {
    struct cpu_run *outer, inner;
    LLVMValueRef v_weights; /* the function's, which the emitter knows */
    struct passed *passed;
    size_t n_passed, passed_capacity;
    struct cpu_place *places;
    size_t n_places;
    struct cpu_beside beside; /* the function's */
};

static void pass(struct outline *o, LLVMValueRef v_outer, LLVMValueRef *inner)
{
    struct gruc_arena *arena = o->outer->e->arena;
    if (!gruc_arena_grow(arena, (void **)&o->passed, o->n_passed, &o->passed_capacity,
                         sizeof *o->passed)) {
        o->outer->e->failed = 1;
        return;
    }
    o->passed[o->n_passed++] = (struct passed){.v_outer = v_outer, .inner = inner};
    *inner = v_outer;
}

/* Of what is constant, in equal layers alike, or absent. */
static void pass_variable(struct outline *o, LLVMValueRef v_outer, LLVMValueRef *inner)
{
    *inner = v_outer;
    if (v_outer != NULL && !LLVMIsConstant(v_outer))
        pass(o, v_outer, inner);
}

static void pass_view(struct outline *o, const struct gruc_view *view,
                      const struct cpu_position *first, int has_stride)
{
    struct cpu_run *r = o->outer;
    if (o->inner.v_current[view->buffer] != NULL)
        return;
    struct cpu_place *place = &o->places[o->n_places++];
    LLVMValueRef v_base, v_stride, v_step = cpu_step_bytes(r, view);
    cpu_locate(r, view, first, &v_base, &v_stride);
    place->what = view;
    pass(o, v_base, &place->v_base);
    if (v_step != NULL)
        pass(o, v_step, &place->v_step);
    place->v_stride = v_stride;
    if (has_stride)
        pass(o, v_stride, &place->v_stride);
}

static void pass_stages(struct outline *o, const struct cpu_stage *stages, size_t n_stages,
                        const struct cpu_position *first)
{
    for (size_t i = 0; i < n_stages; i++) {
        const struct cpu_stage *s = &stages[i];
        for (size_t k = 0; k < s->n_pieces; k++) {
            struct cpu_place *place = &o->places[o->n_places++];
            place->what = &s->pieces[k];
            pass(o, l_i64(o->outer->e, s->pieces[k].offset), &place->v_base);
        }
        for (size_t k = 0; k < s->n_edges; k++)
            pass_view(o, s->edges[k].view, first, s->edges[k].has_stride);
    }
}

static size_t most_places(const struct cpu_stage *stages, size_t n_stages)
{
    size_t most = 0;
    for (size_t i = 0; i < n_stages; i++)
        most += stages[i].n_pieces + stages[i].n_edges;
    return most;
}

/* The two copies of each carried value. */
static void pass_carries(struct outline *o, const struct gruc_stage *scan)
{
    struct cpu_emitter *e = o->outer->e;
    for (size_t i = 0; i < scan->n_carries; i++) {
        uint32_t buffer = scan->carries[i].buffer;
        pass(o, l_load(e, e->t_ptr, o->outer->v_current[buffer], 8), &o->inner.v_current[buffer]);
        pass(o, l_load(e, e->t_ptr, o->outer->v_next[buffer], 8), &o->inner.v_next[buffer]);
    }
}

/* In the function: they are exchanged after every step. */
static void keep_carries(struct outline *o, const struct gruc_stage *scan)
{
    struct cpu_emitter *e = o->outer->e;
    for (size_t i = 0; i < scan->n_carries; i++) {
        uint32_t buffer = scan->carries[i].buffer;
        LLVMValueRef v_current = o->inner.v_current[buffer], v_next = o->inner.v_next[buffer];
        o->inner.v_current[buffer] = LLVMBuildAlloca(e->builder, e->t_ptr, "current");
        o->inner.v_next[buffer] = LLVMBuildAlloca(e->builder, e->t_ptr, "next");
        l_store(e, v_current, o->inner.v_current[buffer], 8);
        l_store(e, v_next, o->inner.v_next[buffer], 8);
    }
}

static int prepare(struct outline *o, const struct cpu_scan *scan)
{
    struct cpu_emitter *e = o->outer->e;
    size_t most = 1 + most_places(scan->steps, scan->stage->body->n_stages);
    if (scan->masked != NULL)
        most += most_places(scan->masked, scan->stage->masked->n_stages);
    o->places = GRUC_NEW_ARRAY(e->arena, struct cpu_place, most);
    o->inner.v_base = GRUC_NEW_ARRAY(e->arena, LLVMValueRef, e->schedule->n_buffers);
    o->inner.v_current = GRUC_NEW_ARRAY(e->arena, LLVMValueRef, e->schedule->n_buffers);
    o->inner.v_next = GRUC_NEW_ARRAY(e->arena, LLVMValueRef, e->schedule->n_buffers);
    return o->places != NULL && o->inner.v_base != NULL && o->inner.v_current != NULL &&
           o->inner.v_next != NULL;
}

/* What the steps compute beside their own. */
static void pass_beside(struct outline *o, const struct cpu_beside *beside)
{
    unsigned count = CPU_BESIDE_EDGES + (unsigned)beside->stage->n_edges;
    o->beside = *beside;
    for (unsigned i = 0; i < count; i++) {
        LLVMValueRef *inner = &o->beside.v_arguments[i];
        if (i == CPU_BESIDE_WEIGHTS || i >= CPU_BESIDE_EDGES)
            pass(o, *inner, inner);
        else
            pass_variable(o, *inner, inner);
    }
}

/* All that the steps need. */
static void pass_all(struct outline *o, const struct cpu_scan *scans, size_t n_scans,
                     struct cpu_scan *scan, struct cpu_position *at, LLVMValueRef *v_steps)
{
    struct cpu_run *r = o->outer;
    struct cpu_position first = *at;
    first.way = CPU_STEP;
    first.v_local = l_i64(r->e, 0);
    pass(o, r->e->v_weights, &o->v_weights);
    pass_variable(o, r->v_rows, &o->inner.v_rows);
    pass_variable(o, *v_steps, v_steps);
    pass_variable(o, at->v_tile_first, &at->v_tile_first);
    pass_variable(o, r->v_turned, &o->inner.v_turned);
    if (r->e->info->unit_threads > 1) {
        pass(o, r->v_args, &o->inner.v_args);
        pass(o, r->v_share, &o->inner.v_share);
        pass(o, r->v_shares, &o->inner.v_shares);
    }
    for (size_t i = 0; i < n_scans; i++)
        pass_carries(o, scans[i].stage);
    pass_stages(o, scan->steps, scan->stage->body->n_stages, &first);
    if (scan->beside != NULL) {
        pass_beside(o, scan->beside);
        scan->beside = &o->beside;
    }
    if (scan->masked == NULL)
        return;
    pass(o, scan->v_turn, &scan->v_turn);
    pass(o, r->v_valid_list, &o->inner.v_valid_list);
    pass(o, r->v_masked_list, &o->inner.v_masked_list);
    pass(o, r->v_valid_count, &o->inner.v_valid_count);
    pass(o, r->v_masked_count, &o->inner.v_masked_count);
    pass_view(o, &scan->stage->mask_view, &first, 1);
    pass_stages(o, scan->masked, scan->stage->masked->n_stages, &first);
}

void cpu_call_steps(struct cpu_run *r, const struct cpu_scan *scans, size_t n_scans,
                    struct cpu_position at, LLVMValueRef v_steps)
{
    struct cpu_emitter *e = r->e;
    struct outline o = {.outer = r, .inner = {.e = e, .barrier = r->barrier,
                                              .barrier_type = r->barrier_type,
                                              .has_many = r->has_many}};
    struct cpu_scan scan = scans[0];
    if (r->has_many)
        scan.beside = NULL;
    if (!prepare(&o, &scan)) {
        e->failed = 1;
        return;
    }
    pass_all(&o, scans, n_scans, &scan, &at, &v_steps);
    at.owner = GRUC_NONE; /* the caller sees to it */
    LLVMTypeRef *types = GRUC_NEW_ARRAY(e->arena, LLVMTypeRef, o.n_passed);
    LLVMValueRef *arguments = GRUC_NEW_ARRAY(e->arena, LLVMValueRef, o.n_passed);
    if (types == NULL || arguments == NULL || e->failed) {
        e->failed = 1;
        return;
    }
    for (size_t i = 0; i < o.n_passed; i++) {
        arguments[i] = o.passed[i].v_outer;
        types[i] = LLVMTypeOf(arguments[i]);
    }
    char name[32];
    snprintf(name, sizeof name, "scan%u", e->n_scans++);
    struct l_function f = l_function_begin(e, name, types, (unsigned)o.n_passed);
    l_attribute(e, f.function, "noinline");
    for (size_t i = 0; i < o.n_passed; i++)
        *o.passed[i].inner = LLVMGetParam(f.function, (unsigned)i);
    for (size_t i = 0; i < n_scans; i++)
        keep_carries(&o, scans[i].stage);
    o.inner.places = o.places;
    o.inner.n_places = o.n_places;
    cpu_emit_steps(&o.inner, &scan, scans, n_scans, at, v_steps);
    l_function_end(e, &f);
    r->barrier = o.inner.barrier;
    r->barrier_type = o.inner.barrier_type;
    LLVMBuildCall2(e->builder, f.type, f.function, arguments, (unsigned)o.n_passed, "");
}

/* SPDX-License-Identifier: MIT */
/* A stage as a function of its own: how its values are reached is decided where it is called. */
#include "codegen/cpu/emitter.h"

#include <stdio.h>

static void add_edge(struct cpu_emitter *e, struct cpu_stage *s, gruc_ref value,
                     const struct gruc_view *view, int is_store)
{
    if (s->n_edges == CPU_MAX_EDGES || view->buffer == GRUC_NONE) {
        e->failed = 1;
        return;
    }
    const struct gruc_buffer *buffer = &e->schedule->buffers[view->buffer];
    const struct gruc_type *type = &e->ir->values[value].type;
    int unpadded = buffer->storage == GRUC_STORE_INPUT || buffer->storage == GRUC_STORE_OUTPUT ||
                   buffer->storage == GRUC_STORE_SEQUENCE || view->step != buffer->width;
    int is_slice = is_store && buffer->width != type->width;
    s->edges[s->n_edges++] = (struct cpu_edge){
        .value = value, .view = view, .dtype = buffer->dtype, .width = type->width,
        .exact = unpadded || is_slice};
}

static void collect_edges(struct cpu_emitter *e, struct cpu_stage *s)
{
    const struct gruc_stage *stage = s->stage;
    for (size_t i = 0; i < stage->n_products; i++)
        add_edge(e, s, stage->products[i].left, &stage->products[i].view, 0);
    s->n_products = s->n_edges;
    for (size_t i = 0; i < stage->n_loads; i++)
        add_edge(e, s, stage->loads[i].value, &stage->loads[i].view, 0);
    s->n_loads = s->n_edges - s->n_products;
    for (size_t i = 0; i < stage->n_stores; i++)
        add_edge(e, s, stage->stores[i].value, &stage->stores[i].view, 1);
}

LLVMValueRef cpu_stage_row(struct cpu_emitter *e, const struct cpu_stage *s, LLVMValueRef v_index)
{
    if (!s->is_listed)
        return v_index;
    return l_load(e, e->t_i64, l_offset(e, s->v_list, l_mul(e, v_index, l_i64(e, 8))), 8);
}

void cpu_share_of(struct cpu_emitter *e, LLVMValueRef v_share, LLVMValueRef v_shares,
                  LLVMValueRef v_count, LLVMValueRef *v_first, LLVMValueRef *v_limit)
{
    *v_first = l_i64(e, 0);
    *v_limit = v_count;
    if (e->info->unit_threads <= 1)
        return;
    LLVMValueRef v_next = l_add(e, v_share, l_i64(e, 1));
    *v_first = LLVMBuildUDiv(e->builder, l_mul(e, v_count, v_share), v_shares, "");
    *v_limit = LLVMBuildUDiv(e->builder, l_mul(e, v_count, v_next), v_shares, "");
}

void cpu_stage_share(struct cpu_emitter *e, const struct cpu_stage *s, LLVMValueRef v_count,
                     LLVMValueRef *v_first, LLVMValueRef *v_limit)
{
    cpu_share_of(e, s->v_share, s->v_shares, v_count, v_first, v_limit);
}

struct l_loop cpu_stage_rows_begin(struct cpu_emitter *e, const struct cpu_stage *s)
{
    LLVMValueRef v_first, v_limit;
    cpu_stage_share(e, s, s->v_rows, &v_first, &v_limit);
    return l_loop_begin(e, v_first, v_limit, l_i64(e, 1));
}

void cpu_emit_stage(struct cpu_emitter *e, const struct gruc_stage *stage, unsigned flags,
                    const struct cpu_stage *companion, struct cpu_stage *out)
{
    *out = (struct cpu_stage){.stage = stage, .is_listed = (flags & CPU_STAGE_LISTED) != 0,
                              .is_companion = (flags & CPU_STAGE_COMPANION) != 0};
    collect_edges(e, out);
    if (e->failed)
        return;
    LLVMTypeRef parameters[CPU_STAGE_MOST] = {
        e->t_ptr, e->t_i64, e->t_i1, e->t_ptr, e->t_i64, e->t_i64};
    for (size_t i = 0; i < out->n_edges; i++) {
        parameters[CPU_STAGE_EDGES + 2 * i] = e->t_ptr;
        parameters[CPU_STAGE_EDGES + 1 + 2 * i] = e->t_i64;
    }
    unsigned count = CPU_STAGE_EDGES + 2 * (unsigned)out->n_edges, own = count;
    if (companion != NULL)
        count += cpu_companion_parameters(e, companion, parameters + own);
    char name[32];
    snprintf(name, sizeof name, "stage%u", e->n_stages++);
    struct l_function f = l_function_begin(e, name, parameters, count);
    out->function = f.function;
    out->type = f.type;
    l_attribute(e, f.function,
                flags & CPU_STAGE_INLINE || e->one_step ? "alwaysinline" : "noinline");
    for (size_t i = 0; i < out->n_edges; i++) {
        unsigned parameter = (unsigned)(CPU_STAGE_EDGES + 2 * i);
        out->edges[i].v_base = LLVMGetParam(f.function, parameter);
        out->edges[i].v_stride = LLVMGetParam(f.function, parameter + 1);
    }
    /* A listed stage outside a scan may have no row at all. */
    int is_one_row = e->one_step && (!out->is_listed || flags & CPU_STAGE_INLINE);
    out->v_rows = is_one_row ? l_i64(e, 1) : LLVMGetParam(f.function, CPU_STAGE_ROWS);
    out->v_turned = LLVMGetParam(f.function, CPU_STAGE_TURNED);
    out->v_list = LLVMGetParam(f.function, CPU_STAGE_LIST);
    out->v_share = LLVMGetParam(f.function, CPU_STAGE_SHARE);
    out->v_shares = LLVMGetParam(f.function, CPU_STAGE_SHARES);
    if (companion != NULL)
        out->companion = cpu_companion_bind(e, f.function, own, companion);
    if (stage->kind == GRUC_STAGE_REDUCE)
        cpu_emit_reduce(e, out);
    else if (stage->kind == GRUC_STAGE_QUANTIZE)
        cpu_emit_quantize(e, out);
    else if (stage->kind == GRUC_STAGE_EMBED)
        cpu_emit_embed(e, out);
    else
        cpu_emit_sweep(e, out);
    l_function_end(e, &f);
}

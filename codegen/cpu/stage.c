/* SPDX-License-Identifier: MIT */
/* A stage as a function of its own: how its values are reached is decided where it is called. */
#include "codegen/cpu/companion.h"
#include "codegen/cpu/weights.h"

#include <stdio.h>

enum role { LEFT, LOAD, STORE };

/* Whether the row stride is left to the caller. Not that of what only a scan's steps know; but what
 * a layer reads and writes may be a tile here and the caller's array in an equal layer. */
static int has_stride(const struct cpu_stage *s, const struct gruc_buffer *buffer, enum role role)
{
    int is_inside = buffer->storage == GRUC_STORE_ROW || buffer->storage == GRUC_STORE_CARRY;
    return !(s->is_inside && is_inside) &&
           !(role == LOAD && buffer->storage == GRUC_STORE_TILE);
}

static void add_edge(struct cpu_emitter *e, struct cpu_stage *s, gruc_ref value,
                     const struct gruc_view *view, enum role role)
{
    if (s->n_edges == CPU_MAX_EDGES || view->buffer == GRUC_NONE) {
        e->failed = 1;
        return;
    }
    const struct gruc_buffer *buffer = &e->schedule->buffers[view->buffer];
    const struct gruc_type *type = &e->ir->values[value].type;
    int unpadded = buffer->storage == GRUC_STORE_INPUT || buffer->storage == GRUC_STORE_OUTPUT ||
                   buffer->storage == GRUC_STORE_SEQUENCE || view->step != buffer->width;
    int is_slice = role == STORE && buffer->width != type->width;
    s->edges[s->n_edges++] = (struct cpu_edge){
        .value = value, .view = view, .dtype = buffer->dtype, .width = type->width,
        .exact = unpadded || is_slice, .has_stride = has_stride(s, buffer, role)};
}

static void collect_edges(struct cpu_emitter *e, struct cpu_stage *s)
{
    const struct gruc_stage *stage = s->stage;
    for (size_t i = 0; i < stage->n_products; i++)
        add_edge(e, s, stage->products[i].left, &stage->products[i].view, LEFT);
    s->n_products = s->n_edges;
    for (size_t i = 0; i < stage->n_loads; i++)
        add_edge(e, s, stage->loads[i].value, &stage->loads[i].view, LOAD);
    s->n_loads = s->n_edges - s->n_products;
    for (size_t i = 0; i < stage->n_stores; i++)
        add_edge(e, s, stage->stores[i].value, &stage->stores[i].view, STORE);
}

LLVMValueRef cpu_stage_row(struct cpu_emitter *e, const struct cpu_stage *s, LLVMValueRef v_index)
{
    if (!s->is_listed)
        return v_index;
    return l_load(e, e->t_i64, l_offset(e, s->v_list, l_mul(e, v_index, l_i64(e, 8))), 8);
}

static int is_given(LLVMValueRef v)
{
    return LLVMIsAArgument(v) || LLVMIsConstant(v);
}

void cpu_share_of(struct cpu_emitter *e, LLVMValueRef v_share, LLVMValueRef v_shares,
                  LLVMValueRef v_count, LLVMValueRef *v_first, LLVMValueRef *v_limit)
{
    *v_first = l_i64(e, 0);
    *v_limit = v_count;
    if (e->info->unit_threads <= 1)
        return;
    /* A step takes long enough without divisions. */
    int is_known = LLVMIsAConstantInt(v_count) && is_given(v_share) && is_given(v_shares);
    LLVMBasicBlockRef b_now = is_known ? l_entry_begin(e) : NULL;
    LLVMValueRef v_next = l_add(e, v_share, l_i64(e, 1));
    *v_first = LLVMBuildUDiv(e->builder, l_mul(e, v_count, v_share), v_shares, "");
    *v_limit = LLVMBuildUDiv(e->builder, l_mul(e, v_count, v_next), v_shares, "");
    if (is_known)
        l_entry_end(e, b_now);
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

size_t cpu_stage_piece(struct cpu_emitter *e, struct cpu_stage *s, size_t offset, gruc_ref param)
{
    if (s->n_pieces == CPU_MAX_PIECES) {
        e->failed = 1;
        return 0;
    }
    s->pieces[s->n_pieces] = (struct cpu_stage_piece){.offset = offset, .param = param};
    return s->n_pieces++;
}

static void pack_pieces(struct cpu_emitter *e, struct cpu_stage *s)
{
    if (s->stage->kind == GRUC_STAGE_SWEEP)
        cpu_pack_sweep(e, s);
    else if (s->stage->kind == GRUC_STAGE_EMBED)
        cpu_pack_embed(e, s);
}

static void begin_function(struct cpu_emitter *e, struct cpu_stage *s, struct l_function *out)
{
    LLVMTypeRef parameters[CPU_STAGE_PARAMETERS] = {e->t_ptr, e->t_i64, e->t_i1};
    unsigned count = CPU_STAGE_PIECES;
    for (size_t i = 0; i < s->n_pieces; i++)
        parameters[count++] = e->t_i64;
    for (size_t i = 0; i < s->n_edges; i++)
        parameters[count++] = e->t_ptr;
    if (s->is_listed)
        parameters[count++] = e->t_ptr;
    if (e->info->unit_threads > 1) {
        parameters[count++] = e->t_i64;
        parameters[count++] = e->t_i64;
    }
    for (size_t i = 0; i < s->n_edges; i++)
        if (s->edges[i].has_stride)
            parameters[count++] = e->t_i64;
    if (s->beside != NULL)
        count += cpu_companion_parameters(e, s->beside, parameters + count);
    char name[32];
    snprintf(name, sizeof name, "stage%u", e->n_stages++);
    *out = l_function_begin(e, name, parameters, count);
    s->function = out->function;
    s->type = out->type;
}

/* In the order of begin_function. */
static void bind(struct cpu_emitter *e, struct cpu_stage *s, const LLVMValueRef *arguments)
{
    const LLVMValueRef *at = arguments + CPU_STAGE_PIECES;
    s->v_rows = arguments[CPU_STAGE_ROWS];
    s->v_turned = arguments[CPU_STAGE_TURNED];
    s->v_pieces = at;
    at += s->n_pieces;
    for (size_t i = 0; i < s->n_edges; i++)
        s->edges[i].v_base = *at++;
    if (s->is_listed)
        s->v_list = *at++;
    if (e->info->unit_threads > 1) {
        s->v_share = *at++;
        s->v_shares = *at++;
    }
    for (size_t i = 0; i < s->n_edges; i++) {
        const struct gruc_buffer *buffer = &e->schedule->buffers[s->edges[i].view->buffer];
        uint64_t bytes = (uint64_t)buffer->stride * cpu_dtype_bytes(buffer->dtype);
        s->edges[i].v_stride = s->edges[i].has_stride ? *at++ : l_i64(e, bytes);
    }
    for (size_t i = 0; s->packed != NULL && i < s->stage->n_products; i++)
        s->packed[i].v_piece = s->v_pieces[s->packed[i].piece];
    if (s->beside != NULL)
        s->companion = cpu_companion_bind(e, at, s->beside);
    /* A listed stage outside a scan may have no row at all. */
    if (e->one_step && (!s->is_listed || s->is_inside))
        s->v_rows = l_i64(e, 1);
}

void cpu_emit_stage_here(struct cpu_emitter *e, const struct cpu_stage *stage,
                         const LLVMValueRef *arguments)
{
    struct cpu_stage bound = *stage;
    bind(e, &bound, arguments);
    if (e->failed)
        return;
    if (stage->stage->kind == GRUC_STAGE_REDUCE)
        cpu_emit_reduce(e, &bound);
    else if (stage->stage->kind == GRUC_STAGE_QUANTIZE)
        cpu_emit_quantize(e, &bound);
    else if (stage->stage->kind == GRUC_STAGE_EMBED)
        cpu_emit_embed(e, &bound);
    else
        cpu_emit_sweep(e, &bound);
}

void cpu_emit_stage(struct cpu_emitter *e, const struct gruc_stage *stage, unsigned flags,
                    const struct cpu_stage *companion, struct cpu_stage *out)
{
    *out = (struct cpu_stage){.stage = stage, .beside = companion,
                              .is_step = (flags & CPU_STAGE_STEP) != 0,
                              .is_inside = (flags & CPU_STAGE_INSIDE) != 0,
                              .is_listed = (flags & CPU_STAGE_LISTED) != 0,
                              .is_companion = (flags & CPU_STAGE_COMPANION) != 0};
    collect_edges(e, out);
    pack_pieces(e, out);
    if (e->failed || e->blob.failed) {
        e->failed = 1;
        return;
    }
    if (out->is_inside || (e->one_step && !cpu_is_shared(e, stage)))
        return;
    struct l_function f;
    begin_function(e, out, &f);
    l_attribute(e, f.function, "noinline");
    LLVMValueRef arguments[CPU_STAGE_PARAMETERS];
    LLVMGetParams(f.function, arguments);
    cpu_emit_stage_here(e, out, arguments);
    l_function_end(e, &f);
}

/* SPDX-License-Identifier: MIT */
/* From views to addresses. */
#include "codegen/cpu/run.h"

LLVMValueRef cpu_load_slot(struct cpu_emitter *e, LLVMValueRef v_args, unsigned slot,
                           LLVMTypeRef type)
{
    return l_load(e, type, l_offset(e, v_args, l_i64(e, (uint64_t)slot * 8)), 8);
}

LLVMValueRef cpu_steps_value(struct cpu_run *r, struct gruc_steps steps)
{
    if (steps.symbol < 0)
        return l_i64(r->e, steps.factor);
    return l_mul(r->e, r->v_steps[steps.symbol], l_i64(r->e, steps.factor));
}

static const struct gruc_port *port_of(const struct cpu_run *r, const struct gruc_buffer *buffer)
{
    const struct gruc_ir *ir = r->e->ir;
    return buffer->storage == GRUC_STORE_INPUT ? &ir->inputs[buffer->port]
                                               : &ir->outputs[buffer->port];
}

static int is_sequence_port(const struct cpu_run *r, const struct gruc_port *port)
{
    return (r->e->ir->values[port->value].type.axes & GRUC_AXIS_STEPS) != 0;
}

void cpu_port_strides(struct cpu_run *r, const struct gruc_buffer *buffer, uint32_t step,
                      LLVMValueRef *v_row, LLVMValueRef *v_step)
{
    struct cpu_emitter *e = r->e;
    const struct gruc_port *port = port_of(r, buffer);
    uint64_t bytes = cpu_dtype_bytes(buffer->dtype);
    LLVMValueRef v_numbers = l_i64(e, buffer->width * bytes);
    *v_step = l_i64(e, step * bytes);
    if (!is_sequence_port(r, port)) {
        *v_row = v_numbers;
    } else if (port->time_major) {
        *v_row = v_numbers;
        *v_step = l_mul(e, r->v_batch, v_numbers);
    } else {
        *v_row = l_mul(e, cpu_steps_value(r, buffer->steps), v_numbers);
    }
}

/* Rounds up to the alignment of buffers. */
static LLVMValueRef round_up(struct cpu_emitter *e, LLVMValueRef v)
{
    v = l_add(e, v, l_i64(e, GRUC_ABI_ALIGNMENT - 1));
    return l_once(
        LLVMBuildAnd(e->builder, v, l_i64(e, ~(uint64_t)(GRUC_ABI_ALIGNMENT - 1)), ""));
}

static LLVMValueRef tile_bytes(struct cpu_run *r, const struct gruc_buffer *buffer)
{
    uint64_t row = buffer->stride * (uint64_t)cpu_dtype_bytes(buffer->dtype);
    LLVMValueRef v_bytes = l_mul(r->e, r->v_tile_rows, l_i64(r->e, row));
    return buffer->tiles == 1 ? v_bytes : round_up(r->e, v_bytes);
}

static LLVMValueRef buffer_bytes(struct cpu_run *r, const struct gruc_buffer *buffer)
{
    struct cpu_emitter *e = r->e;
    uint64_t bytes = cpu_dtype_bytes(buffer->dtype), row = buffer->stride * bytes;
    if (buffer->storage == GRUC_STORE_TILE && buffer->tiles == 1)
        return tile_bytes(r, buffer);
    if (buffer->storage == GRUC_STORE_TILE) {
        LLVMValueRef v_more = l_mul(e, r->v_apart, l_i64(e, buffer->tiles - 1));
        return l_mul(e, tile_bytes(r, buffer), l_add(e, v_more, l_i64(e, 1)));
    }
    if (buffer->storage == GRUC_STORE_SEQUENCE)
        return l_mul(e, r->v_rows, l_mul(e, cpu_steps_value(r, buffer->steps),
                                         l_i64(e, buffer->width * bytes)));
    return l_mul(e, r->v_rows, l_i64(e, row));
}

static void place_port(struct cpu_run *r, const struct gruc_buffer *buffer, LLVMValueRef *v_base)
{
    struct cpu_emitter *e = r->e;
    unsigned slot = CPU_SLOT_STEPS + (unsigned)e->ir->n_symbols + buffer->port;
    if (buffer->storage == GRUC_STORE_OUTPUT)
        slot += (unsigned)e->ir->n_inputs;
    LLVMValueRef v_row, v_step;
    cpu_port_strides(r, buffer, buffer->width, &v_row, &v_step);
    *v_base = l_offset(e, cpu_load_slot(e, r->v_args, slot, e->t_ptr),
                       l_mul(e, r->v_first, v_row));
}

void cpu_place_buffers(struct cpu_run *r, LLVMValueRef v_workspace)
{
    struct cpu_emitter *e = r->e;
    uint64_t gap = e->info->unit_threads > 1 ? CPU_BUFFER_GAP : 0;
    for (size_t i = 0; i < e->schedule->n_buffers; i++) {
        const struct gruc_buffer *buffer = &e->schedule->buffers[i];
        if (buffer->storage == GRUC_STORE_INPUT || buffer->storage == GRUC_STORE_OUTPUT) {
            place_port(r, buffer, &r->v_base[i]);
            continue;
        }
        LLVMValueRef v_bytes = l_add(e, round_up(e, buffer_bytes(r, buffer)), l_i64(e, gap));
        r->v_base[i] = v_workspace;
        v_workspace = l_offset(e, v_workspace, v_bytes);
        if (buffer->storage != GRUC_STORE_CARRY)
            continue;
        r->v_current[i] = LLVMBuildAlloca(e->builder, e->t_ptr, "current");
        r->v_next[i] = LLVMBuildAlloca(e->builder, e->t_ptr, "next");
        l_store(e, r->v_base[i], r->v_current[i], 8);
        l_store(e, v_workspace, r->v_next[i], 8);
        v_workspace = l_offset(e, v_workspace, v_bytes);
    }
}

/* Address of step s of a sequence of n, from its end when reversed. */
static LLVMValueRef at_step(struct cpu_emitter *e, const struct gruc_view *view,
                            LLVMValueRef v_base, LLVMValueRef v_step, LLVMValueRef v_s,
                            LLVMValueRef v_total)
{
    if (view->reversed) {
        LLVMValueRef v_last = LLVMBuildSub(e->builder, v_total, l_i64(e, 1), "");
        v_s = LLVMBuildSub(e->builder, v_last, v_s, "");
    }
    return l_offset(e, v_base, l_mul(e, v_s, v_step));
}

static void locate_sequence(struct cpu_run *r, const struct gruc_view *view,
                            const struct cpu_position *at, LLVMValueRef *v_base,
                            LLVMValueRef *v_stride)
{
    struct cpu_emitter *e = r->e;
    const struct gruc_buffer *buffer = &e->schedule->buffers[view->buffer];
    uint64_t bytes = cpu_dtype_bytes(buffer->dtype);
    LLVMValueRef v_row, v_step = l_i64(e, view->step * bytes);
    if (buffer->storage == GRUC_STORE_INPUT || buffer->storage == GRUC_STORE_OUTPUT)
        cpu_port_strides(r, buffer, view->step, &v_row, &v_step);
    else if (buffer->storage == GRUC_STORE_SEQUENCE)
        v_row = l_mul(e, cpu_steps_value(r, buffer->steps), l_i64(e, buffer->width * bytes));
    else
        v_row = l_i64(e, buffer->stride * bytes);
    *v_stride = v_row;
    if (at->way == CPU_ONCE || !view->stepped) {
        if (at->way == CPU_TILE_OF_ONE)
            *v_stride = l_i64(e, 0);
        return;
    }
    LLVMValueRef v_s = at->v_tile_first;
    if (at->way == CPU_STEP)
        v_s = l_add(e, v_s, at->v_local);
    *v_base = at_step(e, view, *v_base, v_step, v_s, at->v_total);
    if (at->way == CPU_TILE_OF_ONE)
        *v_stride = view->reversed ? LLVMBuildNeg(e->builder, v_step, "") : v_step;
}

LLVMValueRef cpu_step_bytes(struct cpu_run *r, const struct gruc_view *view)
{
    struct cpu_emitter *e = r->e;
    const struct gruc_buffer *buffer = &e->schedule->buffers[view->buffer];
    uint64_t bytes = cpu_dtype_bytes(buffer->dtype);
    LLVMValueRef v_row, v_step = l_i64(e, view->step * bytes);
    if (buffer->storage == GRUC_STORE_TILE)
        return l_mul(e, r->v_rows, l_i64(e, buffer->stride * bytes));
    if (!view->stepped)
        return NULL;
    if (buffer->storage == GRUC_STORE_INPUT || buffer->storage == GRUC_STORE_OUTPUT)
        cpu_port_strides(r, buffer, view->step, &v_row, &v_step);
    return view->reversed ? LLVMBuildNeg(e->builder, v_step, "") : v_step;
}

/* What the function knows of a view or a piece because it was told; NULL: it was not. */
static const struct cpu_place *find_place(const struct cpu_run *r, const void *what)
{
    for (size_t i = 0; i < r->n_places; i++)
        if (r->places[i].what == what)
            return &r->places[i];
    return NULL;
}

void cpu_locate(struct cpu_run *r, const struct gruc_view *view, const struct cpu_position *at,
                LLVMValueRef *v_base, LLVMValueRef *v_stride)
{
    struct cpu_emitter *e = r->e;
    const struct cpu_place *place = find_place(r, view);
    if (place != NULL) {
        *v_base = place->v_base;
        *v_stride = place->v_stride;
        if (place->v_step != NULL)
            *v_base = l_offset(e, *v_base, l_mul(e, at->v_local, place->v_step));
        return;
    }
    const struct gruc_buffer *buffer = &e->schedule->buffers[view->buffer];
    uint64_t bytes = cpu_dtype_bytes(buffer->dtype);
    *v_base = r->v_base[view->buffer];
    if (buffer->storage == GRUC_STORE_CARRY) {
        LLVMValueRef *v_kept = view->next ? r->v_next : r->v_current;
        *v_base = l_load(e, e->t_ptr, v_kept[view->buffer], 8);
    }
    *v_base = l_offset(e, *v_base, l_i64(e, view->column * bytes));
    if (buffer->storage != GRUC_STORE_TILE) {
        locate_sequence(r, view, at, v_base, v_stride);
        return;
    }
    *v_stride = l_i64(e, buffer->stride * bytes);
    if (buffer->tiles > 1 && at->v_tile != NULL) {
        LLVMValueRef v_kept =
            l_once(LLVMBuildURem(e->builder, at->v_tile, l_i64(e, buffer->tiles), ""));
        v_kept = l_mul(e, v_kept, r->v_apart);
        *v_base = l_offset(e, *v_base, l_mul(e, v_kept, tile_bytes(r, buffer)));
    }
    if (at->way == CPU_STEP) {
        LLVMValueRef v_row = l_mul(e, at->v_local, r->v_rows);
        *v_base = l_offset(e, *v_base, l_mul(e, v_row, *v_stride));
    }
}

static LLVMValueRef piece_offset(struct cpu_run *r, const struct cpu_stage_piece *piece)
{
    const struct cpu_place *place = find_place(r, piece);
    return place != NULL ? place->v_base : l_i64(r->e, piece->offset);
}

void cpu_call_stage(struct cpu_run *r, const struct cpu_stage *s, const struct cpu_position *at,
                    LLVMValueRef v_rows)
{
    struct cpu_emitter *e = r->e;
    LLVMValueRef v_turned = r->v_turned != NULL ? r->v_turned : at->v_turned;
    if (v_turned == NULL)
        v_turned = at->way != CPU_STEP ? LLVMConstInt(e->t_i1, 0, 0)
                                       : LLVMBuildTrunc(e->builder,
                                                        l_add(e, at->v_tile_first, at->v_local),
                                                        e->t_i1, "turned");
    LLVMValueRef arguments[CPU_STAGE_PARAMETERS] = {e->v_weights, v_rows, v_turned};
    LLVMValueRef v_strides[CPU_MAX_EDGES];
    unsigned count = CPU_STAGE_PIECES;
    for (size_t i = 0; i < s->n_pieces; i++)
        arguments[count++] = piece_offset(r, &s->pieces[i]);
    for (size_t i = 0; i < s->n_edges; i++)
        cpu_locate(r, s->edges[i].view, at, &arguments[count++], &v_strides[i]);
    if (s->is_listed)
        arguments[count++] = at->v_list;
    if (e->info->unit_threads > 1) {
        arguments[count++] = at->is_alone ? l_i64(e, 0) : r->v_share;
        arguments[count++] = at->is_alone ? l_i64(e, 1) : r->v_shares;
    }
    for (size_t i = 0; i < s->n_edges; i++)
        if (s->edges[i].has_stride)
            arguments[count++] = v_strides[i];
    if (s->beside != NULL && at->beside != NULL)
        count += cpu_beside_arguments(at->beside, &arguments[count]);
    LLVMValueRef v_begin = cpu_profile_begin(r);
    if (s->function != NULL) {
        LLVMBuildCall2(e->builder, s->type, s->function, arguments, count, "");
    } else {
        struct cpu_stage here = *s;
        here.has_many = r->has_many;
        here.beside = at->beside != NULL ? s->beside : NULL;
        cpu_emit_stage_here(e, &here, arguments);
    }
    cpu_profile_end(r, s->stage, v_begin, v_rows);
}

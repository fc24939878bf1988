/* SPDX-License-Identifier: MIT */
/* Reductions over the units of a row. Sixteen lanes take the units in turn and are joined by halves
 * on every target, so the sum's order never depends on the vector width. */
#include "codegen/cpu/emitter.h"

enum { LANES = 16 };

struct reduction {
    struct cpu_emitter *e;
    const struct cpu_edge *edge;
    unsigned lanes, vectors; /* of a register; registers that make sixteen lanes */
    LLVMTypeRef element;
    LLVMValueRef (*join)(struct reduction *r, LLVMValueRef a, LLVMValueRef b);
    double identity, absent; /* of joining; of a lane without a unit */
    LLVMValueRef v_row;      /* address of the row */
};

static LLVMValueRef join_sum(struct reduction *r, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildFAdd(r->e->builder, a, b, "");
}

static LLVMValueRef join_max(struct reduction *r, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef larger = LLVMBuildFCmp(r->e->builder, LLVMRealOGT, a, b, "");
    return LLVMBuildSelect(r->e->builder, larger, a, b, "");
}

static LLVMValueRef join_any(struct reduction *r, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildOr(r->e->builder, a, b, "");
}

static LLVMValueRef all_lanes(struct reduction *r, double number)
{
    LLVMValueRef v = r->element == r->e->t_float ? LLVMConstReal(r->element, number)
                                                 : LLVMConstInt(r->element, 0, 0);
    return l_splat(r->e, v, r->lanes);
}

/* Vector number vector of the sixteen units from v_unit on, of which count exist. */
static LLVMValueRef load_units(struct reduction *r, LLVMValueRef v_unit, unsigned vector,
                               unsigned count)
{
    struct cpu_emitter *e = r->e;
    unsigned bytes = cpu_dtype_bytes(r->edge->dtype);
    LLVMTypeRef type = l_vector(r->element, r->lanes);
    LLVMValueRef v_first = l_add(e, v_unit, l_i64(e, (uint64_t)vector * r->lanes));
    LLVMValueRef address = l_offset(e, r->v_row, l_mul(e, v_first, l_i64(e, bytes)));
    unsigned first = vector * r->lanes, valid = count <= first ? 0 : count - first;
    if (valid >= r->lanes)
        return l_load(e, type, address, bytes);
    LLVMValueRef v = all_lanes(r, r->absent);
    for (unsigned i = 0; i < valid; i++) {
        LLVMValueRef at = l_offset(e, address, l_i64(e, (uint64_t)i * bytes));
        LLVMValueRef one = l_load(e, r->element, at, bytes);
        v = LLVMBuildInsertElement(e->builder, v, one, LLVMConstInt(e->t_i32, i, 0), "");
    }
    return v;
}

/* Sixteen lanes to one: lane i takes lane i + 8, then + 4, + 2, + 1. */
static LLVMValueRef fold(struct reduction *r, LLVMValueRef *v)
{
    struct cpu_emitter *e = r->e;
    unsigned vectors = r->vectors, half = LANES / 2;
    for (; vectors > 1; vectors /= 2, half /= 2)
        for (unsigned i = 0; i < vectors / 2; i++)
            v[i] = r->join(r, v[i], v[i + vectors / 2]);
    for (; half >= 1; half /= 2) {
        LLVMValueRef order[LANES];
        for (unsigned i = 0; i < r->lanes; i++)
            order[i] = LLVMConstInt(e->t_i32, i < half ? i + half : i, 0);
        LLVMValueRef moved = LLVMBuildShuffleVector(
            e->builder, v[0], LLVMGetPoison(LLVMTypeOf(v[0])), LLVMConstVector(order, r->lanes),
            "");
        v[0] = r->join(r, v[0], moved);
    }
    return LLVMBuildExtractElement(e->builder, v[0], LLVMConstInt(e->t_i32, 0, 0), "");
}

/* Reduces the row's units, each first passed through keep (NULL: as it is). */
static LLVMValueRef reduce(struct reduction *r,
                           LLVMValueRef (*keep)(struct reduction *r, LLVMValueRef v, void *context),
                           void *context)
{
    struct cpu_emitter *e = r->e;
    unsigned width = r->edge->width, whole = width / LANES * LANES;
    LLVMValueRef v_sum[LANES], v_phi[LANES];
    LLVMTypeRef type = l_vector(r->element, r->lanes);
    for (unsigned i = 0; i < r->vectors; i++)
        v_sum[i] = all_lanes(r, r->identity);
    if (whole > 0) {
        LLVMBasicBlockRef b_before = LLVMGetInsertBlock(e->builder), b_loop = l_block(e, "units");
        LLVMBuildBr(e->builder, b_loop);
        LLVMPositionBuilderAtEnd(e->builder, b_loop);
        LLVMValueRef v_unit = LLVMBuildPhi(e->builder, e->t_i64, ""), v_zero = l_i64(e, 0);
        LLVMAddIncoming(v_unit, &v_zero, &b_before, 1);
        for (unsigned i = 0; i < r->vectors; i++) {
            v_phi[i] = LLVMBuildPhi(e->builder, type, "");
            LLVMAddIncoming(v_phi[i], &v_sum[i], &b_before, 1);
        }
        for (unsigned i = 0; i < r->vectors; i++) {
            LLVMValueRef v = load_units(r, v_unit, i, LANES);
            v_sum[i] = r->join(r, v_phi[i], keep == NULL ? v : keep(r, v, context));
        }
        LLVMValueRef v_next = l_add(e, v_unit, l_i64(e, LANES));
        LLVMAddIncoming(v_unit, &v_next, &b_loop, 1);
        for (unsigned i = 0; i < r->vectors; i++)
            LLVMAddIncoming(v_phi[i], &v_sum[i], &b_loop, 1);
        LLVMBasicBlockRef b_after = l_block(e, "after");
        LLVMValueRef more = LLVMBuildICmp(e->builder, LLVMIntULT, v_next, l_i64(e, whole), "");
        LLVMBuildCondBr(e->builder, more, b_loop, b_after);
        LLVMPositionBuilderAtEnd(e->builder, b_after);
    }
    for (unsigned i = 0; whole < width && i < r->vectors; i++) {
        LLVMValueRef v = load_units(r, l_i64(e, whole), i, width - whole);
        v_sum[i] = r->join(r, v_sum[i], keep == NULL ? v : keep(r, v, context));
    }
    return fold(r, v_sum);
}

/* ---- sparsemax ---- */

static LLVMValueRef above(struct reduction *r, LLVMValueRef v, LLVMValueRef v_tau)
{
    return LLVMBuildFCmp(r->e->builder, LLVMRealOGT, v, l_splat(r->e, v_tau, r->lanes), "");
}

static LLVMValueRef keep_above(struct reduction *r, LLVMValueRef v, void *v_tau)
{
    return LLVMBuildSelect(r->e->builder, above(r, v, v_tau), v, all_lanes(r, r->identity), "");
}

static LLVMValueRef count_above(struct reduction *r, LLVMValueRef v, void *v_tau)
{
    LLVMValueRef one = l_splat(r->e, LLVMConstReal(r->e->t_float, 1.0), r->lanes);
    return LLVMBuildSelect(r->e->builder, above(r, v, v_tau), one, all_lanes(r, r->identity), "");
}

/* tau = (sum of the support - 1) / its size; starting from all units, the support shrinks to those
 * above tau until it no longer does (Michelot 1986). */
static LLVMValueRef sparsemax_threshold(struct reduction *r)
{
    struct cpu_emitter *e = r->e;
    LLVMBasicBlockRef b_before = LLVMGetInsertBlock(e->builder), b_loop = l_block(e, "support");
    LLVMBuildBr(e->builder, b_loop);
    LLVMPositionBuilderAtEnd(e->builder, b_loop);
    LLVMValueRef v_tau = LLVMBuildPhi(e->builder, e->t_float, "");
    LLVMValueRef v_count = LLVMBuildPhi(e->builder, e->t_float, "");
    LLVMValueRef v_all = LLVMConstReal(e->t_float, -__builtin_inf());
    LLVMValueRef v_none = LLVMConstReal(e->t_float, -1.0);
    LLVMAddIncoming(v_tau, &v_all, &b_before, 1);
    LLVMAddIncoming(v_count, &v_none, &b_before, 1);
    LLVMValueRef v_sum = reduce(r, keep_above, v_tau);
    LLVMValueRef v_now = reduce(r, count_above, v_tau);
    LLVMValueRef v_excess =
        LLVMBuildFSub(e->builder, v_sum, LLVMConstReal(e->t_float, 1.0), "");
    LLVMValueRef v_next = LLVMBuildFDiv(e->builder, v_excess, v_now, "");
    LLVMBasicBlockRef b_last = LLVMGetInsertBlock(e->builder), b_done = l_block(e, "done");
    LLVMAddIncoming(v_tau, &v_next, &b_last, 1);
    LLVMAddIncoming(v_count, &v_now, &b_last, 1);
    LLVMValueRef v_same = LLVMBuildFCmp(e->builder, LLVMRealOEQ, v_now, v_count, "");
    LLVMBuildCondBr(e->builder, v_same, b_done, b_loop);
    LLVMPositionBuilderAtEnd(e->builder, b_done);
    return v_next;
}

void cpu_emit_reduce(struct cpu_emitter *e, struct cpu_stage *s)
{
    enum gruc_opcode code = e->ir->ops[s->stage->ops[0]].code;
    const struct cpu_edge *edge = &s->edges[0];
    struct reduction r = {
        .e = e, .edge = edge, .lanes = e->target->lanes, .vectors = LANES / e->target->lanes,
        .element = cpu_memory_type(e, edge->dtype), .join = join_sum, .identity = -0.0,
        .absent = -0.0};
    if (code == GRUC_OP_REDUCE_MAX) {
        r.join = join_max;
        r.identity = r.absent = -__builtin_inf();
    } else if (code == GRUC_OP_REDUCE_ANY) {
        r.join = join_any;
    } else if (code == GRUC_OP_SPARSEMAX_THRESHOLD) {
        r.absent = -__builtin_inf(); /* above no threshold */
    }
    struct l_loop loop = cpu_stage_rows_begin(e, s);
    LLVMValueRef v_row = cpu_stage_row(e, s, loop.v_index);
    r.v_row = l_offset(e, edge->v_base, l_mul(e, v_row, edge->v_stride));
    LLVMValueRef v = code == GRUC_OP_SPARSEMAX_THRESHOLD ? sparsemax_threshold(&r)
                                                         : reduce(&r, NULL, NULL);
    for (size_t i = 1; i < s->n_edges; i++)
        l_store(e, v,
                l_offset(e, s->edges[i].v_base, l_mul(e, v_row, s->edges[i].v_stride)),
                cpu_dtype_bytes(s->edges[i].dtype));
    l_loop_end(e, &loop);
}

/* SPDX-License-Identifier: MIT */
/* Products of a block: sums over k held in registers, weights streamed in the order they are used.
 * The order of each sum is that of gruc_sum_ranges, whatever the block. */
#include "codegen/cpu/weights.h"

enum { MAX_SUMS = 96, UNROLL = 4, STRAIGHT_DEPTH = 4 };

struct sums {
    struct cpu_emitter *e;
    struct cpu_block *block;
    const struct gruc_product *product;
    const struct cpu_packed *packed;
    LLVMValueRef v_weights;              /* of the block's first vector */
    LLVMValueRef v_left[CPU_MAX_ROWS];   /* left operand of each row */
    LLVMValueRef v_sum[MAX_SUMS];        /* [range][row][vector][gate] */
    unsigned first_range, n_ranges;      /* accumulated at once */
};

static LLVMValueRef *sum_at(struct sums *s, unsigned range, unsigned row, unsigned vector,
                            unsigned gate)
{
    unsigned index = (range * s->block->n_rows + row) * s->block->n_vectors + vector;
    return &s->v_sum[index * (unsigned)s->product->n_ops + gate];
}

static unsigned sum_count(const struct sums *s)
{
    return s->n_ranges * s->block->n_rows * s->block->n_vectors * (unsigned)s->product->n_ops;
}

static LLVMValueRef multiply_add(struct sums *s, LLVMValueRef x, LLVMValueRef w, LLVMValueRef sum)
{
    struct cpu_emitter *e = s->e;
    LLVMTypeRef type = l_vector(e->t_float, s->block->lanes);
    LLVMValueRef operands[3] = {x, w, sum};
    if (e->target->has_fma)
        return l_intrinsic(e, "llvm.fma", type, operands, 3);
    return LLVMBuildFAdd(e->builder, LLVMBuildFMul(e->builder, x, w, ""), sum, "");
}

/* Adds the products at k of one range. */
static void add_products(struct sums *s, unsigned range, LLVMValueRef v_k)
{
    struct cpu_emitter *e = s->e;
    unsigned lanes = s->block->lanes, gates = (unsigned)s->product->n_ops;
    LLVMValueRef v_x[CPU_MAX_ROWS];
    for (unsigned row = 0; row < s->block->n_rows; row++) {
        LLVMValueRef address = l_offset(e, s->v_left[row], l_mul(e, v_k, l_i64(e, 4)));
        v_x[row] = l_splat(e, l_load(e, e->t_float, address, 4), lanes);
    }
    for (unsigned gate = 0; gate < gates; gate++)
        for (unsigned vector = 0; vector < s->block->n_vectors; vector++) {
            LLVMValueRef w = cpu_load_weights(e, s->packed, s->v_weights, vector, gate, v_k);
            for (unsigned row = 0; row < s->block->n_rows; row++) {
                LLVMValueRef *sum = sum_at(s, range, row, vector, gate);
                *sum = multiply_add(s, v_x[row], w, *sum);
            }
        }
}

/* Step i of every range that is accumulated at once and has that many. */
static void add_step(struct sums *s, LLVMValueRef v_i, uint32_t known_i)
{
    uint32_t depth = s->product->depth;
    for (unsigned range = 0; range < s->n_ranges; range++) {
        uint32_t begin = gruc_sum_range_begin(depth, s->first_range + range);
        uint32_t end = gruc_sum_range_begin(depth, s->first_range + range + 1);
        if (known_i != UINT32_MAX && known_i >= end - begin)
            continue;
        add_products(s, range, l_add(s->e, v_i, l_i64(s->e, begin)));
    }
}

static void accumulate(struct sums *s)
{
    struct cpu_emitter *e = s->e;
    uint32_t depth = s->product->depth, shortest = UINT32_MAX, longest = 0;
    for (unsigned range = 0; range < s->n_ranges; range++) {
        uint32_t length = gruc_sum_range_begin(depth, s->first_range + range + 1) -
                          gruc_sum_range_begin(depth, s->first_range + range);
        shortest = length < shortest ? length : shortest;
        longest = length > longest ? length : longest;
    }
    uint32_t looped = shortest <= STRAIGHT_DEPTH ? 0 : shortest / UNROLL * UNROLL;
    if (looped > 0) {
        unsigned count = sum_count(s);
        LLVMValueRef v_phi[MAX_SUMS], v_index;
        LLVMTypeRef type = l_vector(e->t_float, s->block->lanes);
        LLVMBasicBlockRef b_before = LLVMGetInsertBlock(e->builder), b_loop = l_block(e, "k");
        LLVMBuildBr(e->builder, b_loop);
        LLVMPositionBuilderAtEnd(e->builder, b_loop);
        LLVMValueRef v_zero = l_i64(e, 0);
        v_index = LLVMBuildPhi(e->builder, e->t_i64, "");
        LLVMAddIncoming(v_index, &v_zero, &b_before, 1);
        for (unsigned i = 0; i < count; i++) {
            v_phi[i] = LLVMBuildPhi(e->builder, type, "");
            LLVMAddIncoming(v_phi[i], &s->v_sum[i], &b_before, 1);
            s->v_sum[i] = v_phi[i];
        }
        for (unsigned u = 0; u < UNROLL; u++)
            add_step(s, l_add(e, v_index, l_i64(e, u)), UINT32_MAX);
        LLVMValueRef v_next = l_add(e, v_index, l_i64(e, UNROLL));
        LLVMAddIncoming(v_index, &v_next, &b_loop, 1);
        for (unsigned i = 0; i < count; i++)
            LLVMAddIncoming(v_phi[i], &s->v_sum[i], &b_loop, 1);
        LLVMBasicBlockRef b_after = l_block(e, "after");
        LLVMValueRef v_more =
            LLVMBuildICmp(e->builder, LLVMIntULT, v_next, l_i64(e, looped), "");
        LLVMBuildCondBr(e->builder, v_more, b_loop, b_after);
        LLVMPositionBuilderAtEnd(e->builder, b_after);
    }
    for (uint32_t i = looped; i < longest; i++)
        add_step(s, l_i64(e, i), i);
}

/* Sums start from the bias in the first range, from zero in the others. */
static void start(struct sums *s)
{
    struct cpu_emitter *e = s->e;
    unsigned lanes = s->block->lanes;
    LLVMValueRef v_zero = LLVMConstNull(l_vector(e->t_float, lanes));
    for (unsigned range = 0; range < s->n_ranges; range++)
        for (unsigned row = 0; row < s->block->n_rows; row++)
            for (unsigned vector = 0; vector < s->block->n_vectors; vector++)
                for (unsigned gate = 0; gate < s->product->n_ops; gate++) {
                    LLVMValueRef v_unit =
                        l_add(e, s->block->v_unit, l_i64(e, (uint64_t)vector * lanes));
                    *sum_at(s, range, row, vector, gate) =
                        s->first_range + range == 0 ? cpu_load_bias(e, s->packed, gate, v_unit)
                                                    : v_zero;
                }
}

/* Adds the sums of the ranges just accumulated to the matmul operations' values. */
static void join(struct sums *s)
{
    struct cpu_emitter *e = s->e;
    for (unsigned range = 0; range < s->n_ranges; range++)
        for (unsigned row = 0; row < s->block->n_rows; row++)
            for (unsigned vector = 0; vector < s->block->n_vectors; vector++)
                for (unsigned gate = 0; gate < s->product->n_ops; gate++) {
                    gruc_ref value = e->ir->ops[s->product->ops[gate]].results[0];
                    size_t index = ((size_t)e->local[value] * s->block->n_rows + row) *
                                       s->block->n_vectors + vector;
                    LLVMValueRef *slot = &s->block->values[index];
                    LLVMValueRef sum = *sum_at(s, range, row, vector, gate);
                    *slot = s->first_range + range == 0
                                ? sum
                                : LLVMBuildFAdd(e->builder, *slot, sum, "");
                }
}

void cpu_emit_product(struct cpu_emitter *e, struct cpu_block *block, size_t product,
                      const struct cpu_packed *packed)
{
    struct sums s = {.e = e, .block = block, .product = packed->product, .packed = packed};
    const struct cpu_edge *edge = &block->stage->edges[product];
    unsigned ranges = gruc_sum_ranges(s.product->depth), gates = (unsigned)s.product->n_ops;
    s.v_weights = cpu_weights_address(e, packed, block->v_unit);
    for (unsigned row = 0; row < block->n_rows; row++)
        s.v_left[row] = l_offset(e, edge->v_base, l_mul(e, block->v_rows[row], edge->v_stride));
    unsigned each = block->n_rows * block->n_vectors * gates;
    if (each > MAX_SUMS) {
        e->failed = 1;
        return;
    }
    /* All ranges at once are independent chains for one row; else one after the other. */
    int at_once = ranges * each <= e->target->registers - 4;
    for (unsigned first = 0; first < ranges; first += s.n_ranges) {
        s.first_range = first;
        s.n_ranges = at_once ? ranges : 1;
        start(&s);
        accumulate(&s);
        join(&s);
    }
}

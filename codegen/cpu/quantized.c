/* SPDX-License-Identifier: MIT */
#include "codegen/cpu/quantized.h"

#include <math.h>
#include <string.h>

enum {
    MAX_SUMS = 96,
    MOST_UNROLL = 4,
    ROUND_PRODUCTS = 24, /* a round's overhead is hidden by so many */
    LEAST_CHAINS = 8,
    GROUP_BYTES = 4, /* of a plane of a row */
};

unsigned cpu_quantized_group(const struct cpu_target *target)
{
    return target->dot == CPU_DOT_UNSIGNED || target->dot == CPU_DOT_SIGNED ? 4 : 2;
}

unsigned cpu_quantized_planes(const struct cpu_target *target, enum gruc_weights weights)
{
    return weights == GRUC_WEIGHTS_INT8 && cpu_quantized_group(target) == 4 ? 2 : 1;
}

uint32_t cpu_quantized_offset(enum gruc_weights weights)
{
    return weights == GRUC_WEIGHTS_INT8 ? 0x8080 : 0x80;
}

uint64_t cpu_quantized_plane(uint32_t depth)
{
    return (gruc_quantized_width(GRUC_WEIGHTS_INT8, depth) - 1) * sizeof(int32_t) / 2;
}

/* ---- packing ---- */

static uint32_t groups_of(const struct cpu_packed *packed)
{
    return (packed->product->depth + packed->group - 1) / packed->group;
}

/* Bytes of one gate's weights at one group of k, for a vector of units; a byte for each k. */
static uint64_t gate_bytes(const struct cpu_packed *packed)
{
    return (uint64_t)packed->lanes * packed->group;
}

static uint64_t vector_bytes(const struct cpu_packed *packed)
{
    return gate_bytes(packed) * packed->product->n_ops * groups_of(packed);
}

/* The largest absolute value of each column, in float32. */
static void find_largest(struct cpu_emitter *e, const struct cpu_packed *packed, gruc_ref param,
                         float *out)
{
    for (size_t k = 0; k < packed->product->depth; k++) {
        const float *row = cpu_weight_rows(e, param, k, 1);
        for (size_t unit = 0; row != NULL && unit < packed->width; unit++)
            out[unit] = fmaxf(out[unit], fabsf(row[unit]));
    }
}

/* One gate's weights as integers, given the largest of each column; the sum of each column. */
static void pack_gate(struct cpu_emitter *e, const struct cpu_packed *packed, size_t gate,
                      const float *largest, uint32_t *sum, unsigned char *to)
{
    gruc_ref param = e->ir->ops[packed->product->ops[gate]].operands[1];
    size_t lanes = packed->lanes, group = packed->group, gates = packed->product->n_ops;
    for (size_t k = 0; k < packed->product->depth; k++) {
        const float *row = cpu_weight_rows(e, param, k, 1);
        unsigned char *out = to + (k / group * gates + gate) * gate_bytes(packed) + k % group;
        for (size_t unit = 0; row != NULL && unit < packed->width; unit++) {
            double ratio = largest[unit] > 0 ? (double)row[unit] / (double)largest[unit] : 0;
            int8_t number = (int8_t)nearbyint(ratio * GRUC_INT8_LARGEST);
            memcpy(out + unit / lanes * vector_bytes(packed) + unit % lanes * group, &number, 1);
            sum[unit] += (uint32_t)number;
        }
    }
}

void cpu_pack_quantized(struct cpu_emitter *e, struct cpu_packed *packed)
{
    size_t vectors = ((size_t)packed->width + packed->lanes - 1) / packed->lanes, bytes;
    size_t column_bytes = (vectors * packed->lanes * sizeof(float) + CPU_BLOB_ALIGNMENT - 1) /
                          CPU_BLOB_ALIGNMENT * CPU_BLOB_ALIGNMENT;
    uint32_t added = cpu_quantized_offset(packed->product->weights);
    packed->group = cpu_quantized_group(e->target);
    if (__builtin_mul_overflow(vectors, vector_bytes(packed), &bytes)) {
        e->failed = 1;
        return;
    }
    size_t numbers = (bytes + CPU_BLOB_ALIGNMENT - 1) / CPU_BLOB_ALIGNMENT * CPU_BLOB_ALIGNMENT;
    size_t offset =
        cpu_blob_reserve(&e->blob, numbers + 2 * packed->product->n_ops * column_bytes);
    if (e->blob.failed)
        return;
    unsigned char *to = e->blob.bytes + offset;
    for (size_t gate = 0; gate < packed->product->n_ops; gate++) {
        packed->scale[gate] = numbers + 2 * gate * column_bytes;
        packed->start[gate] = packed->scale[gate] + column_bytes;
        if (e->failed)
            return;
        gruc_ref param = e->ir->ops[packed->product->ops[gate]].operands[1];
        float *scale = (float *)(void *)(to + packed->scale[gate]);
        uint32_t *start = (uint32_t *)(void *)(to + packed->start[gate]);
        find_largest(e, packed, param, scale);
        pack_gate(e, packed, gate, scale, start, to);
        for (size_t unit = 0; unit < packed->width; unit++) {
            scale[unit] = (float)((double)scale[unit] / GRUC_INT8_LARGEST);
            start[unit] = e->target->dot == CPU_DOT_UNSIGNED ? 0u - added * start[unit] : 0;
        }
    }
}

/* ---- products ---- */

struct sums {
    struct cpu_emitter *e;
    struct cpu_block *block;
    const struct cpu_packed *packed;
    LLVMValueRef v_weights;            /* of the block's first vector */
    LLVMValueRef v_left[CPU_MAX_ROWS]; /* quantized row */
    LLVMValueRef v_sum[MAX_SUMS];      /* [chain][plane][gate][vector][row] */
    unsigned gates, planes, chains;
    unsigned each, count;              /* sums of a plane and of a chain */
};

static LLVMTypeRef integers(const struct sums *s)
{
    return l_vector(s->e->t_i32, s->block->lanes);
}

static LLVMValueRef call_sdot(struct sums *s, LLVMTypeRef bytes, LLVMValueRef *arguments)
{
    struct cpu_emitter *e = s->e;
    const char *name = "llvm.aarch64.neon.sdot";
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMTypeRef overloads[2] = {integers(s), bytes};
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->module, id, overloads, 2);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->context, id, overloads, 2);
    return LLVMBuildCall2(e->builder, type, function, arguments, 3, "");
}

/* Pairs of 16-bit integers in 32-bit lanes without an instruction for their dot product. */
static LLVMValueRef multiply_pairs(struct sums *s, LLVMValueRef a, LLVMValueRef b)
{
    LLVMBuilderRef builder = s->e->builder;
    LLVMValueRef v_16 = l_splat(s->e, LLVMConstInt(s->e->t_i32, 16, 0), s->block->lanes);
    LLVMValueRef upper = LLVMBuildMul(builder, LLVMBuildAShr(builder, a, v_16, ""),
                                      LLVMBuildAShr(builder, b, v_16, ""), "");
    a = LLVMBuildAShr(builder, LLVMBuildShl(builder, a, v_16, ""), v_16, "");
    b = LLVMBuildAShr(builder, LLVMBuildShl(builder, b, v_16, ""), v_16, "");
    return LLVMBuildAdd(builder, upper, LLVMBuildMul(builder, a, b, ""), "");
}

/* Pairs: the weights widen to 16 bits, which the row has. */
static LLVMValueRef add_pairs(struct sums *s, LLVMValueRef x, LLVMValueRef w, LLVMValueRef sum)
{
    struct cpu_emitter *e = s->e;
    LLVMValueRef v = NULL, operands[2] = {x, w};
    const char *name = cpu_dot_instruction(e->target->dot, s->block->lanes);
    if (name != NULL)
        v = l_instruction(e, name, operands, 2);
    if (v == NULL)
        v = multiply_pairs(s, x, LLVMBuildBitCast(e->builder, w, integers(s), ""));
    return LLVMBuildAdd(e->builder, sum, v, "");
}

/* sum plus the dot products of the lanes of a row, the same in each, and of weights. */
static LLVMValueRef add_dots(struct sums *s, LLVMValueRef x, LLVMValueRef w, LLVMValueRef sum)
{
    struct cpu_emitter *e = s->e;
    unsigned lanes = s->block->lanes;
    LLVMTypeRef bytes = l_vector(e->t_i8, 4 * lanes);
    if (e->target->dot == CPU_DOT_UNSIGNED) {
        LLVMValueRef operands[3] = {sum, x, w};
        return l_instruction(e, cpu_dot_instruction(CPU_DOT_UNSIGNED, lanes), operands, 3);
    }
    if (e->target->dot == CPU_DOT_SIGNED) {
        LLVMValueRef operands[3] = {sum, w, LLVMBuildBitCast(e->builder, x, bytes, "")};
        return call_sdot(s, bytes, operands);
    }
    return add_pairs(s, x, w, sum);
}

/* The weights of a group of k, which lie at v_weights for the block's first vector and gate. Few
 * registers have no room to keep them from one plane to the next: volatile are loads that LLVM does
 * not make one. */
static LLVMValueRef load_group(struct sums *s, unsigned vector, unsigned gate, unsigned plane,
                               LLVMValueRef v_weights)
{
    struct cpu_emitter *e = s->e;
    uint64_t fixed = vector * vector_bytes(s->packed) + gate * gate_bytes(s->packed);
    unsigned count = s->block->lanes * s->packed->group;
    LLVMValueRef v =
        l_load(e, l_vector(e->t_i8, count), l_offset(e, v_weights, l_i64(e, fixed)), 4);
    LLVMSetVolatile(v, plane > 0 && e->target->registers < 32);
    LLVMTypeRef pairs = l_vector(LLVMInt16TypeInContext(e->context), count);
    return s->packed->group == 2 ? LLVMBuildSExt(e->builder, v, pairs, "") : v;
}

/* Plane by plane: registers hold the rows of one at a time. v_left is the group's place in a row,
 * in bytes. */
static void add_group(struct sums *s, LLVMValueRef v_left, LLVMValueRef v_weights, unsigned chain)
{
    struct cpu_emitter *e = s->e;
    LLVMValueRef *sum = &s->v_sum[chain * s->count];
    for (unsigned plane = 0; plane < s->planes; plane++) {
        LLVMValueRef v_x[CPU_MAX_ROWS];
        uint64_t first = plane * cpu_quantized_plane(s->packed->product->depth);
        for (unsigned row = 0; row < s->block->n_rows; row++) {
            LLVMValueRef v_at = l_offset(e, s->v_left[row], l_add(e, v_left, l_i64(e, first)));
            v_x[row] = l_splat(e, l_load(e, e->t_i32, v_at, 4), s->block->lanes);
        }
        for (unsigned i = 0; i < s->gates * s->block->n_vectors; i++) {
            LLVMValueRef w = load_group(s, i % s->block->n_vectors, i / s->block->n_vectors, plane,
                                        v_weights);
            for (unsigned row = 0; row < s->block->n_rows; row++, sum++)
                *sum = add_dots(s, v_x[row], w, *sum);
        }
    }
}

/* Groups [first, first + count), v_left and v_weights being the place of the first. */
static void add_groups(struct sums *s, LLVMValueRef v_left, LLVMValueRef v_weights, uint32_t first,
                       uint32_t count)
{
    struct cpu_emitter *e = s->e;
    uint64_t bytes = gate_bytes(s->packed) * s->gates;
    for (uint32_t i = 0; i < count; i++)
        add_group(s, l_add(e, v_left, l_i64(e, i * (uint64_t)GROUP_BYTES)),
                  l_offset(e, v_weights, l_i64(e, i * bytes)), (first + i) % s->chains);
}

/* The first `groups` groups, `unroll` of them a round. */
static void accumulate_rounds(struct sums *s, uint32_t groups, unsigned unroll)
{
    struct cpu_emitter *e = s->e;
    unsigned count = s->count * s->chains;
    LLVMValueRef v_phi[MAX_SUMS], v_zero = l_i64(e, 0);
    LLVMBasicBlockRef b_before = LLVMGetInsertBlock(e->builder), b_loop = l_block(e, "k");
    LLVMBuildBr(e->builder, b_loop);
    LLVMPositionBuilderAtEnd(e->builder, b_loop);
    LLVMValueRef v_left = LLVMBuildPhi(e->builder, e->t_i64, "");
    LLVMValueRef v_weights = LLVMBuildPhi(e->builder, e->t_ptr, "");
    LLVMAddIncoming(v_left, &v_zero, &b_before, 1);
    LLVMAddIncoming(v_weights, &s->v_weights, &b_before, 1);
    for (unsigned i = 0; i < count; i++) {
        v_phi[i] = LLVMBuildPhi(e->builder, integers(s), "");
        LLVMAddIncoming(v_phi[i], &s->v_sum[i], &b_before, 1);
        s->v_sum[i] = v_phi[i];
    }
    add_groups(s, v_left, v_weights, 0, unroll);
    LLVMValueRef v_step = l_i64(e, (uint64_t)unroll * GROUP_BYTES);
    LLVMValueRef v_next = l_next(e, LLVMBuildNUWAdd(e->builder, v_left, v_step, ""));
    uint64_t bytes = unroll * gate_bytes(s->packed) * s->gates;
    LLVMValueRef v_next_weights = l_next(e, l_offset(e, v_weights, l_i64(e, bytes)));
    LLVMAddIncoming(v_left, &v_next, &b_loop, 1);
    LLVMAddIncoming(v_weights, &v_next_weights, &b_loop, 1);
    for (unsigned i = 0; i < count; i++)
        LLVMAddIncoming(v_phi[i], &s->v_sum[i], &b_loop, 1);
    LLVMBasicBlockRef b_after = l_block(e, "after");
    LLVMValueRef v_limit = l_i64(e, (uint64_t)groups * GROUP_BYTES);
    LLVMBuildCondBr(e->builder, LLVMBuildICmp(e->builder, LLVMIntULT, v_next, v_limit, ""), b_loop,
                    b_after);
    LLVMPositionBuilderAtEnd(e->builder, b_after);
}

static void accumulate(struct sums *s)
{
    struct cpu_emitter *e = s->e;
    unsigned unroll = MOST_UNROLL;
    while (unroll > s->chains && unroll * s->count > ROUND_PRODUCTS)
        unroll /= 2;
    uint32_t groups = groups_of(s->packed), looped = groups / unroll * unroll;
    if (looped > 0)
        accumulate_rounds(s, looped, unroll);
    uint64_t bytes = looped * gate_bytes(s->packed) * s->gates;
    add_groups(s, l_i64(e, (uint64_t)looped * GROUP_BYTES),
               l_offset(e, s->v_weights, l_i64(e, bytes)), looped, groups - looped);
}

/* Chains and planes to one sum each. */
static void join(struct sums *s)
{
    LLVMBuilderRef builder = s->e->builder;
    for (unsigned i = s->count; i < s->count * s->chains; i++)
        s->v_sum[i % s->count] = LLVMBuildAdd(builder, s->v_sum[i % s->count], s->v_sum[i], "");
    LLVMValueRef v_8 = l_splat(s->e, LLVMConstInt(s->e->t_i32, 8, 0), s->block->lanes);
    for (unsigned i = s->each; i < s->count; i++) {
        LLVMValueRef v_upper = LLVMBuildShl(builder, s->v_sum[i], v_8, "");
        s->v_sum[i - s->each] = LLVMBuildAdd(builder, s->v_sum[i - s->each], v_upper, "");
    }
}

static LLVMValueRef load_column(struct sums *s, size_t offset, LLVMTypeRef element,
                                unsigned vector)
{
    struct cpu_emitter *e = s->e;
    LLVMValueRef v_unit =
        l_add(e, s->block->v_unit, l_i64(e, (uint64_t)vector * s->block->lanes));
    LLVMValueRef v_offset = l_add(e, l_i64(e, offset), l_mul(e, v_unit, l_i64(e, 4)));
    v_offset = l_add(e, s->packed->v_piece, v_offset);
    return l_load(e, l_vector(element, s->block->lanes), l_offset(e, e->v_weights, v_offset), 4);
}

/* What the offset of unsigned numbers adds to a sum is taken off at its start. */
static void start(struct sums *s)
{
    for (unsigned i = 0; i < s->count * s->chains; i++) {
        unsigned column = i / s->block->n_rows, vector = column % s->block->n_vectors;
        unsigned gate = column / s->block->n_vectors % s->gates;
        s->v_sum[i] = i < s->each && s->e->target->dot == CPU_DOT_UNSIGNED
                          ? load_column(s, s->packed->start[gate], s->e->t_i32, vector)
                          : LLVMConstNull(integers(s));
    }
}

/* sum * (scale of the row * scale of the column) + bias, rounded after each operation. */
static void finish(struct sums *s)
{
    struct cpu_emitter *e = s->e;
    LLVMTypeRef numbers = l_vector(e->t_float, s->block->lanes);
    uint64_t width = gruc_quantized_width(GRUC_WEIGHTS_INT8, s->packed->product->depth);
    uint64_t scale_at = (width - 1) * sizeof(float);
    for (unsigned row = 0; row < s->block->n_rows; row++) {
        LLVMValueRef v_at = l_offset(e, s->v_left[row], l_i64(e, scale_at));
        LLVMValueRef v_row = l_splat(e, l_load(e, e->t_float, v_at, 4), s->block->lanes);
        for (unsigned gate = 0; gate < s->gates; gate++)
            for (unsigned vector = 0; vector < s->block->n_vectors; vector++) {
                unsigned i = (gate * s->block->n_vectors + vector) * s->block->n_rows + row;
                LLVMValueRef v_unit = l_add(e, s->block->v_unit,
                                            l_i64(e, (uint64_t)vector * s->block->lanes));
                LLVMValueRef v_scale = load_column(s, s->packed->scale[gate], e->t_float, vector);
                LLVMValueRef v = LLVMBuildSIToFP(e->builder, s->v_sum[i], numbers, "");
                v_scale = LLVMBuildFMul(e->builder, v_row, v_scale, "");
                v = LLVMBuildFMul(e->builder, v, v_scale, "");
                if (s->packed->bias[gate] != SIZE_MAX)
                    v = LLVMBuildFAdd(e->builder, v,
                                      cpu_load_bias(e, s->packed, gate, v_unit), "");
                gruc_ref value = e->ir->ops[s->packed->product->ops[gate]].results[0];
                size_t index = ((size_t)e->local[value] * s->block->n_rows + row) *
                                   s->block->n_vectors + vector;
                s->block->values[index] = v;
            }
    }
}

void cpu_emit_quantized_product(struct cpu_emitter *e, struct cpu_block *block, size_t product,
                                const struct cpu_packed *packed)
{
    struct sums s = {.e = e, .block = block, .packed = packed, .chains = 1,
                     .gates = (unsigned)packed->product->n_ops,
                     .planes = cpu_quantized_planes(e->target, packed->product->weights)};
    const struct cpu_edge *edge = &block->stage->edges[product];
    s.each = block->n_rows * block->n_vectors * s.gates;
    s.count = s.each * s.planes;
    while (s.chains < MOST_UNROLL && s.count * s.chains < LEAST_CHAINS &&
           2 * s.chains <= groups_of(packed))
        s.chains *= 2;
    if (s.count * s.chains > MAX_SUMS) {
        e->failed = 1;
        return;
    }
    LLVMValueRef v_offset =
        l_mul(e, block->v_unit, l_i64(e, vector_bytes(packed) / packed->lanes));
    v_offset = l_add(e, packed->v_piece, v_offset);
    s.v_weights = l_offset(e, e->v_weights, v_offset);
    for (unsigned row = 0; row < block->n_rows; row++)
        s.v_left[row] = l_offset(e, edge->v_base, l_mul(e, block->v_rows[row], edge->v_stride));
    start(&s);
    accumulate(&s);
    join(&s);
    finish(&s);
}

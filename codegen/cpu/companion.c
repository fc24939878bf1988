/* SPDX-License-Identifier: MIT */
/* A scan's companion: the product of its input, computed for the next tile of steps beside the
 * scan's own products. The steps of one row read their weights once for each number they multiply,
 * from a cache too far to keep the multipliers busy; blocks of several rows of the companion use
 * each of its weights several times and fill the time. */
#include "codegen/cpu/run.h"
#include "codegen/cpu/weights.h"
#include "ir/sum.h"

/* Vectors' products that take about as long as what two cores exchange at a barrier. */
enum { WAIT_PRODUCTS = 600 };

/* ---- planning ---- */

/* Products that one loop over k can compute: a vector of weights at each k, a single range. */
static int can_share_loop(const struct gruc_product *product)
{
    return (product->weights == GRUC_WEIGHTS_F32 || product->weights == GRUC_WEIGHTS_F16) &&
           gruc_sum_ranges(product->depth) == 1;
}

size_t cpu_companion_host(const struct gruc_stage *stage)
{
    size_t best = stage->n_products;
    for (size_t i = 0; i < stage->n_products; i++)
        if (can_share_loop(&stage->products[i]) &&
            (best == stage->n_products || stage->products[i].depth > stage->products[best].depth))
            best = i;
    return best;
}

/* Of the weights of a step's products that can host a companion. */
static uint64_t host_bytes(const struct gruc_stage *scan)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < scan->body->n_stages; i++) {
        const struct gruc_stage *stage = &scan->body->stages[i];
        size_t host = cpu_companion_host(stage);
        if (host < stage->n_products)
            bytes += (uint64_t)stage->products[host].depth * stage->products[host].n_ops *
                     stage->width * gruc_narrow_bytes(stage->products[host].weights);
    }
    return bytes;
}

/* From where a companion pays: where the nearest cache does not hold a step's weights and, with few
 * registers, hence small blocks, not half of them. */
static uint64_t least_bytes(const struct cpu_emitter *e)
{
    return e->target->registers >= 32 ? CPU_FIRST_BYTES : 2 * CPU_FIRST_BYTES;
}

/* Up to where: a companion's weights pass through the third cache once a tile, and those of steps
 * that have no room beside them have to come from memory. With many registers that was not seen. */
static uint64_t most_bytes(const struct cpu_emitter *e)
{
    return e->target->registers >= 32 ? UINT64_MAX : CPU_THIRD_BYTES / 2;
}

static int pays(const struct cpu_emitter *e, const struct gruc_group *group,
                const struct gruc_stage *scan, uint32_t companion)
{
    if (companion == GRUC_NONE)
        return 0;
    const struct gruc_product *product = &group->stages[companion].products[0];
    /* Of few registers none is left for halves that become float32. */
    int has_room = e->target->registers >= 32 || product->weights == GRUC_WEIGHTS_F32;
    return can_share_loop(product) && has_room &&
           host_bytes(scan) >= least_bytes(e) && host_bytes(scan) <= most_bytes(e);
}

uint64_t cpu_companion_shares(const struct cpu_emitter *e, const struct gruc_group *group)
{
    uint64_t most = UINT64_MAX;
    for (size_t i = 0; i < group->n_stages; i++) {
        const struct gruc_stage *scan = &group->stages[i];
        if (scan->companion == GRUC_NONE || scan->owner != GRUC_NONE ||
            cpu_beside_fills(&group->stages[scan->companion]))
            continue;
        uint64_t shares = host_bytes(scan) / least_bytes(e);
        most = shares < most ? shares : most;
    }
    return most;
}

/* Scans that go through a tile side by side are at the same one: all of them have companions, or
 * none has. */
static int lags_agree(const struct gruc_ir *ir, const struct gruc_group *group)
{
    for (size_t i = 0, together; i < group->n_stages; i += together) {
        together = group->stages[i].kind == GRUC_STAGE_SCAN ? cpu_scans_together(ir, group, i) : 1;
        for (size_t k = i + 1; k < i + together; k++)
            if (group->stages[k].lag != group->stages[i].lag)
                return 0;
    }
    return 1;
}

static void plan_group(const struct cpu_emitter *e, struct gruc_group *group)
{
    for (size_t i = 0; i < group->n_stages; i++) {
        struct gruc_stage *stage = &group->stages[i];
        if (stage->kind != GRUC_STAGE_SCAN)
            continue;
        uint32_t companion = gruc_schedule_companion(e->schedule, group, i);
        stage->companion = pays(e, group, stage, companion) ? companion : GRUC_NONE;
    }
    gruc_schedule_trail(e->schedule, group);
    if (!lags_agree(e->ir, group)) {
        for (size_t i = 0; i < group->n_stages; i++)
            group->stages[i].companion = GRUC_NONE;
        gruc_schedule_trail(e->schedule, group);
    }
    gruc_schedule_keep_tiles(e->schedule, group);
}

void cpu_plan_companions(const struct cpu_emitter *e)
{
    for (size_t g = 0; g < e->schedule->n_groups; g++)
        if (!e->schedule->groups[g].is_wavefront && !cpu_is_unrolled(e, &e->schedule->groups[g]))
            plan_group(e, &e->schedule->groups[g]);
}

const struct gruc_view *cpu_companion_source(const struct cpu_emitter *e,
                                             const struct gruc_group *group, size_t number)
{
    uint32_t tile = group->stages[number].products[0].view.buffer;
    for (size_t i = 0; i < number; i++) {
        const struct gruc_view *source = gruc_schedule_copied(e->schedule, group, i);
        if (source != NULL && group->stages[i].stores[0].view.buffer == tile)
            return source;
    }
    return NULL;
}

/* ---- blocks: some rows of one vector of one gate. Vectors are the outer order, then gates, then
 * rows, so that all rows of a tile use the same weights one after the other. ---- */

/* Whether weights are far: a companion's are read once a tile, which should not be small then. */
static int is_far(const struct cpu_emitter *e)
{
    uint64_t most = 0;
    for (size_t g = 0; g < e->schedule->n_groups; g++)
        for (size_t i = 0; i < e->schedule->groups[g].n_stages; i++) {
            const struct gruc_stage *stage = &e->schedule->groups[g].stages[i];
            if (stage->companion != GRUC_NONE && host_bytes(stage) > most)
                most = host_bytes(stage);
        }
    return !cpu_is_near(most);
}

unsigned cpu_trail_rows(const struct cpu_emitter *e)
{
    return (is_far(e) ? 2 : 1) * CPU_COMPANION_ROWS;
}

unsigned cpu_trail_steps(const struct cpu_emitter *e)
{
    return (is_far(e) ? 3 : 2) * CPU_COMPANION_ROWS;
}

/* The first tile's products are computed by themselves, in whole blocks. Where registers are few,
 * steps gain less from then on. */
uint64_t cpu_trail_least_steps(const struct cpu_emitter *e)
{
    return (e->target->registers >= 32 ? 3 : 4) * CPU_COMPANION_ROWS;
}

/* v_rows / CPU_COMPANION_ROWS, rounded up */
static LLVMValueRef row_blocks(struct cpu_emitter *e, LLVMValueRef v_rows)
{
    LLVMValueRef v_up = l_add(e, v_rows, l_i64(e, CPU_COMPANION_ROWS - 1));
    return LLVMBuildUDiv(e->builder, v_up, l_i64(e, CPU_COMPANION_ROWS), "");
}

/* What the gate's number selects of one value for each gate. */
static LLVMValueRef of_gate(struct cpu_emitter *e, LLVMValueRef v_gate, const LLVMValueRef *v,
                            unsigned gates)
{
    LLVMValueRef v_chosen = v[0];
    for (unsigned gate = 1; gate < gates; gate++) {
        LLVMValueRef v_is = LLVMBuildICmp(e->builder, LLVMIntEQ, v_gate, l_i64(e, gate), "");
        v_chosen = LLVMBuildSelect(e->builder, v_is, v[gate], v_chosen, "");
    }
    return v_chosen;
}

/* A row of the block in a buffer that starts at v_base. */
static LLVMValueRef row_address(struct cpu_emitter *e, const struct cpu_companion_block *block,
                                LLVMValueRef v_base, LLVMValueRef v_stride, unsigned row)
{
    if (block->block.v_rows[row] != NULL)
        return l_offset(e, v_base, l_mul(e, block->block.v_rows[row], v_stride));
    v_base = l_offset(e, v_base, l_mul(e, block->block.v_rows[0], v_stride));
    return l_offset(e, v_base, l_mul(e, l_i64(e, row), v_stride));
}

/* Tiles have room for whole blocks: what comes after the last row is computed and not used. Of a
 * list, the last row is computed again. */
static void begin_rows(struct cpu_emitter *e, const struct cpu_companion *c, LLVMValueRef v_first,
                       struct cpu_companion_block *out)
{
    const struct cpu_edge *left = &c->stage.edges[0];
    out->block.v_rows[0] = v_first;
    LLVMValueRef v_last = LLVMBuildSub(e->builder, c->stage.v_rows, l_i64(e, 1), "");
    for (unsigned row = 0; c->stage.is_listed && row < out->block.n_rows; row++) {
        LLVMValueRef v_at = l_add(e, v_first, l_i64(e, row));
        out->block.v_rows[row] = cpu_stage_row(e, &c->stage, l_smaller(e, v_last, v_at));
    }
    for (unsigned row = 0; row < out->block.n_rows; row++)
        out->v_left[row] = row_address(e, out, left->v_base, left->v_stride, row);
}

LLVMValueRef cpu_companion_waits(struct cpu_emitter *e, const struct cpu_companion *c)
{
    LLVMValueRef v_next = l_load(e, e->t_i64, c->v_next, 8);
    return LLVMBuildICmp(e->builder, LLVMIntULT, v_next, c->v_limit, "");
}

void cpu_companion_begin(struct cpu_emitter *e, const struct cpu_companion *c,
                         struct cpu_companion_block *out)
{
    const struct cpu_packed *packed = c->stage.packed;
    unsigned rows = CPU_COMPANION_ROWS, gates = (unsigned)packed->product->n_ops;
    *out = (struct cpu_companion_block){
        .block = {.n_rows = rows, .n_vectors = 1, .lanes = packed->lanes, .tail = packed->lanes}};
    LLVMValueRef v_next = l_load(e, e->t_i64, c->v_next, 8);
    LLVMValueRef v_blocks = row_blocks(e, c->stage.v_rows);
    v_next = LLVMBuildTrunc(e->builder, v_next, e->t_i32, ""); /* 64 bits are divided slowly */
    v_blocks = LLVMBuildTrunc(e->builder, v_blocks, e->t_i32, "");
    LLVMValueRef v_column = LLVMBuildUDiv(e->builder, v_next, v_blocks, "");
    LLVMValueRef v_rows = LLVMBuildURem(e->builder, v_next, v_blocks, "");
    v_column = LLVMBuildZExt(e->builder, v_column, e->t_i64, "");
    v_rows = LLVMBuildZExt(e->builder, v_rows, e->t_i64, "");
    LLVMValueRef v_vector = LLVMBuildUDiv(e->builder, v_column, l_i64(e, gates), "");
    out->v_gate = LLVMBuildURem(e->builder, v_column, l_i64(e, gates), "");
    out->block.v_unit = l_mul(e, v_vector, l_i64(e, packed->lanes));
    out->v_weights = l_offset(e, cpu_weights_address(e, packed, out->block.v_unit),
                              l_mul(e, out->v_gate, l_i64(e, cpu_weights_gate_bytes(packed))));
    LLVMValueRef v_biases[CPU_MAX_GATES] = {NULL};
    for (unsigned gate = 0; gate < gates; gate++)
        v_biases[gate] = cpu_load_bias(e, packed, gate, out->block.v_unit);
    out->v_bias = of_gate(e, out->v_gate, v_biases, gates);
    begin_rows(e, c, l_mul(e, v_rows, l_i64(e, rows)), out);
}

void cpu_companion_end(struct cpu_emitter *e, const struct cpu_companion *c,
                       const struct cpu_companion_block *block, const LLVMValueRef *v_sums)
{
    unsigned gates = (unsigned)c->stage.packed->product->n_ops;
    LLVMValueRef v_bases[CPU_MAX_GATES] = {NULL};
    for (unsigned gate = 0; gate < gates; gate++)
        v_bases[gate] = c->stage.edges[1 + gate].v_base;
    LLVMValueRef v_base = of_gate(e, block->v_gate, v_bases, gates);
    v_base = l_offset(e, v_base, l_mul(e, block->block.v_unit, l_i64(e, 4)));
    for (unsigned row = 0; row < block->block.n_rows; row++)
        l_store(e, v_sums[row],
                row_address(e, block, v_base, c->stage.edges[1].v_stride, row), 4);
    LLVMValueRef v_next = l_load(e, e->t_i64, c->v_next, 8);
    l_store(e, l_add(e, v_next, l_i64(e, 1)), c->v_next, 8);
}

/* ---- functions that compute blocks ---- */

unsigned cpu_companion_parameters(struct cpu_emitter *e, const struct cpu_stage *stage,
                                  LLVMTypeRef *types)
{
    unsigned count = CPU_BESIDE_EDGES + (unsigned)stage->n_edges;
    for (unsigned i = 0; i < count; i++)
        types[i] = i == CPU_BESIDE_LIMIT || i == CPU_BESIDE_ROWS || i == CPU_BESIDE_WEIGHTS ||
                           i == CPU_BESIDE_STRIDE
                       ? e->t_i64
                       : e->t_ptr;
    return count;
}

/* Whether its rows are as far apart wherever they are, which makes shorter code. */
static int has_tile_stride(const struct cpu_emitter *e, const struct cpu_stage *stage)
{
    if (stage->source == NULL)
        return 1;
    const struct gruc_buffer *array = &e->schedule->buffers[stage->source->buffer];
    const struct gruc_buffer *tile = &e->schedule->buffers[stage->edges[0].view->buffer];
    int is_time_major =
        array->storage == GRUC_STORE_INPUT && e->ir->inputs[array->port].time_major;
    return !is_time_major && !stage->source->reversed && stage->source->step == tile->stride;
}

const struct cpu_companion *cpu_companion_bind(struct cpu_emitter *e, const LLVMValueRef *values,
                                               const struct cpu_stage *stage)
{
    struct cpu_companion *out = GRUC_NEW(e->arena, struct cpu_companion);
    struct cpu_packed *packed = GRUC_NEW(e->arena, struct cpu_packed);
    if (out == NULL || packed == NULL) {
        e->failed = 1;
        return NULL;
    }
    out->stage = *stage;
    *packed = stage->packed[0];
    packed->v_piece = values[CPU_BESIDE_WEIGHTS];
    out->stage.packed = packed;
    out->v_next = values[CPU_BESIDE_NEXT];
    out->v_limit = values[CPU_BESIDE_LIMIT];
    out->stage.v_rows = values[CPU_BESIDE_ROWS];
    out->stage.v_list = values[CPU_BESIDE_LIST];
    for (unsigned i = 0; i < stage->n_edges; i++) {
        const struct gruc_buffer *buffer =
            &e->schedule->buffers[stage->edges[i].view->buffer]; /* a tile */
        out->stage.edges[i].v_base = values[CPU_BESIDE_EDGES + i];
        out->stage.edges[i].v_stride =
            l_i64(e, buffer->stride * (uint64_t)cpu_dtype_bytes(buffer->dtype));
    }
    if (!has_tile_stride(e, stage))
        out->stage.edges[0].v_stride = values[CPU_BESIDE_STRIDE];
    return out;
}

/* The function (weights, what blocks need) that computes all blocks up to the limit. */
static void emit_rest(struct cpu_emitter *e, const struct cpu_stage *stage, struct cpu_beside *out)
{
    LLVMTypeRef types[1 + CPU_BESIDE_MOST] = {e->t_ptr};
    unsigned count = 1 + cpu_companion_parameters(e, stage, types + 1);
    struct l_function f = l_function_begin(e, "companion", types, count);
    l_attribute(e, f.function, "noinline");
    LLVMValueRef values[1 + CPU_BESIDE_MOST];
    LLVMGetParams(f.function, values);
    const struct cpu_companion *companion = cpu_companion_bind(e, values + 1, stage);
    if (companion == NULL)
        return;
    LLVMBasicBlockRef b_head = l_block(e, "head"), b_block = l_block(e, "block"),
                      b_done = l_block(e, "done");
    LLVMBuildBr(e->builder, b_head);
    LLVMPositionBuilderAtEnd(e->builder, b_head);
    LLVMBuildCondBr(e->builder, cpu_companion_waits(e, companion), b_block, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_block);
    cpu_emit_companion(e, companion);
    LLVMBuildBr(e->builder, b_head);
    LLVMPositionBuilderAtEnd(e->builder, b_done);
    out->rest = f.function;
    out->rest_type = f.type;
    l_function_end(e, &f);
}

int cpu_beside_emit(struct cpu_run *r, const struct cpu_stage *stage, struct cpu_beside **out)
{
    *out = GRUC_NEW(r->e->arena, struct cpu_beside);
    if (*out == NULL || CPU_BESIDE_EDGES + stage->n_edges > CPU_BESIDE_MOST)
        return 0;
    (*out)->stage = stage;
    (*out)->v_next = LLVMBuildAlloca(r->e->builder, r->e->t_i64, "next");
    if (stage->is_listed)
        (*out)->v_list = cpu_reserve_tile_list(r);
    emit_rest(r->e, stage, *out);
    return !r->e->failed;
}

static LLVMValueRef block_count(struct cpu_emitter *e, const struct cpu_beside *beside)
{
    const struct cpu_packed *packed = beside->stage->packed;
    uint64_t vectors = (packed->width + packed->lanes - 1) / packed->lanes;
    return l_mul(e, row_blocks(e, beside->v_rows), l_i64(e, vectors * packed->product->n_ops));
}

LLVMValueRef cpu_companion_copies(struct cpu_emitter *e, const struct cpu_stage *stage,
                                  LLVMValueRef v_count)
{
    LLVMValueRef v_rest = LLVMBuildAnd(e->builder, v_count, l_i64(e, CPU_COMPANION_ROWS - 1), "");
    return stage->is_listed ? LLVMConstInt(e->t_i1, 0, 0)
                            : LLVMBuildIsNotNull(e->builder, v_rest, "");
}

/* The first row of what blocks multiply, and the bytes to the next. */
static void locate_rows(struct cpu_run *r, const struct cpu_beside *beside, LLVMValueRef *v_base,
                        LLVMValueRef *v_stride)
{
    struct cpu_emitter *e = r->e;
    const struct gruc_view *source = beside->stage->source;
    struct cpu_position at = beside->at;
    at.way = CPU_TILE;
    cpu_locate(r, beside->stage->edges[0].view, &at, v_base, v_stride);
    if (source == NULL)
        return;
    at.way = CPU_TILE_OF_ONE;
    LLVMValueRef v_array, v_step;
    cpu_locate(r, source, &at, &v_array, &v_step);
    LLVMValueRef v_copied = cpu_companion_copies(e, beside->stage, beside->v_rows);
    *v_base = LLVMBuildSelect(e->builder, v_copied, *v_base, v_array, "");
    if (*v_stride != v_step) /* a constant is one value wherever it is */
        *v_stride = LLVMBuildSelect(e->builder, v_copied, *v_stride, v_step, "");
}

void cpu_beside_begin(struct cpu_run *r, struct cpu_beside *beside, int is_alone)
{
    struct cpu_emitter *e = r->e;
    const struct cpu_packed *packed = beside->stage->packed;
    LLVMValueRef *v = beside->v_arguments;
    LLVMValueRef v_blocks = block_count(e, beside);
    LLVMValueRef v_begin = l_i64(e, 0);
    v[CPU_BESIDE_LIMIT] = v_blocks;
    if (!is_alone)
        cpu_share_of(e, r->v_share, r->v_shares, v_blocks, &v_begin, &v[CPU_BESIDE_LIMIT]);
    l_store(e, v_begin, beside->v_next, 8);
    v[CPU_BESIDE_NEXT] = beside->v_next;
    v[CPU_BESIDE_ROWS] = beside->v_rows;
    v[CPU_BESIDE_WEIGHTS] = l_i64(e, beside->stage->pieces[packed->piece].offset);
    v[CPU_BESIDE_LIST] = beside->v_list == NULL ? LLVMConstNull(e->t_ptr) : beside->v_list;
    locate_rows(r, beside, &v[CPU_BESIDE_EDGES], &v[CPU_BESIDE_STRIDE]);
    for (size_t i = 1; i < beside->stage->n_edges; i++) {
        struct cpu_position at = beside->at;
        at.way = CPU_TILE;
        LLVMValueRef v_stride;
        cpu_locate(r, beside->stage->edges[i].view, &at, &v[CPU_BESIDE_EDGES + i], &v_stride);
    }
}

unsigned cpu_beside_arguments(const struct cpu_beside *beside, LLVMValueRef *out)
{
    unsigned count = CPU_BESIDE_EDGES + (unsigned)beside->stage->n_edges;
    for (unsigned i = 0; i < count; i++)
        out[i] = beside->v_arguments[i];
    return count;
}

int cpu_beside_fills(const struct gruc_stage *companion)
{
    return companion->products[0].depth * CPU_COMPANION_ROWS <= WAIT_PRODUCTS;
}

struct cpu_beside cpu_beside_of_step(struct cpu_run *r, const struct cpu_beside *beside,
                                     LLVMValueRef v_left)
{
    struct cpu_emitter *e = r->e;
    struct cpu_beside now = *beside;
    LLVMValueRef v_limit = beside->v_arguments[CPU_BESIDE_LIMIT];
    LLVMValueRef v_fewer = LLVMBuildSub(e->builder, v_limit, v_left, "");
    LLVMValueRef v_none = LLVMBuildICmp(e->builder, LLVMIntULT, v_limit, v_left, "");
    v_fewer = LLVMBuildSelect(e->builder, v_none, l_i64(e, 0), v_fewer, "");
    LLVMValueRef v_alone = LLVMBuildICmp(e->builder, LLVMIntULE, r->v_shares, l_i64(e, 1), "");
    now.v_arguments[CPU_BESIDE_LIMIT] =
        LLVMBuildSelect(e->builder, v_alone, v_limit, v_fewer, "");
    return now;
}

void cpu_beside_next(struct cpu_run *r, const struct cpu_beside *beside)
{
    struct cpu_emitter *e = r->e;
    struct cpu_beside now = *beside;
    LLVMValueRef v_limit = beside->v_arguments[CPU_BESIDE_LIMIT];
    LLVMValueRef v_one = l_load(e, e->t_i64, beside->v_arguments[CPU_BESIDE_NEXT], 8);
    v_one = l_add(e, v_one, l_i64(e, 1));
    now.v_arguments[CPU_BESIDE_LIMIT] = l_smaller(e, v_one, v_limit);
    cpu_beside_rest(r, &now);
}

LLVMValueRef cpu_beside_is_done(struct cpu_run *r, const struct cpu_beside *beside,
                                LLVMValueRef v_steps, LLVMValueRef v_hosts)
{
    struct cpu_emitter *e = r->e;
    LLVMValueRef v_up = LLVMBuildSub(e->builder, r->v_shares, l_i64(e, 1), "");
    LLVMValueRef v_most = LLVMBuildUDiv(e->builder, l_add(e, block_count(e, beside), v_up),
                                        r->v_shares, "");
    LLVMValueRef v_done = l_mul(e, v_hosts, v_steps);
    if (cpu_beside_fills(beside->stage->stage)) /* one a wait but the last */
        v_done = LLVMBuildSub(e->builder, v_steps, l_i64(e, 1), "");
    return LLVMBuildICmp(e->builder, LLVMIntULE, v_most, v_done, "");
}

void cpu_beside_rest(struct cpu_run *r, const struct cpu_beside *beside)
{
    struct cpu_emitter *e = r->e;
    LLVMBasicBlockRef b_rest = l_block(e, "rest"), b_done = l_block(e, "done");
    LLVMValueRef v_next = l_load(e, e->t_i64, beside->v_arguments[CPU_BESIDE_NEXT], 8);
    LLVMValueRef v_waits = LLVMBuildICmp(e->builder, LLVMIntULT, v_next,
                                         beside->v_arguments[CPU_BESIDE_LIMIT], "");
    LLVMBuildCondBr(e->builder, v_waits, b_rest, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_rest);
    LLVMValueRef arguments[1 + CPU_BESIDE_MOST] = {e->v_weights};
    unsigned count = 1 + cpu_beside_arguments(beside, arguments + 1);
    LLVMBuildCall2(e->builder, beside->rest_type, beside->rest, arguments, count, "");
    LLVMBuildBr(e->builder, b_done);
    LLVMPositionBuilderAtEnd(e->builder, b_done);
}

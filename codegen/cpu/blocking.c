/* SPDX-License-Identifier: MIT */
/* How large the blocks of a sweep stage are, decided from the registers. */
#include "codegen/cpu/blocking.h"
#include "codegen/cpu/quantized.h"

/* Of a block beside one of a companion; together they keep the multipliers busy. */
enum { HOST_SUMS = 6 };

/* Sums of a unit: of the product that has most. */
static unsigned gates_of(const struct cpu_emitter *e, const struct gruc_stage *stage)
{
    unsigned gates = 0;
    for (size_t i = 0; i < stage->n_products; i++) {
        const struct gruc_product *product = &stage->products[i];
        unsigned n = (unsigned)product->n_ops;
        if (gruc_narrow_is_integer(product->weights))
            n *= cpu_quantized_planes(e->target, product->weights);
        gates = n > gates ? n : gates;
    }
    return gates;
}

static unsigned ranges_of(const struct cpu_body *w)
{
    unsigned ranges = 1;
    for (size_t i = 0; i < w->s->stage->n_products; i++) {
        unsigned r = cpu_weights_ranges(&w->packed[i]);
        ranges = r > ranges ? r : ranges;
    }
    return ranges;
}

static int has_weights(const struct cpu_body *w, enum gruc_weights weights)
{
    int has = 0;
    for (size_t i = 0; i < w->s->stage->n_products; i++)
        has |= w->s->stage->products[i].weights == weights;
    return has;
}

static int has_integers(const struct cpu_body *w)
{
    return has_weights(w, GRUC_WEIGHTS_INT8) || has_weights(w, GRUC_WEIGHTS_INT8_BYTES);
}

/* Whether weights become float32 in operations of their own. */
static int has_widening(const struct cpu_body *w)
{
    int has = 0;
    for (size_t i = 0; i < w->s->stage->n_products; i++)
        has |= cpu_weights_are_widened(w->e, &w->packed[i]);
    return has;
}

uint64_t cpu_blocking_weight_bytes(const struct gruc_stage *stage, unsigned units)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < stage->n_products; i++)
        bytes += (uint64_t)stage->products[i].depth * stage->products[i].n_ops * units *
                 gruc_narrow_bytes(stage->products[i].weights);
    return bytes;
}

/* Whether blocks of one vector would let the nearest cache keep a whole block's weights until the
 * next step, which begins where this one ends, and still have sums enough to keep busy. */
static int one_vector_stays(const struct cpu_body *w, unsigned gates)
{
    uint64_t bytes = cpu_blocking_weight_bytes(w->s->stage, w->lanes);
    return gates >= 3 && bytes <= CPU_FIRST_BYTES && 2 * bytes > CPU_FIRST_BYTES;
}

int cpu_blocking_hosts(const struct cpu_body *w)
{
    return w->s->beside != NULL && w->host < w->s->stage->n_products;
}

/* Sums that have room in registers. LLVM gives a sum a new register where weights become numbers in
 * registers of their own that serve once: of pairs, which have loops enough, all fit twice. */
static unsigned room_for(const struct cpu_body *w, unsigned rows)
{
    unsigned room = w->e->target->registers - 4;
    int has_copies = 0;
    for (size_t i = 0; i < w->s->stage->n_products; i++)
        has_copies |= w->packed[i].group == 2 && cpu_weights_are_widened(w->e, &w->packed[i]);
    return has_copies && rows == 1 && w->e->target->registers < 32 ? room / 2 : room;
}

/* Whether a block of several rows leaves no register for what it multiplies: a number of each row,
 * or a weight of each column where these are fewer and no integers, and one of the other; of pairs
 * also a mask, or a product until it is added. Without FMA numbers are copied from one register to
 * another anyway, and more sums gain more. */
static int is_crowded(const struct cpu_body *w, unsigned rows, unsigned columns)
{
    unsigned pairs = 0;
    for (size_t i = 0; i < w->s->stage->n_products; i++)
        pairs |= w->packed[i].group == 2 && !cpu_weights_are_dots(w->e, &w->packed[i]);
    unsigned held = rows < columns || has_integers(w) ? rows : columns;
    return rows > 1 && w->e->target->has_fma &&
           rows * columns + held + 1 + pairs > w->e->target->registers;
}

/* 0: not said. NAME_step has code of its own, of which measured calls say nothing. */
static unsigned wanted_vectors(const struct cpu_body *w, unsigned rows)
{
    const struct gruc_blocking *blocking = &w->e->target->blocking;
    unsigned wanted = rows > 1 ? blocking->vectors : w->e->one_step ? 0 : blocking->row_vectors;
    return wanted <= CPU_MAX_VECTORS ? wanted : 0;
}

unsigned cpu_blocking_vectors(const struct cpu_body *w, unsigned rows)
{
    unsigned ranges = ranges_of(w), gates = gates_of(w->e, w->s->stage);
    unsigned vectors = (w->s->stage->width + w->lanes - 1) / w->lanes;
    if (gates == 0)
        return vectors < 2 ? 1 : 2;
    unsigned room = room_for(w, rows), best = 1;
    if (rows == 1 && cpu_blocking_hosts(w)) {
        unsigned few = HOST_SUMS / gates;
        return few < 1 ? 1 : few > CPU_MAX_VECTORS ? CPU_MAX_VECTORS : few;
    }
    if (rows == 1 && !has_widening(w) && one_vector_stays(w, gates))
        return 1;
    unsigned each = rows * gates * (rows == 1 ? ranges : 1); /* sums of a vector */
    unsigned wanted = wanted_vectors(w, rows);
    if (wanted > 0 && wanted <= vectors && each * wanted <= room)
        return wanted;
    /* More sums only make longer code and, of one row, fewer blocks to walk to and fro; but they
     * fill the time that halves take to become float32. */
    unsigned most = rows > 1 || has_integers(w) ? 12 : 4 + 4 * w->e->target->fma_rate;
    if (rows > 1 && has_weights(w, GRUC_WEIGHTS_F16))
        most = 24;
    double best_cost = 1e30, latency = w->e->target->dot == CPU_DOT_BF16 ? 6.0 : 4.0;
    for (unsigned q = 1; q <= CPU_MAX_VECTORS && q <= vectors; q++) {
        if (q > 1 &&
            (each * q > room || rows * gates * q > most || is_crowded(w, rows, gates * q)))
            break;
        double cost = 0;
        for (unsigned left = vectors; left > 0; left -= left < q ? left : q) {
            unsigned now = left < q ? left : q;
            double busy = (double)(each * now) / w->e->target->fma_rate;
            cost += (busy > latency ? busy : latency) + 0.5 * rows;
        }
        if (cost < best_cost - 1e-9) {
            best_cost = cost;
            best = q;
        }
    }
    return best;
}

/* Whether a block may go row by row through each k, so that registers hold a weight of each gate
 * and not a number of each row. Of narrow weights there would be more than one of a gate. */
static int goes_by_rows(const struct cpu_emitter *e, const struct gruc_stage *stage)
{
    for (size_t i = 0; i < stage->n_products; i++)
        if (stage->products[i].weights != GRUC_WEIGHTS_F32)
            return 0;
    return stage->n_ops == gates_of(e, stage) || cpu_epilogue_waits(e, stage);
}

unsigned cpu_blocking_rows(const struct cpu_emitter *e, const struct gruc_stage *stage)
{
    unsigned gates = gates_of(e, stage), wanted = e->target->blocking.rows;
    if (gates == 0)
        return 1;
    if (wanted == 0 || wanted > CPU_MAX_ROWS || (wanted & (wanted - 1)) != 0)
        wanted = CPU_BLOCK_ROWS;
    /* Besides the sums there are in registers a number of each row and a weight, or a weight of
     * each gate and a number. */
    unsigned registers = e->target->registers;
    int by_rows = goes_by_rows(e, stage);
    for (unsigned rows = wanted; rows > 1; rows /= 2) {
        unsigned others = by_rows && gates < rows ? gates : rows;
        if (rows * gates <= registers - 4 && rows * gates + others < registers)
            return rows;
    }
    return 1;
}

unsigned cpu_blocking_larger_part(const struct cpu_emitter *e, const struct cpu_stage *s)
{
    unsigned count = cpu_blocking_rows(e, s->stage);
    int is_far = !cpu_is_near(cpu_blocking_weight_bytes(s->stage, s->stage->width));
    return count > 2 && (is_far || s->has_many) ? count - count / 4 : 0;
}

unsigned cpu_blocking_part_vectors(const struct cpu_body *w, const struct cpu_body_units *units,
                                   unsigned rows)
{
    unsigned sums = rows * gates_of(w->e, w->s->stage) * units->vectors;
    return sums <= w->e->target->registers - 4 ? units->vectors : units->at_once;
}

struct cpu_body_units cpu_blocking_units(const struct cpu_body *w,
                                         const struct cpu_body_rows *rows)
{
    unsigned vectors = cpu_blocking_vectors(w, rows->count);
    unsigned all = (w->s->stage->width + w->lanes - 1) / w->lanes;
    unsigned sums = rows->few * gates_of(w->e, w->s->stage);
    int has_turns = vectors == 1 && all > 1 && rows->few > 1 && sums < 4 * w->e->target->fma_rate &&
                    goes_by_rows(w->e, w->s->stage) && cpu_epilogue_waits(w->e, w->s->stage);
    return (struct cpu_body_units){.vectors = has_turns ? 2 : vectors, .tail = w->lanes,
                                   .at_once = vectors};
}

struct cpu_body_slices cpu_blocking_slices(const struct cpu_body *w,
                                           const struct cpu_body_rows *rows,
                                           const struct cpu_body_units *units)
{
    const struct cpu_packed *packed = &w->packed[0];
    if (rows->count == 1 || w->s->stage->n_products > 1)
        return (struct cpu_body_slices){.count = 1};
    uint32_t steps = cpu_weights_steps(packed);
    unsigned count = cpu_weights_slices(packed, units->at_once);
    uint32_t each = (steps + count - 1) / count;
    return (struct cpu_body_slices){.count = (steps + each - 1) / each, .steps = each};
}

static uint32_t rounded_up(uint32_t width, unsigned lanes)
{
    return (width + lanes - 1) / lanes * lanes;
}

unsigned cpu_blocking_lanes(const struct cpu_emitter *e, uint32_t width)
{
    unsigned lanes = 1;
    while (lanes < width && lanes < e->target->lanes)
        lanes *= 2;
    int is_small = width > lanes && width < 3 * lanes && e->target->fma_rate == 1;
    return is_small && rounded_up(width, lanes / 2) < rounded_up(width, lanes) ? lanes / 2 : lanes;
}

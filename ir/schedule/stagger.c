/* SPDX-License-Identifier: MIT */
/* Stages some tiles of steps apart, which then need not wait for each other within a tile. A stack
 * of recurrent layers becomes a wavefront: while a scan is at one tile, the scan that reads it is
 * at the tile before. A scan that trails its companion, the product of its input, can compute it on
 * the way, where its own weights come too slowly to keep the multipliers busy. */
#include "ir/schedule/schedule.h"

/* How far behind the first stages a stage runs, as far as its reads tell. */
struct reading {
    const struct gruc_schedule *schedule;
    const struct gruc_group *group;
    unsigned scan_lag; /* of a scan behind the scan it reads */
    unsigned lag;
};

static int stores_to(const struct gruc_stage *stage, uint32_t buffer)
{
    for (size_t i = 0; i < stage->n_stores; i++)
        if (stage->stores[i].view.buffer == buffer)
            return 1;
    for (size_t i = 0; stage->body != NULL && i < stage->body->n_stages; i++)
        if (stores_to(&stage->body->stages[i], buffer))
            return 1;
    return 0;
}

/* What a stage reads from tiles: found(context, buffer) for each. */
static void each_tile(const struct gruc_schedule *schedule, const struct gruc_stage *stage,
                      void (*found)(void *context, uint32_t buffer), void *context)
{
    for (size_t i = 0; i < stage->n_loads + stage->n_products; i++) {
        const struct gruc_view *view = i < stage->n_loads
                                           ? &stage->loads[i].view
                                           : &stage->products[i - stage->n_loads].view;
        if (view->buffer != GRUC_NONE &&
            schedule->buffers[view->buffer].storage == GRUC_STORE_TILE)
            found(context, view->buffer);
    }
    int has_mask = stage->mask != GRUC_NONE || stage->valid_only != GRUC_NONE;
    if (has_mask && schedule->buffers[stage->mask_view.buffer].storage == GRUC_STORE_TILE)
        found(context, stage->mask_view.buffer);
    for (size_t i = 0; stage->body != NULL && i < stage->body->n_stages; i++)
        each_tile(schedule, &stage->body->stages[i], found, context);
}

static void follow_writers(void *context, uint32_t buffer)
{
    struct reading *reading = context;
    for (size_t i = 0; i < reading->group->n_stages; i++) {
        const struct gruc_stage *writer = &reading->group->stages[i];
        unsigned lag = writer->lag + (writer->kind == GRUC_STAGE_SCAN ? reading->scan_lag : 0);
        if (stores_to(writer, buffer) && lag > reading->lag)
            reading->lag = lag;
    }
}

/* A buffer keeps the tiles from the one being written to the last that is still read. */
static void keep_tiles(void *context, uint32_t buffer)
{
    const struct reading *reading = context;
    uint32_t *tiles = &reading->schedule->buffers[buffer].tiles;
    for (size_t i = 0; i < reading->group->n_stages; i++) {
        const struct gruc_stage *writer = &reading->group->stages[i];
        if (stores_to(writer, buffer) && reading->lag - writer->lag + 1 > *tiles)
            *tiles = reading->lag - writer->lag + 1;
    }
}

void gruc_schedule_keep_tiles(const struct gruc_schedule *schedule,
                              const struct gruc_group *group)
{
    for (size_t i = 0; i < group->n_stages; i++) {
        struct reading reading = {.schedule = schedule, .group = group,
                                  .lag = group->stages[i].lag};
        each_tile(schedule, &group->stages[i], keep_tiles, &reading);
    }
}

unsigned gruc_schedule_stagger(struct gruc_schedule *schedule, struct gruc_group *group)
{
    unsigned most = 0;
    for (size_t i = 0; i < group->n_stages; i++) {
        struct gruc_stage *stage = &group->stages[i];
        struct reading reading = {.schedule = schedule, .group = group, .scan_lag = 1};
        each_tile(schedule, stage, follow_writers, &reading);
        stage->lag = reading.lag;
        if (stage->kind == GRUC_STAGE_SCAN && stage->lag > most)
            most = stage->lag;
    }
    for (size_t i = 0; i < group->n_stages; i++)
        if (group->stages[i].lag > most) /* what follows the last scan goes with it */
            group->stages[i].lag = most;
    gruc_schedule_keep_tiles(schedule, group);
    group->is_wavefront = most > 0;
    return most;
}

void gruc_schedule_trail(const struct gruc_schedule *schedule, struct gruc_group *group)
{
    for (size_t i = 0; i < group->n_stages; i++) {
        struct gruc_stage *stage = &group->stages[i];
        struct reading reading = {.schedule = schedule, .group = group};
        each_tile(schedule, stage, follow_writers, &reading);
        stage->lag = reading.lag;
        if (stage->companion != GRUC_NONE && group->stages[stage->companion].lag == stage->lag)
            stage->lag++;
    }
}

struct search {
    uint32_t buffer;
    int is_read;
};

static void look_for(void *context, uint32_t buffer)
{
    struct search *search = context;
    search->is_read |= buffer == search->buffer;
}

static int reads(const struct gruc_schedule *schedule, const struct gruc_stage *stage,
                 uint32_t buffer)
{
    struct search search = {.buffer = buffer};
    each_tile(schedule, stage, look_for, &search);
    return search.is_read;
}

/* The one owner of all stages that read what the stage stores; GRUC_NONE when there is none. */
static uint32_t owner_of_readers(const struct gruc_schedule *schedule,
                                 const struct gruc_group *group, const struct gruc_stage *stage)
{
    uint32_t owner = GRUC_NONE;
    for (size_t i = 0; i < stage->n_stores; i++) {
        uint32_t buffer = stage->stores[i].view.buffer;
        if (schedule->buffers[buffer].storage != GRUC_STORE_TILE)
            return GRUC_NONE;
        for (size_t k = 0; k < group->n_stages; k++) {
            if (!reads(schedule, &group->stages[k], buffer))
                continue;
            if (group->stages[k].owner == GRUC_NONE ||
                (owner != GRUC_NONE && group->stages[k].owner != owner))
                return GRUC_NONE;
            owner = group->stages[k].owner;
        }
    }
    return owner;
}

void gruc_schedule_own(const struct gruc_schedule *schedule, struct gruc_group *group)
{
    for (size_t i = group->n_stages; i > 0; i--) {
        struct gruc_stage *stage = &group->stages[i - 1];
        if (stage->kind != GRUC_STAGE_SCAN)
            stage->owner = owner_of_readers(schedule, group, stage);
    }
}

int gruc_schedule_is_companion(const struct gruc_group *group, size_t number)
{
    for (size_t i = 0; i < group->n_stages; i++)
        if (group->stages[i].companion == number)
            return 1;
    return 0;
}

const struct gruc_view *gruc_schedule_copied(const struct gruc_schedule *schedule,
                                             const struct gruc_group *group, size_t number)
{
    const struct gruc_stage *stage = &group->stages[number];
    if (stage->kind != GRUC_STAGE_SWEEP || stage->n_ops != 1 || stage->n_loads != 1 ||
        stage->n_stores != 1 || schedule->ir->ops[stage->ops[0]].code != GRUC_OP_COPY)
        return NULL;
    const struct gruc_view *from = &stage->loads[0].view, *to = &stage->stores[0].view;
    const struct gruc_buffer *array = &schedule->buffers[from->buffer];
    const struct gruc_buffer *tile = &schedule->buffers[to->buffer];
    int is_array =
        array->storage == GRUC_STORE_INPUT || array->storage == GRUC_STORE_SEQUENCE;
    if (!is_array || tile->storage != GRUC_STORE_TILE || array->dtype != tile->dtype ||
        to->column != 0)
        return NULL;
    for (size_t i = 0; i < group->n_stages; i++)
        if (reads(schedule, &group->stages[i], to->buffer) &&
            !gruc_schedule_is_companion(group, i))
            return NULL;
    return from;
}

/* Whether all values that the stage makes are stored once, to a tile, and one stage reads them. */
static int feeds_only(const struct gruc_schedule *schedule, const struct gruc_group *group,
                      const struct gruc_stage *stage, size_t reader)
{
    if (stage->n_stores != stage->n_ops)
        return 0;
    for (size_t i = 0; i < stage->n_stores; i++) {
        uint32_t buffer = stage->stores[i].view.buffer;
        if (schedule->buffers[buffer].storage != GRUC_STORE_TILE ||
            schedule->ir->ops[stage->ops[i]].results[0] != stage->stores[i].value ||
            !reads(schedule, &group->stages[reader], buffer))
            return 0;
        for (size_t k = 0; k < group->n_stages; k++)
            if (k != reader && reads(schedule, &group->stages[k], buffer))
                return 0;
    }
    return 1;
}

uint32_t gruc_schedule_companion(const struct gruc_schedule *schedule,
                                 const struct gruc_group *group, size_t scan)
{
    uint32_t best = GRUC_NONE;
    uint64_t most = 0;
    for (size_t i = 0; i < scan; i++) {
        const struct gruc_stage *stage = &group->stages[i];
        if (stage->kind != GRUC_STAGE_SWEEP || stage->n_products != 1 ||
            stage->products[0].n_ops != stage->n_ops || stage->n_loads > 0 ||
            !feeds_only(schedule, group, stage, scan))
            continue;
        uint64_t weights = (uint64_t)stage->products[0].depth * stage->width * stage->n_ops;
        if (weights > most) {
            most = weights;
            best = (uint32_t)i;
        }
    }
    return best;
}

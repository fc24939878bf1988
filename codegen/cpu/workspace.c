/* SPDX-License-Identifier: MIT */
/* How much memory a call needs: tiles are sized so that they stay in the second-level cache, larger
 * ones of large weights so that what is read of these for a tile is little for each of its rows. */
#include "codegen/cpu/blocking.h"

enum {
    TILE_BYTES = 256 * 1024, LEAST_TILE_ROWS = 32, MOST_TILE_ROWS = 128, ROW_GROUP = 32,
    TILES_OF_WEIGHTS = 8,
    WANTED_TILE_ROWS = 512 /* at most */
};

/* The last stages of a wavefront wait for its first tile, so tiles are short there. */
static int is_wavefront(const struct gruc_schedule *schedule)
{
    for (size_t g = 0; g < schedule->n_groups; g++)
        if (schedule->groups[g].is_wavefront)
            return 1;
    return 0;
}

uint64_t cpu_least_tile(const struct gruc_schedule *schedule)
{
    uint64_t bytes = 0;
    int must_be_apart = is_wavefront(schedule);
    for (size_t i = 0; i < schedule->n_buffers; i++) {
        const struct gruc_buffer *buffer = &schedule->buffers[i];
        if (buffer->storage == GRUC_STORE_TILE)
            bytes += (uint64_t)buffer->stride * cpu_dtype_bytes(buffer->dtype) *
                     (must_be_apart ? buffer->tiles : 1);
    }
    return bytes;
}

static uint64_t tile_bytes(const struct gruc_schedule *schedule)
{
    uint64_t bytes = TILE_BYTES;
    for (size_t g = 0; g < schedule->n_groups; g++)
        for (size_t i = 0; i < schedule->groups[g].n_stages; i++) {
            const struct gruc_stage *stage = &schedule->groups[g].stages[i];
            uint64_t part = cpu_blocking_weight_bytes(stage, stage->width) / TILES_OF_WEIGHTS;
            bytes = part > bytes ? part : bytes;
        }
    return bytes;
}

void cpu_plan_workspace(const struct gruc_schedule *schedule, const struct gruc_blocking *blocking,
                        struct gruc_module_info *info)
{
    for (size_t i = 0; i < schedule->n_buffers; i++) {
        const struct gruc_buffer *buffer = &schedule->buffers[i];
        uint64_t bytes = cpu_dtype_bytes(buffer->dtype), row = buffer->stride * bytes;
        uint64_t sequence = buffer->width * bytes * buffer->steps.factor;
        switch (buffer->storage) {
        case GRUC_STORE_INPUT:
        case GRUC_STORE_OUTPUT:
            continue;
        case GRUC_STORE_TILE:
            info->workspace_tile += row * buffer->tiles;
            info->workspace_fixed += (buffer->tiles - 1) * GRUC_ABI_ALIGNMENT;
            break;
        case GRUC_STORE_ROW:
            info->workspace_row += row;
            break;
        case GRUC_STORE_CARRY:
            info->workspace_row += 2 * row;
            break;
        case GRUC_STORE_SEQUENCE:
            if (buffer->steps.symbol < 0)
                info->workspace_row += sequence;
            else
                info->workspace_row_step[buffer->steps.symbol] += sequence;
            break;
        }
        info->workspace_fixed += 3 * GRUC_ABI_ALIGNMENT; /* rounding, and reading past the end */
        info->workspace_fixed += info->unit_threads > 1 ? 2 * CPU_BUFFER_GAP : 0;
    }
    info->row_group = ROW_GROUP;
    uint64_t rows = info->workspace_tile == 0 ? MOST_TILE_ROWS
                                              : tile_bytes(schedule) / info->workspace_tile;
    info->tile_rows = rows < LEAST_TILE_ROWS ? LEAST_TILE_ROWS
                      : rows > MOST_TILE_ROWS ? MOST_TILE_ROWS : rows;
    if (is_wavefront(schedule))
        info->tile_rows = LEAST_TILE_ROWS;
    if (blocking->tile_rows >= LEAST_TILE_ROWS && blocking->tile_rows <= WANTED_TILE_ROWS)
        info->tile_rows = blocking->tile_rows;
}

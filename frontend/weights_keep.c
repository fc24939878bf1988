/* SPDX-License-Identifier: MIT */
/* Weights that stay in their file: whoever packs them reads them row by row. */
#include "frontend/weights_file.h"

#include <string.h>

enum { PIECE = 1 << 13 };

/* bfloat16 is the upper half of a float32. */
static void widen_bfloat16(const unsigned char *bytes, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)bytes[2 * i] << 16 | (uint32_t)bytes[2 * i + 1] << 24;
        memcpy(&out[i], &bits, sizeof bits);
    }
}

int gruc_weights_read_piece(const void *context, uint64_t first, size_t count, float *out)
{
    const struct gruc_weights_piece *piece = context;
    const struct gruc_weights_file file = {.descriptor = piece->descriptor};
    unsigned char bytes[2 * PIECE];
    if (!piece->is_bfloat16)
        return gruc_weights_read(&file, piece->begin + first * sizeof(float), out,
                                 count * sizeof(float));
    for (size_t part; count > 0; out += part, first += part, count -= part) {
        part = count < PIECE ? count : PIECE;
        if (!gruc_weights_read(&file, piece->begin + first * 2, bytes, part * 2))
            return 0;
        widen_bfloat16(bytes, part, out);
    }
    return 1;
}

enum gruc_status gruc_weights_keep(struct gruc_weights_file *file,
                                   const struct gruc_weights_piece *piece,
                                   struct gruc_parameter *parameter, struct gruc_arena *arena)
{
    struct gruc_weights_piece *kept = GRUC_NEW(arena, struct gruc_weights_piece);
    if (kept == NULL)
        return GRUC_ERROR_MEMORY;
    *kept = *piece;
    parameter->source = (struct gruc_tensor_source){gruc_weights_read_piece, kept};
    file->is_kept = 1;
    return GRUC_OK;
}

/* SPDX-License-Identifier: MIT */
#include <gruc/runtime.h>

enum gruc_status grt_mask_from_lengths(const uint64_t *lengths, uint64_t batch, uint64_t steps,
                                       uint8_t *mask)
{
    if (batch > 0 && (lengths == NULL || (steps > 0 && mask == NULL)))
        return GRUC_ERROR_ARGUMENT;
    for (uint64_t b = 0; b < batch; b++)
        if (lengths[b] > steps)
            return GRUC_ERROR_ARGUMENT;
    for (uint64_t b = 0; b < batch; b++)
        for (uint64_t t = 0; t < steps; t++)
            *mask++ = t < lengths[b];
    return GRUC_OK;
}

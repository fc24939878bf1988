/* SPDX-License-Identifier: MIT */
#include "runtime/memory.h"

#include <stdlib.h>

void *grt_memory_take(uint64_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return NULL;
    uint64_t rounded = (bytes + GRUC_ABI_ALIGNMENT - 1) / GRUC_ABI_ALIGNMENT * GRUC_ABI_ALIGNMENT;
    return aligned_alloc(GRUC_ABI_ALIGNMENT, rounded == 0 ? GRUC_ABI_ALIGNMENT : rounded);
}

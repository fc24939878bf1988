/* SPDX-License-Identifier: MIT */
#include "ir/sum.h"

/* Two ranges fill the pipelines of a one-row step at the small k where it is bound by latency; a
 * longer sum has work enough in the other units of a block. */
enum { SPLIT_LEAST = 2, SPLIT_MOST = 32 };

unsigned gruc_sum_ranges(uint32_t k)
{
    return k >= SPLIT_LEAST && k <= SPLIT_MOST ? 2 : 1;
}

uint32_t gruc_sum_range_begin(uint32_t k, unsigned range)
{
    unsigned ranges = gruc_sum_ranges(k);
    if (range == 0)
        return 0;
    return range >= ranges ? k : k - k / 2;
}

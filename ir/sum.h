/* SPDX-License-Identifier: MIT */
#ifndef GRUC_IR_SUM_H
#define GRUC_IR_SUM_H

#include <stdint.h>

/* Into how many contiguous ranges of k a dot product over k of this length is split; each range is
 * accumulated in order by FMA, the first from the bias (or +0), the others from +0; the partial
 * sums are added in order. Range i begins at gruc_sum_range_begin(k, i). */
unsigned gruc_sum_ranges(uint32_t k);
uint32_t gruc_sum_range_begin(uint32_t k, unsigned range);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_CODEGEN_PROFILE_H
#define GRUC_CODEGEN_PROFILE_H

/* Where profiled code adds up what its stages take. Three numbers for each stage by its number
 * (ir/schedule/walk.h), then as many for a pair of readings with nothing between, taken once for
 * each group of rows, and for the group itself; last the clock when the latest group began. All
 * stay zero where user code can read no steady clock. One thread at a time may run profiled code.
 */

#include <stddef.h>
#include <stdint.h>

enum { GRUC_PROFILE_TICKS, GRUC_PROFILE_CALLS, GRUC_PROFILE_ROWS, GRUC_PROFILE_FIELDS };

static inline size_t gruc_profile_empty(size_t n_stages)
{
    return n_stages;
}

static inline size_t gruc_profile_group(size_t n_stages)
{
    return n_stages + 1;
}

static inline size_t gruc_profile_clock(size_t n_stages)
{
    return (n_stages + 2) * GRUC_PROFILE_FIELDS;
}

static inline size_t gruc_profile_length(size_t n_stages)
{
    return gruc_profile_clock(n_stages) + 1;
}

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GRT_STREAM_H
#define GRT_STREAM_H

#include "runtime/feed.h"

/* Raw little-endian float32 from standard input through a module with one float32 input and output
 * to standard output. A sequence of unknown length is one row (batch 1) of as many steps as come;
 * streaming modules answer as data arrive. An input of fixed shape is a batch of as many rows as
 * come. GRUC_ERROR_ARGUMENT when the module is not of that kind. */
GRUC_MUST_USE enum gruc_status grt_stream_run(const struct grt_module *module,
                                              const struct grt_feed_options *options, char *error);

#endif

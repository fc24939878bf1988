/* SPDX-License-Identifier: MIT */
#ifndef GRT_FEED_H
#define GRT_FEED_H

/* Whole arrays through a module, at once or in chunks of steps; what `gruc run` and standalone
 * programs do. */

#include <gruc/npy.h>
#include <gruc/runtime.h>

enum { GRT_FEED_ERROR_BYTES = 512 };

struct grt_feed_options {
    uint64_t chunk; /* steps a call, with the state kept; 0: all in one call */
    unsigned threads;
    int eager; /* as in struct grt_session_options */
};

/* inputs: one array for each input in the module's order, of the input's type. outputs has room for
 * one array for each output; they are the caller's to finish, also after a failure (then empty).
 * Inputs whose first axis beside the batch is an unknown number of steps are cut, others are given
 * whole to each call. Outputs with such an axis are joined over time, others are the last call's.
 * error has room for GRT_FEED_ERROR_BYTES. */
GRUC_MUST_USE enum gruc_status grt_feed(const struct grt_module *module,
                                        const struct gruc_array *inputs,
                                        const struct grt_feed_options *options,
                                        struct gruc_array *outputs, char *error);

/* Which tensor "[NAME=]FILE" speaks of, and the file: with a name that one, else the first that is
 * not taken. taken: one flag a tensor, set here. A prefix with '/' in it is part of a file's name.
 * kind is "input" or "output". */
GRUC_MUST_USE enum gruc_status grt_feed_argument(const struct gruc_tensor_info *tensors,
                                                 uint32_t count, const char *kind,
                                                 const char *argument, unsigned char *taken,
                                                 uint32_t *index, const char **path, char *error);

/* Reads a .npy file in the type that the tensor wants. */
GRUC_MUST_USE enum gruc_status grt_feed_read(const struct gruc_tensor_info *tensor,
                                             const char *path, struct gruc_array *out,
                                             char *error);

#endif

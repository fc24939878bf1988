/* SPDX-License-Identifier: MIT */
#ifndef GRUC_DRIVER_RANDOM_INPUTS_H
#define GRUC_DRIVER_RANDOM_INPUTS_H

/* Arrays for a module's inputs, the same for the same seed. */

#include <gruc/npy.h>

#include "driver/cli.h"
#include "frontend/model.h"

struct gruc_random {
    uint64_t state;
};
uint64_t gruc_random_next(struct gruc_random *random);

struct gruc_random_inputs {
    uint64_t batch, steps; /* of every unknown length */
    enum gruc_masks masks; /* what bool inputs are */
    uint64_t seed;
};
/* One array an input: floats in [-1, 1], ids inside the tables they are for, masks that leave three
 * quarters of the steps. arrays has room for the model's inputs; all are to be finished, also on
 * failure. */
enum gruc_status gruc_random_inputs_make(const struct gruc_model *model,
                                         const struct gruc_module_info *info,
                                         const struct gruc_random_inputs *options,
                                         struct gruc_array *arrays);
/* Binds them, makes the arrays of outputs that are not there yet behind them, binds those too. */
enum gruc_status gruc_arrays_bind(struct grt_session *session, const struct gruc_module_info *info,
                                  struct gruc_array *arrays);
void gruc_arrays_finish(struct gruc_array *arrays, size_t count);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_DRIVER_MEASURE_H
#define GRUC_DRIVER_MEASURE_H

/* Times calls of a module on random inputs. */

#include <gruc/npy.h>
#include <gruc/runtime.h>

#include "driver/cli.h"
#include "driver/compile.h"

struct gruc_measurement {
    const struct gruc_module_info *info; /* NULL: nothing to finish */
    struct grt_session *session;
    struct gruc_array *arrays; /* inputs, then outputs */
    uint64_t batch, steps;     /* of a call, steps where the model does not know its own */
    unsigned calls;            /* of a sample */
};

/* Opens the model of the command line. Its sizes are those of the calls: the code stays free to
 * take others, except where the model fixes its batch. */
enum gruc_status gruc_measurement_open(const struct gruc_cli *cli, struct gruc_options *options,
                                       struct gruc_model_handle **out);
/* Inputs, outputs and a session of so many threads for the sizes of the command line; the first
 * calls. module is borrowed. Finish in any case. */
enum gruc_status gruc_measurement_begin(struct gruc_measurement *m, const struct gruc_cli *cli,
                                        const struct gruc_model *model,
                                        const struct grt_module *module, unsigned threads);
/* Milliseconds of a call, the mean over one sample. */
enum gruc_status gruc_measurement_sample(struct gruc_measurement *m, double *out);
/* How many steps a call computes: of models without unknown lengths their longest known one. */
uint64_t gruc_measurement_steps(const struct gruc_measurement *m);
/* Bytes of workspace of a call. */
uint64_t gruc_measurement_workspace(const struct gruc_measurement *m);
/* Words on what failed. */
const char *gruc_measurement_error(const struct gruc_measurement *m, enum gruc_status status);
void gruc_measurement_finish(struct gruc_measurement *m);

/* Sorts samples; the one in the middle. */
double gruc_median(double *samples, size_t count);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_DRIVER_CHECK_TYPES_H
#define GRUC_DRIVER_CHECK_TYPES_H

/* How far code with narrow weights is from the model as it is given. */

#include "driver/cli.h"
#include "driver/compile.h"

/* Prints a line for each output and type of weights, or appends JSON: the greatest and the root
 * mean square error of the cpu back end against ref, on the arrays of --calibrate or else random
 * ones. The type is that of the options; where that is none that loses anything, --calibrate asks
 * for all. */
enum gruc_status gruc_check_types(const struct gruc_cli *cli, struct gruc_model_handle *handle,
                                  struct gruc_strbuf *report);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_DRIVER_CHECK_BITS_H
#define GRUC_DRIVER_CHECK_BITS_H

/* Whether a module gives the same bits however a computation is cut up. */

#include <gruc/runtime.h>

#include "frontend/model.h"

enum gruc_check_bits {
    GRUC_CHECK_ROWS_ALONE, /* each row by itself, against all in one batch */
    GRUC_CHECK_CHUNKS_1,   /* one step a call, against all steps in one */
    GRUC_CHECK_CHUNKS_7,
    GRUC_CHECK_THREADS, /* two, against one */
    GRUC_CHECK_BITS_COUNT
};
enum gruc_check_result { GRUC_CHECK_SAME, GRUC_CHECK_DIFFER, GRUC_CHECK_SKIP };

const char *gruc_check_bits_name(enum gruc_check_bits check);
/* GRUC_CHECK_SKIP where the model itself does not allow to cut so. */
enum gruc_status gruc_check_bits(const struct gruc_model *model, const struct grt_module *module,
                                 enum gruc_check_bits check, uint64_t seed,
                                 enum gruc_check_result *out);

#endif

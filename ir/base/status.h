/* SPDX-License-Identifier: MIT */
#ifndef GRUC_BASE_STATUS_H
#define GRUC_BASE_STATUS_H

#include <gruc/status.h>

/* Returns from the enclosing function when the call did not succeed. */
#define GRUC_TRY(call)                                                                             \
    do {                                                                                           \
        enum gruc_status status_of_call = (call);                                                  \
        if (status_of_call != GRUC_OK)                                                             \
            return status_of_call;                                                                 \
    } while (0)

#endif

/* SPDX-License-Identifier: MIT */
#include <gruc/runtime.h>

const char *gruc_status_text(enum gruc_status status)
{
    switch (status) {
#define GRUC_STATUS_CASE(name, value, text)                                                        \
    case GRUC_##name:                                                                              \
        return text;
        GRUC_STATUS_LIST(GRUC_STATUS_CASE)
#undef GRUC_STATUS_CASE
    }
    return "unknown status";
}

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_STATUS_H
#define GRUC_STATUS_H

/* What a fallible function of either library answers. The values are part of the ABI: generated
 * code returns them as int. Detail, where there is any, goes to the diagnostics of the context. */

#ifdef __cplusplus
extern "C" {
#endif

#define GRUC_STATUS_LIST(X)                                                                        \
    X(OK, 0, "done")                                                                               \
    X(ERROR_INPUT, 1, "the model, the weights or a data file is wrong")                            \
    X(ERROR_ARGUMENT, 2, "an argument of the call is wrong")                                       \
    X(ERROR_MEMORY, 3, "out of memory")                                                            \
    X(ERROR_IO, 4, "a file could not be read or written")                                          \
    X(ERROR_UNSUPPORTED, 5, "not available on this machine, target or build")                      \
    X(ERROR_INTERNAL, 6, "a defect of gruc itself")                                                \
    X(ERROR_STEPS, 7, "a sequence has no steps, or another number than its partner")               \
    X(ERROR_BATCH, 8, "the batch differs from the static batch of the model")                      \
    X(ERROR_SHAPE, 9, "an array has the wrong shape or type")                                      \
    X(ERROR_ID, 10, "an embedding id lies outside the table")                                      \
    X(ERROR_WORKSPACE, 11, "the workspace is missing or too small")                                \
    X(ERROR_ABI, 12, "the module was built for another ABI version")

enum gruc_status {
#define GRUC_STATUS_ENUM(name, value, text) GRUC_##name = value,
    GRUC_STATUS_LIST(GRUC_STATUS_ENUM)
#undef GRUC_STATUS_ENUM
};

#if defined(__GNUC__)
#define GRUC_MUST_USE __attribute__((warn_unused_result))
#define GRUC_API __attribute__((visibility("default")))
#else
#define GRUC_MUST_USE
#define GRUC_API
#endif

#ifdef __cplusplus
}
#endif
#endif

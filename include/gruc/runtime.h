/* SPDX-License-Identifier: MIT */
#ifndef GRUC_RUNTIME_H
#define GRUC_RUNTIME_H

/* libgruc_rt: runs what gruc compiled. Needs libc (and pthreads) only. A module is immutable and
 * may be shared by threads; a session belongs to one thread at a time. */

#include <gruc/abi.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The text of a status, static storage. */
GRUC_API const char *gruc_status_text(enum gruc_status status);

/* ---- modules ---- */
struct grt_module;

/* Called with owner when the module is destroyed; NULL: nothing to release. */
typedef void (*grt_release_function)(void *owner);

/* From two functions in this process: of an object linked in (NAME_describe, NAME_run_batch of its
 * header) or of a JIT. Checks magic, ABI version and sizes (GRUC_ERROR_ABI). owner is released on
 * destruction, and also when this call fails. *out is the caller's, NULL on failure. */
GRUC_API GRUC_MUST_USE enum gruc_status
grt_module_create(gruc_describe_function describe, gruc_run_function run,
                  grt_release_function release, void *owner, struct grt_module **out);

/* A run function with a context, for interpreters. */
typedef int (*grt_run_function)(void *context, const struct gruc_args *args);
GRUC_API GRUC_MUST_USE enum gruc_status
grt_module_create_hosted(const struct gruc_module_info *info, grt_run_function run, void *context,
                         grt_release_function release, struct grt_module **out);

/* From a shared library that gruc wrote (--emit=shared). Runs code of that file. GRUC_ERROR_IO when
 * it cannot be opened, GRUC_ERROR_ABI when it is no module. */
GRUC_API GRUC_MUST_USE enum gruc_status grt_module_open(const char *path,
                                                        struct grt_module **out);
GRUC_API void grt_module_destroy(struct grt_module *module); /* NULL is fine */
/* Borrowed; lives as long as the module. */
GRUC_API const struct gruc_module_info *grt_module_info(const struct grt_module *module);

/* ---- sessions ---- */
struct grt_session;

struct grt_session_options {
    size_t size;      /* sizeof(struct grt_session_options) */
    unsigned threads; /* at most so many compute a call, rows each or, of few rows, units each;
                         0 or 1: the caller's thread alone. Others wake on a processor that
                         the caller may use but does not run on, and there are no more of
                         them than such processors when the session is made */
    int carry;        /* nonzero: layers that are not stateful continue from call to call as well */
    int eager;        /* nonzero: so many threads share the work however little it is and on
                         however few processors, which is slower */
};

/* Borrows module, which must outlive the session. options NULL: one thread, no carry. */
GRUC_API GRUC_MUST_USE enum gruc_status
grt_session_create(const struct grt_module *module, const struct grt_session_options *options,
                   struct grt_session **out);
GRUC_API void grt_session_destroy(struct grt_session *session);

/* Binds an array, borrowed until the next bind of the same name; index counts inputs (outputs) in
 * the module's order, dims has the rank of the tensor's info, batch axis included. The type must
 * agree with the info. GRUC_ERROR_SHAPE, GRUC_ERROR_BATCH or GRUC_ERROR_ARGUMENT name the fault;
 * grt_session_error gives it in words. Outputs are bound with the room they have: their dims are
 * asked by grt_session_output_dims after the inputs are bound. */
GRUC_API GRUC_MUST_USE enum gruc_status grt_session_bind_input(struct grt_session *session,
                                                               uint32_t index, const void *data,
                                                               enum gruc_dtype dtype,
                                                               uint32_t rank, const int64_t *dims);
GRUC_API GRUC_MUST_USE enum gruc_status grt_session_output_dims(struct grt_session *session,
                                                                uint32_t index, int64_t *dims);
GRUC_API GRUC_MUST_USE enum gruc_status grt_session_bind_output(struct grt_session *session,
                                                                uint32_t index, void *data,
                                                                size_t bytes);
/* Index of a name, -1: no such. */
GRUC_API int grt_module_input_index(const struct grt_module *module, const char *name);
GRUC_API int grt_module_output_index(const struct grt_module *module, const char *name);
GRUC_API int grt_module_state_index(const struct grt_module *module, const char *name);

/* Runs on what is bound. Allocates workspace only when batch or steps grew since the last call. On
 * any status but GRUC_OK outputs are unspecified and the state is untouched. T = 0 is
 * GRUC_ERROR_STEPS; a batch of 0 gives empty outputs. */
GRUC_API GRUC_MUST_USE enum gruc_status grt_session_run(struct grt_session *session);
/* Words on the last failure of this session; static or owned by the session. */
GRUC_API const char *grt_session_error(const struct grt_session *session);

/* ---- state: float32, (batch, width) row-major ---- */
/* Sets every state to zero (Keras reset_states()). */
GRUC_API void grt_session_reset(struct grt_session *session);
/* Keras reset_states(values): dims must be (batch, width) of that state, else GRUC_ERROR_SHAPE. */
GRUC_API GRUC_MUST_USE enum gruc_status grt_session_set_state(struct grt_session *session,
                                                              uint32_t index, const float *values,
                                                              uint32_t rank, const int64_t *dims);
/* values has room for batch * width numbers of the state. */
GRUC_API GRUC_MUST_USE enum gruc_status grt_session_get_state(const struct grt_session *session,
                                                              uint32_t index, float *values,
                                                              size_t count);

/* ---- masks ---- */
/* mask[b * steps + t] = t < lengths[b]. GRUC_ERROR_ARGUMENT when a length exceeds steps. */
GRUC_API GRUC_MUST_USE enum gruc_status grt_mask_from_lengths(const uint64_t *lengths,
                                                              uint64_t batch, uint64_t steps,
                                                              uint8_t *mask);

/* ---- standalone programs ---- */
/* The whole main of a standalone program: options --input, --output, --chunk, --threads, --info,
 * --help as in `gruc run`; without any, raw little-endian float32 from stdin to stdout (models with
 * one float32 input and one output). Returns the exit status: 0, 1 input error, 2 usage. */
GRUC_API int grt_standalone_main(int argc, char **argv, gruc_describe_function describe,
                                 gruc_run_function run);

#ifdef __cplusplus
}
#endif
#endif

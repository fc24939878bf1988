/* SPDX-License-Identifier: MIT */
#ifndef GRUC_TESTS_SUPPORT_CALLS_H
#define GRUC_TESTS_SUPPORT_CALLS_H

/* Calls of a module with named arrays, and what golden cases hold. */

#include <stdio.h>

#include <gruc/compiler.h>
#include <gruc/npy.h>

enum { TEST_MAX_PORTS = 16, TEST_NAME_BYTES = 128 };

struct test_port {
    char name[TEST_NAME_BYTES];
    struct gruc_array array;
};

struct test_call {
    size_t n_inputs, n_outputs;
    struct test_port inputs[TEST_MAX_PORTS], outputs[TEST_MAX_PORTS];
};

struct test_calls {
    size_t count;
    struct test_call *items;
};

/* Reads NAME.io.npz: members callK.in.PORT.npy and callK.out.PORT.npy. Prints why it cannot. */
int test_calls_read(const char *path, struct test_calls *out);
void test_calls_finish(struct test_calls *calls);
void test_call_finish(struct test_call *call);
const struct test_port *test_port_find(const struct test_port *ports, size_t count,
                                       const char *name);

/* Runs one call of an open session with the inputs of call; *out gets all outputs of the module in
 * its order, float32. error gets words on a failure. */
enum gruc_status test_run(struct grt_session *session, const struct grt_module *module,
                          const struct test_call *call, struct test_call *out,
                          const char **error);

/* How a module is to be run. */
struct test_way {
    unsigned threads;
    int carry;
};
/* Runs all calls one after the other in one session; outs has room for each. */
enum gruc_status test_run_all(const struct grt_module *module, const struct test_way *way,
                              const struct test_call *calls, size_t count, struct test_call *outs,
                              const char **error);

/* A copy of count entries from begin on along one axis; indexes wrap around. */
int test_array_take(const struct gruc_array *array, unsigned axis, int64_t begin, int64_t count,
                    struct gruc_array *out);
/* Appends more to *array along axis. */
int test_array_append(struct gruc_array *array, unsigned axis, const struct gruc_array *more);
/* Of a tensor, the axis with this dim; -1: none. */
int test_axis_find(const struct gruc_tensor_info *info, int64_t dim);

/* The number i of an array of any type, as double. */
double test_array_number(const struct gruc_array *array, size_t i);
/* Same shape and bits; any NaN equals any NaN. Otherwise *where is the first difference. */
int test_array_same(const struct gruc_array *a, const struct gruc_array *b, size_t *where);
/* All outputs; on a difference words in text. */
int test_outputs_same(const struct test_call *a, const struct test_call *b, char *text,
                      size_t text_bytes);

/* Bytes of a file with a NUL after them, NULL when it cannot be read. */
char *test_file_read(const char *path, size_t *length);
int test_file_write(const char *path, const void *bytes, size_t length);

#endif

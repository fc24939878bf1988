/* SPDX-License-Identifier: MIT */
/* Modules, sessions, states, threads and chunks of libgruc_rt, on a module written by hand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gruc/runtime.h>

#include "runtime/feed.h"
#include "runtime/words.h"
#include "tests/unit/fake_module.h"
#include "tests/unit/suites.h"

enum { MAX_ROWS = 33, MAX_STEPS = 7 };

struct data {
    int64_t batch, steps;
    float x[MAX_ROWS * MAX_STEPS * 2];
    uint8_t m[MAX_ROWS * MAX_STEPS];
    float y[MAX_ROWS * MAX_STEPS * 2], last[MAX_ROWS * 2];
};

/* Numbers whose float sums are exact, every fifth step masked. */
static void fill(struct data *data, int64_t batch, int64_t steps)
{
    memset(data, 0, sizeof *data);
    data->batch = batch;
    data->steps = steps;
    for (int64_t i = 0; i < batch * steps; i++) {
        data->x[2 * i] = (float)(i % 11) - 3;
        data->x[2 * i + 1] = (float)(i % 7) * 0.25f;
        data->m[i] = i % 5 != 0;
    }
}

/* What the module must answer from these sums on. */
static int agrees(const struct data *data, const float *start)
{
    for (int64_t b = 0; b < data->batch; b++) {
        float sum[2] = {start ? start[2 * b] : 0, start ? start[2 * b + 1] : 0};
        for (int64_t t = 0; t < data->steps; t++)
            for (int i = 0; i < 2; i++) {
                int64_t at = b * data->steps + t;
                if (data->m[at])
                    sum[i] += data->x[2 * at + i];
                if (data->y[2 * at + i] != sum[i])
                    return 0;
            }
        if (data->last[2 * b] != sum[0] || data->last[2 * b + 1] != sum[1])
            return 0;
    }
    return 1;
}

static enum gruc_status bind_inputs(struct grt_session *session, struct data *data)
{
    int64_t x[3] = {data->batch, data->steps, 2}, m[2] = {data->batch, data->steps};
    enum gruc_status status = grt_session_bind_input(session, 0, data->x, GRUC_FLOAT32, 3, x);
    return status != GRUC_OK ? status
                             : grt_session_bind_input(session, 1, data->m, GRUC_BOOL, 2, m);
}

static enum gruc_status run(struct grt_session *session, struct data *data)
{
    enum gruc_status status = bind_inputs(session, data);
    if (status == GRUC_OK)
        status = grt_session_bind_output(session, 0, data->y, sizeof data->y);
    if (status == GRUC_OK)
        status = grt_session_bind_output(session, 1, data->last, sizeof data->last);
    return status == GRUC_OK ? grt_session_run(session) : status;
}

static struct grt_module *create_module(void)
{
    struct grt_module *module = NULL;
    CU_ASSERT_EQUAL_FATAL(
        grt_module_create(fake_describe_module, fake_run_module, NULL, NULL, &module), GRUC_OK);
    return module;
}

static struct grt_session *create_session(const struct grt_module *module, unsigned threads,
                                          int carry)
{
    struct grt_session_options options = {sizeof options, threads, carry, 1};
    struct grt_session *session = NULL;
    CU_ASSERT_EQUAL_FATAL(grt_session_create(module, &options, &session), GRUC_OK);
    return session;
}

/* ---- modules ---- */

static void test_module_names(void)
{
    struct grt_module *module = create_module();
    CU_ASSERT_STRING_EQUAL(grt_module_info(module)->name, "fake");
    CU_ASSERT_EQUAL(grt_module_input_index(module, "m"), 1);
    CU_ASSERT_EQUAL(grt_module_output_index(module, "last"), 1);
    CU_ASSERT_EQUAL(grt_module_state_index(module, "sum"), 0);
    CU_ASSERT_EQUAL(grt_module_state_index(module, "x"), -1);
    grt_module_destroy(module);
    grt_module_destroy(NULL);
}

static enum gruc_status try_description(const struct fake_description *description)
{
    struct fake_host host = {0};
    struct grt_module *module = (struct grt_module *)&host;
    enum gruc_status status = grt_module_create_hosted(&description->info, fake_run_hosted, &host,
                                                       fake_release_host, &module);
    CU_ASSERT_EQUAL(module == NULL, status != GRUC_OK);
    grt_module_destroy(status == GRUC_OK ? module : NULL);
    CU_ASSERT_EQUAL(host.releases, 1);
    return status;
}

static void test_module_refused(void)
{
    struct fake_description d;
    fake_describe(&d);
    CU_ASSERT_EQUAL(try_description(&d), GRUC_OK);
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        fake_describe(&d);                                                                         \
        change;                                                                                    \
        CU_ASSERT_EQUAL(try_description(&d), GRUC_ERROR_ABI);                                      \
    } while (0)
    REFUSED(d.info.magic++);
    REFUSED(d.info.abi++);
    REFUSED(d.info.bytes -= 8);
    REFUSED(d.info.n_states = UINT32_MAX);
    REFUSED(d.info.flags = 1u << 20);
    REFUSED(d.info.n_steps = GRUC_ABI_MAX_STEPS + 1);
    REFUSED(d.info.n_steps = 0);
    REFUSED(d.info.row_group = 0);
    REFUSED(d.info.state_bytes = 60);
    REFUSED(d.info.state_bytes = 0);
    REFUSED(memset(d.info.name, 'a', GRUC_ABI_NAME_BYTES));
    REFUSED(memset(d.tensors[FAKE_X].name, 'a', GRUC_ABI_NAME_BYTES));
    REFUSED(d.tensors[FAKE_X].name[0] = '\0');
    REFUSED(d.tensors[FAKE_X].name[0] = 'm');
    REFUSED(d.tensors[FAKE_X].dtype = 3);
    REFUSED(d.tensors[FAKE_X].rank = 0);
    REFUSED(d.tensors[FAKE_X].rank = GRUC_ABI_MAX_RANK + 1);
    REFUSED(d.tensors[FAKE_X].dims[2] = 0);
    REFUSED(d.tensors[FAKE_X].dims[2] = GRUC_DIM_STEPS(1));
    REFUSED(d.tensors[FAKE_X].dims[2] = INT64_MIN);
    REFUSED(d.tensors[FAKE_X].dims[2] = INT64_MAX);
    REFUSED(d.tensors[FAKE_X].dims[1] = GRUC_DIM_BATCH);
    REFUSED(d.tensors[FAKE_SUM].dtype = GRUC_BOOL);
    REFUSED(d.tensors[FAKE_SUM].offset = 0);
    REFUSED(d.tensors[FAKE_SUM].offset = 18);
    REFUSED(d.tensors[FAKE_SUM].offset = 60);
    REFUSED(d.tensors[FAKE_SUM].offset = UINT64_MAX - 3);
    REFUSED(d.tensors[FAKE_SUM].dims[1] = 13);
    REFUSED((d.info.n_steps = 2, d.tensors[FAKE_Y].dims[1] = GRUC_DIM_STEPS(1)));
#undef REFUSED
    struct grt_module *module;
    CU_ASSERT_EQUAL(grt_module_create(NULL, fake_run_module, NULL, NULL, &module),
                    GRUC_ERROR_ABI);
    CU_ASSERT_EQUAL(grt_module_create(fake_describe_module, NULL, NULL, NULL, &module),
                    GRUC_ERROR_ABI);
}

static void test_module_open(void)
{
    struct grt_module *module;
    CU_ASSERT_EQUAL(grt_module_open("./no-such-library.so", &module), GRUC_ERROR_IO);
    CU_ASSERT_PTR_NULL(module);
    CU_ASSERT_EQUAL(grt_module_open("libm.so.6", &module), GRUC_ERROR_ABI);
    CU_ASSERT_EQUAL(grt_module_open(NULL, &module), GRUC_ERROR_ARGUMENT);
}

/* ---- sessions ---- */

static void test_session_run(void)
{
    static struct data data;
    struct grt_module *module = create_module();
    struct grt_session *session = create_session(module, 1, 0);
    static const int64_t batches[] = {1, 2, 5, 33, 3};
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        fill(&data, batches[i], 1 + (int64_t)i);
        CU_ASSERT_EQUAL(run(session, &data), GRUC_OK);
        CU_ASSERT(agrees(&data, NULL));
    }
    CU_ASSERT_EQUAL(run(session, &data), GRUC_OK); /* nothing was carried */
    CU_ASSERT(agrees(&data, NULL));
    int64_t dims[3];
    CU_ASSERT_EQUAL(grt_session_output_dims(session, 0, dims), GRUC_OK);
    CU_ASSERT(dims[0] == 3 && dims[1] == 5 && dims[2] == 2);
    CU_ASSERT_EQUAL(grt_session_output_dims(session, 2, dims), GRUC_ERROR_ARGUMENT);
    grt_session_destroy(session);
    grt_session_destroy(NULL);
    grt_module_destroy(module);
}

static void test_session_options(void)
{
    struct grt_module *module = create_module();
    struct grt_session *session;
    struct grt_session_options options = {0, 1, 0, 0};
    CU_ASSERT_EQUAL(grt_session_create(module, &options, &session), GRUC_ERROR_ARGUMENT);
    options = (struct grt_session_options){sizeof options, 5000, 0, 0};
    CU_ASSERT_EQUAL(grt_session_create(module, &options, &session), GRUC_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(grt_session_create(NULL, NULL, &session), GRUC_ERROR_ARGUMENT);
    options = (struct grt_session_options){sizeof options.size, 5000, 1, 0}; /* only size counts */
    CU_ASSERT_EQUAL(grt_session_create(module, &options, &session), GRUC_OK);
    grt_session_destroy(session);
    CU_ASSERT_EQUAL(grt_session_create(module, NULL, &session), GRUC_OK);
    grt_session_destroy(session);
    grt_module_destroy(module);
}

static void test_session_bad_inputs(void)
{
    static struct data data;
    struct grt_module *module = create_module();
    struct grt_session *session = create_session(module, 1, 0);
    fill(&data, 2, 6);
    int64_t x[3] = {2, 6, 2}, wide[3] = {2, 6, 3}, negative[3] = {-2, 6, 2};
    int64_t huge[3] = {INT64_MAX / 2, INT64_MAX / 2, 2}, m[2] = {2, 3}, other[2] = {3, 6};
#define X_STATUS(data, type, rank, dims) grt_session_bind_input(session, 0, data, type, rank, dims)
    CU_ASSERT_EQUAL(X_STATUS(data.x, GRUC_INT32, 3, x), GRUC_ERROR_SHAPE);
    CU_ASSERT_STRING_EQUAL(grt_session_error(session), "input 'x' is int32, expected float32");
    CU_ASSERT_EQUAL(X_STATUS(data.x, (enum gruc_dtype)77, 3, x), GRUC_ERROR_SHAPE);
    CU_ASSERT_EQUAL(X_STATUS(data.x, GRUC_FLOAT32, 2, x), GRUC_ERROR_SHAPE);
    CU_ASSERT_EQUAL(X_STATUS(data.x, GRUC_FLOAT32, 3, wide), GRUC_ERROR_SHAPE);
    CU_ASSERT_STRING_EQUAL(grt_session_error(session), "input 'x': axis 2 is 3, expected 2");
    CU_ASSERT_EQUAL(X_STATUS(data.x, GRUC_FLOAT32, 3, negative), GRUC_ERROR_SHAPE);
    CU_ASSERT_EQUAL(X_STATUS(data.x, GRUC_FLOAT32, 3, huge), GRUC_ERROR_SHAPE);
    CU_ASSERT_EQUAL(X_STATUS(data.x, GRUC_FLOAT32, 3, NULL), GRUC_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(X_STATUS(NULL, GRUC_FLOAT32, 3, x), GRUC_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(X_STATUS((char *)data.x + 1, GRUC_FLOAT32, 3, x), GRUC_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(grt_session_bind_input(session, 2, data.x, GRUC_FLOAT32, 3, x),
                    GRUC_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(grt_session_run(session), GRUC_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(X_STATUS(data.x, GRUC_FLOAT32, 3, x), GRUC_OK);
    CU_ASSERT_EQUAL(grt_session_bind_input(session, 1, data.m, GRUC_BOOL, 2, m), GRUC_OK);
    CU_ASSERT_EQUAL(grt_session_run(session), GRUC_ERROR_STEPS);
    CU_ASSERT_STRING_EQUAL(grt_session_error(session),
                           "input 'm': 3 steps, but input 'x' has 6");
    CU_ASSERT_EQUAL(grt_session_bind_input(session, 1, data.m, GRUC_BOOL, 2, other), GRUC_OK);
    CU_ASSERT_EQUAL(grt_session_run(session), GRUC_ERROR_BATCH);
    CU_ASSERT_STRING_EQUAL(grt_session_error(session), "input 'm': batch 3, but input 'x' has 2");
    fill(&data, 2, 0);
    CU_ASSERT_EQUAL(run(session, &data), GRUC_ERROR_STEPS);
#undef X_STATUS
    grt_session_destroy(session);
    grt_module_destroy(module);
}

static void test_session_bad_outputs(void)
{
    static struct data data;
    struct grt_module *module = create_module();
    struct grt_session *session = create_session(module, 1, 0);
    fill(&data, 2, 3);
    CU_ASSERT_EQUAL(bind_inputs(session, &data), GRUC_OK);
    CU_ASSERT_EQUAL(grt_session_run(session), GRUC_ERROR_ARGUMENT);
    CU_ASSERT_STRING_EQUAL(grt_session_error(session), "output 'y' is not bound");
    CU_ASSERT_EQUAL(grt_session_bind_output(session, 0, NULL, 4), GRUC_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(grt_session_bind_output(session, 2, data.y, 4), GRUC_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(grt_session_bind_output(session, 0, data.y, 2 * 3 * 2 * 4 - 1), GRUC_OK);
    CU_ASSERT_EQUAL(grt_session_bind_output(session, 1, data.last, 2 * 2 * 4), GRUC_OK);
    CU_ASSERT_EQUAL(grt_session_run(session), GRUC_ERROR_SHAPE);
    CU_ASSERT_EQUAL(grt_session_bind_output(session, 0, data.y, 2 * 3 * 2 * 4), GRUC_OK);
    CU_ASSERT_EQUAL(grt_session_run(session), GRUC_OK);
    CU_ASSERT_STRING_EQUAL(grt_session_error(session), "");
    CU_ASSERT(agrees(&data, NULL));
    grt_session_destroy(session);
    grt_module_destroy(module);
}

static void test_session_empty_batch(void)
{
    static struct data data;
    struct grt_module *module = create_module();
    struct grt_session *session = create_session(module, 2, 1);
    fill(&data, 0, 4);
    CU_ASSERT_EQUAL(run(session, &data), GRUC_OK);
    int64_t dims[3];
    CU_ASSERT_EQUAL(grt_session_output_dims(session, 0, dims), GRUC_OK);
    CU_ASSERT(dims[0] == 0 && dims[1] == 4);
    grt_session_destroy(session);
    grt_module_destroy(module);
}

static void test_session_static_sizes(void)
{
    static struct data data;
    struct fake_description description;
    struct fake_host host = {0};
    struct grt_module *module;
    fake_describe(&description);
    description.info.batch = 3;
    description.info.steps[0] = 4;
    CU_ASSERT_EQUAL_FATAL(grt_module_create_hosted(&description.info, fake_run_hosted, &host,
                                                   fake_release_host, &module), GRUC_OK);
    struct grt_session *session = create_session(module, 1, 1);
    float state[6] = {9, 9, 9, 9, 9, 9};
    CU_ASSERT_EQUAL(grt_session_get_state(session, 0, state, 6), GRUC_OK); /* zero from the start */
    CU_ASSERT(state[0] == 0 && state[5] == 0);
    fill(&data, 2, 4);
    CU_ASSERT_EQUAL(run(session, &data), GRUC_ERROR_BATCH);
    fill(&data, 3, 5);
    CU_ASSERT_EQUAL(run(session, &data), GRUC_ERROR_STEPS);
    fill(&data, 3, 4);
    CU_ASSERT_EQUAL(run(session, &data), GRUC_OK);
    CU_ASSERT(agrees(&data, NULL));
    grt_session_destroy(session);
    grt_module_destroy(module);
    CU_ASSERT_EQUAL(host.releases, 1);
}

/* ---- states ---- */

static void test_state_carry(void)
{
    static struct data data;
    struct grt_module *module = create_module();
    struct grt_session *session = create_session(module, 1, 1);
    fill(&data, 3, 5);
    CU_ASSERT_EQUAL(run(session, &data), GRUC_OK);
    CU_ASSERT(agrees(&data, NULL));
    float sums[6];
    CU_ASSERT_EQUAL(grt_session_get_state(session, 0, sums, 6), GRUC_OK);
    CU_ASSERT_EQUAL(memcmp(sums, data.last, sizeof sums), 0);
    CU_ASSERT_EQUAL(grt_session_get_state(session, 0, sums, 4), GRUC_ERROR_SHAPE);
    CU_ASSERT_EQUAL(grt_session_get_state(session, 1, sums, 6), GRUC_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(run(session, &data), GRUC_OK);
    CU_ASSERT(agrees(&data, sums));
    fill(&data, 2, 5);
    CU_ASSERT_EQUAL(run(session, &data), GRUC_ERROR_BATCH);
    grt_session_reset(session);
    CU_ASSERT_EQUAL(run(session, &data), GRUC_OK);
    CU_ASSERT(agrees(&data, NULL));
    grt_session_destroy(session);
    grt_module_destroy(module);
}

static void test_state_set(void)
{
    static struct data data;
    struct grt_module *module = create_module();
    struct grt_session *session = create_session(module, 1, 1);
    const float start[4] = {1, 2, 3, 4};
    int64_t dims[2] = {2, 2}, wide[2] = {2, 3}, more[2] = {3, 2};
    CU_ASSERT_EQUAL(grt_session_get_state(session, 0, data.last, 4), GRUC_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(grt_session_set_state(session, 0, start, 2, wide), GRUC_ERROR_SHAPE);
    CU_ASSERT_EQUAL(grt_session_set_state(session, 0, start, 1, dims), GRUC_ERROR_SHAPE);
    CU_ASSERT_EQUAL(grt_session_set_state(session, 1, start, 2, dims), GRUC_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(grt_session_set_state(session, 0, NULL, 2, dims), GRUC_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(grt_session_set_state(session, 0, start, 2, dims), GRUC_OK);
    CU_ASSERT_EQUAL(grt_session_set_state(session, 0, start, 2, more), GRUC_ERROR_SHAPE);
    fill(&data, 2, 3);
    CU_ASSERT_EQUAL(run(session, &data), GRUC_OK);
    CU_ASSERT(agrees(&data, start));
    grt_session_destroy(session);
    session = create_session(module, 1, 0);
    CU_ASSERT_EQUAL(grt_session_set_state(session, 0, start, 2, dims), GRUC_ERROR_ARGUMENT);
    grt_session_destroy(session);
    grt_module_destroy(module);
}

/* ---- threads ---- */

static void test_threads_agree(void)
{
    static struct data data;
    struct grt_module *module = create_module();
    for (unsigned threads = 1; threads <= 5; threads++)
        for (int64_t batch = 1; batch <= MAX_ROWS; batch += 4) {
            struct grt_session *session = create_session(module, threads, 1);
            float sums[MAX_ROWS * 2];
            fill(&data, batch, 7);
            CU_ASSERT_EQUAL(run(session, &data), GRUC_OK);
            CU_ASSERT(agrees(&data, NULL));
            memcpy(sums, data.last, sizeof sums);
            CU_ASSERT_EQUAL(run(session, &data), GRUC_OK);
            CU_ASSERT(agrees(&data, sums));
            grt_session_destroy(session);
        }
    grt_module_destroy(module);
}

static void test_threads_many_calls(void)
{
    static struct data data;
    struct grt_module *module = create_module();
    struct grt_session *session = create_session(module, 3, 0);
    fill(&data, 6, 2);
    int wrong = 0;
    for (int call = 0; call < 2000; call++) {
        memset(data.y, 0, sizeof data.y);
        wrong += run(session, &data) != GRUC_OK || !agrees(&data, NULL);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    grt_session_destroy(session);
    grt_module_destroy(module);
}

/* A bad id in the last share leaves the states of the first untouched too. */
static void test_threads_failure(void)
{
    static struct data data;
    struct grt_module *module = create_module();
    for (unsigned threads = 1; threads <= 3; threads += 2) {
        struct grt_session *session = create_session(module, threads, 1);
        float before[12], after[12];
        fill(&data, 6, 2);
        CU_ASSERT_EQUAL(run(session, &data), GRUC_OK);
        CU_ASSERT_EQUAL(grt_session_get_state(session, 0, before, 12), GRUC_OK);
        data.x[2 * (5 * 2)] = FAKE_BAD_VALUE;
        CU_ASSERT_EQUAL(run(session, &data), GRUC_ERROR_ID);
        CU_ASSERT_STRING_EQUAL(grt_session_error(session), gruc_status_text(GRUC_ERROR_ID));
        CU_ASSERT_EQUAL(grt_session_get_state(session, 0, after, 12), GRUC_OK);
        CU_ASSERT_EQUAL(memcmp(before, after, sizeof before), 0);
        grt_session_destroy(session);
    }
    grt_module_destroy(module);
}

static void test_threads_coupled(void)
{
    static struct data data;
    for (unsigned flags = 0; flags <= GRUC_MODULE_COUPLED; flags += GRUC_MODULE_COUPLED) {
        struct fake_description description;
        struct fake_host host = {0};
        struct grt_module *module;
        fake_describe(&description);
        description.info.flags = flags;
        CU_ASSERT_EQUAL_FATAL(grt_module_create_hosted(&description.info, fake_run_hosted, &host,
                                                       NULL, &module), GRUC_OK);
        struct grt_session *session = create_session(module, 4, 0);
        fill(&data, 9, 2);
        CU_ASSERT_EQUAL(run(session, &data), GRUC_OK);
        CU_ASSERT(agrees(&data, NULL));
        CU_ASSERT_EQUAL(host.calls, flags != 0 ? 1 : 4);
        CU_ASSERT_EQUAL(host.most_rows, flags != 0 ? 9 : 3);
        grt_session_destroy(session);
        grt_module_destroy(module);
    }
}

/* ---- chunks ---- */

static void make_arrays(struct data *data, int time_major, struct gruc_array arrays[2])
{
    int64_t x[3] = {data->batch, data->steps, 2}, m[2] = {data->batch, data->steps};
    if (time_major) {
        x[0] = m[0] = data->steps;
        x[1] = m[1] = data->batch;
    }
    CU_ASSERT_EQUAL_FATAL(gruc_array_create(GRUC_NPY_FLOAT32, 3, x, &arrays[0]), GRUC_OK);
    CU_ASSERT_EQUAL_FATAL(gruc_array_create(GRUC_NPY_BOOL, 2, m, &arrays[1]), GRUC_OK);
    for (int64_t b = 0; b < data->batch; b++)
        for (int64_t t = 0; t < data->steps; t++) {
            int64_t from = b * data->steps + t, to = time_major ? t * data->batch + b : from;
            ((float *)arrays[0].data)[2 * to] = data->x[2 * from];
            ((float *)arrays[0].data)[2 * to + 1] = data->x[2 * from + 1];
            ((uint8_t *)arrays[1].data)[to] = data->m[from];
        }
}

static void read_arrays(struct data *data, int time_major, const struct gruc_array arrays[2])
{
    for (int64_t b = 0; b < data->batch; b++)
        for (int64_t t = 0; t < data->steps; t++) {
            int64_t to = b * data->steps + t, from = time_major ? t * data->batch + b : to;
            data->y[2 * to] = ((const float *)arrays[0].data)[2 * from];
            data->y[2 * to + 1] = ((const float *)arrays[0].data)[2 * from + 1];
        }
    memcpy(data->last, arrays[1].data, arrays[1].bytes);
}

static void check_chunks(struct grt_module *module, int time_major)
{
    static struct data data;
    struct gruc_array inputs[2], outputs[2];
    char error[GRT_FEED_ERROR_BYTES];
    fill(&data, 3, 7);
    make_arrays(&data, time_major, inputs);
    for (uint64_t chunk = 0; chunk <= 8; chunk++) {
        struct grt_feed_options options = {chunk, 2, 0};
        CU_ASSERT_EQUAL(grt_feed(module, inputs, &options, outputs, error), GRUC_OK);
        CU_ASSERT_EQUAL(outputs[0].dims[time_major ? 0 : 1], 7);
        CU_ASSERT_EQUAL(outputs[0].dims[time_major ? 1 : 0], 3);
        read_arrays(&data, time_major, outputs);
        CU_ASSERT(agrees(&data, NULL));
        gruc_array_finish(&outputs[0]);
        gruc_array_finish(&outputs[1]);
    }
    gruc_array_finish(&inputs[0]);
    gruc_array_finish(&inputs[1]);
}

static void test_feed_chunks(void)
{
    struct grt_module *module = create_module();
    check_chunks(module, 0);
    grt_module_destroy(module);
}

static void test_feed_time_major(void)
{
    struct fake_description d;
    struct fake_host host = {.time_major = 1};
    struct grt_module *module;
    static const int changed[] = {FAKE_X, FAKE_M, FAKE_Y};
    fake_describe(&d);
    for (size_t i = 0; i < 3; i++) {
        d.tensors[changed[i]].dims[0] = GRUC_DIM_STEPS(0);
        d.tensors[changed[i]].dims[1] = GRUC_DIM_BATCH;
    }
    CU_ASSERT_EQUAL_FATAL(
        grt_module_create_hosted(&d.info, fake_run_hosted, &host, NULL, &module), GRUC_OK);
    check_chunks(module, 1);
    grt_module_destroy(module);
}

static void test_feed_faults(void)
{
    static struct data data;
    struct grt_module *module = create_module();
    struct gruc_array inputs[2], outputs[2], other[2];
    struct grt_feed_options options = {2, 1, 0};
    char error[GRT_FEED_ERROR_BYTES];
    fill(&data, 3, 7);
    make_arrays(&data, 0, inputs);
    fill(&data, 3, 5);
    make_arrays(&data, 0, other);
    struct gruc_array mixed[2] = {inputs[0], other[1]};
    CU_ASSERT_EQUAL(grt_feed(module, mixed, &options, outputs, error), GRUC_ERROR_STEPS);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "input 'm': 5 steps, but input 'x' has 7"));
    options.chunk = 0;
    CU_ASSERT_EQUAL(grt_feed(module, mixed, &options, outputs, error), GRUC_ERROR_STEPS);
    mixed[1] = inputs[0];
    CU_ASSERT_EQUAL(grt_feed(module, mixed, &options, outputs, error), GRUC_ERROR_SHAPE);
    options.chunk = 3; /* the second call fails: nothing is handed out */
    ((float *)inputs[0].data)[2 * 4] = FAKE_BAD_VALUE;
    CU_ASSERT_EQUAL(grt_feed(module, inputs, &options, outputs, error), GRUC_ERROR_ID);
    CU_ASSERT_PTR_NULL(outputs[0].data);
    for (int i = 0; i < 2; i++) {
        gruc_array_finish(&inputs[i]);
        gruc_array_finish(&other[i]);
    }
    grt_module_destroy(module);
}

static void test_feed_arguments(void)
{
    struct fake_description d;
    unsigned char taken[2] = {0, 0};
    uint32_t index;
    const char *path;
    char error[GRT_FEED_ERROR_BYTES];
    fake_describe(&d);
#define ARGUMENT(text) grt_feed_argument(d.tensors, 2, "input", text, taken, &index, &path, error)
    CU_ASSERT_EQUAL(ARGUMENT("m=a=b.npy"), GRUC_OK);
    CU_ASSERT(index == 1 && strcmp(path, "a=b.npy") == 0);
    CU_ASSERT_EQUAL(ARGUMENT("m=c.npy"), GRUC_ERROR_ARGUMENT);
    CU_ASSERT_STRING_EQUAL(error, "input 'm' is given twice");
    CU_ASSERT_EQUAL(ARGUMENT("q=c.npy"), GRUC_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(ARGUMENT("./q=c.npy"), GRUC_OK);
    CU_ASSERT(index == 0 && strcmp(path, "./q=c.npy") == 0);
    CU_ASSERT_EQUAL(ARGUMENT("c.npy"), GRUC_ERROR_ARGUMENT);
#undef ARGUMENT
}

static void test_mask_from_lengths(void)
{
    const uint64_t lengths[3] = {0, 2, 3};
    const uint8_t wanted[9] = {0, 0, 0, 1, 1, 0, 1, 1, 1};
    uint8_t mask[9] = {7, 7, 7, 7, 7, 7, 7, 7, 7};
    CU_ASSERT_EQUAL(grt_mask_from_lengths(lengths, 3, 2, mask), GRUC_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(mask[0], 7);
    CU_ASSERT_EQUAL(grt_mask_from_lengths(lengths, 3, 3, mask), GRUC_OK);
    CU_ASSERT_EQUAL(memcmp(mask, wanted, sizeof mask), 0);
    CU_ASSERT_EQUAL(grt_mask_from_lengths(NULL, 1, 3, mask), GRUC_ERROR_ARGUMENT);
}

/* The same text as the C library's own, cut at every length. */
static void test_words(void)
{
    char room[80], wanted[80];
    for (size_t size = 1; size <= sizeof room; size++) {
#define FORMAT "%s|%.*s|%d|%u|%ld|%lu|%lld|%llu|%zu."
#define VALUES "text", 2, "longer", -7, 4000000000u, INT64_MIN, UINT64_MAX, -1LL, 10ULL, (size_t)0
        snprintf(wanted, size, FORMAT, VALUES);
        CU_ASSERT_EQUAL(grt_words_format(room, size, FORMAT, VALUES), strlen(wanted));
#undef FORMAT
#undef VALUES
        CU_ASSERT_STRING_EQUAL(room, wanted);
    }
}

static void test_status_text(void)
{
    CU_ASSERT_STRING_EQUAL(gruc_status_text(GRUC_OK), "done");
    CU_ASSERT_PTR_NOT_NULL(gruc_status_text((enum gruc_status)1000));
}

CU_TestInfo gruc_runtime_tests[] = {
    {"module: names of tensors", test_module_names},
    {"module: every wrong description is refused", test_module_refused},
    {"module: open what is no module", test_module_open},
    {"session: any batch and steps", test_session_run},
    {"session: options", test_session_options},
    {"session: wrong inputs", test_session_bad_inputs},
    {"session: wrong outputs", test_session_bad_outputs},
    {"session: batch of 0", test_session_empty_batch},
    {"session: static batch and steps", test_session_static_sizes},
    {"state: carried until reset", test_state_carry},
    {"state: set", test_state_set},
    {"threads: same answer", test_threads_agree},
    {"threads: many short calls", test_threads_many_calls},
    {"threads: a failure leaves all states", test_threads_failure},
    {"threads: coupled rows stay together", test_threads_coupled},
    {"feed: chunks equal one call", test_feed_chunks},
    {"feed: time-major chunks", test_feed_time_major},
    {"feed: faults", test_feed_faults},
    {"feed: NAME=FILE", test_feed_arguments},
    {"mask: from lengths", test_mask_from_lengths},
    {"words: as snprintf", test_words},
    {"status: texts", test_status_text},
    CU_TEST_INFO_NULL,
};

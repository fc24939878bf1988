/* SPDX-License-Identifier: MIT */
/* Stages by number, what they have to do, and what code that times them counts. */
#include <stdlib.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "codegen/profile.h"
#include "driver/compile.h"
#include "ir/passes/passes.h"
#include "ir/schedule/walk.h"
#include "tests/unit/suites.h"

enum { ROWS = 3, STEPS = 5, WIDTH = 40, UNITS = 48, MASKED = 4 };

/* A product over all steps, a step under a mask, its masked steps, a state to start from and to
 * store, a reduction. */
static const char model_text[] = "model: profiled\n"
                                 "inputs:\n"
                                 "  x: [~, 40]\n"
                                 "  m: {shape: [~], dtype: bool}\n"
                                 "layers:\n"
                                 "  - GRU: {name: g, inputs: x, mask: m, units: 48}\n"
                                 "  - Dense: {name: y, units: 4, activation: softmax}\n";

struct profiled {
    struct gruc_model_handle *handle;
    struct gruc_compilation compilation;
    struct gruc_arena arena;
    struct gruc_ir *ir;
};

static void begin(struct profiled *p)
{
    CU_ASSERT_EQUAL_FATAL(
        gruc_model_parse("profiled.yaml", model_text, strlen(model_text), NULL, &p->handle),
        GRUC_OK);
    gruc_compilation_init(&p->compilation, NULL);
    gruc_compilation_set_model(&p->compilation, p->handle);
    gruc_arena_init(&p->arena);
    CU_ASSERT_EQUAL_FATAL(gruc_compile_lower(&p->compilation, p->handle, &p->arena, &p->ir),
                          GRUC_OK);
}

static void end(struct profiled *p)
{
    gruc_arena_finish(&p->arena);
    gruc_model_destroy(p->handle);
}

static void test_walk(void)
{
    struct profiled p;
    struct gruc_pass_options options = {.has_fma = 1, .weights = GRUC_WEIGHTS_F32};
    struct gruc_schedule *schedule;
    begin(&p);
    struct gruc_diag *diag = &p.compilation.diag;
    CU_ASSERT_EQUAL_FATAL(gruc_passes_run(p.ir, GRUC_PASS_COUNT - 1, &options, NULL, NULL, diag),
                          GRUC_OK);
    CU_ASSERT_EQUAL_FATAL(gruc_schedule_build(p.ir, diag, &schedule), GRUC_OK);
    size_t count = gruc_schedule_count(schedule), masked = 0, steps = 0;
    CU_ASSERT(count > 5);
    struct gruc_schedule_place place;
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_FATAL(gruc_schedule_find(schedule, i, &place));
        CU_ASSERT_EQUAL(gruc_schedule_number(schedule, place.stage), i);
        CU_ASSERT(place.stage->kind != GRUC_STAGE_SCAN);
        masked += place.is_masked;
        if (place.scan == NULL || place.is_masked)
            continue;
        struct gruc_stage_work work;
        gruc_schedule_work(schedule, place.stage, &work);
        CU_ASSERT_EQUAL(work.weight_bytes % (4 * UNITS), 0);
        CU_ASSERT(work.weight_bytes >= 3 * 4 * UNITS * UNITS);
        CU_ASSERT(work.row_flops > 2 * 3 * UNITS * UNITS);
        CU_ASSERT(work.row_flops < 2 * 3 * UNITS * UNITS + 200 * UNITS);
        CU_ASSERT(work.row_bytes >= 4 * UNITS * (3 + 2)); /* three gates, the state twice */
        steps++;
    }
    CU_ASSERT(!gruc_schedule_find(schedule, count, &place));
    CU_ASSERT_EQUAL(steps, 1);
    CU_ASSERT(masked > 0);
    end(&p);
}

static void run(struct grt_module *module, float out[ROWS * 4])
{
    static float x[ROWS * STEPS * WIDTH];
    static uint8_t mask[ROWS * STEPS];
    const int64_t x_dims[] = {ROWS, STEPS, WIDTH}, mask_dims[] = {ROWS, STEPS};
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = (float)(i % 23) / 23 - 0.5f;
    for (size_t i = 0; i < sizeof mask; i++)
        mask[i] = i >= MASKED; /* of the first row */
    struct grt_session *session;
    CU_ASSERT_EQUAL_FATAL(grt_session_create(module, NULL, &session), GRUC_OK);
    CU_ASSERT_EQUAL(grt_session_bind_input(session, 0, x, GRUC_FLOAT32, 3, x_dims), GRUC_OK);
    CU_ASSERT_EQUAL(grt_session_bind_input(session, 1, mask, GRUC_BOOL, 2, mask_dims), GRUC_OK);
    CU_ASSERT_EQUAL(grt_session_bind_output(session, 0, out, ROWS * 4 * sizeof *out), GRUC_OK);
    CU_ASSERT_EQUAL(grt_session_run(session), GRUC_OK);
    grt_session_destroy(session);
}

/* Every stage's calls and rows; more would be wrong for products that skip masked rows. */
static void check_counts(const struct gruc_schedule *schedule, const uint64_t *profile)
{
    size_t count = gruc_schedule_count(schedule);
    const uint64_t *group = profile + gruc_profile_group(count) * GRUC_PROFILE_FIELDS;
    uint64_t ticks = 0;
    CU_ASSERT_EQUAL(group[GRUC_PROFILE_CALLS], 1);
    CU_ASSERT_EQUAL(group[GRUC_PROFILE_ROWS], ROWS);
    CU_ASSERT(profile[gruc_profile_clock(count)] != 0);
    for (size_t i = 0; i < count; i++) {
        const uint64_t *stage = profile + i * GRUC_PROFILE_FIELDS;
        struct gruc_schedule_place place;
        gruc_schedule_find(schedule, i, &place);
        ticks += stage[GRUC_PROFILE_TICKS];
        if (place.is_masked) {
            CU_ASSERT_EQUAL(stage[GRUC_PROFILE_CALLS], MASKED);
            CU_ASSERT_EQUAL(stage[GRUC_PROFILE_ROWS], MASKED);
        } else if (place.scan != NULL) {
            CU_ASSERT_EQUAL(stage[GRUC_PROFILE_CALLS], STEPS);
            CU_ASSERT_EQUAL(stage[GRUC_PROFILE_ROWS], ROWS * STEPS - MASKED);
        } else if (!place.group->is_sweep) {
            CU_ASSERT_EQUAL(stage[GRUC_PROFILE_CALLS], 1);
            CU_ASSERT_EQUAL(stage[GRUC_PROFILE_ROWS], ROWS);
        }
    }
    CU_ASSERT(ticks > 0);
    CU_ASSERT(ticks <= group[GRUC_PROFILE_TICKS]);
}

/* The same numbers as without, and the right counts. */
static void test_counts(void)
{
    const struct gruc_backend *backend = gruc_backend_find("cpu");
    if (backend == NULL || backend->plan == NULL)
        return; /* no back end of this build has stages */
    struct profiled p;
    struct gruc_plan plan;
    struct grt_module *plain, *profiled;
    float wanted[ROWS * 4], got[ROWS * 4];
    begin(&p);
    CU_ASSERT_EQUAL_FATAL(backend->plan(p.ir, &p.compilation.target, &p.compilation.diag, &plan),
                          GRUC_OK);
    uint64_t *profile =
        calloc(gruc_profile_length(gruc_schedule_count(plan.schedule)), sizeof *profile);
    CU_ASSERT_EQUAL_FATAL(gruc_compile_jit(&p.compilation, p.handle, &plain), GRUC_OK);
    p.compilation.target.profile = profile;
    CU_ASSERT_EQUAL_FATAL(gruc_compile_jit(&p.compilation, p.handle, &profiled), GRUC_OK);
    run(plain, wanted);
    run(profiled, got);
    CU_ASSERT_EQUAL(memcmp(got, wanted, sizeof got), 0);
    size_t count = gruc_schedule_count(plan.schedule);
    if (profile[gruc_profile_clock(count)] !=
        0) /* machines without a clock for users count nothing */
        check_counts(plan.schedule, profile);
    grt_module_destroy(plain);
    grt_module_destroy(profiled);
    free(profile);
    end(&p);
}

CU_TestInfo gruc_profile_tests[] = {
    {"stages by number", test_walk},
    {"code that times its stages", test_counts},
    CU_TEST_INFO_NULL,
};

/* SPDX-License-Identifier: MIT */
/* Any bytes as a model: parse, check, fill, lower, every pass. */

#include <stddef.h>
#include <stdint.h>

#include "driver/compile.h"
#include "ir/passes/passes.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct gruc_model_handle *model = NULL;
    if (gruc_model_parse("fuzz.yaml", (const char *)bytes, length, NULL, &model) != GRUC_OK)
        return 0;
    struct gruc_compilation compilation;
    struct gruc_pass_options options = {.accuracy = GRUC_ACCURACY_ACCURATE};
    struct gruc_arena arena;
    struct gruc_ir *ir = NULL;
    gruc_compilation_init(&compilation, NULL);
    gruc_arena_init(&arena);
    enum gruc_status status = gruc_compile_lower(&compilation, model, &arena, &ir);
    if (status == GRUC_OK)
        status = gruc_passes_run(ir, (enum gruc_pass_id)(GRUC_PASS_COUNT - 1), &options, NULL,
                                 NULL, &compilation.diag);
    gruc_arena_finish(&arena);
    gruc_model_destroy(model);
    if (status == GRUC_ERROR_INTERNAL)
        fuzz_fail("a model that was taken is broken later");
    return 0;
}

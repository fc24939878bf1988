/* SPDX-License-Identifier: MIT */
/* Any bytes as the weights file of a small model. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gruc/compiler.h>

#include "tests/fuzz/fuzz.h"

static const char model_text[] = "inputs:\n  x: [~, 1]\nlayers:\n"
                                 "  - GRU: {name: g, units: 1, reset_after: false}\n";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    int file = memfd_create("w.safetensors", 0);
    if (file < 0 || write(file, bytes, length) != (ssize_t)length)
        fuzz_fail("no memory file");
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    struct gruc_options options;
    struct gruc_model_handle *model = NULL;
    gruc_options_init(&options);
    options.weights = path;
    enum gruc_status status =
        gruc_model_parse("fuzz.yaml", model_text, strlen(model_text), &options, &model);
    if (status == GRUC_ERROR_INTERNAL)
        fuzz_fail("an internal error");
    gruc_model_destroy(model);
    close(file);
    return 0;
}

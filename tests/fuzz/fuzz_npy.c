/* SPDX-License-Identifier: MIT */
/* Any bytes as an array file. */

#include <stddef.h>
#include <stdint.h>

#include <gruc/npy.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct gruc_array array, converted;
    const char *error = NULL;
    if (gruc_npy_parse(bytes, length, &array, &error) != GRUC_OK) {
        if (error == NULL)
            fuzz_fail("a refusal without a reason");
        return 0;
    }
    if (array.bytes > length)
        fuzz_fail("an array larger than its file");
    for (int dtype = GRUC_FLOAT32; dtype <= GRUC_BOOL; dtype++)
        if (gruc_array_convert(&array, (enum gruc_dtype)dtype, &converted) == GRUC_OK)
            gruc_array_finish(&converted);
    gruc_array_finish(&array);
    return 0;
}

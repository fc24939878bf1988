/* SPDX-License-Identifier: MIT */
#ifndef GRUC_TESTS_FUZZ_FUZZ_H
#define GRUC_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* What libFuzzer and replay.c call. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static inline void fuzz_fail(const char *words)
{
    fprintf(stderr, "%s\n", words);
    abort();
}

#endif

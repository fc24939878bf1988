/* SPDX-License-Identifier: MIT */
#ifndef GRUC_BASE_DIGEST_H
#define GRUC_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

/* FNV-1a: tells versions apart, protects from nothing. */
static const uint64_t gruc_digest_start = UINT64_C(0xcbf29ce484222325);

static inline uint64_t gruc_digest_bytes(uint64_t digest, const void *bytes, size_t length)
{
    const unsigned char *byte = (const unsigned char *)bytes;
    for (size_t i = 0; i < length; i++)
        digest = (digest ^ byte[i]) * UINT64_C(0x100000001b3);
    return digest;
}

#endif

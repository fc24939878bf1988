/* SPDX-License-Identifier: MIT */
#ifndef GRUC_DRIVER_ARCHIVE_H
#define GRUC_DRIVER_ARCHIVE_H

#include "ir/base/status.h"
#include "ir/base/strbuf.h"

/* A static library with one member, name.o, and the index of its global symbols. The same object
 * always gives the same bytes: no dates, owners or paths. GRUC_ERROR_UNSUPPORTED when the object
 * is not a 64-bit little-endian ELF file. */
enum gruc_status gruc_archive_write(const char *name, const struct gruc_strbuf *object,
                                    struct gruc_strbuf *out);

#endif

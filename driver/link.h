/* SPDX-License-Identifier: MIT */
#ifndef GRUC_DRIVER_LINK_H
#define GRUC_DRIVER_LINK_H

#include "ir/base/diag.h"
#include "ir/base/strbuf.h"

/* Link an object that has the entry points GRUC_ENTRY_* for target (an LLVM triple, NULL: this
 * machine). Programs are started by argument vector in a private folder that is removed again;
 * what they say on failure becomes a note. */
enum gruc_status gruc_link_shared(const char *target, const struct gruc_strbuf *object,
                                  struct gruc_diag *diag, struct gruc_strbuf *out);
/* With libgruc_rt.a, whose standalone main it gets. */
enum gruc_status gruc_link_program(const char *target, const struct gruc_strbuf *object,
                                   struct gruc_diag *diag, struct gruc_strbuf *out);

/* The static runtime library for target in the arena, NULL and a diagnostic when it is not found:
 * $GRUC_RUNTIME; for this machine also beside the program or where gruc is installed. */
const char *gruc_runtime_find(const char *target, struct gruc_arena *arena, struct gruc_diag *diag);

#endif

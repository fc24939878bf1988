/* SPDX-License-Identifier: MIT */
#ifndef GRUC_DRIVER_FILE_H
#define GRUC_DRIVER_FILE_H

/* Reading and writing whole files. */

#include <stddef.h>

#include "ir/base/arena.h"
#include "ir/base/diag.h"
#include "ir/base/strbuf.h"

/* Reads a file ("-": standard input), at most its first limit bytes, into the arena and terminates
 * them with a NUL. What goes wrong is a diagnostic about path. */
enum gruc_status gruc_file_read(struct gruc_arena *arena, const char *path, size_t limit,
                                struct gruc_diag *diag, char **out, size_t *out_length);
/* The same onto the heap, without a limit or diagnostics. */
enum gruc_status gruc_file_append(const char *path, struct gruc_strbuf *out);

/* Files written together: each beside its place under a name of its own, all renamed by commit.
 * Devices and pipes are written at once. */
enum { GRUC_FILE_GROUP_MAX = 16 };

struct gruc_file_group {
    struct gruc_file_entry {
        char *path;
        char *temporary;
    } entries[GRUC_FILE_GROUP_MAX];
    size_t count;
};

/* Writes all bytes to an open file; 0, or errno. */
int gruc_file_write_all(int file, const char *bytes, size_t length);

void gruc_file_group_init(struct gruc_file_group *group);
/* Writes bytes as the file that will be path. executable: for everyone who may read it. */
enum gruc_status gruc_file_group_add(struct gruc_file_group *group, const char *path,
                                     const struct gruc_strbuf *bytes, int executable,
                                     struct gruc_diag *diag);
/* Puts all files in their places; on failure none that was not there before stays. */
enum gruc_status gruc_file_group_commit(struct gruc_file_group *group, struct gruc_diag *diag);
/* Removes what was not committed. */
void gruc_file_group_finish(struct gruc_file_group *group);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_TESTS_FAULTS_INJECT_H
#define GRUC_TESTS_FAULTS_INJECT_H

/* Makes calls of the C library fail on request. */

enum fault_kind {
    FAULT_MEMORY, /* malloc, calloc, realloc, strdup and what else takes memory */
    FAULT_OPEN,   /* open, openat, openat2, dup */
    FAULT_READ,   /* read, pread, fstat */
    FAULT_WRITE,  /* write, close of a written file, rename */
    FAULT_KINDS
};

/* The call number nth of this kind from now on fails (0: none); with sticky all after it too. */
void fault_arm(enum fault_kind kind, unsigned long nth, int sticky);
/* Ends it. Returns how many calls of the kind there were. */
unsigned long fault_disarm(void);

/* While on, calls neither fail nor count: for what a test does itself. */
void fault_pause(int on);

/* Blocks of memory that are taken and not given back. */
long fault_live_blocks(void);

#endif

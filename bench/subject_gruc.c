/* SPDX-License-Identifier: MIT */
#include "subject.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gruc/abi.h>

struct gruc {
    void *library;
    const struct gruc_module_info *info;
    gruc_run_function run;
    struct gruc_args *args;
    void *state, *workspace;
};

static void release(void *context)
{
    struct gruc *gruc = context;
    free(gruc->args);
    free(gruc->state);
    free(gruc->workspace);
    if (gruc->library != NULL)
        dlclose(gruc->library);
    free(gruc);
}

static int call(struct subject *subject)
{
    const struct gruc *gruc = subject->context;
    int status = gruc->run(gruc->args);
    if (status != GRUC_OK)
        fprintf(stderr, "%s: status %d\n", subject->name, status);
    return status != GRUC_OK;
}

static int open_library(struct gruc *gruc, const char *library)
{
    gruc_describe_function describe;
    gruc->library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (subject_find(library, gruc->library, GRUC_ENTRY_DESCRIBE, sizeof describe, &describe) ||
        subject_find(library, gruc->library, GRUC_ENTRY_RUN, sizeof gruc->run, &gruc->run))
        return 1;
    gruc->info = describe();
    if (gruc->info->magic != GRUC_ABI_MAGIC || gruc->info->abi != GRUC_ABI_VERSION) {
        fprintf(stderr, "%s: made for another version of gruc\n", library);
        return 1;
    }
    return 0;
}

/* The models have the inputs x and, when masked, m after it, one output and one step symbol. */
static int fill_arguments(struct gruc *gruc, const struct subject *subject)
{
    const struct gruc_module_info *info = gruc->info;
    const uint64_t steps = subject->sizes.steps;
    const uint32_t n_inputs = subject->mask != NULL ? 2 : 1;
    if (info->n_steps != 1 || info->n_inputs != n_inputs || info->n_outputs != 1) {
        fprintf(stderr, "%s: not a model of this benchmark\n", subject->name);
        return 1;
    }
    size_t slots = (size_t)info->n_steps + info->n_inputs + info->n_outputs;
    gruc->args = subject_take(sizeof *gruc->args + slots * sizeof(uint64_t));
    gruc->state = subject_take(info->state_bytes);
    uint64_t bytes = gruc_workspace_bytes(info, 1, &steps);
    gruc->workspace = subject_take(bytes);
    if (gruc->args == NULL || gruc->state == NULL || gruc->workspace == NULL) {
        fprintf(stderr, "%s: out of memory\n", subject->name);
        return 1;
    }
    *gruc->args = (struct gruc_args){.abi = GRUC_ABI_VERSION,
                                     .batch = 1,
                                     .row_count = 1,
                                     .state = gruc->state,
                                     .workspace = gruc->workspace,
                                     .workspace_bytes = bytes};
    uint64_t *slot = (uint64_t *)(void *)(gruc->args + 1);
    *slot++ = steps;
    *slot++ = (uint64_t)(uintptr_t)subject->input;
    if (subject->mask != NULL)
        *slot++ = (uint64_t)(uintptr_t)subject->mask;
    *slot = (uint64_t)(uintptr_t)subject->output;
    return 0;
}

int subject_open_gruc(struct subject *subject, const char *library)
{
    struct gruc *gruc = calloc(1, sizeof *gruc);
    if (gruc == NULL) {
        fprintf(stderr, "out of memory\n");
        return 1;
    }
    subject->context = gruc;
    subject->release = release;
    subject->call = call;
    return open_library(gruc, library) != 0 || fill_arguments(gruc, subject) != 0;
}

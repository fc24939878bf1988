/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "codegen/backend.h"

static const struct gruc_backend *const table[] = {
#ifdef GRUC_HAVE_LLVM
    &gruc_backend_cpu,
#endif
    &gruc_backend_cuda, &gruc_backend_cudnn, &gruc_backend_ref, NULL,
};

const struct gruc_backend *const *gruc_backends(void)
{
    return table;
}

const struct gruc_backend *gruc_backend_find(const char *name)
{
    for (size_t i = 0; table[i] != NULL; i++)
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
    return NULL;
}

/* SPDX-License-Identifier: MIT */
/* Apart from module.c so that a static program which opens no library does not link the loader. */
#include <dlfcn.h>
#include <string.h>

#include <gruc/runtime.h>

static void release_library(void *library)
{
    dlclose(library);
}

enum gruc_status grt_module_open(const char *path, struct grt_module **out)
{
    *out = NULL;
    if (path == NULL)
        return GRUC_ERROR_ARGUMENT;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return GRUC_ERROR_IO;
    void *describe_symbol = dlsym(library, GRUC_ENTRY_DESCRIBE);
    void *run_symbol = dlsym(library, GRUC_ENTRY_RUN);
    if (describe_symbol == NULL || run_symbol == NULL) {
        dlclose(library);
        return GRUC_ERROR_ABI;
    }
    /* ISO C has no conversion between object and function pointers. */
    gruc_describe_function describe;
    gruc_run_function run;
    memcpy(&describe, &describe_symbol, sizeof describe);
    memcpy(&run, &run_symbol, sizeof run);
    return grt_module_create(describe, run, release_library, library, out);
}

/* SPDX-License-Identifier: MIT */
/* The main of a program that is linked from a model's object and libgruc_rt.a; a member of its own
 * in that library, so that programs with a main of their own do not get it. */
#include <gruc/runtime.h>

/* Of the model's object, under the names GRUC_ENTRY_DESCRIBE and GRUC_ENTRY_RUN. */
const struct gruc_module_info *gruc_module_describe(void);
int gruc_module_run_batch(const struct gruc_args *args);

int main(int argc, char **argv)
{
    return grt_standalone_main(argc, argv, gruc_module_describe, gruc_module_run_batch);
}

/* SPDX-License-Identifier: MIT */
/* Compiles a model in this process and runs it on the arrays of a .npy file:
 *     jit_host MODEL.yaml INPUT.npy OUTPUT.npy
 * For models with one input; writes the first output. */
#include <stdio.h>
#include <stdlib.h>

#include <gruc/compiler.h>

#include "example.h"

static void print_diagnostic(void *context, const struct gruc_diagnostic *diagnostic)
{
    (void)context;
    fprintf(stderr, "%s:%u:%u: %s\n", diagnostic->file != NULL ? diagnostic->file : "",
            diagnostic->line, diagnostic->column, diagnostic->text);
}

int main(int argc, char **argv)
{
    struct gruc_options options;
    struct gruc_model_handle *model;
    struct grt_module *module;
    struct grt_session *session;
    int64_t dims[GRUC_ABI_MAX_RANK];
    need_arguments(argc, argv, 4, "MODEL.yaml INPUT.npy OUTPUT.npy");

    /* From text to code. The module is immutable: any number of sessions may use it. */
    gruc_options_init(&options);
    options.diagnostic = print_diagnostic;
    require(gruc_model_open(argv[1], &options, &model), argv[1]);
    require(gruc_model_jit(model, &options, &module), argv[1]);
    gruc_model_destroy(model);

    /* The input names batch and steps, from which the output's shape follows. */
    const struct gruc_module_info *info = grt_module_info(module);
    const struct gruc_tensor_info *input = gruc_module_tensors(info);
    struct gruc_array x = array_read(NULL, argv[2], (enum gruc_dtype)input->dtype);
    require(grt_session_create(module, NULL, &session), "session");
    enum gruc_status status =
        grt_session_bind_input(session, 0, x.data, (enum gruc_dtype)input->dtype, x.rank, x.dims);
    if (status == GRUC_OK)
        status = grt_session_output_dims(session, 0, dims);
    require(status, grt_session_error(session));
    struct gruc_array y = array_zeros(input[info->n_inputs].rank, dims);
    require(grt_session_bind_output(session, 0, y.data, y.bytes), "output");
    require(grt_session_run(session), grt_session_error(session));
    array_write(argv[3], &y);

    grt_session_destroy(session);
    grt_module_destroy(module);
    gruc_array_finish(&x);
    gruc_array_finish(&y);
    return EXIT_SUCCESS;
}

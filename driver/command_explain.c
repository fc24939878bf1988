/* SPDX-License-Identifier: MIT */
#include "driver/cli.h"
#include "ir/base/diag.h"

int gruc_command_explain(const struct gruc_cli *cli)
{
    if (cli->operand == NULL) {
        for (unsigned code = GRUC_E_NONE + 1; code < GRUC_E_COUNT; code++)
            printf("%s  %s\n", gruc_error_name(code), gruc_error_title(code));
        return GRUC_EXIT_DONE;
    }
    enum gruc_error_code code = gruc_error_find(cli->operand);
    if (code == GRUC_E_NONE)
        return gruc_cli_usage("there is no diagnostic '%s'; `gruc explain` lists all",
                              cli->operand);
    printf("%s: %s\n\n%s\n", gruc_error_name(code), gruc_error_title(code),
           gruc_error_explanation(code));
    return GRUC_EXIT_DONE;
}

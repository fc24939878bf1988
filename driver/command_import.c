/* SPDX-License-Identifier: MIT */
#include "driver/cli.h"

int gruc_command_import(const struct gruc_cli *cli)
{
    return gruc_cli_usage("import is not in this build: '%s' cannot be read", cli->operand);
}

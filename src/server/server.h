// SPDX-License-Identifier: Apache-2.0
/* The subcommands of the program. */
#pragma once

#include "server/config.h"

/* Exit codes. */
enum { SKEP_EXIT_OK = 0, SKEP_EXIT_FAILED = 1, SKEP_EXIT_USAGE = 2 };

/* argv[0 .. argc) is what stands behind the subcommand.  Returns the exit code. */
typedef int skep_command_fn(int argc, char *const *argv);

skep_command_fn skep_serve, skep_cli_query, skep_cli_trace, skep_cli_tail, skep_cli_send,
    skep_cli_verify, skep_cli_dump, skep_cli_repair, skep_cli_backup, skep_cli_restore;

#define SKEP_VERSION_STR SKEP_STR(SKEP_VERSION)

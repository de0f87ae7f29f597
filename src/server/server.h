// SPDX-License-Identifier: Apache-2.0
/* The subcommands of the program. */
#pragma once

#include "server/config.h"

/* Exit codes. */
enum { SKEP_EXIT_OK = 0, SKEP_EXIT_FAILED = 1, SKEP_EXIT_USAGE = 2 };

/* argv[0 .. argc) is what stands behind the subcommand.  Returns the exit code. */
typedef int skep_command_fn(int argc, char *const *argv);

#define X(name, meta, help, run) skep_command_fn run;
#include "server/commands.def"
#undef X

#define SKEP_VERSION_STR SKEP_STR(SKEP_VERSION)

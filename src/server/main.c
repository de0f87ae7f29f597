// SPDX-License-Identifier: Apache-2.0
/* The program: a table of subcommands.  Threads: main. */
#include <stdio.h>
#include <string.h>

#include "server/server.h"

static const struct command {
    const char *name, *meta, *help;
    skep_command_fn *run;
} commands[] = {
#define X(name, meta, help, run) {name, meta, help, run},
#include "server/commands.def"
#undef X
};

static void usage(FILE *out)
{
    (void)fprintf(out,
                  "skep %s: traces, logs and errors of your programs, kept and answered by one "
                  "process.\n\nUsage: skep COMMAND ...\n\n",
                  SKEP_VERSION);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(commands); i++)
        (void)fprintf(out, "  skep %-7s %-15s %s\n", commands[i].name, commands[i].meta,
                      commands[i].help);
    (void)fprintf(out, "  skep --version\n\n'skep COMMAND --help' lists a command's flags.\n");
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < SKEP_ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(argc - 2, argv + 2);
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        (void)printf("skep %s\n", SKEP_VERSION);
        return SKEP_EXIT_OK;
    }
    bool asked =
        strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0;
    if (!asked && name[0])
        (void)fprintf(stderr, "skep: no such command: %.80s\n\n", name);
    usage(asked ? stdout : stderr);
    return asked ? SKEP_EXIT_OK : SKEP_EXIT_USAGE;
}

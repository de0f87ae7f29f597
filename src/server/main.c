// SPDX-License-Identifier: Apache-2.0
/* The program: a table of subcommands.  Threads: main. */
#include <stdio.h>
#include <string.h>

#include "server/server.h"

static const struct command {
    const char *name, *meta, *help;
    skep_command_fn *run;
} commands[] = {
    {"serve", "[flags]", "take in telemetry, keep it, answer questions", skep_serve},
    {"query", "[SPEC] [flags]", "ask a question, print a table", skep_cli_query},
    {"trace", "ID", "show a trace as a waterfall", skep_cli_trace},
    {"tail", "[flags]", "show rows as they arrive", skep_cli_tail},
    {"send", "FILE...", "send OTLP files to a server", skep_cli_send},
    {"verify", "[flags]", "check everything on disk", skep_cli_verify},
    {"backup", "--to DIR", "copy a moment of the data, beside a running server", skep_cli_backup},
    {"restore", "--from DIR ...", "make a data folder of a backup", skep_cli_restore},
    {"repair", "[flags]", "serve what is good, say what is missing", skep_cli_repair},
    {"dump", "FILE", "show what stands in a file of the store", skep_cli_dump},
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

// SPDX-License-Identifier: Apache-2.0
/* config.c - command line and environment; see config.h
 *
 * An option wins over its variable. Telemetry has no options: its variables are those of the SDKs
 * (telemetry.h).
 *
 * Threads: one, at start. Memory: none. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: cruddur [options]\n"
    "The bootcamp's micro-blog: its API, and a page for it.\n\n"
    "  --host ADDRESS      listen on this IPv4 address (127.0.0.1)\n"
    "  --port N            port of the API (4567); 0: any free one\n"
    "  --page FOLDER       serve the built page from here\n"
    "  --page-port N       port of the page (3000); 0: any free one\n"
    "  --page-otlp URL     where browsers send their traces (none)\n"
    "  --page-headers K=V  headers for that, separated by commas\n"
    "  --database FILE     where posts are kept (cruddur.db); :memory: keeps nothing\n"
    "  --bootcamp          the course's fixed answers instead, with its bugs\n"
    "  --trouble           requests may ask to be slow or to fail (for demonstrations)\n"
    "  --quiet             no line for each request on standard error\n"
    "  --version, --help\n\n"
    "Environment: FRONTEND_URL, BACKEND_URL (the origins whose pages may call), OTEL_*,\n"
    "AWS_XRAY_DAEMON_ADDRESS, AWS_XRAY_URL, ROLLBAR_ACCESS_TOKEN, AWS_*; see cruddur(1).\n";

enum { OPT_HELP = 256, OPT_VERSION };

static const struct option options[] = {{"host", required_argument, NULL, 'H'},
                                        {"port", required_argument, NULL, 'p'},
                                        {"page", required_argument, NULL, 'f'},
                                        {"page-port", required_argument, NULL, 'P'},
                                        {"page-otlp", required_argument, NULL, 'o'},
                                        {"page-headers", required_argument, NULL, 'k'},
                                        {"database", required_argument, NULL, 'd'},
                                        {"bootcamp", no_argument, NULL, 'b'},
                                        {"trouble", no_argument, NULL, 't'},
                                        {"version", no_argument, NULL, OPT_VERSION},
                                        {"quiet", no_argument, NULL, 'q'},
                                        {"help", no_argument, NULL, OPT_HELP},
                                        {NULL, 0, NULL, 0}};

static const char *env_or(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : otherwise;
}

static bool parse_port(const char *text, uint16_t *ret_port)
{
    char *end = NULL;
    long n = strtol(text, &end, 10);
    if (end == text || *end != '\0' || n < 0 || n > UINT16_MAX) {
        fprintf(stderr, "cruddur: %s is no port\n", text);
        return false;
    }
    *ret_port = (uint16_t)n;
    return true;
}

/* Takes one option. Returns -1 to go on, else the exit code. */
static int take(int option, struct config *c)
{
    switch (option) {
    case 'H': c->host = optarg; return -1;
    case 'p': return parse_port(optarg, &c->port) ? -1 : 2;
    case 'f':
        c->page_folder = optarg;
        c->has_page = true;
        return -1;
    case 'P': return parse_port(optarg, &c->page_port) ? -1 : 2;
    case 'o': c->page_otlp = optarg; return -1;
    case 'k': c->page_headers = optarg; return -1;
    case 'd': c->database = optarg; return -1;
    case 'b': c->bootcamp = true; return -1;
    case 't': c->trouble = true; return -1;
    case 'q': c->quiet = true; return -1;
    case OPT_VERSION: puts("cruddur " CRUDDUR_VERSION); return 0;
    case OPT_HELP: fputs(help, stdout); return 0;
    default: fputs("cruddur: cruddur --help names the options\n", stderr); return 2;
    }
}

int config_read(int argc, char **argv, struct config *ret_config)
{
    *ret_config = (struct config){.host = "127.0.0.1",
                                  .port = 4567,
                                  .page_port = 3000,
                                  .page_otlp = "",
                                  .page_headers = "",
                                  .database = "cruddur.db",
                                  .frontend_url = env_or("FRONTEND_URL", NULL),
                                  .backend_url = env_or("BACKEND_URL", NULL),
                                  .announce_url = env_or("CRUDDUR_ANNOUNCE_URL", NULL)};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        int code = take(option, ret_config);
        if (code >= 0)
            return code;
    }
    if (optind == argc)
        return -1;
    fprintf(stderr, "cruddur: %s is no option\n", argv[optind]);
    return 2;
}

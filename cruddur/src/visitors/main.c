// SPDX-License-Identifier: Apache-2.0
/* main.c - cruddur-visitors: people who use Cruddur, so that there is something to look at
 *
 * USR1 begins and ends the slow spell, USR2 the error spell; both need `cruddur --trouble`.
 *
 * Threads: the visitors' and the main one. */
#include <curl/curl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "visitors/visitor.h"

static const char help[] =
    "Usage: cruddur-visitors [options]\n"
    "People who use Cruddur: reading, posting, searching, mistyping.\n\n"
    "  --url URL       of the API (http://127.0.0.1:4567)\n"
    "  --people N      visitors at once, 1 to 64 (4)\n"
    "  --rate R        requests a second, of all together (4); 0: as fast as it goes\n"
    "  --count N       requests of each visitor (0: until Ctrl-C)\n"
    "  --seed N        the same seed, the same visitors (1)\n"
    "  --slow A-B      a slow spell from second A to second B\n"
    "  --errors A-B    an error spell\n"
    "  --help\n\n"
    "The signals USR1 and USR2 begin and end a slow and an error spell.\n"
    "Spells need a Cruddur that was started with --trouble.\n";

static const struct option options[] = {{"url", required_argument, NULL, 'u'},
                                        {"people", required_argument, NULL, 'p'},
                                        {"rate", required_argument, NULL, 'r'},
                                        {"count", required_argument, NULL, 'c'},
                                        {"seed", required_argument, NULL, 's'},
                                        {"slow", required_argument, NULL, 'S'},
                                        {"errors", required_argument, NULL, 'E'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

static void on_signal(int number)
{
    if (number == SIGUSR1)
        visitors_toggle_slow();
    else if (number == SIGUSR2)
        visitors_toggle_errors();
    else
        visitors_stop();
}

static void catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        (void)sigaction(numbers[i], &(struct sigaction){.sa_handler = on_signal}, NULL);
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
}

static bool number(const char *text, double max, double *ret)
{
    char *end = NULL;
    *ret = strtod(text, &end);
    return end != text && *end == '\0' && *ret >= 0 && *ret <= max;
}

static bool span(const char *text, double *ret_from, double *ret_until)
{
    char *end = NULL;
    *ret_from = strtod(text, &end);
    return end != text && *end == '-' && number(end + 1, 1e9, ret_until) && *ret_from >= 0 &&
           *ret_until >= *ret_from;
}

static bool take(int option, struct plan *plan)
{
    double n = 0;
    switch (option) {
    case 'u': plan->url = optarg; return true;
    case 'p':
        if (!number(optarg, 64, &n) || n < 1)
            return false;
        plan->people = (unsigned)n;
        return true;
    case 'r': return number(optarg, 1e6, &plan->rate);
    case 'c':
        if (!number(optarg, 1e9, &n))
            return false;
        plan->count = (uint64_t)n;
        return true;
    case 's':
        if (!number(optarg, 1e15, &n))
            return false;
        plan->seed = (uint64_t)n;
        return true;
    case 'S': return span(optarg, &plan->slow_from, &plan->slow_until);
    case 'E': return span(optarg, &plan->errors_from, &plan->errors_until);
    default: return false;
    }
}

int main(int argc, char **argv)
{
    struct plan plan = {.url = "http://127.0.0.1:4567",
                        .seed = 1,
                        .people = 4,
                        .rate = 4,
                        .slow_from = -1,
                        .errors_from = -1};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (!take(option, &plan)) {
            fputs("cruddur-visitors: not understood; --help names the options\n", stderr);
            return 2;
        }
    }
    if (optind != argc) {
        fprintf(stderr, "cruddur-visitors: %s is no option\n", argv[optind]);
        return 2;
    }
    catch_signals();
    (void)curl_global_init(CURL_GLOBAL_DEFAULT); // a failure shows at the first request
    return visitors_run(&plan) ? 0 : 1;
}

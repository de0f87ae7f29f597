// SPDX-License-Identifier: Apache-2.0
/* main.c - starts Cruddur, waits for Ctrl-C or TERM, stops it
 *
 * Threads: the main one waits; the servers have theirs. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "backend.h"
#include "config.h"
#include "log.h"
#include "outgoing.h"
#include "page.h"
#include "server.h"
#include "store.h"
#include "telemetry.h"

/* Blocks the signals that end the program, for all threads to come. */
static void block_signals(sigset_t *ret_ends)
{
    (void)sigemptyset(ret_ends); // these fail for signals that are none
    (void)sigaddset(ret_ends, SIGINT);
    (void)sigaddset(ret_ends, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, ret_ends, NULL);
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
}

static bool open_store(struct service *service)
{
    char why[STORE_WHY_BYTES];
    if (service->config->bootcamp)
        return true;
    service->store = store_open(service->config->database, why);
    if (service->store == NULL)
        fprintf(stderr, "cruddur: cannot open %s: %s\n", service->config->database, why);
    return service->store != NULL;
}

static void wait_for(const sigset_t *ends)
{
    int signal_number;
    while (sigwait(ends, &signal_number) != 0) {
    }
}

/* Serves until a signal comes. Returns the exit code. */
static int serve(struct service *service, const sigset_t *ends)
{
    const struct config *config = service->config;
    struct page *page = config->has_page ? page_start(config, &service->page_port) : NULL;
    struct server *server = NULL;
    if (page != NULL || !config->has_page)
        server = server_start(service, &service->port);
    if (server != NULL) {
        printf("cruddur: the API on http://%s:%u\n", config->host, service->port);
        if (page != NULL) {
            page_set_api_port(page, service->port);
            printf("cruddur: the page on http://%s:%u\n", config->host, service->page_port);
        }
        (void)fflush(stdout); // whoever reads it is gone, or not
        wait_for(ends);
    }
    server_stop(server);
    page_stop(page);
    return server != NULL ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct config config;
    struct telemetry telemetry;
    sigset_t ends;
    int code = config_read(argc, argv, &config);
    if (code >= 0)
        return code;
    struct service service = {.config = &config,
                              .backend = config.bootcamp ? &backend_bootcamp : &backend_store};
    if (config.quiet)
        log_be_quiet();
    block_signals(&ends);
    outgoing_init();
    if (!open_store(&service))
        return 1;
    telemetry_start(&config, &telemetry);
    service.xray = telemetry.xray;
    code = serve(&service, &ends);
    telemetry_stop(&telemetry);
    store_close(service.store);
    return code;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * net_echo.c - the tests' echo server as a program, for wrk, h2load and curl
 *
 *   net_echo THREADS ADDRESS...     e.g. net_echo 1 127.0.0.1:0 [::1]:0; ends when stdin does
 *   TLS_CERT, TLS_KEY (files) in the environment: with TLS
 */
#include "echo_server.h"

int main(int argc, char **argv)
{
    static struct echo e;
    skep_err err = {0};
    if (argc < 3) {
        fprintf(stderr, "use: net_echo THREADS ADDRESS...\n");
        return 2;
    }
    struct skep_net_config cfg = {.listen = (const char *const *)argv + 2,
                                  .n_listen = (unsigned)argc - 2,
                                  .n_threads = (unsigned)strtoul(argv[1], NULL, 10),
                                  .tls = {.cert = getenv("TLS_CERT"), .key = getenv("TLS_KEY")}};
    if (!echo_start(&e, cfg, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    for (unsigned i = 0; i < cfg.n_listen; i++)
        printf(SKEP_STRFMT "\n", SKEP_STRARG(skep_net_address(e.net, i)));
    fflush(stdout);
    while (getchar() != EOF) {
    }
    echo_stop(&e, 1000);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * net_echo.c - the tests' echo server as a program, for wrk, h2load and curl
 *
 *   net_echo ADDRESS THREADS        e.g. net_echo 127.0.0.1:0 1; ends when stdin does
 */
#include "echo_server.h"

int main(int argc, char **argv)
{
    static struct echo e;
    skep_err err = {0};
    if (argc != 3) {
        fprintf(stderr, "use: net_echo ADDRESS THREADS\n");
        return 2;
    }
    const char *const listen[] = {argv[1]};
    struct skep_net_config cfg = {
        .listen = listen, .n_listen = 1, .n_threads = (unsigned)strtoul(argv[2], NULL, 10)};
    if (!echo_start(&e, cfg, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    printf("%s\n", e.address);
    fflush(stdout);
    while (getchar() != EOF) {
    }
    echo_stop(&e, 1000);
    return 0;
}

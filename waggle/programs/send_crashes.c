// SPDX-License-Identifier: Apache-2.0
/*
 * send_crashes.c - waggle-send-crashes DIRECTORY [TIMEOUT-MS]: reports what crashed processes left
 * there, for programs that do not start again by themselves. Where to is what OTEL_* and the
 * exporters' variables say.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <waggle/waggle.h>
#ifdef WITH_TLS
#include <waggle/tls.h>
#endif

int main(int argc, char **argv)
{
    long ms = argc > 2 ? strtol(argv[2], NULL, 10) : 10000;
    if (argc < 2 || argc > 3 || ms <= 0 || ms > 3600000) {
        (void)fprintf(stderr, "usage: %s DIRECTORY [TIMEOUT-MS]\n", argv[0]);
        return 2;
    }
#ifdef WITH_TLS
    waggle_tls_use();
#endif
    if (waggle_init(NULL) != 0) {
        (void)fprintf(stderr, "waggle-send-crashes: the settings are of no use "
                              "(OTEL_LOG_LEVEL=warn says why)\n");
        return 1;
    }
    int n = waggle_crash_send(argv[1], (uint32_t)ms);
    bool sent = waggle_shutdown(2000);
    if (n < 0) {
        (void)fprintf(stderr, "waggle-send-crashes: %s: %s\n", argv[1], strerror(-n));
        return 1;
    }
    printf("%d\n", n);
    return sent ? 0 : 1;
}

// SPDX-License-Identifier: Apache-2.0
/* Host and Origin: "host\norigin\naddress".  Whatever is let in must end in a name we serve. */
#include <stdint.h>
#include <stdlib.h>

#include "net/net_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const allow[] = {"skep.example", "*.hive.example"};
    skep_str rest = {(const char *)data, size};
    skep_str host = skep_str_cut(&rest, '\n');
    skep_str origin = skep_str_cut(&rest, '\n');
    if (skep_net__host_allowed(host, SKEP_STR("192.168.1.5"), allow, SKEP_ARRAY_LEN(allow))) {
        skep_assert(host.n > 0);
        for (size_t i = 0; i < host.n; i++)
            skep_assert(host.p[i] > ' ' && host.p[i] < 0x7f && host.p[i] != '/' &&
                        host.p[i] != '@' && host.p[i] != ',');
    }
    if (origin.n && skep_net__origin_same(origin, host))
        skep_assert(skep_str_starts(origin, SKEP_STR("http")));
    struct sockaddr_storage a;
    socklen_t n;
    char buf[SKEP_NET__ADDRESS_BYTES];
    if (rest.p && skep_net__address_parse(rest, &a, &n, NULL) == SKEP_OK)
        skep_assert(skep_net__address_format(&a, true, buf).n > 0);
    return 0;
}

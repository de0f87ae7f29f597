// SPDX-License-Identifier: Apache-2.0
/* A TLS client's first bytes.  Once decided, more bytes change nothing. */
#include <stdint.h>
#include <stdlib.h>

#include "net/net_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t cut = size ? data[size - 1] * size / 256 : 0;
    enum skep_net__sniffed all = skep_net__hello((skep_bytes){data, size});
    enum skep_net__sniffed part = skep_net__hello((skep_bytes){data, cut});
    skep_assert(all == SKEP_NET__SNIFF_MORE || all == SKEP_NET__SNIFF_TLS ||
                all == SKEP_NET__SNIFF_TLS_H2);
    skep_assert(part == SKEP_NET__SNIFF_MORE || part == all);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
/* Decompression of request bodies: the first byte says which encoding and how tight the limit is.
 * Nothing may pass the limit, nothing may stay in the budget. */
#include <stdint.h>
#include <stdlib.h>

#include "net/net_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum skep_net__coding codings[] = {SKEP_NET__IDENTITY, SKEP_NET__GZIP,
                                                    SKEP_NET__DEFLATE, SKEP_NET__ZSTD};
    static const size_t limits[] = {1, 100, 4096, 1 << 20};
    static struct skep_net__inflater inf;
    struct skep_budget budget;
    struct skep_net__intake out = {.budget = &budget};
    skep_err err = {0};
    if (size == 0)
        return 0;
    size_t limit = limits[data[0] >> 2 & 3];
    skep_budget_init(&budget, "fuzz", UINT64_MAX, NULL);
    skep_rc rc = skep_net__inflate(&inf, codings[data[0] & 3], (skep_bytes){data + 1, size - 1},
                                   limit, &out, &err);
    skep_assert(out.n <= limit);
    skep_assert(atomic_load(&budget.peak_bytes) <= limit);
    skep_assert(rc == SKEP_OK || (out.p == NULL && err.text[0] != '\0'));
    skep_net__intake_done(&out);
    skep_assert(skep_budget_used(&budget) == 0);
    return 0;
}

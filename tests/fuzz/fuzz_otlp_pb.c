// SPDX-License-Identifier: Apache-2.0
/* OTLP protobuf of one signal (FUZZ_SIGNAL) into a batch under a budget.
 *
 * Holds: no crash; an accepted request gives a sound batch, and the same one a second time; memory
 * stays within a multiple of the input. */
#include <stdlib.h>

#include "base/assert.h"
#include "ingest/otlp.h"

/* A row costs under 128 bytes, and two bytes of input (an empty event) make one; arrays double. */
enum { BYTES_PER_INPUT_BYTE = 512, BYTES_FLAT = 1 << 20 };

static struct skep_batch *decode(skep_bytes in, struct skep_otlp_report *rep, skep_rc *rc)
{
    skep_err err;
    struct skep_batch *b = skep_batch_new(NULL, 1795000000000000000);
    *rc = skep_otlp_decode_pb(FUZZ_SIGNAL, in, b, NULL, rep, &err);
    if (*rc != SKEP_OK)
        skep_assert(err.rc == *rc && err.text[0]);
    return b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    skep_rc rc, rc2;
    struct skep_otlp_report rep = {0}, rep2 = {0};
    skep_bytes in = {data, size};
    struct skep_batch *b = decode(in, &rep, &rc);
    skep_assert(skep_batch_bytes(b) <= BYTES_FLAT + (uint64_t)size * BYTES_PER_INPUT_BYTE);
    if (rc == SKEP_OK) {
        uint64_t rejected = 0;
        skep_batch_check(b);
        for (unsigned r = 0; r < SKEP_OTLP_REJECT_COUNT; r++)
            rejected += rep.rejected[r];
        skep_assert(rep.accepted + rejected == rep.received);
        skep_assert(b->n_rows >= rep.accepted);
        skep_batch_identity(b, true);
        struct skep_batch *again = decode(in, &rep2, &rc2);
        skep_batch_identity(again, true);
        skep_assert(rc2 == SKEP_OK && again->n_rows == b->n_rows);
        skep_assert(memcmp(again->identity, b->identity, sizeof b->identity) == 0);
        skep_batch_free(again);
    }
    skep_batch_free(b);
    return 0;
}

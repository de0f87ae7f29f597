// SPDX-License-Identifier: Apache-2.0
/* X-Ray documents, as a datagram when they begin with a header line, in two halves (at the first
 * 0x1e byte) through one table of documents.
 *
 * Holds: no crash; what was received is accepted or rejected; a row a span that was accepted; a
 * second call with the same bytes gives rows again. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/assert.h"
#include "ingest/xray.h"

static void decode(skep_str text, const struct skep_xray_opts *opts)
{
    struct skep_xray_report rep;
    skep_err err;
    struct skep_xray_text t = {.sender = 1};
    if (!skep_xray_datagram(text, &t.text))
        t.text = text;
    struct skep_batch *b = skep_batch_new(NULL, 1);
    skep_rc rc = skep_xray_decode(&t, 1, opts, b, &rep, &err);
    skep_assert(rc == SKEP_OK);
    uint64_t sum = rep.accepted, spans = 0;
    for (unsigned i = 0; i < SKEP_REJECTION_COUNT; i++)
        sum += rep.rejected[i];
    skep_assert(sum == rep.received);
    for (uint32_t r = 0; r < b->n_rows; r++) {
        spans += b->kind[r] == SKEP_KIND_SPAN;
        skep_assert(b->kind[r] != SKEP_KIND_SPAN || b->span_id[r] != 0);
    }
    skep_assert(spans == rep.accepted);
    skep_batch_check(b);
    skep_batch_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct skep_arena arena;
    skep_str all = {(const char *)data, size};
    skep_arena_init(&arena, "fuzz", NULL);
    struct skep_xray_bind *bind = skep_xray_bind_new(0, 1000);
    const struct skep_xray_opts opts = {.bind = bind, .arena = &arena};
    skep_str first = skep_str_cut(&all, '\x1e');
    decode(first, &opts);
    if (all.p)
        decode(all, &opts);
    decode(first, &opts);
    skep_xray_bind_free(bind);
    skep_arena_done(&arena);
    return 0;
}

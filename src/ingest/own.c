// SPDX-License-Identifier: Apache-2.0
/* The server's own telemetry: OTLP bytes through the same decoder, ledger and store as everybody's,
 * with the source `skep`, by which it is hidden and counted apart.
 *
 * I1  `done` is called exactly once, from the store's callback.
 * Threads: the caller's, then the committer's.  Memory: one small block, freed before `done`. */
#include "ingest/ingest_priv.h"

#include "base/assert.h"
#include "base/mem.h"
#include "ingest/otlp.h"

struct own {
    struct skep_ingest *in;
    struct skep_ledger_key at;
    uint64_t received;
    skep_ingest_own_done_fn *done;
    void *ctx;
};

static void committed(void *ctx, skep_rc rc, const struct skep_append_result *res,
                      const skep_err *err)
{
    struct own o = *(struct own *)ctx;
    skep_free(ctx);
    struct skep_ingest__outcome outcome = {.received = o.received};
    outcome.carried = rc == SKEP_OK && !res->duplicate;
    if (outcome.carried)
        outcome.accepted = o.received;
    else if (rc == SKEP_OK)
        outcome.duplicate = o.received;
    else
        outcome.rejected[skep_ingest__rejection(rc)] = o.received;
    skep_ingest__settled(o.in, o.at, &outcome);
    o.done(o.ctx, rc, err);
}

void skep_ingest_own(struct skep_ingest *in, skep_bytes body, skep_ingest_own_done_fn *done,
                     void *ctx)
{
    static const struct skep_otlp_opts opts;
    struct skep_otlp_report rep;
    skep_err err;
    skep_assert(in && done);
    struct skep_batch *b = skep_batch_new(in->cfg.budget, in->cfg.os->now_ns(in->cfg.os));
    skep_rc rc = skep_otlp_decode_pb(SKEP_OTLP_TRACES, body, b, &opts, &rep, &err);
    if (rc != SKEP_OK) { /* only for lack of memory: the bytes are ours */
        skep_batch_free(b);
        done(ctx, rc, &err);
        return;
    }
    skep_assert(rep.accepted == rep.received && b->n_rows > 0);
    memset(b->source, SKEP_SOURCE_SELF, b->n_rows);
    struct own *o = skep_alloc(struct own);
    *o = (struct own){.in = in,
                      .at = skep_ingest__at(SKEP_SOURCE_SELF, SKEP_SIGNAL_TRACES, b->received_ns),
                      .received = rep.received,
                      .done = done,
                      .ctx = ctx};
    b->receipt = (struct skep_receipt){.source = SKEP_SOURCE_SELF,
                                       .signal = SKEP_SIGNAL_TRACES,
                                       .received = (uint32_t)rep.received};
    skep_batch_identity(b, true);
    skep_ingest__received(in, o->at, rep.received);
    skep_store_append(in->cfg.store, b, committed, o);
}

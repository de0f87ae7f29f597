// SPDX-License-Identifier: Apache-2.0
/* The wire's side of the ledger: what came in, and what the sender was told became of it.
 *
 *   received = accepted + duplicate + sampled + rejected(reason) + in flight
 *
 *   book      by minute of receipt; what earlier processes counted is taken over at the start
 *   unsaved   of it, what is in no frame of the store: refused whole, duplicates.  Goes to SQLite
 * in batches (skep_ingest_save): kill -9 loses the last seconds of these, received and outcome
 * alike, so that the account still balances totals    since the process started, which only grow:
 * /metrics
 *
 * The counts of requests whose rows are stored travel in the frame that holds the rows (receipts,
 * docs/formats/frame.md): they are as durable as the rows, and the store hands them back at the
 * start.
 *
 * I1  each thing received is counted under exactly one outcome once its request is answered, in the
 *     minute in which it was received.
 * I2  received is counted before the store is asked, the outcome before the answer is sent.
 *
 * Threads: any; two short holds of the lock a request.  Memory: 16 bytes a number; folded hourly.
 */
#include "ingest/ingest_priv.h"

#include "base/assert.h"
#include "base/mem.h"
#include "state/state.h"

struct skep_ledger_key skep_ingest__at(enum skep_source source, enum skep_signal signal,
                                       skep_ts_ns received_ns)
{
    return (struct skep_ledger_key){.minute = skep_ledger_minute(received_ns),
                                    .source = (uint8_t)source,
                                    .signal = (uint8_t)signal};
}

static void count_locked(struct skep_ingest *in, struct skep_ledger_key k, unsigned what,
                         uint64_t n, bool carried)
{
    skep_assert_held(&in->ledger_lock);
    k.what = (uint8_t)what;
    skep_ledger_add(&in->book, k, n);
    if (!carried)
        skep_ledger_add(&in->unsaved, k, n);
    k.minute = 0;
    skep_ledger_add(&in->totals, k, n);
}

void skep_ingest__received(struct skep_ingest *in, struct skep_ledger_key at, uint64_t n)
{
    skep_mutex_lock(&in->ledger_lock);
    count_locked(in, at, SKEP_LEDGER_RECEIVED, n, true); /* who keeps it is known when settled */
    skep_mutex_unlock(&in->ledger_lock);
}

void skep_ingest__settled(struct skep_ingest *in, struct skep_ledger_key at,
                          const struct skep_ingest__outcome *o)
{
    uint64_t sum = o->accepted + o->duplicate;
    skep_mutex_lock(&in->ledger_lock);
    count_locked(in, at, SKEP_LEDGER_ACCEPTED, o->accepted, o->carried);
    count_locked(in, at, SKEP_LEDGER_DUPLICATE, o->duplicate, o->carried);
    for (unsigned r = 0; r < SKEP_REJECTION_COUNT; r++) {
        count_locked(in, at, SKEP_LEDGER_REJECTED + r, o->rejected[r], o->carried);
        sum += o->rejected[r];
    }
    if (!o->carried) {
        at.what = SKEP_LEDGER_RECEIVED;
        skep_ledger_add(&in->unsaved, at, o->received);
    }
    skep_mutex_unlock(&in->ledger_lock);
    skep_assert(sum == o->received); /* I1 */
}

/* --- rows of any source ----------------------------------------------------------------------- */

void skep_ingest__mixture_of(const struct skep_batch *b, struct skep_ingest__mixture *ret)
{
    *ret = (struct skep_ingest__mixture){.received_ns = b->received_ns};
    for (uint32_t i = 0; i < b->n_rows; i++) {
        unsigned source = b->source[i] < SKEP_SOURCE_COUNT ? b->source[i] : 0;
        if (b->kind[i] == SKEP_KIND_SPAN)
            ret->n[source][SKEP_SIGNAL_TRACES]++;
        else if (b->kind[i] == SKEP_KIND_LOG || b->kind[i] == SKEP_KIND_ERROR)
            ret->n[source][SKEP_SIGNAL_LOGS]++;
    }
}

void skep_ingest__received_mixture(struct skep_ingest *in, const struct skep_ingest__mixture *m)
{
    for (unsigned source = 0; source < SKEP_SOURCE_COUNT; source++)
        for (unsigned signal = 0; signal < SKEP_SIGNAL_COUNT; signal++)
            skep_ingest__received(
                in,
                skep_ingest__at((enum skep_source)source, (enum skep_signal)signal, m->received_ns),
                m->n[source][signal]);
}

void skep_ingest__settled_mixture(struct skep_ingest *in, const struct skep_ingest__mixture *m,
                                  skep_rc rc, bool duplicate)
{
    for (unsigned source = 0; source < SKEP_SOURCE_COUNT; source++)
        for (unsigned signal = 0; signal < SKEP_SIGNAL_COUNT; signal++) {
            uint32_t n = m->n[source][signal];
            struct skep_ingest__outcome o = {.received = n, .carried = rc == SKEP_OK && !duplicate};
            if (rc != SKEP_OK)
                o.rejected[skep_ingest__rejection(rc)] = n;
            else
                *(duplicate ? &o.duplicate : &o.accepted) = n;
            skep_ingest__settled(
                in,
                skep_ingest__at((enum skep_source)source, (enum skep_signal)signal, m->received_ns),
                &o);
        }
}

/* --- over restarts ---------------------------------------------------------------------------- */

/* What the receipts of the store's frames say: what was not rejected was acknowledged as stored. */
static void take_receipts(struct skep_ledger *book, const struct skep_ledger *counts)
{
    struct skep_ledger refused = {0};
    for (size_t i = 0; i < counts->n; i++) {
        struct skep_ledger_key k;
        uint64_t n = counts->items[i].n;
        if (!skep_ledger_unpack(counts->items[i].key, &k))
            continue;
        if (k.what != SKEP_LEDGER_RECEIVED && k.what < SKEP_LEDGER_REJECTED)
            continue;
        skep_ledger_add(book, k, n);
        struct skep_ledger *to = k.what == SKEP_LEDGER_RECEIVED ? book : &refused;
        k.what = SKEP_LEDGER_ACCEPTED;
        skep_ledger_add(to, k, n);
    }
    skep_ledger_unmerge(book, &refused);
    skep_ledger_done(&refused);
}

skep_rc skep_ingest_load(struct skep_ingest *in, skep_err *err)
{
    struct skep_store_ledger stored = {0};
    skep_rc rc = SKEP_OK;
    if (in->cfg.store->ops->ledger)
        in->cfg.store->ops->ledger(in->cfg.store, 0, false, &stored);
    skep_mutex_lock(&in->ledger_lock);
    skep_assert(in->book.n == 0);
    take_receipts(&in->book, &stored.counts);
    if (in->cfg.state)
        rc = skep_state_ledger_load(in->cfg.state, &in->book, err);
    (void)skep_ledger_fold(&in->book, in->cfg.os->now_ns(in->cfg.os));
    skep_mutex_unlock(&in->ledger_lock);
    skep_ledger_done(&stored.counts);
    if (rc == SKEP_OK)
        rc = skep_ingest_grouping_load(in, err);
    return rc == SKEP_OK ? skep_ingest_datasets_load(in, err) : rc;
}

/* Puts back what could not be saved; what was counted meanwhile stays. */
static void put_back(struct skep_ingest *in, const struct skep_ledger *l)
{
    skep_mutex_lock(&in->ledger_lock);
    skep_ledger_merge(&in->unsaved, l);
    skep_mutex_unlock(&in->ledger_lock);
}

skep_rc skep_ingest_save(struct skep_ingest *in, skep_err *err)
{
    skep_ts_ns now = in->cfg.os->now_ns(in->cfg.os);
    uint32_t hour = skep_ledger_minute(now) / 60;
    skep_mutex_lock(&in->ledger_lock);
    if (hour != in->book_hour) {
        in->book_hour = hour;
        (void)skep_ledger_fold(&in->book, now);
    }
    struct skep_ledger batch = in->unsaved;
    in->unsaved = (struct skep_ledger){0};
    skep_mutex_unlock(&in->ledger_lock);
    skep_rc rc = SKEP_OK;
    if (batch.n > 0 && in->cfg.state)
        rc = skep_state_ledger_add(in->cfg.state, &batch, hour != in->saved_hour ? now : 0, err);
    if (rc != SKEP_OK)
        put_back(in, &batch);
    else if (batch.n > 0)
        in->saved_hour = hour;
    skep_ledger_done(&batch);
    return rc;
}

/* --- sums ------------------------------------------------------------------------------------- */

void skep_ingest_totals(struct skep_ingest *in, struct skep_ledger *ret)
{
    skep_mutex_lock(&in->ledger_lock);
    skep_ledger_copy(ret, &in->totals, 0);
    skep_mutex_unlock(&in->ledger_lock);
}

static void add_to_row(struct skep_ledger_row *row, unsigned what, uint64_t n)
{
    if (what == SKEP_LEDGER_RECEIVED)
        row->received += n;
    else if (what == SKEP_LEDGER_ACCEPTED)
        row->stored += n;
    else if (what == SKEP_LEDGER_DUPLICATE)
        row->duplicate += n;
    else if (what >= SKEP_LEDGER_REJECTED)
        row->rejected[what - SKEP_LEDGER_REJECTED] += n;
}

void skep_ingest__rows(struct skep_ingest *in, struct skep_ingest_snapshot *ret)
{
    struct skep_ledger_row rows[SKEP_SOURCE_COUNT][SKEP_SIGNAL_COUNT];
    memset(rows, 0, sizeof rows);
    skep_mutex_lock(&in->ledger_lock);
    for (size_t i = 0; i < in->book.n; i++) {
        struct skep_ledger_key k;
        if (skep_ledger_unpack(in->book.items[i].key, &k))
            add_to_row(&rows[k.source][k.signal], k.what, in->book.items[i].n);
    }
    skep_mutex_unlock(&in->ledger_lock);
    for (unsigned source = 0; source < SKEP_SOURCE_COUNT; source++)
        for (unsigned signal = 0; signal < SKEP_SIGNAL_COUNT; signal++) {
            struct skep_ledger_row *row = &rows[source][signal];
            if (row->received == 0 || source == SKEP_SOURCE_SELF)
                continue;
            row->source = (enum skep_source)source;
            row->signal = (enum skep_signal)signal;
            uint64_t settled = row->stored + row->duplicate;
            for (unsigned r = 0; r < SKEP_REJECTION_COUNT; r++)
                settled += row->rejected[r];
            row->pending = row->received > settled ? row->received - settled : 0;
            ret->ledger[ret->n_ledger++] = *row;
        }
}

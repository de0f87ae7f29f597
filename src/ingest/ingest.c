// SPDX-License-Identifier: Apache-2.0
/* Life, the ring of the last requests, and the two in the status.  The ledger is ledger.c.
 * Threads: all; the ring has a lock, held for the copy of one record.  Memory: fixed. */
#include "ingest/xray_in.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/mem.h"
#include "wire/json_out.h"
#include "wire/otlp.h"

enum { MAPPERS = 2 };

struct skep_ingest *skep_ingest_new(const struct skep_ingest_config *cfg)
{
    skep_assert(cfg->store && cfg->os);
    struct skep_ingest *in = skep_alloc(struct skep_ingest);
    in->cfg = *cfg;
    skep_mutex_init(&in->lock, "ingest");
    skep_mutex_init(&in->ledger_lock, "ingest ledger");
    skep_ingest__xray_init(in);
    if (cfg->symbols)
        in->mappers = skep_pool_new("map", MAPPERS);
    return in;
}

void skep_ingest_map_stop(struct skep_ingest *in)
{
    if (in && in->mappers)
        skep_pool_free(in->mappers);
    if (in)
        in->mappers = NULL;
}

void skep_ingest_free(struct skep_ingest *in)
{
    if (!in)
        return;
    skep_ingest_map_stop(in);
    skep_ingest__rules_done(in);
    skep_ingest__datasets_done(in);
    skep_ingest__xray_done(in);
    skep_mutex_done(&in->lock);
    skep_mutex_done(&in->ledger_lock);
    skep_ledger_done(&in->book);
    skep_ledger_done(&in->unsaved);
    skep_ledger_done(&in->totals);
    skep_free(in);
}

enum skep_rejection skep_ingest__rejection(skep_rc rc)
{
    static const uint8_t table[SKEP_RC_COUNT] = {
        [SKEP_EINVAL] = SKEP_REJECTION_MALFORMED,
        [SKEP_EMALFORMED] = SKEP_REJECTION_MALFORMED,
        [SKEP_EUNSUPPORTED] = SKEP_REJECTION_UNSUPPORTED,
        [SKEP_ETOOLARGE] = SKEP_REJECTION_TOO_LARGE,
        [SKEP_ENOMEM] = SKEP_REJECTION_NO_MEMORY,
        [SKEP_ENOSPC] = SKEP_REJECTION_NO_SPACE,
        [SKEP_EIO] = SKEP_REJECTION_IO_ERROR,
        [SKEP_ECLOSED] = SKEP_REJECTION_CLOSED,
        [SKEP_EUNAUTHENTICATED] = SKEP_REJECTION_NO_RIGHT,
        [SKEP_EFORBIDDEN] = SKEP_REJECTION_NO_RIGHT,
        [SKEP_ELIMIT] = SKEP_REJECTION_OVER_LIMIT,
    };
    _Static_assert(SKEP_REJECTION_BAD_TRACE_ID == 0, "0 in the table means \"other\"");
    unsigned r = rc < SKEP_RC_COUNT ? table[rc] : 0;
    return r ? (enum skep_rejection)r : SKEP_REJECTION_OTHER;
}

static void cut(char *to, size_t cap, skep_str s)
{
    size_t n = SKEP_MIN(s.n, cap - 1);
    memcpy(to, s.p ? s.p : "", n);
    to[n] = 0;
}

static void note(struct skep_ingest *in, const struct skep_ingest_event *e)
{
    atomic_fetch_add_explicit(&in->bytes, e->bytes, memory_order_relaxed);
    skep_mutex_lock(&in->lock);
    in->last[in->n_last++ % SKEP_INGEST_LAST] = *e;
    skep_mutex_unlock(&in->lock);
}

void skep_ingest__note(struct skep_ingest *in, const struct skep_request *req, int status,
                       skep_str error)
{
    struct skep_ingest_event e = {
        .at_ns = in->cfg.os->now_ns(in->cfg.os), .status = status, .bytes = req->wire_bytes};
    cut(e.listener, sizeof e.listener, req->listener);
    cut(e.what, sizeof e.what, req->method);
    size_t n = strnlen(e.what, sizeof e.what - 2);
    e.what[n] = ' ';
    cut(e.what + n + 1, sizeof e.what - n - 1, req->path);
    cut(e.error, sizeof e.error, error);
    note(in, &e);
}

void skep_ingest__note_text(struct skep_ingest *in, skep_str listener, skep_str what,
                            uint64_t bytes, skep_str error)
{
    struct skep_ingest_event e = {.at_ns = in->cfg.os->now_ns(in->cfg.os), .bytes = bytes};
    cut(e.listener, sizeof e.listener, listener);
    cut(e.what, sizeof e.what, what);
    cut(e.error, sizeof e.error, error);
    note(in, &e);
}

void skep_ingest_snapshot(struct skep_ingest *in, struct skep_ingest_snapshot *ret)
{
    memset(ret, 0, sizeof *ret);
    skep_ingest__rows(in, ret);
    skep_mutex_lock(&in->lock);
    ret->n_last = (unsigned)SKEP_MIN(in->n_last, (uint64_t)SKEP_INGEST_LAST);
    for (unsigned i = 0; i < ret->n_last; i++)
        ret->last[i] = in->last[(in->n_last - 1 - i) % SKEP_INGEST_LAST];
    skep_mutex_unlock(&in->lock);
}

void skep_ingest_stats(struct skep_ingest *in, struct skep_ingest_stats *ret)
{
    skep_mutex_lock(&in->lock);
    ret->requests = in->n_last;
    skep_mutex_unlock(&in->lock);
    ret->bytes = atomic_load_explicit(&in->bytes, memory_order_relaxed);
    skep_histogram_read(&in->ack_times, &ret->ack);
}

static void ledger_json(const struct skep_ledger_row *row, struct skep_json *j)
{
    skep_json_object(j);
    skep_json_put_str(j, SKEP_STR("source"), skep_source_name(row->source));
    skep_json_put_str(j, SKEP_STR("signal"), skep_signal_name(row->signal));
    skep_json_put_u64(j, SKEP_STR("received"), row->received);
    skep_json_put_u64(j, SKEP_STR("stored"), row->stored);
    skep_json_put_u64(j, SKEP_STR("duplicate"), row->duplicate);
    skep_json_put_u64(j, SKEP_STR("pending"), row->pending);
    skep_json_key(j, SKEP_STR("rejected"));
    skep_json_object(j);
    for (unsigned r = 0; r < SKEP_REJECTION_COUNT; r++) {
        if (row->rejected[r])
            skep_json_put_u64(j, skep_rejection_name((enum skep_rejection)r), row->rejected[r]);
    }
    skep_json_end(j);
    skep_json_end(j);
}

static void event_json(const struct skep_ingest_event *e, struct skep_json *j)
{
    skep_json_object(j);
    skep_json_put_i64(j, SKEP_STR("at_ms"), e->at_ns / 1000000);
    skep_json_put_str(j, SKEP_STR("listener"), skep_str_c(e->listener));
    skep_json_put_str(j, SKEP_STR("what"), skep_str_c(e->what));
    skep_json_key(j, SKEP_STR("status"));
    if (e->status)
        skep_json_i64(j, e->status);
    else
        skep_json_null(j);
    skep_json_put_u64(j, SKEP_STR("bytes"), e->bytes);
    skep_json_key(j, SKEP_STR("error"));
    if (e->error[0])
        skep_json_str(j, skep_str_c(e->error));
    else
        skep_json_null(j);
    skep_json_end(j);
}

_Static_assert((int)SKEP_SIGNAL_TRACES == (int)SKEP_OTLP_TRACES &&
                   (int)SKEP_SIGNAL_LOGS == (int)SKEP_OTLP_LOGS &&
                   (int)SKEP_SIGNAL_METRICS == (int)SKEP_OTLP_METRICS,
               "the ledger's signals are OTLP's");

void skep_ingest_status(struct skep_ingest *in, struct skep_json *json)
{
    struct skep_ingest_snapshot s;
    skep_ingest_snapshot(in, &s);
    skep_json_key(json, SKEP_STR("ledger"));
    skep_json_array(json);
    for (unsigned i = 0; i < s.n_ledger; i++)
        ledger_json(&s.ledger[i], json);
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("last"));
    skep_json_array(json);
    for (unsigned i = 0; i < s.n_last; i++)
        event_json(&s.last[i], json);
    skep_json_end(json);
    skep_ingest__xray_status(in, json);
}

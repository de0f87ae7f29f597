// SPDX-License-Identifier: Apache-2.0
/* The X-Ray daemon's UDP port.
 *
 *   datagram: {"format":"json","version":1}\n<document>
 *      | sender allowed? header good?      no: counted by reason
 *      v
 *   gathered: texts, copied      while a commit is on its way, or more datagrams are waiting
 *      |  quiet and nothing on its way, or GATHER_BYTES
 *      v
 *   one batch -> store           committed: counted; the port is woken
 *
 * There is no acknowledgement.  With too many batches on their way (has_room) the port is not read:
 * the kernel keeps what has room and counts what has not.  A store that refuses (memory, disk)
 * makes rejections with its reason.
 *
 * I1  what was taken from the port is counted as received, and accepted or rejected once.
 * Threads: the port's own; committed() on the committer's; status by any.
 * Memory: what is gathered, at most GATHER_BYTES and one burst of datagrams; batches from the
 * budget of requests. */
#include "ingest/xray_in.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "net/udp.h"
#include "wire/json_out.h"

enum {
    GATHER_BYTES = 1 << 20,
    GATHER_TEXTS = 4096,
    COMMITS = 4,       /* always, and */
    COMMITS_MOST = 32, /* while they leave half of the memory of requests free */
    RECEIVE_BUFFER_BYTES = 8 << 20,
    BIND_KEEP_S = 600,
};

struct skep_xray_port {
    struct skep_ingest *in;
    struct skep_udp *udp;
    struct skep_xray_port_config cfg;
    char *environment;
    struct skep_cidr *allow;
    struct skep_arena arena; /* of one batch */
    /* Gathered: texts[i].text.p is an offset into `bytes` until it is decoded. */
    struct skep_buf bytes;
    struct text {
        size_t at, n;
        uint64_t sender;
    } * texts;
    size_t n_texts;
    uint64_t early[SKEP_REJECTION_COUNT]; /* of datagrams that were not gathered */
    uint64_t n_early;
    uint64_t datagrams, datagram_bytes; /* in it, for the ring of the last */
    _Atomic unsigned on_their_way;
};

/* A batch on its way. */
struct sent {
    struct skep_xray_port *port;
    struct skep_xray_report rep;
    struct skep_ledger_key at;
};

// --- counts ------------------------------------------------------------------------------------

struct skep_receipt skep_ingest__xray_receipt(const struct skep_xray_report *rep)
{
    struct skep_receipt r = {.source = SKEP_SOURCE_XRAY, .signal = SKEP_SIGNAL_TRACES};
    skep_assert(rep->received <= UINT32_MAX);
    r.received = (uint32_t)rep->received;
    memcpy(r.rejected, rep->rejected, sizeof r.rejected);
    return r;
}

void skep_ingest__xray_settle(struct skep_ingest *in, struct skep_ledger_key at,
                              const struct skep_xray_report *rep, skep_rc rc, bool duplicate)
{
    struct skep_ingest__outcome o = {.received = rep->received,
                                     .carried = rc == SKEP_OK && !duplicate};
    if (rc != SKEP_OK) {
        o.rejected[skep_ingest__rejection(rc)] = rep->received;
        skep_ingest__settled(in, at, &o);
        return;
    }
    for (unsigned r = 0; r < SKEP_REJECTION_COUNT; r++)
        o.rejected[r] = rep->rejected[r];
    *(duplicate ? &o.duplicate : &o.accepted) = rep->accepted;
    skep_ingest__settled(in, at, &o);
}

void skep_ingest__xray_daemons(struct skep_ingest *in, const struct skep_xray_daemons *sum,
                               skep_str host)
{
    skep_mutex_lock(&in->lock);
    struct skep_xray_daemons *d = &in->xray.daemons;
    d->records += sum->records;
    d->received += sum->received;
    d->sent += sum->sent;
    d->spilled += sum->spilled;
    d->rejected += sum->rejected;
    d->backend_errors += sum->backend_errors;
    if (sum->records) {
        d->last_ns = in->cfg.os->now_ns(in->cfg.os);
        size_t n = SKEP_MIN(host.n, sizeof d->last_host - 1);
        memcpy(d->last_host, host.p ? host.p : "", n);
        d->last_host[n] = 0;
    }
    skep_mutex_unlock(&in->lock);
}

// --- batches -----------------------------------------------------------------------------------

static void committed(void *ctx, skep_rc rc, const struct skep_append_result *res,
                      const skep_err *err)
{
    struct sent *s = ctx;
    struct skep_xray_port *p = s->port;
    (void)err; // the reason is counted; nobody waits for the words
    skep_ingest__xray_settle(p->in, s->at, &s->rep, rc, rc == SKEP_OK && res->duplicate);
    skep_free(s);
    atomic_fetch_sub(&p->on_their_way, 1);
    skep_udp_wake(p->udp);
}

static void note(struct skep_xray_port *p, const struct skep_xray_report *rep)
{
    char what[64];
    (void)snprintf(what, sizeof what, "%" PRIu64 " datagram%s", p->datagrams,
                   p->datagrams == 1 ? "" : "s");
    char listener[64];
    skep_str address = skep_udp_address(p->udp);
    int n = snprintf(listener, sizeof listener, SKEP_STRFMT "/udp", SKEP_STRARG(address));
    skep_ingest__note_text(p->in, (skep_str){listener, (size_t)n}, skep_str_c(what),
                           p->datagram_bytes, skep_str_c(rep->message));
}

/* What was refused before it was gathered goes with the batch at hand. */
static void take_early(struct skep_xray_port *p, struct skep_xray_report *rep)
{
    static const struct {
        enum skep_rejection why;
        const char *text;
    } texts[] = {
        {SKEP_REJECTION_BAD_HEADER,
         "a datagram without the header {\"format\":\"json\",\"version\":1}"},
        {SKEP_REJECTION_NOT_ALLOWED, "a sender that --xray-allow does not name"},
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(texts); i++)
        if (p->early[texts[i].why] && rep->message[0] == 0)
            (void)snprintf(rep->message, sizeof rep->message, "%s", texts[i].text);
    for (unsigned r = 0; r < SKEP_REJECTION_COUNT; r++)
        rep->rejected[r] += (uint32_t)p->early[r];
    rep->received += p->n_early;
    memset(p->early, 0, sizeof p->early);
    p->n_early = 0;
}

static skep_rc decode(struct skep_xray_port *p, struct skep_batch *b, struct skep_xray_report *rep)
{
    const struct skep_xray_opts opts = {.bind = p->in->xray.bind,
                                        .environment = skep_str_c(p->environment),
                                        .document_bytes_max = p->in->cfg.xray_document_bytes,
                                        .arena = &p->arena};
    struct skep_xray_text *texts = skep_new_n(&p->arena, struct skep_xray_text, p->n_texts + 1);
    for (size_t i = 0; i < p->n_texts; i++)
        texts[i] = (struct skep_xray_text){
            .text = {(const char *)p->bytes.p + p->texts[i].at, p->texts[i].n},
            .sender = p->texts[i].sender};
    skep_err err = {.text = ""};
    skep_rc rc = skep_xray_decode(texts, p->n_texts, &opts, b, rep, &err);
    if (rc == SKEP_OK)
        return SKEP_OK;
    *rep = (struct skep_xray_report){.received = p->n_texts}; // none of them, for one reason
    rep->rejected[skep_ingest__rejection(rc)] = (uint32_t)p->n_texts;
    (void)snprintf(rep->message, sizeof rep->message, "%.160s", err.text);
    return rc;
}

static void forget(struct skep_xray_port *p)
{
    p->n_texts = 0;
    p->datagrams = p->datagram_bytes = 0;
    skep_arena_reset(&p->arena);
    if (p->bytes.cap > 2 * GATHER_BYTES) {
        size_t limit = p->bytes.limit;
        skep_buf_done(&p->bytes);
        skep_buf_init(&p->bytes, limit);
    } else {
        skep_buf_reset(&p->bytes);
    }
}

/* All that was gathered becomes one batch. */
static void flush(struct skep_xray_port *p)
{
    struct skep_ingest *in = p->in;
    struct skep_batch *b = skep_batch_new(in->cfg.budget, in->cfg.os->now_ns(in->cfg.os));
    struct sent *s = skep_alloc(struct sent);
    *s = (struct sent){.port = p,
                       .at = skep_ingest__at(SKEP_SOURCE_XRAY, SKEP_SIGNAL_TRACES, b->received_ns)};
    skep_rc rc = decode(p, b, &s->rep);
    take_early(p, &s->rep);
    s->rep.unprocessed = NULL; // lies in the arena, and nobody is told
    note(p, &s->rep);
    skep_ingest__received(in, s->at, s->rep.received);
    if (rc != SKEP_OK || b->n_rows == 0) {
        skep_batch_free(b);
        skep_ingest__xray_settle(in, s->at, &s->rep, SKEP_OK, true);
        skep_free(s);
    } else {
        b->receipt = skep_ingest__xray_receipt(&s->rep);
        atomic_fetch_add(&p->on_their_way, 1);
        skep_ingest__append(in, b, committed, s);
    }
    forget(p);
}

// --- datagrams ---------------------------------------------------------------------------------

static bool allowed(const struct skep_xray_port *p, const struct skep_datagram *d)
{
    return skep_cidr_contains(p->allow, p->cfg.n_allow, d->peer);
}

static void early(struct skep_xray_port *p, enum skep_rejection why)
{
    p->early[why]++;
    p->n_early++;
}

static void gather(struct skep_xray_port *p, const struct skep_datagram *d)
{
    skep_str body;
    p->datagrams++;
    p->datagram_bytes += d->bytes.n;
    if (!allowed(p, d)) {
        early(p, SKEP_REJECTION_NOT_ALLOWED);
        return;
    }
    if (!skep_xray_datagram(skep_bytes_str(d->bytes), &body)) {
        early(p, SKEP_REJECTION_BAD_HEADER);
        return;
    }
    p->texts[p->n_texts++] = (struct text){p->bytes.n, body.n, d->sender};
    skep_buf_str(&p->bytes, body);
    skep_assert(!p->bytes.bad); // room for a burst beyond GATHER_BYTES
}

/* May one more batch go?  A disk that takes its time should not make the kernel drop datagrams. */
static bool has_room(const struct skep_xray_port *p, unsigned on_their_way)
{
    struct skep_budget *budget = p->in->cfg.budget;
    bool free = !budget || skep_budget_used(budget) < budget->limit_bytes / 2;
    return on_their_way < (free ? COMMITS_MOST : COMMITS);
}

static bool receive(void *ctx, const struct skep_datagram *d, unsigned n)
{
    struct skep_xray_port *p = ctx;
    for (unsigned i = 0; i < n; i++)
        gather(p, &d[i]);
    bool full = p->bytes.n >= GATHER_BYTES || p->n_texts >= GATHER_TEXTS;
    unsigned on_their_way = atomic_load(&p->on_their_way);
    bool any = p->n_texts > 0 || p->n_early > 0;
    if (any && (full ? has_room(p, on_their_way) : n == 0 && on_their_way == 0)) {
        flush(p);
        full = false;
    }
    return !full;
}

// --- life --------------------------------------------------------------------------------------

static skep_rc take_ranges(struct skep_xray_port *p, skep_err *err)
{
    p->allow = skep_alloc_n(struct skep_cidr, p->cfg.n_allow + 1);
    for (unsigned i = 0; i < p->cfg.n_allow; i++)
        SKEP_TRY(skep_cidr_parse(skep_str_c(p->cfg.allow[i]), &p->allow[i], err));
    return SKEP_OK;
}

skep_rc skep_ingest_xray_open(struct skep_ingest *in, const struct skep_xray_port_config *cfg,
                              skep_err *err)
{
    skep_assert(!in->xray.port);
    struct skep_xray_port *p = skep_alloc(struct skep_xray_port);
    p->in = in;
    p->cfg = *cfg;
    p->environment = skep_strndup(cfg->environment, skep_str_c(cfg->environment).n);
    skep_arena_init(&p->arena, "x-ray datagrams", NULL);
    skep_buf_init(&p->bytes, GATHER_BYTES + SKEP_UDP_BURST * SKEP_UDP_DATAGRAM_MAX);
    p->texts = skep_alloc_n(struct text, GATHER_TEXTS + SKEP_UDP_BURST);
    in->xray.port = p;
    SKEP_TRY(take_ranges(p, err));
    const struct skep_udp_config udp = {.listen = cfg->listen,
                                        .flag = "--xray",
                                        .fn = receive,
                                        .ctx = p,
                                        .receive_buffer_bytes = RECEIVE_BUFFER_BYTES};
    return skep_udp_open(&udp, &p->udp, err);
}

skep_rc skep_ingest_xray_start(struct skep_ingest *in, skep_err *err)
{
    return in->xray.port ? skep_udp_start(in->xray.port->udp, err) : SKEP_OK;
}

skep_str skep_ingest_xray_address(const struct skep_ingest *in)
{
    const struct skep_xray_port *p = in->xray.port;
    return p && p->udp ? skep_udp_address(p->udp) : SKEP_STR_NULL;
}

void skep_ingest_xray_stop(struct skep_ingest *in)
{
    struct skep_xray_port *p = in ? in->xray.port : NULL;
    if (!p || !p->udp)
        return;
    skep_udp_stop(p->udp);
    if (p->n_texts > 0 || p->n_early > 0)
        flush(p);
}

void skep_ingest__xray_init(struct skep_ingest *in)
{
    in->xray.bind = skep_xray_bind_new(in->cfg.xray_bind_bytes, BIND_KEEP_S * INT64_C(1000000000));
}

void skep_ingest__xray_done(struct skep_ingest *in)
{
    struct skep_xray_port *p = in->xray.port;
    skep_xray_bind_free(in->xray.bind);
    if (!p)
        return;
    skep_assert(atomic_load(&p->on_their_way) == 0);
    skep_udp_free(p->udp);
    skep_arena_done(&p->arena);
    skep_buf_done(&p->bytes);
    skep_free(p->texts);
    skep_free(p->allow);
    skep_free(p->environment);
    skep_free(p);
}

// --- status ------------------------------------------------------------------------------------

void skep_ingest_xray_stats(struct skep_ingest *in, struct skep_xray_stats *ret)
{
    *ret = (struct skep_xray_stats){0};
    if (in->xray.port && in->xray.port->udp) {
        ret->listening = true;
        skep_udp_stats(in->xray.port->udp, &ret->udp);
    }
    skep_mutex_lock(&in->lock);
    ret->daemons = in->xray.daemons;
    skep_mutex_unlock(&in->lock);
}

static void put_ms(struct skep_json *json, skep_str key, skep_ts_ns ns)
{
    skep_json_key(json, key);
    if (ns)
        skep_json_i64(json, ns / 1000000);
    else
        skep_json_null(json);
}

void skep_ingest__xray_status(struct skep_ingest *in, struct skep_json *json)
{
    struct skep_xray_stats s;
    skep_ingest_xray_stats(in, &s);
    skep_json_key(json, SKEP_STR("xray"));
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("udp"));
    if (s.listening) {
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("address"), skep_ingest_xray_address(in));
        skep_json_put_u64(json, SKEP_STR("datagrams"), s.udp.datagrams);
        skep_json_put_u64(json, SKEP_STR("bytes"), s.udp.bytes);
        skep_json_put_u64(json, SKEP_STR("kernel_drops"), s.udp.kernel_drops);
        skep_json_put_u64(json, SKEP_STR("receive_buffer_bytes"), s.udp.receive_buffer_bytes);
        put_ms(json, SKEP_STR("last_ms"), s.udp.last_ns);
        skep_json_put_str(json, SKEP_STR("last_peer"), skep_str_c(s.udp.last_peer));
        skep_json_end(json);
    } else {
        skep_json_null(json);
    }
    skep_json_key(json, SKEP_STR("daemons"));
    skep_json_object(json);
    skep_json_put_u64(json, SKEP_STR("records"), s.daemons.records);
    skep_json_put_u64(json, SKEP_STR("segments_received"), s.daemons.received);
    skep_json_put_u64(json, SKEP_STR("segments_sent"), s.daemons.sent);
    skep_json_put_u64(json, SKEP_STR("segments_spilled"), s.daemons.spilled);
    skep_json_put_u64(json, SKEP_STR("segments_rejected"), s.daemons.rejected);
    skep_json_put_u64(json, SKEP_STR("backend_errors"), s.daemons.backend_errors);
    put_ms(json, SKEP_STR("last_ms"), s.daemons.last_ns);
    skep_json_put_str(json, SKEP_STR("last_host"), skep_str_c(s.daemons.last_host));
    skep_json_end(json);
    skep_json_end(json);
}

// SPDX-License-Identifier: Apache-2.0
/* GET /metrics: Prometheus' text, or OpenMetrics for who asks for it.
 *
 *   metrics.def: one row a number  ->  text 0.0.4 | OpenMetrics 1.0.0 | docs/metrics.md
 *
 * A sample is taken first, from counters that are there anyway; then the table is walked.  Names in
 * the table have no "_total": the text format wants it on the name of a counter's family,
 * OpenMetrics on its samples alone.
 *
 * Threads: answered on the I/O thread; no lock is held for longer than a copy, no row is read.
 * Memory: one buffer. */
#include "api/api_priv.h"

#include <stdio.h>

#include "auth/auth.h"
#include "base/assert.h"
#include "base/histogram.h"
#include "inbox/inbox.h"
#include "ingest/ingest.h"
#include "notify/notify.h"

enum type { COUNTER, GAUGE, HISTOGRAM_TYPE };

/* What the numbers are taken from. */
struct sample {
    const struct skep_api_config *cfg;
    struct skep_store_stats store;
    struct skep_net_stats net;
    struct skep_auth_stats auth;
    struct skep_notify_stats notify;
    struct skep_inbox_stats inbox;
    struct skep_os_process process;
    struct skep_ingest_stats ingest;
    struct skep_xray_stats xray;
    struct skep_ledger totals; /* of the ledger since the start */
    struct skep_histogram_sum latency;
    struct skep_api_self self;
    uint64_t outcomes[SKEP_API__OUTCOMES], running, tails, rows_scanned;
    double uptime_s;
    int build;
};

/* The text under construction. */
struct page {
    struct skep_buf *out;
    bool open;        /* OpenMetrics */
    const char *last; /* name of the family at hand */
};

static double seconds(int64_t ns)
{
    return (double)ns / 1e9;
}

/* --- lines ------------------------------------------------------------------------------------ */

static void put(struct page *p, const char *text)
{
    skep_buf_str(p->out, skep_str_c(text));
}

static void put_number(struct page *p, double v)
{
    char text[SKEP_JSON_NUMBER_BYTES];
    if (v >= 0 && v < 0x1p53 && v == (double)(uint64_t)v) { /* whole: without exponent or point */
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)v);
        put(p, text);
        return;
    }
    skep_buf_put(p->out, text, skep_json_f64_text(v, text));
}

/* HELP and TYPE, once a family. */
static void begin_family(struct page *p, enum type type, const char *name, const char *help)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    if (p->last && strcmp(p->last, name) == 0)
        return;
    p->last = name;
    const char *suffix = type == COUNTER && !p->open ? "_total" : "";
    const char *const line[] = {"# HELP ", name, suffix, " ", help,        "\n",
                                "# TYPE ", name, suffix, " ", types[type], "\n"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(line); i++)
        put(p, line[i]);
}

static void put_sample(struct page *p, const char *name, const char *suffix, const char *labels,
                       double v)
{
    put(p, name);
    put(p, suffix);
    if (labels[0]) {
        put(p, "{");
        put(p, labels);
        put(p, "}");
    }
    put(p, " ");
    put_number(p, v);
    put(p, "\n");
}

static void put_metric(struct page *p, enum type type, const char *name, const char *labels,
                       double v)
{
    put_sample(p, name, type == COUNTER ? "_total" : "", labels, v);
}

static void put_histogram(struct page *p, const char *name, const struct skep_histogram_sum *h)
{
    uint64_t below = 0;
    char label[48];
    for (unsigned i = 0; i + 1 < SKEP_HISTOGRAM_BUCKETS; i++) {
        char bound[SKEP_JSON_NUMBER_BYTES];
        size_t n = skep_json_f64_text((double)skep_histogram_bound(i) / 1e9, bound);
        (void)snprintf(label, sizeof label, "le=\"%.*s\"", (int)n, bound);
        below += h->buckets[i];
        put_sample(p, name, "_bucket", label, (double)below);
    }
    put_sample(p, name, "_bucket", "le=\"+Inf\"", (double)h->count);
    put_sample(p, name, "_sum", "", (double)h->sum_ns / 1e9);
    put_sample(p, name, "_count", "", (double)h->count);
}

/* --- lists ------------------------------------------------------------------------------------ */

typedef void list_fn(struct page *p, const struct sample *m, enum type type, const char *name);

static void put_counted(struct page *p, enum type type, const char *name, struct skep_ledger_key k,
                        double v)
{
    char labels[128];
    skep_str source = skep_source_name((enum skep_source)k.source);
    skep_str signal = skep_signal_name((enum skep_signal)k.signal);
    int n = snprintf(labels, sizeof labels, "source=\"" SKEP_STRFMT "\",signal=\"" SKEP_STRFMT "\"",
                     SKEP_STRARG(source), SKEP_STRARG(signal));
    if (k.what >= SKEP_LEDGER_REJECTED) {
        skep_str reason = skep_rejection_name((enum skep_rejection)(k.what - SKEP_LEDGER_REJECTED));
        (void)snprintf(labels + n, sizeof labels - (size_t)n, ",reason=\"" SKEP_STRFMT "\"",
                       SKEP_STRARG(reason));
    }
    put_metric(p, type, name, labels, v);
}

/* The totals of [first, end) of enum skep_ledger_what. */
static void put_ledger(struct page *p, const struct sample *m, enum type type, const char *name,
                       unsigned first, unsigned end)
{
    for (size_t i = 0; i < m->totals.n; i++) {
        struct skep_ledger_key k;
        if (skep_ledger_unpack(m->totals.items[i].key, &k) && k.what >= first && k.what < end)
            put_counted(p, type, name, k, (double)m->totals.items[i].n);
    }
}

static void received(struct page *p, const struct sample *m, enum type type, const char *name)
{
    put_ledger(p, m, type, name, SKEP_LEDGER_RECEIVED, SKEP_LEDGER_RECEIVED + 1);
}

static void stored(struct page *p, const struct sample *m, enum type type, const char *name)
{
    put_ledger(p, m, type, name, SKEP_LEDGER_ACCEPTED, SKEP_LEDGER_ACCEPTED + 1);
}

static void duplicates(struct page *p, const struct sample *m, enum type type, const char *name)
{
    put_ledger(p, m, type, name, SKEP_LEDGER_DUPLICATE, SKEP_LEDGER_DUPLICATE + 1);
}

static void rejected(struct page *p, const struct sample *m, enum type type, const char *name)
{
    put_ledger(p, m, type, name, SKEP_LEDGER_REJECTED, SKEP_LEDGER_WHAT_END);
}

/* Received and without an outcome yet; one line for each that ever received. */
static void pending(struct page *p, const struct sample *m, enum type type, const char *name)
{
    for (size_t i = 0; i < m->totals.n; i++) {
        struct skep_ledger_key k, other;
        if (!skep_ledger_unpack(m->totals.items[i].key, &k) || k.what != SKEP_LEDGER_RECEIVED)
            continue;
        uint64_t left = m->totals.items[i].n;
        for (size_t o = i + 1; o < m->totals.n; o++) {
            bool known = skep_ledger_unpack(m->totals.items[o].key, &other);
            if (known && other.source == k.source && other.signal == k.signal)
                left -= m->totals.items[o].n;
        }
        put_counted(p, type, name, k, (double)left);
    }
}

static void put_budgets(struct page *p, const struct sample *m, enum type type, const char *name,
                        bool limit)
{
    for (unsigned i = 0; i < m->cfg->n_budgets; i++) {
        char label[64];
        struct skep_budget *b = m->cfg->budgets[i];
        (void)snprintf(label, sizeof label, "budget=\"%s\"", b->name);
        put_metric(p, type, name, label, (double)(limit ? b->limit_bytes : skep_budget_used(b)));
    }
}

static void memory_used(struct page *p, const struct sample *m, enum type type, const char *name)
{
    put_budgets(p, m, type, name, false);
}

static void memory_limit(struct page *p, const struct sample *m, enum type type, const char *name)
{
    put_budgets(p, m, type, name, true);
}

/* --- the page --------------------------------------------------------------------------------- */

static void write_all(struct page *p, const struct sample *m)
{
    char version[64];
    (void)snprintf(version, sizeof version, "version=\"" SKEP_STRFMT "\"",
                   SKEP_STRARG(m->cfg->version));
#define METRIC(type, name, labels, value, help)                                                    \
    begin_family(p, type, name, help);                                                             \
    put_metric(p, type, name, strcmp(labels, "version") == 0 ? version : (labels), (double)(value));
#define HISTOGRAM(name, value, help)                                                               \
    begin_family(p, HISTOGRAM_TYPE, name, help);                                                   \
    put_histogram(p, name, &(value));
#define LIST(type, name, labels, fn, help)                                                         \
    begin_family(p, type, name, help);                                                             \
    fn(p, m, type, name);
#include "api/metrics.def"
#undef METRIC
#undef HISTOGRAM
#undef LIST
    if (p->open)
        put(p, "# EOF\n");
}

static void take_sample(struct skep_api *api, struct sample *m)
{
    const struct skep_api_config *cfg = &api->cfg;
    *m = (struct sample){.cfg = cfg, .build = 1};
    cfg->store->ops->stats(cfg->store, &m->store);
    skep_net_stats(cfg->net, &m->net);
    skep_auth_stats(cfg->auth, &m->auth);
    skep_notify_stats(cfg->notify, &m->notify);
    skep_inbox_stats(cfg->inbox, &m->inbox);
    skep_os_process(&m->process);
    skep_ingest_stats(cfg->ingest, &m->ingest);
    skep_ingest_xray_stats(cfg->ingest, &m->xray);
    skep_ingest_totals(cfg->ingest, &m->totals);
    skep_histogram_read(&api->latency, &m->latency);
    if (cfg->self)
        cfg->self(cfg->self_ctx, &m->self);
    for (unsigned i = 0; i < SKEP_API__OUTCOMES; i++)
        m->outcomes[i] = atomic_load(&api->outcomes[i]);
    m->running = atomic_load(&api->pending);
    m->tails = atomic_load(&api->tails);
    m->rows_scanned = atomic_load(&api->rows_scanned);
    m->uptime_s = (double)(cfg->os->mono_ns(cfg->os) - api->started_mono_ns) / 1e9;
}

static void handle(void *ctx, struct skep_request *req)
{
    struct sample m;
    struct skep_buf buf;
    skep_str accept = skep_request_header(req, SKEP_STR("Accept"));
    struct page page = {.out = &buf,
                        .open = skep_str_find(accept, SKEP_STR("application/openmetrics-text")) !=
                                SIZE_MAX};
    struct skep_response resp = {
        .status = 200,
        .content_type = page.open
                            ? SKEP_STR("application/openmetrics-text; version=1.0.0; charset=utf-8")
                            : SKEP_STR("text/plain; version=0.0.4; charset=utf-8"),
        .headers = {{SKEP_STR("Cache-Control"), SKEP_STR("no-store")}},
        .n_headers = 1,
        .compressible = true};
    skep_buf_init(&buf, 1 << 20);
    take_sample(ctx, &m);
    write_all(&page, &m);
    skep_ledger_done(&m.totals);
    skep_assert(!buf.bad); /* the table is finite, and so are sources, signals and reasons */
    skep_respond_buf(req, &resp, &buf);
    skep_buf_done(&buf);
}

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/metrics",
     .handle = handle,
     .refuse = skep_api__refuse,
     .flags = SKEP_ROUTE_WHOLE,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_BEARER},
};

const struct skep_api__routes skep_api__metrics = {routes, SKEP_ARRAY_LEN(routes)};

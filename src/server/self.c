// SPDX-License-Identifier: Apache-2.0
/* What the server does for itself while it runs: keeps the counts that no row carries, and asks
 * itself whether it works.
 *
 *   every 5 s        skep_ingest_save: one transaction, if anything was refused or sent twice
 *   every interval   a trace of one span: OTLP bytes -> ingest -> store ...... ack_ns
 *                    a question for it, the way everybody asks ............... visible_ns
 *
 * The first question after the acknowledgement should have it: that is the promise; when it has
 * not, more are asked for two seconds, and their number is told.  The span has no attribute, so
 * that it adds no field to what is stored, and stands in the dataset `_skep`.
 *
 * An idle server's disk is left alone: nothing to save means nothing is written, and a probe is one
 * commit.
 *
 * I1  a probe under way ends before the store closes (skep_self_quiesce).
 *
 * Threads: one, named skep-self; the committer calls acked().  Locks: lock, a leaf.  Memory: fixed,
 * but for the question's arena. */
#include "server/self.h"

#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/thread.h"
#include "query/query.h"
#include "wire/otlp.h"

enum { SAVE_MS = 5000, FIRST_PROBE_MS = 5000, QUESTIONS_MAX = 20, PAUSE_MS = 100 };

struct skep_self {
    struct skep_self_config cfg;
    struct skep_mutex lock; /* of all below but `failing` */
    struct skep_cond wake;  /* to stop; acknowledged; quiet */
    bool stopping, quiet;
    bool probing, acked;
    skep_rc ack_rc;
    skep_err ack_err;
    struct skep_api_self stats;
    bool failing; /* the last save: said once; the thread's */
    bool runs;
    skep_thread thread;
};

/* --- the probe -------------------------------------------------------------------------------- */

struct probe {
    skep_trace_id id;
    uint8_t span_id[8];
    skep_ts_ns at_ns;
};

/* ExportTraceServiceRequest with one span. */
static void write_body(struct skep_buf *b, const struct probe *p)
{
    size_t resources = skep_pb_begin(b, 1), resource = skep_pb_begin(b, 1);
    size_t attribute = skep_pb_begin(b, 1);
    skep_pb_put_str(b, 1, SKEP_STR("service.name"));
    size_t value = skep_pb_begin(b, 2);
    skep_pb_put_str(b, 1, SKEP_STR("_skep"));
    skep_pb_end(b, value);
    skep_pb_end(b, attribute);
    skep_pb_end(b, resource);
    size_t scopes = skep_pb_begin(b, 2), span = skep_pb_begin(b, 2);
    skep_pb_put_bytes(b, 1, (skep_bytes){p->id.b, sizeof p->id.b});
    skep_pb_put_bytes(b, 2, (skep_bytes){p->span_id, sizeof p->span_id});
    skep_pb_put_str(b, 5, SKEP_STR("self-probe"));
    skep_pb_put_varint(b, 6, 1); /* internal */
    skep_pb_put_i64(b, 7, (uint64_t)p->at_ns);
    skep_pb_put_i64(b, 8, (uint64_t)p->at_ns);
    skep_pb_end(b, span);
    skep_pb_end(b, scopes);
    skep_pb_end(b, resources);
    skep_assert(!b->bad);
}

static void acked(void *ctx, skep_rc rc, const skep_err *err)
{
    struct skep_self *s = ctx;
    skep_mutex_lock(&s->lock);
    s->acked = true;
    s->ack_rc = rc;
    if (rc != SKEP_OK && err)
        s->ack_err = *err;
    skep_cond_broadcast(&s->wake);
    skep_mutex_unlock(&s->lock);
}

/* Store it, and wait until it is: the store answers each append, at the latest when it closes. */
static skep_rc store_probe(struct skep_self *s, const struct probe *p, skep_err *err)
{
    struct skep_buf body;
    skep_buf_init(&body, 4096);
    write_body(&body, p);
    s->acked = false;
    skep_ingest_own(s->cfg.ingest, skep_buf_bytes(&body), acked, s);
    skep_buf_done(&body);
    skep_mutex_lock(&s->lock);
    while (!s->acked)
        skep_cond_wait(&s->wake, &s->lock);
    skep_rc rc = s->ack_rc;
    if (rc != SKEP_OK)
        *err = s->ack_err;
    skep_mutex_unlock(&s->lock);
    return rc;
}

/* COUNT where trace.trace_id is the probe's, in the dataset _skep. */
static void make_plan(struct skep_arena *a, const struct probe *p, struct skep_plan *plan)
{
    static const char digits[] = "0123456789abcdef";
    char *hex = skep_arena_alloc(a, 32);
    for (size_t i = 0; i < sizeof p->id.b; i++) {
        hex[2 * i] = digits[p->id.b[i] >> 4];
        hex[2 * i + 1] = digits[p->id.b[i] & 15];
    }
    skep_value *v = skep_new(a, skep_value);
    *v = (skep_value){.type = SKEP_TYPE_STRING, .s = {hex, 32}};
    struct skep_expr *filter = skep_new(a, struct skep_expr);
    filter->op = SKEP_EXPR_TEST;
    filter->test = (struct skep_test){
        .field = {SKEP_STR("trace.trace_id")}, .op = SKEP_CMP_EQ, .values = v, .n_values = 1};
    struct skep_agg *count = skep_new(a, struct skep_agg);
    *count = (struct skep_agg){.op = SKEP_AGG_COUNT, .key = SKEP_STR("COUNT")};
    *plan = (struct skep_plan){.kind = SKEP_PLAN_AGGREGATE,
                               .dataset = SKEP_STR("_skep"),
                               .range = {p->at_ns, p->at_ns + 1},
                               .filter = filter,
                               .aggs = count,
                               .n_aggs = 1};
}

static skep_rc ask(struct skep_self *s, const struct probe *p, bool *ret_found, skep_err *err)
{
    struct skep_budget budget;
    struct skep_arena arena;
    struct skep_plan plan;
    struct skep_result *result = NULL;
    skep_budget_init(&budget, "self-probe", 8 << 20, s->cfg.queries);
    skep_arena_init(&arena, "self-probe", &budget);
    make_plan(&arena, p, &plan);
    const struct skep_run_opts opts = {.budget = &budget, .arena = &arena};
    skep_rc rc = skep_query_aggregate(s->cfg.store, &plan, &opts, &result, err);
    if (rc == SKEP_OK) {
        const struct skep_cell *c = result->totals.values;
        *ret_found = c && c[0].kind == SKEP_CELL_INT && c[0].i == 1;
    }
    skep_arena_done(&arena);
    return rc;
}

/* True when the server stops meanwhile. */
static bool pause_ms(struct skep_self *s, int64_t ms)
{
    skep_mutex_lock(&s->lock);
    if (!s->stopping && !s->quiet)
        (void)skep_cond_wait_ms(&s->wake, &s->lock, ms);
    bool stop = s->stopping || s->quiet;
    skep_mutex_unlock(&s->lock);
    return stop;
}

static skep_rc read_back(struct skep_self *s, const struct probe *p, unsigned *ret_queries,
                         skep_err *err)
{
    bool found = false;
    unsigned n = 0;
    while (!found && n < QUESTIONS_MAX) {
        if (n > 0 && pause_ms(s, PAUSE_MS))
            return skep_fail(err, SKEP_ECANCELED, "the server stops");
        SKEP_TRY(ask(s, p, &found, err));
        n++;
    }
    *ret_queries = n;
    return found ? SKEP_OK
                 : skep_fail(err, SKEP_ENOTFOUND,
                             "a trace that was acknowledged is not found by %u questions", n);
}

static skep_rc try_probe(struct skep_self *s, struct skep_api_self *found, skep_err *err)
{
    const struct skep_os *os = s->cfg.os;
    struct probe p = {.at_ns = os->now_ns(os)};
    os->random(os, p.id.b, sizeof p.id.b);
    os->random(os, p.span_id, sizeof p.span_id);
    p.id.b[0] |= 1; /* not all zero */
    p.span_id[0] |= 1;
    int64_t begun = os->mono_ns(os);
    SKEP_TRY(store_probe(s, &p, err));
    int64_t stored = os->mono_ns(os);
    SKEP_TRY(read_back(s, &p, &found->queries, err));
    found->ack_ns = stored - begun;
    found->visible_ns = os->mono_ns(os) - stored;
    found->last_good_ns = p.at_ns;
    return SKEP_OK;
}

static void note(struct skep_self *s, skep_rc rc, const struct skep_api_self *found,
                 const skep_err *err)
{
    bool first = false;
    skep_mutex_lock(&s->lock);
    s->stats.attempts++;
    s->stats.last_ns = s->cfg.os->now_ns(s->cfg.os);
    if (rc == SKEP_OK) {
        s->stats.ack_ns = found->ack_ns;
        s->stats.visible_ns = found->visible_ns;
        s->stats.queries = found->queries;
        s->stats.last_good_ns = found->last_good_ns;
        s->stats.error[0] = 0;
    } else {
        first = s->stats.error[0] == 0;
        s->stats.failures++;
        size_t n = SKEP_MIN(strnlen(err->text, sizeof err->text), sizeof s->stats.error - 1);
        memcpy(s->stats.error, err->text, n);
        s->stats.error[n] = 0;
    }
    skep_mutex_unlock(&s->lock);
    if (first)
        skep_log(WARN, "writing a trace to itself and reading it back failed, trying again",
                 SKEP_K_RC(rc), SKEP_K_CSTR("error", err->text));
}

static void probe(struct skep_self *s)
{
    skep_err err = {.text = ""};
    struct skep_api_self found = {0};
    skep_mutex_lock(&s->lock);
    bool go = !s->quiet && !s->stopping;
    s->probing = go;
    skep_mutex_unlock(&s->lock);
    if (!go)
        return;
    skep_rc rc = try_probe(s, &found, &err);
    if (rc != SKEP_ECANCELED && rc != SKEP_ECLOSED)
        note(s, rc, &found, &err);
    skep_mutex_lock(&s->lock);
    s->probing = false;
    skep_cond_broadcast(&s->wake);
    skep_mutex_unlock(&s->lock);
}

/* --- the thread ------------------------------------------------------------------------------- */

static void save(struct skep_self *s)
{
    skep_err err;
    skep_rc rc = skep_ingest_save(s->cfg.ingest, &err);
    if (rc != SKEP_OK && !s->failing)
        skep_log(WARN, "the ledger's refusals cannot be kept, trying again", SKEP_K_RC(rc),
                 SKEP_K_CSTR("error", err.text));
    s->failing = rc != SKEP_OK;
}

static void run(void *arg)
{
    struct skep_self *s = arg;
    const struct skep_os *os = s->cfg.os;
    int64_t interval = s->cfg.probe_interval_ns;
    int64_t next = os->mono_ns(os) + SKEP_MIN(interval, FIRST_PROBE_MS * INT64_C(1000000));
    for (bool stop = false; !stop;) {
        int64_t ms = SAVE_MS;
        if (interval > 0)
            ms = SKEP_MAX(SKEP_MIN(ms, (next - os->mono_ns(os)) / 1000000), (int64_t)1);
        skep_mutex_lock(&s->lock);
        if (!s->stopping)
            (void)skep_cond_wait_ms(&s->wake, &s->lock, ms);
        stop = s->stopping;
        skep_mutex_unlock(&s->lock);
        save(s);
        if (interval > 0 && os->mono_ns(os) >= next) {
            probe(s);
            next = os->mono_ns(os) + interval;
        }
    }
}

struct skep_self *skep_self_new(const struct skep_self_config *cfg)
{
    skep_assert(cfg->os && cfg->ingest && cfg->store && cfg->queries);
    struct skep_self *s = skep_alloc(struct skep_self);
    s->cfg = *cfg;
    s->stats.interval_ns = cfg->probe_interval_ns;
    skep_mutex_init(&s->lock, "self");
    skep_cond_init(&s->wake);
    return s;
}

void skep_self_start(struct skep_self *s)
{
    skep_assert(!s->runs);
    s->runs = true;
    skep_thread_start(&s->thread, "skep-self", run, s);
}

void skep_self_quiesce(struct skep_self *s)
{
    if (!s)
        return;
    skep_mutex_lock(&s->lock);
    s->quiet = true;
    skep_cond_broadcast(&s->wake);
    while (s->probing) /* I1 */
        skep_cond_wait(&s->wake, &s->lock);
    skep_mutex_unlock(&s->lock);
}

void skep_self_free(struct skep_self *s)
{
    if (!s)
        return;
    skep_mutex_lock(&s->lock);
    s->stopping = true;
    skep_cond_broadcast(&s->wake);
    skep_mutex_unlock(&s->lock);
    if (s->runs)
        skep_thread_join(&s->thread);
    skep_cond_done(&s->wake);
    skep_mutex_done(&s->lock);
    skep_free(s);
}

void skep_self_stats(void *ctx, struct skep_api_self *ret)
{
    struct skep_self *s = ctx;
    skep_mutex_lock(&s->lock);
    *ret = s->stats;
    skep_mutex_unlock(&s->lock);
}

// SPDX-License-Identifier: Apache-2.0
/* The server traces itself with the library it ships.
 *
 *   net, api --watch--> spans (waggle) --batch--> OTLP bytes --transport--> skep_ingest_own
 *
 * A request is a span of kind server by OpenTelemetry's conventions, in the caller's trace if its
 * headers name one; what a worker does for it is a child.  They stand in the dataset `_skep`, with
 * the probe's.  The transport is a call: what the server stores of itself is no request, so that no
 * span tells of another one's way.  Query strings and bodies are left out: keys stand in them.
 *
 * I1  a span that is watched is ended by `answered` or `ended`, or goes with the provider, which is
 *     freed after the last request.
 *
 * Threads: any; the transport runs on waggle's worker, the committer calls acked().
 * Locks: lock, a leaf.  Memory: waggle's, fixed: LIVE_SPANS slots and a queue. */
#include "server/self_trace.h"

#include <string.h>

#include <waggle/http.h>
#include <waggle/propagation.h>
#include <waggle/sdk.h>
#include <waggle/transport.h>

#include "base/assert.h"
#include "base/mem.h"
#include "os/thread.h"

enum { LIVE_SPANS = 1024, FLUSH_MS = 1000, STOP_MS = 3000 };

/* Hands requests to ingest. */
struct way_in {
    struct waggle_transport base; /* first */
    struct skep_ingest *ingest;
    struct skep_mutex lock; /* of what follows */
    struct skep_cond wake;
    bool acked;
    skep_rc rc;
};

struct skep_self_trace {
    struct way_in way_in;
    struct waggle_provider *provider;
    struct waggle_tracer *tracer;
};

/* --- the transport ---------------------------------------------------------------------------- */

static bool accepts(struct waggle_transport *transport, const char *url, char ret_why[160])
{
    (void)transport;
    (void)url;
    (void)ret_why;
    return true;
}

static void acked(void *ctx, skep_rc rc, const skep_err *err)
{
    struct way_in *w = ctx;
    (void)err;
    skep_mutex_lock(&w->lock);
    w->acked = true;
    w->rc = rc;
    skep_cond_broadcast(&w->wake);
    skep_mutex_unlock(&w->lock);
}

/* The store answers each append, at the latest when it closes. */
static void post(struct waggle_transport *transport, const waggle_request *request,
                 waggle_response *response, const waggle_deadline *deadline)
{
    struct way_in *w = (struct way_in *)transport;
    (void)deadline;
    uint8_t *body = skep_malloc(request->body_n);
    size_t n = 0;
    for (size_t i = 0; i < request->n_pieces; i++) {
        memcpy(body + n, request->pieces[i].p, request->pieces[i].n);
        n += request->pieces[i].n;
    }
    skep_assert(n == request->body_n);
    w->acked = false;
    skep_ingest_own(w->ingest, (skep_bytes){body, n}, acked, w);
    skep_free(body);
    skep_mutex_lock(&w->lock);
    while (!w->acked)
        skep_cond_wait(&w->wake, &w->lock);
    response->status = w->rc == SKEP_OK ? 200 : skep_rc_info(w->rc)->retry ? 503 : 400;
    response->connected = true;
    skep_mutex_unlock(&w->lock);
}

static const struct waggle_transport_ops way_in_ops = {
    .struct_size = sizeof way_in_ops, .name = "ingest", .accepts = accepts, .post = post};

/* --- requests --------------------------------------------------------------------------------- */

static uint64_t word_of(waggle_span s)
{
    return (uint64_t)s.generation << 32 | s.slot;
}

static waggle_span span_of(uint64_t word)
{
    return (waggle_span){(uint32_t)word, (uint32_t)(word >> 32)};
}

static bool get_header(void *carrier, const char *key, size_t index, const char **ret_value,
                       size_t *ret_n)
{
    skep_str value;
    if (!skep_request_header_at(carrier, skep_str_c(key), (unsigned)index, &value))
        return false;
    *ret_value = value.p;
    *ret_n = value.n;
    return true;
}

static const char *version_of(enum skep_proto proto)
{
    return proto == SKEP_PROTO_HTTP1 ? "1.1" : "2";
}

static uint64_t request_begun(void *ctx, struct skep_request *req)
{
    struct skep_self_trace *t = ctx;
    const waggle_http_request r = {
        .struct_size = sizeof r,
        .method = skep_cstr(req->arena, req->method),
        .target = skep_cstr(req->arena, req->path),
        .scheme = req->tls ? "https" : "http",
        .version = version_of(req->proto),
        .route = req->route->path,
        .host = skep_cstr(req->arena, req->host),
        .get = get_header,
        .carrier = req,
    };
    waggle_span span = waggle_http_server_start(t->tracer, &r);
    waggle_span_set(
        span, WAGGLE_ATTRS(waggle_kv_i64("http.request.body.size", (int64_t)req->wire_bytes)));
    return word_of(span);
}

static void request_answered(void *ctx, const struct skep_request *req, int http_status)
{
    (void)ctx;
    waggle_http_server_end(span_of(req->watched), NULL, NULL, http_status, NULL);
}

struct skep_net_watch skep_self_trace_requests(struct skep_self_trace *t)
{
    if (!t)
        return (struct skep_net_watch){0};
    return (struct skep_net_watch){request_begun, request_answered, t};
}

/* --- work ------------------------------------------------------------------------------------- */

static uint64_t work_begun(void *ctx, uint64_t request)
{
    struct skep_self_trace *t = ctx;
    const waggle_span_opts opts = {.struct_size = sizeof opts, .parent = span_of(request)};
    return word_of(waggle_span_start(t->tracer, "work", &opts));
}

static void work_ended(void *ctx, uint64_t work, skep_str kind, skep_str environment,
                       skep_str outcome, uint64_t rows_scanned)
{
    waggle_span span = span_of(work);
    (void)ctx;
    waggle_span_set(span,
                    WAGGLE_ATTRS(waggle_kv_strn("skep.kind", kind.p, kind.n),
                                 waggle_kv_strn("skep.environment", environment.p, environment.n),
                                 waggle_kv_strn("skep.outcome", outcome.p, outcome.n),
                                 waggle_kv_i64("skep.rows_scanned", (int64_t)rows_scanned)));
    if (skep_str_eq(outcome, SKEP_STR("failed")) || skep_str_eq(outcome, SKEP_STR("over_budget")))
        waggle_span_set_status(span, WAGGLE_STATUS_ERROR, NULL);
    waggle_span_end(span);
}

struct skep_api_watch skep_self_trace_work(struct skep_self_trace *t)
{
    if (!t)
        return (struct skep_api_watch){0};
    return (struct skep_api_watch){work_begun, work_ended, t};
}

/* --- life ------------------------------------------------------------------------------------- */

static struct waggle_processor *make_processor(struct skep_self_trace *t)
{
    const waggle_otlp_options otlp = {.struct_size = sizeof otlp,
                                      .url = "ingest:",
                                      .gzip = -1,
                                      .grpc = true, /* protobuf whatever OTEL_* says */
                                      .transport = &t->way_in.base};
    const waggle_batch_options batch = {.struct_size = sizeof batch, .schedule_delay_ms = FLUSH_MS};
    return waggle_batch_processor_new(waggle_otlp_exporter_new(&otlp), &batch);
}

struct skep_self_trace *skep_self_trace_new(struct skep_ingest *ingest)
{
    struct skep_self_trace *t = skep_alloc(struct skep_self_trace);
    t->way_in = (struct way_in){.base = {&way_in_ops}, .ingest = ingest};
    skep_mutex_init(&t->way_in.lock, "self_trace");
    skep_cond_init(&t->way_in.wake);
    struct waggle_resource *resource = waggle_resource_new();
    bool ok =
        resource &&
        waggle_resource_set(resource, WAGGLE_ATTRS(waggle_kv_str("service.name", "_skep"),
                                                   waggle_kv_str("service.version", SKEP_VERSION)));
    const waggle_provider_options options = {
        .struct_size = sizeof options, .resource = resource, .max_live_spans = LIVE_SPANS};
    t->provider = ok ? waggle_provider_new(&options) : NULL;
    if (!t->provider || !waggle_provider_add(t->provider, make_processor(t))) {
        skep_self_trace_free(t);
        return NULL;
    }
    const struct waggle_propagator *w3c = waggle_propagator_find("tracecontext");
    waggle_propagators_set(&w3c, 1);
    t->tracer = waggle_provider_tracer(t->provider, "skep", SKEP_VERSION, NULL, WAGGLE_NO_ATTRS);
    return t;
}

void skep_self_trace_stop(struct skep_self_trace *t)
{
    if (t)
        (void)waggle_provider_shutdown(t->provider, STOP_MS); /* what is late is lost: a sample */
}

void skep_self_trace_free(struct skep_self_trace *t)
{
    if (!t)
        return;
    waggle_provider_free(t->provider);
    skep_cond_done(&t->way_in.wake);
    skep_mutex_done(&t->way_in.lock);
    skep_free(t);
}

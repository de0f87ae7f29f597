// SPDX-License-Identifier: Apache-2.0
/* Deterministic OTLP traffic of a made-up shop: the data behind every figure in
 * docs/performance.md.
 *
 *   gen NSPANS OUTFILE [BASE_UNIX_SECONDS] [SEED]
 *
 *   file = { u32le body_bytes; u32le n_spans; body = ExportTraceServiceRequest } ...
 *
 * Traces of 3..40 spans (mean 8.5) over ten services and 78 pods: server, client, database and
 * internal spans, 11 attributes and 6 resource attributes a span on average, 1% errors with an
 * exception event, skewed users, log-normal durations.  Spans leave in end-time order through a
 * window of 4,096, 512 a body, grouped by resource, as a collector's batches would.
 *
 * I1  The same arguments give the same bytes on every machine with IEEE doubles and glibc's libm.
 * I2  A smaller NSPANS gives a prefix of a larger one, but for the drained tail.
 * Random numbers are drawn in a fixed order; reordering two calls changes the data. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "gen_shop.h"

enum {
    WINDOW_SPANS = 4096,
    BODY_SPANS = 512,
    TRACE_SPANS_MAX = 40,
    PODS_MAX = 128,
    TEXT_BYTES = 1024,
    BUF_LIMIT = 64 << 20
};

/* --- random numbers: xoshiro256**, seeded by splitmix64 --------------------------------------- */

static uint64_t rng[4];

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static SKEP_WRAPS uint64_t rnd(void)
{
    uint64_t r = rotl(rng[1] * 5, 7) * 9, t = rng[1] << 17;
    rng[2] ^= rng[0];
    rng[3] ^= rng[1];
    rng[1] ^= rng[2];
    rng[0] ^= rng[3];
    rng[2] ^= t;
    rng[3] = rotl(rng[3], 45);
    return r;
}

static SKEP_WRAPS void seed_rng(uint64_t x)
{
    for (int i = 0; i < 4; i++) {
        x += 0x9e3779b97f4a7c15ull;
        uint64_t z = x;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
        rng[i] = z ^ (z >> 31);
    }
}

static double unit(void) /* [0, 1) */
{
    return (double)(rnd() >> 11) * (1.0 / 9007199254740992.0);
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)(((rnd() >> 32) * (uint64_t)n) >> 32);
}

static double log_normal(double median, double sigma)
{
    double u = unit(), v = unit();
    if (u < 1e-300)
        u = 1e-300;
    return median * exp(sigma * (sqrt(-2 * log(u)) * cos(6.283185307179586 * v)));
}

static void random_hex(char *out, int n)
{
    for (int i = 0; i < n; i += 16) {
        uint64_t r = rnd();
        for (int j = 0; j < 16 && i + j < n; j++, r >>= 4)
            out[i + j] = "0123456789abcdef"[r & 15];
    }
    out[n] = '\0';
}

static void random_id(uint8_t *out, int n)
{
    for (int i = 0; i < n; i += 8) {
        uint64_t r = rnd();
        memcpy(out + i, &r, 8);
    }
}

/* --- protobuf --------------------------------------------------------------------------------- */

static void pb_tag(struct skep_buf *b, unsigned field, unsigned wire)
{
    skep_buf_varint(b, (uint64_t)field << 3 | wire);
}

static void pb_bytes(struct skep_buf *b, unsigned field, const void *p, size_t n)
{
    pb_tag(b, field, 2);
    skep_buf_varint(b, n);
    skep_buf_put(b, p, n);
}

static void pb_text(struct skep_buf *b, unsigned field, const char *s)
{
    pb_bytes(b, field, s, skep_str_c(s).n);
}

static void pb_fixed64(struct skep_buf *b, unsigned field, uint64_t v)
{
    pb_tag(b, field, 1);
    skep_buf_u64(b, v);
}

/* KeyValue with the AnyValue in `any`. */
static void pb_attr(struct skep_buf *b, unsigned field, const char *key, const struct skep_buf *any)
{
    struct skep_buf kv;
    skep_buf_init(&kv, BUF_LIMIT);
    pb_text(&kv, 1, key);
    pb_bytes(&kv, 2, any->p, any->n);
    pb_bytes(b, field, kv.p, kv.n);
    skep_buf_done(&kv);
}

static void attr_text(struct skep_buf *b, unsigned field, const char *key, const char *value)
{
    struct skep_buf any;
    skep_buf_init(&any, BUF_LIMIT);
    pb_text(&any, 1, value);
    pb_attr(b, field, key, &any);
    skep_buf_done(&any);
}

static void attr_int(struct skep_buf *b, const char *key, uint64_t value)
{
    struct skep_buf any;
    skep_buf_init(&any, 64);
    pb_tag(&any, 3, 0);
    skep_buf_varint(&any, value);
    pb_attr(b, 9, key, &any);
    skep_buf_done(&any);
}

static void attr_bool(struct skep_buf *b, const char *key, bool value)
{
    struct skep_buf any;
    skep_buf_init(&any, 64);
    pb_tag(&any, 2, 0);
    skep_buf_varint(&any, value);
    pb_attr(b, 9, key, &any);
    skep_buf_done(&any);
}

static void attr_double(struct skep_buf *b, const char *key, double value)
{
    struct skep_buf any;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    skep_buf_init(&any, 64);
    pb_fixed64(&any, 4, bits);
    pb_attr(b, 9, key, &any);
    skep_buf_done(&any);
}

/* --- the shop's pods -------------------------------------------------------------------------- */

static struct pod {
    int service;
    struct skep_buf resource; /* encoded Resource */
} pods[PODS_MAX];
static int n_pods, first_pod[N_SERVICES];
static char agents[N_AGENTS][160];

static void make_pod(int s, int p)
{
    struct pod *pod = &pods[n_pods++];
    char set[16], suffix[16], name[64], version[16], node[48];
    random_hex(set, 9);
    random_hex(suffix, 5);
    (void)snprintf(name, sizeof name, "%s-%s-%s", services[s].name, set, suffix);
    (void)snprintf(version, sizeof version, "%d.%d.%d", 1 + s % 3, 12 + s, p % 3);
    uint32_t c = below(250), b = below(32), a = below(4);
    (void)snprintf(node, sizeof node, "ip-10-%u-%u-%u.ec2.internal", a, b, c);
    pod->service = s;
    skep_buf_init(&pod->resource, BUF_LIMIT);
    attr_text(&pod->resource, 1, "service.name", services[s].name);
    attr_text(&pod->resource, 1, "service.version", version);
    attr_text(&pod->resource, 1, "k8s.pod.name", name);
    attr_text(&pod->resource, 1, "k8s.node.name", node);
    attr_text(&pod->resource, 1, "region", regions[p % N_REGIONS]);
    attr_text(&pod->resource, 1, "deployment.environment",
              p == services[s].pods - 1 ? "canary" : "production");
}

static void make_shop(void)
{
    for (int i = 0; i < N_AGENTS; i++)
        (void)snprintf(agents[i], sizeof agents[i],
                       "Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) "
                       "Chrome/%d.0.0.0 Safari/537.36",
                       agent_systems[i % N_SYSTEMS], 118 + i);
    for (int s = 0; s < N_SERVICES; s++) {
        first_pod[s] = n_pods;
        for (int p = 0; p < services[s].pods; p++)
            make_pod(s, p);
    }
}

/* A pod of the service in the shopper's region. */
static int pick_pod(int s, int region)
{
    int in_region = (services[s].pods + 4 - region) / N_REGIONS;
    uint32_t k = below((uint32_t)(in_region > 0 ? in_region : 1));
    return first_pod[s] + (region + N_REGIONS * (int)k) % services[s].pods;
}

/* --- one trace -------------------------------------------------------------------------------- */

enum { KIND_INTERNAL = 1, KIND_SERVER = 2, KIND_CLIENT = 3 };

struct node {
    int kind, service, pod, route, depth, callee;
    bool db, has_parent;
    uint8_t id[8], parent[8];
    uint64_t start_ns, duration_ns;
};

static struct shopper {
    char user[32], session[40], address[24], tenant[16];
    int agent, region;
} shopper;

static struct window_key {
    uint64_t end_ns;
    int pod;
    uint64_t serial;
    struct skep_buf span;
} queue[WINDOW_SPANS + 64];
static int n_queue;
static uint64_t n_spans, n_traces, n_errors, n_bodies, written_spans, written_bytes;
static FILE *out;

/* Replace {placeholders} of a route; returns the end of the text. */
static size_t fill_path(char *o, size_t cap, const char *pattern)
{
    size_t n = 0;
    while (*pattern && n + 40 < cap) {
        if (*pattern != '{') {
            o[n++] = *pattern++;
            continue;
        }
        skep_str what = skep_str_c(pattern);
        int k;
        if (skep_str_starts(what, SKEP_STR("{userId")))
            k = snprintf(o + n, cap - n, "%s", shopper.user);
        else if (skep_str_starts(what, SKEP_STR("{sku")))
            k = snprintf(o + n, cap - n, "sku-%06u", below(20000));
        else if (skep_str_starts(what, SKEP_STR("{slug")))
            k = snprintf(o + n, cap - n, "c%u", below(300));
        else if (skep_str_starts(what, SKEP_STR("{zip")))
            k = snprintf(o + n, cap - n, "%05u", below(100000));
        else
            k = snprintf(o + n, cap - n, "%u", below(5000000));
        n += (size_t)k;
        pattern += skep_str_chr(what, '}') + 1;
    }
    o[n] = '\0';
    return n;
}

static void span_head(struct skep_buf *b, const struct node *d, const char *name)
{
    pb_text(b, 5, name);
    pb_tag(b, 6, 0);
    skep_buf_varint(b, (uint64_t)d->kind);
    pb_fixed64(b, 7, d->start_ns);
    pb_fixed64(b, 8, d->start_ns + d->duration_ns);
}

static int server_status(const struct route *r, bool error)
{
    static const int errors[4] = {500, 503, 502, 504};
    if (error)
        return errors[below(4)];
    if (r->method[0] == 'P' && below(10) < 3)
        return 201;
    if (below(100) < 3)
        return 404;
    return below(100) < 2 ? 304 : 200;
}

static void encode_server(struct skep_buf *b, const struct node *d, bool error, uint32_t thread)
{
    const struct service *s = &services[d->service];
    const struct route *r = &s->routes[d->route];
    char t[TEXT_BYTES];
    (void)snprintf(t, sizeof t, "%s %s", r->method, r->pattern);
    span_head(b, d, t);
    int status = server_status(r, error);
    attr_text(b, 9, "http.method", r->method);
    attr_text(b, 9, "http.route", r->pattern);
    attr_int(b, "http.status_code", (uint64_t)status);
    size_t n = fill_path(t, sizeof t, r->pattern);
    if (below(4) == 0)
        (void)snprintf(t + n, sizeof t - n, "?page=%u&sort=price", below(40));
    attr_text(b, 9, "http.target", t);
    attr_text(b, 9, "user.id", shopper.user);
    attr_text(b, 9, "tenant.id", shopper.tenant);
    attr_text(b, 9, "session.id", shopper.session);
    attr_text(b, 9, "client.address", shopper.address);
    attr_text(b, 9, "user_agent.original", agents[shopper.agent]);
    attr_int(b, "http.response_content_length", (uint64_t)log_normal(1800, 1.1));
    (void)snprintf(t, sizeof t, "%s.shop.svc.cluster.local", s->name);
    attr_text(b, 9, "net.host.name", t);
    attr_int(b, "thread.id", thread);
    attr_bool(b, "app.cache_hit", below(10) < 4);
}

static void encode_client(struct skep_buf *b, const struct node *d, bool error, uint32_t thread)
{
    const struct service *callee = &services[d->callee];
    const struct route *r = &callee->routes[d->route];
    char t[TEXT_BYTES];
    (void)snprintf(t, sizeof t, "HTTP %s", r->method);
    span_head(b, d, t);
    attr_text(b, 9, "http.method", r->method);
    attr_int(b, "http.status_code", error ? 503 : 200);
    int n = snprintf(t, sizeof t, "http://%s.shop.svc.cluster.local:8080", callee->name);
    (void)fill_path(t + n, sizeof t - (size_t)n, r->pattern);
    attr_text(b, 9, "http.url", t);
    (void)snprintf(t, sizeof t, "%s.shop.svc.cluster.local", callee->name);
    attr_text(b, 9, "net.peer.name", t);
    attr_int(b, "net.peer.port", 8080);
    attr_text(b, 9, "user.id", shopper.user);
    attr_text(b, 9, "tenant.id", shopper.tenant);
    attr_int(b, "http.request_content_length", (uint64_t)log_normal(300, 0.8));
    attr_int(b, "retry.count", below(100) < 2 ? 1 + below(2) : 0);
    attr_int(b, "thread.id", thread);
    attr_text(b, 9, "peer.service", callee->name);
}

/* A SQL statement of form k; returns its operation. */
static const char *sql(char *t, size_t cap, uint32_t k, const char *table)
{
    uint32_t a, b, c;
    switch (k) {
    case 0:
    case 1:
    case 2:
        (void)snprintf(t, cap,
                       "SELECT id, status, total_cents, created_at FROM %s WHERE user_id = $1 AND "
                       "status IN ('open','paid') ORDER BY created_at DESC LIMIT %u",
                       table, 20 * (1 + below(5)));
        return "SELECT";
    case 3:
    case 4:
        (void)snprintf(t, cap, "SELECT * FROM %s WHERE id = %u", table, below(5000000));
        return "SELECT";
    case 5:
        (void)snprintf(t, cap,
                       "SELECT o.id, i.sku, i.qty FROM orders o JOIN order_items i ON i.order_id = "
                       "o.id WHERE o.user_id = '%s' AND i.sku = 'sku-%06u'",
                       shopper.user, below(20000));
        return "SELECT";
    case 6:
        (void)snprintf(t, cap,
                       "INSERT INTO %s (user_id, sku, qty, price_cents, region) VALUES ($1, $2, "
                       "$3, $4, $5) RETURNING id",
                       table);
        return "INSERT";
    case 7:
        c = below(40);
        b = below(20000);
        a = 1 + below(5);
        (void)snprintf(
            t, cap,
            "UPDATE %s SET qty = qty - %u, updated_at = now() WHERE sku = 'sku-%06u' AND "
            "warehouse_id = %u",
            table, a, b, c);
        return "UPDATE";
    case 8:
        (void)snprintf(t, cap,
                       "SELECT count(*) FROM %s WHERE created_at > now() - interval '%u days' AND "
                       "tenant_id = '%s'",
                       table, 1 + below(30), shopper.tenant);
        return "SELECT";
    default:
        (void)snprintf(t, cap, "DELETE FROM %s WHERE expires_at < now() AND shard = %u", table,
                       below(256));
        return "DELETE";
    }
}

/* The statement of a database span; returns its operation. */
static const char *statement(char *t, size_t cap, const struct service *s, const char *table)
{
    static const char *const redis[5] = {"GET", "SET", "HGETALL", "EXPIRE", "INCR"};
    uint32_t form = below(10);
    skep_str system = skep_str_c(s->db_system);
    if (skep_str_eq(system, SKEP_STR("redis"))) {
        const char *op = redis[below(5)];
        bool set = op[0] == 'S';
        (void)snprintf(t, cap, set ? "%s %s:%s:%s ? EX 3600" : "%s %s:%s:%s", op, s->db_name, table,
                       shopper.user);
        return op;
    }
    if (skep_str_eq(system, SKEP_STR("mongodb"))) {
        uint32_t limit = 10 * (1 + below(10)), sku = below(20000);
        (void)snprintf(t, cap,
                       "{\"find\":\"%s\",\"filter\":{\"sku\":\"sku-%06u\",\"active\":true},"
                       "\"limit\":%u,\"$db\":\"%s\"}",
                       table, sku, limit, s->db_name);
        return "find";
    }
    return sql(t, cap, form, table);
}

static void encode_db(struct skep_buf *b, const struct node *d, uint32_t thread)
{
    const struct service *s = &services[d->service];
    const char *table = db_tables[(d->service * 5 + (int)below(4)) % N_TABLES];
    char t[TEXT_BYTES], name[TEXT_BYTES];
    const char *op = statement(t, sizeof t, s, table);
    (void)snprintf(name, sizeof name, "%s %s", op, table);
    span_head(b, d, name);
    attr_text(b, 9, "db.system", s->db_system);
    attr_text(b, 9, "db.name", s->db_name);
    attr_text(b, 9, "db.statement", t);
    attr_text(b, 9, "db.operation", op);
    attr_text(b, 9, "db.sql.table", table);
    (void)snprintf(name, sizeof name, "%s-%s-%u.db.internal", s->db_system, s->db_name, below(3));
    attr_text(b, 9, "net.peer.name", name);
    attr_int(b, "net.peer.port", (uint64_t)s->db_port);
    attr_int(b, "db.rows_affected", (uint64_t)log_normal(4, 1.2));
    attr_text(b, 9, "user.id", shopper.user);
    attr_text(b, 9, "tenant.id", shopper.tenant);
    attr_int(b, "thread.id", thread);
    attr_double(b, "db.pool.wait_ms", floor(log_normal(0.2, 1.5) * 1000) / 1000);
}

static void encode_internal(struct skep_buf *b, const struct node *d, uint32_t thread)
{
    const char *f = functions[below(N_FUNCTIONS)];
    char t[TEXT_BYTES];
    span_head(b, d, f);
    attr_text(b, 9, "code.function", f);
    (void)snprintf(t, sizeof t, "com.shop.%s.internal", services[d->service].name);
    attr_text(b, 9, "code.namespace", t);
    attr_text(b, 9, "user.id", shopper.user);
    attr_text(b, 9, "tenant.id", shopper.tenant);
    attr_int(b, "thread.id", thread);
    attr_int(b, "app.items", below(40));
    (void)snprintf(t, sizeof t, "flag-%u", below(30));
    attr_text(b, 9, "feature_flag.key", t);
    attr_bool(b, "feature_flag.on", below(2));
}

static void encode_exception(struct skep_buf *b, const struct node *d)
{
    struct skep_buf e;
    char t[4 * TEXT_BYTES];
    skep_buf_init(&e, BUF_LIMIT);
    pb_fixed64(&e, 1, d->start_ns + d->duration_ns * 9 / 10);
    pb_text(&e, 2, "exception");
    uint32_t x = below(N_EXCEPTIONS);
    attr_text(&e, 3, "exception.type", exceptions[x]);
    uint32_t request = (uint32_t)rnd(), attempt = 1 + below(3), callee = below(N_SERVICES);
    (void)snprintf(t, sizeof t, "%s: call to %s failed after %u ms (attempt %u, request %08x)",
                   exceptions[x], services[callee].name, (uint32_t)(d->duration_ns / 1000000),
                   attempt, request);
    attr_text(&e, 3, "exception.message", t);
    int n = snprintf(t, sizeof t, "%s\n", exceptions[x]);
    uint32_t frames = 4 + below(3);
    for (uint32_t i = 0; i < frames; i++) {
        uint32_t line = 20 + below(400), f = below(N_FUNCTIONS), table = below(N_TABLES);
        n += snprintf(t + n, sizeof t - (size_t)n, "\tat com.shop.%s.%s.%s(%s.java:%u)\n",
                      services[d->service].name, db_tables[table], functions[f], "Handler", line);
    }
    attr_text(&e, 3, "exception.stacktrace", t);
    pb_bytes(b, 11, e.p, e.n);
    skep_buf_done(&e);
}

static void encode_status(struct skep_buf *b, const struct node *d, bool error)
{
    static const uint8_t ok[2] = {0x18, 1};
    struct skep_buf s;
    if (!error) { /* OK on server spans, an empty Status on the others */
        pb_bytes(b, 15, ok, d->kind == KIND_SERVER ? sizeof ok : 0);
        return;
    }
    skep_buf_init(&s, BUF_LIMIT);
    pb_text(&s, 2, exceptions[below(N_EXCEPTIONS)]);
    pb_tag(&s, 3, 0);
    skep_buf_varint(&s, 2);
    pb_bytes(b, 15, s.p, s.n);
    skep_buf_done(&s);
}

static void encode_span(const struct node *d, const uint8_t *trace)
{
    struct skep_buf b;
    skep_buf_init(&b, BUF_LIMIT);
    bool error = below(1000) < 10;
    pb_bytes(&b, 1, trace, 16);
    pb_bytes(&b, 2, d->id, 8);
    if (d->has_parent)
        pb_bytes(&b, 4, d->parent, 8);
    uint32_t thread = 1 + below(64);
    if (d->kind == KIND_SERVER)
        encode_server(&b, d, error, thread);
    else if (d->kind == KIND_CLIENT && !d->db)
        encode_client(&b, d, error, thread);
    else if (d->kind == KIND_CLIENT)
        encode_db(&b, d, thread);
    else
        encode_internal(&b, d, thread);
    if (error) {
        n_errors++;
        encode_exception(&b, d);
    }
    encode_status(&b, d, error);
    pb_tag(&b, 16, 5);
    skep_buf_u32(&b, 0x101);
    queue[n_queue++] = (struct window_key){d->start_ns + d->duration_ns, d->pod, n_spans, b};
    n_spans++;
}

static int by_end(const void *a, const void *b)
{
    const struct window_key *x = a, *y = b;
    if (x->end_ns != y->end_ns)
        return x->end_ns < y->end_ns ? -1 : 1;
    return x->serial < y->serial ? -1 : 1;
}

static int by_pod(const void *a, const void *b)
{
    const struct window_key *x = a, *y = b;
    if (x->pod != y->pod)
        return x->pod < y->pod ? -1 : 1;
    if (x->end_ns != y->end_ns)
        return x->end_ns < y->end_ns ? -1 : 1;
    return x->serial < y->serial ? -1 : x->serial > y->serial;
}

/* One ResourceSpans of the spans [i, end) of one pod. */
static void put_resource_spans(struct skep_buf *body, int i, int end)
{
    struct skep_buf scope, spans, rs;
    const struct pod *pod = &pods[queue[i].pod];
    skep_buf_init(&scope, BUF_LIMIT);
    skep_buf_init(&spans, BUF_LIMIT);
    skep_buf_init(&rs, BUF_LIMIT);
    pb_text(&scope, 1, services[pod->service].scope);
    pb_text(&scope, 2, "0.57.1");
    pb_bytes(&spans, 1, scope.p, scope.n);
    for (; i < end; i++) {
        pb_bytes(&spans, 2, queue[i].span.p, queue[i].span.n);
        skep_buf_done(&queue[i].span);
    }
    pb_bytes(&rs, 1, pod->resource.p, pod->resource.n);
    pb_bytes(&rs, 2, spans.p, spans.n);
    pb_text(&rs, 3, "https://opentelemetry.io/schemas/1.26.0");
    pb_bytes(body, 1, rs.p, rs.n);
    skep_buf_done(&scope);
    skep_buf_done(&spans);
    skep_buf_done(&rs);
}

/* Write the n spans of the window that ended first as one body. */
static void emit(int n)
{
    struct skep_buf body;
    uint8_t head[8];
    skep_buf_init(&body, BUF_LIMIT);
    qsort(queue, (size_t)n_queue, sizeof *queue, by_end);
    qsort(queue, (size_t)n, sizeof *queue, by_pod);
    for (int i = 0, end; i < n; i = end) {
        for (end = i; end < n && queue[end].pod == queue[i].pod;)
            end++;
        put_resource_spans(&body, i, end);
    }
    uint32_t sizes[2] = {(uint32_t)body.n, (uint32_t)n};
    memcpy(head, sizes, sizeof head);
    if (fwrite(head, sizeof head, 1, out) != 1 || fwrite(body.p, body.n, 1, out) != 1) {
        perror("gen: write");
        exit(1);
    }
    written_spans += (uint64_t)n;
    written_bytes += body.n;
    n_bodies++;
    memmove(queue, queue + n, (size_t)(n_queue - n) * sizeof *queue);
    n_queue -= n;
    skep_buf_done(&body);
}

/* The server span that gets the next child. */
static int pick_parent(const struct node *nodes, int n)
{
    int p = (int)below((uint32_t)n), tries = 0;
    if (p > 0 && below(2))
        p = (int)below((uint32_t)p);
    while ((nodes[p].kind != KIND_SERVER || nodes[p].depth > 5) && tries++ < 20)
        p = (int)below((uint32_t)n);
    if (nodes[p].kind != KIND_SERVER)
        p = 0;
    if (p != 0 || n <= 4)
        return p;
    for (int i = 0; i < 12; i++) {
        int q = 1 + (int)below((uint32_t)(n - 1));
        if (nodes[q].kind == KIND_SERVER && nodes[q].depth < 6)
            return q;
    }
    return p;
}

static struct node child_of(const struct node *parent, int kind, uint64_t start, uint64_t duration)
{
    struct node d = {.kind = kind,
                     .service = parent->service,
                     .pod = parent->pod,
                     .route = parent->route,
                     .depth = parent->depth + 1,
                     .has_parent = true,
                     .start_ns = start,
                     .duration_ns = duration};
    random_id(d.id, 8);
    memcpy(d.parent, parent->id, 8);
    return d;
}

static uint64_t at_most(double ns, uint64_t limit)
{
    uint64_t v = (uint64_t)ns;
    return v > limit ? limit : v;
}

/* A call to another service: client span here, server span there. */
static void add_call(struct node *nodes, int *n, const struct node *parent, uint64_t start,
                     uint64_t left)
{
    int callee = services[parent->service].calls[below(4)];
    int route = (int)below(N_ROUTES);
    uint64_t duration =
        at_most(log_normal(services[callee].routes[route].median_ms, 0.8) * 1e6, left);
    uint64_t net = (uint64_t)(log_normal(0.4, 0.6) * 1e6);
    if (net * 2 > duration)
        net = duration / 4;
    struct node *client = &nodes[(*n)++];
    *client = child_of(parent, KIND_CLIENT, start, duration);
    client->route = route;
    client->callee = callee;
    struct node *server = &nodes[(*n)++];
    int pod = pick_pod(callee, shopper.region);
    *server = child_of(client, KIND_SERVER, start + net, duration - 2 * net);
    server->service = callee;
    server->pod = pod;
    server->callee = 0;
}

static void add_child(struct node *nodes, int *n, int wanted)
{
    struct node parent = nodes[pick_parent(nodes, *n)];
    double offset = unit() * 0.7;
    uint64_t start = parent.start_ns + (uint64_t)((double)parent.duration_ns * offset);
    uint64_t left = parent.start_ns + parent.duration_ns - start;
    uint32_t q = below(100);
    if (q < 52 && services[parent.service].db_system[0]) {
        uint64_t duration = at_most(log_normal(2.5, 1.0) * 1e6, left);
        nodes[*n] = child_of(&parent, KIND_CLIENT, start, duration);
        nodes[(*n)++].db = true;
    } else if (q < 62 || wanted - *n < 2) {
        uint64_t duration = at_most(log_normal(0.8, 1.1) * 1e6, left);
        nodes[(*n)++] = child_of(&parent, KIND_INTERNAL, start, duration);
    } else {
        add_call(nodes, n, &parent, start, left);
    }
}

static void pick_shopper(void)
{
    double z = unit();
    uint32_t user = (uint32_t)(100000 * z * z * z);
    (void)snprintf(shopper.user, sizeof shopper.user, "u-%05u", user);
    (void)snprintf(shopper.tenant, sizeof shopper.tenant, "tenant-%03u", (user * 7919u) % 200);
    random_hex(shopper.session, 24);
    uint32_t d = 1 + below(250), c = below(256), b = below(256), a = 11 + below(200);
    (void)snprintf(shopper.address, sizeof shopper.address, "%u.%u.%u.%u", a, b, c, d);
    shopper.agent = (int)(user % N_AGENTS);
    shopper.region = (int)(user % N_REGIONS);
}

static void make_trace(uint64_t start_ns, uint64_t target)
{
    struct node nodes[TRACE_SPANS_MAX + 8];
    uint8_t trace[16];
    int wanted = 3 + (int)log_normal(3.9, 0.95), n = 0;
    if (wanted > TRACE_SPANS_MAX)
        wanted = TRACE_SPANS_MAX;
    if (n_spans + (uint64_t)wanted > target)
        wanted = (int)(target - n_spans);
    random_id(trace, sizeof trace);
    n_traces++;
    pick_shopper();
    int route = (int)below(N_ROUTES);
    if (route > 3 && below(3))
        route = (int)below(4);
    int pod = pick_pod(0, shopper.region);
    nodes[n] = (struct node){.kind = KIND_SERVER, .pod = pod, .route = route, .start_ns = start_ns};
    random_id(nodes[n].id, 8);
    nodes[n].duration_ns = (uint64_t)(log_normal(services[0].routes[route].median_ms, 0.85) * 1e6);
    n++;
    while (n < wanted)
        add_child(nodes, &n, wanted);
    for (int i = 0; i < n; i++)
        encode_span(&nodes[i], trace);
}

int main(int argc, char **argv)
{
    uint64_t target, base_s = 1795132800, seed = 42;
    if (argc < 3 || argc > 5 || !skep_str_u64(skep_str_c(argv[1]), &target) ||
        (argc > 3 && !skep_str_u64(skep_str_c(argv[3]), &base_s)) ||
        (argc > 4 && !skep_str_u64(skep_str_c(argv[4]), &seed))) {
        (void)fprintf(stderr, "usage: gen NSPANS OUTFILE [BASE_UNIX_SECONDS] [SEED]\n");
        return 2;
    }
    out = fopen(argv[2], "wb");
    if (!out) {
        perror(argv[2]);
        return 1;
    }
    seed_rng(seed);
    make_shop();
    double now_ns = 0;
    while (n_spans < target) {
        now_ns += -log(1 - unit()) * 17.28e6; /* about 58 traces a second */
        make_trace(base_s * 1000000000 + (uint64_t)now_ns, target);
        if (n_queue >= WINDOW_SPANS)
            emit(BODY_SPANS);
    }
    while (n_queue > 0)
        emit(SKEP_MIN(n_queue, (int)BODY_SPANS));
    if (fclose(out)) {
        perror(argv[2]);
        return 1;
    }
    (void)printf("spans %llu traces %llu bodies %llu bytes %llu bytes_per_span %.2f errors %llu "
                 "seconds %.1f\n",
                 (unsigned long long)written_spans, (unsigned long long)n_traces,
                 (unsigned long long)n_bodies, (unsigned long long)written_bytes,
                 (double)written_bytes / (double)written_spans, (unsigned long long)n_errors,
                 now_ns / 1e9);
    for (int i = 0; i < n_pods; i++)
        skep_buf_done(&pods[i].resource);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
/* Log lines as programs write them, in OTLP: what a collector that follows files sends.
 *
 *   gen_logs NLINES OUTFILE [SEED [CSVFILE]]      OUTFILE as gen's; CSVFILE: ns,service,pod,line
 *
 * Ten services, a stream each, with the whole line as the body:
 *   nginx     access lines of the combined format with the time taken       3 of 10 lines
 *   JSON      a line an event with a trace id, a user and what it is about;
 *             three lines a request on average, of 24 requests at a time    3.5
 *             (of payments the collector reads the ids: they stand in the record, too)
 *   Java      time, level, thread, logger, message; 1 of 400 an error with
 *             a stack trace of 8 to 24 frames in the same record            2.5
 *   logfmt    key=value                                                     1
 *
 * 5,000 lines a second, 512 of one service a body.  Values follow what makes lines hard or easy to
 * pack: ids are random, users and goods are skewed, durations vary.  One line at seven tenths says
 * "OutOfDiskSpaceError on volume-7f3a91c2"; no other has one of these words.  The same arguments
 * give the same bytes; the last line printed says how many bytes the lines are, a newline each. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"
#include "pb.h"

enum { N_SERVICES = 10, BODY_LINES = 512, BUF_LIMIT = 64 << 20 };
#define BASE_NS 1795132800000000000ull
#define STEP_NS 200000ull

static uint64_t rng;

static SKEP_WRAPS uint64_t next(void)
{
    rng += 0x9e3779b97f4a7c15ull;
    return skep_hash_u64(rng);
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)(((next() >> 32) * n) >> 32);
}

/* Small numbers far more often than large ones. */
static uint32_t skewed(uint32_t n)
{
    uint64_t x = below(n);
    return (uint32_t)(x * below(n) / n);
}

struct line {
    struct skep_buf text;
    unsigned service;
    unsigned severity; /* OTLP's number */
    bool traced;
    uint8_t trace[16], span[8];
};

#define put(l, ...) skep_buf_printf(&(l)->text, __VA_ARGS__)

static void put_date(struct line *l, uint64_t ns, char between)
{
    struct tm tm;
    time_t t = (time_t)(ns / 1000000000);
    gmtime_r(&t, &tm);
    put(l, "%04d-%02d-%02d%c%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, between,
        tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* As nginx writes it. */
static void put_local(struct line *l, uint64_t ns)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm tm;
    time_t t = (time_t)(ns / 1000000000);
    gmtime_r(&t, &tm);
    put(l, "[%02d/%.3s/%04d:%02d:%02d:%02d +0000]", tm.tm_mday, months + (size_t)tm.tm_mon * 3,
        tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static unsigned ms_of(uint64_t ns)
{
    return (unsigned)(ns / 1000000 % 1000);
}

static const char *const agents[] = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Safari/605.1.15",
    "okhttp/4.12.0",
    "curl/8.5.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "python-requests/2.32.3",
};
static const char *const pages[] = {"/", "/cart", "/search", "/account", "/checkout", "/help"};

static void nginx(struct line *l, uint64_t ns)
{
    static const unsigned statuses[] = {200, 200, 200, 200, 200, 200, 304, 301, 404, 499, 502, 200};
    unsigned status = statuses[below(12)];
    put(l, "10.%u.%u.%u - - ", skewed(16), below(256), below(256));
    put_local(l, ns);
    switch (below(4)) {
    case 0: put(l, " \"GET /api/v1/products/%u", 10000 + skewed(90000)); break;
    case 1: put(l, " \"POST /api/v1/cart/%u/items", 100000 + below(900000)); break;
    case 2: put(l, " \"GET /static/app.%08x.js", skewed(40) * 2654435761u); break;
    default: put(l, " \"GET %s?page=%u&ref=mail", pages[below(6)], skewed(50)); break;
    }
    put(l, " HTTP/1.1\" %u %u \"https://shop.example%s\" \"%s\" %u.%03u", status,
        status == 304 ? 0 : 200 + skewed(60000), pages[skewed(6)], agents[skewed(8)],
        below(100) ? 0 : 1 + below(3), skewed(900));
    l->severity = status >= 500 ? 17 : 9;
}

static void put_hex(struct line *l, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put(l, "%02x", p[i]);
}

/* A request that writes lines. */
struct request {
    uint8_t trace[16], span[8];
    uint32_t order, user;
};
enum { IN_FLIGHT = 24 };

static const struct request *some_request(struct request *r)
{
    r += below(IN_FLIGHT);
    if (r->order > 0 && below(3) > 0)
        return r;
    skep_store_le64(r->trace, next());
    skep_store_le64(r->trace + 8, next());
    skep_store_le64(r->span, next());
    r->order = 8000000 + below(1000000);
    r->user = skewed(100000);
    return r;
}

static void json(struct line *l, uint64_t ns)
{
    static const char *const events[][2] = {
        {"orders.http", "order placed"},        {"orders.db", "row locked, waiting"},
        {"payments.gateway", "card charged"},   {"payments.gateway", "charge refused by issuer"},
        {"catalog.cache", "cache entry stale"}, {"auth.session", "session renewed"},
    };
    unsigned e = skewed(6);
    bool bad = e == 3;
    static struct request requests[N_SERVICES][IN_FLIGHT];
    const struct request *r = some_request(requests[l->service]);
    memcpy(l->trace, r->trace, sizeof l->trace);
    memcpy(l->span, r->span, sizeof l->span);
    l->traced = true;
    l->severity = bad ? 13 : 9;
    put(l, "{\"ts\":\"");
    put_date(l, ns, 'T');
    put(l, ".%03uZ\",\"level\":\"%s\",\"logger\":\"%s\",\"msg\":\"%s\",\"order_id\":%u", ms_of(ns),
        bad ? "warn" : "info", events[e][0], events[e][1], r->order);
    put(l, ",\"user\":\"u-%05u\",\"trace_id\":\"", r->user);
    put_hex(l, l->trace, 16);
    put(l, "\",\"span_id\":\"");
    put_hex(l, l->span, 8);
    put(l, "\",\"duration_ms\":%u.%02u,\"attempt\":%u}", skewed(2000), below(100), 1 + skewed(3));
}

static void stack_trace(struct line *l)
{
    static const char *const at[] = {
        "com.example.inventory.StockService.reserve(StockService.java",
        "com.example.inventory.db.Repository.lock(Repository.java",
        ("org.springframework.transaction.interceptor.TransactionInterceptor.invoke"
         "(TransactionInterceptor.java"),
        "org.springframework.web.servlet.FrameworkServlet.service(FrameworkServlet.java",
        "org.apache.catalina.core.ApplicationFilterChain.doFilter(ApplicationFilterChain.java",
        "org.postgresql.jdbc.PgPreparedStatement.executeWithFlags(PgPreparedStatement.java",
        "java.base/java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java",
        "java.base/java.lang.Thread.run(Thread.java",
    };
    for (unsigned i = 8 + below(17); i > 0; i--) {
        unsigned k = below(8), number = 40 + k * 31 + below(6);
        put(l, "\n\tat %s:%u)", at[k], number);
    }
}

static void java(struct line *l, uint64_t ns)
{
    static const char *const loggers[] = {"c.e.inventory.StockService",
                                          "c.e.inventory.db.Repository", "c.e.search.Indexer",
                                          "o.a.kafka.clients.NetworkClient"};
    bool bad = below(400) == 0;
    put_date(l, ns, ' ');
    put(l, ",%03u %s [http-nio-8080-exec-%u] %s - ", ms_of(ns), bad ? "ERROR" : "INFO ",
        1 + below(32), loggers[bad ? 1 : skewed(4)]);
    l->severity = bad ? 17 : 9;
    if (bad) {
        put(l,
            "could not serialize access due to concurrent update of order %u\n"
            "org.postgresql.util.PSQLException: ERROR: deadlock detected",
            below(1000000));
        stack_trace(l);
        return;
    }
    switch (skewed(4)) {
    case 0:
        put(l, "Reserved %u of sku-%06u in warehouse %u in %u ms", 1 + skewed(9), skewed(50000),
            below(12), skewed(400));
        break;
    case 1:
        put(l, "Indexed batch %08llx: %u documents, %u bytes, %u skipped",
            (unsigned long long)(next() & 0xffffffff), 1 + below(500), below(1000000), skewed(9));
        break;
    case 2: put(l, "Lock on row %u released after %u us", below(1000000), skewed(90000)); break;
    default:
        put(l, "Node %u disconnected, reconnecting in %u ms", below(9), 50 + below(950));
        break;
    }
}

static void logfmt(struct line *l, uint64_t ns)
{
    put(l, "time=");
    put_date(l, ns, 'T');
    put(l,
        ".%06uZ level=info msg=\"request handled\" method=%s peer=10.0.%u.%u:%u status=%u "
        "took=%u.%03ums bytes=%u",
        (unsigned)(ns / 1000 % 1000000), below(3) ? "Get" : "Set", below(4), below(256),
        32768 + below(28000), below(50) ? 0 : 14, skewed(90), below(1000), skewed(30000));
    l->severity = 9;
}

typedef void line_fn(struct line *l, uint64_t ns);
static const struct service {
    const char *name;
    line_fn *write;
    unsigned share; /* of 20 */
    bool parsed;
} services[N_SERVICES] = {{.name = "edge-eu", .write = nginx, .share = 4},
                          {.name = "edge-us", .write = nginx, .share = 2},
                          {.name = "orders", .write = json, .share = 3},
                          {.name = "payments", .write = json, .share = 2, .parsed = true},
                          {.name = "catalog", .write = json, .share = 1},
                          {.name = "auth", .write = json, .share = 1},
                          {.name = "inventory", .write = java, .share = 3},
                          {.name = "search", .write = java, .share = 2},
                          {.name = "sessions", .write = logfmt, .share = 1},
                          {.name = "rate-limiter", .write = logfmt, .share = 1}};

static void put_attribute(struct skep_buf *to, unsigned field, const char *name, const char *value)
{
    struct skep_buf kv, any;
    skep_buf_init(&kv, BUF_LIMIT);
    skep_buf_init(&any, BUF_LIMIT);
    pb_bytes(&any, 1, value, strlen(value));
    pb_bytes(&kv, 1, name, strlen(name));
    pb_bytes(&kv, 2, any.p, any.n);
    pb_bytes(to, field, kv.p, kv.n);
    skep_buf_done(&kv);
    skep_buf_done(&any);
}

static FILE *csv;

static void put_csv(uint64_t ns, const char *service, const char *pod, skep_str text)
{
    if (!csv)
        return;
    bool ok = fprintf(csv, "%llu,%s,%s,\"", (unsigned long long)ns, service, pod) > 0;
    for (size_t i = 0; i < text.n; i++)
        ok = ok && (text.p[i] != '"' || fputc('"', csv) != EOF) && fputc(text.p[i], csv) != EOF;
    if (!ok || fputs("\"\n", csv) == EOF) {
        perror("gen_logs: write");
        exit(1);
    }
}

/* Returns the bytes of the line with its newline. */
static uint64_t put_record(struct skep_buf *records, const struct service *s, const char *pod,
                           uint64_t i, bool needle)
{
    static struct skep_buf record, any;
    static struct line l;
    record.limit = any.limit = l.text.limit = BUF_LIMIT;
    skep_buf_reset(&record);
    skep_buf_reset(&any);
    uint64_t ns = BASE_NS + i * STEP_NS + below(STEP_NS);
    skep_buf_reset(&l.text);
    l.service = (unsigned)(s - services);
    l.traced = false;
    s->write(&l, ns);
    if (needle)
        put(&l, " OutOfDiskSpaceError on volume-7f3a91c2");
    put_csv(ns, s->name, pod, skep_buf_text(&l.text));
    pb_u64(&record, 1, 1, ns);
    pb_u64(&record, 2, 0, l.severity);
    pb_bytes(&any, 1, l.text.p, l.text.n);
    pb_bytes(&record, 5, any.p, any.n);
    if (l.traced && s->parsed) {
        pb_bytes(&record, 9, l.trace, 16);
        pb_bytes(&record, 10, l.span, 8);
    }
    pb_bytes(records, 2, record.p, record.n);
    return l.text.n + 1;
}

static uint64_t put_body(FILE *out, uint64_t first, uint64_t end, uint64_t needle)
{
    struct skep_buf records, resource, group, body;
    struct skep_buf *all[] = {&records, &resource, &group, &body};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++)
        skep_buf_init(all[i], BUF_LIMIT);
    unsigned draw = below(20), k = 0;
    while (draw >= services[k].share)
        draw -= services[k++].share;
    char pod[64];
    (void)snprintf(pod, sizeof pod, "%s-%u", services[k].name, below(4));
    put_attribute(&resource, 1, "service.name", services[k].name);
    put_attribute(&resource, 1, "k8s.pod.name", pod);
    uint64_t raw = 0;
    for (uint64_t i = first; i < end; i++)
        raw += put_record(&records, &services[k], pod, i, i == needle);
    pb_bytes(&group, 1, resource.p, resource.n);
    pb_bytes(&group, 2, records.p, records.n);
    pb_bytes(&body, 1, group.p, group.n);
    uint8_t head[8];
    skep_store_le32(head, (uint32_t)body.n);
    skep_store_le32(head + 4, (uint32_t)(end - first));
    if (fwrite(head, sizeof head, 1, out) != 1 || fwrite(body.p, body.n, 1, out) != 1) {
        perror("gen_logs: write");
        exit(1);
    }
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++)
        skep_buf_done(all[i]);
    return raw;
}

int main(int argc, char **argv)
{
    uint64_t lines, seed = 42, raw = 0;
    if (argc < 3 || argc > 5 || !skep_str_u64(skep_str_c(argv[1]), &lines) ||
        (argc > 3 && !skep_str_u64(skep_str_c(argv[3]), &seed))) {
        (void)fprintf(stderr, "usage: gen_logs NLINES OUTFILE [SEED [CSVFILE]]\n");
        return 2;
    }
    FILE *out = fopen(argv[2], "wb");
    if (argc > 4 && !(csv = fopen(argv[4], "wb"))) {
        perror(argv[4]);
        return 1;
    }
    if (!out) {
        perror(argv[2]);
        return 1;
    }
    rng = seed;
    for (uint64_t i = 0; i < lines; i += BODY_LINES)
        raw += put_body(out, i, SKEP_MIN(lines, i + BODY_LINES), lines / 10 * 7);
    if (fclose(out) || (csv && fclose(csv))) {
        perror(argv[2]);
        return 1;
    }
    printf("%llu lines, %llu bytes as text, %.1f a line\n", (unsigned long long)lines,
           (unsigned long long)raw, (double)raw / (double)lines);
    return 0;
}

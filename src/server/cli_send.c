// SPDX-License-Identifier: Apache-2.0
/* `skep send FILE...`: OTLP from files.
 *
 * What a file is, its first bytes tell:
 *
 *   '{'                              OTLP/JSON, one request a line (the collector's file exporter)
 *   u32le length, u32le spans, ...   the generator's framed file of protobuf requests
 *   anything else                    one protobuf request
 *
 * A request refused with 429, 502, 503 or 504, or not at all answered, is sent again, as
 * Retry-After says or after 1, 2, 4 ... 30 s, at most ten times.
 *
 * Threads: main.  Memory: one request. */
#include <stdio.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "os/os.h"
#include "os/thread.h"
#include "server/cli.h"

enum { RETRIES_MAX = 10, BODY_MAX = 64 << 20 };

static const struct skep_cli_flag flags[] = {
    SKEP_CLI_SERVER_FLAG,
    {"signal", "NAME", "What protobuf files hold: traces (default), logs or metrics"},
    {"quiet", NULL, "No progress and no summary"},
};

struct send {
    struct skep_cli_http http;
    const char *signal; /* of protobuf */
    bool quiet, tty;
    uint64_t bytes, requests, rejected;
    uint64_t total_bytes; /* of all files; 0 = unknown */
    int last_percent;
};

static void progress(struct send *s)
{
    enum { BAR = 40 };
    char bar[BAR + 1];
    if (s->quiet || !s->tty || s->total_bytes == 0)
        return;
    int percent = (int)((double)s->bytes * 100.0 / (double)s->total_bytes);
    if (percent == s->last_percent)
        return;
    s->last_percent = percent;
    for (int i = 0; i < BAR; i++)
        bar[i] = i < percent * BAR / 100 ? '=' : ' ';
    bar[BAR] = '\0';
    (void)fprintf(stderr, "\r[%s] %3d%%  %llu requests", bar, percent,
                  (unsigned long long)s->requests);
}

static bool is_worth_a_retry(skep_rc rc, long status)
{
    return rc == SKEP_EIO || status == 429 || status == 502 || status == 503 || status == 504;
}

/* Rejected items of a partial success, as JSON answers tell them. */
static uint64_t rejected_of(const struct skep_buf *body)
{
    static const char *const names[] = {"rejectedSpans", "rejectedLogRecords",
                                        "rejectedDataPoints"};
    uint64_t n = 0;
    yyjson_doc *doc = body->n ? yyjson_read((const char *)body->p, body->n, 0) : NULL;
    yyjson_val *partial = yyjson_obj_get(yyjson_doc_get_root(doc), "partialSuccess");
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++) {
        uint64_t one = 0;
        yyjson_val *v = yyjson_obj_get(partial, names[i]);
        if (yyjson_is_uint(v))
            n += yyjson_get_uint(v);
        else if (skep_str_u64((skep_str){yyjson_get_str(v), yyjson_get_len(v)}, &one))
            n += one;
    }
    yyjson_doc_free(doc);
    return n;
}

static void wait_s(unsigned seconds)
{
    struct skep_mutex lock;
    struct skep_cond never;
    skep_mutex_init(&lock, "wait");
    skep_cond_init(&never);
    skep_mutex_lock(&lock);
    (void)skep_cond_wait_ms(&never, &lock, (int64_t)seconds * 1000);
    skep_mutex_unlock(&lock);
    skep_cond_done(&never);
    skep_mutex_done(&lock);
}

static bool send_one(struct send *s, skep_str path, const char *type, skep_bytes body)
{
    const struct skep_cli_call call = {
        .method = "POST", .path = path, .body = body, .content_type = type, .accept = type};
    skep_err err = {.text = ""};
    for (unsigned tries = 0;; tries++) {
        skep_rc rc = skep_cli_call(&s->http, &call, &err);
        if (rc == SKEP_OK && s->http.status < 400)
            break;
        if (!is_worth_a_retry(rc, s->http.status) || tries == RETRIES_MAX) {
            if (rc != SKEP_OK)
                (void)fprintf(stderr, "skep send: %s\n", err.text);
            else
                skep_cli_print_error(&s->http);
            return false;
        }
        unsigned wait = SKEP_MIN(1u << SKEP_MIN(tries, 5u), 30u);
        if (s->http.retry_after_s > 0)
            wait = (unsigned)SKEP_MIN(s->http.retry_after_s, 300L);
        wait_s(wait);
    }
    s->requests++;
    s->rejected += rejected_of(&s->http.body);
    return true;
}

static skep_str path_of_json(skep_str line)
{
    if (skep_str_find(line, SKEP_STR("\"resourceLogs\"")) != SIZE_MAX)
        return SKEP_STR("/v1/logs");
    if (skep_str_find(line, SKEP_STR("\"resourceMetrics\"")) != SIZE_MAX)
        return SKEP_STR("/v1/metrics");
    return SKEP_STR("/v1/traces");
}

static skep_str path_of_signal(const struct send *s)
{
    skep_str name = skep_str_c(s->signal);
    if (skep_str_eq(name, SKEP_STR("logs")))
        return SKEP_STR("/v1/logs");
    return skep_str_eq(name, SKEP_STR("metrics")) ? SKEP_STR("/v1/metrics")
                                                  : SKEP_STR("/v1/traces");
}

static bool too_large(const char *name)
{
    (void)fprintf(stderr, "skep send: %s: a request of more than %d MB\n", name, BODY_MAX >> 20);
    return false;
}

/* A file, or standard input. */
struct input {
    const char *name;
    int fd;            /* -1: standard input */
    uint64_t size, at; /* of the file; at = behind the chunk */
    uint8_t *chunk;
    size_t n, pos;
};

enum { CHUNK = 64 << 10 };

/* The next chunk; false at the end (or on an error, which is told). */
static bool fill(struct input *in)
{
    const struct skep_os *os = skep_os_real();
    skep_err err;
    in->pos = in->n = 0;
    if (in->fd < 0) {
        in->n = fread(in->chunk, 1, CHUNK, stdin);
        return in->n > 0;
    }
    size_t n = (size_t)SKEP_MIN(in->size - in->at, (uint64_t)CHUNK);
    if (n == 0)
        return false;
    if (os->pread(os, in->fd, in->chunk, n, in->at, &err) != SKEP_OK) {
        (void)fprintf(stderr, "skep send: %s: %s\n", in->name, err.text);
        return false;
    }
    in->at += n;
    in->n = n;
    return true;
}

static int next_byte(struct input *in)
{
    if (in->pos == in->n && !fill(in))
        return -1;
    return in->chunk[in->pos++];
}

/* n bytes more into b, as far as there are any; true when there were n. */
static bool read_exactly(struct input *in, struct skep_buf *b, size_t n)
{
    while (n) {
        if (in->pos == in->n && !fill(in))
            return false;
        size_t take = SKEP_MIN(n, in->n - in->pos);
        skep_buf_put(b, in->chunk + in->pos, take);
        in->pos += take;
        n -= take;
    }
    return !b->bad;
}

/* One request a line; blank lines are skipped. */
static bool send_json(struct send *s, struct input *in)
{
    struct skep_buf line;
    bool ok = true;
    int c = 0;
    skep_buf_init(&line, BODY_MAX);
    while (ok && c >= 0) {
        c = next_byte(in);
        if (c >= 0 && c != '\n') {
            skep_buf_u8(&line, (uint8_t)c);
            continue;
        }
        s->bytes += line.n + (c == '\n');
        if (line.bad)
            ok = too_large(in->name);
        else if (skep_str_trim(skep_buf_text(&line)).n)
            ok = send_one(s, path_of_json(skep_buf_text(&line)), "application/json",
                          skep_buf_bytes(&line));
        skep_buf_reset(&line);
        progress(s);
    }
    skep_buf_done(&line);
    return ok;
}

static bool send_framed(struct send *s, struct input *in)
{
    struct skep_buf b;
    bool ok = true, cut = false;
    skep_buf_init(&b, BODY_MAX);
    while (ok && !cut) {
        skep_buf_reset(&b);
        if (!read_exactly(in, &b, 8)) {
            cut = b.n > 0;
            break;
        }
        uint32_t n = skep_load_le32(b.p);
        skep_buf_reset(&b);
        cut = !read_exactly(in, &b, n);
        if (!cut)
            ok = send_one(s, path_of_signal(s), "application/x-protobuf", skep_buf_bytes(&b));
        s->bytes += 8 + (uint64_t)n;
        progress(s);
    }
    if (cut)
        (void)fprintf(stderr, "skep send: %s: a frame is cut off or too large\n", in->name);
    skep_buf_done(&b);
    return ok && !cut;
}

static bool send_whole(struct send *s, struct input *in)
{
    struct skep_buf b;
    skep_buf_init(&b, BODY_MAX);
    while (read_exactly(in, &b, CHUNK)) {
    }
    bool ok = b.bad ? too_large(in->name)
                    : send_one(s, path_of_signal(s), "application/x-protobuf", skep_buf_bytes(&b));
    s->bytes += b.n;
    progress(s);
    skep_buf_done(&b);
    return ok;
}

/* A frame's head: a length that fits the file, and 0x0a (field 1 of the request) behind it. */
static bool is_framed(const struct input *in)
{
    uint64_t length = in->n >= 9 ? skep_load_le32(in->chunk) : 0;
    return length > 0 && length + 8 <= in->size && in->chunk[8] == 0x0a;
}

static bool send_input(struct send *s, struct input *in)
{
    if (in->fd < 0)
        return send_json(s, in);
    if (!fill(in)) {
        (void)fprintf(stderr, "skep send: %s is empty\n", in->name);
        return false;
    }
    if (in->chunk[0] == '{')
        return send_json(s, in);
    return is_framed(in) ? send_framed(s, in) : send_whole(s, in);
}

static bool open_input(const char *name, struct input *in)
{
    const struct skep_os *os = skep_os_real();
    struct skep_os_stat st = {.size_bytes = 0};
    skep_err err;
    *in = (struct input){.name = name, .fd = -1};
    if (skep_str_eq(skep_str_c(name), SKEP_STR("-")))
        return true;
    skep_rc rc = os->open(os, name, SKEP_OPEN_READ, &in->fd, &err);
    if (rc == SKEP_OK)
        rc = os->fstat(os, in->fd, &st, &err);
    if (rc != SKEP_OK) {
        (void)fprintf(stderr, "skep send: %s\n", err.text);
        return false;
    }
    in->size = st.size_bytes;
    return true;
}

static bool send_file(struct send *s, const char *name)
{
    const struct skep_os *os = skep_os_real();
    struct input in;
    if (!open_input(name, &in))
        return false;
    in.chunk = skep_malloc(CHUNK);
    bool ok = send_input(s, &in);
    skep_free(in.chunk);
    if (in.fd >= 0)
        os->close(os, in.fd);
    return ok;
}

static void sum_sizes(struct send *s, const struct skep_cli_values *files)
{
    const struct skep_os *os = skep_os_real();
    struct skep_os_stat st;
    for (unsigned i = 0; i < files->n; i++)
        if (os->stat(os, files->v[i], &st, NULL) == SKEP_OK)
            s->total_bytes += st.size_bytes;
}

static void summary(const struct send *s)
{
    if (s->quiet)
        return;
    if (s->tty && s->total_bytes)
        (void)fprintf(stderr, "\n");
    (void)printf("%llu requests, %llu bytes sent", (unsigned long long)s->requests,
                 (unsigned long long)s->bytes);
    if (s->rejected)
        (void)printf(", %llu items rejected", (unsigned long long)s->rejected);
    (void)printf("\n");
}

int skep_cli_send(int argc, char *const *argv)
{
    struct skep_cli_args args = {
        .usage = "skep send FILE... [flags]\n\nSend OTLP files to a server: JSON lines (as the "
                 "collector's file exporter\nwrites them; '-' reads them from standard input), a "
                 "protobuf request, or\na framed file of requests.",
        .flags = flags,
        .n_flags = SKEP_ARRAY_LEN(flags)};
    struct send s = {.last_percent = -1};
    int code = skep_cli_parse(&args, argc, argv);
    if (code >= 0)
        return code;
    if (args.rest.n == 0) {
        (void)fprintf(stderr, "skep send: give a file\n");
        return SKEP_EXIT_USAGE;
    }
    skep_cli_http_init(&s.http, &args);
    s.signal = skep_cli_value(&args, "signal", "traces");
    s.quiet = skep_cli_has(&args, "quiet");
    s.tty = skep_cli_is_tty(STDERR_FILENO);
    sum_sizes(&s, &args.rest);
    bool ok = true;
    for (unsigned i = 0; i < args.rest.n && ok; i++)
        ok = send_file(&s, args.rest.v[i]);
    summary(&s);
    skep_cli_http_done(&s.http);
    return ok ? SKEP_EXIT_OK : SKEP_EXIT_FAILED;
}

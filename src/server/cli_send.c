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
#include "os/os.h"
#include "server/cli.h"
#include "server/cli_input.h"

enum { BODY_MAX = 64 << 20 };

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
    uint64_t before;      /* bytes of the files before this one */
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

static bool send_one(struct send *s, skep_str path, const char *type, skep_bytes body)
{
    const struct skep_cli_call call = {
        .method = "POST", .path = path, .body = body, .content_type = type, .accept = type};
    if (!skep_cli_persist(&s->http, &call, "skep send"))
        return false;
    s->requests++;
    s->rejected += skep_cli_rejected(&s->http.body);
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

/* One request a line; blank lines are skipped. */
static bool send_json(struct send *s, struct skep_cli_input *in)
{
    struct skep_buf line;
    bool ok = true;
    skep_buf_init(&line, BODY_MAX);
    while (ok && skep_cli_input_line(in, &line)) {
        s->bytes = s->before + skep_cli_input_offset(in);
        if (line.bad)
            ok = too_large(in->name);
        else if (skep_str_trim(skep_buf_text(&line)).n)
            ok = send_one(s, path_of_json(skep_buf_text(&line)), "application/json",
                          skep_buf_bytes(&line));
        skep_buf_reset(&line);
        progress(s);
    }
    skep_buf_done(&line);
    return ok && !in->failed;
}

static bool send_framed(struct send *s, struct skep_cli_input *in)
{
    struct skep_buf b;
    bool ok = true, cut = false;
    skep_buf_init(&b, BODY_MAX);
    while (ok && !cut) {
        skep_buf_reset(&b);
        if (!skep_cli_input_take(in, &b, 8)) {
            cut = b.n > 0;
            break;
        }
        uint32_t n = skep_load_le32(b.p);
        skep_buf_reset(&b);
        cut = !skep_cli_input_take(in, &b, n);
        if (!cut)
            ok = send_one(s, path_of_signal(s), "application/x-protobuf", skep_buf_bytes(&b));
        s->bytes = s->before + skep_cli_input_offset(in);
        progress(s);
    }
    if (cut)
        (void)fprintf(stderr, "skep send: %s: a frame is cut off or too large\n", in->name);
    skep_buf_done(&b);
    return ok && !cut;
}

static bool send_whole(struct send *s, struct skep_cli_input *in)
{
    struct skep_buf b;
    skep_buf_init(&b, BODY_MAX);
    while (skep_cli_input_take(in, &b, 64 << 10)) {
    }
    bool ok = b.bad ? too_large(in->name)
                    : !in->failed && send_one(s, path_of_signal(s), "application/x-protobuf",
                                              skep_buf_bytes(&b));
    s->bytes += b.n;
    progress(s);
    skep_buf_done(&b);
    return ok;
}

static bool send_file(struct send *s, const char *name)
{
    struct skep_cli_input in;
    enum skep_cli_form form;
    if (!skep_cli_input_open(&in, "skep send", name))
        return false;
    s->before = s->bytes;
    bool ok = skep_cli_input_form(&in, &form);
    if (ok)
        ok = form == SKEP_CLI_LINES    ? send_json(s, &in)
             : form == SKEP_CLI_FRAMED ? send_framed(s, &in)
                                       : send_whole(s, &in);
    skep_cli_input_close(&in);
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

// SPDX-License-Identifier: Apache-2.0
/* Flags of the terminal commands and their calls to a server (libcurl).
 * Threads: main.  Memory: the call's arena and one bounded body. */
#include "server/cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "os/thread.h"

enum { RETRIES_MAX = 10 };
static const size_t body_limit_bytes = 512u << 20;

static void help(const struct skep_cli_args *args)
{
    (void)printf("Usage: %s\n\nFlags:\n", args->usage);
    for (unsigned i = 0; i < args->n_flags; i++)
        (void)printf("  --%s%s%s\n      %s\n", args->flags[i].name, args->flags[i].meta ? " " : "",
                     args->flags[i].meta ? args->flags[i].meta : "", args->flags[i].help);
}

static int find_flag(const struct skep_cli_args *args, skep_str name)
{
    for (unsigned i = 0; i < args->n_flags; i++)
        if (skep_str_eq(skep_str_c(args->flags[i].name), name))
            return (int)i;
    return -1;
}

static int mistake(const char *what, const char *arg)
{
    (void)fprintf(stderr, "skep: %s: %.200s\n", what, arg);
    return SKEP_EXIT_USAGE;
}

static bool push(struct skep_cli_values *values, const char *v)
{
    if (values->n == SKEP_CLI_VALUES_MAX)
        return false;
    values->v[values->n++] = v;
    return true;
}

/* One flag at argv[*a]; moves *a behind its value. */
static int parse_flag(struct skep_cli_args *args, int argc, char *const *argv, int *a)
{
    skep_str value = skep_str_skip(skep_str_c(argv[*a]), 2);
    skep_str name = skep_str_cut(&value, '=');
    const char *text = value.p;
    int i = find_flag(args, name);
    if (i < 0)
        return mistake("unknown flag", argv[*a]);
    if (!args->flags[i].meta && text)
        return mistake("the flag takes no value", argv[*a]);
    if (args->flags[i].meta && !text) {
        if (*a + 1 == argc)
            return mistake("the flag needs a value", argv[*a]);
        text = argv[++*a];
    }
    return push(&args->given[i], text) ? -1 : mistake("given too often", argv[*a]);
}

int skep_cli_parse(struct skep_cli_args *args, int argc, char *const *argv)
{
    bool flags = true;
    skep_assert(args->n_flags <= SKEP_CLI_FLAGS_MAX);
    for (int a = 0; a < argc; a++) {
        skep_str arg = skep_str_c(argv[a]);
        if (flags && (skep_str_eq(arg, SKEP_STR("--help")) || skep_str_eq(arg, SKEP_STR("-h")))) {
            help(args);
            return SKEP_EXIT_OK;
        }
        if (flags && skep_str_eq(arg, SKEP_STR("--"))) {
            flags = false;
        } else if (flags && skep_str_starts(arg, SKEP_STR("--"))) {
            int code = parse_flag(args, argc, argv, &a);
            if (code >= 0)
                return code;
        } else if (!push(&args->rest, argv[a])) {
            return mistake("too many arguments", argv[a]);
        }
    }
    return -1;
}

bool skep_cli_knows(const struct skep_cli_args *args, const char *name)
{
    return find_flag(args, skep_str_c(name)) >= 0;
}

const struct skep_cli_values *skep_cli_values(const struct skep_cli_args *args, const char *name)
{
    int i = find_flag(args, skep_str_c(name));
    skep_assert(i >= 0);
    return &args->given[i];
}

const char *skep_cli_value(const struct skep_cli_args *args, const char *name, const char *absent)
{
    const struct skep_cli_values *values = skep_cli_values(args, name);
    return values->n ? values->v[values->n - 1] : absent;
}

static const char *given_or_env(const struct skep_cli_args *args, const char *flag, const char *env)
{
    const char *value = skep_cli_value(args, flag, getenv(env));
    return value && value[0] ? value : NULL;
}

void skep_cli_http_init(struct skep_cli_http *h, const struct skep_cli_args *args)
{
    const char *url = skep_cli_value(args, "server", getenv("SKEP_URL"));
    *h = (struct skep_cli_http){.lib = NULL};
    skep_arena_init(&h->arena, "cli", NULL);
    skep_buf_init(&h->body, body_limit_bytes);
    h->ca = given_or_env(args, "ca", "SKEP_CA");
    h->client_cert = given_or_env(args, "client-cert", "SKEP_CLIENT_CERT");
    h->server = skep_str_c(url && url[0] ? url : "http://127.0.0.1:4318");
    while (h->server.n && h->server.p[h->server.n - 1] == '/')
        h->server.n--;
    const char *key = skep_cli_value(args, "key", getenv("SKEP_KEY"));
    if (key && key[0]) {
        skep_str line = skep_arena_printf(&h->arena, "Authorization: Bearer %s", key);
        h->authorization = skep_strndup(line.p, line.n);
        skep_arena_reset(&h->arena);
    }
}

void skep_cli_http_done(struct skep_cli_http *h)
{
    if (h->curl)
        h->lib->easy_cleanup(h->curl);
    skep_free(h->authorization);
    skep_buf_done(&h->body);
    skep_arena_done(&h->arena);
}

/* Lines are handed on as they are complete; what is left waits in the buffer. */
static bool hand_lines(struct skep_cli_http *h)
{
    size_t from = 0;
    for (;;) {
        skep_str rest = skep_str_skip(skep_buf_text(&h->body), from);
        size_t end = skep_str_chr(rest, '\n');
        if (end == SIZE_MAX)
            break;
        if (!h->line(h->line_ctx, (skep_str){rest.p, end}))
            return false;
        from += end + 1;
    }
    memmove(h->body.p, h->body.p + from, h->body.n - from);
    h->body.n -= from;
    return true;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
    struct skep_cli_http *h = ctx;
    long status = 0;
    skep_buf_put(&h->body, p, size * n);
    if (h->body.bad)
        return 0;
    (void)h->lib->easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    if (h->line && status < 400 && h->body.n && !hand_lines(h))
        return 0;
    return size * n;
}

static struct curl_slist *headers(struct skep_cli_http *h, const struct skep_cli_call *call)
{
    struct skep_arena *arena = &h->arena;
    struct curl_slist *list = NULL;
    skep_str type = skep_arena_printf(arena, "Content-Type: %s",
                                      call->content_type ? call->content_type : "application/json");
    skep_str accept =
        skep_arena_printf(arena, "Accept: %s", call->accept ? call->accept : "application/json");
    list = h->lib->slist_append(list, skep_cstr(arena, type));
    list = h->lib->slist_append(list, skep_cstr(arena, accept));
    if (call->header)
        list = h->lib->slist_append(list, call->header);
    if (h->authorization)
        list = h->lib->slist_append(list, h->authorization);
    /* libcurl asks for permission before larger bodies and waits a second for it. */
    list = h->lib->slist_append(list, "Expect:");
    skep_assert(list != NULL);
    return list;
}

static void set_up(struct skep_cli_http *h, const struct skep_cli_call *call,
                   struct curl_slist *list, char error[CURL_ERROR_SIZE])
{
    skep_str url = skep_arena_printf(&h->arena, SKEP_STRFMT SKEP_STRFMT, SKEP_STRARG(h->server),
                                     SKEP_STRARG(call->path));
    bool post = skep_str_eq(skep_str_c(call->method), SKEP_STR("POST"));
    bool get = skep_str_eq(skep_str_c(call->method), SKEP_STR("GET"));
    h->lib->easy_reset(h->curl);
    (void)h->lib->easy_setopt(h->curl, CURLOPT_URL, skep_cstr(&h->arena, url));
    (void)h->lib->easy_setopt(h->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)h->lib->easy_setopt(h->curl, CURLOPT_HTTPHEADER, list);
    (void)h->lib->easy_setopt(h->curl, CURLOPT_ERRORBUFFER, error);
    (void)h->lib->easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, on_body);
    (void)h->lib->easy_setopt(h->curl, CURLOPT_WRITEDATA, h);
    (void)h->lib->easy_setopt(h->curl, CURLOPT_NOSIGNAL, 1L);
    (void)h->lib->easy_setopt(h->curl, CURLOPT_CONNECTTIMEOUT, 10L);
    (void)h->lib->easy_setopt(h->curl, CURLOPT_ACCEPT_ENCODING, "");
    if (h->ca)
        (void)h->lib->easy_setopt(h->curl, CURLOPT_CAINFO, h->ca);
    if (h->client_cert) {
        (void)h->lib->easy_setopt(h->curl, CURLOPT_SSLCERT, h->client_cert);
        (void)h->lib->easy_setopt(h->curl, CURLOPT_SSLKEY, h->client_cert);
    }
    if (!post && !get)
        (void)h->lib->easy_setopt(h->curl, CURLOPT_CUSTOMREQUEST, call->method);
    if (post || call->body.n) { /* another method with a body: CUSTOMREQUEST names it */
        (void)h->lib->easy_setopt(h->curl, CURLOPT_POST, 1L);
        (void)h->lib->easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
        (void)h->lib->easy_setopt(h->curl, CURLOPT_POSTFIELDS, (const char *)call->body.p);
    }
}

skep_rc skep_cli_call(struct skep_cli_http *h, const struct skep_cli_call *call, skep_err *err)
{
    char error[CURL_ERROR_SIZE] = "";
    curl_off_t retry = 0;
    if (!h->curl) {
        h->lib = skep_curl(err);
        if (!h->lib)
            return SKEP_EUNSUPPORTED;
        h->curl = h->lib->easy_init();
        skep_assert(h->curl != NULL);
    }
    skep_buf_reset(&h->body);
    struct curl_slist *list = headers(h, call);
    set_up(h, call, list, error);
    CURLcode code = h->lib->easy_perform(h->curl);
    h->lib->slist_free_all(list);
    h->status = 0;
    (void)h->lib->easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &h->status);
    (void)h->lib->easy_getinfo(h->curl, CURLINFO_RETRY_AFTER, &retry);
    h->retry_after_s = (long)retry;
    skep_arena_reset(&h->arena);
    if (code == CURLE_OK)
        return SKEP_OK;
    if (code == CURLE_WRITE_ERROR && !h->body.bad)
        return skep_fail(err, SKEP_ECANCELED, "ended");
    return skep_fail(err, SKEP_EIO, SKEP_STRFMT ": %s", SKEP_STRARG(h->server),
                     error[0] ? error : h->lib->easy_strerror(code));
}

void skep_cli_print_error(const struct skep_cli_http *h)
{
    struct skep_buf out;
    yyjson_doc *doc = h->body.n ? yyjson_read((const char *)h->body.p, h->body.n, 0) : NULL;
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *text = yyjson_obj_get(root, "error"), *field = yyjson_obj_get(root, "field");
    skep_buf_init(&out, 64 << 10);
    skep_buf_printf(&out, "skep: the server answered %ld", h->status);
    if (h->status == 401)
        skep_buf_str(&out, SKEP_STR(" (give a key: --key KEY, or SKEP_KEY in the environment)"));
    if (yyjson_is_str(field)) {
        skep_buf_str(&out, SKEP_STR(": "));
        skep_cli_json_text(&out, field);
    }
    if (yyjson_is_str(text)) {
        skep_buf_str(&out, SKEP_STR(": "));
        skep_cli_json_text(&out, text);
    }
    (void)fprintf(stderr, SKEP_STRFMT "\n", SKEP_STRARG(skep_buf_text(&out)));
    skep_buf_done(&out);
    yyjson_doc_free(doc);
}

bool skep_cli_must(struct skep_cli_http *h, const struct skep_cli_call *call)
{
    skep_err err;
    skep_rc rc = skep_cli_call(h, call, &err);
    if (rc == SKEP_ECANCELED)
        return true;
    if (rc != SKEP_OK) {
        (void)fprintf(stderr, "skep: %s\n", err.text);
        return false;
    }
    if (h->status >= 400) {
        skep_cli_print_error(h);
        return false;
    }
    return true;
}

static bool is_worth_a_retry(skep_rc rc, long status)
{
    return rc == SKEP_EIO || status == 429 || status == 502 || status == 503 || status == 504;
}

bool skep_cli_persist(struct skep_cli_http *h, const struct skep_cli_call *call,
                      const char *command)
{
    skep_err err = {.text = ""};
    for (unsigned tries = 0;; tries++) {
        skep_rc rc = skep_cli_call(h, call, &err);
        if (rc == SKEP_OK && h->status < 400)
            return true;
        if (!is_worth_a_retry(rc, h->status) || tries == RETRIES_MAX) {
            if (rc != SKEP_OK)
                (void)fprintf(stderr, "%s: %s\n", command, err.text);
            else
                skep_cli_print_error(h);
            return false;
        }
        unsigned wait = SKEP_MIN(1u << SKEP_MIN(tries, 5u), 30u);
        if (h->retry_after_s > 0)
            wait = (unsigned)SKEP_MIN(h->retry_after_s, 300L);
        skep_sleep_ms((int64_t)wait * 1000);
    }
}

uint64_t skep_cli_rejected(const struct skep_buf *body)
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

void skep_cli_url_encode(struct skep_buf *out, skep_str s)
{
    static const skep_str plain = SKEP_STR("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                           "0123456789-._~");
    for (size_t i = 0; i < s.n; i++) {
        if (skep_str_chr(plain, s.p[i]) != SIZE_MAX)
            skep_buf_u8(out, (uint8_t)s.p[i]);
        else
            skep_buf_printf(out, "%%%02X", (unsigned char)s.p[i]);
    }
}

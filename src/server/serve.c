// SPDX-License-Identifier: Apache-2.0
/* `skep serve`: wiring and lifecycle.
 *
 *   config -> budgets -> store -> state -> auth -> ingest, api -> net         start: from below
 *   net stops -> api -> store -> net, ingest, auth, state freed               stop: from above
 *
 * Memory: the limit given is the process's.  A quarter (at least 24 MiB) is left to what no budget
 * counts: code, stacks, libraries, the allocator's slack; the rest is the root budget, shared out:
 *
 *   60% store (parts, cache, merges)   45% questions   40% request bodies and batches
 *
 * The shares overlap, because the root holds whatever they sum to: each is what one kind of work
 * may take while the others are idle.  One request body may be a third of its share, so that the
 * rows made of it fit, too.
 *
 * I1  nothing is acknowledged after the store was closed: its committer answers what is pending
 * first I2  a second SIGTERM or SIGINT ends the process at once; the write-ahead log makes that
 * safe
 *
 * Threads: main waits for signals; all others belong to modules and have signals blocked. */
#include "server/server.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "auth/login.h"
#include "base/assert.h"
#include "base/mem.h"
#include "event/batch.h"
#include "inbox/inbox.h"
#include "inbox/tell.h"
#include "ingest/ingest.h"
#include "os/os.h"
#include "os/thread.h"
#include "server/notify_door.h"
#include "server/self.h"
#include "server/self_trace.h"
#include "server/xray_door.h"
#include "state/state.h"
#include "store/store.h"
#include "symbols/symbols.h"
#include "wire/rfc3339.h"

struct server {
    struct skep_config cfg;
    const struct skep_os *os;
    struct skep_arena arena;
    struct skep_budget memory, store_memory, query_memory, body_memory;
    struct skep_pool *pool;
    struct skep_store *store;
    struct skep_state *state;
    struct skep_symbols *symbols;
    struct skep_ingest *ingest;
    struct skep_auth *auth;
    struct skep_notify_door notify;
    struct skep_oidc *oidc;
    struct skep_xray_door door;
    struct skep_net *net;
    struct skep_api *api;
    struct skep_self *self;
    struct skep_self_trace *trace; /* NULL = off */
    struct skep_inbox *inbox;
    struct skep_tell *tell;
    const char **listen, **listen_flags;
    bool *listen_plain;
    unsigned n_listen;
};

enum { GRACE_MS = 10000 };
static const uint64_t body_max_bytes = 64 << 20, bind_max_bytes = 16 << 20;

static const char *path_in(struct server *s, const char *name)
{
    skep_str path = skep_arena_printf(&s->arena, "%s/%s", s->cfg.data, name);
    return skep_cstr(&s->arena, path);
}

static void share_memory(struct server *s)
{
    uint64_t limit = s->cfg.memory_bytes;
    uint64_t own = limit / 4 > (24ull << 20) ? limit / 4 : 24ull << 20;
    uint64_t root = limit - own;
    skep_budget_init(&s->memory, "memory", root, NULL);
    skep_budget_init(&s->store_memory, "store", root / 100 * 60, &s->memory);
    skep_budget_init(&s->query_memory, "queries", root / 100 * 45, &s->memory);
    skep_budget_init(&s->body_memory, "requests", root / 100 * 40, &s->memory);
}

static skep_rc open_store(struct server *s, skep_err *err)
{
    SKEP_TRY(s->os->mkdir(s->os, s->cfg.data, err));
    skep_rc rc = skep_os_sync_parent(s->os, s->cfg.data, err);
    /* A parent that may not be opened is another's business. */
    if (rc != SKEP_OK && rc != SKEP_EFORBIDDEN)
        return rc;
    s->pool = skep_pool_new("work", skep_n_cores());
    const struct skep_column_config cfg = {
        .os = s->os,
        .dir = path_in(s, "rows"),
        .pool = s->pool,
        .memory = &s->store_memory,
        .disk_limit_bytes = s->cfg.disk_bytes,
        .retain_ns = s->cfg.retain_ns,
        .keep_no_answers = !s->cfg.kept_answers,
    };
    SKEP_TRY(skep_column_open(&cfg, &s->store, err));
    const struct skep_state_config state = {
        .os = s->os, .path = path_in(s, "state.db"), .items_limit = s->cfg.items};
    SKEP_TRY(skep_state_open(&state, &s->state, err));
    /* This program, whatever has become of its file. */
    static const char *const reader[] = {"/proc/self/exe", "symbols", "table",
                                         "--confined",     "-",       NULL};
    const struct skep_symbols_config symbols = {
        .os = s->os, .state = s->state, .memory = &s->body_memory, .reader = reader};
    SKEP_TRY(skep_symbols_new(&symbols, &s->symbols, err));
    if (s->cfg.oidc.issuer) {
        struct skep_oidc_config oidc = s->cfg.oidc;
        oidc.os = s->os;
        SKEP_TRY(skep_oidc_new(&oidc, &s->oidc, err));
    }
    const struct skep_auth_config auth = {
        .os = s->os, .state = s->state, .key_file = path_in(s, "key"), .keys = s->cfg.auth_keys};
    SKEP_TRY(skep_auth_new(&auth, &s->auth, err));
    return skep_notify_door_open(&s->cfg, s->os, s->state, path_in(s, "key"), &s->query_memory,
                                 &s->arena, &s->notify, err);
}

/* net, ingest and api on the listeners of s->listen. */
static skep_rc start_net(struct server *s, skep_err *err)
{
    const struct skep_net_config net = {
        .listen = s->listen,
        .n_listen = s->n_listen,
        .listen_flags = s->listen_flags,
        .listen_plain = s->listen_plain,
        .allow_hosts = s->cfg.allow_host.items,
        .n_allow_hosts = s->cfg.allow_host.n,
        .budget = &s->body_memory,
        .body_limit_bytes = (size_t)SKEP_MIN(s->body_memory.limit_bytes / 3, body_max_bytes),
        .tls = s->cfg.tls,
        .idle_timeout_s = s->cfg.idle_timeout_s,
        .address_connections = s->cfg.address_connections,
        .address_requests = s->cfg.address_requests,
        .address_loopback = s->cfg.address_loopback,
        .gate = skep_xray_door_gate(&s->door),
        .watch = skep_self_trace_requests(s->trace),
    };
    size_t n_routes = 0;
    const struct skep_gate gate = skep_auth_gate(s->auth);
    skep_xray_door_init(&s->door, &s->cfg, &s->arena, &gate);
    s->net = skep_net_new(&net);
    s->door.net = s->net;
    const struct skep_api_config api = {
        .os = s->os,
        .store = s->store,
        .state = s->state,
        .auth = s->auth,
        .oidc = s->oidc,
        .key_file = path_in(s, "key"),
        .export_dir = path_in(s, "export"),
        .net = s->net,
        .n_listeners = s->n_listen,
        .memory = &s->memory,
        .queries = &s->query_memory,
        .budgets = {&s->memory, &s->store_memory, &s->query_memory, &s->body_memory},
        .n_budgets = 4,
        .version = SKEP_VERSION_STR,
        .ingest = s->ingest,
        .symbols = s->symbols,
        .notify = s->notify.notify,
        .mail = s->cfg.smtp != NULL,
        .public_url = s->notify.public_url,
        .pagerduty = s->cfg.pagerduty,
        .inbox = s->inbox,
        .self = skep_self_stats,
        .self_ctx = s->self,
        .watch = skep_self_trace_work(s->trace),
    };
    s->api = skep_api_new(&api);
    const struct skep_route *routes;
    for (unsigned i = 0; (routes = skep_ingest_routes(i, &n_routes)) != NULL; i++)
        SKEP_TRY(skep_net_routes(s->net, routes, n_routes, s->ingest, err));
    SKEP_TRY(skep_api_routes(s->api, s->net, err));
    SKEP_TRY(skep_net_start(s->net, err));
    return skep_ingest_xray_start(s->ingest, err);
}

static void take_addresses(struct server *s, const struct skep_config_list *list, const char *flag)
{
    for (unsigned i = 0; i < list->n; i++) {
        s->listen_flags[s->n_listen] = flag;
        s->listen_plain[s->n_listen] = list == &s->cfg.xray && s->cfg.xray_plain;
        s->listen[s->n_listen++] = list->items[i];
    }
}

/* The X-Ray daemon's UDP port; its TCP twin is a listener like others. */
static skep_rc open_xray(struct server *s, skep_err *err)
{
    const struct skep_xray_port_config port = {
        .listen = s->cfg.xray.n > 0 ? s->cfg.xray.items[0] : NULL,
        .environment = s->cfg.xray_environment,
        .allow = s->cfg.xray_allow.items,
        .n_allow = s->cfg.xray_allow.n,
    };
    return port.listen ? skep_ingest_xray_open(s->ingest, &port, err) : SKEP_OK;
}

static skep_rc start_listening(struct server *s, skep_err *err)
{
    const struct skep_ingest_config ingest = {
        .store = s->store,
        .budget = &s->body_memory,
        .os = s->os,
        .state = s->state,
        .symbols = s->symbols,
        .rollbar_scrub = s->cfg.rollbar_scrub.items,
        .n_rollbar_scrub = s->cfg.rollbar_scrub.n,
        .xray_document_bytes = (size_t)s->cfg.xray_document_bytes,
        .xray_bind_bytes = (size_t)SKEP_MIN(s->cfg.memory_bytes / 64, bind_max_bytes)};
    s->ingest = skep_ingest_new(&ingest);
    skep_err why;
    skep_rc rc = skep_ingest_load(s->ingest, &why);
    if (rc != SKEP_OK)
        skep_log(WARN, "the ledger of refusals cannot be read, beginning a new one", SKEP_K_RC(rc),
                 SKEP_K_CSTR("error", why.text));
    const struct skep_self_config self = {.os = s->os,
                                          .ingest = s->ingest,
                                          .store = s->store,
                                          .queries = &s->query_memory,
                                          .probe_interval_ns = s->cfg.self_probe_ns};
    s->self = skep_self_new(&self);
    if (s->cfg.self_trace)
        s->trace = skep_self_trace_new(s->ingest);
    struct skep_tell_config tell = {.os = s->os,
                                    .store = s->store,
                                    .state = s->state,
                                    .notify = s->notify.notify,
                                    .queries = &s->query_memory,
                                    .symbols = s->symbols};
    tell.forms = skep_api_item_forms(&tell.n_forms);
    s->tell = skep_tell_new(&tell);
    const struct skep_inbox_config inbox = {.os = s->os,
                                            .store = s->store,
                                            .state = s->state,
                                            .queries = &s->query_memory,
                                            .changed = skep_tell_changed,
                                            .ctx = s->tell};
    s->inbox = skep_inbox_new(&inbox);
    unsigned n = s->cfg.listen.n + s->cfg.grpc.n + s->cfg.xray.n;
    s->listen = skep_new_n(&s->arena, const char *, n);
    s->listen_flags = skep_new_n(&s->arena, const char *, n);
    s->listen_plain = skep_new_n(&s->arena, bool, n);
    take_addresses(s, &s->cfg.listen, "--listen");
    take_addresses(s, &s->cfg.grpc, "--grpc");
    take_addresses(s, &s->cfg.xray, "--xray");
    SKEP_TRY(open_xray(s, err));
    SKEP_TRY(start_net(s, err));
    skep_self_start(s->self);
    skep_inbox_start(s->inbox);
    return SKEP_OK;
}

static void say_certificate(struct server *s, const char *event)
{
    struct skep_net_tls_info info;
    char until[SKEP_RFC3339_BYTES];
    skep_net_tls_info(s->net, &info);
    skep_str text = {until, skep_rfc3339(info.not_after_s * 1000000000, 0, until)};
    bool over = info.not_after_s * 1000000000 < s->os->now_ns(s->os);
    skep_log_at(over ? SKEP_LOG_WARN : SKEP_LOG_INFO, event,
                (const struct skep_log_kv[]){SKEP_K_CSTR("subject", info.subject),
                                             SKEP_K_STR(over ? "expired" : "until", text)},
                2);
}

/* About every two seconds, and when HUP says so. */
static void reload_certificate(struct server *s, bool force)
{
    bool changed = false;
    skep_err err;
    skep_rc rc = skep_net_tls_reload(s->net, force, &changed, &err);
    if (rc != SKEP_OK)
        skep_log(WARN, "the new certificate cannot be used, keeping the one in use",
                 SKEP_K_CSTR("error", err.text), SKEP_K_RC(rc));
    else if (changed)
        say_certificate(s, "serving with a new certificate");
}

/* Where a browser on this machine, or one that knows us by name, reaches the first listener. */
static skep_str page_address(struct server *s)
{
    skep_str a = skep_net_address(s->net, 0);
    skep_str host = a, name = SKEP_STR("localhost");
    while (host.n && host.p[host.n - 1] != ':')
        host.n--;
    skep_str port = skep_str_skip(a, host.n ? host.n - 1 : 0);
    if (!skep_str_eq(host, SKEP_STR("0.0.0.0:")) && !skep_str_eq(host, SKEP_STR("[::]:")))
        return a;
    for (unsigned i = s->cfg.allow_host.n; i-- > 0;)
        if (s->cfg.allow_host.items[i][0] != '*')
            name = skep_str_c(s->cfg.allow_host.items[i]);
    return skep_arena_printf(&s->arena, SKEP_STRFMT SKEP_STRFMT, SKEP_STRARG(name),
                             SKEP_STRARG(port));
}

/* Nobody can log in before there is a user: who reads this output may be the first. */
static void say_welcome(struct server *s, const char *scheme)
{
    char token[SKEP_LOGIN_TOKEN_BYTES];
    uint64_t users = 0;
    skep_err err = {.text = ""};
    const struct skep_people people = {.os = s->os, .state = s->state};
    skep_rc rc = skep_state_count_users(s->state, &users, &err);
    if (rc == SKEP_OK && users)
        return;
    if (rc == SKEP_OK)
        rc = skep_auth_link(&people, SKEP_ROLE_ADMIN, token, &err);
    if (rc != SKEP_OK)
        skep_log(WARN, "cannot make a link for the first user", SKEP_K_RC(rc),
                 SKEP_K_CSTR("error", err.text));
    else
        (void)printf(
            "  Nobody can log in yet. For an hour, and for one person:\n    %s://" SKEP_STRFMT
            "/ui/welcome#%s\n  Another one:  skep user link --data %s\n",
            scheme, SKEP_STRARG(page_address(s)), token, s->cfg.data);
}

/* Nobody can send before there is a key. */
static void say_keys(struct server *s)
{
    struct skep_auth_stats stats;
    bool far = false;
    for (unsigned i = 0; i < s->n_listen; i++)
        far = far || !skep_is_loopback(skep_str_c(s->listen[i]));
    if (far && (!s->cfg.tls.cert || s->cfg.tls.allow_plain))
        (void)printf("  Keys can cross the network unencrypted:  --tls-cert FILE --tls-key FILE\n");
    skep_auth_stats(s->auth, &stats);
    if (!stats.open && stats.keys == 0)
        (void)printf("  There is no API key yet:  skep key create --data %s --env all --name admin "
                     "--rights ingest,query,admin\n",
                     s->cfg.data);
}

static void say_started(struct server *s)
{
    const char *scheme = s->cfg.tls.cert ? "https" : "http";
    (void)printf("skep %s, data in %s\n", SKEP_VERSION, s->cfg.data);
    for (unsigned i = 0; i < s->n_listen; i++) {
        skep_str a = skep_net_address(s->net, i);
        if (a.n == 0)
            continue; /* [::1] on a machine without IPv6 */
        if (i < s->cfg.listen.n)
            (void)printf("  %s://" SKEP_STRFMT "  the page, OTLP, Honeycomb's API, X-Ray\n", scheme,
                         SKEP_STRARG(a));
        else if (i < s->cfg.listen.n + s->cfg.grpc.n)
            (void)printf("  " SKEP_STRFMT "  OTLP over gRPC (takes everything else, too)\n",
                         SKEP_STRARG(a));
        else
            (void)printf("  " SKEP_STRFMT "  the X-Ray daemon's TCP port\n", SKEP_STRARG(a));
    }
    skep_str udp = skep_ingest_xray_address(s->ingest);
    if (udp.n)
        (void)printf("  " SKEP_STRFMT "/udp  the X-Ray daemon's UDP port\n", SKEP_STRARG(udp));
    say_keys(s);
    if (!skep_auth_is_open(s->auth))
        say_welcome(s, scheme);
    (void)fflush(stdout);
}

/* From above: no new requests, the running ones end, the store closes, then what they used. */
static void stop(struct server *s)
{
    if (s->api)
        skep_api_begin_stop(s->api);
    if (s->net)
        skep_net_stop(s->net, GRACE_MS);
    skep_ingest_xray_stop(s->ingest);
    skep_ingest_map_stop(s->ingest);
    skep_api_free(s->api);
    skep_self_quiesce(s->self);
    skep_self_trace_stop(s->trace);
    skep_inbox_free(s->inbox);
    skep_tell_free(s->tell);
    if (s->store)
        s->store->ops->close(s->store); /* I1 */
    skep_self_free(s->self);            /* all are answered: the last counts are kept */
    skep_net_free(s->net);
    skep_self_trace_free(s->trace); /* requests that were kept until now are its spans */
    skep_ingest_free(s->ingest);
    skep_symbols_free(s->symbols);
    skep_notify_door_close(&s->notify);
    skep_oidc_free(s->oidc);
    skep_auth_free(s->auth);
    skep_state_close(s->state);
    if (s->pool)
        skep_pool_free(s->pool);
    skep_arena_done(&s->arena);
}

static void on_signal(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    int rc = sigaction(number, &action, NULL);
    skep_assert(rc == 0);
}

/* Until TERM or INT; HUP reads the certificate again, and ends nothing where there is none.  When
 * requests have come and stopped coming, memory that is free is given back to the system once:
 * while they come it is kept, because faulting it in again costs a tenth of ingest. */
static int wait_for_signal(struct server *s, const sigset_t *signals)
{
    static const struct timespec interval = {.tv_sec = 1};
    uint64_t seen = 0, trimmed = 0;
    for (unsigned look = 0;; look++) {
        int signal_no = sigtimedwait(signals, NULL, &interval);
        if (signal_no > 0 && signal_no != SIGHUP)
            return signal_no;
        if (!s->cfg.tls.cert && signal_no == SIGHUP)
            skep_log(INFO, "there is no certificate to read again, going on",
                     SKEP_K_CSTR("signal", "SIGHUP"));
        if (s->cfg.tls.cert && (signal_no == SIGHUP || look % 2 == 0))
            reload_certificate(s, signal_no == SIGHUP);
        struct skep_net_stats stats;
        skep_net_stats(s->net, &stats);
        if (stats.requests == seen && seen != trimmed) {
            skep_batch_trim();
            skep_heap_trim();
            trimmed = seen;
        }
        seen = stats.requests;
    }
}

static int run(struct server *s, const sigset_t *signals)
{
    skep_err err;
    skep_rc rc = open_store(s, &err);
    if (rc == SKEP_OK)
        rc = start_listening(s, &err);
    if (rc != SKEP_OK) {
        (void)fprintf(stderr, "skep: %s\n", err.text);
        if (rc == SKEP_ECORRUPT && !s->store)
            (void)fprintf(stderr,
                          "skep: nothing was changed. See what is damaged: skep verify --data %s\n"
                          "skep: set it aside and serve the rest:    skep repair --data %s\n",
                          s->cfg.data, s->cfg.data);
        stop(s);
        return SKEP_EXIT_FAILED;
    }
    say_started(s);
    if (s->cfg.tls.cert)
        say_certificate(s, "TLS certificate");
    int signal_no = wait_for_signal(s, signals);
    skep_log(INFO, "stopping", SKEP_K_CSTR("signal", signal_no == SIGINT ? "SIGINT" : "SIGTERM"));
    on_signal(SIGTERM, SIG_DFL); /* I2 */
    on_signal(SIGINT, SIG_DFL);
    (void)pthread_sigmask(SIG_UNBLOCK, signals, NULL);
    stop(s);
    return SKEP_EXIT_OK;
}

static const char *process_env(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

static int help(void)
{
    struct skep_buf out;
    skep_buf_init(&out, 64 << 10);
    skep_config_help(&out);
    (void)fwrite(out.p, 1, out.n, stdout);
    skep_buf_done(&out);
    return SKEP_EXIT_OK;
}

/* Few allocator arenas, and free memory kept only up to a small share of --memory: it counts as the
 * process's size.  What comes and goes all the time, a request's buffers and folded parts, is
 * smaller than `keep` and comes from there: faulting its pages in anew each time costs a tenth of
 * ingest. */
static void tune_allocator(uint64_t memory_bytes)
{
    uint64_t keep = SKEP_MIN(SKEP_MAX(memory_bytes / 32, 128ull << 10), 32ull << 20);
    (void)mallopt(M_ARENA_MAX, memory_bytes < (128ull << 20) ? 2 : 4);
    (void)mallopt(M_MMAP_THRESHOLD, (int)(keep / 2));
    (void)mallopt(M_TRIM_THRESHOLD, (int)keep);
}

int skep_serve(int argc, char *const *argv)
{
    struct server s = {.os = skep_os_real()};
    sigset_t signals;
    skep_err err;
    skep_arena_init(&s.arena, "server", NULL);
    skep_rc rc = skep_config_read(argc, argv, process_env, NULL, &s.arena, &s.cfg, &err);
    if (rc != SKEP_OK) {
        skep_arena_done(&s.arena);
        if (rc == SKEP_ECANCELED)
            return help();
        (void)fprintf(stderr, "skep serve: %s\nTry: skep serve --help\n", err.text);
        return SKEP_EXIT_USAGE;
    }
    skep_log_set_level(s.cfg.log_level);
    if (!s.cfg.core_dumps)
        skep_os_no_core();
    on_signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    /* Before any thread starts, so that all inherit it and only sigwait sees them. */
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    tune_allocator(s.cfg.memory_bytes);
    share_memory(&s);
    return run(&s, &signals);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * xray_sampler.c - sampling as the rules of AWS X-Ray say, which its daemon (or skep) hands out
 *
 *   worker: GetSamplingRules at the first span, then each five minutes; each ten seconds what was
 *           sampled goes to GetSamplingTargets, which answers with quotas
 *   sample: the current table of rules, without a lock
 *
 * There are two tables (twin.h). The worker writes the one that does not hold, switches, and takes
 * over what was counted in the old one when its last reader has left.
 *
 * Before there are rules, and where none matches: one a second and 5 % of the rest.
 *
 * A span that a rule took has its name as aws.xray.sampling_rule; the X-Ray exporter writes it
 * where X-Ray's own libraries do.
 *
 * Threads: any; writing, the worker alone. Memory: two tables and two answers, fixed.
 */
#include "json.h"
#include "post.h"
#include "twin.h"
#include "worker.h"
#include "xray_rules.h"

#include <stdio.h>
#include <stdlib.h>

enum { TICK_MS = 10000, POLL_S = 300, CALL_MS = 2000, DOCUMENTS_MAX = 25, CLIENT_ID = 24 };

struct xray_sampler {
    struct waggle_sampler base;
    struct waggle__worker worker;
    struct waggle__post rules_call, targets_call;
    struct waggle__buf body;
    struct waggle__xray_rules tables[2];
    struct waggle__twin twin; /* of the tables */
    struct waggle__xray_rule fallback;
    char client_id[CLIENT_ID + 1];
    char *service_name, *service_type; /* NULL: not known */
    uint32_t poll_s;
    /* The worker's. */
    bool has_rules, is_stale;
    uint64_t fetched_at; /* monotonic */
    double fetched_s;    /* UTC */
};

/* --- the tables ---------------------------------------------------------------------------- */

static struct waggle__xray_rule *named(struct waggle__xray_rules *rules, const char *name)
{
    for (size_t i = 0; i < rules->n; i++)
        if (strcmp(rules->p[i].name, name) == 0)
            return &rules->p[i];
    return NULL;
}

static void move_counter(_Atomic uint64_t *to, _Atomic uint64_t *from)
{
    atomic_fetch_add_explicit(to, atomic_exchange_explicit(from, 0, memory_order_relaxed),
                              memory_order_relaxed);
}

static void keep_quotas(struct waggle__xray_rules *fresh, struct waggle__xray_rules *old)
{
    for (size_t i = 0; i < fresh->n; i++) {
        struct waggle__xray_rule *to = &fresh->p[i];
        struct waggle__xray_rule *from = named(old, to->name);
        if (from == NULL)
            continue;
        to->quota = atomic_load_explicit(&from->quota, memory_order_relaxed);
        to->quota_until_s = atomic_load_explicit(&from->quota_until_s, memory_order_relaxed);
        to->window = atomic_load_explicit(&from->window, memory_order_relaxed);
    }
}

static void keep_counts(struct waggle__xray_rules *fresh, struct waggle__xray_rules *old)
{
    for (size_t i = 0; i < fresh->n; i++) {
        struct waggle__xray_rule *from = named(old, fresh->p[i].name);
        if (from == NULL)
            continue;
        move_counter(&fresh->p[i].requests, &from->requests);
        move_counter(&fresh->p[i].sampled, &from->sampled);
        move_counter(&fresh->p[i].borrowed, &from->borrowed);
    }
}

/* --- calls (the worker) -------------------------------------------------------------------- */

static bool never_again(const waggle_response *response)
{
    (void)response;
    return false; // there is a next time
}

static bool call_xray(struct xray_sampler *x, struct waggle__post *post, waggle_str body,
                      waggle_str *ret_answer)
{
    const waggle_piece piece = {body.p, body.n};
    waggle_request request = {.headers = "Content-Type: application/json\r\n",
                              .pieces = &piece,
                              .n_pieces = 1,
                              .body_n = body.n};
    waggle_deadline deadline = waggle__deadline_in(CALL_MS);
    waggle_response response;
    deadline.cancel_fd = x->worker.cancel[0];
    waggle__post_send(post, &request, never_again, deadline, &response);
    if (response.status != 200)
        waggle__error(WAGGLE_LEVEL_INFO, "%s: %s (status %d), sampling goes on as it is", post->url,
                      response.status == 0 ? response.error : "no answer of use", response.status);
    *ret_answer = (waggle_str){response.body, response.body_n};
    return response.status == 200;
}

static double utc_s(void)
{
    return (double)waggle__os.realtime_ns() / 1e9;
}

static void fetch_rules(struct xray_sampler *x)
{
    waggle_str answer;
    uint32_t old = atomic_load(&x->twin.current);
    struct waggle__xray_rules *fresh = &x->tables[1 - old];
    double now_s = utc_s();
    x->fetched_at = waggle__deadline_in(0).monotonic_ns;
    if (!call_xray(x, &x->rules_call, (waggle_str){"{}", 2}, &answer))
        return;
    waggle__twin_wait(&x->twin, 1 - old);
    if (!waggle__xray_rules_read(answer, fresh)) {
        waggle__error(WAGGLE_LEVEL_WARN, "%s answered no sampling rules", x->rules_call.url);
        return;
    }
    keep_quotas(fresh, &x->tables[old]);
    atomic_store(&x->twin.current, 1 - old);
    waggle__twin_wait(&x->twin, old);
    keep_counts(fresh, &x->tables[old]);
    x->has_rules = true;
    x->is_stale = false;
    x->fetched_s = now_s;
}

static void put_statistics(struct xray_sampler *x, struct waggle__xray_rule *r, bool first)
{
    uint64_t requests = atomic_exchange_explicit(&r->requests, 0, memory_order_relaxed);
    uint64_t sampled = atomic_exchange_explicit(&r->sampled, 0, memory_order_relaxed);
    uint64_t borrowed = atomic_exchange_explicit(&r->borrowed, 0, memory_order_relaxed);
    waggle__buf_str(&x->body, first ? "{\"RuleName\":" : ",{\"RuleName\":");
    waggle__json_text(&x->body, (waggle_str){r->name, strlen(r->name)});
    waggle__buf_printf(&x->body,
                       ",\"ClientID\":\"%s\",\"RequestCount\":%llu,\"SampledCount\":%llu,"
                       "\"BorrowCount\":%llu,\"Timestamp\":%llu}",
                       x->client_id, (unsigned long long)requests, (unsigned long long)sampled,
                       (unsigned long long)borrowed, (unsigned long long)utc_s());
}

static void report_counts(struct xray_sampler *x)
{
    struct waggle__xray_rules *rules = &x->tables[atomic_load(&x->twin.current)];
    waggle_str answer;
    double modified_s = 0;
    size_t n = 0;
    x->body.n = 0;
    waggle__buf_str(&x->body, "{\"SamplingStatisticsDocuments\":[");
    for (size_t i = 0; i < rules->n && n < DOCUMENTS_MAX; i++)
        if (atomic_load_explicit(&rules->p[i].requests, memory_order_relaxed) > 0)
            put_statistics(x, &rules->p[i], n++ == 0);
    waggle__buf_str(&x->body, "]}");
    waggle_str body = {(const char *)x->body.p, x->body.n};
    if (n == 0 || x->body.bad || !call_xray(x, &x->targets_call, body, &answer) ||
        !waggle__xray_targets_read(answer, rules, &modified_s))
        return;
    x->is_stale = modified_s > x->fetched_s;
}

static bool sampler_work(struct waggle__worker *w, bool all)
{
    struct xray_sampler *x = w->owner;
    uint64_t age = waggle__deadline_in(0).monotonic_ns - x->fetched_at;
    bool due = x->is_stale || age >= (uint64_t)x->poll_s * UINT64_C(1000000000);
    if (all && x->has_rules)
        report_counts(x);
    if (x->fetched_at == 0 || (all && (due || x->is_stale || !x->has_rules)))
        fetch_rules(x);
    return true;
}

static bool sampler_finish(struct waggle__worker *w, const waggle_deadline *limit)
{
    (void)w;
    (void)limit;
    return true;
}

static const struct waggle__worker_ops sampler_worker = {.work = sampler_work,
                                                         .finish = sampler_finish};

/* --- sampling ------------------------------------------------------------------------------ */

static waggle_str str_or_none(const char *s)
{
    return (waggle_str){s, s != NULL ? strlen(s) : 0};
}

/* The first of the attributes that there is. */
static waggle_str first_attribute(waggle_attrs attributes, const char *const *keys, size_t n)
{
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < attributes.n; i++) {
            const waggle_kv *kv = &attributes.p[i];
            if (kv->value.type == WAGGLE_STR && kv->key_n == strlen(keys[k]) &&
                memcmp(kv->key, keys[k], kv->key_n) == 0)
                return (waggle_str){kv->value.as.str, kv->value.n};
        }
    return (waggle_str){NULL, 0};
}

static void sample_xray(struct waggle_sampler *sampler, const waggle_sampling_params *params,
                        waggle_sampling *ret_sampling)
{
    static const char *const hosts[] = {"server.address", "http.host", "net.host.name"};
    static const char *const methods[] = {"http.request.method", "http.method"};
    static const char *const paths[] = {"url.path", "http.target"};
    struct xray_sampler *x = (struct xray_sampler *)sampler;
    struct waggle__thread *t = waggle__thread();
    struct waggle__xray_rule *rule;
    if (WAGGLE__UNLIKELY(!waggle__worker_is_running(&x->worker))) {
        waggle__worker_start(&x->worker);
        waggle__worker_wake(&x->worker);
    }
    const struct waggle__xray_request request = {
        .service_name = str_or_none(x->service_name),
        .service_type = str_or_none(x->service_type),
        .host = first_attribute(params->attributes, hosts, WAGGLE__COUNT(hosts)),
        .method = first_attribute(params->attributes, methods, WAGGLE__COUNT(methods)),
        .path = first_attribute(params->attributes, paths, WAGGLE__COUNT(paths)),
    };
    /* Read until the span begins, by this thread; the table may be written over before. */
    static _Thread_local char name[sizeof rule->name];
    static _Thread_local waggle_kv taken_by;
    double chance = t != NULL ? (double)(waggle__random64(t) >> 11) / 9007199254740992.0 : 1;
    uint32_t i = waggle__twin_enter(&x->twin);
    rule = waggle__xray_match(&x->tables[i], &request);
    bool taken = waggle__xray_take(rule != NULL ? rule : &x->fallback,
                                   waggle__os.realtime_ns() / UINT64_C(1000000000), chance);
    if (taken && rule != NULL) {
        memcpy(name, rule->name, sizeof name);
        taken_by = waggle_kv_str("aws.xray.sampling_rule", name);
        ret_sampling->attributes = (waggle_attrs){&taken_by, 1};
    }
    waggle__twin_leave(&x->twin, i);
    ret_sampling->decision = taken ? WAGGLE_RECORD_AND_SAMPLE : WAGGLE_DROP;
}

static const char *xray_description(struct waggle_sampler *sampler)
{
    (void)sampler;
    return "XRaySampler{fixed rate 0.05 until there are rules}";
}

static void make_client_id(struct xray_sampler *x)
{
    uint8_t b[CLIENT_ID / 2];
    if (!waggle__os.random(b, sizeof b))
        memset(b, 1, sizeof b); // it is only told apart by less
    for (size_t i = 0; i < sizeof b; i++)
        (void)snprintf(x->client_id + 2 * i, 3, "%02x", b[i]); // fits
}

static void xray_sampler_after_fork(struct waggle_sampler *sampler)
{
    struct xray_sampler *x = (struct xray_sampler *)sampler;
    (void)pthread_mutex_init(&x->worker.lock, NULL); // whoever held it is not here
    waggle__worker_before_fork(&x->worker);
    waggle__worker_after_fork(&x->worker, true);
    waggle__post_after_fork(&x->rules_call);
    waggle__post_after_fork(&x->targets_call);
    waggle__twin_after_fork(&x->twin);
    make_client_id(x);
}

static void xray_sampler_free(struct waggle_sampler *sampler)
{
    enum { LAST_MS = 1000 };
    struct xray_sampler *x = (struct xray_sampler *)sampler;
    waggle_deadline deadline = waggle__deadline_in(LAST_MS);
    bool was_running = false;
    (void)waggle__worker_stop(&x->worker, &deadline, &was_running); // late: abandoned, below
    if (x->worker.abandoned)
        return; // it may still be in a call
    waggle__worker_done(&x->worker);
    waggle__post_done(&x->rules_call);
    waggle__post_done(&x->targets_call);
    waggle__buf_done(&x->body);
    free(x->service_name);
    free(x->service_type);
    free(x);
}

static const struct waggle_sampler_ops xray_sampler_ops = {.struct_size = sizeof xray_sampler_ops,
                                                           .sample = sample_xray,
                                                           .description = xray_description,
                                                           .free = xray_sampler_free,
                                                           .after_fork = xray_sampler_after_fork};

/* --- making -------------------------------------------------------------------------------- */

/* The daemon's address for TCP: "host:port", or "tcp:host:port" of two. */
static void daemon_address(char *ret, size_t cap)
{
    const char *list = waggle__env("AWS_XRAY_DAEMON_ADDRESS");
    const char *tcp = list != NULL ? strstr(list, "tcp:") : NULL;
    const char *from = tcp != NULL ? tcp + 4 : list != NULL ? list : "127.0.0.1:2000";
    (void)snprintf(ret, cap, "%.*s", (int)WAGGLE__MIN(strcspn(from, " "), (size_t)200), from);
}

static char *call_url(const char *endpoint, const char *path)
{
    char address[256];
    char url[1024];
    daemon_address(address, sizeof address);
    bool slash = endpoint != NULL && endpoint[0] != '\0' && endpoint[strlen(endpoint) - 1] == '/';
    (void)snprintf(url, sizeof url, "%s%s%s%s", endpoint != NULL ? "" : "http://",
                   endpoint != NULL ? endpoint : address, slash ? "" : "/", path); // cut: refused
    return waggle__url_copy(url);
}

static bool own_text(const char *s, char **ret)
{
    *ret = s != NULL ? waggle__url_copy(s) : NULL;
    return s == NULL || *ret != NULL;
}

struct waggle_sampler *waggle_sampler_xray_new(const waggle_xray_sampler_options *options)
{
    waggle_xray_sampler_options o = {0};
    if (options != NULL)
        memcpy(&o, options,
               options->struct_size ? WAGGLE__MIN(options->struct_size, sizeof o) : sizeof o);
    struct xray_sampler *x = calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    x->base.ops = &xray_sampler_ops;
    x->poll_s = o.poll_s ? o.poll_s : POLL_S;
    x->fallback.reservoir_size = 1;
    x->fallback.fixed_rate = 0.05;
    make_client_id(x);
    waggle__buf_init(&x->body, 1 << 16);
    waggle__worker_init(&x->worker, &sampler_worker, x, o.tick_ms ? o.tick_ms : TICK_MS);
    bool ok = own_text(o.service_name, &x->service_name);
    ok = own_text(o.service_type, &x->service_type) && ok;
    ok = waggle__post_init(&x->rules_call, call_url(o.endpoint, "GetSamplingRules"), NULL,
                           "X-Ray's sampling rules at") &&
         ok;
    ok = waggle__post_init(&x->targets_call, call_url(o.endpoint, "SamplingTargets"), NULL,
                           "X-Ray's sampling targets at") &&
         ok;
    if (ok)
        return &x->base;
    xray_sampler_free(&x->base);
    return NULL;
}

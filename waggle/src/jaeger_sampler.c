// SPDX-License-Identifier: Apache-2.0
/*
 * jaeger_sampler.c - sampling as Jaeger's remote configuration says
 *
 *   worker: asks at the first span, then each poll interval: GET ENDPOINT?service=NAME for JSON, or
 *           /jaeger.api_v2.SamplingManager/GetSamplingStrategy over gRPC
 *   sample: the current one of two strategies (twin.h), without a lock; before there is one,
 * `initial`
 *
 * Shares are consistent (threshold.h). So many a second is a bucket that fills at that rate and
 * holds a second's worth, at least one: one word, the time at which it is full again.
 *
 * Threads: any; writing a strategy, the worker alone. Memory: two strategies and an answer, fixed.
 */
#include "jaeger_strategy.h"
#include "post.h"
#include "threshold.h"
#include "twin.h"
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>

enum { JAEGER_POLL_MS = 60000, JAEGER_CALL_MS = 5000, BUCKETS = 256 };

struct jaeger_sampler {
    struct waggle_sampler base;
    struct waggle__worker worker;
    struct waggle__post post;
    struct waggle__buf body; /* of the request over gRPC */
    struct waggle_sampler *initial;
    struct waggle__twin twin;
    struct waggle__jaeger_strategy strategies[2];
    _Atomic uint64_t full_at[BUCKETS]; /* monotonic; by a hash of the span's name, [0] for all */
    bool is_grpc, was_asked;
    char text[64];
};

/* --- the strategy -------------------------------------------------------------------------- */

static bool never_retry(const waggle_response *response)
{
    (void)response;
    return false; // there is a next time
}

static void fetch_strategy(struct jaeger_sampler *j)
{
    const waggle_piece piece = {j->body.p, j->body.n};
    waggle_request request = {.headers = "Accept: application/json\r\n", .is_get = true};
    if (j->is_grpc)
        request = (waggle_request){.headers = "Content-Type: application/grpc\r\n",
                                   .pieces = &piece,
                                   .n_pieces = 1,
                                   .body_n = piece.n};
    waggle_deadline deadline = waggle__deadline_in(JAEGER_CALL_MS);
    waggle_response response;
    deadline.cancel_fd = j->worker.cancel[0];
    waggle__post_send(&j->post, &request, never_retry, deadline, &response);
    uint32_t old = atomic_load(&j->twin.current);
    struct waggle__jaeger_strategy *fresh = &j->strategies[1 - old];
    const waggle_str answer = {response.body, response.body_n};
    bool ok = response.status == 200;
    if (ok) {
        waggle__twin_wait(&j->twin, 1 - old);
        ok = j->is_grpc ? waggle__jaeger_from_protobuf(answer, fresh)
                        : waggle__jaeger_from_json(answer, fresh);
    }
    if (ok)
        atomic_store(&j->twin.current, 1 - old);
    else
        waggle__error(WAGGLE_LEVEL_INFO, "%s: %s (status %d), sampling goes on as it is",
                      j->post.url, response.status == 0 ? response.error : "no strategy of use",
                      response.status);
}

static bool jaeger_work(struct waggle__worker *w, bool all)
{
    struct jaeger_sampler *j = w->owner;
    if (all || !j->was_asked)
        fetch_strategy(j);
    j->was_asked = true;
    return true;
}

static bool jaeger_finish(struct waggle__worker *w, const waggle_deadline *limit)
{
    (void)w;
    (void)limit;
    return true;
}

static const struct waggle__worker_ops jaeger_worker = {.work = jaeger_work,
                                                        .finish = jaeger_finish};

/* --- sampling ------------------------------------------------------------------------------ */

/* One out of the bucket; false if it is empty. */
static bool take_token(_Atomic uint64_t *full_at, double per_second)
{
    if (!(per_second > 0))
        return false;
    const double least = 1e-9; // one in thirty years: sums of such times are within 64 bits
    uint64_t now = waggle__monotonic();
    uint64_t one = (uint64_t)(1e9 / (per_second > least ? per_second : least));
    uint64_t room = per_second > 1 ? UINT64_C(1000000000) : one;
    uint64_t full = atomic_load_explicit(full_at, memory_order_relaxed);
    for (unsigned tries = 0; tries < 100; tries++) {
        uint64_t next = (full > now ? full : now) + one;
        if (next > now + room)
            return false;
        if (atomic_compare_exchange_weak_explicit(full_at, &full, next, memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    }
    return false;
}

static const struct waggle__jaeger_operation *
find_operation(const struct waggle__jaeger_strategy *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strncmp(s->p[i].name, name, WAGGLE__JAEGER_NAME - 1) == 0)
            return &s->p[i];
    return NULL;
}

static _Atomic uint64_t *bucket_of_name(struct jaeger_sampler *j, const char *name)
{
    uint32_t h = 2166136261u;
    for (const char *p = name; *p != '\0'; p++)
        h = (h ^ (unsigned char)*p) * 16777619u;
    return &j->full_at[1 + h % (BUCKETS - 1)];
}

static void decide(struct jaeger_sampler *j, const struct waggle__jaeger_strategy *s,
                   const waggle_sampling_params *params, waggle_sampling *ret_sampling)
{
    static _Thread_local char text[WAGGLE__TH_BYTES];
    const char *name = params->name != NULL ? params->name : "";
    if (s->limits) {
        bool taken = take_token(&j->full_at[0], s->per_second);
        ret_sampling->decision = taken ? WAGGLE_RECORD_AND_SAMPLE : WAGGLE_DROP;
        return;
    }
    const struct waggle__jaeger_operation *o = s->has_operations ? find_operation(s, name) : NULL;
    uint64_t threshold = waggle__threshold_of(o != NULL ? o->rate : s->rate);
    waggle__threshold_text(threshold, text);
    waggle__threshold_decide(params, threshold, true, text, ret_sampling);
    if (ret_sampling->decision == WAGGLE_DROP && s->has_operations &&
        take_token(bucket_of_name(j, name), s->lower_bound))
        ret_sampling->decision = WAGGLE_RECORD_AND_SAMPLE; // it stands for itself, and says so
}

static void sample_jaeger(struct waggle_sampler *sampler, const waggle_sampling_params *params,
                          waggle_sampling *ret_sampling)
{
    struct jaeger_sampler *j = (struct jaeger_sampler *)sampler;
    if (WAGGLE__UNLIKELY(!waggle__worker_is_running(&j->worker))) {
        waggle__worker_start(&j->worker);
        waggle__worker_wake(&j->worker);
    }
    uint32_t i = waggle__twin_enter(&j->twin);
    bool is_set = j->strategies[i].is_set;
    if (is_set)
        decide(j, &j->strategies[i], params, ret_sampling);
    waggle__twin_leave(&j->twin, i);
    if (!is_set)
        j->initial->ops->sample(j->initial, params, ret_sampling);
}

static const char *jaeger_text(struct waggle_sampler *sampler)
{
    return ((const struct jaeger_sampler *)sampler)->text;
}

static void jaeger_after_fork(struct waggle_sampler *sampler)
{
    struct jaeger_sampler *j = (struct jaeger_sampler *)sampler;
    (void)pthread_mutex_init(&j->worker.lock, NULL); // whoever held it is not here
    waggle__worker_before_fork(&j->worker);
    waggle__worker_after_fork(&j->worker, true);
    waggle__post_after_fork(&j->post);
    waggle__twin_after_fork(&j->twin);
    waggle__sampler_after_fork(j->initial);
    j->was_asked = false;
}

static void jaeger_free(struct waggle_sampler *sampler)
{
    enum { LAST_MS = 1000 };
    struct jaeger_sampler *j = (struct jaeger_sampler *)sampler;
    waggle_deadline deadline = waggle__deadline_in(LAST_MS);
    bool was_running = false;
    (void)waggle__worker_stop(&j->worker, &deadline, &was_running); // late: abandoned, below
    if (j->worker.abandoned)
        return; // it may still be in a call
    waggle__worker_done(&j->worker);
    waggle__post_done(&j->post);
    waggle__buf_done(&j->body);
    if (j->initial->ops->free != NULL)
        j->initial->ops->free(j->initial);
    free(j);
}

/* --- making -------------------------------------------------------------------------------- */

static void put_url_text(struct waggle__buf *out, const char *s)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    for (; *s != '\0'; s++)
        if (strchr(plain, *s) != NULL)
            waggle__buf_put(out, s, 1);
        else
            waggle__buf_printf(out, "%%%02X", (unsigned char)*s);
}

/* The URL to ask, and whether that is over gRPC. */
static char *jaeger_url(const char *endpoint, const char *service, bool *ret_grpc)
{
    enum { URL_BYTES = 2048 };
    struct waggle__buf url;
    const char *host = strstr(endpoint, "://");
    waggle__buf_init(&url, URL_BYTES);
    waggle__buf_str(&url, host != NULL ? "" : "http://");
    waggle__buf_str(&url, endpoint);
    const char *path = strchr(host != NULL ? host + 3 : endpoint, '/');
    bool bare = path == NULL || path[1] == '\0';
    while (bare && url.n > 0 && url.p[url.n - 1] == '/')
        url.n--;
    *ret_grpc = bare && waggle__otlp_has_grpc();
    if (*ret_grpc) {
        waggle__buf_str(&url, "/jaeger.api_v2.SamplingManager/GetSamplingStrategy");
    } else {
        waggle__buf_str(&url, bare ? "/sampling?service=" : "?service=");
        put_url_text(&url, service);
    }
    waggle__buf_put(&url, "", 1);
    char *copy = url.bad ? NULL : waggle__url_copy((const char *)url.p);
    waggle__buf_done(&url);
    return copy;
}

static const struct waggle_sampler_ops jaeger_ops = {.struct_size = sizeof jaeger_ops,
                                                     .sample = sample_jaeger,
                                                     .description = jaeger_text,
                                                     .free = jaeger_free,
                                                     .after_fork = jaeger_after_fork};

struct waggle_sampler *waggle_sampler_jaeger_new(const waggle_jaeger_sampler_options *options)
{
    waggle_jaeger_sampler_options o = {0};
    if (options != NULL)
        memcpy(&o, options,
               options->struct_size ? WAGGLE__MIN(options->struct_size, sizeof o) : sizeof o);
    struct jaeger_sampler *j = calloc(1, sizeof *j);
    struct waggle_sampler *initial = o.initial ? o.initial : waggle_sampler_ratio_new(0.001);
    if (j == NULL || initial == NULL) {
        if (initial != NULL && initial->ops->free != NULL)
            initial->ops->free(initial);
        free(j);
        return NULL;
    }
    const char *service = waggle__setting(o.service_name, "OTEL_SERVICE_NAME", NULL);
    service = service[0] != '\0' ? service : "unknown_service";
    j->base.ops = &jaeger_ops;
    j->initial = initial;
    (void)snprintf(j->text, sizeof j->text, "JaegerRemoteSampler{%.40s}", service); // fits
    waggle__buf_init(&j->body, 1 << 16);
    waggle__buf_field(&j->body, 1, service, strlen(service));
    waggle__worker_init(&j->worker, &jaeger_worker, j, o.poll_ms ? o.poll_ms : JAEGER_POLL_MS);
    char *url =
        jaeger_url(o.endpoint ? o.endpoint : "http://localhost:14250", service, &j->is_grpc);
    struct waggle_transport *transport = j->is_grpc ? waggle__otlp_grpc_transport() : NULL;
    if (waggle__post_init(&j->post, url, transport, "Jaeger's sampling strategies at"))
        return &j->base;
    jaeger_free(&j->base);
    return NULL;
}

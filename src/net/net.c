// SPDX-License-Identifier: Apache-2.0
/* Life of the listeners: routes, start, stop, counters.
 *
 *   new -> routes* -> start -> ... -> stop: close the listeners
 *                                        -> draining: answers close their connections
 *                                        -> wait for requests in flight, at most the grace
 *                                        -> stopping: what is parked is abandoned, threads end
 *
 * I1  the route table does not change after start.
 * I2  struct skep_net lives until its owner and the last request let it go: a handler may answer a
 *     request after free.
 * Threads: new, routes, start, stop, free by one owner; stats by any.
 * Memory: a few blocks for the process's life. */
#include "net/net_priv.h"

#include <time.h>
#include <unistd.h>

static char **copy_strings(const char *const *list, unsigned n)
{
    char **copy = skep_alloc_n(char *, n + 1);
    for (unsigned i = 0; i < n; i++) {
        skep_str s = skep_str_c(list[i]);
        copy[i] = skep_strndup(s.p, s.n);
    }
    return copy;
}

static void free_strings(char **list)
{
    for (char **s = list; s && *s; s++)
        skep_free(*s);
    skep_free(list);
}

static void own_config(struct skep_net *net, const struct skep_net_config *cfg)
{
    struct skep_net_config *own = &net->cfg;
    *own = *cfg;
    net->listen = copy_strings(cfg->listen, cfg->n_listen);
    net->allow_hosts = copy_strings(cfg->allow_hosts, cfg->n_allow_hosts);
    own->listen = (const char *const *)net->listen;
    own->allow_hosts = (const char *const *)net->allow_hosts;
    if (own->n_threads == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        own->n_threads = cores > 0 ? (unsigned)cores : 1;
    }
    own->n_threads = SKEP_MIN(own->n_threads, (unsigned)SKEP_NET__THREADS_MAX);
    if (own->body_limit_bytes == 0)
        own->body_limit_bytes = SKEP_NET__BODY_LIMIT_BYTES;
    if (own->idle_timeout_s == 0)
        own->idle_timeout_s = SKEP_NET__IDLE_TIMEOUT_S;
    if (own->connections_max == 0)
        own->connections_max = SKEP_NET__CONNECTIONS_MAX;
    skep_assert(!own->tls.cert == !own->tls.key);
}

struct skep_net *skep_net_new(const struct skep_net_config *cfg)
{
    static const struct skep_route health = {
        .method = "POST",
        .path = "/grpc.health.v1.Health/Check",
        .handle = skep_net__grpc_health,
        .flags = SKEP_ROUTE_GRPC,
        .body_limit_bytes = 64 << 10,
        .right = SKEP_RIGHT_PUBLIC,
    };
    skep_assert(cfg && cfg->n_listen <= SKEP_NET__LISTEN_MAX);
    struct skep_net *net = skep_alloc(struct skep_net);
    atomic_init(&net->refs, 1);
    int mu = pthread_mutex_init(&net->strays_mu, NULL);
    skep_assert(mu == 0);
    own_config(net, cfg);
    net->peers = skep_net__peers_new(&net->cfg);
    /* Idle TLS connections leave room for bodies. */
    uint64_t limit = net->cfg.budget ? net->cfg.budget->limit_bytes / 2 : UINT64_MAX;
    skep_budget_init(&net->tls_memory, "TLS connections", limit, net->cfg.budget);
    net->routes = skep_net__routes_new();
    skep_rc rc = skep_net__routes_add(net->routes, &health, net, NULL);
    skep_assert(rc == SKEP_OK);
    return net;
}

skep_rc skep_net_routes(struct skep_net *net, const struct skep_route *routes, size_t n, void *ctx,
                        skep_err *err)
{
    skep_assert(net && !net->running);
    for (size_t i = 0; i < n; i++)
        SKEP_TRY(skep_net__routes_add(net->routes, &routes[i], ctx, err));
    return SKEP_OK;
}

const struct skep_route *skep_net_route(const struct skep_net *net, size_t i)
{
    return skep_net__routes_at(net->routes, i);
}

static skep_rc start_parts(struct skep_net *net, skep_err *err)
{
    if (net->cfg.tls.cert)
        SKEP_TRY(skep_net__tls_new(&net->cfg.tls, &net->tls, err));
    SKEP_TRY(skep_net__door_open(net, &net->door, err));
    SKEP_TRY(skep_net__h1_start(net, net->cfg.n_threads, &net->h1, err));
    SKEP_TRY(skep_net__h2_start(net, net->cfg.n_threads, &net->h2, err));
    return skep_net__door_start(net->door, err);
}

static void stop_parts(struct skep_net *net)
{
    atomic_store(&net->stopping, true);
    skep_net__door_stop(net->door);
    skep_net__h1_stop(net->h1);
    skep_net__h2_stop(net->h2);
    net->h1 = NULL;
    net->h2 = NULL; /* the door stays: it knows the addresses */
    skep_net__tls_free(net->tls);
    net->tls = NULL;
}

skep_rc skep_net_start(struct skep_net *net, skep_err *err)
{
    skep_assert(net && !net->running);
    skep_net__door_free(net->door); /* of an earlier start */
    net->door = NULL;
    atomic_store(&net->stopping, false);
    atomic_store(&net->draining, false);
    skep_rc rc = start_parts(net, err);
    if (rc != SKEP_OK) {
        stop_parts(net);
        skep_net__door_free(net->door);
        net->door = NULL;
        return rc;
    }
    net->running = true;
    return SKEP_OK;
}

skep_str skep_net_address(const struct skep_net *net, unsigned i)
{
    skep_assert(net && net->door);
    return skep_net__door_address(net->door, i);
}

void skep_net_stop(struct skep_net *net, unsigned grace_ms)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    skep_assert(net);
    if (!net->running)
        return;
    uint64_t until = skep_net__now_ms() + grace_ms;
    skep_net__door_stop(net->door);
    atomic_store(&net->draining, true);
    skep_net__h2_drain(net->h2);
    while (atomic_load(&net->in_flight) > 0 && skep_net__now_ms() < until)
        (void)nanosleep(&pause, NULL); /* cut short: looked at again sooner */
    stop_parts(net);
    net->running = false;
}

void skep_net__unref(struct skep_net *net)
{
    if (atomic_fetch_sub_explicit(&net->refs, 1, memory_order_acq_rel) != 1)
        return;
    (void)pthread_mutex_destroy(&net->strays_mu); /* nobody is left to hold it */
    skep_net__routes_free(net->routes);
    skep_net__peers_free(net->peers);
    free_strings(net->listen);
    free_strings(net->allow_hosts);
    skep_free(net);
}

void skep_net_free(struct skep_net *net)
{
    if (!net)
        return;
    skep_net_stop(net, 0);
    skep_net__door_free(net->door);
    net->door = NULL;
    skep_net__unref(net);
}

void skep_net__conn_over(struct skep_net *net, const struct skep_net__who *from, bool tls)
{
    if (tls)
        skep_budget_give(&net->tls_memory, SKEP_NET__TLS_BYTES);
    skep_net__peers_leave(net->peers, from);
    uint64_t open =
        atomic_fetch_sub_explicit(&net->count.connections_open, 1, memory_order_relaxed);
    skep_assert(open > 0);
}

skep_rc skep_net_tls_reload(struct skep_net *net, bool force, bool *ret_changed, skep_err *err)
{
    skep_assert(net->running && net->tls);
    return skep_net__tls_reload(net->tls, force, ret_changed, err);
}

void skep_net_tls_info(const struct skep_net *net, struct skep_net_tls_info *ret)
{
    skep_assert(net->tls);
    skep_net__tls_info(net->tls, ret);
}

void skep_net_stats(const struct skep_net *net, struct skep_net_stats *ret)
{
    const struct skep_net__counters *c = &net->count;
#define COPY(member) ret->member = atomic_load_explicit(&c->member, memory_order_relaxed)
    COPY(connections);
    COPY(connections_open);
    COPY(requests);
    COPY(bytes_in);
    COPY(bytes_out);
    COPY(refused_host);
    COPY(refused_origin);
    COPY(refused_limit);
    COPY(refused_encoding);
    COPY(refused_budget);
    COPY(refused_key);
    COPY(refused_address);
    COPY(refused_plain);
    COPY(refused_client);
    COPY(cut_slow);
    COPY(tls_connections);
    COPY(h2_resets);
    for (unsigned i = 0; i < SKEP_ARRAY_LEN(ret->answers); i++)
        COPY(answers[i]);
#undef COPY
}

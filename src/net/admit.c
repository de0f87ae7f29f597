// SPDX-License-Identifier: Apache-2.0
/* What is decided when a request's headers are complete: the doors, the route, the limits.
 *
 *   target -> host door -> route -> origin door -> protocol -> client -> key -> length -> encoding
 *       \________\__________\___________\____________\_________\_________\______\_________\__
 *                                                                         `-> refuse, or handle
 *
 * The order matters: a name that is not ours learns nothing about the routes, and a page of another
 * site gets 403 even for paths that do not exist.  A refusal is only noted here; it is written when
 * the transport says so, in the form of the route's API.
 *
 * I1  afterwards r->match.route is set unless the action is REFUSE or OPTIONS.
 * Threads: the connection's I/O thread. */
#include "net/net_priv.h"

static skep_str header(const struct skep_net__req *r, skep_str name)
{
    return skep_request_header(&r->pub, name);
}

/* Text of a client for a message: printable and short. */
static skep_str shown(struct skep_net__req *r, skep_str s)
{
    size_t n = SKEP_MIN(s.n, (size_t)100);
    char *p = skep_arena_alloc(&r->arena, n + 1);
    for (size_t i = 0; i < n; i++)
        p[i] = (char)(s.p[i] > ' ' && s.p[i] < 0x7f ? s.p[i] : '?');
    return (skep_str){p, n};
}

static skep_str media_type(struct skep_net__req *r, skep_str value)
{
    skep_str rest = value;
    skep_str type = skep_str_trim(skep_str_cut(&rest, ';'));
    char *p = skep_arena_alloc(&r->arena, type.n + 1);
    for (size_t i = 0; i < type.n; i++)
        p[i] = (char)(type.p[i] >= 'A' && type.p[i] <= 'Z' ? type.p[i] + 32 : type.p[i]);
    return (skep_str){p, type.n};
}

static bool admit_host(struct skep_net__req *r, const struct skep_net__head *h)
{
    const struct skep_net_config *cfg = &r->net->cfg;
    if (!h->has_host && r->http10)
        return true; /* no browser speaks HTTP/1.0 */
    if (skep_net__host_allowed(h->host, h->local_ip, cfg->allow_hosts, cfg->n_allow_hosts))
        return true;
    skep_str name = shown(r, h->host);
    skep_net__count(r->net, refused_host, 1);
    skep_net__req_refuse(r, 403, SKEP_EFORBIDDEN,
                         skep_arena_printf(&r->arena,
                                           "host \"" SKEP_STRFMT
                                           "\" is not served here: start skep with "
                                           "--allow-host NAME (or *.SUFFIX) to accept it",
                                           SKEP_STRARG(name)));
    return false;
}

static bool admit_origin(struct skep_net__req *r, const struct skep_net__head *h, bool navigate)
{
    skep_str origin = header(r, SKEP_STR("origin"));
    skep_str site = header(r, SKEP_STR("sec-fetch-site"));
    bool get = skep_str_eq(h->method, SKEP_STR("GET")) || skep_str_eq(h->method, SKEP_STR("HEAD"));
    bool link = navigate && get && origin.n == 0 &&
                skep_str_ieq(header(r, SKEP_STR("sec-fetch-mode")), SKEP_STR("navigate")) &&
                skep_str_ieq(header(r, SKEP_STR("sec-fetch-dest")), SKEP_STR("document"));
    bool cross = skep_str_ieq(skep_str_trim(site), SKEP_STR("cross-site")) && !link;
    if (!cross && skep_net__origin_same(origin, h->host))
        return true;
    skep_str name = origin.n ? shown(r, origin) : SKEP_STR("another site");
    skep_net__count(r->net, refused_origin, 1);
    skep_net__req_refuse(r, 403, SKEP_EFORBIDDEN,
                         skep_arena_printf(&r->arena,
                                           "requests of pages from " SKEP_STRFMT
                                           " are taken on the ingest paths only",
                                           SKEP_STRARG(name)));
    return false;
}

/* OPTIONS: a preflight asks for the method it wants to use. */
static void route_options(struct skep_net__req *r, const struct skep_net__uri *uri)
{
    skep_str wanted = header(r, SKEP_STR("access-control-request-method"));
    r->allow = skep_net__routes_allow(r->net->routes, &r->arena, uri);
    if (wanted.n && skep_net__routes_find(r->net->routes, wanted, uri, NULL, &r->match) &&
        (r->match.route->flags & SKEP_ROUTE_CORS)) {
        r->action = SKEP_NET__PREFLIGHT;
        return;
    }
    r->match.route = NULL;
    if (r->allow.n)
        r->action = SKEP_NET__OPTIONS;
}

static bool find_route(struct skep_net__req *r, const struct skep_net__head *h,
                       const struct skep_net__uri *uri)
{
    if (skep_net__routes_find(r->net->routes, h->method, uri, &r->pub, &r->match))
        return true;
    if (skep_str_eq(h->method, SKEP_STR("OPTIONS")))
        route_options(r, uri);
    return r->action != SKEP_NET__HANDLE;
}

static void refuse_no_route(struct skep_net__req *r)
{
    skep_str path = shown(r, r->pub.path);
    if (r->pub.proto == SKEP_PROTO_GRPC) {
        skep_net__req_refuse(
            r, 404, SKEP_EUNSUPPORTED,
            skep_arena_printf(&r->arena, "unknown method " SKEP_STRFMT, SKEP_STRARG(path)));
    } else if (r->allow.n) {
        skep_net__req_refuse(
            r, 405, SKEP_EINVAL,
            skep_arena_printf(&r->arena,
                              "method " SKEP_STRFMT " is not allowed here: use " SKEP_STRFMT,
                              SKEP_STRARG(shown(r, r->pub.method)), SKEP_STRARG(r->allow)));
    } else {
        skep_net__stray(r->net, shown(r, r->pub.method), path);
        skep_net__req_refuse(r, 404, SKEP_ENOTFOUND,
                             skep_arena_printf(&r->arena, "nothing at " SKEP_STRFMT " " SKEP_STRFMT,
                                               SKEP_STRARG(shown(r, r->pub.method)),
                                               SKEP_STRARG(path)));
    }
}

/* gRPC requests go to gRPC routes and to no others. */
static bool admit_protocol(struct skep_net__req *r)
{
    skep_assert(r->match.route != NULL);
    bool grpc_route = (r->match.route->flags & SKEP_ROUTE_GRPC) != 0;
    if (grpc_route == (r->pub.proto == SKEP_PROTO_GRPC))
        return true;
    if (grpc_route) {
        r->match.route = NULL; /* the route's refusal would be written for gRPC */
        skep_net__req_refuse(r, 415, SKEP_EUNSUPPORTED,
                             SKEP_STR("this path is gRPC: it takes HTTP/2 with content-type "
                                      "application/grpc"));
    } else {
        r->match.route = NULL;
        r->allow = SKEP_STR("");
        refuse_no_route(r);
    }
    return false;
}

static void admit_body(struct skep_net__req *r)
{
    const struct skep_route *route = r->match.route;
    size_t limit = route->body_limit_bytes ? route->body_limit_bytes : r->net->cfg.body_limit_bytes;
    bool grpc = r->pub.proto == SKEP_PROTO_GRPC;
    r->limit_bytes = limit + (grpc ? SKEP_NET__GRPC_PREFIX_BYTES : 0);
    if (r->expect_bytes != SIZE_MAX && r->expect_bytes > r->limit_bytes) {
        skep_net__count(r->net, refused_limit, 1);
        skep_net__req_refuse(
            r, 413, SKEP_ETOOLARGE,
            skep_arena_printf(&r->arena, "the body is larger than %zu bytes", limit));
        return;
    }
    if (grpc || (route->flags & SKEP_ROUTE_RAW_BODY))
        return;
    skep_str coding = header(r, SKEP_STR("content-encoding"));
    r->coding = skep_net__coding_parse(coding);
    if (r->coding != SKEP_NET__UNKNOWN_CODING)
        return;
    skep_net__count(r->net, refused_encoding, 1);
    skep_net__req_refuse(r, 415, SKEP_EUNSUPPORTED,
                         skep_arena_printf(&r->arena,
                                           "content-encoding \"" SKEP_STRFMT
                                           "\" is not known: use gzip, deflate, zstd or identity",
                                           SKEP_STRARG(shown(r, coding))));
}

static void admit(struct skep_net__req *r, const struct skep_net__head *h)
{
    struct skep_net__uri uri;
    skep_err err = {0};
    if (skep_net__uri_parse(&r->arena, h->target, &uri, &err) != SKEP_OK) {
        skep_net__req_refuse(r, 400, SKEP_EMALFORMED, skep_str_c(err.text));
        return;
    }
    r->pub.path = uri.path;
    r->pub.query = uri.query;
    if (!admit_host(r, h))
        return;
    bool found = find_route(r, h, &uri);
    const struct skep_route *route = r->match.route;
    bool cors = route && (route->flags & SKEP_ROUTE_CORS);
    if (cors)
        r->cors_origin = header(r, SKEP_STR("origin"));
    if (!cors && !admit_origin(r, h, route && (route->flags & SKEP_ROUTE_NAVIGATE)))
        return;
    if (!found) {
        r->allow = skep_net__routes_allow(r->net->routes, &r->arena, &uri);
        refuse_no_route(r);
        return;
    }
    if (r->action != SKEP_NET__HANDLE) /* OPTIONS */
        return;
    r->pub.route = route;
    r->pub.route_ctx = r->match.ctx;
    if (!admit_protocol(r) || !skep_net__admit_client(r))
        return;
    skep_net__gate_ask(r, SKEP_GATE_HEAD);
    if (r->action == SKEP_NET__HANDLE)
        admit_body(r);
}

void skep_net__req_open(struct skep_net__req *r, const struct skep_net__head *h)
{
    skep_net__count(r->net, requests, 1);
    struct skep_arena *arena = &r->arena;
    r->pub.method = skep_arena_str(arena, h->method);
    r->pub.peer = skep_arena_str(arena, h->peer);
    r->pub.listener = skep_arena_str(arena, h->listener);
    r->pub.client_subject = skep_arena_str(arena, h->client_subject);
    r->pub.tls = h->tls;
    r->from = h->from;
    skep_str target = skep_arena_str(arena, h->target);
    r->pub.target = target;
    r->pub.host = skep_arena_str(arena, h->host);
    r->pub.path = target;
    r->pub.query = SKEP_STR("");
    r->head = skep_str_eq(h->method, SKEP_STR("HEAD"));
    skep_str type = header(r, SKEP_STR("content-type"));
    r->pub.content_type = media_type(r, type);
    r->pub.proto = h->proto;
    if (h->h2 && skep_net__is_grpc(r->pub.content_type))
        r->pub.proto = SKEP_PROTO_GRPC;
    r->limit_bytes = SKEP_NET__DISCARD_BYTES; /* of a body that has no route */
    if (r->action != SKEP_NET__REFUSE) {
        struct skep_net__head own = *h;
        own.target = target;
        admit(r, &own);
    }
    skep_assert(r->action != SKEP_NET__HANDLE || r->match.route);
}

// SPDX-License-Identifier: Apache-2.0
/* CORS: the ingest paths are open to browsers of every origin, and answer their preflights.
 *
 * The origin is echoed (never "*", so that the answer stays right should credentials come in one
 * day), `Vary: Origin` goes along, on error answers too: a page that cannot read a 429 cannot obey
 * it.  Requested headers are echoed if they are tokens: what SDKs send is not ours to list.
 *
 * Threads: whoever answers.  Memory: the request's arena. */
#include "net/net_priv.h"

/* Header values go out on a line: no control byte may. */
static skep_str clean(struct skep_arena *arena, skep_str s)
{
    char *p = skep_arena_alloc(arena, s.n + 1);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        p[i] = (char)((c < 0x20 && c != '\t') || c == 0x7f ? ' ' : c);
    }
    return skep_str_trim((skep_str){p, s.n});
}

void skep_net__answer_add(struct skep_net__req *r, skep_str name, skep_str value)
{
    struct skep_net__answer *a = &r->answer;
    skep_assert(a->n_headers < SKEP_NET__ANSWER_HEADERS_MAX);
    skep_assert(skep_net__is_token(name));
    char *n = skep_arena_alloc(&r->arena, name.n + 1);
    for (size_t i = 0; i < name.n; i++)
        n[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]);
    value = clean(&r->arena, value);
    value = skep_arena_str(&r->arena, value); /* trimmed, with its NUL */
    a->headers[a->n_headers++] = (struct skep_header){{n, name.n}, value};
}

void skep_net__answer_cors(struct skep_net__req *r)
{
    const struct skep_route *route = r->match.route;
    if (!route || !(route->flags & SKEP_ROUTE_CORS))
        return;
    skep_net__answer_add(r, SKEP_STR("vary"), SKEP_STR("Origin"));
    if (r->cors_origin.n)
        skep_net__answer_add(r, SKEP_STR("access-control-allow-origin"), r->cors_origin);
}

/* "content-type, x-honeycomb-team" with everything dropped that is no token. */
static skep_str requested_headers(struct skep_net__req *r)
{
    skep_str asked = skep_request_header(&r->pub, SKEP_STR("access-control-request-headers"));
    char *out = skep_arena_alloc(&r->arena, asked.n * 2 + 1);
    size_t n = 0;
    while (asked.p && asked.n) {
        skep_str name = skep_str_trim(skep_str_cut(&asked, ','));
        if (!skep_net__is_token(name))
            continue;
        if (n) {
            out[n++] = ',';
            out[n++] = ' ';
        }
        memcpy(out + n, name.p, name.n);
        n += name.n;
    }
    return (skep_str){out, n};
}

void skep_net__answer_options(struct skep_net__req *r)
{
    struct skep_response resp = {.status = 204};
    struct skep_header *h = resp.headers;
    if (r->action == SKEP_NET__OPTIONS) {
        h[resp.n_headers++] = (struct skep_header){SKEP_STR("allow"), r->allow};
        skep_respond(&r->pub, &resp);
        return;
    }
    skep_str asked = requested_headers(r);
    skep_str private_network =
        skep_request_header(&r->pub, SKEP_STR("access-control-request-private-network"));
    h[resp.n_headers++] = (struct skep_header){SKEP_STR("access-control-allow-methods"), r->allow};
    if (asked.n)
        h[resp.n_headers++] = (struct skep_header){SKEP_STR("access-control-allow-headers"), asked};
    h[resp.n_headers++] =
        (struct skep_header){SKEP_STR("access-control-max-age"), SKEP_STR("7200")};
    if (skep_str_ieq(private_network, SKEP_STR("true")))
        h[resp.n_headers++] = (struct skep_header){SKEP_STR("access-control-allow-private-network"),
                                                   SKEP_STR("true")};
    skep_respond(&r->pub, &resp);
}

// SPDX-License-Identifier: Apache-2.0
/* Request targets, the route table and query parameters. */
#include <stdint.h>
#include <stdlib.h>

#include "net/net_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void nothing(void *ctx, struct skep_request *req)
{
    (void)ctx;
    (void)req;
}

static struct skep_net__routes *table(void)
{
    static const struct skep_route routes[] = {
        {.method = "GET", .path = "/", .handle = nothing},
        {.method = "GET", .path = "/a/b", .handle = nothing},
        {.method = "GET", .path = "/a/:x", .handle = nothing},
        {.method = "GET", .path = "/a/:x/:y/c", .handle = nothing},
        {.method = "GET", .path = "/ui/*", .handle = nothing},
        {.method = "POST", .path = "/:x/*", .handle = nothing},
    };
    struct skep_net__routes *t = skep_net__routes_new();
    for (size_t i = 0; i < SKEP_ARRAY_LEN(routes); i++)
        skep_assert(skep_net__routes_add(t, &routes[i], NULL, NULL) == SKEP_OK);
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct skep_net__routes *t;
    static const char *const methods[] = {"GET", "POST", "HEAD", "PUT"};
    struct skep_arena arena;
    struct skep_net__uri uri;
    struct skep_net__match m;
    skep_err err = {0};
    if (!t)
        t = table();
    skep_arena_init(&arena, "fuzz", NULL);
    skep_str target = {(const char *)data, size};
    if (skep_net__uri_parse(&arena, target, &uri, &err) == SKEP_OK) {
        const char *end = uri.path.p + uri.path.n;
        skep_assert(uri.n_segs >= 1 && uri.n_segs <= SKEP_NET__SEGMENTS_MAX);
        skep_assert(memchr(uri.path.p, 0, uri.path.n) == NULL);
        for (unsigned i = 0; i < uri.n_segs; i++)
            skep_assert(uri.segs[i].p >= uri.path.p && uri.segs[i].p + uri.segs[i].n <= end);
        for (size_t i = 0; i < SKEP_ARRAY_LEN(methods); i++) {
            if (!skep_net__routes_find(t, skep_str_c(methods[i]), &uri, NULL, &m))
                continue;
            for (unsigned k = 0; k < m.n_captures; k++)
                skep_assert(m.captures[k].p + m.captures[k].n <= end);
        }
        (void)skep_net__routes_allow(t, &arena, &uri);
        skep_str v;
        if (skep_net__query_param(&arena, uri.query, SKEP_STR("q"), 0, &v))
            skep_assert(v.n <= uri.query.n);
    } else {
        skep_assert(err.text[0] != '\0');
    }
    skep_arena_done(&arena);
    return 0;
}

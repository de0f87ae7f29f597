// SPDX-License-Identifier: Apache-2.0
/* Import through a running server: rows to /skep/v1/import, OTLP to its own paths.
 * Threads: main. */
#include <stdio.h>

#include "base/mem.h"
#include "server/cli_import.h"

struct server {
    struct skep_cli_http http;
};

static bool put_rows(struct skep_import_sink *s, const struct skep_import_chunk *c)
{
    struct server *x = s->impl;
    char header[64] = "X-Skep-Chunk: ";
    size_t n = skep_str_c(header).n;
    skep_hex_encode((skep_bytes){c->identity, sizeof c->identity}, header + n);
    header[n + 32] = '\0';
    const struct skep_cli_call call = {.method = "POST",
                                       .path = SKEP_STR("/skep/v1/import"),
                                       .body = skep_str_bytes(c->rows),
                                       .content_type = "application/x-ndjson",
                                       .header = header};
    if (!skep_cli_persist(&x->http, &call, "skep import"))
        return false;
    yyjson_doc *doc = yyjson_read((const char *)x->http.body.p, x->http.body.n, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    uint64_t rows = yyjson_get_uint(yyjson_obj_get(root, "rows"));
    if (yyjson_get_bool(yyjson_obj_get(root, "duplicate")))
        s->duplicates += rows;
    else
        s->rows += rows;
    yyjson_doc_free(doc);
    skep_arena_reset(&x->http.arena);
    return true;
}

static bool put_otlp(struct skep_import_sink *s, enum skep_otlp_signal signal, bool json,
                     skep_bytes body)
{
    struct server *x = s->impl;
    const char *type = json ? "application/json" : "application/x-protobuf";
    const struct skep_cli_call call = {.method = "POST",
                                       .path = signal == SKEP_OTLP_LOGS ? SKEP_STR("/v1/logs")
                                                                        : SKEP_STR("/v1/traces"),
                                       .body = body,
                                       .content_type = type,
                                       .accept = type};
    if (!skep_cli_persist(&x->http, &call, "skep import"))
        return false;
    s->requests++;
    s->rejected += skep_cli_rejected(&x->http.body);
    skep_arena_reset(&x->http.arena);
    return true;
}

static bool close_server(struct skep_import_sink *s)
{
    struct server *x = s->impl;
    skep_cli_http_done(&x->http);
    skep_free(x);
    return true;
}

bool skep_import_to_server(struct skep_import_sink *s, const struct skep_cli_args *args)
{
    struct server *x = skep_alloc(struct server);
    skep_cli_http_init(&x->http, args);
    /* The server's name is kept in the flags or the environment, not in the arena. */
    *s = (struct skep_import_sink){
        .impl = x, .put_rows = put_rows, .put_otlp = put_otlp, .close = close_server};
    return true;
}

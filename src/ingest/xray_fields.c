// SPDX-License-Identifier: Apache-2.0
/* What a segment or subsegment says -> fields of its row (docs/api/xray.md has the table).
 *
 *   annotations                each under its own key; their names in aws.xray.annotations
 *   http, sql, user ...        the names of OpenTelemetry, by the tables below
 *   aws of a subsegment        aws.<member>
 *   metadata                   aws.xray.metadata.<namespace> = JSON text
 *
 * I1  annotations come first: a field of the structure has the last word under its name, so that an
 *     annotation named http.request.method does not make a request of another method.
 * Threads, memory: as the decoder. */
#include "base/assert.h"
#include "ingest/xray_priv.h"
#include "wire/json_out.h"

#define A SKEP_SCOPE_ATTRIBUTE
#define R(path, name)                                                                              \
    {                                                                                              \
        path, SKEP_STR_INIT(name)                                                                  \
    }

/* Members whose value is put as it is. */
static const struct skep_xray__rename request[] = {
    R("url", "url.full"),
    R("user_agent", "user_agent.original"),
    R("client_ip", "client.address"),
    R("x_forwarded_for", "aws.xray.x_forwarded_for"),
    R("traced", "aws.xray.traced"),
};
static const struct skep_xray__rename of_node[] = {
    R("user", "enduser.id"),
    R("namespace", "aws.xray.namespace"),
    R("origin", "aws.xray.origin"),
    R("resource_arn", "aws.xray.resource_arn"),
    R("precursor_ids", "aws.xray.precursor_ids"),
    R("inferred", "aws.xray.inferred"),
    R("traced", "aws.xray.traced"),
};
static const struct skep_xray__rename flags[] = {
    R("fault", "xray.fault"),
    R("error", "xray.error"),
    R("throttle", "xray.throttle"),
};
static const struct skep_xray__rename sql[] = {
    R("user", "db.user"),
    R("sanitized_query", "db.statement"),
    R("connection_string", "db.connection_string"),
    R("url", "aws.xray.sql.url"),
    R("database_version", "aws.xray.sql.database_version"),
    R("driver_version", "aws.xray.sql.driver_version"),
    R("preparation", "aws.xray.sql.preparation"),
};

static void put_renamed(struct skep_xray__dec *d, yyjson_val *obj,
                        const struct skep_xray__rename *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        yyjson_val *v = yyjson_obj_get(obj, table[i].path);
        if (v)
            skep_xray__put(d, table[i].name, v);
    }
}

static void put_annotations(struct skep_xray__dec *d, yyjson_val *node)
{
    yyjson_val *all = yyjson_obj_get(node, "annotations"), *key, *val;
    struct skep_json j;
    size_t i, n;
    if (yyjson_obj_size(all) == 0)
        return;
    skep_xray__put_members(d, "", all);
    skep_buf_reset(&d->text);
    skep_json_init(&j, &d->text);
    skep_json_array(&j);
    yyjson_obj_foreach(all, i, n, key, val)
    {
        skep_json_str(&j, (skep_str){yyjson_get_str(key), yyjson_get_len(key)});
    }
    skep_json_end(&j);
    if (!d->text.bad)
        skep_batch_put(d->b, A, SKEP_STR("aws.xray.annotations"),
                       (skep_value){.type = SKEP_TYPE_ARRAY, .s = skep_buf_text(&d->text)});
}

static void put_metadata(struct skep_xray__dec *d, yyjson_val *node)
{
    static const skep_str prefix = SKEP_STR_INIT("aws.xray.metadata.");
    char name[SKEP_LIMIT_NAME_BYTES];
    yyjson_val *all = yyjson_obj_get(node, "metadata"), *key, *val;
    size_t i, n;
    memcpy(name, prefix.p, prefix.n);
    yyjson_obj_foreach(all, i, n, key, val)
    {
        size_t room = sizeof name - prefix.n, len = SKEP_MIN(yyjson_get_len(key), room);
        memcpy(name + prefix.n, yyjson_get_str(key), len);
        skep_str full = {name, prefix.n + len};
        while (len == room && full.n && !skep_utf8_valid(full)) // cut at a character
            full.n--;
        skep_str text = skep_xray__json(d, val);
        if (text.n)
            skep_batch_put(d->b, A, full, (skep_value){.type = SKEP_TYPE_STRING, .s = text});
        else
            skep_xray__put_int(d, SKEP_SCOPE_INTRINSIC, SKEP_STR("meta.dropped_attributes"), 1);
    }
}

/* Methods are upper case on every other wire; the SDK for Python hands on what was called. */
static void put_method(struct skep_xray__dec *d, yyjson_val *req)
{
    char upper[32];
    skep_str method = skep_xray__str(req, "method");
    if (method.n == 0)
        return;
    for (size_t i = 0; i < method.n && method.n <= sizeof upper; i++)
        upper[i] = (char)(method.p[i] - (method.p[i] >= 'a' && method.p[i] <= 'z' ? 0x20 : 0));
    if (method.n <= sizeof upper)
        method.p = upper;
    skep_xray__put_text(d, A, SKEP_STR("http.request.method"), method);
}

/* Numbers, also as text; negative ones mean "unknown". */
static void put_count(struct skep_xray__dec *d, skep_str name, yyjson_val *v)
{
    double x;
    if (v && skep_xray__number(v, &x) && x >= 0 && x < 0x1p63)
        skep_xray__put_int(d, A, name, (int64_t)x);
}

static void put_http(struct skep_xray__dec *d, yyjson_val *node)
{
    yyjson_val *http = yyjson_obj_get(node, "http"), *req = yyjson_obj_get(http, "request");
    yyjson_val *resp = yyjson_obj_get(http, "response");
    put_method(d, req);
    put_renamed(d, req, request, SKEP_ARRAY_LEN(request));
    put_count(d, SKEP_STR("http.response.status_code"), yyjson_obj_get(resp, "status"));
    put_count(d, SKEP_STR("http.response.body.size"), yyjson_obj_get(resp, "content_length"));
}

/* [jdbc:]scheme://[user[:password]@]host[:port][/database][?...] */
static void put_sql_url(struct skep_xray__dec *d, skep_str url)
{
    uint64_t port;
    size_t at = skep_str_find(url, SKEP_STR("://"));
    if (at == SIZE_MAX)
        return;
    skep_str path = skep_str_skip(url, at + 3);
    skep_str host = skep_str_cut(&path, '/');
    for (size_t i = skep_str_chr(host, '@'); i != SIZE_MAX; i = skep_str_chr(host, '@'))
        host = skep_str_skip(host, i + 1);
    size_t close = host.n && *host.p == '[' ? skep_str_chr(host, ']') : 0; // an IPv6 address
    size_t colon = close == SIZE_MAX ? SIZE_MAX : skep_str_chr(skep_str_skip(host, close), ':');
    if (colon != SIZE_MAX) {
        if (skep_str_u64(skep_str_skip(host, close + colon + 1), &port) && port <= 65535)
            skep_xray__put_int(d, A, SKEP_STR("server.port"), (int64_t)port);
        host.n = close + colon;
    }
    skep_str name = skep_str_cut(&path, '?');
    if (host.n)
        skep_xray__put_text(d, A, SKEP_STR("server.address"), host);
    if (name.n)
        skep_xray__put_text(d, A, SKEP_STR("db.name"), name);
}

static void put_sql(struct skep_xray__dec *d, yyjson_val *node)
{
    yyjson_val *obj = yyjson_obj_get(node, "sql");
    char lower[64];
    skep_str type = skep_xray__str(obj, "database_type");
    if (!yyjson_is_obj(obj))
        return;
    put_sql_url(d, skep_xray__str(obj, "url"));
    put_renamed(d, obj, sql, SKEP_ARRAY_LEN(sql));
    for (size_t i = 0; i < type.n && type.n <= sizeof lower; i++)
        lower[i] = (char)(type.p[i] | (type.p[i] >= 'A' && type.p[i] <= 'Z' ? 0x20 : 0));
    if (type.n && type.n <= sizeof lower)
        type.p = lower;
    if (type.n)
        skep_xray__put_text(d, A, SKEP_STR("db.system"), type);
}

/* Of a segment the rest of `aws` is its resource (xray_segment.c). */
static void put_rule(struct skep_xray__dec *d, yyjson_val *aws)
{
    yyjson_val *xray = yyjson_obj_get(aws, "xray");
    skep_str rule = skep_xray__str(xray, "sampling_rule_name");
    if (rule.n == 0)
        rule = skep_xray__str(xray, "rule_name");
    if (rule.n)
        skep_xray__put_text(d, A, SKEP_STR("aws.xray.sampling_rule"), rule);
}

void skep_xray__put_fields(struct skep_xray__dec *d, yyjson_val *node, bool segment)
{
    yyjson_val *aws = yyjson_obj_get(node, "aws"), *cause = yyjson_obj_get(node, "cause");
    put_annotations(d, node); // I1
    put_metadata(d, node);
    put_renamed(d, node, of_node, SKEP_ARRAY_LEN(of_node));
    put_http(d, node);
    put_sql(d, node);
    if (segment)
        put_rule(d, aws);
    else if (yyjson_is_obj(aws))
        skep_xray__put_members(d, "aws.", aws);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(flags); i++)
        if (skep_xray__bool(node, flags[i].path))
            skep_xray__put_true(d, A, flags[i].name);
    skep_str id =
        yyjson_is_str(cause) ? skep_xray__str(node, "cause") : skep_xray__str(cause, "id");
    if (id.n)
        skep_xray__put_text(d, A, SKEP_STR("aws.xray.cause"), id);
}

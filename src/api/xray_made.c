// SPDX-License-Identifier: Apache-2.0
/* Segment documents made from rows: what X-Ray's exporter of the OpenTelemetry collector makes of
 * spans, and what is known of an X-Ray segment whose own document is not there.
 *
 *   row                                   document
 *   http.*, url.*, client.*, server.*     http.request, http.response
 *   aws.*, cloud.*, messaging.url         aws
 *   db.*                                  sql
 *   exception events, the status          cause
 *   enduser.id, service.version, links    user, service.version
 *   other attributes                      annotations; lists and texts of JSON: metadata.default
 *   resource fields (of segments)         metadata.default["otel.resource.<name>"]
 *
 * Threads: the request's worker.  Memory: the document's allocator, the trace's arena. */
#include "api/xray_docs.h"

#include <math.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/hash.h"

enum { NONE = -1 };

struct make {
    yyjson_mut_doc *doc;
    struct skep_arena *arena;
    const struct skep_xray_trace *t;
    const struct skep_xray_seg *s;
};

static void put_str(struct make *m, yyjson_mut_val *obj, const char *key, skep_str v)
{
    if (v.n)
        (void)yyjson_mut_obj_add_strn(m->doc, obj, key, v.p, v.n);
}

static void put_field(struct make *m, yyjson_mut_val *obj, const char *key, skep_str name)
{
    put_str(m, obj, key, skep_xray_text(m->arena, m->s->row, name));
}

/* Into obj under key, if there is something in it. */
static void put_obj(struct make *m, yyjson_mut_val *obj, const char *key, yyjson_mut_val *v)
{
    if (yyjson_mut_obj_size(v))
        (void)yyjson_mut_obj_add_val(m->doc, obj, key, v);
}

static void put_seconds(struct make *m, yyjson_mut_val *obj, const char *key, skep_ts_ns ns)
{
    int64_t whole = ns / 1000000000, part = ns % 1000000000;
    if (part < 0) {
        part += 1000000000;
        whole--;
    }
    skep_str text = skep_arena_printf(m->arena, "%lld.%09lld", (long long)whole, (long long)part);
    while (text.n > 2 && text.p[text.n - 1] == '0' && text.p[text.n - 2] != '.')
        text.n--;
    (void)yyjson_mut_obj_add_val(m->doc, obj, key, yyjson_mut_rawn(m->doc, text.p, text.n));
}

static yyjson_mut_val *value(struct make *m, const skep_value *v)
{
    switch (v->type) {
    case SKEP_TYPE_STRING: return yyjson_mut_strn(m->doc, v->s.p ? v->s.p : "", v->s.n);
    case SKEP_TYPE_INT: return yyjson_mut_sint(m->doc, v->i);
    case SKEP_TYPE_DOUBLE:
        return isfinite(v->f) ? yyjson_mut_real(m->doc, v->f) : yyjson_mut_null(m->doc);
    case SKEP_TYPE_BOOL: return yyjson_mut_bool(m->doc, v->b);
    case SKEP_TYPE_ARRAY: return yyjson_mut_rawn(m->doc, v->s.p, v->s.n);
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_EMPTY:
    case SKEP_TYPE_COUNT: break;
    }
    return yyjson_mut_null(m->doc);
}

static void put_value(struct make *m, yyjson_mut_val *obj, skep_str key, const skep_value *v)
{
    (void)yyjson_mut_obj_add(obj, yyjson_mut_strn(m->doc, key.p, key.n), value(m, v));
}

// --- blocks ------------------------------------------------------------------------------------

static void put_http(struct make *m, yyjson_mut_val *out)
{
    struct skep_xray_http h;
    yyjson_mut_val *http = yyjson_mut_obj(m->doc), *request = yyjson_mut_obj(m->doc),
                   *response = yyjson_mut_obj(m->doc);
    if (!skep_xray_http(m->arena, m->s->row, &h))
        return;
    put_str(m, request, "method", h.method);
    put_str(m, request, "url", h.url);
    put_str(m, request, "user_agent", h.user_agent);
    put_str(m, request, "client_ip", h.client_ip);
    if (h.status >= 0)
        (void)yyjson_mut_obj_add_sint(m->doc, response, "status", h.status);
    if (h.content_length >= 0)
        (void)yyjson_mut_obj_add_sint(m->doc, response, "content_length", h.content_length);
    put_obj(m, http, "request", request);
    put_obj(m, http, "response", response);
    put_obj(m, out, "http", http);
}

static void put_aws(struct make *m, yyjson_mut_val *out)
{
    static const struct {
        const char *key;
        skep_str names[3];
    } members[] = {
        {"account_id", {SKEP_STR_INIT("aws.account_id"), SKEP_STR_INIT("cloud.account.id")}},
        {"operation", {SKEP_STR_INIT("aws.operation"), SKEP_STR_INIT("rpc.method")}},
        {"region", {SKEP_STR_INIT("aws.region"), SKEP_STR_INIT("cloud.region")}},
        {"request_id", {SKEP_STR_INIT("aws.request_id"), SKEP_STR_INIT("aws.requestId")}},
        {"queue_url",
         {SKEP_STR_INIT("aws.queue_url"), SKEP_STR_INIT("messaging.url"),
          SKEP_STR_INIT("aws.queue.url")}},
        {"table_name", {SKEP_STR_INIT("aws.table_name"), SKEP_STR_INIT("aws.table.name")}},
        {"bucket_name", {SKEP_STR_INIT("aws.bucket_name"), SKEP_STR_INIT("aws.s3.bucket")}},
        {"function_name", {SKEP_STR_INIT("aws.function_name")}},
    };
    yyjson_mut_val *aws = yyjson_mut_obj(m->doc), *sdk = yyjson_mut_obj(m->doc);
    bool call = m->s->part != SKEP_XRAY_SEGMENT;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(members); i++) {
        skep_str v = SKEP_STR_NULL;
        if (i > 0 && (!call || !m->s->aws))
            continue;
        for (unsigned k = 0; k < 3 && !v.n && members[i].names[k].n; k++)
            v = skep_xray_text(m->arena, m->s->row, members[i].names[k]);
        put_str(m, aws, members[i].key, v);
    }
    if (m->s->part == SKEP_XRAY_SEGMENT) {
        put_field(m, sdk, "sdk", SKEP_STR("telemetry.sdk.name"));
        put_field(m, sdk, "sdk_version", SKEP_STR("telemetry.sdk.version"));
        put_field(m, sdk, "sampling_rule_name", SKEP_STR("aws.xray.sampling_rule"));
        put_obj(m, aws, "xray", sdk);
    }
    put_obj(m, out, "aws", aws);
}

static void put_sql(struct make *m, yyjson_mut_val *out)
{
    yyjson_mut_val *sql = yyjson_mut_obj(m->doc);
    skep_str system = skep_xray_text(m->arena, m->s->row, SKEP_STR("db.system"));
    if (system.n == 0)
        system = skep_xray_text(m->arena, m->s->row, SKEP_STR("db.system.name"));
    if (system.n == 0)
        return;
    put_str(m, sql, "database_type", system);
    put_field(m, sql, "url", SKEP_STR("db.connection_string"));
    put_field(m, sql, "user", SKEP_STR("db.user"));
    put_field(m, sql, "sanitized_query", SKEP_STR("db.statement"));
    if (!yyjson_mut_obj_get(sql, "sanitized_query"))
        put_field(m, sql, "sanitized_query", SKEP_STR("db.query.text"));
    put_obj(m, out, "sql", sql);
}

static void put_exception(struct make *m, yyjson_mut_val *list, const struct skep_row *row)
{
    char id[16];
    yyjson_mut_val *x = yyjson_mut_obj(m->doc);
    skep_str own = skep_xray_text(m->arena, row, SKEP_STR("aws.xray.exception.id"));
    if (own.n == 0) { /* the same each time */
        uint64_t h = skep_hash_u64(m->s->id ^ (uint64_t)row->time_ns ^ row->id.ordinal);
        own = skep_arena_str(m->arena, skep_api__span_id(id, h ? h : 1));
    }
    put_str(m, x, "id", own);
    put_str(m, x, "type", skep_xray_text(m->arena, row, SKEP_STR("exception.type")));
    put_str(m, x, "message", skep_xray_text(m->arena, row, SKEP_STR("exception.message")));
    if (m->s->remote)
        (void)yyjson_mut_obj_add_bool(m->doc, x, "remote", true);
    (void)yyjson_mut_arr_append(list, x);
}

static void put_cause(struct make *m, yyjson_mut_val *out)
{
    yyjson_mut_val *cause = yyjson_mut_obj(m->doc), *list = yyjson_mut_arr(m->doc);
    for (int32_t i = m->s->first_event; i != NONE; i = m->t->events[i].next)
        put_exception(m, list, m->t->events[i].row);
    skep_str message = skep_xray_text(m->arena, m->s->row, SKEP_STR("status_message"));
    if (yyjson_mut_arr_size(list) == 0 && message.n && (m->s->fault || m->s->error)) {
        yyjson_mut_val *x = yyjson_mut_obj(m->doc);
        char id[16];
        uint64_t h = skep_hash_u64(m->s->id);
        put_str(m, x, "id", skep_arena_str(m->arena, skep_api__span_id(id, h ? h : 1)));
        put_str(m, x, "message", message);
        (void)yyjson_mut_arr_append(list, x);
    }
    if (yyjson_mut_arr_size(list) == 0)
        return;
    (void)yyjson_mut_obj_add_val(m->doc, cause, "exceptions", list);
    (void)yyjson_mut_obj_add_val(m->doc, out, "cause", cause);
}

// --- annotations and metadata ------------------------------------------------------------------

bool skep_api__xray_consumed(skep_str name)
{
    static const skep_str prefixes[] = {
        SKEP_STR_INIT("http."),    SKEP_STR_INIT("url."),         SKEP_STR_INIT("db."),
        SKEP_STR_INIT("aws.xray"), SKEP_STR_INIT("server."),      SKEP_STR_INIT("client."),
        SKEP_STR_INIT("xray."),    SKEP_STR_INIT("user_agent."),  SKEP_STR_INIT("net."),
        SKEP_STR_INIT("meta."),    SKEP_STR_INIT("network."),     SKEP_STR_INIT("enduser."),
        SKEP_STR_INIT("rpc."),     SKEP_STR_INIT("peer.service"), SKEP_STR_INIT("aws.")};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(prefixes); i++)
        if (skep_str_starts(name, prefixes[i]))
            return true;
    return false;
}

static bool is_scalar(const skep_value *v)
{
    return v->type == SKEP_TYPE_STRING || v->type == SKEP_TYPE_INT || v->type == SKEP_TYPE_DOUBLE ||
           v->type == SKEP_TYPE_BOOL;
}

void skep_api__xray_each_annotation(struct skep_arena *arena, const struct skep_row *row,
                                    skep_api__xray_annotation_fn *fn, void *ctx)
{
    size_t i, max;
    yyjson_val *item;
    skep_value list = skep_api__field(arena, row, SKEP_STR("aws.xray.annotations"));
    if (list.type == SKEP_TYPE_ARRAY || list.type == SKEP_TYPE_STRING) {
        yyjson_doc *doc = list.type == SKEP_TYPE_ARRAY ? yyjson_read(list.s.p, list.s.n, 0) : NULL;
        yyjson_val *names = yyjson_doc_get_root(doc);
        yyjson_arr_foreach(names, i, max, item)
        {
            if (!yyjson_is_str(item))
                continue;
            skep_str key =
                skep_arena_str(arena, (skep_str){yyjson_get_str(item), yyjson_get_len(item)});
            skep_value v = skep_api__field(arena, row, key);
            if (is_scalar(&v))
                fn(ctx, key, &v);
        }
        yyjson_doc_free(doc);
        if (list.type == SKEP_TYPE_STRING) {
            skep_value v = skep_api__field(arena, row, list.s);
            if (is_scalar(&v))
                fn(ctx, list.s, &v);
        }
        return;
    }
    for (unsigned k = 0; k < row->n_fields && row->source != SKEP_SOURCE_XRAY; k++) {
        const struct skep_row_field *f = &row->fields[k];
        if (f->scope == SKEP_SCOPE_ATTRIBUTE && is_scalar(&f->value) &&
            !skep_api__xray_consumed(f->name))
            fn(ctx, f->name, &f->value);
    }
}

struct annotations {
    struct make *m;
    yyjson_mut_val *out;
};

static void add_annotation(void *ctx, skep_str key, const skep_value *v)
{
    struct annotations *a = ctx;
    if (!yyjson_mut_obj_getn(a->out, key.p, key.n))
        put_value(a->m, a->out, key, v);
}

static void put_metadata(struct make *m, yyjson_mut_val *out, yyjson_mut_val *annotations)
{
    static const skep_str own = SKEP_STR_INIT("aws.xray.metadata.");
    yyjson_mut_val *metadata = yyjson_mut_obj(m->doc), *rest = yyjson_mut_obj(m->doc);
    for (unsigned i = 0; i < m->s->row->n_fields; i++) {
        const struct skep_row_field *f = &m->s->row->fields[i];
        if (f->value.type == SKEP_TYPE_NULL)
            continue;
        if (skep_str_starts(f->name, own) && f->value.type == SKEP_TYPE_STRING) {
            skep_str name = skep_str_skip(f->name, own.n);
            (void)yyjson_mut_obj_add(metadata, yyjson_mut_strn(m->doc, name.p, name.n),
                                     yyjson_mut_rawn(m->doc, f->value.s.p, f->value.s.n));
        } else if (f->scope == SKEP_SCOPE_RESOURCE && m->s->part == SKEP_XRAY_SEGMENT &&
                   m->s->row->source != SKEP_SOURCE_XRAY) {
            skep_str key =
                skep_arena_printf(m->arena, "otel.resource." SKEP_STRFMT, SKEP_STRARG(f->name));
            put_value(m, rest, key, &f->value);
        } else if (f->scope == SKEP_SCOPE_ATTRIBUTE && !skep_api__xray_consumed(f->name) &&
                   !yyjson_mut_obj_getn(annotations, f->name.p, f->name.n)) {
            put_value(m, rest, f->name, &f->value);
        }
    }
    put_obj(m, metadata, "default", rest);
    put_obj(m, out, "metadata", metadata);
}

// --- the whole ---------------------------------------------------------------------------------

static void put_head(struct make *m, yyjson_mut_val *out)
{
    char id[16], trace[32];
    const struct skep_xray_seg *s = m->s;
    put_str(m, out, "id", skep_arena_str(m->arena, skep_api__span_id(id, s->id)));
    put_str(m, out, "name", s->name);
    put_seconds(m, out, "start_time", s->start_ns);
    if (s->in_progress)
        (void)yyjson_mut_obj_add_bool(m->doc, out, "in_progress", true);
    else
        put_seconds(m, out, "end_time", s->end_ns);
    if (s->part != SKEP_XRAY_SUBSEGMENT || s->owner == NONE) {
        skep_hex_encode((skep_bytes){m->t->id.b, 16}, trace);
        put_str(m, out, "trace_id", skep_arena_printf(m->arena, "1-%.8s-%.24s", trace, trace + 8));
        put_str(m, out, "parent_id", skep_arena_str(m->arena, skep_api__span_id(id, s->parent_id)));
    }
    if (s->part == SKEP_XRAY_SUBSEGMENT && s->owner == NONE)
        put_str(m, out, "type", SKEP_STR("subsegment"));
    if (s->part == SKEP_XRAY_SUBSEGMENT && s->remote)
        put_str(m, out, "namespace", s->aws ? SKEP_STR("aws") : SKEP_STR("remote"));
    if (s->part == SKEP_XRAY_INFERRED)
        (void)yyjson_mut_obj_add_bool(m->doc, out, "inferred", true);
    if (s->fault)
        (void)yyjson_mut_obj_add_bool(m->doc, out, "fault", true);
    if (s->error)
        (void)yyjson_mut_obj_add_bool(m->doc, out, "error", true);
    if (s->throttle)
        (void)yyjson_mut_obj_add_bool(m->doc, out, "throttle", true);
}

yyjson_mut_val *skep_api__xray_made(yyjson_mut_doc *doc, const struct skep_xray_trace *t,
                                    int32_t seg)
{
    struct make m = {.doc = doc, .arena = t->arena, .t = t, .s = &t->segs[seg]};
    yyjson_mut_val *out = yyjson_mut_obj(doc), *service = yyjson_mut_obj(doc),
                   *annotations = yyjson_mut_obj(doc);
    struct annotations a = {&m, annotations};
    put_head(&m, out);
    bool segment = m.s->part == SKEP_XRAY_SEGMENT, inferred = m.s->part == SKEP_XRAY_INFERRED;
    if (!segment || !m.s->made) {
        put_http(&m, out);
        put_sql(&m, out);
        put_cause(&m, out);
    }
    put_aws(&m, out);
    if (inferred) {
        put_str(&m, out, "origin", t->nodes[m.s->node].type);
        return out;
    }
    if (segment) {
        put_field(&m, out, "user", SKEP_STR("enduser.id"));
        put_str(&m, out, "origin", skep_xray_origin(m.arena, m.s->row));
        put_field(&m, out, "resource_arn", SKEP_STR("aws.xray.resource_arn"));
        put_field(&m, service, "version", SKEP_STR("service.version"));
        put_obj(&m, out, "service", service);
    }
    if (!m.s->made)
        skep_api__xray_each_annotation(m.arena, m.s->row, add_annotation, &a);
    put_obj(&m, out, "annotations", annotations);
    if (!m.s->made)
        put_metadata(&m, out, annotations);
    return out;
}

// SPDX-License-Identifier: Apache-2.0
/* One item -> one row.
 *
 *   {"access_token":..., "data":{"environment","body"*,"level","timestamp","uuid","server",...}}
 *        |  yyjson; only `data` goes on
 *        v
 *   rollbar_scrub.c: what is kept of it (no secrets), read again: nothing else is looked at
 *        |
 *        v
 *   resource   server.*, notifier.*, language, code_version
 *   row        time, severity, title (name), body; tables below; request, person, custom
 *   rollbar_stack.c: exception, place, fingerprint
 *
 * I1  an item is one row or none; what refuses it is said in ret->error.
 * I2  the row is made of the item's bytes and the sender's address alone: a retry gives the same.
 * Threads: the caller's.  Memory: three times the item, from the batch's budget. */
#include "ingest/rollbar_priv.h"

#include <math.h>
#include <xxhash.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "ingest/user_agent.h"
#include "wire/json_in.h"

enum { FIELDS_MAX = 1000 };

skep_str skep_rollbar__text(yyjson_val *v)
{
    return yyjson_is_str(v) ? (skep_str){unsafe_yyjson_get_str(v), unsafe_yyjson_get_len(v)}
                            : SKEP_STR_NULL;
}

skep_str skep_rollbar__str(yyjson_val *obj, const char *key)
{
    return skep_rollbar__text(yyjson_obj_get(obj, key));
}

static void put_field(void *ctx, skep_str name, skep_value v)
{
    struct skep_rollbar__dec *d = ctx;
    skep_batch_put(d->b, SKEP_SCOPE_ATTRIBUTE, name, v);
}

void skep_rollbar__put(struct skep_rollbar__dec *d, const char *name, skep_str text)
{
    if (text.n > 0)
        put_field(d, skep_str_c(name), (skep_value){.type = SKEP_TYPE_STRING, .s = text});
}

void skep_rollbar__put_own(struct skep_rollbar__dec *d, const char *name, skep_str text)
{
    if (text.n > 0)
        skep_batch_put(d->b, SKEP_SCOPE_INTRINSIC, skep_str_c(name),
                       (skep_value){.type = SKEP_TYPE_STRING, .s = text});
}

void skep_rollbar__put_int(struct skep_rollbar__dec *d, const char *name, int64_t v)
{
    put_field(d, skep_str_c(name), (skep_value){.type = SKEP_TYPE_INT, .i = v});
}

// --- tables: where a member goes ---------------------------------------------------------------

struct rename {
    const char *object; /* "" = data itself */
    const char *member;
    const char *name;
};

static const struct rename resource_fields[] = {
    {"server", "host", "host.name"},
    {"server", "pid", "process.pid"},
    {"server", "argv", "process.command_args"},
    {"server", "root", "process.working_directory"},
    {"server", "branch", "vcs.ref.head.name"},
    {"server", "sha", "vcs.ref.head.revision"},
    {"notifier", "name", "telemetry.sdk.name"},
    {"notifier", "version", "telemetry.sdk.version"},
    {"", "language", "telemetry.sdk.language"},
    {"", "platform", "os.name"},
};

static const struct rename row_fields[] = {
    {"", "environment", "deployment.environment.name"},
    {"", "level", "error.level"},
    {"", "uuid", "error.uuid"},
    {"", "context", "error.context"},
    {"", "framework", "error.framework"},
    {"request", "url", "url.full"},
    {"request", "method", "http.request.method"},
    {"request", "query_string", "url.query"},
    {"request", "user_ip", "client.address"},
    {"person", "id", "user.id"},
    {"person", "username", "user.name"},
    {"person", "email", "user.email"},
};

static yyjson_val *member(yyjson_val *data, const struct rename *r)
{
    yyjson_val *obj = r->object[0] ? yyjson_obj_get(data, r->object) : data;
    return yyjson_obj_get(obj, r->member);
}

/* --- the resource --- */

struct list_sink {
    struct skep_batch_list *list;
};

static void put_in_list(void *ctx, skep_str name, skep_value v)
{
    struct list_sink *s = ctx;
    skep_batch_list_put(s->list, name, v);
}

skep_str skep_rollbar__version(yyjson_val *data)
{
    yyjson_val *browser = yyjson_obj_get(yyjson_obj_get(data, "client"), "javascript");
    skep_str v = skep_rollbar__str(data, "code_version");
    v = v.n ? v : skep_rollbar__str(browser, "code_version");
    return v.n ? v : skep_rollbar__str(yyjson_obj_get(data, "server"), "code_version");
}

/* A version that is a number counts, too. */
static void put_version(yyjson_val *data, struct skep_json_fields *f, struct skep_batch_list *list)
{
    skep_str version = skep_rollbar__version(data);
    if (version.n)
        skep_batch_list_put(list, SKEP_STR("service.version"),
                            (skep_value){.type = SKEP_TYPE_STRING, .s = version});
    else
        skep_json_fields_value(f, SKEP_STR("service.version"),
                               yyjson_obj_get(data, "code_version"));
}

/* What the program calls itself, if it says so anywhere. */
static skep_str service_of(yyjson_val *data)
{
    yyjson_val *custom = yyjson_obj_get(data, "custom");
    skep_str s = skep_rollbar__str(custom, "service.name");
    s = s.n ? s : skep_rollbar__str(custom, "service");
    return s.n ? s : skep_rollbar__str(yyjson_obj_get(data, "server"), "service");
}

static void put_resource(struct skep_rollbar__dec *d, yyjson_val *data, uint32_t row,
                         struct skep_buf *name)
{
    struct list_sink sink = {skep_batch_list_begin(d->b)};
    struct skep_json_fields f = {.put = put_in_list,
                                 .ctx = &sink,
                                 .alc = &d->alc,
                                 .depth = 1,
                                 .left = FIELDS_MAX,
                                 .name = name};
    skep_str service = service_of(data);
    if (service.n)
        skep_batch_list_put(sink.list, SKEP_STR("service.name"),
                            (skep_value){.type = SKEP_TYPE_STRING, .s = service});
    for (size_t i = 0; i < SKEP_ARRAY_LEN(resource_fields); i++)
        skep_json_fields_value(&f, skep_str_c(resource_fields[i].name),
                               member(data, &resource_fields[i]));
    put_version(data, &f, sink.list);
    d->b->resource[row] = skep_batch_list_end(sink.list, &d->b->resources);
    d->b->dataset[row] = skep_batch_intern(d->b, service.n ? service : SKEP_STR("rollbar"));
    d->no_memory |= f.no_memory;
}

/* --- the row --- */

static const struct {
    skep_str name;
    uint8_t severity;
} levels[] = {
    {SKEP_STR_INIT("critical"), 21}, {SKEP_STR_INIT("error"), 17}, {SKEP_STR_INIT("warning"), 13},
    {SKEP_STR_INIT("info"), 9},      {SKEP_STR_INIT("debug"), 5},
};

/* Exceptions are errors and messages information unless they say otherwise. */
static uint8_t severity_of(yyjson_val *data)
{
    skep_str level = skep_rollbar__str(data, "level");
    for (size_t i = 0; i < SKEP_ARRAY_LEN(levels); i++) {
        if (skep_str_ieq(level, levels[i].name))
            return levels[i].severity;
    }
    return yyjson_obj_get(yyjson_obj_get(data, "body"), "message") ? 9 : 17;
}

static bool time_in(yyjson_val *obj, skep_ts_ns *ret)
{
    yyjson_val *v = yyjson_obj_get(obj, "timestamp");
    double s = yyjson_get_num(v);
    if (!yyjson_is_num(v) || !isfinite(s) || s <= 0 || s >= 9.2e18)
        return false;
    while (s >= 1e11) // milliseconds, as browsers count
        s /= 1000;
    *ret = s >= 9.2e9 ? INT64_MAX : (skep_ts_ns)(s * 1e6) * 1000;
    return true;
}

static skep_ts_ns time_of(yyjson_val *data, skep_ts_ns received_ns)
{
    skep_ts_ns t;
    return time_in(data, &t) || time_in(yyjson_obj_get(data, "client"), &t) ? t : received_ns;
}

/* A W3C or X-Ray trace id somewhere an item carries one; span ids likewise. */
static bool trace_from(skep_str s, skep_trace_id *ret)
{
    static const skep_trace_id none;
    char digits[32];
    if (skep_str_starts(s, SKEP_STR("Root=")))
        s = skep_str_skip(s, 5);
    if (s.n >= 35 && skep_str_starts(s, SKEP_STR("1-")) && s.p[10] == '-') {
        memcpy(digits, s.p + 2, 8);
        memcpy(digits + 8, s.p + 11, 24);
    } else if (s.n == 55 && s.p[2] == '-' && s.p[35] == '-') { // traceparent
        memcpy(digits, s.p + 3, 32);
    } else if (s.n == 32) {
        memcpy(digits, s.p, 32);
    } else {
        return false;
    }
    return skep_hex_decode((skep_str){digits, 32}, ret->b, sizeof ret->b) &&
           memcmp(ret, &none, sizeof none) != 0;
}

static skep_str attribute(yyjson_val *data, const char *key)
{
    yyjson_val *list = yyjson_obj_get(data, "attributes"), *a;
    size_t i, max;
    yyjson_arr_foreach(list, i, max, a)
    {
        if (skep_str_eq(skep_rollbar__str(a, "key"), skep_str_c(key)))
            return skep_rollbar__str(a, "value");
    }
    return SKEP_STR_NULL;
}

static skep_str header(yyjson_val *data, skep_str name)
{
    yyjson_val *headers = yyjson_obj_get(yyjson_obj_get(data, "request"), "headers"), *key, *v;
    size_t i, max;
    yyjson_obj_foreach(headers, i, max, key, v)
    {
        if (skep_str_ieq(skep_rollbar__text(key), name))
            return skep_rollbar__text(v);
    }
    return SKEP_STR_NULL;
}

static void put_trace(struct skep_rollbar__dec *d, yyjson_val *data, uint32_t row)
{
    yyjson_val *custom = yyjson_obj_get(data, "custom");
    const skep_str traces[] = {
        skep_rollbar__str(custom, "trace_id"),    skep_rollbar__str(custom, "trace.trace_id"),
        skep_rollbar__str(custom, "traceparent"), attribute(data, "execution_scope_id"),
        header(data, SKEP_STR("traceparent")),    header(data, SKEP_STR("x-amzn-trace-id"))};
    skep_str span = skep_rollbar__str(custom, "span_id");
    uint8_t id[8];
    span = span.n ? span : skep_rollbar__str(custom, "trace.span_id");
    for (size_t i = 0; i < SKEP_ARRAY_LEN(traces); i++) {
        if (trace_from(traces[i], &d->b->trace_id[row])) {
            if (span.n == 16 && skep_hex_decode(span, id, sizeof id))
                d->b->parent_id[row] = skep_load_le64(id);
            return;
        }
    }
}

/* The browser's own word for it, else the request's. */
static void put_user_agent(struct skep_rollbar__dec *d, yyjson_val *data)
{
    yyjson_val *browser = yyjson_obj_get(yyjson_obj_get(data, "client"), "javascript");
    skep_str agent = skep_rollbar__str(browser, "browser");
    agent = agent.n ? agent : header(data, SKEP_STR("user-agent"));
    skep_rollbar__put(d, "user_agent.original", agent);
    skep_rollbar__put(d, "user_agent.name", skep_user_agent_name(agent, d->opts->arena));
}

static void put_fields(struct skep_rollbar__dec *d, yyjson_val *data, struct skep_buf *name)
{
    struct skep_json_fields f = {.put = put_field,
                                 .ctx = d,
                                 .alc = &d->alc,
                                 .depth = SKEP_LIMIT_MAP_DEPTH,
                                 .left = FIELDS_MAX,
                                 .name = name};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(row_fields); i++)
        skep_json_fields_value(&f, skep_str_c(row_fields[i].name), member(data, &row_fields[i]));
    put_user_agent(d, data);
    skep_json_fields_put(&f, SKEP_STR("custom."), yyjson_obj_get(data, "custom"));
    skep_json_fields_put(
        &f, SKEP_STR("message."),
        yyjson_obj_get(yyjson_obj_get(yyjson_obj_get(data, "body"), "message"), "extra"));
    d->no_memory |= f.no_memory;
}

static void put_row(struct skep_rollbar__dec *d, yyjson_val *data, skep_str kept)
{
    struct skep_buf name;
    struct skep_batch *b = d->b;
    skep_buf_init(&name, SKEP_LIMIT_NAME_BYTES);
    uint32_t row =
        skep_batch_row(b, SKEP_KIND_ERROR, time_of(data, b->received_ns), SKEP_SOURCE_ROLLBAR);
    b->severity[row] = severity_of(data);
    put_resource(d, data, row, &name);
    put_trace(d, data, row);
    put_fields(d, data, &name);
    b->name[row] = skep_batch_intern(b, skep_rollbar__put_body(d, data));
    skep_rollbar__put(d, "error.uuid", d->rep->uuid);
    if (d->rep->scrubbed)
        skep_rollbar__put_int(d, "error.scrubbed", d->rep->scrubbed);
    skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_RAW_FIELD,
                   (skep_value){.type = SKEP_TYPE_STRING, .s = kept});
    skep_buf_done(&name);
}

// --- the item ----------------------------------------------------------------------------------

static skep_rc refuse(struct skep_rollbar__dec *d, skep_rc rc, skep_str why)
{
    d->rep->error = why;
    return rc;
}

/* Exactly one of them, as Rollbar wants it; telemetry may stand beside. */
static bool has_body(yyjson_val *data)
{
    static const char *const kinds[] = {"trace", "trace_chain", "message", "crash_report"};
    yyjson_val *body = yyjson_obj_get(data, "body");
    for (size_t i = 0; i < SKEP_ARRAY_LEN(kinds); i++) {
        yyjson_val *v = yyjson_obj_get(body, kinds[i]);
        if (yyjson_is_obj(v) || (i == 1 && yyjson_is_arr(v) && yyjson_arr_size(v) > 0))
            return true;
    }
    return false;
}

static void take_uuid(struct skep_rollbar__dec *d, yyjson_val *data, skep_str json)
{
    skep_str uuid = skep_rollbar__str(data, "uuid");
    XXH128_hash_t h = XXH3_128bits(json.p, json.n);
    if (uuid.n > 0 && uuid.n <= SKEP_ROLLBAR_UUID_MAX)
        d->rep->uuid = skep_arena_str(d->opts->arena, uuid);
    else
        d->rep->uuid = skep_arena_printf(
            d->opts->arena, "%08x-%04x-4%03x-8%03x-%012llx", (unsigned)(h.high64 >> 32),
            (unsigned)(h.high64 >> 16) & 0xffff, (unsigned)h.high64 & 0xfff,
            (unsigned)(h.low64 >> 48) & 0xfff, (unsigned long long)(h.low64 & 0xffffffffffff));
}

/* (uuid, environment): who sends an item again means the same one.  An item without a uuid is
 * never guessed to be a duplicate. */
static void identify(struct skep_rollbar__dec *d, bool has_uuid)
{
    if (!has_uuid)
        return;
    skep_str key = skep_arena_printf(d->opts->arena, "rollbar\n" SKEP_STRFMT "\n" SKEP_STRFMT,
                                     SKEP_STRARG(d->opts->environment), SKEP_STRARG(d->rep->uuid));
    XXH128_hash_t h = XXH3_128bits(key.p, key.n);
    skep_store_le64(d->b->identity, h.low64 | 1);
    skep_store_le64(d->b->identity + 8, h.high64);
}

static skep_rc read_kept(struct skep_rollbar__dec *d, yyjson_val *data)
{
    size_t n = 0;
    char *text = skep_rollbar__kept(d, data, &n);
    yyjson_doc *kept = text ? yyjson_read_opts(text, n, 0, &d->alc, NULL) : NULL;
    if (kept)
        put_row(d, yyjson_doc_get_root(kept), (skep_str){text, n});
    yyjson_doc_free(kept);
    if (text)
        d->alc.free(d->alc.ctx, text);
    if (!kept || d->no_memory || d->b->over_budget)
        return refuse(d, SKEP_ENOMEM, SKEP_STR("no memory left for this item, try again later"));
    if (d->b->over_limit)
        return refuse(d, SKEP_ETOOLARGE, SKEP_STR("the item is too large"));
    return SKEP_OK;
}

skep_rc skep_rollbar_decode(skep_str json, const struct skep_rollbar_opts *opts,
                            struct skep_batch *b, struct skep_rollbar_report *ret)
{
    skep_assert(opts->arena && b && b->n_rows == 0);
    *ret = (struct skep_rollbar_report){.uuid = SKEP_STR_NULL};
    struct skep_rollbar__dec d = {
        .opts = opts, .b = b, .alc = skep_json_alc(b->budget), .rep = ret};
    yyjson_read_err fault;
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)json.p, json.n, 0, &d.alc, &fault);
    if (!doc && fault.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return refuse(&d, SKEP_ENOMEM, SKEP_STR("no memory left for this item, try again later"));
    if (!doc)
        return refuse(&d, SKEP_EMALFORMED,
                      skep_arena_printf(opts->arena, "Could not parse JSON: %s, at byte %zu",
                                        fault.msg, fault.pos));
    yyjson_val *data = yyjson_obj_get(yyjson_doc_get_root(doc), "data");
    skep_rc rc;
    if (!yyjson_is_obj(data)) {
        rc = refuse(&d, SKEP_EINVAL, SKEP_STR("Invalid format. data is required"));
    } else if (!has_body(data)) {
        rc = refuse(&d, SKEP_EINVAL,
                    SKEP_STR("Invalid format. data.body must have one of trace, trace_chain, "
                             "message, crash_report"));
    } else {
        skep_str uuid = skep_rollbar__str(data, "uuid");
        take_uuid(&d, data, json);
        rc = read_kept(&d, data);
        skep_batch_environment(b, opts->environment);
        identify(&d, skep_str_eq(uuid, ret->uuid));
    }
    yyjson_doc_free(doc);
    return rc;
}

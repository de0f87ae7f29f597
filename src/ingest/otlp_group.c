// SPDX-License-Identifier: Apache-2.0
/* What stands around spans and log records: resources, instrumentation scopes, datasets.
 *
 *   Request
 *     ResourceX { resource = 1, scope_x = 2 ..., schema_url = 3 }
 *       ScopeX { scope = 1, items = 2 ..., schema_url = 3 }
 *
 * The schema URL stands behind the items it belongs to, so each level is walked twice: once for
 * what is said about the items, once for the items.  The first walk skips them by their length.
 *
 *   resource list    attributes, resource.schema_url, resource.dropped_attributes
 *   scope list       attributes, library.name, library.version, scope.schema_url,
 *                    scope.dropped_attributes, telemetry.instrumentation_library
 *   dataset          resource service.name, trimmed; unknown_service* and none: by signal
 *
 * Threads, memory: as the decoder. */
#include "ingest/otlp_priv.h"

#include <stdio.h>

#include "base/assert.h"

static const struct {
    skep_str name;
    const char *text;
} rejects[SKEP_OTLP_REJECT_COUNT] = {
#define X(id, word, sentence) {{word, sizeof(word) - 1}, sentence},
    SKEP_OTLP_REJECTS(X)
#undef X
};

skep_str skep_otlp_reject_name(enum skep_otlp_reject r)
{
    skep_assert(r < SKEP_OTLP_REJECT_COUNT);
    return rejects[r].name;
}

// --- life --------------------------------------------------------------------------------------

void skep_otlp__begin(struct skep_otlp__dec *d, struct skep_batch *b,
                      const struct skep_otlp_opts *opts)
{
    static const struct skep_otlp_opts none;
    *d = (struct skep_otlp__dec){.b = b, .opts = opts ? opts : &none};
    d->rep.logs_have_time = true;
    // One byte more than allowed, so that a value over the limit is seen as such.
    skep_buf_init(&d->name, SKEP_LIMIT_VALUE_BYTES + 1);
    skep_buf_init(&d->text, SKEP_LIMIT_VALUE_BYTES + 1);
    skep_buf_init(&d->octets, SKEP_LIMIT_VALUE_BYTES + 1);
}

skep_rc skep_otlp__finish(struct skep_otlp__dec *d, struct skep_otlp_report *ret, skep_err *err)
{
    skep_buf_done(&d->name);
    skep_buf_done(&d->text);
    skep_buf_done(&d->octets);
    SKEP_TRY(skep_pb_check(&d->pb, err));
    if (d->b && d->b->over_budget)
        return skep_fail(err, SKEP_ENOMEM, "no memory left for this request, try again later");
    if (d->b && d->b->over_limit)
        return skep_fail(err, SKEP_ETOOLARGE,
                         "a request may hold %d distinct fields, each value %d bytes",
                         SKEP_LIMIT_FIELDS_PER_BATCH, SKEP_LIMIT_VALUE_BYTES);
    skep_assert(ret != NULL);
    *ret = d->rep;
    return SKEP_OK;
}

void skep_otlp__reject(struct skep_otlp__dec *d, enum skep_otlp_reject why, skep_bytes item,
                       uint32_t n_rows)
{
    skep_assert(why < SKEP_OTLP_REJECT_COUNT);
    d->too_large = false;
    d->rep.rejected[why]++;
    skep_batch_truncate(d->b, n_rows);
    if (d->rep.message[0])
        return;
    char at[40] = "";
    if (!d->opts->hide_offsets && item.p)
        (void)snprintf(at, sizeof at, " (byte %zu)", (size_t)(item.p - d->pb.start));
    (void)snprintf(d->rep.message, sizeof d->rep.message, "resource %u, scope %u, item %u%s: %s",
                   d->group_i, d->scope_i, d->item_i, at, rejects[why].text);
}

void skep_otlp__walk(struct skep_otlp__dec *d, skep_bytes in, bool logs, skep_otlp__item_fn *fn)
{
    skep_pb request = skep_pb_make(&d->pb, in);
    d->padded = in.n > SKEP_EQ_PAD ? in.p + (in.n - SKEP_EQ_PAD) : in.p;
    skep_pb_field group, scope, item;
    for (; skep_pb_next(&request, &group); d->group_i += group.tag == SKEP_OTLP_REQUEST_RESOURCES) {
        if (group.tag != SKEP_OTLP_REQUEST_RESOURCES)
            continue;
        skep_otlp__enter_resource(d, group.bytes, logs);
        skep_pb scopes = skep_pb_sub(&d->pb, group.bytes);
        d->scope_i = 0;
        for (; skep_pb_next(&scopes, &scope); d->scope_i += scope.tag == SKEP_OTLP_GROUP_SCOPES) {
            if (scope.tag != SKEP_OTLP_GROUP_SCOPES)
                continue;
            skep_otlp__enter_scope(d, scope.bytes);
            skep_pb items = skep_pb_sub(&d->pb, scope.bytes);
            d->item_i = 0;
            for (; skep_pb_next_hot(&items, &item); d->item_i += item.tag == SKEP_OTLP_ITEMS) {
                if (item.tag == SKEP_OTLP_ITEMS)
                    fn(d, item.bytes);
                if (d->pb.error || d->b->over_budget || d->b->over_limit)
                    return;
            }
        }
    }
}

// --- resources ---------------------------------------------------------------------------------

struct service {
    bool known;
    skep_str name;
};

static void put_resource(struct skep_otlp__dec *d, const struct skep_otlp__sink *sink,
                         skep_bytes in, struct service *service)
{
    skep_pb c = skep_pb_sub(&d->pb, in);
    skep_pb_field f;
    while (skep_pb_next(&c, &f)) {
        struct skep_otlp__kv kv;
        if (f.tag == SKEP_OTLP_RESOURCE_DROPPED && f.u)
            skep_batch_list_put(sink->list, SKEP_STR("resource.dropped_attributes"),
                                (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)(uint32_t)f.u});
        if (f.tag != SKEP_OTLP_RESOURCE_ATTRIBUTES)
            continue;
        skep_otlp__read_kv(d, f.bytes, &kv);
        skep_otlp__put_kv(d, sink, &kv);
        if (skep_str_eq(kv.key, SKEP_STR("service.name"))) {
            service->known = kv.value.kind == SKEP_ANY_STRING;
            service->name = skep_bytes_str(kv.value.bytes);
        }
    }
}

static void choose_dataset(struct skep_otlp__dec *d, const struct service *service, bool logs)
{
    skep_str name = service->known ? skep_str_trim(service->name) : SKEP_STR_NULL;
    bool unknown = name.n == 0 || skep_str_starts(name, SKEP_STR("unknown_service"));
    if (unknown && logs) {
        skep_str header = skep_str_trim(d->opts->dataset);
        name = header.n ? header : SKEP_STR("unknown_log_source");
    } else if (unknown) {
        name = SKEP_STR("unknown_service");
    }
    name.n = SKEP_MIN(name.n, (size_t)SKEP_LIMIT_NAME_BYTES); // a cut character becomes U+FFFD
    d->dataset = skep_otlp__intern(d, skep_str_bytes(name));
}

/* A value too large for a resource or scope concerns each of its rows: the request is over a limit.
 */
static void end_list(struct skep_otlp__dec *d)
{
    if (d->too_large)
        d->b->over_limit = true;
    d->too_large = false;
}

static void put_text(struct skep_otlp__dec *d, struct skep_batch_list *list, skep_str name,
                     skep_bytes text)
{
    if (text.n == 0)
        return;
    skep_str s = skep_otlp__utf8(d, &d->text, text);
    skep_batch_list_put(list, name, (skep_value){.type = SKEP_TYPE_STRING, .s = s});
}

void skep_otlp__enter_resource(struct skep_otlp__dec *d, skep_bytes group, bool logs)
{
    skep_pb c = skep_pb_sub(&d->pb, group);
    skep_pb_field f;
    skep_bytes url = {NULL, 0};
    struct service service = {0};
    d->resource_rate = (struct skep_otlp__rate){0};
    d->too_large = false;
    struct skep_otlp__sink sink = {.list = skep_batch_list_begin(d->b), .rate = &d->resource_rate};
    while (skep_pb_next(&c, &f)) {
        if (f.tag == SKEP_OTLP_GROUP_RESOURCE)
            put_resource(d, &sink, f.bytes, &service);
        else if (f.tag == SKEP_OTLP_GROUP_SCHEMA_URL)
            url = f.bytes;
    }
    put_text(d, sink.list, SKEP_STR("resource.schema_url"), url);
    d->resource = skep_batch_list_end(sink.list, &d->b->resources);
    end_list(d);
    choose_dataset(d, &service, logs);
}

// --- instrumentation scopes --------------------------------------------------------------------

/* Does the name stand for an instrumentation library, rather than for code of the application? */
static bool is_instrumentation(skep_str name)
{
#define S(lit)                                                                                     \
    {                                                                                              \
        "" lit, sizeof(lit) - 1                                                                    \
    }
    static const skep_str prefixes[] = {
        S("io.opentelemetry"),
        S("opentelemetry.instrumentation"),
        S("OpenTelemetry.Instrumentation"),
        S("OpenTelemetry::Instrumentation"),
        S("go.opentelemetry.io/contrib/instrumentation"),
        S("@opentelemetry/instrumentation"),
        S("io.opentelemetry.contrib.php"),
        S("github.com/open-telemetry/opentelemetry-collector"),
        S("@honeycombio/"),
    };
#undef S
    for (size_t i = 0; i < SKEP_ARRAY_LEN(prefixes); i++) {
        if (skep_str_starts(name, prefixes[i]))
            return true;
    }
    return false;
}

static void put_scope(struct skep_otlp__dec *d, const struct skep_otlp__sink *sink, skep_bytes in)
{
    skep_pb c = skep_pb_sub(&d->pb, in);
    skep_pb_field f;
    skep_bytes name = {NULL, 0}, version = {NULL, 0};
    while (skep_pb_next(&c, &f)) {
        struct skep_otlp__kv kv;
        if (f.tag == SKEP_OTLP_SCOPE_NAME) {
            name = f.bytes;
        } else if (f.tag == SKEP_OTLP_SCOPE_VERSION) {
            version = f.bytes;
        } else if (f.tag == SKEP_OTLP_SCOPE_DROPPED && f.u) {
            skep_batch_list_put(sink->list, SKEP_STR("scope.dropped_attributes"),
                                (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)(uint32_t)f.u});
        } else if (f.tag == SKEP_OTLP_SCOPE_ATTRIBUTES) {
            skep_otlp__read_kv(d, f.bytes, &kv);
            skep_otlp__put_kv(d, sink, &kv);
        }
    }
    put_text(d, sink->list, SKEP_STR("library.name"), name);
    put_text(d, sink->list, SKEP_STR("library.version"), version);
    if (is_instrumentation(skep_bytes_str(name)))
        skep_batch_list_put(sink->list, SKEP_STR("telemetry.instrumentation_library"),
                            (skep_value){.type = SKEP_TYPE_BOOL, .b = true});
}

void skep_otlp__enter_scope(struct skep_otlp__dec *d, skep_bytes group)
{
    skep_pb c = skep_pb_sub(&d->pb, group);
    skep_pb_field f;
    skep_bytes url = {NULL, 0};
    d->scope_rate = (struct skep_otlp__rate){0};
    d->too_large = false;
    struct skep_otlp__sink sink = {.list = skep_batch_list_begin(d->b), .rate = &d->scope_rate};
    while (skep_pb_next_hot(&c, &f)) {
        if (f.tag == SKEP_OTLP_ITEMS_SCOPE)
            put_scope(d, &sink, f.bytes);
        else if (f.tag == SKEP_OTLP_ITEMS_SCHEMA_URL)
            url = f.bytes;
    }
    put_text(d, sink.list, SKEP_STR("scope.schema_url"), url);
    d->scope = skep_batch_list_end(sink.list, &d->b->scopes);
    end_list(d);
}

uint32_t skep_otlp__rate_of(const struct skep_otlp__dec *d, skep_bytes state)
{
    if (d->item_rate.value)
        return d->item_rate.value;
    if (d->scope_rate.value)
        return d->scope_rate.value;
    if (d->resource_rate.value)
        return d->resource_rate.value;
    uint32_t rate = state.n ? skep_tracestate_rate(skep_bytes_str(state)) : 0;
    return rate ? rate : 1;
}

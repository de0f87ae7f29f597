// SPDX-License-Identifier: Apache-2.0
/* OTLP log records -> rows.
 *
 *   time        time_unix_nano, else observed_time_unix_nano, else when the request came
 *   body        a field `body` of its own type; a map also flattened to body.*, whole as JSON text
 *   trace ids   those of the right length, else none: a log is never refused for them
 *
 * Threads, memory: as the decoder. */
#include "ingest/otlp_priv.h"

#include "base/assert.h"

struct record {
    uint64_t time_ns, observed_ns, severity, dropped, flags;
    skep_bytes severity_text, body, trace_id, span_id, event_name;
    bool has_body;
};

static void read_record(struct skep_otlp__dec *d, skep_bytes in, struct record *r)
{
    skep_pb c = skep_pb_sub(&d->pb, in);
    skep_pb_field f;
    while (skep_pb_next(&c, &f)) {
        switch (f.tag) {
        case SKEP_OTLP_LOG_TIME: r->time_ns = f.u; break;
        case SKEP_OTLP_LOG_OBSERVED_TIME: r->observed_ns = f.u; break;
        case SKEP_OTLP_LOG_SEVERITY: r->severity = f.u; break;
        case SKEP_OTLP_LOG_SEVERITY_TEXT: r->severity_text = f.bytes; break;
        case SKEP_OTLP_LOG_BODY:
            r->body = f.bytes;
            r->has_body = true;
            break;
        case SKEP_OTLP_LOG_DROPPED: r->dropped = (uint32_t)f.u; break;
        case SKEP_OTLP_LOG_FLAGS: r->flags = f.u; break;
        case SKEP_OTLP_LOG_TRACE_ID: r->trace_id = f.bytes; break;
        case SKEP_OTLP_LOG_SPAN_ID: r->span_id = f.bytes; break;
        case SKEP_OTLP_LOG_EVENT_NAME: r->event_name = f.bytes; break;
        default: break;
        }
    }
}

static int64_t choose_time(struct skep_otlp__dec *d, const struct record *r)
{
    uint64_t ns = r->time_ns ? r->time_ns : r->observed_ns;
    if (r->time_ns == 0)
        d->rep.logs_have_time = false;
    if (ns == 0)
        return d->b->received_ns;
    return ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
}

static void put_body(struct skep_otlp__dec *d, skep_bytes body)
{
    const struct skep_otlp__sink sink = {.scope = SKEP_SCOPE_INTRINSIC};
    struct skep_otlp__any v;
    skep_otlp__read_any(d, body, &v);
    skep_otlp__put(d, &sink, SKEP_STR("body"), &v);
    if (v.kind == SKEP_ANY_KVLIST) {
        skep_str json = skep_otlp__json(d, &v);
        if (!d->too_large)
            skep_batch_put(d->b, SKEP_SCOPE_INTRINSIC, SKEP_STR("body"),
                           (skep_value){.type = SKEP_TYPE_STRING, .s = json});
    }
}

static void put_record(struct skep_otlp__dec *d, const struct record *r, skep_bytes in)
{
    struct skep_batch *b = d->b;
    uint32_t row = skep_batch_row(b, SKEP_KIND_LOG, choose_time(d, r), SKEP_SOURCE_OTLP);
    b->dataset[row] = d->dataset;
    b->resource[row] = d->resource;
    b->scope[row] = d->scope;
    b->severity[row] = r->severity <= UINT8_MAX ? (uint8_t)r->severity : 0;
    b->flags[row] = (uint32_t)r->flags;
    if (r->trace_id.n == 16)
        memcpy(&b->trace_id[row], r->trace_id.p, 16);
    if (r->span_id.n == 8)
        b->parent_id[row] = skep_load_le64(r->span_id.p);
    if (r->severity_text.n)
        skep_otlp__put_text(d, SKEP_STR("severity_text"), r->severity_text);
    if (r->event_name.n)
        skep_otlp__put_text(d, SKEP_STR("event.name"), r->event_name);
    if (r->has_body)
        put_body(d, r->body);
    skep_otlp__put_count(d, SKEP_STR("meta.dropped_attributes"), r->dropped);

    d->item_rate = (struct skep_otlp__rate){0};
    skep_otlp__put_attributes(d, skep_pb_sub(&d->pb, in), SKEP_OTLP_LOG_ATTRIBUTES, &d->item_rate);
    b->sample_rate[row] = skep_otlp__rate_of(d, (skep_bytes){NULL, 0});
}

static void one_record(struct skep_otlp__dec *d, skep_bytes in)
{
    struct record r = {0};
    uint32_t first = d->b->n_rows;
    d->rep.received++;
    read_record(d, in, &r);
    if (d->pb.error)
        return;
    if (first >= SKEP_LIMIT_BATCH_ROWS) {
        skep_otlp__reject(d, SKEP_OTLP_REJECT_TOO_MANY_ROWS, in, first);
        return;
    }
    put_record(d, &r, in);
    if (d->too_large) {
        skep_otlp__reject(d, SKEP_OTLP_REJECT_VALUE_TOO_LARGE, in, first);
        return;
    }
    d->rep.accepted++;
}

skep_rc skep_otlp_logs_pb(skep_bytes in, struct skep_batch *b, const struct skep_otlp_opts *opts,
                          struct skep_otlp_report *ret, skep_err *err)
{
    struct skep_otlp__dec d;
    skep_otlp__begin(&d, b, opts);
    skep_otlp__walk(&d, in, true, one_record);
    return skep_otlp__finish(&d, ret, err);
}

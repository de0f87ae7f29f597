// SPDX-License-Identifier: Apache-2.0
/* One event -> one row.
 *
 *   {"trace.trace_id","trace.span_id","name","duration_ms",...}         SPAN
 *   {"meta.annotation_type":"span_event","trace.parent_id",...}          SPAN_EVENT of that span
 *   {"meta.annotation_type":"link",...}                                  LINK
 *   anything else                                                        LOG: a free event, in its
 * trace when it names one
 *
 * Members that a row has a place of its own for (tables below) go there; all others are fields
 * under their names.  Ids that are no hex, of which some clients have many, are hashed to ids, and
 * their text stays as the field.
 *
 * I1  nothing of an event is lost silently: what has no room is counted in meta.dropped_attributes,
 *     what was cut in meta.cut_fields, both on the row.
 * I2  the row is made of the event's bytes and the arrival time alone: a retry gives the same.
 * Threads: the caller's.  Memory: the batch's budget. */
#include "ingest/events.h"

#include <math.h>

#include "base/assert.h"
#include "base/mem.h"
#include "event/ids.h"
#include "event/put.h"
#include "event/view.h"
#include "ingest/json_fields.h"
#include "wire/json_in.h"
#include "wire/msgpack.h"

enum { NAME_BYTES = 64 << 10 };

struct skep_events_dec {
    struct skep_batch *b;
    const struct skep_events_opts *opts;
    yyjson_alc alc;
    struct skep_json_fields fields;
    struct skep_buf name, cut;
    uint32_t dataset;
    uint32_t row;
    unsigned dropped, n_cut; /* of the row */
    bool untimed;
};

skep_str skep_events_why(enum skep_events_status s)
{
    switch (s) {
    case SKEP_EVENTS_NO_EVENT: return SKEP_STR("Request body is malformed and cannot be read.");
    case SKEP_EVENTS_NO_DATA: return SKEP_STR("Event has no data.");
    case SKEP_EVENTS_FULL: return SKEP_STR("Request holds too many events.");
    case SKEP_EVENTS_TAKEN:
    default: return SKEP_STR_NULL;
    }
}

// --- members with a place of their own ---------------------------------------------------------

static const skep_str trace_id = SKEP_STR_INIT("trace.trace_id");
static const skep_str span_id = SKEP_STR_INIT("trace.span_id");
static const skep_str parent_id = SKEP_STR_INIT("trace.parent_id");

static skep_str text_of(yyjson_val *v)
{
    return yyjson_is_str(v) ? (skep_str){yyjson_get_str(v), yyjson_get_len(v)} : SKEP_STR_NULL;
}

static yyjson_val *member(yyjson_val *data, skep_str name)
{
    return yyjson_obj_getn(data, name.p, name.n);
}

static skep_str text(yyjson_val *data, skep_str name)
{
    return text_of(member(data, name));
}

static enum skep_kind kind_of(yyjson_val *data)
{
    skep_str annotation = text(data, SKEP_STR("meta.annotation_type"));
    bool log = skep_str_eq(text(data, SKEP_STR("meta.signal_type")), SKEP_STR("log"));
    if (log || text(data, trace_id).n == 0)
        return SKEP_KIND_LOG;
    if (text(data, parent_id).n && skep_str_eq(annotation, SKEP_STR("span_event")))
        return SKEP_KIND_SPAN_EVENT;
    if (text(data, parent_id).n && skep_str_eq(annotation, SKEP_STR("link")))
        return SKEP_KIND_LINK;
    return text(data, span_id).n ? SKEP_KIND_SPAN : SKEP_KIND_LOG;
}

static void put_own(struct skep_events_dec *d, skep_str name, skep_value v)
{
    skep_batch_put(d->b, SKEP_SCOPE_INTRINSIC, name, v);
}

static void mark(struct skep_events_dec *d, skep_str name)
{
    put_own(d, name, (skep_value){.type = SKEP_TYPE_BOOL, .b = true});
}

/* A member's taker: true when the row has it and no field is needed beside. */
typedef bool take_fn(struct skep_events_dec *d, yyjson_val *v);

static bool take_trace(struct skep_events_dec *d, yyjson_val *v)
{
    skep_str s = text_of(v);
    d->b->trace_id[d->row] = skep_trace_id_of(s);
    return skep_trace_id_plain(s);
}

static bool take_span(struct skep_events_dec *d, yyjson_val *v)
{
    if (d->b->kind[d->row] != SKEP_KIND_SPAN)
        return false;
    d->b->span_id[d->row] = skep_span_id_of(text_of(v));
    return skep_span_id_plain(text_of(v));
}

static bool take_parent(struct skep_events_dec *d, yyjson_val *v)
{
    d->b->parent_id[d->row] = skep_span_id_of(text_of(v));
    return skep_span_id_plain(text_of(v)) || text_of(v).n == 0;
}

static bool take_name(struct skep_events_dec *d, yyjson_val *v)
{
    skep_str s = text_of(v);
    if (s.n == 0 || s.n > SKEP_LIMIT_VALUE_BYTES || d->b->kind[d->row] == SKEP_KIND_LINK)
        return false;
    d->b->name[d->row] = skep_batch_intern(d->b, s);
    return true;
}

static bool take_duration(struct skep_events_dec *d, yyjson_val *v)
{
    double ms = yyjson_get_num(v);
    if (d->b->kind[d->row] != SKEP_KIND_SPAN || !yyjson_is_num(v) || isnan(ms))
        return false;
    if (ms < 0)
        mark(d, SKEP_STR("meta.invalid_duration"));
    d->b->duration_ns[d->row] = ms < 0 ? 0 : ms >= 9e12 ? INT64_MAX : (int64_t)(ms * 1e6 + 0.5);
    return true;
}

/* A text says more than that there was an error: it stays as the field. */
static bool take_error(struct skep_events_dec *d, yyjson_val *v)
{
    skep_str s = text_of(v);
    bool said_no = skep_str_ieq(s, SKEP_STR("false")) || (yyjson_is_str(v) && s.n == 0);
    bool yes = yyjson_is_true(v) || (yyjson_is_num(v) && yyjson_get_num(v) != 0) ||
               (yyjson_is_str(v) && !said_no) || yyjson_is_obj(v) || yyjson_is_arr(v);
    if (d->b->kind[d->row] == SKEP_KIND_LOG)
        return false;
    if (yes)
        d->b->status[d->row] = SKEP_STATUS_ERROR;
    return yyjson_is_bool(v) || said_no || skep_str_ieq(s, SKEP_STR("true"));
}

static bool take_status(struct skep_events_dec *d, yyjson_val *v)
{
    if (d->b->kind[d->row] != SKEP_KIND_SPAN || !yyjson_is_uint(v) || yyjson_get_uint(v) > 2)
        return false;
    d->b->status[d->row] = (uint8_t)yyjson_get_uint(v);
    return true;
}

/* Index of a text in a view's table; false: it is none of them. */
static bool in_table(skep_str view, skep_str s, uint8_t *ret)
{
    const struct skep_view *table = skep_view_find(view);
    skep_assert(table && table->how == SKEP_VIEW_ENUM);
    for (unsigned i = 0; s.n && i < table->n_table; i++) {
        if (skep_str_eq(table->table[i], s)) {
            *ret = (uint8_t)i;
            return true;
        }
    }
    return false;
}

static bool take_kind(struct skep_events_dec *d, yyjson_val *v)
{
    return d->b->kind[d->row] == SKEP_KIND_SPAN &&
           in_table(SKEP_STR("span.kind"), text_of(v), &d->b->span_kind[d->row]);
}

static bool take_severity(struct skep_events_dec *d, yyjson_val *v)
{
    uint8_t *severity = &d->b->severity[d->row];
    return d->b->kind[d->row] == SKEP_KIND_LOG &&
           (*severity != 0 || in_table(SKEP_STR("severity"), text_of(v), severity));
}

static bool take_severity_code(struct skep_events_dec *d, yyjson_val *v)
{
    if (d->b->kind[d->row] != SKEP_KIND_LOG || !yyjson_is_uint(v) || yyjson_get_uint(v) > 24)
        return false;
    d->b->severity[d->row] = (uint8_t)yyjson_get_uint(v);
    return true;
}

static bool take_body(struct skep_events_dec *d, yyjson_val *v)
{
    if (d->b->kind[d->row] != SKEP_KIND_LOG || text_of(v).n == 0 ||
        text_of(v).n > SKEP_LIMIT_VALUE_BYTES)
        return false;
    put_own(d, SKEP_BODY_FIELD, (skep_value){.type = SKEP_TYPE_STRING, .s = text_of(v)});
    put_own(d, SKEP_STR("log.bytes"),
            (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)text_of(v).n});
    return true;
}

/* What the row's kind says, too. */
static bool take_annotation(struct skep_events_dec *d, yyjson_val *v)
{
    (void)v;
    return d->b->kind[d->row] == SKEP_KIND_SPAN_EVENT || d->b->kind[d->row] == SKEP_KIND_LINK;
}

static bool take_signal(struct skep_events_dec *d, yyjson_val *v)
{
    bool log = d->b->kind[d->row] == SKEP_KIND_LOG;
    return skep_str_eq(text_of(v), log ? SKEP_STR("log") : SKEP_STR("trace"));
}

/* A text of it is a service's name in the resource. */
static bool take_service(struct skep_events_dec *d, yyjson_val *v)
{
    (void)d;
    return text_of(v).n > 0;
}

static const struct {
    skep_str name;
    take_fn *take;
} takers[] = {
    {SKEP_STR_INIT("trace.trace_id"), take_trace},
    {SKEP_STR_INIT("trace.span_id"), take_span},
    {SKEP_STR_INIT("trace.parent_id"), take_parent},
    {SKEP_STR_INIT("name"), take_name},
    {SKEP_STR_INIT("duration_ms"), take_duration},
    {SKEP_STR_INIT("error"), take_error},
    {SKEP_STR_INIT("status_code"), take_status},
    {SKEP_STR_INIT("span.kind"), take_kind},
    {SKEP_STR_INIT("type"), take_kind},
    {SKEP_STR_INIT("severity"), take_severity},
    {SKEP_STR_INIT("severity_code"), take_severity_code},
    {SKEP_STR_INIT("body"), take_body},
    {SKEP_STR_INIT("service.name"), take_service},
    {SKEP_STR_INIT("meta.annotation_type"), take_annotation},
    {SKEP_STR_INIT("meta.signal_type"), take_signal},
};

static bool taken(struct skep_events_dec *d, skep_str name, yyjson_val *v)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(takers); i++)
        if (skep_str_eq(takers[i].name, name))
            return takers[i].take(d, v);
    return false;
}

// --- fields ------------------------------------------------------------------------------------

/* Names that every row has already, of whatever wire it comes. */
static bool reserved(skep_str name)
{
    static const skep_str own[] = {SKEP_STR_INIT("meta.environment"),
                                   SKEP_STR_INIT("meta.raw"),
                                   SKEP_STR_INIT("meta.message"),
                                   SKEP_STR_INIT("meta.revision"),
                                   SKEP_STR_INIT("dataset"),
                                   SKEP_STR_INIT("timestamp"),
                                   SKEP_STR_INIT("meta.kind"),
                                   SKEP_STR_INIT("meta.source"),
                                   SKEP_STR_INIT("meta.row_id"),
                                   SKEP_STR_INIT("meta.received_ns"),
                                   SKEP_STR_INIT("SampleRate"),
                                   SKEP_STR_INIT("meta.signal_type"),
                                   SKEP_STR_INIT("meta.annotation_type")};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(own); i++)
        if (skep_str_eq(own[i], name))
            return true;
    return false;
}

/* The text, or as much of it as a value holds, which is counted. */
static skep_str fitting(struct skep_events_dec *d, skep_str s)
{
    static const skep_str dots = SKEP_STR_INIT("...");
    if (s.n <= SKEP_LIMIT_VALUE_BYTES)
        return s;
    size_t n = SKEP_LIMIT_VALUE_BYTES - dots.n;
    while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80) /* not inside a character */
        n--;
    skep_buf_reset(&d->cut);
    skep_buf_put(&d->cut, s.p, n);
    skep_buf_str(&d->cut, dots);
    skep_assert(!d->cut.bad);
    d->n_cut++;
    return skep_buf_text(&d->cut);
}

static void put_field(void *ctx, skep_str name, skep_value v)
{
    struct skep_events_dec *d = ctx;
    char renamed[SKEP_LIMIT_NAME_BYTES];
    d->n_cut += name.n > SKEP_LIMIT_NAME_BYTES; /* the batch cuts it */
    if (reserved(name)) {
        int n = snprintf(renamed, sizeof renamed, "event." SKEP_STRFMT, SKEP_STRARG(name));
        name = (skep_str){renamed, (size_t)n};
    }
    if (d->b->n_fields >= SKEP_EVENTS_NEW_FIELDS_MAX &&
        (name.n > SKEP_LIMIT_NAME_BYTES ||
         skep_batch_find(d->b, SKEP_SCOPE_ATTRIBUTE, name, v.type) == SKEP_BATCH_NONE)) {
        d->dropped++;
        return;
    }
    if (v.type == SKEP_TYPE_STRING || v.type == SKEP_TYPE_ARRAY) {
        size_t n = v.s.n;
        v.s = fitting(d, v.s);
        v.type = v.s.n != n ? SKEP_TYPE_STRING : v.type; /* a part of an array is none */
    }
    skep_batch_put(d->b, SKEP_SCOPE_ATTRIBUTE, name, v);
}

/* Beelines say no kind, but which span is the first of its service and that it took a request: an
 * entry span, which the page counts as one. */
static void put_entry(struct skep_events_dec *d, yyjson_val *data)
{
    skep_str at = text(data, SKEP_STR("meta.span_type"));
    bool first = skep_str_eq(at, SKEP_STR("root")) || skep_str_eq(at, SKEP_STR("subroot"));
    if (first && d->b->kind[d->row] == SKEP_KIND_SPAN && d->b->span_kind[d->row] == 0 &&
        (member(data, SKEP_STR("request.method")) || member(data, SKEP_STR("request.path"))))
        (void)in_table(SKEP_STR("span.kind"), SKEP_STR("server"), &d->b->span_kind[d->row]);
}

/* Spans without a service are their dataset's, as Honeycomb's own clients mean it. */
static void put_service(struct skep_events_dec *d, yyjson_val *data)
{
    skep_str s = text(data, SKEP_STR("service.name"));
    s = s.n ? s : text(data, SKEP_STR("service_name"));
    if (s.n == 0 && d->b->kind[d->row] == SKEP_KIND_SPAN)
        s = d->opts->dataset;
    if (s.n == 0)
        return;
    s = fitting(d, s);
    struct skep_batch_list *l = skep_batch_list_begin(d->b);
    skep_batch_list_put(l, SKEP_STR("service.name"),
                        (skep_value){.type = SKEP_TYPE_STRING, .s = s});
    d->b->resource[d->row] = skep_batch_list_end(l, &d->b->resources);
}

static void put_members(struct skep_events_dec *d, yyjson_val *data)
{
    yyjson_val *key, *v;
    size_t i, max;
    d->fields.left = SKEP_EVENTS_FIELDS_MAX;
    yyjson_obj_foreach(data, i, max, key, v)
    {
        skep_str name = text_of(key);
        if (name.n == 0 || name.n > NAME_BYTES || d->fields.left == 0)
            d->dropped++;
        else if (!taken(d, name, v))
            skep_json_fields_value(&d->fields, name, v);
    }
}

static void put_count(struct skep_events_dec *d, skep_str name, unsigned n)
{
    if (n > 0)
        put_own(d, name, (skep_value){.type = SKEP_TYPE_INT, .i = n});
}

/* The instant, or that of arrival; *ret_odd: what was sent is none. */
static skep_ts_ns time_of(struct skep_events_dec *d, const struct skep_events_one *one,
                          bool *ret_odd)
{
    skep_ts_ns t = d->b->received_ns;
    bool said = one->time.n > 0 || (one->when && !yyjson_is_null(one->when));
    bool read = one->time.n ? skep_events_time(one->time, &t) : skep_events_instant(one->when, &t);
    d->untimed = d->untimed || !read;
    *ret_odd = said && !read;
    return t;
}

enum skep_events_status skep_events_add(struct skep_events_dec *d,
                                        const struct skep_events_one *one)
{
    struct skep_batch *b = d->b;
    bool odd_time;
    if (!yyjson_is_obj(one->data))
        return SKEP_EVENTS_NO_EVENT;
    if (yyjson_obj_size(one->data) == 0)
        return SKEP_EVENTS_NO_DATA;
    if (b->n_rows == SKEP_LIMIT_BATCH_ROWS)
        return SKEP_EVENTS_FULL;
    skep_ts_ns t = time_of(d, one, &odd_time);
    d->row = skep_batch_row(b, kind_of(one->data), t, SKEP_SOURCE_EVENTS);
    d->dropped = d->n_cut = 0;
    b->dataset[d->row] = d->dataset;
    b->sample_rate[d->row] = SKEP_MAX(one->rate, 1u);
    if (b->kind[d->row] == SKEP_KIND_SPAN)
        b->duration_ns[d->row] = 0;
    put_members(d, one->data);
    put_service(d, one->data);
    put_entry(d, one->data);
    put_count(d, SKEP_STR("meta.dropped_attributes"), d->dropped);
    put_count(d, SKEP_STR("meta.cut_fields"), d->n_cut);
    if (odd_time)
        mark(d, SKEP_STR("meta.invalid_time"));
    return SKEP_EVENTS_TAKEN;
}

// --- requests ----------------------------------------------------------------------------------

struct skep_events_dec *skep_events_begin(struct skep_batch *b, const struct skep_events_opts *opts)
{
    struct skep_events_dec *d = skep_alloc(struct skep_events_dec);
    skep_assert(opts->expand_depth <= SKEP_EVENTS_DEPTH_MAX);
    d->b = b;
    d->opts = opts;
    d->alc = skep_json_alc(b->budget);
    skep_buf_init(&d->name, NAME_BYTES);
    skep_buf_init(&d->cut, SKEP_LIMIT_VALUE_BYTES);
    d->fields = (struct skep_json_fields){.put = put_field,
                                          .ctx = d,
                                          .alc = &d->alc,
                                          .depth = 1 + opts->expand_depth,
                                          .name = &d->name};
    d->dataset = skep_batch_intern(b, opts->dataset);
    return d;
}

skep_rc skep_events_done(struct skep_events_dec *d, bool *ret_timed)
{
    const struct skep_batch *b = d->b;
    skep_rc rc = b->over_budget || d->fields.no_memory ? SKEP_ENOMEM
                 : b->over_limit                       ? SKEP_ETOOLARGE
                                                       : SKEP_OK;
    *ret_timed = !d->untimed;
    skep_buf_done(&d->name);
    skep_buf_done(&d->cut);
    skep_free(d);
    return rc;
}

skep_rc skep_events_read(skep_bytes body, bool msgpack, const yyjson_alc *alc, yyjson_doc **ret,
                         skep_err *err)
{
    yyjson_read_err why = {.code = YYJSON_READ_SUCCESS};
    if (msgpack)
        return skep_msgpack_read(body, alc, ret, err);
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)body.p, body.n, 0, alc, &why);
    if (!doc && why.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return skep_fail(err, SKEP_ENOMEM, "no memory for the request");
    if (!doc)
        return skep_fail(err, SKEP_EMALFORMED, "%s at byte %zu", why.msg, why.pos);
    *ret = doc;
    return SKEP_OK;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * record.c - encoded spans read again, for exporters that do not speak OTLP
 *
 * Fields are walked in place with bounds checked, although waggle made them: records also come from
 * custom processors, and a reader that cannot be led astray is one fewer thing to think about.
 * Fields that are not known are stepped over.
 *
 * Threads: no state.
 */
#include "sdk_priv.h"

static uint64_t varint(struct waggle__reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (r->at == r->n)
            break;
        uint8_t c = r->p[r->at++];
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80)
            return v;
    }
    r->bad = true;
    return 0;
}

static uint64_t fixed(struct waggle__reader *r, size_t n)
{
    uint64_t v = 0;
    if (n > r->n - r->at) {
        r->bad = true;
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)r->p[r->at + i] << (8 * i);
    r->at += n;
    return v;
}

bool waggle__field_next(struct waggle__reader *r, struct waggle__field *ret_field)
{
    if (r->bad || r->at >= r->n)
        return false;
    uint64_t tag = varint(r);
    *ret_field = (struct waggle__field){.number = (uint32_t)(tag >> 3), .wire = (uint32_t)tag & 7};
    switch (ret_field->wire) {
    case WAGGLE__VARINT: ret_field->value = varint(r); break;
    case WAGGLE__FIXED64: ret_field->value = fixed(r, 8); break;
    case WAGGLE__FIXED32: ret_field->value = fixed(r, 4); break;
    case WAGGLE__LEN: {
        uint64_t n = varint(r);
        if (r->bad || n > r->n - r->at) {
            r->bad = true;
            return false;
        }
        ret_field->bytes = (waggle_str){(const char *)r->p + r->at, n};
        r->at += n;
        break;
    }
    default: r->bad = true;
    }
    return !r->bad;
}

static struct waggle__reader reader(waggle_str s)
{
    return (struct waggle__reader){(const uint8_t *)s.p, s.n, 0, false};
}

/* Only values of exactly the id's length are one. */
static void copy_id(uint8_t *ret, size_t n, const struct waggle__field *f)
{
    if (f->bytes.n == n)
        memcpy(ret, f->bytes.p, n);
}

static void read_status(waggle_str message, waggle_span_data *span)
{
    struct waggle__reader r = reader(message);
    struct waggle__field f;
    while (waggle__field_next(&r, &f)) {
        if (f.number == 2)
            span->status_message = f.bytes;
        else if (f.number == 3)
            span->status =
                f.value <= WAGGLE_STATUS_ERROR ? (enum waggle_status)f.value : WAGGLE_STATUS_UNSET;
    }
}

static void read_span_field(const struct waggle__field *f, waggle_span_data *span)
{
    switch (f->number) {
    case 1: copy_id(span->trace_id, 16, f); break;
    case 2: copy_id(span->span_id, 8, f); break;
    case 3: span->tracestate = f->bytes; break;
    case 4: copy_id(span->parent_span_id, 8, f); break;
    case 5: span->name = f->bytes; break;
    case 6:
        span->kind =
            f->value <= WAGGLE_KIND_CONSUMER ? (enum waggle_kind)f->value : WAGGLE_KIND_UNSET;
        break;
    case 7: span->start_ns = f->value; break;
    case 8: span->end_ns = f->value; break;
    case 10: span->dropped_attributes = (uint32_t)f->value; break;
    case 12: span->dropped_events = (uint32_t)f->value; break;
    case 14: span->dropped_links = (uint32_t)f->value; break;
    case 15: read_status(f->bytes, span); break;
    case 16: span->flags = (uint32_t)f->value; break;
    default: break;
    }
}

bool waggle_record_span(const waggle_record *record, waggle_span_data *ret_span)
{
    struct waggle__reader outer = {record->p, record->n, 0, false};
    struct waggle__field f;
    memset(ret_span, 0, sizeof *ret_span);
    if (!waggle__field_next(&outer, &f) || f.number != 2 || f.wire != WAGGLE__LEN)
        return false;
    ret_span->encoded = f.bytes;
    struct waggle__reader r = reader(f.bytes);
    while (waggle__field_next(&r, &f))
        read_span_field(&f, ret_span);
    return !r.bad;
}

/* --- walks --------------------------------------------------------------------------------- */

static void read_value(waggle_str message, waggle_value_data *ret)
{
    static const enum waggle_type types[] = {WAGGLE_EMPTY, WAGGLE_STR,  WAGGLE_BOOL, WAGGLE_I64,
                                             WAGGLE_F64,   WAGGLE_LIST, WAGGLE_MAP,  WAGGLE_BYTES};
    memset(ret, 0, sizeof *ret);
    struct waggle__reader r = reader(message);
    struct waggle__field f;
    while (waggle__field_next(&r, &f)) {
        if (f.number >= WAGGLE__COUNT(types))
            continue;
        ret->type = types[f.number];
        ret->str = f.number == 1 || f.number == 7 ? f.bytes : (waggle_str){NULL, 0};
        ret->encoded = f.number == 5 || f.number == 6 ? f.bytes : (waggle_str){NULL, 0};
        ret->boolean = f.number == 2 && f.value != 0;
        ret->i64 = f.number == 3 ? (int64_t)f.value : 0;
        ret->f64 = 0;
        if (f.number == 4)
            memcpy(&ret->f64, &f.value, 8);
    }
}

static void read_attr(waggle_str message, waggle_attr_data *ret)
{
    memset(ret, 0, sizeof *ret);
    struct waggle__reader r = reader(message);
    struct waggle__field f;
    while (waggle__field_next(&r, &f)) {
        if (f.number == 1)
            ret->key = f.bytes;
        else if (f.number == 2)
            read_value(f.bytes, &ret->value);
    }
}

/* The next field of that number (0: any), from the cursor on. */
bool waggle__next_of(waggle_str message, waggle_cursor *cursor, uint32_t number, waggle_str *ret)
{
    struct waggle__reader r = reader(message);
    struct waggle__field f;
    r.at = WAGGLE__MIN(cursor->at, r.n);
    while (waggle__field_next(&r, &f)) {
        cursor->at = r.at;
        if (f.wire == WAGGLE__LEN && (number == 0 || f.number == number)) {
            *ret = f.bytes;
            return true;
        }
    }
    cursor->at = message.n;
    return false;
}

bool waggle__next_attr(waggle_str message, waggle_cursor *cursor, uint32_t number,
                       waggle_attr_data *ret_attr)
{
    waggle_str bytes;
    if (!waggle__next_of(message, cursor, number, &bytes))
        return false;
    read_attr(bytes, ret_attr);
    return true;
}

bool waggle_span_data_attr(const waggle_span_data *span, waggle_cursor *cursor,
                           waggle_attr_data *ret_attr)
{
    return waggle__next_attr(span->encoded, cursor, 9, ret_attr);
}

bool waggle_event_data_attr(const waggle_event_data *event, waggle_cursor *cursor,
                            waggle_attr_data *ret_attr)
{
    return waggle__next_attr(event->encoded, cursor, 3, ret_attr);
}

bool waggle_link_data_attr(const waggle_link_data *link, waggle_cursor *cursor,
                           waggle_attr_data *ret_attr)
{
    return waggle__next_attr(link->encoded, cursor, 4, ret_attr);
}

bool waggle_attr_next(waggle_str encoded, waggle_cursor *cursor, waggle_attr_data *ret_attr)
{
    return waggle__next_attr(encoded, cursor, 0, ret_attr);
}

bool waggle_value_next(waggle_str encoded, waggle_cursor *cursor, waggle_value_data *ret_value)
{
    waggle_str bytes;
    if (!waggle__next_of(encoded, cursor, 1, &bytes))
        return false;
    read_value(bytes, ret_value);
    return true;
}

bool waggle_span_data_event(const waggle_span_data *span, waggle_cursor *cursor,
                            waggle_event_data *ret_event)
{
    waggle_str bytes;
    memset(ret_event, 0, sizeof *ret_event);
    if (!waggle__next_of(span->encoded, cursor, 11, &bytes))
        return false;
    ret_event->encoded = bytes;
    struct waggle__reader r = reader(bytes);
    struct waggle__field f;
    while (waggle__field_next(&r, &f)) {
        if (f.number == 1)
            ret_event->time_ns = f.value;
        else if (f.number == 2)
            ret_event->name = f.bytes;
        else if (f.number == 4)
            ret_event->dropped_attributes = (uint32_t)f.value;
    }
    return true;
}

bool waggle_span_data_link(const waggle_span_data *span, waggle_cursor *cursor,
                           waggle_link_data *ret_link)
{
    waggle_str bytes;
    memset(ret_link, 0, sizeof *ret_link);
    if (!waggle__next_of(span->encoded, cursor, 13, &bytes))
        return false;
    ret_link->encoded = bytes;
    struct waggle__reader r = reader(bytes);
    struct waggle__field f;
    while (waggle__field_next(&r, &f)) {
        switch (f.number) {
        case 1: copy_id(ret_link->trace_id, 16, &f); break;
        case 2: copy_id(ret_link->span_id, 8, &f); break;
        case 3: ret_link->tracestate = f.bytes; break;
        case 5: ret_link->dropped_attributes = (uint32_t)f.value; break;
        case 6: ret_link->flags = (uint32_t)f.value; break;
        default: break;
        }
    }
    return true;
}

/* --- log records --------------------------------------------------------------------------- */

static void read_log_field(const struct waggle__field *f, waggle_log_data *log)
{
    switch (f->number) {
    case 1: log->time_ns = f->value; break;
    case 2: log->severity = f->value <= 24 ? (int)f->value : 0; break;
    case 3: log->severity_text = f->bytes; break;
    case 5: read_value(f->bytes, &log->body); break;
    case 7: log->dropped_attributes = (uint32_t)f->value; break;
    case 8: log->flags = (uint32_t)f->value; break;
    case 9: copy_id(log->trace_id, 16, f); break;
    case 10: copy_id(log->span_id, 8, f); break;
    case 11: log->observed_ns = f->value; break;
    case 12: log->event_name = f->bytes; break;
    default: break;
    }
}

bool waggle_record_log(const waggle_record *record, waggle_log_data *ret_log)
{
    struct waggle__reader outer = {record->p, record->n, 0, false};
    struct waggle__field f;
    memset(ret_log, 0, sizeof *ret_log);
    if (!waggle__field_next(&outer, &f) || f.number != 2 || f.wire != WAGGLE__LEN)
        return false;
    ret_log->encoded = f.bytes;
    struct waggle__reader r = reader(f.bytes);
    while (waggle__field_next(&r, &f))
        read_log_field(&f, ret_log);
    return !r.bad;
}

bool waggle_log_data_attr(const waggle_log_data *log, waggle_cursor *cursor,
                          waggle_attr_data *ret_attr)
{
    return waggle__next_attr(log->encoded, cursor, 6, ret_attr);
}

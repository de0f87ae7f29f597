// SPDX-License-Identifier: Apache-2.0
/*
 * metric_record.c - encoded metrics read again, for exporters that do not speak OTLP
 *
 * Like record.c: bounds are checked, fields that are not known are stepped over.
 *
 * Threads: no state.
 */
#include "sdk_priv.h"

#include <math.h>

static struct waggle__reader reader_of(waggle_str s)
{
    return (struct waggle__reader){(const uint8_t *)s.p, s.n, 0, false};
}

static double double_of(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* --- metrics ------------------------------------------------------------------------------- */

static void read_data(waggle_metric_data *m)
{
    struct waggle__reader r = reader_of(m->encoded);
    struct waggle__field f;
    while (waggle__field_next(&r, &f)) {
        if (f.number == 2 && f.wire == WAGGLE__VARINT)
            m->temporality = f.value <= 2 ? (int)f.value : 0;
        else if (f.number == 3 && f.wire == WAGGLE__VARINT)
            m->is_monotonic = f.value != 0;
    }
}

static void read_metric_field(const struct waggle__field *f, waggle_metric_data *m)
{
    switch (f->number) {
    case 1: m->name = f->bytes; break;
    case 2: m->description = f->bytes; break;
    case 3: m->unit = f->bytes; break;
    case WAGGLE_METRIC_GAUGE:
    case WAGGLE_METRIC_SUM:
    case WAGGLE_METRIC_HISTOGRAM:
    case WAGGLE_METRIC_EXPONENTIAL:
        m->type = (enum waggle_metric_type)f->number;
        m->encoded = f->bytes;
        break;
    default: break;
    }
}

bool waggle_record_metric(const waggle_record *record, waggle_metric_data *ret_metric)
{
    struct waggle__reader outer = {record->p, record->n, 0, false};
    struct waggle__field f;
    memset(ret_metric, 0, sizeof *ret_metric);
    if (!waggle__field_next(&outer, &f) || f.number != 2 || f.wire != WAGGLE__LEN)
        return false;
    struct waggle__reader r = reader_of(f.bytes);
    while (waggle__field_next(&r, &f))
        if (f.wire == WAGGLE__LEN)
            read_metric_field(&f, ret_metric);
    read_data(ret_metric);
    return !r.bad && ret_metric->type != WAGGLE_METRIC_NONE;
}

/* --- data points --------------------------------------------------------------------------- */

static void read_number_field(const struct waggle__field *f, waggle_point_data *p)
{
    if (f->number == 4 && f->wire == WAGGLE__FIXED64) {
        p->is_double = true;
        p->f64 = double_of(f->value);
    } else if (f->number == 6 && f->wire == WAGGLE__FIXED64) {
        p->i64 = (int64_t)f->value;
    }
}

static void read_histogram_field(const struct waggle__field *f, waggle_point_data *p)
{
    switch (f->number) {
    case 4: p->count = f->value; break;
    case 5:
        p->has_sum = true;
        p->sum = double_of(f->value);
        break;
    case 6: p->counts = f->bytes; break;
    case 7: p->bounds = f->bytes; break;
    case 11:
        p->has_min_max = true;
        p->min = double_of(f->value);
        break;
    case 12: p->max = double_of(f->value); break;
    default: break;
    }
}

static int unzigzag(uint64_t v)
{
    uint32_t n = (uint32_t)v;
    return (int)(n >> 1 ^ (0u - (n & 1)));
}

static void read_buckets(waggle_str message, int *ret_offset, waggle_str *ret_counts)
{
    struct waggle__reader r = reader_of(message);
    struct waggle__field f;
    while (waggle__field_next(&r, &f)) {
        if (f.number == 1)
            *ret_offset = unzigzag(f.value);
        else if (f.number == 2)
            *ret_counts = f.bytes;
    }
}

static void read_exponential_field(const struct waggle__field *f, waggle_point_data *p)
{
    switch (f->number) {
    case 4: p->count = f->value; break;
    case 5:
        p->has_sum = true;
        p->sum = double_of(f->value);
        break;
    case 6: p->scale = unzigzag(f->value); break;
    case 7: p->zero_count = f->value; break;
    case 8: read_buckets(f->bytes, &p->positive_offset, &p->positive); break;
    case 9: read_buckets(f->bytes, &p->negative_offset, &p->negative); break;
    case 12:
        p->has_min_max = true;
        p->min = double_of(f->value);
        break;
    case 13: p->max = double_of(f->value); break;
    default: break;
    }
}

bool waggle_metric_data_point(const waggle_metric_data *metric, waggle_cursor *cursor,
                              waggle_point_data *ret_point)
{
    waggle_str bytes;
    memset(ret_point, 0, sizeof *ret_point);
    if (!waggle__next_of(metric->encoded, cursor, 1, &bytes))
        return false;
    ret_point->type = metric->type;
    ret_point->encoded = bytes;
    struct waggle__reader r = reader_of(bytes);
    struct waggle__field f;
    while (waggle__field_next(&r, &f)) {
        if (f.number == 2)
            ret_point->start_ns = f.value;
        else if (f.number == 3)
            ret_point->time_ns = f.value;
        else if (metric->type == WAGGLE_METRIC_HISTOGRAM)
            read_histogram_field(&f, ret_point);
        else if (metric->type == WAGGLE_METRIC_EXPONENTIAL)
            read_exponential_field(&f, ret_point);
        else
            read_number_field(&f, ret_point);
    }
    return true;
}

/* Where attributes and exemplars stand in a point of that type. */
static uint32_t attributes_field(enum waggle_metric_type type)
{
    return type == WAGGLE_METRIC_HISTOGRAM ? 9 : type == WAGGLE_METRIC_EXPONENTIAL ? 1 : 7;
}

static uint32_t exemplars_field(enum waggle_metric_type type)
{
    return type == WAGGLE_METRIC_HISTOGRAM ? 8 : type == WAGGLE_METRIC_EXPONENTIAL ? 11 : 5;
}

bool waggle_point_data_attr(const waggle_point_data *point, waggle_cursor *cursor,
                            waggle_attr_data *ret_attr)
{
    return waggle__next_attr(point->encoded, cursor, attributes_field(point->type), ret_attr);
}

bool waggle_point_data_exemplar(const waggle_point_data *point, waggle_cursor *cursor,
                                waggle_exemplar_data *ret_exemplar)
{
    waggle_str bytes;
    memset(ret_exemplar, 0, sizeof *ret_exemplar);
    if (!waggle__next_of(point->encoded, cursor, exemplars_field(point->type), &bytes))
        return false;
    ret_exemplar->encoded = bytes;
    struct waggle__reader r = reader_of(bytes);
    struct waggle__field f;
    while (waggle__field_next(&r, &f)) {
        if (f.number == 2)
            ret_exemplar->time_ns = f.value;
        else if (f.number == 3)
            ret_exemplar->f64 = double_of(f.value);
        else if (f.number == 6)
            ret_exemplar->i64 = (int64_t)f.value;
        else if (f.number == 4 && f.bytes.n == sizeof ret_exemplar->span_id)
            memcpy(ret_exemplar->span_id, f.bytes.p, f.bytes.n);
        else if (f.number == 5 && f.bytes.n == sizeof ret_exemplar->trace_id)
            memcpy(ret_exemplar->trace_id, f.bytes.p, f.bytes.n);
        ret_exemplar->is_double |= f.number == 3;
    }
    return true;
}

bool waggle_exemplar_data_attr(const waggle_exemplar_data *exemplar, waggle_cursor *cursor,
                               waggle_attr_data *ret_attr)
{
    return waggle__next_attr(exemplar->encoded, cursor, 7, ret_attr);
}

/* --- buckets ------------------------------------------------------------------------------- */

static uint64_t le64_at(waggle_str s, size_t at)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < 8; i++)
        v |= (uint64_t)(unsigned char)s.p[at + i] << (8 * i);
    return v;
}

bool waggle_bucket_next(const waggle_point_data *point, waggle_cursor *cursor, uint64_t *ret_count,
                        double *ret_upper)
{
    if (cursor->at > point->counts.n || point->counts.n - cursor->at < 8)
        return false;
    *ret_count = le64_at(point->counts, cursor->at);
    bool last = cursor->at > point->bounds.n || point->bounds.n - cursor->at < 8;
    *ret_upper = last ? (double)INFINITY : double_of(le64_at(point->bounds, cursor->at));
    cursor->at += 8;
    return true;
}

bool waggle_count_next(waggle_str counts, waggle_cursor *cursor, uint64_t *ret_count)
{
    uint64_t v = 0;
    unsigned shift = 0;
    while (cursor->at < counts.n && shift < 64) {
        uint8_t c = (uint8_t)counts.p[cursor->at++];
        v |= (uint64_t)(c & 0x7f) << shift;
        shift += 7;
        if (c < 0x80) {
            *ret_count = v;
            return true;
        }
    }
    return false;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * collect.c - points as records: what a reader has to send
 *
 *   record: 12 Metric { 0A name  12 description  1A unit
 *                       data { (0A point)*  10 temporality  18 1 if it only grows } }
 *   point:  11 start  19 time  the aggregation's own  attributes  exemplars
 *
 * Differences empty a stripe when it is read; a point that was not measured in an interval is given
 * back, and so is one that was not observed. A point's stripes are read one after another: what is
 * measured meanwhile is in this collection or in the next one, never in both or in none.
 *
 * Threads: one at a time for a reader.
 */
#include "metrics_priv.h"

#include <stdlib.h>

/* --- callbacks ----------------------------------------------------------------------------- */

static void call_back(void *self, const struct waggle_callback *callback)
{
    struct waggle_reader *reader = self;
    struct waggle_observer observer = {reader, callback};
    struct waggle_provider *mine = atomic_load_explicit(&reader->provider, memory_order_relaxed);
    const struct waggle_tracer *meter = callback->instruments[0]->meter;
    if (atomic_load_explicit(&meter->provider, memory_order_acquire) == mine)
        callback->fn(callback->self, &observer);
}

/* --- points -------------------------------------------------------------------------------- */

/* Merge the stripes into the stream's scratch; true if something was measured. */
static bool read_stripes(struct waggle__stream *s, struct waggle__point *p)
{
    bool any = false;
    bool empties = s->is_delta || s->is_async;
    s->aggregator->reset(s, s->scratch);
    for (size_t i = 0; i < s->n_stripes; i++) {
        struct waggle__stripe *stripe = waggle__stripe_wait(s, p, i);
        if (stripe->used) {
            any = true;
            s->aggregator->merge(s, s->scratch, stripe->state);
        }
        if (stripe->used && empties) {
            stripe->used = 0;
            s->aggregator->reset(s, stripe->state);
        }
        waggle__stripe_unlock(stripe);
    }
    return any;
}

/* What an observed sum has grown by. */
static struct waggle__number difference(struct waggle__stream *s, struct waggle__point *p)
{
    struct waggle__number now = waggle__scalar_of(s, s->scratch);
    struct waggle__number d = now;
    if (s->is_double)
        d.as.f64 = now.as.f64 - p->previous.as.f64;
    else
        d.as.i64 = (int64_t)((uint64_t)now.as.i64 - (uint64_t)p->previous.as.i64);
    p->previous = now;
    return d;
}

static void encode_point(struct waggle_reader *r, struct waggle__stream *s, struct waggle__point *p,
                         uint64_t now_ns)
{
    struct waggle__buf *out = &r->point;
    out->n = 0;
    waggle__buf_fixed(out, 0x11, s->start_ns);
    waggle__buf_fixed(out, 0x19, now_ns);
    if (s->is_async && s->is_delta && s->aggregator == &waggle__aggregate_sum)
        waggle__scalar_encode(difference(s, p), out);
    else
        s->aggregator->encode(s, s->scratch, out);
    waggle__buf_put(out, p->encoded, p->encoded_n);
    if (p->exemplars != NULL)
        waggle__exemplars_take(s, p->exemplars, out);
    waggle__buf_field(&r->points, 1, out->p, out->n);
}

static uint64_t encode_points(struct waggle_reader *r, struct waggle__stream *s, uint64_t now_ns)
{
    uint64_t n = 0;
    struct waggle__point *p = atomic_load_explicit(&s->points, memory_order_acquire);
    const struct waggle__point *overflow = atomic_load_explicit(&s->overflow, memory_order_relaxed);
    r->points.n = 0;
    for (; p != NULL; p = atomic_load_explicit(&p->next, memory_order_acquire)) {
        if (atomic_load_explicit(&p->hash, memory_order_relaxed) == 0)
            continue;
        if (read_stripes(s, p)) {
            encode_point(r, s, p, now_ns);
            n++;
        } else if ((s->is_delta || s->is_async) && p != overflow) {
            waggle__point_retire(s, p);
        }
    }
    return n;
}

/* --- records ------------------------------------------------------------------------------- */

static void put_text_field(struct waggle__buf *out, uint32_t field, const char *s)
{
    if (s[0] != '\0')
        waggle__buf_field(out, field, s, strlen(s));
}

static size_t text_field_size(const char *s)
{
    size_t n = strlen(s);
    return n > 0 ? 1 + waggle__varint_n(n) + n : 0;
}

/* The points, wrapped. False without memory. */
static bool encode_metric(struct waggle_reader *r, const struct waggle__stream *s)
{
    bool is_gauge = s->aggregator == &waggle__aggregate_last;
    bool tells_growth = s->is_monotonic && s->aggregator == &waggle__aggregate_sum;
    size_t data = r->points.n + (is_gauge ? 0 : 2) + (tells_growth ? 2 : 0);
    size_t metric = text_field_size(s->name) + text_field_size(s->description) +
                    text_field_size(s->unit) + 1 + waggle__varint_n(data) + data;
    struct waggle__buf *out = &r->records;
    waggle__buf_varint(out, 0x12);
    waggle__buf_varint(out, metric);
    put_text_field(out, 1, s->name);
    put_text_field(out, 2, s->description);
    put_text_field(out, 3, s->unit);
    waggle__buf_varint(out, s->aggregator->data_tag);
    waggle__buf_varint(out, data);
    waggle__buf_put(out, r->points.p, r->points.n);
    if (!is_gauge) {
        const uint8_t temporality[] = {0x10, s->is_delta ? WAGGLE_DELTA : WAGGLE_CUMULATIVE};
        waggle__buf_put(out, temporality, sizeof temporality);
    }
    if (tells_growth)
        waggle__buf_put(out, "\x18\x01", 2);
    return !out->bad && !r->points.bad && !r->point.bad;
}

static bool room_for_record(struct waggle_reader *r)
{
    if (r->n_list < r->cap_list)
        return true;
    size_t cap = r->cap_list ? 2 * r->cap_list : 32;
    waggle_record *more = realloc(r->list, cap * sizeof *more);
    if (more == NULL)
        return false;
    r->list = more;
    r->cap_list = cap;
    return true;
}

/* One stream; its record's place is an offset until all are there. */
static void collect_stream(struct waggle_reader *r, struct waggle__stream *s, uint64_t now_ns)
{
    uint64_t time_ns = now_ns > s->start_ns ? now_ns : s->start_ns; // the clock may be set back
    uint64_t n = encode_points(r, s, time_ns);
    size_t from = r->records.n;
    if (s->is_delta)
        s->start_ns = time_ns;
    if (n == 0)
        return;
    if (!room_for_record(r) || !encode_metric(r, s)) {
        r->records.n = from;
        r->records.bad = r->points.bad = r->point.bad = false;
        waggle__count_any(WAGGLE__POINTS_FAILED, n);
        waggle__error(WAGGLE_LEVEL_ERROR, "no memory for metric %s, dropping its points", s->name);
        return;
    }
    r->list[r->n_list++] =
        (waggle_record){NULL, (uint32_t)(r->records.n - from), s->instrument->meter->scope};
    r->n_points += n;
}

size_t waggle__scopes_now(const waggle_scope_info *ret_scopes[WAGGLE__SCOPES_MAX])
{
    size_t n = 0;
    while (n < WAGGLE__SCOPES_MAX) {
        ret_scopes[n] = atomic_load_explicit(&waggle__scopes[n], memory_order_acquire);
        if (ret_scopes[n] == NULL)
            break;
        n++;
    }
    return n;
}

bool waggle__collect(struct waggle_reader *r, waggle_batch *ret_batch)
{
    const struct waggle_provider *provider =
        atomic_load_explicit(&r->provider, memory_order_acquire);
    waggle__callbacks_each(call_back, r);
    uint64_t now_ns = waggle__os.realtime_ns();
    r->records.n = r->n_list = 0;
    r->n_points = 0;
    struct waggle__stream *s = atomic_load_explicit(&r->streams, memory_order_acquire);
    for (; s != NULL; s = atomic_load_explicit(&s->next, memory_order_acquire))
        if (s->aggregator != NULL)
            collect_stream(r, s, now_ns);
    const uint8_t *at = r->records.p;
    for (size_t i = 0; i < r->n_list; i++) {
        r->list[i].p = at;
        at += r->list[i].n;
    }
    *ret_batch = (waggle_batch){
        .struct_size = sizeof *ret_batch,
        .signal = WAGGLE_SIGNAL_METRICS,
        .resource = &provider->resource_info,
        .scopes = r->scopes,
        .n_scopes = waggle__scopes_now(r->scopes),
        .records = r->list,
        .n_records = r->n_list,
    };
    return r->n_list > 0;
}

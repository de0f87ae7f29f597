// SPDX-License-Identifier: Apache-2.0
/* The row order of a segment (of spans; of logs: log_order.c).
 *
 * Rows are ordered by (anchor, trace id, start, row id), where the anchor is the first start of the
 * trace among the rows that go into the segment; a row without a trace is a trace of its own.  So
 * the rows of a trace are neighbours, traces stand by time, and equal inputs give equal orders
 * whatever they were split into.
 *
 *   1. read the keys of every live row: time, trace, row id            (per row 32 bytes)
 *   2. number the traces by hash, remember each one's anchor and size
 *   3. sort the traces; their sizes give each its place
 *   4. put the rows into their trace's place (counting sort), sort inside the trace
 *
 * Segments are in this order already: a merge of segments alone is streamed (trace_merge.c).
 *
 * I1  the order is total: row ids are unique.
 * I2  all memory is asked from job->budget before it is allocated.
 * Threads: one. */
#include "store/column/trace_order.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/column/log_order.h"
#include "store/column/trace_merge.h"

struct key {
    int64_t time_ns;
    uint64_t seq;
    uint32_t ordinal, trace, source, row;
};

struct trace {
    skep_trace_id id;
    int64_t anchor_ns;
    uint32_t n, number; /* rows; position before sorting */
};

struct skep_order {
    const struct skep_segment_job *job;
    struct skep_log_order *logs;    /* the other layout: instead of all below */
    struct skep_trace_merge *merge; /* streams instead of all below */
    uint64_t charged_bytes;
    struct key *keys;
    uint32_t *sorted; /* indexes into keys, in order */
    uint64_t n_rows, at;
    struct trace *traces;
    size_t n_traces, cap_traces;
    struct skep_index index;
    uint64_t index_bytes;
};

static skep_rc charge(struct skep_order *o, uint64_t bytes, skep_err *err)
{
    SKEP_TRY(skep_budget_take(o->job->budget, bytes, err));
    o->charged_bytes += bytes;
    return SKEP_OK;
}

static bool has_trace(const skep_trace_id *id)
{
    static const skep_trace_id none;
    return memcmp(id, &none, sizeof none) != 0;
}

static uint64_t hash_id(const skep_trace_id *id)
{
    return skep_hash((skep_bytes){id->b, sizeof id->b});
}

/* The array of traces and its index grow by doubling, within the budget. */
static skep_rc grow_traces(struct skep_order *o, skep_err *err)
{
    if (o->n_traces < o->cap_traces)
        return SKEP_OK;
    size_t cap = o->cap_traces ? o->cap_traces * 2 : 1024;
    if (cap > UINT32_MAX / 2)
        return skep_fail(err, SKEP_ENOMEM, "too many traces for one segment");
    SKEP_TRY(charge(o, cap * (sizeof(struct trace) + 32), err));
    o->traces = skep_realloc(o->traces, cap * sizeof *o->traces);
    o->cap_traces = cap;
    return SKEP_OK;
}

static skep_rc number_trace(struct skep_order *o, const skep_trace_id *id, int64_t time_ns,
                            uint32_t *ret, skep_err *err)
{
    bool named = has_trace(id);
    uint64_t h = 0;
    if (named) {
        h = hash_id(id);
        struct skep_index_it it = skep_index_begin(&o->index, h);
        for (uint32_t i; (i = skep_index_next(&o->index, &it)) != SKEP_INDEX_NONE;) {
            if (memcmp(&o->traces[i].id, id, sizeof *id) == 0) {
                *ret = i;
                return SKEP_OK;
            }
        }
    }
    SKEP_TRY(grow_traces(o, err));
    uint32_t i = (uint32_t)o->n_traces++;
    o->traces[i] = (struct trace){.id = *id, .anchor_ns = time_ns, .number = i};
    if (named)
        skep_index_add(&o->index, h, i);
    *ret = i;
    return SKEP_OK;
}

/* Readers of the key columns of one source. */
struct key_readers {
    struct skep_colreader *time, *trace, *seq, *ordinal;
};

static void close_readers(struct key_readers *r)
{
    struct skep_colreader *all[] = {r->time, r->trace, r->seq, r->ordinal};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++)
        if (all[i])
            all[i]->ops->close(all[i]);
}

static skep_rc open_readers(struct skep_rowset *rs, struct key_readers *r, skep_err *err)
{
    *r = (struct key_readers){0};
    SKEP_TRY(rs->ops->open_column(rs, SKEP_COL_TIME, &r->time, err));
    SKEP_TRY(rs->ops->open_column(rs, SKEP_COL_TRACE_ID, &r->trace, err));
    SKEP_TRY(rs->ops->open_column(rs, SKEP_COL_SEQ, &r->seq, err));
    return rs->ops->open_column(rs, SKEP_COL_ORDINAL, &r->ordinal, err);
}

static int64_t int_at(const struct skep_vec *v, uint32_t i)
{
    return v->none ? 0 : v->i64[v->constant ? 0 : i];
}

static skep_rc add_block(struct skep_order *o, const struct key_readers *r, uint32_t source,
                         uint64_t row0, skep_err *err)
{
    static const skep_trace_id none;
    const struct skep_segment_source *src = &o->job->sources[source];
    unsigned n = skep_rowset_block_rows(src->rowset, row0 / SKEP_BLOCK_ROWS);
    if (n == 0)
        return SKEP_OK;
    struct skep_vec time, trace, seq, ordinal;
    SKEP_TRY(r->time->ops->read(r->time, row0, n, &time, err));
    SKEP_TRY(r->trace->ops->read(r->trace, row0, n, &trace, err));
    SKEP_TRY(r->seq->ops->read(r->seq, row0, n, &seq, err));
    SKEP_TRY(r->ordinal->ops->read(r->ordinal, row0, n, &ordinal, err));
    uint32_t last = UINT32_MAX;
    for (unsigned i = 0; i < n; i++) {
        if (!skep_live_has(src->live, row0 + i))
            continue;
        const skep_trace_id *id = trace.none ? &none : &trace.id16[trace.constant ? 0 : i];
        int64_t t = int_at(&time, i);
        if (last == UINT32_MAX || !has_trace(id) ||
            memcmp(&o->traces[last].id, id, sizeof *id) != 0)
            SKEP_TRY(number_trace(o, id, t, &last, err));
        struct trace *tr = &o->traces[last];
        tr->anchor_ns = SKEP_MIN(tr->anchor_ns, t);
        tr->n++;
        o->keys[o->n_rows++] = (struct key){.time_ns = t,
                                            .seq = (uint64_t)int_at(&seq, i),
                                            .ordinal = (uint32_t)int_at(&ordinal, i),
                                            .trace = last,
                                            .source = source,
                                            .row = (uint32_t)(row0 + i)};
    }
    return SKEP_OK;
}

static skep_rc add_source(struct skep_order *o, uint32_t source, skep_err *err)
{
    struct skep_rowset *rs = o->job->sources[source].rowset;
    struct key_readers r;
    skep_rc rc = open_readers(rs, &r, err);
    for (uint64_t row = 0; rc == SKEP_OK && row < rs->row_end; row += SKEP_BLOCK_ROWS) {
        if (o->job->canceled && o->job->canceled(o->job->ctx))
            rc = skep_fail(err, SKEP_ECANCELED, "segment write canceled");
        else
            rc = add_block(o, &r, source, row, err);
    }
    close_readers(&r);
    return rc;
}

static int by_anchor(const void *a, const void *b)
{
    const struct trace *x = a, *y = b;
    if (x->anchor_ns != y->anchor_ns)
        return x->anchor_ns < y->anchor_ns ? -1 : 1;
    int c = memcmp(&x->id, &y->id, sizeof x->id);
    /* Traceless rows of one time: place_rows() orders them by row id. */
    return c != 0 ? c : (x->number > y->number) - (x->number < y->number);
}

static inline bool key_before(const struct key *a, const struct key *b)
{
    if (a->time_ns != b->time_ns)
        return a->time_ns < b->time_ns;
    return a->seq != b->seq ? a->seq < b->seq : a->ordinal < b->ordinal;
}

/* Heap sort for the long ones, insertion for the usual few. */
static void sift(const struct key *keys, uint32_t *v, size_t at, size_t n)
{
    for (size_t child; (child = at * 2 + 1) < n; at = child) {
        if (child + 1 < n && key_before(&keys[v[child]], &keys[v[child + 1]]))
            child++;
        if (!key_before(&keys[v[at]], &keys[v[child]]))
            return;
        uint32_t t = v[at];
        v[at] = v[child];
        v[child] = t;
    }
}

static void sort_span(const struct key *keys, uint32_t *v, size_t n)
{
    if (n <= 48) {
        for (size_t i = 1; i < n; i++) {
            uint32_t x = v[i];
            size_t j = i;
            for (; j > 0 && key_before(&keys[x], &keys[v[j - 1]]); j--)
                v[j] = v[j - 1];
            v[j] = x;
        }
        return;
    }
    for (size_t i = n / 2; i-- > 0;)
        sift(keys, v, i, n);
    for (size_t i = n; i-- > 1;) {
        uint32_t t = v[0];
        v[0] = v[i];
        v[i] = t;
        sift(keys, v, 0, i);
    }
}

/* Put each row where its trace stands; order the rows inside. */
static skep_rc place_rows(struct skep_order *o, skep_err *err)
{
    SKEP_TRY(charge(o, o->n_rows * 4 + o->n_traces * 4, err));
    o->sorted = skep_malloc(o->n_rows * 4);
    uint32_t *place = skep_malloc(o->n_traces * 4 + 4);
    qsort(o->traces, o->n_traces, sizeof *o->traces, by_anchor);
    uint32_t at = 0;
    for (size_t t = 0; t < o->n_traces; t++) {
        place[o->traces[t].number] = at;
        at += o->traces[t].n;
    }
    skep_assert(at == o->n_rows);
    for (uint32_t i = 0; i < o->n_rows; i++)
        o->sorted[place[o->keys[i].trace]++] = i;
    skep_free(place);
    at = 0;
    for (size_t t = 0; t < o->n_traces;) {
        const struct trace *first = &o->traces[t];
        uint32_t n = 0;
        for (; t < o->n_traces && o->traces[t].anchor_ns == first->anchor_ns &&
               memcmp(&o->traces[t].id, &first->id, sizeof first->id) == 0;
             t++)
            n += o->traces[t].n;
        sort_span(o->keys, o->sorted + at, n);
        at += n;
    }
    skep_assert(at == o->n_rows);
    return SKEP_OK;
}

/* The traces and their index are needed no more. */
static void drop_traces(struct skep_order *o)
{
    uint64_t bytes = o->cap_traces ? (o->cap_traces * 2 - 1024) * (sizeof(struct trace) + 32) : 0;
    skep_free(o->traces);
    o->traces = NULL;
    o->cap_traces = 0;
    skep_index_done(&o->index);
    skep_assert(bytes <= o->charged_bytes);
    skep_budget_give(o->job->budget, bytes);
    o->charged_bytes -= bytes;
}

static skep_rc collect(struct skep_order *o, skep_err *err)
{
    uint64_t rows = 0;
    for (unsigned s = 0; s < o->job->n_sources; s++)
        rows += o->job->sources[s].live ? o->job->sources[s].live->n_live
                                        : o->job->sources[s].rowset->n_rows;
    if (rows >= UINT32_MAX)
        return skep_fail(err, SKEP_EINVAL, "too many rows for one segment");
    SKEP_TRY(charge(o, rows * sizeof(struct key), err));
    o->keys = skep_malloc(rows * sizeof(struct key));
    for (unsigned s = 0; s < o->job->n_sources; s++)
        SKEP_TRY(add_source(o, s, err));
    skep_assert(o->n_rows == rows);
    return SKEP_OK;
}

skep_rc skep_order_new(const struct skep_segment_job *job, struct skep_order **ret, skep_err *err)
{
    skep_assert(job->budget && job->sources);
    struct skep_order *o = skep_alloc(struct skep_order);
    o->job = job;
    if (job->layout == SKEP_LAYOUT_LOGS) {
        skep_rc rc = skep_log_order_new(job, &o->logs, err);
        if (rc != SKEP_OK)
            skep_order_free(o);
        else
            *ret = o;
        return rc;
    }
    bool merge = skep_trace_merge_fits(job);
    skep_rc rc = merge ? skep_trace_merge_new(job, &o->merge, err) : collect(o, err);
    if (rc == SKEP_OK && !merge)
        rc = place_rows(o, err);
    if (rc != SKEP_OK) {
        skep_order_free(o);
        return rc;
    }
    drop_traces(o);
    *ret = o;
    return SKEP_OK;
}

skep_rc skep_order_next(struct skep_order *o, struct skep_order_row *rows, uint32_t max,
                        uint32_t *ret_n, skep_err *err)
{
    if (o->logs)
        return skep_log_order_next(o->logs, rows, max, ret_n, err);
    if (o->merge)
        return skep_trace_merge_next(o->merge, rows, max, ret_n, err);
    uint32_t n = (uint32_t)SKEP_MIN((uint64_t)max, o->n_rows - o->at);
    for (uint32_t i = 0; i < n; i++) {
        const struct key *k = &o->keys[o->sorted[o->at + i]];
        rows[i] = (struct skep_order_row){k->source, k->row};
    }
    o->at += n;
    *ret_n = n;
    return SKEP_OK;
}

uint64_t skep_order_rows(const struct skep_order *o)
{
    return o->merge ? 0 : o->n_rows;
}

bool skep_order_whole(const struct skep_order *o, struct skep_order_group *ret)
{
    return o->merge && skep_trace_merge_whole(o->merge, ret);
}

skep_rc skep_order_take(struct skep_order *o, skep_err *err)
{
    skep_assert(o->merge);
    return skep_trace_merge_take(o->merge, err);
}

void skep_order_free(struct skep_order *o)
{
    if (!o)
        return;
    skep_budget_give(o->job->budget, o->charged_bytes);
    skep_log_order_free(o->logs);
    skep_trace_merge_free(o->merge);
    skep_free(o->keys);
    skep_free(o->sorted);
    skep_free(o->traces);
    skep_index_done(&o->index);
    skep_free(o);
}

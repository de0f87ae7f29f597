// SPDX-License-Identifier: Apache-2.0
/* Records of what is lost.
 *
 *   tag 11 | kind | number | first commit | last commit | rows | first start | last start | found
 *
 * Recovery writes one for each hole of the log, `skep repair` one for each segment or row group it
 * had to set aside.  As long as a record stands, answers over its time say complete:false and what
 * is missing.  It goes when its rows would have expired anyway, or when an operator settles it.
 *
 * I1  the list is a fold over the records in order: FORGET empties it.
 *
 * Threads: none of its own.  Memory: the list. */
#include "store/column/missing.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/mem.h"
#include "wire/rfc3339.h"

enum { TAG = 11 };

void skep_missing__put(struct skep_buf *b, const struct skep_missing *m)
{
    skep_assert(m->kind < SKEP_MISSING_KINDS);
    skep_buf_u64(b, TAG);
    skep_buf_u64(b, m->kind);
    skep_buf_u64(b, m->number);
    skep_buf_u64(b, m->min_seq);
    skep_buf_u64(b, m->max_seq);
    skep_buf_u64(b, m->rows);
    skep_buf_u64(b, (uint64_t)m->min_start_ns);
    skep_buf_u64(b, (uint64_t)m->max_start_ns);
    skep_buf_u64(b, (uint64_t)m->found_ns);
}

skep_rc skep_missing__apply(struct skep_missing_list *l, skep_rd *r)
{
    struct skep_missing m = {.kind = skep_rd_u64(r)};
    m.number = skep_rd_u64(r);
    m.min_seq = skep_rd_u64(r);
    m.max_seq = skep_rd_u64(r);
    m.rows = skep_rd_u64(r);
    m.min_start_ns = (int64_t)skep_rd_u64(r);
    m.max_start_ns = (int64_t)skep_rd_u64(r);
    m.found_ns = (int64_t)skep_rd_u64(r);
    if (r->bad || m.kind >= SKEP_MISSING_KINDS || m.min_seq > m.max_seq ||
        m.min_start_ns > m.max_start_ns)
        return SKEP_ECORRUPT;
    if (m.kind == SKEP_MISSING_FORGET)
        l->n = 0; /* I1 */
    else
        skep_missing__add(l, &m);
    return SKEP_OK;
}

void skep_missing__add(struct skep_missing_list *l, const struct skep_missing *m)
{
    skep_assert(m->kind != SKEP_MISSING_FORGET && m->kind < SKEP_MISSING_KINDS);
    SKEP_GROW(l->items, l->n, l->cap);
    l->items[l->n++] = *m;
}

bool skep_missing__has(const struct skep_missing_list *l, const struct skep_missing *m)
{
    for (unsigned i = 0; i < l->n; i++) {
        const struct skep_missing *x = &l->items[i];
        if (x->kind == m->kind && x->min_seq == m->min_seq && x->max_seq == m->max_seq &&
            (m->kind != SKEP_MISSING_SEGMENT || x->number == m->number))
            return true;
    }
    return false;
}

void skep_missing__copy(struct skep_missing_list *to, const struct skep_missing_list *from)
{
    skep_assert(to != from);
    to->n = 0;
    for (unsigned i = 0; i < from->n; i++)
        skep_missing__add(to, &from->items[i]);
}

void skep_missing__done(struct skep_missing_list *l)
{
    skep_free(l->items);
    *l = (struct skep_missing_list){0};
}

uint64_t skep_missing__rows(const struct skep_missing_list *l)
{
    uint64_t rows = 0;
    for (unsigned i = 0; i < l->n; i++)
        if (l->items[i].rows != SKEP_MISSING_ROWS_UNKNOWN)
            rows += l->items[i].rows;
    return rows;
}

uint64_t skep_missing__at_most(const struct skep_missing *m)
{
    if (m->kind == SKEP_MISSING_LOG)
        return 0;
    return m->rows == SKEP_MISSING_ROWS_UNKNOWN ? UINT32_MAX : m->rows;
}

static void put_time(struct skep_buf *out, skep_ts_ns ns)
{
    char text[SKEP_RFC3339_BYTES];
    size_t n = skep_rfc3339(ns, 3, text);
    skep_buf_put(out, text, n);
}

static void put_times(struct skep_buf *out, const struct skep_missing *m)
{
    if (m->min_start_ns == INT64_MIN && m->max_start_ns == INT64_MAX) {
        skep_buf_str(out, SKEP_STR("at times not known"));
        return;
    }
    put_time(out, m->min_start_ns);
    skep_buf_str(out, SKEP_STR(" to "));
    put_time(out, m->max_start_ns);
}

void skep_missing__text(struct skep_buf *out, const struct skep_missing *m)
{
    if (m->rows == SKEP_MISSING_ROWS_UNKNOWN)
        skep_buf_str(out, SKEP_STR("an unknown number of rows"));
    else
        skep_buf_printf(out, "%" PRIu64 " row%s", m->rows, m->rows == 1 ? "" : "s");
    if (m->kind == SKEP_MISSING_SEGMENT)
        skep_buf_printf(out, " of segment %016" PRIx64, m->number);
    else if (m->kind == SKEP_MISSING_LOG)
        skep_buf_printf(out, " of log %016" PRIx64, m->number);
    else
        skep_buf_str(out, SKEP_STR(", expired or lost,"));
    if (m->min_seq == 0)
        skep_buf_str(out, SKEP_STR(" (commits not known, "));
    else if (m->min_seq == m->max_seq)
        skep_buf_printf(out, " (commit %" PRIu64 ", ", m->min_seq);
    else
        skep_buf_printf(out, " (commits %" PRIu64 " to %" PRIu64 ", ", m->min_seq, m->max_seq);
    put_times(out, m);
    skep_buf_u8(out, ')');
}

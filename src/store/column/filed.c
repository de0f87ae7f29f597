// SPDX-License-Identifier: Apache-2.0
/* The time a row is filed under: what retention goes by.
 *
 *   its own, or, when that lies before the retention or more than a day ahead of its arrival, its
 *   arrival's
 *
 * So a clock that stands in 1970 or 2100 neither makes its rows vanish at once nor live for ever.
 * Such a row keeps its timestamp, is found under it, and carries meta.misdated = true from its
 * arrival on.  In a segment it lies at the end of its layout's order, where it widens the bounds of
 * a block or two, not those of the good rows.
 *
 * Threads: any. */
#include "store/column/engine.h"

#include "base/mem.h"
#include "store/column/part.h"

#define DAY_NS (86400ll * 1000000000)

/* Times that count as sent, for something that came at `received`. */
struct window {
    skep_ts_ns from, to;
};

static struct window window_of(const struct skep_engine *e, skep_ts_ns received)
{
    struct window w = {INT64_MIN, INT64_MAX};
    if (e->retain_ns > 0 && SKEP_SUB_OVERFLOW(received, e->retain_ns, &w.from))
        w.from = INT64_MIN;
    if (SKEP_ADD_OVERFLOW(received, DAY_NS, &w.to))
        w.to = INT64_MAX;
    return w;
}

void skep_engine__mark_misdated(const struct skep_engine *e, struct skep_batch *b)
{
    const struct window w = window_of(e, b->received_ns);
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->n_rows; i++)
        n += b->time_ns[i] < w.from || b->time_ns[i] > w.to;
    uint32_t *rows = n ? skep_alloc_n(uint32_t, n) : NULL;
    uint32_t at = 0;
    for (uint32_t i = 0; i < b->n_rows && at < n; i++)
        if (b->time_ns[i] < w.from || b->time_ns[i] > w.to)
            rows[at++] = i;
    skep_batch_mark(b, SKEP_STR("meta.misdated"), rows, n);
    skep_free(rows);
}

static int64_t int_at(const struct skep_vec *v, unsigned i)
{
    return v->none ? 0 : v->i64[v->constant ? 0 : i];
}

skep_rc skep_engine__filed(const struct skep_engine *e, struct skep_rowset *rs,
                           const struct skep_live *live, struct skep_filed *ret, skep_err *err)
{
    struct skep_colreader *time = NULL, *received = NULL;
    *ret = (struct skep_filed){INT64_MAX, INT64_MIN};
    skep_rc rc = rs->ops->open_column(rs, SKEP_COL_TIME, &time, err);
    if (rc == SKEP_OK)
        rc = rs->ops->open_column(rs, SKEP_COL_RECEIVED, &received, err);
    for (uint64_t b = 0; b < skep_rowset_blocks(rs) && rc == SKEP_OK; b++) {
        unsigned n = skep_rowset_block_rows(rs, b);
        uint64_t row0 = b * SKEP_BLOCK_ROWS;
        struct skep_vec t, r;
        if (n == 0)
            continue;
        rc = time->ops->read(time, row0, n, &t, err);
        if (rc == SKEP_OK)
            rc = received->ops->read(received, row0, n, &r, err);
        for (unsigned i = 0; i < n && rc == SKEP_OK; i++) {
            skep_ts_ns at = int_at(&t, i), came = int_at(&r, i);
            struct window w = window_of(e, came);
            if (!skep_live_has(live, row0 + i))
                continue;
            at = at < w.from || at > w.to ? came : at;
            ret->min_ns = SKEP_MIN(ret->min_ns, at);
            ret->max_ns = SKEP_MAX(ret->max_ns, at);
        }
    }
    if (time)
        time->ops->close(time);
    if (received)
        received->ops->close(received);
    return rc;
}

struct skep_filed skep_filed_bounds(const struct skep_engine *e, const struct skep_block_bounds *b,
                                    skep_ts_ns received_min_ns, skep_ts_ns received_max_ns)
{
    struct window last = window_of(e, received_max_ns), first = window_of(e, received_min_ns);
    struct skep_filed f = {b->min_start_ns, b->max_start_ns};
    if (f.max_ns > last.to || f.max_ns < last.from)
        f.max_ns = received_max_ns;
    if (f.min_ns < first.from || f.min_ns > first.to)
        f.min_ns = received_min_ns;
    f.min_ns = SKEP_MIN(f.min_ns, f.max_ns);
    return f;
}

struct skep_filed skep_filed_segment(const struct skep_engine *e,
                                     const struct skep_manifest_segment *m)
{
    if (m->filed_max_ns != INT64_MIN && m->filed_min_ns != INT64_MAX)
        return (struct skep_filed){m->filed_min_ns, m->filed_max_ns};
    /* Of before it was kept; of its arrivals only the last is known. */
    return skep_filed_bounds(e, &m->bounds, m->received_max_ns, m->received_max_ns);
}

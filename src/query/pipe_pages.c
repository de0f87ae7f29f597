// SPDX-License-Identifier: Apache-2.0
/* The rows of a pipeline, page by page.
 *
 *   range   |......................................................|
 *            <-- slice, as wide as a page's rows --|<-- first page --
 *
 * The first page says how dense rows lie; the rest of the range is read in slices of about a
 * page's rows.  When little passes a dedup, what is left of the range is not read (pipe_newest.c).
 *
 * Threads: the caller's, helped by the store's pool.  Memory: a page, from the question's budget.
 */
#include "base/assert.h"
#include "query/pipe_priv.h"

enum { PAGE_ROWS = 32768, FIRST_PAGE_ROWS = 1024, NEWEST_AFTER_ROWS = 20000 };

static void note(struct skep_pipe_result *ret, const struct skep_answer *a,
                 struct skep_arena *arena)
{
    if (a->complete || !ret->complete)
        return;
    ret->complete = false;
    ret->missing = skep_arena_str(arena, a->missing);
}

/* What is left of a range, in slices of about a page's rows: within one, the store needs not tell
 * the newest rows from all others. */
struct slices {
    struct skep_time_range left;
    bool oldest_first;
    int64_t width_ns; /* of the next one; 0 = all */
};

static struct skep_time_range next_slice(const struct slices *s)
{
    struct skep_time_range r = s->left;
    if (s->width_ns == 0 || s->width_ns >= r.end_ns - r.start_ns)
        return r;
    if (s->oldest_first)
        r.end_ns = r.start_ns + s->width_ns;
    else
        r.start_ns = r.end_ns - s->width_ns;
    return r;
}

/* A slice is done and had n rows; the next one is as wide as `page` rows need, going by them. */
static void slice_done(struct slices *s, struct skep_time_range r, uint64_t n, unsigned page)
{
    double width = (double)(r.end_ns - r.start_ns);
    double want = n == 0 ? 8 * width : 0.8 * width * page / (double)n;
    want = SKEP_MIN(want, 8 * width); /* a gap ends at some time */
    s->width_ns = want >= 9e18 ? INT64_MAX : SKEP_MAX((int64_t)want, 1000);
    if (s->oldest_first)
        s->left.start_ns = r.end_ns;
    else
        s->left.end_ns = r.start_ns;
}

/* The first page says how dense the rows lie. */
static void slice_begins(struct slices *s, const struct skep_rows *rows, unsigned page)
{
    int64_t first = rows->rows[0].time_ns, last = rows->rows[rows->n - 1].time_ns;
    int64_t span = first > last ? first - last : last - first;
    double want = 0.8 * (double)span * page / (double)rows->n;
    s->width_ns = want >= 9e18 ? INT64_MAX : SKEP_MAX((int64_t)want, 1000);
}

struct paging {
    struct skep_plan plan;
    struct slices slices;
    struct skep_time_range slice;
    uint64_t in_slice;
    bool more; /* rows of the slice are left */
};

static void page_over(struct paging *g, const struct skep_rows *rows)
{
    bool first = g->slices.width_ns == 0;
    g->in_slice += rows->n;
    g->more = rows->more && rows->n > 0;
    g->plan.limit = SKEP_MIN(g->plan.limit * 4, PAGE_ROWS);
    if (g->more) {
        const struct skep_row *last = &rows->rows[rows->n - 1];
        g->plan.has_cursor = true;
        g->plan.cursor_time_ns = last->time_ns;
        g->plan.cursor_id = last->id;
        if (first) { /* all of the range was the slice: what is left of it begins at the last row */
            slice_begins(&g->slices, rows, PAGE_ROWS);
            if (g->slices.oldest_first)
                g->slices.left.start_ns = last->time_ns;
            else
                g->slices.left.end_ns = last->time_ns + 1;
            g->slice = next_slice(&g->slices);
            g->in_slice = 0;
        }
        return;
    }
    slice_done(&g->slices, g->slice, g->in_slice, PAGE_ROWS);
    g->slice = next_slice(&g->slices);
    g->plan.has_cursor = false;
    g->in_slice = 0;
}

static bool pages_left(const struct paging *g)
{
    return g->more || g->slices.left.start_ns < g->slices.left.end_ns;
}

/* Of what is left, the rows that a dedup lets pass; *dedup NULL: it was tried. */
static skep_rc feed_newest(struct skep_store *store, struct skep_pipe__run *r, struct paging *g,
                           struct skep_arena *page, const struct skep_pipe__node **dedup)
{
    struct skep_pipe__newest newest;
    struct skep_plan plan = g->plan;
    if (!*dedup || g->more || !pages_left(g) || r->full || r->matched < NEWEST_AFTER_ROWS ||
        skep_pipe__dedup_seen(*dedup) > SKEP_PIPE__NEWEST_MAX)
        return SKEP_OK;
    plan.range = g->slices.left;
    SKEP_TRY(skep_pipe__newest(store, r, *dedup, &plan, page, &newest));
    *dedup = NULL;
    if (!newest.known)
        return SKEP_OK;
    g->slices.left.start_ns = g->slices.left.end_ns;
    r->matched += newest.matched;
    return skep_pipe__feed(r, &newest.rows);
}

skep_rc skep_pipe__pages(struct skep_store *store, struct skep_pipe__run *r,
                         const struct skep_plan *of, struct skep_time_range range,
                         struct skep_pipe_result *ret)
{
    struct paging g = {.plan = *of, .slices = {.left = range, .oldest_first = of->oldest_first}};
    const struct skep_pipe__node *dedup = skep_pipe__first_dedup(r);
    struct skep_arena page;
    skep_rc rc = SKEP_OK;
    skep_arena_init(&page, "pipe page", r->opts->budget);
    g.slice = range;
    g.plan.limit = FIRST_PAGE_ROWS;
    while (pages_left(&g) && rc == SKEP_OK && !r->full) {
        struct skep_run_opts o = *r->opts;
        struct skep_answer a = {.complete = true};
        o.arena = &page;
        o.progress = NULL;
        g.plan.range = g.slice;
        rc = skep_query_run(store, &g.plan, &o, &a, r->err);
        if (rc == SKEP_ENOMEM && g.plan.limit > 1) {
            g.plan.limit /= 2;
            rc = SKEP_OK;
        } else if (rc == SKEP_OK) {
            note(ret, &a, r->opts->arena);
            r->matched += a.rows.n;
            rc = skep_pipe__feed(r, &a.rows);
            page_over(&g, &a.rows);
            if (r->opts->progress)
                r->opts->progress(r->opts->ctx, SKEP_MIN(r->matched, ret->rows_scanned),
                                  ret->rows_scanned);
            skep_arena_reset(&page);
            if (rc == SKEP_OK)
                rc = feed_newest(store, r, &g, &page, &dedup);
        }
        skep_arena_reset(&page);
    }
    skep_arena_done(&page);
    return rc;
}

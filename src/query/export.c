// SPDX-License-Identifier: Apache-2.0
/* Every row of a plan: one ROWS plan as a chain of pages, each behind the last row of the one
 * before.
 *
 *   page 1: rows 1..n       cursor = row n
 *   page 2: rows n+1..2n    ...
 *
 * Memory is that of one page.  A page that does not fit the budget is asked for again with half as
 * many rows; one row that does not fit is the caller's error.
 *
 * I1  a row is given once: the order is total, and the cursor is the last row given.
 *
 * Threads: the caller's, helped by the store's pool. */
#include "query/export.h"

#include "base/assert.h"
#include "query/query.h"

enum { PAGE_ROWS = 5000 };

static void note_missing(struct skep_export_result *r, const struct skep_answer *a)
{
    if (a->complete || !r->complete)
        return;
    r->complete = false;
    size_t n = SKEP_MIN(a->missing.n, sizeof r->missing - 1);
    memcpy(r->missing, a->missing.p ? a->missing.p : "", n);
    r->missing[n] = '\0';
}

/* Give the page's rows out; the cursor follows. */
static bool give(struct skep_plan *page, const struct skep_answer *a, skep_export_fn *fn, void *ctx,
                 struct skep_export_result *ret)
{
    for (size_t i = 0; i < a->rows.n; i++) {
        const struct skep_row *row = &a->rows.rows[i];
        if (!fn(ctx, row))
            return false;
        ret->rows++;
        page->has_cursor = true; /* I1 */
        page->cursor_time_ns = row->time_ns;
        page->cursor_id = row->id;
    }
    return true;
}

skep_rc skep_query_each(struct skep_store *store, const struct skep_plan *plan, unsigned page_rows,
                        const struct skep_run_opts *opts, skep_export_fn *fn, void *ctx,
                        struct skep_export_result *ret, skep_err *err)
{
    skep_assert(plan->kind == SKEP_PLAN_ROWS && fn && ret && page_rows > 0);
    struct skep_plan page = *plan;
    struct skep_arena arena;
    skep_rc rc = SKEP_OK;
    bool more = true;
    *ret = (struct skep_export_result){.complete = true};
    page.limit = page_rows;
    page.oldest_first = true;
    page.arrival_order = false;
    skep_arena_init(&arena, "export", opts->budget);
    while (more && rc == SKEP_OK) {
        struct skep_run_opts o = *opts;
        struct skep_answer a = {.complete = true};
        o.arena = &arena;
        o.progress = NULL;
        rc = skep_query_run(store, &page, &o, &a, err);
        if (rc == SKEP_ENOMEM && page.limit > 1) {
            page.limit /= 2;
            rc = SKEP_OK;
        } else if (rc == SKEP_OK) {
            note_missing(ret, &a);
            ret->rows_examined += a.rows_examined;
            more = a.rows.more && a.rows.n > 0;
            if (!give(&page, &a, fn, ctx, ret))
                rc = skep_fail(err, SKEP_ECANCELED, "the reader has gone");
            page.limit = SKEP_MIN(page.limit * 2, page_rows);
        }
        skep_arena_done(&arena);
    }
    skep_arena_done(&arena);
    return rc;
}

skep_rc skep_query_export(struct skep_store *store, const struct skep_plan *plan,
                          const struct skep_run_opts *opts, skep_export_fn *fn, void *ctx,
                          struct skep_export_result *ret, skep_err *err)
{
    struct skep_plan raw = *plan;
    raw.raw = true;
    return skep_query_each(store, &raw, PAGE_ROWS, opts, fn, ctx, ret, err);
}

// SPDX-License-Identifier: Apache-2.0
/* Twins (item_twins.h).
 *
 *   item_twin     (row, the row whose twin it is, both wires, environment, stage, fingerprint,
 * time) item_memory   one row: from where on the inbox remembers reports
 *
 * I1  both change in the transaction that moves the cursor (items.c).
 * Threads: any. */
#include "state/item_twins.h"

#include <stdlib.h>

#include "base/assert.h"
#include "state/items_priv.h"
#include "state/state_priv.h"

static void bind_row(sqlite3_stmt *st, int i, skep_row_id id)
{
    skep_state__bind_i64(st, i, (int64_t)id.seq);
    skep_state__bind_i64(st, i + 1, (int64_t)id.ordinal);
}

static skep_row_id row_of(sqlite3_stmt *st, int column)
{
    return (skep_row_id){(uint64_t)sqlite3_column_int64(st, column),
                         (uint32_t)sqlite3_column_int64(st, column + 1)};
}

static skep_rc put(struct skep_state *s, const struct skep_item_twin *t, skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__TWIN_PUT);
    bind_row(st, 1, t->row);
    bind_row(st, 3, t->of);
    skep_state__bind_i64(st, 5, t->wire);
    skep_state__bind_i64(st, 6, t->of_wire);
    skep_state__bind_str(st, 7, t->environment);
    skep_state__bind_str(st, 8, t->stage);
    skep_state__bind_str(st, 9, t->fingerprint);
    skep_state__bind_i64(st, 10, t->time_ns);
    return skep_state__run(s, st, err);
}

/* About once in so many rows: it is a walk over the newest. */
static bool is_time_to_cut(const struct skep_items_look *look)
{
    enum { EVERY = 64 };
    return look->n_twins > 0 && look->at.seq % EVERY == 0;
}

skep_rc skep_state__twins_put(struct skep_state *s, const struct skep_items_look *look,
                              skep_err *err)
{
    for (size_t i = 0; i < look->n_twins; i++)
        SKEP_TRY(put(s, &look->twins[i], err));
    if (is_time_to_cut(look)) {
        sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__TWIN_CUT);
        skep_state__bind_i64(st, 1, SKEP_ITEM_TWINS_MAX);
        SKEP_TRY(skep_state__run(s, st, err));
    }
    if (look->from.seq == 0)
        return SKEP_OK;
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__TWIN_MEMORY_SET);
    bind_row(st, 1, look->from);
    return skep_state__run(s, st, err);
}

/* The statement's one row id, {0, 0} without. */
static skep_rc one_row(struct skep_state *s, sqlite3_stmt *st, skep_row_id *ret, skep_err *err)
{
    bool row = false;
    skep_rc rc = skep_state__step(s, st, &row, err);
    *ret = rc == SKEP_OK && row ? row_of(st, 0) : (skep_row_id){0, 0};
    skep_state__reset(st);
    return rc;
}

skep_rc skep_state_twins_from(struct skep_state *s, skep_row_id *ret, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = one_row(s, skep_state__use(s, SKEP_STATE__TWIN_MEMORY), ret, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_twin_of(struct skep_state *s, skep_row_id row, skep_row_id *ret, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__TWIN_GET);
    bind_row(st, 1, row);
    skep_rc rc = one_row(s, st, ret, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_twins_count(struct skep_state *s, const struct skep_item_twins_query *q,
                               uint64_t *ret, skep_err *err)
{
    bool row = false;
    skep_assert(q->steps > 0 && q->step_ns > 0);
    memset(ret, 0, q->steps * sizeof *ret);
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__TWIN_COUNT);
    skep_state__bind_str(st, 1, q->environment);
    skep_state__bind_str(st, 2, q->stage);
    skep_state__bind_str(st, 3, q->fingerprint);
    skep_state__bind_i64(st, 4, q->start_ns);
    skep_state__bind_i64(st, 5, q->end_ns);
    skep_state__bind_i64(st, 6, q->step_ns);
    skep_state__bind_i64(st, 7, q->steps);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row) {
        int64_t at = sqlite3_column_int64(st, 0);
        if (at >= 0 && at < (int64_t)q->steps)
            ret[at] = (uint64_t)sqlite3_column_int64(st, 1);
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    return rc;
}

static bool is_among(skep_str s, const skep_str *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (skep_str_eq(s, list[i]))
            return true;
    }
    return n == 0;
}

skep_rc skep_state_twins_count_all(struct skep_state *s, const struct skep_item_twins_query *q,
                                   const skep_str *stages, size_t n_stages, uint64_t *ret,
                                   skep_err *err)
{
    bool row = false;
    skep_assert(q->steps > 0 && q->step_ns > 0);
    memset(ret, 0, q->steps * sizeof *ret);
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__TWIN_COUNT_ALL);
    skep_state__bind_str(st, 1, q->environment);
    skep_state__bind_i64(st, 2, q->start_ns);
    skep_state__bind_i64(st, 3, q->end_ns);
    skep_state__bind_i64(st, 4, q->step_ns);
    skep_state__bind_i64(st, 5, q->steps);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row) {
        int64_t at = sqlite3_column_int64(st, 0);
        skep_str stage = {(const char *)sqlite3_column_text(st, 1),
                          (size_t)sqlite3_column_bytes(st, 1)};
        if (at >= 0 && at < (int64_t)q->steps && is_among(stage, stages, n_stages))
            ret[at] += (uint64_t)sqlite3_column_int64(st, 2);
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    return rc;
}

// --- all of them -------------------------------------------------------------------------------

static skep_rc number_of(struct skep_state *s, skep_str environment, size_t *ret, skep_err *err)
{
    bool row = false;
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__TWIN_NUMBER);
    skep_state__bind_str(st, 1, environment);
    skep_rc rc = skep_state__step(s, st, &row, err);
    *ret = rc == SKEP_OK && row ? (size_t)sqlite3_column_int64(st, 0) : 0;
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    return rc;
}

/* The next `limit` twins behind row `after`. */
static skep_rc next_page(struct skep_state *s, skep_str environment, skep_row_id after,
                         struct skep_item_twin_pair *ret, size_t limit, size_t *ret_n,
                         skep_err *err)
{
    bool row = false;
    size_t n = 0;
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__TWIN_PAGE);
    skep_state__bind_str(st, 1, environment);
    bind_row(st, 2, after);
    skep_state__bind_i64(st, 4, (int64_t)limit);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row && n < limit) {
        ret[n++] = (struct skep_item_twin_pair){.row = row_of(st, 0),
                                                .of = row_of(st, 2),
                                                .wire = (unsigned)sqlite3_column_int64(st, 4),
                                                .of_wire = (unsigned)sqlite3_column_int64(st, 5)};
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret_n = n;
    return rc;
}

static int by_of(const void *a, const void *b)
{
    const struct skep_item_twin_pair *x = a, *y = b;
    if (x->of.seq != y->of.seq)
        return x->of.seq < y->of.seq ? -1 : 1;
    if (x->of.ordinal != y->of.ordinal)
        return x->of.ordinal < y->of.ordinal ? -1 : 1;
    if (x->row.seq != y->row.seq)
        return x->row.seq < y->row.seq ? -1 : 1;
    return (x->row.ordinal > y->row.ordinal) - (x->row.ordinal < y->row.ordinal);
}

skep_rc skep_state_twins_list(struct skep_state *s, skep_str environment, struct skep_arena *arena,
                              struct skep_item_twin_pair **ret, size_t *ret_n, skep_err *err)
{
    enum { PAGE = 4096 };
    size_t all = 0, n = 0, page = 1;
    *ret = NULL;
    *ret_n = 0;
    SKEP_TRY(number_of(s, environment, &all, err));
    if (all == 0)
        return SKEP_OK;
    struct skep_item_twin_pair *list = skep_arena_try_alloc(arena, all * sizeof *list);
    if (!list)
        return skep_fail(err, SKEP_ENOMEM,
                         "the reports of occurrences need more memory than a "
                         "question may use");
    while (n < all && page > 0) {
        skep_row_id after = n ? list[n - 1].row : (skep_row_id){0, 0};
        SKEP_TRY(next_page(s, environment, after, list + n, SKEP_MIN(all - n, (size_t)PAGE), &page,
                           err));
        n += page;
    }
    qsort(list, n, sizeof *list, by_of);
    *ret = list;
    *ret_n = n;
    return SKEP_OK;
}

skep_rc skep_state_twins_others(struct skep_state *s, skep_row_id row,
                                struct skep_item_other ret[SKEP_ITEM_OTHERS_MAX], size_t *ret_n,
                                skep_err *err)
{
    bool more = false;
    size_t n = 0;
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__TWIN_OTHERS);
    bind_row(st, 1, row);
    skep_rc rc = skep_state__step(s, st, &more, err);
    while (rc == SKEP_OK && more && n < SKEP_ITEM_OTHERS_MAX) {
        ret[n++] = (struct skep_item_other){.row = row_of(st, 0),
                                            .wire = (unsigned)sqlite3_column_int64(st, 2)};
        rc = skep_state__step(s, st, &more, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret_n = rc == SKEP_OK ? n : 0;
    return rc;
}

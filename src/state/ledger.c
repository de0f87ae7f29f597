// SPDX-License-Identifier: Apache-2.0
/* The part of the ledger that no row carries: what was refused whole, and duplicates.
 *
 *   ledger(key, n)     a packed skep_ledger_key, its number
 *
 * Added to in batches, one transaction each, by whoever counts (src/ingest): a crash loses the
 * batch at hand.  Folding rewrites the table, once an hour at most.
 *
 * Threads: any.  Memory: the ledger itself. */
#include "state/state_priv.h"

#include "base/assert.h"

static skep_rc load_locked(struct skep_state *s, struct skep_ledger *ret, skep_err *err)
{
    bool row = false;
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__LEDGER_LIST);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row) {
        struct skep_ledger_key k;
        /* What another version wrote and this one does not know stays where it is. */
        if (skep_ledger_unpack((uint64_t)sqlite3_column_int64(st, 0), &k))
            skep_ledger_add(ret, k, (uint64_t)sqlite3_column_int64(st, 1));
        if (ret->n > SKEP_LEDGER_ENTRIES_MAX)
            rc = skep_fail(err, SKEP_ECORRUPT, "state database: a ledger without end");
        else
            rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    return rc;
}

skep_rc skep_state_ledger_load(struct skep_state *s, struct skep_ledger *ret, skep_err *err)
{
    skep_assert(ret != NULL);
    skep_mutex_lock(&s->lock);
    skep_rc rc = load_locked(s, ret, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

static skep_rc add_locked(struct skep_state *s, const struct skep_ledger *more, skep_err *err)
{
    skep_rc rc = SKEP_OK;
    for (size_t i = 0; i < more->n && rc == SKEP_OK; i++) {
        sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__LEDGER_ADD);
        skep_state__bind_i64(st, 1, (int64_t)more->items[i].key);
        skep_state__bind_i64(st, 2, (int64_t)more->items[i].n);
        rc = skep_state__run(s, st, err);
    }
    return rc;
}

static skep_rc fold_locked(struct skep_state *s, skep_ts_ns now_ns, skep_err *err)
{
    struct skep_ledger all = {0};
    skep_rc rc = load_locked(s, &all, err);
    if (rc == SKEP_OK && skep_ledger_fold(&all, now_ns)) {
        rc = skep_state__run(s, skep_state__use(s, SKEP_STATE__LEDGER_CLEAR), err);
        if (rc == SKEP_OK)
            rc = add_locked(s, &all, err);
    }
    skep_ledger_done(&all);
    return rc;
}

skep_rc skep_state_ledger_add(struct skep_state *s, const struct skep_ledger *more,
                              skep_ts_ns fold_ns, skep_err *err)
{
    skep_assert(more != NULL);
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__run(s, skep_state__use(s, SKEP_STATE__BEGIN), err);
    bool begun = rc == SKEP_OK;
    if (rc == SKEP_OK)
        rc = add_locked(s, more, err);
    if (rc == SKEP_OK && fold_ns != 0)
        rc = fold_locked(s, fold_ns, err);
    if (rc == SKEP_OK)
        rc = skep_state__run(s, skep_state__use(s, SKEP_STATE__COMMIT), err);
    if (rc != SKEP_OK && begun)
        (void)skep_state__run(s, skep_state__use(s, SKEP_STATE__ROLLBACK), NULL);
    skep_mutex_unlock(&s->lock);
    return rc;
}

// SPDX-License-Identifier: Apache-2.0
/* The engine as a test sees it: appends that wait, all visible rows, all values of one field.
 * Threads: any; waiting appends block their own. */
#include "support/store_client.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct call {
    struct skep_mutex mu;
    struct skep_cond cond;
    bool done;
    struct client_result r;
};

static void on_done(void *ctx, skep_rc rc, const struct skep_append_result *res,
                    const skep_err *err)
{
    struct call *c = ctx;
    skep_mutex_lock(&c->mu);
    c->r.rc = rc;
    c->r.res = *res;
    if (err)
        memcpy(c->r.text, err->text, sizeof c->r.text);
    c->done = true;
    skep_cond_signal(&c->cond);
    skep_mutex_unlock(&c->mu);
}

struct client_result client_append(struct skep_store *s, struct skep_batch *b)
{
    struct call c = {0};
    skep_mutex_init(&c.mu, "client");
    skep_cond_init(&c.cond);
    skep_store_append(s, b, on_done, &c);
    skep_mutex_lock(&c.mu);
    while (!c.done)
        skep_cond_wait(&c.cond, &c.mu);
    skep_mutex_unlock(&c.mu);
    skep_cond_done(&c.cond);
    skep_mutex_done(&c.mu);
    return c.r;
}

void rowlist_add(struct rowlist *l, char *row)
{
    SKEP_GROW(l->rows, l->n, l->cap);
    l->rows[l->n++] = row;
}

void rowlist_add_batch(struct rowlist *l, const struct skep_batch *b, uint64_t seq)
{
    for (uint32_t i = 0; i < b->n_rows; i++)
        rowlist_add(l, dump_batch_row(b, i, seq));
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void rowlist_sort(struct rowlist *l)
{
    if (l->n)
        qsort(l->rows, l->n, sizeof *l->rows, by_text);
}

void rowlist_done(struct rowlist *l)
{
    for (size_t i = 0; i < l->n; i++)
        skep_free(l->rows[i]);
    skep_free(l->rows);
    *l = (struct rowlist){0};
}

struct rowlist client_rows(struct skep_store *s)
{
    struct rowlist l = {0};
    struct skep_snapshot *snap = skep_engine__snapshot(skep_engine_of(s));
    for (unsigned i = 0; i < snap->n; i++) {
        struct skep_rowset *rs = snap->sets[i].rowset;
        char **rows = dump_rowset(rs);
        uint64_t at = 0;
        for (uint64_t b = 0; b < skep_rowset_blocks(rs); b++) {
            for (unsigned r = 0; r < skep_rowset_block_rows(rs, b); r++, at++) {
                if (skep_live_has(snap->sets[i].live, b * SKEP_BLOCK_ROWS + r))
                    rowlist_add(&l, rows[at]);
                else
                    skep_free(rows[at]);
            }
        }
        skep_free(rows);
    }
    skep_snapshot_unref(snap);
    rowlist_sort(&l);
    return l;
}

void rowlist_expect(const struct rowlist *got, const struct rowlist *want)
{
    for (size_t i = 0; i < got->n && i < want->n; i++)
        assert_string_equal(got->rows[i], want->rows[i]);
    assert_int_equal(got->n, want->n);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int64_t *client_tags(struct skep_store *s, const char *name, size_t *ret_n)
{
    struct skep_snapshot *snap = skep_engine__snapshot(skep_engine_of(s));
    int64_t *tags = NULL;
    size_t n = 0, cap = 0;
    for (unsigned i = 0; i < snap->n; i++) {
        struct skep_rowset *rs = snap->sets[i].rowset;
        uint32_t f =
            skep_rowset_find_field(rs, skep_str_c(name), SKEP_SCOPE_ATTRIBUTE, SKEP_TYPE_INT);
        if (f == UINT32_MAX)
            continue;
        struct skep_colreader *r;
        skep_err err;
        assert_int_equal(rs->ops->open_field(rs, f, &r, &err), SKEP_OK);
        for (uint64_t row = 0; row < rs->row_end; row += SKEP_BLOCK_ROWS) {
            struct skep_vec v;
            unsigned k = skep_rowset_block_rows(rs, row / SKEP_BLOCK_ROWS);
            if (k == 0)
                continue;
            assert_int_equal(r->ops->read(r, row, k, &v, &err), SKEP_OK);
            for (unsigned j = 0; j < k; j++) {
                if (v.none || (v.valid && !(v.valid[j / 64] >> (j % 64) & 1)) ||
                    !skep_live_has(snap->sets[i].live, row + j))
                    continue;
                SKEP_GROW(tags, n, cap);
                tags[n++] = v.i64[v.constant ? 0 : j];
            }
        }
        r->ops->close(r);
    }
    skep_snapshot_unref(snap);
    if (n)
        qsort(tags, n, sizeof *tags, by_value);
    *ret_n = n;
    return tags;
}

struct skep_column_config client_config(const struct skep_os *os, const char *dir)
{
    return (struct skep_column_config){
        .os = os, .dir = dir, .part_limit_bytes = 64 << 20, .no_background = true};
}

static struct skep_store_ledger ledger_of(struct skep_store *s)
{
    struct skep_store_ledger l;
    s->ops->ledger(s, 0, true, &l);
    assert_int_equal(l.unread_rows, 0);
    assert_true(skep_ledger_check(&l.counts));
    return l;
}

static uint64_t count_of(const struct skep_ledger *l, struct skep_ledger_key k, unsigned what)
{
    k.what = (uint8_t)what;
    return skep_ledger_get(l, k);
}

/* One way of looking at a minute; `more` is 0 for things, 1 for rows. */
static void expect_balance(const struct skep_ledger *l, struct skep_ledger_key k, unsigned more)
{
    uint64_t stored = count_of(l, k, SKEP_LEDGER_STORED + more);
    uint64_t there = count_of(l, k, SKEP_LEDGER_LIVE + more);
    uint64_t gone = count_of(l, k, SKEP_LEDGER_EXPIRED + more) +
                    count_of(l, k, SKEP_LEDGER_DELETED + more) +
                    count_of(l, k, SKEP_LEDGER_SUPERSEDED + more);
    if (stored != there + gone)
        fail_msg("minute %u width %d source %u signal %u: %" PRIu64 " stored, %" PRIu64
                 " live, %" PRIu64 " gone",
                 k.minute, (int)k.width, k.source, k.signal, stored, there, gone);
}

void client_ledger_expect(struct skep_store *s)
{
    struct skep_store_ledger l = ledger_of(s);
    struct skep_store_stats st;
    uint64_t live = 0;
    for (size_t i = 0; i < l.counts.n; i++) {
        struct skep_ledger_key k;
        assert_true(skep_ledger_unpack(l.counts.items[i].key, &k));
        live += k.what == SKEP_LEDGER_LIVE_ROWS ? l.counts.items[i].n : 0;
        expect_balance(&l.counts, k, 0);
        expect_balance(&l.counts, k, 1);
        uint64_t rejected = 0;
        for (unsigned r = 0; r < SKEP_REJECTION_COUNT; r++)
            rejected += count_of(&l.counts, k, SKEP_LEDGER_REJECTED + r);
        assert_int_equal(count_of(&l.counts, k, SKEP_LEDGER_RECEIVED),
                         count_of(&l.counts, k, SKEP_LEDGER_STORED) + rejected);
    }
    s->ops->stats(s, &st);
    assert_int_equal(live, st.rows_live);
    skep_ledger_done(&l.counts);
}

uint64_t client_ledger_total(struct skep_store *s, unsigned what)
{
    struct skep_store_ledger l = ledger_of(s);
    uint64_t n = 0;
    for (size_t i = 0; i < l.counts.n; i++)
        n += (l.counts.items[i].key & 0xff) == what ? l.counts.items[i].n : 0;
    skep_ledger_done(&l.counts);
    return n;
}

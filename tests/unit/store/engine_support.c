// SPDX-License-Identifier: Apache-2.0
/* The engine where all must go well (engine_support.h): each call fails the test that it fails in.
 */
#include "engine_support.h"

#include <cmocka.h>

#include "base/mem.h"

struct skep_store *open_store(const struct skep_column_config *cfg)
{
    struct skep_store *s = NULL;
    skep_err err;
    if (skep_column_open(cfg, &s, &err) != SKEP_OK)
        fail_msg("open: %s", err.text);
    return s;
}

struct skep_store_stats stats_of(struct skep_store *s)
{
    struct skep_store_stats st;
    s->ops->stats(s, &st);
    return st;
}

void flush(struct skep_store *s)
{
    skep_err err;
    if (s->ops->flush(s, &err) != SKEP_OK)
        fail_msg("flush: %s", err.text);
}

void expect_rows(struct skep_store *s, struct rowlist *want)
{
    struct rowlist got = client_rows(s);
    rowlist_sort(want);
    rowlist_expect(&got, want);
    rowlist_done(&got);
    client_ledger_expect(s);
}

void append_ok(struct skep_store *s, struct rnd *r, struct rowlist *want, uint32_t n)
{
    static int64_t tag;
    struct skep_batch *b = random_batch(r, n, NOW, tag += 100000);
    struct rowlist mine = {0};
    struct rnd same = *r;
    (void)same;
    /* The batch is the store's from here on: describe it first, with the number it will get. */
    uint64_t seq = skep_engine_of(s)->next_seq;
    rowlist_add_batch(&mine, b, seq);
    struct client_result c = client_append(s, b);
    assert_int_equal(c.rc, SKEP_OK);
    assert_int_equal(c.res.seq, seq);
    assert_int_equal(c.res.rows, n);
    assert_false(c.res.duplicate);
    for (size_t i = 0; i < mine.n; i++)
        rowlist_add(want, mine.rows[i]);
    skep_free(mine.rows);
    /* Readable at once. */
    assert_true(s->ops->visible(s) >= seq);
}

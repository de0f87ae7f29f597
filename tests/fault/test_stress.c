// SPDX-License-Identifier: Apache-2.0
/* Everything at once, for the thread sanitizer and as a test of order: appenders, readers that hold
 * old snapshots, tails, forced flushes, deletes, revisions, background folding, flushing, merging,
 * expiry, and closing with requests under way. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "support/fault_os.h"
#include "support/store_client.h"

enum { APPENDERS = 3, READERS = 2, BATCHES = 1500, TAGS = 1560 };

struct stress {
    struct skep_store *s;
    _Atomic uint64_t calls, stored_rows, answered, deleted_rows, deletes;
    _Atomic bool stop;
    _Atomic int next_appender;
};

static void count_done(void *ctx, skep_rc rc, const struct skep_append_result *res,
                       const skep_err *err)
{
    (void)err;
    struct stress *t = ctx;
    if (rc == SKEP_OK) {
        atomic_fetch_add(&t->stored_rows, res->rows);
    } else if (rc != SKEP_ENOMEM && rc != SKEP_ECLOSED && rc != SKEP_ENOSPC) {
        (void)fprintf(stderr, "append: %s\n", err->text);
        abort();
    }
    atomic_fetch_add(&t->answered, 1);
}

static void revise(struct rnd *r, struct skep_batch *b)
{
    uint32_t row = b->n_rows - 1;
    b->kind[row] = SKEP_KIND_SPAN;
    b->trace_id[row] = (skep_trace_id){{(uint8_t)(1 + rnd_below(r, 6))}};
    b->span_id[row] = 1 + rnd_below(r, 5);
    skep_batch_revision(b, rnd_below(r, 3));
}

static void appender(void *arg)
{
    struct stress *t = arg;
    struct rnd r = {(uint64_t)atomic_fetch_add(&t->next_appender, 1) * 99991 + 7};
    skep_ts_ns now = skep_os_real()->now_ns(skep_os_real());
    for (int i = 0; i < BATCHES; i++) {
        struct skep_batch *b = random_batch(&r, 1 + rnd_below(&r, 60), now + i, i);
        if (i % 4 == 0 && i % 5 != 0) /* the last row is a revision */
            revise(&r, b);
        if (i % 3 == 0)
            b->identity[rnd_below(&r, 2)] = (uint8_t)rnd_below(&r, 20); /* twins */
        if (i % 5 == 0)
            memset(b->source, SKEP_SOURCE_SELF, b->n_rows); /* hidden */
        atomic_fetch_add(&t->calls, 1);
        skep_store_append(t->s, b, count_done, t);
        if (i % 16 == 0)
            (void)usleep(1000);
    }
}

static void reader(void *arg)
{
    struct stress *t = arg;
    uint64_t seen = 0;
    while (!atomic_load(&t->stop)) {
        uint64_t before = atomic_load(&t->stored_rows);
        struct skep_snapshot *snap = skep_engine__snapshot(skep_engine_of(t->s));
        uint64_t rows = 0;
        for (unsigned i = 0; i < snap->n; i++)
            rows += snap->sets[i].rowset->n_rows;
        struct skep_store_stats st;
        t->s->ops->stats(t->s, &st);
        /* Acknowledged means visible, or dead since. */
        if (rows < before && rows + st.deleted_rows + st.superseded_rows < before)
            abort();
        seen = t->s->ops->wait_visible(t->s, seen, 3);
        if (snap->n > 0) {
            struct skep_rowset *rs = snap->sets[seen % snap->n].rowset;
            dump_free(dump_rowset(rs), rs->n_rows);
        }
        skep_snapshot_unref(snap);
    }
}

/* Deletes rows by their tag while all else goes on; a query right after does not see them.  Rows
 * that came with the same tags after the delete began live: so only older commits are looked at. */
static void deleter(void *arg)
{
    struct stress *t = arg;
    struct rnd r = {4711};
    struct skep_arena arena;
    skep_arena_init(&arena, "deleter", NULL);
    while (!atomic_load(&t->stop)) {
        int64_t tag = rnd_below(&r, TAGS);
        skep_value v[2] = {{.type = SKEP_TYPE_INT, .i = tag},
                           {.type = SKEP_TYPE_INT, .i = tag + 3}};
        struct skep_expr from = {.op = SKEP_EXPR_TEST,
                                 .test = {{SKEP_STR("tag")}, SKEP_CMP_GE, &v[0], 1, false}};
        struct skep_expr to = {.op = SKEP_EXPR_TEST,
                               .test = {{SKEP_STR("tag")}, SKEP_CMP_LT, &v[1], 1, false}};
        struct skep_expr *both[] = {&from, &to};
        struct skep_expr all = {.op = SKEP_EXPR_AND, .kids = both, .n_kids = 2};
        struct skep_plan plan = {.kind = SKEP_PLAN_ROWS,
                                 .range = {INT64_MIN, INT64_MAX},
                                 .filter = &all,
                                 .limit = 100000};
        uint64_t before = t->s->ops->visible(t->s), rows;
        struct skep_delete_opts opts = {0};
        skep_err err;
        if (skep_store_delete(t->s, &plan, &opts, &rows, &err) != SKEP_OK) {
            (void)fprintf(stderr, "delete: %s\n", err.text);
            abort();
        }
        atomic_fetch_add(&t->deleted_rows, rows);
        atomic_fetch_add(&t->deletes, 1);
        struct skep_run_opts run = {.arena = &arena};
        struct skep_answer a = {0};
        if (skep_store_run(t->s, &plan, &run, &a, &err) != SKEP_OK) {
            (void)fprintf(stderr, "run: %s\n", err.text);
            abort();
        }
        for (size_t i = 0; i < a.rows.n; i++)
            if (a.rows.rows[i].id.seq <= before)
                abort(); /* it was there, and it is still */
        skep_arena_reset(&arena);
        (void)usleep(2000);
    }
    skep_arena_done(&arena);
}

static uint64_t sum_of(const struct skep_ledger *l, unsigned what)
{
    uint64_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        n += (l->items[i].key & 0xff) == what ? l->items[i].n : 0;
    return n;
}

/* The ledger balances at every moment, whatever is folded, flushed, merged and dropped meanwhile;
 * and questions that hide the server's own rows find each time what lives. */
static void accountant(void *arg)
{
    struct stress *t = arg;
    while (!atomic_load(&t->stop)) {
        uint64_t before = atomic_load(&t->stored_rows);
        struct skep_store_ledger l;
        t->s->ops->ledger(t->s, 0, true, &l);
        uint64_t stored = sum_of(&l.counts, SKEP_LEDGER_STORED_ROWS);
        uint64_t there = sum_of(&l.counts, SKEP_LEDGER_LIVE_ROWS) +
                         sum_of(&l.counts, SKEP_LEDGER_EXPIRED_ROWS) +
                         sum_of(&l.counts, SKEP_LEDGER_DELETED_ROWS) +
                         sum_of(&l.counts, SKEP_LEDGER_SUPERSEDED_ROWS);
        skep_ledger_done(&l.counts);
        if (stored < before || stored != there || l.unread_rows > 0)
            abort();
        struct skep_arena arena;
        struct skep_answer a = {0};
        skep_err err;
        skep_arena_init(&arena, "stress", NULL);
        const struct skep_plan plan = {.kind = SKEP_PLAN_DATASETS, .range = {0, INT64_MAX}};
        const struct skep_run_opts opts = {.arena = &arena};
        if (skep_store_run(t->s, &plan, &opts, &a, &err) != SKEP_OK || !a.complete)
            abort();
        skep_arena_done(&arena);
        (void)usleep(2000);
    }
}

static void flusher(void *arg)
{
    struct stress *t = arg;
    while (!atomic_load(&t->stop)) {
        skep_err err;
        skep_rc rc = t->s->ops->flush(t->s, &err);
        if (rc != SKEP_OK) {
            (void)fprintf(stderr, "flush: %s\n", err.text);
            abort();
        }
        (void)usleep(20000);
    }
}

/* Of each span that has revisions at most one row lives. */
static void expect_one_each(struct skep_store *s)
{
    struct skep_arena arena;
    skep_arena_init(&arena, "test", NULL);
    struct skep_expr revised = {.op = SKEP_EXPR_TEST,
                                .test = {{SKEP_REVISION_FIELD}, SKEP_CMP_EXISTS, NULL, 0, false}};
    struct skep_plan plan = {
        .kind = SKEP_PLAN_ROWS, .range = {INT64_MIN, INT64_MAX}, .filter = &revised, .limit = 1000};
    struct skep_run_opts opts = {.arena = &arena};
    struct skep_answer a = {0};
    skep_err err;
    bool seen[8][8] = {{false}};
    assert_int_equal(skep_store_run(s, &plan, &opts, &a, &err), SKEP_OK);
    for (size_t i = 0; i < a.rows.n; i++) {
        bool *at = &seen[a.rows.rows[i].trace_id.b[0]][a.rows.rows[i].span_id];
        assert_false(*at);
        *at = true;
    }
    skep_arena_done(&arena);
}

static void test_stress(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct mem_os *m = mem_os_new((uint64_t)round + 1);
        struct skep_column_config cfg = client_config(mem_os_ops(m), "/data");
        cfg.no_background = false;
        cfg.part_limit_bytes = 300 << 10;
        cfg.flush_quiet_ns = 1000000;
        struct stress t = {0};
        skep_err err;
        assert_int_equal(skep_column_open(&cfg, &t.s, &err), SKEP_OK);
        skep_thread a[APPENDERS], r[READERS], f, d, c;
        for (int i = 0; i < APPENDERS; i++)
            skep_thread_start(&a[i], "appender", appender, &t);
        for (int i = 0; i < READERS; i++)
            skep_thread_start(&r[i], "reader", reader, &t);
        skep_thread_start(&f, "flusher", flusher, &t);
        skep_thread_start(&d, "deleter", deleter, &t);
        skep_thread_start(&c, "accountant", accountant, &t);
        for (int i = 0; i < APPENDERS; i++)
            skep_thread_join(&a[i]);
        /* However quick the appenders were: the deleter has its share. */
        while (atomic_load(&t.deletes) <= 20 || atomic_load(&t.deleted_rows) == 0)
            (void)usleep(1000);
        atomic_store(&t.stop, true);
        for (int i = 0; i < READERS; i++)
            skep_thread_join(&r[i]);
        skep_thread_join(&f);
        skep_thread_join(&d);
        skep_thread_join(&c);
        t.s->ops->close(t.s); /* with requests still in the queue */
        assert_int_equal(atomic_load(&t.calls), atomic_load(&t.answered));
        assert_int_equal(skep_column_open(&cfg, &t.s, &err), SKEP_OK);
        struct skep_store_stats st;
        t.s->ops->stats(t.s, &st);
        assert_int_equal(st.stored_rows, atomic_load(&t.stored_rows));
        assert_int_equal(st.deleted_rows, atomic_load(&t.deleted_rows));
        assert_int_equal(st.rows_live + st.deleted_rows + st.superseded_rows, st.stored_rows);
        assert_true(st.superseded_rows > 0);
        expect_one_each(t.s);
        assert_true(atomic_load(&t.deletes) > 20 && st.deleted_rows > 0);
        /* However busy the machine was: a few small segments more, and they are merged. */
        struct rnd rnd = {99};
        for (int k = 0; st.merges == 0 && k < 1000; k++) {
            skep_ts_ns now = skep_os_real()->now_ns(skep_os_real());
            (void)client_append(t.s, random_batch(&rnd, 50, now, TAGS + k));
            assert_int_equal(t.s->ops->flush(t.s, &err), SKEP_OK);
            (void)usleep(5000);
            t.s->ops->stats(t.s, &st);
        }
        assert_true(st.merges > 0 && st.segments > 0);
        t.s->ops->close(t.s);
        mem_os_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stress)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

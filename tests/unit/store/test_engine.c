// SPDX-License-Identifier: Apache-2.0
/* The engine through its interface: commits, flush, restart, identities, its work as it is seen,
 * and a model test of random operations against a plain list of rows. */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine_support.h"

static void test_life(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(1);
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    struct rnd r = {42};
    struct rowlist want = {0};
    struct skep_store *s = open_store(&cfg);
    assert_int_equal(stats_of(s).rows_live, 0);
    append_ok(s, &r, &want, 10);
    append_ok(s, &r, &want, 3000);
    expect_rows(s, &want);
    struct skep_store *other;
    skep_err err;
    assert_int_equal(skep_column_open(&cfg, &other, &err), SKEP_EEXISTS);
    s->ops->close(s);
    s = open_store(&cfg); /* from the log */
    expect_rows(s, &want);
    assert_int_equal(stats_of(s).parts, 2);
    append_ok(s, &r, &want, 500);
    flush(s);
    assert_int_equal(stats_of(s).parts, 0);
    assert_int_equal(stats_of(s).segments, 2); /* one of spans, one of logs */
    expect_rows(s, &want);
    append_ok(s, &r, &want, 7);
    s->ops->close(s);
    s = open_store(&cfg); /* from both */
    expect_rows(s, &want);
    struct skep_store_stats st = stats_of(s);
    assert_int_equal(st.rows_live, 3517);
    assert_int_equal(st.stored_rows, 3517);
    assert_int_equal(st.segment_rows, 3510);
    assert_true(st.oldest_ns > 0 && st.oldest_ns <= st.newest_ns);
    assert_string_equal(skep_engine_of(s)->damage.text, "");
    s->ops->close(s);
    rowlist_done(&want);
    mem_os_free(m);
}

static void test_folds_and_merges_keep_rows(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(2);
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    struct rnd r = {4711};
    struct rowlist want = {0};
    struct skep_store *s = open_store(&cfg);
    for (int i = 0; i < 90; i++) {
        append_ok(s, &r, &want, 1 + (uint32_t)i % 20);
        assert_true(stats_of(s).parts <= SKEP_PARTS_MAX + 1);
    }
    expect_rows(s, &want);
    for (int i = 0; i < 12; i++) {
        flush(s);
        append_ok(s, &r, &want, 50);
    }
    assert_true(stats_of(s).segments < 10);
    assert_true(stats_of(s).merges >= 1);
    expect_rows(s, &want);
    s->ops->close(s);
    s = open_store(&cfg);
    expect_rows(s, &want);
    s->ops->close(s);
    rowlist_done(&want);
    mem_os_free(m);
}

/* With memory for two segments at a time the large one is not written anew with each small one. */
static void test_small_merges_stay_cheap(void **state)
{
    (void)state;
    enum { FLUSHES = 64, ROWS = 20 };
    struct mem_os *m = mem_os_new(3);
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    struct rnd r = {815};
    struct rowlist want = {0};
    struct skep_store *s = open_store(&cfg);
    for (int i = 0; i < FLUSHES; i++) {
        skep_engine_of(s)->merge_most = 2;
        append_ok(s, &r, &want, ROWS);
        flush(s);
    }
    assert_true(stats_of(s).merges > FLUSHES / 2);
    assert_true(stats_of(s).merge_rows < 14 * FLUSHES * ROWS);
    expect_rows(s, &want);
    s->ops->close(s);
    rowlist_done(&want);
    mem_os_free(m);
}

static struct skep_batch *with_identity(uint64_t seed, skep_ts_ns received, uint8_t id)
{
    struct rnd r = {seed};
    struct skep_batch *b = random_batch(&r, 20, received, 0);
    memset(b->identity, 0, sizeof b->identity);
    b->identity[5] = id;
    return b;
}

static void test_identity(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(3);
    struct fault_os f;
    fault_os_init(&f, mem_os_ops(m));
    skep_ts_ns t0 = 1700000000000000000;
    atomic_store(&f.now_ns, t0);
    struct skep_column_config cfg = client_config(&f.os, DIR);
    struct skep_store *s = open_store(&cfg);
    struct client_result c = client_append(s, with_identity(1, t0, 1));
    assert_int_equal(c.rc, SKEP_OK);
    uint64_t seq = c.res.seq;
    for (int life = 0; life < 3; life++) { /* from memory, the log, the manifest */
        c = client_append(s, with_identity(1, t0 + 5, 1));
        assert_int_equal(c.rc, SKEP_OK);
        assert_true(c.res.duplicate);
        assert_int_equal(c.res.seq, seq);
        assert_int_equal(c.res.rows, 0);
        assert_int_equal(stats_of(s).rows_live, 20);
        if (life == 1)
            flush(s);
        s->ops->close(s);
        s = open_store(&cfg);
    }
    c = client_append(s, with_identity(1, t0, 2)); /* another one */
    assert_false(c.res.duplicate);
    c = client_append(s, with_identity(1, t0, 0)); /* none: never a duplicate */
    assert_false(c.res.duplicate);
    c = client_append(s, with_identity(1, t0, 0));
    assert_false(c.res.duplicate);
    assert_int_equal(stats_of(s).rows_live, 80);
    atomic_store(&f.now_ns, t0 + SKEP_IDENTITY_NS + 1); /* forgotten after ten minutes */
    c = client_append(s, with_identity(1, t0 + SKEP_IDENTITY_NS + 1, 1));
    assert_false(c.res.duplicate);
    /* A refused one is not remembered. */
    fault_os_arm(&f, FAULT_PWRITE, 0, 1, SKEP_ENOSPC);
    c = client_append(s, with_identity(1, t0 + SKEP_IDENTITY_NS + 1, 9));
    assert_int_equal(c.rc, SKEP_ENOSPC);
    c = client_append(s, with_identity(1, t0 + SKEP_IDENTITY_NS + 1, 9));
    assert_int_equal(c.rc, SKEP_OK);
    assert_false(c.res.duplicate);
    s->ops->close(s);
    mem_os_free(m);
}

struct twins {
    _Atomic int ok, duplicates, failed;
    _Atomic uint64_t seq_sum;
};

static void twin_done(void *ctx, skep_rc rc, const struct skep_append_result *res,
                      const skep_err *err)
{
    (void)err;
    struct twins *t = ctx;
    if (rc != SKEP_OK)
        atomic_fetch_add(&t->failed, 1);
    else if (res->duplicate)
        atomic_fetch_add(&t->duplicates, 1);
    else
        atomic_fetch_add(&t->ok, 1);
    atomic_fetch_add(&t->seq_sum, res->seq);
}

/* Many of the same request at once: one is stored, all get its answer. */
static void test_twins_in_flight(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(4);
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    struct skep_store *s = open_store(&cfg);
    struct twins t = {0};
    for (int i = 0; i < 50; i++)
        skep_store_append(s, with_identity(8, NOW, 77), twin_done, &t);
    flush(s);
    s->ops->close(s);
    assert_int_equal(atomic_load(&t.ok), 1);
    assert_int_equal(atomic_load(&t.duplicates), 49);
    assert_int_equal(atomic_load(&t.seq_sum), 50);
    /* When the first fails, all do. */
    struct fault_os f;
    fault_os_init(&f, mem_os_ops(m));
    cfg.os = &f.os;
    s = open_store(&cfg);
    struct twins u = {0};
    fault_os_arm(&f, FAULT_PWRITE, 0, 1, SKEP_ENOSPC);
    for (int i = 0; i < 50; i++)
        skep_store_append(s, with_identity(8, NOW, 78), twin_done, &u);
    s->ops->close(s);
    assert_true(atomic_load(&u.failed) >= 1);
    assert_int_equal(atomic_load(&u.failed) + atomic_load(&u.duplicates) + atomic_load(&u.ok), 50);
    assert_true(atomic_load(&u.ok) <= 1);
    mem_os_free(m);
}

/* What a store says of its work while a segment is being written. */
static struct {
    struct skep_store *store;
    int fd; /* of the segment */
    skep_rc (*open)(const struct skep_os *os, const char *path, unsigned flags, int *ret,
                    skep_err *err);
    skep_rc (*pwrite)(const struct skep_os *os, int fd, const void *p, size_t n, uint64_t at,
                      skep_err *err);
    struct skep_store_writing flush, merge;
    uint64_t backlog_rows;
} spy;

static skep_rc spy_open(const struct skep_os *os, const char *path, unsigned flags, int *ret,
                        skep_err *err)
{
    skep_rc rc = spy.open(os, path, flags, ret, err);
    if (strstr(path, ".tmp"))
        spy.fd = *ret;
    return rc;
}

static skep_rc spy_pwrite(const struct skep_os *os, int fd, const void *p, size_t n, uint64_t at,
                          skep_err *err)
{
    if (spy.store && fd == spy.fd) {
        struct skep_store_stats st = stats_of(spy.store);
        if (st.writing_flush.running)
            spy.flush = st.writing_flush;
        if (st.writing_merge.running) {
            spy.merge = st.writing_merge;
            spy.backlog_rows = st.merge_backlog_rows;
        }
    }
    return spy.pwrite(os, fd, p, n, at, err);
}

static void test_work_is_seen(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(91);
    struct fault_os f;
    fault_os_init(&f, mem_os_ops(m));
    spy.open = f.os.open;
    spy.pwrite = f.os.pwrite;
    f.os.open = spy_open;
    f.os.pwrite = spy_pwrite;
    struct skep_column_config cfg = client_config(&f.os, DIR);
    struct rnd r = {92};
    struct rowlist want = {0};
    struct skep_store *s = spy.store = open_store(&cfg);
    for (int i = 0; i < 4; i++) {
        append_ok(s, &r, &want, 100);
        spy.flush = (struct skep_store_writing){0};
        flush(s);
        /* One segment a layout; the footer comes after the rows. */
        assert_true(spy.flush.running && spy.flush.rows > 0 && spy.flush.rows <= 100);
        assert_int_equal(spy.flush.rows_done, spy.flush.rows);
        assert_true(spy.flush.bytes_written > 0 && spy.flush.since_ns > 0);
        assert_false(stats_of(s).writing_flush.running);
        assert_int_equal(spy.merge.running, i == 3);
    }
    assert_true(spy.merge.rows > 0 && spy.merge.rows <= 400);
    assert_int_equal(spy.merge.rows_done, spy.merge.rows);
    assert_true(spy.backlog_rows >= spy.merge.rows);
    struct skep_store_stats st = stats_of(s);
    assert_false(st.writing_merge.running);
    assert_int_equal(st.merge_backlog_rows, 0);
    assert_int_equal(st.merge_backlog_since_ns, 0);
    spy.store = NULL;
    s->ops->close(s);
    rowlist_done(&want);
    mem_os_free(m);
}

static void test_wait_visible(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(10);
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    struct skep_store *s = open_store(&cfg);
    assert_int_equal(s->ops->wait_visible(s, 0, 5), 0);
    struct rnd r = {15};
    assert_int_equal(client_append(s, random_batch(&r, 1, NOW, 0)).rc, SKEP_OK);
    assert_int_equal(s->ops->wait_visible(s, 0, 10000), 1);
    s->ops->close(s);
    mem_os_free(m);
}

/* A question sees what was acknowledged, in parts and segments alike. */
static void test_run(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(77);
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    cfg.pool = skep_pool_new("query", 2);
    struct skep_store *s = open_store(&cfg);
    struct rnd r = {78};
    skep_ts_ns t = NOW;
    assert_int_equal(client_append(s, random_batch(&r, 40, t, 0)).rc, SKEP_OK);
    flush(s);
    assert_int_equal(client_append(s, random_batch(&r, 30, t, 100)).rc, SKEP_OK);
    struct skep_arena arena;
    skep_arena_init(&arena, "test", NULL);
    struct skep_plan plan = {
        .kind = SKEP_PLAN_ROWS, .range = {t - 2000000000, t + 2000000000}, .limit = 100};
    struct skep_run_opts opts = {.arena = &arena};
    struct skep_answer a = {0};
    skep_err err = {0};
    if (skep_store_run(s, &plan, &opts, &a, &err) != SKEP_OK)
        fail_msg("run: %s", err.text);
    assert_int_equal(a.rows.n, 70);
    assert_true(a.complete);
    skep_arena_done(&arena);
    s->ops->close(s);
    skep_pool_free(cfg.pool);
    mem_os_free(m);
}

/* Random operations against a list of rows. */
static void test_model(void **state)
{
    (void)state;
    const char *env = getenv("SKEP_SEED");
    uint64_t seed = env ? strtoull(env, NULL, 10) : 99;
    for (uint64_t run = 0; run < 6; run++) {
        struct mem_os *m = mem_os_new(seed + run);
        struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
        struct rnd r = {(seed + run) * 7919 + 1};
        struct rowlist want = {0};
        struct skep_store *s = open_store(&cfg);
        for (int op = 0; op < 80; op++) {
            uint32_t what = rnd_below(&r, 20);
            if (what < 15)
                append_ok(s, &r, &want, 1 + rnd_below(&r, 1u << rnd_below(&r, 10)));
            else if (what < 17)
                flush(s);
            else if (what < 18)
                expect_rows(s, &want);
            else {
                if (what == 19) /* the power goes: every row so far was acknowledged */
                    mem_os_die_after(m, 0);
                s->ops->close(s);
                if (what == 19)
                    mem_os_power_cut(m);
                s = open_store(&cfg);
            }
        }
        expect_rows(s, &want);
        s->ops->close(s);
        rowlist_done(&want);
        mem_os_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_folds_and_merges_keep_rows),
        cmocka_unit_test(test_small_merges_stay_cheap),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_twins_in_flight),
        cmocka_unit_test(test_work_is_seen),
        cmocka_unit_test(test_wait_visible),
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

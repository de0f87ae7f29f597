// SPDX-License-Identifier: Apache-2.0
/* The engine through its interface: commits, flush, restart, identities, limits, retention, and a
 * model test of random operations against a plain list of rows. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/fault_os.h"
#include "support/store_client.h"

#define DIR "/data"
#define NOW (skep_os_real()->now_ns(skep_os_real()))

static struct skep_store *open_store(const struct skep_column_config *cfg)
{
    struct skep_store *s = NULL;
    skep_err err;
    if (skep_column_open(cfg, &s, &err) != SKEP_OK)
        fail_msg("open: %s", err.text);
    return s;
}

static struct skep_store_stats stats_of(struct skep_store *s)
{
    struct skep_store_stats st;
    s->ops->stats(s, &st);
    return st;
}

static void flush(struct skep_store *s)
{
    skep_err err;
    if (s->ops->flush(s, &err) != SKEP_OK)
        fail_msg("flush: %s", err.text);
}

static void expect_rows(struct skep_store *s, struct rowlist *want)
{
    struct rowlist got = client_rows(s);
    rowlist_sort(want);
    rowlist_expect(&got, want);
    rowlist_done(&got);
    client_ledger_expect(s);
}

static void append_ok(struct skep_store *s, struct rnd *r, struct rowlist *want, uint32_t n)
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

static void test_memory_limit(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(5);
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    cfg.part_limit_bytes = 1 << 20;
    struct skep_store *s = open_store(&cfg);
    struct rnd r = {9};
    struct client_result c;
    int stored = 0;
    do {
        c = client_append(s, random_batch(&r, 1000, NOW, 0));
        stored += c.rc == SKEP_OK;
    } while (c.rc == SKEP_OK && stored < 1000);
    assert_int_equal(c.rc, SKEP_ENOMEM);
    assert_true(stored > 2);
    struct skep_store_stats st = stats_of(s);
    assert_true(st.memory_bytes < 4 << 20);
    flush(s); /* what the flusher would do */
    c = client_append(s, random_batch(&r, 1000, NOW, 0));
    assert_int_equal(c.rc, SKEP_OK);
    assert_int_equal(stats_of(s).rows_live, (stored + 1) * 1000);
    s->ops->close(s);
    mem_os_free(m);
}

/* Each kind of work has memory of its own: with the rest taken by others, rows come in, are flushed
 * and merged, and are read. */
static void test_reserves(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(5);
    struct skep_budget memory, others;
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    skep_budget_init(&memory, "memory", 48 << 20, NULL);
    cfg.memory = &memory;
    cfg.part_limit_bytes = 0; /* as it follows from the memory */
    struct skep_store *s = open_store(&cfg);
    skep_budget_init(&others, "others", UINT64_MAX, &memory);
    for (uint64_t n = 8 << 20; n > 0; n /= 2)
        while (skep_budget_take(&others, n, NULL) == SKEP_OK) {
        }
    assert_int_equal(skep_budget_take(&others, 1, NULL), SKEP_ENOMEM);
    struct rnd r = {9};
    struct rowlist want = {0};
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 8; i++)
            append_ok(s, &r, &want, 1000);
        flush(s);
    }
    struct skep_store_stats st = stats_of(s);
    assert_int_equal(st.flush.failed, 0);
    assert_true(st.merges > 0);
    expect_rows(s, &want);
    skep_budget_give(&others, skep_budget_used(&others));
    s->ops->close(s);
    assert_int_equal(skep_budget_used(&memory), 0); /* reserves included */
    assert_int_equal(skep_budget_take(&memory, 48 << 20, NULL), SKEP_OK);
    rowlist_done(&want);
    mem_os_free(m);
}

/* Restarting with more in the log than parts may take flushes on the way. */
static void test_replay_is_bounded(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(6);
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    struct skep_store *s = open_store(&cfg);
    struct rnd r = {10};
    struct rowlist want = {0};
    for (int i = 0; i < 20; i++)
        append_ok(s, &r, &want, 1000);
    uint64_t bytes = stats_of(s).part_bytes;
    s->ops->close(s);
    cfg.part_limit_bytes = bytes / 5;
    s = open_store(&cfg);
    assert_true(stats_of(s).part_bytes <= bytes / 5 + bytes / 10);
    assert_true(stats_of(s).segments >= 1);
    expect_rows(s, &want);
    s->ops->close(s);
    s = open_store(&cfg);
    expect_rows(s, &want);
    s->ops->close(s);
    rowlist_done(&want);
    mem_os_free(m);
}

static void test_disk_limit(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(7);
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    cfg.disk_limit_bytes = 4 << 20;
    struct skep_store *s = open_store(&cfg);
    struct rnd r = {11};
    uint64_t stored = 0;
    for (int i = 0; i < 150; i++) {
        struct client_result c = client_append(s, random_batch(&r, 1000, NOW, 0));
        if (c.rc == SKEP_OK)
            stored += 1000;
        else
            assert_int_equal(c.rc, SKEP_ENOSPC);
        if (i % 5 == 4)
            flush(s);
        assert_true(mem_os_used(m) <= cfg.disk_limit_bytes);
    }
    struct skep_store_stats st = stats_of(s);
    assert_true(st.expired_rows > 0);
    assert_true(stored > 50000);
    assert_int_equal(st.stored_rows, stored);
    assert_int_equal(st.rows_live + st.expired_rows, stored);
    s->ops->close(s);
    s = open_store(&cfg);
    assert_int_equal(stats_of(s).rows_live, st.rows_live);
    assert_int_equal(stats_of(s).expired_rows, st.expired_rows);
    s->ops->close(s);
    mem_os_free(m);
}

/* At the disk limit nothing more is taken, but all can be deleted, and then there is room again. */
static void test_delete_when_full(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(17);
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    cfg.disk_limit_bytes = 4 << 20;
    cfg.part_limit_bytes = 64 << 20;
    struct skep_store *s = open_store(&cfg);
    struct rnd r = {18};
    uint64_t rows = 0, gone = 0;
    skep_rc rc = SKEP_OK;
    for (int i = 0; i < 1000 && rc == SKEP_OK; i++) {
        rc = client_append(s, random_batch(&r, 500, NOW, 0)).rc;
        rows += rc == SKEP_OK ? 500 : 0;
    }
    assert_int_equal(rc, SKEP_ENOSPC);
    struct skep_plan plan = {.kind = SKEP_PLAN_ROWS, .range = {INT64_MIN, INT64_MAX}, .limit = 1};
    const struct skep_delete_opts opts = {.has_expected = true, .expected = rows};
    skep_err err;
    if (skep_store_delete(s, &plan, &opts, &gone, &err) != SKEP_OK)
        fail_msg("delete: %s", err.text);
    assert_int_equal(gone, rows);
    assert_int_equal(stats_of(s).rows_live, 0);
    assert_true(mem_os_used(m) <= cfg.disk_limit_bytes);
    flush(s);
    assert_int_equal(client_append(s, random_batch(&r, 500, NOW, 0)).rc, SKEP_OK);
    s->ops->close(s);
    s = open_store(&cfg);
    struct skep_store_stats st = stats_of(s);
    assert_int_equal(st.rows_live, 500);
    assert_int_equal(st.deleted_rows, rows);
    assert_int_equal(st.stored_rows, rows + 500);
    s->ops->close(s);
    mem_os_free(m);
}

/* A full disk refuses and loses nothing; once there is room again all goes on by itself. */
static void test_full_disk_heals(void **state)
{
    (void)state;
    for (unsigned room = 0; room <= 400; room += 100) {
        struct mem_os *m = mem_os_new(70 + room);
        struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
        cfg.disk_limit_bytes = 64 << 20; /* small log files */
        struct skep_store *s = open_store(&cfg);
        struct rnd r = {room + 1};
        struct rowlist want = {0};
        for (int i = 0; i < 3; i++)
            append_ok(s, &r, &want, 1000);
        mem_os_limit(m, mem_os_used(m) + (room << 10));
        unsigned refused = 0;
        for (int i = 0; i < 200 && refused < 5; i++) {
            struct skep_batch *b = random_batch(&r, 1000, NOW, 0);
            struct rowlist mine = {0};
            rowlist_add_batch(&mine, b, skep_engine_of(s)->next_seq);
            struct client_result c = client_append(s, b);
            for (size_t k = 0; c.rc == SKEP_OK && k < mine.n; k++)
                rowlist_add(&want, mine.rows[k]);
            if (c.rc == SKEP_OK) {
                skep_free(mine.rows);
                continue;
            }
            assert_int_equal(c.rc, SKEP_ENOSPC);
            rowlist_done(&mine);
            refused++;
            skep_err err;
            skep_rc rc = s->ops->flush(s, &err); /* may find room in what the log leaves */
            assert_true(rc == SKEP_OK || rc == SKEP_ENOSPC);
        }
        assert_int_equal(refused, 5);
        assert_false(stats_of(s).read_only);
        expect_rows(s, &want);
        mem_os_limit(m, 0);
        append_ok(s, &r, &want, 1000);
        flush(s);
        expect_rows(s, &want);
        s->ops->close(s);
        s = open_store(&cfg);
        expect_rows(s, &want);
        s->ops->close(s);
        rowlist_done(&want);
        mem_os_free(m);
    }
}

static void test_retention(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(8);
    struct fault_os f;
    fault_os_init(&f, mem_os_ops(m));
    skep_ts_ns t0 = 1700000000000000000, day = 86400ll * 1000000000;
    atomic_store(&f.now_ns, t0);
    struct skep_column_config cfg = client_config(&f.os, DIR);
    cfg.retain_ns = 10 * day;
    struct skep_store *s = open_store(&cfg);
    struct rnd r = {12};
    assert_int_equal(client_append(s, random_batch(&r, 10, t0, 0)).rc, SKEP_OK);
    flush(s);
    struct skep_batch *odd = random_batch(&r, 10, t0, 0); /* 1970 and 2100 */
    for (int i = 0; i < 10; i++)
        odd->time_ns[i] = i % 2 ? 5 : t0 + 30000 * day;
    assert_int_equal(client_append(s, odd).rc, SKEP_OK);
    flush(s);
    assert_int_equal(stats_of(s).rows_live, 20);
    atomic_store(&f.now_ns, t0 + 9 * day);
    assert_int_equal(client_append(s, random_batch(&r, 10, t0 + 9 * day, 0)).rc, SKEP_OK);
    flush(s);
    assert_int_equal(stats_of(s).rows_live, 30);
    atomic_store(&f.now_ns, t0 + 11 * day);
    flush(s);
    assert_int_equal(stats_of(s).rows_live, 10);
    assert_int_equal(stats_of(s).expired_rows, 20);
    client_ledger_expect(s);
    assert_int_equal(client_ledger_total(s, SKEP_LEDGER_EXPIRED_ROWS), 20);
    s->ops->close(s);
    s = open_store(&cfg);
    assert_int_equal(stats_of(s).rows_live, 10);
    client_ledger_expect(s);
    assert_int_equal(client_ledger_total(s, SKEP_LEDGER_EXPIRED_ROWS), 20);
    s->ops->close(s);
    mem_os_free(m);
}

/* A reader keeps what it sees, whatever is merged and dropped meanwhile; files go with it. */
static void test_old_readers_keep_files(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(9);
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    struct skep_store *s = open_store(&cfg);
    struct rnd r = {13};
    struct rowlist want = {0};
    append_ok(s, &r, &want, 100);
    flush(s);
    struct skep_snapshot *old = skep_engine__snapshot(skep_engine_of(s));
    for (int i = 0; i < 5; i++) {
        append_ok(s, &r, &want, 100);
        flush(s);
    }
    struct skep_os_stat st;
    const struct skep_os *os = mem_os_ops(m);
    assert_int_equal(os->stat(os, DIR "/seg/0000000000000001.seg", &st, NULL), SKEP_OK);
    char **rows = dump_rowset(old->sets[0].rowset);
    dump_free(rows, old->sets[0].rowset->n_rows);
    skep_snapshot_unref(old);
    assert_int_equal(os->stat(os, DIR "/seg/0000000000000001.seg", &st, NULL), SKEP_ENOTFOUND);
    expect_rows(s, &want);
    s->ops->close(s);
    rowlist_done(&want);
    mem_os_free(m);
}

/* Rows of 1970 and 2100 among good ones: marked, found under their time, and they live as long as
 * their arrival says; what the store says of its age is that of the good ones. */
static void test_misdated(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(19);
    struct fault_os f;
    fault_os_init(&f, mem_os_ops(m));
    skep_ts_ns t0 = 1700000000000000000, day = 86400ll * 1000000000, far = 4102444800000000000;
    atomic_store(&f.now_ns, t0);
    struct skep_column_config cfg = client_config(&f.os, DIR);
    cfg.retain_ns = 10 * day;
    struct skep_store *s = open_store(&cfg);
    struct rnd r = {20};
    for (int k = 0; k < 5; k++) { /* merged into one of each layout */
        struct skep_batch *b = random_batch(&r, 50, t0, 100 * k);
        b->time_ns[3] = 1;
        b->time_ns[7] = far;
        b->time_ns[9] = t0 + day; /* just in time, both */
        b->time_ns[11] = t0 - cfg.retain_ns;
        assert_int_equal(client_append(s, b).rc, SKEP_OK);
        for (int part = 0; part < 2; part++) {
            struct skep_store_stats st = stats_of(s);
            assert_true(st.oldest_ns >= t0 - cfg.retain_ns && st.oldest_ns <= t0);
            assert_true(st.newest_ns >= t0 - 1000000000 && st.newest_ns <= t0 + day);
            flush(s);
        }
    }
    assert_int_equal(stats_of(s).oldest_ns, t0 - cfg.retain_ns); /* of segments exact */
    assert_int_equal(stats_of(s).newest_ns, t0 + day);
    struct skep_arena arena;
    skep_arena_init(&arena, "test", NULL);
    struct skep_value yes = {.type = SKEP_TYPE_BOOL, .b = true};
    struct skep_expr marked = {.op = SKEP_EXPR_TEST,
                               .test = {{SKEP_STR("meta.misdated")}, SKEP_CMP_EQ, &yes, 1, false}};
    struct skep_plan plan = {.kind = SKEP_PLAN_ROWS,
                             .range = {INT64_MIN, INT64_MAX},
                             .filter = &marked,
                             .oldest_first = true,
                             .limit = 100};
    struct skep_run_opts opts = {.arena = &arena};
    struct skep_answer a = {0};
    skep_err err;
    assert_int_equal(skep_store_run(s, &plan, &opts, &a, &err), SKEP_OK);
    assert_int_equal(a.rows.n, 10);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(a.rows.rows[i].time_ns, i < 5 ? 1 : far);
    plan.filter = NULL;
    plan.range = (struct skep_time_range){far, far + 1}; /* under its own time */
    assert_int_equal(skep_store_run(s, &plan, &opts, &a, &err), SKEP_OK);
    assert_int_equal(a.rows.n, 5);
    skep_arena_done(&arena);
    atomic_store(&f.now_ns, t0 + 10 * day); /* the newest good row is a day younger */
    flush(s);
    assert_int_equal(stats_of(s).rows_live, 250);
    s->ops->close(s);
    s = open_store(&cfg);
    assert_int_equal(stats_of(s).newest_ns, t0 + day);
    atomic_store(&f.now_ns, t0 + 11 * day + 1);
    flush(s);
    assert_int_equal(stats_of(s).rows_live, 0);
    assert_int_equal(stats_of(s).expired_rows, 250);
    s->ops->close(s);
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

/* One fsync may fail; after the second the store says so and takes nothing more, but answers. */
static void test_read_only(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(80);
    struct fault_os f;
    fault_os_init(&f, mem_os_ops(m));
    struct skep_column_config cfg = client_config(&f.os, DIR);
    struct rnd r = {81};
    struct rowlist want = {0};
    struct skep_store *s = open_store(&cfg);
    append_ok(s, &r, &want, 10);
    fault_os_arm(&f, FAULT_SYNC, 0, 1, SKEP_EIO);
    append_ok(s, &r, &want, 10);
    assert_false(stats_of(s).read_only);
    fault_os_arm(&f, FAULT_SYNC, 0, INT64_MAX, SKEP_EIO);
    assert_int_equal(client_append(s, random_batch(&r, 10, NOW, 0)).rc, SKEP_EIO);
    assert_true(stats_of(s).read_only);
    fault_os_arm(&f, 0, 0, 0, SKEP_OK);
    assert_int_equal(client_append(s, random_batch(&r, 10, NOW, 0)).rc, SKEP_EIO);
    expect_rows(s, &want);
    s->ops->close(s);
    s = open_store(&cfg);
    expect_rows(s, &want); /* and what was refused did not come back */
    append_ok(s, &r, &want, 10);
    s->ops->close(s);
    rowlist_done(&want);
    mem_os_free(m);
}

/* A damaged frame costs its own rows alone and is reported; lost files are errors. */
static void test_damage(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(82);
    const struct skep_os *os = mem_os_ops(m);
    struct skep_column_config cfg = client_config(os, DIR);
    struct rnd r = {83};
    struct skep_store *s = open_store(&cfg);
    for (int i = 0; i < 5; i++)
        assert_int_equal(client_append(s, random_batch(&r, 10, NOW, 0)).rc, SKEP_OK);
    uint64_t used = skep_wal_used_bytes(skep_engine_of(s)->wal);
    s->ops->close(s);
    assert_true(mem_os_flip(m, DIR "/wal/0000000000000001.log", used / 2 * 8));
    s = open_store(&cfg);
    struct skep_store_stats st = stats_of(s);
    assert_int_equal(st.rows_live, 40);
    assert_int_equal(st.damaged_regions, 1);
    assert_non_null(strstr(st.damage.p, "are lost"));
    flush(s);
    s->ops->close(s);
    skep_err err;
    assert_int_equal(os->rename(os, DIR "/MANIFEST", DIR "/M", NULL), SKEP_OK);
    assert_int_equal(skep_column_open(&cfg, &s, &err), SKEP_ECORRUPT);
    assert_non_null(strstr(err.text, "no MANIFEST"));
    assert_int_equal(os->rename(os, DIR "/M", DIR "/MANIFEST", NULL), SKEP_OK);
    s = open_store(&cfg);
    assert_int_equal(stats_of(s).rows_live, 40);
    s->ops->close(s);
    assert_int_equal(os->unlink(os, DIR "/seg/0000000000000001.seg", NULL), SKEP_OK);
    assert_int_equal(skep_column_open(&cfg, &s, &err), SKEP_ECORRUPT);
    assert_non_null(strstr(err.text, "is missing"));
    mem_os_free(m);
}

/* Bits of the manifest: an error, or nothing lost. */
static void test_manifest_flips(void **state)
{
    (void)state;
    unsigned errors = 0;
    for (uint64_t round = 0; round < 250; round++) {
        struct mem_os *m = mem_os_new(11 + round);
        struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
        struct rnd r = {16};
        struct skep_store *s = open_store(&cfg);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(client_append(s, random_batch(&r, 5, NOW, 0)).rc, SKEP_OK);
            flush(s);
        }
        uint64_t bytes = skep_manifest_bytes(skep_engine_of(s)->manifest);
        s->ops->close(s);
        assert_true(mem_os_flip(m, DIR "/MANIFEST", round * 1021 % (bytes * 8)));
        skep_err err;
        skep_rc rc = skep_column_open(&cfg, &s, &err);
        if (rc == SKEP_OK) {
            assert_int_equal(stats_of(s).rows_live, 20);
            s->ops->close(s);
        } else {
            assert_true(rc == SKEP_ECORRUPT || rc == SKEP_EUNSUPPORTED);
            assert_true(err.text[0] != 0);
            errors++;
        }
        mem_os_free(m);
    }
    assert_true(errors > 100);
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
        cmocka_unit_test(test_memory_limit),
        cmocka_unit_test(test_reserves),
        cmocka_unit_test(test_replay_is_bounded),
        cmocka_unit_test(test_disk_limit),
        cmocka_unit_test(test_delete_when_full),
        cmocka_unit_test(test_full_disk_heals),
        cmocka_unit_test(test_retention),
        cmocka_unit_test(test_old_readers_keep_files),
        cmocka_unit_test(test_misdated),
        cmocka_unit_test(test_work_is_seen),
        cmocka_unit_test(test_wait_visible),
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_manifest_flips),
        cmocka_unit_test(test_misdated),
        cmocka_unit_test(test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/* The engine at its limits: memory, disk, retention; what is let go, what is refused, and that it
 * heals when there is room again. */
#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "engine_support.h"
#include "support/instrumented.h"

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
    for (unsigned room = 0; room <= 400; room += SKEP_INSTRUMENTED ? 400 : 100) {
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_limit),      cmocka_unit_test(test_reserves),
        cmocka_unit_test(test_replay_is_bounded), cmocka_unit_test(test_disk_limit),
        cmocka_unit_test(test_delete_when_full),  cmocka_unit_test(test_full_disk_heals),
        cmocka_unit_test(test_retention),         cmocka_unit_test(test_old_readers_keep_files),
        cmocka_unit_test(test_misdated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

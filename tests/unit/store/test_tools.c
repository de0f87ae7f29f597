// SPDX-License-Identifier: Apache-2.0
/* What an operator relies on: verify names every flipped bit and nothing else, a directory can be
 * looked at while it is owned, and what is lost stays said. */
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/column/engine.h"
#include "support/instrumented.h"
#include "tools_support.h"

/* Every bit of every file is under a check, and the check names the file. */
static void test_flips(void **state)
{
    (void)state;
    struct world w;
    struct files files;
    world_init(&w, 11);
    fill(&w, 3, 5);
    expect_clean(&w);
    list_files(&w, &files);
    unsigned n_flips = 0;
    for (unsigned i = 0; i < files.n; i++) {
        uint64_t bits = size_of(&w, files.path[i]) * 8;
        for (unsigned k = 0; k < skep_tries(150) && bits > 0; k++) {
            uint64_t bit = rnd_u64(&w.rnd) % bits;
            struct found f;
            flip(&w, files.path[i], bit);
            (void)verify(&w, &f);
            if (f.damages == 0)
                fail_msg("bit %" PRIu64 " of %s is not missed", bit, files.path[i]);
            /* A hole in the log may show where the next file begins. */
            if (memcmp(files.path[i], "wal/", 4) == 0)
                assert_memory_equal(f.file, "wal/", 4);
            else if (strcmp(files.path[i], f.file) != 0)
                fail_msg("bit %" PRIu64 " of %s: told of %s: %s", bit, files.path[i], f.file,
                         f.text);
            flip(&w, files.path[i], bit);
            n_flips++;
        }
    }
    assert_true(n_flips >= 5 * skep_tries(150));
    expect_clean(&w);
    world_done(&w);
}

/* A commit in the middle of the log is named by its number. */
static void test_log_names_commits(void **state)
{
    (void)state;
    struct world w;
    struct found f;
    struct files files;
    world_init(&w, 12);
    fill(&w, 0, 5);
    list_files(&w, &files);
    const char *log = files.path[0];
    assert_memory_equal(log, "wal/", 4);
    flip(&w, log, (64 + 48 + 100) * 8); /* in the first payload */
    (void)verify(&w, &f);
    assert_int_equal(f.damages, 1);
    assert_int_equal(f.offset, 64);
    assert_int_equal(f.min_seq, 1);
    assert_int_equal(f.max_seq, 1);
    world_done(&w);
}

/* --- read-only -------------------------------------------------------------------------------- */

static void expect_rows(struct world *w, struct skep_store *s)
{
    struct rowlist got = client_rows(s);
    rowlist_sort(&w->want);
    rowlist_expect(&got, &w->want);
    rowlist_done(&got);
}

static void test_read_only(void **state)
{
    (void)state;
    struct world w;
    struct found f;
    world_init(&w, 14);
    fill(&w, 2, 3);
    struct skep_store *owner = open_store(&w);
    append(&w, owner, 33); /* not flushed: only in the log */
    uint64_t used = mem_os_used(w.mem);
    struct skep_column_config cfg = w.cfg;
    cfg.read_only = true;
    struct skep_store *s;
    skep_err err;
    if (skep_column_open(&cfg, &s, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    expect_rows(&w, s);
    struct skep_store_stats st;
    s->ops->stats(s, &st);
    assert_true(st.read_only);
    assert_int_equal(st.rows_live, w.n_rows);
    struct client_result c = client_append(s, random_batch(&w.rnd, 5, NOW, 1));
    assert_int_equal(c.rc, SKEP_EFORBIDDEN);
    assert_int_equal(s->ops->flush(s, &err), SKEP_EFORBIDDEN);
    s->ops->close(s);
    assert_int_equal(mem_os_used(w.mem), used);
    (void)verify(&w, &f);
    assert_int_equal(f.damages, 0);
    expect_rows(&w, owner); /* and it works on */
    append(&w, owner, 7);
    owner->ops->close(owner);
    struct skep_store *again = open_store(&w);
    expect_rows(&w, again);
    again->ops->close(again);
    world_done(&w);
}

static void test_read_only_of_nothing(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 15);
    struct skep_column_config cfg = w.cfg;
    cfg.read_only = true;
    struct skep_store *s;
    skep_err err;
    assert_int_equal(skep_column_open(&cfg, &s, &err), SKEP_ENOTFOUND);
    assert_int_equal(mem_os_used(w.mem), 0);
    world_done(&w);
}

/* --- what is lost ------------------------------------------------------------------------------
 */

/* A lost commit is said by every answer, after a flush and a restart too, until it is past the
 * retention. */
static void test_losses_stay_said(void **state)
{
    (void)state;
    struct world w;
    struct files files;
    struct skep_arena arena;
    world_init(&w, 16);
    fill(&w, 0, 5);
    list_files(&w, &files);
    flip(&w, files.path[0], (64 + 48 + 100) * 8);
    skep_arena_init(&arena, "test", NULL);
    for (unsigned round = 0; round < 3; round++) {
        struct skep_store *s = open_store(&w);
        struct skep_answer a = count(s, &arena, 0, INT64_MAX);
        assert_false(a.complete);
        assert_true(skep_str_find(a.missing, SKEP_STR("commit 1,")) != SIZE_MAX);
        struct skep_store_stats st;
        s->ops->stats(s, &st);
        assert_int_equal(st.losses, 1);
        if (round == 1)
            flush(s); /* the damaged file goes */
        s->ops->close(s);
    }
    struct found f;
    (void)verify(&w, &f);
    assert_int_equal(f.damages, 0);
    assert_int_equal(f.notes, 1);

    /* The clock of the double is the real one: a nanosecond of retention is past at once. */
    w.cfg.retain_ns = 1;
    struct skep_store *s = open_store(&w);
    flush(s); /* without background threads it expires, too */
    struct skep_answer a = count(s, &arena, 0, INT64_MAX);
    assert_true(a.complete);
    s->ops->close(s);
    skep_arena_done(&arena);
    world_done(&w);
}

static void test_files_of_their_own(void **state)
{
    (void)state;
    struct world w;
    struct files files;
    world_init(&w, 13);
    fill_and_delete(&w);
    list_files(&w, &files);
    for (unsigned i = 0; i < files.n; i++) {
        struct found f = {0};
        const struct skep_tool t = {.os = w.os, .found = on_found, .ctx = &f};
        struct skep_verify_result r;
        char path[128];
        skep_err err;
        (void)snprintf(path, sizeof path, DIR "/%s", files.path[i]);
        assert_int_equal(skep_tool_verify_file(&t, path, &r, &err), SKEP_OK);
        if (f.damages)
            fail_msg("%s: %s", path, f.text);
        assert_int_equal(r.files, 1);
    }
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flips),
        cmocka_unit_test(test_log_names_commits),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_read_only_of_nothing),
        cmocka_unit_test(test_losses_stay_said),
        cmocka_unit_test(test_files_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

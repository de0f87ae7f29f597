// SPDX-License-Identifier: Apache-2.0
/* skep repair: what is good is served again, to the row; what is lost is said, recorded, and
 * settled when the operator or the retention says so; what was deleted stays so, or it is said. */
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "store/column/engine.h"
#include "store/column/segment.h"
#include "store/column/segment_check.h"
#include "support/instrumented.h"
#include "tools_support.h"

static struct skep_repair_result repair(struct world *w, const struct skep_repair_opts *opts,
                                        struct found *f)
{
    const struct skep_tool t = {.os = w->os, .found = on_found, .ctx = f};
    struct skep_repair_result r = {0};
    skep_err err;
    *f = (struct found){0};
    if (skep_tool_repair(&t, DIR, opts, &r, &err) != SKEP_OK)
        fail_msg("repair: %s", err.text);
    return r;
}

/* Is this row of the sorted list there? */
static bool in_list(const struct rowlist *l, const char *row)
{
    size_t low = 0, high = l->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = strcmp(l->rows[mid], row);
        if (c == 0)
            return true;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

static bool is_recorded(struct skep_store *s, uint64_t seq)
{
    const struct skep_missing_list *l = &skep_engine_of(s)->missing;
    for (unsigned i = 0; i < l->n; i++)
        if (seq >= l->items[i].min_seq && seq <= l->items[i].max_seq)
            return true;
    return false;
}

/* Each commit is there whole or not at all, nothing else is there, and what is not there is said.
 * Returns how many commits are not. */
static unsigned expect_rest(struct world *w, uint64_t torn_from)
{
    struct skep_arena arena;
    struct skep_store *s = open_store(w);
    struct rowlist got = client_rows(s);
    unsigned n_absent = 0, n_said = 0;
    size_t n_rows = 0;
    for (uint64_t seq = 1; seq <= w->n_commits; seq++) {
        const struct rowlist *c = &w->commits[seq].rows;
        bool first = in_list(&got, c->rows[0]);
        for (size_t i = 0; i < c->n; i++)
            if (in_list(&got, c->rows[i]) != first)
                fail_msg("commit %" PRIu64 " is there in part", seq);
        n_rows += first ? c->n : 0;
        if (first)
            continue;
        n_absent++;
        bool said = is_recorded(s, seq);
        n_said += said;
        if (!said && seq < torn_from)
            fail_msg("commit %" PRIu64 " is gone and nothing says so", seq);
    }
    assert_int_equal(got.n, n_rows);
    skep_arena_init(&arena, "test", NULL);
    struct skep_answer a = count(s, &arena, 0, INT64_MAX);
    if (n_said > 0)
        assert_false(a.complete);
    skep_arena_done(&arena);
    rowlist_done(&got);
    s->ops->close(s);
    return n_absent;
}

/* A bit of any file: repair serves all that was not in the damaged piece. */
static void test_repair_flips(void **state)
{
    (void)state;
    const unsigned rounds = skep_tries(120);
    unsigned n_lost = 0, n_kept = 0;
    for (unsigned round = 0; round < rounds; round++) {
        struct world w;
        struct files files;
        struct found f;
        world_init(&w, 100 + round);
        fill(&w, 3, 5);
        list_files(&w, &files);
        const char *file = files.path[round % files.n];
        uint64_t size = size_of(&w, file);
        if (size > 0)
            flip(&w, file, rnd_u64(&w.rnd) % (size * 8));
        const struct skep_repair_opts opts = {.memory = NULL};
        (void)repair(&w, &opts, &f);
        (void)verify(&w, &f);
        if (f.damages)
            fail_msg("round %u, %s: after repair: %s: %s", round, file, f.file, f.text);
        unsigned lost = expect_rest(&w, w.n_commits);
        /* Three segments of two commits each, five commits in the log. */
        if (memcmp(file, "seg/", 4) == 0)
            assert_true(lost == 0 || lost == 2);
        else if (memcmp(file, "wal/", 4) == 0)
            assert_true(lost <= 1);
        else
            assert_int_equal(lost, 0);
        n_lost += lost > 0;
        n_kept += lost == 0;
        world_done(&w);
    }
    assert_true(n_lost > rounds / 6 && n_kept > rounds / 6);
}

static void test_repair_without_manifest(void **state)
{
    (void)state;
    struct world w;
    struct found f;
    world_init(&w, 21);
    fill(&w, 3, 4);
    assert_int_equal(w.os->unlink(w.os, DIR "/MANIFEST", NULL), SKEP_OK);
    struct skep_store *s;
    skep_err err;
    assert_int_equal(skep_column_open(&w.cfg, &s, &err), SKEP_ECORRUPT);
    const struct skep_repair_opts dry = {.dry_run = true}, wet = {.dry_run = false};
    struct skep_repair_result r = repair(&w, &dry, &f);
    assert_true(r.manifest_rebuilt);
    assert_int_equal(skep_column_open(&w.cfg, &s, &err), SKEP_ECORRUPT); /* nothing was done */
    r = repair(&w, &wet, &f);
    assert_true(r.manifest_rebuilt);
    assert_int_equal(r.rows, w.n_rows);
    assert_int_equal(f.damages, 0);
    expect_clean(&w);
    assert_int_equal(expect_rest(&w, UINT64_MAX), 0);
    world_done(&w);
}

static void test_repair_of_an_owned_directory(void **state)
{
    (void)state;
    struct world w;
    struct found f = {0};
    world_init(&w, 22);
    fill(&w, 1, 1);
    struct skep_store *owner = open_store(&w);
    const struct skep_tool t = {.os = w.os, .found = on_found, .ctx = &f};
    const struct skep_repair_opts opts = {.dry_run = false};
    struct skep_repair_result r;
    skep_err err;
    assert_int_equal(skep_tool_repair(&t, DIR, &opts, &r, &err), SKEP_EEXISTS);
    owner->ops->close(owner);
    (void)repair(&w, &opts, &f);
    assert_int_equal(expect_rest(&w, UINT64_MAX), 0);
    world_done(&w);
}

/* Rows the ledger says were stored, and are neither live nor gone for a reason. */
static uint64_t ledger_lacks(struct skep_store *s)
{
    struct skep_store_ledger l;
    int64_t lacks = 0;
    s->ops->ledger(s, 0, true, &l);
    assert_int_equal(l.unread_rows, 0);
    for (size_t i = 0; i < l.counts.n; i++) {
        struct skep_ledger_key k;
        assert_true(skep_ledger_unpack(l.counts.items[i].key, &k));
        if (k.what == SKEP_LEDGER_STORED_ROWS)
            lacks += (int64_t)l.counts.items[i].n;
        else if (k.what == SKEP_LEDGER_LIVE_ROWS || k.what == SKEP_LEDGER_EXPIRED_ROWS ||
                 k.what == SKEP_LEDGER_DELETED_ROWS || k.what == SKEP_LEDGER_SUPERSEDED_ROWS)
            lacks -= (int64_t)l.counts.items[i].n;
    }
    skep_ledger_done(&l.counts);
    assert_true(lacks >= 0);
    return (uint64_t)lacks;
}

/* Several row groups, one damaged: the rows of the others are served, to the row. */
static void test_repair_saves_row_groups(void **state)
{
    (void)state;
    enum { ROWS = 70000, STEP = 10000, FIRST = 8192 /* rows of a flush's first row group */ };
    struct world w;
    struct found f;
    struct files files;
    world_init(&w, 23);
    struct skep_store *s = open_store(&w);
    for (unsigned i = 0; i < ROWS / STEP; i++)
        append(&w, s, STEP);
    flush(s);
    s->ops->close(s);
    list_files(&w, &files);
    flip(&w, files.path[0], 40 * 8); /* the first chunk is of the first row group */
    (void)verify(&w, &f);
    assert_int_equal(f.damages, 1);
    const struct skep_repair_opts opts = {.memory = NULL};
    struct skep_repair_result r = repair(&w, &opts, &f);
    assert_int_equal(r.segments_saved, 1);
    assert_int_equal(r.lost_rows, FIRST);
    assert_int_equal(r.rows, ROWS - FIRST);
    (void)verify(&w, &f);
    if (f.damages)
        fail_msg("%s: %s", f.file, f.text);
    s = open_store(&w);
    struct rowlist got = client_rows(s);
    rowlist_sort(&w.want);
    assert_int_equal(got.n, ROWS - FIRST);
    for (size_t i = 0; i < got.n; i++)
        assert_true(in_list(&w.want, got.rows[i]));
    struct skep_store_stats st;
    s->ops->stats(s, &st);
    assert_int_equal(st.lost_rows, FIRST);
    assert_int_equal(st.stored_rows, st.rows_live + st.lost_rows);
    assert_int_equal(ledger_lacks(s), FIRST);
    rowlist_done(&got);
    s->ops->close(s);
    /* An operator settles it. */
    const struct skep_repair_opts forget = {.forget = true};
    r = repair(&w, &forget, &f);
    assert_int_equal(r.forgotten, 1);
    s = open_store(&w);
    s->ops->stats(s, &st);
    assert_int_equal(st.losses, 0);
    assert_int_equal(st.stored_rows, st.rows_live + st.expired_rows);
    assert_int_equal(ledger_lacks(s), 0);
    s->ops->close(s);
    world_done(&w);
}

/* The same where retention settles it: what came is kept, what was lost is past. */
static void test_retention_settles_the_ledger(void **state)
{
    (void)state;
    struct world w;
    struct found f;
    struct files files;
    struct skep_store_stats st;
    world_init(&w, 24);
    fill(&w, 2, 1);
    list_files(&w, &files);
    for (unsigned i = 0; i < files.n; i++)
        if (skep_str_ends(skep_str_c(files.path[i]), SKEP_STR(".seg"))) {
            flip(&w, files.path[i], 40 * 8);
            break;
        }
    const struct skep_repair_opts opts = {.memory = NULL};
    struct skep_repair_result r = repair(&w, &opts, &f);
    struct skep_store *s = open_store(&w);
    assert_true(r.lost_rows > 0);
    assert_int_equal(ledger_lacks(s), r.lost_rows);
    s->ops->close(s);
    w.cfg.retain_ns = 1;
    s = open_store(&w);
    flush(s); /* without background threads it expires, too */
    s->ops->stats(s, &st);
    assert_int_equal(st.losses, 0);
    assert_int_equal(ledger_lacks(s), 0);
    s->ops->close(s);
    w.cfg.retain_ns = 0;
    s = open_store(&w);
    assert_int_equal(ledger_lacks(s), 0);
    s->ops->close(s);
    world_done(&w);
}

/* --- deleted rows ----------------------------------------------------------------------------- */

static int64_t *tags_of(struct world *w, size_t *ret_n)
{
    struct skep_store *s = open_store(w);
    int64_t *tags = client_tags(s, "tag", ret_n);
    s->ops->close(s);
    return tags;
}

static bool has_tag(const int64_t *tags, size_t n, int64_t tag)
{
    for (size_t i = 0; i < n; i++)
        if (tags[i] == tag)
            return true;
    return false;
}

static unsigned list_lives(struct world *w, struct files *ret)
{
    struct files all;
    list_files(w, &all);
    *ret = (struct files){.n = 0};
    for (unsigned i = 0; i < all.n; i++)
        if (skep_str_ends(skep_str_c(all.path[i]), SKEP_STR(".live")))
            memcpy(ret->path[ret->n++], all.path[i], sizeof all.path[i]);
    return ret->n;
}

/* Without its manifest a store is the same again: what was deleted stays deleted. */
static void test_repair_keeps_deletes(void **state)
{
    (void)state;
    struct world w;
    struct found f;
    struct files lives;
    size_t n, again;
    world_init(&w, 31);
    fill_and_delete(&w);
    int64_t *before = tags_of(&w, &n);
    assert_true(list_lives(&w, &lives) > 0);
    assert_int_equal(n, w.n_rows - 2 * DELETED);
    (void)verify(&w, &f);
    if (f.damages)
        fail_msg("%s: %s", f.file, f.text);
    assert_int_equal(w.os->unlink(w.os, DIR "/MANIFEST", NULL), SKEP_OK);
    const struct skep_repair_opts opts = {.dry_run = false};
    struct skep_repair_result r = repair(&w, &opts, &f);
    assert_int_equal(r.undeleted_rows, 0);
    int64_t *after = tags_of(&w, &again);
    assert_int_equal(again, n);
    assert_memory_equal(after, before, n * sizeof *before);
    skep_free(before);
    skep_free(after);
    world_done(&w);
}

/* A damaged file of live rows is named; repair keeps the segment and says how many rows are back.
 */
static void test_damaged_live_rows(void **state)
{
    (void)state;
    struct world w;
    struct found f;
    struct files lives;
    size_t n;
    world_init(&w, 32);
    fill_and_delete(&w);
    const unsigned flips = skep_tries(40);
    unsigned n_lives = list_lives(&w, &lives);
    for (unsigned i = 0; i < n_lives; i++)
        for (unsigned k = 0; k < flips; k++) {
            uint64_t bit = rnd_u64(&w.rnd) % (size_of(&w, lives.path[i]) * 8);
            flip(&w, lives.path[i], bit);
            (void)verify(&w, &f);
            assert_true(f.damages > 0);
            assert_string_equal(f.file, lives.path[i]);
            flip(&w, lives.path[i], bit);
        }
    flip(&w, lives.path[0], 300);
    const struct skep_repair_opts opts = {.dry_run = false};
    struct skep_repair_result r = repair(&w, &opts, &f);
    assert_true(r.undeleted_rows == DELETED || r.undeleted_rows == 2 * DELETED);
    assert_int_equal(f.damages, 1);
    (void)verify(&w, &f);
    assert_int_equal(f.damages, 0);
    int64_t *tags = tags_of(&w, &n);
    assert_int_equal(n, w.n_rows - 2 * DELETED + r.undeleted_rows);
    assert_true(has_tag(tags, n, 200000)); /* what was not deleted is there in any case */
    skep_free(tags);
    struct skep_store *s = open_store(&w);
    struct skep_store_stats st;
    s->ops->stats(s, &st);
    assert_int_equal(st.stored_rows, st.rows_live + st.deleted_rows);
    s->ops->close(s);
    world_done(&w);
}

/* Neither manifest nor the file of live rows: rows that were deleted are back, and it is said. */
static void test_damaged_live_rows_and_manifest(void **state)
{
    (void)state;
    struct world w;
    struct found f;
    struct files lives;
    size_t n;
    world_init(&w, 35);
    fill_and_delete(&w);
    unsigned n_lives = list_lives(&w, &lives);
    for (unsigned i = 0; i < n_lives; i++)
        flip(&w, lives.path[i], 300);
    assert_int_equal(w.os->unlink(w.os, DIR "/MANIFEST", NULL), SKEP_OK);
    const struct skep_repair_opts opts = {.dry_run = false};
    (void)repair(&w, &opts, &f);
    assert_int_equal(f.damages, n_lives);
    assert_non_null(strstr(f.text, "may be back"));
    skep_free(tags_of(&w, &n));
    assert_int_equal(n, w.n_rows);
    world_done(&w);
}

/* A damaged segment with dead rows: those are not counted as lost. */
static void test_dead_rows_are_not_lost(void **state)
{
    (void)state;
    struct world w;
    struct found f;
    struct files files;
    world_init(&w, 33);
    fill_and_delete(&w);
    list_files(&w, &files);
    for (unsigned i = 0; i < files.n; i++)
        if (skep_str_ends(skep_str_c(files.path[i]), SKEP_STR(".seg")))
            flip(&w, files.path[i], 40 * 8);
    const struct skep_repair_opts opts = {.dry_run = false};
    (void)repair(&w, &opts, &f);
    struct skep_store *s = open_store(&w);
    struct skep_store_stats st;
    s->ops->stats(s, &st);
    assert_true(st.lost_rows > 0);
    assert_int_equal(st.stored_rows, st.rows_live + st.lost_rows + st.deleted_rows);
    assert_int_equal(st.deleted_rows, 2 * DELETED);
    s->ops->close(s);
    world_done(&w);
}

/* Spans in order of time, each a trace of its own: rows of a segment stand in that order. */
static void fill_in_order(struct world *w, uint32_t rows)
{
    enum { STEP = 10000 };
    struct skep_store *s = open_store(w);
    for (uint32_t row = 0; row < rows; row += STEP) {
        struct skep_batch *b = random_batch(&w->rnd, STEP, NOW, row);
        for (uint32_t i = 0; i < b->n_rows; i++) {
            b->kind[i] = SKEP_KIND_SPAN;
            b->time_ns[i] = NOW + row + i;
            memset(&b->trace_id[i], 1, sizeof b->trace_id[i]);
            skep_store_le32(b->trace_id[i].b, row + i);
        }
        assert_int_equal(client_append(s, b).rc, SKEP_OK);
    }
    flush(s);
    s->ops->close(s);
}

static void delete_between(struct world *w, skep_ts_ns from, skep_ts_ns to, uint64_t want)
{
    const struct skep_plan plan = {.kind = SKEP_PLAN_ROWS, .range = {from, to}};
    const struct skep_delete_opts opts = {.dry_run = false};
    struct skep_store *s = open_store(w);
    uint64_t rows;
    skep_err err;
    assert_int_equal(skep_store_delete(s, &plan, &opts, &rows, &err), SKEP_OK);
    assert_int_equal(rows, want);
    flush(s); /* from the log to a file of live rows */
    s->ops->close(s);
}

/* Flip a bit that this row group alone needs. */
static void damage_group(struct world *w, const char *name, uint32_t group)
{
    char path[128];
    (void)snprintf(path, sizeof path, DIR "/%s", name);
    for (uint64_t at = 40; at < size_of(w, name); at += 997) {
        struct skep_cache *cache = skep_cache_new(NULL, 1 << 20);
        struct skep_segment_health h = {.n_bad = 0};
        struct skep_rowset *rs;
        skep_err err;
        flip(w, name, at * 8);
        if (skep_segment_open(w->os, path, cache, &rs, &err) == SKEP_OK) {
            assert_int_equal(skep_segment__health(rs, NULL, NULL, &h, &err), SKEP_OK);
            assert_int_equal(h.n_groups, 3);
            bool done = h.n_bad_groups == 1 && h.bad_group[group];
            skep_free(h.bad_group);
            skep_rowset_unref(rs);
            skep_cache_free(cache);
            if (done)
                return;
        } else {
            skep_cache_free(cache);
        }
        flip(w, name, at * 8);
    }
    fail_msg("no byte of row group %u alone", group);
}

/* A segment of several row groups, one damaged, all rows of the others dead: nothing is left to
 * save. What was alive of the damaged one is lost, what was dead is gone, and none is counted
 * twice. */
static void test_good_row_groups_all_dead(void **state)
{
    (void)state;
    /* The row group between the short ones of a flush's ends is damaged. */
    enum { ROWS = 70000, END = 8192, BAD = 53617, DEAD_OF_BAD = 36 };
    struct world w;
    struct found f;
    struct files files;
    struct skep_store_stats st;
    unsigned at = 0;
    world_init(&w, 34);
    fill_in_order(&w, ROWS);
    delete_between(&w, NOW, NOW + END + DEAD_OF_BAD, END + DEAD_OF_BAD);
    delete_between(&w, NOW + END + BAD, NOW + ROWS, ROWS - BAD - END);
    list_files(&w, &files);
    while (!skep_str_ends(skep_str_c(files.path[at]), SKEP_STR(".seg")))
        at++;
    damage_group(&w, files.path[at], 1);
    for (int dry = 1; dry >= 0; dry--) {
        const struct skep_repair_opts opts = {.dry_run = dry};
        struct skep_repair_result r = repair(&w, &opts, &f);
        assert_int_equal(r.lost_rows, BAD - DEAD_OF_BAD);
        assert_int_equal(r.rows, 0);
        assert_int_equal(r.segments_saved, 0);
        assert_int_equal(r.segments_aside, 1);
        assert_int_equal(f.damages, 1);
    }
    (void)verify(&w, &f);
    if (f.damages)
        fail_msg("%s: %s", f.file, f.text);
    struct skep_store *s = open_store(&w);
    s->ops->stats(s, &st);
    assert_int_equal(st.rows_live, 0);
    assert_int_equal(st.lost_rows, BAD - DEAD_OF_BAD);
    assert_int_equal(st.deleted_rows, ROWS - BAD + DEAD_OF_BAD);
    assert_int_equal(st.stored_rows, ROWS);
    assert_int_equal(client_append(s, random_batch(&w.rnd, 10, NOW, 0)).rc, SKEP_OK);
    flush(s);
    s->ops->close(s);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repair_flips),
        cmocka_unit_test(test_repair_without_manifest),
        cmocka_unit_test(test_repair_of_an_owned_directory),
        cmocka_unit_test(test_repair_saves_row_groups),
        cmocka_unit_test(test_retention_settles_the_ledger),
        cmocka_unit_test(test_repair_keeps_deletes),
        cmocka_unit_test(test_damaged_live_rows),
        cmocka_unit_test(test_damaged_live_rows_and_manifest),
        cmocka_unit_test(test_dead_rows_are_not_lost),
        cmocka_unit_test(test_good_row_groups_all_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

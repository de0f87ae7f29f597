// SPDX-License-Identifier: Apache-2.0
/* Merges of segments: those of merges equal the direct one, byte for byte; dead rows are left out,
 * the live ones stay in order. */
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "segment_checks.h"
#include "support/instrumented.h"

static void test_live_rows(void **state)
{
    struct segment_fixture *f = *state;
    struct rng r = {99};
    struct batch_shape s = {.rows = 5000, .traces = 600, .fields = 20, .per_row = 6};
    struct skep_segment_source src[3];
    struct row_texts want = {0};
    for (unsigned i = 0; i < 3; i++) {
        src[i].rowset = random_part(&r, &s, 1 + i);
        src[i].live = some_live(src[i].rowset, 2 + i);
        assert_int_equal(read_rows(src[i].rowset, src[i].live, 1024, &want, NULL), SKEP_OK);
    }
    sort_rows(&want);
    struct skep_rowset *seg = must_write(f, "/a", src, 3);
    check_order(seg);
    check_ways(seg);
    struct row_texts got = texts_of(seg, NULL, 1024);
    sort_rows(&got);
    same_rows(&want, &got);
    free_rows(&got);
    free_rows(&want);
    /* And dead rows of a segment. */
    struct skep_live *live = some_live(seg, 3);
    want = texts_of(seg, live, 1024);
    struct skep_segment_source again = {seg, live};
    struct skep_rowset *b = must_write(f, "/b", &again, 1);
    check_order(b);
    got = texts_of(b, NULL, 1024);
    sort_rows(&got);
    sort_rows(&want);
    same_rows(&want, &got);
    free_rows(&got);
    free_rows(&want);
    skep_rowset_unref(b);
    skep_rowset_unref(seg);
    skep_live_unref(live);
    for (unsigned i = 0; i < 3; i++) {
        skep_rowset_unref(src[i].rowset);
        skep_live_unref((struct skep_live *)(uintptr_t)src[i].live);
    }
}

/* Segments of parts, merged by twos and threes: the same file as from the parts at once. */
static void merge_of_merges(struct segment_fixture *f, uint32_t most)
{
    /* Tame rows, in a plain build alone; hostile ones; more than a row group. */
    for (unsigned round = SKEP_INSTRUMENTED; round < 3; round++) {
        struct rng r = {1234 + round};
        struct batch_shape s = {.rows = round == 2 ? most : 3000,
                                .traces = 900,
                                .fields = 30,
                                .per_row = 6,
                                .hostile = round == 1};
        struct skep_segment_source part[6], seg[6], two[2];
        char path[16];
        for (unsigned i = 0; i < 6; i++) {
            part[i] = (struct skep_segment_source){random_part(&r, &s, 1 + i), NULL};
            snprintf(path, sizeof path, "/s%u", i);
            seg[i] = (struct skep_segment_source){must_write(f, path, &part[i], 1), NULL};
        }
        two[0] = (struct skep_segment_source){must_write(f, "/m1", seg, 4), NULL};
        two[1] = (struct skep_segment_source){must_write(f, "/m2", seg + 4, 2), NULL};
        skep_rowset_unref(must_write(f, "/all", two, 2));
        skep_rowset_unref(must_write(f, "/direct", part, 6));
        skep_rowset_unref(must_write(f, "/once", seg, 6));
        struct skep_buf a = file_of(f, "/all"), b = file_of(f, "/direct"), c = file_of(f, "/once");
        assert_int_equal(a.n, b.n);
        assert_memory_equal(a.p, b.p, a.n);
        assert_int_equal(c.n, b.n);
        assert_memory_equal(c.p, b.p, c.n);
        skep_buf_done(&a);
        skep_buf_done(&b);
        skep_buf_done(&c);
        for (unsigned i = 0; i < 6; i++) {
            skep_rowset_unref(part[i].rowset);
            skep_rowset_unref(seg[i].rowset);
        }
        skep_rowset_unref(two[0].rowset);
        skep_rowset_unref(two[1].rowset);
    }
}

/* Segments with dead rows and cut traces, merged: the live rows, in order. */
static void test_merge_live(void **state)
{
    struct segment_fixture *f = *state;
    for (unsigned round = 0; round < 4; round++) {
        struct rng r = {77 + round};
        struct batch_shape s = {.rows = 2500,
                                .traces = round % 2 ? 4000 : 300,
                                .fields = 9,
                                .per_row = 3,
                                .hostile = round >= 2};
        struct skep_segment_source seg[3];
        struct row_texts want = {0};
        char path[16];
        for (unsigned i = 0; i < 3; i++) {
            struct skep_segment_source part = {random_part(&r, &s, 1 + i), NULL};
            snprintf(path, sizeof path, "/l%u", i);
            seg[i].rowset = must_write(f, path, &part, 1);
            seg[i].live = i == 1 ? NULL : some_live(seg[i].rowset, 2 + round);
            assert_int_equal(read_rows(seg[i].rowset, seg[i].live, 1024, &want, NULL), SKEP_OK);
            skep_rowset_unref(part.rowset);
        }
        struct skep_rowset *all = must_write(f, "/merged", seg, 3);
        check_order(all);
        struct row_texts got = texts_of(all, NULL, 1024);
        sort_rows(&want);
        sort_rows(&got);
        same_rows(&want, &got);
        free_rows(&want);
        free_rows(&got);
        skep_rowset_unref(all);
        assert_int_equal(skep_segment_verify(f->os, "/merged", NULL, NULL), SKEP_OK);
        for (unsigned i = 0; i < 3; i++) {
            skep_rowset_unref(seg[i].rowset);
            skep_live_unref((struct skep_live *)(uintptr_t)seg[i].live);
        }
    }
}

static void test_merge_of_merges(void **state)
{
    struct segment_fixture *f = *state;
    f->group_rows = SKEP_ROW_GROUP_ROWS; /* a flush alone would make its ends short */
    merge_of_merges(f, 11500);           /* six of them are more than a row group */
}

static void test_merge_short_groups(void **state)
{
    struct segment_fixture *f = *state;
    f->group_rows = 600;
    test_live_rows(state);
    test_merge_live(state);
    f->group_rows = 3000;
    merge_of_merges(f, 4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_live_rows, segment_setup, segment_teardown),
        cmocka_unit_test_setup_teardown(test_merge_of_merges, segment_setup, segment_teardown),
        cmocka_unit_test_setup_teardown(test_merge_live, segment_setup, segment_teardown),
        cmocka_unit_test_setup_teardown(test_merge_short_groups, segment_setup, segment_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

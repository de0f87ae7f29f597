// SPDX-License-Identifier: Apache-2.0
/* Segments in trouble: damage is found, memory is refused and not exceeded, disk errors come out as
 * they are; and files written long ago read as they did then. */
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/os.h"
#include "segment_checks.h"
#include "support/fault_os.h"

static void put_file(struct segment_fixture *f, const char *path, const uint8_t *p, size_t n)
{
    int fd;
    assert_int_equal(
        f->os->open(f->os, path, SKEP_OPEN_WRITE | SKEP_OPEN_CREATE | SKEP_OPEN_TRUNC, &fd, NULL),
        SKEP_OK);
    assert_int_equal(f->os->pwrite(f->os, fd, p, n, 0, NULL), SKEP_OK);
    f->os->close(f->os, fd);
}

static struct skep_buf small_segment(struct segment_fixture *f, uint64_t seed)
{
    struct rng r = {seed};
    struct batch_shape s = {.rows = 1500, .traces = 200, .fields = 60, .per_row = 6};
    struct skep_segment_source src = {random_part(&r, &s, 3), NULL};
    skep_rowset_unref(must_write(f, "/x", &src, 1));
    skep_rowset_unref(src.rowset);
    return file_of(f, "/x");
}

/* Every byte is under a checksum or a comparison: no flip passes, none crashes. */
static void test_bit_flips(void **state)
{
    struct segment_fixture *f = *state;
    struct skep_buf b = small_segment(f, 11);
    struct rng r = {5};
    for (unsigned i = 0; i < 700; i++) {
        size_t at = i < 64 ? i : i < 128 ? b.n - 1 - (i - 64) : rng_next(&r) % b.n;
        uint8_t bit = (uint8_t)(1u << rng_below(&r, 8));
        b.p[at] ^= bit;
        put_file(f, "/y", b.p, b.n);
        skep_err err;
        skep_rc rc = skep_segment_verify(f->os, "/y", NULL, &err);
        if (rc != SKEP_ECORRUPT && rc != SKEP_EUNSUPPORTED)
            fail_msg("flip at %zu of %zu passed: %d", at, b.n, rc);
        assert_true(err.text[0] != 0);
        b.p[at] ^= bit;
    }
    put_file(f, "/y", b.p, b.n);
    assert_int_equal(skep_segment_verify(f->os, "/y", NULL, NULL), SKEP_OK);
    skep_buf_done(&b);
}

static void test_truncations(void **state)
{
    struct segment_fixture *f = *state;
    struct skep_buf b = small_segment(f, 12);
    for (size_t n = 0; n < b.n; n += n < 200 || b.n - n < 200 ? 1 : b.n / 97) {
        put_file(f, "/y", b.p, n);
        struct skep_rowset *rs = NULL;
        assert_int_equal(skep_segment_open(f->os, "/y", f->cache, &rs, NULL), SKEP_ECORRUPT);
        assert_null(rs);
    }
    skep_buf_u8(&b, 0);
    put_file(f, "/y", b.p, b.n);
    assert_int_equal(skep_segment_verify(f->os, "/y", NULL, NULL), SKEP_ECORRUPT);
    skep_buf_done(&b);
}

/* With each budget the write succeeds or says ENOMEM and leaves nothing behind. */
static void test_budget(void **state)
{
    struct segment_fixture *f = *state;
    struct rng r = {8};
    struct batch_shape s = {.rows = 20000, .traces = 3000, .fields = 30, .per_row = 6};
    struct skep_segment_source src = {random_part(&r, &s, 3), NULL};
    bool refused = false, done = false;
    for (uint64_t limit = 1 << 20; limit < 64 << 20 && !done; limit += 777777) {
        struct skep_budget tight;
        skep_budget_init(&tight, "tight", limit, NULL);
        struct skep_segment_job job = {
            .os = f->os, .path = "/t", .sources = &src, .n_sources = 1, .budget = &tight};
        skep_rc rc = skep_segment_write(&job, NULL, NULL);
        assert_int_equal(skep_budget_used(&tight), 0);
        struct skep_os_stat st;
        skep_rc there = f->os->stat(f->os, "/t", &st, NULL);
        if (rc == SKEP_OK) {
            done = true;
            assert_int_equal(there, SKEP_OK);
        } else {
            refused = true;
            assert_int_equal(rc, SKEP_ENOMEM);
            assert_int_equal(there, SKEP_ENOTFOUND);
        }
    }
    assert_true(refused && done);
    skep_rowset_unref(src.rowset);
}

/* The cache may be tiny or its parent nearly full: answers stay right or say ENOMEM. */
static void test_cache_pressure(void **state)
{
    struct segment_fixture *f = *state;
    struct skep_buf b = small_segment(f, 13);
    struct skep_rowset *rs;
    assert_int_equal(skep_segment_open(f->os, "/x", f->cache, &rs, NULL), SKEP_OK);
    struct row_texts want = texts_of(rs, NULL, 1024);
    skep_rowset_unref(rs);
    bool refused = false, done = false;
    for (uint64_t limit = 4096; limit < 8 << 20; limit *= 2) {
        struct skep_budget tight;
        skep_budget_init(&tight, "tight", limit, NULL);
        struct skep_cache *c = skep_cache_new(&tight, limit / 2);
        skep_rc rc = skep_segment_open(f->os, "/x", c, &rs, NULL);
        assert_int_equal(rc, SKEP_OK);
        struct row_texts got = {0};
        rc = read_rows(rs, NULL, 100, &got, NULL);
        if (rc == SKEP_OK) {
            done = true;
            same_rows(&want, &got);
            assert_true(skep_cache_bytes(c) <= limit);
        } else {
            refused = true;
            assert_int_equal(rc, SKEP_ENOMEM);
        }
        free_rows(&got);
        skep_rowset_unref(rs);
        assert_int_equal(skep_cache_bytes(c), 0);
        skep_cache_free(c);
    }
    assert_true(refused && done);
    free_rows(&want);
    skep_buf_done(&b);
}

/* Disk errors come out as they are and leave no file. */
static void test_disk_faults(void **state)
{
    struct segment_fixture *f = *state;
    struct rng r = {8};
    struct batch_shape s = {.rows = 20000, .traces = 3000, .fields = 30, .per_row = 6};
    struct skep_segment_source src = {random_part(&r, &s, 3), NULL};
    struct fault_os fault;
    fault_os_init(&fault, f->os);
    struct skep_segment_job job = {
        .os = &fault.os, .path = "/f", .sources = &src, .n_sources = 1, .budget = &f->work};
    for (int64_t skip = 0; skip < 3; skip++) {
        fault_os_arm(&fault, FAULT_PWRITE, skip, 1, SKEP_ENOSPC);
        skep_rc rc = skep_segment_write(&job, NULL, NULL);
        struct skep_os_stat st;
        if (fault.failed) {
            assert_int_equal(rc, SKEP_ENOSPC);
            assert_int_equal(f->os->stat(f->os, "/f", &st, NULL), SKEP_ENOTFOUND);
        }
        assert_true(skip > 0 || fault.failed);
    }
    fault_os_arm(&fault, FAULT_SYNC, 0, 1, SKEP_EIO);
    assert_int_equal(skep_segment_write(&job, NULL, NULL), SKEP_EIO);
    fault_os_arm(&fault, 0, 0, 0, SKEP_EIO);
    assert_int_equal(skep_segment_write(&job, NULL, NULL), SKEP_OK);
    for (int64_t skip = 0; skip < 40; skip++) {
        struct skep_rowset *rs = NULL;
        struct skep_cache *c = skep_cache_new(NULL, 1 << 20);
        fault_os_arm(&fault, FAULT_PREAD, skip, 1, SKEP_EIO);
        skep_rc rc = skep_segment_open(&fault.os, "/f", c, &rs, NULL);
        struct row_texts got = {0};
        if (rc == SKEP_OK)
            rc = read_rows(rs, NULL, 1024, &got, NULL);
        assert_int_equal(rc, SKEP_EIO);
        free_rows(&got);
        skep_rowset_unref(rs);
        skep_cache_free(c);
    }
    skep_rowset_unref(src.rowset);
}

static bool cancel_now(void *ctx)
{
    return --*(int *)ctx < 0;
}

static void test_cancel(void **state)
{
    struct segment_fixture *f = *state;
    struct rng r = {8};
    struct batch_shape s = {.rows = 3000, .traces = 3000, .fields = 3, .per_row = 3};
    struct skep_segment_source src = {random_part(&r, &s, 3), NULL};
    for (int n = 0; n < 4; n++) {
        int left = n;
        struct skep_segment_job job = {.os = f->os,
                                       .path = "/c",
                                       .sources = &src,
                                       .n_sources = 1,
                                       .budget = &f->work,
                                       .canceled = cancel_now,
                                       .ctx = &left};
        assert_int_equal(skep_segment_write(&job, NULL, NULL), SKEP_ECANCELED);
        struct skep_os_stat st;
        assert_int_equal(f->os->stat(f->os, "/c", &st, NULL), SKEP_ENOTFOUND);
    }
    skep_rowset_unref(src.rowset);
}

static void check_sample(struct segment_fixture *f, const char *path, uint64_t want_rows,
                         uint64_t want)
{
    uint64_t rows, hash = 0;
    skep_err err;
    if (skep_segment_verify(skep_os_real(), path, &rows, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    assert_int_equal(rows, want_rows);
    struct skep_rowset *rs;
    assert_int_equal(skep_segment_open(skep_os_real(), path, f->cache, &rs, NULL), SKEP_OK);
    struct row_texts t = texts_of(rs, NULL, 1024);
    for (uint32_t i = 0; i < t.n; i++)
        hash = skep_hash_seed(skep_str_bytes(skep_str_c(t.rows[i].text)), hash);
    if (hash != want)
        fail_msg("%s: the rows read differently: %016llx", path, (unsigned long long)hash);
    free_rows(&t);
    skep_rowset_unref(rs);
}

/* Files written once read as they did then: the first of version 1, one with what feature bit 1
 * brought (maps, templates, classes, lag, packed zones and presence), and log lines with what bit 3
 * did (templates with repeats). */
static void test_museum(void **state)
{
    check_sample(*state, "tests/golden/formats/v1/segment", 1500, 0x7a5c8aeae915946dull);
    check_sample(*state, "tests/golden/formats/v1/segment-codecs", 2000, 0xe25bd5e693c2390aull);
    check_sample(*state, "tests/golden/formats/v1/segment-repeats", 1536, 0xa91740a0c7f0bfbdull);
}

static void test_dump(void **state)
{
    struct segment_fixture *f = *state;
    struct skep_buf b = small_segment(f, 14), text;
    skep_buf_init(&text, 1 << 20);
    assert_int_equal(skep_segment_dump(f->os, "/x", &text, NULL), SKEP_OK);
    skep_str t = skep_buf_text(&text);
    assert_true(skep_str_find(t, SKEP_STR("1500 rows")) != SIZE_MAX);
    assert_true(skep_str_find(t, SKEP_STR("TRACE_ID")) != SIZE_MAX);
    assert_true(skep_str_find(t, SKEP_STR("attr.0")) != SIZE_MAX);
    skep_buf_done(&text);
    skep_buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bit_flips, segment_setup, segment_teardown),
        cmocka_unit_test_setup_teardown(test_truncations, segment_setup, segment_teardown),
        cmocka_unit_test_setup_teardown(test_budget, segment_setup, segment_teardown),
        cmocka_unit_test_setup_teardown(test_cache_pressure, segment_setup, segment_teardown),
        cmocka_unit_test_setup_teardown(test_disk_faults, segment_setup, segment_teardown),
        cmocka_unit_test_setup_teardown(test_cancel, segment_setup, segment_teardown),
        cmocka_unit_test_setup_teardown(test_museum, segment_setup, segment_teardown),
        cmocka_unit_test_setup_teardown(test_dump, segment_setup, segment_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

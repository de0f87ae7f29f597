// SPDX-License-Identifier: Apache-2.0
/* The engine over files that it must not write, or that are damaged: it says so, and serves what it
 * can. */
#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "engine_support.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_manifest_flips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

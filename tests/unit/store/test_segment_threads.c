// SPDX-License-Identifier: Apache-2.0
/* Several threads read one segment through a cache that is too small: all read the same. */
#include <cmocka.h>

#include "base/mem.h"
#include "os/thread.h"
#include "segment_support.h"
#include "support/fault_os.h"

enum { THREADS = 4, CACHE_BYTES = 20000 };

struct racer {
    struct skep_rowset *rs;
    uint64_t hash;
    bool ok;
};

static void race(void *arg)
{
    struct racer *r = arg;
    struct row_texts t = {0};
    r->ok = read_rows(r->rs, NULL, 1024, &t, NULL) == SKEP_OK;
    for (uint32_t i = 0; i < t.n; i++)
        r->hash = skep_hash_seed(skep_str_bytes(skep_str_c(t.rows[i].text)), r->hash);
    free_rows(&t);
}

static void write_segment(const struct skep_os *os)
{
    struct rng r = {15};
    struct skep_budget work;
    struct skep_segment_info info;
    skep_err err;
    const struct batch_shape s = {.rows = 700, .traces = 60, .fields = 20, .per_row = 6};
    struct skep_segment_source part = {random_part(&r, &s, 1), NULL};
    skep_budget_init(&work, "work", 1u << 30, NULL);
    const struct skep_segment_job job = {
        .os = os, .path = "/x", .sources = &part, .n_sources = 1, .budget = &work};
    if (skep_segment_write(&job, &info, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    skep_rowset_unref(part.rowset);
}

static void test_threads(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(1);
    struct skep_cache *c = skep_cache_new(NULL, CACHE_BYTES);
    struct racer racers[THREADS];
    skep_thread threads[THREADS];
    struct skep_rowset *rs = NULL;
    write_segment(mem_os_ops(m));
    assert_int_equal(skep_segment_open(mem_os_ops(m), "/x", c, &rs, NULL), SKEP_OK);
    assert_true(rs->bytes > CACHE_BYTES);
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.rs = rs};
        skep_thread_start(&threads[i], "race", race, &racers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        skep_thread_join(&threads[i]);
    for (int i = 0; i < THREADS; i++) {
        assert_true(racers[i].ok);
        assert_true(racers[i].hash == racers[0].hash && racers[i].hash != 0);
    }
    skep_rowset_unref(rs);
    skep_cache_free(c);
    mem_os_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

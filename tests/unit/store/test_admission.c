// SPDX-License-Identifier: Apache-2.0
/* Room for rows: who finds none waits for the flusher, in order and for a bounded time.  The disk
 * under the segments stands still while `hold` is set, so that nothing becomes free. */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "support/fault_os.h"
#include "support/store_client.h"

#define NOW (skep_os_real()->now_ns(skep_os_real()))
enum { BATCHES = 60, ROWS = 1000, PART_LIMIT = 1 << 20 };

/* The store's monotonic clock: it stands, however long the machine takes. */
static _Atomic int64_t clock_ns;

static int64_t mono(const struct skep_os *os)
{
    (void)os;
    return atomic_load(&clock_ns);
}

struct world {
    struct mem_os *m;
    struct fault_os f;
    struct skep_budget requests;
    struct skep_store *s;
    _Atomic int ok, no_memory, other;
    _Atomic uint64_t last_seq;
    _Atomic bool out_of_order;
};

static void done(void *ctx, skep_rc rc, const struct skep_append_result *res, const skep_err *err)
{
    struct world *w = ctx;
    (void)err;
    if (rc == SKEP_OK) {
        if (atomic_exchange(&w->last_seq, res->seq) >= res->seq)
            atomic_store(&w->out_of_order, true);
        atomic_fetch_add(&w->ok, 1);
    } else {
        atomic_fetch_add(rc == SKEP_ENOMEM ? &w->no_memory : &w->other, 1);
    }
}

static int answered(struct world *w)
{
    return atomic_load(&w->ok) + atomic_load(&w->no_memory) + atomic_load(&w->other);
}

static void open_world(struct world *w)
{
    *w = (struct world){.m = mem_os_new(11)};
    atomic_store(&clock_ns, 1000000000);
    fault_os_init(&w->f, mem_os_ops(w->m));
    w->f.os.mono_ns = mono;
    w->f.only = ".tmp";
    skep_budget_init(&w->requests, "requests", UINT64_MAX, NULL);
    struct skep_column_config cfg = client_config(&w->f.os, "/data");
    cfg.part_limit_bytes = PART_LIMIT;
    cfg.no_background = false;
    skep_err err;
    if (skep_column_open(&cfg, &w->s, &err) != SKEP_OK)
        fail_msg("open: %s", err.text);
    fault_os_arm(&w->f, FAULT_SYNC, 0, 0, SKEP_EIO);
    atomic_store(&w->f.hold, true);
}

static void close_world(struct world *w)
{
    atomic_store(&w->f.hold, false);
    w->s->ops->close(w->s);
    assert_int_equal(answered(w), BATCHES);
    assert_int_equal(skep_budget_used(&w->requests), 0);
    mem_os_free(w->m);
}

/* More than the parts may take, none waiting for another's answer. */
static void append_all(struct world *w)
{
    struct rnd r = {9};
    for (int i = 0; i < BATCHES; i++) {
        struct skep_batch *b = random_batch(&r, ROWS, NOW, i * 100000);
        b->budget = &w->requests;
        b->budget_bytes = skep_batch_bytes(b);
        skep_budget_force(&w->requests, b->budget_bytes);
        skep_store_append(w->s, b, done, w);
    }
}

static void await(struct world *w, int n)
{
    for (int i = 0; i < 60000 && answered(w) < n; i++)
        (void)usleep(1000);
    assert_int_equal(answered(w), n);
}

static void test_waits_for_the_flusher(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    append_all(&w);
    assert_int_equal(atomic_load(&w.no_memory), 0);
    assert_true(answered(&w) < BATCHES);
    assert_true(skep_budget_used(&w.requests) > 0); /* some wait as they came */
    assert_true(skep_budget_used(&skep_engine_of(w.s)->ingest) < 4 * PART_LIMIT);
    atomic_store(&w.f.hold, false);
    await(&w, BATCHES);
    assert_int_equal(atomic_load(&w.ok), BATCHES);
    assert_false(atomic_load(&w.out_of_order));
    struct skep_store_stats st;
    w.s->ops->stats(w.s, &st);
    assert_int_equal(st.rows_live, BATCHES * ROWS);
    client_ledger_expect(w.s);
    close_world(&w);
}

static void test_time_is_up(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    append_all(&w);
    assert_int_equal(atomic_load(&w.no_memory), 0);
    for (int i = 0; i < 60000 && atomic_load(&w.no_memory) == 0; i++) {
        (void)usleep(1000);
        atomic_fetch_add(&clock_ns, 1000000000);
    }
    assert_true(atomic_load(&w.no_memory) > 0);
    assert_int_equal(atomic_load(&w.other), 0);
    atomic_store(&w.f.hold, false);
    await(&w, BATCHES);
    assert_true(atomic_load(&w.ok) > 0);
    struct skep_store_stats st;
    w.s->ops->stats(w.s, &st);
    assert_int_equal(st.rows_live, atomic_load(&w.ok) * ROWS); /* nothing of those refused */
    close_world(&w);
}

/* A disk that does not take segments: waiting is no use, and nobody does. */
static void test_flush_fails(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    fault_os_arm(&w.f, FAULT_SYNC, 0, INT64_MAX, SKEP_ENOSPC);
    append_all(&w);
    atomic_store(&w.f.hold, false);
    await(&w, BATCHES);
    assert_true(atomic_load(&w.no_memory) > 0);
    assert_int_equal(atomic_load(&w.other), 0);
    fault_os_arm(&w.f, 0, 0, 0, SKEP_EIO);
    close_world(&w);
}

static void test_close_while_waiting(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    append_all(&w);
    assert_true(answered(&w) < BATCHES);
    close_world(&w); /* each is answered */
    assert_int_equal(atomic_load(&w.other), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_for_the_flusher),
        cmocka_unit_test(test_time_is_up),
        cmocka_unit_test(test_flush_fails),
        cmocka_unit_test(test_close_while_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/* Relations in the engine while traces arrive in pieces: each commit brings one level of every
 * trace, not in the order of levels, and goes to a segment now and then, so that a trace stands in
 * parts, in several segments and in merged ones.  After each step the answers are what the levels
 * that are there say, whoever asks, however often. */
#include <cmocka.h>

#include "base/mem.h"
#include "os/thread.h"
#include "store/column/cuts.h"
#include "support/fault_os.h"
#include "support/store_client.h"

enum { TRACES = 300, LEVELS = 14 };
#define NOW (skep_os_real()->now_ns(skep_os_real()))

/* Level k of every trace: a span under level k - 1.  Traces begin an hour apart from each other in
 * turn, so that segments overlap. */
static struct skep_batch *level(unsigned k, skep_ts_ns t0)
{
    struct skep_batch *b = skep_batch_new(NULL, NOW);
    uint32_t name = skep_batch_intern(b, SKEP_STR("op"));
    for (uint64_t t = 1; t <= TRACES; t++) {
        uint32_t row =
            skep_batch_row(b, SKEP_KIND_SPAN, t0 + (int64_t)(t % 7) * 1000 + k, SKEP_SOURCE_OTLP);
        memcpy(b->trace_id[row].b, &t, 8);
        b->span_id[row] = k + 1;
        b->parent_id[row] = k;
        b->name[row] = name;
    }
    return b;
}

/* Rows with a relative of that kind. */
static size_t count(struct skep_store *s, enum skep_relation how)
{
    struct skep_expr all = {.op = SKEP_EXPR_TRUE};
    struct skep_expr *kid[1] = {&all};
    struct skep_expr some = {.op = SKEP_EXPR_RELATED, .relation = how, .kids = kid, .n_kids = 1};
    struct skep_field_ref column = {.name = SKEP_STR("name")};
    struct skep_plan plan = {.kind = SKEP_PLAN_ROWS,
                             .range = {INT64_MIN, INT64_MAX},
                             .filter = &some,
                             .columns = &column,
                             .n_columns = 1,
                             .limit = TRACES * LEVELS + 1};
    struct skep_arena arena;
    struct skep_answer answer;
    skep_err err;
    skep_arena_init(&arena, "answer", NULL);
    struct skep_run_opts opts = {.arena = &arena};
    if (skep_store_run(s, &plan, &opts, &answer, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    assert_true(answer.complete);
    size_t n = answer.rows.n;
    skep_arena_done(&arena);
    return n;
}

static void expect(struct skep_store *s, const bool *there)
{
    size_t rows = 0, parents = 0, children = 0;
    for (unsigned k = 0; k < LEVELS; k++) {
        rows += there[k];
        parents += there[k] && k > 0 && there[k - 1];
        children += there[k] && k + 1 < LEVELS && there[k + 1];
    }
    assert_int_equal(count(s, SKEP_REL_ROOT), there[0] ? rows * TRACES : 0);
    assert_int_equal(count(s, SKEP_REL_ANY), rows * TRACES);
    assert_int_equal(count(s, SKEP_REL_PARENT), parents * TRACES);
    assert_int_equal(count(s, SKEP_REL_CHILD), children * TRACES);
    assert_int_equal(count(s, SKEP_REL_ANCESTOR), parents * TRACES);
    assert_int_equal(count(s, SKEP_REL_DESCENDANT), children * TRACES);
    assert_int_equal(count(s, SKEP_REL_SIBLING), 0);
}

static void append(struct skep_store *s, unsigned k, skep_ts_ns t0, bool *there)
{
    assert_int_equal(client_append(s, level(k, t0)).rc, SKEP_OK);
    there[k] = true;
}

static void flush(struct skep_store *s)
{
    skep_err err;
    if (s->ops->flush(s, &err) != SKEP_OK)
        fail_msg("flush: %s", err.text);
}

static struct skep_cut_cache *cuts_of(struct skep_store *s)
{
    struct skep_snapshot *snap = skep_engine__snapshot(skep_engine_of(s));
    struct skep_cut_cache *c = snap->cuts;
    skep_snapshot_unref(snap);
    return c;
}

static void traces_in_pieces(void **state)
{
    (void)state;
    static const unsigned order[LEVELS] = {3, 1, 4, 13, 5, 9, 2, 6, 0, 8, 7, 11, 10, 12};
    struct mem_os *m = mem_os_new(7);
    struct skep_column_config cfg = client_config(mem_os_ops(m), "/data");
    struct skep_store *s = NULL;
    skep_err err;
    bool there[LEVELS] = {false};
    skep_ts_ns t0 = NOW - 1000000000;
    assert_int_equal(skep_column_open(&cfg, &s, &err), SKEP_OK);
    for (unsigned i = 0; i < LEVELS; i++) {
        struct skep_cut_cache *before = cuts_of(s);
        append(s, order[i], t0, there);
        if (i > 0)
            assert_ptr_equal(cuts_of(s), before); /* a part more changes nothing among segments */
        expect(s, there);
        if (i % 3 == 2)
            continue;
        flush(s);
        expect(s, there);
        expect(s, there);
    }
    s->ops->close(s);
    assert_int_equal(skep_column_open(&cfg, &s, &err), SKEP_OK);
    expect(s, there);
    s->ops->close(s);
    mem_os_free(m);
}

/* Questions beside appends, folds and flushes: each sees whole levels. */
struct asker {
    struct skep_store *s;
    _Atomic bool stop;
    size_t asked, wrong; /* a failing assertion would leave the wrong thread */
};

static void ask_on(void *arg)
{
    struct asker *a = arg;
    while (!atomic_load(&a->stop) || a->asked == 0) {
        a->wrong += count(a->s, SKEP_REL_ROOT) % TRACES != 0;
        a->wrong += count(a->s, SKEP_REL_CHILD) % TRACES != 0;
        a->asked++;
    }
}

static void beside_writers(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(8);
    struct skep_column_config cfg = client_config(mem_os_ops(m), "/data");
    struct asker askers[2] = {{0}};
    skep_thread threads[2];
    bool there[LEVELS] = {false};
    skep_err err;
    skep_ts_ns t0 = NOW - 1000000000;
    struct skep_store *s = NULL;
    assert_int_equal(skep_column_open(&cfg, &s, &err), SKEP_OK);
    for (unsigned i = 0; i < 2; i++) {
        askers[i].s = s;
        skep_thread_start(&threads[i], "asker", ask_on, &askers[i]);
    }
    for (unsigned k = 0; k < LEVELS; k++) {
        append(s, LEVELS - 1 - k, t0, there);
        if (k % 2)
            flush(s);
    }
    for (unsigned i = 0; i < 2; i++) {
        atomic_store(&askers[i].stop, true);
        skep_thread_join(&threads[i]);
        assert_int_equal(askers[i].wrong, 0);
    }
    expect(s, there);
    s->ops->close(s);
    mem_os_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(traces_in_pieces),
        cmocka_unit_test(beside_writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

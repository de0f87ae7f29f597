// SPDX-License-Identifier: Apache-2.0
/* The server's own rows are seen by those who ask for them and by nobody else, in parts, segments
 * and merges, after a restart, and in the stats. */
#include <cmocka.h>

#include "base/mem.h"
#include "support/fault_os.h"
#include "support/store_client.h"

#define DIR "/data"
#define T0  1700000000000000000

static struct skep_store *open_store(const struct skep_column_config *cfg)
{
    struct skep_store *s = NULL;
    skep_err err;
    if (skep_column_open(cfg, &s, &err) != SKEP_OK)
        fail_msg("open: %s", err.text);
    return s;
}

static void flush(struct skep_store *s)
{
    skep_err err;
    if (s->ops->flush(s, &err) != SKEP_OK)
        fail_msg("flush: %s", err.text);
}

static void append(struct skep_store *s, enum skep_source source, const char *dataset, uint32_t n,
                   skep_ts_ns at)
{
    struct skep_batch *b = skep_batch_new(NULL, T0);
    uint32_t name = skep_batch_intern(b, skep_str_c(dataset));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row = skep_batch_row(b, SKEP_KIND_SPAN, at + i, source);
        b->dataset[row] = name;
        b->trace_id[row].b[0] = (uint8_t)source;
    }
    assert_int_equal(client_append(s, b).rc, SKEP_OK);
}

static size_t rows_seen(struct skep_store *s, const struct skep_plan *plan)
{
    struct skep_arena arena;
    struct skep_answer a = {0};
    skep_err err;
    skep_arena_init(&arena, "test", NULL);
    const struct skep_run_opts opts = {.arena = &arena};
    if (skep_store_run(s, plan, &opts, &a, &err) != SKEP_OK)
        fail_msg("run: %s", err.text);
    assert_true(a.complete);
    size_t n = plan->kind == SKEP_PLAN_DATASETS ? a.datasets.n : a.rows.n;
    skep_arena_done(&arena);
    return n;
}

static size_t seen_in(struct skep_store *s, const char *dataset)
{
    const struct skep_plan plan = {.kind = SKEP_PLAN_ROWS,
                                   .range = {0, INT64_MAX},
                                   .limit = 10000,
                                   .dataset = skep_str_c(dataset)};
    return rows_seen(s, &plan);
}

static void expect(struct skep_store *s, size_t theirs, size_t own)
{
    struct skep_store_stats st;
    const struct skep_plan sets = {.kind = SKEP_PLAN_DATASETS, .range = {0, INT64_MAX}};
    assert_int_equal(seen_in(s, ""), theirs);
    assert_int_equal(seen_in(s, "shop"), theirs);
    assert_int_equal(seen_in(s, "_skep"), own);
    assert_int_equal(seen_in(s, "_SKEP"), own);
    assert_int_equal(rows_seen(s, &sets), theirs > 0 ? 1 : 0);
    const struct skep_plan trace = {
        .kind = SKEP_PLAN_TRACE, .range = {0, INT64_MAX}, .trace_id = {{SKEP_SOURCE_SELF}}};
    if (own > 0)
        assert_int_equal(rows_seen(s, &trace), own);
    s->ops->stats(s, &st);
    assert_int_equal(st.rows_live, theirs + own);
    assert_int_equal(st.hidden_rows, own);
    if (theirs > 0) { /* the times of what is seen */
        assert_int_equal(st.oldest_ns, T0);
        assert_true(st.newest_ns < T0 + 1000000);
    }
    client_ledger_expect(s);
}

static void own_rows_are_hidden_wherever_they_are(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(1);
    struct fault_os f;
    fault_os_init(&f, mem_os_ops(m));
    atomic_store(&f.now_ns, T0);
    struct skep_column_config cfg = client_config(&f.os, DIR);
    struct skep_store *s = open_store(&cfg);
    append(s, SKEP_SOURCE_SELF, "_skep", 3, T0 + 5000000);
    expect(s, 0, 3);
    append(s, SKEP_SOURCE_OTLP, "shop", 2000, T0);
    expect(s, 2000, 3);
    append(s, SKEP_SOURCE_SELF, "_skep", 1, T0 - 5000000);
    expect(s, 2000, 4);
    flush(s); /* one segment of both */
    expect(s, 2000, 4);
    append(s, SKEP_SOURCE_SELF, "_skep", 1, T0 + 5000000);
    flush(s); /* one of our own alone */
    expect(s, 2000, 5);
    for (int i = 0; i < 8; i++) { /* merges */
        append(s, SKEP_SOURCE_OTLP, "shop", 10, T0);
        append(s, SKEP_SOURCE_SELF, "_skep", 1, T0 + 5000000);
        flush(s);
    }
    expect(s, 2080, 13);
    for (int i = 0; i < 40; i++) /* folds */
        append(s, i % 2 ? SKEP_SOURCE_SELF : SKEP_SOURCE_OTLP, i % 2 ? "_skep" : "shop", 1, T0);
    expect(s, 2100, 33);
    s->ops->close(s);
    s = open_store(&cfg);
    assert_int_equal(seen_in(s, ""), 2100); /* the first question after a start */
    expect(s, 2100, 33);
    s->ops->close(s);
    mem_os_free(m);
}

/* The source hides, not the name: what somebody else sends under it is theirs. */
static void names_alone_hide_nothing(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(2);
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    struct skep_store *s = open_store(&cfg);
    append(s, SKEP_SOURCE_OTLP, "_skep.like", 5, T0);
    assert_int_equal(seen_in(s, ""), 5);
    assert_int_equal(seen_in(s, "_skep.like"), 5);
    s->ops->close(s);
    mem_os_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_rows_are_hidden_wherever_they_are),
        cmocka_unit_test(names_alone_hide_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

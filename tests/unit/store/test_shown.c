// SPDX-License-Identifier: Apache-2.0
/* The server's own rows are seen by those who ask for them and by nobody else, in parts, segments
 * and merges, after a restart, and in the stats; rows of an environment by questions of that one.
 */
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

static size_t rows_seen_in(struct skep_store *s, skep_str environment, const struct skep_plan *plan)
{
    struct skep_arena arena;
    struct skep_answer a = {0};
    skep_err err;
    skep_arena_init(&arena, "test", NULL);
    const struct skep_run_opts opts = {.arena = &arena, .environment = environment};
    skep_rc rc = skep_store_run(s, plan, &opts, &a, &err);
    if (rc != SKEP_OK && rc != SKEP_ENOTFOUND) /* a trace without rows to see is not there */
        fail_msg("run: %s", err.text);
    assert_true(rc == SKEP_ENOTFOUND || a.complete);
    size_t n = plan->kind == SKEP_PLAN_DATASETS ? a.datasets.n : a.rows.n;
    skep_arena_done(&arena);
    return n;
}

static size_t rows_seen(struct skep_store *s, const struct skep_plan *plan)
{
    return rows_seen_in(s, SKEP_STR(""), plan);
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

/* --- environments --- */

static void append_to(struct skep_store *s, const char *environment, uint32_t n, int64_t revision)
{
    struct skep_batch *b = skep_batch_new(NULL, T0);
    uint32_t name = skep_batch_intern(b, SKEP_STR("shop"));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row = skep_batch_row(b, SKEP_KIND_SPAN, T0 + i, SKEP_SOURCE_OTLP);
        b->dataset[row] = name;
        b->trace_id[row].b[0] = 77;
        b->span_id[row] = i + 1;
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_ENVIRONMENT_FIELD, /* the sender's word */
                       (skep_value){.type = SKEP_TYPE_STRING, .s = SKEP_STR("staging")});
        if (revision > 0)
            skep_batch_revision(b, revision);
    }
    skep_batch_environment(b, skep_str_c(environment));
    assert_int_equal(client_append(s, b).rc, SKEP_OK);
}

static size_t seen_by(struct skep_store *s, const char *environment, enum skep_plan_kind kind)
{
    const struct skep_plan plan = {
        .kind = kind, .range = {0, INT64_MAX}, .limit = 100000, .trace_id = {{77}}};
    return rows_seen_in(s, skep_str_c(environment), &plan);
}

static void expect_environments(struct skep_store *s, size_t ours, size_t prod, size_t staging)
{
    static const enum skep_plan_kind kinds[] = {SKEP_PLAN_ROWS, SKEP_PLAN_TRACE};
    for (size_t k = 0; k < SKEP_ARRAY_LEN(kinds); k++) {
        assert_int_equal(seen_by(s, "default", kinds[k]), ours);
        assert_int_equal(seen_by(s, "prod", kinds[k]), prod);
        assert_int_equal(seen_by(s, "staging", kinds[k]), staging);
        assert_int_equal(seen_by(s, "", kinds[k]), ours + prod + staging);
    }
    assert_int_equal(seen_by(s, "nobody's", SKEP_PLAN_ROWS), 0);
    assert_int_equal(seen_by(s, "prod", SKEP_PLAN_DATASETS), prod > 0);
    assert_int_equal(seen_by(s, "nobody's", SKEP_PLAN_DATASETS), 0);
}

static void an_environment_sees_its_own_rows_wherever_they_are(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(3);
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    struct skep_store *s = open_store(&cfg);
    append_to(s, "default", 2000, 0);
    expect_environments(s, 2000, 0, 0);
    append_to(s, "prod", 1500, 0);
    append_to(s, "staging", 7, 0);
    expect_environments(s, 2000, 1500, 7);
    flush(s); /* one segment of all */
    expect_environments(s, 2000, 1500, 7);
    for (int i = 0; i < 8; i++) { /* merges */
        append_to(s, "", 10, 0);
        append_to(s, "prod", 20, 0);
        flush(s);
    }
    expect_environments(s, 2080, 1660, 7);
    for (int i = 0; i < 40; i++) /* folds */
        append_to(s, i % 2 ? "prod" : "staging", 1, 0);
    expect_environments(s, 2080, 1680, 27);
    s->ops->close(s);
    s = open_store(&cfg);
    expect_environments(s, 2080, 1680, 27);
    uint64_t dead = 0;
    skep_err err;
    const struct skep_plan del = {.kind = SKEP_PLAN_ROWS, .range = {0, INT64_MAX}};
    const struct skep_delete_opts opts = {.run = {.environment = SKEP_STR("prod")}};
    assert_int_equal(skep_store_delete(s, &del, &opts, &dead, &err), SKEP_OK);
    assert_int_equal(dead, 1680);
    expect_environments(s, 2080, 0, 27);
    s->ops->close(s);
    mem_os_free(m);
}

/* Who knows a trace's ids and has a key of another environment takes nothing away. */
static void revisions_supersede_inside_their_environment(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(4);
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    struct skep_store *s = open_store(&cfg);
    append_to(s, "prod", 10, 1);
    append_to(s, "default", 10, 5);
    append_to(s, "staging", 10, 9);
    expect_environments(s, 10, 10, 10);
    flush(s);
    append_to(s, "prod", 10, 2);
    append_to(s, "default", 10, 6);
    expect_environments(s, 10, 10, 10);
    s->ops->close(s);
    mem_os_free(m);
}

/* Equal spans of two environments are no retry of each other. */
static void identities_name_the_environment(void **state)
{
    (void)state;
    uint8_t first[16] = {0};
    static const char *const names[] = {"default", "prod", "staging", "", "prod"};
    uint8_t ids[SKEP_ARRAY_LEN(names)][16];
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++) {
        struct skep_batch *b = skep_batch_new(NULL, T0);
        uint32_t row = skep_batch_row(b, SKEP_KIND_SPAN, T0, SKEP_SOURCE_OTLP);
        b->trace_id[row].b[0] = 1;
        b->span_id[row] = 1;
        skep_batch_environment(b, SKEP_STR("changed my mind"));
        skep_batch_environment(b, skep_str_c(names[i]));
        skep_batch_identity(b, true);
        memcpy(ids[i], b->identity, 16);
        skep_batch_free(b);
    }
    assert_memory_not_equal(ids[0], first, 16);
    assert_memory_not_equal(ids[0], ids[1], 16);
    assert_memory_not_equal(ids[1], ids[2], 16);
    assert_memory_equal(ids[0], ids[3], 16);
    assert_memory_equal(ids[1], ids[4], 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_rows_are_hidden_wherever_they_are),
        cmocka_unit_test(names_alone_hide_nothing),
        cmocka_unit_test(an_environment_sees_its_own_rows_wherever_they_are),
        cmocka_unit_test(revisions_supersede_inside_their_environment),
        cmocka_unit_test(identities_name_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/* What surrounds an answer: one pass or two, order, havings, limits, budgets, cancellation, damage,
 * granularity, values, trace trees. */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "os/thread.h"
#include "plan/compare.h"
#include "store/column/exec.h"
#include "support/instrumented.h"
#include "support/refquery.h"
#include "support/rowdump.h"

static struct skep_result *ask(struct ref_store *s, const struct skep_plan *p, struct skep_arena *a)
{
    struct skep_run_opts opts = {.arena = a};
    struct skep_result *r = NULL;
    skep_err err;
    if (skep_query_aggregate(&s->base, p, &opts, &r, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    return r;
}

/* With a tiny limit on cells every plan that may be cut in two is, and answers the same bits. */
static void two_passes(void **state)
{
    (void)state;
    struct skep_pool *pool = skep_pool_new("test", 2);
    unsigned cut = 0;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct rnd r = {seed * 1001};
        struct ref_world w;
        ref_world_make(&w, &r, 200, pool);
        for (unsigned i = 0; i < skep_tries(60); i++) {
            struct skep_arena a;
            skep_arena_init(&a, "plan", NULL);
            struct skep_plan p = *ref_plan(&r, &a);
            struct skep_order by = {.by_agg = rnd_below(&r, 2) && p.aggs[0].op != SKEP_AGG_HEATMAP,
                                    .descending = rnd_below(&r, 2)};
            p.orders = &by;
            p.n_orders = by.by_agg || p.n_groups ? 1 : 0;
            p.limit = rnd_below(&r, 2) ? 3 : 10000;
            char *one = ref_dump(ask(&w.stores[0], &p, &a));
            struct skep_plan q = p;
            q.max_cells = 2;
            cut += p.n_groups > 0 && p.granularity_ns > 0;
            struct skep_run_opts opts = {.arena = &a};
            struct skep_result *res = NULL;
            skep_err err;
            skep_rc rc =
                skep_query_aggregate(&w.stores[i % REF_STORES].base, &q, &opts, &res, &err);
            if (rc == SKEP_OK) {
                char *two = ref_dump(res);
                if (strcmp(one, two) != 0)
                    fail_msg("seed %d plan %u:\n%.3000s\n---\n%.3000s", (int)seed, i, one, two);
                skep_free(two);
            } else { /* a plan that may not be cut says so */
                assert_int_equal(rc, SKEP_ELIMIT);
            }
            skep_free(one);
            skep_arena_done(&a);
        }
        ref_world_done(&w);
    }
    assert_true(cut > skep_tries(40));
    skep_pool_free(pool);
}

static void orders_and_havings(void **state)
{
    (void)state;
    struct rnd r = {31};
    struct ref_world w;
    struct skep_arena a;
    ref_world_make(&w, &r, 500, NULL);
    skep_arena_init(&a, "plan", NULL);
    struct skep_field_ref groups[] = {{.name = SKEP_STR("name")}, {.name = SKEP_STR("span.kind")}};
    struct skep_agg aggs[] = {{.op = SKEP_AGG_COUNT},
                              {.op = SKEP_AGG_MAX, .field.name = SKEP_STR("num")}};
    struct skep_order orders[] = {{.by_agg = false, .index = 1, .descending = true},
                                  {.by_agg = true, .index = 1}};
    struct skep_having havings[] = {{.agg = 0, .op = SKEP_CMP_GE, .value = 5}};
    struct skep_plan p = {.kind = SKEP_PLAN_AGGREGATE,
                          .range = {REF_T0, REF_T0 + REF_SPAN_S * INT64_C(1000000000)},
                          .groups = groups,
                          .n_groups = 2,
                          .aggs = aggs,
                          .n_aggs = 2};
    struct skep_result *plain = ask(&w.stores[4], &p, &a);
    for (size_t i = 1; i < plain->n_groups; i++) /* without orders: first aggregate, then keys */
        assert_true(
            plain->groups[i - 1].values[0].i > plain->groups[i].values[0].i ||
            (plain->groups[i - 1].values[0].i == plain->groups[i].values[0].i &&
             (skep_value_order(&plain->groups[i - 1].key[0], &plain->groups[i].key[0]) < 0 ||
              skep_value_order(&plain->groups[i - 1].key[1], &plain->groups[i].key[1]) < 0)));
    p.orders = orders;
    p.n_orders = 2;
    p.havings = havings;
    p.n_havings = 1;
    struct skep_result *x = ask(&w.stores[4], &p, &a);
    size_t want = 0;
    for (size_t i = 0; i < plain->n_groups; i++)
        want += plain->groups[i].values[0].i >= 5;
    assert_int_equal(x->n_groups_total, want);
    assert_int_equal(x->totals.values[0].i, plain->totals.values[0].i); /* before havings */
    for (size_t i = 1; i < x->n_groups; i++) {
        int c = skep_value_order(&x->groups[i - 1].key[1], &x->groups[i].key[1]);
        assert_true(c >= 0);
        if (c == 0 && x->groups[i].values[1].kind != SKEP_CELL_NULL)
            assert_true(x->groups[i - 1].values[1].kind != SKEP_CELL_NULL);
    }
    for (p.limit = 1; p.limit < want; p.limit++) { /* the first groups of the whole, in order */
        struct skep_result *few = ask(&w.stores[4], &p, &a);
        assert_int_equal(few->n_groups, p.limit);
        assert_int_equal(few->n_groups_total, want);
        for (size_t i = 0; i < few->n_groups; i++)
            for (unsigned k = 0; k < 2; k++)
                assert_int_equal(skep_value_order(&few->groups[i].key[k], &x->groups[i].key[k]), 0);
    }
    ref_world_done(&w);
    skep_arena_done(&a);
}

static void empty_store(void **state)
{
    (void)state;
    struct ref_store s;
    struct skep_arena a;
    ref_store_init(&s, ref_snapshot(NULL, NULL, 0), NULL);
    skep_arena_init(&a, "plan", NULL);
    struct skep_agg aggs[SKEP_AGG_OP_COUNT];
    for (int i = 0; i < SKEP_AGG_OP_COUNT; i++)
        aggs[i] = (struct skep_agg){.op = (enum skep_agg_op)i,
                                    .param = 50,
                                    .field.name = i == SKEP_AGG_COUNT || i == SKEP_AGG_CONCURRENCY
                                                      ? SKEP_STR_NULL
                                                      : SKEP_STR("num")};
    struct skep_plan p = {.kind = SKEP_PLAN_AGGREGATE,
                          .range = {-30, 100},
                          .aggs = aggs,
                          .n_aggs = SKEP_AGG_OP_COUNT,
                          .granularity_ns = 20};
    struct skep_result *r = ask(&s, &p, &a);
    assert_int_equal(r->n_groups, 0);
    assert_int_equal(r->n_buckets, 7); /* -40 .. 100 */
    assert_int_equal(r->bucket_starts[0], -40);
    for (int i = 0; i < SKEP_AGG_OP_COUNT; i++) {
        bool zero = i == SKEP_AGG_COUNT || i == SKEP_AGG_COUNT_DISTINCT;
        assert_int_equal(r->totals.series[i * 7].kind, zero ? SKEP_CELL_INT
                                                       : i == SKEP_AGG_CONCURRENCY
                                                           ? SKEP_CELL_DOUBLE
                                                           : SKEP_CELL_NULL);
        assert_int_equal(r->heat[i].n, 0);
    }
    assert_int_equal(r->totals.values[0].i, 0);
    assert_true(r->complete);
    struct skep_answer answer;
    skep_err err;
    struct skep_run_opts opts = {.arena = &a};
    enum skep_plan_kind kinds[] = {SKEP_PLAN_ROWS, SKEP_PLAN_TRACES, SKEP_PLAN_FIELDS,
                                   SKEP_PLAN_DATASETS};
    for (int i = 0; i < 4; i++) {
        struct skep_plan q = {.kind = kinds[i], .range = {0, 100}};
        assert_int_equal(skep_query_run(&s.base, &q, &opts, &answer, &err), SKEP_OK);
        assert_int_equal(answer.rows.n + answer.traces.n + answer.fields.n + answer.datasets.n, 0);
    }
    skep_snapshot_unref(s.snap);
    skep_arena_done(&a);
}

/* With every budget from nothing upwards a query answers the same bits, in however many passes over
 * however few groups at a time, or refuses cleanly. */
static void budgets(void **state)
{
    (void)state;
    struct skep_pool *pool = skep_pool_new("test", 2);
    struct rnd r = {8};
    struct ref_world w;
    unsigned refused = 0, fine = 0;
    ref_world_make(&w, &r, 600, pool);
    for (unsigned i = 0; i < skep_tries(40); i++) {
        struct skep_arena plans;
        skep_arena_init(&plans, "plan", NULL);
        struct skep_plan p = *ref_plan(&r, &plans);
        if (i % 4 == 3)
            p.kind = (enum skep_plan_kind)(SKEP_PLAN_ROWS + (i / 4) % 2);
        struct ref_store *s = &w.stores[i % REF_STORES];
        p.limit = i % 2 ? 5 : p.limit;
        char *want = p.kind == SKEP_PLAN_AGGREGATE ? ref_dump(ask(s, &p, &plans)) : NULL;
        for (uint64_t limit = 1024; limit < (64 << 20); limit = limit * 3 / 2) {
            struct skep_arena a;
            struct skep_budget budget;
            struct skep_result *res = NULL;
            struct skep_answer answer;
            skep_err err;
            skep_arena_init(&a, "answer", NULL);
            skep_budget_init(&budget, "query", limit, NULL);
            struct skep_run_opts opts = {.budget = &budget, .arena = &a};
            skep_rc rc = p.kind == SKEP_PLAN_AGGREGATE
                             ? skep_query_aggregate(&s->base, &p, &opts, &res, &err)
                             : skep_query_run(&s->base, &p, &opts, &answer, &err);
            assert_true(rc == SKEP_OK || rc == SKEP_ENOMEM);
            assert_int_equal(skep_budget_used(&budget), 0);
            refused += rc != SKEP_OK;
            fine += rc == SKEP_OK;
            if (rc == SKEP_OK && want) {
                char *got = ref_dump(res);
                if (strcmp(want, got) != 0)
                    fail_msg("plan %u, %llu bytes:\n%.3000s\n---\n%.3000s", i,
                             (unsigned long long)limit, want, got);
                skep_free(got);
            }
            skep_arena_done(&a);
        }
        skep_free(want);
        skep_arena_done(&plans);
    }
    assert_true(refused > skep_tries(40) && fine > skep_tries(40));
    ref_world_done(&w);
    skep_pool_free(pool);
}

/* More groups than a worker keeps to itself: all are there once, in the memory of one table or,
 * where that is too much, of a part of it at a time. */
enum { MANY_ROWS = 330000, MANY_KEYS = 300000 };

static struct skep_rowset *many_sessions(uint32_t sample_rate)
{
    struct skep_batch *b = skep_batch_new(NULL, REF_T0);
    for (uint32_t i = 0; i < MANY_ROWS; i++) {
        char text[32];
        uint32_t row = skep_batch_row(b, SKEP_KIND_SPAN, REF_T0 + i, SKEP_SOURCE_OTLP);
        b->duration_ns[row] = (int64_t)i * 1000000;
        b->sample_rate[row] = sample_rate;
        int n = snprintf(text, sizeof text, "session-%06u", (i * 7919u) % MANY_KEYS);
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("session"),
                       (skep_value){.type = SKEP_TYPE_STRING, .s = {text, (size_t)n}});
    }
    struct skep_rowset *part = ref_part(b, 1);
    skep_batch_free(b);
    return part;
}

/* Ways to ask for them: by how often they came and no more, or with another aggregate. */
enum many { MOST, LEAST, BY_NAME, TWICE, FILTERED, SLOWEST, MANY_WAYS };

static void check_many(enum many way, const struct skep_result *r, int64_t rate)
{
    bool having = way == TWICE || way == SLOWEST;
    assert_int_equal(r->n_groups_total, having ? MANY_ROWS - MANY_KEYS : MANY_KEYS);
    assert_int_equal(r->n_groups, 20);
    assert_int_equal(r->totals.values[0].i, MANY_ROWS * rate); /* of all groups */
    assert_int_equal(r->rows_examined, MANY_ROWS);             /* once, in however many passes */
    assert_int_equal(r->estimated, rate > 1);
    for (unsigned g = 0; g < 20; g++) {
        int64_t n = r->groups[g].values[0].i;
        assert_true(way == BY_NAME || n == rate * (way == LEAST ? 1 : 2)); /* all, by name */
        int by_name = g == 0 ? -1 : skep_str_cmp(r->groups[g - 1].key[0].s, r->groups[g].key[0].s);
        assert_true(way == SLOWEST || (way == BY_NAME) == (by_name > 0) || g == 0);
    }
    if (way == BY_NAME)
        assert_true(skep_str_eq(r->groups[0].key[0].s, SKEP_STR("session-299999")));
    if (way == SLOWEST) /* the last row of all, which is the second of its session */
        assert_true(r->totals.values[1].f == MANY_ROWS - 1 &&
                    r->groups[0].values[1].f == MANY_ROWS - 1);
}

static void ask_many(struct skep_rowset *part, enum many way, unsigned mib, struct skep_pool *pool,
                     int64_t rate)
{
    const struct skep_field_ref group = {.name = SKEP_STR("session")};
    const struct skep_agg aggs[] = {{.op = SKEP_AGG_COUNT},
                                    {.op = SKEP_AGG_MAX, .field.name = SKEP_STR("duration_ms")}};
    const struct skep_order orders[MANY_WAYS] = {
        [LEAST] = {.by_agg = true, .index = 0, .descending = false},
        [BY_NAME] = {.index = 0, .descending = true},
        [SLOWEST] = {.by_agg = true, .index = 1, .descending = true}};
    const struct skep_having twice = {.agg = 0, .op = SKEP_CMP_GE, .value = 2.0 * (double)rate};
    const struct skep_expr there = {.op = SKEP_EXPR_TEST,
                                    .test = {.field = group, .op = SKEP_CMP_EXISTS}};
    struct skep_plan p = {.kind = SKEP_PLAN_AGGREGATE,
                          .range = {REF_T0, REF_T0 + MANY_ROWS},
                          .filter = way == FILTERED ? &there : NULL,
                          .groups = &group,
                          .n_groups = 1,
                          .aggs = aggs,
                          .n_aggs = way == SLOWEST ? 2 : 1,
                          .orders = &orders[way],
                          .n_orders = way == LEAST || way == BY_NAME || way == SLOWEST,
                          .havings = &twice,
                          .n_havings = way == TWICE || way == SLOWEST,
                          .limit = 20};
    struct ref_store s;
    struct skep_arena a;
    struct skep_budget budget;
    struct skep_result *r = NULL;
    skep_err err;
    skep_arena_init(&a, "answer", NULL);
    skep_budget_init(&budget, "query", (uint64_t)mib << 20, NULL);
    struct skep_run_opts opts = {.arena = &a, .budget = &budget};
    struct skep_rowset *set = skep_rowset_ref(part);
    ref_store_init(&s, ref_snapshot(&set, NULL, 1), pool);
    skep_rc rc = skep_query_aggregate(&s.base, &p, &opts, &r, &err);
    if (rc != (mib == 1 ? SKEP_ENOMEM : SKEP_OK)) /* a row group's alone are more */
        fail_msg("%u MiB, %d: %s", mib, (int)way, rc == SKEP_OK ? "answered" : err.text);
    if (rc == SKEP_OK)
        check_many(way, r, rate);
    assert_int_equal(skep_budget_used(&budget), 0);
    skep_snapshot_unref(s.snap);
    skep_arena_done(&a);
}

static void very_many_groups(void **state)
{
    (void)state;
    /* Where two workers add at once, how much they add before somebody looks is chance. */
    static const unsigned mib[] = {100, 32, 14, 1};
    struct skep_pool *pool = skep_pool_new("test", 1);
    struct skep_rowset *part = many_sessions(1);
    for (unsigned way = 0; way < MANY_WAYS; way++)
        for (unsigned i = SKEP_INSTRUMENTED ? way / 2 % 2 : 0; i < 4;
             i += SKEP_INSTRUMENTED ? 2 : 1)
            ask_many(part, (enum many)way, way == SLOWEST && i == 2 ? 24 : mib[i],
                     i % 2 ? pool : NULL, 1);
    skep_rowset_unref(part);
    part = many_sessions(3); /* each stands for three */
    ask_many(part, MOST, 100, NULL, 3);
    ask_many(part, FILTERED, 14, NULL, 3);
    skep_pool_free(pool);
    skep_rowset_unref(part);
}

struct watch {
    int polls_left;
    uint64_t last, total;
};

static bool canceled(void *ctx)
{
    struct watch *w = ctx;
    return w->polls_left-- <= 0;
}

static void progress(void *ctx, uint64_t scanned, uint64_t total)
{
    struct watch *w = ctx;
    assert_true(scanned > w->last && scanned <= total);
    w->last = scanned;
    w->total = total;
}

static void cancellation(void **state)
{
    (void)state;
    struct skep_pool *pool = skep_pool_new("test", 2);
    struct rnd r = {8};
    struct ref_world w;
    ref_world_make(&w, &r, 300, pool);
    struct skep_agg count = {.op = SKEP_AGG_COUNT};
    struct skep_plan p = {.kind = SKEP_PLAN_AGGREGATE,
                          .range = {REF_T0 - 10, REF_T0 + REF_SPAN_S * INT64_C(1000000000)},
                          .aggs = &count,
                          .n_aggs = 1};
    for (int polls = 0; polls < 8; polls++) {
        struct skep_arena a;
        /* Once at first and after each morsel; within long ones about once a millisecond. */
        struct watch watch = {.polls_left = polls <= REF_BATCHES ? polls : 1000000};
        struct skep_result *res = NULL;
        skep_err err;
        skep_arena_init(&a, "answer", NULL);
        struct skep_run_opts opts = {
            .canceled = canceled, .progress = progress, .ctx = &watch, .arena = &a};
        skep_rc rc = skep_query_aggregate(&w.stores[2].base, &p, &opts, &res, &err);
        assert_int_equal(rc, polls <= REF_BATCHES ? SKEP_ECANCELED : SKEP_OK);
        if (rc == SKEP_OK)
            assert_int_equal(watch.last, watch.total);
        skep_arena_done(&a);
    }
    ref_world_done(&w);
    skep_pool_free(pool);
}

/* A rowset one of whose columns cannot be read. */
static struct skep_rowset broken;
static struct skep_rowset *whole;
static enum skep_column broken_column;

static skep_rc open_broken(struct skep_rowset *rs, enum skep_column col,
                           struct skep_colreader **ret, skep_err *err)
{
    (void)rs;
    if (col == broken_column)
        return skep_fail(err, SKEP_ECORRUPT, "column %d is broken", (int)col);
    return whole->ops->open_column(whole, col, ret, err);
}

static skep_rc open_field(struct skep_rowset *rs, uint32_t f, struct skep_colreader **ret,
                          skep_err *err)
{
    (void)rs;
    return whole->ops->open_field(whole, f, ret, err);
}

static skep_rc find_trace(struct skep_rowset *rs, const skep_trace_id *id,
                          struct skep_row_range *ranges, unsigned cap, unsigned *n, skep_err *err)
{
    (void)rs;
    return whole->ops->find_trace(whole, id, ranges, cap, n, err);
}

static void no_destroy(struct skep_rowset *rs)
{
    (void)rs;
}

static void damage(void **state)
{
    (void)state;
    static const struct skep_rowset_ops ops = {.name = "broken",
                                               .destroy = no_destroy,
                                               .open_column = open_broken,
                                               .open_field = open_field,
                                               .find_trace = find_trace};
    struct rnd r = {3};
    struct skep_batch *b[2] = {ref_batch(&r, 50), ref_batch(&r, 70)};
    struct skep_rowset *good = ref_part(b[1], 2);
    struct skep_arena a;
    skep_arena_init(&a, "answer", NULL);
    whole = ref_part(b[0], 1);
    broken = *whole;
    broken.ops = &ops;
    atomic_store(&broken.refs, 1);
    struct ref_store s;
    struct skep_rowset *sets[2] = {&broken, good};
    ref_store_init(&s, ref_snapshot(sets, NULL, 2), NULL);
    struct skep_agg count = {.op = SKEP_AGG_COUNT};
    struct skep_field_ref group = {.name = SKEP_STR("status_code")};
    struct skep_plan p = {.kind = SKEP_PLAN_AGGREGATE,
                          .range = {REF_T0 - 10, REF_T0 + REF_SPAN_S * INT64_C(1000000000)},
                          .groups = &group,
                          .n_groups = 1,
                          .aggs = &count,
                          .n_aggs = 1};
    broken_column = SKEP_COL_STATUS;
    struct skep_result *res = ask(&s, &p, &a);
    assert_false(res->complete);
    assert_true(res->missing.n > 0);
    assert_int_equal(res->totals.values[0].i >= 70, true);
    p.n_groups = 0; /* the broken column is not asked for: nothing is missing */
    res = ask(&s, &p, &a);
    assert_true(res->complete);
    struct skep_run_opts opts = {.arena = &a};
    struct skep_answer answer;
    skep_err err;
    struct skep_plan rows = {.kind = SKEP_PLAN_ROWS, .range = p.range, .limit = 1000};
    assert_int_equal(skep_query_run(&s.base, &rows, &opts, &answer, &err), SKEP_OK);
    assert_false(answer.complete);
    assert_int_equal(answer.rows.n, 70);
    skep_snapshot_unref(s.snap);
    skep_rowset_unref(whole);
    skep_batch_free(b[0]);
    skep_batch_free(b[1]);
    skep_arena_done(&a);
}

static void granularity(void **state)
{
    (void)state;
    static const int64_t s = 1000000000;
    static const int64_t spans[] = {1,         1000,           120000000,       7200 * s,
                                    86400 * s, 28 * 86400 * s, 400 * 86400 * s, 20000 * 86400 * s};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(spans); i++) {
        int64_t g = skep_query_auto_granularity((struct skep_time_range){5, 5 + spans[i]});
        assert_true(g >= 1000000);
        assert_true(spans[i] / g <= 120);
        assert_true(spans[i] / g >= 40 || g == 1000000);
    }
    assert_int_equal(skep_query_auto_granularity((struct skep_time_range){0, 7200 * s}), 60 * s);
    int64_t g = skep_query_auto_granularity((struct skep_time_range){INT64_MIN, INT64_MAX});
    assert_true(UINT64_MAX / (uint64_t)g <= 120);
}

static void values_of_a_field(void **state)
{
    (void)state;
    struct rnd r = {12};
    struct ref_world w;
    struct skep_arena a;
    ref_world_make(&w, &r, 300, NULL);
    skep_arena_init(&a, "plan", NULL);
    struct skep_plan base = {.range = {REF_T0 - 10, REF_T0 + REF_SPAN_S * INT64_C(1000000000)}};
    const struct skep_plan *p =
        skep_query_values_plan(&a, &base, SKEP_STR("route"), SKEP_STR("sH"), 10);
    struct skep_result *res = ask(&w.stores[1], p, &a);
    assert_int_equal(res->n_groups, 2); /* shop, Shop */
    for (size_t i = 0; i < 2; i++)
        assert_true(skep_str_ieq(res->groups[i].key[0].s, SKEP_STR("shop")));
    p = skep_query_values_plan(&a, &base, SKEP_STR("route"), SKEP_STR_NULL, 3);
    res = ask(&w.stores[1], p, &a);
    assert_int_equal(res->n_groups, 3);
    assert_true(res->groups[0].values[0].i >= res->groups[1].values[0].i);
    assert_true(res->groups[0].key[0].type != SKEP_TYPE_NULL);
    ref_world_done(&w);
    skep_arena_done(&a);
}

static struct skep_row span(int64_t t, uint64_t id, uint64_t parent, uint32_t ordinal)
{
    return (struct skep_row){.kind = SKEP_KIND_SPAN,
                             .time_ns = t,
                             .duration_ns = 10,
                             .span_id = id,
                             .parent_id = parent,
                             .id = {1, ordinal}};
}

static void expect_tree(const struct skep_row *rows, size_t n, const char *want)
{
    struct skep_arena a;
    struct skep_trace_tree t;
    char text[512] = "";
    size_t len = 0;
    skep_arena_init(&a, "tree", NULL);
    struct skep_rows in = {.rows = (struct skep_row *)rows, .n = n};
    skep_query_trace_tree(&in, &a, &t);
    assert_int_equal(t.n, n);
    for (size_t i = 0; i < t.n; i++) {
        assert_true(t.nodes[i].parent < (int32_t)i);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%u@%u%s", i ? " " : "",
                                t.nodes[i].row->id.ordinal, t.nodes[i].depth,
                                t.nodes[i].missing_parent ? "?" : "");
    }
    assert_string_equal(text, want);
    skep_arena_done(&a);
}

static void trees(void **state)
{
    (void)state;
    expect_tree(NULL, 0, "");
    /* children in order of start, whatever the order of rows; an event under its span */
    struct skep_row plain[] = {span(30, 3, 1, 0), span(10, 1, 0, 1), span(20, 2, 1, 2),
                               span(25, 0, 2, 3), span(22, 4, 2, 4)};
    plain[3].kind = SKEP_KIND_SPAN_EVENT;
    expect_tree(plain, 5, "1@0 2@1 4@2 3@2 0@1");
    struct skep_row orphan[] = {span(10, 1, 99, 0), span(20, 2, 1, 1), span(5, 7, 0, 2)};
    expect_tree(orphan, 3, "2@0 0@0? 1@1");
    struct skep_row self[] = {span(10, 1, 1, 0), span(20, 2, 1, 1)};
    expect_tree(self, 2, "0@0 1@1");
    struct skep_row cycle[] = {span(30, 1, 3, 0), span(20, 2, 1, 1), span(10, 3, 2, 2),
                               span(40, 4, 1, 3)};
    expect_tree(cycle, 4, "2@0 0@1 1@2 3@2");
    struct skep_row twice[] = {span(10, 1, 0, 0), span(12, 1, 0, 1), span(20, 2, 1, 2)};
    expect_tree(twice, 3, "0@0 2@1 1@0");
}

/* A million nested spans: no recursion anywhere. */
static void deep_tree(void **state)
{
    (void)state;
    enum { N = 1000000 };
    struct skep_row *rows = skep_alloc_n(struct skep_row, N);
    struct skep_arena a;
    struct skep_trace_tree t;
    for (uint32_t i = 0; i < N; i++)
        rows[i] = span((int64_t)i, i + 1, i, i);
    skep_arena_init(&a, "tree", NULL);
    struct skep_rows in = {.rows = rows, .n = N};
    skep_query_trace_tree(&in, &a, &t);
    assert_int_equal(t.n, N);
    assert_int_equal(t.nodes[N - 1].depth, N - 1);
    skep_arena_done(&a);
    skep_free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_passes),
        cmocka_unit_test(orders_and_havings),
        cmocka_unit_test(empty_store),
        cmocka_unit_test(budgets),
        cmocka_unit_test(very_many_groups),
        cmocka_unit_test(cancellation),
        cmocka_unit_test(damage),
        cmocka_unit_test(granularity),
        cmocka_unit_test(values_of_a_field),
        cmocka_unit_test(trees),
        cmocka_unit_test(deep_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

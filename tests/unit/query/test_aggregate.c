// SPDX-License-Identifier: Apache-2.0
/* Random aggregate plans over random rows: the reference's answer, bit for bit, however the rows
 * are laid out (one part, many, folded) and however many threads look at them. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "calc/calc.h"
#include "os/thread.h"
#include "store/column/exec.h"
#include "store/column/live.h"
#include "support/instrumented.h"
#include "support/refquery.h"
#include "support/rowdump.h"

enum { PLANS = 60 };

static char *answer(struct ref_store *s, const struct skep_plan *plan, const struct ref_data *d,
                    const char *what)
{
    struct skep_arena arena;
    struct skep_budget budget;
    skep_err err;
    struct skep_result *res = NULL;
    skep_arena_init(&arena, "answer", NULL);
    skep_budget_init(&budget, "query", UINT64_C(1) << 31, NULL);
    struct skep_run_opts opts = {.budget = &budget, .arena = &arena};
    skep_rc rc = skep_query_aggregate(&s->base, plan, &opts, &res, &err);
    if (rc != SKEP_OK)
        fail_msg("%s: %s", what, err.text);
    if (d)
        ref_check(d, plan, res, what);
    char *text = ref_dump(res);
    assert_int_equal(skep_budget_used(&budget), 0);
    skep_arena_done(&arena);
    return text;
}

static void same(const char *a, char *b, const char *what, const char *how)
{
    if (strcmp(a, b) != 0)
        fail_msg("%s: %s answers differently:\n%.2000s\n---\n%.2000s", what, how, a, b);
    skep_free(b);
}

/* The same question about another range: its buckets have other numbers; and some of the row groups
 * are cut by it, or lie outside. */
static void moved(struct ref_world *w, const struct skep_plan *plan, struct rnd *r,
                  const char *what)
{
    static const int64_t most_ns = INT64_C(1000000000000), data_ns = REF_SPAN_S * 1000000000LL;
    for (unsigned i = 0; i < 4; i++) {
        struct skep_plan p = *plan;
        bool before = i != 1 && i != 3, behind = i < 2;
        int64_t early = (int64_t)(rnd_u64(r) % most_ns), late = (int64_t)(rnd_u64(r) % most_ns);
        p.range.start_ns = before ? p.range.start_ns - early : REF_T0 + early % (data_ns / 3);
        p.range.end_ns = behind ? p.range.end_ns + late : REF_T0 + data_ns - late % (data_ns / 3);
        if (p.range.start_ns >= p.range.end_ns)
            continue;
        char *want = answer(&w->stores[0], &p, NULL, what);
        same(want, answer(&w->stores[4], &p, NULL, what), what, "a kept partial");
        same(want, answer(&w->stores[5], &p, NULL, what), what, "a kept partial beside parts");
        same(want, answer(&w->stores[7], &p, NULL, what), what, "a kept partial of living rows");
        same(want, answer(&w->stores[7], &p, NULL, what), what, "the second time");
        skep_free(want);
    }
}

/* Other questions about the rows that pass the same filter, which are known by now (known.c). */
static void filtered(struct ref_world *w, const struct skep_plan *plan, struct rnd *r,
                     struct skep_arena *a, const char *what)
{
    for (unsigned i = 0; i < 2; i++) {
        struct skep_plan p = *ref_plan(r, a);
        p.filter = plan->filter;
        p.dataset = plan->dataset;
        char *want = answer(&w->stores[0], &p, &w->data, what);
        same(want, answer(&w->stores[4], &p, NULL, what), what, "what is known");
        same(want, answer(&w->stores[5], &p, NULL, what), what, "what is known beside parts");
        same(want, answer(&w->stores[6], &p, NULL, what), what, "what is known of both layouts");
        same(want, answer(&w->stores[7], &p, NULL, what), what, "what is known of living rows");
        skep_free(want);
    }
}

static uint64_t n_evicted; /* from all caches */

static void run_plans(uint64_t seed, uint32_t rows, unsigned plans, uint64_t keep_bytes)
{
    struct rnd r = {seed};
    struct skep_pool *pool = skep_pool_new("test", 3);
    struct skep_partials *partials = skep_partials_new(NULL, keep_bytes);
    struct skep_partials_stats stats;
    struct ref_world w;
    ref_world_make(&w, &r, rows, pool);
    for (unsigned s = 4; s < REF_STORES; s++) /* those with segments */
        w.stores[s].partials = partials;
    for (unsigned i = 0; i < plans; i++) {
        struct skep_arena arena;
        char what[64];
        skep_arena_init(&arena, "plan", NULL);
        const struct skep_plan *plan = ref_plan(&r, &arena);
        snprintf(what, sizeof what, "seed %llu plan %u", (unsigned long long)seed, i);
        char *first = answer(&w.stores[0], plan, &w.data, what);
        for (unsigned s = 1; s < REF_STORES; s++) {
            char how[32];
            snprintf(how, sizeof how, "store %u", s);
            same(first, answer(&w.stores[s], plan, NULL, what), what, how);
            if (w.stores[s].partials) /* out of what was kept just now */
                same(first, answer(&w.stores[s], plan, NULL, what), what, "the second time");
        }
        skep_free(first);
        moved(&w, plan, &r, what);
        filtered(&w, plan, &r, &arena, what);
        skep_arena_done(&arena);
    }
    skep_partials_stats(partials, &stats);
    assert_true(stats.bytes <= keep_bytes);
    assert_true(stats.hits > 0);
    n_evicted += stats.evicted;
    for (unsigned s = 4; s < REF_STORES; s++)
        for (unsigned i = 0; i < w.stores[s].snap->n; i++)
            skep_partials_drop(partials, w.stores[s].snap->sets[i].rowset->serial);
    skep_partials_drop(partials, 0); /* what is known of no segment */
    skep_partials_stats(partials, &stats);
    assert_true(stats.bytes == 0 && stats.entries == 0);
    ref_world_done(&w);
    skep_partials_free(partials);
    skep_pool_free(pool);
}

/* Rows that die make another version of their segment: what was kept of the old one is not its
 * answer. */
static void kept_partials_follow_deletes(void **state)
{
    (void)state;
    struct rnd r = {77};
    struct skep_partials *partials = skep_partials_new(NULL, 1 << 20);
    struct skep_agg count = {.op = SKEP_AGG_COUNT};
    struct skep_plan plan = {.kind = SKEP_PLAN_AGGREGATE,
                             .range = {INT64_MIN / 2, INT64_MAX / 2},
                             .aggs = &count,
                             .n_aggs = 1};
    struct ref_world w;
    ref_world_make(&w, &r, 300, NULL);
    struct ref_store *s = &w.stores[4];
    s->partials = partials;
    skep_free(answer(s, &plan, NULL, "before"));
    struct skep_rowset *rs = s->snap->sets[0].rowset;
    for (unsigned k = 0; k < 3; k++) {
        struct skep_mask m;
        uint64_t killed = 0;
        struct skep_live *old = s->snap->sets[0].live;
        skep_mask_init(&m, rs);
        skep_mask_add(&m, k);
        struct skep_live *live = skep_live_kill(old, &m, SKEP_DEATH_DELETED, &killed);
        skep_mask_done(&m);
        assert_int_equal(killed, 1);
        struct skep_rowset *sets[2] = {skep_rowset_ref(rs),
                                       skep_rowset_ref(s->snap->sets[1].rowset)};
        struct skep_live *lives[2] = {live, NULL};
        skep_snapshot_unref(s->snap);
        s->snap = ref_snapshot(sets, lives, 2);
        s->partials = NULL;
        char *want = answer(s, &plan, NULL, "after");
        s->partials = partials;
        same(want, answer(s, &plan, NULL, "after"), "after", "kept");
        same(want, answer(s, &plan, NULL, "after"), "after", "kept again");
        skep_free(want);
    }
    ref_world_done(&w);
    skep_partials_free(partials);
}

/* What was kept of a range that began earlier answers one that begins later, as a window that moves
 * with the clock does, and the other way round. */
static void kept_partials_follow_the_window(void **state)
{
    (void)state;
    struct rnd r = {78};
    struct skep_agg count = {.op = SKEP_AGG_COUNT};
    struct ref_world w;
    ref_world_make(&w, &r, 300, NULL);
    for (int way = 0; way < 2; way++) {
        struct skep_partials *partials = skep_partials_new(NULL, 1 << 20);
        struct skep_partials_stats stats;
        for (int64_t k = 0; k < 5; k++) {
            int64_t late_ns = (way ? 4 - k : k) * INT64_C(7000000000);
            struct skep_plan plan = {.kind = SKEP_PLAN_AGGREGATE,
                                     .range = {REF_T0 - INT64_C(3600000000000) + late_ns,
                                               REF_T0 + INT64_C(3600000000000) + late_ns},
                                     .granularity_ns = INT64_C(10000000000),
                                     .aggs = &count,
                                     .n_aggs = 1};
            w.stores[4].partials = NULL;
            char *want = answer(&w.stores[4], &plan, &w.data, "alone");
            w.stores[4].partials = partials;
            same(want, answer(&w.stores[4], &plan, NULL, "kept"), "the window", "kept");
            skep_free(want);
        }
        skep_partials_stats(partials, &stats);
        assert_true(stats.hits >= 4);
        w.stores[4].partials = NULL;
        skep_partials_free(partials);
    }
    ref_world_done(&w);
}

static void small_data(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= skep_tries(12); seed++)
        run_plans(seed, 60, PLANS, seed % 2 ? 8 << 20 : 32 << 10);
    assert_true(n_evicted > 0);
}

static void several_blocks(void **state)
{
    (void)state;
    run_plans(101, 1500, skep_tries(30), 64 << 20);
    if (!SKEP_INSTRUMENTED) /* small_data has little room for what is kept, too */
        run_plans(102, 1500, skep_tries(30), 256 << 10);
}

/* Each relation by itself, over segments of many small row groups and ranges shorter than most
 * traces: what a trace has in another row group, segment or outside the range counts. */
static void relations_one_by_one(void **state)
{
    (void)state;
    static const skep_str fields[] = {SKEP_STR("name"), SKEP_STR("error"), SKEP_STR("status_code"),
                                      SKEP_STR("route"), SKEP_STR("duration_ms")};
    struct skep_pool *pool = skep_pool_new("test", 3);
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct rnd r = {seed * 104729};
        struct ref_world w;
        ref_world_make(&w, &r, 900, pool);
        for (int how = SKEP_REL_ROOT; how < SKEP_REL_COUNT * 6; how++) {
            enum skep_relation relation = (enum skep_relation)(how % SKEP_REL_COUNT);
            skep_value two = {.type = SKEP_TYPE_INT, .i = 1};
            struct skep_expr test = {
                .op = SKEP_EXPR_TEST,
                .test = {.field.name = fields[rnd_below(&r, SKEP_ARRAY_LEN(fields))],
                         .op = rnd_below(&r, 2) ? SKEP_CMP_EXISTS : SKEP_CMP_NE,
                         .values = &two,
                         .n_values = 1}};
            struct skep_expr *kid[1] = {&test};
            struct skep_expr some = {.op = SKEP_EXPR_RELATED, .kids = kid, .n_kids = 1};
            some.relation = relation ? relation : SKEP_REL_DESCENDANT;
            struct skep_field_ref by = {.name = SKEP_STR("name"),
                                        .relation =
                                            (enum skep_relation)(1 + rnd_below(&r, SKEP_REL_ANY))};
            struct skep_agg sum = {
                .op = SKEP_AGG_SUM,
                .field = {.name = SKEP_STR("duration_ms"),
                          .relation = (enum skep_relation)(1 + rnd_below(&r, SKEP_REL_ANY))}};
            int64_t width = INT64_C(1000000000) * (1 + rnd_below(&r, how % 2 ? 60 : REF_SPAN_S));
            struct skep_plan p = {.kind = SKEP_PLAN_AGGREGATE,
                                  .range.start_ns = REF_T0 + (int64_t)(rnd_u64(&r) % 500000000000),
                                  .filter = how % 3 ? &some : NULL,
                                  .groups = &by,
                                  .n_groups = 1,
                                  .aggs = &sum,
                                  .n_aggs = 1,
                                  .limit = 10000};
            char what[64];
            p.range.end_ns = p.range.start_ns + width;
            snprintf(what, sizeof what, "seed %llu relation %d", (unsigned long long)seed, how);
            char *first = answer(&w.stores[0], &p, &w.data, what);
            for (unsigned s = 1; s < REF_STORES; s++)
                same(first, answer(&w.stores[s], &p, NULL, what), what, "another store");
            skep_free(first);
        }
        ref_world_done(&w);
    }
    skep_pool_free(pool);
}

/* A plan over fields, as the same plan over fields computed of them. */
struct twin {
    struct skep_arena *a;
    struct rnd *r;
    struct skep_computed computed[64];
    unsigned n;
};

static struct skep_calc *coalesce(struct twin *t, unsigned n)
{
    struct skep_calc **args = skep_new_n(t->a, struct skep_calc *, n), *e = NULL;
    unsigned arg;
    skep_err err;
    for (unsigned i = 0; i < n; i++)
        args[i] = skep_calc_field(t->a, i, false);
    assert_int_equal(
        skep_calc_call(t->a, skep_calc_find_derived(SKEP_STR("COALESCE")), args, n, &e, &arg, &err),
        SKEP_OK);
    return e;
}

/* One input: by code where there are codes.  Two, of which one is absent: row by row.  Or of a
 * field that is computed itself. */
static skep_str computed_name(struct twin *t, skep_str name)
{
    /* nanoseconds that read as milliseconds are summed otherwise once they were computed */
    if (skep_str_eq(name, SKEP_STR("duration_ms")) || skep_str_eq(name, SKEP_STR("*")) ||
        name.n == 0)
        return name;
    unsigned how = rnd_below(t->r, 3);
    skep_str mine = skep_arena_printf(t->a, "%u of " SKEP_STRFMT, how, SKEP_STRARG(name));
    for (unsigned i = 0; i < t->n; i++)
        if (skep_str_eq(t->computed[i].name, mine))
            return mine;
    struct skep_computed_input *in = skep_new_n(t->a, struct skep_computed_input, 2);
    in[0].name = name;
    in[1].name = SKEP_STR("absent of all");
    if (how == 2) {
        struct skep_computed_input *inner = skep_new(t->a, struct skep_computed_input);
        inner->name = name;
        in[0].name = skep_arena_printf(t->a, "inner of " SKEP_STRFMT, SKEP_STRARG(name));
        t->computed[t->n++] = (struct skep_computed){.name = in[0].name,
                                                     .text = SKEP_STR("inner"),
                                                     .calc = coalesce(t, 1),
                                                     .inputs = inner,
                                                     .n_inputs = 1};
    }
    unsigned n = how == 1 ? 2 : 1;
    assert_true(t->n < SKEP_ARRAY_LEN(t->computed));
    t->computed[t->n++] = (struct skep_computed){.name = mine,
                                                 .text = SKEP_STR("twin"),
                                                 .calc = coalesce(t, n),
                                                 .inputs = in,
                                                 .n_inputs = n};
    return mine;
}

static struct skep_expr *twin_expr(struct twin *t, const struct skep_expr *e)
{
    if (!e)
        return NULL;
    struct skep_expr *x = skep_new(t->a, struct skep_expr);
    *x = *e;
    struct skep_expr **kids = skep_new_n(t->a, struct skep_expr *, e->n_kids + 1);
    x->kids = kids;
    for (unsigned i = 0; i < e->n_kids; i++)
        kids[i] = twin_expr(t, e->kids[i]);
    if (e->op == SKEP_EXPR_TEST)
        x->test.field.name = computed_name(t, e->test.field.name);
    return x;
}

static struct skep_field_ref twin_field(struct twin *t, const struct skep_field_ref *f)
{
    struct skep_field_ref x = *f;
    const struct skep_expr **cases = skep_new_n(t->a, const struct skep_expr *, f->n_cases + 1);
    for (unsigned i = 0; i < f->n_cases; i++)
        cases[i] = twin_expr(t, f->cases[i]);
    x.cases = cases;
    x.on = twin_expr(t, f->on);
    if (f->n_cases == 0)
        x.name = computed_name(t, f->name);
    return x;
}

static struct skep_plan twin_plan(struct twin *t, const struct skep_plan *p)
{
    struct skep_plan q = *p;
    struct skep_field_ref *groups = skep_new_n(t->a, struct skep_field_ref, p->n_groups + 1);
    struct skep_agg *aggs = skep_new_n(t->a, struct skep_agg, p->n_aggs);
    q.filter = twin_expr(t, p->filter);
    for (unsigned i = 0; i < p->n_groups; i++)
        groups[i] = twin_field(t, &p->groups[i]);
    const struct skep_expr *last = NULL, *mine = NULL;
    for (unsigned i = 0; i < p->n_aggs; i++) {
        aggs[i] = p->aggs[i];
        aggs[i].field = twin_field(t, &p->aggs[i].field);
        if (p->aggs[i].filter != last)
            mine = twin_expr(t, last = p->aggs[i].filter);
        aggs[i].filter = mine;
    }
    q.groups = groups;
    q.aggs = aggs;
    q.computed = t->computed;
    q.n_computed = t->n;
    return q;
}

/* Fields that are computed as they are answer as they are: in filters, groups, aggregates, of
 * relatives, by code and by row, from parts and segments, with partials that are kept. */
static void computed_fields(void **state)
{
    (void)state;
    struct skep_pool *pool = skep_pool_new("test", 2);
    unsigned n_computed = 0;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct rnd r = {seed * 777};
        struct ref_world w;
        ref_world_make(&w, &r, seed == 3 ? 1500 : 200, pool);
        for (unsigned i = 0; i < skep_tries(seed == 3 ? 15 : 40); i++) {
            struct skep_arena a;
            char what[64];
            skep_arena_init(&a, "plan", NULL);
            struct twin t = {.a = &a, .r = &r};
            const struct skep_plan *p = ref_plan(&r, &a);
            struct skep_plan q = twin_plan(&t, p);
            n_computed += t.n;
            snprintf(what, sizeof what, "seed %llu plan %u", (unsigned long long)seed, i);
            char *want = answer(&w.stores[0], p, NULL, what);
            for (unsigned s = 0; s < REF_STORES; s++)
                same(want, answer(&w.stores[s], &q, NULL, what), what, "computed");
            skep_free(want);
            skep_arena_done(&a);
        }
        ref_world_done(&w);
    }
    assert_true(n_computed > skep_tries(200));
    skep_pool_free(pool);
}

enum { TICK_NS = 1000000000, STEADY_ROWS = 1280, STEADY_GROUP = 20, STEADY_PIECES = 4 };

/* A row a tick in one segment of 64 row groups, which are four pieces; `odd` ticks, if it is not 0,
 * lies one in the middle from where it should be. */
static struct skep_rowset *steady_segment(int64_t odd, uint64_t seq, struct skep_cache *cache)
{
    struct skep_batch *b = skep_batch_new(NULL, REF_T0);
    for (uint32_t i = 0; i < STEADY_ROWS; i++) {
        int64_t t = REF_T0 + (int64_t)i * TICK_NS;
        uint64_t id = i == STEADY_ROWS / 2 + 1 ? i : i + 1; /* with the odd one, beside it */
        uint32_t row = skep_batch_row(b, SKEP_KIND_SPAN, t, SKEP_SOURCE_OTLP);
        b->time_ns[row] += i == STEADY_ROWS / 2 ? odd * TICK_NS : 0;
        b->span_id[row] = i + 1;
        memcpy(b->trace_id[row].b + 8, &id, 8);
    }
    struct skep_rowset *part = ref_part(b, seq);
    struct skep_segment_source src = {part, NULL};
    struct skep_rowset *rs = ref_segment("/tmp", cache, &src, 1, SKEP_LAYOUT_SPANS, STEADY_GROUP);
    skep_rowset_unref(part);
    skep_batch_free(b);
    return rs;
}

/* n such segments. */
static struct ref_store steady_ones(unsigned n, int64_t odd, struct skep_cache *cache)
{
    struct skep_rowset *sets[2];
    struct ref_store s;
    assert_true(n <= 2);
    for (unsigned i = 0; i < n; i++)
        sets[i] = steady_segment(odd, i + 1, cache);
    ref_store_init(&s, ref_snapshot(sets, NULL, n), NULL);
    return s;
}

static struct ref_store steady(int64_t odd, struct skep_cache *cache)
{
    return steady_ones(1, odd, cache);
}

/* Asks without and with what is kept; how many pieces were found. */
static uint64_t ask_steady(struct ref_store *s, const struct skep_plan *p,
                           struct skep_partials *partials)
{
    struct skep_partials_stats before, after;
    skep_partials_stats(partials, &before);
    s->partials = NULL;
    char *want = answer(s, p, NULL, "alone");
    s->partials = partials;
    same(want, answer(s, p, NULL, "kept"), "a steady stream", "kept");
    skep_free(want);
    skep_partials_stats(partials, &after);
    return after.hits - before.hits;
}

/* A range that begins inside a segment, and moves: all pieces but the one in which it begins are
 * found again, and that one, too, until a row group is left behind. */
static void kept_partials_of_a_segment_that_is_cut(void **state)
{
    (void)state;
    struct skep_cache *cache = skep_cache_new(NULL, 1 << 20);
    struct ref_store s = steady(0, cache);
    struct skep_partials *partials = skep_partials_new(NULL, 1 << 20);
    struct skep_agg count = {.op = SKEP_AGG_COUNT};
    struct skep_plan p = {.kind = SKEP_PLAN_AGGREGATE,
                          .granularity_ns = INT64_C(30) * TICK_NS,
                          .aggs = &count,
                          .n_aggs = 1};
    assert_int_equal(s.snap->sets[0].rowset->row_end / SKEP_ROW_GROUP_ROWS + 1, 64);
    for (int64_t tick = 5, was = 0; tick < STEADY_ROWS; tick += 7) {
        p.range = (struct skep_time_range){REF_T0 + tick * TICK_NS,
                                           REF_T0 + (tick + 2 * (int64_t)STEADY_ROWS) * TICK_NS};
        int64_t first = (tick + STEADY_GROUP - 1) / STEADY_GROUP; /* row group wholly inside */
        bool another = first != was && first % 16 != 0;
        uint64_t hits = ask_steady(&s, &p, partials);
        assert_int_equal(hits, tick == 5 ? 0 : STEADY_PIECES - first / 16 - another);
        was = first;
    }
    skep_partials_free(partials);
    skep_snapshot_unref(s.snap);
    skep_cache_free(cache);
}

/* Partials that are too large together are not made a second time for each piece: of one segment
 * that the range cuts, of two that lie wholly inside. */
static void too_large_together(unsigned n_sets, int64_t from)
{
    struct skep_cache *cache = skep_cache_new(NULL, 1 << 20);
    struct ref_store s = steady_ones(n_sets, 0, cache);
    struct skep_partials *partials = skep_partials_new(NULL, 8 * 20000);
    struct skep_partials_stats stats;
    struct skep_agg distinct = {.op = SKEP_AGG_COUNT_DISTINCT,
                                .field = {.name = SKEP_STR("trace.trace_id")}};
    struct skep_field_ref group = distinct.field;
    struct skep_plan p = {.kind = SKEP_PLAN_AGGREGATE,
                          .range = {from, REF_T0 + INT64_C(2) * STEADY_ROWS * TICK_NS},
                          .groups = &group,
                          .n_groups = 1,
                          .aggs = &distinct,
                          .n_aggs = 1,
                          .limit = 10};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask_steady(&s, &p, partials), i > 0);
        skep_partials_stats(partials, &stats);
        assert_int_equal(stats.entries, 1);
        assert_true(stats.bytes < 1000);
    }
    skep_partials_free(partials);
    skep_snapshot_unref(s.snap);
    skep_cache_free(cache);
}

static void kept_partials_that_are_too_large(void **state)
{
    (void)state;
    too_large_together(1, REF_T0 + 1);
    too_large_together(2, REF_T0);
}

/* One row of another time costs its row group, not the segment. */
static void kept_partials_beside_an_odd_row(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct skep_cache *cache = skep_cache_new(NULL, 1 << 20);
        struct ref_store s = steady(way ? -100000 : 100000, cache);
        struct skep_partials *partials = skep_partials_new(NULL, 1 << 20);
        struct skep_agg count = {.op = SKEP_AGG_COUNT};
        struct skep_plan p = {.kind = SKEP_PLAN_AGGREGATE,
                              .range = {REF_T0, REF_T0 + INT64_C(2) * STEADY_ROWS * TICK_NS},
                              .granularity_ns = INT64_C(30) * TICK_NS,
                              .aggs = &count,
                              .n_aggs = 1};
        assert_int_equal(ask_steady(&s, &p, partials), 0);
        assert_int_equal(ask_steady(&s, &p, partials), STEADY_PIECES);
        p.range.end_ns += INT64_C(10) * TICK_NS;
        assert_int_equal(ask_steady(&s, &p, partials), STEADY_PIECES);
        skep_partials_free(partials);
        skep_snapshot_unref(s.snap);
        skep_cache_free(cache);
    }
}

/* A row that dies costs the piece it is in; of questions about relatives, all of the segment's.  Of
 * a segment that lies wholly inside there is one piece. */
static void kept_partials_beside_a_dead_row(void **state)
{
    (void)state;
    struct skep_cache *cache = skep_cache_new(NULL, 1 << 20);
    struct ref_store s = steady(0, cache);
    struct skep_partials *partials = skep_partials_new(NULL, 1 << 20);
    struct skep_expr every = {.op = SKEP_EXPR_TRUE};
    struct skep_expr *kids[] = {&every};
    struct skep_expr rooted = {
        .op = SKEP_EXPR_RELATED, .relation = SKEP_REL_ROOT, .kids = kids, .n_kids = 1};
    struct skep_agg count = {.op = SKEP_AGG_COUNT};
    struct skep_plan p = {.kind = SKEP_PLAN_AGGREGATE,
                          .range = {REF_T0, REF_T0 + INT64_C(2) * STEADY_ROWS * TICK_NS},
                          .aggs = &count,
                          .n_aggs = 1};
    assert_int_equal(ask_steady(&s, &p, partials), 0);
    assert_int_equal(ask_steady(&s, &p, partials), 1);
    p.range.start_ns++; /* without its first row */
    struct skep_plan related = p;
    related.filter = &rooted;
    assert_int_equal(ask_steady(&s, &p, partials), 0);
    assert_int_equal(ask_steady(&s, &related, partials), 0);
    assert_int_equal(ask_steady(&s, &related, partials), STEADY_PIECES);
    struct skep_rowset *rs = skep_rowset_ref(s.snap->sets[0].rowset);
    struct skep_mask m;
    uint64_t killed = 0;
    skep_mask_init(&m, rs);
    skep_mask_add(&m, SKEP_ROW_GROUP_ROWS + 3);
    struct skep_live *live = skep_live_kill(NULL, &m, SKEP_DEATH_DELETED, &killed);
    skep_mask_done(&m);
    skep_snapshot_unref(s.snap);
    s.snap = ref_snapshot(&rs, &live, 1);
    assert_int_equal(ask_steady(&s, &p, partials), STEADY_PIECES - 1);
    assert_int_equal(ask_steady(&s, &p, partials), STEADY_PIECES);
    assert_int_equal(ask_steady(&s, &related, partials), 0);
    assert_int_equal(ask_steady(&s, &related, partials), STEADY_PIECES);
    skep_partials_free(partials);
    skep_snapshot_unref(s.snap);
    skep_cache_free(cache);
}

/* A span that comes late makes a trace stand in two sets: its rows are no longer among those whose
 * partial is kept, wherever in the segment they lie. */
static void kept_partials_beside_a_late_span(void **state)
{
    (void)state;
    enum { LATE_GROUP = 37 };
    for (int cut = 0; cut < 2; cut++) {
        struct skep_cache *cache = skep_cache_new(NULL, 1 << 20);
        struct ref_store s = steady(0, cache);
        struct skep_partials *partials = skep_partials_new(NULL, 1 << 20);
        struct skep_expr every = {.op = SKEP_EXPR_TRUE};
        struct skep_expr *kids[] = {&every};
        struct skep_expr rooted = {
            .op = SKEP_EXPR_RELATED, .relation = SKEP_REL_ROOT, .kids = kids, .n_kids = 1};
        struct skep_agg count = {.op = SKEP_AGG_COUNT};
        struct skep_plan p = {.kind = SKEP_PLAN_AGGREGATE,
                              .range = {REF_T0 + cut, REF_T0 + INT64_C(2) * STEADY_ROWS * TICK_NS},
                              .filter = &rooted,
                              .aggs = &count,
                              .n_aggs = 1};
        assert_int_equal(ask_steady(&s, &p, partials), 0);
        assert_int_equal(ask_steady(&s, &p, partials), cut ? STEADY_PIECES : 1);
        uint64_t id = LATE_GROUP * STEADY_GROUP + 4;
        struct skep_batch *b = skep_batch_new(NULL, REF_T0);
        uint32_t row = skep_batch_row(b, SKEP_KIND_SPAN, REF_T0 + TICK_NS, SKEP_SOURCE_OTLP);
        b->span_id[row] = 2 * STEADY_ROWS;
        b->parent_id[row] = id;
        memcpy(b->trace_id[row].b + 8, &id, 8);
        struct skep_rowset *sets[] = {skep_rowset_ref(s.snap->sets[0].rowset), ref_part(b, 2)};
        skep_snapshot_unref(s.snap);
        s.snap = ref_snapshot(sets, NULL, 2);
        assert_int_equal(ask_steady(&s, &p, partials), cut ? STEADY_PIECES - 1 : 0);
        assert_int_equal(ask_steady(&s, &p, partials), cut ? STEADY_PIECES : 1);
        skep_batch_free(b);
        skep_partials_free(partials);
        skep_snapshot_unref(s.snap);
        skep_cache_free(cache);
    }
}

/* More values than are computed once each: the others row by row, the same answer. */
static void computed_of_many_integers(void **state)
{
    (void)state;
    enum { ROWS = 5000, VALUES = 1700 };
    struct skep_batch *b = skep_batch_new(NULL, REF_T0);
    for (uint32_t i = 0; i < ROWS; i++) {
        (void)skep_batch_row(b, SKEP_KIND_SPAN, REF_T0 + i, SKEP_SOURCE_OTLP);
        if (i % 10 > 0)
            skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("n"),
                           (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)(i * 7 % VALUES)});
    }
    struct skep_arena a;
    struct rnd r = {1};
    skep_arena_init(&a, "plan", NULL);
    struct twin t = {.a = &a, .r = &r};
    struct skep_field_ref plain = {.name = SKEP_STR("n")}, group = plain;
    struct skep_agg aggs[] = {{.op = SKEP_AGG_COUNT}, {.op = SKEP_AGG_SUM, .field = plain}};
    struct skep_plan p = {.kind = SKEP_PLAN_AGGREGATE,
                          .range = {REF_T0, REF_T0 + ROWS},
                          .groups = &group,
                          .n_groups = 1,
                          .aggs = aggs,
                          .n_aggs = 2,
                          .limit = 10000};
    struct ref_store s;
    struct skep_rowset *set = ref_part(b, 1);
    ref_store_init(&s, ref_snapshot(&set, NULL, 1), NULL);
    char *want = answer(&s, &p, NULL, "stored");
    for (int i = 0; i < 6; i++) { /* the ways are chosen by chance */
        t.n = 0;
        struct skep_plan q = twin_plan(&t, &p);
        same(want, answer(&s, &q, NULL, "computed"), "many integers", "computed");
    }
    skep_free(want);
    skep_snapshot_unref(s.snap);
    skep_batch_free(b);
    skep_arena_done(&a);
}

/* --- a column at a time --- */

static struct skep_calc *call(struct skep_arena *a, const char *fn, unsigned n,
                              struct skep_calc *const *args)
{
    struct skep_calc **kept = skep_new_n(a, struct skep_calc *, n), *e = NULL;
    unsigned wrong;
    skep_err err;
    memcpy(kept, args, n * sizeof *args);
    assert_int_equal(
        skep_calc_call(a, skep_calc_find_derived(skep_str_c(fn)), kept, n, &e, &wrong, &err),
        SKEP_OK);
    return e;
}
#define CALL(fn, ...)                                                                              \
    call(a, fn, sizeof((struct skep_calc *[]){__VA_ARGS__}) / sizeof(struct skep_calc *),          \
         (struct skep_calc *[]){__VA_ARGS__})
#define NUMBER(n) skep_calc_const(a, (skep_value){.type = SKEP_TYPE_INT, .i = (n)})
#define TEXT(t)   skep_calc_const(a, (skep_value){.type = SKEP_TYPE_STRING, .s = SKEP_STR(t)})

static struct skep_calc *of_numbers(struct skep_arena *a, unsigned which)
{
    struct skep_calc *x = skep_calc_field(a, 0, false), *y = skep_calc_field(a, 1, false);
    switch (which) {
    case 0: return CALL("BUCKET", x, NUMBER(5), NUMBER(-20), NUMBER(300));
    case 1:
        return CALL("IF", CALL("GTE", y, NUMBER(40)), TEXT("large"), CALL("LT", x, y),
                    TEXT("short"), CALL("EXISTS", y), TEXT("there"));
    case 2: return CALL("IF", CALL("EXISTS", y), CALL("DIV", x, y));
    case 3: return CALL("SUM", y, NUMBER(3));
    case 4: return CALL("AND", y, CALL("GT", x, NUMBER(10)));
    case 5: return CALL("MUL", y, CALL("FLOAT", x), y);
    case 6: return CALL("INT", CALL("DIV", x, NUMBER(7)));
    default: return CALL("EXISTS", x);
    }
}

/* Spans with a sparse integer, a double that most have, a bool, a text. */
static struct skep_batch *spans_of_numbers(uint32_t n)
{
    struct skep_batch *b = skep_batch_new(NULL, REF_T0);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row = skep_batch_row(b, SKEP_KIND_SPAN, REF_T0 + i, SKEP_SOURCE_OTLP);
        b->duration_ns[row] = i % 17 ? (int64_t)(i * 7919ull % 400000000) : -1;
        if (i % 3 == 0)
            skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("n"),
                           (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)(i * 7 % 100)});
        if (i % 11 > 0)
            skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("d"),
                           (skep_value){.type = SKEP_TYPE_DOUBLE, .f = (i * 31 % 1000) / 8.0});
        if (i % 2 == 0)
            skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("b"),
                           (skep_value){.type = SKEP_TYPE_BOOL, .b = i % 4 == 0});
        if (i % 5 == 0)
            skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("t"),
                           (skep_value){.type = SKEP_TYPE_STRING, .s = SKEP_STR("true")});
    }
    return b;
}

/* By x, aggregates of x; with a filter on it that leaves most, few or no rows of a block whole. */
static struct skep_plan about(struct skep_arena *a, const struct skep_computed *x, unsigned how)
{
    struct skep_field_ref *field = skep_new(a, struct skep_field_ref);
    struct skep_agg *aggs = skep_new_n(a, struct skep_agg, 4);
    field->name = x->name;
    aggs[0].op = SKEP_AGG_COUNT;
    aggs[1] = (struct skep_agg){.op = SKEP_AGG_SUM, .field = *field};
    aggs[2] = (struct skep_agg){.op = SKEP_AGG_COUNT_DISTINCT, .field = *field};
    aggs[3] = (struct skep_agg){.op = SKEP_AGG_COUNT, .field = *field};
    struct skep_plan p = {.kind = SKEP_PLAN_AGGREGATE,
                          .range = {REF_T0, REF_T0 + 1000000},
                          .computed = x,
                          .n_computed = 1,
                          .groups = field,
                          .n_groups = how % 2,
                          .aggs = aggs,
                          .n_aggs = how % 2 ? 1 + how % 4 : 4,
                          .limit = 10000};
    if (how < 2)
        return p;
    struct skep_expr *e = skep_new(a, struct skep_expr);
    skep_value *value = skep_new(a, skep_value);
    *value = (skep_value){.type = SKEP_TYPE_INT, .i = how < 4 ? 4 : 97};
    e->op = SKEP_EXPR_TEST;
    e->test = (struct skep_test){
        .field = {.name = SKEP_STR("n")}, .op = SKEP_CMP_GT, .values = value, .n_values = 1};
    if (how >= 6)
        e->test = (struct skep_test){.field = *field, .op = SKEP_CMP_NOT_EXISTS};
    p.filter = e;
    return p;
}

/* A column at a time and, in a function that has no such way, row by row: the same answers. */
static void computed_by_column(void **state)
{
    (void)state;
    enum { EXPRESSIONS = 8, WAYS = 8, ROWS = 5000 };
    static const char *const inputs[][2] = {{"duration_ms", "n"}, {"d", "n"}, {"n", "d"},
                                            {"n", "b"},           {"t", "n"}, {"absent", "d"}};
    struct skep_batch *b = spans_of_numbers(ROWS);
    struct skep_rowset *set = ref_part(b, 1);
    struct ref_store s;
    ref_store_init(&s, ref_snapshot(&set, NULL, 1), NULL);
    for (unsigned i = 0; i < EXPRESSIONS * WAYS * SKEP_ARRAY_LEN(inputs); i++) {
        struct skep_arena a;
        char what[64];
        const char *const *in = inputs[i / WAYS / EXPRESSIONS];
        const struct skep_computed_input fields[] = {{.name = skep_str_c(in[0])},
                                                     {.name = skep_str_c(in[1])}};
        skep_arena_init(&a, "plan", NULL);
        struct skep_calc *column = of_numbers(&a, i / WAYS % EXPRESSIONS);
        struct skep_computed x = {.name = SKEP_STR("x"),
                                  .text = SKEP_STR("by column"),
                                  .calc = column,
                                  .inputs = fields,
                                  .n_inputs = 2},
                             y = x;
        y.calc = call(&a, "COALESCE", 1, &column);
        y.text = SKEP_STR("by row");
        struct skep_plan of_x = about(&a, &x, i % WAYS), of_y = about(&a, &y, i % WAYS);
        snprintf(what, sizeof what, "of %s and %s, %u", in[0], in[1], i);
        char *want = answer(&s, &of_y, NULL, what);
        same(want, answer(&s, &of_x, NULL, what), what, "by column");
        skep_free(want);
        skep_arena_done(&a);
    }
    skep_snapshot_unref(s.snap);
    skep_batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_data),
        cmocka_unit_test(several_blocks),
        cmocka_unit_test(relations_one_by_one),
        cmocka_unit_test(computed_fields),
        cmocka_unit_test(computed_of_many_integers),
        cmocka_unit_test(computed_by_column),
        cmocka_unit_test(kept_partials_follow_deletes),
        cmocka_unit_test(kept_partials_follow_the_window),
        cmocka_unit_test(kept_partials_of_a_segment_that_is_cut),
        cmocka_unit_test(kept_partials_that_are_too_large),
        cmocka_unit_test(kept_partials_beside_an_odd_row),
        cmocka_unit_test(kept_partials_beside_a_dead_row),
        cmocka_unit_test(kept_partials_beside_a_late_span),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

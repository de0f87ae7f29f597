// SPDX-License-Identifier: Apache-2.0
/* FACETS against one AGGREGATE a field and side, over every layout of the same rows. */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agg/differ.h"
#include "base/buf.h"
#include "base/mem.h"
#include "os/thread.h"
#include "support/instrumented.h"
#include "support/refquery.h"
#include "support/rowdump.h"

static void put_value(struct skep_buf *b, const skep_value *v)
{
    skep_buf_printf(b, "%d:", (int)v->type);
    if (v->type == SKEP_TYPE_STRING || v->type == SKEP_TYPE_BYTES || v->type == SKEP_TYPE_ARRAY)
        skep_buf_str(b, v->s);
    else if (v->type == SKEP_TYPE_INT || v->type == SKEP_TYPE_DOUBLE)
        skep_buf_printf(b, "%llx", (unsigned long long)v->i);
    else if (v->type == SKEP_TYPE_BOOL)
        skep_buf_printf(b, "%d", v->b);
}

static char *dump(const struct skep_facets *f)
{
    struct skep_buf b;
    size_t n;
    skep_buf_init(&b, 1u << 30);
    skep_buf_printf(&b, "%llu %llu %d\n", (unsigned long long)f->selected,
                    (unsigned long long)f->rest, f->estimated);
    for (size_t i = 0; i < f->n; i++) {
        const struct skep_facet *x = &f->facets[i];
        skep_buf_str(&b, x->name);
        skep_buf_printf(&b, " %d %a %a %a %a %d %llu %d\n", (int)x->kind, x->difference, x->effect,
                        x->p, x->q, x->significant, (unsigned long long)x->n_values, x->too_many);
        for (size_t k = 0; k < x->n_bins; k++)
            skep_buf_printf(&b, "[%a %a) %llu %llu\n", x->edges[k], x->edges[k + 1],
                            (unsigned long long)x->bins[k].selected,
                            (unsigned long long)x->bins[k].rest);
        for (size_t k = 0; k < x->n; k++) {
            put_value(&b, &x->values[k].value);
            skep_buf_printf(&b, " %llu %llu\n", (unsigned long long)x->values[k].selected,
                            (unsigned long long)x->values[k].rest);
        }
    }
    skep_buf_u8(&b, 0);
    return (char *)skep_buf_take(&b, &n);
}

static bool same_value(const skep_value *a, const skep_value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY: return skep_str_eq(a->s, b->s);
    case SKEP_TYPE_INT:
    case SKEP_TYPE_DOUBLE: return a->i == b->i; /* the bits */
    case SKEP_TYPE_BOOL: return a->b == b->b;
    default: return true;
    }
}

/* Every value of the field has the counts that two aggregates find. */
static void check_field(struct ref_store *s, const struct skep_plan *plan,
                        const struct skep_facet *x, const char *what)
{
    struct skep_arena a;
    struct skep_result *r = NULL;
    skep_err err;
    skep_arena_init(&a, "aggregate", NULL);
    struct skep_run_opts opts = {.arena = &a};
    struct skep_field_ref group = {.name = x->name};
    struct skep_agg aggs[2] = {{.op = SKEP_AGG_COUNT},
                               {.op = SKEP_AGG_COUNT, .filter = plan->selection}};
    struct skep_plan p = *plan;
    p.kind = SKEP_PLAN_AGGREGATE;
    p.groups = &group;
    p.n_groups = 1;
    p.aggs = aggs;
    p.n_aggs = 2;
    p.limit = SKEP_LIMIT_PLAN_RESULT_GROUPS;
    if (skep_query_aggregate(&s->base, &p, &opts, &r, &err) != SKEP_OK)
        fail_msg("%s: %s", what, err.text);
    size_t found = 0;
    for (size_t g = 0; g < r->n_groups; g++) {
        for (size_t k = 0; k < x->n; k++) {
            if (!same_value(&r->groups[g].key[0], &x->values[k].value))
                continue;
            found++;
            uint64_t selected = (uint64_t)r->groups[g].values[1].i;
            assert_int_equal(x->values[k].selected, selected);
            assert_int_equal(x->values[k].rest, (uint64_t)r->groups[g].values[0].i - selected);
        }
    }
    if (found != r->n_groups || found != x->n)
        fail_msg("%s: field %.*s: %zu values, %zu groups, %zu of both", what, (int)x->name.n,
                 x->name.p, x->n, r->n_groups, found);
    skep_arena_done(&a);
}

static char *answer(struct ref_store *s, const struct skep_plan *plan, bool check, const char *what)
{
    struct skep_arena a;
    struct skep_budget budget;
    struct skep_answer r;
    skep_err err;
    skep_arena_init(&a, "facets", NULL);
    skep_budget_init(&budget, "query", UINT64_C(1) << 30, NULL);
    struct skep_run_opts opts = {.arena = &a, .budget = &budget};
    if (skep_query_run(&s->base, plan, &opts, &r, &err) != SKEP_OK)
        fail_msg("%s: %s", what, err.text);
    assert_int_equal(r.facets.n, plan->n_groups);
    for (size_t f = 0; check && f < r.facets.n; f++)
        check_field(s, plan, &r.facets.facets[f], what);
    for (size_t f = 1; f < r.facets.n; f++) {
        const struct skep_facet *x = &r.facets.facets[f - 1], *y = &r.facets.facets[f];
        assert_true(x->significant || !y->significant);
        assert_true(x->significant != y->significant || x->effect >= y->effect);
    }
    for (size_t f = 0; f < r.facets.n; f++) {
        const struct skep_facet *x = &r.facets.facets[f];
        assert_true(x->difference >= 0 && x->difference <= 1);
        assert_true(x->effect >= 0 && x->effect <= x->difference);
        assert_true(x->p >= 0 && x->p <= x->q && x->q <= 1);
    }
    char *text = dump(&r.facets);
    assert_int_equal(skep_budget_used(&budget), 0);
    skep_arena_done(&a);
    return text;
}

static bool has_relation(const struct skep_expr *e)
{
    bool any =
        e && (e->op == SKEP_EXPR_RELATED || e->op == SKEP_EXPR_SAME || e->op == SKEP_EXPR_LASTS ||
              (e->op == SKEP_EXPR_TEST && e->test.field.relation != SKEP_REL_SELF));
    for (unsigned i = 0; e && !any && i < e->n_kids; i++)
        any = has_relation(e->kids[i]);
    return any;
}

static void run_plans(uint64_t seed, uint32_t rows, unsigned plans)
{
    static const char *const names[] = {
        "service.name", "route",     "mixed",          "status_code", "error",       "name",
        "span.kind",    "dataset",   "is_root",        "num",         "severity",    "absent",
        "library.name", "meta.kind", "trace.trace_id", "user",        "duration_ms", "body"};
    struct rnd r = {seed};
    struct skep_pool *pool = skep_pool_new("test", 3);
    struct ref_world w;
    ref_world_make(&w, &r, rows, pool);
    for (unsigned i = 0; i < plans; i++) {
        struct skep_arena arena;
        struct skep_field_ref groups[SKEP_ARRAY_LEN(names)] = {{.name = {0}}};
        char what[64];
        skep_arena_init(&arena, "plan", NULL);
        struct skep_plan p = *ref_plan(&r, &arena);
        const struct skep_expr *selection = p.filter;
        snprintf(what, sizeof what, "seed %llu plan %u", (unsigned long long)seed, i);
        p.filter = rnd_below(&r, 3) ? NULL : ref_plan(&r, &arena)->filter;
        if (selection && !has_relation(selection) && !has_relation(p.filter)) {
            for (size_t g = 0; g < SKEP_ARRAY_LEN(names); g++)
                groups[g].name = skep_str_c(names[g]);
            p.kind = SKEP_PLAN_FACETS;
            p.selection = selection;
            p.groups = groups;
            p.n_groups = SKEP_ARRAY_LEN(names);
            p.granularity_ns = 0;
            p.limit = SKEP_LIMIT_PLAN_RESULT_GROUPS;
            char *first = answer(&w.stores[0], &p, true, what);
            for (unsigned s = 1; s < REF_STORES; s++) {
                char *other = answer(&w.stores[s], &p, false, what);
                if (strcmp(first, other) != 0)
                    fail_msg("%s: store %u answers differently:\n%.2000s\n---\n%.2000s", what, s,
                             first, other);
                skep_free(other);
            }
            skep_free(first);
        }
        skep_arena_done(&arena);
    }
    ref_world_done(&w);
    skep_pool_free(pool);
}

static void every_layout(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++)
        run_plans(seed, 60, skep_tries(30));
    run_plans(31, 1500, skep_tries(12));
}

/* A field of too many values is named, the others are answered; memory stays bounded. */
static void too_many_values(void **state)
{
    (void)state;
    enum { ROWS = 200000 };
    struct skep_batch *b = skep_batch_new(NULL, REF_T0);
    for (uint32_t i = 0; i < ROWS; i++) {
        uint32_t row = skep_batch_row(b, SKEP_KIND_SPAN, REF_T0 + i, SKEP_SOURCE_OTLP);
        b->duration_ns[row] = i % 2 ? 1000000 : 2000000;
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("id"),
                       (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)i * 7});
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("few"),
                       (skep_value){.type = SKEP_TYPE_INT, .i = i % 10});
    }
    struct skep_rowset *part = ref_part(b, 1);
    struct skep_pool *pool = skep_pool_new("test", 3);
    struct skep_value one = {.type = SKEP_TYPE_INT, .i = 1};
    const struct skep_expr slow = {.op = SKEP_EXPR_TEST,
                                   .test = {.field = {.name = SKEP_STR("duration_ms")},
                                            .op = SKEP_CMP_GT,
                                            .values = &one,
                                            .n_values = 1}};
    struct skep_field_ref groups[2] = {{.name = SKEP_STR("few")}, {.name = SKEP_STR("id")}};
    struct skep_plan p = {.kind = SKEP_PLAN_FACETS,
                          .range = {REF_T0, REF_T0 + ROWS},
                          .selection = &slow,
                          .groups = groups,
                          .n_groups = 2,
                          .limit = 3};
    for (int threads = 0; threads < 2; threads++) {
        struct ref_store s;
        struct skep_arena a;
        struct skep_answer r;
        skep_err err;
        skep_arena_init(&a, "facets", NULL);
        struct skep_run_opts opts = {.arena = &a};
        struct skep_rowset *set = skep_rowset_ref(part);
        ref_store_init(&s, ref_snapshot(&set, NULL, 1), threads ? pool : NULL);
        assert_int_equal(skep_query_run(&s.base, &p, &opts, &r, &err), SKEP_OK);
        assert_int_equal(r.facets.selected, ROWS / 2);
        assert_true(!r.facets.facets[0].too_many && r.facets.facets[1].too_many);
        assert_true(skep_str_eq(r.facets.facets[1].name, SKEP_STR("id")));
        assert_int_equal(r.facets.facets[0].n_values, 10);
        assert_int_equal(r.facets.facets[0].n, 3);
        assert_true(r.facets.facets[0].difference == 1); /* even and odd have nothing in common */
        assert_true(r.facets.facets[0].significant && r.facets.facets[0].p < 1e-100);
        const struct skep_facet *id = &r.facets.facets[1]; /* numbers, of both alike */
        assert_int_equal(id->kind, SKEP_FACET_NUMBERS);
        assert_true(id->difference < 0.001 && !id->significant);
        assert_int_equal(id->n_bins, 30);
        uint64_t in_bins = 0;
        for (size_t k = 0; k < id->n_bins; k++)
            in_bins += id->bins[k].selected + id->bins[k].rest;
        assert_int_equal(in_bins, ROWS);
        skep_snapshot_unref(s.snap);
        skep_arena_done(&a);
    }
    skep_pool_free(pool);
    skep_rowset_unref(part);
    skep_batch_free(b);
}

/* Rows whose fields take every way there is: few and many texts, numbers close together and far
 * apart, what follows the name or the peer, what only some rows have. */
static struct skep_batch *mixture(struct rnd *r, uint32_t n, bool sampled)
{
    static const char *const spans[] = {"GET /a", "GET /b", "POST /a", "query", "publish"};
    struct skep_batch *b = skep_batch_new(NULL, REF_T0);
    for (uint32_t i = 0; i < n; i++) {
        char id[32], peer[32];
        unsigned span = rnd_below(r, SKEP_ARRAY_LEN(spans)), at = rnd_below(r, 5);
        skep_str of[] = {{id, (size_t)snprintf(id, sizeof id, "id-%u", rnd_below(r, 1 << 20))},
                         {peer, (size_t)snprintf(peer, sizeof peer, "peer-%u", at)}};
        uint32_t row = skep_batch_row(b, SKEP_KIND_SPAN, REF_T0 + i, SKEP_SOURCE_OTLP);
        b->duration_ns[row] = rnd_below(r, 40) ? 1000000 : 2000000;
        b->sample_rate[row] = sampled && rnd_below(r, 5) == 0 ? 7 : 1;
        b->name[row] = skep_batch_intern(b, skep_str_c(spans[span]));
#define PUT(n_, ...)                                                                               \
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR(n_), (skep_value){__VA_ARGS__})
        PUT("code", .type = SKEP_TYPE_INT, .i = -3 + (int64_t)rnd_below(r, 90));
        PUT("wide", .type = SKEP_TYPE_INT, .i = (int64_t)rnd_below(r, 3000) * 1000003);
        if (span < 3)
            PUT("verb", .type = SKEP_TYPE_STRING, .s = SKEP_STR("GET"));
        if (span != 2)
            PUT("peer", .type = SKEP_TYPE_STRING, .s = of[1]);
        if (span != 2)
            PUT("port", .type = SKEP_TYPE_INT, .i = 5432 + (int64_t)at * 11);
        if (span == 3)
            PUT("driver", .type = SKEP_TYPE_INT, .i = (int64_t)at / 2);
        if (rnd_below(r, 5))
            PUT("id", .type = SKEP_TYPE_STRING, .s = of[0]);
        if (rnd_below(r, 100) == 0)
            PUT("rare", .type = SKEP_TYPE_DOUBLE, .f = (double)rnd_below(r, 1000) / 8);
        if (rnd_below(r, 2))
            PUT("hit", .type = SKEP_TYPE_BOOL, .b = span % 2 == 0);
#undef PUT
    }
    return b;
}

/* Whole row groups of a segment are counted by code, by the codes of another column, by presence:
 * the answer is that of the part, which has none of these. */
static void same_in_segments(void **state)
{
    (void)state;
    enum { ROWS = 110000 };
    static const char *const names[] = {"code", "wide", "verb", "peer", "port",  "driver",
                                        "id",   "rare", "hit",  "name", "absent"};
    struct skep_value one = {.type = SKEP_TYPE_INT, .i = 1};
    const struct skep_expr slow = {.op = SKEP_EXPR_TEST,
                                   .test = {.field = {.name = SKEP_STR("duration_ms")},
                                            .op = SKEP_CMP_GT,
                                            .values = &one,
                                            .n_values = 1}};
    struct skep_field_ref groups[SKEP_ARRAY_LEN(names)] = {{.name = {0}}};
    for (size_t g = 0; g < SKEP_ARRAY_LEN(names); g++)
        groups[g].name = skep_str_c(names[g]);
    struct skep_plan p = {.kind = SKEP_PLAN_FACETS,
                          .range = {REF_T0, REF_T0 + ROWS},
                          .selection = &slow,
                          .groups = groups,
                          .n_groups = SKEP_ARRAY_LEN(names),
                          .limit = 100};
    char dir[] = "/tmp/skep-facets-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct skep_cache *cache = skep_cache_new(NULL, 64 << 20);
    struct skep_pool *pool = skep_pool_new("test", 1);
    for (int sampled = 0; sampled < 2; sampled++) {
        struct rnd r = {77 + (uint64_t)sampled};
        struct skep_batch *b = mixture(&r, ROWS, sampled);
        struct skep_rowset *part = ref_part(b, 1);
        struct skep_segment_source from = {part, NULL};
        struct skep_rowset *sets[] = {skep_rowset_ref(part),
                                      ref_segment(dir, cache, &from, 1, SKEP_LAYOUT_SPANS, 0)};
        char *want = NULL;
        for (unsigned i = 0; i < 2; i++) {
            struct ref_store s;
            ref_store_init(&s, ref_snapshot(&sets[i], NULL, 1), i ? pool : NULL);
            char *text = answer(&s, &p, false, i ? "segment" : "part");
            if (want && strcmp(want, text) != 0)
                fail_msg("the segment answers differently:\n%.3000s\n---\n%.3000s", want, text);
            if (i > 0)
                skep_free(text);
            else
                want = text;
            skep_snapshot_unref(s.snap);
        }
        assert_non_null(strstr(want, "\nid 2 ")); /* of too many values: presence */
        skep_free(want);
        skep_rowset_unref(part);
        skep_batch_free(b);
    }
    skep_pool_free(pool);
    skep_cache_free(cache);
    assert_int_equal(rmdir(dir), 0);
}

/* Where not all fields fit, the large ones are counted in further passes: the same answer. */
static void little_memory(void **state)
{
    (void)state;
    enum { ROWS = 90000, FIELDS = 8, VALUES = 30000 };
    static const char names[FIELDS][2] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    struct skep_batch *b = skep_batch_new(NULL, REF_T0);
    struct skep_field_ref groups[FIELDS];
    for (uint32_t i = 0; i < ROWS; i++) {
        uint32_t row = skep_batch_row(b, SKEP_KIND_SPAN, REF_T0 + i, SKEP_SOURCE_OTLP);
        b->duration_ns[row] = i % 3 ? 1000000 : 2000000;
        for (uint32_t f = 0; f < FIELDS; f++) {
            char text[32];
            int n = snprintf(text, sizeof text, "value-%u", i * (f + 1) % VALUES);
            skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, skep_str_c(names[f]),
                           (skep_value){.type = SKEP_TYPE_STRING, .s = {text, (size_t)n}});
        }
    }
    struct skep_rowset *part = ref_part(b, 1);
    struct skep_pool *pool = skep_pool_new("test", 1);
    struct skep_value one = {.type = SKEP_TYPE_INT, .i = 1};
    const struct skep_expr slow = {.op = SKEP_EXPR_TEST,
                                   .test = {.field = {.name = SKEP_STR("duration_ms")},
                                            .op = SKEP_CMP_GT,
                                            .values = &one,
                                            .n_values = 1}};
    for (unsigned f = 0; f < FIELDS; f++)
        groups[f] = (struct skep_field_ref){.name = skep_str_c(names[f])};
    struct skep_plan p = {.kind = SKEP_PLAN_FACETS,
                          .range = {REF_T0, REF_T0 + ROWS},
                          .selection = &slow,
                          .groups = groups,
                          .n_groups = FIELDS,
                          .limit = 10};
    static const unsigned mib[] = {200, 32, 20, 1};
    char *want = NULL;
    for (unsigned i = 0; i < 8; i++) {
        struct ref_store s;
        struct skep_arena a;
        struct skep_budget budget;
        struct skep_answer r;
        skep_err err;
        skep_arena_init(&a, "facets", NULL);
        skep_budget_init(&budget, "query", (uint64_t)mib[i / 2] << 20, NULL);
        struct skep_run_opts opts = {.arena = &a, .budget = &budget};
        struct skep_rowset *set = skep_rowset_ref(part);
        ref_store_init(&s, ref_snapshot(&set, NULL, 1), i % 2 ? pool : NULL);
        skep_rc rc = skep_query_run(&s.base, &p, &opts, &r, &err);
        if (rc != (mib[i / 2] == 1 ? SKEP_ENOMEM : SKEP_OK))
            fail_msg("%u MiB: %s", mib[i / 2], rc == SKEP_OK ? "answered" : err.text);
        char *text = rc == SKEP_OK ? dump(&r.facets) : NULL;
        if (text) {
            assert_int_equal(r.facets.n, FIELDS);
            assert_int_equal(r.facets.selected, ROWS / 3);
            assert_int_equal(r.rows_examined, ROWS);
            assert_true(!want || strcmp(want, text) == 0);
        }
        if (want)
            skep_free(text);
        else
            want = text;
        assert_int_equal(skep_budget_used(&budget), 0);
        skep_snapshot_unref(s.snap);
        skep_arena_done(&a);
    }
    skep_free(want);
    skep_pool_free(pool);
    skep_rowset_unref(part);
    skep_batch_free(b);
}

/* Rows of a service: 30 fields of several kinds that have nothing to do with being slow, and, where
 * there are causes, three that have. */
enum { NOISE = 30, MOST_FIELDS = NOISE + 3 };

static struct skep_batch *service(struct rnd *r, uint32_t n, unsigned slow_pct, bool causes,
                                  bool sampled)
{
    struct skep_batch *b = skep_batch_new(NULL, REF_T0);
    for (uint32_t i = 0; i < n; i++) {
        char text[32];
        bool slow = rnd_below(r, 100) < slow_pct;
        uint32_t row = skep_batch_row(b, SKEP_KIND_SPAN, REF_T0 + i, SKEP_SOURCE_OTLP);
        b->duration_ns[row] = slow ? 2000000 : 1000000;
        if (sampled)
            b->sample_rate[row] = rnd_below(r, 5) ? 20 : 1;
        for (unsigned f = 0; f < NOISE; f++) {
            skep_str name = skep_str_c(text);
            int k = snprintf(text, sizeof text, "noise%u", f);
            name.n = (size_t)k;
            skep_value v = {.type = SKEP_TYPE_INT, .i = (int64_t)rnd_below(r, 2 + 40 * (f % 7))};
            if (f % 3 == 1) /* a number of very many values */
                v = (skep_value){.type = SKEP_TYPE_DOUBLE, .f = (double)rnd_u64(r) / 1e15};
            if (f % 5 == 0 && rnd_below(r, 3) == 0)
                continue; /* absent of a third */
            skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, name, v);
        }
        if (!causes)
            continue;
        bool hit = slow && rnd_below(r, 10) < 7;
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("version"),
                       (skep_value){.type = SKEP_TYPE_STRING,
                                    .s = hit                ? SKEP_STR("1.9-bad")
                                         : rnd_below(r, 50) ? SKEP_STR("1.8")
                                                            : SKEP_STR("1.9-bad")});
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("bytes"),
                       (skep_value){.type = SKEP_TYPE_DOUBLE,
                                    .f = (1 + (double)(rnd_u64(r) % 1000003)) *
                                         (slow && rnd_below(r, 10) < 8 ? 7 : 1)});
        if (!(slow && rnd_below(r, 10) < 6) && rnd_below(r, 20))
            skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("cache"),
                           (skep_value){.type = SKEP_TYPE_STRING, .s = SKEP_STR("hit")});
    }
    return b;
}

/* How many fields are called different, and which; names[0 .. *ret_n). */
static void compare_slow(struct skep_batch *b, uint32_t n, bool causes, skep_str *names,
                         size_t *ret_n, struct skep_arena *a)
{
    static char text[NOISE][16];
    struct skep_field_ref groups[MOST_FIELDS] = {{.name = {0}}};
    struct skep_value one = {.type = SKEP_TYPE_INT, .i = 1};
    const struct skep_expr slow = {.op = SKEP_EXPR_TEST,
                                   .test = {.field = {.name = SKEP_STR("duration_ms")},
                                            .op = SKEP_CMP_GT,
                                            .values = &one,
                                            .n_values = 1}};
    for (unsigned f = 0; f < NOISE; f++) {
        snprintf(text[f], sizeof text[f], "noise%u", f);
        groups[f].name = skep_str_c(text[f]);
    }
    groups[NOISE].name = SKEP_STR("version");
    groups[NOISE + 1].name = SKEP_STR("bytes");
    groups[NOISE + 2].name = SKEP_STR("cache");
    struct skep_plan p = {.kind = SKEP_PLAN_FACETS,
                          .range = {REF_T0, REF_T0 + n},
                          .selection = &slow,
                          .groups = groups,
                          .n_groups = causes ? MOST_FIELDS : NOISE,
                          .limit = 5};
    struct ref_store s;
    struct skep_answer r;
    skep_err err;
    struct skep_run_opts opts = {.arena = a};
    struct skep_rowset *set = ref_part(b, 1);
    ref_store_init(&s, ref_snapshot(&set, NULL, 1), NULL);
    assert_int_equal(skep_query_run(&s.base, &p, &opts, &r, &err), SKEP_OK);
    *ret_n = 0;
    for (size_t f = 0; f < r.facets.n && r.facets.facets[f].significant; f++)
        names[(*ret_n)++] = r.facets.facets[f].name;
    skep_snapshot_unref(s.snap);
}

static bool among(skep_str name, const skep_str *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (skep_str_eq(name, names[i]))
            return true;
    return false;
}

/* A value, a shift of numbers, an absence: they come first, and nothing else comes. */
static void planted_causes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= skep_tries(10); seed++) {
        struct rnd r = {seed * 7919};
        struct skep_arena a;
        skep_str names[MOST_FIELDS];
        size_t n = 0;
        skep_arena_init(&a, "facets", NULL);
        struct skep_batch *b = service(&r, 4000, seed % 2 ? 4 : 40, true, seed % 3 == 0);
        compare_slow(b, 4000, true, names, &n, &a);
        if (n != 3 || !among(SKEP_STR("version"), names, 3) ||
            !among(SKEP_STR("bytes"), names, 3) || !among(SKEP_STR("cache"), names, 3))
            fail_msg("seed %d: %zu fields, first " SKEP_STRFMT, (int)seed, n,
                     SKEP_STRARG(n ? names[0] : SKEP_STR_NULL));
        skep_batch_free(b);
        skep_arena_done(&a);
    }
}

/* Where nothing has to do with the selection, nothing is found: 60 worlds of 30 fields. */
static void no_cause(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {60, 500, 3000};
    for (uint64_t seed = 1; seed <= skep_tries(60); seed++) {
        struct rnd r = {seed * 104729};
        struct skep_arena a;
        skep_str names[MOST_FIELDS];
        size_t n = 0;
        uint32_t rows = sizes[seed % 3];
        skep_arena_init(&a, "facets", NULL);
        struct skep_batch *b = service(&r, rows, seed % 2 ? 5 : 50, false, seed % 5 == 0);
        compare_slow(b, rows, false, names, &n, &a);
        if (n > 0)
            fail_msg("seed %d, %u rows: " SKEP_STRFMT " is no cause", (int)seed, rows,
                     SKEP_STRARG(names[0]));
        skep_batch_free(b);
        skep_arena_done(&a);
    }
}

/* Tests against tables: chi square, Kolmogorov, the adjustment. */
static void statistics(void **state)
{
    (void)state;
    struct skep_differ d;
    skep_differ_begin(&d, 100, 100, 100, 100);
    skep_differ_value(&d, 60, 40);
    skep_differ_value(&d, 40, 60);
    struct skep_difference x = skep_differ_values(&d);
    assert_true(fabs(x.difference - 0.2) < 1e-12);
    assert_true(fabs(x.p - 2 * 0.004677735) < 1e-6); /* chi square 8 of one degree, doubled */
    skep_differ_begin(&d, 100, 100, 1000, 1000);     /* each stands for ten: as ten rows */
    skep_differ_value(&d, 60, 40);
    skep_differ_value(&d, 40, 60);
    x = skep_differ_values(&d);
    assert_true(fabs(x.p - 2 * 0.371093) < 1e-5); /* 0.8 */
    assert_true(x.effect < 0.05);
    skep_differ_begin(&d, 100, 300, 100, 300);
    skep_differ_number(&d, 50, 0);
    skep_differ_number(&d, 50, 300);
    x = skep_differ_numbers(&d);
    assert_true(x.difference == 0.5 && fabs(x.p - 2 * exp(-37.5)) < 1e-20);
    const double p[] = {0.01, 0.04, 0.03, 0.5};
    double q[4];
    skep_differ_adjust(p, q, 4);
    assert_true(fabs(q[0] - 0.04) < 1e-12 && fabs(q[1] - 0.16 / 3) < 1e-12 &&
                fabs(q[2] - 0.16 / 3) < 1e-12 && q[3] == 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layout),     cmocka_unit_test(too_many_values),
        cmocka_unit_test(little_memory),    cmocka_unit_test(planted_causes),
        cmocka_unit_test(no_cause),         cmocka_unit_test(statistics),
        cmocka_unit_test(same_in_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

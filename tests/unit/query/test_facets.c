// SPDX-License-Identifier: Apache-2.0
/* FACETS against one AGGREGATE a field and side, over every layout of the same rows. */
#include <cmocka.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/thread.h"
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
        skep_buf_printf(&b, " %a %llu %d\n", x->difference, (unsigned long long)x->n_values,
                        x->too_many);
        for (size_t k = 0; k < x->n; k++) {
            put_value(&b, &x->values[k].value);
            skep_buf_printf(&b, " %llu %llu\n", (unsigned long long)x->values[k].selected,
                            (unsigned long long)x->values[k].rest);
        }
    }
    skep_buf_u8(&b, 0);
    return (char *)skep_buf_take(&b, &n);
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
            struct skep_buf one = {0}, other = {0};
            skep_buf_init(&one, 1 << 20);
            skep_buf_init(&other, 1 << 20);
            put_value(&one, &r->groups[g].key[0]);
            put_value(&other, &x->values[k].value);
            bool same = one.n == other.n && memcmp(one.p, other.p, one.n) == 0;
            skep_buf_done(&one);
            skep_buf_done(&other);
            if (!same)
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
    for (size_t f = 1; f < r.facets.n; f++)
        assert_true(r.facets.facets[f - 1].difference >= r.facets.facets[f].difference);
    for (size_t f = 0; f < r.facets.n; f++)
        assert_true(r.facets.facets[f].difference >= 0 && r.facets.facets[f].difference <= 1);
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
        run_plans(seed, 60, 30);
    run_plans(31, 1500, 12);
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
        skep_snapshot_unref(s.snap);
        skep_arena_done(&a);
    }
    skep_pool_free(pool);
    skep_rowset_unref(part);
    skep_batch_free(b);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layout),
        cmocka_unit_test(too_many_values),
        cmocka_unit_test(little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/* Random batches and plans for the reference query engine, a store over a snapshot, answers as
 * text. */
#include "support/refquery.h"

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/os.h"
#include "plan/match.h"
#include "store/column/exec.h"
#include "store/column/layout.h"
#include "store/column/live.h"
#include "support/rowdump.h"

#define STR(v) ((skep_value){.type = SKEP_TYPE_STRING, .s = (v)})
#define INT(v) ((skep_value){.type = SKEP_TYPE_INT, .i = (v)})
#define DBL(v) ((skep_value){.type = SKEP_TYPE_DOUBLE, .f = (v)})
#define BOO(v) ((skep_value){.type = SKEP_TYPE_BOOL, .b = (v)})

static const skep_str words[] = {
    SKEP_STR("shop"), SKEP_STR("Shop"),    SKEP_STR("cart"), SKEP_STR("/cart"),
    SKEP_STR(""),     SKEP_STR("a\"b\\c"), SKEP_STR("200"),  SKEP_STR("carts and shops")};

static const skep_str arrays[] = {SKEP_STR("[]"),
                                  SKEP_STR("[\"shop\",\"x\"]"),
                                  SKEP_STR("[1,2.5,-3]"),
                                  SKEP_STR("[true,null]"),
                                  SKEP_STR("[\"a\\\"b\\\\c\",[5]]"),
                                  SKEP_STR("[{\"k\":\"cart\"},200]"),
                                  SKEP_STR("[\"\\u00e9\\ud83d\\ude00\"]")};

static skep_str word(struct rnd *r)
{
    return words[rnd_below(r, SKEP_ARRAY_LEN(words))];
}

static double odd_double(struct rnd *r)
{
    static const double odd[] = {0.0,    -0.0,   1.5,   -2.25,  9007199254740993.0,
                                 5e-324, 1e-300, 1e200, -1e200, 9223372036854775808.0,
                                 200.0,  0.1,    0.2,   0.3,    1234.5678};
    uint32_t k = rnd_below(r, 40);
    if (k == 0)
        return NAN;
    if (k == 1)
        return rnd_below(r, 4) ? 1.0 : INFINITY;
    if (k < 2 + SKEP_ARRAY_LEN(odd))
        return odd[k - 2];
    return (double)(int64_t)rnd_below(r, 2000000) / 997.0 - 300.0;
}

static int64_t odd_int(struct rnd *r)
{
    static const int64_t odd[] = {
        0, -1, 200, INT64_MAX, INT64_MIN, 9007199254740993, 9007199254740992, -9007199254740993};
    uint32_t k = rnd_below(r, 24);
    return k < SKEP_ARRAY_LEN(odd) ? odd[k] : (int64_t)rnd_below(r, 1000) - 200;
}

/* One value of any type. */
static skep_value any_value(struct rnd *r)
{
    switch (rnd_below(r, 8)) {
    case 0: return STR(word(r));
    case 1: return INT(odd_int(r));
    case 2: return DBL(odd_double(r));
    case 3: return BOO(rnd_below(r, 2));
    case 4: return (skep_value){.type = SKEP_TYPE_BYTES, .s = word(r)};
    case 5:
        return (skep_value){.type = SKEP_TYPE_ARRAY,
                            .s = arrays[rnd_below(r, SKEP_ARRAY_LEN(arrays))]};
    case 6: return (skep_value){.type = SKEP_TYPE_EMPTY};
    default: return INT(rnd_below(r, 5));
    }
}

static uint32_t random_list(struct rnd *r, struct skep_batch *b, struct skep_batch_lists *into)
{
    struct skep_batch_list *l = skep_batch_list_begin(b);
    if (rnd_below(r, 4))
        skep_batch_list_put(l, SKEP_STR("service.name"), STR(word(r)));
    if (rnd_below(r, 2))
        skep_batch_list_put(l, SKEP_STR("mixed"), any_value(r));
    if (rnd_below(r, 2))
        skep_batch_list_put(l, SKEP_STR("library.name"), STR(word(r)));
    if (rnd_below(r, 3) == 0)
        skep_batch_list_put(l, SKEP_STR("num"),
                            rnd_below(r, 2) ? INT(odd_int(r)) : DBL(odd_double(r)));
    return skep_batch_list_end(l, into);
}

static void random_fields(struct rnd *r, struct skep_batch *b)
{
    char text[32];
    if (rnd_below(r, 4))
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("mixed"), any_value(r));
    if (rnd_below(r, 3))
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("num"),
                       rnd_below(r, 3) ? INT(odd_int(r)) : DBL(odd_double(r)));
    if (rnd_below(r, 8))
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("route"), STR(word(r)));
    int n = snprintf(text, sizeof text, "user-%u", rnd_below(r, 100000));
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("user"), STR(((skep_str){text, (size_t)n})));
    if (rnd_below(r, 16) == 0)
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("service.name"), STR(word(r)));
    if (rnd_below(r, 16) == 0)
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("duration_ms"), DBL(odd_double(r)));
    if (rnd_below(r, 16) == 0)
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("error"), any_value(r));
    if (rnd_below(r, 16) == 0)
        skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_STR("mixed"), STR(word(r)));
    if (rnd_below(r, 16) == 0)
        skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_STR("body"), STR(word(r)));
}

/* An id of a span, often one that several spans of a trace have. */
static uint64_t some_id(struct rnd *r)
{
    return rnd_below(r, 4) ? 1 + rnd_below(r, 9) : rnd_u64(r);
}

struct skep_batch *ref_batch(struct rnd *r, uint32_t n_rows)
{
    struct skep_batch *b = skep_batch_new(NULL, REF_T0 + 12345);
    uint32_t resources[5], scopes[3];
    for (int i = 0; i < 5; i++)
        resources[i] = random_list(r, b, &b->resources);
    for (int i = 0; i < 3; i++)
        scopes[i] = random_list(r, b, &b->scopes);
    bool sampled = rnd_below(r, 3) == 0;
    for (uint32_t i = 0; i < n_rows; i++) {
        uint32_t k = rnd_below(r, 10);
        enum skep_kind kind = k < 6    ? SKEP_KIND_SPAN
                              : k == 6 ? SKEP_KIND_SPAN_EVENT
                              : k == 7 ? SKEP_KIND_LINK
                              : k == 8 ? SKEP_KIND_LOG
                                       : SKEP_KIND_ERROR;
        int64_t t = REF_T0 + (int64_t)(rnd_u64(r) % (REF_SPAN_S * UINT64_C(1000000000)));
        if (t % 4 == 0) /* often the same as others' */
            t -= (t - REF_T0) % INT64_C(100000000000);
        uint32_t row = skep_batch_row(b, kind, t, (enum skep_source)(1 + rnd_below(r, 5)));
        if (kind == SKEP_KIND_SPAN) {
            b->duration_ns[row] = rnd_below(r, 9) ? (int64_t)(rnd_u64(r) % 3000000000) : 0;
            if (rnd_below(r, 40) == 0)
                b->duration_ns[row] = INT64_C(200000000000);
            b->span_kind[row] = (uint8_t)rnd_below(r, 6);
            b->span_id[row] = some_id(r);
        }
        if (kind == SKEP_KIND_LOG)
            b->severity[row] = (uint8_t)rnd_below(r, 25);
        b->status[row] = (uint8_t)rnd_below(r, 3);
        if (rnd_below(r, 6)) {
            uint64_t id = 1 + rnd_below(r, rnd_below(r, 3) ? 30 : 300);
            memcpy(b->trace_id[row].b + 8, &id, 8);
            if (id % 3)
                memcpy(b->trace_id[row].b, &id, 8);
        }
        b->parent_id[row] = rnd_below(r, 4) ? some_id(r) : 0;
        b->name[row] = skep_batch_intern(b, word(r));
        b->dataset[row] = skep_batch_intern(b, word(r));
        b->resource[row] = resources[rnd_below(r, 5)];
        b->scope[row] = scopes[rnd_below(r, 3)];
        b->flags[row] = rnd_below(r, 2);
        if (sampled)
            b->sample_rate[row] = 1 + rnd_below(r, 20);
        random_fields(r, b);
    }
    return b;
}

static const skep_str group_names[] = {
    SKEP_STR("service.name"), SKEP_STR("route"),     SKEP_STR("mixed"),
    SKEP_STR("status_code"),  SKEP_STR("error"),     SKEP_STR("name"),
    SKEP_STR("span.kind"),    SKEP_STR("dataset"),   SKEP_STR("is_root"),
    SKEP_STR("num"),          SKEP_STR("severity"),  SKEP_STR("absent"),
    SKEP_STR("library.name"), SKEP_STR("meta.kind"), SKEP_STR("trace.trace_id"),
    SKEP_STR("user"),         SKEP_STR("body"),      SKEP_STR("meta.source"),
    SKEP_STR("type")};

static const skep_str number_names[] = {
    SKEP_STR("duration_ms"), SKEP_STR("num"),        SKEP_STR("mixed"),  SKEP_STR("duration_ns"),
    SKEP_STR("status_code"), SKEP_STR("SampleRate"), SKEP_STR("absent"), SKEP_STR("route")};

static const skep_str test_names[] = {SKEP_STR("trace.span_id"), SKEP_STR("trace.parent_id"),
                                      SKEP_STR("meta.row_id"), SKEP_STR("*")};

static skep_str pick_name(struct rnd *r)
{
    uint32_t k = rnd_below(r, 10);
    if (k < 6)
        return group_names[rnd_below(r, SKEP_ARRAY_LEN(group_names))];
    if (k < 9)
        return number_names[rnd_below(r, SKEP_ARRAY_LEN(number_names))];
    return test_names[rnd_below(r, SKEP_ARRAY_LEN(test_names))];
}

static skep_value literal(struct rnd *r, enum skep_cmp op)
{
    bool text = (op >= SKEP_CMP_STARTS && op <= SKEP_CMP_NOT_CONTAINS) || rnd_below(r, 3) == 0;
    if (!text)
        return any_value(r);
    static const skep_str parts[] = {
        SKEP_STR("sh"), SKEP_STR("art"), SKEP_STR("S"),    SKEP_STR("user-1"),
        SKEP_STR("0"),  SKEP_STR("\""),  SKEP_STR("span"), SKEP_STR("0000000000000005")};
    return STR(rnd_below(r, 2) ? parts[rnd_below(r, SKEP_ARRAY_LEN(parts))] : word(r));
}

static void match_some(struct rnd *r, struct skep_arena *a, struct skep_test *t)
{
    static const char *const some[] = {"shop", "^[a-d]", "[0-9]+$", "(c|s)a?h?o?",
                                       "a.*s", "^$",     "0{2}",    "^[^a-z]"};
    const struct skep_regex *re = NULL;
    skep_str text = skep_str_c(some[rnd_below(r, SKEP_ARRAY_LEN(some))]);
    assert_int_equal(skep_regex_compile(text, t->fold_case, a, &re, NULL), SKEP_OK);
    skep_test_regex(t, t->op, re, t->fold_case, a);
}

static struct skep_expr *random_expr(struct rnd *r, struct skep_arena *a, unsigned depth)
{
    struct skep_expr *e = skep_new(a, struct skep_expr);
    uint32_t k = depth ? rnd_below(r, 9) : 5;
    if (k == 8) {
        static const enum skep_cmp ops[] = {SKEP_CMP_EQ, SKEP_CMP_LT, SKEP_CMP_LE, SKEP_CMP_GT,
                                            SKEP_CMP_GE};
        skep_value *ms = skep_new(a, skep_value);
        *ms = (skep_value){.type = SKEP_TYPE_DOUBLE, .f = (double)rnd_below(r, 600000)};
        *e = (struct skep_expr){.op = SKEP_EXPR_LASTS,
                                .test = {.op = ops[rnd_below(r, 5)], .values = ms, .n_values = 1}};
        return e;
    }
    if (k == 7) {
        *e = (struct skep_expr){.op = SKEP_EXPR_SAME,
                                .same = {.name = pick_name(r), .relation = SKEP_REL_PARENT}};
        if (e->same.name.p[0] == '*')
            e->same.name = SKEP_STR("name");
        if (rnd_below(r, 4) == 0)
            e->same.relation = SKEP_REL_ROOT;
        return e;
    }
    if (k == 6) {
        struct skep_expr **kid = skep_new_n(a, struct skep_expr *, 1);
        kid[0] = random_expr(r, a, depth - 1);
        *e = (struct skep_expr){.op = SKEP_EXPR_RELATED, .kids = kid, .n_kids = 1};
        e->relation = (enum skep_relation)(1 + rnd_below(r, SKEP_REL_COUNT - 1));
        return e;
    }
    if (k == 0) {
        struct skep_expr **kid = skep_new_n(a, struct skep_expr *, 1);
        kid[0] = random_expr(r, a, depth - 1);
        *e = (struct skep_expr){.op = SKEP_EXPR_NOT, .kids = kid, .n_kids = 1};
        return e;
    }
    if (k < 3) {
        unsigned n = 1 + rnd_below(r, 3);
        struct skep_expr **kids = skep_new_n(a, struct skep_expr *, n);
        for (unsigned i = 0; i < n; i++)
            kids[i] = random_expr(r, a, depth - 1);
        *e = (struct skep_expr){
            .op = k == 1 ? SKEP_EXPR_AND : SKEP_EXPR_OR, .kids = kids, .n_kids = n};
        return e;
    }
    enum skep_cmp op = (enum skep_cmp)rnd_below(r, SKEP_CMP_COUNT);
    skep_str name = pick_name(r);
    if (name.p[0] == '*')
        op = rnd_below(r, 2) ? SKEP_CMP_CONTAINS : SKEP_CMP_NOT_CONTAINS;
    bool order = op >= SKEP_CMP_LT && op <= SKEP_CMP_GE;
    unsigned n = order ? 1 : 1 + rnd_below(r, rnd_below(r, 8) ? 3 : 40);
    skep_value *values = skep_new_n(a, skep_value, n);
    for (unsigned i = 0; i < n; i++)
        values[i] = literal(r, op);
    bool matches = op == SKEP_CMP_MATCHES || op == SKEP_CMP_NOT_MATCHES;
    *e = (struct skep_expr){.op = SKEP_EXPR_TEST,
                            .test = {.field = {.name = name,
                                               .relation = rnd_below(r, 8)   ? SKEP_REL_SELF
                                                           : rnd_below(r, 2) ? SKEP_REL_ROOT
                                                                             : SKEP_REL_PARENT},
                                     .op = op,
                                     .values = values,
                                     .n_values = n,
                                     .fold_case = rnd_below(r, 4) == 0}};
    if (matches)
        match_some(r, a, &e->test);
    return e;
}

/* Now and then the field of a relative. */
static void random_relation(struct rnd *r, struct skep_arena *a, struct skep_field_ref *f)
{
    static const enum skep_relation some[] = {SKEP_REL_ROOT, SKEP_REL_PARENT, SKEP_REL_CHILD,
                                              SKEP_REL_ANY};
    if (f->name.n == 0 || rnd_below(r, 4))
        return;
    f->relation = some[rnd_below(r, 4)];
    if (f->relation >= SKEP_REL_CHILD && rnd_below(r, 4))
        f->on = random_expr(r, a, 1);
}

/* Now and then a group of some rows, or of cases. */
static void random_group(struct rnd *r, struct skep_arena *a, struct skep_expr *shared,
                         struct skep_field_ref *f)
{
    random_relation(r, a, f);
    uint32_t k = rnd_below(r, 8);
    if (k == 0 && f->relation == SKEP_REL_SELF)
        f->on = rnd_below(r, 2) ? shared : random_expr(r, a, 2);
    if (k != 1)
        return;
    f->n_cases = 1 + rnd_below(r, 3);
    const struct skep_expr **cases = skep_new_n(a, const struct skep_expr *, f->n_cases);
    for (unsigned i = 0; i < f->n_cases; i++)
        cases[i] = rnd_below(r, 2) ? shared : random_expr(r, a, 2);
    f->cases = cases;
}

static void random_agg(struct rnd *r, struct skep_arena *a, struct skep_agg *g)
{
    static const double params[] = {0, 0.1, 1, 5, 50, 75, 90, 95, 99, 99.9, 100};
    *g = (struct skep_agg){.op = (enum skep_agg_op)rnd_below(r, SKEP_AGG_OP_COUNT)};
    g->param = params[rnd_below(r, SKEP_ARRAY_LEN(params))];
    if (g->op == SKEP_AGG_COUNT_DISTINCT)
        g->field.name = group_names[rnd_below(r, SKEP_ARRAY_LEN(group_names))];
    else if (g->op == SKEP_AGG_COUNT)
        g->field.name = rnd_below(r, 2) ? SKEP_STR_NULL : pick_name(r);
    else if (g->op != SKEP_AGG_CONCURRENCY)
        g->field.name = number_names[rnd_below(r, SKEP_ARRAY_LEN(number_names))];
    if (g->op == SKEP_AGG_HEATMAP) { /* infinities have no place on an axis */
        g->field.name = rnd_below(r, 2) ? SKEP_STR("duration_ns") : SKEP_STR("status_code");
        g->heat_scale = rnd_below(r, 2) ? SKEP_HEAT_LOG : SKEP_HEAT_LINEAR;
        g->heat_bins = rnd_below(r, 3) ? 0 : 1 + rnd_below(r, 100);
    }
    random_relation(r, a, &g->field);
    if (rnd_below(r, 4) == 0)
        g->filter = random_expr(r, a, 1);
}

const struct skep_plan *ref_plan(struct rnd *r, struct skep_arena *a)
{
    struct skep_plan *p = skep_new(a, struct skep_plan);
    *p = (struct skep_plan){.kind = SKEP_PLAN_AGGREGATE, .limit = 10000};
    p->range = (struct skep_time_range){REF_T0 - 5, REF_T0 + REF_SPAN_S * INT64_C(1000000000)};
    if (rnd_below(r, 2)) {
        p->range.start_ns += (int64_t)(rnd_u64(r) % 300000000000);
        p->range.end_ns -= (int64_t)(rnd_u64(r) % 250000000000);
    }
    if (rnd_below(r, 6) == 0)
        p->dataset = SKEP_STR("SHOP");
    p->n_groups = rnd_below(r, 4);
    struct skep_expr *shared = random_expr(r, a, 2); /* stands in several places */
    struct skep_field_ref *groups = skep_new_n(a, struct skep_field_ref, 4);
    for (unsigned g = 0; g < p->n_groups; g++) {
        groups[g].name = group_names[rnd_below(r, SKEP_ARRAY_LEN(group_names) - (g > 0 ? 5 : 0))];
        random_group(r, a, shared, &groups[g]);
    }
    p->groups = groups;
    p->n_aggs = 1 + rnd_below(r, 5);
    struct skep_agg *aggs = skep_new_n(a, struct skep_agg, p->n_aggs);
    for (unsigned i = 0; i < p->n_aggs; i++)
        random_agg(r, a, &aggs[i]);
    p->aggs = aggs;
    static const int64_t steps[] = {0, 7000000000, 60000000000, 300000000000};
    p->granularity_ns = steps[rnd_below(r, 4)];
    p->ignore_sample_rate = rnd_below(r, 3) == 0;
    if (rnd_below(r, 3))
        p->filter = random_expr(r, a, 3);
    if (p->filter && rnd_below(r, 3) == 0) {
        struct skep_expr **kids = skep_new_n(a, struct skep_expr *, 2);
        struct skep_expr *both = skep_new(a, struct skep_expr);
        kids[0] = shared;
        kids[1] = (struct skep_expr *)(uintptr_t)p->filter;
        *both = (struct skep_expr){
            .op = rnd_below(r, 2) ? SKEP_EXPR_AND : SKEP_EXPR_OR, .kids = kids, .n_kids = 2};
        p->filter = both;
    }
    return p;
}

static skep_rc store_run(struct skep_store *s, const struct skep_plan *plan,
                         const struct skep_run_opts *opts, struct skep_answer *ret, skep_err *err)
{
    struct ref_store *r = (struct ref_store *)s;
    return skep_exec_run_kept(r->snap, r->pool, r->partials, plan, opts, ret, err);
}

void ref_store_init(struct ref_store *s, struct skep_snapshot *snap, struct skep_pool *pool)
{
    static const struct skep_store_ops ops = {.name = "snapshot", .run = store_run};
    *s = (struct ref_store){.base = {&ops}, .snap = snap, .pool = pool};
}

struct skep_rowset *ref_part(const struct skep_batch *b, uint64_t seq)
{
    struct skep_buf buf;
    skep_err err;
    skep_buf_init(&buf, (size_t)1 << 31);
    assert_int_equal(skep_frame_encode(b, &buf, &err), SKEP_OK);
    size_t n;
    uint8_t *p = skep_buf_take(&buf, &n);
    struct skep_rowset *rs = NULL;
    if (skep_part_open(p, n, seq, NULL, &rs, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    return rs;
}

struct skep_snapshot *ref_snapshot(struct skep_rowset **sets, struct skep_live **live, unsigned n)
{
    struct skep_snapshot *s = skep_calloc(1, sizeof *s + n * sizeof s->sets[0]);
    atomic_store(&s->refs, 1);
    s->n = n;
    for (unsigned i = 0; i < n; i++) {
        s->sets[i].rowset = sets[i];
        s->sets[i].live = live ? live[i] : NULL;
    }
    return s;
}

static void dump_cell(struct skep_buf *b, const struct skep_cell *c)
{
    if (c->kind == SKEP_CELL_INT)
        skep_buf_printf(b, " i%lld", (long long)c->i);
    else if (c->kind == SKEP_CELL_DOUBLE)
        skep_buf_printf(b, " %a", c->f);
    else if (c->kind == SKEP_CELL_NULL)
        skep_buf_str(b, SKEP_STR(" -"));
    for (uint32_t i = 0; c->kind == SKEP_CELL_HEAT && i < c->n_heat; i++)
        skep_buf_printf(b, " %u:%llu", c->heat[i].bin, (unsigned long long)c->heat[i].count);
}

static void dump_group(struct skep_buf *b, const struct skep_result *r,
                       const struct skep_result_group *g)
{
    for (unsigned k = 0; g->key && k < r->plan->n_groups; k++) {
        const skep_value *v = &g->key[k];
        skep_buf_printf(b, "[%d:", (int)v->type);
        if (v->type == SKEP_TYPE_STRING || v->type == SKEP_TYPE_BYTES || v->type == SKEP_TYPE_ARRAY)
            skep_buf_str(b, v->s);
        else if (v->type == SKEP_TYPE_INT)
            skep_buf_printf(b, "%lld", (long long)v->i);
        else if (v->type == SKEP_TYPE_DOUBLE)
            skep_buf_printf(b, "%a", v->f);
        else if (v->type == SKEP_TYPE_BOOL)
            skep_buf_printf(b, "%d", v->b);
        skep_buf_str(b, SKEP_STR("]"));
    }
    for (unsigned i = 0; i < r->plan->n_aggs; i++)
        dump_cell(b, &g->values[i]);
    skep_buf_str(b, SKEP_STR(" |"));
    for (unsigned i = 0; g->series && i < r->plan->n_aggs * r->n_buckets; i++)
        dump_cell(b, &g->series[i]);
    skep_buf_str(b, SKEP_STR("\n"));
}

char *ref_dump(const struct skep_result *r)
{
    struct skep_buf b;
    skep_buf_init(&b, (size_t)1 << 30);
    for (size_t g = 0; g < r->n_groups; g++)
        dump_group(&b, r, &r->groups[g]);
    dump_group(&b, r, &r->totals);
    for (unsigned i = 0; i < r->plan->n_aggs; i++)
        for (unsigned e = 0; r->heat[i].n && e <= r->heat[i].n; e++)
            skep_buf_printf(&b, "%a ", r->heat[i].edges[e]);
    skep_buf_printf(&b, "\n%zu %zu %u %d", r->n_groups, r->n_groups_total, r->n_buckets,
                    r->estimated);
    skep_buf_u8(&b, 0);
    size_t n;
    return (char *)skep_buf_take(&b, &n);
}

static struct skep_live *live_of(const bool *dead, uint64_t n)
{
    struct skep_mask m;
    uint64_t killed;
    skep_mask_init(&m, &(struct skep_rowset){.n_rows = n, .row_end = n});
    for (uint64_t r = 0; r < n; r++)
        if (dead[r])
            skep_mask_add(&m, r);
    struct skep_live *l = skep_live_kill(NULL, &m, SKEP_DEATH_DELETED, &killed);
    skep_mask_done(&m);
    return l;
}

struct skep_rowset *ref_segment(const char *dir, struct skep_cache *cache,
                                const struct skep_segment_source *sources, unsigned n,
                                enum skep_layout layout, uint32_t group_rows)
{
    char path[128];
    skep_err err;
    struct skep_segment_info info;
    struct skep_rowset *rs = NULL;
    struct skep_budget budget;
    skep_budget_init(&budget, "merge", UINT64_C(1) << 31, NULL);
    snprintf(path, sizeof path, "%s/new.seg", dir);
    struct skep_segment_job job = {.os = skep_os_real(),
                                   .path = path,
                                   .sources = sources,
                                   .n_sources = n,
                                   .layout = layout,
                                   .group_rows = group_rows,
                                   .budget = &budget};
    if (skep_segment_write(&job, &info, &err) != SKEP_OK)
        fail_msg("segment: %s", err.text);
    if (skep_segment_open(skep_os_real(), path, cache, &rs, &err) != SKEP_OK)
        fail_msg("segment: %s", err.text);
    remove(path); /* it stays open */
    return rs;
}

/* Parts from .. to as one segment file, with gaps in the row numbers. */
static struct skep_rowset *segment(struct ref_world *w, struct skep_rowset **parts,
                                   struct skep_live **live, unsigned from, unsigned to,
                                   enum skep_layout layout)
{
    struct skep_segment_source src[REF_BATCHES];
    for (unsigned i = from; i < to; i++)
        src[i - from] = (struct skep_segment_source){parts[i], live[i]};
    return ref_segment(w->dir, w->cache, src, to - from, layout, w->group_rows);
}

/* Which rows of a segment are dead, by their row ids. */
static struct skep_live *live_in(const struct ref_world *w, struct skep_rowset *rs)
{
    struct skep_colreader *seq = NULL, *ordinal = NULL;
    struct skep_mask m;
    uint64_t killed;
    skep_err err;
    assert_int_equal(rs->ops->open_column(rs, SKEP_COL_SEQ, &seq, &err), SKEP_OK);
    assert_int_equal(rs->ops->open_column(rs, SKEP_COL_ORDINAL, &ordinal, &err), SKEP_OK);
    skep_mask_init(&m, rs);
    for (uint64_t b = 0; b < skep_rowset_blocks(rs); b++) {
        struct skep_vec s, o;
        unsigned n = skep_rowset_block_rows(rs, b);
        if (n == 0)
            continue;
        assert_int_equal(seq->ops->read(seq, b * SKEP_BLOCK_ROWS, n, &s, &err), SKEP_OK);
        assert_int_equal(ordinal->ops->read(ordinal, b * SKEP_BLOCK_ROWS, n, &o, &err), SKEP_OK);
        for (unsigned i = 0; i < n; i++)
            if (w->dead[s.i64[s.constant ? 0 : i] - 1][o.i64[o.constant ? 0 : i]])
                skep_mask_add(&m, b * SKEP_BLOCK_ROWS + i);
    }
    seq->ops->close(seq);
    ordinal->ops->close(ordinal);
    struct skep_live *l = skep_live_kill(NULL, &m, SKEP_DEATH_DELETED, &killed);
    skep_mask_done(&m);
    return l;
}

/* Segments of both layouts with the dead rows in them. */
static void by_layout(struct ref_world *w, struct skep_rowset **parts, struct ref_store *s,
                      struct skep_pool *pool)
{
    static const unsigned cuts[] = {0, 2, REF_BATCHES};
    struct skep_rowset *sets[4];
    struct skep_live *live[4];
    unsigned n = 0;
    skep_err err;
    for (unsigned k = 0; k < 2; k++) {
        for (int layout = 0; layout < SKEP_LAYOUT_COUNT; layout++) {
            struct skep_live *of[REF_BATCHES] = {NULL};
            uint64_t rows = 0;
            for (unsigned i = cuts[k]; i < cuts[k + 1]; i++) {
                struct skep_snapshot_set all = {.rowset = parts[i]};
                assert_int_equal(skep_layout_rows(&all, (enum skep_layout)layout, &of[i], &err),
                                 SKEP_OK);
                rows += of[i] ? of[i]->n_live : parts[i]->n_rows;
            }
            if (rows > 0) {
                sets[n] = segment(w, parts, of, cuts[k], cuts[k + 1], (enum skep_layout)layout);
                live[n] = live_in(w, sets[n]);
                n++;
            }
            for (unsigned i = cuts[k]; i < cuts[k + 1]; i++)
                skep_live_unref(of[i]);
        }
    }
    ref_store_init(s, ref_snapshot(sets, live, n), pool);
}

void ref_world_make(struct ref_world *w, struct rnd *r, uint32_t max_rows, struct skep_pool *pool)
{
    struct skep_rowset *parts[REF_BATCHES], *folded = NULL, *two[2], *mixed[3];
    struct skep_live *live[REF_BATCHES], *dup[REF_BATCHES];
    bool *all = NULL;
    size_t n = 0, first = 0;
    skep_err err;
    snprintf(w->dir, sizeof w->dir, "/tmp/skep-query-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->cache = skep_cache_new(NULL, 64 << 20);
    w->group_rows = rnd_below(r, 2) ? 400 : 20 + max_rows / 8; /* few row groups, or many */
    for (unsigned i = 0; i < REF_BATCHES; i++) {
        struct skep_batch *b = w->batches[i] = ref_batch(r, 1 + rnd_below(r, max_rows));
        parts[i] = ref_part(b, i + 1);
        w->dead[i] = skep_alloc_n(bool, b->n_rows);
        for (uint32_t k = 0; i % 2 && k < b->n_rows; k++)
            w->dead[i][k] = rnd_below(r, 10) == 0;
        live[i] = live_of(w->dead[i], b->n_rows);
        dup[i] = live_of(w->dead[i], b->n_rows);
        all = skep_realloc(all, (n + b->n_rows) * sizeof *all);
        memcpy(all + n, w->dead[i], b->n_rows * sizeof *all);
        n += b->n_rows;
        first += i < 3 ? b->n_rows : 0;
    }
    w->data = (struct ref_data){.batches = w->batches, .n = REF_BATCHES, .dead = w->dead};
    ref_traces_make(&w->data);
    assert_int_equal(skep_part_fold(parts, REF_BATCHES, NULL, &folded, &err), SKEP_OK);
    assert_int_equal(skep_part_fold(parts, 3, NULL, &two[0], &err), SKEP_OK);
    assert_int_equal(skep_part_fold(parts + 3, 2, NULL, &two[1], &err), SKEP_OK);
    struct skep_live *folded_live = live_of(all, n);
    struct skep_live *two_live[2] = {live_of(all, first), live_of(all + first, n - first)};
    mixed[0] = segment(w, parts, live, 0, 3, SKEP_LAYOUT_SPANS);
    struct skep_rowset *segments[2] = {segment(w, parts, live, 0, 2, SKEP_LAYOUT_SPANS),
                                       segment(w, parts, live, 2, REF_BATCHES, SKEP_LAYOUT_SPANS)};
    by_layout(w, parts, &w->stores[6], pool);
    struct skep_live *none[REF_BATCHES] = {NULL};
    struct skep_rowset *whole = segment(w, parts, none, 0, REF_BATCHES, SKEP_LAYOUT_SPANS);
    struct skep_live *whole_live = live_in(w, whole);
    ref_store_init(&w->stores[7], ref_snapshot(&whole, &whole_live, 1), pool);
    for (unsigned i = 0; i < REF_BATCHES; i++)
        skep_rowset_ref(parts[i]);
    struct skep_live *mixed_live[3] = {NULL, live_of(w->dead[3], w->batches[3]->n_rows),
                                       live_of(w->dead[4], w->batches[4]->n_rows)};
    mixed[1] = skep_rowset_ref(parts[3]);
    mixed[2] = skep_rowset_ref(parts[4]);
    ref_store_init(&w->stores[0], ref_snapshot(&folded, &folded_live, 1), NULL);
    ref_store_init(&w->stores[1], ref_snapshot(parts, live, REF_BATCHES), NULL);
    ref_store_init(&w->stores[2], ref_snapshot(parts, dup, REF_BATCHES), pool);
    ref_store_init(&w->stores[3], ref_snapshot(two, two_live, 2), pool);
    ref_store_init(&w->stores[4], ref_snapshot(segments, NULL, 2), pool);
    ref_store_init(&w->stores[5], ref_snapshot(mixed, mixed_live, 3), pool);
    skep_free(all);
}

void ref_world_done(struct ref_world *w)
{
    for (unsigned i = 0; i < REF_STORES; i++)
        skep_snapshot_unref(w->stores[i].snap);
    ref_traces_done(&w->data);
    for (unsigned i = 0; i < REF_BATCHES; i++) {
        skep_batch_free(w->batches[i]);
        skep_free(w->dead[i]);
    }
    skep_cache_free(w->cache);
    remove(w->dir);
}

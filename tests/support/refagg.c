// SPDX-License-Identifier: Apache-2.0
/* The reference query engine of the tests (refquery.h): aggregates, and the check of an answer.
 *
 * Groups stand in a list that is searched from the start, sums of doubles use Shewchuk's exact
 * partials, percentiles sort. */
#include "support/refquery_priv.h"

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

struct cell {
    struct ref_num *nums;
    skep_value *vals; /* for distinct; texts copied */
    size_t n, cap, n_vals, cap_vals;
    uint64_t rows;       /* weighted */
    long double overlap; /* exact: integers below 2^63 */
};

struct group {
    skep_value keys[4];
    struct cell *cells; /* [n_aggs][n_buckets] */
    bool own;           /* has rows of its own, not only overlapping spans */
};

struct all {
    const struct ref_data *data;
    const struct skep_plan *plan;
    struct group *groups;
    size_t n, cap;
    unsigned n_buckets;
    int64_t bucket0;
    struct skep_arena arena;
};

static skep_value own(struct all *a, skep_value v)
{
    if (v.type == SKEP_TYPE_STRING || v.type == SKEP_TYPE_BYTES || v.type == SKEP_TYPE_ARRAY)
        v.s = skep_arena_str(&a->arena, v.s);
    return v;
}

static struct group *find_group(struct all *a, const skep_value *keys, bool make)
{
    for (size_t g = 0; g < a->n; g++) {
        bool eq = true;
        for (unsigned k = 0; k < a->plan->n_groups; k++)
            eq = eq && ref_same(&a->groups[g].keys[k], &keys[k]);
        if (eq)
            return &a->groups[g];
    }
    if (!make)
        return NULL;
    SKEP_GROW(a->groups, a->n, a->cap);
    struct group *g = &a->groups[a->n++];
    memset(g, 0, sizeof *g);
    for (unsigned k = 0; k < a->plan->n_groups; k++)
        g->keys[k] = own(a, keys[k]);
    g->cells = skep_alloc_n(struct cell, a->plan->n_aggs * a->n_buckets);
    return g;
}

static void push_num(struct cell *c, struct ref_num x)
{
    SKEP_GROW(c->nums, c->n, c->cap);
    c->nums[c->n++] = x;
}

static void add_row(struct all *a, struct cell *c, const struct skep_agg *g, unsigned batch,
                    uint32_t row, uint64_t w)
{
    char buf[64];
    if (g->field.name.n == 0) {
        c->rows += w;
        return;
    }
    skep_value v = ref_field(a->data, &batch, &row, &g->field, buf);
    const struct skep_batch *b = a->data->batches[batch];
    if (v.type == SKEP_TYPE_NULL)
        return;
    c->rows += w;
    if (g->op == SKEP_AGG_COUNT_DISTINCT) {
        for (size_t i = 0; i < c->n_vals; i++)
            if (ref_same(&c->vals[i], &v))
                return;
        SKEP_GROW(c->vals, c->n_vals, c->cap_vals);
        c->vals[c->n_vals++] = own(a, v);
        return;
    }
    if (!ref_is_number(&v) || isnan(ref_wide(&v)))
        return;
    bool ns = skep_str_eq(g->field.name, SKEP_STR("duration_ms")) &&
              ref_own_field(b, row, g->field.name, SKEP_SCOPE_ATTRIBUTE).type == SKEP_TYPE_NULL;
    push_num(c, (struct ref_num){v, ns ? b->duration_ns[row] : -1, w});
}

static void add_span(struct all *a, struct group *g, unsigned agg, int64_t start, int64_t dur,
                     uint64_t w)
{
    for (unsigned k = 0; k < a->n_buckets; k++) {
        int64_t from = a->plan->range.start_ns, to = a->plan->range.end_ns;
        if (a->plan->granularity_ns > 0) {
            int64_t bs = a->bucket0 + k * a->plan->granularity_ns;
            from = bs > from ? bs : from;
            to = bs + a->plan->granularity_ns < to ? bs + a->plan->granularity_ns : to;
        }
        int64_t lo = start > from ? start : from, hi = start + dur < to ? start + dur : to;
        if (hi > lo)
            g->cells[agg * a->n_buckets + k].overlap += (long double)(hi - lo) * (long double)w;
    }
}

static bool dataset_ok(const struct skep_plan *p, skep_str s)
{
    if (p->dataset.n == 0)
        return true;
    if (s.n != p->dataset.n)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (ref_fold(s.p[i]) != ref_fold(p->dataset.p[i]))
            return false;
    return true;
}

static skep_value group_key(const struct ref_data *d, unsigned batch, uint32_t row,
                            const struct skep_field_ref *f, char *buf)
{
    if (f->n_cases == 0 && f->relation == SKEP_REL_SELF && f->on &&
        !ref_passes(d, batch, row, f->on))
        return (skep_value){0};
    if (f->n_cases == 0)
        return ref_field(d, &batch, &row, f, buf);
    if (f->relation != SKEP_REL_SELF &&
        !ref_relative(d, batch, row, f->relation, f->on, &batch, &row))
        return (skep_value){0};
    for (unsigned i = 0; i < f->n_cases; i++)
        if (ref_passes(d, batch, row, f->cases[i]))
            return (skep_value){.type = SKEP_TYPE_INT, .i = i};
    return (skep_value){0};
}

static void collect_row(struct all *a, unsigned batch, uint32_t row)
{
    const struct skep_plan *p = a->plan;
    const struct skep_batch *b = a->data->batches[batch];
    char bufs[4][64];
    skep_value keys[4];
    int64_t t = b->time_ns[row], dur = b->duration_ns[row];
    bool in = t >= p->range.start_ns && t < p->range.end_ns;
    bool over = dur > 0 && t < p->range.end_ns && t + dur > p->range.start_ns;
    bool wants = false;
    for (unsigned i = 0; i < p->n_aggs; i++)
        wants = wants || p->aggs[i].op == SKEP_AGG_CONCURRENCY;
    if (!in && !(over && wants))
        return;
    if (!dataset_ok(p, skep_batch_str(b, b->dataset[row])) ||
        !ref_passes(a->data, batch, row, p->filter))
        return;
    for (unsigned k = 0; k < p->n_groups; k++)
        keys[k] = group_key(a->data, batch, row, &p->groups[k], bufs[k]);
    uint64_t w = p->ignore_sample_rate || b->sample_rate[row] < 1 ? 1 : b->sample_rate[row];
    struct group *g = in ? find_group(a, keys, true) : NULL;
    for (unsigned i = 0; i < p->n_aggs; i++) {
        if (!ref_passes(a->data, batch, row, p->aggs[i].filter))
            continue;
        if (p->aggs[i].op == SKEP_AGG_CONCURRENCY) {
            if (over)
                add_span(a, find_group(a, keys, true), i, t, dur, w);
            continue;
        }
        unsigned bucket = p->granularity_ns ? (unsigned)((t - a->bucket0) / p->granularity_ns) : 0;
        if (in)
            add_row(a, &g->cells[i * a->n_buckets + bucket], &p->aggs[i], batch, row, w);
    }
}

/* Shewchuk: partials that do not overlap and sum up exactly. */
struct exact {
    double p[2200];
    unsigned n;
};

static void exact_add(struct exact *e, double x)
{
    unsigned i = 0;
    for (unsigned j = 0; j < e->n; j++) {
        double y = e->p[j];
        if (fabs(x) < fabs(y)) {
            double t = x;
            x = y;
            y = t;
        }
        double hi = x + y, lo = y - (hi - x);
        if (lo != 0)
            e->p[i++] = lo;
        x = hi;
    }
    e->p[i] = x;
    e->n = i + 1;
}

/* Python's fsum: round half even over the partials. */
static double exact_round(const struct exact *e)
{
    double hi = 0, lo = 0;
    unsigned n = e->n;
    if (n == 0)
        return 0;
    hi = e->p[--n];
    while (n > 0) {
        double x = hi, y = e->p[--n];
        hi = x + y;
        lo = y - (hi - x);
        if (lo != 0)
            break;
    }
    if (n > 0 && ((lo < 0 && e->p[n - 1] < 0) || (lo > 0 && e->p[n - 1] > 0))) {
        double y = lo * 2, x = hi + y;
        if (y == x - hi)
            hi = x;
    }
    return hi;
}

static void exact_add_i128(struct exact *e, skep_i128 v)
{
    bool minus = v < 0;
    skep_u128 m = minus ? -(skep_u128)v : (skep_u128)v;
    for (int s = 0; s < 128; s += 32) {
        double piece = ldexp((double)(uint32_t)(m >> s), s);
        exact_add(e, minus ? -piece : piece);
    }
}

struct sum {
    enum { S_NULL, S_INT, S_DOUBLE } kind;
    int64_t i;
    double f;
    uint64_t n;
};

static struct sum sum_of(const struct ref_num *x, size_t n)
{
    static struct exact e;
    struct sum s = {S_NULL};
    skep_i128 ints = 0, ns = 0;
    bool has_int = false, has_ns = false, has_f = false, pinf = false, ninf = false;
    e.n = 0;
    for (size_t i = 0; i < n; i++) {
        s.n += x[i].weight;
        if (x[i].ns >= 0) {
            has_ns = true;
            ns += (skep_i128)x[i].ns * x[i].weight;
        } else if (x[i].v.type == SKEP_TYPE_INT) {
            has_int = true;
            ints += (skep_i128)x[i].v.i * (skep_i128)x[i].weight;
        } else if (isinf(x[i].v.f)) {
            pinf = pinf || x[i].v.f > 0;
            ninf = ninf || x[i].v.f < 0;
        } else {
            has_f = true;
            for (uint64_t k = 0; k < x[i].weight; k++)
                exact_add(&e, x[i].v.f);
        }
    }
    if (n == 0 || (pinf && ninf))
        return s;
    s.kind = S_DOUBLE;
    if (has_int && !has_ns && !has_f && !pinf && !ninf && ints >= INT64_MIN && ints <= INT64_MAX) {
        s.kind = S_INT;
        s.i = (int64_t)ints;
        s.f = (double)s.i;
        return s;
    }
    if (pinf || ninf) {
        s.f = pinf ? INFINITY : -INFINITY;
        return s;
    }
    struct exact ms = {.n = 0};
    exact_add_i128(&ms, ns);
    double msv = exact_round(&ms) / 1e6;
    if (has_ns && !has_int && !has_f) {
        s.f = msv;
        return s;
    }
    exact_add_i128(&e, ints);
    if (has_ns)
        exact_add(&e, msv);
    s.f = exact_round(&e);
    return s;
}

static int by_num(const void *a, const void *b)
{
    return ref_number_cmp(&((const struct ref_num *)a)->v, &((const struct ref_num *)b)->v);
}

static void expect_double(const struct skep_cell *c, double want, const char *what)
{
    if (c->kind != SKEP_CELL_DOUBLE || !(c->f == want))
        fail_msg("%s: kind %d value %.17g, expected %.17g", what, c->kind, c->f, want);
}

static void expect_null(const struct skep_cell *c, const char *what)
{
    if (c->kind != SKEP_CELL_NULL)
        fail_msg("%s: kind %d value %.17g, expected none", what, c->kind, c->f);
}

static void expect_int(const struct skep_cell *c, int64_t want, const char *what)
{
    if (c->kind != SKEP_CELL_INT || c->i != want)
        fail_msg("%s: kind %d value %lld, expected %lld", what, c->kind, (long long)c->i,
                 (long long)want);
}

static void expect_sum(const struct skep_cell *c, struct sum s, const char *what)
{
    if (s.kind == S_NULL)
        expect_null(c, what);
    else if (s.kind == S_INT)
        expect_int(c, s.i, what);
    else
        expect_double(c, s.f, what);
}

static void expect_extreme(const struct skep_cell *c, const struct cell *x, int sign,
                           const char *what)
{
    const skep_value *best = NULL;
    for (size_t i = 0; i < x->n; i++) {
        int o = best ? ref_number_cmp(&x->nums[i].v, best) * sign : 1;
        if (o > 0 || (o == 0 && x->nums[i].v.type == SKEP_TYPE_INT))
            best = &x->nums[i].v;
    }
    if (!best)
        expect_null(c, what);
    else if (best->type == SKEP_TYPE_INT)
        expect_int(c, best->i, what);
    else
        expect_double(c, best->f, what);
}

static void expect_percentile(const struct skep_cell *c, const struct cell *x, double param,
                              const char *what)
{
    if (x->n == 0) {
        expect_null(c, what);
        return;
    }
    struct ref_num *s = skep_alloc_n(struct ref_num, x->n);
    memcpy(s, x->nums, x->n * sizeof *s);
    qsort(s, x->n, sizeof *s, by_num);
    uint64_t total = 0, seen = 0;
    for (size_t i = 0; i < x->n; i++)
        total += s[i].weight;
    long double rank = ceill((long double)(int64_t)llround(param * 1000) * total / 100000.0L);
    rank = rank < 1 ? 1 : rank;
    double want = 0;
    for (size_t i = 0; i < x->n && seen < rank; i++) {
        seen += s[i].weight;
        want = (double)ref_wide(&s[i].v);
    }
    if (x->n <= 512) {
        expect_double(c, want + 0.0, what);
    } else if (c->kind != SKEP_CELL_DOUBLE ||
               (c->f != want && !(fabs(c->f - want) <= 0.01 * fabs(want)))) {
        fail_msg("%s: %.17g is more than 1%% from %.17g", what, c->f, want);
    }
    skep_free(s);
}

static void expect_heat(const struct skep_cell *c, const struct cell *x,
                        const struct skep_heat_edges *e, const char *what)
{
    uint64_t *want = skep_alloc_n(uint64_t, e->n + 1);
    for (size_t i = 0; i < x->n; i++) {
        double v = (double)ref_wide(&x->nums[i].v);
        unsigned b = 0;
        /* Negative bins of the log scale hold their upper edge, not their lower one. */
        while (b + 1 < e->n && (v < 0 ? v > e->edges[b + 1] : v >= e->edges[b + 1]))
            b++;
        if (e->n == 0 || v < e->edges[0] || v > e->edges[e->n])
            fail_msg("%s: edges [%g, %g] do not cover %g", what, e->n ? e->edges[0] : NAN,
                     e->n ? e->edges[e->n] : NAN, v);
        want[b] += x->nums[i].weight;
    }
    unsigned k = 0;
    for (unsigned b = 0; b < e->n; b++) {
        assert_true(e->edges[b] <= e->edges[b + 1]);
        if (want[b] == 0)
            continue;
        if (c->kind != SKEP_CELL_HEAT || k >= c->n_heat || c->heat[k].bin != b ||
            c->heat[k].count != want[b])
            fail_msg("%s: bin %u: %llu of %u, expected %llu", what, b,
                     c->kind == SKEP_CELL_HEAT && k < c->n_heat
                         ? (unsigned long long)c->heat[k].count
                         : 0ull,
                     c->kind == SKEP_CELL_HEAT && k < c->n_heat ? c->heat[k].bin : 0,
                     (unsigned long long)want[b]);
        k++;
    }
    if (k == 0)
        expect_null(c, what);
    else
        assert_int_equal(c->n_heat, k);
    skep_free(want);
}

/* The number behind a rate in one cell; NAN when there is none. */
static double rate_base(enum skep_agg_op op, const struct cell *x)
{
    struct sum s = sum_of(x->nums, x->n);
    double best = NAN;
    for (size_t i = 0; op == SKEP_AGG_RATE_MAX && i < x->n; i++)
        if (isnan(best) || ref_wide(&x->nums[i].v) > best)
            best = (double)ref_wide(&x->nums[i].v);
    if (op == SKEP_AGG_RATE_MAX)
        return best;
    if (s.kind == S_NULL)
        return NAN;
    return op == SKEP_AGG_RATE_SUM ? s.f : s.f / (double)s.n;
}

static void expect_cell(struct all *a, unsigned agg, const struct cell *x,
                        const struct skep_cell *c, int64_t span, const struct skep_result *r,
                        const char *what)
{
    const struct skep_agg *g = &a->plan->aggs[agg];
    struct sum s;
    switch (g->op) {
    case SKEP_AGG_COUNT: expect_int(c, (int64_t)x->rows, what); return;
    case SKEP_AGG_SUM: expect_sum(c, sum_of(x->nums, x->n), what); return;
    case SKEP_AGG_AVG:
        s = sum_of(x->nums, x->n);
        if (s.kind == S_NULL)
            expect_null(c, what);
        else
            expect_double(c, s.f / (double)s.n, what);
        return;
    case SKEP_AGG_MIN: expect_extreme(c, x, -1, what); return;
    case SKEP_AGG_MAX: expect_extreme(c, x, 1, what); return;
    case SKEP_AGG_COUNT_DISTINCT: expect_int(c, (int64_t)x->n_vals, what); return;
    case SKEP_AGG_PERCENTILE: expect_percentile(c, x, g->param, what); return;
    case SKEP_AGG_HEATMAP: expect_heat(c, x, &r->heat[agg], what); return;
    case SKEP_AGG_CONCURRENCY: expect_double(c, (double)x->overlap / (double)span, what); return;
    default: return; /* rates: by expect_rates */
    }
}

static void append(struct cell *to, const struct cell *x)
{
    to->rows += x->rows;
    to->overlap += x->overlap;
    for (size_t i = 0; i < x->n; i++)
        push_num(to, x->nums[i]);
    for (size_t i = 0; i < x->n_vals; i++) {
        bool known = false;
        for (size_t k = 0; k < to->n_vals && !known; k++)
            known = ref_same(&to->vals[k], &x->vals[i]);
        if (known)
            continue;
        SKEP_GROW(to->vals, to->n_vals, to->cap_vals);
        to->vals[to->n_vals++] = x->vals[i];
    }
}

static void drop(struct cell *c)
{
    skep_free(c->nums);
    skep_free(c->vals);
    memset(c, 0, sizeof *c);
}

static void expect_rates(struct all *a, unsigned agg, const struct cell *cells,
                         const struct skep_cell *value, const struct skep_cell *series,
                         const char *what)
{
    double before = NAN, sum = 0, seconds = (double)a->plan->granularity_ns / 1e9;
    unsigned n = 0;
    for (unsigned b = 0; b < a->n_buckets; b++) {
        double x = rate_base(a->plan->aggs[agg].op, &cells[b]);
        if (isnan(x) || isnan(before) || isnan((x - before) / seconds)) {
            expect_null(&series[b], what);
        } else {
            expect_double(&series[b], (x - before) / seconds, what);
            sum += (x - before) / seconds;
            n++;
        }
        before = x;
    }
    if (n == 0 || isnan(sum / n))
        expect_null(value, what);
    else
        expect_double(value, sum / n, what);
}

static void expect_group(struct all *a, const struct group *g, const struct skep_result_group *rg,
                         const struct skep_result *r, const char *what)
{
    const struct skep_plan *p = a->plan;
    int64_t whole = p->range.end_ns - p->range.start_ns;
    char name[512];
    for (unsigned i = 0; i < p->n_aggs; i++) {
        struct cell total = {0};
        const struct cell *cells = &g->cells[i * a->n_buckets];
        skep_str op = skep_agg_op_name(p->aggs[i].op, p->aggs[i].param);
        snprintf(name, sizeof name, "%s: " SKEP_STRFMT "(" SKEP_STRFMT ")", what, SKEP_STRARG(op),
                 SKEP_STRARG(p->aggs[i].field.name));
        for (unsigned b = 0; b < a->n_buckets; b++)
            append(&total, &cells[b]);
        bool rate = p->aggs[i].op >= SKEP_AGG_RATE_AVG && p->aggs[i].op <= SKEP_AGG_RATE_MAX;
        if (rate && p->granularity_ns > 0)
            expect_rates(a, i, cells, &rg->values[i], &rg->series[i * a->n_buckets], name);
        expect_cell(a, i, &total, &rg->values[i], whole, r, name);
        drop(&total);
        for (unsigned b = 0; p->granularity_ns > 0 && b < a->n_buckets; b++) {
            int64_t bs = a->bucket0 + b * p->granularity_ns, be = bs + p->granularity_ns;
            bs = bs > p->range.start_ns ? bs : p->range.start_ns;
            be = be < p->range.end_ns ? be : p->range.end_ns;
            expect_cell(a, i, &cells[b], &rg->series[i * a->n_buckets + b], be - bs, r, name);
        }
    }
}

void ref_check(const struct ref_data *d, const struct skep_plan *plan, const struct skep_result *r,
               const char *what)
{
    struct all a = {.data = d, .plan = plan, .n_buckets = 1, .bucket0 = plan->range.start_ns};
    ref_traces_forget(d);
    skep_arena_init(&a.arena, "reference", NULL);
    if (plan->granularity_ns > 0) {
        a.bucket0 -= a.bucket0 % plan->granularity_ns;
        a.n_buckets = (unsigned)((plan->range.end_ns - 1 - a.bucket0) / plan->granularity_ns) + 1;
        assert_int_equal(r->n_buckets, a.n_buckets);
        assert_int_equal(r->bucket_starts[0], a.bucket0);
    }
    for (unsigned i = 0; i < d->n; i++)
        for (uint32_t row = 0; row < d->batches[i]->n_rows; row++)
            if (ref_alive(d, i, row))
                collect_row(&a, i, row);
    assert_int_equal(r->n_groups_total, plan->n_groups ? a.n : a.n ? 1 : 0);
    struct group total = {.cells = skep_alloc_n(struct cell, plan->n_aggs * a.n_buckets)};
    for (size_t g = 0; g < a.n; g++)
        for (unsigned k = 0; k < plan->n_aggs * a.n_buckets; k++)
            append(&total.cells[k], &a.groups[g].cells[k]);
    for (size_t g = 0; g < r->n_groups; g++) {
        struct group *want = find_group(&a, r->groups[g].key, false);
        if (!want)
            fail_msg("%s: a group that no row has", what);
        expect_group(&a, want, &r->groups[g], r, what);
    }
    char name[300];
    snprintf(name, sizeof name, "%s: totals", what);
    expect_group(&a, &total, &r->totals, r, name);
    for (unsigned k = 0; k < plan->n_aggs * a.n_buckets; k++) {
        drop(&total.cells[k]);
        for (size_t g = 0; g < a.n; g++)
            drop(&a.groups[g].cells[k]);
    }
    for (size_t g = 0; g < a.n; g++)
        skep_free(a.groups[g].cells);
    skep_free(total.cells);
    skep_free(a.groups);
    skep_arena_done(&a.arena);
}

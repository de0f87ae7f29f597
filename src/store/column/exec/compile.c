// SPDX-License-Identifier: Apache-2.0
/* From the plan's filter to tests the executor can run over columns.
 *
 * A number test becomes closed intervals: one set for integer columns, one for doubles, one for
 * nanoseconds that read as milliseconds.  As every stored value maps monotonically to a number, the
 * ends are found by bisection with the exact comparison of plan/compare.h - so intervals agree with
 * skep_value_passes() to the last bit (I1) and no case of rounding is handled by hand.
 *
 * Threads: one, before the workers start.  Memory: the query's arena. */
#include "store/column/exec/relate.h"

#include "base/assert.h"
#include "base/mem.h"
#include "plan/compare.h"

#include <math.h>
#include <stdlib.h>

uint32_t skep_x__name(struct skep_x_query *q, skep_str name)
{
    for (unsigned i = 0; i < q->n_names; i++)
        if (skep_str_eq(q->names[i].name, name))
            return i;
    SKEP_GROW(q->names, q->n_names, q->cap_names);
    struct skep_x_name *n = &q->names[q->n_names];
    *n = (struct skep_x_name){.name = name, .computed = skep_plan_computed(q->plan, name)};
    if (n->computed) {
        uint32_t at = q->n_names++;
        skep_x__compile_computed(q, at);
        return at;
    }
    n->view = skep_view_find(name);
    if (n->view && n->view->how == SKEP_VIEW_ENUM) {
        n->view_values = skep_new_n(&q->arena, skep_value, n->view->n_table);
        for (unsigned i = 0; i < n->view->n_table; i++)
            if (n->view->table[i].n > 0)
                n->view_values[i] = (skep_value){.type = SKEP_TYPE_STRING, .s = n->view->table[i]};
    }
    return q->n_names++;
}

/* Doubles in order, as integers: -inf .. +inf without NaN. */
static double key_double(int64_t key)
{
    uint64_t bits = key < 0 ? (uint64_t)(-(key + 1)) | 1ull << 63 : (uint64_t)key;
    double f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

enum stored { STORED_INT, STORED_NS, STORED_DOUBLE };

/* Order of the stored value behind a key against a literal number. */
static int key_cmp(enum stored kind, int64_t key, const skep_value *x)
{
    bool x_int = x->type == SKEP_TYPE_INT;
    if (kind == STORED_INT)
        return x_int ? (key > x->i) - (key < x->i) : skep_cmp_int_double(key, x->f);
    double f = kind == STORED_NS ? (double)key / 1e6 : key_double(key);
    return x_int ? -skep_cmp_int_double(x->i, f) : (f > x->f) - (f < x->f);
}

/* First key in [lo, hi] whose order is >= at; hi + 1 if none. */
static skep_i128 first_key(enum stored kind, const skep_value *x, int at, int64_t lo, int64_t hi)
{
    skep_i128 a = lo, b = (skep_i128)hi + 1;
    while (a < b) {
        skep_i128 mid = a + (b - a) / 2;
        if (key_cmp(kind, (int64_t)mid, x) >= at)
            b = mid;
        else
            a = mid + 1;
    }
    return a;
}

/* Keys that pass; false when none does. */
static bool key_span(enum stored kind, enum skep_cmp op, const skep_value *x,
                     struct skep_x_span *ret)
{
    int64_t inf = 0x7ff0000000000000;
    int64_t min = kind == STORED_DOUBLE ? -inf - 1 : INT64_MIN;
    int64_t max = kind == STORED_DOUBLE ? inf : INT64_MAX;
    if (x->type == SKEP_TYPE_DOUBLE && isnan(x->f))
        return false;
    skep_i128 at = first_key(kind, x, 0, min, max), above = first_key(kind, x, 1, min, max);
    skep_i128 lo = min, hi = max;
    if (op == SKEP_CMP_EQ || op == SKEP_CMP_GE)
        lo = at;
    if (op == SKEP_CMP_GT)
        lo = above;
    if (op == SKEP_CMP_EQ || op == SKEP_CMP_LE)
        hi = above - 1;
    if (op == SKEP_CMP_LT)
        hi = at - 1;
    if (lo > hi)
        return false;
    *ret = (struct skep_x_span){(int64_t)lo, (int64_t)hi};
    return true;
}

static int span_order(const void *a, const void *b)
{
    int64_t x = ((const struct skep_x_span *)a)->lo, y = ((const struct skep_x_span *)b)->lo;
    return x < y ? -1 : x > y;
}

static unsigned number_spans(struct skep_x_query *q, const struct skep_test *t, enum skep_cmp op,
                             enum stored kind, struct skep_x_span **ret)
{
    struct skep_x_span *spans = skep_new_n(&q->arena, struct skep_x_span, t->n_values);
    unsigned n = 0;
    for (unsigned i = 0; i < t->n_values; i++) {
        const skep_value *x = &t->values[i];
        if (x->type != SKEP_TYPE_INT && x->type != SKEP_TYPE_DOUBLE)
            continue;
        if (key_span(kind, op, x, &spans[n]))
            n++;
    }
    qsort(spans, n, sizeof spans[0], span_order);
    *ret = spans;
    return n;
}

static bool parse_trace_id(skep_str s, skep_trace_id *ret)
{
    char back[40];
    skep_trace_id id = {{0}};
    if (s.n == 32) {
        if (!skep_hex_decode(s, id.b, 16))
            return false;
    } else if (s.n != 16 || !skep_hex_decode(s, id.b + 8, 8)) {
        return false;
    }
    *ret = id;
    /* Only the spelling of the view itself: the other ones are other strings. */
    return skep_str_eq((skep_str){back, skep_x__hex16(&id, back)}, s);
}

static bool parse_span_id(skep_str s, uint64_t *ret)
{
    char back[40];
    uint8_t b[8];
    if (s.n != 16 || !skep_hex_decode(s, b, 8))
        return false;
    memcpy(ret, b, 8);
    return skep_str_eq((skep_str){back, skep_x__hex8(*ret, back)}, s);
}

static void string_values(struct skep_x_query *q, struct skep_x_test *x)
{
    const struct skep_test *t = x->t;
    x->str_eq = true;
    x->strs = skep_new_n(&q->arena, skep_str, t->n_values);
    x->hashes = skep_new_n(&q->arena, uint64_t, t->n_values);
    x->ids = skep_new_n(&q->arena, skep_trace_id, t->n_values);
    x->span_ids = skep_new_n(&q->arena, uint64_t, t->n_values);
    for (unsigned i = 0; i < t->n_values; i++) {
        if (t->values[i].type != SKEP_TYPE_STRING)
            continue;
        skep_str s = t->values[i].s;
        x->strs[x->n_strs] = s;
        x->hashes[x->n_strs++] = skep_hash(skep_str_bytes(s));
        if (parse_trace_id(s, &x->ids[x->n_ids]))
            x->n_ids++;
        if (parse_span_id(s, &x->span_ids[x->n_spans]))
            x->n_spans++;
    }
}

static uint32_t compile_test(struct skep_x_query *q, const struct skep_test *t)
{
    SKEP_GROW(q->tests, q->n_tests, q->cap_tests);
    struct skep_x_test *x = &q->tests[q->n_tests];
    *x = (struct skep_x_test){.t = t, .negative = skep_cmp_negative(t->op)};
    x->exists = t->op == SKEP_CMP_EXISTS || t->op == SKEP_CMP_NOT_EXISTS;
    x->name = skep_str_eq(t->field.name, SKEP_STR("*")) ? SKEP_X_ANY_FIELD
                                                        : skep_x__name(q, t->field.name);
    enum skep_cmp op = t->op == SKEP_CMP_NE ? SKEP_CMP_EQ : t->op;
    if (op <= SKEP_CMP_GE) {
        struct skep_x_span *keys = NULL;
        x->n_ints = number_spans(q, t, op, STORED_INT, &x->ints);
        x->n_ns = number_spans(q, t, op, STORED_NS, &x->ns);
        x->n_doubles = number_spans(q, t, op, STORED_DOUBLE, &keys);
        x->doubles = skep_new_n(&q->arena, struct skep_x_fspan, x->n_doubles);
        for (unsigned i = 0; i < x->n_doubles; i++)
            x->doubles[i] = (struct skep_x_fspan){key_double(keys[i].lo), key_double(keys[i].hi)};
    }
    if (op == SKEP_CMP_EQ && !t->fold_case)
        string_values(q, x);
    return q->n_tests++;
}

/* A test of the root or parent: does the relative pass the positive test?  Without a relative it
 * does not, as an absent field does not; the negative operators are the contrary. */
static struct skep_x_expr *related_test(struct skep_x_query *q, const struct skep_test *t)
{
    struct skep_test *own = skep_new(&q->arena, struct skep_test);
    struct skep_x_expr *kid = skep_new(&q->arena, struct skep_x_expr);
    struct skep_x_expr *x = skep_new(&q->arena, struct skep_x_expr);
    *own = *t;
    own->field.relation = SKEP_REL_SELF;
    if (skep_cmp_negative(t->op))
        own->op = skep_cmp_positive(t->op);
    *kid = (struct skep_x_expr){.op = SKEP_EXPR_TEST, .test = compile_test(q, own)};
    *x = (struct skep_x_expr){.op = SKEP_EXPR_RELATED,
                              .test = skep_x__rel(q, t->field.relation, kid, false)};
    if (!skep_cmp_negative(t->op))
        return x;
    struct skep_x_expr *not = skep_new(&q->arena, struct skep_x_expr);
    *not = (struct skep_x_expr){
        .op = SKEP_EXPR_NOT, .n_kids = 1, .kids = skep_new(&q->arena, struct skep_x_expr *)};
    not ->kids[0] = x;
    return not ;
}

static struct skep_x_expr *compile_new(struct skep_x_query *q, const struct skep_expr *e)
{
    if (e->op == SKEP_EXPR_TEST && e->test.field.relation != SKEP_REL_SELF)
        return related_test(q, &e->test);
    struct skep_x_expr *x = skep_new(&q->arena, struct skep_x_expr);
    x->op = e->op;
    if (e->op == SKEP_EXPR_RELATED) {
        x->test = skep_x__rel(q, e->relation, skep_x__compile(q, e->kids[0]), false);
        return x;
    }
    if (e->op == SKEP_EXPR_LASTS) {
        struct skep_test *t = skep_new(&q->arena, struct skep_test);
        *t = e->test;
        t->field = (struct skep_field_ref){.name = SKEP_STR("duration_ms")};
        x->op = SKEP_EXPR_RELATED;
        x->test = skep_x__rel(q, SKEP_REL_ANY, NULL, false);
        q->rels[x->test].lasts = true;
        q->rels[x->test].lasts_test = compile_test(q, t);
        return x;
    }
    if (e->op == SKEP_EXPR_SAME) {
        x->op = SKEP_EXPR_RELATED;
        x->test = skep_x__rel_same(q, e->same.relation, e->same.name);
        return x;
    }
    if (e->op == SKEP_EXPR_TEST) {
        x->test = compile_test(q, &e->test);
        return x;
    }
    if (e->op == SKEP_EXPR_TRUE)
        return x;
    if (e->op == SKEP_EXPR_AND)
        x->test = q->n_turns++;
    x->n_kids = e->n_kids;
    x->kids = skep_new_n(&q->arena, struct skep_x_expr *, e->n_kids);
    for (unsigned i = 0; i < e->n_kids; i++)
        x->kids[i] = skep_x__compile(q, e->kids[i]); /* depth checked by skep_plan_check */
    return x;
}

/* What stands in several places is compiled once. */
struct skep_x_expr *skep_x__compile(struct skep_x_query *q, const struct skep_expr *e)
{
    for (unsigned i = 0; i < q->n_compiled; i++) {
        struct skep_x_expr *x = q->compiled[i].x;
        if (q->compiled[i].of != e)
            continue;
        if (x->shared == 0 && x->op != SKEP_EXPR_TRUE)
            x->shared = ++q->n_shared;
        return x;
    }
    struct skep_x_expr *x = compile_new(q, e);
    SKEP_GROW(q->compiled, q->n_compiled, q->cap_compiled);
    q->compiled[q->n_compiled++] = (struct skep_x_compiled){e, x};
    return x;
}

struct skep_x_expr *skep_x__compile_filter(struct skep_x_query *q)
{
    struct skep_x_expr *filter = q->plan->filter ? skep_x__compile(q, q->plan->filter) : NULL;
    if (q->plan->dataset.n == 0)
        return filter;
    struct skep_value *v = skep_new(&q->arena, skep_value);
    *v = (skep_value){.type = SKEP_TYPE_STRING, .s = q->plan->dataset};
    struct skep_test *t = skep_new(&q->arena, struct skep_test);
    *t = (struct skep_test){.field.name = SKEP_STR("dataset"),
                            .op = SKEP_CMP_EQ,
                            .values = v,
                            .n_values = 1,
                            .fold_case = true};
    struct skep_x_expr *both = skep_new(&q->arena, struct skep_x_expr);
    both->op = SKEP_EXPR_AND;
    both->test = q->n_turns++;
    both->kids = skep_new_n(&q->arena, struct skep_x_expr *, 2);
    both->kids[0] = skep_new(&q->arena, struct skep_x_expr);
    both->kids[0]->op = SKEP_EXPR_TEST;
    both->kids[0]->test = compile_test(q, t);
    /* The stored column, whatever attributes are called the same. */
    q->tests[both->kids[0]->test].name = skep_x__name(q, SKEP_STR("\x01"
                                                                  "dataset"));
    q->names[q->tests[both->kids[0]->test].name].view = skep_view_find(SKEP_STR("dataset"));
    both->n_kids = 1;
    if (filter)
        both->kids[both->n_kids++] = filter;
    return both;
}

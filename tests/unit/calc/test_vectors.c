// SPDX-License-Identifier: Apache-2.0
/* Expressions a column at a time: what comes out is what evaluating row by row gives, type and
 * bits, for expressions made by chance over columns of every type, with rows without values,
 * infinities and integers at the edges; and the usual expressions are taken. */
#include <stdlib.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "calc/vectors.h"

enum { ROWS = SKEP_CALC_ROWS, COLUMNS = 6, EXPRESSIONS = 30000, DEEPEST = 4 };

static uint64_t seed;
static SKEP_WRAPS unsigned below(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

/* Columns 0 and 1: integers, all present and not; 2 and 3 doubles likewise; 4 bools; 5 texts. */
static skep_value value_of(unsigned column)
{
    static const int64_t ints[] = {0, 1, -1, 7, 400, 500, INT64_MAX, INT64_MIN, 1ll << 53};
    static const double doubles[] = {0.0, -0.0, 0.5, 12.25, 50, 1e300, -1e300, 1000, 1000.5};
    static const char *const texts[] = {"true", "5", "abc", ""};
    bool absent = (column % 2 == 1 || column == 4) && below(4) == 0;
    if (absent)
        return (skep_value){.type = SKEP_TYPE_NULL};
    switch (column) {
    case 0: return (skep_value){.type = SKEP_TYPE_INT, .i = below(1000)};
    case 1:
        return (skep_value){.type = SKEP_TYPE_INT,
                            .i = below(20) ? (int64_t)below(600) - 50
                                           : ints[below(SKEP_ARRAY_LEN(ints))]};
    case 2: return (skep_value){.type = SKEP_TYPE_DOUBLE, .f = below(100000) / 64.0};
    case 3:
        return (skep_value){.type = SKEP_TYPE_DOUBLE,
                            .f = below(40) == 0   ? (double)INFINITY
                                 : below(40) == 0 ? (double)NAN
                                                  : doubles[below(SKEP_ARRAY_LEN(doubles))]};
    case 4: return (skep_value){.type = SKEP_TYPE_BOOL, .b = below(2)};
    default:
        return (skep_value){.type = SKEP_TYPE_STRING,
                            .s = skep_str_c(texts[below(SKEP_ARRAY_LEN(texts))])};
    }
}

struct table {
    skep_value values[COLUMNS][ROWS];
    skep_value *by_column[COLUMNS];
    uint8_t present[COLUMNS][ROWS], bools[ROWS];
    int64_t ints[2][ROWS];
    double doubles[2][ROWS];
    struct skep_calc_vec columns[COLUMNS];
};

static struct table *table_new(void)
{
    struct table *t = skep_alloc(struct table);
    for (unsigned c = 0; c < COLUMNS; c++) {
        struct skep_calc_vec *v = &t->columns[c];
        t->by_column[c] = t->values[c];
        for (unsigned r = 0; r < ROWS; r++) {
            skep_value x = t->values[c][r] = value_of(c);
            t->present[c][r] = x.type != SKEP_TYPE_NULL;
            if (c < 2) /* places without a value hold anything */
                t->ints[c][r] = x.type == SKEP_TYPE_NULL ? INT64_MAX : x.i;
            else if (c < 4)
                t->doubles[c - 2][r] = x.type == SKEP_TYPE_NULL ? (double)NAN : x.f;
            else if (c == 4)
                t->bools[r] = x.type == SKEP_TYPE_NULL || x.b;
        }
        v->type = c < 2    ? SKEP_TYPE_INT
                  : c < 4  ? SKEP_TYPE_DOUBLE
                  : c == 4 ? SKEP_TYPE_BOOL
                           : SKEP_TYPE_COUNT;
        v->present = c == 0 || c == 2 ? NULL : t->present[c];
        v->ints = c < 2 ? t->ints[c] : NULL;
        v->doubles = c >= 2 && c < 4 ? t->doubles[c - 2] : NULL;
        v->bools = c == 4 ? t->bools : NULL;
    }
    return t;
}

static struct skep_calc *call(struct skep_arena *a, const char *fn, struct skep_calc **args,
                              unsigned n)
{
    struct skep_calc *e = NULL;
    unsigned wrong;
    skep_err err;
    if (skep_calc_call(a, skep_calc_find_derived(skep_str_c(fn)), args, n, &e, &wrong, &err) !=
        SKEP_OK)
        fail_msg("%s: %s", fn, err.text);
    return e;
}

static struct skep_calc *number(struct skep_arena *a, int64_t i)
{
    return skep_calc_const(a, (skep_value){.type = SKEP_TYPE_INT, .i = i});
}

static struct skep_calc *random_leaf(struct skep_arena *a)
{
    if (below(3) > 0)
        return skep_calc_field(a, below(16) ? below(5) : 5, false);
    return skep_calc_const(a, below(6) ? value_of(below(16) ? below(5) : 5)
                                       : (skep_value){.type = SKEP_TYPE_NULL});
}

static struct skep_calc *random_expression(struct skep_arena *a, unsigned depth)
{
    static const struct {
        const char *name;
        unsigned min, max;
    } fns[] = {{"IF", 2, 5},    {"LT", 2, 2},     {"LTE", 2, 2},        {"GT", 2, 2},
               {"GTE", 2, 2},   {"EQUALS", 2, 2}, {"IN", 2, 4},         {"AND", 1, 3},
               {"OR", 1, 3},    {"NOT", 1, 1},    {"EXISTS", 1, 1},     {"SUM", 1, 3},
               {"SUB", 2, 3},   {"MUL", 1, 3},    {"DIV", 2, 2},        {"INT", 1, 1},
               {"FLOAT", 1, 1}, {"BOOL", 1, 1},   {"NOT_EQUALS", 2, 2}, {"BUCKET", 1, 1}};
    if (depth == 0)
        return random_leaf(a);
    unsigned at = below(SKEP_ARRAY_LEN(fns));
    unsigned n = fns[at].min + below(fns[at].max - fns[at].min + 1);
    struct skep_calc **args = skep_new_n(a, struct skep_calc *, 5);
    for (unsigned i = 0; i < n; i++)
        args[i] = random_expression(a, below(depth));
    if (strcmp(fns[at].name, "BUCKET") == 0) {
        int64_t least = (int64_t)below(50) - 25;
        args[n++] = number(a, 1 + below(100));
        args[n++] = number(a, least);
        args[n++] = number(a, least + 1 + below(1500));
    }
    return call(a, fns[at].name, args, n);
}

static skep_value at(const struct skep_calc_vectors *v, const struct skep_calc_vec *x, unsigned r)
{
    unsigned n_texts = 0;
    const skep_str *texts = skep_calc_vectors_texts(v, &n_texts);
    skep_value ret = {.type = x->type};
    if (x->type == SKEP_TYPE_NULL || (x->present && !x->present[r]))
        return (skep_value){.type = SKEP_TYPE_NULL};
    if (x->type == SKEP_TYPE_INT)
        ret.i = x->ints[r];
    else if (x->type == SKEP_TYPE_DOUBLE)
        ret.f = x->doubles[r];
    else if (x->type == SKEP_TYPE_BOOL)
        ret.b = x->bools[r];
    else if (x->type == SKEP_TYPE_STRING && x->texts[r] < n_texts)
        ret.s = texts[x->texts[r]];
    else
        fail_msg("a value of type %d", x->type);
    return ret;
}

static bool same(const skep_value *a, const skep_value *b)
{
    if (a->type != b->type)
        return false;
    if (a->type == SKEP_TYPE_STRING)
        return skep_str_eq(a->s, b->s);
    if (a->type == SKEP_TYPE_BOOL)
        return a->b == b->b;
    if (a->type == SKEP_TYPE_DOUBLE && isnan(a->f))
        return isnan(b->f);
    return a->type == SKEP_TYPE_NULL || a->i == b->i; /* doubles: their bits */
}

/* Both ways; false: not a column at a time. */
static bool compare(const struct table *t, const struct skep_calc *e, struct skep_arena *a,
                    unsigned n, unsigned number_of_it)
{
    const struct skep_calc_vectors *v = skep_calc_vectors_new(a, e);
    struct skep_calc_vec got;
    if (!v || !skep_calc_vectors_eval(v, t->columns, n, a, &got))
        return false;
    skep_value *want = skep_new_n(a, skep_value, ROWS);
    struct skep_calc_ctx ctx = {.scratch = a};
    skep_calc_eval(e, &(struct skep_calc_batch){.n = n, .columns = t->by_column}, &ctx, want);
    for (unsigned r = 0; r < n; r++) {
        skep_value x = at(v, &got, r);
        if (!same(&x, &want[r]))
            fail_msg("expression %u, %s, row %u: type %d %lld, not %d %lld", number_of_it,
                     e->fn->name, r, x.type, (long long)x.i, want[r].type, (long long)want[r].i);
    }
    return true;
}

static void as_row_by_row(void **state)
{
    (void)state;
    unsigned done = 0;
    struct table *t = table_new();
    for (unsigned i = 0; i < EXPRESSIONS; i++) {
        struct skep_arena a;
        seed = i * 2 + 1;
        skep_arena_init(&a, "test", NULL);
        done += compare(t, random_expression(&a, 1 + below(DEEPEST)), &a,
                        below(4) ? ROWS : 1 + below(ROWS), i);
        skep_arena_done(&a);
    }
    assert_true(done > EXPRESSIONS / 3);
    skep_free(t);
}

/* DIV of two columns where one is there, comparisons to texts, buckets: all of these are taken. */
static void usual_ones_are_taken(void **state)
{
    (void)state;
    struct table *t = table_new();
    struct skep_arena a;
    skep_arena_init(&a, "test", NULL);
    struct skep_calc *x = skep_calc_field(&a, 1, false), *y = skep_calc_field(&a, 3, false),
                     *z = skep_calc_field(&a, 5, false),
                     *label = skep_calc_const(
                         &a, (skep_value){.type = SKEP_TYPE_STRING, .s = SKEP_STR("5xx")});
    struct skep_calc *quotient =
        call(&a, "IF",
             (struct skep_calc *[]){call(&a, "EXISTS", &x, 1),
                                    call(&a, "DIV", (struct skep_calc *[]){y, x}, 2)},
             2);
    struct skep_calc *class =
        call(&a, "IF",
             (struct skep_calc *[]){call(&a, "GTE", (struct skep_calc *[]){x, number(&a, 500)}, 2),
                                    label},
             2);
    struct skep_calc *bucket =
        call(&a, "BUCKET",
             (struct skep_calc *[]){y, number(&a, 50), number(&a, 0), number(&a, 1000)}, 4);
    assert_true(compare(t, quotient, &a, ROWS, 0));
    assert_true(compare(t, class, &a, ROWS, 1));
    assert_true(compare(t, bucket, &a, ROWS, 2));
    assert_true(compare(t, call(&a, "EXISTS", &z, 1), &a, ROWS, 3));
    assert_null(skep_calc_vectors_new(&a, call(&a, "COALESCE", &x, 1)));
    skep_arena_done(&a);
    skep_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_row_by_row),
        cmocka_unit_test(usual_ones_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

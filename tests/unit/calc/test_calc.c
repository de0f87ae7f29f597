// SPDX-License-Identifier: Apache-2.0
/* Expressions: strict and loose types, null for what cannot be computed, limits, periods; every
 * function of every family on every type of value, without harm. */
#include <cmocka.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>

#include "calc/calc.h"
#include "calc/dates.h"

#define STR(t) ((skep_value){.type = SKEP_TYPE_STRING, .s = SKEP_STR(t)})
#define INT(v) ((skep_value){.type = SKEP_TYPE_INT, .i = (v)})
#define DBL(v) ((skep_value){.type = SKEP_TYPE_DOUBLE, .f = (v)})
#define BOO(v) ((skep_value){.type = SKEP_TYPE_BOOL, .b = (v)})
#define NIL    ((skep_value){.type = SKEP_TYPE_NULL})

static skep_value call(struct skep_arena *a, bool loose, const char *fn, const skep_value *args,
                       unsigned n)
{
    struct skep_calc *e = NULL, **nodes = skep_new_n(a, struct skep_calc *, n + 1);
    struct skep_calc_ctx ctx = {.scratch = a, .loose = loose};
    skep_value ret = NIL;
    unsigned arg;
    skep_err err;
    for (unsigned i = 0; i < n; i++)
        nodes[i] = skep_calc_const(a, args[i]);
    if (skep_calc_call(a, skep_calc_find(skep_str_c(fn)), nodes, n, &e, &arg, &err) != SKEP_OK)
        fail_msg("%s: %s", fn, err.text);
    skep_calc_eval(e, &(struct skep_calc_batch){.n = 1}, &ctx, &ret);
    return ret;
}

static void is(bool loose, const char *fn, const skep_value *args, unsigned n, skep_value want)
{
    struct skep_arena a;
    char x[64], y[64];
    skep_arena_init(&a, "test", NULL);
    skep_value got = call(&a, loose, fn, args, n);
    if (got.type != want.type || !skep_str_eq(skep_calc_text(&got, x), skep_calc_text(&want, y)))
        fail_msg("%s: type %d " SKEP_STRFMT, fn, got.type, SKEP_STRARG(skep_calc_text(&got, x)));
    skep_arena_done(&a);
}

#define IS(loose, fn, want, ...)                                                                   \
    is(loose, fn, (const skep_value[]){__VA_ARGS__},                                               \
       sizeof((const skep_value[]){__VA_ARGS__}) / sizeof(skep_value), want)

static void test_types(void **state)
{
    (void)state;
    IS(true, "add", DBL(3), STR("1"), INT(2));
    IS(false, "add", NIL, STR("1"), INT(2));
    IS(false, "add", INT(3), INT(1), INT(2));
    IS(false, "add", DBL(9223372036854775808.0), INT(INT64_MAX), INT(1));
    IS(false, "mul", DBL(-9223372036854775808.0 * 2), INT(INT64_MIN), INT(2));
    IS(false, "neg", DBL(9223372036854775808.0), INT(INT64_MIN));
    IS(false, "mod", INT(0), INT(INT64_MIN), INT(-1));
    IS(false, "mod", NIL, INT(1), INT(0));
    IS(false, "div", NIL, DBL(1), DBL(0));
    IS(false, "pow", NIL, DBL(1e300), DBL(2));
    IS(true, "eq", BOO(true), STR("1"), DBL(1));
    IS(false, "eq", BOO(false), STR("1"), DBL(1));
    IS(false, "eq", BOO(true), INT(1), DBL(1));
    IS(true, "eq", BOO(false), NIL, NIL);
    IS(true, "ne", BOO(true), NIL, INT(1));
    IS(true, "lt", BOO(true), STR("9"), STR("10"));
    IS(false, "lt", BOO(false), STR("9"), STR("10"));
    IS(true, "concat", STR("1true2.5"), INT(1), STR("true"), DBL(2.5));
    IS(false, "concat", STR("x"), INT(1), STR("x"));
    IS(true, "and", BOO(false), INT(1), STR("yes")); /* a text is not true */
    IS(true, "toInt", NIL, STR("x"));
    IS(false, "toInt", INT(7), STR("7.9"));
    IS(true, "substr", NIL, STR("abc"), INT(-1));
    IS(true, "round", NIL, DBL(1), INT(400));
    IS(true, "hexToDec", NIL, STR("ffffffffffffffff"));
    IS(true, "fromMillis", NIL, DBL(1e19));
}

static void test_wrong_calls(void **state)
{
    (void)state;
    struct skep_arena a;
    struct skep_calc *e = NULL, *args[3];
    unsigned arg;
    skep_err err;
    skep_arena_init(&a, "test", NULL);
    args[0] = skep_calc_field(&a, 0, false);
    args[1] = skep_calc_const(&a, STR("("));
    args[2] = skep_calc_const(&a, STR("x"));
    assert_int_equal(skep_calc_call(&a, skep_calc_find(SKEP_STR("abs")), args, 2, &e, &arg, &err),
                     SKEP_EINVAL);
    assert_int_equal(arg, UINT_MAX);
    assert_int_equal(
        skep_calc_call(&a, skep_calc_find(SKEP_STR("regexReplace")), args, 3, &e, &arg, &err),
        SKEP_EINVAL);
    assert_int_equal(arg, 1);
    args[1] = args[0]; /* no constant */
    assert_int_equal(
        skep_calc_call(&a, skep_calc_find(SKEP_STR("datefloor")), args, 2, &e, &arg, &err),
        SKEP_EINVAL);
    assert_null(skep_calc_find(SKEP_STR("nothing")));
    skep_arena_done(&a);
}

/* Results that grow without end are null, and memory that is not there is noted. */
static void test_limits(void **state)
{
    (void)state;
    struct skep_budget budget;
    struct skep_arena a, scratch;
    static char large[SKEP_LIMIT_CALC_TEXT / 2 + 1];
    memset(large, 'a', sizeof large);
    const skep_value v = {.type = SKEP_TYPE_STRING, .s = {large, sizeof large}};
    IS(true, "concat", NIL, v, v);
    IS(true, "replace", NIL, v, STR("a"), STR("bbb"));
    IS(true, "urlencode", v, v);
    skep_arena_init(&a, "test", NULL);
    skep_budget_init(&budget, "test", 4096, NULL);
    skep_arena_init(&scratch, "test", &budget);
    struct skep_calc *args[2] = {skep_calc_const(&a, v), skep_calc_const(&a, STR("x"))}, *e = NULL;
    struct skep_calc_ctx ctx = {.scratch = &scratch};
    skep_value ret;
    unsigned arg;
    skep_err err;
    assert_int_equal(
        skep_calc_call(&a, skep_calc_find(SKEP_STR("concat")), args, 2, &e, &arg, &err), SKEP_OK);
    skep_calc_eval(e, &(struct skep_calc_batch){.n = 1}, &ctx, &ret);
    assert_true(ctx.short_of_memory && ret.type == SKEP_TYPE_NULL);
    skep_arena_done(&scratch);
    skep_arena_done(&a);
}

/* Whatever stands in the fields: a value of a type, and no harm. */
static void test_everything(void **state)
{
    (void)state;
    static const skep_value odd[] = {
        {.type = SKEP_TYPE_NULL},
        {.type = SKEP_TYPE_STRING, .s = SKEP_STR_INIT("")},
        {.type = SKEP_TYPE_STRING, .s = SKEP_STR_INIT("\xc3\xab%4 [1,\"x\"] +1e400")},
        {.type = SKEP_TYPE_INT, .i = INT64_MIN},
        {.type = SKEP_TYPE_INT, .i = INT64_MAX},
        {.type = SKEP_TYPE_DOUBLE, .f = -1e308},
        {.type = SKEP_TYPE_BOOL, .b = true},
        {.type = SKEP_TYPE_ARRAY, .s = SKEP_STR_INIT("{\"a\":[1,null,{}]}")},
        {.type = SKEP_TYPE_ARRAY, .s = SKEP_STR_INIT("[broken")}};
    enum { N = SKEP_ARRAY_LEN(odd) };
    unsigned n_families, n_functions = 0;
    const struct skep_calc_fn *const *families = skep_calc_families(&n_families);
    for (unsigned f = 0; f < n_families; f++) {
        for (const struct skep_calc_fn *fn = families[f]; fn->name; fn++) {
            if (fn->prepare)
                continue; /* takes constants; the fuzzer and the end-to-end test have them */
            struct skep_arena a;
            skep_arena_init(&a, "test", NULL);
            unsigned n = SKEP_MIN(fn->max_args, 4u), arg;
            skep_value columns[4][N], ret[N], *cols[4];
            struct skep_calc *args[4], *e = NULL;
            skep_err err;
            for (unsigned i = 0; i < n; i++)
                args[i] = skep_calc_field(&a, i, false);
            assert_int_equal(skep_calc_call(&a, fn, args, n, &e, &arg, &err), SKEP_OK);
            for (unsigned shift = 0; shift < N * N; shift++) {
                struct skep_calc_ctx ctx = {.scratch = &a, .loose = shift % 2 == 0};
                for (unsigned i = 0; i < 4; i++) {
                    for (unsigned r = 0; r < N; r++)
                        columns[i][r] = odd[(r + i * (shift % N) + i / 2 * (shift / N)) % N];
                    cols[i] = columns[i];
                }
                skep_calc_eval(e, &(struct skep_calc_batch){N, cols}, &ctx, ret);
                for (unsigned r = 0; r < N; r++)
                    assert_true((unsigned)ret[r].type < SKEP_TYPE_COUNT &&
                                (ret[r].type != SKEP_TYPE_DOUBLE || !isnan(ret[r].f)));
            }
            n_functions++;
            skep_arena_done(&a);
        }
    }
    assert_true(n_functions > 60);
}

static void test_periods(void **state)
{
    (void)state;
    struct skep_period p;
    char text[SKEP_INSTANT_BYTES];
    static const struct {
        const char *period;
        int64_t t, want;
    } rows[] = {
        {"5m", 1700000123456, 1700000100000},
        {"1d", -1, -86400000},
        {"90s", 1700000123456, 1700000100000}, /* capped at 60 s */
        {"1w", 1700000123456, 1699833600000},  /* Monday */
        {"1mo", 1700000123456, 1698796800000},
        {"2 years", 1700000123456, 1640995200000},
        {"1q", -1, -7948800000},
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(rows); i++) {
        assert_true(skep_period_parse(skep_str_c(rows[i].period), &p));
        if (skep_period_floor(&p, rows[i].t) != rows[i].want)
            fail_msg("%s: %lld", rows[i].period, (long long)skep_period_floor(&p, rows[i].t));
    }
    static const char *const wrong[] = {"", "m", "0m", "5", "5 parsecs", "-1m", "999999999d"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(wrong); i++)
        assert_false(skep_period_parse(skep_str_c(wrong[i]), &p));
    size_t n = skep_instant_text(-1, text);
    assert_true(skep_str_eq((skep_str){text, n}, SKEP_STR("1969-12-31 23:59:59.999")));
    n = skep_instant_text(INT64_MAX / 1000, text);
    assert_int_equal(n, 23);
}

/* The same time of the same day, or of the month's last. */
static void test_periods_before(void **state)
{
    static const struct {
        const char *period, *from, *want;
    } rows[] = {{"1d", "2026-03-01 00:00:00.001", "2026-02-28 00:00:00.001"},
                {"2w", "2026-01-10 12:30:00.000", "2025-12-27 12:30:00.000"},
                {"1mo", "2026-03-31 23:59:59.999", "2026-02-28 23:59:59.999"},
                {"1mo", "2024-03-30 01:02:03.004", "2024-02-29 01:02:03.004"},
                {"1mo", "2026-01-15 00:00:00.000", "2025-12-15 00:00:00.000"},
                {"1q", "2026-05-31 06:00:00.000", "2026-02-28 06:00:00.000"},
                {"1y", "2024-02-29 06:00:00.000", "2023-02-28 06:00:00.000"}};
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(rows); i++) {
        struct skep_arena a;
        struct skep_period p;
        char text[SKEP_INSTANT_BYTES + 1];
        skep_arena_init(&a, "test", NULL);
        const skep_value args[] = {{.type = SKEP_TYPE_STRING, .s = skep_str_c(rows[i].from)},
                                   STR("yyyy-MM-dd HH:mm:ss.SSS")};
        skep_value from = call(&a, true, "parseDate", args, 2);
        assert_int_equal(from.type, SKEP_TYPE_INT);
        assert_true(skep_period_parse(skep_str_c(rows[i].period), &p));
        text[skep_instant_text(skep_period_before(&p, from.i), text)] = '\0';
        assert_string_equal(text, rows[i].want);
        skep_arena_done(&a);
    }
}

/* f(texts[row]) for all rows, with documents kept or not. */
static void eval_all(struct skep_arena *a, const struct skep_calc *e, struct skep_calc_docs *docs,
                     skep_value *texts, unsigned n, skep_value *ret)
{
    struct skep_calc_ctx ctx = {.scratch = a, .docs = docs};
    skep_calc_eval(e, &(struct skep_calc_batch){n, &texts}, &ctx, ret);
    assert_false(ctx.short_of_memory);
}

/* Functions that look into a document give the same whether it is kept, made of another one or
 * read; also when there are more than are kept, of more bytes, and when texts have changed. */
static void test_documents_kept(void **state)
{
    (void)state;
    enum { N = SKEP_CALC_ROWS, LONG = 12000 };
    struct skep_arena a;
    struct skep_budget budget;
    skep_arena_init(&a, "test", NULL);
    skep_budget_init(&budget, "documents", 64 << 20, NULL);
    struct skep_calc_docs *docs = skep_calc_docs_new(&budget);
    struct skep_calc *text = skep_calc_field(&a, 0, false), *of[4], *e[5];
    unsigned arg;
    skep_err err;
    struct skep_calc *key[2] = {text, skep_calc_const(&a, STR("k"))};
#define CALL(to, name, args, n)                                                                    \
    assert_int_equal(                                                                              \
        skep_calc_call(&a, skep_calc_find(SKEP_STR(name)), args, n, &(to), &arg, &err), SKEP_OK)
    CALL(of[0], "jsonParse", &text, 1);
    struct skep_calc *in[2] = {of[0], key[1]};
    CALL(e[0], "path", key, 2);
    CALL(e[1], "path", in, 2);
    CALL(e[2], "jsonParse", &text, 1);
    CALL(e[3], "jsonArraySize", in, 1);
    CALL(e[4], "jsonArraySize", &e[0], 1);
#undef CALL
    static char texts[N][LONG];
    skep_value v[N], got[N], want[N];
    for (int round = 0; round < 4; round++) {
        for (unsigned i = 0; i < N; i++) {
            int n = 0;
            switch ((i + (unsigned)round) % 8) {
#define FORM(k, f)                                                                                 \
    case k: n = snprintf(texts[i], LONG, f, i * 7 + (unsigned)round); break;
                FORM(0, "{ \"k\" : %u.50, \"l\": [1] }")
                FORM(1, "{\"k\":[%u, 2]}")
                FORM(2, "[%u,{\"k\":1}]")
                FORM(3, "{\"k\":%u")
                FORM(4, "\"{\\\"k\\\":%u}\"")
                FORM(5, "%u")
                FORM(6, "no document, %u")
            default: n = snprintf(texts[i], LONG, "{\"k\":{\"x\":%u}}", i);
#undef FORM
            }
            if (round > 1 && n > 1) { /* long ones: blanks behind */
                int more = round == 2 ? 6000 : LONG - 100;
                memset(texts[i] + n, ' ', (size_t)(more - n));
                n = more;
            }
            v[i] = (skep_value){.type = SKEP_TYPE_STRING, .s = {texts[i], (size_t)n}};
        }
        skep_calc_docs_clear(docs);
        for (unsigned k = 0; k < SKEP_ARRAY_LEN(e); k++) {
            eval_all(&a, e[k], docs, v, N, got);
            eval_all(&a, e[k], NULL, v, N, want);
            for (unsigned i = 0; i < N; i++) {
                char x[64], y[64];
                if (got[i].type != want[i].type ||
                    !skep_str_eq(skep_calc_text(&got[i], x), skep_calc_text(&want[i], y)))
                    fail_msg("function %u of '%.80s'", k, texts[i]);
            }
        }
        assert_in_range(budget.used_bytes, 1, 12 << 20);
    }
    skep_calc_docs_free(docs);
    assert_int_equal(budget.used_bytes, 0);
    skep_arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),          cmocka_unit_test(test_wrong_calls),
        cmocka_unit_test(test_limits),         cmocka_unit_test(test_everything),
        cmocka_unit_test(test_periods),        cmocka_unit_test(test_periods_before),
        cmocka_unit_test(test_documents_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

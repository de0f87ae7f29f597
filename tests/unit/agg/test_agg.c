// SPDX-License-Identifier: Apache-2.0
/* Aggregate states: one conformance suite over the whole table, and what each promises alone. */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "agg/agg_priv.h"
#include "agg/heat.h"
#include "agg/hist.h"
#include "base/mem.h"

static uint64_t seed = 88172645463325252ull;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

struct value {
    enum skep_agg_form form;
    int64_t i;
    double f;
    int64_t weight;
};

static const double doubles[] = {0.0,
                                 -0.0,
                                 1.5,
                                 -2.25,
                                 1e-300,
                                 5e-324,
                                 1.7e308,
                                 -1e19,
                                 0.1,
                                 0.3,
                                 NAN,
                                 1234.5,
                                 9007199254740993.0};
static const int64_t ints[] = {0, 1, -1, 200, INT64_MAX, INT64_MIN, 9007199254740993, 77};

static struct value random_value(bool odd)
{
    struct value v = {.weight = rnd() % 3 ? 1 : (int64_t)(1 + rnd() % 50)};
    switch (rnd() % 3) {
    case 0:
        v.form = SKEP_AGG_I64;
        v.i = odd && rnd() % 4 == 0 ? ints[rnd() % SKEP_ARRAY_LEN(ints)]
                                    : (int64_t)(rnd() % 100000) - 500;
        break;
    case 1:
        v.form = SKEP_AGG_F64;
        v.f = odd && rnd() % 4 == 0 ? doubles[rnd() % SKEP_ARRAY_LEN(doubles)]
                                    : (double)(rnd() % 1000003) / 997.0;
        break;
    default:
        v.form = SKEP_AGG_NS;
        v.i = (int64_t)(rnd() % 10000000000);
        break;
    }
    return v;
}

/* Add one value to a state, in the form the state wants. */
static void add_one(const struct skep_agg *agg, const struct skep_state_ops *ops, void *state,
                    struct value v, struct skep_agg_mem *mem)
{
    static struct skep_ids zero = {.constant = true};
    uint64_t hash = v.form == SKEP_AGG_F64 ? skep_agg_hash_double(v.f) : skep_agg_hash_int(v.i);
    struct skep_agg_in in = {.agg = agg,
                             .sel = {1, NULL},
                             .cells = &zero,
                             .weight = v.weight,
                             .form = ops->want == SKEP_AGG_WANT_HASHES  ? SKEP_AGG_HASH
                                     : ops->want == SKEP_AGG_WANT_ROWS  ? SKEP_AGG_ROWS
                                     : ops->want == SKEP_AGG_WANT_SPANS ? SKEP_AGG_I64
                                                                        : v.form,
                             .i64 = &v.i,
                             .f64 = &v.f,
                             .hashes = &hash};
    assert_int_equal(ops->add(state, &in, mem), SKEP_OK);
}

static void finish(const struct skep_agg *agg, void *state, char *out, size_t cap)
{
    struct skep_agg_value v = {SKEP_AGG_NULL, 0, 0};
    skep_agg_ops(agg->op)->finish(agg, state, 1000, &v);
    size_t n = (size_t)snprintf(out, cap, "%d %lld %a", (int)v.kind,
                                v.kind == SKEP_AGG_INT ? (long long)v.i : 0ll,
                                v.kind == SKEP_AGG_DOUBLE ? v.f : 0);
    if (v.kind != SKEP_AGG_STATE)
        return;
    struct skep_arena a;
    struct skep_heat_range range = {0};
    struct skep_heat_axis axis;
    uint64_t counts[2000] = {0};
    skep_arena_init(&a, "heat", NULL);
    skep_heat_cover(agg, state, &range);
    skep_heat_axis_make(agg, &range, &a, &axis);
    assert_true(axis.n > 0 && axis.n < 2000);
    skep_heat_count(agg, state, &axis, counts);
    for (unsigned b = 0; b < axis.n; b++) {
        assert_true(axis.edges[b] <= axis.edges[b + 1]);
        n += (size_t)snprintf(out + n, cap - n, " %a:%llu", axis.edges[b],
                              (unsigned long long)counts[b]);
    }
    skep_arena_done(&a);
}

static struct skep_agg agg_of(int op, int variant)
{
    static const double params[] = {0, 50, 99.9, 100};
    struct skep_agg a = {.op = (enum skep_agg_op)op,
                         .param = params[variant % 4],
                         .heat_bins = (unsigned)variant * 7};
    if (op == SKEP_AGG_HEATMAP && variant % 2) {
        a.heat_scale = SKEP_HEAT_LINEAR;
        a.heat_min = -100;
        a.heat_max = 900;
    }
    return a;
}

static const struct skep_state_ops *ops_of(const struct skep_agg *a)
{
    return a->op == SKEP_AGG_HEATMAP && a->heat_scale == SKEP_HEAT_LINEAR
               ? &skep_state_linear
               : skep_agg_ops(a->op)->state;
}

enum { STATE = 256, TEXT = 200000 };

static void pack_sometimes(const struct skep_state_ops *ops, void *state, struct skep_agg_mem *mem)
{
    if (ops->pack && rnd() % 2)
        ops->pack(state, mem);
}

/* However n values are split over k states and in whatever order those are merged, into whatever
 * side, and whether they were packed between, the finished bits are those of one state that saw all
 * of them in order. */
static void any_split(void **state)
{
    (void)state;
    char *want = skep_malloc(TEXT), *got = skep_malloc(TEXT);
    for (int op = 0; op < SKEP_AGG_OP_COUNT; op++) {
        for (int round = 0; round < 40; round++) {
            struct skep_agg_mem mem = {0};
            struct skep_agg agg = agg_of(op, round % 8);
            const struct skep_state_ops *ops = ops_of(&agg);
            static const unsigned sizes[] = {0, 1, 2, 17, 500, 512, 513, 1100, 3000};
            unsigned n = sizes[rnd() % SKEP_ARRAY_LEN(sizes)], k = 1 + (unsigned)(rnd() % 6);
            struct value *v = skep_alloc_n(struct value, n + 1);
            SKEP_ALIGNED(16) uint8_t one[STATE] = {0}, parts[6][STATE] = {{0}};
            assert_true(ops->size <= STATE);
            for (unsigned i = 0; i < n; i++) {
                v[i] = random_value(op != SKEP_AGG_HEATMAP && op != SKEP_AGG_CONCURRENCY);
                add_one(&agg, ops, one, v[i], &mem);
            }
            for (unsigned i = n; i-- > 0;) {
                add_one(&agg, ops, parts[rnd() % k], v[i], &mem);
                if (i % 256 == 77)
                    pack_sometimes(ops, parts[rnd() % k], &mem);
            }
            for (unsigned left = k; left > 1; left--) { /* the last into a random other */
                unsigned to = (unsigned)(rnd() % (left - 1));
                pack_sometimes(ops, parts[to], &mem);
                pack_sometimes(ops, parts[left - 1], &mem);
                assert_int_equal(ops->merge(parts[to], parts[left - 1], &agg, &mem), SKEP_OK);
                if (ops->done)
                    ops->done(parts[left - 1], &mem);
            }
            pack_sometimes(ops, parts[0], &mem);
            finish(&agg, one, want, TEXT);
            finish(&agg, parts[0], got, TEXT);
            if (strcmp(want, got) != 0)
                fail_msg("op %d n %u k %u: %.200s != %.200s", op, n, k, want, got);
            if (ops->done) {
                ops->done(one, &mem);
                ops->done(parts[0], &mem);
            }
            assert_int_equal(mem.used, 0);
            skep_free(v);
        }
    }
    skep_free(want);
    skep_free(got);
}

/* Nothing seen: no value, or zero where the table says so. */
static void empty(void **state)
{
    (void)state;
    for (int op = 0; op < SKEP_AGG_OP_COUNT; op++) {
        SKEP_ALIGNED(16) uint8_t none[STATE] = {0};
        struct skep_agg agg = agg_of(op, 0);
        struct skep_agg_value v = {SKEP_AGG_STATE, 9, 9};
        skep_agg_ops(agg.op)->finish(&agg, none, 1000, &v);
        if (skep_agg_ops(agg.op)->zero)
            assert_true((v.kind == SKEP_AGG_INT && v.i == 0) ||
                        (v.kind == SKEP_AGG_DOUBLE && v.f == 0));
        else
            assert_int_equal(v.kind, SKEP_AGG_NULL);
    }
}

static struct skep_agg_value run(enum skep_agg_op op, double param, const struct value *v, size_t n)
{
    struct skep_agg_mem mem = {0};
    SKEP_ALIGNED(16) uint8_t st[STATE] = {0};
    struct skep_agg agg = {.op = op, .param = param};
    struct skep_agg_value ret = {SKEP_AGG_NULL, 0, 0};
    const struct skep_state_ops *ops = ops_of(&agg);
    for (size_t i = 0; i < n; i++)
        add_one(&agg, ops, st, v[i], &mem);
    skep_agg_ops(op)->finish(&agg, st, 1000, &ret);
    if (ops->done)
        ops->done(st, &mem);
    assert_int_equal(mem.used, 0);
    return ret;
}

static void sums(void **state)
{
    (void)state;
    struct skep_agg_value r;
    struct value big[] = {{SKEP_AGG_I64, INT64_MAX, 0, UINT32_MAX},
                          {SKEP_AGG_I64, INT64_MAX, 0, UINT32_MAX},
                          {SKEP_AGG_I64, INT64_MIN, 0, UINT32_MAX},
                          {SKEP_AGG_I64, INT64_MIN, 0, UINT32_MAX},
                          {SKEP_AGG_I64, 5, 0, 1}};
    r = run(SKEP_AGG_SUM, 0, big, 5);
    assert_int_equal(r.kind, SKEP_AGG_INT); /* far over an int64 in between */
    assert_int_equal(r.i, 5 - 2 * (int64_t)UINT32_MAX);
    r = run(SKEP_AGG_SUM, 0, big, 1);
    assert_int_equal(r.kind, SKEP_AGG_DOUBLE);
    assert_true(r.f == 9223372036854775807.0 * 4294967295.0);
    struct value cancel[] = {{SKEP_AGG_F64, 0, 1e308, 3},
                             {SKEP_AGG_F64, 0, 0.1, 1},
                             {SKEP_AGG_F64, 0, -1e308, 3},
                             {SKEP_AGG_F64, 0, 5e-324, 1}};
    r = run(SKEP_AGG_SUM, 0, cancel, 4);
    assert_true(r.f == 0.1); /* nothing of it is lost under 3e308 */
    r = run(SKEP_AGG_SUM, 0, cancel, 1);
    assert_true(isinf(r.f)); /* 3e308 is no double */
    struct value tenth[10];
    for (int i = 0; i < 10; i++)
        tenth[i] = (struct value){SKEP_AGG_F64, 0, 0.1, 1};
    assert_true(run(SKEP_AGG_SUM, 0, tenth, 10).f == 1.0); /* not 0.9999999999999999 */
    struct value mixed[] = {
        {SKEP_AGG_I64, 2, 0, 1}, {SKEP_AGG_F64, 0, 0.5, 2}, {SKEP_AGG_NS, 1500000, 0, 1}};
    assert_true(run(SKEP_AGG_SUM, 0, mixed, 3).f == 4.5);
    assert_true(run(SKEP_AGG_AVG, 0, mixed, 3).f == 4.5 / 4);
    struct value inf[] = {{SKEP_AGG_F64, 0, INFINITY, 1}, {SKEP_AGG_F64, 0, -INFINITY, 1}};
    assert_true(isinf(run(SKEP_AGG_SUM, 0, inf, 1).f));
    assert_int_equal(run(SKEP_AGG_SUM, 0, inf, 2).kind, SKEP_AGG_NULL);
    struct value nan[] = {{SKEP_AGG_F64, 0, NAN, 1}, {SKEP_AGG_I64, 3, 0, 1}};
    assert_int_equal(run(SKEP_AGG_SUM, 0, nan, 1).kind, SKEP_AGG_NULL);
    assert_int_equal(run(SKEP_AGG_SUM, 0, nan, 2).i, 3);
    assert_true(run(SKEP_AGG_AVG, 0, nan, 2).f == 3);
}

/* The accumulator alone: rounding to nearest even, subnormals, both ends. */
static void exact_sums(void **state)
{
    (void)state;
    struct skep_fsum s = {0};
    int64_t i = 0;
    skep_fsum__add(&s, ((skep_i128)1 << 53) + 1, 0);
    assert_true(skep_fsum__round(&s) == 9007199254740992.0); /* tie to even */
    skep_fsum__add(&s, 1, -1088);
    assert_true(skep_fsum__round(&s) == 9007199254740994.0); /* just above the tie */
    assert_false(skep_fsum__int(&s, &i));
    memset(&s, 0, sizeof s);
    skep_fsum__add(&s, INT64_MIN, 0);
    assert_true(skep_fsum__int(&s, &i) && i == INT64_MIN);
    skep_fsum__add(&s, -1, 0);
    assert_false(skep_fsum__int(&s, &i));
    memset(&s, 0, sizeof s);
    for (int k = 0; k < 1000; k++)
        skep_fsum__add_double(&s, 5e-324, 1);
    assert_true(skep_fsum__round(&s) == 1000 * 5e-324);
    /* against long double, which is exact for these */
    for (int round = 0; round < 2000; round++) {
        memset(&s, 0, sizeof s);
        skep_i128 want = 0;
        for (int k = 0; k < 20; k++) {
            int64_t m = (int64_t)rnd() >> (rnd() % 60);
            uint64_t w = 1 + rnd() % 1000;
            skep_fsum__add(&s, (skep_i128)m * (skep_i128)w, -20);
            want += (skep_i128)m * (skep_i128)w;
        }
        double nearest = ldexp((double)want, -20);
        assert_true(skep_fsum__round(&s) == nearest);
    }
}

static void extremes(void **state)
{
    (void)state;
    struct value v[] = {{SKEP_AGG_F64, 0, 9007199254740992.0, 1},
                        {SKEP_AGG_I64, 9007199254740993, 0, 1},
                        {SKEP_AGG_F64, 0, NAN, 1}};
    struct skep_agg_value r = run(SKEP_AGG_MAX, 0, v, 3);
    assert_int_equal(r.kind, SKEP_AGG_INT);
    assert_int_equal(r.i, 9007199254740993);
    r = run(SKEP_AGG_MIN, 0, v, 3);
    assert_int_equal(r.kind, SKEP_AGG_DOUBLE);
    struct value tie[] = {{SKEP_AGG_F64, 0, 2.0, 1}, {SKEP_AGG_I64, 2, 0, 1}};
    assert_int_equal(run(SKEP_AGG_MIN, 0, tie, 2).kind, SKEP_AGG_INT);
    struct value zero[] = {{SKEP_AGG_F64, 0, -0.0, 1}};
    assert_false(signbit(run(SKEP_AGG_MIN, 0, zero, 1).f));
    assert_int_equal(run(SKEP_AGG_MAX, 0, v + 2, 1).kind, SKEP_AGG_NULL);
}

static int by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Every percentile within 1% of the exact nearest-rank value, over ten powers of ten, both signs.
 */
static void percentile_error(void **state)
{
    (void)state;
    static const double params[] = {0, 0.1, 1, 5, 10, 20, 25, 50, 75, 80, 90, 95, 99, 99.9, 100};
    enum { N = 20000 };
    struct value *v = skep_alloc_n(struct value, N);
    double *s = skep_alloc_n(double, N);
    for (int shape = 0; shape < 4; shape++) {
        for (int i = 0; i < N; i++) {
            double u = (double)(rnd() % 1000000 + 1) / 1000000;
            double x = shape == 0   ? pow(10, 10 * u - 5)
                       : shape == 1 ? -pow(10, 6 * u)
                       : shape == 2 ? (u < 0.3 ? 0 : u - 0.6)
                                    : floor(u * 40);
            v[i] = (struct value){SKEP_AGG_F64, 0, x, 1};
            s[i] = x;
        }
        qsort(s, N, sizeof *s, by_double);
        for (size_t p = 0; p < SKEP_ARRAY_LEN(params); p++) {
            size_t rank = (size_t)((N * (uint64_t)llround(params[p] * 1000) + 99999) / 100000);
            double want = s[rank ? rank - 1 : 0];
            double got = run(SKEP_AGG_PERCENTILE, params[p], v, N).f;
            if (fabs(got - want) > 0.0079 * fabs(want))
                fail_msg("shape %d P%g: %g, exact %g", shape, params[p], got, want);
        }
        assert_true(run(SKEP_AGG_PERCENTILE, 0, v, N).f == s[0]);
        assert_true(run(SKEP_AGG_PERCENTILE, 100, v, N).f == s[N - 1]);
    }
    skep_free(v);
    skep_free(s);
}

enum { CELLS = 5 };

/* Blocks at once and values one by one, of the same rows: the same histograms.  Rows that are left
 * out hold anything, some that are not hold zero, negative numbers, NaN. */
static void percentile_blocks(void **state)
{
    (void)state;
    static const int64_t odd_ns[] = {-1, 0, INT64_MIN, INT64_MAX, 1000000, 64000000, 1};
    static int64_t ns[SKEP_IDS_ROWS];
    static double f64[SKEP_IDS_ROWS];
    static uint16_t rows[SKEP_IDS_ROWS];
    static struct skep_ids cells;
    static int64_t ones[SKEP_IDS_ROWS];
    const struct skep_agg agg = {.op = SKEP_AGG_PERCENTILE, .param = 99};
    for (unsigned r = 0; r < SKEP_IDS_ROWS; r++)
        ones[r] = 1;
    for (int kind = 0; kind < 8; kind++) {
        struct skep_agg_mem mem = {0};
        struct skep_hist_state fast[CELLS] = {{0}}, slow[CELLS] = {{0}};
        bool as_ns = kind & 1, few = kind & 2;
        cells.constant = kind & 4;
        cells.value = 2;
        for (unsigned round = 0; round < 40; round++) {
            unsigned n = 0;
            for (unsigned r = 0; r < SKEP_IDS_ROWS; r++) {
                bool odd = rnd() % 32 == 0, taken = rnd() % (few ? 8 : 32) ? !few : few;
                ns[r] = odd ? odd_ns[rnd() % SKEP_ARRAY_LEN(odd_ns)]
                            : (int64_t)(rnd() % 1000 * (rnd() % 1000000) + 1);
                f64[r] = odd ? doubles[rnd() % SKEP_ARRAY_LEN(doubles)] : (double)ns[r] / 1e3;
                cells.v[r] = (uint32_t)(rnd() % CELLS);
                if (taken)
                    rows[n++] = (uint16_t)r;
            }
            struct skep_agg_in in = {.agg = &agg,
                                     .sel = {n, rows},
                                     .cells = &cells,
                                     .weight = 1,
                                     .form = as_ns ? SKEP_AGG_NS : SKEP_AGG_F64,
                                     .i64 = ns,
                                     .f64 = f64};
            assert_int_equal(skep_state_hist.add(fast, &in, &mem), SKEP_OK);
            for (unsigned i = 0; i < n; i++) {
                in.sel = (struct skep_sel){1, &rows[i]};
                in.weights = ones;
                assert_int_equal(skep_state_hist.add(slow, &in, &mem), SKEP_OK);
            }
        }
        for (unsigned c = 0; c < CELLS; c++)
            for (double q = 0; q <= 100; q += 2.5) {
                struct skep_agg at = {.op = SKEP_AGG_PERCENTILE, .param = q};
                struct skep_agg_value a, b;
                skep_agg_finish_percentile(&at, &fast[c], 1, &a);
                skep_agg_finish_percentile(&at, &slow[c], 1, &b);
                if (a.kind != b.kind || memcmp(&a.f, &b.f, sizeof a.f) != 0)
                    fail_msg("kind %d, cell %u, P%g: %g, one by one %g", kind, c, q, a.f, b.f);
            }
        for (unsigned c = 0; c < CELLS; c++) {
            skep_state_hist.done(&fast[c], &mem);
            skep_state_hist.done(&slow[c], &mem);
        }
        assert_int_equal(mem.used, 0);
    }
}

/* A counter that is full goes on in 64 bits, by adding and by merging. */
static void percentile_full_counters(void **state)
{
    (void)state;
    struct skep_agg_mem mem = {0};
    struct skep_hist_state a = {0}, b = {0};
    const struct skep_agg agg = {.op = SKEP_AGG_PERCENTILE, .param = 50};
    for (int k = 0; k < 600; k++) { /* bins, with something below and above */
        struct value edge = {SKEP_AGG_F64, 0, k % 2 ? 1.0 : 100.0, 1};
        add_one(&agg, &skep_state_hist, &a, edge, &mem);
        add_one(&agg, &skep_state_hist, &b, edge, &mem);
    }
    struct value most = {SKEP_AGG_F64, 0, 10.0, UINT32_MAX}, one = {SKEP_AGG_F64, 0, 10.0, 1};
    add_one(&agg, &skep_state_hist, &a, most, &mem);
    add_one(&agg, &skep_state_hist, &a, one, &mem);
    add_one(&agg, &skep_state_hist, &b, most, &mem);
    assert_int_equal(skep_state_hist.merge(&b, &a, &agg, &mem), SKEP_OK);
    uint64_t all = 0;
    const struct skep_hist_window *w = &b.h->pos;
    for (uint32_t i = 0; i < w->n; i++)
        all += skep_hist__count(w, i);
    assert_int_equal(all, 1200 + 2 * (uint64_t)UINT32_MAX + 1);
    skep_state_hist.done(&a, &mem);
    skep_state_hist.done(&b, &mem);
    assert_int_equal(mem.used, 0);
}

/* Counts of a window as text, by its iterator. */
static void list_window(const struct skep_hist_window *w, char *out, size_t cap)
{
    struct skep_hist_it it = {0};
    uint32_t bin = 0;
    uint64_t n = 0;
    size_t at = 0;
    out[0] = 0;
    while (skep_hist__next(w, &it, &bin, &n) && at < cap)
        at += (size_t)snprintf(out + at, cap - at, "%u:%llu ", bin, (unsigned long long)n);
    assert_true(at < cap);
}

/* Packed windows hold what open ones do, in fewer bytes where most bins are empty, for counts of
 * every size; open with packed, packed with open and packed with packed add up to the same. */
static void percentile_packed(void **state)
{
    (void)state;
    char *want = skep_malloc(TEXT), *got = skep_malloc(TEXT);
    static const uint64_t most[] = {1, 200, 60000, UINT32_MAX, 1ull << 40};
    for (unsigned round = 0; round < 4 * 3 * 5 * SKEP_ARRAY_LEN(most); round++) {
        struct skep_agg_mem mem = {0};
        struct skep_hist_window w[2][2] = {{{0}}}, sum = {0};
        uint64_t limit = most[round / 12 % SKEP_ARRAY_LEN(most)];
        uint32_t spread = round / 60 % 2 ? 100000 : 300, few = round / 120 % 2 ? 20 : 900;
        for (int side = 0; side < 2; side++)
            for (unsigned i = 0; i < few; i++) {
                uint32_t bin = 1000 + (uint32_t)(rnd() % spread);
                uint64_t by = 1 + rnd() % limit;
                for (int packed = 0; packed < 2; packed++)
                    assert_int_equal(skep_hist__bump(&w[side][packed], bin, by, &mem), SKEP_OK);
                assert_int_equal(skep_hist__bump(&sum, bin, by, &mem), SKEP_OK);
            }
        for (int side = 0; side < 2; side++) {
            uint64_t before = mem.used;
            skep_hist__pack(&w[side][1], &mem);
            assert_true(mem.used <= before);
            list_window(&w[side][0], want, TEXT);
            list_window(&w[side][1], got, TEXT);
            assert_string_equal(want, got);
        }
        struct skep_hist_window *into = &w[0][round % 2];
        assert_int_equal(skep_hist__merge(into, &w[1][round / 2 % 2], &mem), SKEP_OK);
        list_window(&sum, want, TEXT);
        list_window(into, got, TEXT);
        assert_string_equal(want, got);
        for (int side = 0; side < 2; side++)
            for (int packed = 0; packed < 2; packed++)
                skep_hist__free(&w[side][packed], &mem);
        skep_hist__free(&sum, &mem);
        assert_int_equal(mem.used, 0);
    }
    skep_free(want);
    skep_free(got);
}

/* Latencies of one route: packed, a kept histogram takes less than a fifth. */
static void percentile_packs_well(void **state)
{
    (void)state;
    struct skep_agg_mem mem = {0};
    struct skep_hist_state s = {0};
    const struct skep_agg agg = {.op = SKEP_AGG_PERCENTILE, .param = 50};
    for (int k = 0; k < 13000; k++) {
        double ms = pow(10, 1.5 + 0.5 * ((double)(rnd() % 1000 + rnd() % 1000) / 1000 - 1));
        if (k % 1000 == 0) /* a few far away make the window wide */
            ms *= k % 2000 ? 1000 : 0.001;
        add_one(&agg, &skep_state_hist, &s, (struct value){SKEP_AGG_F64, 0, ms, 1}, &mem);
    }
    uint64_t open = mem.used;
    skep_state_hist.pack(&s, &mem);
    assert_true(mem.used < open / 5);
    skep_state_hist.done(&s, &mem);
    assert_int_equal(mem.used, 0);
}

static const struct skep_agg p90 = {
    .op = SKEP_AGG_PERCENTILE, .param = 90, .field = {.name = SKEP_STR("ms")}};
static const struct skep_field_ref by_two[] = {{.name = SKEP_STR("a")}, {.name = SKEP_STR("b")}};

/* n values of group (v % 7, v % 3), bucket v % 10, into the partial. */
static void fill_partial(struct skep_partial *p, unsigned n)
{
    char text[2][40];
    for (unsigned i = 0; i < n; i++) {
        uint32_t v = (uint32_t)rnd(), ids[2], tuple = 0, cell = 0;
        for (unsigned g = 0; g < 2; g++) {
            int len = snprintf(text[g], sizeof text[g], "key of column %u, %u", g, v % (g ? 3 : 7));
            skep_value key = {.type = SKEP_TYPE_STRING, .s = {text[g], (size_t)len}};
            if (v % 11 == 0)
                key = (skep_value){.type = SKEP_TYPE_INT, .i = 5};
            assert_int_equal(skep_keys_get(&p->keys[g], &key, skep_agg_hash_value(&key), &ids[g]),
                             SKEP_OK);
        }
        assert_int_equal(skep_pairs_get(&p->tuples[0], ids[0], ids[1], &tuple), SKEP_OK);
        assert_int_equal(skep_partial_cell(p, tuple, v % 10, &cell), SKEP_OK);
        add_one(&p90, p->states[0].ops, skep_partial_state(p, 0, cell),
                (struct value){SKEP_AGG_F64, 0, exp((double)(v % 1000) / 100), 1}, &p->mem);
    }
}

/* Every cell of the partial with its keys and value, in order of its cells. */
static void list_partial(const struct skep_partial *p, char *out)
{
    size_t at = 0;
    for (uint32_t c = 0; c < p->cells.n; c++) {
        uint32_t ids[2];
        char value[100];
        finish(&p90, skep_partial_state(p, 0, c), value, sizeof value);
        skep_partial_tuple_keys(p, p->cells.left[c], ids);
        for (unsigned g = 0; g < 2; g++) {
            const skep_value *k = &p->keys[g].values[ids[g]];
            at += (size_t)snprintf(out + at, TEXT - at, "%d %.*s, ", (int)k->type,
                                   k->type == SKEP_TYPE_STRING ? (int)k->s.n : 0, k->s.p);
        }
        at += (size_t)snprintf(out + at, TEXT - at, "%u: %s\n", p->cells.right[c], value);
        assert_true(at < TEXT);
    }
}

/* A packed partial takes less and is merged to the same bits. */
static void packed_partials(void **state)
{
    (void)state;
    const struct skep_plan plan = {.kind = SKEP_PLAN_AGGREGATE,
                                   .range = {0, 4000},
                                   .granularity_ns = 100,
                                   .aggs = &p90,
                                   .n_aggs = 1,
                                   .groups = by_two,
                                   .n_groups = 2};
    char *want = skep_malloc(TEXT), *got = skep_malloc(TEXT);
    struct skep_partial *p = NULL, *open = NULL, *packed = NULL;
    assert_int_equal(skep_partial_new(&plan, NULL, &open), SKEP_OK);
    assert_int_equal(skep_partial_new(&plan, NULL, &packed), SKEP_OK);
    for (unsigned part = 0; part < 4; part++) {
        assert_int_equal(skep_partial_new(&plan, NULL, &p), SKEP_OK);
        fill_partial(p, part == 3 ? 0 : part == 2 ? 100 : 300000);
        assert_int_equal(skep_partial_merge(open, p), SKEP_OK);
        uint64_t before = skep_partial_bytes(p);
        skep_partial_pack_states(p);
        uint64_t promised = skep_partial_packed_bytes(p);
        skep_partial_pack(p);
        assert_true(skep_partial_bytes(p) <= promised && promised <= before);
        if (part < 2)
            assert_true(skep_partial_bytes(p) < before / 3);
        skep_partial_detach(p);
        assert_int_equal(skep_partial_merge(packed, p), SKEP_OK);
        skep_partial_free(p);
    }
    list_partial(open, want);
    list_partial(packed, got);
    assert_true(strlen(want) > 10000);
    assert_string_equal(want, got);
    skep_partial_free(open);
    skep_partial_free(packed);
    skep_free(want);
    skep_free(got);
}

static void distinct_error(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 1000, 65536, 65537, 200000, 3000000};
    for (size_t k = 0; k < 2 * SKEP_ARRAY_LEN(sizes); k++) {
        struct skep_agg_mem mem = {0};
        SKEP_ALIGNED(16) uint8_t st[STATE] = {0};
        uint32_t exact = k % 2 ? 200000 : 65536;
        struct skep_agg agg = {.op = SKEP_AGG_COUNT_DISTINCT, .exact = k % 2 ? exact : 0};
        struct skep_agg_value r = {SKEP_AGG_NULL, 0, 0};
        uint32_t size = sizes[k / 2];
        for (uint32_t i = 0; i < size; i++)
            for (int twice = 0; twice < 2; twice++)
                add_one(&agg, &skep_state_distinct, st,
                        (struct value){SKEP_AGG_I64, (int64_t)i * 977, 0, 1}, &mem);
        skep_agg_finish_distinct(&agg, st, 1, &r);
        if (size <= exact)
            assert_int_equal(r.i, size);
        else /* 0.41% standard error: four of them */
            assert_true(fabs((double)r.i - size) < 0.0164 * size);
        assert_true(mem.used <= (4 << 20) + 64);
        skep_state_distinct.done(st, &mem);
        assert_int_equal(mem.used, 0);
    }
}

/* Types do not mix: 1, 1.0, true and "1" are four. */
static void distinct_types(void **state)
{
    (void)state;
    skep_value v[] = {{.type = SKEP_TYPE_INT, .i = 1},
                      {.type = SKEP_TYPE_DOUBLE, .f = 1},
                      {.type = SKEP_TYPE_BOOL, .b = true},
                      {.type = SKEP_TYPE_STRING, .s = SKEP_STR("1")},
                      {.type = SKEP_TYPE_BYTES, .s = SKEP_STR("1")},
                      {.type = SKEP_TYPE_EMPTY},
                      {.type = SKEP_TYPE_STRING, .s = SKEP_STR("")}};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(v); i++)
        for (size_t k = 0; k < i; k++)
            assert_true(skep_agg_hash_value(&v[i]) != skep_agg_hash_value(&v[k]));
    assert_true(skep_agg_hash_double(0.0) == skep_agg_hash_double(-0.0));
}

/* Pairs and keys against plain arrays, through growth and the change to hashing. */
static void interners(void **state)
{
    (void)state;
    struct skep_agg_mem mem = {0};
    struct skep_pairs p;
    struct skep_keys k;
    enum { N = 30000 };
    uint32_t *a = skep_alloc_n(uint32_t, N), *b = skep_alloc_n(uint32_t, N), id;
    skep_pairs_init(&p, &mem);
    skep_keys_init(&k, &mem);
    for (uint32_t i = 0; i < N; i++) {
        a[i] = i % 7919;
        b[i] = i / 7919 + (i % 3) * 5000;
        assert_int_equal(skep_pairs_get(&p, a[i], b[i], &id), SKEP_OK);
        assert_int_equal(id, i);
        char text[20];
        int n = snprintf(text, sizeof text, "key %u", i);
        skep_value v = {.type = SKEP_TYPE_STRING, .s = {text, (size_t)n}};
        assert_int_equal(skep_keys_get(&k, &v, skep_agg_hash_value(&v), &id), SKEP_OK);
        assert_int_equal(id, i + 1);
    }
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(skep_pairs_find(&p, a[i], b[i]), i);
    assert_int_equal(skep_pairs_find(&p, 9000, 9000), SKEP_ID_NONE);
    p.frozen = true;
    assert_int_equal(skep_pairs_get(&p, 9000, 9000, &id), SKEP_OK);
    assert_int_equal(id, SKEP_ID_NONE);
    skep_pairs_done(&p);
    skep_keys_done(&k);
    assert_int_equal(mem.used, 0);
    skep_free(a);
    skep_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_split),
        cmocka_unit_test(empty),
        cmocka_unit_test(sums),
        cmocka_unit_test(exact_sums),
        cmocka_unit_test(extremes),
        cmocka_unit_test(percentile_error),
        cmocka_unit_test(distinct_error),
        cmocka_unit_test(distinct_types),
        cmocka_unit_test(interners),
        cmocka_unit_test(percentile_blocks),
        cmocka_unit_test(percentile_full_counters),
        cmocka_unit_test(percentile_packed),
        cmocka_unit_test(percentile_packs_well),
        cmocka_unit_test(packed_partials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

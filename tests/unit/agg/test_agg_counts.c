// SPDX-License-Identifier: Apache-2.0
/* Counts of values against a plain array of them, with hashes that fall together. */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "agg/counts.h"
#include "base/mem.h"

static uint64_t seed = 88172645463325252ull;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

enum { VALUES = 3000, LONG = 40000 };

struct known {
    skep_value v;
    uint64_t n;
    char text[24];
};

/* No two alike, of every type, the texts of some prefixes of others'. */
static void make_values(struct known *k, char *long_text)
{
    memset(long_text, 'x', LONG);
    for (uint32_t i = 0; i < VALUES; i++) {
        static const enum skep_type types[] = {SKEP_TYPE_STRING, SKEP_TYPE_INT, SKEP_TYPE_DOUBLE,
                                               SKEP_TYPE_BYTES, SKEP_TYPE_STRING};
        skep_value *v = &k[i].v;
        v->type = types[i % 5];
        k[i].n = 0;
        if (v->type == SKEP_TYPE_INT)
            v->i = (int64_t)i - VALUES / 2;
        else if (v->type == SKEP_TYPE_DOUBLE)
            v->f = (double)i - VALUES / 2; /* equal numbers of another type */
        else if (i % 100 == 4)
            v->s = (skep_str){long_text, LONG - i}; /* longer than a block, some */
        else
            v->s = (skep_str){k[i].text, (size_t)snprintf(k[i].text, sizeof k[i].text, "%u", i)};
    }
    k[0].v = (skep_value){.type = SKEP_TYPE_NULL};
    k[1].v = (skep_value){.type = SKEP_TYPE_EMPTY};
    k[2].v = (skep_value){.type = SKEP_TYPE_BOOL, .b = true};
    k[3].v = (skep_value){.type = SKEP_TYPE_BOOL, .b = false};
    k[4].v = (skep_value){.type = SKEP_TYPE_STRING, .s = SKEP_STR("")};
    k[5].v = (skep_value){.type = SKEP_TYPE_DOUBLE, .f = (double)NAN};
}

static bool same(const skep_value *a, const skep_value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case SKEP_TYPE_INT: return a->i == b->i;
    case SKEP_TYPE_DOUBLE: return a->f == b->f || (isnan(a->f) && isnan(b->f));
    case SKEP_TYPE_BOOL: return a->b == b->b;
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY: return skep_str_eq(a->s, b->s);
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_EMPTY:
    case SKEP_TYPE_COUNT:
    default: return true;
    }
}

/* Each value that was added stands there once, with its number, and no other. */
static void check(const struct skep_counts *t, const struct known *k)
{
    struct skep_counts_it it = {0};
    skep_value v;
    uint32_t n = 0, want = 0;
    for (uint64_t times; skep_counts_next(t, &it, &v, &times); n++) {
        uint32_t i = 0;
        while (i < VALUES && !same(&k[i].v, &v))
            i++;
        assert_true(i < VALUES);
        assert_int_equal(times, k[i].n);
    }
    for (uint32_t i = 0; i < VALUES; i++)
        want += k[i].n > 0;
    assert_int_equal(n, want);
    assert_int_equal(t->n, want);
}

static int descending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

static void check_least(struct skep_counts *t, const struct known *k)
{
    uint64_t *all = skep_alloc_n(uint64_t, VALUES), least = 0;
    for (uint32_t i = 0; i < VALUES; i++)
        all[i] = k[i].n;
    qsort(all, VALUES, sizeof all[0], descending);
    static const size_t some[] = {1, 2, 20, 77, 1000};
    for (unsigned i = 0; i < SKEP_ARRAY_LEN(some); i++) {
        assert_int_equal(skep_counts_least(t, some[i], &least), SKEP_OK);
        assert_int_equal(least, t->n > some[i] ? all[some[i] - 1] : 0);
    }
    assert_int_equal(skep_counts_least(t, t->n, &least), SKEP_OK);
    assert_int_equal(least, 0); /* all of them */
    skep_free(all);
}

/* Hashes of which `bits` tell values apart: with 0 all are the same. */
static void counted(unsigned bits)
{
    struct known *k = skep_alloc_n(struct known, VALUES);
    char *long_text = skep_malloc(LONG);
    struct skep_agg_mem mem = {0};
    struct skep_counts t;
    make_values(k, long_text);
    skep_counts_init(&t, &mem);
    check(&t, k);
    for (uint32_t round = 0; round < 40; round++) {
        uint64_t hashes[32];
        uint32_t at[32];
        for (unsigned i = 0; i < 32; i++) {
            at[i] = (uint32_t)(rnd() % VALUES) / (round % 4 + 1);
            uint64_t mask = bits < 64 ? (1ull << bits) - 1 : UINT64_MAX;
            hashes[i] = skep_agg_hash_value(&k[at[i]].v) & mask;
        }
        skep_counts_prefetch(&t, hashes, 32);
        for (unsigned i = 0; i < 32; i++) {
            skep_value v = k[at[i]].v;
            uint64_t n = rnd() % 5 + 1;
            if (v.type == SKEP_TYPE_DOUBLE && v.f == 0)
                v.f = -0.0;
            assert_int_equal(skep_counts_add(&t, &v, hashes[i], n), SKEP_OK);
            k[at[i]].n += n;
        }
        if (round % 8 == 7)
            check(&t, k);
    }
    check_least(&t, k);
    assert_true(t.n > 500);
    uint64_t hash = skep_agg_hash_value(&k[7].v) & (bits < 64 ? (1ull << bits) - 1 : UINT64_MAX);
    for (int i = 0; i < 2; i++) /* stops at the top */
        assert_int_equal(skep_counts_add(&t, &k[7].v, hash, UINT64_MAX - 1), SKEP_OK);
    k[7].n = UINT64_MAX;
    check(&t, k);
    skep_counts_done(&t);
    assert_int_equal(mem.used, 0);
    skep_free(long_text);
    skep_free(k);
}

static void values(void **state)
{
    (void)state;
    counted(64);
}

static void hashes_of_few_bits(void **state)
{
    (void)state;
    counted(3);
    counted(0);
}

/* In whatever memory: a value is counted or refused, and what was counted stays. */
static void short_of_memory(void **state)
{
    (void)state;
    for (uint64_t limit = 1 << 16; limit <= 1 << 21; limit *= 2) {
        struct skep_budget budget;
        skep_budget_init(&budget, "counts", limit, NULL);
        struct skep_agg_mem mem = {.budget = &budget};
        struct skep_counts t;
        skep_counts_init(&t, &mem);
        uint64_t all = 0, seen = 0, n;
        for (int64_t i = 0; i < 100000; i++) {
            skep_value v = {.type = SKEP_TYPE_INT, .i = i % 70000};
            skep_rc rc = skep_counts_add(&t, &v, skep_agg_hash_value(&v), 1);
            assert_true(rc == SKEP_OK || rc == SKEP_ENOMEM);
            all += rc == SKEP_OK;
        }
        assert_true(all > limit / 100 && all < 100000);
        struct skep_counts_it it = {0};
        while (skep_counts_next(&t, &it, NULL, &n))
            seen += n;
        assert_int_equal(seen, all);
        skep_counts_done(&t);
        assert_int_equal(skep_budget_used(&budget), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(hashes_of_few_bits),
        cmocka_unit_test(short_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

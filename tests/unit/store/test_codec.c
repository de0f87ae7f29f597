// SPDX-License-Identifier: Apache-2.0
/* One suite over every codec of the table: what is encoded comes back, from any range; damaged
 * bytes are refused or harmless; the fast bit unpacker equals the plain one. */
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "segment_support.h"
#include "store/column/codec/codec.h"
#include "store/column/codec/map.h"
#include "support/instrumented.h"

enum { MAX_N = SKEP_CODEC_MAX_VALUES };

static int64_t bits_of(double v)
{
    int64_t bits;
    memcpy(&bits, &v, 8);
    return bits;
}

enum { N_INT_SHAPES = 16 };

/* Arrays that suit one codec or another, and none. */
static void fill_ints(struct rng *r, unsigned shape, int64_t *v, uint32_t n, bool *ret_f64)
{
    *ret_f64 = shape >= 11 && shape <= 13;
    int64_t at = 1795132800000000000;
    for (uint32_t i = 0; i < n; i++) {
        switch (shape) {
        case 0: v[i] = -77; break;
        case 1: v[i] = (int64_t)rng_next(r); break;
        case 2: v[i] = rng_below(r, 100); break;
        case 3: v[i] = at += rng_below(r, 1000000); break;
        case 4: v[i] = i && rng_below(r, 20) ? v[i - 1] : (int64_t)rng_below(r, 1u << 20); break;
        case 5: v[i] = (int64_t)(rng_next(r) % 7) * 0x123456789abcdefll; break;
        case 6: v[i] = rng_below(r, 50) ? (int64_t)rng_below(r, 8) : (int64_t)rng_next(r); break;
        case 7: v[i] = rng_below(r, 2) ? INT64_MIN : INT64_MAX; break;
        case 8: v[i] = INT64_MAX - (int64_t)i; break;
        case 9: v[i] = i % 2 ? INT64_MIN + (int64_t)i : (int64_t)i; break;
        case 10: v[i] = at -= rng_below(r, 3) * 1000; break;
        case 14: v[i] = (int64_t)(rng_next(r) >> (24 + rng_below(r, 40))); break;
        case 15: v[i] = at += (int64_t)(rng_next(r) >> (24 + rng_below(r, 40))) - 500; break;
        case 11: v[i] = bits_of(rng_below(r, 100000) / 1000.0); break;
        case 12:
            v[i] = bits_of((double)rng_below(r, 1000) * 1e-3 + (rng_below(r, 99) ? 0 : 1e-9));
            break;
        default: {
            static const double odd[] = {0.0, -0.0, 1e308, -5e-324, 0x1p52, -0x1p53};
            v[i] = rng_below(r, 30)       ? bits_of((double)(int64_t)rng_below(r, 100) - 50)
                   : rng_below(r, 7) == 6 ? (int64_t)0x7ff8000000000001ll
                                          : bits_of(odd[rng_below(r, 6)]);
        }
        }
    }
}

static const uint32_t sizes[] = {1, 2, 7, 63, 64, 65, 512, 1023, 1024, 1025, 2047, 5000, MAX_N};

/* A sanitizer's build tries the largest size with each fifth shape. */
static bool left_out(unsigned shape, uint32_t n)
{
    return SKEP_INSTRUMENTED && n == MAX_N && shape % 5 != 0;
}

static struct skep_codec_chunk padded(struct skep_buf *b, uint32_t n_values)
{
    size_t n = b->n;
    skep_buf_zero(b, SKEP_BITS_PAD);
    assert_false(b->bad);
    return (struct skep_codec_chunk){b->p, n, n_values};
}

/* Narrow values, counts and comparisons of [first, first + n), against the values themselves. */
static void check_codes(struct rng *r, const struct skep_codec_ops *c,
                        const struct skep_codec_chunk *chunk, const int64_t *v, uint32_t first,
                        uint32_t n)
{
    enum { COUNTS = 5000 };
    int64_t low = rng_below(r, 2) ? 0 : v[first + rng_below(r, n)];
    for (uint32_t i = 0; low != 0 && i < n; i++)
        low = SKEP_MIN(low, v[first + i]);
    uint32_t *narrow = skep_alloc_n(uint32_t, n + 1), *counts = skep_alloc_n(uint32_t, COUNTS);
    bool fits = true, few = true;
    for (uint32_t i = 0; i < n; i++) {
        fits = fits && (uint64_t)v[first + i] <= UINT32_MAX;
        few = few && (uint64_t)v[first + i] - (uint64_t)low < COUNTS;
    }
    assert_int_equal(skep_codec_decode32(c, chunk, first, n, narrow),
                     fits ? SKEP_OK : SKEP_ECORRUPT);
    for (uint32_t i = 0; fits && i < n; i++)
        assert_true(narrow[i] == (uint64_t)v[first + i]);
    assert_int_equal(skep_codec_tally(c, chunk, first, n, low, counts, COUNTS),
                     few ? SKEP_OK : SKEP_ECORRUPT);
    for (uint32_t i = 0; few && i < n; i++)
        counts[v[first + i] - low]--;
    for (uint32_t k = 0; few && k < COUNTS; k++)
        assert_int_equal(counts[k], 0);
    for (int k = 0; k < 4; k++) {
        uint64_t bits[SKEP_CODEC_BLOCK / 64];
        uint32_t m = SKEP_MIN(n, (uint32_t)SKEP_CODEC_BLOCK);
        int64_t a = v[first + rng_below(r, n)], b = v[first + rng_below(r, n)];
        int64_t lo = k == 3 ? INT64_MIN : SKEP_MIN(a, b), hi = k == 2 ? INT64_MAX : SKEP_MAX(a, b);
        if (k == 1)
            lo = hi = a; /* one value */
        assert_int_equal(skep_codec_between(c, chunk, first, m, lo, hi, bits), SKEP_OK);
        for (uint32_t i = 0; i < m; i++)
            if ((bits[i / 64] >> (i % 64) & 1) != (v[first + i] >= lo && v[first + i] <= hi))
                fail_msg("%s: value %u is on the wrong side", c->name, first + i);
        assert_true(m % 64 == 0 || bits[m / 64] >> (m % 64) == 0);
    }
    skep_free(narrow);
    skep_free(counts);
}

static void check_ints(struct rng *r, const struct skep_codec_ops *c,
                       const struct skep_codec_in *in)
{
    struct skep_buf b;
    skep_buf_init(&b, 1u << 26);
    /* The encoding may stand anywhere in a buffer. */
    size_t score = c->score(in);
    if (score == SIZE_MAX) {
        skep_buf_done(&b);
        return;
    }
    c->encode(in, &b);
    assert_true(b.n <= score + 64);
    struct skep_codec_chunk chunk = padded(&b, in->n);
    int64_t *out = skep_alloc_n(int64_t, in->n);
    if (c->decode(&chunk, 0, in->n, out) != SKEP_OK)
        fail_msg("%s: %u values are not decoded", c->name, in->n);
    if (memcmp(out, in->ints, in->n * 8ul) != 0)
        fail_msg("%s: %u values differ", c->name, in->n);
    for (int k = 0; k < 40; k++) {
        uint32_t first = rng_below(r, in->n), n = 1 + rng_below(r, in->n - first);
        uint32_t cap = 1 + rng_below(r, 1100);
        if (k % 2)
            n = SKEP_MIN(n, cap);
        if (c->decode(&chunk, first, n, out) != SKEP_OK)
            fail_msg("%s: [%u, +%u) of %u is not decoded", c->name, first, n, in->n);
        assert_memory_equal(out, in->ints + first, n * 8ul);
        if (k < 12)
            check_codes(r, c, &chunk, in->ints, first, n);
    }
    assert_int_equal(c->decode(&chunk, in->n, 1, out), SKEP_ECORRUPT);
    assert_int_equal(c->decode(&chunk, 1, in->n, out), SKEP_ECORRUPT);
    skep_free(out);
    skep_buf_done(&b);
}

static void test_ints(void **state)
{
    (void)state;
    struct rng r = {7};
    size_t n_codecs, used = 0;
    const struct skep_codec_ops *const *all = skep_codec_all(&n_codecs);
    int64_t *v = skep_alloc_n(int64_t, MAX_N);
    uint64_t chosen = 0;
    for (unsigned shape = 0; shape < N_INT_SHAPES; shape++) {
        for (size_t s = 0; s < SKEP_ARRAY_LEN(sizes); s++) {
            struct skep_codec_in in = {.n = sizes[s], .ints = v};
            if (left_out(shape, in.n))
                continue;
            fill_ints(&r, shape, v, in.n, &in.f64);
            for (size_t c = 0; c < n_codecs; c++)
                if (all[c]->kind == SKEP_CODEC_INTS)
                    check_ints(&r, all[c], &in);
            if (in.n > 4000)
                chosen |= 1ull << skep_codec_choose(&in, NULL)->id;
        }
    }
    for (size_t c = 0; c < n_codecs; c++)
        used += all[c]->kind == SKEP_CODEC_INTS && (chosen >> all[c]->id & 1);
    assert_int_equal(used, 9); /* each of them is the best for some shape */
    skep_free(v);
}

enum { N_STR_SHAPES = 15 };

/* Tokens of every kind at their limits, side by side. */
static int odd_text(struct rng *r, char *to)
{
    static const char *const parts[] = {"0",
                                        "00",
                                        "007",
                                        "7",
                                        "999999999999999999",
                                        "1000000000000000000",
                                        "0000000000000000000000",
                                        "18446744073709551616",
                                        "deadbeef",
                                        "deadbee1",
                                        "DEADBEE1",
                                        "dEADBEE1",
                                        "0123abcd-",
                                        "-",
                                        "abcd",
                                        "12345678",
                                        "a1b2c3d4e5f60718293a4b5c",
                                        "_",
                                        "x9",
                                        "\xff",
                                        "\xc3\xa4",
                                        " ",
                                        "%s",
                                        ""};
    int n = 0;
    for (uint32_t k = rng_below(r, 6); k-- > 0;)
        n += snprintf(to + n, 40, "%s", parts[rng_below(r, SKEP_ARRAY_LEN(parts))]);
    return n;
}

/* What nothing but n decides. */
static uint64_t scattered(uint64_t n)
{
    return skep_hash_u64(n * 2 + 1);
}

/* Lines of requests, of which some are under way at a time: order, user and trace id come again
 * together.  Of four kinds, one without a user, one that writes the trace
 * id in upper case; a status of four numbers. */
static int request_line(struct rng *r, uint32_t i, char *to)
{
    static const char *const did[] = {"placed", "row locked, waiting", "charged", "sent"};
    static const unsigned statuses[] = {200, 304, 404, 503};
    uint64_t q = i / 3 + rng_below(r, 16);
    unsigned kind = rng_below(r, 4);
    int n = snprintf(to, 300, "{\"msg\":\"order %s\",\"status\":%u,\"order\":%u", did[kind],
                     statuses[rng_below(r, 4)], (unsigned)(scattered(q) % 1000000));
    if (kind)
        n += snprintf(to + n, 100, ",\"user\":\"u-%05u\"", (unsigned)(scattered(q) >> 40) % 99999);
    return n + snprintf(to + n, 100,
                        kind == 3 ? ",\"trace\":\"%016llX%016llX\",\"took\":%u}"
                                  : ",\"trace\":\"%016llx%016llx\",\"took\":%u}",
                        (unsigned long long)scattered(q + (1u << 30)),
                        (unsigned long long)scattered(q + (1u << 31)), rng_below(r, 2000));
}

/* Now and then a stack trace that no template is made of, whose frames are those of others. */
static int line_or_trace(struct rng *r, char *to)
{
    static const char *const at[] = {
        "com.example.Stock.reserve(Stock.java:", "a.b.Run.run(Run.java:",
        "org.example.jdbc.Statement.execute(Statement.java:"};
    if (rng_below(r, 40))
        return snprintf(to, 100, "Reserved %u of sku-%06u", rng_below(r, 9), rng_below(r, 50000));
    int n = snprintf(to, 100, "could not serialize access of order %u", rng_below(r, 1u << 20));
    for (uint32_t k = 3 + rng_below(r, 9); k-- > 0;)
        n += snprintf(to + n, 100, "\n\tat %s%u)", at[rng_below(r, 3)], 40 + rng_below(r, 6));
    return n;
}

static skep_str random_str(struct rng *r, unsigned shape, uint32_t i, char *to)
{
    int n = 0;
    switch (shape) {
    case 0: break;
    case 1:
        n = snprintf(to, 100, "SELECT * FROM orders WHERE id = %u AND user = 'u-%05u'",
                     rng_below(r, 1u << 22), rng_below(r, 99999));
        break;
    case 2:
        n = (int)rng_below(r, 60);
        for (int k = 0; k < n; k++)
            to[k] = (char)rng_next(r);
        break;
    case 3: n = i % 3 ? 0 : snprintf(to, 100, "%c", (int)('a' + i % 26)); break;
    case 4: n = snprintf(to, 100, "%016llx", (unsigned long long)rng_next(r)); break;
    case 5:
        n = snprintf(to, 100, "%08x-%04x-4%03x-a%03x-%012llX", (unsigned)rng_next(r),
                     rng_below(r, 1u << 16), rng_below(r, 4096), rng_below(r, 4096),
                     (unsigned long long)(rng_next(r) & 0xffffffffffff));
        for (int k = 24; k < n; k++) /* the last part in lower case, as the others */
            to[k] = (char)(to[k] >= 'A' ? to[k] | 0x20 : to[k]);
        break;
    case 6: n = snprintf(to, 100, "u-%05u", rng_below(r, 100000)); break;
    case 7: {
        static const char *const op[] = {"GET", "SET", "HGETALL", "a_b"};
        n = snprintf(to, 100, "%s carts:t%u:u-%05u %s", op[rng_below(r, 4)], rng_below(r, 12),
                     rng_below(r, 20), rng_below(r, 2) ? "" : "? EX 3600");
        break;
    }
    case 8: n = odd_text(r, to); break;
    case 9: {
        static const char *const f[] = {"parse", "sum", "run", "apply", "call"};
        for (uint32_t k = 1 + rng_below(r, 4); k-- > 0;)
            n += snprintf(to + n, 100, "\tat a.b.%s.%s(Handler.java:%u)\n", f[rng_below(r, 5)],
                          f[rng_below(r, 5)], rng_below(r, 500));
        break;
    }
    case 10:
        n = snprintf(to, 100, "%u.%u.%u.%u", rng_below(r, 256), rng_below(r, 256),
                     rng_below(r, 256), rng_below(r, 256));
        break;
    case 11:
        n = snprintf(to, 100, "%s%llu", i % 50 ? "" : "00", (unsigned long long)rng_next(r));
        break;
    case 13: n = request_line(r, i, to); break;
    case 14: n = line_or_trace(r, to); break;
    default:
        n = (int)rng_below(r, 5) == 0 ? 3000 : 9;
        memset(to, 0xff, (size_t)n);
        break;
    }
    return (skep_str){to, (size_t)n};
}

/* Strings that contain a text - a piece of one of them, sometimes changed - against a search of
 * each. */
static void check_contains(struct rng *r, const struct skep_codec_ops *c,
                           const struct skep_codec_chunk *chunk, const struct skep_codec_in *in,
                           uint32_t first, uint32_t n)
{
    struct skep_codec_scratch scratch = {0};
    for (int k = 0; k < 6; k++) {
        uint64_t bits[SKEP_CODEC_BLOCK / 64];
        char text[32];
        skep_str s = in->strs[first + rng_below(r, n)];
        size_t at = s.n ? rng_below(r, (uint32_t)s.n) : 0, most = 1 + rng_below(r, 30);
        skep_str needle = {text, SKEP_MIN(s.n - at, most)};
        if (needle.n == 0)
            needle = SKEP_STR("x");
        else
            memcpy(text, s.p + at, needle.n);
        if (k % 3 == 0 && needle.p == text)
            text[rng_below(r, (uint32_t)needle.n)] ^= (char)(1 + rng_below(r, 3));
        assert_int_equal(skep_codec_contains(c, chunk, first, n, needle, bits, &scratch), SKEP_OK);
        for (uint32_t i = 0; i < n; i++)
            if ((bits[i / 64] >> (i % 64) & 1) !=
                (skep_str_find_portable(in->strs[first + i], needle) != SIZE_MAX))
                fail_msg("%s: string %u is on the wrong side of '%.*s'", c->name, first + i,
                         (int)needle.n, needle.p);
        assert_true(n % 64 == 0 || bits[n / 64] >> (n % 64) == 0);
    }
    skep_codec_scratch_done(&scratch);
}

static skep_str piece_of(struct rng *r, skep_str s)
{
    size_t at = s.n ? rng_below(r, (uint32_t)s.n) : 0, most = 2 + rng_below(r, 12);
    return s.n ? (skep_str){s.p + at, SKEP_MIN(s.n - at, most)} : SKEP_STR("7");
}

/* The same over all of them from block to block, where one search goes on behind the other, of
 * one text to more than are remembered. */
static void check_contains_along(struct rng *r, const struct skep_codec_ops *c,
                                 const struct skep_codec_chunk *chunk,
                                 const struct skep_codec_in *in)
{
    struct skep_codec_scratch scratch = {0};
    uint64_t bits[SKEP_CODEC_BLOCK / 64];
    skep_str needles[6];
    unsigned n_needles = 1 + rng_below(r, SKEP_ARRAY_LEN(needles));
    for (unsigned k = 0; k < n_needles; k++)
        needles[k] = piece_of(r, in->strs[rng_below(r, in->n)]);
    for (uint32_t first = 0, n; first < in->n; first += n) {
        n = 1 + rng_below(r, SKEP_CODEC_BLOCK);
        n = SKEP_MIN(in->n - first, n);
        for (unsigned k = 0; k < n_needles; k++) {
            assert_int_equal(skep_codec_contains(c, chunk, first, n, needles[k], bits, &scratch),
                             SKEP_OK);
            for (uint32_t i = 0; i < n; i++)
                if ((bits[i / 64] >> (i % 64) & 1) !=
                    (skep_str_find_portable(in->strs[first + i], needles[k]) != SIZE_MAX))
                    fail_msg("%s: string %u is on the wrong side of '%.*s'", c->name, first + i,
                             (int)needles[k].n, needles[k].p);
        }
    }
    skep_codec_scratch_done(&scratch);
}

static void check_strs(struct rng *r, const struct skep_codec_ops *c,
                       const struct skep_codec_in *in)
{
    struct skep_buf b;
    struct skep_codec_scratch scratch = {0};
    skep_buf_init(&b, 1u << 28);
    c->encode(in, &b);
    struct skep_codec_chunk chunk = padded(&b, in->n);
    skep_str *out = skep_alloc_n(skep_str, in->n);
    for (int k = 0; k < 12; k++) {
        uint32_t first = k ? rng_below(r, in->n) : 0;
        uint32_t n = k ? 1 + rng_below(r, SKEP_MIN(in->n - first, 1500u)) : in->n;
        skep_codec_scratch_reset(&scratch);
        assert_int_equal(c->decode_str(&chunk, first, n, out, &scratch), SKEP_OK);
        check_contains(r, c, &chunk, in, first, SKEP_MIN(n, (uint32_t)SKEP_CODEC_BLOCK));
        skep_codec_scratch_reset(&scratch);
        assert_int_equal(c->decode_str(&chunk, first, n, out, &scratch), SKEP_OK);
        for (uint32_t i = 0; i < n; i++)
            if (!skep_str_eq(out[i], in->strs[first + i]))
                fail_msg("%s: value %u of %u differs", c->name, first + i, in->n);
    }
    check_contains_along(r, c, &chunk, in);
    assert_int_equal(c->decode_str(&chunk, in->n, 1, out, &scratch), SKEP_ECORRUPT);
    skep_codec_scratch_done(&scratch);
    skep_free(out);
    skep_buf_done(&b);
}

static void test_strs(void **state)
{
    (void)state;
    struct rng r = {9};
    size_t n_codecs;
    const struct skep_codec_ops *const *all = skep_codec_all(&n_codecs);
    skep_str *v = skep_alloc_n(skep_str, MAX_N);
    for (unsigned shape = 0; shape < N_STR_SHAPES; shape++) {
        for (size_t s = 0; s < SKEP_ARRAY_LEN(sizes); s++) {
            uint32_t n = SKEP_MIN(sizes[s], 20000u);
            if (left_out(shape, sizes[s]))
                continue;
            char *text = skep_malloc((size_t)n * 3008), *at = text;
            for (uint32_t i = 0; i < n; i++) {
                v[i] = random_str(&r, shape, i, at);
                at += v[i].n + 1;
            }
            struct skep_codec_in in = {.n = n, .strs = v};
            for (size_t c = 0; c < n_codecs; c++)
                if (all[c]->kind == SKEP_CODEC_STRINGS)
                    check_strs(&r, all[c], &in);
            skep_free(text);
        }
    }
    skep_free(v);
}

/* An entry has an id in upper case and one in lower case: what is sought in lower case is not found
 * in the first, wherever it stands and however long it is. */
static void test_digits_of_either_case(void **state)
{
    (void)state;
    enum { N = 2000, LONGEST = 60 };
    struct rng r = {12};
    static char texts[N][LONGEST];
    skep_str *v = skep_alloc_n(skep_str, N);
    for (uint32_t i = 0; i < N; i++) {
        uint64_t q = i / 3 + rng_below(&r, 16);
        v[i].p = texts[i];
        v[i].n = (size_t)snprintf(texts[i], LONGEST, "request A=%016llX b=%016llx done",
                                  (unsigned long long)scattered(q),
                                  (unsigned long long)scattered(q + N));
    }
    struct skep_codec_in in = {.n = N, .strs = v};
    struct skep_codec_scratch scratch = {0};
    struct skep_buf b;
    skep_buf_init(&b, 1u << 24);
    skep_codec_tmpl.encode(&in, &b);
    assert_true(b.n < (size_t)N * 12); /* 16 in each line, if nothing came again */
    struct skep_codec_chunk chunk = padded(&b, N);
    for (int k = 0; k < 200; k++) {
        char text[20];
        uint64_t bits[SKEP_CODEC_BLOCK / 64];
        (void)snprintf(text, sizeof text, k % 2 ? "%016llx" : "%016llX",
                       (unsigned long long)scattered(rng_below(&r, N / 3)));
        size_t from = k % 3 ? 0 : rng_below(&r, 13);
        skep_str needle = {text + from, 16 - from};
        assert_int_equal(skep_codec_contains(&skep_codec_tmpl, &chunk, 0, SKEP_CODEC_BLOCK, needle,
                                             bits, &scratch),
                         SKEP_OK);
        for (uint32_t i = 0; i < SKEP_CODEC_BLOCK; i++)
            assert_int_equal(bits[i / 64] >> (i % 64) & 1,
                             skep_str_find_portable(v[i], needle) != SIZE_MAX);
    }
    skep_codec_scratch_done(&scratch);
    skep_buf_done(&b);
    skep_free(v);
}

/* What a text that ends in a slot, begins in one or fills it is to numbers with and without leading
 * zeros, to few numbers, to hex digits and to those that come again. */
static void test_texts_in_slots(void **state)
{
    (void)state;
    enum { N = 1024, LONGEST = 120 };
    struct rng r = {14};
    static char texts[N][LONGEST];
    static const char *const before[] = {"id = ", "shard = ", "sku-", "h=", "q=", "t=", "", ""},
                             *const after[] = {"", "", "", "", "", "", " zero=", ";"};
    skep_str *v = skep_alloc_n(skep_str, N);
    for (uint32_t i = 0; i < N; i++) {
        uint64_t q = i / 3 + rng_below(&r, 16);
        v[i].p = texts[i];
        v[i].n = (size_t)snprintf(
            texts[i], LONGEST, "id = %u shard = %u sku-%06u h=%016llx zero=%u q=%u t=%016llx;",
            rng_below(&r, 3000) * rng_below(&r, 3000), rng_below(&r, 40) * 3, rng_below(&r, 20000),
            (unsigned long long)rng_next(&r), rng_below(&r, 2000),
            (unsigned)(scattered(q) % 1000000), (unsigned long long)scattered(q + N));
    }
    struct skep_codec_in in = {.n = N, .strs = v};
    struct skep_codec_scratch scratch = {0};
    struct skep_buf b;
    skep_buf_init(&b, 1u << 24);
    skep_codec_tmpl.encode(&in, &b);
    assert_true(b.n < (size_t)N * 30); /* it is slots */
    struct skep_codec_chunk chunk = padded(&b, N);
    unsigned found = 0;
    for (int k = 0; k < 4000; k++) {
        char text[64], digits[24];
        uint64_t bits[N / 64];
        bool hex = k % 8 == 3 || k % 8 >= 5;
        int n = snprintf(
            digits, sizeof digits,
            hex          ? "%016llx"
            : k % 8 == 2 ? "%06llu"
                         : "%llu",
            (unsigned long long)(k & 8 ? scattered(N + (unsigned)k % 300) : rng_below(&r, 4000)));
        /* All of it, its begin or its end. */
        int from = k % 8 >= 6 ? (int)rng_below(&r, (uint32_t)n) : 0;
        int len = k % 8 >= 6 ? n - from : 1 + (int)rng_below(&r, (uint32_t)n);
        n = snprintf(text, sizeof text, "%s%.*s%s", before[k % 8], len, digits + from,
                     after[k % 8]);
        skep_str needle = {text, (size_t)n};
        assert_int_equal(
            skep_codec_contains(&skep_codec_tmpl, &chunk, 0, N, needle, bits, &scratch), SKEP_OK);
        for (uint32_t i = 0; i < N; i++) {
            bool has = skep_str_find_portable(v[i], needle) != SIZE_MAX;
            found += has;
            if ((bits[i / 64] >> (i % 64) & 1) != has)
                fail_msg("'%s' in '%s': it is said %d", text, texts[i], !has);
        }
    }
    assert_true(found > 4000);
    skep_codec_scratch_done(&scratch);
    skep_buf_done(&b);
    skep_free(v);
}

/* A block of rows may take its strings from two chunks, the second decoded into the same scratch:
 * those of the first stay.  Stack traces are those that were compressed. */
static void test_two_chunks_in_one_scratch(void **state)
{
    (void)state;
    enum { N = 3000, BLOCK = 500 };
    struct rng r = {15};
    skep_str *v = skep_alloc_n(skep_str, N);
    char *text = skep_malloc(N * 3008), *at = text;
    struct skep_codec_chunk chunks[2];
    struct skep_buf b[2];
    for (uint32_t i = 0; i < N; i++) {
        v[i] = random_str(&r, 14, i, at);
        at += v[i].n;
    }
    for (unsigned k = 0; k < 2; k++) {
        struct skep_codec_in in = {.n = N / 2, .strs = v + k * (N / 2)};
        skep_buf_init(&b[k], 1u << 24);
        skep_codec_tmpl.encode(&in, &b[k]);
        assert_true(skep_load_le32(b[k].p + 20) > 0); /* the rest is compressed (tmpl.c) */
        chunks[k] = padded(&b[k], N / 2);
    }
    struct skep_codec_scratch scratch = {0};
    skep_str out[2 * BLOCK];
    assert_int_equal(skep_codec_tmpl.decode_str(&chunks[0], N / 2 - BLOCK, BLOCK, out, &scratch),
                     SKEP_OK);
    assert_int_equal(skep_codec_tmpl.decode_str(&chunks[1], 0, BLOCK, out + BLOCK, &scratch),
                     SKEP_OK);
    uint8_t *other[16]; /* what was freed is used again */
    for (unsigned k = 0; k < SKEP_ARRAY_LEN(other); k++) {
        size_t n = skep_load_le32(b[k % 2].p + 20) + SKEP_BITS_PAD;
        other[k] = skep_malloc(n);
        memset(other[k], 'X', n);
    }
    for (uint32_t i = 0; i < 2 * BLOCK; i++)
        assert_true(skep_str_eq(out[i], v[N / 2 - BLOCK + i]));
    for (unsigned k = 0; k < SKEP_ARRAY_LEN(other); k++)
        skep_free(other[k]);
    skep_codec_scratch_done(&scratch);
    for (unsigned k = 0; k < 2; k++)
        skep_buf_done(&b[k]);
    skep_free(text);
    skep_free(v);
}

/* Bytes of 5,000 strings of a shape with a codec, in percent of the text. */
static unsigned percent(const struct skep_codec_ops *c, unsigned shape, bool *ret_chosen)
{
    struct rng r = {10};
    enum { N = 5000 };
    skep_str *v = skep_alloc_n(skep_str, N);
    char *text = skep_malloc(N * 300ul), *at = text;
    size_t total = 0;
    for (uint32_t i = 0; i < N; i++) {
        v[i] = random_str(&r, shape, i, at);
        at += v[i].n;
        total += v[i].n;
    }
    struct skep_codec_in in = {.n = N, .strs = v};
    struct skep_buf b;
    skep_buf_init(&b, 1u << 28);
    c->encode(&in, &b);
    *ret_chosen = skep_codec_choose(&in, NULL) == c;
    unsigned share = (unsigned)(b.n * 100 / total);
    skep_buf_done(&b);
    skep_free(text);
    skep_free(v);
    return share;
}

/* FSST is worth its name: text shrinks to less than half.  Templates are: to little more than what
 * changes, 39 of 540 bits for the SQL, 24 of 96 bytes for uuids, 18 of 56 bits for user ids, and
 * they are chosen where they do.  What a request's lines have in common is kept once (18% are
 * 8%), stack traces in the rest are compressed together (13% are 10%). */
static void test_ratios(void **state)
{
    (void)state;
    static const struct {
        unsigned shape, most;
    } expect[] = {{1, 9}, {4, 51}, {5, 46}, {6, 33}, {7, 7}, {9, 12}, {10, 40}, {13, 9}, {14, 11}};
    bool chosen;
    assert_in_range(percent(&skep_codec_fsst, 1, &chosen), 1, 39);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(expect); i++) {
        unsigned share = percent(&skep_codec_tmpl, expect[i].shape, &chosen);
        if (share > expect[i].most || !chosen)
            fail_msg("shape %u: %u%% of the text%s", expect[i].shape, share,
                     chosen ? "" : ", not chosen");
    }
}

/* Changed and cut encodings: an error or other values, never a read outside (sanitizers watch). */
static void test_damage(void **state)
{
    (void)state;
    struct rng r = {11};
    size_t n_codecs;
    const struct skep_codec_ops *const *all = skep_codec_all(&n_codecs);
    enum { N = 3000 };
    int64_t *v = skep_alloc_n(int64_t, N), *out = skep_alloc_n(int64_t, N);
    skep_str *strs = skep_alloc_n(skep_str, N), *out_strs = skep_alloc_n(skep_str, N);
    char *text = skep_malloc(N * 3000ul), *at = text;
    for (size_t c = 0; c < n_codecs; c++) {
        for (unsigned shape = 0; shape < N_INT_SHAPES; shape++) {
            struct skep_codec_in in = {.n = N, .ints = v};
            fill_ints(&r, shape, v, N, &in.f64);
            bool ints = all[c]->kind == SKEP_CODEC_INTS;
            if (!ints) {
                in = (struct skep_codec_in){.n = N, .strs = strs};
                at = text;
                for (uint32_t i = 0; i < N; i++) {
                    strs[i] = random_str(&r, shape, i, at);
                    at += strs[i].n;
                }
            }
            if (ints && all[c]->score(&in) == SIZE_MAX)
                continue;
            struct skep_buf b;
            skep_buf_init(&b, 1u << 26);
            all[c]->encode(&in, &b);
            for (int k = 0; k < 150; k++) {
                size_t n = k % 3 ? b.n : rng_below(&r, (uint32_t)b.n);
                /* An exact allocation, so that a sanitizer sees every step over the pad. */
                uint8_t *copy = skep_malloc(n + SKEP_BITS_PAD);
                memcpy(copy, b.p, n);
                memset(copy + n, 0, SKEP_BITS_PAD);
                for (int f = 0; f < k % 5 && n > 0; f++)
                    copy[rng_below(&r, f % 2 ? (uint32_t)n : (uint32_t)SKEP_MIN(n, 64ul))] ^=
                        (uint8_t)(1u << rng_below(&r, 8));
                struct skep_codec_chunk chunk = {copy, n, N};
                struct skep_codec_scratch scratch = {0};
                uint32_t first = rng_below(&r, N), count = 1 + rng_below(&r, N - first);
                skep_rc rc = ints ? all[c]->decode(&chunk, first, count, out)
                                  : all[c]->decode_str(&chunk, first, count, out_strs, &scratch);
                assert_true(rc == SKEP_OK || rc == SKEP_ECORRUPT);
                if (ints) {
                    uint32_t *counts = skep_alloc_n(uint32_t, 100);
                    uint64_t bits[SKEP_CODEC_BLOCK / 64];
                    skep_rc narrow =
                        skep_codec_decode32(all[c], &chunk, first, count, (uint32_t *)out);
                    assert_true(narrow == SKEP_OK || narrow == SKEP_ECORRUPT);
                    skep_rc tally = skep_codec_tally(all[c], &chunk, first, count, -5, counts, 100);
                    assert_true(tally == SKEP_OK || tally == SKEP_ECORRUPT);
                    uint32_t some = SKEP_MIN(count, (uint32_t)SKEP_CODEC_BLOCK);
                    rc = skep_codec_between(all[c], &chunk, first, some, -5, 1000, bits);
                    assert_true(rc == SKEP_OK || rc == SKEP_ECORRUPT);
                    skep_free(counts);
                }
                if (rc == SKEP_OK && !ints) {
                    uint64_t sum = 0;
                    for (uint32_t i = 0; i < count; i++)
                        for (size_t j = 0; j < out_strs[i].n; j++)
                            sum += (uint8_t)out_strs[i].p[j];
                    assert_true(sum < UINT64_MAX);
                }
                skep_codec_scratch_done(&scratch);
                skep_free(copy);
            }
            skep_buf_done(&b);
        }
    }
    skep_free(text);
    skep_free(strs);
    skep_free(out_strs);
    skep_free(v);
    skep_free(out);
}

enum { MAP_ROWS = 5000, MAP_CODES = 50 };

struct map_case {
    uint16_t x[MAP_ROWS];
    uint32_t n_of[MAP_CODES];
    uint64_t bitmap[(MAP_ROWS + 63) / 64];
    int64_t v[MAP_ROWS];
    struct skep_map_in in;
};

/* Values that follow x, but for one in `odd`; rows whose x is divisible by 3 have none. */
static void make_map_case(struct rng *r, uint32_t odd, struct map_case *m)
{
    memset(m->bitmap, 0, sizeof m->bitmap);
    memset(m->n_of, 0, sizeof m->n_of);
    m->in = (struct skep_map_in){.x = m->x,
                                 .n_of = m->n_of,
                                 .m = MAP_CODES,
                                 .n_rows = MAP_ROWS,
                                 .bitmap = m->bitmap,
                                 .v = m->v};
    for (uint32_t row = 0; row < MAP_ROWS; row++) {
        m->x[row] = (uint16_t)rng_below(r, MAP_CODES);
        m->n_of[m->x[row]]++;
        if (m->x[row] % 3 == 0)
            continue;
        m->bitmap[row / 64] |= 1ull << (row % 64);
        bool other = odd && rng_below(r, odd) == 0;
        m->v[m->in.n++] = other ? (int64_t)rng_next(r) : m->x[row] / 3 - 4;
    }
}

/* Values of rows [first, first + n) through an encoding, as a reader does it. */
static skep_rc read_map(const struct map_case *m, const struct skep_map *map, const int64_t *table,
                        uint32_t first, uint32_t n, int64_t *out)
{
    for (uint32_t i = 0; i < n; i++)
        out[i] = m->x[first + i] < map->m ? table[m->x[first + i]] : 0;
    return skep_map_patch(map, first, n, out);
}

static void check_map(struct rng *r, uint32_t odd)
{
    struct map_case *m = skep_alloc(struct map_case);
    make_map_case(r, odd, m);
    struct skep_map_fit fit;
    bool looked;
    assert_true(skep_map_try(&m->in, &fit, &looked));
    assert_true((fit.n_exceptions > 0) == (odd > 0));
    struct skep_buf b;
    skep_buf_init(&b, 1 << 20);
    skep_map_put(&m->in, &fit, 77, &b);
    skep_map_fit_done(&fit);
    struct skep_codec_chunk c = padded(&b, MAP_ROWS);
    struct skep_map map;
    int64_t table[MAP_CODES], out[SKEP_CODEC_BLOCK];
    assert_int_equal(skep_map_open(c.p, c.n, MAP_ROWS, &map), SKEP_OK);
    assert_int_equal(map.base_key, 77);
    assert_int_equal(skep_map_table(&map, table), SKEP_OK);
    uint32_t k = 0;
    for (uint32_t first = 0, n; first < MAP_ROWS; first += n) {
        uint32_t some = 1 + rng_below(r, 300);
        n = SKEP_MIN(some, SKEP_CODEC_BLOCK - first % SKEP_CODEC_BLOCK);
        n = SKEP_MIN(n, MAP_ROWS - first);
        assert_int_equal(read_map(m, &map, table, first, n, out), SKEP_OK);
        for (uint32_t row = first; row < first + n; row++)
            if (m->bitmap[row / 64] >> (row % 64) & 1)
                assert_true(out[row - first] == m->v[k++]);
    }
    assert_int_equal(k, m->in.n);
    skep_buf_done(&b);
    skep_free(m);
}

static void test_map(void **state)
{
    (void)state;
    struct rng r = {12};
    check_map(&r, 0);
    check_map(&r, 30);
    /* What has nothing to do with x is not followed. */
    struct map_case *m = skep_alloc(struct map_case);
    struct skep_map_fit fit;
    bool looked;
    make_map_case(&r, 2, m);
    assert_false(skep_map_try(&m->in, &fit, &looked));
    /* Presence: exactly the x that are not divisible by 3. */
    uint8_t bits[(MAP_CODES + 7) / 8];
    assert_true(skep_map_try_presence(&m->in, bits));
    for (uint32_t x = 0; x < MAP_CODES; x++)
        assert_int_equal(bits[x / 8] >> (x % 8) & 1, x % 3 != 0);
    m->bitmap[3] ^= 1ull << 17;
    assert_false(skep_map_try_presence(&m->in, bits));
    /* The same where few rows have one: those of two x, then all but the last of them, then one
     * more that others lack. */
    uint32_t last = 0;
    memset(m->bitmap, 0, sizeof m->bitmap);
    m->in.n = 0;
    for (uint32_t row = 0; row < MAP_ROWS; row++)
        if (m->x[row] == 7 || m->x[row] == 49) {
            m->bitmap[row / 64] |= 1ull << (row % 64);
            m->in.n++;
            last = row;
        }
    assert_true(m->in.n < MAP_ROWS / 16);
    assert_true(skep_map_try_presence(&m->in, bits));
    for (uint32_t x = 0; x < MAP_CODES; x++)
        assert_int_equal(bits[x / 8] >> (x % 8) & 1, x == 7 || x == 49);
    m->bitmap[last / 64] ^= 1ull << (last % 64);
    assert_false(skep_map_try_presence(&m->in, bits));
    m->bitmap[last / 64] ^= 1ull << (last % 64);
    for (last = 0; m->x[last] != 8; last++) {
    }
    m->bitmap[last / 64] ^= 1ull << (last % 64);
    assert_false(skep_map_try_presence(&m->in, bits));
    skep_free(m);
}

/* Changed and cut encodings of a map. */
static void test_map_damage(void **state)
{
    (void)state;
    struct rng r = {13};
    struct map_case *m = skep_alloc(struct map_case);
    make_map_case(&r, 40, m);
    struct skep_map_fit fit;
    bool looked;
    assert_true(skep_map_try(&m->in, &fit, &looked));
    struct skep_buf b;
    skep_buf_init(&b, 1 << 20);
    skep_map_put(&m->in, &fit, 1, &b);
    skep_map_fit_done(&fit);
    for (int k = 0; k < 400; k++) {
        size_t n = k % 3 ? b.n : rng_below(&r, (uint32_t)b.n);
        uint8_t *copy = skep_malloc(n + SKEP_BITS_PAD);
        memcpy(copy, b.p, n);
        memset(copy + n, 0, SKEP_BITS_PAD);
        for (int f = 0; f < k % 5 && n > 0; f++)
            copy[rng_below(&r, f % 2 ? (uint32_t)n : (uint32_t)SKEP_MIN(n, 64ul))] ^=
                (uint8_t)(1u << rng_below(&r, 8));
        struct skep_map map;
        if (skep_map_open(copy, n, MAP_ROWS, &map) == SKEP_OK) {
            int64_t *table = skep_alloc_n(int64_t, map.m), out[SKEP_CODEC_BLOCK];
            skep_rc rc = skep_map_table(&map, table);
            for (uint32_t first = 0; first < MAP_ROWS && rc == SKEP_OK; first += SKEP_CODEC_BLOCK)
                rc = read_map(m, &map, table, first,
                              SKEP_MIN(MAP_ROWS - first, (uint32_t)SKEP_CODEC_BLOCK), out);
            assert_true(rc == SKEP_OK || rc == SKEP_ECORRUPT);
            skep_free(table);
        }
        skep_free(copy);
    }
    skep_buf_done(&b);
    skep_free(m);
}

static void test_bits(void **state)
{
    (void)state;
    struct rng r = {3};
    enum { N = 700 };
    uint64_t v[N];
    int64_t fast[N], plain[N];
    uint32_t fast32[N], plain32[N];
    for (unsigned width = 0; width <= 64; width++) {
        uint64_t mask = width == 64 ? UINT64_MAX : (1ull << width) - 1;
        for (int i = 0; i < N; i++)
            v[i] = rng_next(&r) & mask;
        size_t bytes = skep_bits_bytes(N, width);
        uint8_t *p = skep_malloc(bytes + SKEP_BITS_PAD);
        memset(p + bytes, 0xa5, SKEP_BITS_PAD);
        skep_bits_pack(p, v, N, width);
        for (int i = 0; i < SKEP_BITS_PAD; i++)
            assert_int_equal(p[bytes + (size_t)i], 0xa5);
        for (int k = 0; k < 60; k++) {
            uint32_t first = rng_below(&r, N), n = rng_below(&r, N - first + 1);
            uint64_t base = rng_next(&r);
            skep_bits_unpack(p, first, n, width, base, fast);
            skep_bits_unpack_portable(p, first, n, width, base, plain);
            assert_memory_equal(fast, plain, n * 8ul);
            for (uint32_t i = 0; i < n; i++)
                assert_true((uint64_t)plain[i] == base + v[first + i]);
            if (width > 32)
                continue;
            skep_bits_unpack32(p, first, n, width, (uint32_t)base, fast32);
            skep_bits_unpack32_portable(p, first, n, width, (uint32_t)base, plain32);
            assert_memory_equal(fast32, plain32, n * 4ul);
            for (uint32_t i = 0; i < n; i++)
                assert_true(plain32[i] == (uint32_t)(base + v[first + i]));
        }
        skep_free(p);
    }
}

static void test_table(void **state)
{
    (void)state;
    size_t n;
    const struct skep_codec_ops *const *all = skep_codec_all(&n);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(skep_codec_find(all[i]->id), all[i]);
        assert_true(all[i]->score && all[i]->encode);
        assert_true(all[i]->kind == SKEP_CODEC_INTS ? all[i]->decode && !all[i]->decode_str
                                                    : all[i]->decode_str && !all[i]->decode);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(all[i]->name, all[k]->name);
    }
    assert_null(skep_codec_find(0));
    assert_null(skep_codec_find(SKEP_CODEC_TRACE_RUNS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_ints),
        cmocka_unit_test(test_strs),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_map_damage),
        cmocka_unit_test(test_digits_of_either_case),
        cmocka_unit_test(test_texts_in_slots),
        cmocka_unit_test(test_two_chunks_in_one_scratch),
        cmocka_unit_test(test_ratios),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/* Collecting bodies under a budget, undoing encodings, gRPC framing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <libdeflate.h>
#include <zstd.h>

#include "net/net_priv.h"

static skep_bytes made(enum skep_net__coding c, skep_bytes in)
{
    size_t cap = in.n + in.n / 8 + 1024;
    uint8_t *out = malloc(cap);
    size_t n = 0;
    struct libdeflate_compressor *z = libdeflate_alloc_compressor(6);
    if (c == SKEP_NET__GZIP)
        n = libdeflate_gzip_compress(z, in.p, in.n, out, cap);
    else if (c == SKEP_NET__DEFLATE)
        n = libdeflate_zlib_compress(z, in.p, in.n, out, cap);
    else
        n = ZSTD_compress(out, cap, in.p, in.n, 3);
    libdeflate_free_compressor(z);
    assert_true(n > 0 && !ZSTD_isError(n));
    return (skep_bytes){out, n};
}

static uint8_t *pattern(size_t n)
{
    uint8_t *p = malloc(n + 1);
    uint32_t x = 12345;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;
        p[i] = i % 64 < 32 ? (uint8_t)(x >> 24) : (uint8_t)(i / 64);
    }
    return p;
}

static const enum skep_net__coding codings[] = {SKEP_NET__GZIP, SKEP_NET__DEFLATE, SKEP_NET__ZSTD};

static void test_round_trips(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 4096, 4097, 65536, 1000000};
    struct skep_net__inflater inf = {0};
    struct skep_budget budget;
    (void)state;
    skep_budget_init(&budget, "test", 64 << 20, NULL);
    for (size_t k = 0; k < SKEP_ARRAY_LEN(codings); k++) {
        for (size_t i = 0; i < SKEP_ARRAY_LEN(sizes); i++) {
            uint8_t *p = pattern(sizes[i]);
            skep_bytes in = made(codings[k], (skep_bytes){p, sizes[i]});
            struct skep_net__intake out = {.budget = &budget};
            /* The limit is exactly the size, or one more than nothing. */
            size_t limit = SKEP_MAX(sizes[i], (size_t)1);
            skep_err err = {0};
            skep_rc rc = skep_net__inflate(&inf, codings[k], in, limit, &out, &err);
            if (rc != SKEP_OK)
                fail_msg("coding %d size %zu: %s", (int)codings[k], sizes[i], err.text);
            assert_int_equal(out.n, sizes[i]);
            assert_true(sizes[i] == 0 || memcmp(out.p, p, sizes[i]) == 0);
            assert_int_equal(skep_budget_used(&budget), out.cap);
            skep_net__intake_done(&out);
            free((void *)in.p);
            free(p);
        }
    }
    assert_int_equal(skep_budget_used(&budget), 0);
    skep_net__inflater_done(&inf);
}

static void test_over_limit_by_one(void **state)
{
    struct skep_net__inflater inf = {0};
    (void)state;
    for (size_t k = 0; k < SKEP_ARRAY_LEN(codings); k++) {
        for (size_t n = 2; n < 200000; n = n * 3 + 1) {
            uint8_t *p = pattern(n);
            skep_bytes in = made(codings[k], (skep_bytes){p, n});
            struct skep_net__intake out = {0};
            assert_int_equal(skep_net__inflate(&inf, codings[k], in, n - 1, &out, NULL),
                             SKEP_ETOOLARGE);
            assert_null(out.p);
            free((void *)in.p);
            free(p);
        }
    }
    skep_net__inflater_done(&inf);
}

/* 256 MiB of zeros against a limit of 1 MiB: refused, and never more than the limit allocated. */
static void test_bombs(void **state)
{
    size_t n = 256 << 20;
    uint8_t *zeros = calloc(1, n);
    struct skep_net__inflater inf = {0};
    struct skep_budget budget;
    (void)state;
    for (size_t k = 0; k < SKEP_ARRAY_LEN(codings); k++) {
        skep_bytes in = made(codings[k], (skep_bytes){zeros, n});
        struct skep_net__intake out = {.budget = &budget};
        skep_budget_init(&budget, "test", 1 << 20, NULL);
        assert_int_equal(skep_net__inflate(&inf, codings[k], in, 1 << 20, &out, NULL),
                         SKEP_ETOOLARGE);
        assert_true(atomic_load(&budget.peak_bytes) <= 1 << 20);
        assert_int_equal(skep_budget_used(&budget), 0);
        free((void *)in.p);
    }
    free(zeros);
    skep_net__inflater_done(&inf);
}

/* A gzip trailer that lies about the size must not cost memory beyond the ratio. */
static void test_lying_size(void **state)
{
    uint8_t *p = pattern(1000);
    skep_bytes in = made(SKEP_NET__GZIP, (skep_bytes){p, 1000});
    struct skep_net__inflater inf = {0};
    struct skep_budget budget;
    struct skep_net__intake out = {.budget = &budget};
    (void)state;
    skep_budget_init(&budget, "test", 1u << 30, NULL);
    memset((uint8_t *)in.p + in.n - 4, 0xff, 4);
    assert_int_equal(skep_net__inflate(&inf, SKEP_NET__GZIP, in, 64 << 20, &out, NULL),
                     SKEP_EMALFORMED);
    assert_true(atomic_load(&budget.peak_bytes) <= in.n * 1032);
    assert_int_equal(skep_budget_used(&budget), 0);
    free((void *)in.p);
    free(p);
    skep_net__inflater_done(&inf);
}

static void test_cut_anywhere(void **state)
{
    uint8_t *p = pattern(300);
    struct skep_net__inflater inf = {0};
    (void)state;
    for (size_t k = 0; k < SKEP_ARRAY_LEN(codings); k++) {
        skep_bytes in = made(codings[k], (skep_bytes){p, 300});
        for (size_t n = 1; n < in.n; n++) {
            struct skep_net__intake out = {0};
            skep_err err = {0};
            uint8_t *cut = malloc(n);
            memcpy(cut, in.p, n);
            skep_rc rc =
                skep_net__inflate(&inf, codings[k], (skep_bytes){cut, n}, 1000, &out, &err);
            if (rc != SKEP_EMALFORMED)
                fail_msg("coding %d cut at %zu of %zu: rc %d", (int)codings[k], n, in.n, (int)rc);
            assert_true(err.text[0] != '\0');
            assert_null(out.p);
            free(cut);
        }
        free((void *)in.p);
    }
    free(p);
    skep_net__inflater_done(&inf);
}

static void test_members(void **state)
{
    struct skep_net__inflater inf = {0};
    (void)state;
    for (size_t k = 0; k < SKEP_ARRAY_LEN(codings); k++) {
        bool one = codings[k] == SKEP_NET__DEFLATE;
        uint8_t *all = malloc(400000);
        uint8_t *want = malloc(400000);
        size_t n = 0;
        size_t n_want = 0;
        for (size_t i = 0; i < 5; i++) {
            size_t size = i == 2 ? 0 : i * 20000 + 7;
            uint8_t *p = pattern(size);
            skep_bytes in = made(codings[k], (skep_bytes){p, size});
            memcpy(all + n, in.p, in.n);
            n += in.n;
            memcpy(want + n_want, p, size);
            n_want += size;
            free((void *)in.p);
            free(p);
        }
        struct skep_net__intake out = {0};
        skep_bytes in = {all, n};
        skep_rc rc = skep_net__inflate(&inf, codings[k], in, n_want, &out, NULL);
        assert_int_equal(rc, one ? SKEP_EMALFORMED : SKEP_OK);
        if (!one) {
            assert_int_equal(out.n, n_want);
            assert_memory_equal(out.p, want, n_want);
            skep_net__intake_done(&out);
            assert_int_equal(skep_net__inflate(&inf, codings[k], in, n_want - 1, &out, NULL),
                             SKEP_ETOOLARGE);
            all[n] = 'x'; /* rubbish behind the last member */
            in.n++;
            assert_int_equal(skep_net__inflate(&inf, codings[k], in, n_want, &out, NULL),
                             SKEP_EMALFORMED);
        }
        skep_net__intake_done(&out);
        free(all);
        free(want);
    }
    skep_net__inflater_done(&inf);
}

/* A zstd frame whose window is 128 MiB would need that much memory: refused. */
static void test_zstd_window(void **state)
{
    size_t n = 20 << 20;
    size_t cap = ZSTD_compressBound(n);
    uint8_t *p = pattern(n);
    uint8_t *out_p = malloc(cap);
    ZSTD_CCtx *c = ZSTD_createCCtx();
    struct skep_net__inflater inf = {0};
    struct skep_net__intake out = {0};
    ZSTD_inBuffer src = {p, n, 0};
    ZSTD_outBuffer dst = {out_p, cap, 0};
    (void)state;
    ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, 27);
    while (src.pos < n) /* streamed: no content size, so that the window counts */
        ZSTD_compressStream2(c, &dst, &src, ZSTD_e_continue);
    while (ZSTD_compressStream2(c, &dst, &src, ZSTD_e_end) != 0) {
    }
    assert_int_equal(
        skep_net__inflate(&inf, SKEP_NET__ZSTD, (skep_bytes){out_p, dst.pos}, 64 << 20, &out, NULL),
        SKEP_EMALFORMED);
    ZSTD_freeCCtx(c);
    free(out_p);
    free(p);
    skep_net__inflater_done(&inf);
}

static void test_raw_deflate(void **state)
{
    uint8_t *p = pattern(5000);
    uint8_t out_p[8000];
    struct libdeflate_compressor *z = libdeflate_alloc_compressor(6);
    size_t n = libdeflate_deflate_compress(z, p, 5000, out_p, sizeof out_p);
    struct skep_net__inflater inf = {0};
    struct skep_net__intake out = {0};
    (void)state;
    libdeflate_free_compressor(z);
    assert_int_equal(
        skep_net__inflate(&inf, SKEP_NET__DEFLATE, (skep_bytes){out_p, n}, 5000, &out, NULL),
        SKEP_OK);
    assert_memory_equal(out.p, p, 5000);
    skep_net__intake_done(&out);
    free(p);
    skep_net__inflater_done(&inf);
}

static void test_budget_refuses(void **state)
{
    struct skep_net__inflater inf = {0};
    struct skep_budget budget;
    struct skep_net__intake out = {.budget = &budget};
    uint8_t *p = pattern(100000);
    skep_bytes in = made(SKEP_NET__GZIP, (skep_bytes){p, 100000});
    (void)state;
    skep_budget_init(&budget, "small", 50000, NULL);
    assert_int_equal(skep_net__inflate(&inf, SKEP_NET__GZIP, in, 1 << 20, &out, NULL), SKEP_ENOMEM);
    assert_int_equal(skep_budget_used(&budget), 0);
    struct skep_net__intake wire = {.budget = &budget};
    for (int i = 0; i < 4; i++)
        assert_int_equal(skep_net__intake_put(&wire, (skep_bytes){p, 10000}, 0, 1 << 20, NULL),
                         SKEP_OK);
    assert_int_equal(skep_net__intake_put(&wire, (skep_bytes){p, 40000}, 0, 1 << 20, NULL),
                     SKEP_ENOMEM);
    assert_int_equal(wire.n, 40000);
    skep_net__intake_done(&wire);
    assert_int_equal(skep_budget_used(&budget), 0);
    free((void *)in.p);
    free(p);
    skep_net__inflater_done(&inf);
}

static void test_intake(void **state)
{
    struct skep_budget budget;
    struct skep_net__intake in = {.budget = &budget};
    uint8_t piece[1000] = {7};
    (void)state;
    skep_budget_init(&budget, "test", UINT64_MAX, NULL);
    /* Announcing 64 MiB takes one step of it only. */
    assert_int_equal(skep_net__intake_put(&in, (skep_bytes){piece, 1000}, 64 << 20, 64 << 20, NULL),
                     SKEP_OK);
    assert_int_equal(skep_budget_used(&budget), 1 << 20);
    skep_net__intake_done(&in);
    /* A small known size is met exactly. */
    assert_int_equal(skep_net__intake_put(&in, (skep_bytes){piece, 1000}, 1500, 64 << 20, NULL),
                     SKEP_OK);
    assert_int_equal(in.cap, 1500);
    assert_int_equal(skep_net__intake_put(&in, (skep_bytes){piece, 500}, 1500, 1500, NULL),
                     SKEP_OK);
    assert_int_equal(skep_net__intake_put(&in, (skep_bytes){piece, 1}, 1500, 1500, NULL),
                     SKEP_ETOOLARGE);
    assert_int_equal(in.n, 1500);
    skep_net__intake_done(&in);
}

static void test_coding_names(void **state)
{
    (void)state;
    assert_int_equal(skep_net__coding_parse(SKEP_STR("")), SKEP_NET__IDENTITY);
    assert_int_equal(skep_net__coding_parse(SKEP_STR(" GZip ")), SKEP_NET__GZIP);
    assert_int_equal(skep_net__coding_parse(SKEP_STR("zstd")), SKEP_NET__ZSTD);
    assert_int_equal(skep_net__coding_parse(SKEP_STR("deflate")), SKEP_NET__DEFLATE);
    assert_int_equal(skep_net__coding_parse(SKEP_STR("gzip, zstd")), SKEP_NET__UNKNOWN_CODING);
    assert_int_equal(skep_net__coding_parse(SKEP_STR("br")), SKEP_NET__UNKNOWN_CODING);
}

static void test_grpc_frames(void **state)
{
    struct {
        skep_str in;
        skep_rc rc;
        size_t n;
        bool compressed;
    } cases[] = {
        {SKEP_STR("\0\0\0\0\0"), SKEP_OK, 0, false},
        {SKEP_STR("\0\0\0\0\3abc"), SKEP_OK, 3, false},
        {SKEP_STR("\1\0\0\0\3abc"), SKEP_OK, 3, true},
        {SKEP_STR(""), SKEP_EMALFORMED, 0, false},
        {SKEP_STR("\0\0\0\0"), SKEP_EMALFORMED, 0, false},
        {SKEP_STR("\2\0\0\0\0"), SKEP_EMALFORMED, 0, false},
        {SKEP_STR("\0\0\0\0\3ab"), SKEP_EMALFORMED, 0, false},
        {SKEP_STR("\0\0\0\0\3abcd"), SKEP_EMALFORMED, 0, false},
        {SKEP_STR("\0\0\0\0\1a\0\0\0\0\1b"), SKEP_EMALFORMED, 0, false},
        {SKEP_STR("\0\xff\xff\xff\xff"), SKEP_EMALFORMED, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(cases); i++) {
        skep_bytes message = {0};
        bool compressed = false;
        assert_int_equal(
            skep_net__grpc_unframe(skep_str_bytes(cases[i].in), &message, &compressed, NULL),
            cases[i].rc);
        if (cases[i].rc == SKEP_OK) {
            assert_int_equal(message.n, cases[i].n);
            assert_int_equal(compressed, cases[i].compressed);
        }
    }
    assert_true(skep_net__is_grpc(SKEP_STR("application/grpc")));
    assert_true(skep_net__is_grpc(SKEP_STR("application/grpc+proto")));
    assert_false(skep_net__is_grpc(SKEP_STR("application/grpc-web")));
    assert_false(skep_net__is_grpc(SKEP_STR("application/json")));
}

static void test_grpc_texts(void **state)
{
    struct skep_arena arena;
    (void)state;
    skep_arena_init(&arena, "test", NULL);
    assert_true(skep_str_eq(skep_net__grpc_message(&arena, SKEP_STR("a%b\n\xc3\xa4 ~")),
                            SKEP_STR("a%25b%0A%C3%A4 ~")));
    static const char *const b64[][2] = {
        {"", ""},        {"f", "Zg=="},          {"fo", "Zm8="},
        {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfd", "//79"}};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(b64); i++)
        assert_true(skep_str_eq(skep_net__base64(&arena, skep_str_bytes(skep_str_c(b64[i][0]))),
                                skep_str_c(b64[i][1])));
    skep_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),    cmocka_unit_test(test_over_limit_by_one),
        cmocka_unit_test(test_bombs),          cmocka_unit_test(test_lying_size),
        cmocka_unit_test(test_cut_anywhere),   cmocka_unit_test(test_members),
        cmocka_unit_test(test_zstd_window),    cmocka_unit_test(test_raw_deflate),
        cmocka_unit_test(test_budget_refuses), cmocka_unit_test(test_intake),
        cmocka_unit_test(test_coding_names),   cmocka_unit_test(test_grpc_frames),
        cmocka_unit_test(test_grpc_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

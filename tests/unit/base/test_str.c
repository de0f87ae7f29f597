// SPDX-License-Identifier: Apache-2.0
/* Slices, numbers, hex and UTF-8: edges that telemetry really has. */
#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <math.h>

#include "base/bytes.h"
#include "base/str.h"

static void compares_and_finds(void **state)
{
    (void)state;
    assert_true(skep_str_eq(SKEP_STR(""), SKEP_STR_NULL));
    assert_false(skep_str_eq(SKEP_STR("a"), SKEP_STR("b")));
    assert_true(skep_str_cmp(SKEP_STR("a"), SKEP_STR("ab")) < 0);
    assert_true(skep_str_cmp(SKEP_STR("b"), SKEP_STR("ab")) > 0);
    assert_int_equal(skep_str_cmp(SKEP_STR("ab"), SKEP_STR("ab")), 0);
    assert_true(skep_str_ieq(SKEP_STR("Content-TYPE"), SKEP_STR("content-type")));
    assert_false(skep_str_ieq(SKEP_STR("content"), SKEP_STR("content-")));
    assert_true(skep_str_starts(SKEP_STR("abc"), SKEP_STR("ab")));
    assert_false(skep_str_starts(SKEP_STR("ab"), SKEP_STR("abc")));
    assert_true(skep_str_ends(SKEP_STR("abc"), SKEP_STR("bc")));
    assert_int_equal(skep_str_find(SKEP_STR("hello"), SKEP_STR("llo")), 2);
    assert_int_equal(skep_str_find(SKEP_STR("hello"), SKEP_STR("")), 0);
    assert_true(skep_str_find(SKEP_STR("hello"), SKEP_STR("x")) == SIZE_MAX);
    assert_true(skep_str_eq(skep_str_trim(SKEP_STR(" \ta b\r\n")), SKEP_STR("a b")));
}

static uint64_t next_random(uint64_t x)
{
    x ^= x << 13;
    x ^= x >> 7;
    return x ^ x << 17;
}

/* The fast search finds what the plain one finds, at every place and near every end. */
static void finds_like_the_plain_one(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252ull;
    for (int k = 0; k < 20000; k++) {
        char text[400], needle[40];
        x = next_random(x);
        size_t n = x % 300, m = x / 1000 % 20;
        unsigned letters = 1 + (unsigned)(x / 100000 % 4);
        for (size_t i = 0; i < n + m; i++) {
            x = next_random(x);
            *(i < n ? &text[i] : &needle[i - n]) = (char)('a' + x % letters);
        }
        if (k % 2 && m <= n) /* put it somewhere */
            memcpy(text + x % (n - m + 1), needle, m);
        skep_str s = {text, n}, d = {needle, m};
        assert_true(skep_str_find(s, d) == skep_str_find_portable(s, d));
    }
}

static void cuts(void **state)
{
    (void)state;
    skep_str s = SKEP_STR("a,,b");
    assert_true(skep_str_eq(skep_str_cut(&s, ','), SKEP_STR("a")));
    assert_true(skep_str_eq(skep_str_cut(&s, ','), SKEP_STR("")));
    assert_non_null(s.p);
    assert_true(skep_str_eq(skep_str_cut(&s, ','), SKEP_STR("b")));
    assert_null(s.p);
}

static void parses_integers(void **state)
{
    (void)state;
    int64_t i;
    uint64_t u;
    assert_true(skep_str_i64(SKEP_STR("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_true(skep_str_i64(SKEP_STR("9223372036854775807"), &i) && i == INT64_MAX);
    assert_false(skep_str_i64(SKEP_STR("9223372036854775808"), &i));
    assert_false(skep_str_i64(SKEP_STR("-9223372036854775809"), &i));
    assert_true(skep_str_u64(SKEP_STR("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_false(skep_str_u64(SKEP_STR("18446744073709551616"), &u));
    assert_false(skep_str_u64(SKEP_STR(""), &u));
    assert_false(skep_str_u64(SKEP_STR("1 "), &u));
    assert_false(skep_str_i64(SKEP_STR("-"), &i));
    assert_false(skep_str_i64(SKEP_STR("+-1"), &i));
}

static void parses_doubles(void **state)
{
    (void)state;
    double f;
    assert_true(skep_str_f64(SKEP_STR("1.5e3"), &f) && f == 1500.0);
    assert_true(skep_str_f64(SKEP_STR("-0.1"), &f) && f == -0.1);
    assert_true(skep_str_f64(SKEP_STR("1e400"), &f) && isinf(f));
    assert_false(skep_str_f64(SKEP_STR("nan"), &f));
    assert_false(skep_str_f64(SKEP_STR("0x10"), &f));
    assert_false(skep_str_f64(SKEP_STR("1.5x"), &f));
    assert_false(skep_str_f64(SKEP_STR(" 1"), &f));
    assert_false(skep_str_f64(SKEP_STR("1\0"), &f));
}

static void hex(void **state)
{
    (void)state;
    uint8_t raw[4];
    char text[8];
    assert_true(skep_hex_decode(SKEP_STR("00fFA1"), raw, sizeof raw));
    assert_int_equal(raw[1], 0xff);
    skep_hex_encode((skep_bytes){raw, 3}, text);
    assert_memory_equal(text, "00ffa1", 6);
    assert_false(skep_hex_decode(SKEP_STR("0"), raw, sizeof raw));
    assert_false(skep_hex_decode(SKEP_STR("0g"), raw, sizeof raw));
    assert_false(skep_hex_decode(SKEP_STR("0011223344"), raw, sizeof raw));
}

static void utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
        bool valid;
    } rows[] = {
        {"", 0, true},
        {"plain ascii text that is long", 29, true},
        {"\xc3\xa9", 2, true},
        {"\xe2\x82\xac", 3, true},
        {"\xf0\x9f\x90\x9d", 4, true},
        {"\xc0\x80", 2, false},         /* overlong */
        {"\xe0\x80\x80", 3, false},     /* overlong */
        {"\xed\xa0\x80", 3, false},     /* surrogate */
        {"\xf4\x90\x80\x80", 4, false}, /* above 10FFFF */
        {"\xf5\x80\x80\x80", 4, false},
        {"\x80", 1, false},
        {"ab\xc3", 3, false}, /* cut */
        {"ab\xe2\x82", 4, false},
        {"12345678\xff", 9, false},
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(rows); i++)
        assert_int_equal(skep_utf8_valid((skep_str){rows[i].text, rows[i].n}), rows[i].valid);
}

static void cursor_is_sticky(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 0xff, 0xff, 0x03, 9, 9};
    skep_rd r = skep_rd_make((skep_bytes){bytes, sizeof bytes});
    assert_int_equal(skep_rd_u8(&r), 1);
    assert_int_equal(skep_rd_varint(&r), 0xffff);
    assert_int_equal(skep_rd_offset(&r), 4);
    assert_int_equal(skep_rd_u32(&r), 0);
    assert_true(r.bad);
    assert_int_equal(skep_rd_u8(&r), 0); /* bytes are left, but the message is bad */
    static const uint8_t endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                      0x80, 0x80, 0x80, 0x80, 0x80, 0x01};
    r = skep_rd_make((skep_bytes){endless, sizeof endless});
    assert_int_equal(skep_rd_varint(&r), 0);
    assert_true(r.bad);
    static const uint8_t wide[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    r = skep_rd_make((skep_bytes){wide, sizeof wide});
    assert_true(skep_rd_varint(&r) == UINT64_MAX && !r.bad);
    static const uint8_t over[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    r = skep_rd_make((skep_bytes){over, sizeof over});
    (void)skep_rd_varint(&r);
    assert_true(r.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares_and_finds),
        cmocka_unit_test(finds_like_the_plain_one),
        cmocka_unit_test(cuts),
        cmocka_unit_test(parses_integers),
        cmocka_unit_test(parses_doubles),
        cmocka_unit_test(hex),
        cmocka_unit_test(utf8),
        cmocka_unit_test(cursor_is_sticky),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

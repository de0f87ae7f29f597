// SPDX-License-Identifier: Apache-2.0
/* Base64: RFC 4648's vectors, both alphabets, what is refused. */
#include <cmocka.h>
#include <stdlib.h>

#include "wire/base64.h"

static void expect_decode(const char *in, const char *want)
{
    uint8_t out[64];
    size_t n = 99;
    assert_true(skep_base64_decode(skep_str_c(in), out, sizeof out, &n));
    assert_int_equal(n, strlen(want));
    assert_memory_equal(out, want, n);
}

static void expect_refused(const char *in)
{
    uint8_t out[64];
    size_t n;
    assert_false(skep_base64_decode(skep_str_c(in), out, sizeof out, &n));
}

static void test_vectors(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(pairs); i++) {
        struct skep_buf b;
        skep_buf_init(&b, 100);
        skep_base64_encode(&b, skep_str_bytes(skep_str_c(pairs[i][0])));
        assert_true(skep_str_eq(skep_buf_text(&b), skep_str_c(pairs[i][1])));
        expect_decode(pairs[i][1], pairs[i][0]);
        skep_buf_done(&b);
    }
    expect_decode("Zg", "f");
    expect_decode("Zm8", "fo");
    expect_decode("-_-_", "\xfb\xff\xbf");
    expect_decode("+/+/", "\xfb\xff\xbf");
}

static void test_refused(void **state)
{
    (void)state;
    expect_refused("Z");
    expect_refused("Zg=");  // half a padding
    expect_refused("Zh=="); // bits that would be lost
    expect_refused("Zm9=");
    expect_refused("Zm 9v");
    expect_refused("Zm9v=");
    expect_refused("====");
    expect_refused("Z\xc3\xa4g");
    uint8_t out[2];
    size_t n;
    assert_false(skep_base64_decode(SKEP_STR("Zm9v"), out, sizeof out, &n)); // no room
    assert_true(skep_base64_decode(SKEP_STR("Zm8="), out, sizeof out, &n));
}

static void test_round_trip(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed < 300; seed++) {
        uint8_t in[80], out[80];
        size_t n = seed % sizeof in, got;
        srand(seed);
        for (size_t i = 0; i < n; i++)
            in[i] = (uint8_t)rand();
        struct skep_buf b;
        skep_buf_init(&b, 200);
        skep_base64_encode(&b, (skep_bytes){in, n});
        assert_true(skep_base64_decode(skep_buf_text(&b), out, sizeof out, &got));
        assert_int_equal(got, n);
        assert_memory_equal(in, out, n);
        skep_buf_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/* Text for terminals: no foreign byte steers one, cells keep their width. */
#include <cmocka.h>

#include "server/cli.h"

static struct skep_buf b;

static int set_up(void **state)
{
    (void)state;
    skep_buf_init(&b, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    skep_buf_done(&b);
    return 0;
}

static void is(const char *want)
{
    skep_buf_u8(&b, '\0');
    assert_string_equal((const char *)b.p, want);
    skep_buf_reset(&b);
}

static void test_safe(void **state)
{
    (void)state;
    skep_cli_safe(&b, SKEP_STR("a\x1b[31m\x07\n\tz"));
    is("a\\x1b[31m\\x07\\n\\tz");
    skep_cli_safe(&b, SKEP_STR("\xc2\x9b"
                               "1m \xc3\xa9 \xff \x7f"));
    is("\\xc2\\x9b"
       "1m \xc3\xa9 \\xff \\x7f");
}

/* The line of a terminal, the reading order, what is not seen. */
static void test_safe_deceptive(void **state)
{
    (void)state;
    skep_cli_safe(&b, SKEP_STR("a\u202ebc\u2066\u2028\ufeff\u200b\U000e0041z\u200d\u00e9\u061c"));
    is("a\\u{202e}bc\\u{2066}\\u{2028}\\u{feff}\\u{200b}\\u{e0041}z\u200d\u00e9\\u{61c}");
    skep_cli_json_safe(&b, SKEP_STR("{\"a\":\"\u202e\x7f\xc2\x9b"
                                    "1m\U000e0041\u00e9\xff\"}\n"));
    is("{\"a\":\"\\u202e\\u007f\\u009b"
       "1m\\udb40\\udc41\u00e9\\ufffd\"}\n");
}

/* Whatever comes in, no control character and no ill-formed sequence goes out. */
static void test_safe_random(void **state)
{
    uint32_t seed = 99;
    (void)state;
    for (int round = 0; round < 5000; round++) {
        char raw[32];
        for (size_t i = 0; i < sizeof raw; i++) {
            seed = seed * 1664525u + 1013904223u;
            raw[i] = (char)(seed >> 24);
        }
        skep_buf_reset(&b);
        skep_cli_safe(&b, (skep_str){raw, sizeof raw});
        assert_true(skep_utf8_valid(skep_buf_text(&b)));
        for (size_t i = 0; i < b.n; i++) {
            assert_true(b.p[i] >= 32 && b.p[i] != 127);
            assert_false(b.p[i] == 0xc2 && b.p[i + 1] < 0xa0);
        }
    }
}

static void test_cells(void **state)
{
    (void)state;
    skep_cli_cell(&b, SKEP_STR("ab"), 4, false);
    is("ab  ");
    skep_cli_cell(&b, SKEP_STR("ab"), 4, true);
    is("  ab");
    skep_cli_cell(&b, SKEP_STR("abcdef"), 4, true);
    is("abc~");
    skep_cli_cell(&b, SKEP_STR("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"), 3, false);
    is("\xc3\xa9\xc3\xa9~");
    skep_cli_cell(&b, SKEP_STR(""), 0, false);
    is("");
}

static void test_numbers(void **state)
{
    (void)state;
    skep_cli_count(&b, 0);
    is("0");
    skep_cli_count(&b, 1234567);
    is("1,234,567");
    skep_cli_duration(&b, 0);
    is("0");
    skep_cli_duration(&b, 1500000);
    is("1.5 ms");
    skep_cli_duration(&b, 2000000000);
    is("2 s");
    skep_cli_duration(&b, 999);
    is("999 ns");
}

static void test_json(void **state)
{
    static const char *const texts[][2] = {{"\"a\\u001b\"", "a\\x1b"},
                                           {"12", "12"},
                                           {"-3", "-3"},
                                           {"0.25", "0.25"},
                                           {"null", "-"},
                                           {"true", "true"},
                                           {"[1,\"x\"]", "[1,\"x\"]"},
                                           {"{\"int\":\"9007199254740993\"}", "9007199254740993"}};
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(texts); i++) {
        yyjson_doc *doc = yyjson_read(texts[i][0], strlen(texts[i][0]), 0);
        assert_non_null(doc);
        skep_cli_json_text(&b, yyjson_doc_get_root(doc));
        yyjson_doc_free(doc);
        is(texts[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_safe, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_safe_deceptive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_safe_random, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cells, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

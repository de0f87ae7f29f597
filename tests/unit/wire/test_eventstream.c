// SPDX-License-Identifier: Apache-2.0
/* Event stream messages against bytes that AWS's own test suite has, and the limit of the buffer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "wire/eventstream.h"

/* "empty message" and "one header and payload" of the vectors that the SDKs are tested with. */
static void test_vectors(void **state)
{
    (void)state;
    static const uint8_t empty[] = {0,    0,    0,    16,   0,    0,    0,    0,
                                    0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff};
    struct skep_buf b;
    skep_buf_init(&b, 1000);
    skep_eventstream_put(&b, NULL, 0, (skep_bytes){NULL, 0});
    assert_int_equal(b.n, sizeof empty);
    assert_memory_equal(b.p, empty, sizeof empty);
    skep_buf_reset(&b);
    static const uint8_t payload_no_headers[] = {
        0x00, 0x00, 0x00, 0x1d, 0x00, 0x00, 0x00, 0x00, 0xfd, 0x52, 0x8c, 0x5a, '{',  '\'', 'f',
        'o',  'o',  '\'', ':',  '\'', 'b',  'a',  'r',  '\'', '}',  0xc3, 0x65, 0x39, 0x36};
    skep_eventstream_put(&b, NULL, 0, skep_str_bytes(SKEP_STR("{'foo':'bar'}")));
    assert_int_equal(b.n, sizeof payload_no_headers);
    assert_memory_equal(b.p, payload_no_headers, sizeof payload_no_headers);
    skep_buf_done(&b);
}

static void test_headers(void **state)
{
    (void)state;
    const struct skep_eventstream_header h = {SKEP_STR("content-type"),
                                              SKEP_STR("application/json")};
    struct skep_buf b;
    skep_buf_init(&b, 1000);
    skep_eventstream_put(&b, &h, 1, skep_str_bytes(SKEP_STR("{'foo':'bar'}")));
    assert_int_equal(b.n, 61);
    static const uint8_t start[] = {0, 0, 0, 61, 0, 0, 0, 32, 0x07, 0xfd, 0x83, 0x96, 12, 'c'};
    assert_memory_equal(b.p, start, sizeof start);
    static const uint8_t end[] = {'}', 0x8d, 0x9c, 0x08, 0xb1};
    assert_memory_equal(b.p + b.n - sizeof end, end, sizeof end);
    skep_buf_done(&b);
    skep_buf_init(&b, 60);
    skep_eventstream_put(&b, &h, 1, skep_str_bytes(SKEP_STR("{'foo':'bar'}")));
    assert_true(b.bad);
    skep_buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors),
                                       cmocka_unit_test(test_headers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

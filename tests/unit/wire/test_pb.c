// SPDX-License-Identifier: Apache-2.0
/* The protobuf cursor and writer: each wire type, each way a message can be cut or wrong. */
#include <cmocka.h>
#include <stdlib.h>

#include "wire/pb.h"

#define BYTES(...)                                                                                 \
    ((skep_bytes){(const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})})

static struct skep_pb_ctx ctx;

static void expect_error(skep_bytes in, size_t at)
{
    skep_err err;
    skep_pb_field f;
    skep_pb c = skep_pb_make(&ctx, in);
    while (skep_pb_next(&c, &f))
        ;
    assert_int_equal(skep_pb_check(&ctx, &err), SKEP_EMALFORMED);
    assert_non_null(ctx.error);
    assert_int_equal(ctx.error_at, at);
    assert_false(skep_pb_next(&c, &f)); // and it stays at its end
    assert_non_null(strstr(err.text, "at byte"));
}

static void test_each_wire_type(void **state)
{
    (void)state;
    skep_pb_field f;
    skep_pb c = skep_pb_make(&ctx, BYTES(0x08, 0x96, 0x01,             // 1: varint 150
                                         0x11, 1, 2, 3, 4, 5, 6, 7, 8, // 2: 64 bits
                                         0x1a, 2, 'h', 'i',            // 3: "hi"
                                         0x25, 1, 0, 0, 0,             // 4: 32 bits
                                         0x85, 0x01, 5, 1, 0, 0,       // 16: two-byte tag
                                         0x2a, 0x00));                 // 5: empty
    assert_true(skep_pb_next(&c, &f));
    assert_int_equal(f.tag, SKEP_PB_TAG(1, VARINT));
    assert_int_equal(f.u, 150);
    assert_true(skep_pb_next(&c, &f));
    assert_int_equal(f.tag, SKEP_PB_TAG(2, I64));
    assert_int_equal(f.u, 0x0807060504030201);
    assert_true(skep_pb_next(&c, &f));
    assert_int_equal(f.tag, SKEP_PB_TAG(3, LEN));
    assert_int_equal(f.bytes.n, 2);
    assert_memory_equal(f.bytes.p, "hi", 2);
    assert_true(skep_pb_next(&c, &f));
    assert_int_equal(f.tag, SKEP_PB_TAG(4, I32));
    assert_int_equal(f.u, 1);
    assert_true(skep_pb_next(&c, &f));
    assert_int_equal(f.tag, SKEP_PB_TAG(16, I32));
    assert_int_equal(f.u, 0x105);
    assert_true(skep_pb_next(&c, &f));
    assert_int_equal(f.bytes.n, 0);
    assert_false(skep_pb_next(&c, &f));
    assert_int_equal(skep_pb_check(&ctx, NULL), SKEP_OK);
}

static void test_wrong_messages(void **state)
{
    (void)state;
    expect_error(BYTES(0x08), 0);                   // no value
    expect_error(BYTES(0x08, 0x01, 0x08, 0x80), 2); // cut varint
    expect_error(BYTES(0x80), 0);                   // cut tag
    expect_error(BYTES(0x11, 1, 2, 3), 0);          // cut 64 bits
    expect_error(BYTES(0x25, 1, 2, 3), 0);          // cut 32 bits
    expect_error(BYTES(0x0a, 3, 'h', 'i'), 0);      // length behind the end
    expect_error(BYTES(0x0a, 0x80), 0);             // cut length
    expect_error(BYTES(0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01), 0);
    expect_error(BYTES(0x0b, 0x0c), 0); // group
    expect_error(BYTES(0x0e), 0);       // wire type 6
    expect_error(BYTES(0x00, 0x00), 0); // field 0
    expect_error(BYTES(0x02, 0x00), 0); // field 0, LEN
    expect_error(BYTES(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02), 0);
    expect_error(BYTES(0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00), 0);
}

static void test_long_varints(void **state)
{
    (void)state;
    skep_pb_field f;
    skep_pb c = skep_pb_make(&ctx, BYTES(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                         0x01,                                     // 2^64 - 1
                                         0x0a, 0x82, 0x80, 0x80, 0x00, 'o', 'k')); // long length
    assert_true(skep_pb_next(&c, &f));
    assert_true(f.u == UINT64_MAX);
    assert_true(skep_pb_next(&c, &f));
    assert_int_equal(f.bytes.n, 2);
    assert_false(skep_pb_next(&c, &f));
    assert_null(ctx.error);
}

static void test_error_of_an_inner_message_is_kept(void **state)
{
    (void)state;
    skep_pb_field f, g;
    skep_pb c = skep_pb_make(&ctx, BYTES(0x0a, 2, 0x08, 0x80, 0x12, 1, 0x80));
    assert_true(skep_pb_next(&c, &f));
    skep_pb inner = skep_pb_sub(&ctx, f.bytes);
    assert_false(skep_pb_next(&inner, &g));
    assert_int_equal(ctx.error_at, 2);
    assert_true(skep_pb_next(&c, &f));
    inner = skep_pb_sub(&ctx, f.bytes);
    assert_false(skep_pb_next(&inner, &g));
    assert_int_equal(ctx.error_at, 2); // the first one
}

static void test_empty_input(void **state)
{
    (void)state;
    skep_pb_field f;
    skep_pb c = skep_pb_make(&ctx, (skep_bytes){NULL, 0});
    assert_false(skep_pb_next(&c, &f));
    assert_int_equal(skep_pb_check(&ctx, NULL), SKEP_OK);
}

/* Random fields written and read back; every prefix either ends at a field or is an error. */
static void test_round_trip_and_prefixes(void **state)
{
    (void)state;
    enum { FIELDS = 40 };
    for (unsigned seed = 1; seed <= 200; seed++) {
        srand(seed);
        struct skep_buf b;
        skep_pb_field want[FIELDS], f;
        size_t ends[FIELDS];
        static const uint8_t text[300];
        skep_buf_init(&b, 1 << 20);
        for (int i = 0; i < FIELDS; i++) {
            uint32_t number =
                rand() % 3 ? 1u + (unsigned)rand() % 20 : 1u + (unsigned)rand() % 0x1fffffff;
            uint64_t v = ((uint64_t)rand() << 33 ^ (uint64_t)rand()) >> (rand() % 64);
            size_t n = (size_t)rand() % sizeof text;
            switch (rand() % 4) {
            case 0:
                skep_pb_put_varint(&b, number, v);
                want[i] = (skep_pb_field){number << 3, v, {NULL, 0}};
                break;
            case 1:
                skep_pb_put_i64(&b, number, v);
                want[i] = (skep_pb_field){number << 3 | 1, v, {NULL, 0}};
                break;
            case 2:
                skep_pb_put_i32(&b, number, (uint32_t)v);
                want[i] = (skep_pb_field){number << 3 | 5, (uint32_t)v, {NULL, 0}};
                break;
            default: {
                size_t mark = skep_pb_begin(&b, number);
                skep_buf_put(&b, text, n);
                skep_pb_end(&b, mark);
                want[i] = (skep_pb_field){number << 3 | 2, 0, {text, n}};
            }
            }
            ends[i] = b.n;
        }
        skep_pb c = skep_pb_make(&ctx, skep_buf_bytes(&b));
        for (int i = 0; i < FIELDS; i++) {
            assert_true(skep_pb_next(&c, &f));
            assert_int_equal(f.tag, want[i].tag);
            if ((f.tag & 7) == SKEP_PB_LEN)
                assert_int_equal(f.bytes.n, want[i].bytes.n);
            else
                assert_true(f.u == want[i].u);
        }
        assert_false(skep_pb_next(&c, &f));
        for (size_t cut = 0, whole = 0; cut < b.n; cut++) {
            if (whole < FIELDS && cut == ends[whole])
                whole++;
            c = skep_pb_make(&ctx, (skep_bytes){b.p, cut});
            size_t n = 0;
            while (skep_pb_next(&c, &f))
                n++;
            assert_int_equal(n, whole);
            assert_int_equal(ctx.error == NULL, cut == (whole ? ends[whole - 1] : 0));
        }
        skep_buf_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_wire_type),
        cmocka_unit_test(test_wrong_messages),
        cmocka_unit_test(test_long_varints),
        cmocka_unit_test(test_error_of_an_inner_message_is_kept),
        cmocka_unit_test(test_empty_input),
        cmocka_unit_test(test_round_trip_and_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

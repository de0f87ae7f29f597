// SPDX-License-Identifier: Apache-2.0
/* Hashes that are stored on disk must never change; the index must find all it was given. */
#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/mem.h"

static void hashes_are_fixed(void **state)
{
    (void)state;
    /* XXH3-64 of "" and CRC-32C check value of "123456789" are published constants. */
    assert_true(skep_hash((skep_bytes){NULL, 0}) == 0x2d06800538d394c2ull);
    assert_int_equal(skep_crc32c(0, skep_str_bytes(SKEP_STR("123456789"))), 0xe3069283u);
    uint32_t half = skep_crc32c(0, skep_str_bytes(SKEP_STR("12345")));
    assert_int_equal(skep_crc32c(half, skep_str_bytes(SKEP_STR("6789"))), 0xe3069283u);
}

static uint32_t crc_bit_by_bit(uint32_t crc, const uint8_t *p, size_t n)
{
    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1u)));
    }
    return ~crc;
}

/* Whatever the machine computes it with: any length, any alignment, in one piece or in two. */
static void crc_is_that_of_the_bits(void **state)
{
    (void)state;
    enum { BYTES = 20000 };
    uint8_t *p = skep_malloc(BYTES);
    for (size_t i = 0; i < BYTES; i++)
        p[i] = (uint8_t)(skep_hash_u64(i) >> 17);
    for (size_t n = 0; n <= BYTES - 8; n += n < 70 ? 1 : 499) {
        const uint8_t *from = p + n % 8;
        uint32_t want = crc_bit_by_bit(0, from, n);
        assert_int_equal(skep_crc32c(0, (skep_bytes){from, n}), want);
        size_t cut = n * 2 / 3;
        uint32_t first = skep_crc32c(0, (skep_bytes){from, cut});
        assert_int_equal(skep_crc32c(first, (skep_bytes){from + cut, n - cut}), want);
    }
    skep_free(p);
}

static void index_finds_all(void **state)
{
    (void)state;
    enum { N = 50000 };
    struct skep_index ix;
    uint64_t *keys = skep_alloc_n(uint64_t, N);
    skep_index_init(&ix, 0);
    for (uint32_t i = 0; i < N; i++) {
        keys[i] = (uint64_t)(i / 2) * 0x9e3779b97f4a7c15ull; /* each key twice */
        skep_index_add(&ix, skep_hash_u64(keys[i]), i);
    }
    for (uint32_t i = 0; i < N; i++) {
        struct skep_index_it it = skep_index_begin(&ix, skep_hash_u64(keys[i]));
        uint32_t found = 0, at;
        while ((at = skep_index_next(&ix, &it)) != SKEP_INDEX_NONE)
            found += keys[at] == keys[i];
        assert_int_equal(found, 2);
    }
    skep_index_clear(&ix);
    struct skep_index_it it = skep_index_begin(&ix, skep_hash_u64(keys[0]));
    assert_int_equal(skep_index_next(&ix, &it), SKEP_INDEX_NONE);
    skep_index_done(&ix);
    skep_free(keys);
}

static void empty_index_is_safe(void **state)
{
    (void)state;
    struct skep_index ix;
    skep_index_init(&ix, 0);
    struct skep_index_it it = skep_index_begin(&ix, 12345);
    assert_int_equal(skep_index_next(&ix, &it), SKEP_INDEX_NONE);
    skep_index_done(&ix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_fixed),
        cmocka_unit_test(crc_is_that_of_the_bits),
        cmocka_unit_test(index_finds_all),
        cmocka_unit_test(empty_index_is_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

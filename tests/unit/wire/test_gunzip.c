// SPDX-License-Identifier: Apache-2.0
/* gzip members: what libdeflate packed comes back; cut, broken, lying and too large ones do not. */
#include <cmocka.h>
#include <libdeflate.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/gunzip.h"

static size_t pack(const uint8_t *in, size_t n, uint8_t *out, size_t cap)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    assert_non_null(c);
    size_t m = libdeflate_gzip_compress(c, in, n, out, cap);
    libdeflate_free_compressor(c);
    assert_true(m > 0);
    return m;
}

static void test_members(void **state)
{
    static uint8_t plain[100000], packed[110000];
    static const size_t sizes[] = {0, 1, 1000, sizeof plain};
    struct skep_buf out;
    (void)state;
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * i >> 7);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(sizes); i++) {
        size_t n = pack(plain, sizes[i], packed, sizeof packed);
        skep_buf_init(&out, sizeof plain + 3);
        skep_buf_str(&out, SKEP_STR("abc")); /* what stood there stays */
        assert_int_equal(skep_gunzip((skep_bytes){packed, n}, &out), SKEP_OK);
        assert_int_equal(out.n, sizes[i] + 3);
        assert_memory_equal(out.p + 3, plain, sizes[i]);
        for (size_t cut = 0; cut < n && cut < 300; cut++)
            assert_int_equal(skep_gunzip((skep_bytes){packed, cut}, &out) == SKEP_OK, false);
        skep_buf_done(&out);
    }
    size_t n = pack(plain, sizeof plain, packed, sizeof packed);
    skep_buf_init(&out, 1000);
    assert_int_equal(skep_gunzip((skep_bytes){packed, n}, &out), SKEP_ETOOLARGE);
    skep_store_le32(packed + n - 4, UINT32_MAX); /* a bomb's promise */
    assert_int_equal(skep_gunzip((skep_bytes){packed, n}, &out), SKEP_EMALFORMED);
    skep_store_le32(packed + n - 4, 10); /* less than there is */
    assert_int_equal(skep_gunzip((skep_bytes){packed, n}, &out), SKEP_EMALFORMED);
    assert_int_equal(skep_gunzip((skep_bytes){plain, 100}, &out), SKEP_EMALFORMED);
    skep_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_members)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

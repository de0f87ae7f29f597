// SPDX-License-Identifier: Apache-2.0
/* Templates (codec/tmpl*.c) at the edges of what they are made of; what every codec has to keep is
 * in test_codec.c. */
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "segment_support.h"
#include "store/column/codec/codec.h"

/* More lists of words than sixteen bits count: templates of 128 words each, told apart by what
 * stands between the words.  The 65,536th list after one with rare words has them again. */
static void test_very_many_slots_of_words(void **state)
{
    (void)state;
    enum { SHAPES = 520, EACH = 4, WORDS = 128, N = SHAPES * EACH, LONGEST = 6 * WORDS };
    enum { AGAIN = 65536 / WORDS };
    static const char *const usual[EACH] = {"alpha", "gamma", "sigma", "omega"},
                             *const rare[EACH] = {"quark", "gluon", "meson", "boson"};
    char *text = skep_malloc((size_t)N * LONGEST), *at = text;
    skep_str *v = skep_alloc_n(skep_str, N), *out = skep_alloc_n(skep_str, N);
    for (unsigned i = 0; i < N; i++) {
        unsigned shape = i / EACH;
        v[i] = (skep_str){at, LONGEST};
        for (unsigned k = 0; k < WORDS; k++, at += 6) {
            bool odd = k == 1 && shape % AGAIN == 0;
            memcpy(at, (odd ? rare : usual)[(i + k) % EACH], 5);
            at[5] = k < 16 && shape >> k & 1 ? ',' : '.';
        }
    }
    struct skep_codec_in in = {.n = N, .strs = v};
    struct skep_codec_scratch scratch = {0};
    struct skep_buf b;
    skep_buf_init(&b, 1u << 24);
    skep_codec_tmpl.encode(&in, &b);
    size_t n = b.n;
    skep_buf_zero(&b, SKEP_BITS_PAD);
    struct skep_codec_chunk chunk = {b.p, n, N};
    assert_int_equal(skep_codec_tmpl.decode_str(&chunk, 0, N, out, &scratch), SKEP_OK);
    for (unsigned i = 0; i < N; i++)
        if (!skep_str_eq(out[i], v[i]))
            fail_msg("string %u: %.*s", i, (int)out[i].n, out[i].p);
    skep_codec_scratch_done(&scratch);
    skep_buf_done(&b);
    skep_free(text);
    skep_free(v);
    skep_free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_very_many_slots_of_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

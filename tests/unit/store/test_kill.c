// SPDX-License-Identifier: Apache-2.0
/* Rows by their ids: the frame of a delete there and back, damage, and finding them in parts and
 * folded parts. */
#include <cmocka.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/column/kill.h"
#include "store/column/part.h"
#include "support/rowdump.h"

static struct skep_rowset *part_of(struct rnd *r, uint32_t rows, uint64_t seq)
{
    struct skep_batch *b = random_batch(r, rows, 1700000000000000000, 0);
    struct skep_buf buf;
    skep_buf_init(&buf, 64 << 20);
    assert_int_equal(skep_frame_encode(b, &buf, NULL), SKEP_OK);
    size_t n;
    uint8_t *payload = skep_buf_take(&buf, &n);
    struct skep_rowset *rs;
    assert_int_equal(skep_part_open(payload, n, seq, NULL, &rs, NULL), SKEP_OK);
    skep_batch_free(b);
    return rs;
}

static void test_frame(void **state)
{
    (void)state;
    struct rnd r = {5};
    for (int round = 0; round < 200; round++) {
        struct skep_row_keys k = {0}, back = {0};
        enum skep_death why;
        uint64_t seq = 1 + rnd_u64(&r) % 1000;
        for (uint32_t i = 0, n = 1 + rnd_below(&r, 500), ordinal = rnd_below(&r, 3); i < n; i++) {
            SKEP_GROW(k.keys, k.n, k.cap);
            k.keys[k.n++] = (struct skep_row_key){seq, ordinal};
            ordinal += 1 + (rnd_below(&r, 4) ? 0 : rnd_below(&r, 100));
            if (rnd_below(&r, 50) == 0) {
                seq += 1 + rnd_below(&r, 9);
                ordinal = rnd_below(&r, 9);
            }
        }
        struct skep_buf b;
        skep_buf_init(&b, 1 << 20);
        skep_kill_encode(&k, SKEP_DEATH_SUPERSEDED, 77, &b);
        assert_true(skep_kill_is(skep_buf_bytes(&b)));
        assert_int_equal(skep_kill_decode(skep_buf_bytes(&b), &back, &why, NULL), SKEP_OK);
        assert_int_equal(why, SKEP_DEATH_SUPERSEDED);
        assert_int_equal(back.n, k.n);
        for (size_t i = 0; i < k.n; i++) {
            assert_int_equal(back.keys[i].seq, k.keys[i].seq);
            assert_int_equal(back.keys[i].ordinal, k.keys[i].ordinal);
        }
        skep_row_keys_done(&back);
        skep_err err;
        for (size_t n = 0; n < b.n; n++) { /* cut short anywhere */
            assert_int_equal(skep_kill_decode((skep_bytes){b.p, n}, &back, &why, &err),
                             SKEP_ECORRUPT);
            assert_int_equal(back.n, 0);
        }
        skep_row_keys_done(&k);
        skep_buf_done(&b);
    }
}

/* Rows chosen by place, described by id, found again after a fold. */
static void test_find(void **state)
{
    (void)state;
    struct rnd r = {6};
    struct skep_rowset *parts[5], *folded;
    struct skep_mask chosen[5], found;
    struct skep_row_keys k = {0};
    uint64_t n = 0, row0 = 0;
    for (unsigned i = 0; i < 5; i++) {
        parts[i] = part_of(&r, 1 + rnd_below(&r, 3000), 10 + 2 * i);
        skep_mask_init(&chosen[i], parts[i]);
        for (uint64_t row = 0; row < parts[i]->n_rows; row += 1 + rnd_below(&r, 7 + 400 * i))
            skep_mask_add(&chosen[i], row);
        n += chosen[i].n;
        assert_int_equal(skep_row_keys_of(parts[i], &chosen[i], 0, &k, NULL), SKEP_OK);
    }
    assert_int_equal(k.n, n);
    skep_row_keys_sort(&k);
    assert_int_equal(skep_part_fold(parts, 5, NULL, &folded, NULL), SKEP_OK);
    skep_mask_init(&found, folded);
    assert_int_equal(skep_row_keys_find(folded, &k, &found, NULL), SKEP_OK);
    assert_int_equal(found.n, n);
    for (unsigned i = 0; i < 5; i++) {
        struct skep_mask own;
        skep_mask_init(&own, parts[i]);
        assert_int_equal(skep_row_keys_find(parts[i], &k, &own, NULL), SKEP_OK);
        for (uint64_t row = 0; row < parts[i]->n_rows; row++) {
            assert_int_equal(skep_mask_has(&own, row), skep_mask_has(&chosen[i], row));
            assert_int_equal(skep_mask_has(&found, row0 + row), skep_mask_has(&chosen[i], row));
        }
        row0 += parts[i]->n_rows;
        skep_mask_done(&own);
        skep_mask_done(&chosen[i]);
        skep_rowset_unref(parts[i]);
    }
    skep_mask_done(&found);
    skep_row_keys_done(&k);
    skep_rowset_unref(folded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame),
        cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/* Live-row bitmaps: versions against a plain array of flags, the file of a version, damage. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/column/live.h"
#include "support/rowdump.h"

enum { MAX_ROWS = 200000 };
#define ROWSET(n) (&(struct skep_rowset){.n_rows = (n), .row_end = (n)})

struct model {
    bool dead[MAX_ROWS];
    uint64_t n, n_dead;
};

static void expect_same(const struct skep_live *l, const struct model *m)
{
    assert_int_equal(l ? l->n_live : m->n, m->n - m->n_dead);
    if (l)
        assert_int_equal(l->n_live + l->n_deleted + l->n_superseded, l->n_rows);
    for (uint64_t row = 0; row < m->n; row++)
        if (skep_live_has(l, row) == m->dead[row])
            fail_msg("row %llu", (unsigned long long)row);
    /* No bit beyond the last row. */
    uint64_t live = 0;
    for (uint64_t row = 0; row < m->n; row += 64) {
        uint64_t word = skep_live_word(l, row);
        if (m->n - row < 64 && l && l->chunks[row / SKEP_ROW_GROUP_ROWS])
            assert_int_equal(word >> (m->n - row), 0);
        if (m->n - row < 64)
            word &= (1ull << (m->n - row)) - 1;
        live += SKEP_POPCOUNT64(word);
    }
    assert_int_equal(live, m->n - m->n_dead);
}

static void kill_some(struct rnd *r, struct model *m, struct skep_mask *mask)
{
    skep_mask_init(mask, ROWSET(m->n));
    uint32_t from = rnd_below(r, (uint32_t)m->n), step = 1 + rnd_below(r, 300);
    uint32_t to = from + rnd_below(r, (uint32_t)m->n - from + 1);
    for (uint32_t row = from; row < to; row += step) {
        skep_mask_add(mask, row);
        skep_mask_add(mask, row);
        assert_true(skep_mask_has(mask, row));
    }
    assert_int_equal(mask->n, (to - from + step - 1) / step);
}

static void expect_file(struct skep_live *l, const struct model *m)
{
    struct skep_buf b;
    struct skep_live *back = NULL;
    skep_err err;
    skep_buf_init(&b, 64 << 20);
    skep_live_encode(l, 77, &b);
    if (skep_live_decode(skep_buf_bytes(&b), 77, ROWSET(m->n), &back, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    expect_same(back, m);
    assert_int_equal(back->n_deleted, l->n_deleted);
    assert_int_equal(back->n_superseded, l->n_superseded);
    skep_live_unref(back);
    assert_int_equal(skep_live_decode(skep_buf_bytes(&b), 78, ROWSET(m->n), &back, &err),
                     SKEP_ECORRUPT);
    assert_int_equal(skep_live_decode(skep_buf_bytes(&b), 77, ROWSET(m->n + 1), &back, &err),
                     SKEP_ECORRUPT);
    skep_buf_done(&b);
}

static void test_versions(void **state)
{
    (void)state;
    static struct model m, before;
    struct rnd r = {20240701};
    for (int round = 0; round < 12; round++) {
        m = (struct model){.n = 1 + rnd_below(&r, round % 3 ? MAX_ROWS : 3000)};
        struct skep_live *l = NULL;
        for (int k = 0; k < 6; k++) {
            struct skep_mask mask, diff;
            uint64_t killed, want = 0;
            kill_some(&r, &m, &mask);
            before = m;
            for (uint64_t row = 0; row < m.n; row++)
                if (skep_mask_has(&mask, row) && !m.dead[row]) {
                    m.dead[row] = true;
                    want++;
                }
            m.n_dead += want;
            enum skep_death why = k % 2 ? SKEP_DEATH_SUPERSEDED : SKEP_DEATH_DELETED;
            struct skep_live *next = skep_live_kill(l, &mask, why, &killed);
            assert_int_equal(killed, want);
            if (want == 0)
                assert_ptr_equal(next, l);
            expect_same(l, &before); /* a version does not change */
            expect_same(next, &m);
            skep_live_diff(l, next, ROWSET(m.n), &diff);
            assert_int_equal(diff.n, want);
            for (uint64_t row = 0; row < m.n; row++)
                assert_int_equal(skep_mask_has(&diff, row), before.dead[row] != m.dead[row]);
            skep_mask_done(&diff);
            skep_mask_done(&mask);
            skep_live_unref(l);
            l = next;
            if (l)
                expect_file(l, &m);
        }
        skep_live_unref(l);
    }
}

/* Whatever bit is flipped, the file is refused. */
static void test_damage(void **state)
{
    (void)state;
    struct skep_mask mask;
    uint64_t killed;
    skep_mask_init(&mask, ROWSET(70000));
    for (uint64_t row = 100; row < 70000; row += row < 65536 ? 9 : 700)
        skep_mask_add(&mask, row);
    struct skep_live *l = skep_live_kill(NULL, &mask, SKEP_DEATH_DELETED, &killed), *back;
    struct skep_buf b;
    skep_err err;
    skep_buf_init(&b, 1 << 20);
    skep_live_encode(l, 5, &b);
    for (size_t bit = 0; bit < b.n * 8; bit += bit < 1024 ? 1 : 61) {
        b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_true(skep_live_decode(skep_buf_bytes(&b), 5, ROWSET(70000), &back, &err) != SKEP_OK);
        b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t n = 0; n < b.n; n += 7)
        assert_int_equal(skep_live_decode((skep_bytes){b.p, n}, 5, ROWSET(70000), &back, &err),
                         SKEP_ECORRUPT);
    skep_buf_done(&b);
    skep_live_unref(l);
    skep_mask_done(&mask);
}

/* Row groups before the last may be short: no bit stands in a gap of the row numbers. */
static void test_gaps(void **state)
{
    (void)state;
    static const uint32_t rows[] = {65536, 700, 64, 3};
    struct skep_rowset rs = {
        .n_rows = 66303, .row_end = 3 * SKEP_ROW_GROUP_ROWS + 3, .group_rows = rows};
    struct skep_mask mask;
    uint64_t killed;
    skep_mask_init(&mask, &rs);
    for (uint64_t g = 0; g < 4; g++)
        skep_mask_add(&mask, g * SKEP_ROW_GROUP_ROWS + rows[g] - 1);
    struct skep_live *l = skep_live_kill(NULL, &mask, SKEP_DEATH_DELETED, &killed), *back;
    assert_int_equal(killed, 4);
    assert_int_equal(l->n_live, rs.n_rows - 4);
    struct skep_buf b;
    skep_err err;
    skep_buf_init(&b, 1 << 20);
    skep_live_encode(l, 9, &b);
    assert_int_equal(skep_live_decode(skep_buf_bytes(&b), 9, &rs, &back, &err), SKEP_OK);
    uint64_t live = 0;
    for (uint64_t row = 0; row < 4ull * SKEP_ROW_GROUP_ROWS; row += 64) {
        assert_int_equal(skep_live_word(back, row), skep_live_word(l, row));
        live += SKEP_POPCOUNT64(skep_live_word(l, row));
    }
    assert_int_equal(live, l->n_live);
    skep_buf_done(&b);
    skep_live_unref(back);
    skep_live_unref(l);
    skep_mask_done(&mask);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

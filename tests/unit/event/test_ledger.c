// SPDX-License-Identifier: Apache-2.0
/* Ledgers: adding and taking back, folding by age, copies, hostile keys. */
#include <cmocka.h>

#include "event/ledger.h"

#define MIN_NS  (60ll * 1000000000)
#define HOUR_NS (60 * MIN_NS)
#define DAY_NS  (24 * HOUR_NS)

static struct skep_ledger_key key(uint32_t minute, uint8_t what)
{
    return (struct skep_ledger_key){
        .minute = minute, .source = SKEP_SOURCE_OTLP, .signal = SKEP_SIGNAL_LOGS, .what = what};
}

static uint64_t total(const struct skep_ledger *l, uint8_t what)
{
    uint64_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        struct skep_ledger_key k;
        assert_true(skep_ledger_unpack(l->items[i].key, &k));
        n += k.what == what ? l->items[i].n : 0;
    }
    return n;
}

static void keys_go_there_and_back(void **state)
{
    (void)state;
    struct skep_ledger_key k = {.minute = 29918400,
                                .width = SKEP_LEDGER_DAY,
                                .source = SKEP_SOURCE_SELF,
                                .signal = SKEP_SIGNAL_METRICS,
                                .what = SKEP_LEDGER_REJECTED + SKEP_REJECTION_OTHER};
    struct skep_ledger_key back;
    assert_true(skep_ledger_unpack(skep_ledger_pack(k), &back));
    assert_int_equal(skep_ledger_pack(back), skep_ledger_pack(k));
    assert_int_equal(back.width, SKEP_LEDGER_DAY);
    assert_int_equal(back.what, k.what);
    static const uint64_t bad[] = {
        3ull << 24 | 1,                              // a width
        (uint64_t)SKEP_SOURCE_COUNT << 16 | 1,       // a source
        (uint64_t)SKEP_SIGNAL_COUNT << 8 | 1,        // a signal
        0,                                           // nothing counted
        SKEP_LEDGER_REJECTED + SKEP_REJECTION_COUNT, // a reason
        SKEP_LEDGER_LIVE_ROWS + 1,                   // between two
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(bad); i++)
        assert_false(skep_ledger_unpack(bad[i], &back));
}

static void numbers_add_up_in_order(void **state)
{
    (void)state;
    struct skep_ledger l = {0};
    for (uint32_t i = 0; i < 1000; i++)
        skep_ledger_add(&l, key(i * 7919 % 101, SKEP_LEDGER_STORED), i);
    assert_true(skep_ledger_check(&l));
    assert_int_equal(l.n, 101);
    assert_int_equal(total(&l, SKEP_LEDGER_STORED), 999 * 1000 / 2);
    uint64_t of_seven = 0;
    for (uint32_t i = 0; i < 1000; i++)
        of_seven += i * 7919 % 101 == 7 ? i : 0;
    assert_int_equal(skep_ledger_get(&l, key(7, SKEP_LEDGER_STORED)), of_seven);
    assert_int_equal(skep_ledger_get(&l, key(7, SKEP_LEDGER_RECEIVED)), 0);
    skep_ledger_done(&l);
}

static void what_is_taken_back_leaves_nothing(void **state)
{
    (void)state;
    struct skep_ledger l = {0}, more = {0};
    skep_ledger_add(&l, key(5, SKEP_LEDGER_STORED), 10);
    skep_ledger_add(&more, key(5, SKEP_LEDGER_STORED), 3);
    skep_ledger_add(&more, key(6, SKEP_LEDGER_STORED), 4);
    skep_ledger_add(&more, key(5, SKEP_LEDGER_EXPIRED), 1);
    skep_ledger_merge(&l, &more);
    assert_int_equal(l.n, 3);
    skep_ledger_unmerge(&l, &more);
    assert_int_equal(l.n, 1);
    assert_int_equal(skep_ledger_get(&l, key(5, SKEP_LEDGER_STORED)), 10);
    skep_ledger_done(&l);
    skep_ledger_done(&more);
}

/* A count each minute for 60 days, and one 11 years before. */
static void old_minutes_become_hours_then_days(void **state)
{
    (void)state;
    const uint32_t now = 29918400 + 1234; // not on a border
    struct skep_ledger l = {0};
    uint64_t all = 0;
    for (uint32_t m = now - 60 * 1440; m <= now; m++, all++)
        skep_ledger_add(&l, key(m, SKEP_LEDGER_RECEIVED), 1);
    skep_ledger_add(&l, key(now - 11 * 366 * 1440, SKEP_LEDGER_RECEIVED), 1);
    assert_true(skep_ledger_fold(&l, (int64_t)now * MIN_NS));
    assert_true(skep_ledger_check(&l));
    assert_int_equal(total(&l, SKEP_LEDGER_RECEIVED), all);
    size_t by_width[3] = {0};
    for (size_t i = 0; i < l.n; i++) {
        struct skep_ledger_key k;
        assert_true(skep_ledger_unpack(l.items[i].key, &k));
        by_width[k.width]++;
        uint32_t age = now - k.minute;
        if (k.width == SKEP_LEDGER_MINUTE)
            assert_true(age < 26 * 60);
        if (k.width == SKEP_LEDGER_HOUR) {
            assert_int_equal(k.minute % 60, 0);
            assert_true(l.items[i].n <= 60 && age >= 24 * 60 && age < 33 * 1440);
        }
        if (k.width == SKEP_LEDGER_DAY)
            assert_true(k.minute % 1440 == 0 && l.items[i].n <= 1440 && age >= 31 * 1440);
    }
    assert_in_range(by_width[SKEP_LEDGER_MINUTE], 24 * 60, 25 * 60);
    assert_in_range(by_width[SKEP_LEDGER_HOUR], 30 * 24, 32 * 24);
    assert_in_range(by_width[SKEP_LEDGER_DAY], 28, 30);
    assert_false(skep_ledger_fold(&l, (int64_t)now * MIN_NS)); // once is enough
    skep_ledger_done(&l);
}

/* Folding step by step and all at once end alike. */
static void folding_often_is_folding_once(void **state)
{
    (void)state;
    struct skep_ledger often = {0}, once = {0};
    const int64_t begin = 29918400ll * MIN_NS;
    for (int64_t t = begin; t < begin + 40 * DAY_NS; t += 10 * MIN_NS) {
        skep_ledger_add(&often, key(skep_ledger_minute(t), SKEP_LEDGER_RECEIVED), 3);
        skep_ledger_add(&once, key(skep_ledger_minute(t), SKEP_LEDGER_RECEIVED), 3);
        if (t % HOUR_NS == 0)
            (void)skep_ledger_fold(&often, t);
    }
    (void)skep_ledger_fold(&often, begin + 40 * DAY_NS);
    (void)skep_ledger_fold(&once, begin + 40 * DAY_NS);
    assert_int_equal(often.n, once.n);
    assert_memory_equal(often.items, once.items, once.n * sizeof *once.items);
    skep_ledger_done(&often);
    skep_ledger_done(&once);
}

static void a_copy_begins_where_it_is_asked_to(void **state)
{
    (void)state;
    struct skep_ledger l = {0}, c;
    struct skep_ledger_key day = key(1440 * 10, SKEP_LEDGER_STORED);
    day.width = SKEP_LEDGER_DAY;
    skep_ledger_add(&l, day, 1);
    skep_ledger_add(&l, key(1440 * 10 + 5, SKEP_LEDGER_STORED), 2);
    skep_ledger_add(&l, key(1440 * 10 + 9, SKEP_LEDGER_STORED), 4);
    skep_ledger_copy(&c, &l, 1440 * 10 + 6); // inside the day, behind the fifth minute
    assert_int_equal(total(&c, SKEP_LEDGER_STORED), 5);
    skep_ledger_done(&c);
    skep_ledger_copy(&c, &l, 1440 * 11);
    assert_int_equal(c.n, 0);
    skep_ledger_done(&c);
    skep_ledger_done(&l);
}

static void disorder_is_found(void **state)
{
    (void)state;
    struct skep_ledger_entry items[] = {{1, 1}, {1, 1}};
    struct skep_ledger l = {.items = items, .n = 2};
    assert_false(skep_ledger_check(&l)); // twice the same
    items[1].key = 2;
    assert_true(skep_ledger_check(&l));
    items[0].n = 0;
    assert_false(skep_ledger_check(&l));
    items[0] = (struct skep_ledger_entry){(uint64_t)SKEP_SOURCE_COUNT << 16 | 1, 1};
    assert_false(skep_ledger_check(&l));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_go_there_and_back),
        cmocka_unit_test(numbers_add_up_in_order),
        cmocka_unit_test(what_is_taken_back_leaves_nothing),
        cmocka_unit_test(old_minutes_become_hours_then_days),
        cmocka_unit_test(folding_often_is_folding_once),
        cmocka_unit_test(a_copy_begins_where_it_is_asked_to),
        cmocka_unit_test(disorder_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

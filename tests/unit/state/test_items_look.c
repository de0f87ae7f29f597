// SPDX-License-Identifier: Apache-2.0
/* A look enters many items at once: what is kept beside them (how many there are of a kind, what
 * words are looked for in) is compared with the items themselves after thousands of random looks,
 * changes, merges and items that go. */
#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "home.h"
#include "state/items.h"
#include "state/keys.h"
#include "state/state_priv.h"

enum { SIGHTINGS = 64 };
static const skep_str env = SKEP_STR_INIT("default");
static const int64_t day_ns = 86400 * 1000000000ll;
static struct skep_state *s;
static skep_err err;
static uint64_t rng = 88172645463325252ull, seq, all_back;

static uint64_t below(uint64_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng % n;
}

static void open_state(uint64_t items_limit)
{
    const struct skep_state_config cfg = {
        .path = path, .os = skep_os_real(), .items_limit = items_limit};
    s = home_open(&cfg);
}

static int setup(void **state)
{
    (void)state;
    home_begin();
    open_state(0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return home_end(s);
}

static skep_str text(const char *before, uint64_t n)
{
    return skep_arena_printf(&arena, "%s%u_", before, (unsigned)n);
}

static const skep_str environments[] = {SKEP_STR_INIT("default"), SKEP_STR_INIT("other")};
static const skep_str stages[] = {SKEP_STR_INIT(""), SKEP_STR_INIT("production"),
                                  SKEP_STR_INIT("it's")};
static const skep_str owners[] = {SKEP_STR_INIT(""), SKEP_STR_INIT("ann"), SKEP_STR_INIT("bob")};

static struct skep_item_sighting sighting(skep_str fingerprint, skep_str stage, skep_ts_ns at_ns)
{
    return (struct skep_item_sighting){.environment = env,
                                       .stage = stage,
                                       .fingerprint = fingerprint,
                                       .title = fingerprint,
                                       .level = SKEP_ITEM_ERROR,
                                       .n = 1,
                                       .first_ns = at_ns,
                                       .last_ns = at_ns,
                                       .first_row = {seq + 1, 0},
                                       .last_row = {seq + 1, 0}};
}

static void look_at(const struct skep_item_sighting *x, size_t n, skep_ts_ns now_ns,
                    struct skep_item_change *ret)
{
    const struct skep_items_look look = {.sightings = x, .n = n, .at = {++seq, 9}};
    assert_int_equal(skep_state_items_see(s, &look, now_ns, ret, &err), SKEP_OK);
}

/* Distinct keys, as a look's are. */
static void random_look(uint64_t fingerprints, skep_ts_ns now_ns)
{
    struct skep_item_sighting x[SIGHTINGS];
    struct skep_item_change changes[SIGHTINGS];
    size_t n = 1 + below(SIGHTINGS);
    uint64_t first = below(fingerprints);
    for (size_t i = 0; i < n; i++) {
        uint64_t k = first + i;
        /* Some happened long ago: they may go in the look that makes them. */
        x[i] = sighting(text("fp_", k), stages[k % SKEP_ARRAY_LEN(stages)],
                        below(4) ? now_ns : now_ns - 40 * day_ns);
        x[i].environment = environments[k % 7 == 0];
        x[i].level = 10 * (1 + (int)(k % 5));
    }
    look_at(x, n, now_ns, changes);
}

static void random_change(int64_t ids)
{
    int64_t id = 1 + (int64_t)below((uint64_t)ids);
    const struct skep_item_patch p = {.set_status = below(2),
                                      .status = (enum skep_item_status)(1 + below(3)),
                                      .set_level = below(3) == 0,
                                      .level = 10 * (1 + (int)below(5)),
                                      .set_owner = below(3) == 0,
                                      .owner = owners[below(SKEP_ARRAY_LEN(owners))],
                                      .set_title = below(4) == 0,
                                      .title = text("renamed ", below(100))};
    skep_rc rc = below(3) ? skep_state_item_patch(s, env, id, &p, env, 5, &err)
                          : skep_state_item_merge(s, env, id,
                                                  below(2) ? 1 + (int64_t)below((uint64_t)ids) : 0,
                                                  env, 5, &err);
    assert_true(rc == SKEP_OK || rc == SKEP_ENOTFOUND || rc == SKEP_EINVAL);
}

static size_t listed(const struct skep_item_query *q, uint64_t *all)
{
    struct skep_item *list;
    size_t n;
    assert_int_equal(skep_state_items(s, q, &arena, &list, &n, all, &err), SKEP_OK);
    return n;
}

/* Counts that are kept are those of the items that are listed, whatever is asked. */
static void check_counts(void)
{
    static const skep_str some[] = {SKEP_STR_INIT("production"), SKEP_STR_INIT("it's")};
    for (unsigned k = 0; k < 2 * 4 * 4 * 4 * 2; k++) {
        unsigned stage = k / 2 % 4, owner = k / 8 % 4, status = k / 32 % 4;
        struct skep_item_query q = {.environment = environments[k % 2],
                                    .stage = stage < 3 ? stages[stage] : SKEP_STR_NULL,
                                    .owner = owner == 0  ? SKEP_STR("-")
                                             : owner < 3 ? owners[owner]
                                                         : SKEP_STR_NULL,
                                    .statuses = status ? 1u << status : 0,
                                    .limit = 5000};
        uint64_t all;
        if (k >= 128) {
            q.levels = 1u << 2 | 1u << 4;
            q.stages = some;
            q.n_stages = 2;
        } else {
            q.level_min = (int)(k % 3) * 20;
        }
        size_t n = listed(&q, &all);
        assert_int_equal(all, n);
    }
}

/* Without conditions pages have statements of their own: the same items in the same order as with a
 * condition that all fulfil. */
static void check_pages(void)
{
    for (unsigned k = 0; k < 4 * 4 * 3; k++) {
        struct skep_item *plain, *any;
        size_t n_plain, n_any;
        struct skep_item_query q = {.environment = env,
                                    .order = (enum skep_item_order)(k % 4),
                                    .statuses = k / 4 % 4 ? 1u << (k / 4 % 4) : 0,
                                    .offset = k / 16 * 37,
                                    .limit = 50};
        assert_int_equal(skep_state_items_page(s, &q, &arena, &plain, &n_plain, &err), SKEP_OK);
        q.level_min = 1;
        assert_int_equal(skep_state_items_page(s, &q, &arena, &any, &n_any, &err), SKEP_OK);
        assert_int_equal(n_plain, n_any);
        for (size_t i = 0; i < n_any; i++)
            assert_int_equal(plain[i].id, any[i].id);
    }
}

/* What was new in a while, and what came back, is what the items say. */
static void check_deploys(skep_ts_ns start_ns, skep_ts_ns end_ns)
{
    const struct skep_item_query q = {.environment = env, .stage = stages[1], .limit = 5000};
    const struct skep_deploy d = {.environment = env, .stage = stages[1], .start_ns = start_ns};
    struct skep_item *list;
    size_t n;
    uint64_t all, new = 0, back = 0, n_new, n_back;
    assert_int_equal(skep_state_items(s, &q, &arena, &list, &n, &all, &err), SKEP_OK);
    for (size_t i = 0; i < n; i++) {
        bool known = list[i].first_ns < start_ns;
        new += !known &&list[i].first_ns < end_ns;
        back += known && list[i].activated_ns >= start_ns && list[i].activated_ns < end_ns;
    }
    assert_int_equal(skep_state_deploy_counts(s, &d, end_ns, &n_new, &n_back, &err), SKEP_OK);
    assert_int_equal(n_new, new);
    assert_int_equal(n_back, back);
    all_back += back;
}

/* Each item is found by what it is called, and no other is. */
static void check_words(void)
{
    struct skep_item_query q = {.environment = env, .limit = 5000};
    struct skep_item *list;
    size_t n;
    uint64_t all;
    assert_int_equal(skep_state_items(s, &q, &arena, &list, &n, &all, &err), SKEP_OK);
    for (size_t i = 0; i < n; i++) {
        size_t expected = 0;
        for (size_t k = 0; k < n; k++)
            expected += skep_str_find(list[k].title, list[i].title) < list[k].title.n;
        const struct skep_item_term whole = {
            .column = SKEP_ITEM_TITLE, .values = &list[i].title, .n_values = 1};
        q.terms = &whole;
        q.n_terms = 1;
        assert_int_equal(listed(&q, &all), expected);
    }
}

static void test_kept_beside(void **state)
{
    (void)state;
    skep_state_close(s);
    open_state(300);
    for (int round = 0; round < 400; round++) {
        random_look(400, (skep_ts_ns)round * day_ns); /* what is old makes room */
        for (uint64_t n = below(4); n > 0; n--)
            random_change(2000);
        if (round % 40 == 39) {
            check_counts();
            check_pages();
            check_words();
            check_deploys((round - 20) * day_ns, round * day_ns + 1);
        }
    }
    assert_true(all_back > 0);
    const struct skep_state_environment e = {
        .slug = environments[1], .id = SKEP_STR("e1"), .name = environments[1]};
    assert_int_equal(skep_state_put_environment(s, &e, &err), SKEP_OK);
    assert_int_equal(skep_state_drop_environment(s, environments[1], &err), SKEP_OK);
    check_counts();
    skep_state_close(s);
    open_state(300);
    check_counts();
}

/* A look that undoes itself leaves nothing of what it made. */
static void test_undone(void **state)
{
    struct skep_item_sighting x[3];
    struct skep_item_change changes[3];
    const struct skep_item_query q = {.environment = env};
    uint64_t all, n;
    (void)state;
    for (size_t i = 0; i < 3; i++)
        x[i] = sighting(text("undone_", i), stages[1], 1);
    assert_int_equal(sqlite3_exec(s->db,
                                  "CREATE TRIGGER no BEFORE INSERT ON item_cursor BEGIN"
                                  " SELECT raise(ABORT, 'no'); END",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    const struct skep_items_look look = {.sightings = x, .n = 3, .at = {++seq, 9}};
    assert_int_equal(skep_state_items_see(s, &look, 1, changes, &err), SKEP_EIO);
    assert_int_equal(listed(&q, &all), 0);
    assert_int_equal(all, 0);
    assert_int_equal(skep_state_items_number(s, env, &n, &err), SKEP_OK);
    assert_int_equal(n, 0);
    assert_int_equal(sqlite3_exec(s->db, "DROP TRIGGER no", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(skep_state_items_see(s, &look, 1, changes, &err), SKEP_OK);
    assert_int_equal(listed(&q, &all), 3);
    assert_int_equal(all, 3);
}

/* Seen earlier than it was known: from when on, too, unless it came back. */
static void test_seen_earlier(void **state)
{
    struct skep_item_change c;
    struct skep_item i;
    (void)state;
    struct skep_item_sighting x = sighting(SKEP_STR("f"), stages[1], 500);
    look_at(&x, 1, 1000, &c);
    x.first_ns = 300;
    x.last_ns = 400;
    look_at(&x, 1, 1000, &c);
    assert_int_equal(skep_state_item_get(s, env, c.id, 0, &arena, &i, &err), SKEP_OK);
    assert_int_equal(i.first_ns, 300);
    assert_int_equal(i.last_ns, 500);
    assert_int_equal(i.activated_ns, 300);
    const struct skep_item_patch p = {.set_status = true, .status = SKEP_ITEM_RESOLVED};
    assert_int_equal(skep_state_item_patch(s, env, c.id, &p, env, 2000, &err), SKEP_OK);
    look_at(&x, 1, 3000, &c);
    assert_int_equal(c.event, SKEP_ITEM_REACTIVATED);
    x.first_ns = 100;
    look_at(&x, 1, 3000, &c);
    assert_int_equal(skep_state_item_get(s, env, c.id, 0, &arena, &i, &err), SKEP_OK);
    assert_int_equal(i.first_ns, 100);
    assert_int_equal(i.activated_ns, 3000);
    assert_int_equal(i.total, 4);
}

/* More than are told apart, of two stages in one look: a number for each, told once. */
static void test_over(void **state)
{
    struct skep_item_sighting x[20];
    struct skep_item_change changes[20];
    struct skep_item i;
    uint64_t told = 0;
    (void)state;
    skep_state_close(s);
    open_state(6);
    for (size_t k = 0; k < 20; k++) {
        x[k] = sighting(text("over_", k), stages[k < 12 ? 1 : 2], (skep_ts_ns)(100 + k));
        x[k].n = k + 1;
        x[k].version = k == 11 ? SKEP_STR("1.7") : SKEP_STR_NULL;
    }
    look_at(x, 20, 1000, changes);
    for (size_t k = 0; k < 20; k++)
        told += changes[k].id != 0;
    assert_int_equal(told, 6 + 2);
    assert_int_equal(changes[6].event, SKEP_ITEM_NEW);
    assert_int_equal(changes[6].total, 7 + 8 + 9 + 10 + 11 + 12);
    assert_int_equal(changes[12].total, 13 + 14 + 15 + 16 + 17 + 18 + 19 + 20);
    assert_int_equal(skep_state_item_find(s, env, stages[1], SKEP_ITEMS_OVERFLOW, &arena, &i, &err),
                     SKEP_OK);
    assert_int_equal(i.id, changes[6].id);
    assert_int_equal(i.total, changes[6].total);
    assert_int_equal(i.first_ns, 106);
    assert_int_equal(i.last_ns, 111);
    assert_true(skep_str_eq(i.last_version, SKEP_STR("1.7")));
    check_counts();
}

/* A look waits for no disk; what somebody changes does. */
static void test_waits_for_the_disk(void **state)
{
    struct skep_item_change c;
    struct skep_item_sighting x = sighting(SKEP_STR("f"), stages[1], 500);
    sqlite3_stmt *st;
    (void)state;
    look_at(&x, 1, 1000, &c);
    assert_int_equal(sqlite3_prepare_v2(s->db, "PRAGMA synchronous", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(st, 0), 2); /* FULL */
    (void)sqlite3_finalize(st);
}

/* What a database of two versions before has is counted. */
static void test_migrated(void **state)
{
    static const char *const before =
        "DROP TRIGGER item_kind_less; DROP TRIGGER item_kind_other; DROP TABLE item_kind;"
        "CREATE TRIGGER item_more AFTER INSERT ON item BEGIN SELECT 1; END;"
        "CREATE TRIGGER item_words_more AFTER INSERT ON item BEGIN SELECT 1; END;";
    char pragma[64];
    sqlite3 *db;
    sqlite3_stmt *st;
    (void)state;
    for (int round = 0; round < 20; round++) {
        random_look(100, day_ns);
        random_change(50);
    }
    skep_state_close(s);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    (void)snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d",
                   sqlite3_column_int(st, 0) - 2);
    (void)sqlite3_finalize(st);
    assert_int_equal(sqlite3_exec(db, before, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, pragma, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    open_state(0);
    check_counts();
    random_look(100, day_ns);
    check_counts();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(test_kept_beside),        TEST(test_undone),
                                       TEST(test_seen_earlier),       TEST(test_over),
                                       TEST(test_waits_for_the_disk), TEST(test_migrated)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

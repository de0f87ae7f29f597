// SPDX-License-Identifier: Apache-2.0
/* A look enters many items at once: what is kept beside them (how many there are of a kind) and
 * what searches find is compared with the items themselves after thousands of random looks,
 * changes, merges and items that go. */
#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "home.h"
#include "state/items.h"
#include "state/items_priv.h"
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

static uint64_t stored(skep_str environment)
{
    sqlite3_stmt *st;
    assert_int_equal(sqlite3_prepare_v2(s->db, "SELECT count(*) FROM item WHERE environment = ?1",
                                        -1, &st, NULL),
                     SQLITE_OK);
    skep_state__bind_str(st, 1, environment);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    uint64_t n = (uint64_t)sqlite3_column_int64(st, 0);
    (void)sqlite3_finalize(st);
    return n;
}

/* Counts that are kept are those of the items that are listed, whatever is asked, and of those that
 * there are. */
static void check_counts(void)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(environments); i++) {
        uint64_t n;
        assert_int_equal(skep_state_items_number(s, environments[i], &n, &err), SKEP_OK);
        assert_int_equal(n, stored(environments[i]));
    }
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

/* Without conditions pages have statements of their own, and searches another way: the same items
 * in the same order and as many, as with a condition that all fulfil. */
static void check_pages(void)
{
    const skep_str nobodys = SKEP_STR("no such title");
    const struct skep_item_term no_such_title = {
        .column = SKEP_ITEM_TITLE, .values = &nobodys, .n_values = 1, .negative = true};
    for (unsigned k = 0; k < 4 * 4 * 3 * 2; k++) {
        struct skep_item *list[3];
        size_t n[3];
        uint64_t counts[3][SKEP_ITEM_STATUSES];
        struct skep_item_query q = {.environment = environments[k / 48],
                                    .order = (enum skep_item_order)(k % 4),
                                    .statuses = k / 4 % 4 ? 1u << (k / 4 % 4) : 0,
                                    .offset = k / 16 % 3 * 37,
                                    .limit = 50};
        for (unsigned how = 0; how < 3; how++) {
            q.level_min = how == 1;
            q.terms = &no_such_title;
            q.n_terms = how == 2;
            assert_int_equal(
                skep_state_items_page(s, &q, &arena, &list[how], &n[how], counts[how], &err),
                SKEP_OK);
            assert_int_equal(n[how], n[0]);
            assert_memory_equal(counts[how], counts[0], sizeof counts[0]);
            for (size_t i = 0; i < n[0]; i++)
                assert_int_equal(list[how][i].id, list[0][i].id);
        }
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
static void check_words(skep_str environment)
{
    struct skep_item_query q = {.environment = environment, .limit = 5000};
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
            check_words(environments[0]);
            check_words(environments[1]);
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

/* The items of a database as version 21 had them, made of those of today: found by a UNIQUE of
 * three texts, an index of words, a line of the history for each that was new, no counts of kinds.
 */
static const char *const version_21 =
    "CREATE TABLE item_1("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, environment TEXT NOT NULL, counter INTEGER NOT NULL,"
    "  stage TEXT NOT NULL, fingerprint TEXT NOT NULL, title TEXT NOT NULL, type TEXT NOT NULL,"
    "  culprit TEXT NOT NULL, dataset TEXT NOT NULL, framework TEXT NOT NULL,"
    "  status INTEGER NOT NULL DEFAULT 1, level INTEGER NOT NULL,"
    "  level_set INTEGER NOT NULL DEFAULT 0, title_set INTEGER NOT NULL DEFAULT 0,"
    "  owner TEXT NOT NULL DEFAULT '', merged_into INTEGER NOT NULL DEFAULT 0,"
    "  own_total INTEGER NOT NULL, total INTEGER NOT NULL, since_activated INTEGER NOT NULL,"
    "  first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL,"
    "  first_seq INTEGER NOT NULL, first_ordinal INTEGER NOT NULL,"
    "  last_seq INTEGER NOT NULL, last_ordinal INTEGER NOT NULL,"
    "  activating_seq INTEGER NOT NULL, activating_ordinal INTEGER NOT NULL,"
    "  activated_ns INTEGER NOT NULL, resolved_ns INTEGER NOT NULL DEFAULT 0,"
    "  muted_ns INTEGER NOT NULL DEFAULT 0, resolved_in TEXT NOT NULL DEFAULT '',"
    "  first_version TEXT NOT NULL, last_version TEXT NOT NULL,"
    "  mute_until_ns INTEGER NOT NULL DEFAULT 0, mute_until_total INTEGER NOT NULL DEFAULT 0,"
    "  UNIQUE(environment, stage, fingerprint), UNIQUE(environment, counter)"
    ") STRICT;"
    "INSERT INTO item_1 SELECT id, environment, counter, stage, fingerprint, title, type, culprit,"
    " dataset, framework, status, level, level_set, title_set, owner, merged_into, own_total, "
    "total,"
    " since_activated, first_ns, last_ns, first_seq, first_ordinal, last_seq, last_ordinal,"
    " activating_seq, activating_ordinal, activated_ns, resolved_ns, muted_ns, resolved_in,"
    " first_version, last_version, mute_until_ns, mute_until_total FROM item;"
    "INSERT INTO item_line(item, at_ns, actor, what, before, after)"
    " SELECT id, made_ns, '', 'new', '', '' FROM item;"
    "DROP TABLE item;"
    "ALTER TABLE item_1 RENAME TO item;"
    "UPDATE sqlite_sequence SET seq = 5000 WHERE name = 'item';" /* those that had them went */
    "CREATE INDEX item_by_last ON item(environment, merged_into, last_ns);"
    "CREATE INDEX item_by_first ON item(environment, merged_into, first_ns);"
    "CREATE INDEX item_by_total ON item(environment, merged_into, total);"
    "CREATE INDEX item_by_level ON item(environment, merged_into, level);"
    "CREATE INDEX item_back ON item(environment, merged_into, activated_ns);"
    "CREATE TRIGGER item_more AFTER INSERT ON item BEGIN SELECT 1; END;"
    "CREATE TRIGGER item_less AFTER DELETE ON item BEGIN SELECT 1; END;"
    "CREATE VIRTUAL TABLE item_words USING fts5(text, content='', columnsize=0, detail=none,"
    " tokenize='trigram');"
    "INSERT INTO item_words(rowid, text) SELECT id, title FROM item;"
    "CREATE TRIGGER item_words_more AFTER INSERT ON item BEGIN SELECT 1; END;"
    "CREATE TRIGGER item_words_less AFTER DELETE ON item BEGIN SELECT 1; END;"
    "CREATE TRIGGER item_words_other AFTER UPDATE ON item BEGIN SELECT 1; END;"
    "DROP TABLE item_kind;"
    "PRAGMA user_version = 21";

/* All that is known of items, as text. */
static skep_str told(int64_t ids)
{
    struct skep_buf out;
    skep_buf_init(&out, 1 << 20);
    for (int64_t id = 1; id <= ids; id++) {
        struct skep_item i;
        struct skep_item_line *lines;
        size_t n;
        if (skep_state_item_get(s, env, id, 0, &arena, &i, &err) != SKEP_OK)
            continue;
        skep_buf_printf(&out, "%d %d " SKEP_STRFMT " " SKEP_STRFMT " " SKEP_STRFMT, (int)i.id,
                        (int)i.counter, SKEP_STRARG(i.stage), SKEP_STRARG(i.fingerprint),
                        SKEP_STRARG(i.title));
        skep_buf_printf(&out, " %d %d " SKEP_STRFMT " %d %d %d %lld %lld %lld %d %d", (int)i.status,
                        i.level, SKEP_STRARG(i.owner), (int)i.merged_into, (int)i.total,
                        (int)i.since_activated, (long long)i.first_ns, (long long)i.last_ns,
                        (long long)i.activated_ns, (int)i.first_row.seq, (int)i.last_row.seq);
        assert_int_equal(skep_state_item_history(s, id, &arena, &lines, &n, &err), SKEP_OK);
        for (size_t k = 0; k < n; k++)
            skep_buf_printf(&out, "; %lld " SKEP_STRFMT, (long long)lines[k].at_ns,
                            SKEP_STRARG(lines[k].what));
        skep_buf_u8(&out, '\n');
    }
    skep_str all = skep_arena_str(&arena, skep_buf_text(&out));
    skep_buf_done(&out);
    return all;
}

/* What an older database has stays as it was: found, counted, told, and its numbers its own. */
static void test_migrated(void **state)
{
    sqlite3 *db;
    struct skep_item *list;
    struct skep_item_change c;
    size_t n;
    (void)state;
    for (int round = 0; round < 20; round++) {
        random_look(100, day_ns + round);
        random_change(50);
    }
    skep_str before = told(200);
    assert_true(skep_str_find(before, SKEP_STR("new")) < before.n);
    skep_state_close(s);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, version_21, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    open_state(0);
    assert_true(skep_str_eq(told(200), before));
    check_counts();
    check_pages();
    check_words(environments[0]);
    const struct skep_item_query q = {.environment = env, .limit = 1};
    assert_int_equal(skep_state_items_page(s, &q, &arena, &list, &n, NULL, &err), SKEP_OK);
    assert_int_equal(n, 1);
    struct skep_item_sighting x = sighting(list->fingerprint, list->stage, 2 * day_ns);
    look_at(&x, 1, 2 * day_ns, &c);
    assert_true(c.event != SKEP_ITEM_NEW);
    x = sighting(SKEP_STR("not seen before"), stages[1], 2 * day_ns);
    look_at(&x, 1, 2 * day_ns, &c);
    assert_int_equal(c.event, SKEP_ITEM_NEW);
    assert_int_equal(c.id, 5001);
    random_look(100, 2 * day_ns);
    check_counts();
}

/* Two whose keys are one number (found by trying) are two items. */
static void test_one_key(void **state)
{
    (void)state;
    struct skep_index index;
    skep_str *all = skep_new_n(&arena, skep_str, 400000);
    skep_index_init(&index, 1024);
    for (uint32_t n = 0; n < 400000; n++) {
        all[n] = text("same_", n);
        int64_t key = skep_state__item_key(env, stages[1], all[n]);
        struct skep_index_it it = skep_index_begin(&index, (uint64_t)key);
        uint32_t other;
        while ((other = skep_index_next(&index, &it)) != SKEP_INDEX_NONE &&
               skep_state__item_key(env, stages[1], all[other]) != key) {
        }
        if (other != SKEP_INDEX_NONE) {
            struct skep_item_change c[2];
            struct skep_item_sighting a = sighting(all[other], stages[1], 1);
            struct skep_item_sighting b = sighting(all[n], stages[1], 1);
            look_at(&a, 1, 1, &c[0]);
            look_at(&b, 1, 1, &c[1]);
            assert_int_equal(c[1].event, SKEP_ITEM_NEW);
            look_at(&a, 1, 1, &c[1]);
            assert_int_equal(c[1].id, c[0].id);
            skep_index_done(&index);
            return;
        }
        skep_index_add(&index, (uint64_t)key, n);
    }
    fail_msg("no two have one key");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(test_kept_beside),
                                       TEST(test_undone),
                                       TEST(test_seen_earlier),
                                       TEST(test_over),
                                       TEST(test_waits_for_the_disk),
                                       TEST(test_migrated),
                                       TEST(test_one_key)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

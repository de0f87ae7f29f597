// SPDX-License-Identifier: Apache-2.0
/* State: what was put is there after reopening, the same question is the same query, results stay
 * within their bounds, damage and newer versions are refused. */
#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "home.h"
#include "os/os.h"
#include "state/keys.h"
#include "state/objects.h"
#include "state/state.h"
#include "state/state_priv.h"

#define DEFAULT SKEP_STR("default")

static struct skep_state *state;

static struct skep_state *open_state(uint64_t limit, uint64_t limit_bytes)
{
    const struct skep_state_config cfg = {.os = skep_os_real(),
                                          .path = path,
                                          .results_limit = limit,
                                          .results_limit_bytes = limit_bytes};
    return home_open(&cfg);
}

static int set_up(void **unused)
{
    (void)unused;
    home_begin();
    state = open_state(0, 0);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    return home_end(state);
}

static void reopen(uint64_t limit, uint64_t limit_bytes)
{
    skep_state_close(state);
    state = open_state(limit, limit_bytes);
}

static void test_queries(void **unused)
{
    skep_state_id a, b, c, d;
    struct skep_state_query q;
    skep_err err;
    (void)unused;
    assert_int_equal(
        skep_state_put_query(state, DEFAULT, SKEP_STR("shop"), SKEP_STR("{}"), &a, &err), 0);
    assert_int_equal(
        skep_state_put_query(state, DEFAULT, SKEP_STR("shop"), SKEP_STR("{}"), &b, &err), 0);
    assert_int_equal(
        skep_state_put_query(state, DEFAULT, SKEP_STR("other"), SKEP_STR("{}"), &c, &err), 0);
    assert_string_equal(a.text, b.text);
    assert_string_not_equal(a.text, c.text);
    assert_int_equal(skep_str_c(a.text).n, 11);
    reopen(0, 0);
    assert_int_equal(
        skep_state_put_query(state, DEFAULT, SKEP_STR("shop"), SKEP_STR("{}"), &d, &err), 0);
    assert_string_equal(a.text, d.text);
    assert_int_equal(skep_state_get_query(state, DEFAULT, skep_state_id_str(&c), &arena, &q, &err),
                     SKEP_OK);
    assert_true(skep_str_eq(q.dataset, SKEP_STR("other")));
    assert_true(skep_str_eq(q.spec, SKEP_STR("{}")));
    assert_int_equal(skep_state_get_query(state, DEFAULT, SKEP_STR("nope"), &arena, &q, &err),
                     SKEP_ENOTFOUND);
    /* Another environment has its own, and does not see these. */
    assert_int_equal(
        skep_state_get_query(state, SKEP_STR("prod"), skep_state_id_str(&c), &arena, &q, &err),
        SKEP_ENOTFOUND);
    assert_int_equal(
        skep_state_put_query(state, SKEP_STR("prod"), SKEP_STR("shop"), SKEP_STR("{}"), &d, &err),
        SKEP_OK);
    assert_string_not_equal(a.text, d.text);
}

static bool has_query(const skep_state_id *id)
{
    struct skep_state_query q;
    skep_err err;
    skep_rc rc = skep_state_get_query(state, DEFAULT, skep_state_id_str(id), &arena, &q, &err);
    assert_true(rc == SKEP_OK || rc == SKEP_ENOTFOUND);
    return rc == SKEP_OK;
}

/* Old ones go but for those that an object names, however deep. */
static void test_queries_bounded(void **unused)
{
    enum { N = 1700, KEPT = 100, AT_ONCE = 500 };
    skep_state_id ids[N];
    char spec[32], body[160];
    skep_err err;
    unsigned left = 0;
    (void)unused;
    skep_state_close(state);
    state = home_open(
        &(struct skep_state_config){.os = skep_os_real(), .path = path, .queries_limit = KEPT});
    for (unsigned i = 0; i < N; i++) {
        (void)snprintf(spec, sizeof spec, "{\"limit\":%u}", i + 1);
        assert_int_equal(
            skep_state_put_query(state, DEFAULT, SKEP_STR("shop"), skep_str_c(spec), &ids[i], &err),
            0);
        if (i == 7) {
            (void)snprintf(
                body, sizeof body,
                "{\"panels\":[{\"query_panel\":{\"query_id\":\"%s\"}},{\"query_id\":null}]}",
                ids[7].text);
            struct skep_object board = {
                .environment = DEFAULT, .name = SKEP_STR("b"), .body = skep_str_c(body)};
            assert_int_equal(skep_state_put_object(state, SKEP_OBJECT_BOARD, &board, &arena, &err),
                             0);
        }
    }
    for (unsigned i = 0; i < N; i++)
        left += has_query(&ids[i]);
    assert_in_range(left, KEPT, KEPT + AT_ONCE + 1);
    assert_true(has_query(&ids[7]));
    assert_false(has_query(&ids[8]));
    assert_true(has_query(&ids[N - 1]));
}

/* Whoever puts the query at which it is looked: each environment's old ones go, and only where
 * there are too many. */
static void test_queries_of_all_environments(void **unused)
{
    enum { N = 1000, KEPT = 100, EVERY = 50, FEW = N / EVERY };
    skep_state_id ids[N], few[FEW];
    char spec[32];
    skep_err err;
    unsigned left = 0;
    (void)unused;
    skep_state_close(state);
    state = home_open(
        &(struct skep_state_config){.os = skep_os_real(), .path = path, .queries_limit = KEPT});
    for (unsigned i = 0; i < N; i++) {
        bool rare = i % EVERY == EVERY - 1; /* the last before each look among them */
        (void)snprintf(spec, sizeof spec, "{\"limit\":%u}", i + 1);
        assert_int_equal(skep_state_put_query(state, rare ? SKEP_STR("rare") : DEFAULT,
                                              SKEP_STR("shop"), skep_str_c(spec), &ids[i], &err),
                         0);
        if (rare)
            few[i / EVERY] = ids[i];
    }
    for (unsigned i = 0; i < N; i++)
        left += has_query(&ids[i]);
    assert_int_equal(left, KEPT);
    for (unsigned i = 0; i < FEW; i++) {
        struct skep_state_query q;
        assert_int_equal(skep_state_get_query(state, SKEP_STR("rare"), skep_state_id_str(&few[i]),
                                              &arena, &q, &err),
                         SKEP_OK);
    }
}

static void test_results(void **unused)
{
    skep_state_id done, running;
    struct skep_state_result r;
    skep_err err;
    (void)unused;
    assert_int_equal(skep_state_new_result(state, SKEP_STR("q"), SKEP_STR("{}"), &done, &err),
                     SKEP_OK);
    assert_int_equal(skep_state_new_result(state, SKEP_STR("q"), SKEP_STR("{}"), &running, &err),
                     SKEP_OK);
    assert_int_equal(skep_state_finish_result(state, skep_state_id_str(&done), SKEP_RESULT_DONE,
                                              SKEP_STR("{\"results\":[]}"), &err),
                     SKEP_OK);
    assert_int_equal(skep_state_get_result(state, skep_state_id_str(&running), &arena, &r, &err),
                     SKEP_OK);
    assert_int_equal(r.status, SKEP_RESULT_RUNNING);
    reopen(0, 0);
    assert_int_equal(skep_state_get_result(state, skep_state_id_str(&done), &arena, &r, &err),
                     SKEP_OK);
    assert_int_equal(r.status, SKEP_RESULT_DONE);
    assert_true(skep_str_eq(r.data, SKEP_STR("{\"results\":[]}")));
    assert_true(r.finished_ns >= r.created_ns);
    /* What was running when the process ended has failed. */
    assert_int_equal(skep_state_get_result(state, skep_state_id_str(&running), &arena, &r, &err),
                     SKEP_OK);
    assert_int_equal(r.status, SKEP_RESULT_FAILED);
    assert_true(r.data.n > 0);
}

static void finish_n(skep_state_id *ids, size_t n)
{
    skep_err err;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(skep_state_new_result(state, SKEP_STR("q"), SKEP_STR("{}"), &ids[i], &err),
                         SKEP_OK);
        assert_int_equal(skep_state_finish_result(state, skep_state_id_str(&ids[i]),
                                                  SKEP_RESULT_DONE,
                                                  SKEP_STR("0123456789012345678901234567890123456"
                                                           "78901234567890123456789012345678901234"
                                                           "5678901234567890123456789"),
                                                  &err),
                         SKEP_OK);
    }
}

static bool is_there(const skep_state_id *id)
{
    struct skep_state_result r;
    skep_err err;
    return skep_state_get_result(state, skep_state_id_str(id), &arena, &r, &err) == SKEP_OK;
}

static void test_results_bounded_by_count(void **unused)
{
    skep_state_id ids[6];
    (void)unused;
    reopen(4, 0);
    finish_n(ids, 6);
    assert_false(is_there(&ids[0]));
    assert_false(is_there(&ids[1]));
    for (size_t i = 2; i < 6; i++)
        assert_true(is_there(&ids[i]));
}

static void test_results_bounded_by_bytes(void **unused)
{
    skep_state_id ids[4];
    (void)unused;
    reopen(0, 250); /* two of 100 bytes fit */
    finish_n(ids, 4);
    assert_false(is_there(&ids[1]));
    assert_true(is_there(&ids[2]));
    assert_true(is_there(&ids[3]));
}

static void test_datasets(void **unused)
{
    struct skep_state_dataset d = {.slug = skep_state_slug(&arena, SKEP_STR("My Dataset!")),
                                   .name = SKEP_STR("My Dataset!"),
                                   .description = SKEP_STR("first")};
    struct skep_state_dataset got, *all;
    size_t n;
    skep_err err;
    (void)unused;
    assert_true(skep_str_eq(d.slug, SKEP_STR("my-dataset-")));
    assert_int_equal(skep_state_put_dataset(state, DEFAULT, &d, &arena, &got, &err), SKEP_OK);
    d.description = SKEP_STR("second");
    assert_int_equal(skep_state_put_dataset(state, DEFAULT, &d, &arena, &got, &err), SKEP_EEXISTS);
    assert_true(skep_str_eq(got.description, SKEP_STR("first")));
    reopen(0, 0);
    assert_int_equal(skep_state_list_datasets(state, DEFAULT, &arena, &all, &n, &err), SKEP_OK);
    assert_int_equal(n, 1);
    assert_true(skep_str_eq(all[0].name, SKEP_STR("My Dataset!")));
    assert_int_equal(skep_state_list_datasets(state, SKEP_STR("prod"), &arena, &all, &n, &err),
                     SKEP_OK);
    assert_int_equal(n, 0);
    assert_int_equal(skep_state_put_dataset(state, SKEP_STR("prod"), &d, &arena, &got, &err),
                     SKEP_OK);
}

static void test_columns(void **unused)
{
    struct skep_state_column a[2] = {{.name = SKEP_STR("x")}, {.name = SKEP_STR("y")}};
    struct skep_state_column b[1] = {{.name = SKEP_STR("y")}};
    skep_err err;
    (void)unused;
    assert_int_equal(skep_state_columns(state, SKEP_STR("shop"), a, 2, &err), SKEP_OK);
    assert_string_not_equal(a[0].id.text, a[1].id.text);
    reopen(0, 0);
    assert_int_equal(skep_state_columns(state, SKEP_STR("shop"), b, 1, &err), SKEP_OK);
    assert_string_equal(a[1].id.text, b[0].id.text);
    assert_int_equal(a[1].created_ns, b[0].created_ns);
    assert_int_equal(skep_state_columns(state, SKEP_STR("other"), b, 1, &err), SKEP_OK);
    assert_string_not_equal(a[1].id.text, b[0].id.text);
}

static skep_rc try_open(void)
{
    struct skep_state *s = NULL;
    skep_err err;
    const struct skep_state_config cfg = {.os = skep_os_real(), .path = path};
    skep_rc rc = skep_state_open(&cfg, &s, &err);
    skep_state_close(s);
    return rc;
}

static void test_ledger(void **unused)
{
    (void)unused;
    struct skep_ledger some = {0}, got = {0};
    skep_err err;
    const uint32_t now = 29918400; // minutes
    struct skep_ledger_key k = {
        .minute = now - 5, .source = SKEP_SOURCE_OTLP, .what = SKEP_LEDGER_DUPLICATE};
    skep_ledger_add(&some, k, 3);
    k.minute = now - 3 * 1440; // old: an hour when it is folded
    skep_ledger_add(&some, k, 4);
    assert_int_equal(skep_state_ledger_add(state, &some, 0, &err), SKEP_OK);
    assert_int_equal(skep_state_ledger_add(state, &some, 0, &err), SKEP_OK);
    reopen(0, 0);
    assert_int_equal(skep_state_ledger_load(state, &got, &err), SKEP_OK);
    assert_int_equal(got.n, 2);
    assert_int_equal(skep_ledger_get(&got, k), 8);
    skep_ledger_done(&got);
    assert_int_equal(skep_state_ledger_add(state, &some, now * 60ll * 1000000000, &err), SKEP_OK);
    assert_int_equal(skep_state_ledger_load(state, &got, &err), SKEP_OK);
    assert_int_equal(got.n, 2);
    assert_int_equal(skep_ledger_get(&got, k), 0);
    k.width = SKEP_LEDGER_HOUR;
    k.minute = k.minute / 60 * 60;
    assert_int_equal(skep_ledger_get(&got, k), 12);
    assert_true(skep_ledger_check(&got));
    skep_ledger_done(&got);
    skep_ledger_done(&some);
}

/* What was kept before there were environments is "default"'s. */
static void test_version_2_is_migrated(void **unused)
{
    static const char *const v2 =
        "CREATE TABLE query(id TEXT PRIMARY KEY, dataset TEXT NOT NULL, spec TEXT NOT NULL,"
        " created_ns INTEGER NOT NULL) STRICT;"
        "CREATE UNIQUE INDEX query_spec ON query(dataset, spec);"
        "CREATE TABLE result(seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
        " query_id TEXT NOT NULL, options TEXT NOT NULL, status INTEGER NOT NULL, data TEXT,"
        " created_ns INTEGER NOT NULL, finished_ns INTEGER, bytes INTEGER NOT NULL) STRICT;"
        "CREATE TABLE dataset(slug TEXT PRIMARY KEY, name TEXT NOT NULL,"
        " description TEXT NOT NULL, created_ns INTEGER NOT NULL) STRICT;"
        "CREATE TABLE \"column\"(id TEXT PRIMARY KEY, dataset TEXT NOT NULL, name TEXT NOT NULL,"
        " created_ns INTEGER NOT NULL) STRICT;"
        "CREATE UNIQUE INDEX column_name ON \"column\"(dataset, name);"
        "CREATE TABLE ledger(key INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT;"
        "INSERT INTO query VALUES('abcdefghijk', 'shop', '{}', 1);"
        "INSERT INTO dataset VALUES('shop', 'Shop', 'ours', 2);"
        "PRAGMA user_version = 2";
    sqlite3 *db;
    struct skep_state_query q;
    struct skep_state_dataset *all;
    size_t n;
    skep_err err;
    (void)unused;
    skep_state_close(state);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, v2, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    state = open_state(0, 0);
    assert_int_equal(
        skep_state_get_query(state, DEFAULT, SKEP_STR("abcdefghijk"), &arena, &q, &err), SKEP_OK);
    assert_true(skep_str_eq(q.dataset, SKEP_STR("shop")));
    assert_int_equal(skep_state_list_datasets(state, DEFAULT, &arena, &all, &n, &err), SKEP_OK);
    assert_int_equal(n, 1);
    assert_true(skep_str_eq(all[0].name, SKEP_STR("Shop")));
    assert_int_equal(all[0].created_ns, 2);
}

static skep_rc put_key(const char *id);

/* They are compiled when they are used: each one can be. */
static void test_statements(void **unused)
{
    (void)unused;
    skep_mutex_lock(&state->lock);
    for (int i = 0; i < SKEP_STATE__COUNT; i++)
        if (skep_state__use(state, (enum skep_state__stmt)i) == state->broken)
            fail_msg("statement %d: %s", i, state->broken_why);
    skep_mutex_unlock(&state->lock);
}

/* What a damaged schema spoils fails alone, and says why; the rest goes on. */
static void test_damaged_schema(void **unused)
{
    sqlite3 *db;
    struct skep_state_dataset *all;
    size_t n;
    skep_err err;
    (void)unused;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE api_key", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    skep_state_close(state);
    state = open_state(0, 0);
    assert_int_equal(put_key("abcdefghijk"), SKEP_EIO);
    skep_mutex_lock(&state->lock);
    assert_non_null(strstr(state->broken_why, "no such table: api_key"));
    skep_mutex_unlock(&state->lock);
    assert_int_equal(skep_state_list_datasets(state, DEFAULT, &arena, &all, &n, &err), SKEP_OK);
}

static void test_foreign_files(void **unused)
{
    sqlite3 *db;
    (void)unused;
    skep_state_close(state);
    state = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(try_open(), SKEP_EUNSUPPORTED);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    for (int i = 0; i < 5000; i++)
        fputc(i * 7 & 255, f);
    fclose(f);
    assert_int_equal(try_open(), SKEP_ECORRUPT);
}

static skep_rc put_key(const char *id)
{
    uint8_t hash[SKEP_STATE_HASH_BYTES] = {0};
    skep_err err;
    memcpy(hash, id, strlen(id));
    const struct skep_state_key k = {.id = skep_str_c(id),
                                     .name = SKEP_STR("k"),
                                     .environment = SKEP_STR("default"),
                                     .rights = 1,
                                     .token_hash = {hash, sizeof hash},
                                     .rollbar_hash = {hash, sizeof hash},
                                     .access_key = skep_str_c(id),
                                     .created_ns = 1};
    return skep_state_put_key(state, &k, &err);
}

static void sql(const char *text)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(db, 10000), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* At the limit the key that was revoked longest ago is forgotten; without one there is no more. */
static void test_keys_are_bounded(void **unused)
{
    struct skep_state_key *keys;
    size_t n;
    skep_err err;
    (void)unused;
    uint64_t version = skep_state_keys_version(state);
    sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
        " INSERT INTO api_key(id, name, environment, rights, token_hash, rollbar_hash, access_key,"
        " sealed, created_ns, expires_ns, revoked_ns, events_per_minute, bytes_per_minute,"
        " events_per_day, bytes_per_day) SELECT 'k' || i, 'k', 'default', 1, randomblob(32),"
        " randomblob(32), 'a' || i, x'', 1, 0, iif(i > 9998, i, 0), 0, 0, 0, 0 FROM n");
    assert_true(skep_state_keys_version(state) != version);
    assert_int_equal(put_key("one"), SKEP_OK);
    assert_int_equal(put_key("two"), SKEP_OK);
    assert_int_equal(put_key("three"), SKEP_ELIMIT);
    assert_int_equal(skep_state_list_keys(state, &arena, &keys, &n, &err), SKEP_OK);
    assert_int_equal(n, SKEP_STATE_KEYS_MAX);
    assert_true(skep_str_eq(keys[n - 1].id, SKEP_STR("two")));
    assert_true(keys[n - 1].number == 10002); /* never used again */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_queries, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_statements, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_schema, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_queries_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_queries_of_all_environments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_results, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_results_bounded_by_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_results_bounded_by_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_datasets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_columns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ledger, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_version_2_is_migrated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_foreign_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_keys_are_bounded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

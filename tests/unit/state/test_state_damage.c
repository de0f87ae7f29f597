// SPDX-License-Identifier: Apache-2.0
/* A damaged state.db: what cannot be read is an error, a number that means nothing is something
 * harmless, and nothing ends the process. */
#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "home.h"
#include "state/item_rules.h"
#include "state/items.h"
#include "state/logs.h"
#include "state/notify.h"
#include "state/rql.h"
#include "state/state.h"
#include "state/state_priv.h"

static const skep_str env = SKEP_STR_INIT("default");
static struct skep_state *s;
static skep_err err;

static void open_state(void)
{
    const struct skep_state_config cfg = {.path = path, .os = skep_os_real()};
    s = home_open(&cfg);
}

static int set_up(void **state)
{
    (void)state;
    home_begin();
    open_state();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return home_end(s);
}

/* Done to the file by another connection, whatever it thinks of the schema. */
static void spoil(const char *sql)
{
    sqlite3 *db;
    char *why = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA writable_schema = ON", NULL, NULL, NULL), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static skep_rc see(const char *fingerprint, struct skep_item_change *ret)
{
    struct skep_item_sighting x = {.environment = env,
                                   .fingerprint = skep_str_c(fingerprint),
                                   .title = SKEP_STR("E: no user"),
                                   .level = SKEP_ITEM_ERROR,
                                   .n = 1,
                                   .first_ns = 100,
                                   .last_ns = 200};
    const struct skep_items_look look = {.sightings = &x, .n = 1, .at = {7, 9}};
    return skep_state_items_see(s, &look, 1000, ret, &err);
}

static int64_t pragma(const char *sql)
{
    sqlite3_stmt *st;
    assert_int_equal(sqlite3_prepare_v2(s->db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int64_t v = sqlite3_column_int64(st, 0);
    (void)sqlite3_finalize(st);
    return v;
}

/* A look turns waiting for the disk off and on again, for which SQLite reads the schema.  Where it
 * cannot, nothing is written until it waits again. */
static void test_schema_spoiled_under_a_look(void **state)
{
    enum { FULL = 2 };
    struct skep_item_change c;
    (void)state;
    assert_int_equal(see("f", &c), SKEP_OK);
    spoil("UPDATE sqlite_schema SET sql = 'CREATE NONSENSE' WHERE name = 'deploy';"
          "PRAGMA schema_version = 7777");
    assert_int_not_equal(see("f", &c), SKEP_OK);
    assert_int_not_equal(see("f", &c), SKEP_OK);
    spoil("UPDATE sqlite_schema SET sql = 'CREATE TABLE deploy(id INTEGER PRIMARY KEY)'"
          " WHERE name = 'deploy';"
          "DELETE FROM sqlite_schema WHERE tbl_name = 'deploy' AND type != 'table';"
          "PRAGMA schema_version = 7778");
    assert_int_equal(see("f", &c), SKEP_OK);
    assert_int_equal(c.total, 2);
    assert_int_equal(pragma("PRAGMA synchronous"), FULL);
}

/* Numbers of what there are names of. */
static void test_numbers_without_meaning(void **state)
{
    struct skep_item_change c;
    struct skep_item item;
    struct skep_rql_job job;
    struct skep_item_rule *rules;
    size_t n;
    int64_t id;
    (void)state;
    assert_int_equal(see("f", &c), SKEP_OK);
    assert_int_equal(skep_state_rql_begin(s, env, SKEP_STR("select 1"), 5, &id, &err), SKEP_OK);
    spoil("UPDATE item SET status = 77; UPDATE rql_job SET status = -1;"
          "INSERT INTO item_rule(environment, place, what, level_min, stage, count, window_s,"
          " created_ns) VALUES('default', 'p', 0, 0, '', 0, 0, 0)");
    assert_int_equal(skep_state_item_get(s, env, c.id, 0, &arena, &item, &err), SKEP_OK);
    assert_true(skep_item_status_name(item.status).n > 0);
    assert_int_equal(skep_state_rql_get(s, env, id, &arena, &job, &err), SKEP_OK);
    assert_in_range(job.status, SKEP_RQL_RUNNING, SKEP_RQL_CANCELLED);
    assert_int_equal(skep_state_item_rules(s, &env, &arena, &rules, &n, &err), SKEP_OK);
    assert_int_equal(n, 1);
    assert_true(skep_item_trigger_name(rules[0].trigger).n > 0);
}

/* What a key forbids may stand there twice all the same. */
static void test_log_groups_twice(void **state)
{
    (void)state;
    skep_state_close(s);
    spoil("UPDATE sqlite_schema SET sql = 'CREATE TABLE log_group(environment TEXT, name TEXT,"
          " created_ns INTEGER, retention_days INTEGER, class INTEGER, protected INTEGER,"
          " number INTEGER, PRIMARY KEY(environment, name, number)) WITHOUT ROWID'"
          " WHERE name = 'log_group';"
          "UPDATE sqlite_schema SET sql = 'CREATE TABLE log_stream(environment TEXT, grp TEXT,"
          " name TEXT, created_ns INTEGER, number INTEGER, PRIMARY KEY(environment, grp, name,"
          " number)) WITHOUT ROWID' WHERE name = 'log_stream';"
          "PRAGMA schema_version = 7777");
    spoil("INSERT INTO log_group VALUES('default', 'g', 1, 0, 99, 0, 1);"
          "INSERT INTO log_group VALUES('default', 'g', 2, 0, 99, 0, 2);"
          "INSERT INTO log_stream VALUES('default', 'g', 's', 1, 1);"
          "INSERT INTO log_stream VALUES('default', 'g', 's', 2, 2)");
    open_state();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_schema_spoiled_under_a_look, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_numbers_without_meaning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_groups_twice, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

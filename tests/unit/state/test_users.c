// SPDX-License-Identifier: Apache-2.0
/* Users, sessions, links and the audit log as they are kept: names whatever their case, a link once
 * and in time, the last administrator, what ends with a user; the log within its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/assert.h"
#include "home.h"
#include "state/audit.h"
#include "state/users.h"

static struct skep_os os;
static int64_t now_ns;
static struct skep_state *state_db;
static skep_err err;

static int64_t test_now(const struct skep_os *self)
{
    (void)self;
    return now_ns;
}

static int set_up(void **unused)
{
    (void)unused;
    home_begin();
    os = *skep_os_real();
    os.now_ns = test_now;
    now_ns = 1000ll * 1000000000;
    const struct skep_state_config cfg = {.os = &os, .path = path};
    state_db = home_open(&cfg);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    return home_end(state_db);
}

static skep_rc put(const char *name, enum skep_role role)
{
    const struct skep_state_user u = {
        .name = skep_str_c(name), .role = role, .password = SKEP_STR("$hash")};
    return skep_state_put_user(state_db, &u, (skep_bytes){0}, &err);
}

static struct skep_state_user get(const char *name)
{
    struct skep_state_user u;
    assert_int_equal(skep_state_find_user(state_db, skep_str_c(name), &arena, &u, &err), SKEP_OK);
    return u;
}

static void begin(const char *name, uint8_t token)
{
    struct skep_state_session s = {
        .user = get(name).number, .created_ns = now_ns, .expires_ns = now_ns + 1000};
    memset(s.hash, token, sizeof s.hash);
    assert_int_equal(skep_state_put_session(state_db, &s, &err), SKEP_OK);
}

static size_t sessions(void)
{
    struct skep_state_session *list;
    size_t n;
    assert_int_equal(skep_state_list_sessions(state_db, &arena, &list, &n, &err), SKEP_OK);
    return n;
}

static void test_names_are_unique_whatever_their_case(void **unused)
{
    struct skep_state_user *list;
    size_t n;
    uint64_t count = 9;
    (void)unused;
    assert_int_equal(skep_state_count_users(state_db, &count, &err), SKEP_OK);
    assert_int_equal(count, 0);
    assert_int_equal(put("ann", SKEP_ROLE_ADMIN), SKEP_OK);
    assert_int_equal(put("ANN", SKEP_ROLE_VIEWER), SKEP_EEXISTS);
    assert_int_equal(put("bob", SKEP_ROLE_VIEWER), SKEP_OK);
    assert_int_equal(get("aNn").role, SKEP_ROLE_ADMIN);
    assert_int_equal(skep_state_list_users(state_db, &arena, &list, &n, &err), SKEP_OK);
    assert_int_equal(n, 2);
    assert_true(skep_str_eq(list[0].name, SKEP_STR("ann")));
    assert_true(skep_str_eq(list[1].password, SKEP_STR("$hash")));
}

static void test_the_last_administrator_stays(void **unused)
{
    (void)unused;
    assert_int_equal(put("ann", SKEP_ROLE_ADMIN), SKEP_OK);
    assert_int_equal(put("bob", SKEP_ROLE_VIEWER), SKEP_OK);
    const skep_str ann = SKEP_STR("ann"), bob = SKEP_STR("bob");
    assert_int_equal(skep_state_set_user(state_db, ann, SKEP_ROLE_ADMIN, true, &err), SKEP_EINVAL);
    assert_int_equal(skep_state_set_user(state_db, ann, SKEP_ROLE_VIEWER, false, &err),
                     SKEP_EINVAL);
    assert_int_equal(skep_state_set_user(state_db, bob, SKEP_ROLE_ADMIN, false, &err), SKEP_OK);
    assert_int_equal(skep_state_set_user(state_db, ann, SKEP_ROLE_ADMIN, true, &err), SKEP_OK);
    assert_true(get("ann").disabled_ns > 0);
    /* A disabled administrator is none. */
    assert_int_equal(skep_state_set_user(state_db, bob, SKEP_ROLE_VIEWER, false, &err),
                     SKEP_EINVAL);
    assert_int_equal(skep_state_set_user(state_db, ann, SKEP_ROLE_ADMIN, false, &err), SKEP_OK);
    assert_int_equal(get("ann").disabled_ns, 0);
    assert_int_equal(skep_state_set_user(state_db, SKEP_STR("eve"), SKEP_ROLE_ADMIN, false, &err),
                     SKEP_ENOTFOUND);
}

static void test_sessions_end_with_their_user(void **unused)
{
    (void)unused;
    assert_int_equal(put("ann", SKEP_ROLE_ADMIN), SKEP_OK);
    assert_int_equal(put("bob", SKEP_ROLE_VIEWER), SKEP_OK);
    begin("ann", 1);
    begin("bob", 2);
    begin("bob", 3);
    assert_int_equal(sessions(), 3);
    assert_int_equal(get("bob").last_login_ns, now_ns);
    assert_int_equal(skep_state_set_user(state_db, SKEP_STR("bob"), SKEP_ROLE_VIEWER, true, &err),
                     SKEP_OK);
    assert_int_equal(sessions(), 1);
    struct skep_state_session late = {
        .user = get("bob").number, .created_ns = now_ns, .expires_ns = now_ns + 1, .hash = {9}};
    assert_int_equal(skep_state_put_session(state_db, &late, &err), SKEP_ENOTFOUND);
    assert_int_equal(skep_state_set_password(state_db, SKEP_STR("ann"), SKEP_STR("$other"), &err),
                     SKEP_OK);
    assert_int_equal(sessions(), 0);
    begin("ann", 4);
    uint8_t hash[SKEP_STATE_HASH_BYTES];
    memset(hash, 4, sizeof hash);
    assert_int_equal(skep_state_drop_session(state_db, (skep_bytes){hash, sizeof hash}, &err),
                     SKEP_OK);
    assert_int_equal(sessions(), 0);
    begin("ann", 5);
    now_ns += 2000;
    begin("ann", 6); /* those that have expired go */
    assert_int_equal(sessions(), 1);
}

static void test_a_link_makes_one_user_in_time(void **unused)
{
    const uint8_t a[SKEP_STATE_HASH_BYTES] = {1}, b[SKEP_STATE_HASH_BYTES] = {2};
    const skep_bytes first = {a, sizeof a}, second = {b, sizeof b};
    struct skep_state_user u = {
        .name = SKEP_STR("ann"), .role = SKEP_ROLE_VIEWER, .password = SKEP_STR("$")};
    enum skep_role role;
    (void)unused;
    assert_int_equal(skep_state_put_link(state_db, first, SKEP_ROLE_ADMIN, now_ns + 100, &err),
                     SKEP_OK);
    assert_int_equal(skep_state_put_link(state_db, second, SKEP_ROLE_VIEWER, now_ns + 100, &err),
                     SKEP_OK);
    assert_int_equal(skep_state_find_link(state_db, first, &role, &err), SKEP_OK);
    assert_int_equal(role, SKEP_ROLE_ADMIN);
    assert_int_equal(skep_state_put_user(state_db, &u, first, &err), SKEP_OK);
    assert_int_equal(get("ann").role, SKEP_ROLE_ADMIN); /* the link's */
    u.name = SKEP_STR("bob");
    assert_int_equal(skep_state_put_user(state_db, &u, first, &err), SKEP_ENOTFOUND);
    /* A name that is taken does not use a link up. */
    u.name = SKEP_STR("Ann");
    assert_int_equal(skep_state_put_user(state_db, &u, second, &err), SKEP_EEXISTS);
    assert_int_equal(skep_state_find_link(state_db, second, &role, &err), SKEP_OK);
    now_ns += 100;
    assert_int_equal(skep_state_find_link(state_db, second, &role, &err), SKEP_ENOTFOUND);
    for (uint8_t i = 0; i < 120; i++) { /* bounded: the newest are kept */
        const uint8_t hash[SKEP_STATE_HASH_BYTES] = {3, i};
        now_ns++;
        assert_int_equal(skep_state_put_link(state_db, (skep_bytes){hash, sizeof hash},
                                             SKEP_ROLE_VIEWER, now_ns + 1000, &err),
                         SKEP_OK);
        assert_int_equal(
            skep_state_find_link(state_db, (skep_bytes){hash, sizeof hash}, &role, &err), SKEP_OK);
    }
    const uint8_t old[SKEP_STATE_HASH_BYTES] = {3, 19}, kept[SKEP_STATE_HASH_BYTES] = {3, 20};
    assert_int_equal(skep_state_find_link(state_db, (skep_bytes){old, sizeof old}, &role, &err),
                     SKEP_ENOTFOUND);
    assert_int_equal(skep_state_find_link(state_db, (skep_bytes){kept, sizeof kept}, &role, &err),
                     SKEP_OK);
}

static void note(const char *what, skep_str on)
{
    const struct skep_state_audit e = {
        .who = SKEP_STR("user ann"), .what = skep_str_c(what), .on = on, .from = SKEP_STR("::1")};
    assert_int_equal(skep_state_put_audit(state_db, &e, &err), SKEP_OK);
}

static size_t page(uint64_t before, size_t limit, struct skep_state_audit **ret)
{
    size_t n = 0;
    assert_int_equal(skep_state_list_audit(state_db, before, limit, &arena, ret, &n, &err),
                     SKEP_OK);
    return n;
}

static void test_the_audit_log_is_paged_and_bounded(void **unused)
{
    struct skep_state_audit *list;
    char text[600];
    (void)unused;
    note("key.create", SKEP_STR("one"));
    note("key.create", SKEP_STR("two"));
    note("login", SKEP_STR("three"));
    assert_int_equal(page(0, 2, &list), 2);
    assert_true(skep_str_eq(list[0].on, SKEP_STR("three")));
    assert_true(skep_str_eq(list[0].who, SKEP_STR("user ann")));
    assert_int_equal(list[0].at_ns, now_ns);
    assert_int_equal(page(list[1].number, 2, &list), 1);
    assert_true(skep_str_eq(list[0].on, SKEP_STR("one")));
    memset(text, 'x', sizeof text);
    memcpy(text + SKEP_STATE_AUDIT_TEXT_MAX_BYTES - 1, "\xc3\xa9", 2); /* cut before it */
    note("login", (skep_str){text, sizeof text});
    assert_int_equal(page(0, 1, &list), 1);
    assert_int_equal(list[0].on.n, SKEP_STATE_AUDIT_TEXT_MAX_BYTES - 1);

    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db,
                     "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
                     "100000) INSERT INTO audit(at_ns, who, what, target, address) SELECT i, 'x', "
                     "iif(i % 2, 'login.failed', 'login'), '', '' FROM n",
                     NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    note("key.revoke", SKEP_STR("last"));
    assert_int_equal(page(0, 200000, &list), SKEP_STATE_AUDIT_MAX);
    note(SKEP_AUDIT_LOGIN_FAILED, SKEP_STR("eve"));
    size_t n = page(0, 200000, &list), failures = 0;
    for (size_t i = 0; i < n; i++)
        failures += skep_str_eq(list[i].what, SKEP_STR(SKEP_AUDIT_LOGIN_FAILED));
    assert_int_equal(failures, SKEP_STATE_AUDIT_FAILURES_MAX);
    assert_true(n > 50000); /* guessing washed nothing else out */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names_are_unique_whatever_their_case, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_last_administrator_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sessions_end_with_their_user, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_link_makes_one_user_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_audit_log_is_paged_and_bounded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

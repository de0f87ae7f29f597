// SPDX-License-Identifier: Apache-2.0
/* test_parts.c - moments, routes, checks of messages, the store */
#include <cmocka.h>
#include <string.h>

#include "input.h"
#include "routes.h"
#include "store.h"
#include "views/views.h"
#include "when.h"

static void moments(void **state)
{
    (void)state;
    char text[WHEN_TEXT_BYTES];
    assert_string_equal(when_text(0, false, text), "1970-01-01T00:00:00+00:00");
    assert_string_equal(when_text(1, true, text), "1970-01-01T00:00:00.000001");
    assert_string_equal(when_text(-1, false, text), "1969-12-31T23:59:59.999999+00:00");
    assert_string_equal(when_text(INT64_C(1582934400123456), true, text),
                        "2020-02-29T00:00:00.123456");
    // As far as numbers go: no fault, whatever stands there.
    assert_true(strlen(when_text(INT64_MAX, false, text)) < WHEN_TEXT_BYTES);
    assert_true(strlen(when_text(INT64_MIN, false, text)) < WHEN_TEXT_BYTES);
    assert_int_equal(when_ttl("1-hour"), WHEN_HOUR);
    assert_int_equal(when_ttl("30-days"), 30 * WHEN_DAY);
    assert_int_equal(when_ttl("30-DAYS"), -1);
    assert_int_equal(when_ttl(""), -1);
}

static view_fn *view_of(const char *method, const char *path, const char *expected_param)
{
    char param[16];
    unsigned allowed = 0;
    const struct route *route = route_find(method, path, param, sizeof param, &allowed);
    if (route != NULL)
        assert_string_equal(param, expected_param);
    return route != NULL ? route->view : NULL;
}

static void routes_are_found(void **state)
{
    (void)state;
    assert_ptr_equal(view_of("GET", "/api/activities/home", ""), view_home);
    assert_ptr_equal(view_of("HEAD", "/api/activities/home", ""), view_home);
    assert_ptr_equal(view_of("GET", "/api/activities/homes", "homes"), view_show_activity);
    assert_ptr_equal(view_of("GET", "/api/activities/@worf", "worf"), view_profile);
    assert_ptr_equal(view_of("GET", "/api/activities/@", ""), view_profile);
    assert_ptr_equal(view_of("POST", "/api/activities/7/reply", "7"), view_create_reply);
    assert_null(view_of("POST", "/api/activities//reply", ""));
    assert_null(view_of("POST", "/api/activities/7/8/reply", ""));
    assert_null(view_of("GET", "/api/activities/", ""));
    assert_null(view_of("GET", "/api/activities/a/b", ""));
    assert_null(view_of("GET", "/api/messages/@0123456789abcdef", "")); // longer than there is room
    assert_ptr_equal(view_of("GET", "/api/messages/@0123456789abcde", "0123456789abcde"),
                     view_messages);
    assert_null(view_of("BREW", "/api/activities/home", ""));
}

static void methods_of_a_path(void **state)
{
    (void)state;
    char param[REQUEST_PARAM_BYTES];
    unsigned allowed = 0;
    assert_null(route_find("OPTIONS", "/api/activities", param, sizeof param, &allowed));
    assert_string_equal(route_allow(allowed), "POST, OPTIONS");
    assert_null(route_find("POST", "/api/activities/home", param, sizeof param, &allowed));
    assert_string_equal(route_allow(allowed), "GET, HEAD, OPTIONS");
    assert_null(route_find("GET", "/nope", param, sizeof param, &allowed));
    assert_int_equal(allowed, 0);
}

static void messages_are_measured_in_characters(void **state)
{
    (void)state;
    assert_string_equal(input_check_message("", 3), "message_blank");
    assert_null(input_check_message("\xc3\xbc\xf0\x9f\x98\x80x", 3));
    assert_string_equal(input_check_message("\xc3\xbc\xf0\x9f\x98\x80xy", 3),
                        "message_exceed_max_chars");
}

/* --- the store ---------------------------------------------------------------------------------
 */

static void count(void *self, const struct activity *activity)
{
    (void)activity;
    (*(unsigned *)self)++;
}

static unsigned found(struct store *store, const char *term, int64_t now_us)
{
    char why[STORE_WHY_BYTES];
    unsigned n = 0;
    assert_true(
        store_posts(store, &(struct store_posts){.term = term, .now_us = now_us}, count, &n, why));
    return n;
}

static void the_store_keeps_and_forgets(void **state)
{
    (void)state;
    char why[STORE_WHY_BYTES];
    int64_t now = when_now();
    struct store *store = store_open(":memory:", why);
    assert_non_null(store);
    struct activity post = {.uuid = "u1",
                            .message = "100% '; DROP TABLE activities; --",
                            .created_us = now,
                            .expires_us = now + WHEN_HOUR};
    assert_true(store_add_activity(store, &post, "worf", why));
    assert_false(store_add_activity(store, &post, "worf", why)); // its uuid is taken
    assert_string_equal(why, "UNIQUE constraint failed: activities.uuid");
    assert_int_equal(found(store, "'; drop", now), 1);
    assert_int_equal(found(store, "%", now), 1);
    assert_int_equal(found(store, "'; drop", now + WHEN_HOUR), 0); // expired
    post.uuid = "u2";
    assert_true(store_add_activity(store, &post, "nobody", why));
    assert_int_equal(found(store, "'; drop", now), 1); // whom nobody knows is not shown
    store_close(store);
    assert_null(store_open("/nowhere/at/all", why));
    assert_string_equal(why, "unable to open database file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments),
        cmocka_unit_test(routes_are_found),
        cmocka_unit_test(methods_of_a_path),
        cmocka_unit_test(messages_are_measured_in_characters),
        cmocka_unit_test(the_store_keeps_and_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/* The queue of messages: order, keys told once, bounds, what is kept of those that ended, revival,
 * whose environment sees it; all of it behind a restart. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "home.h"
#include "os/os.h"
#include "state/keys.h"
#include "state/notify.h"

#define HERE SKEP_STR("default")

static struct skep_state *state;
static skep_err err;

static void open_state(void)
{
    const struct skep_state_config cfg = {.os = skep_os_real(), .path = path};
    state = home_open(&cfg);
}

static skep_rc put_place(skep_str environment, const char *id)
{
    const struct skep_state_place p = {.id = skep_str_c(id),
                                       .environment = environment,
                                       .name = skep_str_c(id),
                                       .kind = SKEP_STATE_PLACE_WEBHOOK,
                                       .target = SKEP_STR("http://x/"),
                                       .per_minute = 60,
                                       .created_ns = 7};
    return skep_state_put_place(state, &p, &err);
}

static int set_up(void **unused)
{
    (void)unused;
    home_begin();
    open_state();
    assert_int_equal(put_place(HERE, "p"), SKEP_OK);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    return home_end(state);
}

static skep_rc put(const char *id, const char *key, size_t bytes, bool *ret_new)
{
    static uint8_t body[SKEP_STATE_MESSAGE_BYTES];
    const struct skep_state_message m = {.id = skep_str_c(id),
                                         .place = SKEP_STR("p"),
                                         .environment = HERE,
                                         .kind = SKEP_STR("test"),
                                         .key = skep_str_c(key),
                                         .body = {body, bytes},
                                         .created_ns = 5};
    return skep_state_put_message(state, &m, ret_new, &err);
}

static struct skep_state_message next(void)
{
    struct skep_state_message m = {.number = 0};
    skep_rc rc = skep_state_next_message(state, SKEP_STR("p"), &arena, &m, &err);
    assert_true(rc == SKEP_OK || rc == SKEP_ENOTFOUND);
    return m;
}

static void note(const struct skep_state_message *m, enum skep_state_message_state to,
                 const char *error)
{
    const struct skep_state_attempt a = {.state = to,
                                         .status = 500,
                                         .error = skep_str_c(error),
                                         .at_ns = 9,
                                         .failures = 2,
                                         .retry_ns = 11};
    assert_int_equal(skep_state_note_attempt(state, m, &a, &err), SKEP_OK);
}

static size_t count(int of)
{
    static struct skep_state_message list[1000];
    size_t n;
    assert_int_equal(skep_state_messages(state, HERE, of, UINT64_MAX, &arena, list, 1000, &n, &err),
                     SKEP_OK);
    return n;
}

static struct skep_state_place place(void)
{
    struct skep_state_place *list;
    size_t n;
    const skep_str here = HERE;
    assert_int_equal(skep_state_places(state, &here, &arena, &list, &n, &err), SKEP_OK);
    assert_int_equal(n, 1);
    return list[0];
}

static void test_life(void **unused)
{
    bool fresh;
    (void)unused;
    assert_int_equal(put("m1", "", 3, &fresh), SKEP_OK);
    assert_int_equal(put("m2", "", 0, &fresh), SKEP_OK);
    skep_state_close(state);
    open_state();
    struct skep_state_message m = next();
    assert_true(skep_str_eq(m.id, SKEP_STR("m1")));
    assert_int_equal(m.body.n, 3);
    note(&m, SKEP_STATE_MESSAGE_WAITING, "no");
    m = next();
    assert_true(skep_str_eq(m.id, SKEP_STR("m1"))); /* its turn it stays */
    assert_int_equal(m.attempts, 1);
    assert_true(skep_str_eq(m.error, SKEP_STR("no")));
    struct skep_state_place p = place();
    assert_int_equal(p.failures, 2);
    assert_int_equal(p.retry_ns, 11);
    note(&m, SKEP_STATE_MESSAGE_DEAD, "never");
    m = next();
    assert_true(skep_str_eq(m.id, SKEP_STR("m2")));
    note(&m, SKEP_STATE_MESSAGE_DELIVERED, "");
    assert_int_equal(next().number, 0);
    p = place();
    assert_int_equal(p.dead, 1);
    assert_int_equal(p.delivered, 1);

    assert_int_equal(skep_state_revive_message(state, SKEP_STR("prod"), SKEP_STR("m1"), &err),
                     SKEP_ENOTFOUND);
    assert_int_equal(skep_state_revive_message(state, HERE, SKEP_STR("m2"), &err), SKEP_ENOTFOUND);
    assert_int_equal(skep_state_revive_message(state, HERE, SKEP_STR("m1"), &err), SKEP_OK);
    m = next();
    assert_true(skep_str_eq(m.id, SKEP_STR("m1")));
    assert_int_equal(m.attempts, 0);
    assert_int_equal(m.body.n, 3);
    assert_true(m.due_from_ns > m.created_ns); /* it has a new day */
}

static void test_keys(void **unused)
{
    bool fresh;
    (void)unused;
    assert_int_equal(put("m1", "occurrence 17", 0, &fresh), SKEP_OK);
    assert_true(fresh);
    assert_int_equal(put("m2", "occurrence 17", 0, &fresh), SKEP_OK);
    assert_false(fresh);
    assert_int_equal(put("m3", "", 0, &fresh), SKEP_OK);
    assert_int_equal(put("m4", "", 0, &fresh), SKEP_OK);
    assert_true(fresh); /* no key is no key */
    struct skep_state_message m = next();
    note(&m, SKEP_STATE_MESSAGE_DELIVERED, "");
    assert_int_equal(put("m5", "occurrence 17", 0, &fresh), SKEP_OK);
    assert_false(fresh); /* told, too */
    assert_int_equal(count(-1), 3);
}

static void test_bounds(void **unused)
{
    bool fresh;
    char id[16];
    skep_rc rc = SKEP_OK;
    size_t n = 0;
    (void)unused;
    while (n < 1000 && rc == SKEP_OK) { /* bodies first */
        snprintf(id, sizeof id, "b%zu", n++);
        rc = put(id, "", SKEP_STATE_MESSAGE_BYTES, &fresh);
    }
    assert_int_equal(rc, SKEP_ELIMIT);
    assert_int_equal(n - 1, SKEP_STATE_MESSAGES_BYTES / SKEP_STATE_MESSAGE_BYTES);
    assert_int_equal(place().refused, 1);
    struct skep_state_message m = next();
    note(&m, SKEP_STATE_MESSAGE_DELIVERED, ""); /* its body goes: there is room for one */
    assert_int_equal(put("again", "", SKEP_STATE_MESSAGE_BYTES, &fresh), SKEP_OK);
    assert_int_equal(skep_state_drop_message(state, HERE, SKEP_STR("again"), &err), SKEP_OK);
    assert_int_equal(put("again", "", SKEP_STATE_MESSAGE_BYTES, &fresh), SKEP_OK);
    assert_int_equal(put("more", "", 1, &fresh), SKEP_ELIMIT);
}

static void test_ended_are_few(void **unused)
{
    bool fresh;
    char id[16];
    (void)unused;
    for (int i = 0; i < SKEP_STATE_PLACE_ENDED_MAX + 20; i++) {
        snprintf(id, sizeof id, "m%d", i);
        assert_int_equal(put(id, "", 1, &fresh), SKEP_OK);
        struct skep_state_message m = next();
        note(&m, i < 10 ? SKEP_STATE_MESSAGE_DELIVERED : SKEP_STATE_MESSAGE_DEAD, "x");
    }
    assert_int_equal(count(SKEP_STATE_MESSAGE_DELIVERED), 10);
    assert_int_equal(count(SKEP_STATE_MESSAGE_DEAD), SKEP_STATE_PLACE_ENDED_MAX);
    assert_int_equal(skep_state_revive_message(state, HERE, SKEP_STR("m10"), &err), SKEP_ENOTFOUND);
}

static void test_whose(void **unused)
{
    bool fresh;
    const struct skep_state_environment prod = {
        .id = SKEP_STR("hcxen_1"), .slug = SKEP_STR("prod"), .name = SKEP_STR("prod")};
    struct skep_state_message m = {.id = SKEP_STR("x"),
                                   .place = SKEP_STR("p"),
                                   .kind = SKEP_STR("k"),
                                   .environment = prod.slug};
    (void)unused;
    assert_int_equal(skep_state_put_environment(state, &prod, &err), SKEP_OK);
    assert_int_equal(skep_state_put_message(state, &m, &fresh, &err), SKEP_ENOTFOUND);
    assert_int_equal(put_place(prod.slug, "q"), SKEP_OK);
    assert_int_equal(put_place(prod.slug, "q"), SKEP_EEXISTS);
    m.place = SKEP_STR("q");
    assert_int_equal(skep_state_put_message(state, &m, &fresh, &err), SKEP_OK);
    assert_int_equal(skep_state_drop_place(state, HERE, SKEP_STR("q"), &err), SKEP_ENOTFOUND);
    assert_int_equal(count(-1), 0);
    assert_int_equal(skep_state_drop_environment(state, prod.slug, &err), SKEP_OK);
    assert_int_equal(skep_state_next_message(state, SKEP_STR("q"), &arena, &m, &err),
                     SKEP_ENOTFOUND);
    assert_int_equal(put("m", "", 1, &fresh), SKEP_OK);
    assert_int_equal(skep_state_drop_place(state, HERE, SKEP_STR("p"), &err), SKEP_OK);
    assert_int_equal(count(-1), 0);
}

/* Nothing is given out for a place that was disabled, whoever asks and whatever he knows of it. */
static void test_disabled(void **unused)
{
    bool fresh;
    (void)unused;
    assert_int_equal(put("m", "", 1, &fresh), SKEP_OK);
    assert_int_equal(skep_state_disable_place(state, HERE, SKEP_STR("p"), true, &err), SKEP_OK);
    assert_int_equal(next().number, 0);
    assert_int_equal(skep_state_disable_place(state, HERE, SKEP_STR("p"), false, &err), SKEP_OK);
    assert_true(skep_str_eq(next().id, SKEP_STR("m")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ended_are_few, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_whose, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_disabled, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

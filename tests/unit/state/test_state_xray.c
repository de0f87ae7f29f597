// SPDX-License-Identifier: Apache-2.0
/* X-Ray's things in state: of one environment alone, bounded, changed by who knew their last state,
 * forgotten with their tags; when rules changed; windows that add up and are folded. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "home.h"
#include "os/os.h"
#include "state/keys.h"
#include "state/xray.h"

#define S    1000000000ll
#define HERE SKEP_STR("default")

static struct skep_state *state;
static skep_err err;

static void open_state(void)
{
    const struct skep_state_config cfg = {.os = skep_os_real(), .path = path};
    state = home_open(&cfg);
}

static int set_up(void **unused)
{
    (void)unused;
    home_begin();
    open_state();
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    return home_end(state);
}

static skep_rc create(skep_str env, enum skep_state_xray_kind kind, const char *name,
                      const char *body)
{
    struct skep_state_xray_item item = {.name = skep_str_c(name), .body = skep_str_c(body)};
    return skep_state_xray_create(state, env, kind, &item, &err);
}

static void test_items(void **unused)
{
    struct skep_state_xray_item item, old, *list;
    size_t n;
    (void)unused;
    assert_int_equal(create(HERE, SKEP_STATE_XRAY_GROUP, "b", "{1}"), SKEP_OK);
    assert_int_equal(create(HERE, SKEP_STATE_XRAY_GROUP, "a", "{2}"), SKEP_OK);
    assert_int_equal(create(HERE, SKEP_STATE_XRAY_GROUP, "a", "{3}"), SKEP_EEXISTS);
    assert_int_equal(create(HERE, SKEP_STATE_XRAY_RULE, "a", "{4}"), SKEP_OK);
    assert_int_equal(create(SKEP_STR("prod"), SKEP_STATE_XRAY_GROUP, "a", "{5}"), SKEP_OK);
    skep_state_close(state);
    open_state();
    assert_int_equal(
        skep_state_xray_list(state, HERE, SKEP_STATE_XRAY_GROUP, &arena, &list, &n, &err), SKEP_OK);
    assert_int_equal(n, 2);
    assert_true(skep_str_eq(list[0].name, SKEP_STR("a")));
    assert_true(skep_str_eq(list[0].body, SKEP_STR("{2}")));
    assert_true(skep_str_eq(list[1].name, SKEP_STR("b")));

    /* Who knew its last state changes it; who knew an older one is told. */
    old = item = list[0];
    item.body = SKEP_STR("{6}");
    assert_int_equal(skep_state_xray_replace(state, HERE, SKEP_STATE_XRAY_GROUP, &item, &err),
                     SKEP_OK);
    assert_true(item.modified_ns > old.modified_ns);
    assert_int_equal(skep_state_xray_replace(state, HERE, SKEP_STATE_XRAY_GROUP, &old, &err),
                     SKEP_EAGAIN);
    assert_int_equal(
        skep_state_xray_get(state, HERE, SKEP_STATE_XRAY_GROUP, SKEP_STR("a"), &arena, &item, &err),
        SKEP_OK);
    assert_true(skep_str_eq(item.body, SKEP_STR("{6}")));
    assert_int_equal(item.created_ns, list[0].created_ns);
    assert_int_equal(skep_state_xray_drop(state, HERE, SKEP_STATE_XRAY_GROUP, SKEP_STR("a"), &err),
                     SKEP_OK);
    assert_int_equal(skep_state_xray_drop(state, HERE, SKEP_STATE_XRAY_GROUP, SKEP_STR("a"), &err),
                     SKEP_ENOTFOUND);
    assert_int_equal(skep_state_xray_replace(state, HERE, SKEP_STATE_XRAY_GROUP, &item, &err),
                     SKEP_ENOTFOUND);
    assert_int_equal(skep_state_xray_get(state, SKEP_STR("prod"), SKEP_STATE_XRAY_GROUP,
                                         SKEP_STR("a"), &arena, &item, &err),
                     SKEP_OK);
    assert_true(skep_str_eq(item.body, SKEP_STR("{5}")));
}

static void test_bounds(void **unused)
{
    char name[16];
    struct skep_state_xray_item item;
    (void)unused;
    for (int i = 0; i < SKEP_STATE_XRAY_RULES_MAX; i++) {
        snprintf(name, sizeof name, "r%d", i);
        assert_int_equal(create(HERE, SKEP_STATE_XRAY_RULE, name, "{}"), SKEP_OK);
    }
    assert_int_equal(create(HERE, SKEP_STATE_XRAY_RULE, "more", "{}"), SKEP_ELIMIT);
    for (int i = 0; i < SKEP_STATE_XRAY_RETRIEVALS_MAX + 3; i++) {
        snprintf(name, sizeof name, "t%d", i);
        assert_int_equal(create(HERE, SKEP_STATE_XRAY_RETRIEVAL, name, "{}"), SKEP_OK);
    }
    assert_int_equal(skep_state_xray_get(state, HERE, SKEP_STATE_XRAY_RETRIEVAL, SKEP_STR("t2"),
                                         &arena, &item, &err),
                     SKEP_ENOTFOUND);
    assert_int_equal(skep_state_xray_get(state, HERE, SKEP_STATE_XRAY_RETRIEVAL, SKEP_STR("t3"),
                                         &arena, &item, &err),
                     SKEP_OK);
}

static int64_t modified(void)
{
    int64_t ns = 0;
    assert_int_equal(skep_state_xray_rules_modified(state, HERE, &ns, &err), SKEP_OK);
    return ns;
}

static void test_rules_modified(void **unused)
{
    struct skep_state_xray_item item = {.name = SKEP_STR("r"), .body = SKEP_STR("{}")};
    (void)unused;
    assert_int_equal(modified(), 0);
    assert_int_equal(skep_state_xray_create(state, HERE, SKEP_STATE_XRAY_RULE, &item, &err),
                     SKEP_OK);
    int64_t created = modified();
    assert_int_equal(created, item.modified_ns);
    assert_int_equal(create(HERE, SKEP_STATE_XRAY_GROUP, "g", "{}"), SKEP_OK);
    assert_int_equal(create(SKEP_STR("prod"), SKEP_STATE_XRAY_RULE, "r", "{}"), SKEP_OK);
    assert_int_equal(modified(), created);
    assert_int_equal(skep_state_xray_drop(state, HERE, SKEP_STATE_XRAY_RULE, SKEP_STR("r"), &err),
                     SKEP_OK);
    assert_true(modified() > created); /* though no rule is left */
    skep_state_close(state);
    open_state();
    assert_true(modified() > created);
}

static void test_tags(void **unused)
{
    struct skep_state_xray_tag many[SKEP_STATE_XRAY_TAGS_MAX], *tags,
        two[] = {{SKEP_STR_INIT("team"), SKEP_STR_INIT("a")},
                 {SKEP_STR_INIT("env"), SKEP_STR_INIT("prod")}};
    static char names[SKEP_STATE_XRAY_TAGS_MAX][8];
    const skep_str g = SKEP_STR("g"), team = SKEP_STR("team");
    size_t n;
    (void)unused;
    assert_int_equal(create(HERE, SKEP_STATE_XRAY_GROUP, "g", "{}"), SKEP_OK);
    assert_int_equal(skep_state_xray_tag(state, HERE, SKEP_STATE_XRAY_GROUP, g, two, 2, &err),
                     SKEP_OK);
    two[0].value = SKEP_STR("b");
    assert_int_equal(skep_state_xray_tag(state, HERE, SKEP_STATE_XRAY_GROUP, g, two, 1, &err),
                     SKEP_OK);
    for (size_t i = 0; i < SKEP_STATE_XRAY_TAGS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "k%zu", i);
        many[i] = (struct skep_state_xray_tag){skep_str_c(names[i]), SKEP_STR("")};
    }
    assert_int_equal(skep_state_xray_tag(state, HERE, SKEP_STATE_XRAY_GROUP, g, many,
                                         SKEP_STATE_XRAY_TAGS_MAX, &err),
                     SKEP_ELIMIT);
    assert_int_equal(
        skep_state_xray_tags(state, HERE, SKEP_STATE_XRAY_GROUP, g, &arena, &tags, &n, &err),
        SKEP_OK);
    assert_int_equal(n, 2); /* all or none */
    assert_true(skep_str_eq(tags[0].key, SKEP_STR("env")));
    assert_true(skep_str_eq(tags[1].value, SKEP_STR("b")));
    assert_int_equal(skep_state_xray_untag(state, HERE, SKEP_STATE_XRAY_GROUP, g, &team, 1, &err),
                     SKEP_OK);
    assert_int_equal(skep_state_xray_untag(state, HERE, SKEP_STATE_XRAY_GROUP, g, &team, 1, &err),
                     SKEP_OK);
    assert_int_equal(skep_state_xray_drop(state, HERE, SKEP_STATE_XRAY_GROUP, g, &err), SKEP_OK);
    assert_int_equal(create(HERE, SKEP_STATE_XRAY_GROUP, "g", "{}"), SKEP_OK);
    assert_int_equal(
        skep_state_xray_tags(state, HERE, SKEP_STATE_XRAY_GROUP, g, &arena, &tags, &n, &err),
        SKEP_OK);
    assert_int_equal(n, 0);
}

/* An environment made anew under the old name has nothing of the old one. */
static void test_environment_goes(void **unused)
{
    const struct skep_state_environment prod = {
        .id = SKEP_STR("hcxen_1"), .slug = SKEP_STR("prod"), .name = SKEP_STR("prod")};
    const struct skep_state_xray_tag tag = {SKEP_STR_INIT("team"), SKEP_STR_INIT("a")};
    struct skep_state_xray_window *windows, w = {prod.slug, SKEP_STR("r"), 1000 * S, 1, 1, 1};
    struct skep_state_xray_item *list;
    struct skep_state_xray_tag *tags;
    const skep_str envs[] = {prod.slug, HERE};
    size_t n;
    (void)unused;
    assert_int_equal(skep_state_put_environment(state, &prod, &err), SKEP_OK);
    for (size_t e = 0; e < SKEP_ARRAY_LEN(envs); e++) {
        for (unsigned k = SKEP_STATE_XRAY_GROUP; k <= SKEP_STATE_XRAY_RETRIEVAL; k++)
            assert_int_equal(create(envs[e], k, "a", "{}"), SKEP_OK);
        assert_int_equal(skep_state_xray_tag(state, envs[e], SKEP_STATE_XRAY_GROUP, SKEP_STR("a"),
                                             &tag, 1, &err),
                         SKEP_OK);
        w.environment = envs[e];
        assert_int_equal(skep_state_xray_add_windows(state, &w, 1, 1010 * S, &err), SKEP_OK);
    }
    assert_int_equal(skep_state_drop_environment(state, HERE, &err), SKEP_EINVAL);
    assert_int_equal(skep_state_drop_environment(state, prod.slug, &err), SKEP_OK);
    for (size_t e = 0; e < SKEP_ARRAY_LEN(envs); e++) {
        for (unsigned k = SKEP_STATE_XRAY_GROUP; k <= SKEP_STATE_XRAY_RETRIEVAL; k++) {
            assert_int_equal(skep_state_xray_list(state, envs[e], k, &arena, &list, &n, &err),
                             SKEP_OK);
            assert_int_equal(n, e);
        }
        assert_int_equal(skep_state_xray_tags(state, envs[e], SKEP_STATE_XRAY_GROUP, SKEP_STR("a"),
                                              &arena, &tags, &n, &err),
                         SKEP_OK);
        assert_int_equal(n, e);
        assert_int_equal(skep_state_xray_windows(state, envs[e], 0, &arena, &windows, &n, &err),
                         SKEP_OK);
        assert_int_equal(n, e);
    }
}

static void test_windows(void **unused)
{
    const struct skep_state_xray_window w[] = {
        {HERE, SKEP_STR("r"), 1000 * S, 10, 1, 5},
        {HERE, SKEP_STR("q"), 1010 * S, 7, 0, 7},
        {SKEP_STR("prod"), SKEP_STR("r"), 1000 * S, 99, 0, 0},
        {HERE, SKEP_STR("r"), 1000 * S, 30, 2, 6},
    };
    struct skep_state_xray_window *list;
    size_t n;
    (void)unused;
    assert_int_equal(skep_state_xray_add_windows(state, w, 4, 1020 * S, &err), SKEP_OK);
    assert_int_equal(skep_state_xray_windows(state, HERE, 0, &arena, &list, &n, &err), SKEP_OK);
    assert_int_equal(n, 2);
    assert_int_equal(list[0].requests, 40);
    assert_int_equal(list[0].borrowed, 3);
    assert_int_equal(list[0].sampled, 11);
    assert_int_equal(list[1].start_ns, 1010 * S);
    assert_int_equal(skep_state_xray_windows(state, HERE, 1010 * S, &arena, &list, &n, &err),
                     SKEP_OK);
    assert_int_equal(n, 1);
    assert_true(skep_str_eq(list[0].rule, SKEP_STR("q")));
    assert_int_equal(
        skep_state_xray_add_windows(state, NULL, 0, 1001 * S + SKEP_STATE_XRAY_KEPT_NS, &err),
        SKEP_OK);
    assert_int_equal(skep_state_xray_windows(state, HERE, 0, &arena, &list, &n, &err), SKEP_OK);
    assert_int_equal(n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_items, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rules_modified, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tags, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_environment_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_windows, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

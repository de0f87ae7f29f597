// SPDX-License-Identifier: Apache-2.0
/* Items: made, counted once, resolved and back, muted, merged; the list; deploys. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "home.h"
#include "state/items.h"
#include "state/keys.h"

static const skep_str env = SKEP_STR_INIT("default");
static struct skep_state *s;
static uint64_t items_limit; /* 0 = as it is */
static skep_err err;

static void open_state(void)
{
    const struct skep_state_config cfg = {
        .path = path, .os = skep_os_real(), .items_limit = items_limit};
    s = home_open(&cfg);
}

static int setup(void **state)
{
    (void)state;
    home_begin();
    open_state();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return home_end(s);
}

static struct skep_item_sighting sighting(const char *fingerprint, uint64_t n, const char *version)
{
    return (struct skep_item_sighting){.environment = env,
                                       .stage = SKEP_STR("production"),
                                       .fingerprint = skep_str_c(fingerprint),
                                       .title = SKEP_STR("E: no user"),
                                       .type = SKEP_STR("E"),
                                       .culprit = SKEP_STR("app.py in total"),
                                       .dataset = SKEP_STR("shop"),
                                       .level = SKEP_ITEM_ERROR,
                                       .version = skep_str_c(version),
                                       .n = n,
                                       .first_ns = 100,
                                       .last_ns = 200};
}

static struct skep_item_change see(const char *fingerprint, uint64_t n, const char *version,
                                   uint64_t seq)
{
    struct skep_item_change c;
    struct skep_item_sighting x = sighting(fingerprint, n, version);
    x.first_row = x.last_row = (skep_row_id){seq, 0};
    const struct skep_items_look look = {.sightings = &x, .n = 1, .at = {seq, 9}};
    assert_int_equal(skep_state_items_see(s, &look, (skep_ts_ns)(1000 * seq), &c, &err), SKEP_OK);
    return c;
}

static struct skep_item get(int64_t id)
{
    struct skep_item i;
    assert_int_equal(skep_state_item_get(s, env, id, 0, &arena, &i, &err), SKEP_OK);
    return i;
}

static void patch_status(int64_t id, enum skep_item_status status, const char *resolved_in)
{
    const struct skep_item_patch p = {.set_status = true,
                                      .status = status,
                                      .set_resolved_in = resolved_in[0] != 0,
                                      .resolved_in = skep_str_c(resolved_in)};
    assert_int_equal(skep_state_item_patch(s, env, id, &p, SKEP_STR("ann"), 5, &err), SKEP_OK);
}

static void test_new_and_again(void **state)
{
    skep_row_id at;
    (void)state;
    assert_int_equal(skep_state_items_cursor(s, &at, &err), SKEP_OK);
    assert_int_equal(at.seq, 0);
    struct skep_item_change c = see("f1", 3, "1.0", 7);
    assert_int_equal(c.event, SKEP_ITEM_NEW);
    assert_int_equal(c.total, 3);
    c = see("f1", 2, "1.1", 8);
    assert_int_equal(c.event, 0);
    assert_int_equal(c.total_before, 3);
    assert_int_equal(c.total, 5);
    assert_int_equal(see("f2", 1, "", 9).event, SKEP_ITEM_NEW);
    skep_state_close(s); /* and all of it stands */
    open_state();
    struct skep_item i = get(c.id);
    assert_int_equal(i.counter, 1);
    assert_int_equal(i.total, 5);
    assert_int_equal(i.first_row.seq, 7);
    assert_int_equal(i.last_row.seq, 8);
    assert_true(skep_str_eq(i.first_version, SKEP_STR("1.0")));
    assert_true(skep_str_eq(i.last_version, SKEP_STR("1.1")));
    assert_int_equal(skep_state_items_cursor(s, &at, &err), SKEP_OK);
    assert_int_equal(at.seq, 9);
    assert_int_equal(at.ordinal, 9);
}

static void test_reactivated(void **state)
{
    (void)state;
    int64_t id = see("f", 1, "1.0", 1).id;
    patch_status(id, SKEP_ITEM_RESOLVED, "");
    assert_int_equal(see("f", 1, "1.0", 2).event, SKEP_ITEM_REACTIVATED);
    struct skep_item i = get(id);
    assert_int_equal(i.status, SKEP_ITEM_ACTIVE);
    assert_int_equal(i.activating_row.seq, 2);
    patch_status(id, SKEP_ITEM_RESOLVED, "1.10");
    assert_int_equal(see("f", 1, "1.9", 3).event, 0); /* an older version still runs somewhere */
    assert_int_equal(get(id).status, SKEP_ITEM_RESOLVED);
    assert_int_equal(see("f", 1, "1.10", 4).event, SKEP_ITEM_REACTIVATED);
    patch_status(id, SKEP_ITEM_RESOLVED, "1.10");
    assert_int_equal(see("f", 1, "", 5).event,
                     SKEP_ITEM_REACTIVATED); /* unknown: rather too often */
}

static void test_muted(void **state)
{
    (void)state;
    int64_t id = see("f", 1, "", 1).id;
    struct skep_item_patch p = {.set_status = true, .status = SKEP_ITEM_MUTED};
    assert_int_equal(skep_state_item_patch(s, env, id, &p, env, 5, &err), SKEP_OK);
    assert_int_equal(see("f", 100, "", 2).event, 0);
    p.set_mute = true;
    p.mute_until_total = 10;
    assert_int_equal(skep_state_item_patch(s, env, id, &p, env, 5, &err), SKEP_OK);
    assert_int_equal(see("f", 9, "", 3).event, 0);
    assert_int_equal(see("f", 1, "", 4).event, SKEP_ITEM_UNMUTED);
    p.mute_until_total = 0;
    p.mute_until_ns = 6000;
    assert_int_equal(skep_state_item_patch(s, env, id, &p, env, 5, &err), SKEP_OK);
    assert_int_equal(see("f", 1, "", 5).event, 0);
    assert_int_equal(see("f", 1, "", 6).event, SKEP_ITEM_UNMUTED);
}

static void test_versions(void **state)
{
    static const struct {
        const char *a, *b;
        bool before;
    } all[] = {{"1.9", "1.10", true},     {"1.10", "1.9", false},    {"1.0", "1.0", false},
               {"1.0", "1.0.1", true},    {"v2", "v10", true},       {"1.0-rc1", "1.0", true},
               {"1.0", "1.0-rc1", false}, {"3f9ab2c", "1.0", false}, {"abc", "abd", false},
               {"", "1", false},          {"7", "8", true}};
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++) {
        if (skep_version_before(skep_str_c(all[i].a), skep_str_c(all[i].b)) != all[i].before)
            fail_msg("%s before %s", all[i].a, all[i].b);
    }
}

static void test_merged(void **state)
{
    (void)state;
    int64_t a = see("a", 1, "", 1).id, b = see("b", 10, "", 2).id, c = see("c", 100, "", 3).id;
    assert_int_equal(skep_state_item_merge(s, env, a, b, env, 5, &err), SKEP_OK);
    assert_int_equal(get(b).total, 11);
    assert_int_equal(skep_state_item_merge(s, env, b, c, env, 5, &err), SKEP_OK);
    assert_int_equal(get(a).merged_into, c); /* one level deep */
    assert_int_equal(get(c).total, 111);
    struct skep_item_change seen = see("a", 5, "", 4);
    assert_int_equal(seen.id, c);
    assert_int_equal(get(c).total, 116);
    assert_int_equal(skep_state_item_merge(s, env, a, 0, env, 5, &err), SKEP_OK);
    assert_int_equal(get(c).total, 110);
    assert_int_equal(get(a).total, 6);
    assert_int_equal(see("a", 1, "", 5).id, a);
    assert_int_equal(skep_state_item_merge(s, env, c, c, env, 5, &err), SKEP_EINVAL);
    assert_int_equal(skep_state_item_merge(s, env, 999, c, env, 5, &err), SKEP_ENOTFOUND);
}

static size_t listed(const struct skep_item_query *q, uint64_t *all)
{
    struct skep_item *list;
    size_t n;
    assert_int_equal(skep_state_items(s, q, &arena, &list, &n, all, &err), SKEP_OK);
    return n;
}

static void test_list(void **state)
{
    uint64_t all;
    struct skep_item_query q = {.environment = env};
    (void)state;
    for (int i = 0; i < 30; i++) {
        char f[8];
        snprintf(f, sizeof f, "f%d", i);
        (void)see(f, (uint64_t)i + 1, "", (uint64_t)i + 1);
    }
    q.limit = 7;
    assert_int_equal(listed(&q, &all), 7);
    assert_int_equal(all, 30);
    q.offset = 28;
    assert_int_equal(listed(&q, &all), 2);
    q = (struct skep_item_query){.environment = env, .words = SKEP_STR("NO app.PY")};
    assert_int_equal(listed(&q, &all), 30);
    q.words = SKEP_STR("no nothing");
    assert_int_equal(listed(&q, &all), 0);
    patch_status(1, SKEP_ITEM_MUTED, "");
    q = (struct skep_item_query){.environment = env, .statuses = 1u << SKEP_ITEM_MUTED};
    assert_int_equal(listed(&q, &all), 1);
    q = (struct skep_item_query){.environment = env, .level_min = SKEP_ITEM_CRITICAL};
    assert_int_equal(listed(&q, &all), 0);
    q = (struct skep_item_query){.environment = env, .levels = 1u << 2 | 1u << 4};
    assert_int_equal(listed(&q, &all), 30);
    q.levels = 1u << 5;
    assert_int_equal(listed(&q, &all), 0);
    const skep_str stages[] = {SKEP_STR("a\"b"), SKEP_STR("production")};
    q = (struct skep_item_query){.environment = env, .stages = stages, .n_stages = 2};
    assert_int_equal(listed(&q, &all), 30);
    q.n_stages = 1;
    assert_int_equal(listed(&q, &all), 0);
    const int64_t ids[] = {3, 5, 999};
    q = (struct skep_item_query){.environment = env, .ids = ids, .n_ids = 3};
    assert_int_equal(listed(&q, &all), 2);
    assert_int_equal(all, 2);
    q = (struct skep_item_query){.environment = SKEP_STR("other")};
    assert_int_equal(listed(&q, &all), 0);
    q = (struct skep_item_query){.environment = env, .owner = SKEP_STR("-"), .first_to_ns = 100};
    assert_int_equal(listed(&q, &all), 0);
    q.first_to_ns = 101;
    assert_int_equal(listed(&q, &all), 30);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* By hand, letter by letter. */
static bool contains(const char *text, const char *part)
{
    for (size_t i = 0; text[i]; i++) {
        size_t k = 0;
        while (part[k] && lower(text[i + k]) == lower(part[k]))
            k++;
        if (!part[k])
            return true;
    }
    return false;
}

/* The index of words leaves out nothing that has them, over new items, other titles and dropped
 * ones: each question is also answered by hand. */
static void test_words(void **state)
{
    enum { N = 400 };
    static const char *const pieces[] = {"card",  "CARD refused", "caf\xc3\xa9", "\"quoted\"",
                                         "it's",  "a-b",          "x",           "10.0.0.1",
                                         "  two", "%_*"};
    static const char *const asked[] = {
        "car", "Card", "refus", "af\xc3\xa9", "\xc3\xa9", "\"quo", "d\" i",  "t's", "-b",
        "x",   "0.0.", "%_*",   "ard ref",    "none",     "AND",   "app.py", "shop"};
    static char titles[N][64];
    const skep_str where = SKEP_STR("words");
    struct skep_item_query q = {.environment = where, .limit = 5000};
    uint64_t all, x = 88172645463325252ull;
    (void)state;
    for (int i = 0; i < N; i++) {
        char f[8];
        struct skep_item_change c;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        snprintf(f, sizeof f, "w%d", i);
        snprintf(titles[i], sizeof titles[i], "%s %s %d", pieces[x % 10], pieces[(x >> 8) % 10], i);
        struct skep_item_sighting s1 = sighting(f, 1, "");
        s1.environment = where;
        s1.title = skep_str_c(titles[i]);
        s1.last_row = s1.first_row = (skep_row_id){(uint64_t)i + 1, 0};
        const struct skep_items_look look = {.sightings = &s1, .n = 1, .at = {(uint64_t)i + 1, 9}};
        assert_int_equal(skep_state_items_see(s, &look, 1000, &c, &err), SKEP_OK);
        if (i % 7 == 0) { /* somebody calls it otherwise */
            snprintf(titles[i], sizeof titles[i], "renamed %s", pieces[(x >> 16) % 10]);
            const struct skep_item_patch p = {.set_title = true, .title = skep_str_c(titles[i])};
            assert_int_equal(skep_state_item_patch(s, where, c.id, &p, SKEP_STR("ann"), 5, &err),
                             SKEP_OK);
        }
    }
    for (size_t a = 0; a < SKEP_ARRAY_LEN(asked); a++) {
        size_t expected = 0, titled = 0;
        for (int i = 0; i < N; i++) {
            bool in_title = contains(titles[i], asked[a]);
            titled += in_title;
            expected += in_title || contains("E app.py in total shop", asked[a]);
        }
        const skep_str value = skep_str_c(asked[a]);
        const struct skep_item_term terms[] = {
            {.column = SKEP_ITEM_WORDS, .values = &value, .n_values = 1},
            {.column = SKEP_ITEM_TITLE, .values = &value, .n_values = 1}};
        q.terms = &terms[0];
        q.n_terms = 1;
        assert_int_equal(listed(&q, &all), expected);
        assert_int_equal(all, expected);
        q.terms = &terms[1];
        assert_int_equal(listed(&q, &all), titled);
    }
    q.terms = NULL;
    q.n_terms = 0;
    q.words = SKEP_STR("car fus 1"); /* each somewhere */
    size_t expected = 0;
    for (int i = 0; i < N; i++)
        expected +=
            contains(titles[i], "car") && contains(titles[i], "fus") && contains(titles[i], "1");
    assert_in_range(expected, 1, N - 1);
    assert_int_equal(listed(&q, &all), expected);
    const struct skep_state_environment e = {.slug = where, .id = SKEP_STR("e1"), .name = where};
    assert_int_equal(skep_state_put_environment(s, &e, &err), SKEP_OK);
    assert_int_equal(skep_state_drop_environment(s, where, &err), SKEP_OK);
    assert_int_equal(listed(&q, &all), 0);
}

/* More different errors than are told apart: counted in one item, until old ones make room. */
static void test_bound(void **state)
{
    const skep_ts_ns day_ns = 86400 * 1000000000ll;
    struct skep_item_change c;
    struct skep_item i;
    char name[16];
    uint64_t n;
    (void)state;
    skep_state_close(s);
    items_limit = 10;
    open_state();
    items_limit = 0;
    for (unsigned k = 0; k < 14; k++) {
        snprintf(name, sizeof name, "f%u", k);
        c = see(name, 1, "", 1 + k);
        assert_int_equal(c.event, k < 10 || k == 10 ? SKEP_ITEM_NEW : 0);
    }
    assert_int_equal(
        skep_state_item_find(s, env, SKEP_STR("production"), SKEP_ITEMS_OVERFLOW, &arena, &i, &err),
        SKEP_OK);
    assert_int_equal(i.total, 4);
    assert_int_equal(see("f3", 1, "", 20).total, 2); /* who has an item keeps it */
    assert_int_equal(skep_state_items_number(s, env, &n, &err), SKEP_OK);
    assert_int_equal(n, 11); /* and the one of the others */
    /* A month later: what somebody owns stays, the others make room. */
    const struct skep_item_patch own = {.set_owner = true, .owner = SKEP_STR("ann")};
    assert_int_equal(skep_state_item_patch(s, env, 1, &own, SKEP_STR("ann"), 5, &err), SKEP_OK);
    struct skep_item_sighting x = sighting("late", 1, "");
    x.first_ns = x.last_ns = 40 * day_ns;
    x.first_row = x.last_row = (skep_row_id){30, 0};
    const struct skep_items_look look = {.sightings = &x, .n = 1, .at = {30, 0}};
    assert_int_equal(skep_state_items_see(s, &look, 40 * day_ns, &c, &err), SKEP_OK);
    assert_int_equal(c.event, SKEP_ITEM_NEW);
    assert_int_equal(skep_state_items_number(s, env, &n, &err), SKEP_OK);
    assert_int_equal(n, 2);
    assert_int_equal(get(1).total, 1);
}

static void test_history(void **state)
{
    struct skep_item_line *lines;
    size_t n;
    (void)state;
    int64_t id = see("f", 1, "", 1).id;
    patch_status(id, SKEP_ITEM_RESOLVED, "2.0");
    (void)see("f", 1, "2.1", 2);
    assert_int_equal(
        skep_state_item_comment(s, env, id, SKEP_STR("ann"), SKEP_STR("looks odd"), 9, &err),
        SKEP_OK);
    assert_int_equal(skep_state_item_comment(s, SKEP_STR("other"), id, env, env, 9, &err),
                     SKEP_ENOTFOUND);
    assert_int_equal(skep_state_item_history(s, id, &arena, &lines, &n, &err), SKEP_OK);
    static const char *const want[] = {"comment", "reactivated", "resolved in", "status", "new"};
    assert_int_equal(n, SKEP_ARRAY_LEN(want));
    for (size_t i = 0; i < n; i++)
        assert_true(skep_str_eq(lines[i].what, skep_str_c(want[i])));
    assert_true(skep_str_eq(lines[3].actor, SKEP_STR("ann")));
    assert_true(skep_str_eq(lines[3].after, SKEP_STR("resolved")));
}

static void test_deploys(void **state)
{
    struct skep_deploy d = {.environment = env,
                            .stage = SKEP_STR("production"),
                            .revision = SKEP_STR("3f9ab2c"),
                            .status = SKEP_STR("started"),
                            .start_ns = 10};
    struct skep_deploy *list;
    int64_t id;
    size_t n;
    (void)state;
    assert_int_equal(skep_state_deploy_put(s, &d, &id, &err), SKEP_OK);
    assert_int_equal(
        skep_state_deploy_set(s, env, id, SKEP_STR("succeeded"), SKEP_STR_NULL, 20, &err), SKEP_OK);
    assert_int_equal(
        skep_state_deploy_set(s, env, id + 1, SKEP_STR("failed"), SKEP_STR_NULL, 20, &err),
        SKEP_ENOTFOUND);
    assert_int_equal(skep_state_deploys(s, env, 0, SKEP_STR_NULL, 0, 0, &arena, &list, &n, &err),
                     SKEP_OK);
    assert_int_equal(n, 1);
    assert_true(skep_str_eq(list[0].status, SKEP_STR("succeeded")));
    assert_int_equal(list[0].finish_ns, 20);
    assert_int_equal(
        skep_state_deploys(s, env, 0, SKEP_STR("staging"), 0, 0, &arena, &list, &n, &err), SKEP_OK);
    assert_int_equal(n, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_new_and_again), TEST(test_reactivated), TEST(test_muted), TEST(test_versions),
        TEST(test_merged),        TEST(test_list),        TEST(test_words), TEST(test_bound),
        TEST(test_history),       TEST(test_deploys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

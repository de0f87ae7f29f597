// SPDX-License-Identifier: Apache-2.0
/* Objects in state: of one environment, found under their kind, unique by name in their scope,
 * bounded; watches and evaluations: written together, trimmed but for those nobody was told of,
 * gone with their environment. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "home.h"
#include "os/os.h"
#include "state/keys.h"
#include "state/objects.h"
#include "state/watches.h"

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

static skep_rc put(enum skep_object_kind kind, skep_str environment, const char *scope,
                   const char *name, const char *body, struct skep_object *ret)
{
    *ret = (struct skep_object){.environment = environment,
                                .scope = skep_str_c(scope),
                                .name = skep_str_c(name),
                                .body = skep_str_c(body)};
    return skep_state_put_object(state, kind, ret, &arena, &err);
}

static size_t count(enum skep_object_kind kind, const skep_str *environment, const char *scope)
{
    struct skep_object *list;
    size_t n = 0;
    skep_str s = skep_str_c(scope);
    assert_int_equal(
        skep_state_objects(state, kind, environment, scope ? &s : NULL, &arena, &list, &n, &err),
        SKEP_OK);
    return n;
}

static void test_objects(void **unused)
{
    struct skep_object a, b, got;
    skep_str here = HERE;
    (void)unused;
    assert_int_equal(put(SKEP_OBJECT_BOARD, HERE, "", "", "{\"x\":1}", &a), SKEP_OK);
    assert_int_equal(put(SKEP_OBJECT_BOARD, HERE, "", "", "{}", &b), SKEP_OK); /* no name: many */
    assert_int_equal(a.id.n, 11);
    assert_false(skep_str_eq(a.id, b.id));
    skep_state_close(state);
    open_state();
    assert_int_equal(skep_state_object(state, SKEP_OBJECT_BOARD, HERE, a.id, &arena, &got, &err),
                     SKEP_OK);
    assert_true(skep_str_eq(got.body, a.body));
    assert_int_equal(got.created_ns, a.created_ns);
    /* Not under another kind or environment. */
    assert_int_equal(skep_state_object(state, SKEP_OBJECT_SLO, HERE, a.id, &arena, &got, &err),
                     SKEP_ENOTFOUND);
    assert_int_equal(
        skep_state_object(state, SKEP_OBJECT_BOARD, SKEP_STR("prod"), a.id, &arena, &got, &err),
        SKEP_ENOTFOUND);
    a.body = SKEP_STR("{\"x\":2}");
    int64_t before = a.updated_ns;
    assert_int_equal(skep_state_set_object(state, SKEP_OBJECT_BOARD, &a, &err), SKEP_OK);
    assert_true(a.updated_ns > before);
    assert_int_equal(skep_state_object(state, SKEP_OBJECT_BOARD, HERE, a.id, &arena, &got, &err),
                     SKEP_OK);
    assert_true(skep_str_eq(got.body, a.body));
    assert_int_equal(got.created_ns, a.created_ns);
    assert_int_equal(count(SKEP_OBJECT_BOARD, &here, NULL), 2);
    assert_int_equal(skep_state_drop_object(state, SKEP_OBJECT_BOARD, HERE, a.id, &err), SKEP_OK);
    assert_int_equal(skep_state_drop_object(state, SKEP_OBJECT_BOARD, HERE, a.id, &err),
                     SKEP_ENOTFOUND);
    assert_int_equal(skep_state_set_object(state, SKEP_OBJECT_BOARD, &a, &err), SKEP_ENOTFOUND);
}

static void test_names(void **unused)
{
    struct skep_object a, b;
    (void)unused;
    assert_int_equal(put(SKEP_OBJECT_DERIVED_COLUMN, HERE, "shop", "sli", "{}", &a), SKEP_OK);
    assert_int_equal(put(SKEP_OBJECT_DERIVED_COLUMN, HERE, "shop", "sli", "{}", &b), SKEP_EEXISTS);
    assert_int_equal(put(SKEP_OBJECT_DERIVED_COLUMN, HERE, "db", "sli", "{}", &b), SKEP_OK);
    assert_int_equal(put(SKEP_OBJECT_DERIVED_COLUMN, SKEP_STR("prod"), "shop", "sli", "{}", &b),
                     SKEP_OK);
    assert_int_equal(put(SKEP_OBJECT_DERIVED_COLUMN, HERE, "shop", "other", "{}", &b), SKEP_OK);
    b.name = SKEP_STR("sli");
    assert_int_equal(skep_state_set_object(state, SKEP_OBJECT_DERIVED_COLUMN, &b, &err),
                     SKEP_EEXISTS);
    assert_int_equal(skep_state_set_object(state, SKEP_OBJECT_DERIVED_COLUMN, &a, &err), SKEP_OK);
    skep_str here = HERE;
    assert_int_equal(count(SKEP_OBJECT_DERIVED_COLUMN, &here, "shop"), 2);
    assert_int_equal(count(SKEP_OBJECT_DERIVED_COLUMN, &here, NULL), 3);
    assert_int_equal(count(SKEP_OBJECT_DERIVED_COLUMN, NULL, NULL), 4);
    assert_int_equal(
        skep_state_drop_objects(state, SKEP_OBJECT_DERIVED_COLUMN, HERE, SKEP_STR("shop"), &err),
        SKEP_OK);
    assert_int_equal(count(SKEP_OBJECT_DERIVED_COLUMN, NULL, NULL), 2);
}

static void test_bounds(void **unused)
{
    struct skep_object o;
    skep_str here = HERE;
    (void)unused;
    for (int i = 0; i < 60; i++) /* the oldest make room */
        assert_int_equal(put(SKEP_OBJECT_MAP_REQUEST, HERE, "", "", "{}", &o), SKEP_OK);
    assert_int_equal(count(SKEP_OBJECT_MAP_REQUEST, &here, NULL), 50);
    char *large = malloc(SKEP_OBJECT_BYTES + 2);
    memset(large, 'x', SKEP_OBJECT_BYTES + 1);
    large[SKEP_OBJECT_BYTES + 1] = '\0';
    assert_int_equal(put(SKEP_OBJECT_BOARD, HERE, "", "", large, &o), SKEP_ETOOLARGE);
    free(large);
}

/* All bodies of a kind together are bounded: a list holds them all. */
static void test_bytes(void **unused)
{
    enum { BODY = SKEP_OBJECT_BYTES - 1, FIT = SKEP_OBJECTS_BYTES / BODY };
    char *large = malloc(BODY + 1);
    struct skep_object o, last;
    skep_str here = HERE;
    (void)unused;
    memset(large, 'x', BODY);
    large[BODY] = '\0';
    for (int i = 0; i < FIT; i++)
        assert_int_equal(put(SKEP_OBJECT_BOARD, HERE, "", "", large, &last), SKEP_OK);
    assert_int_equal(put(SKEP_OBJECT_BOARD, HERE, "", "", large, &o), SKEP_ELIMIT);
    assert_int_equal(put(SKEP_OBJECT_BOARD, HERE, "", "", "{}", &o), SKEP_OK);
    assert_int_equal(skep_state_set_object(state, SKEP_OBJECT_BOARD, &last, &err), SKEP_OK);
    o.body = skep_str_c(large);
    assert_int_equal(skep_state_set_object(state, SKEP_OBJECT_BOARD, &o, &err), SKEP_ELIMIT);
    /* Neither another kind nor another environment has less for it; old markers make room. */
    assert_int_equal(put(SKEP_OBJECT_BOARD, SKEP_STR("prod"), "", "", large, &o), SKEP_OK);
    for (int i = 0; i < FIT + 3; i++)
        assert_int_equal(put(SKEP_OBJECT_MARKER, HERE, "", "", large, &o), SKEP_OK);
    assert_int_equal(count(SKEP_OBJECT_MARKER, &here, NULL), FIT);
    /* The oldest one that grows makes others go, not itself. */
    assert_int_equal(put(SKEP_OBJECT_MARKER, SKEP_STR("prod"), "", "", "{}", &o), SKEP_OK);
    for (int i = 0; i < FIT; i++)
        assert_int_equal(put(SKEP_OBJECT_MARKER, SKEP_STR("prod"), "", "", large, &last), SKEP_OK);
    o.body = skep_str_c(large);
    assert_int_equal(skep_state_set_object(state, SKEP_OBJECT_MARKER, &o, &err), SKEP_OK);
    assert_int_equal(
        skep_state_object(state, SKEP_OBJECT_MARKER, SKEP_STR("prod"), o.id, &arena, &last, &err),
        SKEP_OK);
    free(large);
}

static struct skep_evaluation note(const char *id, int64_t slot, bool told)
{
    const struct skep_watch_state w = {
        .environment = HERE, .id = skep_str_c(id), .slot_ns = slot, .streak = 1};
    struct skep_evaluation e = {.slot_ns = slot,
                                .has_value = true,
                                .value = 1.5,
                                .met = true,
                                .told = told,
                                .event = told ? SKEP_WATCH_NOTHING : SKEP_WATCH_FIRED,
                                .detail = SKEP_STR("{}")};
    assert_int_equal(skep_state_note_evaluation(state, &w, &e, &err), SKEP_OK);
    return e;
}

static void test_watches(void **unused)
{
    struct skep_evaluation e[8], first;
    struct skep_watch_state *w;
    size_t n;
    (void)unused;
    first = note("a", 10, false);
    (void)note("a", 20, true);
    (void)note("b", 20, true);
    skep_state_close(state);
    open_state();
    assert_int_equal(skep_state_watches(state, NULL, &arena, &w, &n, &err), SKEP_OK);
    assert_int_equal(n, 2);
    assert_int_equal(w[0].slot_ns, 20);
    assert_int_equal(w[0].streak, 1);
    assert_int_equal(skep_state_evaluations(state, HERE, SKEP_STR("a"), 0, &arena, e, 8, &n, &err),
                     SKEP_OK);
    assert_int_equal(n, 2);
    assert_int_equal(e[0].slot_ns, 20); /* newest first */
    assert_true(e[0].has_value && e[0].value == 1.5);
    assert_int_equal(
        skep_state_evaluations(state, HERE, SKEP_STR("a"), e[0].number, &arena, e, 8, &n, &err),
        SKEP_OK);
    assert_int_equal(n, 1);
    bool found = false;
    assert_int_equal(
        skep_state_evaluation_last(state, HERE, SKEP_STR("a"), &arena, &e[0], &found, &err),
        SKEP_OK);
    assert_true(found && e[0].slot_ns == 20 && e[0].value == 1.5 && e[0].detail.n == 0);
    assert_int_equal(
        skep_state_evaluation_last(state, HERE, SKEP_STR("c"), &arena, &e[0], &found, &err),
        SKEP_OK);
    assert_false(found);
    assert_int_equal(skep_state_evaluations_untold(state, &arena, e, 8, &n, &err), SKEP_OK);
    assert_int_equal(n, 1);
    assert_int_equal(e[0].number, first.number);
    assert_true(skep_str_eq(e[0].watch, SKEP_STR("a")));
    assert_int_equal(skep_state_evaluation_told(state, first.number, &err), SKEP_OK);
    assert_int_equal(skep_state_evaluations_untold(state, &arena, e, 8, &n, &err), SKEP_OK);
    assert_int_equal(n, 0);
    assert_int_equal(skep_state_drop_watch(state, HERE, SKEP_STR("a"), &err), SKEP_OK);
    assert_int_equal(skep_state_evaluations(state, HERE, SKEP_STR("a"), 0, &arena, e, 8, &n, &err),
                     SKEP_OK);
    assert_int_equal(n, 0);
}

static void test_trim(void **unused)
{
    static struct skep_evaluation e[SKEP_WATCH_EVALUATIONS_MAX + 20];
    size_t n;
    (void)unused;
    (void)note("a", 1, false);
    for (int i = 0; i < SKEP_WATCH_EVALUATIONS_MAX + 10; i++)
        (void)note("a", 2 + i, true);
    assert_int_equal(skep_state_evaluations(state, HERE, SKEP_STR("a"), 0, &arena, e,
                                            SKEP_WATCH_EVALUATIONS_MAX + 20, &n, &err),
                     SKEP_OK);
    assert_int_equal(n, SKEP_WATCH_EVALUATIONS_MAX + 1);
    assert_int_equal(e[n - 1].slot_ns, 1); /* not told: it stays */
}

static void test_environment(void **unused)
{
    const struct skep_state_environment made = {.id = SKEP_STR("hcxen_1"),
                                                .slug = SKEP_STR("prod"),
                                                .name = SKEP_STR("prod"),
                                                .description = SKEP_STR(""),
                                                .color = SKEP_STR("blue")};
    struct skep_object o;
    struct skep_watch_state w = {.environment = SKEP_STR("prod"), .id = SKEP_STR("a")};
    struct skep_evaluation e = {.detail = SKEP_STR("{}")};
    struct skep_watch_state *list;
    const struct skep_state_dataset shop = {
        .slug = SKEP_STR("shop"), .name = SKEP_STR("Shop"), .description = SKEP_STR("")};
    struct skep_state_dataset d, *datasets;
    struct skep_state_query query;
    skep_state_id id, other, result;
    struct skep_state_result r;
    size_t n;
    (void)unused;
    assert_int_equal(skep_state_put_environment(state, &made, &err), SKEP_OK);
    assert_int_equal(skep_state_put_dataset(state, SKEP_STR("prod"), &shop, &arena, &d, &err),
                     SKEP_OK);
    assert_int_equal(
        skep_state_put_query(state, SKEP_STR("prod"), SKEP_STR("shop"), SKEP_STR("{}"), &id, &err),
        SKEP_OK);
    assert_int_equal(
        skep_state_put_query(state, HERE, SKEP_STR("shop"), SKEP_STR("{}"), &other, &err), SKEP_OK);
    assert_int_equal(
        skep_state_new_result(state, skep_state_id_str(&id), SKEP_STR("{}"), &result, &err),
        SKEP_OK);
    assert_int_equal(put(SKEP_OBJECT_BOARD, SKEP_STR("prod"), "", "", "{}", &o), SKEP_OK);
    assert_int_equal(put(SKEP_OBJECT_BOARD, HERE, "", "", "{}", &o), SKEP_OK);
    assert_int_equal(skep_state_note_evaluation(state, &w, &e, &err), SKEP_OK);
    assert_int_equal(skep_state_drop_environment(state, SKEP_STR("prod"), &err), SKEP_OK);
    assert_int_equal(count(SKEP_OBJECT_BOARD, NULL, NULL), 1);
    assert_int_equal(skep_state_list_datasets(state, SKEP_STR("prod"), &arena, &datasets, &n, &err),
                     SKEP_OK);
    assert_int_equal(n, 0);
    assert_int_equal(
        skep_state_get_query(state, SKEP_STR("prod"), skep_state_id_str(&id), &arena, &query, &err),
        SKEP_ENOTFOUND);
    assert_int_equal(
        skep_state_get_query(state, HERE, skep_state_id_str(&other), &arena, &query, &err),
        SKEP_OK);
    assert_int_equal(skep_state_get_result(state, skep_state_id_str(&result), &arena, &r, &err),
                     SKEP_ENOTFOUND);
    assert_int_equal(skep_state_watches(state, NULL, &arena, &list, &n, &err), SKEP_OK);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_objects, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_watches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trim, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_environment, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/* The scheduler with a clock of the test's: slots and windows, what answers make of a watch, that
 * each thing is told once whatever crashes in between, over restarts, too. */
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/os.h"
#include "watch/watch.h"

#define S    INT64_C(1000000000)
#define HERE SKEP_STR("default")

static char dir[64], path[80];
static struct skep_os os;
static int64_t now;
static struct skep_state *state;
static struct skep_watch *watch;
static skep_err err;

/* What the world is. */
static struct {
    size_t n_rules;
    struct skep_watch_rule rules[3];
    bool met, broken, deaf, lost;
    bool drops; /* the question is asked while somebody deletes what asks it */
    unsigned asked;
    int64_t slots[64];
    unsigned n_told;
    struct {
        int64_t number;
        enum skep_watch_event event;
        char watch[8];
    } told[64];
} world;

static int64_t fake_now(const struct skep_os *o)
{
    (void)o;
    return now;
}

static skep_rc rules(void *ctx, struct skep_arena *arena, struct skep_watch_rule **ret,
                     size_t *ret_n, skep_err *e)
{
    (void)ctx;
    if (world.lost)
        return skep_fail(e, SKEP_EIO, "the rules are gone");
    *ret = skep_new_n(arena, struct skep_watch_rule, 3);
    memcpy(*ret, world.rules, sizeof world.rules);
    *ret_n = world.n_rules;
    return SKEP_OK;
}

static skep_rc ask(void *ctx, const struct skep_watch_ask *q, struct skep_watch_answer *ret,
                   skep_err *e)
{
    (void)ctx;
    world.slots[world.asked++ % 64] = q->slot_ns;
    if (world.broken)
        return skep_fail(e, SKEP_EIO, "the disk is on fire");
    if (world.drops) {
        for (size_t i = world.n_rules; i-- > 0;)
            assert_int_equal(
                skep_watch_drop(watch, world.rules[i].environment, world.rules[i].id, e), SKEP_OK);
        world.n_rules = 0;
    }
    *ret = (struct skep_watch_answer){
        .has_value = true, .value = 7, .met = world.met, .detail = SKEP_STR("{\"a\":1}")};
    return SKEP_OK;
}

/* As a receiver that recognises what it has seen. */
static skep_rc tell(void *ctx, const struct skep_evaluation *e, struct skep_arena *arena,
                    skep_err *error)
{
    (void)ctx;
    (void)arena;
    if (world.deaf)
        return skep_fail(error, SKEP_EIO, "no disk");
    for (unsigned i = 0; i < world.n_told; i++)
        if (world.told[i].number == e->number)
            return SKEP_OK;
    assert_true(world.n_told < 64);
    world.told[world.n_told].number = e->number;
    world.told[world.n_told].event = e->event;
    snprintf(world.told[world.n_told++].watch, 8, SKEP_STRFMT, SKEP_STRARG(e->watch));
    return SKEP_OK;
}

static void start(void)
{
    const struct skep_state_config cfg = {.os = &os, .path = path};
    assert_int_equal(skep_state_open(&cfg, &state, &err), SKEP_OK);
    const struct skep_watch_config w = {
        .os = &os, .state = state, .rules = rules, .ask = ask, .tell = tell};
    watch = skep_watch_new(&w);
}

static void stop(void)
{
    skep_watch_free(watch);
    skep_state_close(state);
}

static int set_up(void **unused)
{
    (void)unused;
    snprintf(dir, sizeof dir, "/tmp/skep-test-watch-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/state.db", dir);
    os = *skep_os_real();
    os.now_ns = fake_now;
    memset(&world, 0, sizeof world);
    now = 1000 * 60 * S;
    world.n_rules = 1;
    world.rules[0] = (struct skep_watch_rule){.environment = HERE,
                                              .id = SKEP_STR("a"),
                                              .every_ns = 60 * S,
                                              .limit = 1,
                                              .created_ns = now - 1};
    start();
    return 0;
}

static int tear_down(void **unused)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[96];
    (void)unused;
    stop();
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
    rmdir(dir);
    return 0;
}

/* --- the pure parts --- */

static void test_slots(void **unused)
{
    const struct skep_watch_rule r = {.every_ns = 60 * S};
    (void)unused;
    assert_int_equal(skep_watch_next(&r, 0), 60 * S);
    assert_int_equal(skep_watch_next(&r, 59 * S), 60 * S);
    assert_int_equal(skep_watch_next(&r, 60 * S), 120 * S);
    assert_int_equal(skep_watch_due(&r, 0, 59 * S), 0);
    assert_int_equal(skep_watch_due(&r, 0, 60 * S), 60 * S);
    assert_int_equal(skep_watch_due(&r, 60 * S, 119 * S), 0);
    assert_int_equal(skep_watch_due(&r, 60 * S, 400 * S), 360 * S); /* the last, not all */
    /* The clock was set back: a little waits, much does not. */
    assert_int_equal(skep_watch_due(&r, 430 * S, 400 * S), 0);
    assert_int_equal(skep_watch_due(&r, 460 * S, 400 * S), 0);
    assert_int_equal(skep_watch_due(&r, 461 * S, 400 * S), 360 * S);
    assert_int_equal(skep_watch_due(&r, INT64_MAX, 400 * S), 360 * S);
}

static int64_t at(int day, int hour, int minute) /* of 1970: the 1st was a Thursday */
{
    return ((int64_t)(day - 1) * 86400 + hour * 3600 + minute * 60) * S;
}

static void test_windows(void **unused)
{
    const struct skep_watch_window office = {
        .days = 1u << 1 | 1u << 5, .start_min = 540, .end_min = 1020}; /* Monday, Friday 9 to 17 */
    const struct skep_watch_window night = {.days = 1u << 5, .start_min = 1320, .end_min = 360};
    const struct skep_watch_window day = {.days = 1u << 6, .start_min = 0, .end_min = 0};
    const struct skep_watch_window always = {.days = 0};
    (void)unused;
    assert_true(skep_watch_in_window(&always, at(1, 3, 0)));
    assert_false(skep_watch_in_window(&office, at(1, 10, 0))); /* Thursday */
    assert_true(skep_watch_in_window(&office, at(2, 9, 0)));   /* Friday */
    assert_true(skep_watch_in_window(&office, at(2, 16, 59)));
    assert_false(skep_watch_in_window(&office, at(2, 17, 0)));
    assert_false(skep_watch_in_window(&office, at(2, 8, 59)));
    assert_true(skep_watch_in_window(&office, at(5, 12, 0))); /* Monday */
    /* Friday 22:00 to Saturday 6:00 */
    assert_false(skep_watch_in_window(&night, at(2, 21, 59)));
    assert_true(skep_watch_in_window(&night, at(2, 22, 0)));
    assert_true(skep_watch_in_window(&night, at(3, 5, 59)));
    assert_false(skep_watch_in_window(&night, at(3, 6, 0)));
    assert_false(skep_watch_in_window(&night, at(2, 5, 0))); /* Thursday's night is not meant */
    assert_false(skep_watch_in_window(&night, at(3, 22, 30)));
    /* From midnight to the same: all day */
    assert_true(skep_watch_in_window(&day, at(3, 0, 0)));
    assert_true(skep_watch_in_window(&day, at(3, 23, 59)));
    assert_false(skep_watch_in_window(&day, at(4, 0, 0)));
}

static void test_steps(void **unused)
{
    static const struct {
        bool met;
        enum skep_watch_event change, each;
    } script[] = {
        {false, SKEP_WATCH_NOTHING, SKEP_WATCH_NOTHING},
        {true, SKEP_WATCH_NOTHING, SKEP_WATCH_NOTHING}, /* one of two */
        {false, SKEP_WATCH_NOTHING, SKEP_WATCH_NOTHING},
        {true, SKEP_WATCH_NOTHING, SKEP_WATCH_NOTHING},
        {true, SKEP_WATCH_FIRED, SKEP_WATCH_FIRED},
        {true, SKEP_WATCH_NOTHING, SKEP_WATCH_AGAIN},
        {false, SKEP_WATCH_RESOLVED, SKEP_WATCH_RESOLVED},
        {false, SKEP_WATCH_NOTHING, SKEP_WATCH_NOTHING},
    };
    (void)unused;
    for (int each = 0; each < 2; each++) {
        const struct skep_watch_rule r = {.every_ns = 60 * S, .limit = 2, .each_time = each};
        struct skep_watch_state s = {.slot_ns = 0};
        for (size_t i = 0; i < SKEP_ARRAY_LEN(script); i++) {
            struct skep_evaluation e = {.number = 0};
            skep_watch_step(&r, script[i].met, (int64_t)i * 60 * S, &s, &e);
            assert_int_equal(e.event, each ? script[i].each : script[i].change);
            assert_int_equal(e.told, e.event == SKEP_WATCH_NOTHING);
            assert_int_equal(e.triggered, s.triggered);
            assert_int_equal(s.slot_ns, (int64_t)i * 60 * S);
        }
        assert_int_equal(s.triggered_ns, 4 * 60 * S);
    }
}

/* --- the whole --- */

static void expect_told(unsigned n, enum skep_watch_event last)
{
    assert_int_equal(world.n_told, n);
    if (n)
        assert_int_equal(world.told[n - 1].event, last);
}

static void test_life(void **unused)
{
    (void)unused;
    world.met = true;
    assert_int_equal(skep_watch_look(watch), now + 60 * S);
    assert_int_equal(world.asked, 1);
    assert_int_equal(world.slots[0], now); /* the slot, not the instant of the look */
    expect_told(1, SKEP_WATCH_FIRED);
    (void)skep_watch_look(watch); /* nothing is due */
    assert_int_equal(world.asked, 1);
    now += 61 * S;
    (void)skep_watch_look(watch);
    assert_int_equal(world.asked, 2);
    assert_int_equal(world.slots[1] % (60 * S), 0);
    expect_told(1, SKEP_WATCH_FIRED); /* on change alone */
    now += 60 * S;
    world.met = false;
    (void)skep_watch_look(watch);
    expect_told(2, SKEP_WATCH_RESOLVED);
}

static void test_restart(void **unused)
{
    (void)unused;
    world.met = true;
    (void)skep_watch_look(watch);
    expect_told(1, SKEP_WATCH_FIRED);
    stop();
    start();
    (void)skep_watch_look(watch); /* the slot was used before */
    assert_int_equal(world.asked, 1);
    now += 3600 * S; /* an hour away: one evaluation, and it is still triggered */
    stop();
    start();
    (void)skep_watch_look(watch);
    assert_int_equal(world.asked, 2);
    expect_told(1, SKEP_WATCH_FIRED);
    world.met = false;
    now += 60 * S;
    (void)skep_watch_look(watch);
    expect_told(2, SKEP_WATCH_RESOLVED);
}

/* Told after the crash that came between the evaluation and the telling, and only once. */
static void test_crash_before_telling(void **unused)
{
    (void)unused;
    world.met = true;
    world.deaf = true;
    (void)skep_watch_look(watch);
    expect_told(0, SKEP_WATCH_NOTHING);
    stop();
    start();
    world.deaf = false;
    (void)skep_watch_look(watch);
    assert_int_equal(world.asked, 1);
    expect_told(1, SKEP_WATCH_FIRED);
    (void)skep_watch_look(watch);
    expect_told(1, SKEP_WATCH_FIRED);
}

static void test_errors_decide_nothing(void **unused)
{
    struct skep_arena arena;
    struct skep_evaluation e[4];
    size_t n;
    (void)unused;
    world.met = true;
    (void)skep_watch_look(watch);
    world.broken = true;
    now += 60 * S;
    (void)skep_watch_look(watch);
    expect_told(1, SKEP_WATCH_FIRED); /* neither resolved nor again */
    skep_arena_init(&arena, "test", NULL);
    assert_int_equal(skep_state_evaluations(state, HERE, SKEP_STR("a"), 0, &arena, e, 4, &n, &err),
                     SKEP_OK);
    assert_int_equal(n, 2);
    assert_true(skep_str_eq(e[0].error, SKEP_STR("the disk is on fire")));
    assert_true(e[0].triggered && !e[0].has_value);
    assert_true(skep_str_eq(e[1].detail, SKEP_STR("{\"a\":1}")));
    skep_arena_done(&arena);
    world.broken = world.met = false;
    now += 60 * S;
    (void)skep_watch_look(watch);
    expect_told(2, SKEP_WATCH_RESOLVED);
}

static void test_rules_change(void **unused)
{
    (void)unused;
    world.met = true;
    (void)skep_watch_look(watch);
    world.rules[1] = (struct skep_watch_rule){.environment = SKEP_STR("prod"),
                                              .id = SKEP_STR("a"), /* the same id elsewhere */
                                              .every_ns = 120 * S,
                                              .limit = 1,
                                              .created_ns = now};
    world.n_rules = 2;
    (void)skep_watch_look(watch); /* not told of it yet */
    skep_watch_changed(watch);
    (void)skep_watch_look(watch);
    assert_int_equal(world.asked, 1); /* no slot of it since it was made */
    now += 120 * S;
    (void)skep_watch_look(watch);
    assert_int_equal(world.asked, 3);
    expect_told(2, SKEP_WATCH_FIRED);
    world.n_rules = 1;
    assert_int_equal(skep_watch_drop(watch, SKEP_STR("prod"), SKEP_STR("a"), &err), SKEP_OK);
    now += 120 * S;
    (void)skep_watch_look(watch);
    assert_int_equal(world.asked, 4);
    world.n_rules = 0;
    skep_watch_changed(watch);
    assert_int_equal(skep_watch_look(watch), INT64_MAX);
}

/* Who deletes what is being asked does not wait for the answer, and nothing of it stays or is told;
 * of those that are to be asked in the same round neither. */
static void test_dropped_while_asked(void **unused)
{
    struct skep_arena arena;
    struct skep_watch_state *all;
    struct skep_evaluation e;
    size_t n = 1;
    (void)unused;
    skep_arena_init(&arena, "test", NULL);
    world.met = world.drops = true;
    world.rules[1] = world.rules[0];
    world.rules[1].id = SKEP_STR("b");
    world.n_rules = 2;
    (void)skep_watch_look(watch);
    assert_int_equal(world.asked, 1);
    assert_int_equal(skep_state_watches(state, NULL, &arena, &all, &n, &err), SKEP_OK);
    assert_int_equal(n, 0);
    assert_int_equal(skep_state_evaluations(state, HERE, SKEP_STR("a"), 0, &arena, &e, 1, &n, &err),
                     SKEP_OK);
    assert_int_equal(n, 0);
    assert_int_equal(world.n_told, 0);
    assert_int_equal(skep_watch_look(watch), INT64_MAX);

    world.n_rules = 1; /* by who evaluates at once */
    skep_watch_changed(watch);
    assert_int_equal(skep_watch_evaluate(watch, HERE, SKEP_STR("a"), &arena, &e, &err),
                     SKEP_ENOTFOUND);
    assert_int_equal(skep_state_watches(state, NULL, &arena, &all, &n, &err), SKEP_OK);
    assert_int_equal(n, 0);

    world.drops = false; /* another of the same id: it is new */
    world.n_rules = 1;
    skep_watch_changed(watch);
    (void)skep_watch_look(watch);
    expect_told(1, SKEP_WATCH_FIRED);
    skep_arena_done(&arena);
}

/* More than are remembered: they wait, and go. */
static void test_many_dropped(void **unused)
{
    char id[16];
    (void)unused;
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "x%d", i);
        assert_int_equal(skep_watch_drop(watch, HERE, skep_str_c(id), &err), SKEP_OK);
    }
    world.met = true;
    (void)skep_watch_look(watch);
    expect_told(1, SKEP_WATCH_FIRED);
}

/* A clock that ran a year ahead and was put right: who watches goes on, once a slot. */
static void test_clock_set_back(void **unused)
{
    (void)unused;
    int64_t right = now;
    now += 365 * 86400 * S;
    (void)skep_watch_look(watch);
    assert_int_equal(world.asked, 1);
    now = right;
    world.met = true;
    (void)skep_watch_look(watch);
    assert_int_equal(world.asked, 2);
    assert_int_equal(world.slots[1], right);
    expect_told(1, SKEP_WATCH_FIRED);
    (void)skep_watch_look(watch); /* the slot is used */
    assert_int_equal(world.asked, 2);
    now += 60 * S;
    world.broken = true;
    (void)skep_watch_look(watch);
    assert_int_equal(world.asked, 3);
    stop();
    start();
    (void)skep_watch_look(watch);
    assert_int_equal(world.asked, 3);
}

/* Rules that cannot be read are asked for again after a while, not at once: no busy loop. */
static void test_rules_lost(void **unused)
{
    (void)unused;
    world.lost = true;
    int64_t next = skep_watch_look(watch);
    assert_true(next > now && next <= now + 60 * S);
    assert_int_equal(world.asked, 0);
    world.lost = false;
    now = next;
    assert_true(skep_watch_look(watch) > now); /* and without being told that they changed */
    assert_int_equal(world.asked, 1);
}

static void test_evaluate_now(void **unused)
{
    struct skep_arena arena;
    struct skep_evaluation e;
    (void)unused;
    skep_arena_init(&arena, "test", NULL);
    now += 7 * S; /* not at a slot */
    world.met = true;
    assert_int_equal(skep_watch_evaluate(watch, HERE, SKEP_STR("a"), &arena, &e, &err), SKEP_OK);
    assert_int_equal(e.slot_ns, now);
    assert_int_equal(e.event, SKEP_WATCH_FIRED);
    expect_told(1, SKEP_WATCH_FIRED);
    (void)skep_watch_look(watch); /* the slot before it is past */
    assert_int_equal(world.asked, 1);
    assert_int_equal(skep_watch_evaluate(watch, HERE, SKEP_STR("nope"), &arena, &e, &err),
                     SKEP_ENOTFOUND);
    skep_arena_done(&arena);
}

static void test_thread(void **unused)
{
    (void)unused;
    world.met = true;
    skep_watch_start(watch);
    skep_watch_changed(watch);
    skep_watch_stop(watch); /* whatever it is at */
    skep_watch_stop(watch);
    skep_watch_free(watch);
    const struct skep_watch_config w = {
        .os = &os, .state = state, .rules = rules, .ask = ask, .tell = tell};
    watch = skep_watch_new(&w);
    (void)skep_watch_look(watch);
    expect_told(1, SKEP_WATCH_FIRED);
    assert_int_equal(world.asked, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_steps),
        cmocka_unit_test_setup_teardown(test_life, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crash_before_telling, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_errors_decide_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rules_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dropped_while_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_clock_set_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rules_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_evaluate_now, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_thread, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

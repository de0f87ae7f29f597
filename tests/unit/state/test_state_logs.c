// SPDX-License-Identifier: Apache-2.0
/* Log groups, streams, items and tags in state: over a restart, while puts are under way, and as
 * places are made free and used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/os.h"
#include "os/thread.h"
#include "state/logs.h"

static const skep_str env = SKEP_STR_INIT("default");

/* Closed and opened again by tests: cmocka gives each test the one that the group began with. */
static struct skep_state *open_now;

static char path[] = "/tmp/skep-logs-XXXXXX/state.db";

static struct skep_state *open_state(void)
{
    struct skep_state *s = NULL;
    skep_err err = {.text = ""};
    const struct skep_state_config cfg = {.os = skep_os_real(), .path = path};
    if (skep_state_open(&cfg, &s, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    return s;
}

static int setup(void **state)
{
    char *slash = strrchr(path, '/');
    *slash = '\0';
    if (!mkdtemp(path))
        return -1;
    *slash = '/';
    (void)state;
    open_now = open_state();
    return 0;
}

static int teardown(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[80];
    (void)state;
    skep_state_close(open_now);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        (void)unlink(name);
    }
    *strrchr(path, '/') = '\0';
    return rmdir(path);
}

static skep_rc make_group(struct skep_state *s, const char *name)
{
    skep_err err;
    const struct skep_state_log_group g = {.name = skep_str_c(name)};
    return skep_state_log_group_create(s, env, &g, NULL, 0, &err);
}

static skep_rc make_stream(struct skep_state *s, const char *group, const char *name)
{
    skep_err err;
    return skep_state_log_stream_create(s, env, skep_str_c(group), skep_str_c(name), &err);
}

static size_t count_streams(struct skep_state *s, const char *group)
{
    struct skep_arena a;
    struct skep_state_log_stream *list;
    size_t n;
    skep_arena_init(&a, "test", NULL);
    skep_state_log_streams(s, env, skep_str_c(group), SKEP_STR_NULL, &a, &list, &n);
    skep_arena_done(&a);
    return n;
}

static void drop(struct skep_state *s, const char *group, const char *stream)
{
    skep_err err;
    assert_int_equal(skep_state_log_drop_begin(s, env, skep_str_c(group), skep_str_c(stream)),
                     SKEP_OK);
    assert_int_equal(
        skep_state_log_drop_end(s, env, skep_str_c(group), skep_str_c(stream), true, &err),
        SKEP_OK);
}

static void test_kept(void **state)
{
    struct skep_state *s = open_now;
    (void)state;
    skep_err err;
    struct skep_state_log_group g = {.name = SKEP_STR("kept"), .retention_days = 7};
    assert_int_equal(make_group(s, "kept"), SKEP_OK);
    assert_int_equal(make_group(s, "kept"), SKEP_EEXISTS);
    assert_int_equal(skep_state_log_group_set(s, env, &g, &err), SKEP_OK);
    assert_int_equal(make_stream(s, "kept", "a"), SKEP_OK);
    assert_int_equal(make_stream(s, "kept", "a"), SKEP_EEXISTS);
    assert_int_equal(make_stream(s, "none", "a"), SKEP_ENOTFOUND);
    skep_state_close(s);
    open_now = s = open_state();
    assert_true(skep_state_log_group_get(s, env, SKEP_STR("kept"), &g));
    assert_int_equal(g.retention_days, 7);
    assert_int_equal(count_streams(s, "kept"), 1);
    assert_false(skep_state_log_group_get(s, SKEP_STR("other"), SKEP_STR("kept"), &g));
}

static void test_puts(void **state)
{
    struct skep_state *s = open_now;
    (void)state;
    struct skep_state_log_hold hold;
    assert_int_equal(make_group(s, "put"), SKEP_OK);
    assert_int_equal(make_stream(s, "put", "s"), SKEP_OK);
    const skep_str g = SKEP_STR("put"), st = SKEP_STR("s");
    assert_int_equal(skep_state_log_put_begin(s, env, SKEP_STR("no"), st, &hold),
                     SKEP_STATE_LOG_NO_GROUP);
    assert_int_equal(skep_state_log_put_begin(s, env, g, SKEP_STR("no"), &hold),
                     SKEP_STATE_LOG_NO_STREAM);
    assert_int_equal(skep_state_log_put_begin(s, env, g, st, &hold), SKEP_STATE_LOG_FOUND);
    skep_state_log_put_end(s, &hold);
    assert_int_equal(skep_state_log_drop_begin(s, env, g, SKEP_STR_NULL), SKEP_OK);
    assert_int_equal(skep_state_log_put_begin(s, env, g, st, &hold), SKEP_STATE_LOG_NO_GROUP);
    assert_int_equal(skep_state_log_drop_begin(s, env, g, SKEP_STR_NULL), SKEP_EAGAIN);
    assert_int_equal(make_group(s, "put"), SKEP_EAGAIN);
    skep_err err;
    assert_int_equal(skep_state_log_drop_end(s, env, g, SKEP_STR_NULL, false, &err), SKEP_OK);
    assert_int_equal(skep_state_log_put_begin(s, env, g, st, &hold), SKEP_STATE_LOG_FOUND);
    skep_state_log_put_end(s, &hold);
}

struct waiter {
    struct skep_state *s;
    _Atomic bool dropped;
};

static void drop_in_thread(void *arg)
{
    struct waiter *w = arg;
    drop(w->s, "busy", "");
    w->dropped = true;
}

/* A delete waits for puts that are under way. */
static void test_waits(void **state)
{
    struct waiter w = {.s = open_now};
    (void)state;
    struct skep_state_log_hold hold;
    skep_thread t;
    assert_int_equal(make_group(w.s, "busy"), SKEP_OK);
    assert_int_equal(make_stream(w.s, "busy", "s"), SKEP_OK);
    assert_int_equal(skep_state_log_put_begin(w.s, env, SKEP_STR("busy"), SKEP_STR("s"), &hold),
                     SKEP_STATE_LOG_FOUND);
    skep_thread_start(&t, "drop", drop_in_thread, &w);
    struct skep_state_log_hold other;
    while (skep_state_log_put_begin(w.s, env, SKEP_STR("busy"), SKEP_STR("s"), &other) ==
           SKEP_STATE_LOG_FOUND)
        skep_state_log_put_end(w.s, &other); /* until the other thread has begun */
    assert_false(w.dropped);
    skep_state_log_put_end(w.s, &hold);
    skep_thread_join(&t);
    assert_true(w.dropped);
    struct skep_state_log_group g;
    assert_false(skep_state_log_group_get(w.s, env, SKEP_STR("busy"), &g));
}

/* Random makes and drops against a table that is obviously right. */
static void test_model(void **state)
{
    enum { GROUPS = 6, STREAMS = 40, STEPS = 3000 };
    struct skep_state *s = open_now;
    (void)state;
    static bool there[GROUPS], has[GROUPS][STREAMS];
    unsigned seed = 7;
    char group[16], stream[16];
    for (int step = 0; step < STEPS; step++) {
        int g = rand_r(&seed) % GROUPS, k = rand_r(&seed) % STREAMS, what = rand_r(&seed) % 100;
        (void)snprintf(group, sizeof group, "m%d", g);
        (void)snprintf(stream, sizeof stream, "s%d", k);
        if (what < 3 && there[g]) {
            drop(s, group, "");
            there[g] = false;
            memset(has[g], 0, sizeof has[g]);
        } else if (what < 50) {
            if (!there[g]) {
                assert_int_equal(make_group(s, group), SKEP_OK);
                there[g] = true;
            }
            assert_int_equal(make_stream(s, group, stream), has[g][k] ? SKEP_EEXISTS : SKEP_OK);
            has[g][k] = true;
        } else if (has[g][k]) {
            drop(s, group, stream);
            has[g][k] = false;
        } else {
            assert_int_equal(
                skep_state_log_drop_begin(s, env, skep_str_c(group), skep_str_c(stream)),
                SKEP_ENOTFOUND);
        }
        size_t n = 0;
        for (int i = 0; i < STREAMS; i++)
            n += has[g][i];
        assert_int_equal(count_streams(s, group), n);
        assert_true(skep_state_log_stream_there(s, env, skep_str_c(group), skep_str_c(stream)) ==
                    has[g][k]);
    }
    skep_state_close(s);
    open_now = s = open_state();
    for (int g = 0; g < GROUPS; g++) {
        size_t n = 0;
        for (int i = 0; i < STREAMS; i++)
            n += has[g][i];
        (void)snprintf(group, sizeof group, "m%d", g);
        assert_int_equal(count_streams(s, group), n);
    }
}

static void test_items(void **state)
{
    struct skep_state *s = open_now;
    (void)state;
    skep_err err;
    struct skep_arena a;
    struct skep_state_log_item *list, one;
    size_t n;
    skep_arena_init(&a, "test", NULL);
    for (int i = 0; i < 3; i++) {
        struct skep_state_log_item item = {.group = SKEP_STR("g"),
                                           .name = skep_arena_printf(&a, "f%d", i),
                                           .body = SKEP_STR("{}"),
                                           .at_seq = 7};
        assert_int_equal(
            skep_state_log_item_put(s, env, SKEP_STATE_LOG_SUBSCRIPTION_FILTER, &item, &err),
            i < 2 ? SKEP_OK : SKEP_ELIMIT);
    }
    uint64_t version = skep_state_log_items_version(s);
    assert_int_equal(skep_state_log_item(s, env, SKEP_STATE_LOG_SUBSCRIPTION_FILTER, SKEP_STR("g"),
                                         SKEP_STR("f1"), &a, &one, &err),
                     SKEP_OK);
    one.at_seq = 9;
    assert_int_equal(skep_state_log_item_move(s, SKEP_STATE_LOG_SUBSCRIPTION_FILTER, &one, &err),
                     SKEP_OK);
    one.at_seq = 11; /* another one of the name: not moved */
    one.created_ns++;
    assert_int_equal(skep_state_log_item_move(s, SKEP_STATE_LOG_SUBSCRIPTION_FILTER, &one, &err),
                     SKEP_OK);
    assert_int_equal(
        skep_state_log_items_all(s, SKEP_STATE_LOG_SUBSCRIPTION_FILTER, &a, &list, &n, &err),
        SKEP_OK);
    assert_int_equal(n, 2);
    assert_int_equal(list[0].at_seq + list[1].at_seq, 16);
    assert_true(skep_str_eq(list[0].environment, env));
    assert_int_equal(skep_state_log_item_drop(s, env, SKEP_STATE_LOG_SUBSCRIPTION_FILTER,
                                              SKEP_STR("g"), SKEP_STR("f1"), &err),
                     SKEP_OK);
    assert_int_equal(skep_state_log_item_drop(s, env, SKEP_STATE_LOG_SUBSCRIPTION_FILTER,
                                              SKEP_STR("g"), SKEP_STR("f1"), &err),
                     SKEP_ENOTFOUND);
    assert_true(skep_state_log_items_version(s) != version);
    skep_arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),  cmocka_unit_test(test_puts),  cmocka_unit_test(test_waits),
        cmocka_unit_test(test_model), cmocka_unit_test(test_items),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

// SPDX-License-Identifier: Apache-2.0
/* Runs: what is put comes back behind a restart, lists in their order and narrowed, the limits of
 * number, bytes and age, what is kept against them, whose environment sees it. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "home.h"
#include "os/os.h"
#include "state/keys.h"
#include "state/runs.h"

#define HERE SKEP_STR("default")

enum { LIMIT = 30 };
static const uint64_t limit_bytes = 3000;
static const int64_t day_ns = 86400ll * 1000000000;

static struct skep_state *state;
static skep_err err;

static void open_state(void)
{
    const struct skep_state_config cfg = {
        .os = skep_os_real(), .path = path, .runs_limit = LIMIT, .runs_limit_bytes = limit_bytes};
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

/* A run of `who` at day `day`, with an answer of n bytes. */
static skep_state_id put(skep_str environment, const char *who, const char *question, int day,
                         size_t n)
{
    static const uint8_t answer[4096] = {1, 2, 3};
    skep_state_id id;
    const struct skep_run r = {.environment = environment,
                               .owner = skep_str_c(who),
                               .actor = skep_str_c(who),
                               .question = skep_str_c(question),
                               .path = SKEP_STR("/ui/query?c=COUNT"),
                               .same = strlen(question),
                               .created_ns = day * day_ns,
                               .elapsed_ns = 5,
                               .rows_examined = 9,
                               .answer = {answer, n}};
    assert_int_equal(skep_state_run_put(state, &r, &id, &err), SKEP_OK);
    return id;
}

static size_t count(struct skep_run_list which, struct skep_run **ret)
{
    struct skep_run *runs = NULL;
    size_t n = 0;
    which.environment = which.environment.n ? which.environment : HERE;
    which.limit = which.limit ? which.limit : 1000;
    assert_int_equal(skep_state_runs(state, &which, &arena, &runs, &n, &err), SKEP_OK);
    if (ret)
        *ret = runs;
    return n;
}

static skep_rc get(skep_state_id id, struct skep_run *ret)
{
    return skep_state_run_get(state, HERE, skep_state_id_str(&id), &arena, ret, &err);
}

static skep_rc keep(skep_state_id id, const char *name, bool starred)
{
    return skep_state_run_set(state, HERE, skep_state_id_str(&id), skep_str_c(name), starred, &err);
}

static void test_comes_back(void **unused)
{
    struct skep_run r;
    (void)unused;
    skep_state_id id = put(HERE, "ann", "{\"a\":1}", 1, 100);
    skep_state_close(state);
    open_state();
    assert_int_equal(get(id, &r), SKEP_OK);
    assert_true(skep_str_eq(r.question, SKEP_STR("{\"a\":1}")));
    assert_true(skep_str_eq(r.actor, SKEP_STR("ann")));
    assert_int_equal(r.answer.n, 100);
    assert_int_equal(r.answer.p[2], 3);
    assert_int_equal(r.created_ns, day_ns);
    assert_false(r.starred);
    assert_int_equal(keep(id, "slow ones", true), SKEP_OK);
    assert_int_equal(get(id, &r), SKEP_OK);
    assert_true(r.starred && skep_str_eq(r.name, SKEP_STR("slow ones")));
    assert_int_equal(skep_state_run_drop(state, HERE, skep_state_id_str(&id), &err), SKEP_OK);
    assert_int_equal(skep_state_run_drop(state, HERE, skep_state_id_str(&id), &err),
                     SKEP_ENOTFOUND);
    assert_int_equal(get(id, &r), SKEP_ENOTFOUND);
    assert_int_equal(keep(id, "x", false), SKEP_ENOTFOUND);
}

static void test_lists(void **unused)
{
    struct skep_run *runs;
    const skep_str ann = SKEP_STR("ann");
    const skep_str words[] = {SKEP_STR("COUNT"), SKEP_STR("bob")};
    (void)unused;
    skep_state_id first = put(HERE, "ann", "count", 1, 1);
    put(HERE, "bob", "count", 2, 1);
    skep_state_id third = put(HERE, "ann", "heatmap", 3, 1);
    put(SKEP_STR("other"), "ann", "count", 4, 1);
    assert_int_equal(count((struct skep_run_list){.limit = 0}, &runs), 3);
    assert_true(skep_str_eq(runs[0].question, SKEP_STR("heatmap")));
    assert_int_equal(count((struct skep_run_list){.owner = &ann}, NULL), 2);
    assert_int_equal(count((struct skep_run_list){.words = words, .n_words = 1}, NULL), 2);
    assert_int_equal(count((struct skep_run_list){.words = words, .n_words = 2}, NULL), 1);
    assert_int_equal(count((struct skep_run_list){.kept = true}, NULL), 0);
    assert_int_equal(keep(third, "the map", false), SKEP_OK);
    assert_int_equal(count((struct skep_run_list){.kept = true}, NULL), 1);
    /* Pages, and of equal questions the newest alone, on whichever page it is. */
    assert_int_equal(count((struct skep_run_list){.limit = 1}, &runs), 1);
    assert_int_equal(count((struct skep_run_list){.before = runs[0].number}, &runs), 2);
    assert_int_equal(count((struct skep_run_list){.once = true}, &runs), 2);
    assert_int_equal(runs[1].times, 2);
    struct skep_run *with_kept;
    assert_int_equal(keep(first, "the first", false), SKEP_OK); /* it stands for itself */
    assert_int_equal(count((struct skep_run_list){.once = true}, &with_kept), 3);
    assert_true(skep_str_eq(with_kept[2].name, SKEP_STR("the first")));
    assert_int_equal(with_kept[1].times, 1);
    assert_int_equal(keep(first, "", false), SKEP_OK);
    assert_true(skep_str_eq(runs[1].actor, SKEP_STR("bob")));
    assert_int_equal(count((struct skep_run_list){.once = true, .before = runs[1].number}, &runs),
                     0);
}

static void test_limits(void **unused)
{
    struct skep_run r;
    (void)unused;
    skep_state_id first = put(HERE, "ann", "first", 1, 1), second = put(HERE, "ann", "2", 1, 1);
    assert_int_equal(keep(first, "", true), SKEP_OK);
    for (int i = 0; i < LIMIT + 5; i++)
        put(HERE, "ann", "more", 2, 1);
    assert_int_equal(count((struct skep_run_list){.limit = 0}, NULL), LIMIT);
    assert_int_equal(get(first, &r), SKEP_OK);
    assert_int_equal(get(second, &r), SKEP_ENOTFOUND);
    /* Bytes: what is kept stays, the others go, the newest is there. */
    skep_state_id large = put(HERE, "ann", "large", 3, 2900);
    assert_int_equal(get(large, &r), SKEP_OK);
    assert_int_equal(r.bytes, 2900);
    assert_int_equal(get(first, &r), SKEP_OK);
    put(HERE, "ann", "large too", 3, 2900);
    assert_int_equal(get(large, &r), SKEP_ENOTFOUND);
    /* Age: of nobody's, and of their own environment's clock. */
    skep_state_id old = put(SKEP_STR("other"), "ann", "old", 1, 1);
    put(HERE, "ann", "later", 200, 1);
    assert_int_equal(count((struct skep_run_list){.limit = 0}, NULL), 2);
    assert_int_equal(
        skep_state_run_get(state, SKEP_STR("other"), skep_state_id_str(&old), &arena, &r, &err),
        SKEP_OK);
    assert_int_equal(get(old, &r), SKEP_ENOTFOUND);
}

/* An environment that nobody asks keeps nothing for ever. */
static void test_forgets_by_the_clock(void **unused)
{
    struct skep_run r;
    skep_state_id ids[3];
    (void)unused;
    ids[0] = put(SKEP_STR("other"), "ann", "old", 1, 1);
    ids[1] = put(HERE, "ann", "old and kept", 1, 1);
    ids[2] = put(HERE, "ann", "young", 20, 1);
    assert_int_equal(keep(ids[1], "", true), SKEP_OK);
    assert_int_equal(skep_state_runs_forget(state, 91 * day_ns, &err), SKEP_OK);
    assert_int_equal(
        skep_state_run_get(state, SKEP_STR("other"), skep_state_id_str(&ids[0]), &arena, &r, &err),
        SKEP_OK);
    assert_int_equal(skep_state_runs_forget(state, 91 * day_ns + 1, &err), SKEP_OK);
    assert_int_equal(
        skep_state_run_get(state, SKEP_STR("other"), skep_state_id_str(&ids[0]), &arena, &r, &err),
        SKEP_ENOTFOUND);
    assert_int_equal(get(ids[1], &r), SKEP_OK);
    assert_int_equal(get(ids[2], &r), SKEP_OK);
}

static void test_kept_have_limits(void **unused)
{
    skep_state_id ids[6];
    (void)unused;
    for (int i = 0; i < 6; i++)
        ids[i] = put(HERE, "ann", "x", 1, i == 5 ? 1 : 400);
    for (int i = 0; i < 3; i++)
        assert_int_equal(keep(ids[i], "", true), SKEP_OK);
    assert_int_equal(keep(ids[3], "", true), SKEP_ELIMIT); /* over half of the bytes */
    assert_int_equal(keep(ids[5], "named", false), SKEP_OK);
    skep_state_id more = put(HERE, "ann", "y", 1, 1);
    assert_int_equal(keep(more, "", true), SKEP_ELIMIT);   /* over a tenth of the number */
    assert_int_equal(keep(ids[0], "also", true), SKEP_OK); /* it was already */
    assert_int_equal(keep(ids[0], "", false), SKEP_OK);
    assert_int_equal(keep(more, "", true), SKEP_OK);
}

/* The state is locked while a list looks for words: each costs one pass over a question, also one
 * that nearly stands everywhere.  Looking at each place anew took 30 ms a row. */
static void test_long_words(void **unused)
{
    static char question[SKEP_RUN_QUESTION_MAX], word[4096];
    skep_str words[8];
    (void)unused;
    memset(question, 'a', sizeof question - 1);
    memset(word, 'A', sizeof word);
    word[sizeof word - 1] = 'b';
    for (size_t w = 0; w < SKEP_ARRAY_LEN(words); w++)
        words[w] = (skep_str){word, sizeof word - w % 2}; /* every other one is there */
    for (int i = 0; i < LIMIT; i++)
        put(HERE, "ann", question, 1, 1);
    clock_t begin = clock();
    for (int i = 0; i < 5; i++)
        assert_int_equal(count((struct skep_run_list){.words = words, .n_words = 8}, NULL), 0);
    assert_true(clock() - begin < 2 * CLOCKS_PER_SEC);
    words[0].n--;
    assert_int_equal(count((struct skep_run_list){.words = words, .n_words = 2}, NULL), LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lists, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forgets_by_the_clock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kept_have_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_words, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

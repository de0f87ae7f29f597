// SPDX-License-Identifier: Apache-2.0
/* A look at a store that cannot read all of its rows: it is tried again, and what stays unreadable
 * does not stop the inbox for good. */
#include "inbox/inbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "os/os.h"
#include "unit/state/home.h"

/* Answers without rows; the first `bad` of them lack some. */
struct fake {
    struct skep_store base;
    unsigned asked, bad;
    const char *missing;
};

static skep_rc run(struct skep_store *s, const struct skep_plan *plan,
                   const struct skep_run_opts *opts, struct skep_answer *ret, skep_err *err)
{
    struct fake *f = (struct fake *)(void *)s;
    (void)plan, (void)opts, (void)err;
    *ret = (struct skep_answer){.complete = f->asked >= f->bad};
    if (!ret->complete)
        ret->missing = skep_str_c(f->missing);
    f->asked++;
    return SKEP_OK;
}

static uint64_t visible(struct skep_store *s)
{
    (void)s;
    return 7;
}

static const struct skep_store_ops ops = {.name = "fake", .run = run, .visible = visible};

static struct skep_state *state;

static struct skep_inbox *begin(struct fake *f)
{
    home_begin();
    state = home_open(&(struct skep_state_config){.os = skep_os_real(), .path = path});
    f->base.ops = &ops;
    return skep_inbox_new(
        &(struct skep_inbox_config){.os = skep_os_real(), .store = &f->base, .state = state});
}

static void end(struct skep_inbox *in)
{
    skep_inbox_free(in);
    assert_int_equal(home_end(state), 0);
}

static struct skep_inbox_stats stats(struct skep_inbox *in)
{
    struct skep_inbox_stats s;
    skep_inbox_stats(in, &s);
    return s;
}

static void test_asked_again(void **unused)
{
    struct fake f = {.bad = 2, .missing = "segment 3: no memory"};
    struct skep_inbox *in = begin(&f);
    skep_err err = {.text = ""};
    (void)unused;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(skep_inbox_look(in, &err), SKEP_EAGAIN);
        assert_non_null(strstr(err.text, "segment 3: no memory"));
        assert_false(skep_inbox_wait(in, 0)); /* I2 */
    }
    assert_int_equal(skep_inbox_look(in, &err), SKEP_OK);
    assert_true(skep_inbox_wait(in, 0));
    assert_int_equal(stats(in).incomplete, 0);
    end(in);
}

static void test_passed_over(void **unused)
{
    struct fake f = {.bad = 1000, .missing = "segment 3: checksum"};
    struct skep_inbox *in = begin(&f);
    skep_err err = {.text = ""};
    unsigned tries = 0;
    (void)unused;
    while (skep_inbox_look(in, &err) == SKEP_EAGAIN && ++tries < 100) {
    }
    assert_in_range(tries, 3, 20);
    assert_true(skep_inbox_wait(in, 0));
    assert_int_equal(stats(in).incomplete, 1);
    /* Known by now; something else is not. */
    assert_int_equal(skep_inbox_look(in, &err), SKEP_OK);
    assert_int_equal(stats(in).incomplete, 1);
    f.missing = "segment 9: checksum";
    assert_int_equal(skep_inbox_look(in, &err), SKEP_EAGAIN);
    end(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_asked_again),
                                       cmocka_unit_test(test_passed_over)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/* Which rows are occurrences of an error, and that two wires agree about one. */
#include <cmocka.h>
#include <string.h>

#include "base/arena.h"
#include "ingest/faults.h"
#include "ingest/rollbar.h"

#define TRACE                                                                                      \
    "Traceback (most recent call last):\n"                                                         \
    "  File \"/usr/lib/python3/dist-packages/flask/app.py\", line 2525, in wsgi_app\n"             \
    "    response = self.full_dispatch_request()\n"                                                \
    "  File \"/srv/app/app.py\", line 30, in err\n"                                                \
    "    return 1/0\n"                                                                             \
    "ZeroDivisionError: division by zero\n"

static void put(struct skep_batch *b, enum skep_scope scope, const char *name, const char *text)
{
    skep_batch_put(b, scope, skep_str_c(name),
                   (skep_value){.type = SKEP_TYPE_STRING, .s = skep_str_c(text)});
}

/* The intrinsic text of a row; empty: none. */
static skep_str said(const struct skep_batch *b, const char *name, uint32_t row)
{
    for (uint32_t f = 0; f < b->n_fields; f++) {
        const struct skep_batch_field *x = &b->fields[f];
        if (x->scope != SKEP_SCOPE_INTRINSIC ||
            !skep_str_eq(skep_batch_str(b, x->name), skep_str_c(name)))
            continue;
        for (uint32_t i = 0; i < x->n; i++) {
            if (x->rows[i] == row)
                return skep_batch_str(b, (uint32_t)x->vals[i]);
        }
    }
    return SKEP_STR_NULL;
}

static void is(skep_str have, const char *want)
{
    assert_int_equal(have.n, strlen(want));
    assert_memory_equal(have.p, want, have.n);
}

static void test_which_rows(void **state)
{
    struct skep_batch *b = skep_batch_new(NULL, 1);
    (void)state;
    (void)skep_batch_row(b, SKEP_KIND_LOG, 1, SKEP_SOURCE_OTLP); // a severity alone
    put(b, SKEP_SCOPE_INTRINSIC, "body", "ERROR it failed\nbadly");
    b->severity[0] = 21;
    (void)skep_batch_row(b, SKEP_KIND_SPAN_EVENT, 1, SKEP_SOURCE_OTLP);
    put(b, SKEP_SCOPE_ATTRIBUTE, "exception.type", "ZeroDivisionError");
    put(b, SKEP_SCOPE_ATTRIBUTE, "exception.message", "division by zero");
    put(b, SKEP_SCOPE_ATTRIBUTE, "exception.stacktrace", TRACE);
    (void)skep_batch_row(b, SKEP_KIND_LOG, 1, SKEP_SOURCE_LOGS); // a trace in a line
    put(b, SKEP_SCOPE_INTRINSIC, "body", "could not serve /err\n" TRACE);
    (void)skep_batch_row(b, SKEP_KIND_SPAN, 1, SKEP_SOURCE_OTLP); // its events are, it is not
    put(b, SKEP_SCOPE_ATTRIBUTE, "exception.type", "ZeroDivisionError");
    (void)skep_batch_row(b, SKEP_KIND_LOG, 1, SKEP_SOURCE_OTLP); // a class alone
    put(b, SKEP_SCOPE_ATTRIBUTE, "exception.type", "a.Missing");
    assert_true(skep_faults_mark(b, NULL));
    skep_batch_check(b);
    assert_int_equal(said(b, "error.fingerprint", 0).n, 0);
    assert_int_equal(said(b, "error.fingerprint", 3).n, 0);
    assert_int_equal(said(b, "error.fingerprint", 1).n, 40);
    assert_true(skep_str_eq(said(b, "error.fingerprint", 1), said(b, "error.fingerprint", 2)));
    is(said(b, "error.culprit", 1), "/srv/app/app.py in err");
    is(said(b, "exception.type", 2), "ZeroDivisionError");
    is(said(b, "exception.message", 2), "division by zero");
    assert_int_equal(said(b, "exception.type", 1).n, 0); // its own attribute says it
    assert_int_equal(said(b, "error.fingerprint", 4).n, 40);
    assert_false(skep_str_eq(said(b, "error.fingerprint", 4), said(b, "error.fingerprint", 1)));
    skep_batch_free(b);
}

/* What pyrollbar sends of the exception above. */
static void test_as_rollbar(void **state)
{
    struct skep_rollbar_report rep;
    struct skep_arena arena;
    (void)state;
    skep_arena_init(&arena, "test", NULL);
    const struct skep_rollbar_opts opts = {.arena = &arena};
    struct skep_batch *r = skep_batch_new(NULL, 1), *o = skep_batch_new(NULL, 1);
    skep_rc rc = skep_rollbar_decode(
        SKEP_STR("{\"data\":{\"language\":\"python\",\"server\":{\"root\":\"/srv/app\"},\"body\":{"
                 "\"trace\":{\"frames\":["
                 "{\"filename\":\"/usr/lib/python3/dist-packages/flask/app.py\",\"lineno\":2525,"
                 "\"method\":\"wsgi_app\"},"
                 "{\"filename\":\"/srv/app/app.py\",\"lineno\":30,\"method\":\"err\"}],"
                 "\"exception\":{\"class\":\"ZeroDivisionError\",\"message\":\"division by "
                 "zero\"}}}}}"),
        &opts, r, &rep);
    assert_int_equal(rc, SKEP_OK);
    (void)skep_batch_row(o, SKEP_KIND_SPAN_EVENT, 1, SKEP_SOURCE_OTLP);
    put(o, SKEP_SCOPE_ATTRIBUTE, "exception.type", "ZeroDivisionError");
    put(o, SKEP_SCOPE_ATTRIBUTE, "exception.stacktrace", TRACE);
    assert_true(skep_faults_mark(o, NULL));
    for (size_t i = 0; i < 3; i++) {
        static const char *const names[] = {"error.fingerprint", "error.fingerprint.loose",
                                            "error.culprit"};
        assert_true(said(r, names[i], 0).n > 0);
        assert_true(skep_str_eq(said(r, names[i], 0), said(o, names[i], 0)));
    }
    skep_batch_free(r);
    skep_batch_free(o);
    skep_arena_done(&arena);
}

/* More rows than the first room, each with its own. */
static void test_many(void **state)
{
    struct skep_batch *b = skep_batch_new(NULL, 1);
    (void)state;
    for (int i = 0; i < 1000; i++) {
        char type[16] = {'E', (char)('a' + i % 26), (char)('a' + i / 26), 0};
        (void)skep_batch_row(b, i % 2 ? SKEP_KIND_LOG : SKEP_KIND_SPAN_EVENT, 1, SKEP_SOURCE_OTLP);
        put(b, SKEP_SCOPE_ATTRIBUTE, "exception.type", type);
    }
    assert_true(skep_faults_mark(b, NULL));
    skep_batch_check(b);
    for (uint32_t i = 1; i < 1000; i++)
        assert_false(
            skep_str_eq(said(b, "error.fingerprint", i), said(b, "error.fingerprint", i - 1)));
    skep_batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_rows),
        cmocka_unit_test(test_as_rollbar),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

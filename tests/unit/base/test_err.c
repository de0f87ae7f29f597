// SPDX-License-Identifier: Apache-2.0
/* Error records: codes keep their meaning, texts are cut, never overrun. */
#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include "base/err.h"

static skep_rc fails(skep_err *err)
{
    return skep_fail(err, SKEP_EMALFORMED, "at %d", 42);
}

static skep_rc passes_on(skep_err *err)
{
    SKEP_TRY(fails(err));
    return SKEP_OK;
}

static void carries_place_and_text(void **state)
{
    (void)state;
    skep_err err;
    assert_int_equal(passes_on(&err), SKEP_EMALFORMED);
    assert_string_equal(err.text, "at 42");
    assert_non_null(strstr(err.file, "test_err.c"));
    assert_int_equal(passes_on(NULL), SKEP_EMALFORMED);
}

static void cuts_long_texts(void **state)
{
    (void)state;
    skep_err err;
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)skep_fail(&err, SKEP_EIO, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

static void every_code_is_told_to_every_protocol(void **state)
{
    (void)state;
    for (int rc = 0; rc < SKEP_RC_COUNT; rc++) {
        const struct skep_rc_info *info = skep_rc_info((skep_rc)rc);
        assert_true(rc == SKEP_OK ? info->http == 200 : info->http >= 400);
        assert_true((rc == SKEP_OK) == (info->grpc == 0));
        /* OTLP: exactly 429, 502, 503, 504 are worth a retry. */
        if (info->retry)
            assert_true(info->http == 429 || (info->http >= 502 && info->http <= 504));
    }
    assert_string_equal(skep_rc_info((skep_rc)9999)->name, "EINTERNAL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carries_place_and_text),
        cmocka_unit_test(cuts_long_texts),
        cmocka_unit_test(every_code_is_told_to_every_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/* libcurl is opened when it is first needed; who lacks it is told what to install. */
#include <cmocka.h>
#include <string.h>

#include "fetch/fetch_priv.h"

static void test_absent(void **state)
{
    (void)state;
    struct skep_curl lib;
    skep_err err = {.text = ""};
    assert_int_equal(skep_fetch__open("libcurl-absent.so.4", &lib, &err), SKEP_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "need the library libcurl-absent.so.4"));
}

/* Another library under that name: told of, not called. */
static void test_other(void **state)
{
    (void)state;
    struct skep_curl lib;
    skep_err err = {.text = ""};
    assert_int_equal(skep_fetch__open("libc.so.6", &lib, &err), SKEP_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "has no curl_global_init"));
}

static void test_there(void **state)
{
    (void)state;
    skep_err err = {.text = ""};
    const struct skep_curl *lib = skep_curl(&err);
    assert_non_null(lib);
    assert_ptr_equal(skep_curl(NULL), lib);
    CURL *handle = lib->easy_init();
    assert_non_null(handle);
    assert_int_equal(lib->easy_setopt(handle, CURLOPT_URL, "nothing://here"), CURLE_OK);
    assert_int_equal(lib->easy_perform(handle), CURLE_UNSUPPORTED_PROTOCOL);
    lib->easy_cleanup(handle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_absent), cmocka_unit_test(test_other),
                                       cmocka_unit_test(test_there)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

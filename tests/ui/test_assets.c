// SPDX-License-Identifier: Apache-2.0
/* The table of embedded files: what is found, what is not, and that the bytes are what they say. */
#include "ui/assets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ui/assets_priv.h"

static bool contains(const struct skep_asset *a, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= a->raw_bytes; i++) {
        if (memcmp(a->raw + i, text, n) == 0) {
            return true;
        }
    }
    return false;
}

static void finds_the_document(void **state)
{
    (void)state;
    const struct skep_asset *root = skep_asset_find(SKEP_STR("/"));
    assert_non_null(root);
    assert_string_equal(root->content_type, "text/html; charset=utf-8");
    assert_true(contains(root, "<!doctype html>"));
    assert_ptr_equal(skep_asset_find(SKEP_STR("/ui")), root);
    assert_ptr_equal(skep_asset_find(SKEP_STR("/ui/query")), root);
    assert_ptr_equal(skep_asset_find(SKEP_STR("/ui/trace/0af7651916cd43dd8448eb211c80319c")), root);
}

static void keeps_missing_files_missing(void **state)
{
    (void)state;
    assert_null(skep_asset_find(SKEP_STR("/ui/assets/none.js")));
    assert_null(skep_asset_find(SKEP_STR("/ui/assets/")));
    assert_null(skep_asset_find(SKEP_STR("/uix")));
    assert_null(skep_asset_find(SKEP_STR("/v1/traces")));
    assert_null(skep_asset_find(SKEP_STR_NULL));
}

static void document_names_only_files_that_exist(void **state)
{
    (void)state;
    const struct skep_asset *root = skep_asset_find(SKEP_STR("/"));
    size_t scripts = 0;
    for (size_t i = 0; i < skep_assets__n; i++) {
        const struct skep_asset *a = &skep_assets__all[i];
        assert_true(a->raw_bytes > 0 && a->gzip_bytes > 18);
        assert_int_equal(a->gzip[0], 0x1f);
        assert_int_equal(a->gzip[1], 0x8b);
        /* The last four bytes of a gzip member are the raw size. */
        const uint8_t *end = a->gzip + a->gzip_bytes - 4;
        size_t size =
            (size_t)end[0] | (size_t)end[1] << 8 | (size_t)end[2] << 16 | (size_t)end[3] << 24;
        assert_int_equal(size, a->raw_bytes);
        assert_int_equal(a->etag[0], '"');
        assert_ptr_equal(skep_asset_find(skep_str_c(a->path)), a);
        if (i > 0 && (strstr(a->path, ".js") || strstr(a->path, ".css"))) {
            assert_true(contains(root, a->path));
            scripts++;
        }
    }
    assert_int_equal(scripts, 2);
}

static void stays_small(void **state)
{
    (void)state;
    size_t total = 0;
    for (size_t i = 0; i < skep_assets__n; i++) {
        total += skep_assets__all[i].gzip_bytes;
    }
    assert_true(total < 192 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_document),
        cmocka_unit_test(keeps_missing_files_missing),
        cmocka_unit_test(document_names_only_files_that_exist),
        cmocka_unit_test(stays_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

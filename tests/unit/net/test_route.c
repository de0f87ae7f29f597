// SPDX-License-Identifier: Apache-2.0
/* The route table, request targets and query parameters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/net_priv.h"

static void nothing(void *ctx, struct skep_request *req)
{
    (void)ctx;
    (void)req;
}

static struct skep_route route(const char *method, const char *path, unsigned flags)
{
    return (struct skep_route){.method = method, .path = path, .handle = nothing, .flags = flags};
}

/* Path of the route found, or "-"; captures joined by '|' behind ' '. */
static const char *find(const struct skep_net__routes *t, const char *method, const char *target)
{
    static char out[512];
    struct skep_arena arena;
    struct skep_net__uri uri;
    struct skep_net__match m;
    skep_arena_init(&arena, "test", NULL);
    assert_int_equal(skep_net__uri_parse(&arena, skep_str_c(target), &uri, NULL), SKEP_OK);
    if (!skep_net__routes_find(t, skep_str_c(method), &uri, NULL, &m)) {
        skep_arena_done(&arena);
        return "-";
    }
    int n = snprintf(out, sizeof out, "%s", m.route->path);
    for (unsigned i = 0; i < m.n_captures; i++)
        n += snprintf(out + n, sizeof out - (size_t)n, "%s" SKEP_STRFMT, i ? "|" : " ",
                      SKEP_STRARG(m.captures[i]));
    skep_arena_done(&arena);
    return out;
}

static void test_precedence(void **state)
{
    static const char *const get[] = {"/",         "/a/b",      "/a/:x",    "/a/:x/c",
                                      "/a/*",      "/a/b/:y/d", "/files/*", "/:one",
                                      "/ui/*",     "/x/:a/:b",  "/x/lit/*", "/1/events/:dataset",
                                      "/ui/traces"};
    struct skep_route routes[SKEP_ARRAY_LEN(get)];
    struct skep_net__routes *t = skep_net__routes_new();
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(get); i++) {
        routes[i] = route("GET", get[i], 0);
        assert_int_equal(skep_net__routes_add(t, &routes[i], NULL, NULL), SKEP_OK);
    }
    static const char *const cases[][2] = {
        {"/", "/"},
        {"/a/b", "/a/b"},
        {"/a/z", "/a/:x z"},
        {"/a/", "/a/* "},
        {"/a", "/:one a"},
        {"/a/b/c", "/a/:x/c b"}, /* "/a/b" is a prefix only: back to ":x" */
        {"/a/b/q/d", "/a/b/:y/d q"},
        {"/a/b/q/e", "/a/* b/q/e"},
        {"/files/", "/files/* "},
        {"/files/p/q%20r", "/files/* p/q r"},
        {"/files", "/:one files"},
        {"/x/lit/2", "/x/lit/* 2"},
        {"/x/li/2", "/x/:a/:b li|2"},
        {"/x//2", "-"}, /* an empty segment is no name */
        {"/A/b", "-"},  /* case counts */
        {"/1/events/my%2Fset", "/1/events/:dataset my/set"},
        {"/ui/traces", "/ui/traces"},
        {"/ui/traces/1", "/ui/* traces/1"},
        {"/a%2Fb", "/:one a/b"}, /* an encoded slash does not make a segment */
        {"/a/b?q=/c", "/a/b"},
        {"/q/w/e", "-"},
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(cases); i++)
        assert_string_equal(find(t, "GET", cases[i][0]), cases[i][1]);
    assert_string_equal(find(t, "HEAD", "/a/b"), "/a/b");
    assert_string_equal(find(t, "POST", "/a/b"), "-");
    assert_string_equal(find(t, "get", "/a/b"), "-");
    skep_net__routes_free(t);
}

static void test_overlaps(void **state)
{
    struct {
        const char *method, *path;
        unsigned flags;
        skep_rc rc;
    } cases[] = {
        {"GET", "/a", 0, SKEP_OK},
        {"GET", "/a", 0, SKEP_EEXISTS},
        {"POST", "/a", 0, SKEP_OK},
        {"GET", "/a/", 0, SKEP_OK},
        {"GET", "/b", SKEP_ROUTE_PREFIX_SLASH, SKEP_OK},
        {"GET", "/b/", 0, SKEP_EEXISTS},
        {"GET", "/c/", 0, SKEP_OK},
        {"GET", "/c", SKEP_ROUTE_PREFIX_SLASH, SKEP_EEXISTS},
        {"GET", "/d/:x", 0, SKEP_OK},
        {"GET", "/d/:y", 0, SKEP_EEXISTS},
        {"GET", "/d/*", 0, SKEP_OK},
        {"GET", "/d/*", 0, SKEP_EEXISTS},
        {"GET", "/d/:x/e", 0, SKEP_OK},
        {"GET", "/d/:z/e", 0, SKEP_EEXISTS},
        {"GET", "/d/lit", 0, SKEP_OK},
    };
    struct skep_route routes[SKEP_ARRAY_LEN(cases)];
    struct skep_net__routes *t = skep_net__routes_new();
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(cases); i++) {
        skep_err err = {0};
        routes[i] = route(cases[i].method, cases[i].path, cases[i].flags);
        assert_int_equal(skep_net__routes_add(t, &routes[i], NULL, &err), cases[i].rc);
        if (cases[i].rc != SKEP_OK)
            assert_non_null(strstr(err.text, cases[i].path));
    }
    assert_string_equal(find(t, "GET", "/b/"), "/b");
    skep_net__routes_free(t);
}

static void test_allow(void **state)
{
    struct skep_route routes[] = {route("GET", "/a", 0), route("POST", "/a", 0),
                                  route("DELETE", "/:x", 0)};
    struct skep_net__routes *t = skep_net__routes_new();
    struct skep_arena arena;
    struct skep_net__uri uri;
    (void)state;
    skep_arena_init(&arena, "test", NULL);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(routes); i++)
        assert_int_equal(skep_net__routes_add(t, &routes[i], NULL, NULL), SKEP_OK);
    assert_int_equal(skep_net__uri_parse(&arena, SKEP_STR("/a"), &uri, NULL), SKEP_OK);
    skep_str allow = skep_net__routes_allow(t, &arena, &uri);
    assert_true(skep_str_eq(allow, SKEP_STR("GET, HEAD, POST, DELETE")));
    assert_int_equal(skep_net__uri_parse(&arena, SKEP_STR("/a/b"), &uri, NULL), SKEP_OK);
    assert_int_equal(skep_net__routes_allow(t, &arena, &uri).n, 0);
    skep_arena_done(&arena);
    skep_net__routes_free(t);
}

/* The route of POST / for a value of x-op, or "-". */
static const char *find_op(const struct skep_net__routes *t, const char *value)
{
    struct skep_header headers[] = {{SKEP_STR("accept"), SKEP_STR("*/*")},
                                    {SKEP_STR("x-op"), skep_str_c(value)}};
    struct skep_net__req r = {.magic = SKEP_NET__REQ_MAGIC, .headers = headers};
    struct skep_arena arena;
    struct skep_net__uri uri;
    struct skep_net__match m;
    r.n_headers = value ? 2 : 1;
    skep_arena_init(&arena, "test", NULL);
    assert_int_equal(skep_net__uri_parse(&arena, SKEP_STR("/"), &uri, NULL), SKEP_OK);
    bool found = skep_net__routes_find(t, SKEP_STR("POST"), &uri, &r.pub, &m);
    skep_arena_done(&arena);
    if (!found)
        return "-";
    return m.route->header_value ? m.route->header_value : "any";
}

static void test_headers(void **state)
{
    struct skep_route routes[] = {route("POST", "/", 0), route("POST", "/", 0),
                                  route("POST", "/", 0), route("POST", "/", 0),
                                  route("POST", "/a", 0)};
    struct skep_net__routes *t = skep_net__routes_new();
    skep_err err;
    (void)state;
    for (int i = 0; i < 2; i++) {
        routes[i].header = "x-op";
        routes[i].header_value = i ? "A.Get" : "A.Put";
        assert_int_equal(skep_net__routes_add(t, &routes[i], NULL, NULL), SKEP_OK);
    }
    assert_string_equal(find_op(t, "A.Put"), "A.Put");
    assert_string_equal(find_op(t, "A.Get"), "A.Get");
    assert_string_equal(find_op(t, "A.get"), "-");
    assert_string_equal(find_op(t, NULL), "-");
    assert_int_equal(skep_net__routes_add(t, &routes[4], NULL, NULL), SKEP_OK);
    assert_int_equal(skep_net__routes_add(t, &routes[2], NULL, NULL), SKEP_OK); /* names none */
    assert_string_equal(find_op(t, "A.Put"), "A.Put");
    assert_string_equal(find_op(t, "A.Drop"), "any");
    assert_string_equal(find_op(t, ""), "any");
    assert_string_equal(find_op(t, NULL), "any");
    routes[3].header = "x-op";
    routes[3].header_value = "A.Get";
    assert_int_equal(skep_net__routes_add(t, &routes[3], NULL, &err), SKEP_EEXISTS);
    skep_net__routes_free(t);
}

static void test_targets(void **state)
{
    struct {
        const char *target, *path, *query;
        unsigned n_segs;
    } good[] = {
        {"/", "/", "", 1},
        {"/a/b", "/a/b", "", 2},
        {"/a/b/?", "/a/b/", "", 3},
        {"/%41%2f?x=%2f", "/A/", "x=%2f", 1},
        {"http://h:1/p?q", "/p", "q", 1},
        {"http://h", "/", "", 1},
        {"http://h?q=/x", "/", "", 1},
        {"*", "*", "", 1},
        {"/a#b?c", "/a", "", 1},
        {"/../x", "/../x", "", 2},
    };
    static const char *const bad[] = {"",     "a",    "/%",   "/%4",   "/%4g",
                                      "/%zz", "/%00", "/a b", "/\x01", "/\x7f"};
    struct skep_arena arena;
    struct skep_net__uri uri;
    (void)state;
    skep_arena_init(&arena, "test", NULL);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(good); i++) {
        skep_str target = skep_str_c(good[i].target);
        assert_int_equal(skep_net__uri_parse(&arena, target, &uri, NULL), SKEP_OK);
        assert_true(skep_str_eq(uri.path, skep_str_c(good[i].path)));
        assert_true(skep_str_eq(uri.query, skep_str_c(good[i].query)));
        assert_int_equal(uri.n_segs, good[i].n_segs);
    }
    for (size_t i = 0; i < SKEP_ARRAY_LEN(bad); i++) {
        skep_err err = {0};
        assert_int_equal(skep_net__uri_parse(&arena, skep_str_c(bad[i]), &uri, &err),
                         SKEP_EMALFORMED);
        assert_true(err.text[0] != '\0');
    }
    /* More segments than there is room for: the last one holds the rest. */
    char deep[256] = "";
    for (int i = 0; i < 100; i++)
        memcpy(deep + 2 * i, "/x", 3);
    assert_int_equal(skep_net__uri_parse(&arena, skep_str_c(deep), &uri, NULL), SKEP_OK);
    assert_int_equal(uri.n_segs, SKEP_NET__SEGMENTS_MAX);
    assert_int_equal(uri.path.n, 200);
    skep_str last = uri.segs[SKEP_NET__SEGMENTS_MAX - 1];
    assert_ptr_equal(last.p + last.n, uri.path.p + uri.path.n);
    skep_arena_done(&arena);
}

static void test_params(void **state)
{
    skep_str q = SKEP_STR("a=1&b=x+y%26z&empty=&flag&%63=dec&a=2&bad=%zz");
    static const char *const cases[][2] = {{"a", "1"},    {"b", "x y&z"}, {"empty", ""},
                                           {"flag", ""},  {"c", "dec"},   {"missing", NULL},
                                           {"bad", NULL}, {"A", NULL}};
    struct skep_arena arena;
    (void)state;
    skep_arena_init(&arena, "test", NULL);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(cases); i++) {
        skep_str v;
        bool found = skep_net__query_param(&arena, q, skep_str_c(cases[i][0]), 0, &v);
        assert_int_equal(found, cases[i][1] != NULL);
        if (found)
            assert_true(skep_str_eq(v, skep_str_c(cases[i][1])));
    }
    skep_str second;
    assert_true(skep_net__query_param(&arena, q, SKEP_STR("a"), 1, &second));
    assert_true(skep_str_eq(second, SKEP_STR("2")));
    assert_false(skep_net__query_param(&arena, q, SKEP_STR("a"), 2, &second));
    skep_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_precedence), cmocka_unit_test(test_overlaps),
        cmocka_unit_test(test_allow),      cmocka_unit_test(test_headers),
        cmocka_unit_test(test_targets),    cmocka_unit_test(test_params),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

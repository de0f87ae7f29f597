// SPDX-License-Identifier: Apache-2.0
/* Stacks read with what is kept: bundles by version and address, names, what is taken away; limits
 * of an environment; over a restart. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbols/symbols.h"

static const skep_str env = SKEP_STR_INIT("default");
static char dir[64];
static struct skep_state *s;
static struct skep_symbols *y;
static struct skep_arena arena;

/* Line 1 of the bundle: column 1 is in pay() of line 2, column 11 where main() calls it in line 5.
 */
static const char map[] =
    "{\"version\":3,\"sources\":[\"../src/a.js\"],\"names\":[],\"sourcesContent\":"
    "[\"function pay() {\\n  throw new Error();\\n}\\nfunction main() {\\n  shop.pay();\\n}\\n\"],"
    "\"mappings\":\"AACE,UAGK\"}";

static uint64_t limit_bytes;

static void open_all(void)
{
    char path[96];
    skep_err err = {.text = ""};
    snprintf(path, sizeof path, "%s/state.db", dir);
    const struct skep_state_config cfg = {
        .path = path, .os = skep_os_real(), .artifacts_limit_bytes = limit_bytes};
    assert_int_equal(skep_state_open(&cfg, &s, &err), SKEP_OK);
    const struct skep_symbols_config symbols = {.os = skep_os_real(), .state = s};
    assert_int_equal(skep_symbols_new(&symbols, &y, &err), SKEP_OK);
}

static void close_all(void)
{
    skep_symbols_free(y);
    skep_state_close(s);
}

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/skep-symbols-XXXXXX");
    assert_non_null(mkdtemp(dir));
    skep_arena_init(&arena, "test", NULL);
    open_all();
    return 0;
}

static int setup_small(void **state)
{
    limit_bytes = 1000;
    return setup(state);
}

static int teardown(void **state)
{
    char command[128];
    (void)state;
    close_all();
    skep_arena_done(&arena);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
    return 0;
}

static int64_t put(const char *version, const char *url, const char *json)
{
    const struct skep_artifact a = {
        .environment = env, .version = skep_str_c(version), .name = skep_str_c(url)};
    int64_t id = 0;
    skep_err err = {.text = ""};
    if (skep_symbols_put_map(y, &a, skep_str_c(json), &id, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    return id;
}

/* Two frames of a bundle, as text. */
static const char *read_with(skep_str environment, const char *version, const char *url)
{
    static char got[512];
    struct skep_frame frames[] = {
        {.file = skep_str_c(url), .function = SKEP_STR("x"), .line = 1, .column = 11},
        {.file = skep_str_c(url), .function = SKEP_STR("y"), .line = 1, .column = 1}};
    struct skep_exception e = {.frames = frames, .n_frames = 2};
    struct skep_stack stack = {.chain = &e, .n = 1};
    skep_symbols_apply(y, environment, skep_str_c(version), &stack, &arena);
    size_t n = 0;
    for (uint32_t i = 0; i < e.n_frames; i++) {
        const struct skep_frame *f = &e.frames[i];
        n += (size_t)snprintf(got + n, sizeof got - n, "%s" SKEP_STRFMT " " SKEP_STRFMT ":%u",
                              i ? " > " : "", SKEP_STRARG(f->function), SKEP_STRARG(f->file),
                              f->line);
        assert_int_equal(f->sent != NULL, f->code != NULL);
    }
    return got;
}

static const char known[] = "main src/a.js:5 > pay src/a.js:2";

static void test_bundles(void **state)
{
    (void)state;
    assert_false(skep_symbols_any(y, env));
    int64_t id = put("1.0", "https://shop.example/app.js?x=1#y", map);
    assert_true(skep_symbols_any(y, env));
    assert_false(skep_symbols_any(y, SKEP_STR("other")));
    assert_string_equal(read_with(env, "1.0", "http://shop.example/app.js"), known);
    assert_string_equal(read_with(env, "1.0", "//shop.example/app.js?cache=2"), known);
    assert_string_equal(read_with(env, "1.1", "//shop.example/app.js"),
                        "x //shop.example/app.js:1 > y //shop.example/app.js:1");
    assert_string_equal(read_with(SKEP_STR("other"), "1.0", "//shop.example/app.js"),
                        "x //shop.example/app.js:1 > y //shop.example/app.js:1");
    (void)put("1.0", "http://dynamichost/app.js", map);
    assert_string_equal(read_with(env, "1.0", "http://eu.example/app.js"), known);
    close_all();
    open_all();
    assert_string_equal(read_with(env, "1.0", "http://shop.example/app.js"), known);
    /* The same address again: the newer one counts, at once. */
    int64_t newer = put("1.0", "//shop.example/app.js",
                        "{\"version\":3,\"sources\":[],\"names\":[],\"mappings\":\"\"}");
    assert_true(newer > id);
    assert_string_equal(read_with(env, "1.0", "//shop.example/app.js"),
                        "x //shop.example/app.js:1 > y //shop.example/app.js:1");
    assert_int_equal(skep_symbols_drop(y, SKEP_STR("other"), newer, NULL), SKEP_ENOTFOUND);
    assert_int_equal(skep_symbols_drop(y, env, newer, NULL), SKEP_OK);
    assert_string_equal(read_with(env, "1.0", "//shop.example/app.js"), known); /* dynamichost */
}

static void test_refused(void **state)
{
    (void)state;
    struct skep_artifact a = {.environment = env, .name = SKEP_STR("//a/b.js")};
    int64_t id;
    skep_str build_id;
    skep_err err = {.text = ""};
    assert_int_equal(skep_symbols_put_map(y, &a, skep_str_c(map), &id, &err), SKEP_EINVAL);
    a.version = SKEP_STR("1");
    assert_int_equal(skep_symbols_put_map(y, &a, SKEP_STR("{"), &id, &err), SKEP_EMALFORMED);
    a.name = SKEP_STR("http://");
    assert_int_equal(skep_symbols_put_map(y, &a, skep_str_c(map), &id, &err), SKEP_EINVAL);
    /* Without a reader tables alone are taken. */
    const skep_bytes elf = skep_str_bytes(SKEP_STR("\177ELF and more"));
    assert_int_equal(skep_symbols_put_native(y, &a, elf, &arena, &build_id, &id, &err),
                     SKEP_EUNSUPPORTED);
    assert_false(skep_symbols_any(y, env));
}

/* The oldest go when an environment has too many. */
static void test_limits(void **state)
{
    (void)state;
    struct skep_artifact a = {.environment = env,
                              .kind = SKEP_ARTIFACT_MAP,
                              .version = SKEP_STR("1"),
                              .body = skep_str_bytes(SKEP_STR("x"))};
    struct skep_artifact *list;
    size_t n = 0;
    char name[16];
    int64_t id = 0;
    static const uint8_t large[400];
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%d", i);
        a.name = skep_str_c(name);
        a.body = (skep_bytes){large, i == 0 ? 1 : sizeof large};
        assert_int_equal(skep_state_artifact_put(s, &a, &id, NULL), SKEP_OK);
    }
    a.body.n = 1001;
    assert_int_equal(skep_state_artifact_put(s, &a, &id, NULL), SKEP_ELIMIT);
    assert_int_equal(skep_state_artifacts(s, &env, &arena, &list, &n, NULL), SKEP_OK);
    assert_int_equal(n, 2);
    assert_true(skep_str_eq(list[0].name, SKEP_STR("3")));
    assert_true(skep_str_eq(list[1].name, SKEP_STR("2")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bundles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup_small, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

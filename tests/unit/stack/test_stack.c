// SPDX-License-Identifier: Apache-2.0
/* Traces of each language, read and compared with what a person reads in them. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "stack/stack.h"

/* "language\nType: message\n own|lib file:line:column function [module]\n..." */
static void dump(const struct skep_stack *s, struct skep_buf *out)
{
    skep_buf_printf(out, SKEP_STRFMT "\n", SKEP_STRARG(s->language));
    for (uint32_t c = 0; c < s->n; c++) {
        const struct skep_exception *e = &s->chain[c];
        skep_buf_printf(out, SKEP_STRFMT ": " SKEP_STRFMT "\n", SKEP_STRARG(e->type),
                        SKEP_STRARG(e->message));
        for (uint32_t i = 0; i < e->n_frames; i++) {
            const struct skep_frame *f = &e->frames[i];
            skep_buf_printf(out, "%s " SKEP_STRFMT ":%u:%u " SKEP_STRFMT " [" SKEP_STRFMT "]\n",
                            f->own ? " own" : " lib", SKEP_STRARG(f->file), f->line, f->column,
                            SKEP_STRARG(f->function), SKEP_STRARG(f->module));
        }
    }
}

static void check(const char *file, const char *root, const char *want)
{
    char path[128], text[8192];
    struct skep_arena arena;
    struct skep_buf have;
    struct skep_stack s;
    snprintf(path, sizeof path, "tests/golden/stack/%s.txt", file);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    skep_arena_init(&arena, "test", NULL);
    skep_buf_init(&have, 1 << 20);
    assert_true(skep_stack_parse((skep_str){text, n}, SKEP_STR_NULL, &arena, &s));
    skep_stack_own(&s, skep_str_c(root));
    dump(&s, &have);
    skep_buf_u8(&have, 0);
    assert_string_equal(have.p, want);
    skep_buf_done(&have);
    skep_arena_done(&arena);
}

static void test_python(void **state)
{
    (void)state;
    check("python", "/srv/app",
          "python\n"
          "ValueError: no such thing: 12\n"
          " lib /usr/lib/python3/dist-packages/flask/app.py:2525:0 wsgi_app []\n"
          " own /srv/app/app.py:30:0 err []\n"
          " lib <frozen importlib._bootstrap>:1007:0 _find_and_load []\n"
          "KeyError: 'missing'\n"
          " own /srv/app/store.py:8:0 read []\n");
}

static void test_java(void **state)
{
    (void)state;
    check("java", "",
          "java\n"
          "java.lang.IllegalStateException: no user: 17\n"
          " lib :0:0 invoke0 [jdk.internal.reflect.NativeMethodAccessorImpl]\n"
          " lib Thread.java:833:0 run [java.lang.Thread]\n"
          " own Cart.java:0:0 lambda$main$3 [com.shop.Cart]\n"
          " own Cart.java:44:0 <init> [com.shop.Cart$Item]\n"
          " own Cart.java:12:0 total [com.shop.Cart]\n"
          "java.io.IOException: closed\n"
          " own Store.kt:9:0 read [com.shop.Store]\n");
}

static void test_dotnet(void **state)
{
    (void)state;
    check("dotnet", "",
          "dotnet\n"
          "System.InvalidOperationException: no user\n"
          " lib :0:0 ThreadStart [System.Threading.ThreadHelper]\n"
          " own C:\\src\\Cart.cs:12:0 Total [Shop.Cart]\n"
          "System.IO.IOException: closed\n"
          " own /src/Store.cs:9:0 Read [Shop.Store]\n");
}

static void test_javascript(void **state)
{
    (void)state;
    check("javascript", "",
          "javascript\n"
          "TypeError: user is undefined\n"
          " lib node:internal/process/task_queues:95:5 process.processTicksAndRejections []\n"
          " own file:///srv/app/cart.mjs:3:1 Cart []\n"
          " lib index 0:0:0 Promise.all []\n"
          " lib /srv/app/node_modules/express/lib/router/layer.js:95:5  []\n"
          " own /srv/app/cart.js:10:5 Object.total []\n"
          "Error: closed\n"
          " own /srv/app/store.js:2:9 read []\n");
    check("gecko", "",
          "javascript\n"
          ": \n"
          " own http://shop/static/app.3f9ab2c1.js:1:2000  []\n"
          " own http://shop/static/app.3f9ab2c1.js?v=2:10:5 total []\n");
}

static void test_go(void **state)
{
    (void)state;
    check("go", "/srv/app",
          "go\n"
          "panic: runtime error: index out of range [5] with length 3\n"
          " own /srv/app/serve/run.go:40:0 github.com/shop/app/serve.Run.func1 "
          "[github.com/shop/app/serve]\n"
          " lib /usr/local/go/src/net/http/server.go:2109:0 net/http.HandlerFunc.ServeHTTP "
          "[net/http]\n"
          " own /srv/app/cart.go:12:0 main.(*Cart).Total [main]\n");
}

static void test_ruby_and_php(void **state)
{
    (void)state;
    check("ruby", "/srv/app",
          "ruby\n"
          "RuntimeError: no user\n"
          " own /srv/app/main.rb:20:0 block in <main> []\n"
          " lib /usr/lib/ruby/gems/3.1.0/gems/rack-2.2/lib/rack.rb:5:0 call []\n"
          " own /srv/app/cart.rb:10:0 total []\n");
    check("php", "",
          "php\n"
          "Shop\\Missing: no user\n"
          " own :0:0 Shop\\{closure} []\n"
          " own /srv/app/main.php:30:0 Shop\\Cart->total []\n"
          " own /srv/app/cart.php:12:0  []\n");
}

static void test_native(void **state)
{
    (void)state;
    check("rust", "",
          "rust\n"
          "panic: no user\n"
          " lib /rustc/897e37553bba8b42751c67658967889d11ecd120/library/core/src/ops/"
          "function.rs:248:5 core::ops::function::FnOnce::call_once []\n"
          " own ./src/cart.rs:2:5 shop::cart::total::h0123456789abcdef []\n"
          " lib /rustc/897e37553bba8b42751c67658967889d11ecd120/library/std/src/"
          "panicking.rs:584:5 rust_begin_unwind []\n");
    check("gdb", "",
          "native\n"
          ": \n"
          " lib :0:0 start_thread [/lib/x86_64-linux-gnu/libc.so.6]\n"
          " own src/cart.c:12:0 total []\n"
          " lib ./nptl/pthread_kill.c:44:0 __pthread_kill_implementation []\n");
    check("asan", "",
          "native\n"
          "heap-use-after-free: heap-use-after-free on address 0x602000000010\n"
          " own :0:0 0x4f1a3c [/srv/app]\n"
          " own /src/cart.c:12:5 total []\n");
    check("glibc", "",
          "native\n"
          ": \n"
          " lib :0:0 0x29d8f [/lib/x86_64-linux-gnu/libc.so.6]\n"
          " own :0:0 0x1394 [./app]\n"
          " own :0:0 total [./app]\n");
}

static void test_bounds(void **state)
{
    (void)state;
    struct skep_arena arena;
    struct skep_buf text;
    struct skep_stack s;
    skep_arena_init(&arena, "test", NULL);
    skep_buf_init(&text, 8 << 20);
    for (int i = 0; i < 3000; i++)
        skep_buf_printf(&text, "  File \"/srv/deep.py\", line %d, in f%d\n", i + 1, i);
    assert_true(skep_stack_parse(skep_buf_text(&text), SKEP_STR_NULL, &arena, &s));
    assert_int_equal(s.n, 1);
    assert_int_equal(s.chain[0].n_frames, SKEP_STACK_FRAMES_MAX);
    assert_int_equal(s.chain[0].frames[0].line, 1);
    assert_int_equal(s.chain[0].frames[SKEP_STACK_FRAMES_MAX / 2 - 1].line,
                     SKEP_STACK_FRAMES_MAX / 2);
    assert_int_equal(s.chain[0].frames[SKEP_STACK_FRAMES_MAX - 1].line, 3000);
    skep_buf_reset(&text);
    for (int i = 0; i < 100; i++)
        skep_buf_printf(&text, "Caused by: a.B: %d\n\tat a.B.c(B.java:1)\n", i);
    assert_true(skep_stack_parse(skep_buf_text(&text), SKEP_STR_NULL, &arena, &s));
    assert_int_equal(s.n, SKEP_STACK_CHAIN_MAX);
    assert_false(skep_stack_parse(SKEP_STR("no trace at all: none"), SKEP_STR_NULL, &arena, &s));
    assert_int_equal(s.n, 0);
    skep_buf_done(&text);
    skep_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_python), cmocka_unit_test(test_java),
        cmocka_unit_test(test_dotnet), cmocka_unit_test(test_javascript),
        cmocka_unit_test(test_go),     cmocka_unit_test(test_ruby_and_php),
        cmocka_unit_test(test_native), cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

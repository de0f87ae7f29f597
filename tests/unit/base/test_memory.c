// SPDX-License-Identifier: Apache-2.0
/* Budgets, arenas and bounded buffers: nothing grows past what it was given. */
#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"

static void budget_is_all_or_nothing(void **state)
{
    (void)state;
    struct skep_budget root, child;
    skep_err err;
    skep_budget_init(&root, "root", 100, NULL);
    skep_budget_init(&child, "child", 80, &root);
    assert_int_equal(skep_budget_take(&child, 60, NULL), SKEP_OK);
    assert_int_equal(skep_budget_take(&child, 30, &err), SKEP_ENOMEM);
    assert_non_null(strstr(err.text, "'child'"));
    assert_true(skep_budget_refused(&child));
    assert_false(skep_budget_refused(&root));
    assert_int_equal(skep_budget_used(&root), 60);
    assert_int_equal(skep_budget_take(&root, 30, NULL), SKEP_OK);
    /* The child has room, the parent has not: neither counter moves. */
    assert_int_equal(skep_budget_take(&child, 20, &err), SKEP_ENOMEM);
    assert_non_null(strstr(err.text, "'root'"));
    assert_int_equal(skep_budget_used(&child), 60);
    assert_int_equal(skep_budget_used(&root), 90);
    skep_budget_force(&child, 50);
    assert_int_equal(skep_budget_used(&root), 140);
    skep_budget_give(&child, 110);
    assert_int_equal(skep_budget_used(&root), 30);
    assert_int_equal(root.peak_bytes, 140);
    assert_int_equal(skep_budget_take(&root, UINT64_MAX, NULL), SKEP_ENOMEM);
}

static void a_reserve_is_kept_from_siblings(void **state)
{
    struct skep_budget root, parent, kept, other;
    (void)state;
    skep_budget_init(&root, "root", 200, NULL);
    skep_budget_init(&parent, "parent", 100, &root);
    skep_budget_init(&kept, "kept", UINT64_MAX, &parent);
    skep_budget_reserve(&kept, 40);
    skep_budget_init(&other, "other", UINT64_MAX, &parent);
    assert_int_equal(skep_budget_used(&root), 0); /* idle is not used */
    assert_int_equal(skep_budget_left(&kept), 100);
    assert_int_equal(skep_budget_left(&other), 60);
    assert_int_equal(skep_budget_take(&other, 61, NULL), SKEP_ENOMEM);
    assert_int_equal(skep_budget_take(&other, 60, NULL), SKEP_OK);
    assert_int_equal(skep_budget_left(&kept), 40);
    assert_int_equal(skep_budget_take(&kept, 41, NULL), SKEP_ENOMEM);
    assert_int_equal(skep_budget_used(&kept), 0);
    assert_int_equal(skep_budget_used(&parent), 60);
    assert_int_equal(skep_budget_take(&kept, 30, NULL), SKEP_OK);
    assert_int_equal(skep_budget_take(&kept, 10, NULL), SKEP_OK);
    assert_int_equal(skep_budget_take(&kept, 1, NULL), SKEP_ENOMEM);
    assert_int_equal(skep_budget_used(&root), 100);
    skep_budget_force(&other, 20); /* above the limit: the reserve is there all the same */
    assert_int_equal(skep_budget_left(&kept), 0);
    skep_budget_give(&kept, 40);
    assert_int_equal(skep_budget_left(&kept), 40);
    assert_int_equal(skep_budget_left(&other), 0);
    assert_int_equal(skep_budget_used(&root), 80);
    assert_int_equal(skep_budget_take(&kept, 40, NULL), SKEP_OK);
    assert_int_equal(skep_budget_take(&kept, 1, NULL), SKEP_ENOMEM);
    skep_budget_give(&other, 80);
    assert_int_equal(skep_budget_take(&kept, 50, NULL), SKEP_OK); /* more than the reserve */
    assert_int_equal(skep_budget_used(&root), 90);
    skep_budget_give(&kept, 90);
    skep_budget_done(&kept);
    assert_int_equal(skep_budget_take(&other, 100, NULL), SKEP_OK);
    assert_int_equal(skep_budget_used(&root), 100);
}

static void arena_zeroes_and_gives_back(void **state)
{
    (void)state;
    struct skep_budget root;
    struct skep_arena a;
    skep_budget_init(&root, "root", 1 << 20, NULL);
    skep_arena_init(&a, "test", &root);
    for (int round = 0; round < 3; round++) {
        for (int i = 1; i < 2000; i += 7) {
            uint8_t *p = skep_arena_alloc(&a, (size_t)i);
            assert_int_equal((uintptr_t)p % 16, 0);
            for (int k = 0; k < i; k++)
                assert_int_equal(p[k], 0);
            memset(p, 0xaa, (size_t)i);
        }
        skep_arena_reset(&a);
    }
    assert_null(skep_arena_try_alloc(&a, 2 << 20));
    assert_non_null(skep_arena_alloc(&a, 2 << 20)); /* small fixed things go by force */
    skep_arena_done(&a);
    assert_int_equal(skep_budget_used(&root), 0);
}

static void arena_text(void **state)
{
    (void)state;
    struct skep_arena a;
    skep_arena_init(&a, "test", NULL);
    skep_str s = skep_arena_printf(&a, "%d-%s", 7, "x");
    assert_true(skep_str_eq(s, SKEP_STR("7-x")));
    assert_string_equal(skep_cstr(&a, SKEP_STR("abc")), "abc");
    assert_string_equal(skep_cstr(&a, SKEP_STR_NULL), "");
    skep_arena_done(&a);
}

static void buffer_is_bounded(void **state)
{
    (void)state;
    struct skep_buf b;
    skep_buf_init(&b, 10);
    skep_buf_u32(&b, 0x04030201);
    skep_buf_varint(&b, 300);
    skep_buf_align(&b, 8);
    assert_int_equal(b.n, 8);
    assert_int_equal(b.p[0], 1);
    assert_int_equal(b.p[4], 0xac);
    assert_int_equal(b.p[7], 0);
    skep_buf_u32(&b, 1);
    assert_true(b.bad);
    assert_int_equal(b.n, 8);
    skep_buf_u8(&b, 1); /* would fit, but the content is already wrong */
    assert_int_equal(b.n, 8);
    skep_buf_reset(&b);
    skep_buf_printf(&b, "%s", "ten bytes");
    assert_false(b.bad);
    assert_true(skep_str_eq(skep_buf_text(&b), SKEP_STR("ten bytes")));
    size_t n;
    uint8_t *p = skep_buf_take(&b, &n);
    assert_int_equal(n, 9);
    assert_int_equal(b.cap, 0);
    skep_free(p);
    skep_buf_done(&b);
}

/* A folded part of 2.6 MB in a buffer of 4 would be a mapping of its own, faulted in anew. */
static void a_buffer_begins_with_what_it_is_told(void **state)
{
    struct skep_buf b;
    (void)state;
    skep_buf_init(&b, 1 << 20);
    assert_true(skep_buf_reserve(&b, 5000));
    assert_int_equal(b.cap, 5000);
    b.n = 5000;
    skep_buf_u8(&b, 1);
    assert_int_equal(b.cap, 10000);
    skep_buf_done(&b);
    skep_buf_u8(&b, 1);
    assert_int_equal(b.cap, 64);
    assert_false(skep_buf_reserve(&b, 1 << 20));
    skep_buf_done(&b);
    skep_buf_init(&b, 10); /* never more than the limit */
    assert_true(skep_buf_reserve(&b, 10));
    assert_int_equal(b.cap, 10);
    skep_buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budget_is_all_or_nothing),
        cmocka_unit_test(a_reserve_is_kept_from_siblings),
        cmocka_unit_test(arena_zeroes_and_gives_back),
        cmocka_unit_test(arena_text),
        cmocka_unit_test(buffer_is_bounded),
        cmocka_unit_test(a_buffer_begins_with_what_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

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

/* A holder as the chunk cache is one: it gives back at once, and owns beside its reserve. */
struct hold {
    struct skep_budget *of, own;
    uint64_t borrowed, calls;
};

static uint64_t hold_short(void *holder, uint64_t bytes)
{
    struct hold *h = holder;
    uint64_t owed = skep_budget_owed(h->of);
    uint64_t used = skep_budget_used(&h->own);
    uint64_t beyond = used > h->own.reserve_bytes ? used - h->own.reserve_bytes : 0;
    bytes = bytes < beyond ? bytes : beyond;
    assert_true(owed <= h->borrowed);
    skep_budget_repay(h->of, owed);
    h->borrowed -= owed;
    skep_budget_give(&h->own, bytes);
    h->calls++;
    return bytes;
}

static void budget_lends_what_is_idle(void **state)
{
    (void)state;
    struct skep_budget root, parent, kept, other;
    struct hold h = {.of = &parent};
    skep_budget_init(&root, "root", 200, NULL);
    skep_budget_init(&parent, "parent", 100, &root);
    skep_budget_init(&h.own, "own", UINT64_MAX, &parent);
    assert_true(skep_budget_lend_to(&parent, &h.own, hold_short, &h));
    assert_false(skep_budget_lend_to(&parent, &h.own, hold_short, &h)); /* one is enough */
    skep_budget_reserve(&h.own, 20);
    skep_budget_init(&kept, "kept", UINT64_MAX, &parent);
    skep_budget_reserve(&kept, 60);
    skep_budget_init(&other, "other", UINT64_MAX, &parent);
    /* Its own reserve is not lent to it. */
    assert_false(skep_budget_borrow(&parent, 61));
    assert_true(skep_budget_borrow(&parent, h.borrowed = 50));
    assert_int_equal(skep_budget_used(&parent), 50);
    assert_int_equal(skep_budget_used(&root), 50);
    /* Who has the reserve has it at once: 10 lay idle, 20 come back. */
    assert_int_equal(skep_budget_take(&kept, 10, NULL), SKEP_OK);
    assert_int_equal(h.calls, 0);
    assert_int_equal(skep_budget_take(&kept, 20, NULL), SKEP_OK);
    assert_int_equal(h.borrowed, 30);
    skep_budget_force(&kept, 30);
    assert_int_equal(h.borrowed, 0);
    assert_int_equal(skep_budget_used(&root), 60);
    assert_false(skep_budget_borrow(&parent, 1));
    skep_budget_give(&kept, 60);
    assert_true(skep_budget_borrow(&parent, h.borrowed = 60));
    /* Of what is not reserved, it gives way to others with what it took, as far as that goes. */
    assert_int_equal(skep_budget_take(&h.own, 40, NULL), SKEP_OK);
    assert_int_equal(skep_budget_take(&other, 15, NULL), SKEP_OK);
    assert_int_equal(skep_budget_used(&h.own), 25);
    assert_int_equal(skep_budget_take(&other, 6, NULL), SKEP_ENOMEM);
    assert_int_equal(skep_budget_take(&other, 5, NULL), SKEP_OK);
    assert_int_equal(skep_budget_used(&parent), 100);
    assert_int_equal(h.borrowed, 60);
    /* What is taken for itself, here or below, asks it for nothing: it holds its lock. */
    struct skep_budget guest;
    skep_budget_init(&guest, "guest", UINT64_MAX, &h.own);
    uint64_t calls = h.calls;
    assert_int_equal(skep_budget_take(&guest, 1, NULL), SKEP_ENOMEM);
    assert_int_equal(skep_budget_take(&h.own, 1, NULL), SKEP_ENOMEM);
    assert_int_equal(h.calls, calls);
    skep_budget_repay(&parent, h.borrowed);
    skep_budget_give(&h.own, 20);
    skep_budget_give(&other, 20);
    skep_budget_forget(&parent, &h.own);
    skep_budget_done(&h.own);
    skep_budget_done(&kept);
    assert_int_equal(skep_budget_used(&root), 0);
    assert_int_equal(skep_budget_take(&root, 200, NULL), SKEP_OK);
}

enum { KEPT = 3 };

/* At random against a model: what is really used never passes the limit, a reserve is never
 * refused. */
static void budget_lends_as_the_model(void **state)
{
    (void)state;
    static const uint64_t reserves[KEPT] = {40, 30, 10};
    struct skep_budget parent, kept[KEPT];
    struct hold h = {.of = &parent};
    uint64_t used[KEPT] = {0}, s = 7;
    skep_budget_init(&parent, "parent", 100, NULL);
    skep_budget_init(&h.own, "own", UINT64_MAX, &parent);
    assert_true(skep_budget_lend_to(&parent, &h.own, hold_short, &h));
    skep_budget_reserve(&h.own, 10);
    for (unsigned i = 0; i < KEPT; i++) {
        skep_budget_init(&kept[i], "kept", UINT64_MAX, &parent);
        skep_budget_reserve(&kept[i], reserves[i]);
    }
    for (int round = 0; round < 200000; round++) {
        s = s * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t n = (s >> 33) % 25;
        unsigned i = (unsigned)(s >> 40) % KEPT;
        uint64_t own = skep_budget_used(&h.own), lendable = 0, sum = own;
        switch ((s >> 50) % 6) {
        case 0:
        case 1: {
            bool within = used[i] + n <= reserves[i];
            bool taken = skep_budget_take(&kept[i], n, NULL) == SKEP_OK;
            assert_true(taken || !within);
            used[i] += taken ? n : 0;
            break;
        }
        case 2:
            n = n < used[i] ? n : used[i];
            skep_budget_give(&kept[i], n);
            used[i] -= n;
            break;
        case 3: h.borrowed += skep_budget_borrow(&parent, n) ? n : 0; break;
        case 4: (void)!skep_budget_take(&h.own, n, NULL); break;
        default:
            n = n < h.borrowed ? n : h.borrowed;
            skep_budget_repay(&parent, n);
            h.borrowed -= n;
            skep_budget_give(&h.own, n < own ? n : own);
        }
        sum = skep_budget_used(&h.own) + h.borrowed;
        for (unsigned k = 0; k < KEPT; k++) {
            sum += used[k];
            lendable += used[k] < reserves[k] ? reserves[k] - used[k] : 0;
        }
        assert_true(sum <= 100);
        assert_true(h.borrowed <= lendable);
        assert_int_equal(skep_budget_used(&parent), sum);
        assert_int_equal(skep_budget_owed(&parent), 0);
    }
    skep_budget_repay(&parent, h.borrowed);
    skep_budget_give(&h.own, skep_budget_used(&h.own));
    skep_budget_forget(&parent, &h.own);
    skep_budget_done(&h.own);
    for (unsigned i = 0; i < KEPT; i++) {
        skep_budget_give(&kept[i], used[i]);
        skep_budget_done(&kept[i]);
    }
    assert_int_equal(skep_budget_take(&parent, 100, NULL), SKEP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budget_is_all_or_nothing),
        cmocka_unit_test(budget_lends_what_is_idle),
        cmocka_unit_test(budget_lends_as_the_model),
        cmocka_unit_test(a_reserve_is_kept_from_siblings),
        cmocka_unit_test(arena_zeroes_and_gives_back),
        cmocka_unit_test(arena_text),
        cmocka_unit_test(buffer_is_bounded),
        cmocka_unit_test(a_buffer_begins_with_what_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

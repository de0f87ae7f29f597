// SPDX-License-Identifier: Apache-2.0
/* The chunk cache: one object a key, pins hold, the limit and the budget hold, threads agree. */
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "os/thread.h"
#include "store/column/cache.h"
#include "store/column/rowset.h"

enum { OBJECT_BYTES = 1000, KEYS = 200, THREADS = 4, ROUNDS = 20000 };

struct object {
    struct skep_cache_data head;
    uint64_t offset;
    uint8_t fill[OBJECT_BYTES - sizeof(struct skep_cache_data) - 8];
};
_Static_assert(sizeof(struct object) == OBJECT_BYTES, "the test counts bytes");

static _Atomic unsigned made;

static skep_rc make(void *ctx, struct skep_cache_data **ret, skep_err *err)
{
    (void)err;
    struct object *o = skep_calloc(1, sizeof *o);
    o->head.bytes = sizeof *o;
    o->offset = *(const uint64_t *)ctx;
    atomic_fetch_add(&made, 1);
    *ret = &o->head;
    return SKEP_OK;
}

static skep_rc refuse(void *ctx, struct skep_cache_data **ret, skep_err *err)
{
    (void)ctx, (void)ret;
    return skep_fail(err, SKEP_ECORRUPT, "no");
}

static const struct object *pin(struct skep_cache *c, uint64_t offset)
{
    struct skep_cache_key key = {1, offset, 0};
    struct skep_cache_data *d = NULL;
    assert_int_equal(skep_cache_pin(c, &key, OBJECT_BYTES, make, &offset, &d, NULL), SKEP_OK);
    const struct object *o = (const struct object *)d;
    assert_int_equal(o->offset, offset);
    return o;
}

static void test_once(void **state)
{
    (void)state;
    struct skep_cache *c = skep_cache_new(NULL, 1 << 20);
    made = 0;
    const struct object *a = pin(c, 5), *b = pin(c, 5);
    assert_ptr_equal(a, b);
    assert_int_equal(made, 1);
    assert_int_equal(skep_cache_bytes(c), OBJECT_BYTES);
    skep_cache_unpin(c, &a->head);
    skep_cache_unpin(c, &b->head);
    skep_cache_unpin(c, NULL);
    assert_ptr_equal(pin(c, 5), a);
    skep_cache_unpin(c, &a->head);
    skep_cache_drop(c, 1);
    assert_int_equal(skep_cache_bytes(c), 0);
    skep_cache_free(c);
}

static void test_limit(void **state)
{
    (void)state;
    struct skep_cache *c = skep_cache_new(NULL, 10 * OBJECT_BYTES);
    const struct object *held[20];
    for (uint64_t i = 0; i < 20; i++)
        held[i] = pin(c, i); /* pinned beyond the limit: allowed */
    assert_int_equal(skep_cache_bytes(c), 20 * OBJECT_BYTES);
    for (uint64_t i = 0; i < 20; i++)
        skep_cache_unpin(c, &held[i]->head);
    assert_true(skep_cache_bytes(c) <= 10 * OBJECT_BYTES);
    for (uint64_t i = 0; i < KEYS; i++) {
        skep_cache_unpin(c, &pin(c, i)->head);
        assert_true(skep_cache_bytes(c) <= 10 * OBJECT_BYTES);
    }
    skep_cache_free(c);
}

static void test_budget(void **state)
{
    (void)state;
    struct skep_budget parent;
    skep_budget_init(&parent, "parent", 5 * OBJECT_BYTES, NULL);
    struct skep_cache *c = skep_cache_new(&parent, 1 << 20);
    const struct object *held[5];
    for (uint64_t i = 0; i < 5; i++)
        held[i] = pin(c, i);
    struct skep_cache_key key = {1, 99, 0};
    struct skep_cache_data *d = NULL;
    uint64_t offset = 99;
    assert_int_equal(skep_cache_pin(c, &key, OBJECT_BYTES, make, &offset, &d, NULL), SKEP_ENOMEM);
    assert_null(d);
    skep_cache_unpin(c, &held[0]->head);
    assert_int_equal(skep_cache_pin(c, &key, OBJECT_BYTES, make, &offset, &d, NULL), SKEP_OK);
    skep_cache_unpin(c, d);
    for (int i = 1; i < 5; i++)
        skep_cache_unpin(c, &held[i]->head);
    /* A failed load takes nothing, though it may have pushed something out. */
    key.offset = 100;
    assert_int_equal(skep_cache_pin(c, &key, 10, refuse, NULL, &d, NULL), SKEP_ECORRUPT);
    assert_int_equal(skep_cache_bytes(c), 4 * OBJECT_BYTES);
    skep_cache_free(c);
    assert_int_equal(skep_budget_used(&parent), 0);
}

/* A guest with room for five objects, of which it lets go one at a time. */
static bool yield(void *guest, uint64_t bytes)
{
    struct skep_budget *b = guest;
    assert_int_equal(bytes, OBJECT_BYTES);
    if (skep_budget_used(b) == 0)
        return false;
    skep_budget_give(b, OBJECT_BYTES);
    return true;
}

/* Chunks leave for the guest, the guest for chunks that are pinned. */
static void test_guest(void **state)
{
    (void)state;
    struct skep_budget parent, guest;
    skep_budget_init(&parent, "parent", 10 * OBJECT_BYTES, NULL);
    struct skep_cache *c = skep_cache_new(&parent, 10 * OBJECT_BYTES);
    skep_cache_reserve(c, 8 * OBJECT_BYTES); /* which the two share */
    skep_budget_init(&guest, "guest", 5 * OBJECT_BYTES, skep_cache_budget(c));
    skep_cache_invite(c, yield, &guest);
    for (uint64_t i = 0; i < 10; i++)
        skep_cache_unpin(c, &pin(c, i)->head);
    assert_int_equal(skep_cache_bytes(c), 10 * OBJECT_BYTES);
    assert_int_equal(skep_budget_take(&guest, 4 * OBJECT_BYTES, NULL), SKEP_ENOMEM);
    skep_cache_give_way(c, 4 * OBJECT_BYTES);
    assert_int_equal(skep_budget_take(&guest, 4 * OBJECT_BYTES, NULL), SKEP_OK);
    const struct object *held[10];
    for (uint64_t i = 0; i < 10; i++) {
        held[i] = pin(c, i);
        assert_int_equal(skep_budget_used(&guest), (i < 6 ? 4 : 9 - i) * OBJECT_BYTES);
    }
    struct skep_cache_key key = {1, 99, 0};
    struct skep_cache_data *d = NULL;
    uint64_t offset = 99;
    assert_int_equal(skep_cache_pin(c, &key, OBJECT_BYTES, make, &offset, &d, NULL), SKEP_ENOMEM);
    for (int i = 0; i < 10; i++)
        skep_cache_unpin(c, &held[i]->head);
    skep_cache_invite(c, NULL, NULL);
    skep_cache_free(c);
    assert_int_equal(skep_budget_used(&parent), 0);
}

static void worker(void *arg)
{
    struct skep_cache *c = arg;
    uint64_t s = skep_cache_serial() * 0x9e3779b97f4a7c15ull;
    const struct object *held[3] = {NULL};
    for (int i = 0; i < ROUNDS; i++) {
        s = s * 6364136223846793005ull + 1442695040888963407ull;
        const struct object **slot = &held[i % 3];
        if (*slot)
            skep_cache_unpin(c, &(*slot)->head);
        uint64_t offset = (s >> 33) % KEYS;
        struct skep_cache_key key = {1, offset, 0};
        struct skep_cache_data *d = NULL;
        *slot = NULL;
        if (skep_cache_pin(c, &key, OBJECT_BYTES, make, &offset, &d, NULL) != SKEP_OK)
            abort();
        *slot = (const struct object *)d;
        if ((*slot)->offset != offset)
            abort();
    }
    for (int k = 0; k < 3; k++)
        skep_cache_unpin(c, held[k] ? &held[k]->head : NULL);
}

static void test_threads(void **state)
{
    (void)state;
    struct skep_cache *c = skep_cache_new(NULL, 30 * OBJECT_BYTES);
    skep_thread t[THREADS];
    for (int i = 0; i < THREADS; i++)
        skep_thread_start(&t[i], "cache test", worker, c);
    for (int i = 0; i < THREADS; i++)
        skep_thread_join(&t[i]);
    assert_true(skep_cache_bytes(c) <= 30 * OBJECT_BYTES);
    skep_cache_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),  cmocka_unit_test(test_limit),   cmocka_unit_test(test_budget),
        cmocka_unit_test(test_guest), cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/* Memory that lies idle serves questions: the chunk cache borrows it and gives it back at once; a
 * question needs no more of it than a few row groups. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "agg/agg.h"
#include "base/hash.h"
#include "base/mem.h"
#include "engine_support.h"
#include "store/column/cache.h"

enum { OBJECT_BYTES = 1000, ROUNDS = 20000, PINNERS = 3, KEYS = 150 };

struct object {
    struct skep_cache_data head;
    uint8_t fill[OBJECT_BYTES - sizeof(struct skep_cache_data)];
};

static skep_rc make(void *ctx, struct skep_cache_data **ret, skep_err *err)
{
    (void)ctx, (void)err;
    struct object *o = skep_calloc(1, sizeof *o);
    o->head.bytes = sizeof *o;
    *ret = &o->head;
    return SKEP_OK;
}

static skep_rc pin(struct skep_cache *c, uint64_t offset, struct skep_cache_data **ret)
{
    struct skep_cache_key key = {1, offset, 0};
    *ret = NULL;
    return skep_cache_pin(c, &key, OBJECT_BYTES, make, NULL, ret, NULL);
}

static void look_at(struct skep_cache *c, uint64_t from, uint64_t to)
{
    struct skep_cache_data *d;
    for (uint64_t i = from; i < to; i++) {
        assert_int_equal(pin(c, i, &d), SKEP_OK);
        skep_cache_unpin(c, d);
    }
}

/* A store in small: 20 objects, of which others have reserved 10 and the cache 5. */
struct small {
    struct skep_budget memory, kept, others;
    struct skep_cache *c;
};

static void small_init(struct small *s)
{
    skep_budget_init(&s->memory, "memory", 20 * OBJECT_BYTES, NULL);
    s->c = skep_cache_new(&s->memory, 20 * OBJECT_BYTES);
    skep_cache_borrow(s->c);
    skep_cache_reserve(s->c, 5 * OBJECT_BYTES);
    skep_budget_init(&s->kept, "kept", UINT64_MAX, &s->memory);
    skep_budget_reserve(&s->kept, 10 * OBJECT_BYTES);
    skep_budget_init(&s->others, "others", UINT64_MAX, &s->memory);
}

static void small_done(struct small *s)
{
    skep_cache_free(s->c);
    skep_budget_give(&s->kept, skep_budget_used(&s->kept));
    skep_budget_done(&s->kept);
    skep_budget_give(&s->others, skep_budget_used(&s->others));
    assert_int_equal(skep_budget_used(&s->memory), 0);
    assert_int_equal(skep_budget_take(&s->memory, 20 * OBJECT_BYTES, NULL), SKEP_OK);
}

static void test_borrows(void **state)
{
    (void)state;
    struct small s;
    small_init(&s);
    look_at(s.c, 0, 40);
    assert_int_equal(skep_cache_bytes(s.c), 20 * OBJECT_BYTES);
    for (unsigned i = 1; i <= 10; i++) { /* never refused, and nothing goes that need not */
        assert_int_equal(skep_budget_take(&s.kept, OBJECT_BYTES, NULL), SKEP_OK);
        assert_int_equal(skep_cache_bytes(s.c), (20 - i) * OBJECT_BYTES);
    }
    /* Beside its reserve it gives way, down to that. */
    assert_int_equal(skep_budget_take(&s.others, 3 * OBJECT_BYTES, NULL), SKEP_OK);
    assert_int_equal(skep_cache_bytes(s.c), 7 * OBJECT_BYTES);
    assert_int_equal(skep_budget_take(&s.others, 3 * OBJECT_BYTES, NULL), SKEP_ENOMEM);
    assert_int_equal(skep_budget_take(&s.others, 2 * OBJECT_BYTES, NULL), SKEP_OK);
    assert_int_equal(skep_cache_bytes(s.c), 5 * OBJECT_BYTES);
    skep_budget_give(&s.kept, 4 * OBJECT_BYTES);
    look_at(s.c, 0, 40);
    assert_int_equal(skep_cache_bytes(s.c), 9 * OBJECT_BYTES);
    small_done(&s);
}

/* What is pinned stands on memory of the cache's own: all the rest can be asked back. */
static void test_pinned(void **state)
{
    (void)state;
    struct small s;
    struct skep_cache_data *held[11];
    small_init(&s);
    look_at(s.c, 0, 20);
    for (uint64_t i = 0; i < 10; i++) /* of those there, and others */
        assert_int_equal(pin(s.c, i + 10, &held[i]), SKEP_OK);
    assert_int_equal(pin(s.c, 5, &held[10]), SKEP_ENOMEM);
    assert_int_equal(pin(s.c, 99, &held[10]), SKEP_ENOMEM);
    assert_int_equal(skep_budget_take(&s.kept, 10 * OBJECT_BYTES, NULL), SKEP_OK);
    assert_int_equal(skep_cache_bytes(s.c), 10 * OBJECT_BYTES);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(held[i]->bytes, OBJECT_BYTES);
    skep_cache_unpin(s.c, held[0]);
    assert_int_equal(pin(s.c, 99, &held[0]), SKEP_OK);
    for (uint64_t i = 0; i < 10; i++)
        skep_cache_unpin(s.c, held[i]);
    small_done(&s);
}

/* For a guest chunks go to borrowed memory before they go. */
static void test_guest(void **state)
{
    (void)state;
    struct small s;
    struct skep_budget guest;
    small_init(&s);
    skep_budget_init(&guest, "guest", UINT64_MAX, skep_cache_budget(s.c));
    look_at(s.c, 0, 12); /* 10 on its own memory, 2 borrowed */
    skep_cache_give_way(s.c, 4 * OBJECT_BYTES);
    assert_int_equal(skep_budget_take(&guest, 4 * OBJECT_BYTES, NULL), SKEP_OK);
    assert_int_equal(skep_cache_bytes(s.c), 16 * OBJECT_BYTES);
    look_at(s.c, 20, 24);
    assert_int_equal(skep_cache_bytes(s.c), 20 * OBJECT_BYTES);
    skep_cache_give_way(s.c, 2 * OBJECT_BYTES);
    assert_int_equal(skep_budget_take(&guest, 2 * OBJECT_BYTES, NULL), SKEP_OK);
    assert_int_equal(skep_cache_bytes(s.c), 20 * OBJECT_BYTES);
    /* A take of the guest's own asks the cache for nothing: it may hold the guest's lock. */
    assert_int_equal(skep_budget_take(&guest, 20 * OBJECT_BYTES, NULL), SKEP_ENOMEM);
    skep_budget_give(&guest, skep_budget_used(&guest));
    small_done(&s);
}

/* --- threads --- */

struct race {
    struct small s;
    struct skep_mutex guest_mu;
    struct skep_budget guest;
    _Atomic bool stop;
};

static bool yield(void *arg, uint64_t bytes)
{
    struct race *r = arg;
    skep_mutex_lock(&r->guest_mu); /* under the cache's lock */
    uint64_t n = skep_budget_used(&r->guest);
    n = n < bytes ? n : bytes;
    skep_budget_give(&r->guest, n);
    skep_mutex_unlock(&r->guest_mu);
    return n > 0;
}

static void pinner(void *arg)
{
    struct race *r = arg;
    uint64_t x = skep_cache_serial() * 0x9e3779b97f4a7c15ull;
    struct skep_cache_data *held = NULL;
    for (int i = 0; i < ROUNDS; i++) {
        x = x * 6364136223846793005ull + 1442695040888963407ull;
        skep_cache_unpin(r->s.c, held);
        if (pin(r->s.c, (x >> 33) % KEYS, &held) != SKEP_OK) /* three objects fit its reserve */
            abort();
    }
    skep_cache_unpin(r->s.c, held);
}

static void guest(void *arg)
{
    struct race *r = arg;
    while (!atomic_load(&r->stop)) {
        skep_cache_give_way(r->s.c, OBJECT_BYTES);
        skep_mutex_lock(&r->guest_mu); /* its takes are made under its lock, too */
        if (skep_budget_used(&r->guest) > 3 * OBJECT_BYTES)
            skep_budget_give(&r->guest, 2 * OBJECT_BYTES);
        (void)!skep_budget_take(&r->guest, OBJECT_BYTES, NULL);
        skep_mutex_unlock(&r->guest_mu);
    }
}

/* Has its reserve whenever it asks, all else is less by that when it has it. */
static void keeper(void *arg)
{
    struct race *r = arg;
    uint64_t x = 5, used = 0;
    while (!atomic_load(&r->stop)) {
        x = x * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t n = (x >> 33) % (6 * OBJECT_BYTES);
        if (used + n > 10 * OBJECT_BYTES) {
            skep_budget_give(&r->s.kept, used);
            used = 0;
            continue;
        }
        if ((x >> 50) % 2)
            skep_budget_force(&r->s.kept, n);
        else if (skep_budget_take(&r->s.kept, n, NULL) != SKEP_OK)
            abort();
        used += n;
        /* A take that is being refused shows for a moment, one a thread. */
        uint64_t most = 20 * OBJECT_BYTES - used + (PINNERS + 1) * OBJECT_BYTES;
        if (skep_cache_bytes(r->s.c) > most)
            abort();
    }
}

static void other(void *arg)
{
    struct race *r = arg;
    while (!atomic_load(&r->stop))
        if (skep_budget_take(&r->s.others, OBJECT_BYTES, NULL) == SKEP_OK)
            skep_budget_give(&r->s.others, OBJECT_BYTES);
}

static void test_threads(void **state)
{
    (void)state;
    struct race r = {.stop = false};
    skep_thread t[PINNERS], more[3];
    small_init(&r.s);
    skep_mutex_init(&r.guest_mu, "guest");
    skep_budget_init(&r.guest, "guest", UINT64_MAX, skep_cache_budget(r.s.c));
    skep_cache_invite(r.s.c, yield, &r);
    for (int i = 0; i < PINNERS; i++)
        skep_thread_start(&t[i], "pinner", pinner, &r);
    skep_thread_start(&more[0], "guest", guest, &r);
    skep_thread_start(&more[1], "keeper", keeper, &r);
    skep_thread_start(&more[2], "other", other, &r);
    for (int i = 0; i < PINNERS; i++)
        skep_thread_join(&t[i]);
    atomic_store(&r.stop, true);
    for (int i = 0; i < 3; i++)
        skep_thread_join(&more[i]);
    skep_cache_invite(r.s.c, NULL, NULL);
    skep_budget_give(&r.guest, skep_budget_used(&r.guest));
    small_done(&r.s);
    skep_mutex_done(&r.guest_mu);
}

/* --- an engine --- */

enum { BATCH_ROWS = 20000, BATCHES = 24 };

/* Rows of which two each have a session, with a text as long as such ids are. */
static struct skep_batch *sessions(unsigned batch)
{
    struct skep_batch *b = skep_batch_new(NULL, NOW);
    for (uint32_t i = 0; i < BATCH_ROWS; i++) {
        char text[40];
        uint64_t n = (uint64_t)batch * BATCH_ROWS / 2 + i / 2;
        skep_batch_row(b, SKEP_KIND_SPAN, NOW, SKEP_SOURCE_OTLP);
        uint64_t trace[2] = {skep_hash_u64(n), n};
        memcpy(b->trace_id[i].b, trace, sizeof trace);
        b->span_id[i] = skep_hash_u64(~n);
        int len = snprintf(text, sizeof text, "%016llx%016llx",
                           (unsigned long long)skep_hash_u64(n), (unsigned long long)n);
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("session.id"),
                       (skep_value){.type = SKEP_TYPE_STRING, .s = {text, (size_t)len}});
    }
    return b;
}

static struct skep_store *fill(const struct skep_column_config *cfg)
{
    struct skep_store *s = open_store(cfg);
    for (unsigned i = 0; i < BATCHES; i++) {
        assert_int_equal(client_append(s, sessions(i)).rc, SKEP_OK);
        if (i % 4 == 3)
            flush(s);
    }
    return s;
}

/* How often each session came: all of them, twice. */
static void expect_sessions(struct skep_store *s)
{
    static const struct skep_agg count = {.op = SKEP_AGG_COUNT};
    const struct skep_field_ref session = {.name = SKEP_STR_INIT("session.id")};
    const struct skep_plan plan = {.kind = SKEP_PLAN_AGGREGATE,
                                   .range = {0, INT64_MAX},
                                   .groups = &session,
                                   .n_groups = 1,
                                   .aggs = &count,
                                   .n_aggs = 1};
    struct skep_arena arena;
    struct skep_budget own;
    skep_budget_init(&own, "question", 64 << 20, NULL);
    skep_arena_init(&arena, "answer", &own);
    const struct skep_run_opts opts = {.budget = &own, .arena = &arena};
    struct skep_answer a;
    skep_err err;
    if (s->ops->run(s, &plan, &opts, &a, &err) != SKEP_OK)
        fail_msg("sessions: %s", err.text);
    assert_true(a.complete);
    assert_int_equal(skep_partial_n_tuples(a.partial), 1 + BATCHES * BATCH_ROWS / 2); /* absent */
    for (uint32_t c = 0; c < a.partial->cells.n; c++) {
        struct skep_agg_value v;
        skep_agg_finish_count(&count, skep_partial_state(a.partial, 0, c), 1, &v);
        assert_int_equal(v.i, 2);
    }
    skep_partial_free(a.partial);
    skep_arena_done(&arena);
    assert_int_equal(skep_budget_used(&own), 0);
}

/* The dictionaries of a column of many values are several times what the chunk cache may have: they
 * go as the question goes on. */
static void test_many_keys_in_little_memory(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(5);
    struct skep_budget memory, others;
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    struct skep_pool *pool = skep_pool_new("test", 2);
    skep_budget_init(&memory, "memory", 40 << 20, NULL);
    cfg.memory = &memory;
    cfg.part_limit_bytes = 0;
    cfg.pool = pool;
    struct skep_store *s = fill(&cfg);
    assert_true(stats_of(s).segments < BATCHES / 4); /* there are merged ones */
    s->ops->close(s);
    skep_budget_init(&memory, "memory", 10 << 20, NULL);
    s = open_store(&cfg);
    struct skep_engine *e = skep_engine_of(s);
    skep_budget_init(&others, "others", UINT64_MAX, &memory);
    for (uint64_t n = 1 << 20; n > 0; n /= 2) /* nothing but reserves is left */
        while (skep_budget_take(&others, n, NULL) == SKEP_OK) {
        }
    expect_sessions(s);
    assert_true(skep_cache_bytes(e->cache) > 0);
    /* Also beside rows that come in. */
    skep_budget_force(&e->ingest, e->ingest.reserve_bytes);
    skep_budget_force(&e->flush, e->flush.reserve_bytes);
    skep_budget_force(&e->merge, e->merge.reserve_bytes);
    assert_int_equal(atomic_load(&memory.lent_bytes), 0);
    expect_sessions(s);
    skep_budget_give(&e->ingest, e->ingest.reserve_bytes);
    skep_budget_give(&e->flush, e->flush.reserve_bytes);
    skep_budget_give(&e->merge, e->merge.reserve_bytes);
    skep_budget_give(&others, skep_budget_used(&others));
    s->ops->close(s);
    assert_int_equal(skep_budget_used(&memory), 0);
    skep_pool_free(pool);
    mem_os_free(m);
}

/* What questions left in borrowed memory is there for rows at once: none is refused, a flush and a
 * merge have theirs. */
static void test_ingest_has_it_back(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(5);
    struct skep_budget memory;
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    skep_budget_init(&memory, "memory", 36 << 20, NULL);
    cfg.memory = &memory;
    cfg.part_limit_bytes = 0;
    struct skep_store *s = fill(&cfg);
    struct skep_engine *e = skep_engine_of(s);
    expect_sessions(s);
    uint64_t lent = atomic_load(&memory.lent_bytes);
    assert_true(lent > 1 << 20);
    assert_true(skep_budget_used(&memory) <= memory.limit_bytes);
    /* Flush and merge. */
    assert_int_equal(skep_budget_take(&e->flush, e->flush.reserve_bytes, NULL), SKEP_OK);
    assert_int_equal(skep_budget_take(&e->merge, e->merge.reserve_bytes, NULL), SKEP_OK);
    assert_int_equal(skep_budget_owed(&memory), 0);
    skep_budget_give(&e->flush, e->flush.reserve_bytes);
    skep_budget_give(&e->merge, e->merge.reserve_bytes);
    expect_sessions(s);
    unsigned more = 0;
    while (skep_budget_used(&e->parts) < e->part_limit_bytes) {
        assert_int_equal(client_append(s, sessions(BATCHES + more++)).rc, SKEP_OK);
        assert_true(skep_budget_used(&memory) <= memory.limit_bytes);
        assert_int_equal(skep_budget_owed(&memory), 0);
    }
    flush(s);
    assert_int_equal(stats_of(s).rows_live, (BATCHES + more) * BATCH_ROWS);
    s->ops->close(s);
    assert_int_equal(skep_budget_used(&memory), 0);
    mem_os_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_borrows),
        cmocka_unit_test(test_pinned),
        cmocka_unit_test(test_guest),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_many_keys_in_little_memory),
        cmocka_unit_test(test_ingest_has_it_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

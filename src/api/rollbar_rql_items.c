// SPDX-License-Identifier: Apache-2.0
/* item.* of RQL: a function of a row's fingerprint and of where it runs.
 *
 *   (fingerprint, stage) -> remembered?  -> else the state's database, once  -> the member's value
 *
 * An item that is merged into another is the other one, as in Rollbar's groups.
 *
 * Threads: a question's; what is remembered has a lock, because several may evaluate it.  Memory:
 * the job's arena, of what it remembers at most REMEMBERED_MAX items; of more the rest is asked
 * again. */
#include "api/rollbar_rql_rows.h"

#include <xxhash.h>

#include "api/rollbar_priv.h"
#include "base/assert.h"

enum { SLOTS = 1 << 15, REMEMBERED_MAX = SLOTS / 2 };

struct entry {
    uint64_t key; /* 0 = empty */
    struct skep_item item;
    bool there;
};

struct skep_api__rql_items {
    struct skep_state *state;
    skep_str environment;
    struct skep_arena *arena; /* lock */
    struct skep_mutex lock;
    struct entry **slots; /* lock */
    unsigned n;
};

struct skep_api__rql_items *skep_api__rql_items(struct skep_api__job *job)
{
    struct skep_api__rql_items *x = skep_new(&job->arena, struct skep_api__rql_items);
    x->state = job->api->cfg.state;
    x->environment = job->opts.environment;
    x->arena = &job->arena;
    skep_mutex_init(&x->lock, "rql items");
    return x;
}

// --- members -----------------------------------------------------------------------------------

#define MEMBER(name, value)                                                                        \
    static skep_value name(const struct skep_item *i)                                              \
    {                                                                                              \
        return value;                                                                              \
    }
MEMBER(m_id, skep_api__rql_whole(i->id))
MEMBER(m_counter, skep_api__rql_whole(i->counter))
MEMBER(m_title, skep_api__rql_text(i->title))
MEMBER(m_level, skep_api__rql_text(skep_api__item_level_name(i->level)))
MEMBER(m_status, skep_api__rql_text(skep_item_status_name(i->status)))
MEMBER(m_environment, skep_api__rql_text(i->stage))
MEMBER(m_framework, skep_api__rql_text(i->framework))
MEMBER(m_hash, skep_api__rql_text(i->fingerprint))
MEMBER(m_total, skep_api__rql_whole((int64_t)i->since_activated))
MEMBER(m_first, skep_api__rql_seconds(i->first_ns))
MEMBER(m_last, skep_api__rql_seconds(i->last_ns))
MEMBER(m_activated, skep_api__rql_seconds(i->activated_ns))
MEMBER(m_resolved, skep_api__rql_seconds(i->resolved_ns))
MEMBER(m_muted, skep_api__rql_seconds(i->muted_ns))
MEMBER(m_resolved_in, skep_api__rql_text(i->resolved_in))
MEMBER(m_owner, skep_api__rql_text(i->owner))

static const struct member {
    const char *name;
    skep_value (*of)(const struct skep_item *i);
} members[] = {
    {"id", m_id},
    {"counter", m_counter},
    {"title", m_title},
    {"level", m_level},
    {"status", m_status},
    {"environment", m_environment},
    {"framework", m_framework},
    {"hash", m_hash},
    {"total_occurrences", m_total},
    {"first_occurrence_timestamp", m_first},
    {"last_occurrence_timestamp", m_last},
    {"last_activated_timestamp", m_activated},
    {"last_resolved_timestamp", m_resolved},
    {"last_muted_timestamp", m_muted},
    {"resolved_in_version", m_resolved_in},
    {"assigned_user", m_owner},
};

// --- items -------------------------------------------------------------------------------------

/* Copied into the memory of what is remembered. */
static bool find(struct skep_api__rql_items *x, skep_str fingerprint, skep_str stage,
                 struct skep_item *ret)
{
    struct skep_item merged;
    if (skep_state_item_find(x->state, x->environment, stage, fingerprint, x->arena, ret, NULL) !=
        SKEP_OK)
        return false;
    if (ret->merged_into && skep_state_item_get(x->state, x->environment, ret->merged_into, 0,
                                                x->arena, &merged, NULL) == SKEP_OK)
        *ret = merged;
    return true;
}

static const struct entry *look_up_locked(struct skep_api__rql_items *x, skep_str fingerprint,
                                          skep_str stage)
{
    uint64_t key = XXH3_64bits_withSeed(stage.p ? stage.p : "", stage.n,
                                        XXH3_64bits(fingerprint.p, fingerprint.n)) |
                   1;
    unsigned at = (unsigned)(key >> 20) & (SLOTS - 1);
    if (!x->slots)
        x->slots = skep_arena_try_alloc(x->arena, SLOTS * sizeof(struct entry *));
    if (!x->slots)
        return NULL;
    for (; x->slots[at]; at = (at + 1) & (SLOTS - 1)) {
        if (x->slots[at]->key == key)
            return x->slots[at];
    }
    struct entry *e = skep_arena_try_alloc(x->arena, sizeof *e);
    if (!e)
        return NULL;
    e->key = key;
    e->there = find(x, fingerprint, stage, &e->item);
    if (x->n < REMEMBERED_MAX) {
        x->slots[at] = e;
        x->n++;
    }
    return e;
}

struct prepared {
    struct skep_api__rql_items *items;
    const struct member *member;
};

static skep_value eval_item(struct skep_calc_ctx *ctx, const struct skep_calc *call,
                            const skep_value *args)
{
    const struct prepared *p = call->prepared;
    skep_value ret = {.type = SKEP_TYPE_NULL};
    if (args[0].type != SKEP_TYPE_STRING || args[1].type != SKEP_TYPE_STRING)
        return ret;
    skep_mutex_lock(&p->items->lock);
    const struct entry *e = look_up_locked(p->items, args[0].s, args[1].s);
    ctx->short_of_memory |= e == NULL;
    if (e && e->there)
        ret = p->member->of(&e->item);
    skep_mutex_unlock(&p->items->lock);
    return ret;
}

bool skep_api__rql_number(skep_str row_id, int64_t *ret)
{
    skep_row_id id;
    (void)skep_str_cut(&row_id, '.');
    if (!row_id.p || !skep_lang_row_id(row_id, &id))
        return false;
    *ret = skep_api__rb_occurrence_id(id);
    return true;
}

static skep_value eval_id(struct skep_calc_ctx *ctx, const struct skep_calc *call,
                          const skep_value *args)
{
    int64_t id;
    (void)ctx;
    (void)call;
    if (args[0].type != SKEP_TYPE_STRING || !skep_api__rql_number(args[0].s, &id))
        return (skep_value){.type = SKEP_TYPE_NULL};
    return skep_api__rql_whole(id);
}

static const struct skep_calc_fn item_fn = {
    .name = "item", .family = "rql", .min_args = 2, .max_args = 2, .eval = eval_item};
static const struct skep_calc_fn id_fn = {
    .name = "id", .family = "rql", .min_args = 1, .max_args = 1, .eval = eval_id};

struct skep_calc *skep_api__rql_call(struct skep_arena *a, const struct skep_calc_fn *fn,
                                     struct skep_calc *x, struct skep_calc *y)
{
    struct skep_calc **args = skep_new_n(a, struct skep_calc *, 2), *ret = NULL;
    unsigned arg;
    args[0] = x;
    args[1] = y;
    return skep_calc_call(a, fn, args, y ? 2 : 1, &ret, &arg, NULL) == SKEP_OK ? ret : NULL;
}

struct skep_calc *skep_api__rql_item(void *ctx, struct skep_arena *a, skep_str name,
                                     struct skep_calc *fingerprint, struct skep_calc *stage)
{
    const struct skep_api__rql *x = ctx;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(members); i++) {
        if (!skep_str_eq(name, skep_str_c(members[i].name)))
            continue;
        struct skep_calc *ret = skep_api__rql_call(a, &item_fn, fingerprint, stage);
        struct prepared *p = skep_new(a, struct prepared);
        *p = (struct prepared){x->items, &members[i]};
        if (ret)
            ret->prepared = p;
        return ret;
    }
    return NULL;
}

struct skep_calc *skep_api__rql_id(void *ctx, struct skep_arena *a, struct skep_calc *row_id)
{
    (void)ctx;
    return skep_api__rql_call(a, &id_fn, row_id, NULL);
}

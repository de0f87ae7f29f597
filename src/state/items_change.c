// SPDX-License-Identifier: Apache-2.0
/* Items (items.h): what people change.
 *
 * I1  a change and its line in the history are one transaction.
 * Threads: any.  Memory: texts in the caller's arena. */
#include "base/assert.h"
#include "state/items_priv.h"
#include "state/state_priv.h"

enum { LINES_MAX = 1000 };

// --- changes -----------------------------------------------------------------------------------

struct change {
    struct skep_state *s;
    const struct skep_item *item;
    skep_str actor;
    skep_ts_ns now_ns;
    skep_rc rc;
    skep_err *err;
};

static void line(struct change *c, skep_str what, skep_str before, skep_str after)
{
    if (c->rc == SKEP_OK && !skep_str_eq(before, after))
        c->rc = skep_state__item_line(c->s, c->item->id, c->now_ns, c->actor, what, before, after,
                                      c->err);
}

static skep_str number(struct skep_arena *arena, int v)
{
    return skep_arena_printf(arena, "%d", v);
}

/* What the item becomes. */
static struct skep_item patched(const struct skep_item *old, const struct skep_item_patch *p,
                                skep_ts_ns now_ns)
{
    struct skep_item i = *old;
    if (p->set_status && p->status != old->status) {
        i.status = p->status;
        i.activated_ns = p->status == SKEP_ITEM_ACTIVE ? now_ns : i.activated_ns;
        i.resolved_ns = p->status == SKEP_ITEM_RESOLVED ? now_ns : i.resolved_ns;
        i.muted_ns = p->status == SKEP_ITEM_MUTED ? now_ns : i.muted_ns;
        i.since_activated = p->status == SKEP_ITEM_ACTIVE ? 0 : i.since_activated;
        i.mute_until_ns = 0;
        i.mute_until_total = 0;
        i.resolved_in = SKEP_STR_NULL;
    }
    if (p->set_mute) {
        i.mute_until_ns = p->mute_until_ns;
        i.mute_until_total = p->mute_until_total ? i.total + p->mute_until_total : 0;
    }
    i.resolved_in = p->set_resolved_in ? p->resolved_in : i.resolved_in;
    i.level = p->set_level ? p->level : i.level;
    i.level_set |= p->set_level;
    i.title = p->set_title ? p->title : i.title;
    i.title_set |= p->set_title;
    i.owner = p->set_owner ? p->owner : i.owner;
    return i;
}

static skep_rc save(struct skep_state *s, const struct skep_item *i, skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ITEM_SET);
    skep_state__bind_i64(st, 1, i->id);
    skep_state__bind_i64(st, 2, (int64_t)i->status);
    skep_state__bind_i64(st, 3, i->level);
    skep_state__bind_i64(st, 4, i->level_set);
    skep_state__bind_str(st, 5, i->title);
    skep_state__bind_i64(st, 6, i->title_set);
    skep_state__bind_str(st, 7, i->owner);
    skep_state__bind_str(st, 8, i->resolved_in);
    skep_state__bind_i64(st, 9, i->activated_ns);
    skep_state__bind_i64(st, 10, i->resolved_ns);
    skep_state__bind_i64(st, 11, i->muted_ns);
    skep_state__bind_i64(st, 12, i->mute_until_ns);
    skep_state__bind_i64(st, 13, (int64_t)i->mute_until_total);
    skep_state__bind_i64(st, 14, (int64_t)i->since_activated);
    return skep_state__run(s, st, err);
}

static skep_rc get_locked(struct skep_state *s, skep_str environment, int64_t id,
                          struct skep_arena *arena, struct skep_item *ret, skep_err *err)
{
    SKEP_TRY(skep_state__item_by_id(s, id, arena, ret, err));
    if (!skep_str_eq(ret->environment, environment))
        return skep_fail(err, SKEP_ENOTFOUND, "no such item");
    return SKEP_OK;
}

static skep_rc patch_locked(struct skep_state *s, skep_str environment, int64_t id,
                            const struct skep_item_patch *p, skep_str actor, skep_ts_ns now_ns,
                            struct skep_arena *arena, skep_err *err)
{
    struct skep_item old;
    SKEP_TRY(get_locked(s, environment, id, arena, &old, err));
    struct skep_item i = patched(&old, p, now_ns);
    struct change c = {
        .s = s, .item = &i, .actor = actor, .now_ns = now_ns, .rc = SKEP_OK, .err = err};
    SKEP_TRY(save(s, &i, err));
    line(&c, SKEP_STR("status"), skep_item_status_name(old.status),
         skep_item_status_name(i.status));
    line(&c, SKEP_STR("resolved in"), old.resolved_in, i.resolved_in);
    line(&c, SKEP_STR("level"), number(arena, old.level), number(arena, i.level));
    line(&c, SKEP_STR("title"), old.title, i.title);
    line(&c, SKEP_STR("owner"), old.owner, i.owner);
    return c.rc;
}

/* Where an item's members and itself point, when it is merged into something (or 0). */
static skep_rc merge_locked(struct skep_state *s, skep_str environment, int64_t id, int64_t into,
                            skep_str actor, skep_ts_ns now_ns, struct skep_arena *arena,
                            skep_err *err)
{
    struct skep_item item, other = {.id = 0};
    SKEP_TRY(get_locked(s, environment, id, arena, &item, err));
    if (into) {
        SKEP_TRY(get_locked(s, environment, into, arena, &other, err));
        if (other.merged_into)
            SKEP_TRY(get_locked(s, environment, other.merged_into, arena, &other, err));
        if (other.id == id)
            return skep_fail(err, SKEP_EINVAL, "an item cannot be merged into itself");
        if (!skep_str_eq(other.stage, item.stage))
            return skep_fail(err, SKEP_EINVAL, "items of two environments cannot be merged");
    }
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ITEM_MERGE);
    skep_state__bind_i64(st, 1, id);
    skep_state__bind_i64(st, 2, other.id);
    skep_state__bind_str(st, 3, environment);
    SKEP_TRY(skep_state__run(s, st, err));
    const int64_t counted[] = {other.id, item.merged_into, id};
    for (size_t k = 0; k < SKEP_ARRAY_LEN(counted); k++) { /* their own and their members' */
        st = skep_state__use(s, SKEP_STATE__ITEM_RECOUNT);
        skep_state__bind_i64(st, 1, counted[k]);
        skep_state__bind_str(st, 2, environment);
        if (counted[k])
            SKEP_TRY(skep_state__run(s, st, err));
    }
    struct change c = {
        .s = s, .item = &item, .actor = actor, .now_ns = now_ns, .rc = SKEP_OK, .err = err};
    line(&c, SKEP_STR("merged"), number(arena, (int)item.merged_into),
         number(arena, (int)other.id));
    return c.rc;
}

skep_rc skep_state_item_patch(struct skep_state *s, skep_str environment, int64_t id,
                              const struct skep_item_patch *p, skep_str actor, skep_ts_ns now_ns,
                              skep_err *err)
{
    struct skep_arena arena;
    skep_arena_init(&arena, "item", NULL);
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, patch_locked(s, environment, id, p, actor, now_ns, &arena, err),
                             err);
    skep_mutex_unlock(&s->lock);
    skep_arena_done(&arena);
    return rc;
}

skep_rc skep_state_item_merge(struct skep_state *s, skep_str environment, int64_t id, int64_t into,
                              skep_str actor, skep_ts_ns now_ns, skep_err *err)
{
    struct skep_arena arena;
    skep_arena_init(&arena, "item", NULL);
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, merge_locked(s, environment, id, into, actor, now_ns, &arena, err),
                             err);
    skep_mutex_unlock(&s->lock);
    skep_arena_done(&arena);
    return rc;
}

// --- history -----------------------------------------------------------------------------------

skep_rc skep_state_item_comment(struct skep_state *s, skep_str environment, int64_t id,
                                skep_str actor, skep_str text, skep_ts_ns now_ns, skep_err *err)
{
    struct skep_arena arena;
    struct skep_item item;
    skep_arena_init(&arena, "item", NULL);
    skep_mutex_lock(&s->lock);
    skep_rc rc = get_locked(s, environment, id, &arena, &item, err);
    if (rc == SKEP_OK)
        rc = skep_state__item_line(s, id, now_ns, actor, SKEP_STR("comment"), SKEP_STR_NULL, text,
                                   err);
    skep_mutex_unlock(&s->lock);
    skep_arena_done(&arena);
    return rc;
}

skep_rc skep_state_item_history(struct skep_state *s, int64_t id, struct skep_arena *arena,
                                struct skep_item_line **ret, size_t *ret_n, skep_err *err)
{
    size_t n = 0;
    bool row = false;
    struct skep_item_line *list = skep_new_n(arena, struct skep_item_line, LINES_MAX);
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ITEM_LINE_LIST);
    skep_state__bind_i64(st, 1, id);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row && n < LINES_MAX) {
        list[n++] = (struct skep_item_line){.id = sqlite3_column_int64(st, 0),
                                            .at_ns = sqlite3_column_int64(st, 1),
                                            .actor = skep_state__text(arena, st, 2),
                                            .what = skep_state__text(arena, st, 3),
                                            .before = skep_state__text(arena, st, 4),
                                            .after = skep_state__text(arena, st, 5)};
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret = list;
    *ret_n = n;
    return rc;
}

// SPDX-License-Identifier: Apache-2.0
/* Tags and items of CloudWatch Logs (logs.h): filters, tasks, definitions, policies as texts.
 *
 *   log_item (seq, environment, kind, grp, name, body, created_ns, modified_ns)
 *   log_tag  (environment, resource, key, value)
 *
 * I1  as many of a kind in its place as the table below says, never more.
 * Threads: any.  Memory: texts in the caller's arena. */
#include "state/logs.h"

#include "base/assert.h"
#include "state/state_priv.h"

static const struct {
    uint64_t max;
    bool oldest_goes;
} kinds[SKEP_STATE_LOG_KIND_COUNT] = {
    [SKEP_STATE_LOG_METRIC_FILTER] = {100, false},
    [SKEP_STATE_LOG_SUBSCRIPTION_FILTER] = {2, false},
    [SKEP_STATE_LOG_EXPORT_TASK] = {100, true},
    [SKEP_STATE_LOG_QUERY_DEFINITION] = {1000, false},
    [SKEP_STATE_LOG_RESOURCE_POLICY] = {10, false},
};

// --- tags --------------------------------------------------------------------------------------

static sqlite3_stmt *of_resource(struct skep_state *s, enum skep_state__stmt id,
                                 skep_str environment, skep_str resource)
{
    sqlite3_stmt *st = skep_state__use(s, id);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_str(st, 2, resource);
    return st;
}

skep_rc skep_state_log_tags(struct skep_state *s, skep_str environment, skep_str resource,
                            struct skep_arena *arena, struct skep_state_log_tag **ret,
                            size_t *ret_n, skep_err *err)
{
    size_t n = 0;
    bool row = false;
    struct skep_state_log_tag *list =
        skep_new_n(arena, struct skep_state_log_tag, SKEP_STATE_LOG_TAGS_MAX);
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = of_resource(s, SKEP_STATE__LOG_TAG_LIST, environment, resource);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row && n < SKEP_STATE_LOG_TAGS_MAX) {
        list[n++] = (struct skep_state_log_tag){skep_state__text(arena, st, 0),
                                                skep_state__text(arena, st, 1)};
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret = list;
    *ret_n = n;
    return rc;
}

skep_rc skep_state__log_tag_locked(struct skep_state *s, skep_str environment, skep_str resource,
                                   const struct skep_state_log_tag *tags, size_t n, skep_err *err)
{
    uint64_t all = 0;
    for (size_t i = 0; i < n; i++) {
        sqlite3_stmt *st = of_resource(s, SKEP_STATE__LOG_TAG_PUT, environment, resource);
        skep_state__bind_str(st, 3, tags[i].key);
        skep_state__bind_str(st, 4, tags[i].value);
        SKEP_TRY(skep_state__run(s, st, err));
    }
    SKEP_TRY(skep_state__number(s, of_resource(s, SKEP_STATE__LOG_TAG_COUNT, environment, resource),
                                &all, err));
    if (all > SKEP_STATE_LOG_TAGS_MAX)
        return skep_fail(err, SKEP_ELIMIT, "a resource may have %d tags", SKEP_STATE_LOG_TAGS_MAX);
    return SKEP_OK;
}

skep_rc skep_state_log_tag(struct skep_state *s, skep_str environment, skep_str resource,
                           const struct skep_state_log_tag *tags, size_t n, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, skep_state__log_tag_locked(s, environment, resource, tags, n, err),
                             err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_log_untag(struct skep_state *s, skep_str environment, skep_str resource,
                             const skep_str *keys, size_t n, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err), work = rc;
    for (size_t i = 0; i < n && work == SKEP_OK; i++) {
        sqlite3_stmt *st = of_resource(s, SKEP_STATE__LOG_TAG_DROP, environment, resource);
        skep_state__bind_str(st, 3, keys[i]);
        work = skep_state__run(s, st, err);
    }
    if (rc == SKEP_OK)
        rc = skep_state__end(s, work, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

// --- items -------------------------------------------------------------------------------------

static sqlite3_stmt *of_kind(struct skep_state *s, enum skep_state__stmt id, skep_str environment,
                             enum skep_state_log_kind kind, skep_str group)
{
    sqlite3_stmt *st = skep_state__use(s, id);
    skep_assert(kind > 0 && kind < SKEP_STATE_LOG_KIND_COUNT);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_i64(st, 2, (int64_t)kind);
    skep_state__bind_str(st, 3, group);
    return st;
}

static struct skep_state_log_item read_item(struct skep_arena *arena, sqlite3_stmt *st)
{
    return (struct skep_state_log_item){.group = skep_state__text(arena, st, 0),
                                        .name = skep_state__text(arena, st, 1),
                                        .body = skep_state__text(arena, st, 2),
                                        .created_ns = sqlite3_column_int64(st, 3),
                                        .modified_ns = sqlite3_column_int64(st, 4),
                                        .at_seq = (uint64_t)sqlite3_column_int64(st, 5),
                                        .at_ordinal = (uint64_t)sqlite3_column_int64(st, 6),
                                        .environment = skep_state__text(arena, st, 7)};
}

/* An item of an arena's list; texts are bounded by the tables, not by the caller. */
struct found {
    struct found *next;
    struct skep_state_log_item item;
};

/* All rows of a statement, which is reset; the lock is given up. */
static skep_rc read_items(struct skep_state *s, sqlite3_stmt *st, struct skep_arena *arena,
                          struct skep_state_log_item **ret, size_t *ret_n, skep_err *err)
{
    size_t n = 0;
    bool row = false;
    struct found *first = NULL, **last = &first;
    skep_rc rc = skep_state__step(s, st, &row, err);
    for (; rc == SKEP_OK && row; rc = skep_state__step(s, st, &row, err), n++) {
        *last = skep_new(arena, struct found);
        (*last)->item = read_item(arena, st);
        last = &(*last)->next;
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret = skep_new_n(arena, struct skep_state_log_item, n);
    *ret_n = n;
    for (n = 0; first; first = first->next)
        (*ret)[n++] = first->item;
    return rc;
}

skep_rc skep_state_log_items(struct skep_state *s, skep_str environment,
                             enum skep_state_log_kind kind, skep_str group,
                             struct skep_arena *arena, struct skep_state_log_item **ret,
                             size_t *ret_n, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = of_kind(s, SKEP_STATE__LOG_ITEM_LIST, environment, kind, group);
    return read_items(s, st, arena, ret, ret_n, err);
}

skep_rc skep_state_log_items_all(struct skep_state *s, enum skep_state_log_kind kind,
                                 struct skep_arena *arena, struct skep_state_log_item **ret,
                                 size_t *ret_n, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__LOG_ITEM_LIST_ALL);
    skep_state__bind_i64(st, 2, (int64_t)kind);
    return read_items(s, st, arena, ret, ret_n, err);
}

uint64_t skep_state_log_items_version(struct skep_state *s)
{
    skep_mutex_lock(&s->logs.mu);
    uint64_t v = s->logs.items_version;
    skep_mutex_unlock(&s->logs.mu);
    return v;
}

/* After a change: lock held. */
static void changed(struct skep_state *s)
{
    skep_mutex_lock(&s->logs.mu);
    s->logs.items_version++;
    skep_mutex_unlock(&s->logs.mu);
}

skep_rc skep_state_log_item_move(struct skep_state *s, enum skep_state_log_kind kind,
                                 const struct skep_state_log_item *item, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = of_kind(s, SKEP_STATE__LOG_ITEM_MOVE, item->environment, kind, item->group);
    skep_state__bind_str(st, 4, item->name);
    skep_state__bind_i64(st, 5, (int64_t)item->at_seq);
    skep_state__bind_i64(st, 6, (int64_t)item->at_ordinal);
    skep_state__bind_i64(st, 7, item->created_ns);
    skep_rc rc = skep_state__run(s, st, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

static skep_rc find_locked(struct skep_state *s, skep_str environment,
                           enum skep_state_log_kind kind, skep_str group, skep_str name,
                           struct skep_arena *arena, struct skep_state_log_item *ret, bool *found,
                           skep_err *err)
{
    sqlite3_stmt *st = of_kind(s, SKEP_STATE__LOG_ITEM_GET, environment, kind, group);
    skep_state__bind_str(st, 4, name);
    skep_rc rc = skep_state__step(s, st, found, err);
    if (rc == SKEP_OK && *found && ret)
        *ret = read_item(arena, st);
    skep_state__reset(st);
    return rc;
}

skep_rc skep_state_log_item(struct skep_state *s, skep_str environment,
                            enum skep_state_log_kind kind, skep_str group, skep_str name,
                            struct skep_arena *arena, struct skep_state_log_item *ret,
                            skep_err *err)
{
    bool found = false;
    skep_mutex_lock(&s->lock);
    skep_rc rc = find_locked(s, environment, kind, group, name, arena, ret, &found, err);
    skep_mutex_unlock(&s->lock);
    if (rc == SKEP_OK && !found)
        return skep_fail(err, SKEP_ENOTFOUND, "\"" SKEP_STRFMT "\" does not exist",
                         SKEP_STRARG(name));
    return rc;
}

/* I1 */
static skep_rc make_room(struct skep_state *s, skep_str environment, enum skep_state_log_kind kind,
                         skep_str group, skep_err *err)
{
    uint64_t n = 0;
    SKEP_TRY(skep_state__number(s, of_kind(s, SKEP_STATE__LOG_ITEM_COUNT, environment, kind, group),
                                &n, err));
    if (n < kinds[kind].max)
        return SKEP_OK;
    if (!kinds[kind].oldest_goes)
        return skep_fail(err, SKEP_ELIMIT, "Resource limit exceeded.");
    return skep_state__run(
        s, of_kind(s, SKEP_STATE__LOG_ITEM_DROP_OLDEST, environment, kind, group), err);
}

static skep_rc put_locked(struct skep_state *s, skep_str environment, enum skep_state_log_kind kind,
                          struct skep_state_log_item *item, skep_err *err)
{
    bool found = false;
    SKEP_TRY(find_locked(s, environment, kind, item->group, item->name, NULL, NULL, &found, err));
    if (!found)
        SKEP_TRY(make_room(s, environment, kind, item->group, err));
    sqlite3_stmt *st = of_kind(s, SKEP_STATE__LOG_ITEM_PUT, environment, kind, item->group);
    skep_state__bind_str(st, 4, item->name);
    skep_state__bind_str(st, 5, item->body);
    skep_state__bind_i64(st, 6, item->modified_ns);
    skep_state__bind_i64(st, 7, (int64_t)item->at_seq);
    skep_state__bind_i64(st, 8, (int64_t)item->at_ordinal);
    return skep_state__run(s, st, err);
}

skep_rc skep_state_log_item_put(struct skep_state *s, skep_str environment,
                                enum skep_state_log_kind kind, struct skep_state_log_item *item,
                                skep_err *err)
{
    item->modified_ns = s->os->now_ns(s->os);
    if (item->created_ns == 0)
        item->created_ns = item->modified_ns;
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, put_locked(s, environment, kind, item, err), err);
    changed(s);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_log_item_drop(struct skep_state *s, skep_str environment,
                                 enum skep_state_log_kind kind, skep_str group, skep_str name,
                                 skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = of_kind(s, SKEP_STATE__LOG_ITEM_DROP, environment, kind, group);
    skep_state__bind_str(st, 4, name);
    skep_rc rc = skep_state__run(s, st, err);
    if (rc == SKEP_OK && sqlite3_changes(s->db) == 0)
        rc =
            skep_fail(err, SKEP_ENOTFOUND, "\"" SKEP_STRFMT "\" does not exist", SKEP_STRARG(name));
    changed(s);
    skep_mutex_unlock(&s->lock);
    return rc;
}

// SPDX-License-Identifier: Apache-2.0
/* X-Ray's groups, sampling rules, policies, retrievals, tags and sampling windows (xray.h).
 *
 *   xray_item   (seq, environment, kind, name, body, created_ns, modified_ns)
 *   xray_tag    (environment, kind, name, key, value)       go with their item
 *   xray_window (environment, start_ns, rule, requests, borrowed, sampled)
 *
 * I1  as many of a kind in an environment as the table below says, never more.
 * I2  modified_ns of an item grows with every change, also when the clock was set back: who read an
 *     item and replaces it is told when somebody else was faster.
 * I3  dropping a rule is remembered (RULE_DROPPED), because clients ask whether rules changed.
 * Threads: any.  Memory: texts in the caller's arena. */
#include "state/xray.h"

#include "base/assert.h"
#include "base/mem.h"
#include "state/state_priv.h"

static const struct {
    uint64_t max;
    bool oldest_goes;
    const char *plural;
} kinds[] = {
    [SKEP_STATE_XRAY_GROUP] = {SKEP_STATE_XRAY_GROUPS_MAX, false, "groups"},
    [SKEP_STATE_XRAY_RULE] = {SKEP_STATE_XRAY_RULES_MAX, false, "sampling rules"},
    [SKEP_STATE_XRAY_POLICY] = {SKEP_STATE_XRAY_POLICIES_MAX, false, "resource policies"},
    [SKEP_STATE_XRAY_RETRIEVAL] = {SKEP_STATE_XRAY_RETRIEVALS_MAX, true, "retrievals"},
    [SKEP_STATE_XRAY_RULE_DROPPED] = {1, true, "marks"},
};

/* A statement with ?1 environment, ?2 kind and, unless it is NULL, ?3 name. */
static sqlite3_stmt *use(struct skep_state *s, enum skep_state__stmt id, skep_str environment,
                         enum skep_state_xray_kind kind, const skep_str *name)
{
    sqlite3_stmt *st = skep_state__use(s, id);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_i64(st, 2, (int64_t)kind);
    if (name)
        skep_state__bind_str(st, 3, *name);
    return st;
}

/* --- items ---------------------------------------------------------------------------------------
 */

static struct skep_state_xray_item read_item(struct skep_arena *arena, sqlite3_stmt *st)
{
    return (struct skep_state_xray_item){.name = skep_state__text(arena, st, 0),
                                         .body = skep_state__text(arena, st, 1),
                                         .created_ns = sqlite3_column_int64(st, 2),
                                         .modified_ns = sqlite3_column_int64(st, 3)};
}

skep_rc skep_state_xray_list(struct skep_state *s, skep_str environment,
                             enum skep_state_xray_kind kind, struct skep_arena *arena,
                             struct skep_state_xray_item **ret, size_t *ret_n, skep_err *err)
{
    size_t n = 0, max = kinds[kind].max;
    bool row = false;
    struct skep_state_xray_item *list = skep_new_n(arena, struct skep_state_xray_item, max);
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = use(s, SKEP_STATE__XRAY_LIST, environment, kind, NULL);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row && n < max) {
        list[n++] = read_item(arena, st);
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret = list;
    *ret_n = n;
    return rc;
}

static skep_rc get_locked(struct skep_state *s, skep_str environment,
                          enum skep_state_xray_kind kind, skep_str name, struct skep_arena *arena,
                          struct skep_state_xray_item *ret, skep_err *err)
{
    bool row = false;
    sqlite3_stmt *st = use(s, SKEP_STATE__XRAY_GET, environment, kind, &name);
    skep_rc rc = skep_state__step(s, st, &row, err);
    if (rc == SKEP_OK && row)
        *ret = read_item(arena, st);
    skep_state__reset(st);
    if (rc == SKEP_OK && !row)
        return skep_fail(err, SKEP_ENOTFOUND, "\"" SKEP_STRFMT "\" does not exist",
                         SKEP_STRARG(name));
    return rc;
}

skep_rc skep_state_xray_get(struct skep_state *s, skep_str environment,
                            enum skep_state_xray_kind kind, skep_str name, struct skep_arena *arena,
                            struct skep_state_xray_item *ret, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = get_locked(s, environment, kind, name, arena, ret, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

static skep_rc put_locked(struct skep_state *s, skep_str environment,
                          enum skep_state_xray_kind kind, const struct skep_state_xray_item *item,
                          skep_err *err)
{
    sqlite3_stmt *st = use(s, SKEP_STATE__XRAY_PUT, environment, kind, &item->name);
    skep_state__bind_str(st, 4, item->body);
    skep_state__bind_i64(st, 5, item->modified_ns);
    return skep_state__run(s, st, err);
}

/* I1 */
static skep_rc make_room_locked(struct skep_state *s, skep_str environment,
                                enum skep_state_xray_kind kind, skep_err *err)
{
    uint64_t n = 0;
    sqlite3_stmt *st = use(s, SKEP_STATE__XRAY_COUNT, environment, kind, NULL);
    SKEP_TRY(skep_state__number(s, st, &n, err));
    if (n < kinds[kind].max)
        return SKEP_OK;
    if (!kinds[kind].oldest_goes)
        return skep_fail(err, SKEP_ELIMIT, "there are %llu %s, and no more may be",
                         (unsigned long long)n, kinds[kind].plural);
    return skep_state__run(s, use(s, SKEP_STATE__XRAY_DROP_OLDEST, environment, kind, NULL), err);
}

static skep_rc create_locked(struct skep_state *s, skep_str environment,
                             enum skep_state_xray_kind kind,
                             const struct skep_state_xray_item *item, skep_err *err)
{
    bool row = false;
    sqlite3_stmt *st = use(s, SKEP_STATE__XRAY_GET, environment, kind, &item->name);
    skep_rc rc = skep_state__step(s, st, &row, err);
    skep_state__reset(st);
    if (rc != SKEP_OK)
        return rc;
    if (row)
        return skep_fail(err, SKEP_EEXISTS, "\"" SKEP_STRFMT "\" exists already",
                         SKEP_STRARG(item->name));
    SKEP_TRY(make_room_locked(s, environment, kind, err));
    return put_locked(s, environment, kind, item, err);
}

skep_rc skep_state_xray_create(struct skep_state *s, skep_str environment,
                               enum skep_state_xray_kind kind, struct skep_state_xray_item *item,
                               skep_err *err)
{
    skep_assert(kind != SKEP_STATE_XRAY_RULE_DROPPED);
    item->created_ns = item->modified_ns = s->os->now_ns(s->os);
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, create_locked(s, environment, kind, item, err), err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

static skep_rc replace_locked(struct skep_state *s, skep_str environment,
                              enum skep_state_xray_kind kind, struct skep_state_xray_item *item,
                              skep_err *err)
{
    struct skep_arena arena;
    struct skep_state_xray_item now;
    skep_arena_init(&arena, "xray item", NULL);
    skep_rc rc = get_locked(s, environment, kind, item->name, &arena, &now, err);
    if (rc == SKEP_OK && now.modified_ns != item->modified_ns)
        rc = skep_fail(err, SKEP_EAGAIN, "\"" SKEP_STRFMT "\" was changed at the same time",
                       SKEP_STRARG(item->name));
    if (rc == SKEP_OK) {
        item->modified_ns = SKEP_MAX(s->os->now_ns(s->os), now.modified_ns + 1); /* I2 */
        rc = put_locked(s, environment, kind, item, err);
    }
    skep_arena_done(&arena);
    return rc;
}

skep_rc skep_state_xray_replace(struct skep_state *s, skep_str environment,
                                enum skep_state_xray_kind kind, struct skep_state_xray_item *item,
                                skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, replace_locked(s, environment, kind, item, err), err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

static skep_rc modified_locked(struct skep_state *s, skep_str environment, uint64_t *ret,
                               skep_err *err)
{
    sqlite3_stmt *st = use(s, SKEP_STATE__XRAY_MODIFIED, environment, SKEP_STATE_XRAY_RULE, NULL);
    skep_state__bind_i64(st, 3, SKEP_STATE_XRAY_RULE_DROPPED);
    return skep_state__number(s, st, ret, err);
}

static skep_rc drop_locked(struct skep_state *s, skep_str environment,
                           enum skep_state_xray_kind kind, skep_str name, skep_err *err)
{
    uint64_t last = 0;
    struct skep_state_xray_item mark = {.name = SKEP_STR("last")};
    if (kind == SKEP_STATE_XRAY_RULE)
        SKEP_TRY(modified_locked(s, environment, &last, err));
    SKEP_TRY(skep_state__run(s, use(s, SKEP_STATE__XRAY_DROP, environment, kind, &name), err));
    if (sqlite3_changes(s->db) == 0)
        return skep_fail(err, SKEP_ENOTFOUND, "\"" SKEP_STRFMT "\" does not exist",
                         SKEP_STRARG(name));
    SKEP_TRY(
        skep_state__run(s, use(s, SKEP_STATE__XRAY_TAG_DROP_ALL, environment, kind, &name), err));
    if (kind != SKEP_STATE_XRAY_RULE)
        return SKEP_OK;
    mark.modified_ns = SKEP_MAX(s->os->now_ns(s->os), (int64_t)last + 1);
    return put_locked(s, environment, SKEP_STATE_XRAY_RULE_DROPPED, &mark, err); /* I3 */
}

skep_rc skep_state_xray_drop(struct skep_state *s, skep_str environment,
                             enum skep_state_xray_kind kind, skep_str name, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, drop_locked(s, environment, kind, name, err), err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_xray_rules_modified(struct skep_state *s, skep_str environment, int64_t *ret_ns,
                                       skep_err *err)
{
    uint64_t ns = 0;
    skep_mutex_lock(&s->lock);
    skep_rc rc = modified_locked(s, environment, &ns, err);
    skep_mutex_unlock(&s->lock);
    if (rc == SKEP_OK)
        *ret_ns = (int64_t)ns;
    return rc;
}

/* --- tags ----------------------------------------------------------------------------------------
 */

skep_rc skep_state_xray_tags(struct skep_state *s, skep_str environment,
                             enum skep_state_xray_kind kind, skep_str name,
                             struct skep_arena *arena, struct skep_state_xray_tag **ret,
                             size_t *ret_n, skep_err *err)
{
    size_t n = 0;
    bool row = false;
    struct skep_state_xray_tag *list =
        skep_new_n(arena, struct skep_state_xray_tag, SKEP_STATE_XRAY_TAGS_MAX);
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = use(s, SKEP_STATE__XRAY_TAG_LIST, environment, kind, &name);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row && n < SKEP_STATE_XRAY_TAGS_MAX) {
        list[n++] = (struct skep_state_xray_tag){skep_state__text(arena, st, 0),
                                                 skep_state__text(arena, st, 1)};
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret = list;
    *ret_n = n;
    return rc;
}

static skep_rc tag_locked(struct skep_state *s, skep_str environment,
                          enum skep_state_xray_kind kind, skep_str name,
                          const struct skep_state_xray_tag *tags, size_t n, skep_err *err)
{
    uint64_t now = 0;
    for (size_t i = 0; i < n; i++) {
        sqlite3_stmt *st = use(s, SKEP_STATE__XRAY_TAG_PUT, environment, kind, &name);
        skep_state__bind_str(st, 4, tags[i].key);
        skep_state__bind_str(st, 5, tags[i].value);
        SKEP_TRY(skep_state__run(s, st, err));
    }
    SKEP_TRY(skep_state__number(s, use(s, SKEP_STATE__XRAY_TAG_COUNT, environment, kind, &name),
                                &now, err));
    if (now > SKEP_STATE_XRAY_TAGS_MAX)
        return skep_fail(err, SKEP_ELIMIT, "a resource may have %d tags", SKEP_STATE_XRAY_TAGS_MAX);
    return SKEP_OK;
}

skep_rc skep_state_xray_tag(struct skep_state *s, skep_str environment,
                            enum skep_state_xray_kind kind, skep_str name,
                            const struct skep_state_xray_tag *tags, size_t n, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, tag_locked(s, environment, kind, name, tags, n, err), err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

static skep_rc untag_locked(struct skep_state *s, skep_str environment,
                            enum skep_state_xray_kind kind, skep_str name, const skep_str *keys,
                            size_t n, skep_err *err)
{
    for (size_t i = 0; i < n; i++) {
        sqlite3_stmt *st = use(s, SKEP_STATE__XRAY_TAG_DROP, environment, kind, &name);
        skep_state__bind_str(st, 4, keys[i]);
        SKEP_TRY(skep_state__run(s, st, err));
    }
    return SKEP_OK;
}

skep_rc skep_state_xray_untag(struct skep_state *s, skep_str environment,
                              enum skep_state_xray_kind kind, skep_str name, const skep_str *keys,
                              size_t n, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, untag_locked(s, environment, kind, name, keys, n, err), err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

/* --- windows -------------------------------------------------------------------------------------
 */

static skep_rc add_windows_locked(struct skep_state *s,
                                  const struct skep_state_xray_window *windows, size_t n,
                                  skep_ts_ns now_ns, skep_err *err)
{
    for (size_t i = 0; i < n; i++) {
        sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__XRAY_WINDOW_ADD);
        skep_state__bind_str(st, 1, windows[i].environment);
        skep_state__bind_i64(st, 2, windows[i].start_ns);
        skep_state__bind_str(st, 3, windows[i].rule);
        skep_state__bind_i64(st, 4, (int64_t)windows[i].requests);
        skep_state__bind_i64(st, 5, (int64_t)windows[i].borrowed);
        skep_state__bind_i64(st, 6, (int64_t)windows[i].sampled);
        SKEP_TRY(skep_state__run(s, st, err));
    }
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__XRAY_WINDOW_FOLD);
    skep_state__bind_i64(st, 1, now_ns - SKEP_STATE_XRAY_KEPT_NS);
    return skep_state__run(s, st, err);
}

skep_rc skep_state_xray_add_windows(struct skep_state *s,
                                    const struct skep_state_xray_window *windows, size_t n,
                                    skep_ts_ns now_ns, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, add_windows_locked(s, windows, n, now_ns, err), err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_xray_windows(struct skep_state *s, skep_str environment, skep_ts_ns since_ns,
                                struct skep_arena *arena, struct skep_state_xray_window **ret,
                                size_t *ret_n, skep_err *err)
{
    struct skep_state_xray_window *list = NULL;
    size_t n = 0, cap = 0;
    bool row = false;
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__XRAY_WINDOW_LIST);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_i64(st, 2, since_ns);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row) {
        SKEP_GROW(list, n, cap);
        list[n++] =
            (struct skep_state_xray_window){.environment = environment,
                                            .start_ns = sqlite3_column_int64(st, 0),
                                            .rule = skep_state__text(arena, st, 1),
                                            .requests = (uint64_t)sqlite3_column_int64(st, 2),
                                            .borrowed = (uint64_t)sqlite3_column_int64(st, 3),
                                            .sampled = (uint64_t)sqlite3_column_int64(st, 4)};
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret = skep_new_n(arena, struct skep_state_xray_window, n ? n : 1);
    if (n)
        memcpy(*ret, list, n * sizeof *list);
    *ret_n = n;
    skep_free(list);
    return rc;
}

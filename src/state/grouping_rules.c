// SPDX-License-Identifier: Apache-2.0
/* Rules about grouping (grouping_rules.h).
 *
 *   grouping_rule (id, environment, position, body, changed_ns)
 *
 * Threads: any.  Memory: texts in the caller's arena. */
#include "state/grouping_rules.h"

#include "base/assert.h"
#include "state/state_priv.h"

enum { ALL_MAX = 100000 };

skep_rc skep_state_grouping_rules(struct skep_state *s, const skep_str *environment,
                                  struct skep_arena *arena, struct skep_state_grouping_rule **ret,
                                  size_t *ret_n, skep_err *err)
{
    size_t n = 0, cap = SKEP_STATE_GROUPING_RULES_MAX;
    bool row = false;
    struct skep_state_grouping_rule *list = skep_new_n(arena, struct skep_state_grouping_rule, cap);
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__GROUPING_LIST);
    skep_state__bind_str(st, 1, environment ? *environment : SKEP_STR_NULL);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row && n < ALL_MAX) {
        if (n == cap) {
            struct skep_state_grouping_rule *more =
                skep_new_n(arena, struct skep_state_grouping_rule, 2 * cap);
            memcpy(more, list, n * sizeof *list);
            list = more;
            cap *= 2;
        }
        list[n++] = (struct skep_state_grouping_rule){.id = sqlite3_column_int64(st, 0),
                                                      .environment = skep_state__text(arena, st, 1),
                                                      .body = skep_state__text(arena, st, 2),
                                                      .changed_ns = sqlite3_column_int64(st, 3)};
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret = list;
    *ret_n = n;
    return rc;
}

static skep_rc insert(struct skep_state *s, const struct skep_state_grouping_rule *r,
                      int64_t *ret_id, skep_err *err)
{
    uint64_t have = 0;
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__GROUPING_COUNT);
    skep_state__bind_str(st, 1, r->environment);
    SKEP_TRY(skep_state__number(s, st, &have, err));
    if (have >= SKEP_STATE_GROUPING_RULES_MAX)
        return skep_fail(err, SKEP_ELIMIT, "an environment may have %d rules about grouping",
                         SKEP_STATE_GROUPING_RULES_MAX);
    st = skep_state__use(s, SKEP_STATE__GROUPING_PUT);
    skep_state__bind_str(st, 1, r->environment);
    skep_state__bind_str(st, 2, r->body);
    skep_state__bind_i64(st, 3, r->changed_ns);
    SKEP_TRY(skep_state__run(s, st, err));
    *ret_id = sqlite3_last_insert_rowid(s->db);
    return SKEP_OK;
}

/* The statement changed a rule. */
static skep_rc changed(struct skep_state *s, sqlite3_stmt *st, skep_err *err)
{
    SKEP_TRY(skep_state__run(s, st, err));
    return sqlite3_changes(s->db) > 0 ? SKEP_OK : skep_fail(err, SKEP_ENOTFOUND, "no such rule");
}

skep_rc skep_state_grouping_rule_put(struct skep_state *s, const struct skep_state_grouping_rule *r,
                                     int64_t *ret_id, skep_err *err)
{
    skep_rc rc;
    *ret_id = r->id;
    skep_mutex_lock(&s->lock);
    if (r->id == 0) {
        rc = insert(s, r, ret_id, err);
    } else {
        sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__GROUPING_SET);
        skep_state__bind_str(st, 1, r->environment);
        skep_state__bind_str(st, 2, r->body);
        skep_state__bind_i64(st, 3, r->changed_ns);
        skep_state__bind_i64(st, 4, r->id);
        rc = changed(s, st, err);
    }
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_grouping_rule_drop(struct skep_state *s, skep_str environment, int64_t id,
                                      skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__GROUPING_DROP);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_i64(st, 2, id);
    skep_rc rc = changed(s, st, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

static skep_rc order(struct skep_state *s, skep_str environment, const int64_t *ids, size_t n,
                     skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__GROUPING_BEHIND);
    skep_state__bind_str(st, 1, environment);
    SKEP_TRY(skep_state__run(s, st, err));
    for (size_t i = 0; i < n; i++) {
        st = skep_state__use(s, SKEP_STATE__GROUPING_PLACE);
        skep_state__bind_str(st, 1, environment);
        skep_state__bind_i64(st, 2, ids[i]);
        skep_state__bind_i64(st, 3, (int64_t)i + 1);
        SKEP_TRY(changed(s, st, err));
    }
    st = skep_state__use(s, SKEP_STATE__GROUPING_PACK);
    skep_state__bind_str(st, 1, environment);
    return skep_state__run(s, st, err);
}

skep_rc skep_state_grouping_rules_order(struct skep_state *s, skep_str environment,
                                        const int64_t *ids, size_t n, skep_err *err)
{
    skep_assert(n <= SKEP_STATE_GROUPING_RULES_MAX);
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, order(s, environment, ids, n, err), err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

// SPDX-License-Identifier: Apache-2.0
/* Rules of who is told what about items (item_rules.h).
 *
 *   item_rule (id, environment, place, what, level_min, stage, count, window_s, created_ns,
 *              payload)
 *
 * Threads: any.  Memory: texts in the caller's arena. */
#include "state/item_rules.h"

#include "base/assert.h"
#include "state/state_priv.h"

enum { ALL_MAX = 10000 };

static const skep_str names[] = {[SKEP_TRIGGER_NEW] = SKEP_STR_INIT("new"),
                                 [SKEP_TRIGGER_REACTIVATED] = SKEP_STR_INIT("reactivated"),
                                 [SKEP_TRIGGER_REPEAT] = SKEP_STR_INIT("repeat"),
                                 [SKEP_TRIGGER_RATE] = SKEP_STR_INIT("rate")};

skep_str skep_item_trigger_name(enum skep_item_trigger t)
{
    skep_assert(t >= SKEP_TRIGGER_NEW && t <= SKEP_TRIGGER_RATE);
    return names[t];
}

bool skep_item_trigger_parse(skep_str name, enum skep_item_trigger *ret)
{
    for (int t = SKEP_TRIGGER_NEW; t <= SKEP_TRIGGER_RATE; t++) {
        if (skep_str_eq(name, names[t])) {
            *ret = (enum skep_item_trigger)t;
            return true;
        }
    }
    return false;
}

skep_rc skep_state_item_rules(struct skep_state *s, const skep_str *environment,
                              struct skep_arena *arena, struct skep_item_rule **ret, size_t *ret_n,
                              skep_err *err)
{
    size_t n = 0, cap = 16;
    bool row = false;
    struct skep_item_rule *list = skep_new_n(arena, struct skep_item_rule, cap);
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ITEM_RULE_LIST);
    skep_state__bind_str(st, 1, environment ? *environment : SKEP_STR_NULL);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row && n < ALL_MAX) {
        if (n == cap) {
            struct skep_item_rule *more = skep_new_n(arena, struct skep_item_rule, 2 * cap);
            memcpy(more, list, n * sizeof *list);
            list = more;
            cap *= 2;
        }
        list[n++] = (struct skep_item_rule){.id = sqlite3_column_int64(st, 0),
                                            .environment = skep_state__text(arena, st, 1),
                                            .place = skep_state__text(arena, st, 2),
                                            .trigger = (enum skep_item_trigger)skep_state__one_of(
                                                st, 3, SKEP_TRIGGER_NEW, SKEP_TRIGGER_RATE),
                                            .level_min = sqlite3_column_int(st, 4),
                                            .stage = skep_state__text(arena, st, 5),
                                            .count = (uint64_t)sqlite3_column_int64(st, 6),
                                            .window_s = sqlite3_column_int64(st, 7),
                                            .created_ns = sqlite3_column_int64(st, 8),
                                            .payload = skep_state__text(arena, st, 9)};
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret = list;
    *ret_n = n;
    return rc;
}

static skep_rc put_locked(struct skep_state *s, const struct skep_item_rule *r, int64_t *ret_id,
                          skep_err *err)
{
    uint64_t have = 0;
    *ret_id = 0;
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ITEM_RULE_COUNT);
    skep_state__bind_str(st, 1, r->environment);
    skep_rc rc = skep_state__number(s, st, &have, err);
    if (rc == SKEP_OK && have >= SKEP_ITEM_RULES_MAX)
        rc = skep_fail(err, SKEP_ELIMIT, "an environment may have %d rules", SKEP_ITEM_RULES_MAX);
    if (rc == SKEP_OK) {
        st = skep_state__use(s, SKEP_STATE__ITEM_RULE_PUT);
        skep_state__bind_str(st, 1, r->environment);
        skep_state__bind_str(st, 2, r->place);
        skep_state__bind_i64(st, 3, (int64_t)r->trigger);
        skep_state__bind_i64(st, 4, r->level_min);
        skep_state__bind_str(st, 5, r->stage);
        skep_state__bind_i64(st, 6, (int64_t)r->count);
        skep_state__bind_i64(st, 7, r->window_s);
        skep_state__bind_i64(st, 8, r->created_ns);
        skep_state__bind_str(st, 9, r->payload);
        rc = skep_state__run(s, st, err);
        *ret_id = sqlite3_last_insert_rowid(s->db);
    }
    return rc;
}

skep_rc skep_state_item_rule_put(struct skep_state *s, const struct skep_item_rule *r,
                                 int64_t *ret_id, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = put_locked(s, r, ret_id, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

static skep_rc drop_locked(struct skep_state *s, skep_str environment, int64_t id, skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__ITEM_RULE_DROP);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_i64(st, 2, id);
    return skep_state__run(s, st, err);
}

static skep_rc swap_locked(struct skep_state *s, skep_str environment, const int64_t *drop,
                           size_t n_drop, struct skep_item_rule *put, size_t n_put, skep_err *err)
{
    for (size_t i = 0; i < n_drop; i++)
        SKEP_TRY(drop_locked(s, environment, drop[i], err));
    for (size_t i = 0; i < n_put; i++) {
        skep_assert(skep_str_eq(put[i].environment, environment));
        SKEP_TRY(put_locked(s, &put[i], &put[i].id, err));
    }
    return SKEP_OK;
}

skep_rc skep_state_item_rules_swap(struct skep_state *s, skep_str environment, const int64_t *drop,
                                   size_t n_drop, struct skep_item_rule *put, size_t n_put,
                                   skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, swap_locked(s, environment, drop, n_drop, put, n_put, err), err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_item_rule_drop(struct skep_state *s, skep_str environment, int64_t id,
                                  skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = drop_locked(s, environment, id, err);
    if (rc == SKEP_OK && sqlite3_changes(s->db) == 0)
        rc = skep_fail(err, SKEP_ENOTFOUND, "no such rule");
    skep_mutex_unlock(&s->lock);
    return rc;
}

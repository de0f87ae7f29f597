// SPDX-License-Identifier: Apache-2.0
/* The audit log (audit.h).
 *
 *   audit (number, at_ns, who, what, target, address)      number grows by one an entry
 *
 * I1  an entry and what falls out of the log for it are one transaction.
 * Threads: any.  Memory: texts in the caller's arena. */
#include "state/audit.h"

#include "base/assert.h"
#include "state/state_priv.h"

/* Cut between characters, never inside one. */
static skep_str cut(skep_str s)
{
    if (s.n <= SKEP_STATE_AUDIT_TEXT_MAX_BYTES)
        return s;
    size_t n = SKEP_STATE_AUDIT_TEXT_MAX_BYTES;
    while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    return (skep_str){s.p, n};
}

static skep_rc put_locked(struct skep_state *s, const struct skep_state_audit *e, skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__AUDIT_PUT);
    skep_state__bind_i64(st, 1, e->at_ns ? e->at_ns : s->os->now_ns(s->os));
    skep_state__bind_str(st, 2, cut(e->who));
    skep_state__bind_str(st, 3, cut(e->what));
    skep_state__bind_str(st, 4, cut(e->on));
    skep_state__bind_str(st, 5, cut(e->from));
    SKEP_TRY(skep_state__run(s, st, err));
    st = skep_state__use(s, SKEP_STATE__AUDIT_DROP);
    skep_state__bind_i64(st, 1, sqlite3_last_insert_rowid(s->db) - SKEP_STATE_AUDIT_MAX);
    SKEP_TRY(skep_state__run(s, st, err));
    if (!skep_str_eq(e->what, SKEP_STR(SKEP_AUDIT_LOGIN_FAILED)))
        return SKEP_OK;
    st = skep_state__use(s, SKEP_STATE__AUDIT_DROP_FAILED);
    skep_state__bind_i64(st, 1, SKEP_STATE_AUDIT_FAILURES_MAX);
    return skep_state__run(s, st, err);
}

skep_rc skep_state_put_audit(struct skep_state *s, const struct skep_state_audit *e, skep_err *err)
{
    skep_assert(e->what.n > 0);
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, put_locked(s, e, err), err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_list_audit(struct skep_state *s, uint64_t before, size_t limit,
                              struct skep_arena *arena, struct skep_state_audit **ret,
                              size_t *ret_n, skep_err *err)
{
    struct skep_state_audit *list = skep_new_n(arena, struct skep_state_audit, limit + 1);
    size_t n = 0;
    bool row = false;
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__AUDIT_LIST);
    skep_state__bind_i64(st, 1, before && before <= INT64_MAX ? (int64_t)before : INT64_MAX);
    skep_state__bind_i64(st, 2, (int64_t)limit);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row && n < limit) {
        list[n++] = (struct skep_state_audit){.number = (uint64_t)sqlite3_column_int64(st, 0),
                                              .at_ns = sqlite3_column_int64(st, 1),
                                              .who = skep_state__text(arena, st, 2),
                                              .what = skep_state__text(arena, st, 3),
                                              .on = skep_state__text(arena, st, 4),
                                              .from = skep_state__text(arena, st, 5)};
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret = list;
    *ret_n = n;
    return rc;
}

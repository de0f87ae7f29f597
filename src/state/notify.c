// SPDX-License-Identifier: Apache-2.0
/* Places and messages (notify.h).
 *
 *   notify_place   (id, environment, name, kind, target, per_minute, ..., counters)
 *   notify_message (number, id, place, ..., body, attempts, state, ...)
 *
 *   put -> WAITING -> DELIVERED (its body goes)
 *             ^   \-> DEAD
 *             '--------' revive
 *
 * I1  what waits and what is dead is bounded, a place and all together; delivered and dead ones
 * that are kept to be looked at are SKEP_STATE_PLACE_ENDED_MAX a place, the newest. I2  of a key a
 * place has one message at most, as long as that one is kept. Threads: any.  Memory: texts in the
 * caller's arena. */
#include "state/notify.h"

#include "base/assert.h"
#include "state/state_priv.h"

static sqlite3_stmt *use(struct skep_state *s, enum skep_state__stmt id, skep_str a, skep_str b)
{
    sqlite3_stmt *st = skep_state__use(s, id);
    if (a.p)
        skep_state__bind_str(st, 1, a);
    if (b.p)
        skep_state__bind_str(st, 2, b);
    return st;
}

static skep_rc run(struct skep_state *s, enum skep_state__stmt id, skep_str a, skep_str b,
                   skep_err *err)
{
    return skep_state__run(s, use(s, id, a, b), err);
}

/* --- places --------------------------------------------------------------------------------------
 */

static uint64_t count_at(sqlite3_stmt *st, int column)
{
    int64_t v = sqlite3_column_int64(st, column);
    return v > 0 ? (uint64_t)v : 0;
}

static struct skep_state_place read_place(struct skep_arena *arena, sqlite3_stmt *st)
{
    return (struct skep_state_place){.id = skep_state__text(arena, st, 0),
                                     .environment = skep_state__text(arena, st, 1),
                                     .name = skep_state__text(arena, st, 2),
                                     .kind = (enum skep_state_place_kind)sqlite3_column_int(st, 3),
                                     .target = skep_state__text(arena, st, 4),
                                     .per_minute = (uint32_t)SKEP_MAX(count_at(st, 5), (uint64_t)1),
                                     .created_ns = sqlite3_column_int64(st, 6),
                                     .disabled = sqlite3_column_int(st, 7) != 0,
                                     .failures =
                                         (uint32_t)SKEP_MIN(count_at(st, 8), (uint64_t)UINT32_MAX),
                                     .retry_ns = sqlite3_column_int64(st, 9),
                                     .delivered = count_at(st, 10),
                                     .dead = count_at(st, 11),
                                     .refused = count_at(st, 12),
                                     .last_ns = sqlite3_column_int64(st, 13),
                                     .last_error = skep_state__text(arena, st, 14)};
}

skep_rc skep_state_places(struct skep_state *s, const skep_str *environment,
                          struct skep_arena *arena, struct skep_state_place **ret, size_t *ret_n,
                          skep_err *err)
{
    size_t n = 0;
    bool row = false;
    *ret = skep_new_n(arena, struct skep_state_place, SKEP_STATE_PLACES_MAX);
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__NOTIFY_PLACES);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row && n < SKEP_STATE_PLACES_MAX) {
        (*ret)[n] = read_place(arena, st);
        n += !environment || skep_str_eq((*ret)[n].environment, *environment);
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret_n = n;
    return rc;
}

static skep_rc put_place_locked(struct skep_state *s, const struct skep_state_place *p,
                                skep_err *err)
{
    uint64_t n = 0;
    SKEP_TRY(skep_state__number(s, use(s, SKEP_STATE__NOTIFY_PLACE_NAMED, p->environment, p->name),
                                &n, err));
    if (n)
        return skep_fail(err, SKEP_EEXISTS, "there is one with this name");
    SKEP_TRY(skep_state__number(s, skep_state__use(s, SKEP_STATE__NOTIFY_PLACE_COUNT), &n, err));
    if (n >= SKEP_STATE_PLACES_MAX)
        return skep_fail(err, SKEP_ELIMIT, "there are %llu, and no more may be",
                         (unsigned long long)n);
    sqlite3_stmt *st = use(s, SKEP_STATE__NOTIFY_PLACE_PUT, p->id, p->environment);
    skep_state__bind_str(st, 3, p->name);
    skep_state__bind_i64(st, 4, (int64_t)p->kind);
    skep_state__bind_str(st, 5, p->target);
    skep_state__bind_i64(st, 6, (int64_t)p->per_minute);
    skep_state__bind_i64(st, 7, p->created_ns);
    return skep_state__run(s, st, err);
}

skep_rc skep_state_put_place(struct skep_state *s, const struct skep_state_place *p, skep_err *err)
{
    skep_assert(p->per_minute > 0 && p->id.n > 0 && p->environment.n > 0);
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, put_place_locked(s, p, err), err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

/* SKEP_ENOTFOUND when the environment has no such place. */
static skep_rc find_place_locked(struct skep_state *s, skep_str environment, skep_str id,
                                 skep_err *err)
{
    bool row = false;
    sqlite3_stmt *st = use(s, SKEP_STATE__NOTIFY_PLACE_FIND, id, environment);
    skep_rc rc = skep_state__step(s, st, &row, err);
    skep_state__reset(st);
    if (rc == SKEP_OK && !row)
        return skep_fail(err, SKEP_ENOTFOUND, "there is no such place to notify");
    return rc;
}

skep_rc skep_state_disable_place(struct skep_state *s, skep_str environment, skep_str id,
                                 bool disabled, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = find_place_locked(s, environment, id, err);
    if (rc == SKEP_OK) {
        sqlite3_stmt *st = use(s, SKEP_STATE__NOTIFY_PLACE_DISABLE, id, SKEP_STR_NULL);
        skep_state__bind_i64(st, 2, disabled);
        rc = skep_state__run(s, st, err);
    }
    skep_mutex_unlock(&s->lock);
    return rc;
}

static skep_rc drop_place_locked(struct skep_state *s, skep_str environment, skep_str id,
                                 skep_err *err)
{
    SKEP_TRY(find_place_locked(s, environment, id, err));
    SKEP_TRY(run(s, SKEP_STATE__NOTIFY_DROP_PLACE, id, SKEP_STR_NULL, err));
    return run(s, SKEP_STATE__NOTIFY_PLACE_DROP, id, SKEP_STR_NULL, err);
}

skep_rc skep_state_drop_place(struct skep_state *s, skep_str environment, skep_str id,
                              skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, drop_place_locked(s, environment, id, err), err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_set_place(struct skep_state *s, const struct skep_state_place *p, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = use(s, SKEP_STATE__NOTIFY_PLACE_SET, p->id, p->environment);
    skep_state__bind_str(st, 3, p->name);
    skep_state__bind_i64(st, 4, (int64_t)p->kind);
    skep_state__bind_str(st, 5, p->target);
    skep_rc rc = skep_state__run(s, st, err);
    if (rc == SKEP_OK && sqlite3_changes(s->db) == 0)
        rc = skep_fail(err, SKEP_ENOTFOUND, "no such place");
    skep_mutex_unlock(&s->lock);
    return rc;
}

/* --- messages ------------------------------------------------------------------------------------
 */

static skep_str text_or_empty(skep_str s)
{
    return s.p ? s : SKEP_STR("");
}

/* I1 */
static skep_rc has_room_locked(struct skep_state *s, const struct skep_state_message *m,
                               skep_err *err)
{
    uint64_t n = 0;
    SKEP_TRY(skep_state__number(s, use(s, SKEP_STATE__NOTIFY_WAITING, m->place, SKEP_STR_NULL), &n,
                                err));
    if (n >= SKEP_STATE_PLACE_WAITING_MAX)
        return skep_fail(err, SKEP_ELIMIT, "%llu messages wait for this place",
                         (unsigned long long)n);
    SKEP_TRY(skep_state__number(s, skep_state__use(s, SKEP_STATE__NOTIFY_BYTES), &n, err));
    if (n + m->body.n > SKEP_STATE_MESSAGES_BYTES)
        return skep_fail(err, SKEP_ELIMIT, "messages of %llu bytes wait", (unsigned long long)n);
    return SKEP_OK;
}

static skep_rc put_message_locked(struct skep_state *s, const struct skep_state_message *m,
                                  bool *ret_new, skep_err *err)
{
    const skep_str texts[] = {m->kind, m->key,          m->title,           m->text,
                              m->url,  m->content_type, m->content_encoding};
    sqlite3_stmt *st = use(s, SKEP_STATE__NOTIFY_PUT, m->id, m->place);
    skep_state__bind_str(st, 3, m->environment);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(texts); i++)
        skep_state__bind_str(st, 4 + (int)i, text_or_empty(texts[i]));
    skep_state__bind_bytes(st, 11, m->body);
    skep_state__bind_i64(st, 12, m->created_ns);
    skep_state__bind_str(st, 13, text_or_empty(m->headers));
    SKEP_TRY(skep_state__run(s, st, err));
    *ret_new = sqlite3_changes(s->db) > 0;
    return SKEP_OK;
}

skep_rc skep_state_put_message(struct skep_state *s, const struct skep_state_message *m,
                               bool *ret_new, skep_err *err)
{
    skep_assert(m->id.n > 0 && m->body.n <= SKEP_STATE_MESSAGE_BYTES);
    skep_mutex_lock(&s->lock);
    skep_rc rc = find_place_locked(s, m->environment, m->place, err);
    if (rc == SKEP_OK) {
        rc = has_room_locked(s, m, err);
        if (rc == SKEP_ELIMIT)
            (void)run(s, SKEP_STATE__NOTIFY_PLACE_REFUSED, m->place, SKEP_STR_NULL,
                      NULL); /* the caller hears of the limit, whether it could be counted or not */
    }
    if (rc == SKEP_OK)
        rc = put_message_locked(s, m, ret_new, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

static skep_bytes blob(struct skep_arena *arena, sqlite3_stmt *st, int column)
{
    skep_str s = {sqlite3_column_blob(st, column), (size_t)sqlite3_column_bytes(st, column)};
    return s.n ? skep_str_bytes(skep_arena_str(arena, s)) : (skep_bytes){NULL, 0};
}

static struct skep_state_message read_message(struct skep_arena *arena, sqlite3_stmt *st)
{
    return (struct skep_state_message){
        .number = count_at(st, 0),
        .id = skep_state__text(arena, st, 1),
        .place = skep_state__text(arena, st, 2),
        .environment = skep_state__text(arena, st, 3),
        .kind = skep_state__text(arena, st, 4),
        .key = skep_state__text(arena, st, 5),
        .title = skep_state__text(arena, st, 6),
        .text = skep_state__text(arena, st, 7),
        .url = skep_state__text(arena, st, 8),
        .content_type = skep_state__text(arena, st, 9),
        .content_encoding = skep_state__text(arena, st, 10),
        .headers = skep_state__text(arena, st, 19),
        .created_ns = sqlite3_column_int64(st, 11),
        .due_from_ns = sqlite3_column_int64(st, 12),
        .attempts = (uint32_t)SKEP_MIN(count_at(st, 13), (uint64_t)UINT32_MAX),
        .state = (enum skep_state_message_state)skep_state__one_of(
            st, 14, SKEP_STATE_MESSAGE_WAITING, SKEP_STATE_MESSAGE_DEAD),
        .ended_ns = sqlite3_column_int64(st, 15),
        .status = sqlite3_column_int(st, 16),
        .error = skep_state__text(arena, st, 17),
        .body = blob(arena, st, 18)};
}

skep_rc skep_state_next_message(struct skep_state *s, skep_str place, struct skep_arena *arena,
                                struct skep_state_message *ret, skep_err *err)
{
    bool row = false;
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = use(s, SKEP_STATE__NOTIFY_HEAD, place, SKEP_STR_NULL);
    skep_rc rc = skep_state__step(s, st, &row, err);
    if (rc == SKEP_OK && row)
        *ret = read_message(arena, st);
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    if (rc == SKEP_OK && !row)
        return skep_fail(err, SKEP_ENOTFOUND, "no message waits");
    return rc;
}

static skep_rc note_message_locked(struct skep_state *s, const struct skep_state_message *m,
                                   const struct skep_state_attempt *a, skep_err *err)
{
    bool ends = a->state != SKEP_STATE_MESSAGE_WAITING;
    int at = 2;
    sqlite3_stmt *st =
        skep_state__use(s, ends ? SKEP_STATE__NOTIFY_END : SKEP_STATE__NOTIFY_ATTEMPT);
    skep_state__bind_i64(st, 1, (int64_t)m->number);
    if (ends)
        skep_state__bind_i64(st, at++, (int64_t)a->state);
    skep_state__bind_i64(st, at++, a->status);
    skep_state__bind_str(st, at++, text_or_empty(a->error));
    if (ends)
        skep_state__bind_i64(st, at, a->at_ns);
    SKEP_TRY(skep_state__run(s, st, err));
    if (!ends)
        return SKEP_OK;
    st = use(s, SKEP_STATE__NOTIFY_TRIM, m->place, SKEP_STR_NULL);
    skep_state__bind_i64(st, 2, (int64_t)a->state);
    skep_state__bind_i64(st, 3, SKEP_STATE_PLACE_ENDED_MAX);
    return skep_state__run(s, st, err);
}

static skep_rc note_attempt_locked(struct skep_state *s, const struct skep_state_message *m,
                                   const struct skep_state_attempt *a, skep_err *err)
{
    SKEP_TRY(note_message_locked(s, m, a, err));
    sqlite3_stmt *st = use(s, SKEP_STATE__NOTIFY_PLACE_NOTE, m->place, SKEP_STR_NULL);
    skep_state__bind_i64(st, 2, (int64_t)a->failures);
    skep_state__bind_i64(st, 3, a->retry_ns);
    skep_state__bind_i64(st, 4, a->at_ns);
    skep_state__bind_str(st, 5, text_or_empty(a->error));
    skep_state__bind_i64(st, 6, a->state == SKEP_STATE_MESSAGE_DELIVERED);
    skep_state__bind_i64(st, 7, a->state == SKEP_STATE_MESSAGE_DEAD);
    return skep_state__run(s, st, err);
}

skep_rc skep_state_note_attempt(struct skep_state *s, const struct skep_state_message *m,
                                const struct skep_state_attempt *a, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, note_attempt_locked(s, m, a, err), err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_messages(struct skep_state *s, skep_str environment, int state, uint64_t before,
                            struct skep_arena *arena, struct skep_state_message *ret, size_t n,
                            size_t *ret_n, skep_err *err)
{
    size_t at = 0;
    bool row = false;
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = use(s, SKEP_STATE__NOTIFY_LIST, environment, SKEP_STR_NULL);
    skep_state__bind_i64(st, 2, (int64_t)SKEP_MIN(before, (uint64_t)INT64_MAX));
    skep_state__bind_i64(st, 3, state);
    skep_state__bind_i64(st, 4, (int64_t)n);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row && at < n) {
        ret[at++] = read_message(arena, st);
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret_n = at;
    return rc;
}

static skep_rc change_message(struct skep_state *s, enum skep_state__stmt id, skep_str environment,
                              skep_str message, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = use(s, id, message, environment);
    if (id == SKEP_STATE__NOTIFY_AGAIN)
        skep_state__bind_i64(st, 3, s->os->now_ns(s->os));
    skep_rc rc = skep_state__run(s, st, err);
    bool changed = rc == SKEP_OK && sqlite3_changes(s->db) > 0;
    skep_mutex_unlock(&s->lock);
    if (rc == SKEP_OK && !changed)
        return skep_fail(err, SKEP_ENOTFOUND, "there is no such message, or it is not dead");
    return rc;
}

skep_rc skep_state_revive_message(struct skep_state *s, skep_str environment, skep_str id,
                                  skep_err *err)
{
    return change_message(s, SKEP_STATE__NOTIFY_AGAIN, environment, id, err);
}

skep_rc skep_state_drop_message(struct skep_state *s, skep_str environment, skep_str id,
                                skep_err *err)
{
    return change_message(s, SKEP_STATE__NOTIFY_DROP, environment, id, err);
}

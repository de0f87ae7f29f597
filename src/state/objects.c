// SPDX-License-Identifier: Apache-2.0
/* Objects kept as JSON (objects.h).
 *
 *   object (seq, id, environment, kind, scope, name, body, created_ns, updated_ns)
 *
 * I1  no more of a kind in an environment than the table below says.
 * I2  a name that is not empty is unique among environment, kind and scope.
 * I3  updated_ns grows with every change, also when the clock was set back.
 * I4  the bodies of a kind in an environment have SKEP_OBJECTS_BYTES at most: whoever lists them
 * has them all in memory. Threads: any.  Memory: texts in the caller's arena. */
#include "state/objects.h"

#include "base/assert.h"
#include "base/mem.h"
#include "state/state_priv.h"

static const struct {
    uint64_t max;
    bool oldest_goes;
    const char *plural;
} kinds[] = {
    [SKEP_OBJECT_MARKER] = {SKEP_OBJECTS_MAX, true, "markers"},
    [SKEP_OBJECT_MARKER_SETTING] = {1000, false, "marker settings"},
    [SKEP_OBJECT_DERIVED_COLUMN] = {SKEP_OBJECTS_MAX, false, "derived columns"},
    [SKEP_OBJECT_QUERY_ANNOTATION] = {SKEP_OBJECTS_MAX, false, "query annotations"},
    [SKEP_OBJECT_BOARD] = {1000, false, "boards"},
    [SKEP_OBJECT_BOARD_VIEW] = {SKEP_OBJECTS_MAX, false, "board views"},
    [SKEP_OBJECT_RECIPIENT] = {400, false, "recipients"},
    [SKEP_OBJECT_TRIGGER] = {1000, false, "triggers"},
    [SKEP_OBJECT_SLO] = {500, false, "SLOs"},
    [SKEP_OBJECT_BURN_ALERT] = {1000, false, "burn alerts"},
    [SKEP_OBJECT_COLUMN] = {SKEP_OBJECTS_MAX, false, "columns with settings"},
    [SKEP_OBJECT_DEFINITIONS] = {SKEP_OBJECTS_MAX, false, "dataset definitions"},
    [SKEP_OBJECT_DATASET] = {SKEP_OBJECTS_MAX, false, "datasets with settings"},
    [SKEP_OBJECT_MAP_REQUEST] = {50, true, "service map requests"},
};
_Static_assert(SKEP_ARRAY_LEN(kinds) == SKEP_OBJECT_KIND_COUNT, "a row a kind");

static struct skep_object read_object(struct skep_arena *arena, sqlite3_stmt *st)
{
    return (struct skep_object){.id = skep_state__text(arena, st, 0),
                                .environment = skep_state__text(arena, st, 1),
                                .scope = skep_state__text(arena, st, 2),
                                .name = skep_state__text(arena, st, 3),
                                .body = skep_state__text(arena, st, 4),
                                .created_ns = sqlite3_column_int64(st, 5),
                                .updated_ns = sqlite3_column_int64(st, 6)};
}

/* A statement with ?1 kind and ?2 environment. */
static sqlite3_stmt *use(struct skep_state *s, enum skep_state__stmt id, enum skep_object_kind kind,
                         skep_str environment)
{
    sqlite3_stmt *st = skep_state__use(s, id);
    skep_state__bind_i64(st, 1, (int64_t)kind);
    skep_state__bind_str(st, 2, environment);
    return st;
}

skep_rc skep_state_objects(struct skep_state *s, enum skep_object_kind kind,
                           const skep_str *environment, const skep_str *scope,
                           struct skep_arena *arena, struct skep_object **ret, size_t *ret_n,
                           skep_err *err)
{
    size_t n = 0, cap = 16;
    bool row = false;
    struct skep_object *list = skep_new_n(arena, struct skep_object, cap);
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__OBJECT_LIST);
    skep_state__bind_i64(st, 1, (int64_t)kind);
    skep_state__bind_i64(st, 2, environment != NULL);
    skep_state__bind_str(st, 3, environment ? *environment : SKEP_STR_NULL);
    skep_state__bind_i64(st, 4, scope != NULL);
    skep_state__bind_str(st, 5, scope ? *scope : SKEP_STR_NULL);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row) {
        if (n == cap) {
            struct skep_object *more = skep_new_n(arena, struct skep_object, 2 * cap);
            memcpy(more, list, n * sizeof *list);
            list = more;
            cap *= 2;
        }
        list[n++] = read_object(arena, st);
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    *ret = list;
    *ret_n = n;
    return rc;
}

skep_rc skep_state_object(struct skep_state *s, enum skep_object_kind kind, skep_str environment,
                          skep_str id, struct skep_arena *arena, struct skep_object *ret,
                          skep_err *err)
{
    bool row = false;
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = use(s, SKEP_STATE__OBJECT_GET, kind, environment);
    skep_state__bind_str(st, 3, id);
    skep_rc rc = skep_state__step(s, st, &row, err);
    if (rc == SKEP_OK && row)
        *ret = read_object(arena, st);
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    if (rc == SKEP_OK && !row)
        return skep_fail(err, SKEP_ENOTFOUND, "there is none with this id");
    return rc;
}

/* The oldest but for `id`. */
static skep_rc drop_oldest_locked(struct skep_state *s, enum skep_object_kind kind,
                                  skep_str environment, skep_str id, skep_err *err)
{
    sqlite3_stmt *st = use(s, SKEP_STATE__OBJECT_DROP_OLDEST, kind, environment);
    skep_state__bind_str(st, 3, id);
    return skep_state__run(s, st, err);
}

/* I1 */
static skep_rc make_room_locked(struct skep_state *s, enum skep_object_kind kind,
                                skep_str environment, skep_err *err)
{
    uint64_t n = 0;
    SKEP_TRY(skep_state__number(s, use(s, SKEP_STATE__OBJECT_COUNT, kind, environment), &n, err));
    if (n < kinds[kind].max)
        return SKEP_OK;
    if (kinds[kind].oldest_goes)
        return drop_oldest_locked(s, kind, environment, SKEP_STR(""), err);
    return skep_fail(err, SKEP_ELIMIT, "an environment may have %llu %s",
                     (unsigned long long)kinds[kind].max, kinds[kind].plural);
}

/* I4: with the body of `o` in place of what it was. */
static skep_rc make_space_locked(struct skep_state *s, enum skep_object_kind kind,
                                 const struct skep_object *o, skep_err *err)
{
    for (;;) {
        uint64_t bytes = 0;
        sqlite3_stmt *st = use(s, SKEP_STATE__OBJECT_BYTES, kind, o->environment);
        skep_state__bind_str(st, 3, o->id);
        SKEP_TRY(skep_state__number(s, st, &bytes, err));
        if (bytes + o->body.n <= SKEP_OBJECTS_BYTES)
            return SKEP_OK;
        if (!kinds[kind].oldest_goes)
            return skep_fail(err, SKEP_ELIMIT, "the %s of an environment may have %d MiB together",
                             kinds[kind].plural, SKEP_OBJECTS_BYTES >> 20);
        SKEP_TRY(drop_oldest_locked(s, kind, o->environment, o->id, err));
    }
}

/* I2 */
static skep_rc check_locked(struct skep_state *s, enum skep_object_kind kind,
                            const struct skep_object *o, skep_err *err)
{
    uint64_t n = 0;
    if (o->body.n > SKEP_OBJECT_BYTES)
        return skep_fail(err, SKEP_ETOOLARGE, "it has more than %d bytes", SKEP_OBJECT_BYTES);
    sqlite3_stmt *st = use(s, SKEP_STATE__OBJECT_NAMED, kind, o->environment);
    skep_state__bind_str(st, 3, o->scope);
    skep_state__bind_str(st, 4, o->name);
    skep_state__bind_str(st, 5, o->id);
    SKEP_TRY(skep_state__number(s, st, &n, err));
    return n ? skep_fail(err, SKEP_EEXISTS, "a resource by that name already exists") : SKEP_OK;
}

static skep_rc put_locked(struct skep_state *s, enum skep_object_kind kind, struct skep_object *o,
                          skep_err *err)
{
    SKEP_TRY(check_locked(s, kind, o, err));
    SKEP_TRY(make_room_locked(s, kind, o->environment, err));
    SKEP_TRY(make_space_locked(s, kind, o, err));
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__OBJECT_PUT);
    skep_state__bind_str(st, 1, o->id);
    skep_state__bind_str(st, 2, o->environment);
    skep_state__bind_i64(st, 3, (int64_t)kind);
    skep_state__bind_str(st, 4, o->scope);
    skep_state__bind_str(st, 5, o->name);
    skep_state__bind_str(st, 6, o->body);
    skep_state__bind_i64(st, 7, o->created_ns);
    return skep_state__run(s, st, err);
}

skep_rc skep_state_put_object(struct skep_state *s, enum skep_object_kind kind,
                              struct skep_object *o, struct skep_arena *arena, skep_err *err)
{
    skep_assert(kind > 0 && kind < SKEP_OBJECT_KIND_COUNT);
    if (o->id.n == 0) {
        skep_state_id id = skep_state__new_id(s);
        o->id = skep_arena_str(arena, skep_state_id_str(&id));
    }
    o->created_ns = o->updated_ns = s->os->now_ns(s->os);
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, put_locked(s, kind, o, err), err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

static skep_rc set_locked(struct skep_state *s, enum skep_object_kind kind,
                          const struct skep_object *o, int64_t now_ns, skep_err *err)
{
    SKEP_TRY(check_locked(s, kind, o, err));
    SKEP_TRY(make_space_locked(s, kind, o, err));
    sqlite3_stmt *st = use(s, SKEP_STATE__OBJECT_SET, kind, o->environment);
    skep_state__bind_str(st, 3, o->id);
    skep_state__bind_str(st, 4, o->name);
    skep_state__bind_str(st, 5, o->body);
    skep_state__bind_i64(st, 6, now_ns);
    SKEP_TRY(skep_state__run(s, st, err));
    if (sqlite3_changes(s->db) == 0)
        return skep_fail(err, SKEP_ENOTFOUND, "there is none with this id");
    return SKEP_OK;
}

skep_rc skep_state_set_object(struct skep_state *s, enum skep_object_kind kind,
                              struct skep_object *o, skep_err *err)
{
    int64_t now_ns = s->os->now_ns(s->os);
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, set_locked(s, kind, o, now_ns, err), err);
    skep_mutex_unlock(&s->lock);
    if (rc == SKEP_OK)
        o->updated_ns = SKEP_MAX(o->updated_ns + 1, now_ns); /* I3 */
    return rc;
}

skep_rc skep_state_drop_object(struct skep_state *s, enum skep_object_kind kind,
                               skep_str environment, skep_str id, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = use(s, SKEP_STATE__OBJECT_DROP, kind, environment);
    skep_state__bind_str(st, 3, id);
    skep_rc rc = skep_state__run(s, st, err);
    if (rc == SKEP_OK && sqlite3_changes(s->db) == 0)
        rc = skep_fail(err, SKEP_ENOTFOUND, "there is none with this id");
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_drop_objects(struct skep_state *s, enum skep_object_kind kind,
                                skep_str environment, skep_str scope, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = use(s, SKEP_STATE__OBJECT_DROP_SCOPE, kind, environment);
    skep_state__bind_str(st, 3, scope);
    skep_rc rc = skep_state__run(s, st, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

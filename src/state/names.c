// SPDX-License-Identifier: Apache-2.0
/* Datasets and columns: what Honeycomb's API knows of them beside their rows (state.h).
 * Threads: any.  Memory: texts in the caller's arena. */
#include "state/state_priv.h"

#include "base/assert.h"
#include "base/mem.h"

skep_str skep_state_slug(struct skep_arena *arena, skep_str name)
{
    char *p = skep_arena_alloc(arena, name.n + 1);
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool keep =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
        p[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : keep ? c : '-';
    }
    return (skep_str){p, name.n};
}

static struct skep_state_dataset read_dataset(struct skep_arena *arena, sqlite3_stmt *st)
{
    return (struct skep_state_dataset){
        .slug = skep_state__text(arena, st, 0),
        .name = skep_state__text(arena, st, 1),
        .description = skep_state__text(arena, st, 2),
        .created_ns = sqlite3_column_int64(st, 3),
    };
}

static skep_rc put_dataset_locked(struct skep_state *s, skep_str environment,
                                  const struct skep_state_dataset *d, struct skep_arena *arena,
                                  struct skep_state_dataset *ret, skep_err *err)
{
    bool row = false;
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__DATASET_PUT);
    skep_state__bind_str(st, 1, d->slug);
    skep_state__bind_str(st, 2, d->name);
    skep_state__bind_str(st, 3, d->description);
    skep_state__bind_i64(st, 4, d->created_ns ? d->created_ns : s->os->now_ns(s->os));
    skep_state__bind_str(st, 5, environment);
    SKEP_TRY(skep_state__run(s, st, err));
    bool known = sqlite3_changes(s->db) == 0;
    st = skep_state__use(s, SKEP_STATE__DATASET_GET);
    skep_state__bind_str(st, 1, d->slug);
    skep_state__bind_str(st, 2, environment);
    skep_rc rc = skep_state__step(s, st, &row, err);
    if (rc == SKEP_OK) {
        skep_assert(row);
        *ret = read_dataset(arena, st);
    }
    skep_state__reset(st);
    return rc == SKEP_OK && known ? SKEP_EEXISTS : rc;
}

skep_rc skep_state_put_dataset(struct skep_state *s, skep_str environment,
                               const struct skep_state_dataset *d, struct skep_arena *arena,
                               struct skep_state_dataset *ret, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    skep_rc rc = put_dataset_locked(s, environment, d, arena, ret, err);
    skep_mutex_unlock(&s->lock);
    if (rc == SKEP_EEXISTS)
        return skep_fail(err, rc, "the dataset is known already");
    return rc;
}

skep_rc skep_state_list_datasets(struct skep_state *s, skep_str environment,
                                 struct skep_arena *arena, struct skep_state_dataset **ret,
                                 size_t *ret_n, skep_err *err)
{
    struct skep_state_dataset *list = NULL;
    size_t n = 0, cap = 0;
    bool row = false;
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__DATASET_LIST);
    skep_state__bind_str(st, 1, environment);
    skep_rc rc = skep_state__step(s, st, &row, err);
    while (rc == SKEP_OK && row) {
        SKEP_GROW(list, n, cap);
        list[n++] = read_dataset(arena, st);
        rc = skep_state__step(s, st, &row, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    if (rc == SKEP_OK) {
        *ret = skep_new_n(arena, struct skep_state_dataset, n ? n : 1);
        if (n)
            memcpy(*ret, list, n * sizeof *list);
        *ret_n = n;
    }
    skep_free(list);
    return rc;
}

skep_rc skep_state_drop_dataset(struct skep_state *s, skep_str environment, skep_str slug,
                                skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__DATASET_DROP);
    skep_state__bind_str(st, 1, slug);
    skep_state__bind_str(st, 2, environment);
    skep_rc rc = skep_state__run(s, st, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

static skep_rc column_locked(struct skep_state *s, skep_str dataset, int64_t now,
                             struct skep_state_column *c, skep_err *err)
{
    bool row = false;
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__COLUMN_GET);
    skep_state__bind_str(st, 1, dataset);
    skep_state__bind_str(st, 2, c->name);
    skep_rc rc = skep_state__step(s, st, &row, err);
    if (rc == SKEP_OK && row) {
        c->id = skep_state__id(st, 0);
        c->created_ns = sqlite3_column_int64(st, 1);
    }
    skep_state__reset(st);
    if (rc != SKEP_OK || row)
        return rc;
    c->id = skep_state__new_id(s);
    c->created_ns = now;
    st = skep_state__use(s, SKEP_STATE__COLUMN_PUT);
    skep_state__bind_str(st, 1, skep_state_id_str(&c->id));
    skep_state__bind_str(st, 2, dataset);
    skep_state__bind_str(st, 3, c->name);
    skep_state__bind_i64(st, 4, now);
    return skep_state__run(s, st, err);
}

skep_rc skep_state_columns(struct skep_state *s, skep_str dataset,
                           struct skep_state_column *columns, size_t n, skep_err *err)
{
    int64_t now = s->os->now_ns(s->os);
    skep_mutex_lock(&s->lock);
    skep_rc rc = skep_state__run(s, skep_state__use(s, SKEP_STATE__BEGIN), err);
    bool begun = rc == SKEP_OK;
    for (size_t i = 0; i < n && rc == SKEP_OK; i++)
        rc = column_locked(s, dataset, now, &columns[i], err);
    if (rc == SKEP_OK)
        rc = skep_state__run(s, skep_state__use(s, SKEP_STATE__COMMIT), err);
    if (rc != SKEP_OK && begun)
        (void)skep_state__run(s, skep_state__use(s, SKEP_STATE__ROLLBACK), NULL);
    skep_mutex_unlock(&s->lock);
    return rc;
}

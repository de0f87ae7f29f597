// SPDX-License-Identifier: Apache-2.0
/* Runs (runs.h).
 *
 *   run (number, id, environment, owner, actor, name, starred, question, path, same, created_ns,
 *        elapsed_ns, rows_examined, bytes, kept, answer)      kept: starred, or has a name
 *
 * I1  after a put there are at most SKEP_RUNS_MAX of the environment and SKEP_RUNS_BYTES of answers
 * I2  kept ones are at most a tenth of the number and half of the bytes, so that there is always
 *     one to make room, and one that was just put is there
 *
 * A list looks at all of the environment's rows, without answers: they lie behind the other
 * columns, on pages that are not read. Threads: any.  Memory: the caller's arena. */
#include "state/runs.h"

#include "base/assert.h"
#include "base/hash.h"
#include "state/state_priv.h"

enum { ANSWER = 13 };

static skep_rc number_of(struct skep_state *s, enum skep_state__stmt statement,
                         skep_str environment, skep_str id, uint64_t *ret, skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, statement);
    skep_state__bind_str(st, 1, environment);
    if (id.n)
        skep_state__bind_str(st, 2, id);
    return skep_state__number(s, st, ret, err);
}

/* I1 */
static skep_rc make_room_locked(struct skep_state *s, skep_str environment, int64_t now_ns,
                                skep_err *err)
{
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__RUN_OLD);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_i64(st, 2, now_ns - SKEP_RUNS_AGE_NS);
    SKEP_TRY(skep_state__run(s, st, err));
    for (;;) {
        uint64_t n = 0, bytes = 0;
        SKEP_TRY(number_of(s, SKEP_STATE__RUN_COUNT, environment, SKEP_STR_NULL, &n, err));
        SKEP_TRY(number_of(s, SKEP_STATE__RUN_SUM, environment, SKEP_STR_NULL, &bytes, err));
        if (n <= s->runs_limit && bytes <= s->runs_limit_bytes)
            return SKEP_OK;
        st = skep_state__use(s, SKEP_STATE__RUN_OLDEST);
        skep_state__bind_str(st, 1, environment);
        SKEP_TRY(skep_state__run(s, st, err));
        if (sqlite3_changes(s->db) == 0)
            return SKEP_OK; /* I2: a database of larger limits */
    }
}

static skep_rc put_locked(struct skep_state *s, const struct skep_run *r, skep_state_id id,
                          skep_err *err)
{
    sqlite3_stmt *st;
    if (r->instead) {
        st = skep_state__use(s, SKEP_STATE__RUN_BEFORE);
        skep_state__bind_str(st, 1, r->environment);
        skep_state__bind_i64(st, 2, (int64_t)r->same);
        skep_state__bind_str(st, 3, r->owner);
        SKEP_TRY(skep_state__run(s, st, err));
    }
    st = skep_state__use(s, SKEP_STATE__RUN_PUT);
    skep_state__bind_str(st, 1, skep_state_id_str(&id));
    skep_state__bind_str(st, 2, r->environment);
    skep_state__bind_str(st, 3, r->owner);
    skep_state__bind_str(st, 4, r->actor);
    skep_state__bind_str(st, 5, r->question);
    skep_state__bind_str(st, 6, r->path);
    skep_state__bind_i64(st, 7, (int64_t)r->same);
    skep_state__bind_i64(st, 8, r->created_ns);
    skep_state__bind_i64(st, 9, r->elapsed_ns);
    skep_state__bind_i64(st, 10, (int64_t)r->rows_examined);
    skep_state__bind_i64(st, 11, (int64_t)r->answer.n);
    skep_state__bind_bytes(st, 12, r->answer);
    SKEP_TRY(skep_state__run(s, st, err));
    return make_room_locked(s, r->environment, r->created_ns, err);
}

skep_rc skep_state_run_put(struct skep_state *s, const struct skep_run *r, skep_state_id *ret,
                           skep_err *err)
{
    skep_assert(r->question.n <= SKEP_RUN_QUESTION_MAX && r->path.n <= SKEP_RUN_PATH_MAX);
    skep_mutex_lock(&s->lock);
    skep_state_id id = skep_state__new_id(s);
    skep_rc rc = skep_state__begin(s, err);
    if (rc == SKEP_OK)
        rc = skep_state__end(s, put_locked(s, r, id, err), err);
    skep_mutex_unlock(&s->lock);
    if (rc == SKEP_OK)
        *ret = id;
    return rc;
}

skep_rc skep_state_runs_forget(struct skep_state *s, int64_t now_ns, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__RUN_FORGET);
    skep_state__bind_i64(st, 1, now_ns - SKEP_RUNS_AGE_NS);
    skep_rc rc = skep_state__run(s, st, err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

static struct skep_run read_row(struct skep_arena *arena, sqlite3_stmt *st, skep_str environment)
{
    return (struct skep_run){.number = sqlite3_column_int64(st, 0),
                             .id = skep_state__id(st, 1),
                             .environment = environment,
                             .owner = skep_state__text(arena, st, 2),
                             .actor = skep_state__text(arena, st, 3),
                             .name = skep_state__text(arena, st, 4),
                             .starred = sqlite3_column_int(st, 5) != 0,
                             .question = skep_state__text(arena, st, 6),
                             .path = skep_state__text(arena, st, 7),
                             .same = (uint64_t)sqlite3_column_int64(st, 8),
                             .created_ns = sqlite3_column_int64(st, 9),
                             .elapsed_ns = sqlite3_column_int64(st, 10),
                             .rows_examined = (uint64_t)sqlite3_column_int64(st, 11),
                             .bytes = (uint64_t)sqlite3_column_int64(st, 12),
                             .times = 1};
}

static skep_rc copy_answer(sqlite3_stmt *st, struct skep_arena *arena, skep_bytes *ret,
                           skep_err *err)
{
    const void *p = sqlite3_column_blob(st, ANSWER);
    size_t n = (size_t)sqlite3_column_bytes(st, ANSWER);
    uint8_t *copy = skep_arena_try_alloc(arena, n + 1);
    if (!copy)
        return skep_fail(err, SKEP_ENOMEM, "no memory left for an answer of %zu bytes", n);
    if (n)
        memcpy(copy, p, n);
    *ret = (skep_bytes){copy, n};
    return SKEP_OK;
}

static skep_rc missing(skep_err *err)
{
    return skep_fail(err, SKEP_ENOTFOUND,
                     "no such question: it was forgotten, or never asked here");
}

skep_rc skep_state_run_get(struct skep_state *s, skep_str environment, skep_str id,
                           struct skep_arena *arena, struct skep_run *ret, skep_err *err)
{
    bool row = false;
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__RUN_GET);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_str(st, 2, id);
    skep_rc rc = skep_state__step(s, st, &row, err);
    if (rc == SKEP_OK && !row)
        rc = missing(err);
    if (rc == SKEP_OK) {
        *ret = read_row(arena, st, environment);
        rc = copy_answer(st, arena, &ret->answer, err);
    }
    skep_state__reset(st);
    skep_mutex_unlock(&s->lock);
    return rc;
}

/* --- lists ---------------------------------------------------------------------------------------
 */

static size_t lower(char *to, skep_str s)
{
    for (size_t i = 0; i < s.n; i++)
        to[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 'a' - 'A') : s.p[i];
    return s.n;
}

static const skep_str *lower_words(struct skep_arena *arena, const struct skep_run_list *which)
{
    skep_str *ret = skep_new_n(arena, skep_str, which->n_words + 1);
    for (unsigned w = 0; w < which->n_words; w++) {
        char *word = skep_arena_alloc(arena, which->words[w].n);
        ret[w] = (skep_str){word, lower(word, which->words[w])};
    }
    return ret;
}

/* Whatever the case of ASCII letters; the words of `which` are lower case.  The state is locked:
 * each word costs one pass over a row's text, however long it is. */
static bool has_words(sqlite3_stmt *st, const struct skep_run_list *which)
{
    static const int columns[] = {3, 4, 6}; /* actor, name, question */
    uint64_t missing = ((uint64_t)1 << which->n_words) - 1;
    char text[SKEP_RUN_QUESTION_MAX];
    for (size_t c = 0; c < SKEP_ARRAY_LEN(columns) && missing; c++) {
        const char *p = (const char *)sqlite3_column_text(st, columns[c]);
        size_t n = SKEP_MIN((size_t)sqlite3_column_bytes(st, columns[c]), sizeof text);
        n = p ? lower(text, (skep_str){p, n}) : 0;
        for (unsigned w = 0; w < which->n_words; w++) {
            if (skep_str_find_portable((skep_str){text, n}, which->words[w]) != SIZE_MAX)
                missing &= ~((uint64_t)1 << w);
        }
    }
    return missing == 0;
}

/* Questions of a list that were met already, by their hash. */
struct met {
    struct skep_index by_hash; /* of `of` */
    struct {
        uint64_t same;
        struct skep_run *run; /* in the list; NULL = on an earlier page, or a later one */
    } * of;
    uint32_t n, cap;
};

/* A row whose question was met counts there and is left out, if it may be; false: it stands for
 * itself. */
static bool asked_again(struct met *met, uint64_t same, bool may)
{
    uint32_t i;
    struct skep_index_it it = skep_index_begin(&met->by_hash, same);
    while ((i = skep_index_next(&met->by_hash, &it)) != SKEP_INDEX_NONE) {
        if (met->of[i].same != same || !may)
            continue;
        if (met->of[i].run)
            met->of[i].run->times++;
        return true;
    }
    return false;
}

static void meet(struct met *met, uint64_t same, struct skep_run *run)
{
    if (met->n == met->cap)
        return;
    met->of[met->n].same = same;
    met->of[met->n].run = run;
    skep_index_add(&met->by_hash, same, met->n++);
}

struct listing {
    struct skep_run *runs; /* [which->limit] */
    size_t n;
    struct met met;
};

static skep_rc list_locked(struct skep_state *s, const struct skep_run_list *which,
                           struct skep_arena *arena, struct listing *l, skep_err *err)
{
    bool row = false;
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__RUN_LIST);
    skep_state__bind_str(st, 1, which->environment);
    skep_state__bind_i64(st, 2, which->owner != NULL);
    skep_state__bind_str(st, 3, which->owner ? *which->owner : SKEP_STR_NULL);
    skep_state__bind_i64(st, 4, which->kept);
    skep_rc rc = skep_state__step(s, st, &row, err);
    for (; rc == SKEP_OK && row; rc = skep_state__step(s, st, &row, err)) {
        uint64_t same = (uint64_t)sqlite3_column_int64(st, 8);
        bool shown = which->before == 0 || sqlite3_column_int64(st, 0) < which->before;
        bool kept = sqlite3_column_int(st, 5) != 0 || sqlite3_column_bytes(st, 4) > 0;
        if (!has_words(st, which) || (which->once && asked_again(&l->met, same, !kept)))
            continue;
        shown = shown && l->n < which->limit;
        if (shown)
            l->runs[l->n++] = read_row(arena, st, which->environment);
        if (which->once)
            meet(&l->met, same, shown ? &l->runs[l->n - 1] : NULL);
        else if (l->n == which->limit)
            break;
    }
    skep_state__reset(st);
    return rc;
}

skep_rc skep_state_runs(struct skep_state *s, const struct skep_run_list *which,
                        struct skep_arena *arena, struct skep_run **ret, size_t *ret_n,
                        skep_err *err)
{
    struct listing l = {.runs = skep_new_n(arena, struct skep_run, which->limit + 1),
                        .met.cap = which->once ? (uint32_t)s->runs_limit + 1 : 0};
    if (which->once)
        l.met.of = skep_arena_try_alloc(arena, l.met.cap * sizeof *l.met.of);
    if (which->once && !l.met.of)
        return skep_fail(err, SKEP_ENOMEM, "no memory left for the list");
    struct skep_run_list low = *which;
    skep_assert(which->n_words < 64);
    low.words = lower_words(arena, which);
    skep_index_init(&l.met.by_hash, 256);
    skep_mutex_lock(&s->lock);
    skep_rc rc = list_locked(s, &low, arena, &l, err);
    skep_mutex_unlock(&s->lock);
    skep_index_done(&l.met.by_hash);
    *ret = l.runs;
    *ret_n = l.n;
    return rc;
}

/* --- changes -------------------------------------------------------------------------------------
 */

/* I2: may one more be kept? */
static skep_rc may_keep(struct skep_state *s, skep_str environment, skep_str id, skep_err *err)
{
    uint64_t n = 0, bytes = 0;
    uint64_t most = SKEP_MIN((uint64_t)SKEP_RUNS_KEPT_MAX, s->runs_limit / 10 + 1);
    SKEP_TRY(number_of(s, SKEP_STATE__RUN_KEPT, environment, id, &n, err));
    SKEP_TRY(number_of(s, SKEP_STATE__RUN_KEPT_SUM, environment, id, &bytes, err));
    if (n + 1 > most || bytes > s->runs_limit_bytes / 2)
        return skep_fail(err, SKEP_ELIMIT,
                         "so many questions are starred or named already: let go of some");
    return SKEP_OK;
}

skep_rc skep_state_run_set(struct skep_state *s, skep_str environment, skep_str id, skep_str name,
                           bool starred, skep_err *err)
{
    skep_rc rc = SKEP_OK;
    skep_assert(name.n <= SKEP_RUN_NAME_MAX);
    skep_mutex_lock(&s->lock);
    if (starred || name.n)
        rc = may_keep(s, environment, id, err);
    if (rc == SKEP_OK) {
        sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__RUN_SET);
        skep_state__bind_str(st, 1, environment);
        skep_state__bind_str(st, 2, id);
        skep_state__bind_str(st, 3, name);
        skep_state__bind_i64(st, 4, starred);
        rc = skep_state__run(s, st, err);
    }
    if (rc == SKEP_OK && sqlite3_changes(s->db) == 0)
        rc = missing(err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

skep_rc skep_state_run_drop(struct skep_state *s, skep_str environment, skep_str id, skep_err *err)
{
    skep_mutex_lock(&s->lock);
    sqlite3_stmt *st = skep_state__use(s, SKEP_STATE__RUN_DROP);
    skep_state__bind_str(st, 1, environment);
    skep_state__bind_str(st, 2, id);
    skep_rc rc = skep_state__run(s, st, err);
    if (rc == SKEP_OK && sqlite3_changes(s->db) == 0)
        rc = missing(err);
    skep_mutex_unlock(&s->lock);
    return rc;
}

// SPDX-License-Identifier: Apache-2.0
/* What a question may see of a rowset: rows of one environment, with the server's own or without.
 *
 *   snapshot       rowset A, all live      rowset B, live bitmap 7       rowset C
 *   for a plan     rowset A, bitmap A'     rowset B, bitmap 7'           (left out: nothing shown)
 *
 *   a row is shown:  source `skep`   if the plan sees those (skep_plan_shows_own)
 *                    any other       if who asks sees all environments, or the row's:
 *                                    meta.environment, "default" where the row has none
 *
 * A hidden row is treated like one that is not alive: a bitmap is made, for each version of a
 * rowset's live rows, without them, and kept with the rowset, one a view.  Nothing in the executor
 * knows of it, so that no kind of plan and no relation can forget to ask.  What holds rows of one
 * environment costs nothing: parts know from their ledger whether they hold own rows, row groups
 * from the bounds of their SOURCE column, rowsets without the field that all is "default".
 *
 * I1  what is kept is never changed; it is replaced, under shown_mu, when the live rows changed.
 * I2  a block whose source cannot be read is shown: the question finds the same damage.  One whose
 *     environment cannot be read is not, and the answer says so; such a view is not kept.
 *
 * Threads: any; the first who asks after a change makes the bitmap.  Locks: shown_mu, a leaf.
 * Memory: 8 KiB for each row group with rows to hide and view, SKEP_VIEWS views a rowset. */
#include "store/column/engine.h"
#include "store/column/live.h"

#include "base/hash.h"
#include "base/mem.h"
#include "store/column/part.h"

enum { SKEP_VIEWS = 16 };

struct view {
    skep_str environment; /* empty = all */
    bool own;
};

struct skep_shown {
    struct skep_shown *next; /* other views of the rowset, newest first */
    struct view view;        /* owns the name */
    uint64_t version;        /* of the live rows it was made from; 0 = all */
    uint64_t hidden_rows;    /* that lived */
    struct skep_live *live;  /* without them; NULL = all rows */
    /* Of what is shown; min > max = nothing.  Only of the view of all environments. */
    skep_ts_ns min_start_ns, max_start_ns;
    uint64_t unread_rows; /* hidden, because their environment cannot be read */
    skep_err why;
};

static void free_one(struct skep_shown *s)
{
    skep_live_unref(s->live);
    skep_free((void *)(uintptr_t)s->view.environment.p);
    skep_free(s);
}

void skep_shown_free(struct skep_shown *s)
{
    while (s) {
        struct skep_shown *next = s->next;
        free_one(s);
        s = next;
    }
}

static bool is_default(skep_str environment)
{
    return skep_str_eq(environment, SKEP_ENVIRONMENT_DEFAULT);
}

static bool has_own(const struct skep_part *part)
{
    for (size_t i = 0; i < part->ledger.n; i++) {
        struct skep_ledger_key k;
        if (skep_ledger_unpack(part->ledger.items[i].key, &k) && k.source == SKEP_SOURCE_SELF)
            return true;
    }
    return false;
}

/* --- looking at rows --- */

/* One rowset while its rows are looked at. */
struct look {
    struct skep_rowset *rs;
    const struct view *view;
    uint32_t field; /* the environment's; UINT32_MAX: no row names one */
    struct skep_colreader *source, *time, *environment;
    skep_err broken; /* why there is no reader of the environment */
    struct skep_mask mask;
    struct skep_shown *shown;
};

/* What is known of the rows of a stretch. */
enum known { SOME, ALL, NONE };

static void widen(struct skep_shown *s, skep_ts_ns min, skep_ts_ns max)
{
    s->min_start_ns = SKEP_MIN(s->min_start_ns, min);
    s->max_start_ns = SKEP_MAX(s->max_start_ns, max);
}

static void widen_block(struct look *l, uint64_t block)
{
    const struct skep_block_bounds *b = &l->rs->blocks[block];
    widen(l->shown, b->min_start_ns, b->max_start_ns);
}

static void hide(struct look *l, uint64_t row0, const uint64_t *words, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (words[i / 64] >> (i % 64) & 1)
            skep_mask_add(&l->mask, row0 + i);
}

/* Bits of the rows whose source is `skep`. */
static bool read_source(struct look *l, uint64_t row0, unsigned n, uint64_t *own)
{
    struct skep_vec v;
    if (l->source->ops->read(l->source, row0, n, &v, NULL) != SKEP_OK || v.form != SKEP_VEC_I64 ||
        v.none)
        return false;
    for (unsigned i = 0; i < n; i++)
        own[i / 64] |= (uint64_t)(v.i64[v.constant ? 0 : i] == SKEP_SOURCE_SELF) << (i % 64);
    return true;
}

static bool is_of(const struct skep_vec *v, unsigned i, skep_str environment)
{
    bool said = !v->none && (!v->valid || (v->valid[i / 64] >> (i % 64) & 1));
    unsigned at = v->constant ? 0 : i;
    if (!said)
        return is_default(environment);
    skep_str name = v->form == SKEP_VEC_DICT ? skep_dict_str(v->dict, v->codes[at]) : v->str[at];
    return skep_str_eq(name, environment);
}

/* Clears the bits of rows that are of another environment. */
static skep_rc read_environment(struct look *l, uint64_t row0, unsigned n, uint64_t *of,
                                skep_err *err)
{
    struct skep_vec v;
    if (!l->environment)
        return skep_fail(err, l->broken.rc, "%s", l->broken.text);
    SKEP_TRY(l->environment->ops->read(l->environment, row0, n, &v, err));
    if (!v.none && v.form != SKEP_VEC_DICT && v.form != SKEP_VEC_STR)
        return skep_fail(err, SKEP_ECORRUPT, "meta.environment is not a string");
    for (unsigned i = 0; i < n; i++)
        if (!is_of(&v, i, l->view->environment))
            of[i / 64] &= ~(1ull << (i % 64));
    return SKEP_OK;
}

/* A block of which some rows may be hidden.  What is `own` is decided by the view's flag, the rest
 * by the environment. */
static void look_at_block(struct look *l, uint64_t block, unsigned n, enum known own, enum known of)
{
    uint64_t row0 = block * SKEP_BLOCK_ROWS;
    uint64_t is_own[SKEP_BLOCK_ROWS / 64] = {0}, is_of_it[SKEP_BLOCK_ROWS / 64];
    uint64_t hidden[SKEP_BLOCK_ROWS / 64];
    memset(is_of_it, of == NONE ? 0 : 0xff, sizeof is_of_it);
    skep_err err;
    if (own == SOME && !read_source(l, row0, n, is_own)) /* I2 */
        memset(is_own, l->view->own ? 0xff : 0, sizeof is_own);
    if (of == SOME && read_environment(l, row0, n, is_of_it, &err) != SKEP_OK) { /* I2 */
        memset(is_of_it, 0, sizeof is_of_it);
        if (l->shown->unread_rows == 0)
            l->shown->why = err;
        l->shown->unread_rows += n;
    }
    uint64_t any = 0;
    for (unsigned w = 0; w < SKEP_ARRAY_LEN(hidden); w++) {
        hidden[w] = l->view->own ? ~is_own[w] & ~is_of_it[w] : is_own[w] | ~is_of_it[w];
        any |= hidden[w];
    }
    if (any)
        hide(l, row0, hidden, n);
    if (l->view->environment.n > 0)
        return;
    struct skep_vec time;
    bool read = any && l->time->ops->read(l->time, row0, n, &time, NULL) == SKEP_OK &&
                time.form == SKEP_VEC_I64 && !time.none;
    if (!any)
        widen_block(l, block);
    for (unsigned i = 0; read && i < n; i++) {
        skep_ts_ns t = time.i64[time.constant ? 0 : i];
        if (!(hidden[i / 64] >> (i % 64) & 1))
            widen(l->shown, t, t);
    }
}

/* Are rows [row0, row0 + n) of a row group the server's own? */
static enum known own_in(struct look *l, uint64_t row0, unsigned n)
{
    double min, max;
    if (l->source->ops->zone && l->source->ops->zone(l->source, row0, n, &min, &max) &&
        (min > SKEP_SOURCE_SELF || max < SKEP_SOURCE_SELF))
        return NONE;
    return SOME;
}

static enum known of_environment_in(struct look *l, uint64_t row0, unsigned n)
{
    skep_str name = l->view->environment;
    if (name.n == 0)
        return ALL;
    if (l->field == UINT32_MAX)
        return is_default(name) ? ALL : NONE;
    if (l->environment && l->environment->ops->maybe && !is_default(name) &&
        !l->environment->ops->maybe(l->environment, row0, n, skep_hash(skep_str_bytes(name))))
        return NONE;
    return SOME;
}

static void look_at_group(struct look *l, uint64_t first, uint64_t end)
{
    uint64_t rows = 0;
    for (uint64_t b = first; b < end; b++)
        rows += skep_rowset_block_rows(l->rs, b);
    if (rows == 0)
        return;
    enum known own = own_in(l, first * SKEP_BLOCK_ROWS, (unsigned)rows);
    enum known of = of_environment_in(l, first * SKEP_BLOCK_ROWS, (unsigned)rows);
    for (uint64_t b = first; b < end; b++) {
        unsigned n = skep_rowset_block_rows(l->rs, b);
        if (n > 0 && (of != ALL || (own != NONE && !l->view->own)))
            look_at_block(l, b, n, own, of);
        else if (n > 0)
            widen_block(l, b);
    }
}

/* --- a view of a rowset --- */

/* False: nothing can be told apart here. */
static bool open_look(struct look *l, skep_err *err)
{
    struct skep_rowset *rs = l->rs;
    l->field = l->view->environment.n > 0
                   ? skep_rowset_find_field(rs, SKEP_ENVIRONMENT_FIELD, SKEP_SCOPE_INTRINSIC,
                                            SKEP_TYPE_STRING)
                   : UINT32_MAX;
    if (l->field != UINT32_MAX &&
        rs->ops->open_field(rs, l->field, &l->environment, &l->broken) != SKEP_OK)
        l->environment = NULL;
    return rs->ops->open_column(rs, SKEP_COL_SOURCE, &l->source, err) == SKEP_OK &&
           rs->ops->open_column(rs, SKEP_COL_TIME, &l->time, err) == SKEP_OK;
}

static void close_look(struct look *l)
{
    struct skep_colreader *all[] = {l->source, l->time, l->environment};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++)
        if (all[i])
            all[i]->ops->close(all[i]);
}

/* I2, where there are not even readers: rows of any environment could be among them. */
static void hide_all(struct look *l, const skep_err *why)
{
    uint64_t all[SKEP_BLOCK_ROWS / 64];
    memset(all, 0xff, sizeof all);
    for (uint64_t b = 0; b < skep_rowset_blocks(l->rs); b++)
        hide(l, b * SKEP_BLOCK_ROWS, all, skep_rowset_block_rows(l->rs, b));
    l->shown->unread_rows = l->rs->n_rows;
    l->shown->why = *why;
}

static void look_at_rows(struct look *l, struct skep_live *live, const skep_err *broken)
{
    enum { BLOCKS = SKEP_ROW_GROUP_ROWS / SKEP_BLOCK_ROWS };
    struct skep_shown *s = l->shown;
    s->min_start_ns = INT64_MAX;
    s->max_start_ns = INT64_MIN;
    skep_mask_init(&l->mask, l->rs);
    if (broken)
        hide_all(l, broken);
    for (uint64_t b = 0; !broken && b < skep_rowset_blocks(l->rs); b += BLOCKS)
        look_at_group(l, b, SKEP_MIN(b + BLOCKS, skep_rowset_blocks(l->rs)));
    s->live = l->mask.n > 0 ? skep_live_kill(live, &l->mask, SKEP_DEATH_DELETED, &s->hidden_rows)
                            : skep_live_ref(live);
    skep_mask_done(&l->mask);
}

static struct skep_shown *make_shown(struct skep_rowset *rs, struct skep_live *live,
                                     const struct view *view)
{
    struct skep_shown *s = skep_alloc(struct skep_shown);
    char *name = skep_malloc(view->environment.n + 1);
    memcpy(name, view->environment.p ? view->environment.p : "", view->environment.n);
    *s = (struct skep_shown){.view = {{name, view->environment.n}, view->own},
                             .version = live ? live->version : 0,
                             .min_start_ns = rs->bounds.min_start_ns,
                             .max_start_ns = rs->bounds.max_start_ns};
    const struct skep_part *part = skep_part_of(rs);
    struct look l = {.rs = rs, .view = view, .shown = s};
    skep_err err;
    bool can = open_look(&l, &err);
    bool one = l.field == UINT32_MAX && (view->environment.n == 0 || is_default(view->environment));
    if ((one && part && !has_own(part)) || (!can && view->environment.n == 0))
        s->live = skep_live_ref(live); /* I2: what cannot be opened is found by the question, too */
    else
        look_at_rows(&l, live, can ? NULL : &err);
    close_look(&l);
    return s;
}

/* --- the views kept --- */

static uint64_t version_of(const struct skep_snapshot_set *set)
{
    return set->live ? set->live->version : 0;
}

/* Where the view is, or would be. */
static struct skep_shown **find(struct skep_rowset *rs, const struct view *view)
{
    struct skep_shown **at = &rs->shown;
    while (*at && ((*at)->view.own != view->own ||
                   !skep_str_eq((*at)->view.environment, view->environment)))
        at = &(*at)->next;
    return at;
}

/* Puts a view to the front in place of an older one of it; returns what nobody keeps any more. */
static struct skep_shown *keep_locked(struct skep_rowset *rs, struct skep_shown *s)
{
    struct skep_shown **at = find(rs, &s->view), *gone = *at;
    if (gone) {
        *at = gone->next;
        gone->next = NULL;
    }
    s->next = rs->shown;
    rs->shown = s;
    struct skep_shown *last = s;
    for (unsigned i = 1; last && i < SKEP_VIEWS; i++)
        last = last->next;
    if (last && last->next) { /* more than may be: then none was replaced */
        gone = last->next;
        last->next = NULL;
    }
    return gone;
}

/* What a view of a set is. */
struct taken {
    struct skep_live *live; /* a reference */
    uint64_t hidden_rows, unread_rows;
    skep_err why;
};

static struct taken take(const struct skep_shown *s)
{
    return (struct taken){skep_live_ref(s->live), s->hidden_rows, s->unread_rows, s->why};
}

static struct taken shown_of(struct skep_engine *e, const struct skep_snapshot_set *set,
                             const struct view *view)
{
    struct taken t = {0};
    skep_mutex_lock(&e->shown_mu);
    struct skep_shown *s = *find(set->rowset, view);
    bool known = s && s->version == version_of(set);
    if (known)
        t = take(s);
    skep_mutex_unlock(&e->shown_mu);
    if (known)
        return t;
    s = make_shown(set->rowset, set->live, view);
    t = take(s);
    struct skep_shown *gone = s;
    if (s->unread_rows == 0) { /* I2 */
        skep_mutex_lock(&e->shown_mu);
        gone = keep_locked(set->rowset, s); /* I1; an older version only means to make it again */
        skep_mutex_unlock(&e->shown_mu);
    }
    skep_shown_free(gone);
    return t;
}

/* All environments, without the server's own. */
static const struct view theirs = {.environment = {"", 0}, .own = false};

void skep_engine__look_at_own(struct skep_engine *e, const struct skep_snapshot_set *set)
{
    skep_live_unref(shown_of(e, set, &theirs).live);
}

struct skep_snapshot *skep_engine__shown(struct skep_engine *e, struct skep_snapshot *snap,
                                         skep_str environment, bool own, uint64_t *ret_unread,
                                         skep_err *ret_why)
{
    const struct view view = {environment, own};
    *ret_unread = 0;
    if (view.environment.n == 0 && own)
        return snap;
    uint64_t hidden = 0;
    struct skep_live **lives = skep_alloc_n(struct skep_live *, snap->n);
    for (unsigned i = 0; i < snap->n; i++) {
        struct taken t = shown_of(e, &snap->sets[i], &view);
        lives[i] = t.live;
        hidden += t.hidden_rows;
        if (t.unread_rows > 0 && *ret_unread == 0)
            *ret_why = t.why;
        *ret_unread += t.unread_rows;
    }
    struct skep_snapshot *to =
        hidden > 0 ? skep_snapshot__relive(snap, lives) : skep_snapshot_ref(snap);
    for (unsigned i = 0; i < snap->n; i++)
        skep_live_unref(lives[i]);
    skep_free(lives);
    skep_snapshot_unref(snap);
    return to;
}

uint64_t skep_engine__shown_stats(struct skep_engine *e, const struct skep_snapshot_set *set,
                                  skep_ts_ns *ret_min_ns, skep_ts_ns *ret_max_ns)
{
    *ret_min_ns = set->rowset->bounds.min_start_ns;
    *ret_max_ns = set->rowset->bounds.max_start_ns;
    uint64_t hidden = 0;
    skep_mutex_lock(&e->shown_mu);
    const struct skep_shown *s = *find(set->rowset, &theirs);
    if (s && s->version == version_of(set)) {
        hidden = s->hidden_rows;
        *ret_min_ns = s->min_start_ns;
        *ret_max_ns = s->max_start_ns;
    }
    skep_mutex_unlock(&e->shown_mu);
    return hidden;
}

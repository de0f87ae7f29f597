// SPDX-License-Identifier: Apache-2.0
/* The server's own rows (source `skep`) are hidden from questions that do not ask for them.
 *
 *   snapshot       rowset A, all live      rowset B, live bitmap 7       rowset C
 *   for a plan     rowset A, bitmap A'     rowset B, bitmap 7'           (left out: all its own)
 *
 * A hidden row is treated like one that is not alive: a bitmap is made, for each version of a
 * rowset's live rows, without them, and kept with the rowset.  Nothing in the executor knows of it,
 * and rowsets and row groups without such rows cost nothing: parts know from their ledger, row
 * groups of segments from the bounds of their SOURCE column.  Which plans see all is one rule,
 * skep_plan_shows_own().
 *
 * I1  what is kept is never changed; it is replaced, under shown_mu, when the live rows changed.
 * I2  a block that cannot be read hides nothing: the question finds the same damage.
 *
 * Threads: any; the first who asks after a change makes the bitmap.  Locks: shown_mu, a leaf.
 * Memory: 8 KiB for each row group with such rows. */
#include "store/column/engine.h"
#include "store/column/live.h"

#include "base/mem.h"
#include "store/column/part.h"

struct skep_shown {
    uint64_t version;                      /* of the live rows it was made from; 0 = all */
    uint64_t hidden_rows;                  /* that lived */
    struct skep_live *live;                /* without them; NULL = all rows */
    skep_ts_ns min_start_ns, max_start_ns; /* of what is shown; min > max = nothing */
};

void skep_shown_free(struct skep_shown *s)
{
    if (!s)
        return;
    skep_live_unref(s->live);
    skep_free(s);
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

/* The readers of one rowset while its rows are looked at. */
struct look {
    struct skep_rowset *rs;
    struct skep_colreader *source, *time;
    struct skep_mask mask;
    struct skep_shown *shown;
};

static void widen(struct skep_shown *s, skep_ts_ns min, skep_ts_ns max)
{
    s->min_start_ns = SKEP_MIN(s->min_start_ns, min);
    s->max_start_ns = SKEP_MAX(s->max_start_ns, max);
}

/* A block with rows of our own: those are masked, the times of the others count. */
static void look_at_block(struct look *l, uint64_t block, unsigned n)
{
    struct skep_vec source, time;
    uint64_t row0 = block * SKEP_BLOCK_ROWS;
    const struct skep_block_bounds *bounds = &l->rs->blocks[block];
    bool read = l->source->ops->read(l->source, row0, n, &source, NULL) == SKEP_OK &&
                source.form == SKEP_VEC_I64 && !source.none;
    if (!read || (source.constant && source.i64[0] != SKEP_SOURCE_SELF)) { /* I2 */
        widen(l->shown, bounds->min_start_ns, bounds->max_start_ns);
        return;
    }
    read = l->time->ops->read(l->time, row0, n, &time, NULL) == SKEP_OK &&
           time.form == SKEP_VEC_I64 && !time.none;
    for (unsigned i = 0; i < n; i++) {
        if (source.i64[source.constant ? 0 : i] == SKEP_SOURCE_SELF)
            skep_mask_add(&l->mask, row0 + i);
        else if (read)
            widen(l->shown, time.i64[time.constant ? 0 : i], time.i64[time.constant ? 0 : i]);
    }
}

static void look_at_group(struct look *l, uint64_t first, uint64_t end)
{
    struct skep_shown *s = l->shown;
    uint64_t rows = 0;
    for (uint64_t b = first; b < end; b++)
        rows += skep_rowset_block_rows(l->rs, b);
    double min, max;
    bool own = true;
    if (rows > 0 && l->source->ops->zone)
        own =
            !l->source->ops->zone(l->source, first * SKEP_BLOCK_ROWS, (unsigned)rows, &min, &max) ||
            (min <= SKEP_SOURCE_SELF && max >= SKEP_SOURCE_SELF);
    for (uint64_t b = first; b < end; b++) {
        unsigned n = skep_rowset_block_rows(l->rs, b);
        if (n > 0 && own)
            look_at_block(l, b, n);
        else if (n > 0)
            widen(s, l->rs->blocks[b].min_start_ns, l->rs->blocks[b].max_start_ns);
    }
}

static bool open_look(struct look *l)
{
    struct skep_rowset *rs = l->rs;
    return rs->ops->open_column(rs, SKEP_COL_SOURCE, &l->source, NULL) == SKEP_OK &&
           rs->ops->open_column(rs, SKEP_COL_TIME, &l->time, NULL) == SKEP_OK;
}

static struct skep_shown *make_shown(struct skep_rowset *rs, struct skep_live *live)
{
    enum { BLOCKS = SKEP_ROW_GROUP_ROWS / SKEP_BLOCK_ROWS };
    struct skep_shown *s = skep_alloc(struct skep_shown);
    *s = (struct skep_shown){.version = live ? live->version : 0,
                             .min_start_ns = rs->bounds.min_start_ns,
                             .max_start_ns = rs->bounds.max_start_ns};
    const struct skep_part *part = skep_part_of(rs);
    struct look l = {.rs = rs, .shown = s};
    if ((part && !has_own(part)) || !open_look(&l)) {
        s->live = skep_live_ref(live);
    } else {
        skep_mask_init(&l.mask, rs);
        s->min_start_ns = INT64_MAX;
        s->max_start_ns = INT64_MIN;
        for (uint64_t b = 0; b < skep_rowset_blocks(rs); b += BLOCKS)
            look_at_group(&l, b, SKEP_MIN(b + BLOCKS, skep_rowset_blocks(rs)));
        s->live = l.mask.n > 0 ? skep_live_kill(live, &l.mask, SKEP_DEATH_DELETED, &s->hidden_rows)
                               : skep_live_ref(live);
        skep_mask_done(&l.mask);
    }
    if (l.source)
        l.source->ops->close(l.source);
    if (l.time)
        l.time->ops->close(l.time);
    return s;
}

static uint64_t version_of(const struct skep_snapshot_set *set)
{
    return set->live ? set->live->version : 0;
}

/* A reference of the rows to show; *ret_hidden of the live ones are not among them. */
static struct skep_live *take(const struct skep_shown *s, uint64_t *ret_hidden)
{
    *ret_hidden = s->hidden_rows;
    return skep_live_ref(s->live);
}

static struct skep_live *shown_live(struct skep_engine *e, const struct skep_snapshot_set *set,
                                    uint64_t *ret_hidden)
{
    struct skep_live *live = NULL;
    skep_mutex_lock(&e->shown_mu);
    struct skep_shown *s = set->rowset->shown;
    bool known = s && s->version == version_of(set);
    if (known)
        live = take(s, ret_hidden);
    skep_mutex_unlock(&e->shown_mu);
    if (known)
        return live;
    s = make_shown(set->rowset, set->live);
    live = take(s, ret_hidden);
    skep_mutex_lock(&e->shown_mu);
    struct skep_shown *old = set->rowset->shown;
    set->rowset->shown = s; /* I1; an older version only means to make it again */
    skep_mutex_unlock(&e->shown_mu);
    skep_shown_free(old);
    return live;
}

void skep_engine__look_at_own(struct skep_engine *e, const struct skep_snapshot_set *set)
{
    uint64_t hidden;
    skep_live_unref(shown_live(e, set, &hidden));
}

struct skep_snapshot *skep_engine__shown(struct skep_engine *e, struct skep_snapshot *snap)
{
    uint64_t all = 0, hidden;
    struct skep_live **lives = skep_alloc_n(struct skep_live *, snap->n);
    for (unsigned i = 0; i < snap->n; i++) {
        lives[i] = shown_live(e, &snap->sets[i], &hidden);
        all += hidden;
    }
    struct skep_snapshot *to =
        all > 0 ? skep_snapshot__relive(snap, lives) : skep_snapshot_ref(snap);
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
    const struct skep_shown *s = set->rowset->shown;
    if (s && s->version == version_of(set)) {
        hidden = s->hidden_rows;
        *ret_min_ns = s->min_start_ns;
        *ret_max_ns = s->max_start_ns;
    }
    skep_mutex_unlock(&e->shown_mu);
    return hidden;
}

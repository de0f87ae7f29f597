// SPDX-License-Identifier: Apache-2.0
/* Reference counts of rowsets and snapshots, and the making of one snapshot from another.
 *
 * A snapshot is an immutable list of rowsets by min_seq.  Changing what is visible means building a
 * new list and swapping the pointer (engine.c, under its snapshot lock); readers keep the old one
 * as long as they like, and what only they still hold dies with them: a replaced segment's file is
 * unlinked by on_last_unref.
 *
 * I1  segments of spans come first, then those of logs, then parts; inside each of the three sets
 * are ascending by min_seq and their [min_seq, max_seq] do not overlap. I2  a snapshot holds one
 * reference of each of its rowsets and live bitmaps.
 *
 * Threads: any. */
#include "store/column/snapshot.h"

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/cuts.h"
#include "store/column/live.h"
#include "store/column/part.h"

struct skep_rowset *skep_rowset_ref(struct skep_rowset *rs)
{
    skep_assert(rs != NULL);
    /* Relaxed: whoever refs already holds a reference. */
    uint32_t old = atomic_fetch_add_explicit(&rs->refs, 1, memory_order_relaxed);
    skep_assert(old > 0);
    return rs;
}

void skep_rowset_unref(struct skep_rowset *rs)
{
    if (!rs)
        return;
    /* acq_rel: the one who destroys must see all that other holders did before they let go. */
    uint32_t old = atomic_fetch_sub_explicit(&rs->refs, 1, memory_order_acq_rel);
    skep_assert(old > 0);
    if (old != 1)
        return;
    if (rs->on_last_unref)
        rs->on_last_unref(rs->on_last_unref_ctx, rs);
    skep_shown_free(rs->shown);
    rs->ops->destroy(rs);
}

static int cmp_field(const struct skep_rowset_field *f, skep_str name, uint8_t scope, uint8_t type)
{
    int c = skep_str_cmp(f->name, name);
    if (c == 0)
        c = (int)f->scope - (int)scope;
    return c != 0 ? c : (int)f->type - (int)type;
}

uint32_t skep_rowset_find_field(const struct skep_rowset *rs, skep_str name, uint8_t scope,
                                uint8_t type)
{
    uint32_t low = 0, high = rs->n_fields;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int c = cmp_field(&rs->fields[mid], name, scope, type);
        if (c == 0)
            return mid;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return UINT32_MAX;
}

struct skep_snapshot *skep_snapshot_ref(struct skep_snapshot *s)
{
    skep_assert(s != NULL);
    uint32_t old = atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    skep_assert(old > 0);
    return s;
}

void skep_snapshot_unref(struct skep_snapshot *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned i = 0; i < s->n; i++) {
        skep_rowset_unref(s->sets[i].rowset);
        skep_live_unref(s->sets[i].live);
    }
    skep_cut_cache_unref(s->cuts);
    skep_free(s);
}

static struct skep_snapshot *snapshot_new(uint64_t visible_seq, unsigned cap)
{
    struct skep_snapshot *s = skep_calloc(1, sizeof *s + cap * sizeof s->sets[0]);
    atomic_init(&s->refs, 1);
    s->visible_seq = visible_seq;
    return s;
}

struct skep_snapshot *skep_snapshot__empty(uint64_t visible_seq)
{
    return snapshot_new(visible_seq, 0);
}

/* Place of a rowset in the list (I1). */
static unsigned rank_of(const struct skep_rowset *rs)
{
    return rs->ops == &skep_part_ops ? SKEP_LAYOUT_COUNT : rs->layout;
}

static bool stands_before(const struct skep_rowset *a, const struct skep_rowset *b)
{
    unsigned x = rank_of(a), y = rank_of(b);
    return x != y ? x < y : a->max_seq < b->min_seq;
}

static void put(struct skep_snapshot *to, struct skep_rowset *rs, struct skep_live *live)
{
    if (to->n > 0)
        skep_assert(stands_before(to->sets[to->n - 1].rowset, rs)); /* I1 */
    skep_assert(!live || live->n_rows == rs->n_rows);
    to->sets[to->n++] = (struct skep_snapshot_set){skep_rowset_ref(rs), skep_live_ref(live)};
}

/* The next segment of a snapshot from `at` on; n when there is none. */
static unsigned next_clustered(const struct skep_snapshot *s, unsigned at)
{
    while (at < s->n && !s->sets[at].rowset->trace_clustered)
        at++;
    return at;
}

/* As long as the segments stay the same, so do the traces that stand in several of them. */
static void inherit_cuts(struct skep_snapshot *to, const struct skep_snapshot *from)
{
    unsigned a = next_clustered(to, 0), b = next_clustered(from, 0);
    while (a < to->n && b < from->n && to->sets[a].rowset == from->sets[b].rowset) {
        a = next_clustered(to, a + 1);
        b = next_clustered(from, b + 1);
    }
    bool same = a == to->n && b == from->n && from->cuts;
    to->cuts = same ? skep_cut_cache_ref(from->cuts) : skep_cut_cache_new();
}

/* The live rows of a set after a change. */
static struct skep_live *after(struct skep_rowset *rs, struct skep_live *live,
                               const struct skep_snapshot_set *changed, unsigned n_changed)
{
    for (unsigned i = 0; i < n_changed; i++)
        if (changed[i].rowset == rs)
            return changed[i].live;
    return live;
}

struct skep_snapshot *skep_snapshot__append(const struct skep_snapshot *s,
                                            struct skep_rowset *const *more, unsigned n,
                                            uint64_t visible_seq,
                                            const struct skep_snapshot_set *changed,
                                            unsigned n_changed)
{
    skep_assert(visible_seq >= s->visible_seq);
    struct skep_snapshot *to = snapshot_new(visible_seq, s->n + n);
    for (unsigned i = 0; i < s->n; i++)
        put(to, s->sets[i].rowset, after(s->sets[i].rowset, s->sets[i].live, changed, n_changed));
    for (unsigned i = 0; i < n; i++)
        put(to, more[i], after(more[i], NULL, changed, n_changed));
    inherit_cuts(to, s);
    return to;
}

static bool is_among(const struct skep_rowset *rs, struct skep_rowset *const *list, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (list[i] == rs)
            return true;
    return false;
}

struct skep_snapshot *skep_snapshot__replace(const struct skep_snapshot *s,
                                             struct skep_rowset *const *gone, unsigned n_gone,
                                             const struct skep_snapshot_set *by, unsigned n_by)
{
    struct skep_snapshot *to = snapshot_new(s->visible_seq, s->n + n_by);
    unsigned n_dropped = 0, at = 0;
    for (unsigned i = 0; i < s->n; i++) {
        struct skep_rowset *rs = s->sets[i].rowset;
        if (is_among(rs, gone, n_gone)) {
            n_dropped++;
            continue;
        }
        for (; at < n_by && stands_before(by[at].rowset, rs); at++)
            put(to, by[at].rowset, by[at].live);
        put(to, rs, s->sets[i].live);
    }
    for (; at < n_by; at++)
        put(to, by[at].rowset, by[at].live);
    skep_assert(n_dropped == n_gone);
    inherit_cuts(to, s);
    return to;
}

const struct skep_snapshot_set *skep_snapshot__find(const struct skep_snapshot *s,
                                                    const struct skep_rowset *rs)
{
    for (unsigned i = 0; i < s->n; i++)
        if (s->sets[i].rowset == rs)
            return &s->sets[i];
    return NULL;
}

struct skep_snapshot *skep_snapshot__relive(const struct skep_snapshot *s,
                                            struct skep_live *const *lives)
{
    struct skep_snapshot *to = snapshot_new(s->visible_seq, s->n);
    for (unsigned i = 0; i < s->n; i++)
        if (skep_live_rows(lives[i], s->sets[i].rowset) > 0)
            put(to, s->sets[i].rowset, lives[i]);
    inherit_cuts(to, s);
    return to;
}

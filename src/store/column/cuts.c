// SPDX-License-Identifier: Apache-2.0
/* Finding cut traces by the sorted fingerprints that every clustered rowset has.
 *
 *   among   the indexes of all rowsets are merged, a page of each at a time: a fingerprint met in
 *           two of them is a cut trace
 *   of      given fingerprints, ascending like the index, are looked for page by page; a page that
 *           can hold none is not read
 *
 * The first question that needs `among` leaves the answer in the snapshot's cache, where later ones
 * of any snapshot with the same segments find it.  Over KEPT_MAX places it is made anew each time.
 *
 * I1  what is found is never too little: the same trace has the same fingerprint everywhere.
 * I2  a cache is written once; its places name segments by their number among the segments, which
 * is the same in all snapshots that share it. Threads: any; each call has its own state.  Memory: a
 * page of each rowset, and the places; a cache has at most 4 MiB, beyond any budget. */
#include "store/column/cuts.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "os/thread.h"

enum { KEPT_MAX = 1 << 18 };

struct skep_cut_cache {
    _Atomic uint32_t refs;
    struct skep_mutex mu;
    bool known;
    struct skep_cut_place *p;
    size_t n;
    uint32_t n_groups;
};

uint64_t skep_trace_fingerprint(const skep_trace_id *id)
{
    return skep_hash((skep_bytes){id->b, sizeof id->b}) >> SKEP_TRACE_FINGERPRINT_SHIFT;
}

static skep_rc push(struct skep_cut_places *l, struct skep_cut_place p, skep_err *err)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 64;
        if (l->budget &&
            skep_budget_take(l->budget, (cap - l->cap) * sizeof *l->p, NULL) != SKEP_OK)
            return skep_fail(
                err, SKEP_ENOMEM,
                "the query needs more memory than it may use: too many traces stand in "
                "several segments");
        l->p = skep_realloc(l->p, cap * sizeof *l->p);
        l->cap = cap;
    }
    l->p[l->n++] = p;
    return SKEP_OK;
}

void skep_cuts_done(struct skep_cut_places *l)
{
    if (l->budget)
        skep_budget_give(l->budget, l->cap * sizeof *l->p);
    skep_free(l->p);
    *l = (struct skep_cut_places){.budget = l->budget};
}

static int by_place(const void *a, const void *b)
{
    const struct skep_cut_place *x = a, *y = b;
    if (x->set != y->set)
        return x->set < y->set ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

void skep_cuts_sort(struct skep_cut_places *l)
{
    if (l->n > 1)
        qsort(l->p, l->n, sizeof *l->p, by_place);
}

/* The index of one rowset, read on. */
struct cursor {
    struct skep_rowset *rs;
    uint32_t set, page, n_pages; /* page: the next one */
    unsigned at, n;
    int64_t fingerprints[SKEP_TRACE_PAGE], rows[SKEP_TRACE_PAGE];
};

static skep_rc read_page(struct cursor *c, skep_err *err)
{
    c->at = 0;
    c->n = 0;
    if (c->page == c->n_pages)
        return SKEP_OK;
    return c->rs->ops->trace_page(c->rs, c->page++, c->fingerprints, c->rows, &c->n, err);
}

static skep_rc next(struct cursor *c, skep_err *err)
{
    return ++c->at < c->n ? SKEP_OK : read_page(c, err);
}

static uint64_t head(const struct cursor *c)
{
    return c->at < c->n ? (uint64_t)c->fingerprints[c->at] : UINT64_MAX;
}

/* Heap of cursors by their heads, lowest on top. */
static void sift(struct cursor **heap, unsigned n, unsigned at)
{
    for (;;) {
        unsigned least = at, kid = 2 * at + 1;
        if (kid < n && head(heap[kid]) < head(heap[least]))
            least = kid;
        if (kid + 1 < n && head(heap[kid + 1]) < head(heap[least]))
            least = kid + 1;
        if (least == at)
            return;
        struct cursor *t = heap[at];
        heap[at] = heap[least];
        heap[least] = t;
        at = least;
    }
}

static skep_rc merge(struct cursor **heap, unsigned n, struct skep_cut_places *places,
                     skep_err *err)
{
    for (unsigned i = n / 2 + 1; i-- > 0;)
        sift(heap, n, i);
    uint64_t last = UINT64_MAX; /* the fingerprint at hand */
    size_t mark = places->n;    /* its places begin here */
    bool several = false;       /* in more than one rowset */
    while (n > 0 && head(heap[0]) != UINT64_MAX) {
        struct cursor *c = heap[0];
        if (head(c) != last) {
            places->n = several ? places->n : mark;
            places->n_groups += several;
            mark = places->n;
            several = false;
            last = head(c);
        }
        several = several || (places->n > mark && places->p[mark].set != c->set);
        struct skep_cut_place here = {c->set, places->n_groups, (uint64_t)c->rows[c->at]};
        SKEP_TRY(push(places, here, err));
        SKEP_TRY(next(c, err));
        sift(heap, n, 0);
    }
    places->n = several ? places->n : mark;
    places->n_groups += several;
    return SKEP_OK;
}

static bool has_index(const struct skep_rowset *rs)
{
    return rs->trace_clustered && rs->ops->trace_page && rs->n_rows > 0;
}

static skep_rc among(const struct skep_snapshot *snap, struct skep_cut_places *places,
                     skep_err *err)
{
    unsigned n = 0;
    for (uint32_t s = 0; s < snap->n; s++)
        n += has_index(snap->sets[s].rowset);
    if (n < 2)
        return SKEP_OK;
    struct cursor *cursors = skep_alloc_n(struct cursor, n);
    struct cursor **heap = skep_alloc_n(struct cursor *, n);
    skep_rc rc = SKEP_OK;
    unsigned k = 0;
    for (uint32_t s = 0; s < snap->n && rc == SKEP_OK; s++) {
        struct skep_rowset *rs = snap->sets[s].rowset;
        if (!has_index(rs))
            continue;
        cursors[k] = (struct cursor){.rs = rs, .set = s, .n_pages = rs->ops->trace_pages(rs)};
        rc = read_page(&cursors[k], err);
        heap[k] = &cursors[k];
        k++;
    }
    if (rc == SKEP_OK)
        rc = merge(heap, n, places, err);
    skep_free(heap);
    skep_free(cursors);
    return rc;
}

struct skep_cut_cache *skep_cut_cache_new(void)
{
    struct skep_cut_cache *c = skep_alloc(struct skep_cut_cache);
    atomic_init(&c->refs, 1);
    skep_mutex_init(&c->mu, "cuts");
    return c;
}

struct skep_cut_cache *skep_cut_cache_ref(struct skep_cut_cache *c)
{
    uint32_t old = atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    skep_assert(old > 0);
    return c;
}

void skep_cut_cache_unref(struct skep_cut_cache *c)
{
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    skep_mutex_done(&c->mu);
    skep_free(c->p);
    skep_free(c);
}

/* The segments of a snapshot: sets[nth], or with `inverse` number[set]. */
static uint32_t *numbers(const struct skep_snapshot *snap, bool inverse)
{
    uint32_t *v = skep_alloc_n(uint32_t, snap->n + 1), nth = 0;
    for (uint32_t s = 0; s < snap->n; s++) {
        if (!snap->sets[s].rowset->trace_clustered)
            continue;
        v[inverse ? s : nth] = inverse ? nth : s;
        nth++;
    }
    return v;
}

static skep_rc recall(struct skep_cut_cache *c, const struct skep_snapshot *snap,
                      struct skep_cut_places *places, bool *ret_known, skep_err *err)
{
    skep_rc rc = SKEP_OK;
    uint32_t *sets = numbers(snap, false);
    skep_mutex_lock(&c->mu);
    *ret_known = c->known;
    for (size_t i = 0; c->known && i < c->n && rc == SKEP_OK; i++) {
        struct skep_cut_place here = c->p[i];
        here.set = sets[here.set];
        rc = push(places, here, err);
    }
    places->n_groups = c->n_groups;
    skep_mutex_unlock(&c->mu);
    skep_free(sets);
    return rc;
}

static void remember(struct skep_cut_cache *c, const struct skep_snapshot *snap,
                     const struct skep_cut_places *places)
{
    if (places->n > KEPT_MAX)
        return;
    uint32_t *number = numbers(snap, true);
    skep_mutex_lock(&c->mu);
    if (!c->known) { /* another question may have been faster */
        c->p = skep_alloc_n(struct skep_cut_place, places->n + 1);
        c->n = places->n;
        c->n_groups = places->n_groups;
        c->known = true;
        for (size_t i = 0; i < places->n; i++) {
            c->p[i] = places->p[i];
            c->p[i].set = number[places->p[i].set];
        }
    }
    skep_mutex_unlock(&c->mu);
    skep_free(number);
}

skep_rc skep_cuts_among(const struct skep_snapshot *snap, struct skep_cut_places *places,
                        skep_err *err)
{
    bool known = false;
    skep_assert(places->n == 0);
    if (snap->cuts)
        SKEP_TRY(recall(snap->cuts, snap, places, &known, err));
    if (known)
        return SKEP_OK;
    SKEP_TRY(among(snap, places, err));
    if (snap->cuts)
        remember(snap->cuts, snap, places);
    return SKEP_OK;
}

/* The first page that may hold the fingerprint, from `from` on. */
static uint32_t page_of(struct skep_rowset *rs, uint32_t from, uint32_t n_pages, uint64_t fp)
{
    uint32_t low = from, high = n_pages;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (rs->ops->trace_page_first(rs, mid) < fp)
            low = mid + 1;
        else
            high = mid;
    }
    return low > from ? low - 1 : from; /* equal ones may begin at the end of the page before */
}

skep_rc skep_cuts_of(const struct skep_snapshot *snap, uint32_t set, const uint64_t *fps, size_t n,
                     struct skep_cut_places *places, skep_err *err)
{
    struct skep_rowset *rs = snap->sets[set].rowset;
    if (!has_index(rs) || n == 0)
        return SKEP_OK;
    struct cursor *c = skep_alloc(struct cursor);
    *c = (struct cursor){.rs = rs, .set = set, .n_pages = rs->ops->trace_pages(rs)};
    skep_rc rc = SKEP_OK;
    for (size_t i = 0; i < n && rc == SKEP_OK; i++) {
        skep_assert(i == 0 || fps[i - 1] < fps[i]);
        if (c->n == 0 || (uint64_t)c->fingerprints[c->n - 1] < fps[i]) {
            c->page = page_of(rs, c->page, c->n_pages, fps[i]);
            rc = read_page(c, err);
        }
        while (rc == SKEP_OK && head(c) < fps[i])
            rc = next(c, err);
        while (rc == SKEP_OK && head(c) == fps[i]) {
            struct skep_cut_place here = {set, SKEP_CUT_LOOSE, (uint64_t)c->rows[c->at]};
            rc = push(places, here, err);
            if (rc == SKEP_OK)
                rc = next(c, err);
        }
    }
    skep_free(c);
    return rc;
}

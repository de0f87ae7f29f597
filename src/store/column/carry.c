// SPDX-License-Identifier: Apache-2.0
/* Deaths and the rewriting of rows: nothing that died comes back, nothing that lives is lost.
 *
 *   a flush or merge takes rows by the bitmaps of its snapshot ...... rows die meanwhile
 *   -> result                                                               |
 *   change_mu:  what died since  --ids-->  rows of the result  -->  its bitmap
 *               bitmaps that are not on disk  -->  seg/<number>.live, fsynced
 *               one manifest record: segments, their bitmaps, the checkpoint
 *               snapshot
 *
 * I1  a record that moves the checkpoint to N names, for each segment, a bitmap with all deaths of
 *     commits up to N: the log may forget them.  Later ones may be in it: replay finds them dead.
 * I2  a record that adds a segment names all deaths among its rows so far, for the same reason.
 * I3  a file of live rows is written once; it is deleted when no durable record names it, or as an
 *     orphan by the next start.
 *
 * Memory: 16 bytes for each row that died during the work, asked from the work's budget; if there
 * is no room the result is thrown away and the work done again, then without those rows.
 *
 * Threads: who holds change_mu. */
#include "store/column/engine.h"

#include "base/hash.h"
#include "base/mem.h"
#include "store/column/kill.h"
#include "store/column/part.h"

enum { LIVE_BYTES_MAX = 64 << 20 };

static skep_path live_path(const struct skep_engine *e, uint64_t number)
{
    return skep_path_of("%s/seg/%016" PRIx64 ".live", e->dir, number);
}

/* --- what died meanwhile --- */

struct died {
    struct skep_row_keys keys;
    struct skep_budget *budget;
    uint64_t charged_bytes, deleted, superseded;
};

static skep_rc collect(const struct skep_snapshot *now, const struct skep_snapshot_set *used,
                       struct died *d, skep_err *err)
{
    const struct skep_snapshot_set *is = skep_snapshot__find(now, used->rowset);
    skep_assert(is != NULL); /* only the caller replaces it */
    if (is->live == used->live)
        return SKEP_OK;
    struct skep_mask mask;
    skep_live_diff(used->live, is->live, is->rowset, &mask);
    d->deleted += is->live->n_deleted - (used->live ? used->live->n_deleted : 0);
    d->superseded += is->live->n_superseded - (used->live ? used->live->n_superseded : 0);
    uint64_t bytes = 2 * mask.n * sizeof(struct skep_row_key); /* the list grows by doubling */
    skep_rc rc = skep_budget_take(d->budget, bytes, err);
    if (rc == SKEP_OK)
        d->charged_bytes += bytes;
    for (uint64_t g = 0; g < mask.n_groups && rc == SKEP_OK; g++)
        rc = skep_row_keys_of(is->rowset, &mask, g, &d->keys, err);
    skep_mask_done(&mask);
    return rc;
}

/* Kill them in one result; what is counted as what is shared out in turn, the sums are right. */
static skep_rc find_in(struct died *d, struct skep_snapshot_set *by, uint64_t *found, skep_err *err)
{
    struct skep_mask mask;
    skep_mask_init(&mask, by->rowset);
    skep_rc rc = skep_row_keys_find(by->rowset, &d->keys, &mask, err);
    if (rc == SKEP_OK && mask.n > 0) {
        uint64_t killed;
        struct skep_live *live = skep_live_kill(NULL, &mask, SKEP_DEATH_DELETED, &killed);
        uint64_t deleted = SKEP_MIN(killed, d->deleted);
        skep_assert(killed - deleted <= d->superseded);
        by->live = skep_live_recount(live, deleted, killed - deleted);
        skep_live_unref(live);
        d->deleted -= deleted;
        d->superseded -= killed - deleted;
        *found += killed;
    }
    skep_mask_done(&mask);
    return rc;
}

skep_rc skep_engine__carry(struct skep_engine *e, const struct skep_snapshot_set *used, unsigned n,
                           struct skep_snapshot_set *by, unsigned n_by, struct skep_budget *budget,
                           skep_err *err)
{
    skep_assert_held(&e->change_mu);
    struct skep_snapshot *now = skep_engine__snapshot(e);
    struct died d = {.budget = budget};
    skep_rc rc = SKEP_OK;
    uint64_t found = 0;
    for (unsigned i = 0; i < n && rc == SKEP_OK; i++)
        rc = collect(now, &used[i], &d, err);
    skep_row_keys_sort(&d.keys);
    for (unsigned i = 0; i < n_by && rc == SKEP_OK && d.keys.n > 0; i++)
        rc = find_in(&d, &by[i], &found, err);
    if (rc == SKEP_OK && found != d.keys.n)
        rc = skep_fail(err, SKEP_ECORRUPT, "%zu rows died during the rewrite, %llu are in it",
                       d.keys.n, (unsigned long long)found);
    skep_row_keys_done(&d.keys);
    skep_budget_give(budget, d.charged_bytes);
    skep_snapshot_unref(now);
    return rc;
}

/* --- files --- */

static skep_rc write_file(struct skep_engine *e, const struct skep_live *live, uint64_t segment,
                          struct skep_manifest_live *ret, skep_err *err)
{
    const struct skep_os *os = e->os;
    struct skep_buf b;
    skep_buf_init(&b, LIVE_BYTES_MAX);
    skep_live_encode(live, segment, &b);
    if (b.bad) {
        skep_buf_done(&b);
        return skep_fail(err, SKEP_ETOOLARGE, "live rows of segment %016" PRIx64, segment);
    }
    *ret = (struct skep_manifest_live){.number = atomic_fetch_add(&e->next_segment, 1),
                                       .bytes = b.n,
                                       .crc = skep_crc32c(0, skep_buf_bytes(&b)),
                                       .deleted = live->n_deleted,
                                       .superseded = live->n_superseded};
    skep_path path = live_path(e, ret->number);
    int fd;
    skep_rc rc =
        os->open(os, path.s, SKEP_OPEN_WRITE | SKEP_OPEN_CREATE | SKEP_OPEN_TRUNC, &fd, err);
    if (rc == SKEP_OK) {
        rc = os->pwrite(os, fd, b.p, b.n, 0, err);
        if (rc == SKEP_OK)
            rc = os->fsync(os, fd, err);
        os->close(os, fd);
        if (rc != SKEP_OK)
            (void)os->unlink(os, path.s, NULL); /* else an orphan for the next start */
    }
    skep_buf_done(&b);
    return rc;
}

skep_rc skep_engine__save(struct skep_engine *e, const struct skep_snapshot_set *sets, unsigned n,
                          struct skep_saved *ret, skep_err *err)
{
    skep_assert_held(&e->change_mu);
    *ret = (struct skep_saved){.lives = skep_alloc_n(struct skep_manifest_new_live, n),
                               .sets = skep_alloc_n(struct skep_snapshot_set, n)};
    skep_rc rc = SKEP_OK;
    for (unsigned i = 0; i < n && rc == SKEP_OK; i++) {
        struct skep_engine_segment *seg = skep_engine__segment(sets[i].rowset);
        if (!seg || !sets[i].live || sets[i].live == seg->saved)
            continue;
        struct skep_manifest_new_live *l = &ret->lives[ret->n];
        l->segment = seg->m.number;
        rc = write_file(e, sets[i].live, seg->m.number, &l->live, err);
        if (rc == SKEP_OK)
            ret->sets[ret->n++] = (struct skep_snapshot_set){skep_rowset_ref(sets[i].rowset),
                                                             skep_live_ref(sets[i].live)};
    }
    if (rc == SKEP_OK && ret->n > 0)
        rc = skep_os_sync_dir(e->os, skep_path_of("%s/seg", e->dir).s, err);
    if (rc != SKEP_OK) {
        skep_engine__settle_saved(e, ret, false);
        skep_saved__done(ret);
    }
    return rc;
}

void skep_engine__settle_saved(struct skep_engine *e, struct skep_saved *s, bool kept)
{
    for (unsigned i = 0; i < s->n; i++) {
        struct skep_engine_segment *seg = skep_engine__segment_must(s->sets[i].rowset);
        uint64_t gone = kept ? seg->m.live.number : s->lives[i].live.number;
        if (gone) /* I3; if it fails the next start finds an orphan */
            (void)e->os->unlink(e->os, live_path(e, gone).s, NULL);
        if (!kept)
            continue;
        atomic_fetch_add(&e->segment_bytes, s->lives[i].live.bytes);
        atomic_fetch_sub(&e->segment_bytes, seg->m.live.bytes);
        seg->m.live = s->lives[i].live;
        skep_live_unref(seg->saved);
        seg->saved = skep_live_ref(s->sets[i].live);
    }
}

void skep_saved__done(struct skep_saved *s)
{
    for (unsigned i = 0; i < s->n; i++) {
        skep_live_unref(s->sets[i].live);
        skep_rowset_unref(s->sets[i].rowset);
    }
    skep_free(s->lives);
    skep_free(s->sets);
    *s = (struct skep_saved){0};
}

skep_rc skep_live_load(const struct skep_os *os, const char *dir,
                       const struct skep_manifest_segment *m, const struct skep_rowset *rs,
                       struct skep_live **ret, skep_err *err)
{
    *ret = NULL;
    if (m->live.number == 0)
        return SKEP_OK;
    skep_path path = skep_path_of("%s/seg/%016" PRIx64 ".live", dir, m->live.number);
    int fd;
    SKEP_TRY(os->open(os, path.s, SKEP_OPEN_READ, &fd, err));
    skep_rc rc = SKEP_OK;
    struct skep_os_stat st;
    rc = os->fstat(os, fd, &st, err);
    if (rc == SKEP_OK && (st.size_bytes != m->live.bytes || st.size_bytes > LIVE_BYTES_MAX))
        rc = skep_fail(err, SKEP_ECORRUPT,
                       "the live rows of segment %016" PRIx64 " have %" PRIu64
                       " bytes, not %" PRIu64,
                       m->number, st.size_bytes, m->live.bytes);
    if (rc == SKEP_OK) {
        uint8_t *p = skep_malloc(st.size_bytes);
        skep_bytes file = {p, st.size_bytes};
        rc = os->pread(os, fd, p, st.size_bytes, 0, err);
        if (rc == SKEP_OK && skep_crc32c(0, file) != m->live.crc)
            rc = skep_fail(err, SKEP_ECORRUPT,
                           "the live rows of segment %016" PRIx64
                           " are not those the manifest names",
                           m->number);
        if (rc == SKEP_OK)
            rc = skep_live_decode(file, m->number, rs, ret, err);
        skep_free(p);
    }
    os->close(os, fd);
    if (rc == SKEP_OK &&
        ((*ret)->n_deleted != m->live.deleted || (*ret)->n_superseded != m->live.superseded)) {
        skep_live_unref(*ret);
        *ret = NULL;
        rc = skep_fail(err, SKEP_ECORRUPT, "the live rows of segment %016" PRIx64 " count others",
                       m->number);
    }
    return rc;
}

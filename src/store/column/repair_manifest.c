// SPDX-License-Identifier: Apache-2.0
/* skep repair: the manifest.
 *
 *   good                                 taken as it is
 *   good, but it lost its last records   (the log begins behind its checkpoint, and there are
 *                                        segments it does not name): made anew
 *   damaged, or not there                made anew
 *
 * Made anew: every whole record that is left is taken over for what only it knows (totals,
 * identities, what is missing); the segments are those that can be opened, the newest number first,
 * as far as their commits do not overlap: the result of a merge wins over its sources, which hold
 * the same rows.  Those whose commits are all in the log, and that nothing left of the manifest
 * vouches for, may be half of an unfinished flush: they are left out, and the log is read again.
 * Which rows are dead says the newest file of live rows of a segment; one that cannot be read is
 * told, for what it alone said is alive again.  Commits between segments
 * that are in none are recorded as a gap.  The checkpoint is the newest commit in a segment; what
 * the log has behind it is replayed.
 *
 * Threads: one.  Memory: the manifest, a footer at a time. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/column/engine.h"
#include "store/column/manifest_scan.h"
#include "store/column/repair.h"
#include "store/column/wal.h"

enum { CACHE_BYTES = 64 << 20 };

struct numbers {
    uint64_t *v;
    size_t n, cap;
};

static bool note_number(void *ctx, skep_str name)
{
    struct numbers *f = ctx;
    uint64_t number;
    if (skep_path_number(name, SKEP_STR(".seg"), &number)) {
        SKEP_GROW(f->v, f->n, f->cap);
        f->v[f->n++] = number;
    }
    return true;
}

static int newest_first(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x < y) - (x > y);
}

static skep_rc list_segments(const struct skep_repair *p, struct numbers *f, skep_err *err)
{
    const struct skep_os *os = p->t->os;
    skep_rc rc = os->list(os, skep_path_of("%s/seg", p->dir).s, note_number, f, err);
    if (f->n > 1)
        qsort(f->v, f->n, sizeof *f->v, newest_first);
    return rc == SKEP_ENOTFOUND ? SKEP_OK : rc;
}

/* --- a manifest that is good --------------------------------------------------------------------
 */

static skep_rc no_frame(void *ctx, uint64_t seq, uint8_t *payload, size_t n, skep_err *err)
{
    (void)ctx;
    (void)seq;
    (void)n;
    (void)err;
    skep_free(payload);
    return SKEP_OK;
}

/* Does the log begin behind the checkpoint? */
static skep_rc begins_late(const struct skep_repair *p, uint64_t checkpoint, bool *ret,
                           skep_err *err)
{
    struct skep_wal *w;
    struct skep_wal_damage damage;
    uint64_t last;
    SKEP_TRY(skep_wal_open(p->t->os, skep_path_of("%s/wal", p->dir).s, 0, &w, err));
    skep_rc rc = skep_wal_replay(w, checkpoint, no_frame, NULL, &damage, &last, err);
    skep_wal_close(w);
    *ret = rc == SKEP_OK && damage.gap_at_start;
    return rc;
}

static void take_record(void *ctx, const struct skep_manifest_piece *piece)
{
    struct skep_manifest_state *s = ctx;
    if (piece->good) /* one that builds on a lost one fails in part: what it holds alone counts */
        (void)(skep_manifest__apply(s, piece->whole) == SKEP_OK);
}

/* What the whole records of the manifest amount to, every member of it. */
static void read_state(const struct skep_repair *p, struct skep_manifest_state *ret)
{
    uint8_t *bytes;
    size_t n;
    skep_path path = skep_path_of("%s/MANIFEST", p->dir);
    *ret = (struct skep_manifest_state){.next_segment = 1};
    if (skep_manifest__read(p->t->os, path.s, &bytes, &n, NULL) != SKEP_OK)
        return;
    skep_manifest__scan((skep_bytes){bytes, n}, take_record, ret);
    skep_free(bytes);
}

static bool names(const struct skep_manifest_state *s, uint64_t number)
{
    for (unsigned i = 0; i < s->n; i++)
        if (s->segments[i].number == number)
            return true;
    return false;
}

static void note_bad(void *ctx, const struct skep_manifest_piece *piece)
{
    *(bool *)ctx |= !piece->good;
}

/* A last edit that was not finished (or is damaged, and nothing shows that it was): the file is
 * written anew without it. */
static void check_tail(struct skep_repair *p)
{
    uint8_t *bytes;
    size_t n;
    bool bad = false;
    skep_path path = skep_path_of("%s/MANIFEST", p->dir);
    if (skep_manifest__read(p->t->os, path.s, &bytes, &n, NULL) == SKEP_OK) {
        skep_manifest__scan((skep_bytes){bytes, n}, note_bad, &bad);
        skep_free(bytes);
    }
    if (!bad)
        return;
    p->r.changed = true;
    skep_repair__tell(p, SKEP_FINDING_NOTE, SKEP_STR("MANIFEST"),
                      "its last edit is unfinished or damaged and is left out: the files do not "
                      "need it");
}

static skep_rc try_good(struct skep_repair *p, const struct numbers *files, skep_err *err)
{
    struct skep_manifest *m;
    skep_err why;
    skep_rc rc = skep_manifest_load(p->t->os, p->dir, &m, &why);
    if (rc != SKEP_OK) {
        if (rc == SKEP_ECORRUPT || rc == SKEP_ENOTFOUND || rc == SKEP_EIO)
            return SKEP_OK; /* not good */
        if (err)
            *err = why;
        return rc;
    }
    const struct skep_manifest_state *s = skep_manifest_state(m);
    bool orphans = false, late = false;
    for (size_t i = 0; i < files->n; i++)
        orphans |= !names(s, files->v[i]);
    if (orphans)
        rc = begins_late(p, s->checkpoint, &late, err);
    if (rc == SKEP_OK && !late) {
        p->manifest_ok = true;
        read_state(p, &p->s);
        check_tail(p);
    }
    skep_manifest_close(m);
    return rc;
}

/* --- made anew -----------------------------------------------------------------------------------
 */

/* What is left of the old manifest; its list of segments is only what it may have been. */
static void take_rest(struct skep_repair *p, struct skep_manifest_state *known)
{
    read_state(p, known);
    read_state(p, &p->s);
    p->s.n = 0;
    p->s.checkpoint = 0; /* what it says may be in a segment that is gone: the files decide */
}

/* Newest arrival: in no footer. */
static skep_rc newest_arrival(struct skep_rowset *rs, skep_ts_ns *ret, skep_err *err)
{
    struct skep_colreader *r;
    skep_rc rc = rs->ops->open_column(rs, SKEP_COL_RECEIVED, &r, err);
    *ret = INT64_MIN;
    if (rc != SKEP_OK)
        return rc;
    for (uint64_t b = 0; b < skep_rowset_blocks(rs) && rc == SKEP_OK; b++) {
        struct skep_vec v;
        unsigned n = skep_rowset_block_rows(rs, b);
        if (n == 0)
            continue;
        rc = r->ops->read(r, b * SKEP_BLOCK_ROWS, n, &v, err);
        for (unsigned i = 0; rc == SKEP_OK && !v.none && i < (v.constant ? 1 : n); i++)
            *ret = SKEP_MAX(*ret, v.i64[i]);
    }
    r->ops->close(r);
    return rc;
}

static bool overlaps(const struct skep_manifest_state *s, const struct skep_rowset *rs)
{
    for (unsigned i = 0; i < s->n; i++)
        if (rs->layout == s->segments[i].layout && rs->min_seq <= s->segments[i].max_seq &&
            rs->max_seq >= s->segments[i].min_seq)
            return true;
    return false;
}

static void insert(struct skep_manifest_state *s, const struct skep_manifest_segment *g)
{
    unsigned at = s->n;
    SKEP_GROW(s->segments, s->n, s->cap);
    while (at > 0 && s->segments[at - 1].min_seq > g->min_seq) {
        s->segments[at] = s->segments[at - 1];
        at--;
    }
    s->segments[at] = *g;
    s->n++;
}

/* A segment that cannot be opened: what the old manifest said of it, or nothing. */
static void lose_segment(struct skep_repair *p, const struct skep_manifest_state *known,
                         uint64_t number)
{
    struct skep_missing m = {.kind = SKEP_MISSING_SEGMENT,
                             .number = number,
                             .max_seq = UINT64_MAX,
                             .rows = SKEP_MISSING_ROWS_UNKNOWN,
                             .min_start_ns = INT64_MIN,
                             .max_start_ns = INT64_MAX,
                             .found_ns = p->now_ns};
    for (unsigned i = 0; i < known->n; i++) {
        const struct skep_manifest_segment *g = &known->segments[i];
        if (g->number != number)
            continue;
        m.min_seq = g->min_seq;
        m.max_seq = g->max_seq;
        m.rows = g->n_rows;
        m.min_start_ns = g->bounds.min_start_ns;
        m.max_start_ns = g->bounds.max_start_ns;
        p->r.lost_rows += g->n_rows;
    }
    skep_repair__lose(p, &m);
    skep_repair__set_aside(p, number);
    p->r.segments_aside++;
}

static skep_rc take_segment(struct skep_repair *p, const struct skep_manifest_state *known,
                            uint64_t number, skep_err *err)
{
    struct skep_cache *cache = skep_cache_new(NULL, CACHE_BYTES);
    struct skep_rowset *rs = NULL;
    char name[32];
    skep_err why;
    (void)snprintf(name, sizeof name, "seg/%016" PRIx64 ".seg", number);
    skep_rc rc =
        skep_segment_open(p->t->os, skep_path_of("%s/%s", p->dir, name).s, cache, &rs, &why);
    if (rc == SKEP_ECORRUPT || rc == SKEP_EIO) {
        skep_repair__tell(p, SKEP_FINDING_DAMAGE, skep_str_c(name),
                          "it cannot be opened and is set aside: %s", why.text);
        lose_segment(p, known, number);
        rc = SKEP_OK;
    } else if (rc == SKEP_OK && overlaps(&p->s, rs)) {
        skep_repair__tell(p, SKEP_FINDING_NOTE, skep_str_c(name),
                          "its commits %" PRIu64 " to %" PRIu64
                          " are in a newer segment, too: it was merged, and is set aside",
                          rs->min_seq, rs->max_seq);
        skep_repair__set_aside(p, number);
    } else if (rc == SKEP_OK) {
        struct skep_manifest_segment g = {.number = number,
                                          .n_rows = rs->n_rows,
                                          .file_bytes = rs->bytes,
                                          .min_seq = rs->min_seq,
                                          .max_seq = rs->max_seq,
                                          .bounds = rs->bounds,
                                          .layout = rs->layout,
                                          .filed_min_ns = INT64_MAX,
                                          .filed_max_ns = INT64_MIN};
        if (newest_arrival(rs, &g.received_max_ns, NULL) != SKEP_OK)
            g.received_max_ns = p->now_ns; /* its damage is told when it is looked through */
        insert(&p->s, &g);
    } else if (err) {
        *err = why;
    }
    skep_rowset_unref(rs);
    skep_cache_free(cache);
    return rc;
}

/* By first commit; segments of the two layouts overlap. */
static void find_gaps(struct skep_repair *p)
{
    for (unsigned i = 1, top = 0; i < p->s.n; i++) {
        const struct skep_manifest_segment *a = &p->s.segments[top], *b = &p->s.segments[i];
        if (b->max_seq > a->max_seq)
            top = i;
        if (b->min_seq <= a->max_seq + 1)
            continue;
        const struct skep_missing m = {.kind = SKEP_MISSING_GAP,
                                       .min_seq = a->max_seq + 1,
                                       .max_seq = b->min_seq - 1,
                                       .rows = SKEP_MISSING_ROWS_UNKNOWN,
                                       .min_start_ns = INT64_MIN,
                                       .max_start_ns = INT64_MAX,
                                       .found_ns = p->now_ns};
        skep_repair__lose(p, &m);
    }
}

/* The first commit from which on the log has everything; UINT64_MAX: none. */
static skep_rc log_begins(const struct skep_repair *p, uint64_t *ret, skep_err *err)
{
    struct skep_wal *w;
    struct skep_wal_damage damage;
    uint64_t last = 0;
    *ret = UINT64_MAX;
    SKEP_TRY(skep_wal_open(p->t->os, skep_path_of("%s/wal", p->dir).s, 0, &w, err));
    skep_rc rc = skep_wal_replay(w, 0, no_frame, NULL, &damage, &last, err);
    skep_wal_close(w);
    if (rc == SKEP_OK && last > 0)
        *ret = damage.n_gaps ? damage.gaps[damage.n_gaps - 1].last + 1 : 1;
    return rc;
}

static skep_rc leave_to_log(struct skep_repair *p, const struct skep_manifest_state *known,
                            skep_err *err)
{
    uint64_t from;
    SKEP_TRY(log_begins(p, &from, err));
    if (known->checkpoint > 0 && from <= known->checkpoint)
        from = known->checkpoint + 1; /* up to there all is in segments */
    unsigned kept = 0;
    for (unsigned i = 0; i < p->s.n; i++) { /* by first commit */
        const struct skep_manifest_segment *g = &p->s.segments[i];
        if (g->min_seq < from) {
            /* What the log lacks the beginning of was flushed, and so was all up to its end. */
            from = SKEP_MAX(from, g->max_seq + 1);
            p->s.segments[kept++] = *g;
            continue;
        }
        skep_repair__tell(p, SKEP_FINDING_NOTE, SKEP_STR("MANIFEST"),
                          "segment %016" PRIx64 " (commits %" PRIu64 " to %" PRIu64
                          ") is set aside: the log has all of them, and is read again",
                          g->number, g->min_seq, g->max_seq);
        skep_repair__set_aside(p, g->number);
        p->r.segments_left_to_log++;
    }
    p->s.n = kept;
    return SKEP_OK;
}

/* --- live rows ----------------------------------------------------------------------------------
 */

static bool note_live(void *ctx, skep_str name)
{
    struct numbers *f = ctx;
    uint64_t number;
    if (skep_path_number(name, SKEP_STR(".live"), &number)) {
        SKEP_GROW(f->v, f->n, f->cap);
        f->v[f->n++] = number;
    }
    return true;
}

/* The file as live rows of this segment, if it is of it and good. */
static void try_live(struct skep_repair *p, struct skep_manifest_segment *g, uint64_t number,
                     skep_bytes file)
{
    enum { DELETED_AT = 40, SUPERSEDED_AT = 48 };
    struct skep_manifest_segment with = *g;
    with.live = (struct skep_manifest_live){.number = number,
                                            .bytes = file.n,
                                            .crc = skep_crc32c(0, file),
                                            .deleted = skep_load_le64(file.p + DELETED_AT),
                                            .superseded = skep_load_le64(file.p + SUPERSEDED_AT)};
    struct skep_cache *cache = skep_cache_new(NULL, CACHE_BYTES);
    struct skep_rowset *rs = NULL;
    struct skep_live *live = NULL;
    skep_path path = skep_path_of("%s/seg/%016" PRIx64 ".seg", p->dir, g->number);
    skep_rc rc = skep_segment_open(p->t->os, path.s, cache, &rs, NULL);
    if (rc == SKEP_OK && skep_live_load(p->t->os, p->dir, &with, rs, &live, NULL) == SKEP_OK)
        *g = with;
    skep_live_unref(live);
    skep_rowset_unref(rs);
    skep_cache_free(cache);
}

/* Nobody can say which segment it is of, and whether there was a newer one. */
static void lose_live(struct skep_repair *p, uint64_t number)
{
    char name[32];
    (void)snprintf(name, sizeof name, "seg/%016" PRIx64 ".live", number);
    skep_repair__tell(p, SKEP_FINDING_DAMAGE, skep_str_c(name),
                      "it cannot be read: rows that were deleted or superseded may be back; what "
                      "must not be there has to be deleted again");
    skep_repair__set_aside(p, number);
}

/* Take a file of live rows for the segment that it is of, unless that has a newer one. */
static skep_rc take_live(struct skep_repair *p, uint64_t number, skep_err *err)
{
    enum { SEGMENT_AT = 16 };
    uint8_t *file;
    size_t n;
    skep_path path = skep_path_of("%s/seg/%016" PRIx64 ".live", p->dir, number);
    skep_rc rc = skep_manifest__read(p->t->os, path.s, &file, &n, err);
    bool unread = rc == SKEP_ECORRUPT || rc == SKEP_EIO;
    if (unread || (rc == SKEP_OK && !skep_live_intact((skep_bytes){file, n}))) {
        lose_live(p, number); /* an older one may be good */
        if (!unread)
            skep_free(file);
        return SKEP_OK;
    }
    SKEP_TRY(rc);
    for (unsigned i = 0; i < p->s.n; i++) {
        struct skep_manifest_segment *g = &p->s.segments[i];
        if (g->number == skep_load_le64(file + SEGMENT_AT) && g->live.number == 0)
            try_live(p, g, number, (skep_bytes){file, n});
    }
    skep_free(file);
    return SKEP_OK;
}

static skep_rc take_lives(struct skep_repair *p, skep_err *err)
{
    struct numbers lives = {0};
    skep_rc rc = p->t->os->list(p->t->os, skep_path_of("%s/seg", p->dir).s, note_live, &lives, err);
    if (lives.n > 1)
        qsort(lives.v, lives.n, sizeof *lives.v, newest_first);
    for (size_t i = 0; i < lives.n && rc == SKEP_OK; i++) {
        p->s.next_segment = SKEP_MAX(p->s.next_segment, lives.v[i] + 1);
        rc = take_live(p, lives.v[i], err);
    }
    skep_free(lives.v);
    return rc;
}

static skep_rc make_anew(struct skep_repair *p, const struct numbers *files, skep_err *err)
{
    struct skep_manifest_state known = {0};
    skep_rc rc = SKEP_OK;
    take_rest(p, &known);
    p->r.manifest_rebuilt = true;
    skep_repair__tell(p, SKEP_FINDING_NOTE, SKEP_STR("MANIFEST"),
                      "it is damaged, incomplete or not there, and is made anew from the segments; "
                      "requests of the last ten minutes may not be recognised when they are sent "
                      "again");
    for (size_t i = 0; i < files->n && rc == SKEP_OK; i++)
        rc = take_segment(p, &known, files->v[i], err);
    if (rc == SKEP_OK)
        rc = leave_to_log(p, &known, err);
    if (rc == SKEP_OK)
        rc = take_lives(p, err);
    find_gaps(p);
    uint64_t rows = skep_missing__rows(&p->s.missing);
    for (unsigned i = 0; i < p->s.n; i++) {
        p->s.checkpoint = SKEP_MAX(p->s.checkpoint, p->s.segments[i].max_seq);
        rows += p->s.segments[i].n_rows;
    }
    /* Those of commits behind it stand in the log. */
    size_t known_ids = 0;
    for (size_t i = 0; i < p->s.identities_n; i++)
        if (p->s.identities[i].seq <= p->s.checkpoint)
            p->s.identities[known_ids++] = p->s.identities[i];
    p->s.identities_n = known_ids;
    /* What is there was stored once. */
    p->s.totals.stored_rows = SKEP_MAX(p->s.totals.stored_rows, rows + p->s.totals.expired_rows);
    skep_manifest__state_done(&known);
    return rc;
}

skep_rc skep_repair__manifest(struct skep_repair *p, skep_err *err)
{
    struct numbers files = {0};
    SKEP_TRY(list_segments(p, &files, err));
    skep_rc rc = try_good(p, &files, err);
    if (rc == SKEP_OK && !p->manifest_ok)
        rc = make_anew(p, &files, err);
    for (size_t i = 0; i < files.n; i++)
        p->s.next_segment = SKEP_MAX(p->s.next_segment, files.v[i] + 1);
    p->s.next_segment = SKEP_MAX(p->s.next_segment, 1u);
    skep_free(files.v);
    return rc;
}

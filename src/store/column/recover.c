// SPDX-License-Identifier: Apache-2.0
/* Opening a data directory.
 *
 *   MANIFEST -> segments, checkpoint, identities
 *   seg/: unfinished files and segments no manifest names are deleted, once the log agrees
 *   wal/: every frame above the checkpoint becomes a part, as it lies; no ingest code runs
 *   a new log file
 *
 * Memory: frames are replayed one by one; when parts take as much as they may take while running
 * they are flushed before the replay goes on, so that starting needs no more memory.  Folding is
 * left to the folder, where there is one: questions are answered meanwhile.
 *
 * I1  a log that begins behind the checkpoint while unnamed segments lie about means that the
 *     manifest lost its last records: nothing is deleted, nothing is opened.
 * I2  recovering twice gives the same rows: nothing before skep_wal_start changes the log.
 *
 * Threads: the one that opens; no other runs yet. */
#include "store/column/engine.h"

#include "base/mem.h"
#include "store/column/part.h"
#include "store/column/supersede.h"

struct seg_files {
    uint64_t *numbers;
    size_t n, cap;
    uint64_t *lives; /* numbers of files of live rows */
    size_t lives_n, lives_cap;
    char (*tmp)[64];
    size_t tmp_n, tmp_cap;
};

static bool note_segment_file(void *ctx, skep_str name)
{
    struct seg_files *f = ctx;
    uint64_t number;
    if (skep_path_number(name, SKEP_STR(".seg"), &number)) {
        SKEP_GROW(f->numbers, f->n, f->cap);
        f->numbers[f->n++] = number;
    } else if (skep_path_number(name, SKEP_STR(".live"), &number)) {
        SKEP_GROW(f->lives, f->lives_n, f->lives_cap);
        f->lives[f->lives_n++] = number;
    } else if (skep_path_number(name, SKEP_STR(".tmp"), &number)) {
        SKEP_GROW(f->tmp, f->tmp_n, f->tmp_cap);
        (void)snprintf(f->tmp[f->tmp_n++], sizeof f->tmp[0], SKEP_STRFMT, SKEP_STRARG(name));
    }
    return true; /* what else lies there is not ours to touch */
}

static bool is_named(const struct skep_manifest_state *s, uint64_t number)
{
    for (unsigned i = 0; i < s->n; i++)
        if (s->segments[i].number == number)
            return true;
    return false;
}

static bool names_live(const struct skep_manifest_state *s, uint64_t number)
{
    for (unsigned i = 0; i < s->n; i++)
        if (s->segments[i].live.number == number)
            return true;
    return false;
}

static skep_rc open_segment(struct skep_engine *e, const struct skep_manifest_segment *m,
                            skep_err *err)
{
    struct skep_snapshot_set set = {0};
    skep_rc rc = skep_engine__open_segment(e, m, &set.rowset, err);
    if (rc == SKEP_ENOTFOUND && !e->read_only)
        rc = skep_fail(err, SKEP_ECORRUPT, "segment %016" PRIx64 " is missing", m->number);
    SKEP_TRY(rc);
    rc = skep_live_load(e->os, e->dir, m, set.rowset, &set.live, err);
    if (rc == SKEP_ENOTFOUND && !e->read_only)
        rc = skep_fail(err, SKEP_ECORRUPT, "the live rows of segment %016" PRIx64 " are missing",
                       m->number);
    if (rc == SKEP_OK) {
        struct skep_snapshot *more = skep_snapshot__replace(e->snap, NULL, 0, &set, 1);
        skep_engine__segment_must(set.rowset)->saved = skep_live_ref(set.live);
        skep_snapshot_unref(e->snap);
        e->snap = more;
    }
    skep_live_unref(set.live);
    skep_rowset_unref(set.rowset);
    return rc;
}

skep_rc skep_engine__open_segments(struct skep_engine *e, skep_err *err)
{
    const struct skep_manifest_state *s = skep_manifest_state(e->manifest);
    skep_snapshot_unref(e->snap);
    e->snap = skep_snapshot__empty(s->checkpoint);
    for (unsigned i = 0; i < s->n; i++) {
        if (skep_manifest_overlaps(s, i))
            return skep_fail(err, SKEP_ECORRUPT, "MANIFEST: two segments hold the same commits");
        SKEP_TRY(open_segment(e, &s->segments[i], err));
    }
    return SKEP_OK;
}

/* As the committer did; a death on arrival is in the log by itself. */
static void publish_part(struct skep_engine *e, struct skep_rowset *rs, uint64_t seq)
{
    struct skep_changes changes = {0};
    struct skep_row_keys dead = {0};
    skep_mutex_lock(&e->change_mu);
    skep_supersede(e->snap->sets, e->snap->n, rs, &changes, &dead);
    skep_engine__publish_counted(e, &rs, 1, seq, &changes);
    skep_mutex_unlock(&e->change_mu);
    skep_row_keys_done(&dead);
    skep_changes__done(&changes);
}

/* A commit that stands in the log and cannot be read. */
static void lose(struct skep_engine *e, uint64_t seq)
{
    struct skep_wal_damage *d = &e->damage;
    d->lost_first = d->lost_first ? d->lost_first : seq;
    d->lost_last = seq;
    if (d->n_gaps < SKEP_WAL_GAPS_MAX)
        d->gaps[d->n_gaps++] = (struct skep_wal_gap){.first = seq, .last = seq};
    else
        d->gaps[SKEP_WAL_GAPS_MAX - 1].last = seq;
}

/* A frame that is not what it should be, though its checksum holds: it was written like that. */
static skep_rc pass_over(struct skep_engine *e, uint64_t seq, const skep_err *err)
{
    e->damage.regions++;
    if (!e->damage.text[0])
        (void)snprintf(e->damage.text, sizeof e->damage.text, "commit %" PRIu64 ": %.150s", seq,
                       err->text);
    lose(e, seq);
    return SKEP_OK;
}

/* Parts of replayed commits that are not visible yet: making a snapshot for each would cost the
 * square of their number. */
enum { REPLAY_PARTS = 256 };
struct replayed {
    struct skep_engine *e;
    const struct skep_wal_damage *damage;
    bool orphans; /* there are segments that the manifest does not name */
    struct skep_rowset *parts[REPLAY_PARTS];
    unsigned n;
    uint64_t seq;
};

static void publish_replayed(struct replayed *r)
{
    if (r->n > 0)
        skep_engine__publish_counted(r->e, r->parts, r->n, r->seq, NULL);
    for (unsigned i = 0; i < r->n; i++)
        skep_rowset_unref(r->parts[i]);
    r->n = 0;
    /* The folder, where there is one, does it while questions are answered already. */
    while (!r->e->background && skep_engine__fold(r->e)) {
    }
}

static void remember_identity(struct skep_engine *e, const struct skep_part *part, uint64_t seq)
{
    static const uint8_t none[16];
    if (memcmp(part->identity, none, sizeof none) == 0)
        return;
    struct skep_identity_entry id = {.seq = seq, .received_ns = part->received_max_ns};
    memcpy(id.id, part->identity, sizeof id.id);
    skep_identity_remember(e->identity, &id);
}

static skep_rc lacks_records(uint64_t begins, skep_err *err)
{
    return skep_fail(err, SKEP_ECORRUPT,
                     "MANIFEST lacks its last records: the log begins at commit %" PRIu64
                     " and there are segments it does not name",
                     begins);
}

static skep_rc replay_frame(void *ctx, uint64_t seq, uint8_t *payload, size_t n, skep_err *err)
{
    struct replayed *r = ctx;
    struct skep_engine *e = r->e;
    struct skep_rowset *rs = NULL;
    skep_err why = {0};
    skep_rc rc;
    if (skep_kill_is((skep_bytes){payload, n})) {
        publish_replayed(r);
        rc = skep_engine__replay_kill(e, seq, (skep_bytes){payload, n}, &why);
        skep_free(payload);
        if (rc == SKEP_OK)
            return SKEP_OK;
    } else {
        rc = skep_part_open(payload, n, seq, &e->parts, &rs, &why);
    }
    if (rc == SKEP_ECORRUPT)
        return pass_over(e, seq, &why);
    if (rc != SKEP_OK && err)
        *err = why;
    SKEP_TRY(rc);
    remember_identity(e, skep_part_must(rs), seq);
    if (skep_supersede__any(rs)) { /* it may concern any row before it */
        publish_replayed(r);
        publish_part(e, rs, seq);
        skep_rowset_unref(rs);
    } else if (rs->n_rows > 0) {
        r->parts[r->n++] = rs;
    } else {
        skep_rowset_unref(rs);
    }
    r->seq = seq;
    /* With a flusher about to start, as much as commits may take while it runs. */
    uint64_t limit = e->part_limit_bytes * (e->background ? 2 : 1);
    bool full = !e->read_only && skep_budget_used(&e->parts) > limit;
    if (full || !e->background || r->n == REPLAY_PARTS)
        publish_replayed(r);
    if (full && r->orphans && r->damage->gap_at_start) /* I1: a flush would hide it */
        return lacks_records(r->damage->lost_last + 1, err);
    return full ? skep_engine__flush_to(e, seq, err) : SKEP_OK;
}

skep_rc skep_engine__replay(struct skep_engine *e, bool orphans, uint64_t *ret_last, skep_err *err)
{
    struct skep_wal_damage damage = {0};
    uint64_t checkpoint = skep_manifest_state(e->manifest)->checkpoint;
    struct replayed replayed = {.e = e, .damage = &damage, .orphans = orphans};
    skep_rc rc =
        skep_wal_replay(e->wal, checkpoint, replay_frame, &replayed, &damage, ret_last, err);
    publish_replayed(&replayed);
    SKEP_TRY(rc);
    if (!e->damage.text[0])
        memcpy(e->damage.text, damage.text, sizeof damage.text);
    e->damage.regions += damage.regions;
    e->damage.torn = damage.torn;
    e->damage.gap_at_start = damage.gap_at_start;
    if (damage.lost_first > 0) {
        e->damage.lost_first = e->damage.lost_first
                                   ? SKEP_MIN(e->damage.lost_first, damage.lost_first)
                                   : damage.lost_first;
        e->damage.lost_last = SKEP_MAX(e->damage.lost_last, damage.lost_last);
    }
    for (unsigned i = 0; i < damage.n_gaps && e->damage.n_gaps < SKEP_WAL_GAPS_MAX; i++)
        e->damage.gaps[e->damage.n_gaps++] = damage.gaps[i];
    return SKEP_OK;
}

static void delete_leftovers(struct skep_engine *e, const struct seg_files *f)
{
    const struct skep_os *os = e->os;
    for (size_t i = 0; i < f->tmp_n; i++)
        (void)os->unlink(os, skep_path_of("%s/seg/%s", e->dir, f->tmp[i]).s, NULL);
    (void)os->unlink(os, skep_path_of("%s/MANIFEST.tmp", e->dir).s, NULL);
    for (size_t i = 0; i < f->n; i++) {
        uint64_t number = f->numbers[i];
        if (!is_named(skep_manifest_state(e->manifest), number))
            (void)os->unlink(os, skep_path_of("%s/seg/%016" PRIx64 ".seg", e->dir, number).s, NULL);
    }
    for (size_t i = 0; i < f->lives_n; i++)
        if (!names_live(skep_manifest_state(e->manifest), f->lives[i]))
            (void)os->unlink(os, skep_path_of("%s/seg/%016" PRIx64 ".live", e->dir, f->lives[i]).s,
                             NULL);
}

static skep_rc recover_with(struct skep_engine *e, struct seg_files *f, skep_err *err)
{
    const struct skep_os *os = e->os;
    SKEP_TRY(os->list(os, skep_path_of("%s/seg", e->dir).s, note_segment_file, f, err));
    bool fresh;
    SKEP_TRY(skep_manifest_open(os, e->dir, e->owner_died, &e->manifest, &fresh, err));
    const struct skep_manifest_state *s = skep_manifest_state(e->manifest);
    uint64_t next = s->next_segment;
    bool orphans = false;
    for (size_t i = 0; i < f->n; i++) {
        orphans |= !is_named(s, f->numbers[i]);
        next = SKEP_MAX(next, f->numbers[i] + 1);
    }
    for (size_t i = 0; i < f->lives_n; i++)
        next = SKEP_MAX(next, f->lives[i] + 1);
    if (fresh && f->n > 0) {
        (void)os->unlink(os, skep_path_of("%s/MANIFEST", e->dir).s, NULL); /* as it was found */
        return skep_fail(err, SKEP_ECORRUPT, "%s has segments but no MANIFEST", e->dir);
    }
    atomic_store(&e->next_segment, next);
    e->totals = s->totals;
    SKEP_TRY(skep_engine__open_segments(e, err));
    for (size_t i = 0; i < s->identities_n; i++)
        skep_identity_remember(e->identity, &s->identities[i]);
    SKEP_TRY(skep_engine__found_book(e, err));
    uint64_t last;
    SKEP_TRY(skep_engine__replay(e, orphans, &last, err));
    if (e->damage.gap_at_start && orphans) /* I1 */
        return lacks_records(e->damage.lost_last + 1, err);
    if (!skep_manifest_doubtful(e->manifest))
        delete_leftovers(e, f);
    skep_engine__record_losses(e);
    skep_engine__publish(e, NULL, 0, last, NULL);
    e->next_seq = last + 1;
    if (e->owner_died)
        skep_wal_doubt(e->wal);
    return skep_wal_start(e->wal, last, err);
}

skep_rc skep_engine__recover(struct skep_engine *e, skep_err *err)
{
    struct seg_files f = {0};
    skep_rc rc = recover_with(e, &f, err);
    skep_free(f.numbers);
    skep_free(f.lives);
    skep_free(f.tmp);
    return rc;
}

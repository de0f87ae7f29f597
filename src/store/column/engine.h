// SPDX-License-Identifier: Apache-2.0
/* The embedded engine from inside: what its parts share.  Internal to store/column; how they fit:
 * src/store/README.md. */
#pragma once

#include "base/budget.h"
#include "os/thread.h"
#include "store/column/identity.h"
#include "store/column/live.h"
#include "store/column/manifest.h"
#include "store/column/path.h"
#include "store/column/rowset.h"
#include "store/column/snapshot.h"
#include "store/column/wal.h"
#include "store/store.h"

enum {
    SKEP_PARTS_MAX = 32,   /* live parts the folder aims at */
    SKEP_PARTS_HARD = 256, /* the committer waits above: a question over so many costs 5 ms more */
    SKEP_SEGMENTS_MAX = 64,
    SKEP_PENDING_MAX = 1024, /* appends waiting for the log */
    SKEP_GROUP_MAX = 256,    /* appends in one commit */
    SKEP_GROUP_BYTES = 16 << 20
};

/* One append between the caller and the committer. */
struct skep_pending {
    bool urgent; /* the pool was told that somebody waits for this acknowledgement */
    struct skep_pending *next;
    struct skep_identity_flight flight;
    struct skep_identity_waiter waiter;
    bool has_identity;
    skep_append_done_fn *done;
    void *ctx;
    struct skep_rowset *part;
    skep_ts_ns received_ns;
    uint32_t n_rows, crc;
    struct skep_kill *kill; /* a delete, not rows */
    /* Rows that found no room when they came, and wait for it until then (admission.c). */
    struct skep_batch *batch;
    uint64_t waiting_bytes;
    int64_t wait_until_ns;
};

/* Sets whose live rows change with a publication; each with a reference of its live rows. */
struct skep_changes {
    struct skep_snapshot_set *sets;
    unsigned n, cap;
};

/* Rows as the ledger counts them. */
struct skep_engine_counted {
    struct skep_ledger ledger;
    uint64_t unread_rows; /* could not be read, and are not in it */
    char why[232];
};

/* Counters of one kind of background work. */
struct skep_engine_work {
    _Atomic uint64_t n, rows, bytes, failed;
    _Atomic int64_t ns;
};

/* A segment of the store; on the rowset as on_last_unref_ctx, freed with it. */
struct skep_engine_segment {
    struct skep_engine *engine;
    struct skep_manifest_segment m; /* m.live: under change_mu */
    struct skep_live *saved;        /* the version that m.live names; under change_mu */
    /* Its live rows as the ledger counts them, once asked (counts.c).  Under ledger_mu. */
    struct skep_engine_counted counted;
    uint64_t counted_version; /* of the bitmap, 0 = none */
    bool is_counted;
    bool doomed; /* no longer in the manifest: delete the file with the last reader.  Under snap_mu
                  */
};

/* Wakes one background thread.  It is rung once until the thread has looked: who signals a
 * condition variable may have to wait until those woken before have left it, and a commit must not
 * wait for a thread of low priority.  Under snap_mu. */
struct skep_bell {
    struct skep_cond cond;
    bool rung;
};

/* A segment being written: set by the one thread that writes it, read by any. */
struct skep_engine_writing {
    _Atomic uint64_t rows; /* 0 = none is */
    _Atomic uint64_t rows_done, bytes;
    _Atomic int64_t since_ns;
};

struct skep_engine {
    struct skep_store base; /* first */
    const struct skep_os *os;
    char *dir;
    struct skep_pool *pool;
    struct skep_budget *memory;
    int lock_fd;
    bool owner_died; /* the owner before did not leave manifest and log sound */
    bool background, read_only;
    int64_t retain_ns, flush_quiet_ns;
    uint64_t disk_limit_bytes, part_limit_bytes, wal_flush_bytes;
    uint64_t fold_bytes; /* no fold makes a part larger than this */

    struct skep_budget own_memory; /* when the caller gave none */
    /* Parts and what is on its way to them, the flush, merges and the chunk cache with the kept
     * answers have a reserve each; the rest is shared, also with bitmaps of live rows. */
    struct skep_budget ingest, parts, pending, query, flush, merge, lives;
    struct skep_wal *wal;
    struct skep_identity *identity;
    struct skep_cache *cache;
    bool keep_answers;
    struct skep_partials *partials; /* answers of segments, if they are kept */

    /* Appends on their way: commit.c. */
    struct skep_mutex q_mu;
    struct skep_cond q_wake; /* committer */
    struct skep_cond q_done; /* flush waits for the queue to have passed */
    struct skep_pending *q_head, **q_tail;
    uint64_t q_n, q_pushed, q_finished;
    _Atomic unsigned q_waiting; /* for room */
    bool closing;
    uint64_t next_seq; /* the committer's */

    /* What is visible: snapshot.c makes, snap_mu guards. */
    struct skep_mutex snap_mu;
    struct skep_cond visible; /* visible_seq grew */
    struct skep_cond changed; /* a fold or flush ended, parts became fewer */
    struct skep_bell fold_bell, flush_bell, merge_bell;
    struct skep_snapshot *snap;
    struct skep_missing_list missing; /* what is known to be lost */
    uint64_t fold_first, fold_last;   /* commits being folded; 0 = none */
    uint64_t flush_last;              /* commits up to here are being flushed; 0 = none */
    bool stopping;                    /* background threads end */

    /* Segments and manifest: flush.c, merge.c. */
    struct skep_mutex flush_mu;  /* one flush at a time, held over I/O */
    struct skep_mutex merge_mu;  /* one merge or expiry at a time, held over I/O */
    unsigned merge_most;         /* segments a merge had memory for; 0 = any.  Under merge_mu */
    unsigned merges_small;       /* so many were of merge_most */
    struct skep_mutex delete_mu; /* one delete at a time */
    /* What rowsets there are and which of their rows live: whoever replaces rowsets or kills rows
     * holds it from looking at the snapshot to the new one.  Publishing more parts needs it not. */
    struct skep_mutex change_mu;
    struct skep_mutex manifest_mu; /* held over I/O; inside the others */
    struct skep_manifest *manifest;
    _Atomic uint64_t next_segment;
    struct skep_manifest_totals totals; /* under manifest_mu */

    /* The store's side of the ledger: counts.c. */
    struct skep_mutex ledger_mu;
    struct skep_ledger book;
    struct skep_mutex shown_mu; /* `shown` of rowsets: shown.c */
    uint32_t book_hour;         /* it was folded in */

    _Atomic bool cancel;       /* background work: give up now */
    _Atomic bool want_space;   /* disk nearly full: merges give way to expiry */
    _Atomic bool want_flush;   /* somebody was refused for lack of memory */
    _Atomic bool flush_failed; /* the last one */
    _Atomic uint64_t segment_bytes;
    struct skep_engine_writing flushing, merging;
    _Atomic uint64_t backlog_rows; /* in segments that are to be merged */
    _Atomic int64_t backlog_since_ns;
    _Atomic unsigned questions; /* being answered */
    _Atomic uint64_t commits, commit_rows, duplicates;
    _Atomic uint64_t sleep_until; /* mono ns: after a failure background work rests */
    struct skep_wal_damage damage;

    struct skep_engine_work fold_work, flush_work, merge_work;
    _Atomic uint64_t taken_over_rows; /* by merges: not encoded anew */

    skep_thread committer, folder, flusher, merger;
    bool committer_runs, background_runs;
};

static inline struct skep_engine *skep_engine_of(struct skep_store *s)
{
    return (struct skep_engine *)s;
}

/* commit.c */
void skep_engine__append(struct skep_store *s, struct skep_batch *batch, skep_append_done_fn *done,
                         void *ctx);
/* Queue it for the committer. */
SKEP_NODISCARD skep_rc skep_engine__push(struct skep_engine *e, struct skep_pending *p,
                                         skep_err *err);
/* Puts group[0, n), n > 0, back at the head of the queue. */
void skep_engine__push_back(struct skep_engine *e, struct skep_pending **group, unsigned n);
/* The end of every append that was not a duplicate. */
void skep_engine__finish(struct skep_engine *e, struct skep_pending *p, skep_rc rc, uint64_t seq,
                         const skep_err *err);
void skep_engine__committer(void *engine);
/* Returns when everything appended before the call was committed or refused. */
void skep_engine__drain(struct skep_engine *e);

/* admission.c: room for rows. */
/* Makes p->part of *batch or, where there is no room yet, takes the batch (*batch is NULL then) to
 * wait for it.  Returns SKEP_OK | ENOMEM | ENOSPC | EIO. */
SKEP_NODISCARD skep_rc skep_engine__take_in(struct skep_engine *e, struct skep_pending *p,
                                            struct skep_batch **batch, skep_err *err);
/* The committer's: makes the parts of those of group[0, n) that wait; returns how many are ready,
 * from group[0] on.  The rest is back in the queue, or was refused and answered (*ret_refused). */
unsigned skep_engine__take_in_waiting(struct skep_engine *e, struct skep_pending **group,
                                      unsigned n, unsigned *ret_refused);
void skep_engine__stop_waiting(struct skep_engine *e, struct skep_pending *p);
/* The committer's: waits a little where the folder or the flusher is behind. */
void skep_engine__back_pressure(struct skep_engine *e);

/* compact.c: the list of what is visible, and folding. */
struct skep_snapshot *skep_engine__snapshot(struct skep_engine *e); /* with a reference */
/* More parts, and sets whose live rows change (then under change_mu); changes may be NULL. */
void skep_engine__publish(struct skep_engine *e, struct skep_rowset *const *parts, unsigned n,
                          uint64_t seq, const struct skep_changes *changes);
/* Replace rowsets by others (or none).  Under change_mu. */
void skep_engine__replace(struct skep_engine *e, struct skep_rowset *const *gone, unsigned n,
                          const struct skep_snapshot_set *by, unsigned n_by);
unsigned skep_engine__parts_locked(const struct skep_engine *e);
/* Is the folder at work, or would it find some? */
bool skep_engine__foldable_locked(const struct skep_engine *e);
/* Fold once if there is something to fold; false = nothing to do. */
bool skep_engine__fold(struct skep_engine *e);
void skep_engine__folder(void *engine);

/* flush.c */
/* All parts up to commit `last` into a segment (several when memory is short). */
SKEP_NODISCARD skep_rc skep_engine__flush_to(struct skep_engine *e, uint64_t last, skep_err *err);
void skep_engine__flusher(void *engine);
/* Writes a segment of the sources aside and puts it in its place; on success *ret is open, with one
 * reference.  A merge ends also when the disk is nearly full, not only on close, with
 * SKEP_ECANCELED. */
struct skep_engine_write {
    const struct skep_segment_source *sources;
    unsigned n;
    enum skep_layout layout;
    bool is_merge;
    uint32_t group_rows;      /* at most; 0 = as the writer finds best */
    struct skep_cache *cache; /* of the sources; NULL = not of the budget */
    struct skep_budget *budget;
};
SKEP_NODISCARD skep_rc skep_engine__write_segment(struct skep_engine *e,
                                                  const struct skep_engine_write *what,
                                                  struct skep_rowset **ret, skep_err *err);
skep_path skep_engine__segment_path(const struct skep_engine *e, uint64_t number,
                                    const char *suffix);
struct skep_engine_segment *skep_engine__segment(struct skep_rowset *rs); /* NULL for a part */
struct skep_engine_segment *skep_engine__segment_must(struct skep_rowset *rs);
/* Open the file of a segment named in the manifest. */
SKEP_NODISCARD skep_rc skep_engine__open_segment(struct skep_engine *e,
                                                 const struct skep_manifest_segment *m,
                                                 struct skep_rowset **ret, skep_err *err);
uint64_t skep_engine__checkpoint(struct skep_engine *e);
/* Its file goes with the last reader: no manifest names it. */
void skep_engine__doom(struct skep_engine *e, struct skep_rowset *rs);
uint64_t skep_engine__disk_bytes(struct skep_engine *e);
void skep_engine__ring_locked(struct skep_engine *e, struct skep_bell *bell);
/* Sleep until the bell is rung, for at most ms; true when the engine stops. */
bool skep_engine__nap(struct skep_engine *e, struct skep_bell *bell, int64_t ms);

/* merge.c */
/* One merge if one is due; *ret_more: it was. */
SKEP_NODISCARD skep_rc skep_engine__merge(struct skep_engine *e, bool *ret_more, skep_err *err);
/* Drop whole segments by age and for space. */
SKEP_NODISCARD skep_rc skep_engine__expire(struct skep_engine *e, skep_err *err);
void skep_engine__merger(void *engine);

/* filed.c: what retention goes by. */
/* Rows whose time is out of all proportion are marked (meta.misdated). */
void skep_engine__mark_misdated(const struct skep_engine *e, struct skep_batch *b);
/* Oldest and newest time that the live rows of a set are filed under.  Returns SKEP_OK | ECORRUPT |
 * EIO. */
struct skep_filed {
    skep_ts_ns min_ns, max_ns; /* no row: INT64_MAX, INT64_MIN */
};
SKEP_NODISCARD skep_rc skep_engine__filed(const struct skep_engine *e, struct skep_rowset *rs,
                                          const struct skep_live *live, struct skep_filed *ret,
                                          skep_err *err);
/* The same of rows with these bounds that came between two times: a wrong end is the arrival's. */
struct skep_filed skep_filed_bounds(const struct skep_engine *e, const struct skep_block_bounds *b,
                                    skep_ts_ns received_min_ns, skep_ts_ns received_max_ns);
/* The same for a segment as the manifest knows it, whoever of it lives. */
struct skep_filed skep_filed_segment(const struct skep_engine *e,
                                     const struct skep_manifest_segment *m);

/* deaths.c */
struct skep_kill; /* a delete on its way */
SKEP_NODISCARD skep_rc skep_engine__delete(struct skep_store *s, const struct skep_plan *plan,
                                           const struct skep_delete_opts *opts, uint64_t *ret_rows,
                                           skep_err *err);
/* The committer's part: log and publish it. */
void skep_engine__commit_kill(struct skep_engine *e, struct skep_pending *p);
/* A logged delete, read again. */
SKEP_NODISCARD skep_rc skep_engine__replay_kill(struct skep_engine *e, uint64_t seq,
                                                skep_bytes payload, skep_err *err);
void skep_changes__done(struct skep_changes *c);
/* Live rows of a set after the changes so far. */
struct skep_live *skep_changes__live(const struct skep_changes *c,
                                     const struct skep_snapshot_set *set);
/* Kill the mask's rows of a set; *ret_killed of them lived. */
void skep_changes__kill(struct skep_changes *c, const struct skep_snapshot_set *set,
                        const struct skep_mask *mask, enum skep_death why, uint64_t *ret_killed);

/* carry.c: deaths and rewriting. */
/* Rows of `used` that died since, in the rowsets that were made of them: live rows of by[]. Each
 * of used[].live is what its rowset's rows were taken by. Under change_mu.  budget: of the work.
 * Returns SKEP_OK | ENOMEM | ECORRUPT | EIO. */
SKEP_NODISCARD skep_rc skep_engine__carry(struct skep_engine *e,
                                          const struct skep_snapshot_set *used, unsigned n,
                                          struct skep_snapshot_set *by, unsigned n_by,
                                          struct skep_budget *budget, skep_err *err);
/* Files of live rows that are not on disk yet, ready to be named in an edit. */
struct skep_saved {
    struct skep_manifest_new_live *lives;
    struct skep_snapshot_set *sets; /* with references */
    unsigned n;
};
/* Write those of sets[]; under change_mu.  On failure nothing stays. */
SKEP_NODISCARD skep_rc skep_engine__save(struct skep_engine *e,
                                         const struct skep_snapshot_set *sets, unsigned n,
                                         struct skep_saved *ret, skep_err *err);
/* The edit that names them is durable, or (kept false) certainly is not.  Files of unknown fate:
 * neither, only done. */
void skep_engine__settle_saved(struct skep_engine *e, struct skep_saved *s, bool kept);
void skep_saved__done(struct skep_saved *s);
/* The live rows the manifest names for a segment; NULL when it names none. */
SKEP_NODISCARD skep_rc skep_live_load(const struct skep_os *os, const char *dir,
                                      const struct skep_manifest_segment *m,
                                      const struct skep_rowset *rs, struct skep_live **ret,
                                      skep_err *err);

/* losses.c: what is lost, in the manifest and in answers. */
/* After the replay: record the holes it found; also sets what answers say. */
void skep_engine__record_losses(struct skep_engine *e);
/* Records of rows older than `limit` go; their rows count as expired. */
SKEP_NODISCARD skep_rc skep_engine__settle_losses(struct skep_engine *e, skep_ts_ns limit,
                                                  skep_err *err);
void skep_engine__mark_losses(struct skep_engine *e, const struct skep_plan *plan,
                              const struct skep_run_opts *opts, struct skep_answer *a);
void skep_engine__loss_stats(struct skep_engine *e, struct skep_store_stats *r);
void skep_engine__each_loss(struct skep_store *s, skep_store_loss_fn *fn, void *ctx);

/* read_only.c */
SKEP_NODISCARD skep_rc skep_engine__open_read_only(struct skep_engine *e, skep_err *err);

/* engine.c */
/* Note a piece of work that began at mono time `begun_ns` and ended with rc; made: what it wrote,
 * NULL = nothing. */
void skep_engine__worked(struct skep_engine *e, struct skep_engine_work *w, int64_t begun_ns,
                         skep_rc rc, const struct skep_rowset *made);

/* shown.c: which rows a plan may see. */
/* The snapshot of those of the environment (empty = of all), with the server's own or without;
 * takes the reference of the one given.  *ret_unread rows are left out because their environment
 * cannot be read; then *ret_why says of the first why. */
struct skep_snapshot *skep_engine__shown(struct skep_engine *e, struct skep_snapshot *snap,
                                         skep_str environment, bool own, uint64_t *ret_unread,
                                         skep_err *ret_why);
/* Find a rowset's now, so that no question need. */
void skep_engine__look_at_own(struct skep_engine *e, const struct skep_snapshot_set *set);
/* Live rows that are hidden, and the bounds of the others' times; as far as somebody looked. */
uint64_t skep_engine__shown_stats(struct skep_engine *e, const struct skep_snapshot_set *set,
                                  skep_ts_ns *ret_min_ns, skep_ts_ns *ret_max_ns);

/* counts.c: the store's side of the ledger. */
/* Publish parts, and enter them in the book. */
void skep_engine__publish_counted(struct skep_engine *e, struct skep_rowset *const *parts,
                                  unsigned n, uint64_t seq, const struct skep_changes *changes);
/* Replace rowsets, and enter in the book which rows are left out.  Under change_mu. */
void skep_engine__replace_counted(struct skep_engine *e, struct skep_rowset *const *gone,
                                  unsigned n, const struct skep_snapshot_set *by, unsigned n_by,
                                  const struct skep_ledger *ended);
/* Add up: what commits counted that stand in parts; dead rows of sets; all rows of a set, the live
 * ones as expired. */
void skep_engine__parts_ledger(const struct skep_snapshot_set *sets, unsigned n,
                               struct skep_ledger *to);
void skep_engine__count_dead(struct skep_engine *e, const struct skep_snapshot_set *sets,
                             unsigned n, struct skep_ledger *to);
/* What the ledger lacks counts as expired from here on: the records of what is lost, of so many
 * rows in all, are about to be settled.  More than that is left as it is, for something else is
 * lost. */
SKEP_NODISCARD skep_rc skep_engine__expire_lost(struct skep_engine *e, uint64_t rows,
                                                skep_err *err);
void skep_engine__count_expired(struct skep_engine *e, const struct skep_snapshot_set *set,
                                struct skep_ledger *to);
/* Rows that live in `live` and not in `but`: with both, the rows that died between two versions. */
struct skep_engine_which {
    const struct skep_live *live; /* NULL = all */
    const struct skep_live *but;  /* NULL = none */
};
/* Count such rows by reading them.  as: STORED, EXPIRED, DELETED, SUPERSEDED or LIVE; the rows twin
 * is filled, too.  The ledger is the caller's: for rows that die it goes into the manifest edit
 * that lets them, then into the book. */
void skep_engine__count_rows(struct skep_rowset *rs, const struct skep_engine_which *which,
                             enum skep_ledger_what as, struct skep_engine_counted *ret);
/* The book as the manifest has it; segments are open, nothing was replayed. */
SKEP_NODISCARD skep_rc skep_engine__found_book(struct skep_engine *e, skep_err *err);
void skep_engine__ledger(struct skep_store *s, skep_ts_ns from_ns, bool live,
                         struct skep_store_ledger *ret);

/* recover.c */
/* The segments of the manifest as the snapshot; every frame of the log as a part. */
SKEP_NODISCARD skep_rc skep_engine__open_segments(struct skep_engine *e, skep_err *err);
SKEP_NODISCARD skep_rc skep_engine__replay(struct skep_engine *e, bool orphans, uint64_t *ret_last,
                                           skep_err *err);
SKEP_NODISCARD skep_rc skep_engine__recover(struct skep_engine *e, skep_err *err);

// SPDX-License-Identifier: Apache-2.0
/* The manifest: which segments make the store, and up to which commit they do.  Internal to
 * store/column; format: docs/formats/manifest.md. */
#pragma once

#include "event/ledger.h"
#include "os/os.h"
#include "store/column/identity.h"
#include "store/column/missing.h"
#include "store/column/rowset.h"

struct skep_manifest_segment {
    uint64_t number; /* of the file seg/<number>.seg */
    uint64_t n_rows, file_bytes, min_seq, max_seq;
    struct skep_block_bounds bounds;
    skep_ts_ns received_max_ns;
    uint64_t layout; /* enum skep_layout */
    /* Oldest and newest row for retention; INT64_MAX and INT64_MIN: not known. */
    skep_ts_ns filed_min_ns, filed_max_ns;
    struct skep_manifest_live {
        uint64_t number; /* of the file seg/<number>.live; 0 = all rows live */
        uint64_t bytes, crc, deleted, superseded;
    } live;
};

struct skep_manifest_totals {
    uint64_t stored_rows;  /* committed and flushed since the store was made */
    uint64_t expired_rows; /* dropped by age or for space */
    uint64_t merges, merge_rows;
    /* Dead rows that are gone: merged away, or never flushed.  Those still in a segment are counted
     * by its live rows. */
    uint64_t deleted_rows, superseded_rows;
};

/* What the records so far amount to. */
struct skep_manifest_state {
    struct skep_manifest_segment *segments; /* by min_seq; of one layout they do not overlap */
    unsigned n, cap;
    uint64_t checkpoint;   /* every commit up to here is in the segments */
    uint64_t next_segment; /* first number never used */
    struct skep_manifest_totals totals;
    struct skep_identity_entry *identities; /* of commits up to the checkpoint, by age */
    size_t identities_n, identities_cap;
    struct skep_missing_list missing; /* what is known to be lost */
    struct skep_ledger ledger; /* of commits up to the checkpoint, and of rows that have gone */
    bool has_ledger;           /* false: written before there was one */
};

/* One atomic step. */
struct skep_manifest_edit {
    const struct skep_manifest_segment *add; /* with their live rows */
    unsigned n_add;
    const uint64_t *remove; /* numbers */
    unsigned n_remove;
    const struct skep_manifest_new_live { /* of segments that stay */
        uint64_t segment;
        struct skep_manifest_live live;
    } * lives;
    unsigned n_lives;
    uint64_t checkpoint; /* 0 = as it is */
    uint64_t next_segment;
    struct skep_manifest_totals totals;
    const struct skep_identity_entry *identities; /* new ones */
    size_t n_identities;
    bool forget_missing; /* all records so far; new ones may follow */
    const struct skep_missing *missing;
    unsigned n_missing;
    const struct skep_ledger *ledger; /* to be added; NULL = nothing */
    skep_ts_ns now_ns; /* older identities than ten minutes are forgotten, the ledger is folded */
};

struct skep_manifest;

/* Read `dir`/MANIFEST or, where there is none, make an empty one.
 * doubtful: the owner before did not say that it is sound; it is written anew where that is
 * possible.  *ret_new: it was made.  Returns SKEP_OK | SKEP_ECORRUPT | SKEP_EUNSUPPORTED | SKEP_EIO
 * ... */
SKEP_NODISCARD skep_rc skep_manifest_open(const struct skep_os *os, const char *dir, bool doubtful,
                                          struct skep_manifest **ret, bool *ret_new, skep_err *err);
/* It was doubtful, and could not be written anew yet: no file goes because it is not named. */
bool skep_manifest_doubtful(const struct skep_manifest *m);
/* What was read and written is on the disk, and what is on the disk was read and written. */
bool skep_manifest_sound(const struct skep_manifest *m);
/* Read `dir`/MANIFEST and write nothing, ever: edits are a programmer's error.
 * Returns as above and SKEP_ENOTFOUND. */
SKEP_NODISCARD skep_rc skep_manifest_load(const struct skep_os *os, const char *dir,
                                          struct skep_manifest **ret, skep_err *err);
void skep_manifest_close(struct skep_manifest *m);
const struct skep_manifest_state *skep_manifest_state(const struct skep_manifest *m);
/* Does the segment hold commits of one before it in the list and of the same layout? */
bool skep_manifest_overlaps(const struct skep_manifest_state *s, unsigned at);
/* Make the step durable and take it over into the state.  After a failure the step may or may not
 * be on disk: files that it names must stay.  The caller's lock serialises edits. */
SKEP_NODISCARD skep_rc skep_manifest_edit(struct skep_manifest *m,
                                          const struct skep_manifest_edit *e, skep_err *err);
/* For tools (manifest_scan.c): the file's bytes (skep_free); its head; the length of the good
 * record at a byte, with its header, or 0; one record taken over into a state. */
SKEP_NODISCARD skep_rc skep_manifest__read(const struct skep_os *os, const char *path,
                                           uint8_t **ret, size_t *ret_n, skep_err *err);
SKEP_NODISCARD skep_rc skep_manifest__head(skep_bytes file, skep_err *err);
uint64_t skep_manifest__record_at(skep_bytes file, uint64_t at);
SKEP_NODISCARD skep_rc skep_manifest__apply(struct skep_manifest_state *s, skep_bytes record);
void skep_manifest__state_done(struct skep_manifest_state *s);
/* Write a manifest of this state in the place of the one that is there, if any (repair, restore).
 */
SKEP_NODISCARD skep_rc skep_manifest__write(const struct skep_os *os, const char *dir,
                                            const struct skep_manifest_state *s, skep_err *err);
uint64_t skep_manifest_bytes(const struct skep_manifest *m);

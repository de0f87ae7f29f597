// SPDX-License-Identifier: Apache-2.0
/* Bitmaps of rows: which ones live (immutable versions), which ones to kill (masks under
 * construction), and the file a version is kept in.  Internal to store/column; format:
 * docs/formats/live.md. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "store/column/rowset.h"

/* A set of rows of one rowset; a chunk for each row group, NULL = none of its rows. One thread. */
struct skep_mask {
    uint64_t n_rows, n; /* of the rowset; in the mask */
    uint64_t n_groups;
    const uint32_t *group_rows; /* of the rowset, which lives longer; NULL: as there */
    struct skep_budget *lives;  /* of the rowset */
    uint64_t (**chunks)[SKEP_LIVE_WORDS];
};
void skep_mask_init(struct skep_mask *m, const struct skep_rowset *rs);
void skep_mask_done(struct skep_mask *m); /* all zero is fine */
/* Add a row that may be there already, by its number. */
void skep_mask_add(struct skep_mask *m, uint64_t row);
static inline bool skep_mask_has(const struct skep_mask *m, uint64_t row)
{
    uint64_t(*c)[SKEP_LIVE_WORDS] = m->chunks ? m->chunks[row / SKEP_ROW_GROUP_ROWS] : NULL;
    return c && ((*c)[row % SKEP_ROW_GROUP_ROWS / 64] >> (row % 64) & 1);
}
/* The words of a row group, made when missing. */
uint64_t *skep_mask_chunk(struct skep_mask *m, uint64_t group);
/* Memory of its chunks. */
uint64_t skep_mask_bytes(const struct skep_mask *m);
/* Count the rows again after the words were written to. */
void skep_mask_recount(struct skep_mask *m);

/* Why rows die: what the counts say.  On disk: never reuse a number. */
enum skep_death { SKEP_DEATH_DELETED = 0, SKEP_DEATH_SUPERSEDED = 1, SKEP_DEATH_COUNT };

struct skep_live *skep_live_ref(struct skep_live *l); /* NULL is fine */
void skep_live_unref(struct skep_live *l);            /* NULL is fine */
/* A version of `from` (NULL: all n_rows live) without the mask's rows; *ret_killed of them lived.
 * None did: `from` itself.  Owns one reference by the caller. */
struct skep_live *skep_live_kill(struct skep_live *from, const struct skep_mask *mask,
                                 enum skep_death why, uint64_t *ret_killed);
/* The same bits with other counts of why: n_deleted + n_superseded stay in sum. */
struct skep_live *skep_live_recount(struct skep_live *from, uint64_t n_deleted,
                                    uint64_t n_superseded);
/* Rows that live in `before` and not in `after`, both of one rowset. */
void skep_live_diff(const struct skep_live *before, const struct skep_live *after,
                    const struct skep_rowset *rs, struct skep_mask *ret);
static inline uint64_t skep_live_rows(const struct skep_live *l, const struct skep_rowset *rs)
{
    return l ? l->n_live : rs->n_rows;
}

/* The file of a version (docs/formats/live.md). */
void skep_live_encode(const struct skep_live *l, uint64_t segment, struct skep_buf *out);
/* Its checksum holds: what it says of itself can be believed. */
bool skep_live_intact(skep_bytes file);
/* Returns SKEP_OK | ECORRUPT | EUNSUPPORTED.  Owns *ret by the caller. */
SKEP_NODISCARD skep_rc skep_live_decode(skep_bytes file, uint64_t segment,
                                        const struct skep_rowset *rs, struct skep_live **ret,
                                        skep_err *err);

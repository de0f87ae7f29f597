// SPDX-License-Identifier: Apache-2.0
/* An immutable set of rows, read by column: what a part in memory and a segment on disk have in
 * common.  The executor, the merger and the flusher see nothing else of either.
 *
 *   rowset  = row groups of up to 65,536 rows = blocks of 1,024 rows (the last ones shorter)
 *   block   = unit of decoding and of time bounds
 *
 * Rows are numbered in storage order (parts: arrival; segments: trace-clustered): a row's number is
 * group * 65,536 + its place in the group, so a block never lies in two groups.  A segment that was
 * merged may have short groups before the last one; then the numbers have gaps:
 *
 *   group 0: 65,536 rows   group 1: 40,000 rows          group 2: 7 rows
 *   0 ......... 65,535     65,536 .... 105,535 | no rows | 131,072 .. 131,078     row_end = 131,079
 *
 * Numbers are below row_end, which is n_rows where there are no gaps.  Whoever walks over blocks
 * asks skep_rowset_block_rows(): 0 is a block in a gap, which must not be read.  A live bitmap has
 * a bit a number; those in gaps are 0.
 *
 * Thread-safe for readers: a colreader belongs to one thread, a rowset to any number. */
#pragma once

#include "base/arena.h"
#include "event/batch.h"
#include "event/event.h"

#include <stdatomic.h>

struct skep_buf;

enum { SKEP_BLOCK_ROWS = 1024, SKEP_ROW_GROUP_ROWS = 65536 };

/* The order of a segment's rows.  On disk: never reuse a number. */
enum skep_layout {
    SKEP_LAYOUT_SPANS = 0, /* by trace; also what was written before there were two */
    SKEP_LAYOUT_LOGS = 1,  /* by dataset and time */
    SKEP_LAYOUT_COUNT
};

/* A dictionary of strings.  Lives as long as its rowset or, of a segment, until the colreader that
 * returned it is closed (of a `brief` one: until it is asked about another row group).  `serial` is
 * unique in the process and never reused: results computed once per value are cached under it. */
struct skep_dict {
    uint64_t serial;
    uint32_t n;
    const uint32_t *offsets; /* n + 1, into bytes */
    const uint8_t *bytes;
    const uint64_t *hashes; /* skep_hash of each value */
};
static inline skep_str skep_dict_str(const struct skep_dict *d, uint32_t i)
{
    return (skep_str){(const char *)d->bytes + d->offsets[i], d->offsets[i + 1] - d->offsets[i]};
}

enum skep_vec_form {
    SKEP_VEC_I64,  /* i64[n]: integers, bools (0/1), ids, and EMPTY (0) */
    SKEP_VEC_F64,  /* f64[n] */
    SKEP_VEC_DICT, /* codes[n] into dict */
    SKEP_VEC_STR,  /* str[n]: values that have no dictionary */
    SKEP_VEC_ID16  /* id16[n] */
};

/* One column over [row0, row0 + n).  Memory belongs to the colreader, valid until its next read, or
 * until it is `spoiled`.
 * Values at absent rows are unspecified but readable (codes < dict->n when dict->n > 0). */
struct skep_codec_path;

struct skep_vec {
    enum skep_vec_form form;
    unsigned n;            /* <= SKEP_BLOCK_ROWS */
    bool constant;         /* all present rows hold the value at index 0 of the array */
    const uint64_t *valid; /* bit r of word r/64: present; NULL = all present */
    bool none;             /* no row has a value; nothing else is set */
    const int64_t *i64;
    const double *f64;
    const uint32_t *codes;
    const struct skep_dict *dict;
    const skep_str *str;
    const skep_trace_id *id16;
};

/* What the codes of a row group say: code i is the dictionary's string i, or, without a dictionary,
 * the integer low + i (of a column of list numbers: list number i). */
struct skep_coded {
    const struct skep_dict *dict;
    int64_t low;
    uint32_t n; /* codes are below; 0: no row of the group has a value */
};

/* A field of a rowset (INTRINSIC and ATTRIBUTE scope; the rest stands in the lists). */
struct skep_rowset_field {
    skep_str name;
    uint8_t scope, type;
    uint64_t n_present;
};

/* Interned attribute lists (resources, instrumentation scopes) of a rowset, resident. */
struct skep_rowset_entry {
    skep_str name;
    skep_value value;
};
struct skep_rowset_lists {
    uint32_t n;
    const uint32_t *first;                   /* n + 1 */
    const struct skep_rowset_entry *entries; /* of a list by (name, type) */
    const uint64_t *hashes;                  /* content hash of each list, equal across rowsets */
};

/* Rows of one dataset, neighbours in a logs segment; they end where the next run begins. */
struct skep_dataset_run {
    skep_str dataset; /* as written */
    uint64_t first;   /* row number */
};

struct skep_block_bounds {
    skep_ts_ns min_start_ns, max_start_ns; /* of TIME */
    skep_ts_ns max_end_ns;                 /* of TIME + max(DURATION, 0) */
};

struct skep_row_range {
    uint64_t first, end;
};

/* Rows of one row group of a clustered rowset, as traces. */
struct skep_trace_run {
    uint32_t end;   /* rows from the first one asked for */
    uint32_t named; /* 0: rows without a trace id */
};
struct skep_trace_shape {
    struct skep_trace_run *runs; /* room for as many as rows */
    uint32_t n_runs;
    skep_trace_id first, last; /* ids of the first and last run */
    /* Room for as many as rows: how many rows above its own a row's parent stands (below: < 0), in
     * the row group's part of the trace; of several rows with the parent's id the first. */
    int32_t *back;
};
#define SKEP_BACK_NONE      INT32_MIN /* no parent id */
#define SKEP_BACK_ELSEWHERE INT32_MAX /* not in the row group's part of the trace */

struct skep_rowset;
struct skep_colreader;
struct skep_shown;
void skep_shown_free(struct skep_shown *s); /* NULL is fine */

struct skep_colreader_ops {
    /* Rows [row0, row0 + n): inside one block.  Returns SKEP_OK | ECORRUPT | EIO | ENOMEM. */
    skep_rc (*read)(struct skep_colreader *r, uint64_t row0, unsigned n, struct skep_vec *ret,
                    skep_err *err);
    void (*close)(struct skep_colreader *r);
    /* The rest is optional: shorter ways to an answer, over rows [row0, row0 + n) of one row group
     * (more than one block only where it says so).  Where one says false, read() has the answer -
     * or the error. */
    /* Bounds of the present values, numbers only; false = unknown.  Any n. */
    bool (*zone)(struct skep_colreader *r, uint64_t row0, unsigned n, double *ret_min,
                 double *ret_max);
    /* May one of the rows hold a string of that hash?  False = certainly not.  Any n. */
    bool (*maybe)(struct skep_colreader *r, uint64_t row0, unsigned n, uint64_t hash);
    /* Has certainly none of the rows a string that contains the text?  only_filters: in any case of
     * its ASCII letters, and no dictionary is searched.  Any n. */
    bool (*lacks)(struct skep_colreader *r, uint64_t row0, unsigned n, skep_str needle,
                  bool only_filters);
    /* Bit i of bits: row0 + i has an integer in [lo, hi]; ceil(n / 64) words.  False = unknown. */
    bool (*between)(struct skep_colreader *r, uint64_t row0, unsigned n, int64_t lo, int64_t hi,
                    uint64_t *bits);
    /* The integer that all of the rows have; false = they differ, or it is not known.  Any n. */
    bool (*same)(struct skep_colreader *r, uint64_t row0, unsigned n, int64_t *ret);
    /* Bit i of bits: row0 + i has the string s (of that hash).  False = unknown. */
    bool (*equal)(struct skep_colreader *r, uint64_t row0, unsigned n, skep_str s, uint64_t hash,
                  uint64_t *bits);
    /* Bit i of bits: row0 + i has a string that contains the needle, which is not empty. */
    bool (*contains)(struct skep_colreader *r, uint64_t row0, unsigned n, skep_str needle,
                     uint64_t *bits);
    /* The texts of the rows with wanted[i], where that is less work than reading all; rows without
     * have p == NULL.  They live until the reader is asked again. */
    bool (*some)(struct skep_colreader *r, uint64_t row0, unsigned n, const uint8_t *wanted,
                 skep_str *ret);
    /* What texts as documents have at a path: as skep_codec_ops.members (codec.h), of the rows;
     * texts live until the reader is asked again.  Unknown rows are for whoever reads the text. */
    bool (*members)(struct skep_colreader *r, uint64_t row0, unsigned n,
                    const struct skep_codec_path *path, const uint8_t *wanted, uint8_t *known,
                    skep_value *ret);
    /* Bit i of bits: row0 + i has a value; ceil(n / 64) words.  False = unknown. */
    bool (*present)(struct skep_colreader *r, uint64_t row0, unsigned n, uint64_t *bits);
    /* Have the values of row0's row group codes?  False = they have none. */
    bool (*coded)(struct skep_colreader *r, uint64_t row0, struct skep_coded *ret);
    /* Only where coded() says so: counts[code] += rows that have it, *ret_present = their sum.  Any
     * n.  Returns SKEP_OK | ECORRUPT | EIO | ENOMEM. */
    skep_rc (*tally)(struct skep_colreader *r, uint64_t row0, unsigned n, uint32_t *counts,
                     uint32_t *ret_present, skep_err *err);
    /* The rows that have a value, ascending, and the values (a double's bits, a code of *ret_dict),
     * where they are at most cap and few among the rows; any n, also over row groups.  False = read
     * them in order. */
    bool (*few)(struct skep_colreader *r, uint64_t row0, uint64_t n, uint32_t cap, uint32_t *rows,
                int64_t *values, uint32_t *ret_n, const struct skep_dict **ret_dict);
};

struct skep_colreader {
    const struct skep_colreader_ops *ops;
    struct skep_rowset *rowset;
    bool spoiled; /* an answer took the place of what read() gave last, which is to be read again */
    bool brief;   /* set by who opened it: dictionaries of a row group go with it */
};

struct skep_rowset_ops {
    const char *name; /* "part", "segment" */
    void (*destroy)(struct skep_rowset *rs);
    skep_rc (*open_column)(struct skep_rowset *rs, enum skep_column col,
                           struct skep_colreader **ret, skep_err *err);
    skep_rc (*open_field)(struct skep_rowset *rs, uint32_t field, struct skep_colreader **ret,
                          skep_err *err);
    /* Row ranges that may hold rows of the trace, ascending, at most cap of them; when more would
     * be needed the last one reaches further.  A segment answers from its index without touching
     * data when the trace is not there (n = 0). */
    skep_rc (*find_trace)(struct skep_rowset *rs, const skep_trace_id *id,
                          struct skep_row_range *ranges, unsigned cap, unsigned *ret_n,
                          skep_err *err);
    /* Of clustered rowsets, optional: the traces as (fingerprint, first row), by fingerprint, in
     * pages of at most SKEP_TRACE_PAGE; a page's lowest fingerprint is resident. */
    uint32_t (*trace_pages)(const struct skep_rowset *rs);
    uint64_t (*trace_page_first)(const struct skep_rowset *rs, uint32_t page);
    skep_rc (*trace_page)(struct skep_rowset *rs, uint32_t page, int64_t *fingerprints,
                          int64_t *rows, unsigned *ret_n, skep_err *err);
    /* Of clustered rowsets: rows [row0, row0 + n) of one row group; want_back: ret->back too. */
    skep_rc (*shape)(struct skep_rowset *rs, uint64_t row0, uint32_t n, bool want_back,
                     struct skep_trace_shape *ret, skep_err *err);
};

enum { SKEP_TRACE_PAGE = 1024, SKEP_TRACE_FINGERPRINT_SHIFT = 24 };
/* What stands in the index for a trace id: equal ids have equal ones, others hardly ever. */
uint64_t skep_trace_fingerprint(const skep_trace_id *id);

struct skep_rowset {
    const struct skep_rowset_ops *ops;
    _Atomic uint32_t refs;
    /* Of a segment: unique in the process; 0 = a part: nothing is kept of it. */
    uint64_t serial;
    uint64_t n_rows;
    uint64_t row_end;                /* row numbers are below; >= n_rows */
    const uint32_t *group_rows;      /* rows of each row group; NULL = all full but the last */
    uint64_t bytes;                  /* memory of a part, file size of a segment */
    struct skep_block_bounds bounds; /* of all rows */
    uint64_t min_seq, max_seq;       /* commits inside */
    const struct skep_block_bounds *blocks; /* one a block, resident; in a gap: of no time */
    const struct skep_rowset_field *fields; /* by (name, scope, type) */
    uint32_t n_fields;
    struct skep_rowset_lists resources, scopes;
    uint8_t layout;                      /* enum skep_layout; parts: 0 */
    const struct skep_dataset_run *runs; /* LOGS: by dataset bytes, resident */
    uint32_t n_runs;
    bool trace_clustered; /* rows of one trace are neighbours, ordered by start */
    void (*on_last_unref)(void *ctx, struct skep_rowset *rs); /* before destroy; optional */
    void *on_last_unref_ctx;
    struct skep_shown *shown;  /* what questions may see of it; shown.c, under its lock */
    struct skep_budget *lives; /* its bitmaps are charged to; NULL = none */
};

/* Blocks, those in gaps included. */
static inline uint64_t skep_rowset_blocks(const struct skep_rowset *rs)
{
    return (rs->row_end + SKEP_BLOCK_ROWS - 1) / SKEP_BLOCK_ROWS;
}
/* Rows of a block: numbers [block * 1,024, + what is returned); 0 in a gap. */
static inline unsigned skep_rowset_block_rows(const struct skep_rowset *rs, uint64_t block)
{
    enum { BLOCKS = SKEP_ROW_GROUP_ROWS / SKEP_BLOCK_ROWS };
    uint64_t first = rs->group_rows ? block % BLOCKS * SKEP_BLOCK_ROWS : block * SKEP_BLOCK_ROWS;
    uint64_t end = rs->group_rows ? rs->group_rows[block / BLOCKS] : rs->row_end;
    return first >= end ? 0 : (unsigned)SKEP_MIN(end - first, (uint64_t)SKEP_BLOCK_ROWS);
}
/* One more, one fewer holder; the last unref calls on_last_unref, then destroys.  Threads: any. */
struct skep_rowset *skep_rowset_ref(struct skep_rowset *rs);
void skep_rowset_unref(struct skep_rowset *rs); /* NULL is fine */
/* Index of the field, or UINT32_MAX. */
uint32_t skep_rowset_find_field(const struct skep_rowset *rs, skep_str name, uint8_t scope,
                                uint8_t type);

/* Live rows: bit r of word r/64 set = the row numbered r is visible; a chunk for each row group,
 * NULL = all its rows live. Versioned, immutable, refcounted; a NULL bitmap = all rows live.  Made
 * in live.c. */
enum { SKEP_LIVE_WORDS = SKEP_ROW_GROUP_ROWS / 64 };
struct skep_live_chunk {
    _Atomic uint32_t refs;
    struct skep_budget *budget;      /* charged for it, by force; NULL = none */
    uint64_t words[SKEP_LIVE_WORDS]; /* 0 beyond the last row of the group */
};
struct skep_live {
    _Atomic uint32_t refs;
    uint64_t
        version; /* unique in the process: what was computed over these rows is kept under it */
    uint64_t n_rows, n_live, n_deleted, n_superseded; /* n_rows = the sum of the others */
    uint64_t n_groups;
    const uint32_t *group_rows; /* of the rowset, which lives longer; NULL: as there */
    struct skep_budget *budget; /* as of a chunk; of the rowset */
    struct skep_live_chunk *chunks[];
};
static inline bool skep_live_has(const struct skep_live *l, uint64_t row)
{
    const struct skep_live_chunk *c = l ? l->chunks[row / SKEP_ROW_GROUP_ROWS] : NULL;
    return !c || (c->words[row % SKEP_ROW_GROUP_ROWS / 64] >> (row % 64) & 1);
}
/* 64 rows from row0, a multiple of 64. */
static inline uint64_t skep_live_word(const struct skep_live *l, uint64_t row0)
{
    const struct skep_live_chunk *c = l ? l->chunks[row0 / SKEP_ROW_GROUP_ROWS] : NULL;
    return c ? c->words[row0 % SKEP_ROW_GROUP_ROWS / 64] : UINT64_MAX;
}

/* What a query sees: immutable, refcounted. */
struct skep_cut_cache;
struct skep_snapshot {
    _Atomic uint32_t refs;
    uint64_t visible_seq;
    struct skep_cut_cache *cuts; /* cuts.h; shared by snapshots of the same segments; NULL = none */
    unsigned n;
    struct skep_snapshot_set {
        struct skep_rowset *rowset;
        struct skep_live *live; /* NULL = all rows */
    } sets[];                   /* by min_seq */
};
struct skep_snapshot *skep_snapshot_ref(struct skep_snapshot *s);
void skep_snapshot_unref(struct skep_snapshot *s);

/* A part: a batch in its lightly encoded form, which is also the WAL frame's payload
 * (docs/formats/frame.md).  Encode does all the work; opening only checks and makes directories. */
/* Append the payload to `out`. Returns SKEP_OK | SKEP_ETOOLARGE. */
SKEP_NODISCARD skep_rc skep_frame_encode(const struct skep_batch *b, struct skep_buf *out,
                                         skep_err *err);
/* Open a payload as a rowset with one reference.  Takes `payload` (skep_malloc memory) in every
 * case. Everything in it is checked: hostile bytes give ECORRUPT with the offset.  budget: charged
 * by force for what the part holds, given back on destroy. seq numbers the commit.  */
SKEP_NODISCARD skep_rc skep_part_open(uint8_t *payload, size_t n, uint64_t seq,
                                      struct skep_budget *budget, struct skep_rowset **ret,
                                      skep_err *err);
/* Fold several parts into one with the same rows in the same order (row ids kept). */
SKEP_NODISCARD skep_rc skep_part_fold(struct skep_rowset *const *parts, unsigned n,
                                      struct skep_budget *budget, struct skep_rowset **ret,
                                      skep_err *err);

/* Segments (docs/formats/segment.md). */
struct skep_os;
struct skep_cache;
/* The chunk cache: checked, decompressed-once pages of segments under one budget. */
struct skep_cache *skep_cache_new(struct skep_budget *parent, uint64_t limit_bytes);
/* Let it borrow what reserves of the parent's other children leave idle; before it has a reserve
 * and before anything is in it.  Where the parent lends to another already it goes without. */
void skep_cache_borrow(struct skep_cache *c);
/* Keep bytes of the parent for it (base/budget.h), before anything is in it: reading goes on when
 * the parent is full. */
void skep_cache_reserve(struct skep_cache *c, uint64_t bytes);
void skep_cache_free(struct skep_cache *c);
/* With its guest's (cache.h). */
uint64_t skep_cache_bytes(const struct skep_cache *c);

struct skep_segment_source {
    struct skep_rowset *rowset;
    const struct skep_live *live; /* rows to take; NULL = all */
};
struct skep_segment_info {
    uint64_t n_rows, file_bytes, min_seq, max_seq, traces;
    struct skep_block_bounds bounds;
};
struct skep_segment_job {
    const struct skep_os *os;
    const char *path; /* written aside by the caller's choice of name; fsynced before return */
    const struct skep_segment_source *sources;
    unsigned n_sources;
    struct skep_budget *budget; /* working memory; taken, not forced */
    struct skep_cache *cache;   /* of that memory, lets go where it is short; NULL = none */
    enum skep_layout layout;
    uint32_t group_rows; /* row groups of this size at most; 0 = 65,536 */
    bool recode;         /* take no row group over as it is */
    /* Asked at each column and row group; may take its time. */
    bool (*canceled)(void *ctx); /* NULL = never */
    /* After each row group; bytes of the file so far.  NULL = none. */
    void (*progress)(void *ctx, uint64_t rows_done, uint64_t bytes);
    void *ctx;
};
/* Merge sources into one segment file: rows ordered by (anchor, trace id, start, row id), or in the
 * logs layout by (dataset, time, row id); columns encoded by measured score.  Returns SKEP_OK |
 * ENOMEM | ENOSPC | EIO | ECORRUPT (a source) | ECANCELED. */
SKEP_NODISCARD skep_rc skep_segment_write(const struct skep_segment_job *job,
                                          struct skep_segment_info *ret, skep_err *err);
/* Rows of the row groups that n sources, segments all, can be written in with so many bytes of
 * working memory; 0 = with none. */
uint32_t skep_segment_rows_for(const struct skep_segment_source *sources, unsigned n,
                               uint64_t bytes);
/* Open a segment: reads footer, indexes and dictionaries' directories, checks their checksums; data
 * chunks are checked when loaded.  One reference. */
SKEP_NODISCARD skep_rc skep_segment_open(const struct skep_os *os, const char *path,
                                         struct skep_cache *cache, struct skep_rowset **ret,
                                         skep_err *err);
/* An open segment once more, for one who goes through it: chunks through a cache of his own, the
 * footer shared; dictionaries go with the readers that have them.  One reference, holds one of rs.
 */
SKEP_NODISCARD skep_rc skep_segment_twin(struct skep_rowset *rs, struct skep_cache *cache,
                                         struct skep_rowset **ret, skep_err *err);
/* Rows of row groups that a merge took over as they were; the others were encoded for this file. */
uint64_t skep_segment_rows_taken_over(struct skep_rowset *rs);
/* Read everything and check every checksum and invariant (skep verify).  ret_rows may be NULL. */
SKEP_NODISCARD skep_rc skep_segment_verify(const struct skep_os *os, const char *path,
                                           uint64_t *ret_rows, skep_err *err);
/* Append a description to `out`: schema, and bytes by column and codec (skep dump). */
struct skep_buf;
SKEP_NODISCARD skep_rc skep_segment_dump(const struct skep_os *os, const char *path,
                                         struct skep_buf *out, skep_err *err);

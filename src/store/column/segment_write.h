// SPDX-License-Identifier: Apache-2.0
/* The segment writer from inside.  Internal to store/column/segment_*.c.
 *
 *   segment_write.c    the job: row group after row group, footer
 *   segment_plan.c     how much memory there must be, for which row groups
 *   segment_cut.c      where row groups begin and end
 *   segment_gather.c   values of one column of a row group from the sources, in the new order
 *   segment_encode.c   values -> chunk(s) and a directory entry
 *   segment_derive.c   columns and bitmaps that follow from other columns
 *   segment_ids.c      trace ids and parent references
 *   segment_index.c    the trace index
 *   segment_sparse.c   pages of (field, row, value)
 *   segment_filter.c   filters of string columns
 *   segment_copy.c     row groups taken over as they are */
#pragma once

#include "store/column/codec/codec.h"
#include "store/column/rowset.h"
#include "store/column/segment_format.h"
#include "store/column/trace_order.h"

/* A growing dictionary: values in order of first appearance. */
struct skep_wdict {
    struct skep_index index;
    uint32_t n, cap;
    struct skep_wdict_item {
        uint64_t hash;
        uint32_t offset, len;
    } * items;
    uint8_t *bytes;
    size_t bytes_n, bytes_cap;
};
void skep_wdict__done(struct skep_wdict *d);
/* Code of s, added when new. */
uint32_t skep_wdict__add(struct skep_wdict *d, skep_str s, uint64_t hash);
/* Forget the values from n on. */
void skep_wdict__truncate(struct skep_wdict *d, uint32_t n);
skep_str skep_wdict__str(const struct skep_wdict *d, uint32_t i);

/* Strings of a gathered column that are numbered together: a dictionary, or copies. */
struct skep_wdomain {
    uint32_t base, n;             /* token of the first, and how many */
    const struct skep_dict *dict; /* NULL: strs */
    const skep_str *strs;
};

/* What is known of a token.  It counts only with the stamp of the dictionary being made: clearing
 * as many as the sources have strings, for each of a thousand columns of a few hundred values,
 * would cost more than looking all of these up. */
struct skep_wtoken {
    uint32_t stamp, code;
};

/* A column with few codes, by row: others may follow it (segment_derive.c). */
struct skep_wbase {
    uint32_t key, m;  /* x is below m */
    uint8_t presence; /* enum skep_presence */
    uint16_t *x;      /* [group_rows] 0 = no value, else code + 1 */
    uint32_t *n_of;   /* [m] rows that have this x */
};
enum { SKEP_WBASES = 8, SKEP_WBASE_CODES = 4096, SKEP_WFEW = 4096 };

/* A field of the new segment. */
struct skep_wfield {
    skep_str name; /* in a source */
    uint8_t scope, type;
    uint64_t n_present;
};

/* A source that row groups are taken over from. */
struct skep_wcopy {
    uint8_t *origins;   /* [its origins] number in the new file; 0 = none yet */
    uint32_t *field_to; /* [its fields] */
    uint32_t *group_to; /* [its row groups] number in the new file + 1; 0 = not taken over */
};

/* Values of one column of the row group being written: those of the present rows, in row order. */
struct skep_wcolumn {
    uint32_t n;       /* present */
    uint64_t *bitmap; /* [SKEP_ROW_GROUP_ROWS / 64], of the rows */
    int64_t *ints;
    skep_str *strs; /* after skep_segment__spell() */
    skep_trace_id *ids;
};

/* How a column was encoded when all was tried last: taken again for some row groups, as long as its
 * values take about as much room. */
struct skep_whabit {
    uint8_t codec; /* enum skep_codec_id */
    uint8_t rest;  /* row groups to go before all is tried again; 0 = none known */
    uint32_t base; /* of SKEP_CODEC_MAP: its key */
    size_t share;  /* bytes of SKEP_WHABIT_PER values; of strings: of so many bytes as they are */
};
enum { SKEP_WHABIT_REST = 7, SKEP_WHABIT_PER = 65536 };
struct skep_whabits {
    struct skep_whabit ints, strs;
    struct skep_whabit local; /* a dictionary of the row group paid; share: its strings */
};

struct skep_segment_writer {
    const struct skep_segment_job *job;
    uint64_t charged_bytes;
    int fd;
    struct skep_buf out;   /* not yet written */
    uint64_t flushed;      /* bytes written */
    uint64_t undone_end;   /* the file reaches so far, by a row group that was begun anew */
    struct skep_buf chunk; /* being encoded */
    struct skep_order *order;

    /* Schema. */
    struct skep_wfield *fields;
    uint32_t n_fields;
    uint32_t **field_maps;    /* [n_sources][n_fields] -> field of the source, UINT32_MAX = none */
    struct skep_wdict *dicts; /* [SKEP_COL_COUNT + n_fields]: segment dictionaries */
    bool *dict_off;           /* this column gave its segment dictionary up */
    uint8_t *local_rest;      /* row groups to go before a dictionary of one is tried again */
    struct skep_whabits *habits; /* [SKEP_COL_COUNT + n_fields] */
    size_t dict_bytes;           /* in all of them */
    uint32_t n_dense;
    bool *dense;            /* [n_fields]: has a dense column somewhere */
    uint32_t *present_here; /* [n_fields]: values in the row group */
    struct skep_wlists {
        uint32_t n, cap;
        struct skep_wlist {
            uint64_t hash;
            const struct skep_rowset_lists *lists;
            uint32_t index; /* in lists */
        } * items;
        struct skep_index index;
        uint32_t **maps;     /* [n_sources][lists of the source] */
        uint32_t *map_sizes; /* [n_sources] */
    } resources, scopes;

    /* The row group.  Arrays have room for group_rows: a row group, or all rows when fewer. */
    uint32_t group_rows;
    struct skep_order_row *rows; /* [n_rows] */
    uint32_t n_rows;
    uint64_t *slots;         /* (source row << 16 | row of the group), ascending by source */
    uint32_t *source_first;  /* n_sources + 1, into slots */
    struct skep_wcolumn col; /* reused from column to column */
    int64_t *row_ints;       /* scratch by row */
    int64_t *tmp;            /* scratch [group_rows] */
    uint64_t *span_ids;      /* [group_rows] by row */
    uint32_t *run_starts;    /* [group_rows + 1] of traces */
    uint32_t *row_slots;     /* [2 * group_rows] */
    struct skep_arena arena; /* string bytes of one column */
    struct skep_colreader **readers; /* [n_sources] of the gathered column; NULL = closed */
    uint32_t few_rows[SKEP_WFEW];    /* values of a sparse column of a source, and their rows */
    int64_t few_values[SKEP_WFEW];
    uint8_t *present;     /* [group_rows] by row, while gathering */
    int64_t *packed_ints; /* [group_rows] */
    uint32_t *tokens; /* [group_rows] strings: by row while gathering, then of the present rows */
    struct skep_wtoken *token_codes; /* [cap_tokens] in the dictionary being made */
    uint32_t n_tokens, cap_tokens;
    uint32_t token_stamp;                           /* never 0 once a column was gathered */
    struct skep_wdomain *domains;                   /* by base */
    uint32_t n_domains, cap_domains, source_domain; /* source_domain: first of the source at hand */
    uint32_t token_domain;                          /* of the token looked up last */
    struct skep_wdict local;
    struct skep_buf entries; /* of the directory */
    uint32_t n_entries;
    struct skep_buf sparse; /* the page being filled */
    struct skep_buf pages;  /* directory of sparse pages */
    uint32_t n_pages, page_key;
    struct skep_chunk_ref bitmaps[16]; /* of this group, to share equal ones */
    uint64_t bitmap_hashes[16];
    uint64_t (*bitmap_copies)[SKEP_ROW_GROUP_ROWS / 64]; /* [16] */
    uint8_t bitmap_kinds[16];                            /* enum skep_presence */
    unsigned n_bitmaps;
    struct skep_wbase bases[SKEP_WBASES];
    unsigned n_bases; /* seen in this group, the latest are kept */

    /* For the footer. */
    uint64_t required, optional;  /* features */
    struct skep_wfilter *filters; /* segment_filter.c; NULL = none made yet */
    struct skep_wcopy *copies;    /* [n_sources] */
    struct skep_buf origins;      /* of the footer */
    uint32_t n_origins;           /* the file itself counted */
    struct skep_buf groups;       /* refs of directories */
    struct skep_buf group_sizes;  /* u32 of each: rows, origin */
    uint32_t n_groups;
    struct skep_buf blocks;
    struct skep_buf index_entries; /* u64 trace hash, u64 row */
    skep_trace_id last_trace;
    struct skep_buf runs; /* LOGS: u64 row, varint bytes, dataset */
    uint32_t n_runs;
    size_t last_run_at, last_run_n; /* the newest one's dataset in it */
    uint64_t rows_done, traces, chunk_bytes;
    size_t group_held; /* bytes kept for the footer before the row group */
    uint64_t min_seq, max_seq;
    struct skep_block_bounds bounds;
};

/* No token has a code. */
void skep_wdict__forget_tokens(struct skep_segment_writer *w);
/* Fill w->col.strs. */
void skep_segment__spell(struct skep_segment_writer *w);
/* Codes of w->col's strings in w->tmp.  False, with d as before, when d would go over max_n values
 * or max_bytes of text. */
bool skep_wdict__map(struct skep_segment_writer *w, struct skep_wdict *d, uint32_t max_n,
                     size_t max_bytes);

/* segment_write.c */
SKEP_NODISCARD skep_rc skep_segment__charge(struct skep_segment_writer *w, uint64_t bytes,
                                            skep_err *err);
/* Write bytes as a chunk. */
SKEP_NODISCARD skep_rc skep_segment__put_chunk(struct skep_segment_writer *w, skep_bytes b,
                                               struct skep_chunk_ref *ret, skep_err *err);
void skep_segment__put_ref(struct skep_buf *b, const struct skep_chunk_ref *ref);
/* Time bounds of the next block. */
void skep_segment__put_bounds(struct skep_segment_writer *w, const struct skep_block_bounds *b);
SKEP_NODISCARD skep_rc skep_segment__begin_group(struct skep_segment_writer *w, skep_err *err);
/* Encode the first rows in w->rows as a row group. */
SKEP_NODISCARD skep_rc skep_segment__write_group(struct skep_segment_writer *w, uint32_t n_rows,
                                                 skep_err *err);
/* Write the directory of the row group at hand. */
SKEP_NODISCARD skep_rc skep_segment__end_group(struct skep_segment_writer *w, uint8_t origin,
                                               skep_err *err);

/* segment_cut.c: all rows. */
SKEP_NODISCARD skep_rc skep_segment__write_groups(struct skep_segment_writer *w, skep_err *err);

/* segment_plan.c: take the fixed memory; *ret_rows of a row group is what the arrays have room for.
 * Returns SKEP_OK | ENOMEM. */
SKEP_NODISCARD skep_rc skep_segment__take_fixed(const struct skep_segment_job *job,
                                                uint32_t *ret_rows, uint64_t *ret_bytes,
                                                skep_err *err);

/* segment_gather.c: fill w->col.  Key: column, or SKEP_SEGMENT_FIELD_KEY + field. */
SKEP_NODISCARD skep_rc skep_segment__gather(struct skep_segment_writer *w, uint32_t key,
                                            skep_err *err);
void skep_segment__close_readers(struct skep_segment_writer *w);
/* Sort the rows of the group by source. */
void skep_segment__slot_rows(struct skep_segment_writer *w);

/* segment_encode.c: write w->col as a dense column. */
SKEP_NODISCARD skep_rc skep_segment__encode(struct skep_segment_writer *w, uint32_t key,
                                            skep_err *err);
SKEP_NODISCARD skep_rc skep_segment__put_bitmap(struct skep_segment_writer *w,
                                                struct skep_column_entry *e, skep_err *err);
void skep_segment__put_entry(struct skep_segment_writer *w, const struct skep_column_entry *e);
/* Encode strings with the best codec; the chunk is not longer than SKEP_SEGMENT_CHUNK_MAX.
 * habit: of the column; NULL = none. */
SKEP_NODISCARD skep_rc skep_segment__put_strings(struct skep_segment_writer *w,
                                                 const skep_str *strs, uint32_t n,
                                                 struct skep_whabit *habit,
                                                 struct skep_chunk_ref *ret, uint8_t *ret_codec,
                                                 skep_err *err);
SKEP_NODISCARD skep_rc skep_segment__put_dict(struct skep_segment_writer *w,
                                              const struct skep_wdict *d,
                                              struct skep_chunk_ref *ret, uint8_t *ret_codec,
                                              skep_err *err);

/* segment_derive.c */
/* Remember the column in w->col, whose codes are these, as one that others may follow. */
void skep_segment__add_base(struct skep_segment_writer *w, uint32_t key, uint8_t presence,
                            const int64_t *codes);
/* Encode v, the values of w->col, as a function of a base into w->chunk, if that is the smallest.
 */
bool skep_segment__derive(struct skep_segment_writer *w, const int64_t *v, uint32_t *ret_base);
/* The same with this base alone, whatever others would take. */
bool skep_segment__derive_from(struct skep_segment_writer *w, const int64_t *v, uint32_t base);
/* Encode w->col.bitmap into w->chunk; returns how (enum skep_presence), BITMAP: as it is. */
uint8_t skep_segment__pack_presence(struct skep_segment_writer *w);

/* segment_ids.c: TRACE_ID, SPAN_ID and PARENT_ID of the group. */
SKEP_NODISCARD skep_rc skep_segment__write_ids(struct skep_segment_writer *w, skep_err *err);

/* segment_index.c */
enum { SKEP_SEGMENT_FEED_BYTES = 17 << 10 }; /* of a source with row groups taken over */
/* The trace has a row there. */
void skep_segment__index_add(struct skep_segment_writer *w, const skep_trace_id *id, uint64_t row);
/* LOGS: a trace once a block; the entries of this group begin at byte `from`. */
void skep_segment__thin_index(struct skep_segment_writer *w, size_t from);
/* Traces of the row group that is being taken over: n ids of 16 bytes, of runs of rows. */
void skep_segment__index_group(struct skep_segment_writer *w, const uint8_t *ids, uint32_t n);
SKEP_NODISCARD skep_rc skep_segment__write_index(struct skep_segment_writer *w,
                                                 struct skep_buf *footer, skep_err *err);

/* segment_sparse.c */
SKEP_NODISCARD skep_rc skep_segment__sparse_add(struct skep_segment_writer *w, uint32_t key,
                                                skep_err *err);
SKEP_NODISCARD skep_rc skep_segment__sparse_end(struct skep_segment_writer *w, skep_err *err);

void skep_segment__put_page(struct skep_segment_writer *w, const struct skep_chunk_ref *ref,
                            uint32_t raw_bytes, uint32_t first_key, bool zstd);

/* segment_copy.c: the source is a segment. */
/* Is there room for what the row group brings along? */
bool skep_segment__may_copy(struct skep_segment_writer *w, unsigned source, uint32_t group);
SKEP_NODISCARD skep_rc skep_segment__copy_group(struct skep_segment_writer *w, unsigned source,
                                                uint32_t group, skep_err *err);

/* The type of a key's values. */
enum skep_segment_form {
    SKEP_FORM_INT,
    SKEP_FORM_F64,
    SKEP_FORM_STR,
    SKEP_FORM_ID16,
    SKEP_FORM_EMPTY
};
static inline enum skep_segment_form skep_segment__type_form(uint8_t type)
{
    switch ((enum skep_type)type) {
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY: return SKEP_FORM_STR;
    case SKEP_TYPE_DOUBLE: return SKEP_FORM_F64;
    case SKEP_TYPE_INT:
    case SKEP_TYPE_BOOL: return SKEP_FORM_INT;
    case SKEP_TYPE_EMPTY:
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_COUNT:
    default: return SKEP_FORM_EMPTY;
    }
}
static inline enum skep_segment_form skep_segment__column_form(uint32_t col)
{
    if (col == SKEP_COL_NAME || col == SKEP_COL_DATASET)
        return SKEP_FORM_STR;
    return col == SKEP_COL_TRACE_ID ? SKEP_FORM_ID16 : SKEP_FORM_INT;
}

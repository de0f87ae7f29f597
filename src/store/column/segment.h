// SPDX-License-Identifier: Apache-2.0
/* An open segment from inside.  Internal to store/column/segment_*.c.
 *
 *   segment_open.c    header, footer, trailer
 *   segment_origin.c  row groups taken over from other files
 *   segment_load.c    chunks, directories, dictionaries, sparse pages through the cache
 *   segment_read.c    column readers
 *   segment_filter_read.c  what rules row groups out
 *   segment_trace.c   trace ids, parents, trace look-up
 *   segment_verify.c  everything once; dump */
#pragma once

#include "os/os.h"
#include "os/thread.h"
#include "store/column/cache.h"
#include "store/column/codec/codec.h"
#include "store/column/rowset.h"
#include "store/column/segment_format.h"

struct skep_segment_dict {
    uint32_t key, n;
    uint8_t codec;
    struct skep_chunk_ref ref;
};

/* Numbers of lists in a row group -> in the file; to == NULL: as they are. */
struct skep_segment_numbers {
    uint32_t n;
    const uint32_t *to;
};
/* What the numbers in some row groups mean (segment_origin.c). */
struct skep_segment_origin {
    uint32_t n_fields, n_dicts;
    const uint32_t *keys, *fields; /* [n_fields] key in a directory, place in base.fields */
    struct skep_segment_numbers resources, scopes;
    struct skep_segment_dict *dicts; /* by key */
};
enum { SKEP_SEGMENT_MAX_ORIGINS = 256 };

struct skep_segment_index_page {
    struct skep_chunk_ref ref;
    uint64_t first_hash;
    uint32_t n;
};

struct skep_segment {
    struct skep_rowset base;
    const struct skep_os *os;
    int fd;
    uint64_t serial, file_bytes, data_end; /* chunks end where the footer begins */
    uint64_t required, optional;           /* features in the header */
    struct skep_cache *cache;
    uint8_t *footer; /* names and strings of lists stay in it */
    uint32_t footer_bytes;
    struct skep_arena arena;
    int64_t resident_bytes; /* told to the cache */
    uint64_t n_traces;
    uint32_t n_groups;
    struct skep_chunk_ref *groups;
    uint32_t *keys; /* of base.fields */
    uint32_t n_origins;
    struct skep_segment_origin *origins; /* [0] is the file itself */
    const uint8_t *group_origins;        /* [n_groups] */
    uint32_t n_index_pages;
    struct skep_segment_index_page *index_pages;
    char *path;                /* for messages */
    struct skep_segment *twin; /* whose footer this one has; NULL = its own.  skep_segment_twin() */
};

static inline struct skep_segment *skep_segment__of(struct skep_rowset *rs)
{
    return (struct skep_segment *)rs;
}

/* The bytes of a chunk; padded with SKEP_BITS_PAD readable bytes. */
struct skep_chunk_data {
    struct skep_cache_data head;
    uint32_t length;
    uint8_t bytes[];
};

/* A directory of a row group. */
struct skep_group_page {
    struct skep_chunk_ref ref;
    uint32_t raw_bytes, first_key, zstd;
};
struct skep_group_dir {
    struct skep_cache_data head;
    uint32_t n_rows, n_entries, n_pages;
    struct skep_group_page *pages;
    struct skep_column_entry entries[]; /* by key; the pages behind them */
};

struct skep_dict_data {
    struct skep_cache_data head;
    struct skep_dict dict;
    /* hashes, offsets, bytes */
};

/* Codes of a dictionary by hash: open addressing over the hash's low bits.  A slot is 0 (free) or
 * 1 << 31 | 15 other bits of the hash << 16 | code; so what is not there is mostly refused without
 * the dictionary. */
struct skep_dict_index {
    struct skep_cache_data head;
    uint32_t mask;
    uint32_t slots[];
};

uint32_t skep_segment__group_rows(const struct skep_segment *seg, uint32_t group);
/* Is it the number of a row? */
static inline bool skep_segment__row_ok(const struct skep_segment *seg, uint64_t row)
{
    return row < seg->base.row_end &&
           row % SKEP_ROW_GROUP_ROWS < seg->base.group_rows[row / SKEP_ROW_GROUP_ROWS];
}
bool skep_segment__ref_ok(const struct skep_segment *seg, const struct skep_chunk_ref *ref);

SKEP_NODISCARD skep_rc skep_segment__pin_chunk(struct skep_segment *seg,
                                               const struct skep_chunk_ref *ref,
                                               const struct skep_chunk_data **ret, skep_err *err);
SKEP_NODISCARD skep_rc skep_segment__pin_dir(struct skep_segment *seg, uint32_t group,
                                             const struct skep_group_dir **ret, skep_err *err);
/* Dictionary chunk -> dictionary. */
SKEP_NODISCARD skep_rc skep_segment__pin_dict(struct skep_segment *seg,
                                              const struct skep_chunk_ref *ref, uint8_t codec,
                                              uint32_t n, const struct skep_dict_data **ret,
                                              skep_err *err);
/* The code of the value with that hash in the dictionary chunk, or SKEP_NO_CODE; the chunk is only
 * loaded when its index (made once, cached) has the hash. */
SKEP_NODISCARD skep_rc skep_segment__find_code(struct skep_segment *seg,
                                               const struct skep_chunk_ref *ref, uint8_t codec,
                                               uint32_t n, uint64_t hash, uint32_t *ret,
                                               skep_err *err);
#define SKEP_NO_CODE UINT32_MAX
/* The dictionary that row groups of an origin share, of a key. */
SKEP_NODISCARD skep_rc skep_segment__pin_shared(struct skep_segment *seg,
                                                const struct skep_segment_origin *o, uint32_t key,
                                                const struct skep_dict_data **ret, skep_err *err);
/* A sparse page, decompressed. */
SKEP_NODISCARD skep_rc skep_segment__pin_page(struct skep_segment *seg,
                                              const struct skep_group_page *page,
                                              const struct skep_chunk_data **ret, skep_err *err);
/* NULL is fine. */
void skep_segment__unpin(struct skep_segment *seg, const void *data);
const struct skep_column_entry *skep_segment__find_entry(const struct skep_group_dir *dir,
                                                         uint32_t key);

/* A column chunk without its zones, for its codec; checks the lengths. */
SKEP_NODISCARD skep_rc skep_segment__codec_chunk(struct skep_segment *seg, uint32_t group,
                                                 const struct skep_column_entry *e,
                                                 const struct skep_chunk_data *data,
                                                 struct skep_codec_chunk *ret, skep_err *err);

/* Bounds of a block of the row group, when the entry has zones. */
bool skep_segment__zone(const struct skep_column_entry *e, const struct skep_chunk_data *data,
                        uint32_t blocks, uint32_t block, int64_t *ret_min, int64_t *ret_max);

/* A validity bitmap, clear behind the last row, with the number of present rows before each word;
 * made once, cached. */
struct skep_presence_data {
    struct skep_cache_data head;
    uint32_t n_words, count; /* present rows */
    uint16_t ranks[SKEP_ROW_GROUP_ROWS / 64];
    uint8_t bits[]; /* words and SKEP_BITS_PAD */
};
struct skep_presence_map {
    const struct skep_presence_data *pin;
    const uint8_t *bits; /* NULL = all present */
};
SKEP_NODISCARD skep_rc skep_segment__open_presence(struct skep_segment *seg, uint32_t group,
                                                   const struct skep_group_dir *dir,
                                                   const struct skep_column_entry *e,
                                                   struct skep_presence_map *ret, skep_err *err);
/* segment_base.c: a packed presence as a bitmap into words, which are zero. */
SKEP_NODISCARD skep_rc skep_segment__expand_presence(struct skep_segment *seg, uint32_t group,
                                                     const struct skep_group_dir *dir,
                                                     const struct skep_column_entry *e,
                                                     uint64_t *words, skep_err *err);
/* Present rows before `row`. */
static inline uint32_t skep_presence__rank(const struct skep_presence_map *m, uint32_t row)
{
    if (!m->bits)
        return row;
    uint32_t w = row / 64, rank = w < m->pin->n_words ? m->pin->ranks[w] : m->pin->count;
    if (row % 64)
        rank += SKEP_POPCOUNT64(skep_load_le64(m->bits + (size_t)(row / 64) * 8) &
                                ((1ull << (row % 64)) - 1));
    return rank;
}
static inline bool skep_presence__has(const struct skep_presence_map *m, uint32_t row)
{
    return !m->bits || (m->bits[row / 8] >> (row % 8) & 1);
}

/* segment_origin.c */
static inline const struct skep_segment_origin *skep_segment__origin(const struct skep_segment *seg,
                                                                     uint32_t group)
{
    return &seg->origins[seg->group_origins[group]];
}
/* Key of a field in the directories of the origin's row groups; field of a key.  UINT32_MAX: none.
 */
uint32_t skep_segment__key_in(const struct skep_segment_origin *o, uint32_t field);
uint32_t skep_segment__field_of(const struct skep_segment_origin *o, uint32_t key);
/* Of RESOURCE and SCOPE; other columns: n is UINT32_MAX. */
struct skep_segment_numbers skep_segment__numbers(const struct skep_segment_origin *o,
                                                  uint32_t key);
/* v[n], below numbers->n, to those of the file; numbers->to is set. */
void skep_segment__renumber(const struct skep_segment_numbers *numbers, uint32_t n, int64_t *v);
struct skep_segment_dict *skep_segment__find_dict(const struct skep_segment_origin *o,
                                                  uint32_t key);
/* The file as an origin, without its dictionaries. */
void skep_segment__own_origin(struct skep_segment *seg, struct skep_segment_origin *ret);
SKEP_NODISCARD skep_rc skep_segment__parse_dicts(struct skep_segment *seg, skep_rd *r,
                                                 struct skep_segment_origin *o, skep_err *err);
SKEP_NODISCARD skep_rc skep_segment__parse_origins(struct skep_segment *seg, skep_rd *r,
                                                   skep_err *err);

/* segment_trace.c */
/* All runs of a TRACE_RUNS chunk: lengths[c->n_values], which add up to n_values; ids, 16 bytes
 * each. */
SKEP_NODISCARD skep_rc skep_segment__all_runs(struct skep_segment *seg,
                                              const struct skep_codec_chunk *c, int64_t *lengths,
                                              const uint8_t **ret_ids, uint32_t *ret_n,
                                              skep_err *err);
SKEP_NODISCARD skep_rc skep_segment__read_trace_ids(struct skep_segment *seg,
                                                    const struct skep_codec_chunk *c,
                                                    uint32_t first, uint32_t n, skep_trace_id *out,
                                                    skep_err *err);
/* References to parents' rows; codes as stored, exceptions' ids in out where the code is 1. */
SKEP_NODISCARD skep_rc skep_segment__read_parent_refs(struct skep_segment *seg,
                                                      const struct skep_codec_chunk *c,
                                                      uint32_t first, uint32_t n, int64_t *codes,
                                                      uint64_t *exceptions, skep_err *err);
SKEP_NODISCARD skep_rc skep_segment__find_trace(struct skep_rowset *rs, const skep_trace_id *id,
                                                struct skep_row_range *ranges, unsigned cap,
                                                unsigned *ret_n, skep_err *err);

/* All of an index page: hashes[n] ascending, rows[n] inside the segment. */
SKEP_NODISCARD skep_rc skep_segment__read_index_page(struct skep_segment *seg,
                                                     const struct skep_segment_index_page *page,
                                                     int64_t *hashes, int64_t *rows, skep_err *err);

/* segment_verify.c: all of an open segment. */
SKEP_NODISCARD skep_rc skep_segment__verify(struct skep_rowset *rs, skep_err *err);

/* The codes of parent references alone; rows of one block. */
SKEP_NODISCARD skep_rc skep_segment__parent_codes(struct skep_segment *seg,
                                                  const struct skep_codec_chunk *c, uint32_t first,
                                                  uint32_t n, uint32_t *codes, skep_err *err);
/* Runs of rows with one trace id. */
SKEP_NODISCARD skep_rc skep_segment__read_runs(struct skep_segment *seg,
                                               const struct skep_codec_chunk *c, uint32_t first,
                                               uint32_t n, struct skep_trace_shape *ret,
                                               skep_err *err);
/* segment_shape.c */
SKEP_NODISCARD skep_rc skep_segment__shape(struct skep_rowset *rs, uint64_t row0, uint32_t n,
                                           bool want_back, struct skep_trace_shape *ret,
                                           skep_err *err);
/* Do the parent references of a row group say what the ids say? */
SKEP_NODISCARD skep_rc skep_segment__check_parents(struct skep_segment *seg, uint32_t group,
                                                   skep_err *err);
/* The index a page at a time: rowset.h. */
uint32_t skep_segment__trace_pages(const struct skep_rowset *rs);
uint64_t skep_segment__trace_page_first(const struct skep_rowset *rs, uint32_t page);
SKEP_NODISCARD skep_rc skep_segment__trace_page(struct skep_rowset *rs, uint32_t page,
                                                int64_t *fingerprints, int64_t *rows,
                                                unsigned *ret_n, skep_err *err);

/* segment_read.c */
SKEP_NODISCARD skep_rc skep_segment__open_column(struct skep_rowset *rs, enum skep_column col,
                                                 struct skep_colreader **ret, skep_err *err);
SKEP_NODISCARD skep_rc skep_segment__open_field(struct skep_rowset *rs, uint32_t field,
                                                struct skep_colreader **ret, skep_err *err);

#define skep_segment__corrupt(seg, err, at, what)                                                  \
    skep_fail((err), SKEP_ECORRUPT, "%s: at %llu: %s", (seg)->path, (unsigned long long)(at),      \
              (what))

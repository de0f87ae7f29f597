// SPDX-License-Identifier: Apache-2.0
/* The frame payload on disk and in memory: numbers, and the writer that encoder and folder share.
 * Byte by byte: docs/formats/frame.md.  Internal to store/column. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "event/batch.h"

enum {
    SKEP_FRAME_MAGIC = 0x46504b53, /* "SKPF" */
    SKEP_FRAME_VERSION = 1,
    SKEP_FRAME_FLAG_FOLDED = 1, /* SEQ, ORDINAL and RECEIVED stand in columns of their own */
    SKEP_FRAME_HEAD_BYTES = 96,
    SKEP_FRAME_DICT_BYTES = 16,
    SKEP_FRAME_COL_BYTES = 40,
    SKEP_FRAME_ENTRY_BYTES = 16, /* one entry of an interned list */
    SKEP_FRAME_REASON_BYTES = 8, /* one entry of the rejections */
    SKEP_FRAME_MAX_BYTES = 256 << 20,
    SKEP_FRAME_LISTS = 32 /* remembered while a frame is written */
};

/* Offsets in the header. */
enum {
    SKEP_FRAME_AT_MAGIC = 0,
    SKEP_FRAME_AT_VERSION = 4,
    SKEP_FRAME_AT_FLAGS = 6,
    SKEP_FRAME_AT_ROWS = 8,
    SKEP_FRAME_AT_DICTS = 12,
    SKEP_FRAME_AT_COLUMNS = 16,
    SKEP_FRAME_AT_FIELDS = 20,
    SKEP_FRAME_AT_RESOURCES = 24,
    SKEP_FRAME_AT_SCOPES = 28,
    SKEP_FRAME_AT_RECEIVED = 32,
    SKEP_FRAME_AT_IDENTITY = 40,
    SKEP_FRAME_AT_BYTES = 56,
    SKEP_FRAME_AT_RESOURCES_AT = 64,
    SKEP_FRAME_AT_SCOPES_AT = 72,
    SKEP_FRAME_AT_SOURCE = 80, /* the receipt: 0 = none */
    SKEP_FRAME_AT_SIGNAL = 81,
    SKEP_FRAME_AT_REASONS = 82, /* n of rejections */
    SKEP_FRAME_AT_WIRE = 84,    /* things received */
    SKEP_FRAME_AT_REJECTED_AT = 88
};

/* Which rows of a column have a value.  On disk: never reuse a number. */
enum skep_frame_presence {
    SKEP_FRAME_ALL = 0,    /* every row; values by row */
    SKEP_FRAME_BITMAP = 1, /* one bit a row; values packed */
    SKEP_FRAME_LIST = 2    /* ascending u32 row numbers; values packed */
};

/* Directory entry of a column or field, as values. */
struct skep_frame_col {
    uint8_t id;   /* column: enum skep_column; field: scope */
    uint8_t type; /* field: enum skep_type; column: 0 */
    uint8_t presence;
    uint8_t width; /* bytes a value: 0 (all equal `base`), 1, 2, 4, 8; 16 for trace ids */
    uint32_t name; /* field: string of dictionary 0 */
    uint32_t n_present;
    uint32_t dict; /* of codes; 0 else */
    int64_t base;  /* value = base + stored, wrapping */
    uint64_t presence_at, values_at;
};

struct skep_frame_head {
    uint16_t flags;
    uint32_t n_rows, n_dicts, n_columns, n_fields;
    uint32_t n_resources, n_scopes;
    skep_ts_ns received_ns;
    uint8_t identity[16];
    const struct skep_receipt *receipt; /* NULL or source 0: none */
};

/* A payload being written at the end of `out`, in one pass.  Room is reserved ahead, by begin or by
 * skep_frame__reserve: nothing else can fail.  Each kind of section is written in the order of its
 * directory (dictionaries may come between fields); resources come before scopes. */
struct skep_frame_writer {
    struct skep_buf *out;
    size_t start; /* of the payload in out */
    uint32_t n_rows, n_dicts, n_columns, n_fields;
    uint32_t next_dict, next_column, next_field;
    /* Row lists written last, by their first row: n rows at that offset, n 0 = none. */
    struct skep_frame_list {
        uint32_t n;
        uint64_t at;
    } lists[SKEP_FRAME_LISTS];
};

/* bound_bytes: at least what is written up to the next reserve (skep_frame__bound_...).
 * Returns SKEP_OK | SKEP_ETOOLARGE (`out` unchanged). */
SKEP_NODISCARD skep_rc skep_frame__begin(struct skep_frame_writer *w, struct skep_buf *out,
                                         const struct skep_frame_head *head, size_t bound_bytes,
                                         skep_err *err);

/* Room for more.  Returns SKEP_OK | SKEP_ETOOLARGE.  Invalidates rooms handed out before. */
SKEP_NODISCARD skep_rc skep_frame__reserve(struct skep_frame_writer *w, size_t bound_bytes,
                                           skep_err *err);

/* Where to put the next dictionary: n + 1 offsets, n hashes, bytes_n bytes. */
struct skep_frame_dict_room {
    uint32_t *offsets;
    uint64_t *hashes;
    uint8_t *bytes;
};
struct skep_frame_dict_room skep_frame__dict(struct skep_frame_writer *w, uint32_t n,
                                             uint32_t bytes_n);

/* Where to put the interned lists. */
struct skep_frame_lists_room {
    uint32_t *first;  /* n + 1 */
    uint64_t *hashes; /* n */
    struct skep_batch_entry *entries;
};
struct skep_frame_lists_room skep_frame__lists(struct skep_frame_writer *w, bool scopes, uint32_t n,
                                               uint32_t n_entries);

/* An intrinsic column: values by row.  dict: of string columns. */
void skep_frame__column(struct skep_frame_writer *w, enum skep_column id, const int64_t *vals,
                        uint32_t dict);
void skep_frame__trace_ids(struct skep_frame_writer *w, const skep_trace_id *ids);
/* A field: vals[i] belongs to rows[i], ascending; n > 0.  col: id, type, name, dict set. */
void skep_frame__field(struct skep_frame_writer *w, const struct skep_frame_col *col, uint32_t n,
                       const uint32_t *rows, const int64_t *vals);
void skep_frame__end(struct skep_frame_writer *w);

/* The same for values that the caller stores itself: value - base, `width` bytes each.  min and max
 * are those of the values.  to: NULL when the width is 0, there is nothing to store then. */
struct skep_frame_room {
    uint8_t *to;
    unsigned width;
    int64_t base;
};
struct skep_frame_room skep_frame__column_room(struct skep_frame_writer *w, enum skep_column id,
                                               int64_t min, int64_t max, uint32_t dict);
/* NULL when none is set. */
skep_trace_id *skep_frame__trace_ids_room(struct skep_frame_writer *w, bool any);
/* presence: at most one of them, to be filled, the bitmap zeroed; neither: every row. */
struct skep_frame_presence_room {
    uint64_t *bitmap;
    uint32_t *rows;
};
struct skep_frame_room skep_frame__field_room(struct skep_frame_writer *w,
                                              const struct skep_frame_col *col, uint32_t n,
                                              int64_t min, int64_t max,
                                              struct skep_frame_presence_room *ret_presence);

/* Upper bound of what dictionaries, lists and columns can take, for begin. */
size_t skep_frame__bound_dict(size_t n, size_t bytes_n);
size_t skep_frame__bound_lists(size_t n, size_t n_entries);
size_t skep_frame__bound_receipt(void);
size_t skep_frame__bound_head(size_t n_dicts, size_t n_columns, size_t n_fields);
size_t skep_frame__bound_column(size_t n_rows);
size_t skep_frame__bound_field(size_t n_rows, size_t n_present);

// SPDX-License-Identifier: Apache-2.0
/* A column reader of a segment from inside: what segment_read.c (reading) and segment_ask.c
 * (shorter ways to an answer) share. */
#pragma once

#include "store/column/segment_lag.h"
#include "store/column/segment_mapped.h"
#include "store/column/segment_sparse.h"

#define SKEP_NO_GROUP UINT32_MAX

struct skep_segment_part {
    uint32_t first_value, n_values;
    uint8_t codec;
    struct skep_chunk_ref ref;
    const struct skep_chunk_data *pin;
};

struct skep_segment_reader {
    struct skep_colreader base;
    struct skep_segment *seg;
    uint32_t key, field; /* field: UINT32_MAX for a column */
    enum skep_segment_form form;

    /* The row group. */
    uint32_t group;
    const struct skep_segment_origin *origin;
    uint32_t key_here;                 /* in the directory; UINT32_MAX = it is not there */
    struct skep_segment_numbers lists; /* RESOURCE, SCOPE: values are below n; else UINT32_MAX */
    const struct skep_group_dir *dir;
    const struct skep_column_entry *entry; /* NULL = not dense here */
    bool opened;                           /* the rest of the group's members are set */
    const struct skep_codec_ops *codec;
    const struct skep_chunk_data *data;
    struct skep_codec_chunk chunk;
    struct skep_presence_map presence;
    const struct skep_dict *dict;
    const struct skep_chunk_data *dict_chunk; /* read value by value, see read_few() */
    struct skep_segment_part *parts;
    uint32_t n_parts;
    struct skep_sparse sparse;
    struct skep_mapped *mapped; /* codec MAP; else NULL */
    struct skep_lag *lag;       /* codec LAG; else NULL */
    uint32_t row;               /* of the group, the first that is read */
    /* PARENT_ID: the span ids it refers to. */
    const struct skep_column_entry *span_entry;
    const struct skep_chunk_data *span_data;
    struct skep_presence_map span_presence;

    /* The string asked for last, and its code. */
    uint64_t asked;
    uint32_t asked_group, asked_code;
    /* What the filter of the group was asked last: a value's hash, a text's, and its answers. */
    uint64_t filtered[2];
    uint32_t filtered_group[2];
    bool filtered_out[2];
    /* The text sought last, and which values of the dictionary contain it, a bit each. */
    uint64_t sought, sought_dict;
    uint64_t *found;
    uint32_t cap_found;
    bool found_any;

    /* Kept to the end, or until another row group is entered (I1 in segment_read.c). */
    const struct skep_dict_data **dicts;
    uint32_t n_dicts, cap_dicts;
    struct skep_codec_scratch scratch;
    void *wide; /* codes, strings or ids: SKEP_BLOCK_ROWS of them */

    /* Not set when the reader is made. */
    uint64_t valid[SKEP_BLOCK_ROWS / 64];
    int64_t ints[SKEP_BLOCK_ROWS];
    int64_t packed[SKEP_BLOCK_ROWS + 1];
};

/* Returns SKEP_ECORRUPT, with the place in err. */
SKEP_NODISCARD skep_rc skep_reader__corrupt(struct skep_segment_reader *r, const char *what,
                                            skep_err *err);
/* What the directory says of the column; its chunks stay where they are.
 * Returns SKEP_OK | ECORRUPT | EIO | ENOMEM, as the next two. */
SKEP_NODISCARD skep_rc skep_reader__look_at(struct skep_segment_reader *r, uint32_t group,
                                            skep_err *err);
/* And its chunks, pinned.  Returns as above. */
SKEP_NODISCARD skep_rc skep_reader__enter(struct skep_segment_reader *r, uint32_t group,
                                          skep_err *err);
/* r->dict of the row group.  Returns as above. */
SKEP_NODISCARD skep_rc skep_reader__dict(struct skep_segment_reader *r, skep_err *err);
/* Which of the present values [first, first + count), at most a block, contain the needle: bits to
 * set, from bit 0 on.  A column in parts.  Returns as above. */
SKEP_NODISCARD skep_rc skep_reader__parts_contain(struct skep_segment_reader *r, uint32_t first,
                                                  uint32_t count, skep_str needle,
                                                  uint64_t *packed);
/* Some of their strings, likewise. */
SKEP_NODISCARD skep_rc skep_reader__parts_some(struct skep_segment_reader *r, uint32_t first,
                                               uint32_t count, const uint8_t *wanted,
                                               skep_str *ret);
/* The same of members of documents; known[i] = 0 before. */
SKEP_NODISCARD skep_rc skep_reader__parts_members(struct skep_segment_reader *r, uint32_t first,
                                                  uint32_t count,
                                                  const struct skep_codec_path *path,
                                                  const uint8_t *wanted, uint8_t *known,
                                                  skep_value *ret);
/* Presence of rows [first, first + n) of the group, moved to bit 0 of ret[ceil(n / 64)]. */
void skep_reader__valid(const struct skep_segment_reader *r, uint32_t first, uint32_t n,
                        uint64_t *ret);

/* Room for SKEP_BLOCK_ROWS codes, strings or ids; the same at each call. */
void *skep_reader__wide(struct skep_segment_reader *r, size_t size);

/* segment_ask.c: see struct skep_colreader_ops. */
bool skep_reader__zone(struct skep_colreader *base, uint64_t row0, unsigned n, double *ret_min,
                       double *ret_max);
bool skep_reader__maybe(struct skep_colreader *base, uint64_t row0, unsigned n, uint64_t hash);
bool skep_reader__lacks(struct skep_colreader *base, uint64_t row0, unsigned n, skep_str needle,
                        bool only_filters);
bool skep_reader__between(struct skep_colreader *base, uint64_t row0, unsigned n, int64_t lo,
                          int64_t hi, uint64_t *bits);
bool skep_reader__same(struct skep_colreader *base, uint64_t row0, unsigned n, int64_t *ret);
bool skep_reader__equal(struct skep_colreader *base, uint64_t row0, unsigned n, skep_str s,
                        uint64_t hash, uint64_t *bits);
bool skep_reader__some(struct skep_colreader *base, uint64_t row0, unsigned n,
                       const uint8_t *wanted, skep_str *ret);
bool skep_reader__members(struct skep_colreader *base, uint64_t row0, unsigned n,
                          const struct skep_codec_path *path, const uint8_t *wanted, uint8_t *known,
                          skep_value *ret);
bool skep_reader__contains(struct skep_colreader *base, uint64_t row0, unsigned n, skep_str needle,
                           uint64_t *bits);
bool skep_reader__present(struct skep_colreader *base, uint64_t row0, unsigned n, uint64_t *bits);
bool skep_reader__coded(struct skep_colreader *base, uint64_t row0, struct skep_coded *ret);
SKEP_NODISCARD skep_rc skep_reader__tally(struct skep_colreader *base, uint64_t row0, unsigned n,
                                          uint32_t *counts, uint32_t *ret_present, skep_err *err);

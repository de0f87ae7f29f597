// SPDX-License-Identifier: Apache-2.0
/* A part from inside: what folder and engine see beyond the rowset.  Internal to store/column. */
#pragma once

#include "store/column/frame.h"
#include "store/column/rowset.h"

/* One checked column of a part.  Pointers go into the payload. */
struct skep_part_col {
    uint8_t presence, width;
    uint8_t form; /* enum skep_vec_form */
    uint32_t n_present;
    int64_t base;
    const struct skep_dict *dict; /* of DICT */
    const uint64_t *bitmap;       /* BITMAP */
    const uint32_t *rows;         /* LIST */
    const uint8_t *values;        /* NULL when width == 0 */
    const uint32_t *ranks;        /* BITMAP: values before each block */
};

struct skep_part {
    struct skep_rowset base;
    uint8_t *payload;
    size_t payload_bytes;
    struct skep_budget *budget;
    uint64_t charged_bytes;
    struct skep_part_col cols[SKEP_COL_COUNT];
    struct skep_part_col *fields; /* n_fields */
    struct skep_dict *dicts;
    uint32_t n_dicts;
    uint32_t *ranks;
    skep_ts_ns received_min_ns, received_max_ns;
    uint8_t identity[16]; /* zero for folded parts */
    bool folded;
    struct skep_ledger ledger; /* RECEIVED, REJECTED as frames say; STORED as rows are */
    int64_t seq0;              /* plain: the commit */
};

extern const struct skep_rowset_ops skep_part_ops;

static inline struct skep_part *skep_part_of(struct skep_rowset *rs)
{
    return rs && rs->ops == &skep_part_ops ? (struct skep_part *)rs : NULL;
}

/* The same where it must be one. */
struct skep_part *skep_part_must(struct skep_rowset *rs);

/* Fill the ledger of a plain part (counts.c). */
void skep_part__count(struct skep_part *part, const struct skep_receipt *receipt);

/* Has it rows of the server itself, and no others? */
bool skep_part__only_own(const struct skep_part *part);

/* Number a plain part, before anyone else can see it. */
void skep_part__set_seq(struct skep_rowset *rs, uint64_t seq);

/* Value i (by row for ALL, else by rank) of a column that is not a trace id. */
static inline int64_t skep_part__value(const struct skep_part_col *c, size_t i)
{
    uint64_t v = 0;
    switch (c->width) {
    case 0: break;
    case 1: v = c->values[i]; break;
    case 2: v = skep_load_le16(c->values + 2 * i); break;
    case 4: v = skep_load_le32(c->values + 4 * i); break;
    default: v = skep_load_le64(c->values + 8 * i); break;
    }
    return (int64_t)((uint64_t)c->base + v);
}

/* Values [first, first + n) into `to`, widened. */
void skep_part__values(const struct skep_part_col *c, size_t first, size_t n, int64_t *to);

/* Smallest and largest value; n_present > 0. */
void skep_part__range(const struct skep_part_col *c, int64_t *ret_min, int64_t *ret_max);

// SPDX-License-Identifier: Apache-2.0
/* Traces of a row group as shapes: where each ends, and how many rows back each row's parent
 * stands.
 *
 * Both are stored that way (segment_ids.c), so nothing is looked up and no id is written out: run
 * lengths and parent references are unpacked, ids are compared with zero once a run.
 *
 * I1  every number taken from the file is checked against the rows asked for.
 * Threads: any. */
#include "base/assert.h"
#include "store/column/segment.h"

/* A chunk of the row group, pinned. */
struct pinned {
    const struct skep_chunk_data *data;
    struct skep_codec_chunk chunk;
};

static skep_rc pin(struct skep_segment *seg, const struct skep_group_dir *dir, uint32_t group,
                   enum skep_column col, uint8_t codec, struct pinned *ret, skep_err *err)
{
    const struct skep_column_entry *e = skep_segment__find_entry(dir, col);
    *ret = (struct pinned){0};
    if (!e || e->presence == SKEP_PRESENCE_NONE)
        return SKEP_OK;
    if (e->codec != codec || e->presence != SKEP_PRESENCE_ALL)
        return skep_segment__corrupt(seg, err, e->data.offset, "an id column of another form");
    SKEP_TRY(skep_segment__pin_chunk(seg, &e->data, &ret->data, err));
    return skep_segment__codec_chunk(seg, group, e, ret->data, &ret->chunk, err);
}

/* Codes to rows; false when one is out of bounds. */
SKEP_CLONES static bool back_of(const uint32_t *codes, uint32_t n, int32_t *back)
{
    uint32_t over = 0;
    for (uint32_t k = 0; k < n; k++) {
        uint32_t z = codes[k] - 2;
        int32_t d = (int32_t)(z >> 1) ^ -(int32_t)(z & 1);
        int32_t none = codes[k] ? SKEP_BACK_ELSEWHERE : SKEP_BACK_NONE;
        over |= codes[k] >> 18; /* 2 * 65,536 + 2 is less */
        back[k] = codes[k] >= 2 ? d : none;
    }
    return over == 0;
}

/* Rows back to each parent, a block at a time. */
static skep_rc unpack_back(struct skep_segment *seg, const struct pinned *parents, uint32_t first,
                           uint32_t n, int32_t *back, skep_err *err)
{
    SKEP_UNINIT uint32_t codes[SKEP_BLOCK_ROWS];
    for (uint32_t i = 0; i < n;) {
        uint32_t take = SKEP_BLOCK_ROWS - (first + i) % SKEP_BLOCK_ROWS;
        take = SKEP_MIN(take, n - i);
        SKEP_TRY(skep_segment__parent_codes(seg, &parents->chunk, first + i, take, codes, err));
        if (!back_of(codes, take, back + i))
            return skep_segment__corrupt(seg, err, 0, "a parent reference points nowhere");
        i += take;
    }
    return SKEP_OK;
}

skep_rc skep_segment__shape(struct skep_rowset *rs, uint64_t row0, uint32_t n, bool want_back,
                            struct skep_trace_shape *ret, skep_err *err)
{
    struct skep_segment *seg = skep_segment__of(rs);
    uint32_t group = (uint32_t)(row0 / SKEP_ROW_GROUP_ROWS);
    uint32_t first = (uint32_t)(row0 % SKEP_ROW_GROUP_ROWS);
    skep_assert(n > 0 && group < seg->n_groups);
    skep_assert((uint64_t)first + n <= skep_segment__group_rows(seg, group));
    const struct skep_group_dir *dir;
    struct pinned ids = {0}, parents = {0};
    SKEP_TRY(skep_segment__pin_dir(seg, group, &dir, err));
    skep_rc rc = pin(seg, dir, group, SKEP_COL_TRACE_ID, SKEP_CODEC_TRACE_RUNS, &ids, err);
    if (rc == SKEP_OK && !ids.data)
        rc = skep_segment__corrupt(seg, err, 0, "a row group without trace ids");
    if (rc == SKEP_OK)
        rc = skep_segment__read_runs(seg, &ids.chunk, first, n, ret, err);
    if (rc == SKEP_OK && want_back)
        rc = pin(seg, dir, group, SKEP_COL_PARENT_ID, SKEP_CODEC_PARENT_REFS, &parents, err);
    if (rc == SKEP_OK && parents.data)
        rc = unpack_back(seg, &parents, first, n, ret->back, err);
    for (uint32_t i = 0; want_back && !parents.data && i < n; i++)
        ret->back[i] = SKEP_BACK_NONE;
    skep_segment__unpin(seg, parents.data);
    skep_segment__unpin(seg, ids.data);
    skep_segment__unpin(seg, dir);
    return rc;
}

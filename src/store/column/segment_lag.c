// SPDX-License-Identifier: Apache-2.0
/* Numbers as steps from the last one with the same base value: the place of a span in its commit is
 * a little behind that of the last span of its process.
 *
 *   0  u32  key of the base (segment_base.h)
 *   4  u32  m, x of the base is below
 *   8  u8   codec of the steps: for or classes
 *   9  steps of all rows: value minus that of the last row with the same x in the block of 1,024,
 *      or, where there is none, minus the value of the row before (the block's first: minus 0)
 *
 * I1  every row has a value; each block stands alone.
 * Threads: one. */
#include "store/column/segment_lag.h"

#include "base/assert.h"
#include "base/mem.h"

enum { HEADER_BYTES = 9 };

SKEP_WRAPS static void make_steps(const struct skep_wbase *base, const int64_t *v, uint32_t n,
                                  int64_t *last, uint32_t *block_of, int64_t *steps)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t x = base->x[i], block = i / SKEP_BLOCK_ROWS + 1;
        int64_t before = i % SKEP_BLOCK_ROWS ? v[i - 1] : 0;
        if (block_of[x] == block)
            before = last[x];
        steps[i] = (int64_t)((uint64_t)v[i] - (uint64_t)before);
        last[x] = v[i];
        block_of[x] = block;
    }
}

bool skep_lag_put(struct skep_segment_writer *w, const struct skep_wbase *base, const int64_t *v,
                  size_t most)
{
    skep_assert(w->col.n == w->n_rows);
    int64_t *steps = skep_malloc((size_t)w->n_rows * 8), *last = skep_alloc_n(int64_t, base->m);
    uint32_t *block_of = skep_alloc_n(uint32_t, base->m);
    make_steps(base, v, w->n_rows, last, block_of, steps);
    struct skep_codec_in in = {.n = w->n_rows, .ints = steps};
    size_t classes = skep_codec_classes.score(&in), plain = skep_codec_for.score(&in);
    const struct skep_codec_ops *codec = classes < plain ? &skep_codec_classes : &skep_codec_for;
    bool pays = SKEP_MIN(classes, plain) + HEADER_BYTES < most;
    skep_buf_reset(&w->chunk);
    if (pays) {
        skep_buf_u32(&w->chunk, base->key);
        skep_buf_u32(&w->chunk, base->m);
        skep_buf_u8(&w->chunk, codec->id);
        codec->encode(&in, &w->chunk);
    }
    skep_free(block_of);
    skep_free(last);
    skep_free(steps);
    return pays;
}

skep_rc skep_lag_open(struct skep_segment *seg, uint32_t group, const struct skep_group_dir *dir,
                      const struct skep_codec_chunk *c, struct skep_lag **ret, skep_err *err)
{
    *ret = NULL;
    uint32_t m = c->n >= HEADER_BYTES ? skep_load_le32(c->p + 4) : 0;
    const struct skep_codec_ops *codec = m ? skep_codec_find(c->p[8]) : NULL;
    if (m == 0 || m > SKEP_CODEC_MAX_VALUES || c->n_values != dir->n_rows ||
        (codec != &skep_codec_for && codec != &skep_codec_classes))
        return skep_segment__corrupt(seg, err, seg->groups[group].offset, "a column of steps");
    struct skep_lag *lag = skep_alloc(struct skep_lag);
    skep_rc rc = skep_base_open(seg, group, dir, skep_load_le32(c->p), m, true, &lag->base, err);
    if (rc != SKEP_OK) {
        skep_free(lag);
        return rc;
    }
    lag->codec = codec;
    lag->steps = (struct skep_codec_chunk){c->p + HEADER_BYTES, c->n - HEADER_BYTES, c->n_values};
    lag->last = skep_alloc_n(int64_t, m);
    lag->known = skep_alloc_n(uint8_t, m);
    *ret = lag;
    return SKEP_OK;
}

void skep_lag_close(struct skep_segment *seg, struct skep_lag *lag)
{
    if (!lag)
        return;
    skep_base_close(seg, &lag->base);
    skep_free(lag->last);
    skep_free(lag->known);
    skep_free(lag);
}

SKEP_WRAPS skep_rc skep_lag_read(struct skep_lag *lag, uint32_t first, uint32_t n, int64_t *out)
{
    uint32_t skip = first % SKEP_BLOCK_ROWS, start = first - skip;
    skep_assert(n > 0 && skip + n <= SKEP_BLOCK_ROWS);
    SKEP_TRY(skep_base_read(&lag->base, start, skip + n, lag->x));
    SKEP_TRY(lag->codec->decode(&lag->steps, start, skip + n, lag->step));
    memset(lag->known, 0, lag->base.m);
    uint64_t at = 0;
    for (uint32_t i = 0; i < skip + n; i++) {
        uint32_t x = (uint32_t)lag->x[i];
        uint64_t before = lag->known[x] ? (uint64_t)lag->last[x] : at;
        at = before + (uint64_t)lag->step[i];
        lag->last[x] = (int64_t)at;
        lag->known[x] = 1;
        if (i >= skip)
            out[i - skip] = (int64_t)at;
    }
    return SKEP_OK;
}

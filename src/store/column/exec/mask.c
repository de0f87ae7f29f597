// SPDX-License-Identifier: Apache-2.0
/* Which rows a predicate selects, as bits: what a delete kills.
 *
 * I1  a morsel lies inside one row group, so inside one chunk of the mask; morsels of one group
 *     write to different words of it.
 *
 * Threads: chunks are made under q->mu; a chunk's words belong to the morsel of their rows. */
#include "base/assert.h"
#include "store/column/exec/exec_priv.h"
#include "store/column/live.h"

static skep_rc chunk_of(struct skep_x_ctx *c, uint64_t group, uint64_t **ret, skep_err *err)
{
    struct skep_x_query *q = c->q;
    struct skep_mask *mask = (struct skep_mask *)q->shared + c->set;
    skep_rc rc = SKEP_OK;
    skep_mutex_lock(&q->mu);
    if (!mask->chunks || !mask->chunks[group]) {
        if (skep_x__take(q, SKEP_LIVE_WORDS * 8) != SKEP_OK)
            rc = skep_fail(err, SKEP_ENOMEM,
                           "no memory for so many rows: narrow the range or the filter");
    }
    if (rc == SKEP_OK)
        *ret = skep_mask_chunk(mask, group);
    skep_mutex_unlock(&q->mu);
    return rc;
}

static skep_rc mask_morsel(struct skep_x_ctx *c, const struct skep_x_morsel *m, skep_err *err)
{
    uint64_t group = m->block / SKEP_X_MORSEL_BLOCKS;
    skep_assert((m->end - 1) / SKEP_X_MORSEL_BLOCKS == group); /* I1 */
    uint64_t *words = NULL;
    for (uint64_t b = m->block; b < m->end; b++) {
        struct skep_x_bits bits;
        skep_x__block(c, b);
        c->rows_examined += c->n;
        SKEP_TRY(skep_x__select(c, &bits, err));
        if (!skep_x__any(&bits))
            continue;
        if (!words)
            SKEP_TRY(chunk_of(c, group, &words, err));
        memcpy(words + b % SKEP_X_MORSEL_BLOCKS * SKEP_X_WORDS, bits.w, sizeof bits.w);
    }
    return SKEP_OK;
}

skep_rc skep_x__plan_mask(struct skep_x_query *q, skep_err *err)
{
    struct skep_mask *masks = q->shared;
    SKEP_TRY(skep_x__plan_morsels(q, err));
    SKEP_TRY(skep_x__run(q, mask_morsel, err));
    for (unsigned i = 0; i < q->snap->n; i++)
        skep_mask_recount(&masks[i]);
    return SKEP_OK;
}

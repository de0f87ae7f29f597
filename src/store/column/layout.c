// SPDX-License-Identifier: Apache-2.0
/* Dividing the rows of a part among the layouts, by their kind.
 *
 * A frame holds both; a flush takes it twice, each time with the rows of the other layout left out
 * like dead ones.
 *
 * Threads: any. */
#include "store/column/layout.h"

#include "base/assert.h"

static skep_rc mark_block(struct skep_colreader *kinds, uint64_t row0, unsigned n,
                          enum skep_layout layout, struct skep_mask *others, skep_err *err)
{
    struct skep_vec v;
    SKEP_TRY(kinds->ops->read(kinds, row0, n, &v, err));
    for (unsigned i = 0; i < n; i++)
        if (skep_layout_of(v.none ? 0 : v.i64[v.constant ? 0 : i]) != layout)
            skep_mask_add(others, row0 + i);
    return SKEP_OK;
}

skep_rc skep_layout_rows(const struct skep_snapshot_set *set, enum skep_layout layout,
                         struct skep_live **ret, skep_err *err)
{
    struct skep_rowset *rs = set->rowset;
    struct skep_colreader *kinds = NULL;
    struct skep_mask others;
    uint64_t left_out;
    SKEP_TRY(rs->ops->open_column(rs, SKEP_COL_KIND, &kinds, err));
    skep_mask_init(&others, rs);
    skep_rc rc = SKEP_OK;
    for (uint64_t b = 0; b < skep_rowset_blocks(rs) && rc == SKEP_OK; b++) {
        unsigned n = skep_rowset_block_rows(rs, b);
        if (n > 0)
            rc = mark_block(kinds, b * SKEP_BLOCK_ROWS, n, layout, &others, err);
    }
    if (rc == SKEP_OK)
        *ret = skep_live_kill(set->live, &others, SKEP_DEATH_DELETED, &left_out);
    kinds->ops->close(kinds);
    skep_mask_done(&others);
    return rc;
}

// SPDX-License-Identifier: Apache-2.0
/* Rows of a pipeline that are not the store's (struct skep_pipe_source): into batches, through the
 * stages, row by row.
 *
 * Threads: the caller's.  Memory: the scratch, of one batch. */
#include "base/assert.h"
#include "query/pipe_priv.h"

static void fill(const struct skep_pipe *p, const skep_value *values, struct skep_pipe__batch *b)
{
    for (unsigned s = 0; s < p->n_slots; s++)
        memset(b->columns[s], 0, b->n * sizeof b->columns[s][0]);
    for (unsigned i = 0; i < b->n; i++)
        for (unsigned f = 0; f < p->n_fields; f++)
            b->columns[p->fields[f].slot][i] = values[(size_t)i * p->n_fields + f];
}

skep_rc skep_pipe__read_source(struct skep_pipe__run *r, struct skep_pipe_result *ret)
{
    const struct skep_pipe_source *source = r->p->source;
    struct skep_pipe__batch b;
    unsigned n;
    do {
        const skep_value *values = NULL;
        n = 0;
        skep_pipe__next_batch(r);
        SKEP_TRY(source->next(source->ctx, r->p, &r->scratch, &values, &n, r->err));
        SKEP_TRY(skep_pipe__batch_new(r, &r->scratch, &b));
        skep_assert(n <= SKEP_CALC_ROWS);
        b.n = n;
        ret->rows_scanned += n;
        r->matched += n;
        fill(r->p, values, &b);
        SKEP_TRY(skep_pipe__push(r, r->n_nodes ? &r->nodes[0] : NULL, &b));
    } while (n > 0 && !r->full);
    return r->calc.too_slow ? skep_fail(r->err, SKEP_ELIMIT, "a regular expression takes too long")
                            : SKEP_OK;
}

// SPDX-License-Identifier: Apache-2.0
/* LASTS: how long is the row's trace, from the first start of its spans to their last end?
 *
 * One walk over times and durations of the window, beside its runs.
 *
 * I1  a span without a duration ends where it starts; an end beyond the last instant is that.
 *
 * Threads: a context belongs to one.  Memory: none of its own. */
#include "store/column/exec/relate.h"

void skep_x__lasting_add(struct skep_x_lasting *l, int64_t start_ns, int64_t duration_ns)
{
    int64_t end_ns = start_ns;
    if (duration_ns > 0 && SKEP_ADD_OVERFLOW(start_ns, duration_ns, &end_ns))
        end_ns = INT64_MAX;
    l->start_ns = l->any ? SKEP_MIN(l->start_ns, start_ns) : start_ns;
    l->end_ns = l->any ? SKEP_MAX(l->end_ns, end_ns) : end_ns;
    l->any = true;
}

bool skep_x__lasts(const struct skep_x_query *q, uint32_t rel, const struct skep_x_lasting *l)
{
    const struct skep_x_test *x = &q->tests[q->rels[rel].lasts_test];
    uint64_t ns = (uint64_t)l->end_ns - (uint64_t)l->start_ns;
    int64_t v = ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
    for (unsigned i = 0; l->any && i < x->n_ns; i++)
        if (v >= x->ns[i].lo && v <= x->ns[i].hi)
            return true;
    return false;
}

/* The run's rows, all or none of them. */
static void answer_run(struct skep_x_ctx *c, uint32_t rel, const struct skep_relate_run *run,
                       const struct skep_x_lasting *l)
{
    if (!skep_x__lasts(c->q, rel, l))
        return;
    for (uint32_t i = run->first; i < run->end; i++)
        skep_relate_add(c->window->bits[rel], i);
}

skep_rc skep_x__lasts_window(struct skep_x_ctx *c, uint32_t rel, skep_err *err)
{
    const struct skep_x_window *w = c->window;
    const struct skep_relate_graph *g = &w->graph;
    struct skep_x_lasting l = {.any = false};
    uint32_t k = 0;
    for (uint64_t b = w->block; b < w->end; b++) {
        const int64_t *time = NULL, *duration = NULL;
        uint32_t row = (uint32_t)(b - w->block) * SKEP_BLOCK_ROWS;
        uint32_t end = row + skep_rowset_block_rows(c->rs, b);
        if (row == end)
            continue;
        skep_x__block(c, b);
        SKEP_TRY(skep_x__ints(c, SKEP_COL_TIME, c->ints[0], &time, err));
        SKEP_TRY(skep_x__ints(c, SKEP_COL_DURATION, c->ints[1], &duration, err));
        while (k < g->n_runs && g->runs[k].first < end) {
            const struct skep_relate_run *run = &g->runs[k];
            uint32_t stop = SKEP_MIN(run->end, end);
            for (uint32_t i = SKEP_MAX(run->first, row); i < stop; i++)
                if (skep_relate_has(w->spans, i))
                    skep_x__lasting_add(&l, time[i - row], duration[i - row]);
            if (run->end > end) /* it goes on in the next block */
                break;
            answer_run(c, rel, run, &l);
            l.any = false;
            k++;
        }
    }
    return SKEP_OK;
}

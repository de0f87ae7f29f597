// SPDX-License-Identifier: Apache-2.0
/* Where the row groups of a segment being written begin and end.
 *
 *   rows of the order   |-------------|          |--------|      encoded: job->group_rows at most
 *   a source's group                  |==========|               taken over as it is
 *
 * I1  row groups are at least half of job->group_rows on the average, however sources interleave;
 *     the first is not counted.
 * I2  a row group that finds no memory is begun anew with half of its rows, and those after it have
 *     as few; what was planned (segment_plan.c) was an estimate.  The file goes on from where the
 *     row group began.
 *
 * Threads: one. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/cache.h"
#include "store/column/segment_write.h"

enum { LEAST_ROWS = 1024 };

/* May `pending` rows become a row group of their own, however few?  The first may, and others while
 * the average stays at half of the most; so small ones do not pile up. */
static bool may_be_short(const struct skep_segment_writer *w, uint32_t pending, uint32_t most)
{
    return w->n_groups == 0 || (w->rows_done + pending) / w->n_groups >= most / 2;
}

/* A flush overlaps its neighbours at its ends, whose row groups a merge encodes anew.  So those are
 * short, and what is between is cut evenly, not into full row groups and a rest; where the rest is
 * little the ends take it. */
struct even {
    uint32_t size, border; /* of the row groups between, and at an end; 0 = all are full */
};
enum { BORDER_ROWS = 8192, BORDER_MAX = 12288 };

static struct even plan_even(uint64_t rows)
{
    if (rows <= SKEP_ROW_GROUP_ROWS)
        return (struct even){0};
    uint64_t inner = rows - 2 * BORDER_ROWS, n = inner / SKEP_ROW_GROUP_ROWS;
    uint64_t rest = inner - n * SKEP_ROW_GROUP_ROWS;
    if (n > 0 && rest <= 2 * (BORDER_MAX - BORDER_ROWS))
        return (struct even){SKEP_ROW_GROUP_ROWS, (uint32_t)(BORDER_ROWS + rest / 2)};
    return (struct even){(uint32_t)(inner / (n + 1) + 1), BORDER_ROWS};
}

static uint32_t next_even(const struct even *e, uint32_t group, uint32_t most)
{
    if (e->size == 0)
        return most;
    return SKEP_MIN(group == 0 ? e->border : e->size, most);
}

/* How `rows` are cut evenly into the fewest row groups of at most `most`: the size of one. */
static uint32_t even_cut(uint32_t rows, uint32_t most, uint32_t *ret_n)
{
    *ret_n = (rows + most - 1) / most;
    return (rows + *ret_n - 1) / *ret_n;
}

/* --- a row group that finds no memory --- */

/* Where the file, and what the footer is to have, stood before a row group. */
struct mark {
    uint64_t flushed, traces;
    size_t out_n, blocks_n, runs_n, index_n, groups_n, sizes_n, last_run_at, last_run_n;
    uint32_t n_runs, n_groups;
    skep_trace_id last_trace;
};

static struct mark mark(const struct skep_segment_writer *w)
{
    return (struct mark){.flushed = w->flushed,
                         .traces = w->traces,
                         .out_n = w->out.n,
                         .blocks_n = w->blocks.n,
                         .runs_n = w->runs.n,
                         .index_n = w->index_entries.n,
                         .last_run_at = w->last_run_at,
                         .last_run_n = w->last_run_n,
                         .groups_n = w->groups.n,
                         .sizes_n = w->group_sizes.n,
                         .n_runs = w->n_runs,
                         .n_groups = w->n_groups,
                         .last_trace = w->last_trace};
}

/* As if the row group had not been begun.  What its values left in dictionaries stays there. */
static void back_to(struct skep_segment_writer *w, const struct mark *m)
{
    if (w->flushed == m->flushed) {
        w->out.n = m->out_n;
    } else { /* then all that was in `out` at the mark is in the file, too */
        w->undone_end = SKEP_MAX(w->undone_end, w->flushed);
        w->flushed = m->flushed + m->out_n;
        w->out.n = 0;
    }
    w->traces = m->traces;
    w->blocks.n = m->blocks_n;
    w->runs.n = m->runs_n;
    w->index_entries.n = m->index_n;
    w->last_run_at = m->last_run_at;
    w->last_run_n = m->last_run_n;
    w->groups.n = m->groups_n;
    w->group_sizes.n = m->sizes_n;
    w->n_runs = m->n_runs;
    w->n_groups = m->n_groups;
    skep_buf_reset(&w->sparse);
    w->last_trace = m->last_trace;
    skep_segment__close_readers(w);
    skep_arena_done(&w->arena);
    skep_arena_init(&w->arena, "segment write", w->job->budget);
    if (w->job->cache)
        skep_cache_shrink(w->job->cache);
}

/* The rows in w->rows as a row group, or, where memory is short, as several: I2. */
static skep_rc write_pending(struct skep_segment_writer *w, uint32_t pending, uint32_t *most,
                             skep_err *err)
{
    uint32_t done = 0;
    while (done < pending) {
        uint32_t n = SKEP_MIN(pending - done, *most);
        struct mark before = mark(w);
        skep_rc rc = skep_segment__write_group(w, n, err);
        if (rc == SKEP_ENOMEM && n > LEAST_ROWS) {
            back_to(w, &before);
            *most = SKEP_MAX(n / 2, (uint32_t)LEAST_ROWS);
            continue;
        }
        SKEP_TRY(rc);
        done += n;
        memmove(w->rows, w->rows + n, (pending - done) * sizeof *w->rows);
    }
    return SKEP_OK;
}

/* Rows gather in w->rows until they are a row group, or a row group comes that is taken over.  If
 * the rows before that would be too few, its rows are gathered too and all of them cut evenly: in
 * two, or in more where the source's row groups are longer than those written here. */
skep_rc skep_segment__write_groups(struct skep_segment_writer *w, skep_err *err)
{
    uint32_t most = w->group_rows, pending = 0, cuts = 0, cut = 0;
    struct even even = {0};
    if (w->job->group_rows > 0)
        most = SKEP_MIN(most, w->job->group_rows);
    else
        even = plan_even(skep_order_rows(w->order));
    for (;;) {
        uint32_t limit = cuts ? cut : next_even(&even, w->n_groups, most), n;
        struct skep_order_group g;
        skep_assert(pending < limit && limit <= w->group_rows);
        SKEP_TRY(skep_order_next(w->order, w->rows + pending, limit - pending, &n, err));
        pending += n;
        bool stands = skep_order_whole(w->order, &g);
        bool whole = stands && skep_segment__may_copy(w, g.source, g.group);
        if (whole && pending > 0 && pending < limit && !may_be_short(w, pending, most)) {
            uint32_t into, size = even_cut(pending + g.n_rows, most, &into);
            whole = pending >= size; /* then it is long enough */
            cuts = whole || into == 1 ? 0 : into;
            cut = size;
        }
        if (pending > 0 && (whole || pending == limit || (n == 0 && !stands))) {
            SKEP_TRY(write_pending(w, pending, &most, err));
            cuts -= cuts > 0;
            pending = 0;
        }
        if (whole) {
            SKEP_TRY(skep_segment__begin_group(w, err));
            SKEP_TRY(skep_segment__copy_group(w, g.source, g.group, err));
            SKEP_TRY(skep_order_take(w->order, err));
        } else if (n == 0 && !stands && pending == 0) {
            return SKEP_OK;
        }
    }
}

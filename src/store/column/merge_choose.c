// SPDX-License-Identifier: Apache-2.0
/* Which neighbours a merge should join.
 *
 * A merge takes most row groups over as they are, but reads and writes them, at a tenth of what
 * encoding costs.  So the fewer times a row is in one the better, and a large segment is not joined
 * with a few small ones again and again:
 *
 *   under 64 Ki rows    four to eight neighbours: their row groups are short and slow to read;
 *                       eight, or none of which has more than half of the rows
 *   others              24 to 32 neighbours, none of which has more than a 16th of the rows
 *                       three or more that fill a segment (all rows, time or origins that one
 *                       may have), none of which has more than half of the rows
 *
 *   flushes      ||||||||||||||||||||||||          24 of   0.1 million rows
 *   first merge  [          2.5        ][ ] ..     10 of   2.5 million
 *   second       [          25              ..     stays
 *
 * With more segments than are good for questions, the run that costs the fewest rows for each
 * segment less, however short, and however many origins: what finds none left is encoded anew.
 *
 * I1  what a merge makes has at most SKEP_MERGE_ROWS rows and spans at most span_ns.
 * I2  a merge of what others made is not chosen at once again: each row is in about three.
 *
 * Threads: any; nothing but the arguments. */
#include "store/column/merge_choose.h"

#include "base/compiler.h"
#include "store/column/segment.h"

enum {
    SMALL_ROWS = 64 << 10,
    SMALL_MIN = 4,
    SMALL_MAX = 8,
    RUN_MIN = 24,
    FULL_MIN = 3,
    TIERS = 5 /* on a scale of eight from SMALL_ROWS on */
};
#define FULL_ROWS (SKEP_MERGE_ROWS / 4 * 3)

struct run {
    unsigned n;
    uint64_t rows, largest;
    bool full; /* no more may be added */
};

static unsigned tier_of(const struct skep_merge_piece *p)
{
    unsigned t = 0;
    for (uint64_t rows = p->rows / SMALL_ROWS; rows > 0; rows >>= 3)
        t++;
    return t;
}

/* The longest run from `at` of segments of tier <= t that may be one. */
static struct run run_from(const struct skep_merge_piece *p, unsigned n, unsigned at, unsigned t,
                           skep_ts_ns span_ns, uint32_t most_origins)
{
    uint32_t origins = 1; /* its own */
    skep_ts_ns from = INT64_MAX, to = INT64_MIN;
    struct run r = {0};
    unsigned max = t == 0 ? (unsigned)SMALL_MAX : (unsigned)SKEP_MERGE_RUN_MAX;
    for (unsigned k = at; k < n && r.n < max; k++) {
        from = SKEP_MIN(from, p[k].newest_ns);
        to = SKEP_MAX(to, p[k].newest_ns);
        if (p[k].layout != p[at].layout || p[k].dead || tier_of(&p[k]) > t)
            break;
        origins += p[k].origins;
        r.full =
            r.rows + p[k].rows > SKEP_MERGE_ROWS || to - from > span_ns || origins > most_origins;
        if (r.full)
            break;
        r.rows += p[k].rows;
        r.largest = SKEP_MAX(r.largest, p[k].rows);
        r.n++;
    }
    r.full |= r.rows >= FULL_ROWS;
    return r;
}

static bool is_worth_it(const struct run *r, unsigned t)
{
    if (t == 0)
        return r->n >= SMALL_MAX || (r->n >= SMALL_MIN && r->largest <= r->rows / 2);
    return (r->n >= RUN_MIN && r->largest <= r->rows / 16) ||
           (r->n >= FULL_MIN && r->full && r->largest <= r->rows / 2);
}

static bool first_worth_it(const struct skep_merge_piece *p, unsigned n, skep_ts_ns span_ns,
                           struct skep_merge_run *ret)
{
    for (unsigned t = 0; t < TIERS; t++)
        for (unsigned i = 0; i < n; i++) {
            struct run r = run_from(p, n, i, t, span_ns, SKEP_SEGMENT_MAX_ORIGINS);
            *ret = (struct skep_merge_run){i, r.n, r.rows};
            if (is_worth_it(&r, t))
                return true;
        }
    return false;
}

/* The run that costs the fewest rows for each segment that it does away with. */
static bool cheapest(const struct skep_merge_piece *p, unsigned n, skep_ts_ns span_ns,
                     struct skep_merge_run *ret)
{
    uint64_t least = UINT64_MAX;
    for (unsigned t = 0; t < TIERS; t++)
        for (unsigned i = 0; i < n; i++) {
            struct run r = run_from(p, n, i, t, span_ns, UINT32_MAX);
            if (r.n < 2 || r.rows / (r.n - 1) >= least)
                continue;
            least = r.rows / (r.n - 1);
            *ret = (struct skep_merge_run){i, r.n, r.rows};
        }
    return least < UINT64_MAX;
}

/* Segments that others may still be joined with, and that many are too many of. */
static unsigned not_large(const struct skep_merge_piece *p, unsigned n)
{
    unsigned k = 0;
    for (unsigned i = 0; i < n; i++)
        k += p[i].rows <= SKEP_MERGE_ROWS / 2;
    return k;
}

bool skep_merge_choose(const struct skep_merge_piece *p, unsigned n, skep_ts_ns span_ns,
                       unsigned crowded, struct skep_merge_run *ret)
{
    return first_worth_it(p, n, span_ns, ret) ||
           (not_large(p, n) > crowded && cheapest(p, n, span_ns, ret));
}

uint64_t skep_merge_behind(const struct skep_merge_piece *p, unsigned n, skep_ts_ns span_ns)
{
    uint64_t sum = 0;
    for (unsigned i = 0, next; i < n; i = next) {
        next = i + 1;
        for (unsigned t = 0; t < TIERS && next == i + 1; t++) {
            struct run r = run_from(p, n, i, t, span_ns, SKEP_SEGMENT_MAX_ORIGINS);
            if (!is_worth_it(&r, t))
                continue;
            sum += r.rows;
            next = i + r.n;
        }
    }
    return sum;
}

// SPDX-License-Identifier: Apache-2.0
/* AGGREGATE with kept partials: of which row groups one is kept together.
 *
 *   segment   0 ............. 15 | 16 ............ 31 | 32 .... 40     row groups
 *   range          [.....................................
 *   pieces    .....############# | ################## | ########.      # wholly inside the range
 *
 * A segment that lies wholly inside the range is one piece.  Of one that the range cuts, or that
 * holds a row of another time, a piece is the row groups of 16 neighbours, at a fixed place, that
 * lie wholly inside; the others are counted each time.  A range that moves finds all pieces again
 * but those its edges are in, and those, too, until the edge comes to the next row group.
 *
 * Sixteen: each piece's partial may have all of the question's groups, so that many take much
 * memory; and a piece into which an edge moves is counted again, half of it on average.
 *
 * Where rows are asked about relatives, the partial is of the rows whose whole traces stand in the
 * segment.  Others, of cut traces, are looked at every time; which ones there are in the piece is
 * in its key.  Their traces may reach over the piece's edges and out of the range: so the whole
 * segment's version is in the key then, else 0 where all rows of the piece are alive.
 *
 * That the partials of so many pieces are too large to be kept is remembered, too: the next time
 * nothing is put aside for each.
 *
 * I1  what a key says decides the rows behind the partial.
 * I2  morsels of the pieces come before all others: a worker changes from a partial of one piece to
 *     that of all else once.
 *
 * Threads: all on the calling thread but piece_of. */
#include "store/column/exec/keep.h"

#include "base/assert.h"
#include "base/mem.h"

enum { PIECE_BLOCKS = SKEP_X_PIECE_GROUPS * SKEP_X_MORSEL_BLOCKS };

uint32_t skep_x__piece_of(const struct skep_x_query *q, uint32_t set, uint64_t block,
                          enum skep_x_only only)
{
    const struct skep_x_keep *k = q->keep;
    uint32_t at = k->first[set], group = (uint32_t)(block / SKEP_X_MORSEL_BLOCKS);
    if (only == SKEP_X_CUT_ROWS || at == k->first[set + 1])
        return k->n;
    if (k->pieces[at].whole)
        return at;
    at += group / SKEP_X_PIECE_GROUPS;
    skep_assert(at < k->first[set + 1]);
    return k->pieces[at].groups >> group % SKEP_X_PIECE_GROUPS & 1 ? at : k->n;
}

/* Does a row group lie wholly inside the range? */
static bool inside(const struct skep_rowset *rs, uint64_t group, const struct skep_time_range *t)
{
    uint64_t b = group * SKEP_X_MORSEL_BLOCKS;
    uint64_t end = SKEP_MIN(b + SKEP_X_MORSEL_BLOCKS, skep_rowset_blocks(rs));
    for (; b < end && skep_rowset_block_rows(rs, b) > 0; b++)
        if (rs->blocks[b].min_start_ns < t->start_ns || rs->blocks[b].max_start_ns >= t->end_ns)
            return false;
    return true;
}

static bool all_inside(const struct skep_rowset *rs, const struct skep_time_range *t)
{
    return rs->bounds.min_start_ns >= t->start_ns && rs->bounds.max_start_ns < t->end_ns;
}

/* The segment's pieces; none where nothing is kept of it. */
static uint32_t n_pieces(const struct skep_x_query *q, const struct skep_rowset *rs)
{
    if (rs->serial == 0 || rs->n_rows == 0 || (q->n_rels > 0 && !rs->trace_clustered))
        return 0;
    if (all_inside(rs, &q->plan->range))
        return 1;
    return (uint32_t)((skep_rowset_blocks(rs) + PIECE_BLOCKS - 1) / PIECE_BLOCKS);
}

static void fill(struct skep_x_piece *p, const struct skep_rowset *rs,
                 const struct skep_time_range *t)
{
    if (all_inside(rs, t)) {
        p->whole = true;
        p->groups = 1;
        return;
    }
    for (uint64_t g = 0; g < SKEP_X_PIECE_GROUPS; g++) {
        uint64_t group = (uint64_t)p->at * SKEP_X_PIECE_GROUPS + g;
        if (group * SKEP_ROW_GROUP_ROWS < rs->row_end && inside(rs, group, t))
            p->groups |= 1u << g;
    }
}

static void lay_out(struct skep_x_query *q, bool any)
{
    struct skep_x_keep *k = q->keep;
    k->first = skep_alloc_n(uint32_t, q->snap->n + 1);
    for (uint32_t s = 0; s < q->snap->n; s++)
        k->first[s + 1] = k->first[s] + (any ? n_pieces(q, q->snap->sets[s].rowset) : 0);
    k->n = k->first[q->snap->n];
    k->pieces = skep_alloc_n(struct skep_x_piece, k->n + 1);
    for (uint32_t s = 0; s < q->snap->n; s++)
        for (uint32_t i = k->first[s]; i < k->first[s + 1]; i++) {
            k->pieces[i] = (struct skep_x_piece){.set = s, .at = i - k->first[s]};
            fill(&k->pieces[i], q->snap->sets[s].rowset, &q->plan->range);
        }
}

static bool holds(const struct skep_x_piece *p, uint64_t group)
{
    return p->whole ||
           (group / SKEP_X_PIECE_GROUPS == p->at && (p->groups >> group % SKEP_X_PIECE_GROUPS & 1));
}

/* A number for the piece's rows of cut traces; 0: there are none. */
static uint64_t cut_hash(const struct skep_x_query *q, const struct skep_x_piece *p)
{
    const uint32_t *rows = NULL;
    uint32_t n = 0;
    uint64_t hash = 0;
    skep_x__cut_rows(q, p->set, &rows, &n);
    for (uint32_t i = 0; i < n; i++) {
        if (holds(p, rows[i] / SKEP_ROW_GROUP_ROWS))
            hash = skep_hash_seed((skep_bytes){(const uint8_t *)&rows[i], sizeof rows[i]}, hash);
    }
    return hash;
}

/* The version of its live rows; 0: all are alive. */
static uint64_t version_of(const struct skep_x_query *q, const struct skep_x_piece *p)
{
    const struct skep_live *live = q->snap->sets[p->set].live;
    if (!live || q->n_rels > 0)
        return live ? live->version : 0;
    uint64_t g = p->whole ? 0 : (uint64_t)p->at * SKEP_X_PIECE_GROUPS;
    uint64_t end = p->whole ? live->n_groups : SKEP_MIN(g + SKEP_X_PIECE_GROUPS, live->n_groups);
    for (; g < end; g++)
        if (live->chunks[g] && holds(p, g))
            return live->version;
    return 0;
}

struct skep_partials_key skep_x__piece_key(const struct skep_x_query *q,
                                           const struct skep_x_piece *p)
{
    struct skep_buf *question = &q->keep->question;
    question->n = q->keep->question_bytes;
    skep_buf_u32(question, p->at);
    skep_buf_u32(question, p->whole ? UINT32_MAX : p->groups);
    skep_buf_u64(question, cut_hash(q, p));
    return (struct skep_partials_key){q->snap->sets[p->set].rowset->serial, version_of(q, p),
                                      skep_buf_bytes(question)};
}

struct skep_partials_key skep_x__nothing_key(const struct skep_x_query *q)
{
    q->keep->question.n = q->keep->question_bytes;
    return (struct skep_partials_key){0, q->keep->n_able, skep_buf_bytes(&q->keep->question)};
}

static bool known_too_large(struct skep_x_query *q)
{
    struct skep_partials_key key = skep_x__nothing_key(q);
    const struct skep_partials_entry *e = skep_partials_get(q->partials, &key);
    if (e)
        skep_partials_let_go(q->partials, e);
    return e != NULL;
}

/* All rows are those of no piece: no set has any.  What is listed stays, empty, and so does k->n,
 * behind which the rest stands. */
static void no_pieces(const struct skep_x_query *q)
{
    struct skep_x_keep *k = q->keep;
    for (uint32_t i = 0; i < k->n; i++) {
        k->pieces[i].groups = 0;
        k->pieces[i].whole = false;
    }
    memset(k->first, 0, (q->snap->n + 1) * sizeof *k->first);
}

static void look(struct skep_x_query *q)
{
    struct skep_x_keep *k = q->keep;
    for (uint32_t i = 0; i < k->n; i++) {
        const struct skep_x_piece *p = &k->pieces[i];
        k->n_able += p->groups != 0;
        k->rows_able += p->whole ? q->snap->sets[p->set].rowset->n_rows
                                 : (uint64_t)SKEP_POPCOUNT64(p->groups) * SKEP_ROW_GROUP_ROWS;
    }
    if (k->n_able > 1 && known_too_large(q))
        no_pieces(q);
    for (uint32_t i = 0; i < k->n; i++) {
        struct skep_x_piece *p = &k->pieces[i];
        if (p->groups == 0)
            continue;
        struct skep_partials_key key = skep_x__piece_key(q, p);
        p->able = true;
        p->hit = skep_partials_get(q->partials, &key);
    }
}

/* Can anything be kept of the question? */
static bool may_keep(struct skep_x_query *q)
{
    skep_ts_ns bucket0 = 0;
    (void)skep_agg_buckets(q->plan, &bucket0); /* only the start is of interest */
    if (!q->partials || q->need_overlap || bucket0 == INT64_MIN ||
        !skep_partials_question(q->plan, &q->keep->question))
        return false;
    q->keep->question_bytes = q->keep->question.n;
    return true;
}

void skep_x__keep_begin(struct skep_x_query *q)
{
    q->keep = skep_alloc(struct skep_x_keep);
    skep_mutex_init(&q->keep->mu, "kept partials");
    skep_buf_init(&q->keep->question, SKEP_PARTIALS_QUESTION_MAX + 64);
    lay_out(q, may_keep(q));
    if (q->n_rels == 0)
        look(q);
}

bool skep_x__kept(const struct skep_x_query *q, uint32_t set, uint64_t block)
{
    return q->keep && q->n_rels == 0 &&
           q->keep->pieces[skep_x__piece_of(q, set, block, SKEP_X_ALL_ROWS)].hit;
}

/* I2 */
static void put_in_order(struct skep_x_query *q)
{
    size_t n = 0, n_rest = 0;
    struct skep_x_morsel *rest = skep_alloc_n(struct skep_x_morsel, q->n_morsels + 1);
    for (size_t i = 0; i < q->n_morsels; i++) {
        const struct skep_x_morsel *m = &q->morsels[i];
        if (skep_x__piece_of(q, m->set, m->block, m->only) == q->keep->n)
            rest[n_rest++] = *m;
        else
            q->morsels[n++] = *m;
    }
    if (n_rest > 0)
        memcpy(q->morsels + n, rest, n_rest * sizeof *rest);
    skep_free(rest);
}

/* Morsels of the blocks where rows of cut traces stand, in row groups that belong to pieces. */
static skep_rc cut_morsels(struct skep_x_query *q, uint32_t set, skep_err *err)
{
    const uint32_t *rows = NULL;
    uint32_t n = 0, none = q->keep->n;
    skep_x__cut_rows(q, set, &rows, &n);
    for (uint32_t i = 0; i < n;) {
        uint64_t first = rows[i] / SKEP_BLOCK_ROWS, end = first + 1;
        if (skep_x__piece_of(q, set, first, SKEP_X_ALL_ROWS) == none) {
            i++;
            continue;
        }
        for (; i < n && rows[i] / SKEP_BLOCK_ROWS <= end &&
               skep_x__piece_of(q, set, rows[i] / SKEP_BLOCK_ROWS, SKEP_X_ALL_ROWS) != none;
             i++)
            end = rows[i] / SKEP_BLOCK_ROWS + 1;
        size_t before = q->n_morsels;
        SKEP_TRY(skep_x__cut(q, set, first, end, true, err));
        for (size_t m = before; m < q->n_morsels; m++)
            q->morsels[m].only = SKEP_X_CUT_ROWS;
    }
    return SKEP_OK;
}

/* Morsels of pieces whose partial is kept go, the others' are about the rest of their rows. */
static skep_rc related(struct skep_x_query *q, skep_err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < q->n_morsels; i++) {
        struct skep_x_morsel *m = &q->morsels[i];
        const struct skep_x_piece *p =
            &q->keep->pieces[skep_x__piece_of(q, m->set, m->block, SKEP_X_ALL_ROWS)];
        if (p->hit) {
            q->rows_total -= skep_x__morsel_rows(q, m);
            continue;
        }
        if (p->able)
            m->only = SKEP_X_UNCUT_ROWS;
        q->morsels[n++] = *m;
    }
    q->n_morsels = n;
    for (uint32_t set = 0; set < q->snap->n; set++)
        SKEP_TRY(cut_morsels(q, set, err));
    return SKEP_OK;
}

skep_rc skep_x__keep_planned(struct skep_x_query *q, skep_err *err)
{
    if (q->n_rels > 0 && q->damaged) /* which rows are of cut traces is not known */
        no_pieces(q);
    if (q->n_rels > 0) {
        look(q);
        SKEP_TRY(related(q, err));
    }
    put_in_order(q);
    return SKEP_OK;
}

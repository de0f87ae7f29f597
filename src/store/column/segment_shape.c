// SPDX-License-Identifier: Apache-2.0
/* Traces of a row group as shapes: where each ends, and how many rows back each row's parent
 * stands.
 *
 * Both are stored that way (segment_ids.c), so nothing is looked up and no id is written out: run
 * lengths and parent references are unpacked, ids are compared with zero once a run.
 *
 * skep_segment__check_parents compares the references with what the ids say: of several rows of the
 * trace with the parent's id the first is named.
 *
 * I1  every number taken from the file is checked against the rows asked for.
 * Threads: any. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/exec/relate_graph.h"
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

/* A row group's ids and its graph, made both ways. */
struct twice {
    struct skep_trace_shape shape;
    struct skep_relate_graph graph; /* parents by reference */
    struct skep_relate_scratch scratch;
    int64_t *span_ids, *parent_ids;
    uint64_t *spans;
    uint32_t *by_ids;
};

static skep_rc read_ids(struct skep_segment *seg, enum skep_column col, uint64_t row0, uint32_t n,
                        int64_t *ids, skep_err *err)
{
    struct skep_colreader *r = NULL;
    skep_rc rc = skep_segment__open_column(&seg->base, col, &r, err);
    for (uint32_t at = 0; at < n && rc == SKEP_OK; at += SKEP_BLOCK_ROWS) {
        struct skep_vec v;
        uint32_t take = SKEP_MIN((uint32_t)SKEP_BLOCK_ROWS, n - at);
        rc = r->ops->read(r, row0 + at, take, &v, err);
        for (uint32_t i = 0; i < take && rc == SKEP_OK; i++)
            ids[at + i] = v.none ? 0 : v.i64[v.constant ? 0 : i];
    }
    if (r)
        r->ops->close(r);
    return rc;
}

static bool parents_agree(struct twice *t)
{
    struct skep_relate_graph *g = &t->graph;
    uint32_t *by_back = g->parent;
    for (uint32_t k = 0, first = 0; k < t->shape.n_runs; first = t->shape.runs[k++].end)
        if (t->shape.runs[k].named)
            g->runs[g->n_runs++] =
                (struct skep_relate_run){.first = first, .end = t->shape.runs[k].end};
    skep_relate_scratch_init(&t->scratch, skep_relate_longest(g));
    bool agree = true;
    for (uint32_t k = 0; k < g->n_runs && agree; k++) {
        const struct skep_relate_run *run = &g->runs[k];
        g->parent = by_back;
        agree = skep_relate_parents_back(g, run, t->spans, t->shape.back);
        g->parent = t->by_ids;
        skep_relate_parents_run(g, run, t->spans, t->span_ids, t->parent_ids, &t->scratch);
        agree = agree && memcmp(by_back + run->first, t->by_ids + run->first,
                                (run->end - run->first) * sizeof *by_back) == 0;
    }
    g->parent = by_back;
    return agree;
}

skep_rc skep_segment__check_parents(struct skep_segment *seg, uint32_t group, skep_err *err)
{
    uint32_t n = skep_segment__group_rows(seg, group);
    uint64_t row0 = (uint64_t)group * SKEP_ROW_GROUP_ROWS;
    struct twice t = {
        .shape = {.runs = skep_alloc_n(struct skep_trace_run, n), .back = skep_alloc_n(int32_t, n)},
        .graph = {.n = n,
                  .runs = skep_alloc_n(struct skep_relate_run, n),
                  .parent = skep_alloc_n(uint32_t, n)},
        .span_ids = skep_alloc_n(int64_t, n),
        .parent_ids = skep_alloc_n(int64_t, n),
        .spans = skep_alloc_n(uint64_t, skep_relate_words(n)),
        .by_ids = skep_alloc_n(uint32_t, n)};
    skep_rc rc = skep_segment__shape(&seg->base, row0, n, true, &t.shape, err);
    if (rc == SKEP_OK)
        rc = read_ids(seg, SKEP_COL_SPAN_ID, row0, n, t.span_ids, err);
    if (rc == SKEP_OK)
        rc = read_ids(seg, SKEP_COL_PARENT_ID, row0, n, t.parent_ids, err);
    for (uint32_t i = 0; i < n && rc == SKEP_OK; i++)
        if (t.span_ids[i] != 0)
            skep_relate_add(t.spans, i);
    if (rc == SKEP_OK && !parents_agree(&t))
        rc = skep_segment__corrupt(seg, err, 0, "a parent reference is not to the first such row");
    skep_relate_scratch_done(&t.scratch);
    skep_free(t.shape.runs);
    skep_free(t.shape.back);
    skep_free(t.graph.runs);
    skep_free(t.graph.parent);
    skep_free(t.span_ids);
    skep_free(t.parent_ids);
    skep_free(t.spans);
    skep_free(t.by_ids);
    return rc;
}

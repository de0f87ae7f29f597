// SPDX-License-Identifier: Apache-2.0
/* A slow, obvious twin of the query engine: row by row over the batches that went in.  It shares no
 * code with src/plan, src/agg, src/store/column/exec or src/query. */
#pragma once

#include "query/query.h"
#include "store/column/rowset.h"

struct ref_data {
    struct skep_batch **batches; /* batch i was commit i + 1 */
    unsigned n;
    bool **dead;               /* [batch][row]; NULL = none */
    struct ref_traces *traces; /* for plans with relations */
};
static inline bool ref_alive(const struct ref_data *d, unsigned batch, uint32_t row)
{
    return !d->dead || !d->dead[batch][row];
}

/* The value of a canonical name in a row, by the precedence of view.h.  Text made for ids stands in
 * buf[64]. */
skep_value ref_value(const struct skep_batch *b, uint64_t seq, uint32_t row, skep_str name,
                     char *buf);
bool ref_passes(const struct ref_data *d, unsigned batch, uint32_t row, const struct skep_expr *e);
/* The value of a field, the row's own or a relative's, and where it stands. */
skep_value ref_field(const struct ref_data *d, unsigned *batch, uint32_t *row,
                     const struct skep_field_ref *f, char *buf);
/* The first relative of that kind that passes; false when there is none.  reftrace.c. */
bool ref_relative(const struct ref_data *d, unsigned batch, uint32_t row, enum skep_relation how,
                  const struct skep_expr *kid, unsigned *ret_batch, uint32_t *ret_row);
/* The row's trace from the first start of its spans to their last end, in ns; -1 = there is none.
 */
int64_t ref_lasts(const struct ref_data *d, unsigned batch, uint32_t row);
void ref_traces_make(struct ref_data *d);
/* Before another plan's expressions are looked at. */
void ref_traces_forget(const struct ref_data *d);
void ref_traces_done(struct ref_data *d);
/* -1, 0, 1; exact. */
int ref_number_cmp(const skep_value *a, const skep_value *b);

/* One number an aggregate saw. */
struct ref_num {
    skep_value v; /* INT or DOUBLE; ns >= 0: a duration read as milliseconds */
    int64_t ns;   /* -1 = not a duration */
    uint64_t weight;
};

/* Check an answer against the data: every group, value, bucket.  Fails the running test with
 * `what`. */
void ref_check(const struct ref_data *d, const struct skep_plan *plan, const struct skep_result *r,
               const char *what);

/* Batches of random rows made for queries: few names, mixed types under one name, names that stand
 * in several scopes, odd numbers. */
struct rnd;
struct skep_batch *ref_batch(struct rnd *r, uint32_t n_rows);
/* A random plan over them, in the arena. */
const struct skep_plan *ref_plan(struct rnd *r, struct skep_arena *a);
enum { REF_SPAN_S = 600 };
#define REF_T0 INT64_C(1700000000000000000)

/* A store over a snapshot, for skep_query_aggregate and skep_query_run. */
struct ref_store {
    struct skep_store base;
    struct skep_snapshot *snap;
    struct skep_pool *pool;
    struct skep_partials *partials; /* NULL = none are kept */
};
void ref_store_init(struct ref_store *s, struct skep_snapshot *snap, struct skep_pool *pool);
struct skep_rowset *ref_part(const struct skep_batch *b, uint64_t seq);
/* The sources as one segment, whose file is gone from dir already. */
struct skep_rowset *ref_segment(const char *dir, struct skep_cache *cache,
                                const struct skep_segment_source *sources, unsigned n,
                                enum skep_layout layout, uint32_t group_rows);
/* Takes over one reference of each rowset; live[i] may be NULL, as may live. */
struct skep_snapshot *ref_snapshot(struct skep_rowset **sets, struct skep_live **live, unsigned n);

/* The same rows laid out in several ways: folded and looked at by one thread, as parts, in several
 * folds, in segments, half and half, in segments of both layouts with dead rows,
 * in one such segment, where every trace is whole. */
enum { REF_BATCHES = 5, REF_STORES = 8 };
struct ref_world {
    struct skep_batch *batches[REF_BATCHES];
    bool *dead[REF_BATCHES];
    struct ref_data data;
    struct ref_store stores[REF_STORES];
    struct skep_cache *cache;
    uint32_t group_rows; /* of the segments, about */
    char dir[64];
};
void ref_world_make(struct ref_world *w, struct rnd *r, uint32_t max_rows, struct skep_pool *pool);
void ref_world_done(struct ref_world *w);

/* The whole answer as text, to compare answers bit by bit.  Caller frees with skep_free. */
char *ref_dump(const struct skep_result *r);

// SPDX-License-Identifier: Apache-2.0
/* Aggregate states, partial results and how they are merged and finished.
 *
 *   partial = interned group keys  (one skep_keys a group column)
 *           + tuples of them       (skep_pairs, folded from the left: (k0,k1) -> p1, (p1,k2) -> p2
 * ..)
 *           + cells                (skep_pairs: (tuple, bucket) -> cell)
 *           + states               (one array a distinct state, [cell])
 *
 * Several aggregates that need the same state (P50, P99 and HEATMAP of one field) share it.
 * A state of zero bytes is the empty state.  A state is a function of the multiset of values it was
 * given and nothing else: not of their order, not of how they were split over partials (I1 of
 * docs/decisions/0002-aggregates.md); that is what makes answers bit-equal on any number of
 * threads. */
#pragma once

#include "agg/partial.h"
#include "base/hash.h"

enum { SKEP_IDS_ROWS = 1024 };

/* Memory of one partial: taken from the budget in steps, given back at once. */
struct skep_agg_mem {
    struct skep_budget *budget; /* NULL = unbounded */
    uint64_t taken, used;
};
/* Returns SKEP_OK | SKEP_ENOMEM. */
SKEP_NODISCARD skep_rc skep_agg_mem_take(struct skep_agg_mem *m, uint64_t n);
void skep_agg_mem_give(struct skep_agg_mem *m, uint64_t n);
/* A zeroed block, or NULL over budget. */
void *skep_agg_alloc(struct skep_agg_mem *m, size_t n);
/* Grow a block; new bytes are zero.  NULL over budget (the old block stays). */
void *skep_agg_realloc(struct skep_agg_mem *m, void *p, size_t old_n, size_t n);
void skep_agg_free(struct skep_agg_mem *m, void *p, size_t n);
/* Cut a block to its first n bytes, n > 0. */
void *skep_agg_shrink(struct skep_agg_mem *m, void *p, size_t old_n, size_t n);

/* An id for each row of a block, or the same for all. */
struct skep_ids {
    bool constant;
    uint32_t value;            /* constant */
    uint32_t v[SKEP_IDS_ROWS]; /* else, by row */
};

/* Some rows of a block. */
struct skep_sel {
    unsigned n;
    const uint16_t *rows; /* NULL = rows 0..n-1 */
};

enum skep_agg_form {
    SKEP_AGG_ROWS, /* no values: rows only */
    SKEP_AGG_I64,
    SKEP_AGG_F64,
    SKEP_AGG_NS,   /* i64 nanoseconds that stand for milliseconds */
    SKEP_AGG_HASH, /* u64 hashes of typed values */
    SKEP_AGG_SPANS /* i64 start and duration: filled by the caller cell by cell, see CONCURRENCY */
};

/* Values to add: for row r of sel, to states[cells of r], weight[r] times. */
struct skep_agg_in {
    const struct skep_agg *agg;
    struct skep_sel sel;
    const struct skep_ids *cells;
    const int64_t *weights; /* [row]; NULL = weight each */
    int64_t weight;         /* >= 1 */
    enum skep_agg_form form;
    bool constant; /* all rows have the value at index 0 */
    const int64_t *i64;
    const double *f64;
    const uint64_t *hashes;
};

enum skep_agg_want {
    SKEP_AGG_WANT_ROWS,
    SKEP_AGG_WANT_NUMBERS,
    SKEP_AGG_WANT_HASHES,
    SKEP_AGG_WANT_SPANS
};

struct skep_state_ops {
    const char *name;
    size_t size; /* of one state */
    enum skep_agg_want want;
    bool weighted; /* false: weights are not looked at */
    bool params;   /* the state depends on the aggregate's parameters, share only when equal */
    /* Returns SKEP_OK | SKEP_ENOMEM. */
    skep_rc (*add)(void *states, const struct skep_agg_in *in, struct skep_agg_mem *mem);
    skep_rc (*merge)(void *dst, const void *src, const struct skep_agg *agg,
                     struct skep_agg_mem *mem);
    void (*done)(void *state, struct skep_agg_mem *mem); /* optional */
    /* Optional: make it small, to be kept for a long time.  Nothing but its size changes; what is
     * added to opens again. */
    void (*pack)(void *state, struct skep_agg_mem *mem);
};

enum skep_agg_kind { SKEP_AGG_NULL, SKEP_AGG_INT, SKEP_AGG_DOUBLE, SKEP_AGG_STATE };
struct skep_agg_value {
    enum skep_agg_kind kind; /* STATE: the value is a histogram, read it through agg/heat.h */
    int64_t i;
    double f;
};

/* One row of the table of aggregates. */
struct skep_agg_ops {
    const struct skep_state_ops *state;
    /* span_ns: length of the time the cell covers, > 0. */
    void (*finish)(const struct skep_agg *agg, void *state, int64_t span_ns,
                   struct skep_agg_value *ret);
    bool rate; /* the result is the change of what finish gives, per second, between buckets */
    bool zero; /* an empty cell counts as 0, not as no value */
};
/* The table, by enum skep_agg_op. */
const struct skep_agg_ops *skep_agg_ops(enum skep_agg_op op);

extern const struct skep_state_ops skep_state_count, skep_state_sum, skep_state_minmax,
    skep_state_distinct, skep_state_hist, skep_state_linear, skep_state_concurrency;
/* A state to a value.  span_ns: length of the time the cell covers, > 0. */
typedef void skep_agg_finish_fn(const struct skep_agg *agg, void *state, int64_t span_ns,
                                struct skep_agg_value *ret);
extern skep_agg_finish_fn skep_agg_finish_count, skep_agg_finish_sum, skep_agg_finish_avg,
    skep_agg_finish_min, skep_agg_finish_max, skep_agg_finish_distinct, skep_agg_finish_percentile,
    skep_agg_finish_heat, skep_agg_finish_concurrency;

/* Typed 64-bit hash of a value: what COUNT_DISTINCT and group keys use.  Equal for equal values (-0
 * is 0, all NaN are one), of different types different.  str_hash: skep_hash of the text, for text
 * types. */
uint64_t skep_agg_hash_text(enum skep_type type, uint64_t str_hash);
uint64_t skep_agg_hash_int(int64_t i);
uint64_t skep_agg_hash_double(double f);
uint64_t skep_agg_hash_bool(bool b);
uint64_t skep_agg_hash_value(const skep_value *v);

/* Pairs (a, b) -> dense ids in order of first appearance. */
struct skep_pairs {
    struct skep_agg_mem *mem;
    uint32_t n, cap;
    uint32_t *left, *right; /* [n] */
    uint32_t *lut;          /* [lut_rows * stride]: id + 1; NULL when hashed */
    uint32_t lut_rows, stride;
    struct skep_index index;
    bool hashed;
    uint32_t max; /* ids; more: ELIMIT */
    bool frozen;  /* unknown pairs get SKEP_ID_NONE */
};
#define SKEP_ID_NONE UINT32_MAX

/* An empty table; memory comes from mem, and done() gives it back. */
void skep_pairs_init(struct skep_pairs *p, struct skep_agg_mem *mem);
/* Also fine on a zeroed struct. */
void skep_pairs_done(struct skep_pairs *p);
/* Keep of it what is read by id; skep_pairs_loose: so many bytes go then. */
void skep_pairs_pack(struct skep_pairs *p);
uint64_t skep_pairs_loose(const struct skep_pairs *p);
/* Returns SKEP_OK | SKEP_ENOMEM | SKEP_ELIMIT (over max). */
SKEP_NODISCARD skep_rc skep_pairs_get(struct skep_pairs *p, uint32_t a, uint32_t b, uint32_t *ret);
/* The id, or SKEP_ID_NONE. */
uint32_t skep_pairs_find(const struct skep_pairs *p, uint32_t a, uint32_t b);
/* For each row of sel.  ret may be a or b. */
SKEP_NODISCARD skep_rc skep_pairs_map(struct skep_pairs *p, struct skep_sel sel,
                                      const struct skep_ids *a, const struct skep_ids *b,
                                      struct skep_ids *ret);

/* Interned values of one group column.  Id 0 is "absent". */
struct skep_keys {
    struct skep_agg_mem *mem;
    uint32_t n, cap;
    skep_value *values; /* text in blocks owned by this */
    uint64_t *hashes;
    struct skep_index index;
    uint8_t **blocks;
    uint32_t n_blocks, cap_blocks;
    size_t block_used, block_cap;
    uint64_t blocks_bytes;
    bool frozen;   /* unknown values get SKEP_ID_NONE */
    bool packed;   /* nothing can be looked up */
    uint64_t only; /* shards whose values get ids, others SKEP_ID_NONE; 0 = all */
};
void skep_keys_init(struct skep_keys *k, struct skep_agg_mem *mem);
void skep_keys_done(struct skep_keys *k);
/* As skep_pairs_pack. */
void skep_keys_pack(struct skep_keys *k);
uint64_t skep_keys_loose(const struct skep_keys *k);
/* skep_keys_get: hash = skep_agg_hash_value(v).  Returns SKEP_OK | SKEP_ENOMEM.
 * skep_keys_prefetch: fetch what looking up these hashes will read: in a table larger than the
 * caches a group of look-ups then waits once, not each for itself. */
void skep_keys_prefetch(const struct skep_keys *k, const uint64_t *hashes, unsigned n);
SKEP_NODISCARD skep_rc skep_keys_get(struct skep_keys *k, const skep_value *v, uint64_t hash,
                                     uint32_t *ret);

struct skep_partial {
    const struct skep_plan *plan;
    struct skep_agg_mem mem;
    skep_ts_ns bucket0_ns; /* start of bucket 0, a multiple of the granularity */
    unsigned n_buckets;    /* 1 without granularity */
    unsigned n_groups;
    struct skep_keys *keys;    /* [n_groups] */
    struct skep_pairs *tuples; /* [n_groups - 1] when n_groups > 1 */
    struct skep_pairs cells;   /* (tuple, bucket) */
    uint32_t cap_cells;        /* room in the states */
    unsigned n_states;
    struct skep_partial_state {
        const struct skep_state_ops *ops;
        const struct skep_agg *agg; /* the first that uses it */
        uint8_t *data;              /* [cap_cells * ops->size] */
    } * states;
    unsigned *state_of; /* [plan->n_aggs] */
    bool estimated;     /* some row had a sample rate > 1 */
    bool restricted;    /* there are groups it does not take: SKEP_ID_NONE */
    bool packed;        /* skep_partial_pack(): it is only merged from */
    uint64_t pack_at;   /* so many bytes: time to make its states small */
};

/* Buckets of a plan: start of bucket 0 and their number. */
unsigned skep_agg_buckets(const struct skep_plan *plan, skep_ts_ns *ret_bucket0_ns);
/* Nanoseconds of the plan's range that bucket b covers. */
int64_t skep_agg_bucket_span(const struct skep_plan *plan, skep_ts_ns bucket0_ns, unsigned b);

/* plan must outlive the partial; it was checked.  budget may be NULL.
 * Returns SKEP_OK | SKEP_ENOMEM. */
SKEP_NODISCARD skep_rc skep_partial_new(const struct skep_plan *plan, struct skep_budget *budget,
                                        struct skep_partial **ret);
/* Tuple of key ids -> tuple id, of all rows of sel.  keys[n_groups] may be overwritten.
 * SKEP_ID_NONE in a key stays SKEP_ID_NONE. */
SKEP_NODISCARD skep_rc skep_partial_tuples(struct skep_partial *p, struct skep_sel sel,
                                           struct skep_ids *keys, struct skep_ids *ret);
/* (tuple, bucket) -> cell, and room for it in all states. */
SKEP_NODISCARD skep_rc skep_partial_cells(struct skep_partial *p, struct skep_sel sel,
                                          const struct skep_ids *tuples,
                                          const struct skep_ids *buckets, struct skep_ids *ret);
SKEP_NODISCARD skep_rc skep_partial_cell(struct skep_partial *p, uint32_t tuple, uint32_t bucket,
                                         uint32_t *ret);
/* Add src's content; src is unchanged.  Both of the same plan, or src detached from one that
 * differs in its range alone, whose buckets lie inside dst's. Returns OK | ENOMEM | ELIMIT. */
SKEP_NODISCARD skep_rc skep_partial_merge(struct skep_partial *dst, const struct skep_partial *src);
/* split.c: groups by the hash of their keys, so that those of one shard can be added up and
 * finished without the others.  A group has the same shard in every partial. */
enum { SKEP_AGG_SHARDS = 64 };
static inline unsigned skep_agg_shard(uint64_t hash)
{
    return (unsigned)(hash >> 58);
}
/* The cells of src by shard: those of shard s are (*ret)[first[s] .. first[s + 1]).  *ret is from
 * mem, of src->cells.n + 1 entries.  Returns SKEP_OK | SKEP_ENOMEM. */
SKEP_NODISCARD skep_rc skep_partial_split(const struct skep_partial *src, struct skep_agg_mem *mem,
                                          uint32_t **ret, uint32_t first[SKEP_AGG_SHARDS + 1]);
/* Add some cells of src; otherwise as skep_partial_merge. */
SKEP_NODISCARD skep_rc skep_partial_merge_cells(struct skep_partial *dst,
                                                const struct skep_partial *src,
                                                const uint32_t *cells, uint32_t n);
/* Add src's cells to those of a partial of the same plan without groups: all of them together. */
SKEP_NODISCARD skep_rc skep_partial_add_up(struct skep_partial *whole,
                                           const struct skep_partial *src);
/* Before anything is added: take groups of these shards alone (a bit each); where the shard of a
 * group is not known from one key (more columns than one) others may come too. */
void skep_partial_restrict(struct skep_partial *p, uint64_t shards);
/* Memory it holds. */
uint64_t skep_partial_bytes(const struct skep_partial *p);
/* Its states made small (skep_state_ops.pack); they may be added to. */
void skep_partial_pack_states(struct skep_partial *p);
/* And without what finds keys and cells, of which it has all now: from here on it is only merged
 * from, and freed.  skep_partial_packed_bytes: what it would hold, its states as they are. */
void skep_partial_pack(struct skep_partial *p);
uint64_t skep_partial_packed_bytes(const struct skep_partial *p);
/* Let go of plan and budget: what is left may be merged from and freed. */
void skep_partial_detach(struct skep_partial *p);
static inline void *skep_partial_state(const struct skep_partial *p, unsigned state, uint32_t cell)
{
    return p->states[state].data + (size_t)cell * p->states[state].ops->size;
}
/* Key ids of a tuple: ids[n_groups]. */
void skep_partial_tuple_keys(const struct skep_partial *p, uint32_t tuple, uint32_t *ids);
/* Number of tuple ids (some may have no cell). */
uint32_t skep_partial_n_tuples(const struct skep_partial *p);

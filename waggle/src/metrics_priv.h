// SPDX-License-Identifier: Apache-2.0
/*
 * metrics_priv.h - what the files of the metrics SDK share
 *
 *   instrument -> binding -> streams (one a reader and view) -> points (one a set of attributes)
 *
 *   stream.c     which streams an instrument has
 *   points.c     finding and making a point
 *   measure.c    a measurement on its way into its points
 *   aggregate.c, exponential.c   what a point keeps; exemplar.c  the examples beside it
 *   collect.c    points as records; reader.c  when that happens
 */
#ifndef WAGGLE_METRICS_PRIV_H
#define WAGGLE_METRICS_PRIV_H

#include "sdk_priv.h"

enum {
    WAGGLE__CARDINALITY = 2000,   /* points of a stream */
    WAGGLE__METRIC_ATTRS = 64,    /* attributes of a measurement; what is beyond is left out */
    WAGGLE__FILTERED_BYTES = 256, /* of what a view took from an exemplar */
    WAGGLE__ENCODED = 100         /* type of a value that stands encoded: arrays, lists, maps */
};

struct waggle__stream;

/* --- points -------------------------------------------------------------------------------- */

/* What of a point one thread at a time may touch: the lock, then the aggregation's own state. A
 * point has several, so that threads find a free one. */
struct waggle__stripe {
    _Atomic uint32_t lock;
    uint32_t used; /* measured since it was emptied */
    uint64_t state[];
};

struct waggle__point {
    _Atomic uint64_t hash; /* of its attributes; 0: is nobody's */
    /* The following change only while all stripes are locked. */
    waggle_kv *attrs; /* with what they point to in one block; NULL without attributes */
    size_t n_attrs;
    uint8_t *encoded; /* as fields of a data point, in the same block */
    size_t encoded_n;
    /* The collector's. */
    struct waggle__number previous;       /* of an observed sum */
    _Atomic(struct waggle__point *) next; /* of all of the stream */
    struct waggle__point *next_free;
    struct waggle__exemplars *exemplars; /* NULL: none are kept */
    uint8_t *stripes;
};

struct waggle__points {
    size_t mask;
    size_t n_tombs;
    struct waggle__points *older; /* kept for who is still looking into it */
    _Atomic(struct waggle__point *) slots[];
};

/* The stripe of a point with these attributes, locked: made if need be (cold). NULL: no memory, or
 * all stripes are busy (counted). ret_point may then be anything. */
struct waggle__stripe *waggle__point_lock(struct waggle__stream *s, struct waggle__thread *t,
                                          const waggle_kv *attrs, size_t n, uint64_t hash,
                                          struct waggle__point **ret_point);
static inline void waggle__stripe_unlock(struct waggle__stripe *stripe)
{
    atomic_store_explicit(&stripe->lock, 0, memory_order_release);
}
/* The i-th stripe of a point, waited for: for the collector. */
struct waggle__stripe *waggle__stripe_wait(const struct waggle__stream *s, struct waggle__point *p,
                                           size_t i);
/* Nobody's any more; its attributes are gone. */
void waggle__point_retire(struct waggle__stream *s, struct waggle__point *p);
void waggle__points_free(struct waggle__stream *s);
/* In the child of a fork: locks are open, nothing was measured. */
void waggle__points_after_fork(struct waggle__stream *s);

/* A hash of attributes that does not depend on their order; never 0. *ret_twice: a key may stand
 * twice. */
uint64_t waggle__attrs_hash(const waggle_kv *attrs, size_t n, bool *ret_twice);

/* --- aggregations -------------------------------------------------------------------------- */

struct waggle__aggregator {
    const char *name;
    /* Bytes of the state. */
    size_t (*size)(const struct waggle__stream *s);
    void (*reset)(const struct waggle__stream *s, void *state);
    void (*update)(const struct waggle__stream *s, void *state, struct waggle__number value);
    void (*merge)(const struct waggle__stream *s, void *into, const void *from);
    /* Append what is the aggregation's own of a data point. */
    void (*encode)(const struct waggle__stream *s, const void *state, struct waggle__buf *out);
    uint8_t data_tag;       /* of Metric.data */
    uint8_t attributes_tag; /* of a data point's attributes */
    uint8_t exemplar_tag;
};

/* What both kinds of histograms keep beside their buckets. */
struct waggle__summary {
    uint64_t count;
    double sum, min, max;
};

static inline void waggle__summary_add(struct waggle__summary *h, double v)
{
    h->min = h->count == 0 || v < h->min ? v : h->min;
    h->max = h->count == 0 || v > h->max ? v : h->max;
    h->count++;
    h->sum += v;
}

/* False if there is nothing to merge. */
static inline bool waggle__summary_merge(struct waggle__summary *into,
                                         const struct waggle__summary *from)
{
    if (from->count == 0)
        return false;
    into->min = into->count == 0 || from->min < into->min ? from->min : into->min;
    into->max = into->count == 0 || from->max > into->max ? from->max : into->max;
    into->count += from->count;
    into->sum += from->sum;
    return true;
}

/* Count and sum, at the beginning of a data point; smallest and largest, at its end. */
void waggle__summary_encode(const struct waggle__stream *s, const struct waggle__summary *h,
                            struct waggle__buf *out);
void waggle__summary_encode_range(const struct waggle__stream *s, const struct waggle__summary *h,
                                  uint8_t min_tag, struct waggle__buf *out);

extern const struct waggle__aggregator waggle__aggregate_sum, waggle__aggregate_last,
    waggle__aggregate_explicit, waggle__aggregate_exponential;

/* Of a sum or a last value. */
struct waggle__number waggle__scalar_of(const struct waggle__stream *s, const void *state);
void waggle__scalar_encode(struct waggle__number value, struct waggle__buf *out);
size_t waggle__bucket_of(const struct waggle__stream *s, double value);
double waggle__as_double(struct waggle__number v);

static inline void waggle__buf_fixed(struct waggle__buf *b, uint8_t tag, uint64_t v)
{
    uint8_t bytes[9] = {tag};
    (void)waggle__put_le64(bytes + 1, v); // ends where bytes end
    waggle__buf_put(b, bytes, sizeof bytes);
}

static inline void waggle__buf_double(struct waggle__buf *b, uint8_t tag, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    waggle__buf_fixed(b, tag, bits);
}

/* --- exemplars ----------------------------------------------------------------------------- */

struct waggle__exemplars;

struct waggle__exemplars *waggle__exemplars_new(const struct waggle__stream *s);
/* Perhaps keep this measurement. `all` are the attributes as they were given. */
void waggle__exemplar_offer(const struct waggle__stream *s, struct waggle__exemplars *e,
                            struct waggle__thread *t, struct waggle__number value,
                            waggle_attrs all);
/* Append what was kept, and forget it. */
void waggle__exemplars_take(const struct waggle__stream *s, struct waggle__exemplars *e,
                            struct waggle__buf *out);
void waggle__exemplars_after_fork(struct waggle__exemplars *e);
/* Is the attribute one of those the stream keeps? */
bool waggle__keeps(const struct waggle__stream *s, const waggle_kv *kv);

/* --- streams ------------------------------------------------------------------------------- */

struct waggle__stream {
    const struct waggle__aggregator *aggregator; /* NULL: drop */
    struct waggle_instrument *instrument;
    struct waggle_reader *reader;
    const struct waggle__view *view; /* NULL: none */
    const char *name, *description;  /* borrowed from the instrument or the view */
    const char *unit;
    bool is_double, is_async, is_monotonic, is_delta;
    bool no_sum, no_min_max;
    enum waggle_exemplar_filter exemplar_filter;
    const char *const *keys; /* kept; NULL: all */
    size_t n_keys;
    const char *const *excluded_keys;
    size_t n_excluded_keys;
    const double *boundaries; /* own copy */
    size_t n_boundaries;
    uint32_t max_size;
    int max_scale;
    uint32_t limit; /* points, with the one of what is beyond */
    uint32_t n_stripes;
    size_t stripe_size;
    uint64_t start_ns;    /* UTC: of the interval, or of the whole */
    pthread_mutex_t lock; /* points come and go */
    _Atomic(struct waggle__points *) table;
    _Atomic(struct waggle__point *) points;
    struct waggle__point *last, *free_points;
    _Atomic(struct waggle__point *) overflow;
    _Atomic uint32_t n_points; /* without that one */
    _Atomic bool is_told_full;
    uint64_t *scratch;                     /* the collector's: a merged state */
    _Atomic(struct waggle__stream *) next; /* of the reader */
};

/* A view, copied. */
struct waggle__view {
    waggle_view v;
    _Atomic(struct waggle__view *) next;
};

/* What an instrument is for a provider: replaced when there is another provider, reader or view. */
struct waggle__binding {
    struct waggle_provider *provider;
    uint32_t epoch;
    struct waggle__binding *older; /* of the provider, to be freed with it */
    size_t n;
    struct waggle__stream *streams[];
};

/* The instrument's streams; NULL: it measures nothing. */
struct waggle__binding *waggle__binding_of(struct waggle_instrument *instrument);
void waggle__stream_free(struct waggle__stream *s);
void waggle__binding_lock(void);
void waggle__binding_unlock(void);
void waggle__binding_after_fork(bool child);
/* Around a fork, with `collecting` of all readers and the binding lock held. The child's streams
 * begin at zero. */
void waggle__streams_before_fork(struct waggle_provider *provider);
void waggle__streams_after_fork(struct waggle_provider *provider, bool child);
/* An instrument was made, or has a callback. */
void waggle__instrument_op_made(struct waggle_instrument *instrument);

static inline uint8_t *waggle__point_stripe(const struct waggle__stream *s,
                                            const struct waggle__point *p, size_t i)
{
    return p->stripes + i * s->stripe_size;
}

/* --- measuring ----------------------------------------------------------------------------- */

void waggle__measure_op(struct waggle_instrument *instrument, struct waggle__number value,
                        waggle_attrs attributes);
bool waggle__measures_op(struct waggle_instrument *instrument);
void waggle__observe_op(struct waggle_observer *observer, struct waggle_instrument *instrument,
                        struct waggle__number value, waggle_attrs attributes);

/* Whose callbacks run, for whom. */
struct waggle_observer {
    struct waggle_reader *reader;
    const struct waggle_callback *callback;
};

/* --- readers ------------------------------------------------------------------------------- */

struct waggle_reader {
    struct waggle_processor base; /* so that a provider flushes, forks and ends it as any other */
    waggle_reader_options options;
    struct waggle_provider *_Atomic provider;
    pthread_mutex_t collecting;               /* recursive: a callback may fork */
    _Atomic(struct waggle__stream *) streams; /* as they were made */
    struct waggle__buf records, points, point;
    waggle_record *list;
    size_t n_list, cap_list;
    const waggle_scope_info *scopes[WAGGLE__SCOPES_MAX];
    uint64_t n_points;                           /* in the last batch */
    bool (*begin)(struct waggle_reader *reader); /* there is an instrument; NULL: nothing to do */
    void (*added)(struct waggle_reader *reader); /* it has its provider; NULL: nothing to do */
};

/* What every reader begins and ends with, and does around a fork. */
void waggle__reader_init(struct waggle_reader *reader, const struct waggle_processor_ops *ops,
                         const waggle_reader_options *options);
void waggle__reader_done(struct waggle_reader *reader);
void waggle__reader_before_fork(struct waggle_processor *processor);
void waggle__reader_after_fork(struct waggle_processor *processor, bool child);

/* Run the callbacks and make records of all streams; `collecting` is held. False if there is none.
 */
bool waggle__collect(struct waggle_reader *reader, waggle_batch *ret_batch);

/* --- waggle's own -------------------------------------------------------------------------- */

/* Instruments that tell waggle's counters, for this provider. Once. */
void waggle__self_metrics(struct waggle_provider *provider);

#endif

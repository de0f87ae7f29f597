// SPDX-License-Identifier: Apache-2.0
/* COUNT, SUM, AVG, CONCURRENCY: exact sums.
 *
 * A sum has four lanes, each exact, joined once when it is finished:
 *
 *   ints   int64 values                      128-bit integer
 *   ns     nanoseconds meaning milliseconds  128-bit integer
 *   fix    doubles whose bits lie in [2^-64, 2^40)   128-bit fixed point, unit 2^-64
 *   big    everything that does not fit the others   skep_fsum, allocated when first needed
 *
 * I1  A value goes to `fix` or `big` by its own bits and the room left; as both are exact and added
 * up at the end, which one took it cannot be seen. I2  A lane that would overflow is emptied into
 * `big` first. I3  NaN is no number: it is left out of sums and their counts.  Infinities are
 * counted apart.
 *
 * The result is an integer if only integers came in and the sum fits an int64, else the nearest
 * double.  Threads: one at a time. */
#include "agg/agg_priv.h"

#include "base/assert.h"

#include <math.h>

struct count_state {
    uint64_t n;
};

static skep_rc count_add(void *states, const struct skep_agg_in *in, struct skep_agg_mem *mem)
{
    (void)mem;
    struct count_state *st = states;
    if (in->cells->constant && !in->weights) {
        uint64_t total = 0;
        if (SKEP_MUL_OVERFLOW((uint64_t)in->sel.n, skep_agg__weight(in, 0), &total))
            total = UINT64_MAX;
        struct count_state *s = &st[in->cells->value];
        s->n = skep_agg__add_sat(s->n, total);
        return SKEP_OK;
    }
    if (!in->cells->constant && !in->weights && in->weight == 1 && !in->sel.rows) {
        for (unsigned r = 0; r < in->sel.n; r++)
            st[in->cells->v[r]].n++;
        return SKEP_OK;
    }
    for (unsigned i = 0; i < in->sel.n; i++) {
        unsigned r = skep_agg__row(in, i);
        struct count_state *s = &st[skep_agg__cell(in, r)];
        s->n = skep_agg__add_sat(s->n, skep_agg__weight(in, r));
    }
    return SKEP_OK;
}

static skep_rc count_merge(void *dst, const void *src, const struct skep_agg *agg,
                           struct skep_agg_mem *mem)
{
    (void)mem;
    (void)agg;
    struct count_state *d = dst;
    d->n = skep_agg__add_sat(d->n, ((const struct count_state *)src)->n);
    return SKEP_OK;
}

const struct skep_state_ops skep_state_count = {
    .name = "count",
    .size = sizeof(struct count_state),
    .want = SKEP_AGG_WANT_ROWS,
    .weighted = true,
    .add = count_add,
    .merge = count_merge,
};

static int64_t clamp_i64(uint64_t n)
{
    return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

void skep_agg_finish_count(const struct skep_agg *agg, void *state, int64_t span_ns,
                           struct skep_agg_value *ret)
{
    (void)agg;
    (void)span_ns;
    *ret = (struct skep_agg_value){.kind = SKEP_AGG_INT,
                                   .i = clamp_i64(((const struct count_state *)state)->n)};
}

enum { HAS_INT = 1, HAS_NS = 2, HAS_DOUBLE = 4, POS_INF = 8, NEG_INF = 16 };

struct sum_state {
    skep_i128 ints, ns, fix;
    uint64_t n; /* weighted numbers */
    struct skep_fsum *big;
    uint32_t has;
};

static struct skep_fsum *need_big(struct sum_state *s, struct skep_agg_mem *mem)
{
    if (!s->big)
        s->big = skep_agg_alloc(mem, sizeof *s->big);
    return s->big;
}

/* Add to one integer lane of unit 2^exp; when it is full it goes to `big` (I2).  The ns lane has no
 * power of two as its unit; it holds 2^63 * 2^32 * 2^31 rows and a fuller one cannot come about. */
static skep_rc lane_add(struct sum_state *s, skep_i128 *lane, skep_i128 v, int exp,
                        struct skep_agg_mem *mem)
{
    skep_i128 sum = 0;
    if (SKEP_LIKELY(!SKEP_ADD_OVERFLOW(*lane, v, &sum))) {
        *lane = sum;
        return SKEP_OK;
    }
    if (!need_big(s, mem))
        return SKEP_ENOMEM;
    skep_fsum__add(s->big, *lane, exp);
    *lane = v;
    return SKEP_OK;
}

static skep_rc add_double(struct sum_state *s, double v, uint64_t w, struct skep_agg_mem *mem)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    int exp = (int)(bits >> 52 & 0x7ff);
    if (SKEP_UNLIKELY(exp == 0x7ff)) {
        if (isnan(v))
            return SKEP_OK;
        s->has |= v > 0 ? POS_INF : NEG_INF;
        s->n = skep_agg__add_sat(s->n, w);
        return SKEP_OK;
    }
    s->has |= HAS_DOUBLE;
    s->n = skep_agg__add_sat(s->n, w);
    if (v == 0)
        return SKEP_OK;
    /* v = mant * 2^(exp - 1075); in units of 2^-64 that is mant << (exp - 1011). */
    int shift = exp - 1075 + 64;
    if (SKEP_LIKELY(shift >= 0 && shift <= 40 && w <= UINT32_MAX)) {
        skep_i128 m = (skep_i128)((bits & ((1ull << 52) - 1)) | 1ull << 52) * (skep_i128)w;
        m <<= shift; /* 53 + 32 + 40 bits */
        return lane_add(s, &s->fix, v < 0 ? -m : m, -64, mem);
    }
    if (!need_big(s, mem))
        return SKEP_ENOMEM;
    skep_fsum__add_double(s->big, v, w);
    return SKEP_OK;
}

static skep_rc sum_doubles(struct sum_state *st, const struct skep_agg_in *in,
                           struct skep_agg_mem *mem)
{
    for (unsigned i = 0; i < in->sel.n; i++) {
        unsigned r = skep_agg__row(in, i);
        SKEP_TRY(add_double(&st[skep_agg__cell(in, r)], in->f64[in->constant ? 0 : r],
                            skep_agg__weight(in, r), mem));
    }
    return SKEP_OK;
}

static skep_rc sum_add(void *states, const struct skep_agg_in *in, struct skep_agg_mem *mem)
{
    struct sum_state *st = states;
    if (in->form == SKEP_AGG_F64)
        return sum_doubles(st, in, mem);
    skep_assert(in->form == SKEP_AGG_I64 || in->form == SKEP_AGG_NS);
    bool ns = in->form == SKEP_AGG_NS;
    uint32_t has = ns ? HAS_NS : HAS_INT;
    for (unsigned i = 0; i < in->sel.n; i++) {
        unsigned r = skep_agg__row(in, i);
        struct sum_state *s = &st[skep_agg__cell(in, r)];
        uint64_t w = skep_agg__weight(in, r);
        skep_i128 v = (skep_i128)in->i64[in->constant ? 0 : r] * (skep_i128)w;
        s->n = skep_agg__add_sat(s->n, w);
        s->has |= has;
        SKEP_TRY(lane_add(s, ns ? &s->ns : &s->ints, v, 0, mem));
    }
    return SKEP_OK;
}

static skep_rc sum_merge(void *dst, const void *src, const struct skep_agg *agg,
                         struct skep_agg_mem *mem)
{
    (void)agg;
    struct sum_state *d = dst;
    const struct sum_state *s = src;
    d->n = skep_agg__add_sat(d->n, s->n);
    d->has |= s->has;
    SKEP_TRY(lane_add(d, &d->ints, s->ints, 0, mem));
    SKEP_TRY(lane_add(d, &d->ns, s->ns, 0, mem));
    SKEP_TRY(lane_add(d, &d->fix, s->fix, -64, mem));
    if (s->big) {
        if (!need_big(d, mem))
            return SKEP_ENOMEM;
        skep_fsum__merge(d->big, s->big);
    }
    return SKEP_OK;
}

static void sum_done(void *state, struct skep_agg_mem *mem)
{
    struct sum_state *s = state;
    skep_agg_free(mem, s->big, sizeof *s->big);
    s->big = NULL;
}

const struct skep_state_ops skep_state_sum = {
    .name = "sum",
    .size = sizeof(struct sum_state),
    .want = SKEP_AGG_WANT_NUMBERS,
    .weighted = true,
    .add = sum_add,
    .merge = sum_merge,
    .done = sum_done,
};

/* The sum as an integer (returns true) or the nearest double. */
static bool sum_value(const struct sum_state *s, int64_t *ret_i, double *ret_f)
{
    struct skep_fsum all = {0};
    if (s->big)
        skep_fsum__merge(&all, s->big);
    skep_fsum__add(&all, s->ints, 0);
    if (s->has == HAS_INT && skep_fsum__int(&all, ret_i)) {
        *ret_f = (double)*ret_i;
        return true;
    }
    if (s->has & (POS_INF | NEG_INF)) {
        *ret_f = s->has & POS_INF ? (double)INFINITY : (double)-INFINITY;
        return false;
    }
    skep_fsum__add(&all, s->fix, -64);
    if (s->has & HAS_NS) {
        struct skep_fsum ns = {0};
        skep_fsum__add(&ns, s->ns, 0);
        double ms = skep_fsum__round(&ns) / 1e6;
        if (s->has == HAS_NS) {
            *ret_f = ms;
            return false;
        }
        skep_fsum__add_double(&all, ms, 1);
    }
    *ret_f = skep_fsum__round(&all);
    return false;
}

/* Both infinities have no sum. */
static bool no_sum(const struct sum_state *s)
{
    return s->n == 0 || (s->has & (POS_INF | NEG_INF)) == (POS_INF | NEG_INF);
}

void skep_agg_finish_sum(const struct skep_agg *agg, void *state, int64_t span_ns,
                         struct skep_agg_value *ret)
{
    (void)agg;
    (void)span_ns;
    *ret = (struct skep_agg_value){.kind = SKEP_AGG_NULL};
    if (no_sum(state))
        return;
    ret->kind = sum_value(state, &ret->i, &ret->f) ? SKEP_AGG_INT : SKEP_AGG_DOUBLE;
}

void skep_agg_finish_avg(const struct skep_agg *agg, void *state, int64_t span_ns,
                         struct skep_agg_value *ret)
{
    (void)agg;
    (void)span_ns;
    *ret = (struct skep_agg_value){.kind = SKEP_AGG_NULL};
    if (no_sum(state))
        return;
    int64_t i = 0;
    double sum = 0;
    (void)sum_value(state, &i, &sum); /* as a double in both cases */
    *ret = (struct skep_agg_value){.kind = SKEP_AGG_DOUBLE,
                                   .f = sum / (double)((const struct sum_state *)state)->n};
}

/* CONCURRENCY: nanoseconds of overlap.  The caller cuts each span at the buckets and gives the
 * pieces as i64 values. */
struct concurrency_state {
    skep_i128 ns;
};

static skep_rc concurrency_add(void *states, const struct skep_agg_in *in, struct skep_agg_mem *mem)
{
    (void)mem;
    struct concurrency_state *st = states;
    for (unsigned i = 0; i < in->sel.n; i++) {
        unsigned r = skep_agg__row(in, i);
        st[skep_agg__cell(in, r)].ns +=
            (skep_i128)in->i64[in->constant ? 0 : r] * (skep_i128)skep_agg__weight(in, r);
    }
    return SKEP_OK;
}

static skep_rc concurrency_merge(void *dst, const void *src, const struct skep_agg *agg,
                                 struct skep_agg_mem *mem)
{
    (void)mem;
    (void)agg;
    struct concurrency_state *d = dst;
    d->ns += ((const struct concurrency_state *)src)->ns;
    return SKEP_OK;
}

const struct skep_state_ops skep_state_concurrency = {
    .name = "concurrency",
    .size = sizeof(struct concurrency_state),
    .want = SKEP_AGG_WANT_SPANS,
    .weighted = true,
    .add = concurrency_add,
    .merge = concurrency_merge,
};

void skep_agg_finish_concurrency(const struct skep_agg *agg, void *state, int64_t span_ns,
                                 struct skep_agg_value *ret)
{
    (void)agg;
    skep_assert(span_ns > 0);
    struct skep_fsum sum = {0};
    skep_fsum__add(&sum, ((const struct concurrency_state *)state)->ns, 0);
    *ret = (struct skep_agg_value){.kind = SKEP_AGG_DOUBLE,
                                   .f = skep_fsum__round(&sum) / (double)span_ns};
}

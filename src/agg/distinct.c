// SPDX-License-Identifier: Apache-2.0
/* COUNT_DISTINCT: a set of 64-bit hashes of typed values up to a number of them that the aggregate
 * names (65,536 where it names none), HyperLogLog above.
 *
 * I1  The registers are a function of the set of hashes (a maximum each), and a partial turns to
 * registers only when its own set is larger than the threshold, hence the whole is; so the answer,
 * and whether it is exact, depend on the set alone. I2  The hash 0 cannot stand in the table (0 =
 * free slot): it has a flag.
 *
 * Exact: two of n values collide with probability n^2 / 2^65, for 65,536 values 1 : 10^10, for
 * 262,144 1 : 5 * 10^8.
 * Above: 65,536 registers, relative standard error 1.04 / sqrt(65536) = 0.41%.  The estimate is
 * Ertl's (arXiv 1702.01284), which needs no correction tables.
 *
 * Threads: one at a time.  Memory: set 22 bytes a value at most, registers 64 KiB. */
#include "agg/agg_priv.h"

#include "base/assert.h"

#include <math.h>

enum { P = 16, M = 1 << P, Q = 64 - P };

struct distinct {
    uint64_t *set; /* [cap], linear probing; NULL when registers are in use */
    uint32_t n, cap;
    bool has_zero;
    uint8_t *regs; /* [M] */
};

struct distinct_state {
    struct distinct *d;
};

static void to_register(uint8_t *regs, uint64_t h)
{
    uint64_t rest = h << P;
    uint8_t rank = (uint8_t)(rest ? SKEP_CLZ64(rest) + 1 : Q + 1);
    uint8_t *r = &regs[h >> (64 - P)];
    *r = SKEP_MAX(*r, rank);
}

static skep_rc to_registers(struct distinct *d, struct skep_agg_mem *mem)
{
    d->regs = skep_agg_alloc(mem, M);
    if (!d->regs)
        return SKEP_ENOMEM;
    for (uint32_t i = 0; i < d->cap; i++)
        if (d->set[i] != 0)
            to_register(d->regs, d->set[i]);
    if (d->has_zero)
        to_register(d->regs, 0);
    skep_agg_free(mem, d->set, d->cap * sizeof *d->set);
    d->set = NULL;
    d->cap = 0;
    return SKEP_OK;
}

static skep_rc grow(struct distinct *d, struct skep_agg_mem *mem)
{
    uint32_t cap = d->cap ? d->cap * 2 : 16;
    uint64_t *set = skep_agg_alloc(mem, cap * sizeof *set);
    if (!set)
        return SKEP_ENOMEM;
    for (uint32_t i = 0; i < d->cap; i++) {
        if (d->set[i] == 0)
            continue;
        uint32_t at = (uint32_t)d->set[i] & (cap - 1);
        while (set[at] != 0)
            at = (at + 1) & (cap - 1);
        set[at] = d->set[i];
    }
    skep_agg_free(mem, d->set, d->cap * sizeof *d->set);
    d->set = set;
    d->cap = cap;
    return SKEP_OK;
}

static uint32_t exact_of(const struct skep_agg *agg)
{
    return agg->exact ? agg->exact : SKEP_AGG_EXACT;
}

static skep_rc put(struct distinct *d, uint64_t h, uint32_t exact, struct skep_agg_mem *mem)
{
    if (d->regs) {
        to_register(d->regs, h);
        return SKEP_OK;
    }
    if (h == 0) {
        d->n += d->has_zero ? 0 : 1;
        d->has_zero = true;
    } else {
        if ((uint64_t)d->n * 4 >= (uint64_t)d->cap * 3)
            SKEP_TRY(grow(d, mem));
        uint32_t at = (uint32_t)h & (d->cap - 1);
        while (d->set[at] != 0) {
            if (d->set[at] == h)
                return SKEP_OK;
            at = (at + 1) & (d->cap - 1);
        }
        d->set[at] = h;
        d->n++;
    }
    return d->n > exact ? to_registers(d, mem) : SKEP_OK;
}

static struct distinct *need_set(struct distinct_state *s, struct skep_agg_mem *mem)
{
    if (!s->d)
        s->d = skep_agg_alloc(mem, sizeof *s->d);
    return s->d;
}

static skep_rc distinct_add(void *states, const struct skep_agg_in *in, struct skep_agg_mem *mem)
{
    skep_assert(in->form == SKEP_AGG_HASH);
    struct distinct_state *st = states;
    uint64_t last = 0;
    uint32_t exact = exact_of(in->agg);
    struct distinct_state *last_state = NULL;
    for (unsigned i = 0; i < in->sel.n; i++) {
        unsigned r = skep_agg__row(in, i);
        struct distinct_state *s = &st[skep_agg__cell(in, r)];
        uint64_t h = in->hashes[in->constant ? 0 : r];
        if (s == last_state && h == last) /* neighbours are often of one trace */
            continue;
        struct distinct *d = need_set(s, mem);
        if (!d)
            return SKEP_ENOMEM;
        SKEP_TRY(put(d, h, exact, mem));
        last = h;
        last_state = s;
    }
    return SKEP_OK;
}

/* Other 32-bit numbers in another order, whatever lower bits are looked at: odd. */
static SKEP_WRAPS uint32_t scattered(uint32_t i)
{
    return i * 0x9e3779b1u;
}

/* The set of an empty state. */
static skep_rc copy_set(struct distinct *d, const struct distinct *s, struct skep_agg_mem *mem)
{
    d->set = skep_agg_alloc(mem, s->cap * sizeof *d->set);
    if (!d->set)
        return SKEP_ENOMEM;
    memcpy(d->set, s->set, s->cap * sizeof *d->set);
    d->cap = s->cap;
    d->n = s->n;
    d->has_zero = s->has_zero;
    return SKEP_OK;
}

static skep_rc distinct_merge(void *dst, const void *src, const struct skep_agg *agg,
                              struct skep_agg_mem *mem)
{
    uint32_t exact = exact_of(agg);
    const struct distinct *s = ((const struct distinct_state *)src)->d;
    if (!s)
        return SKEP_OK;
    struct distinct *d = need_set(dst, mem);
    if (!d)
        return SKEP_ENOMEM;
    if (s->regs) {
        if (!d->regs)
            SKEP_TRY(to_registers(d, mem));
        for (uint32_t i = 0; i < M; i++)
            d->regs[i] = SKEP_MAX(d->regs[i], s->regs[i]);
        return SKEP_OK;
    }
    if (!d->regs && d->cap == 0 && d->n == 0 && s->cap > 0)
        return copy_set(d, s, mem);
    /* Not in the order of the slots: in a table that is smaller, or is filling up, those would
     * stand ever closer, and each look for a free one further. */
    for (uint32_t i = 0; i < s->cap; i++) {
        uint64_t h = s->set[scattered(i) & (s->cap - 1)];
        if (h != 0)
            SKEP_TRY(put(d, h, exact, mem));
    }
    return s->has_zero ? put(d, 0, exact, mem) : SKEP_OK;
}

static void distinct_done(void *state, struct skep_agg_mem *mem)
{
    struct distinct_state *s = state;
    if (!s->d)
        return;
    skep_agg_free(mem, s->d->set, s->d->cap * sizeof *s->d->set);
    skep_agg_free(mem, s->d->regs, M);
    skep_agg_free(mem, s->d, sizeof *s->d);
    s->d = NULL;
}

const struct skep_state_ops skep_state_distinct = {
    .name = "distinct",
    .size = sizeof(struct distinct_state),
    .want = SKEP_AGG_WANT_HASHES,
    .add = distinct_add,
    .merge = distinct_merge,
    .done = distinct_done,
};

static double ertl_sigma(double x)
{
    if (x == 1)
        return (double)INFINITY;
    double y = 1, z = x, before;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

static double ertl_tau(double x)
{
    if (x == 0 || x == 1)
        return 0;
    double y = 1, z = 1 - x, before;
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z != before);
    return z / 3;
}

static double estimate(const uint8_t *regs)
{
    uint32_t counts[Q + 2] = {0};
    for (uint32_t i = 0; i < M; i++)
        counts[regs[i]]++;
    double z = M * ertl_tau(1 - (double)counts[Q + 1] / M);
    for (int k = Q; k >= 1; k--)
        z = 0.5 * (z + counts[k]);
    z += M * ertl_sigma((double)counts[0] / M);
    return M * (M / (2 * 0.69314718055994530942)) / z;
}

void skep_agg_finish_distinct(const struct skep_agg *agg, void *state, int64_t span_ns,
                              struct skep_agg_value *ret)
{
    (void)agg;
    (void)span_ns;
    const struct distinct *d = ((struct distinct_state *)state)->d;
    int64_t n = !d ? 0 : d->regs ? (int64_t)(estimate(d->regs) + 0.5) : (int64_t)d->n;
    *ret = (struct skep_agg_value){.kind = SKEP_AGG_INT, .i = n};
}

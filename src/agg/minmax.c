// SPDX-License-Identifier: Apache-2.0
/* MIN and MAX of numbers.
 *
 * Integers, durations and doubles are kept apart and compared exactly at the end: 2^53 + 1 and 2^53
 * do not become equal.  NaN is left out; -0 is 0.  A tie between an integer and a double gives the
 * integer.  Unweighted.  Threads: one at a time. */
#include "agg/agg_priv.h"

#include "base/assert.h"
#include "plan/compare.h"

#include <math.h>

enum { HAS_INT = 1, HAS_NS = 2, HAS_DOUBLE = 4 };

struct minmax_state {
    uint32_t has;
    int64_t min_i, max_i, min_ns, max_ns;
    double min_f, max_f;
};

static void take_i(struct minmax_state *s, int64_t lo, int64_t hi)
{
    bool first = !(s->has & HAS_INT);
    s->min_i = first || lo < s->min_i ? lo : s->min_i;
    s->max_i = first || hi > s->max_i ? hi : s->max_i;
    s->has |= HAS_INT;
}

static void take_ns(struct minmax_state *s, int64_t lo, int64_t hi)
{
    bool first = !(s->has & HAS_NS);
    s->min_ns = first || lo < s->min_ns ? lo : s->min_ns;
    s->max_ns = first || hi > s->max_ns ? hi : s->max_ns;
    s->has |= HAS_NS;
}

static void take_f(struct minmax_state *s, double lo, double hi)
{
    bool first = !(s->has & HAS_DOUBLE);
    s->min_f = first || lo < s->min_f ? lo : s->min_f;
    s->max_f = first || hi > s->max_f ? hi : s->max_f;
    s->has |= HAS_DOUBLE;
}

static skep_rc minmax_add(void *states, const struct skep_agg_in *in, struct skep_agg_mem *mem)
{
    (void)mem;
    struct minmax_state *st = states;
    for (unsigned i = 0; i < in->sel.n; i++) {
        unsigned r = skep_agg__row(in, i), at = in->constant ? 0 : r;
        struct minmax_state *s = &st[skep_agg__cell(in, r)];
        if (in->form == SKEP_AGG_F64) {
            double f = in->f64[at] + 0.0;
            if (!isnan(f))
                take_f(s, f, f);
        } else if (in->form == SKEP_AGG_NS) {
            take_ns(s, in->i64[at], in->i64[at]);
        } else {
            take_i(s, in->i64[at], in->i64[at]);
        }
    }
    return SKEP_OK;
}

static skep_rc minmax_merge(void *dst, const void *src, const struct skep_agg *agg,
                            struct skep_agg_mem *mem)
{
    (void)mem;
    (void)agg;
    const struct minmax_state *s = src;
    if (s->has & HAS_INT)
        take_i(dst, s->min_i, s->max_i);
    if (s->has & HAS_NS)
        take_ns(dst, s->min_ns, s->max_ns);
    if (s->has & HAS_DOUBLE)
        take_f(dst, s->min_f, s->max_f);
    return SKEP_OK;
}

const struct skep_state_ops skep_state_minmax = {
    .name = "minmax",
    .size = sizeof(struct minmax_state),
    .want = SKEP_AGG_WANT_NUMBERS,
    .add = minmax_add,
    .merge = minmax_merge,
};

/* The extreme over the lanes; sign = -1 for the least, 1 for the greatest. */
static void extreme(const struct minmax_state *s, int sign, struct skep_agg_value *ret)
{
    *ret = (struct skep_agg_value){.kind = SKEP_AGG_NULL};
    double f = sign < 0 ? s->min_f : s->max_f;
    bool has_f = s->has & HAS_DOUBLE;
    if (s->has & HAS_NS) {
        double ms = (double)(sign < 0 ? s->min_ns : s->max_ns) / 1e6;
        f = !has_f || (sign < 0 ? ms < f : ms > f) ? ms : f;
        has_f = true;
    }
    if (has_f)
        *ret = (struct skep_agg_value){.kind = SKEP_AGG_DOUBLE, .f = f};
    if (s->has & HAS_INT) {
        int64_t i = sign < 0 ? s->min_i : s->max_i;
        if (!has_f || skep_cmp_int_double(i, f) * sign >= 0)
            *ret = (struct skep_agg_value){.kind = SKEP_AGG_INT, .i = i};
    }
}

void skep_agg_finish_min(const struct skep_agg *agg, void *state, int64_t span_ns,
                         struct skep_agg_value *ret)
{
    (void)agg;
    (void)span_ns;
    extreme(state, -1, ret);
}

void skep_agg_finish_max(const struct skep_agg *agg, void *state, int64_t span_ns,
                         struct skep_agg_value *ret)
{
    (void)agg;
    (void)span_ns;
    extreme(state, 1, ret);
}

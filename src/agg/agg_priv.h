// SPDX-License-Identifier: Apache-2.0
/* What the state files of this module share. */
#pragma once

#include "agg/agg.h"

/* Values of row r of an input. */
static inline uint32_t skep_agg__cell(const struct skep_agg_in *in, unsigned r)
{
    return in->cells->constant ? in->cells->value : in->cells->v[r];
}
static inline uint64_t skep_agg__weight(const struct skep_agg_in *in, unsigned r)
{
    int64_t w = in->weights ? in->weights[r] : in->weight;
    return w < 1 ? 1 : (uint64_t)w;
}
static inline unsigned skep_agg__row(const struct skep_agg_in *in, unsigned i)
{
    return in->sel.rows ? in->sel.rows[i] : i;
}
/* The next capacity of a growing table: twice, when it is large a quarter more, so that a million
 * groups, in one table or in one for each shard, do not hold room for another million. */
static inline uint32_t skep_agg__more(uint32_t cap)
{
    return cap < 16 ? 16 : cap < 4096 ? cap * 2 : cap + cap / 4;
}
/* Adds that stop at the top stay associative and commutative. */
static inline uint64_t skep_agg__add_sat(uint64_t a, uint64_t b)
{
    uint64_t sum = 0;
    return SKEP_ADD_OVERFLOW(a, b, &sum) ? UINT64_MAX : sum;
}

/* Merging adds cell after cell: keep dst small. */
void skep_partial__ease(struct skep_partial *dst);
/* What is bucket 0 in src has this number in dst. */
uint32_t skep_partial__shift(const struct skep_partial *dst, const struct skep_partial *src);

/* An exact sum of doubles and integers: a fixed-point number of 2,240 bits (fsum.c).
 * chunk k stands for chunk[k] * 2^(32 k - 1088). */
enum { SKEP_FSUM_CHUNKS = 70, SKEP_FSUM_BASE = 1088 };
struct skep_fsum {
    int64_t chunk[SKEP_FSUM_CHUNKS];
    uint32_t adds; /* since the last carry */
};
/* Add v * 2^exp, exp >= -1088. */
void skep_fsum__add(struct skep_fsum *s, skep_i128 v, int exp);
/* Add a finite double, `weight` times. */
void skep_fsum__add_double(struct skep_fsum *s, double v, uint64_t weight);
void skep_fsum__merge(struct skep_fsum *s, const struct skep_fsum *t);
/* The nearest double, ties to even. */
double skep_fsum__round(struct skep_fsum *s);
/* The exact value if it is an int64. */
SKEP_NODISCARD bool skep_fsum__int(struct skep_fsum *s, int64_t *ret);

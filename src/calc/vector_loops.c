// SPDX-License-Identifier: Apache-2.0
/* Loops over columns (vector_loops.h).  They run over rows without a value, too: nothing they hold
 * may trap (I3 of vectors.c). */
#include "calc/vector_loops.h"

#include <float.h>
#include <math.h>

#include "calc/calc_priv.h"

SKEP_CLONES void skep_calc__reals_of(const int64_t *restrict in, const uint8_t *restrict present,
                                     unsigned n, double *restrict out)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = present[i] ? (double)in[i] : 0.0;
}

SKEP_CLONES void skep_calc__present_reals(const double *restrict in,
                                          const uint8_t *restrict present, unsigned n,
                                          double *restrict out)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = present[i] ? in[i] : 0.0;
}

SKEP_CLONES void skep_calc__present_ints(const int64_t *restrict in,
                                         const uint8_t *restrict present, unsigned n,
                                         int64_t *restrict out)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = in[i] & -(int64_t)present[i];
}

SKEP_CLONES void skep_calc__both(uint8_t *restrict a, const uint8_t *restrict b, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        a[i] &= b[i];
}

/* out = b where chosen, else a. */
SKEP_CLONES void skep_calc__choose64(const uint8_t *restrict chosen, const int64_t *restrict a,
                                     const int64_t *restrict b, unsigned n, int64_t *restrict out)
{
    for (unsigned i = 0; i < n; i++) {
        int64_t mask = -(int64_t)chosen[i];
        out[i] = (a[i] & ~mask) | (b[i] & mask);
    }
}

SKEP_CLONES void skep_calc__choose_reals(const uint8_t *restrict chosen, const double *restrict a,
                                         const double *restrict b, unsigned n, double *restrict out)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = chosen[i] ? b[i] : a[i];
}

SKEP_CLONES SKEP_WRAPS void skep_calc__choose32(const uint8_t *restrict chosen,
                                                const uint32_t *restrict a,
                                                const uint32_t *restrict b, unsigned n,
                                                uint32_t *restrict out)
{
    for (unsigned i = 0; i < n; i++) {
        uint32_t mask = 0 - (uint32_t)chosen[i];
        out[i] = (a[i] & ~mask) | (b[i] & mask);
    }
}

SKEP_CLONES void skep_calc__choose8(const uint8_t *restrict chosen, const uint8_t *restrict a,
                                    const uint8_t *restrict b, unsigned n, uint8_t *restrict out)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = (uint8_t)((a[i] & (chosen[i] ^ 1)) | (b[i] & chosen[i]));
}

/* The quotients, and where there are any. */
SKEP_CLONES void skep_calc__divide(const double *restrict a, const double *restrict b, unsigned n,
                                   double *restrict out, uint8_t *restrict present)
{
    for (unsigned i = 0; i < n; i++) {
        double q = a[i] / b[i];
        out[i] = q;
        present[i] = (uint8_t)((b[i] != 0) & (fabs(q) <= DBL_MAX));
    }
}

SKEP_CLONES void skep_calc__mark_finite(const double *restrict a, unsigned n,
                                        uint8_t *restrict present)
{
    for (unsigned i = 0; i < n; i++)
        present[i] &= fabs(a[i]) <= DBL_MAX;
}

SKEP_CLONES void skep_calc__order_ints(enum skep_calc__order how, const int64_t *restrict a,
                                       const int64_t *restrict b, unsigned n, uint8_t *restrict out)
{
    if (how == SKEP_CALC__LESS)
        for (unsigned i = 0; i < n; i++)
            out[i] = a[i] < b[i];
    else if (how == SKEP_CALC__LESS_EQUAL)
        for (unsigned i = 0; i < n; i++)
            out[i] = a[i] <= b[i];
    else
        for (unsigned i = 0; i < n; i++)
            out[i] = a[i] == b[i];
}

/* Infinities compare with nothing. */
SKEP_CLONES void skep_calc__order_reals(enum skep_calc__order how, const double *restrict a,
                                        const double *restrict b, unsigned n, uint8_t *restrict out)
{
    if (how == SKEP_CALC__LESS)
        for (unsigned i = 0; i < n; i++)
            out[i] = a[i] < b[i];
    else if (how == SKEP_CALC__LESS_EQUAL)
        for (unsigned i = 0; i < n; i++)
            out[i] = a[i] <= b[i];
    else
        for (unsigned i = 0; i < n; i++)
            out[i] = a[i] == b[i];
    for (unsigned i = 0; i < n; i++)
        out[i] &= (fabs(a[i]) <= DBL_MAX) & (fabs(b[i]) <= DBL_MAX);
}

/* The label of each value: ceil((v - min) / size), the first one for the least value; beside them
 * those below and above all. */
SKEP_CLONES void skep_calc__labels_of(const struct skep_calc__buckets *b, const double *restrict v,
                                      const uint8_t *restrict present, unsigned n, uint32_t first,
                                      uint32_t *restrict out)
{
    double min = b->min, max = b->max, size = b->size, last = (double)(b->n_labels - 1);
    for (unsigned i = 0; i < n; i++) {
        double q = present[i] ? (v[i] - min) / size : 0.0; /* I3 */
        q = q > 0.0 ? q : 0.0;
        q = q < last ? q : last;
        int32_t whole = (int32_t)q;
        int32_t at = whole + ((double)whole < q);
        at = at > 1 ? at : 1;
        at = at < (int32_t)last - 1 ? at : (int32_t)last - 1;
        at = v[i] < min ? 0 : at;
        at = v[i] > max ? (int32_t)last : at;
        out[i] = first + (uint32_t)at;
    }
}

SKEP_CLONES void skep_calc__ints_true(const int64_t *restrict v, unsigned n, uint8_t *restrict out)
{
    for (unsigned i = 0; i < n; i++)
        out[i] &= v[i] != 0;
}

SKEP_CLONES void skep_calc__reals_true(const double *restrict v, unsigned n, uint8_t *restrict out)
{
    for (unsigned i = 0; i < n; i++)
        out[i] &= v[i] != 0;
}

SKEP_CLONES void skep_calc__combine_reals(enum skep_calc__operation how, const double *restrict a,
                                          const double *restrict b, unsigned n,
                                          double *restrict out)
{
    if (how == SKEP_CALC__ADD)
        for (unsigned i = 0; i < n; i++)
            out[i] = a[i] + b[i];
    else if (how == SKEP_CALC__SUBTRACT)
        for (unsigned i = 0; i < n; i++)
            out[i] = a[i] - b[i];
    else
        for (unsigned i = 0; i < n; i++)
            out[i] = a[i] * b[i];
}

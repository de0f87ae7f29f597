// SPDX-License-Identifier: Apache-2.0
/* FACETS: which of many differences chance does not explain.
 *
 * Every field is a test, so some look different where nothing is: the share of such false
 * discoveries is held under SKEP_FACET_Q (Benjamini, Hochberg).  Of millions of rows the slightest
 * difference is no chance, so it must also be large enough to be of interest.
 * Threads: the caller's.  Memory: two numbers a field, from the heap. */
#include <stdlib.h>

#include "agg/differ.h"
#include "base/mem.h"
#include "query/query.h"

/* The most telling first. */
static int by_effect(const void *x, const void *y)
{
    const struct skep_facet *a = x, *b = y;
    if (a->significant != b->significant)
        return a->significant ? -1 : 1;
    if (a->effect != b->effect)
        return a->effect > b->effect ? -1 : 1;
    if (a->difference != b->difference)
        return a->difference > b->difference ? -1 : 1;
    return skep_str_cmp(a->name, b->name);
}

void skep_query_judge(struct skep_facets *f)
{
    double *p = skep_alloc_n(double, f->n + 1), *q = skep_alloc_n(double, f->n + 1);
    for (size_t i = 0; i < f->n; i++)
        p[i] = f->facets[i].p;
    skep_differ_adjust(p, q, (unsigned)f->n);
    for (size_t i = 0; i < f->n; i++) {
        struct skep_facet *x = &f->facets[i];
        x->q = q[i];
        x->significant = x->q <= SKEP_FACET_Q && x->effect >= SKEP_FACET_EFFECT;
    }
    if (f->n > 1)
        qsort(f->facets, f->n, sizeof *f->facets, by_effect);
    skep_free(p);
    skep_free(q);
}

// SPDX-License-Identifier: Apache-2.0
/* Durations in fixed buckets: an addition to one of 17 counters and to the sum.
 *
 * Counters are independent: a reader may see a duration in its bucket and not yet in the sum.
 * Threads: any, without locks.  Memory: the caller's. */
#include "base/histogram.h"

#include "base/assert.h"
#include "base/compiler.h"

/* Upper bounds, inclusive; what is longer stands in one more bucket. */
static const int64_t bounds[] = {
    100000,   250000,    500000,    1000000,   2500000,    5000000,    10000000,   25000000,
    50000000, 100000000, 250000000, 500000000, 1000000000, 2500000000, 5000000000, 10000000000,
};
_Static_assert(SKEP_ARRAY_LEN(bounds) == SKEP_HISTOGRAM_BUCKETS - 1, "one bucket more");

void skep_histogram_add(struct skep_histogram *h, int64_t ns)
{
    unsigned i = 0;
    while (i < SKEP_ARRAY_LEN(bounds) && ns > bounds[i])
        i++;
    atomic_fetch_add_explicit(&h->buckets[i], 1, memory_order_relaxed);
    if (ns > 0)
        atomic_fetch_add_explicit(&h->sum_ns, (uint64_t)ns, memory_order_relaxed);
}

void skep_histogram_read(struct skep_histogram *h, struct skep_histogram_sum *ret)
{
    *ret = (struct skep_histogram_sum){.sum_ns =
                                           atomic_load_explicit(&h->sum_ns, memory_order_relaxed)};
    for (unsigned i = 0; i < SKEP_HISTOGRAM_BUCKETS; i++) {
        ret->buckets[i] = atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
        ret->count += ret->buckets[i];
    }
}

int64_t skep_histogram_bound(unsigned i)
{
    skep_assert(i < SKEP_ARRAY_LEN(bounds));
    return bounds[i];
}

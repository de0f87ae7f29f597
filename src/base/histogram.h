// SPDX-License-Identifier: Apache-2.0
/* Durations counted in fixed buckets, 0.1 ms to 10 s: what /metrics shows as histograms. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

enum { SKEP_HISTOGRAM_BUCKETS = 17 };

/* Zero-initialised is empty. */
struct skep_histogram {
    _Atomic uint64_t buckets[SKEP_HISTOGRAM_BUCKETS];
    _Atomic uint64_t sum_ns;
};

/* One moment of it, more or less. */
struct skep_histogram_sum {
    uint64_t buckets[SKEP_HISTOGRAM_BUCKETS]; /* each alone, not cumulated */
    uint64_t count, sum_ns;
};

/* Count one duration; below 0 counts as 0.  Threads: any. */
void skep_histogram_add(struct skep_histogram *h, int64_t ns);
/* count is the sum of the buckets read. */
void skep_histogram_read(struct skep_histogram *h, struct skep_histogram_sum *ret);
/* Upper bound of bucket i in ns; i < SKEP_HISTOGRAM_BUCKETS - 1. */
int64_t skep_histogram_bound(unsigned i);

// SPDX-License-Identifier: Apache-2.0
/* A set of 64-bit keys that answers "certainly not" or "perhaps": a binary fuse filter.
 *
 * T. M. Graf, D. Lemire, "Binary Fuse Filters: Fast and Smaller Than Xor Filters", ACM Journal of
 * Experimental Algorithmics 27 (2022), arXiv:2201.01174.  On disk: docs/formats/segment.md. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"

enum { SKEP_FUSE_KEYS_MAX = 1 << 19, SKEP_FUSE_HEAD_BYTES = 12 };

/* A set as it lies in memory; points into the bytes it was opened from. */
struct skep_fuse {
    const uint8_t *prints;
    uint64_t seed;
    uint32_t first_n; /* the first of a key's three places is below it */
    uint8_t segment_log, bits;
};

/* Bytes that n keys take.  bits: of a fingerprint, 4 or 8; a key that is not in the set is taken
 * for one that is in 1 of 16, or of 256, cases. */
size_t skep_fuse_bytes(uint32_t n, unsigned bits);
/* Memory that put needs while it runs. */
uint64_t skep_fuse_work_bytes(uint32_t n);
/* Append the set of n (1..SKEP_FUSE_KEYS_MAX) distinct keys to out.
 * Returns  false: no seed of those tried makes a set (the keys are not distinct); out as before
 * Threads: any.  The same keys give the same bytes. */
bool skep_fuse_put(const uint64_t *keys, uint32_t n, unsigned bits, struct skep_buf *out);
/* A set at the cursor, which moves behind it.  False: damage. */
bool skep_fuse_open(skep_rd *r, struct skep_fuse *ret);
/* False: the key is certainly not in the set. */
bool skep_fuse_has(const struct skep_fuse *f, uint64_t key);

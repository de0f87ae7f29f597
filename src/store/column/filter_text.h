// SPDX-License-Identifier: Apache-2.0
/* What a text contains, in short: all of its runs of three bytes, and some of its longer ones.
 *
 *   trigrams   a bit for each, by a hash: what lacks one of a needle's lacks the needle
 *   grams      runs of SKEP_GRAM_BYTES bytes, thinned out: of `window` that follow each other the
 *              one with the lowest hash.  A needle of at least SKEP_GRAM_BYTES + window - 1 bytes
 *              has, wherever it stands, the same ones as the text around it
 *
 * S. Schleimer, D. Wilkerson, A. Aiken, "Winnowing: Local Algorithms for Document Fingerprinting",
 * SIGMOD 2003.  ASCII letters count as lower case, so needles of either kind of case are served. */
#pragma once

#include "base/str.h"

enum {
    SKEP_TRIGRAM_BYTES = 3,
    SKEP_TRIGRAM_LOG_MIN = 7,
    SKEP_TRIGRAM_LOG_MAX = 19, /* 64 KiB */
    SKEP_GRAM_BYTES = 6,
    SKEP_GRAM_WINDOW_MAX = 32
};

/* Set the bits of a text's trigrams in a map of 2^SKEP_TRIGRAM_LOG_MAX bits. */
void skep_trigrams_add(uint64_t *map, skep_str s);
/* The map's bits in fewer, as few as leave three of four 0 (the most, when there are more).
 * Returns the logarithm of how many; the map's first words hold them. */
unsigned skep_trigrams_fold(uint64_t *map);
/* Has the map (2^log bits, little-endian bytes) all trigrams of s?  True when s is shorter. */
bool skep_trigrams_have(const uint8_t *map, unsigned log, skep_str s);

/* Called with each gram that is chosen; false ends it. */
typedef bool skep_gram_fn(void *ctx, uint32_t gram);
/* The grams of a text that are chosen, in order, the same one not twice in a row.
 * window   1..SKEP_GRAM_WINDOW_MAX
 * Returns  false: fn did */
bool skep_grams_each(skep_str s, unsigned window, skep_gram_fn *fn, void *ctx);
/* Has the text at least one chosen gram? */
static inline bool skep_grams_any(skep_str s, unsigned window)
{
    return s.n >= SKEP_GRAM_BYTES + (size_t)window - 1;
}

// SPDX-License-Identifier: Apache-2.0
/* Filters of a row group's string columns: docs/formats/segment.md.  Internal to segment_*.c.
 *
 *   values     a set of the values' hashes: = and in
 *   trigrams   the runs of three bytes: contains, starts-with, ends-with, = of long texts
 *   grams      longer runs, in a chunk of its own that is read when the trigrams do not decide */
#pragma once

#include "store/column/filter_hash.h"
#include "store/column/segment.h"
#include "store/column/segment_write.h"

enum {
    SKEP_FILTER_VALUES = 1 << 0,
    SKEP_FILTER_TRIGRAMS = 1 << 1,
    SKEP_FILTER_GRAMS = 1 << 2,
    SKEP_FILTER_KNOWN = SKEP_FILTER_VALUES | SKEP_FILTER_TRIGRAMS | SKEP_FILTER_GRAMS
};

/* A filter chunk, opened; points into its bytes. */
struct skep_filter {
    uint8_t has, trigram_log, window;
    struct skep_fuse values;
    const uint8_t *trigrams;
    struct skep_chunk_ref grams;
    size_t grams_at; /* where that reference stands in the chunk */
};
/* False: damage. */
bool skep_filter_open(skep_bytes b, struct skep_filter *ret);

/* The filter of an entry; length 0: it has none. */
struct skep_chunk_ref skep_filter_ref(const struct skep_segment *seg,
                                      const struct skep_column_entry *e);
void skep_filter_set_ref(struct skep_column_entry *e, const struct skep_chunk_ref *ref);

/* Does the filter rule the value of this hash, or every text with the needle, out?  False where
 * there is no filter, or it cannot be read: then the data decide.  Threads: any. */
bool skep_filter_lacks_value(struct skep_segment *seg, const struct skep_column_entry *e,
                             uint64_t hash);
bool skep_filter_lacks_text(struct skep_segment *seg, const struct skep_column_entry *e,
                            skep_str needle);

/* Writing: what the writer keeps from row group to row group; NULL is fine. */
void skep_segment__free_filters(struct skep_segment_writer *w);
/* Make the filter of a column that was just encoded, where one pays.
 *
 * strs[n]  its values, or those of its dictionary; hashes may be NULL
 * read_bytes  what a look-up would read without a filter */
SKEP_NODISCARD skep_rc skep_segment__put_filter(struct skep_segment_writer *w,
                                                struct skep_column_entry *e, uint32_t slot,
                                                const skep_str *strs, uint32_t n,
                                                uint64_t read_bytes, skep_err *err);

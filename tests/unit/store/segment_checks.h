// SPDX-License-Identifier: Apache-2.0
/* What tests of segments share: a disk in memory, a cache and budgets for each test; segments
 * written and opened; and checks that hold for every segment, however it came to be. */
#pragma once

#include "segment_support.h"
#include "store/column/live.h"

struct segment_fixture {
    uint32_t group_rows; /* of what is written; 0 = as usual */
    struct mem_os *mem;
    const struct skep_os *os;
    struct skep_budget budget, work; /* of the cache, of writes */
    struct skep_cache *cache;
};

int segment_setup(void **state);
int segment_teardown(void **state); /* and nothing is left in the cache's budget */

skep_rc write_segment(struct segment_fixture *f, const char *path,
                      const struct skep_segment_source *sources, unsigned n,
                      struct skep_segment_info *info, skep_err *err);
/* The same, which must work; gives the segment, opened. */
struct skep_rowset *must_write(struct segment_fixture *f, const char *path,
                               const struct skep_segment_source *sources, unsigned n);

/* The rows as text, `step` at a time; the caller frees them. */
struct row_texts texts_of(struct skep_rowset *rs, const struct skep_live *live, unsigned step);

/* The numbers of the rows, ascending; the caller frees them. */
uint64_t *numbers_of(struct skep_rowset *rs);

/* All optional ways of a reader give what read() gives. */
void check_ways(struct skep_rowset *rs);

/* Anchors ascend, a trace stands once, its rows are ordered. */
void check_order(struct skep_rowset *rs);

/* Rows whose number leaves 0 modulo n are dead. */
struct skep_live *some_live(struct skep_rowset *rs, unsigned n);

/* A file's bytes. */
struct skep_buf file_of(struct segment_fixture *f, const char *path);

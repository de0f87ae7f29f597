// SPDX-License-Identifier: Apache-2.0
/* A store on a disk in memory, looked at and mended by the tools: what test_tools.c and
 * test_repair.c share. */
#pragma once

#include "store/tools.h"
#include "support/fault_os.h"
#include "support/store_client.h"

#define DIR "/data"
#define NOW (1790000000ll * 1000000000)

struct world {
    struct mem_os *mem;
    const struct skep_os *os;
    struct skep_column_config cfg;
    struct rnd rnd;
    struct rowlist want;
    struct commit {
        struct rowlist rows;
    } commits[64]; /* by number */
    uint64_t n_rows, n_commits;
    int64_t tag;
    bool logs; /* append logs, not spans */
};

struct found {
    unsigned damages, notes;
    char file[64], text[200]; /* of the first damage */
    uint64_t offset, min_seq, max_seq;
};

struct files {
    char path[32][64];
    unsigned n;
    const char *sub;
};

enum { DELETED = 10 };

/* COUNT of a time. */
struct skep_answer count(struct skep_store *s, struct skep_arena *arena, skep_ts_ns from,
                         skep_ts_ns to);
struct skep_store *open_store(struct world *w);
/* A commit of n rows of one layout. */
void append(struct world *w, struct skep_store *s, uint32_t n);
void flush(struct skep_store *s);
void world_init(struct world *w, uint64_t seed);
void world_done(struct world *w);
/* Segments, and commits in the log behind them. */
void fill(struct world *w, unsigned n_segments, unsigned n_commits);
/* What verify finds; the first damage in *f. */
struct skep_verify_result verify(struct world *w, struct found *f);
void expect_clean(struct world *w);
/* Segments, files of live rows, log, MANIFEST. */
void list_files(struct world *w, struct files *f);
uint64_t size_of(struct world *w, const char *name);
/* One bit of a file of the store. */
void flip(struct world *w, const char *name, uint64_t bit);
/* The first DELETED rows of a commit. */
void delete_some(struct skep_store *s, int64_t commit);
/* Three segments, the first and the last with dead rows. */
void fill_and_delete(struct world *w);
/* Of struct skep_tool; ctx is a struct found. */
void on_found(void *ctx, const struct skep_finding *f);

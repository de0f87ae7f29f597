// SPDX-License-Identifier: Apache-2.0
/* Shared by the files of symbols. */
#pragma once

#include "os/thread.h"
#include "symbols/sourcemap.h"
#include "symbols/symbols.h"
#include "symbols/table.h"

enum { SKEP_SYMBOLS__CACHE = 32 };

/* Something decoded; it lives while somebody uses it or the cache has it. */
struct skep_symbols__loaded {
    uint64_t key;
    unsigned refs;
    uint64_t used; /* the how manyeth use was its last */
    uint64_t bytes;
    struct skep_sourcemap *map; /* one of the two */
    struct skep_symtab table;
    uint8_t *table_bytes;
};

struct skep_symbols {
    struct skep_symbols_config cfg;
    struct skep_budget memory;
    struct skep_mutex lock; /* of all below */
    uint64_t *keys;         /* of what there is, ascending; one for each environment, too */
    size_t n_keys;
    uint64_t reads, read; /* of the database: begun so far, the one that `keys` is from */
    struct skep_symbols__loaded *cache[SKEP_SYMBOLS__CACHE];
    uint64_t uses;
};

/* What is kept under a name; NULL = nothing, or it cannot be read.  Release it. */
struct skep_symbols__loaded *skep_symbols__get(struct skep_symbols *s, skep_str environment,
                                               enum skep_artifact_kind kind, skep_str version,
                                               skep_str name);
/* Is there something under a name?  Never waits. */
bool skep_symbols__has(struct skep_symbols *s, skep_str environment, enum skep_artifact_kind kind,
                       skep_str version, skep_str name);
void skep_symbols__release(struct skep_symbols *s, struct skep_symbols__loaded *l);

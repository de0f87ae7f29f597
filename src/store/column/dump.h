// SPDX-License-Identifier: Apache-2.0
/* The parts of skep dump.  Internal to store/column. */
#pragma once

#include "store/column/rowset.h"
#include "store/tools.h"

struct skep_dump {
    const struct skep_os *os;
    skep_dump_fn *fn;
    void *ctx;
};

static inline struct skep_dump_value skep_dump_u64(const char *key, uint64_t v)
{
    return (struct skep_dump_value){.key = key, .type = SKEP_DUMP_U64, .u = v};
}
static inline struct skep_dump_value skep_dump_hex(const char *key, uint64_t v)
{
    return (struct skep_dump_value){.key = key, .type = SKEP_DUMP_HEX, .u = v};
}
static inline struct skep_dump_value skep_dump_time(const char *key, int64_t v)
{
    return (struct skep_dump_value){.key = key, .type = SKEP_DUMP_TIME, .u = (uint64_t)v};
}
static inline struct skep_dump_value skep_dump_text(const char *key, skep_str v)
{
    return (struct skep_dump_value){.key = key, .type = SKEP_DUMP_TEXT, .s = v};
}

SKEP_NODISCARD skep_rc skep_dump__manifest(const struct skep_dump *d, const char *path,
                                           skep_err *err);
/* An open segment: head, columns. */
SKEP_NODISCARD skep_rc skep_dump__segment(const struct skep_dump *d, struct skep_rowset *rs,
                                          skep_err *err);

// SPDX-License-Identifier: Apache-2.0
/* Names of files in a data directory.  Internal to store/column. */
#pragma once

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/str.h"

typedef struct skep_path {
    char s[1024];
} skep_path;

/* printf into a path; too long a name is a programmer error: the directory's length is checked on
 * open. */
static inline SKEP_PRINTF(1, 2) skep_path skep_path_of(const char *fmt, ...);

#include <stdarg.h>

static inline skep_path skep_path_of(const char *fmt, ...)
{
    skep_path p;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(p.s, sizeof p.s, fmt, ap);
    va_end(ap);
    skep_assert(n > 0 && (size_t)n < sizeof p.s);
    return p;
}

/* "<16 hex digits><suffix>" -> number; false on anything else. */
static inline bool skep_path_number(skep_str name, skep_str suffix, uint64_t *ret)
{
    uint8_t b[8];
    if (name.n != 16 + suffix.n || !skep_str_ends(name, suffix) ||
        !skep_hex_decode((skep_str){name.p, 16}, b, sizeof b))
        return false;
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | b[i];
    *ret = v;
    return true;
}

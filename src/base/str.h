// SPDX-License-Identifier: Apache-2.0
/* Borrowed slices: text and octets.  Values, passed by copy (two registers). */
#pragma once

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct skep_str { /* UTF-8 text unless said otherwise, borrowed, no NUL; p may be NULL if n
                             == 0 */
    const char *p;
    size_t n;
} skep_str;

typedef struct skep_bytes { /* octets, borrowed */
    const uint8_t *p;
    size_t n;
} skep_bytes;

#define SKEP_STR(lit) ((skep_str){"" lit, sizeof(lit) - 1})
/* The same where a constant expression is needed (static tables). */
#define SKEP_STR_INIT(lit)                                                                         \
    {                                                                                              \
        "" lit, sizeof(lit) - 1                                                                    \
    }
#define SKEP_STR_NULL  ((skep_str){NULL, 0})
#define SKEP_STRFMT    "%.*s"
#define SKEP_STRARG(s) (int)(s).n, (s).p ? (s).p : ""

/* A NUL-terminated C string as a slice (the one place that calls strlen on a variable). */
static inline skep_str skep_str_c(const char *s)
{
    return (skep_str){s, s ? strlen(s) : 0};
}

static inline skep_bytes skep_str_bytes(skep_str s)
{
    return (skep_bytes){(const uint8_t *)s.p, s.n};
}

static inline skep_str skep_bytes_str(skep_bytes b)
{
    return (skep_str){(const char *)b.p, b.n};
}

static inline bool skep_str_eq(skep_str a, skep_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Order by bytes, then length: <0, 0, >0. */
int skep_str_cmp(skep_str a, skep_str b);

/* ASCII case-insensitive equality. */
bool skep_str_ieq(skep_str a, skep_str b);

/* Prefix and suffix, bytewise; the empty slice is both of anything. */
bool skep_str_starts(skep_str s, skep_str prefix);
bool skep_str_ends(skep_str s, skep_str suffix);

/* Offset of the first occurrence of `needle`, or SIZE_MAX.  An empty needle is found at 0. */
size_t skep_str_find(skep_str s, skep_str needle);
/* The same without vectors: what it is tested against. */
size_t skep_str_find_portable(skep_str s, skep_str needle);

/* Offset of the first byte `c`, or SIZE_MAX. */
size_t skep_str_chr(skep_str s, char c);

/* s without its first n bytes (n <= s.n). */
static inline skep_str skep_str_skip(skep_str s, size_t n)
{
    return (skep_str){s.p + n, s.n - n};
}

/* s without ASCII blanks at both ends. */
skep_str skep_str_trim(skep_str s);

/* Cut `*s` at the first `sep`: returns what stands before it and moves *s behind it; without a
 * separator returns all and leaves *s empty with p == NULL. */
skep_str skep_str_cut(skep_str *s, char sep);

/* Parse a whole slice; locale-free.  Return false on anything else than exactly one number that
 * fits.  `skep_str_f64` takes JSON-like decimals plus leading sign. */
SKEP_NODISCARD bool skep_str_u64(skep_str s, uint64_t *ret);
SKEP_NODISCARD bool skep_str_i64(skep_str s, int64_t *ret);
SKEP_NODISCARD bool skep_str_f64(skep_str s, double *ret);

/* Hex: `in.n` octets become 2*in.n lower-case digits at out (no NUL).  The inverse takes upper and
 * lower case; false if s.n is odd, longer than 2*cap or holds another character. */
void skep_hex_encode(skep_bytes in, char *out);
SKEP_NODISCARD bool skep_hex_decode(skep_str s, uint8_t *out, size_t cap);

/* True if the bytes are well-formed UTF-8 (no surrogates, no overlong forms). */
bool skep_utf8_valid(skep_str s);

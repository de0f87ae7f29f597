// SPDX-License-Identifier: Apache-2.0
/* Regular expressions of one dialect, whoever asks: RE2's subset of Perl's (no back-references, no
 * looking around, no possessive or atomic groups), over PCRE2.
 *
 * A compiled expression is constant, lives in the arena it was made in and may be used by any
 * number of threads at once. */
#pragma once

#include "base/arena.h"

enum {
    SKEP_LIMIT_REGEX_BYTES = 10000,   /* of the text */
    SKEP_LIMIT_REGEX_REPEAT = 1000,   /* {n,m}, as RE2 has it */
    SKEP_LIMIT_REGEX_GROUPS = 100,    /* that capture */
    SKEP_LIMIT_REGEX_CODE = 256 << 10 /* bytes, compiled */
};

struct skep_regex;

/* Where and why a text is no expression of the dialect. */
struct skep_regex_issue {
    size_t at; /* byte of the text, <= its length */
    char text[160];
};

struct skep_regex_group {
    skep_str name; /* empty = it has none */
};

/* Compile.
 * text       the expression, without delimiters; copied
 * fold_case  letters match in both cases, as after (?i)
 * Returns    SKEP_OK | EINVAL (issue says where; it may be NULL) */
SKEP_NODISCARD skep_rc skep_regex_compile(skep_str text, bool fold_case, struct skep_arena *a,
                                          const struct skep_regex **ret,
                                          struct skep_regex_issue *issue);

/* Does it match anywhere in s?  Exact, and in bounded time: where backtracking would take too
 * long, all ways are followed side by side, in one pass.
 * Returns  SKEP_OK | ELIMIT (even that would take too long; *ret is false)
 * Threads  any */
SKEP_NODISCARD skep_rc skep_regex_test(const struct skep_regex *re, skep_str s, bool *ret);
/* The slow way alone, which gives the same: for tests. */
SKEP_NODISCARD skep_rc skep_regex_test_slowly(const struct skep_regex *re, skep_str s, bool *ret);
/* Has it had to go the slow way so often that a question should give it up?  An expression that
 * lives longer than a question is not asked. */
bool skep_regex_tired(const struct skep_regex *re);
/* Did a test or a search of it ever end in ELIMIT? */
bool skep_regex_gave_up(const struct skep_regex *re);

/* The text it was made of. */
skep_str skep_regex_text(const struct skep_regex *re);
/* A text that whatever matches must hold; empty when none is known.  In the expression's arena. */
skep_str skep_regex_literal(const struct skep_regex *re);
/* The capturing groups: ret[i] is group i + 1. */
const struct skep_regex_group *skep_regex_groups(const struct skep_regex *re, unsigned *ret_n);

/* Find the first match at or behind `from` <= s.n.
 * nth      how many were found in this text before: who looks for all of them has less patience
 *          with each, so that all together are bounded, too
 * spans    spans[2 * i], spans[2 * i + 1]: begin and end of group i (0 = all); SIZE_MAX = took no
 *          part.  Room for 2 * (groups + 1)
 * ret      was there one?
 * Returns  SKEP_OK | ELIMIT (it would take too long, or has done so too often) */
SKEP_NODISCARD skep_rc skep_regex_find(const struct skep_regex *re, skep_str s, size_t from,
                                       size_t nth, size_t *spans, bool *ret);

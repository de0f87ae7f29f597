// SPDX-License-Identifier: Apache-2.0
/* What one types to find errors: words, and fields with values.
 *
 *   level:error -status:muted class:TypeError file:app.py host:web1 version:1.2 "card refused"
 * -timeout
 *
 * A term is [-][field:]value[,value...]; a value with blanks or commas stands in quotes.  Terms
 * hold together, the values of one are alternatives.  What a field is, its user knows. */
#pragma once

#include "lang/honeycomb.h"

enum { SKEP_LIMIT_SEARCH_BYTES = 2000, SKEP_LIMIT_SEARCH_TERMS = 40 };

struct skep_search_value {
    skep_str text; /* without quotes */
    bool quoted;
};
struct skep_search_term {
    skep_str field; /* empty: words */
    struct skep_search_value *values;
    unsigned n_values;
    bool negative;
    size_t at, end; /* of the text */
};
struct skep_search {
    struct skep_search_term *terms;
    unsigned n;
};

/* Read a search.  All of the result lives in the arena.
 * Returns SKEP_OK | EINVAL (issue.at, issue.end: the bytes it is about). */
SKEP_NODISCARD skep_rc skep_lang_search(skep_str text, struct skep_arena *a,
                                        struct skep_search *ret, struct skep_lang_issue *issue);

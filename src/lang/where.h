// SPDX-License-Identifier: Apache-2.0
/* The terminal's short forms as members of a query specification:
 *
 *   service.name = shop AND duration_ms > 100 AND http.route exists AND name in (a, "b c")
 *   P95(duration_ms)    COUNT    COUNT_DISTINCT(user.id)
 *   COUNT desc          service.name
 *
 * A text is one list of tests joined by AND or by OR, not both.  Values are numbers, true, false or
 * words; quoted ("..." or '...', backslash escapes) they are strings. */
#pragma once

#include "lang/honeycomb.h"
#include "wire/json_out.h"

/* One test of a where-text. */
struct skep_where_test {
    skep_str column, op; /* op as in Honeycomb's filters */
    struct skep_where_value {
        skep_str text; /* without quotes and escapes */
        bool quoted;
    } * values;
    unsigned n_values;
};

struct skep_where {
    struct skep_where_test *tests;
    unsigned n;
    bool any; /* joined by OR */
};

/* Returns SKEP_OK | EINVAL (issue.text says what is expected, issue.at where).
 * ret      in the arena */
SKEP_NODISCARD skep_rc skep_lang_where(skep_str text, struct skep_arena *arena,
                                       struct skep_where *ret, struct skep_lang_issue *issue);
/* Write the tests as filter objects into the array at hand. */
void skep_lang_where_json(const struct skep_where *where, struct skep_json *json);

/* "P95(duration_ms)" -> {"op":"P95","column":"duration_ms"}.  Returns SKEP_OK | EINVAL. */
SKEP_NODISCARD skep_rc skep_lang_calc_json(skep_str text, struct skep_json *json,
                                           struct skep_lang_issue *issue);
/* "COUNT desc", "P95(duration_ms)", "service.name asc" -> an order object.
 * Returns SKEP_OK | EINVAL. */
SKEP_NODISCARD skep_rc skep_lang_order_json(skep_str text, struct skep_json *json,
                                            struct skep_lang_issue *issue);

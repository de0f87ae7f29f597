// SPDX-License-Identifier: Apache-2.0
/* Logs Insights: a text of commands joined by "|" -> a pipeline (query/pipe.h).
 *
 * Commands and functions: docs/api/logs-languages.md.  A command that is not known, or known and
 * not done, is refused with its name; nothing is ignored. */
#pragma once

#include "lang/honeycomb.h"
#include "query/pipe.h"

enum { SKEP_LIMIT_INSIGHTS_BYTES = 10000, SKEP_INSIGHTS_ROWS = 10000 /* without a limit */ };

struct skep_insights_opts {
    skep_ts_ns now_ns;
    struct skep_time_range range;
    const skep_str *datasets; /* log groups; none = all, or what SOURCE says */
    unsigned n_datasets;
    unsigned limit; /* 0 = SKEP_INSIGHTS_ROWS; a limit in the text counts, too */
    /* The derived columns of the environment (lang/honeycomb.h): those of all datasets, and those
     * of the log group where one alone is asked. */
    const struct skep_lang_derived *derived;
    unsigned n_derived;
    skep_str account; /* @log is "account:group"; empty: the group alone */
};

struct skep_insights {
    struct skep_pipe *pipe;
    bool table;      /* rows are not rows of the store any more */
    bool has_source; /* SOURCE stands in it */
    skep_str *steps; /* [pipe->n_stages]: the text each stage was made of */
};

/* Read a query.  All of the result lives in the arena.
 * Returns SKEP_OK | EINVAL (issue.at, issue.end: the bytes it is about). */
SKEP_NODISCARD skep_rc skep_lang_insights(skep_str text, const struct skep_insights_opts *opts,
                                          struct skep_arena *a, struct skep_insights *ret,
                                          struct skep_lang_issue *issue);

/* For completion: what the language has. */
struct skep_insights_word {
    skep_str name, syntax, text;
    skep_str family; /* of functions */
    bool aggregate;
};
const struct skep_insights_word *skep_insights_commands(size_t *ret_n);
const struct skep_insights_word *skep_insights_fields(size_t *ret_n);
/* Functions, in the arena. */
void skep_insights_functions(struct skep_arena *a, struct skep_insights_word **ret, size_t *ret_n);

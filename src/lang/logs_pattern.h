// SPDX-License-Identifier: Apache-2.0
/* CloudWatch Logs' filter patterns: a text that selects log messages.
 *
 *   pattern := nothing | terms | '{' json '}' | '[' fields ']'
 *   terms   := (['-' | '?'] (word | '"' text '"' | '%' regex '%'))+
 *   json    := or;  or := and ('||' and)*;  and := prim ('&&' prim)*
 *   prim    := '(' or ')' | selector op value | selector 'IS' ('NULL' | 'TRUE' | 'FALSE')
 *            | selector 'NOT' 'EXISTS'
 *   selector:= '$' ('.' name | '.' '[' quoted ']' | '[' quoted ']' | '[' N ']' | '[*]' | '.*')*
 *   fields  := field (',' field)*;  field := '...' | name | or, with tests of one name
 *   op      := = == != < <= > >=
 *   value   := number | quoted | word | '%' regex '%' | '*'     a '*' in texts stands for any text
 *
 * Words and texts are found anywhere in the message, whatever stands around them.  Where terms
 * with '?' stand among others they are ignored, as CloudWatch does.
 * What a value means: docs/api/logs-languages.md. */
#pragma once

#include "lang/honeycomb.h"

enum {
    SKEP_LIMIT_LOGS_PATTERN = 1024, /* characters */
    SKEP_LIMIT_LOGS_REGEXES = 2,    /* of a JSON or fields pattern */
    SKEP_LIMIT_LOGS_WILDCARDS = 3   /* selectors with [*] or .* */
};

enum skep_logs_kind { SKEP_LOGS_ALL, SKEP_LOGS_TERMS, SKEP_LOGS_JSON, SKEP_LOGS_FIELDS };

/* A pattern: constant, in the arena it was read in; any number of threads at once. */
struct skep_logs_pattern;

/* Read a pattern.  Returns SKEP_OK | EINVAL (issue.at, issue.end: the bytes it is about). */
SKEP_NODISCARD skep_rc skep_logs_pattern_parse(skep_str text, struct skep_arena *a,
                                               const struct skep_logs_pattern **ret,
                                               struct skep_lang_issue *issue);

enum skep_logs_kind skep_logs_pattern_kind(const struct skep_logs_pattern *p);

/* Does the message match?  No memory is kept. */
bool skep_logs_pattern_matches(const struct skep_logs_pattern *p, skep_str message);

/* The same as a filter of a plan over the rows' messages (SKEP_MESSAGE_FIELD), exact: rows without
 * a message do not pass.  Texts that a message must hold stand in it as tests of their own, so that
 * text filters find them.  NULL = every row.  The pattern must live as long as the filter. */
const struct skep_expr *skep_logs_pattern_filter(const struct skep_logs_pattern *p,
                                                 struct skep_arena *a);

/* Read a pattern and let a plan's filter demand it, too: *filter becomes (filter AND pattern).
 * Returns as skep_logs_pattern_parse; issue.field is "pattern". */
SKEP_NODISCARD skep_rc skep_logs_pattern_narrow(skep_str text, struct skep_arena *a,
                                                const struct skep_expr **filter,
                                                struct skep_lang_issue *issue);

/* What a pattern names in a message: "$.latency" -> 120, "$bytes" -> 512.  Values are texts as the
 * message has them, without quotes. */
struct skep_logs_value {
    skep_str name, value;
};

/* Values of all selectors or named fields of the pattern that the message has, in the pattern's
 * order; only for messages that match.  Texts are in the arena. */
void skep_logs_pattern_extract(const struct skep_logs_pattern *p, skep_str message,
                               struct skep_arena *a, struct skep_logs_value **ret, size_t *ret_n);

/* Names of a fields pattern ("" where it has a "..."), for those who explain it. */
void skep_logs_pattern_names(const struct skep_logs_pattern *p, struct skep_arena *a,
                             skep_str **ret, size_t *ret_n);

/* The value of a single selector ("$.latency", "$bytes") or of a name of the pattern in a message:
 * what a metric filter counts.  A JSON selector need not stand in the pattern.
 * Returns false where there is none, or where `selector` is no selector. */
bool skep_logs_pattern_value(const struct skep_logs_pattern *p, skep_str selector, skep_str message,
                             struct skep_arena *a, skep_str *ret);

// SPDX-License-Identifier: Apache-2.0
/* Honeycomb's query specification (JSON) and the page's requests as plans.
 *
 * What the plan cannot carry is refused with a text that says so; no member is ever ignored. */
#pragma once

#include "base/arena.h"
#include "plan/plan.h"

enum skep_lang_code { SKEP_LANG_INVALID, SKEP_LANG_MISSING, SKEP_LANG_INCORRECT_TYPE };

/* Why a request was refused, for people and for problem+json's type_detail. */
struct skep_lang_issue {
    skep_rc rc; /* EMALFORMED: not JSON (HTTP 400); EINVAL: JSON, but not a request (HTTP 422) */
    enum skep_lang_code code;
    bool has_at;
    size_t at;       /* byte offset, of malformed JSON or of a text */
    size_t end;      /* of a text: the bytes [at, end) are wrong; 0 = not known */
    char field[160]; /* "filters[0].op"; empty = the whole */
    char text[232];
};

/* "invalid", "missing", "incorrect_type". */
skep_str skep_lang_code_name(enum skep_lang_code code);
/* HTTP status of an issue: 400 or 422. */
int skep_lang_http_status(const struct skep_lang_issue *issue);

/* A derived column: an expression over columns, under a name. */
struct skep_lang_derived {
    skep_str alias, expression;
    skep_str dataset; /* name or slug of the one it is of; empty or "__all__" = of all */
};

struct skep_lang_opts {
    skep_ts_ns now_ns;
    /* The derived columns of the environment: a request may name those of its dataset, which count
     * first, and those of all.  Borrowed for the call. */
    const struct skep_lang_derived *derived;
    unsigned n_derived;
    bool page;        /* accept the page's members: dataset, heatmap */
    skep_str dataset; /* from the URL; "__all__" or empty = all; the page's `dataset` wins */
    enum skep_heat_scale heat_scale; /* of HEATMAP where the request says nothing */
    unsigned heat_bins;              /* likewise; 0 = 40 */
    bool disable_series;             /* beside the specification's own */
    unsigned limit;                  /* > 0: instead of the specification's */
};

/* Read a query specification.
 *
 * json     the specification, at most a few hundred KB; borrowed for the call
 * ret      an AGGREGATE plan in the arena that passes skep_plan_check
 * Returns  SKEP_OK | EMALFORMED | EINVAL; then `issue` is filled
 * Threads  any */
SKEP_NODISCARD skep_rc skep_lang_honeycomb(skep_bytes json, const struct skep_lang_opts *opts,
                                           struct skep_arena *arena, const struct skep_plan **ret,
                                           struct skep_lang_issue *issue);

/* The same specification as canonical JSON text in the arena: known members in a fixed order, `id`
 * and members that are null left out.  Equal texts ask the same question. Returns as
 * skep_lang_honeycomb, but checks the form only. */
SKEP_NODISCARD skep_rc skep_lang_honeycomb_text(skep_bytes json, struct skep_arena *arena,
                                                skep_str *ret, struct skep_lang_issue *issue);

/* Body of POST /skep/v1/rows -> a ROWS plan.  Returns as skep_lang_honeycomb. */
SKEP_NODISCARD skep_rc skep_lang_rows(skep_bytes json, const struct skep_lang_opts *opts,
                                      struct skep_arena *arena, const struct skep_plan **ret,
                                      struct skep_lang_issue *issue);
/* Body of POST /skep/v1/patterns -> a ROWS plan, and how much earlier the lines are that they are
 * compared with (compare_time_offset_seconds; 0 = none).  Returns as skep_lang_honeycomb. */
SKEP_NODISCARD skep_rc skep_lang_patterns(skep_bytes json, const struct skep_lang_opts *opts,
                                          struct skep_arena *arena, const struct skep_plan **ret,
                                          int64_t *ret_earlier_ns, struct skep_lang_issue *issue);
/* Body of POST /skep/v1/delete -> a ROWS plan with the rows to delete, and whether to.  A time
 * range must be in it.  Returns as skep_lang_honeycomb. */
struct skep_lang_confirm {
    enum { SKEP_CONFIRM_NO, SKEP_CONFIRM_ROWS, SKEP_CONFIRM_ANY } how;
    uint64_t rows; /* ROWS: so many and no others */
};
SKEP_NODISCARD skep_rc skep_lang_delete(skep_bytes json, const struct skep_lang_opts *opts,
                                        struct skep_arena *arena, const struct skep_plan **ret,
                                        struct skep_lang_confirm *ret_confirm,
                                        struct skep_lang_issue *issue);
/* Body of POST /skep/v1/facets -> a FACETS plan.  One group called "*": every column; who runs the
 * plan puts their names there.  Returns as skep_lang_honeycomb. */
SKEP_NODISCARD skep_rc skep_lang_facets(skep_bytes json, const struct skep_lang_opts *opts,
                                        struct skep_arena *arena, const struct skep_plan **ret,
                                        struct skep_lang_issue *issue);
/* Body of POST /skep/v1/traces -> a TRACES plan, and what a plan cannot say of whole traces.
 * ret_narrow NULL = members that say such things are refused.  Returns as skep_lang_honeycomb. */
struct skep_lang_narrow {
    skep_str expression;   /* X-Ray's filter expression, not looked at; empty = none */
    double min_ms, max_ms; /* whole durations, min <= d < max; 0 and infinity without */
    bool has_duration;
    bool distribution; /* the durations are asked for */
};
SKEP_NODISCARD skep_rc skep_lang_traces(skep_bytes json, const struct skep_lang_opts *opts,
                                        struct skep_arena *arena, const struct skep_plan **ret,
                                        struct skep_lang_narrow *ret_narrow,
                                        struct skep_lang_issue *issue);

/* Would this be a derived column?  Others of opts may be used in it.
 * Returns SKEP_OK | EINVAL (issue.field is "alias" or "expression", with the bytes that are wrong).
 */
SKEP_NODISCARD skep_rc skep_lang_derived_check(const struct skep_lang_opts *opts, skep_str alias,
                                               skep_str expression, struct skep_arena *arena,
                                               struct skep_lang_issue *issue);

/* May a question about that dataset (a name or slug; empty = all) name it? */
bool skep_lang_derived_serves(const struct skep_lang_derived *d, skep_str dataset);

/* One test given as texts (query strings); `in` and `not-in` take a comma-separated list.
 * Returns SKEP_OK | EINVAL (issue.field is "column", "op" or "value"). */
SKEP_NODISCARD skep_rc skep_lang_test(skep_str column, skep_str op, skep_str value,
                                      struct skep_arena *arena, const struct skep_expr **ret,
                                      struct skep_lang_issue *issue);

/* A time range given as texts of unix seconds; an empty text is an absent one.  Without both the
 * range is everything up to now + 1 day.  Returns SKEP_OK | EINVAL (issue.field is "start" or
 * "end"). */
SKEP_NODISCARD skep_rc skep_lang_range(skep_str start, skep_str end, skep_ts_ns now_ns,
                                       struct skep_time_range *ret, struct skep_lang_issue *issue);

/* "12-7" <-> row id. */
SKEP_NODISCARD bool skep_lang_row_id(skep_str text, skep_row_id *ret);
/* 32 (or 16) hex digits, dashes of UUIDs and X-Ray's "1-8-24" form too. */
SKEP_NODISCARD bool skep_lang_trace_id(skep_str text, skep_trace_id *ret);

/* "__all__" and "" are all datasets: returns "" for both, else the name. */
skep_str skep_lang_dataset(skep_str name);

enum {
    SKEP_LIMIT_LANG_FILTERS = 100,
    SKEP_LIMIT_LANG_VALUES = 1000, /* in one `in` */
    SKEP_LIMIT_LANG_ALIAS = 255,
    SKEP_LIMIT_LANG_ROWS = 10000,
    SKEP_LIMIT_LANG_FACET_VALUES = 1000,
    SKEP_LIMIT_LANG_TRACES = 1000,
    SKEP_LIMIT_LANG_COMPARED_S = 2000000000 /* how much earlier, in seconds */
};

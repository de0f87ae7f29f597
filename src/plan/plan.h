// SPDX-License-Identifier: Apache-2.0
/* The question as pure data: what every language narrows to and every engine answers.
 *
 * A plan and all it points to live in one arena; nothing here computes. */
#pragma once

#include "base/arena.h"
#include "event/event.h"

/* Whose field, or whose expression: a row's relatives inside its trace.
 *
 * A relative is always a span; the row that is asked about may be of any kind, if it has a trace
 * id. "First" is by (start, row id).
 *
 *   ROOT        the first span without a parent id
 *   PARENT      the first span whose id is the row's parent id; for an event, a link or a log the
 * span it belongs to.  A span is not its own parent CHILD       spans whose parent the row is ANY
 * every span of the trace, the row itself too ANCESTOR    the parent, its parent ... each once,
 * never the row itself: a cycle ends there DESCENDANT  spans of which the row is an ancestor
 *   SIBLING     other spans with the same parent (one that is there)
 *
 * Relatives are looked for in the whole trace, whatever the plan's range and dataset. */
enum skep_relation {
    SKEP_REL_SELF,
    SKEP_REL_ROOT,
    SKEP_REL_PARENT,
    SKEP_REL_CHILD,
    SKEP_REL_ANY,
    SKEP_REL_ANCESTOR,
    SKEP_REL_DESCENDANT,
    SKEP_REL_SIBLING,
    SKEP_REL_COUNT
};

struct skep_expr;

/* A field of the row or of a relative.  Without such a relative the field is absent. */
struct skep_field_ref {
    skep_str name;  /* canonical name; "*" in a CONTAINS test = any string field */
    skep_str label; /* what results call it ("root.name"); empty = name */
    enum skep_relation relation;
    /* CHILD, ANY: of several the first that passes; NULL = the first.  SELF, of a group: absent of
     * rows that do not pass */
    const struct skep_expr *on;
    /* Of a group: instead of a field the number (INT, from 0) of the first of these that the row or
     * relative passes; absent where it passes none.  `name` is then what results call it */
    const struct skep_expr *const *cases;
    unsigned n_cases; /* 0 = a field */
};
/* What results call the field. */
static inline skep_str skep_field_label(const struct skep_field_ref *f)
{
    return f->label.n > 0 ? f->label : f->name;
}
/* Do both name the same field of the same relative? */
bool skep_field_same(const struct skep_field_ref *a, const struct skep_field_ref *b);

enum skep_cmp {
    SKEP_CMP_EQ, /* any of the values: IN is the same */
    SKEP_CMP_NE, /* none of the values; true for absent fields, like all negative ones */
    SKEP_CMP_LT,
    SKEP_CMP_LE,
    SKEP_CMP_GT,
    SKEP_CMP_GE,
    SKEP_CMP_STARTS,
    SKEP_CMP_NOT_STARTS,
    SKEP_CMP_ENDS,
    SKEP_CMP_NOT_ENDS,
    SKEP_CMP_CONTAINS,
    SKEP_CMP_NOT_CONTAINS,
    SKEP_CMP_EXISTS,
    SKEP_CMP_NOT_EXISTS,
    SKEP_CMP_MATCHES, /* the test's matcher decides about a text */
    SKEP_CMP_NOT_MATCHES,
    SKEP_CMP_COUNT
};

/* NE, NOT_STARTS, NOT_ENDS, NOT_CONTAINS, NOT_EXISTS, NOT_MATCHES: the exact contrary of their
 * positive twins, so they hold for rows without the field. */
bool skep_cmp_negative(enum skep_cmp op);
/* The positive twin of a negative operator; itself of a positive one. */
enum skep_cmp skep_cmp_positive(enum skep_cmp op);

/* Decides whether a text passes a MATCHES test: a regular expression (plan/match.h), or what a
 * language makes of its own.  Constant, in the plan's arena; from any number of threads at once.
 * Kind and the test's value say all about it: where both are the same, it decides alike. */
struct skep_matcher {
    skep_str kind; /* "regex", "logs-pattern" */
    bool (*passes)(const struct skep_matcher *m, skep_str s);
    /* Set by passes() where it cannot decide in bounded time: the question fails then. */
    _Atomic bool gave_up;
};

/* A test of one field.  int64 and double compare exactly with each other; a string never equals a
 * number (a language that wants "200" to match 200 puts both into values).  Order comparisons
 * take one
 * value: number against numbers, string against strings (bytewise); another type never matches.
 * String comparisons look inside arrays: true if any element matches.  EQ looks inside arrays
 * too. */
struct skep_test {
    struct skep_field_ref field;
    enum skep_cmp op;
    const skep_value *values;
    unsigned n_values;
    bool fold_case;                     /* string comparisons ignore ASCII case */
    const struct skep_matcher *matcher; /* MATCHES: of values[0], a text */
};

enum skep_expr_op {
    SKEP_EXPR_TRUE,
    SKEP_EXPR_AND,
    SKEP_EXPR_OR,
    SKEP_EXPR_NOT,
    SKEP_EXPR_TEST,
    SKEP_EXPR_RELATED, /* some relative of that kind passes kids[0] */
    SKEP_EXPR_LASTS, /* the row's trace, from the first start of its spans to their last end, lasts
                      * so many milliseconds: `test`, EQ LT LE GT GE of one number */
    SKEP_EXPR_SAME   /* there is the relative, and it and the row have the same value, or both none,
                      * of a field (`same`: of the root or parent) */
};

/* The same expression may stand in several places of a plan (one pointer): its tests and relations
 * count once, and an engine may answer it once. */
struct skep_expr {
    enum skep_expr_op op;
    struct skep_expr *const *kids; /* AND, OR: n_kids >= 1; NOT, RELATED: 1 */
    unsigned n_kids;
    struct skep_test test;       /* TEST: of the row, its root or its parent; LASTS: of no field */
    enum skep_relation relation; /* RELATED: not SELF */
    struct skep_field_ref same;  /* SAME */
};

enum skep_agg_op {
    SKEP_AGG_COUNT, /* rows (weighted); with a field: rows where it is present */
    SKEP_AGG_SUM,
    SKEP_AGG_AVG,
    SKEP_AGG_MIN, /* unweighted; numbers */
    SKEP_AGG_MAX,
    SKEP_AGG_COUNT_DISTINCT, /* unweighted; any type, keys keep their type */
    SKEP_AGG_PERCENTILE,     /* param = 0..100 */
    SKEP_AGG_HEATMAP,
    SKEP_AGG_RATE_AVG, /* difference of AVG between neighbouring buckets, per second */
    SKEP_AGG_RATE_SUM,
    SKEP_AGG_RATE_MAX,
    SKEP_AGG_CONCURRENCY, /* spans in flight: per bucket the time-weighted mean */
    SKEP_AGG_OP_COUNT
};

enum { SKEP_AGG_EXACT = 65536 };

enum skep_heat_scale { SKEP_HEAT_LOG, SKEP_HEAT_LINEAR };

struct skep_agg {
    enum skep_agg_op op;
    struct skep_field_ref field;    /* name.n == 0: none */
    const struct skep_expr *filter; /* of this aggregate alone; NULL = none */
    skep_str key;                   /* name in results: "COUNT", "P99(duration_ms)" */
    double param;
    uint32_t exact; /* COUNT_DISTINCT: counted exactly up to so many values; 0 = SKEP_AGG_EXACT */
    enum skep_heat_scale heat_scale;
    unsigned heat_bins; /* wanted; 0 = 40 */
    /* LINEAR heatmaps: what the bins cover.  skep_query_aggregate finds it in a first pass and
     * sets it;
     * an engine refuses a linear heatmap without (heat_max > heat_min). */
    double heat_min, heat_max;
};

struct skep_order {
    bool by_agg; /* else by group */
    unsigned index;
    bool descending;
};

struct skep_having {
    unsigned agg;     /* index; behind the aggregates, of formulas */
    enum skep_cmp op; /* EQ NE LT LE GT GE */
    double value;
};

struct skep_time_range {
    skep_ts_ns start_ns; /* inclusive */
    skep_ts_ns end_ns;   /* exclusive; > start_ns */
};

enum skep_plan_kind {
    SKEP_PLAN_AGGREGATE,
    SKEP_PLAN_ROWS,   /* raw rows */
    SKEP_PLAN_TRACES, /* trace summaries */
    SKEP_PLAN_TRACE,  /* all rows of one trace */
    SKEP_PLAN_ROW,    /* one row by id */
    SKEP_PLAN_FIELDS, /* names, types, scopes and row counts */
    SKEP_PLAN_DATASETS,
    SKEP_PLAN_FACETS /* how the values of many fields differ between a selection and the rest */
};

/* A value that each row's own fields are computed into: wherever the plan names `name`, this is
 * meant, and no stored field of that name. */
struct skep_calc;
enum skep_computed_what {
    SKEP_COMPUTED_FIELD,    /* a field, stored or computed by an earlier one of the plan */
    SKEP_COMPUTED_TIME,     /* when the row's event began, seconds since 1970 (DOUBLE) */
    SKEP_COMPUTED_RECEIVED, /* when it came in */
    SKEP_COMPUTED_RANDOM,   /* a number of [0, 1) that the row keeps */
    SKEP_COMPUTED_TIME_MS,  /* as an instant of src/calc: milliseconds (INT) */
    SKEP_COMPUTED_RECEIVED_MS
};
struct skep_computed_input {
    enum skep_computed_what what;
    skep_str name; /* FIELD */
};
struct skep_computed {
    skep_str name;
    /* Says all about the expression: where texts and inputs are the same, it computes the same. */
    skep_str text;
    const struct skep_calc *calc; /* its columns are the inputs */
    bool loose; /* how it is evaluated (calc/calc.h); inputs are then null where they are EMPTY or
                 * BYTES */
    const struct skep_computed_input *inputs;
    unsigned n_inputs;
};

/* A number out of a group's aggregates, by an expression; null where there is none. */
struct skep_formula {
    skep_str key; /* name in results */
    const struct skep_calc *calc;
    const unsigned *aggs; /* the column of each input: an index of `aggs`, no HEATMAP */
    unsigned n_aggs;
};

enum skep_traces_sort { SKEP_TRACES_RECENT, SKEP_TRACES_SLOW, SKEP_TRACES_ERRORS };

struct skep_plan {
    enum skep_plan_kind kind;
    struct skep_time_range range;
    skep_str dataset;                     /* empty = all; matched case-folded */
    const struct skep_expr *filter;       /* NULL = all rows */
    const struct skep_computed *computed; /* names are distinct */
    unsigned n_computed;
    /* FACETS: the rows that pass the filter are compared by this; `groups` are the fields, of the
     * row itself, `limit` the values of each that are answered */
    const struct skep_expr *selection;
    /* AGGREGATE */
    const struct skep_field_ref *groups;
    unsigned n_groups;
    const struct skep_agg *aggs;
    unsigned n_aggs;
    /* Indexes of orders and havings go on behind the aggregates: n_aggs is the first formula. */
    const struct skep_formula *formulas;
    unsigned n_formulas;
    const struct skep_order *orders;
    unsigned n_orders;
    const struct skep_having *havings;
    unsigned n_havings;
    int64_t granularity_ns;  /* 0 = totals only, no series */
    bool ignore_sample_rate; /* usage_mode */
    /* > 0: whoever asked wants the same of a range so much earlier, too (skep_query_compare) */
    int64_t compare_offset_ns;
    /* AGGREGATE, ROWS, TRACES, FIELDS */
    unsigned limit; /* 0 = the kind's default */
    /* ROWS */
    const struct skep_field_ref *columns; /* n_columns == 0: all fields */
    unsigned n_columns;
    bool raw;          /* all fields, SKEP_RAW_FIELD among them; also TRACE, ROW, FIELDS */
    bool only_present; /* of `columns` (at most 32 then), a row lists only those it has */
    bool bare;         /* of the row itself only time, arrival, id and dataset are filled */
    bool oldest_first;
    bool has_cursor; /* continue behind this row */
    skep_ts_ns cursor_time_ns;
    skep_row_id cursor_id;
    bool arrival_order; /* by row id instead of time: tail */
    /* TRACES */
    enum skep_traces_sort sort;
    /* TRACE, ROW */
    skep_trace_id trace_id;
    skep_row_id row_id;
    /* AGGREGATE, set by skep_query_aggregate: */
    /* [n_only_groups * n_groups]: rows of other groups are left out */
    const skep_value *only_groups;
    size_t n_only_groups; /* 0 = all groups */
    uint32_t max_cells;   /* more (group, bucket) cells: ELIMIT; 0 = the budget decides */
};

/* Tests whether a plan obeys its own rules (indexes in range, range not empty, limits).
 * Returns SKEP_OK | SKEP_EINVAL (err says which). */
SKEP_NODISCARD skep_rc skep_plan_check(const struct skep_plan *p, skep_err *err);

/* Columns of a result's values: aggregates, then formulas. */
static inline unsigned skep_plan_n_values(const struct skep_plan *p)
{
    return p->n_aggs + p->n_formulas;
}
/* The first column that is shown: formulas stand instead of the aggregates they are made of. */
static inline unsigned skep_plan_first_value(const struct skep_plan *p)
{
    return p->n_formulas > 0 ? p->n_aggs : 0;
}
/* What results call a column. */
static inline skep_str skep_plan_value_key(const struct skep_plan *p, unsigned value)
{
    return value < p->n_aggs ? p->aggs[value].key : p->formulas[value - p->n_aggs].key;
}
/* Is the column a heatmap? */
static inline bool skep_plan_value_heat(const struct skep_plan *p, unsigned value)
{
    return value < p->n_aggs && p->aggs[value].op == SKEP_AGG_HEATMAP;
}

/* The computed field of that name, NULL when there is none. */
const struct skep_computed *skep_plan_computed(const struct skep_plan *p, skep_str name);

/* The server's own telemetry stands in datasets that begin with "_skep" and is hidden from plans
 * over all datasets.  Does this plan see it?  Those that name such a dataset, a trace or a row do.
 */
bool skep_plan_shows_own(const struct skep_plan *p);

enum {
    SKEP_LIMIT_PLAN_AGGS = 100,
    SKEP_LIMIT_PLAN_GROUPS = 100,
    SKEP_LIMIT_PLAN_PRESENT = 32,
    SKEP_LIMIT_PLAN_TESTS = 1000,
    SKEP_LIMIT_PLAN_BUCKETS = 4096,
    SKEP_LIMIT_PLAN_RESULT_GROUPS = 10000,
    SKEP_LIMIT_PLAN_DEPTH = 100,    /* of a filter */
    SKEP_LIMIT_PLAN_VALUES = 10000, /* of one test */
    SKEP_LIMIT_PLAN_ROWS = 1000000,
    SKEP_LIMIT_PLAN_HEAT_BINS = 1000,
    SKEP_LIMIT_PLAN_COMPUTED = 200,
    SKEP_LIMIT_PLAN_NESTED = 16,          /* computed fields of computed fields */
    SKEP_LIMIT_PLAN_INPUTS = 256,         /* of one */
    SKEP_LIMIT_PLAN_CASES = 16,           /* of one group */
    SKEP_LIMIT_PLAN_FACET_VALUES = 65536, /* distinct; a field with more is only named */
    SKEP_LIMIT_PLAN_RELATIONS = 32        /* tests and expressions of relatives, related fields */
};

/* Canonical spelling of an aggregate: "P99", "COUNT_DISTINCT" ...; percentiles by param. */
skep_str skep_agg_op_name(enum skep_agg_op op, double param);
/* The inverse; false when unknown.  P001 P01 P05 P10 P20 P25 P50 P75 P80 P90 P95 P99 P999 ->
 * param. */
SKEP_NODISCARD bool skep_agg_op_parse(skep_str name, enum skep_agg_op *ret_op, double *ret_param);

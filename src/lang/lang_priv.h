// SPDX-License-Identifier: Apache-2.0
/* Shared by the files of src/lang: the request being read, with the path for error messages. */
#pragma once

#include <stdarg.h>
#include <yyjson.h>

#include "lang/honeycomb.h"

/* Whose column: relations.c. */
enum skep_lang__prefix {
    SKEP_LANG__OWN,
    SKEP_LANG__ROOT,
    SKEP_LANG__PARENT,
    SKEP_LANG__CHILD,
    SKEP_LANG__ANY,
    SKEP_LANG__ANY2,
    SKEP_LANG__ANY3,
    SKEP_LANG__NONE,
    SKEP_LANG__PREFIXES
};

/* A calculated field as the request defines it. */
struct skep_lang__calculated {
    skep_str name, expression;
};
struct skep_lang__reading;

struct skep_lang__q {
    struct skep_arena *arena;
    const struct skep_lang_opts *opts;
    struct skep_lang_issue *issue;
    char path[160];
    size_t path_n;
    unsigned n_tests;
    /* By prefix: what the filters read last say of one span of that prefix; NULL = nothing. */
    const struct skep_expr *found[SKEP_LANG__PREFIXES];
    skep_str dataset; /* of the plan; empty = all */
    /* calculated.c: definitions of the request, and what the plan computes so far */
    struct skep_lang__calculated *calculated;
    unsigned n_calculated;
    struct skep_computed *computed;
    unsigned n_computed;
    struct skep_lang__reading *reading;
};

/* Fill the issue with the current path; returns EINVAL. */
skep_rc skep_lang__refuse(struct skep_lang__q *q, enum skep_lang_code code, const char *fmt,
                          ...) SKEP_COLD SKEP_PRINTF(3, 4);

/* Fill the issue of a text: the byte where something else was expected, and what; returns EINVAL.
 */
skep_rc skep_lang__mistake(struct skep_lang_issue *issue, size_t at, const char *fmt,
                           va_list ap) SKEP_COLD SKEP_PRINTF(3, 0);

/* Extend the path by ".key" or "[i]"; returns the length to go back to. */
size_t skep_lang__enter(struct skep_lang__q *q, const char *key);
size_t skep_lang__enter_index(struct skep_lang__q *q, size_t i);
static inline void skep_lang__leave(struct skep_lang__q *q, size_t mark)
{
    q->path_n = mark;
}

/* Every member of `obj` is one of keys[n], or EINVAL. */
skep_rc skep_lang__known(struct skep_lang__q *q, yyjson_val *obj, const char *const *keys,
                         size_t n);
/* A member, NULL when absent or null. */
yyjson_val *skep_lang__get(yyjson_val *obj, const char *key);
/* A string member; empty slice when absent. */
skep_rc skep_lang__str(struct skep_lang__q *q, yyjson_val *obj, const char *key, skep_str *ret);
/* An array member of at most `max` items; NULL when absent. */
skep_rc skep_lang__list(struct skep_lang__q *q, yyjson_val *obj, const char *key, size_t max,
                        yyjson_val **ret);
/* A column name: not empty, not too long.  The field refers to root or parent where the prefix says
 * so.  Path points at it; text stays. */
skep_rc skep_lang__column(struct skep_lang__q *q, skep_str text, struct skep_field_ref *ret,
                          enum skep_lang__prefix *ret_prefix);
/* The same of a name that is given, not used. */
skep_rc skep_lang__column_name(struct skep_lang__q *q, skep_str text, struct skep_field_ref *ret,
                               enum skep_lang__prefix *ret_prefix);
/* The same of a breakdown or calculation: one value a row, also of a child or any span. */
skep_rc skep_lang__value_column(struct skep_lang__q *q, skep_str text, struct skep_field_ref *ret);
/* The same without relations. */
skep_rc skep_lang__own_column(struct skep_lang__q *q, skep_str text, struct skep_field_ref *ret);
/* A test of some span of that prefix, or of none. */
struct skep_expr *skep_lang__relate(struct skep_lang__q *q, enum skep_lang__prefix prefix,
                                    struct skep_expr *kid);
/* Join the tests of a list; under AND those of one prefix hold on one span.  Sets q->found. */
struct skep_expr *skep_lang__combine(struct skep_lang__q *q, enum skep_expr_op op,
                                     struct skep_expr **tests,
                                     const enum skep_lang__prefix *prefixes_of, unsigned n);
/* A JSON string in the arena. */
skep_str skep_lang__text(struct skep_lang__q *q, yyjson_val *v);

/* filters, filter_combination and and_filters of `obj` -> *ret, NULL when there are none. */
skep_rc skep_lang__filters(struct skep_lang__q *q, yyjson_val *obj, const struct skep_expr **ret);
/* The page's member `pattern`: *filter holds for it, too. */
skep_rc skep_lang__pattern(struct skep_lang__q *q, yyjson_val *obj,
                           const struct skep_expr **filter);
/* One test, of a span of *ret_prefix. */
skep_rc skep_lang__filter(struct skep_lang__q *q, skep_str column, skep_str op, yyjson_val *value,
                          struct skep_expr **ret, enum skep_lang__prefix *ret_prefix);

/* calculations, breakdowns, orders, havings of `obj` -> plan. */
skep_rc skep_lang__calculations(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan);
skep_rc skep_lang__breakdowns(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan);
skep_rc skep_lang__orders(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan);
skep_rc skep_lang__havings(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan);

/* A literal and all it converts to without loss: at most 3 values into out.  Path points at it. */
enum { SKEP_LANG__FORMS = 3 };
skep_rc skep_lang__literal(struct skep_lang__q *q, yyjson_val *v, skep_value out[SKEP_LANG__FORMS],
                           unsigned *ret_n);
/* The text of a string, number or boolean. */
skep_rc skep_lang__literal_text(struct skep_lang__q *q, yyjson_val *v, skep_str *ret);

/* calculated_fields of `obj`, before anything names one. */
skep_rc skep_lang__calculated(struct skep_lang__q *q, yyjson_val *obj);
/* If the name is a calculated field or derived column, the plan computes it. */
skep_rc skep_lang__calculate(struct skep_lang__q *q, skep_str name);
/* formulas of `obj` -> plan, behind its calculations. */
skep_rc skep_lang__formulas(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan);

/* start_time, end_time, time_range of `obj`. */
skep_rc skep_lang__times(struct skep_lang__q *q, yyjson_val *obj, struct skep_time_range *ret);

/* Text -> tree with an object on top; no text is {}.  The caller frees the document. */
skep_rc skep_lang__parse(struct skep_lang__q *q, skep_bytes json, yyjson_doc **ret);
/* An integer member in [1, max]; 0 when absent. */
skep_rc skep_lang__count(struct skep_lang__q *q, yyjson_val *obj, const char *key, unsigned max,
                         unsigned *ret);
/* `dataset` of the request, else the URL's. */
skep_rc skep_lang__dataset(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan);
/* What the plan computes, and its own rules. */
skep_rc skep_lang__whole(struct skep_lang__q *q, struct skep_plan *plan);

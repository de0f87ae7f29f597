// SPDX-License-Identifier: Apache-2.0
/* Shared by the files of src/lang: the request being read, with the path for error messages. */
#pragma once

#include <yyjson.h>

#include "lang/honeycomb.h"

struct skep_lang__q {
    struct skep_arena *arena;
    const struct skep_lang_opts *opts;
    struct skep_lang_issue *issue;
    char path[160];
    size_t path_n;
    unsigned n_tests;
};

/* Fill the issue with the current path; returns EINVAL. */
skep_rc skep_lang__refuse(struct skep_lang__q *q, enum skep_lang_code code, const char *fmt,
                          ...) SKEP_COLD SKEP_PRINTF(3, 4);

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
/* A column name: not empty, not too long, without a relational prefix.  Path points at it. */
skep_rc skep_lang__column(struct skep_lang__q *q, skep_str name);
/* A JSON string in the arena. */
skep_str skep_lang__text(struct skep_lang__q *q, yyjson_val *v);

/* filters and filter_combination of `obj` -> *ret, NULL when there are none. */
skep_rc skep_lang__filters(struct skep_lang__q *q, yyjson_val *obj, const struct skep_expr **ret);
/* One test. */
skep_rc skep_lang__filter(struct skep_lang__q *q, skep_str column, skep_str op, yyjson_val *value,
                          struct skep_expr **ret);

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

/* start_time, end_time, time_range of `obj`. */
skep_rc skep_lang__times(struct skep_lang__q *q, yyjson_val *obj, struct skep_time_range *ret);

/* Text -> tree with an object on top; no text is {}.  The caller frees the document. */
skep_rc skep_lang__parse(struct skep_lang__q *q, skep_bytes json, yyjson_doc **ret);
/* An integer member in [1, max]; 0 when absent. */
skep_rc skep_lang__count(struct skep_lang__q *q, yyjson_val *obj, const char *key, unsigned max,
                         unsigned *ret);
/* `dataset` of the request, else the URL's. */
skep_rc skep_lang__dataset(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan);
/* The plan's own rules. */
skep_rc skep_lang__whole(struct skep_lang__q *q, const struct skep_plan *plan);

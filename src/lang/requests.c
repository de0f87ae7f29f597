// SPDX-License-Identifier: Apache-2.0
/* The page's other requests -> plans: raw rows, trace summaries, single tests, ids.
 *
 * A cursor is "<time_ns>.<seq>-<ordinal>": where the last answer ended.
 * Threads: none of its own.  Memory: the request's arena. */
#include <math.h>

#include "base/assert.h"
#include "lang/lang_priv.h"

bool skep_lang_row_id(skep_str text, skep_row_id *ret)
{
    skep_row_id id;
    uint64_t ordinal;
    skep_str seq = skep_str_cut(&text, '-');
    if (!skep_str_u64(seq, &id.seq) || !skep_str_u64(text, &ordinal))
        return false;
    if (id.seq == 0 || ordinal > UINT32_MAX)
        return false;
    id.ordinal = (uint32_t)ordinal;
    *ret = id;
    return true;
}

bool skep_lang_trace_id(skep_str text, skep_trace_id *ret)
{
    char digits[32];
    size_t n = 0;
    static const skep_trace_id none;
    bool xray = text.n == 35 && text.p[0] == '1' && text.p[1] == '-';
    if (xray)
        text = skep_str_skip(text, 2);
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '-')
            continue;
        if (n == sizeof digits)
            return false;
        digits[n++] = text.p[i];
    }
    if (n != 16 && n != 32)
        return false;
    skep_trace_id id = none;
    if (!skep_hex_decode((skep_str){digits, n}, id.b + (16 - n / 2), n / 2))
        return false;
    if (memcmp(&id, &none, sizeof id) == 0)
        return false;
    *ret = id;
    return true;
}

static bool cursor(skep_str text, struct skep_plan *plan)
{
    skep_str time = skep_str_cut(&text, '.');
    plan->has_cursor = true;
    return skep_str_i64(time, &plan->cursor_time_ns) && skep_lang_row_id(text, &plan->cursor_id);
}

static skep_rc columns(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan)
{
    yyjson_val *arr, *item;
    size_t i, max;
    SKEP_TRY(skep_lang__list(q, obj, "columns", SKEP_LIMIT_PLAN_GROUPS, &arr));
    if (yyjson_arr_size(arr) == 0)
        return SKEP_OK;
    struct skep_field_ref *refs = skep_new_n(q->arena, struct skep_field_ref, yyjson_arr_size(arr));
    size_t mark = skep_lang__enter(q, "columns");
    yyjson_arr_foreach(arr, i, max, item)
    {
        size_t at = skep_lang__enter_index(q, i);
        if (!yyjson_is_str(item))
            return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE, "a column is a name");
        SKEP_TRY(skep_lang__own_column(q, skep_lang__text(q, item), &refs[i]));
        skep_lang__leave(q, at);
    }
    skep_lang__leave(q, mark);
    plan->columns = refs;
    plan->n_columns = (unsigned)max;
    return SKEP_OK;
}

/* `compared`: with an earlier time, the last key. */
static skep_rc rows_of(struct skep_lang__q *q, yyjson_val *obj, bool compared,
                       struct skep_plan *plan)
{
    static const char *const keys[] = {"dataset",
                                       "start_time",
                                       "end_time",
                                       "time_range",
                                       "filters",
                                       "filter_combination",
                                       "columns",
                                       "order",
                                       "limit",
                                       "after",
                                       "and_filters",
                                       "pattern",
                                       "calculated_fields",
                                       "compare_time_offset_seconds"};
    skep_str order, after;
    SKEP_TRY(skep_lang__known(q, obj, keys, SKEP_ARRAY_LEN(keys) - (compared ? 0 : 1)));
    SKEP_TRY(skep_lang__dataset(q, obj, plan));
    SKEP_TRY(skep_lang__times(q, obj, &plan->range));
    SKEP_TRY(skep_lang__calculated(q, obj));
    SKEP_TRY(skep_lang__filters(q, obj, &plan->filter));
    SKEP_TRY(skep_lang__pattern(q, obj, &plan->filter));
    SKEP_TRY(columns(q, obj, plan));
    SKEP_TRY(skep_lang__count(q, obj, "limit", SKEP_LIMIT_LANG_ROWS, &plan->limit));
    SKEP_TRY(skep_lang__str(q, obj, "order", &order));
    SKEP_TRY(skep_lang__str(q, obj, "after", &after));
    plan->limit = plan->limit ? plan->limit : 100;
    plan->oldest_first = skep_str_eq(order, SKEP_STR("asc"));
    if (order.n && !plan->oldest_first && !skep_str_eq(order, SKEP_STR("desc"))) {
        (void)skep_lang__enter(q, "order");
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "use desc or asc");
    }
    if (after.n && !cursor(after, plan)) {
        (void)skep_lang__enter(q, "after");
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "not a cursor of an earlier answer");
    }
    return skep_lang__whole(q, plan);
}

static skep_rc rows(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan)
{
    return rows_of(q, obj, false, plan);
}

static skep_rc compared_rows(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan)
{
    return rows_of(q, obj, true, plan);
}

static skep_rc deletion(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan)
{
    static const char *const keys[] = {"dataset",    "start_time", "end_time",
                                       "time_range", "filters",    "filter_combination",
                                       "confirm",    "pattern",    "calculated_fields"};
    SKEP_TRY(skep_lang__known(q, obj, keys, SKEP_ARRAY_LEN(keys)));
    SKEP_TRY(skep_lang__dataset(q, obj, plan));
    SKEP_TRY(skep_lang__times(q, obj, &plan->range));
    SKEP_TRY(skep_lang__calculated(q, obj));
    SKEP_TRY(skep_lang__filters(q, obj, &plan->filter));
    SKEP_TRY(skep_lang__pattern(q, obj, &plan->filter));
    bool timed = yyjson_obj_get(obj, "start_time") || yyjson_obj_get(obj, "time_range");
    if (!timed) {
        (void)skep_lang__enter(q, "time_range");
        return skep_lang__refuse(q, SKEP_LANG_INVALID,
                                 "say which times: time_range, or start_time and end_time");
    }
    return skep_lang__whole(q, plan);
}

static skep_rc confirmation(struct skep_lang__q *q, yyjson_val *obj, struct skep_lang_confirm *ret)
{
    yyjson_val *v = yyjson_obj_get(obj, "confirm");
    *ret = (struct skep_lang_confirm){.how = SKEP_CONFIRM_NO};
    if (!v || yyjson_is_null(v) || yyjson_is_false(v))
        return SKEP_OK;
    ret->how = yyjson_is_true(v) ? SKEP_CONFIRM_ANY : SKEP_CONFIRM_ROWS;
    ret->rows = yyjson_get_uint(v);
    if (yyjson_is_true(v) || yyjson_is_uint(v))
        return SKEP_OK;
    (void)skep_lang__enter(q, "confirm");
    return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE,
                             "true, or the number of rows a call without it has given");
}

/* A test of the row's time: at or behind an instant, or before it. */
static struct skep_expr *time_test(struct skep_lang__q *q, enum skep_cmp op, skep_ts_ns ns)
{
    struct skep_expr *e = skep_new(q->arena, struct skep_expr);
    skep_value *v = skep_new(q->arena, skep_value);
    *v = (skep_value){.type = SKEP_TYPE_INT, .i = ns};
    *e = (struct skep_expr){
        .op = SKEP_EXPR_TEST,
        .test = {.field = {.name = SKEP_STR("timestamp")}, .op = op, .values = v, .n_values = 1}};
    return e;
}

/* Operands that are there, joined. */
static const struct skep_expr *joined(struct skep_lang__q *q, enum skep_expr_op op,
                                      struct skep_expr **kids, unsigned n)
{
    struct skep_expr *e = skep_new(q->arena, struct skep_expr);
    if (n == 1)
        return kids[0];
    *e = (struct skep_expr){.op = op, .kids = kids, .n_kids = n};
    return e;
}

static skep_rc seconds(struct skep_lang__q *q, yyjson_val *obj, const char *key, skep_ts_ns *ret,
                       bool *ret_is)
{
    yyjson_val *v = skep_lang__get(obj, key);
    *ret_is = v != NULL;
    if (!v)
        return SKEP_OK;
    size_t mark = skep_lang__enter(q, key);
    double s = yyjson_get_num(v);
    if (!yyjson_is_num(v) || !(s > -9e9 && s < 9e9))
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE, "use seconds since 1970");
    skep_lang__leave(q, mark);
    *ret = (skep_ts_ns)(s * 1e9);
    return SKEP_OK;
}

/* {"filters", "filter_combination", "start_time", "end_time"}: one of them at least. */
static skep_rc side(struct skep_lang__q *q, yyjson_val *obj, const char *key,
                    const struct skep_expr **ret)
{
    static const char *const keys[] = {"filters", "filter_combination", "start_time", "end_time"};
    struct skep_expr **kids = skep_new_n(q->arena, struct skep_expr *, 3);
    yyjson_val *of = skep_lang__get(obj, key);
    const struct skep_expr *filter = NULL;
    skep_ts_ns at;
    unsigned n = 0;
    bool is;
    size_t mark = skep_lang__enter(q, key);
    if (!of || !yyjson_is_obj(of))
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE,
                                 "say which rows, with filters or a time");
    SKEP_TRY(skep_lang__known(q, of, keys, SKEP_ARRAY_LEN(keys)));
    SKEP_TRY(skep_lang__filters(q, of, &filter));
    if (filter) {
        struct skep_expr *copy = skep_new(q->arena, struct skep_expr);
        *copy = *filter;
        kids[n++] = copy;
    }
    SKEP_TRY(seconds(q, of, "start_time", &at, &is));
    if (is)
        kids[n++] = time_test(q, SKEP_CMP_GE, at);
    SKEP_TRY(seconds(q, of, "end_time", &at, &is));
    if (is)
        kids[n++] = time_test(q, SKEP_CMP_LT, at);
    if (n == 0)
        return skep_lang__refuse(q, SKEP_LANG_INVALID,
                                 "a selection has at least one filter, or a time");
    skep_lang__leave(q, mark);
    *ret = joined(q, SKEP_EXPR_AND, kids, n);
    return SKEP_OK;
}

/* The rest is the baseline's rows, where there is one: others are not looked at. */
static skep_rc selection(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan)
{
    const struct skep_expr *baseline = NULL;
    SKEP_TRY(side(q, obj, "selection", &plan->selection));
    if (!skep_lang__get(obj, "baseline"))
        return SKEP_OK;
    SKEP_TRY(side(q, obj, "baseline", &baseline));
    const struct skep_expr *operands[] = {plan->selection, baseline, plan->filter};
    struct skep_expr **either = skep_new_n(q->arena, struct skep_expr *, 2);
    struct skep_expr **both = skep_new_n(q->arena, struct skep_expr *, 2);
    struct skep_expr *copies = skep_new_n(q->arena, struct skep_expr, 4);
    for (unsigned i = 0; i < 3; i++)
        if (operands[i])
            copies[i] = *operands[i];
    either[0] = &copies[0];
    either[1] = &copies[1];
    copies[3] = (struct skep_expr){.op = SKEP_EXPR_OR, .kids = either, .n_kids = 2};
    both[0] = &copies[3];
    both[1] = &copies[2];
    plan->filter = joined(q, SKEP_EXPR_AND, both, plan->filter ? 2 : 1);
    return SKEP_OK;
}

static skep_rc facets(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan)
{
    static const char *const keys[] = {"dataset",    "start_time",        "end_time",
                                       "time_range", "filters",           "filter_combination",
                                       "columns",    "selection",         "limit",
                                       "pattern",    "calculated_fields", "baseline",
                                       "and_filters"};
    SKEP_TRY(skep_lang__known(q, obj, keys, SKEP_ARRAY_LEN(keys)));
    SKEP_TRY(skep_lang__dataset(q, obj, plan));
    SKEP_TRY(skep_lang__times(q, obj, &plan->range));
    SKEP_TRY(skep_lang__calculated(q, obj));
    SKEP_TRY(skep_lang__filters(q, obj, &plan->filter));
    SKEP_TRY(skep_lang__pattern(q, obj, &plan->filter));
    SKEP_TRY(selection(q, obj, plan));
    SKEP_TRY(columns(q, obj, plan));
    SKEP_TRY(skep_lang__count(q, obj, "limit", SKEP_LIMIT_LANG_FACET_VALUES, &plan->limit));
    if (plan->n_columns == 0) {
        struct skep_field_ref *all = skep_new(q->arena, struct skep_field_ref);
        all->name = SKEP_STR("*");
        plan->columns = all;
        plan->n_columns = 1;
    }
    plan->groups = plan->columns;
    plan->n_groups = plan->n_columns;
    plan->n_columns = 0;
    plan->limit = plan->limit ? plan->limit : 20;
    return skep_lang__whole(q, plan);
}

/* One end of a range of durations. */
static skep_rc milliseconds(struct skep_lang__q *q, yyjson_val *obj, const char *key, double *ret)
{
    yyjson_val *v = skep_lang__get(obj, key);
    if (!v)
        return SKEP_OK;
    size_t mark = skep_lang__enter(q, key);
    if (!yyjson_is_num(v))
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE, "use a number of milliseconds");
    if (!(yyjson_get_num(v) >= 0))
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "use 0 or more");
    skep_lang__leave(q, mark);
    *ret = yyjson_get_num(v);
    return SKEP_OK;
}

/* {"min":0.5,"max":20}, either of them. */
static skep_rc durations(struct skep_lang__q *q, yyjson_val *obj, struct skep_lang_narrow *n)
{
    static const char *const keys[] = {"min", "max"};
    yyjson_val *v = skep_lang__get(obj, "duration_ms");
    n->max_ms = HUGE_VAL;
    if (!v)
        return SKEP_OK;
    size_t mark = skep_lang__enter(q, "duration_ms");
    if (!yyjson_is_obj(v))
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE, "use {\"min\": ..., \"max\": ...}");
    SKEP_TRY(skep_lang__known(q, v, keys, SKEP_ARRAY_LEN(keys)));
    SKEP_TRY(milliseconds(q, v, "min", &n->min_ms));
    SKEP_TRY(milliseconds(q, v, "max", &n->max_ms));
    if (!(n->min_ms < n->max_ms))
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "min must lie below max");
    skep_lang__leave(q, mark);
    n->has_duration = true;
    return SKEP_OK;
}

static skep_rc narrow(struct skep_lang__q *q, yyjson_val *obj, struct skep_lang_narrow *n)
{
    skep_str text;
    yyjson_val *wanted = skep_lang__get(obj, "distribution");
    SKEP_TRY(skep_lang__str(q, obj, "filter_expression", &text));
    n->expression = skep_arena_str(q->arena, text);
    SKEP_TRY(durations(q, obj, n));
    if (wanted && !yyjson_is_bool(wanted)) {
        (void)skep_lang__enter(q, "distribution");
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE, "use true or false");
    }
    n->distribution = yyjson_is_true(wanted);
    return SKEP_OK;
}

/* `narrowed`: what narrow() reads may be there. */
static skep_rc traces_of(struct skep_lang__q *q, yyjson_val *obj, bool narrowed,
                         struct skep_plan *plan)
{
    enum { NARROW = 3 }; /* the last ones */
    static const char *const keys[] = {"dataset",
                                       "start_time",
                                       "end_time",
                                       "time_range",
                                       "filters",
                                       "filter_combination",
                                       "sort",
                                       "limit",
                                       "calculated_fields",
                                       "and_filters",
                                       "filter_expression",
                                       "duration_ms",
                                       "distribution"};
    static const skep_str sorts[] = {{"recent", 6}, {"slow", 4}, {"errors", 6}};
    skep_str sort;
    unsigned i = 0;
    SKEP_TRY(skep_lang__known(q, obj, keys, SKEP_ARRAY_LEN(keys) - (narrowed ? 0 : NARROW)));
    SKEP_TRY(skep_lang__dataset(q, obj, plan));
    SKEP_TRY(skep_lang__times(q, obj, &plan->range));
    SKEP_TRY(skep_lang__calculated(q, obj));
    SKEP_TRY(skep_lang__filters(q, obj, &plan->filter));
    SKEP_TRY(skep_lang__count(q, obj, "limit", SKEP_LIMIT_LANG_TRACES, &plan->limit));
    SKEP_TRY(skep_lang__str(q, obj, "sort", &sort));
    plan->limit = plan->limit ? plan->limit : 50;
    while (sort.n && i < SKEP_ARRAY_LEN(sorts) && !skep_str_eq(sorts[i], sort))
        i++;
    if (i == SKEP_ARRAY_LEN(sorts)) {
        (void)skep_lang__enter(q, "sort");
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "use recent, slow or errors");
    }
    plan->sort = (enum skep_traces_sort)i;
    return skep_lang__whole(q, plan);
}

static skep_rc traces(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan)
{
    return traces_of(q, obj, true, plan);
}

static skep_rc traces_alone(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan)
{
    return traces_of(q, obj, false, plan);
}

typedef skep_rc read_fn(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan);

static skep_rc read_with(struct skep_lang__q *q, skep_bytes json, enum skep_plan_kind kind,
                         read_fn *fn, const struct skep_plan **ret)
{
    struct skep_plan *plan = skep_new(q->arena, struct skep_plan);
    yyjson_doc *doc = NULL;
    SKEP_TRY(skep_lang__parse(q, json, &doc));
    plan->kind = kind;
    skep_rc rc = fn(q, yyjson_doc_get_root(doc), plan);
    yyjson_doc_free(doc);
    SKEP_TRY(rc);
    *ret = plan;
    return SKEP_OK;
}

skep_rc skep_lang_rows(skep_bytes json, const struct skep_lang_opts *opts, struct skep_arena *arena,
                       const struct skep_plan **ret, struct skep_lang_issue *issue)
{
    struct skep_lang__q q = {.arena = arena, .opts = opts, .issue = issue};
    return read_with(&q, json, SKEP_PLAN_ROWS, rows, ret);
}

skep_rc skep_lang_patterns(skep_bytes json, const struct skep_lang_opts *opts,
                           struct skep_arena *arena, const struct skep_plan **ret,
                           int64_t *ret_earlier_ns, struct skep_lang_issue *issue)
{
    static const char key[] = "compare_time_offset_seconds";
    struct skep_lang__q q = {.arena = arena, .opts = opts, .issue = issue};
    yyjson_doc *doc = NULL;
    unsigned seconds = 0;
    SKEP_TRY(read_with(&q, json, SKEP_PLAN_ROWS, compared_rows, ret));
    SKEP_TRY(skep_lang__parse(&q, json, &doc));
    yyjson_val *obj = yyjson_doc_get_root(doc), *v = yyjson_obj_get(obj, key);
    skep_rc rc = SKEP_OK;
    if (!yyjson_is_num(v) || yyjson_get_num(v) != 0) /* 0 is as good as none */
        rc = skep_lang__count(&q, obj, key, SKEP_LIMIT_LANG_COMPARED_S, &seconds);
    yyjson_doc_free(doc);
    SKEP_TRY(rc);
    *ret_earlier_ns = seconds * 1000000000ll;
    return SKEP_OK;
}

skep_rc skep_lang_delete(skep_bytes json, const struct skep_lang_opts *opts,
                         struct skep_arena *arena, const struct skep_plan **ret,
                         struct skep_lang_confirm *ret_confirm, struct skep_lang_issue *issue)
{
    struct skep_lang__q q = {.arena = arena, .opts = opts, .issue = issue};
    struct skep_plan *plan = skep_new(arena, struct skep_plan);
    yyjson_doc *doc = NULL;
    SKEP_TRY(skep_lang__parse(&q, json, &doc));
    plan->kind = SKEP_PLAN_ROWS;
    plan->limit = 1;
    skep_rc rc = deletion(&q, yyjson_doc_get_root(doc), plan);
    if (rc == SKEP_OK)
        rc = confirmation(&q, yyjson_doc_get_root(doc), ret_confirm);
    yyjson_doc_free(doc);
    SKEP_TRY(rc);
    *ret = plan;
    return SKEP_OK;
}

skep_rc skep_lang_facets(skep_bytes json, const struct skep_lang_opts *opts,
                         struct skep_arena *arena, const struct skep_plan **ret,
                         struct skep_lang_issue *issue)
{
    struct skep_lang__q q = {.arena = arena, .opts = opts, .issue = issue};
    return read_with(&q, json, SKEP_PLAN_FACETS, facets, ret);
}

skep_rc skep_lang_traces(skep_bytes json, const struct skep_lang_opts *opts,
                         struct skep_arena *arena, const struct skep_plan **ret,
                         struct skep_lang_narrow *ret_narrow, struct skep_lang_issue *issue)
{
    struct skep_lang__q q = {.arena = arena, .opts = opts, .issue = issue};
    yyjson_doc *doc = NULL;
    if (!ret_narrow)
        return read_with(&q, json, SKEP_PLAN_TRACES, traces_alone, ret);
    *ret_narrow = (struct skep_lang_narrow){.min_ms = 0};
    SKEP_TRY(read_with(&q, json, SKEP_PLAN_TRACES, traces, ret));
    SKEP_TRY(skep_lang__parse(&q, json, &doc));
    skep_rc rc = narrow(&q, yyjson_doc_get_root(doc), ret_narrow);
    yyjson_doc_free(doc);
    return rc;
}

/* The texts become the JSON value they would have been, so that one reader decides. */
static yyjson_mut_val *text_value(yyjson_mut_doc *doc, skep_str op, skep_str value)
{
    bool is_list = skep_str_eq(op, SKEP_STR("in")) || skep_str_eq(op, SKEP_STR("not-in"));
    if (!is_list)
        return value.n ? yyjson_mut_strn(doc, value.p, value.n) : yyjson_mut_str(doc, "");
    yyjson_mut_val *arr = yyjson_mut_arr(doc);
    while (value.p) {
        skep_str item = skep_str_cut(&value, ',');
        yyjson_mut_arr_add_strn(doc, arr, item.p ? item.p : "", item.n);
    }
    return arr;
}

skep_rc skep_lang_test(skep_str column, skep_str op, skep_str value, struct skep_arena *arena,
                       const struct skep_expr **ret, struct skep_lang_issue *issue)
{
    struct skep_lang__q q = {.arena = arena, .issue = issue};
    struct skep_expr *e = NULL;
    enum skep_lang__prefix prefix;
    yyjson_mut_doc *mut = yyjson_mut_doc_new(NULL);
    skep_assert(mut != NULL);
    yyjson_mut_doc_set_root(mut, text_value(mut, op, value));
    yyjson_doc *doc = yyjson_mut_doc_imut_copy(mut, NULL);
    yyjson_mut_doc_free(mut);
    skep_assert(doc != NULL);
    skep_rc rc = skep_lang__filter(&q, skep_arena_str(arena, column), skep_arena_str(arena, op),
                                   yyjson_doc_get_root(doc), &e, &prefix);
    yyjson_doc_free(doc);
    SKEP_TRY(rc);
    *ret = skep_lang__relate(&q, prefix, e);
    return SKEP_OK;
}

// SPDX-License-Identifier: Apache-2.0
/* Honeycomb's query specification -> plan.
 *
 *   JSON text -> yyjson tree -> members by name (honeycomb.c, calcs.c, filters.c, times.c) -> plan
 *
 * Everything copied out of the tree lands in the request's arena: the tree dies with the call.
 *
 * I1  every member is known, understood and used, or the request is refused
 * I2  a refusal names the path of what it refuses: filters[0].op
 * I3  a plan that leaves here passes skep_plan_check
 *
 * Threads: none of its own.  Memory: the arena given, and yyjson's tree during the call. */
#include "lang/honeycomb.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "lang/lang_priv.h"
#include "query/query.h"

/* Members of a specification, in the order of its canonical text. */
static const char *const spec_keys[] = {
    "breakdowns", "calculations",      "filters",     "filter_combination",
    "orders",     "havings",           "limit",       "time_range",
    "start_time", "end_time",          "granularity", "disable_series",
    "usage_mode", "calculated_fields", "formulas",    "compare_time_offset_seconds",
    "dataset",    "heatmap",           "pattern",     "and_filters",
};

skep_str skep_lang_code_name(enum skep_lang_code code)
{
    static const skep_str names[] = {{"invalid", 7}, {"missing", 7}, {"incorrect_type", 14}};
    skep_assert(code < SKEP_ARRAY_LEN(names));
    return names[code];
}

int skep_lang_http_status(const struct skep_lang_issue *issue)
{
    return issue->rc == SKEP_EMALFORMED ? 400 : 422;
}

skep_rc skep_lang__refuse(struct skep_lang__q *q, enum skep_lang_code code, const char *fmt, ...)
{
    va_list ap;
    struct skep_lang_issue *issue = q->issue;
    *issue = (struct skep_lang_issue){.rc = SKEP_EINVAL, .code = code};
    memcpy(issue->field, q->path, q->path_n);
    va_start(ap, fmt);
    (void)vsnprintf(issue->text, sizeof issue->text, fmt, ap);
    va_end(ap);
    return SKEP_EINVAL;
}

static size_t extend(struct skep_lang__q *q, const char *text, size_t n)
{
    size_t mark = q->path_n;
    if (n >= sizeof q->path - mark) /* deeper than any real path: keep what fits */
        return mark;
    memcpy(q->path + mark, text, n);
    q->path_n += n;
    return mark;
}

size_t skep_lang__enter(struct skep_lang__q *q, const char *key)
{
    char text[80];
    /* The key may be a client's: empty, or cut by a NUL. */
    int n = snprintf(text, sizeof text, "%s%.60s", q->path_n ? "." : "", key[0] ? key : "\"\"");
    skep_assert(n > 0 && (size_t)n < sizeof text);
    return extend(q, text, (size_t)n);
}

size_t skep_lang__enter_index(struct skep_lang__q *q, size_t i)
{
    char text[24];
    int n = snprintf(text, sizeof text, "[%zu]", i);
    skep_assert(n > 0 && (size_t)n < sizeof text);
    return extend(q, text, (size_t)n);
}

skep_rc skep_lang__known(struct skep_lang__q *q, yyjson_val *obj, const char *const *keys, size_t n)
{
    size_t i, max;
    yyjson_val *key, *val;
    skep_assert(yyjson_is_obj(obj));
    yyjson_obj_foreach(obj, i, max, key, val)
    {
        size_t k = 0;
        while (k < n && !yyjson_equals_str(key, keys[k]))
            k++;
        if (k == n) {
            skep_str name = skep_lang__text(q, key);
            (void)skep_lang__enter(q, skep_cstr(q->arena, name));
            return skep_lang__refuse(q, SKEP_LANG_INVALID, "unknown member");
        }
    }
    return SKEP_OK;
}

yyjson_val *skep_lang__get(yyjson_val *obj, const char *key)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    return yyjson_is_null(v) ? NULL : v;
}

skep_str skep_lang__text(struct skep_lang__q *q, yyjson_val *v)
{
    skep_assert(yyjson_is_str(v));
    return skep_arena_str(q->arena, (skep_str){yyjson_get_str(v), yyjson_get_len(v)});
}

skep_rc skep_lang__str(struct skep_lang__q *q, yyjson_val *obj, const char *key, skep_str *ret)
{
    yyjson_val *v = skep_lang__get(obj, key);
    *ret = SKEP_STR_NULL;
    if (!v)
        return SKEP_OK;
    if (!yyjson_is_str(v)) {
        (void)skep_lang__enter(q, key);
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE, "use a string");
    }
    *ret = skep_lang__text(q, v);
    return SKEP_OK;
}

skep_rc skep_lang__list(struct skep_lang__q *q, yyjson_val *obj, const char *key, size_t max,
                        yyjson_val **ret)
{
    yyjson_val *v = skep_lang__get(obj, key);
    *ret = v;
    if (!v)
        return SKEP_OK;
    size_t mark = skep_lang__enter(q, key);
    if (!yyjson_is_arr(v))
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE, "use an array");
    if (yyjson_arr_size(v) > max)
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "at most %zu items", max);
    skep_lang__leave(q, mark);
    return SKEP_OK;
}

/* Members that are the page's own (I1). */
static skep_rc check_page(struct skep_lang__q *q, yyjson_val *obj)
{
    static const char *const page[] = {"dataset", "heatmap", "pattern", "and_filters"};
    for (size_t i = 0; !q->opts->page && i < SKEP_ARRAY_LEN(page); i++) {
        if (skep_lang__get(obj, page[i])) {
            (void)skep_lang__enter(q, page[i]);
            return skep_lang__refuse(q, SKEP_LANG_INVALID, "unknown member");
        }
    }
    return SKEP_OK;
}

/* How much earlier the same is asked: Honeycomb's eight offsets, or the range itself. */
static skep_rc compare(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan)
{
    static const int64_t offsets[] = {1800, 3600, 7200, 28800, 86400, 604800, 2419200, 15724800};
    yyjson_val *v = skep_lang__get(obj, "compare_time_offset_seconds");
    int64_t range = plan->range.end_ns - plan->range.start_ns;
    if (!v || (yyjson_is_num(v) && yyjson_get_num(v) == 0))
        return SKEP_OK;
    size_t mark = skep_lang__enter(q, "compare_time_offset_seconds");
    if (!yyjson_is_int(v))
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE, "use a whole number of seconds");
    double s = yyjson_get_num(v);
    bool known = s * 1e9 == (double)range;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(offsets); i++)
        known = known || s == (double)offsets[i];
    if (!known)
        return skep_lang__refuse(q, SKEP_LANG_INVALID,
                                 "use 1800, 3600, 7200, 28800, 86400, 604800, 2419200, 15724800 or "
                                 "the length of the time range");
    if (s * 1e9 < (double)range)
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "at least the length of the time range");
    skep_lang__leave(q, mark);
    plan->compare_offset_ns = (int64_t)s * 1000000000;
    return SKEP_OK;
}

static skep_rc flag(struct skep_lang__q *q, yyjson_val *obj, const char *key, bool *ret)
{
    yyjson_val *v = skep_lang__get(obj, key);
    *ret = yyjson_get_bool(v);
    if (!v || yyjson_is_bool(v))
        return SKEP_OK;
    (void)skep_lang__enter(q, key);
    return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE, "use true or false");
}

/* An integer member in [1, max]; 0 when absent. */
skep_rc skep_lang__count(struct skep_lang__q *q, yyjson_val *obj, const char *key, unsigned max,
                         unsigned *ret)
{
    yyjson_val *v = skep_lang__get(obj, key);
    *ret = 0;
    if (!v)
        return SKEP_OK;
    size_t mark = skep_lang__enter(q, key);
    if (!yyjson_is_int(v))
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE, "use a whole number");
    double n = yyjson_get_num(v);
    if (n < 1 || n > max)
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "use 1 to %u", max);
    skep_lang__leave(q, mark);
    *ret = (unsigned)n;
    return SKEP_OK;
}

static skep_rc limit(struct skep_lang__q *q, yyjson_val *obj, bool series, struct skep_plan *plan)
{
    unsigned max = series ? 1000 : SKEP_LIMIT_PLAN_RESULT_GROUPS;
    SKEP_TRY(skep_lang__count(q, obj, "limit", max, &plan->limit));
    if (q->opts->limit)
        plan->limit = SKEP_MIN(q->opts->limit, max);
    if (plan->limit == 0)
        plan->limit = 1000;
    return SKEP_OK;
}

/* 0 or absent = automatic; else within [range / 1000, range], as Honeycomb wants it. */
static skep_rc granularity(struct skep_lang__q *q, yyjson_val *obj, bool series,
                           struct skep_plan *plan)
{
    yyjson_val *v = skep_lang__get(obj, "granularity");
    double range = (double)(plan->range.end_ns - plan->range.start_ns) / 1e9;
    size_t mark = skep_lang__enter(q, "granularity");
    if (v && !yyjson_is_num(v))
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE, "use a number of seconds");
    double s = yyjson_get_num(v);
    if (s < 0 || s > range || (s > 0 && (s < range / 1000.0 || s < 1e-6)))
        return skep_lang__refuse(q, SKEP_LANG_INVALID,
                                 "use 0 (automatic) or %.12g to %.12g seconds for this time range",
                                 range / 1000.0, range);
    skep_lang__leave(q, mark);
    if (!series)
        plan->granularity_ns = 0;
    else if (s > 0)
        plan->granularity_ns = (int64_t)(s * 1e9 + 0.5);
    else
        plan->granularity_ns = skep_query_auto_granularity(plan->range);
    return SKEP_OK;
}

/* heatmap: {"scale": "log" | "linear", "bins": 40} -> opts. */
static skep_rc heatmap(struct skep_lang__q *q, yyjson_val *obj, struct skep_lang_opts *opts)
{
    static const char *const keys[] = {"scale", "bins"};
    yyjson_val *v = skep_lang__get(obj, "heatmap");
    skep_str scale;
    unsigned bins;
    if (!v)
        return SKEP_OK;
    size_t mark = skep_lang__enter(q, "heatmap");
    if (!yyjson_is_obj(v))
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE, "use {scale, bins}");
    SKEP_TRY(skep_lang__known(q, v, keys, SKEP_ARRAY_LEN(keys)));
    SKEP_TRY(skep_lang__str(q, v, "scale", &scale));
    SKEP_TRY(skep_lang__count(q, v, "bins", 200, &bins));
    bool linear = skep_str_eq(scale, SKEP_STR("linear"));
    if (scale.n && !linear && !skep_str_eq(scale, SKEP_STR("log"))) {
        (void)skep_lang__enter(q, "scale");
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "use log or linear");
    }
    skep_lang__leave(q, mark);
    if (scale.n)
        opts->heat_scale = linear ? SKEP_HEAT_LINEAR : SKEP_HEAT_LOG;
    if (bins)
        opts->heat_bins = bins;
    return SKEP_OK;
}

skep_str skep_lang_dataset(skep_str name)
{
    return skep_str_eq(name, SKEP_STR("__all__")) ? SKEP_STR_NULL : name;
}

skep_rc skep_lang__dataset(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan)
{
    skep_str name;
    SKEP_TRY(skep_lang__str(q, obj, "dataset", &name));
    if (name.n == 0)
        name = skep_arena_str(q->arena, q->opts->dataset);
    plan->dataset = q->dataset = skep_lang_dataset(name);
    return SKEP_OK;
}

skep_rc skep_lang__whole(struct skep_lang__q *q, struct skep_plan *plan)
{
    skep_err err;
    plan->computed = q->computed;
    plan->n_computed = q->n_computed;
    q->path_n = 0;
    if (skep_plan_check(plan, &err) != SKEP_OK)
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "%s", err.text);
    return SKEP_OK;
}

static skep_rc specification(struct skep_lang__q *q, yyjson_val *obj, struct skep_plan *plan)
{
    struct skep_lang_opts opts = *q->opts;
    bool disable_series;
    SKEP_TRY(check_page(q, obj));
    SKEP_TRY(heatmap(q, obj, &opts));
    q->opts = &opts;
    SKEP_TRY(skep_lang__dataset(q, obj, plan));
    SKEP_TRY(skep_lang__times(q, obj, &plan->range));
    SKEP_TRY(flag(q, obj, "usage_mode", &plan->ignore_sample_rate));
    SKEP_TRY(flag(q, obj, "disable_series", &disable_series));
    bool series = !disable_series && !opts.disable_series;
    SKEP_TRY(granularity(q, obj, series, plan));
    SKEP_TRY(limit(q, obj, series, plan));
    SKEP_TRY(compare(q, obj, plan));
    SKEP_TRY(skep_lang__calculated(q, obj));
    SKEP_TRY(skep_lang__filters(q, obj, &plan->filter));
    SKEP_TRY(skep_lang__pattern(q, obj, &plan->filter));
    SKEP_TRY(skep_lang__calculations(q, obj, plan)); /* see what the filters found */
    SKEP_TRY(skep_lang__formulas(q, obj, plan));
    SKEP_TRY(skep_lang__breakdowns(q, obj, plan));
    SKEP_TRY(skep_lang__orders(q, obj, plan));
    SKEP_TRY(skep_lang__havings(q, obj, plan));
    return skep_lang__whole(q, plan);
}

/* Text -> tree with an object on top. */
skep_rc skep_lang__parse(struct skep_lang__q *q, skep_bytes json, yyjson_doc **ret)
{
    yyjson_read_err e = {0};
    union { /* yyjson takes a char * but writes only when reading in situ */
        const uint8_t *in;
        char *text;
    } p = {json.p};
    if (skep_str_trim(skep_bytes_str(json)).n == 0) { /* no body asks the default question */
        p.in = (const uint8_t *)"{}";
        json.n = 2;
    }
    yyjson_doc *doc = yyjson_read_opts(p.text, json.n, 0, NULL, &e);
    if (!doc) {
        *q->issue = (struct skep_lang_issue){
            .rc = SKEP_EMALFORMED, .code = SKEP_LANG_INVALID, .has_at = true, .at = e.pos};
        (void)snprintf(q->issue->text, sizeof q->issue->text, "not JSON: %s at byte %zu",
                       e.msg ? e.msg : "error", e.pos);
        return SKEP_EMALFORMED;
    }
    if (!yyjson_is_obj(yyjson_doc_get_root(doc))) {
        yyjson_doc_free(doc);
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE, "use a JSON object");
    }
    *ret = doc;
    return SKEP_OK;
}

/* The keys of spec_keys, and `id`, which clients send back. */
static skep_rc known_spec(struct skep_lang__q *q, yyjson_val *obj)
{
    const char *keys[SKEP_ARRAY_LEN(spec_keys) + 1];
    memcpy(keys, spec_keys, sizeof spec_keys);
    keys[SKEP_ARRAY_LEN(spec_keys)] = "id";
    return skep_lang__known(q, obj, keys, SKEP_ARRAY_LEN(keys));
}

skep_rc skep_lang_honeycomb(skep_bytes json, const struct skep_lang_opts *opts,
                            struct skep_arena *arena, const struct skep_plan **ret,
                            struct skep_lang_issue *issue)
{
    struct skep_lang__q q = {.arena = arena, .opts = opts, .issue = issue};
    struct skep_plan *plan = skep_new(arena, struct skep_plan);
    yyjson_doc *doc = NULL;
    SKEP_TRY(skep_lang__parse(&q, json, &doc));
    yyjson_val *root = yyjson_doc_get_root(doc);
    plan->kind = SKEP_PLAN_AGGREGATE;
    skep_rc rc = known_spec(&q, root);
    if (rc == SKEP_OK)
        rc = specification(&q, root, plan);
    yyjson_doc_free(doc);
    SKEP_TRY(rc);
    *ret = plan;
    return SKEP_OK;
}

static void canonical(yyjson_val *root, struct skep_buf *out)
{
    bool first = true;
    skep_buf_u8(out, '{');
    for (size_t i = 0; i < SKEP_ARRAY_LEN(spec_keys); i++) {
        yyjson_val *v = skep_lang__get(root, spec_keys[i]);
        size_t n = 0;
        char *text = v ? yyjson_val_write(v, 0, &n) : NULL;
        if (!text)
            continue;
        skep_buf_printf(out, "%s\"%s\":", first ? "" : ",", spec_keys[i]);
        skep_buf_put(out, text, n);
        skep_free(text);
        first = false;
    }
    skep_buf_u8(out, '}');
}

skep_rc skep_lang_honeycomb_text(skep_bytes json, struct skep_arena *arena, skep_str *ret,
                                 struct skep_lang_issue *issue)
{
    struct skep_lang__q q = {.arena = arena, .issue = issue};
    struct skep_buf out;
    yyjson_doc *doc = NULL;
    SKEP_TRY(skep_lang__parse(&q, json, &doc));
    skep_rc rc = known_spec(&q, yyjson_doc_get_root(doc));
    if (rc == SKEP_OK) {
        skep_buf_init(&out, 4 * json.n + 1024);
        canonical(yyjson_doc_get_root(doc), &out);
        if (out.bad)
            rc = skep_lang__refuse(&q, SKEP_LANG_INVALID, "too large");
        else
            *ret = skep_arena_str(arena, skep_buf_text(&out));
        skep_buf_done(&out);
    }
    yyjson_doc_free(doc);
    return rc;
}

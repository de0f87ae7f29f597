// SPDX-License-Identifier: Apache-2.0
/* POST /skep/v1/facets: how the values of columns differ between selected rows and the rest.
 *
 * Of all columns those that rows of the range have are compared, a hundred (a plan's limit) in one
 * look at the rows, the fullest first; but for those that are another one in each row, or the row's
 * own account of itself.
 * Threads: workers.  Memory: the request's arena. */
#include <stdlib.h>

#include "api/api_priv.h"

enum { COLUMNS_MAX = 300 };

/* Names that tell rows apart, or were made of others. */
static bool of_no_interest(skep_str name)
{
    static const skep_str names[] = {
        SKEP_STR("trace.trace_id"),     SKEP_STR("trace.span_id"),
        SKEP_STR("trace.parent_id"),    SKEP_STR("trace.link.trace_id"),
        SKEP_STR("trace.link.span_id"), SKEP_STR("timestamp"),
        SKEP_STR("duration_ns"),        SKEP_STR("meta.row_id"),
        SKEP_STR("meta.received_ns"),   SKEP_STR("error.uuid"),
        SKEP_STR("severity_code")};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++)
        if (skep_str_eq(name, names[i]))
            return true;
    return false;
}

/* Does the expression test the column of the row itself? */
static bool tests(const struct skep_expr *e, skep_str name)
{
    if (e->op == SKEP_EXPR_TEST)
        return skep_str_eq(e->test.field.name, name);
    for (unsigned i = 0; i < e->n_kids; i++)
        if (tests(e->kids[i], name))
            return true;
    return false;
}

static int by_rows(const void *x, const void *y)
{
    const struct skep_field_info *a = x, *b = y;
    if (a->rows != b->rows)
        return a->rows > b->rows ? -1 : 1;
    return skep_str_cmp(a->name, b->name);
}

/* The columns to compare: all there are. */
static skep_rc choose(struct skep_api__job *job, const struct skep_plan *plan,
                      struct skep_field_ref **ret, unsigned *ret_n, skep_err *err)
{
    const struct skep_plan fields = {
        .kind = SKEP_PLAN_FIELDS, .range = plan->range, .dataset = plan->dataset};
    struct skep_answer a = {0};
    SKEP_TRY(skep_query_run(job->api->cfg.store, &fields, &job->opts, &a, err));
    if (a.fields.n > 1)
        qsort(a.fields.fields, a.fields.n, sizeof *a.fields.fields, by_rows);
    struct skep_field_ref *refs = skep_new_n(&job->arena, struct skep_field_ref, COLUMNS_MAX + 1);
    unsigned n = 0;
    for (size_t i = 0; i < a.fields.n && n < COLUMNS_MAX; i++) {
        const struct skep_field_info *f = &a.fields.fields[i];
        if (f->rows > 0 && !of_no_interest(f->name) && !tests(plan->selection, f->name))
            refs[n++].name = f->name;
    }
    *ret = refs;
    *ret_n = n;
    return SKEP_OK;
}

/* Put the facets of another answer about the same rows behind those of `to`. */
static void append(struct skep_api__job *job, struct skep_answer *to,
                   const struct skep_answer *more)
{
    size_t n = to->facets.n + more->facets.n;
    struct skep_facet *all = skep_new_n(&job->arena, struct skep_facet, n + 1);
    if (to->facets.n > 0)
        memcpy(all, to->facets.facets, to->facets.n * sizeof *all);
    if (more->facets.n > 0)
        memcpy(all + to->facets.n, more->facets.facets, more->facets.n * sizeof *all);
    to->facets = more->facets;
    to->facets.facets = all;
    to->facets.n = n;
}

skep_rc skep_api__facets(struct skep_api__job *job, const struct skep_plan *asked,
                         struct skep_answer *ret, skep_err *err)
{
    struct skep_field_ref *groups = NULL;
    unsigned n = 0;
    struct skep_plan plan = *asked;
    if (asked->n_groups != 1 || !skep_str_eq(asked->groups[0].name, SKEP_STR("*")))
        return skep_query_run(job->api->cfg.store, asked, &job->opts, ret, err);
    SKEP_TRY(choose(job, asked, &groups, &n, err));
    if (n == 0) /* the number of rows is told all the same */
        groups[n++].name = SKEP_STR("name");
    for (unsigned from = 0; from < n; from += SKEP_LIMIT_PLAN_GROUPS) {
        struct skep_answer some = {0};
        plan.groups = groups + from;
        plan.n_groups = SKEP_MIN(n - from, (unsigned)SKEP_LIMIT_PLAN_GROUPS);
        SKEP_TRY(skep_query_run(job->api->cfg.store, &plan, &job->opts, &some, err));
        struct skep_answer before = *ret;
        *ret = some;
        if (from == 0)
            continue;
        append(job, &before, &some);
        ret->facets = before.facets;
        if (!before.complete) {
            ret->complete = false;
            ret->missing = before.missing;
        }
    }
    skep_query_judge(&ret->facets);
    return SKEP_OK;
}

static void write_bins(struct skep_json *json, const struct skep_facet *f)
{
    skep_json_key(json, SKEP_STR("histogram"));
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("edges"));
    skep_json_array(json);
    for (size_t i = 0; i <= f->n_bins; i++)
        skep_json_f64(json, f->edges[i]);
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("selected"));
    skep_json_array(json);
    for (size_t i = 0; i < f->n_bins; i++)
        skep_json_u64(json, f->bins[i].selected);
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("rest"));
    skep_json_array(json);
    for (size_t i = 0; i < f->n_bins; i++)
        skep_json_u64(json, f->bins[i].rest);
    skep_json_end(json);
    skep_json_end(json);
}

static void write_facet(struct skep_json *json, const struct skep_facet *f)
{
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("column"), f->name);
    skep_json_put_bool(json, SKEP_STR("too_many_values"), f->too_many);
    static const skep_str kinds[] = {SKEP_STR("values"), SKEP_STR("numbers"), SKEP_STR("presence")};
    skep_json_put_str(json, SKEP_STR("kind"), kinds[f->kind]);
    skep_json_put_bool(json, SKEP_STR("significant"), f->significant);
    skep_json_put_f64(json, SKEP_STR("difference"), f->difference);
    skep_json_put_f64(json, SKEP_STR("effect"), f->effect);
    skep_json_put_f64(json, SKEP_STR("p"), f->p);
    skep_json_put_f64(json, SKEP_STR("q"), f->q);
    skep_json_put_u64(json, SKEP_STR("n_values"), f->n_values);
    skep_json_key(json, SKEP_STR("values"));
    skep_json_array(json);
    for (size_t i = 0; i < f->n; i++) {
        skep_json_object(json);
        skep_json_key(json, SKEP_STR("value"));
        skep_api__value(json, &f->values[i].value);
        skep_json_put_u64(json, SKEP_STR("selected"), f->values[i].selected);
        skep_json_put_u64(json, SKEP_STR("rest"), f->values[i].rest);
        skep_json_end(json);
    }
    skep_json_end(json);
    if (f->n_bins > 0)
        write_bins(json, f);
    skep_json_end(json);
}

static void write_answer(struct skep_api__job *job, const struct skep_answer *a, int64_t elapsed_ns)
{
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_put_u64(json, SKEP_STR("selected"), a->facets.selected);
    skep_json_put_u64(json, SKEP_STR("rest"), a->facets.rest);
    skep_json_put_bool(json, SKEP_STR("estimated"), a->facets.estimated);
    skep_json_key(json, SKEP_STR("facets"));
    skep_json_array(json);
    for (size_t i = 0; i < a->facets.n && !job->out.gone; i++) {
        write_facet(json, &a->facets.facets[i]);
        skep_api__out_check(&job->out);
    }
    skep_json_end(json);
    skep_json_put_u64(json, SKEP_STR("rows_examined"), a->rows_examined);
    skep_json_put_f64(json, SKEP_STR("elapsed_ms"), (double)elapsed_ns / 1e6);
    skep_json_put_bool(json, SKEP_STR("complete"), a->complete);
    skep_api__put_also(job, json);
    if (!a->complete)
        skep_json_put_str(json, SKEP_STR("missing"), a->missing);
    skep_json_end(json);
}

static void facets(struct skep_api__job *job)
{
    const struct skep_os *os = job->api->cfg.os;
    struct skep_lang_opts lang;
    const struct skep_plan *plan = NULL;
    struct skep_answer a = {0};
    struct skep_lang_issue issue;
    skep_err err;
    int64_t begin = os->mono_ns(os);
    if (!skep_api__page_lang(job, &lang))
        return;
    if (skep_lang_facets(job->req->body, &lang, &job->arena, &plan, &issue) != SKEP_OK) {
        skep_api__job_fail_issue(job, &issue);
        return;
    }
    skep_rc rc = skep_api__facets(job, plan, &a, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 200);
    write_answer(job, &a, os->mono_ns(os) - begin);
    skep_api__out_end(&job->out);
}

static void handle_facets(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, facets);
}

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/skep/v1/facets",
     .handle = handle_facets,
     .refuse = skep_api__refuse,
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_facets = {routes, SKEP_ARRAY_LEN(routes)};

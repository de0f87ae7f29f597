// SPDX-License-Identifier: Apache-2.0
/* POST /skep/v1/patterns: similar lines folded with counts over every row that matches.
 * Threads: workers.  Memory: the request's arena; the miner's table is bounded. */
#include "api/api_priv.h"

#include "query/patterns.h"

enum { BINS = 60 };

static const skep_str severity_names[SKEP_TEMPLATE_SEVERITIES] = {
    SKEP_STR_INIT("unspecified"), SKEP_STR_INIT("trace"), SKEP_STR_INIT("debug"),
    SKEP_STR_INIT("info"),        SKEP_STR_INIT("warn"),  SKEP_STR_INIT("error"),
    SKEP_STR_INIT("fatal")};

static void write_part(struct skep_json *json, const struct skep_template_part *p)
{
    if (p->kind == SKEP_TEMPLATE_LITERAL) {
        skep_json_str(json, p->text);
        return;
    }
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("kind"), skep_template_kind_name(p->kind));
    skep_json_key(json, SKEP_STR("values"));
    skep_json_array(json);
    for (unsigned i = 0; i < p->n_values; i++)
        skep_json_str(json, p->values[i]);
    skep_json_end(json);
    skep_json_end(json);
}

static void write_severities(struct skep_json *json, const struct skep_template *t)
{
    skep_json_key(json, SKEP_STR("severities"));
    skep_json_object(json);
    for (unsigned i = 0; i < SKEP_TEMPLATE_SEVERITIES; i++)
        if (t->severities[i])
            skep_json_put_u64(json, severity_names[i], t->severities[i]);
    skep_json_end(json);
}

static void write_template(struct skep_json *json, struct skep_arena *arena,
                           const struct skep_template *t, bool compared)
{
    skep_json_object(json);
    skep_json_put_bool(json, SKEP_STR("other"), t->other);
    skep_json_put_u64(json, SKEP_STR("count"), t->count);
    if (compared)
        skep_json_put_u64(json, SKEP_STR("earlier"), t->earlier);
    skep_json_put_str(json, SKEP_STR("text"), skep_template_text(t, arena));
    skep_json_put_str(json, SKEP_STR("regex"), skep_template_regex(t, arena));
    skep_json_key(json, SKEP_STR("parts"));
    skep_json_array(json);
    for (unsigned i = 0; i < t->n_parts; i++)
        write_part(json, &t->parts[i]);
    skep_json_end(json);
    write_severities(json, t);
    if (t->count > 0) { /* and not gone since */
        skep_json_put_i64_str(json, SKEP_STR("first_ns"), t->first_ns);
        skep_json_put_i64_str(json, SKEP_STR("last_ns"), t->last_ns);
    }
    skep_json_key(json, SKEP_STR("series"));
    skep_json_array(json);
    for (unsigned i = 0; i < BINS; i++)
        skep_json_u64(json, t->bins[i]);
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("samples"));
    skep_json_array(json);
    for (unsigned i = 0; i < t->n_samples; i++)
        skep_json_str(json, skep_api__row_id(arena, t->samples[i]));
    skep_json_end(json);
    skep_json_end(json);
}

static void write_answer(struct skep_api__job *job, const struct skep_plan *plan,
                         const struct skep_patterns_ask *ask, const struct skep_patterns_answer *a,
                         int64_t elapsed_ns)
{
    struct skep_json *json = &job->out.json;
    size_t n = SKEP_MIN(a->list.n, (size_t)plan->limit);
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("patterns"));
    skep_json_array(json);
    for (size_t i = 0; i < n && !job->out.gone; i++) {
        write_template(json, &job->arena, &a->list.templates[i], ask->earlier_ns > 0);
        skep_api__out_check(&job->out);
    }
    skep_json_end(json);
    skep_json_put_u64(json, SKEP_STR("patterns_total"), a->list.n);
    skep_json_put_u64(json, SKEP_STR("lines"), a->list.lines);
    if (ask->earlier_ns > 0) {
        skep_json_put_u64(json, SKEP_STR("earlier_lines"), a->list.earlier);
        skep_json_put_f64(json, SKEP_STR("earlier_start_ms"),
                          (double)(plan->range.start_ns - ask->earlier_ns) / 1e6);
    }
    skep_json_put_u64(json, SKEP_STR("without"), a->without);
    skep_json_put_f64(json, SKEP_STR("start_ms"), (double)plan->range.start_ns / 1e6);
    skep_json_put_f64(json, SKEP_STR("end_ms"), (double)plan->range.end_ns / 1e6);
    skep_json_put_u64(json, SKEP_STR("rows_examined"), a->rows_examined);
    skep_json_put_f64(json, SKEP_STR("elapsed_ms"), (double)elapsed_ns / 1e6);
    skep_json_put_bool(json, SKEP_STR("complete"), a->complete);
    skep_api__put_also(job, json);
    if (!a->complete)
        skep_json_put_str(json, SKEP_STR("missing"), a->missing);
    skep_json_end(json);
}

static void patterns(struct skep_api__job *job)
{
    const struct skep_os *os = job->api->cfg.os;
    struct skep_lang_opts lang;
    const struct skep_plan *plan = NULL;
    struct skep_patterns_answer a;
    struct skep_patterns_ask ask = {.n_bins = BINS};
    struct skep_lang_issue issue;
    skep_err err;
    int64_t begin = os->mono_ns(os);
    if (!skep_api__page_lang(job, &lang))
        return;
    if (skep_lang_patterns(job->req->body, &lang, &job->arena, &plan, &ask.earlier_ns, &issue) !=
        SKEP_OK) {
        skep_api__job_fail_issue(job, &issue);
        return;
    }
    ask.field = plan->n_columns ? plan->columns[0].name : SKEP_STR("body");
    skep_rc rc = skep_query_patterns(job->api->cfg.store, plan, &ask, &job->opts, &a, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 200);
    write_answer(job, plan, &ask, &a, os->mono_ns(os) - begin);
    skep_api__out_end(&job->out);
}

static void handle(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, patterns);
}

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/skep/v1/patterns",
     .handle = handle,
     .refuse = skep_api__refuse,
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_patterns = {routes, SKEP_ARRAY_LEN(routes)};

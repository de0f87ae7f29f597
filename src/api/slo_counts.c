// SPDX-License-Identifier: Apache-2.0
/* Events that were good and all that count, of an SLO (alerts.h): one question by the SLI's value.
 *
 *   SLI true -> good and counted; false -> counted; absent -> not counted
 *
 * Each question is over all rows of its range, so the answer is exact whatever came late, was
 * deleted or superseded.  It is not read anew each minute all the same: the engine keeps the
 * partial answers of whole segments by question without its range (docs: src/query, "Kept
 * partials"), and these questions differ by their range alone.
 *
 * Threads: workers and the scheduler's.  Memory: the caller's arena. */
#include "api/alerts.h"
#include "api/honeycomb_objects.h"

#include "base/assert.h"
#include "base/mem.h"
#include "wire/rfc3339.h"

enum { SLUGS_MAX = 10 };

static const int64_t day_ns = INT64_C(86400000000000);

skep_rc skep_api__slo_read(struct skep_arena *arena, const struct skep_object *o,
                           struct skep_api__slo *ret, skep_err *err)
{
    size_t i, n;
    yyjson_val *slug;
    yyjson_doc *d = yyjson_read(o->body.p, o->body.n, 0);
    yyjson_val *root = yyjson_doc_get_root(d), *slugs = yyjson_obj_get(root, "dataset_slugs");
    skep_str *datasets = skep_new_n(arena, skep_str, SLUGS_MAX);
    *ret = (struct skep_api__slo){
        .object = *o,
        .name = skep_api__hny_text(arena, root, "name"),
        .alias = skep_api__hny_text(arena, yyjson_obj_get(root, "sli"), "alias"),
        .expression = skep_api__hny_text(arena, yyjson_obj_get(root, "sli"), "expression"),
        .target_per_million = (uint32_t)yyjson_get_uint(yyjson_obj_get(root, "target_per_million")),
        .period_ns = yyjson_get_sint(yyjson_obj_get(root, "time_period_days")) * day_ns,
        .datasets = datasets,
    };
    if (!skep_rfc3339_parse(skep_api__hny_text(arena, root, "reset_at"), &ret->reset_ns))
        ret->reset_ns = 0;
    yyjson_arr_foreach(slugs, i, n, slug)
    {
        if (ret->n_datasets < SLUGS_MAX)
            datasets[ret->n_datasets++] =
                skep_arena_str(arena, (skep_str){yyjson_get_str(slug), yyjson_get_len(slug)});
    }
    yyjson_doc_free(d);
    if (ret->alias.n == 0 || ret->period_ns <= 0 || ret->target_per_million >= 1000000 ||
        ret->n_datasets == 0)
        return skep_fail(err, SKEP_ECORRUPT, "state database: an SLO that is none");
    return SKEP_OK;
}

/* --- one dataset ---------------------------------------------------------------------------------
 */

/* {"breakdowns": [alias]}, of a draft with its calculated field; the calculation is COUNT. */
static skep_str spec_of(struct skep_arena *arena, const struct skep_api__slo *slo)
{
    struct skep_buf buf;
    struct skep_json json;
    skep_buf_init(&buf, SKEP_OBJECT_BYTES + (16 << 10));
    skep_json_init(&json, &buf);
    skep_json_object(&json);
    skep_json_key(&json, SKEP_STR("breakdowns"));
    skep_json_array(&json);
    skep_json_str(&json, slo->alias);
    skep_json_end(&json);
    if (slo->expression.n) {
        skep_json_key(&json, SKEP_STR("calculated_fields"));
        skep_json_array(&json);
        skep_json_object(&json);
        skep_json_put_str(&json, SKEP_STR("name"), slo->alias);
        skep_json_put_str(&json, SKEP_STR("expression"), slo->expression);
        skep_json_end(&json);
        skep_json_end(&json);
    }
    skep_json_end(&json);
    skep_str text = skep_arena_str(arena, skep_buf_text(&buf));
    skep_buf_done(&buf);
    return text;
}

enum sli { SLI_NONE, SLI_GOOD, SLI_BAD };

static enum sli sli_of(const skep_value *v)
{
    switch ((int)v->type) {
    case SKEP_TYPE_BOOL: return v->b ? SLI_GOOD : SLI_BAD;
    case SKEP_TYPE_INT: return v->i ? SLI_GOOD : SLI_BAD;
    case SKEP_TYPE_DOUBLE: return v->f != 0 ? SLI_GOOD : SLI_BAD;
    case SKEP_TYPE_STRING: return skep_str_eq(v->s, SKEP_STR("true")) ? SLI_GOOD : SLI_BAD;
    default: return SLI_NONE;
    }
}

static void add(struct skep_slo_counts *c, enum sli s, const struct skep_cell *cell)
{
    uint64_t n = cell->kind == SKEP_CELL_INT && cell->i > 0 ? (uint64_t)cell->i : 0;
    if (s == SLI_NONE)
        return;
    c->total += n;
    c->good += s == SLI_GOOD ? n : 0;
}

/* Into ret[n], steps from start_ns; step 0: all of it into ret[0]. */
static void add_result(const struct skep_result *r, int64_t start_ns, int64_t step_ns,
                       struct skep_slo_counts *ret, size_t n)
{
    for (size_t g = 0; g < r->n_groups; g++) {
        const struct skep_result_group *group = &r->groups[g];
        enum sli s = sli_of(&group->key[0]);
        if (step_ns == 0) {
            add(&ret[0], s, &group->values[0]);
            continue;
        }
        for (unsigned b = 0; b < r->n_buckets && group->series; b++) {
            int64_t at = (r->bucket_starts[b] - start_ns) / step_ns;
            if (r->bucket_starts[b] >= start_ns && at < (int64_t)n)
                add(&ret[at], s, &group->series[b]);
        }
    }
}

struct question {
    struct skep_api *api;
    const struct skep_run_opts *opts;
    const struct skep_api__slo *slo;
    struct skep_time_range range;
    int64_t step_ns;
};

static skep_rc ask(const struct question *q, skep_str slug, struct skep_slo_counts *ret, size_t n,
                   skep_err *err)
{
    struct skep_api__dataset d;
    struct skep_lang_opts lang;
    struct skep_lang_issue issue;
    const struct skep_plan *asked = NULL;
    struct skep_result *r = NULL;
    skep_rc rc = skep_api__dataset_of(q->api, q->opts, slug, &d, err);
    if (rc == SKEP_ENOTFOUND) /* it has no rows any more, or none yet */
        return SKEP_OK;
    SKEP_TRY(rc);
    SKEP_TRY(skep_api__hny_lang(q->api, q->opts, &d, &lang, err));
    skep_str spec = spec_of(q->opts->arena, q->slo);
    if (skep_lang_honeycomb(skep_str_bytes(spec), &lang, q->opts->arena, &asked, &issue) != SKEP_OK)
        return skep_fail(err, SKEP_EINVAL, "the SLI: %s", issue.text);
    struct skep_plan plan = *asked;
    plan.range = q->range;
    plan.granularity_ns = q->step_ns;
    plan.limit = SKEP_LIMIT_PLAN_RESULT_GROUPS;
    SKEP_TRY(skep_query_aggregate(q->api->cfg.store, &plan, q->opts, &r, err));
    if (!r->complete)
        return skep_fail(err, SKEP_ECORRUPT, "not all rows could be read: " SKEP_STRFMT,
                         SKEP_STRARG(r->missing));
    if (r->n_groups < r->n_groups_total)
        return skep_fail(err, SKEP_ELIMIT,
                         "the SLI has %zu values; it is to be true, false or absent",
                         r->n_groups_total);
    add_result(r, q->range.start_ns, q->step_ns, ret, n);
    return SKEP_OK;
}

static skep_rc ask_all(const struct question *q, struct skep_slo_counts *ret, size_t n,
                       skep_err *err)
{
    memset(ret, 0, n * sizeof *ret);
    for (size_t i = 0; i < q->slo->n_datasets; i++)
        SKEP_TRY(ask(q, q->slo->datasets[i], ret, n, err));
    return SKEP_OK;
}

/* --- questions -----------------------------------------------------------------------------------
 */

skep_rc skep_api__slo_counts(struct skep_api *api, const struct skep_run_opts *opts,
                             const struct skep_api__slo *slo, int64_t start_ns, int64_t end_ns,
                             struct skep_slo_counts *ret, skep_err *err)
{
    *ret = (struct skep_slo_counts){.total = 0};
    if (end_ns <= start_ns)
        return SKEP_OK;
    const struct question q = {api, opts, slo, {start_ns, end_ns}, 0};
    return ask_all(&q, ret, 1, err);
}

skep_rc skep_api__slo_series(struct skep_api *api, const struct skep_run_opts *opts,
                             const struct skep_api__slo *slo, int64_t start_ns, int64_t step_ns,
                             struct skep_slo_counts *ret, size_t n, skep_err *err)
{
    skep_assert(step_ns > 0 && start_ns % step_ns == 0);
    skep_assert(n > 0 && n <= SKEP_LIMIT_PLAN_BUCKETS);
    const struct question q = {
        api, opts, slo, {start_ns, start_ns + (int64_t)n * step_ns}, step_ns};
    return ask_all(&q, ret, n, err);
}

skep_rc skep_api__slo_period(struct skep_api *api, const struct skep_run_opts *opts,
                             const struct skep_api__slo *slo, int64_t at_ns,
                             struct skep_slo_counts *ret, skep_err *err)
{
    int64_t start = at_ns - slo->period_ns;
    if (slo->reset_ns > start)
        start = slo->reset_ns;
    return skep_api__slo_counts(api, opts, slo, start, at_ns, ret, err);
}

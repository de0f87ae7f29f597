// SPDX-License-Identifier: Apache-2.0
/* Rollbar's reports (docs/api/rollbar.md):
 *
 *   GET /api/1/reports/top_active_items     items with the most occurrences of the last hours
 *   GET /api/1/reports/occurrence_counts    how many there were, step by step
 *
 * Steps are whole minutes, hours or days of UTC; the last one is under way.
 * Threads: workers.  Memory: the job's arena. */
#include <stdlib.h>

#include "api/rollbar_priv.h"

#include "base/assert.h"
#include "state/item_twins.h"

enum { TOP = 10, CANDIDATES_MAX = 500, STAGES_MAX = 50, BUCKETS_MAX = 2000 };
static const int64_t ns_per_s = 1000000000;

/* environment and environments; false: refused. */
static bool read_stages(struct skep_api__job *job, const skep_str **ret, size_t *ret_n)
{
    *ret_n = skep_api__rb_list(job, SKEP_STR("environments"), ret, STAGES_MAX + 1);
    if (*ret_n == 0)
        *ret_n = skep_api__rb_list(job, SKEP_STR("environment"), ret, STAGES_MAX + 1);
    if (*ret_n > STAGES_MAX)
        return skep_api__rb_invalid(job, SKEP_STR("at most 50 environments"));
    return true;
}

/* n steps up to the end of the one that is under way. */
static struct skep_time_range steps_until(int64_t now_ns, int64_t step_s, unsigned n)
{
    int64_t step_ns = step_s * ns_per_s, end = (now_ns / step_ns + 1) * step_ns;
    return (struct skep_time_range){end - (int64_t)n * step_ns, end};
}

// --- top active items --------------------------------------------------------------------------

struct active {
    const struct skep_item *item;
    const struct skep_api__item_range *seen;
};

static int by_count(const void *a, const void *b)
{
    const struct active *x = a, *y = b;
    if (x->seen->count != y->seen->count)
        return x->seen->count < y->seen->count ? 1 : -1;
    return x->item->id < y->item->id ? 1 : -1;
}

static void put_top(struct skep_api__job *job, const struct active *list, size_t n, unsigned hours)
{
    struct skep_json *j = &job->out.json;
    skep_api__rb_begin(job, 200);
    skep_json_array(j);
    for (size_t i = 0; i < n && i < TOP && list[i].seen->count > 0; i++) {
        skep_json_object(j);
        skep_json_key(j, SKEP_STR("item"));
        skep_api__rb_item(j, list[i].item);
        skep_json_key(j, SKEP_STR("counts"));
        skep_json_array(j);
        for (unsigned h = 0; h < hours; h++)
            skep_json_u64(j, list[i].seen->series[h]);
        skep_json_end(j);
        skep_json_end(j);
    }
    skep_json_end(j);
    skep_api__rb_end(job);
}

static void top(struct skep_api__job *job)
{
    uint64_t hours = 24, all;
    skep_str sort = skep_api__param(job->req, SKEP_STR("sort"));
    struct skep_item_query q = {.environment = job->req->caller.environment,
                                .statuses = 1u << SKEP_ITEM_ACTIVE,
                                .limit = CANDIDATES_MAX};
    struct skep_item *items;
    size_t n;
    skep_err err = {.text = ""};
    if (!skep_api__rb_number(job, SKEP_STR("hours"), SKEP_API_ITEM_STEPS_MAX, &hours) ||
        !read_stages(job, &q.stages, &q.n_stages))
        return;
    if (sort.n && !skep_str_eq(sort, SKEP_STR("occurrences"))) {
        (void)skep_api__rb_invalid(job, SKEP_STR("sort is occurrences"));
        return;
    }
    struct skep_time_range range = steps_until(skep_api__now(job->api), 3600, (unsigned)hours);
    q.seen_after_ns = range.start_ns;
    skep_api__items_wait(job);
    skep_rc rc = skep_state_items(job->api->cfg.state, &q, &job->arena, &items, &n, &all, &err);
    if (rc != SKEP_OK) {
        skep_api__rb_fail_rc(job, rc, &err);
        return;
    }
    struct skep_api__item_range *seen = skep_new_n(&job->arena, struct skep_api__item_range, n + 1);
    struct active *list = skep_new_n(&job->arena, struct active, n + 1);
    rc = skep_api__items_range(job, range, (unsigned)hours, items, n, seen, &err);
    if (rc != SKEP_OK) {
        skep_api__rb_fail_rc(job, rc, &err);
        return;
    }
    for (size_t i = 0; i < n; i++)
        list[i] = (struct active){&items[i], &seen[i]};
    qsort(list, n, sizeof *list, by_count);
    put_top(job, list, n, (unsigned)hours);
}

// --- occurrence counts -------------------------------------------------------------------------

struct counts {
    struct skep_item item; /* whose they are; id 0 = of all, in these stages */
    const skep_str *stages;
    size_t n_stages;
    uint64_t step_s, n;
    struct skep_time_range range;
    uint64_t *of; /* [n] */
};

/* The plan's filter, of an item or of all; false: refused. */
static bool read_rows(struct skep_api__job *job, struct counts *c, struct skep_plan *plan)
{
    uint64_t id = 0;
    skep_err err = {.text = ""};
    skep_str value;
    if (skep_request_param(job->req, SKEP_STR("min_level"), &value) ||
        skep_request_param(job->req, SKEP_STR("max_level"), &value))
        return skep_api__rb_invalid(job, SKEP_STR("levels are not supported here"));
    if (!skep_api__rb_number(job, SKEP_STR("item_id"), INT64_MAX, &id) ||
        !read_stages(job, &c->stages, &c->n_stages))
        return false;
    if (id == 0) {
        skep_api__rb_rows_of_all(job, c->stages, c->n_stages, plan);
        return true;
    }
    skep_rc rc = skep_state_item_get(job->api->cfg.state, job->req->caller.environment, (int64_t)id,
                                     0, &job->arena, &c->item, &err);
    if (rc == SKEP_OK)
        rc = skep_api__rb_rows_of_item(job, &c->item, plan, &err);
    if (rc != SKEP_OK)
        skep_api__rb_fail_rc(job, rc, &err);
    return rc == SKEP_OK;
}

static bool read_steps(struct skep_api__job *job, struct counts *c)
{
    c->step_s = 3600;
    c->n = 24;
    if (!skep_api__rb_number(job, SKEP_STR("bucket_size"), 86400, &c->step_s) ||
        !skep_api__rb_number(job, SKEP_STR("buckets"), BUCKETS_MAX, &c->n))
        return false;
    if (c->step_s != 60 && c->step_s != 3600 && c->step_s != 86400)
        return skep_api__rb_invalid(job, SKEP_STR("bucket_size is 60, 3600 or 86400"));
    c->range = steps_until(skep_api__now(job->api), (int64_t)c->step_s, (unsigned)c->n);
    c->of = skep_new_n(&job->arena, uint64_t, c->n);
    memset(c->of, 0, c->n * sizeof *c->of);
    return true;
}

static skep_rc count(struct skep_api__job *job, struct skep_plan *plan, struct counts *c,
                     skep_err *err)
{
    static const struct skep_agg rows = {.op = SKEP_AGG_COUNT, .key = SKEP_STR_INIT("COUNT")};
    struct skep_result *res = NULL;
    int64_t step_ns = (int64_t)c->step_s * ns_per_s;
    job->opts.also = NULL; /* every report; the twins are taken off */
    plan->range = c->range;
    plan->aggs = &rows;
    plan->n_aggs = 1;
    plan->granularity_ns = step_ns;
    plan->ignore_sample_rate = true;
    SKEP_TRY(skep_query_aggregate(job->api->cfg.store, plan, &job->opts, &res, err));
    for (unsigned b = 0; res->totals.series && b < res->n_buckets; b++) {
        int64_t at = (res->bucket_starts[b] - c->range.start_ns) / step_ns;
        const struct skep_cell *cell = &res->totals.series[b];
        if (at >= 0 && at < (int64_t)c->n && cell->kind == SKEP_CELL_INT)
            c->of[at] += (uint64_t)cell->i;
    }
    return SKEP_OK;
}

/* What another wire told of already is no occurrence more. */
static skep_rc take_off_twins(struct skep_api__job *job, struct counts *c, skep_err *err)
{
    uint64_t *twins = skep_new_n(&job->arena, uint64_t, c->n);
    const struct skep_item_twins_query q = {.environment = job->req->caller.environment,
                                            .start_ns = c->range.start_ns,
                                            .end_ns = c->range.end_ns,
                                            .step_ns = (int64_t)c->step_s * ns_per_s,
                                            .steps = (unsigned)c->n};
    skep_rc rc = c->item.id
                     ? skep_api__item_twins(job, &c->item, c->range, (unsigned)c->n, twins, err)
                     : skep_state_twins_count_all(job->api->cfg.state, &q, c->stages, c->n_stages,
                                                  twins, err);
    for (uint64_t b = 0; rc == SKEP_OK && b < c->n; b++)
        c->of[b] -= SKEP_MIN(twins[b], c->of[b]);
    return rc;
}

static void occurrence_counts(struct skep_api__job *job)
{
    struct skep_json *j = &job->out.json;
    struct skep_plan plan = {.kind = SKEP_PLAN_AGGREGATE};
    struct counts c = {.step_s = 0};
    skep_err err = {.text = ""};
    if (!read_steps(job, &c) || !read_rows(job, &c, &plan))
        return;
    skep_api__items_wait(job);
    skep_rc rc = count(job, &plan, &c, &err);
    if (rc == SKEP_OK)
        rc = take_off_twins(job, &c, &err);
    if (rc != SKEP_OK) {
        skep_api__rb_fail_rc(job, rc, &err);
        return;
    }
    skep_api__rb_begin(job, 200);
    skep_json_array(j);
    for (uint64_t b = 0; b < c.n; b++) {
        skep_json_array(j);
        skep_json_i64(j, c.range.start_ns / ns_per_s + (int64_t)(b * c.step_s));
        skep_json_u64(j, c.of[b]);
        skep_json_end(j);
    }
    skep_json_end(j);
    skep_api__rb_end(job);
}

static const struct skep_route routes[] = {
    SKEP_API__RB_READ("/api/1/reports/top_active_items", top),
    SKEP_API__RB_READ("/api/1/reports/occurrence_counts", occurrence_counts),
};

const struct skep_api__routes skep_api__rollbar_reports = {routes, SKEP_ARRAY_LEN(routes)};

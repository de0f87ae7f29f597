// SPDX-License-Identifier: Apache-2.0
/* Items and what the store says of them (items.h).
 *
 *   fingerprints of the items and of their members -> one aggregate by (fingerprint, stage) with a
 *   series -> added to the item each belongs to -> without the twins (state/item_twins.h)
 *
 *   Every report's row is counted, X-Ray's beside another tracer's too (query/tracers.c leaves
 * those out): which of them tell of the same is for the twins to say.
 *
 *   items with members -> a second one, grouped by item: people that met two members are counted
 * once Threads: workers.  Memory: the job's arena. */
#include "api/items.h"

#include "base/assert.h"
#include "query/query.h"
#include "state/item_twins.h"

static const struct {
    skep_str name;
    int level;
} levels[] = {{SKEP_STR_INIT("critical"), SKEP_ITEM_CRITICAL},
              {SKEP_STR_INIT("error"), SKEP_ITEM_ERROR},
              {SKEP_STR_INIT("warning"), SKEP_ITEM_WARNING},
              {SKEP_STR_INIT("info"), SKEP_ITEM_INFO},
              {SKEP_STR_INIT("debug"), SKEP_ITEM_DEBUG}};

skep_str skep_api__item_level_name(int level)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(levels); i++) {
        if (level >= levels[i].level)
            return levels[i].name;
    }
    return SKEP_STR("debug");
}

bool skep_api__item_level_parse(skep_str name, int *ret)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(levels); i++) {
        if (skep_str_eq(name, levels[i].name)) {
            *ret = levels[i].level;
            return true;
        }
    }
    return false;
}

void skep_api__items_wait(struct skep_api__job *job)
{
    (void)skep_inbox_wait(job->api->cfg.inbox,
                          300); // later than that, the answer is of a moment ago
}

/* --- which fingerprints, whose --- */

struct wanted {
    skep_value fingerprint;
    skep_str stage;
    size_t item; /* index into items[] */
};
struct wants {
    struct wanted *list;
    size_t n, cap;
    struct skep_arena *arena;
};

static void want(struct wants *w, const struct skep_item *i, size_t item)
{
    if (w->n == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 64;
        struct wanted *list = skep_new_n(w->arena, struct wanted, cap);
        if (w->n)
            memcpy(list, w->list, w->n * sizeof *list);
        w->list = list;
        w->cap = cap;
    }
    w->list[w->n++] =
        (struct wanted){{.type = SKEP_TYPE_STRING, .s = i->fingerprint}, i->stage, item};
}

static skep_rc want_all(struct skep_api__job *job, const struct skep_item *items, size_t n,
                        struct wants *w, skep_err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct skep_item *members;
        size_t n_members;
        const struct skep_item_query q = {
            .environment = items[i].environment, .members_of = items[i].id, .limit = 1000};
        want(w, &items[i], i);
        SKEP_TRY(skep_state_items_page(job->api->cfg.state, &q, &job->arena, &members, &n_members,
                                       NULL, err));
        for (size_t m = 0; m < n_members; m++)
            want(w, &members[m], i);
    }
    return SKEP_OK;
}

/* --- the question --- */

static const struct skep_field_ref groups[] = {
    {.name = SKEP_STR_INIT("error.fingerprint")},
    {.name = SKEP_STR_INIT("deployment.environment.name")},
    {.name = SKEP_STR_INIT("deployment.environment")},
};
static const struct skep_agg aggs[] = {
    {.op = SKEP_AGG_COUNT, .key = SKEP_STR_INIT("COUNT")},
    {.op = SKEP_AGG_COUNT_DISTINCT,
     .field = {.name = SKEP_STR_INIT("user.id")},
     .key = SKEP_STR_INIT("users")},
    {.op = SKEP_AGG_COUNT_DISTINCT,
     .field = {.name = SKEP_STR_INIT("host.name")},
     .key = SKEP_STR_INIT("hosts")},
};

static const struct skep_expr *filter_of(struct skep_arena *arena, const struct wants *w)
{
    skep_value *values = skep_new_n(arena, skep_value, w->n);
    struct skep_expr *e = skep_new(arena, struct skep_expr);
    for (size_t i = 0; i < w->n; i++)
        values[i] = w->list[i].fingerprint;
    *e = (struct skep_expr){
        .op = SKEP_EXPR_TEST,
        .test = {
            .field = groups[0], .op = SKEP_CMP_EQ, .values = values, .n_values = (unsigned)w->n}};
    return e;
}

static uint64_t whole(const struct skep_cell *c)
{
    return c->kind == SKEP_CELL_INT && c->i > 0      ? (uint64_t)c->i
           : c->kind == SKEP_CELL_DOUBLE && c->f > 0 ? (uint64_t)c->f
                                                     : 0;
}

static void add(struct skep_api__item_range *r, const struct skep_result *res,
                const struct skep_result_group *g, struct skep_time_range range, unsigned steps)
{
    int64_t step = (range.end_ns - range.start_ns) / steps;
    r->count += whole(&g->values[0]);
    r->users += whole(&g->values[1]); // of items with members: distinct() says it
    r->hosts += whole(&g->values[2]);
    for (unsigned b = 0; g->series && b < res->n_buckets; b++) {
        int64_t at = SKEP_MAX(res->bucket_starts[b], range.start_ns) - range.start_ns;
        size_t i = SKEP_MIN((size_t)(at / SKEP_MAX(step, (int64_t)1)), (size_t)steps - 1);
        r->series[i] += whole(&g->series[b]); // of aggs[0]: agg-major
    }
}

static void deal(const struct wants *w, const struct skep_result *res,
                 struct skep_api__item_range *ret, struct skep_time_range range, unsigned steps)
{
    for (size_t g = 0; g < res->n_groups; g++) {
        const skep_value *key = res->groups[g].key;
        const skep_value *stage = key[1].type == SKEP_TYPE_STRING ? &key[1] : &key[2];
        skep_str said = stage->type == SKEP_TYPE_STRING ? stage->s : SKEP_STR_NULL;
        for (size_t i = 0; i < w->n && key[0].type == SKEP_TYPE_STRING; i++) {
            if (skep_str_eq(w->list[i].fingerprint.s, key[0].s) &&
                skep_str_eq(w->list[i].stage, said))
                add(&ret[w->list[i].item], res, &res->groups[g], range, steps);
        }
    }
}

/* Reports of one fingerprint in one stage that another wire told of already, step by step. */
static skep_rc twins_of(struct skep_api__job *job, const struct wanted *w, skep_str environment,
                        struct skep_time_range range, unsigned steps, uint64_t *ret, skep_err *err)
{
    const struct skep_item_twins_query q = {
        .environment = environment,
        .stage = w->stage,
        .fingerprint = w->fingerprint.s,
        .start_ns = range.start_ns,
        .end_ns = range.end_ns,
        .step_ns = SKEP_MAX((range.end_ns - range.start_ns) / steps, (int64_t)1),
        .steps = steps};
    return skep_state_twins_count(job->api->cfg.state, &q, ret, err);
}

/* Take off what other wires told of already.  Rows that were deleted are not counted, their twins
 * may be: never below nothing. */
static skep_rc take_off(struct skep_api__job *job, const struct wants *w, skep_str environment,
                        struct skep_time_range range, unsigned steps,
                        struct skep_api__item_range *ret, skep_err *err)
{
    uint64_t twins[SKEP_API_ITEM_STEPS_MAX];
    for (size_t i = 0; i < w->n; i++) {
        struct skep_api__item_range *r = &ret[w->list[i].item];
        SKEP_TRY(twins_of(job, &w->list[i], environment, range, steps, twins, err));
        for (unsigned b = 0; b < steps; b++) {
            uint64_t n = SKEP_MIN(twins[b], r->series[b]);
            r->series[b] -= n;
            r->count -= SKEP_MIN(n, r->count);
            r->twins += n;
        }
    }
    return SKEP_OK;
}

/* --- people and hosts of items with members --- */

static struct skep_expr *test_of(struct skep_arena *arena, const struct skep_field_ref *field,
                                 enum skep_cmp op, const skep_value *values, size_t n)
{
    struct skep_expr *e = skep_new(arena, struct skep_expr);
    *e = (struct skep_expr){
        .op = SKEP_EXPR_TEST,
        .test = {.field = *field, .op = op, .values = values, .n_values = (unsigned)n}};
    return e;
}

static struct skep_expr *of_kids(struct skep_arena *arena, enum skep_expr_op op,
                                 struct skep_expr *a, struct skep_expr *b)
{
    struct skep_expr **kids = skep_new_n(arena, struct skep_expr *, 2);
    struct skep_expr *e = skep_new(arena, struct skep_expr);
    kids[0] = a;
    kids[1] = b;
    *e = (struct skep_expr){.op = op, .kids = kids, .n_kids = 2};
    return e;
}

/* Rows of a stage: by its name, or, where that is absent, by its old one. */
static struct skep_expr *of_stage(struct skep_arena *arena, skep_str stage)
{
    skep_value *v = skep_new(arena, skep_value);
    *v = (skep_value){.type = SKEP_TYPE_STRING, .s = stage};
    struct skep_expr *no_name = test_of(arena, &groups[1], SKEP_CMP_NOT_EXISTS, NULL, 0);
    if (stage.n == 0)
        return of_kids(arena, SKEP_EXPR_AND, no_name,
                       test_of(arena, &groups[2], SKEP_CMP_NOT_EXISTS, NULL, 0));
    struct skep_expr *by_old =
        of_kids(arena, SKEP_EXPR_AND, no_name, test_of(arena, &groups[2], SKEP_CMP_EQ, v, 1));
    return of_kids(arena, SKEP_EXPR_OR, test_of(arena, &groups[1], SKEP_CMP_EQ, v, 1), by_old);
}

/* Of wants[from .. to): those of one item, and of one stage. */
static const struct skep_expr *of_item(struct skep_arena *arena, const struct wants *w, size_t from,
                                       size_t to)
{
    skep_value *values = skep_new_n(arena, skep_value, to - from);
    for (size_t i = from; i < to; i++)
        values[i - from] = w->list[i].fingerprint;
    return of_kids(arena, SKEP_EXPR_AND, test_of(arena, &groups[0], SKEP_CMP_EQ, values, to - from),
                   of_stage(arena, w->list[from].stage));
}

static struct skep_run_opts all_reports(struct skep_api__job *job)
{
    struct skep_run_opts opts = job->opts;
    opts.also = NULL;
    return opts;
}

static skep_rc distinct(struct skep_api__job *job, const struct wants *w,
                        struct skep_time_range range, struct skep_api__item_range *ret,
                        skep_err *err)
{
    const struct skep_run_opts opts = all_reports(job);
    const struct skep_expr **cases = skep_new_n(&job->arena, const struct skep_expr *, w->n);
    size_t *items = skep_new_n(&job->arena, size_t, w->n), end;
    struct skep_result *res = NULL;
    unsigned n = 0;
    for (size_t i = 0; i < w->n; i = end) {
        for (end = i + 1; end < w->n && w->list[end].item == w->list[i].item; end++) {
        }
        if (end - i == 1)
            continue; /* without members */
        items[n] = w->list[i].item;
        cases[n++] = of_item(&job->arena, w, i, end);
    }
    if (n == 0)
        return SKEP_OK;
    const struct skep_field_ref by_item = {
        .name = SKEP_STR_INIT("item"), .cases = cases, .n_cases = n};
    const struct skep_plan plan = {.kind = SKEP_PLAN_AGGREGATE,
                                   .range = range,
                                   .filter = filter_of(&job->arena, w),
                                   .groups = &by_item,
                                   .n_groups = 1,
                                   .aggs = aggs + 1,
                                   .n_aggs = SKEP_ARRAY_LEN(aggs) - 1,
                                   .ignore_sample_rate = true,
                                   .limit = SKEP_LIMIT_PLAN_RESULT_GROUPS};
    SKEP_TRY(skep_query_aggregate(job->api->cfg.store, &plan, &opts, &res, err));
    for (unsigned i = 0; i < n; i++)
        ret[items[i]].users = ret[items[i]].hosts = 0;
    for (size_t g = 0; g < res->n_groups; g++) {
        const skep_value *key = &res->groups[g].key[0];
        if (key->type != SKEP_TYPE_INT || key->i < 0 || key->i >= (int64_t)n)
            continue;
        ret[items[key->i]].users = whole(&res->groups[g].values[0]);
        ret[items[key->i]].hosts = whole(&res->groups[g].values[1]);
    }
    return SKEP_OK;
}

skep_rc skep_api__items_range(struct skep_api__job *job, struct skep_time_range range,
                              unsigned steps, const struct skep_item *items, size_t n,
                              struct skep_api__item_range *ret, skep_err *err)
{
    const struct skep_run_opts opts = all_reports(job);
    struct wants w = {.arena = &job->arena};
    struct skep_result *res = NULL;
    skep_assert(steps > 0 && steps <= SKEP_API_ITEM_STEPS_MAX);
    memset(ret, 0, n * sizeof *ret);
    SKEP_TRY(want_all(job, items, n, &w, err));
    if (w.n == 0)
        return SKEP_OK;
    const struct skep_plan plan = {
        .kind = SKEP_PLAN_AGGREGATE,
        .range = range,
        .filter = filter_of(&job->arena, &w),
        .groups = groups,
        .n_groups = SKEP_ARRAY_LEN(groups),
        .aggs = aggs,
        .n_aggs = SKEP_ARRAY_LEN(aggs),
        .granularity_ns = SKEP_MAX((range.end_ns - range.start_ns) / steps, (int64_t)1000000),
        .ignore_sample_rate = true,
        .limit = SKEP_LIMIT_PLAN_RESULT_GROUPS,
    };
    SKEP_TRY(skep_query_aggregate(job->api->cfg.store, &plan, &opts, &res, err));
    deal(&w, res, ret, range, steps);
    SKEP_TRY(distinct(job, &w, range, ret, err));
    return take_off(job, &w, items[0].environment, range, steps, ret, err);
}

skep_rc skep_api__item_twins(struct skep_api__job *job, const struct skep_item *item,
                             struct skep_time_range range, unsigned steps, uint64_t *ret,
                             skep_err *err)
{
    struct wants w = {.arena = &job->arena};
    uint64_t *of = skep_new_n(&job->arena, uint64_t, steps);
    memset(ret, 0, steps * sizeof *ret);
    SKEP_TRY(want_all(job, item, 1, &w, err));
    for (size_t i = 0; i < w.n; i++) {
        SKEP_TRY(twins_of(job, &w.list[i], item->environment, range, steps, of, err));
        for (unsigned b = 0; b < steps; b++)
            ret[b] += of[b];
    }
    return SKEP_OK;
}

// SPDX-License-Identifier: Apache-2.0
/* The rows that a dedup lets pass, without all others.
 *
 *   fields ... | dedup @log      of ten million lines ten go on, the first of each @log
 *
 * Pages are read as for any pipeline until enough rows have come to see that few combinations stand
 * in them.  For what is left of the range the store is then asked for the combinations, and for the
 * first row of each: a row that would pass is one of those.  They go through all stages, the dedup
 * among them, which knows what it has let pass already.
 *
 * I1  With and without, the answer is the same: where a combination cannot be asked for exactly (a
 *     field is missing in some rows, a number is a double), nothing has gone on and pages are read.
 *
 * Threads: the caller's.  Memory: opts->budget, the page's arena. */
#include <stdlib.h>

#include "base/assert.h"
#include "event/view.h"
#include "query/pipe_priv.h"

/* Does the stage change what stands in a slot? */
static bool sets(const struct skep_pipe_stage *s, unsigned slot)
{
    for (unsigned i = 0; i < s->n_assigns; i++)
        if (s->assigns[i].slot == slot)
            return true;
    for (unsigned i = 0; i < s->n_slots; i++)
        if (s->slots[i] == slot)
            return true;
    return false;
}

/* The store's name of a slot's field; empty: it has none that it groups by exactly. */
static skep_str field_of(const struct skep_pipe *p, unsigned slot)
{
    for (unsigned i = 0; i < p->n_fields; i++) {
        const struct skep_pipe_field *f = &p->fields[i];
        if (f->slot != slot)
            continue;
        if (f->what == SKEP_PIPE_DATASET)
            return SKEP_STR("dataset");
        return f->what == SKEP_PIPE_FIELD && !skep_view_find(f->name) ? f->name : SKEP_STR("");
    }
    return SKEP_STR("");
}

const struct skep_pipe__node *skep_pipe__first_dedup(const struct skep_pipe__run *r)
{
    unsigned at = 0;
    while (at < r->n_nodes && r->nodes[at].stage->op != SKEP_PIPE_FILTER &&
           skep_pipe__keeps_rows(r->nodes[at].stage))
        at++;
    if (at == r->n_nodes || r->nodes[at].stage->op != SKEP_PIPE_DEDUP || r->p->earlier_ns > 0)
        return NULL;
    const struct skep_pipe_stage *dedup = r->nodes[at].stage;
    if (dedup->n_slots > SKEP_LIMIT_PLAN_GROUPS)
        return NULL;
    for (unsigned i = 0; i < dedup->n_slots; i++) {
        if (field_of(r->p, dedup->slots[i]).n == 0)
            return NULL;
        for (unsigned k = 0; k < at; k++)
            if (sets(r->nodes[k].stage, dedup->slots[i]))
                return NULL;
    }
    return &r->nodes[at];
}

struct newest {
    struct skep_store *store;
    struct skep_pipe__run *r;
    const struct skep_plan *rows; /* of the range that is left */
    const struct skep_pipe_stage *dedup;
    struct skep_run_opts opts;
    struct skep_field_ref groups[SKEP_LIMIT_PLAN_GROUPS];
};

/* The combinations.  *ret NULL: they are too many, or cannot be told apart exactly. */
static skep_rc combinations(struct newest *x, const struct skep_result **ret)
{
    static const struct skep_agg count = {.op = SKEP_AGG_COUNT, .key = {"COUNT", 5}};
    struct skep_plan plan = *x->rows;
    struct skep_result *result = NULL;
    plan.kind = SKEP_PLAN_AGGREGATE;
    plan.bare = plan.has_cursor = plan.oldest_first = false;
    plan.columns = NULL;
    plan.n_columns = 0;
    plan.groups = x->groups;
    plan.n_groups = x->dedup->n_slots;
    plan.aggs = &count;
    plan.n_aggs = 1;
    plan.limit = SKEP_PIPE__NEWEST_MAX;
    plan.ignore_sample_rate = true;
    *ret = NULL;
    if (skep_plan_check(&plan, NULL) != SKEP_OK)
        return SKEP_OK;
    skep_rc rc = skep_query_aggregate(x->store, &plan, &x->opts, &result, x->r->err);
    if (rc == SKEP_ENOMEM) /* of very many: pages need less */
        return SKEP_OK;
    SKEP_TRY(rc);
    if (!result->complete || result->n_groups_total > result->n_groups)
        return SKEP_OK;
    for (size_t g = 0; g < result->n_groups; g++)
        for (unsigned i = 0; i < plan.n_groups; i++) {
            enum skep_type t = result->groups[g].key[i].type;
            if (t != SKEP_TYPE_STRING && t != SKEP_TYPE_INT && t != SKEP_TYPE_BOOL)
                return SKEP_OK;
        }
    *ret = result;
    return SKEP_OK;
}

/* The first row of a combination, added to `to`. */
static skep_rc first_row(struct newest *x, const skep_value *key, struct skep_rows *to,
                         bool *ret_ok)
{
    struct skep_plan plan = *x->rows;
    struct skep_arena *a = x->opts.arena;
    unsigned n = x->dedup->n_slots;
    struct skep_expr *all = skep_new(a, struct skep_expr),
                     *tests = skep_new_n(a, struct skep_expr, n);
    struct skep_expr **kids = skep_new_n(a, struct skep_expr *, n + 1);
    for (unsigned i = 0; i < n; i++) {
        tests[i] = (struct skep_expr){
            .op = SKEP_EXPR_TEST,
            .test = {.field = x->groups[i], .op = SKEP_CMP_EQ, .values = &key[i], .n_values = 1}};
        kids[i + 1] = &tests[i];
    }
    kids[0] = (struct skep_expr *)(uintptr_t)plan.filter; /* read only */
    *all = (struct skep_expr){.op = SKEP_EXPR_AND, .kids = kids, .n_kids = n + 1};
    plan.filter = all;
    plan.limit = 1;
    struct skep_answer answer = {.complete = true};
    *ret_ok = skep_plan_check(&plan, NULL) == SKEP_OK;
    if (!*ret_ok)
        return SKEP_OK;
    skep_rc rc = skep_query_run(x->store, &plan, &x->opts, &answer, x->r->err);
    *ret_ok = rc == SKEP_OK && answer.complete;
    if (rc == SKEP_ENOMEM)
        return SKEP_OK;
    SKEP_TRY(rc);
    if (answer.rows.n > 0) /* else it has gone since */
        to->rows[to->n++] = answer.rows.rows[0];
    return SKEP_OK;
}

static int by_time(const void *pa, const void *pb, void *oldest_first)
{
    const struct skep_row *a = pa, *b = pb;
    int c = a->time_ns < b->time_ns ? -1 : a->time_ns > b->time_ns;
    if (c == 0)
        c = a->id.seq < b->id.seq ? -1 : a->id.seq > b->id.seq;
    if (c == 0)
        c = a->id.ordinal < b->id.ordinal ? -1 : a->id.ordinal > b->id.ordinal;
    return *(const bool *)oldest_first ? c : -c;
}

skep_rc skep_pipe__newest(struct skep_store *store, struct skep_pipe__run *r,
                          const struct skep_pipe__node *dedup, const struct skep_plan *rows,
                          struct skep_arena *a, struct skep_pipe__newest *ret)
{
    const struct skep_result *result = NULL;
    struct newest x = {.store = store, .r = r, .rows = rows, .dedup = dedup->stage};
    bool ok = true, oldest_first = rows->oldest_first;
    skep_assert(rows->kind == SKEP_PLAN_ROWS && !rows->has_cursor && rows->filter);
    *ret = (struct skep_pipe__newest){.known = false};
    x.opts = *r->opts;
    x.opts.arena = a;
    x.opts.progress = NULL;
    x.opts.also = NULL;
    for (unsigned i = 0; i < dedup->stage->n_slots; i++)
        x.groups[i].name = field_of(r->p, dedup->stage->slots[i]);
    SKEP_TRY(combinations(&x, &result));
    if (!result)
        return SKEP_OK;
    ret->rows.rows = skep_new_n(a, struct skep_row, result->n_groups + 1);
    for (size_t g = 0; g < result->n_groups && ok; g++) {
        ret->matched += (uint64_t)result->groups[g].values[0].i;
        SKEP_TRY(first_row(&x, result->groups[g].key, &ret->rows, &ok));
    }
    ret->known = ok;
    if (ret->rows.n > 1)
        qsort_r(ret->rows.rows, ret->rows.n, sizeof *ret->rows.rows, by_time, &oldest_first);
    return SKEP_OK;
}

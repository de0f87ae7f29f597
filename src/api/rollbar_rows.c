// SPDX-License-Identifier: Apache-2.0
/* Which rows Rollbar's calls for occurrences are about (rollbar_priv.h).
 *
 *   an occurrence   a row with error.fingerprint that is no span (inbox/sightings.c)
 *   of an item      that has its fingerprint, or one of its members', and its stage
 *
 * Threads: workers.  Memory: the job's arena. */
#include "api/rollbar_priv.h"

#include "base/assert.h"

enum { MEMBERS_MAX = 1000 };

const skep_str skep_api__rb_stage = SKEP_STR_INIT("deployment.environment.name");
const skep_str skep_api__rb_old_stage = SKEP_STR_INIT("deployment.environment");

static struct skep_expr *test(struct skep_arena *arena, skep_str field, enum skep_cmp op,
                              const skep_value *values, unsigned n)
{
    struct skep_expr *e = skep_new(arena, struct skep_expr);
    *e = (struct skep_expr){
        .op = SKEP_EXPR_TEST,
        .test = {.field = {.name = field}, .op = op, .values = values, .n_values = n}};
    return e;
}

static struct skep_expr *is(struct skep_arena *arena, skep_str field, enum skep_cmp op,
                            skep_str text)
{
    skep_value *v = skep_new(arena, skep_value);
    *v = (skep_value){.type = SKEP_TYPE_STRING, .s = text};
    return test(arena, field, op, v, 1);
}

static struct skep_expr *both(struct skep_arena *arena, enum skep_expr_op op, struct skep_expr *a,
                              struct skep_expr *b)
{
    struct skep_expr **kids = skep_new_n(arena, struct skep_expr *, 2);
    struct skep_expr *e = skep_new(arena, struct skep_expr);
    kids[0] = a;
    kids[1] = b;
    *e = (struct skep_expr){.op = op, .kids = kids, .n_kids = 2};
    return e;
}

/* Absent or empty. */
static struct skep_expr *unsaid(struct skep_arena *arena, skep_str field)
{
    return both(arena, SKEP_EXPR_OR, test(arena, field, SKEP_CMP_NOT_EXISTS, NULL, 0),
                is(arena, field, SKEP_CMP_EQ, SKEP_STR("")));
}

/* Where the program said it runs, by the new name or else by the old one (inbox/sightings.c). */
static struct skep_expr *in_stage(struct skep_arena *arena, skep_str stage)
{
    struct skep_expr *unsaid_new = unsaid(arena, skep_api__rb_stage);
    if (stage.n == 0)
        return both(arena, SKEP_EXPR_AND, unsaid_new, unsaid(arena, skep_api__rb_old_stage));
    return both(arena, SKEP_EXPR_OR, is(arena, skep_api__rb_stage, SKEP_CMP_EQ, stage),
                both(arena, SKEP_EXPR_AND, unsaid_new,
                     is(arena, skep_api__rb_old_stage, SKEP_CMP_EQ, stage)));
}

/* Rows that are occurrences of something. */
static struct skep_expr *occurrences(struct skep_arena *arena, struct skep_expr *fingerprints)
{
    return both(arena, SKEP_EXPR_AND, fingerprints,
                is(arena, SKEP_STR("meta.kind"), SKEP_CMP_NE, skep_kind_name(SKEP_KIND_SPAN)));
}

skep_rc skep_api__rb_rows_of_item(struct skep_api__job *job, const struct skep_item *item,
                                  struct skep_plan *plan, skep_err *err)
{
    const struct skep_item_query q = {
        .environment = item->environment, .members_of = item->id, .limit = MEMBERS_MAX};
    struct skep_item *members;
    size_t n;
    uint64_t all;
    struct skep_time_range r = {item->first_ns, item->last_ns};
    SKEP_TRY(skep_state_items(job->api->cfg.state, &q, &job->arena, &members, &n, &all, err));
    skep_value *values = skep_new_n(&job->arena, skep_value, n + 1);
    values[n] = (skep_value){.type = SKEP_TYPE_STRING, .s = item->fingerprint};
    for (size_t i = 0; i < n; i++) {
        values[i] = (skep_value){.type = SKEP_TYPE_STRING, .s = members[i].fingerprint};
        r.start_ns = SKEP_MIN(r.start_ns, members[i].first_ns);
        r.end_ns = SKEP_MAX(r.end_ns, members[i].last_ns);
    }
    r.end_ns += r.end_ns < INT64_MAX;
    plan->range = r;
    plan->filter = both(&job->arena, SKEP_EXPR_AND,
                        occurrences(&job->arena, test(&job->arena, SKEP_STR("error.fingerprint"),
                                                      SKEP_CMP_EQ, values, (unsigned)n + 1)),
                        in_stage(&job->arena, item->stage));
    return SKEP_OK;
}

void skep_api__rb_rows_of_all(struct skep_api__job *job, const skep_str *stages, size_t n,
                              struct skep_plan *plan)
{
    struct skep_arena *arena = &job->arena;
    struct skep_expr *e =
        occurrences(arena, test(arena, SKEP_STR("error.fingerprint"), SKEP_CMP_EXISTS, NULL, 0));
    struct skep_expr *places = n ? in_stage(arena, stages[0]) : NULL;
    for (size_t i = 1; i < n; i++)
        places = both(arena, SKEP_EXPR_OR, places, in_stage(arena, stages[i]));
    plan->filter = n ? both(arena, SKEP_EXPR_AND, e, places) : e;
}

void skep_api__rb_rows_of_version(struct skep_api__job *job, skep_str version, skep_str stage,
                                  struct skep_plan *plan)
{
    skep_api__rb_rows_of_all(job, &stage, 1, plan);
    struct skep_expr *all = skep_new(&job->arena, struct skep_expr);
    *all = *plan->filter;
    plan->filter = both(&job->arena, SKEP_EXPR_AND, all,
                        is(&job->arena, SKEP_STR("service.version"), SKEP_CMP_EQ, version));
}

// SPDX-License-Identifier: Apache-2.0
/* A trigger's question and its threshold.
 *
 *   question as of the slot -> groups, a value each -> with a baseline: minus the group's value
 *   `offset_minutes` earlier, or that in percent of the earlier one -> met when some group's value
 *   compares true
 *
 * A group without a value (AVG of nothing) is not met; without breakdowns COUNT of nothing is 0,
 * and compares.  With a baseline a group that was not there earlier counts from 0; a change in
 * percent of 0 is none.  What decides (the evaluation's value) is the greatest of the groups, of <
 * and <= the least. Threads: the scheduler's.  Memory: the evaluation's arena. */
#include "api/alerts.h"
#include "api/honeycomb_objects.h"

#include <math.h>

#include "base/assert.h"

enum { GROUPS_SHOWN = 100 };

static const int64_t minute_ns = INT64_C(60000000000);

struct threshold {
    enum skep_cmp op;
    double value;
    bool baseline, percentage;
    int64_t offset_ns;
};

struct group {
    const skep_value *key;
    double value;
    bool has_value, met;
};

struct groups {
    const struct skep_plan *plan;
    struct group *list;
    size_t n;
};

static struct threshold threshold_of(struct skep_arena *arena, yyjson_val *root)
{
    yyjson_val *t = yyjson_obj_get(root, "threshold");
    yyjson_val *b = yyjson_obj_get(root, "baseline_details");
    skep_str op = skep_api__hny_text(arena, t, "op");
    bool greater = op.n > 0 && op.p[0] == '>';
    return (struct threshold){
        .op = op.n > 1 ? (greater ? SKEP_CMP_GE : SKEP_CMP_LE)
                       : (greater ? SKEP_CMP_GT : SKEP_CMP_LT),
        .value = yyjson_get_num(yyjson_obj_get(t, "value")),
        .baseline = b != NULL,
        .percentage = skep_str_eq(skep_api__hny_text(arena, b, "type"), SKEP_STR("percentage")),
        .offset_ns = yyjson_get_sint(yyjson_obj_get(b, "offset_minutes")) * minute_ns};
}

static bool passes(const struct threshold *t, double v)
{
    switch ((int)t->op) {
    case SKEP_CMP_GT: return v > t->value;
    case SKEP_CMP_GE: return v >= t->value;
    case SKEP_CMP_LT: return v < t->value;
    case SKEP_CMP_LE: return v <= t->value;
    default: skep_unreachable("not an operator of thresholds");
    }
}

static bool is_least(const struct threshold *t)
{
    return t->op == SKEP_CMP_LT || t->op == SKEP_CMP_LE;
}

/* --- the question --------------------------------------------------------------------------------
 */

/* Its text and dataset: of the object itself, or of a stored query. */
static skep_rc spec_of(struct skep_api__alert *a, skep_str *ret, skep_err *err)
{
    struct skep_state_query q;
    size_t n = 0;
    yyjson_val *given = yyjson_obj_get(a->root, "query");
    if (!given) {
        SKEP_TRY(skep_state_get_query(a->api->cfg.state, a->object.environment,
                                      skep_api__hny_text(a->opts.arena, a->root, "query_id"),
                                      a->opts.arena, &q, err));
        *ret = q.spec;
        return SKEP_OK;
    }
    char *text = yyjson_val_write_opts(given, 0, &a->doc->alc, &n, NULL);
    *ret = skep_arena_str(a->opts.arena, (skep_str){text ? text : "", n});
    if (text)
        a->doc->alc.free(a->doc->alc.ctx, text);
    return SKEP_OK;
}

static bool number_of(const struct skep_cell *c, double *ret)
{
    *ret = c->kind == SKEP_CELL_INT ? (double)c->i : c->kind == SKEP_CELL_DOUBLE ? c->f : 0;
    return c->kind == SKEP_CELL_INT || c->kind == SKEP_CELL_DOUBLE;
}

/* What decides comes first: of more groups than an answer holds, the others would change nothing.
 */
static const struct skep_plan *ordered(struct skep_api__alert *a, const struct skep_plan *plan,
                                       bool least)
{
    struct skep_order *order = skep_new(a->opts.arena, struct skep_order);
    struct skep_plan *copy = skep_new(a->opts.arena, struct skep_plan);
    *order = (struct skep_order){
        .by_agg = true, .index = skep_plan_first_value(plan), .descending = !least};
    *copy = *plan;
    copy->orders = order;
    copy->n_orders = 1;
    return copy;
}

static skep_rc ask(struct skep_api__alert *a, const struct threshold *t, skep_str spec,
                   int64_t now_ns, struct groups *ret, skep_err *err)
{
    struct skep_api__dataset d;
    struct skep_lang_opts lang;
    struct skep_lang_issue issue;
    struct skep_result *r = NULL;
    skep_rc rc = skep_api__dataset_of(a->api, &a->opts, a->object.scope, &d, err);
    if (rc == SKEP_ENOTFOUND) { /* no rows yet, or none any more */
        d = (struct skep_api__dataset){.name = a->object.scope, .slug = a->object.scope};
        rc = SKEP_OK;
    }
    SKEP_TRY(rc);
    SKEP_TRY(skep_api__hny_lang(a->api, &a->opts, &d, &lang, err));
    lang.now_ns = now_ns;
    lang.disable_series = true;
    lang.limit = SKEP_LIMIT_PLAN_RESULT_GROUPS;
    if (skep_lang_honeycomb(skep_str_bytes(spec), &lang, a->opts.arena, &ret->plan, &issue) !=
        SKEP_OK)
        return skep_fail(err, SKEP_EINVAL, "%s: %s", issue.field, issue.text);
    ret->plan = ordered(a, ret->plan, is_least(t));
    SKEP_TRY(skep_query_aggregate(a->api->cfg.store, ret->plan, &a->opts, &r, err));
    if (!r->complete)
        return skep_fail(err, SKEP_ECORRUPT, "not all rows could be read: " SKEP_STRFMT,
                         SKEP_STRARG(r->missing));
    if (t->baseline && r->n_groups < r->n_groups_total)
        return skep_fail(
            err, SKEP_ELIMIT,
            "%zu groups: at most %d can be compared with what they were, group by less",
            r->n_groups_total, SKEP_LIMIT_PLAN_RESULT_GROUPS);
    bool whole = ret->plan->n_groups == 0 && ret->plan->n_havings == 0;
    const struct skep_result_group *list = whole ? &r->totals : r->groups;
    ret->n = whole ? 1 : r->n_groups;
    ret->list = skep_new_n(a->opts.arena, struct group, ret->n + 1);
    for (size_t i = 0; i < ret->n; i++) {
        ret->list[i] = (struct group){.key = list[i].key};
        ret->list[i].has_value =
            number_of(&list[i].values[skep_plan_first_value(ret->plan)], &ret->list[i].value);
    }
    return SKEP_OK;
}

/* --- baselines -----------------------------------------------------------------------------------
 */

static bool same_value(const skep_value *a, const skep_value *b)
{
    if (a->type != b->type)
        return false;
    switch ((int)a->type) {
    case SKEP_TYPE_STRING: return skep_str_eq(a->s, b->s);
    case SKEP_TYPE_INT: return a->i == b->i;
    case SKEP_TYPE_DOUBLE: return memcmp(&a->f, &b->f, sizeof a->f) == 0;
    case SKEP_TYPE_BOOL: return a->b == b->b;
    default: return true;
    }
}

static double earlier(const struct groups *then, const struct group *g, unsigned n_keys)
{
    for (size_t i = 0; i < then->n; i++) {
        bool same = true;
        for (unsigned k = 0; k < n_keys && same; k++)
            same = same_value(&then->list[i].key[k], &g->key[k]);
        if (same)
            return then->list[i].has_value ? then->list[i].value : 0;
    }
    return 0;
}

static void subtract(struct groups *now, const struct groups *then, bool percentage)
{
    for (size_t i = 0; i < now->n; i++) {
        struct group *g = &now->list[i];
        double was = earlier(then, g, now->plan->n_groups);
        if (percentage && was == 0)
            g->has_value = false;
        g->value = percentage && was != 0 ? (g->value - was) / fabs(was) * 100 : g->value - was;
    }
}

/* --- the answer ----------------------------------------------------------------------------------
 */

static void put_group(struct skep_json *j, const struct groups *all, const struct group *g)
{
    skep_json_object(j);
    skep_json_key(j, SKEP_STR("group"));
    skep_json_array(j);
    for (unsigned k = 0; k < all->plan->n_groups; k++) {
        skep_json_object(j);
        skep_json_put_str(j, SKEP_STR("key"), skep_field_label(&all->plan->groups[k]));
        skep_json_key(j, SKEP_STR("value"));
        skep_api__value(j, &g->key[k]);
        skep_json_end(j);
    }
    skep_json_end(j);
    skep_json_key(j, SKEP_STR("result"));
    if (g->has_value)
        skep_json_f64(j, g->value);
    else
        skep_json_null(j);
    skep_json_end(j);
}

static void put_groups(struct skep_json *j, const char *key, const struct groups *all, bool met)
{
    size_t shown = 0;
    skep_json_key(j, skep_str_c(key));
    skep_json_array(j);
    for (size_t i = 0; i < all->n && shown < GROUPS_SHOWN; i++) {
        if (met && !all->list[i].met)
            continue;
        put_group(j, all, &all->list[i]);
        shown++;
    }
    skep_json_end(j);
}

static skep_str detail(struct skep_api__alert *a, const struct groups *all, size_t n_met)
{
    struct skep_buf buf;
    struct skep_json j;
    skep_buf_init(&buf, SKEP_WATCH_DETAIL_BYTES);
    skep_json_init(&j, &buf);
    skep_json_object(&j);
    skep_json_put_u64(&j, SKEP_STR("n_groups"), all->n);
    skep_json_put_u64(&j, SKEP_STR("n_triggered"), n_met);
    skep_json_put_i64(&j, SKEP_STR("start"), all->plan->range.start_ns / 1000000000);
    skep_json_put_i64(&j, SKEP_STR("end"), all->plan->range.end_ns / 1000000000);
    put_groups(&j, "groups_triggered", all, true);
    put_groups(&j, "groups", all, false);
    skep_json_end(&j);
    skep_str text = buf.bad ? SKEP_STR("{}") : skep_arena_str(a->opts.arena, skep_buf_text(&buf));
    skep_buf_done(&buf);
    return text;
}

skep_rc skep_api__alert_trigger(struct skep_api__alert *a, struct skep_watch_answer *ret,
                                skep_err *err)
{
    const struct threshold t = threshold_of(a->opts.arena, a->root);
    struct groups now = {.n = 0}, then = {.n = 0};
    skep_str spec;
    size_t n_met = 0;
    bool least = is_least(&t);
    SKEP_TRY(spec_of(a, &spec, err));
    SKEP_TRY(ask(a, &t, spec, a->slot_ns, &now, err));
    if (t.baseline) {
        SKEP_TRY(ask(a, &t, spec, a->slot_ns - t.offset_ns, &then, err));
        subtract(&now, &then, t.percentage);
    }
    for (size_t i = 0; i < now.n; i++) {
        struct group *g = &now.list[i];
        if (!g->has_value)
            continue;
        g->met = passes(&t, g->value);
        n_met += g->met;
        if (!ret->has_value || (least ? g->value < ret->value : g->value > ret->value))
            ret->value = g->value;
        ret->has_value = true;
    }
    ret->met = n_met > 0;
    ret->detail = detail(a, &now, n_met);
    return SKEP_OK;
}

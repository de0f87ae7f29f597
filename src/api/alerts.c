// SPDX-License-Identifier: Apache-2.0
/* Rules of the scheduler, of all environments (alerts.h).
 *
 * A rule's body is the object's: what is asked is what the object says when it is asked.
 * Threads: the scheduler's, and workers that evaluate at once.  Memory: the scheduler's arenas. */
#include "api/alerts.h"
#include "api/honeycomb_objects.h"

#include "base/assert.h"

static const int64_t ns_per_s = 1000000000;
enum { BURN_ALERT_EVERY_S = 60 };

static struct skep_watch_window window_of(struct skep_arena *arena, yyjson_val *root)
{
    size_t i, n;
    yyjson_val *day;
    struct skep_watch_window w = {.days = 0};
    if (!skep_str_eq(skep_api__hny_text(arena, root, "evaluation_schedule_type"),
                     SKEP_STR("window")))
        return w;
    yyjson_val *v = yyjson_obj_get(yyjson_obj_get(root, "evaluation_schedule"), "window");
    yyjson_arr_foreach(yyjson_obj_get(v, "days_of_week"), i, n, day)
    {
        int k = skep_api__weekday((skep_str){yyjson_get_str(day), yyjson_get_len(day)});
        w.days |= k >= 0 ? 1u << k : 0;
    }
    (void)skep_api__clock(skep_api__hny_text(arena, v, "start_time"), &w.start_min);
    (void)skep_api__clock(skep_api__hny_text(arena, v, "end_time"), &w.end_min);
    return w;
}

/* False: it is off. */
static bool trigger_rule(struct skep_arena *arena, yyjson_val *root, struct skep_watch_rule *ret)
{
    int64_t limit =
        yyjson_get_sint(yyjson_obj_get(yyjson_obj_get(root, "threshold"), "exceeded_limit"));
    ret->every_ns =
        SKEP_MAX(yyjson_get_sint(yyjson_obj_get(root, "frequency")), INT64_C(60)) * ns_per_s;
    ret->limit = limit > 0 ? (unsigned)limit : 1;
    ret->each_time =
        skep_str_eq(skep_api__hny_text(arena, root, "alert_type"), SKEP_STR("on_true"));
    ret->window = window_of(arena, root);
    return !yyjson_is_true(yyjson_obj_get(root, "disabled"));
}

static skep_rc add_rules(struct skep_api *api, enum skep_object_kind kind, struct skep_arena *arena,
                         struct skep_watch_rule **ret, size_t *ret_n, skep_err *err)
{
    struct skep_object *all;
    size_t n = 0;
    SKEP_TRY(skep_state_objects(api->cfg.state, kind, NULL, NULL, arena, &all, &n, err));
    struct skep_watch_rule *list = skep_new_n(arena, struct skep_watch_rule, *ret_n + n + 1);
    if (*ret_n)
        memcpy(list, *ret, *ret_n * sizeof *list);
    for (size_t i = 0; i < n; i++) {
        struct skep_watch_rule r = {.environment = all[i].environment,
                                    .id = all[i].id,
                                    .every_ns = BURN_ALERT_EVERY_S * ns_per_s,
                                    .limit = 1,
                                    .created_ns = all[i].created_ns,
                                    .kind = (int)kind,
                                    .body = all[i].body};
        yyjson_doc *d = yyjson_read(all[i].body.p, all[i].body.n, 0);
        if (kind == SKEP_OBJECT_BURN_ALERT || trigger_rule(arena, yyjson_doc_get_root(d), &r))
            list[(*ret_n)++] = r;
        yyjson_doc_free(d);
    }
    *ret = list;
    return SKEP_OK;
}

static skep_rc rules(void *ctx, struct skep_arena *arena, struct skep_watch_rule **ret,
                     size_t *ret_n, skep_err *err)
{
    *ret_n = 0;
    SKEP_TRY(add_rules(ctx, SKEP_OBJECT_TRIGGER, arena, ret, ret_n, err));
    return add_rules(ctx, SKEP_OBJECT_BURN_ALERT, arena, ret, ret_n, err);
}

static skep_rc ask(void *ctx, const struct skep_watch_ask *q, struct skep_watch_answer *ret,
                   skep_err *err)
{
    struct skep_api *api = ctx;
    struct skep_api__alert a = {.api = api, .slot_ns = q->slot_ns};
    a.opts = (struct skep_run_opts){.environment = q->rule->environment,
                                    .budget = q->budget,
                                    .canceled = q->canceled,
                                    .ctx = q->ctx,
                                    .arena = q->arena};
    SKEP_TRY(skep_state_object(api->cfg.state, (enum skep_object_kind)q->rule->kind,
                               q->rule->environment, q->rule->id, q->arena, &a.object, err));
    a.doc = yyjson_read(a.object.body.p, a.object.body.n, 0);
    a.root = yyjson_doc_get_root(a.doc);
    skep_rc rc = q->rule->kind == SKEP_OBJECT_TRIGGER ? skep_api__alert_trigger(&a, ret, err)
                                                      : skep_api__alert_burn(&a, ret, err);
    yyjson_doc_free(a.doc);
    return rc;
}

struct skep_watch *skep_api__alerts_new(struct skep_api *api)
{
    const struct skep_watch_config cfg = {.os = api->cfg.os,
                                          .state = api->cfg.state,
                                          .budget = api->cfg.queries,
                                          .ctx = api,
                                          .rules = rules,
                                          .ask = ask,
                                          .tell = skep_api__alert_tell};
    return skep_watch_new(&cfg);
}

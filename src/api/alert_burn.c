// SPDX-License-Identifier: Apache-2.0
/* A burn alert's question: how much of an SLO's budget remains now, and how much remained earlier.
 *
 *   exhaustion_time  earlier = a quarter of exhaustion_minutes ago (at least a minute); met when,
 *                    going on as since then, nothing remains within exhaustion_minutes
 *   budget_rate      earlier = budget_rate_window_minutes ago; met when at least so much of the
 *                    whole budget (parts of a million) went in between
 *
 * Threads: the scheduler's.  Memory: the evaluation's arena. */
#include "api/alerts.h"
#include "api/honeycomb_objects.h"

#include <math.h>

#include "base/assert.h"

static const int64_t minute_ns = INT64_C(60000000000);

struct budgets {
    double now, then;
    struct skep_slo_counts counts;
};

static skep_rc budgets_at(struct skep_api__alert *a, const struct skep_api__slo *slo,
                          int64_t minutes_ago, struct budgets *ret, skep_err *err)
{
    struct skep_slo_counts then;
    SKEP_TRY(skep_api__slo_period(a->api, &a->opts, slo, a->slot_ns, &ret->counts, err));
    SKEP_TRY(skep_api__slo_period(a->api, &a->opts, slo, a->slot_ns - minutes_ago * minute_ns,
                                  &then, err));
    ret->now = skep_slo_budget_remaining(ret->counts, slo->target_per_million);
    ret->then = skep_slo_budget_remaining(then, slo->target_per_million);
    return SKEP_OK;
}

static skep_str detail(struct skep_api__alert *a, const struct skep_api__slo *slo,
                       const struct budgets *b)
{
    struct skep_buf buf;
    struct skep_json j;
    skep_buf_init(&buf, SKEP_WATCH_DETAIL_BYTES);
    skep_json_init(&j, &buf);
    skep_json_object(&j);
    skep_json_put_str(&j, SKEP_STR("slo"), slo->object.id);
    skep_json_put_str(&j, SKEP_STR("slo_name"), slo->name);
    skep_json_put_f64(&j, SKEP_STR("budget_remaining"), b->now);
    skep_json_put_f64(&j, SKEP_STR("budget_remaining_then"), b->then);
    skep_json_put_f64(&j, SKEP_STR("compliance"), skep_slo_compliance(b->counts));
    skep_json_put_u64(&j, SKEP_STR("total"), b->counts.total);
    skep_json_put_u64(&j, SKEP_STR("good"), b->counts.good);
    skep_json_end(&j);
    skep_str text = skep_arena_str(a->opts.arena, skep_buf_text(&buf));
    skep_buf_done(&buf);
    return text;
}

skep_rc skep_api__alert_burn(struct skep_api__alert *a, struct skep_watch_answer *ret,
                             skep_err *err)
{
    struct skep_object object;
    struct skep_api__slo slo;
    struct budgets b;
    struct skep_arena *arena = a->opts.arena;
    skep_str id = skep_api__hny_text(arena, yyjson_obj_get(a->root, "slo"), "id");
    bool rate =
        skep_str_eq(skep_api__hny_text(arena, a->root, "alert_type"), SKEP_STR("budget_rate"));
    int64_t minutes = yyjson_get_sint(
        yyjson_obj_get(a->root, rate ? "budget_rate_window_minutes" : "exhaustion_minutes"));
    int64_t ago = rate ? minutes : SKEP_MAX(minutes / 4, 1);
    SKEP_TRY(skep_state_object(a->api->cfg.state, SKEP_OBJECT_SLO, a->object.environment, id, arena,
                               &object, err));
    SKEP_TRY(skep_api__slo_read(arena, &object, &slo, err));
    SKEP_TRY(budgets_at(a, &slo, ago, &b, err));
    ret->detail = detail(a, &slo, &b);
    if (rate) {
        double per_million = (b.then - b.now) * 1e4; /* percent -> parts of a million */
        double limit =
            yyjson_get_num(yyjson_obj_get(a->root, "budget_rate_decrease_threshold_per_million"));
        ret->value = per_million;
        /* Sums of doubles: a drop of exactly the threshold must not miss it by a rounding. */
        ret->met = per_million >= limit - 1e-6;
        ret->has_value = true;
        return SKEP_OK;
    }
    double left = skep_slo_exhausted_in(b.then, b.now, (double)ago);
    ret->has_value = isfinite(left);
    ret->value = ret->has_value ? left : 0;
    ret->met = left <= (double)minutes;
    return SKEP_OK;
}

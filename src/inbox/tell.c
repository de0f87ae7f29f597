// SPDX-License-Identifier: Apache-2.0
/* Rules about items -> messages (tell.h).
 *
 *   sighting, change -> each rule of the environment: stage, level, trigger?
 *        new          the event
 *        reactivated  the event, or unmuted
 *        repeat       total_before < 10^k <= total for some k
 *        rate         rows of the fingerprint in the last window_s >= count; once a window an item
 *   -> a notice, whose key makes that the same thing is told once
 *
 * A rule whose webhook wants another product's payload has it written by that form (I1).
 *
 * Nobody hears of what is muted, and of what is resolved only that it is active again.
 * A message that cannot be queued is logged and lost: the item itself shows what happened.
 *
 * I1  a payload that does not fit into a message is left to skep's own: nobody is told nothing.
 *
 * Threads: the inbox's.  Memory: an arena of the rules, one of a sighting. */
#include "inbox/tell.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "query/query.h"
#include "state/item_twins.h"
#include "wire/json_out.h"

static const int64_t ns_per_s = 1000000000;
/* What remains of a message is for title, text and data. */
enum { PAYLOAD_BYTES = SKEP_STATE_MESSAGE_BYTES - (1 << 17) };

struct skep_tell {
    struct skep_tell_config cfg;
    struct skep_arena arena; /* of a sighting */
    struct skep_arena rules; /* of the environment whose sightings are told */
};

struct skep_tell *skep_tell_new(const struct skep_tell_config *cfg)
{
    struct skep_tell *t = skep_alloc(struct skep_tell);
    t->cfg = *cfg;
    skep_arena_init(&t->arena, "tell", NULL);
    skep_arena_init(&t->rules, "tell", NULL);
    return t;
}

void skep_tell_free(struct skep_tell *t)
{
    if (!t)
        return;
    skep_arena_done(&t->arena);
    skep_arena_done(&t->rules);
    skep_free(t);
}

/* --- triggers --- */

/* The power of ten that was passed; 0 = none.  The largest, when a look saw many. */
static uint64_t passed(const struct skep_item_change *c)
{
    uint64_t at = 0;
    for (uint64_t p = 10; p <= c->total && p < UINT64_MAX / 10; p *= 10) {
        if (c->total_before < p)
            at = p;
    }
    return at;
}

static uint64_t rows_in(struct skep_tell *t, const struct skep_item *i, int64_t window_s)
{
    static const struct skep_agg count = {.op = SKEP_AGG_COUNT, .key = SKEP_STR_INIT("COUNT")};
    const skep_value fingerprint = {.type = SKEP_TYPE_STRING, .s = i->fingerprint};
    const skep_value stage = {.type = SKEP_TYPE_STRING, .s = i->stage};
    struct skep_expr tests[2] = {
        {.op = SKEP_EXPR_TEST,
         .test = {.field = {.name = SKEP_STR("error.fingerprint")},
                  .op = SKEP_CMP_EQ,
                  .values = &fingerprint,
                  .n_values = 1}},
        {.op = SKEP_EXPR_TEST,
         .test = {.field = {.name = SKEP_STR("deployment.environment.name")},
                  .op = SKEP_CMP_EQ,
                  .values = &stage,
                  .n_values = 1}}};
    struct skep_expr *kids[] = {&tests[0], &tests[1]};
    const struct skep_expr both = {.op = SKEP_EXPR_AND, .kids = kids, .n_kids = i->stage.n ? 2 : 1};
    int64_t now_ns = t->cfg.os->now_ns(t->cfg.os);
    const struct skep_plan plan = {.kind = SKEP_PLAN_AGGREGATE,
                                   .range = {now_ns - window_s * ns_per_s, now_ns + ns_per_s},
                                   .filter = &both,
                                   .aggs = &count,
                                   .n_aggs = 1,
                                   .ignore_sample_rate = true};
    const struct skep_run_opts opts = {
        .environment = i->environment, .budget = t->cfg.queries, .arena = &t->arena};
    struct skep_result *res = NULL;
    skep_err err;
    if (skep_query_aggregate(t->cfg.store, &plan, &opts, &res, &err) != SKEP_OK)
        return 0; /* asked again with the next occurrence */
    const struct skep_cell *c = &res->totals.values[0];
    uint64_t rows = c->kind == SKEP_CELL_INT && c->i > 0 ? (uint64_t)c->i : 0, twins = 0;
    const struct skep_item_twins_query q = {.environment = i->environment,
                                            .stage = i->stage,
                                            .fingerprint = i->fingerprint,
                                            .start_ns = plan.range.start_ns,
                                            .end_ns = plan.range.end_ns,
                                            .step_ns = INT64_MAX,
                                            .steps = 1};
    if (skep_state_twins_count(t->cfg.state, &q, &twins, &err) != SKEP_OK)
        return 0;
    return rows - SKEP_MIN(rows, twins);
}

/* What happened, as part of the key; NULL: not this rule's business. */
static const char *why(struct skep_tell *t, const struct skep_item_rule *r,
                       const struct skep_item *i, const struct skep_item_change *c)
{
    uint64_t n;
    switch (r->trigger) {
    case SKEP_TRIGGER_NEW: return c->event == SKEP_ITEM_NEW ? "new" : NULL;
    case SKEP_TRIGGER_REACTIVATED:
        return c->event == SKEP_ITEM_REACTIVATED || c->event == SKEP_ITEM_UNMUTED
                   ? skep_arena_printf(&t->arena, "again %" PRId64, i->activated_ns).p
                   : NULL;
    case SKEP_TRIGGER_REPEAT:
        n = passed(c);
        return n ? skep_arena_printf(&t->arena, "%" PRIu64 " times", n).p : NULL;
    case SKEP_TRIGGER_RATE:
        if (rows_in(t, i, r->window_s) < r->count)
            return NULL;
        return skep_arena_printf(&t->arena, "rate %" PRId64,
                                 t->cfg.os->now_ns(t->cfg.os) / ns_per_s / r->window_s)
            .p;
    default: return NULL;
    }
}

/* --- the message --- */

static skep_str sentence(struct skep_tell *t, const struct skep_item_rule *r,
                         const struct skep_item *i, const struct skep_item_change *c)
{
    switch (r->trigger) {
    case SKEP_TRIGGER_NEW: return SKEP_STR("A new error");
    case SKEP_TRIGGER_REACTIVATED:
        return c->event == SKEP_ITEM_UNMUTED ? SKEP_STR("A muted error is active again")
                                             : SKEP_STR("A resolved error happened again");
    case SKEP_TRIGGER_REPEAT:
        return skep_arena_printf(&t->arena, "An error happened %" PRIu64 " times", i->total);
    case SKEP_TRIGGER_RATE:
        return skep_arena_printf(&t->arena,
                                 "An error happened %" PRIu64 " times or more in %" PRId64 " s",
                                 r->count, r->window_s);
    default: return SKEP_STR("An error");
    }
}

static skep_str data_of(struct skep_buf *out, const struct skep_item_rule *r,
                        const struct skep_item *i, const struct skep_item_sighting *seen)
{
    struct skep_json j;
    skep_json_init(&j, out);
    skep_json_object(&j);
    skep_json_put_str(&j, SKEP_STR("trigger"), skep_item_trigger_name(r->trigger));
    skep_json_put_i64(&j, SKEP_STR("item"), i->id);
    skep_json_put_i64(&j, SKEP_STR("counter"), i->counter);
    skep_json_put_str(&j, SKEP_STR("title"), i->title);
    skep_json_put_str(&j, SKEP_STR("culprit"), i->culprit);
    skep_json_put_str(&j, SKEP_STR("stage"), i->stage);
    skep_json_put_str(&j, SKEP_STR("dataset"), i->dataset);
    skep_json_put_i64(&j, SKEP_STR("level"), i->level);
    skep_json_put_str(&j, SKEP_STR("fingerprint"), i->fingerprint);
    skep_json_put_u64(&j, SKEP_STR("total"), i->total);
    skep_json_put_str(&j, SKEP_STR("version"), seen->version);
    skep_json_end(&j);
    return out->bad ? SKEP_STR("{}") : skep_buf_text(out);
}

/* The rule's form of it, if it has one and it fits. */
static skep_bytes payload_of(struct skep_tell *t, const struct skep_item_rule *r,
                             const struct skep_item *i, const struct skep_item_change *c,
                             struct skep_buf *out)
{
    const struct skep_tell_fact fact = {.cfg = &t->cfg, .rule = r, .item = i, .times = passed(c)};
    for (size_t k = 0; k < t->cfg.n_forms; k++) {
        if (!skep_str_eq(t->cfg.forms[k].name, r->payload))
            continue;
        t->cfg.forms[k].write(&fact, &t->arena, out);
        return out->bad ? (skep_bytes){NULL, 0} : skep_buf_bytes(out); /* I1 */
    }
    return (skep_bytes){NULL, 0};
}

static void tell(struct skep_tell *t, const struct skep_item_rule *r, const struct skep_item *i,
                 const struct skep_item_change *c, const struct skep_item_sighting *seen,
                 const char *key)
{
    struct skep_buf data, payload;
    skep_err err = {.text = ""};
    skep_buf_init(&data, 1 << 16);
    skep_buf_init(&payload, PAYLOAD_BYTES);
    skep_bytes body = payload_of(t, r, i, c, &payload);
    const struct skep_notice notice = {
        .environment = i->environment,
        .place = r->place,
        .kind = skep_arena_printf(&t->arena, "error." SKEP_STRFMT,
                                  SKEP_STRARG(skep_item_trigger_name(r->trigger))),
        .key =
            skep_arena_printf(&t->arena, "item %" PRId64 " rule %" PRId64 " %s", i->id, r->id, key),
        .title = i->title,
        .text = skep_arena_printf(&t->arena, SKEP_STRFMT "%s" SKEP_STRFMT "%s" SKEP_STRFMT,
                                  SKEP_STRARG(sentence(t, r, i, c)), i->stage.n ? " in " : "",
                                  SKEP_STRARG(i->stage), i->culprit.n ? ": " : "",
                                  SKEP_STRARG(i->culprit)),
        .url = skep_arena_printf(&t->arena, "/ui/errors/%" PRId64 "?env=" SKEP_STRFMT, i->id,
                                 SKEP_STRARG(i->environment)),
        .data = data_of(&data, r, i, seen),
        .content_type = body.n ? SKEP_STR("application/json") : SKEP_STR_NULL,
        .body = body};
    skep_rc rc = skep_notify_put(t->cfg.notify, &notice, NULL, &err);
    if (rc != SKEP_OK && rc != SKEP_ENOTFOUND) /* the place went: its rules are of no use */
        skep_log(WARN, "an error could not be told", SKEP_K_RC(rc), SKEP_K_CSTR("error", err.text));
    skep_buf_done(&payload);
    skep_buf_done(&data);
}

static void tell_of(struct skep_tell *t, const struct skep_item_change *change,
                    const struct skep_item_sighting *seen, const struct skep_item_rule *rules,
                    size_t n_rules)
{
    struct skep_item item = {.id = 0};
    skep_err err;
    skep_arena_reset(&t->arena);
    if (skep_state_item_get(t->cfg.state, seen->environment, change->id, 0, &t->arena, &item,
                            &err) != SKEP_OK ||
        item.status != SKEP_ITEM_ACTIVE)
        return;
    for (size_t k = 0; k < n_rules; k++) {
        const struct skep_item_rule *r = &rules[k];
        if (item.level < r->level_min || (r->stage.n && !skep_str_eq(r->stage, item.stage)))
            continue;
        const char *key = why(t, r, &item, change);
        if (key)
            tell(t, r, &item, change, seen, key);
    }
}

void skep_tell_changed(void *ctx, const struct skep_item_change *changes,
                       const struct skep_item_sighting *seen, size_t n)
{
    struct skep_tell *t = ctx;
    struct skep_item_rule *rules = NULL;
    size_t n_rules = 0;
    skep_err err;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !skep_str_eq(seen[i].environment, seen[i - 1].environment)) {
            skep_arena_reset(&t->rules);
            if (skep_state_item_rules(t->cfg.state, &seen[i].environment, &t->rules, &rules,
                                      &n_rules, &err) != SKEP_OK)
                n_rules = 0;
        }
        if (n_rules > 0 && changes[i].id != 0)
            tell_of(t, &changes[i], &seen[i], rules, n_rules);
    }
}

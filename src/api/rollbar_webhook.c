// SPDX-License-Identifier: Apache-2.0
/* An item as Rollbar's webhooks tell of it (item_forms.h, docs/api/rollbar.md):
 *
 *   {"event_name":"new_item","data":{"item":{..., "last_occurrence":{...}}}}
 *   {"event_name":"exp_repeat_item","data":{"item":{...,
 * "last_occurrence":{...}},"occurrences":100}}
 *   {"event_name":"item_velocity","data":{"item":{...},
 *    "trigger":{"threshold":10,"window_size":300,"window_size_description":"5 minutes"}}}
 *
 * Levels, statuses, frameworks and platforms are numbers here, where the calls have texts.
 *
 * I1  an occurrence that does not fit as it was sent is told of as its row has it.
 *
 * Threads: the inbox's.  Memory: the caller's arena and buffer. */
#include <inttypes.h>

#include "api/item_forms.h"
#include "api/rollbar_data.h"
#include "api/rollbar_priv.h"
#include "base/assert.h"
#include "query/query.h"

enum { KEPT_BYTES = 512 << 10 /* as much as notifiers send */ };

/* Rollbar's numbers of frameworks and platforms; 0 = unknown. */
static const struct {
    const char *name;
    int number;
} frameworks[] = {{"rails", 1},   {"django", 2}, {"pyramid", 3},    {"node-js", 4},
                  {"pylons", 5},  {"php", 6},    {"browser-js", 7}, {"rollbar-system", 8},
                  {"android", 9}, {"ios", 10},   {"mailgun", 11},   {"logentries", 12},
                  {"python", 13}, {"ruby", 14},  {"sidekiq", 15},   {"flask", 16},
                  {"celery", 17}, {"rq", 18}};

/* "Rails: 7.0" is rails. */
static int framework_number(skep_str name)
{
    name = skep_str_trim(skep_str_cut(&name, ':'));
    for (size_t i = 0; i < SKEP_ARRAY_LEN(frameworks); i++) {
        if (skep_str_ieq(name, skep_str_c(frameworks[i].name)))
            return frameworks[i].number;
    }
    return 0;
}

/* The item's newest row, whole; NULL: it is not there (any more). */
static const struct skep_row *newest(const struct skep_tell_fact *f, struct skep_arena *arena)
{
    const struct skep_plan plan = {.kind = SKEP_PLAN_ROW,
                                   .range = {0, INT64_MAX},
                                   .row_id = f->item->last_row,
                                   .limit = 1,
                                   .raw = true};
    const struct skep_run_opts opts = {
        .environment = f->item->environment, .budget = f->cfg->queries, .arena = arena};
    struct skep_answer a = {0};
    skep_err err;
    skep_rc rc = skep_query_run(f->cfg->store, &plan, &opts, &a, &err);
    return rc == SKEP_OK && a.rows.n > 0 ? &a.rows.rows[0] : NULL;
}

static void put_last_occurrence(struct skep_json *j, const struct skep_tell_fact *f,
                                struct skep_arena *arena)
{
    const struct skep_api__rb_source source = {
        .arena = arena, .budget = f->cfg->queries, .symbols = f->cfg->symbols};
    const struct skep_row *row = newest(f, arena);
    struct skep_buf data;
    struct skep_json kept;
    if (!row)
        return;
    skep_buf_init(&data, KEPT_BYTES);
    skep_json_init(&kept, &data);
    skep_api__rb_data(&kept, &source, f->item->environment, row);
    skep_json_key(j, SKEP_STR("last_occurrence"));
    if (data.bad)
        skep_api__rb_data_made(j, &source, f->item->environment, row); /* I1 */
    else
        skep_json_raw(j, skep_buf_text(&data));
    skep_buf_done(&data);
}

static void put_item(struct skep_json *j, const struct skep_tell_fact *f, struct skep_arena *arena)
{
    const struct skep_item *i = f->item;
    skep_json_key(j, SKEP_STR("item"));
    skep_json_object(j);
    skep_api__rb_item_members(j, i);
    skep_json_put_i64(j, SKEP_STR("level"), i->level);
    skep_json_put_i64(j, SKEP_STR("status"), i->status);
    skep_json_put_i64(j, SKEP_STR("framework"), framework_number(i->framework));
    skep_json_put_i64(j, SKEP_STR("platform"), 0);
    skep_json_put_i64(j, SKEP_STR("project_id"), skep_api__rb_project_id(i->environment));
    skep_json_put_i64(j, SKEP_STR("group_status"), 1);
    skep_api__rb_put_null(j, SKEP_STR("public_item_id"));
    skep_json_key(j, SKEP_STR("integrations_data"));
    skep_json_object(j);
    skep_json_end(j);
    if (f->rule->trigger != SKEP_TRIGGER_RATE)
        put_last_occurrence(j, f, arena);
    skep_json_end(j);
}

/* "5 minutes", "1 hour", "90 seconds". */
static skep_str window_words(struct skep_arena *arena, int64_t s)
{
    static const struct {
        int64_t s;
        const char *name;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    size_t u = 0;
    while (s % units[u].s)
        u++;
    int64_t n = s / units[u].s;
    return skep_arena_printf(arena, "%" PRId64 " %s%s", n, units[u].name, n == 1 ? "" : "s");
}

void skep_api__rb_webhook(const struct skep_tell_fact *f, struct skep_arena *arena,
                          struct skep_buf *out)
{
    struct skep_json j;
    skep_json_init(&j, out);
    skep_json_object(&j);
    skep_json_put_str(&j, SKEP_STR("event_name"),
                      skep_str_c(skep_api__rb_trigger_name(f->rule->trigger)));
    skep_json_key(&j, SKEP_STR("data"));
    skep_json_object(&j);
    put_item(&j, f, arena);
    if (f->rule->trigger == SKEP_TRIGGER_REPEAT)
        skep_json_put_u64(&j, SKEP_STR("occurrences"), f->times);
    if (f->rule->trigger == SKEP_TRIGGER_RATE) {
        skep_json_key(&j, SKEP_STR("trigger"));
        skep_json_object(&j);
        skep_json_put_u64(&j, SKEP_STR("threshold"), f->rule->count);
        skep_json_put_i64(&j, SKEP_STR("window_size"), f->rule->window_s);
        skep_json_put_str(&j, SKEP_STR("window_size_description"),
                          window_words(arena, f->rule->window_s));
        skep_json_end(&j);
    }
    skep_json_end(&j);
    skep_json_end(&j);
}

// SPDX-License-Identifier: Apache-2.0
/* Rollbar's calls for occurrences (docs/api/rollbar.md):
 *
 *   GET /api/1/instances/             of all items, the newest first
 *   GET /api/1/item/:id/instances/    of one and of those merged into it
 *   GET /api/1/instance/:id           one
 *
 *   page p -> the rows before it, without their fields -> 20 rows behind the last of them, whole
 *   last_id -> the rows behind it
 *
 * Threads: workers.  Memory: the job's arena. */
#include "api/rollbar_data.h"
#include "api/rollbar_priv.h"

#include "base/assert.h"

enum { PAGE_ROWS = 20, PAGE_ROWS_MAX = 100, BEFORE_MAX = 10000 };

/* Which part of a list: `limit` rows behind those of the pages before it, or behind an occurrence
 * (last_id not 0). */
struct part {
    uint64_t page, limit, last_id;
};

static skep_str text_of(struct skep_arena *arena, const struct skep_row *row, skep_str name)
{
    skep_value v = skep_api__field(arena, row, name);
    return v.type == SKEP_TYPE_STRING ? v.s : SKEP_STR_NULL;
}

// --- the question ------------------------------------------------------------------------------

/* The rows of a page; *ret_n 0 = it lies behind the last. */
static skep_rc fetch(struct skep_api__job *job, struct skep_plan *plan, const struct part *part,
                     const struct skep_row **ret, size_t *ret_n, skep_err *err)
{
    static const struct skep_field_ref nothing = {.name = SKEP_STR_INIT("meta.kind")};
    struct skep_answer a = {0};
    *ret_n = 0;
    job->opts.also = NULL; /* reports, X-Ray's too */
    if (part->last_id || part->page > 1) {
        struct skep_plan before = *plan;
        before.columns = &nothing;
        before.n_columns = 1;
        before.limit = (unsigned)((part->page - 1) * part->limit);
        if (part->last_id) {
            before = (struct skep_plan){.kind = SKEP_PLAN_ROW, .range = {0, INT64_MAX}, .limit = 1};
            before.row_id = skep_api__rb_row_id((int64_t)part->last_id);
        }
        skep_rc rc = skep_query_run(job->api->cfg.store, &before, &job->opts, &a, err);
        if (part->last_id && (rc == SKEP_ENOTFOUND || (rc == SKEP_OK && a.rows.n == 0)))
            return skep_fail(err, SKEP_EINVAL, "last_id is the id of an occurrence");
        SKEP_TRY(rc);
        if (a.rows.n < before.limit)
            return SKEP_OK;
        plan->has_cursor = true;
        plan->cursor_time_ns = a.rows.rows[a.rows.n - 1].time_ns;
        plan->cursor_id = a.rows.rows[a.rows.n - 1].id;
    }
    plan->raw = true;
    plan->limit = (unsigned)part->limit;
    SKEP_TRY(skep_query_run(job->api->cfg.store, plan, &job->opts, &a, err));
    *ret = a.rows.rows;
    *ret_n = a.rows.n;
    return SKEP_OK;
}

// --- an occurrence -----------------------------------------------------------------------------

/* The item the row counts for; 0 = it is not known (yet). */
static int64_t item_of(struct skep_api__job *job, const struct skep_row *row)
{
    struct skep_item item;
    skep_err err;
    skep_rc rc = skep_state_item_find(
        job->api->cfg.state, job->req->caller.environment, skep_api__rb_stage_of(&job->arena, row),
        text_of(&job->arena, row, SKEP_STR("error.fingerprint")), &job->arena, &item, &err);
    return rc != SKEP_OK ? 0 : item.merged_into ? item.merged_into : item.id;
}

static void put_instance(struct skep_api__job *job, const struct skep_row *row)
{
    struct skep_json *j = &job->out.json;
    int64_t item = item_of(job, row);
    skep_json_object(j);
    skep_json_put_i64(j, SKEP_STR("id"), skep_api__rb_occurrence_id(row->id));
    skep_json_key(j, SKEP_STR("item_id"));
    if (item)
        skep_json_i64(j, item);
    else
        skep_json_null(j);
    skep_json_put_i64(j, SKEP_STR("timestamp"), row->time_ns / 1000000000);
    skep_json_put_u64(j, SKEP_STR("version"), 2); // of the payload's form: Rollbar has had no other
    skep_json_key(j, SKEP_STR("data"));
    const struct skep_api__rb_source source = {
        .arena = &job->arena, .budget = &job->budget, .symbols = job->api->cfg.symbols};
    skep_api__rb_data(j, &source, job->req->caller.environment, row);
    skep_json_end(j);
}

static void put_list(struct skep_api__job *job, struct skep_plan *plan, const struct part *part)
{
    struct skep_json *j = &job->out.json;
    const struct skep_row *rows = NULL;
    size_t n;
    skep_err err = {.text = ""};
    skep_rc rc = fetch(job, plan, part, &rows, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__rb_fail_rc(job, rc, &err);
        return;
    }
    skep_api__rb_begin(job, 200);
    skep_json_object(j);
    skep_json_put_u64(j, SKEP_STR("page"), part->page);
    skep_json_key(j, SKEP_STR("instances"));
    skep_json_array(j);
    for (size_t i = 0; i < n && !job->out.gone; i++) {
        put_instance(job, &rows[i]);
        skep_api__out_check(&job->out);
    }
    skep_json_end(j);
    skep_json_end(j);
    skep_api__rb_end(job);
}

// --- calls -------------------------------------------------------------------------------------

static bool read_part(struct skep_api__job *job, struct part *ret)
{
    *ret = (struct part){.page = 1, .limit = PAGE_ROWS};
    if (!skep_api__rb_number(job, SKEP_STR("limit"), PAGE_ROWS_MAX, &ret->limit) ||
        !skep_api__rb_number(job, SKEP_STR("page"), BEFORE_MAX / ret->limit, &ret->page) ||
        !skep_api__rb_number(job, SKEP_STR("last_id"), INT64_MAX, &ret->last_id))
        return false;
    ret->page = ret->last_id ? 1 : ret->page;
    return true;
}

static void of_all(struct skep_api__job *job)
{
    struct part part;
    struct skep_plan plan = {.kind = SKEP_PLAN_ROWS, .range = {0, INT64_MAX}};
    if (!read_part(job, &part))
        return;
    skep_api__rb_rows_of_all(job, NULL, 0, &plan);
    skep_api__items_wait(job);
    put_list(job, &plan, &part);
}

static void of_one(struct skep_api__job *job)
{
    int64_t id;
    struct part part;
    struct skep_item item;
    struct skep_plan plan = {.kind = SKEP_PLAN_ROWS};
    skep_err err = {.text = ""};
    if (!skep_api__rb_id(job, SKEP_STR("item"), &id) || !read_part(job, &part))
        return;
    skep_api__items_wait(job);
    skep_rc rc = skep_state_item_get(job->api->cfg.state, job->req->caller.environment, id, 0,
                                     &job->arena, &item, &err);
    if (rc == SKEP_OK)
        rc = skep_api__rb_rows_of_item(job, &item, &plan, &err);
    if (rc == SKEP_OK)
        put_list(job, &plan, &part);
    else
        skep_api__rb_fail_rc(job, rc, &err);
}

static void one(struct skep_api__job *job)
{
    int64_t id;
    struct skep_plan plan = {
        .kind = SKEP_PLAN_ROW, .range = {0, INT64_MAX}, .limit = 1, .raw = true};
    struct skep_answer a = {0};
    skep_err err = {.text = ""};
    if (!skep_api__rb_id(job, SKEP_STR("occurrence"), &id))
        return;
    plan.row_id = skep_api__rb_row_id(id);
    skep_rc rc = skep_query_run(job->api->cfg.store, &plan, &job->opts, &a, &err);
    const struct skep_row *row = rc == SKEP_OK && a.rows.n > 0 ? &a.rows.rows[0] : NULL;
    if (rc == SKEP_OK && (!row || row->kind == SKEP_KIND_SPAN ||
                          text_of(&job->arena, row, SKEP_STR("error.fingerprint")).n == 0))
        rc = skep_fail(&err, SKEP_ENOTFOUND, "no such occurrence (it may have expired)");
    if (rc != SKEP_OK) {
        skep_api__rb_fail_rc(job, rc, &err);
        return;
    }
    skep_api__items_wait(job);
    skep_api__rb_begin(job, 200);
    put_instance(job, row);
    skep_api__rb_end(job);
}

static const struct skep_route routes[] = {
    SKEP_API__RB_READ("/api/1/instances", of_all),
    SKEP_API__RB_READ("/api/1/item/:id/instances", of_one),
    SKEP_API__RB_READ("/api/1/instance/:id", one),
};

const struct skep_api__routes skep_api__rollbar_instances = {routes, SKEP_ARRAY_LEN(routes)};

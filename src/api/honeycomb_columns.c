// SPDX-License-Identifier: Apache-2.0
/* GET /1/columns/{dataset}[?key_name=]: the columns a dataset has.
 *
 * Honeycomb knows one type a column.  Where rows disagree, int with double is a float, anything
 * else a string: the type in which every value can be shown. Threads: workers.  Memory: the
 * request's arena. */
#include "api/honeycomb_priv.h"

static skep_str type_of(uint32_t bits)
{
    const uint32_t integer = 1u << SKEP_TYPE_INT, floating = 1u << SKEP_TYPE_DOUBLE;
    bits &= ~(1u << SKEP_TYPE_EMPTY);
    if (bits == integer)
        return SKEP_STR("integer");
    if (bits && (bits & ~(integer | floating)) == 0)
        return SKEP_STR("float");
    return bits == 1u << SKEP_TYPE_BOOL ? SKEP_STR("boolean") : SKEP_STR("string");
}

static void column(struct skep_json *json, const struct skep_state_column *c, uint32_t types)
{
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("id"), skep_state_id_str(&c->id));
    skep_json_put_str(json, SKEP_STR("key_name"), c->name);
    skep_json_put_str(json, SKEP_STR("type"), type_of(types));
    skep_json_put_str(json, SKEP_STR("description"), SKEP_STR(""));
    skep_json_put_bool(json, SKEP_STR("hidden"), false);
    skep_api__put_time(json, SKEP_STR("created_at"), c->created_ns);
    skep_api__put_time(json, SKEP_STR("updated_at"), c->created_ns);
    skep_json_end(json);
}

/* Fields to show: all, or the one of ?key_name=. */
static size_t chosen(const struct skep_fields *fields, bool by_name, skep_str name,
                     struct skep_state_column *columns, uint32_t *types)
{
    size_t n = 0;
    for (size_t i = 0; i < fields->n; i++) {
        if (by_name && !skep_str_eq(fields->fields[i].name, name))
            continue;
        columns[n] = (struct skep_state_column){.name = fields->fields[i].name};
        types[n++] = fields->fields[i].types;
    }
    return n;
}

static void columns(struct skep_api__job *job)
{
    struct skep_api__dataset d;
    struct skep_answer a = {0};
    skep_str name;
    skep_err err;
    bool by_name = skep_request_param(job->req, SKEP_STR("key_name"), &name);
    if (!skep_api__hny_dataset(job, false, &d))
        return;
    const struct skep_plan plan = {
        .kind = SKEP_PLAN_FIELDS, .range = {0, INT64_MAX}, .dataset = d.name};
    skep_rc rc = skep_query_run(job->api->cfg.store, &plan, &job->opts, &a, &err);
    struct skep_state_column *list =
        skep_new_n(&job->arena, struct skep_state_column, a.fields.n + 1);
    uint32_t *types = skep_new_n(&job->arena, uint32_t, a.fields.n + 1);
    size_t n = chosen(&a.fields, by_name, name, list, types);
    if (rc == SKEP_OK)
        rc = skep_state_columns(job->api->cfg.state, d.slug, list, n, &err);
    if (rc == SKEP_OK && by_name && n == 0)
        rc = skep_fail(&err, SKEP_ENOTFOUND, "Column not found");
    if (rc != SKEP_OK) {
        skep_api__hny_fail_rc(job, rc, &err);
        return;
    }
    skep_api__hny_begin(job, 200);
    if (!by_name)
        skep_json_array(&job->out.json);
    for (size_t i = 0; i < n; i++) {
        column(&job->out.json, &list[i], types[i]);
        skep_api__out_check(&job->out);
    }
    if (!by_name)
        skep_json_end(&job->out.json);
    skep_api__out_end(&job->out);
}

static void handle(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, columns);
}

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/1/columns/:dataset",
     .handle = handle,
     .refuse = skep_api__hny_refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_HONEYCOMB},
};

const struct skep_api__routes skep_api__honeycomb_columns = {routes, SKEP_ARRAY_LEN(routes)};

// SPDX-License-Identifier: Apache-2.0
/* /1/dataset_definitions/{dataset}: which column a dataset has for which meaning.
 *
 *   GET     each meaning: {"name", "column_type"} or null
 *   PATCH   {"duration_ms": {"name": "ms"}, "error": {"name": ""}, "user": null}: said, cleared, as
 *           it is by itself again
 *
 * By itself a meaning is the first of its usual columns that the dataset has.
 * Threads: workers.  Memory: the request's arena. */
#include "api/honeycomb_objects.h"

#include "base/assert.h"

static const struct meaning {
    const char *key;
    const char *usual[4];
} meanings[] = {
    {"duration_ms", {"duration_ms", "durationMs", "request_processing_time"}},
    {"error", {"error"}},
    {"name", {"name"}},
    {"parent_id", {"trace.parent_id", "parentId"}},
    {"route", {"route", "http.route", "request_path"}},
    {"service_name", {"service_name", "service.name", "serviceName"}},
    {"span_id", {"id", "trace.span_id"}},
    {"span_kind", {"meta.span_type", "span.kind"}},
    {"annotation_type", {"meta.annotation_type"}},
    {"link_trace_id", {"trace.link.trace_id"}},
    {"link_span_id", {"trace.link.span_id"}},
    {"log_message", {"body"}},
    {"log_severity", {"severity"}},
    {"status", {"response.status_code", "http.status_code", "elb_status_code"}},
    {"trace_id", {"trace.trace_id", "traceId"}},
    {"user", {"user.id", "user.email", "request.user.id", "request.user.username"}},
};

static bool has_field(const struct skep_fields *fields, skep_str name)
{
    for (size_t i = 0; i < fields->n; i++)
        if (skep_str_eq(fields->fields[i].name, name))
            return true;
    return false;
}

/* The object of a dataset; false: nothing was said yet. */
static bool said_of(struct skep_api__hny_call *c, struct skep_object *ret)
{
    struct skep_object *all;
    size_t n = 0;
    skep_err err;
    if (skep_state_objects(c->job->api->cfg.state, SKEP_OBJECT_DEFINITIONS,
                           &c->job->opts.environment, &c->dataset.slug, &c->job->arena, &all, &n,
                           &err) != SKEP_OK ||
        n == 0)
        return false;
    *ret = all[0];
    return true;
}

static void put_meaning(struct skep_json *json, const struct meaning *m, skep_str name,
                        skep_str type)
{
    skep_json_key(json, skep_str_c(m->key));
    if (name.n == 0) {
        skep_json_null(json);
        return;
    }
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("name"), name);
    skep_json_put_str(json, SKEP_STR("column_type"), type);
    skep_json_end(json);
}

static void answer(struct skep_api__hny_call *c, yyjson_val *said)
{
    struct skep_answer a = {0};
    struct skep_json *json = &c->job->out.json;
    skep_err err;
    const struct skep_plan plan = {
        .kind = SKEP_PLAN_FIELDS, .range = {0, INT64_MAX}, .dataset = c->dataset.name};
    skep_rc rc = skep_query_run(c->job->api->cfg.store, &plan, &c->job->opts, &a, &err);
    if (rc != SKEP_OK) {
        skep_api__hny_fail_rc(c->job, rc, &err);
        return;
    }
    skep_api__hny_begin(c->job, 200);
    skep_json_object(json);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(meanings); i++) {
        const struct meaning *m = &meanings[i];
        yyjson_val *own = yyjson_obj_get(said, m->key);
        skep_str name = skep_api__hny_text(&c->job->arena, own, "name");
        skep_str type = skep_api__hny_text(&c->job->arena, own, "column_type");
        for (size_t k = 0; !own && k < SKEP_ARRAY_LEN(m->usual) && name.n == 0; k++)
            if (m->usual[k] && has_field(&a.fields, skep_str_c(m->usual[k])))
                name = skep_str_c(m->usual[k]);
        put_meaning(json, m, name, type.n ? type : SKEP_STR("column"));
    }
    skep_json_end(json);
    skep_api__out_end(&c->job->out);
}

static const struct skep_api__hny_object what = {
    .kind = SKEP_OBJECT_DEFINITIONS, .scope = SKEP_HNY_OF_DATASET, .noun = "Dataset definitions"};

static void get(struct skep_api__job *job)
{
    struct skep_api__hny_call c;
    struct skep_object o;
    if (!skep_api__hny_call_begin(&c, job, &what))
        return;
    yyjson_doc *d = said_of(&c, &o) ? yyjson_read(o.body.p, o.body.n, 0) : NULL;
    answer(&c, yyjson_doc_get_root(d));
    yyjson_doc_free(d);
}

/* --- saying --------------------------------------------------------------------------------------
 */

static const struct skep_api__hny_member members[] = {
    {"name", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .max = 255},
    {"column_type", SKEP_HNY_TEXT, .choices = "column|derived_column"},
};
static const struct skep_api__hny_members inside = SKEP_HNY_MEMBERS(members);

static bool is_meaning(skep_str key)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(meanings); i++)
        if (skep_str_eq(key, skep_str_c(meanings[i].key)))
            return true;
    return false;
}

static bool is_derived(struct skep_api__hny_call *c, skep_str name)
{
    struct skep_object *all;
    size_t n = 0;
    skep_err err;
    if (skep_state_objects(c->job->api->cfg.state, SKEP_OBJECT_DERIVED_COLUMN,
                           &c->job->opts.environment, NULL, &c->job->arena, &all, &n,
                           &err) != SKEP_OK)
        return false;
    for (size_t i = 0; i < n; i++)
        if (skep_str_eq(all[i].name, name) && (skep_str_eq(all[i].scope, c->dataset.slug) ||
                                               skep_str_eq(all[i].scope, SKEP_STR("__all__"))))
            return true;
    return false;
}

/* One member of the PATCH into `body`. */
static bool patch_one(struct skep_api__hny_call *c, skep_str key, yyjson_val *v)
{
    const char *name = skep_cstr(&c->job->arena, key);
    if (!is_meaning(key))
        return skep_api__hny_bad(c, name, SKEP_LANG_INVALID, "there is no such definition");
    (void)yyjson_mut_obj_remove_key(c->body, name);
    if (yyjson_is_null(v))
        return true;
    if (!yyjson_is_obj(v))
        return skep_api__hny_bad(c, name, SKEP_LANG_INCORRECT_TYPE, "must be an object or null");
    yyjson_mut_val *made = yyjson_mut_obj(c->doc);
    if (!skep_api__hny_take(c, &inside, v, NULL, made, name))
        return false;
    skep_str column = skep_api__hny_mut_text(made, "name");
    if (!yyjson_mut_obj_get(made, "column_type"))
        (void)yyjson_mut_obj_add_str(c->doc, made, "column_type",
                                     column.n && is_derived(c, column) ? "derived_column"
                                                                       : "column");
    (void)yyjson_mut_obj_add_val(c->doc, c->body, name, made);
    return true;
}

static bool patch_all(struct skep_api__hny_call *c, yyjson_val *in)
{
    size_t i, n;
    yyjson_val *key, *v;
    yyjson_obj_foreach(in, i, n, key, v)
    {
        if (!patch_one(c, (skep_str){yyjson_get_str(key), yyjson_get_len(key)}, v))
            return false;
    }
    return true;
}

static skep_rc keep(struct skep_api__hny_call *c, struct skep_object *o, bool known, skep_str text,
                    skep_err *err)
{
    struct skep_state *state = c->job->api->cfg.state;
    if (!known)
        *o = (struct skep_object){.environment = c->job->opts.environment,
                                  .scope = c->dataset.slug,
                                  .name = SKEP_STR("definitions")};
    o->body = text;
    return known ? skep_state_set_object(state, SKEP_OBJECT_DEFINITIONS, o, err)
                 : skep_state_put_object(state, SKEP_OBJECT_DEFINITIONS, o, &c->job->arena, err);
}

static void patch_with(struct skep_api__hny_call *c, yyjson_doc *in)
{
    struct skep_object o;
    size_t n = 0;
    skep_err err;
    bool known = said_of(c, &o);
    yyjson_doc *was = known ? yyjson_read(o.body.p, o.body.n, 0) : NULL;
    c->doc = yyjson_mut_doc_new(&c->alc);
    c->body = was ? yyjson_val_mut_copy(c->doc, yyjson_doc_get_root(was)) : yyjson_mut_obj(c->doc);
    yyjson_doc_free(was);
    if (!patch_all(c, yyjson_doc_get_root(in)))
        return;
    char *text = yyjson_mut_val_write_opts(c->body, 0, &c->alc, &n, NULL);
    skep_str body = skep_arena_str(&c->job->arena, (skep_str){text ? text : "{}", text ? n : 2});
    if (text)
        c->alc.free(c->alc.ctx, text);
    skep_rc rc = keep(c, &o, known, body, &err);
    if (rc != SKEP_OK) {
        skep_api__hny_fail_rc(c->job, rc, &err);
        return;
    }
    yyjson_doc *now = yyjson_read(body.p, body.n, 0);
    answer(c, yyjson_doc_get_root(now));
    yyjson_doc_free(now);
}

static void patch(struct skep_api__job *job)
{
    struct skep_api__hny_call c;
    if (!skep_api__hny_call_begin(&c, job, &what))
        return;
    yyjson_doc *in = skep_api__hny_body(&c);
    if (in)
        patch_with(&c, in);
    yyjson_doc_free(in);
    yyjson_mut_doc_free(c.doc);
}

static void handle_get(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, get);
}

static void handle_patch(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, patch);
}

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/1/dataset_definitions/:dataset",
     .handle = handle_get,
     .refuse = skep_api__hny_refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_HONEYCOMB},
    {.method = "PATCH",
     .path = "/1/dataset_definitions/:dataset",
     .handle = handle_patch,
     .refuse = skep_api__hny_refuse,
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_HONEYCOMB},
};

const struct skep_api__routes skep_api__honeycomb_definitions = {routes, SKEP_ARRAY_LEN(routes)};

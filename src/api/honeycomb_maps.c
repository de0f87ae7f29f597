// SPDX-License-Identifier: Apache-2.0
/* /1/maps/dependencies/requests: which service calls which, how often, in a span of time.
 *
 *   POST {start_time, end_time, time_range, filters}   asked at once, the answer is kept: "ready"
 *   GET  /{id}?page[size]=&page[after]=                a page of it
 *
 * The service graph (graph.h) between services that report; the last 50 requests are kept.
 * Threads: workers.  Memory: the request's arena. */
#include "api/graph.h"
#include "api/honeycomb_objects.h"

#include <inttypes.h>

#include "base/assert.h"

enum { LIMIT_ABSENT = 10000, LIMIT_MAX = 64000, PAGE_ABSENT = 20, PAGE_MAX = 100 };

static const int64_t ns_per_s = 1000000000;

static const struct skep_api__hny_member filter_members[] = {
    {"name", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 255},
    {"type", SKEP_HNY_TEXT, .choices = "service", .absent = "\"service\""},
};
static const struct skep_api__hny_members filter = SKEP_HNY_MEMBERS(filter_members);
static const struct skep_api__hny_member ask_members[] = {
    {"start_time", SKEP_HNY_INT, .min = 0, .max = 9000000000},
    {"end_time", SKEP_HNY_INT, .min = 0, .max = 9000000000},
    {"time_range", SKEP_HNY_INT, .min = 1, .max = 31536000},
    {"filters", SKEP_HNY_ARRAY, .max = 100, .inside = &filter, .absent = "[]"},
};
static const struct skep_api__hny_members asked = SKEP_HNY_MEMBERS(ask_members);
static const struct skep_api__hny_object what = {.kind = SKEP_OBJECT_MAP_REQUEST,
                                                 .scope = SKEP_HNY_OF_ENVIRONMENT,
                                                 .noun = "Map dependency request"};

static int64_t number_in(yyjson_mut_val *obj, const char *name)
{
    return yyjson_mut_get_sint(yyjson_mut_obj_get(obj, name));
}

/* As of a query: two of the three at most. */
static bool range_of(struct skep_api__hny_call *c, struct skep_time_range *ret)
{
    int64_t start = number_in(c->body, "start_time"), end = number_in(c->body, "end_time");
    int64_t length = number_in(c->body, "time_range");
    if (start && end && length)
        return skep_api__hny_bad(c, "time_range", SKEP_LANG_INVALID,
                                 "time_range: say two of start_time, end_time and time_range");
    length = length ? length : 7200;
    if (!start && !end)
        end = skep_api__now(c->job->api) / ns_per_s;
    if (!start)
        start = end - length;
    if (!end)
        end = start + length;
    if (end <= start)
        return skep_api__hny_bad(c, "end_time", SKEP_LANG_INVALID,
                                 "end_time: must be after start_time");
    *ret = (struct skep_time_range){start * ns_per_s, end * ns_per_s};
    return true;
}

/* Is one of the ends asked for?  Without filters all are. */
static bool wanted(struct skep_api__hny_call *c, const struct skep_graph *g,
                   const struct skep_graph_edge *e)
{
    size_t i, n;
    yyjson_mut_val *f, *filters = yyjson_mut_obj_get(c->body, "filters");
    if (yyjson_mut_arr_size(filters) == 0)
        return true;
    yyjson_mut_arr_foreach(filters, i, n, f)
    {
        skep_str name = skep_api__hny_mut_text(f, "name");
        if (skep_str_eq(g->nodes[e->from].name, name) || skep_str_eq(g->nodes[e->to].name, name))
            return true;
    }
    return false;
}

static bool is_service(const struct skep_graph_node *n)
{
    return !n->client && !n->inferred;
}

static void put_node(struct skep_json *j, const char *key, skep_str name)
{
    skep_json_key(j, skep_str_c(key));
    skep_json_object(j);
    skep_json_put_str(j, SKEP_STR("name"), name);
    skep_json_put_str(j, SKEP_STR("type"), SKEP_STR("service"));
    skep_json_end(j);
}

/* [{parent_node, child_node, call_count}], at most `limit` and what an object may hold. */
static skep_str dependencies(struct skep_api__hny_call *c, const struct skep_graph *g,
                             uint64_t limit)
{
    struct skep_buf buf;
    struct skep_json j;
    uint64_t n = 0;
    skep_buf_init(&buf, SKEP_OBJECT_BYTES);
    skep_json_init(&j, &buf);
    skep_json_array(&j);
    for (uint32_t i = 0; i < g->n_edges && n < limit && buf.n < SKEP_OBJECT_BYTES - 4096; i++) {
        const struct skep_graph_edge *e = &g->edges[i];
        if (e->link || !is_service(&g->nodes[e->from]) || !is_service(&g->nodes[e->to]) ||
            e->stats.total == 0 || !wanted(c, g, e))
            continue;
        skep_json_object(&j);
        put_node(&j, "parent_node", g->nodes[e->from].name);
        put_node(&j, "child_node", g->nodes[e->to].name);
        skep_json_put_u64(&j, SKEP_STR("call_count"), e->stats.total);
        skep_json_end(&j);
        n++;
    }
    skep_json_end(&j);
    skep_str text = skep_arena_str(&c->job->arena, skep_buf_text(&buf));
    skep_buf_done(&buf);
    return text;
}

static skep_rc draw(struct skep_api__hny_call *c, struct skep_time_range range, uint64_t limit,
                    skep_str *ret, skep_err *err)
{
    struct skep_graph g;
    struct skep_xray_twice twice;
    struct skep_store *store = c->job->api->cfg.store;
    const struct skep_graph_ask ask = {
        .range = range, .twice = &twice, .once = true, .weighted = true};
    skep_graph_init(&g, &c->job->arena);
    skep_rc rc = skep_graph_twice(store, &c->job->opts, range, &twice, err);
    if (rc == SKEP_OK)
        rc = skep_graph_run(store, &c->job->opts, &ask, &g, err);
    if (rc == SKEP_OK)
        *ret = dependencies(c, &g, limit);
    skep_graph_done(&g);
    return rc;
}

static bool limit_of(struct skep_api__hny_call *c, const char *name, uint64_t absent, uint64_t max,
                     uint64_t *ret)
{
    skep_str text = skep_api__param(c->job->req, skep_str_c(name));
    *ret = absent;
    if (text.n == 0 || (skep_str_u64(text, ret) && *ret >= 1 && *ret <= max))
        return true;
    return skep_api__hny_bad(
        c, name, SKEP_LANG_INVALID,
        skep_arena_printf(&c->job->arena, "%s: must be 1 to %" PRIu64, name, max).p);
}

static void create_with(struct skep_api__hny_call *c, yyjson_val *in)
{
    struct skep_time_range range = {0, 0};
    uint64_t limit;
    skep_err err;
    c->doc = yyjson_mut_doc_new(&c->alc);
    c->body = yyjson_mut_obj(c->doc);
    if (!limit_of(c, "limit", LIMIT_ABSENT, LIMIT_MAX, &limit) ||
        !skep_api__hny_take(c, &asked, in, NULL, c->body, "") || !range_of(c, &range))
        return;
    c->object.name = SKEP_STR("");
    skep_rc rc = draw(c, range, limit, &c->object.body, &err);
    if (rc == SKEP_OK)
        rc = skep_state_put_object(c->job->api->cfg.state, SKEP_OBJECT_MAP_REQUEST, &c->object,
                                   &c->job->arena, &err);
    if (rc != SKEP_OK) {
        skep_api__hny_fail_rc(c->job, rc, &err);
        return;
    }
    skep_api__hny_begin(c->job, 200);
    skep_api__out_header(&c->job->out, SKEP_STR("Location"),
                         skep_arena_printf(&c->job->arena,
                                           "/1/maps/dependencies/requests/" SKEP_STRFMT,
                                           SKEP_STRARG(c->object.id)));
    skep_json_object(&c->job->out.json);
    skep_json_put_str(&c->job->out.json, SKEP_STR("request_id"), c->object.id);
    skep_json_put_str(&c->job->out.json, SKEP_STR("status"), SKEP_STR("ready"));
    skep_json_end(&c->job->out.json);
    skep_api__out_end(&c->job->out);
}

static void create(struct skep_api__job *job)
{
    struct skep_api__hny_call c;
    if (!skep_api__hny_call_begin(&c, job, &what))
        return;
    bool empty = job->req->body.n == 0; /* all of it may be left out */
    yyjson_doc *in = empty ? yyjson_read("{}", 2, 0) : skep_api__hny_body(&c);
    if (in)
        create_with(&c, yyjson_doc_get_root(in));
    yyjson_doc_free(in);
    yyjson_mut_doc_free(c.doc);
}

/* --- pages ---------------------------------------------------------------------------------------
 */

static void put_page(struct skep_api__hny_call *c, yyjson_val *all, uint64_t from, uint64_t size)
{
    struct skep_json *j = &c->job->out.json;
    uint64_t n = yyjson_arr_size(all);
    skep_api__hny_begin(c->job, 200);
    skep_json_object(j);
    skep_json_put_str(j, SKEP_STR("request_id"), c->object.id);
    skep_json_put_str(j, SKEP_STR("status"), SKEP_STR("ready"));
    skep_json_key(j, SKEP_STR("dependencies"));
    skep_json_array(j);
    for (uint64_t i = from; i < n && i < from + size; i++) {
        size_t len = 0;
        char *text = yyjson_val_write_opts(yyjson_arr_get(all, i), 0, &c->alc, &len, NULL);
        skep_json_raw(j, text ? (skep_str){text, len} : SKEP_STR("null"));
        if (text)
            c->alc.free(c->alc.ctx, text);
    }
    skep_json_end(j);
    skep_json_key(j, SKEP_STR("links"));
    skep_json_object(j);
    skep_json_key(j, SKEP_STR("next"));
    if (from + size < n)
        skep_json_str(j, skep_arena_printf(&c->job->arena,
                                           "/1/maps/dependencies/requests/" SKEP_STRFMT
                                           "?page[after]=%" PRIu64 "&page[size]=%" PRIu64,
                                           SKEP_STRARG(c->object.id), from + size, size));
    else
        skep_json_null(j);
    skep_json_end(j);
    skep_json_end(j);
    skep_api__out_end(&c->job->out);
}

static void get(struct skep_api__job *job)
{
    struct skep_api__hny_call c;
    uint64_t size, from = 0;
    skep_str after = skep_api__param(job->req, SKEP_STR("page[after]"));
    if (!skep_api__hny_call_begin(&c, job, &what))
        return;
    if (!skep_api__hny_find(job, SKEP_OBJECT_MAP_REQUEST, skep_request_capture(job->req, 0),
                            &c.object)) {
        skep_api__hny_fail(job, SKEP_PROBLEM_NOT_FOUND, SKEP_STR_NULL, SKEP_LANG_INVALID,
                           SKEP_STR("Map dependency request not found"));
        return;
    }
    if (!limit_of(&c, "page[size]", PAGE_ABSENT, PAGE_MAX, &size))
        return;
    if (after.n && (!skep_str_u64(after, &from) || from > LIMIT_MAX)) {
        (void)skep_api__hny_bad(&c, "page[after]", SKEP_LANG_INVALID,
                                "page[after]: none of a page's `next`");
        return;
    }
    yyjson_doc *d = yyjson_read(c.object.body.p, c.object.body.n, 0);
    put_page(&c, yyjson_doc_get_root(d), from, size);
    yyjson_doc_free(d);
}

static void handle_create(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, create);
}

static void handle_get(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, get);
}

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/1/maps/dependencies/requests",
     .handle = handle_create,
     .refuse = skep_api__hny_refuse,
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_HONEYCOMB},
    {.method = "GET",
     .path = "/1/maps/dependencies/requests/:id",
     .handle = handle_get,
     .refuse = skep_api__hny_refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_HONEYCOMB},
};

const struct skep_api__routes skep_api__honeycomb_maps = {routes, SKEP_ARRAY_LEN(routes)};

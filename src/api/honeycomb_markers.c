// SPDX-License-Identifier: Apache-2.0
/* Markers (/1/markers/{dataset}): instants and spans of time that graphs show, "deploy 17", and the
 * colours of their types (/1/marker_settings/{dataset}).
 *
 * A marker's colour is that of its type's setting in its dataset, or else in __all__.
 * Threads: workers.  Memory: the request's arena. */
#include "api/honeycomb_objects.h"

#include "base/assert.h"

static const skep_str all_datasets = SKEP_STR_INIT("__all__");

/* --- colours -------------------------------------------------------------------------------------
 */

struct colours {
    struct skep_object *list;
    size_t n;
};

static const struct colours *colours(struct skep_api__hny_call *c)
{
    skep_err err;
    if (c->memo)
        return c->memo;
    struct colours *m = skep_new(&c->job->arena, struct colours);
    c->memo = m;
    /* Without colours a marker is as good as with: a failure is that of the next request. */
    if (skep_state_objects(c->job->api->cfg.state, SKEP_OBJECT_MARKER_SETTING,
                           &c->job->opts.environment, NULL, &c->job->arena, &m->list, &m->n,
                           &err) != SKEP_OK)
        m->n = 0;
    return m;
}

static void show(struct skep_api__hny_call *c, const struct skep_object *o, yyjson_mut_doc *doc,
                 yyjson_mut_val *obj)
{
    const struct colours *m = colours(c);
    skep_str type = skep_api__hny_mut_text(obj, "type"), colour = SKEP_STR("");
    for (size_t i = 0; i < m->n && type.n; i++) {
        const struct skep_object *s = &m->list[i];
        bool own = skep_str_eq(s->scope, o->scope);
        if (!skep_str_eq(s->name, type) || !(own || skep_str_eq(s->scope, all_datasets)))
            continue;
        yyjson_doc *d = yyjson_read(s->body.p, s->body.n, 0);
        if (own || colour.n == 0)
            colour = skep_api__hny_text(&c->job->arena, yyjson_doc_get_root(d), "color");
        yyjson_doc_free(d);
    }
    if (colour.n)
        (void)yyjson_mut_obj_add_strn(doc, obj, "color", colour.p, colour.n);
}

/* --- markers -------------------------------------------------------------------------------------
 */

static bool check(struct skep_api__hny_call *c)
{
    yyjson_mut_val *start = yyjson_mut_obj_get(c->body, "start_time");
    yyjson_mut_val *end = yyjson_mut_obj_get(c->body, "end_time");
    if (!start || yyjson_mut_get_sint(start) == 0) {
        start = yyjson_mut_sint(c->doc, skep_api__now(c->job->api) / 1000000000);
        skep_api__hny_mut_set(c->doc, c->body, "start_time", start);
    }
    if (end && yyjson_mut_get_sint(end) == 0) /* their clients write "none" so */
        (void)yyjson_mut_obj_remove_key(c->body, "end_time");
    else if (end && yyjson_mut_get_sint(end) < yyjson_mut_get_sint(start))
        return skep_api__hny_bad(c, "end_time", SKEP_LANG_INVALID,
                                 "end_time: must not be before start_time");
    return true;
}

static const struct skep_api__hny_member marker_members[] = {
    {"start_time", SKEP_HNY_INT, .max = 9000000000, .flags = SKEP_HNY_KEEP},
    {"end_time", SKEP_HNY_INT, .max = 9000000000},
    {"message", SKEP_HNY_TEXT, .max = 10000},
    {"type", SKEP_HNY_TEXT, .max = 255},
    {"url", SKEP_HNY_TEXT, .max = 2048},
};

static const struct skep_route marker_routes[] = {
    SKEP_API__HNY_ROUTE("GET", "/1/markers/:dataset", SKEP_RIGHT_QUERY),
    SKEP_API__HNY_ROUTE("POST", "/1/markers/:dataset", SKEP_RIGHT_QUERY),
    SKEP_API__HNY_ROUTE("PUT", "/1/markers/:dataset/:id", SKEP_RIGHT_QUERY),
    SKEP_API__HNY_ROUTE("DELETE", "/1/markers/:dataset/:id", SKEP_RIGHT_QUERY),
};

const struct skep_api__hny_object skep_api__hny_marker = {
    .kind = SKEP_OBJECT_MARKER,
    .scope = SKEP_HNY_OF_ANY_DATASET,
    .noun = "Marker",
    .members = SKEP_HNY_MEMBERS(marker_members),
    .shows_dropped = true,
    .check = check,
    .show = show,
    .routes = marker_routes,
    .n_routes = SKEP_ARRAY_LEN(marker_routes),
};

/* --- settings ------------------------------------------------------------------------------------
 */

static bool check_setting(struct skep_api__hny_call *c)
{
    skep_str colour = skep_api__hny_mut_text(c->body, "color");
    bool ok = colour.n == 7 && colour.p[0] == '#';
    for (size_t i = 1; i < colour.n && ok; i++)
        ok = (colour.p[i] >= '0' && colour.p[i] <= '9') ||
             ((colour.p[i] | 0x20) >= 'a' && (colour.p[i] | 0x20) <= 'f');
    c->object.name = skep_api__hny_mut_text(c->body, "type");
    return ok || skep_api__hny_bad(c, "color", SKEP_LANG_INVALID,
                                   "color: must be # and six hexadecimal digits");
}

static const struct skep_api__hny_member setting_members[] = {
    {"type", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 255},
    {"color", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 7},
};

static const struct skep_route setting_routes[] = {
    SKEP_API__HNY_ROUTE("GET", "/1/marker_settings/:dataset", SKEP_RIGHT_QUERY),
    SKEP_API__HNY_ROUTE("POST", "/1/marker_settings/:dataset", SKEP_RIGHT_QUERY),
    SKEP_API__HNY_ROUTE("PUT", "/1/marker_settings/:dataset/:id", SKEP_RIGHT_QUERY),
    SKEP_API__HNY_ROUTE("DELETE", "/1/marker_settings/:dataset/:id", SKEP_RIGHT_QUERY),
};

const struct skep_api__hny_object skep_api__hny_marker_setting = {
    .kind = SKEP_OBJECT_MARKER_SETTING,
    .scope = SKEP_HNY_OF_ANY_DATASET,
    .noun = "Marker setting",
    .members = SKEP_HNY_MEMBERS(setting_members),
    .check = check_setting,
    .routes = setting_routes,
    .n_routes = SKEP_ARRAY_LEN(setting_routes),
};

// SPDX-License-Identifier: Apache-2.0
/* Boards (/1/boards) and their views (/1/boards/{id}/views).
 *
 *   panel: a stored query with a name for it | an SLO | a text in Markdown
 *   grid:  12 columns; panels have a place all of them or none (then, or with layout_generation
 *          "auto", they flow: 6 columns each, 12 a text, in their order)
 *
 * Answers have two members more, by which a page that shows a board notices what others change:
 * `revision`, other after every change (`updated_at` has whole seconds), and `updated_by`.
 *
 * A view is a set of filters under a name.  The older form (queries, slos) is kept beside panels.
 * Threads: workers.  Memory: the request's arena. */
#include "api/honeycomb_objects.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/log.h"

enum { COLUMNS = 12, VIEWS_MAX = 50, PANELS_MAX = 200 };

/* --- panels --------------------------------------------------------------------------------------
 */

static bool refuse_panel(struct skep_api__hny_call *c, size_t i, const char *member,
                         const char *text)
{
    const char *at = skep_arena_printf(&c->job->arena, "panels[%zu].%s", i, member).p;
    return skep_api__hny_bad(c, at, SKEP_LANG_INVALID,
                             skep_arena_printf(&c->job->arena, "%s: %s", at, text).p);
}

/* The query is there, has this name, and stands on the board once. */
static bool check_query(struct skep_api__hny_call *c, yyjson_mut_val *panels, size_t at,
                        yyjson_mut_val *query)
{
    struct skep_state_query q;
    struct skep_object annotation;
    skep_err err;
    skep_str id = skep_api__hny_mut_text(query, "query_id");
    skep_str named = skep_api__hny_mut_text(query, "query_annotation_id");
    if (skep_state_get_query(c->job->api->cfg.state, c->job->opts.environment, id, &c->job->arena,
                             &q, &err) != SKEP_OK)
        return refuse_panel(c, at, "query_panel.query_id", "no such query");
    if (!skep_api__hny_find(c->job, SKEP_OBJECT_QUERY_ANNOTATION, named, &annotation))
        return refuse_panel(c, at, "query_panel.query_annotation_id", "no such query annotation");
    yyjson_doc *d = yyjson_read(annotation.body.p, annotation.body.n, 0);
    bool same =
        skep_str_eq(skep_api__hny_text(&c->job->arena, yyjson_doc_get_root(d), "query_id"), id);
    yyjson_doc_free(d);
    if (!same)
        return refuse_panel(c, at, "query_panel.query_annotation_id",
                            "it is the name of another query");
    for (size_t i = 0; i < at; i++) {
        yyjson_mut_val *other = yyjson_mut_obj_get(yyjson_mut_arr_get(panels, i), "query_panel");
        if (other && skep_str_eq(skep_api__hny_mut_text(other, "query_id"), id) &&
            skep_str_eq(skep_api__hny_mut_text(other, "query_annotation_id"), named))
            return refuse_panel(c, at, "query_panel.query_id", "the query is on the board already");
    }
    skep_str dataset = skep_str_eq(q.dataset, SKEP_STR("__all__")) ? SKEP_STR("") : q.dataset;
    skep_api__hny_mut_set(c->doc, query, "dataset",
                          yyjson_mut_strncpy(c->doc, dataset.p ? dataset.p : "", dataset.n));
    return true;
}

static bool check_panel(struct skep_api__hny_call *c, yyjson_mut_val *panels, size_t i,
                        yyjson_mut_val *panel)
{
    static const struct {
        const char *type, *member;
    } parts[] = {{"query", "query_panel"}, {"slo", "slo_panel"}, {"text", "text_panel"}};
    struct skep_object slo;
    yyjson_mut_val *part = NULL;
    skep_str type = skep_api__hny_mut_text(panel, "type");
    for (size_t k = 0; k < SKEP_ARRAY_LEN(parts); k++) {
        yyjson_mut_val *v = yyjson_mut_obj_get(panel, parts[k].member);
        bool mine = skep_str_eq(type, skep_str_c(parts[k].type));
        if (mine && !v)
            return refuse_panel(c, i, parts[k].member, "is required");
        if (!mine && v)
            return refuse_panel(c, i, parts[k].member, "is not of this type of panel");
        part = mine ? v : part;
    }
    if (skep_str_eq(type, SKEP_STR("query")))
        return check_query(c, panels, i, part);
    if (skep_str_eq(type, SKEP_STR("slo")) &&
        !skep_api__hny_find(c->job, SKEP_OBJECT_SLO, skep_api__hny_mut_text(part, "slo_id"), &slo))
        return refuse_panel(c, i, "slo_panel.slo_id", "no such SLO");
    return true;
}

/* --- the grid ------------------------------------------------------------------------------------
 */

static void place(struct skep_api__hny_call *c, yyjson_mut_val *panel, int64_t x, int64_t y,
                  int64_t width, int64_t height)
{
    yyjson_mut_val *p = yyjson_mut_obj(c->doc);
    (void)yyjson_mut_obj_add_sint(c->doc, p, "x_coordinate", x);
    (void)yyjson_mut_obj_add_sint(c->doc, p, "y_coordinate", y);
    (void)yyjson_mut_obj_add_sint(c->doc, p, "height", height);
    (void)yyjson_mut_obj_add_sint(c->doc, p, "width", width);
    skep_api__hny_mut_set(c->doc, panel, "position", p);
}

static int64_t width_of(yyjson_mut_val *panel)
{
    return skep_str_eq(skep_api__hny_mut_text(panel, "type"), SKEP_STR("text")) ? COLUMNS : 6;
}

static int64_t height_of(yyjson_mut_val *panel)
{
    return skep_str_eq(skep_api__hny_mut_text(panel, "type"), SKEP_STR("text")) ? 2 : 4;
}

static void flow(struct skep_api__hny_call *c, yyjson_mut_val *panels)
{
    size_t i, n;
    int64_t x = 0, y = 0, row = 0;
    yyjson_mut_val *panel;
    yyjson_mut_arr_foreach(panels, i, n, panel)
    {
        int64_t width = width_of(panel), height = height_of(panel);
        if (x + width > COLUMNS) {
            y += row;
            x = row = 0;
        }
        place(c, panel, x, y, width, height);
        x += width;
        row = SKEP_MAX(row, height);
    }
}

static int64_t number_in(yyjson_mut_val *obj, const char *name)
{
    return yyjson_mut_get_sint(yyjson_mut_obj_get(obj, name));
}

/* Sizes that were left open, and whether all stand inside the grid. */
static bool settle(struct skep_api__hny_call *c, yyjson_mut_val *panels)
{
    size_t i, n;
    yyjson_mut_val *panel;
    yyjson_mut_arr_foreach(panels, i, n, panel)
    {
        yyjson_mut_val *p = yyjson_mut_obj_get(panel, "position");
        if (!p)
            return refuse_panel(c, i, "position", "is needed, or no panel may have one");
        int64_t x = number_in(p, "x_coordinate"), width = number_in(p, "width");
        int64_t height = number_in(p, "height");
        if (x >= COLUMNS || x + width > COLUMNS)
            return refuse_panel(c, i, "position", "the grid has 12 columns");
        width = width ? width : SKEP_MIN(width_of(panel), COLUMNS - x);
        place(c, panel, x, number_in(p, "y_coordinate"), width, height ? height : height_of(panel));
    }
    return true;
}

static bool lay_out(struct skep_api__hny_call *c, yyjson_mut_val *panels)
{
    size_t i, n, placed = 0;
    yyjson_mut_val *panel;
    yyjson_mut_arr_foreach(panels, i, n, panel) placed +=
        yyjson_mut_obj_get(panel, "position") != NULL;
    if (placed == 0 ||
        skep_str_eq(skep_api__hny_mut_text(c->body, "layout_generation"), SKEP_STR("auto"))) {
        flow(c, panels);
        return true;
    }
    return settle(c, panels);
}

/* --- boards --------------------------------------------------------------------------------------
 */

static bool check(struct skep_api__hny_call *c)
{
    size_t i, n;
    skep_str who = c->job->req->caller.actor;
    yyjson_mut_val *panel, *panels = yyjson_mut_obj_get(c->body, "panels");
    bool older = yyjson_mut_obj_get(c->body, "queries") || yyjson_mut_obj_get(c->body, "slos");
    if (!yyjson_mut_obj_get(c->body, "type"))
        (void)yyjson_mut_obj_add_str(c->doc, c->body, "type", older ? "classic" : "flexible");
    if (who.n)
        (void)yyjson_mut_obj_add_strncpy(c->doc, c->body, "updated_by", who.p, who.n);
    yyjson_mut_arr_foreach(panels, i, n, panel)
    {
        if (!check_panel(c, panels, i, panel))
            return false;
    }
    return lay_out(c, panels);
}

static void changed(struct skep_api__hny_call *c, enum skep_api__hny_change how)
{
    skep_err err;
    if (how == SKEP_HNY_DROPPED &&
        skep_state_drop_objects(c->job->api->cfg.state, SKEP_OBJECT_BOARD_VIEW,
                                c->job->opts.environment, c->object.id, &err) != SKEP_OK)
        skep_log(WARN, "views of a board that is gone stay, found by nobody",
                 SKEP_K_CSTR("error", err.text));
}

static void show(struct skep_api__hny_call *c, const struct skep_object *o, yyjson_mut_doc *doc,
                 yyjson_mut_val *obj)
{
    skep_str url = skep_api__hny_page_url(
        c->job, skep_arena_printf(&c->job->arena, "/ui/boards/" SKEP_STRFMT, SKEP_STRARG(o->id)));
    yyjson_mut_val *links = yyjson_mut_obj(doc);
    (void)yyjson_mut_obj_add_strn(doc, links, "board_url", url.p, url.n);
    skep_api__hny_mut_set(doc, obj, "links", links);
    skep_str revision = skep_arena_printf(&c->job->arena, "%" PRId64, o->updated_ns);
    (void)yyjson_mut_obj_add_strn(doc, obj, "revision", revision.p, revision.n);
}

static const struct skep_api__hny_member position_members[] = {
    {"x_coordinate", SKEP_HNY_INT, .max = COLUMNS - 1, .absent = "0"},
    {"y_coordinate", SKEP_HNY_INT, .max = 100000, .absent = "0"},
    {"height", SKEP_HNY_INT, .max = 1000, .absent = "0"},
    {"width", SKEP_HNY_INT, .max = COLUMNS, .absent = "0"},
};
static const struct skep_api__hny_members position = SKEP_HNY_MEMBERS(position_members);

static const struct skep_api__hny_member chart_members[] = {
    {"chart_index", SKEP_HNY_INT, .max = 1000, .absent = "0"},
    {"chart_type", SKEP_HNY_TEXT, .choices = "default|line|stacked|stat|tsbar|cbar|cpie",
     .absent = "\"default\""},
    {"log_scale", SKEP_HNY_BOOL, .absent = "false"},
    {"omit_missing_values", SKEP_HNY_BOOL, .absent = "false"},
};
static const struct skep_api__hny_members chart = SKEP_HNY_MEMBERS(chart_members);

static const struct skep_api__hny_member settings_members[] = {
    {"utc_xaxis", SKEP_HNY_BOOL, .absent = "false"},
    {"hide_markers", SKEP_HNY_BOOL, .absent = "false"},
    {"hide_hovers", SKEP_HNY_BOOL, .absent = "false"},
    {"hide_compare", SKEP_HNY_BOOL, .absent = "false"},
    {"overlaid_charts", SKEP_HNY_BOOL, .absent = "false"},
    {"charts", SKEP_HNY_ARRAY, .max = 100, .inside = &chart},
};
static const struct skep_api__hny_members settings = SKEP_HNY_MEMBERS(settings_members);

static const struct skep_api__hny_member query_members[] = {
    {"query_id", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 64},
    {"query_annotation_id", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 64},
    {"query_style", SKEP_HNY_TEXT, .choices = "graph|table|combo", .absent = "\"graph\""},
    {"visualization_settings", SKEP_HNY_OBJECT, .inside = &settings},
};
static const struct skep_api__hny_members query_panel = SKEP_HNY_MEMBERS(query_members);

static const struct skep_api__hny_member slo_members[] = {
    {"slo_id", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 64}};
static const struct skep_api__hny_members slo_panel = SKEP_HNY_MEMBERS(slo_members);

static const struct skep_api__hny_member text_members[] = {
    {"content", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 0, .max = 10000}};
static const struct skep_api__hny_members text_panel = SKEP_HNY_MEMBERS(text_members);

static const struct skep_api__hny_member panel_members[] = {
    {"type", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .choices = "query|slo|text"},
    {"position", SKEP_HNY_OBJECT, .inside = &position},
    {"query_panel", SKEP_HNY_OBJECT, .inside = &query_panel},
    {"slo_panel", SKEP_HNY_OBJECT, .inside = &slo_panel},
    {"text_panel", SKEP_HNY_OBJECT, .inside = &text_panel},
};
static const struct skep_api__hny_members panel = SKEP_HNY_MEMBERS(panel_members);

static const struct skep_api__hny_member preset_members[] = {
    {"column", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 255},
    {"alias", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 50},
};
static const struct skep_api__hny_members preset = SKEP_HNY_MEMBERS(preset_members);

static const struct skep_api__hny_member board_members[] = {
    {"name", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 255},
    {"description", SKEP_HNY_TEXT, .max = 1024, .absent = "\"\""},
    {"type", SKEP_HNY_TEXT, .choices = "flexible|classic"},
    {"layout_generation", SKEP_HNY_TEXT, .choices = "manual|auto", .absent = "\"manual\""},
    {"panels", SKEP_HNY_ARRAY, .max = PANELS_MAX, .inside = &panel, .absent = "[]"},
    {"tags", SKEP_HNY_ARRAY, .max = 10, .inside = &skep_api__hny_tag, .absent = "[]"},
    {"preset_filters", SKEP_HNY_ARRAY, SKEP_HNY_KEEP, .max = 5, .inside = &preset, .absent = "[]"},
    {"queries", SKEP_HNY_ARRAY, .max = PANELS_MAX},
    {"slos", SKEP_HNY_TEXTS, .max = 24},
    {"column_layout", SKEP_HNY_TEXT, .choices = "multi|single"},
    {"style", SKEP_HNY_TEXT, .choices = "list|visual"},
};

static const struct skep_route board_routes[] = {SKEP_API__HNY_ROUTES("/1/boards")};

const struct skep_api__hny_object skep_api__hny_board = {
    .kind = SKEP_OBJECT_BOARD,
    .scope = SKEP_HNY_OF_ENVIRONMENT,
    .noun = "Board",
    .members = SKEP_HNY_MEMBERS(board_members),
    .check = check,
    .changed = changed,
    .show = show,
    .routes = board_routes,
    .n_routes = SKEP_ARRAY_LEN(board_routes),
};

/* --- views ---------------------------------------------------------------------------------------
 */

static bool check_view(struct skep_api__hny_call *c)
{
    struct skep_object *all;
    size_t n = 0;
    skep_err err;
    c->object.name = skep_api__hny_mut_text(c->body, "name");
    if (c->old)
        return true;
    if (skep_state_objects(c->job->api->cfg.state, SKEP_OBJECT_BOARD_VIEW,
                           &c->job->opts.environment, &c->object.scope, &c->job->arena, &all, &n,
                           &err) == SKEP_OK &&
        n >= VIEWS_MAX)
        return skep_api__hny_bad(c, "", SKEP_LANG_INVALID, "a board may have 50 views");
    return true;
}

static const struct skep_api__hny_member filter_members[] = {
    {"column", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 255},
    {"operation", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED,
     .choices = "=|!=|>|>=|<|<=|starts-with|does-not-start-with|ends-with|does-not-end-with|"
                "exists|does-not-exist|contains|does-not-contain|in|not-in"},
    {"value", SKEP_HNY_ANY, .flags = 0},
};
static const struct skep_api__hny_members filter = SKEP_HNY_MEMBERS(filter_members);

static const struct skep_api__hny_member view_members[] = {
    {"name", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 255},
    {"filters", SKEP_HNY_ARRAY, SKEP_HNY_REQUIRED, .min = 1, .max = 100, .inside = &filter},
};

static const struct skep_route view_routes[] = {SKEP_API__HNY_ROUTES("/1/boards/:board/views")};

const struct skep_api__hny_object skep_api__hny_board_view = {
    .kind = SKEP_OBJECT_BOARD_VIEW,
    .scope = SKEP_HNY_OF_PARENT,
    .parent = SKEP_OBJECT_BOARD,
    .noun = "Board view",
    .members = SKEP_HNY_MEMBERS(view_members),
    .check = check_view,
    .routes = view_routes,
    .n_routes = SKEP_ARRAY_LEN(view_routes),
};
